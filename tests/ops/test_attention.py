"""Attention with masks, bias, grouped heads and limits, fold and unfold: against Keras, and by what must hold."""

import numpy as np
import pytest

from cornu import backends, ops
from cornu.symbolic import KerasTensor
from tests.ops import rows
from tests.ops.cases import C, N
from tests.ops.check import draw

Q, K, V = draw((2, 5, 4, 6), seed=4), draw((2, 3, 2, 6), seed=5), draw((2, 3, 2, 6), seed=6)
ONE = draw((2, 3, 1, 6), seed=5)
MASK = np.random.default_rng(0).random((2, 4, 5, 3)) > 0.3
BIAS = draw((2, 4, 5, 3), seed=8)
MAPS = draw((2, 3, 6, 5))

ROWS = {
    "dot_product_attention": [
        C(Q, K, V, BIAS, MASK, 0.4, False),
        C(Q, ONE, ONE, None, MASK[:, :1]),
        C(Q, K, V, BIAS[:1, :1], MASK[:1], None, True),
        C(Q, K, V, None, MASK[:, :, :1]),
        C(Q, Q, Q, None, None, None, True),
        C(Q * 9, K, V, None, MASK, 1.0, attn_logits_soft_cap=2.0, keras=False),
        N(Q.astype("float16"), K.astype("float16"), V.astype("float16"), mask=MASK, is_causal=True, keras=False),
        N(Q * 100, K * 100, V, is_causal=True),
    ],
    "unfold": [C(MAPS, 2), C(MAPS, (3, 2), (1, 2), (1, 0), (2, 1)), C(MAPS, 3, 2, 1)],
    "fold": [C(draw((2, 12, 20)), (6, 5), 2), C(draw((2, 18, 9)), (6, 5), (3, 2), (1, 2), (1, 0), (2, 1)), C(draw((1, 18, 12)), (6, 5), 3, 2, 1)],
}


@pytest.fixture(scope="module")
def keras():
    return rows.answers(ROWS)


@pytest.mark.parametrize(("name", "i"), [(n, i) for n, i in rows.each(ROWS) if ROWS[n][i].keras])
def test_values_are_those_of_keras(name, i, keras):
    rows.check_values(getattr(ops, name), ROWS[name][i], keras[name, i], i == 0, f"{name} {i}")


@pytest.mark.parametrize(("name", "i"), rows.each(ROWS))
def test_inferred_shapes(name, i):
    rows.check_shapes(getattr(ops, name), ROWS[name][i], {"fold": (0,)}.get(name, (0, 1) if name[0] == "d" else (0, 2, 3)))


@pytest.mark.parametrize(("name", "i"), [(n, i) for n, i in rows.each(ROWS) if ROWS[n][i].gradient])
def test_gradients(name, i):
    rows.check_gradients(getattr(ops, name), ROWS[name][i], i == 0)


def test_attention_by_its_definition():
    backends.load("numpy")
    found = ops.dot_product_attention(Q, K, V, BIAS, MASK, 0.4)
    for b, h in np.ndindex(2, 4):
        logits = 0.4 * Q[b, :, h].astype("float64") @ K[b, :, h // 2].T + BIAS[b, h]
        weights = np.exp(np.where(MASK[b, h], logits, -1e9) - logits.max(-1, keepdims=True))
        weights = np.where(MASK[b, h].any(-1, keepdims=True), weights / np.maximum(weights.sum(-1, keepdims=True), 1e-30), 1 / 3)
        np.testing.assert_allclose(found[b, :, h], weights @ V[b, :, h // 2], atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types_are_summed_in_single(backend, dtype):
    half = [ops.cast(x, dtype) for x in (Q, K, V)]
    found = ops.dot_product_attention(*half, mask=MASK, is_causal=True)
    assert backends.kind(found) == dtype
    wanted = ops.dot_product_attention(*(ops.cast(x, "float32") for x in half), mask=MASK, is_causal=True)
    np.testing.assert_allclose(backends.numpy(ops.cast(found, "float32")), backends.numpy(wanted), atol=2e-3 if dtype == "float16" else 2e-2)


def test_logits_are_capped():
    backends.load("numpy")
    capped = ops.dot_product_attention(Q * 9, K, V, scale=1.0, attn_logits_soft_cap=2.0)
    logits = np.einsum("bqhd,bkhd->bhqk", Q * 9, np.repeat(K, 2, 2))
    weights = np.exp(2 * np.tanh(logits / 2))
    np.testing.assert_allclose(capped, np.einsum("bhqk,bkhd->bqhd", weights / weights.sum(-1, keepdims=True), np.repeat(V, 2, 2)), atol=1e-5)


def test_a_causal_query_sees_nothing_later():
    backends.load("numpy")
    later = Q.copy()
    later[:, 3:] += 5
    one, other = ops.dot_product_attention(Q, Q, Q, is_causal=True), ops.dot_product_attention(Q, later, later, is_causal=True)
    np.testing.assert_allclose(one[:, :3], other[:, :3], atol=1e-6)
    np.testing.assert_allclose(one[:, 0], Q[:, 0], atol=1e-6)


def test_fold_adds_what_unfold_took_apart():
    backends.load("numpy")
    there = ops.unfold(MAPS, 2, 1, 1, 2)
    counted = ops.fold(ops.unfold(np.ones_like(MAPS), 2, 1, 1, 2), (6, 5), 2, 1, 1, 2)
    np.testing.assert_allclose(ops.fold(there, (6, 5), 2, 1, 1, 2) / np.maximum(counted, 1), np.where(counted > 0, MAPS, 0), atol=1e-6)


def test_in_a_model():
    q, k = KerasTensor((None, None, 8, 16)), KerasTensor((None, None, 2, 16))
    assert ops.dot_product_attention(q, k, k, is_causal=True).shape == (None, None, 8, 16)
    assert ops.unfold(KerasTensor((None, 3, 6, 5)), 2).shape == (None, 12, 20)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: ops.dot_product_attention(Q[0], K, V), "dot_product_attention: wanted query, key and value of (batch, places, heads, depth)"),
        (lambda: ops.dot_product_attention(Q[:, :, :3], K, V), "dot_product_attention: 3 heads of query are not a multiple of the 2 of key"),
        (lambda: ops.dot_product_attention(Q, K[..., :5], V), "dot_product_attention: the depths of query (2, 5, 4, 6) and key (2, 3, 2, 5)"),
        (lambda: ops.dot_product_attention(Q, K, V[:, :2]), "dot_product_attention: the places of key (2, 3, 2, 6) and value (2, 2, 2, 6)"),
        (
            lambda: ops.dot_product_attention(Q, K, V, mask=MASK[:, :, :4]),
            "dot_product_attention: mask must broadcast to (batch, heads, queries, keys), here (2, 4, 5, 3); got the shape (2, 4, 4, 3)",
        ),
        (lambda: ops.dot_product_attention(Q, K, V, flash_attention=True), "dot_product_attention: this backend has no fused kernel"),
        (lambda: ops.unfold(MAPS[0], 2), "unfold"),
        (lambda: ops.unfold(MAPS, 9), "unfold"),
        (lambda: ops.fold(draw((2, 12, 19)), (6, 5), 2), "fold"),
        (lambda: ops.fold(draw((2, 11, 20)), (6, 5), 2), "fold"),
    ],
)
def test_bad_input_is_named(call, text):
    backends.load("numpy")
    with pytest.raises(ValueError) as caught:
        call()
    assert text in str(caught.value)
