"""Callbacks and kinds of data with a real model."""

import numpy as np
import pytest

from cornu import layers, models
from cornu.training import callbacks, data

X = np.random.default_rng(0).random((96, 4)).astype("float32")
Y = (X.sum(1) > 2).astype("int32")


class Batches(data.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return X[index * 32 : (index + 1) * 32], Y[index * 32 : (index + 1) * 32]


@pytest.fixture(scope="module")
def model():
    made = models.Sequential([layers.Input((4,)), layers.Dense(1, activation="sigmoid")])
    made.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    return made


def test_every_form_of_the_same_data_trains_alike(model):
    start, results = model.get_weights(), []
    for x, y in (
        (X, Y),
        (X.tolist(), Y.tolist()),
        (Batches(), None),
        (Batches(workers=2), None),
        ([batch for batch in (Batches()[i] for i in range(3))], None),
    ):
        model.set_weights(start)
        given = (batch for batch in x) if isinstance(x, list) and y is None else x
        history = model.fit(given, y, shuffle=False, verbose=0)
        results.append((history.history["loss"][0], *np.concatenate([w.ravel() for w in model.get_weights()])))
    np.testing.assert_allclose(results, [results[0]] * len(results), rtol=1e-5)


def test_callbacks_change_training(model, tmp_path):
    class Stop(callbacks.Callback):
        batches = 0

        def on_train_batch_end(self, batch, logs=None):
            self.batches += 1
            self.model.stop_training = batch == 1

    stop = Stop()
    assert len(model.fit(X, Y, epochs=3, verbose=0, callbacks=[stop]).epoch) == 1 and stop.batches == 2
    stopping = callbacks.EarlyStopping("loss", mode="max", patience=1, restore_best_weights=True)
    seen = []
    logger = callbacks.CSVLogger(tmp_path / "log.csv")
    remember = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(model.get_weights()))
    history = model.fit(X, Y, epochs=20, verbose=0, callbacks=[stopping, logger, remember])
    assert len(history.epoch) < 20 and len((tmp_path / "log.csv").read_text().splitlines()) == len(history.epoch) + 1
    for weight, best in zip(model.get_weights(), seen[stopping.best_epoch], strict=True):
        np.testing.assert_array_equal(weight, best)
    history = model.fit(X, Y, epochs=3, verbose=0, callbacks=[callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))])
    np.testing.assert_allclose(history.history["learning_rate"], [0.1, 0.05, 0.1 / 3], rtol=1e-6)


def test_nan_stops_training(model):
    start, bad = model.get_weights(), X.copy()
    bad[40] = np.nan
    with pytest.warns(UserWarning, match="x holds 4 NaN of 384 values"):
        history = model.fit(bad, Y, epochs=3, shuffle=False, verbose=0, callbacks=[callbacks.TerminateOnNaN()])
    assert len(history.epoch) == 1 and np.isnan(history.history["loss"][0])
    model.set_weights(start)


def test_generator_that_ends_early(model):
    source = (Batches()[i % 3] for i in range(5))
    with pytest.warns(UserWarning, match="2 batches an epoch were asked for, and epoch 3 got 1"):
        history = model.fit(source, steps_per_epoch=2, epochs=4, verbose=0)
    assert len(history.epoch) == 3
