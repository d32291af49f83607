"""The primitives on plain NumPy arrays, without gradients. A name that Python or NumPy takes already has `_` at its end here.

`VALUES` is the table of all of them, by the protocol's names. Beside those it has the transposes that gradients need:
`place` of `getitem`, `place_rows` of `take`, `conv_input` and `conv_kernel` of `conv`, `unpool` of `sum_pool`.
"""

import functools
import itertools
import math

import ml_dtypes
import numpy as np
from numpy.lib.stride_tricks import as_strided

from cornu.backends import numpy_special
from cornu.backends.protocol import BINARY, UNARY
from cornu.dtypes import FLOATS

VALUES = {}
NARROW = frozenset(np.dtype(getattr(ml_dtypes, name, name)) for name in FLOATS if name not in ("float32", "float64"))
_CHUNK = 1 << 23  # elements of the matrix of windows that a convolution makes at a time: 32 MB of float32
_ALL = slice(None)


def value(function):
    """Enter `function` in the table, under its name without `_` at the end."""
    VALUES[function.__name__.rstrip("_")] = function
    return function


def in_single(function):
    """`function` on types below 32 bits computed in float32, as what accumulates should be, and rounded once at the end."""

    def widened(x):
        if type(x) is list or type(x) is tuple:
            return type(x)(map(widened, x))
        return x.astype(np.float32) if isinstance(x, np.ndarray) and x.dtype in NARROW else x

    @functools.wraps(function)
    def call(*args):
        first = args[1][0] if type(args[0]) is str else args[0]
        if first.dtype not in NARROW:
            return function(*args)
        out = function(*map(widened, args))
        if type(out) is tuple:
            return tuple(np.asarray(x, first.dtype) if x.dtype == np.float32 else x for x in out)
        return np.asarray(out, first.dtype)

    return call


# Elementwise. NumPy's own functions treat Python numbers as weak, but for the types of ml_dtypes.

_SCALARS = (float, int, bool)


def _binary(function):
    def call(x, y):
        if type(y) in _SCALARS:
            y = np.asarray(y, x.dtype) if x.dtype.kind == "V" else y
        elif type(x) in _SCALARS:
            x = np.asarray(x, y.dtype) if y.dtype.kind == "V" else x
        return function(x, y)

    return call


def _power(x, y):
    return x**y if type(y) in _SCALARS else np.power(x, y)  # the operator knows squares and roots


def _reciprocal(x):
    return np.divide(np.ones((), x.dtype), x)


VALUES |= {name: getattr(np, name) for name in UNARY if hasattr(np, name)} | {name: _binary(getattr(np, name)) for name in BINARY}
VALUES |= {name: in_single(getattr(numpy_special, name)) for name in ("erf", "erfinv", "lgamma", "digamma", "trigamma")}
VALUES |= {
    "round": lambda x: x if x.dtype.kind in "iu" else np.rint(x),
    "power": _binary(_power),
    "reciprocal": _reciprocal,
    "rsqrt": lambda x: _reciprocal(np.sqrt(x)),
}
VALUES["sigmoid"] = lambda x: _reciprocal(np.add(np.exp(np.negative(x)), np.ones((), x.dtype)))


@value
def where(condition, x, y):
    if type(x) in _SCALARS and type(y) not in _SCALARS:
        x = np.asarray(x, y.dtype)
    elif type(y) in _SCALARS and type(x) not in _SCALARS:
        y = np.asarray(y, x.dtype)
    return np.where(condition, x, y)


@value
def cast(x, dtype):
    dtype = np.dtype(dtype)
    return (x.real if x.dtype.kind == "c" and dtype.kind not in "cb" else x).astype(dtype, copy=False)


# Making


@value
def full(shape, value, dtype):
    return np.full(shape, value, dtype)


@value
def arange(start, stop, step, dtype):
    return np.arange(start, stop, step).astype(dtype)


@value
def iota(shape, axis, dtype):
    steps = np.arange(shape[axis]).astype(dtype)
    return np.broadcast_to(steps.reshape([-1 if i == axis else 1 for i in range(len(shape))]), shape)


# Reductions and order


@value
@in_single
def sum_(x, axes, keepdims):
    return np.sum(x, axes, x.dtype, keepdims=keepdims)


@value
@in_single
def prod(x, axes, keepdims):
    return np.prod(x, axes, x.dtype, keepdims=keepdims)


@value
def max_(x, axes, keepdims):
    return np.max(x, axes, keepdims=keepdims)


