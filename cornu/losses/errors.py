"""Losses of regression: how far numbers are from numbers."""

import math

from cornu import ops, ranges, settings
from cornu.losses.loss import FunctionLoss
from cornu.losses.targets import matched


def mean_squared_error(y_true, y_pred):
    """Mean over the last axis of `(y_true - y_pred)²`.

    Shapes: (batch, ..., d), (batch, ..., d) -> (batch, ...)

    >>> mean_squared_error([[0.0, 1.0]], [[1.0, 3.0]])
    Array([2.5], dtype=float32)
    """
    y_true, y_pred = matched("mean_squared_error", y_true, y_pred)
    return ops.mean(ops.square(ops.subtract(y_true, y_pred)), axis=-1)


def mean_absolute_error(y_true, y_pred):
    """Mean over the last axis of `|y_true - y_pred|`.

    Shapes: (batch, ..., d), (batch, ..., d) -> (batch, ...)
    """
    y_true, y_pred = matched("mean_absolute_error", y_true, y_pred)
    return ops.mean(ops.abs(ops.subtract(y_true, y_pred)), axis=-1)


def mean_absolute_percentage_error(y_true, y_pred):
    """Mean over the last axis of `100 |y_true - y_pred| / |y_true|`, where `|y_true|` counts as epsilon at least.

    Shapes: (batch, ..., d), (batch, ..., d) -> (batch, ...)

    Units: percent.
    """
    y_true, y_pred = matched("mean_absolute_percentage_error", y_true, y_pred)
    share = ops.abs(ops.divide(ops.subtract(y_true, y_pred), ops.maximum(ops.abs(y_true), settings.epsilon())))
    return ops.multiply(ops.mean(share, axis=-1), 100.0)


def mean_squared_logarithmic_error(y_true, y_pred):
    """Mean over the last axis of `(log(1 + y_true) - log(1 + y_pred))²`; values below epsilon count as epsilon.

    Shapes: (batch, ..., d), (batch, ..., d) -> (batch, ...)
    """
    y_true, y_pred = matched("mean_squared_logarithmic_error", y_true, y_pred)
    log = lambda x: ops.log1p(ops.maximum(x, settings.epsilon()))
    return ops.mean(ops.square(ops.subtract(log(y_pred), log(y_true))), axis=-1)


def huber(y_true, y_pred, delta=1.0):
    """Mean over the last axis of `e² / 2` where the error `|e| <= delta`, of `delta |e| - delta² / 2` beyond.

    Args:
        delta: where the square ends and the line begins, above 0.

    Shapes: (batch, ..., d), (batch, ..., d) -> (batch, ...)

    Source: Huber, "Robust estimation of a location parameter", 1964.
    """
    y_true, y_pred = matched("huber", y_true, y_pred)
    error = ops.abs(ops.subtract(y_true, y_pred))
    near = ops.minimum(error, delta)  # e²/2 up to delta, then a line of slope delta
    return ops.mean(ops.multiply(near, ops.subtract(error, ops.multiply(near, 0.5))), axis=-1)


def log_cosh(y_true, y_pred):
    """Mean over the last axis of `log(cosh(y_pred - y_true))`: as half the square near 0, as `|e| - log 2` far off.

    Shapes: (batch, ..., d), (batch, ..., d) -> (batch, ...)
    """
    y_true, y_pred = matched("log_cosh", y_true, y_pred)
    error = ops.subtract(y_pred, y_true)
    return ops.mean(ops.subtract(ops.add(error, ops.softplus(ops.multiply(error, -2.0))), math.log(2.0)), axis=-1)


def poisson(y_true, y_pred):
    """Mean over the last axis of `y_pred - y_true log(y_pred)`: the negative log likelihood of counts, up to a constant.

    Args:
        y_true: counts, at least 0.
        y_pred: expected counts, above 0.

    Shapes: (batch, ..., d), (batch, ..., d) -> (batch, ...)

    Units: nats.
    """
    y_true, y_pred = matched("poisson", y_true, y_pred)
    return ops.mean(ops.subtract(y_pred, ops.multiply(y_true, ops.log(ops.add(y_pred, settings.epsilon())))), axis=-1)


class MeanSquaredError(FunctionLoss):
    """Mean of `(y_true - y_pred)²`.

    Args:
        reduction, name, dtype: as in Loss.

    >>> float(MeanSquaredError()([[0.0, 1.0]], [[1.0, 3.0]]))
    2.5
    """

    name = "mean_squared_error"
    function = staticmethod(mean_squared_error)


class MeanAbsoluteError(FunctionLoss):
    """Mean of `|y_true - y_pred|`.

    Args:
        reduction, name, dtype: as in Loss.
    """

    name = "mean_absolute_error"
    function = staticmethod(mean_absolute_error)


class MeanAbsolutePercentageError(FunctionLoss):
    """Mean of `100 |y_true - y_pred| / |y_true|`.

    Args:
        reduction, name, dtype: as in Loss.

    Units: percent.
    """

    name = "mean_absolute_percentage_error"
    function = staticmethod(mean_absolute_percentage_error)


class MeanSquaredLogarithmicError(FunctionLoss):
    """Mean of `(log(1 + y_true) - log(1 + y_pred))²`.

    Args:
        reduction, name, dtype: as in Loss.
    """

    name = "mean_squared_logarithmic_error"
    function = staticmethod(mean_squared_logarithmic_error)


class Huber(FunctionLoss):
    """Squares for small errors, lines for large ones.

    Args:
        delta: where the square ends and the line begins, above 0.
        reduction, name, dtype: as in Loss.

    Source: Huber, "Robust estimation of a location parameter", 1964.
    """

    delta: float = 1.0
    name = "huber_loss"
    function = staticmethod(huber)

    def setup(self):
        super().setup()
        ranges.check(self, "delta", above=0)


class LogCosh(FunctionLoss):
    """Mean of `log(cosh(y_pred - y_true))`.

    Args:
        reduction, name, dtype: as in Loss.
    """

    name = "log_cosh"
    function = staticmethod(log_cosh)


class Poisson(FunctionLoss):
    """Mean of `y_pred - y_true log(y_pred)`, for counts.

    Args:
        reduction, name, dtype: as in Loss.

    Units: nats.
    """

    name = "poisson"
    function = staticmethod(poisson)
