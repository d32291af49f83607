"""A variational autoencoder of handwritten digits: a code of four numbers for each picture, and new pictures from codes.

Source: Kingma and Welling, "Auto-Encoding Variational Bayes", 2013.

    python examples/autoencoder.py [EPOCHS]     default: 30
"""

import sys

import numpy as np

import cornu as keras
from cornu import layers, ops

CODE = 4


class Sampling(layers.Layer):
    """A code drawn from the normal distribution that the encoder gives; adds that distribution's distance from the standard one to the loss."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed = keras.random.SeedGenerator(0)

    def call(self, mean, log_variance, training=False):
        divergence = -0.5 * ops.sum(1 + log_variance - ops.square(mean) - ops.exp(log_variance), axis=1)
        self.add_loss(ops.mean(divergence))
        if not training:
            return mean
        return mean + ops.exp(0.5 * log_variance) * keras.random.normal(ops.shape(mean), seed=self.seed)


def pictures():
    (x_train, _), (x_test, _) = keras.datasets.digits.load_data()
    return x_train.reshape(-1, 64) / 16.0, x_test.reshape(-1, 64) / 16.0


def network():
    given = keras.Input((64,))
    h = layers.Dense(128, "relu")(given)
    code = Sampling()(layers.Dense(CODE, name="mean")(h), layers.Dense(CODE, name="log_variance")(h))
    decoder = keras.Sequential([keras.Input((CODE,)), layers.Dense(128, "relu"), layers.Dense(64, "sigmoid")], name="decoder")
    return keras.Model(given, decoder(code)), decoder


def crossentropy(y_true, y_pred):
    """Nats for a picture, the sum over its pixels."""
    return ops.sum(ops.binary_crossentropy(y_true, y_pred), axis=-1)


def train(epochs=30, verbose=2):
    """The loss on new pictures (nats), and the decoder."""
    keras.utils.set_random_seed(0)
    x_train, x_test = pictures()
    model, decoder = network()
    model.compile("adam", crossentropy)
    model.fit(x_train, x_train, epochs=epochs, batch_size=32, validation_data=(x_test, x_test), verbose=verbose)
    return model.evaluate(x_test, x_test, verbose=0), decoder


if __name__ == "__main__":
    loss, decoder = train(*map(int, sys.argv[1:2]))
    print(f"loss on new pictures: {loss:.2f} nats")
    for row in decoder.predict(np.zeros((1, CODE)), verbose=0).reshape(8, 8):
        print("".join(" .:-=+*#%@"[int(9 * value)] * 2 for value in row))
