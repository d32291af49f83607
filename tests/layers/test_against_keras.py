"""Every layer on the shelf gives what the newest Keras gives from the same weights: in inference, in training, its gradients, its config."""

import functools

import pytest

from tests.layers import against

IMAGE, SEQUENCE, VECTOR, VOLUME = (2, 7, 6, 4), (2, 6, 4), (3, 5), (2, 5, 6, 4, 2)
MERGED, ATTENDED = (2, 4, 5), ((2, 4, 5), (2, 6, 3))

CASES = [  # (expression, shapes of the inputs); `layers` is the library's or Keras's
    ("Dense(3)", VECTOR),
    ("Dense(3, activation='relu', use_bias=False)", SEQUENCE),
    ("Dense(4, kernel_regularizer='l2', activity_regularizer='l1')", VECTOR),
    ("Activation('tanh')", VECTOR),
    ("Flatten()", IMAGE),
    ("Flatten(data_format='channels_first')", IMAGE),
    ("Reshape((6, -1))", IMAGE),
    ("Permute((2, 1))", SEQUENCE),
    ("RepeatVector(3)", VECTOR),
    ("Conv1D(3, 3)", SEQUENCE),
    ("Conv1D(3, 2, padding='causal', dilation_rate=2)", SEQUENCE),
    ("Conv1D(4, 3, strides=2, padding='same', groups=2)", SEQUENCE),
    ("Conv2D(5, 3, activation='relu')", IMAGE),
    ("Conv2D(5, (3, 2), strides=(2, 1), padding='same')", IMAGE),
    ("Conv2D(4, 2, dilation_rate=2, groups=2, use_bias=False)", IMAGE),
    ("Conv2D(3, 1)", IMAGE),
    ("Conv2D(3, 3, data_format='channels_first')", (2, 3, 6, 7)),
    ("Conv3D(3, 2, padding='same')", VOLUME),
    ("Conv1DTranspose(3, 3, strides=2)", SEQUENCE),
    ("Conv2DTranspose(3, 3, strides=2, padding='same')", IMAGE),
    ("Conv2DTranspose(3, (2, 4), strides=(3, 2), padding='valid')", IMAGE),
    ("Conv2DTranspose(3, 3, strides=2, padding='same', output_padding=0)", IMAGE),
    ("Conv3DTranspose(2, 2, strides=2)", VOLUME),
    ("DepthwiseConv1D(3, depth_multiplier=2)", SEQUENCE),
    ("DepthwiseConv2D(3, padding='same')", IMAGE),
    ("DepthwiseConv2D(3, strides=2, padding='same', depth_multiplier=2)", IMAGE),
    ("SeparableConv1D(5, 3, padding='same')", SEQUENCE),
    ("SeparableConv2D(5, 3, strides=2)", IMAGE),
    ("MaxPooling1D()", SEQUENCE),
    ("MaxPooling2D(3, strides=2, padding='same')", IMAGE),
    ("MaxPooling2D((2, 3), data_format='channels_first')", IMAGE),
    ("MaxPooling3D()", VOLUME),
    ("AveragePooling1D(3, padding='same')", SEQUENCE),
    ("AveragePooling2D(3, strides=1, padding='same')", IMAGE),
    ("AveragePooling3D(2)", VOLUME),
    ("GlobalMaxPooling1D()", SEQUENCE),
    ("GlobalMaxPooling2D(keepdims=True)", IMAGE),
    ("GlobalMaxPooling3D()", VOLUME),
    ("GlobalAveragePooling1D()", SEQUENCE),
    ("GlobalAveragePooling2D(data_format='channels_first')", IMAGE),
    ("GlobalAveragePooling3D()", VOLUME),
    ("AdaptiveAveragePooling1D(3)", SEQUENCE),
    ("AdaptiveAveragePooling2D((3, 4))", IMAGE),
    ("AdaptiveMaxPooling2D(2)", IMAGE),
    ("ZeroPadding1D(2)", SEQUENCE),
    ("ZeroPadding2D(((1, 0), (2, 3)))", IMAGE),
    ("ZeroPadding3D(1)", VOLUME),
    ("Cropping1D((1, 2))", SEQUENCE),
    ("Cropping2D(((1, 0), (2, 1)))", IMAGE),
    ("Cropping3D(1)", VOLUME),
    ("UpSampling1D(3)", SEQUENCE),
    ("UpSampling2D((2, 3))", IMAGE),
    ("UpSampling3D(2)", VOLUME),
    ("BatchNormalization()", IMAGE),
    ("BatchNormalization(axis=1, momentum=0.5, scale=False)", IMAGE),
    ("BatchNormalization(center=False, epsilon=0.1)", VECTOR),
    ("LayerNormalization()", SEQUENCE),
    ("LayerNormalization(axis=[1, 2], center=False)", SEQUENCE),
    ("RMSNormalization()", SEQUENCE),
    ("GroupNormalization(groups=2)", IMAGE),
    ("GroupNormalization(groups=-1, axis=1)", IMAGE),
    ("UnitNormalization()", SEQUENCE),
    ("Rescaling(0.5, offset=1.0)", IMAGE),
    ("Normalization(mean=0.5, variance=2.0)", VECTOR),
    ("ReLU(max_value=0.5, negative_slope=0.1, threshold=0.2)", VECTOR),
    ("LeakyReLU()", VECTOR),
    ("ELU(alpha=0.5)", VECTOR),
    ("PReLU()", VECTOR),
    ("PReLU(shared_axes=[1, 2])", IMAGE),
    ("Softmax(axis=1)", SEQUENCE),
    ("SimpleRNN(3)", SEQUENCE),
    ("SimpleRNN(3, return_sequences=True, go_backwards=True)", SEQUENCE),
    ("LSTM(3)", SEQUENCE),
    ("LSTM(3, return_sequences=True, return_state=True)", SEQUENCE),
    ("LSTM(3, unroll=True, unit_forget_bias=False)", SEQUENCE),
    ("GRU(3)", SEQUENCE),
    ("GRU(3, reset_after=False, return_sequences=True)", SEQUENCE),
    ("RNN([layers.LSTMCell(3), layers.GRUCell(2)])", SEQUENCE),
    ("Bidirectional(layers.LSTM(3))", SEQUENCE),
    ("Bidirectional(layers.GRU(3, return_sequences=True), merge_mode='sum')", SEQUENCE),
    ("Bidirectional(layers.SimpleRNN(2, return_state=True), merge_mode='ave')", SEQUENCE),
    ("TimeDistributed(layers.Dense(3))", SEQUENCE),
    ("TimeDistributed(layers.Conv1D(3, 2))", (2, 3, 6, 4)),
    ("EinsumDense('abc,cd->abd', output_shape=(None, 3), bias_axes='d')", SEQUENCE),
    ("EinsumDense('...x,xy->...y', output_shape=3, bias_axes='y')", SEQUENCE),
    ("Masking()", SEQUENCE),
    ("ActivityRegularization(l1=0.1, l2=0.2)", VECTOR),
    ("Identity()", VECTOR),
]
MERGES = [
    ("Add()", 3, {}),
    ("Subtract()", 2, {}),
    ("Multiply()", 3, {}),
    ("Average()", 3, {}),
    ("Maximum()", 3, {}),
    ("Minimum()", 2, {}),
    ("Concatenate(axis=1)", 3, {}),
    ("Dot(axes=(1, 1))", 2, {}),
    ("Dot(axes=2, normalize=True)", 2, {}),
    ("Attention()", 3, {}),
    ("Attention(use_scale=True, score_mode='concat')", 2, {}),
    ("AdditiveAttention()", 2, {}),
]
ATTENTION = [
    ("MultiHeadAttention(2, 3)", {}),
    ("MultiHeadAttention(2, 3, output_shape=5, use_bias=False)", {}),
    ("MultiHeadAttention(2, 3)", {"use_causal_mask": True}),
    ("MultiHeadAttention(1, 2)", {"return_attention_scores": True}),
]


