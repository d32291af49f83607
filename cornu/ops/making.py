"""Tensors from other things: numbers, lists, arrays, other types; tensors of ones, zeros and counting numbers."""

import math

import numpy as np

from cornu import backends, dtypes, shapes
from cornu.backends import array as tensor
from cornu.backends import canonical, kind
from cornu.backends import protocol as p
from cornu.ops.dispatch import OPS, op
from cornu.symbolic import KerasTensor


def _type(dtype):
    return canonical(dtypes.standardize(dtype))


@op
def cast(x, dtype):
    """Convert to the type `dtype`; floats lose their fraction when they become integers, complex numbers their imaginary part; anything but 0 is True.

    >>> ops.cast([1.7, 0.0], "int32").tolist()
    [1, 0]
    """
    dtype, given = _type(dtype), kind(x)
    if given in dtypes.COMPLEX and dtype not in dtypes.COMPLEX and dtype != "bool":
        x = p.real(x)
    return x if given == dtype else p.cast(x, dtype)


@op
def saturate_cast(x, dtype):
    """Convert to the type `dtype`, with what it cannot hold set to the nearest that it can.

    >>> ops.saturate_cast([-3.0, 300.0], "uint8").tolist()
    [0, 255]
    """
    dtype, given = _type(dtype), kind(x)
    if dtype == given or dtype == "bool" or given == "bool":
        return cast(x, dtype)
    low, high = _limits(dtype)
    least, most = _limits(given)
    if dtypes.is_float(given) and dtypes.is_integer(dtype) and high > 2**24:  # the limit itself may not exist as a float
        high = int(np.nextafter(np.dtype(given).type(high), 0)) if given in ("float32", "float64") else high
    if low > least:
        x = p.maximum(x, tensor(low, given))
    if high < most:
        x = p.minimum(x, tensor(high, given))
    return cast(x, dtype)


def _limits(dtype):
    if dtypes.is_integer(dtype):
        info = np.iinfo(dtype)
        return int(info.min), int(info.max)
    if dtype in ("float16", "float32", "float64"):
        return float(np.finfo(dtype).min), float(np.finfo(dtype).max)
    return -math.inf, math.inf


@op(tensors=0)
def convert_to_tensor(x, dtype=None, sparse=None, ragged=None):
    """A tensor of the backend from a number, a list, a NumPy array, a Variable or a tensor of another engine.

    Args:
        dtype: name of the type; by default the array's own, int32 for integers and `floatx` for floats of Python.
        sparse, ragged: must be false; dense tensors are the only ones here.

    >>> ops.convert_to_tensor([1, 2]).tolist()
    [1, 2]
    """
    if sparse or ragged:
        raise ValueError("convert_to_tensor: only dense tensors are supported; got sparse or ragged.")
    return tensor(x, None if dtype is None else _type(dtype))


array = convert_to_tensor


def convert_to_numpy(x):
    """A NumPy array on the host with the values of `x`."""
    return backends.numpy(x)


@op
def view(x, dtype=None):
    """The same bytes as another type. The last axis grows or shrinks where the sizes of the types differ.

    Args:
        dtype: name of the type; None leaves it.

    >>> ops.view([1.0, -2.0], "int32").tolist()
    [1065353216, -1073741824]

    Raises:
        ValueError: the last axis is no multiple of what one element of `dtype` takes.
    """
    dtype = kind(x) if dtype is None else _type(dtype)
    p.spec.bitcast(shapes.Spec(x.shape, kind(x)), dtype)
    return p.bitcast(x, dtype)


def is_tensor(x):
    """Whether `x` is a tensor of the backend in use, or a symbolic one."""
    return isinstance(x, KerasTensor) or backends.is_tensor(x)


def shape(x):
    """The sizes of `x`, a tuple of numbers; None where one is not known.

    >>> ops.shape([[1, 2, 3]])
    (1, 3)
    """
    return tuple(x.shape) if hasattr(x, "shape") else tuple(tensor(x).shape)


def ndim(x):
    """The number of axes of `x`."""
    return len(shape(x))


def size(x):
    """The number of elements of `x`; None where it is not known."""
    sizes = shape(x)
    return None if any(map(shapes.unknown, sizes)) else math.prod(sizes)


def dtype(x):
    """The name of the type of `x`."""
    return dtypes.result(kind(x))


OPS.update(array=array, ndim=ndim, size=size)


def _values(x, op, instead):
    """The values of `x` on the host, on which the size of a result depends; `instead` says what to do in a compiled program, which has none.

    Raises:
        TypeError: `x` has no values there.
    """
    try:
        return backends.numpy(x)
    except TypeError:
        raise TypeError(f"{op}: the size of the result depends on the values, which are not known inside a compiled program. {instead}") from None


