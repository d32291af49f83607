"""Activations: values against Keras at ordinary and extreme places, names, configs, errors."""

import numpy as np
import pytest

from cornu import activations, backends, layers, ops
from cornu.shapes import Spec
from tests import oracle

NAMES = [*sorted(activations._FUNCTIONS), "swish", "hard_swish"]
OPTIONS = {
    "relu": [
        {},
        {"negative_slope": 0.1},
        {"max_value": 2.0},
        {"max_value": 6},
        {"threshold": 0.5},
        {"negative_slope": 0.2, "max_value": 3.0, "threshold": 1.0},
    ],
    "gelu": [{}, {"approximate": True}],
    "elu": [{}, {"alpha": 0.3}],
    "celu": [{}, {"alpha": 0.3}],
    "leaky_relu": [{}, {"negative_slope": 0.01}],
    "threshold": [{"threshold": 0.5, "default_value": -3.0}],
    "softmax": [{}, {"axis": 0}],
    "log_softmax": [{}, {"axis": 0}],
    "squareplus": [{}, {"b": 1}],
}
GRID = np.concatenate([np.linspace(-6, 6, 49), [-1e4, -100, -30, -1e-6, 0, 1e-6, 30, 60, 1e4]]).astype("float32").reshape(29, 2)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"sparsemax"}))
def test_value(name, backend):
    for options in OPTIONS.get(name, [{}]):
        wanted = oracle.run("out['y'] = getattr(keras.activations, name)(ops.convert_to_tensor(x), **options)", name=name, options=options, x=GRID)["y"]
        got = getattr(activations, name)(GRID, **options)
        assert got.dtype == wanted.dtype
        np.testing.assert_allclose(backends.numpy(got), wanted, rtol=2e-6, atol=1e-6, err_msg=str(options))
        assert getattr(activations, name)(Spec((None, 2)), **options).shape == (None, wanted.shape[1])


def test_sparsemax_is_the_nearest_point_of_the_simplex(backend):
    x = np.random.default_rng(0).normal(0, 2, (50, 6)).astype("float32")
    y = backends.numpy(activations.sparsemax(x))
    np.testing.assert_allclose(y.sum(-1), 1, rtol=1e-5)
    shift = np.where(y > 0, x - y, np.inf).min(-1, keepdims=True)
    np.testing.assert_allclose(y, np.maximum(x - shift, 0), atol=1e-5)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"threshold"}))
def test_names(name):
    function = activations.get(name)
    assert activations.get(function) is function
    assert activations.serialize(function) == oracle.run("out['y'] = keras.activations.serialize(keras.activations.get(name))", name=name)["y"]
    assert activations.deserialize(activations.serialize(function)) is function
    config = {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}
    assert activations.deserialize(config) is function


def double(x):
    return x * 2


def test_other_identifiers():
    assert activations.get(None) is activations.linear and activations.linear(3) == 3
    assert activations.get(double) is double
    config = activations.serialize(double)
    assert config == {"module": "builtins", "class_name": "function", "config": "double", "registered_name": "double"}
    assert activations.deserialize(config, custom_objects={"double": double}) is double
    assert activations.deserialize("double", custom_objects={"double": double}) is double


def test_errors():
    with pytest.raises(ValueError, match=r"no activation 'rellu'\. Did you mean 'relu"):
        activations.get("rellu")
    with pytest.raises(ValueError, match="Wanted an activation"):
        activations.get(3)
    with pytest.raises(ValueError, match="lambda cannot be written"):
        activations.serialize(lambda x: x)


CORNERS = "relu relu6 elu selu celu hard_sigmoid hard_silu hard_tanh soft_shrink hard_shrink threshold".split()
SLOPES = """
import jax
for name in names:
    function = getattr(keras.ops, name)
    arguments = (1.0, 0.0) if name == "threshold" else ()
    out[name] = jax.grad(lambda x: keras.ops.sum(function(x, *arguments)))(x)
"""


def test_slopes_at_corners(backend):
    """Exactly 0 is a common value: there and at other corners the gradient is that of one side, Keras's, and no share of two."""
    x = np.array([0, -0.0, 6, -3, 3, 1, -1, 0.5, -0.5], "float32")
    for name, wanted in oracle.run(SLOPES, names=CORNERS, x=x).items():
        arguments = (1.0, 0.0) if name == "threshold" else ()
        _, (found,) = backend.value_and_grad(lambda values: (ops.sum(getattr(ops, name)(values[0], *arguments)), ()), [backends.array(x)])  # noqa: B023
        np.testing.assert_allclose(backends.numpy(found), wanted, rtol=1e-5, atol=1e-6, err_msg=name)


def test_relu_up_to_6_is_relu6(backend):
    """Its slope at 6 is 0, as Keras has it, and it takes one kernel where PyTorch has two."""
    x = np.array([-1, 0, 3, 6, 7], "float32")
    for function in (lambda x: activations.relu(x, max_value=6), layers.ReLU(6.0)):
        _, (found,) = backend.value_and_grad(lambda values: (ops.sum(function(values[0])), ()), [backends.array(x)])  # noqa: B023
        np.testing.assert_array_equal(backends.numpy(found), [0, 0, 1, 0, 0])
    assert backends.kind(activations.relu(np.array([2, 9]), max_value=6)) == "float32"  # Keras's, too
