"""Convolutions and pooling in the forms that XLA runs fast on a CPU.

Alone or inside a loop, plain forms of the same meaning take 2 to 600 times as long (benchmarks/ops_traps.py measures them): gradients of
convolutions in a loop, depthwise and grouped ones, maps smaller than the kernel, gradients of pooling.
"""

import functools
import itertools
import math

import jax
import jax.numpy as jnp  # pyright: ignore[reportMissingImports]
import numpy as np
from jax import lax

from cornu.backends.jax_derivatives import with_gradient
from cornu.backends.jax_products import matmul

_ROW = 48  # channels below which loops over the channels alone are too short
_CHANNELS, _FILTERS = 8, (24, 64)  # few channels; filters from which few channels are fast as they are: fours of channels, others


def conv(x, kernel, strides, padding, dilation, groups):
    """As `plain_conv`, in the form that is fast."""
    strides, padding, dilation = tuple(strides), tuple(map(tuple, padding)), tuple(dilation)
    return _form(x, kernel, strides, padding, dilation, groups)(x, kernel, strides, padding, dilation, groups)


def plain_conv(x, kernel, strides, padding, dilation, groups=1, input_dilation=None):
    space = "DHW"[-len(strides) :]
    numbers = (f"N{space}C", f"{space}IO", f"N{space}C")
    return lax.conv_general_dilated(x, kernel, strides, padding, input_dilation, dilation, numbers, groups)


def _form(x, kernel, strides, padding, dilation, groups):
    """The form of a convolution that XLA runs fast on a CPU."""
    window, output = kernel.shape[:-2], _output_sizes(x.shape[1:-1], kernel.shape[:-2], strides, padding, dilation)
    if not x.size or not kernel.size or min(output) < 1:
        return plain_conv
    if groups > 1:
        return _conv_as_shifts if kernel.shape[-2] == 1 else _conv_of_groups
    if max(window) == 1:
        return _conv_as_product
    if len(window) > 2:
        return _conv_of_planes
    if any(k > n or k > (o - 1) * s + 1 for k, n, o, s in zip(window, x.shape[1:-1], output, strides, strict=True)):
        return _conv_as_patches
    return _conv