def _sizes(shape, op):
    """A tuple of sizes from a number, a list, a tensor."""
    if hasattr(shape, "__index__") and not getattr(shape, "shape", ()):
        shape = (shape,)
    shape = tuple(n if shapes.unknown(n) or isinstance(n, shapes.Open) else n.__index__() if hasattr(n, "__index__") else int(n) for n in shape)
    if any(not shapes.unknown(n) and not isinstance(n, shapes.Open) and n < 0 for n in shape):
        raise ValueError(f"{op}: sizes are at least 0; got the shape {shape}.")
    return tuple(shapes.UNKNOWN if n is None else n for n in shape)


@op(tensors=0)
def full(shape, fill_value, dtype=None):
    """A tensor of the given shape with `fill_value` everywhere, of type `floatx` unless `dtype` says otherwise.

    >>> ops.full((2,), 7).tolist()
    [7.0, 7.0]
    """
    dtype = _type(dtype)
    shape = _sizes(shape, "full")
    if type(fill_value) in (int, float, bool, complex):
        return p.full(shape, fill_value, dtype)
    value = tensor(fill_value, dtype)
    return p.broadcast_to(value, shapes.broadcast_to(tuple(value.shape), shape))


@op(tensors=0)
def zeros(shape, dtype=None):
    """A tensor of zeros, of type `floatx` unless `dtype` says otherwise.

    >>> ops.zeros((2,)).tolist()
    [0.0, 0.0]
    """
    return p.full(_sizes(shape, "zeros"), 0, _type(dtype))


@op(tensors=0)
def ones(shape, dtype=None):
    """A tensor of ones, of type `floatx` unless `dtype` says otherwise.

    >>> ops.ones((2,)).tolist()
    [1.0, 1.0]
    """
    return p.full(_sizes(shape, "ones"), 1, _type(dtype))


@op(tensors=0)
def empty(shape, dtype=None):
    """A tensor whose values do not matter: zeros.

    >>> ops.empty((2, 3)).shape
    (2, 3)
    """
    return zeros(shape, dtype)


@op
def zeros_like(x, dtype=None):
    """Zeros in the shape of `x`, and of its type unless `dtype` is given.

    >>> ops.zeros_like([1, 2]).tolist()
    [0, 0]
    """
    return p.full(tuple(x.shape), 0, kind(x) if dtype is None else _type(dtype))


@op
def ones_like(x, dtype=None):
    """Ones in the shape of `x`, and of its type unless `dtype` is given.

    >>> ops.ones_like([1, 2]).tolist()
    [1, 1]
    """
    return p.full(tuple(x.shape), 1, kind(x) if dtype is None else _type(dtype))


@op
def empty_like(x, dtype=None):
    """A tensor in the shape of `x` whose values do not matter: zeros.

    >>> ops.empty_like([1, 2]).shape
    (2,)
    """
    return zeros_like(x, dtype)


@op
def full_like(x, fill_value, dtype=None):
    """`fill_value` in the shape of `x`, and of its type unless `dtype` is given.

    >>> ops.full_like([1, 2], 7).tolist()
    [7, 7]
    """
    return full(tuple(x.shape), fill_value, kind(x) if dtype is None else dtype)


def _number(x):
    return x if type(x) in (int, float, bool) or shapes.unknown(x) else backends.numpy(x).item()


@op(tensors=0)
def arange(start, stop=None, step=None, dtype=None):
    """Numbers from `start` (0 where `stop` is not given) up to `stop`, that one left out, by `step`.

    >>> ops.arange(2, 8, 3).tolist()
    [2, 5]

    Raises:
        ValueError: `step` is 0.
    """
    given = [x for x in (start, stop, step) if x is not None]
    dtype = canonical(dtypes.result(*map(kind, given))) if dtype is None else _type(dtype)
    start, stop = (0, start) if stop is None and not shapes.unknown(start) else (start, stop)
    step = 1 if step is None else step
    start, stop, step = map(_number, (start, stop, step))
    if step == 0:
        raise ValueError("arange: the step must not be 0.")
    if dtype == "bool":
        dtype = "int32"
    return p.arange(start, stop, step, dtype)


