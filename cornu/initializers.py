"""First values of weights, drawn on the host from the seed alone, so that they are the same on every backend.

kernel = cornu.initializers.HeNormal(seed=1)((3, 3, 16, 32))
"""

import math
import random

import numpy as np

from cornu import backends, dtypes, fields, registry, serialization, shapes
from cornu.fields import Configured


class Initializer(Configured):
    """Gives a tensor of a shape and a type. A subclass defines `__call__(shape, dtype=None)`."""

    def __call__(self, shape, dtype=None, **kwargs):
        return backends.array(self.draw(tuple(shape), dtype))

    def draw(self, shape, dtype=None):
        """The values as a NumPy array on the host: what variables ask for."""
        if type(self).__call__ is Initializer.__call__:
            raise TypeError(f"{type(self).__name__}: an initializer defines `__call__(self, shape, dtype=None)`.")
        return self(shape, dtype=dtype)

    def clone(self):
        """An initializer with the same arguments; without a seed it draws other values."""
        return type(self).from_config(self.get_config())


class Constant(Initializer):
    """Every element is `value`.

    Args:
        value: a number, or an array that broadcasts to the shape asked for.

    >>> Constant(3)((2,))
    array([3., 3.], dtype=float32)
    """

    value: object = 0.0

    def setup(self):
        if not (hasattr(self.value, "__float__") or hasattr(self.value, "__array__") or isinstance(self.value, (list, tuple))):
            raise TypeError(f"Constant: value must be a number or an array; got {self.value!r} ({type(self.value).__name__}).")

    def draw(self, shape, dtype=None):
        return np.full(shape, backends.numpy(self.value), dtypes.standardize(dtype))

    def get_config(self):
        value = self.value
        return {"value": value if isinstance(value, (int, float, bool)) else serialization.serialize_keras_object(backends.numpy(value))}

    @classmethod
    def from_config(cls, config):
        return cls(serialization.deserialize_keras_object(config["value"]))


class Zeros(Initializer):
    """Every element is 0."""

    def draw(self, shape, dtype=None):
        return np.zeros(shape, dtypes.standardize(dtype))


class Ones(Initializer):
    """Every element is 1."""

    def draw(self, shape, dtype=None):
        return np.ones(shape, dtypes.standardize(dtype))


class Identity(Initializer):
    """The identity matrix times `gain`.

    Raises:
        ValueError: the shape has not two axes.
    """

    gain: float = 1.0

    def draw(self, shape, dtype=None):
        if len(shape) != 2:
            raise ValueError(f"Identity: wanted a shape of 2 axes (a matrix); got {tuple(shape)}.")
        return np.eye(*shape, dtype=dtypes.standardize(dtype)) * np.asarray(self.gain, dtypes.standardize(dtype))


class RandomInitializer(Initializer):
    """Base of initializers that draw at random: `sample(generator, shape, dtype)` of a subclass draws floats.

    Args:
        seed: int, `SeedGenerator` or None. With an int, or None, every call of one object with one shape gives the same values; None
            means an int drawn from Python's generator, which `set_random_seed` sets. With a SeedGenerator each call gives others.
    """

    seed: object = None

    def setup(self):
        self._given_seed = self.seed
        if isinstance(self.seed, dict):
            self.seed = self._given_seed = serialization.deserialize_keras_object(self.seed)
        if self.seed is None:
            self.seed = random.randint(1, 10**9)
        elif not hasattr(self.seed, "next"):
            if not hasattr(self.seed, "__index__") or self.seed < 0:
                raise ValueError(f"{type(self).__name__}: seed must be None, an integer of at least 0 or a SeedGenerator; got {self.seed!r}.")
            self.seed = self._given_seed = int(self.seed)

    def draw(self, shape, dtype=None):
        dtype = dtypes.standardize(dtype)
        if not dtypes.is_float(dtype):
            raise ValueError(f"{type(self).__name__}: draws floats; got dtype={dtype!r}.")
        seed = backends.numpy(self.seed.next()).tolist() if hasattr(self.seed, "next") else self.seed
        generator = np.random.Generator(np.random.Philox(seed))
        return self.sample(generator, tuple(shape), np.float64 if dtype == "float64" else np.float32).astype(dtype, copy=False)

    def get_config(self):
        given = self._given_seed
        return {**super().get_config(), "seed": serialization.serialize_keras_object(given) if hasattr(given, "next") else given}


