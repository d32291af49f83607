"""Ending training when it no longer helps, or when it has failed."""

from cornu import ranges
from cornu.training.callbacks.callback import Callback
from cornu.training.callbacks.monitor import MonitorCallback, is_finite


class EarlyStopping(MonitorCallback):
    """End training when a metric has stopped getting better.

    Args:
        monitor: name of the metric.
        min_delta: the least change that counts as better.
        patience: epochs without a better value after which training ends.
        verbose: 1 says when it ends.
        mode: "min", "max", or "auto": by the metric.
        baseline: a value that must be passed; until then epochs count as without improvement.
        restore_best_weights: whether the model gets the weights of the best epoch back at the end.
        start_from_epoch: epochs at the start that are not watched.

    Attributes:
        best: the best value; best_epoch, stopped_epoch: epochs counted from 0.

    >>> model.fit(x, y, validation_split=0.2, epochs=100, callbacks=[EarlyStopping(patience=3, restore_best_weights=True)])
    """

    kept = ("best", "wait", "best_epoch", "stopped_epoch", "best_weights")

    def __init__(
        self,
        monitor="val_loss",
        min_delta=0,
        patience=0,
        verbose=0,
        mode="auto",
        baseline=None,
        restore_best_weights=False,
        start_from_epoch=0,
    ):
        super().__init__(monitor, mode, min_delta=min_delta)
        self.patience, self.verbose, self.baseline = patience, verbose, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch
        ranges.check(self, "patience", "start_from_epoch", least=0, whole=True)
        ranges.check(self, "baseline", optional=True)
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best_weights = None

    def on_train_begin(self, logs=None):
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = self.best_weights = None

    def on_epoch_end(self, epoch, logs=None):
        if self.monitor_op is None:
            self._set_monitor_op()
        value = self.get_monitor_value(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:  # if no value ever gets better, for instance NaN
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        self.wait += 1
        if self._is_improvement(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self._is_improvement(value, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        if self.stopped_epoch > 0 and self.verbose > 0:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                print(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)


class TerminateOnNaN(Callback):
    """End training at the first batch whose loss is NaN or infinite.

    Args:
        raise_error: whether to raise RuntimeError at once.
    """

    def __init__(self, raise_error=False):
        super().__init__()
        if not isinstance(raise_error, (bool, int)):
            raise TypeError(f"TerminateOnNaN: raise_error must be True or False; got {raise_error!r}.")
        self.raise_error = raise_error

    def on_batch_end(self, batch, logs=None):
        loss = (logs or {}).get("loss")
        if is_finite(loss):
            return
        if self.raise_error:
            raise RuntimeError(f"The loss of batch {batch} is {loss}: training ends here. Look at the data for NaN, or lower the learning rate.")
        print(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True
