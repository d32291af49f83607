"""The primitives as graphs of PyTensor, with values run at once. Those that PyTensor has no node for, or none with a gradient, are in pytensor_nodes.py."""

# pyright: reportMissingImports=false

import builtins
import functools
import math

import numpy as np
from pytensor import tensor as pt

from cornu import shapes
from cornu.backends import pytensor_nodes as nodes
from cornu.backends import spec
from cornu.backends.numpy_tape import lifted
from cornu.backends.pytensor_symbols import Traced, counts, current, held, key_of, known, lift, pinned, primitive, size_of, traces, type_of

# Elementwise


def _operand(y, dtype):
    """The second operand: a symbol, or a number, as a constant of that type."""
    return y.variable if isinstance(y, Traced) else pt.constant(np.asarray(y).astype(held(dtype)))


def _unary(name, function):
    globals()[name] = primitive(lambda x: function(x.variable), name)


def _binary(name, function):
    globals()[name] = primitive(lambda x, y: function(x.variable, _operand(y, x.dtype)), name)


def _true(x):
    return x if x.dtype == "bool" else pt.neq(x, 0)


def _kept_in_integers(function):
    return lambda x: function(x) if x.dtype.startswith("float") else x


def _whole(name, function):
    return lambda x, y: (nodes.WRAPPED[name] if x.dtype in _NARROW else function)(x, y)


_NARROW = frozenset(("uint8", "uint16", "uint32", "int8", "int16", "int32"))


def _floor_divide(x, y):
    return pt.floor(x / y) if x.dtype.startswith("float") else pt.int_div(x, y)


def _imag(x):
    """PyTensor's own gradient of it is refused as one of whole numbers."""
    return nodes.custom([pt.imag(x)], [x], lambda gradients: [pt.complex(pt.zeros_like(gradients[0]), gradients[0])])[0]


for _name in "abs exp expm1 log log1p log2 log10 sqrt sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh sigmoid erf erfinv".split():
    _unary(_name, getattr(pt, _name))
for _name, _build in {
    "negative": pt.neg,
    "sign": pt.sign,
    "rsqrt": lambda x: 1 / pt.sqrt(x),
    "square": pt.sqr,
    "reciprocal": lambda x: pt.reciprocal(x),
    "lgamma": pt.gammaln,
    "digamma": pt.psi,
    "floor": _kept_in_integers(pt.floor),
    "ceil": _kept_in_integers(pt.ceil),
    "round": _kept_in_integers(pt.round_half_to_even),
    "trunc": _kept_in_integers(pt.trunc),
    "isnan": pt.isnan,
    "isinf": pt.isinf,
    "isfinite": lambda x: pt.invert(pt.or_(pt.isnan(x), pt.isinf(x))),
    "logical_not": lambda x: pt.invert(_true(x)),
    "bitwise_not": pt.invert,
    "real": lambda x: pt.real(x) if x.dtype.startswith("complex") else x,
    "imag": lambda x: _imag(x) if x.dtype.startswith("complex") else pt.zeros_like(x),
    "conj": lambda x: pt.conj(x) if x.dtype.startswith("complex") else x,
}.items():
    _unary(_name, _build)
for _name, _build in {
    "add": _whole("add", pt.add),
    "subtract": _whole("subtract", pt.sub),
    "multiply": _whole("multiply", pt.mul),
    "divide": pt.true_div,
    "floor_divide": _floor_divide,
    "mod": pt.mod,
    "power": pt.pow,
    "arctan2": pt.arctan2,
    "equal": pt.eq,
    "not_equal": pt.neq,
    "less": pt.lt,
    "less_equal": pt.le,
    "greater": pt.gt,
    "greater_equal": pt.ge,
    "logical_and": lambda x, y: pt.and_(_true(x), _true(y)),
    "logical_or": lambda x, y: pt.or_(_true(x), _true(y)),
    "logical_xor": lambda x, y: pt.xor(_true(x), _true(y)),
    "bitwise_and": pt.and_,
    "bitwise_or": pt.or_,
    "bitwise_xor": pt.xor,
    "left_shift": nodes.WRAPPED["left_shift"],
    "right_shift": nodes.WRAPPED["right_shift"],
}.items():
    _binary(_name, _build)


@primitive
def where(condition, x, y):
    like = spec.where(condition, x, y)
    return pt.switch(condition.variable, _operand(x, like.dtype), _operand(y, like.dtype))


@primitive
def cast(x, dtype):
    variable, kept = x.variable, held(dtype)
    if variable.dtype.startswith("complex") and not kept.startswith("complex"):
        variable = pt.real(variable) if kept != "bool" else pt.neq(variable, 0)
    return pt.neq(variable, 0) if kept == "bool" and variable.dtype != "bool" else pt.cast(variable, kept)


