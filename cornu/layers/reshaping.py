"""Layers that move values without changing them: flatten, reshape, permute, repeat, pad, crop, up-sample."""

import math

from cornu import ops, shapes
from cornu.layers.convolution import each_axis
from cornu.layers.input_spec import InputSpec
from cornu.layers.layer import Layer
from cornu.settings import standardize_data_format


class Flatten(Layer):
    """All axes but the batch as one.

    Args:
        data_format: for "channels_first" the channels are moved last before.

    Shapes:
        input (batch, ...) -> output (batch, product of the rest)
    """

    data_format: str | None = None

    def setup(self):
        self.data_format = standardize_data_format(self.data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs):
        if self.data_format == "channels_first" and inputs.ndim > 2:
            inputs = ops.transpose(inputs, (0, *range(2, inputs.ndim), 1))
        return ops.reshape(inputs, (inputs.shape[0], math.prod(inputs.shape[1:])))


class Reshape(Layer):
    """The values of each sample in another shape.

    Args:
        target_shape: sizes without the batch; one may be -1.

    Shapes:
        input (batch, ...) -> output (batch, *target_shape)
    """

    target_shape: object

    def setup(self):
        if not (isinstance(self.target_shape, (list, tuple)) and all(hasattr(size, "__index__") for size in self.target_shape)):
            raise ValueError(f"{self._label()}: target_shape must be a tuple of sizes; got {self.target_shape!r}.")
        self.target_shape = tuple(int(size) for size in self.target_shape)
        if self.target_shape.count(-1) > 1 or any(size < -1 for size in self.target_shape):
            raise ValueError(f"{self._label()}: target_shape may hold one -1 and no other negative size; got {self.target_shape}.")

    def call(self, inputs):
        known = inputs.shape[1:]
        if all(isinstance(size, int) for size in known):
            have, want = math.prod(known), math.prod(size for size in self.target_shape if size != -1)
            if (have % want if -1 in self.target_shape and want else have != want and -1 not in self.target_shape) or (want == 0 and have):
                raise ValueError(f"{self._label()}: a sample of shape {tuple(known)} has {have} values and cannot take the shape {self.target_shape}.")
            target = tuple(have // want if size == -1 and want else size for size in self.target_shape)
            return ops.reshape(inputs, (inputs.shape[0], *target))
        if -1 in self.target_shape:
            return ops.reshape(
                inputs,
                (inputs.shape[0], *(shapes.UNKNOWN if size == -1 else size for size in self.target_shape))
                if isinstance(inputs.shape[0], int)
                else (-1, *self._filled(known)),
            )
        return ops.reshape(inputs, (inputs.shape[0], *self.target_shape))

    def _filled(self, known):
        return tuple(math.prod(known) if size == -1 else size for size in self.target_shape)


class Permute(Layer):
    """The axes of each sample in another order.

    Args:
        dims: the order, counted from 1; (2, 1) swaps the first two.
    """

    dims: object

    def setup(self):
        self.dims = tuple(self.dims) if isinstance(self.dims, (list, tuple)) else (self.dims,)
        if not all(hasattr(axis, "__index__") for axis in self.dims) or sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(f"{self._label()}: dims must be the numbers from 1 to the number of axes, each once; got {self.dims}.")
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs):
        return ops.transpose(inputs, (0, *self.dims))


class RepeatVector(Layer):
    """Each sample's vector `n` times, as a sequence.

    Args:
        n: number of repetitions, at least 1.

    Shapes:
        input (batch, features) -> output (batch, n, features)
    """

    n: int

    def setup(self):
        if self.n < 1:
            raise ValueError(f"{self._label()}: n must be at least 1; got {self.n}.")
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs):
        return ops.repeat(ops.expand_dims(inputs, 1), self.n, axis=1)


def pairs(value, rank, name, label):
    """`value` as a (low, high) pair for each of `rank` axes."""
    if isinstance(value, int):
        value = ((value, value),) * rank
    elif rank == 1 and isinstance(value, (list, tuple)) and len(value) == 2 and all(isinstance(v, int) for v in value):
        value = (tuple(value),)
    elif isinstance(value, (list, tuple)) and len(value) == rank:
        value = tuple((v, v) if isinstance(v, int) else tuple(v) if isinstance(v, (list, tuple)) else (v,) for v in value)
    else:
        raise ValueError(f"{label}: {name} must be a whole number or one of them (or a pair) for each of {rank} axes; got {value!r}.")
    if any(len(pair) != 2 or not all(isinstance(v, int) and v >= 0 for v in pair) for pair in value):
        raise ValueError(f"{label}: {name} must hold numbers of at least 0, two for an axis; got {value!r}.")
    return value


