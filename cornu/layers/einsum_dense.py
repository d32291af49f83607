"""The dense layer over any axes."""

import re

from cornu import ops
from cornu.fields import Activation, Constraint, Initializer, Regularizer
from cornu.layers.lora import LowRank

_FORM = re.compile(r"(\.\.\.)?[a-zA-Z]*(\.\.\.)?,[a-zA-Z]+->(\.\.\.)?[a-zA-Z]*(\.\.\.)?")


class EinsumDense(LowRank):
    """A dense layer whose product is any einsum.

    Args:
        equation: such as "abc,cd->abd"; an ellipsis stands for any axes.
        output_shape: sizes of the output without the batch; None where the input gives them.
        activation: name or function, applied last.
        bias_axes: letters of the output's axes that the bias has; None for no bias.
        lora_rank, lora_alpha: as in Dense.

    Shapes:
        as the equation says; kernel has the axes of its second operand

    Raises:
        ValueError: an equation of another form, a letter in `bias_axes` that the output lacks, or a size that is not known.

    >>> EinsumDense("abc,cd->abd", output_shape=(None, 2), kernel_initializer="ones")([[[1.0, 2.0, 3.0]]])
    Array([[[6., 6.]]], dtype=float32)
    """

    equation: str
    output_shape: object
    activation: Activation = None
    bias_axes: str | None = None
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    bias_constraint: Constraint = None
    lora_rank: int | None = None
    lora_alpha: float | None = None
    gptq_unpacked_column_size: object = None
    quantization_config: object = None
    activity_regularizer: Regularizer = None

    def setup(self):
        label = self._label()
        equation = self.equation.replace(" ", "") if isinstance(self.equation, str) else ""
        if not _FORM.fullmatch(equation):
            raise ValueError(f"{label}: equation must look like 'abc,cd->abd'; got {self.equation!r}.")
        self.equation = equation
        if self.quantization_config is not None:
            raise ValueError(f"{label}: quantization_config is not supported here; leave it out.")
        self._check_rank()
        shape = self.output_shape
        shape = (shape,) if hasattr(shape, "__index__") or shape is None else tuple(shape) if isinstance(shape, (list, tuple)) else (shape,)
        if not all(size is None or (hasattr(size, "__index__") and size >= 0) for size in shape):
            raise ValueError(f"{label}: output_shape must hold sizes or None; got {self.output_shape!r}.")
        self.output_shape = self.partial_output_shape = shape
        output = equation.split("->")[1]
        strange = [letter for letter in self.bias_axes or "" if letter not in output]
        if strange:
            raise ValueError(f"{label}: bias_axes has {strange[0]!r}, which is no axis of the output in {equation!r}.")

    def build(self, input_shape):
        left, kernel, out = re.split(",|->", self.equation)
        left, out = (self._spelled(part, len(input_shape)) for part in (left, out))
        if len(left) != len(input_shape):
            raise ValueError(f"{self._label()}: {self.equation!r} wants an input of {len(left)} axes; got the shape {input_shape}.")
        sizes = dict(zip(left, input_shape))
        given = self.partial_output_shape
        if "..." not in self.equation and len(given) != len(out) - 1:
            raise ValueError(f"{self._label()}: output_shape must have {len(out) - 1} sizes, one for each axis of {out!r} but the batch; got {given}.")
        open_axes = len(out) - len(given) if "->..." in self.equation else 1
        for letter, size in zip(out[open_axes:], given):
            if size is not None:
                if sizes.get(letter) not in (None, size):
                    raise ValueError(f"{self._label()}: output_shape says {size} for the axis {letter!r}, but the input's is {sizes[letter]}.")
                sizes[letter] = size
            elif letter not in left:
                raise ValueError(f"{self._label()}: output_shape leaves the axis {letter!r} open, which the input does not have; got {given}.")
        missing = [letter for letter in kernel if sizes.get(letter) is None]
        if missing:
            raise ValueError(
                f"{self._label()}: the size of the axis {missing[0]!r} of the kernel is not known from the input shape {input_shape} and output_shape {given}."
            )
        self.full_output_shape = tuple(sizes.get(letter) for letter in out)
        self._kernel = self.add_weight(name="kernel", shape=tuple(sizes[letter] for letter in kernel))
        self.bias = None
        if self.bias_axes:
            first = min(out.index(letter) for letter in self.bias_axes)
            self.bias = self.add_weight(name="bias", shape=tuple(sizes[letter] if letter in self.bias_axes else 1 for letter in out[first:]))
        self._begin_lora()

    kernel = property(LowRank._with_addition, doc="The second operand, the low-rank addition included.")

    def _spelled(self, part, rank):
        """`part` of the equation with letters in place of the ellipsis."""
        if "..." not in part:
            return part
        left = self.equation.split(",")[0]
        count = rank - len(left.replace("...", ""))
        return part.replace("...", "0123456789"[:count])

    def call(self, inputs, training=None):
        x = ops.einsum(self.equation, inputs, self.kernel)
        if self.bias is not None:
            x = ops.add(x, self.bias)
        return self.activation(x)

    def get_config(self):
        config = super().get_config()
        if config["gptq_unpacked_column_size"] is None:
            config.pop("gptq_unpacked_column_size")
        return config
