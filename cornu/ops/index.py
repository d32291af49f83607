"""Ops that pick and put elements by their place: take, slice, scatter, segments, order."""

import math

import numpy as np

from cornu import dtypes, shapes
from cornu.backends import array, canonical, current, kind, numpy
from cornu.backends import protocol as p
from cornu.ops.dispatch import op, settle
from cornu.ops.elementwise import (
    add,
    clip,
    equal,
    floor_divide,
    greater_equal,
    isfinite,
    less,
    less_equal,
    logical_and,
    logical_not,
    mod,
    multiply,
    subtract,
    where,
)
from cornu.ops.making import _sizes, _values, cast, linspace, one_hot
from cornu.ops.reduce import any as _any
from cornu.ops.reduce import sum as _sum
from cornu.ops.shaping import expand_dims, ravel
from cornu.shapes import Spec, normalize_axis, unknown


def _integers(x):
    return x if dtypes.is_integer(kind(x)) else cast(x, "int32")


@op
def get_item(x, key):
    """`x[key]`: by integers, slices, None, '...', and tensors of integers or booleans.

    >>> ops.get_item([1, 2, 3], slice(1, None)).tolist()
    [2, 3]
    """
    shapes.getitem(tuple(x.shape), key)
    return p.getitem(x, _ready(key))


def _ready(key):
    """`key` with Variables as tensors."""
    if type(key) is tuple:
        return tuple(map(_ready, key))
    return array(key) if hasattr(key, "_cornu_value") else key


@op(tensors=2)
def take(x, indices, axis=None):
    """The parts of `x` at `indices` along `axis`; of the flattened tensor by default. Negative ones count from the end.

    Shape: x (a, b, c), indices (i, j), axis 1 -> (a, i, j, c).

    >>> ops.take([10, 20, 30], [2, 0]).tolist()
    [30, 10]
    """
    if axis is None:
        x, axis = p.reshape(x, (-1,)), 0
    return p.take(x, _integers(array(indices)), normalize_axis(axis, x.ndim, "take"))


@op(tensors=2)
def take_along_axis(x, indices, axis=None):
    """The elements of `x` at `indices` along `axis`, line by line; `indices` has as many axes as `x`.

    >>> ops.take_along_axis([[10, 20], [30, 40]], [[1], [0]], axis=1).tolist()
    [[20], [30]]
    """
    indices = _integers(array(indices))
    if axis is None:
        x, indices, axis = p.reshape(x, (-1,)), p.reshape(indices, (-1,)), 0
    axis = normalize_axis(axis, x.ndim, "take_along_axis")
    shapes.take_along_axis(tuple(x.shape), tuple(indices.shape), axis)
    return p.take_along_axis(x, indices, axis)


def _starts(indices):
    """Static starts as a list of ints, else None and a list of 0-d tensors."""
    if hasattr(indices, "shape") and not isinstance(indices, np.ndarray):
        n = indices.shape[0] if indices.ndim else 1
        flat = p.reshape(_integers(array(indices)), (n,))
        return None, [p.reshape(p.slice(flat, [i], [i + 1], [1]), ()) for i in range(n)]
    if all(hasattr(i, "__index__") and not hasattr(i, "shape") for i in indices):
        return [int(i) for i in indices], None
    return None, [_integers(array(i)) for i in indices]


@op
def slice(inputs, start_indices, shape):
    """The block of the given shape that begins at `start_indices`, which may be tensors.

    >>> ops.slice([[1, 2, 3], [4, 5, 6]], (0, 1), (2, 2)).tolist()
    [[2, 3], [5, 6]]
    """
    shape = _sizes(shape, "slice")
    static, starts = _starts(start_indices)
    if len(shape) != inputs.ndim or len(static or starts or ()) != inputs.ndim:
        raise ValueError(f"slice: wanted {inputs.ndim} starts and sizes for the shape {shapes.public(inputs.shape)}; got {start_indices} and {shape}.")
    if static is None:
        return p.dynamic_slice(inputs, starts, shape)
    for i, (start, n, size) in enumerate(zip(static, shape, inputs.shape, strict=True)):
        if not unknown(size) and not unknown(n) and (start < 0 or start + n > size):
            raise ValueError(f"slice: from {start} on there are not {n} places on axis {i} of the shape {shapes.public(inputs.shape)}.")
    out = p.slice(inputs, static, [start + n for start, n in zip(static, shape, strict=True)], [1] * inputs.ndim)
    return Spec(shape, out.dtype) if type(out) is Spec else out


