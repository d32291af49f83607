"""Reading CIFAR's batches: what `cifar10` and `cifar100` share."""

import os

from cornu.datasets import pickled
from cornu.utils.files import get_file

_BASE = "https://www.cs.toronto.edu/~kriz/"


def folder(classes, file_hash):
    """Where the unpacked batches lie in the cache."""
    published = f"cifar-{classes}-python.tar.gz"
    name = {10: "cifar-10-batches-py", 100: "cifar-100-python"}[classes]
    return os.path.join(get_file(f"{name}-target", origin=_BASE + published, file_hash=file_hash, extract=True), name)


def batch(path, labels):
    """Pictures (rows, 32, 32, 3) as uint8 and the list of numbers named `labels` of one batch."""
    with open(path, "rb") as file:
        found = pickled.load(file, path)
    return found[b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), found[labels]
