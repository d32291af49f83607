"""Gradients for NumPy: a tape writes down each primitive that a traced value passes through, and is read backwards.

`lifted` has every primitive in a form that also takes `Traced` values. Tapes nest: what a tape unwraps may be traced
by a tape further out, and rules are written over lifted primitives, so gradients of gradients need nothing more.
"""

import functools
import threading
import types

import numpy as np

from cornu import dtypes
from cornu.backends.numpy_values import NARROW
from cornu.backends.numpy_windows import VALUES

RULES = {}  # name -> a function for each argument: rule(gradient, out, *arguments) -> gradient of that argument; None where it has none
STILL = set()  # names whose outputs do not follow their inputs smoothly: gradients stop there

DIFFERENTIABLE = NARROW | frozenset(np.dtype(name) for name in ("float32", "float64", *dtypes.COMPLEX))


class _State(threading.local):
    depth = 0


_state = _State()


class Quiet:
    """Inside, NumPy does not warn of infinities and NaN: they are the values that the primitives define."""

    def __enter__(self):
        self.before = quieten()

    def __exit__(self, *_):
        restore(self.before)


try:  # what np.errstate sets, without the microsecond that it takes
    from numpy._core.umath import _extobj_contextvar, _make_extobj

    quieten, restore = functools.partial(_extobj_contextvar.set, _make_extobj(all="ignore")), _extobj_contextvar.reset
except ImportError:
    quieten, restore = functools.partial(np.seterr, all="ignore"), lambda before: np.seterr(**before)


class Traced:
    """A value on a tape: what an array is while its gradient is wanted. Its operators are those of all tensors, from cornu.ops."""

    __slots__ = ("__weakref__", "node", "position", "value")
    __array_ufunc__ = None  # so that `array + traced` asks Traced

    def __init__(self, value, node, position):
        self.value, self.node, self.position = value, node, position

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)

    def __len__(self):
        return len(self.value)

    def __bool__(self):
        return bool(self.value)

    def __int__(self):
        return int(self.value)

    def __float__(self):
        return float(self.value)

    def __array__(self, *args, **kwargs):
        raise TypeError("A function of NumPy was given a tensor whose gradient is being computed. Use the function of that name in ops.")

    def __repr__(self):
        return f"Traced({self.value!r})"


class Node:
    """A step on a tape: its outputs, and `pull`, which turns their gradients into pairs (traced input, gradient)."""

    __slots__ = ("gradients", "outs", "pull", "tape")

    def __init__(self, tape, outs, pull):
        self.tape, self.outs, self.pull = tape, outs, pull
        self.gradients = [None] * len(outs)


class Tape:
    """The nodes in the order in which they were made. Open inside a `with`; what was traced on it is a plain value afterwards."""

    def __enter__(self):
        self.nodes, self.depth, self.open = [], _state.depth, True
        _state.depth += 1
        return self

    def __exit__(self, *_):
        self.nodes, self.open = [], False
        _state.depth -= 1

    def record(self, outs, pull):
        """The arrays `outs`, traced; integers among them as they are."""
        node = Node(self, outs, pull)
        self.nodes.append(node)
        return [Traced(x, node, i) if x.dtype in DIFFERENTIABLE else x for i, x in enumerate(outs)]

    def backward(self, value, inputs):
        """The gradients of the scalar `value` by the traced `inputs`."""
        if type(value) is Traced and value.node.tape is self:
            value.node.gradients[value.position] = np.ones((), value.dtype)
        kept = {id(x.node) for x in inputs}
        while self.nodes:
            node = self.nodes.pop()  # so that its memory goes as we go
            if id(node) in kept or all(g is None for g in node.gradients):
                continue
            gradients = [zeros_like(x) if g is None else g for g, x in zip(node.gradients, node.outs)]
            for source, gradient in node.pull(tuple(gradients) if len(gradients) > 1 else gradients[0]):
                into, at = source.node.gradients, source.position
                gradient = fit(gradient, source.value)
                into[at] = gradient if into[at] is None else lifted.add(into[at], gradient)
        return [zeros_like(x.value) if x.node.gradients[0] is None else x.node.gradients[0] for x in inputs]


def zeros_like(x):
    return np.zeros(x.shape, x.dtype)


def fit(gradient, x):
    """`gradient` summed over the axes along which `x` was broadcast, in the type of `x`."""
    if gradient.shape != x.shape:
        lead = gradient.ndim - x.ndim
        axes = tuple(i for i, size in enumerate(gradient.shape) if i < lead or (x.shape[i - lead] == 1 and size != 1))
        gradient = lifted.reshape(lifted.sum(gradient, axes, True), x.shape)
    if gradient.dtype != x.dtype:
        gradient = lifted.cast(lifted.real(gradient) if x.dtype.kind != "c" else gradient, x.dtype)
    return gradient if type(gradient) is Traced else np.asarray(gradient)


def innermost(args):
    """The innermost tape of the traced values among `args` and in the lists among them, or None."""
    tape = None
    for x in args:
        kind = type(x)
        if kind is Traced:
            if tape is None or x.node.tape.depth > tape.depth:
                tape = x.node.tape
        elif kind is list or kind is tuple:
            for item in x:
                if type(item) is Traced and (tape is None or item.node.tape.depth > tape.depth):
                    tape = item.node.tape
    return tape


def unwrap(x, tape):
    """The value under `x` where `x` is traced on `tape`, else `x`."""
    return x.value if type(x) is Traced and x.node.tape is tape else x


def plain(x):
    """The array under all tapes."""
    while type(x) is Traced:
        x = x.value
    return x


def _lift(name, forward):
    def on_arrays(*args):
        before = quieten()
        try:
            out = forward(*args)
        finally:
            restore(before)
        return out if type(out) is np.ndarray else tuple(map(np.asarray, out)) if type(out) is tuple else np.asarray(out)

    def call(*args):
        tape = innermost(args)
        if tape is None:
            return on_arrays(*args)
        values = [type(x)([unwrap(item, tape) for item in x]) if type(x) in (list, tuple) else unwrap(x, tape) for x in args]
        out = call(*values)
        if not tape.open or name in STILL:
            return out
        rules, sources = RULES[name], []
        for rule, x in zip(rules, args):
            if rule is not None and type(x) in (list, tuple):
                sources += [(rule, item, i) for i, item in enumerate(x) if type(item) is Traced and item.node.tape is tape]
            elif rule is not None and type(x) is Traced and x.node.tape is tape:
                sources.append((rule, x, None))

        def pull(gradient):
            for rule, source, i in sources:
                yield source, rule(gradient, out, *values) if i is None else rule(i, gradient, out, *values)

        if not sources:
            return out
        return tuple(tape.record(out, pull)) if type(out) is tuple else tape.record((out,), pull)[0]

    call.__name__ = call.__qualname__ = name
    call.on_arrays = on_arrays
    return call


lifted = types.SimpleNamespace(**{name: _lift(name, forward) for name, forward in VALUES.items()})
