"""Layers that disturb their input in training alone: dropout and noise."""

import math

from cornu import backends, ops, random
from cornu.layers.input_spec import InputSpec
from cornu.layers.layer import Layer
from cornu.settings import standardize_data_format


class _Noise(Layer, abstract=True):
    """What these layers share: a seed of their own, and nothing done outside training."""

    beyond = math.inf  # what a rate must stay below, besides being from 0 to 1

    def setup(self):
        for name in ("rate", "stddev"):
            value = getattr(self, name, None)
            if value is not None and not (0 <= value <= 1 and value < self.beyond if name == "rate" else value >= 0):
                wanted = "at least 0" if name == "stddev" else "from 0 to 1" if self.beyond > 1 else "at least 0 and below 1"
                raise ValueError(f"{self._label()}: {name} must be {wanted}; got {value}.")
        self.supports_masking = True
        amount = getattr(self, "rate", None)
        self._active = (self.stddev if amount is None else amount) > 0
        if self._active:
            self.seed_generator = random.SeedGenerator(self.seed)

    def call(self, inputs, training=False):
        return self.disturb(inputs) if training and self._active else inputs


class Dropout(_Noise):
    """In training, set a fraction of the input to 0 and scale the rest up so that the sum stays the same on average.

    Args:
        rate: that fraction, from 0 to 1.
        noise_shape: shape of the mask, 1 where it is shared along an axis and None where it is the input's.
        seed: whole number; random by default.

    Shapes:
        any -> the same

    Source: Srivastava et al., "Dropout", 2014.
    """

    rate: float
    noise_shape: object = None
    seed: object = None

    def setup(self):
        super().setup()
        shape = self.noise_shape
        if shape is not None and not (isinstance(shape, (list, tuple)) and all(size is None or hasattr(size, "__index__") for size in shape)):
            raise ValueError(f"{self._label()}: noise_shape must be a tuple of sizes and None, or None; got {shape!r}.")

    def disturb(self, inputs):
        return random.dropout(inputs, self.rate, noise_shape=self._noise_shape(inputs), seed=self.seed_generator)

    def _noise_shape(self, inputs):
        if self.noise_shape is None:
            return None
        if len(self.noise_shape) != inputs.ndim:
            raise ValueError(f"{self._label()}: noise_shape {tuple(self.noise_shape)} must have as many axes as the input, {inputs.ndim}.")
        return tuple(actual if wanted is None else wanted for wanted, actual in zip(self.noise_shape, inputs.shape))


class _SpatialDropout(Dropout, abstract=True):
    """Dropout of whole channels.

    Args:
        rate: fraction of the channels, from 0 to 1.
        data_format: "channels_last" or "channels_first".
        seed: whole number; random by default.

    Source: Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2015.
    """

    rate: float
    data_format: str | None = None
    seed: object = None
    noise_shape: object = None
    _keyword_only = Dropout._keyword_only | {"noise_shape"}

    def setup(self):
        super().setup()
        self.data_format = standardize_data_format(self.data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _noise_shape(self, inputs):
        shape = inputs.shape
        ones = (1,) * self.rank
        return (shape[0], *ones, shape[-1]) if self.data_format == "channels_last" else (shape[0], shape[1], *ones)

    def get_config(self):
        config = super().get_config()
        config.pop("noise_shape")
        return config


class SpatialDropout1D(_SpatialDropout):
    __doc__ = _SpatialDropout.__doc__
    rank = 1
    rate: float
    seed: object = None
    data_format: str | None = "channels_last"
    _keyword_only = _SpatialDropout._keyword_only | {"data_format"}

    def get_config(self):
        config = super().get_config()
        config.pop("data_format")
        return config


class SpatialDropout2D(_SpatialDropout):
    __doc__ = _SpatialDropout.__doc__
    rank = 2


class SpatialDropout3D(_SpatialDropout):
    __doc__ = _SpatialDropout.__doc__
    rank = 3


class GaussianNoise(_Noise):
    """In training, add noise of mean 0.

    Args:
        stddev: standard deviation of the noise, at least 0.
        seed: whole number; random by default.
    """

    stddev: float
    seed: object = None

    def disturb(self, inputs):
        return ops.add(inputs, random.normal(inputs.shape, stddev=self.stddev, dtype=backends.kind(inputs), seed=self.seed_generator))


class GaussianDropout(_Noise):
    """In training, multiply by noise of mean 1 and standard deviation sqrt(rate / (1 - rate)).

    Args:
        rate: at least 0 and below 1, as for Dropout.
        seed: whole number; random by default.

    Source: Srivastava et al., "Dropout", 2014, section 10.
    """

    beyond = 1

    rate: float
    seed: object = None

    def disturb(self, inputs):
        stddev = (self.rate / (1 - self.rate)) ** 0.5
        return ops.multiply(inputs, random.normal(inputs.shape, 1.0, stddev, dtype=backends.kind(inputs), seed=self.seed_generator))


class AlphaDropout(Dropout):
    """Dropout that keeps mean and variance of inputs made by SELU.

    Args:
        rate: fraction, at least 0 and below 1.
        noise_shape, seed: as for Dropout.

    Source: Klambauer et al., "Self-Normalizing Neural Networks", 2017.
    """

    beyond = 1

    rate: float
    noise_shape: object = None
    seed: object = None

    def disturb(self, inputs):
        lowest = -1.7580993408473766  # -alpha * scale of SELU
        shape = self._noise_shape(inputs) or inputs.shape
        kept = ops.greater_equal(random.uniform(shape, seed=self.seed_generator), self.rate)
        a = ((1 - self.rate) * (1 + self.rate * lowest**2)) ** -0.5
        b = -a * lowest * self.rate
        return ops.add(ops.multiply(ops.where(kept, inputs, lowest), a), b)
