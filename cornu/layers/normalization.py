"""Layers that bring values to a common scale."""

import math

import numpy as np

from cornu import backends, ops, shapes
from cornu.fields import Constraint, Initializer, Regularizer
from cornu.layers.input_spec import InputSpec
from cornu.layers.layer import Layer
from cornu.ops.normalization import normalize_by_batch


def _wide(x):
    """`x` in a type wide enough for sums of squares, and its own type."""
    dtype = backends.kind(x)
    return (ops.cast(x, "float32"), dtype) if dtype in ("float16", "bfloat16") else (x, dtype)


class BatchNormalization(Layer):
    """Bring each channel to mean 0 and variance 1: of the batch in training, of running averages otherwise; then scale and shift.

    Args:
        axis: the channel axis, -1 for channels last, 1 for channels first.
        momentum: share of the old running average, from 0 to 1.
        epsilon: added to the variance, above 0.
        center, scale: whether to add `beta`, to multiply by `gamma`.
        synchronized: accepted; on one device there is nothing to synchronize.

    Shapes:
        any -> the same; gamma, beta, moving_mean, moving_variance (channels,)

    Source: Ioffe and Szegedy, "Batch Normalization", 2015. A frozen layer (`trainable = False`) uses the running averages in training too.
    """

    axis: int = -1
    momentum: float = 0.99
    epsilon: float = 0.001
    center: bool = True
    scale: bool = True
    beta_initializer: Initializer = "zeros"
    gamma_initializer: Initializer = "ones"
    moving_mean_initializer: Initializer = "zeros"
    moving_variance_initializer: Initializer = "ones"
    beta_regularizer: Regularizer = None
    gamma_regularizer: Regularizer = None
    beta_constraint: Constraint = None
    gamma_constraint: Constraint = None
    renorm: bool = False
    renorm_clipping: object = None
    renorm_momentum: float = 0.99
    synchronized: bool = False

    def _convert(self, name, annotation, value):
        if name == "axis" and isinstance(value, (list, tuple)) and len(value) == 1:
            value = value[0]
        return super()._convert(name, annotation, value)

    def setup(self):
        self.supports_masking = True
        if not 0 <= self.momentum <= 1:
            raise ValueError(f"{self._label()}: momentum must be from 0 to 1; got {self.momentum}.")
        check_epsilon(self)
        if self.renorm:
            raise ValueError(f"{self._label()}: renorm=True is not supported; leave it out.")

    def build(self, input_shape):
        axis = shapes.normalize_axis(self.axis, len(input_shape), self._label())
        shape = (input_shape[axis],)
        if shape[0] is None:
            raise ValueError(f"{self._label()}: the size of axis {self.axis} must be known; got the shape {input_shape}.")
        self.gamma = self.add_weight(name="gamma", shape=shape) if self.scale else None
        self.beta = self.add_weight(name="beta", shape=shape) if self.center else None
        self.moving_mean = self.add_weight(name="moving_mean", shape=shape, trainable=False, autocast=False)
        self.moving_variance = self.add_weight(name="moving_variance", shape=shape, trainable=False, autocast=False)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={axis: shape[0]})

    def call(self, inputs, training=None, mask=None):
        x, dtype = _wide(inputs)
        axis = self.axis % x.ndim
        if mask is not None and tuple(mask.shape) != tuple(x.shape[: mask.ndim]) and len(mask.shape) > x.ndim:
            raise ValueError(f"{self._label()}: a mask of shape {shapes.public(mask.shape)} does not fit an input of shape {shapes.public(x.shape)}.")
        kind = backends.kind(x)
        given = {
            "offset": None if self.beta is None else ops.cast(self.beta, kind),
            "scale": None if self.gamma is None else ops.cast(self.gamma, kind),
            "epsilon": self.epsilon,
        }
        if not (training and self.trainable):
            out = ops.batch_normalization(x, ops.cast(self.moving_mean, kind), ops.cast(self.moving_variance, kind), axis, **given)
        elif mask is None:
            out, *found = normalize_by_batch(x, axis, **given)
            self._keep(*found)
        else:
            mean, variance = self._moments(x, axis, mask)
            out = ops.batch_normalization(x, mean, variance, axis, **given)
            self._keep(mean, variance)
        return ops.cast(out, dtype)

    def _keep(self, mean, variance):
        """Have the running averages move towards the moments of a batch."""
        for average, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign(ops.add(ops.multiply(average, self.momentum), ops.multiply(ops.cast(new, average.dtype), 1 - self.momentum)))

    def _moments(self, x, axis, mask):
        others = tuple(i for i in range(x.ndim) if i != axis)
        weights = ops.cast(mask, backends.kind(x))
        weights = ops.reshape(weights, (*weights.shape, *(1,) * (x.ndim - weights.ndim)))
        weights = ops.broadcast_to(weights, tuple(1 if i == axis else size for i, size in enumerate(x.shape)))
        total = ops.add(ops.sum(weights), 1e-12)
        mean = ops.divide(ops.sum(ops.multiply(x, weights), axis=others, keepdims=True), total)
        variance = ops.divide(ops.sum(ops.multiply(ops.square(ops.subtract(x, mean)), weights), axis=others), total)
        return ops.reshape(mean, (x.shape[axis],)), variance


