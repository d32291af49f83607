"""JAX: the default engine. Everything is a traced, compiled XLA program; arrays never change in place.

On a CPU, XLA's code for some forms is 2 to 600 times slower than for others of the same meaning (benchmarks/ops_traps.py measures them): gradients
of pooling, depthwise and grouped convolutions, convolutions on small maps, gradients of convolutions inside loops, products of many axes. Those are
written here in the form that is fast. GPUs and TPUs have libraries for the plain forms and keep them.
"""

import builtins
import functools
import os

import jax
import jax.numpy as jnp  # pyright: ignore[reportMissingImports]
import numpy as np
from jax import lax

from cornu import scopes, settings, tree
from cornu.backends import jax_attention, jax_convolution, jax_normalization, jax_products, jax_recurrent, memory, programs
from cornu.backends.jax_derivatives import with_gradient
from cornu.shapes import UNKNOWN, Spec

memory.keep()
if jax.config.jax_compilation_cache_dir is None and (_folder := programs.folder(f"jax-{jax.__version__}")) is not None:
    jax.config.update("jax_compilation_cache_dir", _folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)

CPU = jax.default_backend() == "cpu"
NAME = "jax"
WIDE = bool(jax.config.jax_enable_x64)
COMPILES = True
HOST = CPU  # whether arrays lie in the host's memory
if HOST:
    settle = memory.settle
ARRAY = type(jax.device_put(0))


# Arrays


def array(x, dtype=None):
    """An array from lists, scalars, NumPy arrays and arrays of JAX. NumPy's memory is copied: the caller may write to it later."""
    if isinstance(x, jax.Array):
        return x if dtype is None or x.dtype == dtype else x.astype(dtype)
    if type(x) is np.ndarray:
        return jax.device_put(np.array(x, dtype))  # where jnp.array would compile a conversion for each shape
    return jnp.array(x, dtype)


def share(x):
    """An array of what the NumPy array `x` holds, over its memory where that can be: `x` must not change while the array lives."""
    return jax.device_put(x)


def is_array(x):
    return isinstance(x, jax.Array)


def dtype(x):
    return _name(x.dtype)


type_object = np.dtype


_name = functools.cache(lambda dtype: dtype.name)  # NumPy makes the name anew each time, in microseconds


def numpy(x):
    return np.asarray(x)


_STATIC = frozenset((int, float, bool, str, type(None)))
_MOST = 64  # programs of one op; what comes after them runs step by step


def eager(function):
    """`function` for calls on concrete arrays as one program, where JAX would dispatch each step of it by itself.

    There is a program for each choice of the other arguments. What finds its shape in the values, gives more than arrays or draws from a seed
    runs as it is.
    """
    code = getattr(function, "__code__", None)
    if hasattr(function, "lower") or (code and "seed" in code.co_varnames[: code.co_argcount]):
        return function
    programs, version = {}, None

    def call(*args, **kwargs):
        nonlocal version
        if version != settings.version():
            programs.clear()
            version = settings.version()
        arrays, form = [], [*kwargs]
        for x in (*args, *kwargs.values()) if kwargs else args:
            kind = type(x)
            if kind is ARRAY:
                arrays.append(x)
                form.append(ARRAY)
            elif kind in _STATIC:
                form.append(kind)
                form.append(repr(x) if kind is float else x)  # 0.0 is -0.0 as a key, and NaN is not itself
            elif (kind is list or kind is tuple) and {ARRAY}.issuperset(map(type, x)) and x:
                arrays.append(x)
                form.append(kind)
            elif (kind is list or kind is tuple) and _STATIC.issuperset(map(type, x)):
                form.append(repr(x))
            else:
                return function(*args, **kwargs)
        form = tuple(form)
        program = programs.get(form)
        if program is None and arrays and len(programs) < _MOST:
            program = programs[form] = _program(function, args, kwargs)
        if not program:
            return function(*args, **kwargs)
        try:
            return program(*arrays)
        except (TypeError, ValueError, IndexError):
            out = function(*args, **kwargs)  # a mistake of the caller's is told again, without the program around it
            programs[form] = False
            return out

    return call


