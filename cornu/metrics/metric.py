"""The base of metrics: sums that grow with each batch, and a result computed from them."""

import numpy as np

from cornu import dtype_policies, dtypes, initializers, ops, scopes, traceback
from cornu.fields import Configured
from cornu.variable import Variable


class Metric(Configured):
    """A measure over many batches. A subclass makes variables, adds to them in `update_state`, and gives `result()`.

    Args:
        dtype: type of the result; `floatx` by default. Sums are kept in float32 at least.
        name: shown in logs; the class's name in snake case by default.

    >>> class Largest(Metric):
    ...     def __init__(self, name="largest", **kwargs):
    ...         super().__init__(name=name, **kwargs)
    ...         self.seen = self.add_variable((), "zeros", name="seen")
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.seen.assign(ops.maximum(self.seen, ops.max(y_pred)))
    ...     def result(self):
    ...         return self.seen.value
    >>> float(Largest()([0.0, 1.0], [3.0, 2.0]))
    3.0
    """

    dtype: object = None
    name: str | None = None

    def __new__(cls, *args, **kwargs):
        self = super().__new__(cls)
        object.__setattr__(self, "_variables", [])
        object.__setattr__(self, "_inner", [])
        return self

    def setup(self):
        if self.name is not None and not isinstance(self.name, str):
            raise TypeError(f"{type(self).__name__}: name must be text, or None; got {self.name!r} ({type(self.name).__name__}).")
        self.name = self.name or scopes.auto_name(type(self).__name__)
        self.dtype = dtype_policies.computed_in(self, self.dtype)

    def __setattr__(self, name, value):
        if isinstance(value, Variable) and not any(value is v for v in self._variables):
            self._variables.append(value)
        elif isinstance(value, Metric) and not any(value is m for m in self._inner):
            self._inner.append(value)
        object.__setattr__(self, name, value)

    def add_variable(self, shape, initializer, dtype=None, aggregation="sum", layout=None, name=None):
        """A variable that `reset_state` sets to zeros.

        Args:
            shape: tuple of sizes.
            initializer: name or object, of what it begins with.
            dtype: the metric's by default, but float32 at least.
            name: last part of its path.
        """
        if dtype is None:
            dtype = dtypes.result(self.dtype, "float32") if dtypes.is_float(self.dtype) else self.dtype
        with scopes.name_scope(self.name.replace("/", "|"), caller=self):
            made = Variable(
                initializers.get(initializer or "zeros"),
                tuple(shape),
                dtype,
                trainable=False,
                autocast=False,
                aggregation=aggregation,
                layout=layout,
                name=name,
            )
        self._variables.append(made)
        return made

    def add_weight(self, shape=(), initializer=None, dtype=None, name=None):
        """As `add_variable`."""
        return self.add_variable(shape, initializer, dtype, name=name)

    @property
    def variables(self):
        """The metric's variables, then those of the metrics among its attributes."""
        return [*self._variables, *(v for inner in self._inner for v in inner.variables)]

    def reset_state(self):
        """Set all variables to zeros."""
        for variable in self.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))

    def update_state(self, *args, **kwargs):
        """Add what a batch says to the variables."""
        raise NotImplementedError(f"{type(self).__name__}: a metric defines `update_state(self, y_true, y_pred, sample_weight=None)`.")

    def result(self):
        """The measure of all that was added: a tensor, or a dictionary of tensors."""
        raise NotImplementedError(f"{type(self).__name__}: a metric defines `result(self)`.")

    @traceback.user_lines
    def __call__(self, *args, **kwargs):
        self.update_state(*args, **kwargs)
        return self.result()

    def _state(self, values):
        variables = self.variables
        if len(values) != len(variables):
            raise ValueError(f"{type(self).__name__} {self.name!r} has {len(variables)} variables; got {len(values)} values for them.")
        return scopes.StatelessScope(state_mapping=list(zip(variables, values)))

    def _values(self):
        return [variable.value for variable in self.variables]

    def stateless_update_state(self, metric_variables, *args, **kwargs):
        """The values of the variables after a batch, from their values before; the metric itself stays as it is.

        Args:
            metric_variables: a value for each of `variables`, in order.
            args, kwargs: as for `update_state`.
        """
        with self._state(metric_variables):
            self.update_state(*args, **kwargs)
            return self._values()

    def stateless_result(self, metric_variables):
        """The result for given values of the variables."""
        with self._state(metric_variables):
            return self.result()

    def stateless_reset_state(self):
        """The values that `reset_state` gives the variables."""
        with scopes.StatelessScope():
            self.reset_state()
            return self._values()

    def get_config(self):
        config = super().get_config()
        head = {"name": config.pop("name"), "dtype": config.pop("dtype")}
        return {**head, **config}

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name}>"

    def _cast(self, x):
        """A result in the metric's type, if that is a float type."""
        return ops.cast(x, self.dtype) if dtypes.is_float(self.dtype) else x
