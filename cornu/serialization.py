"""Objects to plain configs and back, by a closed registry: a file names a class, it never brings one.

A name is looked up among the classes that the library put in and those that the user registered or passes. Nothing that a config
says is imported, evaluated or opened.
"""

import inspect
import types
import warnings

import numpy as np

from cornu import dtypes, scopes, symbolic
from cornu.fields import suggestion

_own = {}  # (kind, class name) -> class or function of the library
_names = {}  # class or function of the library -> (module as written, name)
_registered = {}  # "package>Name" -> what the user registered
_registered_names = {}
_MAX_DEPTH = 200


class UnsafeFileError(ValueError):
    """A file asks for something that opening a file must never do."""


class CorruptFileError(ValueError):
    """A file is damaged or is not what it says."""


class UnknownNameError(UnsafeFileError, TypeError):
    """A file names a class or function that is not known here."""


class Saving(scopes.Scope):
    """Inside, what could not be read back is not written."""

    kind = "Saving"


def own(cls, module, kind=None, name=None):
    """Put a class or function of the library into the registry, written as `module` and `name`; `kind` is the namespace."""
    name = name or cls.__name__
    _own[(kind or module.removeprefix("keras."), name)] = cls
    _names.setdefault(cls, (module, name))
    return cls


def alias(kind, name, cls):
    """Another name under which files of some era call a class."""
    _own[(kind, name)] = cls


def owned(kind):
    """The names and classes of the library in the namespace `kind`."""
    return {name: cls for (k, name), cls in _own.items() if k == kind}


def register_keras_serializable(package="Custom", name=None):
    """A decorator that lets files name a class or function of yours.

    Args:
        package, name: it is written as `package>name`; the name is the class's own by default.
    """

    def decorate(cls):
        key = f"{package}>{name or cls.__name__}"
        if inspect.isclass(cls) and not hasattr(cls, "get_config"):
            raise ValueError(f"register_keras_serializable: {cls.__name__} has no `get_config`, so it cannot be written to a file. Give it one.")
        _registered[key] = cls
        _registered_names[cls] = key
        return cls

    return decorate


class CustomObjectScope(scopes.Scope):
    """Inside, names of `custom_objects` are known to everything that reads configs."""

    kind = "CustomObjectScope"

    def __init__(self, custom_objects):
        self.objects = dict(custom_objects or {})


custom_object_scope = CustomObjectScope
_global_custom = {}


def get_custom_objects():
    """The dictionary of names known everywhere; add your classes to it."""
    return _global_custom


def get_registered_name(obj):
    """The name that `obj` was registered under, else its own."""
    return _registered_names.get(obj, getattr(obj, "__name__", str(obj)))


def get_registered_object(name, custom_objects=None, module_objects=None):
    """What is known under `name`, or None."""
    for scope in reversed(scopes.open_scopes("CustomObjectScope")):
        if name in scope.objects:
            return scope.objects[name]
    for table in (_global_custom, custom_objects or {}, _registered, module_objects or {}):
        if name in table:
            return table[name]
    return None


def _custom(config, custom_objects):
    for name in (config.get("registered_name"), config.get("class_name")):
        if isinstance(name, str):
            found = get_registered_object(name, custom_objects)
            if found is not None:
                return found
            for key, cls in _registered.items():
                if key.split(">")[-1] == name:
                    return cls
    return None


_KINDS = (
    "layers losses metrics optimizers initializers regularizers constraints activations models callbacks dtype_policies random ops quantizers distillation"
).split()


def _kind_of(module, default):
    if not module:
        return default
    parts = module.split(".")
    if "schedules" in parts or any("schedule" in p for p in parts):
        return "optimizers.schedules"
    for part in parts:
        part = {"dtype_policy": "dtype_policies", "seed_generator": "random"}.get(part, part)
        if part in _KINDS:
            return part
    return default or ("models" if parts[-1] == "keras" else None)


