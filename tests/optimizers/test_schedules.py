"""Schedules: values against Keras as numbers and inside a compiled program, configs, errors."""

import numpy as np
import pytest

from cornu import backends, optimizers
from cornu.optimizers import schedules
from tests import oracle

CASES = [
    ("ExponentialDecay", (0.1, 10, 0.9)),
    ("ExponentialDecay", (0.1, 10, 0.9, True)),
    ("PiecewiseConstantDecay", ([3, 7], [0.1, 0.05, 0.01])),
    ("PolynomialDecay", (0.1, 10)),
    ("PolynomialDecay", (0.1, 10, 0.01, 2.0, True)),
    ("InverseTimeDecay", (0.1, 10, 0.5)),
    ("InverseTimeDecay", (0.1, 10, 0.5, True)),
    ("CosineDecay", (0.1, 10, 0.1)),
    ("CosineDecay", (0.0, 10, 0.1, "CosineDecay", 0.5, 5)),
    ("CosineDecay", (0.3, 10, 0.1, "CosineDecay", 0.5, 0)),
    ("CosineDecayRestarts", (0.1, 5)),
    ("CosineDecayRestarts", (0.1, 5, 1.0, 0.5, 0.1)),
    ("CosineDecayRestarts", (0.1, 7, 1.5, 0.9)),
]
STEPS = [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 20, 23, 50, 1001]


@pytest.mark.parametrize("name, arguments", CASES)
def test_value(name, arguments, backend):
    code = "s = getattr(keras.optimizers.schedules, name)(*arguments); out['y'] = [float(s(i)) for i in steps]; out['config'] = keras.optimizers.schedules.serialize(s)"
    wanted = oracle.run(code, backend="numpy", name=name, arguments=arguments, steps=STEPS)
    schedule = getattr(schedules, name)(*arguments)
    np.testing.assert_allclose([float(schedule(step)) for step in STEPS], wanted["y"], rtol=2e-5, atol=1e-7)
    traced = backend.compile(lambda step: schedule(step))
    np.testing.assert_allclose([float(traced(backends.array(step, "int32"))) for step in STEPS], wanted["y"], rtol=2e-5, atol=1e-7)
    assert schedules.serialize(schedule) == wanted["config"]
    assert schedules.deserialize(wanted["config"]).get_config() == schedule.get_config()


class Halving(schedules.LearningRateSchedule):
    def __init__(self, first):
        self.first = first

    def __call__(self, step):
        return self.first * 0.5**step

    def get_config(self):
        return {"first": self.first}


def test_a_user_s_schedule():
    optimizer = optimizers.SGD(Halving(0.8))
    optimizer.iterations.assign(3)
    assert float(optimizer.learning_rate) == pytest.approx(0.1)
    config = optimizers.serialize(optimizer)
    assert optimizers.deserialize(config, custom_objects={"Halving": Halving}).get_config() == optimizer.get_config()


ERRORS = [
    (lambda: schedules.PiecewiseConstantDecay([3, 7], [0.1, 0.05]), "one value more than boundaries; got 2 values and 2"),
    (lambda: schedules.CosineDecay(0.1, 0), "decay_steps must be above 0; got 0"),
    (lambda: schedules.PolynomialDecay(0.1, -1), "decay_steps"),
    (lambda: schedules.CosineDecayRestarts(0.1, 0), "first_decay_steps"),
    (lambda: schedules.LearningRateSchedule()(1), "defines `__call__"),
    (lambda: schedules.ExponentialDecay("a", 10, 0.5), "ExponentialDecay: initial_learning_rate must be a number"),
    (lambda: schedules.ExponentialDecay(0.1, "a", 0.5), "decay_steps must be a number"),
    (lambda: schedules.InverseTimeDecay(0.1, 0, 0.5), "InverseTimeDecay: decay_steps must be above 0"),
    (lambda: schedules.CosineDecay(0.1, 10, warmup_steps="a"), "CosineDecay: warmup_steps must be"),
    (lambda: schedules.CosineDecay(0.1, 10, beta=3), "CosineDecay has no argument 'beta'"),
    (lambda: schedules.PiecewiseConstantDecay(3, [0.1]), "PiecewiseConstantDecay: boundaries must be a list of increasing numbers"),
    (lambda: schedules.PiecewiseConstantDecay([7, 3], [0.1, 0.2, 0.3]), "increasing"),
    (lambda: schedules.PiecewiseConstantDecay([3], [0.1, "a"]), "values must be a list of numbers"),
]


@pytest.mark.parametrize("mistake, message", ERRORS)
def test_errors(mistake, message):
    with pytest.raises((ValueError, TypeError), match=message):
        mistake()
