"""The gradients of the primitives: a table with a rule for each tensor argument of each.

A rule takes the gradient `g` of the output, the output and the arguments, and gives the gradient of its argument; `fit` then sums what was
broadcast and settles the type. For an argument that is a list, the rule is told first which item is wanted. `p` holds the primitives,
so that rules have gradients themselves. Complex numbers: `g` pairs with a change `d` as the real part of `g * d`, as in JAX.
"""

import math

import numpy as np

from cornu import tree
from cornu.backends.numpy_tape import DIFFERENTIABLE, RULES, STILL, Quiet, Tape, Traced, unwrap, zeros_like
from cornu.backends.numpy_tape import lifted as p
from cornu.backends.numpy_values import window_key

STILL.update("""sign floor ceil round trunc isnan isinf isfinite logical_not bitwise_not floor_divide nextafter equal not_equal less
    less_equal greater greater_equal logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor left_shift right_shift arange iota any all
    argmax argmin argsort max_places bitcast""".split())  # fmt: skip

# Elementwise: of (g, y, x) for y = f(x), and of (g, z, x, y) for z = f(x, y)

RULES |= {
    "negative": (lambda g, y, x: -g,),
    "abs": (lambda g, y, x: g * p.sign(x) if x.dtype.kind != "c" else g * p.where(p.equal(y, 0), 0, p.conj(x) / p.cast(y, x.dtype)),),
    "exp": (lambda g, y, x: g * y,),
    "expm1": (lambda g, y, x: g * (y + 1),),
    "log": (lambda g, y, x: g / x,),
    "log1p": (lambda g, y, x: g / (x + 1),),
    "log2": (lambda g, y, x: g / (x * math.log(2)),),
    "log10": (lambda g, y, x: g / (x * math.log(10)),),
    "sqrt": (lambda g, y, x: g * 0.5 / y,),
    "rsqrt": (lambda g, y, x: g * -0.5 * y / x,),
    "square": (lambda g, y, x: g * 2 * x,),
    "reciprocal": (lambda g, y, x: -g * y * y,),
    "sin": (lambda g, y, x: g * p.cos(x),),
    "cos": (lambda g, y, x: -g * p.sin(x),),
    "tan": (lambda g, y, x: g * (y * y + 1),),
    "arcsin": (lambda g, y, x: g * p.rsqrt(1 - x * x),),
    "arccos": (lambda g, y, x: -g * p.rsqrt(1 - x * x),),
    "arctan": (lambda g, y, x: g / (x * x + 1),),
    "sinh": (lambda g, y, x: g * p.cosh(x),),
    "cosh": (lambda g, y, x: g * p.sinh(x),),
    "tanh": (lambda g, y, x: g * (1 - y * y),),
    "arcsinh": (lambda g, y, x: g * p.rsqrt(x * x + 1),),
    "arccosh": (lambda g, y, x: g * p.rsqrt((x - 1) * (x + 1)),),
    "arctanh": (lambda g, y, x: g / (1 - x * x),),
    "sigmoid": (lambda g, y, x: g * (y * (1 - y)),),
    "erf": (lambda g, y, x: g * (2 / math.sqrt(math.pi) * p.exp(-(x * x))),),
    "erfinv": (lambda g, y, x: g * (math.sqrt(math.pi) / 2 * p.exp(y * y)),),
    "lgamma": (lambda g, y, x: g * p.digamma(x),),
    "digamma": (lambda g, y, x: g * p.trigamma(x),),
    "real": (lambda g, y, x: g,),
    "imag": (lambda g, y, x: p.cast(g, x.dtype) * -1j if x.dtype.kind == "c" else p.multiply(g, 0),),
    "conj": (lambda g, y, x: p.conj(g),),
    "add": (lambda g, z, x, y: g, lambda g, z, x, y: g),
    "subtract": (lambda g, z, x, y: g, lambda g, z, x, y: -g),
    "multiply": (lambda g, z, x, y: g * y, lambda g, z, x, y: g * x),
    "divide": (lambda g, z, x, y: g / y, lambda g, z, x, y: -(g * z) / y),
    "mod": (lambda g, z, x, y: g, lambda g, z, x, y: -g * p.floor_divide(x, y)),
    "arctan2": (lambda g, z, x, y: g * y / (x * x + y * y), lambda g, z, x, y: -g * x / (x * x + y * y)),
    "where": (None, lambda g, z, c, x, y: p.where(c, g, 0), lambda g, z, c, x, y: p.where(c, 0, g)),
    "cast": (lambda g, y, x, dtype: g,),
    "full": (None, lambda g, y, shape, value, dtype: g),
}