class _Border(Layer, abstract=True):
    """Padding and cropping: so much at both ends of each spatial axis."""

    def setup(self):
        self.data_format = standardize_data_format(getattr(self, "data_format", None))
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _around(self, pairs_of_axes):
        none = ((0, 0),)
        return (*none, *pairs_of_axes, *none) if self.data_format == "channels_last" else (*none, *none, *pairs_of_axes)


class _ZeroPadding(_Border, abstract=True):
    """Zeros around the spatial axes.

    Args:
        padding: a number for all, one for each axis, or a (low, high) pair for each axis.
        data_format: "channels_last" or "channels_first".
    """

    def setup(self):
        super().setup()
        self.padding = pairs(self.padding, self.rank, "padding", self._label())
        if self.rank == 1:
            self.padding = self.padding[0]

    def call(self, inputs):
        padding = (self.padding,) if self.rank == 1 else self.padding
        return ops.pad(inputs, self._around(padding))


class ZeroPadding1D(_ZeroPadding):
    __doc__ = _ZeroPadding.__doc__
    rank = 1
    padding: object = 1
    data_format: str | None = None


class ZeroPadding2D(_ZeroPadding):
    __doc__ = _ZeroPadding.__doc__
    rank = 2
    padding: object = (1, 1)
    data_format: str | None = None


class ZeroPadding3D(_ZeroPadding):
    __doc__ = _ZeroPadding.__doc__
    rank = 3
    padding: object = ((1, 1), (1, 1), (1, 1))
    data_format: str | None = None


class _Cropping(_Border, abstract=True):
    """The spatial axes with so much cut off at both ends.

    Args:
        cropping: a number for all, one for each axis, or a (low, high) pair for each axis.
        data_format: "channels_last" or "channels_first".
    """

    def setup(self):
        super().setup()
        self.cropping = pairs(self.cropping, self.rank, "cropping", self._label())
        if self.rank == 1:
            self.cropping = self.cropping[0]

    def call(self, inputs):
        cropping = self._around((self.cropping,) if self.rank == 1 else self.cropping)
        for size, (low, high) in zip(inputs.shape, cropping):
            if isinstance(size, int) and low + high >= size and low + high:
                raise ValueError(f"{self._label()}: cropping {self.cropping} leaves nothing of an input of shape {shapes.public(inputs.shape)}.")
        return inputs[tuple(slice(low, -high or None) for low, high in cropping)]


class Cropping1D(_Cropping):
    __doc__ = _Cropping.__doc__
    rank = 1
    cropping: object = (1, 1)

    def setup(self):
        self.data_format = "channels_last"
        super().setup()


class Cropping2D(_Cropping):
    __doc__ = _Cropping.__doc__
    rank = 2
    cropping: object = ((0, 0), (0, 0))
    data_format: str | None = None


class Cropping3D(_Cropping):
    __doc__ = _Cropping.__doc__
    rank = 3
    cropping: object = ((1, 1), (1, 1), (1, 1))
    data_format: str | None = None


class _UpSampling(Layer, abstract=True):
    """Every place of the spatial axes several times.

    Args:
        size: how often, a number for all or one for each axis.
        data_format: "channels_last" or "channels_first".
    """

    interpolation = "nearest"

    def setup(self):
        self.data_format = standardize_data_format(getattr(self, "data_format", None))
        self.size = each_axis(self.size, self.rank, "size", self._label())
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs):
        first = 1 if self.data_format == "channels_last" else 2
        for i, times in enumerate(self.size):
            inputs = ops.repeat(inputs, times, axis=first + i)
        return inputs


class UpSampling1D(_UpSampling):
    __doc__ = _UpSampling.__doc__
    rank = 1
    size: object = 2

    def setup(self):
        self.data_format = "channels_last"
        super().setup()
        self.size = self.size[0]

    def call(self, inputs):
        return ops.repeat(inputs, self.size, axis=1)


class UpSampling2D(_UpSampling):
    """Pictures made larger.

    Args:
        size: factor for both axes, or one for each.
        data_format: "channels_last" or "channels_first".
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5".
    """

    rank = 2
    size: object = (2, 2)
    data_format: str | None = None
    interpolation: str = "nearest"

    def setup(self):
        super().setup()
        known = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
        self.interpolation = str(self.interpolation).lower()
        if self.interpolation not in known:
            raise ValueError(f"{self._label()}: interpolation must be one of {', '.join(known)}; got {self.interpolation!r}.")

    def call(self, inputs):
        if self.interpolation == "nearest":
            return super().call(inputs)
        first = 1 if self.data_format == "channels_last" else 2
        size = tuple(inputs.shape[first + i] * times for i, times in enumerate(self.size))
        return ops.image.resize(inputs, size, interpolation=self.interpolation, data_format=self.data_format)


class UpSampling3D(_UpSampling):
    __doc__ = _UpSampling.__doc__
    rank = 3
    size: object = (2, 2, 2)
    data_format: str | None = None
