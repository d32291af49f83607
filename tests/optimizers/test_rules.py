"""Ten steps of every optimizer as Keras makes them, in a seeded walk over arguments: weights, and variables in their order and by their names."""

import numpy as np
import pytest

from cornu import backends, constraints, optimizers
from cornu.optimizers import schedules
from cornu.variable import Variable
from tests import oracle

STEPS, COUNT = 10, 6
SHAPES = {"kernel": (3, 4), "bias": (4,), "filters": (2, 2, 3)}
BASE = {
    "weight_decay": [None, 0.1, 0.01],
    "clip": [None, ("clipnorm", 0.5), ("clipvalue", 0.3), ("global_clipnorm", 0.7)],
    "ema": [None, {}, {"ema_momentum": 0.7}, {"ema_momentum": 0.5, "ema_overwrite_frequency": 3}],
    "gradient_accumulation_steps": [None, None, 2, 3],
    "loss_scale_factor": [None, None, 4.0],
    "excluded": [None, None, ["bias"], ["^k.r"]],
}
RATE = {
    "learning_rate": [
        0.01,
        0.1,
        ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 5}),
        ("PiecewiseConstantDecay", {"boundaries": [2, 5], "values": [0.1, 0.01, 0.001]}),
        ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 3, "m_mul": 0.5}),
    ]
}
BETAS = {"beta_1": [0.9, 0.5], "beta_2": [0.999, 0.9], "epsilon": [1e-7, 1e-3]}
WALK = {
    "SGD": {"momentum": [0.0, 0.9, 0.5], "nesterov": [False, True]},
    "RMSprop": {"rho": [0.9, 0.5], "momentum": [0.0, 0.9], "centered": [False, True], "epsilon": [1e-7, 1e-3]},
    "Adagrad": {"initial_accumulator_value": [0.1, 0.5, 0.0], "epsilon": [1e-7, 1e-3]},
    "Adadelta": {"rho": [0.95, 0.5], "epsilon": [1e-7, 1e-3]},
    "Adam": {**BETAS, "amsgrad": [False, True]},
    "AdamW": {**BETAS, "amsgrad": [False, True], "weight_decay": [0.004, 0.2]},
    "Adamax": BETAS,
    "Nadam": BETAS,
    "Ftrl": {
        "learning_rate_power": [-0.5, -0.7, 0.0],
        "initial_accumulator_value": [0.1, 0.5],
        "l1_regularization_strength": [0.0, 0.1],
        "l2_regularization_strength": [0.0, 0.1],
        "l2_shrinkage_regularization_strength": [0.0, 0.1],
        "beta": [0.0, 0.2],
    },
    "Lion": {"beta_1": [0.9, 0.5], "beta_2": [0.99, 0.7]},
    "Lamb": BETAS,
    "Adafactor": {
        "beta_2_decay": [-0.8, -0.5],
        "epsilon_2": [1e-3, 0.1],
        "clip_threshold": [1.0, 0.5],
        "relative_step": [True, False],
    },
    "Muon": {
        "adam_beta_1": [0.9, 0.5],
        "adam_weight_decay": [0.004, None, 0.1],
        "exclude_layers": [None, ["ker"], ["bias"]],
        "adam_lr_ratio": [1, 0.3],
        "momentum": [0.95, 0.5],
        "ns_steps": [5, 2],
        "nesterov": [True, False],
        "rms_rate": [0.2, None],
        "muon_b": [-4.775, -4.7],
    },
    "ScheduleFreeAdamW": {"beta_1": [0.9, 0.5], "beta_2": [0.999, 0.9], "epsilon": [1e-8, 1e-3], "warmup_steps": [0, 4]},
}


def cases(name):
    """The walk of one optimizer: the arguments of each case, and the weights left out of decay."""
    draw = np.random.default_rng(sum(map(ord, name)))
    pick = lambda values: values[draw.integers(len(values))]
    found = [({}, None)]
    for _ in range(COUNT - 1):
        options = {key: pick(values) for key, values in {**RATE, **BASE, **WALK[name]}.items()}
        clip, ema, excluded = (options.pop(key) for key in ("clip", "ema", "excluded"))
        options |= {clip[0]: clip[1]} if clip else {}
        options |= {"use_ema": True, **ema} if ema is not None else {}
        found.append((options, excluded))
    return found


KERAS = """
for name, found in walks.items():
    out[name] = []
    for options, excluded in found:
        options = dict(options)
        if isinstance(options.get("learning_rate"), tuple):
            schedule, arguments = options["learning_rate"]
            options["learning_rate"] = getattr(keras.optimizers.schedules, schedule)(**arguments)
        optimizer = getattr(keras.optimizers, name)(name="it", **options)
        variables = [keras.Variable(value, name=key) for key, value in weights.items()]
        variables[1].constraint = keras.constraints.NonNeg()
        if excluded:
            optimizer.exclude_from_weight_decay(var_names=excluded)
        steps = []
        for gradient in gradients:
            optimizer.apply([np.array(value) for value in gradient.values()], variables)
            steps.append([np.array(v) for v in variables])
        optimizer.finalize_variable_values(variables)
        out[name].append((steps, [np.array(v) for v in variables], [(v.path, np.array(v)) for v in optimizer.variables], keras.optimizers.serialize(optimizer)))
"""


