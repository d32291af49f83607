"""Ops that make one number of many along axes: sums, means, extremes, counts, norms, running sums."""

import math

from cornu import dtypes
from cornu.backends import canonical, kind
from cornu.backends import protocol as p
from cornu.ops.dispatch import op, settle
from cornu.ops.elementwise import abs as _abs
from cornu.ops.elementwise import (
    add,
    divide,
    equal,
    exp,
    isclose,
    isfinite,
    isnan,
    log,
    logical_not,
    maximum,
    minimum,
    multiply,
    power,
    sqrt,
    square,
    subtract,
    where,
)
from cornu.ops.making import cast
from cornu.shapes import Open, normalize_axes, normalize_axis, unknown

_HALVES = ("float16", "bfloat16")


def _axes(axis, x, op):
    return tuple(sorted(normalize_axes(axis, x.ndim, op)))


def _count(x, axes):
    """How many elements `axes` hold together; 1 in place of a number not known, which only a Spec has."""
    size = math.prod(x.shape[a] for a in axes)
    return 1.0 if unknown(size) else size if isinstance(size, Open) else float(size)


def _accumulator(dtype):
    """The type in which integers of 8 and 16 bits add up without overflow."""
    if dtype == "bool" or dtype in ("int8", "int16"):
        return "int32"
    return "uint32" if dtype in ("uint8", "uint16") else dtype


@op
def sum(x, axis=None, keepdims=False):
    """Add up the elements along `axis` (all of them by default). Small integers and booleans add up as 32-bit integers.

    >>> ops.sum([[1, 2], [3, 4]], axis=0).tolist()
    [4, 6]
    """
    return p.sum(cast(x, _accumulator(kind(x))), _axes(axis, x, "sum"), keepdims)


@op
def prod(x, axis=None, keepdims=False, dtype=None):
    """Multiply the elements along `axis` (all of them by default). Small integers and booleans multiply as 32-bit integers.

    >>> int(ops.prod([2, 3, 4]))
    24
    """
    return p.prod(cast(x, _accumulator(kind(x)) if dtype is None else dtype), _axes(axis, x, "prod"), keepdims)


@op
def max(x, axis=None, keepdims=False, initial=None):
    """The largest element along `axis` (of all by default); at least `initial`, where that is given.

    >>> int(ops.max([2, 5, 4]))
    5
    """
    return _extreme(p.max, maximum, "max", x, axis, keepdims, initial)


@op
def min(x, axis=None, keepdims=False, initial=None):
    """The smallest element along `axis` (of all by default); at most `initial`, where that is given.

    >>> int(ops.min([2, 5, 4]))
    2
    """
    return _extreme(p.min, minimum, "min", x, axis, keepdims, initial)


def _extreme(primitive, two, name, x, axis, keepdims, initial):
    axes = _axes(axis, x, name)
    if any_empty(x.shape, axes):
        if initial is None:
            raise ValueError(f"{name}: there is no element along the axes {axes} of the shape {tuple(x.shape)}; give `initial`.")
        return p.full(tuple(1 if i in axes else n for i, n in enumerate(x.shape) if keepdims or i not in axes), initial, kind(x))
    out = primitive(x, axes, keepdims)
    return out if initial is None else cast(two(out, initial), kind(x))


def any_empty(shape, axes):
    """Whether one of `axes` has the size 0."""
    return 0 in [shape[a] for a in axes if not unknown(shape[a])]


@op
def amax(x, axis=None, keepdims=False):
    """The largest element along `axis` (of all by default).

    >>> ops.amax([[1, 2], [4, 3]], axis=0).tolist()
    [4, 3]
    """
    return max(x, axis, keepdims)


@op
def amin(x, axis=None, keepdims=False):
    """The smallest element along `axis` (of all by default).

    >>> ops.amin([[1, 2], [4, 3]], axis=0).tolist()
    [1, 2]
    """
    return min(x, axis, keepdims)


@op
def any(x, axis=None, keepdims=False):
    """Whether one element at least along `axis` is true.

    >>> bool(ops.any([False, True]))
    True
    """
    return p.any(cast(x, "bool"), _axes(axis, x, "any"), keepdims)


@op
def all(x, axis=None, keepdims=False):
    """Whether every element along `axis` is true.

    >>> bool(ops.all([False, True]))
    False
    """
    return p.all(cast(x, "bool"), _axes(axis, x, "all"), keepdims)


