"""Metrics: measures over many batches, as classes, and of single samples, as functions."""

import inspect

from cornu import registry, serialization
from cornu.losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from cornu.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from cornu.metrics.confusion import F1Score, FalseNegatives, FalsePositives, FBetaScore, Precision, Recall, TrueNegatives, TruePositives
from cornu.metrics.curves import AUC, PrecisionAtRecall, RecallAtPrecision, SensitivityAtSpecificity, SpecificityAtSensitivity
from cornu.metrics.errors import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    ConcordanceCorrelation,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    PearsonCorrelation,
    Poisson,
    R2Score,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
    SquaredHinge,
    concordance_correlation,
    pearson_correlation,
)
from cornu.metrics.iou import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
from cornu.metrics.metric import Metric
from cornu.metrics.reduction import Mean, MeanMetricWrapper, Sum

_CLASSES = [found for found in list(vars().values()) if inspect.isclass(found) and issubclass(found, Metric) and found is not Metric]
_FUNCTIONS = [found for found in list(vars().values()) if inspect.isfunction(found)]
_SHORT = {
    "bce": BinaryCrossentropy,
    "mse": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "msle": MeanSquaredLogarithmicError,
    "kld": KLDivergence,
    "rmse": RootMeanSquaredError,
    "log_cosh": LogCoshError,
    "cosine_proximity": CosineSimilarity,
}

get, _serialize, deserialize = registry.namespace("metrics", _CLASSES, _SHORT)
for _function in _FUNCTIONS:
    serialization.alias("metrics", _function.__name__, _function)


def serialize(metric):
    """The config of a metric, as files hold it."""
    return _serialize(metric)


__all__ = sorted(["Metric", "deserialize", "get", "serialize", *(c.__name__ for c in _CLASSES), *(f.__name__ for f in _FUNCTIONS)])