def _winner(name, function, beats):
    def build(x, y):
        y = y if isinstance(y, Traced) else lift(np.asarray(y).astype(type_of(x.dtype)))
        if not held(x.dtype).startswith("float"):
            return function(x.variable, y.variable)
        shape = shapes.broadcast(x.shape, y.shape, op=name)
        x, y = broadcast_to(x, shape).variable, broadcast_to(y, shape).variable
        half = pt.constant(0.5, dtype=x.dtype)
        share = lambda a, b, g: g * half * (pt.cast(beats(a, b), g.dtype) + pt.cast(pt.invert(beats(b, a)), g.dtype))
        return nodes.custom([function(x, y)], [x, y], lambda gradients: [share(x, y, gradients[0]), share(y, x, gradients[0])])[0]

    build.__doc__ = "Of two that are equal each gets half the gradient."
    globals()[name] = primitive(build, name)


_winner("maximum", pt.maximum, pt.gt)
_winner("minimum", pt.minimum, pt.lt)


def _relu(x):
    x = x.variable
    found = pt.maximum(x, pt.constant(0, dtype=x.dtype))
    return nodes.custom([found], [x], lambda gradients: [gradients[0] * pt.cast(pt.gt(x, 0), x.dtype)])[0] if x.dtype.startswith("float") else found


relu = primitive(_relu, "relu", lambda x: x)  # without the half of the gradient that `maximum(x, 0)` has at 0, where it is nothing elsewhere too


# Making


def full(shape, value, dtype):
    if isinstance(value, Traced) or traces(shape):
        variable = pt.cast(value.variable, held(dtype)) if isinstance(value, Traced) else _operand(value, dtype)
        return pinned(pt.alloc(variable, *counts(shape)), spec.full(shape, value, dtype))
    return np.full(shape, value, dtype)


def arange(start, stop, step, dtype):
    if traces((start, stop, step)):
        variable = pt.arange(*counts((start, stop, step)), dtype=dtype)
        return Traced(variable, (stop if (start, step) == (0, 1) else size_of(variable, 0),), dtype)
    return np.arange(start, stop, step).astype(dtype)


def iota(shape, axis, dtype):
    if traces(shape):
        steps = arange(0, shape[axis], 1, dtype)
        return broadcast_to(reshape(steps, [shape[axis] if i == axis else 1 for i in range(len(shape))]), shape)
    steps = np.arange(shape[axis]).astype(dtype)
    return np.broadcast_to(steps.reshape([-1 if i == axis else 1 for i in range(len(shape))]), shape)


# Reductions


def _reduction(name, function):
    globals()[name] = primitive(lambda x, axes, keepdims: function(x.variable, tuple(axes), keepdims) if axes else x.variable, name)


_reduction("sum", lambda x, axes, keepdims: pt.sum(x, axes, dtype=x.dtype, acc_dtype=x.dtype, keepdims=keepdims))
_reduction("prod", lambda x, axes, keepdims: pt.prod(x, axes, dtype=x.dtype, acc_dtype=x.dtype, keepdims=keepdims))
_reduction("any", lambda x, axes, keepdims: pt.any(x, axes, keepdims=keepdims))
_reduction("all", lambda x, axes, keepdims: pt.all(x, axes, keepdims=keepdims))


def _extreme(name, function):
    """Those that are equal share the gradient alike."""

    def build(x, axes, keepdims):
        if not axes:
            return x.variable
        axes, x = tuple(axes), x.variable
        found = function(pt.cast(x, "uint8") if x.dtype == "bool" else x, axes, keepdims=keepdims)
        if not x.dtype.startswith("float"):
            return found

        def pulled(gradients):
            back = (lambda y: y) if keepdims else (lambda y: pt.expand_dims(y, axes))
            best = pt.cast(pt.eq(x, back(found)), x.dtype)
            return [best * (back(gradients[0]) / pt.sum(best, axes, dtype=x.dtype, acc_dtype=x.dtype, keepdims=True))]

        return nodes.custom([found], [x], pulled)[0]

    globals()[name] = primitive(build, name)


_extreme("max", pt.max)
_extreme("min", pt.min)


@primitive
def argmax(x, axis, keepdims):
    return pt.argmax(pt.cast(x.variable, "uint8") if x.dtype == "bool" else x.variable, axis, keepdims=keepdims)


@primitive
def argmin(x, axis, keepdims):
    return pt.argmin(pt.cast(x.variable, "uint8") if x.dtype == "bool" else x.variable, axis, keepdims=keepdims)


@primitive
def cumsum(x, axis):
    return pt.cumsum(x.variable, axis)


# Movement


