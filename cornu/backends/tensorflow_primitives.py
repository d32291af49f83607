"""The primitives on TensorFlow's kernels, for every type: those without a kernel are computed in a wider one and cast back."""

import builtins
import functools
import importlib
import math
import os
import tempfile

import numpy as np

from cornu.backends import contraction, widening


def _started():
    """TensorFlow's module. What it says when it starts is no warning, errors still show; the keras.json that it writes, which would choose this
    backend for programs to come, goes elsewhere."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    before = os.environ.get("KERAS_HOME")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["KERAS_HOME"] = folder
        try:
            return importlib.import_module("tensorflow")
        finally:
            if before is None:
                del os.environ["KERAS_HOME"]
            else:
                os.environ["KERAS_HOME"] = before


tf = _started()

ARRAY = type(tf.constant(0))
HOST = not tf.config.list_physical_devices("GPU")

DTYPES = {name: tf.as_dtype(name) for name in """bool uint8 uint16 uint32 uint64 int8 int16 int32 int64 float8_e4m3fn float8_e5m2 bfloat16
    float16 float32 float64 complex64 complex128""".split()}  # fmt: skip
_NAME = {dtype: name for name, dtype in DTYPES.items()}


# Arrays


def array(x, dtype=None):
    """A tensor from lists, scalars, NumPy arrays (copied: the caller may write to them later) and tensors."""
    if isinstance(x, (tf.IndexedSlices, tf.Variable)):
        x = _dense(x) if isinstance(x, tf.IndexedSlices) else x.value()
    if isinstance(x, tf.Tensor):
        return x if dtype is None or x.dtype is DTYPES[dtype] else cast(x, dtype)
    return share(np.array(x, dtype))


def share(x):
    """A tensor over the memory of the NumPy array `x` where that can be."""
    if x.dtype.kind in "USO":
        raise TypeError(f"The tensorflow backend computes with no text or objects; got an array of {x.dtype}.")
    return tf.convert_to_tensor(x)


def is_array(x):
    return isinstance(x, (tf.Tensor, tf.Variable, tf.IndexedSlices))


def dtype(x):
    return _NAME[x.dtype]


def _dense(gradient):
    shape = gradient.dense_shape
    return tf.math.unsorted_segment_sum(gradient.values, gradient.indices, tf.cast(shape[0], tf.int32))


# Elementwise. The second operand may be a Python number.

negative, abs, sign, exp, expm1, log, log1p = tf.negative, tf.abs, tf.sign, tf.exp, tf.math.expm1, tf.math.log, tf.math.log1p
sqrt, rsqrt, square, reciprocal, sigmoid = tf.sqrt, tf.math.rsqrt, tf.square, tf.math.reciprocal, tf.sigmoid
sin, cos, tan, arcsin, arccos, arctan, arctan2 = tf.sin, tf.cos, tf.tan, tf.asin, tf.acos, tf.atan, tf.atan2
sinh, cosh, tanh, arcsinh, arccosh, arctanh = tf.sinh, tf.cosh, tf.tanh, tf.asinh, tf.acosh, tf.atanh
erf, erfinv, lgamma, digamma = tf.math.erf, tf.math.erfinv, tf.math.lgamma, tf.math.digamma
conj, nextafter = tf.math.conj, tf.math.nextafter
subtract, multiply, divide, mod, power = tf.subtract, tf.multiply, tf.math.truediv, tf.math.floormod, tf.pow
maximum, minimum, floor_divide = tf.maximum, tf.minimum, tf.math.floordiv
less, less_equal, greater, greater_equal = tf.less, tf.less_equal, tf.greater, tf.greater_equal
equal, not_equal = tf.equal, tf.not_equal
logical_not, logical_and, logical_or, logical_xor = tf.logical_not, tf.logical_and, tf.logical_or, tf.math.logical_xor
left_shift, right_shift = tf.bitwise.left_shift, tf.bitwise.right_shift
real = tf.math.real


def add(x, y):
    if isinstance(y, tf.Tensor) and len(y.shape) == 1 < len(x.shape) and x.shape[-1] == y.shape[0] and x.dtype.is_floating:
        return tf.nn.bias_add(x, y)  # its gradient is a sum by rows, which is faster than one over axes
    return tf.add(x, y)


def _of_bits(function, logical):
    return lambda *xs: (logical if xs[0].dtype is tf.bool else function)(*xs)


bitwise_not, bitwise_and = _of_bits(tf.bitwise.invert, tf.logical_not), _of_bits(tf.bitwise.bitwise_and, tf.logical_and)
bitwise_or, bitwise_xor = _of_bits(tf.bitwise.bitwise_or, tf.logical_or), _of_bits(tf.bitwise.bitwise_xor, tf.math.logical_xor)


def _of_parts(function, combine, in_integers):
    """A question that TensorFlow answers for real floats alone."""

    def call(x):
        if x.dtype.is_complex:
            return combine(function(tf.math.real(x)), function(tf.math.imag(x)))
        return function(x) if x.dtype.is_floating else tf.fill(tf.shape(x), in_integers)

    return call


isnan, isinf = _of_parts(tf.math.is_nan, tf.logical_or, False), _of_parts(tf.math.is_inf, tf.logical_or, False)
isfinite = _of_parts(tf.math.is_finite, tf.logical_and, True)


def imag(x):
    return tf.math.imag(x) if x.dtype.is_complex else tf.zeros_like(x)


def log2(x):
    return log(x) / tf.constant(math.log(2), x.dtype)


def log10(x):
    return log(x) / tf.constant(math.log(10), x.dtype)


def _kept_in_integers(function):
    return lambda x: function(x) if x.dtype.is_floating else x


floor, ceil, round = map(_kept_in_integers, (tf.floor, tf.math.ceil, tf.round))
trunc = _kept_in_integers(lambda x: tf.where(x < 0, tf.math.ceil(x), tf.floor(x)))


def where(condition, x, y):
    kept = next((t.dtype for t in (x, y) if isinstance(t, tf.Tensor)), None)
    if kept in _QUARTERS:
        return tf.cast(where(condition, *(_as_type(t, kept, tf.float32) for t in (x, y))), kept)
    if isinstance(x, tf.Tensor):
        y = y if isinstance(y, tf.Tensor) else tf.constant(y, x.dtype)
    elif isinstance(y, tf.Tensor):
        x = tf.constant(x, y.dtype)
    return tf.where(condition, x, y)


def cast(x, dtype):
    kind = DTYPES[dtype]
    if x.dtype.is_complex and not kind.is_complex:
        if kind is tf.bool:
            return tf.not_equal(x, 0)
        x = tf.math.real(x)
    if kind in _QUARTERS and not x.dtype.is_floating:
        x = tf.cast(x, tf.float32)
    return tf.cast(x, kind)


# Making


def full(shape, value, dtype):
    if dtype.startswith("float8"):
        return tf.cast(full(shape, value, "float32"), DTYPES[dtype])
    return tf.fill(tuple(shape), cast(value, dtype) if isinstance(value, tf.Tensor) else _scalar(value, dtype))


def _scalar(value, dtype):
    return tf.constant(np.asarray(value).astype(DTYPES[dtype].as_numpy_dtype))


def arange(start, stop, step, dtype):
    return share(np.arange(start, stop, step).astype(dtype))


def iota(shape, axis, dtype):
    steps = tf.reshape(tf.range(shape[axis]), [-1 if i == axis else 1 for i in range(len(shape))])
    return cast(tf.broadcast_to(steps, tuple(shape)), dtype)


# Reductions

sum, prod, max, min, any, all = tf.reduce_sum, tf.reduce_prod, tf.reduce_max, tf.reduce_min, tf.reduce_any, tf.reduce_all
cumsum, cumprod = tf.cumsum, tf.math.cumprod


def _first(best, x, axis, keepdims):
    """The place of the first that is `best`, or NaN."""
    hits = tf.equal(x, best)
    if x.dtype.is_floating:
        hits = tf.logical_or(hits, tf.math.is_nan(x))
    found = tf.argmax(tf.cast(hits, tf.int32), axis, tf.int32)
    return tf.expand_dims(found, axis) if keepdims else found


def argmax(x, axis, keepdims):
    x = tf.cast(x, tf.int32) if x.dtype is tf.bool else x
    return _first(tf.reduce_max(x, axis, True), x, axis, keepdims)


def argmin(x, axis, keepdims):
    x = tf.cast(x, tf.int32) if x.dtype is tf.bool else x
    return _first(tf.reduce_min(x, axis, True), x, axis, keepdims)


# Order


def sort(x, axis):
    return take_along_axis(x, argsort(x, axis), axis)


def argsort(x, axis):
    if x.dtype is tf.bool:
        x = tf.cast(x, tf.int32)
    elif x.dtype.is_floating:  # NaN comes last
        x = tf.where(tf.math.is_nan(x), tf.constant(math.inf, x.dtype), x)
    return tf.argsort(x, axis, stable=True)


def top_k(x, k):
    return tuple(tf.math.top_k(x, k))


# Movement

transpose, broadcast_to, flip, concatenate = tf.transpose, tf.broadcast_to, tf.reverse, tf.concat


def reshape(x, shape):
    return tf.reshape(x, [-1 if n == None else n for n in shape])  # noqa: E711  an unknown size equals None


def pad(x, widths, value):
    if builtins.any(width < 0 for pair in widths for width in pair):
        cuts = tuple(builtins.slice(builtins.max(0, -low), n - builtins.max(0, -high)) for n, (low, high) in zip(x.shape, widths, strict=True))
        x, widths = x[cuts], [(builtins.max(0, low), builtins.max(0, high)) for low, high in widths]
    return tf.pad(x, widths, constant_values=value if isinstance(value, tf.Tensor) else _scalar(value, x.dtype.name))


def bitcast(x, dtype):
    kind = DTYPES[dtype]
    if x.dtype is tf.bool:
        x = tf.cast(x, tf.uint8)
    if kind is tf.bool:
        return tf.cast(bitcast(x, "uint8"), tf.bool)
    ratio = x.dtype.size // kind.size
    if ratio > 1:  # the new axis of the parts joins the last
        return tf.reshape(tf.bitcast(x, kind), (*x.shape[:-1], x.shape[-1] * ratio))
    ratio = kind.size // x.dtype.size
    return tf.bitcast(tf.reshape(x, (*x.shape[:-1], x.shape[-1] // ratio, ratio)) if ratio > 1 else x, kind)


def dilate(x, steps):
    for axis, step in enumerate(steps):
        if step > 1 and x.shape[axis] > 1:
            sizes = list(x.shape)
            x = tf.pad(tf.expand_dims(x, axis + 1), [(0, step - 1 if i == axis + 1 else 0) for i in range(len(sizes) + 1)])
            x = tf.reshape(x, (*sizes[:axis], sizes[axis] * step, *sizes[axis + 1 :]))[(builtins.slice(None),) * axis + (builtins.slice(None, 1 - step),)]
    return x


def slice(x, starts, stops, strides):
    return x[tuple(map(builtins.slice, map(int, starts), stops, strides))]


def _positive(indices, size):
    indices = indices if indices.dtype in (tf.int32, tf.int64) else tf.cast(indices, tf.int64)
    return tf.where(indices < 0, indices + size, indices)


def take(x, indices, axis):
    """An index out of range is an error."""
    return tf.gather(x, _positive(indices, x.shape[axis]), axis=axis)


def take_along_axis(x, indices, axis):
    size = x.shape[axis]
    others = [n if n != 1 else m for i, (n, m) in enumerate(zip(x.shape, indices.shape, strict=True)) if i != axis]
    x, indices = _broadcast_but(x, axis, others), _broadcast_but(_positive(indices, size), axis, others)
    order = [*(i for i in range(x.ndim) if i != axis), axis]
    back = sorted(range(x.ndim), key=order.__getitem__)
    if axis != x.ndim - 1:
        x, indices = tf.transpose(x, order), tf.transpose(indices, order)
    found = tf.gather(x, indices, axis=x.ndim - 1, batch_dims=x.ndim - 1)
    return tf.transpose(found, back) if axis != x.ndim - 1 else found


def _broadcast_but(x, axis, others):
    shape = (*others[:axis], x.shape[axis], *others[axis:])
    return x if tuple(x.shape) == shape else tf.broadcast_to(x, shape)


def getitem(x, key):
    """NumPy's indexing. What TensorFlow slices by itself comes first, then the arrays among the indices gather from what is left."""
    keys = list(key) if isinstance(key, tuple) else [key]
    keys = [_index(k) for k in keys]
    if not builtins.any(isinstance(k, tf.Tensor) and (k.ndim or k.dtype is tf.bool) for k in keys):
        return x[tuple(keys)]
    taken = builtins.sum(k.ndim if isinstance(k, tf.Tensor) and k.dtype is tf.bool else k is not None for k in keys if k is not Ellipsis)
    whole = [builtins.slice(None)] * (x.ndim - taken)
    at = next((i for i, k in enumerate(keys) if k is Ellipsis), None)
    keys = keys[:at] + whole + keys[at + 1 :] if at is not None else keys + whole
    first, arrays, groups = [], [], 0  # the slices; (axis after slicing, indices); how many runs of arrays there are
    previous = False
    for k in keys:
        if isinstance(k, (int, tf.Tensor)):
            groups += not previous
            parts = tf.unstack(tf.where(k), k.ndim, axis=1) if isinstance(k, tf.Tensor) and k.dtype is tf.bool else [k]
            for part in parts:
                axis = len(first)
                size = x.shape[builtins.sum(item is not None for item in first)]
                arrays.append((axis, _positive(tf.convert_to_tensor(part), size)))
                first.append(builtins.slice(None))
            previous = True
        else:
            first.append(tf.newaxis if k is None else k)
            previous = False
    if not builtins.all(isinstance(k, builtins.slice) and k == builtins.slice(None) for k in first):
        x = x[tuple(first)]
    axes = [axis for axis, _ in arrays]
    if len(arrays) == 1:
        return tf.gather(x, arrays[0][1], axis=axes[0])
    indices = [tf.cast(index, tf.int64) for _, index in arrays]
    shape = functools.reduce(tf.broadcast_static_shape, [index.shape for index in indices])
    indices = tf.stack([tf.broadcast_to(index, shape) for index in indices], -1)
    rest = [i for i in range(x.ndim) if i not in axes]
    found = tf.gather_nd(x if axes == list(range(len(axes))) else tf.transpose(x, axes + rest), indices)
    if groups == 1 and axes[0]:  # arrays side by side: what they give takes their place, else it comes first
        wide, before = len(shape), axes[0]
        found = tf.transpose(found, [*range(wide, wide + before), *range(wide), *range(wide + before, found.ndim)])
    return found


