"""MobileNet, version 1: filters channel by channel, and 1 by 1 convolutions between channels."""

import functools
import warnings

from cornu import layers
from cornu.applications.imagenet_utils import decode_predictions, preprocessing
from cornu.applications.reader import ARGUMENTS, CLASSES, Architecture, conv, depthwise, norm, pad, read, relu6
from cornu.settings import image_data_format

__all__ = ["MobileNet", "decode_predictions", "preprocess_input"]

WIDTHS = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}  # of the weights trained on ImageNet
SIDES = (128, 160, 192, 224)
BLOCKS = (  # filters, strides
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1),) * 5,
    *((1024, 2), (1024, 1)),
)


def rows(alpha=1.0, multiplier=1):
    """The rows of a network whose filters are `alpha` times as many."""
    yield "conv1", conv(int(32 * alpha), 3, 2, "same", bias=False)
    yield "conv1_bn", norm()
    yield "conv1_relu", relu6
    for index, (filters, strides) in enumerate(BLOCKS, 1):
        if strides > 1:
            yield f"conv_pad_{index}", pad(((0, 1), (0, 1)))
        yield f"conv_dw_{index}", depthwise(3, strides, "valid" if strides > 1 else "same", multiplier)
        yield f"conv_dw_{index}_bn", norm()
        yield f"conv_dw_{index}_relu", relu6
        yield f"conv_pw_{index}", conv(int(filters * alpha), 1, padding="same", bias=False)
        yield f"conv_pw_{index}_bn", norm()
        yield f"conv_pw_{index}_relu", relu6


def top(classes, activation, dropout=0.001):
    """The rows of the classifier: a 1 by 1 convolution of the mean."""
    yield "_mean", functools.partial(layers.GlobalAveragePooling2D, keepdims=True)
    yield "dropout", functools.partial(layers.Dropout, dropout)
    yield "conv_preds", conv(classes, 1, padding="same")
    yield "reshape_2", functools.partial(layers.Reshape, (classes,))
    yield "predictions", functools.partial(layers.Activation, activation)


def trained_side(name, input_shape, sides):
    """Which of the sizes `sides` the weights trained on ImageNet for images of `input_shape` have: 224 where none fits, with a warning."""
    if input_shape is None:
        return 224
    height, width = input_shape[:2] if image_data_format() == "channels_last" else input_shape[1:]
    if height == width and height in sides:
        return height
    warnings.warn(
        f"{name}: there are weights for square images of {', '.join(map(str, sides))} pixels, none for input_shape={input_shape}: those for 224 are taken.",
        stacklevel=3,
    )
    return 224


def MobileNet(
    input_shape=None,
    alpha=1.0,
    depth_multiplier=1,
    dropout=0.001,
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    pooling=None,
    classes=CLASSES,
    classifier_activation="softmax",
    name=None,
):
    side = 224
    if weights == "imagenet":
        if alpha not in WIDTHS or depth_multiplier != 1:
            raise ValueError(
                f'MobileNet: weights="imagenet" are for alpha {", ".join(map(str, WIDTHS))} and depth_multiplier 1; got alpha={alpha}, depth_multiplier={depth_multiplier}.'
            )
        side = trained_side("MobileNet", input_shape, SIDES)
    files = lambda with_top: (f"mobilenet/mobilenet_{WIDTHS[alpha]}_{side}_tf{'' if with_top else '_no_top'}.h5", None)
    architecture = Architecture(
        lambda shape: rows(alpha, depth_multiplier), f"mobilenet_{alpha:0.2f}_{{}}", functools.partial(top, dropout=dropout), files, side, pooling=None
    )
    return read(architecture, name, include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation)


_WIDTH = '        alpha: how many times as many filters, above 0; {} with "imagenet".\n'
MobileNet.__doc__ = (
    'MobileNet, version 1.\n\n    Source: Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications", 2017, table 1.\n'
    + (
        ARGUMENTS.replace(
            "        name:",
            _WIDTH.format("0.25, 0.5, 0.75 or 1.0")
            + "        depth_multiplier: filters for each channel, at least 1.\n        dropout: fraction of the means that training sets to zero.\n        name:",
        )
    )
)
preprocess_input = preprocessing("tf")