@primitive
def reshape(x, shape):
    return pt.reshape(x.variable, counts(spec.reshape(x, shape).shape), ndim=len(shape))


@primitive
def transpose(x, axes):
    return pt.transpose(x.variable, tuple(axes))


@primitive
def broadcast_to(x, shape):
    return x.variable if x.shape == tuple(shape) else pt.alloc(x.variable, *counts(shape))


@primitive
def pad(x, widths, value):
    if not builtins.any(map(builtins.any, widths)):
        return x.variable
    sizes = counts(spec.pad(x, widths, value).shape)
    inner = tuple(
        builtins.slice(builtins.max(low, 0), builtins.max(low, 0) + n + builtins.min(low, 0) + builtins.min(high, 0))
        for (low, high), n in zip(widths, counts(x.shape), strict=True)
    )
    outer = tuple(builtins.slice(builtins.max(-low, 0), n - builtins.max(-high, 0)) for (low, high), n in zip(widths, counts(x.shape), strict=True))
    return pt.set_subtensor(pt.alloc(_operand(value, x.dtype), *sizes)[inner], x.variable[outer])


@primitive
def dilate(x, steps):
    if builtins.all(step == 1 for step in steps):
        return x.variable
    zeros = pt.alloc(_operand(0, x.dtype), *[n if n is None or not isinstance(n, int) else builtins.max(0, n) for n in counts(spec.dilate(x, steps).shape)])
    return pt.set_subtensor(zeros[tuple(builtins.slice(None, None, step) for step in steps)], x.variable)


@primitive
def slice(x, starts, stops, strides):
    return x.variable[tuple(map(builtins.slice, counts(starts), counts(stops), strides))]


@primitive
def flip(x, axes):
    return x.variable[tuple(builtins.slice(None, None, -1 if i in axes else None) for i in range(x.ndim))]


@primitive
def concatenate(xs, axis):
    return pt.concatenate([x.variable for x in xs], axis)


@primitive
def take(x, indices, axis):
    """An index out of range is an error."""
    return x.variable[(*[builtins.slice(None)] * axis, pt.cast(indices.variable, "int64"))]


@primitive
def take_along_axis(x, indices, axis):
    sizes = [n if i == axis else m for i, (n, m) in enumerate(zip(x.shape, spec.take_along_axis(x, indices, axis).shape, strict=True))]
    wide = broadcast_to(x, sizes)
    index = [iota([1 if i != k else n for i, n in enumerate(sizes)], k, "int64") for k in range(x.ndim)]
    index[axis] = pt.cast(indices.variable, "int64")
    return wide.variable[tuple(index)]


@primitive
def getitem(x, key):
    return x.variable[_index(key)]


def _index(key):
    if type(key) in (tuple, list):
        return tuple(map(_index, key))
    return key.variable if isinstance(key, Traced) else key


@primitive
def scatter(x, indices, updates, mode):
    """An index out of range is an error."""
    if mode not in ("update", "add"):
        return _of_host("scatter", x, indices, updates, mode)
    key = tuple(pt.cast(indices.variable[..., i], "int64") for i in range(indices.shape[-1]))
    place = x.variable[key]
    return pt.set_subtensor(place, updates.variable) if mode == "update" else pt.inc_subtensor(place, updates.variable)


def _window(x, starts, sizes):
    """The slices of a window that is moved inside where it begins outside."""
    places = []
    for start, n, size in zip(starts, x.shape, sizes, strict=True):
        start = pt.cast(lift(start).variable, "int64")
        whole, length = counts((n, size))
        start = pt.clip(pt.switch(pt.lt(start, 0), start + whole, start), 0, whole - length)
        places.append(builtins.slice(None) if n == size else builtins.slice(start, start + length))
    return tuple(places)


@primitive
def dynamic_slice(x, starts, sizes):
    window = _window(x, starts, sizes)
    if getattr(current, "mode", None) != "JAX":
        return x.variable[window]
    found = x.variable  # JAX has no slices whose ends follow from values
    for axis, (place, size) in enumerate(zip(window, sizes, strict=True)):
        if place.start is not None:
            found = found[(*[builtins.slice(None)] * axis, place.start + np.arange(size))]
    return found


@primitive
def dynamic_update_slice(x, update, starts):
    return pt.set_subtensor(x.variable[_window(x, starts, update.shape)], update.variable)


# Products


@primitive
def matmul(x, y):
    if x.ndim > 2 and y.ndim == 2:
        flat = reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))
        return reshape(matmul(flat, y), (*x.shape[:-1], y.shape[-1]))
    return pt.matmul(x.variable, y.variable)


@primitive
def einsum(equation, xs):
    return pt.einsum(equation, *[x.variable for x in xs])


# Windows


