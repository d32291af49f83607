"""Residual networks, version 1."""

from cornu.applications.imagenet_utils import decode_predictions, preprocessing
from cornu.applications.reader import INPUT, classifier, conv, max_pool, norm, pad, relu
from cornu.layers import Add

__all__ = ["ResNet50", "ResNet101", "ResNet152", "decode_predictions", "preprocess_input"]

BLOCKS = {"ResNet50": (3, 4, 6, 3), "ResNet101": (3, 4, 23, 3), "ResNet152": (3, 8, 36, 3)}  # at each of the four sizes
_SOURCE = 'Source: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", 2015, table 1.'


def _norm():
    return norm(1.001e-5, axis=3)


def block(name, above, filters, strides, project):
    """Three convolutions, and a way around them that a convolution projects or that is the block's input."""
    shortcut = above
    if project:
        shortcut = f"{name}_0_bn"
        yield f"{name}_0_conv", conv(4 * filters, 1, strides), above
        yield shortcut, _norm()
    yield f"{name}_1_conv", conv(filters, 1, strides), above
    yield f"{name}_1_bn", _norm()
    yield f"{name}_1_relu", relu
    yield f"{name}_2_conv", conv(filters, 3, padding="same")
    yield f"{name}_2_bn", _norm()
    yield f"{name}_2_relu", relu
    yield f"{name}_3_conv", conv(4 * filters, 1)
    yield f"{name}_3_bn", _norm()
    yield f"{name}_add", Add, shortcut, f"{name}_3_bn"
    yield f"{name}_out", relu


def rows(blocks):
    """The rows of a network with so many blocks at each size."""
    yield "conv1_pad", pad(3), INPUT
    yield "conv1_conv", conv(64, 7, 2)
    yield "conv1_bn", _norm()
    yield "conv1_relu", relu
    yield "pool1_pad", pad(1)
    yield "pool1_pool", max_pool(3, 2)
    above = "pool1_pool"
    for stage, count in enumerate(blocks, 2):
        for index in range(1, count + 1):
            name = f"conv{stage}_block{index}"
            yield from block(name, above, 2 ** (stage + 4), 2 if index == 1 and stage > 2 else 1, index == 1)
            above = f"{name}_out"


def _network(name, layers, *hashes):
    files = (f"resnet/{name.lower()}_weights_tf_dim_ordering_tf_kernels", *hashes)
    doc = f"ResNet with {layers} layers, version 1.\n\n    {_SOURCE}"
    return classifier(name, lambda: rows(BLOCKS[name]), files, doc)


ResNet50 = _network("ResNet50", 50, "2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626")
ResNet101 = _network("ResNet101", 101, "f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21")
ResNet152 = _network("ResNet152", 152, "100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c")
preprocess_input = preprocessing("caffe")
