"""The PyTensor backend: layers learn as on JAX, in its quick and in its default mode; layers in graphs of the user's; gradients beside NumPy's."""

import numpy as np
import pytest

import cornu as keras
from cornu import backends, layers, ops, tree
from tests.ops.check import draw

pytensor = pytest.importorskip("pytensor")
from pytensor import tensor as pt  # noqa: E402

SEQUENCES, IMAGES, ROWS = draw((40, 5, 3), 0, 1), draw((40, 8, 8, 2), 0, 1), draw((40, 6), 0, 1)
WORDS = np.random.default_rng(0).integers(0, 20, (40, 7)).astype("int32")
TARGETS = draw((40, 2), 0, 1, seed=1)

MODELS = {
    "dense": (ROWS, lambda: [layers.Dense(8, "relu"), layers.Dense(2)]),
    "convolution": (
        IMAGES,
        lambda: [
            layers.Conv2D(4, 3, activation="relu", padding="same", strides=2),
            layers.Conv2DTranspose(3, 3, strides=2),
            layers.DepthwiseConv2D(3, dilation_rate=2),
            layers.SeparableConv2D(4, 3),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(2),
        ],
    ),
    "pooling": (
        IMAGES,
        lambda: [layers.MaxPooling2D(3, 2, padding="same"), layers.Conv2D(4, 2, groups=2), layers.GlobalAveragePooling2D(), layers.Dense(2)],
    ),
    "one dimension": (SEQUENCES, lambda: [layers.Conv1D(4, 2, padding="causal"), layers.MaxPooling1D(2), layers.Flatten(), layers.Dense(2)]),
    "lstm": (SEQUENCES, lambda: [layers.LSTM(4, return_sequences=True), layers.LSTM(4), layers.Dense(2)]),
    "gru": (SEQUENCES, lambda: [layers.GRU(4), layers.Dense(2)]),
    "simple": (SEQUENCES, lambda: [layers.Bidirectional(layers.SimpleRNN(4)), layers.Dense(2)]),
    "dropout": (ROWS, lambda: [layers.Dense(8), layers.Dropout(0.5), layers.Dense(2)]),
    "normalization": (ROWS, lambda: [layers.Dense(8, use_bias=False), layers.BatchNormalization(), layers.LayerNormalization(), layers.Dense(2)]),
    "embedding": (WORDS, lambda: [layers.Embedding(20, 4, mask_zero=True), layers.LSTM(4), layers.Dense(2)]),
}


