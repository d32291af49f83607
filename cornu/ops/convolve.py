"""Convolutions and pooling. Images are channels-last inside; channels-first ones are turned on the way in and out."""

import math

import numpy as np

from cornu import dtypes, settings, shapes
from cornu.backends import array, canonical, kind
from cornu.backends import protocol as p
from cornu.ops.dispatch import op, settle
from cornu.ops.elementwise import divide
from cornu.ops.making import cast
from cornu.shapes import Spec, unknown


def channels_last(x, data_format):
    """`x` with its channels last, and the function that puts a result's channels where those of `x` were."""
    if settings.standardize_data_format(data_format) == "channels_last" or x.ndim < 3:
        return x, lambda y: y
    order = range(1, x.ndim - 1)
    return p.transpose(x, (0, *(i + 1 for i in order), 1)), lambda y: p.transpose(y, (0, y.ndim - 1, *order))


def _each(value, rank, name, op):
    """A number for each spatial axis."""
    values = (value,) * rank if hasattr(value, "__index__") else tuple(value)
    if len(values) != rank or any(n < 1 for n in values):
        raise ValueError(f"{op}: {name} is a whole number from 1 up, or {rank} of them; got {value!r}.")
    return tuple(int(n) for n in values)


def _images(x, op):
    if not 3 <= x.ndim <= 5:
        raise ValueError(f"{op}: wanted (batch, 1 to 3 spatial axes, channels); got the shape {shapes.public(x.shape)}.")
    return x.ndim - 2


def _fits(x, window, pairs, dilation, op):
    """Raise where a window is longer than the padded axis: engines differ in what they make of it."""
    for size, length, ends, step in zip(x.shape[1:-1], window, pairs, dilation, strict=True):
        shapes.window(size, length, 1, ends, step, op)


