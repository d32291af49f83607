"""Keras's `utils` namespace; each name comes from its own module when it is first asked for."""

import importlib

_PLACES = {
    "get_file": "cornu.utils.files",
    "normalize": "cornu.utils.numerical",
    "to_categorical": "cornu.utils.numerical",
    "pad_sequences": "cornu.utils.sequences",
}

__all__ = sorted(_PLACES)


def __getattr__(name):
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found = getattr(importlib.import_module(_PLACES[name]), name)
    return found


def __dir__():
    return __all__
