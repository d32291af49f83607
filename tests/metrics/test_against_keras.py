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
        "ties": (hot, draw.integers(0, 3, shape) / 2),
        "ties_of_numbers": (numbers, draw.integers(0, 3, shape) / 2),
        "chances": (chance / chance.sum(-1, keepdims=True), chance[::-1] / chance[::-1].sum(-1, keepdims=True)),
    }[kind]
    return [np.asarray(x).astype("int32" if np.asarray(x).dtype.kind == "i" else "float32") for x in (y_true, y_pred)]


K = [None, [0.5], [0.1, 0.5, 0.9], 0.3, [0.7, 0.2]]
EVEN = {"num_thresholds": [200, 1, 7, 11], "class_id": [None, 2], "dtype": [None, "float32"]}
CONFUSED = {"thresholds": K, "dtype": [None, "float16"]}
SHARE = {"thresholds": K, "top_k": [None, None, 2, 3], "class_id": [None, None, 1, 3]}
AVERAGE = {"average": [None, "micro", "macro", "weighted"], "threshold": [None, 0.5, 0.3]}
DTYPE = {"dtype": [None, "float16", "float32"]}
WALK = {  # metric -> the kinds of its data, and values of its arguments
    "Accuracy": (["equal", "pairs"], DTYPE),
    "BinaryAccuracy": (["binary", "flat"], {"threshold": [0.5, 0.2, 0.9]}),
    "CategoricalAccuracy": (["hot"], DTYPE),
    "SparseCategoricalAccuracy": (["classes", "column"], {}),
    "TopKCategoricalAccuracy": (["hot", "ties"], {"k": [1, 2, 3, 4, 5]}),
    "SparseTopKCategoricalAccuracy": (["classes", "column", "sorted", "ties_of_numbers"], {"k": [1, 2, 3, 4, 5]}),
    "MeanSquaredError": (["real"], DTYPE),
    "RootMeanSquaredError": (["real"], {}),
    "MeanAbsoluteError": (["real"], {}),
    "MeanAbsolutePercentageError": (["positive"], {}),
    "MeanSquaredLogarithmicError": (["positive"], {}),
    "LogCoshError": (["real"], {}),
    "CosineSimilarity": (["real"], {"axis": [-1, 1]}),
    "PearsonCorrelation": (["real"], {"axis": [-1, 1]}),
    "ConcordanceCorrelation": (["real"], {"axis": [-1, 1]}),
    "KLDivergence": (["chances"], {}),
    "Poisson": (["positive"], {}),
    "Hinge": (["binary"], {}),
    "SquaredHinge": (["binary"], {}),
    "CategoricalHinge": (["hot"], {}),
    "BinaryCrossentropy": (["binary", "logits"], {"label_smoothing": [0, 0.1, 0.5]}),
    "CategoricalCrossentropy": (["hot"], {"label_smoothing": [0, 0.2], "from_logits": [False, True]}),
    "SparseCategoricalCrossentropy": (["classes", "column"], {"from_logits": [False, True]}),
    "R2Score": (["real"], {"class_aggregation": ["uniform_average", "variance_weighted_average", None], "num_regressors": [0, 2]}),
    "TruePositives": (["binary", "flat"], CONFUSED),
    "FalsePositives": (["binary", "flat"], CONFUSED),
    "TrueNegatives": (["binary", "flat"], CONFUSED),
    "FalseNegatives": (["binary", "binary_3d"], CONFUSED),
    "Precision": (["binary"], SHARE),
    "Recall": (["binary"], SHARE),
    "F1Score": (["hot"], AVERAGE),
    "FBetaScore": (["hot"], {**AVERAGE, "beta": [1.0, 2.0, 0.5]}),
    "AUC": (
        ["binary", "grid", "flat", "logits"],
        {
            "curve": ["ROC", "PR", "PRGAIN"],
            "summation_method": ["interpolation", "minoring", "majoring"],
            "num_thresholds": [200, 2, 21, 50],
            "thresholds": [None, None, [0.9, 0.25, 0.5], [0.3]],
            "multi_label": [False, True],
            "num_labels": [None, 4],
            "label_weights": [None, [1.0, 2.0, 0.0, 0.5]],
        },
    ),
    "SensitivityAtSpecificity": (["binary"], {"specificity": [0.4, 0.0, 1.0, 0.8], **EVEN}),
    "SpecificityAtSensitivity": (["binary"], {"sensitivity": [0.6, 0.0, 1.0, 0.3], **EVEN}),
    "PrecisionAtRecall": (["binary"], {"recall": [0.5, 0.0, 1.0, 0.8], **EVEN}),
    "RecallAtPrecision": (["binary"], {"precision": [0.55, 0.0, 1.0, 0.4], **EVEN}),
    "IoU": (
        ["pairs", "pairs_2d", "hot"],
        {"num_classes": [4], "target_class_ids": [[0, 2], [1], [0, 1, 2, 3]], "ignore_class": [None, 2], "dtype": ["float32", None]},
    ),
    "BinaryIoU": (["binary", "flat"], {"target_class_ids": [[0, 1], [1], [0]], "threshold": [0.5, 0.3], "dtype": ["float32"]}),
    "MeanIoU": (["pairs", "with_void"], {"num_classes": [4, 5], "ignore_class": [None, -1, 1], "dtype": ["float32"]}),
    "OneHotIoU": (["hot"], {"num_classes": [4], "target_class_ids": [[0, 3], [2]], "dtype": ["float32"], "ignore_class": [None, 1]}),
    "OneHotMeanIoU": (["hot", "hot_and_numbers"], {"num_classes": [4], "dtype": ["float32"], "ignore_class": [None, 1]}),
}
COUNT = 9  # cases of each metric; the first has the first value of each argument
PARTS = ((0, 5), (5, 6), (6, 12))
WHOLE_ROWS = {"MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredLogarithmicError", "LogCoshError", "CosineSimilarity",
              "PearsonCorrelation", "ConcordanceCorrelation", "KLDivergence", "Poisson", "Hinge", "SquaredHinge", "BinaryCrossentropy", "OneHotIoU",
              "OneHotMeanIoU"}  # fmt: skip
