"""Architectures as tables of rows, and the one reader that makes models of them.

A row is `(name, layer)` or `(name, layer, inputs ...)`: the layer's name, what makes the layer when it is given that name, and the rows
whose outputs it is called on; without inputs it is called on the row above. A layer whose row has a name with a leading underscore is
numbered by its class. A family of architectures is a function that gives its rows.

>>> rows = [("double", functools.partial(layers.Rescaling, 2.0)), ("sum", layers.Add, INPUT, "double")]
>>> model = read(Architecture(lambda shape: rows, "small"), include_top=False, weights=None)
>>> [layer.name for layer in model.layers]
['input_layer', 'double', 'sum']
"""

import dataclasses
import functools
import os
from collections.abc import Callable
from typing import Any

from cornu import activations, layers
from cornu.models import Model
from cornu.settings import image_data_format
from cornu.symbolic import KerasTensor
from cornu.utils.files import get_file
from cornu.utils.sources import get_source_inputs

INPUT = "input"  # the row above the first
CLASSES = 1000  # of ImageNet
SITE = "https://storage.googleapis.com/tensorflow/keras-applications/"
_POOLING = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}


# -- rows ---------------------------------------------------------------------------------------------------------------------------------


def conv(filters, size, strides=1, padding="valid", bias=True, **more):
    """What makes a Conv2D."""
    return functools.partial(layers.Conv2D, filters, size, strides=strides, padding=padding, use_bias=bias, **more)


def depthwise(size, strides=1, padding="same", multiplier=1):
    """What makes a DepthwiseConv2D without a bias."""
    return functools.partial(layers.DepthwiseConv2D, size, strides=strides, padding=padding, depth_multiplier=multiplier, use_bias=False)


def norm(epsilon=1e-3, momentum=0.99, axis=-1):
    """What makes a BatchNormalization over the channels, which are on the last axis or on axis 1; `axis` says how the first is written."""
    axis = axis if image_data_format() == "channels_last" else 1
    return functools.partial(layers.BatchNormalization, axis=axis, epsilon=epsilon, momentum=momentum)


def pad(widths):
    """What makes a ZeroPadding2D."""
    return functools.partial(layers.ZeroPadding2D, widths)


def max_pool(size, strides):
    """What makes a MaxPooling2D."""
    return functools.partial(layers.MaxPooling2D, size, strides=strides)


relu = functools.partial(layers.Activation, "relu")
relu6 = functools.partial(layers.ReLU, 6.0)


def dense_top(classes, activation, name="avg_pool"):
    """The rows of a classifier: the mean over each channel, and a dense layer."""
    return [(name, layers.GlobalAveragePooling2D), ("predictions", functools.partial(layers.Dense, classes, activation=activation))]


# -- architectures ------------------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Architecture:
    """All that tells one architecture from another.

    Args:
        rows: `rows(shape)` gives the rows up to the features, for an image of that shape.
        name: of the model, with {} for the image's height.
        top: `top(classes, activation)` gives the rows of the classifier.
        weights: `include_top` -> the place of the weights trained on ImageNet under `SITE`, and the file's MD5 or None.
        size: height and width that `weights` with their classifier, and a classifier without `input_shape`, are for.
        least: smallest height and width, in pixels.
        pooling: name of the layer that `pooling="avg"` or `"max"` adds; None lets it be numbered.
    """

    rows: Callable[[tuple], Any]
    name: str
    top: Callable[[int, Any], Any] = dense_top
    weights: Callable[[bool], tuple] = lambda include_top: ("", None)
    size: int = 224
    least: int = 32
    pooling: str | None = "{}_pool"


def assemble(rows, x):
    """The output of the last of `rows`, with the tensor `x` as INPUT."""
    made = {INPUT: x}
    for name, make, *sources in rows:
        inputs = [made[source] for source in sources] or [x]
        x = make(name=None if name.startswith("_") else name)(inputs if len(inputs) > 1 else inputs[0])
        made[name] = x
    return x


def read(
    architecture,
    name=None,
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=CLASSES,
    classifier_activation="softmax",
):
    """The model that an Architecture describes; the arguments are those of `classifier`."""
    family = name or architecture.name.partition("_")[0]
    check(family, weights, include_top, classes, classifier_activation, pooling)
    shape = image_shape(family, input_shape, architecture.size, architecture.least, include_top, weights)
    if input_tensor is not None and not isinstance(input_tensor, KerasTensor):
        raise ValueError(f"{family}: input_tensor must be a symbolic tensor, as Input(...) gives; got {type(input_tensor).__name__}.")
    image = layers.Input(shape) if input_tensor is None else input_tensor
    outputs = assemble(architecture.rows(image.shape[1:]), image)
    if include_top:
        outputs = assemble(architecture.top(classes, classifier_activation), outputs)
    elif pooling is not None:
        outputs = _POOLING[pooling](name=architecture.pooling and architecture.pooling.format(pooling))(outputs)
    sources = [image] if input_tensor is None else get_source_inputs(image)
    model = Model(sources[0] if len(sources) == 1 else sources, outputs, name=name or architecture.name.format(shape[image_data_format() == "channels_first"]))
    if weights == "imagenet":
        place, file_hash = architecture.weights(include_top)
        model.load_weights(get_file(place.rpartition("/")[2], origin=SITE + place, cache_subdir="models", file_hash=file_hash))
    elif weights is not None:
        model.load_weights(weights)
    return model


