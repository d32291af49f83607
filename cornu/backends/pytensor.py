"""PyTensor, the living Theano: graphs of symbols, compiled by its linkers. `theano` means this backend.

Arrays with values are NumPy's. Inside a program they are symbols (`Traced`): a variable of PyTensor and the shape that `spec` infers. A call on
values builds the graph of that one primitive, once for each choice of types and shapes, and runs it as it is (`QUICK`); programs (`fit`,
`predict`, `evaluate`) are optimized and compiled by PyTensor's default mode or by the one that `CORNU_PYTENSOR_MODE` names: NUMBA, JAX, FAST_RUN,
FAST_COMPILE, or `quick`, which compiles nothing: good for tests and short runs. PyTensor's own settings (PYTENSOR_FLAGS) hold as always.

Types that PyTensor lacks or can hardly compile (float16, bfloat16, float8) are computed in float32 and rounded when they leave a program.
"""

# pyright: reportMissingImports=false

import collections
import contextlib
import functools
import importlib
import os
import warnings
import weakref

import numpy as np
import pytensor
from pytensor import tensor as pt
from pytensor.compile.ops import view_op
from pytensor.gradient import disconnected_grad
from pytensor.graph.replace import graph_replace
from pytensor.ifelse import ifelse

from cornu import settings, tree
from cornu.backends import host, memory, pytensor_primitives, spec, stepwise
from cornu.backends import pytensor_nodes as nodes
from cornu.backends.numpy_tape import Quiet, lifted
from cornu.backends.protocol import BINARY, PRIMITIVES, UNARY
from cornu.backends.pytensor_primitives import add, cast, concatenate, full, getitem, multiply, reshape, transpose
from cornu.backends.pytensor_symbols import (
    HELD_TYPES,
    QUICK,
    Traced,
    counts,
    current,
    fresh,
    from_variable,
    function_of,
    held,
    key_of,
    lift,
    pinned,
    symbol,
    traces,
    type_of,
)
from cornu.scopes import StepScope
from cornu.shapes import UNKNOWN, Spec

memory.keep()
NAME = "pytensor"
WIDE = True
COMPILES = True
LOOPS = False  # programs of many steps take longer to compile than they save
HOST = True
ARRAY = np.ndarray
OPERATOR_TYPES = (Traced,)  # gets the operators of tensors from cornu.ops

globals().update({name: found for name, found in vars(pytensor_primitives).items() if name in UNARY or name in BINARY or name in PRIMITIVES})
relu = pytensor_primitives.relu


# Arrays


def array(x, dtype=None):
    """An array from lists, scalars and arrays; the memory of a NumPy array of that type is shared, not copied. A variable of PyTensor as a symbol."""
    if isinstance(x, (Traced, pt.TensorVariable)):
        x = x if isinstance(x, Traced) else from_variable(x)
        return x if dtype is None or x.dtype == dtype else cast(x, dtype)
    if isinstance(x, np.ndarray):
        return x if dtype is None or x.dtype == type_of(dtype) else lifted.cast(x, dtype)
    found = np.asarray(x, dtype)
    if found.dtype.kind in "USO":
        raise TypeError(f"The pytensor backend has no tensors of text or objects; got an array of {found.dtype}.")
    return found


def share(x):
    return np.asarray(x)


def is_array(x):
    return isinstance(x, (np.ndarray, Traced))


def dtype(x):
    return x.dtype if isinstance(x, Traced) else x.dtype.name


type_object = np.dtype


def numpy(x):
    """The values, to read: writing to them is an error, since a variable may hold the same memory."""
    if isinstance(x, Traced):
        x._no_values()
    seen = np.asarray(x).view()
    seen.flags.writeable = False
    return seen


def copy(x):
    return np.array(x)


block, devices, device_scope = host.block, host.devices, host.only_cpu(NAME)


def eager(function):
    return function


# Control flow


def _tracing():
    return getattr(current, "depth", 0) > 0


@contextlib.contextmanager
def _trace(mode=None):
    """Inside, a program is traced; `mode` says how it will be compiled, where it is the outermost."""
    outer = getattr(current, "depth", 0), getattr(current, "mode", None)
    current.depth, current.mode = outer[0] + 1, outer[1] if outer[0] else mode
    try:
        yield
    finally:
        current.depth, current.mode = outer


def stop_gradient(x):
    return tree.map_structure(lambda x: Traced(disconnected_grad(x.variable), x.shape, x.dtype) if isinstance(x, Traced) else x, x)


def _split(structure):
    """The tensors of a structure, and a function that puts others in their places."""
    leaves = tree.flatten(structure)
    places = [i for i, leaf in enumerate(leaves) if leaf is not None]

    def joined(tensors):
        filled = list(leaves)
        for i, x in zip(places, tensors, strict=True):
            filled[i] = x
        return tree.pack_sequence_as(structure, filled)

    return [lift(array(leaves[i])) for i in places], joined


