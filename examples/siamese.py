"""A siamese network: one encoder, used twice, learns which pairs of handwritten digits show the same digit.

python examples/siamese.py [EPOCHS]     default: 15
"""

import sys

import numpy as np

import cornu as keras
from cornu import layers, ops


class ContrastiveLoss(layers.Layer):
    """Adds the contrastive loss of two codes: those of one digit shall lie together, others at least `margin` apart.

    Source: Hadsell, Chopra and LeCun, "Dimensionality Reduction by Learning an Invariant Mapping", 2006.
    """

    def __init__(self, margin=1.0, **kwargs):
        super().__init__(**kwargs)
        self.margin = margin

    def call(self, first, second, same):
        distance = ops.sqrt(ops.sum(ops.square(first - second), axis=1) + 1e-12)
        apart = ops.square(ops.maximum(self.margin - distance, 0))
        self.add_loss(ops.mean(same * ops.square(distance) + (1 - same) * apart))
        return distance


def digits():
    (x_train, y_train), (x_test, y_test) = keras.datasets.digits.load_data()
    return (x_train[..., None] / 16.0, y_train), (x_test[..., None] / 16.0, y_test)


def pairs(x, y, count, seed=0):
    """`count` pairs of pictures, half of them of one digit."""
    random = np.random.default_rng(seed)
    first, second = random.integers(0, len(x), (2, count))
    for i in range(0, count, 2):
        second[i] = random.choice(np.flatnonzero(y == y[first[i]]))
    return {"first": x[first], "second": x[second], "same": (y[first] == y[second]).astype("float32")}


def network():
    encoder = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(16, 3, activation="relu"), layers.Flatten(), layers.Dense(64, "relu"), layers.Dense(8)], name="encoder"
    )
    inputs = {"first": keras.Input((8, 8, 1), name="first"), "second": keras.Input((8, 8, 1), name="second"), "same": keras.Input((), name="same")}
    distance = ContrastiveLoss()(encoder(inputs["first"]), encoder(inputs["second"]), inputs["same"])
    return keras.Model(inputs, distance), encoder


def train(epochs=15, verbose=2):
    """The fraction of new pairs that the distance of their codes judges rightly, and the encoder."""
    keras.utils.set_random_seed(0)
    (x_train, y_train), (x_test, y_test) = digits()
    model, encoder = network()
    model.compile("adam")  # the loss is the layer's own
    model.fit(pairs(x_train, y_train, 8000), epochs=epochs, batch_size=64, verbose=verbose)
    new = pairs(x_test, y_test, 1000, seed=1)
    near = model.predict(new, verbose=0) < 0.5
    return float(np.mean(near == (new["same"] > 0))), encoder


if __name__ == "__main__":
    accuracy, _ = train(*map(int, sys.argv[1:2]))
    print(f"{accuracy:.1%} of new pairs are judged rightly")
