"""The forms that the TensorFlow backend has of its own for speed, against the written-once bodies: values and gradients."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed: make backends")

from cornu import backends, ops  # noqa: E402
from cornu.backends import tensorflow as backend  # noqa: E402
from cornu.ops.dispatch import BODIES  # noqa: E402

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def on_tensorflow():
    backends.load("tensorflow")


def drawn(*shape):
    return tf.constant(RNG.standard_normal(shape, "float32"))


def derivatives(function, *xs):
    """The outputs, and the gradients by `xs` of a sum of theirs with changing weights."""
    with tf.GradientTape() as tape:
        tape.watch(xs)
        outs = tf.nest.flatten(function(*xs))
        loss = tf.add_n([tf.reduce_sum(tf.sin(out * 1.7 + 0.3)) for out in outs])
    return [x.numpy() for x in (*outs, *tape.gradient(loss, xs))]


def same(found, wanted, tolerance=1e-4):
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("shape", [(4, 5, 6, 7), (8, 3), (2, 5, 3), (1, 1, 1, 3), (2, 3, 4, 2, 3)])
@pytest.mark.parametrize("given", [(), ("offset",), ("offset", "scale")])
def test_normalization_by_a_batch(shape, given):
    x, weights = drawn(*shape) * 2 + 1, [drawn(shape[-1]) for _ in given]

    def derivatives_of(form):
        return derivatives(lambda x, *weights: form(x, -1, epsilon=0.01, **dict(zip(given, weights, strict=True))), x, *weights)

    same(derivatives_of(backend.normalize_by_batch), derivatives_of(BODIES["normalize_by_batch"]))


def test_normalization_by_a_batch_of_other_axes_and_types_is_the_body():
    for x, axis in (drawn(2, 3, 4), 1), (tf.zeros((0, 3)), -1), (tf.cast(drawn(2, 3), tf.float64), -1):
        assert backend.normalize_by_batch(x, axis) is NotImplemented


@pytest.mark.parametrize(
    "image, channels, filters, window, strides, padding",
    [((2, 2), 512, 512, 1, 1, "same"), ((2, 2), 128, 256, 3, 1, "same"), ((4, 3), 512, 1024, 1, 2, "same"), ((5, 4), 256, 256, 3, 2, "valid"),
     ((3, 4), 256, 256, 3, 2, "same"), ((1, 1), 64, 128, (3, 3), 1, "same"), ((1, 2), 512, 512, 1, 1, [(0, 1), (0, 0)])],
)  # fmt: skip
def test_convolutions_of_few_places_are_products(image, channels, filters, window, strides, padding):
    window = (window, window) if isinstance(window, int) else window
    x, kernel = drawn(2, *image, channels), drawn(*window, channels, filters) * 0.03
    traced = tf.function(lambda x, k: ops.conv(x, k, strides, padding)).get_concrete_function(x, kernel)
    assert not [node for node in traced.graph.as_graph_def().node if node.op == "Conv2D"]
    ends, how = ([(0, 0)] * 4, padding.upper()) if isinstance(padding, str) else ([(0, 0), *padding, (0, 0)], "VALID")
    native = derivatives(lambda x, k: tf.nn.conv2d(tf.pad(x, ends), k, strides, how), x, kernel)
    same(derivatives(lambda x, k: ops.conv(x, k, strides, padding), x, kernel), native, 1e-3)


@pytest.mark.parametrize("name", ["relu", "relu6"])
def test_activations_are_their_bodies_at_corners_too(name):
    x = tf.constant([-np.inf, -1.0, -0.0, 0.0, 0.5, 3.0, 6.0, 7.0, np.inf, np.nan])
    for function in getattr(ops, name), BODIES[name]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        found = y.numpy(), tape.gradient(y, x).numpy()[:-1]
        np.testing.assert_array_equal(found[0], np.clip(x, 0, 6 if name == "relu6" else np.inf))
        np.testing.assert_array_equal(found[1], np.float32((x > 0) & (x < (6 if name == "relu6" else np.inf)) | ((name == "relu") & (x > 0)))[:-1])


@pytest.mark.parametrize("given", [(), ("gamma",), ("gamma", "beta")])
def test_layer_normalization_of_much_in_a_program(given):
    x, weights = drawn(64, 8, 160) * 2 + 1, [drawn(160) for _ in given]

    def derivatives_of(form):
        call = lambda x, *weights: form(x, epsilon=0.01, **dict(zip(given, weights, strict=True)))  # noqa: E731
        traced = tf.function(lambda x, *weights: call(x, *weights)).get_concrete_function(x, *weights)
        return derivatives(traced, x, *weights), len(traced.graph.get_operations())

    (found, size), (wanted, many) = derivatives_of(ops.layer_normalization), derivatives_of(BODIES["layer_normalization"])
    same(found, wanted)
    assert size < many
    assert backend.layer_normalization(x) is NotImplemented  # outside of programs


@pytest.mark.slow
def test_layers_normalize_by_the_kernels_in_training_with_jit_too():
    import cornu as keras

    found = []
    for jit_compile in False, True:
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((64, 64, 32)), keras.layers.LayerNormalization(), keras.layers.BatchNormalization(), keras.layers.Dense(2)])
        model.compile("sgd", "mse", jit_compile=jit_compile)
        x = np.random.default_rng(0).random((8, 64, 64, 32), "float32")
        losses = model.fit(x, x[..., :2], batch_size=4, epochs=2, verbose=0, shuffle=False).history["loss"]
        found.append([*losses, *(float(np.sum(np.square(w))) for w in model.get_weights())])
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-6)
