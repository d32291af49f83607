"""The TensorFlow backend: types, edges, and what is its own (tapes, graphs, tf.data); its ops are checked by test_engines.py."""

import os
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed: make backends")

import cornu as keras  # noqa: E402
from cornu import backends, dtypes, layers, ops  # noqa: E402
from cornu.backends import tensorflow as backend  # noqa: E402

RNG = np.random.default_rng(0)
X = RNG.random((64, 4), "float32")
Y = X[:, :3].argmax(1)


@pytest.fixture(autouse=True)
def on_tensorflow():
    backends.load("tensorflow")


def classifier(*more):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((4,)), layers.Dense(8, activation="relu"), *more, layers.Dense(3)])


# Types and indices


@pytest.mark.parametrize("dtype", [dtype for dtype in dtypes.ALL if dtype != "string"])
def test_arrays_there_and_back(dtype):
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    x = np.arange(6).reshape(2, 3).astype(kind)
    found = backend.array(x)
    assert backend.dtype(found) == dtype
    assert backend.numpy(found).dtype == kind
    np.testing.assert_array_equal(backend.numpy(found).astype("complex128"), x.astype("complex128"))
    x[0, 0] = 1  # the tensor has memory of its own
    assert backend.numpy(found).astype("complex128")[0, 0] == 0


def test_texts_are_refused():
    with pytest.raises(TypeError, match="no text"):
        backend.array(np.array(["a", "b"]))


ARITHMETIC = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "maximum": np.maximum, "less": np.less, "negative": np.negative, "abs": np.abs,
    "sign": np.sign, "square": np.square, "power": np.power, "matmul": lambda x, y: x @ y, "sum": lambda x: x.sum(0, x.dtype), "sort": lambda x: np.sort(x),
    "cumsum": lambda x: np.cumsum(x, -1, x.dtype), "floor_divide": np.floor_divide, "mod": np.mod,
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bfloat16", "float16", "float8_e4m3fn", "float64"])
def test_arithmetic_in_every_type(dtype):
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    x, y = np.array([[3, 1], [2, 5]]).astype(kind), np.array([[1, 2], [2, 1]]).astype(kind)
    for name, reference in ARITHMETIC.items():
        two = name in ("matmul", "less") or name in ("add", "subtract", "multiply", "maximum", "power", "floor_divide", "mod")
        args = (x, y) if two else (x,)
        extra = {"sum": ((0,), False), "sort": (1,), "cumsum": (1,)}.get(name, ())
        found = backend.numpy(getattr(backend, name)(*map(backend.array, args), *extra))
        if kind.kind in "iu":
            wanted = reference(*args)
        else:
            wanted = reference(*(arg.astype("float64") for arg in args)).astype(kind)
        np.testing.assert_array_equal(found.astype("float64"), wanted.astype("float64"), err_msg=name)
        assert found.dtype == (bool if name == "less" else kind), name


@pytest.mark.parametrize(
    "key",
    [
        np.s_[1], np.s_[-1, ..., 0], np.s_[::-1], np.s_[..., ::-2], np.s_[1:, None, 2:0:-1], np.s_[:, [0, 2]], np.s_[[1, 0], :, [0, 3]], np.s_[:, [[0], [1]], [2, -1]],
        np.s_[None, [1, -1]], np.s_[0, :, [1, 2]], np.s_[..., [1, 1], None], np.s_[np.array([True, False])], np.s_[:, np.array([True, False, True])],
        np.s_[np.int64(1), 0], np.s_[:, [0, 1], 1:3],
    ],
    ids=str,
)  # fmt: skip
def test_indexing_is_that_of_numpy(key):
    x = np.arange(24).reshape(2, 3, 4)
    np.testing.assert_array_equal(backend.numpy(backend.getitem(backend.array(x), key)), x[key])


def test_factors_of_matrices_that_are_not_square_or_singular():
    for x in RNG.random((2, 4, 3)), RNG.random((3, 5)), np.ones((3, 3)):
        found, pivots = (backend.numpy(part) for part in backend.lu(backend.array(x)))
        k = min(x.shape[-2:])
        order = np.broadcast_to(np.arange(x.shape[-2]), (*x.shape[:-2], x.shape[-2])).copy()
        for i in range(k):
            for rows, pivot in zip(order.reshape(-1, x.shape[-2]), pivots.reshape(-1, k), strict=True):
                rows[[i, pivot[i]]] = rows[[pivot[i], i]]
        left = np.tril(found[..., :k], -1) + np.eye(x.shape[-2], k)
        np.testing.assert_allclose(left @ np.triu(found[..., :k, :]), np.take_along_axis(x, order[..., None], -2), atol=1e-12)


