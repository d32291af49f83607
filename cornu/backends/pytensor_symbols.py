"""Symbols: a variable of PyTensor with the shape that `spec` infers; and how a primitive that is written for them runs on values."""

# pyright: reportMissingImports=false

import collections
import functools
import itertools
import math
import threading

import ml_dtypes
import numpy as np
import pytensor
from pytensor import tensor as pt
from pytensor.compile.mode import Mode
from pytensor.graph.rewriting.basic import MergeOptimizer, SequentialGraphRewriter, in2out
from pytensor.link.vm import VMLinker

from cornu import shapes
from cornu.backends import spec
from cornu.backends.numpy_tape import Quiet
from cornu.backends.pytensor_nodes import local_astype

current = threading.local()  # .depth: how many programs are being traced; .mode: how the outermost will be compiled
QUICK = Mode(
    VMLinker(use_cloop=False, c_thunks=False), SequentialGraphRewriter(MergeOptimizer(), in2out(local_astype))
)  # what runs a graph as it is, node by node
HELD = {name: "float32" for name in ("float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")}  # a type that is computed in another
HELD_TYPES = frozenset(np.dtype(getattr(ml_dtypes, name, name)) for name in HELD)  # names of types are slow to make
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


class Size(Traced, shapes.Open):
    """A size that is known when the program runs: a sum of products of sizes of inputs. Two that are computed alike are equal.

    Args:
        terms: the names of a product's factors -> how often the product counts.
        atoms: name -> the variable of that size.
    """

    __slots__ = ("atoms", "terms")

    def __init__(self, terms, atoms):
        self.terms, self.atoms, self.shape, self.dtype = terms, atoms, (), "int64"

    @property
    def variable(self):
        total = None
        for names, count in self.terms.items():
            product = functools.reduce(pt.mul, [self.atoms[name] for name in names], pt.constant(count, dtype="int64"))
            total = product if total is None else total + product
        return total

    def __repr__(self):
        return " + ".join("*".join((str(count), *names)) for names, count in self.terms.items())

    def __eq__(self, other):
        return isinstance(other, Size) and self.terms == other.terms

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return hash(frozenset(self.terms.items()))

    def __lt__(self, other):
        return False if isinstance(other, int) and other <= 0 else self._no_values()

    def __ge__(self, other):
        return not self < other

    def __add__(self, other):
        return _sum(self, other, 1)

    __radd__ = __add__

    def __sub__(self, other):
        return _sum(self, other, -1)

    def __rsub__(self, other):
        return _sum(self * -1, other, 1)

    def __mul__(self, other):
        terms, atoms = _terms(other)
        found = collections.Counter()
        for a, m in self.terms.items():
            for b, n in terms.items():
                found[tuple(sorted((*a, *b)))] += m * n
        return _size(found, self.atoms | atoms)

    __rmul__ = __mul__

    def __neg__(self):
        return self * -1

    def __floordiv__(self, other):
        exact = self._divided(other)
        return _atom(f"({self}//{other})", pt.int_div(self.variable, pt.as_tensor_variable(other))) if exact is None else exact

    def __rfloordiv__(self, other):
        return _atom(f"({other}//{self})", pt.int_div(pt.as_tensor_variable(other), self.variable))

    def __mod__(self, other):
        return _atom(f"({self}%{other})", pt.mod(self.variable, pt.as_tensor_variable(other))) if self._divided(other) is None else 0

    def _divided(self, other):
        """The quotient, where every term can be divided; else None."""
        terms, _ = _terms(other)
        ((names, count),) = terms.items() if len(terms) == 1 else [((), 0)]
        found = {}
        for a, n in self.terms.items():
            left = list(a)
            if not count or n % count or any(names.count(name) > a.count(name) for name in names):
                return None
            for name in names:
                left.remove(name)
            found[tuple(left)] = n // count
        return _size(found, self.atoms)


def _terms(x):
    return (x.terms, x.atoms) if isinstance(x, Size) else ({(): int(x)}, {})


def _sum(x, y, sign):
    (left, atoms), (right, others) = _terms(x), _terms(y)
    found = collections.Counter(left)
    for names, count in right.items():
        found[names] += sign * count
    return _size(found, atoms | others)


def _size(terms, atoms):
    terms = {names: count for names, count in terms.items() if count}
    return terms.get((), 0) if terms.keys() <= {()} else Size(terms, atoms)


def _atom(name, variable):
    return Size({(name,): 1}, {name: variable})


_counter = itertools.count()


def size_of(variable, axis):
    """A new Size: that of an axis of a variable."""
    return _atom(f"n{next(_counter)}", pt.cast(variable.shape[axis], "int64"))


def from_variable(variable):
    """The symbol of a variable of PyTensor that a user made; its sizes may be known only when the program runs."""
    return Traced(variable, [size_of(variable, i) if n is None else n for i, n in enumerate(variable.type.shape)], variable.dtype)


def known(shape):
    """The sizes as PyTensor's types have them: None where one is not known before the program runs."""
    return tuple(None if isinstance(n, Size) else n for n in shape)


def counts(shape):
    """The sizes as functions of PyTensor take them."""
    return [n.variable if isinstance(n, Size) else n for n in shape]


def _closed(x):
    """An argument with an unknown size in place of every Size: what rules of shapes see that need numbers."""
    if isinstance(x, Size):
        return shapes.UNKNOWN
    if isinstance(x, Traced):
        return spec.Spec([_closed(n) for n in x.shape], x.dtype)
    return type(x)(map(_closed, x)) if type(x) in (list, tuple) else x


def inferred(infer, args, outs):
    """What `infer` says of the results `outs`: where it needs a size that is known only later, that size is the result's own."""
    try:
        return infer(*args)
    except TypeError:
        likes = infer(*map(_closed, args))
    fill = lambda like, out: spec.Spec([size_of(out, i) if shapes.unknown(n) else n for i, n in enumerate(like.shape)], like.dtype)
    return tuple(map(fill, likes, outs)) if isinstance(outs, (tuple, list)) else fill(likes, outs)


def held(dtype):
    """The type that PyTensor computes in for the type of that name."""
    return HELD.get(dtype, dtype)


def lift(x):
    """The symbol of a tensor that is none yet."""
    if isinstance(x, Traced):
        return x
    x = np.asarray(x)
    return Traced(pt.constant(x.astype(held(x.dtype.name), copy=False)), x.shape, x.dtype.name)


def symbol(x):
    """A new symbol like the array `x`: what goes into a program."""
    return Traced(fresh(x.shape, x.dtype.name), x.shape, x.dtype.name)


def fresh(shape, dtype):
    return pt.tensor(dtype=held(dtype), shape=known(shape))


def pinned(variable, like):
    """`variable` as the symbol whose shape and type `like` has."""
    kept = held(like.dtype)
    if variable.dtype != kept:
        variable = pt.cast(variable, kept)
    sizes = known(like.shape)
    if variable.type.shape != sizes and any(n is not None and n != m for n, m in zip(sizes, variable.type.shape, strict=True)):
        variable = pt.specify_shape(variable, sizes)
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
        if isinstance(x, Traced) or (type(x) in (list, tuple) and traces(x)):
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
        found = run(*(x.astype("float32") if x.dtype in HELD_TYPES else np.asarray(x) for x in _arrays(args)))
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
        if isinstance(out, Traced):
            return out
        like = inferred(infer, args, out)
        if isinstance(out, (tuple, list)):
            return tuple(map(pinned, out, like))
        return pinned(out, like)

    def call(*args):
        return traced(*args) if traces(args) else _at_once(name, traced, args)

    call.__name__ = call.__qualname__ = name
    return call
