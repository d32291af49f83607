"""Losses, as functions (a loss a sample) and as classes (one number)."""

import inspect

from cornu import registry
from cornu.losses.crossentropy import (
    CTC,
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    KLDivergence,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    ctc,
    kl_divergence,
    sparse_categorical_crossentropy,
)
from cornu.losses.errors import (
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
)
from cornu.losses.hinge import CategoricalHinge, Hinge, SquaredHinge, categorical_hinge, hinge, squared_hinge
from cornu.losses.loss import FunctionLoss, Loss, LossFunctionWrapper
from cornu.losses.overlap import Dice, Tversky, dice, tversky
from cornu.losses.similarity import Circle, CosineSimilarity, circle, cosine_similarity

_CLASSES = [found for found in list(vars().values()) if inspect.isclass(found) and issubclass(found, FunctionLoss) and found is not FunctionLoss]
_CLASS_OF = {cls.function: cls for cls in _CLASSES}
_SHORT = {
    "bce": binary_crossentropy,
    "mae": mean_absolute_error,
    "mape": mean_absolute_percentage_error,
    "mse": mean_squared_error,
    "msle": mean_squared_logarithmic_error,
    "kld": kl_divergence,
}
_FUNCTIONS = {
    **{function.__name__: function for function in _CLASS_OF},
    **_SHORT,
    **{name.upper(): function for name, function in _SHORT.items()},
    "kullback_leibler_divergence": kl_divergence,
    "logcosh": log_cosh,
}

get, _serialize, _deserialize = registry.namespace("losses", [*_CLASSES, LossFunctionWrapper], _FUNCTIONS)


def serialize(loss):
    """The config of a loss, as files hold it."""
    return _serialize(loss)


def deserialize(name, custom_objects=None):
    """The loss that the config (or name) describes; `custom_objects` maps names to classes of yours."""
    return _deserialize(name, custom_objects)


def as_loss(identifier, name=None):
    """A Loss object from a name, a function, a config or a Loss: what `compile` works with. None stays None.

    Raises:
        ValueError: an unknown name.
    """
    found = get(identifier)
    if found is None or isinstance(found, Loss):
        return found
    cls = _CLASS_OF.get(found)
    if cls is not None:
        return cls(name=name) if name else cls()
    return found if hasattr(found, "get_config") and not inspect.isfunction(found) else LossFunctionWrapper(found, name=name)


__all__ = sorted(["as_loss", "deserialize", "get", "serialize", "Loss", *(c.__name__ for c in _CLASSES), *(f.__name__ for f in _CLASS_OF)])
