"""Normalizations by mean and variance."""

from cornu import dtypes, settings
from cornu.backends import canonical, kind
from cornu.backends import protocol as p
from cornu.ops.dispatch import op, settle
from cornu.ops.elementwise import add, multiply, negative, rsqrt, square
from cornu.ops.making import cast
from cornu.ops.reduce import mean, moments
from cornu.shapes import normalize_axes, normalize_axis, public, ranked, same


@op(tensors=3)
def batch_normalization(x, mean, variance, axis, offset=None, scale=None, epsilon=1e-3):
    """`(x - mean) / sqrt(variance + epsilon) * scale + offset`, with a number of each for every place of `axis`.

    Args:
        mean, variance, offset, scale: of the shape (size of `axis`,).

    >>> [[round(x, 3) for x in row] for row in ops.batch_normalization([[3.0]], [1.0], [4.0], -1).tolist()]
    [[1.0]]

    Source: Ioffe and Szegedy, "Batch Normalization", 2015.
    """
    axis = normalize_axis(axis, x.ndim, "batch_normalization")
    shape = tuple(n if i == axis else 1 for i, n in enumerate(x.shape))
    for name, weight in (("mean", mean), ("variance", variance), ("offset", offset), ("scale", scale)):
        if weight is not None and hasattr(weight, "shape"):
            ranked(weight.shape, f"batch_normalization, {name}", 1, 1)
            same(weight.shape[0], x.shape[axis], f"batch_normalization: {name} has a number for every place of axis {axis} of {public(x.shape)}")
    (x, mean, variance), dtype = settle(x, mean, variance, dtype=canonical(dtypes.to_float(kind(x), kind(mean), kind(variance))))
    factor = rsqrt(add(variance, epsilon))
    if scale is not None:
        factor = multiply(factor, settle(scale, dtype=dtype)[0][0])
    shift = negative(multiply(mean, factor))
    if offset is not None:
        shift = add(shift, settle(offset, dtype=dtype)[0][0])
    return add(multiply(x, p.reshape(factor, shape)), p.reshape(shift, shape))


@op
def normalize_by_batch(x, axis, offset=None, scale=None, epsilon=1e-3):
    """`batch_normalization` by the moments of `x` itself over all axes but `axis`, as in training.

    Args:
        offset, scale: of the type of `x` and the shape (size of `axis`,), or None.

    Returns:
        The outputs; and for running averages, without gradients of their own, the mean and the variance.

    >>> from cornu.ops.normalization import normalize_by_batch
    >>> outputs, mean, variance = normalize_by_batch([[1.0, 4.0], [3.0, 8.0]], axis=-1)
    >>> mean.tolist(), variance.tolist()
    ([2.0, 6.0], [1.0, 4.0])
    """
    mean, variance = moments(x, tuple(i for i in range(x.ndim) if i != axis % x.ndim))
    return batch_normalization(x, mean, variance, axis, offset, scale, epsilon), p.stop_gradient(mean), p.stop_gradient(variance)


def _placed(weight, x, axes):
    """`weight`, whose axes stand for `axes`, so that it broadcasts with `x`."""
    shape = tuple(n if i in axes else 1 for i, n in enumerate(x.shape))
    return p.reshape(weight, shape) if len(weight.shape) == len(axes) and axes != tuple(range(x.ndim - len(axes), x.ndim)) else weight


@op
def layer_normalization(x, gamma=None, beta=None, axis=-1, epsilon=None, **kwargs):
    """`x` less its mean along `axis`, divided by `sqrt(variance + epsilon)`, times `gamma` plus `beta`.

    Args:
        gamma, beta: of the sizes of `axis`, or None.
        axis: an axis or several.
        epsilon: 1e-7 by default.

    >>> [round(x, 3) for x in ops.layer_normalization([1.0, 3.0]).tolist()]
    [-1.0, 1.0]

    Source: Ba et al., "Layer Normalization", 2016.
    """
    if kwargs.pop("rms_scaling", False):
        return rms_normalization(x, gamma, axis, epsilon)
    if kwargs:
        raise TypeError(f"layer_normalization has no argument {next(iter(kwargs))!r}.")
    x, dtype, axes = _ready(x, axis, "layer_normalization")
    centre, variance = moments(x, axes, keepdims=True)
    x = multiply(add(x, negative(centre)), rsqrt(add(variance, settings.epsilon() if epsilon is None else epsilon)))
    return cast(_scaled(x, gamma, beta, axes), dtype)


@op
def rms_normalization(x, scale=None, axis=-1, epsilon=None):
    """`x` divided by `sqrt(mean(x**2) + epsilon)` along `axis`, times `scale`.

    >>> [round(x, 3) for x in ops.rms_normalization([3.0, 3.0]).tolist()]
    [1.0, 1.0]

    Source: Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019.
    """
    x, dtype, axes = _ready(x, axis, "rms_normalization")
    x = multiply(x, rsqrt(add(mean(square(x), axes, True), settings.epsilon() if epsilon is None else epsilon)))
    return cast(_scaled(x, scale, None, axes), dtype)


def _ready(x, axis, name):
    """`x` to compute on (halves as float32), the type of the result, and the axes."""
    dtype = canonical(dtypes.to_float(kind(x)))
    axes = tuple(sorted(normalize_axes(axis, x.ndim, name)))
    return cast(x, "float32" if dtype in ("float16", "bfloat16") else dtype), dtype, axes


def _scaled(x, gamma, beta, axes):
    if gamma is not None:
        x = multiply(x, _placed(settle(gamma, dtype=kind(x))[0][0], x, axes))
    if beta is not None:
        x = add(x, _placed(settle(beta, dtype=kind(x))[0][0], x, axes))
    return x