def cond(predicate, if_true, if_false):
    if not isinstance(predicate, Traced):
        return if_true() if predicate else if_false()
    yes, joined = _split(if_true())
    no, _ = _split(if_false())
    if not yes:
        return joined(yes)
    no = [pinned(b.variable, a) for a, b in zip(yes, no, strict=True)]
    found = ifelse(predicate.variable, [x.variable for x in yes], [x.variable for x in no])
    found = found if isinstance(found, (list, tuple)) else [found]
    return joined([pinned(x, like) for x, like in zip(found, yes, strict=True)])


def while_loop(test, body, state):
    while not isinstance(go := test(state), Traced):
        if not go:
            return state
        state = body(state)
    tensors, joined = _split(state)
    inner = [Traced(fresh(x.shape, x.dtype), x.shape, x.dtype) for x in tensors]
    with _trace():
        go = lift(array(test(joined(inner)))).variable
        after = [pinned(x.variable, like).variable for x, like in zip(_split(body(joined(inner)))[0], inner, strict=True)]
    loop = nodes.Loop([x.variable for x in inner], go, after, QUICK)
    found = loop(*[pinned(x.variable, x).variable for x in tensors], *loop.around, return_list=True)
    return joined([pinned(x, like) for x, like in zip(found, tensors, strict=True)])


def _item(structure, i):
    return tree.map_structure(lambda x: None if x is None else getitem(x, i), structure)


def _stack(structures):
    def joined(*leaves):
        return None if leaves[0] is None else concatenate([reshape(array(leaf), (1, *np.shape(leaf))) for leaf in leaves], 0)

    return tree.map_structure(joined, *structures)


def scan(body, state, xs, length, reverse):
    leaves = [x for x in tree.flatten(xs) if x is not None]
    length = leaves[0].shape[0] if leaves else length
    if length == 0:
        item = tree.map_structure(lambda x: None if x is None else np.zeros(x.shape[1:], dtype(x)), xs)
        return state, tree.map_structure(lambda y: None if y is None else np.zeros((0, *array(y).shape), dtype(array(y))), body(state, item)[1])
    if length == 1 or not (_tracing() or traces(tree.flatten((state, xs)))):
        ys = [None] * length
        for i in reversed(range(length)) if reverse else range(length):
            state, ys[i] = body(state, _item(xs, i))
        return state, _stack(ys)
    return _scan(body, state, xs, length, reverse)


def _scan(body, state, xs, length, reverse):
    """The body is traced once; what it takes from around goes in by name, so that the gradients find it."""
    states, joined_state = _split(state)
    sequences, joined_xs = _split(xs)
    before = [Traced(fresh(x.shape, x.dtype), x.shape, x.dtype) for x in states]
    items = [Traced(fresh(x.shape[1:], x.dtype), x.shape[1:], x.dtype) for x in sequences]
    with _trace():
        after, y = body(joined_state(before), joined_xs(items))
    ys, joined_ys = _split(y)
    inside = [x.variable for x in (*items, *before)]
    results = [pinned(x.variable, like).variable for x, like in zip(_split(after)[0], before, strict=True)] + [x.variable for x in ys]
    around = nodes.captured(results, inside)
    found = pytensor.scan(
        lambda *variables: graph_replace(results, dict(zip(inside, variables, strict=False)), strict=False),
        sequences=[x.variable[::-1] if reverse else x.variable for x in sequences],
        outputs_info=[pinned(x.variable, x).variable for x in states] + [None] * len(ys),
        non_sequences=around,
        n_steps=counts((length,))[0],
        mode=getattr(current, "mode", None),
        strict=True,
        return_list=True,
        return_updates=False,
    )
    last = [pinned(x[-1], like) for x, like in zip(found, states, strict=False)]
    stacked = [pinned(x[::-1] if reverse else x, spec.Spec((length, *y.shape), y.dtype)) for x, y in zip(found[len(states) :], ys, strict=True)]
    return joined_state(last), joined_ys(stacked)


def vectorize(function, in_axes):
    def call(*args):
        axes = in_axes if isinstance(in_axes, (list, tuple)) else [in_axes] * len(args)

        def first(x, axis):
            return tree.map_structure(lambda leaf: transpose(leaf, (axis % leaf.ndim, *[i for i in range(leaf.ndim) if i != axis % leaf.ndim])), x)

        moved = [first(x, axis) if axis is not None else None for x, axis in zip(args, axes, strict=True)]
        lengths = {leaf.shape[0] for leaf in tree.flatten(moved) if leaf is not None}
        if len(lengths) != 1:
            raise ValueError(f"vectorize: wanted arguments of one length along the axes {axes}; got the lengths {sorted(lengths)}.")

        def body(state, items):
            return state, function(*(x if axis is None else item for x, axis, item in zip(args, axes, items, strict=True)))

        return scan(body, (), moved, *lengths, False)[1]

    return call


