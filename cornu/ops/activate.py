"""Activation functions."""

import math

from cornu import dtypes
from cornu.backends import canonical, kind
from cornu.backends import protocol as p
from cornu.ops.dispatch import OPS, op
from cornu.ops.elementwise import (
    abs,
    add,
    clip,
    divide,
    erf,
    exp,
    expm1,
    greater,
    greater_equal,
    less,
    less_equal,
    log1p,
    maximum,
    multiply,
    negative,
    sigmoid,
    sign,
    sqrt,
    square,
    subtract,
    tanh,
    where,
)
from cornu.ops.making import cast
from cornu.ops.shaping import split
from cornu.shapes import normalize_axes, normalize_axis


def _float(x):
    return cast(x, canonical(dtypes.to_float(kind(x))))


# Where a maximum is tied, its gradient is shared. An activation has that of one side, which engines agree on: values of exactly 0 are common.


def _between(x, low, high):
    """`x` clipped to a range; at its ends as beyond them, without a gradient."""
    return where(less_equal(x, low), low, where(greater_equal(x, high), high, x))


def _below(x):
    """The smaller of `x` and 0; at 0 it goes with `x`."""
    return where(greater(x, 0), 0, x)


@op
def relu(x):
    """`max(x, 0)`.

    >>> ops.relu([-1.0, 2.0]).tolist()
    [0.0, 2.0]
    """
    return where(less_equal(x, 0), 0, x)


@op
def relu6(x):
    """Clip each element to the range 0 to 6.

    >>> ops.relu6([-3.0, 2.0, 8.0]).tolist()
    [0.0, 2.0, 6.0]

    Source: Krizhevsky, "Convolutional Deep Belief Networks on CIFAR-10", 2010.
    """
    return _between(_float(x), 0, 6)


@op
def leaky_relu(x, negative_slope=0.2):
    """`x` where it is positive, `negative_slope * x` elsewhere.

    >>> [round(x, 4) for x in ops.leaky_relu([-1.0, 2.0]).tolist()]
    [-0.2, 2.0]

    Source: Maas et al., "Rectifier Nonlinearities Improve Neural Network Acoustic Models", 2013.
    """
    x = _float(x)
    return where(greater(x, 0), x, multiply(x, negative_slope))


@op
def elu(x, alpha=1.0):
    """`x` where it is positive, `alpha * (exp(x) - 1)` elsewhere.

    >>> [round(x, 4) for x in ops.elu([-1.0, 2.0]).tolist()]
    [-0.6321, 2.0]

    Source: Clevert et al., "Fast and Accurate Deep Network Learning by Exponential Linear Units", 2015.
    """
    x = _float(x)
    return where(greater(x, 0), x, multiply(expm1(_below(x)), alpha))


@op
def celu(x, alpha=1.0):
    """`x` where it is positive, `alpha * (exp(x / alpha) - 1)` elsewhere.

    >>> [round(x, 4) for x in ops.celu([-1.0, 2.0]).tolist()]
    [-0.6321, 2.0]

    Source: Barron, "Continuously Differentiable Exponential Linear Units", 2017.
    """
    x = _float(x)
    return where(greater(x, 0), x, multiply(expm1(divide(_below(x), alpha)), alpha))


@op
def selu(x):
    """`elu` with the slope and the scale that keep mean 0 and variance 1 from layer to layer.

    >>> [round(x, 4) for x in ops.selu([-1.0, 2.0]).tolist()]
    [-1.1113, 2.1014]

    Source: Klambauer et al., "Self-Normalizing Neural Networks", 2017.
    """
    return multiply(elu(x, 1.6732632423543772), 1.0507009873554805)


@op
def gelu(x, approximate=True):
    """`x` times the normal distribution's share below `x`.

    Args:
        approximate: whether that share is computed by a tanh, off by less than 0.001, or by `erf`.

    >>> [round(x, 4) for x in ops.gelu([-1.0, 2.0]).tolist()]
    [-0.1588, 1.9546]

    Source: Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.
    """
    x = _float(x)
    if approximate:
        near = clip(x, -10.0, 10.0)  # further out the tanh is 1, and the cube would be infinite, its slope no number
        inner = multiply(add(near, multiply(multiply(square(near), near), 0.044715)), math.sqrt(2 / math.pi))
        return multiply(multiply(x, 0.5), add(1.0, tanh(inner)))
    return multiply(multiply(x, 0.5), add(1.0, erf(multiply(x, math.sqrt(0.5)))))


