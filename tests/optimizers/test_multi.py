"""Several optimizers for one model, as Keras has them; Muon's parts; the older names; copies of a model."""

import copy

import numpy as np
import pytest

import cornu
from cornu import backends, optimizers
from cornu.variable import Variable
from tests import oracle

KERAS = """
O = keras.optimizers
def multi(**kwargs):
    return O.MultiOptimizer(O.OptimizerMap(O.Adam(0.1, name="a"), {"bias": O.SGD(0.2, name="b"), "ker.*": O.SGD(0.5, momentum=0.9, name="c")}), name="m", **kwargs)
out["runs"] = []
for kwargs in ({}, {"loss_scale_factor": 4.0}):
    optimizer = multi(**kwargs)
    variables = [keras.Variable(np.ones(2, "float32"), name=n) for n in ("kernel", "bias", "other")]
    steps = []
    for gradient in gradients:
        optimizer.apply([np.array(g) for g in gradient], variables)
        steps.append([np.array(v) for v in variables])
    out["runs"].append((steps, [(v.path, np.array(v)) for v in optimizer.variables], O.serialize(optimizer), float(optimizer.scale_loss(2.0))))
muon = O.Muon()
out["muon"] = [(np.asarray(muon.zeropower_via_newtonschulz5(x, 3)), np.asarray(muon.lr_adjust(x)), np.asarray(muon.transpose_last_axis(x))) for x in matrices]
"""


@pytest.fixture(scope="module")
def problem():
    draw = np.random.default_rng(4)
    gradients = [[draw.normal(size=2).astype("float32") for _ in range(3)] for _ in range(4)]
    matrices = [draw.normal(size=shape).astype("float32") for shape in ((2, 3), (4, 2), (2, 2, 3), (5, 3, 2))]
    return gradients, matrices, oracle.run(KERAS, backend="numpy", gradients=gradients, matrices=matrices)


def multi(**kwargs):
    found = optimizers.OptimizerMap(
        optimizers.Adam(0.1, name="a"), {"bias": optimizers.SGD(0.2, name="b"), "ker.*": optimizers.SGD(0.5, momentum=0.9, name="c")}
    )
    return optimizers.MultiOptimizer(found, name="m", **kwargs)


def three():
    return [Variable(np.ones(2, "float32"), name=name) for name in ("kernel", "bias", "other")]


@pytest.mark.parametrize("run, kwargs", list(enumerate([{}, {"loss_scale_factor": 4.0}])), ids=["MultiOptimizer", "MultiOptimizer-scaled"])
def test_each_weight_by_its_own_rule(backend, problem, run, kwargs):
    gradients, _, said = problem
    steps, state, config, scaled = said["runs"][run]
    optimizer, variables = multi(**kwargs), three()
    for gradient, wanted in zip(gradients, steps):
        optimizer.apply(gradient, variables)
        for variable, value in zip(variables, wanted):
            np.testing.assert_allclose(variable.numpy(), value, rtol=1e-5, atol=1e-6)
    assert [v.path for v in optimizer.variables] == [path for path, _ in state]
    for variable, (path, value) in zip(optimizer.variables, state):
        np.testing.assert_allclose(variable.numpy(), value, rtol=1e-5, atol=1e-6, err_msg=path)
    assert optimizers.serialize(optimizer) == config and float(optimizer.scale_loss(2.0)) == scaled
    assert optimizers.get(config).get_config() == optimizer.get_config()
    assert [o.name for o in optimizer.optimizers] == ["b", "c", "a"]


