"""`run_eagerly=True`: `call` sees numbers, on every backend, so that a debugger can stop there."""

import bdb
import importlib.util
import sys

import numpy as np
import pytest

import cornu as keras
from cornu import backends, layers, ops

INSTALLED = [name for name, (module, *_) in backends.BACKENDS.items() if importlib.util.find_spec(module)]
X = np.arange(12, dtype="float32").reshape(6, 2) / 12


class Looking(layers.Layer):
    """Multiplies by a weight, and keeps what it saw."""

    def build(self, input_shape):
        self.factor = self.add_weight(name="factor", shape=(2,), initializer="ones")

    def call(self, x):
        self.__dict__.setdefault("seen", []).append((np.array(ops.convert_to_numpy(x)), float(ops.sum(x))))
        y = ops.multiply(x, self.factor)
        if float(ops.sum(x)) < 1:  # Python's `if` on a value
            y = ops.negative(y)
        return y


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.looking, self.head = Looking(), layers.Dense(1)

    def call(self, x):
        return self.head(self.looking(x))


@pytest.mark.parametrize("engine", INSTALLED)
def test_call_sees_values(engine):
    backends.load(engine)
    own = Own()
    own.compile("sgd", "mse", run_eagerly=True)
    looking = own.looking
    own.fit(X, X[:, :1], batch_size=2, epochs=1, shuffle=False, verbose=0)
    seen = looking.__dict__["seen"]
    for i in range(3):  # a call for building may come before
        found = seen[len(seen) - 3 + i]
        np.testing.assert_allclose(found[0], X[2 * i : 2 * i + 2])
        assert found[1] == pytest.approx(X[2 * i : 2 * i + 2].sum())
    looking.__dict__["seen"] = []
    own.evaluate(X, X[:, :1], batch_size=3, verbose=0)
    own.predict(X, batch_size=3, verbose=0)
    assert [len(values) for values, _ in looking.__dict__["seen"]] == [3, 3, 3, 3]


class Stop(bdb.Bdb):
    """A debugger that notes the value of `total` in the frame where it was called."""

    def __init__(self):
        super().__init__()
        self.found = []

    def user_line(self, frame):
        self.found.append(float(frame.f_locals["total"]))
        self.set_continue()


@pytest.mark.parametrize("engine", INSTALLED)
def test_a_debugger_stops_in_call(engine, monkeypatch):
    backends.load(engine)
    stop = Stop()

    class Breaking(layers.Layer):
        def call(self, x):
            total = ops.sum(x)
            breakpoint()
            return ops.multiply(x, total)

    before = sys.gettrace()
    monkeypatch.setattr(sys, "breakpointhook", lambda: stop.set_trace(sys._getframe(1)))
    built = keras.Sequential([Breaking(), layers.Dense(1)])
    built.compile("sgd", "mse", run_eagerly=True)
    try:
        monkeypatch.setattr(sys, "breakpointhook", lambda: None)
        built.build((None, 2))
        monkeypatch.setattr(sys, "breakpointhook", lambda: stop.set_trace(sys._getframe(1)))
        built.train_on_batch(X[:2], X[:2, :1])
    finally:
        sys.settrace(before)
    assert stop.found == [pytest.approx(float(X[:2].sum()))]
