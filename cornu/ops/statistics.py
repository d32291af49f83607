"""Quantiles, correlations, differences and other summaries of sequences."""

import math

import numpy as np

from cornu import dtypes, shapes
from cornu.backends import array, canonical, kind
from cornu.backends import protocol as p
from cornu.ops import control
from cornu.ops.dispatch import op, settle
from cornu.ops.elementwise import (
    _both,
    _number,
    abs,
    add,
    ceil,
    clip,
    divide,
    equal,
    exp,
    floor,
    floor_divide,
    isnan,
    log,
    log10,
    logical_not,
    mod,
    multiply,
    power,
    sign,
    sqrt,
    square,
    subtract,
    where,
)
from cornu.ops.elementwise import round as _round
from cornu.ops.making import cast, linspace
from cornu.ops.reduce import any as _any
from cornu.ops.reduce import mean
from cornu.ops.reduce import sum as _sum
from cornu.ops.shaping import expand_dims, moveaxis
from cornu.shapes import normalize_axes, normalize_axis, unknown

_METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


@op(tensors=2)
def quantile(x, q, axis=None, method="linear", keepdims=False):
    """The values below which the shares `q` of the elements along `axis` lie.

    Args:
        q: a share from 0 to 1, or a vector of them, which becomes the first axis.
        method: between two elements: "linear", "lower", "higher", "midpoint" or "nearest".

    >>> float(ops.quantile([1.0, 2.0, 4.0], 0.5))
    2.0
    """
    return _quantile(x, q, axis, method, keepdims, False)


@op(tensors=2)
def percentile(x, q, axis=None, method="linear", keepdims=False):
    """As `quantile`, with shares from 0 to 100.

    >>> float(ops.percentile([1.0, 2.0, 4.0], 50))
    2.0
    """
    return _quantile(x, divide(q, 100.0), axis, method, keepdims, False)


@op
def median(x, axis=None, keepdims=False):
    """The middle element along `axis`, or the mean of the two in the middle.

    >>> float(ops.median([1.0, 4.0, 2.0]))
    2.0
    """
    return _quantile(x, 0.5, axis, "linear", keepdims, False)


@op(tensors=2)
def nanquantile(x, q, axis=None, method="linear", keepdims=False):
    """`quantile` of what is not NaN.

    >>> float(ops.nanquantile([1.0, float("nan"), 3.0], 0.5))
    2.0
    """
    return _quantile(x, q, axis, method, keepdims, True)


@op(tensors=2)
def nanpercentile(x, q, axis=None, method="linear", keepdims=False):
    """`percentile` of what is not NaN.

    >>> float(ops.nanpercentile([1.0, float("nan"), 3.0], 50))
    2.0
    """
    return _quantile(x, divide(q, 100.0), axis, method, keepdims, True)


@op
def nanmedian(x, axis=None, keepdims=False):
    """`median` of what is not NaN.

    >>> float(ops.nanmedian([1.0, float("nan"), 3.0]))
    2.0
    """
    return _quantile(x, 0.5, axis, "linear", keepdims, True)


def _quantile(x, q, axis, method, keepdims, skip_nan):
    if method not in _METHODS:
        raise ValueError(f"quantile: method must be one of {', '.join(_METHODS)}; got {method!r}.")
    x = cast(x, canonical(dtypes.to_float(kind(x))))
    axes = tuple(sorted(normalize_axes(axis, x.ndim, "quantile")))
    rest = tuple(i for i in range(x.ndim) if i not in axes)
    size, kept = math.prod(x.shape[a] for a in axes), tuple(x.shape[i] for i in rest)
    rows = p.reshape(p.transpose(x, (*rest, *axes)), (*kept, size))
    q = array(q, kind(x))
    shares = p.reshape(q, (-1,))
    missing = isnan(rows)
    rows = p.sort(rows, len(kept))  # NaN come last
    last = subtract(_sum(cast(logical_not(missing), kind(x)), -1, keepdims=True), 1.0) if skip_nan else 1.0 if unknown(size) else float(size - 1)
    place = multiply(shares, last) if skip_nan else p.broadcast_to(multiply(shares, last), (*kept, *shares.shape))
    at = lambda where: p.take_along_axis(rows, cast(clip(where, 0, 1e30), "int32"), len(kept))
    below, above = floor(place), ceil(place)
    if method == "linear":
        weight = subtract(place, below)
        out = add(multiply(at(below), subtract(1.0, weight)), multiply(at(above), weight))
    elif method == "midpoint":
        out = multiply(add(at(below), at(above)), 0.5)
    else:
        out = at({"lower": below, "higher": above}[method] if method != "nearest" else _round(place))
    if not skip_nan:
        out = where(_any(missing, -1, keepdims=True), math.nan, out)
    out = moveaxis(out, -1, 0)
    shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape)) if keepdims else kept
    return p.reshape(out, (*q.shape, *shape))


