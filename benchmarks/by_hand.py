"""The workloads as one writes them without Keras: in PyTorch, in JAX with Flax and Optax, in TensorFlow.

Each `by_...(workload, x, y)` gives two functions: `train()` runs the epochs of the workload over shuffled data, with the loss and the accuracy that `fit`
shows, and `predict(x, size)` gives the model's outputs for all rows of x. `check(library, workload)` says whether there is one.
"""

import numpy as np
from workloads import WORKLOADS

CLASSIFIES = ("mlp", "cnn", "transformer", "resnet50", "mobilenet")
WRITTEN = {
    "torch": tuple(WORKLOADS),
    "torch.compile": tuple(WORKLOADS),
    "jax": ("mlp", "cnn", "lstm", "transformer", "tiny"),
    "tensorflow": ("mlp", "cnn", "tiny"),
}
CNN = ((32, 5), (64, 5), (128, 3), (128, 3))  # filters, window
RESNET50 = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))  # width, blocks, first stride
MOBILENET = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))  # growth, width, blocks, first stride


def batches(workload, rows, draw):
    """Places of the rows of each batch, shuffled."""
    order, size = draw.permutation(rows), WORKLOADS[workload].batch
    return [order[start : start + size] for start in range(0, rows, size)]


# -- PyTorch ---------------------------------------------------------------------------------------------------------------------------------


def torch_model(workload):
    from torch import nn

    class Residual(nn.Module):
        def __init__(self, body, around=None, after=None):
            super().__init__()
            self.body, self.around, self.after = body, around or nn.Identity(), after or nn.Identity()

        def forward(self, x):
            return self.after(self.body(x) + self.around(x))

    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.lstm, self.dense = nn.Embedding(20000, 128), nn.LSTM(128, 128, batch_first=True), nn.Linear(128, 1)

        def forward(self, x):
            return self.dense(self.lstm(self.embedding(x))[0][:, -1])

    class Attention(nn.MultiheadAttention):
        def forward(self, x):
            return super().forward(x, x, x, need_weights=False)[0]

    class Mean(nn.Module):
        def forward(self, x):
            return x.mean(1)

    def convolution(before, after, window=1, stride=1, groups=1, act=nn.ReLU):
        parts = [nn.Conv2d(before, after, window, stride, window // 2, groups=groups, bias=False), nn.BatchNorm2d(after)]
        return nn.Sequential(*parts, *([act()] if act else []))

    if workload == "mlp":
        return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10))
    if workload == "cnn":
        blocks, channels = [], 1
        for filters, window in CNN:
            blocks += [nn.Conv2d(channels, filters, window, padding=window // 2), nn.ReLU(), nn.MaxPool2d(2)]
            channels = filters
        return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(128, 1024), nn.ReLU(), nn.Linear(1024, 512), nn.ReLU(), nn.Linear(512, 10))
    if workload == "lstm":
        return Words()
    if workload == "transformer":
        parts = [nn.Embedding(8000, 128)]
        for _ in range(2):
            hidden = nn.Sequential(nn.Linear(128, 512), nn.ReLU(), nn.Linear(512, 128))
            parts += [Residual(Attention(128, 4, batch_first=True), after=nn.LayerNorm(128)), Residual(hidden, after=nn.LayerNorm(128))]
        return nn.Sequential(*parts, Mean(), nn.Linear(128, 2))
    if workload == "resnet50":
        parts, channels = [convolution(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)], 64
        for width, blocks, stride in RESNET50:
            for block in range(blocks):
                step = stride if block == 0 else 1
                body = nn.Sequential(convolution(channels, width, 1, step), convolution(width, width, 3), convolution(width, 4 * width, act=None))
                around = convolution(channels, 4 * width, 1, step, act=None) if block == 0 else None
                parts.append(Residual(body, around, nn.ReLU()))
                channels = 4 * width
        return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))
    if workload == "mobilenet":
        parts, channels = [convolution(3, 32, 3, 2, act=nn.ReLU6)], 32
        for growth, width, blocks, stride in MOBILENET:
            for block in range(blocks):
                step, wide = stride if block == 0 else 1, channels * growth
                body = [convolution(channels, wide, act=nn.ReLU6)] if growth > 1 else []
                body = nn.Sequential(*body, convolution(wide, wide, 3, step, wide, nn.ReLU6), convolution(wide, width, act=None))
                parts.append(Residual(body) if step == 1 and channels == width else body)
                channels = width
        return nn.Sequential(*parts, convolution(320, 1280, act=nn.ReLU6), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 10))
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))


