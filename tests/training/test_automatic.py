"""The model that configures itself: what it takes the data for, and how well it learns real data."""

import contextlib
import io

import numpy as np
import pandas as pd
import pytest

from cornu import backends, utils
from cornu.api import Keras
from cornu.automatic.inputs import Inputs
from cornu.automatic.targets import Targets
from cornu.models import load_model
from tests import oracle

sklearn_datasets = pytest.importorskip("sklearn.datasets")
R = np.random.default_rng(0)

KINDS = {
    "columns": (R.normal(size=(9, 4)), "table", (4,)),
    "one column": ([1.5, 2.5, 3.5], "table", (1,)),
    "whole columns": (R.integers(0, 17, (9, 64)), "table", (64,)),
    "ranges that differ": (R.integers(0, 2, (99, 12)) * np.arange(1, 13) ** 3, "table", (12,)),
    "flags": ([[True, False], [False, True]], "table", (2,)),
    "gray bytes": (R.integers(0, 256, (5, 9, 12)).astype("uint8"), "image", (9, 12, 1)),
    "gray floats": (R.random((5, 28, 28)), "image", (28, 28, 1)),
    "colours": (R.random((5, 8, 9, 3)), "image", (8, 9, 3)),
    "channels first": (R.random((5, 3, 8, 9)), "image", (8, 9, 3)),
    "series": (R.random((5, 30, 4)), "series", (30, 4)),
    "words": (R.integers(0, 5000, (200, 20)), "tokens", (20,)),
    "texts of many lengths": ([[5, 3], [1, 2, 3, 4], [7]], "tokens", (4,)),
    "a frame": (pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "x"], "c": [True, False, True]}), "table", (4,)),
}


@pytest.mark.parametrize("case", KINDS)
def test_kinds(case):
    x, kind, shape = KINDS[case]
    inputs, array = Inputs.study(x)
    assert (inputs.kind, inputs.shape) == (kind, shape)
    np.testing.assert_array_equal(inputs.encode(x), array)
    again = Inputs(**inputs.config())
    np.testing.assert_array_equal(again.encode(x), array)


def test_a_frame_is_read_by_the_names_of_its_columns():
    frame = pd.DataFrame({"size": [1.0, 2.0], "colour": ["red", "blue"]})
    inputs, array = Inputs.study(frame)
    np.testing.assert_array_equal(array, [[1, 0, 1], [2, 1, 0]])
    np.testing.assert_array_equal(inputs.encode(frame[["colour", "size"]].assign(colour=["green", "red"])), [[1, 0, 0], [2, 0, 1]])


TASKS = {
    "two numbers": ([0, 1, 1, 0], "binary", [0, 1]),
    "two names": (["no", "yes", "no"], "binary", ["no", "yes"]),
    "flags": (np.array([True, False]), "binary", [False, True]),
    "minus and plus": ([-1.0, 1.0, 1.0], "binary", [-1.0, 1.0]),
    "a column": (np.array([[0], [1]]), "binary", [0, 1]),
    "class numbers": (np.arange(30) % 3, "multiclass", [0, 1, 2]),
    "class numbers as floats": (np.arange(30.0) % 3, "multiclass", [0.0, 1.0, 2.0]),
    "a hundred classes": (np.arange(1000) % 100, "multiclass", list(range(100))),
    "names": (["a", "b", "c"] * 2, "multiclass", ["a", "b", "c"]),
    "one-hot": (np.eye(3)[[0, 1, 2, 1]], "multiclass", [0, 1, 2]),
    "one-hot frame": (pd.get_dummies(pd.Series(["u", "v", "w"])), "multiclass", ["u", "v", "w"]),
    "marks": ([[0, 1, 1], [0, 0, 0]], "multilabel", None),
    "real numbers": ([0.1, 2.5, 3.0], "regression", None),
    "amounts": (np.arange(200) * 7 % 331, "regression", None),
    "rows of numbers": (R.normal(size=(5, 2)), "regression", None),
    "a series": (pd.Series([1.5, 2.5]), "regression", None),
}