@value
def min_(x, axes, keepdims):
    return np.min(x, axes, keepdims=keepdims)


@value
def any_(x, axes, keepdims):
    return np.any(x, axes, keepdims=keepdims)


@value
def all_(x, axes, keepdims):
    return np.all(x, axes, keepdims=keepdims)


@value
def argmax(x, axis, keepdims):
    return np.asarray(np.argmax(x, axis, keepdims=keepdims), np.int32)


@value
def argmin(x, axis, keepdims):
    return np.asarray(np.argmin(x, axis, keepdims=keepdims), np.int32)


@value
@in_single
def cumsum(x, axis):
    return np.cumsum(x, axis, x.dtype)


@value
@in_single
def cumprod(x, axis):
    return np.cumprod(x, axis, x.dtype)


@value
def sort(x, axis):
    return np.sort(x, axis)


@value
def argsort(x, axis):
    return np.argsort(x, axis, kind="stable").astype(np.int32)


@value
def top_k(x, k):
    order = x.shape[-1] - 1 - np.argsort(x[..., ::-1], -1, kind="stable")[..., : -k - 1 : -1]  # backwards twice: the first of ties first
    return np.take_along_axis(x, order, -1), order.astype(np.int32)


# Movement


@value
def reshape(x, shape):
    return np.reshape(x, shape)


@value
def transpose(x, axes):
    return np.transpose(x, axes)


@value
def broadcast_to(x, shape):
    return np.broadcast_to(x, shape)


@value
def pad(x, widths, value):
    """Negative widths cut."""
    inside = x[tuple(slice(max(-low, 0), size - max(-high, 0)) for size, (low, high) in zip(x.shape, widths))]
    if all(low <= 0 and high <= 0 for low, high in widths):
        return inside
    out = np.full([max(low, 0) + size + max(high, 0) for size, (low, high) in zip(inside.shape, widths)], value, x.dtype)
    out[tuple(slice(max(low, 0), max(low, 0) + size) for size, (low, _) in zip(inside.shape, widths))] = inside
    return out


@value
def dilate(x, steps):
    if all(step == 1 for step in steps):
        return x
    out = np.zeros([max(0, (size - 1) * step + 1) for size, step in zip(x.shape, steps)], x.dtype)
    out[tuple(slice(None, None, step) for step in steps)] = x
    return out


@value
def slice_(x, starts, stops, strides):
    return x[tuple(map(slice, starts, stops, strides))]


@value
def flip(x, axes):
    return np.flip(x, axes)


@value
def concatenate(xs, axis):
    return np.concatenate(xs, axis)


@value
def take(x, indices, axis):
    """An index out of range is an error."""
    return np.take(x, indices, axis)


@value
@in_single
def place_rows(g, shape, indices, axis):
    """Zeros of `shape`, to whose places `indices` along `axis` the parts of `g` are added."""
    before, after = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    rows = np.where(indices < 0, indices + shape[axis], indices).ravel()
    order = np.argsort(rows, kind="stable")
    rows, g = rows[order], g.reshape(before, rows.size, after)[:, order]
    kept = np.arange(rows.size)
    while (again := rows[kept[1:]] == rows[kept[:-1]]).any():  # add second to first, fourth to third ...: pairwise sums, in few rounds
        first = np.flatnonzero(np.concatenate([[True], ~again]))
        second = (np.arange(kept.size) - np.repeat(first, np.diff(first, append=kept.size))) % 2 == 1
        g[:, kept[np.flatnonzero(second) - 1]] += g[:, kept[second]]
        kept = kept[~second]
    out = np.zeros((before, shape[axis], after), g.dtype)
    out[:, rows[kept]] = g[:, kept]
    return out.reshape(shape)


@value
def take_along_axis(x, indices, axis):
    return np.take_along_axis(x, indices, axis)


@value
def getitem(x, key):
    return x[key]


def _accumulate(ufunc, out, key, updates):
    """`out[key] = ufunc(out[key], updates)`, one after another where places repeat. Flat indices are what NumPy does fast."""
    places = key[0] if out.ndim == 1 and len(key) == 1 else np.arange(out.size).reshape(out.shape)[key]
    ufunc.at(out.reshape(-1), places.ravel(), np.broadcast_to(updates, places.shape).ravel())
    return out


