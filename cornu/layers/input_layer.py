"""Where a model begins: `Input` and the layer behind it."""

from cornu import dtypes
from cornu.layers.layer import Layer
from cornu.symbolic import KerasTensor, Node


class InputLayer(Layer):
    """The layer behind `Input`: it passes its input on.

    Args:
        shape: sizes without the batch axis; None where unknown.
        batch_size: size of the batch axis, None for any.
        dtype: name of the type.
        batch_shape: sizes with the batch axis, in place of `shape` and `batch_size`.
        input_tensor: a symbolic tensor to stand for the input.
        optional: whether None may be passed.
        name: name of the input.
    """

    def __init__(
        self, shape=None, batch_size=None, dtype=None, sparse=None, ragged=None, batch_shape=None, input_tensor=None, optional=False, name=None, **kwargs
    ):
        if "batch_input_shape" in kwargs or "input_shape" in kwargs:
            batch_shape = kwargs.pop("batch_input_shape", None) or (batch_size, *kwargs.pop("input_shape"))
            batch_size = None
        super().__init__(name=name)
        if sparse or ragged:
            raise ValueError(f"Input {self.name!r}: sparse and ragged inputs are not supported; make the data dense first.")
        if input_tensor is not None:
            if not isinstance(input_tensor, KerasTensor):
                raise ValueError(f"Input {self.name!r}: `tensor` must be a symbolic tensor, as Input gives; got {type(input_tensor).__name__}.")
            batch_shape, dtype = batch_shape or (input_tensor.shape if shape is None else None), dtype or input_tensor.dtype
        if shape is not None and batch_shape is not None:
            raise ValueError(f"Input {self.name!r}: give `shape` (without the batch axis) or `batch_shape`, not both.")
        if shape is None and batch_shape is None:
            raise ValueError(f"Input {self.name!r}: `shape` is missing: the sizes of one sample, such as Input(shape=(28, 28, 1)).")
        sizes = shape if batch_shape is None else batch_shape
        if not isinstance(sizes, (tuple, list)):
            sizes = (sizes,)
        for size in sizes:
            if size is not None and (not hasattr(size, "__index__") or size < 0):
                raise ValueError(f"Input {self.name!r}: every size is None or a whole number of at least 0; got the shape {tuple(sizes)}.")
        self._batch_shape = tuple(sizes) if batch_shape is not None else (batch_size, *sizes)
        self._batch_shape = tuple(None if size is None else int(size) for size in self._batch_shape)
        self._input_type = dtypes.standardize(dtype)
        self.optional, self.sparse, self.ragged = bool(optional), False, False
        tensor = input_tensor if input_tensor is not None else KerasTensor(self._batch_shape, self._input_type, name=self.name)
        Node(self, (), {}, tensor)
        self.built = True

    batch_shape = property(lambda self: self._batch_shape)
    dtype = property(lambda self: self._input_type)
    compute_dtype = property(lambda self: self._input_type)

    def call(self, x=None):
        return x

    def get_config(self):
        return {
            "batch_shape": self._batch_shape,
            "dtype": self._input_type,
            "sparse": False,
            "ragged": False,
            "name": self.name,
            "optional": self.optional,
        }


def Input(shape=None, batch_size=None, dtype=None, sparse=None, ragged=None, batch_shape=None, name=None, tensor=None, optional=False, **kwargs):
    """A symbolic tensor that stands for the data: what a functional model begins with.

    Args:
        shape: sizes of one sample, without the batch axis; None where any size goes.
        batch_size: size of the batch, None for any.
        dtype: name of the type, `floatx` by default.
        batch_shape: sizes with the batch axis, in place of `shape` and `batch_size`.
        name: name of the input; data given as a dictionary is matched by it.
        optional: whether None may be passed.

    Returns:
        A KerasTensor.

    >>> Input(shape=(28, 28, 1)).shape
    (None, 28, 28, 1)
    """
    layer = InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name, **kwargs)
    return layer._inbound_nodes[0].outputs[0]
