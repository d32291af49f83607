"""Metrics that count right answers."""

from cornu import ops, settings
from cornu.losses.targets import differ, kind, matched, shape, tensors
from cornu.metrics.reduction import FunctionMean


def _as_score(right):
    return ops.cast(right, settings.floatx())


def accuracy(y_true, y_pred):
    """1 where `y_true` and `y_pred` are equal, else 0.

    Shapes: (batch, ...), (batch, ...) -> (batch, ...)
    """
    return _as_score(ops.equal(*matched("accuracy", y_true, y_pred)))


def binary_accuracy(y_true, y_pred, threshold=0.5):
    """1 where `y_true` is what `y_pred > threshold` says, else 0.

    Args:
        y_true: 0 or 1.
        threshold: above it, a prediction means 1.

    Shapes: (batch, ...), (batch, ...) -> (batch, ...)
    """
    y_true, y_pred = matched("binary_accuracy", y_true, y_pred)
    return _as_score(ops.equal(y_true, ops.cast(ops.greater(y_pred, threshold), kind(y_pred))))


def _right_class(name, y_true, y_pred):
    y_pred = ops.argmax(y_pred, axis=-1)
    if len(y_true.shape) != len(y_pred.shape) or any(differ(i, j) for i, j in zip(shape(y_true), shape(y_pred))):
        raise ValueError(f"{name}: y_true names classes for places of shape {shape(y_true)}, y_pred for {shape(y_pred)}.")
    return _as_score(ops.equal(ops.cast(y_true, "int32"), y_pred))


def categorical_accuracy(y_true, y_pred):
    """1 where the largest of `y_pred` is at the largest of `y_true`, else 0.

    Shapes: (batch, ..., classes), (batch, ..., classes) -> (batch, ...)

    >>> categorical_accuracy([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]])
    Array([0., 1.], dtype=float32)
    """
    y_true, y_pred = tensors(y_true, y_pred)
    return _right_class("categorical_accuracy", ops.argmax(y_true, axis=-1), y_pred)


def _class_numbers(y_true, y_pred):
    y_true, y_pred = tensors(y_true, y_pred, labels=True)
    return (ops.squeeze(y_true, -1) if len(y_true.shape) == len(y_pred.shape) and shape(y_true)[-1:] == (1,) else y_true), y_pred


def sparse_categorical_accuracy(y_true, y_pred):
    """1 where the largest of `y_pred` is at the class number `y_true`, else 0.

    Shapes: (batch, ...) or (batch, ..., 1), (batch, ..., classes) -> (batch, ...)

    Raises:
        ValueError: the shapes do not fit, as when `y_true` is one-hot.
    """
    return _right_class("sparse_categorical_accuracy", *_class_numbers(y_true, y_pred))


def top_k_categorical_accuracy(y_true, y_pred, k=5):
    """1 where the class of `y_true` is among the `k` largest of `y_pred`, else 0.

    Args:
        y_true: one-hot.
        k: at least 1.

    Shapes: (batch, ..., classes), (batch, ..., classes) -> (batch, ...)
    """
    return sparse_top_k_categorical_accuracy(ops.argmax(tensors(y_true, y_pred)[0], axis=-1), y_pred, k)


def sparse_top_k_categorical_accuracy(y_true, y_pred, k=5, from_sorted_ids=False):
    """1 where the class number `y_true` is among the `k` largest of `y_pred`, else 0; a tie at the edge counts as in.

    Args:
        k: at least 1.
        from_sorted_ids: whether `y_pred` holds class numbers, the best first, instead of scores.

    Shapes: (batch, ...) or (batch, ..., 1), (batch, ..., classes) -> (batch, ...)
    """
    y_true, y_pred = _class_numbers(y_true, y_pred)
    if len(y_true.shape) != len(y_pred.shape) - 1:
        raise ValueError(
            f"sparse_top_k_categorical_accuracy: y_true of shape {shape(y_true)} does not fit y_pred of shape {shape(y_pred)}: wanted {shape(y_pred)[:-1]}."
        )
    if from_sorted_ids:
        found = ops.equal(ops.expand_dims(ops.cast(y_true, kind(y_pred)), -1), y_pred[..., :k])
        return _as_score(ops.any(found, axis=-1))
    wanted = ops.one_hot(ops.cast(y_true, "int32"), y_pred.shape[-1], dtype="bool")
    score = ops.max(ops.where(wanted, y_pred, -float("inf")), axis=-1, keepdims=True)
    above = ops.sum(ops.cast(ops.greater(y_pred, score), "int32"), axis=-1)
    return _as_score(ops.logical_and(ops.less(above, k), ops.any(wanted, axis=-1)))


class Accuracy(FunctionMean):
    """How often predictions equal labels, from 0 to 1.

    Args:
        name, dtype: as in Metric.
    """

    name = "accuracy"
    function = staticmethod(accuracy)


class BinaryAccuracy(FunctionMean):
    """How often predictions are on the label's side of the threshold, from 0 to 1.

    Args:
        name, dtype: as in Metric.
        threshold: from 0 to 1; above it, a prediction means 1.
    """

    name: str | None = "binary_accuracy"
    dtype: object = None
    threshold: float = 0.5
    function = staticmethod(binary_accuracy)


class CategoricalAccuracy(FunctionMean):
    """How often the largest prediction is at the label's class, labels one-hot; from 0 to 1.

    Args:
        name, dtype: as in Metric.
    """

    name = "categorical_accuracy"
    function = staticmethod(categorical_accuracy)


class SparseCategoricalAccuracy(FunctionMean):
    """How often the largest prediction is at the label's class, labels as class numbers; from 0 to 1.

    Args:
        name, dtype: as in Metric.
    """

    name = "sparse_categorical_accuracy"
    function = staticmethod(sparse_categorical_accuracy)


class TopKCategoricalAccuracy(FunctionMean):
    """How often the label's class is among the `k` largest predictions, labels one-hot; from 0 to 1.

    Args:
        k: at least 1.
        name, dtype: as in Metric.
    """

    k: int = 5
    name: str | None = "top_k_categorical_accuracy"
    function = staticmethod(top_k_categorical_accuracy)


class SparseTopKCategoricalAccuracy(FunctionMean):
    """How often the label's class is among the `k` largest predictions, labels as class numbers; from 0 to 1.

    Args:
        k: at least 1.
        name, dtype: as in Metric.
        from_sorted_ids: whether predictions are class numbers, the best first.
    """

    k: int = 5
    name: str | None = "sparse_top_k_categorical_accuracy"
    dtype: object = None
    from_sorted_ids: bool = False
    function = staticmethod(sparse_top_k_categorical_accuracy)
