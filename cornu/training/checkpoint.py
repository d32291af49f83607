"""The state of a training on disk: everything that the next step depends on, in files of which the newest whole one counts.

A file is a zip of `manifest.json` (numbers and texts; type, shape and SHA-256 of each array) and the arrays' bytes. It appears under its name
when it is whole and on the disk, and the one before it stays until then, so that a process may end at any instant.
"""

import contextlib
import hashlib
import json
import os
import re
import zipfile

import numpy as np

from cornu import dtypes
from cornu.saving.atomic import replacing
from cornu.serialization import CorruptFileError
from cornu.training.data.faults import warn

KEPT = 2  # files
_NAME = re.compile(r"state-(\d{8,})\.zip")


def files(folder):
    """Paths of the files in `folder`, the newest first."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return [os.path.join(folder, name) for name in sorted(filter(_NAME.fullmatch, names), key=_number, reverse=True)]


def _number(name):
    return int(_NAME.fullmatch(os.path.basename(name)).group(1))


def write(folder, state):
    """Put `state` into a new file of `folder`, and remove all but the newest.

    Args:
        folder: made where it is not there.
        state: dictionaries, lists and tuples of numbers, texts, None and arrays.

    Raises:
        TypeError: something else in it.
        OSError: it cannot be written; what was there is untouched.
    """
    arrays = []
    state = _packed(state, arrays, "state")
    manifest = [{"dtype": a.dtype.name, "shape": a.shape, "sha256": _hash(a)} for a in arrays]
    os.makedirs(folder, exist_ok=True)
    before = files(folder)
    path = os.path.join(folder, f"state-{_number(before[0]) + 1 if before else 1:08d}.zip")
    with replacing(path) as beside, zipfile.ZipFile(beside, "w") as file:
        file.writestr("manifest.json", json.dumps({"version": 1, "arrays": manifest, "state": state}))
        for i, array in enumerate(arrays):
            file.writestr(str(i), array.tobytes())
    for old in before[KEPT - 1 :]:
        os.unlink(old)
    return path


def read(folder):
    """What was written last and is whole, or None. A file that is not is passed over, with a warning."""
    for path in files(folder):
        try:
            return _read(path)
        except (CorruptFileError, zipfile.BadZipFile, EOFError, KeyError, ValueError, TypeError, OSError) as error:
            warn(f"{path} is damaged and is passed over ({type(error).__name__}: {error}).")
    return None


def remove(folder):
    """Delete the files, and the folder where nothing else is in it."""
    for path in files(folder):
        os.unlink(path)
    tidy(folder)
    with contextlib.suppress(OSError):
        os.rmdir(folder)


def tidy(folder):
    """Delete what a process that was ended while it wrote left behind."""
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        if name.startswith(".state-") and name.endswith(".part"):
            os.unlink(os.path.join(folder, name))


def _hash(array):
    return hashlib.sha256(array.tobytes()).hexdigest()


def _read(path):
    with zipfile.ZipFile(path) as file:
        found = json.loads(file.read("manifest.json"))
        arrays = []
        for i, entry in enumerate(found["arrays"]):
            data = file.read(str(i))
            if hashlib.sha256(data).hexdigest() != entry["sha256"]:
                raise CorruptFileError(f"array {i} has another SHA-256 than the manifest says.")
            arrays.append(np.frombuffer(data, _type(entry["dtype"])).reshape(entry["shape"]).copy())
    return _unpacked(found["state"], arrays)


def _type(name):
    import ml_dtypes

    return np.dtype(getattr(ml_dtypes, name)) if name in dtypes.ALL and not hasattr(np, name) and hasattr(ml_dtypes, name) else np.dtype(name)


def _packed(value, arrays, place):
    if value is None or isinstance(value, str) or type(value) in (bool, int, float):
        return value
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"{place}: a checkpoint holds dictionaries with texts as keys; got {list(value)!r}.")
        return {"dict": {key: _packed(part, arrays, f"{place}[{key!r}]") for key, part in value.items()}}
    if isinstance(value, (list, tuple)):
        return {type(value).__name__: [_packed(part, arrays, f"{place}[{i}]") for i, part in enumerate(value)]}
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "fiubcV":
        arrays.append(np.ascontiguousarray(value).reshape(value.shape))
        return {"scalar" if isinstance(value, np.generic) else "array": len(arrays) - 1}
    raise TypeError(f"{place}: a checkpoint holds numbers, texts, None, arrays, and lists and dictionaries of these; got {type(value).__name__}.")


def _unpacked(value, arrays):
    if not isinstance(value, dict):
        return value
    ((kind, inside),) = value.items()
    if kind == "dict":
        return {key: _unpacked(part, arrays) for key, part in inside.items()}
    if kind in ("list", "tuple"):
        return (list if kind == "list" else tuple)(_unpacked(part, arrays) for part in inside)
    return arrays[inside] if kind == "array" else arrays[inside][()]
