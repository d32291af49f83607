"""PyTorch: each op runs at once, gradients come from PyTorch's own tape; `jit_compile=True` goes through `torch.compile`.

Types that PyTorch can keep but hardly compute with (unsigned integers beyond 8 bits, float8) are computed in a wider one and cast back.
Arrays are made on the first GPU that PyTorch sees, else on the CPU; `cornu.device` names another place.
"""

import builtins
import contextlib
import functools
import importlib
import math

import ml_dtypes
import numpy as np
import torch
from torch.nn import functional as F  # pyright: ignore[reportMissingImports]
from torch.utils.checkpoint import checkpoint  # pyright: ignore[reportMissingImports]

from cornu import tree
from cornu.backends import memory, stepwise, torch_modules, torch_records, torch_recurrent, torch_updates, widening
from cornu.backends.torch_overrides import (  # noqa: F401  an op of that name is served by them
    batch_normalization,
    binary_crossentropy,
    celu,
    dot_product_attention,
    dropout,
    elu,
    gelu,
    glu,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_tanh,
    layer_normalization,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    logsumexp,
    mean,
    normalize_by_batch,
    random_bits,
    relu,
    relu6,
    resize,
    rms_normalization,
    selu,
    silu,
    soft_shrink,
    softmax,
    softplus,
    sparse_categorical_crossentropy,
)

memory.keep()

NAME = "torch"
WIDE = True
COMPILES = False
ARRAY = (torch.Tensor, torch.nn.Parameter)

_NAMES = """bool uint8 uint16 uint32 uint64 int8 int16 int32 int64 float8_e4m3fn float8_e5m2 bfloat16 float16 float32 float64 complex64 complex128""".split()
DTYPES = {name: getattr(torch, name) for name in _NAMES}
_NAME = {dtype: name for name, dtype in DTYPES.items()}
_HOLDERS = {torch.bfloat16: np.uint16, torch.float8_e4m3fn: np.uint8, torch.float8_e5m2: np.uint8}  # what NumPy holds the bits of the types of ml_dtypes in
_KEPT = {}  # NumPy's type -> PyTorch's, for those that it takes as they are
_WIDER = {  # a type that PyTorch hardly computes in -> the type to compute in
    torch.uint16: torch.int32,
    torch.uint32: torch.int64,
    torch.uint64: torch.int64,
    torch.float8_e4m3fn: torch.float32,
    torch.float8_e5m2: torch.float32,
}


def _best_device():
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


_device = _best_device()
HOST = _device.type == "cpu"


# Arrays


def array(x, dtype=None):
    """A tensor from lists, scalars, NumPy arrays (copied: the caller may write to them later) and tensors."""
    wanted = DTYPES[dtype] if dtype else None
    if isinstance(x, torch.Tensor):
        return x if wanted is None or x.dtype is wanted else cast(x, dtype)
    return share(np.array(x, dtype))


def share(x):
    """A tensor over the memory of the NumPy array `x` where that can be."""
    x = np.asarray(x)
    kept = _KEPT.get(x.dtype)
    if kept is None:
        if x.dtype.kind in "USO":
            raise TypeError(f"The torch backend has no tensors of text or objects; got an array of {x.dtype}.")
        x = x.astype(x.dtype.newbyteorder("="))
        kept = _KEPT[x.dtype] = DTYPES[x.dtype.name]
    if not x.flags.writeable or builtins.any(step < 0 for step in x.strides):
        x = x.copy()
    held = torch.from_numpy(x.view(_HOLDERS[kept])).view(kept) if kept in _HOLDERS else torch.from_numpy(x)
    return held if HOST and _device.type == "cpu" else held.to(_device)


def is_array(x):
    return isinstance(x, torch.Tensor)


def dtype(x):
    return _NAME[x.dtype]


type_object = DTYPES.__getitem__


def numpy(x):
    torch_records.check_values()
    x = x.detach().cpu().resolve_conj().resolve_neg()
    if x.dtype in _HOLDERS:
        return x.contiguous().view(getattr(torch, np.dtype(_HOLDERS[x.dtype]).name)).numpy().view(getattr(ml_dtypes, _NAME[x.dtype]))
    return x.numpy()


def copy(x):
    return x.detach().clone()


