"""Images and other arrays at other places than their samples: another size, scale or offset."""

import types

import numpy as np

from cornu import shapes
from cornu.backends import array, canonical, kind
from cornu.backends import protocol as p
from cornu.ops import elementwise
from cornu.ops.dispatch import op
from cornu.ops.elementwise import add, divide, greater_equal, less_equal, logical_and, maximum, subtract, where
from cornu.ops.frame import as_type, cut, in_floats, space
from cornu.ops.making import cast
from cornu.ops.reduce import sum as _sum
from cornu.ops.shaping import moveaxis, pad, repeat
from cornu.shapes import unknown

_OF_TENSORS = types.SimpleNamespace(**{name: getattr(elementwise, name) for name in "abs maximum where sinc".split()})

# How much each sample counts at a distance from where it stands, in samples; `m` has the functions: NumPy, or `_OF_TENSORS`.
_KERNELS = {
    "bilinear": lambda x, m: m.maximum(1 - m.abs(x), 0),
    "bicubic": lambda x, m: _cubic(m.abs(x), m),
    "lanczos3": lambda x, m: _lanczos(x, 3, m),
    "lanczos5": lambda x, m: _lanczos(x, 5, m),
}


def _cubic(x, m):
    """Keys, "Cubic convolution interpolation for digital image processing", 1981, with a = -1/2."""
    inner, outer = (x * 1.5 - 2.5) * x * x + 1, ((x * -0.5 + 2.5) * x - 4) * x + 2
    return m.where(x < 1, inner, m.where(x < 2, outer, 0))


def _lanczos(x, radius, m):
    return m.where(m.abs(x) < radius, m.sinc(x) * m.sinc(x / radius), 0)


