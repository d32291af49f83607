"""Weights as Keras 3 lays them out in HDF5: a group for each object that has state, named by the attributes that lead to it.

`layers/dense_1/vars/0` is the first variable of the second Dense of a model. Objects in lists are named by their class in snake case,
counted; a list in a list is a `container`. The order of attributes is that of their names, public ones first, since an object that
hangs from two is written under the first.
"""

import collections.abc
import warnings

import numpy as np

from cornu import scopes
from cornu.layers.layer import Layer
from cornu.optimizers import Optimizer
from cornu.random import SeedGenerator
from cornu.saving.limits import MismatchError
from cornu.serialization import CorruptFileError

_UNSEEN = frozenset(
    "input output inputs outputs operations metrics weights variables losses _function _stack _training _inbound_nodes _own_variables _losses "
    "_build_shapes _init_arguments _initial_weights dtype_policy input_spec history".split()
)


def saveables(model):
    """(path, object) of everything in `model` that has state, `model` itself at the path "", each once."""
    seen = {id(model)}
    yield "", model
    yield from _below(model, "", seen)


def _is_saveable(value):
    return isinstance(value, (Layer, Optimizer, SeedGenerator))


def _attributes(owner):
    shown = lambda name: name[1:] if name[0] == "_" and isinstance(getattr(type(owner), name[1:], None), property) else name  # a property comes first
    found = {shown(name): value for name, value in vars(owner).items() if name not in _UNSEEN}
    if hasattr(owner, "_function"):
        found["layers"] = owner.layers
    return sorted(found.items(), key=lambda item: (item[0].startswith("_"), item[0]))


def _below(owner, path, seen):
    for name, value in _attributes(owner):
        where = f"{path}/{name}" if path else name
        if _is_saveable(value):
            if id(value) not in seen:
                seen.add(id(value))
                yield where, value
                yield from _below(value, where, seen)
        elif isinstance(value, (list, tuple, dict)):
            yield from _inside(value, where, seen)


def _inside(container, path, seen):
    used = {}
    for item in container.values() if isinstance(container, dict) else container:
        if _is_saveable(item):
            name = scopes.to_snake_case(type(item).__name__)
            used[name] = used.get(name, -1) + 1
            where = f"{path}/{name}_{used[name]}" if used[name] else f"{path}/{name}"
            if id(item) not in seen:
                seen.add(id(item))
                yield where, item
                yield from _below(item, where, seen)
        elif isinstance(item, (list, tuple, dict)) and item:
            yield from _inside(item, f"{path}/container", seen)


class Store(collections.abc.MutableMapping):
    """The variables of one object in a file, "0", "1", ..., as NumPy arrays."""

    def __init__(self, group, place):
        self.group, self.place = group, place

    def __getitem__(self, key):
        if key not in self.group:
            raise CorruptFileError(f"{self.place}: there is no {key!r}.")
        return read_array(self.group[key], f"{self.place}/{key}")

    def __setitem__(self, key, value):
        write_array(self.group, key, value)

    def __delitem__(self, key):
        del self.group[key]

    def __iter__(self):
        return iter(self.group)

    def __len__(self):
        return len(self.group)


def read_array(item, place):
    """A data set as an array."""
    if not hasattr(item, "shape") or item.dtype.hasobject or item.shape is None:
        raise CorruptFileError(f"{place} is no array of numbers.")
    if item.dtype.kind == "V":
        import ml_dtypes

        name = item.attrs.get("dtype")
        known = {"bfloat16": ml_dtypes.bfloat16, "float8_e4m3fn": ml_dtypes.float8_e4m3fn, "float8_e5m2": ml_dtypes.float8_e5m2}
        if name not in known or np.dtype(known[name]).itemsize != item.dtype.itemsize:
            raise CorruptFileError(f"{place} has the type {item.dtype}, which is not known.")
        return item[()].view(known[name])
    if item.dtype.kind not in "fiub":
        raise CorruptFileError(f"{place} has the type {item.dtype}; wanted numbers.")
    return np.asarray(item[()])


def write_array(group, key, value):
    """An array as a data set."""
    value = np.asarray(value)
    name = value.dtype.name
    if value.dtype.kind == "V" or name.startswith(("bfloat16", "float8")):
        made = group.create_dataset(key, data=value.view(f"V{value.dtype.itemsize}"))
        made.attrs["dtype"] = name
    else:
        group.create_dataset(key, data=value)


def write(file, model, optimizer=True):
    """Write the weights of `model` into the HDF5 group `file`."""
    for path, item in saveables(model):
        if isinstance(item, Optimizer) and not optimizer:
            continue
        group = file.create_group(f"{path}/vars" if path else "vars")
        group.attrs["name"] = item.name
        _fill(Store(group, path), item)


def _fill(store, item):
    if isinstance(item, SeedGenerator):
        store["0"] = item.state.numpy()
    else:
        item.save_own_variables(store)


def values_of(model):
    """(place in a file, name, arrays by key) of everything in `model` that has state."""
    for path, item in saveables(model):
        found = {}
        _fill(found, item)
        yield f"{path}/vars" if path else "vars", item.name, {key: np.asarray(value) for key, value in found.items()}


def collect(file, groups):
    """Add the data sets of a file to `groups`: place of a `vars` group -> key -> data set."""
    stack = [("", file)]
    while stack:
        place, group = stack.pop()
        for name, item in group.items():
            where = f"{place}/{name}" if place else name
            if name == "vars":
                groups.setdefault(where, {}).update(item.items() if hasattr(item, "items") else {})
            elif hasattr(item, "items"):
                stack.append((where, item))


def _skipped(item, path, objects_to_skip):
    return any(item is one or one in (item.name, path) for one in objects_to_skip or () if isinstance(one, str) or item is one)


def read(file, model, skip_mismatch=False, objects_to_skip=None):
    """Give the weights in the HDF5 group `file` to `model`, all but those of `objects_to_skip`: layers, their names or paths.

    Raises:
        ValueError: variables are missing or have other shapes; without `skip_mismatch`.
    """
    for path, item in saveables(model):
        if _skipped(item, path, objects_to_skip):
            continue
        place = f"{path}/vars" if path else "vars"
        group = file[place] if place in file else {}
        store = Store(group, place)
        try:
            if isinstance(item, SeedGenerator):
                if "0" in group and group["0"].shape == (2,):
                    item.state.assign(store["0"])
            elif isinstance(item, Optimizer):
                if 0 < len(group) <= 2 < len(item.variables):  # saved before its first step: it had no slots yet
                    for key, variable in zip(sorted(group), item.variables):
                        variable.assign(store[key])
                elif len(group):
                    item.load_own_variables(store)
            elif not len(group) and isinstance(item, Layer) and not item._own_variables:
                continue
            else:
                item.load_own_variables(store)
        except CorruptFileError:
            raise
        except (ValueError, KeyError) as error:
            if not skip_mismatch or isinstance(item, Optimizer):
                raise MismatchError(f"{place}: {error}") from error
            warnings.warn(f"{place} is skipped: {error}", stacklevel=3)
