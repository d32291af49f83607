"""Initializers: shapes, moments, repeatability, equal values on each backend, configs, names, errors."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cornu import backends, initializers
from cornu.random import SeedGenerator
from tests import oracle

RANDOM = ["RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal"]
RANDOM += ["LecunUniform"]
CLASSES = [*RANDOM, "Orthogonal", "Constant", "Zeros", "Ones", "Identity"]


@pytest.mark.parametrize("name", CLASSES)
@settings(max_examples=15, deadline=None)
@given(shape=st.lists(st.integers(0, 5), min_size=0, max_size=4), dtype=st.sampled_from(["float16", "bfloat16", "float32", "float64"]))
def test_shape_and_type(name, shape, dtype):
    shape = [3, 4] if name == "Identity" else [*shape, 2, 3] if name == "Orthogonal" else shape
    values = getattr(initializers, name)().draw(tuple(shape), dtype)
    assert values.shape == tuple(shape) and values.dtype.name == dtype
    assert np.isfinite(values.astype("float64")).all()


@pytest.mark.parametrize("name", [*RANDOM, "Orthogonal"])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**40))
def test_a_seed_gives_the_same_values_at_every_call(name, seed):
    initializer = getattr(initializers, name)(seed=seed)
    first = initializer.draw((4, 3))
    np.testing.assert_array_equal(first, initializer.draw((4, 3)))
    np.testing.assert_array_equal(first, initializer.clone().draw((4, 3)))
    assert not np.array_equal(first, getattr(initializers, name)(seed=seed + 1).draw((4, 3)))


@pytest.mark.parametrize("name", CLASSES)
def test_backends_give_the_same_values(name):
    initializer = getattr(initializers, name)(**({"seed": 3} if name in (*RANDOM, "Orthogonal") else {}))
    found = []
    before = backends.name()
    for which in ("jax", "numpy"):
        backend = backends.load(which)
        values = initializer((3, 4), dtype="float32")
        assert isinstance(values, backend.ARRAY)
        found.append(backends.numpy(values))
    backends.load(before)
    np.testing.assert_array_equal(*found)


def test_without_a_seed_python_s_generator_decides():
    random.seed(5)
    first = initializers.GlorotUniform().draw((2, 3))
    assert not np.array_equal(first, initializers.GlorotUniform().draw((2, 3)))
    random.seed(5)
    np.testing.assert_array_equal(first, initializers.GlorotUniform().draw((2, 3)))
    assert initializers.GlorotUniform().get_config()["seed"] is None


def test_a_seed_generator_gives_other_values_at_each_call(backend):
    initializer = initializers.RandomNormal(seed=SeedGenerator(4))
    first = initializer.draw((3,))
    assert not np.array_equal(first, initializer.draw((3,)))
    again = initializers.get(initializers.serialize(initializer))
    np.testing.assert_array_equal(first, again.draw((3,)))


FANS = [
    ((200, 300), {}, 200, 300),
    ((40000,), {}, 40000, 40000),
    ((3, 3, 50, 60), {}, 450, 540),
    ((20, 30, 40), {"input_axes": [0, 1], "output_axes": [2]}, 600, 40),
    ((20, 30, 40), {"input_axes": [0], "output_axes": [1, 2]}, 20, 1200),
    ((20, 30, 40, 5), {"input_axes": [0], "output_axes": [2]}, 20, 40),
    ((), {}, 1, 1),
]


@pytest.mark.parametrize("shape, axes, inputs, outputs", FANS)
def test_fans(shape, axes, inputs, outputs):
    assert initializers.compute_fans(shape, **axes) == (inputs, outputs)


@pytest.mark.parametrize("distribution", ["truncated_normal", "untruncated_normal", "uniform"])
@pytest.mark.parametrize("mode, count", [("fan_in", 450), ("fan_out", 540), ("fan_avg", 495)])
@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_variance(distribution, mode, count, scale):
    values = initializers.VarianceScaling(scale, mode, distribution, seed=1).draw((3, 3, 50, 60), "float64")
    assert values.var() == pytest.approx(scale / count, rel=0.03)
    assert abs(values.mean()) < 4 * np.sqrt(scale / count / values.size)
    if distribution == "uniform":
        assert abs(values).max() <= np.sqrt(3 * scale / count)
    if distribution == "truncated_normal":
        assert abs(values).max() <= 2 * np.sqrt(scale / count) / 0.87962566


SETTLED = [("Glorot", "fan_avg", 1.0), ("He", "fan_in", 2.0), ("Lecun", "fan_in", 1.0)]


@pytest.mark.parametrize("name, mode, scale", SETTLED)
@pytest.mark.parametrize("end, distribution", [("Normal", "truncated_normal"), ("Uniform", "uniform")])
def test_named_kinds_of_variance_scaling(name, mode, scale, end, distribution):
    values = getattr(initializers, name + end)(seed=9).draw((5, 7))
    np.testing.assert_array_equal(values, initializers.VarianceScaling(scale, mode, distribution, seed=9).draw((5, 7)))


@settings(max_examples=10, deadline=None)
@given(st.floats(-3, 3), st.floats(0.01, 3), st.integers(0, 10**6))
def test_moments(mean, stddev, seed):
    normal = initializers.RandomNormal(mean, stddev, seed).draw((100, 100), "float64")
    assert normal.mean() == pytest.approx(mean, abs=0.05 * stddev) and normal.std() == pytest.approx(stddev, rel=0.04)
    cut = initializers.TruncatedNormal(mean, stddev, seed).draw((100, 100), "float64")
    assert abs(cut - mean).max() <= 2 * stddev * (1 + 1e-12) and cut.std() == pytest.approx(0.87963 * stddev, rel=0.04)
    uniform = initializers.RandomUniform(mean, mean + stddev, seed).draw((100, 100), "float64")
    assert mean <= uniform.min() and uniform.max() <= mean + stddev and uniform.mean() == pytest.approx(mean + stddev / 2, abs=0.02 * stddev)


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (2, 3, 5), (3, 3, 2, 4)])
def test_orthogonal(shape):
    matrix = initializers.Orthogonal(gain=2.0, seed=1).draw(shape, "float64").reshape(-1, shape[-1]) / 2
    small = matrix @ matrix.T if len(matrix) < shape[-1] else matrix.T @ matrix
    np.testing.assert_allclose(small, np.eye(len(small)), atol=1e-12)


def test_orthogonal_matrices_lean_nowhere():
    first = [initializers.Orthogonal(seed=seed).draw((3, 3))[0, 0] for seed in range(400)]
    assert abs(np.mean(first)) < 0.1  # without the signs of R every one of them is negative


def test_fixed_values():
    np.testing.assert_array_equal(initializers.Identity(2.0).draw((2, 3)), [[2, 0, 0], [0, 2, 0]])
    np.testing.assert_array_equal(initializers.Constant([1.0, 2.0]).draw((3, 2)), [[1, 2]] * 3)
    np.testing.assert_array_equal(initializers.get(np.array([[1.0, 2.0]])).draw((3, 2)), [[1, 2]] * 3)
    assert initializers.Zeros().draw((2,), "int32").dtype == np.int32 and initializers.Ones().draw((2,), bool).all()


@pytest.mark.parametrize("window", ["hann", "hamming", "blackman", "bartlett", None])
def test_stft(window):
    cases = [(side, window, scaling, periodic) for side in ("real", "imag") for scaling in ("density", "spectrum", None) for periodic in (False, True)]
    code = "out['values'] = [np.array(keras.initializers.STFT(*case)((6, 1, 5))) for case in cases]"
    for case, value in zip(cases, oracle.run(code, cases=cases)["values"]):
        np.testing.assert_allclose(initializers.STFT(*case).draw((6, 1, 5)), value, atol=2e-6)


NAMES = ["zeros", "Zeros", "glorot_uniform", "GlorotUniform", "orthogonal", "OrthogonalInitializer", "IdentityInitializer", "normal", "uniform", "one", "zero"]


@pytest.mark.parametrize("name", [*NAMES, "lecun_normal", "truncated_normal", "variance_scaling", "STFTInitializer"])
def test_names(name):
    assert isinstance(initializers.get(name), initializers.Initializer)


@pytest.mark.parametrize("name", CLASSES)
def test_config(name):
    initializer = getattr(initializers, name)(**({"seed": 3} if name in (*RANDOM, "Orthogonal") else {}))
    again = initializers.deserialize(initializers.serialize(initializer))
    assert type(again) is type(initializer) and again.get_config() == initializer.get_config()
    np.testing.assert_array_equal(again.draw((3, 3)), initializer.draw((3, 3)))
    theirs = oracle.run("out['config'] = keras.initializers.serialize(keras.initializers.deserialize(config))", config=initializers.serialize(initializer))
    assert theirs["config"]["config"].items() <= {**initializer.get_config(), "gain": 1.0}.items() if name == "Identity" else True
    if name != "Identity":
        assert theirs["config"] == initializers.serialize(initializer)


def test_other_identifiers():
    assert initializers.get(None) is None
    assert isinstance(initializers.get(initializers.HeNormal), initializers.HeNormal)
    assert initializers.get(np.zeros) is np.zeros
    assert isinstance(initializers.get({"class_name": "RandomNormal", "config": {"mean": 1.0, "stddev": 2.0, "seed": None}}), initializers.RandomNormal)


class Halves(initializers.Initializer):
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, shape, dtype=None):
        return np.full(shape, self.factor / 2, dtype)

    def get_config(self):
        return {"factor": self.factor}


def test_a_user_s_initializer():
    assert Halves(3).clone().draw((2,), "float32").tolist() == [1.5, 1.5]


ERRORS = [
    (lambda: initializers.get("glorot_unifrom"), "Did you mean 'glorot_uniform'"),
    (lambda: initializers.get(5), "got int"),
    (lambda: initializers.VarianceScaling(scale=-1), "scale must be above 0"),
    (lambda: initializers.HeNormal(input_axes=[0]), "go together"),
    (lambda: initializers.VarianceScaling(mode="in"), "fan_in, fan_out"),
    (lambda: initializers.VarianceScaling(distribution="flat"), "uniform; got 'flat'"),
    (lambda: initializers.Identity().draw((2, 3, 4)), "2 axes"),
    (lambda: initializers.Orthogonal().draw((3,)), "2 axes or more"),
    (lambda: initializers.RandomNormal().draw((2,), "int32"), "draws floats"),
    (lambda: initializers.RandomNormal(seed="a"), "seed must be"),
    (lambda: initializers.STFT(side="left"), "real, imag"),
    (lambda: initializers.STFT().draw((4, 2, 3)), "(frame, 1, bins)"),
]


@pytest.mark.parametrize("mistake, message", ERRORS)
def test_errors(mistake, message):
    with pytest.raises(ValueError, match=".*" + message.replace("(", r"\(").replace(")", r"\)")):
        mistake()
