"""`Config`: settings that are read and written as attributes or as keys."""

import json


class Config:
    """Settings by name, as attributes and as keys alike, that can be frozen.

    >>> config = Config(rate=0.1, layers=3)
    >>> config.rate = 0.2
    >>> config["rate"], config.as_dict()
    (0.2, {'rate': 0.2, 'layers': 3})
    """

    __slots__ = ("_values", "_frozen")

    def __init__(self, **kwargs):
        object.__setattr__(self, "_values", dict(kwargs))
        object.__setattr__(self, "_frozen", False)

    @property
    def frozen(self):
        """Whether nothing can be changed."""
        return self._frozen

    def freeze(self):
        """From now on a change is an error."""
        object.__setattr__(self, "_frozen", True)

    def unfreeze(self):
        """Settings can be changed again."""
        object.__setattr__(self, "_frozen", False)

    def _changing(self):
        if self._frozen:
            raise ValueError("Config: it is frozen, and nothing in it can be changed. Call unfreeze() first.")
        return self._values

    def __getattr__(self, name):
        if name.startswith("__") or name not in self._values:
            raise AttributeError(f"Config: there is no {name!r}; there are {', '.join(self._values) or 'none'}.")
        return self._values[name]

    def __setattr__(self, name, value):
        self._changing()[name] = value

    def __delattr__(self, name):
        if name not in self._changing():
            raise AttributeError(f"Config: there is no {name!r}; there are {', '.join(self._values) or 'none'}.")
        del self._values[name]

    def __getitem__(self, name):
        return self._values[name]

    def __setitem__(self, name, value):
        self._changing()[name] = value

    def __delitem__(self, name):
        del self._changing()[name]

    def __iter__(self):
        return iter(self._values)

    def __len__(self):
        return len(self._values)

    def __contains__(self, name):
        return name in self._values

    def __eq__(self, other):
        return isinstance(other, Config) and self._values == other._values

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __repr__(self):
        return f"<Config {self._values}>"

    def __getstate__(self):
        return {"values": self._values, "frozen": self._frozen}

    def __setstate__(self, state):
        object.__setattr__(self, "_values", state["values"])
        object.__setattr__(self, "_frozen", state["frozen"])

    def keys(self):
        """The names."""
        return self._values.keys()

    def values(self):
        """The settings."""
        return self._values.values()

    def items(self):
        """(name, setting) pairs."""
        return self._values.items()

    def get(self, name, default=None):
        """A setting, or `default` where there is none."""
        return self._values.get(name, default)

    def pop(self, name):
        """Take a setting out."""
        return self._changing().pop(name)

    def update(self, *args, **kwargs):
        """Take settings from a dictionary."""
        self._changing().update(*args, **kwargs)

    def as_dict(self):
        """A dictionary of the settings."""
        return dict(self._values)

    def to_json(self):
        """The settings as JSON text."""
        return json.dumps(self._values)
