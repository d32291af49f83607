"""Ops that move elements to other places: reshape, transpose, join, split, pad, repeat, turn."""

import numpy as np

from cornu import dtypes, shapes
from cornu.backends import array, canonical, kind, numpy
from cornu.backends import protocol as p
from cornu.ops.dispatch import op, settle
from cornu.ops.elementwise import where
from cornu.ops.making import _sizes, cast
from cornu.shapes import normalize_axes, normalize_axis, unknown


@op
def reshape(x, newshape):
    """The same elements, in their order, in another shape. One size may be -1 or None: what remains; more Nones keep the size at their place.

    >>> ops.reshape([1, 2, 3, 4], (2, -1)).tolist()
    [[1, 2], [3, 4]]

    Raises:
        ValueError: the number of elements does not fit.
    """
    if hasattr(newshape, "__index__") and not getattr(newshape, "shape", ()):
        newshape = (newshape,)
    new = tuple(n if unknown(n) or isinstance(n, shapes.Open) else int(n) for n in newshape)
    if sum(unknown(n) or n == -1 for n in new) == 1:
        new = tuple(-1 if n is None else n for n in new)
    new = tuple(x.shape[i] if n is None else n for i, n in enumerate(new))
    return p.reshape(x, shapes.reshape(tuple(x.shape), new))


@op
def ravel(x):
    """All elements on one axis.

    >>> ops.ravel([[1, 2], [3, 4]]).tolist()
    [1, 2, 3, 4]
    """
    return p.reshape(x, (-1,))


@op
def squeeze(x, axis=None):
    """Take away axes of size 1: those named, or all.

    >>> ops.squeeze([[1, 2]]).tolist()
    [1, 2]

    Raises:
        ValueError: a named axis has another size.
    """
    axes = [i for i, n in enumerate(x.shape) if n == 1] if axis is None else normalize_axes(axis, x.ndim, "squeeze")
    for a in axes:
        if not unknown(x.shape[a]) and x.shape[a] != 1:
            raise ValueError(f"squeeze: axis {a} of the shape {shapes.public(x.shape)} has the size {x.shape[a]}, not 1.")
    return p.reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in axes))


@op
def expand_dims(x, axis):
    """Put in a new axis of size 1 (several, where `axis` is a list), counted in the result.

    >>> ops.expand_dims([1, 2], 0).tolist()
    [[1, 2]]
    """
    axes = (axis,) if hasattr(axis, "__index__") else tuple(axis)
    axes = normalize_axes(axes, x.ndim + len(axes), "expand_dims")
    sizes = iter(x.shape)
    return p.reshape(x, tuple(1 if i in axes else next(sizes) for i in range(x.ndim + len(axes))))


@op
def transpose(x, axes=None):
    """The axes in another order, reversed by default.

    >>> ops.transpose([[1, 2], [3, 4]]).tolist()
    [[1, 3], [2, 4]]
    """
    axes = tuple(reversed(range(x.ndim))) if axes is None else tuple(normalize_axis(a, x.ndim, "transpose") for a in axes)
    return p.transpose(x, shapes.transpose(tuple(range(x.ndim)), axes))


