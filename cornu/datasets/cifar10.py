"""60,000 photographs, 32 x 32 pixels, in 10 classes."""

import os

import numpy as np

from cornu.datasets import cifar


def load_data():
    """The CIFAR-10 photographs as NumPy arrays.

    Returns:
        `(x_train, y_train), (x_test, y_test)`.

    Shapes:
        x_train (50000, 32, 32, 3), x_test (10000, 32, 32, 3): uint8, red, green, blue
        y_train (50000, 1), y_test (10000, 1): uint8: 0 airplane, 1 automobile, 2 bird, 3 cat, 4 deer, 5 dog, 6 frog, 7 horse, 8 ship,
        9 truck

    Units:
        pixel values 0 to 255.

    Raises:
        ConnectionError: not in the cache and no network; the message says which file to put where.

    Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
    """
    folder = cifar.folder(10, "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce")
    batches = [cifar.batch(os.path.join(folder, f"data_batch_{number}"), b"labels") for number in range(1, 6)]
    x_train, y_train = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    x_test, y_test = cifar.batch(os.path.join(folder, "test_batch"), b"labels")
    return (x_train, y_train.astype("uint8")[:, None]), (np.ascontiguousarray(x_test), np.array(y_test, "uint8")[:, None])
