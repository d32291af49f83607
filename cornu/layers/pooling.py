"""Pooling: the largest or the mean value of each window, of a few regions, or of the whole picture."""

from cornu import backends, ops
from cornu.layers.convolution import each_axis
from cornu.layers.input_spec import InputSpec
from cornu.layers.layer import Layer
from cornu.settings import standardize_data_format


class _Pooling(Layer, abstract=True):
    """Slide a window over the spatial axes and keep one value of each.

    Args:
        pool_size: size of the window, for all spatial axes or for each.
        strides: steps between windows; the window's size when None.
        padding: "valid" (windows inside the input only) or "same".
        data_format: "channels_last" or "channels_first".

    Shapes:
        input (batch, *space, channels) -> output (batch, *smaller space, channels)
    """

    pool_size: object = 2
    strides: object = None
    padding: str = "valid"
    data_format: str | None = None

    def setup(self):
        label = self._label()
        self.pool_size = each_axis(self.pool_size, self.rank, "pool_size", label)
        self.strides = self.pool_size if self.strides is None else each_axis(self.strides, self.rank, "strides", label)
        self.padding = str(self.padding).lower()
        if self.padding not in ("valid", "same"):
            raise ValueError(f"{label}: padding must be 'valid' or 'same'; got {self.padding!r}.")
        self.data_format = standardize_data_format(self.data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs):
        pool = ops.max_pool if self.kind == "max" else ops.average_pool
        return pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)


class _GlobalPooling(Layer, abstract=True):
    """One value of each channel: the largest or the mean over all spatial axes.

    Args:
        data_format: "channels_last" or "channels_first".
        keepdims: whether the spatial axes stay, with size 1.

    Shapes:
        input (batch, *space, channels) -> output (batch, channels)
    """

    data_format: str | None = None
    keepdims: bool = False

    def setup(self):
        self.data_format = standardize_data_format(self.data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _axes(self):
        first = 1 if self.data_format == "channels_last" else 2
        return tuple(range(first, first + self.rank))

    def call(self, inputs):
        reduce = ops.max if self.kind == "max" else ops.mean
        return reduce(inputs, axis=self._axes(), keepdims=self.keepdims)


class _AdaptivePooling(Layer, abstract=True):
    """As many windows as asked for, as even as possible, whatever the input's size.

    Args:
        output_size: number of windows, for all spatial axes or for each.
        data_format: "channels_last" or "channels_first".

    Shapes:
        input (batch, *space, channels) -> output (batch, *output_size, channels)
    """

    output_size: object
    data_format: str | None = None

    def setup(self):
        self.output_size = each_axis(self.output_size, self.rank, "output_size", self._label())
        self.data_format = standardize_data_format(self.data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs):
        pool = ops.adaptive_max_pool if self.kind == "max" else ops.adaptive_average_pool
        return pool(inputs, self.output_size, data_format=self.data_format)


class MaxPooling1D(_Pooling):
    __doc__ = _Pooling.__doc__
    rank, kind = 1, "max"


class MaxPooling2D(_Pooling):
    __doc__ = _Pooling.__doc__
    rank, kind = 2, "max"
    pool_size = (2, 2)


class MaxPooling3D(_Pooling):
    __doc__ = _Pooling.__doc__
    rank, kind = 3, "max"
    pool_size = (2, 2, 2)


class AveragePooling1D(_Pooling):
    __doc__ = _Pooling.__doc__
    rank, kind = 1, "average"


class AveragePooling2D(_Pooling):
    __doc__ = _Pooling.__doc__
    rank, kind = 2, "average"
    pool_size = (2, 2)


class AveragePooling3D(_Pooling):
    __doc__ = _Pooling.__doc__
    rank, kind = 3, "average"
    pool_size = (2, 2, 2)


class GlobalMaxPooling1D(_GlobalPooling):
    __doc__ = _GlobalPooling.__doc__
    rank, kind = 1, "max"


class GlobalMaxPooling2D(_GlobalPooling):
    __doc__ = _GlobalPooling.__doc__
    rank, kind = 2, "max"


class GlobalMaxPooling3D(_GlobalPooling):
    __doc__ = _GlobalPooling.__doc__
    rank, kind = 3, "max"


class GlobalAveragePooling1D(_GlobalPooling):
    """The mean over the steps of a sequence; masked steps do not count.

    Args:
        data_format: "channels_last" or "channels_first".
        keepdims: whether the axis of steps stays, with size 1.

    Shapes:
        input (batch, steps, channels) -> output (batch, channels)
    """

    rank, kind = 1, "average"

    def setup(self):
        super().setup()
        self.supports_masking = True

    def call(self, inputs, mask=None):
        if mask is None:
            return super().call(inputs)
        (axis,) = self._axes()
        weights = ops.expand_dims(ops.cast(mask, backends.kind(inputs)), 2 if axis == 1 else 1)
        total = ops.sum(ops.multiply(inputs, weights), axis=axis, keepdims=self.keepdims)
        return ops.divide(total, ops.sum(weights, axis=axis, keepdims=self.keepdims))

    def compute_mask(self, inputs, previous_mask=None):
        return None


class GlobalAveragePooling2D(_GlobalPooling):
    __doc__ = _GlobalPooling.__doc__
    rank, kind = 2, "average"


class GlobalAveragePooling3D(_GlobalPooling):
    __doc__ = _GlobalPooling.__doc__
    rank, kind = 3, "average"


class AdaptiveMaxPooling1D(_AdaptivePooling):
    __doc__ = _AdaptivePooling.__doc__
    rank, kind = 1, "max"


class AdaptiveMaxPooling2D(_AdaptivePooling):
    __doc__ = _AdaptivePooling.__doc__
    rank, kind = 2, "max"


class AdaptiveMaxPooling3D(_AdaptivePooling):
    __doc__ = _AdaptivePooling.__doc__
    rank, kind = 3, "max"


class AdaptiveAveragePooling1D(_AdaptivePooling):
    __doc__ = _AdaptivePooling.__doc__
    rank, kind = 1, "average"


class AdaptiveAveragePooling2D(_AdaptivePooling):
    __doc__ = _AdaptivePooling.__doc__
    rank, kind = 2, "average"


class AdaptiveAveragePooling3D(_AdaptivePooling):
    __doc__ = _AdaptivePooling.__doc__
    rank, kind = 3, "average"