def _program(function, args, kwargs):
    """`function` compiled as a function of the arrays, and lists of arrays, among its arguments."""
    values, names, count = [*args, *kwargs.values()], [*kwargs], len(args)
    places = [i for i, x in enumerate(values) if type(x) is ARRAY or (isinstance(x, (list, tuple)) and x and type(x[0]) is ARRAY)]
    for i in places:
        values[i] = None

    def run(*arrays):
        given = values.copy()
        for i, x in zip(places, arrays, strict=True):
            given[i] = x
        out = function(*given[:count], **dict(zip(names, given[count:], strict=True)))
        if not builtins.all(isinstance(leaf, jax.Array) for leaf in tree.flatten(out)):
            raise TypeError("A program gives arrays alone.")
        return out

    return jax.jit(run)


def profile(folder):
    """While the `with` lasts, JAX's profiler writes into `folder` what TensorBoard's profile plug-in shows."""
    return jax.profiler.trace(folder)


def copy(x):
    return jnp.array(x, copy=True)


def jax_key(words):
    """A key of `jax.random` from two 32-bit words, for functions of JAX that a user brings."""
    return jnp.asarray(words, jnp.uint32)


def block(tree):
    jax.block_until_ready(tree)


def devices():
    return [f"{device.platform}:{device.id} ({device.device_kind})" if device.platform != "cpu" else f"cpu:{device.id}" for device in jax.devices()]


def device_scope(name):
    """Arrays are made on the device `name`: `"cpu"`, `"gpu:0"`, `"tpu:3"`."""
    platform, _, index = name.lower().partition(":")
    try:
        device = jax.devices({"cuda": "gpu"}.get(platform, platform))[int(index or 0)]
    except (RuntimeError, IndexError, ValueError):
        known = ", ".join(f"{device.platform}:{device.id}" for device in jax.devices())
        raise ValueError(f"device: wanted one of {known}; got {name!r}.") from None
    return jax.default_device(device)


# Elementwise

globals().update({name: getattr(jnp, name) for name in """
    negative abs sign exp expm1 log log1p log2 log10 sqrt square reciprocal sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh
    arctanh floor ceil round trunc isnan isinf isfinite logical_not bitwise_not real imag conj add subtract multiply divide floor_divide mod
    power maximum minimum arctan2 equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor bitwise_and
    bitwise_or bitwise_xor left_shift right_shift nextafter where""".split()})  # fmt: skip
sigmoid, rsqrt, erf, erfinv, lgamma, digamma = jax.nn.sigmoid, lax.rsqrt, lax.erf, lax.erf_inv, lax.lgamma, lax.digamma


def cast(x, dtype):
    return x.astype(dtype)


# Making


def full(shape, value, dtype):
    return jnp.full(shape, value, dtype)


def arange(start, stop, step, dtype):
    return jnp.arange(start, stop, step, dtype)


def iota(shape, axis, dtype):
    return lax.broadcasted_iota(dtype, shape, axis)


# Reductions


def sum(x, axes, keepdims):
    return jnp.sum(x, axes, x.dtype, keepdims=keepdims)


def prod(x, axes, keepdims):
    return jnp.prod(x, axes, x.dtype, keepdims=keepdims)


def max(x, axes, keepdims):
    return jnp.max(x, axes, keepdims=keepdims)


def min(x, axes, keepdims):
    return jnp.min(x, axes, keepdims=keepdims)


def any(x, axes, keepdims):
    return jnp.any(x, axes, keepdims=keepdims)


def all(x, axes, keepdims):
    return jnp.all(x, axes, keepdims=keepdims)


def argmax(x, axis, keepdims):
    return jnp.argmax(x, axis, keepdims=keepdims).astype("int32")


def argmin(x, axis, keepdims):
    return jnp.argmin(x, axis, keepdims=keepdims).astype("int32")


def cumsum(x, axis):
    if not CPU or x.dtype not in ("float32", "float64") or x.shape[axis] < 2 * _BLOCK or not x.size:
        return lax.cumsum(x, axis)
    return _cumsum(axis % x.ndim)(x)


_BLOCK = 32  # numbers whose sums are a product with a triangle of ones


