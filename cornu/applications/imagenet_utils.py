"""Pictures as the networks trained on ImageNet want them, and what their outputs mean."""

import functools
import json

import numpy as np

from cornu import backends, dtypes, ops
from cornu.settings import floatx, standardize_data_format
from cornu.symbolic import KerasTensor
from cornu.utils.files import get_file

__all__ = ["decode_predictions", "preprocess_input"]

_INDEX = "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json"
_INDEX_MD5 = "c2c37ea517e94d9795004a39431a14cb"
_MODES = {  # whether red and blue change places, the scale of pixel values, mean and standard deviation of each channel after that
    "caffe": (True, 1.0, (103.939, 116.779, 123.68), None),
    "tf": (False, 127.5, (1.0, 1.0, 1.0), None),
    "torch": (False, 255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


def preprocess_input(x, data_format=None, mode="caffe"):
    """Pixel values as a network was trained on them. The array given is not changed.

    Args:
        x: pixel values 0 to 255 in the order red, green, blue; an array, or a tensor of the engine or of a model's graph. Integers become floats.
        data_format: "channels_last" or "channels_first".
        mode: "caffe" (blue, green, red; the mean of each channel taken away), "tf" (-1 to 1), or "torch" (0 to 1, then the mean of each
            channel taken away and its standard deviation divided out).

    Shapes:
        (..., height, width, 3) -> the same; three or four axes

    Raises:
        ValueError: another mode or layout, or not 3 channels.

    >>> preprocess_input(np.full((1, 1, 3), 255.0), mode="tf")
    array([[[1., 1., 1.]]])
    """
    if mode not in _MODES:
        raise ValueError(f"preprocess_input: mode must be one of {', '.join(_MODES)}; got {mode!r}.")
    first = standardize_data_format(data_format) == "channels_first"
    swap, scale, mean, deviation = _MODES[mode]
    if not isinstance(x, KerasTensor) and not backends.is_tensor(x):
        x = np.asarray(x)
        x = x if np.issubdtype(x.dtype, np.floating) else x.astype(floatx())
    elif not dtypes.is_float(x.dtype if isinstance(x, KerasTensor) else backends.kind(x)):
        x = ops.cast(x, floatx())
    axis = len(x.shape) - (3 if first else 1)
    if len(x.shape) < 3 or (x.shape[axis] != 3 and not (mode == "tf")):
        raise ValueError(
            f"preprocess_input: the axis {axis} of x must hold 3 channels; got the shape {tuple(x.shape)} ({'channels_first' if first else 'channels_last'})."
        )
    if swap:
        x = np.flip(x, axis) if isinstance(x, np.ndarray) else ops.flip(x, axis)
    if mode == "tf":
        return x / scale - 1.0
    place = lambda values: _as(x, np.reshape(values, (3, 1, 1)) if first else np.asarray(values))
    x = x / scale - place(mean) if scale != 1 else x - place(mean)
    return x if deviation is None else x / place(deviation)


def _as(x, values):
    return values.astype(x.dtype) if isinstance(x, np.ndarray) else ops.cast(values, x.dtype if isinstance(x, KerasTensor) else backends.kind(x))


def preprocessing(mode):
    """`preprocess_input` for the networks of one module, which were trained on pixel values in `mode`."""

    def function(x, data_format=None):
        return preprocess_input(x, data_format, mode)

    function.__name__ = function.__qualname__ = "preprocess_input"
    function.__doc__ = f"""Pixel values 0 to 255 as these networks were trained on them: `imagenet_utils.preprocess_input(x, data_format, mode="{mode}")`."""
    return function


@functools.cache
def _class_index():
    path = get_file("imagenet_class_index.json", origin=_INDEX, cache_subdir="models", file_hash=_INDEX_MD5)
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def decode_predictions(preds, top=5):
    """The likeliest classes of ImageNet.

    Args:
        preds: probabilities, or other scores, of the 1000 classes.
        top: how many classes, at least 1.

    Shapes:
        preds (batch, 1000)

    Returns:
        For each example a list of `(WordNet id, name, score)`, best first.

    Raises:
        ValueError: another shape.
        ConnectionError: the names of the classes are not in the cache (`KERAS_HOME/models/imagenet_class_index.json`) and cannot be downloaded.
    """
    scores = np.asarray(backends.numpy(preds) if backends.is_tensor(preds) else preds)
    if scores.ndim != 2 or scores.shape[1] != 1000:
        raise ValueError(f"decode_predictions: preds must have the shape (batch, 1000); got {scores.shape}.")
    index = _class_index()
    best = np.argsort(scores, axis=1)[:, ::-1][:, :top]
    return [[(*index[str(i)], row[i]) for i in places] for row, places in zip(scores, best)]