def classifier(public, rows, files, doc, **more):
    """The public function of the name `public`, which makes models of that name in small letters.

    Args:
        rows: gives the rows.
        files: folder and stem of the files of weights under SITE, and the MD5 of that with the classifier and of that without.
        doc: what it is, in a line, and where it was described.
        more: other fields of Architecture.
    """
    stem, with_top, without = files
    default, file = public.lower(), lambda include_top: (f"{stem}.h5", with_top) if include_top else (f"{stem}_notop.h5", without)

    def build(
        include_top=True,
        weights="imagenet",
        input_tensor=None,
        input_shape=None,
        pooling=None,
        classes=CLASSES,
        classifier_activation="softmax",
        name=default,
    ):
        architecture = Architecture(lambda shape: rows(), default, weights=file, **more)
        return read(architecture, name, include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation)

    build.__name__ = build.__qualname__ = public
    build.__doc__ = f"{doc}\n{ARGUMENTS}"
    return build


ARGUMENTS = """
    Args:
        include_top: whether the classifier is part of the model.
        weights: "imagenet" (downloaded once into `KERAS_HOME/models`), the path of a file of weights, or None (drawn at random).
        input_tensor: symbolic tensor that stands for the image.
        input_shape: shape of an image without the batch; by default 224 by 224 with the classifier, of any size without it. At least 32 by 32.
        pooling: without the classifier: "avg" or "max" over each channel, or None.
        classes: number of classes of the classifier; 1000 with "imagenet".
        classifier_activation: activation of the last layer; None gives logits. "softmax" or None with "imagenet".
        name: name of the model.

    Shapes:
        input (batch, height, width, 3), pixel values through `preprocess_input` -> output (batch, classes), or the features

    Raises:
        ValueError: an argument, or a combination of them, that cannot be.
        ConnectionError: the weights are not in the cache and cannot be downloaded; the message says which file to put where.
    """


# -- arguments ----------------------------------------------------------------------------------------------------------------------------


def check(name, weights, include_top, classes, activation, pooling):
    """Raise a ValueError where the arguments do not go together."""
    if weights not in (None, "imagenet") and not os.path.exists(weights):
        raise ValueError(f'{name}: weights must be None, "imagenet" or the path of a file that is there; got {weights!r}.')
    if weights == "imagenet" and include_top:
        if classes != CLASSES:
            raise ValueError(
                f'{name}: weights="imagenet" with include_top=True have {CLASSES} classes; got classes={classes}. Give include_top=False or weights=None.'
            )
        if activations.get(activation) not in (activations.softmax, activations.linear):
            raise ValueError(f'{name}: weights="imagenet" with include_top=True take classifier_activation "softmax" or None; got {activation!r}.')
    if pooling not in (None, *_POOLING):
        raise ValueError(f'{name}: pooling must be None, "avg" or "max"; got {pooling!r}.')


def image_shape(name, given, size, least, include_top, weights):
    """The shape of an image: `given` where it can be, else the one that the classifier or the weights want."""
    last = image_data_format() == "channels_last"
    shaped = lambda side, channels: (side, side, channels) if last else (channels, side, side)
    if given is None:
        return shaped(size if include_top else None, 3)
    given = tuple(given)
    if len(given) != 3:
        raise ValueError(f"{name}: input_shape must be height, width and channels, in the order of the image layout; got {given}.")
    channels, sides = (given[2], given[:2]) if last else (given[0], given[1:])
    if weights == "imagenet":
        if include_top and given != shaped(size, 3):
            raise ValueError(f'{name}: weights="imagenet" with include_top=True are for input_shape={shaped(size, 3)}; got {given}. Give include_top=False.')
        if channels != 3:
            raise ValueError(f'{name}: weights="imagenet" are for 3 channels; got input_shape={given}.')
    if any(side is not None and side < least for side in sides):
        raise ValueError(f"{name}: height and width must be at least {least}; got input_shape={given}.")
    if include_top and None in given:
        raise ValueError(f"{name}: with include_top=True every size of input_shape must be known; got {given}.")
    return given
