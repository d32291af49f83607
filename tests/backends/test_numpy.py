"""The NumPy backend: each primitive against NumPy, JAX or SciPy, each rule against finite differences and JAX's gradient."""

import jax
import ml_dtypes
import numpy as np
import pytest

from cornu import backends, ops
from cornu.backends import numpy_windows, protocol
from cornu.backends.numpy_tape import RULES, STILL, VALUES, Traced, lifted
from cornu.shapes import UNKNOWN, Spec

in_use = backends.name()
b, j = backends.load("numpy"), backends.load("jax")
backends.load(in_use)


@pytest.fixture(autouse=True)
def numpy_in_use():
    """Gradients of gradients use the operators of tensors, which run on the backend in use."""
    before = backends.name()
    backends.load("numpy")
    yield
    backends.load(before)


RANDOM = np.random.default_rng(7)


def normal(*shape):
    return RANDOM.normal(size=shape)


def between(low, high):
    return lambda *shape: RANDOM.uniform(low, high, size=shape)


def definite(*shape):
    x = normal(*shape)
    return x @ np.swapaxes(x, -1, -2) + 3 * np.eye(shape[-1])


def regular(*shape):
    return normal(*shape) + 3 * np.eye(*shape[-2:])


# what each unary primitive is tried on, where that is not the normal distribution
DOMAIN = dict.fromkeys("log log2 log10 sqrt rsqrt lgamma digamma".split(), between(0.2, 6)) | dict.fromkeys(
    "arcsin arccos arctanh erfinv".split(), between(-0.9, 0.9)
)
DOMAIN |= {"log1p": between(-0.8, 3), "arccosh": between(1.1, 4), "arccos": between(-0.9, 0.9)}
REFERENCE = {"rsqrt": lambda x: 1 / np.sqrt(x), "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "round": np.round}


def special(name):
    from scipy import special as s  # the tests' reference, no dependency of the package

    return {"erf": s.erf, "erfinv": s.erfinv, "lgamma": s.gammaln, "digamma": s.digamma}[name]


def same_type(got, like):
    assert type(got) is np.ndarray
    assert got.dtype == like.dtype


FLOAT_UNARY = [name for name in protocol.UNARY if name not in ("bitwise_not", "real", "imag", "conj", "logical_not")]


@pytest.mark.parametrize("name", FLOAT_UNARY)
@pytest.mark.parametrize("shape", [(), (0, 3), (4, 5)], ids=str)
def test_unary(name, shape):
    x = np.asarray(DOMAIN.get(name, normal)(*shape))
    wanted = (REFERENCE.get(name) or getattr(np, name, None) or special(name))(x)
    for dtype, tolerance in (("float64", 1e-13), ("float32", 3e-6), ("float16", 4e-2), (ml_dtypes.bfloat16, 0.2)):
        got = getattr(b, name)(x.astype(dtype))
        assert type(got) is np.ndarray
        assert got.dtype == (bool if name in protocol.PREDICATES else dtype)
        if name not in ("floor", "ceil", "round", "trunc") or dtype == "float64":
            np.testing.assert_allclose(got.astype("float64"), wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", protocol.BINARY)
def test_binary(name):
    types = (
        ["int32", "uint8"]
        if "bit" in name or "shift" in name
        else ["bool"]
        if name.startswith("logical")
        else ["float32", "float64", "float16", ml_dtypes.bfloat16]
    )
    for dtype in types:
        x, y = (between(1, 6)(*shape).astype(dtype) for shape in ((3, 1, 4), (5, 1)))
        got, wanted = getattr(b, name)(x, y), getattr(np, name)(x, y)
        same_type(got, wanted)
        np.testing.assert_array_equal(got, wanted)
        if not name.startswith("logical"):
            for left, right in ((x, 2), (2, x)):  # a Python number takes the type of the array
                got = getattr(b, name)(left, right)
                assert got.dtype == (bool if name in protocol.PREDICATES else dtype), name
                wanted = getattr(np, name)(np.asarray(left, dtype), np.asarray(right, dtype))
                np.testing.assert_allclose(got.astype("float64"), wanted.astype("float64"), rtol=1e-6)


@pytest.mark.parametrize("name", ["erf", "erfinv", "lgamma", "digamma"])
def test_special_functions(name):
    x = between(-0.99999, 0.99999)(20000) if name == "erfinv" else np.concatenate([normal(20000) * 4 + 0.001, [1e-3, 40.5, 1e5]])
    wanted = special(name)(x)
    got = getattr(b, name)(x)
    near_poles = {"digamma": (1e-11, 1e-9), "lgamma": (2e-14, 5e-13)}  # SciPy rounds the distance to a pole
    relative, absolute = near_poles.get(name, (2e-14, 1e-15))
    np.testing.assert_allclose(got, wanted, rtol=relative, atol=absolute)
    single = x.astype("float32")
    np.testing.assert_allclose(getattr(b, name)(single), special(name)(single.astype("float64")), rtol=5e-7, atol=3e-7)


def test_special_values():
    inf, nan = np.inf, np.nan
    np.testing.assert_array_equal(b.erf(np.array([nan, inf, -inf, 0.0])), [nan, 1, -1, 0])
    np.testing.assert_array_equal(b.erf(np.array([nan, inf, -inf, 0], "float32")), [nan, 1, -1, 0])
    np.testing.assert_array_equal(b.erfinv(np.array([1.0, -1, 2, 0, nan])), [inf, -inf, nan, 0, nan])
    np.testing.assert_array_equal(b.lgamma(np.array([0.0, -1, inf, -inf, nan])), [inf, inf, inf, inf, nan])
    np.testing.assert_array_equal(b.log(np.array([0.0, -1.0])), [-inf, nan])  # without a warning, which would be an error here
    np.testing.assert_array_equal(b.divide(np.array([1.0, 0.0]), np.array(0.0)), [inf, nan])
    assert np.isnan(b.digamma(np.array(-2.0)))
    np.testing.assert_allclose(lifted.trigamma(np.array([1.0, 0.5, -0.5])), [np.pi**2 / 6, np.pi**2 / 2, np.pi**2 / 2 + 4])


# Primitives with a form of their own: (name, function of a backend and arrays, the arrays). All are compared with JAX, value and gradient,
# and with finite differences, gradients of gradients included.

INDEX = np.array([[0, 2, 1], [3, 3, -1]])
PLACES = np.array([[0, 1], [2, 2], [0, 1]])
CONVS = [  # space, window, strides, padding, dilation, groups, channels, filters
    ((6,), (3,), (1,), ((0, 0),), (1,), 1, 2, 3),
    ((9,), (2,), (3,), ((2, 1),), (2,), 1, 2, 3),
    ((5, 6), (3, 2), (2, 1), ((1, 1), (0, 2)), (1, 2), 1, 2, 4),
    ((5, 6), (3, 3), (1, 2), ((1, 1), (1, 1)), (1, 1), 2, 4, 6),
    ((6, 5), (3, 2), (2, 1), ((1, 0), (3, 3)), (2, 1), 3, 3, 6),
    ((4, 4), (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), 1, 3, 2),
    ((3, 4, 5), (2, 2, 3), (1, 2, 2), ((0, 1), (1, 1), (1, 1)), (1, 2, 1), 1, 2, 2),
    ((3, 3), (5, 5), (1, 1), ((1, 1), (1, 1)), (1, 1), 1, 2, 2),
    ((3, 3), (4, 4), (2, 2), ((0, 0), (0, 0)), (1, 1), 1, 2, 2),  # no window fits
]
POOLS = [  # shape, size, strides, padding
    ((2, 7, 3), (3,), (2,), ((1, 1),)),
    ((2, 6, 5, 2), (2, 2), (2, 2), ((0, 0), (0, 1))),
    ((1, 5, 6, 2), (3, 2), (1, 3), ((1, 1), (1, 0))),
    ((1, 4, 4, 4, 2), (2, 2, 3), (2, 1, 1), ((0, 0), (1, 0), (1, 1))),
]
CASES = [
    ("where", lambda b, x, y: b.where(np.array([[True], [False]]), x, y), [normal(2, 3), normal(3)]),
    ("where scalar", lambda b, x: b.where(np.array([True, False]), x, 0.0), [normal(3, 2)]),
    ("full", lambda b, x: b.full((2, 3), x, x.dtype), [normal()]),
    ("power", lambda b, x, y: b.power(x, y), [between(0.3, 3)(3, 1), normal(4)]),
    ("power scalar", lambda b, x: b.power(x, 3), [normal(4)]),
    ("power of scalar", lambda b, x: b.power(2.5, x), [normal(4)]),
    ("power zero", lambda b, x: b.power(x, 0), [normal(4)]),
    ("divide scalar", lambda b, x: b.divide(2.0, x), [between(1, 2)(4)]),
    ("maximum ties", lambda b, x: b.maximum(x, b.multiply(x, 1)), [normal(4)]),
    ("minimum scalar", lambda b, x: b.minimum(x, 0.1), [normal(4)]),
    *((name, lambda b, x, y, name=name: getattr(b, name)(x, y), [normal(3, 1, 2), between(0.5, 2)(4, 2)]) for name in "add subtract multiply divide mod maximum minimum arctan2".split()),
    ("empty", lambda b, x, y: b.multiply(x, y), [normal(0, 3), normal(1, 3)]),
    *((f"{name} {axes} {keep}", lambda b, x, name=name, axes=axes, keep=keep: getattr(b, name)(x, axes, keep), [normal(2, 3, 4)]) for name in ("sum", "prod", "max", "min") for axes, keep in (((0, 2), False), ((1,), True), ((0, 1, 2), False), ((), False))),
    ("sum empty", lambda b, x: b.sum(x, (0,), False), [normal(0, 3)]),
    ("prod of a zero", lambda b, x: b.prod(b.multiply(x, np.array([1, 0, 2], x.dtype)), (1,), False), [normal(2, 3)]),
    ("max ties", lambda b, x: b.max(b.concatenate([x, x], 0), (0,), False), [normal(2, 3)]),
    ("cumsum", lambda b, x: b.cumsum(x, 1), [normal(2, 4, 3)]),
    ("cumprod", lambda b, x: b.cumprod(x, 1), [normal(2, 4, 3)]),
    ("cumprod of a zero", lambda b, x: b.cumprod(b.multiply(x, np.array([1, 0, 2], x.dtype)), 1), [normal(2, 3)]),
    ("sort", lambda b, x: b.sort(x, 0), [normal(5, 3)]),
    ("top_k", lambda b, x: b.top_k(x, 2)[0], [normal(2, 3, 5)]),
    ("reshape", lambda b, x: b.reshape(x, (-1, 2)), [normal(3, 4)]),
    ("transpose", lambda b, x: b.transpose(x, (2, 0, 1)), [normal(2, 3, 4)]),
    ("broadcast_to", lambda b, x: b.broadcast_to(x, (4, 2, 3)), [normal(2, 1)]),
    ("pad", lambda b, x: b.pad(x, [(1, 2), (0, 1)], 3.0), [normal(2, 3)]),
    ("pad negative", lambda b, x: b.pad(x, [(-1, 2), (0, -1)], 3.0), [normal(3, 3)]),
    ("dilate", lambda b, x: b.dilate(x, (2, 1, 3)), [normal(2, 2, 3)]),
    ("slice", lambda b, x: b.slice(x, (1, 0), (None, -1), (2, 1)), [normal(5, 4)]),
    ("flip", lambda b, x: b.flip(x, (0, 2)), [normal(2, 3, 2)]),
    ("concatenate", lambda b, x, y: b.concatenate([x, y, x], 1), [normal(2, 3), normal(2, 1)]),
    ("take", lambda b, x: b.take(x, INDEX, 1), [normal(2, 4, 3)]),
    ("take nothing", lambda b, x: b.take(x, np.zeros((0,), int), 0), [normal(4, 3)]),
    ("take_along_axis", lambda b, x: b.take_along_axis(x, np.array([[0, 1, 1]]), 1), [normal(3, 2)]),
    ("getitem", lambda b, x: b.getitem(x, (slice(None, None, -1), None, 1, ...)), [normal(3, 2, 2)]),
    ("getitem array", lambda b, x: b.getitem(x, (np.array([0, 2, 2]), slice(1, 3))), [normal(3, 4)]),
    ("getitem arrays", lambda b, x: b.getitem(x, (INDEX, 1, INDEX)), [normal(4, 2, 4)]),
    *((f"scatter {mode}", lambda b, x, u, mode=mode: b.scatter(x, PLACES, u, mode), [normal(3, 3, 2), normal(3, 2)]) for mode in ("update", "add", "maximum", "minimum", "multiply")),
    ("scatter rows", lambda b, x, u: b.scatter(x, np.array([[[1]], [[0]]]), u, "add"), [normal(3, 2), normal(2, 1, 2)]),
    ("dynamic_slice", lambda b, x: b.dynamic_slice(x, [np.array(3), np.array(1)], (2, 2)), [normal(4, 3)]),
    ("dynamic_update_slice", lambda b, x, y: b.dynamic_update_slice(x, y, [np.array(-2), np.array(1)]), [normal(4, 3), normal(2, 2)]),
    ("matmul", lambda b, x, y: b.matmul(x, y), [normal(3, 4), normal(4, 2)]),
    ("matmul kernel", lambda b, x, y: b.matmul(x, y), [normal(2, 5, 3, 4), normal(4, 2)]),
    ("matmul batch", lambda b, x, y: b.matmul(x, y), [normal(5, 1, 3, 4), normal(2, 4, 2)]),
    ("matmul left", lambda b, x, y: b.matmul(x, y), [normal(3, 4), normal(2, 4, 2)]),
    ("matmul empty", lambda b, x, y: b.matmul(x, y), [normal(0, 4), normal(4, 2)]),
    *((f"einsum {e}", lambda b, *xs, e=e: b.einsum(e, list(xs)), [normal(*shape) for shape in shapes]) for e, shapes in {
        "bqhd,bkhd->bhqk": [(2, 3, 2, 4), (2, 5, 2, 4)],
        "ij,jk->ki": [(2, 3), (3, 4)],
        "ab,cd->dbca": [(2, 3), (2, 2)],
        "abc,c->b": [(2, 3, 4), (4,)],
        "ii->i": [(3, 3)],
        "iji->j": [(3, 2, 3)],
        "iij,jk->ki": [(2, 2, 3), (3, 2)],
        "abc->ca": [(2, 3, 4)],
        "ab,bc,cd->ad": [(2, 3), (3, 4), (4, 2)],
    }.items()),
    *((f"conv {i}", lambda b, x, k, a=a: b.conv(x, k, a[2], a[3], a[4], a[5]), [normal(2, *a[0], a[6]), normal(*a[1], a[6] // a[5], a[7])]) for i, a in enumerate(CONVS)),
    *((f"max_pool {i}", lambda b, x, a=a: b.max_pool(x, *a[1:]), [normal(*a[0])]) for i, a in enumerate(POOLS)),
    *((f"sum_pool {i}", lambda b, x, a=a: b.sum_pool(x, *a[1:]), [normal(*a[0])]) for i, a in enumerate(POOLS)),
    ("cholesky", lambda b, x: b.cholesky(x), [definite(2, 3, 3)]),
    ("qr tall", lambda b, x: b.qr(x, False), [normal(2, 4, 3)]),
    ("qr wide", lambda b, x: b.qr(x, False), [normal(3, 4)]),
    *((f"lu {shape}", lambda b, x: b.lu(x)[0], [normal(*shape)]) for shape in ((2, 3, 3), (4, 2), (2, 4))),
    ("eig values", lambda b, x: (b.real(b.eig(x)[0]), b.imag(b.square(b.eig(x)[0]))), [regular(3, 3)]),
    ("eig vectors", lambda b, x: b.square(b.abs(b.eig(x)[1])), [regular(2, 3, 3)]),
    ("svd values", lambda b, x: b.svd(x, False, False), [normal(2, 4, 3)]),
    *((f"svd {shape}", lambda b, x: b.svd(x, False, True), [normal(*shape)]) for shape in ((3, 3), (4, 2), (2, 3))),
    ("eigh", lambda b, x: b.eigh(x), [definite(2, 3, 3)]),
    ("solve", lambda b, x, y: b.solve(x, y), [regular(2, 3, 3), normal(2, 3, 2)]),
    *((f"triangular {low}", lambda b, x, y, low=low: b.triangular_solve(x, y, low), [regular(3, 3), normal(3, 2)]) for low in (True, False)),
    ("inv", lambda b, x: b.inv(x), [regular(2, 3, 3)]),
    ("det", lambda b, x: b.det(x), [regular(2, 3, 3)]),
    ("det singular", lambda b, x: b.det(b.multiply(x, np.array([[1], [0], [1]], x.dtype))), [regular(3, 3)]),
    *((f"{part} {name}", lambda b, x, y, name=name, part=part: getattr(b, part)(getattr(b, name)(complex_of(b, x, y))), [normal(2, 4), normal(2, 4)]) for name in ("fft", "ifft", "exp", "sin", "square", "conj") for part in ("real", "imag", "abs")),
    ("complex product", lambda b, x, y: b.real(b.matmul(complex_of(b, x, y), complex_of(b, y, x))), [normal(3, 3), normal(3, 3)]),
    ("cond", lambda b, x: b.cond(np.array(True), lambda: b.sin(x), lambda: b.cos(x)), [normal(3)]),
    ("scan", lambda b, x, w: b.scan(lambda s, v: (b.tanh(b.add(b.matmul(s, w), v)), b.multiply(s, v)), x, b.reshape(b.concatenate([x, x, x], 0), (3, *x.shape)), 3, False), [normal(2, 3), normal(3, 3)]),
    ("vectorize", lambda b, x, y: b.vectorize(lambda p, q: b.matmul(p, q), (0, None))(x, y), [normal(3, 2, 4), normal(4, 2)]),
    ("stop_gradient", lambda b, x: b.multiply(x, b.stop_gradient(x)), [normal(3)]),
    ("jvp", lambda b, x, y: b.jvp(lambda v: b.sin(b.multiply(v, v)), (x,), (y,), False), [normal(3), normal(3)]),
    ("remat", lambda b, x: b.remat(lambda v: b.sin(v), (x,)), [normal(3)]),
]  # fmt: skip
CASES += [(name, lambda b, x, name=name: getattr(b, name)(x), [np.asarray(DOMAIN.get(name, normal)(2, 3))]) for name in FLOAT_UNARY if name not in STILL]


def complex_of(b, x, y):
    kind = "complex128" if str(x.dtype) == "float64" else "complex64"
    return b.add(b.cast(x, kind), b.multiply(b.cast(y, kind), 1j))


def total(b, out, weights):
    """A scalar of all outputs, each place weighted."""
    outs = [out] if not isinstance(out, tuple) else list(out)
    while any(isinstance(x, tuple) for x in outs):
        outs = [y for x in outs for y in (x if isinstance(x, tuple) else (x,))]
    parts = [b.sum(b.multiply(x, np.asarray(weights[: np.prod(x.shape, dtype=int)].reshape(x.shape), x.dtype)), tuple(range(x.ndim)), False) for x in outs]
    found = parts[0]
    for part in parts[1:]:
        found = b.add(found, part)
    return found


def weighted(b, function):
    def loss(arrays):
        out = function(b, *arrays)
        return total(b, out, WEIGHTS), out

    return loss


WEIGHTS = RANDOM.normal(size=2000)
NO_GRADIENT_IN_JAX = ("scatter maximum", "scatter minimum", "scatter multiply", "qr wide")


@pytest.mark.parametrize(("name", "function", "arrays"), CASES, ids=[case[0] for case in CASES])
def test_gradient(name, function, arrays):
    loss = weighted(b, function)
    _, gradients = b.value_and_grad(loss, arrays)
    for gradient, x in zip(gradients, arrays, strict=True):
        assert type(gradient) is np.ndarray and gradient.shape == x.shape and gradient.dtype == x.dtype
    by_differences(lambda arrays: loss(arrays)[0], arrays, gradients if name != "stop_gradient" else [2 * g for g in gradients])


@pytest.fixture(scope="module")
def by_jax():
    """Values and gradients of all cases by JAX, from one program compiled without optimization: hundreds of small ones take a minute."""

    def run(inputs):
        found = {}
        for name, function, _ in CASES:
            if name in NO_GRADIENT_IN_JAX:
                found[name] = function(j, *inputs[name]), None
            else:
                (_, out), gradients = j.value_and_grad(weighted(j, function), inputs[name])
                found[name] = out, gradients
        return found

    inputs = {name: [x.astype("float32") for x in arrays] for name, _, arrays in CASES}
    return jax.jit(run, compiler_options={"xla_backend_optimization_level": 0})(inputs)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "function", "arrays"), CASES, ids=[case[0] for case in CASES])
def test_same_as_jax(name, function, arrays, by_jax):
    arrays = [x.astype("float32") for x in arrays]
    (_, out), gradients = b.value_and_grad(weighted(b, function), arrays)
    wanted, others = by_jax[name]
    for one, other in zip(leaves(out), leaves(wanted), strict=True):
        assert type(one) is np.ndarray and one.dtype == other.dtype and one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-4)
    for one, other in zip(gradients, others or (), strict=bool(others)):
        assert type(one) is np.ndarray and one.dtype == "float32"
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-3)


def leaves(out):
    return [leaf for x in out for leaf in leaves(x)] if isinstance(out, tuple) else [out]


def by_differences(scalar, arrays, gradients, step=1e-5):
    """Each gradient against the central difference along a random direction."""
    for i, x in enumerate(arrays):
        direction = np.random.default_rng(3).normal(size=x.shape)
        ahead, behind = ([v + sign * step * direction if k == i else v for k, v in enumerate(arrays)] for sign in (1, -1))
        np.testing.assert_allclose(np.sum(gradients[i] * direction), (scalar(ahead) - scalar(behind)) / (2 * step), rtol=1e-5, atol=1e-6)


THIRD = ("digamma",)  # lgamma has two derivatives here
SECOND = [case for case in CASES if case[0] not in (*THIRD, "stop_gradient", "det singular")]


@pytest.mark.parametrize(("name", "function", "arrays"), SECOND, ids=[case[0] for case in SECOND])
def test_gradient_of_gradient(name, function, arrays):
    def first(arrays):
        _, gradients = b.value_and_grad(weighted(b, function), arrays)
        return total(b, tuple(gradients), WEIGHTS), None

    (_, _), gradients = b.value_and_grad(first, arrays)
    by_differences(lambda arrays: first(arrays)[0], arrays, gradients)


def test_every_primitive_is_there_with_a_rule_or_a_reason():
    for name in (*protocol.UNARY, *protocol.BINARY, *protocol.PRIMITIVES, *protocol.PROGRAM):
        assert hasattr(b, name), name
    for name in VALUES:
        assert (name in RULES) != (name in STILL), name
    assert set(RULES) | STILL == set(VALUES)


@pytest.mark.parametrize("dtype", ["float16", ml_dtypes.bfloat16])
@pytest.mark.parametrize(
    ("name", "function", "arrays"),
    [case for case in CASES if case[0].split()[0] not in ("real", "imag", "abs", "complex", "eig")],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_half_types_are_kept(name, function, arrays, dtype):
    arrays = [x.astype(dtype) for x in arrays]
    (value, out), gradients = b.value_and_grad(weighted(b, function), arrays)
    assert all(x.dtype == dtype for x in (value, *gradients, *leaves(out)))


def test_order_and_integers():
    x = RANDOM.integers(0, 4, size=(3, 6)).astype("int32")
    for name in ("argmax", "argmin"):
        got = getattr(b, name)(x, 1, True)
        assert got.dtype == np.int32
        np.testing.assert_array_equal(got, getattr(np, name)(x, 1, keepdims=True))
    np.testing.assert_array_equal(b.argsort(x, 1), j.argsort(j.array(x), 1))
    for got, wanted in zip(b.top_k(x, 4), j.top_k(j.array(x), 4), strict=True):
        assert got.dtype == np.int32
        np.testing.assert_array_equal(got, wanted)
    assert b.top_k(x, 0)[0].shape == (3, 0)
    assert b.sum(x, (0,), False).dtype == b.prod(x, (0,), False).dtype == b.cumsum(x, 0).dtype == np.int32
    assert b.max_pool(x.reshape(1, 3, 6, 1), (2, 2), (1, 1), ((1, 0), (0, 0))).dtype == np.int32
    assert b.iota((2, 3), 1, "int32").tolist() == [[0, 1, 2], [0, 1, 2]]
    assert b.arange(0, 1, 0.25, "float32").dtype == np.float32
    assert bool(b.any(x > 2, (0, 1), False)) is bool((x > 2).any()) and b.all(x > 2, (0,), True).shape == (1, 6)
    assert all(getattr(b, name)(x).dtype == np.int32 for name in ("negative", "abs", "sign", "square", "floor", "ceil", "round", "trunc"))
    assert b.bitwise_not(x).dtype == np.int32 and b.multiply(np.array(4000000000, "uint32"), np.array(3, "uint32")) == 12000000000 % 2**32


def test_casts():
    assert b.cast(np.array([1.5, -2.7]), "int32").tolist() == [1, -2]
    assert b.cast(np.array([0.0, 0.1, np.nan]), "bool").tolist() == [False, True, True]
    assert b.cast(np.array([1 + 2j]), "float32").tolist() == [1.0]  # without a warning
    assert b.cast(np.array([1.5]), "bfloat16").dtype == ml_dtypes.bfloat16
    _, (gradient,) = b.value_and_grad(lambda a: (b.sum(b.cast(a[0], "float16"), (0,), False), None), [np.ones(3)])
    assert gradient.dtype == np.float64 and gradient.tolist() == [1, 1, 1]


def test_max_pool_gives_its_gradient_to_the_first_maximum():
    x = np.zeros((1, 4, 4, 1), "float32")
    _, (gradient,) = b.value_and_grad(lambda a: (b.sum(b.max_pool(a[0], (2, 2), (2, 2), ((0, 0), (0, 0))), (0, 1, 2, 3), False), None), [x])
    assert gradient[0, :, :, 0].tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    _, (gradient,) = b.value_and_grad(lambda a: (b.sum(b.max_pool(a[0], (1, 1), (3, 3), ((1, 1), (1, 1))), (0, 1, 2, 3), False), None), [x - np.inf])
    assert np.isfinite(gradient).all()  # windows of padding alone give nothing to anyone


def test_long_convolutions_go_in_chunks(monkeypatch):
    x, k = normal(5, 6, 6, 4), normal(3, 3, 2, 6)
    arguments = ((2, 1), ((1, 1), (0, 1)), (1, 1), 2)

    def run():
        return b.value_and_grad(lambda a: (lambda y: (total(b, y, WEIGHTS), y))(b.conv(*a, *arguments)), [x, k])

    whole = run()
    monkeypatch.setattr(numpy_windows, "_CHUNK", 500)
    for one, other in zip(leaves((*whole[0], *whole[1])), leaves((lambda r: (*r[0], *r[1]))(run())), strict=True):
        np.testing.assert_allclose(one, other)


def test_value_and_grad_unwraps_everything_and_keeps_structures():
    def loss(state):
        y = b.multiply(state["a"], state["b"][0])
        return b.sum(y, (0,), False), {"y": y, "rest": [state["b"][0], None, "name"], "count": state["n"]}

    state = {"a": np.ones(3, "float32"), "b": (np.full(3, 2.0, "float32"),), "n": np.array(4)}
    (value, aux), gradients = b.value_and_grad(loss, state)
    assert type(value) is np.ndarray and value == 6 and aux["rest"][1:] == [None, "name"]
    assert all(type(x) is np.ndarray for x in (aux["y"], aux["rest"][0], aux["count"]))
    assert gradients["a"].tolist() == [2, 2, 2] and gradients["b"][0].tolist() == [1, 1, 1] and gradients["n"] == 0
    with pytest.raises(ValueError, match="wanted a scalar"):
        b.value_and_grad(lambda a: (a[0], None), [np.ones(3)])
    (_, _), (gradient,) = b.value_and_grad(lambda a: (np.float32(3.0), None), [np.ones(3)])
    assert gradient.tolist() == [0, 0, 0]


def test_traced_values():
    kept = []

    def loss(arrays):
        (x,) = arrays
        kept.append(x)
        assert b.is_array(x) and x.shape == (3,) and x.ndim == 1 and x.size == 3 and len(x) == 3 and b.dtype(x) == "float32"
        assert type(b.numpy(x)) is np.ndarray and [float(item) for item in x] == [1, 2, 3]
        with pytest.raises(TypeError, match="whose gradient is being computed"):
            np.asarray(x)
        assert (np.ones(3, "int32") * x).dtype == np.float32
        return ops.sum(np.ones(3, "float32") * x + 2 * x / 2 - x[::-1] ** 1), None

    _, (gradient,) = b.value_and_grad(loss, [np.array([1, 2, 3], "float32")])
    assert gradient.tolist() == [1, 1, 1]
    assert type(b.sin(kept[0])) is np.ndarray  # after its tape is done, a value like any other
    assert all(isinstance(x, Traced) for x in kept)


@pytest.mark.parametrize("b", [b, j], ids=["numpy", "jax"])
def test_custom_gradient(b):
    def function(x, y):
        return b.multiply(x, y), lambda g: (b.multiply(g, 10.0), b.multiply(g, x))

    def loss(arrays):
        return b.sum(b.custom_gradient(function, tuple(arrays)), (0,), False), None

    arrays = [b.array(np.array([1.0, 2], "float32")), b.array(np.array([3.0, 4], "float32"))]
    _, (gx, gy) = b.value_and_grad(loss, arrays)
    assert gx.tolist() == [10, 10] and gy.tolist() == [1, 2]
    np.testing.assert_array_equal(b.custom_gradient(function, tuple(arrays)), [3, 8])

    def of_gradient(arrays):
        return b.sum(b.value_and_grad(loss, arrays)[1][1], (0,), False), None

    _, (gx, gy) = b.value_and_grad(of_gradient, arrays)
    assert gx.tolist() == [1, 1] and gy.tolist() == [0, 0]


@pytest.mark.parametrize("b", [b, j], ids=["numpy", "jax"])
def test_control_flow(b):
    def ints(*values):
        return b.array(np.array(values, "int32"))

    total, ys = b.scan(lambda s, x: (b.add(s, x["a"]), {"s": s}), ints(0)[0], {"a": ints(1, 2, 3)}, None, True)
    assert int(total) == 6 and ys["s"].tolist() == [5, 3, 0]
    total, ys = b.scan(lambda s, x: (b.add(s, 2), s), ints(0)[0], None, 4, False)
    assert int(total) == 8 and ys.tolist() == [0, 2, 4, 6]
    total, ys = b.scan(lambda s, x: (b.add(s, x), b.multiply(x, 1.5)), b.array(np.float32(1)), b.array(np.zeros((0,), "float32")), None, False)
    assert float(total) == 1 and ys.shape == (0,)
    assert [int(x) for x in b.while_loop(lambda s: b.less(s[0], 10), lambda s: (b.add(s[0], 3), s[1]), (ints(0)[0], ints(7)[0]))] == [12, 7]
    assert b.vectorize(lambda x, y: {"z": b.add(x, y)}, (1, None))(ints(1, 2, 3).reshape(1, 3), ints(10))["z"].tolist() == [[11], [12], [13]]
    state, logs = b.repeat(lambda s, x: (b.add(s, x), {"loss": s}), ints(0)[0], ints(1, 2, 3), 3)
    assert int(state) == 6 and int(logs["loss"]) == 3


@pytest.mark.parametrize("b", [b, j], ids=["numpy", "jax"])
def test_infer(b):
    def function(x, y):
        return {"a": b.matmul(x, y), "b": (b.sum(x, (0,), False), None)}

    found = b.infer(function, [Spec((UNKNOWN, 3), "float32"), Spec((3, 2), "float32")])
    assert repr(found["a"]) == "Spec((None, 2), float32)"
    assert repr(found["b"][0]) == "Spec((3,), float32)"


def test_memory():
    x = np.arange(3.0)
    assert b.array(x) is x and b.array([1, 2], "float32").dtype == np.float32
    assert not np.shares_memory(b.copy(x), x) and b.copy(x).flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        b.numpy(x)[0] = 1
    with b.device_scope("cpu:0"):
        pass
    with pytest.raises(ValueError, match="only 'cpu'"), b.device_scope("gpu:0"):
        pass


def test_index_out_of_range_is_an_error():
    with pytest.raises(IndexError, match="out of bounds"):
        b.take(normal(3, 2), np.array([3]), 0)


def test_compiled_functions_do_not_warn():
    assert b.compile(lambda x: np.log(x))(np.zeros(1)).tolist() == [-np.inf]