def check_epsilon(layer):
    """Raise ValueError where `epsilon` of a layer is negative."""
    if not layer.epsilon >= 0:
        raise ValueError(f"{layer._label()}: epsilon must be at least 0; got {layer.epsilon}.")


def axis_list(axis, label):
    """`axis`, one or several, as a list."""
    axis = [axis] if isinstance(axis, int) else list(axis) if isinstance(axis, (list, tuple)) else axis
    if not isinstance(axis, list) or not all(isinstance(a, int) for a in axis):
        raise TypeError(f"{label}: axis must be a whole number or a list of them; got {axis!r}.")
    return axis


class LayerNormalization(Layer):
    """Bring each sample to mean 0 and variance 1 along its last axis (or axes), then scale and shift.

    Args:
        axis: axis or axes to normalize over.
        epsilon: added to the variance, above 0.
        center, scale: whether to add `beta`, to multiply by `gamma`.

    Shapes:
        any -> the same; gamma, beta: the sizes along `axis`

    Source: Ba et al., "Layer Normalization", 2016.
    """

    axis: object = -1
    epsilon: float = 0.001
    center: bool = True
    scale: bool = True
    beta_initializer: Initializer = "zeros"
    gamma_initializer: Initializer = "ones"
    beta_regularizer: Regularizer = None
    gamma_regularizer: Regularizer = None
    beta_constraint: Constraint = None
    gamma_constraint: Constraint = None

    def _take(self, kwargs):
        if kwargs.pop("rms_scaling", False):
            raise ValueError(f"{type(self).__name__}: rms_scaling is a layer of its own: RMSNormalization().")
        return super()._take(kwargs)

    def setup(self):
        self.supports_masking = True
        self.axis = axis_list(self.axis, self._label())
        check_epsilon(self)

    def build(self, input_shape):
        shape = tuple(input_shape[axis] for axis in self._axes(len(input_shape)))
        if None in shape:
            raise ValueError(f"{self._label()}: the sizes along axis {self.axis} must be known; got the shape {input_shape}.")
        self.gamma = self.add_weight(name="gamma", shape=shape, autocast=False) if self.scale else None
        self.beta = self.add_weight(name="beta", shape=shape, autocast=False) if self.center else None

    def _axes(self, rank):
        return [shapes.normalize_axis(a, rank, self._label()) for a in self.axis]

    def call(self, inputs):
        axes = self._axes(inputs.ndim)
        return ops.layer_normalization(inputs, self.gamma, self.beta, axis=axes[0] if len(axes) == 1 else axes, epsilon=self.epsilon)

    def get_config(self):
        return {**super().get_config(), "rms_scaling": False}


class RMSNormalization(Layer):
    """Scale each sample so that the mean of its squares is 1 along the last axis, then by a learned factor.

    Args:
        axis: axis or axes to normalize over.
        epsilon: added to the mean of squares, above 0.

    Source: Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019.
    """

    axis: object = -1
    epsilon: float = 1e-6

    def setup(self):
        self.supports_masking = True
        self.axis = axis_list(self.axis, self._label())
        check_epsilon(self)

    def build(self, input_shape):
        axes = [shapes.normalize_axis(a, len(input_shape), self._label()) for a in self.axis]
        self.scale = self.add_weight(name="scale", shape=tuple(input_shape[a] for a in axes), initializer="ones")

    def call(self, inputs):
        return ops.rms_normalization(inputs, self.scale, axis=tuple(self.axis), epsilon=self.epsilon)


