"""cornu: deep learning for people, in Keras's words, on the engine that you have.

`import cornu as keras` runs a Keras 3 program. Nothing is loaded before it is first used: a name below comes from its module then, and
the engine when the first value is computed.
"""

import importlib

from cornu.version import __version__ as __version__

_MODULES = (
    "activations applications backend callbacks config constraints datasets distillation dtype_policies initializers layers legacy losses metrics "
    "mixed_precision models ops optimizers preprocessing random regularizers saving tree utils visualization wrappers"
).split()
_PLACES = {  # public name -> module
    "DTypePolicy": "dtype_policies",
    "FloatDTypePolicy": "dtype_policies",
    "Function": "models",
    "Initializer": "initializers",
    "Input": "layers",
    "InputSpec": "layers",
    "KerasTensor": "symbolic",
    "Layer": "layers",
    "Loss": "losses",
    "Metric": "metrics",
    "Model": "models",
    "Operation": "symbolic",
    "Optimizer": "optimizers",
    "Regularizer": "regularizers",
    "RematScope": "scopes",
    "Sequential": "models",
    "StatelessScope": "scopes",
    "SymbolicScope": "scopes",
    "Variable": "variable",
    "device": "backend",
    "name_scope": "scopes",
    "remat": "backend",
    "version": "version",
}

__all__ = sorted([*_MODULES, *_PLACES, "__version__"])


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f"cornu.{name}")
    if name in _PLACES:
        globals()[name] = found = getattr(importlib.import_module(f"cornu.{_PLACES[name]}"), name)
        return found
    raise AttributeError(f"module 'cornu' has no attribute {name!r}")


def __dir__():
    return __all__
