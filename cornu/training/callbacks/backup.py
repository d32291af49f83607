"""Training that survives: its whole state on disk, from which the next start goes on as if nothing had happened."""

import contextlib
import os
import random
import signal
import sys
import threading

import numpy as np

from cornu import tree
from cornu.ops import chance
from cornu.training import checkpoint
from cornu.training.callbacks.callback import Callback
from cornu.training.callbacks.callback_list import CallbackList
from cornu.training.callbacks.screens import in_notebook

INTERRUPTED = 75  # exit status of a training that was told to end and can go on: EX_TEMPFAIL of sysexits.h


class BackupAndRestore(Callback):
    """Write down the state of the training, and go on from there when the program is started again.

    A program that ended for whatever reason is simply run again: with the same model, data and arguments of `fit` it comes to the same weights,
    bit for bit, as if it had never ended. Saved are the weights, the optimizer's state, metrics, random seeds, the history, the state of the
    other callbacks, and the place in the data, in the middle of an epoch too. A file counts only when it is whole.

    While `fit` runs, SIGTERM and the first Ctrl-C finish the step, save, and end the program with exit status 75; the second Ctrl-C ends it at once.

    Args:
        backup_dir: folder for the state, of this training alone.
        save_freq: "epoch", a number of batches, or False: only when the program is told to end.
        double_checkpoint: taken for compatibility; the state before the newest is always kept too.
        delete_checkpoint: whether the state is deleted when training has ended.

    Callbacks name the attributes that they go on with in `kept`. A generator is read anew from its start up to where training stopped; it must
    then give the same batches.

    Raises:
        ValueError: no folder, or another `save_freq`.

    >>> model.fit(x, y, epochs=100, callbacks=[BackupAndRestore("backup")])
    """

    def __init__(self, backup_dir, save_freq="epoch", double_checkpoint=False, delete_checkpoint=True):
        super().__init__()
        if not backup_dir or not isinstance(backup_dir, (str, os.PathLike)):
            raise ValueError(f"BackupAndRestore: backup_dir must be the path of a folder; got {backup_dir!r}.")
        if save_freq != "epoch" and (not hasattr(save_freq, "__index__") or save_freq < 0):
            raise ValueError(f'BackupAndRestore: save_freq must be "epoch", a number of batches of at least 1, or False; got {save_freq!r}.')
        self.backup_dir, self.save_freq = os.path.expanduser(os.fspath(backup_dir)), save_freq
        if os.path.exists(self.backup_dir) and not os.path.isdir(self.backup_dir):
            raise ValueError(f"BackupAndRestore: backup_dir must be a folder; {self.backup_dir!r} is a file.")
        self.double_checkpoint, self.delete_checkpoint = double_checkpoint, delete_checkpoint
        self._epoch = self._since = self._last = 0
        self._told = None  # the signal that came

    def listens_to_batches(self, mode="train"):
        return mode == "train" and self.save_freq != "epoch" and bool(self.save_freq)

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._last = epoch, 0

    def on_train_end(self, logs=None):
        if self.delete_checkpoint:
            checkpoint.remove(self.backup_dir)

    def settled(self, hook, callbacks, index):
        """Save and restore when all callbacks have seen to `hook`, so that their state is that of one instant."""
        if hook == "on_train_begin":
            self._restore(callbacks)
        elif hook == "on_epoch_end":
            if self.save_freq == "epoch" or self._told is not None:
                self._save(callbacks, index + 1, 0)
            self._end_if_told(f"epoch {index + 1}")
        elif hook in ("on_train_batch_end", "on_train_steps"):
            done = index + (hook == "on_train_batch_end")
            self._since, self._last = self._since + done - self._last, done
            if self._told is not None or (self.listens_to_batches() and self._since >= self.save_freq):
                self._since = 0
                self._save(callbacks, self._epoch, done)
                self._end_if_told(f"batch {done} of epoch {self._epoch + 1}")

    # saving and restoring

    def _save(self, callbacks, epoch, batch):
        self.model.jax_state_sync()
        data, seeds = callbacks.data, chance._global[0]
        version, python, gauss = random.getstate()
        checkpoint.write(
            self.backup_dir,
            {
                "epoch": epoch,
                "batch": batch,
                "since": self._since,
                "stopped": bool(self.model.stop_training),
                "data": data.position(),
                "variables": [variable.numpy() for variable in self.model._runner("train").step.variables],
                "global_seed": None if seeds is None else [seeds.seed, seeds.state.numpy()],
                "python": [version, np.array(python, "uint64"), gauss],
                "numpy": list(np.random.get_state()),
                "callbacks": {key: {name: getattr(callback, name) for name in callback.kept} for key, callback in _keyed(callbacks)},
            },
        )

    def _restore(self, callbacks):
        checkpoint.tidy(self.backup_dir)
        self._since = 0
        state = checkpoint.read(self.backup_dir)
        if state is None:
            return
        variables, batch = self.model._runner("train").step.variables, state["batch"]
        values = self._fitting(variables, state["variables"])
        callbacks.data.rewind(state["data"], state["epoch"], batch)
        self.model.jax_state_sync()
        for variable, value in zip(variables, values, strict=False):
            variable.assign(value)
        if state["global_seed"] is not None:
            seed, value = state["global_seed"]
            if chance._global[0] is None:
                chance.set_global_seed(seed)
            chance._global[0].state.assign(value)
        version, python, gauss = state["python"]
        random.setstate((version, tuple(int(n) for n in python), gauss))
        np.random.set_state(tuple(state["numpy"]))
        for key, callback in _keyed(callbacks):
            for name, value in state["callbacks"].get(key, {}).items():
                setattr(callback, name, value)
        self._since = state["since"]
        callbacks.start = (sys.maxsize, 0) if state["stopped"] and not batch else (state["epoch"], batch)

    def _fitting(self, variables, values):
        """The saved values, where they are those of this model; seeds that came in while it trained may be over at the end."""
        wrong = next((f"{v.path} of shape {v.shape}, where the file has {a.shape}" for v, a in zip(variables, values) if v.shape != a.shape), None)
        if wrong is None and len(values) < len(variables):
            wrong = f"{len(variables)} variables, where the file has {len(values)}"
        if wrong is not None:
            raise ValueError(
                f"BackupAndRestore: the state in {self.backup_dir} is of another model or optimizer: this one has {wrong}. "
                "Delete the folder to begin anew, or give another."
            )
        return values

    # signals

    @contextlib.contextmanager
    def running(self):
        """While `fit` runs: signals are noted, and acted upon when the step has ended."""
        self._told = None
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _note(self, number, frame):
        if self._told is not None:
            raise KeyboardInterrupt
        self._told = number

    def _end_if_told(self, where):
        if self._told is None:
            return
        print(f"\nTraining was told to end. Its state after {where} is in {self.backup_dir}: run the program again to go on.", file=sys.stderr, flush=True)
        if self._told == signal.SIGINT and (in_notebook() or hasattr(sys, "ps1")):
            raise KeyboardInterrupt
        raise SystemExit(INTERRUPTED)


def _keyed(callbacks):
    """(key, callback) of those with a state: the class and how many of it came before."""
    seen = {}
    for callback in callbacks.callbacks:
        if getattr(callback, "kept", ()):
            name = type(callback).__name__
            seen[name] = seen.get(name, -1) + 1
            yield f"{name} {seen[name]}", callback


def with_backup(callbacks, folder):
    """`callbacks` and a `BackupAndRestore` in `folder` whose state stays when training has ended: what `fit(resume=folder)` means."""
    backup = BackupAndRestore(folder, delete_checkpoint=False)
    if isinstance(callbacks, CallbackList):
        backup.set_params(callbacks.params)
        backup.set_model(callbacks.model)
        callbacks.append(backup)
        return callbacks
    return [*tree.flatten(callbacks), backup]