@op
def corrcoef(x):
    """The correlations of the rows with each other. Shape: (variables, observations) -> (variables, variables).

    >>> [[round(x, 3) for x in row] for row in ops.corrcoef([[1.0, 2.0], [2.0, 4.0]]).tolist()]
    [[1.0, 1.0], [1.0, 1.0]]
    """
    shapes.ranked(x.shape, "corrcoef", 1, 2)
    x = cast(x, canonical(dtypes.to_float(kind(x))))
    rows = p.reshape(x, (1, x.shape[0])) if x.ndim == 1 else x
    centred = subtract(rows, mean(rows, -1, keepdims=True))
    products = p.matmul(centred, p.transpose(centred, (1, 0)))
    size = sqrt(_sum(square(centred), -1))
    out = clip(divide(divide(products, expand_dims(size, 1)), expand_dims(size, 0)), -1.0, 1.0)
    return p.reshape(out, ()) if x.ndim == 1 else out


@op(tensors=2)
def correlate(x1, x2, mode="valid"):
    """Sums of products of two vectors, one moved along the other.

    Args:
        mode: "valid" (where they wholly overlap), "same" (as long as the longer) or "full" (where they overlap at all).

    >>> ops.correlate([1.0, 2.0, 3.0], [0.0, 1.0]).tolist()
    [2.0, 3.0]
    """
    if mode not in ("valid", "same", "full"):
        raise ValueError(f"correlate: mode must be 'valid', 'same' or 'full'; got {mode!r}.")
    (x1, x2), _ = settle(x1, x2, dtype=canonical(dtypes.to_float(kind(x1), kind(x2))))
    for x in (x1, x2):
        shapes.ranked(x.shape, "correlate", 1, 1)
    swapped = not unknown(x1.shape[0]) and not unknown(x2.shape[0]) and x1.shape[0] < x2.shape[0]
    if swapped:
        x1, x2 = x2, x1
    length = x2.shape[0]
    pad = {"valid": (0, 0), "same": (length // 2, length - 1 - length // 2), "full": (length - 1, length - 1)}[mode]
    out = p.conv(p.reshape(x1, (1, x1.shape[0], 1)), p.reshape(x2, (length, 1, 1)), (1,), [pad], (1,), 1)
    out = p.reshape(out, (out.shape[1],))
    return p.flip(out, (0,)) if swapped else out


@op
def diff(a, n=1, axis=-1):
    """The differences of neighbours along `axis`, `n` times over.

    >>> ops.diff([1, 4, 9]).tolist()
    [3, 5]
    """
    axis = normalize_axis(axis, a.ndim, "diff")
    cut = lambda x, start, stop: p.slice(x, [start * (i == axis) for i in range(a.ndim)], [stop if i == axis else None for i in range(a.ndim)], [1] * a.ndim)
    for _ in range(n):
        later, earlier = cut(a, 1, None), cut(a, 0, a.shape[axis] - 1)
        a = p.not_equal(later, earlier) if kind(a) == "bool" else subtract(later, earlier)
    return a


@op(tensors=2)
def trapezoid(y, x=None, dx=1.0, axis=-1):
    """The area under `y` along `axis` by trapezoids; its places are `x`, or `dx` apart.

    >>> float(ops.trapezoid([1.0, 2.0, 3.0]))
    4.0
    """
    y = cast(y, canonical(dtypes.to_float(kind(y))))
    axis = normalize_axis(axis, y.ndim, "trapezoid")
    widths = dx
    if x is not None:
        x = array(x)
        widths = diff(cast(x, kind(y)), 1, -1 if x.ndim == 1 else axis)
        if x.ndim == 1:
            widths = p.reshape(widths, tuple(widths.shape[0] if i == axis else 1 for i in range(y.ndim)))
    last = moveaxis(y, axis, -1)
    after = p.getitem(last, (..., slice(1, None)))
    before = p.getitem(last, (..., slice(None, -1)))
    heights = moveaxis(add(after, before), -1, axis)
    return multiply(_sum(multiply(heights, widths), axis), 0.5)


@op
def vander(x, N=None, increasing=False):
    """The powers of each element of a vector as rows, N of them, the highest first unless `increasing`.

    >>> ops.vander([2, 3], 3).tolist()
    [[4, 2, 1], [9, 3, 1]]
    """
    shapes.ranked(x.shape, "vander", 1, 1)
    count = x.shape[0] if N is None else N
    if unknown(count):
        return shapes.Spec((count, count), kind(x))
    powers = np.arange(count) if increasing else np.arange(count)[::-1]
    return power(expand_dims(x, -1), array(powers, "int32" if kind(x) == "bool" else kind(x)))


@op(tensors=0)
def gcd(x1, x2):
    """The greatest common divisor, element by element (Euclid).

    >>> ops.gcd([12, 9], 6).tolist()
    [6, 3]
    """
    x1, x2, dtype = _both(x1, x2, _number)
    if not dtypes.is_integer(dtype):
        raise ValueError(f"gcd: wanted integers; got {dtype}.")
    shape = shapes.broadcast(tuple(x1.shape), tuple(x2.shape), op="gcd")
    state = abs(p.broadcast_to(x1, shape)), abs(p.broadcast_to(x2, shape))
    step = lambda a, b: (where(equal(b, 0), a, b), where(equal(b, 0), b, mod(a, where(equal(b, 0), 1, b))))
    return control.while_loop(lambda a, b: _any(b), step, state)[0]


@op(tensors=0)
def lcm(x1, x2):
    """The least common multiple, element by element.

    >>> ops.lcm([4, 3], 6).tolist()
    [12, 6]
    """
    x1, x2, _ = _both(x1, x2, _number)
    common = gcd(x1, x2)
    zero = equal(common, 0)
    return where(zero, 0, abs(multiply(floor_divide(x1, where(zero, 1, common)), x2)))


@op(tensors=2)
def geomspace(start, stop, num=50, endpoint=True, dtype=None, axis=0):
    """`num` numbers of equal ratios from `start` to `stop`, which have one sign and are not 0.

    >>> [round(x, 3) for x in ops.geomspace(1.0, 100.0, 3).tolist()]
    [1.0, 10.0, 100.0]
    """
    computed = canonical(dtypes.to_float(kind(start), kind(stop)))
    start, stop = array(start, computed), array(stop, computed)
    out = multiply(exp(linspace(log(abs(start)), log(abs(stop)), num, endpoint, axis=axis)), sign(start))
    return out if dtype is None else cast(out, dtype)


@op(tensors=2)
def psnr(x1, x2, max_val):
    """Peak signal-to-noise ratio in decibels, for signals of which `max_val` is the largest possible.

    >>> round(float(ops.psnr([1.0, 2.0], [1.0, 4.0], 4.0)), 3)
    9.031
    """
    (x1, x2), dtype = settle(x1, x2, dtype=canonical(dtypes.to_float(kind(x1), kind(x2))))
    error = mean(square(subtract(x1, x2)))
    return subtract(20 * math.log10(max_val), multiply(log10(error), 10.0))
