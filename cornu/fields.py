"""Arguments declared once: the constructor, the signature, the config and the repr of a class all come from its annotations."""

import difflib
import inspect
import operator
import types
import typing
from typing import Annotated, Any, ClassVar, dataclass_transform

import numpy as np

REQUIRED = inspect.Parameter.empty


class Field:
    """How a declared argument is converted on the way in and written on the way out."""

    def __init__(self, kind):
        self.kind = kind


_converters = {}  # kind -> (get, serialize); the module of that kind puts itself here


def converter(kind, get, serialize):
    """Let `Field(kind)` turn names and configs into objects by `get` and back by `serialize`."""
    _converters[kind] = (get, serialize)


Activation = Annotated[Any, Field("activation")]
Initializer = Annotated[Any, Field("initializer")]
Regularizer = Annotated[Any, Field("regularizer")]
Constraint = Annotated[Any, Field("constraint")]
Nested = Annotated[Any, Field("object")]  # a layer or another object that has a config of its own


def suggestion(name, known):
    """` Did you mean 'x'?` where something in `known` is close to `name`, else an empty string."""
    close = difflib.get_close_matches(str(name), [str(k) for k in known], 1, 0.6)
    return f" Did you mean {close[0]!r}?" if close else ""


def _kind(annotation):
    for item in getattr(annotation, "__metadata__", ()):
        if isinstance(item, Field):
            return item.kind
    return None


_PLAIN_TYPES = {  # annotation -> what goes for it, in code and in words
    int: (lambda value: False, "a whole number"),
    float: (lambda value: hasattr(value, "__float__"), "a number"),
    bool: (lambda value: isinstance(value, (bool, int, np.bool_)), "True or False"),
    str: (lambda value: isinstance(value, str), "a text"),
}


def _plain_type(annotation):
    """int, float, bool or str where the annotation is that, or that or None."""
    if annotation in _PLAIN_TYPES:
        return annotation
    parts = [part for part in typing.get_args(annotation) if part is not types.NoneType]
    return parts[0] if isinstance(annotation, types.UnionType) and len(parts) == 1 else None


