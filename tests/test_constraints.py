"""Constraints: values against Keras, what they promise, configs, names, errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cornu import backends, constraints
from tests import oracle

CASES = [
    ("MaxNorm", {}),
    ("MaxNorm", {"max_value": 0.5, "axis": [0, 1]}),
    ("MinMaxNorm", {}),
    ("MinMaxNorm", {"min_value": 0.5, "max_value": 0.8, "rate": 0.3, "axis": 1}),
    ("NonNeg", {}),
    ("UnitNorm", {}),
    ("UnitNorm", {"axis": -1}),
]
WEIGHTS = [np.random.default_rng(0).normal(size=(4, 3)).astype("float32"), np.zeros((3, 3), "float32"), np.full((2, 5), -2.0, "float32")]


@pytest.mark.parametrize("name, options", CASES)
def test_value(name, options, backend):
    code = "c = getattr(keras.constraints, name)(**options); out['y'] = [np.array(c(ops.convert_to_tensor(w))) for w in weights]; out['config'] = keras.constraints.serialize(c)"
    wanted = oracle.run(code, name=name, options=options, weights=WEIGHTS)
    constraint = getattr(constraints, name)(**options)
    for weight, value in zip(WEIGHTS, wanted["y"]):
        np.testing.assert_allclose(backends.numpy(constraint(weight)), value, rtol=1e-6, atol=1e-7)
    assert constraints.serialize(constraint) == wanted["config"]
    assert constraints.get(wanted["config"]).get_config() == constraint.get_config()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=2, max_size=8), st.floats(0.1, 5))
def test_norms_stay_within(values, limit):
    weight = np.array(values, "float32")
    norm = np.linalg.norm(backends.numpy(constraints.MaxNorm(limit)(weight)))
    assert norm <= limit * 1.001 and norm <= np.linalg.norm(weight) * 1.001
    assert (backends.numpy(constraints.NonNeg()(weight)) >= 0).all()


@pytest.mark.parametrize("name", ["max_norm", "MaxNorm", "maxnorm", "nonneg", "non_neg", "unit_norm", "unitnorm", "min_max_norm"])
def test_names(name):
    assert isinstance(constraints.get(name), constraints.Constraint)


def test_errors():
    with pytest.raises(ValueError, match="Did you mean 'max_norm'"):
        constraints.get("max_nrom")
    with pytest.raises(TypeError, match="defines `__call__"):
        constraints.Constraint()(np.ones(3))
