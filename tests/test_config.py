"""What is set for the whole process: limits that `fit` keeps to, switches, the older configs of `legacy.saving`."""

import os
import subprocess
import sys

import numpy as np
import pytest

import cornu as keras
from cornu import config, settings
from tests import oracle

CASES = [  # max_epochs, max_steps_per_epoch, arguments of fit
    (None, None, {"epochs": 2}),
    (2, None, {"epochs": 5}),
    (2, 3, {"epochs": 5}),
    (2, 3, {"epochs": 5, "steps_per_epoch": 5}),
    (2, 3, {"epochs": 1, "steps_per_epoch": 2}),
    (2, 3, {"epochs": 5, "initial_epoch": 3}),
    (9, 3, {"epochs": 2, "validation": True}),
]
CODE = """
class Log(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = {"train": [], "test": 0, "predict": 0}
    def on_epoch_begin(self, epoch, logs=None):
        self.seen["train"].append(0)
    def on_train_batch_end(self, batch, logs=None):
        self.seen["train"][-1] += 1
    def on_test_batch_end(self, batch, logs=None):
        self.seen["test"] += 1
    def on_predict_batch_end(self, batch, logs=None):
        self.seen["predict"] += 1
model = keras.Sequential([keras.layers.Dense(1)])
model.compile("sgd", "mse")
out["fit"], C = [], keras.config
for epochs, steps, arguments in cases:
    C.set_max_epochs(epochs), C.set_max_steps_per_epoch(steps)
    log, arguments = Log(), dict(arguments)
    extra = {"validation_data": (x, y)} if arguments.pop("validation", False) else {}
    history = model.fit(x, y, batch_size=8, verbose=0, callbacks=[log], **arguments, **extra)
    out["fit"].append((history.epoch, log.seen, log.params))
C.set_max_epochs(2), C.set_max_steps_per_epoch(3)
log = Log()
model.evaluate(x, y, batch_size=8, verbose=0, callbacks=[log])
out["rows"] = len(model.predict(x, batch_size=8, verbose=0, callbacks=[log]))
out["rest"], out["limits"] = log.seen, (C.max_epochs(), C.max_steps_per_epoch())
C.set_max_epochs(None), C.set_max_steps_per_epoch(None)
out["switches"] = [C.is_flash_attention_enabled(), C.enable_flash_attention(), C.is_flash_attention_enabled(), C.disable_flash_attention(), C.is_flash_attention_enabled(), C.is_nnx_enabled()]
C.enable_flash_attention()
"""


def test_limits_and_switches_as_in_keras():
    x, y = np.ones((64, 2), "float32"), np.ones((64, 1), "float32")
    ours = {}
    exec(CODE, {"keras": keras, "out": ours, "x": x, "y": y, "cases": CASES})
    assert oracle.run(CODE, x=x, y=y, cases=CASES) == ours


def test_limits_from_the_environment():
    code = "import cornu; print(cornu.config.max_epochs(), cornu.config.max_steps_per_epoch())"
    told = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "KERAS_MAX_EPOCHS": "7", "CORNU_MAX_STEPS_PER_EPOCH": "3"}, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == ["7", "3"]


@pytest.mark.parametrize("wrong", [0, -1, 2.5, "a", True])
def test_wrong_limits(wrong):
    for name in ("max_epochs", "max_steps_per_epoch"):
        with pytest.raises(ValueError, match=f"set_{name}: {name} must be an integer of at least 1"):
            getattr(config, f"set_{name}")(wrong)
        assert settings.get(name) is None


def test_nothing_is_made_unsafe():
    with pytest.warns(UserWarning, match="never runs code"):
        config.enable_unsafe_deserialization()


LEGACY = """
L = keras.legacy.saving
out["written"] = [L.serialize_keras_object(x) for x in (keras.losses.mean_squared_error, keras.losses.MeanSquaredError(), keras.initializers.Zeros(), None)]
out["dense"] = L.deserialize_keras_object(dense, module_objects={"Dense": keras.layers.Dense}).get_config()["units"]
"""


def test_configs_of_older_kerases():
    saving = keras.legacy.saving
    dense = saving.serialize_keras_object(keras.layers.Dense(3))
    said = oracle.run(LEGACY, dense=dense)
    things = (keras.losses.mean_squared_error, keras.losses.MeanSquaredError(), keras.initializers.Zeros(), None)
    assert [saving.serialize_keras_object(x) for x in things] == said["written"]
    assert said["dense"] == saving.deserialize_keras_object(dense, {"Dense": keras.layers.Dense}).units == 3
    assert keras.utils.legacy.deserialize_keras_object("relu", {"relu": keras.activations.relu}) is keras.activations.relu
    assert saving.deserialize_keras_object(None) is None
    for wrong, message in ((3, "wanted a name"), ({"a": 1}, "with 'class_name' and 'config'"), ("relo", "unknown thing 'relo'. Did you mean 'relu'")):
        with pytest.raises(ValueError, match=message):
            saving.deserialize_keras_object(wrong, {"relu": keras.activations.relu}, printable_module_name="thing")
    with pytest.raises(ValueError, match="no `get_config`"):
        saving.serialize_keras_object(3)
