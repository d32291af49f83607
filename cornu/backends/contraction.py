"""Contractions of two tensors as one product of matrices, whose gradients are products of matrices too."""

import math


def as_product(equation, xs, transpose, reshape, matmul):
    """`einsum(equation, xs)` by the functions of an engine; None where that is no product of two matrices."""
    inputs, output = equation.split("->")
    if len(xs) != 2:
        return None
    left, right = inputs.split(",")
    shared = set(left) & set(right)
    distinct = len(set(left)) == len(left) and len(set(right)) == len(right)
    if not (distinct and shared and set(output) == set(left) ^ set(right)):  # an axis of a batch, or one only summed over
        return None
    rows, inner, columns = ([c for c in left if c not in right], [c for c in left if c in right], [c for c in right if c not in left])
    sizes = dict(zip(left + right, (*xs[0].shape, *xs[1].shape), strict=True))
    count = lambda axes: math.prod(sizes[c] for c in axes)
    ordered = lambda x, axes: x if axes == sorted(axes) else transpose(x, axes)
    x = reshape(ordered(xs[0], [left.index(c) for c in rows + inner]), (count(rows), count(inner)))
    y = reshape(ordered(xs[1], [right.index(c) for c in inner + columns]), (count(inner), count(columns)))
    found = reshape(matmul(x, y), [sizes[c] for c in rows + columns])
    return ordered(found, [(rows + columns).index(c) for c in output])
