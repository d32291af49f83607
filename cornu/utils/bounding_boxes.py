"""Boxes around what is seen in images: their formats, how much they overlap, and where they go when the image is changed.

A box is four numbers on the last axis; boxes of a batch are (batch, boxes, 4). x goes to the right and y down, in pixels:

| format | numbers |
|---|---|
| "xyxy", "yxyx" | the left, upper, right and lower edge; y before x |
| "xywh" | the left and upper edge, width, height |
| "center_xywh", "center_yxhw" | the centre and the sizes; y before x |
| "rel_xyxy", "rel_yxyx", "rel_xywh", "rel_center_xywh" | the same as fractions of the image's width and height |
"""

import math

from cornu import ops
from cornu.backends import kind

_TO_CORNERS = {  # the four numbers -> left, upper, right, lower
    "xyxy": lambda a, b, c, d: (a, b, c, d),
    "yxyx": lambda a, b, c, d: (b, a, d, c),
    "xywh": lambda x, y, w, h: (x, y, x + w, y + h),
    "center_xywh": lambda x, y, w, h: (x - w / 2, y - h / 2, x + w / 2, y + h / 2),
    "center_yxhw": lambda y, x, h, w: (x - w / 2, y - h / 2, x + w / 2, y + h / 2),
}
_FROM_CORNERS = {
    "xyxy": lambda l, u, r, b: (l, u, r, b),
    "yxyx": lambda l, u, r, b: (u, l, b, r),
    "xywh": lambda l, u, r, b: (l, u, r - l, b - u),
    "center_xywh": lambda l, u, r, b: ((l + r) / 2, (u + b) / 2, r - l, b - u),
    "center_yxhw": lambda l, u, r, b: ((u + b) / 2, (l + r) / 2, b - u, r - l),
}
FORMATS = (*_TO_CORNERS, "rel_xyxy", "rel_yxyx", "rel_xywh", "rel_center_xywh")
_TINY = 1e-7  # the least size that encoding divides by


def _format(name, op):
    """The format without "rel_", and whether it had it."""
    if name not in FORMATS:
        raise ValueError(f"bounding_boxes.{op}: a format is one of {', '.join(FORMATS)}; got {name!r}.")
    return name.removeprefix("rel_"), name.startswith("rel_")


def _parts(boxes, op):
    if not boxes.shape or boxes.shape[-1] != 4:
        raise ValueError(f"bounding_boxes.{op}: wanted four numbers on the last axis; got the shape {tuple(boxes.shape)}.")
    return [boxes[..., i] for i in range(4)]


def _floats(boxes):
    boxes = ops.convert_to_tensor(boxes)
    return boxes if kind(boxes) == "float64" else ops.cast(boxes, "float32")


def _corners(boxes, name, op, height=None, width=None):
    """Left, upper, right and lower edges, in pixels where the image's size is given, else as they came."""
    plain, relative = _format(name, op)
    corners = _TO_CORNERS[plain](*_parts(boxes, op))
    if relative and height is not None and width is not None:
        corners = [x * size for x, size in zip(corners, (width, height, width, height))]
    return corners


def _joined(corners, name, op, height=None, width=None):
    plain, relative = _format(name, op)
    if relative and height is not None and width is not None:
        corners = [x / size for x, size in zip(corners, (width, height, width, height))]
    return ops.stack(_FROM_CORNERS[plain](*corners), -1)


def _of_boxes(boxes, function):
    """`function` of the boxes, or of those in a dictionary of "boxes" and what belongs to them."""
    if isinstance(boxes, dict):
        return {**boxes, "boxes": function(boxes["boxes"])}
    return function(boxes)


def _sizes(image_shape, op):
    """(height, width) of an image's shape, (None, None) of None."""
    if image_shape is None:
        return None, None
    if len(image_shape) not in (2, 3):
        raise ValueError(f"bounding_boxes.{op}: image_shape is (height, width, channels); got {image_shape!r}.")
    return image_shape[0], image_shape[1]


def _need(name, op, height, width):
    if _format(name, op)[1] and (height is None or width is None):
        raise ValueError(f"bounding_boxes.{op}: the format {name!r} needs the image's height and width; got {height} and {width}.")