@functools.cache
def answers():
    """What Keras gives for every case, asked once: expression and arguments of the call -> answer."""
    every = [{"expression": expression, "shapes": [shape]} for expression, shape in CASES]
    every += [{"expression": expression, "shapes": [MERGED] * count, "kwargs": kwargs} for expression, count, kwargs in MERGES]
    every += [{"expression": expression, "shapes": [*ATTENDED], "spread": True, "kwargs": kwargs} for expression, kwargs in ATTENTION]
    return {f"{case['expression']} {case.get('kwargs', {})}": (case, theirs) for case, theirs in zip(every, against.ask(every))}


def check(backend, expression, kwargs=None):
    case, theirs = answers()[f"{expression} {kwargs or {}}"]
    assert "error" not in theirs, theirs
    against.compare(backend, theirs, **case)


@pytest.mark.parametrize("expression, shape", CASES, ids=[c[0] for c in CASES])
def test_layer(backend, expression, shape):
    check(backend, expression)


@pytest.mark.parametrize("expression, count, kwargs", MERGES, ids=[c[0] for c in MERGES])
def test_merging(backend, expression, count, kwargs):
    check(backend, expression, kwargs)


@pytest.mark.parametrize("expression, kwargs", ATTENTION, ids=[f"{c[0]} {c[1]}" for c in ATTENTION])
def test_attention(backend, expression, kwargs):
    check(backend, expression, kwargs)
