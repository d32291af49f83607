"""One layer here and in Keras from the same weights and inputs: outputs, training, gradients, penalties, config, names, shapes and order of weights."""

import numpy as np

from cornu import layers, ops, scopes, serialization, tree
from tests import oracle

PREPARE = """
import inspect

def inputs(shapes):
    rng = np.random.default_rng(1)
    return [rng.integers(0, s[1], s[0]).astype("int32") if len(s) == 2 and isinstance(s[0], tuple) else rng.normal(size=s).astype("float32") for s in shapes]

def prepare(expression, shapes, spread, kwargs):
    keras.utils.clear_session(free_memory=False)
    layer = eval("keras.layers." + expression, {"keras": keras, "layers": keras.layers})
    xs = inputs(shapes)
    trains = "training" in inspect.signature(layer.call).parameters
    def arguments(xs, training):
        xs = list(xs)
        return (xs if spread else [xs if len(xs) > 1 else xs[0]]), {**kwargs, **({"training": training} if trains else {})}
    args, options = arguments([keras.Input(batch_shape=x.shape, dtype=x.dtype.name) for x in xs], False)
    symbols = layer(*args, **options)
    rng = np.random.default_rng(3)
    layer.set_weights([rng.uniform(0.2, 0.9, w.shape).astype(w.dtype) for w in layer.get_weights()])
    return layer, xs, trains, arguments, symbols

flat = lambda y: [np.asarray(ops.convert_to_numpy(t)) for t in keras.tree.flatten(y)]

def all_answers(answer):
    out["answers"] = []
    for case in cases:
        try:
            out["answers"].append(answer(**case))
        except Exception as error:
            out["answers"].append({"error": type(error).__name__, "says": str(error)[:300]})
"""

VALUES = """
def answer(expression, shapes, spread=False, kwargs={}):
    layer, xs, trains, arguments, symbols = prepare(expression, shapes, spread, kwargs)
    found = {"shapes": [list(w.shape) for w in layer.weights], "names": [w.path.split("/", 1)[-1] for w in layer.weights]}
    found["symbols"] = [list(s.shape) for s in keras.tree.flatten(symbols)]
    args, options = arguments(xs, False)
    found["y"] = flat(layer(*args, **options))
    found["losses"] = flat(layer.losses)
    if trains:
        args, options = arguments(xs, True)
        found["trained"] = flat(layer(*args, **options))
        found["after"] = flat(layer.non_trainable_variables)
    found["config"] = keras.saving.serialize_keras_object(layer)
    return found

all_answers(answer)
"""

GRADIENTS = """
import jax

def answer(expression, shapes, spread=False, kwargs={}):
    layer, xs, trains, arguments, _ = prepare(expression, shapes, spread, kwargs)
    state = [v.value for v in layer.non_trainable_variables]
    whole = {i: x for i, x in enumerate(xs) if x.dtype.kind == "i"}
    def loss(values, floats):
        floats = iter(floats)
        args, options = arguments([whole[i] if i in whole else next(floats) for i in range(len(xs))], True)
        y, _ = layer.stateless_call(values, state, *args, **options)
        return sum(ops.sum(ops.sin(ops.cast(t, "float32"))) for t in keras.tree.flatten(y))
    floats = [ops.convert_to_tensor(x) for i, x in enumerate(xs) if i not in whole]
    return {"gradients": flat(jax.jit(jax.grad(loss, argnums=(0, 1)))([v.value for v in layer.trainable_variables], floats))}

all_answers(answer)
"""


def ask(cases, gradients=None):
    """Keras's answers to a list of cases: a dict of results for each, or of `error` and what it `says`.

    Args:
        cases: dicts with `expression` and `shapes`, and `spread` and `kwargs` where they are needed.
        gradients: the places of those whose gradients are wanted too; None for all.
    """
    answers = oracle.run(PREPARE + VALUES, cases=cases, backend="numpy")["answers"]
    wanted = range(len(cases)) if gradients is None else gradients
    chosen = [i for i in wanted if "error" not in answers[i] and "float16" not in cases[i]["expression"]]
    more = oracle.run(PREPARE + GRADIENTS, cases=[cases[i] for i in chosen])["answers"] if chosen else []
    for i, found in zip(chosen, more):
        answers[i].update({} if "error" in found else found)
    return answers


def inputs(shapes):
    """The same inputs as in the snippet above."""
    rng = np.random.default_rng(1)
    whole = lambda s: len(s) == 2 and isinstance(s[0], tuple)
    return [rng.integers(0, s[1], s[0]).astype("int32") if whole(s) else rng.normal(size=s).astype("float32") for s in shapes]


