"""Keras's `utils` namespace; each name comes from its own module when it is first asked for."""

import importlib
from typing import Any

_PLACES = {
    "CustomObjectScope": "cornu.serialization",
    "Progbar": "cornu.training.callbacks",
    "PyDataset": "cornu.training.data",
    "Sequence": "cornu.training.data",
    "clear_session": "cornu.backend",
    "custom_object_scope": "cornu.serialization",
    "deserialize_keras_object": "cornu.serialization",
    "disable_interactive_logging": "cornu.config",
    "enable_interactive_logging": "cornu.config",
    "get_custom_objects": "cornu.serialization",
    "get_registered_name": "cornu.serialization",
    "get_registered_object": "cornu.serialization",
    "is_interactive_logging_enabled": "cornu.config",
    "is_keras_tensor": "cornu.backend",
    "pack_x_y_sample_weight": "cornu.training.data",
    "model_to_dot": "cornu.visualization.graph",
    "plot_model": "cornu.visualization.graph",
    "register_keras_serializable": "cornu.serialization",
    "serialize_keras_object": "cornu.serialization",
    "set_random_seed": "cornu.random",
    "split_dataset": "cornu.training.data",
    "standardize_dtype": "cornu.backend",
    "unpack_x_y_sample_weight": "cornu.training.data",
    "Config": "cornu.utils.config",
    "get_file": "cornu.utils.files",
    "audio_dataset_from_directory": "cornu.utils.folders",
    "image_dataset_from_directory": "cornu.utils.folders",
    "text_dataset_from_directory": "cornu.utils.folders",
    "array_to_img": "cornu.utils.images",
    "img_to_array": "cornu.utils.images",
    "load_img": "cornu.utils.images",
    "save_img": "cornu.utils.images",
    "get_source_inputs": "cornu.utils.sources",
    "timeseries_dataset_from_array": "cornu.utils.timeseries",
    "normalize": "cornu.utils.numerical",
    "to_categorical": "cornu.utils.numerical",
    "pad_sequences": "cornu.utils.sequences",
}

__all__ = sorted([*_PLACES, "legacy"])


def __getattr__(name) -> Any:
    if name in ("bounding_boxes", "legacy"):
        return importlib.import_module(f"cornu.utils.{name}")
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found = getattr(importlib.import_module(_PLACES[name]), name)
    return found


def __dir__():
    return __all__
