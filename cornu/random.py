"""Random numbers: one counter-based generator written over ops, so that every backend draws the same numbers from the same seed."""

import math
import random

import numpy as np

from cornu import dtypes, shapes
from cornu.backends import array, canonical, kind
from cornu.backends import protocol as p
from cornu.ops import control
from cornu.ops.chance import (
    GOLDEN,
    SeedGenerator,
    draw_seed,
    global_seed_generator,
    open_unit,
    random_bits,
    set_global_seed,
    standard_normal,
    sub_key,
    unit,
)
from cornu.ops.dispatch import op
from cornu.ops.elementwise import (
    add,
    divide,
    equal,
    erfinv,
    greater,
    greater_equal,
    less,
    less_equal,
    log,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    sqrt,
    subtract,
    where,
)
from cornu.ops.making import _sizes, cast
from cornu.ops.reduce import all as _all
from cornu.ops.reduce import argmax
from cornu.shapes import normalize_axis

__all__ = [
    "SeedGenerator",
    "bernoulli",
    "beta",
    "binomial",
    "categorical",
    "draw_seed",
    "dropout",
    "gamma",
    "global_seed_generator",
    "host",
    "normal",
    "randint",
    "random_bits",
    "set_global_seed",
    "set_random_seed",
    "shuffle",
    "truncated_normal",
    "uniform",
]


def set_random_seed(seed):
    """Make everything that follows by chance follow from `seed`: first weights, shuffles, dropout; Python's and NumPy's generators too.

    Args:
        seed: a whole number from 0 up.
    """
    if isinstance(seed, bool) or not hasattr(seed, "__index__") or seed < 0:
        raise ValueError(f"set_random_seed: seed must be a whole number from 0 up; got {seed!r}.")
    random.seed(int(seed))
    np.random.seed(int(seed) % 2**32)
    set_global_seed(int(seed))


def host(seed):
    """A NumPy generator (Philox, counter-based) for draws on the host, the same on every backend and machine."""
    return np.random.Generator(np.random.Philox(int(seed)))


def _float_type(dtype, name):
    dtype = canonical(dtypes.standardize(dtype))
    if not dtypes.is_float(dtype):
        raise ValueError(f"random.{name}: wanted a float type; got {dtype!r}.")
    return dtype


@op(tensors=0)
def uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    """Equally likely numbers from `minval` up to `maxval`, that one left out.

    Args:
        shape: sizes.
        minval, maxval: numbers or tensors that broadcast to `shape`.
        dtype: a float type, `floatx` by default.
        seed: a whole number (the same numbers each time), a SeedGenerator (new ones each time), or None (the global generator).

    >>> bool(ops.all(uniform((3,), seed=1) == uniform((3,), seed=1)))
    True
    """
    dtype = _float_type(dtype, "uniform")
    return add(multiply(unit(draw_seed(seed), _sizes(shape, "uniform"), dtype), _like(subtract(maxval, minval), dtype)), _like(minval, dtype))


def _like(x, dtype):
    return x if type(x) in (int, float) else array(x, dtype)


@op(tensors=0)
def normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """Normally distributed numbers with the given mean and standard deviation. See `uniform` for the other arguments."""
    dtype = _float_type(dtype, "normal")
    return add(multiply(cast(standard_normal(draw_seed(seed), _sizes(shape, "normal")), dtype), _like(stddev, dtype)), _like(mean, dtype))


@op(tensors=0)
def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """Normally distributed numbers, those further than two standard deviations from the mean drawn again."""
    dtype = _float_type(dtype, "truncated_normal")
    inside = math.erf(math.sqrt(2.0))  # the share within two standard deviations
    share = multiply(subtract(multiply(open_unit(draw_seed(seed), _sizes(shape, "truncated_normal")), 2.0), 1.0), inside)
    values = minimum(maximum(multiply(erfinv(share), math.sqrt(2.0)), -2.0), 2.0)
    return add(multiply(cast(values, dtype), _like(stddev, dtype)), _like(mean, dtype))


