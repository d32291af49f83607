"""The base of losses: what is wanted and what the model says, reduced to one number."""

from cornu import backends, dtype_policies, masks, ops, ranges, scopes, serialization, traceback, tree
from cornu.fields import Configured
from cornu.losses.reduction import REDUCTIONS, reduce


def nested(structure):
    """Whether `structure` is made of several tensors; a list of numbers is one."""
    if isinstance(structure, dict):
        return True
    return isinstance(structure, (list, tuple)) and any(isinstance(x, dict) or len(getattr(x, "shape", ())) > 0 or nested(x) for x in structure)


class Loss(Configured):
    """A number that training makes small. A subclass defines `call(y_true, y_pred)`, which gives a loss a sample (or place).

    Args:
        name: shown in errors and logs.
        reduction: "sum_over_batch_size" or "mean" (the sum over the number of places), "mean_with_sample_weight" (the sum over the sum
            of weights), "sum", or "none" / None (no reduction).
        dtype: type to compute in; `floatx` by default.

    Raises:
        ValueError: another reduction.

    >>> class Cubed(Loss):
    ...     def call(self, y_true, y_pred):
    ...         return ops.mean(ops.abs(y_true - y_pred) ** 3, axis=-1)
    >>> float(Cubed()([[1.0, 2.0]], [[3.0, 2.0]]))
    4.0
    """

    name: str | None = None
    reduction: str | None = "sum_over_batch_size"
    dtype: object = None

    sparse = False  # whether y_true holds class numbers, which keep their type

    def setup(self):
        ranges.one_of(self, "reduction", REDUCTIONS)
        if self.name is not None and not isinstance(self.name, str):
            raise TypeError(f"{type(self).__name__}: name must be text, or None; got {self.name!r} ({type(self.name).__name__}).")
        self.name = self.name or scopes.auto_name(type(self).__name__)
        self._given_dtype = self.dtype
        self.dtype = dtype_policies.computed_in(self, self.dtype)

    @traceback.user_lines
    def __call__(self, y_true, y_pred, sample_weight=None):
        structured = nested(y_pred)
        mask = None if structured else masks.get_mask(y_pred)
        pred = lambda x: ops.convert_to_tensor(x, dtype=self.dtype)
        true = ops.convert_to_tensor if self.sparse else pred
        y_pred = tree.map_structure(pred, y_pred) if structured else pred(y_pred)
        y_true = tree.map_structure(true, y_true) if nested(y_true) else true(y_true)
        values = self.call(y_true, y_pred)
        found = masks.get_mask(values)
        if mask is None or found is None:
            mask = found if mask is None else mask
        else:
            mask = ops.logical_and(mask, found)
        if not hasattr(values, "shape"):
            values = backends.array(values)
        return reduce(values, sample_weight, mask, self.reduction, self.dtype, self.name)

    def call(self, y_true, y_pred):
        """The losses of the samples, without weights and reduction."""
        raise NotImplementedError(f"{type(self).__name__}: a loss defines `call(self, y_true, y_pred)`.")

    def check_targets(self, y_true, y_pred_shape):
        """See on the host that the values of the labels are what this loss can take.

        Args:
            y_true: NumPy array, a batch or all labels.
            y_pred_shape: shape of the model's output, None where a size is not known.

        Raises:
            ValueError: they are not; the message says which and what to do.
        """

    def get_config(self):
        config = super().get_config()
        if config.pop("dtype") is not None and self._given_dtype is not None:
            config["dtype"] = self.dtype
        head = {"name": config.pop("name"), "reduction": config.pop("reduction")}
        return {**head, **config}


class FunctionLoss(Loss):
    """A loss whose losses a function gives: `function(y_true, y_pred, ...)`, with the declared arguments by name."""

    reduction: str | None = "sum_over_batch_size"
    name: str | None = None
    dtype: object = None

    function = None

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls._arguments = tuple(n for n in cls._fields if n not in Loss._fields)

    def call(self, y_true, y_pred):
        return type(self).function(y_true, y_pred, **{name: getattr(self, name) for name in self._arguments})


class LossFunctionWrapper(Loss):
    """A loss made of any function.

    Args:
        fn: `fn(y_true, y_pred, **kwargs)` gives a loss a sample.
        reduction, name, dtype: as in Loss; the name is the function's by default.
        kwargs: more arguments for `fn`.
    """

    def __init__(self, fn, reduction="sum_over_batch_size", name=None, dtype=None, **kwargs):
        super().__init__(name=name or scopes.to_snake_case(getattr(fn, "__name__", type(fn).__name__)), reduction=reduction, dtype=dtype)
        self.fn, self._kwargs = fn, kwargs

    def call(self, y_true, y_pred):
        return self.fn(y_true, y_pred, **self._kwargs)

    def get_config(self):
        return {**super().get_config(), "fn": serialization.serialize_keras_object(self.fn), **serialization.serialize_keras_object(self._kwargs)}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "fn": serialization.deserialize_keras_object(config["fn"])} if isinstance(config.get("fn"), dict) else config)
