"""`plot_model` and `model_to_dot`: the layers as boxes and what flows between them as arrows, with no system program."""

import os
import shutil
import subprocess

from cornu import shapes
from cornu.models.model import Model
from cornu.visualization.layout import Layout

_CHARACTER, _LINE, _PAD = 0.085, 0.2, 0.14  # inches
DIRECTIONS = ("TB", "BT", "LR", "RL")
SPLINES = ("ortho", "polyline", "line", "spline", "curved", "true", "false")


def check_model(who, model, rankdir, splines, dpi, kwargs):
    """Check what `plot_model` and `model_to_dot` share.

    Raises:
        TypeError: an argument that does not exist, or something that is no model.
        ValueError: the model is not built, or an argument out of range.
    """
    if kwargs:
        raise TypeError(f"{who} has no argument {next(iter(kwargs))!r}.")
    if not isinstance(model, Model):
        raise TypeError(f"{who}: wanted a model; got {type(model).__name__}.")
    if rankdir not in DIRECTIONS:
        raise ValueError(f"{who}: rankdir must be one of {', '.join(DIRECTIONS)}; got {rankdir!r}.")
    if str(splines).lower() not in SPLINES:
        raise ValueError(f"{who}: splines must be one of {', '.join(SPLINES)}; got {splines!r}.")
    if isinstance(dpi, bool) or not isinstance(dpi, (int, float)) or not dpi > 0:
        raise ValueError(f"{who}: dpi must be a number above 0; got {dpi!r}.")
    if not model.built:
        raise ValueError(f'{who}: the model "{model.name}" is not built yet: give it an Input or call it on data first.')


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
    splines="ortho",
    **kwargs,
):
    """Draw the layers of a model and how they are connected.

    Args:
        model: a model that is built.
        to_file: path of the picture; its ending (.png, .svg, .pdf, .jpg) gives the format, and .dot the text that Graphviz draws. None writes none.
        show_shapes: whether to show the shape that each layer takes and gives.
        show_dtype: whether to show the type of what each layer gives.
        show_layer_names: whether to show the layers' names.
        rankdir: "TB" from top to bottom, "LR" from left to right; "BT" and "RL" the other way.
        expand_nested: whether nested models are drawn with their layers, in a frame.
        dpi: dots an inch, for PNG and JPEG.
        show_layer_activations: whether to show the activations.
        show_trainable: whether to show which layers are trained.
        splines: how arrows run: "ortho" with right angles, "polyline" or "line" straight, "curved" or "spline" in bows.

    Returns:
        The figure, which a notebook shows.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: the model is not built, or an argument out of range.
    """
    check_model("plot_model", model, rankdir, splines, dpi, kwargs)
    ending = "" if to_file is None else os.path.splitext(str(to_file))[1].lstrip(".").lower()
    if to_file is not None and ending not in ("png", "svg", "pdf", "jpg", "jpeg", "dot"):
        raise ValueError(f"plot_model: to_file must end in .png, .svg, .pdf, .jpg or .dot; got {str(to_file)!r}.")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
        from matplotlib.path import Path
    except ImportError:
        raise ImportError("plot_model needs matplotlib. Install it: pip install matplotlib") from None

    options = {"shapes": show_shapes, "dtype": show_dtype, "names": show_layer_names, "activations": show_layer_activations, "trainable": show_trainable}
    boxes, edges = graph_of(model, expand_nested)
    texts = [text_of(layer, node, options) for layer, node, _ in boxes]
    sizes = [(max(map(len, text.split("\n"))) * _CHARACTER + 2 * _PAD, (text.count("\n") + 1) * _LINE + 2 * _PAD) for text in texts]
    layout = Layout(sizes, edges, rankdir)
    figure = Figure(figsize=(layout.width, layout.height), dpi=dpi)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, layout.width)
    axes.set_ylim(0, layout.height)
    axes.axis("off")
    for name, (x, y, w, h) in _frames(boxes, layout.centres, sizes):
        axes.add_patch(FancyBboxPatch((x, y), w, h, boxstyle="round,pad=0,rounding_size=0.08", facecolor="#fbf6ea", edgecolor="#b8973f", linewidth=1, zorder=0))
        axes.text(x + 0.06, y + h - 0.05, name, ha="left", va="top", fontsize=7.5, color="#8a6d1d", family="DejaVu Sans", zorder=1)
    for route in layout.routes:
        path = Path(*_drawn(route, str(splines).lower(), Path))
        axes.add_patch(FancyArrowPatch(path=path, arrowstyle="-|>", mutation_scale=9, color="#555555", linewidth=1, shrinkA=0, shrinkB=0, zorder=2))
    for (x, y), (w, h), text, (layer, *_) in zip(layout.centres, sizes, texts, boxes):
        color = "#e8f1fb" if getattr(layer, "weights", None) else "#f7f7f5"
        axes.add_patch(
            FancyBboxPatch((x - w / 2, y - h / 2), w, h, boxstyle="round,pad=0,rounding_size=0.06", facecolor=color, edgecolor="#335577", linewidth=1, zorder=3)
        )
        first, _, rest = text.partition("\n")
        axes.text(x, y + (h / 2 - _PAD - _LINE / 2), first, ha="center", va="center", fontsize=9.5, fontweight="bold", family="DejaVu Sans", zorder=4)
        if rest:
            axes.text(x, y - _LINE / 2, rest, ha="center", va="center", fontsize=8.5, family="DejaVu Sans", linespacing=1.3, zorder=4)
    if ending == "dot":
        shown = {"show_shapes": show_shapes, "show_dtype": show_dtype, "show_layer_names": show_layer_names, "show_layer_activations": show_layer_activations}
        model_to_dot(model, rankdir=rankdir, expand_nested=expand_nested, dpi=dpi, show_trainable=show_trainable, splines=splines, **shown).write(to_file)
    elif to_file is not None:
        figure.savefig(to_file)
    return figure