@op(tensors=0)
def randint(shape, minval, maxval, dtype="int32", seed=None):
    """Equally likely whole numbers from `minval` up to `maxval`, that one left out.

    Raises:
        ValueError: `dtype` is no integer type, or does not hold the numbers, or there are none.
    """
    dtype = canonical(dtypes.standardize(dtype))
    if not dtypes.is_integer(dtype):
        raise ValueError(f"random.randint: wanted an integer type; got {dtype!r}.")
    key = draw_seed(seed)
    bits = random_bits(key, _sizes(shape, "randint"))
    if hasattr(minval, "shape") or hasattr(maxval, "shape"):
        span = cast(subtract(cast(array(maxval), "int32"), cast(array(minval), "int32")), "uint32")
        return add(cast(p.mod(bits, span), dtype), cast(array(minval), dtype))
    low, high = int(minval), int(maxval)
    if high <= low:
        raise ValueError(f"random.randint: minval must be less than maxval; got {minval} and {maxval}.")
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    if low < least or high - 1 > most:
        raise ValueError(f"random.randint: {dtype} holds whole numbers from {least} to {most}; wanted {minval} up to {maxval}.")
    span = high - low
    if span > 2**32:
        more = cast(random_bits(sub_key(key, 1), tuple(bits.shape)), "uint64")
        bits = add(multiply(more, np.uint64(2**32)), cast(bits, "uint64"))
        bits = bits if span == 2**64 else p.mod(bits, array(np.uint64(span)))
    elif span < 2**32:
        bits = p.mod(bits, array(np.uint32(span)))
    if dtype in dtypes.SIGNED:  # around the circle of the unsigned type, where nothing is out of range
        unsigned = f"u{dtype}"
        return cast(add(cast(bits, unsigned), array(np.asarray(low % (most - least + 1), unsigned))), dtype)
    return add(cast(bits, dtype), array(np.asarray(low, dtype)))


@op(tensors=0)
def bernoulli(shape, p=0.5, dtype="bool", seed=None):
    """True with the probability `p` (a number from 0 to 1), False otherwise."""
    return cast(_chosen(random_bits(draw_seed(seed), _sizes(shape, "bernoulli")), p), dtype)


def _chosen(bits, probability):
    """Where 32 bits fall below the share `probability` of their range."""
    if not 0 <= probability <= 1:
        raise ValueError(f"random: a probability is from 0 to 1; got {probability}.")
    limit = round(probability * 2**32)
    return p.full(tuple(bits.shape), True, "bool") if limit >= 2**32 else less(bits, np.uint32(limit))


