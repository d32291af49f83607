"""Every metric gives Keras's numbers over several batches: with weights, on each backend, its state included."""

import numpy as np
import pytest

from cornu import backends, metrics, scopes
from tests import oracle


def _data(kind):
    draw = np.random.default_rng(11)
    y, p, shape = draw.normal(size=(12, 4)), draw.normal(size=(12, 4)), (12, 4)
    chance = draw.uniform(0.02, 0.98, shape)
    numbers = draw.integers(0, 4, 12)
    hot = np.eye(4)[numbers]
    y_true, y_pred = {
        "real": (y, p),
        "positive": (np.abs(y), np.abs(p)),
        "binary": (draw.integers(0, 2, shape), np.clip(chance + 0.1 * draw.normal(size=shape), 0, 1)),
        "binary_3d": (draw.integers(0, 2, (12, 2, 4)), draw.uniform(size=(12, 2, 4))),
        "flat": (draw.integers(0, 2, 12), draw.uniform(size=12)),
        "grid": (draw.integers(0, 2, shape), draw.integers(0, 21, shape) / 20),
        "logits": (draw.integers(0, 2, shape), 3 * p),
        "hot": (hot, chance),
        "classes": (numbers, chance),
        "column": (numbers[:, None], chance),
        "pairs": (numbers, draw.integers(0, 4, 12)),
        "pairs_2d": (draw.integers(0, 4, (12, 3)), draw.integers(0, 4, (12, 3))),
        "with_void": (numbers - 1, draw.integers(0, 4, 12)),
        "hot_and_numbers": (hot, draw.integers(0, 4, 12)),
        "equal": (draw.integers(0, 2, shape), draw.integers(0, 2, shape)),
        "sorted": (numbers, np.argsort(-chance, -1)),
        "chances": (chance / chance.sum(-1, keepdims=True), chance[::-1] / chance[::-1].sum(-1, keepdims=True)),
    }[kind]
    return [np.asarray(x).astype("int32" if np.asarray(x).dtype.kind == "i" else "float32") for x in (y_true, y_pred)]


