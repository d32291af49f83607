"""`KerasFileEditor`: looking into a file of weights and changing it, without a model."""

import io
import os
import zipfile

import numpy as np

from cornu.fields import suggestion
from cornu.saving import limits, weights
from cornu.saving.atomic import replacing
from cornu.serialization import CorruptFileError


class KerasFileEditor:
    """The weights in a file, to look at, to compare with a model, and to change.

    Objects (layers, the optimizer) stand under their paths, such as `layers/dense_1`; a method takes a whole path, or the last name of it where
    only one object has that name. The file itself stays as it is; `save` writes another.

    Args:
        filepath: a `.keras` or `.weights.h5` file.

    Attributes:
        weights_dict: the objects, nested by their paths, with the arrays of each under "0", "1", ...
        metadata, config: of a `.keras` file, what it says about itself and the architecture; else None.

    Raises:
        ValueError: another ending; `CorruptFileError`, `UnsafeFileError` as in `load_model`.

    >>> editor = KerasFileEditor("model.weights.h5")
    >>> editor.rename_object("dense", "classifier")
    >>> editor.save("renamed.weights.h5")
    """

    def __init__(self, filepath):
        path = os.fspath(filepath)
        self.filepath, self.metadata, self.config, self.model = path, None, None, None
        if not path.endswith((".keras", ".weights.h5")):
            raise ValueError(f"KerasFileEditor: the file must end in .keras or .weights.h5; got {path!r}.")
        self.weights_dict, self.object_metadata = {}, {}
        with limits.reading(path):
            self._read(path)

    def _read(self, path):
        import h5py

        source, size = path, limits.opened(path)
        if path.endswith(".keras"):
            with zipfile.ZipFile(path) as archive:
                limits.check_archive(archive)
                self.metadata = limits.parsed(limits.member(archive, "metadata.json").decode("utf-8"), "metadata.json")
                self.config = limits.parsed(limits.member(archive, "config.json").decode("utf-8"), "config.json")
                source = io.BytesIO(limits.member(archive, "model.weights.h5"))
            size = source.getbuffer().nbytes
        with h5py.File(source, "r") as file:
            limits.check_hdf5(file, size)
            groups = {}
            weights.collect(file, groups)
            for place, items in sorted(groups.items()):
                inside = self.weights_dict
                owner = place.removesuffix("vars").rstrip("/")
                for name in filter(None, owner.split("/")):
                    inside = inside.setdefault(name, {})
                    if not isinstance(inside, dict):
                        raise CorruptFileError(f"{place}: an array and an object have the same name.")
                inside.update((key, weights.read_array(item, f"{place}/{key}")) for key, item in sorted(items.items(), key=lambda pair: _order(pair[0])))
                self.object_metadata[owner] = {name: value for name, value in file[place].attrs.items() if isinstance(value, str)}

    # finding

    def _objects(self, inside=None, path=""):
        """(path, the dictionary of the object) of all, in order."""
        inside = self.weights_dict if inside is None else inside
        for name, value in inside.items():
            if isinstance(value, dict):
                where = f"{path}/{name}" if path else name
                yield where, value
                yield from self._objects(value, where)

    def _find(self, object_name):
        """The path of an object from its path or its last name.

        Raises:
            ValueError: there is none, or several.
        """
        if not isinstance(object_name, str):
            raise ValueError(f"KerasFileEditor: an object is named by a text; got {object_name!r}.")
        paths = [path for path, _ in self._objects()]
        wanted = object_name.strip("/")
        if wanted in paths:
            return wanted
        found = [path for path in paths if path.split("/")[-1] == wanted]
        if len(found) == 1:
            return found[0]
        if found:
            raise ValueError(f"KerasFileEditor: several objects are named {object_name!r}: {', '.join(found)}. Give the path of one.")
        raise ValueError(f"KerasFileEditor: there is no object {object_name!r}.{suggestion(wanted, paths)} The objects are: {', '.join(paths) or 'none'}.")

    def _at(self, path):
        inside = self.weights_dict
        for name in path.split("/"):
            inside = inside[name]
        return inside

    def _parent(self, path):
        above, _, name = path.rpartition("/")
        return (self._at(above) if above else self.weights_dict), name

    # changing

    def rename_object(self, object_name, new_name):
        """Give an object another last name.

        Raises:
            ValueError: there is no such object, or the new name is taken or no name.
        """
        path = self._find(object_name)
        parent, name = self._parent(path)
        if not isinstance(new_name, str) or not new_name or "/" in new_name:
            raise ValueError(f"rename_object: new_name must be a name without slashes; got {new_name!r}.")
        if new_name in parent and new_name != name:
            raise ValueError(f"rename_object: {'/'.join([*path.split('/')[:-1], new_name])} is there already.")
        renamed = {new_name if key == name else key: value for key, value in parent.items()}
        parent.clear()
        parent.update(renamed)
        new = "/".join([*path.split("/")[:-1], new_name])
        self.object_metadata = {new + owner[len(path) :] if (owner + "/").startswith(path + "/") else owner: d for owner, d in self.object_metadata.items()}

    def delete_object(self, object_name):
        """Take out an object, and those below it."""
        path = self._find(object_name)
        parent, name = self._parent(path)
        del parent[name]
        self.object_metadata = {owner: data for owner, data in self.object_metadata.items() if not (owner + "/").startswith(path + "/")}

    def add_object(self, object_path, weights):
        """Put in an object.

        Args:
            object_path: its whole path; what it stands below must be there.
            weights: dictionary from "0", "1", ... to arrays.

        Raises:
            ValueError: it is there already, or what it would stand below is not.
        """
        path = str(object_path).strip("/")
        arrays = _checked("add_object", weights)
        above, _, name = path.rpartition("/")
        if not name:
            raise ValueError(f"add_object: object_path must be a path such as 'layers/dense_1'; got {object_path!r}.")
        if above and above not in [p for p, _ in self._objects()]:
            raise ValueError(f"add_object: there is no object {above!r} to put {name!r} below. The objects are: {', '.join(p for p, _ in self._objects())}.")
        parent = self._at(above) if above else self.weights_dict
        if name in parent:
            raise ValueError(f"add_object: {path} is there already; add_weights changes what it holds.")
        parent[name] = arrays

    def add_weights(self, object_name, weights):
        """Put arrays into an object, or others in place of those that it has.

        Args:
            object_name: the object.
            weights: dictionary from "0", "1", ... to arrays.
        """
        self._at(self._find(object_name)).update(_checked("add_weights", weights))

    def delete_weight(self, object_name, weight_name):
        """Take one array out of an object.

        Raises:
            ValueError: it has none of that name.
        """
        path = self._find(object_name)
        found = self._at(path)
        if isinstance(found.get(weight_name), dict) or weight_name not in found:
            names = [key for key, value in found.items() if not isinstance(value, dict)]
            raise ValueError(f"delete_weight: {path} has no weight {weight_name!r}; it has {', '.join(names) or 'none'}.")
        del found[weight_name]

    # looking

    def compare(self, reference_model):
        """Say what of a model is missing in the file, what is over, and where shapes differ.

        Args:
            reference_model: a model that is built.

        Returns:
            Dictionary: `status` ("success" or "error"), `error_count`, `match_count` (arrays that fit).
        """
        if not hasattr(reference_model, "weights") or not getattr(reference_model, "built", True):
            raise ValueError(f"compare: wanted a model that is built; got {reference_model!r}.")
        wanted = {place.removesuffix("vars").rstrip("/"): arrays for place, _, arrays in weights.values_of(reference_model)}
        here = {path: {k: v for k, v in found.items() if not isinstance(v, dict)} for path, found in [("", self.weights_dict), *self._objects()]}
        problems, matches = [], 0
        for path in dict.fromkeys([*wanted, *here]):
            theirs, ours = wanted.get(path, {}), here.get(path, {})
            if path not in here and theirs:
                problems.append(f"/{path} is in the model and not in the file; it has {', '.join(theirs)}")
                continue
            if path not in wanted and ours:
                problems.append(f"/{path} is in the file and not in the model; it has {', '.join(ours)}")
                continue
            for key in dict.fromkeys([*theirs, *ours]):
                if key not in ours or key not in theirs:
                    problems.append(f"/{path}: the weight {key!r} is only in the {'model' if key in theirs else 'file'}")
                elif theirs[key].shape != ours[key].shape:
                    problems.append(f"/{path}: the weight {key!r} has the shape {theirs[key].shape} in the model and {ours[key].shape} in the file")
                else:
                    matches += 1
        for problem in problems:
            print(problem)
        print(f"{len(problems)} differences: the file does not fit the model." if problems else f"All {matches} weights fit the model.")
        return {"status": "error" if problems else "success", "error_count": len(problems), "match_count": matches}

    def summary(self):
        """Print the objects with their arrays."""
        print(f"Keras model file '{self.filepath}'")
        if self.metadata is not None:
            print(f"Saved with Keras {self.metadata.get('keras_version', '?')} - date: {self.metadata.get('date_saved', '?')}")
        print("Weights structure")
        self._print(self.weights_dict, "  ")

    def _print(self, inside, indent):
        for i, (name, value) in enumerate(inside.items()):
            last = i == len(inside) - 1
            shown = name if isinstance(value, dict) else f"{name}: shape={value.shape}, dtype={value.dtype.name}"
            print(f"{indent}{'└─' if last else '├─'} {shown}")
            if isinstance(value, dict):
                self._print(value, indent + ("   " if last else "│  "))

    # writing

    def save(self, filepath):
        """Write the weights as they are now to a `.weights.h5` file."""
        import h5py

        path = os.fspath(filepath)
        if not path.endswith(".weights.h5"):
            raise ValueError(f"KerasFileEditor.save: the file must end in .weights.h5; got {path!r}.")
        with replacing(path) as beside, h5py.File(beside, "w") as file:
            for owner, found in [("", self.weights_dict), *self._objects()]:
                arrays = {key: value for key, value in found.items() if not isinstance(value, dict)}
                if not arrays and owner not in self.object_metadata:
                    continue
                group = file.require_group(f"{owner}/vars" if owner else "vars")
                group.attrs.update(self.object_metadata.get(owner, {}))
                for key, value in arrays.items():
                    weights.write_array(group, key, value)

    def resave_weights(self, filepath):
        """As `save`."""
        self.save(filepath)


def _order(key):
    return (0, int(key), "") if key.isdigit() else (1, 0, key)


def _checked(who, given):
    if not isinstance(given, dict) or not all(isinstance(key, str) and key and "/" not in key for key in given):
        raise ValueError(f'{who}: weights must be a dictionary from names such as "0" to arrays; got {given!r}.')
    arrays = {key: np.asarray(value) for key, value in given.items()}
    for key, value in arrays.items():
        if value.dtype.kind not in "fiubV":
            raise ValueError(f"{who}: the weight {key!r} holds no numbers; its type is {value.dtype}.")
    return arrays
