"""In a program of JAX a rule is traced once for all weights of one size, and once for those of one shape where the shape may matter."""

import numpy as np
import pytest

import cornu as keras
from cornu import backends, optimizers


@pytest.fixture(autouse=True)
def on_jax():
    backends.load("jax")


def trained(optimizer):
    """Weights after two steps; shapes (6, 4), (4, 6) and (4,), (6,), each several times."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6,)), *(keras.layers.Dense(4 + 2 * (i % 2), activation="tanh") for i in range(6))])
    model.compile(optimizer, "mse")
    draw = np.random.default_rng(0)
    x, y = draw.random((16, 6), "float32"), draw.random((16, 6), "float32")
    for _ in range(2):
        model.train_on_batch(x, y)
    return model.get_weights()


def counted(monkeypatch, cls):
    shapes, own = [], cls.update

    def update(self, weight, *others, **rest):
        shapes.append(tuple(weight.shape))
        return own(self, weight, *others, **rest)

    monkeypatch.setattr(cls, "update", update)
    return shapes


def test_once_a_size(monkeypatch):
    wanted = trained(optimizers.Adam(0.1))
    shapes = counted(monkeypatch, optimizers.Adam)
    found = trained(optimizers.Adam(0.1))
    assert sorted(set(shapes)) == [(4,), (6,), (24,)] and len(shapes) <= 2 * 3  # a first batch may run by itself before the program is made
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(a, b)


def test_once_a_shape_where_it_may_matter():
    """A user's rule that looks at the shape sees it, and gives what it gives step by step."""

    class ByRow(optimizers.SGD):
        def update(self, weight, gradient, *slots, rate, step):
            seen.append(tuple(weight.shape))
            return (weight - rate * gradient / (1 + len(weight.shape)), *slots)

    seen = []
    compiled = trained(ByRow(0.1))
    assert {(6, 4), (4, 6), (4,), (6,)} == set(seen) and len(seen) <= 2 * 4
    wanted = [np.asarray(w) for w in compiled]
    backends.load("numpy")
    for a, b in zip(trained(ByRow(0.1)), wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_numbers_of_python_take_no_part_in_promotion():
    """Weights in half precision stay so with rates that are Python's numbers and with schedules."""
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4, dtype="float16")])
    model.compile(optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 10, 0.5), momentum=0.9), "mse")
    model.train_on_batch(np.ones((2, 6), "float16"), np.ones((2, 4), "float16"))
    assert {weight.dtype for weight in model.weights} == {"float16"}
