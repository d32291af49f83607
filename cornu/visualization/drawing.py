"""Boxes and masks drawn into pictures."""

import numpy as np

from cornu import backends, settings, tree
from cornu.utils.bounding_boxes import FORMATS, convert_format

# a colour for each class, told apart by people with any kind of colour vision; Okabe and Ito, "Color Universal Design", 2008
PALETTE = ((0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (213, 94, 0), (240, 228, 66), (120, 120, 120))


def as_array(x):
    """Any tensor, array or list as an array of NumPy."""
    return np.asarray(backends.numpy(x) if backends.is_tensor(x) else x)


def pictures(who, images, data_format, value_range=(0, 255)):
    """A batch of pictures as bytes, (batch, height, width, 3), that is nobody else's.

    Raises:
        ValueError: no batch of pictures with 1, 3 or 4 channels.
    """
    found = as_array(images)
    if found.ndim != 4:
        raise ValueError(f"{who}: images must be a batch, (batch, height, width, channels); got the shape {found.shape}.")
    if settings.standardize_data_format(data_format) == "channels_first":
        found = found.transpose(0, 2, 3, 1)
    if found.shape[-1] not in (1, 3, 4):
        raise ValueError(f"{who}: images must have 1, 3 or 4 channels; got {found.shape[-1]}, in the shape {found.shape} with channels last.")
    low, high = check_range(who, value_range)
    if (low, high) != (0, 255):
        found = (found.astype("float32") - low) * (255 / (high - low))
    if found.dtype != np.uint8:
        found = np.clip(np.nan_to_num(np.round(found)), 0, 255).astype("uint8")
    return np.repeat(found, 3, -1) if found.shape[-1] == 1 else found[..., :3].copy()


def check_range(who, value_range):
    if not isinstance(value_range, (tuple, list)) or len(value_range) != 2 or not value_range[0] < value_range[1]:
        raise ValueError(f"{who}: value_range must be (lowest, highest) pixel value; got {value_range!r}.")
    return value_range


def check_color(who, name, color):
    """A colour as three bytes."""
    if not isinstance(color, (tuple, list, np.ndarray)) or len(color) != 3 or not all(0 <= part <= 255 for part in color):
        raise ValueError(f"{who}: {name} must be (red, green, blue), each from 0 to 255; got {color!r}.")
    return tuple(int(part) for part in color)


def draw_bounding_boxes(
    images,
    bounding_boxes,
    bounding_box_format,
    class_mapping=None,
    color=(128, 128, 128),
    line_thickness=2,
    text_thickness=1,
    font_scale=1.0,
    data_format=None,
):
    """Pictures with boxes around what is in them, and the names of it.

    Args:
        images: batch of pictures.
        bounding_boxes: dictionary: "boxes" (batch, boxes, 4), "labels" (batch, boxes), whole numbers; -1 marks a box that is none; and perhaps
            "confidences" (batch, boxes), from 0 to 1.
        bounding_box_format: "xyxy", "yxyx", "xywh", "center_xywh", "rel_xyxy" and so on.
        class_mapping: dictionary from labels to names; None writes none.
        color: (red, green, blue), from 0 to 255.
        line_thickness, text_thickness: in pixels.
        font_scale: size of the text, 1.0 being 16 pixels.
        data_format: of the images; None means the one that is set.

    Shapes:
        images (batch, height, width, channels) -> (batch, height, width, 3) of uint8

    Raises:
        ImportError: Pillow is not installed.
        ValueError: images, boxes or a format that are none.
    """
    who = "draw_bounding_boxes"
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as error:
        raise ImportError("draw_bounding_boxes needs Pillow, which is not installed. Install it: pip install pillow") from error
    found, color = pictures(who, images, data_format), check_color(who, "color", color)
    if not isinstance(bounding_boxes, dict) or not {"boxes", "labels"} <= set(bounding_boxes):
        raise ValueError(f'{who}: bounding_boxes must be a dictionary with "boxes" and "labels"; got {tree.map_structure(np.shape, bounding_boxes)!r}.')
    for name, value in (("line_thickness", line_thickness), ("text_thickness", text_thickness), ("font_scale", font_scale)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            raise ValueError(f"{who}: {name} must be a number above 0; got {value!r}.")
    boxes, labels = as_array(bounding_boxes["boxes"]).astype("float32"), as_array(bounding_boxes["labels"])
    if boxes.ndim != 3 or boxes.shape[-1] != 4 or len(boxes) != len(found) or labels.shape[:2] != boxes.shape[:2]:
        raise ValueError(
            f"{who}: wanted boxes (batch, boxes, 4) and labels (batch, boxes) for {len(found)} images; got the shapes {boxes.shape} and {labels.shape}."
        )
    confidences = bounding_boxes.get("confidences")
    if str(bounding_box_format).lower() not in FORMATS:
        raise ValueError(f"{who}: bounding_box_format must be one of {', '.join(FORMATS)}; got {bounding_box_format!r}.")
    corners = as_array(convert_format(boxes, str(bounding_box_format).lower(), "xyxy", *found.shape[1:3]))
    font = ImageFont.load_default(max(16 * font_scale, 1))
    line, stroke = max(int(line_thickness), 1), (int(text_thickness) - 1) / 2
    for i in range(len(found)):
        picture = Image.fromarray(found[i])
        draw = ImageDraw.Draw(picture)
        for j, (box, label) in enumerate(zip(corners[i], labels[i].reshape(-1).astype(int))):
            if label < 0 or not np.isfinite(box).all():
                continue
            x, y, right, bottom = (int(round(float(n))) for n in box)
            draw.rectangle((min(x, right), min(y, bottom), max(x, right), max(y, bottom)), outline=color, width=line)
            if class_mapping is not None:
                text = str(class_mapping.get(int(label), int(label)))
                text += f" {as_array(confidences)[i, j]:.2f}" if confidences is not None else ""
                _label(draw, text, x, y, font, color, stroke, picture.size)
        found[i] = np.asarray(picture)
    return found


def _label(draw, text, x, y, font, color, stroke, size):
    """A text on its own ground, above the point where there is room, else below, and inside the picture."""
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font, stroke_width=stroke)
    wide, high = right - left + 4, bottom - top + 4
    x = max(min(x, size[0] - wide), 0)
    y = y - high if y >= high else y
    dark = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] < 140
    ink = (255, 255, 255) if dark else (0, 0, 0)
    draw.rectangle((x, y, x + wide, y + high), fill=color)
    draw.text((x + 2 - left, y + 2 - top), text, font=font, fill=ink, stroke_width=stroke, stroke_fill=ink)


