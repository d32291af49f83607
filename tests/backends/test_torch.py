"""The PyTorch backend: types, edges and what is its own; its ops are checked by test_engines.py."""

import ml_dtypes
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: make backends")

import cornu as keras  # noqa: E402
from cornu import backends, dtypes, layers, ops  # noqa: E402
from cornu.backends import torch as backend  # noqa: E402


@pytest.mark.parametrize("dtype", [dtype for dtype in dtypes.ALL if dtype != "string"])
def test_arrays_there_and_back(dtype):
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    x = np.arange(6).reshape(2, 3).astype(kind)
    found = backend.array(x)
    assert backend.dtype(found) == dtype
    assert backend.numpy(found).dtype == kind
    np.testing.assert_array_equal(backend.numpy(found).astype("complex128"), x.astype("complex128"))
    np.testing.assert_array_equal(backend.numpy(backend.array(x[:, ::-1])).astype("complex128"), x[:, ::-1].astype("complex128"))


def test_texts_are_refused():
    with pytest.raises(TypeError, match="no tensors of text"):
        backend.array(np.array(["a", "b"]))


@pytest.mark.parametrize("key", [np.s_[::-1], np.s_[..., ::-2], np.s_[1:, None, 5:0:-2], np.s_[:, 1, ::-1], np.s_[0:0:-1]])
def test_indexing_backwards(key):
    x = np.arange(24).reshape(2, 3, 4) if key != np.s_[1:, None, 5:0:-2] else np.arange(48).reshape(2, 6, 4)
    np.testing.assert_array_equal(backend.numpy(backend.getitem(backend.array(x), key)), x[key])


def test_gradients_of_gradients():
    backends.load("torch")

    def slope(values):
        (_, _), (inner,) = backend.value_and_grad(lambda v: (ops.sum(v[0] ** 3), ()), values)
        return ops.sum(inner), ()

    (_, _), (second,) = backend.value_and_grad(slope, [backend.array(np.array([1.0, 2.0], "float32"))])
    np.testing.assert_allclose(backend.numpy(second), [6.0, 12.0])


def test_a_device_that_is_not_there():
    backends.load("torch")
    with pytest.raises(ValueError, match="device: wanted one that PyTorch has here; got 'nowhere:0'"), keras.device("nowhere:0"):
        pass


def test_recurrent_layers_and_attention_train():
    backends.load("torch")
    model = keras.Sequential(
        [keras.Input((7,)), layers.Embedding(20, 8, mask_zero=True), layers.LSTM(6, return_sequences=True), layers.GRU(5), layers.Dense(1)]
    )
    model.compile("rmsprop", "mse")
    x, y = np.random.default_rng(0).integers(0, 20, (64, 7)), np.linspace(0, 1, 64, dtype="float32")[:, None]
    losses = model.fit(x, y, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    attended = layers.MultiHeadAttention(2, 4)(*(np.random.default_rng(0).random((2, 3, 8), "float32"),) * 2)
    assert isinstance(attended, torch.Tensor) and tuple(attended.shape) == (2, 3, 8)
