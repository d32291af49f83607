"""The engines' own forms of the rows of ops.py, in the words of each engine; the row's name begins with the key."""

import numpy as np

ROWS = np.random.default_rng(1).integers(0, 20000, (32, 80)).astype("int32")  # of a table


def torch_forms():
    import torch
    from torch.nn import functional as F

    def images(function):
        return lambda x, *k: function(x.permute(0, 3, 1, 2), *k).permute(0, 2, 3, 1)

    def attention(q, k, v):
        return F.scaled_dot_product_attention(*(x.transpose(1, 2) for x in (q, k, v))).transpose(1, 2)

    return {
        "matmul": torch.matmul,
        "add": torch.add,
        "relu": torch.relu,
        "gelu by tanh": lambda x: F.gelu(x, approximate="tanh"),
        "gelu": F.gelu,
        "silu": F.silu,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "softmax": lambda x: torch.softmax(x, -1),
        "log_softmax": lambda x: torch.log_softmax(x, -1),
        "sum": lambda x: torch.sum(x, -1),
        "variance": lambda x: torch.var(x, -1, correction=0),
        "layer_normalization": lambda x: F.layer_norm(x, x.shape[-1:], eps=1e-3),
        "transpose": lambda x: x.transpose(-1, -2) + 0.0,
        "concatenate": lambda x, y: torch.cat([x, y], -1),
        "cumsum": lambda x: torch.cumsum(x, -1),
        "batch normalization": images(lambda x: F.batch_norm(x, None, None, training=True, eps=1e-3)),
        "conv": images(lambda x, k: F.conv2d(x, k.permute(3, 2, 0, 1), padding="same")),
        "depthwise": images(lambda x, k: F.conv2d(x, k.permute(2, 3, 0, 1), padding="same", groups=x.shape[1])),
        "max pool 2/2": images(lambda x: F.max_pool2d(x, 2)),
        "mean pool 2/2": images(lambda x: F.avg_pool2d(x, 2)),
        "attention": attention,
        "take rows": lambda x: F.embedding(torch.from_numpy(ROWS), x),
        "resize": images(lambda x: F.interpolate(x, (96, 96), mode="bilinear")),
        "top_k": lambda x: torch.topk(x, 5)[0],
        "sort": lambda x: torch.sort(x, -1)[0],
    }


def tensorflow_forms():
    import tensorflow as tf

    def layer_normalization(x):
        mean, variance = tf.nn.moments(x, -1, keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, None, None, 1e-3)

    def batch_normalization(x):
        ones = tf.ones(x.shape[-1])
        return tf.raw_ops.FusedBatchNormV3(x=x, scale=ones, offset=0 * ones, mean=(), variance=(), epsilon=1e-3)[0]

    def attention(q, k, v):
        q, k, v = (tf.transpose(x, (0, 2, 1, 3)) for x in (q, k, v))
        weights = tf.nn.softmax(tf.matmul(q, k, transpose_b=True) * q.shape[-1] ** -0.5)
        return tf.transpose(tf.matmul(weights, v), (0, 2, 1, 3))

    return {
        "matmul": tf.matmul,
        "add": tf.add,
        "relu": tf.nn.relu,
        "gelu by tanh": lambda x: tf.nn.gelu(x, approximate=True),
        "gelu": tf.nn.gelu,
        "silu": tf.nn.silu,
        "sigmoid": tf.sigmoid,
        "tanh": tf.tanh,
        "softmax": tf.nn.softmax,
        "log_softmax": tf.nn.log_softmax,
        "sum": lambda x: tf.reduce_sum(x, -1),
        "variance": lambda x: tf.math.reduce_variance(x, -1),
        "layer_normalization": layer_normalization,
        "transpose": lambda x: tf.linalg.matrix_transpose(x) + 0.0,
        "concatenate": lambda x, y: tf.concat([x, y], -1),
        "cumsum": lambda x: tf.cumsum(x, -1),
        "batch normalization": batch_normalization,
        "conv": lambda x, k: tf.nn.conv2d(x, k, 1, "SAME"),
        "depthwise": lambda x, k: tf.nn.depthwise_conv2d(x, k, (1, 1, 1, 1), "SAME"),
        "max pool 2/2": lambda x: tf.nn.max_pool2d(x, 2, 2, "VALID"),
        "mean pool 2/2": lambda x: tf.nn.avg_pool2d(x, 2, 2, "VALID"),
        "attention": attention,
        "take rows": lambda x: tf.gather(x, ROWS),
        "resize": lambda x: tf.image.resize(x, (96, 96)),
        "top_k": lambda x: tf.math.top_k(x, 5)[0],
        "sort": tf.sort,
    }