def _index(k):
    if isinstance(k, (list, np.ndarray)):
        k = tf.convert_to_tensor(np.asarray(k, None if np.size(k) else np.int64))
    if isinstance(k, np.generic):
        return tf.convert_to_tensor(k) if k.dtype.kind == "b" else int(k)
    if isinstance(k, tf.Tensor) and k.dtype not in (tf.bool, tf.int32, tf.int64):
        return tf.cast(k, tf.int64)
    return tf.constant(k) if type(k) is bool else k


def scatter(x, indices, updates, mode):
    """An index out of range is an error. Places are counted through the first k axes."""
    k = indices.shape[-1]
    rest, places = tuple(x.shape[k:]), 0
    for i in range(k):
        places = places * x.shape[i] + _positive(indices[..., i], x.shape[i])
    rows, count = math.prod(x.shape[:k]), math.prod(indices.shape[:-1])
    updates = tf.reshape(tf.broadcast_to(updates, (*indices.shape[:-1], *rest)), (count, *rest))
    flat, places = tf.reshape(x, (rows, *rest)), tf.reshape(places, (count, 1))
    if mode == "multiply":
        out = flat * tf.math.unsorted_segment_prod(updates, places[:, 0], rows)
    else:
        out = _SCATTERS[mode](flat, places, updates)
    return tf.reshape(out, x.shape)


