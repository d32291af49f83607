"""A seeded walk over forms of models, losses, metrics, weights and data: logs as Keras's, in keys, order and values."""

import numpy as np
import pytest

import cornu
from tests import oracle

CASES = 16
R = np.random.default_rng
X = R(0).normal(size=(23, 4)).astype("float32")  # the last batch is short
CLASSES = R(1).integers(0, 3, 23)
VALUES = R(2).normal(size=(23, 2)).astype("float32")
LABELS = {
    "classes": CLASSES,
    "onehot": np.eye(3, dtype="float32")[CLASSES],
    "column": CLASSES[:, None],
    "values": VALUES,
    "marks": (VALUES > 0).astype("int32"),
}
HEADS = {  # labels -> units and activation of a layer that fits, losses, metrics
    "classes": (3, "softmax", ["sparse_categorical_crossentropy"], ["accuracy", "sparse_top_k_categorical_accuracy", "sparse_categorical_crossentropy"]),
    "column": (3, "softmax", ["sparse_categorical_crossentropy"], ["acc", "sparse_categorical_accuracy"]),
    "onehot": (3, "softmax", ["categorical_crossentropy", "kl_divergence", "mse"], ["accuracy", "AUC", "mse", "Precision", "categorical_crossentropy"]),
    "values": (2, None, ["mse", "mae", "huber", "log_cosh"], ["mae", "MeanSquaredError", "RootMeanSquaredError", "R2Score", "cosine_similarity"]),
    "marks": (2, "sigmoid", ["binary_crossentropy", "hinge", "mse"], ["binary_accuracy", "Recall", "accuracy", "mse"]),
}


def walk(seed):
    """One case, as plain data."""
    r = R(seed)
    pick = lambda options: options[r.integers(len(options))]
    count = pick([1, 1, 2, 2, 3])
    form = pick(["one", "list", "dict"] if count == 1 else ["list", "tuple", "dict", "nested"] if count == 2 else ["list", "dict"])
    model = pick(["functional", "functional", "subclass"] + (["sequential"] if form == "one" else []))
    labels = [pick(list(HEADS)) for _ in range(count)]
    names = ["beta", "alpha", "gamma"][:count]
    heads = [HEADS[label] for label in labels]
    losses = [pick(head[2]) for head in heads]
    if model == "subclass" and form in ("list", "tuple") and len(set(losses)) < count:  # Keras has one log for losses of one name, we one for each
        model = "functional"
    if count > 1 and r.random() < 0.15:
        losses[1] = None
    some = lambda head: [pick(head[3]) for _ in range(r.integers(0, 3))]
    metrics = [list(dict.fromkeys(some(head))) for head in heads]
    weighted = [list(dict.fromkeys(some(head))) if r.random() < 0.4 else [] for head in heads]
    compiled = {"loss": shaped(losses, form, names, pick(["same", "list", "names"])), "optimizer": pick(["sgd", "adam", "rmsprop"])}
    if all(metrics) if form == "nested" else any(metrics):
        compiled["metrics"] = shaped(
            [m[0] for m in metrics] if form == "nested" else metrics, form, names, pick(["list", "list" if form == "tuple" else "names"])
        )
    if all(weighted) if form == "nested" else any(weighted):
        compiled["weighted_metrics"] = shaped(
            [m[0] for m in weighted] if form == "nested" else weighted, form, names, pick(["list", "list" if form == "tuple" else "names"])
        )
    if r.random() < 0.4:
        compiled["loss_weights"] = shaped([round(float(r.uniform(0.2, 3)), 2) for _ in names], form, names, "list" if form != "dict" else "names")
    fitted = {"batch_size": pick([5, 8, 23, 32]), "epochs": int(pick([1, 2, 3]))}
    weights = pick([None, None, "sample", "class"])
    if weights == "sample":
        given = [r.uniform(0.1, 2, 23).astype("float32") for _ in names]
        fitted["sample_weight"] = given[0] if count == 1 else shaped(given, form, names, "same")
    elif weights == "class" and form == "one" and labels[0] in ("classes", "onehot", "column"):
        fitted["class_weight"] = {0: 0.5, 1: 2.0, 2: 1.0}
    validation = pick([None, "split", "data"])
    if validation == "split":
        fitted["validation_split"] = 0.3
    if validation and r.random() < 0.4:
        fitted["validation_freq"] = pick([2, [1, 3]])
    if validation and r.random() < 0.3:
        fitted["validation_batch_size"] = 4
    if r.random() < 0.2:
        fitted["initial_epoch"] = 1
        fitted["epochs"] += 1
    return {
        "model": model,
        "form": form,
        "names": names,
        "units": [head[0] for head in heads],
        "activations": [head[1] for head in heads],
        "compiled": compiled,
        "fitted": fitted,
        "validate": validation == "data",
        "y": shaped([LABELS[label] for label in labels], form, names, "same"),
        "kernels": [r.normal(size=(4, head[0])).astype("float32") / 2 for head in heads],
        "penalty": pick([None, None, "l2", "add_loss"]),
        "steps": int(pick([1, 1, 3])),
    }


