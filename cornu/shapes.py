"""Shapes and types without values: `Spec`, sizes not known yet, and one rule for each family of primitives."""

import math


class Unknown:
    """A size that is not known yet. Any arithmetic on it is unknown too.

    It is equal to None, which is what Keras calls such a size in public, and prints as None.
    """

    __slots__ = ()

    def _unknown(self, *_):
        return DERIVED

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __neg__ = __abs__ = _unknown
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __truediv__ = __rtruediv__ = __pow__ = _unknown

    def __eq__(self, other):
        return other is None or type(other) is Unknown

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
        return "DERIVED" if self is DERIVED else "UNKNOWN"

    def __deepcopy__(self, memo):
        return self


UNKNOWN = Unknown()  # what stands in the shape of a Spec
DERIVED = Unknown()  # what arithmetic gives: no size of a tensor at hand, so `reshape` does not take the two for one


class Open:
    """What an engine's sizes derive from that it knows only when a program runs, and computes with like numbers until then."""

    __slots__ = ()


class NeedsEngine(RuntimeError):
    """A function of an engine was given a Spec: the shapes have to come from that engine's own abstract evaluation."""


class Spec:
    """The shape and type of an array that has no values: what `call` sees while shapes are inferred.

    Args:
        shape: sizes; None or `UNKNOWN` where a size is not known yet.
        dtype: name of the type.
    """

    __slots__ = ("__weakref__", "dtype", "shape")

    def __init__(self, shape, dtype="float32"):
        self.shape = tuple(UNKNOWN if size is None or type(size) is Unknown else size for size in shape)
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

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        raise NeedsEngine("A function of PyTorch was given a Spec.")

    __array__ = __tf_tensor__ = __float__ = __int__ = _needs_engine
    __jax_array__ = property(_needs_engine)  # JAX asks for the attribute, and raises an error of its own where it is found

    def __bool__(self):
        raise TypeError("A tensor without values has no truth value: use ops.cond or ops.where, or compile with run_eagerly=True.")


def public(shape):
    """`shape` as Keras shows it: None for a size that is not known."""
    return tuple(None if unknown(size) or isinstance(size, Open) else size for size in shape)


def unknown(size):
    """Whether `size` is not known; None counts."""
    return size is None or type(size) is Unknown


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


def ranked(shape, op, least, most=math.inf):
    """Check that `shape` has from `least` to `most` axes.

    Raises:
        ValueError: it has not.
    """
    if not least <= len(shape) <= most:
        wanted = f"{least}" if least == most else f"{least} or more" if most == math.inf else f"{least} to {most}"
        raise ValueError(f"{op}: wanted a tensor of {wanted} axes; got the shape {public(shape)}.")


def broadcast(*shapes, op="broadcast"):
    """The shape that all `shapes` broadcast to.

    Raises:
        ValueError: two sizes differ and neither is 1.
    """
    out = []
    for i in range(-max(map(len, shapes), default=0), 0):
        sizes = [s[i] for s in shapes if len(s) >= -i and s[i] != 1]
        known = {size for size in sizes if not unknown(size)}
        if len(known) > 1:
            shown = " and ".join(str(public(s)) for s in shapes)
            raise ValueError(f"{op}: shapes {shown} do not fit together: axis {i} has the sizes {' and '.join(map(str, sorted(known)))}.")
        out.append(known.pop() if known else (UNKNOWN if sizes else 1))
    return tuple(out)


# Rules: the shape that a primitive gives, from the shapes it gets.


def reduce(shape, axes, keepdims):
    """`shape` with `axes` gone, or of size 1 where they are kept."""
    return tuple(1 if i in axes else size for i, size in enumerate(shape) if keepdims or i not in axes)


_INTEGERS = frozenset((int,))


