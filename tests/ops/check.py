"""One line per op: its values on each backend against a reference, the shape and type that `spec` infers, and its gradient.

    check_op(ops.relu6, inputs=[(2, 3)], reference=lambda x: np.clip(x, 0, 6))

Inputs are shapes (numbers are drawn), arrays, or anything else as it is.
"""

import numpy as np

from cornu import backends, shapes, tree
from cornu.backends import protocol as p
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
    check_spec(function, arrays, kwargs)
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


OPENED = {
    "none": lambda shape: shape,
    "first": lambda shape: (None, *shape[1:]),
    "last": lambda shape: (*shape[:-1], None),
    "all": lambda shape: (None,) * len(shape),
}


def _abstract(value, opened):
    if isinstance(value, np.ndarray):
        return Spec(OPENED[opened](value.shape) if value.ndim else (), backends.canonical(value.dtype.name))
    return value


def check_spec(function, arrays, kwargs, backend="numpy", unknown=True):
    """The inferred shapes and types are those of the values; with first, last or all sizes not known (of the arguments `unknown`) no size is wrong.

    Where an op needs a size, it may say so instead: a ValueError that speaks of what is known.
    """
    before = backends.name()
    backends.load(backend)
    try:
        actual = tree.flatten(function(*arrays, **kwargs))
        for opened in OPENED if unknown else ("none",):
            abstract = lambda value, place: tree.map_structure(  # noqa: E731
                lambda x: _abstract(x, opened if unknown is True or (unknown and place in unknown) else "none"),  # noqa: B023
                value,
            )
            try:
                found = tree.flatten(function(*(abstract(x, i) for i, x in enumerate(arrays)), **{k: abstract(v, k) for k, v in kwargs.items()}))
            except ValueError as error:
                if opened in ("none", "first") or "known" not in str(error):
                    raise
                continue
            assert len(found) == len(actual), function.__name__
            for spec, value in zip(found, actual, strict=True):
                if not hasattr(value, "dtype"):
                    continue
                message = f"{function.__name__}: inferred {spec}, the value has {tuple(value.shape)}, {value.dtype}"
                assert backends.kind(spec) == backends.kind(value), message
                assert len(spec.shape) == len(value.shape), message
                for inferred, size in zip(spec.shape, value.shape, strict=True):
                    assert (opened != "none" and shapes.unknown(inferred)) or inferred == size, message
    finally:
        backends.load(before)


def check_traced(function, arrays, kwargs):
    """Inside a compiled program the arrays have no values: shapes and types come out as they are outside."""
    before, backend = backends.name(), backends.load("jax")
    try:
        leaves = tree.flatten((arrays, kwargs))
        places = [i for i, x in enumerate(leaves) if isinstance(x, np.ndarray) and x.dtype.kind in "fc"]
        places = places or [i for i, x in enumerate(leaves) if isinstance(x, np.ndarray)][:1]

        def call(*given):
            filled = list(leaves)
            for i, x in zip(places, given, strict=True):
                filled[i] = x
            args, named = tree.pack_sequence_as((arrays, kwargs), filled)
            return function(*args, **named)

        given = [backend.jax.ShapeDtypeStruct(leaves[i].shape, backends.canonical(leaves[i].dtype.name)) for i in places]
        found = tree.flatten(backend.jax.eval_shape(call, *given))
        inferred = tree.flatten(on("numpy", lambda: function(*arrays, **kwargs)))
        for x, y in zip(found, inferred, strict=True):
            if hasattr(y, "dtype"):
                assert tuple(x.shape) == tuple(y.shape), f"{function.__name__}: compiled {tuple(x.shape)}, outside {tuple(y.shape)}"
    finally:
        backends.load(before)


def check_gradient(function, arrays, kwargs, step=1e-5, tolerance=2e-5, jax=True):
    """The gradient on NumPy in float64 against differences along a few directions, and the one on JAX against that."""
    leaves = tree.flatten(arrays)
    places = [i for i, x in enumerate(leaves) if isinstance(x, np.ndarray) and x.dtype.kind == "f"]
    wide = [leaves[i].astype("float64") for i in places]
    assert wide or not any(isinstance(x, np.ndarray) for x in leaves), f"{function.__name__}: nothing to differentiate by"
    weights = []

    def loss(values):
        filled = list(leaves)
        for i, value in zip(places, values, strict=True):
            filled[i] = value
        outputs = [x for x in tree.flatten(function(*tree.pack_sequence_as(arrays, filled), **kwargs)) if hasattr(x, "dtype")]
        outputs = [part for x in outputs for part in ((p.real(x), p.imag(x)) if "complex" in backends.kind(x) else (x,)) if "float" in backends.kind(part)]
        if not weights:
            weights.extend(draw(tuple(x.shape), 0.5, 1.5, seed=9 + i) for i, x in enumerate(outputs))
        total = 0.0
        for x, w in zip(outputs, weights, strict=True):
            total = total + p.sum(x * backends.array(w, backends.kind(x)), tuple(range(len(x.shape))), False)
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