def test_a_model_trained_by_several(tmp_path):
    model = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(4), cornu.layers.Dense(1)])
    parts = optimizers.OptimizerMap(optimizers.Adam(0.05), {".*/bias": optimizers.SGD(0.1, momentum=0.9)})
    model.compile(optimizers.MultiOptimizer(parts), "mse")
    x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
    losses = model.fit(x, x.sum(1, keepdims=True), epochs=12, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 4
    model.save(tmp_path / "m.keras")
    again = cornu.saving.load_model(tmp_path / "m.keras")
    for a, b in zip(model.optimizer.variables, again.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    code = "m = keras.saving.load_model(path); out['v'] = [np.array(v) for v in m.optimizer.variables]; out['p'] = m.predict(x[:4], verbose=0)"
    theirs = oracle.run(code, path=str(tmp_path / "m.keras"), x=x)
    np.testing.assert_allclose(theirs["p"], model.predict(x[:4], verbose=0), rtol=1e-5)
    for variable, value in zip(model.optimizer.variables, theirs["v"], strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_a_function_may_choose(backend):
    first, second = optimizers.SGD(1.0, name="first"), optimizers.SGD(0.1, name="second")
    optimizer, variables = optimizers.MultiOptimizer(lambda weight: first if weight.name == "bias" else second), three()
    optimizer.apply([np.ones(2)] * 3, variables)
    np.testing.assert_allclose([v.numpy()[0] for v in variables], [0.9, 0.0, 0.9], rtol=1e-6)
    with pytest.warns(UserWarning, match="no gradient came for kernel"):
        optimizer.apply([None, np.ones(2), np.ones(2)], variables)
    np.testing.assert_allclose([v.numpy()[0] for v in variables], [0.9, -1.0, 0.8], rtol=1e-6)


def test_averages_and_decay_reach_every_optimizer():
    inner = optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5, weight_decay=0.5)
    optimizer, variables = optimizers.MultiOptimizer(optimizers.OptimizerMap(inner)), three()
    optimizer.exclude_from_weight_decay(var_list=variables[1:])
    for _ in range(2):
        optimizer.apply([np.zeros(2)] * 3, variables)
    assert variables[0].numpy()[0] == pytest.approx(0.95**2) and variables[1].numpy()[0] == 1
    optimizer.finalize_variable_values(variables)
    assert variables[0].numpy()[0] == pytest.approx((0.95 + 0.95**2) / 2)


def test_the_map():
    sgd, adam, lion = optimizers.SGD(), optimizers.Adam(), optimizers.Lion()
    found = optimizers.OptimizerMap(sgd, {"bias": adam, "bi.*": lion})
    assert found["bias"] is adam and found["bia"] is lion and found["abias"] is found.default_optimizer is sgd
    assert len(found) == 2 and list(found) == ["bias", "bi.*"] and found(Variable(1.0, name="bias")) is adam
    del found["bi.*"]
    assert found["bia"] is sgd
    found["b.*s"], found["bi.*"] = lion, adam
    with pytest.raises(ValueError, match="'b.*s', 'bi.*' all fit the path 'bixs'"):
        found["bixs"]


MISTAKES = [
    (lambda: optimizers.OptimizerMap("adam"), TypeError, "default_optimizer must be an Optimizer; got 'adam'"),
    (lambda: optimizers.OptimizerMap(optimizers.SGD(), [1]), TypeError, "optimizer_map must be a dictionary"),
    (lambda: optimizers.OptimizerMap(optimizers.SGD(), {"a": 3}), ValueError, "what 'a' stands for must be an Optimizer; got 3"),
    (lambda: optimizers.OptimizerMap(optimizers.SGD(), {3: optimizers.SGD()}), ValueError, "a key must be a path"),
    (lambda: optimizers.OptimizerMap(optimizers.SGD(), {"[": optimizers.SGD()}), ValueError, "no regular expression"),
    (lambda: optimizers.OptimizerMap(optimizers.SGD(), {"a": optimizers.SGD()}).update(a=optimizers.SGD()), ValueError, "'a' is there already"),
    (lambda: optimizers.MultiOptimizer({"a": optimizers.SGD()}), TypeError, "optimizer_map must be an OptimizerMap or a function"),
    (
        lambda: optimizers.MultiOptimizer(optimizers.OptimizerMap(optimizers.SGD(loss_scale_factor=2.0))),
        ValueError,
        "Give `loss_scale_factor` to MultiOptimizer",
    ),
    (lambda: optimizers.MultiOptimizer(optimizers.OptimizerMap(optimizers.LossScaleOptimizer(optimizers.SGD()))), ValueError, "scales the loss"),
    (lambda: optimizers.MultiOptimizer(lambda _: 3).build(three()), TypeError, "the function must give an Optimizer; got 3"),
    (lambda: multi().learning_rate, AttributeError, "no learning rate of its own"),
    (lambda: setattr(multi(), "learning_rate", 0.1), AttributeError, "no learning rate of its own"),
]


@pytest.mark.parametrize("mistake, kind, message", MISTAKES)
def test_mistakes(mistake, kind, message):
    with pytest.raises(kind, match=message):
        mistake()


def test_muon_s_parts(backend, problem):
    _, matrices, said = problem
    muon = optimizers.Muon()
    for x, wanted in zip(matrices, said["muon"]):
        for got, value in zip((muon.zeropower_via_newtonschulz5(x, 3), muon.lr_adjust(x), muon.transpose_last_axis(x)), wanted):
            np.testing.assert_allclose(backends.numpy(got), value, rtol=1e-4, atol=1e-5)
    sizes = np.linalg.svd(backends.numpy(muon.zeropower_via_newtonschulz5(np.random.default_rng(1).normal(size=(6, 9)), 5)), compute_uv=False)
    assert 0.6 < sizes.min() and sizes.max() < 1.3  # nearly orthogonal
    paths = {"embedding/table": True, "dense/kernel": False, "EMBEDDING_x/kernel": True}
    for path, wanted in paths.items():
        weight = Variable(np.ones((2, 3)), name="x")
        weight.path = path
        assert muon.goes_to_adam(weight) is wanted and optimizers.Muon(exclude_embeddings=False).goes_to_adam(weight) is False


def test_older_names():
    assert optimizers.legacy.Adam(lr=0.5, decay=0.1).decay == 0.1 and optimizers.legacy.SGD is optimizers.SGD
    assert {"Adagrad", "Adam", "Ftrl", "Optimizer", "RMSprop", "SGD"} <= set(dir(optimizers.legacy))


def test_a_copy_of_a_compiled_model_goes_on_training():
    x, y = np.random.default_rng(0).normal(size=(2, 16, 3)).astype("float32"), np.ones((2, 16, 1), "float32")
    model = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(1)])
    model.compile(optimizers.Adam(0.1, weight_decay=0.1, use_ema=True, gradient_accumulation_steps=2), "mse")
    model.optimizer.exclude_from_weight_decay(var_list=[model.layers[-1].bias])
    model.fit(x[0], y[0], verbose=0, shuffle=False)
    twin = copy.deepcopy(model)
    for one in (model, twin):
        one.fit(x[1], y[1], epochs=3, batch_size=8, verbose=0, shuffle=False)
    for a, b in zip([*model.variables, *model.optimizer.variables], [*twin.variables, *twin.optimizer.variables], strict=True):
        assert a is not b
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6)


