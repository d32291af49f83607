"""`plot_model`: the layers as boxes and what flows between them as arrows, in an SVG, PNG or PDF file, with no system program."""

import os

from cornu import shapes
from cornu.models.model import Model

_CHARACTER, _LINE, _PAD, _GAP = 0.085, 0.2, 0.14, 0.45  # inches


def plot_model(
    model,
    to_file="model.png",
    show_shapes=False,
    show_dtype=False,
    show_layer_names=False,
    rankdir="TB",
    expand_nested=False,
    dpi=200,
    show_layer_activations=False,
    show_trainable=False,
    **kwargs,
):
    """Draw the layers of a model and how they are connected.

    Args:
        model: a model that is built.
        to_file: path of the picture; its ending (.png, .svg, .pdf) gives the format.
        show_shapes: whether to show the shape that each layer takes and gives.
        show_dtype: whether to show the type of what each layer gives.
        show_layer_names: whether to show the layers' names.
        rankdir: "TB" from top to bottom, "LR" from left to right.
        expand_nested: whether nested models are drawn with their layers.
        dpi: dots an inch, for PNG.
        show_layer_activations: whether to show the activations.
        show_trainable: whether to show which layers are trained.

    Returns:
        The figure, which a notebook shows.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: the model is not built.
    """
    if kwargs:
        raise TypeError(f"plot_model has no argument {next(iter(kwargs))!r}.")
    if rankdir not in ("TB", "LR"):
        raise ValueError(f"plot_model: rankdir must be 'TB' or 'LR'; got {rankdir!r}.")
    if not getattr(model, "built", False):
        raise ValueError(f'plot_model: the model "{model.name}" is not built yet: give it an Input or call it on data first.')
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.patches import FancyBboxPatch
    except ImportError:
        raise ImportError("plot_model needs matplotlib. Install it: pip install matplotlib") from None

    options = {"shapes": show_shapes, "dtype": show_dtype, "names": show_layer_names, "activations": show_layer_activations, "trainable": show_trainable}
    boxes, edges = _graph(model, expand_nested)
    texts = [_text(layer, node, options) for layer, node in boxes]
    sizes = [(max(map(len, text.split("\n"))) * _CHARACTER + 2 * _PAD, (text.count("\n") + 1) * _LINE + 2 * _PAD) for text in texts]
    places, width, height = _layout(len(boxes), edges, sizes, rankdir == "LR")
    figure = Figure(figsize=(width, height), dpi=dpi)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.axis("off")
    for start, end in edges:
        (x0, y0), (x1, y1) = places[start], places[end]
        if rankdir == "LR":
            begin, stop = (x0 + sizes[start][0] / 2, y0), (x1 - sizes[end][0] / 2, y1)
        else:
            begin, stop = (x0, y0 - sizes[start][1] / 2), (x1, y1 + sizes[end][1] / 2)
        axes.annotate("", xy=stop, xytext=begin, arrowprops={"arrowstyle": "-|>", "color": "#555555", "shrinkA": 0, "shrinkB": 0, "linewidth": 1})
    for (x, y), (w, h), text, (layer, _) in zip(places, sizes, texts, boxes):
        color = "#e8f1fb" if getattr(layer, "weights", None) else "#f7f7f5"
        axes.add_patch(
            FancyBboxPatch((x - w / 2, y - h / 2), w, h, boxstyle="round,pad=0,rounding_size=0.06", facecolor=color, edgecolor="#335577", linewidth=1)
        )
        first, _, rest = text.partition("\n")
        axes.text(x, y + (h / 2 - _PAD - _LINE / 2), first, ha="center", va="center", fontsize=9.5, fontweight="bold", family="DejaVu Sans")
        if rest:
            axes.text(x, y - _LINE / 2, rest, ha="center", va="center", fontsize=8.5, family="DejaVu Sans", linespacing=1.3)
    if to_file is not None:
        ending = os.path.splitext(str(to_file))[1].lstrip(".").lower()
        if ending not in ("png", "svg", "pdf", "jpg", "jpeg"):
            raise ValueError(f"plot_model: to_file must end in .png, .svg, .pdf or .jpg; got {str(to_file)!r}.")
        figure.savefig(to_file)
    return figure


