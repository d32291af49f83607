"""The programs of two tutorials (examples/mnist_mlp.py, mnist_cnn.py) on real digits, on each engine, from the same first weights.

One draw of weights, one order of batches and one set of dropout masks serve every engine, so that even the losses of training agree.
"""

import functools
import importlib.util

import numpy as np
import pytest

import cornu as keras
from cornu import backends
from cornu.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D

INSTALLED = [name for name, (module, *_) in backends.BACKENDS.items() if importlib.util.find_spec(module)]
OTHERS = [name for name in INSTALLED if name != "jax"]


@functools.cache
def digits(folder):
    with np.load(folder / "datasets" / "mnist.npz") as file:
        return tuple((file[f"x_{part}"] / np.float32(255), file[f"y_{part}"].astype("int32")) for part in ("train", "test"))


def mlp(rate=0.2):
    """Document 004's: pictures of (28, 28), answers as numbers."""
    model = keras.Sequential([keras.Input((28, 28)), Flatten(), Dense(128, activation="relu"), Dropout(rate), Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def cnn(rate=0.5):
    """Document 003's: four blocks of convolution and pooling, answers as rows of zeros and a one."""
    blocks = [
        part
        for filters, window in ((32, 5), (64, 5), (128, 3), (128, 3))
        for part in (Conv2D(filters, (window, window), activation="relu", padding="same"), MaxPooling2D(pool_size=(2, 2)))
    ]
    head = [Flatten(), Dense(1024, activation="relu"), Dropout(rate), Dense(512, activation="relu"), Dropout(rate), Dense(10, activation="softmax")]
    model = keras.Sequential([keras.Input((28, 28, 1)), *blocks, *head])
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model


def data_of(program, pictures, numbers):
    return (pictures, numbers) if program is mlp else (pictures[..., None], keras.utils.to_categorical(numbers, 10))


def on(engine, function):
    before = backends.name()
    backends.load(engine)
    keras.utils.set_random_seed(7)
    try:
        return function()
    finally:
        backends.load(before)


@functools.cache
def first_losses(engine, program, folder, size):
    """The losses of ten steps, dropout off."""
    (x, y), _ = digits(folder)

    def run():
        model = program(rate=0.0)
        return [model.train_on_batch(*data_of(program, x[i : i + size], y[i : i + size]))[0] for i in range(0, 10 * size, size)]

    return on(engine, run)


@functools.cache
def trained(engine, program, folder, count, epochs, batch_size):
    """The losses of the epochs, and the accuracy on digits that were not trained on."""
    (x, y), (new_x, new_y) = digits(folder)

    def run():
        model = program()
        losses = model.fit(*data_of(program, x[:count], y[:count]), batch_size=batch_size, epochs=epochs, verbose=0).history["loss"]
        return losses, model.evaluate(*data_of(program, new_x[:2000], new_y[:2000]), batch_size=200, verbose=0)[1]

    return on(engine, run)


@pytest.mark.slow
@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize(("program", "size"), [(mlp, 32), (cnn, 16)])
def test_the_first_ten_losses(program, size, engine, shared_data):
    found, wanted = (first_losses(which, program, shared_data, size) for which in (engine, "jax"))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)
    assert wanted[-1] < wanted[0]


@pytest.mark.slow
@pytest.mark.parametrize("engine", INSTALLED)
def test_the_dense_network_learns(engine, shared_data):
    """Two epochs of a third of the digits; the whole program comes to 97.7 % in five epochs of all."""
    losses, accuracy = trained(engine, mlp, shared_data, 20_000, 2, 32)
    assert accuracy > 0.925
    wanted = trained("jax", mlp, shared_data, 20_000, 2, 32)
    np.testing.assert_allclose(losses, wanted[0], rtol=5e-3)
    assert abs(accuracy - wanted[1]) < 0.006


@pytest.mark.slow
@pytest.mark.parametrize("engine", [name for name in INSTALLED if name not in ("numpy", "pytensor")])  # minutes there
def test_the_convolutional_network_learns(engine, shared_data):
    """One epoch of 4,000 digits; the whole program comes to 99.2 % in five epochs of all."""
    losses, accuracy = trained(engine, cnn, shared_data, 4_000, 1, 64)
    assert accuracy > 0.85
    wanted = trained("jax", cnn, shared_data, 4_000, 1, 64)
    np.testing.assert_allclose(losses, wanted[0], rtol=2e-2)
    assert abs(accuracy - wanted[1]) < 0.03