@pytest.mark.parametrize("case", TASKS)
def test_tasks(case):
    y, task, classes = TASKS[case]
    targets, encoded = Targets.study(y)
    assert (targets.task, targets.classes) == (task, classes)
    assert len(encoded) == len(y)
    outputs = {"binary": encoded, "multiclass": np.eye(targets.outputs)[encoded] if task == "multiclass" else None}.get(task, encoded)
    back = Targets(**targets.config()).decode(outputs)
    wanted = np.array(classes)[np.argmax(np.asarray(y), 1)] if targets.one_hot else np.asarray(y).reshape(np.shape(back))
    np.testing.assert_allclose(back, wanted, rtol=1e-6) if wanted.dtype.kind == "f" else np.testing.assert_array_equal(back, wanted)


def fitted(x, y, **options):
    utils.set_random_seed(0)
    keras = Keras()
    keras.fit(x, y, verbose=0, **options)
    return keras


def halves(data):
    order = np.random.default_rng(0).permutation(len(data.data))
    x, y = np.asarray(data.data)[order], np.asarray(data.target)[order]
    cut = len(x) * 3 // 4
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])


def test_it_learns_yes_or_no():
    (x, y), test = halves(sklearn_datasets.load_breast_cancer())
    keras = fitted(x, y)
    loss, accuracy = keras.evaluate(*test, verbose=0)
    assert accuracy > 0.93 and loss < 0.3
    assert np.mean(keras.predict(test[0]) == test[1]) == pytest.approx(accuracy)
    np.testing.assert_allclose(keras.predict_proba(test[0]).sum(1), 1, rtol=1e-6)


def test_it_learns_numbers():
    (x, y), test = halves(sklearn_datasets.load_diabetes())
    keras = fitted(x, y)
    mse, mae = keras.evaluate(*test, verbose=0)
    assert mse < 0.75 * np.var(test[1]) and mae < np.mean(np.abs(test[1] - y.mean()))
    assert keras.predict(test[0]).shape == test[1].shape
    with pytest.raises(ValueError, match="use predict"):
        keras.predict_proba(test[0])


@pytest.mark.slow
def test_it_learns_pictures(shared_data):
    digits = np.load(shared_data / "datasets" / "mnist.npz")
    keras = fitted(digits["x_train"][:3000], digits["y_train"][:3000], epochs=2)
    assert keras.evaluate(digits["x_test"][:1000], digits["y_test"][:1000], verbose=0)[1] > 0.9
    assert np.shape(keras.model.call(digits["x_test"][:3], digits["y_test"][:3])) == (3, 10)


def test_it_learns_words_and_series():
    words = R.integers(1, 1000, (400, 30))
    marked = R.random(400) > 0.5
    words[marked, R.integers(0, 30, 400)[marked]] = 7
    words[~marked] = np.where(words[~marked] == 7, 8, words[~marked])
    assert fitted(words, marked, epochs=20).evaluate(words, marked, verbose=0)[1] > 0.9
    steps = np.linspace(0, 6, 40) * R.uniform(1, 3, (300, 1))
    waves, kind = np.sin(steps)[..., None], (steps[:, -1] > 12).astype(int)
    assert fitted(waves, kind, epochs=10).evaluate(waves, kind, verbose=0)[1] > 0.9


def test_a_frame_of_names_and_several_answers():
    frame = pd.DataFrame({"colour": R.choice(["red", "green", "blue"], 300), "size": R.normal(size=300)})
    marks = np.stack([frame.colour == "red", frame["size"] > 0], 1).astype(int)
    keras = fitted(frame, marks, epochs=20)
    assert keras.evaluate(frame, marks, verbose=0)[1] > 0.95
    assert set(np.unique(keras.predict(frame))) == {0, 1}
    sums = np.stack([frame["size"] * 3 + 100, -frame["size"]], 1)
    numbers = fitted(frame, sums, epochs=40).predict(frame)
    assert np.corrcoef(numbers[:, 0], sums[:, 0])[0, 1] > 0.98 and abs(numbers[:, 0].mean() - 100) < 1


def test_what_was_chosen_is_told():
    keras, printed = Keras(), io.StringIO()
    with contextlib.redirect_stdout(printed):
        keras.fit(R.normal(size=(200, 3)), ["a", "b"] * 100, epochs=1)
    assert len(keras.choices) == 4 and "\n".join(keras.choices) in printed.getvalue()
    assert keras.choices[0].startswith("data: a table of 3 columns")
    assert "'a' and 'b'" in keras.choices[1] and "160 samples" in keras.choices[3] and "40 samples kept aside" in keras.choices[3]


