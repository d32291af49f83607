"""506 districts of Boston, 13 numbers on each, and the price of houses there."""

import numpy as np

from cornu.datasets import origin, shuffle


def load_data(path="boston_housing.npz", test_split=0.2, seed=113):
    """The Boston housing prices as NumPy arrays.

    One of the 13 columns counts Black residents, on the assumption that they lower prices: for `california_housing` there is no such
    doubt.

    Args:
        path: name of the file in the cache.
        test_split: fraction of the rows for testing, at least 0 and below 1.
        seed: of the order of the rows.

    Returns:
        `(x_train, y_train), (x_test, y_test)`.

    Shapes:
        x_train (404, 13), x_test (102, 13): float64
        y_train (404,), y_test (102,): float64

    Units:
        prices in thousands of dollars of 1978.

    Raises:
        ValueError: `test_split` out of range.
        ConnectionError: not in the cache and no network; the message says which file to put where.

    Source: Harrison, Rubinfeld, "Hedonic prices and the demand for clean air", J. Environ. Economics & Management 5, 1978.
    """
    shuffle.check_fraction(test_split)
    file = origin.fetch("boston_housing.npz", "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5", path)
    with np.load(file, allow_pickle=False) as data:
        return shuffle.split(*shuffle.shuffled(seed, data["x"], data["y"]), test_split)
