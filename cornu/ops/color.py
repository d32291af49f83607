"""Colours of images: red, green and blue; brightness; hue, saturation and value."""

import numpy as np

from cornu import dtypes, shapes
from cornu.backends import array, canonical, kind
from cornu.backends import protocol as p
from cornu.ops.dispatch import op
from cornu.ops.elementwise import add, divide, equal, greater, maximum, minimum, mod, multiply, subtract, where
from cornu.ops.frame import space
from cornu.ops.making import cast
from cornu.ops.shaping import expand_dims, moveaxis


@op
def rgb_to_grayscale(images, data_format=None):
    """Brightness of red, green and blue: 0.2989 R + 0.587 G + 0.114 B, on one channel.

    >>> ops.image.rgb_to_grayscale(ops.ones((2, 2, 3))).shape
    (2, 2, 1)

    Source: ITU-R BT.601.
    """
    *_, channels = space(images, data_format, "rgb_to_grayscale")
    x = moveaxis(cast(images, canonical(dtypes.to_float(kind(images)))), channels, -1)
    shapes.same(x.shape[-1], 3, f"rgb_to_grayscale: the channels of {shapes.public(images.shape)} must be 3")
    out = moveaxis(p.matmul(x, array(np.array([[0.2989], [0.587], [0.114]], kind(x)))), -1, channels)
    return cast(out, kind(images))


def _channels(images, data_format, op):
    *_, channels = space(images, data_format, op)
    if not dtypes.is_float(kind(images)):
        raise ValueError(f"{op}: wanted floats from 0 to 1; got {kind(images)}.")
    x = moveaxis(images, channels, -1)
    shapes.same(x.shape[-1], 3, f"{op}: the channels of {shapes.public(images.shape)} must be 3")
    return [p.getitem(x, (..., i)) for i in range(3)], lambda parts: moveaxis(p.concatenate([expand_dims(v, -1) for v in parts], x.ndim - 1), -1, channels)


@op
def rgb_to_hsv(images, data_format=None):
    """Red, green, blue to hue, saturation, value; all from 0 to 1 (hue in turns).

    >>> ops.image.rgb_to_hsv([[[1.0, 1.0, 1.0]]]).tolist()
    [[[0.0, 0.0, 1.0]]]

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
    """Hue, saturation, value to red, green, blue; all from 0 to 1 (hue in turns).

    >>> ops.image.hsv_to_rgb([[[0.0, 0.0, 1.0]]]).tolist()
    [[[1.0, 1.0, 1.0]]]
    """
    (hue, saturation, value), join = _channels(images, data_format, "hsv_to_rgb")

    def part(shift):
        k = mod(add(multiply(hue, 6.0), shift), 6.0)
        return subtract(value, multiply(multiply(value, saturation), maximum(minimum(minimum(k, subtract(4.0, k)), 1.0), 0.0)))

    return join([part(5.0), part(3.0), part(1.0)])
