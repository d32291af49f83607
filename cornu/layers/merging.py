"""Layers that make one tensor of several."""

import functools
import math

from cornu import ops, shapes
from cornu.layers.layer import Layer


class Merge(Layer, abstract=True):
    """An elementwise merge of a list of tensors, whose shapes broadcast; `merge(x, y)` combines two."""

    def setup(self):
        self.supports_masking = True

    def build(self, input_shape):
        if not isinstance(input_shape, (list, tuple)) or not input_shape or not isinstance(input_shape[0], (list, tuple)):
            raise ValueError(f"{self._label()} merges a list of tensors; got one of shape {input_shape}. Call it as {type(self).__name__}()([x, y]).")
        if len(input_shape) < 1 or (type(self) is Subtract and len(input_shape) != 2):
            raise ValueError(f"{self._label()} takes exactly 2 tensors; got {len(input_shape)}.")
        batches = {shape[0] for shape in input_shape if len(shape)} - {None}
        if len(batches) > 1 and 1 not in batches:
            raise ValueError(f"{self._label()}: the tensors have different batch sizes: {sorted(batches)}.")

    def call(self, inputs):
        inputs = self._aligned(inputs)
        try:
            return functools.reduce(self.merge, inputs)
        except ValueError as error:
            shown = " and ".join(str(shapes.public(x.shape)) for x in inputs)
            raise ValueError(f"{self._label()}: tensors of the shapes {shown} cannot be merged element by element. {error}") from None

    def _aligned(self, inputs):
        """The inputs with as many axes each: those that have fewer get axes of size 1 after the batch."""
        most = max(x.ndim for x in inputs)
        return [x if x.ndim == most else ops.reshape(x, (x.shape[0], *(1,) * (most - x.ndim), *x.shape[1:])) for x in inputs]

    def compute_mask(self, inputs, previous_mask=None):
        """A place counts where it counts in any of the tensors; no mask where one of them has none."""
        found = list(previous_mask or ())
        return functools.reduce(ops.logical_or, found) if found and all(m is not None for m in found) else None


def _to_rank(mask, rank):
    """`mask` with as many axes, by axes of size 1 at its end."""
    return mask if len(mask.shape) >= rank else ops.expand_dims(mask, axis=list(range(len(mask.shape), rank)))


class Add(Merge):
    """The sum of a list of tensors."""

    def merge(self, x, y):
        return ops.add(x, y)


class Subtract(Merge):
    """The first of two tensors minus the second."""

    def merge(self, x, y):
        return ops.subtract(x, y)


class _OfReal(Merge, abstract=True):
    """A merge in which a masked place counts as `neutral`, and as `blank` gives it where all are masked."""

    neutral = 1.0

    def blank(self, inputs):
        return self._aligned(inputs)[0]

    def call(self, inputs, mask=None):
        found = list(mask or ())
        if not any(m is not None for m in found):
            return super().call(inputs)
        real = [x if m is None else ops.where(_to_rank(m, x.ndim), x, self.neutral) for x, m in zip(inputs, found)]
        merged, anywhere = super().call(real), self.compute_mask(inputs, found)
        return merged if anywhere is None else ops.where(_to_rank(anywhere, merged.ndim), merged, self.blank(inputs))


class Multiply(_OfReal):
    """The product of a list of tensors, element by element; a masked place counts as 1, or as 0 where all are masked."""

    def merge(self, x, y):
        return ops.multiply(x, y)

    def blank(self, inputs):
        return 0.0


class Average(Merge):
    """The mean of a list of tensors, element by element."""

    def merge(self, x, y):
        return ops.add(x, y)

    def call(self, inputs):
        return ops.divide(super().call(inputs), len(inputs))


class Maximum(_OfReal):
    """The larger of a list of tensors, element by element; a masked place does not count; where all are masked it is that of the first."""

    neutral = -math.inf

    def merge(self, x, y):
        return ops.maximum(x, y)


class Minimum(_OfReal):
    """The smaller of a list of tensors, element by element; a masked place does not count; where all are masked it is that of the first."""

    neutral = math.inf

    def merge(self, x, y):
        return ops.minimum(x, y)


