"""Control flow inside programs: branches, loops, scans, maps, and gradients written by hand.

On values these run as the backend's own control flow; on Specs every branch and body runs once, for its shapes.
"""

import builtins
import functools
import inspect
import re

from cornu import backends, scopes, shapes, symbolic, tree
from cornu.backends import array, kind
from cornu.backends import protocol as p
from cornu.ops.dispatch import op
from cornu.ops.elementwise import add, less, less_equal, logical_and, where
from cornu.ops.making import cast
from cornu.shapes import Spec


def _interpreter(*structures):
    """The backend in use, or `spec` where shapes are being inferred."""
    if scopes.innermost("SymbolicScope") is not None or any(type(leaf) is Spec for leaf in tree.flatten(structures)):
        return p.spec
    return backends.load()


def _tensors(structure):
    return tree.map_structure(lambda x: None if x is None else array(x), structure)


def _with_tensors(function):
    """`function` whose results are tensors even where it returns numbers."""
    return lambda *args: _tensors(function(*args))


def cond(pred, true_fn, false_fn):
    """What `true_fn()` gives where `pred` is true, what `false_fn()` gives otherwise. Both give the same structure, shapes and types.

    Where the functions use symbolic tensors, both are part of the graph, and one result is picked.

    >>> ops.cond(ops.greater(2, 1), lambda: ops.zeros(2), lambda: ops.ones(2)).tolist()
    [0.0, 0.0]
    """
    if type(pred) is bool:
        return true_fn() if pred else false_fn()
    if _uses_symbols(true_fn) or _uses_symbols(false_fn):
        return tree.map_structure(lambda a, b: where(cast(pred, "bool"), a, b), true_fn(), false_fn())
    return _branch(pred, true_fn, false_fn)


def _uses_symbols(function):
    """Whether a symbolic tensor is among the variables around a function that it names."""
    if not inspect.isfunction(function):
        return False
    around = inspect.getclosurevars(function)
    return symbolic.any_symbolic(list(around.nonlocals.values()), list(around.globals.values()))


@op(tensors=0)
def _branch(pred, true_fn, false_fn):
    pred = cast(array(pred), "bool")
    return _interpreter(pred).cond(pred, _with_tensors(true_fn), _with_tensors(false_fn))


@op(tensors=0)
def switch(index, branches, *operands):
    """What the branch of the number `index` gives for `operands`; a number out of range counts as the nearest in range.

    >>> int(ops.switch(1, [lambda x: x, lambda x: x * 10], 2))
    20
    """
    if not branches:
        raise ValueError("switch: wanted one branch at least; got none.")
    first, *rest = branches
    if not rest:
        return first(*operands)
    return cond(less_equal(index, 0), lambda: first(*operands), lambda: switch(add(index, -1), rest, *operands))


@op(tensors=0)
def while_loop(cond, body, loop_vars, maximum_iterations=None):
    """Run `body` as long as `cond` holds.

    Args:
        cond: a function of the loop's variables that gives a truth value.
        body: a function of the loop's variables that gives their next values, of the same shapes and types.
        loop_vars: a tuple or list of the first values, or one value.
        maximum_iterations: after so many runs it ends anyway.

    The NumPy backend has gradients of it; JAX has none of loops whose length depends on values: see `fori_loop` and `scan`.

    >>> int(ops.while_loop(lambda i: i < 10, lambda i: i * 2, 1))
    16
    """
    several = isinstance(loop_vars, (tuple, list))
    state = _tensors(tuple(loop_vars) if several else (loop_vars,))

    def step(state):
        count, values = state
        found = body(*values)
        found = tuple(found) if isinstance(found, (tuple, list)) and several else (found,)
        return add(count, 1), tree.map_structure(lambda old, new: array(new, kind(old)), values, found)

    def test(state):
        count, values = state
        go = cast(array(cond(*values)), "bool")
        return go if maximum_iterations is None else logical_and(go, less(count, maximum_iterations))

    _, values = _interpreter(state).while_loop(test, step, (array(0), state))
    return type(loop_vars)(values) if several and type(loop_vars) in (tuple, list) else values if several else values[0]