def _graph(model, expand):
    """(operation, node) for each box, and (from, to) for each arrow."""
    boxes, edges = [], []
    graph = getattr(model, "_function", None)
    if graph is None:
        for layer in model.layers:
            boxes.append((layer, None))
        return boxes, [(i, i + 1) for i in range(len(boxes) - 1)]
    made_by = {}  # id of a tensor -> the box that makes it

    def add(function, inputs):
        for tensor, source in zip(function.inputs, inputs):
            if source is None:
                boxes.append((tensor._keras_history.operation, None))
                source = len(boxes) - 1
            made_by[id(tensor)] = source
        for node in function.nodes:
            inner = getattr(node.operation, "_function", None) if expand and isinstance(node.operation, Model) else None
            sources = [made_by[id(t)] for t in node.input_tensors]
            if inner is not None:
                add(inner, sources)
                for tensor, inside in zip(node.outputs, inner.outputs):
                    made_by[id(tensor)] = made_by[id(inside)]
                continue
            boxes.append((node.operation, node))
            here = len(boxes) - 1
            edges.extend((source, here) for source in dict.fromkeys(sources))
            for tensor in node.outputs:
                made_by[id(tensor)] = here

    add(graph, [None] * len(graph.inputs))
    return boxes, edges


def _text(layer, node, options):
    function = getattr(layer, "function", None) if type(layer).__name__ == "FunctionOperation" else None
    kind = type(layer).__name__ if function is None else f"ops.{function.__name__}"
    lines = [f"{layer.name} ({kind})" if options["names"] and function is None else kind]
    outputs = node.outputs if node is not None else layer._inbound_nodes[0].outputs if getattr(layer, "_inbound_nodes", None) else []
    if options["activations"] and hasattr(layer, "activation"):
        lines.append(f"activation: {getattr(layer.activation, '__name__', layer.activation)}")
    if options["shapes"] and outputs:
        shown = lambda tensors: ", ".join(str(shapes.public(t.shape)) for t in tensors)
        if node is not None:
            lines.append(f"in: {shown(node.input_tensors)}")
        lines.append(f"out: {shown(outputs)}")
    if options["dtype"] and outputs:
        lines.append(f"dtype: {', '.join(sorted({t.dtype for t in outputs}))}")
    if options["trainable"] and getattr(layer, "weights", None):
        lines.append("trained" if layer.trainable else "frozen")
    return "\n".join(lines)


def _layout(count, edges, sizes, sideways):
    """The centre of each box, and the width and height of the picture: rows by the longest way from an input, boxes near what they take from."""
    before = {i: [a for a, b in edges if b == i] for i in range(count)}
    row = [0] * count
    for i in range(count):  # boxes come in an order in which each follows what it takes from
        row[i] = max((row[a] + 1 for a in before[i]), default=0)
    rows = [[i for i in range(count) if row[i] == r] for r in range(max(row, default=0) + 1)]
    place = {}
    for boxes in rows:
        boxes.sort(key=lambda i: sum(place[a] for a in before[i]) / len(before[i]) if before[i] else i)
        place.update({box: k - (len(boxes) - 1) / 2 for k, box in enumerate(boxes)})
    along, across = (0, 1) if sideways else (1, 0)
    depth = [max(sizes[i][along] for i in boxes) for boxes in rows]
    breadth = [sum(sizes[i][across] + _GAP for i in boxes) for boxes in rows]
    total_breadth, total_depth = max(breadth) + _GAP, sum(depth) + _GAP * (len(rows) + 1)
    centres, at = [None] * count, _GAP
    for boxes, size, wide in zip(rows, depth, breadth):
        side = (total_breadth - wide) / 2 + _GAP / 2
        for i in boxes:
            a, b = at + size / 2, side + sizes[i][across] / 2
            centres[i] = (a, total_breadth - b) if sideways else (b, total_depth - a)
            side += sizes[i][across] + _GAP
        at += size + _GAP
    return (centres, total_depth, total_breadth) if sideways else (centres, total_breadth, total_depth)
