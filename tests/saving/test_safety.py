"""Hostile and damaged files: every reader refuses them, by a typed error that names the file, and nothing happens besides."""

import json
import os
import sys
import time
import tracemalloc
import zipfile

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cornu import metrics, ops, saving
from cornu.layers import LSTM, Dense, Dropout, Input, Lambda
from cornu.models import Model, Sequential
from cornu.saving import CorruptFileError, UnsafeFileError

REFUSED = (UnsafeFileError, CorruptFileError)


@pytest.fixture
def saved(tmp_path):
    model = Sequential([Input((4,)), Dense(3, name="first"), Dropout(0.2), Dense(2, name="second")])
    model.compile("adam", "mse")
    model.fit(np.ones((4, 4), "float32"), np.ones((4, 2), "float32"), verbose=0)
    for ending in (".keras", ".h5"):
        model.save(tmp_path / f"model{ending}")
    model.save_weights(tmp_path / "model.weights.h5")
    return tmp_path


def changed(path, change=lambda config: None, **members):
    """`path` with another config, or other members."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    if "config__json" not in members:
        config = json.loads(parts["config.json"])
        change(config)
        parts["config.json"] = json.dumps(config).encode()
    parts.update({name.replace("__", "."): value for name, value in members.items()})
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in parts.items():
            if value is not None:
                archive.writestr(name, value)
    return path


def layer(config, index):
    return config["config"]["layers"][index]


def refused(path, *words, load=saving.load_model, errors=REFUSED):
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(errors) as caught:
        load(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert str(path) in str(caught.value)
    for word in words:
        assert word in str(caught.value)
    assert peak < 2 * os.path.getsize(path) + 64_000_000
    assert time.perf_counter() - start < 20  # of a busy machine; 2 s on an idle one


def put(index, **fields):
    return lambda config: layer(config, index)["config"].update(fields)


def replaced(index, **fields):
    return lambda config: layer(config, index).update(fields)


BAD_CONFIGS = {
    "lambda's bytecode": (
        replaced(
            2, module="keras.layers", class_name="Lambda", config={"name": "evil", "function": {"class_name": "__lambda__", "config": {"code": "4wEAAA=="}}}
        ),
        "evil",
    ),
    "lambda's bytecode of Keras 2": (
        replaced(2, module="keras.layers", class_name="Lambda", config={"name": "evil", "function": ["4wEAAA==", None, None], "function_type": "lambda"}),
        "evil",
    ),
    "a function of the system": (
        replaced(
            2,
            module="keras.layers",
            class_name="Lambda",
            config={"name": "evil", "function": {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}},
        ),
        "system",
    ),
    "a class of the system": (replaced(2, module="subprocess", class_name="Popen", config={"args": "touch owned"}, registered_name="Popen"), "Popen"),
    "an activation of the system": (put(1, activation={"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "eval"}), "eval"),
    "a gadget of the library": (
        put(1, activation={"module": "keras.utils", "class_name": "function", "config": "get_file", "registered_name": "get_file"}),
        "get_file",
    ),
    "units that nobody paid for": (lambda c: (put(1, units=2_000_000_000)(c), replaced(1, build_config=None)(c)), ""),
    "a huge input": (
        lambda c: (put(0, batch_shape=[None, 10**13])(c), replaced(1, build_config=None)(c), c["config"].update(build_input_shape=[None, 10**13])),
        "",
    ),
    "a loader of other files": (replaced(2, module="keras.layers", class_name="TFSMLayer", config={"filepath": "/etc"}, registered_name=None), "TFSMLayer"),
    "another torch module": (
        replaced(2, module="keras.layers", class_name="TorchModuleWrapper", config={"module": "AAAA"}, registered_name=None),
        "TorchModuleWrapper",
    ),
    "no model": (lambda c: c.update(module="keras.layers", class_name="Dense", config={"units": 3}), "Dense"),
    "wrong types": (put(1, units="three"), ""),
    "a missing field": (lambda c: layer(c, 1)["config"].pop("units"), "units"),
    "layers that are no list": (lambda c: c["config"].update(layers=7), ""),
}


@pytest.mark.parametrize("what", BAD_CONFIGS)
def test_config(saved, what):
    change, word = BAD_CONFIGS[what]
    path = changed(saved / "model.keras", change)
    refused(path, word)


def bomb(name):
    i = Input((50, 3))
    if name == "unrolled":
        return Model(i, LSTM(3, unroll=True)(i)), lambda text: text.replace("50", "1000000000")
    if name == "unstacked":
        return Model(i, ops.unstack(i, axis=1)[0]), lambda text: text.replace("50", "1000000000")
    if name == "split":
        return Model(i, ops.split(i, 50, axis=1)[0]), lambda text: text.replace("50", "1000000000")
    model = Model(i, Dense(1)(i))
    model.compile("sgd", "mse", metrics=[metrics.AUC(num_thresholds=50)])
    return model, lambda text: text.replace("50", "1000000000")


@pytest.mark.parametrize("name", ["unrolled", "unstacked", "split", "thresholds"])
def test_bombs_of_work(tmp_path, name):
    model, blow = bomb(name)
    path = tmp_path / "model.keras"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        text = archive.read("config.json").decode()
    refused(changed(path, config__json=blow(text).encode()))


def test_safe_mode_false_allows_nothing_more(saved):
    path = changed(saved / "model.keras", BAD_CONFIGS["lambda's bytecode"][0])
    refused(path, "evil", load=lambda p: saving.load_model(p, safe_mode=False))


def test_deep_config(saved):
    refused(changed(saved / "model.keras", config__json=b'{"a":' * 5000 + b"1" + b"}" * 5000))
    refused(changed(saved / "model.keras", config__json=b'{"a":' * 600 + b"1" + b"}" * 600), "deep")


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"null", b"{", b'"x"', b"\xff\xfe", b'{"class_name": 3, "config": {}}', b'{"class_name": "Sequential"}', b"1" * 5000]
)
def test_config_that_is_none(saved, text):
    refused(changed(saved / "model.keras", config__json=text))


def test_sharded(saved):
    path = saved / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.json", "{}")
    refused(path, "shard")


@pytest.mark.parametrize(
    "index",
    [
        "{}",
        "[]",
        '{"weight_map": {"/a/vars": "../model_00000.weights.h5"}}',
        '{"weight_map": {"/a/vars": ["/etc/passwd"]}}',
        '{"weight_map": {"/a/vars": ["model.keras"]}}',
        '{"weight_map": {"/a/vars": [1]}}',
        '{"weight_map": {"/a/vars": ["linked.weights.h5"]}}',
        '{"weight_map": {"/a/vars": ["model.keras\\u0000.h5"]}}',
        '{"metadata": {"save": "other"}, "weight_map": {"/a/vars": ["model.weights.h5"]}}',
    ],
)
def test_lists_of_files(saved, index):
    """A list of weights names files beside it, of the same save, and nothing else."""
    (saved / "linked.weights.h5").symlink_to(saved / "model.weights.h5")
    (saved / "list.weights.json").write_text(index)
    refused(saved / "list.weights.json", load=Sequential([Input((4,)), Dense(3)]).load_weights)


def test_zip_bomb(saved):
    path = saved / "model.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * 300_000_000)
    refused(path)


def test_zip_that_lies_about_sizes(saved):
    path = saved / "model.keras"
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = (2**31).to_bytes(4, "little")
    path.write_bytes(data)
    refused(path)


def test_zip_names_that_escape(saved):
    path = changed(saved / "model.keras", **{"../../escaped": b"x"})
    saving.load_model(path)  # nothing is ever extracted, and such a member is never asked for
    assert not (saved.parent.parent / "escaped").exists()


def weights_file(path, spoil):
    with h5py.File(path, "r+") as file:
        spoil(file)
    return path


def external_link(file):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = h5py.ExternalLink("/etc/passwd", "/x")


def soft_link(file):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = h5py.SoftLink("/layers/dense_1/vars/0")


def external_storage(file):
    del file["layers/dense/vars/0"]
    file.create_dataset("layers/dense/vars/0", (4, 3), "float32", external=[("/etc/passwd", 0, 48)])


def virtual(file):
    del file["layers/dense/vars/0"]
    layout = h5py.VirtualLayout((4, 3), "float32")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "x", (4, 3))
    file.create_virtual_dataset("layers/dense/vars/0", layout)


def never_written(file):
    del file["layers/dense/vars/0"]
    file.create_dataset("layers/dense/vars/0", (2**20, 2**20), "float32")


def chunked_bomb(file):
    del file["layers/dense/vars/0"]
    file.create_dataset("layers/dense/vars/0", (2**20, 2**12), "float32", chunks=(64, 64), compression="gzip")


def unknown_filter(file):
    del file["layers/dense/vars/0"]
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((4, 3))
    plist.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, ())
    h5py.h5d.create(file["layers/dense/vars"].id, b"0", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((4, 3)), plist)


def cycle(file):
    file["layers/dense/again"] = file["layers"]


def text(file):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = "some text"


def opaque(file):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = np.zeros((4, 3), "V4")


def missing(file):
    del file["layers/dense/vars/0"]


def other_shape(file):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = np.zeros((5, 3), "float32")


SPOILS = [external_link, soft_link, external_storage, virtual, never_written, chunked_bomb, unknown_filter, cycle, text, opaque, missing, other_shape]


@pytest.mark.parametrize("spoil", SPOILS, ids=lambda f: f.__name__)
def test_hdf5(saved, spoil):
    path = weights_file(saved / "model.weights.h5", spoil)
    model = Sequential([Input((4,)), Dense(3), Dropout(0.2), Dense(2)])
    before = model.get_weights()
    refused(path, load=model.load_weights, errors=ValueError if spoil is other_shape or spoil is missing else REFUSED)
    if spoil not in (missing, other_shape, text, opaque):
        assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before))
    refused(changed(saved / "model.keras", model__weights__h5=path.read_bytes()))


def test_h5_with_external_link(saved):
    path = weights_file(saved / "model.h5", lambda f: f["model_weights"].__setitem__("x", h5py.ExternalLink("/etc/passwd", "/")))
    refused(path, "external link")


def test_h5_with_bytecode(saved):
    def spoil(file):
        config = json.loads(file.attrs["model_config"])
        layer(config, 2).update(class_name="Lambda", config={"name": "evil", "function": ["4wEAAA==", None, None], "function_type": "lambda"})
        file.attrs["model_config"] = json.dumps(config)

    refused(weights_file(saved / "model.h5", spoil), "evil")


@pytest.mark.parametrize("ending", [".keras", ".h5", ".weights.h5"])
def test_cut_short(saved, ending):
    path = saved / f"model{ending}"
    data = path.read_bytes()
    model = Sequential([Input((4,)), Dense(3), Dropout(0.2), Dense(2)])
    for length in sorted({0, 1, 7, 8, 100, 512, len(data) // 2, len(data) - 100, len(data) - 1}):
        path.write_bytes(data[:length])
        with pytest.raises(CorruptFileError):
            model.load_weights(path) if "weights" in ending else saving.load_model(path)


@pytest.mark.parametrize("data", [b"", b"garbage", b"\x89HDF\r\n\x1a\n" + b"\xff" * 500, b"PK\x03\x04" + b"\x00" * 500, b"\x80\x04\x95"])
def test_garbage(tmp_path, data):
    path = tmp_path / "model.keras"
    path.write_bytes(data)
    refused(path)


@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=8))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bytes_changed(saved, at, data):
    path = saved / "fuzzed.keras"
    whole = bytearray((saved / "model.keras").read_bytes())
    at %= len(whole)
    whole[at : at + len(data)] = data
    path.write_bytes(whole)
    try:
        saving.load_model(path)
    except REFUSED:
        pass


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        saving.load_model(tmp_path / "none.keras")
    with pytest.raises(IsADirectoryError):
        saving.load_model(tmp_path)


_events = []
_watching = [False]
_FORBIDDEN = (
    "open",
    "import",
    "exec",
    "compile",
    "socket.",
    "subprocess.",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "shutil.",
    "pickle.",
    "marshal.",
    "ctypes.dlopen",
    "urllib.",
)


def _hook(event, arguments):
    if _watching[0] and event.startswith(_FORBIDDEN):
        _events.append((event, arguments))


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_nothing_else_happens(saved, ending):
    path = saved / f"model{ending}"
    saving.load_model(path)  # whatever is imported when first used is imported now
    if not hasattr(sys, "_cornu_hook"):
        sys._cornu_hook = True
        sys.addaudithook(_hook)
    _events.clear()
    _watching[0] = True
    try:
        saving.load_model(path)
    finally:
        _watching[0] = False
    others = [(e, a) for e, a in _events if not (e == "open" and str(a[0]) == str(path))]
    assert others == []


# -- what cannot be read back is refused when saving ----------------------------------------------------------------------------------------


def test_lambda_is_refused_at_save(tmp_path):
    model = Sequential([Input((4,)), Lambda(lambda x: x * 2, name="doubled")])
    with pytest.raises(ValueError, match="doubled"):
        model.save(tmp_path / "m.keras")
    assert os.listdir(tmp_path) == []


def test_unregistered_class_is_told_at_save_and_wanted_at_load(tmp_path):
    class Mine(Dense):
        pass

    i = Input((4,))
    with pytest.warns(UserWarning, match="Mine"):
        Model(i, Mine(3)(i)).save(tmp_path / "m.keras")
    with pytest.raises(TypeError, match="Mine"):
        saving.load_model(tmp_path / "m.keras")
    assert saving.load_model(tmp_path / "m.keras", custom_objects={"Mine": Mine}).output_shape == (None, 3)
