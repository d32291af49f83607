"""Where an image's height, width and channels stand; zeros around images and images without their edges."""

import numpy as np

from cornu import dtypes, settings, shapes
from cornu.backends import canonical, kind
from cornu.backends import protocol as p
from cornu.ops.dispatch import op
from cornu.ops.elementwise import maximum, minimum
from cornu.ops.elementwise import round as _round
from cornu.ops.making import cast
from cornu.ops.shaping import expand_dims, moveaxis, pad
from cornu.shapes import unknown


def space(images, data_format, op):
    """The places of height, width and channels among the axes."""
    if images.ndim not in (3, 4):
        raise ValueError(f"{op}: wanted one image of 3 axes or a batch of 4; got the shape {shapes.public(images.shape)}.")
    first = settings.standardize_data_format(data_format) == "channels_first"
    n = images.ndim
    return (n - 2, n - 1, n - 3) if first else (n - 3, n - 2, n - 1)


def as_batch(images, data_format, op):
    """Images as a float batch with the channels last, and a function that turns such a batch back into what came: its form and its type."""
    *_, channels = space(images, data_format, op)
    single = images.ndim == 3
    x = moveaxis(in_floats(images), channels, -1)

    def back(x):
        x = p.reshape(x, tuple(x.shape[1:])) if single else x
        return as_type(moveaxis(x, -1, channels), kind(images))

    return expand_dims(x, 0) if single else x, back


def in_floats(x):
    """`x` in the type to compute in: its own where that is a float, `floatx` for integers."""
    return cast(x, canonical(dtypes.to_float(kind(x))))


def as_type(x, dtype):
    """`x` in the type of the images that it came from: rounded, and kept within the range of integers."""
    if kind(x) == dtype:
        return x
    if dtypes.is_float(dtype):
        return cast(x, dtype)
    low, high = (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return cast(minimum(maximum(_round(x), float(low)), float(high)), dtype)


def cut(images, axis, start, size):
    n = images.ndim
    return p.slice(images, [start if i == axis else 0 for i in range(n)], [start + size if i == axis else None for i in range(n)], [1] * n)


def _bounds(before, after, target, size, axis, op, grows):
    """How much comes (where it `grows`) or goes before and after, from two of the three that a user gives."""
    given = [n is not None for n in (before, after, target)]
    if sum(given) != 2:
        raise ValueError(f"{op}: give two of the amounts before and after {axis} and the target {axis}; got {before}, {after} and {target}.")
    if target is not None:
        if unknown(size):
            raise ValueError(f"{op}: a target {axis} needs images of a known {axis}.")
        change = target - size if grows else size - target
        before, after = (before, change - before) if after is None else (change - after, after)
    if before < 0 or after < 0 or (not grows and not unknown(size) and before + after > size):
        raise ValueError(f"{op}: the amounts must be at least 0, and no more than there is; got {before} and {after} for images of the {axis} {size}.")
    return before, after


@op
def pad_images(images, top_padding=None, left_padding=None, bottom_padding=None, right_padding=None, target_height=None, target_width=None, data_format=None):
    """Zeros around images: give two of top, bottom and target height, and two of left, right and target width.

    >>> ops.image.pad_images(ops.ones((2, 2, 3)), 1, 1, 1, 1).shape
    (4, 4, 3)
    """
    height, width, _ = space(images, data_format, "pad_images")
    widths = [(0, 0)] * images.ndim
    widths[height] = _bounds(top_padding, bottom_padding, target_height, images.shape[height], "height", "pad_images", True)
    widths[width] = _bounds(left_padding, right_padding, target_width, images.shape[width], "width", "pad_images", True)
    return pad(images, widths)


@op
def crop_images(
    images, top_cropping=None, left_cropping=None, bottom_cropping=None, right_cropping=None, target_height=None, target_width=None, data_format=None
):
    """Images without their edges: give two of top, bottom and target height, and two of left, right and target width.

    >>> ops.image.crop_images(ops.ones((4, 4, 3)), 1, 1, target_height=2, target_width=2).shape
    (2, 2, 3)
    """
    height, width, _ = space(images, data_format, "crop_images")
    for axis, name, before, after, target in (
        (height, "height", top_cropping, bottom_cropping, target_height),
        (width, "width", left_cropping, right_cropping, target_width),
    ):
        before, after = _bounds(before, after, target, images.shape[axis], name, "crop_images", False)
        images = cut(images, axis, before, images.shape[axis] - before - after)
    return images
