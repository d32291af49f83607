"""Taking data apart: (x, y, sample_weight), training and validation, two data sets."""

import math
import random

import numpy as np

from cornu import tree
from cornu.training.data import arrays
from cornu.training.data.py_dataset import PyDataset
from cornu.training.data.sources import is_array_like, is_stream, kind_name


def unpack_x_y_sample_weight(data):
    """(x, y, sample_weight) from what a data set yields; what is not there is None.

    Args:
        data: x, (x,), (x, y) or (x, y, sample_weight); a list counts as a tuple.

    Raises:
        ValueError: more than three parts.

    >>> unpack_x_y_sample_weight((1, 2))
    (1, 2, None)
    """
    parts = tuple(data) if isinstance(data, (list, tuple)) else (data,)
    if not 1 <= len(parts) <= 3:
        raise ValueError(f"A batch must be x, (x, y) or (x, y, sample_weight); got {len(parts)} parts: {', '.join(type(p).__name__ for p in parts)}.")
    return (*parts, None, None)[:3]


def pack_x_y_sample_weight(x, y=None, sample_weight=None):
    """The shortest form of (x, y, sample_weight) that `unpack_x_y_sample_weight` takes.

    >>> pack_x_y_sample_weight(1, 2)
    (1, 2)
    """
    if y is None:
        return (x,) if isinstance(x, (list, tuple)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def train_validation_split(data, validation_split):
    """The last part of the samples apart, before any shuffling.

    Args:
        data: (x, y, sample_weight) or another structure of arrays; parts may be None.
        validation_split: fraction for validation, above 0 and below 1.

    Returns:
        Two structures like `data`: training, validation.

    Raises:
        ValueError: the fraction leaves one of them empty, or the data is a stream.
    """
    parts = list(zip(("x", "y", "sample_weight"), data, strict=False))
    for _, part in parts:
        if is_stream(part):
            raise ValueError(f"validation_split needs data in memory, but x is {kind_name(part)}. Give validation_data=(another data set) instead.")
    if not 0 < validation_split < 1:
        raise ValueError(f"validation_split: wanted a fraction above 0 and below 1; got {validation_split}.")
    whole = tuple(arrays.to_arrays(part, name) for name, part in parts)
    count = arrays.check_lengths(*whole)
    cut = math.floor(count * (1 - validation_split))
    if cut == 0 or cut == count:
        raise ValueError(
            f"validation_split={validation_split} of {count} samples leaves {cut} for training and {count - cut} for validation. Give another fraction, or more data."
        )
    return tuple(tree.map_structure(lambda a, rows=rows: a[rows], whole, none_is_leaf=False) for rows in (slice(0, cut), slice(cut, count)))


class Samples:
    """A list of samples, as `split_dataset` gives: `len`, indexing, iteration; `batch(size)` makes batches for `fit`."""

    def __init__(self, samples):
        self._samples = samples

    def __len__(self):
        return len(self._samples)

    def __getitem__(self, index):
        return self._samples[index]

    def __iter__(self):
        return iter(self._samples)

    def __repr__(self):
        return f"<{len(self)} samples>"

    def batch(self, batch_size):
        """A `PyDataset` of batches of `batch_size` samples; the last may be smaller."""
        return _Batches(self._samples, batch_size)


class _Batches(PyDataset):
    def __init__(self, samples, batch_size):
        super().__init__()
        self.samples, self.batch_size = samples, batch_size

    def __len__(self):
        return math.ceil(len(self.samples) / self.batch_size)

    def __getitem__(self, index):
        return tree.map_structure(lambda *parts: np.stack(parts), *self.samples[index * self.batch_size : (index + 1) * self.batch_size])


def split_dataset(dataset, left_size=None, right_size=None, shuffle=False, seed=None, preferred_backend=None):
    """Two data sets from one.

    Args:
        dataset: an array, a tuple, list or dictionary of arrays of one length, or an iterable of samples (not batches).
        left_size, right_size: fractions from 0 to 1, or numbers of samples; one may be left out.
        shuffle: whether to shuffle before splitting.
        seed: integer for the shuffling.
        preferred_backend: taken for compatibility; the parts are `Samples` whatever it says.

    Returns:
        Two `Samples`.

    Raises:
        ValueError: no size given, sizes out of range, or no samples.
        TypeError: data of an unknown type.
    """
    samples = _samples_of(dataset)
    total = len(samples)
    if total == 0:
        raise ValueError("split_dataset: the data set has no samples.")
    left, right = _sizes(left_size, right_size, total)
    if shuffle:
        order = np.random.Generator(np.random.Philox(random.randint(1, 10**9) if seed is None else seed)).permutation(total)
        samples = [samples[i] for i in order]
    return Samples(samples[:left]), Samples(samples[left : left + right])


def _samples_of(dataset):
    if isinstance(dataset, (str, bytes)) or not hasattr(dataset, "__iter__"):
        if hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__") and not isinstance(dataset, (str, bytes, PyDataset)):
            return [dataset[i] for i in range(len(dataset))]
        raise TypeError(f"split_dataset: wanted an array, a tuple, list or dictionary of arrays, or an iterable of samples; got {type(dataset).__name__}.")
    if not tree.is_nested(dataset) and not is_array_like(dataset):
        return list(dataset)
    whole = arrays.to_arrays(dataset, "dataset")
    return [tree.map_structure(lambda a, i=i: a[i], whole) for i in range(arrays.check_lengths(whole))]


def _sizes(left, right, total):
    if left is None and right is None:
        raise ValueError("split_dataset: give left_size or right_size, or both.")
    for name, size in (("left_size", left), ("right_size", right)):
        if size is None:
            continue
        if isinstance(size, bool) or not isinstance(size, (int, float, np.integer, np.floating)):
            raise TypeError(f"split_dataset: {name} must be a fraction or a number of samples; got {size!r}.")
        if isinstance(size, (int, np.integer)) and not 0 < size < total:
            raise ValueError(f"split_dataset: {name} must be an integer from 1 to {total - 1}, or a fraction from 0 to 1; got {size}.")
        if isinstance(size, (float, np.floating)) and not 0 <= size <= 1:
            raise ValueError(f"split_dataset: {name} must be a fraction from 0 to 1, or an integer from 1 to {total - 1}; got {size}.")
    if isinstance(left, float) and isinstance(right, float) and left + right > 1:
        raise ValueError(f"split_dataset: left_size {left} and right_size {right} add up to more than 1.")
    left = round(left * total) if isinstance(left, (float, np.floating)) else left
    right = round(right * total) if isinstance(right, (float, np.floating)) else right
    left = total - right if left is None else left
    right = total - left if right is None else right
    if left + right > total:
        raise ValueError(f"split_dataset: left_size {left} and right_size {right} are more than the {total} samples.")
    if not left or not right:
        raise ValueError(f"split_dataset: of {total} samples {left} and {right} would be taken: neither part may be empty.")
    return left, right