def test_files(tmp_path):
    frame = pd.DataFrame({"colour": ["red", "green"] * 20, "size": R.normal(size=40)})
    keras = fitted(frame, ["stop", "go"] * 20, epochs=2)
    path = tmp_path / "lights.keras"
    keras.save(path)
    again = Keras.load(path)
    assert list(again.predict(frame)) == list(keras.predict(frame)) and again.choices == keras.choices and again.classes == ["go", "stop"]
    alone = load_model(path).predict(keras.prepare(frame), verbose=0)
    np.testing.assert_allclose(alone[:, 0], keras.predict_proba(frame)[:, 1], rtol=1e-6)
    got = oracle.run("out['y'] = keras.models.load_model(path).predict(x, verbose=0)", path=str(path), x=keras.prepare(frame))["y"]
    np.testing.assert_allclose(got, alone, atol=1e-5)
    with pytest.raises(FileExistsError):
        keras.save(path, overwrite=False)
    plain = tmp_path / "plain.keras"
    keras.model.save(plain)
    with pytest.raises(ValueError, match="Open it with load_model"):
        Keras.load(plain)


X, Y = R.normal(size=(30, 3)), np.arange(30) % 2
MISTAKES = {
    "no samples": (lambda: Keras().fit(np.zeros((0, 3)), []), "x is empty"),
    "no labels": (lambda: Keras().fit(X, None), "fit needs labels"),
    "empty labels": (lambda: Keras().fit(X, []), "y is empty"),
    "NaN": (lambda: Keras().fit(np.where(X > 1, np.nan, X), Y), r"NaN or infinite, the first in x\["),
    "infinite labels": (lambda: Keras().fit(X, np.full(30, np.inf)), "30 values that are NaN or infinite"),
    "missing in a frame": (lambda: Keras().fit(pd.DataFrame({"age": [1.0, None]}), [0, 1]), "column 'age' of x has 1 missing"),
    "missing labels": (lambda: Keras().fit(X[:2], pd.Series(["a", None])), "y has 1 missing"),
    "lengths": (lambda: Keras().fit(X, Y[:20]), "x has 30 samples, and y has 20 labels"),
    "one class": (lambda: Keras().fit(X, np.zeros(30, int)), "nothing to learn"),
    "words": (lambda: Keras().fit(["good", "bad"], [0, 1]), "no numbers"),
    "too many axes": (lambda: Keras().fit(np.zeros((2, 3, 4, 5, 6)), [0, 1]), "5 axes"),
    "unequal floats": (lambda: Keras().fit([[1.0], [1.0, 2.0]], [0, 1]), "unequal lengths"),
    "a generator": (lambda: Keras().fit((i for i in [1]), [0]), "data in memory"),
    "text": (lambda: Keras().fit("data.csv", [0]), "got str"),
    "dates": (lambda: Keras().fit(pd.DataFrame({"d": pd.to_datetime(["2020-01-01", "2020-01-02"])}), [0, 1]), "holds dates"),
    "complex": (lambda: Keras().fit(X * 1j, Y), "complex"),
    "task": (lambda: Keras(task="clustering"), "task must be one of"),
    "kind": (lambda: Keras(kind="sound"), "kind must be one of"),
    "task that does not fit": (lambda: Keras(task="binary").fit(X, np.arange(30) % 3), "has two labels; y has 3"),
    "kind that does not fit": (lambda: Keras(kind="series").fit(X, Y), "has 3 axes"),
    "split": (lambda: Keras().fit(X, Y, validation_split=1.5), "validation_split must be"),
    "weights": (lambda: Keras().fit(X, Y, sample_weight=np.ones(3)), "one number for each of 30"),
    "class weights": (lambda: Keras().fit(X, Y, class_weight={7: 1.0}), "class_weight names 7"),
    "too early": (lambda: Keras().predict(X), "made from the data by fit"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(mistake):
    backends.load("numpy")
    run, said = MISTAKES[mistake]
    with pytest.raises((ValueError, TypeError, AttributeError), match=said):
        run()


def test_mistakes_after_fit():
    backends.load("numpy")
    keras = fitted(X, np.array(["a", "b"])[Y], epochs=1)
    for run, said in (
        (lambda: keras.predict(X[:, :2]), r"samples of the shape \(3,\); got \(2,\)"),
        (lambda: keras.predict(X[0]), "needs a batch axis"),
        (lambda: keras.evaluate(X, np.full(30, "c")), "the label 'c' was not there in fit"),
        (lambda: keras.save("model.h5"), "must end in .keras"),
    ):
        with pytest.raises(ValueError, match=said):
            run()