def by_torch(workload, x, y, compiled=False):
    """A plain loop with fused Adam; `compiled`: model and loss through `torch.compile`."""
    import torch
    from torch.nn import functional as F

    model, draw = torch_model(workload), np.random.default_rng(0)
    loss_of = {"tiny": F.mse_loss, "lstm": F.binary_cross_entropy_with_logits}.get(workload, F.cross_entropy)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    inputs = lambda x: torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if x.ndim == 4 else x)
    as_shown = {"tiny": lambda z: z, "lstm": torch.sigmoid}.get(workload, lambda z: torch.softmax(z, 1))
    truths = torch.from_numpy(y.astype("int64") if workload in CLASSIFIES else y)
    rows = inputs(x)

    def forward(x, truth):
        output = model(x)
        return output, loss_of(output, truth)

    def shown(x):
        return as_shown(model(x))

    if compiled:
        forward, shown = torch.compile(forward), torch.compile(shown)

    def train():
        model.train()
        for _ in range(WORKLOADS[workload].epochs):
            total, right = 0.0, 0.0
            for places in batches(workload, len(rows), draw):
                places = torch.from_numpy(places)
                truth = truths[places]
                output, loss = forward(rows[places], truth)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                total += loss.item()
                if workload in CLASSIFIES:
                    right += (output.argmax(1) == truth).sum().item()
                elif workload == "lstm":
                    right += ((output > 0) == (truth > 0.5)).sum().item()

    def predict(x, size):
        model.eval()
        with torch.inference_mode():
            return np.concatenate([shown(inputs(x[start : start + size])).numpy() for start in range(0, len(x), size)])

    return train, predict


# -- JAX -------------------------------------------------------------------------------------------------------------------------------------


def flax_model(workload):
    from flax import linen as nn

    class Model(nn.Module):
        @nn.compact
        def __call__(self, x, train):
            if workload == "mlp":
                x = nn.relu(nn.Dense(128)(x))
                return nn.Dense(10)(nn.Dropout(0.2, deterministic=not train)(x))
            if workload == "cnn":
                for filters, window in CNN:
                    x = nn.max_pool(nn.relu(nn.Conv(filters, (window, window))(x)), (2, 2), (2, 2))
                x = x.reshape(len(x), -1)
                for units in 1024, 512:
                    x = nn.relu(nn.Dense(units)(x))
                return nn.Dense(10)(x)
            if workload == "lstm":
                x = nn.RNN(nn.OptimizedLSTMCell(128))(nn.Embed(20000, 128)(x))
                return nn.Dense(1)(x[:, -1])
            if workload == "transformer":
                x = nn.Embed(8000, 128)(x)
                for _ in range(2):
                    x = nn.LayerNorm()(x + nn.MultiHeadDotProductAttention(4)(x))
                    x = nn.LayerNorm()(x + nn.Dense(128)(nn.relu(nn.Dense(512)(x))))
                return nn.Dense(2)(x.mean(1))
            return nn.Dense(1)(nn.relu(nn.Dense(16)(x)))

    return Model()


