"""Convolutions: plain, transposed, depthwise and separable, over one to three axes."""

from cornu import ops
from cornu.fields import Activation, Constraint, Initializer, Regularizer
from cornu.layers.input_spec import InputSpec
from cornu.layers.layer import Layer
from cornu.layers.lora import LowRank
from cornu.settings import standardize_data_format


def each_axis(value, rank, name, label, least=1):
    """`value` as a tuple of `rank` whole numbers of at least `least`."""
    if hasattr(value, "__index__"):
        value = (value,) * rank
    value = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if len(value) != rank or not all(hasattr(v, "__index__") and v >= least for v in value):
        raise ValueError(f"{label}: {name} must be a whole number of at least {least}, or {rank} of them; got {value if len(value) != 1 else value[0]!r}.")
    return tuple(int(v) for v in value)


class BaseConv(Layer, abstract=True):
    """What all convolutions share: windows, strides, padding, bias and activation."""

    paddings = ("valid", "same")
    strides_or_dilation = True  # not both

    def setup(self):
        label = self._label()
        if getattr(self, "filters", 1) is not None and getattr(self, "filters", 1) < 1:
            raise ValueError(f"{label}: filters must be at least 1; got {self.filters}.")
        self.kernel_size = each_axis(self.kernel_size, self.rank, "kernel_size", label)
        self.strides = each_axis(self.strides, self.rank, "strides", label)
        self.dilation_rate = each_axis(self.dilation_rate, self.rank, "dilation_rate", label)
        self.padding = str(self.padding).lower()
        if self.padding not in self.paddings:
            raise ValueError(f"{label}: padding must be one of {', '.join(self.paddings)}; got {self.padding!r}.")
        if self.strides_or_dilation and max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(f"{label}: strides and dilation_rate cannot both be above 1; got {self.strides} and {self.dilation_rate}.")
        self.data_format = standardize_data_format(self.data_format)
        self.input_spec = InputSpec(min_ndim=self.rank + 2)

    def _check_multiplier(self):
        if self.depth_multiplier < 1:
            raise ValueError(f"{self._label()}: depth_multiplier must be at least 1; got {self.depth_multiplier}.")
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _channels(self, input_shape):
        axis = -1 if self.data_format == "channels_last" else 1
        channels = input_shape[axis]
        if channels is None:
            raise ValueError(f"{self._label()}: the number of channels (axis {axis}) must be known; got the shape {input_shape}.")
        self.input_spec = InputSpec(min_ndim=self.rank + 2, axes={axis: channels})
        return channels

    def _add_bias(self, filters):
        self.bias = self.add_weight(name="bias", shape=(filters,)) if self.use_bias else None

    def _finish(self, x):
        if self.bias is not None:
            bias = self.bias if self.data_format == "channels_last" else ops.reshape(self.bias, (1, -1, *(1,) * self.rank))
            x = ops.add(x, bias)
        return self.activation(x)

    def _padded(self, x):
        """The input, and the padding that is left to the op; causal padding is put before the first step here."""
        if self.padding != "causal":
            return x, self.padding
        before = self.dilation_rate[0] * (self.kernel_size[0] - 1)
        none = (0, 0)
        return ops.pad(x, (none, (before, 0), none) if self.data_format == "channels_last" else (none, none, (before, 0))), "valid"

    def _flat_batch(self, function, x):
        """`function` on `x` with all axes before the spatial ones as one batch."""
        extra = x.ndim - self.rank - 1
        if extra == 1:
            return function(x)
        lead = x.shape[:extra]
        out = function(ops.reshape(x, (-1, *x.shape[extra:])))
        return ops.reshape(out, (*lead, *out.shape[1:]))