def _trigamma(g, y, x):
    raise TypeError("lgamma: its third derivative is not there; the first and the second are.")


def _power_base(g, z, x, y):
    if isinstance(y, (int, float)):
        return g * y * p.power(x, y - 1) if y else g * 0
    return g * y * p.power(x, p.where(p.equal(y, 0), 1, y - 1))


def _power_exponent(g, z, x, y):
    x = np.asarray(x, z.dtype) if isinstance(x, (int, float)) else x
    return g * p.log(p.where(p.equal(x, 0), 1, x)) * z


def _share(g, wins, even):
    """`g` where `wins`, and half of it where `even`."""
    return g * (p.add(p.cast(p.logical_or(wins, even), g.dtype), p.cast(wins, g.dtype)) * 0.5)


def _winner(beats):
    """Ties share: half to each."""
    return lambda g, z, x, y: _share(g, beats(x, y), p.equal(x, y)), lambda g, z, x, y: _share(g, beats(y, x), p.equal(x, y))


RULES |= {"trigamma": (_trigamma,), "power": (_power_base, _power_exponent), "maximum": _winner(p.greater), "minimum": _winner(p.less)}

# Reductions


def _spread(g, x, axes, keepdims):
    """`g` with the reduced axes back in place, as ones."""
    return g if keepdims else p.reshape(g, tuple(1 if i in axes else size for i, size in enumerate(x.shape)))


def _part(x, axis, start, stop):
    """x[start:stop] along `axis`."""
    starts, stops = [0] * x.ndim, [None] * x.ndim
    starts[axis], stops[axis] = start, stop
    return p.slice(x, starts, stops, [1] * x.ndim)


def _before(x, axis):
    """For each place along `axis` the product of all before it."""
    ones = np.ones([1 if i == axis else size for i, size in enumerate(x.shape)], x.dtype)
    return _part(p.concatenate([ones, p.cumprod(x, axis)], axis), axis, 0, x.shape[axis])


def _others(x, axis):
    """For each place along `axis` the product of all others, exact where there are zeros."""
    return _before(x, axis) * p.flip(_before(p.flip(x, (axis,)), axis), (axis,))


def _prod(g, y, x, axes, keepdims):
    kept = [i for i in range(x.ndim) if i not in axes]
    order = [*kept, *axes]
    sizes = [x.shape[i] for i in order]
    flat = p.reshape(p.transpose(x, order), (*sizes[: len(kept)], math.prod(sizes[len(kept) :])))
    others = p.reshape(_others(flat, len(kept)), tuple(sizes))
    return p.transpose(others, [order.index(i) for i in range(x.ndim)]) * _spread(g, x, axes, keepdims)


def _extreme(g, y, x, axes, keepdims):
    """Ties share alike."""
    best = p.equal(x, _spread(y, x, axes, keepdims))
    best = p.cast(best, x.dtype)
    return best * (_spread(g, x, axes, keepdims) / p.sum(best, axes, True))


def _cumsum(g, y, x, axis):
    return p.flip(p.cumsum(p.flip(g, (axis,)), axis), (axis,))


def _cumprod(g, y, x, axis):
    """Backwards: what follows place i weighs g[i] + x[i + 1] * (what follows i + 1). Exact where there are zeros."""
    after = []
    for i in reversed(range(x.shape[axis])):
        here = _part(g, axis, i, i + 1)
        after.append(here + _part(x, axis, i + 1, i + 2) * after[-1] if after else here)
    return _before(x, axis) * p.concatenate(after[::-1], axis) if after else g


RULES |= {
    "sum": (lambda g, y, x, axes, keepdims: p.broadcast_to(_spread(g, x, axes, keepdims), x.shape),),
    "prod": (_prod,),
    "max": (_extreme,),
    "min": (_extreme,),
    "cumsum": (_cumsum,),
    "cumprod": (_cumprod,),
}

