"""Keras's `backend` namespace: which engine is in use, and what holds for the whole process."""

import functools

from cornu import backends, dtypes, scopes, settings, symbolic
from cornu.backends import protocol
from cornu.settings import epsilon as epsilon
from cornu.settings import floatx as floatx
from cornu.settings import image_data_format as image_data_format
from cornu.settings import set_epsilon as set_epsilon
from cornu.settings import set_floatx as set_floatx
from cornu.settings import set_image_data_format as set_image_data_format
from cornu.symbolic import KerasTensor


def backend():
    """Name of the backend in use, such as `"jax"`."""
    return backends.name()


def clear_session(free_memory=True):
    """Begin anew: names of layers start over, and layers that name no dtype policy get that of `floatx`."""
    scopes.reset_names()
    settings.put("dtype_policy", None)


def set_session(session):
    """Nothing: sessions of TensorFlow 1 are gone, and programs that made one for the memory of a GPU go on without."""


def get_uid(prefix=""):
    """How often a number was asked for under `prefix`, this time included."""
    return scopes.get_uid(prefix)


def is_float_dtype(dtype):
    """Whether `dtype` is a type of real numbers."""
    return dtypes.is_float(dtypes.standardize(dtype))


def is_int_dtype(dtype):
    """Whether `dtype` is a type of whole numbers."""
    return dtypes.is_integer(dtypes.standardize(dtype))


def is_keras_tensor(x):
    """Whether `x` is a symbolic tensor."""
    return isinstance(x, KerasTensor)


def result_type(*dtypes_):
    """The type that all of `dtypes_` promote to; Python's `int` and `float` are weak."""
    weak = {int: "int", float: "float", complex: "complex"}
    return backends.canonical(dtypes.result(*(weak.get(d) or (d if d in ("int", "float") else dtypes.standardize(d)) for d in dtypes_)))


def standardize_dtype(dtype):
    """The name of a type, from a name or a type of NumPy or an engine."""
    return dtypes.standardize(dtype)


def device(device_name):
    """A context in which arrays are made on a device, such as `"cpu"` or `"gpu:0"`."""
    return backends.load().device_scope(device_name)


def remat(f):
    """`f` whose intermediate values are computed again for the gradient instead of kept."""

    @functools.wraps(f)
    def call(*args, **kwargs):
        if symbolic.any_symbolic(args, kwargs):
            return symbolic.record(call, args, kwargs)
        places = [i for i, x in enumerate(args) if backends.is_tensor(x) or hasattr(x, "_cornu_value")]

        def run(*tensors):
            filled = list(args)
            for i, x in zip(places, tensors, strict=True):
                filled[i] = x
            return f(*filled, **kwargs)

        return protocol.remat(run, [backends.array(args[i]) for i in places])

    return call


def __getattr__(name):
    if name == "_BACKEND":  # of the years when PyTensor was Theano
        asked = (settings.get("backend_asked")[0] or "").lower()
        return asked if backends.ALIASES.get(asked, (None,))[0] == backend() else backend()
    raise AttributeError(f"module 'cornu.backend' has no attribute {name!r}")