def convert_format(boxes, source, target, height=None, width=None, dtype="float32"):
    """Boxes in another format.

    Args:
        boxes: a tensor, or a dictionary with a tensor as "boxes".
        source, target: formats; see above.
        height, width: the image's size in pixels, where one of the formats is relative and the other is not.
        dtype: the type of the result.

    >>> convert_format([[10.0, 20.0, 30.0, 60.0]], "xyxy", "xywh").tolist()
    [[10.0, 20.0, 20.0, 40.0]]

    Raises:
        ValueError: another format, no size where it is needed, or other than four numbers.
    """
    if _format(source, "convert_format")[1] != _format(target, "convert_format")[1] and (height is None or width is None):
        raise ValueError(f"bounding_boxes.convert_format: from {source!r} to {target!r} needs the image's height and width; got {height} and {width}.")

    def converted(boxes):
        boxes = _floats(boxes)
        corners = _corners(boxes, source, "convert_format", height, width)
        return ops.cast(boxes if source == target else _joined(corners, target, "convert_format", height, width), dtype)

    return _of_boxes(boxes, converted)


def compute_iou(boxes1, boxes2, bounding_box_format, use_masking=False, mask_val=-1, image_shape=None):
    """The area that two boxes share, divided by the area that they cover together, of each of `boxes1` with each of `boxes2`.

    Args:
        boxes1, boxes2: (n, 4) and (m, 4), or with an axis of a batch before.
        bounding_box_format: the format of both.
        use_masking: whether boxes all of whose numbers are negative stand for none.
        mask_val: what such boxes give.
        image_shape: (height, width, channels), for relative formats.

    Shape: (..., n, 4) and (..., m, 4) -> (..., n, m).

    >>> compute_iou([[0.0, 0.0, 2.0, 2.0]], [[1.0, 0.0, 3.0, 2.0]], "xyxy").tolist()
    [[0.3333333432674408]]
    """
    _need(bounding_box_format, "compute_iou", *_sizes(image_shape, "compute_iou"))
    boxes = [_floats(boxes1), _floats(boxes2)]
    if any(len(x.shape) not in (2, 3) for x in boxes):
        shown = " and ".join(str(tuple(x.shape)) for x in boxes)
        raise ValueError(f"bounding_boxes.compute_iou: wanted boxes of (boxes, 4) or (batch, boxes, 4); got {shown}.")
    first, second = (_corners(x, bounding_box_format, "compute_iou", *_sizes(image_shape, "compute_iou")) for x in boxes)
    first, second = [ops.expand_dims(x, -1) for x in first], [ops.expand_dims(x, -2) for x in second]
    found = _overlap(first, second)[0]
    if use_masking:
        none = [ops.max(x, -1) < 0 for x in boxes]
        found = ops.where(ops.logical_or(ops.expand_dims(none[0], -1), ops.expand_dims(none[1], -2)), float(mask_val), found)
    return found


def _overlap(a, b, epsilon=None):
    """The shared area over the covered one, and the width and height of the least box around both."""
    width = ops.maximum(ops.minimum(a[2], b[2]) - ops.maximum(a[0], b[0]), 0)
    height = ops.maximum(ops.minimum(a[3], b[3]) - ops.maximum(a[1], b[1]), 0)
    shared = width * height
    covered = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    around = ops.maximum(a[2], b[2]) - ops.minimum(a[0], b[0]), ops.maximum(a[3], b[3]) - ops.minimum(a[1], b[1])
    return ops.divide_no_nan(shared, covered) if epsilon is None else shared / (covered + epsilon), around


def compute_ciou(boxes1, boxes2, bounding_box_format, image_shape=None):
    """Complete IoU: the overlap, less the distance of the centres and the difference of the proportions; of pairs of boxes.

    Args:
        boxes1, boxes2: tensors of one shape.
        bounding_box_format: the format of both.
        image_shape: (height, width, channels), for relative formats.

    Shape: (..., 4) and (..., 4) -> (...).

    Source: Zheng et al., "Distance-IoU Loss: Faster and Better Learning for Bounding Box Regression", AAAI 2020, equations 8 to 11.
    """
    sizes = _sizes(image_shape, "compute_ciou")
    _need(bounding_box_format, "compute_ciou", *sizes)
    a, b = (_corners(_floats(x), bounding_box_format, "compute_ciou", *sizes) for x in (boxes1, boxes2))
    iou, (width, height) = _overlap(a, b, _TINY)
    distance = ((a[0] + a[2] - b[0] - b[2]) ** 2 + (a[1] + a[3] - b[1] - b[3]) ** 2) / 4
    shape = [ops.arctan((x[2] - x[0]) / (x[3] - x[1] + _TINY)) for x in (a, b)]
    proportions = 4 / math.pi**2 * (shape[1] - shape[0]) ** 2
    weight = proportions / (proportions - iou + 1 + _TINY)
    return iou - (distance / (width**2 + height**2 + _TINY) + weight * proportions)