def test_a_device_that_is_not_there():
    with pytest.raises(ValueError, match="device: wanted one of cpu:0.*; got 'nowhere:0'"), keras.device("nowhere:0"):
        pass
    with keras.device("cpu:0"):
        assert "CPU:0" in ops.ones(2).device


# Graphs


def test_loops_and_branches_inside_of_programs():
    def body(x):
        total, sums = ops.scan(lambda c, v: (c + v, c * v), ops.zeros(2), x)
        back, _ = ops.scan(lambda c, v: (c * 0.5 + v, None), ops.zeros(2), x, reverse=True)
        grown = ops.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, v * 2), (0, x))[1]
        chosen = ops.cond(ops.sum(x) > 0, lambda: x * 2, lambda: -x)
        each = ops.vectorized_map(lambda row: ops.cumsum(row) * 2, x)
        return total, sums, back, grown, chosen, each

    x = backend.array(RNG.random((5, 2), "float32"))
    for one, other in zip(backend.compile(body)(x), body(x), strict=True):
        np.testing.assert_allclose(backend.numpy(one), backend.numpy(other), rtol=1e-6)


def test_gradients_through_the_loops_of_a_program():
    def loss(values):
        carry, ys = ops.scan(lambda c, v: (ops.tanh(c + v), c * v), ops.zeros(2), values[0])
        return ops.sum(carry) + ops.sum(ys), ()

    x = [backend.array(RNG.random((5, 2), "float32"))]
    inside = backend.compile(lambda values: backend.value_and_grad(loss, values)[1])(x)
    outside = backend.value_and_grad(loss, x)[1]
    np.testing.assert_allclose(backend.numpy(inside[0]), backend.numpy(outside[0]), rtol=1e-5)


def test_gradients_of_gradients_and_directions():
    def slope(values):
        (_, _), (inner,) = backend.value_and_grad(lambda v: (ops.sum(v[0] ** 3), ()), values)
        return ops.sum(inner), ()

    x = backend.array(np.array([1.0, 2.0], "float32"))
    for run in (lambda f: f), backend.compile:
        (second,) = run(lambda values: backend.value_and_grad(slope, values)[1])([x])
        np.testing.assert_allclose(backend.numpy(second), [6.0, 12.0])
        value, change = run(lambda v: tuple(ops.jvp(lambda a: a * a, (v,), (ops.ones_like(v),))))(x)
        np.testing.assert_allclose(backend.numpy(change), [2.0, 4.0])


def test_a_gradient_of_ones_own():
    @ops.custom_gradient
    def doubled(x):
        return x * 2, lambda upstream: upstream * 10

    (_, _), (found,) = backend.value_and_grad(lambda v: (ops.sum(doubled(v[0])), ()), [backend.array(np.ones(3, "float32"))])
    np.testing.assert_array_equal(backend.numpy(found), [10, 10, 10])


def test_a_program_for_each_shape_and_no_more():
    traces = []
    program = backend.compile(lambda x, n: (traces.append(x.shape), ops.sum(x) + n)[1])
    for rows in 2, 3, 2, 3, 3:
        assert float(program(backend.array(np.ones((rows, 2), "float32")), np.ones((), "float32"))) == rows * 2 + 1
    assert {tuple(shape) for shape in traces} == {(2, 2), (3, 2)}
    count = len(traces)
    program(backend.array(np.zeros((3, 2), "float32")), np.ones((), "float32"))
    assert len(traces) == count


def test_shapes_of_functions_of_tensorflow():
    inputs = keras.Input((5, 4))
    outputs = layers.Lambda(lambda x: tf.reduce_sum(tf.transpose(x, [0, 2, 1]), -1))(inputs)
    assert outputs.shape == (None, 4)
    found = keras.Model(inputs, outputs).predict(np.ones((3, 5, 4), "float32"), verbose=0)
    np.testing.assert_array_equal(found, np.full((3, 4), 5.0))