@op
def moveaxis(x, source, destination):
    """Move axes to other places; the others stay in their order.

    >>> ops.moveaxis(ops.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    source, destination = (normalize_axes(a, x.ndim, "moveaxis") for a in (source, destination))
    if len(source) != len(destination):
        raise ValueError(f"moveaxis: {len(source)} axes cannot go to {len(destination)} places.")
    order = [i for i in range(x.ndim) if i not in source]
    for place, axis in sorted(zip(destination, source, strict=True)):
        order.insert(place, axis)
    return p.transpose(x, tuple(order))


@op
def swapaxes(x, axis1, axis2):
    """Two axes in each other's place.

    >>> ops.swapaxes(ops.zeros((2, 3, 4)), 0, 2).shape
    (4, 3, 2)
    """
    order = list(range(x.ndim))
    a, b = normalize_axis(axis1, x.ndim, "swapaxes"), normalize_axis(axis2, x.ndim, "swapaxes")
    order[a], order[b] = b, a
    return p.transpose(x, tuple(order))


@op
def broadcast_to(x, shape):
    """`x` repeated along axes of size 1, and along new first axes, to fill `shape`.

    >>> ops.broadcast_to([1, 2], (2, 2)).tolist()
    [[1, 2], [1, 2]]
    """
    shape = _sizes(shape, "broadcast_to")
    return p.broadcast_to(x, shapes.broadcast_to(tuple(x.shape), shape))


def _settled(xs, name):
    if not isinstance(xs, (list, tuple)):
        xs = unstack(xs)
    if not xs:
        raise ValueError(f"{name}: wanted one tensor at least; got none.")
    return settle(*xs)[0]


@op(sequence=True)
def concatenate(xs, axis=0):
    """Join tensors along an axis that they have; their other sizes are equal.

    >>> ops.concatenate([[1, 2], [3]]).tolist()
    [1, 2, 3]
    """
    xs = _settled(xs, "concatenate")
    axis = normalize_axis(axis, xs[0].ndim, "concatenate")
    if any(type(x) is shapes.Spec for x in xs) or len({x.ndim for x in xs}) > 1:
        shapes.concatenate([tuple(x.shape) for x in xs], axis)
    return p.concatenate(list(xs), axis)


@op(sequence=True)
def stack(x, axis=0):
    """Join tensors of one shape along a new axis.

    >>> ops.stack([[1, 2], [3, 4]], axis=1).tolist()
    [[1, 3], [2, 4]]
    """
    xs = _settled(x, "stack")
    axis = normalize_axis(axis, xs[0].ndim + 1, "stack")
    if any(len(x.shape) != len(xs[0].shape) for x in xs):
        raise ValueError(f"stack: the tensors must have one shape; got {', '.join(str(shapes.public(x.shape)) for x in xs)}.")
    return p.concatenate([p.reshape(x, (*x.shape[:axis], 1, *x.shape[axis:])) for x in xs], axis)


@op
def unstack(x, num=None, axis=0):
    """The list of the parts of `x` along `axis`, which goes away.

    >>> [part.tolist() for part in ops.unstack([[1, 2], [3, 4]])]
    [[1, 2], [3, 4]]

    Raises:
        ValueError: the size of that axis is not known and `num` is not given.
    """
    axis = normalize_axis(axis, x.ndim, "unstack")
    num = x.shape[axis] if num is None else num
    if unknown(num):
        raise ValueError(f"unstack: the size of axis {axis} of {shapes.public(x.shape)} is not known; give `num`.")
    rest = (*x.shape[:axis], *x.shape[axis + 1 :])
    return [p.reshape(_cut(x, axis, i, i + 1), rest) for i in range(num)]


def _cut(x, axis, start, stop, stride=1):
    """`x[start:stop:stride]` along one axis."""
    n = x.ndim
    return p.slice(
        x, [start if i == axis else 0 for i in range(n)], [stop if i == axis else None for i in range(n)], [stride if i == axis else 1 for i in range(n)]
    )


@op
def split(x, indices_or_sections, axis=0):
    """Cut `x` along `axis`: into a number of equal parts, or before each of a list of places.

    >>> [part.tolist() for part in ops.split([1, 2, 3, 4], [1, 3])]
    [[1], [2, 3], [4]]

    Raises:
        ValueError: the parts cannot be equal.
    """
    axis = normalize_axis(axis, x.ndim, "split")
    size = x.shape[axis]
    if hasattr(indices_or_sections, "__index__") and not getattr(indices_or_sections, "shape", ()):
        parts = int(indices_or_sections)
        if parts < 1 or (not unknown(size) and size % parts):
            raise ValueError(f"split: axis {axis} of the shape {shapes.public(x.shape)} has the size {size}, which is not a multiple of {parts}.")
        if parts == 1:
            return [x]
        length = size // parts
        places = [length * i for i in range(1, parts)]
    else:
        places = [int(i) for i in indices_or_sections]
    starts, stops = [0, *places], [*places, size]
    return [_cut(x, axis, start, stop) for start, stop in zip(starts, stops, strict=True)]


@op
def array_split(x, indices_or_sections, axis=0):
    """As `split`, but the first parts may be longer by one.

    >>> [part.tolist() for part in ops.array_split([1, 2, 3], 2)]
    [[1, 2], [3]]
    """
    if not hasattr(indices_or_sections, "__index__"):
        return split(x, indices_or_sections, axis)
    size, parts = x.shape[normalize_axis(axis, x.ndim, "array_split")], int(indices_or_sections)
    if unknown(size):
        return split(x, parts, axis)
    lengths = [size // parts + (i < size % parts) for i in range(parts)]
    return split(x, np.cumsum(lengths)[:-1].tolist(), axis)


@op
def hsplit(x, indices_or_sections):
    """`split` along the second axis, or the only one.

    >>> [part.tolist() for part in ops.hsplit([[1, 2], [3, 4]], 2)]
    [[[1], [3]], [[2], [4]]]
    """
    return split(x, indices_or_sections, 0 if x.ndim == 1 else 1)


@op
def vsplit(x, indices_or_sections):
    """`split` along the first axis.

    >>> [part.tolist() for part in ops.vsplit([[1, 2], [3, 4]], 2)]
    [[[1, 2]], [[3, 4]]]
    """
    return split(x, indices_or_sections, 0)


@op
def dsplit(x, indices_or_sections):
    """`split` along the third axis.

    >>> [part.shape for part in ops.dsplit(ops.zeros((1, 2, 4)), 2)]
    [(1, 2, 2), (1, 2, 2)]
    """
    return split(x, indices_or_sections, 2)


@op(sequence=True)
def hstack(xs):
    """Join along the second axis, or the only one.

    >>> ops.hstack([[1, 2], [3]]).tolist()
    [1, 2, 3]
    """
    xs = [p.reshape(x, (1,)) if x.ndim == 0 else x for x in _settled(xs, "hstack")]
    return concatenate(xs, 0 if xs[0].ndim == 1 else 1)


@op(sequence=True)
def vstack(xs):
    """Join along the first axis, vectors as rows.

    >>> ops.vstack([[1, 2], [3, 4]]).tolist()
    [[1, 2], [3, 4]]
    """
    return concatenate([p.reshape(x, (1, *(x.shape or (1,)))) if x.ndim < 2 else x for x in _settled(xs, "vstack")], 0)


@op(sequence=True)
def dstack(xs):
    """Join along the third axis.

    >>> ops.dstack([[1, 2], [3, 4]]).tolist()
    [[[1, 3], [2, 4]]]
    """
    xs = [p.reshape(x, (1, *(x.shape or (1,)))) if x.ndim < 2 else x for x in _settled(xs, "dstack")]
    return concatenate([p.reshape(x, (*x.shape, 1)) if x.ndim == 2 else x for x in xs], 2)


@op(tensors=0)
def append(x1, x2, axis=None):
    """`x2` after `x1` along `axis`; both flattened by default.

    >>> ops.append([1, 2], [3]).tolist()
    [1, 2, 3]
    """
    dtype = canonical(dtypes.result(kind(x1), kind(x2)))
    x1, x2 = array(x1, dtype), array(x2, dtype)
    return concatenate([ravel(x1), ravel(x2)]) if axis is None else concatenate([x1, x2], axis)


@op
def pad(x, pad_width, mode="constant", constant_values=None):
    """Put elements before and after those of each axis.

    Args:
        pad_width: (before, after), or a list with such a pair for each axis, or one number.
        mode: "constant", "reflect" (mirrored about the last element), "symmetric" (mirrored about the edge) or "edge".
        constant_values: the value for "constant", 0 by default.

    >>> ops.pad([1, 2, 3], 1, mode="reflect").tolist()
    [2, 1, 2, 3, 2]

    Raises:
        ValueError: another mode, a value without the mode "constant", or widths that do not fit.
    """
    widths = _widths(pad_width, x.ndim)
    if mode == "constant":
        return p.pad(
            x, widths, 0 if constant_values is None else constant_values if type(constant_values) in (int, float, bool) else numpy(constant_values).item()
        )
    if constant_values is not None:
        raise ValueError(f"pad: `constant_values` goes with mode='constant'; got mode={mode!r}.")
    if mode not in ("reflect", "symmetric", "edge"):
        raise ValueError(f"pad: mode must be 'constant', 'reflect', 'symmetric' or 'edge'; got {mode!r}.")
    for axis, (low, high) in enumerate(widths):
        x = _mirrored(x, axis, low, high, mode)
    return x


def _mirrored(x, axis, low, high, mode):
    if not low and not high:
        return x
    size = x.shape[axis]
    longest = size if mode == "symmetric" else size - 1
    if mode != "edge" and not unknown(size) and max(low, high) > longest:
        raise ValueError(f"pad: mode {mode!r} can add at most {longest} on axis {axis} of size {size}; got {(low, high)}.")
    if mode == "edge":
        ends = [_spread(_cut(x, axis, 0, 1), axis, low), _spread(_cut(x, axis, size - 1, size), axis, high)]
    else:
        skip = mode == "reflect"
        ends = [p.flip(_cut(x, axis, skip, low + skip), (axis,)), p.flip(_cut(x, axis, size - high - skip, size - skip), (axis,))]
    ends = [_sized(end, axis, n) for end, n in zip(ends, (low, high), strict=True)]
    return p.concatenate([ends[0], x, ends[1]], axis)


def _sized(x, axis, size):
    """A Spec whose size on `axis` could not be worked out from its bounds gets it said."""
    return shapes.Spec((*x.shape[:axis], size, *x.shape[axis + 1 :]), x.dtype) if type(x) is shapes.Spec else x


def _spread(x, axis, times):
    return p.broadcast_to(x, (*x.shape[:axis], times, *x.shape[axis + 1 :]))


def _widths(widths, ndim):
    if hasattr(widths, "shape") or isinstance(widths, np.ndarray):
        widths = numpy(widths).tolist()
    if hasattr(widths, "__index__"):
        widths = [(int(widths), int(widths))] * ndim
    widths = list(widths)
    if widths and all(hasattr(n, "__index__") for n in widths):
        widths = [tuple(widths) * (2 if len(widths) == 1 else 1)] * ndim
    if len(widths) == 1:
        widths = widths * ndim
    widths = [tuple(int(n) for n in pair) for pair in widths]
    if len(widths) != ndim or any(len(pair) != 2 or min(pair) < 0 for pair in widths):
        raise ValueError(f"pad: wanted a pair of numbers from 0 up for each of the {ndim} axes; got {widths}.")
    return widths


@op
def flip(x, axis=None):
    """The elements along `axis` (along all by default) in reverse.

    >>> ops.flip([1, 2, 3]).tolist()
    [3, 2, 1]
    """
    return p.flip(x, normalize_axes(axis, x.ndim, "flip"))


@op
def fliplr(x):
    """`flip` along the second axis.

    >>> ops.fliplr([[1, 2], [3, 4]]).tolist()
    [[2, 1], [4, 3]]
    """
    return flip(x, 1)


@op
def flipud(x):
    """`flip` along the first axis.

    >>> ops.flipud([[1, 2], [3, 4]]).tolist()
    [[3, 4], [1, 2]]
    """
    return flip(x, 0)


@op
def rot90(array, k=1, axes=(0, 1)):
    """Turn by `k` times 90 degrees in the plane of two axes, from the first towards the second.

    >>> ops.rot90([[1, 2], [3, 4]]).tolist()
    [[2, 4], [1, 3]]
    """
    a, b = normalize_axes(axes, array.ndim, "rot90")
    if k % 4 == 0:
        return array
    if k % 4 == 2:
        return flip(array, (a, b))
    return swapaxes(flip(array, b), a, b) if k % 4 == 1 else flip(swapaxes(array, a, b), b)


@op
def roll(x, shift, axis=None):
    """Move the elements by `shift` places along `axis`; those that fall off come in again at the other end.

    >>> ops.roll([1, 2, 3], 1).tolist()
    [3, 1, 2]
    """
    if axis is None:
        return p.reshape(roll(p.reshape(x, (-1,)), shift, 0), tuple(x.shape))
    axes = (axis,) if hasattr(axis, "__index__") else tuple(axis)
    shifts = (shift,) * len(axes) if hasattr(shift, "__index__") else tuple(shift)
    for a, by in zip(axes, shifts, strict=True):
        a = normalize_axis(a, x.ndim, "roll")
        size = x.shape[a]
        if size != 0 and type(x) is not shapes.Spec:
            by = int(by) % size
            x = p.concatenate([_cut(x, a, size - by, size), _cut(x, a, 0, size - by)], a) if by else x
    return x


@op
def repeat(x, repeats, axis=None):
    """Each element along `axis` several times in a row; of the flattened tensor by default.

    Args:
        repeats: a number, or a list with one for each element.

    >>> ops.repeat([1, 2], 2).tolist()
    [1, 1, 2, 2]
    """
    if axis is None:
        x, axis = p.reshape(x, (-1,)), 0
    axis = normalize_axis(axis, x.ndim, "repeat")
    if hasattr(repeats, "__index__") and not getattr(repeats, "shape", ()):
        repeats = int(repeats)
    elif type(repeats) is shapes.Spec:
        return shapes.Spec((*x.shape[:axis], shapes.UNKNOWN, *x.shape[axis + 1 :]), kind(x))
    else:
        repeats = numpy(repeats).reshape(-1)
        if len(repeats) > 1:
            return p.take(x, array(np.repeat(np.arange(len(repeats), dtype="int32"), repeats)), axis)
        repeats = int(repeats[0])
    shape = tuple(x.shape)
    wide = p.broadcast_to(p.reshape(x, (*shape[: axis + 1], 1, *shape[axis + 1 :])), (*shape[: axis + 1], repeats, *shape[axis + 1 :]))
    return p.reshape(wide, (*shape[:axis], shape[axis] * repeats, *shape[axis + 1 :]))


@op
def tile(x, repeats):
    """The whole tensor several times in a row along each axis.

    >>> ops.tile([1, 2], 2).tolist()
    [1, 2, 1, 2]
    """
    repeats = _sizes(repeats if not hasattr(repeats, "shape") else numpy(repeats).reshape(-1).tolist(), "tile")
    n = max(len(repeats), x.ndim)
    repeats, sizes = (1,) * (n - len(repeats)) + repeats, (1,) * (n - x.ndim) + tuple(x.shape)
    wide = p.reshape(x, tuple(size for old in sizes for size in (1, old)))
    wide = p.broadcast_to(wide, tuple(size for pair in zip(repeats, sizes, strict=True) for size in pair))
    return p.reshape(wide, tuple(size * times for size, times in zip(sizes, repeats, strict=True)))


@op(tensors=0)
def meshgrid(*x, indexing="xy"):
    """The coordinates of a grid: for each vector a tensor in which it runs along its own axis.

    Args:
        indexing: "xy" (the first vector runs along the second axis) or "ij".

    >>> [part.tolist() for part in ops.meshgrid([1, 2], [3, 4])]
    [[[1, 2], [1, 2]], [[3, 3], [4, 4]]]
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: indexing must be 'xy' or 'ij'; got {indexing!r}.")
    vectors = [p.reshape(v, (-1,)) for v in map(array, x)]
    order = list(range(len(vectors)))
    if indexing == "xy" and len(order) > 1:
        order[:2] = 1, 0
    sizes = [None] * len(vectors)
    for vector, place in zip(vectors, order, strict=True):
        sizes[place] = vector.shape[0]
    at = lambda vector, place: p.reshape(vector, tuple(vector.shape[0] if i == place else 1 for i in range(len(sizes))))
    return [p.broadcast_to(at(vector, place), tuple(sizes)) for vector, place in zip(vectors, order, strict=True)]


