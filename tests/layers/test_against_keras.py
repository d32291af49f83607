"""Every layer on the shelf gives what the newest Keras gives from the same weights: in inference, in training, its gradients, its config."""

import numpy as np
import pytest

from cornu import layers, ops, serialization, tree
from tests import oracle

F = np.float32
IMAGE, SEQUENCE, VECTOR, VOLUME = (2, 7, 6, 4), (2, 6, 4), (3, 5), (2, 5, 6, 4, 2)

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

KERAS = """
import inspect, jax
layer = eval("keras.layers." + expression, {"keras": keras, "layers": keras.layers})
trains = "training" in inspect.signature(layer.call).parameters
def arguments(xs, training):
    xs = list(xs)
    return (xs if spread else [xs if len(xs) > 1 else xs[0]]), {**kwargs, **({"training": training} if trains else {})}
args, options = arguments([keras.Input(batch_shape=x.shape) for x in xs], False)
layer(*args, **options)
rng = np.random.default_rng(3)
layer.set_weights([rng.uniform(0.2, 0.9, w.shape).astype(w.dtype) for w in layer.get_weights()])
flat = lambda y: [np.asarray(t) for t in keras.tree.flatten(y)]
out["shapes"] = [list(w.shape) for w in layer.weights]
out["names"] = [w.path.split("/", 1)[-1] for w in layer.weights]
state = [v.value for v in layer.non_trainable_variables]
def run(values, xs, training):
    args, options = arguments(xs, training)
    return layer.stateless_call(values, state, *args, **options)
def loss(values, xs):
    y, after = run(values, xs, True)
    return sum(ops.sum(ops.sin(t)) for t in keras.tree.flatten(y)), (y, after)
def everything(values, xs):
    y, _ = run(values, xs, False)
    (_, (trained, after)), gradients = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)(values, xs)
    return y, trained, after, gradients
y, trained, after, gradients = jax.jit(everything)([v.value for v in layer.trainable_variables], [ops.convert_to_tensor(x) for x in xs])
out["y"], out["trained"], out["after"], out["gradients"] = flat(y), flat(trained), flat(after), flat(gradients)
if "egulariz" in expression:
    args, options = arguments(xs, False)
    layer(*args, **options)
    out["losses"] = [float(v) for v in layer.losses]
out["config"] = keras.saving.serialize_keras_object(layer)
"""

_theirs = {}


def compare(backend, expression, xs, spread=False, kwargs=None, tolerance=2e-5):
    kwargs = kwargs or {}
    key = f"{expression} {kwargs}"
    if key not in _theirs:  # asked once for all backends
        _theirs[key] = oracle.run(KERAS, expression=expression, xs=xs, spread=spread, kwargs=kwargs)
    theirs = _theirs[key]
    layer = eval("layers." + expression, {"layers": layers})

    def arguments(xs):
        xs = list(xs)
        return xs if spread else [xs if len(xs) > 1 else xs[0]]

    outputs = layer(*arguments([layers.Input(batch_shape=x.shape) for x in xs]), **kwargs)
    assert [list(w.shape) for w in layer.weights] == theirs["shapes"]
    assert [w.path.split("/", 1)[-1] for w in layer.weights] == theirs["names"]
    rng = np.random.default_rng(3)
    layer.set_weights([rng.uniform(0.2, 0.9, w.shape).astype(w.dtype) for w in layer.weights])
    trains = {"training": True} if layer._takes("training") else {}
    variables, state = layer.trainable_variables, layer.non_trainable_variables

    def loss(values):
        y, after = layer.stateless_call(values[: len(variables)], [v.value for v in state], *arguments(values[len(variables) :]), **kwargs, **trains)
        return sum(ops.sum(ops.sin(t)) for t in tree.flatten(y)), (y, after)

    def everything(values, xs):
        y, _ = layer.stateless_call(values, [v.value for v in state], *arguments(xs), **kwargs)
        (_, (trained, after)), gradients = backend.value_and_grad(loss, [*values, *xs])
        return y, trained, after, gradients

    ours = backend.compile(everything)([v.value for v in variables], [backend.array(x) for x in xs])
    for what, got in zip(("y", "trained", "after", "gradients"), ours):
        close(backend, tree.flatten(got), theirs[what], what, tolerance)
    if "losses" in theirs:
        layer(*arguments(xs), **kwargs)
        np.testing.assert_allclose([float(backend.numpy(v)) for v in layer.losses], theirs["losses"], rtol=1e-5)
    for symbol, value in zip(tree.flatten(outputs), tree.flatten(ours[0])):
        assert symbol.shape == tuple(value.shape) and symbol.dtype == backend.dtype(value), "the inferred shape"

    written = serialization.serialize_keras_object(layer)
    assert written["class_name"] == theirs["config"]["class_name"] and written["module"] == theirs["config"]["module"]
    mine, wanted = plain(written["config"]), plain(theirs["config"]["config"])
    if "SimpleRNN" in expression:  # Keras forgets the seed of this one
        for part in (mine, mine.get("layer", {}).get("config", {}), (mine.get("backward_layer") or {}).get("config", {})):
            part.pop("seed", None)
    assert mine == wanted
    again = serialization.deserialize_keras_object(theirs["config"])
    assert plain(serialization.serialize_keras_object(again)["config"]) == plain(written["config"]), "from Keras's config"


def close(backend, ours, wanted, what, tolerance):
    assert len(ours) == len(wanted), what
    for a, b in zip(ours, wanted):
        a = backend.numpy(a)
        if a.dtype == "uint32":  # the state of a seed, drawn by chance
            continue
        assert a.shape == b.shape and a.dtype == b.dtype, (what, a.shape, b.shape, a.dtype, b.dtype)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=what)


def plain(config):
    """A config without names made up on the way, and with lists for tuples."""
    if isinstance(config, dict):
        return {k: plain(v) for k, v in config.items() if k not in ("name", "registered_name", "build_config")}
    if isinstance(config, float):  # Keras rounds some numbers to float32
        return float(np.float32(config))
    return [plain(v) for v in config] if isinstance(config, (list, tuple)) else config


def inputs(*shapes_):
    rng = np.random.default_rng(1)
    return [rng.normal(size=shape).astype(F) for shape in shapes_]


@pytest.mark.parametrize("expression, shape", CASES, ids=[c[0] for c in CASES])
def test_layer(backend, expression, shape):
    compare(backend, expression, inputs(shape))


@pytest.mark.parametrize("expression, count, kwargs", MERGES, ids=[c[0] for c in MERGES])
def test_merging(backend, expression, count, kwargs):
    compare(backend, expression, inputs(*[(2, 4, 5)] * count), kwargs=kwargs)


@pytest.mark.parametrize("expression, kwargs", ATTENTION, ids=[f"{c[0]} {c[1]}" for c in ATTENTION])
def test_attention(backend, expression, kwargs):
    compare(backend, expression, inputs((2, 4, 5), (2, 6, 3)), spread=True, kwargs=kwargs)
