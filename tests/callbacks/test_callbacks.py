"""Callbacks on a model that only counts, and the same sequences under the newest Keras."""

import csv

import numpy as np
import pytest

from cornu.training import callbacks
from tests import oracle
from tests.callbacks.fake import Model, fit

NAN = float("nan")


def losses(*values, name="val_loss"):
    return [{"loss": 1.0, name: value} for value in values]


class Recorder(callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.events = []

    def __getattribute__(self, name):
        if name.startswith("on_"):
            self.events.append(name)
        return super().__getattribute__(name)


def test_hooks_and_their_order():
    recorder = Recorder()
    model = fit(recorder, losses(1.0), batches=[{"loss": 2.0}])
    assert recorder.events == [
        "on_train_begin", "on_epoch_begin", "on_train_batch_begin", "on_batch_begin", "on_train_batch_end", "on_batch_end", "on_epoch_end", "on_train_end",
    ]  # fmt: skip
    assert recorder.model is model and recorder.params == {"verbose": 0, "epochs": 1, "steps": 1}


def test_who_listens_to_batches():
    def listens(*given, mode="train"):
        return callbacks.CallbackList(list(given), add_history=True, add_progbar=True).listens_to_batches(mode)

    class Batch(callbacks.Callback):
        def on_batch_end(self, batch, logs=None):
            pass

    class Foreign:
        set_model = set_params = lambda self, x: None

        def on_train_batch_end(self, batch, logs=None):
            pass

    assert not listens() and not listens(callbacks.EarlyStopping(), callbacks.CSVLogger("x"), callbacks.LearningRateScheduler(abs))
    assert listens(Batch()) and listens(callbacks.TerminateOnNaN()) and listens(Foreign())
    assert not listens(Batch(), mode="test")
    assert listens(callbacks.LambdaCallback(on_test_batch_end=print), mode="test")
    assert listens(callbacks.LambdaCallback(on_train_batch_begin=print)) and not listens(callbacks.LambdaCallback(on_epoch_end=print))
    assert not listens(callbacks.ModelCheckpoint("a.keras")) and listens(callbacks.ModelCheckpoint("a.keras", save_freq=10))
    assert callbacks.CallbackList([Batch()]).batch_listeners


def test_what_is_no_callback():
    with pytest.raises(TypeError, match=r"EarlyStopping is a class; pass an object: EarlyStopping\(...\)"):
        callbacks.CallbackList([callbacks.EarlyStopping])
    with pytest.raises(TypeError, match=r"wanted objects of .*Callback; got 1"):
        callbacks.CallbackList(1)


def test_hooks_take_names():
    """As loops of one's own call them."""
    seen = []
    together = callbacks.CallbackList(callbacks.LambdaCallback(on_epoch_end=lambda e, logs: seen.append((e, logs)), on_train_end=seen.append))
    together.on_epoch_end(3, logs={"loss": 1.0})
    together.on_train_end(logs={"loss": 1.0})
    together.on_train_end()
    assert seen == [(3, {"loss": 1.0}), {"loss": 1.0}, {}]


def test_history():
    class Extra(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["extra"] = epoch

    model = fit([Extra()], losses(3.0, 2.0))
    assert model.history.history == {"loss": [1.0, 1.0], "val_loss": [3.0, 2.0], "extra": [0, 1]}
    assert model.history.epoch == [0, 1] and model.history.params["epochs"] == 2
    assert repr(model.history) == "<History of 2 epochs: at the end loss 1, val_loss 2, extra 1>"
    again = fit([model.history], losses(1.0), initial_epoch=2).history
    assert again is model.history and again.history["val_loss"] == [3.0, 2.0, 1.0] and again.epoch == [2]


EARLY = [
    (dict(patience=2), (3, 2, 2.5, 2.4, 2.3, 1)),
    (dict(patience=2, restore_best_weights=True), (3, 2, 2.5, 2.4, 2.3, 1)),
    (dict(patience=5, restore_best_weights=True), (3, 2, 2.5)),
    (dict(patience=2, baseline=1.0), (3, 2, 1.8, 1.9, 0.5)),
    (dict(patience=1, start_from_epoch=3), (3, 4, 5, 6, 7, 8)),
    (dict(patience=1, min_delta=0.1, mode="max"), (0.1, 0.3, 0.35, 0.2)),
    (dict(), (3, 2, 2, 2)),
    (dict(patience=1, restore_best_weights=True), (NAN, NAN, NAN)),
    (dict(patience=2, min_delta=-0.5), (1, 1.2, 0.6, 0.7, 0.2, 0.3, 0.4)),
]


@pytest.mark.parametrize("arguments, values", EARLY)
def test_early_stopping_as_keras(arguments, values, capsys):
    """The same stop, best value, weights and messages as Keras gives for the sequence."""
    stopping = callbacks.EarlyStopping(verbose=1, **arguments)
    model = fit(stopping, losses(*values))
    got = oracle.run(DRIVE, arguments=arguments, values=list(values), name="EarlyStopping")
    assert capsys.readouterr().out == got["printed"]
    for name in ("best", "wait", "stopped_epoch", "best_epoch"):
        np.testing.assert_equal(getattr(stopping, name), got[name])
    assert model.weight == got["weight"] and len(model.history.epoch) == got["epochs"]


REDUCE = [
    (dict(patience=2), (3,) * 8),
    (dict(patience=2, cooldown=2, min_lr=0.0005), (3,) * 12),
    (dict(patience=1, factor=0.5, mode="max", min_delta=0.05), (0.1, 0.12, 0.2, 0.21, 0.3, 0.3)),
    (dict(patience=0, factor=0.3), (3, 2, 1, 1, 0.5, 0.5)),
]


@pytest.mark.parametrize("arguments, values", REDUCE)
def test_reduce_lr_as_keras(arguments, values, capsys):
    reduce = callbacks.ReduceLROnPlateau(verbose=1, **arguments)
    model = fit(reduce, losses(*values))
    got = oracle.run(DRIVE, arguments=arguments, values=list(values), name="ReduceLROnPlateau")
    assert capsys.readouterr().out == got["printed"]
    assert model.history.history["learning_rate"] == got["rates"]
    assert (reduce.best, reduce.wait, reduce.cooldown_counter) == (got["best"], got["wait"], got["cooldown_counter"])


DRIVE = """
import contextlib, io
class Fake:
    metrics = ()
    stop_training, weight = False, 0
    optimizer = keras.optimizers.SGD(0.01)
    def get_weights(self): return [self.weight]
    def set_weights(self, weights): self.weight = weights[0]
model, text, rates, epochs = Fake(), io.StringIO(), [], 0
callback = getattr(keras.callbacks, name)(verbose=1, **arguments)
callback.set_model(model)
with contextlib.redirect_stdout(text):
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        logs = {"loss": 1.0, "val_loss": value}
        callback.on_epoch_begin(epoch)
        model.weight += 1
        callback.on_epoch_end(epoch, logs)
        rates.append(float(logs.get("learning_rate", 0.0)))
        epochs += 1
        if model.stop_training:
            break
    callback.on_train_end()
out.update(printed=text.getvalue(), weight=model.weight, rates=rates, epochs=epochs)
out.update({k: getattr(callback, k) for k in ("best", "wait", "stopped_epoch", "best_epoch", "cooldown_counter") if hasattr(callback, k)})
"""


@pytest.mark.parametrize("kind", [callbacks.EarlyStopping, callbacks.ReduceLROnPlateau])
def test_watching_what_is_not_there(kind):
    with pytest.warns(UserWarning, match=rf'{kind.__name__} watches "val_loss", which is not there\. It needs validation_data.*There are: loss'):
        fit(kind(), [{"loss": 1.0}])
    with pytest.raises(ValueError, match=r'whether more or less of "foo" is better is not known\. Pass mode="max"'):
        fit(kind(monitor="foo"), [{"foo": 1.0}])
    with pytest.warns(UserWarning, match="mode must be"):
        kind(mode="best")


@pytest.mark.parametrize(
    "name, best",
    [("val_accuracy", 2), ("accuracy", 2), ("acc", 2), ("auc", 2), ("val_loss", 1), ("out_loss", 1), ("mae", 1), ("mean_squared_error", 1), ("mine", 2)],
)
def test_direction_by_the_metric(name, best):
    class BinaryAccuracy:
        name = "mine"

    model = Model()
    model.metrics = [BinaryAccuracy()]
    stopping = callbacks.EarlyStopping(name, patience=5)
    fit(stopping, losses(1, 2, name=name), model)
    assert stopping.best == best


def test_reduce_lr_arguments():
    with pytest.raises(ValueError, match="factor must be a number from 0 and below 1"):
        callbacks.ReduceLROnPlateau(factor=1.0)
    assert callbacks.ReduceLROnPlateau(epsilon=0.5).min_delta == 0.5


def test_learning_rate_scheduler(capsys):
    model = fit(callbacks.LearningRateScheduler(lambda epoch: 0.1 * epoch, verbose=1), losses(1, 1))
    assert capsys.readouterr().out == (
        "\nEpoch 1: LearningRateScheduler setting learning rate to 0.0.\n\nEpoch 2: LearningRateScheduler setting learning rate to 0.1.\n"
    )
    np.testing.assert_allclose(model.history.history["learning_rate"], [0.0, 0.1], rtol=1e-6)
    model = fit(callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5), losses(1, 1))
    np.testing.assert_allclose(model.history.history["learning_rate"], [0.005, 0.0025], rtol=1e-6)
    with pytest.raises(ValueError, match="must return a number; for epoch 0 it gave 'a'"):
        fit(callbacks.LearningRateScheduler(lambda epoch: "a"), losses(1))
    with pytest.raises(TypeError, match="mine"):  # an error of the schedule's own is not hidden

        def schedule(epoch, rate):
            raise TypeError("mine")

        fit(callbacks.LearningRateScheduler(schedule), losses(1))
    model = Model()
    del model.optimizer
    with pytest.raises(ValueError, match="Compile it first"):
        fit(callbacks.LearningRateScheduler(lambda epoch: 0.1), losses(1), model)


def test_terminate_on_nan(capsys):
    batches = [{"loss": 1.0}, {"loss": NAN}, {"loss": NAN}]
    model = fit(callbacks.TerminateOnNaN(), losses(1, 1), batches=batches)
    assert capsys.readouterr().out == "Batch 1: Invalid loss, terminating training\n"
    assert len(model.history.epoch) == 1
    with pytest.raises(RuntimeError, match="The loss of batch 1 is nan"):
        fit(callbacks.TerminateOnNaN(raise_error=True), losses(1), batches=batches)
    fit(callbacks.TerminateOnNaN(raise_error=True), losses(1), batches=[{"accuracy": 1.0}])


def checkpoint(folder, name, epochs=None, batches=(), **arguments):
    model = fit(callbacks.ModelCheckpoint(folder / name, **arguments), epochs or losses(3.0, 2.0, 2.5), batches=batches)
    return [path[len(str(folder)) + 1 :] for path in model.saved], model


def test_model_checkpoint(tmp_path, capsys):
    assert checkpoint(tmp_path, "a_{epoch:02d}_{val_loss:.2f}.keras")[0] == ["a_01_3.00.keras", "a_02_2.00.keras", "a_03_2.50.keras"]
    assert capsys.readouterr().out == ""
    saved, _ = checkpoint(tmp_path, "deep/er/a.keras", save_best_only=True, verbose=1)
    path = tmp_path / "deep/er/a.keras"
    assert saved == ["deep/er/a.keras"] * 2 and path.read_text() == "2"
    assert capsys.readouterr().out == (
        f"\nEpoch 1: val_loss improved from None to 3.00000, saving model to {path}\n\nEpoch 1: finished saving model to {path}\n"
        f"\nEpoch 2: val_loss improved from 3.00000 to 2.00000, saving model to {path}\n\nEpoch 2: finished saving model to {path}\n"
        "\nEpoch 3: val_loss did not improve from 2.00000\n"
    )
    assert checkpoint(tmp_path, "b.weights.h5", save_weights_only=True, monitor="val_loss", mode="max", save_best_only=True)[0] == ["b.weights.h5"]
    assert checkpoint(tmp_path, "b.h5", save_best_only=True, initial_value_threshold=0.1)[0] == []


def test_model_checkpoint_by_batches(tmp_path):
    batches = [{"loss": 1.0}] * 3
    saved, _ = checkpoint(tmp_path, "a_{epoch}_{batch}.keras", batches=batches, save_freq=2)
    assert saved == ["a_1_2.keras", "a_2_1.keras", "a_2_3.keras", "a_3_2.keras"]  # as Keras counts: over the epochs
    saved, _ = checkpoint(tmp_path, "b.keras", batches=batches, save_freq=2, save_best_only=True, monitor="loss")
    assert saved == ["b.keras"]


@pytest.mark.parametrize(
    "name, arguments, message",
    [
        ("a", {}, "must end in .keras or .h5"),
        ("a.h5", {"save_weights_only": True}, r"must end in \.weights\.h5"),
        ("a.keras", {"save_freq": "foo"}, 'save_freq must be "epoch" or a number'),
        ("a_{foo}.keras", {}, r"\{foo\} in the file name"),
        ("", {}, "must end in"),
    ],
)
def test_model_checkpoint_bad(tmp_path, name, arguments, message):
    with pytest.raises((ValueError, KeyError), match=message):
        checkpoint(tmp_path, name, **arguments)


def test_model_checkpoint_more_faults(tmp_path):
    (tmp_path / "d.keras").mkdir()
    with pytest.raises(OSError, match="is a folder"):
        checkpoint(tmp_path, "d.keras")
    with pytest.warns(UserWarning, match='"val_loss" is not there, so that the model is saved every time'):
        assert checkpoint(tmp_path, "a.keras", [{"loss": 1.0}], save_best_only=True)[0] == ["a.keras"]


def test_csv_logger(tmp_path):
    path = tmp_path / "in" / "log.csv"
    fit(callbacks.CSVLogger(path), [{"loss": 0.5, "accuracy": 0.25}, {"loss": 0.4, "accuracy": 0.5, "val_loss": 1.0}])
    assert path.read_text() == "epoch,accuracy,loss,val_accuracy,val_loss\n0,0.25,0.5,NA,NA\n1,0.5,0.4,NA,1.0\n"
    fit(callbacks.CSVLogger(path, separator=";", append=True), [{"loss": 0.5, "accuracy": 0.25}])
    assert path.read_text().endswith("0;0.25;0.5;NA;NA\n") and path.read_text().count("epoch") == 1
    fit(callbacks.CSVLogger(path), [{"array": np.array([1, 2]), "text": "x", "zero": np.array(3.0), "val_loss": 1}])
    with open(path, newline="") as file:
        assert list(csv.reader(file)) == [["epoch", "array", "text", "val_loss", "zero"], ["0", '"[1, 2]"', "x", "1", "3.0"]]


def test_lambda_callback():
    seen = []
    hooks = {
        "on_epoch_begin": lambda epoch, logs: seen.append(("epoch begin", epoch)),
        "on_epoch_end": lambda e, l: seen.append(("epoch end", e, l["loss"])),
        "on_train_batch_end": lambda batch, logs: seen.append(("batch", batch)),
        "on_train_end": lambda logs: seen.append("end"),
        "whatever": 1,
    }
    callback = callbacks.LambdaCallback(**hooks)
    fit(callback, losses(2.0), batches=[{"loss": 1.0}])
    assert seen == [("epoch begin", 0), ("batch", 0), ("epoch end", 0, 1.0), "end"] and callback.whatever == 1


def test_plot(tmp_path):
    history = fit([], [{"loss": 0.7**i, "val_loss": 0.8**i, "accuracy": 1 - 0.7**i, "learning_rate": 0.1} for i in range(4)]).history
    figure = history.plot(tmp_path / "curves.png")
    assert [axes.get_title() for axes in figure.axes] == ["loss", "accuracy", "learning rate"]
    assert [len(axes.lines) for axes in figure.axes] == [2, 1, 1]
    assert list(figure.axes[0].lines[0].get_xdata()) == [1, 2, 3, 4]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="no epoch"):
        callbacks.History().plot()


def test_plot_without_matplotlib(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    history = fit([], losses(1.0)).history
    with pytest.raises(ImportError, match="pip install matplotlib"):
        history.plot()
