"""Mistakes: each is an error or a warning that says what to do."""

import traceback

import numpy as np
import pytest

from cornu import layers, settings
from cornu.models import Model, Sequential

RNG = np.random.default_rng(0)
X, Y = RNG.random((40, 4), "float32"), RNG.integers(0, 3, 40)


def model(*stack, **compiled):
    made = Sequential([layers.Input((4,)), *stack] if stack else [layers.Input((4,)), layers.Dense(3, activation="softmax")])
    if compiled:
        made.compile(**{"optimizer": "sgd", **compiled})
    return made


@pytest.mark.parametrize("what", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_not_compiled(what):
    with pytest.raises(ValueError, match=rf'Sequential "sequential": call compile\(optimizer=..., loss=...\) before {what}.'):
        getattr(model(), what)(X, Y)


def test_no_targets():
    with pytest.raises(ValueError, match="no targets.*'sparse_categorical_crossentropy'"):
        model(loss="sparse_categorical_crossentropy").fit(X, verbose=0)


def test_no_loss():
    with pytest.raises(ValueError, match="no loss to minimize"):
        model(loss=None, metrics=["mae"]).fit(X, Y, verbose=0)


@pytest.mark.parametrize(
    "loss, y, said",
    [
        ("categorical_crossentropy", Y, "sparse_categorical_crossentropy"),
        ("sparse_categorical_crossentropy", np.eye(3)[Y], "categorical_crossentropy"),
        ("sparse_categorical_crossentropy", Y + 1, "wanted class numbers from 0 to 2"),
        ("categorical_crossentropy", np.eye(4)[Y], "4 classes"),
        ("mse", np.zeros((40, 2)), "does not fit"),
    ],
)
@pytest.mark.parametrize("what", ["fit", "evaluate", "train_on_batch"])
def test_labels_that_do_not_fit(loss, y, said, what):
    with pytest.raises(ValueError, match=said):
        getattr(model(loss=loss), what)(X, y)


def test_lengths_and_emptiness():
    made = model(loss="sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="same number of samples"):
        made.fit(X, Y[:39], verbose=0)
    with pytest.raises(ValueError, match="empty"):
        made.fit(X[:0], Y[:0], verbose=0)
    with pytest.raises(ValueError, match="empty"):
        made.predict(X[:0], verbose=0)
    with pytest.warns(UserWarning, match="NaN"):
        made.fit(np.where(X > 0.9, np.nan, X), Y, verbose=0)


@pytest.mark.parametrize(
    "compiled, said",
    [
        ({"loss": "mze"}, "mse"),
        ({"loss": "mse", "metrics": ["acuracy"]}, "accuracy"),
        ({"loss": "mse", "optimizer": "adm"}, "adam"),
        ({"loss": "mse", "metrics": "mae"}, r"metrics=\['mae'\]"),
        ({"loss": "mse", "steps_per_execution": 0}, "steps_per_execution"),
    ],
)
def test_compile(compiled, said):
    with pytest.raises(ValueError, match=said):
        model(**compiled)


def test_unknown_outputs():
    i = layers.Input((4,))
    made = Model(i, [layers.Dense(3, name="a")(i), layers.Dense(1, name="b")(i)])
    made.compile("sgd", {"a": "mse", "c": "mse"})
    with pytest.raises(ValueError, match="loss: the model has no output 'c'. Its outputs are 'a', 'b'"):
        made.fit(X, [np.zeros((40, 3)), np.zeros((40, 1))], verbose=0)
    made.compile("sgd", "mse")
    with pytest.raises(ValueError, match="y: the model has 2 outputs"):
        made.fit(X, np.zeros((40, 3)), verbose=0)


def test_wrong_input_shape():
    with pytest.raises(ValueError, match="wants the shape"):
        model(loss="mse").fit(X[:, :3], Y, verbose=0)


def test_the_frames_are_the_users():
    made = model(loss="categorical_crossentropy")
    with pytest.raises(ValueError) as caught:
        made.fit(X, Y, verbose=0)
    files = {frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)}
    assert all("cornu" not in file or "tests" in file or file.endswith("traceback.py") for file in files), files
    settings.put("traceback_filtering", False)
    try:
        with pytest.raises(ValueError) as caught:
            made.fit(X, Y, verbose=0)
    finally:
        settings.put("traceback_filtering", True)
    assert len(traceback.extract_tb(caught.value.__traceback__)) > 4


def test_an_interrupt_leaves_a_model_that_works():
    from cornu.training.callbacks import Callback

    class Interrupt(Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise KeyboardInterrupt

    made = model(loss="sparse_categorical_crossentropy")
    before = made.get_weights()[0]
    with pytest.raises(KeyboardInterrupt):
        made.fit(X, Y, verbose=0, callbacks=[Interrupt()])
    assert not np.array_equal(before, made.get_weights()[0])
    made.fit(X, Y, verbose=0)
