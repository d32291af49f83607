"""Attention without masks whose way back keeps one tensor of weights and needs one pass over them: an override of `ops.dot_product_attention` on a CPU.

The weights stay exponentials; sums of values are divided by the weights' sums afterwards, when there are as few numbers as in a query. In the way
back the sum over a row of weights and their gradients is that of the result and its gradient (Dao et al., "FlashAttention", 2022, section B.2).
XLA joins the written-once formula into one program that takes more than twice the time of its products.
"""

import math

import jax
import jax.numpy as jnp  # pyright: ignore[reportMissingImports]
from jax import lax

from cornu.backends.jax_derivatives import with_gradient

_FULL = ("float32", "float64")
_apart = lax.optimization_barrier


def dot_product_attention(query, key, value, bias=None, mask=None, scale=None, is_causal=False, flash_attention=None, attn_logits_soft_cap=None):
    given = query, key, value
    if is_causal or flash_attention or not all(x is None for x in (bias, mask, attn_logits_soft_cap)) or isinstance(scale, jax.Array):
        return NotImplemented
    if not all(isinstance(x, jax.Array) and x.ndim == 4 and x.size and x.dtype == query.dtype and x.dtype.name in _FULL for x in given):
        return NotImplemented
    if key.shape[:3] != value.shape[:3] or (key.shape[0], *key.shape[2:]) != (query.shape[0], *query.shape[2:]):
        return NotImplemented  # heads that share keys, and mistakes
    query = query * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    return jnp.swapaxes(_attention(*(jnp.swapaxes(x, 1, 2) for x in (query, key, value))), 1, 2)


def _across(x, y):
    """The product of the matrices `x`, transposed, and `y`, whose rows are short: computed transposed, which is faster."""
    return jnp.swapaxes(_apart(jnp.matmul(jnp.swapaxes(y, -1, -2), x)), -1, -2)


def _function(q, k, v):
    return _forward(q, k, v)[0]


def _forward(q, k, v):
    products = jnp.matmul(q, jnp.swapaxes(k, -1, -2))
    weights = jnp.exp(products - lax.stop_gradient(products.max(-1, keepdims=True)))
    share = 1 / weights.sum(-1, keepdims=True)
    out = jnp.matmul(_apart(weights), v) * share
    return out, (q, k, v, weights, share, out)


def _backward(kept, gradient):
    q, k, v, weights, share, out = kept
    gradient = _apart(gradient * share)
    by_products = weights * (jnp.matmul(gradient, jnp.swapaxes(v, -1, -2)) - (gradient * out).sum(-1, keepdims=True))
    return jnp.matmul(by_products, k), _across(by_products, q), _across(weights, gradient)


_attention = with_gradient(_function, _forward, _backward)
