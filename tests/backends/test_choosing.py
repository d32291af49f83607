"""Which backend is used, who said so, and what a program sees that asks for one that cannot be."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest

from cornu import backend as namespace
from cornu import backends, config, settings
from cornu.backends import protocol

SHOW = "from cornu import backend; print(backend._BACKEND)"  # the line of the tutorials


def run(code, home, **environment):
    clean = {key: value for key, value in os.environ.items() if key not in settings.VARIABLES}
    return subprocess.run([sys.executable, "-W", "error", "-c", code], env={**clean, "KERAS_HOME": str(home), **environment}, capture_output=True, text=True)


@pytest.fixture
def asked(monkeypatch):
    """`asked(name, where)`: which backend comes of it, as if the process began now."""

    def choose(name, where):
        monkeypatch.setitem(settings._values, "backend_asked", (name, where))
        monkeypatch.setitem(settings._values, "backend", None)
        return backends.name()

    return choose


@pytest.fixture
def installed(monkeypatch):
    """`installed("jax", "numpy")`: no other engine can be found."""

    def only(*names):
        modules = {backends.BACKENDS[name][0] for name in names}
        monkeypatch.setattr(importlib.util, "find_spec", lambda module: object() if module in modules else None)

    return only


def test_nobody_says(tmp_path):
    told = run(SHOW, tmp_path)
    assert (told.stdout, told.stderr) == ("jax\n", "")


def test_environment(tmp_path):
    told = run(SHOW, tmp_path, KERAS_BACKEND="numpy")
    assert (told.stdout, told.stderr) == ("numpy\n", "Using NumPy backend.\n")
    told = run(SHOW, tmp_path, KERAS_BACKEND="numpy", CORNU_BACKEND="jax")
    assert (told.stdout, told.stderr) == ("jax\n", "Using JAX backend.\n")


FILES = [
    ({"image_dim_ordering": "th", "epsilon": 1e-05, "floatx": "float64", "backend": "numpy"}, "numpy float64 1e-05 channels_first"),
    ({"image_dim_ordering": "tf", "epsilon": 1e-07, "floatx": "float32"}, "jax float32 1e-07 channels_last"),
    ({"backend": "numpy", "epsilon": 1e-07, "image_data_format": "channels_first", "floatx": "float32"}, "numpy float32 1e-07 channels_first"),
    ({"floatx": "float16", "epsilon": 1e-07, "backend": "numpy", "image_data_format": "channels_last"}, "numpy float16 1e-07 channels_last"),
]


@pytest.mark.parametrize(("content", "wanted"), FILES)
def test_files_of_every_era(tmp_path, content, wanted):
    (tmp_path / "keras.json").write_text(json.dumps(content))
    told = run("from cornu import backend as K; print(K.backend(), K.floatx(), K.epsilon(), K.image_data_format())", tmp_path)
    assert told.stdout.strip() == wanted
    assert told.stderr == ("Using NumPy backend.\n" if "backend" in content else "")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cntk", "KERAS_BACKEND=cntk: CNTK is no longer made. Its successor is ONNX Runtime, which runs exported models: it comes with export."),
        ("caffe", "KERAS_BACKEND=caffe: Caffe is no longer made."),
        ("jaxx", "KERAS_BACKEND=jaxx: There is no backend 'jaxx'. Backends are jax,"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(tmp_path, name, words):
    told = run("from cornu import layers; print('on')", tmp_path, KERAS_BACKEND=name)
    assert told.returncode == 1 and told.stdout == ""
    assert told.stderr.startswith(words) and told.stderr.count("\n") == 1  # no stack trace
    caught = run("try:\n    import cornu; cornu.layers\nexcept ValueError as error:\n    print('caught:', error)", tmp_path, KERAS_BACKEND=name)
    assert caught.stdout.startswith(f"caught: {words}")


def test_an_engine_that_is_missing(asked, installed, capsys):
    installed("numpy")
    with pytest.raises(
        backends.UnusableBackend, match="CORNU_BACKEND=torch: The backend 'torch' needs the package 'torch', which is not installed. Install it: pip"
    ):
        asked("torch", "CORNU_BACKEND")
    with pytest.raises(ImportError, match="Install it: pip install torch"):
        config.set_backend("torch")
    installed("numpy", "jax")
    assert asked("torch", "/home/me/.keras/keras.json") == "jax"  # Keras writes that file by itself
    assert capsys.readouterr().err == (
        f"cornu: /home/me/.keras/keras.json: The backend 'torch' needs the package 'torch', which is not installed. Install it: {backends.BACKENDS['torch'][1]}. Using 'jax'.\n"
    )


def test_theano_lives_on(asked, installed, capsys):
    installed("pytensor")
    for where in ("KERAS_BACKEND", "/home/me/.keras/keras.json"):
        assert asked("theano", where) == "pytensor"
        assert capsys.readouterr().err == "Using Theano backend.\ncornu: Theano lives on as PyTensor, which computes here.\n"
        assert (namespace.backend(), namespace._BACKEND) == ("pytensor", "theano")


@pytest.mark.parametrize(("name", "title"), [("TensorFlow", "TensorFlow"), ("torch", "PyTorch"), ("pytensor", "PyTensor"), ("jax", "JAX"), ("numpy", "NumPy")])
def test_titles(asked, installed, capsys, name, title):
    installed(*backends.BACKENDS)
    assert asked(name, "KERAS_BACKEND") == namespace._BACKEND == name.lower()
    assert capsys.readouterr().err == f"Using {title} backend.\n"
    assert backends.name() == name.lower() and capsys.readouterr().err == ""  # told once


def test_set_backend_refuses():
    for name, words in (("cntk", "ONNX Runtime"), ("nothing", "There is no backend 'nothing'. Backends are jax, ")):
        with pytest.raises(ValueError, match=words):
            config.set_backend(name)
    before = backends.current()
    assert protocol.backend is before


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "keras.json").write_text("{")
    told = run(SHOW, tmp_path)
    assert told.stdout == "jax\n" and "keras.json is ignored, it cannot be read as JSON" in told.stderr


@pytest.mark.slow
def test_trying_tensorflow_does_not_choose_it_for_later(tmp_path):
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed: make backends")
    told = run("from cornu import ops; print(type(ops.ones(1)).__module__)", tmp_path, KERAS_BACKEND="tensorflow")
    assert told.stdout.startswith("tensorflow") and not (tmp_path / "keras.json").exists()