@op
def slice_update(inputs, start_indices, updates):
    """`inputs` with the block that begins at `start_indices` replaced by `updates`.

    >>> ops.slice_update([1, 2, 3], (1,), [9]).tolist()
    [1, 9, 3]
    """
    static, starts = _starts(start_indices)
    updates = array(updates, kind(inputs))
    if len(updates.shape) != len(inputs.shape) or len(static or starts or ()) != len(inputs.shape):
        shown = f"{start_indices} and {shapes.public(updates.shape)} for {shapes.public(inputs.shape)}"
        raise ValueError(f"slice_update: wanted as many starts, and as many axes of `updates`, as `inputs` has axes; got {shown}.")
    p.spec.dynamic_update_slice(Spec(inputs.shape, inputs.dtype), Spec(updates.shape, inputs.dtype), [])
    return p.dynamic_update_slice(inputs, updates, [array(i, "int32") for i in static] if starts is None else starts)


_REDUCTIONS = {None: "update", "add": "add", "max": "maximum", "min": "minimum", "mul": "multiply"}


@op
def scatter_update(inputs, indices, updates, reduction=None):
    """`inputs` with `updates` put at `indices`.

    Args:
        indices: (updates, k): each row names a place by the first k axes.
        updates: a part of `inputs` for each row.
        reduction: how an update meets the value there: None (takes its place), "add", "max", "min" or "mul".

    >>> ops.scatter_update([1, 2, 3], [[0], [2]], [10, 30]).tolist()
    [10, 2, 30]
    """
    if reduction not in _REDUCTIONS:
        raise ValueError(f"scatter_update: reduction must be one of {list(_REDUCTIONS)}; got {reduction!r}.")
    indices, updates = _integers(array(indices)), array(updates, kind(inputs))
    _places(inputs.shape, indices, updates, "scatter_update")
    return p.scatter(inputs, indices, updates, _REDUCTIONS[reduction])


def _places(shape, indices, updates, op):
    """Check that `indices` name places of `shape`, and that `updates` fit there."""
    shapes.ranked(indices.shape, op, 1)
    depth = indices.shape[-1]
    if unknown(depth):
        return
    if depth > len(shape):
        raise ValueError(f"{op}: indices of {depth} numbers are too long for the shape {shapes.public(shape)}.")
    wanted = (*indices.shape[:-1], *shape[depth:])
    if len(updates.shape) > len(wanted):
        raise ValueError(f"{op}: wanted updates of the shape {shapes.public(wanted)}; got {shapes.public(updates.shape)}.")
    for a, b in zip(reversed(updates.shape), reversed(wanted), strict=False):
        if not unknown(a) and a != 1:
            shapes.same(a, b, f"{op}: wanted updates of the shape {shapes.public(wanted)}; got {shapes.public(updates.shape)}")


@op(tensors=2)
def scatter(indices, values, shape):
    """A tensor of zeros of the given shape to which `values` are added at `indices`.

    Args:
        indices: (values, k): each row names a place by the first k axes.

    >>> ops.scatter([[0], [2]], [5, 6], (3,)).tolist()
    [5, 0, 6]
    """
    values = array(values)
    shape, indices = _sizes(shape, "scatter"), _integers(indices)
    _places(shape, indices, values, "scatter")
    return p.scatter(p.full(shape, 0, kind(values)), indices, values, "add")


def _least(dtype):
    return 0 if dtype == "bool" else int(np.iinfo(dtype).min) if dtypes.is_integer(dtype) else -math.inf


def _most(dtype):
    return 1 if dtype == "bool" else int(np.iinfo(dtype).max) if dtypes.is_integer(dtype) else math.inf