def _mean(x, axes, keepdims):
    """Mean of a float tensor; halves add up in float32, and stay so."""
    x = cast(x, "float32") if kind(x) in _HALVES else x
    count = _count(x, axes)
    if isinstance(count, Open):
        return p.divide(p.sum(x, axes, keepdims), p.cast(count, kind(x)))
    return p.multiply(p.sum(x, axes, keepdims), 1.0 / (count or math.nan))


@op
def mean(x, axis=None, keepdims=False):
    """The sum along `axis` divided by the number of elements; integers give floats.

    >>> float(ops.mean([1, 2, 4, 5]))
    3.0
    """
    dtype = canonical(dtypes.to_float(kind(x)))
    return cast(_mean(cast(x, dtype), _axes(axis, x, "mean"), keepdims), dtype)


@op
def var(x, axis=None, keepdims=False):
    """The mean along `axis` of the squared distances from the mean.

    >>> float(ops.var([1.0, 3.0]))
    1.0
    """
    dtype, axes = canonical(dtypes.to_float(kind(x))), _axes(axis, x, "var")
    x = cast(x, "float32" if dtype in _HALVES else dtype)
    distance = subtract(x, _mean(x, axes, True))
    return cast(_mean(square(_abs(distance) if dtype in dtypes.COMPLEX else distance), axes, keepdims), dtype)


@op
def std(x, axis=None, keepdims=False):
    """The square root of the variance along `axis`.

    >>> float(ops.std([1.0, 3.0]))
    1.0
    """
    return sqrt(var(x, axis, keepdims))


@op
def moments(x, axes, keepdims=False, synchronized=False):
    """Mean and variance along `axes`. Half precision is computed in float32.

    Args:
        synchronized: has no effect on one device, and a program over several devices computes over all of them already.

    >>> [float(part) for part in ops.moments([1.0, 3.0], axes=0)]
    [2.0, 1.0]

    Returns:
        The mean and the variance.
    """
    dtype, axes = canonical(dtypes.to_float(kind(x))), _axes(axes, x, "moments")
    x = cast(x, "float32" if dtype in _HALVES else dtype)
    centre = _mean(x, axes, True)
    variance = _mean(square(subtract(x, centre)), axes, keepdims)
    return cast(centre if keepdims else _drop(centre, axes), dtype), cast(variance, dtype)


def _drop(x, axes):
    return p.reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in axes))


@op(tensors=1)
def average(x, axis=None, weights=None):
    """The mean along `axis`, each element counting as `weights` says (of the shape of `x`, or of one axis).

    >>> float(ops.average([1.0, 3.0], weights=[3, 1]))
    1.5
    """
    if weights is None:
        return mean(x, axis)
    (x, weights), _ = settle(x, weights, dtype=canonical(dtypes.to_float(kind(x), kind(weights))))
    if weights.ndim == 1 and x.ndim > 1:
        if not hasattr(axis, "__index__"):
            raise ValueError(f"average: weights of one axis need one `axis`; got {axis}, for the shape {tuple(x.shape)}.")
        weights = p.reshape(weights, tuple(weights.shape[0] if i == axis % x.ndim else 1 for i in range(x.ndim)))
    weights = p.broadcast_to(weights, tuple(x.shape))
    return divide(sum(multiply(x, weights), axis), sum(weights, axis))


@op
def count_nonzero(x, axis=None):
    """How many elements along `axis` are not 0, as int32.

    >>> int(ops.count_nonzero([0, 2, 3]))
    2
    """
    return p.sum(cast(cast(x, "bool"), "int32"), _axes(axis, x, "count_nonzero"), False)


@op
def ptp(x, axis=None, keepdims=False):
    """The distance from the smallest to the largest element along `axis`.

    >>> int(ops.ptp([2, 7, 4]))
    5
    """
    return subtract(max(x, axis, keepdims), min(x, axis, keepdims))


@op
def argmax(x, axis=None, keepdims=False):
    """The place of the largest element along `axis`, the first of equal ones, as int32; in the flattened tensor by default.

    >>> int(ops.argmax([1, 3, 2]))
    1
    """
    return _place(p.argmax, x, axis, keepdims, "argmax")


