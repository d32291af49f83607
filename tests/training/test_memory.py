"""Nothing is kept of what a program is done with: models, batches, results."""

import gc
import os
import weakref

import numpy as np
import pytest

import cornu as keras
from cornu import backends
from cornu.training import loop


def small(units=16):
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(units, activation="relu"), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def data(rows=64):
    return np.random.default_rng(0).random((rows, 8), "float32"), np.zeros((rows, 1), "float32")


def test_a_model_goes_with_its_last_name(backend):
    """After build, compile, fit, evaluate and predict, a model that nobody holds is gone, with its optimizer, metrics and weights."""
    x, y = data()
    gone = []
    for _ in range(3):
        model = small()
        model.fit(x, y, batch_size=16, verbose=0, validation_data=(x, y))
        model.evaluate(x, y, verbose=0)
        model.predict(x, verbose=0)
        gone += map(weakref.ref, [model, model.layers[0], model.optimizer, model.layers[0].kernel, model.metrics[0]])
        del model
    gc.collect()
    left = [ref() for ref in gone if ref() is not None]
    assert len(left) <= 5, left  # the last model may be held by what was run last


def test_functional_models_go_too():
    x, y = data()
    gone = []
    for _ in range(3):
        inputs = keras.Input((8,))
        hidden = keras.layers.Dense(4)(inputs)
        model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Add()([hidden, hidden * 2])))
        model.compile("sgd", "mse")
        model.fit(x, y, verbose=0)
        gone += map(weakref.ref, [model, model.layers[1]])
        del model, inputs, hidden
    gc.collect()
    assert sum(ref() is not None for ref in gone) <= 2


@pytest.mark.slow
def test_calls_leave_no_objects_behind(backend):
    """As many objects live after 200 more calls of predict, and after 20 more epochs, as before."""
    x, y = data()
    model = small()

    def objects(function, times):
        for _ in range(times):
            function()
        gc.collect()
        return len(gc.get_objects())

    for function, times in ((lambda: model.predict(x[:1], verbose=0), 200), (lambda: model.fit(x, y, batch_size=32, verbose=0), 20)):
        objects(function, 3)
        before = objects(function, 3)
        assert objects(function, times) - before < times  # less than one object a call


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")
def test_resident_memory_stays():
    def resident():
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    x, _ = data()
    model = small()
    for _ in range(500):
        model.predict(x[:1], verbose=0)
    before = resident()
    for _ in range(2000):
        model.predict(x[:1], verbose=0)
    assert resident() - before < 4


@pytest.mark.skipif(not backends.load().COMPILES, reason="the backend computes at once")
def test_chunks_of_data_wait_in_a_short_line(monkeypatch):
    """What the engine computes later holds its part of the data until then: at most a few parts are handed to it ahead."""
    monkeypatch.setattr(loop, "RESIDENT", {True: 0, False: 0})
    monkeypatch.setattr(loop, "CHUNK", 2048)
    x, y = data(1000)
    model = small()
    model.fit(x, y, batch_size=4, epochs=3, verbose=0)
    waiting, most, run, block = [], [], loop.Runner.run, backends.current().block

    def ran(self, key, *rest):
        output = run(self, key, *rest)
        if key[0] and key[-1] == "chunk":
            waiting.append(output[1])
            most.append(len(waiting))
        return output

    def blocked(found):
        block(found)
        if isinstance(found, tuple):
            waiting[:] = [other for other in waiting if other is not found[0]]

    monkeypatch.setattr(loop.Runner, "run", ran)
    monkeypatch.setattr(backends.current(), "block", blocked)
    model.fit(x, y, batch_size=4, verbose=0)
    assert len(most) > 10 and max(most) == loop.QUEUED + 1
