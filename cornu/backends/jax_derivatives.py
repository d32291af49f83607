"""Functions of JAX with a gradient of their own that every transformation takes: reverse, forward, twice, `vmap`, `checkpoint`.

`jax.custom_vjp` would refuse forward mode. Here the change of the result is one linear operation, whose value JAX derives from the function and
whose transpose is the gradient given.
"""

import functools

import jax
from jax.interpreters import ad, batching, mlir  # pyright: ignore[reportMissingImports]

Primitive = type(jax.lax.add_p)  # `jax.extend.core` has it too, and imports Pallas


def with_gradient(function, forward, backward):
    """`function`, differentiated in reverse by `backward`.

    Args:
        function: takes arrays, gives an array or a structure of arrays.
        forward: as `function`, but gives (what `function` gives, what is kept for `backward`).
        backward: `backward(kept, gradient)` gives the gradients by each argument, None where there is none.

    Returns:
        The function. Forward mode and what goes beyond first derivatives differentiate `function`, `forward` and `backward` as they are written.
    """
    outer = jax.custom_jvp(function)

    @outer.defjvp
    def _(arguments, changes):
        out, kept = forward(*arguments)
        given, structure = jax.tree.flatten((arguments, kept, changes))
        leaves, form = jax.tree.flatten(out)
        kinds = tuple((x.shape, x.dtype) for x in leaves)
        rule = _Rule(function, backward, structure, form, kinds, len(given) - len(jax.tree.leaves(changes)), ())
        return out, jax.tree.unflatten(form, _change.bind(*given, rule=rule)) if leaves else out

    return outer


class _Rule:
    """What one use of a function with a gradient of its own consists of; uses of equal parts are equal, so that programs are found again.

    Args:
        function, backward: as for `with_gradient`.
        inputs: the structure of (arguments, kept, changes).
        outputs: that of the result.
        kinds: shape and type of each array of the result.
        count: how many of the arrays that come are no changes; the operation is linear in the others.
        mapped: over how many first axes, `vmap` by `vmap`: for each a tuple that says which arrays have it.
    """

    def __init__(self, function, backward, inputs, outputs, kinds, count, mapped):
        self.parts = function, backward, inputs, outputs, kinds, count, mapped

    def __eq__(self, other):
        return type(other) is _Rule and self.parts == other.parts

    def __hash__(self):
        return hash(self.parts)

    def change(self, *given):
        """The change of the result, flat."""
        function, _, inputs, *_, mapped = self.parts

        def one(*given):
            arguments, _, changes = jax.tree.unflatten(inputs, given)
            return jax.tree.leaves(jax.jvp(function, arguments, changes)[1])

        for axes in mapped:
            one = jax.vmap(one, axes)
        return one(*given)

    def gradients(self, fixed, gradient):
        """The gradients by the arguments, flat."""
        _, backward, inputs, outputs, _, count, mapped = self.parts
        total = inputs.num_leaves

        def one(fixed, gradient):
            _, kept, _ = jax.tree.unflatten(inputs, (*fixed, *[None] * (total - count)))
            return jax.tree.leaves(backward(kept, jax.tree.unflatten(outputs, gradient)), is_leaf=lambda g: g is None)

        for axes in mapped:
            one = jax.vmap(one, (list(axes[:count]), 0))
        return one(list(fixed), list(gradient))

    def over(self, axes):
        return _Rule(*self.parts[:6], (*self.parts[6], axes))


_change = Primitive("change")
_change.multiple_results = True


@_change.def_impl
def _(*given, rule):
    return _program(rule)(*given)


@functools.lru_cache(256)
def _program(rule):
    return jax.jit(rule.change)


@_change.def_abstract_eval
def _(*given, rule):
    kinds, count, mapped = rule.parts[4:]
    return [jax.core.ShapedArray((*given[count].shape[: len(mapped)], *shape), dtype) for shape, dtype in kinds]  # changes have every mapped axis


mlir.register_lowering(_change, mlir.lower_fun(lambda *given, rule: rule.change(*given), multiple_results=True))


def _differentiate(given, tangents, rule):
    """Linear in the changes, so their tangents go the same way; what depends on the rest is left to JAX."""
    count = rule.parts[5]
    fixed, changes = given[:count], given[count:]
    out = _change.bind(*given, rule=rule)
    found = None
    if not all(type(t) is ad.Zero for t in tangents[count:]):
        found = _change.bind(*fixed, *map(ad.instantiate_zeros, tangents[count:]), rule=rule)
    moved = [i for i, t in enumerate(tangents[:count]) if type(t) is not ad.Zero]
    if moved:

        def of(*some):
            values = list(fixed)
            for i, x in zip(moved, some, strict=True):
                values[i] = x
            return rule.change(*values, *changes)

        _, more = jax.jvp(of, [fixed[i] for i in moved], [tangents[i] for i in moved])
        found = more if found is None else [x + y for x, y in zip(found, more, strict=True)]
    return out, found


def _transpose(gradient, *given, rule):
    count = rule.parts[5]
    found = rule.gradients(given[:count], [ad.instantiate_zeros(g) for g in gradient])
    return [*[None] * count, *(g if ad.is_undefined_primal(x) else None for x, g in zip(given[count:], found, strict=True))]


def _map(given, axes, *, rule):
    """Arrays with the mapped axis first; changes all have it, since the transpose gives it to all."""
    size = next(x.shape[axis] for x, axis in zip(given, axes, strict=True) if axis is not None)
    count = rule.parts[5]
    moved, places = [], []
    for i, (x, axis) in enumerate(zip(given, axes, strict=True)):
        if axis is None:
            if i >= count:
                x = jax.numpy.broadcast_to(x, (size, *x.shape))
        else:
            x = jax.numpy.moveaxis(x, axis, 0)
        moved.append(x)
        places.append(None if axis is None and i < count else 0)
    out = _change.bind(*moved, rule=rule.over(tuple(places)))
    return out, [0] * len(out)


ad.primitive_jvps[_change] = _differentiate
ad.primitive_transposes[_change] = _transpose
batching.primitive_batchers[_change] = _map
