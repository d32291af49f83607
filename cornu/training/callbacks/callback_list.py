"""All callbacks of one `fit`, `evaluate` or `predict`, called together and in order."""

import contextlib
import inspect

from cornu import tree
from cornu.training.callbacks.callback import Callback
from cornu.training.callbacks.history import History
from cornu.training.callbacks.progress import ProgbarLogger


class CallbackList(Callback):
    """Callbacks behind one: each hook calls theirs, in their order.

    Args:
        callbacks: a callback, or a list of them.
        add_history: whether to add a `History` if there is none.
        add_progbar: whether to add a `ProgbarLogger` if there is none.
        model: the model that they get.
        params: what they get as `params`: verbose, epochs, steps.

    Raises:
        TypeError: something that is no callback.
    """

    def __init__(self, callbacks=None, add_history=False, add_progbar=False, model=None, **params):
        super().__init__()
        self.data = self.start = None
        self.callbacks = [callback for callback in tree.flatten(callbacks) if callback is not None]
        for callback in self.callbacks:
            if inspect.isclass(callback):
                raise TypeError(f"callbacks: {callback.__name__} is a class; pass an object: {callback.__name__}(...).")
            if not hasattr(callback, "set_model"):
                raise TypeError(f"callbacks: wanted objects of keras.callbacks.Callback; got {callback!r}, a {type(callback).__name__}.")
        self._history = self._first(History)
        if self._history is None and add_history:
            self._history = History()
            self.callbacks.append(self._history)
        if self._first(ProgbarLogger) is None and add_progbar:
            self.callbacks.append(ProgbarLogger())
        if params:
            self.set_params(params)
        if model is not None:
            self.set_model(model)

    def _first(self, kind):
        return next((callback for callback in self.callbacks if isinstance(callback, kind)), None)

    def append(self, callback):
        self.callbacks.append(callback)

    def set_params(self, params):
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model):
        self._model = model
        if self._history is not None:
            model.history = self._history
        for callback in self.callbacks:
            callback.set_model(model)

    @contextlib.contextmanager
    def running(self, data):
        """The time of one `fit` on `data`; a callback may then say in `start` with which (epoch, batch) training goes on."""
        self.data, self.start = data, None
        with contextlib.ExitStack() as stack:
            for callback in self.callbacks:
                if hasattr(callback, "running"):
                    stack.enter_context(callback.running())
            yield

    def _settle(self, hook, index=None):
        """Call those that want to know when all callbacks have seen to a hook."""
        for callback in self.callbacks:
            if settled := getattr(callback, "settled", None):
                settled(hook, self, index)

    def listens_to_batches(self, mode="train"):
        return any(getattr(callback, "listens_to_batches", Callback.listens_to_batches.__get__(callback))(mode) for callback in self.callbacks)

    @property
    def batch_listeners(self):
        """Whether a callback must be called at every single training batch."""
        return self.listens_to_batches("train")

    def on_train_steps(self, done, total, logs=None):
        """Several training batches at once: `done` of `total` (None: not known) are behind us.

        Args:
            logs: the metrics so far, or a function without arguments that fetches them, called only if somebody shows them now.
        """
        self._steps(done, total, logs)

    def on_test_steps(self, done, total, logs=None):
        """As `on_train_steps`, in `evaluate` and in the validation of `fit`."""
        self._steps(done, total, logs, "test")

    def on_predict_steps(self, done, total, logs=None):
        """As `on_train_steps`, in `predict`."""
        self._steps(done, total, logs, "predict")

    def _steps(self, done, total, logs, mode="train"):
        for callback in self.callbacks:
            hook = getattr(callback, f"on_{mode}_steps", None)
            if hook is not None:
                hook(done, total, logs)
        self._settle(f"on_{mode}_steps", done)


def _of_epochs_and_batches(name):
    def hook(self, index, logs=None):
        logs = {} if logs is None else logs
        for callback in self.callbacks:
            getattr(callback, name)(index, logs)
        if name.endswith("_end"):
            self._settle(name, index)

    return hook


def _of_whole_runs(name):
    def hook(self, logs=None):
        logs = {} if logs is None else logs
        for callback in self.callbacks:
            getattr(callback, name)(logs)
        if name == "on_train_begin":
            self._settle(name)

    return hook


for _name in [name for name in vars(Callback) if name.startswith("on_")]:
    _hook = _of_epochs_and_batches(_name) if "epoch" in _name or "batch" in _name else _of_whole_runs(_name)
    _hook.__name__, _hook.__doc__ = _name, getattr(Callback, _name).__doc__
    setattr(CallbackList, _name, _hook)
