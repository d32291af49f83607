"""Where the published files lie."""

from cornu.utils.files import get_file

_BASE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"


def fetch(name, file_hash, path=None, **options):
    """Path of the published file `name` in the cache, kept there as `path`."""
    return get_file(path or name, origin=_BASE + name, file_hash=file_hash, **options)
