"""The engines' own forms of the rows of hot_ops.py, in the words of each engine, by the row's key."""

import functools

import numpy as np

IMAGES = ("NWC", "NHWC", "NDHWC")


def jax_forms():
    import jax
    from jax import lax

    jnp, nn = jax.numpy, jax.nn

    def conv(x, kernel, strides=1, dilation=1, groups=1):
        rank, words = x.ndim - 2, IMAGES[x.ndim - 3]
        words = words, words[1:-1] + "IO", words
        return lax.conv_general_dilated(x, kernel, (strides,) * rank, "SAME", None, (dilation,) * rank, words, groups)

    def depthwise(x, kernel, strides=1):
        return conv(x, kernel.reshape(*kernel.shape[:2], 1, -1), strides, groups=x.shape[-1])

    def transposed(x, kernel):
        return lax.conv_transpose(x, kernel, (2, 2), "SAME", transpose_kernel=True)

    def pool(start, combine, x, window, strides):
        return lax.reduce_window(x, np.float32(start), combine, (1, window, window, 1), (1, strides, strides, 1), "VALID")

    def batch_normalization(x, scale, offset):
        return nn.standardize(x, axis=tuple(range(x.ndim - 1)), epsilon=1e-3) * scale + offset

    def attention(q, k, v, mask=None, **options):
        return nn.dot_product_attention(q, k, v, mask=mask, **options)

    def lstm(x, kernel, inner, bias):
        def step(state, seen):
            i, f, g, o = jnp.split(seen + state[0] @ inner, 4, -1)
            c = nn.sigmoid(f) * state[1] + nn.sigmoid(i) * jnp.tanh(g)
            h = nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zeros = jnp.zeros((x.shape[0], inner.shape[0]))
        return lax.scan(step, (zeros, zeros), jnp.swapaxes(x, 0, 1) @ kernel + bias)[1].swapaxes(0, 1)

    def gru(x, kernel, inner, bias):
        def step(h, seen):
            (a, b, c), (z, r, n) = jnp.split(seen, 3, -1), jnp.split(h @ inner + bias[1], 3, -1)
            z, r = nn.sigmoid(a + z), nn.sigmoid(b + r)
            h = z * h + (1 - z) * jnp.tanh(c + r * n)
            return h, h

        return lax.scan(step, jnp.zeros((x.shape[0], inner.shape[0])), jnp.swapaxes(x, 0, 1) @ kernel + bias[0])[1].swapaxes(0, 1)

    def dropout(x):
        return jnp.where(jax.random.bernoulli(jax.random.key(1), 0.8, x.shape), x / 0.8, 0)

    def logits(x, y):
        y = nn.sigmoid(y)
        return jnp.maximum(x, 0) - x * y + jnp.log1p(jnp.exp(-jnp.abs(x)))

    return {
        "matmul": jnp.matmul,
        "dense relu": lambda x, y, bias: nn.relu(x @ y + bias),
        "einsum abc,cde->abde": functools.partial(jnp.einsum, "abc,cde->abde"),
        "conv": conv,
        "conv transpose": transposed,
        "depthwise": depthwise,
        "max pool": functools.partial(pool, -np.inf, lax.max),
        "mean pool": lambda x, window, strides: pool(0, lax.add, x, window, strides) / window**2,
        "mean of maps": lambda x: jnp.mean(x, (1, 2)),
        "batch normalization": batch_normalization,
        "layer normalization": lambda x, scale, offset: nn.standardize(x, epsilon=1e-3) * scale + offset,
        "rms normalization": lambda x, scale: x * lax.rsqrt(jnp.mean(jnp.square(x), -1, keepdims=True) + 1e-3) * scale,
        "add": jnp.add,
        "relu": nn.relu,
        "gelu": lambda x: nn.gelu(x, False),
        "gelu by tanh": nn.gelu,
        "silu": nn.silu,
        "sigmoid": nn.sigmoid,
        "tanh": jnp.tanh,
        "softmax": nn.softmax,
        "log_softmax": nn.log_softmax,
        "logsumexp": lambda x: nn.logsumexp(x, -1),
        "crossentropy of classes": lambda x, target: -jnp.take_along_axis(nn.log_softmax(x), target[:, None], -1)[:, 0],
        "crossentropy of logits": logits,
        "dropout": dropout,
        "take rows": lambda x, rows: jnp.take(x, rows, 0),
        "one_hot": lambda rows: nn.one_hot(rows, 1000),
        "LSTM": lstm,
        "GRU": gru,
        "attention": attention,
        "attention, masked": attention,
        "attention, causal": functools.partial(attention, is_causal=True),
        "sort": jnp.sort,
        "argsort": jnp.argsort,
        "top_k": lambda x: lax.top_k(x, 5)[0],
        "cumsum": lambda x: jnp.cumsum(x, -1),
        "cumsum of columns": lambda x: jnp.cumsum(x, 0),
        "sum": lambda x: jnp.sum(x, -1),
        "sum of columns": lambda x: jnp.sum(x, 0),
        "max": lambda x: jnp.max(x, -1),
        "argmax": lambda x: jnp.argmax(x, -1),
        "variance": lambda x: jnp.var(x, -1),
        "transpose": lambda x: jnp.swapaxes(x, -1, -2) + 0.0,
        "transpose heads": lambda x: jnp.transpose(x, (0, 2, 1, 3)) + 0.0,
        "concatenate": lambda x, y: jnp.concatenate([x, y], -1),
        "resize": lambda x: jax.image.resize(x, (x.shape[0], 96, 96, x.shape[3]), "bilinear"),
    }


