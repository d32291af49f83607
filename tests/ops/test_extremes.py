"""Large numbers, half precision, signs of integer division, no elements at all: what mathematics says (SciPy in float64), on both backends."""

import numpy as np
import pytest
import scipy.special

from cornu import backends, ops
from tests.ops.check import BACKENDS, on

LARGE = np.array([-1e30, -1e4, -90.0, -20.0, -1.0, 0.0, 1.0, 20.0, 90.0, 1e4, 1e30])
HALF = np.array([-6e4, -1e4, -90.0, -12.0, -1.0, 0.0, 1.0, 12.0, 90.0, 1e4, 6e4])
FUNCTIONS = {
    "sigmoid": scipy.special.expit,
    "softplus": lambda x: np.logaddexp(x, 0),
    "log_sigmoid": scipy.special.log_expit,
    "silu": lambda x: x * scipy.special.expit(x),
    "tanh": np.tanh,
    "erf": scipy.special.erf,
    "softsign": lambda x: x / (1 + np.abs(x)),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0))),
    "celu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "softmax": scipy.special.softmax,
    "log_softmax": scipy.special.log_softmax,
    "logsumexp": scipy.special.logsumexp,
    "gelu": lambda x: x * scipy.special.ndtr(x),
}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_large_numbers(name, dtype):
    x = backends.load("numpy").array(HALF if dtype == "float16" else LARGE, dtype)
    arguments = {"approximate": False} if name == "gelu" else {}
    with np.errstate(over="ignore"):
        wanted = np.asarray(FUNCTIONS[name](np.asarray(x).astype("float64"))).astype(x.dtype).astype("float64")
    tolerance = {"float16": 3e-3, "bfloat16": 3e-2, "float32": 3e-6}[dtype]
    for backend in BACKENDS:
        found = on(backend, lambda: getattr(ops, name)(backends.array(np.asarray(x)), **arguments))
        assert found.dtype == x.dtype
        np.testing.assert_allclose(found.astype("float64"), wanted, rtol=tolerance, atol=tolerance / 10, err_msg=f"{name} on {backend}")


@pytest.mark.parametrize(
    "name", [*(n for n in FUNCTIONS if n not in ("erf", "tanh")), "layer_normalization", "rms_normalization", "sqrt", "norm", "normalize", "std"]
)
def test_gradients_of_large_numbers_are_finite(name, backend):
    function = getattr(ops, name)
    for dtype, values in (("float32", LARGE / 1e12), ("float16", HALF)):
        x = np.abs(values) + 1 if name == "sqrt" else values
        value, gradients = backend.value_and_grad(lambda xs: (ops.sum(ops.cast(function(xs[0]), "float32")), ()), [backends.array(x.astype(dtype))])
        assert np.isfinite(np.asarray(backends.numpy(gradients[0]), "float64")).all(), (name, dtype)


@pytest.mark.parametrize(
    "name", ["abs", "sqrt", "norm", "normalize", "relu", "max", "sort", "cumprod", "prod", "softmax", "hypot", "maximum", "divide_no_nan", "std"]
)
def test_gradients_at_zero_and_at_ties(name, backend):
    """Finite at 0 and where two are equal; sqrt is infinite at 0, as its slope is, and std and norm of zeros, which are roots, are not numbers."""
    function = getattr(ops, name)
    inputs = [backends.array(np.zeros(3, "float32"))] * (2 if name in ("hypot", "maximum", "divide_no_nan") else 1)
    _, gradients = backend.value_and_grad(lambda xs: (ops.sum(function(*xs)), ()), inputs)
    for gradient in gradients:
        finite = np.isfinite(np.asarray(backends.numpy(gradient))).all()
        assert finite != (name in ("sqrt", "norm", "std")), (name, gradient)


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_crossentropies_of_sure_predictions(dtype, from_logits, backend):
    sure = np.array([[3e4, -3e4, 0.0], [-3e4, 3e4, 0.0]] if from_logits else [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], dtype)
    one_hot, classes = np.eye(3, dtype=dtype)[[0, 2]], np.array([0, 2])
    for found in (
        ops.categorical_crossentropy(one_hot, sure, from_logits),
        ops.sparse_categorical_crossentropy(classes, sure, from_logits),
        ops.binary_crossentropy(one_hot, sure, from_logits),
    ):
        found = np.asarray(backends.numpy(found))
        assert found.dtype == dtype and np.isfinite(found).all() and (found >= -1e-6).all()
    found = np.asarray(backends.numpy(ops.categorical_crossentropy(one_hot, sure, from_logits)), "float64")
    wanted = [0, 3e4] if from_logits else [0, -np.log(1e-7)]
    np.testing.assert_allclose(found, wanted, rtol=1e-2, atol=2e-3)


