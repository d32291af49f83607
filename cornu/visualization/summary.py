"""`model.summary()`: a table of the layers with their output shapes, parameters and FLOPs."""

import io
import os
import re
import shutil
import sys

from cornu import scopes, shapes, tree
from cornu.backends import cost
from cornu.shapes import Spec

_WIDTHS = {"Layer (type)": 0.36, "Output Shape": 0.27, "Param #": 0.15, "FLOPs": 0.13, "Connected to": 0.25}


def print_summary(model, line_length=None, positions=None, print_fn=None, expand_nested=False, show_trainable=False, layer_range=None):
    """Print the table of `model`; the arguments are those of `Model.summary`."""
    if print_fn is not None and not callable(print_fn):
        raise ValueError(f"summary: print_fn must be a function of a text; got {print_fn!r}.")
    text = summary_text(model, line_length, positions, expand_nested, show_trainable, layer_range, color=print_fn is None and sys.stdout.isatty())
    (print_fn or print)(text)


def summary_text(model, line_length=None, positions=None, expand_nested=False, show_trainable=False, layer_range=None, color=False):
    """The table as text."""
    from rich.console import Console  # a tenth of a second to import, needed by nothing else here
    from rich.table import Table
    from rich.text import Text

    graph = getattr(model, "_function", None)
    connected = graph is not None and not hasattr(model, "_stack") and _branches(model)
    columns = ["Layer (type)", "Output Shape", "Param #", "FLOPs"]
    columns += ["Connected to"] if connected else []
    columns += ["Trainable"] if show_trainable else []
    _check(line_length, positions, layer_range)
    if positions is not None and len(positions) == len(columns) - 1:  # made for the table of Keras, which has no FLOPs
        columns.remove("FLOPs")
    if positions is not None and len(positions) != len(columns):
        raise ValueError(f"summary: positions must say where each of the {len(columns)} columns ends ({', '.join(columns)}); got {list(positions)}.")
    if line_length is None:
        line_length = min(shutil.get_terminal_size((100 if connected else 80, 24)).columns, 120) if sys.stdout.isatty() else 100 if connected else 80
        if "COLUMNS" in os.environ and os.environ["COLUMNS"].isdigit():
            line_length = int(os.environ["COLUMNS"])
    table = Table(width=line_length, header_style="bold", show_lines=True)
    shares = _shares(columns, line_length) if positions is None else _widths(positions, line_length)
    for column, share in zip(columns, shares):
        right = column in ("Param #", "FLOPs")
        table.add_column(
            column,
            justify="right" if right else "center" if column == "Trainable" else "left",
            width=max(5, int(line_length * share) - 3),
            overflow="fold",
        )
    counted = {id(layer): _flops(layer, node) for layer, _, node in _rows(model, False, None)}
    for layer, depth, node in _rows(model, expand_nested, layer_range):
        flops = counted[id(layer)] if depth == 0 else _flops(layer, node)
        cells = [("   " * depth + ("└ " if depth else "")) + f"{layer.name} ({_type(layer)})", _shape_text(layer, node), _parameters(layer), _short(flops)]
        cells = cells if "FLOPs" in columns else cells[:3]
        cells += [", ".join(_sources(node)) or "-"] if connected else []
        cells += (
            ["Y" if getattr(layer, "trainable", True) and getattr(layer, "weights", None) else "N" if getattr(layer, "weights", None) else "-"]
            if show_trainable
            else []
        )
        table.add_row(*(Text(cell) for cell in cells))
    out = io.StringIO()
    console = Console(file=out, width=line_length, force_terminal=color, color_system="standard" if color else None, highlight=False, legacy_windows=False)
    console.print(Text(f'Model: "{model.name}"', style="bold"))
    console.print(table)
    for line in _totals(model, sum(counted.values())):
        console.print(Text(f" {line}"))
    return out.getvalue().rstrip("\n")


def _check(line_length, positions, layer_range):
    if line_length is not None and (isinstance(line_length, bool) or not hasattr(line_length, "__index__") or line_length < 40):
        raise ValueError(f"summary: line_length must be an integer of at least 40, or None; got {line_length!r}.")
    if positions is not None:
        numbers = isinstance(positions, (list, tuple)) and all(isinstance(p, (int, float)) and p > 0 for p in positions)
        if not numbers or any(a >= b for a, b in zip(positions, positions[1:])):
            raise ValueError(f"summary: positions must be a list that rises, where the columns end; got {positions!r}.")
    if layer_range is not None:
        if not isinstance(layer_range, (list, tuple)) or len(layer_range) != 2 or not all(isinstance(name, str) for name in layer_range):
            raise ValueError(f"summary: layer_range must be the names of two layers, or regular expressions for them; got {layer_range!r}.")


def _widths(positions, line_length):
    """The share of each column from where the columns end, as fractions or in characters."""
    ends = [p / line_length for p in positions] if positions[-1] > 1 else list(positions)
    return [b - a for a, b in zip([0, *ends], ends)]


def _shares(columns, line_length):
    """The parts of the line that the columns take; Trainable takes as much as its name needs."""
    fixed = 12.9 / line_length if "Trainable" in columns else 0.0
    others = sum(_WIDTHS[c] for c in columns if c != "Trainable")
    return [fixed if c == "Trainable" else (1 - fixed) * _WIDTHS[c] / others for c in columns]


