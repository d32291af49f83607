"""Files go both ways: Keras opens ours, we open Keras's, and predictions are equal."""

import numpy as np
import pytest

import cornu
from cornu import layers, ops, saving
from tests import oracle
from tests.saving.models import ALL


def build(text):
    names = {"__name__": __name__, "keras": cornu, "L": layers, "ops": ops}
    exec(text, names)
    return names["model"], names["shapes"]


def data(shapes):
    generator = np.random.default_rng(0)
    made = [generator.integers(0, 9, (3, 5)).astype("int32") if s == "tokens" else generator.normal(size=(3, *s)).astype("float32") for s in shapes]
    return made if len(made) > 1 else made[0]


def shaken(model):
    """Give every weight a value of its own, so that none can be mistaken for another."""
    generator = np.random.default_rng(1)
    model.set_weights([generator.uniform(0.2, 1, w.shape).astype(w.dtype) for w in model.weights])


def flat(outputs):
    return [np.asarray(y) for y in (outputs if isinstance(outputs, (list, tuple)) else [outputs])]


def same(ours, theirs):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


_THEIRS = """
L = keras.layers
exec(text)
rng = np.random.default_rng(1)
model.set_weights([rng.uniform(0.2, 1, w.shape).astype(w.dtype) for w in model.weights])
for path in paths:
    (model.save_weights if path.endswith(".weights.h5") else model.save)(path)
y = model(given, training=False)
out["y"] = list(y) if isinstance(y, (list, tuple)) else [y]
"""
_OURS = """
L = keras.layers
exec(text)
for path in paths:
    if path.endswith(".weights.h5"):
        model.load_weights(path)
    else:
        model = keras.models.load_model(path)
    y = model(given, training=False)
    out[path] = list(y) if isinstance(y, (list, tuple)) else [y]
"""


def paths(folder, endings):
    return [str(folder / f"model{ending}") for ending in endings]


@pytest.mark.parametrize("name", ALL)
def test_keras_writes(tmp_path, name):
    endings = [".weights.h5", ".keras", *([] if name == "subclass" else [".h5"])]
    model, shapes = build(ALL[name])
    x = data(shapes)
    got = oracle.run(_THEIRS, text=ALL[name], paths=paths(tmp_path, endings), given=x)
    for path in paths(tmp_path, endings):
        if path.endswith(".weights.h5"):
            model.load_weights(path)
        else:
            model = saving.load_model(path)
        same(flat(model(x, training=False)), got["y"])


@pytest.mark.parametrize("name", ALL)
def test_keras_reads(tmp_path, name):
    endings = [".weights.h5", ".keras", *([] if name in ("subclass", "operations", "attention") else [".h5"])]  # Keras opens no .h5 with ops, not even its own
    model, shapes = build(ALL[name])
    x = data(shapes)
    shaken(model)
    for path in paths(tmp_path, endings):
        (model.save_weights if path.endswith(".weights.h5") else model.save)(path)
    got = oracle.run(_OURS, text=ALL[name], paths=paths(tmp_path, endings), given=x)
    for path in paths(tmp_path, endings):
        same(flat(model(x, training=False)), got[path])


def test_training_of_a_node(tmp_path):
    """Keras writes training=False for layers that were given none, so ours counts only where we wrote it."""
    i = layers.Input((5, 3))
    path = str(tmp_path / "m.keras")
    model = cornu.Model(i, layers.BatchNormalization()(i, training=False))
    model.save(path)
    x = np.random.default_rng(0).normal(3, 9, size=(8, 5, 3)).astype("float32")
    again = saving.load_model(path)
    same(flat(again(x, training=True)), flat(again(x, training=False)))
    code = """
out["y"] = [keras.models.load_model(path)(given, training=False)]
i = keras.Input((5, 3))
keras.Model(i, keras.layers.LSTM(4, dropout=0.5)(i)).save(path)
"""
    same(flat(model(x, training=False)), oracle.run(code, path=path, given=x)["y"])
    again = saving.load_model(path)
    assert not np.allclose(again(x, training=True), again(x, training=False))