def _find(config, kind, custom_objects):
    class_name, module = config["class_name"], config.get("module")
    found = _custom(config, custom_objects)
    if found is not None:
        return found
    kinds = [_kind_of(module, kind), kind, *_KINDS, "optimizers.schedules"]
    for wanted in kinds:
        if (wanted, class_name) in _own:
            return _own[(wanted, class_name)]
    every = [name for _, name in _own]
    raise UnknownNameError(
        f"Unknown class {class_name!r} (module {module!r}, registered as {config.get('registered_name')!r}).{suggestion(class_name, every)} "
        f"If it is yours, decorate it with @cornu.saving.register_keras_serializable() or pass custom_objects={{{class_name!r}: ...}}."
    )


def serialize_keras_object(obj):
    """`obj` as plain data: dictionaries, lists, numbers and text.

    Raises:
        ValueError: a lambda or something without `get_config`.
    """
    if obj is None or isinstance(obj, (bool, int, float, str)) and type(obj) in (bool, int, float, str):
        return obj
    if isinstance(obj, np.generic):
        return obj.item()
    if isinstance(obj, bytes):
        return {"class_name": "__bytes__", "config": {"value": obj.decode("utf-8", "surrogateescape")}}
    if isinstance(obj, np.ndarray):
        return {"class_name": "__numpy__", "config": {"value": obj.tolist(), "dtype": obj.dtype.name}}
    if isinstance(obj, tuple):
        return tuple(serialize_keras_object(item) for item in obj)
    if isinstance(obj, list):
        return [serialize_keras_object(item) for item in obj]
    if isinstance(obj, dict):
        return {key: serialize_keras_object(value) for key, value in obj.items()}
    if isinstance(obj, symbolic.KerasTensor):
        operation, node, tensor = obj._keras_history
        return {
            "class_name": "__keras_tensor__",
            "config": {"shape": list(obj.shape), "dtype": obj.dtype, "keras_history": [operation.name, node, tensor]},
        }
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(obj, slice):
        return {
            "class_name": "__slice__",
            "config": {"start": serialize_keras_object(obj.start), "stop": serialize_keras_object(obj.stop), "step": serialize_keras_object(obj.step)},
        }
    if isinstance(obj, type) and obj.__module__ in ("builtins", "numpy") or type(obj).__name__ in ("dtype", "DType"):
        return dtypes.standardize(obj)
    if isinstance(obj, types.FunctionType) and obj.__name__ == "<lambda>":
        raise ValueError(
            "A lambda cannot be written to a file: a file never holds code. Give the function a name with `def` and decorate it with "
            "@cornu.saving.register_keras_serializable()."
        )
    if isinstance(obj, (types.FunctionType, types.BuiltinFunctionType)) or (callable(obj) and not hasattr(obj, "get_config") and obj in _names):
        module, name = _names.get(obj, (None, None))
        if module is not None:
            return {"module": module, "class_name": "function", "config": name, "registered_name": name}
        return {"module": "builtins", "class_name": "function", "config": obj.__name__, "registered_name": get_registered_name(obj)}
    if not hasattr(obj, "get_config"):
        if hasattr(obj, "__array__") and hasattr(obj, "dtype"):
            return {"class_name": "__tensor__", "config": {"value": np.asarray(obj).tolist(), "dtype": dtypes.standardize(obj.dtype)}}
        raise ValueError(f"{type(obj).__name__} cannot be written to a file: it has no `get_config` method. Value: {str(obj)[:100]}")
    cls = type(obj)
    if scopes.innermost("Saving") is not None and cls not in _names and cls not in _registered_names and get_registered_object(cls.__name__) is not cls:
        warnings.warn(
            f"The class {cls.__name__} of {getattr(obj, 'name', obj)!r} is not registered, so the file alone cannot be opened: load it with "
            f"custom_objects={{{cls.__name__!r}: {cls.__name__}}}, or decorate the class with @cornu.saving.register_keras_serializable().",
            stacklevel=2,
        )
    config = serialize_keras_object(dict(obj.get_config()))
    module, name = _names.get(cls, (cls.__module__, cls.__name__))
    written = {
        "module": module,
        "class_name": name,
        "config": config,
        "registered_name": None if cls in _names else get_registered_name(cls),
    }
    for part in ("build", "compile"):
        getter = getattr(obj, f"get_{part}_config", None)
        found = getter() if getter else None
        if found is not None:
            written[f"{part}_config"] = serialize_keras_object(found)
    return written


