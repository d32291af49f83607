"""Convolution and pooling on plain NumPy arrays, with their transposes for gradients.

A convolution is a matrix product over a view of all windows, a depthwise one a sum over the places in the window. Beside the protocol's
primitives: `conv_input` and `conv_kernel`, which with `conv` are each other's gradients, `max_places`, and `unpool`, the transpose of `sum_pool`.
"""

import functools
import itertools
import math

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cornu.backends.numpy_values import VALUES as VALUES
from cornu.backends.numpy_values import in_single, pad, value

_CHUNK = 1 << 23  # elements of the matrix of windows that a convolution makes at a time: 32 MB of float32
_ALL = slice(None)


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
