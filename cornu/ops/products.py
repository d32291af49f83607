"""Products of tensors and linear algebra."""

import math

import ml_dtypes

from cornu import dtypes, settings, shapes
from cornu.backends import array, canonical, kind, on_load
from cornu.backends import protocol as p
from cornu.ops.dispatch import op, settle
from cornu.ops.elementwise import abs as _abs
from cornu.ops.elementwise import conj, divide, equal, greater, log, multiply, sqrt, square, subtract, where
from cornu.ops.making import cast
from cornu.ops.reduce import max as _max
from cornu.ops.reduce import sum as _sum
from cornu.ops.shaping import diagonal, expand_dims, moveaxis, swapaxes
from cornu.shapes import normalize_axes, normalize_axis, unknown


def _pair(x1, x2, dtype=None):
    """Both as tensors of one type, scalars being weak."""
    dtype = dtype or canonical(dtypes.result(kind(x1), kind(x2)))
    return array(x1, dtype), array(x2, dtype)


def _wide(*xs):
    """int32 for products of two tensors of int8, whose sums would not fit."""
    return "int32" if len(xs) == 2 and all(kind(x) == "int8" for x in xs) else None


_float32, _arrays = None, ()  # what arrays of the backend in use have as their `dtype`, and the types of those that are concrete


def _on_load(backend):
    global _float32, _arrays
    _float32, _arrays = backend.type_object("float32"), backend.ARRAY if isinstance(backend.ARRAY, tuple) else (backend.ARRAY,)


on_load(_on_load)


def _plain_product(x1, x2):
    """Whether both are matrices of float32 that fit."""
    return type(x2) in _arrays and x2.dtype is x1.dtype is _float32 and x1.ndim == 2 == x2.ndim and x1.shape[1] == x2.shape[0]


@op(tensors=2, direct=_plain_product)
def matmul(x1, x2):
    """Matrix product over the last two axes, the others broadcast; vectors count as a row on the left, a column on the right.

    Shape: (..., n, k) by (..., k, m) -> (..., n, m).

    >>> ops.matmul([[1, 2]], [[3], [4]]).tolist()
    [[11]]

    Raises:
        ValueError: the sizes k differ.
    """
    x1, x2 = _pair(x1, x2, _wide(x1, x2))
    if not x1.ndim or not x2.ndim:
        raise ValueError(f"matmul: wanted one axis at least in each; got {shapes.public(x1.shape)} and {shapes.public(x2.shape)}.")
    row, column = x1.ndim == 1, x2.ndim == 1
    x1 = p.reshape(x1, (1, x1.shape[0])) if row else x1
    x2 = p.reshape(x2, (x2.shape[0], 1)) if column else x2
    shape = shapes.matmul(tuple(x1.shape), tuple(x2.shape))
    out = p.matmul(x1, x2)
    if not row and not column:
        return out
    return p.reshape(out, (*shape[:-2], *(() if row else shape[-2:-1]), *(() if column else shape[-1:])))


@op(tensors=0)
def dot(x1, x2):
    """Sum of products over the last axis of `x1` and the last but one of `x2` (the only one of a vector); with a scalar, the product.

    >>> int(ops.dot([1, 2], [3, 4]))
    11
    """
    x1, x2 = _pair(x1, x2)
    if not x1.ndim or not x2.ndim:
        return multiply(x1, x2)
    return tensordot(x1, x2, [[-1], [-1 if x2.ndim == 1 else -2]])


