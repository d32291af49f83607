"""Sums and means over batches."""

from cornu import dtypes, masks, ops, ranges, serialization, settings
from cornu.losses.loss import nested
from cornu.losses.reduction import align
from cornu.metrics.metric import Metric


def weighted(values, sample_weight, dtype, name, mask=None):
    """Values of a batch and their weights, both of one shape; a mask makes weights of 0.

    Returns:
        values, weights; weights is None where all are 1.
    """
    mask = masks.get_mask(values) if mask is None and not nested(values) else mask
    values = ops.cast(ops.convert_to_tensor(values), dtype)
    factors = [] if sample_weight is None else [(ops.cast(sample_weight, dtype), "sample_weight")]
    if mask is not None:
        factors.append((ops.cast(mask, dtype), "the mask"))
    weights = None
    for factor, what in factors:
        factor = align(factor, values, name, what)
        weights = ops.multiply(ops.ones_like(values) if weights is None else weights, factor)
    return values, weights


def both_masks(y_pred, values):
    """The mask that goes with predictions, and the one that goes with what was computed from them, as one; None for none."""
    first, second = None if nested(y_pred) else masks.get_mask(y_pred), masks.get_mask(values)
    return ops.logical_and(first, second) if first is not None and second is not None else second if first is None else first


class Sum(Metric):
    """The weighted sum of all values.

    Args:
        name, dtype: as in Metric.

    >>> metric = Sum()
    >>> metric.update_state([1.0, 2.0])
    >>> float(metric.result())
    3.0
    """

    name: str | None = "sum"
    dtype: object = None

    def setup(self):
        super().setup()
        self.total = self.add_variable((), "zeros", name="total")

    def update_state(self, values, sample_weight=None):
        values, weights = weighted(values, sample_weight, self.total.dtype, self.name)
        self.total.assign_add(ops.sum(values if weights is None else ops.multiply(values, weights)))

    def result(self):
        return self._cast(self.total)


class Mean(Metric):
    """The weighted mean of all values; 0 before the first.

    A batch's values are averaged over all axes but the first, so each sample counts as one.

    Args:
        name, dtype: as in Metric.

    >>> float(Mean()([1.0, 3.0, 5.0, 7.0], sample_weight=[1, 1, 0, 0]))
    2.0
    """

    name: str | None = "mean"
    dtype: object = None

    def setup(self):
        super().setup()
        kept = None if dtypes.is_float(self.dtype) else settings.floatx()
        self.total = self.add_variable((), "zeros", dtype=kept, name="total")
        self.count = self.add_variable((), "zeros", dtype=kept, name="count")

    def update_state(self, values, sample_weight=None, mask=None):
        if mask is None and getattr(values, "shape", None) == () and isinstance(sample_weight, (int, float)):  # the loss of a batch, by its size
            self.total.assign_add(ops.multiply(ops.cast(values, self.total.dtype), sample_weight))
            self.count.assign_add(float(sample_weight))
            return
        values, weights = weighted(values, sample_weight, self.total.dtype, self.name, mask)
        if weights is None and len(values.shape) == 1 and type(values.shape[0]) is int:
            self.total.assign_add(ops.sum(values))
            self.count.assign_add(float(values.shape[0]))
            return
        weights = ops.ones_like(values) if weights is None else weights
        values = ops.multiply(values, weights)
        if len(values.shape) > 1 and 0 not in values.shape:
            axes = tuple(range(1, len(values.shape)))
            values, weights = ops.mean(values, axis=axes), ops.mean(weights, axis=axes)
        self.total.assign_add(ops.sum(values))
        self.count.assign_add(ops.sum(weights))

    def result(self):
        return self._cast(ops.divide_no_nan(self.total, self.count))


class MeanMetricWrapper(Mean):
    """The mean of what a function gives for each sample.

    Args:
        fn: `fn(y_true, y_pred, **kwargs)`.
        name, dtype: as in Metric; the name is the class's in snake case by default.
        kwargs: more arguments for `fn`.
    """

    def __init__(self, fn, name=None, dtype=None, **kwargs):
        super().__init__(name=name, dtype=dtype)
        self._fn, self._fn_kwargs = fn, kwargs

    def update_state(self, y_true, y_pred, sample_weight=None):
        values = self._fn(y_true, y_pred, **self._fn_kwargs)
        super().update_state(values, sample_weight, mask=both_masks(y_pred, values))

    def get_config(self):
        own = {"fn": self._fn, **self._fn_kwargs} if type(self) is MeanMetricWrapper else self._fn_kwargs  # a subclass brings its function
        return {"name": self.name, "dtype": self.dtype, **serialization.serialize_keras_object(own)}

    @classmethod
    def from_config(cls, config):
        if "fn" in config:
            config = {**config, "fn": serialization.deserialize_keras_object(config["fn"])}
        return cls(**config)


_RANGES = {  # argument of a FunctionMean -> which numbers it may be
    "k": {"least": 1, "whole": True},
    "axis": {"whole": True},
    "threshold": {"least": 0, "most": 1},
    "label_smoothing": {"least": 0, "most": 1},
    "ignore_class": {"whole": True, "optional": True},
}


class FunctionMean(Mean):
    """The mean of `function(y_true, y_pred, ...)`, with the declared arguments by name."""

    name: str | None = None
    dtype: object = None

    function = None

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls._arguments = tuple(n for n in cls._fields if n not in Metric._fields)

    def setup(self):
        super().setup()
        for name in self._arguments:
            if name in _RANGES:
                ranges.check(self, name, **_RANGES[name])

    def update_state(self, y_true, y_pred, sample_weight=None):
        values = type(self).function(y_true, y_pred, **{name: getattr(self, name) for name in self._arguments})
        super().update_state(values, sample_weight, mask=both_masks(y_pred, values))
