"""The engines under one protocol: which one is in use, loading it, changing it.

A backend's file is imported when the first value is computed, never before.
"""

import functools
import importlib
import importlib.util
import sys
import threading

import numpy as np

from cornu import dtypes, settings
from cornu.backends import protocol, spec
from cornu.shapes import Spec, Unknown

BACKENDS = {  # name -> (module it needs, how to install it, whether 64-bit types exist)
    "jax": ("jax", "pip install jax", False),
    "torch": ("torch", "pip install torch", True),
    "tensorflow": ("tensorflow", "pip install tensorflow", True),
    "pytensor": ("pytensor", "pip install pytensor", True),
    "numpy": ("numpy", "pip install numpy", True),
}
TITLES = {"jax": "JAX", "torch": "PyTorch", "tensorflow": "TensorFlow", "pytensor": "PyTensor", "theano": "Theano", "numpy": "NumPy"}
ALIASES = {  # other names -> (backend, the line that tells the user)
    "theano": ("pytensor", "Theano lives on as PyTensor, which computes here."),
}
ABSENT = {  # engines of older Kerases, and of the newest, that are no backend here -> what to do instead
    "cntk": "CNTK is no longer made. Its successor is ONNX Runtime, which runs exported models: it comes with export.",
    "caffe": "Caffe is no longer made.",
    "mxnet": "MXNet is no longer made.",
    "plaidml": "PlaidML is no longer made.",
    "openvino": "OpenVINO runs exported models: it comes with export.",
}
DEFAULT = "jax"

protocol.spec = spec
_on_load = []
_lock = threading.RLock()


class UnusableBackend(ValueError, SystemExit):
    """The environment asks for a backend that cannot be. A program that does not catch it ends with the message alone, without a stack trace."""

    def __init__(self, message):
        super().__init__(message)
        self.code = message


def name():
    """Name of the backend in use (it need not be loaded yet)."""
    return settings.get("backend") or _choose()


def choice():
    """The backend that comes of what the user asks for outside of the program; and why that is not what he asks for, else None."""
    try:
        return resolve(settings.get("backend_asked")[0] or DEFAULT), None
    except (ValueError, ImportError) as error:
        return DEFAULT, str(error)


def _choose():
    """Put the backend to use that the user asks for outside of the program, and tell it on stderr.

    A file is no order, since Keras writes it by itself: where it cannot be followed, that is told, and the default is taken.

    Raises:
        UnusableBackend: the environment asks for what cannot be.
    """
    (asked, where), (chosen, problem) = settings.get("backend_asked"), choice()
    if problem and where in settings.VARIABLES:
        raise UnusableBackend(f"{where}={asked}: {problem}")
    if where and problem:
        print(f"cornu: {where}: {problem} Using {chosen!r}.", file=sys.stderr)
    elif where:
        tell(asked)
    settings.put("backend", chosen)
    return chosen


def tell(asked):
    """Say on stderr which backend is used, as Keras did in the years when it had a choice."""
    asked = asked.lower()
    print(f"Using {TITLES.get(asked, asked)} backend.", file=sys.stderr)
    if asked in ALIASES:
        print(f"cornu: {ALIASES[asked][1]}", file=sys.stderr)


def resolve(asked):
    """The name of the backend that `asked` means, whose engine is installed.

    Raises:
        ValueError: there is no such backend.
        ImportError: its engine is not installed.
    """
    which = ALIASES.get(asked.lower(), (asked.lower(),))[0]
    if which not in BACKENDS:
        raise ValueError(f"{ABSENT[which] if which in ABSENT else f'There is no backend {asked!r}.'} Backends are {', '.join(BACKENDS)}.")
    module, command, _ = BACKENDS[which]
    if importlib.util.find_spec(module) is None:
        raise ImportError(f"The backend {which!r} needs the package {module!r}, which is not installed. Install it: {command}.")
    return which


def on_load(function):
    """Have `function(backend)` called whenever a backend comes into use, and now if one is."""
    if not _on_load:
        name()  # a wrong choice is told when a program imports what computes, not when it computes
    _on_load.append(function)
    if protocol.backend is not None:
        function(protocol.backend)


def load(which=None):
    """The module of the backend `which`, by default of the one in use, loaded and put to use.

    Raises:
        ValueError: no backend of that name.
        ImportError: its engine is not installed.
    """
    with _lock:
        which = which or name()
        if protocol.backend is not None and protocol.backend.NAME == ALIASES.get(which, (which,))[0]:
            return protocol.backend
        which = resolve(which)
        chosen = importlib.import_module(f"cornu.backends.{which}")
        globals()["numpy"] = _numpy  # importing a submodule of that name put the module here
        settings.put("backend", which)
        protocol.backend = chosen
        for function in _on_load:
            function(chosen)
        return chosen


protocol._load = load


def current():
    """The module of the backend in use."""
    return protocol.backend or load()


def canonical(dtype):
    """`dtype`, narrowed to 32 bits where the backend in use has no 64."""
    if dtype in _NARROW and not BACKENDS.get(name(), (None, None, True))[2] and not getattr(protocol.backend, "WIDE", False):
        return _NARROW[dtype]
    return dtype


