"""Steps that a user writes: both forms of `train_step`, `compute_loss`, `compute_metrics`, and Keras's stateless calls."""

import jax
import numpy as np
import pytest

from cornu import backends, layers, metrics, ops
from cornu.models import Model, Sequential

RNG = np.random.default_rng(0)
X, Y = RNG.random((40, 4), "float32"), RNG.random((40, 1), "float32")
WEIGHTS = [RNG.random((4, 1), "float32"), np.zeros(1, "float32")]


def reference(**arguments):
    model = Sequential([layers.Input((4,)), layers.Dense(1)])
    model.set_weights(WEIGHTS)
    model.compile("sgd", "mse", metrics=["mae"])
    return model, model.fit(X, Y, batch_size=16, epochs=3, verbose=0, shuffle=False, **arguments)


class Own(Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)
        self.dense.build((None, 4))
        self.dense.set_weights(WEIGHTS)

    def call(self, x):
        return self.dense(x)


class WithState(Own):
    """The form of Keras 3 on JAX."""

    def train_step(self, state, data):
        trainable, non_trainable, optimizer, measured = state
        x, y = data
        loss_of = jax.value_and_grad(self.compute_loss_and_updates, has_aux=True)
        (loss, (unscaled, y_pred, non_trainable, measured)), gradients = loss_of(
            trainable, non_trainable, measured, x, y, None, training=True, optimizer_variables=optimizer
        )
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        logs, new, at = {}, [], 0
        for metric in self.metrics:
            values = measured[at : at + len(metric.variables)]
            at += len(values)
            if metric.name != "loss":
                values = metric.stateless_update_state(values, y, y_pred)
            result = metric.stateless_result(values)
            logs.update(result if isinstance(result, dict) else {metric.name: result})
            new += values
        return logs, (trainable, non_trainable, optimizer, new)

    def test_step(self, state, data):
        logs, state = super().test_step(state, data)
        return {**logs, "more": ops.sum(data[0])}, state

    def predict_step(self, state, data):
        outputs, rest = super().predict_step(state, data)
        return outputs * 2, rest


class WithVariables(Own):
    """The form of Keras 3 on other backends, its own metric."""

    def __init__(self):
        super().__init__()
        self.mine = metrics.Mean(name="mine")

    def train_step(self, data):
        logs = super().train_step(data)
        self.mine.update_state(logs["loss"] * 0 + 3)
        return {**logs, "mine": self.mine.result()}

    def predict_step(self, data):
        return super().predict_step(data) * 2


@pytest.mark.parametrize("kind", [WithState, WithVariables])
@pytest.mark.parametrize("eagerly", [False, True])
def test_own_train_step(kind, eagerly):
    base, wanted = reference()
    model = kind()
    model.compile("sgd", "mse", metrics=["mae"], run_eagerly=eagerly)
    got = model.fit(X, Y, batch_size=16, epochs=3, verbose=0, shuffle=False)
    for name in ("loss", "mae"):
        np.testing.assert_allclose(got.history[name], wanted.history[name], rtol=1e-5)
    np.testing.assert_allclose(model.get_weights()[0], base.get_weights()[0], rtol=1e-5)
    if kind is WithVariables:
        assert got.history["mine"] == [3.0] * 3
    else:
        assert model.evaluate(X, Y, batch_size=40, verbose=0, return_dict=True)["more"] == pytest.approx(X.sum(), rel=1e-5)
    np.testing.assert_allclose(model.predict(X, verbose=0), 2 * base.predict(X, verbose=0), rtol=1e-5)


def test_own_step_on_numpy():
    _, wanted = reference()
    before = backends.name()
    backends.load("numpy")
    try:
        model = WithVariables()
        model.compile("sgd", "mse", metrics=["mae"])
        got = model.fit(X, Y, batch_size=16, epochs=3, verbose=0, shuffle=False)
    finally:
        backends.load(before)
    np.testing.assert_allclose(got.history["loss"], wanted.history["loss"], rtol=1e-5)


@pytest.mark.slow
def test_many_own_steps_in_one_program(monkeypatch):
    from cornu.training import loop

    _, wanted = reference()
    monkeypatch.setattr(loop.Runner, "_other_may_be_better", lambda self, rate: not self.many)
    model = WithVariables()
    model.compile("sgd", "mse", metrics=["mae"])
    got = model.fit(X, Y, batch_size=4, epochs=9, verbose=0, shuffle=False)
    one = WithVariables()
    one.compile("sgd", "mse", metrics=["mae"], run_eagerly=True)
    np.testing.assert_allclose(got.history["mae"], one.fit(X, Y, batch_size=4, epochs=9, verbose=0, shuffle=False).history["mae"], rtol=1e-5)
    assert model._training.runners["train"].many


def test_a_step_that_never_used_the_losses():
    class Plain(Own):
        def train_step(self, state, data):
            return {"mine": 1.0, "list": np.ones(3, "float32")}, state

    model = Plain()
    model.compile("sgd")
    history = model.fit(X, Y, verbose=0).history
    assert history["mine"] == [1.0]
    np.testing.assert_array_equal(history["list"][0], np.ones(3))


def test_data_of_an_own_step():
    seen = []

    class See(Own):
        def train_step(self, data):
            seen.append(len(data) if isinstance(data, tuple) else "x")
            return {"one": 1.0}

    model = See()
    model.compile("sgd")
    model.fit(X, verbose=0, batch_size=40)
    model.fit(X, Y, verbose=0, batch_size=40)
    model.fit(X, Y, sample_weight=Y[:, 0], verbose=0, batch_size=40)
    assert seen == ["x", 2, 3]


