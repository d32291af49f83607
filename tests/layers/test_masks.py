"""Masks go through every layer as they do in Keras: what comes out, and which mask goes on with it."""

import functools
import warnings

import numpy as np
import pytest

import cornu
from cornu import backends, layers, scopes, tree
from cornu.masks import get_mask
from tests import oracle

MERGES = ("Add", "Average", "Subtract", "Multiply", "Maximum", "Minimum", "Concatenate")
CASES = (  # `x` is a masked sequence (2, 5, 3), `z` another one with a mask of its own, `n` one without a mask, `i` and `j` whole numbers (2, 5)
    "layers.Masking(0.5)(x)",
    "layers.Identity()(x)",
    "layers.Dense(2)(x)",
    "layers.EinsumDense('abc,cd->abd', output_shape=(None, 2))(x)",
    "layers.Activation('relu')(x)",
    "layers.LeakyReLU()(x)",
    "layers.Dropout(0.5)(x)",
    "layers.GaussianNoise(0.5)(x)",
    "layers.SpatialDropout1D(0.5)(x)",
    "layers.BatchNormalization()(x)",
    "layers.LayerNormalization()(x)",
    "layers.GroupNormalization(groups=1)(x)",
    "layers.UnitNormalization()(x)",
    "layers.ActivityRegularization(l2=0.1)(x)",
    "layers.Flatten()(x)",
    "layers.Reshape((15,))(x)",
    "layers.Permute((2, 1))(x)",
    "layers.Cropping1D(1)(x)",
    "layers.ZeroPadding1D(1)(x)",
    "layers.UpSampling1D(2)(x)",
    "layers.Conv1D(2, 2, padding='same')(x)",
    "layers.MaxPooling1D(2)(x)",
    "layers.GlobalMaxPooling1D()(x)",
    "layers.GlobalAveragePooling1D()(x)",
    "layers.GlobalAveragePooling1D(keepdims=True)(x)",
    "layers.SimpleRNN(2)(x)",
    "layers.LSTM(2, return_sequences=True)(x)",
    "layers.LSTM(2, return_sequences=True, return_state=True)(x)",
    "layers.GRU(2, go_backwards=True)(x)",
    "layers.GRU(2, return_sequences=True, go_backwards=True)(x)",
    "layers.GRU(2, return_sequences=True, unroll=True)(x)",
    "layers.RNN(layers.LSTMCell(2), return_sequences=True, zero_output_for_mask=True)(x)",
    "layers.RNN([layers.GRUCell(2), layers.SimpleRNNCell(3)], return_sequences=True)(x)",
    "layers.Bidirectional(layers.GRU(2))(x)",
    "layers.Bidirectional(layers.GRU(2, return_sequences=True))(x)",
    "layers.Bidirectional(layers.LSTM(2, return_sequences=True, return_state=True), merge_mode='sum')(x)",
    "layers.Bidirectional(layers.LSTM(2, return_sequences=True), merge_mode=None)(x)",
    "layers.TimeDistributed(layers.Dense(2))(x)",
    "layers.Add()([x, z])",
    "layers.Add()([x, n])",
    "layers.Multiply()([x, z])",
    "layers.Multiply()([x, n])",
    "layers.Average()([x, z])",
    "layers.Minimum()([x, z])",
    "layers.Subtract()([x, z])",
    "layers.Maximum()([n, z])",
    "layers.Concatenate()([x, z])",
    "layers.Concatenate(axis=1)([x, z])",
    "layers.Concatenate(axis=1)([x, n])",
    "layers.Dot(axes=2)([x, z])",
    "layers.Attention()([x, z])",
    "layers.Attention()([n, z])",
    "layers.AdditiveAttention()([x, n])",
    "layers.MultiHeadAttention(1, 2)(x, z)",
    "layers.MultiHeadAttention(1, 2)(n, z)",
    "layers.MultiHeadAttention(1, 2)(x, n)",
    "layers.GroupQueryAttention(2, 2, 1)(x, z)",
    "layers.Embedding(4, 2, mask_zero=True)(i)",
    "layers.Embedding(4, 2)(i)",
    "layers.LSTM(2)(layers.Embedding(4, 2, mask_zero=True)(i))",
    *(f"layers.{name}()([layers.Embedding(4, 2, mask_zero=True)(i), layers.Embedding(4, 2, mask_zero=True)(j)])" for name in MERGES),
)
SNIPPET = """
import warnings
warnings.simplefilter("ignore")
layers = keras.layers

def answer(expression):
    named = [keras.Input((5, 3)), keras.Input((5, 3)), keras.Input((5, 3)), keras.Input((5,), dtype="int32"), keras.Input((5,), dtype="int32")]
    x, z, n, i, j = named
    x, z = layers.Masking()(x), layers.Masking()(z)
    y = keras.tree.flatten(eval(expression, {"layers": layers, "x": x, "z": z, "n": n, "i": i, "j": j}))
    masks = [getattr(t, "_keras_mask", None) for t in y]
    model = keras.Model(named, [*y, *(m for m in masks if m is not None)])
    rng = np.random.default_rng(3)
    model.set_weights([rng.uniform(0.2, 0.9, w.shape).astype(w.dtype) for w in model.get_weights()])
    got = [np.asarray(t) for t in keras.tree.flatten(model(given))]
    return got, [m is not None for m in masks]

out["answers"] = []
for expression in cases:
    try:
        out["answers"].append(answer(expression))
    except Exception as error:
        out["answers"].append(f"{type(error).__name__}: {error}")
"""


