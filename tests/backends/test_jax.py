"""The JAX backend: its primitives against NumPy, its own forms against JAX's plain ones."""

import itertools
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jax import lax

import cornu as keras
from cornu import backends, shapes, symbolic
from cornu.backends import jax as backend
from cornu.backends import jax_convolution, protocol
from cornu.shapes import UNKNOWN, NeedsEngine, Spec

SHAPES = [(), (5,), (0, 3), (2, 3, 4)]


def numbers(*shape, low=-2.0, high=2.0, dtype="float32", seed=0):
    drawn = np.random.default_rng(seed).uniform(low, high, shape)
    return np.asarray(np.round(drawn) if dtype.startswith(("int", "uint")) else drawn, dtype)


def close(x, y, tolerance=1e-5, scale=None):
    np.testing.assert_allclose(np.asarray(x, "float64"), np.asarray(y, "float64"), rtol=tolerance, atol=tolerance * (scale or 1))


def test_every_name_of_the_protocol_is_there():
    names = [*protocol.UNARY, *protocol.BINARY, *protocol.PRIMITIVES, *protocol.PROGRAM]
    assert [name for name in names if not hasattr(backend, name)] == []


# Elementwise

DOMAINS = {"log": (0.1, 3), "log2": (0.1, 3), "log10": (0.1, 3), "sqrt": (0, 3), "rsqrt": (0.1, 3), "reciprocal": (0.5, 3), "log1p": (-0.5, 3)}
DOMAINS |= {
    "arcsin": (-0.9, 0.9),
    "arccos": (-0.9, 0.9),
    "arctanh": (-0.9, 0.9),
    "erfinv": (-0.9, 0.9),
    "arccosh": (1.1, 3),
    "lgamma": (0.5, 3),
    "digamma": (0.5, 3),
}
SCIPY = {"erf": "erf", "erfinv": "erfinv", "lgamma": "gammaln", "digamma": "digamma", "sigmoid": "expit"}


def reference(name):
    if name in SCIPY:
        return getattr(pytest.importorskip("scipy.special"), SCIPY[name])
    return {"rsqrt": lambda x: 1 / np.sqrt(x), "round": np.round}.get(name) or getattr(np, name)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", [name for name in protocol.UNARY if name not in ("bitwise_not", "logical_not")])
def test_unary(name, shape):
    x = numbers(*shape, low=DOMAINS.get(name, (-2, 2))[0], high=DOMAINS.get(name, (-2, 2))[1])
    y = getattr(backend, name)(backend.array(x))
    assert backend.is_array(y) and y.shape == shape
    assert backend.dtype(y) == ("bool" if name in protocol.PREDICATES else "float32")
    close(y, reference(name)(x), 1e-4)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", protocol.BINARY)
def test_binary(name, shape):
    if name.startswith("logical"):
        x, y = numbers(*shape) > 0, numbers(*shape, seed=1) > 0
    elif name.startswith("bitwise") or name.endswith("shift"):
        x, y = numbers(*shape, low=0, high=9, dtype="int32"), numbers(*shape, low=0, high=9, dtype="int32", seed=1)
    else:
        x, y = numbers(*shape, low=0.5), numbers(*shape, low=0.5, seed=1)
    z = getattr(backend, name)(backend.array(x), backend.array(y))
    close(z, getattr(np, name)(x, y), 1e-4)
    assert backend.dtype(z) == ("bool" if name in protocol.PREDICATES else x.dtype.name)


def test_a_python_scalar_does_not_widen():
    for dtype in "bfloat16", "float16", "float8_e5m2", "uint8":
        x = backend.array([1, 2], dtype)
        assert backend.dtype(backend.add(x, 1)) == backend.dtype(backend.maximum(x, 1)) == backend.dtype(backend.where(x > 1, x, 0)) == dtype


def test_logical_and_bitwise_not():
    assert backend.numpy(backend.logical_not(backend.array([True, False]))).tolist() == [False, True]
    assert backend.numpy(backend.bitwise_not(backend.array([0, 5]))).tolist() == [-1, -6]


def test_arrays_own_their_memory():
    x = np.zeros(4096, "float32")
    made = backend.array(x)
    x[:] = 1
    assert backend.numpy(made).max() == 0
    copied = backend.copy(made)
    assert copied is not made and copied.unsafe_buffer_pointer() != made.unsafe_buffer_pointer()