@pytest.mark.parametrize("with_training", [False, True])
def test_own_compute_loss(with_training):
    class Less(Own):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            return ops.mean(ops.abs(y - y_pred))

    class More(Own):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            assert training in (True, False)
            return ops.mean(ops.abs(y - y_pred))

    model = (More if with_training else Less)()
    model.compile("sgd", metrics=["mae"])
    history = model.fit(X, Y, verbose=0, batch_size=40, validation_data=(X, Y)).history
    assert history["loss"][0] == pytest.approx(history["mae"][0], rel=1e-5)
    assert history["val_loss"][0] < history["loss"][0]


def test_own_compute_metrics():
    class More(Own):
        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            return {**super().compute_metrics(x, y, y_pred, sample_weight), "extra": ops.mean(y_pred)}

    model = More()
    model.compile("sgd", "mse", metrics=["mae"])
    assert sorted(model.fit(X, Y, verbose=0).history) == ["extra", "loss", "mae"]
    assert len(model.evaluate(X, Y, verbose=0)) == 3


def test_own_metrics_property():
    class Few(Own):
        def __init__(self):
            super().__init__()
            self.tracked = metrics.Mean(name="tracked")

        @property
        def metrics(self):
            return [self.tracked]

        def train_step(self, state, data):
            trainable, non_trainable, optimizer, measured = state
            assert len(measured) == 2
            return {"tracked": 0.0}, state

    model = Few()
    model.compile("sgd")
    assert model.fit(X, Y, verbose=0).history == {"tracked": [0.0]}


def test_added_losses_and_regularizers():
    class Penalty(layers.Layer):
        def call(self, x):
            self.add_loss(ops.mean(x))
            return x

    model = Sequential([layers.Input((4,)), Penalty(), layers.Dense(1, kernel_regularizer="l2", use_bias=False)])
    model.set_weights(WEIGHTS[:1])
    model.compile("sgd", "mse")
    wanted = np.mean((X @ WEIGHTS[0] - Y) ** 2) + X.mean() + 0.01 * (WEIGHTS[0] ** 2).sum()
    assert model.evaluate(X, Y, batch_size=40, verbose=0) == pytest.approx(wanted, rel=1e-5)
    assert model.train_on_batch(X, Y) == pytest.approx(wanted, rel=1e-5)
    model.compile("sgd")
    assert model.fit(X, verbose=0).history["loss"]


def test_masks_reach_losses_and_metrics():
    model = Sequential([layers.Input((3,)), layers.Embedding(5, 2, mask_zero=True), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mse"])
    x = np.array([[1, 0, 0], [2, 3, 0]])
    y = np.zeros((2, 3, 1), "float32")
    outputs = np.asarray(model(x))[x > 0]
    logs = model.test_on_batch(x, y, return_dict=True)
    trained = model.train_on_batch(x, y, return_dict=True)
    assert logs["mae"] == pytest.approx(np.abs(outputs).mean(), rel=1e-5)
    assert logs["mse"] == pytest.approx((outputs**2).mean(), rel=1e-5)
    model.reset_metrics()
    for name in ("loss", "mae", "mse"):
        assert trained[name] == pytest.approx(logs[name], rel=1e-5)


def test_stateless_calls():
    model, _ = reference()
    state = [
        [v.value for v in group] for group in (model.trainable_variables, model.non_trainable_variables, model.optimizer.variables, model.metrics_variables)
    ]
    before = model.get_weights()
    logs, new = model.train_step(tuple(state), (X, Y))
    assert [len(group) for group in new] == [len(group) for group in state]
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    assert not np.allclose(new[0][0], before[0])
    logs, new = model.test_step((state[0], state[1], state[3]), (X, Y))
    assert set(logs) == {"loss", "mae"} and len(new) == 3
    outputs, rest = model.predict_step((state[0], state[1]), X)
    np.testing.assert_allclose(outputs, model(X), rtol=1e-6)
    loss, new = model.stateless_compute_loss(state[0], state[1], state[3], X, Y, model(X))
    assert float(loss) == pytest.approx(np.mean((np.asarray(model(X)) - Y) ** 2), rel=1e-5) and len(new) == 3
    model.train_step((X, Y))
    assert not np.allclose(model.get_weights()[0], before[0])


def test_a_metric_that_makes_variables_late():
    class Late(metrics.Metric):
        def __init__(self):
            super().__init__(name="late")
            self.total = None

        def update_state(self, y_true, y_pred, sample_weight=None):
            if self.total is None:
                self.total = self.add_variable((), "zeros", name="total")
            self.total.assign_add(ops.cast(1, "float32"))

        def result(self):
            return self.total.value if self.total is not None else 0.0

    model = Own()
    model.compile("sgd", "mse", metrics=[Late()])
    assert model.fit(X, Y, batch_size=10, epochs=2, verbose=0).history["late"] == [4.0, 4.0]


def test_logs_of_a_dictionary_of_metrics():
    """Who walks `model.metrics` gets a dictionary from the compiled ones; its entries are logs."""

    class Walking(Own):
        def train_step(self, data):
            logs = super().train_step(data)
            return {"loss": logs["loss"], "compile_metrics": {"mae": logs["mae"]}}

    model = Walking()
    model.compile("sgd", "mse", metrics=["mae"])
    history = model.fit(X, Y, batch_size=16, epochs=3, verbose=0, shuffle=False)
    assert {name: [round(value, 5) for value in values] for name, values in history.history.items()} == {
        name: [round(value, 5) for value in values] for name, values in reference()[1].history.items()
    }