# Training


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", ["auto", True])
def test_losses_of_recurrent_layers_and_attention_are_those_of_jax(jit_compile):
    words, y = RNG.integers(0, 20, (48, 7)), np.linspace(0, 1, 48, dtype="float32")[:, None]
    histories = []
    for which in "tensorflow", "jax":
        backends.load(which)
        keras.utils.set_random_seed(1)
        inputs = keras.Input((7,), dtype="int32")
        x = layers.Embedding(20, 8, mask_zero=True)(inputs)
        x = layers.LSTM(6, return_sequences=True)(x)
        x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 3)(x, x))
        model = keras.Model(inputs, layers.Dense(1)(layers.GRU(5)(x)))
        model.compile("adam", "mse", jit_compile=jit_compile)
        histories.append(model.fit(words, y, batch_size=16, epochs=3, verbose=0).history["loss"])
    np.testing.assert_allclose(histories[0], histories[1], rtol=1e-4)


@pytest.mark.parametrize("zero_masked", [False, True])
@pytest.mark.parametrize("kind, activation", [("LSTM", "tanh"), ("GRU", "tanh"), ("SimpleRNN", "tanh"), ("SimpleRNN", "relu")])
def test_recurrent_loops_are_the_steps_one_by_one(kind, activation, zero_masked):
    x, mask = tf.constant(RNG.normal(size=(3, 5, 4)).astype("float32")), np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1], [0, 0, 0, 0, 0]], bool)
    found = []
    for unroll in False, True:
        keras.utils.set_random_seed(0)
        layer = getattr(layers, kind)(6, activation=activation, bias_initializer="normal", return_sequences=True, return_state=True, unroll=unroll)
        layer.zero_output_for_mask = zero_masked
        layer.build(x.shape)
        assert layer.form()[0] == ("steps" if unroll else "kernel")

        def told(x, layer=layer):
            with tf.GradientTape() as tape:
                tape.watch(x)
                outputs = layer(x, mask=mask)
                loss = tf.add_n([tf.reduce_sum(tf.sin(y)) for y in outputs])
            return list(outputs) + tape.gradient(loss, [x, *layer.trainable_variables])

        found += [told(x), tf.function(told)(x)] if not unroll else [told(x)]
    for one in found[:-1]:
        for a, b in zip(one, found[-1], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_dropout_is_drawn_anew_and_from_the_seed():
    model = classifier(layers.Dropout(0.5, seed=1))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    first = model.fit(X, Y, epochs=3, verbose=0, shuffle=False).history["loss"]
    again = classifier(layers.Dropout(0.5, seed=1))
    again.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    np.testing.assert_allclose(again.fit(X, Y, epochs=3, verbose=0, shuffle=False).history["loss"], first, rtol=1e-6)
    assert len(set(first)) == 3


def custom_loop(wrap):
    """Keras's classic loop: losses, accuracies and the moving mean after it."""
    model, optimizer = classifier(layers.BatchNormalization()), keras.optimizers.Adam(0.05)
    loss_fn, accuracy = keras.losses.SparseCategoricalCrossentropy(from_logits=True), keras.metrics.SparseCategoricalAccuracy()

    @wrap
    def step(x, y):
        with tf.GradientTape() as tape:
            logits = model(x, training=True)
            loss = loss_fn(y, logits)
        gradients = tape.gradient(loss, model.trainable_weights)
        optimizer.apply_gradients(zip(gradients, model.trainable_weights, strict=True))
        accuracy.update_state(y, logits)
        return loss

    told = []
    for _ in range(3):
        told += [float(step(x, y)) for x, y in tf.data.Dataset.from_tensor_slices((X, Y)).batch(32)]
        told.append(float(accuracy.result()))
        accuracy.reset_state()
    return told, model


def test_a_users_tape_trains_in_a_tf_function_as_line_by_line():
    told, model = custom_loop(lambda step: step)
    graph, compiled = custom_loop(tf.function)
    np.testing.assert_allclose(graph, told, rtol=1e-5)
    assert told[-1] > told[2]
    for one, other in zip(model.get_weights(), compiled.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_a_function_of_tensorflow_sees_what_training_did():
    model = classifier()
    predict = tf.function(lambda x: model(x, training=False))
    before = predict(X).numpy()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(X, Y, epochs=2, verbose=0)
    after = predict(X).numpy()
    assert np.abs(after - before).max() > 1e-4
    np.testing.assert_allclose(after, model.predict(X, verbose=0), rtol=1e-5, atol=1e-6)


def test_a_tape_takes_variables_and_tensors_as_sources():
    dense = layers.Dense(2, use_bias=False)
    x = tf.constant(X)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        loss = tf.reduce_sum(dense(x) ** 2) + tf.reduce_sum(dense.kernel * 3.0)
    kernel = dense.kernel.numpy()
    np.testing.assert_allclose(tape.gradient(loss, dense.kernel), 2 * X.T @ (X @ kernel) + 3, rtol=1e-4)
    np.testing.assert_allclose(tape.gradient(loss, x), 2 * X @ kernel @ kernel.T, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(tf.matmul(x, dense.kernel), X @ kernel, rtol=1e-5)


class WithTape(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.head = layers.Dense(8, activation="relu"), layers.Dense(3)

    def call(self, x, training=False):
        return self.head(self.hidden(x))

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=y_pred)
        self.optimizer.apply_gradients(zip(tape.gradient(loss, self.trainable_variables), self.trainable_variables, strict=True))
        for metric in self.metrics:
            metric.update_state(loss) if metric.name == "loss" else metric.update_state(y, y_pred)
        return {metric.name: metric.result() for metric in self.metrics}


@pytest.mark.slow
@pytest.mark.parametrize("eagerly", [False, True])
def test_a_train_step_with_a_tape_is_the_librarys_own(eagerly):
    found = []
    for kind in WithTape, type("Plain", (WithTape,), {"train_step": keras.Model.train_step}):
        keras.utils.set_random_seed(1)
        model = kind()
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"], run_eagerly=eagerly)
        found.append(model.fit(X, Y, epochs=2, verbose=0, shuffle=False).history["loss"])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)


# Data


@pytest.mark.slow
def test_data_sets_of_tensorflow():
    model = classifier()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    whole = tf.data.Dataset.from_tensor_slices((X, Y)).batch(20)
    history = model.fit(whole, validation_data=whole, epochs=2, verbose=0).history
    assert len(history["val_loss"]) == 2
    np.testing.assert_allclose(model.evaluate(whole, verbose=0), model.evaluate(X, Y, batch_size=20, verbose=0), rtol=1e-5)
    np.testing.assert_allclose(model.predict(whole.map(lambda x, y: x), verbose=0), model.predict(X, verbose=0), rtol=1e-5, atol=1e-6)
    assert len(model.fit(whole.repeat(), steps_per_epoch=3, epochs=2, verbose=0).history["loss"]) == 2


@pytest.mark.parametrize("batched", [True, False])
def test_layers_inside_of_a_data_set(batched):
    """Batches have an unknown number of rows in its graph."""
    images = RNG.random((6, 8, 8, 3), "float32")
    data = tf.data.Dataset.from_tensor_slices(images if batched else images[:, None])
    data = data.batch(4) if batched else data
    for layer in layers.Rescaling(1 / 255), layers.Conv2D(2, 3), layers.UpSampling2D(2), layers.Flatten(), layers.Reshape((64, 3)), layers.Dropout(0.5):
        found = np.concatenate([x.numpy() for x in data.map(layer)])
        np.testing.assert_allclose(found, backends.numpy(layer(images)), rtol=1e-5, atol=1e-6, err_msg=layer.name)


def test_a_model_of_unknown_batches_in_a_graph():
    model = classifier()
    graph = tf.function(lambda x: model(x), input_signature=[tf.TensorSpec((None, 4), tf.float32)])
    np.testing.assert_allclose(graph(X[:5]), model.predict(X[:5], verbose=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("x, advice", [(tf.ragged.constant([[1.0, 2.0], [3.0]]), r"x\.to_tensor\(\)"), (tf.sparse.from_dense(X), r"tf\.sparse\.to_dense\(x\)")])
def test_ragged_and_sparse_tensors_are_refused_with_advice(x, advice):
    model = classifier()
    model.compile("sgd", "mse")
    for use in lambda: ops.sin(x), lambda: ops.softmax(x), lambda: model(x), lambda: ops.convert_to_tensor(x):
        with pytest.raises(TypeError, match=advice):
            use()
    for use in lambda: model.fit(x, Y), lambda: model.predict(tf.data.Dataset.from_tensors(x), verbose=0):
        with pytest.raises(ValueError, match=advice):
            use()


@pytest.mark.slow
def test_it_starts_without_warnings_and_takes_a_session():
    keras.backend.set_session(None)
    program = "import cornu.ops as ops; print(float(ops.sum(ops.ones(3))))"
    ran = subprocess.run([sys.executable, "-W", "error", "-c", program], env=os.environ | {"KERAS_BACKEND": "tensorflow"}, capture_output=True, text=True)
    assert ran.stdout.strip() == "3.0", ran.stderr
    assert "cpu_feature_guard" not in ran.stderr
