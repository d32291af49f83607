"""Which hooks are called, in which order, with which logs: as Keras does it, on real models."""

import itertools

import numpy as np
import pytest

from cornu import backends, callbacks, layers, models, optimizers
from tests import oracle

X = np.random.default_rng(0).random((20, 3)).astype("float32")
Y = X.sum(1, keepdims=True)

_RUN = """
class Recorder(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.calls = []
def _hook(name):
    count = 2 if "epoch" in name or "batch" in name else 1
    def hook(self, *arguments, logs=None):
        logs = arguments[count - 1] if len(arguments) == count else logs
        self.calls.append([name, *arguments[: count - 1], sorted(logs or {})])
    return hook
for name in [n for n in dir(keras.callbacks.Callback) if n.startswith("on_") and n not in ("on_batch_begin", "on_batch_end")]:
    setattr(Recorder, name, _hook(name))

def model():
    made = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    made.compile("sgd", "mse", metrics=["mae"])
    return made

def generator():
    while True:
        yield x[:7], y[:7]

found, made = [], model()
for call in calls:
    recorder = Recorder()
    eval(call, {"model": made, "x": x, "y": y, "c": [recorder], "generator": generator, "keras": keras})
    found.append([recorder.calls, {k: v for k, v in recorder.params.items()}])
"""
CALLS = [
    "model.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=c)",
    "model.fit(x, y, batch_size=8, epochs=3, verbose=0, callbacks=c, validation_split=0.3, validation_freq=2)",
    "model.fit(x, y, batch_size=8, epochs=3, initial_epoch=1, verbose=0, callbacks=c, validation_data=(x, y))",
    "model.fit(generator(), steps_per_epoch=2, epochs=2, verbose=0, callbacks=c)",
    "model.evaluate(x, y, batch_size=8, verbose=0, callbacks=c)",
    "model.evaluate(x, y, batch_size=8, steps=2, verbose=0, callbacks=c)",
    "model.predict(x, batch_size=8, verbose=0, callbacks=c)",
    "(model.compile('sgd', 'mse', metrics=['mae'], steps_per_execution=2), model.fit(x, y, batch_size=5, epochs=1, verbose=0, callbacks=c))",
]


@pytest.fixture(scope="module")
def keras_calls():
    return oracle.run(_RUN + "\nout['found'] = found", x=X, y=Y, calls=CALLS)["found"]


@pytest.mark.parametrize("name", ["numpy", "jax"])
def test_order_of_hooks(name, keras_calls):
    import cornu

    backends.load(name)
    values = {"keras": cornu, "x": X, "y": Y, "calls": CALLS}
    exec(_RUN, values)
    for call, (ours, our_params), (theirs, their_params) in zip(CALLS, values["found"], keras_calls, strict=True):
        assert ours == [list(event) for event in theirs], call
        assert our_params == their_params, call


_AVERAGES = """
for swap in (False, True):
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mse")
    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(np.array(self.model.get_weights()[0]))
        on_test_begin = lambda self, logs=None: seen.append(np.array(self.model.get_weights()[0]))
        on_test_end = on_test_begin
        on_epoch_begin = lambda self, epoch, logs=None: seen.append(np.array(self.model.get_weights()[0]))
    seen = []
    history = model.fit(x, y, epochs=3, batch_size=5, shuffle=False, verbose=0, validation_data=(x, y), callbacks=[keras.callbacks.SwapEMAWeights(swap), Look()])
    out[f"seen{swap}"] = np.stack(seen)
    out[f"losses{swap}"] = [history.history["loss"], history.history["val_loss"]]
    out[f"end{swap}"] = np.array(model.get_weights()[0])
"""


@pytest.fixture(scope="module")
def keras_averages():
    return oracle.run(_AVERAGES, x=X, y=Y)


@pytest.mark.parametrize("name", ["numpy", "jax"])
def test_averages_of_the_weights(name, keras_averages):
    import cornu

    backends.load(name)
    values = {"keras": cornu, "np": np, "x": X, "y": Y, "out": {}}
    exec(_AVERAGES, values)
    for key, value in keras_averages.items():
        np.testing.assert_allclose(values["out"][key], value, rtol=1e-4, err_msg=key)


def test_averages_without_averages():
    model = models.Sequential([layers.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="keeps no moving averages; make it with use_ema=True"):
        model.fit(X, Y, verbose=0, callbacks=[callbacks.SwapEMAWeights()])


def test_averages_in_evaluate_and_predict():
    backends.load("numpy")
    model = models.Sequential([layers.Input((3,)), layers.Dense(1)])
    model.compile(optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9), "mse")
    model.train_on_batch(X, Y)
    model.train_on_batch(X, Y)
    plain, averaged = model.predict(X, verbose=0), model.predict(X, verbose=0, callbacks=[callbacks.SwapEMAWeights()])
    assert np.abs(plain - averaged).max() > 1e-4
    np.testing.assert_array_equal(plain, model.predict(X, verbose=0))  # and back


# -- files of ModelCheckpoint -----------------------------------------------------------------------------------------------------------

_CHECKPOINTS = """
import os
model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1, kernel_initializer="zeros")])
model.compile(keras.optimizers.SGD(0.1), "mse")
start = model.get_weights()
for i, given in enumerate(cases):
    folder = os.path.join(root, who + str(i))
    os.makedirs(folder)
    model.set_weights(start)
    model.optimizer.learning_rate = rates[i]
    try:
        callback = keras.callbacks.ModelCheckpoint(os.path.join(folder, given["filepath"]), **{k: v for k, v in given.items() if k != "filepath"})
        model.fit(x, y, epochs=3, batch_size=8, shuffle=False, verbose=0, validation_data=(x, y), callbacks=[callback])
        out[str(i)] = sorted(os.listdir(folder))
    except Exception as error:
        out[str(i)] = type(error).__name__
"""
NAMES = ["a.keras", "a_{epoch}.keras", "a_{epoch:02d}_{val_loss:.2f}.keras", "a_{epoch}_{batch}.weights.h5", "b.weights.h5", "c.h5", "d", "e_{nope}.keras"]
CASES = [{"filepath": name, "save_weights_only": "weights" in name} for name in NAMES[:3] + NAMES[4:]]
CASES += [{"filepath": NAMES[3], "save_weights_only": True, "save_freq": n} for n in (1, 2, 4)]
CASES += [
    {"filepath": "a_{epoch}.keras", "save_best_only": best, "monitor": monitor, "mode": mode, "initial_value_threshold": threshold}
    for best, monitor, mode, threshold in itertools.product([True], ["val_loss", "loss"], ["auto", "min", "max"], [None, 0.5])
]
CASES += [{"filepath": "a_{epoch}_{batch}.keras", "save_best_only": True, "monitor": "loss", "save_freq": 2}]


def test_files_of_checkpoints(tmp_path):
    """The same names, for every option."""
    import cornu

    backends.load("numpy")
    rates = [0.01, 0.5] * len(CASES)  # training that gets better, and that gets worse
    values = {"keras": cornu, "x": X, "y": Y, "cases": CASES, "rates": rates, "root": str(tmp_path), "who": "ours", "out": {}}
    exec(_CHECKPOINTS, values)
    wanted = oracle.run(_CHECKPOINTS, x=X, y=Y, cases=CASES, rates=rates, root=str(tmp_path), who="theirs")
    differences = [f"{CASES[int(i)]}: {values['out'][i]}, Keras {found}" for i, found in wanted.items() if values["out"][i] != found]
    assert not differences, "\n".join(differences)
