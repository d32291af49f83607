"""A training loop written by hand, of pure functions: stateless calls of a model, an optimizer and a metric under `jax.jit`.

python examples/custom_loop.py [EPOCHS]     default: 10
"""

import sys

import jax
import numpy as np

import cornu as keras
from cornu import layers


def digits():
    (x_train, y_train), (x_test, y_test) = keras.datasets.digits.load_data()
    return (x_train.reshape(-1, 64) / 16.0, y_train), (x_test.reshape(-1, 64) / 16.0, y_test)


def train(epochs=10, verbose=2, size=32):
    """The accuracy on new digits."""
    keras.utils.set_random_seed(0)
    (x_train, y_train), (x_test, y_test) = digits()
    model = keras.Sequential([keras.Input((64,)), layers.Dense(64, "relu"), layers.BatchNormalization(), layers.Dropout(0.2), layers.Dense(10)])
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer, accuracy = keras.optimizers.Adam(3e-3), keras.metrics.SparseCategoricalAccuracy()
    optimizer.build(model.trainable_variables)

    def loss_and_updates(trainable, non_trainable, x, y):
        y_pred, non_trainable = model.stateless_call(trainable, non_trainable, x, training=True)
        return loss_of(y, y_pred), (y_pred, non_trainable)

    @jax.jit
    def step(state, x, y):
        trainable, non_trainable, slots, counts = state
        (_, (y_pred, non_trainable)), gradients = jax.value_and_grad(loss_and_updates, has_aux=True)(trainable, non_trainable, x, y)
        trainable, slots = optimizer.stateless_apply(slots, gradients, trainable)
        return trainable, non_trainable, slots, accuracy.stateless_update_state(counts, y, y_pred)

    groups = (model.trainable_variables, model.non_trainable_variables, optimizer.variables, accuracy.variables)
    state = tuple([variable.value for variable in group] for group in groups)
    for epoch in range(epochs):
        order = np.random.default_rng(epoch).permutation(len(x_train))
        for start in range(0, len(order) - size + 1, size):
            rows = order[start : start + size]
            state = step(state, x_train[rows], y_train[rows])
        if verbose:
            print(f"epoch {epoch + 1}: accuracy {float(accuracy.stateless_result(state[3])):.3f}")
        state = (*state[:3], [np.zeros_like(count) for count in state[3]])

    for group, values in zip(groups, state):  # the model takes what the loop found
        for variable, value in zip(group, values):
            variable.assign(value)
    return float(np.mean(model.predict(x_test, verbose=0).argmax(1) == y_test))


if __name__ == "__main__":
    print(f"{train(*map(int, sys.argv[1:2])):.1%} of the test digits are right")
