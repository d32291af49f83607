"""PyTorch's own kernels for ops that take many passes over memory when they run op by op: the backend uses them in place of the written-once bodies.

An override serves the arguments that its kernel takes and gives `NotImplemented` for others, which the body serves then (other types, several
axes, mistakes of the caller). Each is tested against its body, and `benchmarks/ops.py` has the times of both.
"""

import functools
import math

import numpy as np
import torch
from torch.nn import functional as F  # pyright: ignore[reportMissingImports]

from cornu import settings
from cornu.backends import torch_records

FLOATS = frozenset((torch.float32, torch.float64, torch.float16, torch.bfloat16))
_FULL = frozenset((torch.float32, torch.float64))


def _floats(kernel):
    """`kernel` for floating-point tensors and numbers as its other arguments."""

    @functools.wraps(kernel)
    def override(x, *args, **kwargs):
        return kernel(x, *args, **kwargs) if x.dtype in FLOATS else NotImplemented

    return override


# Activations


@_floats
def relu(x):
    return torch.relu(x)


@_floats
def relu6(x):
    return F.relu6(x)


@_floats
def leaky_relu(x, negative_slope=0.2):
    return F.leaky_relu(x, negative_slope)


@_floats
def elu(x, alpha=1.0):
    return F.elu(x, alpha)


@_floats
def celu(x, alpha=1.0):
    return F.celu(x, alpha)


@_floats
def selu(x):
    return torch.selu(x)


@_floats
def gelu(x, approximate=True):
    return F.gelu(x, approximate="tanh" if approximate else "none")


@_floats
def silu(x):
    return F.silu(x)


@_floats
def softplus(x):
    return F.softplus(x, 1.0, 40.0)  # beyond 40 the sum is x itself in every type


@_floats
def log_sigmoid(x):
    return F.logsigmoid(x)


@_floats
def hard_sigmoid(x):
    return F.hardsigmoid(x)


@_floats
def hard_silu(x):
    return F.hardswish(x)


@_floats
def hard_tanh(x):
    return F.hardtanh(x)


@_floats
def hard_shrink(x, threshold=0.5):
    return F.hardshrink(x, threshold)


@_floats
def soft_shrink(x, threshold=0.5):
    return F.softshrink(x, threshold) if threshold >= 0 else NotImplemented


@_floats
def glu(x, axis=-1):
    return F.glu(x, axis) if -x.ndim <= axis < x.ndim and x.shape[axis] % 2 == 0 else NotImplemented


def _over_an_axis(kernel):
    """`kernel(x, axis)` for floating-point tensors and one axis that is there."""

    @functools.wraps(kernel)
    def override(x, axis=-1):
        return kernel(x, axis) if type(axis) is int and x.dtype in FLOATS and -x.ndim <= axis < x.ndim else NotImplemented

    return override


softmax, log_softmax = _over_an_axis(torch.softmax), _over_an_axis(torch.log_softmax)


# Statistics. Over single axes PyTorch's kernels take longer than a sum and a product.


def mean(x, axis=None, keepdims=False):
    return torch.mean(x) if axis is None and keepdims is False and x.dtype in _FULL else NotImplemented


def logsumexp(x, axis=None, keepdims=False):
    axes = _axes(axis, x.ndim)
    return torch.logsumexp(x, axes, bool(keepdims)) if x.dtype in _FULL and axes and x.numel() else NotImplemented


# Images


def resize(images, size, interpolation="bilinear", antialias=False, crop_to_aspect_ratio=False, pad_to_aspect_ratio=False, fill_mode="constant", fill_value=0.0,
           data_format=None):  # fmt: skip
    """By lines between neighbours, where a body of matrix products multiplies by many zeros."""
    x = images
    if interpolation != "bilinear" or antialias or crop_to_aspect_ratio or pad_to_aspect_ratio or fill_mode != "constant":
        return NotImplemented
    if x.dtype not in _FULL or x.ndim not in (3, 4) or not x.numel() or len(size) != 2 or any(type(n) is not int or n < 1 for n in size):
        return NotImplemented
    x, last = x if x.ndim == 4 else x.unsqueeze(0), settings.standardize_data_format(data_format) == "channels_last"
    out = F.interpolate(x.permute(0, 3, 1, 2) if last else x, tuple(size), mode="bilinear", align_corners=False)
    out = out.permute(0, 2, 3, 1) if last else out
    return out if images.ndim == 4 else out[0]


# Normalizations


def _axes(axis, ndim):
    """`axis` as a list of distinct axes that are there; None where it is something else."""
    if axis is None:
        return list(range(ndim))
    axes = [axis] if type(axis) is int else list(axis) if isinstance(axis, (list, tuple)) else None
    if axes is None or any(type(a) is not int or not -ndim <= a < ndim for a in axes):
        return None
    axes = sorted(a % ndim for a in axes)
    return axes if len(set(axes)) == len(axes) else None


def _value(weight):
    """What a Variable holds; anything else as it is."""
    return weight._cornu_value() if hasattr(weight, "_cornu_value") else weight


