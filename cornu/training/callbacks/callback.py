"""The base of callbacks: a hook for everything that happens in `fit`, `evaluate` and `predict`."""

from typing import Any


class Callback:
    """What to do at points of training; subclass it and write the hooks that are wanted.

    Hooks get `logs`, a dictionary of floats: the metrics so far. `on_epoch_end` may put more into it, for History and the callbacks after
    this one. `self.model` is the model, `self.params` has `verbose`, `epochs` and `steps` (None where not known).
    Set `self.model.stop_training = True` to end training. `kept` names the attributes (numbers, texts, arrays, lists and dictionaries of them)
    with which a training goes on that `BackupAndRestore` takes up again.

    >>> class Shout(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(f"epoch {epoch}: {logs['loss']}!")
    """

    params: Any = None
    _model: Any = None
    kept: tuple = ()

    def __init__(self):
        self.params = None
        self._model = None

    @property
    def model(self) -> Any:
        """The model that is trained."""
        return self._model

    def set_params(self, params):
        """Called before training, with `verbose`, `epochs` and `steps`."""
        self.params = params

    def set_model(self, model):
        """Called before training."""
        self._model = model

    def on_batch_begin(self, batch, logs=None):
        """Another name of `on_train_batch_begin`."""

    def on_batch_end(self, batch, logs=None):
        """Another name of `on_train_batch_end`."""

    def on_epoch_begin(self, epoch, logs=None):
        """Before epoch `epoch`, counted from 0. Only in `fit`."""

    def on_epoch_end(self, epoch, logs=None):
        """After epoch `epoch` and its validation, whose metrics are in `logs` under `val_` names. Only in `fit`."""

    def on_train_batch_begin(self, batch, logs=None):
        """Before batch `batch` of an epoch, counted from 0."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        """After batch `batch` of an epoch; `logs` has the metrics of the epoch so far."""
        self.on_batch_end(batch, logs)

    def on_test_batch_begin(self, batch, logs=None):
        """Before a batch of `evaluate`, and of the validation in `fit`."""

    def on_test_batch_end(self, batch, logs=None):
        """After a batch of `evaluate`, and of the validation in `fit`."""

    def on_predict_batch_begin(self, batch, logs=None):
        """Before a batch of `predict`."""

    def on_predict_batch_end(self, batch, logs=None):
        """After a batch of `predict`; `logs["outputs"]` is what the model gave for it."""

    def on_train_begin(self, logs=None):
        """At the start of `fit`."""

    def on_train_end(self, logs=None):
        """At the end of `fit`; `logs` is that of the last epoch."""

    def on_test_begin(self, logs=None):
        """At the start of `evaluate`, and of the validation in `fit`."""

    def on_test_end(self, logs=None):
        """At the end of `evaluate`, and of the validation in `fit`."""

    def on_predict_begin(self, logs=None):
        """At the start of `predict`."""

    def on_predict_end(self, logs=None):
        """At the end of `predict`."""

    def listens_to_batches(self, mode="train"):
        """Whether a hook of single batches does something here, so that the loop may not run several batches at once.

        Args:
            mode: "train", "test" or "predict".
        """
        return any(getattr(getattr(self, name, None), "__func__", getattr(self, name, None)) is not getattr(Callback, name) for name in BATCH_HOOKS[mode])


BATCH_HOOKS = {
    "train": ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}


class LambdaCallback(Callback):
    """A callback from functions.

    Args:
        on_epoch_begin, on_epoch_end: functions of (epoch, logs).
        on_train_begin, on_train_end: functions of (logs).
        on_train_batch_begin, on_train_batch_end: functions of (batch, logs).
        kwargs: functions for the other hooks, by the hooks' names.

    >>> print_loss = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
    """

    def __init__(
        self,
        on_epoch_begin=None,
        on_epoch_end=None,
        on_train_begin=None,
        on_train_end=None,
        on_train_batch_begin=None,
        on_train_batch_end=None,
        **kwargs,
    ):
        super().__init__()
        named = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
        }
        for name, function in {**named, **kwargs}.items():
            if name.startswith("on_") and function is not None and not callable(function):
                raise TypeError(f"LambdaCallback: {name} must be a function; got {function!r}.")
        self.__dict__.update({name: function for name, function in {**named, **kwargs}.items() if function is not None})
