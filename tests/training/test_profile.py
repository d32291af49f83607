"""`model.profile`: what it counts, what it leaves alone, what it writes."""

import gzip
import json
import time

import numpy as np
import pytest

import cornu as keras
from cornu import backends, layers
from cornu.training import profile


def convolutional():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.Dropout(0.5, name="dropout"),
            layers.Flatten(name="flatten"),
            layers.Dense(5, name="dense"),
        ]
    )
    model.compile("adam", "mse")
    draw = np.random.default_rng(0)
    return model, draw.random((16, 8, 8, 3), "float32"), draw.random((16, 5), "float32")


def test_counts_and_times(backend):
    """FLOPs and bytes are those of a batch by the textbook; every time is above zero where something is computed."""
    model, x, y = convolutional()
    told = []
    found = model.profile(x, y, batch_size=8, runs=2, print_fn=told.append)
    rows = {row.name: row for row in found.rows}
    assert list(rows) == ["conv", "norm", "dropout", "flatten", "dense"] and found.batch == 8 and found.trained
    dense = 2 * 8 * 144 * 5
    assert dense <= rows["dense"].flops[0] <= dense + 2 * 8 * 5 and rows["dense"].flops[1] == 2 * rows["dense"].flops[0]
    convolution = 2 * 8 * 6 * 6 * 4 * 27
    assert convolution <= rows["conv"].flops[0] < 1.1 * convolution
    assert rows["conv"].flops[1] == rows["conv"].flops[0]  # nothing asks for the gradient by the picture
    assert rows["dense"].bytes == (4 * (8 * 144 + 144 * 5 + 5 + 8 * 5), 4 * (8 * 144 + 8 * 5 + 2 * (144 * 5 + 5) + 8 * 144))
    assert found.step > 0 and all(rate > 1e6 for rate in found.rates) and rows["conv"].floor > 0
    for name, row in rows.items():
        assert f"{name} ({row.kind})" in told[0]
        assert row.floor >= max(sum(row.flops) / found.rates[0], sum(row.bytes) / found.rates[1]) * 0.999


def test_the_time_is_that_of_the_layer():
    """A layer that waits shows the time that it waits, and no other does."""

    class Slow(layers.Layer):
        def call(self, x):
            if hasattr(x, "ctypes"):  # values, not shapes
                time.sleep(0.05)
            return x

    backends.load("numpy")
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="dense"), Slow(name="slow")])
    found = model.profile(np.zeros((8, 4), "float32"), runs=2, print_fn=lambda text: None)
    times = {row.name: row.total for row in found.rows}
    assert not found.trained and 0.045 < times["slow"] < 0.5 and times["dense"] < 0.045 and found.step >= 0.05


def test_the_model_stays_as_it_is(backend):
    model, x, y = convolutional()
    model.train_on_batch(x, y)
    before, slots = model.get_weights(), [variable.numpy().copy() for variable in model.optimizer.variables]
    model.profile(x, y, runs=2, print_fn=lambda text: None)
    for a, b in zip(before + slots, model.get_weights() + [variable.numpy() for variable in model.optimizer.variables], strict=True):
        np.testing.assert_array_equal(a, b)
    assert all("call" not in layer.__dict__ for layer in model.layers)
    model.train_on_batch(x, y)


def test_layers_called_twice_models_inside_and_integers():
    inside = keras.Sequential([keras.Input((6,)), layers.Dense(6, name="inner")], name="inside")
    shared = layers.Dense(6, name="shared")
    tokens = keras.Input((5,), dtype="int32")
    x = layers.LSTM(6, name="lstm")(layers.Embedding(9, 6, mask_zero=True, name="embedding")(tokens))
    model = keras.Model(tokens, layers.Add(name="add")([shared(shared(x)), inside(x)]))
    found = model.profile(np.random.default_rng(0).integers(0, 9, (4, 5)), runs=2, print_fn=lambda text: None)
    assert {row.name: row.calls for row in found.rows} == {"embedding": 1, "lstm": 1, "shared": 2, "inner": 1, "add": 1}
    rows = {row.name: row for row in found.rows}
    assert rows["shared"].flops[0] == 2 * rows["inner"].flops[0] and rows["shared"].flops[1] == 0


def test_trace(tmp_path):
    """A file in the format of Chrome's traces: complete events that follow each other, forward and then backward."""
    model, x, y = convolutional()
    found = model.profile(x, y, trace=tmp_path / "trace.json", runs=2, print_fn=lambda text: None)
    read = json.loads((tmp_path / "trace.json").read_text())
    events = [event for event in read["traceEvents"] if event["ph"] == "X" and event["tid"] == 1]
    assert [event["name"] for event in events[:5]] == [row.name for row in found.rows]
    assert all(event["name"].endswith("(backward)") for event in events[5:])
    for event, after in zip(events, events[1:]):
        assert event["ts"] + event["dur"] == pytest.approx(after["ts"])
    assert sum(event["dur"] for event in events) == pytest.approx(1e6 * sum(row.total for row in found.rows))
    found.write(tmp_path / "trace.json.gz")
    assert json.loads(gzip.open(tmp_path / "trace.json.gz").read()) == read
    with pytest.raises(FileNotFoundError, match="nowhere"):
        model.profile(x, y, trace=tmp_path / "nowhere" / "trace.json")


def test_text_of_a_profile():
    row = profile.Row("dense", "Dense", 2, (1000, 2000), (500, 1500), (1e-3, 3e-3), 1e-3)
    text = str(profile.Profile("m", "numpy", 32, [row], 8e-3, True, (1e9, 1e10), 1e-6))
    assert row.ratio == 4 and "dense (Dense) x2" in text and "100.0%" in text and "8.000 ms (8.0 times" in text
