"""The functions `get`, `serialize` and `deserialize` that each namespace of named things has."""

import inspect

from cornu import fields, scopes, serialization


def _key(name):
    return name.replace("_", "").lower()


def namespace(kind, classes, aliases=None, module=None, base=None):
    """Put `classes` into the registry of files and give the three functions of their namespace.

    Args:
        kind: plural name of the namespace, such as `"initializers"`.
        classes: list, or dict by name, of the classes or functions that it holds; each is found under its name and its snake case, whatever
            the case and the underscores.
        aliases: other names -> class.
        module: as files write it; `keras.<kind>` by default.
        base: class of what `get` gives; None where whatever can be called will do.

    Returns:
        get, serialize, deserialize.
    """
    aliases, singular = dict(aliases or {}), kind.split(".")[-1]
    singular = singular[:-2] if singular.endswith("sses") else singular[:-1]
    classes = classes if isinstance(classes, dict) else {cls.__name__: cls for cls in classes}
    for name, cls in classes.items():
        serialization.own(cls, module or f"keras.{kind}", kind, name)
        serialization.alias(kind, scopes.to_snake_case(name), cls)
    for name, cls in aliases.items():
        serialization.alias(kind, name, cls)
    by_key = {_key(name): cls for name, cls in (aliases | classes).items()}
    shown = sorted({scopes.to_snake_case(name) for name in classes} | {name for name in aliases if name.islower()})

    def deserialize(config, custom_objects=None):
        return serialization.deserialize_keras_object(config, custom_objects=custom_objects, kind=kind)

    def serialize(thing):
        return serialization.serialize_keras_object(thing)

    def get(identifier):
        found = identifier
        if isinstance(identifier, dict):
            found = deserialize(identifier)
        elif isinstance(identifier, str):
            found = serialization.get_registered_object(identifier) or aliases.get(identifier) or by_key.get(_key(identifier))
            if found is None:
                raise ValueError(f"There is no {singular} {identifier!r}.{fields.suggestion(identifier, shown)} Known: {', '.join(shown)}.")
        if inspect.isclass(found):
            found = found()
        if found is None or (callable(found) if base is None else isinstance(found, base)):
            return found
        raise ValueError(
            f"Wanted {_article(singular)} {singular}: its name, its config, its class or an object; got {type(identifier).__name__}: {identifier!r}."
        )

    get.__doc__ = f"{_article(singular).capitalize()} {singular} from its name, its config, its class, or itself; None stays None.\n\nRaises:\n    ValueError: an unknown name."
    serialize.__doc__ = f"The config of {_article(singular)} {singular}, as files hold it."
    deserialize.__doc__ = f"The {singular} that `config` describes; `custom_objects` maps names to classes of yours."
    return get, serialize, deserialize


def _article(word):
    return "an" if word[0] in "aeiou" else "a"
