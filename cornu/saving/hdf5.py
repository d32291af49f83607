"""Whole models and weights in `.h5` files: as Keras 3 writes them, and as Keras 2 and tf.keras wrote them (read only).

Weights lie in one group for each layer, `weight_names` giving their order.
"""

import json
import warnings

import numpy as np

from cornu import losses, metrics, optimizers, serialization
from cornu.layers.layer import Layer
from cornu.saving import eras, limits
from cornu.saving.archive import KERAS_VERSION, paid_for
from cornu.saving.weights import read_array, write_array
from cornu.serialization import CorruptFileError, UnsafeFileError
from cornu.variable import DeferredValues
from cornu.version import __version__

_HEADER = 64512  # bytes that an attribute can have
_OWN_WEIGHTS = "top_level_model_weights"


# -- attributes ---------------------------------------------------------------------------------------------------------------------------


def _text(value):
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _names(group, key):
    """A list of texts in an attribute, or in several: `key0`, `key1`, ..., where it was too long."""
    if key in group.attrs:
        return [_text(item) for item in np.ravel(group.attrs[key])]
    found, part = [], 0
    while f"{key}{part}" in group.attrs:
        found += [_text(item) for item in np.ravel(group.attrs[f"{key}{part}"])]
        part += 1
    return found


def _write_names(group, key, names):
    data = [name.encode() for name in names]
    width = max(map(len, data), default=1)
    if width > _HEADER:
        raise ValueError(f"A name of {width:,} bytes does not fit into an HDF5 file: {names[0][:60]}...")
    per = max(1, _HEADER // width)
    if len(data) <= per:
        group.attrs[key] = data if data else np.zeros(0)
        return
    for part, start in enumerate(range(0, len(data), per)):
        group.attrs[f"{key}{part}"] = data[start : start + per]


def _json(file, key):
    return limits.parsed(_text(file.attrs[key]), key)


# -- whole models -------------------------------------------------------------------------------------------------------------------------


def write(model, path, include_optimizer=True):
    """Write `model` to a new file at `path`."""
    import h5py

    if getattr(model, "_function", None) is None and not hasattr(model, "_stack"):
        raise ValueError(f'An .h5 file holds no subclassed model, and "{model.name}" is one: save it as .keras, or its weights as .weights.h5.')
    with serialization.Saving():
        config = eras.without_modules(serialization.serialize_keras_object(model))
        found = model.get_compile_config()
    training = None
    if found and include_optimizer:
        optimizer = found.pop("optimizer")
        training = {**{key: eras.short(value) for key, value in found.items()}, "optimizer_config": eras.short(optimizer)}
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"], file.attrs["writer"] = KERAS_VERSION, "jax", f"cornu {__version__}"
        file.attrs["model_config"] = json.dumps(config)
        write_weights(file.create_group("model_weights"), model)
        if training is not None:
            file.attrs["training_config"] = json.dumps(training)
            if model.optimizer is not None:
                _write_group(file.create_group("optimizer_weights"), model.optimizer.variables)


def read(path, size, custom_objects=None, compile=True):
    """The model in the file at `path`, of `size` bytes."""
    import h5py

    with h5py.File(path, "r") as file:
        numbers = limits.check_hdf5(file, size)
        if "model_config" not in file.attrs:
            raise CorruptFileError("it holds weights and no model (no attribute `model_config`): make the model in code and call model.load_weights(...).")
        version = _text(file.attrs.get("keras_version", "1"))
        config = eras.model_config(_json(file, "model_config"), version)
        with DeferredValues(numbers + 65536, UnsafeFileError) as deferred, serialization.CustomObjectScope(custom_objects or {}):
            model = serialization.deserialize_keras_object(config, kind="models")
            if not isinstance(model, Layer) or not hasattr(model, "fit"):
                raise CorruptFileError(f"model_config describes a {type(model).__name__}, which is no model.")
            if "model_weights" in file:
                read_weights(file["model_weights"], model)
            if compile and "training_config" in file.attrs:
                _compile(model, eras.training_config(_json(file, "training_config"), version))
                if model.optimizer is not None and "optimizer_weights" in file:
                    _read_optimizer(file["optimizer_weights"], model)
            paid_for(deferred, numbers)
    return model


def _compile(model, config):
    made = lambda value, module: (
        [made(item, module) for item in value]
        if isinstance(value, list)
        else module.deserialize(value)
        if isinstance(value, dict) and "class_name" in value
        else {key: made(item, module) for key, item in value.items()}
        if isinstance(value, dict)
        else value
    )
    known = {"loss": losses, "metrics": metrics, "weighted_metrics": metrics}
    arguments = {key: made(value, known[key]) if key in known else value for key, value in config.items() if key != "optimizer_config"}
    optimizer = config.get("optimizer_config")
    if optimizer:
        arguments["optimizer"] = optimizers.deserialize(optimizer)
    model.compile(**arguments)
    if model.optimizer is not None and model.built:
        model.optimizer.build(model.trainable_variables)


def _read_optimizer(group, model):
    names = _names(group, "weight_names")
    values = [read_array(group[name], f"optimizer_weights/{name}") for name in names]
    own = model.optimizer.variables
    if len(values) == len(own) and all(value.shape == variable.shape for value, variable in zip(values, own)):
        for variable, value in zip(own, values):
            variable.assign(value)
    elif not eras.optimizer_state(model.optimizer, names, values) and values:
        warnings.warn(f"{len(values)} values of the optimizer's state do not fit {type(model.optimizer).__name__}; it begins anew.", stacklevel=2)


# -- weights ------------------------------------------------------------------------------------------------------------------------------


def _own_weights(model):
    """What the model has besides its layers' weights."""
    below = {id(v) for layer in model.layers for v in layer.weights}
    return [v for v in model.weights if id(v) not in below]


def _write_group(group, variables):
    names = []
    for variable in variables:
        name = variable.path
        while name in names:
            name += "_1"
        names.append(name)
        write_array(group, name, variable.numpy())
    _write_names(group, "weight_names", names)


def write_weights(group, model):
    """Write the weights of `model` into an HDF5 group."""
    _write_names(group, "layer_names", [layer.name for layer in model.layers])
    group.attrs["keras_version"], group.attrs["backend"] = KERAS_VERSION, "jax"
    for layer in sorted(model.layers, key=lambda layer: layer.name):
        _write_group(group.create_group(layer.name), [*layer.trainable_weights, *layer.non_trainable_weights])
    _write_group(group.create_group(_OWN_WEIGHTS), _own_weights(model))


def read_weights(group, model, skip_mismatch=False, by_name=False):
    """Give `model` the weights of an HDF5 group, by the order of the layers or by their names.

    Raises:
        ValueError: another number of layers or weights, or another shape.
    """
    names = _names(group, "layer_names")
    groups = [
        (name, group[name]) for name in names if name in group and (len(group[name].attrs.get("weight_names", ())) or "weight_names0" in group[name].attrs)
    ]
    flip = _text(group.attrs.get("backend", "")) == "theano"
    if by_name:
        layers = {layer.name: layer for layer in model.layers}
        pairs = [(name, part, layers[name]) for name, part in groups if name in layers]
    else:
        layers = [layer for layer in model.layers if layer.weights]
        if len(layers) != len(groups):
            raise limits.MismatchError(
                f'the file has weights for {len(groups)} layers, the model "{model.name}" has {len(layers)} layers with weights. by_name=True takes those whose names agree.'
            )
        pairs = [(name, part, layer) for (name, part), layer in zip(groups, layers)]
    for name, part, layer in pairs:
        _assign(name, part, layer, flip, skip_mismatch)
    own = _own_weights(model)
    if own and _OWN_WEIGHTS in group:
        _give(_OWN_WEIGHTS, own, [(n, group[_OWN_WEIGHTS][n]) for n in _names(group[_OWN_WEIGHTS], "weight_names")], skip_mismatch)


def _assign(name, group, layer, flip, skip_mismatch):
    items = []
    for weight in _names(group, "weight_names"):
        if weight not in group:
            raise CorruptFileError(f"{name}: `weight_names` names {weight!r}, which is not there.")
        items.append((weight, group[weight]))
    _give(name, _in_order(layer, items), items, skip_mismatch, flip and "Conv" in type(layer).__name__)


def _in_order(layer, items):
    """The weights of `layer` in the order of the file: by their names where these say it, else those made to be trained first."""
    weights = layer.weights
    key = lambda path: tuple(path.removesuffix(":0").split("/")[-2:])
    by_name = {}
    for variable in weights:
        by_name.setdefault(key(variable.path), []).append(variable)
    if len(items) == len(weights) and all(len(by_name.get(key(name), ())) == 1 for name, _ in items):
        return [by_name[key(name)][0] for name, _ in items]
    return sorted(weights, key=lambda variable: variable.fixed)


def _give(name, variables, items, skip_mismatch, flip=False):
    wrong = None
    if len(variables) != len(items):
        wrong = f"{name}: the file has {len(items)} weights, the layer {len(variables)}"
    for variable, (weight, item) in zip(variables, items):
        if tuple(item.shape) != variable.shape and wrong is None:
            wrong = f"{name}: the weight {weight!r} has the shape {tuple(item.shape)}, the layer's {variable.path!r} has {variable.shape}"
    if wrong is not None:
        if not skip_mismatch:
            raise limits.MismatchError(f"{wrong}.")
        warnings.warn(f"{wrong}; it is skipped.", stacklevel=4)
        return
    for variable, (weight, item) in zip(variables, items):
        value = read_array(item, f"{name}/{weight}")
        variable.assign(np.flip(value, range(value.ndim - 2)) if flip and value.ndim > 2 else value)


def read_file(path, size, model, skip_mismatch=False, by_name=False):
    """Give `model` the weights of a file of this layout; says whether it is one."""
    import h5py

    with h5py.File(path, "r") as file:
        limits.check_hdf5(file, size)
        group = file["model_weights"] if "model_weights" in file and not _has_names(file) else file
        if not _has_names(group):
            return False
        read_weights(group, model, skip_mismatch, by_name)
    return True


def _has_names(group):
    return "layer_names" in group.attrs or "layer_names0" in group.attrs
