"""Data sets give what Keras gives from the same files; digits comes with the package."""

import hashlib
import io
import os
import pickle
import socket

import numpy as np
import pytest

from cornu import datasets
from cornu.datasets import pickled
from cornu.serialization import CorruptFileError, UnsafeFileError
from tests import oracle


@pytest.fixture
def cache(shared_data, tmp_path, monkeypatch):
    """A cache folder filled from the real data, and no network."""
    folder = tmp_path / "datasets"
    folder.mkdir()
    for source in (shared_data / "datasets").iterdir():
        (folder / source.name).symlink_to(source)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(socket, "getaddrinfo", _no_network)
    return tmp_path


def _no_network(*_, **__):
    raise socket.gaierror("no network in this test")


DIGEST = """
import hashlib
def digest(array):
    content = repr([(type(x).__name__, x) for x in array]).encode() if array.dtype == object else np.ascontiguousarray(array).tobytes()
    return str(array.dtype), array.shape, hashlib.sha256(content).hexdigest()
"""
exec(DIGEST)


CALLS = [
    ("mnist", {}),
    ("fashion_mnist", {}),
    ("imdb", {"num_words": 1000, "maxlen": 300, "skip_top": 10}),
    ("imdb", {"start_char": None, "oov_char": None, "num_words": 50, "index_from": 0, "maxlen": 100, "seed": 1}),
    ("imdb", {"start_char": 7, "index_from": 1, "skip_top": 5, "maxlen": 100}),
    ("reuters", {}),
    ("reuters", {"num_words": 100, "test_split": 0.3, "seed": 5, "oov_char": None, "maxlen": 200}),
    ("boston_housing", {}),
    ("boston_housing", {"test_split": 0, "seed": 3}),
    ("california_housing", {}),
    ("california_housing", {"version": "small", "test_split": 0.25}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), CALLS)
def test_equal_to_keras(cache, name, options):
    (x, y), (x_test, y_test) = getattr(datasets, name).load_data(**options)
    snippet = DIGEST + (
        "import os, pathlib\n"
        "folder = pathlib.Path(os.environ['KERAS_HOME'], 'datasets')\n"
        "folder.is_symlink() and folder.unlink()\n"
        "folder.symlink_to(home + '/datasets')\n"
        "train, test = getattr(keras.datasets, name).load_data(**options)\n"
        "out['digests'] = [digest(a) for a in (*train, *test)]"
    )
    wanted = oracle.run(snippet, home=str(cache), name=name, options=options)["digests"]
    assert [digest(a) for a in (x, y, x_test, y_test)] == wanted  # noqa: F821


@pytest.mark.parametrize("name", ["imdb", "reuters"])
def test_word_index(cache, name):
    found = getattr(datasets, name).get_word_index()
    assert min(found.values()) == 1 and max(found.values()) == len(found)
    assert found["the"] == 1


def test_label_names():
    names = datasets.reuters.get_label_names()
    assert names == oracle.run("out['names'] = keras.datasets.reuters.get_label_names()")["names"]


def test_digits():
    (x_train, y_train), (x_test, y_test) = datasets.digits.load_data()
    assert x_train.shape == (1437, 8, 8) and x_test.shape == (360, 8, 8) and x_train.dtype == y_train.dtype == "uint8"
    assert x_train.max() == 16 and x_train.min() == 0
    assert sorted(np.bincount(np.concatenate([y_train, y_test]))) == [174, 177, 178, 179, 180, 181, 181, 182, 182, 183]
    assert hashlib.sha256(x_test.tobytes()).hexdigest() == "53ca6168d7a0f96cfd9f53413c38088f63c5192b0dbaac56d270b19dd82ff5e6"
    assert np.bincount(y_test).min() >= 25


def _batches(folder):
    """Files in CIFAR's form with a few random pictures."""
    folder.mkdir(parents=True)
    random = np.random.RandomState(0)
    count = 10000
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "train", "test"]:
        labels = {key: random.randint(0, 10, count).tolist() for key in (b"labels", b"fine_labels", b"coarse_labels")}
        data = {b"data": random.randint(0, 256, (count, 3072)).astype("uint8"), **labels}
        (folder / name).write_bytes(pickle.dumps(data, protocol=4))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_equal_to_keras(tmp_path, monkeypatch, name):
    monkeypatch.setattr(datasets.cifar, "get_file", lambda *_, **__: str(tmp_path))
    _batches(tmp_path / {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}[name])
    snippet = DIGEST + (
        "load = getattr(keras.datasets, name).load_data\n"
        "load.__globals__['get_file'] = lambda *_, **__: folder\n"
        "train, test = load()\n"
        "out['digests'] = [digest(a) for a in (*train, *test)]"
    )
    (x, y), (x_test, y_test) = getattr(datasets, name).load_data()
    assert [digest(a) for a in (x, y, x_test, y_test)] == oracle.run(snippet, folder=str(tmp_path), name=name)["digests"]  # noqa: F821


def test_without_a_network(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(socket, "getaddrinfo", _no_network)
    with pytest.raises(ConnectionError) as raised:
        datasets.mnist.load_data()
    message = str(raised.value)
    assert str(tmp_path / "datasets" / "mnist.npz") in message and "https://" in message and "no network in this test" in message
    assert list((tmp_path / "datasets").iterdir()) == []


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: datasets.boston_housing.load_data(test_split=1), "test_split: wanted a fraction"),
        (lambda: datasets.california_housing.load_data(version="tiny"), 'wanted "small" or "large"'),
        (lambda: datasets.cifar100.load_data(label_mode="all"), 'wanted "fine" or "coarse"'),
    ],
)
def test_wrong_arguments(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_no_text_left(cache):
    with pytest.raises(ValueError, match="maxlen=1 leaves no text"):
        datasets.reuters.load_data(maxlen=1)


@pytest.mark.slow
def test_old_and_unknown_arguments(cache):
    with pytest.raises(TypeError, match="no argument 'foo'"):
        datasets.imdb.load_data(foo=1)
    with pytest.warns(DeprecationWarning, match="num_words"):
        (x, _), _ = datasets.imdb.load_data(nb_words=20)
    assert max(map(max, x)) < 20


class _Runs:
    def __reduce__(self):
        return os.system, ("echo this must not run",)


class _Allocates:
    def __reduce__(self):
        return np.ndarray, ((10**14,), np.dtype("u1"))


class TestUnpickler:
    def test_reads_arrays_and_lists(self):
        ragged = np.empty(2, object)
        ragged[:] = [[1, 2], [3]]
        for value in (ragged, np.arange(6, dtype=">i4").reshape(2, 3), np.asfortranarray(np.ones((2, 3), "f8"))):
            got = pickled.load(io.BytesIO(pickle.dumps(value, protocol=4)), "x")
            np.testing.assert_array_equal(got, value)
            assert got.dtype == value.dtype

    @pytest.mark.parametrize("value", [_Runs(), [_Runs()], np.array(["text"]), np.datetime64("2020-01-01")])
    def test_refuses(self, value, capfd):
        with pytest.raises(UnsafeFileError, match="somewhere"):
            pickled.load(io.BytesIO(pickle.dumps(value, protocol=4)), "somewhere")
        assert "must not run" not in capfd.readouterr().out

    def test_allocates_nothing_unpaid(self):
        assert pickled.load(io.BytesIO(pickle.dumps(_Allocates(), protocol=4)), "x") is None

    def test_damaged(self):
        with pytest.raises(CorruptFileError, match="cannot be read"):
            pickled.load(io.BytesIO(pickle.dumps(np.arange(100), protocol=4)[:50]), "x")
