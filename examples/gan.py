"""A generative adversarial network with a training step of its own: it learns to draw points on a ring.

python examples/gan.py [EPOCHS]     default: 60
"""

import sys

import jax
import numpy as np

import cornu as keras
from cornu import layers, ops

NOISE = 8  # random numbers that a point is made from


class GAN(keras.Model):
    """A generator that draws points, and a discriminator that tells them from real ones; each learns from the other."""

    def __init__(self):
        super().__init__()
        self.generator = keras.Sequential([keras.Input((NOISE,)), layers.Dense(64, "relu"), layers.Dense(64, "relu"), layers.Dense(2)])
        self.discriminator = keras.Sequential([keras.Input((2,)), layers.Dense(64, "leaky_relu"), layers.Dense(64, "leaky_relu"), layers.Dense(1)])
        self.seed = keras.random.SeedGenerator(0)
        self.distance = keras.metrics.Mean(name="distance")  # of drawn points from the circle
        self.built = True

    def call(self, noise):
        return self.generator(noise)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The losses of both networks in one sum: no gradient of the one reaches the weights of the other."""
        crossentropy = keras.losses.BinaryCrossentropy(from_logits=True)
        drawn = self.generator(keras.random.normal((ops.shape(x)[0], NOISE), seed=self.seed))
        self.distance.update_state(ops.absolute(ops.norm(drawn, axis=1) - 2.0))
        real, fake = self.discriminator(x), self.discriminator(ops.stop_gradient(drawn))
        fixed = [ops.stop_gradient(weight) for weight in self.discriminator.trainable_variables]
        judged, _ = self.discriminator.stateless_call(fixed, [], drawn)
        told_apart = crossentropy(ops.ones_like(real), real) + crossentropy(ops.zeros_like(fake), fake)
        return told_apart + crossentropy(ops.ones_like(judged), judged)

    def train_step(self, state, data):
        """One step in the stateless form: from the values of all variables and a batch to logs and new values."""
        trainable, non_trainable, optimizer, metrics = state
        loss_of = lambda values: self.stateless_compute_loss(values, non_trainable, metrics, x=data)
        (loss, (_, non_trainable, metrics)), gradients = jax.value_and_grad(loss_of, has_aux=True)(trainable)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        with keras.StatelessScope(zip(self.metrics_variables, metrics)):
            logs = {"loss": loss, "distance": self.distance.result()}
        return logs, (trainable, non_trainable, optimizer, metrics)


def ring(count, seed=0):
    """Points near a circle of radius 2."""
    random = np.random.default_rng(seed)
    angle, radius = random.uniform(0, 2 * np.pi, count), random.normal(2, 0.05, count)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).astype("float32")


def train(epochs=60, verbose=2):
    """A trained GAN and points that it draws."""
    keras.utils.set_random_seed(0)
    model = GAN()
    model.compile(keras.optimizers.Adam(1e-3, beta_1=0.5))
    model.fit(ring(4096), epochs=epochs, batch_size=128, verbose=verbose)
    return model, model.predict(np.random.default_rng(1).normal(size=(1000, NOISE)), verbose=0)


if __name__ == "__main__":
    _, points = train(*map(int, sys.argv[1:2]))
    radii = np.linalg.norm(points, axis=1)
    print(f"drawn points: radius {radii.mean():.2f} +- {radii.std():.2f} (real ones 2.00 +- 0.05)")