ROWS = ("F1Score", "FBetaScore", "IoU")  # one weight a sample alone


def cases(name):
    """The walk of one metric: (config, y_true, y_pred, sample_weight) of each case."""
    kinds, arguments = WALK[name]
    draw = np.random.default_rng(sum(map(ord, name)))
    found = []
    for index in range(COUNT if arguments else 3):
        config = {key: values[draw.integers(len(values))] if index else values[0] for key, values in arguments.items()}
        kind = kinds[index % len(kinds)]
        y_true, y_pred = _data(kind)
        if kind == "logits" or config.get("from_logits"):
            config["from_logits"] = True
            y_pred = (3 * draw.normal(size=y_pred.shape)).astype("float32")
        if kind == "sorted":
            config["from_sorted_ids"] = True
        if name == "AUC":
            config["multi_label"] &= kind != "flat"
            config["num_labels"] = config["num_labels"] if config["multi_label"] else None
            config["label_weights"] = config["label_weights"] if kind != "flat" else None
            if config["thresholds"] is not None:
                del config["num_thresholds"]
        if name == "IoU" and kind == "hot":
            config |= {"sparse_y_true": False, "sparse_y_pred": False}
        if kind == "hot_and_numbers":
            config["sparse_y_pred"] = True
        if name == "R2Score" and config["num_regressors"] and index % 2:
            config["num_regressors"] = 0
        if kind == "with_void":
            config |= {"ignore_class": -1}
        weights = draw.integers(0, 3, 12).astype("float32") if index % 3 else None
        one_a_row = y_true.ndim == 1 or "Categorical" in name or name in WHOLE_ROWS or name.endswith(ROWS) or config.get("class_id") is not None
        if weights is not None and not one_a_row and (index % 3 == 2 or kind in ("pairs_2d", "binary_3d")):
            weights = draw.integers(0, 3, y_true.shape).astype("float32")
        if kind in ("pairs_2d", "binary") and "IoU" in name and weights is not None:
            weights = np.repeat(draw.integers(0, 3, 12).astype("float32")[:, None], y_true.shape[1], 1)  # Keras wants a weight a place there
        found.append((config, y_true, y_pred, weights))
    return found