def shaped(values, form, names, how):
    """One value for each output, in the form of the outputs, as a list or by names."""
    if form == "one":
        return values[0] if how == "same" or how == "list" else {names[0]: values[0]}
    if form == "dict":
        return dict(zip(names, values))
    if form == "nested":
        return {"first": values[0], "rest": [values[1]]}
    if how == "names":
        return dict(zip(names, values))
    return tuple(values) if form == "tuple" and how == "same" else list(values)


BODY = """
class Penalty(keras.layers.Layer):
    def call(self, x):
        self.add_loss(0.1 * keras.ops.mean(keras.ops.square(x)))
        return x

def nest(case, tensors):
    if case["form"] == "one":
        return tensors[0]
    if case["form"] == "dict":
        return dict(zip(case["names"], tensors))
    if case["form"] == "nested":
        return {"first": tensors[0], "rest": [tensors[1]]}
    return tuple(tensors) if case["form"] == "tuple" else list(tensors)

class Own(keras.Model):
    def __init__(self, case, heads):
        super().__init__()
        self.case, self.heads, self.penalty = case, heads, Penalty()
    def call(self, x):
        x = self.penalty(x) if self.case["penalty"] == "add_loss" else x
        return nest(self.case, [head(x) for head in self.heads])

def numbers(logs):
    return {key: np.asarray(value, "float64").tolist() for key, value in logs.items()}

def answer(case):
    regularizer = "l2" if case["penalty"] == "l2" else None
    heads = [
        keras.layers.Dense(units, activation=activation, name=name, kernel_regularizer=regularizer)
        for units, activation, name in zip(case["units"], case["activations"], case["names"])
    ]
    if case["model"] == "subclass":
        model = Own(case, heads)
        model(x[:2])
    elif case["model"] == "sequential":
        model = keras.Sequential([keras.Input((4,)), *([Penalty()] if case["penalty"] == "add_loss" else []), *heads])
    else:
        given = keras.Input((4,))
        h = Penalty()(given) if case["penalty"] == "add_loss" else given
        model = keras.Model(given, nest(case, [head(h) for head in heads]))
    for head, kernel in zip(heads, case["kernels"]):
        head.set_weights([kernel, np.zeros(kernel.shape[1], "float32")])
    model.compile(**case["compiled"], steps_per_execution=case["steps"])
    told = {"validation_data": (x, case["y"])} if case["validate"] else {}
    history = model.fit(x, case["y"], verbose=0, shuffle=False, **case["fitted"], **told)
    weight = case["fitted"].get("sample_weight")
    found = {"history": numbers(history.history), "epochs": list(history.epoch), "names": list(model.metrics_names)}
    found["evaluate"] = np.asarray(model.evaluate(x, case["y"], verbose=0, batch_size=10, sample_weight=weight), "float64").tolist()
    found["train"] = numbers(model.train_on_batch(x[:6], part(case["y"]), return_dict=True))
    found["test"] = np.asarray(model.test_on_batch(x[:6], part(case["y"])), "float64").tolist()
    found["weights"] = [np.asarray(w, "float64") for w in model.get_weights()]
    return found

def part(y):
    return keras.tree.map_structure(lambda leaf: leaf[:6], y)

for number, case in cases.items():
    keras.utils.clear_session()
    try:
        out[number] = answer(case)
    except Exception as error:
        out[number] = type(error).__name__ + ": " + str(error)[-300:]
"""


@pytest.fixture(scope="module")
def answers():
    cases = {f"case {seed}": walk(seed) for seed in range(CASES)}
    wanted = oracle.run(BODY, x=X, cases=cases)
    found = {}
    exec(BODY, {"keras": cornu, "np": np, "x": X, "cases": cases, "out": found})
    return cases, wanted, found


@pytest.mark.parametrize("number", [f"case {seed}" for seed in range(CASES)])
def test_logs_are_those_of_keras(answers, number):
    cases, wanted, found = (part[number] for part in answers)
    if isinstance(wanted, str):
        pytest.skip(f"Keras cannot do it: {wanted}")
    assert not isinstance(found, str), f"{found}\n{_shown(cases)}"
    _same(found["history"], wanted["history"], cases)
    assert found["epochs"] == wanted["epochs"]
    assert found["names"] == wanted["names"]
    _same(found["train"], wanted["train"], cases)
    for what in ("evaluate", "test"):
        np.testing.assert_allclose(found[what], wanted[what], rtol=1e-4, atol=1e-5, err_msg=f"{what} {_shown(cases)}")
    for a, b in zip(found["weights"], wanted["weights"], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5, err_msg=_shown(cases))


def _same(found, wanted, case):
    assert list(found) == list(wanted), _shown(case)
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5, err_msg=f"{name} {_shown(case)}")


def _shown(case):
    return {key: value for key, value in case.items() if key in ("model", "form", "names", "compiled", "penalty", "steps")} | {
        "fitted": [k for k in case["fitted"]]
    }
