"""The interpreter of shapes: every primitive on Specs alone. Running a function on it is shape inference, with no engine loaded."""

import builtins

from cornu import dtypes, shapes, tree
from cornu.backends.protocol import BINARY, PREDICATES, UNARY
from cornu.shapes import UNKNOWN, Spec

_PARTS = {"complex64": "float32", "complex128": "float64"}  # the type of a part of a complex number


def _shape(x):
    return tuple(getattr(x, "shape", ()))


def _dtype(x):
    return x.dtype if type(x.dtype) is str else dtypes.standardize(x.dtype)


def elementwise(name, *args, dtype):
    """The Spec of any elementwise primitive: the tensors among `args` broadcast, of the type `dtype`."""
    if name in ("abs", "real", "imag"):
        dtype = _PARTS.get(dtype, dtype)
    return Spec(shapes.broadcast(*map(_shape, args), op=name), dtype)


def _row(name):
    def call(*args):
        return elementwise(name, *args, dtype="bool" if name in PREDICATES else _dtype(next(x for x in args if hasattr(x, "dtype"))))

    call.__name__ = call.__qualname__ = name
    return call


globals().update({name: _row(name) for name in (*UNARY, *BINARY)})


def where(condition, x, y):
    tensors = [v for v in (x, y) if hasattr(v, "dtype")]
    dtype = _dtype(tensors[0]) if tensors else dtypes.result(*(type(v).__name__ for v in (x, y)))
    return Spec(shapes.broadcast(*map(_shape, (condition, x, y)), op="where"), dtype)


def cast(x, dtype):
    return Spec(x.shape, dtype)


# Making


def full(shape, value, dtype):
    return Spec(shape, dtype)