KERAS = """
for name, found in walks.items():
    out[name] = []
    for config, y_true, y_pred, weights in found:
        config = {k: tuple(v) if k == "target_class_ids" else v for k, v in config.items()}
        try:
            metric = getattr(keras.metrics, name)(**config)
            for part in parts:
                part = slice(*part)
                metric.update_state(y_true[part], y_pred[part], sample_weight=None if weights is None else weights[part])
        except Exception as error:
            raise ValueError(f"{name} {config} {y_true.shape} {y_pred.shape} {np.shape(weights)}: {error}")
        written = {k: list(v) if isinstance(v, (list, tuple)) else v for k, v in metric.get_config().items() if k not in ("label_weights", "thresholds")}
        out[name].append((np.asarray(metric.result()), [(v.path.split("/")[-1], np.asarray(v)) for v in metric.variables], written))
"""


@pytest.fixture(scope="module")
def said():
    """What Keras gave for all walks, asked once."""
    return oracle.run(KERAS, backend="numpy", walks={name: cases(name) for name in WALK}, parts=PARTS)


@pytest.mark.parametrize("name", WALK)
def test_walk(said, name, backend):
    every = list(zip(cases(name), said[name], strict=True))
    for (config, y_true, y_pred, weights), (wanted, state, written) in every if backends.name() == "numpy" else every[1:2]:
        metric = getattr(metrics, name)(**config)
        told = f"{name}({config}), weights {weights}"
        for start, stop in PARTS if backends.name() == "numpy" else ((0, 6), (6, 12)):  # however they are parted, the sums are the same
            metric.update_state(y_true[start:stop], y_pred[start:stop], sample_weight=None if weights is None else weights[start:stop])
        result = backends.numpy(metric.result())
        assert result.shape == wanted.shape and result.dtype == wanted.dtype, told
        tolerance = 2e-3 if config.get("dtype") == "float16" else 2e-5
        np.testing.assert_allclose(result, wanted, rtol=tolerance, atol=tolerance / 10, err_msg=told)
        for variable, (last, value) in zip(metric.variables, state, strict=True):
            assert variable.path.split("/")[-1] == last and variable.shape == value.shape, told
            np.testing.assert_allclose(variable.numpy(), value, rtol=1e-4 if tolerance < 1e-3 else 1e-2, atol=1e-5, err_msg=told + last)
        kept = {k: list(v) if isinstance(v, tuple) else v for k, v in metric.get_config().items() if k in written}
        kept["name"], written["name"] = kept["name"].rstrip("_0123456789"), written["name"].rstrip("_0123456789")
        assert kept == written, told
        assert metrics.deserialize(metrics.serialize(metric)).get_config() == metric.get_config()


COMPILED = "Accuracy TopKCategoricalAccuracy MeanSquaredError R2Score TruePositives Precision FBetaScore AUC RecallAtPrecision IoU OneHotMeanIoU".split()


@pytest.mark.parametrize("name", COMPILED)
def test_compiled_and_stateless(backend, name):
    """`stateless_update_state` in a compiled program gives what eager batches give, and leaves the metric alone."""
    config, y_true, y_pred, _ = cases(name)[1]
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


def test_mean_and_sum_of_values(backend):
    values = np.random.default_rng(1).normal(size=(4, 3, 2)).astype("float32")
    every = [(name, np.random.default_rng(2).uniform(size=shape).astype("float32"))
             for shape in ((1,), (4,), (4, 1), (4, 3), (4, 3, 1), (4, 3, 2), (1, 3), (4, 1, 2)) for name in ("Mean", "Sum")]  # fmt: skip
    code = """
out["r"] = []
for name, w in every:
    m = getattr(keras.metrics, name)(); m.update_state(v, sample_weight=w); m.update_state(v)
    out["r"].append((m.result(), [np.asarray(x) for x in m.variables]))
"""
    for (name, weights), (wanted, state) in zip(every, oracle.run(code, backend="numpy", every=every, v=values)["r"]):
        metric = getattr(metrics, name)()
        metric.update_state(values, sample_weight=weights)
        metric.update_state(values)
        np.testing.assert_allclose(backends.numpy(metric.result()), wanted, rtol=1e-5, atol=1e-6)
        for mine, theirs in zip(metric.variables, state):
            np.testing.assert_allclose(mine.numpy(), theirs, rtol=1e-5, atol=1e-6)


def test_one_weight_for_the_batch(backend):
    metric = metrics.Mean()
    metric.update_state([1.0, 2.0], sample_weight=0.5)  # Keras counts such a batch as one sample, whatever its size
    assert [float(v.numpy()) for v in metric.variables] == [1.5, 1.0]


