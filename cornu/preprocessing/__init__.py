"""Keras's `preprocessing` namespace: older names of tools in `utils`."""

from cornu.preprocessing import image as image
from cornu.preprocessing import sequence as sequence
from cornu.utils.folders import image_dataset_from_directory as image_dataset_from_directory
from cornu.utils.folders import text_dataset_from_directory as text_dataset_from_directory
from cornu.utils.timeseries import timeseries_dataset_from_array as timeseries_dataset_from_array

__all__ = ["image", "image_dataset_from_directory", "sequence", "text_dataset_from_directory", "timeseries_dataset_from_array"]