@op(tensors=0)
def fori_loop(lower, upper, body_fun, init_val):
    """`body_fun(i, value)` for each i from `lower` up to `upper`, that one left out; gives the last value.

    JAX has a gradient of it where `lower` and `upper` are Python's numbers.

    >>> int(ops.fori_loop(0, 4, lambda i, total: total + i, 0))
    6
    """
    value = _tensors(init_val)

    def step(state):
        i, value = state
        return add(i, 1), tree.map_structure(lambda old, new: array(new, kind(old)), value, body_fun(i, value))

    if type(lower) is int and type(upper) is int:  # a number of steps that is known: every engine has a gradient of it
        state, _ = _interpreter(value).scan(lambda state, _: (step(state), None), (array(lower), value), None, builtins.max(upper - lower, 0), False)
        return state[1]
    return _interpreter(value, lower, upper).while_loop(lambda state: less(state[0], upper), step, (array(lower), value))[1]


@op(tensors=0)
def scan(f, init, xs=None, length=None, reverse=False, unroll=1):
    """Carry a value along the first axis.

    Args:
        f: a function `(carry, x)` that gives the next carry and an output.
        init: the first carry.
        xs: a structure of tensors whose parts along the first axis are the x; None with `length`.
        length: the number of steps, where `xs` is None.
        reverse: whether to go from the last to the first.
        unroll: a hint for compilers; has no effect on the result.

    Returns:
        The last carry, and the outputs stacked along a new first axis.

    >>> last, sums = ops.scan(lambda c, x: (c + x, c + x), 0, ops.array([1, 2, 3]))
    >>> sums.tolist()
    [1, 3, 6]
    """
    if xs is None and length is None:
        raise ValueError("scan: wanted `xs` or `length`; got neither.")
    init, xs = _tensors(init), _tensors(xs)
    _same_lengths("scan", xs, length)

    def body(carry, x):
        found = f(carry, x)
        if not isinstance(found, (tuple, list)) or len(found) != 2:
            raise ValueError(f"scan: `f` must give the next carry and an output; got {found!r}.")
        return _next("scan", carry, _tensors(found[0])), _tensors(found[1])

    last, outputs = _interpreter(init, xs).scan(body, init, xs, length, bool(reverse))
    return last, outputs


@op(tensors=0)
def jvp(fun, primals, tangents, has_aux=False):
    """The value of a function and how it changes as its arguments change (the product of its Jacobian and a vector).

    Args:
        fun: a function of tensors; with `has_aux` it gives its value and something else.
        primals: a tuple or list of its arguments.
        tangents: how each of them changes, of the same shapes.

    Returns:
        The value and its change; with `has_aux` what else `fun` gave as well.

    >>> [float(x) for x in ops.jvp(lambda x: x * x, (3.0,), (1.0,))]
    [9.0, 6.0]

    Raises:
        ValueError: `tangents` do not fit `primals`.
    """
    if not isinstance(primals, (list, tuple)) or not isinstance(tangents, (list, tuple)) or len(primals) != len(tangents):
        raise ValueError(f"jvp: primals and tangents must be two tuples or lists of one length; got {primals!r} and {tangents!r}.")
    primals = _tensors(tuple(primals))
    tangents = tree.map_structure(lambda x, change: array(change, kind(x)), primals, tuple(tangents))
    for x, change in zip(tree.flatten(primals), tree.flatten(tangents), strict=True):
        if tuple(x.shape) != tuple(change.shape):
            raise ValueError(f"jvp: a change has the shape of what changes; got {shapes.public(change.shape)} for {shapes.public(x.shape)}.")
    return tuple(_interpreter(primals, tangents).jvp(_with_tensors(fun), primals, tangents, bool(has_aux)))


def _same_lengths(op, xs, length=None):
    """Raise where the tensors of `xs` have no first axis, or not all the same length."""
    for x in tree.flatten(xs):
        if x is not None and not x.ndim:
            raise ValueError(f"{op}: wanted tensors with a first axis to go along; got one of the shape ().")
        if x is not None:
            length = shapes.same(length, x.shape[0], f"{op}: the lengths of the tensors' first axes")


def _next(op, old, new):
    """The next carry, which must be like the last."""
    tree.assert_same_structure(old, new)
    for a, b in zip(tree.flatten(old), tree.flatten(new), strict=True):
        if a is not None and (len(a.shape) != len(b.shape) or kind(a) != kind(b)):
            shown = [f"{kind(x)} of the shape {shapes.public(x.shape)}" for x in (a, b)]
            raise ValueError(f"{op}: the carry must keep its shape and type; it was {shown[0]} and became {shown[1]}.")
        if a is not None:
            for m, n in zip(a.shape, b.shape, strict=True):
                shapes.same(m, n, f"{op}: the carry must keep its shape; it was {shapes.public(a.shape)} and became {shapes.public(b.shape)}")
    return new


