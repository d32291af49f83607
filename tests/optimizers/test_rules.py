"""Ten steps of every optimizer, by many options, as Keras makes them: weights, and variables in their order and by their names."""

import numpy as np
import pytest

from cornu import backends, constraints, optimizers
from cornu.optimizers import schedules
from cornu.variable import Variable
from tests import oracle

STEPS = 10
SHAPES = {"kernel": (3, 4), "bias": (4,), "filters": (2, 2, 3)}
BASE = [
    {},
    {"weight_decay": 0.1},
    {"clipnorm": 0.5},
    {"clipvalue": 0.3},
    {"global_clipnorm": 0.7},
    {"use_ema": True, "ema_momentum": 0.7},
    {"use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 3},
    {"gradient_accumulation_steps": 3},
    {"gradient_accumulation_steps": 2, "clipnorm": 0.5, "weight_decay": 0.1, "use_ema": True, "ema_overwrite_frequency": 2},
    {"loss_scale_factor": 4.0},
]
CASES = [("SGD", options) for options in BASE]
CASES += [("Adam", options) for options in BASE]
CASES += [
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "gradient_accumulation_steps": 2}),
    ("RMSprop", {}),
    ("RMSprop", {"momentum": 0.9}),
    ("RMSprop", {"centered": True}),
    ("RMSprop", {"momentum": 0.5, "centered": True, "rho": 0.8, "weight_decay": 0.01}),
    ("Adagrad", {}),
    ("Adagrad", {"learning_rate": 0.1, "initial_accumulator_value": 0.5, "epsilon": 1e-3}),
    ("Adadelta", {}),
    ("Adadelta", {"learning_rate": 1.0, "rho": 0.9, "epsilon": 1e-3}),
    ("Adam", {"amsgrad": True}),
    ("Adam", {"learning_rate": 0.01, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3, "amsgrad": True, "use_ema": True}),
    ("AdamW", {}),
    ("AdamW", {"weight_decay": 0.2, "amsgrad": True}),
    ("Adamax", {}),
    ("Adamax", {"learning_rate": 0.01, "beta_1": 0.5, "epsilon": 1e-3}),
    ("Nadam", {}),
    ("Nadam", {"learning_rate": 0.01, "beta_1": 0.5, "gradient_accumulation_steps": 2}),
    ("Ftrl", {}),
    ("Ftrl", {"l1_regularization_strength": 0.1, "l2_regularization_strength": 0.1, "l2_shrinkage_regularization_strength": 0.1, "beta": 0.2}),
    ("Ftrl", {"learning_rate": 0.1, "learning_rate_power": -0.7, "weight_decay": 0.1}),
    ("Lion", {}),
    ("Lion", {"beta_1": 0.5, "beta_2": 0.7, "weight_decay": 0.1}),
    ("Lamb", {}),
    ("Lamb", {"learning_rate": 0.1, "weight_decay": 0.1}),
    ("Adafactor", {}),
    ("Adafactor", {"learning_rate": 0.1, "relative_step": False, "clip_threshold": 0.5, "beta_2_decay": -0.5}),
    ("SGD", {"learning_rate": ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 5})}),
    ("Adam", {"learning_rate": ("PiecewiseConstantDecay", {"boundaries": [2, 5], "values": [0.1, 0.01, 0.001]}), "gradient_accumulation_steps": 2}),
]

ORACLE = """
out["steps"], out["paths"] = [], []
for name, options in cases:
    options = dict(options)
    if isinstance(options.get("learning_rate"), tuple):
        schedule, arguments = options["learning_rate"]
        options["learning_rate"] = getattr(keras.optimizers.schedules, schedule)(**arguments)
    optimizer = getattr(keras.optimizers, name)(name="it", **options)
    variables = [keras.Variable(value, name=key) for key, value in weights.items()]
    variables[1].constraint = keras.constraints.NonNeg()
    steps = []
    for gradient in gradients:
        optimizer.apply(list(gradient.values()), variables)
        steps.append([np.array(v) for v in variables])
    out["steps"].append(steps)
    out["paths"].append([(v.path, np.array(v)) for v in optimizer.variables])
"""


@pytest.fixture(scope="module")
def problem():
    random = np.random.default_rng(0)
    drawn = [{name: random.normal(size=shape).astype("float32") for name, shape in SHAPES.items()} for _ in range(STEPS + 1)]
    return drawn[0], drawn[1:]


@pytest.fixture(scope="module")
def expected(problem):
    weights, gradients = problem
    return oracle.run(ORACLE, cases=CASES, weights=weights, gradients=gradients)


def made(name, options):
    options = dict(options)
    if isinstance(options.get("learning_rate"), tuple):
        schedule, arguments = options["learning_rate"]
        options["learning_rate"] = getattr(schedules, schedule)(**arguments)
    return getattr(optimizers, name)(name="it", **options)


def placed(weights):
    variables = [Variable(value, name=name) for name, value in weights.items()]
    variables[1].constraint = constraints.NonNeg()
    return variables


@pytest.mark.parametrize("index", range(len(CASES)), ids=lambda i: f"{CASES[i][0]}-{'-'.join(CASES[i][1])}")
def test_ten_steps(index, backend, problem, expected):
    weights, gradients = problem
    optimizer, variables = made(*CASES[index]), placed(weights)
    for gradient, wanted in zip(gradients, expected["steps"][index]):
        optimizer.apply(list(gradient.values()), variables)
        for variable, value in zip(variables, wanted):
            np.testing.assert_allclose(variable.numpy(), value, rtol=1e-6, atol=1e-6, err_msg=variable.name)
    for variable, (path, value) in zip(optimizer.variables, expected["paths"][index], strict=True):
        assert variable.path == path or "u_product" in variable.path or variable.dtype == "int32"  # Keras leaves Nadam's product without a name
        np.testing.assert_allclose(variable.numpy(), value, rtol=2e-5, atol=1e-6, err_msg=path)


@pytest.mark.parametrize("index", range(len(CASES)), ids=lambda i: f"{CASES[i][0]}-{'-'.join(CASES[i][1])}")
def test_compiled_steps_are_the_same(index, problem):
    backend = backends.load("jax")
    weights, gradients = problem
    eager, variables = made(*CASES[index]), placed(weights)
    pure, held = made(*CASES[index]), placed(weights)
    pure.build(held)
    before = [variable.numpy() for variable in (*held, *pure.variables)]
    step = backend.compile(lambda state, gradient: pure.stateless_apply(state[1], gradient, state[0]))
    state = ([variable.value for variable in held], [variable.value for variable in pure.variables])
    for gradient in gradients[:5]:
        eager.apply(list(gradient.values()), variables)
        state = step(state, [backends.array(value) for value in gradient.values()])
    for variable, value in zip([*variables, *eager.variables], [*state[0], *state[1]], strict=True):
        np.testing.assert_allclose(backends.numpy(value), variable.numpy(), rtol=2e-5, atol=1e-6, err_msg=variable.path)
    for variable, value in zip((*held, *pure.variables), before):
        np.testing.assert_array_equal(variable.numpy(), value)
