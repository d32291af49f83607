"""Saving and loading models, and the registry of what files may name."""

from cornu.saving.dispatch import load_model as load_model
from cornu.saving.dispatch import load_weights as load_weights
from cornu.saving.dispatch import save_model as save_model
from cornu.saving.dispatch import save_weights as save_weights
from cornu.saving.editor import KerasFileEditor as KerasFileEditor
from cornu.serialization import CorruptFileError as CorruptFileError
from cornu.serialization import CustomObjectScope as CustomObjectScope
from cornu.serialization import UnsafeFileError as UnsafeFileError
from cornu.serialization import custom_object_scope as custom_object_scope
from cornu.serialization import deserialize_keras_object as deserialize_keras_object
from cornu.serialization import get_custom_objects as get_custom_objects
from cornu.serialization import get_registered_name as get_registered_name
from cornu.serialization import get_registered_object as get_registered_object
from cornu.serialization import register_keras_serializable as register_keras_serializable
from cornu.serialization import serialize_keras_object as serialize_keras_object
