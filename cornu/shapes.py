"""Shapes and types without values: `Spec`, sizes not known yet, and one rule for each family of primitives."""

import math


class Unknown:
    """A size that is not known yet. Any arithmetic on it is unknown too.

    It is equal to None, which is what Keras calls such a size in public, and prints as None.
    """

    __slots__ = ()

    def _unknown(self, *_):
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __neg__ = __abs__ = _unknown
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __truediv__ = __rtruediv__ = __pow__ = _unknown

    def __eq__(self, other):
        return other is None or other is self

    def __hash__(self):
        return hash(None)

    def __bool__(self):
        return False

    def __repr__(self):
        return "None"

    def __index__(self):
        raise TypeError("A size that is not known before the data comes was used as a number. Give the size in Input(...), or compute with ops.")

    __int__ = __index__

    def __reduce__(self):
        return "UNKNOWN"

    def __deepcopy__(self, memo):
        return self


UNKNOWN = Unknown()


class NeedsEngine(RuntimeError):
    """A function of an engine was given a Spec: the shapes have to come from that engine's own abstract evaluation."""


class Spec:
    """The shape and type of an array that has no values: what `call` sees while shapes are inferred.

    Args:
        shape: sizes; None or `UNKNOWN` where a size is not known yet.
        dtype: name of the type.
    """

    __slots__ = ("shape", "dtype", "__weakref__")

    def __init__(self, shape, dtype="float32"):
        self.shape = tuple(UNKNOWN if size is None else size for size in shape)
        self.dtype = dtype

    @property
    def ndim(self):
        return len(self.shape)

    rank = ndim

    @property
    def size(self):
        return math.prod(self.shape)

    def __len__(self):
        return self.shape[0].__index__()

    def __repr__(self):
        return f"Spec({self.shape}, {self.dtype})"

    def _needs_engine(self, *args, **kwargs):
        raise NeedsEngine("A function of an engine was given a Spec.")

    __array__ = __torch_function__ = __tf_tensor__ = __float__ = __int__ = _needs_engine
    __jax_array__ = property(_needs_engine)  # JAX asks for the attribute, and raises an error of its own where it is found

    def __bool__(self):
        raise TypeError("A tensor without values has no truth value: use ops.cond or ops.where, or compile with run_eagerly=True.")


def public(shape):
    """`shape` as Keras shows it: None for a size that is not known."""
    return tuple(None if size is UNKNOWN else size for size in shape)


def normalize_axis(axis, ndim, op="axis"):
    """`axis` as a number from 0 to ndim - 1.

    Raises:
        ValueError: outside -ndim to ndim - 1.
    """
    if not -ndim <= axis < ndim:
        raise ValueError(f"{op}: axis {axis} is out of range for a tensor of {ndim} axes.")
    return int(axis) % ndim


def normalize_axes(axis, ndim, op="axis"):
    """A tuple of axes from an int, a sequence or None (all axes)."""
    if axis is None:
        return tuple(range(ndim))
    axes = (axis,) if hasattr(axis, "__index__") else tuple(axis)
    axes = tuple(normalize_axis(a, ndim, op) for a in axes)
    if len(set(axes)) < len(axes):
        raise ValueError(f"{op}: an axis is named twice in {axis}.")
    return axes


def broadcast(*shapes, op="broadcast"):
    """The shape that all `shapes` broadcast to.

    Raises:
        ValueError: two sizes differ and neither is 1.
    """
    out = []
    for i in range(-max(map(len, shapes), default=0), 0):
        sizes = [s[i] for s in shapes if len(s) >= -i and s[i] != 1]
        known = {size for size in sizes if size is not UNKNOWN}
        if len(known) > 1:
            shown = " and ".join(str(public(s)) for s in shapes)
            raise ValueError(f"{op}: shapes {shown} do not fit together: axis {i} has the sizes {' and '.join(map(str, sorted(known)))}.")
        out.append(known.pop() if known else (UNKNOWN if sizes else 1))
    return tuple(out)
