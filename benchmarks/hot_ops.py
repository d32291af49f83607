"""The rows of ops.py: what each op is called with, at several sizes, the first of which serves where one must do."""

import functools
import math
from typing import NamedTuple

import numpy as np

DRAWN = np.random.default_rng(0)


class Whole(NamedTuple):
    """An array of whole numbers from 0 to `below`, or, where `below` is 2, of booleans."""

    below: int
    shape: tuple


class Row(NamedTuple):
    key: str
    name: str
    ours: object  # a function of arrays and options
    arrays: list
    options: dict
    operations: int


def drawn(given):
    if not isinstance(given, Whole):
        return DRAWN.standard_normal(given, "float32")
    found = DRAWN.integers(0, given.below, given.shape)
    return found.astype(bool if given.below == 2 else "int32")


def size(shape):
    return math.prod(shape)


@functools.cache
def layer(name, units, width):
    """A recurrent layer as a function of its inputs and weights."""
    from cornu import Input, layers

    made = getattr(layers, name)(units, return_sequences=True)
    made(Input((None, width)))
    others = [variable.value for variable in made.non_trainable_variables]
    return lambda x, *weights: made.stateless_call(list(weights), others, x)[0]


def recurrent(name):
    return lambda ops, x, kernel, inner, bias: layer(name, inner.shape[0], x.shape[-1])(x, kernel, inner, bias)


def crossentropy(ops, x, target):
    return ops.sparse_categorical_crossentropy(target, x, from_logits=True)


def batch_normalized(ops, x, scale, offset):
    from cornu.ops.normalization import normalize_by_batch

    return normalize_by_batch(x, -1, offset, scale)[0]


def dropped(ops, x):
    from cornu import random

    return random.dropout(x, 0.2, seed=1)


def product(x, y):
    return 2 * size(x) * y[-1]


