"""The labels: which task they set, and how they look to a model and to people."""

import numpy as np

from cornu import backends

TASKS = ("binary", "multiclass", "multilabel", "regression")
FEW = 20  # different whole numbers that may be classes though some between them are missing
PER_CLASS = 5  # samples a class, on average, below which whole numbers are quantities
MOST_CLASSES = 1000


class Targets:
    """The task that labels set, learned from the first of them.

    Args:
        task: "binary", "multiclass", "multilabel" or "regression".
        why: why this task, in words.
        classes: the labels in order, for "binary" and "multiclass"; names of the columns, or None, for the others.
        outputs: numbers that the model gives for a sample.
        one_hot: whether labels come as rows of zeros and a one.
        flat: whether labels come as one number a sample.
    """

    def __init__(self, task, why="", classes=None, outputs=1, one_hot=False, flat=True):
        self.task, self.why, self.classes, self.outputs, self.one_hot, self.flat = task, why, classes, outputs, one_hot, flat

    @classmethod
    def study(cls, y, task=None):
        """The Targets that `y` are, and `y` as the model's loss takes it.

        Raises:
            ValueError: labels that set no task.
        """
        if task is not None and task not in TASKS:
            raise ValueError(f"Keras: task must be one of {', '.join(map(repr, TASKS))}, or None; got {task!r}.")
        columns = [str(name) for name in y.columns] if hasattr(y, "columns") else None
        array = _array(y)
        wide = array.ndim == 2 and array.shape[1] > 1
        found = cls._of_rows(array, columns, task) if wide else cls._of_numbers(array.reshape(-1), task)
        found.flat = not wide and array.ndim == 1
        return found, found.encode(y)

    @classmethod
    def _of_rows(cls, array, columns, task):
        width = array.shape[1]
        marks = array.dtype.kind in "biuf" and bool(np.isin(array, (0, 1)).all())
        single = marks and bool((array.sum(1) == 1).all())
        if task in (None, "multiclass") and single:
            return cls("multiclass", f"each row has a single 1 among {width}: one-hot", columns or list(range(width)), width, True)
        if task in (None, "multilabel") and marks:
            return cls("multilabel", f"rows of {width} zeros and ones, with any number of ones", columns, width)
        if task in (None, "regression") and array.dtype.kind in "iuf":
            return cls("regression", f"rows of {width} numbers", columns, width)
        raise ValueError(f"Keras: labels of the shape {array.shape} and type {array.dtype} do not set the task {task or 'of any kind'!r}.")

    @classmethod
    def _of_numbers(cls, array, task):
        values = np.unique(array)
        named = array.dtype.kind not in "iuf"
        if task == "regression" or (task is None and not named and not _are_classes(values, len(array))):
            if named and array.dtype.kind != "b":
                raise ValueError(f"Keras: regression needs numbers as labels; got {values[0]!r}.")
            return cls("regression", f"the labels are numbers of {len(values)} different values")
        if task == "multilabel":
            raise ValueError("Keras: the labels of the task 'multilabel' are rows of zeros and ones; got one label a sample.")
        if len(values) < 2:
            raise ValueError(f"Keras: all labels are {values[0]!r}: there is nothing to learn. Give samples of at least two classes.")
        if task == "binary" and len(values) > 2:
            raise ValueError(f"Keras: the task 'binary' has two labels; y has {len(values)}.")
        classes = values.tolist()
        if len(values) == 2 and task != "multiclass":
            return cls("binary", f"the labels have two values, {classes[0]!r} and {classes[1]!r}", classes)
        shown = ", ".join(map(repr, classes[:3])) + (f" ... {classes[-1]!r}" if len(classes) > 3 else "")
        return cls("multiclass", f"the labels have {len(classes)} values, {shown}", classes, len(classes))

    def encode(self, y):
        """`y` as the model's loss takes it.

        Raises:
            ValueError: labels of another form, or a class that was not there in `fit`.
        """
        array = _array(y)
        if self.classes is None or self.task == "multilabel" or self.one_hot or self.task == "regression":
            array = array.reshape(len(array), -1)
            if array.shape[1] != self.outputs:
                raise ValueError(f"Keras: the labels in fit had {self.outputs} columns; got {array.shape[1]}.")
            if array.dtype.kind not in "biuf":
                raise ValueError(f"Keras: the labels in fit were numbers; got {array.flat[0]!r}.")
            return array.argmax(1).astype("int32") if self.one_hot else array.astype("float32")
        array, classes = array.reshape(-1), np.array(self.classes)
        places = np.searchsorted(classes, array) if array.dtype.kind in "biuf" and classes.dtype.kind in "biuf" else _places(self.classes, array)
        places = np.minimum(places, len(classes) - 1)
        unknown = classes[places] != array
        if unknown.any():
            raise ValueError(f"Keras: the label {array[unknown].tolist()[0]!r} was not there in fit; the labels are {', '.join(map(repr, self.classes[:20]))}.")
        return places.astype("float32")[:, None] if self.task == "binary" else places.astype("int32")

    def decode(self, outputs):
        """The labels for what a model gives."""
        if self.task == "regression":
            return outputs[:, 0] if self.flat else outputs
        if self.task == "multilabel":
            return (outputs > 0.5).astype("int32")
        return np.array(self.classes)[(outputs[:, 0] > 0.5).astype(int) if self.task == "binary" else outputs.argmax(1)]

    def config(self):
        return {key: getattr(self, key) for key in ("task", "why", "classes", "outputs", "one_hot", "flat")}


def _array(y):
    if y is None:
        raise ValueError("Keras: fit needs labels: fit(x, y).")
    if hasattr(y, "isna") and (lost := int(np.sum(y.isna().to_numpy()))):
        raise ValueError(f"Keras: y has {lost} missing values: leave their rows out.")
    array = np.asarray(y) if isinstance(y, (list, tuple)) else y.to_numpy() if hasattr(y, "to_numpy") else backends.numpy(y)
    if array.dtype.kind == "O":
        array = array.astype(str) if not all(isinstance(value, (int, float, np.number)) for value in array.flat) else array.astype("float64")
    if array.ndim == 0 or array.ndim > 2:
        raise ValueError(f"Keras: y must have one axis, or two: a row for each sample; got the shape {array.shape}.")
    if not array.size:
        raise ValueError(f"Keras: y is empty: its shape is {array.shape}.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"Keras: y has {int((~np.isfinite(array)).sum())} values that are NaN or infinite: leave their rows out.")
    return array


def _are_classes(values, count):
    """Whether numbers with these different values, `count` of them in all, name classes."""
    if np.any(values != np.round(values)):
        return False
    if len(values) <= 2:
        return True
    unbroken = values[0] in (0, 1) and values[-1] - values[0] == len(values) - 1
    if values.dtype.kind == "f":
        return unbroken and len(values) <= FEW and count >= PER_CLASS * len(values)
    return (unbroken and len(values) <= min(MOST_CLASSES, max(count // PER_CLASS, FEW))) or len(values) <= min(FEW, count // PER_CLASS)


def _places(classes, array):
    known = {value: i for i, value in enumerate(classes)}
    return np.array([known.get(value, 0) for value in array.tolist()])
