"""Each engine beside the NumPy backend: every layer, loss, metric and optimizer, from the same weights and data.

NumPy's own answers, and JAX's, are beside Keras's in tests/layers, losses, metrics and optimizers. What an engine lacks stands in
tests/gaps/<backend>.txt as `name layer: reason`, `name loss: reason`, `name metric: reason` or `name optimizer: reason`.

Tolerance: 1e-4 of the greatest number of an answer, 2e-2 where float16 is computed in.
"""

import functools
import importlib.util

import numpy as np
import pytest

from cornu import backends, layers, losses, metrics, ops, random, scopes, tree
from tests import gaps
from tests.layers import against, walk
from tests.losses import test_against_keras as losses_walk
from tests.metrics import test_against_keras as metrics_walk
from tests.ops import check
from tests.optimizers import test_rules as optimizers_walk

ENGINES = [name for name, (module, *_) in backends.BACKENDS.items() if name not in ("numpy", "jax") and importlib.util.find_spec(module)]
COUNT = {"pytensor": 1, "tensorflow": 2}  # cases of each thing where a program a case takes long to compile
CASES = 3
BY_CHANCE = [  # layers that the walk leaves out, since Keras draws other numbers: here every engine draws the same
    "Dropout(0.4, seed=1)",
    "SpatialDropout1D(0.4, seed=1)",
    "AlphaDropout(0.4, seed=1)",
    "GaussianDropout(0.4, seed=1)",
    "GaussianNoise(0.4, seed=1)",
]
LAYERS = {
    **{name: functools.partial(walk.cases, name) for name in walk.LAYERS},
    **{expression.partition("(")[0]: lambda count, expression=expression: [{"expression": expression, "shapes": [walk.SEQUENCE]}] for expression in BY_CHANCE},
}


UNRECORDED = {"LSTM", "TimeDistributed"}  # layers whose kernels cannot be repeated, some of them


def name_of(case):
    return case["expression"].partition("(")[0]


def lacks(engine, name, what):
    reason = gaps.of_backend(engine).get(f"{name} {what}")
    if reason:
        pytest.skip(f"{engine}: {reason}")


def same(found, wanted, tolerance, message):
    """Values of two answers by what they are: shapes, types and numbers."""
    for what in wanted:
        assert len(found[what]) == len(wanted[what]), f"{message}: {what}"
        for a, b in zip(found[what], wanted[what]):
            assert (a.shape, a.dtype) == (b.shape, b.dtype), f"{message}: {what} is {a.shape} {a.dtype}, on NumPy {b.shape} {b.dtype}"
            wide = "complex128" if np.iscomplexobj(b) else "float64"
            scale = max(1.0, float(np.abs(b.astype(wide)).max(initial=0)))
            np.testing.assert_allclose(a.astype(wide), b.astype(wide), rtol=tolerance, atol=tolerance * scale, err_msg=f"{message}: {what}")


def tolerance(expression):
    return 2e-2 if "float16" in expression else 1e-4


def arrays(structure):
    return [np.asarray(backends.numpy(leaf)) for leaf in tree.flatten(structure)]


# Layers


def run_layer(backend, case):
    """Outputs, penalties, outputs in training and what that changes, gradients by weights and inputs: compiled where the backend compiles, and eager."""
    scopes.reset_names()
    random.set_random_seed(0)
    layer = eval(f"layers.{case['expression']}", {"layers": layers})
    xs, kwargs = against.inputs(case["shapes"]), case.get("kwargs") or {}
    given = lambda xs: list(xs) if case.get("spread") else [list(xs) if len(xs) > 1 else xs[0]]
    symbols = layer(*given([layers.Input(batch_shape=x.shape, dtype=x.dtype.name) for x in xs]), **kwargs)
    rng = np.random.default_rng(3)
    layer.set_weights([rng.uniform(0.2, 0.9, w.shape).astype(w.dtype) for w in layer.weights])
    trains = {"training": True} if layer._takes("training") else {}
    variables, state = layer.trainable_variables, [v.value for v in layer.non_trainable_variables]
    whole = {i: backend.array(x) for i, x in enumerate(xs) if x.dtype.kind == "i"}
    floats = [backend.array(x) for i, x in enumerate(xs) if i not in whole]
    values = [v.value for v in variables]

    def call(values, floats, **options):
        floats = iter(floats)
        filled = [whole[i] if i in whole else next(floats) for i in range(len(xs))]
        return layer.stateless_call(values, state, *given(filled), return_losses=True, **kwargs, **options)

    def loss(values):
        y, after, _ = call(values[: len(variables)], values[len(variables) :], **trains)
        return sum(ops.sum(ops.sin(ops.cast(t, "float32"))) for t in tree.flatten(y)), (y, after)

    def everything(values, floats):
        y, _, penalties = call(values, floats)
        (_, (trained, after)), gradients = backend.value_and_grad(loss, [*values, *floats])
        return y, penalties, trained, after, gradients

    names = ("y", "penalties", "trained", "after", "gradients")
    found = dict(zip(names, map(arrays, backend.compile(everything)(values, floats))))
    if hasattr(backend, "recorded"):  # on other values, to be run on these
        try:
            run = backend.recorded(everything, [[value * 0.9 for value in given] for given in (values, floats)])
        except ValueError as error:
            assert name_of(case) in UNRECORDED, (case, error)
        else:
            again = dict(zip(names, map(arrays, backend.compile(run)(values, floats))))
            same(again, found, 1e-6, f"{case['expression']} recorded")
    found["eager"] = arrays(layer(*given([backend.array(x) for x in xs]), **kwargs)) if backend.NAME != "pytensor" else found["y"]
    for symbol, y in zip(tree.flatten(symbols), found["y"], strict=True):
        assert (symbol.shape, symbol.dtype) == (y.shape, y.dtype.name), f"{case['expression']}: inferred {symbol}"
    return found