def windows(x, kernel, strides=1, dilation=1, groups=1):
    """Operations of a convolution."""
    places = size(-(-n // strides) for n in x[1:-1])
    return 2 * x[0] * places * size(kernel)


def attending(q, k, v, mask=None, **options):
    return 4 * size(q) * k[1]


def steps(x, kernel, inner, bias):
    return product(x, kernel) + 2 * size(x[:2]) * size(inner)


MEDIUM, LARGE, SMALL = (128, 1024), (32, 4, 128, 128), (32, 128)
ONE, TWO = [[MEDIUM], [LARGE], [SMALL]], [[MEDIUM] * 2, [LARGE] * 2, [SMALL] * 2]
WEIGHED = [[shape, shape[-1:], shape[-1:]] for (shape,) in ONE]
MAPS = [[(32, 16, 16, 64)], [(64, 28, 28, 32)], [(32, 64, 64, 64)]]
HEADS = [[(n, length, 4, 32)] * 3 for n, length in ((8, 128), (32, 128), (4, 512))]


def convolved(ops, x, kernel, strides=1, dilation=1, groups=1):
    return ops.conv(x, kernel, strides, "same", dilation_rate=dilation)


CONVOLUTIONS = [
    [(32, 16, 16, 64), (3, 3, 64, 64)],
    [(64, 28, 28, 1), (3, 3, 1, 32)],
    [(64, 14, 14, 32), (5, 5, 32, 64)],
    [(32, 4, 4, 256), (3, 3, 256, 256)],
    [(32, 8, 8, 256), (1, 1, 256, 256)],
    [(32, 16, 16, 64), (3, 3, 64, 64), {"strides": 2}],
    [(32, 64, 64, 3), (7, 7, 3, 64), {"strides": 2}],
    [(32, 16, 16, 64), (3, 3, 64, 64), {"dilation": 2}],
    [(32, 16, 16, 128), (3, 3, 32, 128), {"groups": 4}],
    [(32, 128, 64), (5, 64, 64)],
    [(4, 16, 16, 16, 32), (3, 3, 3, 32, 32)],
]

ROWS = {  # name: (a function of cornu.ops, arrays and options; shapes and options, size by size; operations, of shapes and options)
    "matmul": (
        lambda ops, x, y: ops.matmul(x, y),
        [[(512, 512)] * 2, [(32, 784), (784, 128)], [(1024, 1024)] * 2, [(32, 128, 128), (128, 512)], [(128, 128, 64), (128, 64, 128)]],
        product,
    ),
    "dense relu": (
        lambda ops, x, y, bias: ops.relu(ops.matmul(x, y) + bias),
        [[(32, 784), (784, 128), (128,)], [(32, 128, 128), (128, 512), (512,)]],
        lambda x, y, bias: product(x, y),
    ),
    "einsum abc,cde->abde": (
        lambda ops, x, y: ops.einsum("abc,cde->abde", x, y),
        [[(8, 128, 128), (128, 4, 32)], [(32, 128, 128), (128, 4, 32)]],
        lambda x, y: 2 * size(x) * size(y[1:]),
    ),
    "conv": (convolved, CONVOLUTIONS, windows),
    "conv transpose": (
        lambda ops, x, kernel: ops.conv_transpose(x, kernel, 2, "same"),
        [[(32, 8, 8, 64), (3, 3, 32, 64)], [(16, 16, 16, 64), (4, 4, 64, 64)]],
        lambda x, kernel: 2 * size(x[:3]) * size(kernel),
    ),
    "depthwise": (
        lambda ops, x, kernel, strides=1: ops.depthwise_conv(x, kernel, strides, "same"),
        [[(32, 16, 16, 64), (3, 3, 64, 1)], [(32, 48, 48, 96), (3, 3, 96, 1)], [(32, 32, 32, 32), (3, 3, 32, 1), {"strides": 2}]],
        lambda x, kernel, strides=1: 2 * size(x) * size(kernel[:2]) // strides**2,
    ),
    "max pool": (
        lambda ops, x, window, strides: ops.max_pool(x, window, strides),
        [[(64, 28, 28, 32), {"window": 2, "strides": 2}], [(32, 33, 33, 64), {"window": 3, "strides": 2}]],
    ),
    "mean pool": (
        lambda ops, x, window, strides: ops.average_pool(x, window, strides),
        [[(64, 28, 28, 32), {"window": 2, "strides": 2}], [(32, 33, 33, 64), {"window": 3, "strides": 1}]],
    ),
    "mean of maps": (lambda ops, x: ops.mean(x, (1, 2)), MAPS),
    "batch normalization": (batch_normalized, [[shape, shape[-1:], shape[-1:]] for shape in ((64, 8, 8, 256), (32, 32, 32, 64), (32, 128))]),
    "layer normalization": (lambda ops, x, scale, offset: ops.layer_normalization(x, scale, offset), WEIGHED),
    "rms normalization": (lambda ops, x, scale: ops.rms_normalization(x, scale), [shapes[:2] for shapes in WEIGHED]),
    "add": (lambda ops, x, y: x + y, [*TWO, [(4096, 512), (512,)]]),
    "relu": (lambda ops, x: ops.relu(x), ONE),
    "gelu": (lambda ops, x: ops.gelu(x, False), ONE),
    "gelu by tanh": (lambda ops, x: ops.gelu(x), ONE),
    "silu": (lambda ops, x: ops.silu(x), ONE),
    "sigmoid": (lambda ops, x: ops.sigmoid(x), ONE),
    "tanh": (lambda ops, x: ops.tanh(x), ONE),
    "softmax": (lambda ops, x: ops.softmax(x), ONE),
    "log_softmax": (lambda ops, x: ops.log_softmax(x), ONE),
    "logsumexp": (lambda ops, x: ops.logsumexp(x, -1), ONE),
    "crossentropy of classes": (crossentropy, [[(256, 1000), Whole(1000, (256,))], [(4096, 1000), Whole(1000, (4096,))], [(32, 10), Whole(10, (32,))]]),
    "crossentropy of logits": (lambda ops, x, y: ops.binary_crossentropy(ops.sigmoid(y), x, from_logits=True), [[MEDIUM] * 2, [(32, 1)] * 2]),
    "dropout": (dropped, ONE),
    "take rows": (
        lambda ops, x, rows: ops.take(x, rows, 0),
        [[(20000, 128), Whole(20000, (32, 80))], [(1000, 64), Whole(1000, (32, 16))], [(8000, 128), Whole(8000, (32, 128))]],
    ),
    "one_hot": (lambda ops, rows: ops.one_hot(rows, 1000), [[Whole(1000, (256,))], [Whole(1000, (32, 80))]]),
    "LSTM": (recurrent("LSTM"), [[(32, 20, 32), (32, 256), (64, 256), (256,)], [(32, 80, 128), (128, 512), (128, 512), (512,)]], steps),
    "GRU": (recurrent("GRU"), [[(32, 20, 32), (32, 192), (64, 192), (2, 192)], [(32, 80, 128), (128, 384), (128, 384), (2, 384)]], steps),
    "attention": (lambda ops, *given: ops.dot_product_attention(*given), HEADS, attending),
    "attention, masked": (
        lambda ops, q, k, v, mask: ops.dot_product_attention(q, k, v, mask=mask),
        [[*shapes, Whole(2, (shapes[0][0], 1, 1, shapes[0][1]))] for shapes in HEADS],
        attending,
    ),
    "attention, causal": (lambda ops, *given: ops.dot_product_attention(*given, is_causal=True), HEADS, attending),
    "sort": (lambda ops, x: ops.sort(x), [[(128, 1000)], [(16, 64)], [(8, 20000)]]),
    "argsort": (lambda ops, x: ops.argsort(x), [[(128, 1000)], [(16, 64)], [(8, 20000)]]),
    "top_k": (lambda ops, x: ops.top_k(x, 5)[0], [[(128, 1000)], [(32, 10)]]),
    "cumsum": (lambda ops, x: ops.cumsum(x, -1), ONE),
    "cumsum of columns": (lambda ops, x: ops.cumsum(x, 0), [[(1024, 128)], [(80, 32)]]),
    "sum": (lambda ops, x: ops.sum(x, -1), ONE),
    "sum of columns": (lambda ops, x: ops.sum(x, 0), [[MEDIUM], [(4096, 512)]]),
    "max": (lambda ops, x: ops.max(x, -1), ONE),
    "argmax": (lambda ops, x: ops.argmax(x, -1), ONE),
    "variance": (lambda ops, x: ops.var(x, -1), ONE),
    "transpose": (lambda ops, x: ops.swapaxes(x, -1, -2) + 0.0, ONE),
    "transpose heads": (lambda ops, x: ops.transpose(x, (0, 2, 1, 3)) + 0.0, [[(8, 128, 4, 32)], [(32, 128, 4, 32)]]),
    "concatenate": (lambda ops, x, y: ops.concatenate([x, y], -1), TWO),
    "resize": (lambda ops, x: ops.image.resize(x, (96, 96)), [[(16, 64, 64, 3)], [(4, 32, 32, 64)]]),
}


def rows(sizes=None):
    """All rows, of at most so many sizes each."""
    from cornu import ops

    for key, (call, choices, *count) in ROWS.items():
        for given in choices[:sizes]:
            options = given[-1] if isinstance(given[-1], dict) else {}
            given = [x for x in given if not isinstance(x, dict)]
            shapes = [x.shape if isinstance(x, Whole) else x for x in given]
            shown = [str(shape).replace(" ", "") for shape in shapes]
            name = f"{key} {f'{len(shown)} of {shown[0]}' if len(shown) > 2 and len(set(shown)) == 1 else ' '.join(shown[:2])}"
            name += "".join(f" {word} {value}" for word, value in options.items())
            ours = functools.partial(call, ops, **options)
            yield Row(key, name, ours, [drawn(x) for x in given], options, count[0](*shapes, **options) if count else 0)