def _drawn(route, splines, path):
    """Points and codes of an arrow."""
    if splines == "ortho" or len(route) == 2:
        return (route,)
    if splines in ("polyline", "line", "false"):
        return ([route[0], *(((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in zip(route[1:-1:2], route[2:-1:2])), route[-1]],)
    points, codes = [route[0]], [path.MOVETO]
    for a, b in zip(route[1:-1], route[2:]):  # a bow at each corner
        points += [a, b if b == route[-1] else ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)]
        codes += [path.CURVE3] * 2
    return points, codes


def _frames(boxes, centres, sizes):
    """(name, (x, y, width, height)) of each nested model that stands by itself, outer ones first."""
    paths = sorted({path[:depth] for _, _, path in boxes for depth in range(1, len(path) + 1)}, key=len)
    deepest = max(map(len, paths), default=0)
    for group in paths:
        pad = 0.08 + 0.07 * (deepest - len(group))
        inside = [i for i, (_, _, path) in enumerate(boxes) if path[: len(group)] == group]
        left = min(centres[i][0] - sizes[i][0] / 2 for i in inside) - pad
        right = max(centres[i][0] + sizes[i][0] / 2 for i in inside) + pad
        bottom = min(centres[i][1] - sizes[i][1] / 2 for i in inside) - pad
        top = max(centres[i][1] + sizes[i][1] / 2 for i in inside) + pad + 0.13
        others = (i for i in range(len(boxes)) if i not in inside)
        if not any(left < centres[i][0] + sizes[i][0] / 2 and centres[i][0] - sizes[i][0] / 2 < right and bottom < centres[i][1] < top for i in others):
            yield group[-1], (left, bottom, right - left, top - bottom)


def graph_of(model, expand):
    """(operation, node, names of the nested models that it is in) for each box, and (from, to) for each arrow."""
    boxes, edges = [], []
    graph = getattr(model, "_function", None)
    if graph is None:
        for layer in model.layers:
            boxes.append((layer, None, ()))
        return boxes, [(i, i + 1) for i in range(len(boxes) - 1)]
    made_by = {}  # id of a tensor -> the box that makes it

    def add(function, inputs, path):
        for tensor, source in zip(function.inputs, inputs):
            if source is None:
                boxes.append((tensor._keras_history.operation, None, path))
                source = len(boxes) - 1
            made_by[id(tensor)] = source
        for node in function.nodes:
            inner = getattr(node.operation, "_function", None) if expand and isinstance(node.operation, Model) else None
            sources = [made_by[id(t)] for t in node.input_tensors]
            if inner is not None:
                add(inner, sources, (*path, node.operation.name))
                for tensor, inside in zip(node.outputs, inner.outputs):
                    made_by[id(tensor)] = made_by[id(inside)]
                continue
            boxes.append((node.operation, node, path))
            here = len(boxes) - 1
            edges.extend((source, here) for source in dict.fromkeys(sources))
            for tensor in node.outputs:
                made_by[id(tensor)] = here

    add(graph, [None] * len(graph.inputs), ())
    return boxes, edges


def text_of(layer, node, options):
    """What stands in the box of a layer, line by line."""
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


# -- the language of Graphviz ------------------------------------------------------------------------------------------------------------


class Dot:
    """A graph in the language of Graphviz: `to_string()`, `write(path)`, and `create(format=...)` where Graphviz is installed."""

    def __init__(self, text):
        self._text = text

    def to_string(self):
        """The text."""
        return self._text

    __str__ = to_string

    def __repr__(self):
        return f"<Dot of {len(self._text.splitlines())} lines>"

    def write(self, path, prog="dot", format="raw"):
        """Write the text ("raw", "dot"), or a picture drawn by Graphviz ("png", "svg" and so on)."""
        data = self._text.encode() if format in ("raw", "dot") else self.create(prog, format)
        with open(path, "wb") as file:
            file.write(data)
        return True

    def create(self, prog="dot", format="png"):
        """The bytes of a picture, drawn by Graphviz.

        Raises:
            FileNotFoundError: Graphviz is not installed.
            ValueError: it could not draw it.
        """
        program = shutil.which(prog)
        if program is None:
            raise FileNotFoundError(
                f"Drawing by Graphviz needs its program {prog!r}, which is not installed (https://graphviz.org). plot_model draws without it."
            )
        done = subprocess.run([program, f"-T{format}"], input=self._text.encode(), capture_output=True)
        if done.returncode:
            raise ValueError(f"Graphviz: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout


def model_to_dot(
    model,
    show_shapes=False,
    show_dtype=False,
    show_layer_names=True,
    rankdir="TB",
    expand_nested=False,
    dpi=200,
    subgraph=False,
    show_layer_activations=False,
    show_trainable=False,
    splines="ortho",
    **kwargs,
):
    """The layers of a model and how they are connected, in the language of Graphviz.

    Args:
        subgraph: whether to give a cluster that goes into another graph.
        model, show_shapes, show_dtype, show_layer_names, rankdir, expand_nested, dpi, show_layer_activations, show_trainable, splines: see `plot_model`.

    Returns:
        A `Dot`.

    Raises:
        ValueError: the model is not built, or an argument out of range.

    >>> print(model_to_dot(model, show_shapes=True).to_string())
    """
    check_model("model_to_dot", model, rankdir, splines, dpi, kwargs)
    options = {"shapes": show_shapes, "dtype": show_dtype, "names": show_layer_names, "activations": show_layer_activations, "trainable": show_trainable}
    boxes, edges = graph_of(model, expand_nested)
    names = [f"n{id(model) % 10**9}_{i}" if subgraph else f"n{i}" for i in range(len(boxes))]
    lines = [f"subgraph {_quoted('cluster_' + model.name)} {{" if subgraph else f"digraph {_quoted(model.name)} {{"]
    if subgraph:
        lines += [f"  label={_quoted(model.name)};", "  style=dashed;"]
    else:
        lines += [f"  rankdir={rankdir};", f"  dpi={dpi:g};", f"  splines={str(splines).lower()};", "  concentrate=true;"]
    lines += ['  node [shape=box, style="rounded,filled", fillcolor="#f7f7f5", color="#335577", fontname="Helvetica"];', '  edge [color="#555555"];']
    _write_boxes(lines, [(name, text_of(layer, node, options), layer, path) for name, (layer, node, path) in zip(names, boxes)], (), "  ")
    lines += [f"  {names[a]} -> {names[b]};" for a, b in edges]
    return Dot("\n".join([*lines, "}"]) + "\n")


def _write_boxes(lines, boxes, path, indent):
    """The boxes of the nested model `path`, and those below it in a cluster each."""
    below = []
    for name, text, layer, where in boxes:
        if where == path:
            color = ', fillcolor="#e8f1fb"' if getattr(layer, "weights", None) else ""
            lines.append(f"{indent}{name} [label={_quoted(text)}{color}];")
        elif where[: len(path)] == path and where[: len(path) + 1] not in below:
            below.append(where[: len(path) + 1])
    for inner in below:
        lines += [f"{indent}subgraph {_quoted('cluster_' + '/'.join(inner))} {{", f"{indent}  label={_quoted(inner[-1])};", f"{indent}  style=dashed;"]
        _write_boxes(lines, boxes, inner, indent + "  ")
        lines.append(indent + "}")


def _quoted(text):
    escaped = str(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