_SCATTERS = {
    "update": tf.tensor_scatter_nd_update,
    "add": tf.tensor_scatter_nd_add,
    "maximum": tf.tensor_scatter_nd_max,
    "minimum": tf.tensor_scatter_nd_min,
}


def _window(x, start, size, axis):
    """The indices of a window of `size` places of an axis, moved inside where it reaches out."""
    n = x.shape[axis]
    start = tf.cast(start, tf.int32)
    return tf.clip_by_value(tf.where(start < 0, start + n, start), 0, n - size) + tf.range(size)


def dynamic_slice(x, starts, sizes):
    for axis, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        if size != x.shape[axis]:  # as rows to gather: XLA would compile a slice anew for each place where it begins
            x = tf.gather(x, _window(x, start, size, axis), axis=axis)
    return x


def dynamic_update_slice(x, update, starts):
    axes = [axis for axis, size in enumerate(update.shape) if size != x.shape[axis]]
    if not axes:
        return update
    order = [*axes, *(i for i in range(x.ndim) if i not in axes)]
    back = sorted(range(x.ndim), key=order.__getitem__)
    places = tf.meshgrid(*(_window(x, starts[axis], update.shape[axis], axis) for axis in axes), indexing="ij")
    out = tf.tensor_scatter_nd_update(tf.transpose(x, order), tf.stack(places, -1), tf.transpose(update, order))
    return tf.transpose(out, back)