@functools.cache
def _cumsum(axis):
    """By blocks, which takes half the time of XLA's own or less; that where a number is not finite, since 0 times infinity is NaN."""

    def blocks(x):
        x = jnp.pad(x, [*[(0, 0)] * (x.ndim - 1), (0, -x.shape[-1] % _BLOCK)])
        return (x.reshape(-1, _BLOCK) @ np.triu(np.ones((_BLOCK, _BLOCK), x.dtype))).reshape(*x.shape[:-1], -1, _BLOCK)

    def joined(y, count):
        totals = y[..., :-1, -1]
        before = joined(blocks(totals), totals.shape[-1]) if totals.shape[-1] else totals
        before = jnp.pad(before, [*[(0, 0)] * (before.ndim - 1), (1, 0)])
        return (y + before[..., None]).reshape(*y.shape[:-2], -1)[..., :count]

    def function(x):
        moved = jnp.moveaxis(x, axis, -1)
        y = blocks(moved)
        finite = jnp.isfinite(y[..., -1]).all()
        return lax.cond(finite, lambda x, y: jnp.moveaxis(joined(y, moved.shape[-1]), -1, axis), lambda x, y: lax.cumsum(x, axis), x, y)

    return with_gradient(function, lambda x: (function(x), ()), lambda _, gradient: (lax.cumsum(gradient, axis, reverse=True),))


def cumprod(x, axis):
    return lax.cumprod(x, axis)


# Order


def _ordered(x):
    """Whole numbers in the order of the float32 numbers `x`, NaN last, which XLA sorts on a CPU in a quarter of the time; and back again."""
    bits = lax.bitcast_convert_type(x, "int32") if x.dtype == "float32" else x
    bits = jnp.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
    return bits if x.dtype == "float32" else lax.bitcast_convert_type(bits, "float32")


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def sort(x, axis):
    if not CPU or x.dtype != "float32":
        return jnp.sort(x, axis)
    return _ordered(lax.sort(_ordered(jnp.where(jnp.isnan(x), jnp.nan, x)), axis % x.ndim, is_stable=False))


@sort.defjvp
def _sort_forward(axis, primals, tangents):
    order = argsort(primals[0], axis)
    return jnp.take_along_axis(primals[0], order, axis), jnp.take_along_axis(tangents[0], order, axis)


def argsort(x, axis):
    if not CPU or x.dtype not in ("float32", "int32") or not hasattr(jax, "enable_x64"):  # which JAX has from 0.8 on
        return jnp.argsort(x, axis, stable=True).astype("int32")
    keys = x if x.dtype == "int32" else _ordered(jnp.where(jnp.isnan(x), jnp.nan, jnp.where(x == 0, 0, x)))
    with jax.enable_x64(True):  # the place in the low bits: XLA sorts numbers in a fifth of the time of pairs
        places = lax.broadcasted_iota("int64", x.shape, axis % x.ndim)
        found = lax.sort((lax.convert_element_type(keys, "int64") << np.int64(32)) | places, axis % x.ndim, is_stable=False)
        return lax.convert_element_type(found & np.int64(2**32 - 1), "int32")


def top_k(x, k):
    return tuple(lax.top_k(x, k))


# Movement

reshape, transpose, broadcast_to, flip = jnp.reshape, jnp.transpose, jnp.broadcast_to, lax.rev


def pad(x, widths, value):
    return lax.pad(x, jnp.asarray(value, x.dtype), [(low, high, 0) for low, high in widths])


def bitcast(x, dtype):
    return x.view(dtype)


def dilate(x, steps):
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, step - 1) for step in steps])


def slice(x, starts, stops, strides):
    ranges = [range(size)[builtins.slice(*place)] for size, *place in zip(x.shape, starts, stops, strides, strict=True)]
    return lax.slice(x, [r.start for r in ranges], [builtins.max(r.start, r.stop) for r in ranges], strides)


def concatenate(xs, axis):
    return lax.concatenate(xs, axis)


def take(x, indices, axis):
    """An index out of range gives NaN (for integers the least number), so that it is seen."""
    return jnp.take(x, indices, axis, mode="fill")


def take_along_axis(x, indices, axis):
    return jnp.take_along_axis(x, indices, axis)


def getitem(x, key):
    return x[key]