def arange(start, stop, step, dtype):
    if builtins.any(shapes.unknown(n) for n in (start, stop, step)):
        return Spec((UNKNOWN,), dtype)
    return Spec((builtins.max(0, -int(-(stop - start) // step)),), dtype)


def iota(shape, axis, dtype):
    return Spec(shape, dtype)


# Reductions and order


def _reduction(dtype=None):
    def call(x, axes, keepdims):
        return Spec(shapes.reduce(x.shape, axes, keepdims), dtype or _dtype(x))

    return call


sum, prod, max, min, any, all = (_reduction(dtype) for dtype in (None, None, None, None, "bool", "bool"))


def argmax(x, axis, keepdims):
    return Spec(shapes.reduce(x.shape, (axis,), keepdims), "int32")


argmin = argmax


def cumsum(x, axis):
    return Spec(x.shape, _dtype(x))


cumprod = sort = cumsum


def argsort(x, axis):
    return Spec(x.shape, "int32")


def top_k(x, k):
    if not shapes.unknown(x.shape[-1]) and k > x.shape[-1]:
        raise ValueError(f"top_k: wanted the {k} largest of the last axis, but the shape is {shapes.public(x.shape)}.")
    return Spec((*x.shape[:-1], k), _dtype(x)), Spec((*x.shape[:-1], k), "int32")


# Movement


def reshape(x, shape):
    return Spec(shapes.reshape(_shape(x), shape), _dtype(x))


def transpose(x, axes):
    return Spec(shapes.transpose(x.shape, axes), _dtype(x))


def broadcast_to(x, shape):
    return Spec(shapes.broadcast_to(x.shape, shape), _dtype(x))


def pad(x, widths, value):
    return Spec(shapes.pad(x.shape, widths), _dtype(x))


def bitcast(x, dtype):
    old, new = (dtypes.size_in_bytes(name) for name in (_dtype(x), dtype))
    if old == new:
        return Spec(x.shape, dtype)
    last = x.shape[-1] if x.shape else 0
    if not x.shape or (old < new and not shapes.unknown(last) and last % (new // old)):
        raise ValueError(f"view: {dtype} needs a last axis that is a multiple of {new // old or 1}, of {_dtype(x)}; got {shapes.public(x.shape)}.")
    return Spec((*x.shape[:-1], last * (old // new) if old > new else last // (new // old)), dtype)


def dilate(x, steps):
    return Spec((size if step == 1 else (size - 1) * step + 1 for size, step in zip(x.shape, steps, strict=True)), _dtype(x))


def slice(x, starts, stops, strides):
    return Spec(map(shapes.slice_size, x.shape, starts, stops, strides), _dtype(x))


def flip(x, axes):
    return Spec(x.shape, _dtype(x))


def concatenate(xs, axis):
    return Spec(shapes.concatenate([_shape(x) for x in xs], axis), _dtype(xs[0]))


def take(x, indices, axis):
    return Spec(shapes.take(x.shape, _shape(indices), axis), _dtype(x))


def take_along_axis(x, indices, axis):
    return Spec(shapes.take_along_axis(x.shape, indices.shape, axis), _dtype(x))


def getitem(x, key):
    return Spec(shapes.getitem(x.shape, key), _dtype(x))


def scatter(x, indices, updates, mode):
    depth = indices.shape[-1]
    if not shapes.unknown(depth):
        if depth > len(x.shape):
            raise ValueError(f"scatter: indices of {depth} numbers are too long for the shape {shapes.public(x.shape)}.")
        shapes.broadcast_to(_shape(updates), (*indices.shape[:-1], *x.shape[depth:]))
    return Spec(x.shape, _dtype(x))


def dynamic_slice(x, starts, sizes):
    return Spec(sizes, _dtype(x))


def dynamic_update_slice(x, update, starts):
    for old, new in zip(x.shape, update.shape, strict=True):
        if not shapes.unknown(old) and not shapes.unknown(new) and new > old:
            raise ValueError(f"slice_update: updates of the shape {shapes.public(update.shape)} do not fit into {shapes.public(x.shape)}.")
    return Spec(x.shape, _dtype(x))


# Products and windows


def matmul(x, y):
    return Spec(shapes.matmul(_shape(x), _shape(y)), _dtype(x))


def einsum(equation, xs):
    return Spec(shapes.einsum(equation, [_shape(x) for x in xs]), _dtype(xs[0]))


def conv(x, kernel, strides, padding, dilation, groups):
    return Spec(shapes.conv(x.shape, kernel.shape, strides, padding, dilation, groups), _dtype(x))


def max_pool(x, size, strides, padding):
    return Spec(shapes.pool(x.shape, size, strides, padding, "max_pool"), _dtype(x))


def sum_pool(x, size, strides, padding):
    return Spec(shapes.pool(x.shape, size, strides, padding, "average_pool"), _dtype(x))


# Linear algebra


def _square(x, op):
    shapes.same(x.shape[-2], x.shape[-1], f"{op}: the last two axes of {shapes.public(x.shape)} must be square")


def cholesky(x):
    _square(x, "cholesky")
    return Spec(x.shape, _dtype(x))


def inv(x):
    _square(x, "inv")
    return Spec(x.shape, _dtype(x))


def det(x):
    _square(x, "det")
    return Spec(x.shape[:-2], _dtype(x))


def _smaller(a, b):
    return UNKNOWN if shapes.unknown(a) or shapes.unknown(b) else a if a < b else b


def qr(x, complete):
    *batch, m, n = x.shape
    k = m if complete else _smaller(m, n)
    return Spec((*batch, m, k), _dtype(x)), Spec((*batch, k, n), _dtype(x))


def lu(x):
    *batch, m, n = x.shape
    return Spec(x.shape, _dtype(x)), Spec((*batch, _smaller(m, n)), "int32")


def eig(x):
    _square(x, "eig")
    dtype = "complex128" if _dtype(x) in ("float64", "complex128") else "complex64"
    return Spec(x.shape[:-1], dtype), Spec(x.shape, dtype)


def svd(x, full_matrices, compute_uv):
    *batch, m, n = x.shape
    k, dtype = _smaller(m, n), _dtype(x)
    values = Spec((*batch, k), _PARTS.get(dtype, dtype))
    if not compute_uv:
        return values
    return Spec((*batch, m, m if full_matrices else k), dtype), values, Spec((*batch, n if full_matrices else k, n), dtype)


def eigh(x):
    _square(x, "eigh")
    return Spec(x.shape[:-1], _PARTS.get(_dtype(x), _dtype(x))), Spec(x.shape, _dtype(x))


def solve(a, b):
    _square(a, "solve")
    shapes.same(a.shape[-1], b.shape[-2], "solve: the matrix and the right side")
    return Spec((*shapes.broadcast(a.shape[:-2], b.shape[:-2], op="solve"), *b.shape[-2:]), _dtype(b))


def triangular_solve(a, b, lower):
    return solve(a, b)


def fft(x):
    return Spec(x.shape, _dtype(x))


ifft = fft

# Control flow


def _spec(x):
    return x if type(x) is Spec else Spec(_shape(x), _dtype(x)) if hasattr(x, "dtype") else Spec((), dtypes.result(type(x).__name__))


def to_specs(structure):
    """The structure with a Spec in place of every tensor and number; None stays."""
    return tree.map_structure(lambda x: None if x is None else _spec(x), structure)


def _same_type(a, b, op):
    if (a is None) != (b is None) or (a is not None and (len(a.shape) != len(b.shape) or a.dtype != b.dtype)):
        raise ValueError(f"{op}: the results must have one shape and type each; got {a} and {b}.")
    if a is None:
        return None
    return Spec((UNKNOWN if shapes.unknown(m) or shapes.unknown(n) else shapes.same(m, n, op) for m, n in zip(a.shape, b.shape, strict=True)), a.dtype)


def cond(predicate, if_true, if_false):
    return tree.map_structure(lambda a, b: _same_type(a, b, "cond"), to_specs(if_true()), to_specs(if_false()))


def while_loop(test, body, state):
    state = to_specs(state)
    test(state)
    return tree.map_structure(lambda a, b: _same_type(a, b, "while_loop"), state, to_specs(body(state)))


def scan(body, state, xs, length, reverse):
    state, leaves = to_specs(state), [x for x in tree.flatten(xs) if x is not None]
    length = _shape(leaves[0])[0] if leaves else length
    end, y = body(state, tree.map_structure(lambda x: None if x is None else Spec(_shape(x)[1:], _dtype(x)), xs))
    end = tree.map_structure(lambda a, b: _same_type(a, b, "scan"), state, to_specs(end))
    return end, tree.map_structure(lambda s: None if s is None else Spec((length, *s.shape), s.dtype), to_specs(y))


def vectorize(function, in_axes):
    def call(*args):
        lengths, items = [], []
        for x, axis in zip(args, in_axes if isinstance(in_axes, (list, tuple)) else [in_axes] * len(args), strict=True):
            lengths += [] if axis is None else [_shape(leaf)[axis] for leaf in tree.flatten(x)]
            items.append(x if axis is None else tree.map_structure(lambda leaf, axis=axis: _without(_spec(leaf), axis), x))
        return tree.map_structure(lambda s: Spec((lengths[0], *s.shape), s.dtype), to_specs(function(*items)))

    return call


def _without(spec, axis):
    axis %= len(spec.shape)
    return Spec((*spec.shape[:axis], *spec.shape[axis + 1 :]), spec.dtype)


def stop_gradient(x):
    return x


def custom_gradient(function, arguments):
    return function(*arguments)[0]


def jvp(function, primals, tangents, has_aux):
    found = to_specs(function(*primals))
    value, aux = found if has_aux else (found, None)
    return (value, value, aux) if has_aux else (value, value)


def remat(function, arguments):
    return function(*arguments)
