"""Data that lies in memory: checked once, turned into NumPy arrays, cut into batches."""

import math
import numbers
from collections.abc import Mapping

import numpy as np

from cornu import backends, dtypes, settings, tree
from cornu.training.data.faults import warn
from cornu.training.data.sources import ACCEPTED, is_array_like, is_numbers


def to_arrays(structure, name):
    """`structure` with an array in place of each leaf; None stays None.

    Args:
        structure: one thing that becomes an array, or lists, tuples and dictionaries of such.
        name: what errors call it; the parts are `name[0]`, `name["key"]`.
    """
    if structure is None:
        return None
    if isinstance(structure, np.ndarray):
        return _computable(structure, name)
    if isinstance(structure, Mapping):
        return {key: to_arrays(part, f"{name}[{key!r}]") for key, part in structure.items()}
    if isinstance(structure, (list, tuple)) and structure and not is_numbers(structure):
        parts = [to_arrays(part, f"{name}[{i}]") for i, part in enumerate(structure)]
        return type(structure)(*parts) if hasattr(structure, "_fields") else type(structure)(parts)
    return to_array(structure, name)


def to_array(x, name="x"):
    """`x` as a NumPy array of a type that backends compute with: float64 becomes `floatx`, int64 becomes int32 where no 64-bit types exist.

    Raises:
        ValueError: text, objects, lists of unequal length, dates, numbers too large for the type, or nothing that holds numbers.
    """
    if isinstance(x, np.ndarray):
        array = x
    elif isinstance(x, (list, tuple, range, numbers.Number)):
        try:
            array = np.asarray(x)
        except ValueError:
            raise ValueError(_ragged(name, x)) from None
    elif not is_array_like(x):
        raise ValueError(f"{name}: data of type {type(x).__name__} is not understood.{backends.densely(x) or f' Wanted {ACCEPTED}.'}")
    elif hasattr(x, "tocsr"):
        array = x.toarray()
    elif hasattr(x, "to_numpy"):
        array = _from_frame(x, name)
    else:
        array = np.asarray(backends.numpy(x))
    return _computable(array, name)


def _ragged(name, parts):
    lengths = ", ".join(str(len(part)) if hasattr(part, "__len__") else "none" for part in parts[:5])
    return f"{name}: its parts have unequal lengths (the first: {lengths}), so that they make no array. Pad them first: keras.utils.pad_sequences({name})."


def _from_frame(frame, name):
    array = frame.to_numpy()
    if array.dtype.kind != "O":
        return array
    columns = frame.dtypes.items() if hasattr(frame, "columns") and hasattr(frame.dtypes, "items") else ()
    bad = [str(column) for column, kind in columns if str(kind) in ("object", "str", "string", "category")]
    if bad:
        raise ValueError(
            f"{name}: these columns hold no numbers: {', '.join(bad)}. Turn them into numbers first (StringLookup, pandas.get_dummies), or leave them out."
        )
    try:  # columns that may lack values
        return frame.to_numpy(dtype="float64", na_value=np.nan)
    except (TypeError, ValueError):
        return array


def _computable(array, name):
    kind = array.dtype.kind
    if kind == "f":
        if array.dtype.itemsize >= 8:
            array = array.astype(settings.floatx() if settings.floatx() != "bfloat16" else "float32", copy=False)
    elif kind in "iu":
        array = _narrowed(array, name)
    elif kind == "O":
        first = array.flat[0] if array.size else None
        if isinstance(first, (list, tuple, np.ndarray)):
            raise ValueError(_ragged(name, array))
        raise ValueError(
            f"{name}: an array of Python objects (the first is {first!r}, a {type(first).__name__}) holds no numbers. Convert it, for instance {name}.astype('float32')."
        )
    elif kind in "US":
        raise ValueError(f"{name}: text ({str(array.flat[0])!r} ...) must be turned into numbers first: keras.layers.TextVectorization or StringLookup.")
    elif kind in "Mm":
        raise ValueError(f"{name}: dates and times must be turned into numbers first, for instance ({name} - {name}.min()) / numpy.timedelta64(1, 'D').")
    elif kind == "V":
        dtypes.standardize(array.dtype)  # bfloat16 and the 8-bit floats
    return array


def _narrowed(array, name):
    wanted = backends.canonical(array.dtype.name)
    if wanted == array.dtype.name:
        return array
    bounds = np.iinfo(wanted)
    if array.size and (array.min() < bounds.min or array.max() > bounds.max):
        raise ValueError(
            f"{name}: {array.dtype.name} numbers from {array.min()} to {array.max()} do not fit {wanted}, the widest integer type here. Number them anew."
        )
    return array.astype(wanted)