def custom_gradient(function, arguments):
    value, pullback = function(*arguments)
    values, joined = _split(value)
    given = [x for x in tree.flatten(arguments)]
    places = [i for i, x in enumerate(given) if isinstance(x, Traced)]
    if not places:
        return value

    def pulled(gradients):
        gradients = [Traced(g, x.shape, x.dtype) for g, x in zip(gradients, values, strict=True)]
        found = tree.flatten(pullback(joined(gradients)))
        return [
            None if found[i] is None or not given[i].variable.dtype.startswith("float") else pinned(lift(found[i]).variable, given[i]).variable for i in places
        ]

    made = nodes.custom([x.variable for x in values], [given[i].variable for i in places], pulled)
    return joined([Traced(v, x.shape, x.dtype) for v, x in zip(made, values, strict=True)])


def remat(function, arguments):
    return function(*arguments)


# Gradients and compiling


def value_and_grad(function, arrays):
    leaves = tree.flatten(arrays)
    if not _tracing() and not traces(leaves):
        return _run(lambda *given: value_and_grad(function, tree.pack_sequence_as(arrays, given)), leaves)
    leaves = [lift(x) for x in leaves]
    copies = [Traced(view_op(x.variable), x.shape, x.dtype) for x in leaves]
    value, aux = function(tree.pack_sequence_as(arrays, copies))
    value = lift(array(value))
    return (value, aux), tree.pack_sequence_as(arrays, _gradients(value, copies))


def _gradients(value, xs, weights=None):
    """The gradients of `value` by `xs`; zeros where it does not depend on one."""
    smooth = [i for i, x in enumerate(xs) if x.variable.dtype.startswith("float")]
    known = {value.variable: weights} if weights is not None else None
    found = dict.fromkeys(range(len(xs)))
    if smooth and value.variable.dtype.startswith("float"):
        cost = None if known else value.variable
        gradients = pytensor.grad(cost, [xs[i].variable for i in smooth], known_grads=known, disconnected_inputs="ignore", return_disconnected="none")
        found.update(zip(smooth, gradients, strict=True))
    return [_zeros(x) if found[i] is None else pinned(found[i], x) for i, x in enumerate(xs)]


def _zeros(x):
    return lift(full(x.shape, 0, x.dtype))


def jvp(function, primals, tangents, has_aux):
    """The gradient of a gradient: that of the pullback along `tangents`, which is linear in what it pulls back."""
    leaves, along = tree.flatten(tuple(primals)), tree.flatten(tuple(tangents))
    if not _tracing() and not traces([*leaves, *along]):
        given = (tuple(primals), tuple(tangents))
        return _run(lambda *xs: jvp(function, *tree.pack_sequence_as(given, xs), has_aux), [*leaves, *along])
    copies = [Traced(view_op(x.variable), x.shape, x.dtype) for x in map(lift, leaves)]
    found = function(*tree.pack_sequence_as(tuple(primals), copies))
    value, aux = found if has_aux else (found, None)
    values, joined = _split(value)
    changes = []
    for y in values:
        if not y.variable.dtype.startswith("float"):
            changes.append(_zeros(y))
            continue
        weights = Traced(pt.alloc(pt.constant(0, dtype=y.variable.dtype), *counts(y.shape)), y.shape, y.dtype)
        pulled = _gradients(y, copies, weights.variable)
        total = functools.reduce(add, [sum(multiply(g, t), tuple(range(g.ndim)), False) for g, t in zip(pulled, along, strict=True)])
        changes.append(_gradients(total, [weights])[0])
    return (value, joined(changes), aux) if has_aux else (value, joined(changes))


def _mode():
    """How programs are compiled."""
    name = os.environ.get("CORNU_PYTENSOR_MODE")
    return QUICK if name == "quick" else name or None


def _program(function, leaves, mode):
    """`function(*leaves)` as a program: what runs it, the structure of its results, the places of those that are computed, the rest as they are."""
    symbols = [symbol(x) for x in leaves]
    with _trace(mode):
        out = function(*symbols)
    parts = tree.flatten(out)
    places = [i for i, x in enumerate(parts) if isinstance(x, Traced)]
    if mode is not QUICK:
        importlib.import_module(f"cornu.backends.pytensor_{'jax' if mode == 'JAX' else 'numba'}")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Numba will use object mode")
        run = function_of([x.variable for x in symbols], [parts[i].variable for i in places], mode)
    return run, out, parts, [(i, type_of(parts[i].dtype)) for i in places]


def _call(program, leaves):
    run, out, parts, places = program
    with Quiet():
        found = run(*[_ready(x) for x in leaves])
        parts = list(parts)
        for (i, label), x in zip(places, found, strict=True):
            parts[i] = np.asarray(x, label)
    return tree.pack_sequence_as(out, parts)


