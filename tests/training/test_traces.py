"""How often a model's step is traced, and how many programs it keeps."""

import numpy as np
import pytest

from cornu import backends, callbacks, layers
from cornu.models import Sequential
from cornu.training import loop
from cornu.training.step import Step

RNG = np.random.default_rng(0)
X, Y = RNG.random((70, 5), "float32"), RNG.random((70, 2), "float32")

pytestmark = pytest.mark.skipif(not backends.load().COMPILES, reason="the backend compiles nothing")


def made(**compiled):
    model = Sequential([layers.Input((5,)), layers.Dense(8, activation="relu"), layers.Dropout(0.2), layers.Dense(2)])
    model.compile(**{"optimizer": "adam", "loss": "mse", "metrics": ["mae"], **compiled})
    return model


@pytest.fixture
def traced(monkeypatch):
    """The mode of each step that was traced: the step itself is Python, and runs only then."""
    found, plain = [], Step.__call__

    def counted(self, *args, **kwargs):
        found.append(self.mode)
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(Step, "__call__", counted)
    monkeypatch.setattr(loop.Runner, "_other_may_be_better", lambda self, rate: False)  # else it depends on the machine's speed
    return found


@pytest.mark.parametrize("many", [True, False])
@pytest.mark.parametrize("batch", [8, 7])  # with a short last batch and without
def test_a_step_is_traced_once_for_each_form(traced, monkeypatch, many, batch):
    monkeypatch.setattr(loop.Runner, "_looks_cheap", lambda self, size: many)
    model = made()
    model.fit(X, Y, batch_size=batch, epochs=3, verbose=0)
    assert traced.count("train") == (2 if batch == 8 else 1)
    for _ in range(2):
        model.fit(X, Y, batch_size=batch, epochs=2, verbose=0, shuffle=False)
        model.predict(X, batch_size=batch, verbose=0)
        model.evaluate(X, Y, batch_size=batch, verbose=0)
        model.fit(X, Y, batch_size=batch, epochs=2, verbose=0)
    first = list(traced)
    for _ in range(2):
        model.predict(X, batch_size=batch, verbose=0)
        model.evaluate(X, Y, batch_size=batch, verbose=0)
        model.fit(X, Y, batch_size=batch, epochs=2, verbose=0, initial_epoch=1)
        model.fit(X, Y, batch_size=batch, verbose=0, shuffle=False)
    assert traced == first


def test_steps_per_execution_trace_no_more(traced):
    model = made(steps_per_execution=3)
    for _ in range(3):
        model.fit(X, Y, batch_size=10, epochs=2, verbose=0)
    assert traced.count("train") == 1


def test_what_changes_between_epochs_traces_nothing(traced):
    model = made()

    class Slower(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            model.optimizer.learning_rate = 0.5 * float(np.asarray(model.optimizer.learning_rate))
            model.predict(X[:20], batch_size=10, verbose=0)
            model.evaluate(X[:20], Y[:20], batch_size=10, verbose=0)

    run = lambda rows: model.fit(X[:rows], Y[:rows], batch_size=10, epochs=3, verbose=0, callbacks=[Slower()])
    run(70)
    first = list(traced)
    assert sorted(first) == ["predict", "test", "train"]
    run(70)
    assert traced == first
    run(69)  # of data of nearly the same length the last batch alone
    run(69)
    assert traced == [*first, "train"]


def test_layers_frozen_and_thawed_by_turns(traced):
    """What is frozen stays as it is though the order of the variables is the same; each state is traced once."""
    model = made()
    run = lambda: model.fit(X, Y, batch_size=10, epochs=2, verbose=0)
    run()
    for _ in range(3):
        model.layers[-1].trainable = False
        before = model.get_weights()
        run()
        moved = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
        assert moved == [True, True, False, False]
        model.layers[-1].trainable = True
        before = model.get_weights()
        run()
        assert not any(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert traced.count("train") == 2


def test_batches_one_by_one(traced):
    model = made()
    for _ in range(3):
        for start in range(0, 70, 10):
            model.train_on_batch(X[start : start + 10], Y[start : start + 10])
            model.predict_on_batch(X[start : start + 10])
    assert traced == ["train", "predict"]


def test_programs_for_ever_new_shapes_do_not_pile_up(traced, monkeypatch):
    monkeypatch.setattr(loop, "PROGRAMS", 3)
    model = made()
    for _ in range(2):
        model.fit(((X[:n], Y[:n]) for n in range(1, 7)), verbose=0)
    assert len(model._training.runners["train"].programs) == 3
    assert traced.count("train") == 12
    expected = model.predict(X, verbose=0)
    np.testing.assert_allclose(model.predict(((X[i : i + n],) for i, n in ((0, 1), (1, 30), (31, 39))), verbose=0), expected, rtol=1e-5, atol=1e-6)
