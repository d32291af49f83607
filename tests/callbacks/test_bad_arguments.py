"""Every callback through wrong arguments: a typed error, at once, that names the argument."""

import re

import pytest

from cornu import callbacks

BAD = [
    ("BackupAndRestore", {"backup_dir": ""}),
    ("BackupAndRestore", {"backup_dir": None}),
    ("BackupAndRestore", {"backup_dir": 3}),
    ("BackupAndRestore", {"backup_dir": "{file}"}),
    ("BackupAndRestore", {"save_freq": "batch", "backup_dir": "a"}),
    ("BackupAndRestore", {"save_freq": -1, "backup_dir": "a"}),
    ("BackupAndRestore", {"save_freq": 1.5, "backup_dir": "a"}),
    ("CSVLogger", {"separator": "", "filename": "a"}),
    ("CSVLogger", {"filename": 3}),
    ("EarlyStopping", {"patience": -1}),
    ("EarlyStopping", {"patience": "3"}),
    ("EarlyStopping", {"start_from_epoch": -2}),
    ("EarlyStopping", {"min_delta": "0"}),
    ("EarlyStopping", {"monitor": 3}),
    ("EarlyStopping", {"baseline": "x"}),
    ("LambdaCallback", {"on_epoch_end": 3}),
    ("LambdaCallback", {"on_test_begin": 3}),
    ("LearningRateScheduler", {"schedule": 0.1}),
    ("ModelCheckpoint", {"filepath": 3}),
    ("ModelCheckpoint", {"save_freq": 0, "filepath": "a.keras"}),
    ("ModelCheckpoint", {"save_freq": True, "filepath": "a.keras"}),
    ("ModelCheckpoint", {"initial_value_threshold": "low", "filepath": "a.keras"}),
    ("OrbaxCheckpoint", {"directory": 3}),
    ("OrbaxCheckpoint", {"max_to_keep": 0, "directory": "{folder}"}),
    ("OrbaxCheckpoint", {"save_freq": "never", "directory": "{folder}"}),
    ("ReduceLROnPlateau", {"factor": 1.0}),
    ("ReduceLROnPlateau", {"factor": -0.1}),
    ("ReduceLROnPlateau", {"patience": -1}),
    ("ReduceLROnPlateau", {"cooldown": -1}),
    ("ReduceLROnPlateau", {"min_lr": "0"}),
    ("RemoteMonitor", {"root": "localhost:9000"}),
    ("RemoteMonitor", {"root": "file:///etc/passwd"}),
    ("RemoteMonitor", {"path": None}),
    ("RemoteMonitor", {"field": 3}),
    ("RemoteMonitor", {"headers": "X: y"}),
    ("SwapEMAWeights", {"swap_on_epoch": "yes"}),
    ("TensorBoard", {"log_dir": None}),
    ("TensorBoard", {"update_freq": "step"}),
    ("TensorBoard", {"update_freq": 0}),
    ("TensorBoard", {"histogram_freq": -1}),
    ("TensorBoard", {"histogram_freq": 0.5}),
    ("TensorBoard", {"embeddings_freq": -1}),
    ("TensorBoard", {"embeddings_metadata": 3}),
    ("TensorBoard", {"profile_batch": "2"}),
    ("TensorBoard", {"profile_batch": (3, 2)}),
    ("TerminateOnNaN", {"raise_error": "no"}),
]


@pytest.mark.parametrize("name, arguments", BAD, ids=lambda value: value if isinstance(value, str) else ",".join(f"{k}={v!r}" for k, v in value.items()))
def test_wrong_arguments(name, arguments, tmp_path):
    (tmp_path / "file").write_text("")
    arguments = {k: v.format(file=tmp_path / "file", folder=tmp_path / "new") if isinstance(v, str) else v for k, v in arguments.items()}
    with pytest.raises((ValueError, TypeError)) as caught:
        getattr(callbacks, name)(**arguments)
    message = str(caught.value)
    assert name in message and next(iter(arguments)) in message, message
    assert re.search(r"must|wanted", message), message
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", sorted(n for n in dir(callbacks) if n[0].isupper() and n not in ("CallbackList", "LambdaCallback", "ReduceLROnPlateau")))
def test_an_argument_that_does_not_exist(name):
    with pytest.raises(TypeError):
        getattr(callbacks, name)(no_such_argument=1)
