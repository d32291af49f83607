"""Saving the model while it trains."""

import os

from cornu.training.callbacks.monitor import MonitorCallback
from cornu.training.data.faults import warn


class Saver(MonitorCallback):
    """Base of callbacks that save something after each epoch or each number of batches; they write `_save(epoch, batch, logs)`."""

    kept = ("best", "_epoch", "_batches_since", "_last_batch")

    def __init__(self, monitor, verbose, save_best_only, mode, save_freq, initial_value_threshold):
        super().__init__(monitor, mode, initial_value_threshold)
        if save_freq != "epoch" and (isinstance(save_freq, bool) or not hasattr(save_freq, "__index__") or save_freq < 1):
            raise ValueError(f'{type(self).__name__}: save_freq must be "epoch" or a number of batches of at least 1; got {save_freq!r}.')
        self.verbose, self.save_best_only, self.save_freq = verbose, save_best_only, save_freq
        self._epoch = self._batches_since = 0
        self._last_batch = -1

    def _save(self, epoch, batch, logs):
        """Save the state of now; `batch` is None at the end of an epoch."""

    def listens_to_batches(self, mode="train"):
        return mode == "train" and self.save_freq != "epoch"

    def on_train_batch_end(self, batch, logs=None):
        if self.save_freq == "epoch":
            return
        self._batches_since += batch + 1 if batch <= self._last_batch else batch - self._last_batch
        self._last_batch = batch
        if self._batches_since >= self.save_freq:
            self._save(self._epoch, batch, logs)
            self._batches_since = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        if self.monitor_op is None and self.save_best_only:
            self._set_monitor_op()
        if self.save_freq == "epoch":
            self._save(epoch, None, logs)

    def _is_best(self, epoch, logs, path):
        if self.monitor_op is None:
            self._set_monitor_op()
        value = logs.get(self.monitor)
        if value is None:
            warn(f'{type(self).__name__}: "{self.monitor}" is not there, so that the model is saved every time. There are: {", ".join(logs) or "none"}.')
            return True
        if not self._is_improvement(value, self.best):
            if self.verbose > 0:
                print(f"\nEpoch {epoch + 1}: {self.monitor} did not improve from {self.best:.5f}")
            return False
        if self.verbose > 0:
            before = "None" if self.best is None else f"{self.best:.5f}"
            print(f"\nEpoch {epoch + 1}: {self.monitor} improved from {before} to {value:.5f}, saving model to {path}")
        self.best = value
        return True


class ModelCheckpoint(Saver):
    """Save the model, or its weights, after each epoch or each number of batches.

    Args:
        filepath: file to write, ending in .keras or .h5 (.weights.h5 for weights alone). `{epoch:02d}`, `{batch}` and names of metrics such as
            `{val_loss:.2f}` are filled in; epochs and batches count from 1.
        monitor: name of the metric that says which model is best.
        verbose: 1 says what is saved.
        save_best_only: whether to save only when the metric is better than ever.
        save_weights_only: whether to save weights alone.
        mode: "min", "max", or "auto": by the metric.
        save_freq: "epoch", or a number of batches.
        initial_value_threshold: a value that must be passed before anything is saved.

    Raises:
        ValueError: the file's ending or save_freq is not one of these.

    >>> model.fit(x, y, validation_split=0.2, callbacks=[ModelCheckpoint("best.keras", save_best_only=True)])
    """

    def __init__(
        self,
        filepath,
        monitor="val_loss",
        verbose=0,
        save_best_only=False,
        save_weights_only=False,
        mode="auto",
        save_freq="epoch",
        initial_value_threshold=None,
    ):
        super().__init__(monitor, verbose, save_best_only, mode, save_freq, initial_value_threshold)
        if not isinstance(filepath, (str, os.PathLike)):
            raise ValueError(f"ModelCheckpoint: filepath must be the path of a file; got {filepath!r}.")
        self.filepath, self.save_weights_only = os.fspath(filepath), save_weights_only
        if save_weights_only and not self.filepath.endswith(".weights.h5"):
            raise ValueError(f"ModelCheckpoint: with save_weights_only=True the file must end in .weights.h5; got {self.filepath!r}.")
        if not save_weights_only and not self.filepath.endswith((".keras", ".h5")):
            raise ValueError(f"ModelCheckpoint: the file must end in .keras or .h5; got {self.filepath!r}.")

    def _save(self, epoch, batch, logs):
        path = self._path(epoch, batch, logs or {})
        if self.save_best_only and not self._is_best(epoch, logs or {}, path):
            return
        if self.verbose > 0 and not self.save_best_only:
            print(f"\nEpoch {epoch + 1}: saving model to {path}")
        if os.path.isdir(path):
            raise OSError(f"ModelCheckpoint: {path} is a folder; give the name of a file.")
        if folder := os.path.dirname(path):
            os.makedirs(folder, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1}: finished saving model to {path}")

    def _path(self, epoch, batch, logs):
        places = {"epoch": epoch + 1, **({} if batch is None else {"batch": batch + 1}), **logs}
        try:
            return self.filepath.format(**places)
        except KeyError as error:
            raise KeyError(f"ModelCheckpoint: {{{error.args[0]}}} in the file name {self.filepath!r} is not known. There are: {', '.join(places)}.") from None
