"""What metrics promise apart from Keras's numbers: batches do not matter, masks count, errors say what to do."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cornu import backends, losses, masks, metrics, ops
from cornu.shapes import Spec

STREAMED = [
    metrics.MeanSquaredError,
    metrics.RootMeanSquaredError,
    metrics.BinaryAccuracy,
    metrics.Precision,
    metrics.Recall,
    metrics.R2Score,
    lambda: metrics.AUC(num_thresholds=17),
    lambda: metrics.AUC(multi_label=True, curve="PR"),
    lambda: metrics.F1Score(threshold=0.5, average="macro"),
    lambda: metrics.FalseNegatives(thresholds=[0.1, 0.6]),
    lambda: metrics.SensitivityAtSpecificity(0.5, num_thresholds=9),
    lambda: metrics.BinaryIoU(dtype="float32"),
]


@pytest.fixture
def numpy_backend():
    """Without compiling, since every example has shapes of its own."""
    before = backends.name()
    yield backends.load("numpy")
    backends.load(before)


@pytest.mark.usefixtures("numpy_backend")
@pytest.mark.parametrize("make", STREAMED, ids=lambda make: make().name)
@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_batches_equal_the_whole(make, data):
    rows = data.draw(st.integers(2, 12))
    y_true = data.draw(hnp.arrays("int32", (rows, 2), elements=st.integers(0, 1)))
    y_pred = data.draw(hnp.arrays("float32", (rows, 2), elements=st.sampled_from([0.0, 0.125, 0.25, 0.5, 0.75, 1.0])))
    weights = data.draw(hnp.arrays("float32", (rows,), elements=st.sampled_from([0.0, 1.0, 2.0])))
    cuts = sorted(data.draw(st.lists(st.integers(0, rows), max_size=3)))
    whole, streamed = make(), make()
    whole.update_state(y_true, y_pred, sample_weight=weights)
    for start, stop in zip([0, *cuts], [*cuts, rows]):
        streamed.update_state(y_true[start:stop], y_pred[start:stop], sample_weight=weights[start:stop])
    np.testing.assert_allclose(backends.numpy(streamed.result()), backends.numpy(whole.result()), rtol=1e-5, atol=1e-6)


def every():
    needed = {"IoU": (3, [0]), "MeanIoU": (3,), "OneHotIoU": (3, [0]), "OneHotMeanIoU": (3,), "MeanMetricWrapper": (losses.mean_squared_error,),
              "PrecisionAtRecall": (0.5,), "RecallAtPrecision": (0.5,), "SensitivityAtSpecificity": (0.5,), "SpecificityAtSensitivity": (0.5,)}  # fmt: skip
    names = [n for n in metrics.__all__ if n[0].isupper() and n != "Metric"]
    return [pytest.param(getattr(metrics, n), needed.get(n, ()), id=n) for n in names]


def _batch(cls, rows):
    sparse = cls.__name__.startswith("Sparse") or cls.__name__ in ("IoU", "MeanIoU")
    if cls.__name__ in ("Mean", "Sum"):
        return (np.ones((rows,), "float32"),)
    y_true = np.zeros((rows,), "int32") if sparse else np.tile(np.eye(3, dtype="float32")[:1], (rows, 1))
    return y_true, np.zeros((rows,), "int32") if "IoU" in cls.__name__ and sparse else np.full((rows, 3), 0.25, "float32")


@pytest.mark.usefixtures("numpy_backend")
@pytest.mark.parametrize("cls, arguments", every())
def test_empty_batches_change_nothing(cls, arguments):
    metric = cls(*arguments)
    metric.update_state(*_batch(cls, 2))
    before = [v.numpy() for v in metric.variables]
    metric.update_state(*_batch(cls, 0))
    for variable, value in zip(metric.variables, before):
        np.testing.assert_array_equal(variable.numpy(), value)


@pytest.mark.usefixtures("numpy_backend")
@pytest.mark.parametrize("cls, arguments", every())
def test_before_the_first_batch(cls, arguments):
    metric = cls(*arguments)
    assert not np.any(backends.numpy(metric.result()))
    metric.reset_state()
    again = cls.from_config(metric.get_config())
    assert again.get_config() == metric.get_config() and type(metrics.deserialize(metrics.serialize(metric))) is cls
    assert repr(metric) == f"<{cls.__name__} name={metric.name}>"


@pytest.mark.usefixtures("numpy_backend")
@pytest.mark.parametrize("cls, arguments", every())
def test_shapes_without_values(cls, arguments):
    """With specs the variables that depend on shapes are made, and no value changes."""
    from cornu import scopes

    metric = cls(*arguments)
    specs = [Spec((None, *x.shape[1:]), x.dtype.name) for x in _batch(cls, 2)]
    with scopes.SymbolicScope():
        metric.update_state(*specs)
        result = metric.result()
    assert all(not v.numpy().any() for v in metric.variables)
    metric.update_state(*_batch(cls, 2))
    assert tuple(result.shape) == tuple(metric.result().shape)


@pytest.mark.parametrize(
    "cls",
    [metrics.Precision, metrics.AUC, metrics.MeanSquaredError, metrics.BinaryAccuracy, metrics.F1Score, metrics.FalseNegatives, metrics.RootMeanSquaredError],
)
def test_masked_places_do_not_count(backend, cls):
    y_true = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], "float32")
    y_pred = np.array([[0.9, 0.8], [0.2, 0.7], [0.1, 0.2], [0.9, 0.9]], "float32")
    mask = np.array([True, True, False, False])
    masked, weighted = cls(), cls()
    tensor = backends.array(y_pred)
    masks.set_mask(tensor, backends.array(mask))
    masked.update_state(y_true, tensor)
    weighted.update_state(y_true, y_pred, sample_weight=mask.astype("float32"))
    np.testing.assert_allclose(backends.numpy(masked.result()), backends.numpy(weighted.result()))


def test_an_ignored_class_is_left_out_of_the_mean(backend):
    y_true, y_pred = np.array([0, 1, -1]), np.array([[0.25, 0.75]] * 3, "float32")
    metric, loss = metrics.SparseCategoricalCrossentropy(ignore_class=-1), losses.SparseCategoricalCrossentropy(ignore_class=-1)
    assert float(metric(y_true, y_pred)) == pytest.approx(float(loss(y_true, y_pred)))


def test_counts_do_not_saturate_in_half_precision(backend):
    metric = metrics.Mean(dtype="float16")
    for _ in range(3):
        metric.update_state(np.ones(4000))
    assert float(metric.count.numpy()) == 12000 and backends.kind(metric.result()) == "float16"


class TestOwnMetrics:
    def test_variables_inner_metrics_and_dictionaries(self, backend):
        class Both(metrics.Metric):
            def __init__(self, name="both", **kwargs):
                super().__init__(name=name, **kwargs)
                self.largest = self.add_weight(name="largest", shape=(2,), initializer="ones")
                self.mean = metrics.Mean()

            def update_state(self, y_true, y_pred, sample_weight=None):
                self.largest.assign(ops.maximum(self.largest, ops.max(y_pred, axis=0)))
                self.mean.update_state(y_pred, sample_weight)

            def result(self):
                return {"largest": self.largest.value, "mean": self.mean.result()}

        metric = Both()
        assert [v.path for v in metric.variables] == ["both/largest", "mean/total", "mean/count"]
        found = metric(None, np.array([[3.0, 0.0], [1.0, 4.0]]))
        np.testing.assert_allclose(backends.numpy(found["largest"]), [3, 4])
        assert float(found["mean"]) == 2.0
        metric.reset_state()
        assert not any(v.numpy().any() for v in metric.variables)
        state = metric.stateless_update_state([np.zeros(2), 1.0, 1.0], None, np.array([[1.0, 5.0]]))
        assert [np.asarray(backends.numpy(v)).tolist() for v in state] == [[1, 5], 4, 2]
        assert not any(v.numpy().any() for v in metric.variables)

    def test_wrapped_function(self, backend):
        def distance(y_true, y_pred, power):
            return ops.sum(ops.abs(y_true - y_pred) ** power, axis=-1)

        metric = metrics.MeanMetricWrapper(distance, name="distance", power=2)
        assert float(metric(np.zeros((2, 2)), np.array([[1.0, 2], [0, 1]]), sample_weight=[1, 3])) == 2.0

    def test_what_a_metric_must_define(self):
        with pytest.raises(NotImplementedError, match="update_state"):
            metrics.Metric().update_state()
        with pytest.raises(NotImplementedError, match="result"):
            metrics.Metric().result()


ARGUMENTS = [
    (lambda: metrics.Precision(thresholds=[0.5, 2.0]), "Precision: thresholds must be numbers from 0 to 1"),
    (lambda: metrics.Precision(top_k=0), "top_k must be an integer of at least 1"),
    (lambda: metrics.AUC(curve="ROK"), "curve must be one of PR, ROC, PRGAIN; got 'ROK'. Did you mean 'ROC'"),
    (lambda: metrics.AUC(num_thresholds=1), "at least 2"),
    (lambda: metrics.AUC(num_labels=3), "multi_label=True"),
    (lambda: metrics.RecallAtPrecision(1.5), "precision must be a number from 0 to 1"),
    (lambda: metrics.F1Score(average="mean"), "average must be"),
    (lambda: metrics.FBetaScore(beta=0.0), "beta must be a number above 0"),
    (lambda: metrics.F1Score(threshold=2), "threshold must be"),
    (lambda: metrics.R2Score(class_aggregation="sum"), "class_aggregation"),
    (lambda: metrics.IoU(2, [2]), "from 0 to 1; got 2"),
    (lambda: metrics.BinaryAccuracy(threshold=3), "threshold"),
    (lambda: metrics.get("presicion"), "Did you mean 'precision'"),
    (lambda: metrics.get("top_k_acuracy"), "There is no metric"),
    (lambda: metrics.Mean().stateless_result([1.0]), "has 2 variables; got 1 values"),
    (lambda: metrics.Precision()(np.zeros((4,)), np.zeros((4, 3))), r"Precision 'precision': y_true of shape \(4,\)"),
    (lambda: metrics.Precision(top_k=4)(np.zeros((4, 3)), np.zeros((4, 3))), "top_k is 4, but there are 3 classes"),
    (lambda: metrics.Recall(class_id=3)(np.zeros((4, 3)), np.zeros((4, 3))), "class_id is 3, but there are 3 classes"),
    (lambda: metrics.AUC(multi_label=True)(np.zeros(4), np.zeros(4)), r"\(batch, labels\)"),
    (lambda: metrics.AUC(multi_label=True, label_weights=[1.0])(np.zeros((4, 2)), np.zeros((4, 2))), "1 label_weights for 2 labels"),
    (lambda: metrics.F1Score()(np.zeros(4), np.zeros(4)), r"\(batch, classes\)"),
    (lambda: metrics.R2Score()(np.zeros(4), np.zeros(4)), r"\(batch, outputs\)"),
    (lambda: metrics.SparseCategoricalAccuracy()(np.zeros((4, 3)), np.zeros((4, 3))), "sparse_categorical_accuracy"),
    (lambda: metrics.Mean()(np.zeros(3), sample_weight=np.zeros(4)), r"mean: sample_weight of shape \(4,\)"),
    (lambda: metrics.MeanIoU(3)(np.zeros(3), np.zeros(4)), "MeanIoU"),
]


@pytest.mark.parametrize("case", ARGUMENTS, ids=[str(i) for i in range(len(ARGUMENTS))])
def test_errors(case):
    with pytest.raises(ValueError, match=case[1]):
        case[0]()


def test_extremes(backend):
    y_true = np.array([[0.0, 1.0]], "float32")
    for y_pred in ([[0.0, 1.0]], [[1.0, 0.0]], [[0.5, 0.5]]):
        for metric in (
            metrics.AUC(),
            metrics.AUC(curve="PR"),
            metrics.AUC(curve="PRGAIN"),
            metrics.Precision(),
            metrics.BinaryCrossentropy(),
            metrics.KLDivergence(),
        ):
            assert np.isfinite(float(metric(y_true, np.array(y_pred, "float32"))))
    assert float(metrics.AUC()(y_true, y_true)) == 1.0
    assert float(metrics.BinaryCrossentropy(from_logits=True)(y_true, np.array([[-1e4, 1e4]], "float32"))) == 0.0


def test_classes_out_of_range_are_not_counted(backend):
    metric = metrics.MeanIoU(2)
    metric.update_state(np.array([0, 1, 2, -1]), np.array([0, 1, 1, 0]))
    assert metric.total_confusion_matrix.numpy().tolist() == [[1, 0], [0, 1]]