def test_shared_memory_is_not_copied():
    raw = np.zeros(4096 + 64, "uint8")
    aligned = raw[-raw.ctypes.data % 64 :][:4096]
    for x in aligned.view("float32"), aligned:
        assert backend.share(x).unsafe_buffer_pointer() == x.ctypes.data
    assert backend.dtype(backend.share(np.arange(5.0))) == "float32" and backend.dtype(backend.share(np.arange(5))) == "int32"


def test_array_types():
    assert backend.dtype(backend.array([1.0, 2.0])) == backend.dtype(backend.array(np.float64(3))) == "float32"
    assert backend.dtype(backend.array(np.arange(3))) == "int32" and backend.dtype(backend.array(2, "float16")) == "float16"
    assert not backend.array(2.0, "float32").weak_type
    assert isinstance(backend.array([1]), backend.ARRAY)
    assert jax.jit(lambda x: backend.is_array(x) and x)(True)


# Making, reducing, moving


@pytest.mark.parametrize("shape, axes", [((), ()), ((5,), (0,)), ((0, 3), (0,)), ((2, 3, 4), (0, 2)), ((2, 3, 4), (1,))])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions(shape, axes, keepdims):
    for dtype in "float32", "int8":
        x = numbers(*shape, dtype=dtype)
        for name in ("sum", "prod") if x.size == 0 else ("sum", "prod", "max", "min"):
            y = getattr(backend, name)(backend.array(x), axes, keepdims)
            close(y, getattr(np, name)(x, axis=axes, keepdims=keepdims))
            assert backend.dtype(y) == dtype
    for name in "any", "all":
        close(getattr(backend, name)(backend.array(x > 0), axes, keepdims), getattr(np, name)(x > 0, axis=axes, keepdims=keepdims))


def test_order():
    x = np.array([[3, 1, 3, 2], [0, 0, 5, -1]], "float32")
    for axis in 0, 1:
        close(backend.sort(backend.array(x), axis), np.sort(x, axis))
        for name in "argsort", "argmax", "argmin":
            given_axes = (axis,) if name == "argsort" else (axis, False)
            y = getattr(backend, name)(backend.array(x), *given_axes)
            close(y, np.argsort(x, axis, stable=True) if name == "argsort" else getattr(np, name)(x, axis))
            assert backend.dtype(y) == "int32"
        close(backend.cumsum(backend.array(x), axis), np.cumsum(x, axis))
        close(backend.cumprod(backend.array(x), axis), np.cumprod(x, axis))
    values, indices = backend.top_k(backend.array(x), 2)
    assert backend.numpy(values).tolist() == [[3, 3], [5, 0]] and backend.numpy(indices).tolist() == [[0, 2], [2, 0]]


def test_making():
    close(backend.full((2, 3), 7, "int32"), np.full((2, 3), 7))
    close(backend.full((), backend.array(2.5), "float16"), 2.5)
    close(backend.arange(1, 8, 3, "float32"), [1, 4, 7])
    close(backend.iota((2, 3), 1, "int32"), [[0, 1, 2]] * 2)
    close(backend.cast(backend.array([1.7, -1.7]), "int32"), [1, -1])


@pytest.mark.parametrize("shape", [(6,), (0, 3), (4, 5, 6)])
def test_movement(shape):
    x = numbers(*shape)
    a, rank = backend.array(x), len(shape)
    close(backend.reshape(a, (-1,)), x.reshape(-1) if x.size else [])
    close(backend.transpose(a, tuple(reversed(range(rank)))), x.T)
    close(backend.broadcast_to(a, (2, *shape)), np.broadcast_to(x, (2, *shape)))
    close(backend.pad(a, [(1, 2)] * rank, 3.0), np.pad(x, [(1, 2)] * rank, constant_values=3))
    close(backend.flip(a, (0,)), x[::-1])
    close(backend.concatenate([a, a], 0), np.concatenate([x, x]))
    for start, stop, stride in (0, None, 1), (1, -1, 2), (-3, None, 1), (5, 2, 1), (0, 99, 3), (None, 2, None):
        stride = stride or 1
        cut = (slice(start, stop, stride),) * rank
        close(backend.slice(a, [start] * rank, [stop] * rank, [stride] * rank), x[cut])
    spread = np.zeros([max(3 * n - 2, 0) for n in shape])
    spread[(slice(None, None, 3),) * rank] = x
    close(backend.dilate(a, [3] * rank), spread)