@value
@in_single
def place(g, shape, key):
    """Zeros of `shape`, to whose places `key` the parts of `g` are added."""
    out = np.zeros(shape, g.dtype)
    key = key if type(key) is tuple else (key,)
    if all(k is None or k is Ellipsis or isinstance(k, (slice, int)) for k in key):
        out[key] = g
        return out
    return _accumulate(np.add, out, key, g)


@value
def scatter(x, indices, updates, mode):
    """The last of several updates of one place wins. An index out of range is an error."""
    out, key = x.copy(), tuple(np.moveaxis(indices, -1, 0))
    if mode == "update":
        out[key] = updates
        return out
    return _accumulate({"add": np.add, "maximum": np.maximum, "minimum": np.minimum, "multiply": np.multiply}[mode], out, key, updates)


def window_key(shape, starts, sizes):
    """The slices of a window of `sizes`, moved inside where it would stick out; negative starts count from the end."""
    at = [int(start) + size if start < 0 else int(start) for start, size in zip(starts, shape)]
    at = [min(max(start, 0), size - n) for start, size, n in zip(at, shape, sizes)]
    return tuple(slice(start, start + n) for start, n in zip(at, sizes))


@value
def dynamic_slice(x, starts, sizes):
    return x[window_key(x.shape, starts, sizes)]


@value
def dynamic_update_slice(x, update, starts):
    out = x.copy()
    out[window_key(x.shape, starts, update.shape)] = update
    return out


# Products


@value
@in_single
def matmul(x, y):
    return np.matmul(x, y)


@value
@in_single
def einsum(equation, xs):
    """Two operands go through matmul, since NumPy's einsum is slow where there are batch axes."""
    terms, out = equation.replace(" ", "").split("->")
    terms = terms.split(",")
    if len(terms) != 2:
        return np.einsum(equation, *xs, optimize=len(terms) > 2)
    kept = [[c for c in dict.fromkeys(term) if c in out or c in other] for term, other in (terms, terms[::-1])]
    xs = [x if list(term) == keep else np.einsum(f"{term}->{''.join(keep)}", x) for x, term, keep in zip(xs, terms, kept)]
    left, right = ([c for c in keep if c not in other] for keep, other in (kept, kept[::-1]))
    batch, summed = ([c for c in kept[0] if c in kept[1] and (c in out) == wanted] for wanted in (True, False))
    size = dict(zip(kept[1], xs[1].shape)) | dict(zip(kept[0], xs[0].shape))

    def matrix(x, letters, rows, columns):
        sizes = [math.prod(size[c] for c in group) for group in (rows, columns)]
        return x.transpose([letters.index(c) for c in (*batch, *rows, *columns)]).reshape(*(size[c] for c in batch), *sizes)

    found = np.matmul(matrix(xs[0], kept[0], left, summed), matrix(xs[1], kept[1], summed, right))
    letters = [*batch, *left, *right]
    return found.reshape([size[c] for c in letters]).transpose([letters.index(c) for c in out])


