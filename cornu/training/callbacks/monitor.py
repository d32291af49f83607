"""What callbacks that watch one metric share: finding it, and whether more is better."""

import math
from typing import Any

from cornu import ranges, scopes, tree
from cornu.training.callbacks.callback import Callback
from cornu.training.data.faults import warn

_MORE_IS_BETTER = ("acc", "auc", "precision", "recall", "f1", "fbeta", "iou", "io_u", "r2", "specificity", "sensitivity", "similarity", "correlation", "true_")
_LESS_IS_BETTER = ("loss", "error", "mae", "mse", "rmse", "mape", "msle", "entropy", "hinge", "divergence", "poisson", "cosh", "false_")


class MonitorCallback(Callback):
    """Base of callbacks that compare a metric with the best so far.

    Args:
        monitor: name of the metric, as in `logs`.
        mode: "min", "max", or "auto": by the metric.
        initial_value_threshold: a best value to begin with.
        min_delta: the least change that counts.
    """

    def __init__(self, monitor="val_loss", mode="auto", initial_value_threshold=None, min_delta=0):
        super().__init__()
        if mode not in ("auto", "min", "max"):
            warn(f'{type(self).__name__}: mode must be "auto", "min" or "max"; got {mode!r}. "auto" is used.')
            mode = "auto"
        if not isinstance(monitor, str):
            raise TypeError(f"{type(self).__name__}: monitor must be the name of a metric; got {monitor!r}.")
        self.monitor, self.mode, self.initial_value_threshold, self.min_delta = monitor, mode, initial_value_threshold, min_delta
        ranges.check(self, "initial_value_threshold", optional=True)
        ranges.check(self, "min_delta")
        self.best, self.min_delta = initial_value_threshold, abs(min_delta)
        self.monitor_op: Any = None  # set by the first logs

    def _set_monitor_op(self):
        """Settle the direction, now that the model's metrics are known."""
        mode = self.mode if self.mode != "auto" else _direction(self.monitor.removeprefix("val_"), self.model)
        if mode is None:
            raise ValueError(
                f'{type(self).__name__}: whether more or less of "{self.monitor}" is better is not known. '
                f'Pass mode="max" or mode="min" besides monitor="{self.monitor}".'
            )
        self.monitor_op = _greater if mode == "max" else _less

    def _is_improvement(self, value, reference):
        if reference is None:
            return True
        return bool(self.monitor_op(value - self.min_delta if self.monitor_op is _greater else value + self.min_delta, reference))

    def get_monitor_value(self, logs):
        """The metric's value in `logs`, or None and a warning."""
        value = (logs or {}).get(self.monitor)
        if value is None:
            hint = " It needs validation_data or validation_split." if self.monitor.startswith("val_") else ""
            warn(f'{type(self).__name__} watches "{self.monitor}", which is not there.{hint} There are: {", ".join(logs or {}) or "none"}.')
        return value


def _greater(value, reference):
    return value > reference


def _less(value, reference):
    return value < reference


def _direction(name, model):
    if name == "loss":
        return "min"
    names = [name, *(scopes.to_snake_case(type(metric).__name__) for metric in _metrics(model) if getattr(metric, "name", None) == name)]
    for mode, words in (("min", _LESS_IS_BETTER), ("max", _MORE_IS_BETTER)):
        if any(word in text for text in names for word in words):
            return mode
    return None


def _metrics(model):
    for metric in tree.flatten(getattr(model, "metrics", None) or []):
        yield metric
        yield from getattr(metric, "metrics", None) or ()


def is_finite(value):
    """Whether a number of the logs is neither NaN nor infinite."""
    return value is None or math.isfinite(float(value))