def pytensor_forms():
    import pytensor.tensor as pt
    from pytensor.tensor import special

    def normalized(x, axis):
        return (x - x.mean(axis, keepdims=True)) / pt.sqrt(x.var(axis, keepdims=True) + np.float32(1e-3))

    def attention(q, k, v):
        q, k, v = (x.transpose(0, 2, 1, 3) for x in (q, k, v))
        weights = special.softmax(pt.matmul(q, k.transpose(0, 1, 3, 2)) * np.float32(32**-0.5), -1)
        return pt.matmul(weights, v).transpose(0, 2, 1, 3)

    number = np.float32
    return {
        "matmul": pt.matmul,
        "add": pt.add,
        "relu": lambda x: pt.maximum(x, number(0)),
        "gelu by tanh": lambda x: number(0.5) * x * (1 + pt.tanh(number(0.7978845608) * (x + number(0.044715) * x**3))),
        "gelu": lambda x: number(0.5) * x * (1 + pt.erf(x * number(0.5**0.5))),
        "silu": lambda x: x * pt.sigmoid(x),
        "sigmoid": pt.sigmoid,
        "tanh": pt.tanh,
        "softmax": lambda x: special.softmax(x, -1),
        "log_softmax": lambda x: special.log_softmax(x, -1),
        "sum": lambda x: x.sum(-1),
        "variance": lambda x: x.var(-1),
        "layer_normalization": lambda x: normalized(x, -1),
        "transpose": lambda x: x.swapaxes(-1, -2) + number(0),
        "concatenate": lambda x, y: pt.concatenate([x, y], -1),
        "cumsum": lambda x: pt.cumsum(x, -1),
        "batch normalization": lambda x: normalized(x, (0, 1, 2)),
        "attention": attention,
        "take rows": lambda x: x[ROWS],
        "sort": pt.sort,
    }


FORMS = {"torch": torch_forms, "tensorflow": tensorflow_forms, "pytensor": pytensor_forms}


def form(engine, name):
    """The engine's form of the row `name`, or None."""
    return next((function for key, function in FORMS[engine]().items() if name.startswith(f"{key} ")), None) if engine in FORMS else None


def programs(engine, function, arrays, weights, gradients):
    """`function` as the engine runs it best, in one or more forms: each takes the arrays, and for its gradients the weights too.

    Args:
        weights: of the shape of the outputs.
        gradients: whether the gradients are wanted in place of the outputs.
    """
    if engine == "jax":
        import jax

        return [jax.jit((lambda *a: jax.vjp(function, *a[:-1])[1](a[-1])) if gradients else function)]
    if engine == "torch":
        import torch

        def run(*given):
            given, last = given[:-1], given[-1]
            given = [x.detach().requires_grad_() for x in given]
            return torch.autograd.grad(function(*given), given, last)

        return [run if gradients else function]
    if engine == "tensorflow":
        import tensorflow as tf

        def run(*given):
            with tf.GradientTape() as tape:
                tape.watch(given[:-1])
                out = function(*given[:-1])
            return tape.gradient(out, given[:-1], given[-1])

        return [tf.function(run if gradients else function, autograph=False, jit_compile=jit) for jit in (False, True)]
    if engine == "pytensor":
        import pytensor
        import pytensor.tensor as pt

        variables = [pt.tensor(dtype=str(x.dtype), shape=x.shape) for x in (*arrays, weights)]
        out = function(*variables[:-1])
        if not gradients:
            return [pytensor.function(variables[:-1], out, trust_input=True)]
        return [pytensor.function(variables, pytensor.grad((out * variables[-1]).sum(), variables[:-1]), trust_input=True)]
    return [] if gradients else [function]
