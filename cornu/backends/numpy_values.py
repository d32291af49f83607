"""The primitives on plain NumPy arrays, without gradients. A name that Python or NumPy takes already has `_` at its end here.

`VALUES` is the table of all of them, by the protocol's names; numpy_windows.py completes it with convolution and pooling. Beside the
protocol's it has the transposes that gradients need: `place` of `getitem`, `place_rows` of `take`.
"""

import functools
import math

import ml_dtypes
import numpy as np

from cornu.backends import numpy_special
from cornu.backends.protocol import BINARY, UNARY
from cornu.dtypes import FLOATS

VALUES = {}
NARROW = frozenset(np.dtype(getattr(ml_dtypes, name, name)) for name in FLOATS if name not in ("float32", "float64"))
STRICT = NARROW - {np.dtype("float16")}  # the types of ml_dtypes, in whose company Python numbers are not weak to NumPy


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
            y = np.asarray(y, x.dtype) if x.dtype in STRICT else y
        elif type(x) in _SCALARS:
            x = np.asarray(x, y.dtype) if y.dtype in STRICT else x
        return function(x, y)

    return call


def _power(x, y):
    return x**y if type(y) in _SCALARS else np.power(x, y)  # the operator knows squares and roots


def _reciprocal(x):
    return np.divide(np.ones((), x.dtype), x)


VALUES |= {name: getattr(np, name) for name in UNARY if hasattr(np, name)} | {name: _binary(getattr(np, name)) for name in BINARY}
VALUES |= {name: in_single(getattr(numpy_special, name)) for name in ("erf", "erfinv", "lgamma", "digamma", "trigamma")}
VALUES |= {
    "round": lambda x: x if x.dtype.kind in "iub" else np.rint(x),
    "power": _binary(_power),
    "reciprocal": _reciprocal,
    "conj": lambda x: np.conj(x) if x.dtype.kind == "c" else x,
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
def bitcast(x, dtype):
    return np.array(x, order="C").view(dtype)


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


# Linear algebra. Matrices that should be symmetric are made so: what gradients stand on.


def _symmetric(x):
    return (x + np.conj(np.swapaxes(x, -1, -2))) / 2


@value
@in_single
def cholesky(x):
    return np.linalg.cholesky(_symmetric(x))


@value
@in_single
def qr(x, complete):
    return tuple(np.linalg.qr(x, "complete" if complete else "reduced"))


@value
@in_single
def lu(x):
    """Rows are swapped so that the greatest element of a column leads; LAPACK's getrf, which NumPy does not give, without blocks."""
    m, n = x.shape[-2:]
    a = np.array(x).reshape(-1, m, n)
    pivots = np.zeros((len(a), min(m, n)), np.int32)
    every = np.arange(len(a))
    for j in range(min(m, n)):
        row = pivots[:, j] = j + np.abs(a[:, j:, j]).argmax(-1)
        a[every, j], a[every, row] = a[every, row], a[every, j]
        lead = a[:, j : j + 1, j]
        a[:, j + 1 :, j] /= np.where(lead == 0, np.ones((), a.dtype), lead)
        a[:, j + 1 :, j + 1 :] -= a[:, j + 1 :, j, None] * a[:, j, None, j + 1 :]
    return a.reshape(x.shape), pivots.reshape(*x.shape[:-2], min(m, n))


@value
@in_single
def eig(x):
    wide = np.complex128 if x.dtype.char in "dD" else np.complex64
    return tuple(part.astype(wide) for part in np.linalg.eig(x))


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