def trained(which, x, stack, optimizer="adam"):
    """Losses of two epochs, of a test, and predictions for another number of rows; the last batch is a short one."""
    backends.load(which)
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input(x.shape[1:], dtype=x.dtype.name), *stack()])
    model.compile(optimizer, "mse")
    losses = model.fit(x, TARGETS, batch_size=16, epochs=2, verbose=0).history["loss"]
    return losses, model.evaluate(x, TARGETS, batch_size=16, verbose=0), model.predict(x[:5], verbose=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_layers_learn_as_on_jax(name):
    for one, other in zip(trained("pytensor", *MODELS[name]), trained("jax", *MODELS[name]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("mode", [None, "JAX"])
def test_compiled_modes_give_what_the_quick_one_gives(mode, monkeypatch):
    x, stack = IMAGES, lambda: [layers.Conv2D(2, 3, strides=2), layers.MaxPooling2D(2), layers.Flatten(), layers.Dropout(0.5), layers.Dense(2)]
    quick = trained("pytensor", x, stack, "sgd")
    if mode is None:
        monkeypatch.delenv("CORNU_PYTENSOR_MODE")
    else:
        monkeypatch.setenv("CORNU_PYTENSOR_MODE", mode)
    for one, other in zip(trained("pytensor", x, stack, "sgd"), quick, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_bits_that_do_not_fit_are_lost_in_compiled_programs_too(monkeypatch):
    """Numba computes on uint32 with 64 bits where PyTensor fuses expressions."""
    backend = backends.load("pytensor")
    key = np.array([3, 5], "uint32")
    wanted = keras.random.uniform((5,), seed=key)
    monkeypatch.delenv("CORNU_PYTENSOR_MODE")
    np.testing.assert_array_equal(backend.compile(lambda key: keras.random.uniform((5,), seed=key))(key), wanted)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "settings"), [((2, 9, 3), ((3,), (2,), (2,))), ((2, 9, 8, 3), ((3, 2), (2, 1), (1, 2))), ((2, 5, 6, 7, 3), ((2, 2, 3), (1, 2, 1), (1, 1, 2)))]
)
def test_windows_compiled_are_windows_of_numpy(shape, settings):
    backend = backends.load("pytensor")
    pytest.importorskip("cornu.backends.pytensor_numba")
    x = pt.tensor("x", dtype="float32", shape=shape)
    seen = backend.nodes.Windows(*settings)(x)
    functions = [pytensor.function([x], [seen, pytensor.grad(pt.sum(pt.sqr(seen)), x)], mode=mode) for mode in (backend.QUICK, "NUMBA")]
    for one, other in zip(*(function(draw(shape)) for function in functions), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


GRAPHS = {
    "dense": (lambda: layers.Dense(3), (5, 4)),
    "convolution": (lambda: layers.Conv2D(3, 3), (5, 8, 8, 2)),
    "pooling": (lambda: layers.MaxPooling2D(2), (5, 8, 8, 2)),
    "flatten": (lambda: keras.Sequential([layers.Flatten(), layers.Dense(2, activation="softmax")]), (5, 4, 4, 2)),
    "lstm": (lambda: layers.LSTM(3), (5, 6, 2)),
    "normalization": (lambda: keras.Sequential([layers.BatchNormalization(), layers.LayerNormalization()]), (5, 4)),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_layer_works_in_a_graph_of_the_users_for_any_number_of_rows(name):
    backend = backends.load("pytensor")
    make, shape = GRAPHS[name]
    layer, x = make(), pt.tensor("x", dtype="float32", shape=(None, *shape[1:]))
    y = layer(x)
    assert isinstance(y, pt.TensorVariable)
    weights = [backend.shared(weight) for weight in layer.trainable_variables]
    run = pytensor.function([x], [y, *pytensor.grad(pt.sum(pt.tanh(y)), weights)], mode=backend.QUICK)
    for rows in (shape[0], 2):
        value = draw((rows, *shape[1:]))
        found, *gradients = run(value)
        np.testing.assert_allclose(found, layer(value), rtol=1e-5, atol=1e-6)

        def loss(values, value=value):
            return ops.sum(ops.tanh(layer.stateless_call(values, [v.value for v in layer.non_trainable_variables], value)[0])), ()

        wanted = backend.value_and_grad(loss, [weight.value for weight in layer.trainable_variables])[1]
        for one, other in zip(gradients, wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_graph_of_the_users_trains_a_layer_and_the_layer_adopts_its_weights():
    backend = backends.load("pytensor")
    layer, x, y = layers.Dense(1), pt.matrix("x", dtype="float32", shape=(None, 3)), pt.matrix("y", dtype="float32", shape=(None, 1))
    loss = pt.mean(pt.sqr(layer(x) - y))
    weights = [backend.shared(weight) for weight in layer.trainable_variables]
    updates = [(w, w - np.float32(0.1) * g) for w, g in zip(weights, pytensor.grad(loss, weights), strict=True)]
    step = pytensor.function([x, y], loss, updates=updates, mode=backend.QUICK)
    rows = draw((20, 3))
    losses = [float(step(rows, rows @ np.array([[1.0], [2.0], [-1.0]], "float32"))) for _ in range(100)]
    assert losses[-1] < 1e-3 * losses[0]
    backend.adopt(layer)
    np.testing.assert_allclose(layer.kernel.numpy()[:, 0], [1, 2, -1], atol=0.1)


def test_what_a_call_changes_is_told():
    backend = backends.load("pytensor")
    x, layer, noise = pt.tensor("x", dtype="float32", shape=(None, 4)), layers.BatchNormalization(momentum=0.0), layers.Dropout(0.5, seed=1)
    outputs = [layer(x, training=True), noise(x, training=True)]
    run = pytensor.function([x], outputs, updates=[*backend.updates(layer), *backend.updates(noise)], mode=backend.QUICK)
    value = draw((6, 4))
    masks = [run(value)[1] == 0 for _ in range(2)]
    assert (masks[0] != masks[1]).any()
    backend.adopt(layer)
    np.testing.assert_allclose(layer.moving_mean.numpy(), value.mean(0), rtol=1e-4, atol=1e-6)


def test_a_size_that_weights_need_is_asked_for():
    backends.load("pytensor")
    with pytest.raises(ValueError, match="is not known"):
        layers.Dense(3)(pt.matrix("x"))


def smooth(x):
    """A function with a gradient of its own: three times the true one."""

    @ops.custom_gradient
    def scaled(x):
        return ops.square(x), lambda g: (6.0 * x * g,)

    return scaled(x)


TIES = {
    "maximum": lambda x, y: ops.maximum(x, y),
    "minimum of a row": lambda x, y: ops.minimum(ops.reshape(x, (1, 5)), y),
    "maximum and a number": lambda x, y: ops.maximum(x, 0.0) * y,
    "max": lambda x, y: ops.max(x) + ops.min(y),
    "clip": lambda x, y: ops.clip(x, 0.0, 2.0) * y,
    "cumprod": lambda x, y: ops.cumprod(x) * ops.prod(y),
    "relu": lambda x, y: ops.relu(x + 1) * y,
}


@pytest.mark.parametrize("name", TIES)
def test_gradients_where_values_are_equal(name):
    x, y = np.array([0, 1, 2, 2, 0], "float32"), np.array([0, 2, 1, 2, 1], "float32")
    found = []
    for which in "pytensor", "numpy":
        backend = backends.load(which)
        found.append(backend.value_and_grad(lambda values: (ops.sum(TIES[name](*values)), ()), [x, y])[1])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


PROGRAMS = {
    "scan": lambda w, x: ops.scan(lambda c, xi: ((o := ops.tanh(ops.matmul(c, w) + xi)), o), x[0], x)[1],
    "scan backwards": lambda w, x: ops.scan(lambda c, xi: (c * ops.sum(w) + xi, c), x[0], x, reverse=True),
    "scan of one step": lambda w, x: ops.scan(lambda c, xi: (ops.matmul(c, w), xi), x[0], x[:1]),
    "scan of what stays": lambda w, x: ops.scan(lambda c, xi: (c, xi * 2.0), x[0], x),
    "scan in a scan": lambda w, x: ops.scan(lambda c, xi: (ops.fori_loop(0, 3, lambda i, s: ops.sin(ops.matmul(s, w)), c) + xi, c), x[0], x),
    "scan with a gradient of its own": lambda w, x: ops.scan(lambda c, xi: (smooth(c) * 0.1 + xi, c), x[0], x)[0] + ops.sum(w),
    "pooling in a scan": lambda w, x: ops.scan(lambda c, xi: (c + ops.max(ops.max_pool(ops.reshape(xi * w[0, 0], (1, -1, 1)), 2, 1)), c), ops.sum(w), x)[0],
    "map": lambda w, x: ops.vectorized_map(lambda xi: ops.matmul(xi, w), x),
    "cond": lambda w, x: ops.cond(ops.sum(w) > 100.0, lambda: ops.square(x), lambda: ops.matmul(x, w)),
    "custom gradient": lambda w, x: ops.matmul(smooth(x), w),
    "stop": lambda w, x: ops.stop_gradient(w) * ops.sum(x) + w,
    "jvp": lambda w, x: ops.jvp(lambda a: ops.sin(ops.matmul(a, w)), (x,), (ops.ones_like(x),))[1],
    "gradient of a gradient": lambda w, x: backends.current().value_and_grad(lambda v: (ops.sum(ops.power(ops.matmul(x, v[0]), 3)), ()), [w])[1][0],
    "sorted": lambda w, x: ops.sort(ops.matmul(x, w), axis=-1) * ops.cumprod(x, axis=-1),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_gradients_of_programs_are_those_of_numpy(name):
    function, found = PROGRAMS[name], []
    for which in "pytensor", "numpy":
        backend = backends.load(which)

        def loss(values):
            outputs = tree.flatten(function(*values))
            weights = [np.cos(np.arange(np.prod(y.shape, dtype=int))).reshape(y.shape).astype("float32") for y in outputs]
            return sum(ops.sum(y * w) for y, w in zip(outputs, weights, strict=True)), ()

        (value, _), gradients = backend.value_and_grad(loss, [backends.array(draw((3, 3), seed=4) * 0.5), backends.array(draw((4, 2, 3)))])
        found.append([backend.numpy(x) for x in (value, *gradients)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_loop_whose_length_depends_on_values_runs_in_a_program():
    backend = backends.load("pytensor")
    halved = backend.compile(lambda x, least: ops.while_loop(lambda i, v: ops.sum(v) > least, lambda i, v: (i + 1, v / 2), (0, x)))
    count, value = halved(np.ones((4,), "float32"), np.float32(0.3))
    assert int(count) == 4 and float(value[0]) == 0.0625
    assert int(halved(np.zeros((4,), "float32"), np.float32(0.3))[0]) == 0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float8_e4m3fn", "uint8", "int64", "bool"])
def test_types_stay(dtype):
    backends.load("pytensor")
    x = ops.cast(np.array([[1, 0, 1], [1, 1, 0]]), dtype)
    for y in (ops.reshape(x, (3, 2)), ops.concatenate([x, x]), ops.max(x, axis=0), ops.transpose(x), x if dtype == "bool" else ops.add(x, x)):
        assert backends.kind(y) == dtype
    np.testing.assert_array_equal(np.asarray(ops.max(x, axis=0)).astype("float32"), [1, 1, 1])


def test_half_precision_is_rounded_when_it_leaves():
    backends.load("pytensor")
    np.testing.assert_array_equal(ops.add(ops.cast(2048.0, "float16"), ops.cast(1.0, "float16")), np.float16(2048))


def test_a_program_is_made_once_for_each_shape():
    backend, calls = backends.load("pytensor"), []
    function = backend.compile(lambda x, scale: calls.append(x.shape) or {"y": ops.sum(x) * scale, "same": scale})
    for rows in (2, 3, 2):
        found = function(np.ones((rows, 2), "float32"), 3)
        assert float(found["y"]) == 6 * rows and found["same"] == 3
    assert calls == [(2, 2), (3, 2)]


def test_arrays_given_to_a_program_stay_as_they_are():
    backend = backends.load("pytensor")
    x = np.zeros((3,), "float32")
    x.flags.writeable = False
    y = backend.compile(lambda x: ops.add(x, 1.0), donate=(0,))(x)
    assert x.tolist() == [0, 0, 0] and np.asarray(y).tolist() == [1, 1, 1]


def test_errors_say_what_to_do():
    backend = backends.load("pytensor")
    with pytest.raises(TypeError, match="text"):
        backend.array(["a"])
    with pytest.raises(ValueError, match="only 'cpu'"), backend.device_scope("gpu:0"):
        pass
    with pytest.raises(TypeError, match=r"ops\.cond"):
        backend.compile(lambda x: x if x else -x)(np.array(1.0, "float32"))
    with pytest.raises(ValueError, match="one length"):
        backend.vectorize(lambda a, b: a, (0, 0))(np.ones(2), np.ones(3))


def test_products_of_transposed_matrices_by_numba():
    pytest.importorskip("cornu.backends.pytensor_numba")
    x, y = pt.fmatrices("x", "y")
    run = pytensor.function([x, y], [x.T @ y, x @ y.T], mode="NUMBA")
    for n, m in (3, 4), (1, 4), (3, 1), (0, 2):
        for layout in np.ascontiguousarray, np.asfortranarray, lambda x: np.repeat(x, 2, 1)[:, ::2]:
            a, b = (layout(np.random.default_rng(i).random((n, m), "float32")) for i in range(2))
            for found, wanted in zip(run(a, b), (a.T @ b, a @ b.T), strict=True):
                np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_a_layer_is_built_by_a_variable_or_says_what_to_do():
    backends.load("pytensor")
    assert layers.Dense(3)(pt.tensor(dtype="float32", shape=(None, 4))).type.ndim == 2
    with pytest.raises(ValueError, match=r"not known.*specify_shape\(x, \(None, size\)\)"):
        layers.Dense(3)(pt.matrix())
    assert layers.Dense(3)(pt.specify_shape(pt.fmatrix(), (None, 4))).type.ndim == 2
