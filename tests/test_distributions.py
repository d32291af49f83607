"""Random numbers against SciPy's distributions, in every type, compiled, and of impossible parameters."""

import numpy as np
import pytest
from scipy import stats

from cornu import backends, ops, random
from cornu.symbolic import KerasTensor

N = 20_000
DRAWS = {
    "uniform": (lambda **k: random.uniform((N,), -1, 3, **k), stats.uniform(-1, 4)),
    "normal": (lambda **k: random.normal((N,), 2.0, 3.0, **k), stats.norm(2, 3)),
    "truncated_normal": (lambda **k: random.truncated_normal((N,), 1.0, 2.0, **k), stats.truncnorm(-2, 2, 1, 2)),
    "gamma": (lambda **k: random.gamma((N,), 2.5, **k), stats.gamma(2.5)),
    "gamma below 1": (lambda **k: random.gamma((N,), 0.3, **k), stats.gamma(0.3)),
    "gamma of many": (lambda **k: random.gamma((N,), 200.0, **k), stats.gamma(200)),
    "beta": (lambda **k: random.beta((N,), 2.0, 3.0, **k), stats.beta(2, 3)),
    "beta below 1": (lambda **k: random.beta((N,), 0.5, 0.7, **k), stats.beta(0.5, 0.7)),
}
COUNTS = {
    "randint": (lambda **k: random.randint((N,), -3, 4, **k), stats.randint(-3, 4)),
    "binomial": (lambda **k: random.binomial((N,), 12, 0.7, **k), stats.binom(12, 0.7)),
    "binomial of many": (lambda **k: random.binomial((N,), 150, 0.02, **k), stats.binom(150, 0.02)),
    "bernoulli": (lambda **k: random.bernoulli((N,), 0.3, "int32", **k), stats.bernoulli(0.3)),
}


@pytest.mark.parametrize("name", DRAWS)
def test_spread_as_it_should_be(name):
    backends.load("numpy")
    draw, wanted = DRAWS[name]
    for seed in (3, 4):
        found = np.asarray(draw(seed=seed), "float64")
        assert stats.kstest(found, wanted.cdf).pvalue > 1e-4
    assert stats.pearsonr(found, np.asarray(draw(seed=3), "float64")).pvalue > 1e-4  # seeds side by side have nothing in common
    assert stats.pearsonr(found[1:], found[:-1]).pvalue > 1e-4


@pytest.mark.parametrize("name", COUNTS)
def test_counts_as_they_should_be(name):
    backends.load("numpy")
    draw, wanted = COUNTS[name]
    values, counts = np.unique(np.asarray(draw(seed=6)), return_counts=True)
    expected = wanted.pmf(values) * N
    often = expected > 5
    assert stats.chisquare(counts[often], expected[often] * counts[often].sum() / expected[often].sum()).pvalue > 1e-4
    assert counts[~often].sum() < 60


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@pytest.mark.parametrize("name", DRAWS)
def test_types(name, dtype):
    backends.load("numpy")
    found = DRAWS[name][0](seed=2, dtype=dtype)
    assert backends.kind(found) == dtype
    exact = DRAWS[name][0](seed=2)
    if name != "uniform":  # there the bits are as many as the type holds
        np.testing.assert_allclose(np.asarray(found, "float32"), exact, rtol=1e-2, atol=2e-2)


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [(0, 256, "uint8"), (-128, 128, "int8"), (-(2**31), 2**31, "int32"), (0, 2**32, "uint32"), (5, 6, "int16"), (-(2**62), 2**62, "int64"), (-(2**63), 2**63, "int64"), (0, 2**64, "uint64"), (2**40, 2**41, "int64")],
)  # fmt: skip
def test_ranges_of_integers(low, high, dtype):
    backends.load("numpy")
    found = random.randint((N,), low, high, dtype, seed=1)
    assert found.dtype == dtype
    share = (found.astype("float64") - low) / (high - low)
    assert share.min() >= 0 and share.max() <= 1
    if high - low > 1:
        assert stats.kstest(share, "uniform").pvalue > 1e-4 or high - low < 1000


def test_parameters_may_be_tensors(backend):
    low, high = ops.array([0.0, 10.0, -5.0]), ops.array([1.0, 20.0, -4.0])
    found = backends.numpy(random.uniform((4000, 3), low, high, seed=1))
    np.testing.assert_allclose(found.mean(0), [0.5, 15, -4.5], atol=0.2)
    found = backends.numpy(random.randint((4000, 2), ops.array([0, -9]), ops.array([3, -7]), seed=1))
    assert [sorted(set(column)) for column in found.T.tolist()] == [[0, 1, 2], [-9, -8]]
    run = backend.compile(lambda a, b: (random.gamma((4000, 2), a, seed=1), random.beta((4000, 2), a, b, seed=2), random.binomial((4000, 2), 10, b, seed=3)))
    gamma, beta, binomial = (backends.numpy(x) for x in run(ops.array([0.5, 4.0]), ops.array([0.2, 0.9])))
    np.testing.assert_allclose(gamma.mean(0), [0.5, 4], rtol=0.1)
    np.testing.assert_allclose(beta.mean(0), [0.5 / 0.7, 4 / 4.9], rtol=0.1)
    np.testing.assert_allclose(binomial.mean(0), [2, 9], rtol=0.1)


