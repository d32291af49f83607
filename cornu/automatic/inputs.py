"""The inputs: what kind of data they are, and as arrays that a model takes."""

import numpy as np

from cornu import backends
from cornu.utils import pad_sequences

KINDS = ("table", "image", "series", "tokens")
LONGEST = 500  # tokens of a text that are read
MOST_CATEGORIES = 100  # different values in a column that is no number


class Inputs:
    """What the inputs are, learned from the first of them.

    Args:
        kind: "table" (samples, columns); "image" (samples, height, width) or with channels; "series" (samples, steps, features); "tokens"
            (samples, steps) of whole numbers that name words.
        shape: sizes of a sample, as the model takes it.
        why: why this kind, in words.
        columns: names of a data frame's columns, in order, or None.
        categories: name of a column that is no number -> its values in order.
        vocabulary: for tokens, one more than the largest number.
    """

    def __init__(self, kind, shape, why="", columns=None, categories=None, vocabulary=None):
        self.kind, self.shape, self.why = kind, tuple(shape), why
        self.columns, self.categories, self.vocabulary = columns, categories or {}, vocabulary

    @classmethod
    def study(cls, x, kind=None):
        """The Inputs that `x` are, and `x` as an array.

        Raises:
            ValueError, TypeError: data that no model can be made for.
        """
        if kind is not None and kind not in KINDS:
            raise ValueError(f"Keras: kind must be one of {', '.join(map(repr, KINDS))}, or None; got {kind!r}.")
        columns, categories = None, {}
        if _is_frame(x):
            columns, categories = [str(name) for name in x.columns], _categories(x)
            found = cls("table", (), columns=columns, categories=categories)
            array = found._of_frame(x)
        else:
            array = _array(x, None)
        _check_values(array, columns)
        chosen, why = (kind, "as you said") if kind is not None else _kind_of(array)
        if kind is None and columns is None and _rows_of_many_lengths(x):
            chosen, why = "tokens", "lists of whole numbers of many lengths"
        if columns is not None and kind is None:
            chosen, why = "table", f"a data frame of {len(columns)} columns" + (f", {len(categories)} of them one-hot" if categories else "")
        array = _shaped(array, chosen)
        vocabulary = int(array.max()) + 1 if chosen == "tokens" else None
        return cls(chosen, array.shape[1:], why, columns, categories, vocabulary), array

    def encode(self, x):
        """`x` as an array that the model takes.

        Raises:
            ValueError: it is of another form than what the model was made for.
        """
        if self.columns is not None:
            if not _is_frame(x):
                array = _array(x, None)
                if self.categories or array.shape[1:] != self.shape:
                    raise ValueError(f"Keras: x must be a data frame with the columns {', '.join(self.columns)}, as in fit; got {type(x).__name__}.")
            else:
                array = self._of_frame(x)
        else:
            array = _array(x, self.shape[0] if self.kind == "tokens" else None)
        _check_values(array, self.columns)
        array = _shaped(array, self.kind)
        if array.shape[1:] != self.shape:
            raise ValueError(
                f"Keras: the model was made for samples of the shape {self.shape}; got {array.shape[1:]}. One sample alone needs a batch axis: x[None]."
            )
        if self.kind == "tokens":
            array = np.where(array < self.vocabulary, array, 0)  # words that were not there in training
        return array

    def _of_frame(self, frame):
        missing = [name for name in self.columns if name not in map(str, frame.columns)]
        if missing:
            raise ValueError(f"Keras: the data frame has no column {missing[0]!r}, which was there in fit. It has {', '.join(map(str, frame.columns))}.")
        named, parts = {str(name): frame[name] for name in frame.columns}, []
        for name in self.columns:
            column = named[name]
            lost = int(column.isna().sum())
            if lost:
                raise ValueError(f"Keras: the column {name!r} of x has {lost} missing values: fill them (frame.fillna(...)) or leave their rows out.")
            if name in self.categories:
                parts.append(column.astype(str).to_numpy()[:, None] == np.array(self.categories[name], dtype=object))
            else:
                parts.append(column.to_numpy().astype("float32")[:, None])
        return np.concatenate([part.astype("float32") for part in parts], 1)

    def config(self):
        return {key: getattr(self, key) for key in ("kind", "shape", "why", "columns", "categories", "vocabulary")}


def _is_frame(x):
    return hasattr(x, "columns") and hasattr(x, "to_numpy")


def _categories(frame):
    """The columns that are no numbers, with their values in order."""
    found = {}
    for name in frame.columns:
        kind = getattr(frame[name].dtype, "kind", "O")
        if kind in "iufb":
            continue
        if kind in "mM":
            raise ValueError(f"Keras: the column {str(name)!r} of x holds dates: turn them into numbers, such as frame[{name!r}].dt.dayofyear.")
        values = sorted({str(value) for value in frame[name].dropna()})
        if len(values) > MOST_CATEGORIES:
            raise ValueError(
                f"Keras: the column {str(name)!r} of x is no number and has {len(values)} different values, more than {MOST_CATEGORIES}: leave it out or group them."
            )
        found[str(name)] = values
    return found


