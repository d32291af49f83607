"""Configs as Keras 2 wrote them: a class's name and its arguments, with no module."""

import inspect

from cornu import serialization
from cornu.fields import suggestion

__all__ = ["deserialize_keras_object", "serialize_keras_object"]


def serialize_keras_object(instance):
    """`instance` as a dictionary of its class's name and its config; a function as its name; None stays None.

    Raises:
        ValueError: something that has no config.
    """
    if instance is None:
        return None
    if hasattr(instance, "get_config"):
        name = serialization.get_registered_name(type(instance))
        return {"class_name": name, "config": serialization.serialize_keras_object(dict(instance.get_config()))}
    if hasattr(instance, "__name__"):
        return serialization.get_registered_name(instance)
    raise ValueError(f"serialize_keras_object: {type(instance).__name__} cannot be written: it has no `get_config` method. Value: {str(instance)[:100]}")


def deserialize_keras_object(identifier, module_objects=None, custom_objects=None, printable_module_name="object"):
    """The object that an older config describes.

    Args:
        identifier: a dictionary with "class_name" and "config", a name, a function, or None.
        module_objects: dictionary from names to classes and functions to look in.
        custom_objects: names and classes or functions of yours; these come first.
        printable_module_name: what errors call such an object.

    Raises:
        ValueError: an unknown name, or something that is no config.
    """
    if identifier is None or (callable(identifier) and not isinstance(identifier, str)):
        return identifier
    if isinstance(identifier, str):
        found = _known(identifier, module_objects, custom_objects, printable_module_name)
        return found() if inspect.isclass(found) else found
    if not isinstance(identifier, dict) or "class_name" not in identifier or "config" not in identifier:
        raise ValueError(f"deserialize_keras_object: wanted a name, or a dictionary with 'class_name' and 'config'; got {identifier!r}.")
    found = _known(identifier["class_name"], module_objects, custom_objects, printable_module_name)
    if not inspect.isclass(found):
        return found
    with serialization.CustomObjectScope(custom_objects):
        return found.from_config(dict(identifier["config"]))


def _known(name, module_objects, custom_objects, what):
    found = serialization.get_registered_object(name, custom_objects, module_objects)
    if found is None:
        known = [*(custom_objects or ()), *(module_objects or ())]
        raise ValueError(
            f"deserialize_keras_object: unknown {what} {name!r}.{suggestion(name, known)} Give its class in `module_objects` or `custom_objects`, or "
            "register it with @cornu.saving.register_keras_serializable()."
        )
    return found