@op(tensors=2)
def tensordot(x1, x2, axes=2):
    """Sum of products over pairs of axes.

    Args:
        axes: a number n, for the last n of `x1` with the first n of `x2`; or two lists of axes.

    >>> ops.tensordot([[1, 2]], [[3], [4]], 1).tolist()
    [[11]]

    Raises:
        ValueError: the sizes of a pair differ.
    """
    x1, x2 = _pair(x1, x2)
    if hasattr(axes, "__index__"):
        axes = (range(x1.ndim - axes, x1.ndim), range(axes))
    left, right = ([a] if hasattr(a, "__index__") else list(a) for a in axes)
    left, right = [normalize_axis(a, x1.ndim, "tensordot") for a in left], [normalize_axis(a, x2.ndim, "tensordot") for a in right]
    if len(left) != len(right):
        raise ValueError(f"tensordot: wanted as many axes of one as of the other; got {left} and {right}.")
    for a, b in zip(left, right, strict=True):
        shapes.same(x1.shape[a], x2.shape[b], f"tensordot over axis {a} of {shapes.public(x1.shape)} and axis {b} of {shapes.public(x2.shape)}")
    names = iter(_LETTERS)
    first = [next(names) for _ in range(x1.ndim)]
    second = [first[left[right.index(b)]] if b in right else next(names) for b in range(x2.ndim)]
    out = [n for i, n in enumerate(first) if i not in left] + [n for i, n in enumerate(second) if i not in right]
    return p.einsum(f"{''.join(first)},{''.join(second)}->{''.join(out)}", [x1, x2])


_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@op(tensors=0)
def einsum(subscripts, *operands, **kwargs):
    """Products summed over the axes that the result does not name (Einstein's convention).

    Args:
        subscripts: a letter an axis, tensors divided by commas, the result after "->"; "..." stands for axes that broadcast.

    >>> ops.einsum("ij,jk->ik", [[1, 2]], [[3], [4]]).tolist()
    [[11]]
    """
    operands = [array(x) for x in operands]
    operands = settle(*operands, dtype=_wide(*operands))[0]
    equation, operands = _explicit(subscripts.replace(" ", ""), operands)
    shapes.einsum(equation, [tuple(x.shape) for x in operands])
    return p.einsum(equation, operands)


def _explicit(equation, operands):
    """The equation with its output, and letters in place of "..."."""
    inputs, arrow, output = equation.partition("->")
    terms = inputs.split(",")
    if len(terms) != len(operands):
        raise ValueError(f"einsum {equation!r}: {len(terms)} tensors are named, {len(operands)} came.")
    spare = [c for c in _LETTERS if c not in equation]
    broad = max((x.ndim - len(t) + 3 for t, x in zip(terms, operands, strict=True) if "..." in t), default=0)
    dots = "".join(spare[:broad])
    full = [t.replace("...", dots[broad - (x.ndim - len(t) + 3) :] if "..." in t else "") for t, x in zip(terms, operands, strict=True)]
    if not arrow:
        plain = inputs.replace("...", "").replace(",", "")
        output = ("..." if "..." in inputs else "") + "".join(sorted(c for c in set(plain) if plain.count(c) == 1))
    return f"{','.join(full)}->{output.replace('...', dots)}", operands


@op(tensors=0)
def inner(x1, x2):
    """Sum of products over the last axes.

    >>> int(ops.inner([1, 2], [3, 4]))
    11
    """
    x1, x2 = _pair(x1, x2)
    return multiply(x1, x2) if not x1.ndim or not x2.ndim else tensordot(x1, x2, [[-1], [-1]])


@op(tensors=0)
def outer(x1, x2):
    """The products of every element of `x1` with every one of `x2`, both flattened. Shape: (n,) and (m,) -> (n, m).

    >>> ops.outer([1, 2], [3, 4]).tolist()
    [[3, 4], [6, 8]]
    """
    x1, x2 = _pair(x1, x2)
    return p.multiply(p.reshape(x1, (-1, 1)), p.reshape(x2, (1, -1)))


@op(tensors=2)
def vdot(x1, x2):
    """Sum of the products of all elements, those of `x1` conjugated.

    >>> int(ops.vdot([1, 2], [3, 4]))
    11
    """
    x1, x2 = _pair(x1, x2)
    x1 = conj(x1) if kind(x1) in dtypes.COMPLEX else x1
    return tensordot(p.reshape(x1, (-1,)), p.reshape(x2, (-1,)), 1)