def reshape(shape, new):
    """`new` with its -1 worked out where that can be.

    A size not known in `new` at the place of one not known in `shape` is taken for the same size.

    Raises:
        ValueError: the numbers of elements differ, or more than one size would have to be worked out.
    """
    if _INTEGERS.issuperset(map(type, (*shape, *new))) and math.prod(shape) == math.prod(new) and min(new, default=0) >= 0:
        return tuple(new)
    open_old = [i for i, size in enumerate(shape) if unknown(size)]
    open_new = [i for i, size in enumerate(new) if size is UNKNOWN]
    inferred = [i for i, size in enumerate(new) if not unknown(size) and size == -1]
    shown = f"{public(shape)} to {public(new)}"
    if len(inferred) > 1:
        raise ValueError(f"reshape: at most one size may be -1; got {shown}.")
    if any(not unknown(size) and size < -1 for size in new):
        raise ValueError(f"reshape: sizes are at least 0, or -1 for one to be worked out; got {shown}.")
    have = math.prod(size for size in shape if not unknown(size))
    want = math.prod(size for size in new if not unknown(size) and size != -1)
    if not open_old and len(inferred) + len([size for size in new if unknown(size)]) == 1:
        if want == 0 or have % want:
            raise ValueError(f"reshape: {have} elements do not fill the shape: {shown}.")
        return tuple(have // want if unknown(size) or size == -1 else size for size in new)
    if not open_old and not any(map(unknown, new)) and have != want:
        raise ValueError(f"reshape: {have} elements do not fill a shape of {want}: {shown}.")
    if inferred and open_old and open_old == open_new and len(open_new) == len([size for size in new if unknown(size)]) and want and have % want == 0:
        return tuple(have // want if i in inferred else size for i, size in enumerate(new))
    if not inferred and len(open_old) == 1 and not any(map(unknown, new)):
        if have == 0 or want % have:
            raise ValueError(f"reshape: a shape of {want} elements cannot be filled: {shown}.")
    return tuple(UNKNOWN if unknown(size) or size == -1 else size for size in new)


def broadcast_to(shape, new):
    """`new`, with sizes not known taken from `shape`."""
    if len(shape) > len(new):
        raise ValueError(f"broadcast_to: {public(shape)} has more axes than {public(new)}.")
    padded = (1,) * (len(new) - len(shape)) + tuple(shape)
    for old, size in zip(padded, new, strict=True):
        if not unknown(old) and not unknown(size) and old not in (1, size):
            raise ValueError(f"broadcast_to: {public(shape)} cannot be broadcast to {public(new)}: {old} is neither 1 nor {size}.")
    return tuple(new)


def same(a, b, where):
    """The one size that `a` and `b` both are.

    Raises:
        ValueError: they differ; `where` says whose they are.
    """
    if unknown(a):
        return b
    if not unknown(b) and a != b:
        raise ValueError(f"{where}: the sizes {a} and {b} differ.")
    return a


def concatenate(shapes, axis):
    """The sizes along `axis` added up; the others must agree."""
    first = shapes[0]
    shown = ", ".join(str(public(s)) for s in shapes)
    if any(len(s) != len(first) for s in shapes):
        raise ValueError(f"concatenate: the tensors must have the same number of axes; got the shapes {shown}.")
    out = list(first)
    for i in range(len(first)):
        for other in shapes[1:]:
            out[i] = out[i] + other[i] if i == axis else same(out[i], other[i], f"concatenate along axis {axis}: shapes {shown} differ on axis {i}")
    return tuple(out)


def transpose(shape, axes):
    if sorted(axes) != list(range(len(shape))):
        raise ValueError(f"transpose: wanted each axis of {public(shape)} once; got the axes {tuple(axes)}.")
    return tuple(shape[i] for i in axes)


def pad(shape, widths):
    if len(widths) != len(shape):
        raise ValueError(f"pad: wanted a pair of widths for each of the {len(shape)} axes of {public(shape)}; got {len(widths)}.")
    return tuple(size if pair == (0, 0) else size + pair[0] + pair[1] for size, pair in zip(shape, map(tuple, widths), strict=True))


def slice_size(size, start, stop, stride):
    """How many places `start:stop:stride` takes of `size`; the whole keeps its size."""
    if start in (0, None) and stop is None and stride in (1, None):
        return size
    if any(type(n) is Unknown for n in (size, start, stop)):
        return UNKNOWN
    return len(range(*slice(start, stop, stride).indices(size)))


def take(shape, indices, axis):
    return (*shape[:axis], *indices, *shape[axis + 1 :])


def take_along_axis(shape, indices, axis):
    if len(shape) != len(indices):
        raise ValueError(f"take_along_axis: the indices need as many axes as the tensor; got {public(indices)} for {public(shape)}.")
    rest = broadcast(*((*s[:axis], 1, *s[axis + 1 :]) for s in (shape, indices)), op="take_along_axis")
    return (*rest[:axis], indices[axis], *rest[axis + 1 :])


def getitem(shape, key):
    """The shape of `x[key]`: integers, slices, None, an Ellipsis, tensors or lists of integers or booleans."""
    key = key if type(key) is tuple else (key,)
    parts = [_index(part) for part in key]
    used = sum(n for _, n in parts)
    if used > len(shape):
        raise ValueError(f"get_item: {used} indices are too many for the shape {public(shape)}.")
    gaps = [i for i, (part, _) in enumerate(parts) if part is Ellipsis]
    if len(gaps) > 1:
        raise ValueError("get_item: an index can only have one Ellipsis ('...').")
    rest = [(slice(None), 1)] * (len(shape) - used)
    at = gaps[0] if gaps else len(parts)
    parts = [*parts[:at], *rest, *parts[at + 1 :]]
    out, picked, places, axis = [], [], [], 0
    for place, (part, n) in enumerate(parts):
        if part is None:
            out.append(1)
        elif isinstance(part, slice):
            out.append(slice_size(shape[axis], part.start, part.stop, part.step))
        elif isinstance(part, int):
            if not unknown(shape[axis]) and not -shape[axis] <= part < shape[axis]:
                raise IndexError(f"get_item: index {part} is out of range for axis {axis} of the shape {public(shape)}.")
            places.append((place, len(out), False))
        else:
            picked.append(part)
            places.append((place, len(out), True))
        axis += n
    if not picked:
        return tuple(out)
    ranks = [place for place, _, _ in places]
    together = ranks == list(range(ranks[0], ranks[0] + len(ranks)))
    at = places[0][1] if together else 0
    return (*out[:at], *broadcast(*picked, op="get_item"), *out[at:])


def _index(part):
    """One part of a key as (what it is, how many axes it takes): tensors become their shapes."""
    if part is None:
        return None, 0
    if part is Ellipsis:
        return Ellipsis, 0
    if isinstance(part, slice):
        return part, 1
    if hasattr(part, "shape") and (part.shape or not hasattr(part, "__index__") or "bool" in str(part.dtype)):
        return ((UNKNOWN,), len(part.shape)) if "bool" in str(part.dtype) else (tuple(part.shape), 1)
    if isinstance(part, (list, tuple)):
        sizes, inner = [len(part)], part
        while inner and isinstance(inner[0], (list, tuple)):
            inner = inner[0]
            sizes.append(len(inner))
        return ((UNKNOWN,), len(sizes)) if inner and isinstance(inner[0], bool) else (tuple(sizes), 1)
    if hasattr(part, "__index__"):
        try:
            return part.__index__(), 1
        except TypeError:  # a traced index: some integer
            return (), 1
    raise TypeError(f"get_item: wanted integers, slices, None, '...' or tensors as an index; got {part!r}.")


def matmul(a, b):
    """(..., n, k) by (..., k, m) -> (..., n, m)."""
    if not unknown(a[-1]) and not unknown(b[-2]) and a[-1] != b[-2]:
        raise ValueError(f"matmul: the last axis of {public(a)} has {a[-1]}, the last but one of {public(b)} has {b[-2]}; they must be equal.")
    return (*broadcast(a[:-2], b[:-2], op="matmul"), a[-2], b[-1])


def einsum(equation, shapes):
    """The shape of an equation with an explicit output and no ellipsis."""
    inputs, output = equation.split("->")
    terms = inputs.split(",")
    if len(terms) != len(shapes):
        raise ValueError(f"einsum {equation!r}: {len(terms)} tensors are named, {len(shapes)} came.")
    sizes = {}
    for term, shape in zip(terms, shapes, strict=True):
        if len(term) != len(shape):
            raise ValueError(f"einsum {equation!r}: {term!r} names {len(term)} axes, the tensor's shape is {public(shape)}.")
        for letter, size in zip(term, shape, strict=True):
            known = sizes.get(letter, 1)
            sizes[letter] = (
                size
                if letter not in sizes or (not unknown(known) and known == 1)
                else known
                if not unknown(size) and size == 1
                else same(known, size, f"einsum {equation!r}, axis {letter!r}")
            )
    return tuple(sizes[letter] for letter in output)


def window(size, length, stride=1, padding=(0, 0), dilation=1, op="window"):
    """How many places a window of `length` takes on an axis of `size`.

    Raises:
        ValueError: the window is longer than the padded axis.
    """
    if unknown(size) or any(map(unknown, padding)):
        return UNKNOWN
    room = size + padding[0] + padding[1] - dilation * (length - 1) - 1
    if room < 0:
        raise ValueError(
            f"{op}: a window of {dilation * (length - 1) + 1} does not fit on an axis of {size + padding[0] + padding[1]}. Use padding='same', a smaller window or a larger input."
        )
    return room // stride + 1


def conv(shape, kernel, strides, padding, dilation, groups):
    """(N, *space, C) by (*window, C / groups, filters) -> (N, *space, filters)."""
    space = (window(*args, op="conv") for args in zip(shape[1:-1], kernel[:-2], strides, padding, dilation, strict=True))
    return (shape[0], *space, kernel[-1])


def pool(shape, size, strides, padding, op="pool"):
    return (shape[0], *(window(*args, op=op) for args in zip(shape[1:-1], size, strides, padding, strict=True)), shape[-1])


def paddings(padding, space, lengths, strides, dilation, op="conv"):
    """A (low, high) pair for each spatial axis, from "valid", "same" or pairs.

    "same" is TensorFlow's: ceil(size / stride) places, the odd zero at the end.

    Raises:
        ValueError: another word.
    """
    if not isinstance(padding, str):
        return [tuple(pair) for pair in padding]
    if padding.lower() == "valid":
        return [(0, 0)] * len(space)
    if padding.lower() != "same":
        raise ValueError(f"{op}: padding must be 'valid' or 'same'; got {padding!r}.")
    return [_same_padding(*args) for args in zip(space, lengths, strides, dilation, strict=True)]


def _same_padding(size, length, stride, dilation):
    span = dilation * (length - 1) + 1
    if stride > 1 and unknown(size):
        return UNKNOWN, UNKNOWN
    total = span - 1 if stride == 1 else max((-(-size // stride) - 1) * stride + span - size, 0)
    return total // 2, total - total // 2