def named_leaves(structure, name):
    """Pairs (name, array) of the leaves of `structure`, as errors call them."""
    if structure is None:
        return
    if isinstance(structure, np.ndarray):
        yield name, structure
        return
    for path, leaf in tree.flatten_with_path(structure):
        if leaf is not None:
            yield name + "".join(f"[{key!r}]" for key in path), leaf


def check_lengths(x, y=None, sample_weight=None):
    """The number of samples that all arrays share.

    Raises:
        ValueError: an array without samples, arrays of unequal length, or a single number.
    """
    leaves = [pair for part, name in ((x, "x"), (y, "y"), (sample_weight, "sample_weight")) for pair in named_leaves(part, name)]
    if not leaves:
        raise ValueError(f"x is None: there is no data. Wanted {ACCEPTED}.")
    for name, array in leaves:
        if array.ndim == 0:
            raise ValueError(f"{name}: wanted data whose first axis counts samples; got the single number {array}.")
        if array.shape[0] == 0:
            raise ValueError(f"{name} is empty: its shape is {array.shape}, it has no samples.")
    lengths = {array.shape[0] for _, array in leaves}
    if len(lengths) == 1:
        return leaves[0][1].shape[0]
    shown = leaves if len(leaves) <= 12 else leaves[:12]
    hint = ""
    if isinstance(x, (list, tuple)) and len(x) > 1 and y is not None and len(x) in {array.shape[0] for _, array in named_leaves(y, "y")}:
        hint = f" x is a list of {len(x)} arrays, and each counts as one input of the model; for samples of one input pass numpy.stack(x)."
    raise ValueError(
        f"The arrays must have the same number of samples, but they differ: {', '.join(f'{name} has {array.shape[0]}' for name, array in shown)}.{hint}"
    )


@np.errstate(all="ignore")
def _sum(array):
    return np.add.reduce(array, axis=None)


def warn_not_finite(x, y=None, sample_weight=None):
    """A warning for each array of floats that holds NaN or infinity, with how many. One sum an array where all is well."""
    for part, name in ((x, "x"), (y, "y"), (sample_weight, "sample_weight")):
        for leaf_name, array in named_leaves(part, name):
            if array.dtype.kind != "f":
                continue
            if np.isfinite(_sum(array)):
                continue
            nan, infinite = int(np.isnan(array).sum()), int(np.isinf(array).sum())
            found = " and ".join(f"{count} {what}" for count, what in ((nan, "NaN"), (infinite, "infinite")) if count)
            if found:
                warn(
                    f"{leaf_name} holds {found} of {array.size} values: the loss and the weights will most likely become NaN. Replace them or leave out those samples."
                )


def class_weights_of(y, class_weight):
    """The weight of each sample by its class.

    Args:
        y: classes as integers, shape (samples,) or (samples, 1), or one-hot rows, shape (samples, classes).
        class_weight: dictionary from class to weight. A class that is not there weighs 1, and a warning says so.

    Returns:
        float array of shape (samples,).

    Raises:
        ValueError: several outputs, `y` of more than two axes, or a key that is no integer.
    """
    if y is None or tree.is_nested(y):
        raise ValueError("class_weight is for models with a single output y. For several outputs give sample_weight.")
    for key in class_weight:
        if not isinstance(key, (int, np.integer)):
            raise ValueError(f"class_weight: the keys must be the classes as integers; got {key!r}.")
    y = np.asarray(y)
    if y.ndim > 2:
        raise ValueError(
            f"class_weight: y must have the shape (samples,), (samples, 1) or (samples, classes), but its shape is {y.shape}. Give sample_weight instead."
        )
    if y.ndim == 2 and y.shape[1] > 1:
        y = y.argmax(-1)
    classes, positions = np.unique(y.reshape(-1).astype("int64"), return_inverse=True)
    missing = [int(c) for c in classes if int(c) not in class_weight]
    if missing:
        warn(
            f"class_weight has no weight for {'the classes' if len(missing) > 1 else 'the class'} {', '.join(map(str, missing[:10]))}, which y contains: 1 is used."
        )
    return np.array([class_weight.get(int(c), 1.0) for c in classes], "float32")[positions.reshape(-1)]


