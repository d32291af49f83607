"""to_categorical, normalize, pad_sequences: what Keras gives, on arrays and tensors."""

import numpy as np
import pytest

from cornu import backends, utils
from tests import oracle

LABELS = [[0, 2, 1], [[1], [0]], [[[3], [1]], [[0], [2]]], [[1, 2], [0, 1]], 3]


@pytest.mark.parametrize("x", LABELS)
@pytest.mark.parametrize("num_classes", [None, 5])
def test_to_categorical(x, num_classes):
    wanted = oracle.run("out['y'] = keras.utils.to_categorical(x, num_classes)", x=x, num_classes=num_classes)["y"]
    got = utils.to_categorical(x, num_classes)
    assert got.dtype == wanted.dtype
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("x", [[0, 3], [-1, 0], np.zeros((0, 2), int)])
def test_to_categorical_refuses(x):
    with pytest.raises(ValueError, match="to_categorical"):
        utils.to_categorical(x, None if np.size(x) == 0 else 3)


def test_to_categorical_of_a_tensor(backend):
    x = backends.array([[1], [0], [2]])
    got = utils.to_categorical(x, 3)
    np.testing.assert_array_equal(backends.numpy(got), np.eye(3)[[1, 0, 2]])


@pytest.mark.parametrize("shape", [(4,), (2, 3), (2, 3, 4)])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_normalize(shape, order):
    x = np.random.RandomState(0).randn(*shape)
    x[0] = 0
    for axis in range(-len(shape), len(shape)):
        if axis == 0 and len(shape) > 1:
            continue  # Keras 3.15 fails there
        wanted = oracle.run("out['y'] = keras.utils.normalize(x, axis, order)", x=x, axis=axis, order=order)["y"]
        np.testing.assert_allclose(utils.normalize(x, axis, order), wanted, rtol=1e-6)


def test_normalize_of_a_tensor(backend):
    got = utils.normalize(backends.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(backends.numpy(got), [[0.6, 0.8], [0, 0]], rtol=1e-6)


SEQUENCES = [[[1], [2, 3], [4, 5, 6]], [[], [1]], [[[1, 2]], [[3, 4], [5, 6]]], []]


@pytest.mark.parametrize("sequences", SEQUENCES)
@pytest.mark.parametrize("maxlen", [None, 0, 2, 5])
def test_pad_sequences(sequences, maxlen):
    for padding in ("pre", "post"):
        for truncating in ("pre", "post"):
            options = {"maxlen": maxlen, "padding": padding, "truncating": truncating, "value": 7, "dtype": "float32"}
            if not sequences and maxlen is None:
                continue
            if maxlen == 0:
                assert utils.pad_sequences(sequences, **options).shape[:2] == (len(sequences), 0)
                continue
            wanted = oracle.run("out['y'] = keras.utils.pad_sequences(x, **options)", x=sequences, options=options)["y"]
            got = utils.pad_sequences(sequences, **options)
            assert got.dtype == wanted.dtype
            np.testing.assert_array_equal(got, wanted)


def test_pad_sequences_refuses():
    for call in (
        lambda: utils.pad_sequences([1, 2]),
        lambda: utils.pad_sequences(3),
        lambda: utils.pad_sequences([[1]], padding="before"),
        lambda: utils.pad_sequences([[[1, 2]], [[1, 2, 3]]]),
        lambda: utils.pad_sequences([[1]], value="x"),
    ):
        with pytest.raises(ValueError, match="pad_sequences"):
            call()