_NARROW = {"int64": "int32", "uint64": "uint32", "float64": "float32", "complex128": "complex64"}
_NAMES = {}  # an array's type -> its name, which NumPy makes anew each time, in microseconds
_SCALARS = {bool: "bool", int: "int", float: "float", complex: "complex", Unknown: "int"}


def kind(x):
    """The type of `x` for promotion: its dtype's name, or "int", "float", "complex" for a Python scalar, which is weak."""
    weak = _SCALARS.get(type(x))
    if weak:
        return weak
    dtype = getattr(x, "dtype", None)
    if dtype is None:
        return kind_of_items(x)
    if type(dtype) is str:
        return dtype
    name = _NAMES.get(dtype)
    if name is None:
        name = _NAMES[dtype] = dtypes.standardize(dtype)
    return canonical(name)


def kind_of_items(x):
    """The type that a list of numbers gets: int32, bool, or `floatx`, as their kind is."""
    if isinstance(x, (list, tuple)) and x:
        return dtypes.result(*{kind(item) for item in x})
    if isinstance(x, (list, tuple)):
        return settings.floatx()
    raise TypeError(f"Wanted a tensor, an array, a number or a list of numbers; got {_shown(x)}")


_DENSE = {"RaggedTensor": "x.to_tensor()", "SparseTensor": "tf.sparse.to_dense(x)"}


def densely(x):
    """The advice for a tensor of TensorFlow that is ragged or sparse; "" for anything else."""
    kind = type(x).__name__.removesuffix("Value")
    return f" Ragged and sparse tensors are not computed with; make it dense first: {_DENSE[kind]}." if kind in _DENSE else ""


def _shown(x):
    return f"a {type(x).__name__} of shape {tuple(x.shape)}.{densely(x)}" if densely(x) else f"{type(x).__name__}: {str(x)[:80]}"


def is_tensor(x):
    """Whether `x` is a tensor of the backend in use or a Spec."""
    return type(x) is Spec or (protocol.backend is not None and protocol.backend.is_array(x))


def array(x, dtype=None):
    """An array of the backend in use from numbers, lists, NumPy arrays, Variables and tensors that speak DLPack or `__array__`."""
    backend = protocol.backend or load()
    if backend.is_array(x):
        return backend.array(x, canonical(dtype) if dtype else None)
    if hasattr(x, "_cornu_value"):
        x = x._cornu_value()
    if type(x) is Spec:
        return x if dtype in (None, x.dtype) else Spec(x.shape, dtype)
    if type(x) is Unknown:
        return Spec((), dtype or "int32")
    if not backend.is_array(x) and not isinstance(x, (np.ndarray, np.generic)):
        if isinstance(x, (list, tuple)):
            if _any_array(x, backend):
                return _stack(x, dtype, backend)
            dtype = dtype or canonical(kind_of_items(x))
        elif type(x) in _SCALARS:
            dtype = dtype or dtypes.result(_SCALARS[type(x)])
        elif isinstance(x, str) or not (hasattr(x, "__array__") or hasattr(x, "__dlpack__") or hasattr(x, "__len__") or hasattr(x, "__float__")):
            raise TypeError(f"Wanted a tensor, an array, a number or a list of numbers; got {_shown(x)}")
        else:
            x = _foreign(x)
    return backend.array(x, canonical(dtype) if dtype else None)


def other_engine(x):
    """The name of the backend whose tensor `x` is, where that is not the one in use, else None."""
    found = _engine_of(type(x))
    return found if found != name() else None


@functools.cache
def _engine_of(kind):
    """The name of the backend whose tensors are of the type `kind`, or None; asked for every argument that has to be converted."""
    package = kind.__module__.partition(".")[0]
    return next((which for which, (module, *_) in BACKENDS.items() if module != "numpy" and package.startswith(module)), None)


def _any_array(x, backend):
    return any(backend.is_array(item) or hasattr(item, "_cornu_value") or (isinstance(item, (list, tuple)) and _any_array(item, backend)) for item in x)


def _stack(x, dtype, backend):
    items = [array(item) for item in x]
    dtype = dtype or canonical(dtypes.result(*(backend.dtype(item) for item in items)))
    return protocol.concatenate([protocol.reshape(backend.array(item, dtype), (1, *item.shape)) for item in items], 0)


def _foreign(x):
    """A NumPy array of a tensor of another engine (on any device), of a pandas column, of whatever NumPy takes."""
    engine = sys.modules.get(f"{__name__}.{_engine_of(type(x))}")  # its backend knows how, where it was in use
    if engine is not None and engine.is_array(x):
        return engine.numpy(x)
    if hasattr(x, "detach"):
        x = x.detach().cpu()
    return np.asarray(x)


def numpy(x):
    """A NumPy array on the host of whatever `array` takes."""
    if hasattr(x, "_cornu_value"):
        x = x._cornu_value()
    if protocol.backend is not None and protocol.backend.is_array(x):
        return protocol.backend.numpy(x)
    if isinstance(x, np.ndarray):
        return x
    if isinstance(x, (list, tuple)):
        return np.asarray([numpy(item) for item in x]) if x and not isinstance(x[0], (int, float, bool, str)) else np.asarray(x)
    return _foreign(x)


_numpy = numpy
