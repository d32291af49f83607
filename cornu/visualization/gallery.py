"""Pictures side by side, with what is true of them and what a model said."""

import math
import sys

import numpy as np

from cornu.visualization.drawing import as_array, check_color, class_colors, draw_bounding_boxes, draw_segmentation_masks, pictures


def _shape_of(who, count, rows, cols):
    for name, value in (("rows", rows), ("cols", cols)):
        if value is not None and (isinstance(value, bool) or not hasattr(value, "__index__") or value < 1):
            raise ValueError(f"{who}: {name} must be an integer of at least 1, or None; got {value!r}.")
    if rows is None and cols is None:
        cols = math.ceil(math.sqrt(count))
    if cols is None:
        cols = math.ceil(count / rows)
    return rows or math.ceil(count / cols), cols


def plot_image_gallery(
    images,
    y_true=None,
    y_pred=None,
    label_map=None,
    rows=None,
    cols=None,
    value_range=(0, 255),
    scale=2,
    path=None,
    show=None,
    transparent=True,
    dpi=60,
    legend_handles=None,
    data_format=None,
):
    """Pictures side by side.

    Args:
        images: batch of pictures.
        y_true: label of each; y_pred: what a model said. Where both are given, the title is green where they agree and red elsewhere.
        label_map: dictionary from labels to names.
        rows, cols: how many; None makes about as many rows as columns.
        value_range: lowest and highest pixel value.
        scale: size of one picture, in inches.
        path: file to write (.png, .svg, .pdf); None writes none.
        show: whether to open a window (`pyplot.show`); None and False leave it to who gets the figure.
        transparent: whether the ground of the file is transparent.
        dpi: dots an inch.
        legend_handles: handles of matplotlib for a legend.
        data_format: of the images; None means the one that is set.

    Returns:
        The matplotlib figure, which a notebook shows.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: an argument out of range, or labels of another number.
    """
    who = "plot_image_gallery"
    found = pictures(who, images, data_format, value_range)
    if not len(found):
        raise ValueError(f"{who}: there is no picture.")
    if path is not None and show:
        raise ValueError(f"{who}: give a path, or show=True, not both.")
    for name, value in (("scale", scale), ("dpi", dpi)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            raise ValueError(f"{who}: {name} must be a number above 0; got {value!r}.")
    if label_map is not None and not hasattr(label_map, "get"):
        raise ValueError(f"{who}: label_map must be a dictionary from labels to names; got {label_map!r}.")
    titles = _titles(who, len(found), y_true, y_pred, label_map)
    rows, cols = _shape_of(who, len(found), rows, cols)
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(f"{who} needs matplotlib, which is not installed. Install it: pip install matplotlib") from error
    high, wide = found.shape[1:3]
    longest = max((len(line) for text, _ in titles for line in text.split("\n")), default=0)
    lines = max((text.count("\n") + 1 for text, _ in titles), default=0)
    width = max(scale * max(wide / high, 1), longest * 0.085)
    height = scale * max(high / wide, 1) + 0.2 * lines
    size = (width * cols, height * rows + (0.5 if legend_handles else 0))
    if show:
        import matplotlib.pyplot as pyplot

        figure = pyplot.figure(figsize=size, dpi=dpi, layout="constrained")
    else:
        figure = Figure(figsize=size, dpi=dpi, layout="constrained")
        FigureCanvasAgg(figure)
    for i, picture in enumerate(found[: rows * cols]):
        axes = figure.add_subplot(rows, cols, i + 1)
        axes.imshow(picture, interpolation="nearest" if max(high, wide) <= 64 else None)
        axes.axis("off")
        if titles:
            text, color = titles[i]
            axes.set_title(text, fontsize=9, color=color, pad=3)
    if legend_handles:
        figure.legend(handles=legend_handles, loc="outside lower center", ncols=min(len(legend_handles), 4), frameon=False)
    if path is not None:
        figure.savefig(path, dpi=dpi, transparent=transparent)
    if show:
        sys.modules["matplotlib.pyplot"].show()
    return figure


def _titles(who, count, y_true, y_pred, label_map):
    """(text, colour) of each picture; nothing without labels."""
    given = {"y_true": y_true, "y_pred": y_pred}
    labels = {name: as_array(value).reshape(-1).tolist() for name, value in given.items() if value is not None}
    for name, found in labels.items():
        if len(found) != count:
            raise ValueError(f"{who}: {name} must have a label for each of the {count} pictures; got {len(found)}.")
    named = {name: [str((label_map or {}).get(label, label)) for label in found] for name, found in labels.items()}
    if len(named) < 2:
        return [(text, "black") for found in named.values() for text in found]
    pairs = zip(labels["y_true"], labels["y_pred"], named["y_true"], named["y_pred"])
    return [(said, "#1a7f37") if true == pred else (f"{said}\nis {name}", "#c62828") for true, pred, name, said in pairs]


def plot_bounding_box_gallery(
    images,
    bounding_box_format,
    y_true=None,
    y_pred=None,
    value_range=(0, 255),
    true_color=(0, 188, 212),
    pred_color=(255, 235, 59),
    line_thickness=2,
    font_scale=1.0,
    text_thickness=None,
    class_mapping=None,
    ground_truth_mapping=None,
    prediction_mapping=None,
    legend=False,
    legend_handles=None,
    rows=None,
    cols=None,
    data_format=None,
    **kwargs,
):
    """Pictures side by side, with the boxes that are true and those that a model found.

    Args:
        images: batch of pictures.
        bounding_box_format, class_mapping, line_thickness, text_thickness, font_scale: as in `draw_bounding_boxes`.
        y_true, y_pred: boxes, as there.
        true_color, pred_color: (red, green, blue), from 0 to 255.
        ground_truth_mapping, prediction_mapping: names of the labels of each; None means `class_mapping`.
        legend: whether to say which colour is which.
        value_range, legend_handles, rows, cols, data_format, kwargs: as in `plot_image_gallery`.

    Returns:
        The matplotlib figure.
    """
    who = "plot_bounding_box_gallery"
    if legend and legend_handles:
        raise ValueError(f"{who}: give legend=True or legend_handles, not both.")
    found = pictures(who, images, data_format, value_range)
    kinds = (("ground truth", y_true, true_color, ground_truth_mapping), ("prediction", y_pred, pred_color, prediction_mapping))
    handles = list(legend_handles or ())
    for name, boxes, color, mapping in kinds:
        color = check_color(who, "true_color" if boxes is y_true else "pred_color", color)
        if boxes is not None:
            found = draw_bounding_boxes(
                found, boxes, bounding_box_format, mapping or class_mapping, color, line_thickness, text_thickness or 1, font_scale, "channels_last"
            )
            if legend:
                handles.append(_handle(who, name, color))
    return plot_image_gallery(found, rows=rows, cols=cols, legend_handles=handles or None, data_format="channels_last", **kwargs)


def _handle(who, name, color):
    try:
        from matplotlib.patches import Patch
    except ImportError as error:
        raise ImportError(f"{who} needs matplotlib, which is not installed. Install it: pip install matplotlib") from error
    return Patch(color=tuple(part / 255 for part in color), label=name)


def plot_segmentation_mask_gallery(
    images,
    num_classes,
    value_range=(0, 255),
    y_true=None,
    y_pred=None,
    color_mapping=None,
    blend=True,
    alpha=0.8,
    ignore_index=-1,
    data_format=None,
    **kwargs,
):
    """Pictures side by side: each as it is, with the true mask, and with the mask that a model made.

    Args:
        images: batch of pictures.
        num_classes, color_mapping, blend, alpha, ignore_index: as in `draw_segmentation_masks`.
        y_true, y_pred: masks, as there.
        value_range, data_format, kwargs: as in `plot_image_gallery`; `cols` pictures stand in a row, each with its masks.

    Returns:
        The matplotlib figure.
    """
    who = "plot_segmentation_mask_gallery"
    found = pictures(who, images, data_format, value_range)
    colors = class_colors(who, int(num_classes) if hasattr(num_classes, "__index__") else 1, color_mapping)
    parts = [found]
    for masks in (y_true, y_pred):
        if masks is not None:
            parts.append(draw_segmentation_masks(found, masks, num_classes, color_mapping, alpha, blend, ignore_index, "channels_last"))
    gap = np.full((*found.shape[:2], max(found.shape[2] // 40, 1), 3), 255, "uint8")
    beside = np.concatenate([piece for part in parts for piece in (part, gap)][:-1], 2)
    if "legend_handles" not in kwargs and len(parts) > 1 and len(colors) <= 20:
        names = kwargs.pop("label_map", None) or {}
        kwargs["legend_handles"] = [_handle(who, str(names.get(i, i)), color) for i, color in enumerate(colors)]
    return plot_image_gallery(beside, data_format="channels_last", **kwargs)
