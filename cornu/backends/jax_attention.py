"""Attention whose way back keeps one tensor of weights and needs one pass over them: an override of `ops.dot_product_attention` on a CPU.

The weights stay exponentials; sums of values are divided by the weights' sums afterwards, when there are as few numbers as in a query. In the way
back the sum over a row of weights and their gradients is that of the result and its gradient (Dao et al., "FlashAttention", 2022, section B.2).
XLA joins the written-once formula into one program that takes more than twice the time of its products.
"""

import functools
import math

import jax
import jax.numpy as jnp  # pyright: ignore[reportMissingImports]
import numpy as np
from jax import lax

from cornu.backends.jax_derivatives import with_gradient

_FULL = ("float32", "float64")
_apart = lax.optimization_barrier


def dot_product_attention(query, key, value, bias=None, mask=None, scale=None, is_causal=False, flash_attention=None, attn_logits_soft_cap=None):
    given = query, key, value
    if flash_attention or attn_logits_soft_cap is not None or isinstance(scale, jax.Array):
        return NotImplemented
    if not all(isinstance(x, jax.Array) and x.ndim == 4 and x.size and x.dtype == query.dtype and x.dtype.name in _FULL for x in given):
        return NotImplemented
    if key.shape[:3] != value.shape[:3] or (key.shape[0], *key.shape[2:]) != (query.shape[0], *query.shape[2:]):
        return NotImplemented  # heads that share keys, and mistakes
    form = query.shape[0], query.shape[2], query.shape[1], key.shape[1]
    if not (_fits(bias, query.dtype, form) and _fits(mask, bool, form)):
        return NotImplemented
    if is_causal:
        causal = np.tri(*form[2:], dtype=bool)
        mask = causal if mask is None else mask & causal
    query = query * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    more = [x.astype(query.dtype).reshape((1,) * (4 - x.ndim) + x.shape) for x in (bias, mask) if x is not None]
    attend = _attention(bias is not None, mask is not None)
    return jnp.swapaxes(attend(*(jnp.swapaxes(x, 1, 2) for x in (query, key, value)), *more), 1, 2)


def _fits(x, dtype, form):
    """Whether `x` is None or an array of that type that broadcasts to `form`."""
    if x is None:
        return True
    ends = zip(reversed(x.shape), reversed(form), strict=False) if isinstance(x, jax.Array) and x.dtype == dtype and x.ndim <= 4 else [(0, -1)]
    return all(n in (1, m) for n, m in ends)


def _across(x, y):
    """The product of the matrices `x`, transposed, and `y`, whose rows are short: computed transposed, which is faster."""
    return jnp.swapaxes(_apart(jnp.matmul(jnp.swapaxes(y, -1, -2), x)), -1, -2)


@functools.cache
def _attention(biased, masked):
    """The function of queries, keys and values, heads first, of a bias, and of a mask as numbers 0 and 1."""

    def function(*given):
        return forward(*given)[0]

    def forward(q, k, v, *more):
        products = jnp.matmul(q, jnp.swapaxes(k, -1, -2))
        products = products + more[0] if biased else products
        products = jnp.where(more[-1] > 0, products, -1e9) if masked else products
        weights = jnp.exp(products - lax.stop_gradient(products.max(-1, keepdims=True)))
        share = 1 / weights.sum(-1, keepdims=True)
        out = jnp.matmul(_apart(weights), v) * share
        return out, (q, k, v, more, weights, share, out)

    def backward(kept, gradient):
        q, k, v, more, weights, share, out = kept
        gradient = _apart(gradient * share)
        by_products = weights * (jnp.matmul(gradient, jnp.swapaxes(v, -1, -2)) - (gradient * out).sum(-1, keepdims=True))
        by_products = by_products * more[-1] if masked else by_products  # a row without any key has weights, and no slope
        found = jnp.matmul(by_products, k), _across(by_products, q), _across(weights, gradient)
        by_bias = [_summed_to(by_products, more[0].shape)] if biased else []
        return (*found, *by_bias, *([jnp.zeros_like(more[-1])] if masked else []))

    return with_gradient(function, forward, backward)


def _summed_to(x, shape):
    return x.sum([i for i, n in enumerate(shape) if n == 1 and x.shape[i] > 1], keepdims=True)
