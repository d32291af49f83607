"""What a model needs to be trained: `compile`, `fit`, `evaluate`, `predict`, and the methods that a subclass may replace."""

import inspect
import warnings
from typing import Any

import numpy as np

from cornu import backends, metrics, ops, optimizers, serialization, settings, tree
from cornu.layers.keeper import changes
from cornu.shapes import Spec
from cornu.symbolic import KerasTensor
from cornu.traceback import user_lines
from cornu.training import arguments, loop, state, step
from cornu.training import data as data_module
from cornu.training.callbacks import CallbackList
from cornu.training.callbacks.backup import with_backup
from cornu.training.compiled import CompiledLoss, CompiledMetrics, standard_form
from cornu.training.data.arrays import to_array
from cornu.training.data.sources import is_stream

_NOT_GIVEN = object()


class Training:
    """What `compile` was told and the programs made since; no part of the model's state."""

    def __init__(self):
        self.config = None
        self.loss = self.metrics = self.tracker = None
        self.runners = {}
        self.asked = False  # whether jit_compile=True was written, and not left at "auto"
        self.trained = (None, ())  # what `layers.keeper.changes` counted when they were collected, the trainable variables

    def __getstate__(self):
        return {**self.__dict__, "runners": {}}  # programs cannot be copied


class Trainer:
    """Training, evaluation and prediction: the part of `Model` that is no layer."""

    optimizer = None
    loss = None
    history = None
    stop_training = False
    passing = frozenset(("history", "stop_training"))
    run_eagerly, steps_per_execution, jit_compile = False, 1, True
    train_function = test_function = predict_function = None

    def __init__(self):
        self._training = Training()

    # -- compile --------------------------------------------------------------------------------------------------------------------

    @user_lines
    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile: bool | str = "auto",
        auto_scale_loss=True,
    ):
        """Say how the model is trained.

        Args:
            optimizer: name or Optimizer.
            loss: name, function `loss(y_true, y_pred)` or Loss; for several outputs a list of them, or a dictionary by output. None for a
                model that makes its losses itself, by `add_loss`, `compute_loss` or `train_step`.
            loss_weights: number for each output's loss, as a list or dictionary.
            metrics: list of names, functions and Metrics; for several outputs a list for each, or a dictionary by output. "accuracy" and
                "crossentropy" are those that fit the outputs and targets.
            weighted_metrics: as `metrics`; these use `sample_weight`.
            run_eagerly: whether steps run line by line, as Python does, for finding faults.
            steps_per_execution: batches between two calls of callbacks' batch hooks, at least 1.
            jit_compile: whether steps are compiled; "auto" compiles wherever the backend does so by default (all but PyTorch, where
                quick steps are recorded and repeated, and True compiles by `torch.compile`, which takes a while). False runs each op by itself, as
                `run_eagerly` does.
            auto_scale_loss: whether the optimizer scales losses of a model in mixed_float16.

        Raises:
            ValueError: an unknown name, or arguments that do not fit the outputs.

        >>> model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        """
        arguments.check_compile(loss_weights, run_eagerly, steps_per_execution, jit_compile)
        optimizer = optimizers.get(optimizer)
        if auto_scale_loss and getattr(self.dtype_policy, "name", "") == "mixed_float16" and optimizer is not None:
            if not isinstance(optimizer, optimizers.LossScaleOptimizer):
                optimizer = optimizers.LossScaleOptimizer(optimizer, name="loss_scale_optimizer")
        training = Training()
        training.loss = CompiledLoss(loss, loss_weights) if loss is not None else None
        training.metrics = CompiledMetrics(metrics, weighted_metrics) if metrics is not None or weighted_metrics is not None else None
        training.tracker = _mean("loss")
        training.asked = jit_compile is True
        training.config = {
            "optimizer": optimizer,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": True if jit_compile == "auto" else jit_compile,
        }
        self.optimizer, self.loss = optimizer, loss
        self.run_eagerly, self.steps_per_execution = bool(run_eagerly), int(steps_per_execution)
        self.jit_compile = training.config["jit_compile"]
        self.stop_training = False
        self.train_function = self.test_function = self.predict_function = None
        self._training = training

    @property
    def compiled(self):
        """Whether `compile` was called."""
        return self._training.config is not None

    def get_compile_config(self):
        """What `compile` was told, for files; empty before."""
        if not self.compiled:
            return {}
        return {name: serialization.serialize_keras_object(value) for name, value in self._training.config.items()}

    def compile_from_config(self, config):
        """Call `compile` with what `get_compile_config` gave, and make the optimizer's variables."""
        if not config:
            return
        if type(self).compile is not Trainer.compile and not set(config) & set(inspect.signature(self.compile).parameters):
            warnings.warn(f"{self._label()}: its own `compile` does not take what the file holds; call compile() yourself.", stacklevel=2)
            return
        self.compile(**serialization.deserialize_keras_object(config))
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_variables)

    def _compiled_changed(self):
        """The layers changed: programs made for those before are dropped."""
        self._training.runners = {}
        for part in (self._training.loss, self._training.metrics):
            if part is not None:
                part.outputs = None

    def _needs_compile(self, what):
        if not self.compiled:
            raise ValueError(f"{self._label()}: call compile(optimizer=..., loss=...) before {what}.")

    # -- losses and metrics ---------------------------------------------------------------------------------------------------------

    @property
    def metrics(self):
        """The metrics: the mean loss, those of `compile` as one, those among the attributes of layers, the mean loss of each output."""
        training, found = self._training, []
        if self.compiled:
            found = [training.tracker, *([training.metrics] if training.metrics is not None else ())]
        found += super().metrics
        if training.loss is not None:
            found += training.loss.trackers
        return list({id(metric): metric for metric in found}.values())

    @property
    def metrics_names(self):
        """The names of `metrics`."""
        return [metric.name for metric in self.metrics]

    def reset_metrics(self):
        """Have all metrics begin anew."""
        for metric in self.metrics:
            metric.reset_state()

    def get_metrics_result(self):
        """The results of all metrics by their names in logs."""
        results = {}
        for metric in self.metrics:
            value = metric.result()
            results.update(value if isinstance(value, dict) else {metric.name: value})
        return results

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The number to minimize; a subclass may compute its own.

        Args:
            x: inputs of the batch.
            y: targets.
            y_pred: outputs of the model.
            sample_weight: weight of each sample.
            training: whether this is a training step.

        Returns:
            A scalar: the compiled loss, and all that `add_loss` and regularizers added.

        Raises:
            ValueError: there is nothing to minimize, or targets are missing.
        """
        parts = []
        if self._training.loss is not None:
            total = self._training.loss(y, y_pred, sample_weight, step.batch_size(x, y, y_pred))
            parts = [] if total is None else [total]
        parts += [ops.sum(ops.cast(extra, "float32")) for extra in self.losses]
        if not parts:
            raise ValueError(f"{self._label()} has no loss to minimize: give one, compile(loss=...), or call add_loss in a layer.")
        total = parts[0]
        for part in parts[1:]:
            total = ops.add(total, part)
        return total

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Add a batch to the metrics of `compile`; a subclass may do more. Returns the logs."""
        self._update_metrics(x, y, y_pred, sample_weight)
        return self.get_metrics_result()

    def _update_metrics(self, x, y, y_pred, sample_weight):
        if self._training.metrics is not None:
            self._training.metrics.update_state(y, y_pred, sample_weight)

    def _measures_itself(self):
        return type(self).compute_metrics is not Trainer.compute_metrics

    def _loss_of(self, x, y, y_pred, sample_weight, training):
        if type(self).compute_loss is Trainer.compute_loss:
            return self.compute_loss(x, y, y_pred, sample_weight, training)
        parameters = inspect.signature(self.compute_loss).parameters
        extra = {"training": training} if "training" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values()) else {}
        return self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, **extra)

    def _trained(self):
        """`trainable_variables`, collected again when an attribute of a layer was set."""
        if self._training.trained[0] != changes[0]:
            self._training.trained = (changes[0], self.trainable_variables)
        return self._training.trained[1]

    def _has_loss(self):
        return self._training.loss is not None or type(self).compute_loss is not Trainer.compute_loss or bool(self.losses)

    def _track_loss(self, loss, size):
        if self._training.tracker is not None:
            self._training.tracker.update_state(loss, sample_weight=size)

    def compute_loss_and_updates(
        self, trainable_variables, non_trainable_variables, metrics_variables, x, y, sample_weight, training=False, optimizer_variables=None
    ):
        """The loss as a pure function, for an engine's own differentiation.

        Args:
            trainable_variables, non_trainable_variables, metrics_variables, optimizer_variables: values of the model's variables.
            x, y, sample_weight: a batch.
            training: whether this is a training step.

        Returns:
            The loss (scaled as the optimizer wants it), and a tuple: the loss, the outputs, new values of the non-trainable variables and of
            the metrics' variables.
        """
        fixed = [
            *zip(self.non_trainable_variables, non_trainable_variables, strict=True),
            *zip(self.metrics_variables, metrics_variables, strict=True),
            *(zip(self.optimizer.variables, optimizer_variables, strict=True) if optimizer_variables is not None else ()),
        ]
        scaled, (loss, y_pred, _, changed, values) = step.loss_and_updates(
            self, self.trainable_variables, trainable_variables, x, y, sample_weight, training, fixed
        )
        news = {id(variable): value for variable, value in fixed}
        news.update((id(variable), value) for variable, value in zip(changed, values, strict=True))
        return scaled, (loss, y_pred, [news[id(v)] for v in self.non_trainable_variables], [news[id(v)] for v in self.metrics_variables])

    def stateless_compute_loss(
        self, trainable_variables, non_trainable_variables, metrics_variables, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """`compute_loss` as a pure function. Returns the loss and the values of the three kinds of variables."""
        groups = (self.trainable_variables, self.non_trainable_variables, self.metrics_variables)
        values = (trainable_variables, non_trainable_variables, metrics_variables)
        pairs = [pair for group, given in zip(groups, values, strict=True) for pair in zip(group, given, strict=True)]
        with step.StepScope(pairs) as scope:
            loss = self._loss_of(x, y, y_pred, sample_weight, training)
        return loss, tuple(scope.values(group) for group in groups)

    # -- steps ----------------------------------------------------------------------------------------------------------------------

    def get_state_tree(self, value_format="backend_tensor"):
        """The values of all variables, as nested dictionaries.

        Args:
            value_format: "backend_tensor" or "numpy_array".

        Returns:
            A dictionary of "trainable_variables", "non_trainable_variables", "optimizer_variables" and "metrics_variables": in each the names
            along a variable's path, nested, and its value.
        """
        return state.get(self, value_format)

    def set_state_tree(self, state_tree):
        """Give variables the values that `get_state_tree` gave, or some of them.

        Raises:
            ValueError: a name that no variable has, or another shape; nothing is changed then.
        """
        state.put(self, state_tree)

    def train_step(self, state, data=_NOT_GIVEN):
        """One training step; a subclass may write its own, in one of two forms.

        `train_step(self, state, data)` gives `logs, state` and changes nothing; `state` is (trainable variables, non-trainable variables,
        optimizer variables, metrics variables), each a list of values. `train_step(self, data)` changes the variables and gives logs.
        `data` is x, (x, y) or (x, y, sample_weight).
        """
        return self._step("train", state, data)

    def test_step(self, state, data=_NOT_GIVEN):
        """One step of evaluation, in the forms of `train_step`; `state` has no optimizer variables."""
        return self._step("test", state, data)

    def predict_step(self, state, data=_NOT_GIVEN):
        """The outputs of a batch: `predict_step(self, state, data)` gives `outputs, non-trainable variables`; `predict_step(self, data)` gives outputs."""
        return self._step("predict", state, data)

    def _step(self, mode, state, data):
        run = getattr(step, mode)
        if data is _NOT_GIVEN:
            return run(self, state)
        groups = [self.trainable_variables, self.non_trainable_variables, self.metrics_variables][: len(state)]
        if mode == "train":
            groups.insert(2, self.optimizer.variables if self.optimizer is not None else [])
        pairs = [pair for group, values in zip(groups, state, strict=True) for pair in zip(group, values, strict=True)]
        with step.StepScope(pairs) as scope:
            output = run(self, data)
        state = tuple(scope.values(group) for group in groups)
        return output, state if mode != "predict" else state[1]

    def _runner(self, mode):
        runners = self._training.runners
        runner = runners.get(mode)
        if runner is not None and runner.backend is not backends.current():
            runners.clear()  # programs of the backend before, with what they hold
            runner = None
        if runner is None or runner.eager is not loop.runs_eagerly(self):
            runner = runners[mode] = loop.Runner(self, mode)
        if mode != "predict" or runner.collected != changes[0]:  # freezing alone changes no prediction
            runner.refresh(changes[0])
            self._training.trained = (changes[0], runner.step.groups[0])
        return runner

    def _make(self, mode, force):
        name = f"{mode}_function"
        if getattr(self, name) is None or force:
            if force:
                self._training.runners.pop(mode, None)
            setattr(self, name, lambda *data: self._one_batch(mode, data))
        return getattr(self, name)

    def make_train_function(self, force=False):
        """A function of (x, y, sample_weight) that makes one training step and gives its logs; also kept as `train_function`."""
        return self._make("train", force)

    def make_test_function(self, force=False):
        """As `make_train_function`, for a step of evaluation."""
        return self._make("test", force)

    def make_predict_function(self, force=False):
        """A function of x that gives the outputs; also kept as `predict_function`."""
        return self._make("predict", force)

    def jax_state_sync(self):
        """Have the variables show the values of now, in the middle of an epoch."""
        for runner in self._training.runners.values():
            runner.sync()

    # -- getting ready --------------------------------------------------------------------------------------------------------------

    def _ready(self, what, batch):
        """Have the weights, the compiled losses and metrics, and the optimizer's variables, as a batch calls for them."""
        x, y, _ = batch
        training = self._training
        parts = [part for part in (training.loss, training.metrics) if part is not None and not part.built]
        if not self.built or (parts and what != "predict"):
            y_pred = self._outputs_for(x)
            names = self.output_names if self._function is not None else None
            if training.loss is not None and not training.loss.built:
                training.loss.build(y_pred, names)
            if training.metrics is not None and not training.metrics.built and y is not None:
                training.metrics.build(standard_form(y), y_pred, names)
        if what == "fit" and self.optimizer is not None and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)

    def _outputs_for(self, x):
        """Shapes of the outputs for a batch of inputs; builds the model."""
        if self._function is not None and self.built:
            return tree.map_structure(lambda t: t.spec if isinstance(t, KerasTensor) else t, self._function._outputs_struct)
        specs = tree.map_structure(lambda leaf: Spec(np.shape(leaf), backends.kind(leaf)), x, none_is_leaf=False)
        try:
            outputs = self.compute_output_spec(specs)
        except Exception:  # what goes by values cannot be told from shapes; a real mistake shows in the real call
            outputs = self(tree.map_structure(backends.array, x, none_is_leaf=False))
        self.built = True
        return outputs

    def _check_targets(self, what, y, default):
        loss = self._training.loss
        if loss is None or not default or type(self).compute_loss is not Trainer.compute_loss:
            return
        if y is None:
            raise ValueError(
                f"{self._label()}: {what} got no targets, and the loss {_shown(self.loss)} needs them: {what}(x, y). With a data set, let it give (x, y)."
            )
        loss.check_targets(y)

    # -- fit ------------------------------------------------------------------------------------------------------------------------

    @user_lines
    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose: int | str = "auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        initial_epoch=0,
        steps_per_epoch=None,
        validation_steps=None,
        validation_batch_size=None,
        validation_freq=1,
        resume=None,
    ):
        """Train the model.

        Args:
            x: inputs: an array, a list or dictionary of arrays, or a stream of batches (x, y) or (x, y, sample_weight).
            y: targets, in the same forms; not with a stream.
            batch_size: samples a batch, 32 unless given.
            epochs: number of the last epoch, at least 1.
            verbose: 0 says nothing, 1 (or "auto") shows a progress bar, 2 a line an epoch.
            callbacks: list of Callbacks.
            validation_split: fraction of the samples, from 0 to 1, taken from the end for validation.
            validation_data: (x, y), (x, y, sample_weight), or a stream.
            shuffle: whether each epoch takes the samples in another order.
            class_weight: dictionary from class to its weight in the loss.
            sample_weight: weight of each sample in the loss.
            initial_epoch: number of the first epoch, counted from 0.
            steps_per_epoch: batches an epoch; None means all.
            validation_steps: batches of validation; None means all.
            validation_batch_size: samples a batch in validation.
            validation_freq: validate after every so many epochs, or a list of epochs counted from 1.
            resume: folder for the state of the training after each epoch. A program that ended early is run again, and goes on from there as
                if it had never ended; see `callbacks.BackupAndRestore`.

        Returns:
            The `History`: metrics of every epoch.

        Raises:
            ValueError: the model is not compiled, or data that does not fit.

        >>> history = model.fit(x, y, epochs=5, validation_split=0.2)
        """
        self._needs_compile("fit")
        arguments.check_fit(epochs, initial_epoch, verbose, validation_split, validation_data, validation_freq, class_weight)
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = data_module.train_validation_split((x, y, sample_weight), validation_split)
        epochs = min(epochs, settings.get("max_epochs") or epochs)
        data = data_module.adapt(x, y, sample_weight, batch_size, shuffle, class_weight, steps_per_epoch)
        validation = None
        if validation_data is not None:
            validation = self._adapt_validation(validation_data, validation_batch_size or (batch_size if data.arrays is not None else None), validation_steps)
        self.stop_training = False
        batch = data.peek()
        self._ready("fit", batch)
        runner = self._runner("train")
        self._check_targets("fit", data.arrays[1] if data.arrays is not None else batch[1], runner.step.own is None)
        if resume is not None:
            callbacks = with_backup(callbacks, resume)
        if not isinstance(callbacks, CallbackList):
            callbacks = CallbackList(
                callbacks, add_history=True, add_progbar=verbose != 0, verbose=_verbosity(verbose), epochs=epochs, steps=data.num_batches, model=self
            )
        feed, logs = loop.feed_of(runner, data), {}
        with callbacks.running(data):
            callbacks.on_train_begin()
            begin, first = callbacks.start or (initial_epoch, 0)
            for epoch in range(begin, epochs):
                if runner.backend is not backends.current():  # a callback changed it
                    runner = self._runner("train")
                    feed = loop.feed_of(runner, data)
                opening = lambda epoch=epoch: callbacks.on_epoch_begin(epoch)
                found = loop.epoch(runner, data, feed, epoch, callbacks, self.steps_per_execution, first, opening)
                first = 0
                if found is None:
                    if data.exhausted:
                        break
                    raise ValueError(f"fit: the data gave no batch in epoch {epoch + 1}.")
                logs = dict(found)
                if validation is not None and _validates(epoch, validation_freq):
                    results = self._evaluate(validation, callbacks)
                    logs.update({f"val_{name}": value for name, value in results.items()})
                callbacks.on_epoch_end(epoch, logs)
                if self.stop_training:
                    break
            if self.optimizer is not None and epochs > initial_epoch:
                self.optimizer.finalize_variable_values(self.trainable_variables)
            callbacks.on_train_end(logs)
        return self.history

    def _adapt_validation(self, given, batch_size, steps):
        if isinstance(given, (tuple, list)) and 1 <= len(given) <= 3 and not is_stream(given):
            x, y, sample_weight = data_module.unpack_x_y_sample_weight(tuple(given))
        else:
            x, y, sample_weight = given, None, None
        data = data_module.adapt(x, y, sample_weight, batch_size, False, None, steps)
        return data

    def _evaluate(self, data, callbacks):
        """Metrics over all batches; callbacks see it."""
        runner = self._runner("test")
        if data.arrays is not None:
            self._check_targets("evaluate", data.arrays[1], runner.step.own is None)
        if getattr(data, "_feed", None) is None:
            data._feed = loop.feed_of(runner, data)
        callbacks.on_test_begin()
        logs = loop.epoch(runner, data, data._feed, 0, callbacks, self.steps_per_execution)
        if logs is None:
            raise ValueError("evaluate: the data gave no batch.")
        callbacks.on_test_end(logs)
        return logs

    # -- evaluate, predict ----------------------------------------------------------------------------------------------------------

    @user_lines
    def evaluate(
        self, x=None, y=None, batch_size=None, verbose: int | str = "auto", sample_weight=None, steps=None, callbacks=None, return_dict=False, **kwargs
    ):
        """The loss and the metrics on data.

        Args:
            x, y, batch_size, sample_weight, callbacks: as in `fit`.
            verbose: 0 says nothing, 1 (or "auto") shows a progress bar, 2 one line.
            steps: batches; None means all.
            return_dict: whether to return a dictionary by name instead of a list.

        Returns:
            The loss where there are no metrics, else a list: the loss, the losses of single outputs, the metrics: of one output in the order of
            `compile`, of several by name.

        Raises:
            ValueError: the model is not compiled, or data that does not fit.
        """
        if kwargs:
            raise TypeError(f"evaluate has no argument {next(iter(kwargs))!r}.")
        self._needs_compile("evaluate")
        arguments.check_verbose("evaluate", verbose)
        data = data_module.adapt(x, y, sample_weight, batch_size, False, None, steps)
        self._ready("evaluate", data.peek())
        if not isinstance(callbacks, CallbackList):
            callbacks = CallbackList(callbacks, add_progbar=verbose != 0, verbose=_verbosity(verbose), epochs=1, steps=data.num_batches, model=self)
        logs = self._evaluate(data, callbacks)
        return logs if return_dict else self._in_order(logs)

    @user_lines
    def predict(self, x, batch_size=None, verbose: int | str = "auto", steps=None, callbacks=None):
        """The outputs of the model for data.

        Args:
            x: inputs, in any form that `fit` takes.
            batch_size: samples a batch, 32 unless given.
            verbose: 0 says nothing, 1 (or "auto") shows a progress bar, 2 one line.
            steps: batches; None means all.
            callbacks: list of Callbacks.

        Returns:
            A NumPy array with a row a sample, or the structure of the model's outputs of them.

        >>> model.predict(x).argmax(-1)
        """
        most = 32 if batch_size is None else batch_size if type(batch_size) is int else 0
        if type(x) is np.ndarray and verbose == 0 and callbacks is steps is None and self.built and x.ndim and 0 < len(x) <= most:
            return tree.map_structure(_writable, self._one_batch("predict", (to_array(x),)))
        arguments.check_batch_size("predict", batch_size)
        arguments.check_verbose("predict", verbose)
        data = data_module.adapt(x, None, None, batch_size, False, None, steps)
        if not self.built:
            self._ready("predict", data.peek())
        if callbacks is None and verbose == 0:
            return loop.predict(self._runner("predict"), data, None)
        if not isinstance(callbacks, CallbackList):
            callbacks = CallbackList(callbacks, add_progbar=verbose != 0, verbose=_verbosity(verbose), epochs=1, steps=data.num_batches, model=self)
        callbacks.on_predict_begin()
        outputs = loop.predict(self._runner("predict"), data, callbacks)
        callbacks.on_predict_end()
        return outputs

    # -- one batch ------------------------------------------------------------------------------------------------------------------

    def _one_batch(self, mode, batch, runner=None, fresh=False):
        runner, program = runner or self._runner(mode), loop._at(loop.Stream().program((*batch, None, None)[:3]), 1)
        runner.fresh = fresh
        try:
            return runner.run(*program)
        finally:
            runner.sync()

    def _on_batch(self, what, x, y, sample_weight, class_weight, return_dict):
        self._needs_compile(f"{what}_on_batch")
        arguments.check_class_weight(f"{what}_on_batch", class_weight)
        data = data_module.adapt(x, y, sample_weight, 2**31, False, class_weight, None)
        batch = data.peek()
        self._ready("fit" if what == "train" else what, batch)
        runner = self._runner(what)
        self._check_targets(f"{what}_on_batch", batch[1], runner.step.own is None)
        logs = runner.read(self._one_batch(what, batch, runner, fresh=True))
        return logs if return_dict else self._in_order(logs)

    @user_lines
    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """Make one update on one batch; the metrics are those of this batch.

        Args:
            x, y, sample_weight, class_weight: as in `fit`.
            return_dict: whether to return a dictionary by name.

        Returns:
            As `evaluate`.
        """
        return self._on_batch("train", x, y, sample_weight, class_weight, return_dict)

    @user_lines
    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """The loss and metrics of one batch; as `train_on_batch`, without an update."""
        return self._on_batch("test", x, y, sample_weight, None, return_dict)

    @user_lines
    def predict_on_batch(self, x):
        """The outputs for one batch, as NumPy arrays."""
        x = data_module.adapt(x, None, None, 2**31, False).arrays[0]
        if not self.built:
            self._ready("predict", (x, None, None))
        return tree.map_structure(_writable, self._one_batch("predict", (x,)))

    def _in_order(self, logs):
        """Values of logs as a list: the loss, then what metrics are called in `metrics`, then the rest by name; one number where there is no other."""
        names = []
        for metric in self.metrics:
            names += [part.name for part in metric.metrics] if isinstance(metric, CompiledMetrics) else [metric.name]
        known = list(dict.fromkeys(name for name in ["loss", *names] if name in logs))
        values = [logs[name] for name in [*known, *sorted(set(logs) - set(known))]]
        return values[0] if len(values) == 1 else values


def _mean(name):
    return metrics.Mean(name=name)


def _writable(x):
    """A NumPy array of `x` that is the caller's own."""
    return np.array(backends.numpy(x))


def _verbosity(verbose):
    return 1 if verbose == "auto" else int(verbose)


def _validates(epoch, frequency):
    if hasattr(frequency, "__index__"):
        return (epoch + 1) % frequency == 0
    return epoch + 1 in frequency


def _shown(loss):
    return repr(loss if isinstance(loss, str) else getattr(loss, "name", None) or getattr(loss, "__name__", loss))
