"""Weights in several files of limited size, and a list of them: `name.weights.json`, as Keras 3 writes and reads it."""

import contextlib
import json
import os
import secrets

from cornu.saving import limits, weights
from cornu.saving.atomic import replacing
from cornu.serialization import CorruptFileError

_ENDING = ".weights.json"


def write(model, path, max_shard_size):
    """Write the weights of `model` to files beside `path`, none larger than `max_shard_size` GB where a single array is not; then the list at `path`.

    Keras counts the files, `name_00000.weights.h5`, whatever the list calls them, so that they take the places of older ones; a word that all of
    one save share tells whether that was broken off.
    """
    import h5py

    before = _listed(path)
    folder, stem = os.path.dirname(os.path.abspath(path)), os.path.basename(path).removesuffix(_ENDING)
    token, names, places, total = secrets.token_hex(3), [], {}, 0
    with contextlib.ExitStack() as stack:
        file, room = None, 0.0
        for place, name, values in weights.values_of(model):
            for key, value in values.items() or (("", None),):
                size = 0 if value is None else value.nbytes
                if file is None or (size > room and room < max_shard_size * 2**30):
                    if file is not None:
                        file.close()
                    names.append(f"{stem}_{len(names):05d}.weights.h5")
                    file = stack.enter_context(h5py.File(stack.enter_context(replacing(os.path.join(folder, names[-1]))), "w"))
                    file.attrs["save"] = token
                    room = max_shard_size * 2**30
                group = file.require_group(place)
                group.attrs["name"] = name
                if value is not None:
                    weights.write_array(group, key, value)
                    if names[-1] not in places.setdefault(f"/{place}", []):
                        places[f"/{place}"].append(names[-1])
                room, total = room - size, total + size
    with replacing(path) as beside, open(beside, "w", encoding="utf-8") as index:
        json.dump({"metadata": {"total_size": total, "save": token}, "weight_map": places}, index, indent=4)
    for name in before - set(names):
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(folder, name))


def _listed(path):
    """Names of the files that a list names which is there; none where it is damaged."""
    try:
        return set(names_in(path)[0])
    except (OSError, CorruptFileError):
        return set()


def names_in(path):
    """Names of the files that the list at `path` names, and the word of the save that it is of, or None.

    Raises:
        CorruptFileError: it is no such list, or a name leads out of its folder.
    """
    if limits.opened(path) > limits.MAX_TEXT:
        raise CorruptFileError(f"it has more than {limits.MAX_TEXT:,} characters.")
    with open(path, "rb") as file:
        index = limits.parsed(file.read().decode("utf-8", "replace"), os.path.basename(path))
    found, metadata = index.get("weight_map"), index.get("metadata")
    if not isinstance(found, dict):
        raise CorruptFileError("it lists no files: there is no `weight_map`.")
    names = [name for listed in found.values() for name in (listed if isinstance(listed, list) else [listed])]
    for name in names:
        if not isinstance(name, str) or not name.endswith(".h5") or os.path.basename(name) != name or any(c in name for c in '\\/:\0"'):
            raise CorruptFileError(f"it names the file {name!r}; wanted the name of an .h5 file in the same folder.")
    return list(dict.fromkeys(names)), metadata.get("save") if isinstance(metadata, dict) else None


def read(path, model, skip_mismatch=False, objects_to_skip=None):
    """Give `model` the weights in the files that the list at `path` names."""
    import h5py

    folder, groups = os.path.dirname(os.path.abspath(path)), {}
    with contextlib.ExitStack() as stack:
        names, token = names_in(path)
        for name in names:
            whole = os.path.join(folder, name)
            if os.path.islink(whole):
                raise CorruptFileError(f"{name} is a link; wanted a file.")
            size = limits.opened(whole)
            file = stack.enter_context(h5py.File(whole, "r"))
            limits.check_hdf5(file, size)
            if token is not None and file.attrs.get("save") != token:
                raise CorruptFileError(f"{name} is of another save than the list: a save was broken off.")
            weights.collect(file, groups)
        weights.read(groups, model, skip_mismatch, objects_to_skip)
