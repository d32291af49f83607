"""One line per op: its values on each backend against a reference, the shape and type that `spec` infers, and its gradient.

    check_op(ops.relu6, inputs=[(2, 3)], reference=lambda x: np.clip(x, 0, 6))

Inputs are shapes (numbers are drawn), arrays, or anything else as it is.
"""

import numpy as np

from cornu import backends, shapes, tree
from cornu.shapes import Spec

BACKENDS = ("jax", "numpy")


def draw(shape, low=-2.0, high=2.0, seed=0, dtype="float32"):
    """Numbers of which no two are equal, so that no maximum is tied, away from whole and half numbers, where ops have their kinks."""
    generator = np.random.default_rng(seed)
    count = max(1, int(np.prod(shape)))
    steps = generator.permutation(count) + 0.5 + generator.uniform(-0.2, 0.2, count)
    values = low + (high - low) * steps[: int(np.prod(shape))] / count
    near = np.round(values * 2) / 2
    return np.where(np.abs(values - near) < 0.02, near + 0.03, values).reshape(shape).astype(dtype)


def on(backend, function):
    """What `function()` gives on the backend of that name, as NumPy arrays."""
    before = backends.name()
    backends.load(backend)
    try:
        return tree.map_structure(lambda x: np.asarray(backends.numpy(x)) if hasattr(x, "dtype") else x, function())
    finally:
        backends.load(before)


def check_op(function, inputs, reference=None, gradient=True, tolerance=1e-5, **kwargs):
    """Assert all that is said above; `gradient` False for what has none."""
    arrays = [draw(x, seed=i) if isinstance(x, tuple) else x for i, x in enumerate(inputs)]
    for backend in BACKENDS:
        found = on(backend, lambda: function(*arrays, **kwargs))
        if reference is not None:
            check_close(found, reference(*arrays), tolerance, f"{function.__name__} on {backend}")
        check_spec(function, arrays, kwargs, backend)
    if gradient:
        check_gradient(function, arrays, kwargs)


def check_close(found, wanted, tolerance=1e-5, message=""):
    found, wanted = tree.flatten(found), tree.flatten(wanted)
    assert len(found) == len(wanted), message
    for x, y in zip(found, wanted, strict=True):
        x, y = np.asarray(x), np.asarray(y)
        assert x.shape == y.shape, f"{message}: the shape is {x.shape}, wanted {y.shape}"
        wide = "complex128" if np.iscomplexobj(x) else "float64"
        np.testing.assert_allclose(x.astype(wide), y.astype(wide), rtol=tolerance, atol=tolerance, err_msg=message)


def _abstract(value, unknown):
    if isinstance(value, np.ndarray):
        return Spec((None, *value.shape[1:]) if unknown and value.ndim else value.shape, backends.canonical(value.dtype.name))
    return value


def check_spec(function, arrays, kwargs, backend, unknown=True):
    """The inferred shapes and types are those of the values; with first sizes unknown (`unknown`: of which arguments) no size is wrong."""
    before = backends.name()
    backends.load(backend)
    try:
        actual = tree.flatten(function(*arrays, **kwargs))
        for open_batch in (False, True) if unknown else (False,):
            opened = lambda place, on=open_batch: on and (unknown is True or place in unknown)
            abstract = lambda value, place: tree.map_structure(lambda x: _abstract(x, opened(place)), value)  # noqa: B023
            found = tree.flatten(function(*(abstract(x, i) for i, x in enumerate(arrays)), **{k: abstract(v, k) for k, v in kwargs.items()}))
            assert len(found) == len(actual), function.__name__
            for spec, value in zip(found, actual, strict=True):
                if not hasattr(value, "dtype"):
                    continue
                message = f"{function.__name__} on {backend}: inferred {spec}, the value has {tuple(value.shape)}, {value.dtype}"
                assert backends.kind(spec) == backends.kind(value), message
                assert len(spec.shape) == len(value.shape), message
                for inferred, size in zip(spec.shape, value.shape, strict=True):
                    assert (open_batch and shapes.unknown(inferred)) or inferred == size, message
    finally:
        backends.load(before)


def check_gradient(function, arrays, kwargs, step=1e-5, tolerance=2e-5, jax=True):
    """The gradient on NumPy in float64 against differences along a few directions, and the one on JAX against that."""
    places = [i for i, x in enumerate(arrays) if isinstance(x, np.ndarray) and x.dtype.kind == "f"]
    wide = [arrays[i].astype("float64") for i in places]
    weights = []

    def loss(values):
        filled = list(arrays)
        for i, value in zip(places, values, strict=True):
            filled[i] = value
        outputs = [x for x in tree.flatten(function(*filled, **kwargs)) if "float" in backends.kind(x)]
        if not weights:
            weights.extend(draw(tuple(x.shape), 0.5, 1.5, seed=9 + i) for i, x in enumerate(outputs))
        total = 0.0
        for x, w in zip(outputs, weights, strict=True):
            total = total + backends.protocol.sum(x * backends.array(w, backends.kind(x)), tuple(range(len(x.shape))), False)
        return total, ()

    def gradients(name, values):
        before = backends.name()
        backend = backends.load(name)
        try:
            return [np.asarray(backend.numpy(g)) for g in backend.value_and_grad(loss, [backends.array(v) for v in values])[1]]
        finally:
            backends.load(before)

    found = gradients("numpy", wide)
    generator = np.random.default_rng(0)
    directions = [[generator.uniform(-1, 1, w.shape) for w in wide] for _ in range(4)]
    by_gradient = [sum(float(np.sum(g * d)) for g, d in zip(found, along, strict=True)) for along in directions]
    move = lambda along, by: [w + by * d for w, d in zip(wide, along, strict=True)]
    ends = on("numpy", lambda: [[float(loss(move(along, by))[0]) for by in (step, -step)] for along in directions])
    by_difference = [(ahead - behind) / (2 * step) for ahead, behind in ends]
    np.testing.assert_allclose(by_gradient, by_difference, rtol=tolerance, atol=tolerance, err_msg=f"gradient of {function.__name__} on numpy")
    if jax:
        for gradient, wanted in zip(gradients("jax", [w.astype("float32") for w in wide]), found, strict=True):
            np.testing.assert_allclose(gradient, wanted, rtol=1e-3, atol=1e-4, err_msg=f"gradient of {function.__name__} on jax")
