"""The names of `legacy.saving` at their other place."""

from cornu.legacy.saving import deserialize_keras_object as deserialize_keras_object
from cornu.legacy.saving import serialize_keras_object as serialize_keras_object

__all__ = ["deserialize_keras_object", "serialize_keras_object"]
