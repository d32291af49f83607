"""What a user sets once for a whole process: the backend's name, the float type, epsilon, the image layout.

Read from `CORNU_BACKEND`, else `KERAS_BACKEND`, else `keras.json` under `KERAS_HOME` or `~/.keras`.
"""

import json
import os
import sys

_EPSILON = 1e-7
_DATA_FORMATS = ("channels_last", "channels_first")
VARIABLES = ("CORNU_BACKEND", "KERAS_BACKEND")  # of the environment, that name a backend
_FLOATS = ("bfloat16", "float16", "float32", "float64")


def home():
    """Folder of the configuration file, of data sets and of weights: `KERAS_HOME`, else `~/.keras`."""
    return os.path.expanduser(os.environ.get("KERAS_HOME", os.path.join("~", ".keras")))


def _from_file():
    path = os.path.join(home(), "keras.json")
    if not os.path.isfile(path):
        return {}
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError) as error:
        print(f"cornu: {path} is ignored, it cannot be read as JSON: {error}", file=sys.stderr)
        return {}
    return found if isinstance(found, dict) else {}


def _limit(name):
    """A whole number of at least 1 from the environment; None where there is none."""
    text = os.environ.get(f"CORNU_{name}") or os.environ.get(f"KERAS_{name}")
    if not text:
        return None
    if not text.strip().isdigit() or int(text) < 1:
        raise ValueError(f"KERAS_{name}: wanted a whole number of at least 1 in the environment; got {text!r}.")
    return int(text)


def _asked():
    """The backend that the user asks for, and where."""
    for variable in VARIABLES:
        if os.environ.get(variable):
            return os.environ[variable], variable
    return (str(_file["backend"]), os.path.join(home(), "keras.json")) if _file.get("backend") else (None, None)


_file = _from_file()
_old_layout = {"tf": "channels_last", "th": "channels_first"}.get(str(_file.get("image_dim_ordering")))
_values = {
    "floatx": _file.get("floatx") if _file.get("floatx") in _FLOATS else "float32",
    "epsilon": _file["epsilon"] if isinstance(_file.get("epsilon"), float) else _EPSILON,
    "image_data_format": _file.get("image_data_format", _old_layout) if _file.get("image_data_format", _old_layout) in _DATA_FORMATS else "channels_last",
    "backend": None,  # the name of that in use, once one was chosen
    "backend_asked": _asked(),  # (name, where it stands), (None, None) where the user leaves it open
    "traceback_filtering": True,
    "interactive_logging": True,
    "dtype_policy": None,  # that of `floatx`
    "flash_attention": None,  # as the backend can
    "max_epochs": _limit("MAX_EPOCHS"),
    "max_steps_per_epoch": _limit("MAX_STEPS_PER_EPOCH"),
}


_version = 0


def get(name):
    return _values[name]


def put(name, value):
    global _version
    _values[name] = value
    _version += 1


def version():
    """A number that changes whenever a setting does: what was compiled under other settings is not used."""
    return _version


def floatx():
    """Name of the float type that weights and converted data get, `"float32"` unless set."""
    return _values["floatx"]


def set_floatx(value):
    """Set the float type: one of bfloat16, float16, float32, float64.

    Raises:
        ValueError: another name.
    """
    if value not in _FLOATS:
        raise ValueError(f"set_floatx: wanted one of {', '.join(_FLOATS)}; got {value!r}.")
    put("floatx", str(value))


def epsilon():
    """The small number that keeps divisions finite, 1e-7 unless set."""
    return _values["epsilon"]


def set_epsilon(value):
    """Set the small number that keeps divisions finite."""
    put("epsilon", float(value))


def image_data_format():
    """`"channels_last"` (batch, height, width, channels) or `"channels_first"` (batch, channels, height, width)."""
    return _values["image_data_format"]


def set_image_data_format(data_format):
    """Set the layout of images: `"channels_last"` or `"channels_first"`.

    Raises:
        ValueError: another name.
    """
    put("image_data_format", standardize_data_format(data_format))


def standardize_data_format(data_format):
    """`data_format` checked; None means the one that is set."""
    if data_format is None:
        return image_data_format()
    name = str(data_format).lower()
    if name not in _DATA_FORMATS:
        raise ValueError(f"data_format: wanted one of {', '.join(_DATA_FORMATS)}; got {data_format!r}.")
    return name
