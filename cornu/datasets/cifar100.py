"""60,000 photographs, 32 x 32 pixels, in 100 classes of 20 groups."""

import os

import numpy as np

from cornu.datasets import cifar


def load_data(label_mode="fine"):
    """The CIFAR-100 photographs as NumPy arrays.

    Args:
        label_mode: "fine" (100 classes) or "coarse" (20 groups).

    Returns:
        `(x_train, y_train), (x_test, y_test)`.

    Shapes:
        x_train (50000, 32, 32, 3), x_test (10000, 32, 32, 3): uint8, red, green, blue
        y_train (50000, 1), y_test (10000, 1): int64, 0 to 99 or 0 to 19

    Units:
        pixel values 0 to 255.

    Raises:
        ValueError: another `label_mode`.
        ConnectionError: not in the cache and no network; the message says which file to put where.

    Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
    """
    if label_mode not in ("fine", "coarse"):
        raise ValueError(f'label_mode: wanted "fine" or "coarse"; got {label_mode!r}.')
    folder = cifar.folder(100, "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7")
    parts = [cifar.batch(os.path.join(folder, name), f"{label_mode}_labels".encode()) for name in ("train", "test")]
    (x_train, y_train), (x_test, y_test) = ((np.ascontiguousarray(x), np.array(y, "int64")[:, None]) for x, y in parts)
    return (x_train, y_train), (x_test, y_test)