FILES = """
import os
out["read"], out["paths"] = {}, {}
for name in names:
    model = keras.saving.load_model(os.path.join(folder, f"{name}.keras"))
    out["read"][name] = [np.array(v) for v in model.optimizer.variables]
    for i, v in enumerate(model.optimizer.variables):
        v.assign(np.full(v.shape, i + 2, v.dtype))
    model.save(os.path.join(folder, f"{name}-theirs.keras"))
"""
NAMES = [
    n for n in dir(optimizers) if isinstance(getattr(optimizers, n), type) and n not in ("Optimizer", "OptimizerMap", "MultiOptimizer", "LossScaleOptimizer")
]


def test_state_goes_through_files_both_ways(tmp_path):
    """`.keras` files with the state of every optimizer: Keras opens ours, we open Keras's."""
    kept = {}
    for name in NAMES:
        model = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(4), cornu.layers.Dense(1)])
        model.compile(getattr(optimizers, name)(0.25, use_ema=True), "mse")
        model.optimizer.build(model.trainable_variables)
        for index, variable in enumerate(model.optimizer.variables):
            variable.assign(np.full(variable.shape, index + 1, variable.dtype))
        kept[name] = [variable.numpy() for variable in model.optimizer.variables]
        model.save(tmp_path / f"{name}.keras")
    said = oracle.run(FILES, names=NAMES, folder=str(tmp_path))
    for name in NAMES:
        for ours, theirs in zip(kept[name], said["read"][name], strict=True):
            np.testing.assert_array_equal(ours, theirs, err_msg=name)
        again = cornu.saving.load_model(tmp_path / f"{name}-theirs.keras").optimizer
        assert type(again).__name__ == name
        for index, variable in enumerate(again.variables):
            np.testing.assert_array_equal(variable.numpy(), np.full(variable.shape, index + 2, variable.dtype), err_msg=f"{name} {variable.path}")


