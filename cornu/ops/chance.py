"""The generator of random numbers: keys from seeds, and bits, uniform and normal numbers from keys. The distributions are in cornu/random.py."""

import math
import random

import numpy as np

from cornu import scopes, serialization
from cornu.backends import array
from cornu.backends import protocol as p
from cornu.ops.dispatch import op
from cornu.ops.elementwise import add, bitwise_xor, erfinv, multiply, right_shift, subtract
from cornu.ops.making import _sizes, cast
from cornu.shapes import Spec
from cornu.variable import Variable

GOLDEN, _FIRST, _SECOND = (np.uint32(n) for n in (0x9E3779B9, 0x21F0AAAD, 0x735A2D97))


class SeedGenerator:
    """Gives a new key each time it is asked, all of them following from one seed.

    Args:
        seed: a whole number from 0 up; None draws one from Python's generator, which `set_random_seed` sets.
        name: for its path.

    >>> generator = SeedGenerator(7)
    >>> generator.next().tolist(), generator.next().tolist()
    ([7, 0], [7, 1])
    """

    def __init__(self, seed=None, name=None, **kwargs):
        if kwargs:
            raise TypeError(f"SeedGenerator has no argument {next(iter(kwargs))!r}.")
        self._initial_seed = seed
        if seed is None:
            seed = random.randint(1, 10**9)
        if isinstance(seed, bool) or not hasattr(seed, "__index__") or seed < 0:
            raise ValueError(f"SeedGenerator: seed must be a whole number from 0 up, or None; got {seed!r}.")
        self.name = name or scopes.auto_name("seed_generator")
        self.seed = int(seed)
        with scopes.name_scope(self.name, caller=self):
            self.state = Variable(key_words(self.seed), trainable=False, autocast=False, dtype="uint32", name="seed_generator_state")

    def next(self, ordered=True):
        """The key: (seed, counter) as two uint32. The counter goes on by 1; while shapes are inferred it stays."""
        if scopes.innermost("SymbolicScope") is not None:
            return Spec((2,), "uint32")
        key = self.state.value
        self.state.assign(add(key, np.array([0, 1], "uint32")))
        return key

    def get_config(self):
        return {"seed": self._initial_seed}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


serialization.own(SeedGenerator, "keras.random")


def key_words(seed):
    """(seed, 0); of a seed that does not fit, the low word and the high one."""
    return np.array([seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF], "uint32")


_global = [None]


def global_seed_generator():
    """The generator of draws without a seed of their own."""
    if _global[0] is None:
        _global[0] = SeedGenerator(name="global_seed_generator")
    return _global[0]


def set_global_seed(seed):
    """Begin the draws without a seed of their own again from `seed`; None draws a new seed at the next."""
    _global[0] = None if seed is None else SeedGenerator(seed, name="global_seed_generator")


def draw_seed(seed):
    """The key that `seed` stands for: of a SeedGenerator the next, of None the global generator's next, of a number always the same."""
    if seed is None:
        seed = global_seed_generator()
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if hasattr(seed, "__index__") and not getattr(seed, "shape", ()):
        return array(key_words(int(seed)))
    if tuple(getattr(seed, "shape", ())) == (2,):
        return array(seed, "uint32")
    raise ValueError(f"random: seed must be a whole number, a SeedGenerator, a key of two uint32 or None; got {seed!r}.")


def _mix(x, shift, factor):
    return multiply(bitwise_xor(x, right_shift(x, shift)), factor)


def _hash(x):
    return bitwise_xor(x := _mix(_mix(x, 16, _FIRST), 15, _SECOND), right_shift(x, 15))


@op
def random_bits(key, shape):
    """32 random bits for every place of `shape`, as uint32: a mixing of each place's number with the key.

    Args:
        key: two uint32. Keys that differ give sequences that are no shifted copies of each other.

    Within one call no value comes twice (up to 2**32 places). Good for dropout, noise and sampling; not for secrets.

    Source: the mixing is C. Wellons, "Hash Function Prospector", 2018 and later (32 bits, bias 0.107); the numbers are spread by the golden
    ratio as in Steele et al., "Fast splittable pseudorandom number generators", 2014.
    """
    shape = _sizes(shape, "random_bits")
    words = [p.reshape(p.slice(key, [i], [i + 1], [1]), ()) for i in range(2)]
    first = _hash(add(words[0], GOLDEN))
    second = _hash(bitwise_xor(first, multiply(add(words[1], np.uint32(1)), GOLDEN)))
    place = p.reshape(p.iota((math.prod(shape),), 0, "uint32"), shape)
    x = _mix(add(multiply(place, GOLDEN), first), 16, _FIRST)
    x = _mix(bitwise_xor(x, second), 15, _SECOND)
    return bitwise_xor(x, right_shift(x, 15))


def sub_key(key, number):
    """Another key of the same draw, for its second, third ... array of bits."""
    return add(key, multiply(cast(array([number, 0]) if type(number) is int else p.concatenate([p.reshape(number, (1,)), array([0])], 0), "uint32"), _SECOND))


_BITS = {"float16": 11, "bfloat16": 8}  # what fits between 0 and 1, 1 left out, without rounding up; 24 elsewhere


def unit(key, shape, dtype):
    """Equally likely numbers from 0 up to 1, 1 left out."""
    count = _BITS.get(dtype, 24)
    top = multiply(cast(cast(right_shift(random_bits(key, shape), 32 - count), "int32"), dtype), 2.0**-count)
    if dtype != "float64":
        return top
    low = cast(right_shift(random_bits(sub_key(key, 1), shape), 8), dtype)
    return add(top, multiply(low, 2.0**-48))


def open_unit(key, shape):
    """Equally likely float32 between 0 and 1, neither included, the same distance from both."""
    return multiply(add(cast(cast(right_shift(random_bits(key, shape), 9), "int32"), "float32"), 0.5), 2.0**-23)


def standard_normal(key, shape):
    """Standard normal float32 by the inverse of the distribution."""
    return multiply(erfinv(subtract(multiply(open_unit(key, shape), 2.0), 1.0)), math.sqrt(2.0))
