"""One model goes from engine to engine, in the middle of training too: as if it had stayed on one."""

import functools
import importlib.util

import numpy as np
import pytest

import cornu as keras
from cornu import backends, layers, metrics, ops, optimizers
from cornu.config import set_backend

INSTALLED = [name for name, (module, *_) in backends.BACKENDS.items() if importlib.util.find_spec(module)]
RING = list(zip(INSTALLED, INSTALLED[1:] + INSTALLED[:1]))
X = np.random.default_rng(0).random((64, 6, 6, 1), "float32")
Y = (X.mean((1, 2, 3)) > 0.5).astype("int32")
PAIR = np.random.default_rng(1).random((8, 3), "float32")


def picture_model():
    """Weights, averages of batches, two seeds, an optimizer with slots, clipping and averaged weights."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.Dropout(0.3, seed=3),
            layers.Flatten(),
            layers.GaussianNoise(0.1),
            layers.Dense(2, activation="softmax"),
        ]
    )
    optimizer = optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=3, clipnorm=1.0)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def outcome(model, *histories):
    history = {name: [value for part in histories for value in part.history[name]] for name in histories[0].history}
    return history, model.get_weights(), [variable.numpy() for variable in model.optimizer.variables], model.predict(X, verbose=0)


def same(found, wanted, tolerance=1e-5):
    for x, y in zip(keras.tree.flatten(found), keras.tree.flatten(wanted), strict=True):
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


def fit(model, begin, end, **more):
    return model.fit(X, Y, batch_size=16, initial_epoch=begin, epochs=end, validation_split=0.25, verbose=0, **more)


@functools.cache
def on_numpy(*ends):
    """What calls of fit up to these epochs come to on NumPy. (Averaged weights take the place of the others at the end of each call.)"""
    before = backends.name()
    backends.load("numpy")
    model = picture_model()
    found = outcome(model, *(fit(model, begin, end) for begin, end in zip((0, *ends), ends)))
    backends.load(before)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("first", "then"), RING)
def test_in_the_middle_of_training(first, then):
    set_backend(first)
    model = picture_model()
    begun = fit(model, 0, 2)
    set_backend(then)
    same(outcome(model, begun, fit(model, 2, 4)), on_numpy(2, 4))


@pytest.mark.slow
def test_by_a_callback():
    set_backend(INSTALLED[0])

    class Move(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            set_backend(INSTALLED[(epoch + 1) % len(INSTALLED)])

    model = picture_model()
    same(outcome(model, fit(model, 0, 4, callbacks=[Move()])), on_numpy(4))


def test_within_an_epoch_it_is_refused():
    set_backend("numpy")

    class Move(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            set_backend("jax")

    with pytest.raises(RuntimeError, match="the backend became 'jax' within an epoch that began on 'numpy'. Call set_backend between two epochs"):
        fit(picture_model(), 0, 1, callbacks=[Move()])


def every_pair(names):
    """A walk over `names` on which each is followed by each other one exactly once."""
    walk = []
    for i, name in enumerate(names):
        walk += [name] + [step for other in names[i + 1 :] for step in (other, name)][: None if i + 1 < len(names) else 0]
    return [name for name, before in zip(walk, [None, *walk]) if name != before]


def test_the_walk_has_every_pair():
    walk = every_pair("abcd")
    assert {*zip(walk, walk[1:])} == {(a, b) for a in "abcd" for b in "abcd" if a != b}


@pytest.mark.slow
def test_one_model_goes_through_every_pair():
    """A step, a prediction and a result of the metrics on each; seeds go on counting."""
    keras.utils.set_random_seed(2)
    model = keras.Sequential([layers.Dense(4, activation="relu"), layers.Dropout(0.5), layers.Dense(1, activation="sigmoid")])
    model.compile(optimizers.RMSprop(0.01, momentum=0.9), "binary_crossentropy", metrics=[metrics.AUC(num_thresholds=5)])
    y = (PAIR.sum(1) > 1.5).astype("float32")
    walk = every_pair(INSTALLED)
    start, found = None, []
    for route in (walk, ["numpy"] * len(walk)):
        backends.load("numpy")
        if start is None:
            model.train_on_batch(PAIR, y)
            start = model.get_state_tree("numpy_array")
            seeds = [layer.seed_generator.state.numpy() for layer in model.layers if hasattr(layer, "seed_generator")]
        model.set_state_tree(start)
        for layer, seed in zip([layer for layer in model.layers if hasattr(layer, "seed_generator")], seeds, strict=True):
            layer.seed_generator.state.assign(seed)
        said = []
        for name in route:
            set_backend(name)
            said.append((model.train_on_batch(PAIR, y), model.predict(PAIR, verbose=0)))
        found.append((said, model.get_weights(), [variable.numpy() for variable in model.optimizer.variables]))
    assert len(seeds) == 1
    same(*found)


@pytest.mark.parametrize(("first", "then"), RING)
def test_what_a_model_holds(first, then):
    """Constants of its graph, types of variables, states of layers and metrics, seeds."""
    set_backend(first)
    x = keras.Input((3,))
    model = keras.Model(x, ops.matmul(x + ops.ones((3,)), ops.ones((3, 2))))
    recurrent = layers.LSTM(2, stateful=True)
    recurrent(PAIR[:, :, None])
    states = [state.numpy() for state in recurrent.states]
    scaled = layers.Normalization()
    scaled.adapt(PAIR)
    precision, seed = metrics.Precision(), keras.random.SeedGenerator(3)
    precision.update_state([1, 0, 1], [0.9, 0.7, 0.2])
    keras.random.normal((2,), seed=seed)
    count = seed.state.numpy()

    def say():
        for state, value in zip(recurrent.states, states, strict=True):
            state.assign(value)
        seed.state.assign(count)
        found = model.predict(PAIR, verbose=0), recurrent(PAIR[:, :, None]), scaled(PAIR), precision.result(), keras.random.normal((4,), seed=seed)
        return [backends.numpy(value) for value in found]

    variables = [keras.Variable([0.0, 1, 2], dtype=dtype) for dtype in ("bfloat16", "float16", "float8_e4m3fn", "uint32", "uint8", "bool", "int32")]
    for variable in variables:
        variable.assign(variable.value)  # held by the engine now
    values = [variable.numpy().astype("float32") for variable in variables]
    wanted = say()
    set_backend(then)
    same(say(), wanted, 1e-6)
    assert [backends.kind(variable.value) for variable in variables] == [variable.dtype for variable in variables]
    same([variable.numpy().astype("float32") for variable in variables], values)


@pytest.mark.parametrize(("first", "then"), [pair for pair in RING if pair[0] not in ("numpy", "pytensor")])  # these hold NumPy's arrays
def test_a_tensor_that_the_user_holds(first, then):
    set_backend(first)
    held, dense = ops.ones((2, 3)), layers.Dense(2)
    wanted = backends.numpy(dense(held))
    set_backend(then)
    with pytest.raises(TypeError, match=rf"add: the backend is {then}; got a tensor of {first}, shape \(2, 3\). Move it first: ops.convert_to_tensor"):
        ops.add(held, 1.0)
    same(backends.numpy(ops.add(ops.convert_to_tensor(held), 1.0)), np.full((2, 3), 2.0))
    same(backends.numpy(dense(held)), wanted)  # layers take it in


def test_programs_of_the_backend_before_are_dropped():
    set_backend("jax")
    model = keras.Sequential([layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(PAIR, PAIR[:, 0], verbose=0)
    model.predict(PAIR, verbose=0)
    set_backend("numpy")
    model.predict(PAIR, verbose=0)
    assert [runner.backend.NAME for runner in model._training.runners.values()] == ["numpy"]
