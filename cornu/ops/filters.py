"""What windows see of images: blurred, edges, likeness of two images, patches."""

import math

import numpy as np

from cornu import settings, shapes
from cornu.backends import array, kind
from cornu.backends import protocol as p
from cornu.ops.convolve import conv, depthwise_conv
from cornu.ops.dispatch import op, settle
from cornu.ops.elementwise import add, divide, multiply, square, subtract
from cornu.ops.frame import as_batch, cut, in_floats, space
from cornu.ops.reduce import mean
from cornu.ops.shaping import concatenate, expand_dims, pad, split
from cornu.shapes import unknown


def _bell(size, deviation):
    """`size` weights of a normal distribution about their middle, which sum to 1."""
    weights = np.exp(-0.5 * ((np.arange(size) - (size - 1) / 2) / deviation) ** 2)
    return weights / weights.sum()


def blur(x, rows, columns, padding):
    """A batch with the channels last, weighted by `rows` along the height and by `columns` along the width."""
    if unknown(x.shape[-1]):
        raise ValueError(f"blur: the number of channels must be known; got the shape {shapes.public(x.shape)}.")
    for shape, weights in (((-1, 1, 1, 1), rows), ((1, -1, 1, 1), columns)):
        kernel = np.broadcast_to(np.asarray(weights, "float32").reshape(shape), (*np.reshape(weights, shape).shape[:2], x.shape[-1], 1))
        x = depthwise_conv(x, array(np.ascontiguousarray(kernel), kind(x)), padding=padding, data_format="channels_last")
    return x


def _numbers(value, count, name, op, whole=False):
    """`value` as a tuple of `count` numbers above 0."""
    values = tuple(value) if hasattr(value, "__len__") else (value,) * count
    if len(values) != count or any(not n > 0 or (whole and not hasattr(n, "__index__")) for n in values):
        raise ValueError(f"{op}: {name} must be {count} {'whole ' if whole else ''}numbers above 0; got {value!r}.")
    return values


@op
def gaussian_blur(images, kernel_size=(3, 3), sigma=(1.0, 1.0), data_format=None):
    """Images blurred by a normal distribution cut to `kernel_size`; beyond the edges there is 0.

    Args:
        kernel_size: (height, width) of the window, in pixels.
        sigma: standard deviations along the height and the width, in pixels.

    >>> ops.image.gaussian_blur(ops.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)

    Raises:
        ValueError: a size or a deviation that is not above 0.
    """
    sizes, deviations = _numbers(kernel_size, 2, "kernel_size", "gaussian_blur", True), _numbers(sigma, 2, "sigma", "gaussian_blur")
    x, back = as_batch(images, data_format, "gaussian_blur")
    return back(blur(x, *(_bell(n, float(s)) for n, s in zip(sizes, deviations)), "same"))


@op
def sobel_edges(images, data_format=None):
    """How fast images change downwards and to the right, by Sobel's two windows of 3 by 3; beyond the edges there is 0.

    Shape: (batch, height, width, channels) -> (batch, height, width, channels, 2).

    >>> ops.image.sobel_edges(ops.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3, 2)

    Source: Sobel and Feldman, "A 3x3 isotropic gradient operator for image processing", 1968.
    """
    *plane, _ = space(images, data_format, "sobel_edges")
    x = pad(in_floats(images), [(1, 1) if i in plane else (0, 0) for i in range(images.ndim)])

    def shifted(x, axis):
        return [cut(x, axis, i, x.shape[axis] - 2) for i in range(3)]

    def edges(along, across):
        before, middle, after = shifted(x, across)
        before, _, after = shifted(add(add(before, after), multiply(middle, 2.0)), along)
        return expand_dims(subtract(after, before), -1)

    height, width = plane
    return concatenate([edges(height, width), edges(width, height)], -1)