class Conv(LowRank, BaseConv, abstract=True):
    """Slide a window over the spatial axes and take a weighted sum at each place.

    Args:
        filters: number of output channels, at least 1.
        kernel_size: size of the window, for all spatial axes or for each.
        strides: steps between places, for all spatial axes or for each.
        padding: "valid" (none) or "same" (zeros, so that stride 1 keeps the size); for one axis "causal" too (zeros before).
        data_format: "channels_last" or "channels_first".
        dilation_rate: distance between the cells of the window.
        groups: number of groups of channels that do not mix; divides the channels and `filters`.
        activation: name or function, applied last.
        use_bias: whether to add `bias`.
        lora_rank, lora_alpha: as in Dense.

    Shapes:
        input (batch, *space, channels) -> output (batch, *new space, filters)
        kernel (*kernel_size, channels / groups, filters), bias (filters,)
    """

    filters: int
    kernel_size: object
    strides: object = 1
    padding: str = "valid"
    data_format: str | None = None
    dilation_rate: object = 1
    groups: int = 1
    activation: Activation = None
    use_bias: bool = True
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    activity_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    bias_constraint: Constraint = None
    lora_rank: int | None = None
    lora_alpha: float | None = None
    _keyword_only = BaseConv._keyword_only | {"lora_rank", "lora_alpha"}

    def setup(self):
        super().setup()
        self._check_rank()
        if self.groups < 1 or self.filters % self.groups:
            raise ValueError(f"{self._label()}: groups must divide filters; got groups={self.groups}, filters={self.filters}.")

    def build(self, input_shape):
        channels = self._channels(input_shape)
        if channels % self.groups:
            raise ValueError(f"{self._label()}: groups must divide the input's channels; got groups={self.groups}, channels={channels}.")
        self._kernel = self.add_weight(name="kernel", shape=(*self.kernel_size, channels // self.groups, self.filters))
        self._add_bias(self.filters)
        self._begin_lora()

    kernel = property(LowRank._with_addition, doc="The kernel (*kernel_size, channels / groups, filters), the low-rank addition included.")

    def convolution_op(self, inputs, kernel):
        """The convolution of the layer, without bias and activation."""
        x, padding = self._padded(inputs)
        return ops.conv(x, kernel, strides=self.strides, padding=padding, data_format=self.data_format, dilation_rate=self.dilation_rate)

    def call(self, inputs):
        return self._flat_batch(lambda x: self._finish(self.convolution_op(x, self.kernel)), inputs)


class Conv1D(Conv):
    __doc__ = Conv.__doc__
    rank = 1
    paddings = ("valid", "same", "causal")


class Conv2D(Conv):
    __doc__ = Conv.__doc__
    rank = 2
    strides = (1, 1)
    dilation_rate = (1, 1)


class Conv3D(Conv):
    __doc__ = Conv.__doc__
    rank = 3
    strides = (1, 1, 1)
    dilation_rate = (1, 1, 1)


class ConvTranspose(BaseConv, abstract=True):
    """The gradient of a convolution by its input, as a layer: each place spreads over a window of the output.

    Args:
        filters: number of output channels, at least 1.
        kernel_size, strides, padding, data_format, dilation_rate: of the convolution that this turns round.
        output_padding: how much larger the output is at its end, less than the stride; None for what Keras takes.
        activation: name or function, applied last.
        use_bias: whether to add `bias`.

    Shapes:
        input (batch, *space, channels) -> output (batch, *larger space, filters)
        kernel (*kernel_size, filters, channels), bias (filters,)
    """

    strides_or_dilation = False
    filters: int
    kernel_size: object
    strides: object = 1
    padding: str = "valid"
    output_padding: object = None
    data_format: str | None = None
    dilation_rate: object = 1
    activation: Activation = None
    use_bias: bool = True
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    activity_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    bias_constraint: Constraint = None

    def setup(self):
        super().setup()
        if self.output_padding is not None:
            self.output_padding = each_axis(self.output_padding, self.rank, "output_padding", self._label(), least=0)
            if any(pad >= stride for pad, stride in zip(self.output_padding, self.strides)):
                raise ValueError(f"{self._label()}: output_padding must be less than strides; got {self.output_padding} and {self.strides}.")
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def build(self, input_shape):
        channels = self._channels(input_shape)
        self.kernel = self.add_weight(name="kernel", shape=(*self.kernel_size, self.filters, channels))
        self._add_bias(self.filters)

    def call(self, inputs):
        return self._finish(ops.conv_transpose(inputs, self.kernel, self.strides, self.padding, self.output_padding, self.data_format, self.dilation_rate))


class Conv1DTranspose(ConvTranspose):
    __doc__ = ConvTranspose.__doc__
    rank = 1


class Conv2DTranspose(ConvTranspose):
    __doc__ = ConvTranspose.__doc__
    rank = 2
    strides = (1, 1)
    dilation_rate = (1, 1)


class Conv3DTranspose(ConvTranspose):
    __doc__ = ConvTranspose.__doc__
    rank = 3
    filters: int
    kernel_size: object
    strides: object = (1, 1, 1)
    padding: str = "valid"
    data_format: str | None = None
    output_padding: object = None
    dilation_rate: object = (1, 1, 1)


class DepthwiseConv(BaseConv, abstract=True):
    """A convolution of each channel by itself.

    Args:
        kernel_size, strides, padding, data_format, dilation_rate: as for a plain convolution.
        depth_multiplier: output channels for each input channel, at least 1.
        activation: name or function, applied last.
        use_bias: whether to add `bias`.

    Shapes:
        input (batch, *space, channels) -> output (batch, *new space, channels * depth_multiplier)
        kernel (*kernel_size, channels, depth_multiplier), bias (channels * depth_multiplier,)
    """

    strides_or_dilation = False
    kernel_size: object
    strides: object = 1
    padding: str = "valid"
    depth_multiplier: int = 1
    data_format: str | None = None
    dilation_rate: object = 1
    activation: Activation = None
    use_bias: bool = True
    depthwise_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    depthwise_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    activity_regularizer: Regularizer = None
    depthwise_constraint: Constraint = None
    bias_constraint: Constraint = None

    def setup(self):
        super().setup()
        self._check_multiplier()

    def build(self, input_shape):
        channels = self._channels(input_shape)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, channels, self.depth_multiplier),
            initializer=self.depthwise_initializer,
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )
        self._add_bias(channels * self.depth_multiplier)

    def call(self, inputs):
        x, padding = self._padded(inputs)
        return self._finish(ops.depthwise_conv(x, self.kernel, self.strides, padding, self.data_format, self.dilation_rate))