@pytest.mark.parametrize("name", ["layer_normalization", "rms_normalization", "normalize", "var", "std", "mean", "moments"])
def test_normalizations_in_half_precision(name, backend):
    """Sums of squares beyond what float16 holds: the result is that of float64, rounded."""
    x = np.linspace(-300, 500, 64).astype("float16")
    found = ops.std(x) if name == "std" else getattr(ops, name)(x, **({"axes": 0} if name == "moments" else {}))
    exact = getattr(ops, name)(x.astype("float64" if backend.WIDE else "float32"), **({"axes": 0} if name == "moments" else {}))
    for part, wanted in zip(*((y if isinstance(y, tuple) else (y,)) for y in (found, exact)), strict=True):
        wanted = np.asarray(backends.numpy(wanted)).astype("float64")
        if np.abs(wanted).max() < 6e4:
            np.testing.assert_allclose(np.asarray(backends.numpy(part)).astype("float64"), wanted, rtol=2e-3, atol=1e-3, err_msg=name)


def test_integer_division_rounds_down_and_keeps_the_divisors_sign(backend):
    x, y = np.array([7, -7, 7, -7, 0], "int32"), np.array([3, 3, -3, -3, 5], "int32")
    read = lambda found: np.asarray(backends.numpy(found)).tolist()
    assert read(ops.floor_divide(x, y)) == [a // b for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    assert read(ops.mod(x, y)) == [a % b for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    assert read(ops.fmod(x, y)) == [int(np.fmod(a, b)) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(read(ops.divide(x, y)), x / y, rtol=1e-6)


def test_limits_that_a_type_cannot_hold(backend):
    x = np.array([0, 3, 200], "uint8")
    assert np.asarray(backends.numpy(ops.clip(x, -1, 1))).tolist() == [0, 1, 1]
    assert np.asarray(backends.numpy(ops.clip(x, 2, 1000))).tolist() == [2, 3, 200]
    assert np.asarray(backends.numpy(ops.hard_tanh(x))).tolist() == [0, 1, 1]


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 4)])
def test_no_elements(shape, backend):
    x = np.zeros(shape, "float32")
    read = lambda found: np.asarray(backends.numpy(found))
    for name in ("relu", "exp", "softplus", "gelu", "sort", "argsort", "flip", "round", "isnan", "nan_to_num"):
        assert read(getattr(ops, name)(x)).shape == shape, name
    for name in ("add", "maximum", "divide", "equal", "where"):
        arguments = (x > 0, x, x) if name == "where" else (x, x)
        assert read(getattr(ops, name)(*arguments)).shape == shape, name
    assert read(ops.sum(x)) == 0 and read(ops.prod(x)) == 1 and not read(ops.any(x)) and read(ops.all(x)) and np.isnan(read(ops.mean(x)))
    for name in ("max", "min"):
        with pytest.raises(ValueError, match=f"{name}: there is no element"):
            getattr(ops, name)(x)
        assert read(getattr(ops, name)(x, initial=2.0)) == 2
    assert read(ops.concatenate([x, x], -1)).shape == (*shape[:-1], 2 * shape[-1])
    assert read(ops.matmul(np.zeros((2, 0), "float32"), np.zeros((0, 3), "float32"))).tolist() == [[0.0] * 3] * 2
    assert read(ops.reshape(x, (0, 5))).shape == (0, 5)


def test_tensors_without_axes(backend):
    x = np.float32(2.5)
    read = lambda found: np.asarray(backends.numpy(found))
    for name in ("exp", "relu", "sum", "mean", "max", "cumsum", "sort", "argmax", "logsumexp", "squeeze", "ravel", "flip", "transpose"):
        arguments = {"axis": None} if name in ("sort", "cumsum") else {}
        assert read(getattr(ops, name)(x, **arguments)).size == 1, name
    assert read(ops.add(x, 1)).shape == () and read(ops.expand_dims(x, 0)).shape == (1,) and read(ops.stack([x, x])).shape == (2,)
    with pytest.raises(ValueError, match="concatenate"):
        ops.concatenate([x, x])


@pytest.mark.parametrize("call", [lambda x: ops.nonzero(x), lambda x: ops.where(x), lambda x: ops.bincount(x), lambda x: ops.unique(x)])
def test_sizes_that_depend_on_values_are_refused_in_compiled_use(call):
    """The message says why, and what to do."""
    backend = backends.load("jax")
    with pytest.raises(TypeError, match=r"(nonzero|bincount|unique): the size of the result depends on the values.*compiled"):
        backend.compile(call)(backends.array(np.array([1, 2, 2], "int32")))