def torch_forms():
    import torch
    from torch.nn import functional as F

    def images(function):
        def call(x, *given, **options):
            out = function(x.permute(0, -1, *range(1, x.ndim - 1)), *given, **options)
            return out.permute(0, *range(2, x.ndim), 1)

        return call

    def conv(x, kernel, strides=1, dilation=1, groups=1):
        rank = kernel.ndim - 2
        edge = tuple(dilation * (n // 2) for n in kernel.shape[:rank])
        return getattr(F, f"conv{rank}d")(x, kernel.permute(-1, -2, *range(rank)), None, strides, edge, dilation, groups)

    def transposed(x, kernel):
        return F.conv_transpose2d(x, kernel.permute(3, 2, 0, 1), None, 2, 1, kernel.shape[0] % 2)

    def attention(q, k, v, mask=None, **options):
        return F.scaled_dot_product_attention(*(x.transpose(1, 2) for x in (q, k, v)), mask, **options).transpose(1, 2)

    def recurrent(kernel_of, count, x, kernel, inner, bias):
        zeros = (x.new_zeros(1, x.shape[0], inner.shape[0]),) * count
        biases = bias if bias.ndim == 2 else (bias, torch.zeros_like(bias))
        return kernel_of(x, zeros if count == 2 else zeros[0], [kernel.T, inner.T, *biases], True, 1, 0.0, False, False, True)[0]

    return {
        "matmul": torch.matmul,
        "dense relu": lambda x, y, bias: F.relu(F.linear(x, y.T, bias)),
        "einsum abc,cde->abde": functools.partial(torch.einsum, "abc,cde->abde"),
        "conv": images(conv),
        "conv transpose": images(transposed),
        "depthwise": images(lambda x, k, strides=1: F.conv2d(x, k.permute(2, 3, 0, 1), None, strides, k.shape[0] // 2, groups=x.shape[1])),
        "max pool": images(lambda x, window, strides: F.max_pool2d(x, window, strides)),
        "mean pool": images(lambda x, window, strides: F.avg_pool2d(x, window, strides)),
        "mean of maps": lambda x: torch.mean(x, (1, 2)),
        "batch normalization": images(lambda x, scale, offset: F.batch_norm(x, None, None, scale, offset, True, eps=1e-3)),
        "layer normalization": lambda x, scale, offset: F.layer_norm(x, x.shape[-1:], scale, offset, 1e-3),
        "rms normalization": lambda x, scale: F.rms_norm(x, x.shape[-1:], scale, 1e-3),
        "add": torch.add,
        "relu": torch.relu,
        "gelu": F.gelu,
        "gelu by tanh": lambda x: F.gelu(x, approximate="tanh"),
        "silu": F.silu,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "softmax": lambda x: torch.softmax(x, -1),
        "log_softmax": lambda x: torch.log_softmax(x, -1),
        "logsumexp": lambda x: torch.logsumexp(x, -1),
        "crossentropy of classes": lambda x, target: F.cross_entropy(x, target.long(), reduction="none"),
        "crossentropy of logits": lambda x, y: F.binary_cross_entropy_with_logits(x, torch.sigmoid(y), reduction="none"),
        "dropout": lambda x: F.dropout(x, 0.2),
        "take rows": lambda x, rows: F.embedding(rows, x),
        "one_hot": lambda rows: F.one_hot(rows.long(), 1000).float(),
        "LSTM": functools.partial(recurrent, torch.lstm, 2),
        "GRU": functools.partial(recurrent, torch.gru, 1),
        "attention": attention,
        "attention, masked": attention,
        "attention, causal": functools.partial(attention, is_causal=True),
        "sort": lambda x: torch.sort(x, -1)[0],
        "argsort": lambda x: torch.argsort(x, -1),
        "top_k": lambda x: torch.topk(x, 5)[0],
        "cumsum": lambda x: torch.cumsum(x, -1),
        "cumsum of columns": lambda x: torch.cumsum(x, 0),
        "sum": lambda x: torch.sum(x, -1),
        "sum of columns": lambda x: torch.sum(x, 0),
        "max": lambda x: torch.amax(x, -1),
        "argmax": lambda x: torch.argmax(x, -1),
        "variance": lambda x: torch.var(x, -1, correction=0),
        "transpose": lambda x: x.transpose(-1, -2) + 0.0,
        "transpose heads": lambda x: x.permute(0, 2, 1, 3) + 0.0,
        "concatenate": lambda x, y: torch.cat([x, y], -1),
        "resize": images(lambda x: F.interpolate(x, (96, 96), mode="bilinear")),
    }


def tensorflow_forms():
    import tensorflow as tf

    def conv(x, kernel, strides=1, dilation=1, groups=1):
        return tf.nn.convolution(x, kernel, strides, "SAME", dilations=dilation)

    def transposed(x, kernel):
        return tf.nn.conv2d_transpose(x, kernel, (x.shape[0], 2 * x.shape[1], 2 * x.shape[2], kernel.shape[2]), 2)

    def layer_normalization(x, scale, offset):
        mean, variance = tf.nn.moments(x, -1, keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, offset, scale, 1e-3)

    def batch_normalization(x, scale, offset):
        out = tf.raw_ops.FusedBatchNormV3(x=tf.reshape(x, (-1, *(1, 1, *x.shape)[-3:])), scale=scale, offset=offset, mean=(), variance=(), epsilon=1e-3)
        return tf.reshape(out[0], x.shape)

    def attention(q, k, v, mask=None, is_causal=False):
        q, k, v = (tf.transpose(x, (0, 2, 1, 3)) for x in (q, k, v))
        products = tf.matmul(q, k, transpose_b=True) * q.shape[-1] ** -0.5
        mask = tf.linalg.band_part(tf.ones(products.shape[-2:], tf.bool), -1, 0) if is_causal else mask
        weights = tf.nn.softmax(products if mask is None else tf.where(mask, products, -1e9))
        return tf.transpose(tf.matmul(weights, v), (0, 2, 1, 3))

    def looped(step, count, x, kernel, inner, bias):
        seen = tf.transpose(x, (1, 0, 2)) @ kernel + (bias[0] if len(bias.shape) == 2 else bias)
        zeros = (tf.zeros((x.shape[0], inner.shape[0])),) * count
        return tf.transpose(tf.scan(lambda states, now: step(states, now, inner, bias), seen, zeros)[0], (1, 0, 2))

    def lstm(states, seen, inner, bias):
        i, f, g, o = tf.split(seen + states[0] @ inner, 4, -1)
        c = tf.sigmoid(f) * states[1] + tf.sigmoid(i) * tf.tanh(g)
        return tf.sigmoid(o) * tf.tanh(c), c

    def gru(states, seen, inner, bias):
        (a, b, c), (z, r, n) = tf.split(seen, 3, -1), tf.split(states[0] @ inner + bias[1], 3, -1)
        z, r = tf.sigmoid(a + z), tf.sigmoid(b + r)
        return (z * states[0] + (1 - z) * tf.tanh(c + r * n),)

    return {
        "matmul": tf.matmul,
        "dense relu": lambda x, y, bias: tf.nn.relu(tf.nn.bias_add(tf.matmul(x, y), bias)),
        "einsum abc,cde->abde": functools.partial(tf.einsum, "abc,cde->abde"),
        "conv": conv,
        "conv transpose": transposed,
        "depthwise": lambda x, k, strides=1: tf.nn.depthwise_conv2d(x, k, (1, strides, strides, 1), "SAME"),
        "max pool": lambda x, window, strides: tf.nn.max_pool2d(x, window, strides, "VALID"),
        "mean pool": lambda x, window, strides: tf.nn.avg_pool2d(x, window, strides, "VALID"),
        "mean of maps": lambda x: tf.reduce_mean(x, (1, 2)),
        "batch normalization": batch_normalization,
        "layer normalization": layer_normalization,
        "rms normalization": lambda x, scale: x * tf.math.rsqrt(tf.reduce_mean(x * x, -1, keepdims=True) + 1e-3) * scale,
        "add": tf.add,
        "relu": tf.nn.relu,
        "gelu": tf.nn.gelu,
        "gelu by tanh": lambda x: tf.nn.gelu(x, approximate=True),
        "silu": tf.nn.silu,
        "sigmoid": tf.sigmoid,
        "tanh": tf.tanh,
        "softmax": tf.nn.softmax,
        "log_softmax": tf.nn.log_softmax,
        "logsumexp": lambda x: tf.reduce_logsumexp(x, -1),
        "crossentropy of classes": lambda x, target: tf.nn.sparse_softmax_cross_entropy_with_logits(target, x),
        "crossentropy of logits": lambda x, y: tf.nn.sigmoid_cross_entropy_with_logits(tf.sigmoid(y), x),
        "dropout": lambda x: tf.nn.dropout(x, 0.2),
        "take rows": tf.gather,
        "one_hot": lambda rows: tf.one_hot(rows, 1000),
        "LSTM": functools.partial(looped, lstm, 2),
        "GRU": functools.partial(looped, gru, 1),
        "attention": attention,
        "attention, masked": attention,
        "attention, causal": functools.partial(attention, is_causal=True),
        "sort": tf.sort,
        "argsort": tf.argsort,
        "top_k": lambda x: tf.math.top_k(x, 5)[0],
        "cumsum": lambda x: tf.cumsum(x, -1),
        "cumsum of columns": lambda x: tf.cumsum(x, 0),
        "sum": lambda x: tf.reduce_sum(x, -1),
        "sum of columns": lambda x: tf.reduce_sum(x, 0),
        "max": lambda x: tf.reduce_max(x, -1),
        "argmax": lambda x: tf.argmax(x, -1, tf.int32),
        "variance": lambda x: tf.math.reduce_variance(x, -1),
        "transpose": lambda x: tf.linalg.matrix_transpose(x) + 0.0,
        "transpose heads": lambda x: tf.transpose(x, (0, 2, 1, 3)) + 0.0,
        "concatenate": lambda x, y: tf.concat([x, y], -1),
        "resize": lambda x: tf.image.resize(x, (96, 96)),
    }


def pytensor_forms():
    import pytensor
    import pytensor.tensor as pt
    from pytensor.tensor import special

    number = np.float32

    def normalized(axis, x, scale, offset):
        return (x - x.mean(axis, keepdims=True)) / pt.sqrt(x.var(axis, keepdims=True) + number(1e-3)) * scale + offset

    def attention(q, k, v, mask=None, is_causal=False):
        q, k, v = (x.transpose(0, 2, 1, 3) for x in (q, k, v))
        products = pt.matmul(q, k.transpose(0, 1, 3, 2)) * number(32**-0.5)
        mask = np.tri(*products.type.shape[-2:], dtype=bool) if is_causal else mask
        weights = special.softmax(products if mask is None else pt.where(mask, products, number(-1e9)), -1)
        return pt.matmul(weights, v).transpose(0, 2, 1, 3)

    def lstm(x, kernel, inner, bias):
        def step(seen, h, c, inner):
            gates, units = seen + h @ inner, inner.type.shape[0]
            i, f, g, o = (gates[:, k * units : (k + 1) * units] for k in range(4))
            c = pt.sigmoid(f) * c + pt.sigmoid(i) * pt.tanh(g)
            return pt.sigmoid(o) * pt.tanh(c), c

        zeros = pt.zeros((x.type.shape[0], inner.type.shape[0]), "float32")
        seen = (x.transpose(1, 0, 2).reshape((-1, x.type.shape[2])) @ kernel + bias).reshape((x.type.shape[1], x.type.shape[0], -1))
        found, _ = pytensor.scan(step, sequences=[seen], outputs_info=[zeros, zeros], non_sequences=[inner], return_updates=False)
        return found.transpose(1, 0, 2)

    def flat(x, y):
        return pt.tensordot(x, y, 1)

    return {
        "matmul": lambda x, y: pt.matmul(x, y) if x.ndim == y.ndim else flat(x, y),
        "dense relu": lambda x, y, bias: pt.maximum(flat(x, y) + bias, number(0)),
        "einsum abc,cde->abde": flat,
        "mean of maps": lambda x: x.mean((1, 2)),
        "batch normalization": lambda x, *weights: normalized(tuple(range(x.ndim - 1)), x, *weights),
        "layer normalization": functools.partial(normalized, -1),
        "rms normalization": lambda x, scale: x / pt.sqrt((x * x).mean(-1, keepdims=True) + number(1e-3)) * scale,
        "add": pt.add,
        "relu": lambda x: pt.maximum(x, number(0)),
        "gelu": lambda x: number(0.5) * x * (1 + pt.erf(x * number(0.5**0.5))),
        "gelu by tanh": lambda x: number(0.5) * x * (1 + pt.tanh(number(0.7978845608) * (x + number(0.044715) * x**3))),
        "silu": lambda x: x * pt.sigmoid(x),
        "sigmoid": pt.sigmoid,
        "tanh": pt.tanh,
        "softmax": lambda x: special.softmax(x, -1),
        "log_softmax": lambda x: special.log_softmax(x, -1),
        "logsumexp": lambda x: pt.logsumexp(x, -1),
        "crossentropy of classes": lambda x, target: -special.log_softmax(x, -1)[np.arange(x.type.shape[0]), target],
        "crossentropy of logits": lambda x, y: pt.softplus(x) - x * pt.sigmoid(y),
        "take rows": lambda x, rows: x[rows],
        "one_hot": lambda rows: pt.eq(rows[..., None], np.arange(1000)).astype("float32"),
        "LSTM": lstm,
        "attention": attention,
        "attention, masked": attention,
        "attention, causal": functools.partial(attention, is_causal=True),
        "sort": pt.sort,
        "argsort": pt.argsort,
        "cumsum": lambda x: pt.cumsum(x, -1),
        "cumsum of columns": lambda x: pt.cumsum(x, 0),
        "sum": lambda x: x.sum(-1),
        "sum of columns": lambda x: x.sum(0),
        "max": lambda x: x.max(-1),
        "argmax": lambda x: pt.argmax(x, -1),
        "variance": lambda x: x.var(-1),
        "transpose": lambda x: x.swapaxes(-1, -2) + number(0),
        "transpose heads": lambda x: x.transpose(0, 2, 1, 3) + number(0),
        "concatenate": lambda x, y: pt.concatenate([x, y], -1),
    }


def numpy_forms():
    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def softmax(x):
        powers = np.exp(x - x.max(-1, keepdims=True))
        return powers / powers.sum(-1, keepdims=True)

    def logsumexp(x):
        most = x.max(-1, keepdims=True)
        return np.log(np.exp(x - most).sum(-1, keepdims=True)) + most

    def normalized(axis, x, scale, offset):
        return (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + np.float32(1e-3)) * scale + offset

    def attention(q, k, v, mask=None, is_causal=False):
        q, k, v = (x.transpose(0, 2, 1, 3) for x in (q, k, v))
        products = np.matmul(q, k.swapaxes(-1, -2)) * np.float32(32**-0.5)
        mask = np.tri(*products.shape[-2:], dtype=bool) if is_causal else mask
        return np.matmul(softmax(products if mask is None else np.where(mask, products, np.float32(-1e9))), v).transpose(0, 2, 1, 3)

    def lstm(x, kernel, inner, bias):
        seen, h, c = x @ kernel + bias, np.zeros((x.shape[0], inner.shape[0]), "float32"), np.float32(0)
        found = []
        for place in range(x.shape[1]):
            i, f, g, o = np.split(seen[:, place] + h @ inner, 4, -1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            found.append(h)
        return np.stack(found, 1)

    def gelu(x):
        return np.float32(0.5) * x * (1 + np.tanh(np.float32(0.7978845608) * (x + np.float32(0.044715) * x * x * x)))

    def product(x, y):
        return (x.reshape(-1, x.shape[-1]) @ y.reshape(x.shape[-1], -1)).reshape(*x.shape[:-1], *y.shape[1:])

    return {
        "matmul": lambda x, y: np.matmul(x, y) if x.ndim == y.ndim else product(x, y),
        "dense relu": lambda x, y, bias: np.maximum(product(x, y) + bias, 0),
        "einsum abc,cde->abde": product,
        "mean of maps": lambda x: x.mean((1, 2)),
        "batch normalization": lambda x, *weights: normalized(tuple(range(x.ndim - 1)), x, *weights),
        "layer normalization": functools.partial(normalized, -1),
        "rms normalization": lambda x, scale: x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(1e-3)) * scale,
        "add": np.add,
        "relu": lambda x: np.maximum(x, 0),
        "gelu by tanh": gelu,
        "silu": lambda x: x * sigmoid(x),
        "sigmoid": sigmoid,
        "tanh": np.tanh,
        "softmax": softmax,
        "log_softmax": lambda x: x - logsumexp(x),
        "logsumexp": lambda x: logsumexp(x)[..., 0],
        "crossentropy of classes": lambda x, target: logsumexp(x)[:, 0] - x[np.arange(len(x)), target],
        "crossentropy of logits": lambda x, y: np.maximum(x, 0) - x * sigmoid(y) + np.log1p(np.exp(-np.abs(x))),
        "dropout": lambda x: np.where(np.random.default_rng(1).random(x.shape, "float32") < 0.8, x / np.float32(0.8), np.float32(0)),
        "take rows": lambda x, rows: np.take(x, rows, 0),
        "one_hot": lambda rows: (rows[..., None] == np.arange(1000, dtype="int32")).astype("float32"),
        "LSTM": lstm,
        "attention": attention,
        "attention, masked": attention,
        "attention, causal": functools.partial(attention, is_causal=True),
        "sort": np.sort,
        "argsort": np.argsort,
        "top_k": lambda x: np.sort(np.partition(x, -5, -1)[:, -5:], -1)[:, ::-1],
        "cumsum": lambda x: np.cumsum(x, -1),
        "cumsum of columns": lambda x: np.cumsum(x, 0),
        "sum": lambda x: np.sum(x, -1),
        "sum of columns": lambda x: np.sum(x, 0),
        "max": lambda x: np.max(x, -1),
        "argmax": lambda x: np.argmax(x, -1),
        "variance": lambda x: np.var(x, -1),
        "transpose": lambda x: np.swapaxes(x, -1, -2) + np.float32(0),
        "transpose heads": lambda x: np.transpose(x, (0, 2, 1, 3)) + np.float32(0),
        "concatenate": lambda x, y: np.concatenate([x, y], -1),
    }


FORMS = {"jax": jax_forms, "torch": torch_forms, "tensorflow": tensorflow_forms, "pytensor": pytensor_forms, "numpy": numpy_forms}


def programs(engine, function, arrays, weights, smooth):
    """`function` as the engine runs it best, in one or more forms; with `smooth`, its gradients, by the sum of the outputs times `weights`, which come last.

    Args:
        arrays: what it is called with.
        weights: of the shape of the outputs; None where the outputs themselves are wanted.
        smooth: the places of the arrays by which gradients are wanted.
    """

    def within(given, some):
        given = list(given)
        for place, x in zip(smooth, some, strict=True):
            given[place] = x
        return given

    if engine == "jax":
        import jax

        def gradients(*given):
            return jax.grad(lambda some: (function(*within(given[:-1], some)) * given[-1]).sum())([given[i] for i in smooth])

        return [jax.jit(function if weights is None else gradients)]
    if engine == "torch":
        import torch

        def gradients(*given):
            some = [given[i].detach().requires_grad_() for i in smooth]
            return torch.autograd.grad((function(*within(given[:-1], some)) * given[-1]).sum(), some)

        return [function if weights is None else gradients]
    if engine == "tensorflow":
        import tensorflow as tf

        def gradients(*given):
            some = [given[i] for i in smooth]
            with tf.GradientTape() as tape:
                tape.watch(some)
                out = tf.reduce_sum(function(*given[:-1]) * given[-1])
            return tape.gradient(out, some)

        return [tf.function(function if weights is None else gradients, autograph=False, jit_compile=jit) for jit in (False, True)]
    if engine == "pytensor":
        import pytensor
        import pytensor.tensor as pt

        variables = [pt.tensor(dtype=str(x.dtype), shape=x.shape) for x in arrays]
        out = function(*variables)
        if weights is None:
            return [pytensor.function(variables, out, trust_input=True)]
        variables.append(pt.tensor(dtype="float32", shape=weights.shape))
        found = pytensor.grad((out * variables[-1]).sum(), [variables[i] for i in smooth])
        return [pytensor.function(variables, found, trust_input=True)]
    return [function] if weights is None else []