def clip_to_image_size(bounding_boxes, height=None, width=None, bounding_box_format="xyxy"):
    """Boxes cut off at the image's edges; labels of boxes of which nothing is left become -1.

    Args:
        bounding_boxes: a dictionary of "boxes" and, if there are, "labels"; or the boxes alone.
        height, width: the image's size in pixels; relative formats need none.
    """
    relative = _format(bounding_box_format, "clip_to_image_size")[1]
    if not relative and (height is None or width is None):
        raise ValueError(f"bounding_boxes.clip_to_image_size: the format {bounding_box_format!r} needs height and width; got {height} and {width}.")
    sizes = (1, 1) if relative else (width, height)

    def edges(boxes):
        corners = _corners(_floats(boxes), bounding_box_format, "clip_to_image_size")
        return [ops.minimum(ops.maximum(x, 0), size) for x, size in zip(corners, (*sizes, *sizes))]

    clipped = _of_boxes(bounding_boxes, lambda boxes: _joined(edges(boxes), bounding_box_format, "clip_to_image_size"))
    if isinstance(clipped, dict) and "labels" in clipped:
        left, upper, right, lower = edges(bounding_boxes["boxes"])
        clipped["labels"] = ops.where((right - left) * (lower - upper) > 0, clipped["labels"], -1)
    return clipped


def _shifted(boxes, left, top, name, op, height, width):
    corners = _corners(_floats(boxes), name, op, height, width)
    return [x + shift for x, shift in zip(corners, (left, top, left, top))]


def pad(boxes, top, left, height=None, width=None, bounding_box_format="xyxy"):
    """Where boxes are after the image got `top` rows above and `left` columns on the left.

    Args:
        height, width: the image's size in pixels before and after, for relative formats; see `convert_format` for another size.
    """
    _need(bounding_box_format, "pad", height, width)
    moved = lambda boxes: _joined(_shifted(boxes, left, top, bounding_box_format, "pad", height, width), bounding_box_format, "pad", height, width)
    return _of_boxes(boxes, moved)


def crop(boxes, top, left, height, width, bounding_box_format="xyxy"):
    """Where boxes are in the window of `height` rows and `width` columns that begins at row `top` and column `left`, cut off at its edges.

    Raises:
        ValueError: a relative format, since the size of the whole image is not known here.
    """
    if _format(bounding_box_format, "crop")[1]:
        raise ValueError(f"bounding_boxes.crop: wanted a format in pixels; got {bounding_box_format!r}. See convert_format.")

    def cropped(boxes):
        corners = _shifted(boxes, -left, -top, bounding_box_format, "crop", None, None)
        return _joined([ops.clip(x, 0, size) for x, size in zip(corners, (width, height, width, height))], bounding_box_format, "crop")

    return _of_boxes(boxes, cropped)


def affine_transform(boxes, angle, translate_x, translate_y, scale, shear_x, shear_y, height, width, center_x=None, center_y=None, bounding_box_format="xyxy"):
    """The boxes around where the corners of boxes go when the image is moved, turned, sheared and scaled.

    Args:
        boxes: (batch, boxes, 4), or (boxes, 4) with numbers for what follows.
        angle: degrees, counter-clockwise; a number, or one an image, as all that follow up to `shear_y`.
        translate_x, translate_y: fractions of the width less one and of the height less one; before the rest.
        scale: a factor from the centre.
        shear_x, shear_y: degrees.
        height, width: the image's size in pixels.
        center_x, center_y: fractions of the width less one and of the height less one; the middle by default.
    """
    _need(bounding_box_format, "affine_transform", height, width)
    middle = [size * (0.5 if at is None else at) for size, at in ((width - 1.0, center_x), (height - 1.0, center_y))]

    def moved(boxes):
        boxes = _floats(boxes)
        rank = len(boxes.shape)

        def number(x):
            x = ops.cast(ops.convert_to_tensor(x), kind(boxes))
            return ops.reshape(x, (-1, *[1] * (rank - 2))) if len(x.shape) else x

        turn, dx, dy, factor = number(angle) * (math.pi / 180), number(translate_x), number(translate_y), number(scale)
        across, down = (ops.tan(number(x) * (math.pi / 180)) for x in (shear_x, shear_y))
        cos, sin = ops.cos(turn), ops.sin(turn)
        c, d = cos * down - sin, cos + sin * down
        a, b = cos - across * c, sin + across * d  # Keras's sign: of a turn and a shear along x together the first is minus
        left, upper, right, lower = _corners(boxes, bounding_box_format, "affine_transform", height, width)
        xs, ys = [], []
        for x, y in ((left, upper), (right, upper), (left, lower), (right, lower)):
            x, y = x - middle[0] + dx * (width - 1), y - middle[1] + dy * (height - 1)
            xs.append(middle[0] + factor * (a * x + b * y))
            ys.append(middle[1] + factor * (c * x + d * y))
        xs, ys = ops.stack(xs, 0), ops.stack(ys, 0)
        return _joined((ops.min(xs, 0), ops.min(ys, 0), ops.max(xs, 0), ops.max(ys, 0)), bounding_box_format, "affine_transform", height, width)

    return _of_boxes(boxes, moved)