# Order and movement


def _along(shape, indices, axis):
    """The key under which `getitem` does what `take_along_axis` does."""
    return tuple(indices if i == axis else np.arange(n).reshape([-1 if i == j else 1 for j in range(len(shape))]) for i, n in enumerate(shape))


def _zeros(x):
    return np.zeros(x.shape, x.dtype)


def _gather(x, indices):
    return p.getitem(x, tuple(np.moveaxis(indices, -1, 0)))


def _scatter_kept(g, y, x, indices, updates, mode):
    """The gradient of what is scattered into."""
    if mode == "add":
        return g
    if mode == "update":
        return p.scatter(g, indices, np.zeros((), x.dtype), "update")
    if mode == "multiply":
        return g * p.scatter(np.ones(x.shape, x.dtype), indices, updates, "multiply")
    return p.where(p.equal(x, y), g / _ties(y, x, indices, updates), 0)


def _ties(y, x, indices, updates):
    """How many of `x` and `updates` are the value that won a place."""
    won = p.cast(p.equal(_gather(y, indices), updates), x.dtype)
    return p.scatter(p.cast(p.equal(x, y), x.dtype), indices, won, "add")


def _scatter_updates(g, y, x, indices, updates, mode):
    seen = _gather(g, indices)
    if mode == "add":
        return seen
    if mode == "update":  # the last of several updates of one place won
        numbers = np.arange(math.prod(indices.shape[:-1])).reshape(indices.shape[:-1])
        winner = p.scatter(np.full(x.shape[: indices.shape[-1]], -1), indices, numbers, "update")
        won = p.equal(_gather(winner, indices), numbers)
        return seen * p.cast(won.reshape(*won.shape, *[1] * (seen.ndim - won.ndim)), x.dtype)
    if mode == "multiply":  # the product of the others: without zeros by division, exactly
        zero = p.equal(updates, 0)
        nonzero = p.where(zero, 1, updates)
        zeros = p.scatter(_zeros(x), indices, p.cast(zero, x.dtype), "add")
        product = _gather(p.scatter(x, indices, nonzero, "multiply"), indices)
        alone = p.equal(_gather(zeros, indices), p.cast(zero, x.dtype))
        return p.where(alone, seen * product / nonzero, 0)
    share = g / _ties(y, x, indices, updates)
    return p.where(p.equal(_gather(y, indices), updates), _gather(share, indices), 0)


RULES |= {
    "sort": (lambda g, y, x, axis: p.take_along_axis(g, p.argsort(p.argsort(x, axis), axis), axis),),
    "top_k": (lambda g, y, x, k: p.place(g[0], x.shape, _along(x.shape, y[1], x.ndim - 1)),),
    "reshape": (lambda g, y, x, shape: p.reshape(g, x.shape),),
    "transpose": (lambda g, y, x, axes: p.transpose(g, [list(axes).index(i) for i in range(x.ndim)]),),
    "broadcast_to": (lambda g, y, x, shape: g,),
    "pad": (
        lambda g, y, x, widths, value: p.pad(g, [(-low, -high) for low, high in widths], 0),
        None,
        lambda g, y, x, widths, value: (
            p.sum(g, tuple(range(g.ndim)), False) - p.sum(p.pad(g, [(min(-low, 0), min(-high, 0)) for low, high in widths], 0), tuple(range(g.ndim)), False)
        ),
    ),
    "dilate": (lambda g, y, x, steps: p.slice(g, [0] * x.ndim, [None] * x.ndim, steps),),
    "slice": (lambda g, y, x, starts, stops, strides: p.place(g, x.shape, tuple(map(slice, starts, stops, strides))),),
    "flip": (lambda g, y, x, axes: p.flip(g, axes),),
    "concatenate": (lambda i, g, y, xs, axis: _part(g, axis, sum(x.shape[axis] for x in xs[:i]), sum(x.shape[axis] for x in xs[: i + 1])),),
    "take": (lambda g, y, x, indices, axis: p.place_rows(g, x.shape, indices, axis),),
    "place_rows": (lambda g, y, x, shape, indices, axis: p.take(g, indices, axis),),
    "take_along_axis": (lambda g, y, x, indices, axis: p.place(g, x.shape, _along(x.shape, indices, axis)),),
    "getitem": (lambda g, y, x, key: p.place(g, x.shape, key),),
    "place": (lambda g, y, x, shape, key: p.getitem(g, key),),
    "scatter": (_scatter_kept, None, _scatter_updates),
    "dynamic_slice": (lambda g, y, x, starts, sizes: p.place(g, x.shape, window_key(x.shape, starts, sizes)),),
    "dynamic_update_slice": (
        lambda g, y, x, update, starts: p.dynamic_update_slice(g, _zeros(update), starts),
        lambda g, y, x, update, starts: p.dynamic_slice(g, starts, update.shape),
    ),
}

