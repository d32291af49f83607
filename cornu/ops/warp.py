"""Images seen at places between their pixels: coordinates given one by one, by affine and perspective maps, by elastic noise."""

import itertools

import numpy as np

from cornu import shapes
from cornu.backends import array, kind
from cornu.backends import protocol as p
from cornu.ops.chance import draw_seed, standard_normal
from cornu.ops.dispatch import op
from cornu.ops.elementwise import abs as _abs
from cornu.ops.elementwise import add, divide, floor, greater_equal, less, logical_and, maximum, minimum, mod, multiply, sign, subtract, where
from cornu.ops.filters import blur
from cornu.ops.frame import as_batch, as_type, in_floats
from cornu.ops.making import cast
from cornu.ops.products import solve
from cornu.ops.shaping import concatenate, expand_dims
from cornu.shapes import Spec, unknown

_FAR = 2.0**24  # a place beyond every image, whose neighbours are float32 too


def _within(index, size):
    return minimum(maximum(index, 0), size - 1)


def _turned(index, size):
    period = 2 * size - 2 if unknown(size) or size > 1 else 1
    index = mod(index, period)
    return minimum(index, subtract(period, index))


def _folded(index, size):
    index = mod(index, 2 * size)
    return minimum(index, subtract(2 * size - 1, index))


# What stands for a place outside: the nearest (also under a constant, which hides it), the other end, or what is seen in a mirror on the last
# sample ("mirror") or behind it ("reflect").
_OUTSIDE = {"constant": _within, "nearest": _within, "wrap": mod, "mirror": _turned, "reflect": _folded}
_ORDERS = {"nearest": 0, "bilinear": 1}


def _half_away(x):
    """`x` rounded, halves away from 0."""
    return multiply(sign(x), floor(add(_abs(x), 0.5)))


def _seen(x, places, order, fill_mode, fill_value):
    """`x` (batch, *space, channels) at `places`, one tensor of (batch or 1, *shape) an axis of space -> (batch, *shape, channels)."""
    batch, *space, channels = x.shape
    flat = p.reshape(x, (-1, channels))
    dtype = kind(places[0])
    numbers = p.iota((batch, *[1] * (places[0].ndim - 1)), 0, "int32")
    if type(x) is Spec:  # what the sizes of `x` are counted with has no values either
        numbers, *places = (Spec(place.shape, kind(place)) for place in (numbers, *places))
    corners = []
    for place in places:
        place = minimum(maximum(place, -_FAR), _FAR)
        if order == 0:
            corners.append([(_half_away(place), None)])
        else:
            low = floor(place)
            share = subtract(place, low)
            corners.append([(low, subtract(1.0, share)), (add(low, 1.0), share)])
    total = None
    for corner in itertools.product(*corners):
        index = numbers
        weight = inside = None
        for (place, share), size in zip(corner, space, strict=True):
            place = cast(place, "int32")
            index = add(multiply(index, size), _OUTSIDE[fill_mode](place, size))
            weight = share if weight is None else weight if share is None else multiply(weight, share)
            if fill_mode == "constant":
                here = logical_and(greater_equal(place, 0), less(place, size))
                inside = here if inside is None else logical_and(inside, here)
        values = p.take(flat, index, 0)
        values = values if inside is None else where(expand_dims(inside, -1), values, fill_value)
        values = values if weight is None else multiply(values, cast(expand_dims(weight, -1), _wider(kind(values), dtype)))
        total = values if total is None else add(total, values)
    return total


def _wider(*kinds):
    return "float64" if "float64" in kinds else "float32"


def _check(op, interpolation, fill_mode):
    if interpolation not in _ORDERS:
        raise ValueError(f"{op}: interpolation must be 'nearest' or 'bilinear'; got {interpolation!r}.")
    if fill_mode not in _OUTSIDE:
        raise ValueError(f"{op}: fill_mode must be one of {', '.join(_OUTSIDE)}; got {fill_mode!r}.")


