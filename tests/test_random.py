"""Random numbers: reproducible, equal on every backend, distributed as they should."""

import numpy as np
import pytest

from cornu import backends, random, scopes
from cornu.shapes import Spec
from cornu.symbolic import KerasTensor

N = 20_000
DRAWS = {
    "uniform": lambda seed: random.uniform((N,), -1, 3, seed=seed),
    "normal": lambda seed: random.normal((N,), 2.0, 3.0, seed=seed),
    "truncated_normal": lambda seed: random.truncated_normal((N,), 0.0, 1.0, seed=seed),
    "randint": lambda seed: random.randint((N,), -3, 5, seed=seed),
    "bernoulli": lambda seed: random.bernoulli((N,), 0.3, "float32", seed=seed),
    "gamma": lambda seed: random.gamma((N,), 2.5, seed=seed),
    "gamma below 1": lambda seed: random.gamma((N,), 0.4, seed=seed),
    "beta": lambda seed: random.beta((N,), 2.0, 3.0, seed=seed),
    "binomial": lambda seed: random.binomial((N,), 12, 0.7, seed=seed),
}
MOMENTS = {  # mean and variance
    "uniform": (1, 16 / 12),
    "normal": (2, 9),
    "truncated_normal": (0, 0.7737),
    "randint": (0.5, 63 / 12),
    "bernoulli": (0.3, 0.21),
    "gamma": (2.5, 2.5),
    "gamma below 1": (0.4, 0.4),
    "beta": (0.4, 0.04),
    "binomial": (8.4, 2.52),
}


@pytest.mark.parametrize("name", DRAWS)
def test_mean_and_variance(backend, name):
    x = np.asarray(backends.numpy(DRAWS[name](5)), "float64")
    mean, variance = MOMENTS[name]
    assert abs(x.mean() - mean) < 4 * np.sqrt(variance / N)
    assert abs(x.var() / variance - 1) < 0.08


@pytest.mark.parametrize("name", DRAWS)
def test_the_same_on_every_backend(name):
    before, found = backends.name(), []
    for which in ("jax", "numpy"):
        backends.load(which)
        found.append(np.asarray(backends.numpy(DRAWS[name](11))))
    backends.load(before)
    np.testing.assert_allclose(*found, rtol=2e-4, atol=1e-5)


def test_bits_are_equal_on_every_backend_and_known():
    before = backends.name()
    for which in ("jax", "numpy"):
        backends.load(which)
        bits = backends.numpy(random.random_bits(np.array([1, 2], "uint32"), (4,)))
        assert bits.tolist() == [4165942761, 2374149138, 1606759357, 1520590019]
    backends.load(before)


def test_a_seed_repeats_and_a_generator_goes_on(backend):
    draw = lambda seed: backends.numpy(random.normal((3,), seed=seed)).tolist()
    assert draw(1) == draw(1) != draw(2)
    generator = random.SeedGenerator(1)
    first, second = draw(generator), draw(generator)
    assert first != second and first == draw(1)
    assert generator.state.numpy().tolist() == [1, 2]
    random.set_global_seed(3)
    one = draw(None)
    random.set_global_seed(3)
    assert one == draw(None) != draw(None)


def test_keys_are_no_shifted_copies():
    backends.load("numpy")
    streams = [backends.numpy(random.random_bits(np.array(key, "uint32"), (4096,))) for key in ((1, 0), (1, 1), (2, 0), (0, 1), (0x9E3779BA, 0))]
    seen = np.concatenate(streams)
    assert len(np.unique(seen)) > len(seen) - 5  # a shifted copy would share nearly all


def test_a_generator_stays_while_shapes_are_inferred(backend):
    generator = random.SeedGenerator(4)
    with scopes.SymbolicScope():
        assert random.normal((2, 3), seed=generator).shape == (2, 3)
    assert random.dropout(KerasTensor((None, 3)), 0.5, seed=generator).shape == (None, 3)
    assert generator.state.numpy().tolist() == [4, 0]


def test_dropout(backend):
    x = np.ones((100, 100), "float32")
    out = backends.numpy(random.dropout(x, 0.25, seed=1))
    assert np.allclose(np.unique(out), [0, 4 / 3])
    assert abs(out.mean() - 1) < 0.02
    rows = backends.numpy(random.dropout(x, 0.5, noise_shape=(None, 1), seed=1))
    assert np.all(rows == rows[:, :1])
    assert np.array_equal(backends.numpy(random.dropout(x, 0, seed=1)), x)
    with pytest.raises(ValueError, match="rate"):
        random.dropout(x, 1.0)


def test_shuffle_and_categorical(backend):
    order = backends.numpy(random.shuffle(np.arange(50), seed=2))
    assert sorted(order.tolist()) == list(range(50)) and order.tolist() != list(range(50))
    picks = backends.numpy(random.categorical(np.log(np.array([[0.1, 0.2, 0.7]], "float32")), N, seed=2))[0]
    assert np.abs(np.bincount(picks) / N - [0.1, 0.2, 0.7]).max() < 0.015


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_uniform_stays_below_its_end(backend, dtype):
    x = np.asarray(backends.numpy(random.uniform((N,), dtype=dtype, seed=1)), "float32")
    assert x.min() >= 0 and x.max() < 1


def test_specs_and_errors():
    assert random.categorical(Spec((None, 5)), 3).shape == (None, 3)
    assert random.shuffle(Spec((None, 5))).shape == (None, 5)
    with pytest.raises(ValueError, match="integer type"):
        random.randint((2,), 0, 3, dtype="float32")
    with pytest.raises(ValueError, match="float type"):
        random.uniform((2,), dtype="int32")
    with pytest.raises(ValueError, match="seed"):
        random.SeedGenerator(-1)


def test_config_round_trip():
    assert random.SeedGenerator.from_config(random.SeedGenerator(5).get_config()).seed == 5
