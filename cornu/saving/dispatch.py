"""Saving and loading models and weights: which format a file has is seen from its name when writing, from its first bytes when reading."""

import importlib
import os
import warnings

from cornu.saving import archive, atomic, hdf5, limits, shards
from cornu.serialization import CorruptFileError

_ZIP, _HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"


def _format(path):
    with open(path, "rb") as file:
        start = file.read(8)
    if start.startswith(_ZIP):
        return "zip"
    if start == _HDF5:
        return "hdf5"
    raise CorruptFileError(f"{path}: it is neither a .keras archive nor an HDF5 file; it begins with {start!r}.")


def _to_write(path, overwrite, what):
    path = os.fspath(path)
    if not overwrite and os.path.exists(path):
        raise FileExistsError(f"{what}: {path} exists, and overwrite=False.")
    return path


def _unbuilt(model):
    return f"{type(model).__name__} {model.name!r} has no weights yet, as it is not built: call it on data, or build(input_shape), first."


def save_model(model, filepath, overwrite=True, zipped=None, **kwargs):
    """Write `model` to one file: its architecture, its weights, what `compile` was told and the optimizer's state.

    The file appears as a whole or not at all; what was there before stays until then.

    Args:
        model: the model.
        filepath: ends in .keras (Keras 3 opens it), or in .h5 or .hdf5 (Functional and Sequential models; Keras 3 opens it).
        overwrite: whether a file that exists is replaced.
        zipped: None or True; the unzipped form of .keras is not written.
        include_optimizer: for .h5, whether the optimizer's state is written.

    Raises:
        ValueError: another ending; a lambda or an unregistered class in the model.
        FileExistsError: it exists, and `overwrite` is False.
        OSError: it cannot be written.

    >>> model.save("model.keras")
    """
    include_optimizer = kwargs.pop("include_optimizer", True)
    if kwargs.pop("save_format", None) not in (None, "keras", "h5") or kwargs:
        raise ValueError(f"save: {next(iter(kwargs), 'save_format')!r} is not supported: the file's ending says its format, .keras or .h5.")
    path = _to_write(filepath, overwrite, "save")
    if not model.built:
        warnings.warn(f"{_unbuilt(model)} The file will hold none.", stacklevel=3)
    if path.endswith(".keras"):
        if zipped is False:
            raise ValueError("save: zipped=False is not supported; a .keras file is one archive.")
        with atomic.replacing(path) as beside:
            archive.write(model, beside)
    elif path.endswith((".h5", ".hdf5")):
        with atomic.replacing(path) as beside:
            hdf5.write(model, beside, include_optimizer)
    else:
        raise ValueError(f"save: the file must end in .keras (or .h5); got {path!r}. For serving, export the model.")


def load_model(filepath, custom_objects=None, compile=True, safe_mode=True):
    """The model in a file. Opening a file runs nothing that it holds, opens no other file, and takes no more memory than it pays for.

    Args:
        filepath: a `.keras` or `.h5` file of Keras 2, Keras 3 or cornu.
        custom_objects: names -> classes and functions of yours that it uses.
        compile: whether it is compiled as it was, the optimizer's state included.
        safe_mode: accepted; nothing more is allowed when False.

    Returns:
        The model.

    Raises:
        UnsafeFileError: the file asks for something that opening a file must not do, or for a class that is not known.
        CorruptFileError: it is damaged.

    >>> model = load_model("model.keras")
    """
    for module in ("cornu.models", "cornu.distillation"):  # they import this module for `save`; here they must be known to the registry
        importlib.import_module(module)
    path = os.fspath(filepath)
    with limits.reading(path):
        size = limits.opened(path)
        if _format(path) == "zip":
            return archive.read(path, custom_objects, compile)
        return hdf5.read(path, size, custom_objects, compile)


def save_weights(model, filepath, overwrite=True, max_shard_size=None, **kwargs):
    """Write the weights of `model`, and the optimizer's state, to a `.weights.h5` file, or to several of limited size.

    Args:
        model: the model.
        filepath: ends in .weights.h5; with `max_shard_size` in .weights.json, a list of the files beside it.
        overwrite: whether a file that exists is replaced.
        max_shard_size: GB (2**30 bytes) that a file holds at most, where a single array is not larger; None for one file.

    Raises:
        ValueError: another ending, a size that is not above 0, or a model that is not built.
        FileExistsError: it exists, and `overwrite` is False.
    """
    if kwargs:
        raise TypeError(f"save_weights has no argument {next(iter(kwargs))!r}.")
    if not model.built:
        raise ValueError(f"save_weights: {_unbuilt(model)}")
    path = _to_write(filepath, overwrite, "save_weights")
    if max_shard_size is not None:
        if isinstance(max_shard_size, bool) or not isinstance(max_shard_size, (int, float)) or not max_shard_size > 0:
            raise ValueError(f"save_weights: max_shard_size must be a number of GB above 0, or None; got {max_shard_size!r}.")
        if not path.endswith(".weights.json"):
            raise ValueError(f"save_weights: with max_shard_size the file must end in .weights.json; got {path!r}.")
        shards.write(model, path, max_shard_size)
        return
    if not path.endswith(".weights.h5"):
        raise ValueError(f"save_weights: the file must end in .weights.h5; got {path!r}.")
    with atomic.replacing(path) as beside:
        archive.write_weights(model, beside)


def load_weights(model, filepath, skip_mismatch=False, by_name=False, **kwargs):
    """Give `model` the weights in a file.

    Args:
        model: a model that is built.
        filepath: a `.weights.h5`, `.weights.json`, `.keras` or `.h5` file; of Keras 2 too.
        skip_mismatch: whether layers whose weights do not fit are left as they are, with a warning.
        by_name: for `.h5` of the older layout, whether layers are found by their names in place of their order.
        objects_to_skip: layers, or names or paths of layers, whose weights stay as they are; not for the older layout.

    Raises:
        ValueError: the weights do not fit; `UnsafeFileError`, `CorruptFileError` as in `load_model`.
    """
    skipped = kwargs.pop("objects_to_skip", None)
    if skipped is not None and (isinstance(skipped, str) or not hasattr(skipped, "__iter__")):
        raise ValueError(f"load_weights: objects_to_skip must be a list of layers, or of their names; got {skipped!r}.")
    if kwargs:
        raise TypeError(f"load_weights has no argument {next(iter(kwargs))!r}.")
    path = os.fspath(filepath)
    with limits.reading(path, into_a_model=True):
        size = limits.opened(path)
        if path.endswith(".json"):
            shards.read(path, model, skip_mismatch, skipped)
        elif _format(path) == "zip":
            archive.read_weights(path, model, skip_mismatch, True, skipped)
        elif not hdf5.read_file(path, size, model, skip_mismatch, by_name):
            if by_name:
                raise CorruptFileError("by_name=True needs the older layout of weights (`layer_names`), which this file has not.")
            archive.read_weights(path, model, skip_mismatch, False, skipped)
        elif skipped:
            raise limits.MismatchError("objects_to_skip is for files of the newer layouts; this one has the older layout of `.h5` files.")
