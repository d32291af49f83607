"""NumPy: nothing to install, nothing compiled, every step in plain sight. It trains too, by a tape and a table of rules.

The primitives on arrays are in numpy_values.py and numpy_windows.py, the tape in numpy_tape.py, the rules in numpy_gradients.py. Results may
be views of their inputs: nothing here writes to an array that it was given.
"""

import builtins
import functools

import numpy as np

from cornu import tree
from cornu.backends import host, numpy_gradients, numpy_tape, stepwise
from cornu.backends.numpy_tape import Quiet, Traced, lifted, plain
from cornu.backends.protocol import BINARY, PRIMITIVES, UNARY

NAME = "numpy"
WIDE = True
COMPILES = False
HOST = True
ARRAY = np.ndarray
OPERATOR_TYPES = (Traced,)  # gets the operators of tensors from cornu.ops

globals().update({name: found for name, found in vars(lifted).items() if name in UNARY or name in BINARY or name in PRIMITIVES})


# Arrays


def array(x, dtype=None):
    """An array from lists, scalars and arrays. The memory of a NumPy array of that type is shared, not copied."""
    if type(x) is Traced:
        return x if dtype is None or x.dtype == dtype else lifted.cast(x, dtype)
    if isinstance(x, np.ndarray):
        return x if dtype is None or x.dtype == _dtype(dtype) else lifted.cast(x, dtype)
    return np.asarray(x, dtype)


_dtype = functools.cache(np.dtype)  # from a name, which NumPy parses anew each time


def eager(function):
    """A primitive without the question whether an argument is on a tape; what is written over primitives asks it."""
    return getattr(function, "on_arrays", function)


def share(x):
    return np.asarray(x)


def is_array(x):
    return isinstance(x, (np.ndarray, Traced))


def dtype(x):
    return x.dtype.name


type_object = np.dtype


def numpy(x):
    """The values, to read: writing to them is an error, since a variable may hold the same memory."""
    seen = plain(x).view()
    seen.flags.writeable = False
    return seen


def copy(x):
    return np.array(plain(x))


block, devices, device_scope = host.block, host.devices, host.only_cpu(NAME)


# Control flow: Python's own

cond, while_loop = stepwise.cond, stepwise.while_loop


def _stack(structures):
    """Structures of one form as one, each leaf stacked on axis 0; None stays."""

    def joined(*leaves):
        return None if leaves[0] is None else lifted.concatenate([lifted.reshape(array(leaf), (1, *np.shape(leaf))) for leaf in leaves], 0)

    return tree.map_structure(joined, *structures)


def _none_of(structure):
    """What stacking no structures at all gives, from the form of one."""
    return tree.map_structure(lambda x: None if x is None else np.zeros((0, *array(x).shape), array(x).dtype), structure)


def _item(structure, i, axis=0):
    return tree.map_structure(lambda x: None if x is None else lifted.getitem(x, (*[builtins.slice(None)] * (axis % x.ndim), i)), structure)


def _zero_item(structure, axis=0):
    return tree.map_structure(lambda x: None if x is None else np.zeros(np.delete(x.shape, axis), x.dtype), structure)


def scan(body, state, xs, length, reverse):
    leaves = [x for x in tree.flatten(xs) if x is not None]
    length = leaves[0].shape[0] if leaves else length
    ys = [None] * length
    for i in reversed(range(length)) if reverse else range(length):
        state, ys[i] = body(state, _item(xs, i))
    return state, _stack(ys) if ys else _none_of(body(state, _zero_item(xs))[1])


def vectorize(function, in_axes):
    def call(*args):
        axes = in_axes if isinstance(in_axes, (list, tuple)) else [in_axes] * len(args)
        lengths = {leaf.shape[axis] for x, axis in zip(args, axes, strict=True) if axis is not None for leaf in tree.flatten(x)}
        if len(lengths) != 1:
            raise ValueError(f"vectorize: wanted arguments of one length along the axes {axes}; got the lengths {sorted(lengths)}.")
        ys = [function(*(x if axis is None else _item(x, i, axis) for x, axis in zip(args, axes))) for i in range(*lengths)]
        return _stack(ys) if ys else _none_of(function(*(x if axis is None else _zero_item(x, axis) for x, axis in zip(args, axes))))

    return call


# Gradients, and what a compiler would do

value_and_grad = numpy_gradients.value_and_grad


def stop_gradient(x):
    return tree.map_structure(plain, x)


def custom_gradient(function, arguments):
    tape = numpy_tape.innermost(tree.flatten(arguments))
    if tape is None:
        return function(*arguments)[0]
    values = [tree.map_structure(lambda x: numpy_tape.unwrap(x, tape), x) for x in arguments]
    nested = numpy_tape.innermost(tree.flatten(values)) is not None
    value, known = (custom_gradient(function, values), None) if nested else function(*values)
    value = tree.map_structure(lambda x: numpy_tape.unwrap(x, tape), value)
    sources = [(i, x) for i, x in enumerate(tree.flatten(arguments)) if type(x) is Traced and x.node.tape is tape]

    def pull(gradients):
        pullback = known or function(*values)[1]  # for a tape further out, from values that it traces
        found = tree.flatten(pullback(tree.pack_sequence_as(value, gradients if type(gradients) is tuple else [gradients])))
        return [(x, found[i]) for i, x in sources if found[i] is not None]

    return tree.pack_sequence_as(value, tape.record(tuple(map(array, tree.flatten(value))), pull))


def jvp(function, primals, tangents, has_aux):
    """The gradient of a gradient: that of the pullback along `tangents`, which is linear in what it pulls back."""
    found = function(*primals)
    value, aux = found if has_aux else (found, None)
    leaves = [array(x) for x in tree.flatten(value)]
    smooth = [i for i, x in enumerate(leaves) if x.dtype in numpy_tape.DIFFERENTIABLE]

    def dot(xs, ys):
        return functools.reduce(lifted.add, [lifted.sum(lifted.multiply(x, y), tuple(range(x.ndim)), False) for x, y in zip(xs, ys, strict=True)])

    def pulled(weights):
        def weighted(xs):
            out = function(*xs)
            out = tree.flatten(out[0] if has_aux else out)
            return dot([out[i] for i in smooth], weights), ()

        _, gradients = value_and_grad(weighted, tuple(primals))
        return dot(tree.flatten(gradients), tree.flatten(tangents)), ()

    changes = [np.zeros(x.shape, x.dtype) for x in leaves]
    if smooth:
        _, gradients = value_and_grad(pulled, [changes[i] for i in smooth])
        for i, gradient in zip(smooth, gradients, strict=True):
            changes[i] = gradient
    change = tree.pack_sequence_as(value, changes)
    return (value, change, aux) if has_aux else (value, change)


def remat(function, arguments):
    return function(*arguments)


def relu(x):
    """One pass where the body takes three; on a tape the body, whose slope at 0 is 0."""
    return np.maximum(x, x.dtype.type(0)) if type(x) is np.ndarray and x.dtype != bool else NotImplemented


def compile(function, donate=()):
    """The function, with NumPy's warnings of infinities settled once for all its steps."""

    @functools.wraps(function)
    def call(*args):
        with Quiet():
            return function(*args)

    return call


repeat = stepwise.repeated(_item)


def infer(function, specs):
    with Quiet():
        return stepwise.infer_by_zeros(function, specs, np.zeros, lambda x: dtype(array(x)))
