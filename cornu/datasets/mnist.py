"""70,000 handwritten digits, 28 x 28 pixels."""

import numpy as np

from cornu.datasets import origin


def load_data(path="mnist.npz"):
    """The MNIST digits as NumPy arrays.

    Args:
        path: name of the file in the cache.

    Returns:
        `(x_train, y_train), (x_test, y_test)`.

    Shapes:
        x_train (60000, 28, 28), x_test (10000, 28, 28): uint8
        y_train (60000,), y_test (10000,): uint8, the digit, 0 to 9

    Units:
        pixel values 0 (background) to 255 (ink).

    Raises:
        ConnectionError: not in the cache and no network; the message says which file to put where.

    Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits", 1998, CC BY-SA 3.0.
    """
    file = origin.fetch("mnist.npz", "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1", path)
    with np.load(file, allow_pickle=False) as data:
        return (data["x_train"], data["y_train"]), (data["x_test"], data["y_test"])