def by_jax(workload, x, y):
    """Flax and Optax, one `jit` a step."""
    import functools

    import jax
    import optax
    from jax import numpy as jnp

    model, draw, optimizer = flax_model(workload), np.random.default_rng(0), optax.adam(1e-3, eps=1e-7)
    state = model.init(jax.random.key(0), jnp.asarray(x[:1]), False)
    held = {"state": (state, optimizer.init(state), jax.random.key(1))}
    as_shown = {"tiny": lambda z: z, "lstm": jax.nn.sigmoid}.get(workload, jax.nn.softmax)

    def loss_of(weights, key, x, y):
        output = model.apply(weights, x, True, rngs={"dropout": key})
        if workload == "tiny":
            return jnp.mean((output - y) ** 2), 0.0
        if workload == "lstm":
            return optax.sigmoid_binary_cross_entropy(output, y).mean(), jnp.sum((output > 0) == (y > 0.5))
        return optax.softmax_cross_entropy_with_integer_labels(output, y).mean(), jnp.sum(output.argmax(-1) == y)

    @functools.partial(jax.jit, donate_argnums=0)
    def step(state, x, y):
        weights, slots, key, total, hits = state
        key, now = jax.random.split(key)
        (loss, right), gradients = jax.value_and_grad(loss_of, has_aux=True)(weights, now, x, y)
        changes, slots = optimizer.update(gradients, slots)
        return optax.apply_updates(weights, changes), slots, key, total + loss, hits + right

    shown = jax.jit(lambda weights, x: as_shown(model.apply(weights, x, False)))

    def train():
        for _ in range(WORKLOADS[workload].epochs):
            state = (*held["state"][:3], jnp.zeros(()), jnp.zeros(()))
            for places in batches(workload, len(x), draw):
                state = step(state, x[places], y[places])
            held["state"] = state
            float(state[3]), float(state[4])

    def predict(x, size):
        outputs = [shown(held["state"][0], x[start : start + size]) for start in range(0, len(x), size)]
        return np.concatenate([np.asarray(output) for output in outputs])

    return train, predict


# -- TensorFlow ------------------------------------------------------------------------------------------------------------------------------


def by_tensorflow(workload, x, y):
    """Variables, operations and Adam's rule, one `tf.function` a step."""
    import tensorflow as tf

    draw, random = np.random.default_rng(0), np.random.default_rng(1)

    def made(*shape):
        limit = np.sqrt(6 / (np.prod(shape[:-1]) + shape[-1]))
        return tf.Variable(random.uniform(-limit, limit, shape).astype("float32")), tf.Variable(tf.zeros(shape[-1]))

    if workload == "cnn":
        channels = (1, *(filters for filters, _ in CNN))
        kernels = [made(window, window, before, filters) for before, (filters, window) in zip(channels, CNN)]
        dense = [made(128, 1024), made(1024, 512), made(512, 10)]
    else:
        kernels, dense = [], [made(784, 128), made(128, 10)] if workload == "mlp" else [made(8, 16), made(16, 1)]
    weights = [weight for pair in kernels + dense for weight in pair]
    slots = [(tf.Variable(tf.zeros_like(weight)), tf.Variable(tf.zeros_like(weight))) for weight in weights]
    count, total, hits = tf.Variable(0.0), tf.Variable(0.0), tf.Variable(0.0)

    def forward(x, train):
        for kernel, bias in kernels:
            x = tf.nn.max_pool2d(tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), bias)), 2, 2, "VALID")
        x = tf.reshape(x, (len(x), -1)) if kernels else x
        for kernel, bias in dense[:-1]:
            x = tf.nn.relu(x @ kernel + bias)
        x = tf.nn.dropout(x, 0.2) if train and workload == "mlp" else x
        return x @ dense[-1][0] + dense[-1][1]

    @tf.function(reduce_retracing=True)
    def step(x, y):
        with tf.GradientTape() as tape:
            output = forward(x, True)
            if workload == "tiny":
                loss, right = tf.reduce_mean((output - y) ** 2), 0.0
            else:
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, output))
                right = tf.reduce_sum(tf.cast(tf.argmax(output, 1, tf.int32) == y, tf.float32))
        count.assign_add(1.0)
        rate = 1e-3 * tf.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        for weight, gradient, (m, v) in zip(weights, tape.gradient(loss, weights), slots):
            m.assign_add((gradient - m) * 0.1)
            v.assign_add((gradient**2 - v) * 0.001)
            weight.assign_sub(rate * m / (tf.sqrt(v) + 1e-7))
        total.assign_add(loss)
        hits.assign_add(right)

    shown = tf.function(lambda x: forward(x, False) if workload == "tiny" else tf.nn.softmax(forward(x, False)), reduce_retracing=True)

    def train():
        for _ in range(WORKLOADS[workload].epochs):
            total.assign(0.0)
            hits.assign(0.0)
            for places in batches(workload, len(x), draw):
                step(tf.constant(x[places]), tf.constant(y[places]))
            total.numpy(), hits.numpy()

    def predict(x, size):
        return np.concatenate([shown(tf.constant(x[start : start + size])).numpy() for start in range(0, len(x), size)])

    return train, predict