@op
def map_coordinates(inputs, coordinates, order, fill_mode="constant", fill_value=0):
    """The values of an array at places between its samples.

    Args:
        inputs: any number of axes.
        coordinates: (axes, ...): for each axis of `inputs` the places along it, in samples.
        order: 0 for the nearest sample, 1 for linear between them.
        fill_mode: what lies outside: "constant" (`fill_value`), "nearest" (the last sample), "wrap" (the other end), "mirror" (seen in a
            mirror on the last sample: b c | b a) or "reflect" (in one behind it: b c | c b).

    Shape: inputs (a, b), coordinates (2, i, j) -> (i, j).

    >>> ops.image.map_coordinates([10.0, 20.0, 30.0], [[0.5, 2.0]], order=1).tolist()
    [15.0, 30.0]

    Raises:
        ValueError: another order or mode, or coordinates that do not fit the axes.
    """
    if order not in (0, 1):
        raise ValueError(f"map_coordinates: order must be 0 or 1; got {order!r}.")
    _check("map_coordinates", "nearest", fill_mode)
    coordinates = in_floats(array(coordinates))
    shape = tuple(coordinates.shape[1:])
    if coordinates.ndim < 2 or not inputs.ndim or (not unknown(coordinates.shape[0]) and coordinates.shape[0] != inputs.ndim):
        raise ValueError(
            f"map_coordinates: coordinates needs a first axis of {inputs.ndim}, for the axes of {shapes.public(inputs.shape)}, and one more at least;"
            f" got the shape {shapes.public(coordinates.shape)}."
        )
    x = in_floats(inputs)
    n = coordinates.ndim
    places = [p.reshape(p.slice(coordinates, [i] + [0] * (n - 1), [i + 1] + [None] * (n - 1), [1] * n), (1, *shape)) for i in range(inputs.ndim)]
    out = p.reshape(_seen(p.reshape(x, (1, *inputs.shape, 1)), places, order, fill_mode, fill_value), shape)
    return as_type(out if kind(inputs) == kind(x) else _half_away(out), kind(inputs))


def _grid(x, dtype):
    """Row and column of every pixel of a batch, as (1, height, width)."""
    size = (1, *x.shape[1:3])
    return p.iota(size, 1, dtype), p.iota(size, 2, dtype)


def _projected(x, transform, interpolation, fill_mode, fill_value):
    """A batch whose pixel (x, y) is taken from where the eight numbers of `transform` say."""
    row, column = _grid(x, kind(transform))
    n = transform.shape[0]
    a0, a1, a2, b0, b1, b2, c0, c1 = (p.reshape(p.slice(transform, [0, i], [None, i + 1], [1, 1]), (n, 1, 1)) for i in range(8))
    linear = lambda a, b, c: add(add(multiply(column, a), multiply(row, b)), c)
    below = linear(c0, c1, 1.0)
    places = [divide(linear(b0, b1, b2), below), divide(linear(a0, a1, a2), below)]
    return _seen(x, places, _ORDERS[interpolation], fill_mode, fill_value)


def _fits(op, given, x, what):
    n = given.shape[0]
    if not unknown(n) and not unknown(x.shape[0]) and n not in (1, x.shape[0]):
        raise ValueError(f"{op}: {what} must be one, or one for each of the {x.shape[0]} images; got {n}.")


@op
def affine_transform(images, transform, interpolation="bilinear", fill_mode="constant", fill_value=0, data_format=None):
    """Images turned, moved, scaled, sheared or seen in perspective.

    Args:
        transform: eight numbers a0 a1 a2 b0 b1 b2 c0 c1, for all images or a row an image: the pixel (x, y) of the result is taken from
            ((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k), where k = c0 x + c1 y + 1, in pixels from the upper left one.
        interpolation: "nearest" or "bilinear".
        fill_mode: what lies outside: "constant" (`fill_value`), "nearest", "wrap", "mirror" or "reflect"; see `map_coordinates`.

    >>> ops.image.affine_transform(ops.ones((4, 4, 3)), ops.array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])).shape
    (4, 4, 3)

    Raises:
        ValueError: another interpolation or mode, or a transform of another shape.
    """
    _check("affine_transform", interpolation, fill_mode)
    x, back = as_batch(images, data_format, "affine_transform")
    transform = array(transform)
    transform = cast(transform, _wider(kind(transform), kind(x)))
    if transform.ndim not in (1, 2) or transform.shape[-1] != 8:
        raise ValueError(f"affine_transform: transform must have the shape (8,) or (batch, 8); got {shapes.public(transform.shape)}.")
    transform = expand_dims(transform, 0) if transform.ndim == 1 else transform
    _fits("affine_transform", transform, x, "transform")
    return back(_projected(x, transform, interpolation, fill_mode, fill_value))