def _output_sizes(sizes, window, strides, padding, dilation):
    return [(n + low + high - (k - 1) * d - 1) // s + 1 for n, k, s, (low, high), d in zip(sizes, window, strides, padding, dilation, strict=True)]


def _shifts(x, window, strides, padding, dilation):
    """For each place in a window, what it sees of `x` as the window moves: arrays of (N, *output, C)."""
    output = _output_sizes(x.shape[1:-1], window, strides, padding, dilation)
    x = _pad(x, ((0, 0, 0), *((low, high, 0) for low, high in padding), (0, 0, 0)))
    for place in itertools.product(*map(range, window)):
        starts = [i * d for i, d in zip(place, dilation, strict=True)]
        stops = [start + (n - 1) * s + 1 for start, n, s in zip(starts, output, strides, strict=True)]
        yield lax.slice(x, (0, *starts, 0), (x.shape[0], *stops, x.shape[-1]), (1, *strides, 1))


def _conv_as_product(x, kernel, strides, padding, dilation, groups):
    """A window of one place is a dense layer."""
    (seen,) = _shifts(x, kernel.shape[:-2], strides, padding, dilation)
    return matmul(seen, kernel.reshape(kernel.shape[-2:]))


def _conv_as_patches(x, kernel, strides, padding, dilation, groups):
    """One product over all that the windows see; worth its memory where maps are smaller than the kernel."""
    patches = lax.concatenate(list(_shifts(x, kernel.shape[:-2], strides, padding, dilation)), x.ndim - 1)
    return matmul(patches, kernel.reshape(-1, kernel.shape[-1]))


def _conv_as_shifts(x, kernel, strides, padding, dilation, groups):
    """Depthwise: the kernel's places one by one, each a product by element."""
    if kernel.shape[-1] > groups:
        x = jnp.repeat(x, kernel.shape[-1] // groups, -1)
    return _depthwise(strides, padding, dilation)(x, kernel.reshape(*kernel.shape[:-2], -1))


@functools.cache
def _depthwise(strides, padding, dilation):
    """The function of `x` and a kernel (*window, channels)."""
    rank = len(strides)

    def forward(x, kernel):
        x = lax.optimization_barrier(_pad(x, ((0, 0, 0), *((low, high, 0) for low, high in padding), (0, 0, 0))))
        shifts = _shifts(x, kernel.shape[:-1], strides, ((0, 0),) * rank, dilation)
        return _weighted(shifts, kernel.reshape(-1, kernel.shape[-1])), (x, kernel)

    def backward(kept, gradient):
        x, kernel = kept
        steps = dilation
        if math.prod(strides) > 1 and math.prod(dilation) > 1:
            steps, kernel = (1,) * rank, _pad(kernel, [*((0, 0, d - 1) for d in dilation), (0, 0, 0)])
        taps = [-(-k // s) for k, s in zip(kernel.shape, strides, strict=False)]
        before, ends, crops = [], [], []
        for n, o, (low, high), s, t, d in zip(x.shape[1:-1], gradient.shape[1:-1], padding, strides, taps, steps, strict=True):
            first = min(low // s, (t - 1) * d)  # the places of padding that are left out, in strides
            before.append((t - 1) * d - first)
            ends.append((before[-1], max(0, -(-(n - high) // s) - o), 0))
            crops.append(slice(low - first * s, n - high - first * s))
        output, gradient = gradient.shape, lax.optimization_barrier(_pad(gradient, [(0, 0, 0), *ends, (0, 0, 0)]))
        by_x = _depthwise_input_gradient(gradient, kernel, strides, steps, taps)[(slice(None), *crops)]
        return by_x, _depthwise_kernel_gradient(x, kept[1].shape, gradient, before, output, strides, dilation)

    return with_gradient(lambda x, kernel: forward(x, kernel)[0], forward, backward)


def _depthwise_input_gradient(gradient, kernel, strides, dilation, taps):
    """Of the padded gradient: every `stride` places see the same of it, each by weights of its own, as axes after those of the places."""
    rank, channels = len(strides), kernel.shape[-1]
    shifts = _shifts(gradient, taps, (1,) * rank, ((0, 0),) * rank, dilation)
    if math.prod(strides) == 1:
        return _weighted(shifts, lax.rev(kernel, range(rank)).reshape(-1, channels))
    kernel = _pad(kernel, [*((0, t * s - k, 0) for t, s, k in zip(taps, strides, kernel.shape, strict=False)), (0, 0, 0)])
    kernel = kernel.reshape(*(n for pair in zip(taps, strides, strict=True) for n in pair), channels)
    weights = jnp.moveaxis(lax.rev(kernel, range(0, 2 * rank, 2)), range(0, 2 * rank, 2), range(rank))  # (*taps, *strides, channels)
    weights = weights.reshape(-1, *(n for s in strides for n in (1, s)), channels)
    total = _weighted([jnp.expand_dims(seen, range(2, 2 * rank + 1, 2)) for seen in shifts], weights)
    return total.reshape(total.shape[0], *(n * s for n, s in zip(total.shape[1:-1:2], strides, strict=True)), channels)


def _weighted(shifts, weights):
    """The sum of what the places of a window see, each times its weights."""
    return functools.reduce(lax.add, [seen * weight for seen, weight in zip(shifts, weights, strict=True)])


def _depthwise_kernel_gradient(x, shape, gradient, before, output, strides, dilation):
    """For each place of the kernel a total of the size of an output, to which example after example is added: long sums by element are fast.

    The gradient has `before` zeros before it on each axis. What is done to both is done example by example: before the loop it would be a copy.
    """
    form, channels, rank = output[1:], shape[-1], len(strides)
    flat = channels < _ROW and strides[-1] == 1  # a row with its channels as one long axis
    steps = (*dilation[:-1], dilation[-1] * channels) if flat else dilation

    def add_example(totals, example):
        x, gradient = example
        gradient = gradient[tuple(slice(low, low + n) for low, n in zip(before, form, strict=False))]
        if flat:
            x, gradient = x.reshape(*x.shape[:-2], -1, 1), gradient.reshape(totals[0].shape)
        shifts = _shifts(x[None], shape[:-1], strides, ((0, 0),) * rank, steps)
        return [total + seen.reshape(total.shape) * gradient for total, seen in zip(totals, shifts, strict=True)], None

    totals = [jnp.zeros((*form[:-2], form[-2] * channels) if flat else form, x.dtype)] * math.prod(shape[:-1])
    totals, _ = lax.scan(add_example, totals, (x, gradient))
    return jnp.stack([total.reshape(form).sum(range(rank)) for total in totals]).reshape(shape)


def _pad(x, widths, value=0):
    return lax.pad(x, jnp.asarray(value, x.dtype), widths)


def _conv_of_groups(x, kernel, strides, padding, dilation, groups):
    """Each group by itself."""
    parts = zip(jnp.split(x, groups, -1), jnp.split(kernel, groups, -1), strict=True)
    return lax.concatenate([conv(part, weights, strides, padding, dilation, 1) for part, weights in parts], x.ndim - 1)


def _conv_of_planes(x, kernel, strides, padding, dilation, groups):
    """In three dimensions: one convolution of planes, which has the planes that a window covers side by side as its channels."""
    depth, channels, filters = kernel.shape[0], *kernel.shape[-2:]
    (stride, *strides), (ends, *padding), (step, *dilation) = strides, padding, dilation
    ones = (1,) * len(strides)
    planes = lax.concatenate(list(_shifts(x, (depth, *ones), (stride, *ones), (ends, *[(0, 0)] * len(ones)), (step, *ones))), x.ndim - 1)
    kernel = jnp.moveaxis(kernel, 0, -3).reshape(*kernel.shape[1:-2], depth * channels, filters)
    y = conv(planes.reshape(-1, *planes.shape[2:]), kernel, strides, padding, dilation, 1)
    return y.reshape(*planes.shape[:2], *y.shape[1:])


def _conv(x, kernel, strides, padding, dilation, groups):
    return _conv_of(strides, padding, dilation)(x, kernel)


@functools.cache
def _conv_of(strides, padding, dilation):
    """A convolution whose gradients are convolutions in the order of axes that XLA runs fast; it reorders by itself only outside loops."""

    def function(x, kernel):
        return plain_conv(*_widened(x, kernel), strides, padding, dilation)[..., : kernel.shape[-1]]

    def backward(kept, gradient):
        x, kernel = kept
        by_x = _conv_input_gradient(x.shape, kernel, gradient, strides, padding, dilation)
        return by_x, _conv_kernel_gradient(x, kernel.shape, gradient, strides, padding, dilation)

    return with_gradient(function, lambda x, kernel: (function(x, kernel), (x, kernel)), backward)


def _widened(x, kernel):
    """`x` and `kernel` with zeros for further channels and filters: of few, XLA's fast kernels take 1 or fours of channels, and from some filters on."""
    *window, channels, filters = kernel.shape
    odd = channels > 1 and channels % 4
    if len(window) != 2 or channels > _CHANNELS or filters >= (_FILTERS[1] if odd else _FILTERS[0]):
        return x, kernel
    more = -channels % 4 if odd else 0
    x = _pad(x, [*[(0, 0, 0)] * (x.ndim - 1), (0, more, 0)])
    return x, _pad(kernel, [*[(0, 0, 0)] * len(window), (0, more, 0), (0, max(0, 32 - filters), 0)])


def _conv_input_gradient(shape, kernel, gradient, strides, padding, dilation):
    """The gradient spread by the strides, convolved with the kernel turned round."""
    rank = len(strides)
    ends = _input_gradient_ends(shape, kernel.shape, gradient.shape, strides, padding, dilation)
    turned = jnp.swapaxes(lax.rev(kernel, range(rank)), -1, -2)
    return plain_conv(gradient, turned, (1,) * rank, ends, dilation, input_dilation=strides)


def _input_gradient_ends(shape, kernel, gradient, strides, padding, dilation):
    """What to pad the spread gradient with, for the gradient by an input of `shape`."""
    sizes = zip(shape[1:-1], kernel, strides, padding, dilation, gradient[1:-1], strict=False)
    return tuple(((k - 1) * d - low, n + low - (o - 1) * s - 1) for n, k, s, (low, _), d, o in sizes)


_NUMBERS, _PLACES, _EXAMPLES = 2**18, 2**13, 16  # what a sum may go over without falling out of the cache: of both factors, of each map, of all


def _conv_kernel_gradient(x, shape, gradient, strides, padding, dilation):
    """The input convolved with the gradient, with channels as the batch and the batch as channels: a few examples, or rows of them, at a time."""
    if shape[-1] < shape[-2] and max(*strides, *dilation) == 1:  # the other way round, since few filters are slow
        ends = tuple((k - 1 - low, k - 1 - high) for k, (low, high) in zip(shape, padding, strict=False))
        turned = _conv_kernel_gradient(gradient, (*shape[:-2], *shape[:-3:-1]), x, strides, ends, dilation)
        return jnp.swapaxes(lax.rev(turned, range(len(strides))), -1, -2)
    batch, rows, *columns = gradient.shape[:-1]
    if any(o > n for o, n in zip((rows, *columns), x.shape[1:-1], strict=True)):  # a window wider than the map: its zeros are to lie in memory
        x = lax.optimization_barrier(_pad(x, ((0, 0, 0), *((low, high, 0) for low, high in padding), (0, 0, 0))))
        padding = ((0, 0),) * len(padding)
    most, row = min(_PLACES, _NUMBERS // sum(shape[-2:])), math.prod(columns)
    if batch > 1 and batch * rows * row > most:
        whole = most // (rows * row)
        few = whole < 1 or whole < 4 and shape[-1] < _FILTERS[0]  # too few examples for XLA's loops over them: of more of them some rows
        examples = _share(batch, min(batch, _EXAMPLES, _EXAMPLES if few else whole))
        if examples < batch:
            return _summed(lambda x, gradient: _conv_kernel_gradient(x, shape, gradient, strides, padding, dilation), (x, gradient), -(-batch // examples))
    if rows > 1 and batch * rows * row > most:
        return _of_rows(x, shape, gradient, strides, padding, dilation, -(-rows // max(1, most // (batch * row))))
    return _of_all(x, shape, gradient, strides, padding, dilation)


def _share(count, most):
    """As many of `count` at a time as `most` allows, and so that none are left over where that is at least half as many."""
    return next((n for n in range(most, most // 2, -1) if count % n == 0), most)


def _of_all(x, shape, gradient, strides, padding, dilation):
    x, gradient = jnp.swapaxes(x, 0, -1), jnp.moveaxis(gradient, 0, -2)
    sizes = zip(x.shape[1:-1], shape, strides, padding, dilation, gradient.shape, strict=False)
    ends = [(low, (o - 1) * s + (k - 1) * d + 1 - n - low) for n, k, s, (low, _), d, o in sizes]
    return jnp.moveaxis(plain_conv(x, gradient, dilation, ends, strides), 0, -2)


def _summed(function, arrays, parts):
    """The sum of `function` over `parts` parts of the arrays' first axis."""
    size = -(-arrays[0].shape[0] // parts)
    parts = -(-arrays[0].shape[0] // size)
    over = parts * size - arrays[0].shape[0]
    arrays = [_pad(x, [(0, over, 0), *[(0, 0, 0)] * (x.ndim - 1)]) if over else x for x in arrays]
    arrays = [x.reshape(parts, size, *x.shape[1:]) for x in arrays]
    form = jax.eval_shape(function, *(x[0] for x in arrays))
    return lax.scan(lambda total, part: (total + function(*part), None), jnp.zeros(form.shape, form.dtype), arrays)[0]


def _of_rows(x, shape, gradient, strides, padding, dilation, parts):
    """As `_of_all`, some rows of the gradient at a time."""
    rows, rank = gradient.shape[1], len(strides)
    at_once = -(-rows // parts)
    height = (at_once - 1) * strides[0] + (shape[0] - 1) * dilation[0] + 1
    (low, _), *rest = padding
    bottom = (parts * at_once - 1) * strides[0] + (shape[0] - 1) * dilation[0] + 1 - x.shape[1] - low
    none = [(0, 0, 0)] * rank
    x = _pad(x, [(0, 0, 0), (low, bottom, 0), *none])
    gradient = _pad(gradient, [(0, 0, 0), (0, parts * at_once - rows, 0), *none])

    def add_part(total, i):
        seen = lax.dynamic_slice_in_dim(x, i * (at_once * strides[0]), height, 1)
        part = lax.dynamic_slice_in_dim(gradient, i * at_once, at_once, 1)
        return total + _of_all(seen, shape, part, strides, ((0, 0), *rest), dilation), None

    return lax.scan(add_part, jnp.zeros(shape, x.dtype), jnp.arange(parts))[0]


# Windows


def max_pool(x, size, strides, padding):
    floating = jnp.issubdtype(x.dtype, jnp.floating)
    least = -np.inf if floating else jnp.iinfo(x.dtype).min
    if floating and tuple(size) == tuple(strides):
        return _max_apart(tuple(size))(_pad(x, ((0, 0, 0), *((low, high, 0) for low, high in padding), (0, 0, 0)), least))
    return _pool(x, size, strides, padding, least, lambda best, part: jnp.where((part > best) | (part != part), part, best))


@functools.cache
def _max_apart(size):
    """The greatest of each of windows that lie side by side; its gradient is one pass over the input."""
    rank = len(size)

    def function(x):
        return _pool(x, size, size, ((0, 0),) * rank, -np.inf, lax.max)

    def backward(kept, gradient):
        x, y = kept
        parts, found = [], None
        for place in itertools.product(*map(range, size)):  # the first that is the greatest, or no number, gets the gradient
            part = lax.slice(
                x, (0, *place, 0), (x.shape[0], *(i + (o - 1) * n + 1 for i, o, n in zip(place, y.shape[1:-1], size, strict=True)), x.shape[-1]), (1, *size, 1)
            )
            hit = (part == y) | (part != part)
            parts.append(jnp.where(hit if found is None else hit & ~found, gradient, 0))
            found = hit if found is None else hit | found
        for axis in range(rank, 0, -1):
            n, form = size[axis - 1], list(parts[0].shape)
            form[axis] *= n
            parts = [jnp.stack(parts[i : i + n], axis + 1).reshape(form) for i in range(0, len(parts), n)]
        return (_pad(parts[0], [(0, n - m, 0) for n, m in zip(x.shape, parts[0].shape, strict=True)]),)

    def forward(x):
        y = function(x)
        return y, (x, y)

    return with_gradient(function, forward, backward)


def sum_pool(x, size, strides, padding):
    return _pool(x, size, strides, padding, 0, lax.add)


def _pool(x, size, strides, padding, neutral, combine):
    """Windows as strided slices combined axis by axis. Of equal greatest values the first gets the gradient, and NaN wins, as in the plain form."""
    x = _pad(x, ((0, 0, 0), *((low, high, 0) for low, high in padding), (0, 0, 0)), neutral)
    for axis in range(len(size), 0, -1):
        window, stride = size[axis - 1], strides[axis - 1]
        reach = (x.shape[axis] - window) // stride * stride + 1
        x = functools.reduce(combine, [lax.slice_in_dim(x, i, i + reach, stride, axis) for i in range(window)])
    return x