def _type(layer):
    function = getattr(layer, "function", None)
    return "".join(part.capitalize() for part in function.__name__.split("_")) if type(layer).__name__ == "FunctionOperation" else type(layer).__name__


def _branches(model):
    nodes = model._function.nodes
    return any(len(node.input_tensors) > 1 for node in nodes) or len({id(t) for n in nodes for t in n.input_tensors}) != sum(
        len(n.input_tensors) for n in nodes
    )


def _rows(model, expand_nested, layer_range, depth=0):
    """(layer, depth, the node that shows its use here or None), in order."""
    graph = getattr(model, "_function", None)
    uses = {}
    for node in graph.nodes if graph is not None else ():
        uses.setdefault(id(node.operation), node)
    operations = model.layers if hasattr(model, "_stack") or graph is None else graph.operations
    if layer_range is not None and depth == 0:
        first, last = ([i for i, op in enumerate(operations) if re.fullmatch(name, op.name)] for name in layer_range)
        if not first or not last:
            raise ValueError(f"summary: layer_range {tuple(layer_range)} names no layers of the model; they are {', '.join(op.name for op in operations)}.")
        operations = operations[min(first) : max(last) + 1]
    for operation in operations:
        yield operation, depth, uses.get(id(operation))
        if expand_nested and hasattr(operation, "layers"):
            yield from _rows(operation, True, None, depth + 1)


def _output_specs(layer, node):
    """The Specs that the layer gives, as a structure; None where it is not known."""
    if node is not None:
        return tree.map_structure(lambda t: t.spec, node.output_structure)
    if getattr(layer, "_inbound_nodes", None):
        return tree.map_structure(lambda t: t.spec, layer._inbound_nodes[0].output_structure)
    return None


def _shape_text(layer, node):
    specs = _output_specs(layer, node)
    if specs is None:
        inputs = _built_inputs(layer)
        if inputs is None:
            return "?"
        try:
            specs = layer.compute_output_spec(*inputs)
        except (TypeError, ValueError, NotImplementedError):
            return "?"
    if isinstance(specs, (list, tuple)):
        return ", ".join(str(shapes.public(s.shape)) for s in tree.flatten(specs))
    if isinstance(specs, dict):
        return ", ".join(f"{k}: {shapes.public(s.shape)}" for k, s in specs.items())
    return str(shapes.public(specs.shape))


def _built_inputs(layer):
    built = layer.__dict__.get("_build_shapes")
    if not built or any(shape is None for shape in built.values()):
        return None
    make = lambda shape: Spec((None, *shape[1:]), layer.compute_dtype)
    return [tree.map_shape_structure(make, shape) for shape in built.values()]


def _flops(layer, node):
    """Floating point operations of one call for one sample."""
    args = [tree.map_structure(lambda t: t.spec if hasattr(t, "spec") else t, a) for a in node.args] if node is not None else None
    kwargs = {k: tree.map_structure(lambda t: t.spec if hasattr(t, "spec") else t, v) for k, v in node.kwargs.items()} if node is not None else {}
    if args is None:
        built = _built_inputs(layer) if hasattr(layer, "compute_dtype") else None
        if built is None or not layer.built:
            return 0
        args = built
    with cost.counting() as tally, scopes.SymbolicScope():
        try:
            layer.compute_output_spec(*args, **kwargs)
        except (TypeError, ValueError, NotImplementedError):
            return 0
    return tally.flops


def _sources(node):
    if node is None:
        return []
    return [f"{t._keras_history.operation.name}[{t._keras_history.node_index}][{t._keras_history.tensor_index}]" for t in node.input_tensors]


def _parameters(layer):
    weights = getattr(layer, "weights", None)
    if weights is None:
        return "0"
    own_build = getattr(layer, "built", True)
    count = sum(w.size for w in weights)
    return f"{count:,}" if own_build or count else "0 (unbuilt)" if _makes_weights(layer) else "0"


def _makes_weights(layer):
    return any("build" in cls.__dict__ for cls in type(layer).__mro__[:-4]) or bool(layer._layers)


def _short(number):
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= 10 * size or (number >= size and unit != "k"):
            return f"{number / size:.1f}{unit}"
    return f"{int(number):,}"


def _bytes(number):
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1024 or unit == "GB":
            return f"{number:.2f} {unit}"
        number /= 1024


def _size(variables):
    numbers = sum(v.size for v in variables)
    bits = {"bool": 8, "uint8": 8, "int8": 8}
    size = sum(v.size * bits.get(v.dtype, int("".join(c for c in v.dtype.split("_")[0] if c.isdigit()) or 8)) // 8 for v in variables)
    return f"{numbers:,} ({_bytes(size)})"


def _totals(model, flops):
    trainable = model.trainable_weights
    frozen = model.non_trainable_weights
    optimizer = getattr(model, "optimizer", None)
    slots = [v for v in getattr(optimizer, "variables", ())] if optimizer is not None and getattr(optimizer, "built", False) else []
    yield f"Total params: {_size([*trainable, *frozen, *slots])}"
    yield f"Trainable params: {_size(trainable)}"
    yield f"Non-trainable params: {_size(frozen)}"
    if slots:
        yield f"Optimizer params: {_size(slots)}"
    yield f"FLOPs for one sample: {_short(flops)}"