def compare(backend, theirs, expression, shapes, spread=False, kwargs=None, tolerance=3e-5):
    """Assert that the layer of `expression` is as Keras's, whose answer is `theirs`."""
    scopes.reset_names()
    kwargs = kwargs or {}
    if "float16" in expression:
        tolerance = 2e-2
    layer = eval("layers." + expression, {"layers": layers})
    xs = inputs(shapes)

    def arguments(xs):
        xs = list(xs)
        return xs if spread else [xs if len(xs) > 1 else xs[0]]

    outputs = layer(*arguments([layers.Input(batch_shape=x.shape, dtype=x.dtype.name) for x in xs]), **kwargs)
    assert [list(w.shape) for w in layer.weights] == theirs["shapes"]
    assert [w.path.split("/", 1)[-1] for w in layer.weights] == theirs["names"]
    rng = np.random.default_rng(3)
    layer.set_weights([rng.uniform(0.2, 0.9, w.shape).astype(w.dtype) for w in layer.weights])
    takes = layer._takes("training")
    trains = {"training": True} if takes else {}
    variables, state = layer.trainable_variables, layer.non_trainable_variables
    whole = {i: backend.array(x) for i, x in enumerate(xs) if x.dtype.kind == "i"}
    floats = [backend.array(x) for i, x in enumerate(xs) if i not in whole]

    def run(values, floats, **options):
        floats = iter(floats)
        given = [whole[i] if i in whole else next(floats) for i in range(len(xs))]
        return layer.stateless_call(values, [v.value for v in state], *arguments(given), return_losses=True, **kwargs, **options)

    def loss(values):
        y, after, _ = run(values[: len(variables)], values[len(variables) :], **trains)
        return sum(ops.sum(ops.sin(ops.cast(t, "float32"))) for t in tree.flatten(y)), (y, after)

    def everything(values, floats):
        y, _, losses = run(values, floats)
        if "gradients" not in theirs:
            return y, losses, *(run(values, floats, **trains)[:2] if takes else ([], []))
        (_, (trained, after)), gradients = backend.value_and_grad(loss, [*values, *floats])
        return y, losses, *((trained, after) if takes else ([], [])), gradients

    ours = backend.compile(everything)([v.value for v in variables], floats)
    for what, got in zip(("y", "losses", "trained", "after", "gradients"), ours):
        close(backend, tree.flatten(got), theirs.get(what, []), what, tolerance)
    for i, (symbol, value) in enumerate(zip(tree.flatten(outputs), tree.flatten(ours[0]))):
        assert symbol.shape == tuple(value.shape) and symbol.dtype == backend.dtype(value), "the inferred shape"
        if "return_attention_scores" not in kwargs:  # Keras has another shape for those
            assert all(size in (None, got) for size, got in zip(theirs["symbols"][i], symbol.shape, strict=True)), "the inferred shape"
    same_config(layer, expression, theirs["config"])


def same_config(layer, expression, wanted):
    written = serialization.serialize_keras_object(layer)
    assert written["class_name"] == wanted["class_name"] and written["module"] == wanted["module"]
    mine, theirs = plain(written["config"]), plain(wanted["config"])
    if "SimpleRNN" in expression:  # Keras forgets the seed of this one
        forget_seeds(mine)
        forget_seeds(theirs)
    assert mine == theirs
    again = serialization.deserialize_keras_object(wanted)
    assert plain(serialization.serialize_keras_object(again)["config"]) == plain(written["config"]), "from Keras's config"


def forget_seeds(config):
    if isinstance(config, dict):
        if "units" in config:
            config.pop("seed", None)
        for value in config.values():
            forget_seeds(value)


def close(backend, ours, wanted, what, tolerance):
    assert len(ours) == len(wanted), what
    for a, b in zip(ours, wanted):
        a = backend.numpy(a)
        if a.dtype == "uint32":  # the state of a seed, drawn by chance
            continue
        assert a.shape == b.shape and a.dtype == b.dtype, (what, a.shape, b.shape, a.dtype, b.dtype)
        scale = max(1.0, float(np.abs(b.astype("float32")).max(initial=0)))
        np.testing.assert_allclose(a.astype("float32"), b.astype("float32"), rtol=tolerance, atol=tolerance * scale, err_msg=what)


def plain(config):
    """A config without names made up on the way, and with lists for tuples."""
    if isinstance(config, dict):
        return {k: plain(v) for k, v in config.items() if k not in ("name", "registered_name", "build_config")}
    if isinstance(config, float):  # Keras rounds some numbers to float32
        return float(np.float32(config))
    return [plain(v) for v in config] if isinstance(config, (list, tuple)) else config