def given():
    rng = np.random.default_rng(2)
    x, z, n = (rng.normal(size=(2, 5, 3)).astype("float32") for _ in range(3))
    x[0, 3:], x[1, 1], z[0, 4:], z[1, :2] = 0, 0, 0, 0
    return [x, z, n, *(np.array(whole, "int32") for whole in ([[1, 2, 0, 3, 0], [0, 1, 1, 2, 3]], [[2, 0, 0, 1, 3], [3, 0, 1, 0, 2]]))]


@functools.cache
def theirs():
    return dict(zip(CASES, oracle.run(SNIPPET, backend="numpy", cases=list(CASES), given=given())["answers"]))


@pytest.mark.parametrize("expression", CASES)
def test_masks(expression):
    wanted = theirs()[expression]
    assert not isinstance(wanted, str), wanted
    backends.load("numpy")
    scopes.reset_names()
    named = [layers.Input((5, 3)), layers.Input((5, 3)), layers.Input((5, 3)), layers.Input((5,), dtype="int32"), layers.Input((5,), dtype="int32")]
    x, z, n, i, j = named
    x, z = layers.Masking()(x), layers.Masking()(z)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        y = tree.flatten(eval(expression, {"layers": layers, "x": x, "z": z, "n": n, "i": i, "j": j}))
        masks = [get_mask(t) for t in y]
        assert [m is not None for m in masks] == wanted[1]
        model = cornu.Model(named, [*y, *(m for m in masks if m is not None)])
        rng = np.random.default_rng(3)
        model.set_weights([rng.uniform(0.2, 0.9, w.shape).astype(w.dtype) for w in model.weights])
        got = [backends.numpy(t) for t in tree.flatten(model(given()))]
    for a, b in zip(got, wanted[0], strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=3e-5, atol=3e-5)


def test_masked_pictures():
    """What ConvLSTM gives for a sequence whose last steps are masked is what it gives for the sequence without them (Keras's fails)."""
    backends.load("numpy")
    x = np.random.default_rng(0).normal(size=(2, 5, 4, 4, 3)).astype("float32")
    layer = layers.ConvLSTM2D(2, 2, return_sequences=True)
    whole = backends.numpy(layer(x, mask=np.array([[True, True, True, False, False]] * 2)))
    part = backends.numpy(layer(x[:, :3]))
    np.testing.assert_allclose(whole[:, :3], part, rtol=1e-6)
    np.testing.assert_allclose(whole[:, 3:], np.repeat(part[:, 2:], 2, axis=1), rtol=1e-6)


def test_attention_over_masked_tokens_warns_of_nothing():
    """The projections inside leave the mask to the attention."""
    tokens = layers.Embedding(9, 8, mask_zero=True)(np.array([[1, 2, 0, 0], [3, 4, 5, 0]]))
    for attention in layers.MultiHeadAttention(2, 4), layers.GroupQueryAttention(4, 4, 2):
        assert attention(tokens, tokens).shape == (2, 4, 8)