@op
def silu(x):
    """`x * sigmoid(x)`, also called swish.

    >>> [round(x, 4) for x in ops.silu([-1.0, 2.0]).tolist()]
    [-0.2689, 1.7616]

    Source: Ramachandran et al., "Searching for Activation Functions", 2017.
    """
    x = _float(x)
    return multiply(x, sigmoid(x))


swish = silu


@op
def softplus(x):
    """`log(1 + exp(x))`, without overflow.

    >>> [round(x, 4) for x in ops.softplus([-1.0, 2.0]).tolist()]
    [0.3133, 2.1269]
    """
    x = _float(x)
    return add(maximum(x, 0), log1p(exp(negative(abs(x)))))


@op
def softsign(x):
    """`x / (1 + |x|)`, from -1 to 1.

    >>> ops.softsign([-1.0, 3.0]).tolist()
    [-0.5, 0.75]
    """
    x = _float(x)
    return divide(x, add(abs(x), 1.0))


@op
def log_sigmoid(x):
    """`log(sigmoid(x))`, without overflow.

    >>> [round(x, 4) for x in ops.log_sigmoid([-1.0, 2.0]).tolist()]
    [-1.3133, -0.1269]
    """
    return negative(softplus(negative(_float(x))))


@op
def mish(x):
    """`x * tanh(softplus(x))`.

    Source: Misra, "Mish: A Self Regularized Non-Monotonic Activation Function", 2019.
    """
    x = _float(x)
    return multiply(x, tanh(softplus(x)))


@op
def hard_sigmoid(x):
    """`x / 6 + 0.5`, clipped to the range 0 to 1.

    >>> ops.hard_sigmoid([-4.0, 0.0, 4.0]).tolist()
    [0.0, 0.5, 1.0]
    """
    x = _float(x)
    return _between(add(divide(x, 6.0), 0.5), 0.0, 1.0)


@op
def hard_silu(x):
    """`x * hard_sigmoid(x)`, also called hard swish.

    >>> ops.hard_silu([-4.0, 0.0, 4.0]).tolist()
    [-0.0, 0.0, 4.0]

    Source: Howard et al., "Searching for MobileNetV3", 2019.
    """
    x = _float(x)
    return multiply(x, hard_sigmoid(x))


hard_swish = hard_silu
OPS.update(swish=silu, hard_swish=hard_silu)


@op
def hard_tanh(x):
    """Clip each element to the range -1 to 1.

    >>> ops.hard_tanh([-3.0, 0.5, 2.0]).tolist()
    [-1.0, 0.5, 1.0]
    """
    x = cast(x, dtypes.result(kind(x), "int"))  # booleans are numbers here
    return where(greater(abs(x), 1), sign(x), x)


@op
def tanh_shrink(x):
    """`x - tanh(x)`.

    >>> [round(x, 4) for x in ops.tanh_shrink([-1.0, 2.0]).tolist()]
    [-0.2384, 1.036]
    """
    x = _float(x)
    return subtract(x, tanh(x))


@op
def hard_shrink(x, threshold=0.5):
    """`x` where it is further from 0 than `threshold`, 0 elsewhere.

    >>> ops.hard_shrink([-0.2, 2.0]).tolist()
    [0.0, 2.0]
    """
    x = _float(x)
    return where(greater(abs(x), threshold), x, 0)


@op
def soft_shrink(x, threshold=0.5):
    """`x` moved towards 0 by `threshold`; 0 where it is no further from 0 than that.

    >>> ops.soft_shrink([-0.2, 2.0]).tolist()
    [-0.0, 1.5]
    """
    x = _float(x)
    return multiply(sign(x), relu(subtract(abs(x), threshold)))


