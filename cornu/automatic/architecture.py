"""The model for given inputs and targets."""

import numpy as np

from cornu import layers
from cornu.models import Model

LOSSES = {"binary": "binary_crossentropy", "multiclass": "sparse_categorical_crossentropy", "multilabel": "binary_crossentropy", "regression": "mse"}
METRICS = {"binary": "accuracy", "multiclass": "accuracy", "multilabel": "binary_accuracy", "regression": "mae"}


def made(inputs, targets, x, y):
    """A model that is not compiled, and what it is, in words.

    Args:
        inputs, targets: Inputs and Targets.
        x, y: the training data as `study` gave it: what is normalized is measured on it.
    """
    given = layers.Input(inputs.shape, dtype="int32" if inputs.kind == "tokens" else "float32", name="x")
    hidden, words = {"table": _table, "image": _image, "series": _series, "tokens": _tokens}[inputs.kind](given, inputs, x)
    activation = {"binary": "sigmoid", "multiclass": "softmax", "multilabel": "sigmoid", "regression": None}[targets.task]
    answer = layers.Dense(targets.outputs, activation=activation, name="answer")(hidden)
    if targets.task == "regression":  # the layers before see numbers around 0, people those of the labels
        spread = np.std(y, 0)
        answer = layers.Rescaling(np.where(spread > 0, spread, 1.0).tolist(), np.mean(y, 0).tolist(), name="units")(answer)
    return Model(given, answer, name="automatic"), words


def _normalized(given, x, axis):
    layer = layers.Normalization(axis=axis, name="normalization")
    layer.adapt(x)
    return layer(given)


def _table(given, inputs, x):
    width = 64 if len(x) < 10_000 else 128
    h = _normalized(given, x, -1)
    for _ in range(2):
        h = layers.Dropout(0.2)(layers.Dense(width, activation="relu")(h))
    return h, f"each column brought to mean 0 and variance 1, then 2 dense layers of {width} with dropout"


def _image(given, inputs, x):
    low, high = float(x.min()), float(x.max())
    h = layers.Rescaling(1 / (high - low or 1.0), -low / (high - low or 1.0), name="normalization")(given)
    height, width, _ = inputs.shape
    filters = 16
    while filters < 256 and (filters == 16 or min(height, width) >= 8):
        filters *= 2
        h = layers.Conv2D(filters, 3, padding="same", activation="relu")(h)
        if min(height, width) >= 2:
            h, height, width = layers.MaxPooling2D(2)(h), height // 2, width // 2
    flat = height * width * filters <= 8192
    h = layers.Flatten()(h) if flat else layers.GlobalAveragePooling2D()(h)
    h = layers.Dense(128, activation="relu")(layers.Dropout(0.3)(h))
    blocks = {32: "1 convolution", 64: "2 convolutions", 128: "3 convolutions", 256: "4 convolutions"}[filters]
    return layers.Dropout(0.3)(h), f"values from {low:g} to {high:g} brought to 0 to 1, then {blocks} with pooling and a dense layer of 128"


def _series(given, inputs, x):
    h = _normalized(given, x, -1)
    for filters in (32, 64):
        h = layers.Conv1D(filters, min(5, inputs.shape[0]), padding="same", activation="relu")(h)
    h = layers.concatenate([layers.GlobalAveragePooling1D()(h), layers.GlobalMaxPooling1D()(h)])
    return layers.Dropout(0.2)(h), "each feature brought to mean 0 and variance 1, then 2 convolutions over the steps, their mean and maximum"


def _tokens(given, inputs, x):
    h = layers.Dropout(0.3)(layers.Embedding(inputs.vocabulary, 32)(given))
    h = layers.Conv1D(64, min(5, inputs.shape[0]), padding="same", activation="relu")(h)
    h = layers.GlobalMaxPooling1D()(h)
    return layers.Dropout(0.3)(h), f"32 numbers for each of {inputs.vocabulary:,} words, then a convolution over 5 words and its maximum"