def _segments(op, data, segment_ids, num_segments, start, mode):
    """Rows of `data` with one id put together; an id out of range counts nowhere."""
    ids = _integers(array(segment_ids))
    if ids.ndim != 1 or not data.ndim:
        raise ValueError(f"{op}: wanted an id for each row of data, on one axis; got the shapes {shapes.public(ids.shape)} and {shapes.public(data.shape)}.")
    shapes.same(data.shape[0], ids.shape[0], f"{op}: the rows of data and the ids")
    if num_segments is None:
        num_segments = _count_of_segments(op, ids)
    elif not unknown(num_segments) and num_segments < 0:
        raise ValueError(f"{op}: num_segments is at least 0; got {num_segments}.")
    empty = p.full((num_segments + 1, *data.shape[1:]), start, kind(data))  # the last row takes what is out of range
    ids = where(logical_and(less(ids, num_segments), greater_equal(ids, 0)), ids, num_segments)
    out = p.scatter(empty, p.reshape(ids, (ids.shape[0], 1)), data, mode)
    return p.slice(out, [0] * out.ndim, [num_segments] + [None] * (out.ndim - 1), [1] * out.ndim)


def _count_of_segments(op, ids):
    if type(ids) is Spec:
        return shapes.UNKNOWN
    if not isinstance(ids, (np.ndarray, current().ARRAY)):
        raise ValueError(f"{op}: in a compiled function the ids have no values yet, so give `num_segments`.")
    return int(numpy(ids).max(initial=-1)) + 1


@op(tensors=2)
def segment_sum(data, segment_ids, num_segments=None, sorted=False):
    """The sums of the rows of `data` that have one id.

    Args:
        segment_ids: for each row the segment that it belongs to; those outside 0 to `num_segments - 1` count nowhere.
        num_segments: how many segments there are; the largest id and one by default, which needs the values.
        sorted: whether the ids ascend; has no effect on the result.

    >>> ops.segment_sum([1, 2, 3], [0, 0, 1], num_segments=2).tolist()
    [3, 3]
    """
    return _segments("segment_sum", data, segment_ids, num_segments, 0, "add")


@op(tensors=2)
def segment_max(data, segment_ids, num_segments=None, sorted=False):
    """The largest of the rows of `data` that have one id; see `segment_sum`.

    >>> ops.segment_max([1, 2, 3], [0, 0, 1], num_segments=2).tolist()
    [2, 3]
    """
    return _segments("segment_max", data, segment_ids, num_segments, _least(kind(data)), "maximum")


@op(tensors=2)
def segment_min(data, segment_ids, num_segments=None, sorted=False):
    """The smallest of the rows of `data` that have one id; see `segment_sum`.

    >>> ops.segment_min([1, 2, 3], [0, 0, 1], num_segments=2).tolist()
    [1, 3]
    """
    return _segments("segment_min", data, segment_ids, num_segments, _most(kind(data)), "minimum")


@op(tensors=2)
def segment_prod(data, segment_ids, num_segments=None, sorted=False):
    """The products of the rows of `data` that have one id; see `segment_sum`.

    >>> ops.segment_prod([2, 2, 3], [0, 0, 1], num_segments=2).tolist()
    [4, 3]
    """
    return _segments("segment_prod", data, segment_ids, num_segments, 1, "multiply")


# Order


def _along(x, axis, name):
    if axis is None:
        return p.reshape(x, (-1,)), 0
    return x, normalize_axis(axis, x.ndim, name)


@op
def sort(x, axis=-1):
    """The elements along `axis` in ascending order; None flattens first.

    >>> ops.sort([3, 1, 2]).tolist()
    [1, 2, 3]
    """
    return p.sort(*_along(x, axis, "sort"))


@op
def argsort(x, axis=-1):
    """The places of the elements along `axis` in ascending order, equal ones as they come, as int32; None flattens first.

    >>> ops.argsort([3, 1, 2]).tolist()
    [1, 2, 0]
    """
    return p.argsort(*_along(x, axis, "argsort"))


@op
def argpartition(x, kth, axis=-1):
    """Places that put the `kth` element where it would be if sorted, smaller ones before it: all of them sorted.

    >>> ops.argpartition([3, 1, 2], 1).tolist()
    [1, 2, 0]
    """
    return argsort(x, axis)


