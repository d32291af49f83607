"""Keras's `config` namespace: what is set once for a whole process."""

from cornu import backends, settings
from cornu.backend import backend as backend
from cornu.dtype_policies import dtype_policy as dtype_policy
from cornu.dtype_policies import set_dtype_policy as set_dtype_policy
from cornu.settings import epsilon as epsilon
from cornu.settings import floatx as floatx
from cornu.settings import image_data_format as image_data_format
from cornu.settings import set_epsilon as set_epsilon
from cornu.settings import set_floatx as set_floatx
from cornu.settings import set_image_data_format as set_image_data_format


def set_backend(backend):
    """Use another engine from now on; models move along with their weights when they are next used.

    Args:
        backend: its name, such as `"jax"` or `"numpy"`.

    Raises:
        ValueError: no backend of that name.
        ImportError: its engine is not installed.
    """
    backends.load(backend)


def enable_traceback_filtering():
    """Show errors from your own lines, without the library's (the default)."""
    settings.put("traceback_filtering", True)


def disable_traceback_filtering():
    """Show errors with all of the library's lines."""
    settings.put("traceback_filtering", False)


def is_traceback_filtering_enabled():
    """Whether errors leave the library's lines out."""
    return settings.get("traceback_filtering")


def enable_interactive_logging():
    """Let messages go to the terminal (the default)."""
    settings.put("interactive_logging", True)


def disable_interactive_logging():
    """Keep progress bars and messages from the terminal."""
    settings.put("interactive_logging", False)


def is_interactive_logging_enabled():
    """Whether messages go to the terminal."""
    return settings.get("interactive_logging")