def _array(x, steps):
    """`x` as one array; lists of whole numbers of unequal lengths are tokens and become rows of `steps`, zeros before."""
    if isinstance(x, (str, bytes, dict, set)) or x is None:
        raise TypeError(f"Keras: x must be an array, a list, a tensor or a data frame, with a row for each sample; got {type(x).__name__}.")
    if hasattr(x, "__next__") or (hasattr(x, "__getitem__") and hasattr(x, "on_epoch_end")):
        raise TypeError("Keras: x must be data in memory, for the model is made from all of it; got batches. With batches, compile a Sequential yourself.")
    rows = _rows_of_many_lengths(x)
    if rows:
        if not all(np.issubdtype(np.asarray(row).dtype, np.integer) for row in rows if len(row)):
            raise ValueError("Keras: the rows of x have unequal lengths, and are not whole numbers that name words: make them equal.")
        longest = steps or min(LONGEST, max(len(row) for row in rows))
        return pad_sequences(rows, maxlen=longest)
    array = backends.numpy(x) if not isinstance(x, (list, tuple)) else np.asarray(x)
    if array.dtype.kind in "OUS":
        try:
            array = array.astype("float32")
        except (TypeError, ValueError):
            raise ValueError(
                f"Keras: x holds {type(array.flat[0]).__name__} such as {array.flat[0]!r}, no numbers: columns of a data frame may hold names; words become numbers first."
            ) from None
    if array.dtype.kind == "c":
        raise ValueError("Keras: x holds complex numbers: give their real and imaginary parts as two features.")
    if array.dtype.kind == "b":
        array = array.astype("float32")
    if array.ndim == 0:
        raise ValueError("Keras: x is a single number; wanted a row for each sample.")
    if steps and array.ndim == 2 and array.shape[1] != steps:
        array = pad_sequences(array, maxlen=steps)
    return array[:, None] if array.ndim == 1 else array


def _rows_of_many_lengths(x):
    """The rows of `x`, where it is a list (or an array of objects) of lists or arrays that are not all of one length; else None."""
    if not isinstance(x, (list, tuple)) and getattr(getattr(x, "dtype", None), "kind", "") != "O":
        return None
    rows = list(x)
    if not all(isinstance(row, (list, tuple, np.ndarray)) for row in rows) or len({len(row) for row in rows}) < 2:
        return None
    return rows


def _check_values(array, columns):
    if not array.size:
        raise ValueError(f"Keras: x is empty: its shape is {array.shape}.")
    if array.dtype.kind != "f":
        return
    bad = ~np.isfinite(array)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        named = f"the column {columns[place[1]]!r}" if columns is not None and len(columns) == array.shape[1] else f"x[{', '.join(map(str, place))}]"
        raise ValueError(f"Keras: x has {int(bad.sum())} values that are NaN or infinite, the first in {named}: fill them or leave their rows out.")


def _kind_of(array):
    """The kind of an array, and why."""
    if array.ndim == 2:
        return (
            ("tokens", "whole numbers of one large range in every column: words by number")
            if _are_tokens(array)
            else ("table", "two axes: samples and columns")
        )
    if array.ndim == 4:
        return "image", "four axes: samples, height, width, channels"
    if array.ndim == 3 and (array.dtype == np.uint8 or (array.shape[1] == array.shape[2] and array.shape[1] >= 8)):
        return "image", "three axes, of square or 8-bit pictures in gray"
    if array.ndim == 3:
        return "series", "three axes: samples, steps, features"
    raise ValueError(f"Keras: x has {array.ndim} axes (shape {array.shape}); wanted 2 (table, tokens), 3 (series, gray pictures) or 4 (pictures).")


def _are_tokens(array):
    """Whether the columns share one range of whole numbers wider than that of bytes."""
    if array.dtype.kind not in "iu" or array.shape[1] < 8 or array.min() < 0 or array.max() < 256:
        return False
    return float(np.mean(array.max(0) > array.max() / 4)) > 0.5


def _shaped(array, kind):
    """`array` with the axes and the type of its kind."""
    wanted = {"table": (2,), "tokens": (2,), "series": (3,), "image": (3, 4)}[kind]
    if array.ndim not in wanted:
        raise ValueError(f"Keras: data of the kind {kind!r} has {' or '.join(map(str, wanted))} axes, the samples first; got the shape {array.shape}.")
    if kind == "tokens":
        if array.dtype.kind not in "iu" and np.any(array != np.round(array)) or array.min() < 0:
            raise ValueError("Keras: tokens are whole numbers of at least 0 that name words.")
        return array.astype("int32")
    if kind == "image":
        array = array[..., None] if array.ndim == 3 else array
        if array.shape[1] in (1, 3, 4) and array.shape[3] not in (1, 3, 4):
            array = np.moveaxis(array, 1, 3)
        return array if array.dtype == np.uint8 else array.astype("float32", copy=False)
    return array.astype("float32", copy=False)
