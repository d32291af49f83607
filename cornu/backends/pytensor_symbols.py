"""Symbols: a variable of PyTensor with the shape that `spec` infers; and how a primitive that is written for them runs on values."""

import collections
import functools
import math

import numpy as np
import pytensor
from pytensor import tensor as pt
from pytensor.compile.mode import Mode
from pytensor.link.vm import VMLinker

from cornu.backends import spec
from cornu.backends.numpy_tape import Quiet

QUICK = Mode(VMLinker(use_cloop=False, c_thunks=False), None)  # what runs a graph as it is, node by node
HELD = {name: "float32" for name in ("float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")}  # a type that is computed in another
type_of = functools.cache(np.dtype)  # from a name, which NumPy parses anew each time


class Traced:
    """A tensor inside a program: a variable of PyTensor, its shape and the name of its type."""

    __slots__ = ("__weakref__", "dtype", "shape", "variable")

    def __init__(self, variable, shape, dtype):
        self.variable, self.shape, self.dtype = variable, tuple(shape), dtype

    @property
    def ndim(self):
        return len(self.shape)

    rank = ndim

    @property
    def size(self):
        return math.prod(self.shape)

    def __len__(self):
        return self.shape[0]

    def __repr__(self):
        return f"<Traced shape={self.shape}, dtype={self.dtype}>"

    def _no_values(self, *args, **kwargs):
        raise TypeError(
            f"A tensor of the shape {self.shape} inside a program has no value yet: use ops.cond, ops.where or ops.while_loop, or compile with run_eagerly=True."
        )

    __bool__ = __float__ = __int__ = __index__ = __array__ = tolist = item = numpy = _no_values


@pt.basic._as_tensor_variable.register(Traced)
def _variable(x, name=None, ndim=None, **kwargs):
    """Functions of PyTensor take a Traced as the variable that it is."""
    return x.variable


def held(dtype):
    """The type that PyTensor computes in for the type of that name."""
    return HELD.get(dtype, dtype)


def lift(x):
    """The symbol of a tensor that is none yet."""
    if type(x) is Traced:
        return x
    x = np.asarray(x)
    return Traced(pt.constant(x.astype(held(x.dtype.name), copy=False)), x.shape, x.dtype.name)


def symbol(x):
    """A new symbol like the array `x`: what goes into a program."""
    return Traced(fresh(x.shape, x.dtype.name), x.shape, x.dtype.name)


def fresh(shape, dtype):
    return pt.tensor(dtype=held(dtype), shape=shape)


def pinned(variable, like):
    """`variable` as the symbol whose shape and type `like` has."""
    kept = held(like.dtype)
    if variable.dtype != kept:
        variable = pt.cast(variable, kept)
    if variable.type.shape != like.shape:
        variable = pt.specify_shape(variable, like.shape)
    return Traced(variable, like.shape, like.dtype)


def _is_tensor(x):
    return isinstance(x, (np.ndarray, np.generic, Traced))


def lifted_argument(x):
    """An argument with symbols in place of its arrays."""
    if type(x) in (list, tuple):
        return type(x)([lifted_argument(item) for item in x])
    return lift(x) if _is_tensor(x) else x


def traces(args):
    for x in args:
        if type(x) is Traced or (type(x) in (list, tuple) and traces(x)):
            return True
    return False


_programs = collections.OrderedDict()  # what one primitive computes for one choice of its arguments
_MOST = 4096


def key_of(x):
    """What of an argument a program depends on."""
    kind = type(x)
    if kind is np.ndarray or isinstance(x, np.generic):
        return x.shape, x.dtype
    if kind is list or kind is tuple:
        return tuple(map(key_of, x))
    if kind is slice:
        return "slice", key_of(x.start), key_of(x.stop), key_of(x.step)
    return kind, repr(x) if kind in (float, complex) else x  # 0.0 is -0.0 as a key, and NaN is not itself


def _arrays(args):
    found = []
    for x in args:
        if isinstance(x, (np.ndarray, np.generic)):
            found.append(x)
        elif type(x) in (list, tuple):
            found.extend(_arrays(x))
    return found


def _filled(args, symbols):
    """`args` with the next of `symbols` in place of each array."""
    return [next(symbols) if isinstance(x, (np.ndarray, np.generic)) else type(x)(_filled(x, symbols)) if type(x) in (list, tuple) else x for x in args]


def _at_once(name, build, args):
    """What `build(*args)` makes of values."""
    key = (name, *map(key_of, args))
    program = _programs.get(key)
    if program is None:
        symbols = [symbol(np.asarray(x)) for x in _arrays(args)]
        out = build(*_filled(args, iter(symbols)))
        parts = out if isinstance(out, tuple) else (out,)
        labels = [type_of(x.dtype) for x in parts]
        run = function_of([x.variable for x in symbols], [x.variable for x in parts], QUICK)
        program = _programs[key] = run, labels, isinstance(out, tuple)
        if len(_programs) > _MOST:
            _programs.popitem(last=False)
    run, labels, several = program
    with Quiet():
        found = run(*(x.astype(held(x.dtype.name)) if x.dtype.name in HELD else np.asarray(x) for x in _arrays(args)))
        found = [np.asarray(x, label) for x, label in zip(found, labels, strict=True)]
    return tuple(found) if several else found[0]


def function_of(inputs, outputs, mode):
    return pytensor.function(inputs, outputs, mode=mode, on_unused_input="ignore", trust_input=True)


def primitive(build, name=None, infer=None):
    """The primitive that `build` makes of symbols: with values it runs at once."""
    name = name or build.__name__
    infer = infer or getattr(spec, name)

    def traced(*args):
        args = [lifted_argument(x) for x in args]
        out = build(*args)
        if type(out) is Traced:
            return out
        like = infer(*args)
        if isinstance(out, (tuple, list)):
            return tuple(map(pinned, out, like))
        return pinned(out, like)

    def call(*args):
        return traced(*args) if traces(args) else _at_once(name, traced, args)

    call.__name__ = call.__qualname__ = name
    return call
