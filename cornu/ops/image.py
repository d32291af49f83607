"""Ops on images: (batch, height, width, channels) or one (height, width, channels); channels first where `data_format` says so."""

import math

import numpy as np

from cornu import dtypes, settings, shapes
from cornu.backends import array, canonical, kind
from cornu.backends import protocol as p
from cornu.ops.convolve import conv
from cornu.ops.dispatch import op
from cornu.ops.elementwise import add, divide, equal, greater, maximum, minimum, mod, multiply, subtract, where
from cornu.ops.elementwise import round as _round
from cornu.ops.making import cast
from cornu.ops.shaping import expand_dims, moveaxis, pad
from cornu.shapes import unknown


def _space(images, data_format, op):
    """The places of height, width and channels among the axes."""
    if images.ndim not in (3, 4):
        raise ValueError(f"{op}: wanted one image of 3 axes or a batch of 4; got the shape {shapes.public(images.shape)}.")
    first = settings.standardize_data_format(data_format) == "channels_first"
    n = images.ndim
    return (n - 2, n - 1, n - 3) if first else (n - 3, n - 2, n - 1)


# How much each sample counts at a distance from where it stands, in samples.
_KERNELS = {
    "bilinear": lambda x: np.maximum(0, 1 - np.abs(x)),
    "bicubic": lambda x: _cubic(np.abs(x)),
    "lanczos3": lambda x: _lanczos(x, 3),
    "lanczos5": lambda x: _lanczos(x, 5),
}


def _cubic(x):
    """Keys, "Cubic convolution interpolation for digital image processing", 1981, with a = -1/2."""
    inner, outer = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, inner, np.where(x < 2, outer, 0))


def _lanczos(x, radius):
    return np.where(np.abs(x) < radius, np.sinc(x) * np.sinc(x / radius), 0)


def _weights(size, new, interpolation, antialias):
    """(size, new): how much each old place counts for each new one; pixels are centred at halves."""
    scale = new / size
    stretch = max(1 / scale, 1) if antialias else 1
    place = (np.arange(new) + 0.5) / scale - 0.5
    weights = _KERNELS[interpolation]((np.arange(size)[:, None] - place) / stretch)
    total = weights.sum(0, keepdims=True)
    return np.where(np.abs(total) > 1e-6, weights / np.where(total == 0, 1, total), 0)


