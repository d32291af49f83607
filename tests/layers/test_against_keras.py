"""Every layer on the shelf gives what the newest Keras gives from the same weights: in inference, in training, its gradients, its config."""

import numpy as np
import pytest

from cornu import layers, ops, serialization
from cornu.scopes import StatelessScope
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
layer = eval("keras.layers." + expression, {"keras": keras, "layers": keras.layers})
inputs = [ops.convert_to_tensor(x) for x in xs]
call = (lambda training: layer(*inputs, **{**kwargs, **({"training": training} if trains else {})})) if spread else (
    lambda training: layer(inputs if len(inputs) > 1 else inputs[0], **{**kwargs, **({"training": training} if trains else {})}))
import inspect
trains = "training" in inspect.signature(layer.call).parameters
call(False)
rng = np.random.default_rng(3)
layer.set_weights([rng.uniform(0.2, 0.9, w.shape).astype(w.dtype) for w in layer.get_weights()])
flat = lambda y: [np.asarray(t) for t in keras.tree.flatten(y)]
out["shapes"] = [list(w.shape) for w in layer.weights]
out["names"] = [w.path.split("/", 1)[-1] for w in layer.weights]
out["y"] = flat(call(False))
out["losses"] = [float(v) for v in layer.losses]
import jax
values = [v.value for v in layer.trainable_variables]
def loss(values, xs):
    state = [v.value for v in layer.non_trainable_variables]
    arguments = list(xs) if spread else [list(xs) if len(xs) > 1 else xs[0]]
    y, _ = layer.stateless_call(values, state, *arguments, **{**kwargs, **({"training": True} if trains else {})})
    return sum(ops.sum(ops.sin(t)) for t in keras.tree.flatten(y))
gradients = jax.grad(loss, argnums=(0, 1))(values, inputs)
out["gradients"] = [np.asarray(g) for g in keras.tree.flatten(gradients)]
out["trained"] = flat(call(True))
out["after"] = layer.get_weights()
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
    arguments = list(xs) if spread else [list(xs) if len(xs) > 1 else xs[0]]
    layer(*arguments, **kwargs)
    assert [list(w.shape) for w in layer.weights] == theirs["shapes"]
    assert [w.path.split("/", 1)[-1] for w in layer.weights] == theirs["names"]
    rng = np.random.default_rng(3)
    layer.set_weights([rng.uniform(0.2, 0.9, w.shape).astype(w.dtype) for w in layer.weights])
    trains = {"training": True} if layer._takes("training") else {}

    def close(ours, wanted, what):
        ours = [backend.numpy(t) if not isinstance(t, np.ndarray) else t for t in ours]
        assert len(ours) == len(wanted), what
        for a, b in zip(ours, wanted):
            assert a.shape == b.shape and a.dtype == b.dtype, (what, a.shape, b.shape, a.dtype, b.dtype)
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=what)

    flat = lambda y: [t for t in (y if isinstance(y, (tuple, list)) else [y])]
    close(flat(layer(*arguments, **kwargs)), theirs["y"], "inference")
    np.testing.assert_allclose([float(v) for v in layer.losses], theirs["losses"], rtol=1e-5)

    variables, n = layer.trainable_variables, len(layer.trainable_variables)

    def loss(values):
        inputs = values[n:]
        with StatelessScope(zip(variables, values[:n])):
            y = layer(*(inputs if spread else [inputs if len(inputs) > 1 else inputs[0]]), **kwargs, **trains)
            total = sum(ops.sum(ops.sin(t)) for t in flat(y))
        return total, ()

    _, gradients = backend.value_and_grad(loss, [*(v.value for v in variables), *(backend.array(x) for x in xs)])
    close(gradients, theirs["gradients"], "gradients")
    close(flat(layer(*arguments, **kwargs, **trains)), theirs["trained"], "training")
    close(layer.get_weights(), theirs["after"], "weights after training")

    written = serialization.serialize_keras_object(layer)
    assert written["class_name"] == theirs["config"]["class_name"] and written["module"] == theirs["config"]["module"]
    ours, wanted = plain(written["config"]), plain(theirs["config"]["config"])
    if "SimpleRNN" in expression:  # Keras forgets the seed of this one
        for part in (ours, ours.get("layer", {}).get("config", {}), (ours.get("backward_layer") or {}).get("config", {})):
            part.pop("seed", None)
    assert ours == wanted
    again = serialization.deserialize_keras_object(theirs["config"])
    again.set_weights(layer.get_weights())
    close(flat(again(*arguments, **kwargs)), [backend.numpy(t) for t in flat(layer(*arguments, **kwargs))], "from Keras's config")


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
