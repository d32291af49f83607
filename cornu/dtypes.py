"""Names of types, and one lattice of promotion: the same answers on every backend.

The lattice is JAX's ("Design of type promotion semantics for JAX", 2020), also Keras's: `int` and `float` stand for
Python scalars, which never widen an array's type of their kind.
"""

from functools import cache

from cornu import settings

LATTICE = {  # each type -> the types just above it
    "bool": ("int",),
    "int": ("uint8", "int8"),
    "uint8": ("int16", "uint16"),
    "uint16": ("int32", "uint32"),
    "uint32": ("int64", "uint64"),
    "int8": ("int16",),
    "int16": ("int32",),
    "int32": ("int64",),
    "int64": ("float",),
    "uint64": ("float",),
    "float": ("float8_e4m3fn", "float8_e5m2", "bfloat16", "float16", "complex"),
    "float8_e4m3fn": ("float32",),
    "float8_e5m2": ("float32",),
    "bfloat16": ("float32",),
    "float16": ("float32",),
    "float32": ("float64", "complex64"),
    "float64": ("complex128",),
    "complex": ("complex64",),
    "complex64": ("complex128",),
    "complex128": (),
}
FLOATS = ("float8_e4m3fn", "float8_e5m2", "bfloat16", "float16", "float32", "float64")
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
INTEGERS = SIGNED + UNSIGNED
COMPLEX = ("complex64", "complex128")
ALL = ("bool", *INTEGERS, *FLOATS, *COMPLEX, "string")
_PYTHON = {"bool": "bool", "int": "int32", "float": "float", "str": "string", "complex": "complex64"}


@cache
def _above(dtype):
    return {dtype}.union(*(_above(up) for up in LATTICE[dtype]))


@cache
def _least(kinds):
    common = set.intersection(*(_above(kind) for kind in kinds))
    return next(kind for kind in common if common <= _above(kind))


def result(*kinds):
    """The least type that holds all of `kinds`, for instance ("int32", "float") -> `floatx`.

    Kinds are names of types and "int", "float", "complex" for Python scalars. No 64 bits come of 32: "uint32" and "int32" give "int32".
    """
    least = _least(kinds)
    if least == "float":
        return settings.floatx()
    if least == "int64" and "int64" not in kinds:
        return "int32"
    return {"int": "int32", "complex": "complex64"}.get(least, least)


def to_float(*kinds):
    """As `result`, but integers and booleans become `floatx`: for what is only defined on real numbers."""
    least = result(*kinds)
    return least if least in FLOATS or least in COMPLEX else settings.floatx()


def standardize(dtype):
    """The name of a type: from a name, a Python type, or a type of NumPy or of any backend. None means `floatx`.

    Raises:
        ValueError: nothing known under that name.
    """
    if dtype is None:
        return settings.floatx()
    name = dtype if isinstance(dtype, str) else getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or str(dtype)
    name = _PYTHON.get(name, name).removeprefix("torch.")
    name = settings.floatx() if name == "float" else {"half": "float16", "double": "float64", "bool_": "bool", "str_": "string"}.get(name, name)
    if name not in ALL:
        raise ValueError(f"dtype: wanted one of {', '.join(ALL)}; got {dtype!r}.")
    return name


def size_in_bytes(dtype):
    """Bytes of one element, for instance 2 for "bfloat16"."""
    return 1 if dtype == "bool" else int("".join(c for c in dtype.split("_")[0] if c.isdigit())) // 8


def is_float(dtype):
    return dtype in FLOATS


def is_integer(dtype):
    return dtype in INTEGERS