def _ready(x):
    """An array as programs want it: in the held type, one piece of memory that could be written to, since numba compiles anew for others."""
    if x.dtype in HELD_TYPES:
        return x.astype("float32")
    return x if x.flags.carray else np.array(x, order="C")


def _run(function, leaves):
    leaves = [np.asarray(x) for x in leaves]
    return _call(_program(function, leaves, QUICK), leaves)


def compile(function, donate=()):
    """What is donated is not written to: measured, that saves nothing here."""
    programs = collections.OrderedDict()

    @functools.wraps(function)
    def call(*args):
        leaves = tree.flatten(args)
        if _tracing() or traces(leaves):
            return function(*args)
        places = [i for i, x in enumerate(leaves) if isinstance(x, (np.ndarray, np.generic))]
        arrays = [np.asarray(leaves[i]) for i in places]
        held = set(places)
        key = (
            settings.version(),
            *[(x.shape, x.dtype) for x in arrays],
            repr(tree.map_structure(lambda _: 0, args)),
            *[key_of(x) for i, x in enumerate(leaves) if i not in held],
        )
        program = programs.get(key)
        if program is None:

            def filled(*symbols):
                given = list(leaves)
                for i, x in zip(places, symbols, strict=True):
                    given[i] = x
                return function(*tree.pack_sequence_as(args, given))

            program = programs[key] = _program(filled, arrays, _mode())
            if len(programs) > 64:
                programs.popitem(last=False)
        return _call(program, arrays)

    return call


repeat = stepwise.repeated(_item)


def infer(function, specs):
    return stepwise.infer_by_zeros(function, specs, np.zeros, lambda x: dtype(array(x)))


# Layers in graphs of the user's


_shared = {}  # id of a Variable -> [a weak reference to it, its shared variable, what the last call in a graph makes of it or None]


def _entry(variable):
    found = _shared.get(id(variable))
    if found is None or found[0]() is not variable:
        value = np.array(variable.numpy()).astype(held(variable.dtype), copy=False)
        found = _shared[id(variable)] = [weakref.ref(variable), pytensor.shared(value, name=variable.path, shape=value.shape), None]
    return found


def shared(variable):
    """The shared variable of PyTensor that stands for a Variable in graphs that a user makes: `pytensor.grad` and `updates` take it.

    It begins with the Variable's value and has it for itself from then on: see `adopt`.
    """
    return _entry(variable)[1]


def updates(layer):
    """Pairs (shared variable, new value) for `pytensor.function(..., updates=)`: what the layer's last call in a graph changes, seeds and moving averages."""
    entries = [_shared[id(variable)] for variable in layer.variables if id(variable) in _shared]
    return [(made, new) for _, made, new in entries if new is not None]


def adopt(layer):
    """Give the layer's variables the values that their shared variables have after functions of PyTensor changed these."""
    for variable in layer.variables:
        if id(variable) in _shared:
            variable.assign(shared(variable).get_value())


def _sizes(variable):
    return [UNKNOWN if n is None else n for n in variable.type.shape]


def in_graph(layer, args, kwargs):
    """What `layer(*args, **kwargs)` gives where variables of PyTensor are among the arguments, as a tuple of one; else None.

    Weights are shared variables there; what a call changes (seeds, moving averages) `updates` tells.
    """
    if not [x for x in tree.flatten((args, kwargs)) if isinstance(x, pt.TensorVariable)]:
        return None
    if not layer.built:  # the variables must be there before they are shared
        a, k = tree.map_structure(lambda x: Spec(_sizes(x), x.dtype) if isinstance(x, pt.TensorVariable) else x, (args, kwargs))
        try:
            layer.compute_output_spec(*a, **k)
        except ValueError as error:
            unknown = next((x for x in tree.flatten((args, kwargs)) if isinstance(x, pt.TensorVariable) and None in x.type.shape[1:]), None)
            if unknown is None:
                raise
            wanted = (*unknown.type.shape[:-1], "size")
            advice = f"pytensor.tensor.specify_shape(x, {wanted}) says what is not known of {unknown}.".replace("'", "")
            raise ValueError(f"{error} {advice}") from None
    args, kwargs = tree.map_structure(lambda x: from_variable(x) if isinstance(x, pt.TensorVariable) else x, (args, kwargs))
    with _trace(_mode()):
        with StepScope([(v, Traced(shared(v), v.shape, v.dtype)) for v in layer.variables]) as scope:
            outputs = layer(*args, **kwargs)
    for variable in scope.changed.values():
        _entry(variable)[2] = pinned(scope.state_mapping[id(variable)].variable, variable).variable
    return (tree.map_structure(lambda x: x.variable if isinstance(x, Traced) else x, outputs),)
