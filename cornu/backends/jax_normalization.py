"""Moments, batch and layer normalization and softmax with gradients in few passes over memory: overrides of ops on a CPU.

For arguments that they do not serve they give `NotImplemented`, and the written-once bodies run.
"""

import functools
import math
import weakref

import jax
import jax.numpy as jnp  # pyright: ignore[reportMissingImports]
from jax import lax
from jax.experimental.xla_metadata import set_xla_metadata  # pyright: ignore[reportMissingImports]

from cornu import settings
from cornu.backends.jax_derivatives import with_gradient

_apart = lax.optimization_barrier  # a sum is fast alone; fused with what surrounds it, it takes several times as long
_FULL = ("float32", "float64")


def _axes(axis, rank):
    """Sorted axes; None where they are not given as whole numbers in range."""
    given = range(rank) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    if not all(type(a) is int and -rank <= a < rank for a in given):
        return None
    found = tuple(sorted({a % rank for a in given}))
    return found if len(found) == len(given) else None


# Moments


def moments(x, axes, keepdims=False, synchronized=False):
    axes = _axes(axes, x.ndim) if x.dtype.name in _FULL and x.size else None
    return tuple(_moments(axes, bool(keepdims))(x)) if axes else NotImplemented


@functools.cache
def _moments(axes, keepdims):
    def function(x):
        centre = jnp.mean(x, axes, keepdims=True)
        variance = jnp.mean(jnp.square(x - centre), axes, keepdims=keepdims)
        return [centre if keepdims else jnp.squeeze(centre, axes), variance]

    def forward(x):
        out = function(x)
        return out, (x, out[0])

    def backward(kept, gradients):  # that of the variance by the mean is 0
        x, *numbers = kept[0], kept[1], *gradients
        centre, by_centre, by_variance = numbers if keepdims else [jnp.expand_dims(y, axes) for y in numbers]
        count = math.prod(x.shape[a] for a in axes)
        return ((x - centre) * (by_variance * (2 / count)) + by_centre / count,)

    return with_gradient(function, forward, backward)


# Batch normalization


def normalize_by_batch(x, axis, offset=None, scale=None, epsilon=1e-3):
    found = _axes(axis, x.ndim) if x.dtype.name in _FULL and x.size else None
    weights = found and _weights(x, x.shape[found[0]], scale, offset)
    if not weights:
        return NotImplemented
    axis = found[0] - x.ndim
    mean, variance = _apart(tuple(_moments(_others(x, axis), False)(x)))
    form, given = (axis, float(epsilon)), (x, *weights, mean, variance)
    out = _batch_normalization(*form)(*given)
    if isinstance(out, jax.core.Tracer):
        key = id(out)
        _made[key] = weakref.ref(out, lambda _: _made.pop(key, None)), form, given
    return out, lax.stop_gradient(mean), lax.stop_gradient(variance)


def relu(x):
    return _activated(x, jax.nn.relu)


def relu6(x):
    return _activated(x, _relu6) if x.dtype.name in _FULL else NotImplemented


def _relu6(x):
    return jnp.where(x <= 0, 0, jnp.where(x >= 6, 6, x))


_PASSES = {jax.nn.relu: lambda y: y > 0, _relu6: lambda y: (y > 0) & (y < 6)}  # where an activation passes its gradient on; elsewhere it passes nothing

_made = {}  # id of what batch normalization gave in a program -> (weak reference to it, its form, what it was made of)


def _activated(x, activation):
    """`activation` of `x`; of normalized `x` as one function with it, so that the gradient is not kept between the two. The other falls away unless it is used."""
    reference, form, given = _made.get(id(x), (None, None, None))
    if reference is None or reference() is not x:
        return _once(x) if activation is jax.nn.relu and x.ndim == 4 and isinstance(x, jax.core.Tracer) else activation(x)
    return _batch_normalization(*form, activation)(*given)


_same = jax.jit(lax.optimization_barrier)  # of a function that gives its argument back `jax.jit` would leave nothing


@jax.custom_jvp
def _once(x):
    """Relu, computed once: XLA would compute it anew in every kernel that reads it, back to the last product, and compile each of these."""
    with set_xla_metadata(inlineable="false"):
        return _same(jnp.maximum(x, 0))


_once.defjvps(lambda change, out, x: jnp.where(out > 0, change, 0))


def _weights(x, size, *given):
    """A factor and a summand of `size` numbers of the type of `x`, from what is given or None; None where that is something else."""
    given = [w._cornu_value() if hasattr(w, "_cornu_value") else w for w in given]
    if all(w is None or (isinstance(w, jax.Array) and w.dtype == x.dtype and w.shape == (size,)) for w in given):
        return [jnp.full(size, value, x.dtype) if w is None else w for w, value in zip(given, (1, 0), strict=True)]
    return None


def _others(x, axis):
    return tuple(i for i in range(x.ndim) if i != axis % x.ndim)


_PART = 2**18  # bytes that stay in the cache