# Products. Each of conv, conv_input and conv_kernel is linear in both arguments, and the gradients of each are the other two.


def _t(x):
    """The matrices transposed."""
    return p.transpose(x, [*range(x.ndim - 2), x.ndim - 1, x.ndim - 2])


def _matmul_right(g, z, x, y):
    if y.ndim == 2:  # one product over all of the batch
        rows = math.prod(x.shape[:-1])
        x, g = p.reshape(x, (rows, x.shape[-1])), p.reshape(g, (rows, g.shape[-1]))
    return p.matmul(_t(x), g)


def _einsum(i, g, y, equation, xs):
    """The equation turned round: the output's gradient and the other operands in, operand i out. A letter that only operand i has is
    summed over, so comes back as ones; one that it has twice is a diagonal, so comes back through an identity matrix."""
    terms, out = equation.replace(" ", "").split("->")
    terms = terms.split(",")
    operands = [g, *(x for j, x in enumerate(xs) if j != i)]
    inputs = [out, *(term for j, term in enumerate(terms) if j != i)]
    spare = iter(c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" if c not in equation)
    wanted = ""
    for letter, size in zip(terms[i], xs[i].shape):
        if letter in wanted:
            new = next(spare)
            inputs.append(letter + new)
            operands.append(np.eye(size, dtype=g.dtype))
            letter = new
        elif not any(letter in term for term in inputs):
            inputs.append(letter)
            operands.append(np.ones(size, g.dtype))
        wanted += letter
    return p.einsum(f"{','.join(inputs)}->{wanted}", operands)


def _max_pool(g, y, x, *window):
    """All to the first maximum of a window, in the order of its places; a window of padding alone gives nothing."""
    places = p.max_places(x, y, *window)
    flat = p.place(p.reshape(g, (g.size,)), (x.size + 1,), (places.ravel(),))
    return p.reshape(_part(flat, 0, 0, x.size), x.shape)


RULES |= {
    "matmul": (lambda g, z, x, y: p.matmul(g, _t(y)), _matmul_right),
    "einsum": (None, _einsum),
    "conv": (
        lambda g, y, x, kernel, *rest: p.conv_input(g, kernel, x.shape, *rest),
        lambda g, y, x, kernel, *rest: p.conv_kernel(x, g, kernel.shape, *rest),
    ),
    "conv_input": (
        lambda c, y, g, kernel, shape, *rest: p.conv(c, kernel, *rest),
        lambda c, y, g, kernel, shape, *rest: p.conv_kernel(c, g, kernel.shape, *rest),
    ),
    "conv_kernel": (
        lambda c, y, x, g, shape, *rest: p.conv_input(g, c, x.shape, *rest),
        lambda c, y, x, g, shape, *rest: p.conv(x, c, *rest),
    ),
    "max_pool": (_max_pool,),
    "sum_pool": (lambda g, y, x, *window: p.unpool(g, x.shape, *window),),
    "unpool": (lambda g, y, x, shape, *window: p.sum_pool(g, *window),),
}

# Linear algebra: Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation", 2008, and as named


def _real(x, name):
    if x.dtype.kind == "c":
        raise TypeError(f"{name}: its gradient is there for real matrices only; got {x.dtype}.")


def _symmetric(x):
    return (x + _t(x)) * 0.5


def _low(x):
    """The lower triangle, with half the diagonal."""
    return x * (np.tri(x.shape[-1], dtype=x.dtype) - 0.5 * np.eye(x.shape[-1], dtype=x.dtype))


def _column(x):
    """(..., n) as (..., n, 1)."""
    return p.reshape(x, (*x.shape, 1))


def _row(x):
    """(..., n) as (..., 1, n)."""
    return p.reshape(x, (*x.shape[:-1], 1, x.shape[-1]))


def _gaps(values):
    """1 / (values[j] - values[i]) at (i, j), and 0 where they are equal."""
    gaps = _row(values) - _column(values)
    same = p.equal(gaps, 0)
    return p.where(same, 0, 1 / p.where(same, 1, gaps))


def _cholesky(g, y, x):
    """Murray, "Differentiation of the Cholesky decomposition", 2016."""
    _real(x, "cholesky")
    inner = p.triangular_solve(_t(y), _low(p.matmul(_t(y), g)), False)
    return _symmetric(_t(p.triangular_solve(_t(y), _t(inner), False)))


def _qr(g, y, x, complete):
    """Walter and Lehmann 2010; wide matrices by Roberts and Roberts, "QR and LQ decomposition matrix backpropagation algorithms", 2020."""
    _real(x, "qr")
    (q, r), (gq, gr) = y, g
    m, n = x.shape[-2:]
    if complete and m > n:
        raise TypeError("qr: with mode='complete' a tall matrix has no gradient. Use mode='reduced'.")
    if m < n:
        axis = x.ndim - 1
        rest, gv = _part(x, axis, m, n), _part(gr, axis, m, n)
        gq, r, gr = gq + p.matmul(rest, _t(gv)), _part(r, axis, 0, m), _part(gr, axis, 0, m)
    mixed = p.matmul(r, _t(gr)) - p.matmul(_t(gq), q)
    low = _low(mixed)
    gx = _t(p.triangular_solve(r, _t(gq + p.matmul(q, low + _t(low))), False))
    return p.concatenate([gx, p.matmul(q, gv)], axis) if m < n else gx


def _lu(g, y, x):
    """With the left factor filled up to (m, m) and the right one to (n, n) by the unit matrix, a change X of the permuted matrix between
    their inverses is the sum of the left factor's change (its strict lower part) and the right one's."""
    (factors, pivots), (g, _) = y, g
    m, n = x.shape[-2:]
    k = min(m, n)
    fill = lambda part, size, axis: p.pad(part, [*[(0, 0)] * (x.ndim - 2), *((0, size - k) if i == axis else (0, 0) for i in (0, 1))], 0)
    low, high = np.tri(m, n, -1, x.dtype), 1 - np.tri(m, n, -1, x.dtype)
    left = fill(_part(factors * low, x.ndim - 1, 0, k), m, 1) + np.eye(m, dtype=x.dtype)
    right = fill(_part(factors * high, x.ndim - 2, 0, k), n, 0) + np.diag((np.arange(n) >= k).astype(x.dtype))
    inner = p.matmul(_t(left), g * low) * low + p.matmul(g * high, _t(right)) * high
    change = p.triangular_solve(_t(left), _t(p.triangular_solve(right, _t(inner), False)), False)
    order = np.broadcast_to(np.arange(m), (*pivots.shape[:-1], m)).copy().reshape(-1, m)
    for j, rows in enumerate(pivots.reshape(-1, k).T):
        every = np.arange(len(order))
        order[every, j], order[every, rows] = order[every, rows], order[every, j]
    back = np.argsort(order, -1).reshape(*pivots.shape[:-1], m, 1).astype("int32")
    return p.take_along_axis(change, np.broadcast_to(back, x.shape), x.ndim - 2)


def _eig(g, y, x):
    """Vectors are determined up to a phase: the gradient is that of functions which do not depend on it. Giles 2008, with vectors of length 1."""
    (w, v), (gw, gv) = y, g
    unit = np.eye(w.shape[-1], dtype=v.dtype)
    turned = p.matmul(_t(v), gv)
    length = p.cast(p.real(p.sum(turned * unit, (v.ndim - 1,), False)), v.dtype)
    change = turned - p.matmul(_t(v), p.conj(v)) * _row(length)
    return p.solve(_t(v), p.matmul(_gaps(w) * change + _row(gw) * unit, _t(v)))


def _svd(g, y, x, full_matrices, compute_uv):
    """Townsend, "Differentiating the singular value decomposition", 2016."""
    if not compute_uv:
        u, _, v = p.svd(x, False, True)
        return p.matmul(p.conj(u) * _row(p.cast(g, x.dtype)), p.conj(v))
    _real(x, "svd")
    m, n = x.shape[-2:]
    if full_matrices and m != n:
        raise TypeError("svd: with full_matrices=True it has a gradient for square matrices only. Use full_matrices=False.")
    (u, s, vt), (gu, gs, gvt) = y, g
    gaps = _gaps(s * s)
    turn_u, turn_v = p.matmul(_t(u), gu), p.matmul(vt, _t(gvt))
    core = gaps * (turn_u - _t(turn_u)) * _row(s) + _column(s) * (gaps * (turn_v - _t(turn_v))) + _row(gs) * np.eye(s.shape[-1], dtype=x.dtype)
    out = p.matmul(p.matmul(u, core), vt)
    if m > n:
        out = out + p.matmul((gu - p.matmul(u, turn_u)) / _row(s), vt)
    if n > m:
        out = out + p.matmul(u, (gvt - p.matmul(_t(turn_v), vt)) / _column(s))
    return out


def _eigh(g, y, x):
    """Where eigenvalues are equal their vectors are not determined, and what turns them into each other counts as 0."""
    _real(x, "eigh")
    (w, v), (gw, gv) = y, g
    core = _gaps(w) * p.matmul(_t(v), gv) + _row(gw) * np.eye(w.shape[-1], dtype=x.dtype)
    return _symmetric(p.matmul(p.matmul(v, core), _t(v)))


def _det(g, y, x):
    """The cofactors, by singular values: singular matrices have them too."""
    u, s, vt = p.svd(x, False, True)
    sign = p.conj(p.det(u) * p.det(vt)) if x.dtype.kind != "c" else p.det(u) * p.det(vt)
    return _column(_column(g * sign)) * p.matmul(p.conj(u) * _row(p.cast(_others(s, s.ndim - 1), x.dtype)), p.conj(vt))


def _triangle(x, lower):
    n = x.shape[-1]
    return x * (np.tri(n, dtype=x.dtype) if lower else np.tri(n, dtype=x.dtype).T)


RULES |= {
    "cholesky": (_cholesky,),
    "qr": (_qr,),
    "lu": (_lu,),
    "eig": (_eig,),
    "svd": (_svd,),
    "eigh": (_eigh,),
    "solve": (lambda g, y, a, b: -p.matmul(p.solve(_t(a), g), _t(y)), lambda g, y, a, b: p.solve(_t(a), g)),
    "triangular_solve": (
        lambda g, y, a, b, lower: _triangle(-p.matmul(p.triangular_solve(_t(a), g, not lower), _t(y)), lower),
        lambda g, y, a, b, lower: p.triangular_solve(_t(a), g, not lower),
    ),
    "inv": (lambda g, y, x: -p.matmul(p.matmul(_t(y), g), _t(y)),),
    "det": (_det,),
    "fft": (lambda g, y, x: p.fft(g),),
    "ifft": (lambda g, y, x: p.ifft(g),),
}


def value_and_grad(function, arrays):
    """`function(arrays)`, a scalar and anything else, and the gradient of the scalar by each of `arrays`.

    Integers among `arrays` have the gradient 0.

    Raises:
        ValueError: the first result is not a scalar.
    """
    with Quiet(), Tape() as tape:
        leaves = [tape.record((x,), None)[0] if x.dtype in DIFFERENTIABLE else x for x in map(_array, tree.flatten(arrays))]
        value, aux = function(tree.pack_sequence_as(arrays, leaves))
        if value.shape != ():
            raise ValueError(f"value_and_grad: wanted a scalar to differentiate; got the shape {value.shape}.")
        inputs = [x for x in leaves if type(x) is Traced and x.node.tape is tape]
        found = {id(x): g for x, g in zip(inputs, tape.backward(value, inputs))}
        gradients = tree.pack_sequence_as(arrays, [found[id(x)] if id(x) in found else zeros_like(x) for x in leaves])
        return (unwrap(value, tape), tree.map_structure(lambda x: unwrap(x, tape), aux)), gradients


def _array(x):
    return x if type(x) is Traced else np.asarray(x)