@op
def top_k(x, k, sorted=True):
    """The `k` largest elements of the last axis in descending order, and their places as int32.

    >>> [part.tolist() for part in ops.top_k([1, 3, 2], 2)]
    [[3, 2], [1, 2]]

    Raises:
        ValueError: the axis is shorter than `k`.
    """
    shapes.ranked(x.shape, "top_k", 1)
    if not unknown(x.shape[-1]) and k > x.shape[-1]:
        raise ValueError(f"top_k: wanted the {k} largest of the last axis, but the shape is {shapes.public(x.shape)}.")
    values, indices = p.top_k(x, int(k))
    return values, indices


@op(tensors=2)
def in_top_k(targets, predictions, k):
    """Whether the score of each target is among the `k` largest of its row, ties included; False where it is not finite.

    Shape: targets (batch,), predictions (batch, classes) -> (batch,).

    >>> ops.in_top_k([1], [[0.1, 0.7, 0.2]], 1).tolist()
    [True]
    """
    targets = _integers(targets)
    shapes.ranked(predictions.shape, "in_top_k", 1)
    if len(targets.shape) != len(predictions.shape) - 1:
        raise ValueError(f"in_top_k: wanted a target for each row; got {shapes.public(targets.shape)} for scores of {shapes.public(predictions.shape)}.")
    for a, b in zip(targets.shape, predictions.shape, strict=False):
        shapes.same(a, b, f"in_top_k: targets {shapes.public(targets.shape)} and scores {shapes.public(predictions.shape)}")
    classes = predictions.shape[-1]
    k = k if unknown(classes) or k < classes else classes
    least = p.min(p.top_k(predictions, k)[0], (predictions.ndim - 1,), True)
    reached = p.take_along_axis(predictions, p.reshape(clip(targets, 0, classes - 1), (*targets.shape, 1)), predictions.ndim - 1)
    valid = logical_and(greater_equal(targets, 0), less(targets, classes))
    return logical_and(valid, p.reshape(logical_and(greater_equal(reached, least), isfinite(reached)), tuple(targets.shape)))


@op(tensors=2)
def searchsorted(sorted_sequence, values, side="left"):
    """Where each value would go into an ascending vector, as int32: before equal ones ("left") or after them ("right").

    >>> ops.searchsorted([1, 3, 5], [3, 4]).tolist()
    [1, 2]
    """
    if side not in ("left", "right"):
        raise ValueError(f"searchsorted: side must be 'left' or 'right'; got {side!r}.")
    if sorted_sequence.ndim != 1:
        raise ValueError(f"searchsorted: wanted a vector to search in; got the shape {shapes.public(sorted_sequence.shape)}.")
    (ladder, values), _ = settle(sorted_sequence, array(values))
    below = (less if side == "left" else less_equal)(ladder, expand_dims(values, -1))
    return p.sum(cast(below, "int32"), (values.ndim,), False)


@op(tensors=2)
def digitize(x, bins):
    """The number of the bin that each element falls into, as int32; `bins` ascend.

    >>> ops.digitize([0.5, 2.5], [1.0, 2.0]).tolist()
    [0, 2]
    """
    return searchsorted(bins, x, side="right")


@op
def bincount(x, weights=None, minlength=0, sparse=False):
    """How often each integer from 0 up occurs along the last axis, or the sum of its weights.

    The length is the largest integer and one, at least `minlength`; it needs the values.

    >>> ops.bincount([1, 2, 2]).tolist()
    [0, 1, 2]
    """
    if sparse:
        raise ValueError("bincount: only dense tensors are supported; got sparse=True.")
    if type(x) is Spec:
        length = shapes.UNKNOWN
    else:
        values = _values(x, "bincount", "Use sum(one_hot(x, length), axis), or call it outside.")
        length = max(int(values.max(initial=0)) + (values.size > 0), int(minlength))
    found = (
        one_hot(x, length, dtype="int32" if weights is None else kind(array(weights)))
        if not unknown(length)
        else Spec((*x.shape, length), "int32" if weights is None else kind(weights))
    )
    if weights is not None:
        found = multiply(found, expand_dims(array(weights), -1))
    return _sum(found, -2)


