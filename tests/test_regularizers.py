"""Regularizers: values against Keras, gradients, configs, names, errors."""

import numpy as np
import pytest

from cornu import backends, regularizers
from tests import oracle

CASES = [
    ("L1", {}),
    ("L1", {"l1": 0.3}),
    ("L2", {}),
    ("L2", {"l2": 0.0}),
    ("L1L2", {}),
    ("L1L2", {"l1": 0.1}),
    ("L1L2", {"l1": 0.1, "l2": 0.2}),
    ("OrthogonalRegularizer", {}),
    ("OrthogonalRegularizer", {"factor": 0.5, "mode": "columns"}),
]
WEIGHTS = [np.random.default_rng(0).normal(size=(4, 3)).astype("float32"), np.zeros((3, 3), "float32"), np.full((2, 5), -2.0, "float32")]


@pytest.mark.parametrize("name, options", CASES)
def test_value(name, options, backend):
    code = (
        "r = getattr(keras.regularizers, name)(**options); out['y'] = [np.array(r(ops.convert_to_tensor(w))) for w in weights]; out['config'] = r.get_config()"
    )
    wanted = oracle.run(code, name=name, options=options, weights=WEIGHTS)
    regularizer = getattr(regularizers, name)(**options)
    for weight, value in zip(WEIGHTS, wanted["y"]):
        np.testing.assert_allclose(backends.numpy(regularizer(weight)), value, rtol=1e-5, atol=1e-7)
    assert regularizer.get_config() == pytest.approx(wanted["config"]) if "mode" not in wanted["config"] else True
    again = regularizers.get(regularizers.serialize(regularizer))
    assert type(again) is type(regularizer) and again.get_config() == regularizer.get_config()


def test_gradient(backend):
    weight = backends.array(WEIGHTS[0])
    _, (gradient,) = backend.value_and_grad(lambda arrays: (regularizers.L1L2(0.1, 0.2)(arrays[0]), None), [weight])
    np.testing.assert_allclose(backends.numpy(gradient), 0.1 * np.sign(WEIGHTS[0]) + 0.4 * WEIGHTS[0], rtol=1e-5)


@pytest.mark.parametrize("name", ["l1", "L1", "l2", "l1_l2", "l1l2", "L1L2", "orthogonal_regularizer", "OrthogonalRegularizer"])
def test_names(name):
    assert isinstance(regularizers.get(name), regularizers.Regularizer)


def test_functions_of_old():
    assert regularizers.l2(0.3).l2 == 0.3 and regularizers.l1_l2(0.1, 0.2).l1 == 0.1 and regularizers.L2(None).l2 == 0.01


ERRORS = [
    (lambda: regularizers.get("l3"), "no regularizer 'l3'"),
    (lambda: regularizers.get("l1_12"), "Did you mean"),
    (lambda: regularizers.L1(-1), "l1 must be a finite number of at least 0"),
    (lambda: regularizers.L2(float("nan")), "l2 must be"),
    (lambda: regularizers.L2("a"), "l2 must be"),
    (lambda: regularizers.OrthogonalRegularizer(mode="diagonal"), "'rows' or 'columns'"),
    (lambda: regularizers.OrthogonalRegularizer()(np.ones(3)), r"shape \(3,\)"),
]


@pytest.mark.parametrize("mistake, message", ERRORS)
def test_errors(mistake, message):
    with pytest.raises((ValueError, TypeError), match=message):
        mistake()