class GroupNormalization(Layer):
    """Bring each group of channels of each sample to mean 0 and variance 1, then scale and shift each channel.

    Args:
        groups: number of groups, which must divide the channels; -1 makes every channel a group.
        axis: the channel axis.
        epsilon: added to the variance, above 0.
        center, scale: whether to add `beta`, to multiply by `gamma`.

    Source: Wu and He, "Group Normalization", 2018.
    """

    groups: int = 32
    axis: int = -1
    epsilon: float = 0.001
    center: bool = True
    scale: bool = True
    beta_initializer: Initializer = "zeros"
    gamma_initializer: Initializer = "ones"
    beta_regularizer: Regularizer = None
    gamma_regularizer: Regularizer = None
    beta_constraint: Constraint = None
    gamma_constraint: Constraint = None

    def setup(self):
        self.supports_masking = True
        check_epsilon(self)
        if self.groups < 1 and self.groups != -1:
            raise ValueError(f"{self._label()}: groups must be at least 1, or -1 for as many as channels; got {self.groups}.")

    def build(self, input_shape):
        axis = shapes.normalize_axis(self.axis, len(input_shape), self._label())
        channels = input_shape[axis]
        if channels is None:
            raise ValueError(f"{self._label()}: the size of axis {self.axis} must be known; got the shape {input_shape}.")
        self.groups = channels if self.groups == -1 else self.groups
        if self.groups < 1 or channels % self.groups:
            raise ValueError(f"{self._label()}: {channels} channels cannot be parted into {self.groups} groups of one size.")
        self.gamma = self.add_weight(name="gamma", shape=(channels,)) if self.scale else None
        self.beta = self.add_weight(name="beta", shape=(channels,)) if self.center else None
        self.input_spec = InputSpec(ndim=len(input_shape), axes={axis: channels})

    def call(self, inputs):
        x, dtype = _wide(inputs)
        shape, axis = x.shape, self.axis % x.ndim
        channels = shape[axis]
        x = ops.reshape(x, (*shape[:axis], self.groups, channels // self.groups, *shape[axis + 1 :]))
        others = tuple(i for i in range(1, x.ndim) if i != axis)
        mean, variance = ops.moments(x, axes=others, keepdims=True)
        x = ops.multiply(ops.subtract(x, mean), ops.rsqrt(ops.add(variance, self.epsilon)))
        x = ops.reshape(x, shape)
        place = tuple(channels if i == axis else 1 for i in range(len(shape)))
        if self.gamma is not None:
            x = ops.multiply(x, ops.reshape(ops.cast(self.gamma, backends.kind(x)), place))
        if self.beta is not None:
            x = ops.add(x, ops.reshape(ops.cast(self.beta, backends.kind(x)), place))
        return ops.cast(x, dtype)


class UnitNormalization(Layer):
    """Scale each sample to length 1.

    Args:
        axis: axis or axes over which the length is taken.
    """

    axis: object = -1

    def setup(self):
        self.supports_masking = True
        if not isinstance(self.axis, int):
            self.axis = axis_list(self.axis, self._label())

    def build(self, input_shape):
        for axis in [self.axis] if isinstance(self.axis, int) else self.axis:
            shapes.normalize_axis(axis, len(input_shape), self._label())

    def call(self, inputs):
        return ops.normalize(inputs, axis=self.axis if isinstance(self.axis, int) else tuple(self.axis), order=2, epsilon=1e-12)


class Rescaling(Layer):
    """`x * scale + offset`.

    Args:
        scale: factor (a number, or one for each channel); 1 / 255 brings pixels to 0 to 1.
        offset: what is added.
    """

    scale: object
    offset: object = 0.0

    def setup(self):
        self.supports_masking = True

    def call(self, inputs):
        dtype = self.compute_dtype
        x = ops.cast(inputs, dtype)
        scale, offset = (v if isinstance(v, (int, float)) else ops.cast(v, dtype) for v in (self.scale, self.offset))
        return ops.add(ops.multiply(x, scale), offset)


class Normalization(Layer):
    """Bring each feature to mean 0 and variance 1, by statistics that `adapt` takes from the data or that are given.

    Args:
        axis: axis or axes whose places have statistics of their own; None for one mean and variance for all.
        mean, variance: the statistics, in place of `adapt`.
        invert: whether to do the opposite: from normalized values back.
    """

    axis: object = -1
    mean: object = None
    variance: object = None
    invert: bool = False

    def setup(self):
        self.supports_masking = True
        self.axis = None if self.axis is None else tuple(axis_list(self.axis, self._label()))
        if (self.mean is None) != (self.variance is None):
            raise ValueError(f"{self._label()}: give both mean and variance, or neither; got mean={self.mean} and variance={self.variance}.")
        self.input_mean, self.input_variance = self.mean, self.variance

    def build(self, input_shape):
        rank = len(input_shape)
        keep = sorted(shapes.normalize_axis(a, rank, self._label()) for a in self.axis or ())
        if 0 in keep:
            raise ValueError(f"{self._label()}: axis must not hold 0, the batch.")
        for axis in keep:
            if input_shape[axis] is None:
                raise ValueError(f"{self._label()}: the size of axis {axis} must be known; got the shape {input_shape}.")
        self._kept = keep
        self._others = tuple(i for i in range(rank) if i not in keep)
        self._place = tuple(input_shape[i] if i in keep else 1 for i in range(rank))
        if self.input_mean is None:
            shape = tuple(input_shape[i] for i in keep)
            self.adapt_mean = self.add_weight(name="mean", shape=shape, initializer="zeros", trainable=False)
            self.adapt_variance = self.add_weight(name="variance", shape=shape, initializer="ones", trainable=False)
            self.count = self.add_weight(name="count", shape=(), dtype="int32", initializer="zeros", trainable=False)
            self.built = True
            self.finalize_state()
        else:
            fit = lambda v: (
                np.broadcast_to(np.asarray(v, "float32"), self._place)
                if np.ndim(v) == 0 or np.size(v) != math.prod(self._place)
                else np.reshape(np.asarray(v, "float32"), self._place)
            )
            self.mean, self.variance = fit(self.input_mean), fit(self.input_variance)

    def adapt(self, data):
        """Take the statistics from `data`: an array, or an iterable of batches."""
        if hasattr(data, "shape") or isinstance(data, (list, tuple)):
            data = [backends.numpy(data)]
        total, mean, second = 0, None, None
        for batch in data:
            batch = backends.numpy(batch[0] if isinstance(batch, (list, tuple)) else batch)
            if not self.built:
                self._run_build({"input_shape": (None, *batch.shape[1:])})
            if self.input_mean is not None:
                raise ValueError(f"{self._label()}: mean and variance were given, so there is nothing to adapt.")
            x = np.asarray(batch, "float64")
            n = math.prod(x.shape[i] for i in self._others)
            if n == 0:
                continue
            here, spread = x.mean(self._others), x.var(self._others)
            if mean is None:
                mean, second, total = here, spread * n, n
                continue
            delta = here - mean  # Chan et al., "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", 1979
            second = second + spread * n + delta**2 * (total * n / (total + n))
            mean, total = mean + delta * (n / (total + n)), total + n
        if mean is None:
            raise ValueError(f"{self._label()}.adapt: the data is empty.")
        self.adapt_mean.assign(mean.astype("float32"))
        self.adapt_variance.assign((second / total).astype("float32"))
        self.finalize_state()

    def finalize_state(self):
        """Make the adapted statistics those that `call` uses."""
        if self.input_mean is None and self.built:
            self.mean = np.reshape(self.adapt_mean.numpy(), self._place)
            self.variance = np.reshape(self.adapt_variance.numpy(), self._place)

    def call(self, inputs):
        dtype = self.compute_dtype
        x = ops.cast(inputs, dtype)
        if self.input_mean is None:
            mean, variance = (ops.reshape(v, self._place) for v in (self.adapt_mean, self.adapt_variance))
        else:
            mean, variance = self.mean, self.variance
        mean, deviation = ops.cast(mean, dtype), ops.maximum(ops.sqrt(ops.cast(variance, dtype)), 1e-7)
        if self.invert:
            return ops.add(mean, ops.multiply(x, deviation))
        return ops.divide(ops.subtract(x, mean), deviation)

    def load_own_variables(self, store):
        super().load_own_variables(store)
        self.finalize_state()

    def get_config(self):
        config = super().get_config()
        config["mean"], config["variance"] = (None if v is None else np.asarray(v).tolist() for v in (self.input_mean, self.input_variance))
        return config