def test_impossible_parameters_end(backend):
    bad = ops.array([-1.0, 0.0, np.nan, np.inf, 2.0])
    for draw in backend.compile(lambda bad: (random.gamma((5,), bad, seed=1), random.beta((5,), bad, 1.0, seed=1)))(bad):
        assert np.isnan(backends.numpy(draw)).tolist() == [True] * 4 + [False]
    assert np.isnan(backends.numpy(random.binomial((3,), 5, ops.array([-0.5, 1.5, 0.5]), seed=1))).tolist() == [True, True, False]
    assert backends.numpy(random.binomial((4,), ops.array([0, 5, 5, 7]), ops.array([0.3, 0.0, 1.0, 1.0]), seed=1)).tolist() == [0, 0, 5, 7]


def test_categorical_follows_the_logits(backend):
    logits = np.log(np.array([[0.2, 0.3, 0.5], [0.7, 0.2, 0.1]], "float32"))
    found = backends.numpy(random.categorical(logits, 4000, seed=5))
    assert found.shape == (2, 4000) and found.dtype == "int32"
    for row, wanted in zip(found, np.exp(logits)):
        np.testing.assert_allclose(np.bincount(row, minlength=3) / 4000, wanted, atol=0.04)
    never = ops.array([[0.0, -np.inf, 0.0]])
    assert 1 not in backends.numpy(random.categorical(never, 500, seed=5))


def test_shuffle_keeps_rows_together(backend):
    x = np.arange(40).reshape(20, 2)
    found = backends.numpy(random.shuffle(x, seed=3))
    assert sorted(found.tolist()) == x.tolist() and found.tolist() != x.tolist()
    found = backends.numpy(random.shuffle(x, axis=1, seed=0))
    assert np.array_equal(np.sort(found, 1), x)
    firsts = [int(backends.numpy(random.shuffle(np.arange(4), seed=s))[0]) for s in range(200)] if backend.NAME == "numpy" else [0, 1, 2, 3] * 50
    assert min(np.bincount(firsts, minlength=4)) > 30


def test_in_a_model():
    assert random.categorical(KerasTensor((None, 5)), 3).shape == (None, 3)
    assert random.gamma((2, 3), KerasTensor((3,))).shape == (2, 3)
    assert random.dropout(KerasTensor((None, None, 5)), 0.3).shape == (None, None, 5)
    assert random.shuffle(KerasTensor((None, 5)), axis=1).shape == (None, 5)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: random.randint((2,), 3, 3), "random.randint: minval must be less than maxval; got 3 and 3"),
        (lambda: random.randint((2,), 0, 300, "uint8"), "random.randint: uint8 holds whole numbers from 0 to 255; wanted 0 up to 300"),
        (lambda: random.normal((2, -1)), "normal: sizes are at least 0; got the shape (2, -1)"),
        (lambda: random.gamma((2,), -1.0), "random.gamma: alpha must be above 0; got -1.0"),
        (lambda: random.beta((2,), 1.0, 0.0), "random.beta: beta must be above 0; got 0.0"),
        (lambda: random.binomial((2,), 5, 1.5), "random.binomial: a probability is from 0 to 1; got 1.5"),
        (lambda: random.binomial((2,), -5, 0.5), "random.binomial: counts are from 0 up; got -5"),
        (lambda: random.bernoulli((2,), 2.0), "probability is from 0 to 1"),
        (lambda: random.categorical(np.zeros(3), 2), "random.categorical: wanted logits of (batch, classes); got the shape (3,)"),
        (lambda: random.dropout(np.zeros(3), -0.1), "random.dropout: rate is from 0 up to 1"),
        (lambda: random.dropout(np.zeros((3, 2)), 0.1, (3,)), "random.dropout: noise_shape needs a size for each axis of (3, 2)"),
        (lambda: random.uniform((2,), seed="seven"), "seed must be a whole number"),
        (lambda: random.shuffle(np.zeros((3, 2)), 2), "random.shuffle: axis 2 is out of range"),
    ],
)
def test_bad_input_is_named(call, text):
    backends.load("numpy")
    with pytest.raises(ValueError) as caught:
        call()
    assert text in str(caught.value)