@op
def perspective_transform(images, start_points, end_points, interpolation="bilinear", fill_value=0, data_format=None):
    """Images seen in perspective, so that four points come to lie on four others.

    Args:
        start_points: (4, 2), or (batch, 4, 2): x and y of four points in `images`, in pixels.
        end_points: where they lie in the result; no three of them on one line.
        interpolation: "nearest" or "bilinear".
        fill_value: what lies outside.

    >>> ops.image.perspective_transform(ops.ones((1, 4, 4, 3)), [[[0.0, 0.0], [0.0, 3.0], [3.0, 0.0], [3.0, 3.0]]], [[[0.0, 0.0], [0.0, 3.0], [3.0, 0.0], [3.0, 3.0]]]).shape
    (1, 4, 4, 3)

    Raises:
        ValueError: another interpolation, or points of another shape.

    Source: Hartley and Zisserman, "Multiple View Geometry in Computer Vision", 2004, section 4.1.
    """
    _check("perspective_transform", interpolation, "constant")
    x, back = as_batch(images, data_format, "perspective_transform")
    points = []
    for name, given in (("start_points", start_points), ("end_points", end_points)):
        given = array(given)
        if given.ndim not in (2, 3) or tuple(given.shape[-2:]) != (4, 2):
            raise ValueError(f"perspective_transform: {name} must have the shape (4, 2) or (batch, 4, 2); got {shapes.public(given.shape)}.")
        given = cast(given, _wider(kind(given), kind(x)))
        points.append(expand_dims(given, 0) if given.ndim == 2 else given)
        _fits("perspective_transform", points[-1], x, name)
    return back(_projected(x, _homography(points[1], points[0]), interpolation, "constant", fill_value))


def _homography(source, target):
    """The eight numbers that take the points `source` to `target`, (n, 4, 2) each -> (n, 8)."""
    shape = (*shapes.broadcast(source.shape, target.shape)[:2], 1)
    part = lambda points, i: p.broadcast_to(p.slice(points, [0, 0, i], [None, None, i + 1], [1, 1, 1]), shape)
    x, y, u, v = part(source, 0), part(source, 1), part(target, 0), part(target, 1)
    zero, one = (p.full(tuple(x.shape), n, kind(x)) for n in (0, 1))
    rows = [
        concatenate([x, y, one, zero, zero, zero, multiply(multiply(x, u), -1.0), multiply(multiply(y, u), -1.0)], 2),
        concatenate([zero, zero, zero, x, y, one, multiply(multiply(x, v), -1.0), multiply(multiply(y, v), -1.0)], 2),
    ]
    found = solve(concatenate(rows, 1), concatenate([u, v], 1))
    return p.reshape(found, (found.shape[0], 8))


@op
def elastic_transform(images, alpha=20.0, sigma=5.0, interpolation="bilinear", fill_mode="reflect", fill_value=0.0, seed=None, data_format=None):
    """Images whose pixels are moved by smooth noise, as handwriting differs from one time to the next.

    Each pixel moves by `alpha` times normal noise of the standard deviation `sigma`, blurred by a normal distribution of that deviation, along the
    height and along the width by itself: some 0.28 `alpha` pixels.

    Args:
        alpha: how far pixels move.
        sigma: how smooth the noise is, in pixels.
        interpolation: "nearest" or "bilinear".
        fill_mode: what lies outside: see `affine_transform`.
        seed: a whole number (the same noise each time), a SeedGenerator or None.

    >>> ops.image.elastic_transform(ops.ones((1, 4, 4, 3)), seed=1).shape
    (1, 4, 4, 3)

    Source: Simard et al., "Best Practices for Convolutional Neural Networks Applied to Visual Document Analysis", 2003, section 2.
    """
    _check("elastic_transform", interpolation, fill_mode)
    if not sigma > 0:
        raise ValueError(f"elastic_transform: sigma must be above 0; got {sigma!r}.")
    x, back = as_batch(images, data_format, "elastic_transform")
    noise = multiply(standard_normal(draw_seed(seed), (*x.shape[:3], 2)), float(alpha * sigma))
    reach = np.arange(-int(3 * sigma + 0.5), int(3 * sigma + 0.5) + 1)
    weights = np.exp(-0.5 * (reach / sigma) ** 2)
    noise = blur(noise, weights / weights.sum(), weights / weights.sum(), "same")
    shape = tuple(x.shape[:3])
    places = [add(here, p.reshape(p.slice(noise, [0, 0, 0, i], [None, None, None, i + 1], [1] * 4), shape)) for i, here in enumerate(_grid(x, "float32"))]
    return back(_seen(x, places, _ORDERS[interpolation], fill_mode, fill_value))
