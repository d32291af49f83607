"""Dense, Activation, Lambda, Masking, Identity, wrappers of one layer."""

import inspect

from cornu import ops, regularizers, serialization
from cornu.fields import Activation as ActivationField
from cornu.fields import Constraint, Initializer, Nested, Regularizer
from cornu.layers.input_spec import InputSpec
from cornu.layers.layer import Layer
from cornu.layers.lora import LowRank


class Dense(LowRank):
    """Multiply the last axis by a matrix, add a bias, apply an activation.

    Args:
        units: size of the output's last axis, at least 1.
        activation: name or function, applied last. None leaves the sum as it is.
        use_bias: whether to add `bias`.
        lora_rank: number of columns of a low-rank addition to the frozen kernel (Hu et al., "LoRA", 2021); None for none.
        lora_alpha: the addition is scaled by `lora_alpha / lora_rank`; `lora_rank` by default.

    Shapes:
        input (batch, ..., features) -> output (batch, ..., units)
        kernel (features, units), bias (units,)

    Raises:
        ValueError: the size of the input's last axis is not known.

    >>> Dense(2, kernel_initializer="ones")([[1.0, 2.0, 3.0]])
    Array([[6., 6.]], dtype=float32)
    """

    units: int
    activation: ActivationField = None
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
    quantization_config: object = None

    def setup(self):
        if self.units < 1:
            raise ValueError(f"{self._label()}: units must be at least 1; got {self.units}.")
        if self.quantization_config is not None:
            raise ValueError(f"{self._label()}: quantization_config is not supported; leave it out.")
        self._check_rank()
        self.supports_masking = True
        self.input_spec = InputSpec(min_ndim=2)

    def build(self, input_shape):
        features = input_shape[-1]
        self._kernel = self.add_weight(name="kernel", shape=(features, self.units))
        self.bias = self.add_weight(name="bias", shape=(self.units,)) if self.use_bias else None
        self.input_spec = InputSpec(min_ndim=2, axes={-1: features})
        self._begin_lora()

    kernel = property(LowRank._with_addition, doc="The matrix (features, units), the low-rank addition included.")

    def call(self, inputs, training=None):
        x = ops.matmul(inputs, self.kernel)
        if self.bias is not None:
            x = ops.add(x, self.bias)
        return self.activation(x)

    def get_config(self):
        config = super().get_config()
        if config["activity_regularizer"] is None:
            config.pop("activity_regularizer")
        return config


class Activation(Layer):
    """Apply an activation.

    Args:
        activation: name or function.

    Shapes:
        any -> the same
    """

    activation: ActivationField

    def setup(self):
        self.supports_masking = True

    def call(self, inputs):
        return self.activation(inputs)


class Identity(Layer):
    """Pass the input on."""

    def setup(self):
        self.supports_masking = True

    def call(self, inputs):
        return inputs


class ActivityRegularization(Layer):
    """Add a penalty on the input, averaged over the batch, to the loss and pass the input on.

    Args:
        l1: factor of the sum of absolute values, at least 0.
        l2: factor of the sum of squares, at least 0.
    """

    l1: float = 0.0
    l2: float = 0.0

    def setup(self):
        self.supports_masking = True
        for name in ("l1", "l2"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{self._label()}: {name} must be a finite number of at least 0; got {getattr(self, name)}.")
        self.activity_regularizer = regularizers.L1L2(l1=self.l1, l2=self.l2)

    def call(self, inputs):
        return inputs

    def get_config(self):
        config = super().get_config()
        config.pop("activity_regularizer", None)
        return config


class Lambda(Layer):
    """A function as a layer.

    Args:
        function: `f(x)`; it may take `mask` and `training` too. Its output's shape is found by running it on shapes.
        output_shape: not needed; accepted for old scripts.
        mask: the mask of the output, or a function `f(inputs, mask)` that gives it.
        arguments: dictionary of more keyword arguments.

    A model with a Lambda of a lambda expression cannot be saved: a file holds no code. Use a function with a name that is registered.
    """

    function: object
    output_shape: object = None
    mask: object = None
    arguments: object = None

    def setup(self):
        if not callable(self.function):
            raise ValueError(f"{self._label()}: function must be callable; got {type(self.function).__name__}.")
        if not isinstance(self.arguments, (dict, type(None))):
            raise TypeError(f"{self._label()}: arguments must be a dictionary of keyword arguments; got {type(self.arguments).__name__}.")
        self.arguments = dict(self.arguments or {})
        self.supports_masking = self.mask is not None
        parameters = inspect.signature(self.function).parameters
        self._optional = [name for name in ("mask", "training") if name in parameters and name not in self.arguments]

    def call(self, inputs, mask=None, training=None):
        offered = {"mask": mask, "training": training}
        return self.function(inputs, **self.arguments, **{name: offered[name] for name in self._optional})

    def compute_mask(self, inputs, previous_mask=None):
        return self.mask(inputs, previous_mask) if callable(self.mask) else self.mask

    def get_config(self):
        if getattr(self.function, "__name__", "") == "<lambda>":
            raise ValueError(
                f"{self._label()} holds a lambda, which cannot be written to a file. Define a function with `def`, decorate it with "
                "@cornu.saving.register_keras_serializable(), and give that to Lambda."
            )
        config = super().get_config()
        config["function"] = serialization.serialize_keras_object(self.function)
        config.pop("output_shape")
        config["mask"] = serialization.serialize_keras_object(self.mask)
        return config

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for name in ("function", "mask"):
            if isinstance(config.get(name), dict):
                config[name] = serialization.deserialize_keras_object(config[name])
        function = config.get("function")
        if not callable(function):
            raise serialization.UnsafeFileError(
                f"Lambda {config.get('name')!r}: the file holds code or an unknown function ({str(function)[:60]!r}), and a file's code is never run. "
                "Register the function, or pass it in custom_objects under that name."
            )
        return cls(**{k: v for k, v in config.items() if k not in ("function_type", "module", "output_shape_type", "output_shape_module")})


class Masking(Layer):
    """Mask the steps of a sequence whose features all have one value.

    Args:
        mask_value: that value.

    Shapes:
        input (batch, steps, features) -> the same; masked steps become 0
    """

    mask_value: float = 0.0

    def setup(self):
        self.supports_masking = True

    def compute_mask(self, inputs, previous_mask=None):
        return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)

    def call(self, inputs):
        return ops.where(ops.any(ops.not_equal(inputs, self.mask_value), axis=-1, keepdims=True), inputs, 0.0)


class Wrapper(Layer):
    """A layer around another one.

    Args:
        layer: the layer inside.
    """

    layer: Nested

    def setup(self):
        if not isinstance(self.layer, Layer):
            raise ValueError(f"{self._label()}: layer must be a layer; got {type(self.layer).__name__}.")

    def build(self, input_shape=None):
        if not self.layer.built:
            self.layer._run_build({"input_shape": input_shape})
