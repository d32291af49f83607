"""What Numba compiles of the operations in pytensor_nodes.py; without it, it would call Python for them and could not keep the program for the next run."""

# pyright: reportMissingImports=false

import hashlib

import numpy as np
from pytensor.link.numba.dispatch.basic import direct_cast, numba_njit, register_funcify_and_cache_key, register_funcify_default_op_cache_key
from pytensor.link.numba.dispatch.elemwise import numba_funcify_Dot
from pytensor.tensor.math import Dot

from cornu.backends.pytensor_nodes import Overlap, Windows, Wrapped


def _three(values, neutral):
    """Numbers for three axes of space from those of one to three."""
    return (*[neutral] * (3 - len(values)), *values)


def _settings(op):
    return (*_three(op.window, 1), *_three(op.strides, 1), *_three(op.dilation, 1))


def _spread(rank, ends):
    """The function that gives an array of `rank` axes of space three of them, before the `ends` other axes at its end."""
    if rank == 3:
        return numba_njit(lambda x: np.ascontiguousarray(x))
    if rank == 2 and ends == 1:
        return numba_njit(lambda x: np.ascontiguousarray(x).reshape((x.shape[0], 1, x.shape[1], x.shape[2], x.shape[3])))
    if rank == 2:
        return numba_njit(lambda x: np.ascontiguousarray(x).reshape((x.shape[0], 1, x.shape[1], x.shape[2], x.shape[3], x.shape[4])))
    if ends == 1:
        return numba_njit(lambda x: np.ascontiguousarray(x).reshape((x.shape[0], 1, 1, x.shape[1], x.shape[2])))
    return numba_njit(lambda x: np.ascontiguousarray(x).reshape((x.shape[0], 1, 1, x.shape[1], x.shape[2], x.shape[3])))


def _joined(rank, ends):
    """The function that takes the axes of space away again which `_spread` made."""
    if rank == 3:
        return numba_njit(lambda x: x)
    if rank == 2 and ends == 1:
        return numba_njit(lambda x: x.reshape((x.shape[0], x.shape[2], x.shape[3], x.shape[4])))
    if rank == 2:
        return numba_njit(lambda x: x.reshape((x.shape[0], x.shape[2], x.shape[3], x.shape[4], x.shape[5])))
    if ends == 1:
        return numba_njit(lambda x: x.reshape((x.shape[0], x.shape[3], x.shape[4])))
    return numba_njit(lambda x: x.reshape((x.shape[0], x.shape[3], x.shape[4], x.shape[5])))


@register_funcify_default_op_cache_key(Windows)
def windows(op, node, **kwargs):
    rank = len(op.window)
    ka, kb, kc, sa, sb, sc, da, db, dc = _settings(op)
    spread, joined = _spread(rank, 1), _joined(rank, 2)

    @numba_njit(boundscheck=False)
    def run(given):
        x = spread(given)
        batch, a, b, c, channels = x.shape
        oa, ob, oc = (a - (ka - 1) * da - 1) // sa + 1, (b - (kb - 1) * db - 1) // sb + 1, (c - (kc - 1) * dc - 1) // sc + 1
        found = np.empty((batch, oa, ob, oc, ka * kb * kc, channels), x.dtype)
        for n in range(batch):
            for i in range(oa):
                for j in range(ob):
                    for k in range(oc):
                        place = 0
                        for u in range(ka):
                            for v in range(kb):
                                for w in range(kc):
                                    for m in range(channels):
                                        found[n, i, j, k, place, m] = x[n, i * sa + u * da, j * sb + v * db, k * sc + w * dc, m]
                                    place += 1
        return joined(found)

    return run


@register_funcify_default_op_cache_key(Overlap)
def overlap(op, node, **kwargs):
    rank = len(op.window)
    ka, kb, kc, sa, sb, sc, da, db, dc = _settings(op)
    spread, joined = _spread(rank, 2), _joined(rank, 1)

    @numba_njit(boundscheck=False)
    def add(x, a, b, c):
        batch, oa, ob, oc, _, channels = x.shape
        found = np.zeros((batch, a, b, c, channels), x.dtype)
        for n in range(batch):
            for i in range(oa):
                for j in range(ob):
                    for k in range(oc):
                        place = 0
                        for u in range(ka):
                            for v in range(kb):
                                for w in range(kc):
                                    for m in range(channels):
                                        found[n, i * sa + u * da, j * sb + v * db, k * sc + w * dc, m] += x[n, i, j, k, place, m]
                                    place += 1
        return found

    @numba_njit
    def line(x, c):
        return joined(add(spread(x), 1, 1, c.item()))

    @numba_njit
    def plane(x, b, c):
        return joined(add(spread(x), 1, b.item(), c.item()))

    @numba_njit
    def space(x, a, b, c):
        return joined(add(spread(x), a.item(), b.item(), c.item()))

    return (line, plane, space)[rank - 1]


@register_funcify_and_cache_key(Wrapped)
def wrapped(op, node, **kwargs):
    dtype, name = np.dtype(node.outputs[0].type.dtype), op.nfunc_spec[0]
    compute = getattr(np, name)

    @numba_njit
    def run(x, y):
        return direct_cast(compute(direct_cast(x, dtype), direct_cast(y, dtype)), dtype)

    return run, hashlib.sha256(f"{name} {dtype.name}".encode()).hexdigest()


@register_funcify_and_cache_key(Dot)
def product(op, node, **kwargs):
    """PyTensor's, but that transposed matrices, which all gradients have, go to BLAS as they lie and are not copied: up to seven times as fast."""
    types = [x.type for x in (*node.inputs, *node.outputs)]
    turned = [getattr(getattr(x.owner, "op", None), "new_order", None) == (1, 0) for x in node.inputs]
    key = hashlib.sha256(f"dot, transposed {turned} {types}".encode()).hexdigest()
    if not any(turned) or len({kind.dtype for kind in types}) > 1 or types[2].dtype not in ("float32", "float64"):
        found = numba_funcify_Dot(op, node, **kwargs)
        return (found[0] if isinstance(found, tuple) else found), key
    first, second = (np.asfortranarray if transposed else np.ascontiguousarray for transposed in turned)

    @numba_njit
    def run(x, y):
        return np.dot(first(x), second(y))

    return run, key
