"""Products of matrices in the forms that XLA runs fast on a CPU."""

import jax.numpy as jnp  # pyright: ignore[reportMissingImports]
from jax import lax

from cornu.backends import contraction
from cornu.backends.jax_derivatives import with_gradient


def _backward(kept, gradient):
    x, y = kept
    turned = jnp.swapaxes(gradient, -1, -2)
    if y.shape[-2] > y.shape[-1]:  # a tall gradient is computed transposed, which is up to twice as fast
        by_y = jnp.swapaxes(lax.optimization_barrier(jnp.matmul(turned, x)), -1, -2)
    else:
        by_y = jnp.matmul(jnp.swapaxes(x, -1, -2), gradient)
    return jnp.matmul(gradient, jnp.swapaxes(y, -1, -2)), by_y


product = with_gradient(jnp.matmul, lambda x, y: (jnp.matmul(x, y), (x, y)), _backward)  # of two matrices, or of as many on both sides


def matmul(x, y):
    """`jnp.matmul`: leading axes of `x` alone are more rows of it."""
    if x.ndim > 2 and y.ndim == 2 and x.size:
        return product(x.reshape(-1, x.shape[-1]), y).reshape(*x.shape[:-1], y.shape[-1])
    if x.ndim > 2 and x.shape[:-2] == y.shape[:-2] and x.dtype == y.dtype and jnp.issubdtype(x.dtype, jnp.floating):
        return product(x, y)
    return jnp.matmul(x, y)


def einsum(equation, xs):
    """`jnp.einsum`: a contraction of two tensors without axes of a batch as one product."""
    found = contraction.as_product(equation, xs, jnp.transpose, jnp.reshape, matmul)
    return jnp.einsum(equation, *xs) if found is None else found
