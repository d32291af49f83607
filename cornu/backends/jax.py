"""JAX: the default engine. Everything is a traced, compiled XLA program; arrays never change in place."""

import builtins

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from cornu import scopes, tree
from cornu.shapes import UNKNOWN, Spec

NAME = "jax"
WIDE = bool(jax.config.jax_enable_x64)
COMPILES = True
ARRAY = type(jnp.zeros(()))


# Arrays


def array(x, dtype=None):
    """An array from lists, scalars, NumPy arrays and arrays of JAX. NumPy's memory is copied: the caller may write to it later."""
    if isinstance(x, jax.Array):
        return x if dtype is None or x.dtype == dtype else x.astype(dtype)
    return jnp.array(x, dtype)


def is_array(x):
    return isinstance(x, jax.Array)


def dtype(x):
    return x.dtype.name


def numpy(x):
    return np.asarray(x)


def copy(x):
    return jnp.array(x, copy=True)


def block(tree):
    jax.block_until_ready(tree)


def device_scope(name):
    """Arrays are made on the device `name`: `"cpu"`, `"gpu:0"`, `"tpu:3"`."""
    platform, _, index = name.lower().partition(":")
    return jax.default_device(jax.devices({"cuda": "gpu"}.get(platform, platform))[int(index or 0)])


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
    return lax.cumsum(x, axis)


def cumprod(x, axis):
    return lax.cumprod(x, axis)


# Order


def sort(x, axis):
    return jnp.sort(x, axis)


def argsort(x, axis):
    return jnp.argsort(x, axis, stable=True).astype("int32")


def top_k(x, k):
    return tuple(lax.top_k(x, k))


# Movement

reshape, transpose, broadcast_to, flip = jnp.reshape, jnp.transpose, jnp.broadcast_to, lax.rev


def pad(x, widths, value):
    return lax.pad(x, jnp.asarray(value, x.dtype), [(low, high, 0) for low, high in widths])


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


def matmul(x, y):
    return jnp.matmul(x, y)


def einsum(equation, xs):
    return jnp.einsum(equation, *xs)


def conv(x, kernel, strides, padding, dilation, groups):
    space = "DHW"[-len(strides) :]
    numbers = (f"N{space}C", f"{space}IO", f"N{space}C")
    return lax.conv_general_dilated(x, kernel, strides, padding, None, dilation, numbers, groups)


# Windows


def max_pool(x, size, strides, padding):
    least = -np.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
    return lax.reduce_window(x, np.array(least, x.dtype), lax.max, (1, *size, 1), (1, *strides, 1), ((0, 0), *padding, (0, 0)))


def sum_pool(x, size, strides, padding):
    return lax.reduce_window(x, np.array(0, x.dtype), lax.add, (1, *size, 1), (1, *strides, 1), ((0, 0), *padding, (0, 0)))


# Linear algebra

cholesky, inv, det, solve = jnp.linalg.cholesky, jnp.linalg.inv, jnp.linalg.det, jnp.linalg.solve
fft, ifft = jnp.fft.fft, jnp.fft.ifft


def qr(x):
    return tuple(jnp.linalg.qr(x))


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


def remat(function, arguments):
    return jax.checkpoint(function)(*arguments)


# Gradients and compiling


def value_and_grad(function, arrays):
    return jax.value_and_grad(function, has_aux=True)(arrays)


def compile(function, donate=()):
    return jax.jit(function, donate_argnums=donate)


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
        with scopes.StatelessScope():
            return jax.eval_shape(run, *structs)

    def spec(one, other):
        return Spec([n if n == m else UNKNOWN for n, m in zip(one.shape, other.shape, strict=True)], one.dtype.name)

    return jax.tree.map(spec, outputs(1031), outputs(2053))