def _below(x, k):
    """Whether each place of the last two axes is on or below the k-th diagonal."""
    sizes = tuple(x.shape[-2:])
    return p.greater_equal(p.add(p.iota(sizes, 0, "int32"), k), p.iota(sizes, 1, "int32"))


@op
def tril(x, k=0):
    """The last two axes with 0 above the `k`-th diagonal.

    >>> ops.tril([[1, 2], [3, 4]]).tolist()
    [[1, 0], [3, 4]]
    """
    shapes.ranked(x.shape, "tril", 2)
    return where(_below(x, k), x, cast(0, kind(x)))


@op
def triu(x, k=0):
    """The last two axes with 0 below the `k`-th diagonal.

    >>> ops.triu([[1, 2], [3, 4]]).tolist()
    [[1, 2], [0, 4]]
    """
    shapes.ranked(x.shape, "triu", 2)
    return where(_below(x, k - 1), cast(0, kind(x)), x)


@op
def diagonal(x, offset=0, axis1=0, axis2=1):
    """The diagonal of two axes, as the last axis; `offset` above it, or below where negative.

    >>> ops.diagonal([[1, 2], [3, 4]]).tolist()
    [1, 4]
    """
    a, b = normalize_axes((axis1, axis2), x.ndim, "diagonal")
    x = moveaxis(x, (a, b), (-2, -1))
    rows, columns = x.shape[-2:]
    if unknown(rows) or unknown(columns):
        return shapes.Spec((*x.shape[:-2], shapes.UNKNOWN), x.dtype)
    length = max(0, min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns))
    first = offset if offset >= 0 else -offset * columns
    flat = p.reshape(x, (*x.shape[:-2], rows * columns))
    return _cut(flat, flat.ndim - 1, first, first + length * (columns + 1) - columns if length else first, columns + 1)