@op
def resize(
    images,
    size,
    interpolation="bilinear",
    antialias=False,
    crop_to_aspect_ratio=False,
    pad_to_aspect_ratio=False,
    fill_mode="constant",
    fill_value=0.0,
    data_format=None,
):
    """Images in another size.

    Args:
        size: (height, width) of the result.
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5".
        antialias: whether the image is smoothed before it shrinks.
        crop_to_aspect_ratio: whether what does not fit the new proportions is cut off, equally on both sides.
        pad_to_aspect_ratio: whether the proportions stay and `fill_value` fills the rest, equally on both sides.
        fill_mode: "constant" is the only one.

    Raises:
        ValueError: another interpolation or fill mode, or both ways to keep proportions.
    """
    if interpolation not in ("nearest", *_KERNELS):
        raise ValueError(f"resize: interpolation must be one of nearest, {', '.join(_KERNELS)}; got {interpolation!r}.")
    if fill_mode != "constant":
        raise ValueError(f"resize: fill_mode must be 'constant'; got {fill_mode!r}.")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("resize: only one of crop_to_aspect_ratio and pad_to_aspect_ratio may be True.")
    if len(size) != 2:
        raise ValueError(f"resize: size is (height, width); got {size!r}.")
    height, width, _ = _space(images, data_format, "resize")
    size = tuple(int(n) for n in size)
    old = images.shape[height], images.shape[width]
    if crop_to_aspect_ratio and not any(map(unknown, old)):
        rows, columns = min(old[0], old[1] * size[0] // size[1]), min(old[1], old[0] * size[1] // size[0])
        images = _cut(images, height, (old[0] - rows) // 2, rows)
        images = _cut(images, width, (old[1] - columns) // 2, columns)
    if pad_to_aspect_ratio and not any(map(unknown, old)):
        rows, columns = max(old[0], old[1] * size[0] // size[1]), max(old[1], old[0] * size[1] // size[0])
        widths = [(0, 0)] * images.ndim
        for axis, have, want in ((height, old[0], rows), (width, old[1], columns)):
            widths[axis] = ((want - have) // 2,) * 2  # equally: an odd one too few is stretched, as Keras does
        images = pad(images, widths, constant_values=fill_value)
    dtype = kind(images)
    x = images if interpolation == "nearest" else cast(images, canonical(dtypes.to_float(dtype)))
    for axis, new in ((height, size[0]), (width, size[1])):
        x = _resized(x, axis, new, interpolation, antialias)
    if kind(x) == dtype:
        return x
    low, high = (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return cast(minimum(maximum(_round(x), float(low)), float(high)), dtype)


def _cut(images, axis, start, size):
    n = images.ndim
    return p.slice(images, [start if i == axis else 0 for i in range(n)], [start + size if i == axis else None for i in range(n)], [1] * n)


def _resized(x, axis, new, interpolation, antialias):
    size = x.shape[axis]
    if unknown(size):
        return shapes.Spec((*x.shape[:axis], new, *x.shape[axis + 1 :]), kind(x))
    if size == new:
        return x
    if interpolation == "nearest":
        places = np.minimum(np.floor((np.arange(new) + 0.5) * size / new), size - 1).astype("int32")
        return p.take(x, array(places), axis)
    weights = array(_weights(size, new, interpolation, antialias).astype(kind(x)))
    return moveaxis(p.matmul(moveaxis(x, axis, -1), weights), -1, axis)


def _bounds(before, after, target, size, axis, op):
    """How much goes (or comes) before and after, from two of the three that a user gives."""
    given = [n is not None for n in (before, after, target)]
    if sum(given) != 2:
        raise ValueError(f"{op}: give two of the amounts before and after {axis} and the target {axis}; got {before}, {after} and {target}.")
    if target is None:
        return before, after
    if unknown(size):
        raise ValueError(f"{op}: a target {axis} needs images of a known {axis}.")
    change = abs(target - size)
    return (before, change - before) if after is None else (change - after, after)


@op
def pad_images(images, top_padding=None, left_padding=None, bottom_padding=None, right_padding=None, target_height=None, target_width=None, data_format=None):
    """Zeros around images: give two of top, bottom and target height, and two of left, right and target width."""
    height, width, _ = _space(images, data_format, "pad_images")
    widths = [(0, 0)] * images.ndim
    widths[height] = _bounds(top_padding, bottom_padding, target_height, images.shape[height], "height", "pad_images")
    widths[width] = _bounds(left_padding, right_padding, target_width, images.shape[width], "width", "pad_images")
    return pad(images, widths)


@op
def crop_images(
    images, top_cropping=None, left_cropping=None, bottom_cropping=None, right_cropping=None, target_height=None, target_width=None, data_format=None
):
    """Images without their edges: give two of top, bottom and target height, and two of left, right and target width."""
    height, width, _ = _space(images, data_format, "crop_images")
    for axis, name, before, after, target in (
        (height, "height", top_cropping, bottom_cropping, target_height),
        (width, "width", left_cropping, right_cropping, target_width),
    ):
        before, after = _bounds(before, after, target, images.shape[axis], name, "crop_images")
        if before < 0 or after < 0:
            raise ValueError(f"crop_images: the amounts must be at least 0; got {before} and {after} on the {name}.")
        images = _cut(images, axis, before, images.shape[axis] - before - after)
    return images


@op
def rgb_to_grayscale(images, data_format=None):
    """Brightness of red, green and blue: 0.2989 R + 0.587 G + 0.114 B, on one channel.

    Source: ITU-R BT.601.
    """
    *_, channels = _space(images, data_format, "rgb_to_grayscale")
    x = moveaxis(cast(images, canonical(dtypes.to_float(kind(images)))), channels, -1)
    shapes.same(x.shape[-1], 3, f"rgb_to_grayscale: the channels of {shapes.public(images.shape)} must be 3")
    out = moveaxis(p.matmul(x, array(np.array([[0.2989], [0.587], [0.114]], kind(x)))), -1, channels)
    return cast(out, kind(images))


def _channels(images, data_format, op):
    *_, channels = _space(images, data_format, op)
    if not dtypes.is_float(kind(images)):
        raise ValueError(f"{op}: wanted floats from 0 to 1; got {kind(images)}.")
    x = moveaxis(images, channels, -1)
    shapes.same(x.shape[-1], 3, f"{op}: the channels of {shapes.public(images.shape)} must be 3")
    return [p.getitem(x, (..., i)) for i in range(3)], lambda parts: moveaxis(p.concatenate([expand_dims(v, -1) for v in parts], x.ndim - 1), -1, channels)


@op
def rgb_to_hsv(images, data_format=None):
    """Red, green, blue to hue, saturation, value; all from 0 to 1 (hue in turns).

    Source: Smith, "Color Gamut Transform Pairs", 1978.
    """
    (r, g, b), join = _channels(images, data_format, "rgb_to_hsv")
    value = maximum(maximum(r, g), b)
    spread = subtract(value, minimum(minimum(r, g), b))
    gray = equal(spread, 0)
    safe = where(gray, 1.0, spread)
    hue = where(
        equal(value, r), divide(subtract(g, b), safe), where(equal(value, g), add(divide(subtract(b, r), safe), 2.0), add(divide(subtract(r, g), safe), 4.0))
    )
    hue = where(gray, 0.0, mod(divide(hue, 6.0), 1.0))
    return join([hue, where(greater(value, 0), divide(spread, where(greater(value, 0), value, 1.0)), 0.0), value])


@op
def hsv_to_rgb(images, data_format=None):
    """Hue, saturation, value to red, green, blue; all from 0 to 1 (hue in turns)."""
    (hue, saturation, value), join = _channels(images, data_format, "hsv_to_rgb")

    def part(shift):
        k = mod(add(multiply(hue, 6.0), shift), 6.0)
        return subtract(value, multiply(multiply(value, saturation), maximum(minimum(minimum(k, subtract(4.0, k)), 1.0), 0.0)))

    return join([part(5.0), part(3.0), part(1.0)])


@op
def extract_patches(images, size, strides=None, dilation_rate=1, padding="valid", data_format=None):
    """The patches of images, each flat on the channel axis.

    Shape: (batch, height, width, channels) -> (batch, rows, columns, patch height * patch width * channels).
    """
    *_, channels = _space(images, data_format, "extract_patches")
    size = (size, size) if isinstance(size, int) else tuple(size)
    count = images.shape[channels]
    single = images.ndim == 3
    x = expand_dims(images, 0) if single else images
    places = math.prod(size) * count
    kernel = array(np.eye(places, dtype=kind(images)).reshape(*size, count, places))
    out = conv(x, kernel, strides=size if strides is None else strides, padding=padding, data_format=data_format, dilation_rate=dilation_rate)
    return p.reshape(out, tuple(out.shape[1:])) if single else out
