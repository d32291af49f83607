"""Functions that a layer applies last, by name: `Dense(4, activation="relu")`."""

from cornu import fields, ops, registry, serialization
from cornu.ops import (
    celu,
    elu,
    glu,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_shrink,
    softmax,
    softplus,
    softsign,
    sparse_plus,
    sparse_sigmoid,
    sparsemax,
    squareplus,
    tanh,
    tanh_shrink,
    threshold,
)
from cornu.ops import exp as exponential

hard_swish, swish = hard_silu, silu


def relu(x, negative_slope=0.0, max_value=None, threshold=0.0):
    """`x` where it is above `threshold`, else 0, or `negative_slope * (x - threshold)`.

    Args:
        x: tensor.
        negative_slope: slope below the threshold.
        max_value: what larger values become; None for no limit.
        threshold: where the slope changes.

    Shapes:
        any -> the same

    >>> relu([-2.0, 0.5, 9.0], max_value=6.0)
    Array([0. , 0.5, 6. ], dtype=float32)

    Source: Nair and Hinton, "Rectified Linear Units Improve Restricted Boltzmann Machines", 2010.
    """
    if max_value == 6 and negative_slope == threshold == 0:
        return ops.relu6(x)
    if threshold == 0:
        y = ops.leaky_relu(x, negative_slope) if negative_slope else ops.relu(x)
    else:
        below = ops.multiply(ops.subtract(x, threshold), negative_slope) if negative_slope else ops.zeros_like(x)
        y = ops.where(ops.greater(x, threshold), x, below)
    return y if max_value is None else ops.minimum(y, max_value)


def gelu(x, approximate=False):
    """`x` times the normal distribution's probability below `x`.

    Args:
        x: tensor.
        approximate: whether by tanh, which is faster and differs by at most 0.001.

    Source: Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.
    """
    return ops.gelu(x, approximate=approximate)


def linear(x):
    """`x` as it is."""
    return x


def mish(x):
    """`x * tanh(softplus(x))`.

    Source: Misra, "Mish: A Self Regularized Non-Monotonic Activation Function", 2019.
    """
    return ops.multiply(x, ops.tanh(ops.softplus(x)))


_FUNCTIONS = {
    **{f.__name__: f for f in (celu, elu, gelu, glu, hard_shrink, hard_sigmoid, hard_silu, hard_tanh, leaky_relu, linear, log_sigmoid)},
    **{f.__name__: f for f in (log_softmax, mish, relu, relu6, selu, sigmoid, silu, soft_shrink, softmax, softplus, softsign)},
    **{f.__name__: f for f in (sparse_plus, sparse_sigmoid, sparsemax, squareplus, tanh, tanh_shrink, threshold)},
    "exponential": exponential,
}
_names = {function: name for name, function in _FUNCTIONS.items()} | {ops.relu: "relu", ops.gelu: "gelu"}
_get, _serialize, _ = registry.namespace("activations", _FUNCTIONS, {"swish": silu, "hard_swish": hard_silu})


def get(identifier):
    """A function from its name or config; what can be called stays as it is; None gives `linear`.

    Raises:
        ValueError: an unknown name.
    """
    return linear if identifier is None else _get(identifier)


def serialize(activation):
    """The name of one of these functions; the config of anything else."""
    return _names[activation] if getattr(activation, "__hash__", None) and activation in _names else _serialize(activation)


def deserialize(config, custom_objects=None):
    """The function that a name or a config describes; `custom_objects` maps names to functions of yours."""
    with serialization.CustomObjectScope(custom_objects):
        return get(config)


fields.converter("activation", get, serialize)