def test_indexing():
    x = numbers(4, 5)
    a = backend.array(x)
    close(backend.take(a, backend.array([[0, -1], [2, 2]]), 0), x[[[0, -1], [2, 2]]])
    close(backend.take(a, backend.array(3), 1), x[:, 3])
    assert np.isnan(backend.numpy(backend.take(a, backend.array([9]), 0))).all()
    index = np.array([[4, 0], [1, -1], [0, 0], [2, 3]])
    close(backend.take_along_axis(a, backend.array(index), 1), np.take_along_axis(x, index, 1))
    for key in (1, slice(1, None), (slice(None), None, -1), (Ellipsis, 2), ([0, 2], [1, 1]), x > 0):
        close(backend.getitem(a, key), x[key])
    close(backend.dynamic_slice(a, [backend.array(1), backend.array(2)], (2, 3)), x[1:3, 2:5])
    close(backend.dynamic_update_slice(a, backend.array(np.zeros((2, 2), "float32")), [1, 1])[1:3, 1:3], np.zeros((2, 2)))


@pytest.mark.parametrize("mode, ufunc", [("add", np.add), ("maximum", np.maximum), ("minimum", np.minimum), ("multiply", np.multiply)])
def test_scatter(mode, ufunc):
    x, updates, indices = numbers(4, 5), numbers(3, 5, seed=1), np.array([[1], [3], [1]])
    expected = x.copy()
    ufunc.at(expected, indices[:, 0], updates)
    close(backend.scatter(backend.array(x), backend.array(indices), backend.array(updates), mode), expected)
    pairs, values = np.array([[0, 1], [3, -1]]), np.array([7, 8], "float32")
    expected = x.copy()
    expected[pairs[:, 0], pairs[:, 1]] = values
    close(backend.scatter(backend.array(x), backend.array(pairs), backend.array(values), "update"), expected)


# Products


