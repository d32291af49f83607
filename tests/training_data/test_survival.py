"""A training that is killed and run again comes to the weights of one that never was."""

import itertools
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from cornu import backends, callbacks, layers, models
from cornu.training import checkpoint

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_PROGRAM = pathlib.Path(__file__).with_name("surviving.py")


def run(backend, folder, out, save_freq="epoch", kind="arrays", kill_after=None, number=signal.SIGKILL):
    """Its exit status, and how many seconds `fit` took; killed so many seconds after it begins."""
    environment = {**os.environ, "PYTHONPATH": str(_ROOT), "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, str(_PROGRAM), backend, str(folder), str(out), str(save_freq), kind]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        assert line == "ready\n", process.stderr.read()
        if kill_after is not None:
            time.sleep(kill_after)
            process.send_signal(number)
        printed, errors = process.communicate(timeout=100)
        assert process.returncode in (0, -signal.SIGKILL, -number, 75), errors
        return process.returncode, float(printed or 0)


def results(out):
    with np.load(f"{out}.npz") as file:
        return {name: file[name] for name in file.files}


def same(ours, wanted):
    assert ours.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_array_equal(ours[name], value, name)


@pytest.mark.slow
@pytest.mark.parametrize(
    "backend, save_freq, kind, number",
    [
        ("numpy", 1, "arrays", signal.SIGKILL),
        ("numpy", 3, "batches", signal.SIGKILL),
        ("numpy", 2, "generator", signal.SIGTERM),
        ("jax", "epoch", "arrays", signal.SIGKILL),
    ],
)
def test_killed_and_run_again(backend, save_freq, kind, number, tmp_path):
    """Weights, optimizer, metrics, seeds, history, callbacks, the order of the data: all bit for bit."""
    run(backend, "-", tmp_path / "straight", save_freq, kind)
    wanted = results(tmp_path / "straight")
    _, seconds = run(backend, tmp_path / "first", tmp_path / "whole", save_freq, kind)
    same(results(tmp_path / "whole"), wanted)  # saving changes nothing
    chance, statuses = random.Random(f"{backend}{save_freq}{kind}"), []
    for attempt in itertools.count():
        kill_after = chance.uniform(0, (0.6 if attempt else 0.3) * seconds) if attempt < (2 if backend == "jax" else 3) else None
        statuses.append(run(backend, tmp_path / "backup", tmp_path / "resumed", save_freq, kind, kill_after, number)[0])
        if statuses[-1] == 0:
            break
    same(results(tmp_path / "resumed"), wanted)
    assert (tmp_path / "resumed.csv").read_text() == (tmp_path / "straight.csv").read_text()
    assert len(statuses) > 1, "it was never killed"


class Killed(BaseException):
    pass


class KillAt(callbacks.Callback):
    """Ends the training at a moment, as if it were killed."""

    def __init__(self, epoch, batch=None):
        super().__init__()
        self.moment, self.epoch = (epoch, batch), 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.moment:
            raise Killed

    def on_epoch_end(self, epoch, logs=None):
        if (epoch, None) == self.moment:
            raise Killed


X = np.random.default_rng(1).random((40, 5)).astype("float32")
Y = X.sum(1, keepdims=True)


def fresh():
    import cornu

    cornu.utils.set_random_seed(3)
    model = models.Sequential([layers.Input((5,)), layers.Dense(6, activation="relu"), layers.Dropout(0.2), layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def state(model):
    return [v.numpy() for v in [*model.variables, *model.optimizer.variables]]


def trained(folder, *given, epochs=3, **arguments):
    model = fresh()
    history = model.fit(X, Y, batch_size=8, epochs=epochs, verbose=0, callbacks=list(given), resume=folder, **arguments)
    return state(model), history.history


@pytest.mark.parametrize("moment", [(0, 0), (0, 4), (1, 2), (1, None), (2, 4), (2, None)])
@pytest.mark.parametrize("save_freq", [1, 2, "epoch"])
def test_every_moment(moment, save_freq, tmp_path):
    backends.load("numpy")
    wanted = trained(None)

    def backup():
        return callbacks.BackupAndRestore(tmp_path, save_freq=save_freq)

    with pytest.raises(Killed):
        trained(None, backup(), KillAt(*moment))
    found = trained(None, backup())
    assert found[1] == wanted[1]
    for ours, theirs in zip(found[0], wanted[0], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not tmp_path.exists()  # delete_checkpoint


def test_a_damaged_file_is_passed_over(tmp_path):
    backends.load("numpy")
    wanted = trained(None)
    trained(tmp_path / "a", epochs=2)
    newest = checkpoint.files(tmp_path / "a")[0]
    data = pathlib.Path(newest).read_bytes()
    assert len(checkpoint.files(tmp_path / "a")) == 2
    for damage in (data[: len(data) // 2], data[:-1], b"", data.replace(b'"epoch"', b'"epocX"'), data[:2000] + bytes([data[2000] ^ 1]) + data[2001:]):
        pathlib.Path(newest).write_bytes(damage)
        before = checkpoint.files(tmp_path / "a")
        with pytest.warns(UserWarning, match="damaged and is passed over"):
            assert checkpoint.read(tmp_path / "a")["epoch"] == 1
        assert checkpoint.files(tmp_path / "a") == before
    with pytest.warns(UserWarning, match="passed over"):
        found = trained(tmp_path / "a")
    for ours, theirs in zip(found[0], wanted[0], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_save_that_fails_loses_nothing(tmp_path, monkeypatch):
    """The disk is full at the first, second ... operation of a save: the state before is still there, and the error is told."""
    checkpoint.write(tmp_path, {"n": 1, "a": np.arange(5)})
    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            with pytest.raises(OSError, match="No space left"):
                checkpoint.write(tmp_path, {"n": 2, "a": np.arange(6)})
        assert checkpoint.read(tmp_path)["n"] == 1 and len(os.listdir(tmp_path)) == 1
    checkpoint.write(tmp_path, {"n": 3})
    (tmp_path / ".state-00000009.zip.abc.part").write_bytes(b"half")
    checkpoint.tidy(tmp_path)
    assert checkpoint.read(tmp_path)["n"] == 3 and len(os.listdir(tmp_path)) == 2


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float8_e4m3fn", "int32", "uint32", "bool", "float64"])
def test_arrays_come_back_as_they_were(dtype, tmp_path):
    import ml_dtypes

    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    given = {
        "x": np.arange(6).reshape(2, 3).astype(kind),
        "empty": np.zeros((0, 2), kind),
        "one": np.asarray(1).astype(kind),
        "t": (1, [2.5, None], "é", float("inf")),
    }
    checkpoint.write(tmp_path, given)
    found = checkpoint.read(tmp_path)
    for name in ("x", "empty", "one"):
        assert found[name].dtype == kind and found[name].shape == given[name].shape
        np.testing.assert_array_equal(found[name].astype("float64"), given[name].astype("float64"))
    assert found["t"] == given["t"]
    with pytest.raises(TypeError, match=r"state\['x'\]: a checkpoint holds .*; got function"):
        checkpoint.write(tmp_path, {"x": print and (lambda: 0)})


def test_resume_goes_on_to_more_epochs(tmp_path):
    backends.load("numpy")
    whole, history = trained(None, epochs=4)
    trained(tmp_path, epochs=2)
    found, longer = trained(tmp_path, epochs=4)
    assert longer == history and len(history["loss"]) == 4
    for ours, theirs in zip(found, whole, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    again, _ = trained(tmp_path, epochs=4)  # nothing is left to do
    for ours, theirs in zip(again, whole, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_state_of_another_model(tmp_path):
    backends.load("numpy")
    trained(tmp_path, epochs=1)
    other = models.Sequential([layers.Input((5,)), layers.Dense(2), layers.Dense(1)])
    other.compile("sgd", "mse")
    with pytest.raises(ValueError, match="is of another model or optimizer: this one has .*Delete the folder"):
        other.fit(X, Y, verbose=0, resume=tmp_path)
    with pytest.raises(Killed):
        trained(None, callbacks.BackupAndRestore(tmp_path / "b", save_freq=2), KillAt(0, 3))
    with pytest.raises(ValueError, match="stopped at batch 2 of 5 an epoch, and the data now has 3"):
        fresh().fit(X, Y, batch_size=16, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path / "b", save_freq=2)])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end(number, tmp_path, capsys):
    """The step ends, the state is saved, the program ends with status 75; handlers are as before."""
    backends.load("numpy")
    before = signal.getsignal(number)
    tell = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: batch == 2 and os.kill(os.getpid(), number))
    with pytest.raises(SystemExit) as ended:
        trained(tmp_path, tell)
    assert ended.value.code == 75 and "batch 3 of epoch 1" in capsys.readouterr().err and signal.getsignal(number) is before
    wanted, found = trained(None), trained(tmp_path)
    assert found[1] == wanted[1]


def test_own_callbacks_go_on(tmp_path):
    class Counting(callbacks.Callback):
        kept = ("seen",)
        seen = 0

        def on_epoch_end(self, epoch, logs=None):
            self.seen += 1

    backends.load("numpy")
    counting = Counting()
    with pytest.raises(Killed):
        trained(None, Counting(), callbacks.BackupAndRestore(tmp_path), KillAt(2, 0))
    trained(None, counting, callbacks.BackupAndRestore(tmp_path))
    assert counting.seen == 3


def test_told_to_end_within_a_program_of_many_steps(tmp_path):
    """On JAX one call makes many steps; training ends between two calls, and goes on from there bit for bit."""

    class Tell(callbacks.Callback):
        told = None

        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_steps(self, done, total, logs=None):
            if self.epoch == 1 and self.told is None and done > 20:
                self.told = done
                os.kill(os.getpid(), signal.SIGTERM)

    backends.load("jax")
    x = np.random.default_rng(0).random((4000, 5)).astype("float32")

    def run(*given):
        model = fresh()
        history = model.fit(x, x.sum(1, keepdims=True), batch_size=4, epochs=3, verbose=0, callbacks=list(given), resume=tmp_path if given else None)
        return state(model), history.history

    tell, wanted = Tell(), run()
    with pytest.raises(SystemExit):
        run(tell)
    assert checkpoint.read(tmp_path)["epoch"] == 1 and checkpoint.read(tmp_path)["batch"] == tell.told > 20
    found = run(callbacks.Callback())
    assert found[1] == wanted[1]
    for ours, theirs in zip(found[0], wanted[0], strict=True):
        np.testing.assert_array_equal(ours, theirs)