BASE = {
    "learning_rate": ["fast", None, [0.1]],
    "weight_decay": [-0.1, "a"],
    "clipnorm": [0, -1.0, "a"],
    "clipvalue": [0.0, "a"],
    "global_clipnorm": [-1.0],
    "ema_momentum": [-0.1, 1.5, "a", None],
    "ema_overwrite_frequency": [0, 2.5, "a"],
    "loss_scale_factor": [0.0, -2.0, "a"],
    "gradient_accumulation_steps": [0, 1, 2.5, "a"],
    "name": [3, "a/b"],
    "unknown": [1],
}
BETAS = {"beta_1": [-0.1, 1.5, "a"], "beta_2": [1.5, "a", None], "epsilon": [-1.0, "a"]}
WRONG = {
    "SGD": {"momentum": [-0.1, 1.5, "a"]},
    "RMSprop": {"rho": [1.5, "a"], "momentum": [-1.0, "a"], "epsilon": [-1.0]},
    "Adagrad": {"initial_accumulator_value": [-0.1, "a"], "epsilon": [-1.0]},
    "Adadelta": {"rho": [1.5], "epsilon": [-1.0]},
    "Adam": BETAS, "AdamW": {**BETAS, "weight_decay": [None, -1.0]}, "Adamax": BETAS, "Nadam": BETAS, "Lamb": BETAS,
    "Lion": {"beta_1": [0.0, 1.5], "beta_2": [1.5, "a"]},
    "Ftrl": {"learning_rate_power": [0.5, "a"], "initial_accumulator_value": [-0.1], "l1_regularization_strength": [-0.1], "beta": [-1.0]},
    "Adafactor": {"beta_2_decay": [0.5, "a"], "epsilon_1": [-1.0], "clip_threshold": [0.0, "a"]},
    "Muon": {"adam_beta_1": [1.5], "momentum": [-1.0], "ns_steps": [0, 2.5, "a"], "exclude_layers": ["a", [3]], "rms_rate": [0.0, "a"], "adam_lr_ratio": [0.0]},
    "ScheduleFreeAdamW": {"beta_1": [0.0, 1.5], "beta_2": [1.5], "warmup_steps": [-1, 2.5, "a"]},
    "LossScaleOptimizer": {"inner_optimizer": ["adam", None], "initial_scale": [0.0, "a"], "dynamic_growth_steps": [0, 2.5]},
}  # fmt: skip


@pytest.mark.parametrize("name", [*NAMES, "LossScaleOptimizer"])
def test_wrong_arguments(name):
    needed = {"inner_optimizer": optimizers.SGD()} if name == "LossScaleOptimizer" else {}
    for argument, values in {**({} if needed else BASE), **WRONG[name]}.items():
        for value in values:
            with pytest.raises((ValueError, TypeError)) as error:
                getattr(optimizers, name)(**{**needed, argument: value})
            assert name in str(error.value) and argument in str(error.value), (argument, value, str(error.value))
