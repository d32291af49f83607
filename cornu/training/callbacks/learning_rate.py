"""Changing the optimizer's learning rate from epoch to epoch."""

import inspect
import numbers

import numpy as np

from cornu import backends, ranges
from cornu.training.callbacks.callback import Callback
from cornu.training.callbacks.monitor import MonitorCallback


def _rate(callback):
    optimizer = getattr(callback.model, "optimizer", None)
    if optimizer is None or not hasattr(optimizer, "learning_rate"):
        raise ValueError(f"{type(callback).__name__}: the model has no optimizer with a learning rate. Compile it first.")
    return float(backends.numpy(optimizer.learning_rate))


class LearningRateScheduler(Callback):
    """Set the learning rate before each epoch.

    Args:
        schedule: function of (epoch) or of (epoch, learning rate) -> learning rate; epochs count from 0.
        verbose: 1 prints each.

    >>> LearningRateScheduler(lambda epoch, rate: rate if epoch < 10 else rate * 0.9)
    """

    def __init__(self, schedule, verbose=0):
        super().__init__()
        if not callable(schedule):
            raise TypeError(f"LearningRateScheduler: schedule must be a function of (epoch) or (epoch, learning rate); got {schedule!r}.")
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch, logs=None):
        now = _rate(self)
        rate = self.schedule(epoch, now) if _takes_two(self.schedule) else self.schedule(epoch)
        if not isinstance(rate, numbers.Real) and not (hasattr(rate, "dtype") and getattr(rate, "shape", None) == ()):
            raise ValueError(f"LearningRateScheduler: the schedule must return a number; for epoch {epoch} it gave {rate!r}.")
        self.model.optimizer.learning_rate = rate
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.")

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            logs["learning_rate"] = _rate(self)


def _takes_two(function):
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return True
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len(places) > 1 or any(p.kind == p.VAR_POSITIONAL for p in parameters)


class ReduceLROnPlateau(MonitorCallback):
    """Lower the learning rate when a metric has stopped getting better.

    Args:
        monitor: name of the metric.
        factor: what the rate is multiplied by, below 1.
        patience: epochs without a better value before that.
        verbose: 1 says when.
        mode: "min", "max", or "auto": by the metric.
        min_delta: the least change that counts as better.
        cooldown: epochs after a reduction in which nothing is counted.
        min_lr: the lowest rate.

    Raises:
        ValueError: a factor of 1 or more.
    """

    kept = ("best", "wait", "cooldown_counter")

    def __init__(self, monitor="val_loss", factor=0.1, patience=10, verbose=0, mode="auto", min_delta=0.0001, cooldown=0, min_lr=0.0, **kwargs):
        super().__init__(monitor, mode, min_delta=kwargs.pop("epsilon", min_delta))
        if kwargs:
            raise TypeError(f"ReduceLROnPlateau has no argument {next(iter(kwargs))!r}.")
        self.factor, self.patience, self.verbose, self.cooldown, self.min_lr = factor, patience, verbose, cooldown, min_lr
        ranges.check(self, "factor", least=0, below=1)
        ranges.check(self, "patience", "cooldown", least=0, whole=True)
        ranges.check(self, "min_lr", least=0)
        self.cooldown_counter = self.wait = 0

    def on_train_begin(self, logs=None):
        self.best, self.cooldown_counter, self.wait = None, 0, 0

    def in_cooldown(self):
        """Whether a reduction was so recent that nothing is counted."""
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch, logs=None):
        if self.monitor_op is None:
            self._set_monitor_op()
        logs = {} if logs is None else logs
        value = self.get_monitor_value(logs)
        rate = logs["learning_rate"] = _rate(self)
        if value is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._is_improvement(value, self.best):
            self.best, self.wait = value, 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and rate > np.float32(self.min_lr):
                self._reduce(epoch, max(rate * self.factor, self.min_lr))

    def _reduce(self, epoch, rate):
        self.model.optimizer.learning_rate = rate
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {rate}.")
        self.cooldown_counter, self.wait = self.cooldown, 0
