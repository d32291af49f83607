"""20,640 block groups of California, 8 numbers on each, and the price of houses there."""

import numpy as np

from cornu.datasets import origin, shuffle

_SMALL_ROWS = 600


def load_data(version="large", path="california_housing.npz", test_split=0.2, seed=113):
    """The California housing prices as NumPy arrays.

    Args:
        version: "large" (20,640 rows) or "small" (the first 600 of them).
        path: name of the file in the cache.
        test_split: fraction of the rows for testing, at least 0 and below 1.
        seed: of the order of the rows.

    Returns:
        `(x_train, y_train), (x_test, y_test)`.

    Shapes:
        x_train (16512, 8), x_test (4128, 8): float32: longitude, latitude, median age of houses, rooms, bedrooms, people,
        households, median income
        y_train (16512,), y_test (4128,): float32

    Units:
        angles in degrees, ages in years, income in tens of thousands of dollars, prices in dollars, all of 1990.

    Raises:
        ValueError: another version, or `test_split` out of range.
        ConnectionError: not in the cache and no network; the message says which file to put where.

    Source: Pace, Barry, "Sparse spatial autoregressions", Statistics & Probability Letters 33, 1997.
    """
    if version not in ("small", "large"):
        raise ValueError(f'version: wanted "small" or "large"; got {version!r}.')
    shuffle.check_fraction(test_split)
    file = origin.fetch("california_housing.npz", "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f", path)
    with np.load(file, allow_pickle=False) as data:
        x, y = data["x"], data["y"]
    if version == "small":
        x, y = x[:_SMALL_ROWS], y[:_SMALL_ROWS]
    return shuffle.split(*shuffle.shuffled(seed, x, y), test_split)
