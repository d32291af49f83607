"""A model that configures itself from the data.

from cornu.api import Keras

keras = Keras()
keras.fit(x_train, y_train)
score = keras.evaluate(x_test, y_test)
keras.predict(x_test)
"""

import json
import os
import zipfile

import numpy as np

from cornu.automatic.architecture import LOSSES, METRICS, made
from cornu.automatic.inputs import KINDS, Inputs
from cornu.automatic.targets import TASKS, Targets
from cornu.callbacks import EarlyStopping
from cornu.saving import archive, atomic, limits, load_model
from cornu.saving.limits import CorruptFileError

CHOICES = "automatic.json"  # the member of a .keras file that says what the model takes and gives
STEPS = 4000  # updates of the weights that training may take unless `epochs` says otherwise


class Keras:
    """A model that configures itself from the data: what comes in, what is asked, the layers, the training.

    The labels set the task (yes or no, one of several classes, several marks, numbers), the shape and type of the inputs say what they are (a
    table, pictures, series, words by number). What was chosen, and why, is printed by `fit` and stands in `choices`.

    Args:
        task: "binary", "multiclass", "multilabel" or "regression", where the labels alone do not tell; None looks at them.
        kind: "table", "image", "series" or "tokens"; None looks at the inputs.

    Attributes:
        model: the Model, after `fit`: for numbers as they are, normalization included.
        choices: lines that say what was chosen and why.
        history: the History of the last `fit`.

    >>> keras = Keras()
    >>> x = np.random.default_rng(0).normal(size=(200, 3))
    >>> history = keras.fit(x, np.where(x[:, 0] > 0, "yes", "no"), epochs=20, verbose=0)
    >>> keras.predict([[2.0, 0.0, 0.0], [-2.0, 0.0, 0.0]]).tolist()
    ['yes', 'no']
    """

    def __init__(self, task=None, kind=None):
        if task is not None and task not in TASKS:
            raise ValueError(f"Keras: task must be one of {', '.join(map(repr, TASKS))}, or None; got {task!r}.")
        if kind is not None and kind not in KINDS:
            raise ValueError(f"Keras: kind must be one of {', '.join(map(repr, KINDS))}, or None; got {kind!r}.")
        self.task, self.kind = task, kind
        self._model = self.history = None
        self.choices = []

    @property
    def model(self):
        """The Model that `fit` made.

        Raises:
            AttributeError: nothing was fitted yet.
        """
        if self._model is None:
            raise AttributeError("Keras: there is no model yet: it is made from the data by fit(x, y).")
        return self._model

    def fit(
        self,
        x,
        y,
        epochs=None,
        batch_size=None,
        verbose: int | str = "auto",
        callbacks=None,
        validation_split=None,
        validation_data=None,
        sample_weight=None,
        class_weight=None,
    ):
        """Make a model for the data and train it; a model that was there before is given up.

        Args:
            x: inputs with a row for each sample: an array, a list, a tensor or a data frame, whose columns may hold names.
            y: labels: numbers, names, one-hot rows, rows of zeros and ones, or rows of numbers.
            epochs: the most passes over the data; training ends before where it no longer helps. None chooses.
            batch_size: samples an update; None chooses.
            verbose: 0 says nothing, 1 (or "auto") says what was chosen and shows a progress bar, 2 a line an epoch.
            callbacks: list of Callbacks.
            validation_split: fraction of the samples, from 0 to 1, kept aside to see when to stop; None chooses, 0 trains on all to the end.
            validation_data: (x, y) to see when to stop by, in place of a part kept aside.
            sample_weight: weight of each sample in the loss.
            class_weight: dictionary from label to its weight in the loss.

        Returns:
            The History.

        Raises:
            ValueError, TypeError: data that no model can be made for; the message says what to do.
        """
        inputs, x = Inputs.study(x, self.kind)
        targets, y = Targets.study(y, self.task)
        if len(x) != len(y):
            raise ValueError(f"Keras: x has {len(x)} samples, and y has {len(y)} labels: there must be one for each.")
        if sample_weight is not None and np.shape(sample_weight) != (len(x),):
            raise ValueError(f"Keras: sample_weight must have one number for each of {len(x)} samples; got the shape {np.shape(sample_weight)}.")
        kept, rest = _kept_aside(y, targets, validation_split, validation_data)
        if validation_data is not None:
            aside = (inputs.encode(validation_data[0]), targets.encode(validation_data[1]))
        else:
            aside = (x[kept], y[kept]) if len(kept) else None
        if len(kept):
            x, y = x[rest], y[rest]
            sample_weight = None if sample_weight is None else np.asarray(sample_weight)[rest]
        batch_size = batch_size or int(np.clip(2 ** round(np.log2(max(len(x), 1) / 400 + 1e-9)), 16, 128))
        steps = -(-len(x) // batch_size)
        most = epochs or int(np.clip(-(-STEPS // steps), 5, 200))
        model, words = made(inputs, targets, x, y)
        model.compile("adam", LOSSES[targets.task], metrics=[METRICS[targets.task]])
        stops = f"until {len(aside[0]):,} samples {'kept aside' if len(kept) else 'of validation_data'} get no better, " if aside else ""
        self.choices = [
            f"data: {_KIND_WORDS[inputs.kind].format(' x '.join(map(str, inputs.shape)))} ({inputs.why})",
            f"task: {_TASK_WORDS[targets.task].format(targets.outputs)} ({targets.why})",
            f"model: {words}; {model.count_params():,} parameters",
            f"training: Adam on {LOSSES[targets.task]}, {len(x):,} samples in batches of {batch_size}, {stops}at most {most} epochs",
        ]
        if verbose != 0:
            print("\n".join(self.choices))
        found = [EarlyStopping("val_loss", patience=max(3, most // 10), restore_best_weights=True)] if aside else []
        self.history = model.fit(
            x,
            y,
            batch_size=batch_size,
            epochs=most,
            verbose=verbose,
            callbacks=[*found, *(callbacks or ())],
            validation_data=aside,
            sample_weight=sample_weight,
            class_weight=_by_place(class_weight, targets),
        )
        self._model, self._inputs, self._targets = model, inputs, targets
        return self.history

    def evaluate(self, x, y, batch_size=None, verbose: int | str = "auto", sample_weight=None, return_dict=False):
        """The loss, and the accuracy (for numbers: the mean absolute error), on data in the form of `fit`'s.

        Returns:
            A list of the two, or with `return_dict` a dictionary.

        Raises:
            ValueError: data of another form, or a label that was not there in `fit`.
        """
        model = self.model
        x, y = self._inputs.encode(x), self._targets.encode(y)
        return model.evaluate(x, y, batch_size, verbose, sample_weight, return_dict=return_dict)

    def predict(self, x, batch_size=None, verbose: int | str = 0):
        """The answers for `x`, in the form of the labels of `fit`: classes, rows of zeros and ones, or numbers."""
        outputs = self._outputs(x, batch_size, verbose)
        return self._targets.decode(outputs)

    def predict_proba(self, x, batch_size=None, verbose: int | str = 0):
        """The probability of each class (samples, classes), in the order of `classes`; of each mark for a task of several.

        Raises:
            ValueError: the task is a regression.
        """
        outputs = self._outputs(x, batch_size, verbose)
        if self._targets.task == "regression":
            raise ValueError("Keras: a regression gives numbers, no probabilities: use predict.")
        return np.concatenate([1 - outputs, outputs], 1) if self._targets.task == "binary" else outputs

    @property
    def classes(self):
        """The labels in order, for tasks that have classes; else None."""
        return self._targets.classes if self._model is not None else None

    def prepare(self, x):
        """`x` as the array that `model` takes: columns of names one-hot, lists of words filled up."""
        return self._inputs.encode(x) if self._model is not None else self.model

    def _outputs(self, x, batch_size, verbose):
        model = self.model
        return model.predict(self._inputs.encode(x), batch_size, verbose)

    def summary(self, **options):
        """Print the layers of the model."""
        self.model.summary(**options)

    def save(self, filepath, overwrite=True):
        """Write the model and what is known of the data to a `.keras` file; `Keras.load` makes the object again, `load_model` the model alone.

        Raises:
            ValueError: nothing was fitted, or another ending.
            FileExistsError: the file exists, and `overwrite` is False.
        """
        path, model = os.fspath(filepath), self.model
        if not path.endswith(".keras"):
            raise ValueError(f"Keras.save: the file must end in .keras; got {path!r}.")
        if not overwrite and os.path.exists(path):
            raise FileExistsError(f"Keras.save: {path} exists, and overwrite=False.")
        told = {"inputs": self._inputs.config(), "targets": self._targets.config(), "choices": self.choices}
        with atomic.replacing(path) as beside:
            archive.write(model, beside)
            with zipfile.ZipFile(beside, "a") as file:
                file.writestr(CHOICES, json.dumps(told))

    @classmethod
    def load(cls, filepath):
        """The object that `save` wrote.

        Raises:
            ValueError: the file holds a model that was not made by `Keras`, or is damaged.
        """
        path = os.fspath(filepath)
        with limits.reading(path):
            limits.opened(path)
            with zipfile.ZipFile(path) as file:
                limits.check_archive(file)
                if CHOICES not in file.namelist():
                    raise CorruptFileError(f"it has no {CHOICES}: it holds a model that Keras did not make. Open it with load_model.")
                told = limits.parsed(limits.member(file, CHOICES).decode("utf-8"), CHOICES)
        made = cls()
        try:
            made._inputs, made._targets, made.choices = Inputs(**told["inputs"]), Targets(**told["targets"]), list(told["choices"])
        except (KeyError, TypeError) as error:
            raise CorruptFileError(f"{path}: {CHOICES} does not say what it should: {error}.") from None
        made._model = load_model(path)
        return made

    def __repr__(self):
        return f"<Keras {self._inputs.kind}, {self._targets.task}>" if self._model is not None else "<Keras, not fitted>"


_KIND_WORDS = {"table": "a table of {} columns", "image": "pictures of {}", "series": "series of {}", "tokens": "texts of {} words by number"}
_TASK_WORDS = {"binary": "yes or no", "multiclass": "one of {} classes", "multilabel": "any of {} marks", "regression": "{} real number(s)"}


def _kept_aside(y, targets, fraction, given):
    """(rows to see when to stop by, the other rows): the same share of each class, chosen by a fixed shuffle."""
    if fraction is not None and not 0 <= fraction < 1:
        raise ValueError(f"Keras: validation_split must be a fraction from 0 to less than 1; got {fraction!r}.")
    if fraction is None:
        fraction = 0.1 if len(y) >= 1000 else 0.2
    if given is not None or fraction == 0 or len(y) < 20:
        return np.arange(0), np.arange(len(y))
    order = np.random.Generator(np.random.Philox(key=len(y))).permutation(len(y))
    groups = [order]
    if targets.classes is not None and targets.task != "multilabel":
        labels = y.reshape(-1)[order]
        groups = [order[labels == label] for label in np.unique(labels)]
    kept = np.concatenate([group[: round(fraction * len(group))] for group in groups])
    return np.sort(kept), np.setdiff1d(np.arange(len(y)), kept)


def _by_place(class_weight, targets):
    """Weights by the number of the class, from weights by label."""
    if class_weight is None:
        return None
    if targets.classes is None or targets.task == "multilabel":
        raise ValueError(f"Keras: class_weight needs classes; the task is {targets.task!r}.")
    unknown = [label for label in class_weight if label not in targets.classes]
    if unknown:
        raise ValueError(f"Keras: class_weight names {unknown[0]!r}; the labels are {', '.join(map(repr, targets.classes[:20]))}.")
    return {i: float(class_weight.get(label, 1.0)) for i, label in enumerate(targets.classes)}