def block(tree):
    if _device.type == "cuda":
        torch.cuda.synchronize(_device)


def devices():
    found = [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    return [*found, *(["mps"] if torch.backends.mps.is_available() else []), "cpu"]


@contextlib.contextmanager
def device_scope(name):
    """Tensors are made on the device `name`: `"cpu"`, `"gpu:0"` or `"cuda:0"`, `"mps"`."""
    global _device
    try:
        chosen = torch.device(name.lower().replace("gpu", "cuda"))
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device: wanted one that PyTorch has here; got {name!r}. {str(error).splitlines()[0]}") from None
    before, _device = _device, chosen
    try:
        yield
    finally:
        _device = before


def eager(function):
    """A primitive without the question whether its type must be widened: called with types that need not."""
    return getattr(function, "narrow", function)


_as_type = widening.caster(torch.Tensor, torch.Tensor.to)


# Elementwise. The second operand may be a Python number.


def _tensors(function):
    """`function` of two tensors, for a second operand that may be a number."""
    return lambda x, y: function(x, y if isinstance(y, torch.Tensor) else torch.tensor(y, dtype=x.dtype, device=x.device))


exp, expm1, log, log1p, log2, log10, sqrt, rsqrt, square = (
    torch.exp,
    torch.expm1,
    torch.log,
    torch.log1p,
    torch.log2,
    torch.log10,
    torch.sqrt,
    torch.rsqrt,
    torch.square,
)
sin, cos, tan, arcsin, arccos, arctan = torch.sin, torch.cos, torch.tan, torch.asin, torch.acos, torch.atan
sinh, cosh, tanh, arcsinh, arccosh, arctanh = torch.sinh, torch.cosh, torch.tanh, torch.asinh, torch.acosh, torch.atanh
negative, abs, reciprocal, sigmoid, erf, erfinv, lgamma, digamma = (
    torch.neg, torch.abs, torch.reciprocal, torch.sigmoid, torch.erf, torch.erfinv, torch.lgamma, torch.digamma,
)  # fmt: skip
isnan, isinf, isfinite, logical_not, bitwise_not = torch.isnan, torch.isinf, torch.isfinite, torch.logical_not, torch.bitwise_not
add, subtract, multiply, divide, mod, power = torch.add, torch.sub, torch.mul, torch.div, torch.remainder, torch.pow
equal, not_equal, less, less_equal, greater, greater_equal = torch.eq, torch.ne, torch.lt, torch.le, torch.gt, torch.ge
logical_and, logical_or, logical_xor = map(_tensors, (torch.logical_and, torch.logical_or, torch.logical_xor))
bitwise_and, bitwise_or, bitwise_xor = torch.bitwise_and, torch.bitwise_or, torch.bitwise_xor
left_shift, right_shift = torch.bitwise_left_shift, torch.bitwise_right_shift
arctan2, nextafter, maximum, minimum = map(_tensors, (torch.atan2, torch.nextafter, torch.maximum, torch.minimum))
real = torch.real


def imag(x):
    return torch.imag(x) if x.is_complex() else torch.zeros_like(x)


def conj(x):
    return torch.conj(x).resolve_conj()


def sign(x):
    return torch.sgn(x)


def _kept_in_integers(function):
    return lambda x: function(x) if x.is_floating_point() else x


floor, ceil, round, trunc = map(_kept_in_integers, (torch.floor, torch.ceil, torch.round, torch.trunc))


def floor_divide(x, y):
    return torch.floor(torch.div(x, y)) if x.is_floating_point() and not isinstance(y, torch.Tensor) and y == 0 else torch.floor_divide(x, y)


def where(condition, x, y):
    return torch.where(condition, x, y)


def cast(x, dtype):
    kind = DTYPES[dtype]
    if x.is_complex() and not kind.is_complex and kind is not torch.bool:
        x = x.real
    return x.to(kind)


# Making


def full(shape, value, dtype):
    if isinstance(value, torch.Tensor):
        return value.to(DTYPES[dtype]).expand(tuple(shape))
    return torch.full(tuple(shape), value, dtype=DTYPES[dtype], device=_device)


def arange(start, stop, step, dtype):
    return share(np.arange(start, stop, step).astype(dtype))


def iota(shape, axis, dtype):
    steps = torch.arange(shape[axis], device=_device).to(DTYPES[dtype])
    return steps.reshape([-1 if i == axis else 1 for i in range(len(shape))]).expand(tuple(shape))


# Reductions. PyTorch takes no axes for all of them.


def _counted(x):
    """`x` with booleans as numbers."""
    return x.to(torch.uint8) if x.dtype is torch.bool else x


def sum(x, axes, keepdims):
    return torch.sum(x, axes, keepdims, dtype=x.dtype) if axes else x


def prod(x, axes, keepdims):
    for axis in reversed(axes):
        x = torch.prod(x, axis, keepdims, dtype=x.dtype)
    return x


def max(x, axes, keepdims):
    return torch.amax(x, axes, keepdims) if axes else x


def min(x, axes, keepdims):
    return torch.amin(x, axes, keepdims) if axes else x


def any(x, axes, keepdims):
    return torch.any(x, axes, keepdims) if axes else x


def all(x, axes, keepdims):
    return torch.all(x, axes, keepdims) if axes else x


def argmax(x, axis, keepdims):
    """The first of the greatest, and of NaN."""
    return torch.argmax(_counted(x), axis, keepdims).to(torch.int32)


def argmin(x, axis, keepdims):
    return torch.argmin(_counted(x), axis, keepdims).to(torch.int32)


def cumsum(x, axis):
    return torch.cumsum(x, axis, dtype=x.dtype)


def cumprod(x, axis):
    return torch.cumprod(x, axis, dtype=x.dtype)


# Order


def sort(x, axis):
    return torch.sort(x, axis).values


def argsort(x, axis):
    return torch.argsort(x, dim=axis, stable=True).to(torch.int32)


def top_k(x, k):
    """The first of ties first, which PyTorch's `topk` does not promise: of float32, it is given whole numbers of the same order with the place in them."""
    count = x.shape[-1]
    if x.dtype is not torch.float32 or count < 64:  # of so few a sort is quicker
        values, indices = torch.sort(x, dim=-1, descending=True, stable=True)
        return values[..., :k], indices[..., :k].to(torch.int32)
    bits = torch.where(torch.isnan(x), math.nan, x.detach() + 0.0).view(torch.int32)  # one NaN, one zero
    order = (bits ^ (bits >> 31 & 0x7FFFFFFF)).to(torch.int64)
    places = torch.arange(count - 1, -1, -1, device=x.device)
    indices = torch.topk(order * 2**32 + places, k).indices
    return torch.gather(x, -1, indices), indices.to(torch.int32)


# Movement

reshape, transpose, broadcast_to, flip = torch.reshape, torch.permute, torch.broadcast_to, torch.flip


def pad(x, widths, value):
    return F.pad(x, [width for pair in reversed(widths) for width in pair], value=value.item() if isinstance(value, torch.Tensor) else value)


def bitcast(x, dtype):
    return x.contiguous().view(DTYPES[dtype])


def dilate(x, steps):
    if builtins.all(step == 1 for step in steps):
        return x
    out = x.new_zeros([builtins.max(0, (size - 1) * step + 1) for size, step in zip(x.shape, steps, strict=True)])
    out[tuple(builtins.slice(None, None, step) for step in steps)] = x
    return out


def slice(x, starts, stops, strides):
    return x[tuple(map(builtins.slice, starts, stops, strides))]


def concatenate(xs, axis):
    return torch.cat(xs, axis)


def _positive(indices, size):
    return torch.where(indices < 0, indices + size, indices).long()


def take(x, indices, axis):
    """An index out of range is an error."""
    indices = _positive(indices, x.shape[axis])
    return torch.index_select(x, axis, indices.reshape(-1)).reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def take_along_axis(x, indices, axis):
    return torch.take_along_dim(x, _positive(indices, x.shape[axis]), axis)


def getitem(x, key):
    """NumPy's indexing; PyTorch has no negative steps, so those axes are turned first."""
    keys = list(key) if isinstance(key, tuple) else [key]
    if builtins.any(isinstance(k, builtins.slice) and (k.step or 1) < 0 for k in keys):
        taken = builtins.sum(k.ndim if isinstance(k, torch.Tensor) and k.dtype is torch.bool else k is not None and k is not Ellipsis for k in keys)
        axis, turned = 0, []
        for i, k in enumerate(keys):
            if k is Ellipsis:
                axis += x.ndim - taken
                continue
            if isinstance(k, builtins.slice) and (k.step or 1) < 0:
                found = range(x.shape[axis])[k]
                turned.append(axis)
                first = x.shape[axis] - 1 - found.start
                keys[i] = builtins.slice(first, first + 1 - (found[-1] - found.start) if len(found) else first, -k.step)
            axis += 0 if k is None else k.ndim if isinstance(k, torch.Tensor) and k.dtype is torch.bool else 1
        x = torch.flip(x, turned)
    return x[tuple(k.long() if isinstance(k, torch.Tensor) and not k.dtype.is_floating_point and k.dtype not in (torch.bool, torch.uint8) else k for k in keys)]


def scatter(x, indices, updates, mode):
    """An index out of range is an error. Places are counted through the first k axes."""
    k = indices.shape[-1]
    rest, places = x.shape[k:], 0
    for i in range(k):
        places = places * x.shape[i] + _positive(indices[..., i], x.shape[i])
    rows = updates.expand(*indices.shape[:-1], *rest).reshape(-1, *rest)
    flat, places = x.reshape(-1, *rest), torch.as_tensor(places).reshape(-1)
    if mode == "update":
        out = flat.index_put((places,), rows)
    elif mode == "add":
        out = flat.index_add(0, places, rows)
    else:
        places = places.reshape(-1, *[1] * len(rest)).expand(rows.shape)
        out = flat.scatter_reduce(0, places, rows, {"maximum": "amax", "minimum": "amin", "multiply": "prod"}[mode])
    return out.reshape(x.shape)


def _window(x, starts, sizes):
    at = [int(start) + n if int(start) < 0 else int(start) for start, n in zip(starts, x.shape, strict=True)]
    at = [builtins.min(builtins.max(start, 0), n - size) for start, n, size in zip(at, x.shape, sizes, strict=True)]
    return tuple(builtins.slice(start, start + size) for start, size in zip(at, sizes, strict=True))


def dynamic_slice(x, starts, sizes):
    return x[_window(x, starts, sizes)]


def dynamic_update_slice(x, update, starts):
    out = x.clone()
    out[_window(x, starts, update.shape)] = update
    return out


# Products


def matmul(x, y):
    return torch.matmul(x, y)


def einsum(equation, xs):
    return torch.einsum(equation, *xs)


_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def _filters_first(kernel):
    """(*window, channels, filters) as (filters, channels, *window). A large kernel of images lies then as its convolution wants it, which else copies it
    there and again on the way back, at a third of the speed of a transposition."""
    if kernel.ndim != 4 or kernel.numel() < 2**15:
        return kernel.permute(-1, -2, *range(kernel.ndim - 2))
    return kernel.reshape(-1, kernel.shape[-1]).t().contiguous().reshape(kernel.shape[-1], *kernel.shape[:-1]).permute(0, 3, 1, 2)


def conv(x, kernel, strides, padding, dilation, groups):
    rank = len(strides)
    x, both = x.movedim(-1, 1), 0
    if builtins.all(low == high >= 0 for low, high in padding):
        both = [low for low, _ in padding]
    else:
        x = F.pad(x, [width for pair in reversed(padding) for width in pair])
    return _CONV[rank](x, _filters_first(kernel), None, strides, both, dilation, groups).movedim(1, -1)


# Windows


def max_pool(x, size, strides, padding):
    least = -math.inf if x.is_floating_point() else torch.iinfo(x.dtype).min
    x = _edged(x, padding, least)
    if not x.is_floating_point():
        return _pool(x, size, strides, torch.maximum)
    return {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[len(size)](x.movedim(-1, 1), size, strides).movedim(1, -1)


def sum_pool(x, size, strides, padding):
    x, rank = _edged(x, padding, 0), len(size)
    if x.dtype not in (torch.float32, torch.float64) or rank == 1 or not x.numel():
        return _pool(x, size, strides, torch.add)
    return (F.avg_pool2d if rank == 2 else F.avg_pool3d)(x.movedim(-1, 1), size, strides, divisor_override=1).movedim(1, -1)


def _edged(x, padding, value):
    if not builtins.any(map(builtins.any, padding)):
        return x
    return F.pad(x, [0, 0, *(width for pair in reversed(padding) for width in pair)], value=value)


def _pool(x, size, strides, combine):
    """Windows as strided slices, combined axis by axis."""
    for axis, (window, stride) in enumerate(zip(size, strides, strict=True), 1):
        reach = (x.shape[axis] - window) // stride * stride + 1
        before = (builtins.slice(None),) * axis
        x = functools.reduce(combine, [x[(*before, builtins.slice(i, i + reach, stride))] for i in range(window)])
    return x


# Linear algebra

cholesky, inv, det, solve = torch.linalg.cholesky, torch.linalg.inv, torch.linalg.det, torch.linalg.solve
fft, ifft = torch.fft.fft, torch.fft.ifft


def qr(x, complete):
    return tuple(torch.linalg.qr(x, "complete" if complete else "reduced"))


def lu(x):
    factors, pivots = torch.linalg.lu_factor(x)
    return factors, pivots - 1  # counted from 1 there


def eig(x):
    return tuple(torch.linalg.eig(x))


def svd(x, full_matrices, compute_uv):
    return tuple(torch.linalg.svd(x, full_matrices)) if compute_uv else torch.linalg.svdvals(x)


def eigh(x):
    return tuple(torch.linalg.eigh(x))


def triangular_solve(a, b, lower):
    vector = b.ndim < a.ndim
    out = torch.linalg.solve_triangular(a, b[..., None] if vector else b, upper=not lower)
    return out[..., 0] if vector else out


def _of_32_bits(function):
    """`function` of two operands, on uint32 computed with signed numbers: the bits of sums, differences, products and bitwise combinations are the same."""

    def call(x, y):
        if x.dtype is not torch.uint32:
            return function(x, y)
        if isinstance(y, torch.Tensor):
            y = y.view(torch.int32) if y.dtype is torch.uint32 else y
        else:
            y = int(y) if int(y) < 2**31 else int(y) - 2**32
        return function.narrow(x.view(torch.int32), y).view(torch.uint32)

    call.narrow = function.narrow
    return call


for _name in """negative abs sign sqrt square floor ceil round trunc isnan isinf isfinite add subtract multiply divide floor_divide mod power maximum minimum
    less less_equal greater greater_equal bitwise_not bitwise_and bitwise_or bitwise_xor left_shift right_shift sum prod max min argmax argmin cumsum cumprod
    sort argsort top_k flip pad getitem take_along_axis scatter matmul einsum conv max_pool sum_pool nextafter dynamic_update_slice dilate where
    equal not_equal""".split():
    globals()[_name] = widening.widened(globals()[_name], _WIDER, _as_type)


for _name in "add subtract multiply bitwise_and bitwise_or bitwise_xor".split():
    globals()[_name] = _of_32_bits(globals()[_name])

# Control flow: Python's own

cond, while_loop = stepwise.cond, stepwise.while_loop


def stop_gradient(x):
    return tree.map_structure(torch.Tensor.detach, x)


def _item(structure, i):
    return tree.map_structure(lambda x: None if x is None else x[i], structure)


def _stack(structures):
    return tree.map_structure(lambda *leaves: None if leaves[0] is None else torch.stack([array(leaf) for leaf in leaves]), *structures)


def scan(body, state, xs, length, reverse):
    leaves = [x for x in tree.flatten(xs) if x is not None]
    length = leaves[0].shape[0] if leaves else length
    ys = [None] * length
    for i in reversed(range(length)) if reverse else range(length):
        state, ys[i] = body(state, _item(xs, i))
    if ys:
        return state, _stack(ys)
    nothing = body(state, tree.map_structure(lambda x: None if x is None else x.new_zeros(x.shape[1:]), xs))[1]
    return state, tree.map_structure(lambda x: None if x is None else x.new_zeros((0, *x.shape)), nothing)


def vectorize(function, in_axes):
    return torch.func.vmap(function, tuple(in_axes) if isinstance(in_axes, list) else in_axes, randomness="different")


class _Custom(torch.autograd.Function):
    """A function with a gradient of its own. The gradient is computed from the inputs anew, so that it has a gradient too."""

    @staticmethod
    def forward(ctx, function, form, *leaves):
        ctx.function, ctx.form, ctx.found = function, form, None
        ctx.save_for_backward(*leaves)
        value, _ = function(*tree.pack_sequence_as(form, leaves))
        ctx.value_form = value
        return tuple(tree.flatten(value)) if not isinstance(value, torch.Tensor) else value

    @staticmethod
    def backward(ctx, *gradients):
        with torch.enable_grad():
            value, pullback = ctx.function(*tree.pack_sequence_as(ctx.form, ctx.saved_tensors))
        found = pullback(tree.pack_sequence_as(value, list(gradients)) if not isinstance(value, torch.Tensor) else gradients[0])
        found = tree.flatten(found)
        return None, None, *found


def custom_gradient(function, arguments):
    out = _Custom.apply(function, arguments, *tree.flatten(arguments))
    if isinstance(out, torch.Tensor):
        return out
    with torch.no_grad():
        form, _ = function(*arguments)
    return tree.pack_sequence_as(form, list(out))


def jvp(function, primals, tangents, has_aux):
    return torch.func.jvp(function, tuple(primals), tuple(tangents), has_aux=has_aux)


def remat(function, arguments):
    return checkpoint(function, *arguments, use_reentrant=False)


# Gradients and compiling


def value_and_grad(function, arrays):
    """Inside another `value_and_grad` the gradients stay on its tape."""
    leaves = tree.flatten(arrays)
    nested = torch.is_grad_enabled() and builtins.any(x.requires_grad and type(x) is not torch.nn.Parameter for x in leaves)
    if nested:
        leaves = [x.view_as(x) if x.requires_grad else x.detach().requires_grad_() for x in leaves]
    else:  # a Parameter is what a module of PyTorch within a layer holds too
        leaves = [x if type(x) is torch.nn.Parameter and x.requires_grad else x.detach().requires_grad_() for x in leaves]
    with torch.enable_grad():
        value, aux = function(tree.pack_sequence_as(arrays, leaves))
    value = array(value)
    if not value.requires_grad:
        found = [None] * len(leaves)
    else:
        found = torch.autograd.grad(value, leaves, allow_unused=True, create_graph=nested)
    found = [torch.zeros_like(x) if gradient is None else gradient for x, gradient in zip(leaves, found, strict=True)]
    if not nested:
        value, aux = value.detach(), tree.map_structure(lambda x: x.detach() if isinstance(x, torch.Tensor) else x, aux)
    return (value, aux), tree.pack_sequence_as(arrays, found)


_FLUSHED = bool(np.float32(1e-38) * np.float32(0.1) == 0)  # whether numbers below 1e-38 count as 0 here already


def compile(function, donate=()):
    """Without a record for gradients. Numbers below 1e-38 count as 0 inside, as in XLA: with them a processor takes 30 times as long."""

    @functools.wraps(function)
    def call(*args):
        with torch.no_grad():
            torch.set_flush_denormal(True)
            try:
                return function(*args)
            finally:
                torch.set_flush_denormal(_FLUSHED)

    return call


repeat = stepwise.repeated(_item)


def infer(function, specs):
    """The Specs of `function(*specs)`: run on zeros for two lengths of every unknown size, and a size that differs is unknown."""

    def zeros(shape, dtype):
        return torch.zeros(shape, dtype=DTYPES[dtype], device=_device)

    with torch.no_grad():
        return stepwise.infer_by_zeros(function, specs, zeros, dtype)


# What protocol.OPTIONAL names

DIRECT = True
update, update_refusal, owned = torch_updates.update, torch_updates.refusal, torch_updates.owned
recurrent = torch_recurrent.recurrent
recorded = torch_records.recorded


trained, put, layer_attribute, is_module, call_module = (
    torch_modules.trained, torch_modules.put, torch_modules.layer_attribute, torch_modules.is_module, torch_modules.call_module,
)  # fmt: skip


def program(function, arguments):
    torch_programs = importlib.import_module("cornu.backends.torch_programs")  # torch.compile takes seconds to import
    return torch_programs.program(function, arguments)


def recurrent_refusal(kind, dtype, dropping):
    return torch_recurrent.refusal(kind, dtype, dropping, _device)


def module_arrays(module):
    return torch_modules.module_arrays(module, _device)