@op(tensors=2)
def conv(inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    """Convolution over 1, 2 or 3 spatial axes (without flipping the kernel).

    Args:
        kernel: (*window, channels / groups, filters); fewer channels than the inputs have make groups.
        strides: places from one window to the next, one number or one a spatial axis.
        padding: "valid" (none), "same" (as many results as there are places, divided by the stride, rounded up), or (low, high) pairs.
        dilation_rate: places from one element of the window to the next.

    Shape: (batch, *space, channels) -> (batch, *space, filters); channels second where `data_format` is "channels_first".

    >>> ops.conv(ops.ones((1, 4, 1)), ops.ones((2, 1, 1))).tolist()
    [[[2.0], [2.0], [2.0]]]

    Raises:
        ValueError: the channels do not fit the kernel, or the window does not fit the image.
    """
    (inputs, kernel), _ = settle(inputs, array(kernel))
    rank = _images(inputs, "conv")
    if kernel.ndim != rank + 2:
        raise ValueError(f"conv: the kernel needs {rank + 2} axes (*window, channels, filters); got the shape {shapes.public(kernel.shape)}.")
    x, back = channels_last(inputs, data_format)
    strides, dilation = _each(strides, rank, "strides", "conv"), _each(dilation_rate, rank, "dilation_rate", "conv")
    groups = _groups(x, kernel, inputs)
    pairs = shapes.paddings(padding, x.shape[1:-1], kernel.shape[:-2], strides, dilation, "conv")
    _fits(x, kernel.shape[:-2], pairs, dilation, "conv")
    return back(p.conv(x, kernel, strides, pairs, dilation, groups))


def _groups(x, kernel, inputs):
    channels, part, filters = x.shape[-1], kernel.shape[-2], kernel.shape[-1]
    if unknown(channels):
        return 1
    if not part or channels % part or filters % (channels // part):
        raise ValueError(
            f"conv: inputs of the shape {shapes.public(inputs.shape)} have {channels} channels, the kernel {shapes.public(kernel.shape)} takes "
            f"{part}: wanted the same number, or for groups a divisor of it that makes the {filters} filters a multiple of the groups."
        )
    return channels // part


@op(tensors=2)
def depthwise_conv(inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    """Convolution of every channel by itself, with `multiplier` filters each.

    Args:
        kernel: (*window, channels, multiplier).

    Shape: (batch, *space, channels) -> (batch, *space, channels * multiplier). The other arguments are those of `conv`.

    >>> ops.depthwise_conv(ops.ones((1, 4, 4, 2)), ops.ones((2, 2, 2, 1))).shape
    (1, 3, 3, 2)
    """
    (inputs, kernel), _ = settle(inputs, array(kernel))
    rank = _images(inputs, "depthwise_conv")
    if kernel.ndim != rank + 2:
        raise ValueError(f"depthwise_conv: the kernel needs {rank + 2} axes (*window, channels, multiplier); got the shape {shapes.public(kernel.shape)}.")
    x, back = channels_last(inputs, data_format)
    *window, channels, multiplier = kernel.shape
    shapes.same(x.shape[-1], channels, f"depthwise_conv: the channels of {shapes.public(inputs.shape)} and of the kernel {shapes.public(kernel.shape)}")
    strides, dilation = _each(strides, rank, "strides", "depthwise_conv"), _each(dilation_rate, rank, "dilation_rate", "depthwise_conv")
    pairs = shapes.paddings(padding, x.shape[1:-1], window, strides, dilation, "depthwise_conv")
    _fits(x, window, pairs, dilation, "depthwise_conv")
    return back(p.conv(x, p.reshape(kernel, (*window, 1, channels * multiplier)), strides, pairs, dilation, channels))


@op(tensors=3)
def separable_conv(inputs, depthwise_kernel, pointwise_kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    """`depthwise_conv` with one kernel, then a 1 x 1 `conv` with the other, (1, ..., channels * multiplier, filters).

    >>> ops.separable_conv(ops.ones((1, 4, 4, 2)), ops.ones((2, 2, 2, 1)), ops.ones((1, 1, 2, 3))).shape
    (1, 3, 3, 3)
    """
    x = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return conv(x, pointwise_kernel, 1, "valid", data_format)


@op(tensors=2)
def conv_transpose(inputs, kernel, strides=1, padding="valid", output_padding=None, data_format=None, dilation_rate=1):
    """Transposed convolution: the gradient of `conv` by its inputs, which makes images larger by the strides.

    Args:
        kernel: (*window, filters, channels).
        output_padding: how much longer than the shortest possible the result is, from 0 to stride - 1; None gives size * stride with
            "same" and size * stride + max(window - stride, 0) with "valid".

    Shape: (batch, *space, channels) -> (batch, *space, filters).

    >>> ops.conv_transpose(ops.ones((1, 4, 1)), ops.ones((2, 1, 1)), 2).shape
    (1, 8, 1)

    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, section 4.
    """
    (inputs, kernel), _ = settle(inputs, array(kernel))
    rank = _images(inputs, "conv_transpose")
    if kernel.ndim != rank + 2:
        raise ValueError(f"conv_transpose: the kernel needs {rank + 2} axes (*window, filters, channels); got the shape {shapes.public(kernel.shape)}.")
    x, back = channels_last(inputs, data_format)
    shapes.same(x.shape[-1], kernel.shape[-1], f"conv_transpose: the channels of {shapes.public(inputs.shape)} and of the kernel {shapes.public(kernel.shape)}")
    strides, dilation = _each(strides, rank, "strides", "conv_transpose"), _each(dilation_rate, rank, "dilation_rate", "conv_transpose")
    extra = (output_padding,) * rank if output_padding is None or hasattr(output_padding, "__index__") else tuple(output_padding)
    pairs = [transposed_padding(*args, padding) for args in zip(kernel.shape[:-2], strides, dilation, extra, strict=True)]
    if max(strides) > 1 and max(dilation) == 1:
        return back(_by_phases(x, kernel, strides, pairs))
    x = p.dilate(x, (1, *strides, 1)) if max(strides) > 1 else x
    kernel = p.flip(p.transpose(kernel, (*range(rank), rank + 1, rank)), tuple(range(rank)))
    crops = [(min(low, 0), min(high, 0)) for low, high in pairs]
    if any(low or high for low, high in crops):
        x = p.slice(x, [0, *(-low for low, _ in crops), 0], [None, *(high or None for _, high in crops), None], [1] * x.ndim)
    return back(p.conv(x, kernel, (1,) * rank, [(max(low, 0), max(high, 0)) for low, high in pairs], dilation, 1))


def _by_phases(x, kernel, strides, pairs):
    """Transposed convolution without the zeros between the places of `x`: what comes `strides` places apart is one convolution with every such place
    of the kernel, and all of them are its filters (Shi et al., "Real-Time Single Image Super-Resolution", 2016, section 3)."""
    rank, (*window, filters, channels) = len(strides), kernel.shape
    counts = [-(-k // s) for k, s in zip(window, strides, strict=True)]
    kernel = p.pad(kernel, [*((0, n * s - k) for n, s, k in zip(counts, strides, window, strict=True)), (0, 0), (0, 0)], 0)
    kernel = p.reshape(kernel, (*(size for pair in zip(counts, strides, strict=True) for size in pair), filters, channels))
    kernel = p.transpose(p.flip(kernel, tuple(range(0, 2 * rank, 2))), (*range(0, 2 * rank, 2), 2 * rank + 1, *range(1, 2 * rank, 2), 2 * rank))
    starts = [k - 1 - low for k, (low, _) in zip(window, pairs, strict=True)]  # in the convolution with all places
    more = [high + 1 - s for s, (_, high) in zip(strides, pairs, strict=True)]  # than the size times the stride
    ends = [(n - 1 - start // s, max(-(-extra // s), 0)) for n, start, s, extra in zip(counts, starts, strides, more, strict=True)]
    y = p.conv(x, p.reshape(kernel, (*counts, channels, math.prod(strides) * filters)), (1,) * rank, ends, (1,) * rank, 1)
    batch, *sizes, _ = y.shape
    y = p.transpose(p.reshape(y, (batch, *sizes, *strides, filters)), (0, *(i for axis in range(1, rank + 1) for i in (axis, axis + rank)), 2 * rank + 1))
    y = p.reshape(y, (batch, *(n * s for n, s in zip(sizes, strides, strict=True)), filters))
    firsts = [start % s for start, s in zip(starts, strides, strict=True)]
    cuts = [extra - high * s or None for s, extra, (_, high) in zip(strides, more, ends, strict=True)]
    return p.slice(y, [0, *firsts, 0], [None, *cuts, None], [1] * y.ndim) if any(firsts) or any(cuts) else y


def transposed_padding(length, stride, dilation, extra, padding):
    """What to put before and after the dilated axis, so that a plain convolution gives the transposed one (negative: to cut off)."""
    if padding.lower() not in ("valid", "same"):
        raise ValueError(f"conv_transpose: padding must be 'valid' or 'same'; got {padding!r}.")
    span = dilation * (length - 1) + 1
    same = padding.lower() == "same"
    if extra is None:
        cut = span - stride if same else min(span - stride, 0)  # how much longer the whole transposed convolution is than the result
    else:
        cut = (2 * (span // 2) if same else 0) - extra
    low = max(cut, 0) // 2
    return span - 1 - low, span - 1 - (cut - low)


def transposed_length(size, length, stride=1, padding="valid", output_padding=None, dilation=1):
    """The size of an axis after `conv_transpose`."""
    low, high = transposed_padding(length, stride, dilation, output_padding, padding)
    return (size - 1) * stride + 1 + low + high - dilation * (length - 1)


# Pooling


def _windows(inputs, pool_size, strides, padding, data_format, op):
    rank = _images(inputs, op)
    x, back = channels_last(inputs, data_format)
    size = _each(pool_size, rank, "pool_size", op)
    strides = size if strides is None else _each(strides, rank, "strides", op)
    pairs = shapes.paddings(padding, x.shape[1:-1], size, strides, (1,) * rank, op)
    _fits(x, size, pairs, (1,) * rank, op)
    return x, back, size, strides, pairs


@op
def max_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    """The largest element of each window.

    Args:
        pool_size: size of the window, one number or one a spatial axis.
        strides: places from one window to the next; the window's size by default.
        padding: "valid" or "same".

    Shape: (batch, *space, channels) -> (batch, *space, channels).

    >>> ops.max_pool(ops.ones((1, 4, 4, 2)), 2).shape
    (1, 2, 2, 2)
    """
    x, back, *window = _windows(inputs, pool_size, strides, padding, data_format, "max_pool")
    return back(p.max_pool(x, *window))


@op
def average_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    """The mean of each window, of those elements that are in the image. See `max_pool`.

    >>> ops.average_pool(ops.ones((1, 4, 4, 2)), 2).shape
    (1, 2, 2, 2)
    """
    inputs = cast(inputs, canonical(dtypes.to_float(kind(inputs))))
    x, back, size, strides, pairs = _windows(inputs, pool_size, strides, padding, data_format, "average_pool")
    total = p.sum_pool(x, size, strides, pairs)
    if all(pair == (0, 0) for pair in pairs):
        return back(p.multiply(total, 1 / math.prod(size)))
    inside = p.full((1, *x.shape[1:-1], 1), 1, kind(x))
    return back(divide(total, p.sum_pool(inside, size, strides, pairs)))


def _bounds(size, parts):
    """Where each of `parts` windows over `size` places begins and ends; they may overlap by one."""
    return [(i * size // parts, -(-(i + 1) * size // parts)) for i in range(parts)]


def _adaptive(inputs, output_size, data_format, name, one):
    rank = _images(inputs, name)
    x, back = channels_last(inputs, data_format)
    for axis, parts in enumerate(_each(output_size, rank, "output_size", name), 1):
        x = one(x, axis, parts)
    return back(x)


@op
def adaptive_average_pool(inputs, output_size, data_format=None):
    """The means of windows placed so that `output_size` of them cover each spatial axis.

    >>> ops.adaptive_average_pool(ops.ones((1, 5, 5, 2)), 2).shape
    (1, 2, 2, 2)
    """

    def one(x, axis, parts):
        size = x.shape[axis]
        if unknown(size):
            return Spec((*x.shape[:axis], parts, *x.shape[axis + 1 :]), x.dtype)
        weights = np.zeros((size, parts), "float32")
        for i, (start, stop) in enumerate(_bounds(size, parts)):
            weights[start:stop, i] = 1 / (stop - start)
        last = p.transpose(x, (*(i for i in range(x.ndim) if i != axis), axis))
        out = p.matmul(last, array(weights, kind(x)))
        order = list(range(x.ndim - 1))
        order.insert(axis, x.ndim - 1)
        return p.transpose(out, tuple(order))

    return _adaptive(cast(inputs, canonical(dtypes.to_float(kind(inputs)))), output_size, data_format, "adaptive_average_pool", one)


@op
def adaptive_max_pool(inputs, output_size, data_format=None):
    """The largest elements of windows placed so that `output_size` of them cover each spatial axis.

    >>> ops.adaptive_max_pool(ops.ones((1, 5, 5, 2)), 2).shape
    (1, 2, 2, 2)
    """

    def one(x, axis, parts):
        size = x.shape[axis]
        if unknown(size):
            return Spec((*x.shape[:axis], parts, *x.shape[axis + 1 :]), x.dtype)
        bounds = _bounds(size, parts)
        longest = max(stop - start for start, stop in bounds)
        places = np.array([[min(start + i, stop - 1) for i in range(longest)] for start, stop in bounds], "int32")
        return p.max(p.take(x, array(places), axis), (axis + 1,), False)

    return _adaptive(inputs, output_size, data_format, "adaptive_max_pool", one)


@op
def unfold(x, kernel_size, dilation=1, padding=0, stride=1):
    """The windows of an image as columns. Shape: (batch, channels, height, width) -> (batch, channels * window, places).

    >>> ops.unfold(ops.ones((1, 2, 4, 4)), 2).shape
    (1, 8, 9)
    """
    shapes.ranked(x.shape, "unfold", 4, 4)
    batch, channels = x.shape[:2]
    size, dilation, stride = (_each(n, 2, name, "unfold") for n, name in ((kernel_size, "kernel_size"), (dilation, "dilation"), (stride, "stride")))
    by = (padding, padding) if hasattr(padding, "__index__") else tuple(padding)
    x = p.pad(x, [(0, 0), (0, 0), (by[0], by[0]), (by[1], by[1])], 0)
    rows, columns = (shapes.window(n, k, s, dilation=d, op="unfold") for n, k, s, d in zip(x.shape[2:], size, stride, dilation, strict=True))
    parts = []
    for i in range(size[0]):
        for j in range(size[1]):
            first, last = (i * dilation[0], j * dilation[1]), ((rows - 1) * stride[0] + 1, (columns - 1) * stride[1] + 1)
            part = p.slice(x, [0, 0, *first], [None, None, first[0] + last[0], first[1] + last[1]], [1, 1, *stride])
            parts.append(p.reshape(part, (batch, channels, 1, rows * columns)))
    return p.reshape(p.concatenate(parts, 2), (batch, channels * math.prod(size), rows * columns))


@op
def fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Windows as columns put back in their places, added where they overlap: the reverse of `unfold`.

    Shape: (batch, channels * window, places) -> (batch, channels, height, width), with `output_size` = (height, width).

    >>> ops.fold(ops.ones((1, 8, 9)), (4, 4), 2).shape
    (1, 2, 4, 4)
    """
    space, size, dilation, stride = (
        _each(n, 2, name, "fold") for n, name in ((output_size, "output_size"), (kernel_size, "kernel_size"), (dilation, "dilation"), (stride, "stride"))
    )
    by = (padding, padding) if hasattr(padding, "__index__") else tuple(padding)
    whole = tuple(n + 2 * b for n, b in zip(space, by, strict=True))
    rows, columns = (shapes.window(n, k, s, dilation=d, op="fold") for n, k, s, d in zip(whole, size, stride, dilation, strict=True))
    shapes.ranked(x.shape, "fold", 3, 3)
    batch, channels, places = x.shape
    if (not unknown(channels) and channels % math.prod(size)) or (not unknown(places) and places != rows * columns):
        raise ValueError(f"fold: wanted (batch, a multiple of {math.prod(size)}, {rows * columns}); got the shape {shapes.public(x.shape)}.")
    channels = channels // math.prod(size)
    parts = p.reshape(x, (batch, channels, math.prod(size), rows, columns))
    total = None
    for k in range(math.prod(size)):
        part = p.slice(parts, [0, 0, k, 0, 0], [None, None, k + 1, None, None], [1] * 5)
        part = p.dilate(p.reshape(part, (batch, channels, rows, columns)), (1, 1, *stride))
        first = [k // size[1] * dilation[0], k % size[1] * dilation[1]]
        last = [n - f - (m - 1) * s - 1 for n, f, m, s in zip(whole, first, (rows, columns), stride, strict=True)]
        part = p.pad(part, [(0, 0), (0, 0), (first[0], last[0]), (first[1], last[1])], 0)
        total = part if total is None else p.add(total, part)
    return p.slice(total, [0, 0, *by], [None, None, by[0] + space[0], by[1] + space[1]], [1] * 4)