@op(tensors=2)
def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0):
    """`num` numbers at equal distances from `start` to `stop`.

    Args:
        endpoint: whether `stop` is the last of them.
        retstep: whether the distance is returned too.
        axis: where the new axis goes when `start` and `stop` have axes.

    >>> ops.linspace(0, 1, 5).tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    if num < 0:
        raise ValueError(f"linspace: num is at least 0; got {num}.")
    computed = canonical(dtypes.to_float(kind(start), kind(stop)))
    start, stop = tensor(start, computed), tensor(stop, computed)
    shapes.broadcast(tuple(start.shape), tuple(stop.shape), op="linspace")
    delta, steps = p.subtract(stop, start), max(num - 1 if endpoint else num, 1)
    axis = shapes.normalize_axis(axis, delta.ndim + 1, "linspace")
    inner = (num,) + (1,) * (delta.ndim - axis)
    fraction = p.reshape(tensor(np.arange(num) / steps, computed), inner)
    at = lambda x: p.reshape(x, (*x.shape[:axis], 1, *x.shape[axis:])) if x.ndim == delta.ndim else x
    out = p.add(at(p.broadcast_to(start, tuple(delta.shape))), p.multiply(at(delta), fraction))
    if endpoint and num > 1:  # the last exactly as given
        last = p.reshape(tensor(np.arange(num) == num - 1), inner)
        out = p.where(last, at(p.broadcast_to(stop, tuple(delta.shape))), out)
    out = out if dtype is None else cast(out, dtype)
    return (out, p.divide(delta, float(steps)) if steps else delta) if retstep else out


@op(tensors=2)
def logspace(start, stop, num=50, endpoint=True, base=10, dtype=None, axis=0):
    """`base` to the powers that `linspace` of the other arguments gives.

    >>> [round(x, 3) for x in ops.logspace(0, 2, 3).tolist()]
    [1.0, 10.0, 100.0]
    """
    exponents = linspace(start, stop, num, endpoint, axis=axis)
    out = p.power(tensor(float(base), kind(exponents)), exponents)
    return out if dtype is None else cast(out, dtype)


@op(tensors=0)
def eye(N, M=None, k=0, dtype=None):
    """Ones on the `k`-th diagonal of an (N, M) matrix, zeros elsewhere; `M` is `N` by default.

    >>> ops.eye(2, 3, k=1).tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    sizes = (N, N if M is None else M)
    return cast(p.equal(p.add(p.iota(sizes, 0, "int32"), k), p.iota(sizes, 1, "int32")), dtype)


@op(tensors=0)
def identity(n, dtype=None):
    """The (n, n) identity matrix.

    >>> ops.identity(2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return eye(n, dtype=dtype)


@op(tensors=0)
def tri(N, M=None, k=0, dtype=None):
    """Ones on and below the `k`-th diagonal of an (N, M) matrix, zeros elsewhere.

    >>> ops.tri(2).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    sizes = (N, N if M is None else M)
    return cast(p.greater_equal(p.add(p.iota(sizes, 0, "int32"), k), p.iota(sizes, 1, "int32")), dtype)


@op
def one_hot(x, num_classes, axis=-1, dtype=None, sparse=False):
    """A 1 at the place that each integer of `x` says, on a new axis of `num_classes`, 0 elsewhere; all 0 for one out of range.

    >>> ops.one_hot([1, 0], 3).tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    if sparse:
        raise ValueError("one_hot: only dense tensors are supported; got sparse=True.")
    x = x if dtypes.is_integer(kind(x)) else cast(x, "int32")
    axis = shapes.normalize_axis(axis, x.ndim + 1, "one_hot")
    classes = p.reshape(p.arange(0, num_classes, 1, kind(x)), (num_classes,) + (1,) * (x.ndim - axis))
    return cast(p.equal(p.reshape(x, (*x.shape[:axis], 1, *x.shape[axis:])), classes), _type(dtype))


@op
def multi_hot(inputs, num_classes=None, axis=-1, dtype=None, sparse=False, **kwargs):
    """A 1 at every place that the integers of a row say, 0 elsewhere.

    Shape: (samples, labels) -> (samples, num_classes), (labels,) -> (num_classes,).

    >>> ops.multi_hot([[0, 2]], 4).tolist()
    [[1.0, 0.0, 1.0, 0.0]]
    """
    num_classes = kwargs.pop("num_tokens", num_classes)
    if num_classes is None or kwargs:
        raise ValueError(f"multi_hot: wanted `num_classes`; got {num_classes!r} and {sorted(kwargs)}.")
    rows = one_hot(inputs, num_classes, axis, dtype, sparse)
    return p.max(rows, (1 if inputs.ndim > 1 else 0,), False)


@op
def stop_gradient(variable):
    """The same values, taken for constants by gradients.

    >>> ops.stop_gradient(ops.array([1, 2])).tolist()
    [1, 2]
    """
    return p.stop_gradient(variable)


@op
def copy(x):
    """A tensor with the same values.

    >>> ops.copy([1, 2]).tolist()
    [1, 2]
    """
    return p.where(tensor(True), x, x)