def scatter(x, indices, updates, mode):
    place = x.at[tuple(jnp.moveaxis(indices, -1, 0))]
    return {"update": place.set, "add": place.add, "maximum": place.max, "minimum": place.min, "multiply": place.multiply}[mode](updates)


def dynamic_slice(x, starts, sizes):
    return lax.dynamic_slice(x, starts, sizes)


def dynamic_update_slice(x, update, starts):
    return lax.dynamic_update_slice(x, update, starts)


# Products


matmul, einsum = (jax_products.matmul, jax_products.einsum) if CPU else (jnp.matmul, lambda equation, xs: jnp.einsum(equation, *xs))
conv = jax_convolution.conv if CPU else jax_convolution.plain_conv


# Windows


def max_pool(x, size, strides, padding):
    if CPU and x.size:
        return jax_convolution.max_pool(x, size, strides, padding)
    least = -np.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
    return lax.reduce_window(x, np.array(least, x.dtype), lax.max, (1, *size, 1), (1, *strides, 1), ((0, 0), *padding, (0, 0)))


def sum_pool(x, size, strides, padding):
    if CPU and x.size and builtins.any(window > stride for window, stride in zip(size, strides, strict=True)):
        return jax_convolution.sum_pool(x, size, strides, padding)
    return lax.reduce_window(x, np.array(0, x.dtype), lax.add, (1, *size, 1), (1, *strides, 1), ((0, 0), *padding, (0, 0)))


# Linear algebra

cholesky, inv, det, solve = jnp.linalg.cholesky, jnp.linalg.inv, jnp.linalg.det, jnp.linalg.solve
fft, ifft = jnp.fft.fft, jnp.fft.ifft


def qr(x, complete):
    return tuple(jnp.linalg.qr(x, "complete" if complete else "reduced"))


def lu(x):
    factors, pivots, _ = lax.linalg.lu(x)
    return factors, pivots


@jax.custom_jvp
def eig(x):
    return tuple(jnp.linalg.eig(x))


@eig.defjvp
def _eig_forward(primals, tangents):
    """JAX has no derivative of it. Vectors are determined up to a phase: this is for functions that do not depend on it."""
    w, v = eig(*primals)
    turned = jnp.linalg.solve(v, tangents[0].astype(v.dtype) @ v)
    gaps = w[..., None, :] - w[..., :, None]
    change = v @ jnp.where(gaps == 0, 0, turned / jnp.where(gaps == 0, 1, gaps))
    length = jnp.real(jnp.sum(jnp.conj(v) * change, -2, keepdims=True))
    return (w, v), (jnp.diagonal(turned, axis1=-2, axis2=-1), change - v * length)


def svd(x, full_matrices, compute_uv):
    found = jnp.linalg.svd(x, full_matrices, compute_uv)
    return tuple(found) if compute_uv else found


def eigh(x):
    return tuple(jnp.linalg.eigh(x))


def triangular_solve(a, b, lower):
    return jax.scipy.linalg.solve_triangular(a, b, lower=lower)


# Control flow

stop_gradient = lax.stop_gradient


def cond(predicate, if_true, if_false):
    return lax.cond(predicate, if_true, if_false)


def while_loop(test, body, state):
    return lax.while_loop(test, body, state)


def scan(body, state, xs, length, reverse):
    return lax.scan(body, state, xs, length, reverse)


def vectorize(function, in_axes):
    return jax.vmap(function, in_axes)


def custom_gradient(function, arguments):
    return jax.custom_gradient(function)(*arguments)


def jvp(function, primals, tangents, has_aux):
    return jax.jvp(function, primals, tangents, has_aux)


def remat(function, arguments):
    return jax.checkpoint(function)(*arguments)


# What the engine has in a form of its own


def _crossentropy_of_classes(target, output, from_logits=False, axis=-1):
    """By a gather, whose gradient takes two thirds of the time."""
    if not from_logits or output.dtype not in ("float32", "float64") or axis not in (-1, output.ndim - 1) or not (output.size and output.ndim):
        return NotImplemented
    target = target.reshape(target.shape[:-1]) if target.shape == (*output.shape[:-1], 1) else target
    if target.shape != output.shape[:-1] or not jnp.issubdtype(target.dtype, jnp.signedinteger):
        return NotImplemented
    inside = (target >= 0) & (target < output.shape[-1])
    shifted = output - stop_gradient(output.max(-1, keepdims=True))
    found = jnp.take_along_axis(shifted, jnp.where(inside, target, 0)[..., None], -1)[..., 0]
    return jnp.where(inside, jnp.log(jnp.exp(shifted).sum(-1)) - found, 0)