# Products


def matmul(x, y):
    if x.ndim > 2 and y.ndim == 2:  # one product of matrices, whose gradient by `y` is one too
        return tf.reshape(tf.matmul(tf.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1])), y), (*x.shape[:-1], y.shape[-1]))
    return tf.matmul(x, y)


def einsum(equation, xs):
    found = contraction.as_product(equation, xs, tf.transpose, tf.reshape, tf.matmul)
    return tf.einsum(equation, *xs) if found is None else found


def conv(x, kernel, strides, padding, dilation, groups):
    rank = len(strides)
    if rank == 1:
        return conv(x[:, None], kernel[None], (1, *strides), ((0, 0), *padding), (1, *dilation), groups)[:, 0]
    if builtins.any(step > 1 for step in dilation):  # no kernel of a CPU has gradients of it
        kernel, dilation = dilate(kernel, (*dilation, 1, 1)), (1,) * rank
    wanted = zip(x.shape[1:-1], kernel.shape, strides, strict=False)
    same = [divmod(builtins.max((-(-n // step) - 1) * step + window - n, 0), 2) for n, window, step in wanted]
    how = "VALID"
    if [(low, low + odd) for low, odd in same] == [*map(tuple, padding)]:
        how = "SAME"
    elif builtins.any(map(builtins.any, padding)):  # oneDNN's gradients take no paddings of one's own
        x = pad(x, ((0, 0), *padding, (0, 0)), 0)
    if groups > 1:
        return _conv_of_groups(x, kernel, strides, how, groups)
    if rank == 2 and HOST:
        window = kernel.shape[:2] if how == "VALID" else (1, 1)
        places = [(n - size) // step + 1 for n, size, step in zip(x.shape[1:-1], window, strides, strict=True)]
        if math.prod(places) << 16 <= kernel.shape.num_elements() and x.dtype is tf.float32:
            return _conv_of_few_places(x, kernel, strides, how, places)
    return tf.nn.conv3d(x, kernel, (1, *strides, 1), how) if rank == 3 else tf.nn.conv2d(x, kernel, strides, how)


def _conv_of_few_places(x, kernel, strides, how, places):
    """Patches and one product: where a large kernel meets few places, oneDNN's convolutions take two to three times as long."""
    if kernel.shape[:2] != (1, 1) or strides != (1, 1):
        x = tf.image.extract_patches(x, (1, *kernel.shape[:2], 1), (1, *strides, 1), (1, 1, 1, 1), how)
    found = tf.matmul(tf.reshape(x, (-1, x.shape[-1])), tf.reshape(kernel, (-1, kernel.shape[-1])))
    return tf.reshape(found, (-1, *places, kernel.shape[-1]))


def _conv_of_groups(x, kernel, strides, how, groups):
    if len(strides) == 2 and kernel.shape[-2] == 1 and strides[0] == strides[1]:
        kernel = tf.reshape(kernel, (*kernel.shape[:2], groups, kernel.shape[-1] // groups))
        return tf.nn.depthwise_conv2d(x, kernel, (1, *strides, 1), how)
    convolve = functools.partial(tf.nn.convolution, strides=strides, padding=how)
    return tf.concat([convolve(part, weights) for part, weights in zip(tf.split(x, groups, -1), tf.split(kernel, groups, -1), strict=True)], -1)


# Windows


def max_pool(x, size, strides, padding):
    least = -math.inf if x.dtype.is_floating else x.dtype.min
    x = _edged(x, padding, least)
    if x.dtype is not tf.float32:
        return _pool(x, size, strides, tf.maximum)
    return tf.nn.pool(x, size, "MAX", strides, "VALID")


def sum_pool(x, size, strides, padding):
    x = _edged(x, padding, 0)
    if x.dtype is not tf.float32:
        return _pool(x, size, strides, tf.add)
    return tf.nn.pool(x, size, "AVG", strides, "VALID") * math.prod(size)


def _edged(x, padding, value):
    return pad(x, ((0, 0), *padding, (0, 0)), value) if builtins.any(map(builtins.any, padding)) else x


def _pool(x, size, strides, combine):
    """Windows as strided slices, combined axis by axis."""
    for axis, (window, stride) in enumerate(zip(size, strides, strict=True), 1):
        reach = (x.shape[axis] - window) // stride * stride + 1
        before = (builtins.slice(None),) * axis
        x = functools.reduce(combine, [x[(*before, builtins.slice(i, i + reach, stride))] for i in range(window)])
    return x


# Linear algebra

cholesky, inv, det, fft, ifft = tf.linalg.cholesky, tf.linalg.inv, tf.linalg.det, tf.signal.fft, tf.signal.ifft


def qr(x, complete):
    return tuple(tf.linalg.qr(x, complete))


def lu(x):
    """By elimination, column for column: TensorFlow's takes square matrices alone, refuses singular ones, and has no gradient."""
    rows, columns, pivots = tf.range(x.shape[-2]), tf.range(x.shape[-1]), []
    for k in range(builtins.min(x.shape[-2:])):
        pivot = argmax(tf.where(rows >= k, tf.abs(x[..., k]), tf.constant(-1, x.dtype.real_dtype)), -1, True)
        x = tf.gather(x, tf.where(rows == k, pivot, tf.where(rows == pivot, k, rows)), axis=-2, batch_dims=x.ndim - 2)
        corner = x[..., k : k + 1, k : k + 1]
        factors = x[..., k : k + 1] / tf.where(corner == 0, tf.ones_like(corner), corner)
        below = (rows > k)[:, None]
        x = tf.where(below & (columns > k), x - factors * x[..., k : k + 1, :], tf.where(below & (columns == k), factors, x))
        pivots.append(pivot)
    return x, tf.concat(pivots, -1)


def eig(x):
    return tuple(tf.linalg.eig(x))


def svd(x, full_matrices, compute_uv):
    if not compute_uv:
        return tf.linalg.svd(x, compute_uv=False)
    s, u, v = tf.linalg.svd(x, full_matrices)
    return u, s, tf.linalg.adjoint(v)


def eigh(x):
    return tuple(tf.linalg.eigh(x))


def _by_vectors(function):
    """`function` of a matrix and a matrix, for a vector as the second too."""
    return lambda a, b, *args: function(a, b[..., None], *args)[..., 0] if b.ndim < a.ndim else function(a, b, *args)


solve = _by_vectors(tf.linalg.solve)
triangular_solve = _by_vectors(lambda a, b, lower: tf.linalg.triangular_solve(*_same_batch(a, b), lower=lower))


def _same_batch(a, b):
    return a, b


# Types without a kernel are computed in a wider one and cast back


_as_type = widening.caster(tf.Tensor, tf.cast)
_QUARTERS = {DTYPES["float8_e4m3fn"]: tf.float32, DTYPES["float8_e5m2"]: tf.float32}
_HALVES = {tf.bfloat16: tf.float32, tf.float16: tf.float32}
_UNSIGNED = {tf.uint8: tf.int64, tf.uint16: tf.int64, tf.uint32: tf.int64, tf.uint64: tf.int64}
_SHORT = {tf.int8: tf.int32, tf.uint8: tf.int32, tf.int16: tf.int32, tf.uint16: tf.int32, tf.uint32: tf.int64, tf.uint64: tf.int64}
_INTEGERS = dict.fromkeys((*_SHORT, tf.int32, tf.int64), tf.float64)

for _wider, _names in (
    (_UNSIGNED, "negative abs sign power"),
    (_HALVES, "erfinv lgamma digamma cholesky lu eig eigh inv det qr svd solve triangular_solve"),
    (_SHORT, "matmul einsum"),
    (_INTEGERS, "conv"),
    ({}, """exp expm1 log log1p log2 log10 sqrt rsqrt square reciprocal sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh
        sigmoid erf floor ceil round trunc isnan isinf isfinite real imag add subtract multiply divide floor_divide mod maximum minimum arctan2 equal
        not_equal less less_equal greater greater_equal nextafter sum prod max min argmax argmin cumsum cumprod sort argsort top_k pad dilate flip
        scatter dynamic_update_slice max_pool sum_pool"""),
):  # fmt: skip
    for _name in _names.split():
        globals()[_name] = widening.widened(globals()[_name], _QUARTERS | _wider, _as_type)
