"""JAX: the default engine. Everything is a traced, compiled XLA program; arrays never change in place.

On a CPU, XLA's code for some forms is 2 to 600 times slower than for others of the same meaning (benchmarks/ops_traps.py measures them): gradients
of pooling, depthwise and grouped convolutions, convolutions on small maps, gradients of convolutions inside loops, products of many axes. Those are
written here in the form that is fast. GPUs and TPUs have libraries for the plain forms and keep them.
"""

import builtins
import functools
import hashlib
import itertools
import math
import os
import platform

import jax
import jax.numpy as jnp  # pyright: ignore[reportMissingImports]
import numpy as np
from jax import lax

from cornu import scopes, settings, tree
from cornu.backends import memory
from cornu.shapes import UNKNOWN, Spec


def _keep_programs():
    """Have JAX keep compiled programs in a folder, so that the second run of a script compiles nothing.

    The folder is `CORNU_CACHE`, else `cornu` in `XDG_CACHE_HOME` or `~/.cache`; each kind of processor has its own inside, since programs differ.
    """
    root = os.environ.get("CORNU_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "cornu")
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            processor = next((line for line in file if line.startswith(("flags", "Features"))), "")
    except OSError:
        processor = platform.processor()
    machine = hashlib.sha256(f"{platform.platform()} {processor}".encode()).hexdigest()[:12]
    folder = os.path.join(root, "programs", f"jax-{jax.__version__}-{machine}")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError:
        return
    if os.access(folder, os.W_OK):
        jax.config.update("jax_compilation_cache_dir", folder)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


memory.keep()
if os.environ.get("CORNU_COMPILATION_CACHE") != "0" and jax.config.jax_compilation_cache_dir is None:
    _keep_programs()

CPU = jax.default_backend() == "cpu"
NAME = "jax"
WIDE = bool(jax.config.jax_enable_x64)
COMPILES = True
HOST = CPU  # whether arrays lie in the host's memory
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
    if isinstance(function, jax.stages.Wrapped) or (code and "seed" in code.co_varnames[: code.co_argcount]):
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


def matmul(x, y):
    if CPU and x.ndim > 2 and y.ndim == 2 and x.size:
        return _product(x.reshape(-1, x.shape[-1]), y).reshape(*x.shape[:-1], y.shape[-1])
    return jnp.matmul(x, y)


@jax.custom_vjp
def _product(x, y):
    """The product of two matrices, `x` tall. Its gradient by a `y` taller than wide is computed transposed, which is up to twice as fast."""
    return jnp.matmul(x, y)


def _product_backward(residuals, gradient):
    x, y = residuals
    tall = y.shape[0] > y.shape[1]
    by_y = lax.optimization_barrier(jnp.matmul(gradient.T, x)).T if tall else jnp.matmul(x.T, gradient)
    return jnp.matmul(gradient, y.T), by_y


_product.defvjp(lambda x, y: (_product(x, y), (x, y)), _product_backward)


def einsum(equation, xs):
    inputs, output = equation.split("->")
    if CPU and len(xs) == 2:
        left, right = inputs.split(",")
        shared = set(left) & set(right)
        distinct = len(set(left)) == len(left) and len(set(right)) == len(right)
        if distinct and shared and set(output) == set(left) ^ set(right):  # no axis of a batch, none only summed over
            return _einsum_as_product(left, right, output, *xs)
    return jnp.einsum(equation, *xs)


def _einsum_as_product(left, right, output, x, y):
    """A contraction without batch axes as the product of two matrices."""
    rows, shared, columns = ([c for c in left if c not in right], [c for c in left if c in right], [c for c in right if c not in left])
    sizes = dict(zip(left + right, x.shape + y.shape, strict=True))
    inner = math.prod(sizes[c] for c in shared)
    x = x.transpose([left.index(c) for c in rows + shared]).reshape(math.prod(sizes[c] for c in rows), inner)
    y = y.transpose([right.index(c) for c in shared + columns]).reshape(inner, math.prod(sizes[c] for c in columns))
    product = _product(x, y).reshape([sizes[c] for c in rows + columns])
    return product.transpose([(rows + columns).index(c) for c in output])


def conv(x, kernel, strides, padding, dilation, groups):
    strides, padding, dilation = tuple(strides), tuple(map(tuple, padding)), tuple(dilation)
    form = _conv_form(x, kernel, strides, padding, dilation, groups) if CPU else _plain_conv
    return form(x, kernel, strides, padding, dilation, groups)


def _plain_conv(x, kernel, strides, padding, dilation, groups=1, input_dilation=None):
    space = "DHW"[-len(strides) :]
    numbers = (f"N{space}C", f"{space}IO", f"N{space}C")
    return lax.conv_general_dilated(x, kernel, strides, padding, input_dilation, dilation, numbers, groups)


def _conv_form(x, kernel, strides, padding, dilation, groups):
    """The form of a convolution that XLA runs fast on a CPU."""
    window, output = kernel.shape[:-2], _output_sizes(x.shape[1:-1], kernel.shape[:-2], strides, padding, dilation)
    if not x.size or not kernel.size or builtins.min(output) < 1:
        return _plain_conv
    if groups > 1:
        return _conv_as_shifts if kernel.shape[-2] == 1 else _conv_of_groups
    if builtins.max(window) == 1:
        return _conv_as_product
    if len(window) > 2:
        return _conv_of_planes
    if builtins.any(k > n or k > (o - 1) * s + 1 for k, n, o, s in zip(window, x.shape[1:-1], output, strides, strict=True)):
        return _conv_as_patches
    return _conv


def _output_sizes(sizes, window, strides, padding, dilation):
    return [(n + low + high - (k - 1) * d - 1) // s + 1 for n, k, s, (low, high), d in zip(sizes, window, strides, padding, dilation, strict=True)]


def _shifts(x, window, strides, padding, dilation):
    """For each place in a window, what it sees of `x` as the window moves: arrays of (N, *output, C)."""
    output = _output_sizes(x.shape[1:-1], window, strides, padding, dilation)
    x = pad(x, ((0, 0), *padding, (0, 0)), 0)
    for place in itertools.product(*map(range, window)):
        starts = [i * d for i, d in zip(place, dilation, strict=True)]
        stops = [start + (n - 1) * s + 1 for start, n, s in zip(starts, output, strides, strict=True)]
        yield lax.slice(x, (0, *starts, 0), (x.shape[0], *stops, x.shape[-1]), (1, *strides, 1))


def _conv_as_product(x, kernel, strides, padding, dilation, groups):
    """A window of one place is a dense layer."""
    (seen,) = _shifts(x, kernel.shape[:-2], strides, padding, dilation)
    return matmul(seen, kernel.reshape(kernel.shape[-2:]))


def _conv_as_patches(x, kernel, strides, padding, dilation, groups):
    """One product over all that the windows see; worth its memory where maps are smaller than the kernel."""
    patches = lax.concatenate(list(_shifts(x, kernel.shape[:-2], strides, padding, dilation)), x.ndim - 1)
    return matmul(patches, kernel.reshape(-1, kernel.shape[-1]))


def _conv_as_shifts(x, kernel, strides, padding, dilation, groups):
    """Depthwise: the kernel's places one by one, each a product by element."""
    if kernel.shape[-1] > groups:
        x = jnp.repeat(x, kernel.shape[-1] // groups, -1)
    return _depthwise(x, kernel.reshape(*kernel.shape[:-2], -1), strides, padding, dilation)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def _depthwise(x, kernel, strides, padding, dilation):
    weights = kernel.reshape(-1, kernel.shape[-1])
    shifts = _shifts(x, kernel.shape[:-1], strides, padding, dilation)
    return functools.reduce(lax.add, [seen * weight for seen, weight in zip(shifts, weights, strict=True)])


def _depthwise_backward(strides, padding, dilation, residuals, gradient):
    x, kernel = residuals
    ones, ends = (1,) * len(strides), _input_gradient_ends(x.shape, kernel.shape, gradient.shape, strides, padding, dilation)
    by_x = _depthwise(dilate(gradient, (1, *strides, 1)), lax.rev(kernel, range(len(strides))), ones, ends, dilation)

    def add_example(totals, example):  # one total for each place of the kernel, of the size of the output: long sums by element are fast, short ones are not
        x, gradient = example
        shifts = _shifts(x[None], kernel.shape[:-1], strides, padding, dilation)
        return [total + seen[0] * gradient for total, seen in zip(totals, shifts, strict=True)], None

    totals = [jnp.zeros(gradient.shape[1:], x.dtype)] * math.prod(kernel.shape[:-1])
    totals, _ = lax.scan(add_example, totals, (x, gradient))
    return by_x, jnp.stack([total.sum(range(len(strides))) for total in totals]).reshape(kernel.shape)


_depthwise.defvjp(lambda x, kernel, *static: (_depthwise(x, kernel, *static), (x, kernel)), _depthwise_backward)


def _conv_of_groups(x, kernel, strides, padding, dilation, groups):
    """Each group by itself."""
    parts = zip(jnp.split(x, groups, -1), jnp.split(kernel, groups, -1), strict=True)
    return lax.concatenate([conv(part, weights, strides, padding, dilation, 1) for part, weights in parts], x.ndim - 1)


def _conv_of_planes(x, kernel, strides, padding, dilation, groups):
    """In three dimensions: one convolution of planes, which has the planes that a window covers side by side as its channels."""
    depth, channels, filters = kernel.shape[0], *kernel.shape[-2:]
    (stride, *strides), (ends, *padding), (step, *dilation) = strides, padding, dilation
    ones = (1,) * len(strides)
    planes = lax.concatenate(list(_shifts(x, (depth, *ones), (stride, *ones), (ends, *[(0, 0)] * len(ones)), (step, *ones))), x.ndim - 1)
    kernel = jnp.moveaxis(kernel, 0, -3).reshape(*kernel.shape[1:-2], depth * channels, filters)
    y = conv(planes.reshape(-1, *planes.shape[2:]), kernel, strides, padding, dilation, 1)
    return y.reshape(*planes.shape[:2], *y.shape[1:])


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4, 5))
def _conv(x, kernel, strides, padding, dilation, groups):
    """A convolution whose gradients are convolutions in the order of axes that XLA runs fast; it reorders by itself only outside loops."""
    return _plain_conv(x, kernel, strides, padding, dilation)


def _conv_backward(strides, padding, dilation, groups, residuals, gradient):
    x, kernel = residuals
    return (
        _conv_input_gradient(x.shape, kernel, gradient, strides, padding, dilation),
        _conv_kernel_gradient(x, kernel.shape, gradient, strides, padding, dilation),
    )


_conv.defvjp(lambda x, kernel, *static: (_conv(x, kernel, *static), (x, kernel)), _conv_backward)


def _conv_input_gradient(shape, kernel, gradient, strides, padding, dilation):
    """The gradient spread by the strides, convolved with the kernel turned round."""
    rank = len(strides)
    ends = _input_gradient_ends(shape, kernel.shape, gradient.shape, strides, padding, dilation)
    turned = jnp.swapaxes(lax.rev(kernel, range(rank)), -1, -2)
    return _plain_conv(gradient, turned, (1,) * rank, ends, dilation, input_dilation=strides)


def _input_gradient_ends(shape, kernel, gradient, strides, padding, dilation):
    """What to pad the spread gradient with, for the gradient by an input of `shape`."""
    sizes = zip(shape[1:-1], kernel, strides, padding, dilation, gradient[1:-1], strict=False)
    return tuple(((k - 1) * d - low, n + low - (o - 1) * s - 1) for n, k, s, (low, _), d, o in sizes)


def _conv_kernel_gradient(x, shape, gradient, strides, padding, dilation):
    """The input convolved with the gradient, with channels as the batch and the batch as channels.

    A few rows of the gradient at a time: a sum over more than some 2,000 places falls out of the cache.
    """
    rank, (batch, rows, *columns) = len(strides), gradient.shape[:-1]
    at_once = builtins.max(1, builtins.min(2048, 2**19 // shape[-1]) // math.prod((batch, *columns)))
    parts = -(-rows // at_once)
    at_once = -(-rows // parts)
    x, gradient = jnp.swapaxes(x, 0, -1), jnp.moveaxis(gradient, 0, -2)
    sizes = zip(x.shape[1:-1], shape[:rank], strides, padding, dilation, (parts * at_once, *columns), strict=True)
    ends = [(low, (o - 1) * s + (k - 1) * d + 1 - n - low) for n, k, s, (low, _), d, o in sizes]
    if parts == 1:
        product = _plain_conv(x, gradient, dilation, ends, strides)
    else:
        x = pad(x, ((0, 0), ends[0], *[(0, 0)] * rank), 0)
        gradient = pad(gradient, ((0, parts * at_once - rows), *[(0, 0)] * (rank + 1)), 0).reshape(parts, at_once, *gradient.shape[1:])
        height = (at_once - 1) * strides[0] + (shape[0] - 1) * dilation[0] + 1

        def add_part(total, part):
            start, gradient = part
            seen = lax.dynamic_slice_in_dim(x, start, height, 1)
            return total + _plain_conv(seen, gradient, dilation, ((0, 0), *ends[1:]), strides), None

        total = jnp.zeros((shape[-2], *shape[:rank], shape[-1]), x.dtype)
        product, _ = lax.scan(add_part, total, (jnp.arange(parts) * (at_once * strides[0]), gradient))
    return jnp.moveaxis(product, 0, -2)


# Windows


def max_pool(x, size, strides, padding):
    least = -np.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
    if CPU and x.size:
        return _pool(x, size, strides, padding, least, lambda best, part: jnp.where((part > best) | (part != part), part, best))
    return lax.reduce_window(x, np.array(least, x.dtype), lax.max, (1, *size, 1), (1, *strides, 1), ((0, 0), *padding, (0, 0)))


def sum_pool(x, size, strides, padding):
    if CPU and x.size and builtins.any(window > stride for window, stride in zip(size, strides, strict=True)):
        return _pool(x, size, strides, padding, 0, lax.add)
    return lax.reduce_window(x, np.array(0, x.dtype), lax.add, (1, *size, 1), (1, *strides, 1), ((0, 0), *padding, (0, 0)))


def _pool(x, size, strides, padding, neutral, combine):
    """Windows as strided slices combined axis by axis. Of equal greatest values the first gets the gradient, and NaN wins, as in the plain form."""
    x = pad(x, ((0, 0), *padding, (0, 0)), neutral)
    for axis in range(len(size), 0, -1):
        window, stride = size[axis - 1], strides[axis - 1]
        reach = (x.shape[axis] - window) // stride * stride + 1
        x = functools.reduce(combine, [lax.slice_in_dim(x, i, i + reach, stride, axis) for i in range(window)])
    return x


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
        with scopes.outside("SymbolicScope"), scopes.StatelessScope():
            return jax.eval_shape(run, *structs)

    def spec(one, other):
        return Spec([n if n == m else UNKNOWN for n, m in zip(one.shape, other.shape, strict=True)], one.dtype.name)

    return jax.tree.map(spec, outputs(1031), outputs(2053))
