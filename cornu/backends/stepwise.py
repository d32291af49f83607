"""What backends without graphs of their own share: Python's control flow, and shapes found by running on zeros."""

import numpy as np

from cornu import scopes, tree
from cornu.shapes import UNKNOWN, Spec


def cond(predicate, if_true, if_false):
    return if_true() if predicate else if_false()


def while_loop(test, body, state):
    while test(state):
        state = body(state)
    return state


def repeated(item):
    """The `repeat` of a backend whose `item(structure, i)` takes the i-th of axis 0 of each array."""

    def repeat(step, state, batches, length):
        logs = None
        for i in range(length):
            state, logs = step(state, item(batches, i))
        return state, logs

    return repeat


def infer_by_zeros(function, specs, zeros, dtype):
    """The Specs of `function(*specs)`: run on `zeros(shape, dtype)` for two lengths of every unknown size; a size that differs is unknown."""

    def outputs(filling):
        def filled(x):
            return zeros([filling if n is UNKNOWN else n for n in x.shape], x.dtype) if type(x) is Spec else x

        with scopes.outside("SymbolicScope"), scopes.StatelessScope():
            return function(*(tree.map_structure(filled, spec) for spec in specs))

    def spec(one, other):
        return None if one is None else Spec([n if n == m else UNKNOWN for n, m in zip(np.shape(one), np.shape(other), strict=True)], dtype(one))

    return tree.map_structure(spec, outputs(13), outputs(29))
