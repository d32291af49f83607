"""Residual networks, version 2: normalization and relu come before the convolutions."""

from cornu.applications.imagenet_utils import decode_predictions, preprocessing
from cornu.applications.reader import INPUT, classifier, conv, max_pool, norm, pad, relu
from cornu.layers import Add

__all__ = ["ResNet50V2", "ResNet101V2", "ResNet152V2", "decode_predictions", "preprocess_input"]

BLOCKS = {"ResNet50V2": (3, 4, 6, 3), "ResNet101V2": (3, 4, 23, 3), "ResNet152V2": (3, 8, 36, 3)}  # at each of the four sizes
_SOURCE = 'Source: He, Zhang, Ren, Sun, "Identity Mappings in Deep Residual Networks", 2016.'


def _norm():
    return norm(1.001e-5, axis=3)


def block(name, above, filters, strides, project):
    """Three convolutions after normalization and relu, and a way around them; the last block of a size halves height and width."""
    ready, shortcut = f"{name}_preact_relu", above
    yield f"{name}_preact_bn", _norm(), above
    yield ready, relu
    if project:
        shortcut = f"{name}_0_conv"
        yield shortcut, conv(4 * filters, 1, strides)
    elif strides > 1:
        shortcut = f"_{name}_pool"
        yield shortcut, max_pool(1, strides), above
    yield f"{name}_1_conv", conv(filters, 1, bias=False), ready
    yield f"{name}_1_bn", _norm()
    yield f"{name}_1_relu", relu
    yield f"{name}_2_pad", pad(1)
    yield f"{name}_2_conv", conv(filters, 3, strides, bias=False)
    yield f"{name}_2_bn", _norm()
    yield f"{name}_2_relu", relu
    yield f"{name}_3_conv", conv(4 * filters, 1)
    yield f"{name}_out", Add, shortcut, f"{name}_3_conv"


def rows(blocks):
    """The rows of a network with so many blocks at each size."""
    yield "conv1_pad", pad(3), INPUT
    yield "conv1_conv", conv(64, 7, 2)
    yield "pool1_pad", pad(1)
    yield "pool1_pool", max_pool(3, 2)
    above = "pool1_pool"
    for stage, count in enumerate(blocks, 2):
        for index in range(1, count + 1):
            name = f"conv{stage}_block{index}"
            yield from block(name, above, 2 ** (stage + 4), 2 if index == count and stage < 5 else 1, index == 1)
            above = f"{name}_out"
    yield "post_bn", _norm()
    yield "post_relu", relu


def _network(name, layers, *hashes):
    files = (f"resnet/{name.lower()}_weights_tf_dim_ordering_tf_kernels", *hashes)
    doc = f"ResNet with {layers} layers, version 2.\n\n    {_SOURCE}"
    return classifier(name, lambda: rows(BLOCKS[name]), files, doc)


ResNet50V2 = _network("ResNet50V2", 50, "3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917")
ResNet101V2 = _network("ResNet101V2", 101, "6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5")
ResNet152V2 = _network("ResNet152V2", 152, "a49b44d1979771252814e80f8ec446f9", "ed17cf2e0169df9d443503ef94b23b33")
preprocess_input = preprocessing("tf")
