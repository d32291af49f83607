"""The PyTorch backend: every op's values and gradients are those of the NumPy backend, its own types and edges, and a training."""

import operator

import ml_dtypes
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: make backends")

import cornu as keras  # noqa: E402
from cornu import backends, dtypes, layers, ops, tree  # noqa: E402
from cornu.backends import protocol  # noqa: E402
from cornu.backends import torch as backend  # noqa: E402
from tests.ops import cases, check  # noqa: E402

EVERYWHERE = {name: found for name, found in cases.everywhere().items() if name not in cases.BY_HAND}
HALVES = {"dot_product_attention": 2e-3}  # float16 is summed in another order
FREE = {"svd", "eigh", "eig"}  # vectors of free sign and phase


def named(name):
    return operator.attrgetter(name)(ops)


def outcome(which, function):
    """What `function()` gives on a backend, or the kind of error where it refuses."""
    try:
        return check.on(which, function)
    except (TypeError, ValueError, IndexError, RuntimeError, np.linalg.LinAlgError) as error:
        return error


def test_every_name_of_the_protocol_is_there():
    names = [*protocol.UNARY, *protocol.BINARY, *protocol.PRIMITIVES, *protocol.PROGRAM]
    assert [name for name in names if not hasattr(backend, name)] == []


@pytest.mark.parametrize("name", sorted(set(EVERYWHERE) - FREE))
def test_values_are_those_of_numpy(name):
    for case in EVERYWHERE[name]:
        wanted = outcome("numpy", lambda case=case: named(name)(*case.args, **case.kwargs))
        found = outcome("torch", lambda case=case: named(name)(*case.args, **case.kwargs))
        if isinstance(wanted, Exception):
            continue
        assert not isinstance(found, Exception), found
        check.check_close(found, wanted, max(case.tolerance, HALVES.get(name, 1e-5)), f"{name} on torch")


def gradients(which, function, args, kwargs):
    before, backend = backends.name(), backends.load(which)
    places = [i for i, x in enumerate(args) if isinstance(x, np.ndarray) and x.dtype == np.float32]

    def loss(values):
        filled = list(args)
        for i, value in zip(places, values, strict=True):
            filled[i] = value
        total = backends.array(0.0)
        for out in tree.flatten(function(*filled, **kwargs)):
            if hasattr(out, "dtype") and "float" in backends.kind(out):
                weights = np.cos(np.arange(np.prod(out.shape, dtype=int))).reshape(tuple(out.shape)).astype("float32")
                total = ops.add(ops.sum(ops.multiply(ops.cast(out, "float32"), weights)), total)
        return total, ()

    try:
        return [backend.numpy(g) for g in backend.value_and_grad(loss, [backends.array(args[i]) for i in places])[1]]
    finally:
        backends.load(before)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(name for name, found in EVERYWHERE.items() if name not in FREE and any(case.gradient for case in found)))
def test_gradients_are_those_of_numpy(name):
    for case in EVERYWHERE[name]:
        if case.gradient:
            found, wanted = (gradients(which, named(name), case.args, case.kwargs) for which in ("torch", "numpy"))
            for one, other in zip(found, wanted, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4, err_msg=name)


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


def test_training_is_that_of_jax():
    """The same first weights, the same losses step by step."""
    x = np.random.default_rng(0).random((96, 6, 6, 1), "float32")
    y = (x.mean((1, 2, 3)) > 0.5).astype("int32")
    histories = []
    for which in "torch", "jax":
        backends.load(which)
        keras.utils.set_random_seed(1)
        model = keras.Sequential(
            [
                keras.Input((6, 6, 1)),
                layers.Conv2D(4, 3, activation="relu"),
                layers.BatchNormalization(),
                layers.MaxPooling2D(2),
                layers.Flatten(),
                layers.Dense(2, activation="softmax"),
            ]
        )
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        histories.append(model.fit(x, y, batch_size=32, epochs=4, verbose=0).history)
    for name, values in histories[0].items():
        np.testing.assert_allclose(values, histories[1][name], rtol=1e-4, err_msg=name)


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