@op
def dropout(inputs, rate, noise_shape=None, seed=None):
    """Set a share `rate` of the elements to 0 and divide the others by `1 - rate`, so that the expected sum stays.

    Args:
        rate: from 0 up to 1, that one left out.
        noise_shape: the shape of what is chosen, broadcast to the inputs; 1 (or the whole size, None) an axis.
        seed: see `uniform`.

    Source: Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"random.dropout: rate is from 0 up to 1, that one left out; got {rate}.")
    x = cast(inputs, canonical(dtypes.to_float(kind(inputs))))
    sizes = tuple(x.shape)
    if noise_shape is not None:
        if len(noise_shape) != len(sizes):
            raise ValueError(f"random.dropout: noise_shape needs a size for each axis of {shapes.public(sizes)}; got {tuple(noise_shape)}.")
        sizes = tuple(size if shapes.unknown(n) else n for n, size in zip(noise_shape, sizes, strict=True))
    keep = _chosen(random_bits(draw_seed(seed), sizes), 1 - rate)
    return where(keep, multiply(x, 1 / (1 - rate)), 0.0)


@op
def shuffle(x, axis=0, seed=None):
    """The parts of `x` along `axis` in a random order."""
    axis = normalize_axis(axis, x.ndim, "random.shuffle")
    return p.take(x, p.argsort(random_bits(draw_seed(seed), (x.shape[axis],)), 0), axis)


@op
def categorical(logits, num_samples, dtype="int32", seed=None):
    """Numbers of classes, each drawn with the probability that the softmax of its row's logits gives it.

    Shape: (batch, classes) -> (batch, num_samples).

    Source: the Gumbel trick; Maddison et al., "A* Sampling", 2014.
    """
    if logits.ndim != 2:
        raise ValueError(f"random.categorical: wanted logits of (batch, classes); got the shape {shapes.public(logits.shape)}.")
    batch, classes = logits.shape
    noise = negative(log(negative(log(open_unit(draw_seed(seed), (batch, num_samples, classes))))))
    return cast(argmax(add(p.reshape(logits, (batch, 1, classes)), noise), -1), dtype)


@op(tensors=0)
def gamma(shape, alpha, dtype=None, seed=None):
    """Numbers of the gamma distribution with the shape parameter `alpha` (above 0; NaN comes out elsewhere) and scale 1.

    Source: Marsaglia and Tsang, "A Simple Method for Generating Gamma Variables", 2000.
    """
    dtype = _float_type(dtype, "gamma")
    _above_zero(alpha, "alpha", "gamma")
    return cast(_gamma(draw_seed(seed), _sizes(shape, "gamma"), alpha), dtype)


def _above_zero(value, name, op):
    if isinstance(value, (int, float)) and not 0 < value < math.inf:
        raise ValueError(f"random.{op}: {name} must be above 0; got {value}.")


def _gamma(key, shape, alpha):
    alpha = p.broadcast_to(array(alpha, "float32"), shape)
    valid = logical_and(greater(alpha, 0.0), less(alpha, math.inf))
    alpha = where(valid, alpha, 1.0)
    small = less(alpha, 1.0)
    d = subtract(where(small, add(alpha, 1.0), alpha), 1 / 3)
    c = divide(1 / 3, sqrt(d))

    def attempt(done, values, number):
        x = standard_normal(sub_key(key, add(multiply(number, 2), 2)), shape)
        u = open_unit(sub_key(key, add(multiply(number, 2), 3)), shape)
        v = power(add(multiply(c, x), 1.0), 3)
        safe = maximum(v, 1e-30)
        fits = logical_and(greater(v, 0.0), less(log(u), add(multiply(multiply(x, x), 0.5), multiply(d, add(subtract(1.0, v), log(safe))))))
        return logical_or(done, fits), where(logical_and(fits, logical_not(done)), multiply(d, v), values), add(number, 1)

    state = (p.full(shape, False, "bool"), p.full(shape, 0.0, "float32"), array(0))
    _, values, _ = control.while_loop(lambda done, values, number: logical_not(_all(done)), attempt, state)
    boost = power(open_unit(sub_key(key, 1), shape), divide(1.0, where(small, alpha, 1.0)))
    return where(valid, where(small, multiply(values, boost), values), math.nan)


@op(tensors=0)
def beta(shape, alpha, beta, dtype=None, seed=None):
    """Numbers from 0 to 1 of the beta distribution with the parameters `alpha` and `beta` (above 0)."""
    dtype, key, shape = _float_type(dtype, "beta"), draw_seed(seed), _sizes(shape, "beta")
    _above_zero(alpha, "alpha", "beta")
    _above_zero(beta, "beta", "beta")
    first, second = _gamma(key, shape, alpha), _gamma(_swapped(key), shape, beta)
    return cast(divide(first, add(first, second)), dtype)


def _swapped(key):
    return p.flip(add(key, GOLDEN), (0,))


@op(tensors=0)
def binomial(shape, counts, probabilities, dtype=None, seed=None):
    """How many of `counts` trials succeed, each with the probability `probabilities` (from 0 to 1; NaN comes out elsewhere); as floats.

    The time grows with the expected number of successes, or of failures where those are fewer.

    Source: Devroye, "Non-Uniform Random Variate Generation", 1986, X.4.3 (waiting times).
    """
    dtype, key, shape = _float_type(dtype, "binomial"), draw_seed(seed), _sizes(shape, "binomial")
    if isinstance(probabilities, (int, float)) and not 0 <= probabilities <= 1:
        raise ValueError(f"random.binomial: a probability is from 0 to 1; got {probabilities}.")
    if isinstance(counts, (int, float)) and not 0 <= counts < math.inf:
        raise ValueError(f"random.binomial: counts are from 0 up; got {counts}.")
    counts, chance = (p.broadcast_to(array(x, "float32"), shape) for x in (counts, probabilities))
    valid = logical_and(logical_and(greater_equal(chance, 0.0), less_equal(chance, 1.0)), logical_and(greater_equal(counts, 0.0), less(counts, math.inf)))
    counts, chance = where(valid, counts, 0.0), where(valid, chance, 0.0)
    many = greater(chance, 0.5)
    rare = where(many, subtract(1.0, chance), chance)
    impossible = equal(rare, 0.0)
    rate = log(subtract(1.0, where(impossible, 0.5, rare)))

    def wait(passed, found, number):
        step = p.ceil(divide(log(open_unit(sub_key(key, add(number, 1)), shape)), rate))
        passed = add(passed, maximum(step, 1.0))
        return passed, where(less(passed, add(counts, 0.5)), add(found, 1.0), found), add(number, 1)

    nothing = p.full(shape, 0.0, "float32")
    start = (where(impossible, add(counts, 1.0), nothing), nothing, array(0))
    _, found, _ = control.while_loop(lambda passed, found, number: logical_not(_all(greater(passed, counts))), wait, start)
    return cast(where(valid, where(many, subtract(counts, found), found), math.nan), dtype)
