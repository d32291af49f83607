"""Losses of margins: predictions have to be on the right side by 1 at least."""

from cornu import ops
from cornu.losses.loss import FunctionLoss
from cornu.losses.targets import matched


def _signs(y_true):
    """-1 and 1 for 0 and 1; labels among which is another number stay as they are."""
    binary = ops.all(ops.logical_or(ops.equal(y_true, 0), ops.equal(y_true, 1)))
    return ops.where(binary, ops.subtract(ops.multiply(y_true, 2), 1), y_true)


def _margins(name, y_true, y_pred):
    y_true, y_pred = matched(name, y_true, y_pred)
    return ops.maximum(ops.subtract(1.0, ops.multiply(_signs(y_true), y_pred)), 0)


def hinge(y_true, y_pred):
    """Mean over the last axis of `max(1 - y_true y_pred, 0)`.

    Args:
        y_true: -1 or 1; where all are 0 or 1, 0 means -1.
        y_pred: any numbers.

    Shapes: (batch, ..., d), (batch, ..., d) -> (batch, ...)
    """
    return ops.mean(_margins("hinge", y_true, y_pred), axis=-1)


def squared_hinge(y_true, y_pred):
    """Mean over the last axis of `max(1 - y_true y_pred, 0)²`; see `hinge`."""
    return ops.mean(ops.square(_margins("squared_hinge", y_true, y_pred)), axis=-1)


def categorical_hinge(y_true, y_pred):
    """`max(1 + largest wrong - right, 0)` over the classes in the last axis.

    Args:
        y_true: one-hot.
        y_pred: scores of the classes.

    Shapes: (batch, ..., classes), (batch, ..., classes) -> (batch, ...)

    Source: Crammer and Singer, "On the algorithmic implementation of multiclass kernel-based vector machines", 2001.
    """
    y_true, y_pred = matched("categorical_hinge", y_true, y_pred)
    right = ops.sum(ops.multiply(y_true, y_pred), axis=-1)
    wrong = ops.max(ops.multiply(ops.subtract(1.0, y_true), y_pred), axis=-1)
    return ops.maximum(ops.add(ops.subtract(wrong, right), 1.0), 0.0)


class Hinge(FunctionLoss):
    """Mean of `max(1 - y_true y_pred, 0)`, labels -1 or 1 (or 0 or 1).

    Args:
        reduction, name, dtype: as in Loss.
    """

    name = "hinge"
    function = staticmethod(hinge)


class SquaredHinge(FunctionLoss):
    """Mean of `max(1 - y_true y_pred, 0)²`, labels -1 or 1 (or 0 or 1).

    Args:
        reduction, name, dtype: as in Loss.
    """

    name = "squared_hinge"
    function = staticmethod(squared_hinge)


class CategoricalHinge(FunctionLoss):
    """`max(1 + largest wrong - right, 0)` over classes, labels one-hot.

    Args:
        reduction, name, dtype: as in Loss.
    """

    name = "categorical_hinge"
    function = staticmethod(categorical_hinge)