class ArrayData:
    """Arrays in memory, cut into batches; batch `i` of an epoch is rows `order(epoch)[i * batch_size : (i + 1) * batch_size]`.

    Attributes:
        arrays: (x, y, sample_weight), each a NumPy array, a structure of them, or None.
        num_samples, batch_size, num_batches: sizes; `num_batches` is for one epoch.
        exhausted: always False; streams may run out.
    """

    exhausted = False

    def __init__(self, x, y=None, sample_weight=None, batch_size=None, shuffle=True, class_weight=None, steps=None, seed=0):
        if batch_size is not None and (not isinstance(batch_size, (int, np.integer)) or batch_size < 1):
            raise ValueError(f"batch_size: wanted an integer of at least 1, or None for 32; got {batch_size!r}.")
        x, y, sample_weight = to_arrays(x, "x"), to_arrays(y, "y"), to_arrays(sample_weight, "sample_weight")
        self.num_samples = check_lengths(x, y, sample_weight)
        warn_not_finite(x, y, sample_weight)
        if class_weight is not None:
            if sample_weight is not None:
                raise ValueError("class_weight and sample_weight cannot both be given. Multiply them into one sample_weight.")
            sample_weight = class_weights_of(y, class_weight)
        _check_sample_weight(sample_weight, y)
        self.arrays = (x, y, sample_weight)
        self.batch_size = int(batch_size or 32)
        self.shuffle, self.seed = shuffle, seed
        available = math.ceil(self.num_samples / self.batch_size)
        if steps is not None and steps > available:
            warn(
                f"{steps} steps were asked for, but the data gives {available} batches ({self.num_samples} samples, batches of {self.batch_size}): {available} are used."
            )
        self.num_batches = min(steps or available, available)
        self._part = self.num_batches < available

    def order(self, epoch):
        """The rows of epoch `epoch` in the order of training; None when that is 0, 1, 2 ... to the end.

        The permutation follows from the seed and the epoch alone. With fewer steps an epoch than the data has batches, epochs go on where
        the one before ended, and a new permutation begins when all rows were used.
        """
        if not self._part:
            return self._pass(epoch)
        first, count = epoch * self.num_batches * self.batch_size, self.num_batches * self.batch_size
        passes = range(first // self.num_samples, (first + count - 1) // self.num_samples + 1)
        rows = np.concatenate([np.arange(self.num_samples) if order is None else order for order in map(self._pass, passes)])
        start = first - passes[0] * self.num_samples
        return rows[start : start + count]

    def position(self):
        """What `rewind` needs, in another process too, for the epochs to go on as they would have."""
        return {"seed": self.seed, "num_batches": self.num_batches}

    def rewind(self, position, epoch, batch):
        """Go on as the data did that gave `position`, at a batch of an epoch."""
        self.seed = position["seed"]
        check_batches(position, self.num_batches, batch)

    def _pass(self, number):
        if not self.shuffle:
            return None
        generator = np.random.Generator(np.random.Philox(key=[self.seed, number]))
        if self.shuffle != "batch":
            return generator.permutation(self.num_samples)
        rows = np.arange(self.num_samples)  # contiguous blocks, as files on disk like to be read
        for start in range(0, self.num_samples, self.batch_size):
            generator.shuffle(rows[start : start + self.batch_size])
        return rows

    def batches(self, epoch=0):
        """The batches of epoch `epoch`: (x, y, sample_weight) each."""
        order = self.order(epoch)
        for start in range(0, min(self.num_batches * self.batch_size, self.num_samples if order is None else len(order)), self.batch_size):
            rows = slice(start, start + self.batch_size)
            yield self.take(rows if order is None else order[rows])

    def take(self, rows):
        """(x, y, sample_weight) of some rows: a slice or an array of indices."""
        return tree.map_structure(lambda array: array[rows], self.arrays, none_is_leaf=False)

    def peek(self):
        """The first batch, unshuffled: what a model is built from."""
        return self.take(slice(0, self.batch_size))


def check_batches(position, count, batch):
    """Check that a training which stopped in the middle of an epoch goes on with batches of the same number."""
    if batch and position["num_batches"] != count:
        raise ValueError(
            f"The training stopped at batch {batch} of {position['num_batches']} an epoch, and the data now has {count}: give the same data and batch size."
        )


def _check_sample_weight(sample_weight, y):
    for name, weights in named_leaves(sample_weight, "sample_weight"):
        if weights.dtype.kind not in "fiubV":
            raise ValueError(f"{name}: wanted real numbers; got {weights.dtype.name}.")
        target = y if sample_weight is weights else None
        if isinstance(target, np.ndarray) and weights.ndim > max(target.ndim, 1):
            raise ValueError(
                f"{name}: its shape {weights.shape} has more axes than y with {target.shape}. Wanted one weight a sample, shape ({target.shape[0]},), or one a time step."
            )