def _weights(size, new, interpolation, antialias):
    """(size, new): how much each old place counts for each new one; pixels are centred at halves."""
    scale = new / size
    stretch = max(1 / scale, 1) if antialias else 1
    place = (np.arange(new) + 0.5) / scale - 0.5
    weights = _KERNELS[interpolation]((np.arange(size)[:, None] - place) / stretch, np)
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

    >>> ops.image.resize(ops.ones((4, 4, 3)), (2, 6)).shape
    (2, 6, 3)

    Raises:
        ValueError: another interpolation or fill mode, or both ways to keep proportions.
    """
    if interpolation not in ("nearest", *_KERNELS):
        raise ValueError(f"resize: interpolation must be one of nearest, {', '.join(_KERNELS)}; got {interpolation!r}.")
    if fill_mode != "constant":
        raise ValueError(f"resize: fill_mode must be 'constant'; got {fill_mode!r}.")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("resize: only one of crop_to_aspect_ratio and pad_to_aspect_ratio may be True.")
    if len(size) != 2 or any(not n > 0 for n in size):
        raise ValueError(f"resize: size is (height, width), each at least 1; got {size!r}.")
    height, width, _ = space(images, data_format, "resize")
    size = tuple(int(n) for n in size)
    old = images.shape[height], images.shape[width]
    if crop_to_aspect_ratio and not any(map(unknown, old)):
        rows, columns = min(old[0], old[1] * size[0] // size[1]), min(old[1], old[0] * size[1] // size[0])
        images = cut(images, height, (old[0] - rows) // 2, rows)
        images = cut(images, width, (old[1] - columns) // 2, columns)
    if pad_to_aspect_ratio and not any(map(unknown, old)):
        rows, columns = max(old[0], old[1] * size[0] // size[1]), max(old[1], old[0] * size[1] // size[0])
        widths = [(0, 0)] * images.ndim
        for axis, have, want in ((height, old[0], rows), (width, old[1], columns)):
            widths[axis] = ((want - have) // 2,) * 2  # equally: an odd one too few is stretched, as Keras does
        images = pad(images, widths, constant_values=fill_value)
    dtype = kind(images)
    x = images if interpolation == "nearest" else in_floats(images)
    for axis, new in ((height, size[0]), (width, size[1])):
        x = _resized(x, axis, new, interpolation, antialias)
    return as_type(x, dtype)


def _resized(x, axis, new, interpolation, antialias):
    size = x.shape[axis]
    if unknown(size):
        return shapes.Spec((*x.shape[:axis], new, *x.shape[axis + 1 :]), kind(x))
    if size == new:
        return x
    if interpolation == "nearest":
        if size and new % size == 0:  # as a gather would, with a gradient that needs no scatter
            return repeat(x, new // size, axis)
        if size and size % new == 0:
            step = size // new
            return p.getitem(x, (*[slice(None)] * axis, slice(step // 2, None, step)))
        places = np.minimum(np.floor((np.arange(new) + 0.5) * size / new), size - 1).astype("int32")
        return p.take(x, array(places), axis)
    weights = array(_weights(size, new, interpolation, antialias).astype(kind(x)))
    return moveaxis(p.matmul(moveaxis(x, axis, -1), weights), -1, axis)


_METHODS = {name: kernel for kernel, names in {"bilinear": "linear bilinear trilinear", "bicubic": "cubic bicubic tricubic"}.items() for name in names.split()}
_METHODS |= {"lanczos3": "lanczos3", "lanczos5": "lanczos5"}


@op
def scale_and_translate(images, output_shape, scale, translation, spatial_dims, method, antialias=True):
    """An array drawn at another scale and place: what stands at `x` goes to `x * scale + translation`; pixels are centred at halves.

    Args:
        images: any number of axes.
        output_shape: the sizes of the result; those of other axes than `spatial_dims` as they are.
        scale, translation: a number for each of `spatial_dims`; they may be tensors, and have gradients.
        spatial_dims: the axes that are scaled.
        method: "linear", "bilinear", "trilinear", "cubic", "bicubic", "tricubic", "lanczos3" or "lanczos5".
        antialias: whether the array is smoothed along axes that shrink.

    Where no sample of `images` lies the result is 0.

    >>> ops.image.scale_and_translate(ops.ones((4, 4)), (2, 2), [0.5, 0.5], [0.0, 0.0], (0, 1), "linear").shape
    (2, 2)

    Raises:
        ValueError: another method, or numbers that do not fit the axes.
    """
    if method not in _METHODS:
        raise ValueError(f"scale_and_translate: method must be one of {', '.join(_METHODS)}; got {method!r}.")
    axes = shapes.normalize_axes(spatial_dims, images.ndim, "scale_and_translate")
    sizes = tuple(output_shape)
    if len(sizes) != images.ndim or any(i not in axes and not unknown(n) and not unknown(m) and n != m for i, (n, m) in enumerate(zip(sizes, images.shape))):
        raise ValueError(
            f"scale_and_translate: output_shape {shapes.public(sizes)} must have the axes of {shapes.public(images.shape)}, only those of {axes} of another size."
        )
    x = in_floats(images)
    dtype = canonical("float64") if kind(x) == "float64" else "float32"
    scale, translation = array(scale, dtype), array(translation, dtype)
    for name, given in (("scale", scale), ("translation", translation)):
        if tuple(given.shape) != (len(axes),):
            raise ValueError(f"scale_and_translate: {name} needs a number for each of the axes {axes}; got the shape {shapes.public(given.shape)}.")
    for i, axis in enumerate(axes):
        part = lambda v, i=i: p.reshape(p.slice(v, [i], [i + 1], [1]), (1, 1))
        weights = _placed(x.shape[axis], sizes[axis], part(scale), part(translation), _METHODS[method], antialias, dtype)
        x = moveaxis(p.matmul(moveaxis(x, axis, -1), cast(weights, kind(x))), -1, axis)
    return x


def _placed(size, new, scale, translation, kernel, antialias, dtype):
    """(size, new): how much each old place counts for each new one, of a scale and a translation that are tensors."""
    old = p.iota((size, new), 0, dtype)
    place = subtract(divide(subtract(add(p.iota((size, new), 1, dtype), 0.5), translation), scale), 0.5)
    stretch = maximum(divide(1.0, scale), 1.0) if antialias else 1.0
    weights = _KERNELS[kernel](divide(subtract(old, place), stretch), _OF_TENSORS)
    total = _sum(weights, 0, keepdims=True)
    none = elementwise.less(elementwise.abs(total), 1e-6)
    inside = logical_and(greater_equal(place, -0.5), less_equal(place, size - 0.5))
    return where(logical_and(inside, elementwise.logical_not(none)), divide(weights, where(none, 1.0, total)), 0.0)