@op
def threshold(x, threshold, default_value):
    """`x` where it is above `threshold`, `default_value` elsewhere.

    >>> ops.threshold([0.5, 2.0], 1.0, 0.0).tolist()
    [0.0, 2.0]
    """
    return where(greater(x, threshold), x, default_value)


@op
def squareplus(x, b=4):
    """`(x + sqrt(x**2 + b)) / 2`, a smooth `relu`.

    >>> ops.squareplus([0.0]).tolist()
    [1.0]

    Source: Barron, "Squareplus: A Softplus-Like Algebraic Rectifier", 2021.
    """
    x = _float(x)
    return multiply(add(x, sqrt(add(square(x), b))), 0.5)


@op
def sparse_plus(x):
    """0 below -1, `x` above 1, `(x + 1)**2 / 4` between them.

    >>> ops.sparse_plus([-2.0, 0.0, 2.0]).tolist()
    [0.0, 0.25, 2.0]
    """
    x = _float(x)
    return where(less_equal(x, -1), 0.0, where(less(x, 1), multiply(square(add(x, 1.0)), 0.25), x))


@op
def sparse_sigmoid(x):
    """0 below -1, 1 above 1, `(x + 1) / 2` between them.

    >>> ops.sparse_sigmoid([-2.0, 0.0, 2.0]).tolist()
    [0.0, 0.5, 1.0]
    """
    return _between(multiply(add(_float(x), 1.0), 0.5), 0.0, 1.0)


@op
def glu(x, axis=-1):
    """One half of `axis` times the sigmoid of the other. Shape: the size of `axis` is halved.

    >>> ops.glu([2.0, 0.0]).tolist()
    [1.0]

    Source: Dauphin et al., "Language Modeling with Gated Convolutional Networks", 2016.
    """
    size = x.shape[normalize_axis(axis, x.ndim, "glu")]
    if type(size) is int and size % 2:
        raise ValueError(f"glu: axis {axis} must have an even size; got the shape {tuple(x.shape)}.")
    first, second = split(_float(x), 2, axis)
    return multiply(first, sigmoid(second))


def _shifted(x, axis, op):
    """`x` less its largest element along `axis`, so that exp cannot overflow, and the axes."""
    x = _float(x)
    axes = tuple(sorted(normalize_axes(axis, x.ndim, op)))
    return subtract(x, p.stop_gradient(p.max(x, axes, True))), axes


@op
def softmax(x, axis=-1):
    """`exp(x)` divided by its sum along `axis` (an axis, several, or None for all): positive numbers that add up to 1.

    >>> ops.softmax([0.0, 0.0]).tolist()
    [0.5, 0.5]
    """
    shifted, axes = _shifted(x, axis, "softmax")
    out = exp(shifted)
    return divide(out, p.sum(out, axes, True))


@op
def log_softmax(x, axis=-1):
    """`log(softmax(x))`, without overflow.

    >>> [round(x, 4) for x in ops.log_softmax([0.0, 0.0]).tolist()]
    [-0.6931, -0.6931]
    """
    shifted, axes = _shifted(x, axis, "log_softmax")
    return subtract(shifted, p.log(p.sum(exp(shifted), axes, True)))


@op
def sparsemax(x, axis=-1):
    """The point of the probability simplex nearest to `x`: as `softmax`, with exact zeros.

    >>> ops.sparsemax([2.0, 0.0]).tolist()
    [1.0, 0.0]

    Source: Martins and Astudillo, "From Softmax to Sparsemax", 2016.
    """
    x = _float(x)
    axis = normalize_axis(axis, x.ndim, "sparsemax")
    shape = tuple(x.shape[axis] if i == axis else 1 for i in range(x.ndim))
    ranks = add(p.iota(shape, axis, kind(x)), 1.0)
    ordered = p.flip(p.sort(x, axis), (axis,))
    sums = p.cumsum(ordered, axis)
    kept = greater(add(1.0, multiply(ranks, ordered)), sums)
    count = p.sum(cast(kept, kind(x)), (axis,), True)
    level = divide(subtract(p.sum(where(kept, ordered, 0.0), (axis,), True), 1.0), count)
    return maximum(subtract(x, level), 0)