class DepthwiseConv1D(DepthwiseConv):
    __doc__ = DepthwiseConv.__doc__
    rank = 1


class DepthwiseConv2D(DepthwiseConv):
    __doc__ = DepthwiseConv.__doc__
    rank = 2
    strides = (1, 1)
    dilation_rate = (1, 1)


class SeparableConv(BaseConv, abstract=True):
    """A depthwise convolution followed by one that mixes the channels at each place.

    Args:
        filters: number of output channels, at least 1.
        kernel_size, strides, padding, data_format, dilation_rate: of the depthwise part.
        depth_multiplier: channels of the depthwise part for each input channel, at least 1.
        activation: name or function, applied last.
        use_bias: whether to add `bias`.

    Shapes:
        input (batch, *space, channels) -> output (batch, *new space, filters)
        depthwise_kernel (*kernel_size, channels, depth_multiplier), pointwise_kernel (1, ..., channels * depth_multiplier, filters)

    Source: Chollet, "Xception", 2016.
    """

    strides_or_dilation = False
    filters: int
    kernel_size: object
    strides: object = 1
    padding: str = "valid"
    data_format: str | None = None
    dilation_rate: object = 1
    depth_multiplier: int = 1
    activation: Activation = None
    use_bias: bool = True
    depthwise_initializer: Initializer = "glorot_uniform"
    pointwise_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    depthwise_regularizer: Regularizer = None
    pointwise_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    activity_regularizer: Regularizer = None
    depthwise_constraint: Constraint = None
    pointwise_constraint: Constraint = None
    bias_constraint: Constraint = None

    def setup(self):
        super().setup()
        self._check_multiplier()

    def build(self, input_shape):
        channels = self._channels(input_shape)
        between = channels * self.depth_multiplier
        for name, shape in (("depthwise", (*self.kernel_size, channels, self.depth_multiplier)), ("pointwise", (*(1,) * self.rank, between, self.filters))):
            part = {what: getattr(self, f"{name}_{what}") for what in ("initializer", "regularizer", "constraint")}
            setattr(self, f"{name}_kernel", self.add_weight(name=f"{name}_kernel", shape=shape, **part))
        self._add_bias(self.filters)

    def call(self, inputs):
        x, padding = self._padded(inputs)
        return self._finish(ops.separable_conv(x, self.depthwise_kernel, self.pointwise_kernel, self.strides, padding, self.data_format, self.dilation_rate))


class SeparableConv1D(SeparableConv):
    __doc__ = SeparableConv.__doc__
    rank = 1
    paddings = ("valid", "same", "causal")


class SeparableConv2D(SeparableConv):
    __doc__ = SeparableConv.__doc__
    rank = 2
    strides = (1, 1)
    dilation_rate = (1, 1)
