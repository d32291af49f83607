"""What a piece of data is, told by what it can do and never by importing the library that it comes from."""

import numbers

import numpy as np

ACCEPTED = (
    "NumPy arrays, tensors, pandas DataFrames or Series, lists of numbers, lists or dictionaries of these, "
    "a Python generator, a PyDataset, or an iterable of batches such as torch's DataLoader or a tf.data.Dataset"
)


def is_array_like(x):
    """Whether `x` becomes one array: an array, a tensor of any engine, a data frame or one of its columns, a sparse matrix."""
    return any(hasattr(x, name) for name in ("__array__", "__dlpack__", "to_numpy", "_cornu_value", "tocsr"))


def is_numbers(x):
    """Whether `x` is a range, or a list, nested or not, that begins with a number or a text: one array, not several."""
    if isinstance(x, range):
        return True
    while isinstance(x, (list, tuple)) and x:
        x = x[0]
    return isinstance(x, (numbers.Number, np.generic, str, bytes))


def is_indexed(x):
    """Whether `x` is a `PyDataset`, also that of another library of this kind."""
    return all(hasattr(x, name) for name in ("__getitem__", "on_epoch_end")) and (hasattr(x, "__len__") or hasattr(type(x), "num_batches"))


def is_stream(x):
    """Whether `x` yields batches."""
    if isinstance(x, (np.ndarray, list, tuple, dict, str, bytes, set, frozenset, range)) or is_array_like(x):
        return False
    return is_indexed(x) or hasattr(x, "__iter__") or hasattr(x, "__next__")


def is_samples(x):
    """Whether `x` gives samples one by one, as torch's Dataset does."""
    return hasattr(x, "__getitem__") and hasattr(x, "__len__") and not isinstance(x, (list, tuple, dict, str, bytes, range)) and not is_array_like(x)


def kind_name(x):
    """What errors call a stream."""
    if is_indexed(x):
        return f"a PyDataset ({type(x).__name__})"
    return "a generator" if hasattr(x, "__next__") else f"an iterable of batches ({type(x).__name__})"