class Concatenate(Merge):
    """Tensors laid side by side.

    Args:
        axis: the axis along which they may differ and are joined.
    """

    axis: int = -1

    def build(self, input_shape):
        super().build(input_shape)
        ranks = {len(shape) for shape in input_shape}
        if len(ranks) > 1:
            raise ValueError(f"{self._label()}: the tensors must have as many axes each; got the shapes {input_shape}.")
        rank = ranks.pop()
        axis = shapes.normalize_axis(self.axis, rank, self._label())
        for i in range(rank):
            sizes = {shape[i] for shape in input_shape} - {None}
            if i != axis and len(sizes) > 1:
                raise ValueError(f"{self._label()}: the shapes may differ on axis {self.axis} alone; got {input_shape}.")

    def call(self, inputs):
        return ops.concatenate(inputs, axis=self.axis)

    def compute_mask(self, inputs, previous_mask=None):
        if previous_mask is None or all(m is None for m in previous_mask):
            return None
        parts = []
        for x, mask in zip(inputs, previous_mask):
            everywhere = ops.ones_like(x, dtype="bool")
            parts.append(everywhere if mask is None else ops.logical_and(everywhere, _to_rank(mask, len(x.shape))))
        return ops.any(ops.concatenate(parts, axis=self.axis), axis=-1)


class Dot(Merge):
    """The sum of products of two tensors along an axis of each, sample by sample.

    Args:
        axes: one axis for both, or a pair; 0 is the batch.
        normalize: whether to scale both to length 1 along the axis first (cosine similarity).

    Shapes:
        (batch, ..., n, ...), (batch, ..., n, ...) -> (batch, the rest of the first, the rest of the second)
    """

    axes: object
    normalize: bool = False

    def setup(self):
        super().setup()
        pair = (self.axes,) * 2 if isinstance(self.axes, int) else self.axes
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not all(hasattr(axis, "__index__") for axis in pair):
            raise ValueError(f"{self._label()}: axes must be a whole number or a pair of them; got {self.axes!r}.")

    def build(self, input_shape):
        super().build(input_shape)
        if len(input_shape) != 2:
            raise ValueError(f"{self._label()} takes exactly 2 tensors; got {len(input_shape)}.")
        a, b = self._axes(*map(len, input_shape))
        x, y = input_shape
        if None not in (x[a], y[b]) and x[a] != y[b]:
            raise ValueError(f"{self._label()}: the sizes along the axes {self.axes} differ: {x[a]} of {x} and {y[b]} of {y}.")

    def _axes(self, *ranks):
        pair = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        return [shapes.normalize_axis(axis, rank, self._label()) for axis, rank in zip(pair, ranks)]

    def call(self, inputs):
        x, y = inputs
        a, b = self._axes(x.ndim, y.ndim)
        if self.normalize:
            x, y = ops.normalize(x, axis=a), ops.normalize(y, axis=b)
        letters = "bcdefghijklmnopq"
        left = "a" + letters[: x.ndim - 1]
        right = "a" + letters[x.ndim - 1 : x.ndim + y.ndim - 2]
        right = right[:b] + left[a] + right[b + 1 :]
        out = "a" + "".join(c for c in left[1:] + right[1:] if c != left[a])
        z = ops.einsum(f"{left},{right}->{out}", x, y)
        return ops.expand_dims(z, -1) if z.ndim == 1 else z

    def compute_mask(self, inputs, previous_mask=None):
        return None


def _function_of(layer):
    def merge(inputs, **kwargs):
        return layer(**kwargs)(inputs)

    merge.__name__ = merge.__qualname__ = layer.__name__.lower()
    merge.__doc__ = f"{layer.__doc__.splitlines()[0]} As the layer `{layer.__name__}`, called at once.\n\n    Args:\n        inputs: list of tensors.\n    "
    return merge


add, subtract, multiply, average, maximum, minimum = map(_function_of, (Add, Subtract, Multiply, Average, Maximum, Minimum))


def concatenate(inputs, axis=-1, **kwargs):
    """Tensors laid side by side, as the layer `Concatenate`, called at once."""
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs, axes=-1, **kwargs):
    """The sum of products along an axis of each, as the layer `Dot`, called at once."""
    return Dot(axes=axes, **kwargs)(inputs)