@op(tensors=0)
def kron(x1, x2):
    """Kronecker product: a copy of `x2` times each element of `x1`.

    >>> ops.kron([1, 10], [1, 2]).tolist()
    [1, 2, 10, 20]
    """
    x1, x2 = _pair(x1, x2)
    n = max(x1.ndim, x2.ndim)
    a, b = ((1,) * (n - x.ndim) + tuple(x.shape) for x in (x1, x2))
    left = p.reshape(x1, tuple(s for size in a for s in (size, 1)))
    right = p.reshape(x2, tuple(s for size in b for s in (1, size)))
    return p.reshape(p.multiply(left, right), tuple(m * k for m, k in zip(a, b, strict=True)))


@op(tensors=2)
def cross(x1, x2, axisa=-1, axisb=-1, axisc=-1, axis=None):
    """Vector product of vectors of 3 (or 2) numbers; of two pairs, its only component.

    >>> ops.cross([1, 0, 0], [0, 1, 0]).tolist()
    [0, 0, 1]
    """
    x1, x2 = _pair(x1, x2)
    if axis is not None:
        axisa = axisb = axisc = axis
    x1, x2 = moveaxis(x1, axisa, -1), moveaxis(x2, axisb, -1)
    sizes = x1.shape[-1], x2.shape[-1]
    if any(not unknown(n) and n not in (2, 3) for n in sizes):
        raise ValueError(f"cross: wanted vectors of 2 or 3 numbers; got the shapes {shapes.public(x1.shape)} and {shapes.public(x2.shape)}.")
    part = lambda x, i: p.getitem(x, (..., i))
    a, b = [part(x1, i) for i in range(2)], [part(x2, i) for i in range(2)]
    last = subtract(multiply(a[0], b[1]), multiply(a[1], b[0]))
    if sizes == (2, 2):
        return last
    az = part(x1, 2) if sizes[0] != 2 else multiply(a[0], 0)
    bz = part(x2, 2) if sizes[1] != 2 else multiply(b[0], 0)
    parts = [subtract(multiply(a[1], bz), multiply(az, b[1])), subtract(multiply(az, b[0]), multiply(a[0], bz)), last]
    return moveaxis(p.concatenate([expand_dims(x, -1) for x in parts], last.ndim), -1, axisc)


@op
def trace(x, offset=0, axis1=0, axis2=1):
    """The sum of the diagonal of two axes.

    >>> int(ops.trace([[1, 2], [3, 4]]))
    5
    """
    return _sum(diagonal(x, offset, axis1, axis2), -1)


@op
def normalize(x, axis=-1, order=2, epsilon=None):
    """`x` divided by its norm of the given order along `axis`; the norm counts as `epsilon` where it is less.

    Args:
        order: a number from 1 up, or inf.
        epsilon: 1e-7 by default.

    >>> ops.normalize([[3.0, 4.0]]).tolist()
    [[0.6000000238418579, 0.800000011920929]]
    """
    dtype = canonical(dtypes.to_float(kind(x)))
    x = cast(x, "float32" if dtype in ("float16", "bfloat16") else dtype)  # sums of squares leave float16
    epsilon = settings.epsilon() if epsilon is None else epsilon
    axes = tuple(sorted(normalize_axes(axis, x.ndim, "normalize")))
    if order == 2:
        return cast(multiply(x, p.rsqrt(p.maximum(p.sum(square(_abs(x)), axes, True), epsilon**2))), dtype)
    if order == math.inf:
        size = p.max(_abs(x), axes, True)
    else:
        size = p.power(p.sum(p.power(_abs(x), order), axes, True), 1.0 / order)
    return cast(divide(x, p.maximum(size, epsilon)), dtype)


# Linear algebra, over the last two axes


def _matrices(x, op, square=False):
    if x.ndim < 2:
        raise ValueError(f"{op}: wanted matrices on the last two axes; got the shape {shapes.public(x.shape)}.")
    if square:
        shapes.same(x.shape[-2], x.shape[-1], f"{op}: the matrices of {shapes.public(x.shape)} must be square")


def _matrix(x, op, square=False):
    """`x` as floats, after a look at its shape."""
    _matrices(x, op, square)
    return cast(x, canonical(dtypes.to_float(kind(x))))