@op
def diag(x, k=0):
    """The `k`-th diagonal of a matrix; of a vector, the matrix that has it there.

    >>> ops.diag([1, 2]).tolist()
    [[1, 0], [0, 2]]
    """
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise ValueError(f"diag: wanted one or two axes; got the shape {shapes.public(x.shape)}.")
    n = x.shape[0] + abs(k)
    on = p.equal(p.add(p.iota((n, n), 0, "int32"), k), p.iota((n, n), 1, "int32"))
    row = p.pad(x, [(max(k, 0), max(-k, 0))], 0)
    return where(on, p.reshape(row, (1, n)), cast(0, kind(x)))


@op
def diagflat(x, k=0):
    """The matrix with all elements of `x` on its `k`-th diagonal.

    >>> ops.diagflat([[1, 2]]).tolist()
    [[1, 0], [0, 2]]
    """
    return diag(p.reshape(x, (-1,)), k)


@op
def depth_to_space(x, block_size, data_format="channels_last"):
    """Move channels to squares of `block_size` by `block_size` places.

    Shape: (batch, height, width, channels * block_size**2) -> (batch, height * block_size, width * block_size, channels). With
    "channels_first" the channels stand second, and the places of a square follow each other in them.

    >>> ops.depth_to_space(ops.zeros((1, 2, 2, 8)), 2).shape
    (1, 4, 4, 2)
    """
    shapes.ranked(x.shape, "depth_to_space", 4, 4)
    b, first = int(block_size), data_format == "channels_first"
    batch, *space, channels = (x.shape[i] for i in ((0, 2, 3, 1) if first else (0, 1, 2, 3)))
    if not unknown(channels) and channels % b**2:
        raise ValueError(f"depth_to_space: {channels} channels are not a multiple of block_size**2 = {b**2}.")
    channels, wide = channels // b**2, [size * b for size in space]
    if first:
        x = p.transpose(p.reshape(x, (batch, channels, b, b, *space)), (0, 1, 4, 2, 5, 3))
        return p.reshape(x, (batch, channels, *wide))
    x = p.transpose(p.reshape(x, (batch, *space, b, b, channels)), (0, 1, 3, 2, 4, 5))
    return p.reshape(x, (batch, *wide, channels))