def deserialize_keras_object(config, custom_objects=None, safe_mode=True, kind=None, **kwargs):
    """The object that `config` describes.

    Args:
        config: what `serialize_keras_object` gave, of any Keras.
        custom_objects: names and classes or functions of yours.
        safe_mode: accepted; nothing more is allowed when False.
        kind: the namespace to look in first, such as `"layers"`.

    Raises:
        TypeError: an unknown class.
        UnsafeFileError: code in the config.
    """
    with CustomObjectScope(custom_objects or {}):
        return _read(config, kind, 0)


def _read(config, kind, depth):
    if depth > _MAX_DEPTH:
        raise CorruptFileError(f"The config nests deeper than {_MAX_DEPTH} levels.")
    down = lambda item: _read(item, None, depth + 1)
    if isinstance(config, (list, tuple)):
        return [down(item) for item in config]
    if not isinstance(config, dict):
        if isinstance(config, str) and kind is not None:
            found = get_registered_object(config)
            return found if found is not None else _own.get((kind, config), config)
        return config
    if "class_name" not in config or not isinstance(config["class_name"], str) or ("config" not in config and "items" not in config):
        return {key: down(value) for key, value in config.items()}
    class_name, inner = config["class_name"], config.get("config")
    if class_name in _PLAIN:
        return _PLAIN[class_name](config, down)
    if class_name == "__lambda__":
        raise UnsafeFileError(
            "The file holds a Lambda's code, and a file's code is never run. Pass the function by name: "
            "load with custom_objects={'name': function}, or rebuild the model in code and load its weights."
        )
    if class_name == "function":
        return _function(config)
    cls = _find(config, kind, None)
    if not inspect.isclass(cls):
        return cls
    if not hasattr(cls, "from_config"):
        raise TypeError(f"{class_name}: the class has no `from_config`.")
    if not isinstance(inner, dict):
        raise CorruptFileError(f"{class_name}: its config must be a dictionary; got {type(inner).__name__}.")
    try:
        made = cls.from_config(dict(inner))
    except (UnsafeFileError, CorruptFileError) as error:
        name = inner.get("name")
        if not isinstance(name, str) or f"{name!r}" in str(error):
            raise
        raise type(error)(f"{class_name} {name!r}: {error}") from error.__cause__
    build = config.get("build_config")
    if build and hasattr(made, "build_from_config"):
        made.build_from_config(down(build))
        made.built = True
    compiled = config.get("compile_config")
    if compiled and hasattr(made, "compile_from_config"):
        made.compile_from_config(compiled)
    return made


def _function(config):
    name = config.get("config")
    found = _custom({"class_name": name, "registered_name": config.get("registered_name")}, None)
    if found is not None:
        return found
    kind = _kind_of(config.get("module"), None)
    for wanted in (kind, "activations", "losses", "metrics", "ops"):
        if (wanted, name) in _own:
            return _own[(wanted, name)]
    raise UnknownNameError(f"Unknown function {name!r}. Pass custom_objects={{{name!r}: ...}} or register it with @cornu.saving.register_keras_serializable().")


def _keras_tensor(config, down):
    inner = config["config"]
    tensor = symbolic.KerasTensor(inner["shape"], inner["dtype"])
    tensor._record_of_file = inner.get("keras_history")
    return tensor


_PLAIN = {
    "__tuple__": lambda c, down: tuple(down(item) for item in (c["items"] if "items" in c else c["config"]["value"])),
    "__bytes__": lambda c, down: c["config"]["value"].encode("utf-8", "surrogateescape"),
    "__numpy__": lambda c, down: np.array(c["config"]["value"], dtypes.standardize(c["config"]["dtype"])),
    "__tensor__": lambda c, down: np.array(c["config"]["value"], dtypes.standardize(c["config"]["dtype"])),
    "__ellipsis__": lambda c, down: Ellipsis,
    "__slice__": lambda c, down: slice(*(down(c["config"][part]) for part in ("start", "stop", "step"))),
    "__keras_tensor__": _keras_tensor,
    "TypeSpec": lambda c, down: None,
    "TensorShape": lambda c, down: tuple(c["items"] if "items" in c else c["config"]),
}
