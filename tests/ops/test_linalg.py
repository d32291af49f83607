"""Linear algebra: factors multiplied out, against Keras, SciPy and differences; bytes seen as other types."""

import numpy as np
import pytest
import scipy.linalg

from cornu import backends, ops
from cornu.shapes import Spec
from cornu.symbolic import KerasTensor
from tests.ops import check, rows
from tests.ops.cases import C, N
from tests.ops.check import draw

SQUARE = draw((2, 3, 3), seed=3) + 3 * np.eye(3, dtype="float32")
TALL, WIDE = draw((2, 4, 2), seed=4), draw((2, 2, 4), seed=5)
LOWER = np.tril(SQUARE)
SYMMETRIC = SQUARE + np.swapaxes(SQUARE, -1, -2)

ROWS = {
    "lu_factor": [C(SQUARE), C(TALL), C(WIDE), N(SQUARE[0])],
    "qr": [N(np.abs(TALL[0]), "complete", keras=False)],
    "cholesky": [N(SQUARE @ np.swapaxes(SQUARE, -1, -2)), N(SQUARE @ np.swapaxes(SQUARE, -1, -2), True)],
    "cholesky_inverse": [N(LOWER[0]), N(LOWER[0].T.copy(), True)],
    "solve": [C(SQUARE, draw((2, 3, 2))), N(SQUARE, draw((2, 3, 1)))],
    "solve_triangular": [C(SQUARE, draw((2, 3, 2))), C(SQUARE, draw((2, 3, 2)), True)],
    "pinv": [C(TALL, tolerance=1e-4), C(WIDE, tolerance=1e-4), N(SQUARE, 0.3, tolerance=1e-4)],
    "lstsq": [N(TALL[0], draw((4,)), tolerance=1e-4), N(TALL[0], draw((4, 3)), tolerance=1e-4)],
    "matrix_rank": [N(np.stack([SQUARE[0], np.ones((3, 3), "float32")])), N(SQUARE, 3.0)],
    "norm": [C(SQUARE), C(SQUARE, None, (1, 2)), C(SQUARE, 1, (1, 2)), C(SQUARE, "nuc", (1, 2)), C(SQUARE, 2, (1, 2)), C(SQUARE, -2, (1, 2)), C(SQUARE, 0.5, 1)],
    "slogdet": [C(SQUARE), N(-SQUARE)],
    "view": [
        *(N(np.arange(8, dtype=a).reshape(2, 4), b) for a in ("float32", "int32", "uint8", "int16", "float16") for b in ("int8", "uint16", "float32")),
        N(np.array([[True, False]]), "uint8"),
        N(np.float32(1), "int32", spec=False),
        N(np.arange(3, dtype="int32")),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def keras():
    return rows.answers(ROWS)


@pytest.mark.parametrize(("name", "i"), [(n, i) for n, i in rows.each(ROWS) if ROWS[n][i].keras])
def test_values_are_those_of_keras(name, i, keras):
    rows.check_values(getattr(ops, name), ROWS[name][i], keras[name, i], i == 0, f"{name} {i}")


@pytest.mark.parametrize(("name", "i"), rows.each(ROWS))
def test_inferred_shapes(name, i):
    if ROWS[name][i].spec:
        check.check_spec(getattr(ops, name), ROWS[name][i].args, ROWS[name][i].kwargs, "numpy", (0,) if name != "lstsq" else False)


@pytest.mark.parametrize(("name", "i"), [(n, i) for n, i in rows.each(ROWS) if ROWS[n][i].gradient])
def test_gradients(name, i):
    function = getattr(ops, name)
    rows.check_gradients((lambda x: ops.lu_factor(x)[0]) if name == "lu_factor" else function, ROWS[name][i], i == 0)


@pytest.mark.parametrize("x", [SQUARE, TALL, WIDE, np.zeros((2, 2), "float32"), np.ones((0, 2, 2), "float32")], ids=lambda x: str(x.shape))
def test_lu_is_that_of_lapack(x, backend):
    factors, pivots = (np.asarray(backends.numpy(part)) for part in ops.lu_factor(x))
    flat = x.reshape(-1, *x.shape[-2:])
    for one, factor, pivot in zip(flat, factors.reshape(-1, *x.shape[-2:]), pivots.reshape(len(flat), min(x.shape[-2:])), strict=True):
        low, high = np.tril(factor, -1) + np.eye(*x.shape[-2:]), np.triu(factor)
        k = min(x.shape[-2:])
        product = low[:, :k] @ high[:k]
        for j in reversed(range(k)):
            product[[j, pivot[j]]] = product[[pivot[j], j]]
        np.testing.assert_allclose(product, one, atol=1e-5)
        if one.any():
            np.testing.assert_array_equal(pivot, scipy.linalg.lu_factor(one)[1])


@pytest.mark.parametrize("x", [SQUARE, TALL, WIDE], ids=lambda x: str(x.shape))
def test_complete_factors(x, backend):
    q, r = (np.asarray(backends.numpy(part)) for part in ops.qr(x, "complete"))
    m, n = x.shape[-2:]
    assert q.shape == (2, m, m) and r.shape == (2, m, n)
    np.testing.assert_allclose(q @ r, x, atol=1e-5)
    np.testing.assert_allclose(np.swapaxes(q, -1, -2) @ q, np.broadcast_to(np.eye(m), q.shape), atol=1e-5)
    assert not np.tril(r, -1).round(5).any()


@pytest.mark.parametrize("x", [SQUARE, SYMMETRIC, np.array([[0, -1.0], [1, 0]], "float32")], ids=["any", "symmetric", "turn"])
def test_eigenvalues_and_vectors(x, backend):
    values, vectors = (np.asarray(backends.numpy(part)) for part in ops.eig(x))
    assert values.dtype == vectors.dtype == "complex64"
    np.testing.assert_allclose(x @ vectors, vectors * values[..., None, :], atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=-2), 1, rtol=1e-5)
    np.testing.assert_allclose(values.prod(-1), np.linalg.det(x), atol=1e-3)


def test_a_singular_triangle_and_a_batch_of_none(backend):
    assert backends.numpy(ops.inv(np.zeros((0, 3, 3), "float32"))).shape == (0, 3, 3)
    assert backends.numpy(ops.eigh(np.zeros((0, 3, 3), "float32"))[1]).shape == (0, 3, 3)
    assert backends.numpy(ops.det(np.zeros((2, 2), "float32"))) == 0


def test_in_a_model():
    x = KerasTensor((None, 3, 3))
    assert [t.shape for t in ops.lu_factor(x)] == [(None, 3, 3), (None, 3)]
    assert [(t.shape, t.dtype) for t in ops.eig(x)] == [((None, 3), "complex64"), ((None, 3, 3), "complex64")]
    assert [t.shape for t in ops.qr(KerasTensor((None, 5, 3)), "complete")] == [(None, 5, 5), (None, 5, 3)]
    assert [t.shape for t in ops.qr(KerasTensor((None, None, 3)))] == [(None, None, None), (None, None, 3)]
    assert ops.view(KerasTensor((None, 3)), "uint8").shape == (None, 12)
    assert ops.view(KerasTensor((2, None)), "float16").shape == (2, None)


def test_view_keeps_the_bytes(backend):
    x = np.array([[1.5, -0.0, np.inf, np.nan]], "float32")
    for dtype in ("uint8", "int16", "int32", "bfloat16"):
        there = ops.view(ops.array(x), dtype)
        back = np.asarray(backends.numpy(ops.view(there, "float32")))
        assert back.tobytes() == x.tobytes() and backends.kind(there) == dtype


def test_of_names():
    for name in ("eig", "jvp", "lu_factor"):
        assert getattr(ops.linalg, name) is getattr(ops, name)
    assert ops.nn.ctc_decode is ops.ctc_decode and ops.numpy.view is ops.view and ops.numpy.vectorize is ops.vectorize


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: ops.eig(TALL), "eig: the matrices of (2, 4, 2) must be square"),
        (lambda: ops.inv(TALL), "inv: the matrices of (2, 4, 2) must be square"),
        (lambda: ops.lu_factor(np.ones(3)), "lu_factor: wanted matrices on the last two axes; got the shape (3,)"),
        (lambda: ops.qr(TALL, "full"), "qr: mode must be 'reduced' or 'complete'; got 'full'"),
        (lambda: ops.solve(SQUARE, draw((2, 4, 1))), "solve: "),
        (lambda: ops.solve(Spec((None, 3, 3)), Spec((None, 4, 1))), "the sizes 3 and 4 differ"),
        (lambda: ops.view(np.ones((2, 3), "uint8"), "int32"), "view: int32 needs a last axis that is a multiple of 4, of uint8; got (2, 3)"),
        (lambda: ops.view(np.uint8(3), "int32"), "view: int32 needs a last axis"),
        (lambda: ops.view(np.ones(3), "number"), "dtype"),
    ],
)
def test_bad_input_is_named(call, text):
    backends.load("numpy")
    with pytest.raises(ValueError) as caught:
        call()
    assert text in str(caught.value)