def _float_pair(x1, x2):
    return _pair(x1, x2, canonical(dtypes.to_float(kind(x1), kind(x2))))


def _transposed(x):
    return swapaxes(x, -1, -2)


@op
def cholesky(x, upper=False):
    """The lower triangular L with `x = L @ transpose(L)`, of a positive definite matrix; its transpose where `upper`.

    >>> ops.cholesky([[4.0]]).tolist()
    [[2.0]]
    """
    out = p.cholesky(_matrix(x, "cholesky", True))
    return _transposed(out) if upper else out


@op
def cholesky_inverse(x, upper=False):
    """The inverse of the matrix whose Cholesky factor is `x`.

    >>> ops.cholesky_inverse([[2.0]]).tolist()
    [[0.25]]
    """
    x = _matrix(x, "cholesky_inverse", True)
    inverse = p.inv(x)
    return p.matmul(inverse, _transposed(inverse)) if upper else p.matmul(_transposed(inverse), inverse)


@op
def inv(x):
    """The inverse of square matrices.

    >>> ops.inv([[2.0, 0.0], [0.0, 4.0]]).tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    return p.inv(_matrix(x, "inv", True))


@op
def det(x):
    """The determinant of square matrices.

    >>> float(ops.det([[2.0, 0.0], [0.0, 3.0]]))
    6.0
    """
    return p.det(_matrix(x, "det", True))


@op
def slogdet(x):
    """Sign of the determinant, and the logarithm of its absolute value.

    >>> round(float(ops.slogdet([[2.0, 0.0], [0.0, 3.0]])[1]), 4)
    1.7918
    """
    x = _matrix(x, "slogdet", True)
    found = p.det(x)
    return p.sign(found), log(_abs(found))


@op
def logdet(x):
    """Logarithm of the determinant of positive definite matrices.

    >>> round(float(ops.logdet([[2.0, 0.0], [0.0, 3.0]])), 4)
    1.7918
    """
    return multiply(_sum(log(diagonal(p.cholesky(_matrix(x, "logdet", True)), 0, -2, -1)), -1), 2.0)


@op
def qr(x, mode="reduced"):
    """Q with orthonormal columns and an upper triangular R, with `x = Q @ R`.

    Args:
        mode: "reduced", or "complete" for a square Q; of tall matrices that has no gradient.

    >>> [part.shape for part in ops.qr(ops.ones((3, 2)))]
    [(3, 2), (2, 2)]
    """
    if mode not in ("reduced", "complete"):
        raise ValueError(f"qr: mode must be 'reduced' or 'complete'; got {mode!r}.")
    x = _matrix(x, "qr")
    return tuple(p.qr(x, mode == "complete"))


@op
def svd(x, full_matrices=True, compute_uv=True):
    """Singular values in descending order, with the factors: U, values, V transposed; `x = U @ diag(values) @ V`.

    >>> [part.shape for part in ops.svd(ops.ones((3, 2)))]
    [(3, 3), (2,), (2, 2)]
    """
    found = p.svd(_matrix(x, "svd"), bool(full_matrices), bool(compute_uv))
    return tuple(found) if compute_uv else found


@op
def eigh(x):
    """Eigenvalues in ascending order and eigenvectors (columns) of symmetric matrices.

    >>> ops.eigh([[2.0, 0.0], [0.0, 3.0]])[0].tolist()
    [2.0, 3.0]
    """
    return tuple(p.eigh(_matrix(x, "eigh", True)))


@op(tensors=2)
def solve(a, b):
    """The x with `a @ x = b`. Shape: a (..., n, n), b (..., n, k) or (n,).

    >>> ops.solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 4.0]).tolist()
    [1.0, 1.0]
    """
    _matrices(a, "solve", True)
    a, b = _float_pair(a, b)
    shapes.ranked(b.shape, "solve", 1)
    column = b.ndim == a.ndim - 1
    shapes.same(
        a.shape[-1], b.shape[-1 if column or b.ndim < 2 else -2], f"solve: the matrix {shapes.public(a.shape)} and the right side {shapes.public(b.shape)}"
    )
    shapes.broadcast(a.shape[:-2], b.shape[: -1 if column else -2], op="solve")
    out = p.solve(a, expand_dims(b, -1) if column else b)
    return p.reshape(out, tuple(out.shape[:-1])) if column else out


@op(tensors=2)
def solve_triangular(a, b, lower=False):
    """The x with `a @ x = b`, for a triangular `a`: the upper one unless `lower`.

    >>> ops.solve_triangular([[2.0, 0.0], [0.0, 4.0]], [2.0, 4.0]).tolist()
    [1.0, 1.0]
    """
    _matrices(a, "solve_triangular", True)
    a, b = _float_pair(a, b)
    shapes.ranked(b.shape, "solve_triangular", 1)
    column = b.ndim == a.ndim - 1
    shapes.same(
        a.shape[-1],
        b.shape[-1 if column or b.ndim < 2 else -2],
        f"solve_triangular: the matrix {shapes.public(a.shape)} and the right side {shapes.public(b.shape)}",
    )
    shapes.broadcast(a.shape[:-2], b.shape[: -1 if column else -2], op="solve_triangular")
    out = p.triangular_solve(a, expand_dims(b, -1) if column else b, bool(lower))
    return p.reshape(out, tuple(out.shape[:-1])) if column else out


@op
def pinv(x, rcond=None):
    """The pseudo-inverse (Moore and Penrose): singular values below `rcond` times the largest count as 0.

    >>> [[round(x, 3) for x in row] for row in ops.pinv([[2.0, 0.0], [0.0, 4.0]]).tolist()]
    [[0.5, 0.0], [0.0, 0.25]]
    """
    x = _matrix(x, "pinv")
    u, values, v = p.svd(x, False, True)
    return p.matmul(_transposed(v), multiply(expand_dims(_inverted(values, x, rcond), -1), _transposed(u)))


def _inverted(values, x, rcond):
    largest = max((n for n in x.shape[-2:] if not unknown(n)), default=1)
    rcond = largest * float(ml_dtypes.finfo(kind(x)).eps) if rcond is None else rcond
    kept = greater(values, multiply(_max(values, -1, True), rcond))
    return where(kept, divide(1.0, where(kept, values, 1.0)), 0.0)


@op(tensors=2)
def lstsq(a, b, rcond=None):
    """The x of least norm for which `|a @ x - b|` is least.

    >>> [round(x, 3) for x in ops.lstsq([[1.0], [1.0]], [1.0, 3.0]).tolist()]
    [2.0]
    """
    _matrices(a, "lstsq")
    a, b = _float_pair(a, b)
    return matmul(pinv(a, rcond), b)


@op
def matrix_rank(x, tol=None):
    """How many singular values are above `tol` (the largest times the longer side times the type's precision by default), as int32.

    >>> int(ops.matrix_rank([[1.0, 1.0], [1.0, 1.0]]))
    1
    """
    x = _matrix(x, "matrix_rank")
    values = p.svd(x, False, False)
    if tol is None:
        largest = max((n for n in x.shape[-2:] if not unknown(n)), default=1)
        tol = multiply(_max(values, -1, True), largest * float(ml_dtypes.finfo(kind(x)).eps))
    return p.sum(cast(greater(values, tol), "int32"), (values.ndim - 1,), False)


@op(tensors=2)
def cdist(x, y):
    """Euclidean distance of every row of `x` to every row of `y`. Shape: (..., n, d) and (..., m, d) -> (..., n, m).

    >>> ops.cdist([[0.0, 0.0]], [[3.0, 4.0]]).tolist()
    [[5.0]]
    """
    _matrices(x, "cdist")
    _matrices(y, "cdist")
    x, y = _float_pair(x, y)
    squares = _sum(square(subtract(expand_dims(x, -2), expand_dims(y, -3))), -1)
    zero = equal(squares, 0)
    return where(zero, 0.0, sqrt(where(zero, 1.0, squares)))