@dataclass_transform(kw_only_default=False)
class Configured:
    """Base of everything with a constructor and a config.

    Annotated class attributes are the arguments, in order, before those of the base class. `setup` runs once they are set. A class with an
    `__init__` of its own, in Keras's way, keeps it.
    """

    _fields: ClassVar[Any] = {}
    _keyword_only: ClassVar[Any] = frozenset()
    _left_out: ClassVar[Any] = frozenset()  # arguments of the base class that this one does not take

    def __init_subclass__(cls, kw_only=False, **kwargs):  # kw_only is for type checkers: the base's arguments come last
        super().__init_subclass__(**kwargs)
        own = {}
        for name, annotation in inspect.get_annotations(cls).items():
            if not name.startswith("_"):
                own[name] = (annotation, cls.__dict__.get(name, REQUIRED))
        inherited = {n: f for n, f in cls._fields.items() if n not in own and n not in cls._left_out}
        for name, (annotation, _) in inherited.items():  # a new default alone: `rate = 0.5`
            if name in cls.__dict__ and not isinstance(cls.__dict__[name], (property, types.FunctionType)):
                inherited[name] = (annotation, cls.__dict__[name])
        cls._fields = {**own, **inherited}
        if "__init__" not in cls.__dict__ and cls.__init__ is Configured.__init__:
            order = [n for n in cls._fields if n not in cls._keyword_only] + [n for n in cls._fields if n in cls._keyword_only]
            P = inspect.Parameter
            cls.__signature__ = inspect.Signature(
                sorted(
                    (P(n, P.KEYWORD_ONLY if n in cls._keyword_only else P.POSITIONAL_OR_KEYWORD, default=cls._fields[n][1]) for n in order),
                    key=lambda p: (p.kind, p.default is not REQUIRED),
                )
            )
        elif "__init__" in cls.__dict__:
            _remember_arguments(cls)

    def __init__(self, *args, **kwargs):
        cls = type(self)
        names = [n for n in cls._fields if n not in cls._keyword_only]
        if len(args) > len(names):
            raise TypeError(f"{cls.__name__} takes at most {len(names)} positional arguments ({', '.join(names)}); got {len(args)}.")
        given = dict(zip(names, args))
        for name, value in self._take(kwargs).items():
            if name in given:
                raise TypeError(f"{cls.__name__}: argument {name!r} is given twice.")
            if name not in cls._fields:
                known = ", ".join(n for n in cls._fields)
                raise TypeError(f"{cls.__name__} has no argument {name!r}.{suggestion(name, cls._fields)} Its arguments: {known}.")
            given[name] = value
        for name, (annotation, default) in cls._fields.items():
            value = given.get(name, default)
            if value is REQUIRED:
                raise TypeError(f"{cls.__name__}: the argument {name!r} is missing.")
            setattr(self, name, self._convert(name, annotation, value))
        object.__setattr__(self, "_prepared", True)
        self.setup()

    def _take(self, kwargs):
        """The keyword arguments under today's names; a base class may take some for itself."""
        return kwargs

    def _convert(self, name, annotation, value):
        kind = _kind(annotation)
        if kind:
            if value is None and kind != "activation":
                return None
            try:
                return _converters[kind][0](value)
            except (TypeError, ValueError) as error:
                raise type(error)(f"{type(self).__name__}, {name}: {error}") from error.__cause__
        if value is None:
            return None
        wanted = _plain_type(annotation)
        if wanted is int:
            try:
                return operator.index(value)
            except TypeError:
                if isinstance(value, float) and value.is_integer():
                    return int(value)
        check, words = _PLAIN_TYPES.get(wanted, (None, None))
        if check is not None and not check(value):
            raise TypeError(f"{type(self).__name__}: {name} must be {words}; got {value!r} ({type(value).__name__}).")
        return value

    def setup(self):
        """Called when the declared arguments are set: check them and derive what follows from them."""

    def get_config(self):
        """The declared arguments as plain values, enough for `from_config` to make an equal object."""
        config = {}
        for name, (annotation, _) in type(self)._fields.items():
            value = getattr(self, name)
            kind = _kind(annotation)
            config[name] = plain(_converters[kind][1](value) if kind and value is not None else value)
        return config

    @classmethod
    def from_config(cls, config):
        """An object from what `get_config` gave."""
        return cls(**config)

    def __repr__(self):
        fields = type(self)._fields
        shown = []
        for n, (_, default) in fields.items():
            value = getattr(self, n, default)
            changed = value is not default and not (isinstance(value, (int, float, str, tuple)) and value == default)
            if changed and isinstance(value, (int, float, str, tuple, list, bool)):
                shown.append(f"{n}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"


def plain(value):
    """`value` with NumPy's scalars as Python's, for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    return value


def _remember_arguments(cls):
    """Wrap a user's `__init__` so that a class without a `get_config` of its own can still be written to a file."""
    original = cls.__dict__["__init__"]

    def __init__(self, *args, **kwargs):
        if "_init_arguments" not in self.__dict__:
            try:
                bound = inspect.signature(original).bind(self, *args, **kwargs)
            except TypeError:
                object.__setattr__(self, "_init_arguments", None)  # the call below raises Python's own error
            else:
                bound.apply_defaults()
                arguments = dict(list(bound.arguments.items())[1:])
                for parameter in inspect.signature(original).parameters.values():
                    if parameter.kind is parameter.VAR_KEYWORD:
                        arguments.update(arguments.pop(parameter.name, {}))
                    elif parameter.kind is parameter.VAR_POSITIONAL and not arguments.get(parameter.name):
                        arguments.pop(parameter.name, None)
                object.__setattr__(self, "_init_arguments", arguments)
        original(self, *args, **kwargs)

    __init__.__wrapped__ = original
    __init__.__doc__ = original.__doc__
    __init__.__signature__ = inspect.signature(original)
    cls.__init__ = __init__
    signature = inspect.signature(original)
    cls.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])
