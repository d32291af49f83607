"""`model.explain()` says for each layer what runs, before and after `compile`, and changes nothing."""

import importlib.util

import numpy as np
import pytest

import cornu as keras
from cornu import backends, layers, ops
from cornu.training import explain

INSTALLED = [name for name, (module, *_) in backends.BACKENDS.items() if importlib.util.find_spec(module)]


def model():
    x = keras.Input((4, 3))
    y = layers.LSTM(2, return_sequences=True)(x)
    y = layers.GRU(2, return_sequences=True, unroll=True)(y)
    y = layers.Dropout(0.5)(y)
    inner = keras.Sequential([layers.BatchNormalization(), layers.Dense(2, "softmax")], name="inner")
    return keras.Model(x, ops.softmax(inner(y)))


def told(model, **arguments):
    """What -> (how, why), without the classes in brackets."""
    step, rows = explain.explain(model, **arguments)
    return {what.partition(" (")[0]: (how, why) for what, how, why in (*step, *rows)}


@pytest.mark.parametrize("engine", INSTALLED)
def test_every_layer_is_there(engine):
    backend = backends.load(engine)
    built = model()
    before = told(built)
    assert [*before] == ["step", "between the layers", "lstm", "gru", "dropout", "inner/batch_normalization", "inner/dense"]
    assert before["step"][0].startswith("one compiled program" if backend.COMPILES else "op by op")
    built.compile("adam", "mse")
    after = told(built)
    assert [*after] == ["step", "optimizer", *[*before][1:]]
    assert "softmax" in after["inner/dense"][0] and "softmax" in after["between the layers"][0]
    slow = {what for what, (how, _) in after.items() if any(word in how for word in ("op by op", "step by step", "its rule", "a compiled loop"))}
    assert slow == {what for what, (_, why) in after.items() if why}  # what is not the fastest says why, and nothing else does
    built.compile("adam", "mse", run_eagerly=True)
    if backend.COMPILES:
        assert told(built)["step"] == ("op by op", "compile(run_eagerly=True)")
        assert told(built)["inner/dense"][0].startswith(("op by op: ", f"{backends.TITLES[engine]}'s kernels: "))
        built.compile("adam", "mse", jit_compile=False)
        assert told(built)["step"] == ("op by op", "compile(jit_compile=False)")


@pytest.mark.parametrize("engine", [name for name in INSTALLED if name != "pytensor"])  # minutes of compiling there
def test_nothing_is_changed(engine):
    backends.load(engine)
    built, x = model(), np.ones((8, 4, 3), "float32")
    built.compile("adam", "mse", metrics=["mae"])
    built.fit(x, np.ones((8, 4, 2), "float32"), verbose=0)
    kept = keras.tree.map_structure(np.array, built.get_state_tree("numpy_array"))
    outputs, seed = built.predict(x, verbose=0), built.get_layer("dropout").seed_generator.state.numpy()
    built.explain(print_fn=lambda text: None)
    keras.tree.map_structure(np.testing.assert_array_equal, built.get_state_tree("numpy_array"), kept)
    np.testing.assert_array_equal(built.get_layer("dropout").seed_generator.state.numpy(), seed)
    np.testing.assert_array_equal(built.predict(x, verbose=0), outputs)


def test_the_backends_own_version_is_told(monkeypatch):
    """The same model, on a backend with a kernel of the op and without."""
    backend = backends.load("numpy")
    built = keras.Sequential([keras.Input((3,)), layers.Dense(2, "softmax")])
    assert told(built)["dense"] == ("op by op: softmax", "the numpy backend has no kernel for it")
    called = []
    monkeypatch.setattr(backend, "softmax", lambda x, axis=-1: called.append(1) or np.full_like(x, 0.5), raising=False)
    assert told(built)["dense"] == ("NumPy's kernels: softmax", None) and called
    monkeypatch.setattr(backend, "softmax", lambda x, axis=-1: NotImplemented)
    assert told(built)["dense"] == ("op by op: softmax", "the numpy backend's kernel does not take these arguments")


def test_recurrent_layers_say_why(monkeypatch):
    if "torch" not in INSTALLED:
        pytest.skip("PyTorch is not installed")
    backends.load("torch")
    built = keras.Sequential([keras.Input((4, 3)), layers.Bidirectional(layers.LSTM(2)), layers.RepeatVector(2), layers.GRU(2, recurrent_dropout=0.5)])
    found = told(built)
    assert found["bidirectional/forward_lstm"] == found["bidirectional/backward_lstm"] == ("PyTorch's kernel for all steps at once", None)
    assert told(built, training=False)["gru"] == ("PyTorch's kernel for all steps at once", None)
    assert told(built, training=True)["gru"] == ("step by step", "recurrent_dropout in training")


def test_models_of_every_form(capsys):
    backends.load("numpy")

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2, "relu")

        def call(self, x):
            return ops.softmax(self.dense(x))

    own = Own()
    with pytest.raises(ValueError, match='explain: the model "own" knows no shape of its inputs yet. Call it on data, build it, or give a batch'):
        own.explain()
    own.explain(np.ones((2, 3)))
    assert "dense (Dense)" in capsys.readouterr().out
    assert told(own)["between the layers"] == ("op by op: softmax", "the numpy backend has no kernel for it")  # the shapes of the call are known now
    words = keras.Sequential([keras.Input((None,), dtype="int32"), layers.Embedding(9, 4), layers.GlobalAveragePooling1D(), layers.Dense(1)])
    assert [*told(words)] == ["step", "embedding", "global_average_pooling1d", "dense_1"]
    pictures = keras.Model([a := keras.Input((None, None, 1)), b := keras.Input((2,))], {"one": layers.Conv2D(2, 3)(a), "two": layers.Dense(1)(b)})
    assert {"conv2d", "dense_2"} <= {*told(pictures)}