@pytest.fixture(scope="module")
def problem():
    random = np.random.default_rng(0)
    drawn = [{name: random.normal(size=shape).astype("float32") for name, shape in SHAPES.items()} for _ in range(STEPS + 1)]
    return drawn[0], drawn[1:]


@pytest.fixture(scope="module")
def said(problem):
    """What Keras gave for all walks, asked once."""
    weights, gradients = problem
    return oracle.run(KERAS, backend="numpy", walks={name: cases(name) for name in WALK}, weights=weights, gradients=gradients)


def made(name, options, excluded=None):
    options = dict(options)
    if isinstance(options.get("learning_rate"), tuple):
        schedule, arguments = options["learning_rate"]
        options["learning_rate"] = getattr(schedules, schedule)(**arguments)
    optimizer = getattr(optimizers, name)(name="it", **options)
    if excluded:
        optimizer.exclude_from_weight_decay(var_names=excluded)
    return optimizer


def placed(weights):
    variables = [Variable(value, name=name) for name, value in weights.items()]
    variables[1].constraint = constraints.NonNeg()
    return variables


def same_state(optimizer, state, told):
    for variable, (path, value) in zip(optimizer.variables, state, strict=True):
        assert variable.path == path or "u_product" in variable.path or variable.dtype == "int32"  # Keras leaves Nadam's product without a name
        assert variable.shape == value.shape, path
        np.testing.assert_allclose(variable.numpy(), value, rtol=2e-4, atol=2e-6, err_msg=f"{told} {path}")


@pytest.mark.parametrize("name", WALK)
def test_ten_steps(name, problem, said):
    backends.load("numpy")
    weights, gradients = problem
    for (options, excluded), (steps, final, state, config) in zip(cases(name), said[name], strict=True):
        optimizer, variables, told = made(name, options, excluded), placed(weights), f"{name}({options}) {excluded}"
        for index, (gradient, wanted) in enumerate(zip(gradients, steps)):
            optimizer.apply(list(gradient.values()), variables)
            for variable, value in zip(variables, wanted):
                np.testing.assert_allclose(variable.numpy(), value, rtol=1e-4, atol=5e-6, err_msg=f"{told} step {index} {variable.name}")
        same_state(optimizer, state, told)
        optimizer.finalize_variable_values(variables)
        for variable, value in zip(variables, final):
            np.testing.assert_allclose(variable.numpy(), value, rtol=1e-4, atol=5e-6, err_msg=f"{told} at the end")
        found = optimizers.serialize(optimizer)
        assert found == config, told
        assert optimizers.get(config).get_config() == optimizer.get_config()


@pytest.mark.parametrize("name", WALK)
def test_compiled_steps_are_the_same(name, problem, said):
    """The pure function, compiled by JAX, gives Keras's steps, and changes no variable."""
    backend = backends.load("jax")
    weights, gradients = problem
    at = 1 if name != "Ftrl" else 0
    (options, excluded), (steps, _, state, _) = cases(name)[at], said[name][at]
    optimizer, held = made(name, options, excluded), placed(weights)
    optimizer.build(held)
    before = [variable.numpy() for variable in (*held, *optimizer.variables)]
    step = backend.compile(lambda state, gradient: optimizer.stateless_apply(state[1], gradient, state[0]))
    now = ([variable.value for variable in held], [variable.value for variable in optimizer.variables])
    for gradient, wanted in zip(gradients, steps):
        now = step(now, [backends.array(value) for value in gradient.values()])
        for value, expected in zip(now[0], wanted):
            np.testing.assert_allclose(backends.numpy(value), expected, rtol=2e-4, atol=1e-5, err_msg=f"{name}({options})")
    for variable, value in zip((*held, *optimizer.variables), before):
        np.testing.assert_array_equal(variable.numpy(), value)
    optimizer.set_weights([backends.numpy(value) for value in now[1]])
    same_state(optimizer, state, name)


@pytest.mark.parametrize("name", ["SGD", "Adam", "Muon"])
def test_eager_steps_on_jax(name, problem, said):
    backends.load("jax")
    weights, gradients = problem
    (options, excluded), (steps, *_) = cases(name)[0], said[name][0]
    optimizer, variables = made(name, options, excluded), placed(weights)
    for gradient, wanted in zip(gradients[:3], steps):
        optimizer.apply(list(gradient.values()), variables)
        for variable, value in zip(variables, wanted):
            np.testing.assert_allclose(variable.numpy(), value, rtol=1e-4, atol=1e-6, err_msg=name)


def test_corrections_of_averages_are_right_to_the_last_digit(backend):
    """`1 - 0.999 ** step` as a difference of float32 is off by 1e-5 of itself in the first step, and so was every update."""
    gradients = np.array([0.3, -2.0, 1e-3], "float32")
    weight = Variable(np.zeros(3, "float32"))
    optimizer = optimizers.Adam(0.5, beta_2=0.9999)
    optimizer.build([weight])
    momentum = velocity = wanted = np.zeros(3)
    for step in range(1, 4):
        optimizer.apply([backends.array(gradients)], [weight])
        momentum, velocity = 0.9 * momentum + 0.1 * gradients, 0.9999 * velocity + 0.0001 * np.square(gradients, dtype="float64")
        wanted = wanted - 0.5 * np.sqrt(1 - 0.9999**step) / (1 - 0.9**step) * momentum / (np.sqrt(velocity) + 1e-7)
        np.testing.assert_allclose(backends.numpy(weight.value), wanted, rtol=2e-6)