def _fits(weight, x, axes):
    return weight is None or (isinstance(weight, torch.Tensor) and weight.dtype is x.dtype and weight.shape == x.shape[axes[0] :])


def _last_axes(x, axis):
    """The axes of `axis` where they are the last ones, in order."""
    axes = _axes(axis, x.ndim) if axis is not None and x.dtype in FLOATS else None
    return axes if axes and axes == list(range(axes[0], x.ndim)) else None


def layer_normalization(x, gamma=None, beta=None, axis=-1, epsilon=None, **kwargs):
    axes, gamma, beta = None if kwargs else _last_axes(x, axis), _value(gamma), _value(beta)
    if not axes or not _fits(gamma, x, axes) or not _fits(beta, x, axes):
        return NotImplemented
    return F.layer_norm(x, x.shape[axes[0] :], gamma, beta, settings.epsilon() if epsilon is None else epsilon)


def rms_normalization(x, scale=None, axis=-1, epsilon=None):
    axes, scale = _last_axes(x, axis), _value(scale)
    if not axes or not _fits(scale, x, axes):
        return NotImplemented
    return F.rms_norm(x, x.shape[axes[0] :], scale, settings.epsilon() if epsilon is None else epsilon)


def _along(axis, x, *weights):
    """Whether each weight is None or has a number of the type of `x` for each place of one axis of it."""
    if x.dtype not in _FULL or type(axis) is not int or not -x.ndim <= axis < x.ndim:
        return False
    return all(w is None or (isinstance(w, torch.Tensor) and w.dtype is x.dtype and w.shape == (x.shape[axis],)) for w in weights)


def batch_normalization(x, mean, variance, axis, offset=None, scale=None, epsilon=1e-3):
    """One pass over `x` in place of two."""
    if not _along(axis, x, mean, variance, offset, scale):
        return NotImplemented
    factor = torch.rsqrt(variance + epsilon)
    factor = factor if scale is None else factor * scale
    shift = -mean * factor if offset is None else torch.addcmul(offset, mean, factor, value=-1)
    if axis not in (-1, x.ndim - 1):
        shape = [1] * x.ndim
        shape[axis] = -1
        factor, shift = factor.reshape(shape), shift.reshape(shape)
    return torch.addcmul(shift, x, factor)


def normalize_by_batch(x, axis, offset=None, scale=None, epsilon=1e-3):
    """All axes but the last count as one, so that nothing is copied; the kernel gives the reciprocal root of the variance."""
    if not _along(axis, x, offset, scale) or axis % x.ndim != x.ndim - 1 or x.numel() == 0:
        return NotImplemented
    rows = x.reshape(1, -1, 1, x.shape[-1]).permute(0, 3, 1, 2)
    out, mean, factor = torch.native_batch_norm(rows, scale, offset, None, None, True, 0.0, epsilon)
    return out.permute(0, 2, 3, 1).reshape(x.shape), mean.detach(), factor.detach().pow(-2) - epsilon


# Attention


def dot_product_attention(query, key, value, bias=None, mask=None, scale=None, is_causal=False, flash_attention=None, attn_logits_soft_cap=None):
    same = {query.dtype, key.dtype, value.dtype}
    if len(same) > 1 or query.dtype not in FLOATS or attn_logits_soft_cap is not None or not query.ndim == key.ndim == value.ndim == 4:
        return NotImplemented
    if isinstance(scale, torch.Tensor) or (flash_attention and query.device.type == "cpu"):
        return NotImplemented
    if not all(given is None or isinstance(given, torch.Tensor) for given in (bias, mask)):
        return NotImplemented
    (batch, queries, heads, depth), (keys, key_heads) = query.shape, key.shape[1:3]
    if heads % key_heads or key.shape[0] != batch or key.shape[3] != depth or value.shape[:3] != key.shape[:3]:
        return NotImplemented
    if query.dtype is torch.float16 and mask is not None:
        return NotImplemented  # it has no number for a row without any key, which keeps all of them alike
    for given in bias, mask:
        if given is not None and (given.ndim > 4 or any(n not in (1, m) for n, m in zip(given.shape[::-1], (keys, queries, heads, batch), strict=False))):
            return NotImplemented
    query, key, value = (x.transpose(1, 2) for x in (query, key, value))
    added = None if bias is None else bias.to(query.dtype)
    if mask is not None or (is_causal and added is not None):
        seen = torch.ones(queries, keys, dtype=torch.bool, device=query.device).tril() if is_causal else True
        seen = seen if mask is None else mask.to(torch.bool) & seen
        nothing = torch.zeros((), dtype=query.dtype, device=query.device)
        sees = seen.any(-1, keepdim=True)  # what sees no key takes the plain mean of all values, and has no gradient by the products
        query = query if mask is None else torch.where(sees, query, nothing)
        added = torch.where(seen, nothing if added is None else added, torch.where(sees, nothing - (3e4 if query.dtype is torch.float16 else 1e9), nothing))
    if added is not None and added.ndim < 2:
        added = added.reshape((1,) * (2 - added.ndim) + tuple(added.shape))
    causal = is_causal and added is None
    return F.scaled_dot_product_attention(query, key, value, added, is_causal=causal, scale=scale, enable_gqa=heads != key_heads).transpose(1, 2)