def test_functions(backend):
    kinds = {"hinge": "binary", "squared_hinge": "binary", "kl_divergence": "chances", "pearson_correlation": "real", "concordance_correlation": "real"}
    names = [n for n in metrics.__all__ if n.islower() and n not in ("get", "serialize", "deserialize")]
    guess = lambda n: "classes" if "sparse" in n else "hot" if "categorical" in n else "binary" if "binary" in n else "positive"
    given = {name: _data(kinds.get(name) or guess(name)) for name in names}
    expected = oracle.run("out.update({n: getattr(keras.metrics, n)(*pair) for n, pair in given.items()})", backend="numpy", given=given)
    for name, (y_true, y_pred) in list(given.items())[:: 4 if backends.name() == "jax" else 1]:
        got = backends.numpy(getattr(metrics, name)(y_true, y_pred))
        assert got.dtype == expected[name].dtype, name
        np.testing.assert_allclose(got, expected[name], rtol=1e-5, atol=1e-6, err_msg=name)


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


FRACTION = [-0.1, 1.5, "a", None]
WRONG = {  # metric -> argument -> values that are refused
    "BinaryAccuracy": {"threshold": [-0.1, 1.5, "a"]},
    "TopKCategoricalAccuracy": {"k": [0, -1, 1.5, "a"]},
    "SparseTopKCategoricalAccuracy": {"k": [0, "a"]},
    "CosineSimilarity": {"axis": [1.5, "a", None]},
    "PearsonCorrelation": {"axis": ["a"]},
    "ConcordanceCorrelation": {"axis": ["a"]},
    "BinaryCrossentropy": {"label_smoothing": FRACTION},
    "CategoricalCrossentropy": {"label_smoothing": FRACTION, "axis": ["a"]},
    "SparseCategoricalCrossentropy": {"ignore_class": ["a", 0.5], "axis": [None]},
    "R2Score": {"class_aggregation": ["sum", 3], "num_regressors": [-1, "a", 1.5]},
    "TruePositives": {"thresholds": [-0.1, 1.5, [0.5, 2.0], [], ["a"], "a"]},
    "Precision": {"thresholds": [[0.5, 2.0]], "top_k": [0, "a", 1.5], "class_id": ["a", 0.5]},
    "Recall": {"thresholds": [2.0], "top_k": [-1]},
    "F1Score": {"average": ["mean", 3], "threshold": [0.0, 2.0, "a"]},
    "FBetaScore": {"beta": [0.0, -1.0, "a"], "average": ["sum"]},
    "AUC": {
        "curve": ["ROK", 3], "summation_method": ["trapezoid", None], "num_thresholds": [1, 2.5, "a"], "thresholds": [[1.5], ["a"]],
        "num_labels": [0, "a", 3], "label_weights": [["a"], [-1.0], "a"],
    },
    "SensitivityAtSpecificity": {"specificity": FRACTION, "num_thresholds": [0, "a"], "class_id": ["a"]},
    "SpecificityAtSensitivity": {"sensitivity": FRACTION},
    "PrecisionAtRecall": {"recall": FRACTION},
    "RecallAtPrecision": {"precision": FRACTION},
    "IoU": {"num_classes": [0, "a", 1.5], "target_class_ids": [[4], [-1], 3, "a", ["a"]], "ignore_class": ["a"], "axis": ["a"]},
    "BinaryIoU": {"threshold": FRACTION, "target_class_ids": [[2]]},
    "MeanIoU": {"num_classes": [0, "a"], "ignore_class": [0.5]},
    "OneHotIoU": {"target_class_ids": [[9]]},
    "OneHotMeanIoU": {"num_classes": [-1]},
}  # fmt: skip


@pytest.mark.parametrize("name", [*WALK, "Mean", "Sum"])
def test_wrong_arguments(name):
    needed = {
        key: values[0]
        for key, values in WALK.get(name, ([], {}))[1].items()
        if key in ("num_classes", "target_class_ids", "specificity", "sensitivity", "recall", "precision")
    }
    for argument, values in {**WRONG.get(name, {}), "name": [3], "dtype": ["float99", 3], "unknown": [1]}.items():
        for value in values:
            with pytest.raises((ValueError, TypeError)) as error:
                getattr(metrics, name)(**{**needed, argument: value})
            assert name in str(error.value) and argument in str(error.value), (argument, value, str(error.value))