@op(tensors=0)
def map(f, xs):
    """`f` of each part of `xs` along the first axis, one after the other, stacked.

    >>> ops.map(lambda x: x * 2, ops.array([1, 2])).tolist()
    [2, 4]
    """
    _same_lengths("map", _tensors(xs))
    return scan(lambda carry, x: (carry, f(x)), (), xs)[1]


@op(tensors=0)
def vectorized_map(function, elements):
    """`function` of each part of `elements` along the first axis, all at once, stacked.

    >>> ops.vectorized_map(lambda x: x * 2, ops.array([1, 2])).tolist()
    [2, 4]
    """
    elements = _tensors(elements)
    _same_lengths("vectorized_map", elements)
    return _interpreter(elements).vectorize(_with_tensors(function), (0,))(elements)


def vectorize(pyfunc, *, excluded=None, signature=None):
    """A function of single elements as one of tensors that broadcast, all elements at once.

    Args:
        pyfunc: a function of tensors, written as if each held one element (or what `signature` says).
        excluded: positions and names of arguments that go in whole; arguments given by name always do.
        signature: the axes that go in and come out together, such as "(n),(n)->()"; the others are looped over.

    >>> ops.vectorize(lambda a, b: ops.maximum(a, b))([1, 5], [[3], [4]]).tolist()
    [[3, 5], [4, 5]]

    Raises:
        ValueError: a signature that does not fit the arguments.
    """
    excluded = set(() if excluded is None else excluded)
    inputs, outputs = _signature(signature) if signature is not None else (None, None)

    @functools.wraps(pyfunc)
    def call(*args, **kwargs):
        if symbolic.any_symbolic(args, kwargs):
            return symbolic.record(call, args, kwargs)
        places = [i for i in range(len(args)) if i not in excluded]
        whole = [0] * len(places) if inputs is None else [len(axes) for axes in inputs]
        if len(whole) != len(places):
            raise ValueError(f"vectorize: the signature {signature!r} is of {len(whole)} arguments; got {len(places)}.")
        tensors = [array(args[i]) for i in places]
        for tensor, count in zip(tensors, whole, strict=True):
            if tensor.ndim < count:
                raise ValueError(f"vectorize: an argument of the shape {shapes.public(tensor.shape)} has fewer axes than the {count} of {signature!r}.")
        if inputs is not None:
            _agree(signature, inputs, tensors)
        loop = shapes.broadcast(*(x.shape[: x.ndim - n] for x, n in zip(tensors, whole, strict=True)), op="vectorize")
        parts = lambda x, n: tuple(x.shape[x.ndim - n :])
        spread = [p.broadcast_to(x, (*loop, *parts(x, n))) for x, n in zip(tensors, whole, strict=True)]

        def each(*items):
            filled = list(args)
            for i, item in zip(places, items, strict=True):
                filled[i] = item
            found = _tensors(pyfunc(*filled, **kwargs))
            if outputs is not None:
                ranks = [x.ndim for x in (found if isinstance(found, (tuple, list)) else (found,))]
                if ranks != [len(axes) for axes in outputs]:
                    raise ValueError(f"vectorize: by {signature!r} results of {[len(axes) for axes in outputs]} axes were wanted; got {ranks}.")
            return found

        if not loop:
            return each(*spread)
        flat = [p.reshape(x, (-1, *parts(x, n))) for x, n in zip(spread, whole, strict=True)]
        found = _interpreter(flat).vectorize(each, (0,) * len(flat))(*flat)
        return tree.map_structure(lambda x: p.reshape(x, (*loop, *x.shape[1:])), found)

    return call


def _signature(text):
    """The names of axes of each argument and of each result, from "(n,k),(k)->(n)"."""
    sides = text.replace(" ", "").split("->")
    if len(sides) != 2 or any(not re.fullmatch(r"\((\w+(,\w+)*)?\)(,\((\w+(,\w+)*)?\))*", side) for side in sides):
        raise ValueError(f"vectorize: wanted a signature such as '(n),(n)->()'; got {text!r}.")
    return [[[name for name in part.split(",") if name] for part in re.findall(r"\(([^)]*)\)", side)] for side in sides]


