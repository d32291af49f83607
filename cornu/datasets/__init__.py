"""Small real data sets, ready as NumPy arrays.

`digits` comes with the package. The others are downloaded once into `KERAS_HOME/datasets` (by default `~/.keras/datasets`), under
the names and with the hashes that Keras uses.
"""

from cornu.datasets import boston_housing, california_housing, cifar10, cifar100, digits, fashion_mnist, imdb, mnist, reuters

__all__ = ["boston_housing", "california_housing", "cifar10", "cifar100", "digits", "fashion_mnist", "imdb", "mnist", "reuters"]
