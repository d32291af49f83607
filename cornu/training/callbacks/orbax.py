"""`OrbaxCheckpoint`: the state of a model as the Orbax library keeps it."""

import json
import os

from cornu.training.callbacks.model_checkpoint import Saver


class OrbaxCheckpoint(Saver):
    """Save the model's state by Orbax after each epoch or each number of batches: weights, the optimizer's state, metrics and the config.

    Args:
        directory: folder for the checkpoints, each under the number of its epoch or batch, counted from 0.
        monitor, verbose, save_best_only, mode, save_freq, initial_value_threshold: as in `ModelCheckpoint`.
        max_to_keep: how many of them stay, at least 1; None for all.
        save_on_background: whether writing goes on while training does.
        save_weights_only: whether the optimizer's state, metrics and config are left out.

    Raises:
        ImportError: Orbax is not installed.
        ValueError: an argument out of range.

    >>> model.fit(x, y, callbacks=[OrbaxCheckpoint("checkpoints", max_to_keep=3)])
    """

    def __init__(
        self,
        directory,
        monitor="val_loss",
        verbose=0,
        save_best_only=False,
        mode="auto",
        save_freq="epoch",
        initial_value_threshold=None,
        max_to_keep=1,
        save_on_background=True,
        save_weights_only=False,
    ):
        super().__init__(monitor, verbose, save_best_only, mode, save_freq, initial_value_threshold)
        if not isinstance(directory, (str, os.PathLike)):
            raise ValueError(f"OrbaxCheckpoint: directory must be the path of a folder; got {directory!r}.")
        if max_to_keep is not None and (isinstance(max_to_keep, bool) or not hasattr(max_to_keep, "__index__") or max_to_keep < 1):
            raise ValueError(f"OrbaxCheckpoint: max_to_keep must be at least 1, or None for all; got {max_to_keep!r}.")
        try:
            import orbax.checkpoint as orbax
        except ImportError as error:
            raise ImportError("OrbaxCheckpoint needs Orbax, which is not installed. Install it: pip install orbax-checkpoint") from error
        self.directory, self.max_to_keep = os.path.abspath(os.fspath(directory)), max_to_keep
        self.save_on_background, self.save_weights_only = save_on_background, save_weights_only
        self._steps = 0
        self._orbax = orbax
        options = orbax.CheckpointManagerOptions(max_to_keep=max_to_keep, enable_async_checkpointing=bool(save_on_background))
        self._manager = orbax.CheckpointManager(self.directory, options=options)

    kept = (*Saver.kept, "_steps")

    def is_multihost_enabled(self):
        """Whether several processes train together."""
        return self._orbax.multihost.process_count() > 1

    def is_primary_host(self):
        """Whether this process is the first, the one that writes what all share."""
        return self._orbax.multihost.process_index() == 0

    def wait_until_finished(self):
        """Until all checkpoints are on the disk."""
        self._manager.wait_until_finished()

    def on_train_batch_end(self, batch, logs=None):
        self._steps += 1
        super().on_train_batch_end(batch, logs)

    def on_train_end(self, logs=None):
        self.wait_until_finished()

    def restore(self, step=None):
        """Give the model the state of a checkpoint, by default the newest.

        Raises:
            FileNotFoundError: there is none.
        """
        self.wait_until_finished()
        step = self._manager.latest_step() if step is None else step
        if step is None or step not in self._manager.all_steps():
            raise FileNotFoundError(f"OrbaxCheckpoint: {self.directory} has no checkpoint{'' if step is None else f' {step}'}.")
        args = self._orbax.args
        self.model.set_state_tree(self._manager.restore(step, args=args.Composite(state=args.StandardRestore())).state)

    def _save(self, epoch, batch, logs):
        step = epoch if self.save_freq == "epoch" else self._steps - 1
        if self.save_best_only and not self._is_best(epoch, logs or {}, os.path.join(self.directory, str(step))):
            return
        state = {kind: tree for kind, tree in self.model.get_state_tree(value_format="numpy_array").items() if tree}
        parts = {}
        if self.save_weights_only:
            state = {kind: state[kind] for kind in ("trainable_variables", "non_trainable_variables") if kind in state}
        else:
            parts["model_config"] = self._orbax.args.JsonSave(json.loads(self.model.to_json()))
        self._manager.save(step, args=self._orbax.args.Composite(state=self._orbax.args.StandardSave(state), **parts), force=True)
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1}: saved the state to {os.path.join(self.directory, str(step))}")