def _sums(function, axis, *arrays):
    """The sums over all axes but `axis` of the arrays that `function` gives for parts of `arrays`: nothing of their size comes to lie in memory."""
    shape, size = arrays[0].shape, arrays[0].nbytes
    if size < 4 * _PART:
        return [y.sum(_others(y, axis)) for y in map(_apart, function(*arrays))]
    part = list(shape)
    for a in _others(arrays[0], axis):
        most = max(1, _PART * part[a] // size)
        part[a] = next(n for n in range(min(most, shape[a]), 0, -1) if shape[a] % n == 0)
        size = size // shape[a] * part[a]
    counts = [n // p for n, p in zip(shape, part, strict=True)]
    kinds = jax.eval_shape(function, *[jax.ShapeDtypeStruct(part, x.dtype) for x in arrays])

    def add(totals, i):
        starts = []
        for count, n in zip(counts[::-1], part[::-1], strict=True):
            starts.insert(0, i % count * n if count > 1 else 0)
            i = i // count if count > 1 else i
        found = function(*(lax.dynamic_slice(x, starts, part) for x in arrays))
        return [total + more for total, more in zip(totals, found, strict=True)], None

    totals, _ = lax.scan(add, [jnp.zeros(kind.shape, kind.dtype) for kind in kinds], jnp.arange(math.prod(counts)))
    return [total.sum(_others(total, axis)) for total in totals]


@functools.cache
def _batch_normalization(axis, epsilon, activation=None):
    """The function of `x`, a factor, a summand and the moments of `x`, whose share in the gradient is that of `x`; `axis` counts from the end.

    `activation`: None or one of `_PASSES`, applied last.
    """
    passes = _PASSES.get(activation)

    def placed(numbers):
        return numbers.reshape(-1, *(1,) * (-1 - axis))

    def normalized(x, scale, offset, mean, variance):
        factor = lax.rsqrt(variance + epsilon) * scale
        return x * placed(factor) + placed(offset - mean * factor)

    def forward(*given):
        out = normalized(*given)
        return activation(out) if activation else out, given

    def function(x, scale, offset, *_):
        return forward(x, scale, offset, *_moments(_others(x, axis), False)(x))[0]

    def backward(given, gradient):  # what the passes share would be kept whole, so they do not share it
        x, scale, _, mean, variance = given

        def passed(x, gradient):
            return jnp.where(passes(normalized(x, *given[1:])), gradient, 0) if passes else gradient

        def parts(x, gradient):
            gradient = passed(x, gradient)
            return gradient, gradient * (x - placed(mean))

        count, factor = x.size // x.shape[axis], lax.rsqrt(variance + epsilon)
        by_offset, by_scale = _sums(parts, axis, x, gradient)
        by_scale = by_scale * factor
        slope = scale * factor
        centre, *numbers = _apart((mean, slope, slope * factor * by_scale / count, slope * by_offset / count))
        slope, by_centred, rest = map(placed, numbers)
        by_x = passed(x, gradient) * slope - (x - placed(centre)) * by_centred - rest
        return by_x, by_scale, by_offset, None, None

    return with_gradient(function, forward, backward)


# Layer and root mean square normalization


def layer_normalization(x, gamma=None, beta=None, axis=-1, epsilon=None, **kwargs):
    if kwargs or x.dtype.name not in _FULL or not x.size or _axes(axis, x.ndim) != (x.ndim - 1,):
        return NotImplemented
    weights = _weights(x, x.shape[-1], gamma, beta)
    return _layer_normalization(float(settings.epsilon() if epsilon is None else epsilon), True)(x, *weights) if weights else NotImplemented


def rms_normalization(x, scale=None, axis=-1, epsilon=None):
    if x.dtype.name not in _FULL or not x.size or _axes(axis, x.ndim) != (x.ndim - 1,):
        return NotImplemented
    weights = _weights(x, x.shape[-1], scale, None)
    return _layer_normalization(float(settings.epsilon() if epsilon is None else epsilon), False)(x, *weights) if weights else NotImplemented


@functools.cache
def _layer_normalization(epsilon, centred):
    def factors(x):
        centre = jnp.mean(x, -1, keepdims=True) if centred else jnp.zeros((), x.dtype)
        return centre, lax.rsqrt(jnp.mean(jnp.square(x - centre), -1, keepdims=True) + epsilon)

    def function(x, gamma, beta):
        centre, factor = factors(x)
        return (x - centre) * factor * gamma + beta

    def forward(x, gamma, beta):
        centre, factor = map(_apart, factors(x))
        return (x - centre) * factor * gamma + beta, (x, centre, factor, gamma)

    def backward(kept, gradient):
        x, centre, factor, gamma = kept
        rows = tuple(range(x.ndim - 1))
        normal = (x - centre) * factor
        product = _apart(gradient * normal)
        weights = gamma / x.shape[-1]  # the two means are products of a matrix and a vector
        by_centre, by_factor = (_apart(jnp.matmul(y, weights))[..., None] for y in (gradient, product))
        by_normal = gradient * gamma - by_centre if centred else gradient * gamma
        return factor * (by_normal - normal * by_factor), product.sum(rows), gradient.sum(rows)

    return with_gradient(function, forward, backward)


# Softmax


def softmax(x, axis=-1):
    axes = _axes(axis, x.ndim) if jnp.issubdtype(x.dtype, jnp.floating) and x.size else None
    return _softmax(axes)(x) if axes else NotImplemented


@functools.cache
def _softmax(axes):
    def function(x):
        out = jnp.exp(x - lax.stop_gradient(jnp.max(x, axes, keepdims=True)))
        return out / jnp.sum(out, axes, keepdims=True, dtype=x.dtype)

    def backward(out, gradient):
        product = gradient * out
        return (product - out * jnp.sum(product, axes, keepdims=True, dtype=out.dtype),)

    return with_gradient(function, lambda x: (lambda out: (out, out))(function(x)), backward)