def _windows(x, window, strides, dilation):
    """View of every window: (N, *space, C) -> (N, *out, *window, C)."""
    space = range(1, x.ndim - 1)
    out = [max(0, (x.shape[i] - (w - 1) * d - 1) // s + 1) for i, w, s, d in zip(space, window, strides, dilation)]
    steps = [x.strides[i] * s for i, s in zip(space, strides)] + [x.strides[i] * d for i, d in zip(space, dilation)]
    return as_strided(x, (x.shape[0], *out, *window, x.shape[-1]), (x.strides[0], *steps, x.strides[-1]), writeable=False)


def _space(widths):
    return ((0, 0), *widths, (0, 0))


def _matrices(x, kernel_shape, strides, dilation, groups):
    """Chunks of the batch as matrices of windows: (first, last, (groups, n * out, window * C / groups))."""
    *window, c, _ = kernel_shape
    seen = _windows(x, window, strides, dilation)
    rows, columns = math.prod(seen.shape[1 : 1 + len(window)]), math.prod(window) * c
    step = max(1, _CHUNK // max(1, rows * columns * groups))
    seen = np.moveaxis(seen.reshape(*seen.shape[:-1], groups, c) if groups > 1 else seen[..., None, :], -2, 0)
    for first in range(0, len(x), step):
        chunk = seen[:, first : first + step]
        yield first, first + chunk.shape[1], chunk.reshape(groups, chunk.shape[1] * rows, columns)


def _grouped_kernel(kernel, groups):
    *window, c, filters = kernel.shape
    return kernel.reshape(math.prod(window) * c, groups, filters // groups).transpose(1, 0, 2)


def _taps(window, strides, dilation, out):
    """Each place in the window, with the key of what it sees of the padded input."""
    for place in itertools.product(*map(range, window)):
        yield place, (_ALL, *(slice(p * d, p * d + s * (n - 1) + 1, s) if n else slice(0, 0) for p, s, d, n in zip(place, strides, dilation, out)))


def _depthwise(kernel_shape, groups):
    return kernel_shape[-2] == 1 and groups > 1


def _depthwise_taps(kernel, groups, strides, dilation, out, batch):
    """Sample by sample, which stays in the processor's cache: (sample, filter of a group, place in the window, key of what it sees)."""
    *window, _, filters = kernel.shape
    taps = [(tap, key[1:]) for tap, key in _taps(window, strides, dilation, out)]
    return ((n, m, *tap) for n in range(batch) for m in range(filters // groups) for tap in taps)


@value
@in_single
def conv(x, kernel, strides, padding, dilation, groups):
    *window, _, filters = kernel.shape
    x = pad(x, _space(padding), 0)
    out = [max(0, (size - (w - 1) * d - 1) // s + 1) for size, w, s, d in zip(x.shape[1:], window, strides, dilation)]
    if _depthwise(kernel.shape, groups):
        total = np.zeros((filters // groups, len(x), *out, groups), x.dtype)
        for n, m, tap, key in _depthwise_taps(kernel, groups, strides, dilation, out, len(x)):
            total[m, n] += x[n][key] * kernel[tap][0, m :: filters // groups]
        return np.moveaxis(total, 0, -1).reshape(len(x), *out, filters)
    total, rows = np.empty((len(x) * math.prod(out), groups, filters // groups), x.dtype), math.prod(out)
    matrix = _grouped_kernel(kernel, groups)
    for first, last, seen in _matrices(x, kernel.shape, strides, dilation, groups):
        np.matmul(seen, matrix, out=total[first * rows : last * rows].transpose(1, 0, 2))
    return total.reshape(len(x), *out, filters)


@value
@in_single
def conv_input(g, kernel, shape, strides, padding, dilation, groups):
    """What `conv` gives back to an input of `shape` for the gradient `g` of its output."""
    *window, c, filters = kernel.shape
    out, rows = g.shape[1:-1], math.prod(g.shape[1:-1])
    total = np.zeros((shape[0], *(n + low + high for n, (low, high) in zip(shape[1:], padding)), groups, c), g.dtype)
    if _depthwise(kernel.shape, groups):
        g = np.moveaxis(g.reshape(*g.shape[:-1], groups, filters // groups), -1, 0).copy()
        for n, m, tap, key in _depthwise_taps(kernel, groups, strides, dilation, out, shape[0]):
            total[n, ..., 0][key] += g[m, n] * kernel[tap][0, m :: filters // groups]
    else:
        matrix = _grouped_kernel(kernel, groups).transpose(0, 2, 1)
        step = max(1, _CHUNK // max(1, rows * math.prod(window) * c * groups))
        for first in range(0, len(g), step):
            n = len(g[first : first + step])
            part = g[first : first + n].reshape(n * rows, groups, filters // groups).transpose(1, 0, 2) @ matrix
            part = np.moveaxis(part.reshape(groups, n, *out, *window, c), 0, -2)
            for tap, key in _taps(window, strides, dilation, out):
                total[first : first + n][key] += part[(_ALL,) * (1 + len(out)) + tap]
    return pad(total.reshape(*total.shape[:-2], groups * c), _space((-low, -high) for low, high in padding), 0)


@value
@in_single
def conv_kernel(x, g, kernel_shape, strides, padding, dilation, groups):
    """What `conv` gives back to a kernel of `kernel_shape` for the gradient `g` of its output."""
    *window, c, filters = kernel_shape
    x = pad(x, _space(padding), 0)
    out, rows = g.shape[1:-1], math.prod(g.shape[1:-1])
    if _depthwise(kernel_shape, groups):
        total, g = np.zeros(kernel_shape, g.dtype), np.moveaxis(g.reshape(*g.shape[:-1], groups, filters // groups), -1, 0).copy()
        for n, m, tap, key in _depthwise_taps(total, groups, strides, dilation, out, len(x)):
            total[tap][0, m :: filters // groups] += np.einsum("xc,xc->c", x[n][key].reshape(-1, groups), g[m, n].reshape(-1, groups))
        return total
    total = np.zeros((groups, math.prod(window) * c, filters // groups), g.dtype)
    for first, last, seen in _matrices(x, kernel_shape, strides, dilation, groups):
        total += seen.transpose(0, 2, 1) @ g[first:last].reshape((last - first) * rows, groups, filters // groups).transpose(1, 0, 2)
    return total.transpose(1, 0, 2).reshape(kernel_shape)


# Windows: the axes of space one after another, so that a window of 3 x 3 costs 6 steps and not 9


def _along(x, size, stride, axis):
    """What each place of a window along `axis` sees."""
    n = max(0, (x.shape[axis] - size) // stride + 1)
    lead = (_ALL,) * axis
    return [x[(*lead, slice(i, i + stride * (n - 1) + 1, stride) if n else slice(0, 0))] for i in range(size)]


def _lowest(dtype):
    return -np.inf if dtype.kind in "fV" else np.iinfo(dtype).min


@value
def max_pool(x, size, strides, padding):
    x = pad(x, _space(padding), _lowest(x.dtype))
    for axis, (window, stride) in enumerate(zip(size, strides), 1):
        first, *others = _along(x, window, stride, axis)
        x = functools.reduce(lambda best, seen: np.maximum(best, seen, out=best), others, first.copy())
    return x


@value
def max_places(x, y, size, strides, padding):
    """For each window, of which `y` is the maximum, where the first such lies in the flattened `x`; -1 where there is padding alone."""
    space, out = x.shape[1:-1], y.shape[1:-1]
    inside = pad(np.arange(math.prod(space)).reshape(space), padding, -1)
    x, padded = pad(x, _space(padding), _lowest(x.dtype)), any(map(any, padding))
    tap, found, places = np.zeros(y.shape, np.int16), np.zeros(y.shape, bool), []
    for _, key in _taps(size, strides, (1,) * len(size), out):
        places.append(inside[key[1:]].ravel())
        hit = x[key] == y
        found |= hit & (places[-1] >= 0).reshape(*out, 1) if padded else hit
        tap += ~found  # counts the places before the first
    tap = tap.reshape(len(y), math.prod(out), y.shape[-1])
    at = np.stack([*places, places[0]], -1)[np.arange(tap.shape[1])[:, None], tap] + np.arange(len(y))[:, None, None] * math.prod(space)
    return np.where(found, (at * y.shape[-1] + np.arange(y.shape[-1])).reshape(y.shape), -1)


@value
@in_single
def sum_pool(x, size, strides, padding):
    x = pad(x, _space(padding), 0)
    for axis, (window, stride) in enumerate(zip(size, strides), 1):
        first, *others = _along(x, window, stride, axis)
        x = functools.reduce(lambda total, seen: np.add(total, seen, out=total), others, first.copy())
    return x


@value
@in_single
def unpool(g, shape, size, strides, padding):
    """What `sum_pool` gives back to an input of `shape` for the gradient `g` of its output."""
    for axis, (window, stride) in reversed(list(enumerate(zip(size, strides), 1))):
        low, high = padding[axis - 1]
        out = np.zeros((*g.shape[:axis], shape[axis] + low + high, *g.shape[axis + 1 :]), g.dtype)
        for seen in _along(out, window, stride, axis):
            seen += g
        g = out
    return pad(g, _space((-low, -high) for low, high in padding), 0)


# Linear algebra. Matrices that should be symmetric are made so: what gradients stand on.


def _symmetric(x):
    return (x + np.conj(np.swapaxes(x, -1, -2))) / 2


@value
@in_single
def cholesky(x):
    return np.linalg.cholesky(_symmetric(x))


@value
@in_single
def qr(x):
    return tuple(np.linalg.qr(x))


@value
@in_single
def svd(x, full_matrices, compute_uv):
    found = np.linalg.svd(x, full_matrices, compute_uv)
    return tuple(found) if compute_uv else found


@value
@in_single
def eigh(x):
    return tuple(np.linalg.eigh(_symmetric(x)))


@value
@in_single
def solve(a, b):
    return np.linalg.solve(a, b)


@value
@in_single
def triangular_solve(a, b, lower):
    return np.linalg.solve(np.tril(a) if lower else np.triu(a), b)


@value
@in_single
def inv(x):
    return np.linalg.inv(x)


@value
@in_single
def det(x):
    return np.linalg.det(x)


@value
def fft(x):
    return np.fft.fft(x)


@value
def ifft(x):
    return np.fft.ifft(x)