@functools.cache
def layers_on_numpy(name):
    """(case, answer) of each case of a layer that computes."""
    found = []
    before, backend = backends.name(), backends.load("numpy")
    try:
        for case in LAYERS[name](CASES):
            try:
                found.append((case, run_layer(backend, case)))
            except (ValueError, TypeError):  # arguments that do not go together
                pass
    finally:
        backends.load(before)
    assert found, f"no case of {name} computes"
    return found


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", LAYERS)
def test_layer(name, engine):
    lacks(engine, name, "layer")
    wanted = layers_on_numpy(name)
    backend = backends.load(engine)
    for case, answer in wanted[: COUNT.get(engine, CASES)]:
        same(run_layer(backend, case), answer, tolerance(case["expression"]), f"{case['expression']} {case.get('kwargs')} on {engine}")


# Losses, metrics, optimizers


def both(engine, function):
    """What `function(backend)` gives on an engine and on NumPy."""
    before = backends.name()
    try:
        return function(backends.load(engine)), function(backends.load("numpy"))
    finally:
        backends.load(before)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", losses_walk.WALK)
def test_loss(name, engine):
    lacks(engine, name, "loss")
    for config, y_true, y_pred, weights, _ in losses_walk.cases(name)[1 : 1 + COUNT.get(engine, CASES)]:
        loss = getattr(losses, name)(**losses_walk.tupled(config) | {"reduction": "sum"})

        def run(backend, y_true=y_true, y_pred=y_pred, weights=weights, loss=loss):
            (value, _), slopes = backend.value_and_grad(lambda given: (loss(y_true, given[0], sample_weight=weights), ()), [backends.array(y_pred)])
            return {"value": arrays(value), "gradient": arrays(slopes)}

        same(*both(engine, run), 1e-4, f"{name}({config}) on {engine}")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", metrics_walk.WALK)
def test_metric(name, engine):
    lacks(engine, name, "metric")
    for config, y_true, y_pred, weights in metrics_walk.cases(name)[1 : 1 + min(2, COUNT.get(engine, CASES))]:

        def run(backend, config=config, y_true=y_true, y_pred=y_pred, weights=weights):
            metric = getattr(metrics, name)(**config)
            for part in slice(0, 6), slice(6, 12):
                metric.update_state(y_true[part], y_pred[part], sample_weight=None if weights is None else weights[part])
            return {"result": arrays(metric.result()), "state": arrays(metric.variables)}

        same(*both(engine, run), tolerance(str(config)), f"{name}({config}) on {engine}")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", optimizers_walk.WALK)
def test_optimizer(name, engine):
    lacks(engine, name, "optimizer")
    for options, excluded in optimizers_walk.cases(name)[: min(2, COUNT.get(engine, CASES))]:

        def run(backend, options=options, excluded=excluded):
            scopes.reset_names()
            optimizer = optimizers_walk.made(name, options, excluded)
            variables = optimizers_walk.placed({key: check.draw(shape, seed=4) for key, shape in optimizers_walk.SHAPES.items()})
            for step in range(3):
                optimizer.apply([backends.array(check.draw(shape, seed=step)) for shape in optimizers_walk.SHAPES.values()], variables)
            optimizer.finalize_variable_values(variables)
            return {"weights": arrays(variables), "state": arrays(optimizer.variables)}

        same(*both(engine, run), 1e-4, f"{name}({options}) on {engine}")
