"""1,797 handwritten digits, 8 x 8 pixels: inside the package, no download."""

from importlib import resources

import numpy as np

from cornu.datasets import shuffle

_TEST_ROWS = 360
_SEED = 113


def load_data():
    """The digits as NumPy arrays.

    The order is shuffled with NumPy's `RandomState(113)`, the last 360 images are for testing: always the same split.

    Returns:
        `(x_train, y_train), (x_test, y_test)`.

    Shapes:
        x_train (1437, 8, 8), x_test (360, 8, 8): uint8
        y_train (1437,), y_test (360,): uint8, the digit, 0 to 9

    Units:
        a pixel counts the dark points in its field of 4 x 4: 0 (none) to **16** (all), so divide by 16, not by 255.

    Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998,
    doi.org/10.24432/C50P49, CC BY 4.0: its test part, 13 writers.
    """
    with resources.files("cornu.datasets").joinpath("digits.npz").open("rb") as file, np.load(file, allow_pickle=False) as data:
        x, y = shuffle.shuffled(_SEED, data["x"], data["y"])
    return (x[:-_TEST_ROWS], y[:-_TEST_ROWS]), (x[-_TEST_ROWS:], y[-_TEST_ROWS:])
