"""Activations that are layers of their own."""

from cornu import activations, backends, ops, shapes
from cornu.fields import Constraint, Initializer, Regularizer
from cornu.layers.input_spec import InputSpec
from cornu.layers.layer import Layer


class _Pointwise(Layer, abstract=True):
    def setup(self):
        self.supports_masking = True
        for name in ("negative_slope", "alpha", "max_value"):
            value = getattr(self, name, None)
            if isinstance(value, (int, float)) and value < 0:
                raise ValueError(f"{self._label()}: {name} must be at least 0; got {value}.")


class ReLU(_Pointwise):
    """`x` above the threshold, a slope below it, at most `max_value`.

    Args:
        max_value: upper bound of the output, at least 0; None for none.
        negative_slope: slope below the threshold, at least 0.
        threshold: where the slope begins.
    """

    max_value: float | None = None
    negative_slope: float = 0.0
    threshold: float = 0.0

    def setup(self):
        if self.negative_slope is None or self.threshold is None:
            raise ValueError(f"{self._label()}: negative_slope and threshold must be numbers; got {self.negative_slope} and {self.threshold}.")
        super().setup()

    def call(self, inputs):
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)


class LeakyReLU(_Pointwise):
    """`x` above 0, `negative_slope * x` below.

    Args:
        negative_slope: at least 0.

    Source: Maas et al., "Rectifier Nonlinearities Improve Neural Network Acoustic Models", 2013.
    """

    negative_slope: float = 0.3

    def _take(self, kwargs):
        if "alpha" in kwargs:
            kwargs["negative_slope"] = kwargs.pop("alpha")
        return super()._take(kwargs)

    def call(self, inputs):
        return ops.leaky_relu(inputs, self.negative_slope)


class ELU(_Pointwise):
    """`x` above 0, `alpha * (exp(x) - 1)` below.

    Args:
        alpha: at least 0.

    Source: Clevert et al., "Fast and Accurate Deep Network Learning by Exponential Linear Units", 2015.
    """

    alpha: float = 1.0

    def call(self, inputs):
        return ops.elu(inputs, self.alpha)


class PReLU(_Pointwise):
    """`x` above 0, `alpha * x` below, with a learned `alpha` for each place.

    Args:
        shared_axes: axes along which one `alpha` serves, counted from 1 (0 is the batch).

    Source: He et al., "Delving Deep into Rectifiers", 2015.
    """

    alpha_initializer: Initializer = "Zeros"
    alpha_regularizer: Regularizer = None
    alpha_constraint: Constraint = None
    shared_axes: object = None

    def setup(self):
        super().setup()
        if self.shared_axes is not None and not isinstance(self.shared_axes, (list, tuple)):
            self.shared_axes = [self.shared_axes]
        if not all(hasattr(axis, "__index__") and axis >= 1 for axis in self.shared_axes or ()):
            raise ValueError(f"{self._label()}: shared_axes must hold whole numbers of at least 1 (0 is the batch); got {self.shared_axes}.")

    def build(self, input_shape):
        shape = list(input_shape[1:])
        for axis in self.shared_axes or ():
            if axis > len(shape):
                raise ValueError(f"{self._label()}: shared_axes has {axis}, but the input's shape is {input_shape}.")
            shape[axis - 1] = 1
        self.alpha = self.add_weight(name="alpha", shape=tuple(shape), initializer=self.alpha_initializer)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={i: n for i, n in enumerate(input_shape) if i and i not in (self.shared_axes or ())})

    def call(self, inputs):
        return ops.add(ops.relu(inputs), ops.multiply(self.alpha, ops.minimum(inputs, 0)))


class Softmax(_Pointwise):
    """`exp(x) / sum(exp(x))` along an axis; masked places get no share.

    Args:
        axis: one axis or several.
    """

    axis: object = -1

    def setup(self):
        super().setup()
        axes = self.axis if isinstance(self.axis, (list, tuple)) else [self.axis]
        if not axes or not all(hasattr(axis, "__index__") for axis in axes):
            raise ValueError(f"{self._label()}: axis must be a whole number, or several of them; got {self.axis!r}.")

    def build(self, input_shape):
        for axis in self.axis if isinstance(self.axis, (list, tuple)) else [self.axis]:
            shapes.normalize_axis(axis, len(input_shape), self._label())

    def call(self, inputs, mask=None):
        if mask is None:
            return self._share(inputs)
        dtype = backends.kind(inputs)
        here = ops.cast(mask, dtype)
        lowest = -3e4 if dtype == "float16" else -1e9
        shares = self._share(ops.add(inputs, ops.multiply(ops.subtract(1.0, here), lowest)))
        return ops.multiply(shares, here)  # nothing where all is masked

    def _share(self, inputs):
        axis = self.axis if isinstance(self.axis, int) else tuple(self.axis)
        if isinstance(axis, int) or len(axis) == 1:
            return ops.softmax(inputs, axis=axis if isinstance(axis, int) else axis[0])
        return ops.exp(ops.subtract(inputs, ops.logsumexp(inputs, axis=axis, keepdims=True)))
