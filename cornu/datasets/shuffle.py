"""One order of rows from a seed, and one cut into training and test rows."""

import numpy as np


def shuffled(seed, *arrays):
    """`arrays` with their rows in one new order, that of NumPy's `RandomState(seed).shuffle`; `seed` may be a RandomState, which goes on."""
    order = np.arange(len(arrays[0]))
    (seed if isinstance(seed, np.random.RandomState) else np.random.RandomState(seed)).shuffle(order)
    return tuple(array[order] for array in arrays)


def split(x, y, test_split):
    """`(x_train, y_train), (x_test, y_test)`: the last fraction `test_split` of the rows is for testing."""
    cut = int(len(x) * (1 - test_split))
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])


def check_fraction(test_split):
    if not 0 <= test_split < 1:
        raise ValueError(f"test_split: wanted a fraction, at least 0 and below 1; got {test_split!r}.")