@op(tensors=2)
def ssim(image1, image2, max_val=1.0, filter_size=11, filter_sigma=1.5, k1=0.01, k2=0.03, data_format=None):
    """How alike two images are, from -1 to 1 (equal), by means, variances and covariance in a Gaussian window.

    Args:
        max_val: the span of the pixels' values: 1.0 for floats from 0 to 1, 255 for bytes.
        filter_size: the window's height and width in pixels; the images are no smaller.
        filter_sigma: the window's standard deviation in pixels.
        k1, k2: small numbers that keep the quotients steady.

    Shape: (batch, height, width, channels) twice -> (batch,).

    >>> ops.image.ssim(ops.ones((1, 16, 16, 3)), ops.ones((1, 16, 16, 3)), 1.0).shape
    (1,)

    Raises:
        ValueError: the shapes differ.

    Source: Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", IEEE TIP 13(4), 2004, equation 13.
    """
    if len(image1.shape) != len(image2.shape):
        raise ValueError(f"ssim: the images must have one shape; got {shapes.public(image1.shape)} and {shapes.public(image2.shape)}.")
    (image1, image2), _ = settle(in_floats(image1), in_floats(array(image2)))
    shapes.broadcast(image1.shape, image2.shape, op="ssim")
    single = image1.ndim == 3
    (x, _), (y, _) = as_batch(image1, data_format, "ssim"), as_batch(image2, data_format, "ssim")
    bell = _bell(*_numbers(filter_size, 1, "filter_size", "ssim", True), float(filter_sigma))
    seen = blur(concatenate([x, y, square(x), square(y), multiply(x, y)], 0), bell, bell, "valid")
    x, y, xx, yy, xy = split(seen, 5, 0)
    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    both, squares = multiply(x, y), add(square(x), square(y))
    light = divide(add(multiply(both, 2.0), c1), add(squares, c1))
    structure = divide(add(multiply(subtract(xy, both), 2.0), c2), add(subtract(add(xx, yy), squares), c2))
    found = mean(multiply(light, structure), (1, 2, 3))
    return p.reshape(found, ()) if single else found


def _patches(x, size, strides, padding, dilation_rate, rank, data_format, op):
    """The windows of a batch, each flat on the channel axis: a convolution that gives each place a channel of its own."""
    size = _numbers(size, rank, "size", op, True)
    channels = x.shape[1 if data_format == "channels_first" else -1]
    if unknown(channels):
        raise ValueError(f"{op}: the number of channels must be known; got the shape {shapes.public(x.shape)}.")
    places = math.prod(size) * channels
    kernel = array(np.eye(places, dtype="float32").reshape(*size, channels, places), kind(x))
    return conv(x, kernel, strides=size if strides is None else strides, padding=padding, data_format=data_format, dilation_rate=dilation_rate)


@op
def extract_patches(images, size, strides=None, dilation_rate=1, padding="valid", data_format=None):
    """The patches of images, each flat on the channel axis.

    Args:
        size: (height, width) of a patch.
        strides: the way from one patch to the next; `size` by default.
        dilation_rate: the way from one pixel of a patch to the next.
        padding: "valid", or "same" for patches that stick out, zeros there.

    Shape: (batch, height, width, channels) -> (batch, rows, columns, patch height * patch width * channels).

    >>> ops.image.extract_patches(ops.ones((1, 4, 4, 3)), 2).shape
    (1, 2, 2, 12)
    """
    return _of_batch(images, 3, data_format, "extract_patches", size, strides, padding, dilation_rate)


@op
def extract_patches_3d(volumes, size, strides=None, dilation_rate=1, padding="valid", data_format=None):
    """The patches of volumes, each flat on the channel axis; see `extract_patches`.

    Args:
        size: (depth, height, width) of a patch.

    Shape: (batch, depth, height, width, channels) -> (batch, layers, rows, columns, patch depth * patch height * patch width * channels).

    >>> ops.image.extract_patches_3d(ops.ones((1, 4, 4, 4, 1)), 2).shape
    (1, 2, 2, 2, 8)
    """
    return _of_batch(volumes, 4, data_format, "extract_patches_3d", size, strides, padding, dilation_rate)


def _of_batch(x, axes, data_format, op, size, strides, padding, dilation_rate):
    if x.ndim not in (axes, axes + 1):
        raise ValueError(f"{op}: wanted {axes} axes, or {axes + 1} for a batch; got the shape {shapes.public(x.shape)}.")
    data_format = settings.standardize_data_format(data_format)
    single = x.ndim == axes
    out = _patches(expand_dims(x, 0) if single else x, size, strides, padding, dilation_rate, axes - 1, data_format, op)
    return p.reshape(out, tuple(out.shape[1:])) if single else out