METRICS = [
    ("Accuracy", {}, "equal"),
    ("BinaryAccuracy", {}, "binary"),
    ("BinaryAccuracy", {"threshold": 0.2}, "flat"),
    ("CategoricalAccuracy", {}, "hot"),
    ("SparseCategoricalAccuracy", {}, "classes"),
    ("SparseCategoricalAccuracy", {}, "column"),
    ("TopKCategoricalAccuracy", {"k": 2}, "hot"),
    ("TopKCategoricalAccuracy", {}, "hot"),
    ("SparseTopKCategoricalAccuracy", {"k": 3}, "classes"),
    ("SparseTopKCategoricalAccuracy", {"k": 2, "from_sorted_ids": True}, "sorted"),
    ("MeanSquaredError", {}, "real"),
    ("RootMeanSquaredError", {}, "real"),
    ("MeanAbsoluteError", {}, "real"),
    ("MeanAbsolutePercentageError", {}, "positive"),
    ("MeanSquaredLogarithmicError", {}, "positive"),
    ("LogCoshError", {}, "real"),
    ("CosineSimilarity", {}, "real"),
    ("PearsonCorrelation", {}, "real"),
    ("ConcordanceCorrelation", {}, "real"),
    ("KLDivergence", {}, "chances"),
    ("Poisson", {}, "positive"),
    ("Hinge", {}, "binary"),
    ("SquaredHinge", {}, "binary"),
    ("CategoricalHinge", {}, "hot"),
    ("BinaryCrossentropy", {}, "binary"),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "logits"),
    ("CategoricalCrossentropy", {"label_smoothing": 0.2}, "hot"),
    ("SparseCategoricalCrossentropy", {}, "classes"),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, "column"),
    ("R2Score", {}, "real"),
    ("R2Score", {"class_aggregation": "variance_weighted_average"}, "real"),
    ("R2Score", {"class_aggregation": None, "num_regressors": 2}, "real"),
    ("TruePositives", {}, "binary"),
    ("FalsePositives", {"thresholds": [0.1, 0.5, 0.9]}, "binary"),
    ("TrueNegatives", {"thresholds": [0.3]}, "flat"),
    ("FalseNegatives", {"thresholds": 0.7}, "binary_3d"),
    ("Precision", {}, "binary"),
    ("Precision", {"thresholds": [0.6, 0.2]}, "flat"),
    ("Precision", {"top_k": 2}, "binary"),
    ("Precision", {"top_k": 2, "class_id": 1}, "binary"),
    ("Precision", {"class_id": 3, "thresholds": 0.4}, "binary"),
    ("Recall", {}, "binary_3d"),
    ("Recall", {"top_k": 3, "thresholds": [0.5, 0.9]}, "binary"),
    ("F1Score", {}, "hot"),
    ("F1Score", {"average": "micro", "threshold": 0.5}, "binary"),
    ("F1Score", {"average": "macro"}, "hot"),
    ("FBetaScore", {"average": "weighted", "beta": 2.0}, "hot"),
    ("FBetaScore", {"beta": 0.5, "threshold": 0.3}, "binary"),
    *(
        ("AUC", {"curve": curve, "summation_method": method}, "binary")
        for curve in ("ROC", "PR", "PRGAIN")
        for method in ("interpolation", "minoring", "majoring")
    ),
    ("AUC", {"num_thresholds": 21}, "grid"),
    ("AUC", {"num_thresholds": 2}, "flat"),
    ("AUC", {"thresholds": [0.9, 0.25, 0.5]}, "flat"),
    ("AUC", {"from_logits": True, "curve": "PR"}, "logits"),
    ("AUC", {"multi_label": True}, "binary"),
    ("AUC", {"multi_label": True, "curve": "PR", "num_labels": 4, "label_weights": [1.0, 2.0, 0.0, 0.5]}, "binary"),
    ("AUC", {"multi_label": True, "curve": "PR", "summation_method": "majoring", "thresholds": [0.3, 0.6]}, "binary"),
    ("AUC", {"label_weights": [1.0, 2.0, 0.0, 0.5]}, "binary"),
    ("SensitivityAtSpecificity", {"specificity": 0.4}, "binary"),
    ("SpecificityAtSensitivity", {"sensitivity": 0.6, "num_thresholds": 11}, "flat"),
    ("PrecisionAtRecall", {"recall": 0.5, "class_id": 2}, "binary"),
    ("RecallAtPrecision", {"precision": 0.55}, "binary"),
    ("RecallAtPrecision", {"precision": 1.0, "num_thresholds": 1}, "binary"),
    ("IoU", {"num_classes": 4, "target_class_ids": [0, 2]}, "pairs"),
    ("IoU", {"num_classes": 4, "target_class_ids": [1], "ignore_class": 2, "dtype": "float32"}, "pairs_2d"),
    ("IoU", {"num_classes": 4, "target_class_ids": [1, 3], "sparse_y_true": False, "sparse_y_pred": False}, "hot"),
    ("BinaryIoU", {"dtype": "float32"}, "binary"),
    ("BinaryIoU", {"target_class_ids": [1], "threshold": 0.3, "dtype": "float32"}, "flat"),
    ("MeanIoU", {"num_classes": 4, "dtype": "float32"}, "pairs"),
    ("MeanIoU", {"num_classes": 5, "ignore_class": -1, "dtype": "float32"}, "with_void"),
    ("OneHotIoU", {"num_classes": 4, "target_class_ids": [0, 3], "dtype": "float32"}, "hot"),
    ("OneHotMeanIoU", {"num_classes": 4, "sparse_y_pred": True, "dtype": "float32"}, "hot_and_numbers"),
]
KERAS = """
config = {k: tuple(v) if k == "target_class_ids" else v for k, v in config.items()}
metric = getattr(keras.metrics, name)(**config)
for part in parts:
    part = slice(*part)
    metric.update_state(ops.convert_to_tensor(y_true[part]), ops.convert_to_tensor(y_pred[part]), sample_weight=None if weights is None else weights[part])
out["result"] = metric.result()
out["state"] = {v.path: v for v in metric.variables}
out["config"] = {k: list(v) if isinstance(v, (list, tuple)) else v for k, v in metric.get_config().items() if k not in ("label_weights", "thresholds")}
out["again"] = type(metric).from_config(metric.get_config()).name
"""
_said = {}  # what Keras gave, asked once for all backends
PARTS = ((0, 5), (5, 6), (6, 12))


