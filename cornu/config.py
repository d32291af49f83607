"""Keras's `config` namespace: what is set once for a whole process."""

import warnings

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
    """Use another engine from now on. Models move along, in the middle of training too: weights, the optimizer's variables, metrics and seeds.

    Programs that the engine before had compiled are dropped. Tensors that you hold yourself stay what they are; `ops.convert_to_tensor` moves one.

    Args:
        backend: its name, such as `"jax"` or `"numpy"`; `"theano"` is `"pytensor"`.

    Raises:
        ValueError: no backend of that name.
        ImportError: its engine is not installed.

    >>> set_backend("numpy")
    """
    backends.load(backend)
    if backend in backends.ALIASES:
        backends.tell(backend)


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


def enable_flash_attention():
    """Let attention use the backend's fused kernel where it has one (the default)."""
    settings.put("flash_attention", None)


def disable_flash_attention():
    """Compute attention step by step, never by a fused kernel."""
    settings.put("flash_attention", False)


def is_flash_attention_enabled():
    """None where fused attention is used as the backend can, False where it is not."""
    return settings.get("flash_attention")


def is_nnx_enabled():
    """False: layers are not modules of Flax."""
    return False


def max_epochs():
    """The most epochs that `fit` runs, whatever it is told; None for no limit."""
    return settings.get("max_epochs")


def set_max_epochs(max_epochs):
    """Have `fit` end after so many epochs, for a quick look at a long program.

    Args:
        max_epochs: at least 1; None for no limit. `KERAS_MAX_EPOCHS` in the environment sets it too.

    Raises:
        ValueError: another value.
    """
    settings.put("max_epochs", _checked_limit("set_max_epochs", "max_epochs", max_epochs))


def max_steps_per_epoch():
    """The most batches that an epoch, `evaluate` and `predict` take; None for no limit."""
    return settings.get("max_steps_per_epoch")


def set_max_steps_per_epoch(max_steps_per_epoch):
    """Have epochs, `evaluate` and `predict` end after so many batches, for a quick look at a long program.

    Args:
        max_steps_per_epoch: at least 1; None for no limit. `KERAS_MAX_STEPS_PER_EPOCH` in the environment sets it too.

    Raises:
        ValueError: another value.
    """
    settings.put("max_steps_per_epoch", _checked_limit("set_max_steps_per_epoch", "max_steps_per_epoch", max_steps_per_epoch))


def _checked_limit(who, name, value):
    if value is not None and (not hasattr(value, "__index__") or isinstance(value, bool) or value < 1):
        raise ValueError(f"{who}: {name} must be an integer of at least 1, or None; got {value!r}.")
    return value


def enable_unsafe_deserialization():
    """Does nothing but say so: opening a file never runs code that the file brings."""
    warnings.warn(
        "enable_unsafe_deserialization has no effect: opening a file never runs code that the file brings. Pass your functions and classes in "
        "`custom_objects`, or register them with @cornu.saving.register_keras_serializable().",
        stacklevel=2,
    )
