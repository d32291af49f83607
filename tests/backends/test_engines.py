"""Each engine beside the NumPy backend: every op's values and gradients, and a training from the same first weights.

Engines that are not installed are left out (`make backends` installs them all); what one lacks stands in tests/gaps/<backend>.txt.
"""

import importlib.util
import operator

import numpy as np
import pytest

import cornu as keras
from cornu import backends, layers, ops, tree
from cornu.backends import protocol
from tests import gaps
from tests.ops import cases, check

ENGINES = [name for name, (module, *_) in backends.BACKENDS.items() if name not in ("numpy", "jax") and importlib.util.find_spec(module)]
EVERYWHERE = {name: found for name, found in cases.everywhere().items() if name not in cases.BY_HAND}
HALVES = {"dot_product_attention": 2e-3}  # float16 is summed in another order
FREE = {"svd", "eigh", "eig"}  # vectors of free sign and phase


def named(name):
    return operator.attrgetter(name)(ops)


def lacks(engine, name, what):
    """Skip where tests/gaps/<engine>.txt says `name what: reason`."""
    reason = gaps.of_backend(engine).get(f"{name} {what}")
    if reason:
        pytest.skip(f"{engine}: {reason}")


def outcome(which, function):
    """What `function()` gives on a backend, or the kind of error where it refuses."""
    try:
        return check.on(which, function)
    except (TypeError, ValueError, IndexError, RuntimeError, np.linalg.LinAlgError) as error:
        return error


@pytest.mark.parametrize("engine", ENGINES)
def test_every_name_of_the_protocol_is_there(engine):
    backend = backends.load(engine)
    names = [*protocol.UNARY, *protocol.BINARY, *protocol.PRIMITIVES, *protocol.PROGRAM]
    assert [name for name in names if not hasattr(backend, name)] == []


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", sorted(set(EVERYWHERE) - FREE))
def test_values_are_those_of_numpy(name, engine):
    lacks(engine, name, "values")
    for case in EVERYWHERE[name]:
        wanted = outcome("numpy", lambda case=case: named(name)(*case.args, **case.kwargs))
        found = outcome(engine, lambda case=case: named(name)(*case.args, **case.kwargs))
        if isinstance(wanted, Exception):
            continue
        assert not isinstance(found, Exception), found
        check.check_close(found, wanted, max(case.tolerance, HALVES.get(name, 1e-5)), f"{name} on {engine}")


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
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", sorted(name for name, found in EVERYWHERE.items() if name not in FREE and any(case.gradient for case in found)))
def test_gradients_are_those_of_numpy(name, engine):
    lacks(engine, name, "gradients")
    for case in EVERYWHERE[name]:
        if case.gradient:
            found, wanted = (gradients(which, named(name), case.args, case.kwargs) for which in (engine, "numpy"))
            for one, other in zip(found, wanted, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("engine", ENGINES)
def test_training_is_that_of_jax(engine):
    """The same first weights, the same losses step by step."""
    x = np.random.default_rng(0).random((96, 6, 6, 1), "float32")
    y = (x.mean((1, 2, 3)) > 0.5).astype("int32")
    histories = []
    for which in engine, "jax":
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