@pytest.mark.parametrize(
    "x, y",
    [((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((5, 2, 3), (3, 2)), ((5, 2, 3), (5, 3, 4)), ((6, 1, 2, 3), (5, 3, 4)), ((0, 2, 3), (3, 4)), ((2, 5, 0), (0, 4))],
)
def test_matmul(x, y):
    x, y = numbers(*x), numbers(*y, seed=1)
    close(backend.matmul(backend.array(x), backend.array(y)), x @ y)
    compare_gradients(backend.matmul, jnp.matmul, x, y)
    if x.ndim == 3 and x.size:
        compare_gradients(jax.vmap(backend.matmul, (0, None) if y.ndim == 2 else 0), jax.vmap(jnp.matmul, (0, None) if y.ndim == 2 else 0), x, y)
        compare_gradients(
            lambda x, y: jax.grad(lambda x: jnp.sum(backend.matmul(x, y) ** 2))(x), lambda x, y: jax.grad(lambda x: jnp.sum((x @ y) ** 2))(x), x, y
        )


EQUATIONS = [
    "abc,cd->abd",
    "abc,cde->abde",
    "btnh,bsnh->bnts",
    "bnts,bsnh->btnh",
    "ab,cd->abcd",
    "abc,abc->b",
    "aab,bc->ac",
    "abc,bc->a",
    "ab,b->",
    "abc,d->ad",
]


@pytest.mark.parametrize("equation", EQUATIONS)
def test_einsum(equation):
    sizes = dict(zip("abcdetnsh", range(2, 11), strict=True))
    arguments = equation.split("->")[0].split(",")
    xs = [numbers(*(sizes[letter] for letter in letters), seed=i) for i, letters in enumerate(arguments)]
    ours, plain = (lambda *xs: backend.einsum(equation, xs)), (lambda *xs: jnp.einsum(equation, *xs))
    close(ours(*map(backend.array, xs)), np.einsum(equation, *xs), 1e-4, 10)
    compare_gradients(ours, plain, *xs)


def compare_gradients(ours, plain, *xs, tolerance=2e-4, ties=False):
    """Value, gradients and forward mode of `ours` against those of `plain`; compiled, inside a loop too."""
    arrays = [jnp.asarray(x) for x in xs]
    value = plain(*arrays)
    cotangent = numbers(*value.shape, seed=9).astype(value.dtype)
    expected = (value, *jax.vjp(plain, *arrays)[1](cotangent))
    found = jax.jit(lambda *xs: (ours(*xs), *jax.vjp(ours, *xs)[1](cotangent)))(*arrays)
    looped = jax.jit(lambda *xs: lax.scan(lambda c, _: (c, (ours(*xs), *jax.vjp(ours, *xs)[1](cotangent))), 0, None, 1)[1])(*arrays)
    if not ties:  # there forward mode of the plain form depends on the order of axes
        changes = tuple(numbers(*x.shape, seed=11 + i).astype(x.dtype) for i, x in enumerate(arrays))
        one, other = jax.jit(lambda *xs: jax.jvp(ours, xs, changes)[1])(*arrays), jax.jvp(plain, tuple(arrays), changes)[1]
        close(one, other, tolerance, max(1, float(np.abs(np.asarray(other, "float32")).max(initial=0))))
    for one, other, again in zip(found, expected, looped, strict=True):
        assert one.shape == other.shape and one.dtype == other.dtype
        scale = max(1, float(np.abs(np.asarray(other, "float32")).max(initial=0)))
        close(one, other, tolerance, scale)
        close(again[0], other, tolerance, scale)


@st.composite
def convolutions(draw):
    rank = draw(st.sampled_from([1, 2, 2, 2, 3]))
    each = lambda strategy: tuple(draw(strategy) for _ in range(rank))  # noqa: E731
    top = 4 if rank == 3 else 9
    sizes, window = each(st.integers(1, top)), each(st.integers(1, 4))
    strides, dilation = each(st.integers(1, 3)), each(st.integers(1, 2))
    padding = tuple((draw(st.integers(0, 4)), draw(st.integers(0, 4))) for _ in range(rank))
    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    channels, filters = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    x, kernel = (draw(st.integers(1, 3)), *sizes, channels), (*window, channels // groups, filters)
    output = [n + low + high - (k - 1) * d for n, k, (low, high), d in zip(sizes, window, padding, dilation, strict=True)]
    assume(min(output) >= 1)
    return x, kernel, strides, padding, dilation, groups


@pytest.mark.slow
@settings(max_examples=40, deadline=None, derandomize=True)
@given(convolutions())
def test_convolutions(drawn):
    x, kernel, *arguments = drawn
    compare_gradients(
        lambda x, kernel: backend.conv(x, kernel, *arguments),
        lambda x, kernel: jax_convolution.plain_conv(x, kernel, *arguments),
        numbers(*x),
        numbers(*kernel, seed=1),
    )


CONVOLUTIONS = {
    "one place": ((2, 5, 6, 3), (1, 1, 3, 4), (2, 1), ((0, 0), (1, 0)), (1, 1), 1),
    "depthwise": ((2, 7, 7, 3), (3, 3, 1, 3), (2, 2), ((1, 1), (1, 1)), (1, 1), 3),
    "depthwise with a multiplier": ((2, 7, 7, 3), (3, 2, 1, 6), (1, 1), ((1, 1), (0, 1)), (2, 1), 3),
    "depthwise in rows": ((2, 61, 60, 8), (3, 3, 1, 8), (1, 1), ((1, 1), (1, 1)), (1, 1), 8),
    "depthwise in rows, some over": ((1, 160, 79, 9), (3, 5, 1, 9), (2, 1), ((0, 2), (2, 2)), (2, 1), 9),
    "depthwise of many channels": ((3, 6, 5, 50), (3, 3, 1, 50), (1, 1), ((1, 1), (1, 0)), (1, 2), 50),
    "depthwise along one axis": ((3, 9, 5), (3, 1, 5), (1,), ((1, 1),), (2,), 5),
    "few filters of one channel": ((2, 7, 6, 1), (5, 5, 1, 6), (1, 1), ((2, 2), (2, 2)), (1, 1), 1),
    "few filters of three channels": ((2, 7, 8, 3), (3, 3, 3, 40), (2, 2), ((0, 1), (0, 1)), (1, 1), 1),
    "many channels": ((2, 7, 6, 9), (3, 3, 9, 5), (1, 1), ((1, 1), (1, 1)), (1, 1), 1),
    "groups": ((2, 7, 7, 4), (3, 3, 2, 6), (1, 1), ((1, 1), (1, 1)), (1, 1), 2),
    "map smaller than the kernel": ((2, 2, 2, 3), (3, 3, 3, 4), (1, 1), ((1, 1), (1, 1)), (1, 1), 1),
    "in rows": ((40, 12, 9, 2), (3, 3, 2, 700), (2, 1), ((1, 1), (1, 1)), (1, 1), 1),
    "rows left over": ((150, 11, 7, 2), (3, 2, 2, 3), (1, 1), ((0, 0), (1, 0)), (2, 1), 1),
    "examples left over": ((7, 24, 23, 2), (3, 2, 2, 120), (1, 1), ((0, 0), (1, 0)), (2, 1), 1),
    "examples two by two": ((8, 24, 23, 2), (3, 2, 2, 120), (1, 1), ((0, 0), (1, 0)), (2, 1), 1),
    "rows of one example": ((2, 70, 65, 2), (3, 2, 2, 250), (2, 1), ((1, 2), (1, 0)), (1, 1), 1),
    "more padding than the kernel": ((2, 6, 6, 2), (2, 2, 2, 3), (1, 1), ((4, 3), (3, 3)), (1, 1), 1),
    "no rows": ((0, 6, 6, 2), (2, 2, 2, 3), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
    "one axis": ((3, 30, 4), (5, 4, 6), (2,), ((2, 2),), (1,), 1),
    "three axes": ((2, 5, 6, 7, 2), (3, 2, 3, 2, 4), (2, 1, 1), ((1, 1), (0, 1), (1, 1)), (1, 1, 2), 1),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_each_form_of_a_convolution(name):
    x, kernel, *arguments = CONVOLUTIONS[name]
    compare_gradients(
        lambda x, kernel: backend.conv(x, kernel, *arguments),
        lambda x, kernel: jax_convolution.plain_conv(x, kernel, *arguments),
        numbers(*x),
        numbers(*kernel, seed=1),
    )


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("padding", [((-1, 0), (-2, -1)), ((1, -1), (-1, 2))])
def test_gradients_where_padding_crops(groups, padding):
    """Against differences of NumPy's sums, not against JAX."""
    x, kernel = numbers(2, 6, 7, 4), numbers(3, 2, 4 // groups, 4, seed=1)

    def plain(x, kernel):
        (top, bottom), (left, right) = padding
        x = x[:, max(0, -top) : x.shape[1] + min(0, bottom), max(0, -left) : x.shape[2] + min(0, right)]
        x = np.pad(x, ((0, 0), *((max(0, low), max(0, high)) for low, high in padding), (0, 0)))
        parts = []
        for part, weights in zip(np.split(x, groups, -1), np.split(kernel, groups, -1), strict=True):
            windows = np.lib.stride_tricks.sliding_window_view(part, (3, 2), (1, 2))  # (N, H, W, C, 3, 2)
            parts.append(np.einsum("nhwcij,ijco->nhwo", windows, weights))
        return np.concatenate(parts, -1)

    out, pull = jax.vjp(lambda x, kernel: backend.conv(x, kernel, (1, 1), padding, (1, 1), groups), backend.array(x), backend.array(kernel))
    close(out, plain(x, kernel), 1e-4)
    gradient = numbers(*out.shape, seed=2)
    by_x, by_kernel = pull(backend.array(gradient))

    def differences(function, size):  # the sum is linear in each factor: a step of one is exact
        return [np.vdot(gradient, function(step)) for step in np.eye(size, dtype="float32")]

    close(by_x.ravel(), differences(lambda step: plain(step.reshape(x.shape), kernel), x.size), 1e-4)
    close(by_kernel.ravel(), differences(lambda step: plain(x, step.reshape(kernel.shape)), kernel.size), 1e-4)


def test_a_convolution_in_every_transformation():
    x, kernel = numbers(3, 2, 8, 8, 2), numbers(3, 3, 2, 4, seed=1)
    arguments = ((1, 1), ((1, 1), (1, 1)), (1, 1), 1)
    plain = lambda x, kernel: jax_convolution.plain_conv(x, kernel, *arguments)  # noqa: E731
    ours = lambda x, kernel: backend.conv(x, kernel, *arguments)  # noqa: E731
    mapped = lambda f: lambda x, kernel: backend.vectorize(f, (0, None))(x, kernel)  # noqa: E731
    compare_gradients(mapped(ours), mapped(plain), x, kernel)
    compare_gradients(lambda x, kernel: backend.remat(ours, (x, kernel)), plain, x[0], kernel)
    twice = lambda f: jax.grad(lambda x, kernel: jnp.sum(jax.grad(lambda x: jnp.sum(f(x, kernel) ** 2))(x) ** 2), (0, 1))  # noqa: E731
    for found, expected in zip(twice(ours)(x[0], kernel), twice(plain)(x[0], kernel), strict=True):
        close(found, expected, 1e-4, float(jnp.abs(expected).max()))
    per_example = lambda f: jax.vmap(jax.grad(lambda kernel, x: jnp.sum(f(x[None], kernel) ** 2)), (None, 0))(kernel, x[0])  # noqa: E731
    close(per_example(ours), per_example(plain), 1e-4, 100)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_convolutions_of_low_precision(dtype):
    x, kernel, *arguments = (2, 6, 6, 2), (3, 3, 2, 4), (1, 1), ((1, 1), (1, 1)), (1, 1), 1
    x, kernel = (jnp.asarray(numbers(*shape)).astype(dtype) for shape in (x, kernel))
    compare_gradients(
        lambda x, kernel: backend.conv(x, kernel, *arguments), lambda x, kernel: jax_convolution.plain_conv(x, kernel, *arguments), x, kernel, tolerance=2e-2
    )


# Windows

POOLS = [
    ((2, 6, 6, 3), (2, 2), (2, 2), ((0, 0), (0, 0))),
    ((2, 7, 7, 3), (3, 3), (2, 2), ((1, 1), (1, 1))),
    ((2, 7, 5, 3), (3, 2), (1, 3), ((0, 1), (0, 0))),
    ((2, 9, 3), (4,), (2,), ((1, 2),)),
    ((2, 4, 5, 6, 2), (2, 2, 3), (2, 1, 2), ((0, 0), (1, 0), (0, 1))),
    ((2, 8, 11, 3), (3, 2), (3, 2), ((1, 1), (0, 1))),
    ((2, 11, 2), (3,), (3,), ((0, 0),)),
    ((1, 5, 4, 7, 2), (2, 2, 3), (2, 2, 3), ((0, 0), (1, 1), (0, 1))),
    ((0, 6, 6, 3), (2, 2), (2, 2), ((0, 0), (0, 0))),
]


def plain_pool(x, size, strides, padding, start, combine):
    return lax.reduce_window(x, np.array(start, x.dtype), combine, (1, *size, 1), (1, *strides, 1), ((0, 0), *padding, (0, 0)))


@pytest.mark.parametrize("x, size, strides, padding", POOLS)
def test_pools(x, size, strides, padding):
    for drawn in numbers(*x), np.round(numbers(*x, seed=1)):  # the second has ties
        compare_gradients(
            lambda x: backend.max_pool(x, size, strides, padding), lambda x: plain_pool(x, size, strides, padding, -np.inf, lax.max), drawn, ties=True
        )
    compare_gradients(lambda x: backend.sum_pool(x, size, strides, padding), lambda x: plain_pool(x, size, strides, padding, 0, lax.add), drawn)


def test_max_pool_of_integers_and_of_nan():
    x = backend.array(np.arange(-8, 8).reshape(1, 4, 4, 1))
    assert backend.numpy(backend.max_pool(x, (2, 2), (2, 2), ((0, 0),) * 2)).ravel().tolist() == [-3, -1, 5, 7]
    for place in itertools.product(range(2), range(2)):
        x = np.zeros((1, 2, 2, 1), "float32")
        x[0, *place] = np.nan
        assert np.isnan(backend.max_pool(backend.array(x), (2, 2), (2, 2), ((0, 0),) * 2)).all()


# Linear algebra


def test_linear_algebra():
    a = numbers(2, 3, 3) + 3 * np.eye(3, dtype="float32")
    symmetric, b = a @ a.swapaxes(1, 2), numbers(2, 3, 2)
    x = backend.array(a)
    close(backend.cholesky(backend.array(symmetric)), np.linalg.cholesky(symmetric), 1e-4)
    close(backend.inv(x) @ x, np.broadcast_to(np.eye(3), a.shape), 1e-4)
    close(backend.det(x), np.linalg.det(a), 1e-4)
    close(a @ backend.numpy(backend.solve(x, backend.array(b))), b, 1e-4)
    close(np.tril(a) @ backend.numpy(backend.triangular_solve(x, backend.array(b), True)), b, 1e-4)
    q, r = backend.qr(x, False)
    close(q @ r, a, 1e-4)
    u, s, v = backend.svd(x, False, True)
    close((u * s[:, None]) @ v, a, 1e-4)
    close(backend.svd(x, False, False), s, 1e-4)
    values, vectors = backend.eigh(backend.array(symmetric))
    close(symmetric @ vectors, vectors * values[:, None], 1e-3, 10)
    z = backend.array(a.astype("complex64"))
    close(backend.real(backend.ifft(backend.fft(z))), a, 1e-4)


# Control flow, gradients, compiling


def test_control_flow():
    x = backend.array(3.0)
    assert backend.cond(x > 2, lambda: {"y": x + 1}, lambda: {"y": x})["y"] == 4
    state = backend.while_loop(lambda s: s[0] < 5, lambda s: (s[0] + 1, s[1] * 2), (backend.array(0), x))
    assert state[1] == 96
    xs = {"a": backend.array([1.0, 2.0, 3.0])}
    for reverse, expected in (False, [1, 3, 6]), (True, [6, 5, 3]):
        total, sums = backend.scan(lambda s, x: (s + x["a"], s + x["a"]), backend.array(0.0), xs, 3, reverse)
        assert total == 6 and backend.numpy(sums).tolist() == expected
    close(backend.vectorize(lambda x, y: x * y, (0, None))(xs["a"], x), [3, 6, 9])


def test_custom_gradient():
    def clipped(x, index):
        scale = x * 2
        return backend.take(x, index, 0) ** 2, lambda cotangent: (cotangent * scale, None)

    x, index = backend.array([1.0, 2.0]), backend.array([0, 1])
    gradient = jax.grad(lambda x: backend.sum(backend.custom_gradient(clipped, (x, index)), (0,), False) * 10)
    close(gradient(x), [20, 40])
    close(jax.jit(gradient)(x), [20, 40])
    one = jax.grad(lambda x: backend.custom_gradient(lambda x: (x, lambda cotangent: cotangent * 7), (x,)))
    assert one(backend.array(1.0)) == 7
    assert jax.grad(lambda x: backend.stop_gradient(x) * x)(backend.array(3.0)) == 3


def test_value_and_grad_compile_repeat():
    weights = [backend.array(2.0), backend.array([1.0, 2.0])]
    (value, aux), gradients = backend.value_and_grad(lambda w: (w[0] * backend.sum(w[1], (0,), False), {"n": 1}), weights)
    assert value == 6 and aux == {"n": 1} and gradients[0] == 3 and backend.numpy(gradients[1]).tolist() == [2, 2]
    step = backend.compile(lambda state, batches: backend.repeat(lambda s, b: (s + b["x"], {"loss": s}), state, batches, 3), donate=(0,))
    state, logs = step(backend.array(0.0), {"x": backend.array([1.0, 2.0, 3.0])})
    backend.block(state)
    assert state == 6 and logs["loss"] == 3
    with backend.device_scope("cpu:0"):
        assert backend.array([1.0]).device.platform == "cpu"
    with pytest.raises(ValueError, match="cpu"):
        backend.device_scope("toaster")


def test_infer():
    def function(x, training, scale=1.0):
        return {"product": jnp.sin(x) @ jnp.ones((4, 3)) if training else x, "flat": x.reshape(-1), "sum": x[:, :2].sum(0) * scale}

    found = backend.infer(function, (Spec((None, 4)), True))
    assert found["product"].shape == (UNKNOWN, 3) and found["flat"].shape == (UNKNOWN,) and found["sum"].shape == (2,)
    assert type(found["sum"].shape[0]) is int and found["sum"].dtype == "float32"
    strided = backend.infer(lambda x: (backend.max_pool(x, (2, 2), (2, 2), ((0, 0),) * 2), None), (Spec((None, None, 8, 3), "bfloat16"),))
    assert shapes.public(strided[0].shape) == (None, None, 4, 3) and strided[0].dtype == "bfloat16" and strided[1] is None


@pytest.mark.parametrize(
    "function", [jnp.sin, jax.nn.gelu, jax.nn.softmax, lambda s: jnp.dot(s, jnp.ones((4, 2))), lambda s: jnp.ones((2, 3)) @ s, jnp.asarray, jax.jit(jnp.tanh)]
)
def test_jax_says_that_a_spec_reached_it(function):
    with pytest.raises(NeedsEngine):
        function(Spec((None, 4)))


@pytest.mark.parametrize("function", [jax.nn.relu, lax.sin, lambda x: lax.dot(x, jnp.ones((4, 4))), lambda x: jax.nn.softmax(x) * jnp.mean(x)])
def test_shapes_of_code_that_calls_jax(function):
    assert shapes.public(symbolic.infer(function, Spec((None, 4))).shape) == (None, 4)
    with pytest.raises(TypeError, match="own mistake"):
        symbolic.infer(wrong, Spec((None, 4)))


def test_a_layer_that_calls_jax_in_a_graph():
    class Own(keras.layers.Layer):
        def build(self, input_shape):
            self.kernel = self.add_weight(shape=(input_shape[-1], 3))
            self.count = self.add_weight(shape=(), trainable=False, initializer="zeros")
            self.drop = keras.layers.Dropout(0.5, seed=1)

        def call(self, x, training=False):
            self.count.assign_add(1.0)
            return jax.nn.relu(self.drop(jnp.dot(x, self.kernel.value), training=training)) + jnp.zeros(3)

    inputs = keras.Input((4,))
    layer = Own()
    outputs = layer(inputs, training=True)
    assert outputs.shape == (None, 3)
    assert layer.count.numpy() == 0 and layer.kernel.numpy().shape == (4, 3)
    assert keras.Model(inputs, outputs)(np.ones((2, 4), "float32")).shape == (2, 3)


def wrong(x):
    raise TypeError("own mistake")


def test_switches():
    code = "from cornu import backends; backends.load('jax'); import jax; print(jax.config.jax_compilation_cache_dir)"
    run = lambda **extra: subprocess.run([sys.executable, "-W", "error", "-c", code], env=os.environ | extra, capture_output=True, text=True, timeout=120)  # noqa: E731
    off = run(CORNU_COMPILATION_CACHE="0", CORNU_KEEP_MEMORY="0")
    assert off.stdout.strip() == "None" and off.stderr == ""


@pytest.mark.slow
def test_compiled_programs_are_kept(tmp_path):
    code = "from cornu import backends; b = backends.load('jax'); import jax; jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)\n"
    code += "print(b.compile(lambda x: b.sum(b.matmul(x, x), (0, 1), False), donate=())(b.full((8, 8), 1.0, 'float32')))"
    found = []
    for _ in range(2):
        ran = subprocess.run(
            [sys.executable, "-W", "error", "-c", code], env=os.environ | {"CORNU_CACHE": str(tmp_path)}, capture_output=True, text=True, timeout=120
        )
        assert ran.stderr == "" and ran.stdout.strip() == "512.0"
        found.append(sorted(path.name for path in tmp_path.rglob("*-cache")))
    assert found[0] and found[0] == found[1]
    assert backends.BACKENDS["jax"]


def test_relu_of_pictures_is_computed_once():
    """In a chain of residual blocks XLA would compute each relu anew in all kernels after it."""
    weights = [np.ones((8, 8), "float32")] * 4

    def loss(weights, x):
        for weight in weights:
            x = backend.relu(x + jnp.tanh(x @ weight))
        return (x * x).sum()

    program = jax.jit(jax.grad(loss)).lower(weights, np.ones((2, 4, 4, 8), "float32")).compile().as_text()
    assert program.count(" maximum(") == len(weights)


def test_on_many_cores_convolutions_are_those_that_use_them(monkeypatch):
    if not backend.CPU:
        pytest.skip("of a CPU")
    x, kernel = (np.random.default_rng(i).normal(size=shape).astype("float32") for i, shape in enumerate([(4, 9, 9, 8), (3, 3, 8, 32)]))
    same = ((1, 1), (1, 1))
    programs = []
    for cores in 10**6, 1:
        monkeypatch.setattr(backend, "_MANY_CORES", cores)
        backend._options.cache_clear()
        programs.append(backend.compile(lambda x, kernel: backend.conv(x, kernel, (1, 1), same, (1, 1), 1)))
    known = backend._options()
    backend._options.cache_clear()
    assert known is not None, "XLA has other names for its options"
    plain, own = (program.lower(x, kernel).compile().as_text() for program in programs)
    assert "__ynn_fusion" not in own and (plain != own) == ("__ynn_fusion" in plain)
    np.testing.assert_allclose(*(program(x, kernel) for program in programs), rtol=1e-5, atol=1e-4)