@op
def argmin(x, axis=None, keepdims=False):
    """The place of the smallest element along `axis`, the first of equal ones, as int32; in the flattened tensor by default.

    >>> int(ops.argmin([1, 3, 0]))
    2
    """
    return _place(p.argmin, x, axis, keepdims, "argmin")


def _place(primitive, x, axis, keepdims, name):
    if axis is None:
        out = primitive(p.reshape(x, (-1,)), 0, False)
        return p.reshape(out, (1,) * x.ndim) if keepdims else out
    return primitive(x, normalize_axis(axis, x.ndim, name), keepdims)


@op
def logsumexp(x, axis=None, keepdims=False):
    """`log(sum(exp(x)))` along `axis`, without overflow.

    >>> round(float(ops.logsumexp([0.0, 0.0])), 4)
    0.6931
    """
    x = cast(x, canonical(dtypes.to_float(kind(x))))
    axes = _axes(axis, x, "logsumexp")
    top = p.stop_gradient(p.max(x, axes, True))
    top = where(isfinite(top), top, 0.0)
    out = add(log(p.sum(exp(subtract(x, top)), axes, True)), top)
    return out if keepdims else _drop(out, axes)


@op
def cumsum(x, axis=None, dtype=None):
    """The sums of the elements up to each place along `axis`; of the flattened tensor by default.

    >>> ops.cumsum([1, 2, 3]).tolist()
    [1, 3, 6]
    """
    return _running(p.cumsum, x, axis, dtype, "cumsum")


@op
def cumprod(x, axis=None, dtype=None):
    """The products of the elements up to each place along `axis`; of the flattened tensor by default.

    >>> ops.cumprod([1, 2, 3]).tolist()
    [1, 2, 6]
    """
    return _running(p.cumprod, x, axis, dtype, "cumprod")


def _running(primitive, x, axis, dtype, name):
    x = cast(x, dtype) if dtype is not None else cast(x, "int32") if kind(x) == "bool" else x
    if axis is None:
        x, axis = p.reshape(x, (-1,)), 0
    return primitive(x, normalize_axis(axis, x.ndim, name))