def _ids(case):
    return f"{case[0]}-{case[2]}" + "".join(f"-{v}" if isinstance(v, str) else f"-{k}" for k, v in case[1].items())


@pytest.mark.parametrize("weighting", ["plain", "samples", "places"])
@pytest.mark.parametrize("case", METRICS, ids=_ids)
def test_class(backend, case, weighting):
    name, config, kind = case
    y_true, y_pred = _data(kind)
    if weighting == "places" and (
        y_true.ndim == 1 or name in ("F1Score", "FBetaScore") or "Categorical" in name or name in WHOLE_ROWS or (name == "IoU" and kind == "hot")
    ):
        pytest.skip("one value a sample")
    draw = np.random.default_rng(5)
    weights = {"plain": None, "samples": draw.integers(0, 3, 12).astype("float32"), "places": draw.integers(0, 3, y_true.shape).astype("float32")}[weighting]
    theirs = weights
    if weighting == "samples" and ("IoU" in name and kind in ("pairs_2d", "binary") or kind == "binary_3d"):  # Keras wants a weight a place there
        theirs = np.broadcast_to(weights.reshape(-1, *[1] * (y_true.ndim - 1)), y_true.shape)
    elif weighting == "places" and "class_id" in config:
        theirs = weights[:, config["class_id"]]
    key = (_ids(case), str(config), weighting)
    if key not in _said:
        _said[key] = oracle.run(KERAS, name=name, config=config, y_true=y_true, y_pred=y_pred, weights=theirs, parts=PARTS)
    expected = _said[key]
    metric = getattr(metrics, name)(**config)
    for start, stop in PARTS:
        metric.update_state(y_true[start:stop], y_pred[start:stop], sample_weight=None if weights is None else weights[start:stop])
    result = backends.numpy(metric.result())
    assert result.shape == expected["result"].shape and result.dtype == expected["result"].dtype
    np.testing.assert_allclose(result, expected["result"], rtol=2e-5, atol=2e-6)
    assert {v.path: (v.shape, v.dtype) for v in metric.variables} == {path: (v.shape, v.dtype.name) for path, v in expected["state"].items()}
    for variable in metric.variables:
        np.testing.assert_allclose(variable.numpy(), expected["state"][variable.path], rtol=1e-5, atol=1e-5, err_msg=variable.path)
    kept = {k: list(v) if isinstance(v, tuple) else v for k, v in metric.get_config().items() if k in expected["config"]}
    assert kept == expected["config"]


WHOLE_ROWS = {"MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredLogarithmicError", "LogCoshError", "CosineSimilarity",
              "PearsonCorrelation", "ConcordanceCorrelation", "KLDivergence", "Poisson", "Hinge", "SquaredHinge", "BinaryCrossentropy", "OneHotIoU",
              "OneHotMeanIoU"}  # fmt: skip


@pytest.mark.parametrize("case", METRICS, ids=_ids)
def test_compiled_and_stateless(backend, case):
    """`stateless_update_state` in a compiled program gives what eager batches give, and leaves the metric alone."""
    name, config, kind = case
    y_true, y_pred = _data(kind)
    eager = getattr(metrics, name)(**config)
    eager.update_state(y_true[:6], y_pred[:6])  # makes what depends on shapes
    first = [v.numpy() for v in eager.variables]
    step = backend.compile(lambda state, y, p: eager.stateless_update_state(state, y, p))
    state = eager.stateless_reset_state()
    for start, stop in ((0, 6), (6, 12)):
        state = step(state, backends.array(y_true[start:stop]), backends.array(y_pred[start:stop]))
    for variable, before in zip(eager.variables, first):
        np.testing.assert_array_equal(variable.numpy(), before)
    stateless = backends.numpy(eager.stateless_result(state))
    eager.update_state(y_true[6:], y_pred[6:])
    np.testing.assert_allclose(stateless, backends.numpy(eager.result()), rtol=1e-5, atol=1e-6)
    eager.reset_state()
    assert all(not v.numpy().any() for v in eager.variables)