relu = jax.nn.relu  # its gradient at 0 is 0, that of a maximum one half
if CPU:
    moments, layer_normalization, softmax = jax_normalization.moments, jax_normalization.layer_normalization, jax_normalization.softmax
    normalize_by_batch, rms_normalization = jax_normalization.normalize_by_batch, jax_normalization.rms_normalization
    relu, relu6 = jax_normalization.relu, jax_normalization.relu6
    dot_product_attention, sparse_categorical_crossentropy = jax_attention.dot_product_attention, _crossentropy_of_classes
    recurrent, recurrent_refusal = jax_recurrent.recurrent, jax_recurrent.refusal


# Gradients and compiling


def value_and_grad(function, arrays):
    return jax.value_and_grad(function, has_aux=True)(arrays)


_MANY_CORES = 3  # from which on XLA's own convolutions take less time than YNNPACK's


@functools.cache
def _options():
    """XLA's options for programs, None where its own choice stands.

    Of convolutions it chooses YNNPACK's, which run on one core and take a fifth less of it than its own, which run on all.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not CPU or cores < _MANY_CORES:
        return None
    options = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT,LIBRARY_FUSION_TYPE_REDUCE"}  # else they stay with YNNPACK
    try:
        jax.jit(lambda: 0, compiler_options=options).lower().compile()
    except jax.errors.JaxRuntimeError:  # an XLA that does not know them
        return None
    return options


def compile(function, donate=()):
    return jax.jit(function, donate_argnums=donate, compiler_options=_options())


_SMALL = 2**16  # numbers of a weight above which XLA's kernels on flat arrays cost more than they save: they compute slots twice and copy them in loops


def joined(function, elementwise):
    """`function`, traced once inside of a program for all weights of one shape, or of one size where the shape does not matter: XLA compiles each form anew."""
    made = {}

    def call(*values, **rest):
        if not isinstance(values[0], jax.core.Tracer):
            return function(*values, **rest)
        flat = elementwise and values[0].size <= _SMALL and builtins.all(x.shape == values[0].shape for x in values)
        traced = {name: x for name, x in rest.items() if isinstance(x, jax.Array)}
        fixed = {name: x for name, x in rest.items() if name not in traced}  # Python's numbers take no part in promotion
        key = tuple(fixed.items())
        if key not in made:
            made[key] = jax.jit(lambda values, traced: function(*values, **traced, **fixed))
        if not flat:
            return made[key](list(values), traced)
        found = made[key]([lax.reshape(x, (x.size,)) for x in values], traced)
        return jax.tree.map(lambda x: lax.reshape(x, values[0].shape), found)

    return call


def repeat(step, state, batches, length):
    state, logs = lax.scan(step, state, batches, length)
    return state, jax.tree.map(lambda log: log[-1], logs)


def infer(function, specs):
    """The Specs of `function(*specs)`: evaluated for two lengths of every unknown size, and a size that differs is unknown."""
    leaves = tree.flatten(specs)
    places = [i for i, leaf in enumerate(leaves) if type(leaf) is Spec]

    def outputs(filling):
        def run(*arrays):
            filled = dict(zip(places, arrays, strict=True))
            return function(*tree.pack_sequence_as(specs, [filled.get(i, leaf) for i, leaf in enumerate(leaves)]))

        structs = [jax.ShapeDtypeStruct([filling if n is UNKNOWN else n for n in leaves[i].shape], leaves[i].dtype) for i in places]
        with scopes.outside("SymbolicScope"), scopes.StatelessScope():
            return jax.eval_shape(run, *structs)

    def spec(one, other):
        return Spec([n if n == m else UNKNOWN for n, m in zip(one.shape, other.shape, strict=True)], one.dtype.name)

    return jax.tree.map(spec, outputs(1031), outputs(2053))