def _encoding(name, variance, op):
    if name not in ("center_xywh", "center_yxhw"):
        raise ValueError(f"bounding_boxes.{op}: the encoding is 'center_xywh' or 'center_yxhw'; got {name!r}.")
    if variance is not None and len(variance) != 4:
        raise ValueError(f"bounding_boxes.{op}: variance must be four numbers; got {variance!r}.")
    return (1.0,) * 4 if variance is None else [variance[i] for i in range(4)]


def encode_box_to_deltas(anchors, boxes, anchor_format, box_format, encoding_format="center_yxhw", variance=None, image_shape=None):
    """How far boxes lie from anchors: the distance of the centres in units of the anchor's sizes, and the logarithms of the sizes' quotients.

    Args:
        anchors: (boxes, 4).
        boxes: (boxes, 4) or (batch, boxes, 4).
        anchor_format, box_format: their formats.
        encoding_format: "center_yxhw" or "center_xywh".
        variance: four numbers by which the result is divided.
        image_shape: (height, width, channels), for relative formats.

    Source: Ren et al., "Faster R-CNN", 2015, equation 2.
    """
    variance, sizes = _encoding(encoding_format, variance, "encode_box_to_deltas"), _sizes(image_shape, "encode_box_to_deltas")
    found = []
    for x, name in ((anchors, anchor_format), (boxes, box_format)):
        _need(name, "encode_box_to_deltas", *sizes)
        corners = _corners(_floats(x), name, "encode_box_to_deltas", *sizes)
        found.append(_FROM_CORNERS[encoding_format](*corners))
    anchor, box = found
    large = [ops.maximum(x, _TINY) for x in anchor[2:]]
    deltas = [(b - a) / size for a, b, size in zip(anchor, box, large)]
    deltas += [ops.log(ops.maximum(b, _TINY) / size) for b, size in zip(box[2:], large)]
    return ops.stack([x / float(v) for x, v in zip(deltas, variance)], -1)


def decode_deltas_to_boxes(anchors, boxes_delta, anchor_format, box_format, encoded_format="center_yxhw", variance=None, image_shape=None):
    """The boxes that `encode_box_to_deltas` made `boxes_delta` of; of dictionaries with the same keys, each for itself.

    Args:
        encoded_format: "center_yxhw" or "center_xywh"; the others are those of `encode_box_to_deltas`.
    """
    variance, sizes = _encoding(encoded_format, variance, "decode_deltas_to_boxes"), _sizes(image_shape, "decode_deltas_to_boxes")
    _need(anchor_format, "decode_deltas_to_boxes", *sizes)
    _need(box_format, "decode_deltas_to_boxes", *sizes)
    if isinstance(boxes_delta, dict):
        return {
            key: decode_deltas_to_boxes(anchors[key], delta, anchor_format, box_format, encoded_format, variance, image_shape)
            for key, delta in boxes_delta.items()
        }
    anchor = _FROM_CORNERS[encoded_format](*_corners(_floats(anchors), anchor_format, "decode_deltas_to_boxes", *sizes))
    deltas = [x * float(v) for x, v in zip(_parts(_floats(boxes_delta), "decode_deltas_to_boxes"), variance)]
    middles = [delta * size + at for delta, size, at in zip(deltas, anchor[2:], anchor)]
    lengths = [ops.exp(delta) * size for delta, size in zip(deltas[2:], anchor[2:])]
    return _joined(_TO_CORNERS[encoded_format](*middles, *lengths), box_format, "decode_deltas_to_boxes", *sizes)