@op
def space_to_depth(x, block_size, data_format="channels_last"):
    """Move squares of `block_size` by `block_size` places to channels: the reverse of `depth_to_space`.

    Shape: (batch, height, width, channels) -> (batch, height / block_size, width / block_size, channels * block_size**2).

    >>> ops.space_to_depth(ops.zeros((1, 4, 4, 2)), 2).shape
    (1, 2, 2, 8)
    """
    shapes.ranked(x.shape, "space_to_depth", 4, 4)
    b, first = int(block_size), data_format == "channels_first"
    batch, *space, channels = (x.shape[i] for i in ((0, 2, 3, 1) if first else (0, 1, 2, 3)))
    if any(not unknown(n) and n % b for n in space):
        raise ValueError(f"space_to_depth: height and width must be multiples of {b}; got the shape {shapes.public(x.shape)}.")
    height, width = (size // b for size in space)
    if first:
        x = p.transpose(p.reshape(x, (batch, channels, height, b, width, b)), (0, 1, 3, 5, 2, 4))
        return p.reshape(x, (batch, channels * b**2, height, width))
    x = p.transpose(p.reshape(x, (batch, height, b, width, b, channels)), (0, 1, 3, 2, 4, 5))
    return p.reshape(x, (batch, height, width, channels * b**2))
