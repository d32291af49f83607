"""What weights have to keep to: projections applied after each update."""

from cornu import fields, ops, registry, settings
from cornu.fields import Configured


class Constraint(Configured):
    """Gives the nearest allowed value of a weight. A subclass defines `__call__(w)`."""

    def __call__(self, w):
        raise TypeError(f"{type(self).__name__}: a constraint defines `__call__(self, w)`.")


def _check(constraint, *bounds):
    """Raise where `axis` is no axis, or a bound is negative."""
    cls, axis = type(constraint).__name__, constraint.axis
    if not all(hasattr(a, "__index__") for a in (axis if isinstance(axis, (list, tuple)) else (axis,))):
        raise TypeError(f"{cls}: axis must be a whole number, or several of them; got {axis!r}.")
    for name in bounds:
        if not getattr(constraint, name) >= 0:
            raise ValueError(f"{cls}: {name} must be at least 0; got {getattr(constraint, name)}.")


def _norms(w, axis):
    axis = tuple(axis) if isinstance(axis, list) else axis
    return ops.sqrt(ops.sum(ops.square(w), axis=axis, keepdims=True))


def _scaled(w, norms, wanted):
    return ops.multiply(w, ops.divide(wanted, ops.add(norms, settings.epsilon())))


class MaxNorm(Constraint):
    """Scale down what has a larger norm than `max_value`.

    Args:
        max_value: largest norm.
        axis: axis or axes along which norms are taken: 0 for the inputs of each unit of a Dense layer, [0, 1, 2] for each filter of a Conv2D.

    Source: Srivastava et al., "Dropout", 2014, section 5.1.
    """

    max_value: float = 2
    axis: object = 0

    def setup(self):
        _check(self, "max_value")

    def __call__(self, w):
        norms = _norms(w, self.axis)
        return _scaled(w, norms, ops.clip(norms, 0, self.max_value))


class MinMaxNorm(Constraint):
    """Scale what has a norm outside of `min_value` to `max_value` towards that range.

    Args:
        min_value: smallest norm.
        max_value: largest norm.
        rate: how much of the way at each update: 1 for all of it.
        axis: axis or axes along which norms are taken.
    """

    min_value: float = 0.0
    max_value: float = 1.0
    rate: float = 1.0
    axis: object = 0

    def setup(self):
        _check(self, "min_value", "max_value")
        if not self.min_value <= self.max_value:
            raise ValueError(f"MinMaxNorm: min_value must be at most max_value; got {self.min_value} and {self.max_value}.")
        if not 0 <= self.rate <= 1:
            raise ValueError(f"MinMaxNorm: rate must be from 0 to 1; got {self.rate}.")

    def __call__(self, w):
        norms = _norms(w, self.axis)
        inside = ops.clip(norms, self.min_value, self.max_value)
        return _scaled(w, norms, ops.add(ops.multiply(inside, self.rate), ops.multiply(norms, 1 - self.rate)))


class NonNeg(Constraint):
    """Set negative elements to 0."""

    def __call__(self, w):
        return ops.maximum(w, 0)


class UnitNorm(Constraint):
    """Scale to norm 1.

    Args:
        axis: axis or axes along which norms are taken.
    """

    axis: object = 0

    def setup(self):
        _check(self)

    def __call__(self, w):
        return ops.divide(w, ops.add(_norms(w, self.axis), settings.epsilon()))


max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm

get, _serialize, deserialize = registry.namespace("constraints", [MaxNorm, MinMaxNorm, NonNeg, UnitNorm])


def serialize(constraint):
    """The config of a constraint, as files hold it."""
    return _serialize(constraint)


fields.converter("constraint", get, serialize)
