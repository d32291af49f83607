"""Epochs and dispatch: every form of running gives the same numbers, and callbacks see what they should."""

import copy
import gc
import threading
import weakref

import numpy as np
import pytest

from cornu import backends, layers
from cornu.models import Sequential
from cornu.training import loop
from cornu.training.callbacks import Callback

RNG = np.random.default_rng(0)
X = RNG.random((70, 5), "float32")
Y = (X @ RNG.normal(size=(5, 2))).astype("float32")


def made(dropout=0.0, **compiled):
    stack = [layers.Input((5,)), layers.Dense(8, activation="tanh"), layers.BatchNormalization(), layers.Dropout(dropout, seed=3), layers.Dense(2)]
    model = Sequential(stack)
    rng = np.random.default_rng(5)
    model.set_weights([rng.random(w.shape, "float32") for w in model.weights])
    model.compile(**{"optimizer": "adam", "loss": "mse", "metrics": ["mae"], **compiled})
    return model


class Listener(Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_begin(self, batch, logs=None):
        self.seen.append(("begin", batch))

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(("end", batch, logs["loss"]))


def _forced(monkeypatch, many):
    monkeypatch.setattr(loop.Runner, "_looks_cheap", lambda self, size: many)
    monkeypatch.setattr(loop.Runner, "_other_may_be_better", lambda self, rate: False)


def _fitted(**arguments):
    model = made(dropout=0.3)
    history = model.fit(X, Y, batch_size=8, epochs=3, verbose=0, shuffle=False, validation_data=(X, Y), **arguments)
    return history.history, model.get_weights(), model.optimizer.iterations.numpy()


@pytest.fixture
def expected(monkeypatch):
    _forced(monkeypatch, False)
    return _fitted()


def _same(one, other):
    for name, values in one[0].items():
        np.testing.assert_allclose(values, other[0][name], rtol=2e-5, err_msg=name)
    for a, b in zip(one[1], other[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert one[2] == other[2] == 27


@pytest.mark.slow
def test_many_steps_in_one_program(expected, monkeypatch):
    _forced(monkeypatch, True)
    _same(_fitted(), expected)


@pytest.mark.slow
def test_data_too_large_for_the_device(expected, monkeypatch):
    _forced(monkeypatch, True)
    monkeypatch.setattr(loop, "RESIDENT", {True: 0, False: 0})
    monkeypatch.setattr(loop, "CHUNK", 600)
    _same(_fitted(), expected)


def test_a_listener(expected):
    listener = Listener()
    _same(_fitted(callbacks=[listener]), expected)
    assert [event[:2] for event in listener.seen[:4]] == [("begin", 0), ("end", 0), ("begin", 1), ("end", 1)]
    assert listener.seen[17][2] == pytest.approx(expected[0]["loss"][0], rel=1e-5)


@pytest.mark.slow
def test_eagerly(expected):
    model = made(dropout=0.3, run_eagerly=True)
    history = model.fit(X, Y, batch_size=8, epochs=3, verbose=0, shuffle=False, validation_data=(X, Y))
    _same((history.history, model.get_weights(), model.optimizer.iterations.numpy()), expected)


def test_on_numpy(expected):
    before = backends.name()
    backends.load("numpy")
    try:
        found = _fitted()
    finally:
        backends.load(before)
    _same(found, expected)


def test_a_stream(expected):
    def batches():
        while True:
            for start in range(0, 70, 8):
                yield X[start : start + 8], Y[start : start + 8]

    model = made(dropout=0.3)
    history = model.fit(batches(), steps_per_epoch=9, epochs=3, verbose=0, validation_data=(X, Y), validation_batch_size=8)
    _same((history.history, model.get_weights(), model.optimizer.iterations.numpy()), expected)


def test_steps_per_execution():
    listener = Listener()
    made(steps_per_execution=4).fit(X, Y, batch_size=8, verbose=0, callbacks=[listener])
    assert [event[:2] for event in listener.seen] == [("begin", 0), ("end", 3), ("begin", 4), ("end", 7), ("begin", 8), ("end", 8)]


def test_nothing_is_traced_twice():
    traces = []

    class Counted(layers.Layer):
        def call(self, x):
            traces.append(1)
            return x

    model = Sequential([layers.Input((5,)), Counted(), layers.Dense(2)])
    model.compile("adam", "mse")
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    model.predict(X, batch_size=8, verbose=0)
    model.evaluate(X, Y, batch_size=8, verbose=0)
    count = len(traces)
    model.fit(X, Y, batch_size=8, epochs=3, verbose=0)
    model.predict(X, batch_size=8, verbose=0)
    model.evaluate(X, Y, batch_size=8, verbose=0)
    model.fit(X[:69], Y[:69], batch_size=8, epochs=3, verbose=0, steps_per_epoch=8)
    assert len(traces) == count


def test_variables_are_current_in_callbacks():
    seen = []

    class Look(Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(self.model.get_weights()[0].copy())

        def on_epoch_end(self, epoch, logs=None):
            seen.append(self.model.get_weights()[0].copy())

    model = made()
    model.fit(X, Y, batch_size=35, epochs=1, verbose=0, callbacks=[Look()])
    assert not np.allclose(seen[0], seen[1])
    np.testing.assert_array_equal(seen[1], seen[2])
    np.testing.assert_array_equal(seen[2], model.get_weights()[0])


def test_what_callbacks_change_counts():
    class Halt(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.optimizer.learning_rate = 0.0

    model = made(optimizer="sgd")
    before = model.get_weights()[0]
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[Halt()])
    np.testing.assert_array_equal(before, model.get_weights()[0])


@pytest.mark.slow
def test_arrays_that_a_user_holds_stay():
    model = made()
    kernel = model.layers[0].kernel
    held, seen = kernel.value, kernel.numpy()
    before = seen.copy()
    other = model.layers[-1].bias
    other.assign(model.layers[-1].bias.value)
    model.fit(X, Y, epochs=3, verbose=0)
    np.testing.assert_array_equal(np.asarray(held), before)
    np.testing.assert_array_equal(seen, before)


def test_stop_training():
    class Stop(Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 2

    model = made()
    history = model.fit(X, Y, batch_size=8, epochs=5, verbose=0, callbacks=[Stop()])
    assert history.epoch == [0]
    assert model.optimizer.iterations.numpy() == 3


@pytest.mark.parametrize("rows", [1, 31, 32, 33, 70, 640])
def test_predict(backend, rows):
    model = made()
    x = np.resize(X, (rows, 5))
    wanted = np.asarray(model(x))
    np.testing.assert_allclose(model.predict(x, verbose=0), wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.predict(x, batch_size=7, verbose=0), wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.predict_on_batch(x), wanted, rtol=1e-5, atol=1e-6)


def test_predict_many(monkeypatch):
    monkeypatch.setattr(loop, "WORTHWHILE", 0)
    monkeypatch.setattr(loop, "SLOW", 1e9)
    model = made()
    x = np.resize(X, (645, 5))
    for _ in range(4):
        np.testing.assert_allclose(model.predict(x, batch_size=8, verbose=0), np.asarray(model(x)), rtol=1e-5, atol=1e-6)
    assert any(key[0] for key in model._training.runners["predict"].programs)


def test_predict_batches_reach_callbacks():
    class See(Callback):
        def __init__(self):
            super().__init__()
            self.outputs = []

        def on_predict_batch_end(self, batch, logs=None):
            self.outputs.append((batch, logs["outputs"].shape))

    see = See()
    made().predict(X, batch_size=40, verbose=0, callbacks=[see])
    assert see.outputs == [(0, (40, 2)), (1, (30, 2))]


def test_seeds_that_no_layer_holds_move_on():
    from cornu import random

    class Noise(layers.Layer):
        def call(self, x, training=False):
            return x + random.normal((1,)) if training else x

    model = Sequential([layers.Input((5,)), Noise(), layers.Dense(2)])
    model.compile("sgd", "mse")
    model.optimizer.learning_rate = 0.0
    losses = [model.train_on_batch(X, Y) for _ in range(2)]
    model.reset_metrics()
    assert model.train_on_batch(X, Y) != losses[0]


def test_copies_and_outputs_are_the_users_own():
    model = made()
    model.fit(X, Y, verbose=0)
    twin = copy.deepcopy(model)
    for x in (X[:3], X):
        outputs = model.predict(x, verbose=0)
        np.testing.assert_array_equal(outputs, twin.predict(x, verbose=0))
        outputs[0] = 7


def test_threads_share_a_model():
    model, found = made(), []
    wanted = np.asarray(model(X))
    threads = [threading.Thread(target=lambda: found.append(model.predict(X, batch_size=9, verbose=0))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for outputs in found:
        np.testing.assert_allclose(outputs, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_programs_hold_no_data():
    x = X.copy()
    gone = weakref.ref(x)
    model = made()
    model.fit(x, Y, batch_size=8, verbose=0)
    model.evaluate(x, Y, batch_size=8, verbose=0)
    model.predict(x, batch_size=8, verbose=0)
    del x
    gc.collect()
    assert gone() is None


def test_layers_changed_after_predict():
    model = made()
    before, bias = model.predict(X[:1], verbose=0), model.layers[-1].bias
    bias.assign_add([10.0, 20.0])
    np.testing.assert_allclose(model.predict(X[:1], verbose=0) - before, [[10.0, 20.0]], rtol=1e-5)
    model.pop()
    model.add(layers.Dense(4))
    assert model.predict(X[:1], verbose=0).shape == (1, 4)
