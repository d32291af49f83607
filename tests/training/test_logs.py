"""Names, order and values of losses and metrics, against Keras."""

import numpy as np
import pytest

from cornu import layers, losses, metrics
from cornu.models import Model, Sequential
from tests import oracle

X = np.random.default_rng(0).random((20, 4), "float32")
CLASSES = np.random.default_rng(1).integers(0, 3, 20)
ONE_HOT = np.eye(3, dtype="float32")[CLASSES]
VALUES = np.random.default_rng(2).random((20, 1), "float32")
WEIGHTS = [np.random.default_rng(i).normal(size=shape).astype("float32") for i, shape in enumerate([(4, 3), (3,), (4, 1), (1,)])]

BODY = """
i = Input((4,)); a = Dense(3, name="a", activation="softmax", kernel_regularizer=REG)(i); b = Dense(1, name="b")(i)
model = Model(i, FORM)
model.set_weights(w)
model.compile(optimizer="sgd", **compiled)
"""
ORACLE = """
from keras import Input, Model
from keras.layers import Dense
{body}
h = model.fit(x, y, batch_size=8, epochs=2, verbose=0, shuffle=False, validation_data=(x, y), **fitted)
out["history"] = h.history
out["names"] = model.metrics_names
out["evaluate"] = model.evaluate(x, y, verbose=0)
out["dict"] = model.evaluate(x, y, verbose=0, return_dict=True)
out["batch"] = model.train_on_batch(x, y)
out["weights"] = model.get_weights()
"""