def _patches(x, window, strides, padding, dilation, value=0):
    """(N, *outputs, places of the window, C): what the windows see."""
    x = pad(x, ((0, 0), *padding, (0, 0)), value)
    found = nodes.Windows(window, strides, dilation)(x.variable)
    sizes = nodes.outputs_of(x.shape[1:-1], window, strides, dilation)
    return Traced(found, (x.shape[0], *sizes, math.prod(window), x.shape[-1]), x.dtype)


@primitive
def conv(x, kernel, strides, padding, dilation, groups):
    window, (inner, filters) = kernel.shape[:-2], kernel.shape[-2:]
    if builtins.all(k == 1 and s == 1 for k, s in zip(window, strides, strict=True)) and groups == 1 and not builtins.any(map(builtins.any, padding)):
        return matmul(x, reshape(kernel, (inner, filters)))
    seen = _patches(x, window, strides, padding, dilation)
    *outputs, places, channels = seen.shape
    rows = math.prod(outputs)
    if groups == 1:
        found = matmul(reshape(seen, (rows, places * channels)), reshape(kernel, (places * channels, filters)))
    elif inner == 1:
        given = reshape(seen, (rows, places, groups, 1)).variable, reshape(kernel, (places, groups, filters // groups)).variable
        total = functools.reduce(pt.add, [given[0][:, i] * given[1][i] for i in range(places)])

        def pullback(gradients):
            by_places = pt.expand_dims(gradients[0], 1)
            by_seen = by_places * given[1]
            return [by_seen if filters == groups else pt.sum(by_seen, 3, keepdims=True), pt.sum(by_places * given[0], 0)]

        found = Traced(nodes.custom([total], list(given), pullback)[0], (rows, groups, filters // groups), x.dtype)
    else:
        parts = transpose(reshape(seen, (rows, places, groups, inner)), (2, 0, 1, 3))
        weights = transpose(reshape(kernel, (places * inner, groups, filters // groups)), (1, 0, 2))
        found = transpose(matmul(reshape(parts, (groups, rows, places * inner)), weights), (1, 0, 2))
    return reshape(found, (*outputs, filters))


def _least(dtype):
    return -np.inf if held(dtype).startswith("float") else np.iinfo(dtype).min


@primitive
def max_pool(x, size, strides, padding):
    """Of equal greatest values the first gets the gradient."""
    seen = _patches(x, size, strides, padding, (1,) * len(size), _least(x.dtype))
    axis = seen.ndim - 2
    found = max(seen, (axis,), False)
    if not held(x.dtype).startswith("float"):
        return found

    def pullback(gradients):
        x, places = seen.variable, np.arange(seen.shape[-2], dtype="int32").reshape(-1, 1)
        best = pt.or_(pt.eq(x, pt.expand_dims(found.variable, axis)), pt.isnan(x))
        first = pt.min(pt.switch(best, places, np.int32(seen.shape[-2])), axis, keepdims=True)  # as argmax, in a fifth of the time
        return [pt.switch(pt.eq(first, places), pt.expand_dims(gradients[0], axis), pt.constant(0, dtype=gradients[0].dtype))]

    return nodes.custom([found.variable], [seen.variable], pullback)[0]


@primitive
def sum_pool(x, size, strides, padding):
    seen = _patches(x, size, strides, padding, (1,) * len(size))
    return sum(seen, (seen.ndim - 2,), False)


# What has no node in PyTensor, or none with a gradient: functions of NumPy with the rules of the NumPy backend


def _of_host(name, *args):
    function, like = getattr(lifted, name), getattr(spec, name)(*args)
    likes = like if isinstance(like, tuple) else (like,)
    statics = [_HERE if isinstance(x, Traced) else x for x in args]

    def run(*arrays):
        filled = iter(arrays)
        found = function(*(next(filled) if static is _HERE else static for static in statics))
        return found if isinstance(found, tuple) else (found,)

    types = tuple((held(x.dtype), known(x.shape)) for x in likes)
    made = nodes.Host(run, types, (name, *map(key_of, statics), types))(*[x.variable for x in args if isinstance(x, Traced)], return_list=True)
    return tuple(made) if isinstance(like, tuple) else made[0]


_HERE = object()  # where an argument is a tensor
for _name in "nextafter cumprod sort argsort top_k cholesky qr lu eig svd eigh solve triangular_solve inv det fft ifft".split():
    globals()[_name] = primitive(functools.partial(_of_host, _name), _name)


@primitive
def bitcast(x, dtype):
    given = x.dtype
    run = lambda x: (lifted.bitcast(lifted.cast(x, given), dtype),)
    types = ((held(dtype), known(spec.bitcast(x, dtype).shape)),)
    return nodes.Host(run, types, ("bitcast", given, dtype, types))(x.variable)
