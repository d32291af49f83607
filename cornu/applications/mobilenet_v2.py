"""MobileNet, version 2: narrow blocks that are widened, filtered channel by channel, and narrowed again."""

from cornu.applications.imagenet_utils import decode_predictions, preprocessing
from cornu.applications.mobilenet import trained_side
from cornu.applications.reader import ARGUMENTS, CLASSES, Architecture, conv, dense_top, depthwise, norm, pad, read, relu6
from cornu.layers import Add
from cornu.settings import image_data_format

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]

WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)  # of the weights trained on ImageNet
SIDES = (96, 128, 160, 192, 224)
STAGES = (  # filters, strides of the first block, blocks
    (16, 1, 1),
    (24, 2, 2),
    (32, 2, 3),
    (64, 2, 4),
    (96, 1, 3),
    (160, 2, 3),
    (320, 1, 1),
)
EXPANSION = 6  # how much wider a block is inside; the first is not


def rounded(filters):
    """The multiple of 8 next to `filters`, at least 8 and not less than nine tenths of it."""
    near = max(8, int(filters + 4) // 8 * 8)
    return near + 8 if near < 0.9 * filters else near


def half(side):
    """What a stride of 2 leaves of so many pixels."""
    return side and (side + 1) // 2


def before(side):
    """Padding for a stride of 2 that leaves `half(side)`."""
    return (side % 2 if side else 0, 1)


def _norm():
    return norm(1e-3, 0.999)


def block(prefix, above, channels, filters, strides, sides):
    """One block of `channels` in and `filters` out on a map of `sides`."""
    inside = channels
    if prefix != "expanded_conv_":
        inside = EXPANSION * channels
        yield f"{prefix}expand", conv(inside, 1, padding="same", bias=False), above
        yield f"{prefix}expand_BN", _norm()
        yield f"{prefix}expand_relu", relu6
    if strides > 1:
        yield f"{prefix}pad", pad(tuple(map(before, sides)))
    yield f"{prefix}depthwise", depthwise(3, strides, "valid" if strides > 1 else "same")
    yield f"{prefix}depthwise_BN", _norm()
    yield f"{prefix}depthwise_relu", relu6
    yield f"{prefix}project", conv(filters, 1, padding="same", bias=False)
    yield f"{prefix}project_BN", _norm()
    if channels == filters and strides == 1:
        yield f"{prefix}add", Add, above, f"{prefix}project_BN"


def rows(shape, alpha=1.0):
    """The rows of a network for images of `shape` whose filters are `alpha` times as many."""
    sides = [half(side) for side in (shape[:2] if image_data_format() == "channels_last" else shape[1:])]
    channels = rounded(32 * alpha)
    yield "Conv1", conv(channels, 3, 2, "same", bias=False)
    yield "bn_Conv1", _norm()
    yield "Conv1_relu", relu6
    above, index = "Conv1_relu", 0
    for filters, first, count in STAGES:
        filters = rounded(int(filters * alpha))
        for strides in (first, *(1,) * (count - 1)):
            for row in block(f"block_{index}_" if index else "expanded_conv_", above, channels, filters, strides, sides):
                yield row
                last = row[0]
            sides = [half(side) for side in sides] if strides > 1 else sides
            above, channels, index = last, filters, index + 1
    yield "Conv_1", conv(rounded(1280 * alpha) if alpha > 1 else 1280, 1, bias=False)
    yield "Conv_1_bn", _norm()
    yield "out_relu", relu6


def MobileNetV2(
    input_shape=None,
    alpha=1.0,
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
        if alpha not in WIDTHS:
            raise ValueError(f'MobileNetV2: weights="imagenet" are for alpha {", ".join(map(str, WIDTHS))}; got {alpha}.')
        side = trained_side("MobileNetV2", input_shape, SIDES)
    stem = f"mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(alpha)}_{side}"
    architecture = Architecture(
        lambda shape: rows(shape, alpha),
        f"mobilenetv2_{alpha:0.2f}_{{}}",
        lambda classes, activation: dense_top(classes, activation, "_mean"),
        lambda with_top: (f"{stem}.h5" if with_top else f"{stem}_no_top.h5", None),
        side,
        pooling=None,
    )
    return read(architecture, name, include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation)


MobileNetV2.__doc__ = (
    'MobileNet, version 2.\n\n    Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018, table 2.\n'
    + ARGUMENTS.replace(
        "        name:", "        alpha: how many times as many filters, above 0; " + ", ".join(map(str, WIDTHS)) + ' with "imagenet".\n        name:'
    )
)
preprocess_input = preprocessing("tf")
