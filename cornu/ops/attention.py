"""Attention: sums of values weighted by how well their keys fit a query."""

import math

from cornu import dtypes, shapes
from cornu.backends import array, canonical, kind
from cornu.backends import protocol as p
from cornu.ops.activate import softmax
from cornu.ops.dispatch import op, settle
from cornu.ops.elementwise import add, divide, multiply, tanh, where
from cornu.ops.making import cast
from cornu.ops.products import einsum
from cornu.ops.shaping import repeat
from cornu.shapes import unknown

_MASKED = {"float16": -3e4}  # a logit that no softmax notices; -1e9 elsewhere


@op(tensors=3)
def dot_product_attention(query, key, value, bias=None, mask=None, scale=None, is_causal=False, flash_attention=None, attn_logits_soft_cap=None):
    """Sums of `value` weighted by the softmax of the products of `query` and `key`.

    Args:
        bias: added to the products; it broadcasts to (batch, heads, queries, keys).
        mask: bool, True where a query may look; it broadcasts to (batch, heads, queries, keys).
        scale: what the products are multiplied by; 1 / sqrt(depth) by default.
        is_causal: whether a query may look only at keys that stand no later than itself.
        flash_attention: whether the backend's fused kernel must be used; None leaves it to the backend.
        attn_logits_soft_cap: a number c for which the products p become c * tanh(p / c).

    Shape: query (batch, queries, heads, depth), key and value (batch, keys, key heads, depth) -> (batch, queries, heads, depth); the heads
    are a multiple of the key heads.

    >>> ops.dot_product_attention(ops.ones((1, 2, 1, 4)), ops.ones((1, 3, 1, 4)), ops.ones((1, 3, 1, 4))).shape
    (1, 2, 1, 4)

    Raises:
        ValueError: `flash_attention` where there is no such kernel, or shapes that do not fit.

    Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.2.1.
    """
    if flash_attention:
        raise ValueError("dot_product_attention: this backend has no fused kernel; leave flash_attention at None.")
    (query, key, value), dtype = settle(query, key, value, dtype=canonical(dtypes.to_float(kind(query), kind(key), kind(value))))
    if not query.ndim == key.ndim == value.ndim == 4:
        shown = ", ".join(str(shapes.public(x.shape)) for x in (query, key, value))
        raise ValueError(f"dot_product_attention: wanted query, key and value of (batch, places, heads, depth); got {shown}.")
    shown = lambda x: shapes.public(x.shape)
    shapes.same(query.shape[0], key.shape[0], f"dot_product_attention: the batches of query {shown(query)} and key {shown(key)}")
    shapes.same(query.shape[3], key.shape[3], f"dot_product_attention: the depths of query {shown(query)} and key {shown(key)}")
    for axis, name in enumerate(("batches", "places", "heads")):
        shapes.same(key.shape[axis], value.shape[axis], f"dot_product_attention: the {name} of key {shown(key)} and value {shown(value)}")
    heads, key_heads = query.shape[2], key.shape[2]
    if not unknown(heads) and not unknown(key_heads) and heads != key_heads:
        if heads % key_heads:
            raise ValueError(f"dot_product_attention: {heads} heads of query are not a multiple of the {key_heads} of key.")
        key, value = repeat(key, heads // key_heads, 2), repeat(value, heads // key_heads, 2)
    for name, x in (("bias", bias), ("mask", mask)):
        if x is not None:
            _broadcasts(name, array(x), (query.shape[0], heads, query.shape[1], key.shape[1]))
    depth = query.shape[-1]
    query = multiply(query, (1.0 if unknown(depth) else 1 / math.sqrt(depth)) if scale is None else scale)
    logits = einsum("bqhd,bkhd->bhqk", query, key)
    logits = cast(logits, "float32") if dtype in ("float16", "bfloat16") else logits
    if attn_logits_soft_cap is not None:
        logits = multiply(tanh(divide(logits, attn_logits_soft_cap)), attn_logits_soft_cap)
    if bias is not None:
        logits = add(logits, settle(bias, dtype=kind(logits))[0][0])
    least = _MASKED.get(kind(logits), -1e9)
    if mask is not None:
        logits = where(mask, logits, least)
    if is_causal:
        sizes = tuple(logits.shape[-2:])
        logits = where(p.greater_equal(p.iota(sizes, 0, "int32"), p.iota(sizes, 1, "int32")), logits, least)
    return einsum("bhqk,bkhd->bqhd", cast(softmax(logits), dtype), value)


def _broadcasts(name, x, wanted):
    shape = tuple(x.shape)
    if len(shape) > 4 or any(not unknown(n) and not unknown(m) and n not in (1, m) for n, m in zip(reversed(shape), reversed(wanted))):
        raise ValueError(
            f"dot_product_attention: {name} must broadcast to (batch, heads, queries, keys), here {shapes.public(wanted)}; got the shape {shapes.public(shape)}."
        )
