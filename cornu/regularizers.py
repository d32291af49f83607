"""Penalties on weights that training adds to the loss."""

from cornu import fields, ops, registry
from cornu.fields import Configured


class Regularizer(Configured):
    """Gives a scalar penalty for a weight. A subclass defines `__call__(x)`."""

    def __call__(self, x):
        raise TypeError(f"{type(self).__name__}: a regularizer defines `__call__(self, x)`.")

    def _checked_factors(self, *names):
        for name in names:
            value = getattr(self, name)
            value = type(self)._fields[name][1] if value is None else value
            if isinstance(value, (str, bytes)) or not 0 <= float(value) < float("inf"):
                raise ValueError(f"{type(self).__name__}: {name} must be a finite number of at least 0; got {value!r}.")
            setattr(self, name, float(value))


class L1L2(Regularizer):
    """`l1` times the sum of absolute values plus `l2` times the sum of squares.

    Args:
        l1, l2: factors, at least 0.

    Raises:
        ValueError: a factor is negative or not finite.
    """

    l1: float = 0.0
    l2: float = 0.0

    def setup(self):
        self._checked_factors("l1", "l2")

    def __call__(self, x):
        penalty = ops.multiply(ops.sum(ops.abs(x)), self.l1) if self.l1 or not self.l2 else 0.0
        return ops.add(penalty, ops.multiply(ops.sum(ops.square(x)), self.l2)) if self.l2 else penalty


class L1(Regularizer):
    """`l1` times the sum of absolute values.

    Args:
        l1: factor, at least 0.
    """

    l1: float = 0.01

    def setup(self):
        self._checked_factors("l1")

    def __call__(self, x):
        return ops.multiply(ops.sum(ops.abs(x)), self.l1)


class L2(Regularizer):
    """`l2` times the sum of squares.

    Args:
        l2: factor, at least 0.
    """

    l2: float = 0.01

    def setup(self):
        self._checked_factors("l2")

    def __call__(self, x):
        return ops.multiply(ops.sum(ops.square(x)), self.l2)


class OrthogonalRegularizer(Regularizer):
    """`factor` times the mean absolute cosine between the rows (or columns) of a matrix, taken two by two.

    Args:
        factor: at least 0.
        mode: "rows" or "columns".

    Raises:
        ValueError: another mode, or a weight that is not a matrix.
    """

    factor: float = 0.01
    mode: str = "rows"

    def setup(self):
        self._checked_factors("factor")
        if self.mode not in ("rows", "columns"):
            raise ValueError(f"OrthogonalRegularizer: mode must be 'rows' or 'columns'; got {self.mode!r}.")

    def __call__(self, x):
        x = ops.convert_to_tensor(x)
        if x.ndim != 2:
            raise ValueError(f"OrthogonalRegularizer: wanted a matrix; got a weight of shape {tuple(x.shape)}.")
        rows = x if self.mode == "rows" else ops.transpose(x)
        rows = ops.divide(rows, ops.sqrt(ops.maximum(ops.sum(ops.square(rows), axis=1, keepdims=True), 1e-12)))
        cosines = ops.abs(ops.matmul(rows, ops.transpose(rows)))
        count = rows.shape[0]
        apart = ops.multiply(cosines, ops.subtract(1.0, ops.eye(count, dtype=x.dtype)))
        return ops.divide(ops.multiply(ops.sum(apart), self.factor), count * (count - 1))


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer

get, _serialize, deserialize = registry.namespace("regularizers", [L1L2, L1, L2, OrthogonalRegularizer])


def serialize(regularizer):
    """The config of a regularizer, as files hold it."""
    return _serialize(regularizer)


fields.converter("regularizer", get, serialize)
