"""Compiled models in files: cornu opens what Keras wrote and the other way round, with the same losses and metrics after."""

import numpy as np
import pytest

import cornu as keras
from tests import oracle

X = np.random.default_rng(0).normal(size=(12, 4)).astype("float32")
CLASSES = np.arange(12) % 3
VALUES = np.random.default_rng(1).normal(size=(12, 2)).astype("float32")

BODY = """
L, M, O = keras.losses, keras.metrics, keras.optimizers
FORMS = {
    "objects": ((O.Adam(O.schedules.ExponentialDecay(0.01, 10, 0.9)), [L.SparseCategoricalCrossentropy(ignore_class=2), L.MeanSquaredError(reduction="mean")]), {"metrics": [[M.SparseTopKCategoricalAccuracy(k=2)], [M.MeanAbsoluteError(name="far")]]}),
    "dictionaries": (("rmsprop", {"v": "mae", "c": "sparse_categorical_crossentropy"}), {"loss_weights": {"v": 0.5, "c": 2.0}, "metrics": {"v": ["mse"]}, "weighted_metrics": {"c": ["acc"]}}),
    "one for all": (("adamw", "mse"), {"weighted_metrics": [["mae"], None]}),
    "one left out": (("nadam", ["sparse_categorical_crossentropy", None]), {"steps_per_execution": 2}),
}

def made(form, heads):
    given = keras.Input((4,))
    both = [keras.layers.Dense(3, "softmax", name="c")(given), keras.layers.Dense(2, name="v")(given)]
    model = keras.Model(given, dict(zip("cv", both)) if heads == "dict" else both)
    arguments, options = FORMS[form]
    model.compile(*arguments, **options)
    return model

def targets(form, heads, data):
    first = data["onehot"] if form == "one for all" else data["classes"]
    return {"c": first, "v": data["values"]} if heads == "dict" else [first, data["values"]]

def numbers(model, form, heads, data):
    found = model.evaluate(data["x"], targets(form, heads, data), verbose=0, return_dict=True)
    return {key: float(value) for key, value in found.items()}
"""
WRITE = """
for form, heads in CASES:
    model = made(form, heads)
    model.fit(data["x"], targets(form, heads, data), verbose=0)
    path = f"{folder}/{who}-{form}-{heads}.keras".replace(" ", "_")
    model.save(path)
    out[f"{form}, {heads}"] = numbers(model, form, heads, data)
"""
READ = """
for form, heads in CASES:
    model = keras.models.load_model(f"{folder}/{who}-{form}-{heads}.keras".replace(" ", "_"))
    found = numbers(model, form, heads, data)
    steps = int(np.asarray(model.optimizer.iterations))
    model.fit(data["x"], targets(form, heads, data), verbose=0)
    out[f"{form}, {heads}"] = [found, steps, numbers(model, form, heads, data)]
"""
CASES = [("objects", "list"), ("dictionaries", "list"), ("dictionaries", "dict"), ("one for all", "list"), ("one left out", "list")]


@pytest.fixture(scope="module")
def exchanged(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("exchanged"))
    data = {"x": X, "classes": CLASSES, "onehot": np.eye(3, dtype="float32")[CLASSES], "values": VALUES}
    given = {"data": data, "folder": folder, "CASES": CASES}

    def ours(code, who):
        out = {}
        exec(BODY + code, {"keras": keras, "np": np, "out": out, "who": who, **given})
        return out

    theirs = lambda code, who: oracle.run(BODY + code, who=who, **given)
    written = {"cornu": ours(WRITE, "cornu"), "keras": theirs(WRITE, "keras")}
    return written, {("cornu", "keras"): theirs(READ, "cornu"), ("keras", "cornu"): ours(READ, "keras"), ("cornu", "cornu"): ours(READ, "cornu")}


@pytest.mark.parametrize("case", [", ".join(case) for case in CASES])
@pytest.mark.parametrize("way", [("cornu", "keras"), ("keras", "cornu"), ("cornu", "cornu")], ids=" to ".join)
def test_files_of_compiled_models(exchanged, way, case):
    written, read = exchanged
    found, steps, after = read[way][case]
    assert list(found) == list(written[way[0]][case])
    assert found == pytest.approx(written[way[0]][case], rel=1e-4, abs=1e-6)
    assert steps == 1 and after["loss"] != found["loss"]


def test_training_goes_on_alike(exchanged):
    _, read = exchanged
    for case in read["cornu", "keras"]:
        assert read["cornu", "keras"][case][2] == pytest.approx(read["cornu", "cornu"][case][2], rel=1e-4, abs=1e-6), case