def draw_segmentation_masks(images, segmentation_masks, num_classes=None, color_mapping=None, alpha=0.8, blend=True, ignore_index=-1, data_format=None):
    """Pictures with each pixel coloured by its class.

    Args:
        images: batch of pictures.
        segmentation_masks: class of each pixel, whole numbers, (batch, height, width) or with a last axis of 1.
        num_classes: how many classes; None means the largest number and one.
        color_mapping: dictionary from classes to (red, green, blue), from 0 to 255; None takes colours that are easy to tell apart.
        alpha: how much the colour covers, from 0 to 1.
        blend: whether the picture shows through as `alpha` says, rather than not at all.
        ignore_index: class whose pixels stay as they are.
        data_format: of the images and masks; None means the one that is set.

    Shapes:
        images (batch, height, width, channels) -> (batch, height, width, 3) of uint8

    Raises:
        TypeError: masks that are no integers.
        ValueError: shapes that do not fit, or an argument out of range.
    """
    who = "draw_segmentation_masks"
    found, masks = pictures(who, images, data_format), as_array(segmentation_masks)
    if masks.dtype.kind not in "iu":
        raise TypeError(f"{who}: segmentation_masks must be whole numbers, the class of each pixel; their type is {masks.dtype}.")
    if masks.ndim == 4 and 1 in (masks.shape[1], masks.shape[3]):
        masks = masks[..., 0] if masks.shape[3] == 1 else masks[:, 0]
    if masks.shape != found.shape[:3]:
        raise ValueError(f"{who}: the masks must have the shape {found.shape[:3]} of the images; got {as_array(segmentation_masks).shape}.")
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not 0 <= alpha <= 1:
        raise ValueError(f"{who}: alpha must be from 0 to 1; got {alpha!r}.")
    if num_classes is not None and (not hasattr(num_classes, "__index__") or num_classes < 1):
        raise ValueError(f"{who}: num_classes must be an integer of at least 1, or None; got {num_classes!r}.")
    present = [int(c) for c in np.unique(masks) if c != ignore_index]
    classes = max(present, default=0) + 1 if num_classes is None else int(num_classes)
    outside = [c for c in present if not 0 <= c < classes]
    if outside:
        raise ValueError(f"{who}: classes are numbered from 0 to {classes - 1}; the masks have {outside[:5]}. ignore_index is {ignore_index}.")
    colors = class_colors(who, classes, color_mapping)
    alpha = alpha if blend else 1.0
    chosen = masks != ignore_index
    drawn = found.astype("float32") * (1 - alpha) + colors[np.where(chosen, masks, 0)] * alpha
    return np.where(chosen[..., None], np.round(drawn), found).astype("uint8")


def class_colors(who, classes, color_mapping):
    """The colour of each class: float32 (classes, 3)."""
    given = color_mapping or {}
    if not isinstance(given, dict):
        raise ValueError(f"{who}: color_mapping must be a dictionary from classes to (red, green, blue); got {color_mapping!r}.")
    # beyond the palette, the same colours lighter and lighter
    base = [np.asarray(PALETTE[i % len(PALETTE)]) for i in range(classes)]
    made = [color + (255 - color) * (1 - 0.6 ** (i // len(PALETTE))) for i, color in enumerate(base)]
    return np.array([check_color(who, f"color_mapping[{i}]", given[i]) if i in given else made[i] for i in range(classes)], "float32")
