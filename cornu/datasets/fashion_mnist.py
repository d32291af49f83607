"""70,000 pictures of clothes, 28 x 28 pixels."""

import gzip

import numpy as np

from cornu.datasets import origin

_HASHES = {
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
}


def load_data():
    """The Fashion-MNIST pictures as NumPy arrays.

    Returns:
        `(x_train, y_train), (x_test, y_test)`.

    Shapes:
        x_train (60000, 28, 28), x_test (10000, 28, 28): uint8
        y_train (60000,), y_test (10000,): uint8: 0 T-shirt, 1 trousers, 2 pullover, 3 dress, 4 coat, 5 sandal, 6 shirt, 7 sneaker,
        8 bag, 9 ankle boot

    Units:
        pixel values 0 (background) to 255.

    Raises:
        ConnectionError: not in the cache and no network; the message says which file to put where.

    Source: Xiao, Rasul, Vollgraf, "Fashion-MNIST", 2017, arXiv:1708.07747, MIT licence.
    """
    y_train, x_train, y_test, x_test = (_values(name) for name in _HASHES)
    return (x_train, y_train), (x_test, y_test)


def _values(name):
    """The array in a file of the IDX form: two zeros, the type, the rank, each size in four bytes, the bytes."""
    with gzip.open(origin.fetch(name, _HASHES[name], cache_subdir="datasets/fashion-mnist"), "rb") as file:
        rank = file.read(4)[3]
        shape = np.frombuffer(file.read(4 * rank), ">u4")
        return np.frombuffer(file.read(), "uint8").reshape(shape).copy()