# Losses


def binary_crossentropy(target, output, from_logits=False):
    if not from_logits or not isinstance(target, torch.Tensor) or target.dtype is not output.dtype or output.dtype not in _FULL or target.shape != output.shape:
        return NotImplemented
    return F.binary_cross_entropy_with_logits(output, target, reduction="none")


def sparse_categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """Only the probabilities at the classes named are looked at, where the body goes over all of them."""
    if not isinstance(target, torch.Tensor) or not isinstance(output, torch.Tensor) or output.dtype not in _FULL or target.is_floating_point():
        return NotImplemented
    if not output.ndim or axis not in (-1, output.ndim - 1) or target.dtype is torch.bool:
        return NotImplemented
    if target.ndim == output.ndim - 1:
        target = target.unsqueeze(-1)
    if target.shape != (*output.shape[:-1], 1) or not output.shape[-1]:
        return NotImplemented
    place, inside = target.long(), None
    if output.device.type != "cpu" or torch.compiler.is_compiling():  # there a class out of range is not told
        inside = (place >= 0) & (place < output.shape[-1])
        place = place.clamp(0, output.shape[-1] - 1)
    try:
        if from_logits:
            found = torch.log_softmax(output, -1).gather(-1, place)
        else:
            epsilon = settings.epsilon()
            found = output.gather(-1, place).div(output.sum(-1, keepdim=True)).clamp(epsilon, 1.0 - epsilon).log()
    except RuntimeError:
        return NotImplemented
    return (found if inside is None else torch.where(inside, found, 0.0)).neg().squeeze(-1)


# Random bits


@functools.lru_cache(16)
def _places(count):
    """The number of each place times the golden ratio, as the hash takes it."""
    return np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9)


def _mixed(x, shift, factor):
    """`(x ^ (x >> shift)) * factor` of 32 bits."""
    x = (x ^ x >> shift) & 0xFFFFFFFF
    return x * factor & 0xFFFFFFFF


_FIRST, _SECOND = 0x21F0AAAD, 0x735A2D97


def _hash(x):
    x = _mixed(_mixed(x, 16, _FIRST), 15, _SECOND)
    return x ^ x >> 15


def _can_hash(key, count):
    """Whether the key can be read here and now, and the bits be counted with 32-bit numbers in memory that is there for it."""
    return (
        type(key) in (torch.Tensor, torch.nn.Parameter)
        and key.device.type == "cpu"
        and type(count) is int
        and count <= 2**24
        and not torch.compiler.is_compiling()
        and not torch._C._functorch.is_functorch_wrapped_tensor(key)
    )


_AT_ONCE = 2**16  # numbers that stay in the cache from one pass to the next


def _bits(key, count):
    """The bits of `random_bits` as an array of NumPy, which takes a third of PyTorch's time to begin a pass."""
    seed, counter = key.view(torch.int32).tolist()
    first = _hash((seed + 0x9E3779B9) & 0xFFFFFFFF)
    second = _hash(first ^ ((counter + 1) * 0x9E3779B9 & 0xFFFFFFFF))
    out, places = np.empty(count, np.uint32), _places(min(count, _AT_ONCE))
    spare = np.empty_like(places)
    for start in range(0, count, _AT_ONCE):
        x = out[start : start + _AT_ONCE]
        begin = np.uint32((first + start * 0x9E3779B9) & 0xFFFFFFFF)
        np.add(places[: len(x)], begin, out=x)
        part = spare[: len(x)]
        x ^= np.right_shift(x, 16, out=part)
        x *= np.uint32(_FIRST)
        x ^= np.uint32(second)
        x ^= np.right_shift(x, 15, out=part)
        x *= np.uint32(_SECOND)
        x ^= np.right_shift(x, 15, out=part)
    return out


@torch_records.noted
def _random(key, shape):
    return torch.from_numpy(_bits(key, math.prod(shape))).reshape(shape)


@torch_records.noted
def _kept(key, shape, rate):
    """0 for what dropout drops, `1 / (1 - rate)` for the rest."""
    keep = _bits(key, math.prod(shape)) < np.uint32(round((1 - rate) * 2**32))
    return torch.from_numpy(np.multiply(keep, np.float32(1 / (1 - rate)))).reshape(shape)


def random_bits(key, shape):
    """The bits of the body. The key is read on the host."""
    if type(key) is not torch.Tensor or key.dtype is not torch.uint32 or not isinstance(shape, (list, tuple)):
        return NotImplemented
    return _random(key, shape) if _can_hash(key, math.prod(shape)) else NotImplemented


def dropout(inputs, rate, noise_shape=None, seed=None):
    """The choice of the body, where `seed` is a SeedGenerator. What is dropped is multiplied by 0, so that infinities become NaN."""
    x = inputs
    if x.dtype not in FLOATS or noise_shape is not None or not 0 < rate < 1 or not hasattr(seed, "next") or not _can_hash(x, x.numel()):
        return NotImplemented
    return x * _kept(seed.next(), x.shape, rate).to(x.dtype)