def _at_least_0(initializer, name):
    if not getattr(initializer, name) >= 0:
        raise ValueError(f"{type(initializer).__name__}: {name} must be at least 0; got {getattr(initializer, name)}.")


class RandomNormal(RandomInitializer):
    """Normal distribution.

    Args:
        mean: of the values.
        stddev: standard deviation of the values, at least 0.
        seed: see `RandomInitializer`.
    """

    mean: float = 0.0
    stddev: float = 0.05
    seed: object = None

    def setup(self):
        super().setup()
        _at_least_0(self, "stddev")

    def sample(self, generator, shape, dtype):
        return _affine(generator.standard_normal(shape, dtype), self.stddev, self.mean)


class RandomUniform(RandomInitializer):
    """Uniform distribution from `minval` to `maxval`.

    Args:
        minval: lower end, included.
        maxval: upper end.
        seed: see `RandomInitializer`.
    """

    minval: float = -0.05
    maxval: float = 0.05
    seed: object = None

    def setup(self):
        super().setup()
        if not self.minval <= self.maxval:
            raise ValueError(f"{type(self).__name__}: minval must be at most maxval; got {self.minval} and {self.maxval}.")

    def sample(self, generator, shape, dtype):
        return _affine(generator.random(shape, dtype), self.maxval - self.minval, self.minval)


class TruncatedNormal(RandomInitializer):
    """Normal distribution whose values beyond two standard deviations are drawn again.

    Args:
        mean: of the values.
        stddev: standard deviation before truncation, at least 0; after it, 0.8796 times that.
        seed: see `RandomInitializer`.
    """

    mean: float = 0.0
    stddev: float = 0.05
    seed: object = None

    def setup(self):
        super().setup()
        _at_least_0(self, "stddev")

    def sample(self, generator, shape, dtype):
        return _affine(_truncated(generator, shape, dtype), self.stddev, self.mean)


_TRUNCATED_STDDEV = 0.87962566103423978  # of a standard normal cut at -2 and 2
_MODES = ("fan_in", "fan_out", "fan_avg")
_DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")


class VarianceScaling(RandomInitializer):
    """Values whose variance is `scale` / n, where n follows from the shape of the kernel.

    Args:
        scale: positive.
        mode: n is the number of inputs of a unit ("fan_in"), of its outputs ("fan_out"), or their mean ("fan_avg").
        distribution: "truncated_normal" (or "normal"), "untruncated_normal", "uniform".
        seed: see `RandomInitializer`.
        input_axes: axes of the kernel that inputs run along, where it is not (window, inputs, outputs).
        output_axes: axes that outputs run along; given together with `input_axes`.

    Raises:
        ValueError: `scale` is not positive, or an unknown name.

    Source: He et al., "Delving Deep into Rectifiers", 2015; Glorot and Bengio, "Understanding the difficulty of training deep
    feedforward neural networks", 2010.
    """

    scale: float = 1.0
    mode: str = "fan_in"
    distribution: str = "truncated_normal"
    seed: object = None
    input_axes: object = None
    output_axes: object = None

    def setup(self):
        super().setup()
        if not self.scale > 0:
            raise ValueError(f"{type(self).__name__}: scale must be above 0; got {self.scale!r}.")
        if (self.input_axes is None) != (self.output_axes is None):
            raise ValueError(f"{type(self).__name__}: input_axes and output_axes go together; got {self.input_axes!r} and {self.output_axes!r}.")
        if self.mode not in _MODES:
            raise ValueError(f"{type(self).__name__}: mode must be one of {', '.join(_MODES)}; got {self.mode!r}.")
        self.distribution = "truncated_normal" if str(self.distribution).lower() == "normal" else str(self.distribution).lower()
        if self.distribution not in _DISTRIBUTIONS:
            raise ValueError(f"{type(self).__name__}: distribution must be one of {', '.join(_DISTRIBUTIONS)}; got {self.distribution!r}.")

    def sample(self, generator, shape, dtype):
        inputs, outputs = compute_fans(shape, self.input_axes, self.output_axes)
        count = {"fan_in": inputs, "fan_out": outputs, "fan_avg": (inputs + outputs) / 2}[self.mode]
        variance = self.scale / max(1.0, count)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return _affine(generator.random(shape, dtype), 2 * limit, -limit)
        if self.distribution == "untruncated_normal":
            return _affine(generator.standard_normal(shape, dtype), math.sqrt(variance), 0.0)
        return _affine(_truncated(generator, shape, dtype), math.sqrt(variance) / _TRUNCATED_STDDEV, 0.0)