@op(tensors=0)
def allclose(x1, x2, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Whether all elements are close; see `isclose`.

    >>> bool(ops.allclose([1.0], [1.0 + 1e-7]))
    True
    """
    return all(isclose(x1, x2, rtol, atol, equal_nan))


@op
def norm(x, ord=None, axis=None, keepdims=False):
    """The norm of vectors along one axis, or of matrices over two.

    Args:
        ord: for vectors any number, inf or -inf (2 by default); for matrices "fro" (the default), 1, -1, inf, -inf, and over the last
            two axes also 2, -2 and "nuc" of singular values.
        axis: an axis, or two; all by default.

    >>> float(ops.norm([3.0, 4.0]))
    5.0

    Raises:
        ValueError: an `ord` that vectors or matrices do not have, or more than two axes.
    """
    dtype = canonical(dtypes.to_float(kind(x)))
    x = cast(x, "float32" if dtype in _HALVES else dtype)  # sums of squares leave float16
    out = _norm(x, ord, normalize_axes(axis, x.ndim, "norm"), keepdims)
    return cast(out, dtype) if dtype in _HALVES else out


def _norm(x, ord, axes, keepdims):
    if ord is None or (ord == "fro" and len(axes) == 2) or (ord == 2 and len(axes) == 1):
        return sqrt(sum(square(_abs(x)), axes, keepdims))
    if len(axes) == 1:
        return _vector_norm(_abs(x), ord, axes, keepdims)
    if len(axes) != 2:
        raise ValueError(f"norm: with ord={ord!r}, one or two axes; got {axes} for the shape {tuple(x.shape)}.")
    row, column = axes
    if ord in (1, -1, math.inf, -math.inf):
        first, second = (row, column) if ord in (1, -1) else (column, row)
        out = (max if ord > 0 else min)(sum(_abs(x), first, keepdims=True), second, keepdims=True)
    elif ord in (2, -2, "nuc"):
        order = (*(i for i in range(x.ndim) if i not in axes), row, column)
        values = p.svd(p.transpose(x, order), False, False)
        found = sum(values, -1) if ord == "nuc" else max(values, -1) if ord == 2 else min(values, -1)
        out = p.reshape(found, tuple(1 if i in axes else n for i, n in enumerate(x.shape)))
    else:
        raise ValueError(f"norm: matrices have the orders 'fro', 'nuc', 1, -1, 2, -2, inf and -inf; got {ord!r}.")
    return out if keepdims else _drop(out, axes)


def _vector_norm(x, ord, axes, keepdims):
    if isinstance(ord, str):
        raise ValueError(f"norm: vectors have a number for `ord`; got {ord!r}.")
    if ord in (math.inf, -math.inf):
        return (max if ord > 0 else min)(x, axes, keepdims)
    if ord == 0:
        return sum(cast(logical_not(equal(x, 0)), kind(x)), axes, keepdims)
    if ord == 1:
        return sum(x, axes, keepdims)
    return power(sum(power(x, ord), axes, keepdims), 1.0 / ord)


@op
def nansum(x, axis=None, keepdims=False):
    """`sum`, NaN counting as 0.

    >>> float(ops.nansum([1.0, float("nan")]))
    1.0
    """
    return sum(where(isnan(x), 0, x), axis, keepdims)


@op
def nanprod(x, axis=None, keepdims=False):
    """`prod`, NaN counting as 1.

    >>> float(ops.nanprod([2.0, float("nan")]))
    2.0
    """
    return prod(where(isnan(x), 1, x), axis, keepdims)


@op
def nanmax(x, axis=None, keepdims=False):
    """`max` of what is not NaN; NaN where nothing else is.

    >>> float(ops.nanmax([1.0, float("nan")]))
    1.0
    """
    return _nan_extreme(max, -math.inf, x, axis, keepdims)


@op
def nanmin(x, axis=None, keepdims=False):
    """`min` of what is not NaN; NaN where nothing else is.

    >>> float(ops.nanmin([1.0, float("nan")]))
    1.0
    """
    return _nan_extreme(min, math.inf, x, axis, keepdims)


def _nan_extreme(extreme, worst, x, axis, keepdims):
    if not dtypes.is_float(kind(x)):
        return extreme(x, axis, keepdims)
    return where(all(isnan(x), axis, keepdims), math.nan, extreme(where(isnan(x), worst, x), axis, keepdims))


@op
def nanmean(x, axis=None, keepdims=False):
    """`mean` of what is not NaN; NaN where nothing else is.

    >>> float(ops.nanmean([1.0, float("nan"), 3.0]))
    2.0
    """
    dtype = canonical(dtypes.to_float(kind(x)))
    return divide(nansum(cast(x, dtype), axis, keepdims), sum(cast(logical_not(isnan(x)), dtype), axis, keepdims))


@op
def nanvar(x, axis=None, keepdims=False):
    """`var` of what is not NaN; NaN where nothing else is.

    >>> float(ops.nanvar([1.0, float("nan"), 3.0]))
    1.0
    """
    return nanmean(square(subtract(x, nanmean(x, axis, True))), axis, keepdims)


@op
def nanstd(x, axis=None, keepdims=False):
    """`std` of what is not NaN; NaN where nothing else is.

    >>> float(ops.nanstd([1.0, float("nan"), 3.0]))
    1.0
    """
    return sqrt(nanvar(x, axis, keepdims))


@op
def nanargmax(x, axis=None, keepdims=False):
    """`argmax` of what is not NaN; -1 where nothing else is.

    >>> int(ops.nanargmax([1.0, float("nan"), 3.0]))
    2
    """
    return where(all(isnan(x), axis, keepdims), -1, argmax(where(isnan(x), -math.inf, x), axis, keepdims))


@op
def nanargmin(x, axis=None, keepdims=False):
    """`argmin` of what is not NaN; -1 where nothing else is.

    >>> int(ops.nanargmin([1.0, float("nan"), 3.0]))
    0
    """
    return where(all(isnan(x), axis, keepdims), -1, argmin(where(isnan(x), math.inf, x), axis, keepdims))


@op
def nancumsum(x, axis=None, dtype=None):
    """`cumsum`, NaN counting as 0.

    >>> ops.nancumsum([1.0, float("nan"), 3.0]).tolist()
    [1.0, 1.0, 4.0]
    """
    return cumsum(where(isnan(x), 0, x), axis, dtype)


@op
def nancumprod(x, axis=None, dtype=None):
    """`cumprod`, NaN counting as 1.

    >>> ops.nancumprod([2.0, float("nan"), 3.0]).tolist()
    [2.0, 2.0, 6.0]
    """
    return cumprod(where(isnan(x), 1, x), axis, dtype)