@op
def histogram(x, bins=10, range=None):
    """How many elements fall into each of `bins` equal bins from the smallest to the largest (or over `range`), and the bins' edges.

    >>> [part.tolist() for part in ops.histogram([1.0, 2.0, 4.0], bins=3)]
    [[1.0, 1.0, 1.0], [1.0, 2.0, 3.0, 4.0]]

    Returns:
        The counts (floats) and the `bins + 1` edges.
    """
    if not isinstance(bins, int) or bins < 1:
        raise ValueError(f"histogram: bins is a whole number from 1 up; got {bins!r}.")
    if range is not None and range[0] > range[1]:
        raise ValueError(f"histogram: the range must ascend; got {range}.")
    x = p.reshape(cast(x, canonical(dtypes.to_float(kind(x)))), (-1,))
    low, high = (p.min(x, (0,), False), p.max(x, (0,), False)) if range is None or range[0] == range[1] == 0 else (array(float(n), kind(x)) for n in range)
    flat = equal(low, high)
    low, high = where(flat, subtract(low, 0.5), low), where(flat, add(high, 0.5), high)
    edges = linspace(low, high, bins + 1)
    place = clip(subtract(searchsorted(edges, x, side="right"), 1), 0, bins - 1)
    inside = logical_and(greater_equal(x, low), less_equal(x, high))
    return _segments("histogram", cast(inside, kind(x)), place, bins, 0, "add"), edges


@op(tensors=2)
def isin(x1, x2, assume_unique=False, invert=False):
    """Whether each element of `x1` is among those of `x2`; `invert` turns the answer round.

    >>> ops.isin([1, 2, 3], [2, 5]).tolist()
    [False, True, False]
    """
    (x1, x2), _ = settle(x1, array(x2))
    found = _any(equal(expand_dims(x1, -1), ravel(x2)), -1)
    return logical_not(found) if invert else found


@op
def unravel_index(indices, shape):
    """The indices along each axis of a tensor of the given shape, from indices into it flattened.

    >>> [i.tolist() for i in ops.unravel_index([5], (2, 3))]
    [[1], [2]]
    """
    out = []
    for size in reversed(_sizes(shape, "unravel_index")):
        out.append(mod(indices, size))
        indices = floor_divide(indices, size)
    return tuple(reversed(out))


@op
def unique(x, sorted=True, return_index=False, return_inverse=False, return_counts=False, axis=None, size=None, fill_value=None):
    """The different elements in ascending order (or parts along `axis`). Their number depends on the values, so it needs them.

    Args:
        return_index: whether the first place of each is returned too.
        return_inverse: whether the number of the one that each element is, is returned too.
        return_counts: whether it is returned how often each occurs.
        size: how many to return: the first ones, or with `fill_value` (the smallest by default) at the end.

    >>> ops.unique([3, 1, 3]).tolist()
    [1, 3]
    """
    axis = axis if axis is None else normalize_axis(axis, x.ndim, "unique")
    if type(x) is Spec:
        count = shapes.UNKNOWN if size is None else size
        main = Spec((count,) if axis is None else tuple(count if i == axis % x.ndim else n for i, n in enumerate(x.shape)), x.dtype)
        inverse = Spec(x.shape if axis is None else (x.shape[axis],), "int32")
        extra = [s for s, on in ((Spec((count,), "int32"), return_index), (inverse, return_inverse), (Spec((count,), "int32"), return_counts)) if on]
        return (main, *extra) if extra else main
    found = _values(x, "unique", "Call it outside; `sort` keeps the shape.")
    found = np.unique(found, return_index=return_index, return_inverse=return_inverse, return_counts=return_counts, axis=axis)
    found = list(found) if isinstance(found, tuple) else [found]
    if size is not None:
        along = 0 if axis is None else axis
        missing = size - found[0].shape[along]
        resized = [i for i in [0, 1 if return_index else None, len(found) - 1 if return_counts else None] if i is not None]
        for i in resized:
            at = along if i == 0 else 0
            part = np.take(found[i], np.arange(min(size, found[i].shape[at])), at)
            if missing > 0:
                fill = 0 if i else (found[0].min() if fill_value is None else fill_value)
                part = np.concatenate([part, np.full_like(np.take(part, [0] * missing, at), fill)], at)
            found[i] = part
    out = [array(part, None if i == 0 else "int32") for i, part in enumerate(found)]
    return tuple(out) if len(out) > 1 else out[0]
