"""`model.explain()`: what runs for each layer, and why nothing faster does."""

from cornu import backends, scopes, tree
from cornu.layers.input_layer import InputLayer
from cornu.ops.dispatch import watched
from cornu.shapes import Spec, unknown
from cornu.training.direct import OFTEN, QUICK, asked, refusal
from cornu.training.loop import runs_eagerly
from cornu.training.step import Step

UNKNOWN_SIZE = 32  # what stands for a size that is not known, but for the batch's
ENGINE = "operations of the engine"


def explain(model, x=None, training=None):
    """What runs for each layer of a built model on the backend in use.

    Args:
        model: the model.
        x: data of one batch, needed only where the model knows no shape of its inputs.
        training: whether in a step of training; None: where the model is compiled.

    Returns:
        Two lists of rows (what, how it runs, why nothing faster does or None): of the step as a whole, and of the layers.

    Raises:
        ValueError: the model knows no shape of its inputs, and no data was given.
    """
    backend = backends.current()
    training = bool(model.compiled and model.optimizer is not None) if training is None else training
    step = _step(model, backend, training)
    told = _watch(model, backend, _specs(model, x), training)
    compiled = step[0][1].startswith("one compiled")
    return step, [(_path(layer, model), *_layer(layer, ops, backend, compiled, training)) for layer, ops in told]


def text(model, x=None, training=None):
    """The rows as a table."""
    step, layers = explain(model, x, training)
    rows = [(what, how, why or "-") for what, how, why in (*step, *layers)]
    widths = [max(len(row[i]) for row in (("Layer", "Runs as", ""), *rows)) for i in (0, 1)]
    line = lambda row: f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}".rstrip()
    rule = "-" * (sum(widths) + 4 + max(len(row[2]) for row in (("", "", "Why nothing faster"), *rows)))
    body = [line(row) for row in rows]
    return "\n".join(
        [
            f'Model "{model.name}" on {backends.TITLES[backends.name()]}',
            line(("Layer", "Runs as", "Why nothing faster")),
            rule,
            *body[: len(step)],
            rule,
            *body[len(step) :],
        ]
    )


def _step(model, backend, training):
    title = backends.TITLES[backend.NAME]
    if runs_eagerly(model):
        rows = [("step", "op by op", "compile(run_eagerly=True)" if model.run_eagerly else "compile(jit_compile=False)")]
    elif backend.COMPILES or asked(model):
        rows = [("step", f"one compiled program of {title}", None)]
    else:
        mode = "train" if training else "predict"
        why, more = (
            refusal(Step(model, mode), False),
            ". compile(jit_compile=True) asks for a program" if hasattr(backend, "program") else "",
        )
        how = "op by op" if why else f"op by op, and by its recorded operations once {OFTEN[mode]} steps took less than {1e3 * QUICK[mode]:g} ms each"
        rows = [("step", how, f"{why or f'the {backend.NAME} backend runs each op at once'}{more}")]
    if training and model.optimizer is not None:
        form, why = model.optimizer.form()
        rows.append(
            (
                f"optimizer ({type(model.optimizer).__name__})",
                f"one kernel of {title} for all weights" if form == "kernel" else "its rule, weight by weight",
                why,
            )
        )
    return rows


def _specs(model, x):
    """The inputs with every size known, as Specs; data as it is."""
    if x is not None:
        return tree.map_structure(backends.array, x)
    function, built = getattr(model, "_function", None), model.__dict__.get("_build_shapes")
    if function is not None:
        given = tree.map_structure(lambda tensor: tensor.spec, function._inputs_struct)
    elif built and next(iter(built.values())) is not None:
        given = tree.map_shape_structure(lambda shape: Spec(shape, model.compute_dtype), next(iter(built.values())))
    else:
        raise ValueError(f'explain: the model "{model.name}" knows no shape of its inputs yet. Call it on data, build it, or give a batch: explain(x).')
    size = lambda i, n: n if not unknown(n) else UNKNOWN_SIZE if i else 2
    return tree.map_structure(lambda spec: Spec([size(i, n) for i, n in enumerate(spec.shape)], spec.dtype), given)


def _watch(model, backend, given, training):
    """(layer, what was told of its own ops: (name, form) -> why) of the layers that compute, those inside of others too."""
    found = {}

    def calling():
        return next((scope.caller for scope in reversed(scopes.open_scopes("name_scope")) if scope.caller is not None), model)

    def tell(name, form, why, depth):
        if depth == 0:
            found.setdefault(id(calling()), (calling(), {}))[1].setdefault((name, form), why)

    with watched(tell):
        backend.infer(lambda inputs: model(inputs, training=training), [given])
    inner = {id(part) for layer in model._flatten_layers() if hasattr(layer, "form") for part in layer._flatten_layers(include_self=False)}
    quiet = lambda layer: isinstance(layer, InputLayer) or id(layer) in inner or (layer._layers and not hasattr(layer, "form"))
    shown = [layer for layer in model._flatten_layers() if id(layer) in found or not (layer is model or quiet(layer))]
    return [(layer, found.get(id(layer), (layer, {}))[1]) for layer in shown]


def _path(layer, model):
    path = (layer.path or layer.name).removeprefix(f"{model.name}/")
    return f"{path} ({type(layer).__name__})" if layer is not model else f"between the layers ({type(layer).__name__})"


def _layer(layer, told, backend, compiled, training):
    """How a layer runs, and why nothing faster does."""
    title = backends.TITLES[backend.NAME]
    if hasattr(layer, "form"):
        form, why = layer.form(training)
        return (
            (f"{title}'s kernel for all steps at once", None) if form == "kernel" else ("a compiled loop over the steps" if compiled else "step by step", why)
        )
    kernels = [name for name, form in told if form == "kernel"]
    bodies = {name: why for (name, form), why in told.items() if form == "body"}
    parts = [f"{title}'s kernels: {', '.join(kernels)}"] if kernels else []
    parts += [f"written once, in the compiled program: {', '.join(bodies)}" if compiled else f"op by op: {', '.join(bodies)}"] if bodies else []
    return "; ".join(parts) or ENGINE, None if compiled or not bodies else "; ".join(dict.fromkeys(bodies.values()))