class _Settled(VarianceScaling):
    """`VarianceScaling` whose first three arguments the class settles."""

    _settled = (1.0, "fan_in", "truncated_normal")

    def __init__(self, seed=None, input_axes=None, output_axes=None):
        super().__init__(*self._settled, seed, input_axes, output_axes)

    def get_config(self):
        config = super().get_config()
        return {name: config[name] for name in ("seed", "input_axes", "output_axes")}


class GlorotUniform(_Settled):
    """Uniform with variance 2 / (inputs + outputs), the default of most kernels.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.
    """

    _settled = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Settled):
    """Truncated normal with variance 2 / (inputs + outputs).

    Source: Glorot and Bengio, 2010.
    """

    _settled = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Settled):
    """Uniform with variance 2 / inputs, for layers with a ReLU.

    Source: He et al., "Delving Deep into Rectifiers", 2015.
    """

    _settled = (2.0, "fan_in", "uniform")


class HeNormal(_Settled):
    """Truncated normal with variance 2 / inputs, for layers with a ReLU.

    Source: He et al., 2015.
    """

    _settled = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Settled):
    """Uniform with variance 1 / inputs.

    Source: LeCun et al., "Efficient BackProp", 1998.
    """

    _settled = (1.0, "fan_in", "uniform")


class LecunNormal(_Settled):
    """Truncated normal with variance 1 / inputs.

    Source: LeCun et al., 1998.
    """

    _settled = (1.0, "fan_in", "truncated_normal")