CASES = {
    "lists": ("[a, b]", [CLASSES, VALUES], {"loss": ["sparse_categorical_crossentropy", "mse"], "metrics": [["accuracy"], ["mae", "mse"]]}, {}),
    "names": (
        "[a, b]",
        {"a": CLASSES, "b": VALUES},
        {
            "loss": {"a": "sparse_categorical_crossentropy", "b": "mse"},
            "loss_weights": {"a": 0.5, "b": 2.0},
            "metrics": {"a": "acc", "b": ["mae"]},
            "weighted_metrics": {"b": "mse"},
        },
        {},
    ),
    "one loss for all": ("[a, b]", [ONE_HOT, VALUES], {"loss": "mse"}, {}),
    "one metric each": ("[a, b]", [ONE_HOT, VALUES], {"loss": "mse", "metrics": ["mse", "mae"]}, {}),
    "None for a loss": ("[a, b]", [CLASSES, VALUES], {"loss": ["sparse_categorical_crossentropy", None]}, {}),
    "dictionary": (
        '{"u": a, "v": b}',
        {"u": CLASSES, "v": VALUES},
        {"loss": {"u": "sparse_categorical_crossentropy", "v": "mse"}, "metrics": {"u": "acc", "v": "mae"}},
        {},
    ),
    "a weight each": (
        "[a, b]",
        [ONE_HOT, VALUES],
        {"loss": "mse", "weighted_metrics": {"a": ["mse"]}},
        {"sample_weight": [np.linspace(0, 1, 20, dtype="float32"), np.linspace(1, 2, 20, dtype="float32")]},
    ),
    "single": (
        "a",
        CLASSES,
        {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy", "sparse_top_k_categorical_accuracy"], "weighted_metrics": ["acc"]},
        {"sample_weight": np.linspace(0, 1, 20, dtype="float32")},
    ),
    "class weights": ("a", CLASSES, {"loss": "sparse_categorical_crossentropy", "weighted_metrics": ["acc"]}, {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5}}),
    "one-hot": ("a", ONE_HOT, {"loss": "categorical_crossentropy", "metrics": ["accuracy", "MeanSquaredError"]}, {}),
    "twice": ("b", VALUES, {"loss": "mse", "metrics": ["mae"], "weighted_metrics": ["mae"]}, {}),
    "nested list": ("b", VALUES, {"loss": ["mse"], "metrics": [["mae"]]}, {}),
    "by name": ("b", VALUES, {"loss": {"b": "mse"}, "metrics": {"b": ["mae"]}, "loss_weights": 2.0}, {}),
    "binary": ("b", (VALUES > 0.5).astype("int32"), {"loss": "mse", "metrics": ["accuracy"]}, {}),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("regularizer", [None, "l2"])
def test_as_keras(case, regularizer):
    form, y, compiled, fitted = CASES[case]
    if regularizer and case not in ("lists", "single"):
        pytest.skip("one of a kind is enough")
    weights = WEIGHTS if "a" in form and "b" in form else WEIGHTS[:2] if "a" in form else WEIGHTS[2:]
    body = BODY.replace("FORM", form).replace("REG", repr(regularizer))
    wanted = oracle.run(ORACLE.format(body=body), x=X, y=y, w=weights, compiled=compiled, fitted=fitted)
    scope = {"Input": layers.Input, "Dense": layers.Dense, "Model": Model, "w": weights, "compiled": compiled}
    exec(body, scope)
    model = scope["model"]
    history = model.fit(X, y, batch_size=8, epochs=2, verbose=0, shuffle=False, validation_data=(X, y), **fitted)
    assert set(history.history) == set(wanted["history"]) and (case == "twice" or list(history.history) == list(wanted["history"]))
    for name, values in wanted["history"].items():
        np.testing.assert_allclose(history.history[name], values, rtol=1e-5, atol=1e-6, err_msg=name)
    assert model.metrics_names == wanted["names"]
    got = model.evaluate(X, y, verbose=0, return_dict=True)
    assert set(got) == set(wanted["dict"])
    for name, value in wanted["dict"].items():
        np.testing.assert_allclose(got[name], value, rtol=1e-5, atol=1e-6, err_msg=name)
    if case != "twice":  # Keras gives the weighted metric there once more
        np.testing.assert_allclose(model.evaluate(X, y, verbose=0), wanted["evaluate"], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(model.train_on_batch(X, y), wanted["batch"], rtol=1e-5, atol=1e-6)
        for a, b in zip(model.get_weights(), wanted["weights"], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


class Two(Model):
    def __init__(self, form):
        super().__init__()
        self.a, self.b, self.form = layers.Dense(3, activation="softmax"), layers.Dense(1), form

    def call(self, x):
        return self.form(self.a(x), self.b(x))


@pytest.mark.parametrize(
    "form, y, loss, names",
    [
        (
            lambda a, b: [a, b],
            [CLASSES, VALUES],
            ["sparse_categorical_crossentropy", "mse"],
            ["loss", "mean_squared_error_loss", "sparse_categorical_crossentropy_loss"],
        ),
        (lambda a, b: {"p": a, "q": b}, {"p": ONE_HOT, "q": VALUES}, "mse", ["loss", "p_loss", "q_loss"]),
        (lambda a, b: {"p": [a], "q": (b, b)}, {"p": [ONE_HOT], "q": (VALUES, VALUES)}, "mae", None),
    ],
)
def test_outputs_of_a_subclass(form, y, loss, names):
    model = Two(form)
    model.compile("sgd", loss)
    history = model.fit(X, y, verbose=0).history
    assert names is None or sorted(history) == names
    assert history["loss"][0] == pytest.approx(sum(v[0] for k, v in history.items() if k != "loss"), rel=1e-5)
    outputs = model.predict(X, verbose=0)
    assert type(outputs) is type(form(1, 2))


def test_metrics_of_all_kinds():
    def half(y_true, y_pred):
        return y_true * 0 + 0.5

    model = Sequential([layers.Input((4,)), layers.Dense(1)])
    model.compile(
        "sgd", losses.MeanSquaredError(), metrics=[metrics.MeanAbsoluteError(name="mine"), half, lambda a, b: a * 0, losses.MeanAbsoluteError(name="kk")]
    )
    history = model.fit(X, VALUES, verbose=0).history
    assert sorted(history) == ["half", "kk", "lambda", "loss", "mine"]
    assert history["half"] == [0.5]
    assert history["kk"][0] == pytest.approx(history["mine"][0], rel=1e-6)


def test_crossentropy_goes_by_shapes():
    model = Sequential([layers.Input((4,)), layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["crossentropy"])
    logs = model.evaluate(X, CLASSES, verbose=0, return_dict=True)
    assert logs["crossentropy"] == pytest.approx(logs["loss"], rel=1e-5)