def _agree(signature, inputs, tensors):
    """Raise where one name of the signature stands for two sizes."""
    sizes = {}
    for axes, x in zip(inputs, tensors, strict=True):
        for name, size in zip(axes, x.shape[x.ndim - len(axes) :], strict=True):
            sizes[name] = shapes.same(sizes.get(name), size, f"vectorize: the axis {name!r} of {signature!r}")


@op(tensors=0)
def associative_scan(f, elems, reverse=False, axis=0):
    """All running results of an associative function of two structures along `axis`, in a number of steps like its logarithm.

    >>> ops.associative_scan(ops.add, ops.array([1, 2, 3])).tolist()
    [1, 3, 6]

    Source: Blelloch, "Prefix Sums and Their Applications", 1990.
    """
    leaves = tree.flatten(_tensors(elems))
    axes = [shapes.normalize_axis(axis, leaf.ndim, "associative_scan") for leaf in leaves]
    size = None
    for leaf, a in zip(leaves, axes, strict=True):
        size = shapes.same(size, leaf.shape[a], f"associative_scan: the lengths along axis {axis}")
    turn = lambda xs: [p.flip(x, (a,)) for x, a in zip(xs, axes, strict=True)] if reverse else xs
    pack = lambda xs: _packed(elems, xs)
    both = lambda a, b: tree.flatten(f(pack(a), pack(b)))
    return pack(turn(_running(both, turn(leaves), axes)))


def _packed(like, leaves):
    leaves = iter(leaves)
    return tree.map_structure(lambda _: next(leaves), like)


def _part(xs, axes, start, stop, stride=1):
    def one(x, axis):
        at = lambda value, other: [value if i == axis else other for i in range(x.ndim)]
        return p.slice(x, at(start, 0), at(stop, None), at(stride, 1))

    return [one(x, a) for x, a in zip(xs, axes, strict=True)]


def _running(both, xs, axes):
    size = xs[0].shape[axes[0]]
    if shapes.unknown(size) or size < 2:
        return xs
    pairs = both(_part(xs, axes, 0, size - 1, 2), _part(xs, axes, 1, size, 2))
    odd = _running(both, pairs, axes)
    rest = _part(xs, axes, 2, size, 2)
    first = _part(xs, axes, 0, 1)
    if size > 2:
        before = odd if size % 2 else _part(odd, axes, 0, size // 2 - 1)
        first = [p.concatenate([a, b], axis) for a, b, axis in zip(first, both(before, rest), axes, strict=True)]
    return [_woven(a, b, axis, size) for a, b, axis in zip(first, odd, axes, strict=True)]


def _woven(even, odd, axis, size):
    """even[0], odd[0], even[1], ... along `axis`."""
    half = size // 2
    trunk = _part([even], [axis], 0, half)[0]
    shape = tuple(trunk.shape)
    split = (*shape[: axis + 1], 1, *shape[axis + 1 :])
    woven = p.reshape(p.concatenate([p.reshape(trunk, split), p.reshape(odd, split)], axis + 1), (*shape[:axis], half * 2, *shape[axis + 1 :]))
    return p.concatenate([woven, _part([even], [axis], half, half + 1)[0]], axis) if size % 2 else woven


def custom_gradient(f):
    """A function with a gradient of its own.

    Args:
        f: a function that gives its value and a function of the gradient by that value (also handed over as `upstream`), which gives the
            gradient by each argument.

    >>> @ops.custom_gradient
    ... def log1pexp(x):
    ...     e = ops.exp(x)
    ...     return ops.log(1 + e), lambda upstream: upstream * (1 - 1 / (1 + e))
    >>> float(log1pexp(0.0))
    0.6931471824645996
    """

    @functools.wraps(f)
    def call(*args, **kwargs):
        if symbolic.any_symbolic(args, kwargs):
            return symbolic.record(call, args, kwargs)
        count = len(args)

        def forward(*tensors):
            value, gradient = f(*tensors, **kwargs)

            def pullback(upstream):
                found = gradient(upstream)
                return tuple(found) if isinstance(found, (tuple, list)) and (count > 1 or len(found) == 1) else (found,)

            return value, pullback

        return p.custom_gradient(forward, tuple(array(x) for x in args))

    return call