class Orthogonal(RandomInitializer):
    """A random matrix with orthonormal rows or columns, whichever are fewer, times `gain`.

    Args:
        gain: factor.
        seed: see `RandomInitializer`.

    Shapes:
        (..., outputs): all axes but the last make the rows.

    Raises:
        ValueError: the shape has fewer than two axes.

    Source: Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks", 2013.
    """

    gain: float = 1.0
    seed: object = None

    def sample(self, generator, shape, dtype):
        if len(shape) < 2:
            raise ValueError(f"Orthogonal: wanted a shape of 2 axes or more; got {shape}.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(generator.standard_normal((max(rows, columns), min(rows, columns)), dtype))
        q *= np.where(np.diagonal(r) < 0, -1, 1).astype(dtype)  # without the signs the matrices are not drawn uniformly
        return np.ascontiguousarray(dtype(self.gain) * (q.T if rows < columns else q)).reshape(shape)


_WINDOWS = {"hann": np.hanning, "hanning": np.hanning, "hamming": np.hamming, "blackman": np.blackman, "bartlett": np.bartlett}


class STFT(Initializer):
    """Kernels of a convolution that computes one side of a short-time Fourier transform.

    Args:
        side: "real" or "imag".
        window: "hann", "hamming", "blackman", "bartlett", or None for none.
        scaling: "density" (divided by the root of the window's sum of squares), "spectrum" (by its sum) or None.
        periodic: whether the window is one period, rather than symmetric.

    Shapes:
        (frame, 1, bins), where the transform has 2 (bins - 1) points.

    Raises:
        ValueError: an unknown name, or another shape.

    Source: Cheuk et al., "nnAudio: An on-the-fly GPU audio to spectrogram conversion toolbox", 2020.
    """

    side: str = "real"
    window: object = "hann"
    scaling: object = "density"
    periodic: bool = False

    def setup(self):
        for name, known in (("side", ("real", "imag")), ("window", (*_WINDOWS, None)), ("scaling", ("density", "spectrum", None))):
            if getattr(self, name) not in known:
                raise ValueError(f"STFT: {name} must be one of {', '.join(map(str, known))}; got {getattr(self, name)!r}.")

    def draw(self, shape, dtype=None):
        if len(shape) != 3 or shape[1] != 1:
            raise ValueError(f"STFT: wanted a shape (frame, 1, bins); got {tuple(shape)}.")
        frame, _, bins = shape
        window = _WINDOWS[self.window](frame + self.periodic)[:frame] if self.window else np.ones(frame)
        if self.window and self.scaling:
            window = window / (np.sqrt((window**2).sum()) if self.scaling == "density" else window.sum())
        angle = 2 * np.pi * np.outer(np.arange(frame), np.arange(bins)) / max(1, 2 * (bins - 1))
        wave = np.cos(angle) if self.side == "real" else -np.sin(angle)
        return (window[:, None] * wave)[:, None, :].astype(dtypes.standardize(dtype))


def compute_fans(shape, input_axes=None, output_axes=None):
    """How many inputs and outputs a unit of a kernel of this shape has.

    >>> compute_fans((3, 3, 16, 32))
    (144, 288)
    """
    if len(shape) < 2:
        return (math.prod(shape),) * 2
    if input_axes is None or output_axes is None:
        window = math.prod(shape[:-2])
        return window * shape[-2], window * shape[-1]
    return tuple(math.prod(shape[axis] for axis in shapes.normalize_axes(axes, len(shape), "compute_fans")) for axes in (input_axes, output_axes))


def _affine(x, scale, shift):
    """`x * scale + shift` in place, in the type of `x`."""
    x *= x.dtype.type(scale)
    if shift:
        x += x.dtype.type(shift)
    return x


def _truncated(generator, shape, dtype):
    """Standard normal values, those beyond -2 and 2 drawn again."""
    x = generator.standard_normal(math.prod(shape), dtype)
    beyond = np.flatnonzero(np.abs(x) > 2)
    while beyond.size:
        x[beyond] = generator.standard_normal(beyond.size, dtype)
        beyond = beyond[np.abs(x[beyond]) > 2]
    return x.reshape(shape)


zeros, ones, constant, identity, orthogonal, stft = Zeros, Ones, Constant, Identity, Orthogonal, STFT
random_normal, random_uniform, truncated_normal, variance_scaling = RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling
glorot_normal, glorot_uniform, he_normal, he_uniform = GlorotNormal, GlorotUniform, HeNormal, HeUniform
lecun_normal, lecun_uniform = LecunNormal, LecunUniform
IdentityInitializer, OrthogonalInitializer, STFTInitializer = Identity, Orthogonal, STFT

_get, _serialize, deserialize = registry.namespace(
    "initializers",
    [
        Constant,
        Zeros,
        Ones,
        Identity,
        RandomNormal,
        RandomUniform,
        TruncatedNormal,
        VarianceScaling,
        GlorotUniform,
        GlorotNormal,
        HeUniform,
        HeNormal,
        LecunUniform,
        LecunNormal,
        Orthogonal,
        STFT,
    ],
    {"normal": RandomNormal, "uniform": RandomUniform, "one": Ones, "zero": Zeros}
    | {"IdentityInitializer": Identity, "OrthogonalInitializer": Orthogonal, "STFTInitializer": STFT},
)


def get(identifier):
    """An initializer from its name, its config, its class, an array of values, or itself; None stays None.

    Raises:
        ValueError: an unknown name.
    """
    return Constant(identifier) if backends.is_tensor(identifier) or isinstance(identifier, np.ndarray) else _get(identifier)


def serialize(initializer):
    """The config of an initializer, as files hold it."""
    return _serialize(initializer)


fields.converter("initializer", get, serialize)
