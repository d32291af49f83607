"""The workloads: data and models, written once for Keras and for ours; what each trains on, and the least that a step must cost.

mlp: 784-128-10 with dropout, 60,000 rows. cnn: four blocks of convolution and pooling 32/64/128/128, dense 1024, 512, 10. lstm: embedding 20,000 x 128,
LSTM 128, one sigmoid, 80 words. transformer: embedding 8,000 x 128, two encoder blocks (4 heads, 512 hidden), mean, two softmax, 128 words. resnet50 and
mobilenet: `applications.ResNet50` and `MobileNetV2` on pictures of 64 and 96 pixels, 10 classes. tiny: 8-16-1 regression, nothing but overhead.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Workload:
    """Rows of a batch, batches of an epoch, epochs of one measured `fit`, pixels of a side where it is an application."""

    batch: int
    steps: int
    epochs: int = 1
    pixels: int = 0
    slow: bool = False  # a step takes half a second and more on some peer

    @property
    def rows(self):
        return self.batch * self.steps


WORKLOADS = {
    "mlp": Workload(32, 1875),
    "cnn": Workload(64, 24),
    "lstm": Workload(32, 40),
    "transformer": Workload(32, 16),
    "resnet50": Workload(32, 4, pixels=64, slow=True),
    "mobilenet": Workload(32, 4, pixels=96, slow=True),
    "tiny": Workload(32, 32, epochs=20),
}
CHECKED = 10  # steps whose losses are compared


def digits(path, part="train"):
    """Real digits of an mnist.npz: pixels from 0 to 1, numbers."""
    with np.load(path) as file:
        return file[f"x_{part}"].astype("float32") / 255, file[f"y_{part}"].astype("int32")


def data(name, mnist=None):
    """Inputs and answers, of at least CHECKED batches."""
    workload, draw = WORKLOADS[name], np.random.default_rng(0)
    rows = max(workload.rows, CHECKED * workload.batch)
    if name == "tiny":
        x = draw.random((1000, 8), "float32")
        return x, x.sum(1, keepdims=True)
    if name == "lstm":
        return draw.integers(0, 20000, (rows, 80), "int32"), draw.integers(0, 2, (rows, 1)).astype("float32")
    if name == "transformer":
        return draw.integers(0, 8000, (rows, 128), "int32"), draw.integers(0, 2, rows, "int32")
    if workload.pixels:
        return draw.random((rows, workload.pixels, workload.pixels, 3), "float32"), draw.integers(0, 10, rows, "int32")
    x, y = digits(mnist) if mnist else (draw.random((60000, 28, 28), "float32"), draw.integers(0, 10, 60000, "int32"))
    x = x.reshape(-1, 784) if name == "mlp" else x[..., None]
    return x[:rows], y[:rows]


def compiled(keras, name, dropout=0.2):
    """The model of a workload, compiled: written against Keras's public interface, for Keras and for ours."""
    layers, pixels = keras.layers, WORKLOADS[name].pixels
    if name == "mlp":
        head = [layers.Dropout(dropout)] if dropout else []
        model = keras.Sequential([keras.Input((784,)), layers.Dense(128, activation="relu"), *head, layers.Dense(10, activation="softmax")])
    elif name == "cnn":
        model = keras.Sequential([keras.Input((28, 28, 1))])
        for filters, window in (32, 5), (64, 5), (128, 3), (128, 3):
            model.add(layers.Conv2D(filters, window, activation="relu", padding="same"))
            model.add(layers.MaxPooling2D(2))
        model.add(layers.Flatten())
        for units in 1024, 512:
            model.add(layers.Dense(units, activation="relu"))
        model.add(layers.Dense(10, activation="softmax"))
    elif name == "lstm":
        model = keras.Sequential([keras.Input((80,)), layers.Embedding(20000, 128), layers.LSTM(128), layers.Dense(1, activation="sigmoid")])
    elif name == "transformer":
        inputs = keras.Input((128,), dtype="int32")
        words = layers.Embedding(8000, 128)(inputs)
        for _ in range(2):
            attended = layers.MultiHeadAttention(4, 32)(words, words)
            words = layers.LayerNormalization()(layers.Add()([words, attended]))
            hidden = layers.Dense(128)(layers.Dense(512, activation="relu")(words))
            words = layers.LayerNormalization()(layers.Add()([words, hidden]))
        model = keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling1D()(words)))
    elif pixels:
        make = keras.applications.ResNet50 if name == "resnet50" else keras.applications.MobileNetV2
        model = make(weights=None, input_shape=(pixels, pixels, 3), classes=10)
    else:
        model = keras.Sequential([keras.Input((8,)), layers.Dense(16, activation="relu"), layers.Dense(1)])
    if name == "tiny":
        model.compile("adam", "mse")
    elif name == "lstm":
        model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    else:
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def floor(name):
    """Operations of a training step, and the bytes that it must move: weights and Adam's two slots in and out, the batch in.

    An operation is one addition or multiplication of float32; a backward pass counts once for the weights and once for the inputs, where they need it.
    """
    import cornu as keras
    from cornu.backends import spec
    from cornu.training import profile

    x, y = data(name)
    model, size = compiled(keras, name), WORKLOADS[name].batch
    inputs = spec.to_specs(x[:size])
    flops = sum(sum(profile.work(call, [(inputs, None)], True)[0]) for call in profile.calls(model, inputs, True))
    return flops, 6 * 4 * sum(weight.size for weight in model.trainable_variables) + x[:size].nbytes + y[:size].nbytes