@pytest.mark.parametrize("weights_shape", [(1,), (4,), (4, 1), (4, 3), (4, 3, 1), (4, 3, 2), (1, 3), (4, 1, 2)])
@pytest.mark.parametrize("name", ["Mean", "Sum"])
def test_mean_and_sum_of_values(backend, name, weights_shape):
    values = np.random.default_rng(1).normal(size=(4, 3, 2)).astype("float32")
    weights = np.random.default_rng(2).uniform(size=weights_shape).astype("float32")
    code = "m = getattr(keras.metrics, name)(); m.update_state(v, sample_weight=w); m.update_state(v); out['r'] = m.result(); out['s'] = m.variables"
    expected = oracle.run(code, name=name, v=values, w=weights)
    metric = getattr(metrics, name)()
    metric.update_state(values, sample_weight=weights)
    metric.update_state(values)
    np.testing.assert_allclose(backends.numpy(metric.result()), expected["r"], rtol=1e-5, atol=1e-6)
    for mine, theirs in zip(metric.variables, expected["s"]):
        np.testing.assert_allclose(mine.numpy(), theirs, rtol=1e-5, atol=1e-6)


def test_one_weight_for_the_batch(backend):
    metric = metrics.Mean()
    metric.update_state([1.0, 2.0], sample_weight=0.5)  # Keras counts such a batch as one sample, whatever its size
    assert [float(v.numpy()) for v in metric.variables] == [1.5, 1.0]


@pytest.mark.parametrize("name", [n for n in metrics.__all__ if n.islower() and n not in ("get", "serialize", "deserialize")])
def test_function(backend, name):
    kind = {"hinge": "binary", "squared_hinge": "binary", "kl_divergence": "chances", "pearson_correlation": "real", "concordance_correlation": "real"}.get(
        name
    )
    kind = kind or ("classes" if "sparse" in name else "hot" if "categorical" in name else "binary" if "binary" in name else "positive")
    y_true, y_pred = _data(kind)
    code = "out['y'] = getattr(keras.metrics, name)(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred))"
    expected = oracle.run(code, name=name, y_true=y_true, y_pred=y_pred)["y"]
    got = backends.numpy(getattr(metrics, name)(y_true, y_pred))
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_names_and_get():
    names = [scopes.to_snake_case(n) for n in metrics.__all__ if n[0].isupper() and n not in ("Metric", "MeanMetricWrapper")]
    needed = {"IoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU", "PrecisionAtRecall", "RecallAtPrecision", "SensitivityAtSpecificity", "SpecificityAtSensitivity"}
    names = [n for n in names if n not in {scopes.to_snake_case(c) for c in needed}] + ["mse", "MSE", "mae", "MAE", "mape", "msle", "bce", "BCE"]
    expected = oracle.run("out['n'] = [(keras.metrics.get(n).name, type(keras.metrics.get(n)).__name__) for n in names]", names=names)["n"]
    scopes.reset_names()
    found = [(metrics.get(n).name, type(metrics.get(n)).__name__) for n in names]
    assert found == [tuple(pair) for pair in expected]


def test_configs_go_both_ways():
    mine = [metrics.serialize(metrics.Precision(thresholds=[0.2, 0.4], name="p")), metrics.serialize(metrics.MeanMetricWrapper(metrics.binary_accuracy, name="w", threshold=0.3)),
            metrics.serialize(metrics.AUC(num_thresholds=7, curve="PR"))]  # fmt: skip
    back = oracle.run("out['c'] = [keras.metrics.serialize(keras.metrics.deserialize(c)) for c in mine]", mine=mine)["c"]
    again = [metrics.deserialize(c) for c in back]
    assert [type(m) for m in again] == [metrics.Precision, metrics.MeanMetricWrapper, metrics.AUC]
    assert again[0].thresholds == [0.2, 0.4] and again[1]._fn_kwargs == {"threshold": 0.3} and again[2].num_thresholds == 7
