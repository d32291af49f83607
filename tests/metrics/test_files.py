"""Every loss and every metric in compiled models, through `.keras` files both ways, and through JSON."""

import json

import numpy as np
import pytest

import cornu as keras
from cornu import losses, metrics
from tests import oracle

LOSSES = {
    name: given
    for name, given in {
        **{name: {} for name in losses.__all__ if name[0].isupper() and name != "Loss"},
        "Huber": {"delta": 0.5},
        "CosineSimilarity": {"axis": 1, "reduction": "sum"},
        "BinaryCrossentropy": {"from_logits": True, "label_smoothing": 0.1},
        "CategoricalFocalCrossentropy": {"alpha": [0.1, 0.2], "gamma": 1.5},
        "SparseCategoricalCrossentropy": {"ignore_class": -1, "name": "own"},
        "Tversky": {"alpha": 0.3, "axis": (1,)},
    }.items()
}
NEEDED = {
    "IoU": {"num_classes": 2, "target_class_ids": [0]},
    "MeanIoU": {"num_classes": 2},
    "OneHotIoU": {"num_classes": 2, "target_class_ids": [1]},
    "OneHotMeanIoU": {"num_classes": 2},
    "PrecisionAtRecall": {"recall": 0.5},
    "RecallAtPrecision": {"precision": 0.5},
    "SensitivityAtSpecificity": {"specificity": 0.5},
    "SpecificityAtSensitivity": {"sensitivity": 0.5},
    "AUC": {"curve": "PR", "num_thresholds": 11},
    "Precision": {"thresholds": [0.2, 0.4], "top_k": 2},
    "FBetaScore": {"beta": 2.0, "average": "macro"},
    "BinaryIoU": {"threshold": 0.3, "target_class_ids": (0,)},
    "MeanMetricWrapper": {"fn": metrics.binary_accuracy, "threshold": 0.3},
}
METRICS = {name: NEEDED.get(name, {}) for name in metrics.__all__ if name[0].isupper() and name != "Metric"}
CODE = """
model = keras.saving.load_model(ours)
out["config"] = keras.saving.serialize_keras_object(model.get_compile_config())
model.save(theirs)
"""


def made():
    """A model with an output for each loss, all metrics on the first."""
    entry = keras.Input((3,))
    model = keras.Model(entry, [keras.layers.Dense(2, name=f"out_{name.lower()}")(entry) for name in LOSSES])
    of_first = [getattr(metrics, name)(**given) for name, given in METRICS.items()]
    model.compile("sgd", [getattr(losses, name)(**given) for name, given in LOSSES.items()], metrics=[of_first, *[None] * (len(LOSSES) - 1)])
    return model


def plain(config):
    """What JSON makes of it, without arguments that Keras leaves out of configs."""
    config = json.loads(json.dumps(config))
    for loss in config["loss"]:
        for argument in {"CosineSimilarity": ["axis"], "SparseCategoricalCrossentropy": ["axis"], "Huber": ["delta"]}.get(loss["class_name"], []):
            loss["config"].pop(argument, None)
    return {key: config[key] for key in ("loss", "metrics")}


def named(value):
    return value["config"] if isinstance(value, dict) and value.get("class_name") == "function" else value


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compiled")
    model = made()
    model.save(folder / "ours.keras")
    said = oracle.run(CODE, ours=str(folder / "ours.keras"), theirs=str(folder / "theirs.keras"))
    return model, folder, said["config"]


def test_keras_reads_ours(files):
    model, _, config = files
    wanted, found = plain(model.get_compile_config()), plain(config)
    for part in ("loss", "metrics"):
        flat = lambda x: x[0] if part == "metrics" else x  # noqa: B023
        for ours, theirs in zip(flat(wanted[part]), flat(found[part]), strict=True):
            kept = {key: named(value) for key, value in ours["config"].items() if key in theirs["config"]}
            assert ours["class_name"] == theirs["class_name"] and kept == {key: named(value) for key, value in theirs["config"].items()}, ours["class_name"]


def test_we_read_both(files):
    model, folder, _ = files
    for name in ("ours", "theirs"):
        again = keras.saving.load_model(folder / f"{name}.keras")
        assert plain(again.get_compile_config()) == plain(model.get_compile_config())
        x = np.ones((2, 3), "float32")
        np.testing.assert_array_equal(again.predict(x, verbose=0)[0], model.predict(x, verbose=0)[0])


@pytest.mark.parametrize("name", [*LOSSES, *(name for name in METRICS if name not in LOSSES)])
def test_config_through_json(name):
    for space, table in ((losses, LOSSES), (metrics, METRICS)):
        if name in table:
            one = getattr(space, name)(**table[name])
            again = space.deserialize(json.loads(json.dumps(space.serialize(one))))
            assert type(again) is type(one)
            assert json.dumps(space.serialize(again)) == json.dumps(space.serialize(one))
