"""Branches, loops, scans, maps and gradients by hand, on values, on Specs and in graphs."""

import numpy as np
import pytest

from cornu import backends, ops
from cornu.shapes import Spec
from cornu.symbolic import KerasTensor

X = np.arange(6, dtype="float32").reshape(3, 2)


def values(x):
    return np.asarray(backends.numpy(x))


def test_cond_takes_the_branch(backend):
    double, half = lambda: ops.array(X) * 2, lambda: ops.array(X) / 2
    assert np.array_equal(values(ops.cond(ops.array(True), double, half)), X * 2)
    assert np.array_equal(values(ops.cond(False, double, half)), X / 2)


def test_cond_on_specs_merges_the_branches():
    x = Spec((None, 2))
    assert ops.cond(Spec((), "bool"), lambda: x * 2, lambda: x).shape == (None, 2)
    with pytest.raises(ValueError, match="cond"):
        ops.cond(Spec((), "bool"), lambda: x, lambda: ops.sum(x))


@pytest.mark.parametrize(("index", "wanted"), [(-3, 10), (0, 10), (1, 20), (2, 30), (9, 30)])
def test_switch_takes_the_nearest_branch(backend, index, wanted):
    branches = [lambda a: a + 9, lambda a: a * 20, lambda a: a * 30]
    assert int(ops.switch(ops.array(index), branches, ops.array(1))) == wanted


def test_while_loop(backend):
    count, total = ops.while_loop(lambda i, t: i < 5, lambda i, t: (i + 1, t + i), (0, 0))
    assert (int(count), int(total)) == (5, 10)
    assert int(ops.while_loop(lambda i: i < 100, lambda i: i + 1, 0, maximum_iterations=7)) == 7
    assert ops.while_loop(lambda i: i < 100, lambda i: i + 1, Spec((), "int32")).shape == ()


def test_fori_loop(backend):
    assert int(ops.fori_loop(2, 5, lambda i, t: t + i, 0)) == 9
    assert ops.fori_loop(0, 3, lambda i, t: t * 2.0, Spec((None, 3))).shape == (None, 3)


@pytest.mark.parametrize("reverse", [False, True])
def test_scan(backend, reverse):
    last, sums = ops.scan(lambda c, x: (c + x, c), ops.zeros(2), ops.array(X), reverse=reverse)
    wanted = np.cumsum(X[::-1] if reverse else X, 0)
    assert np.array_equal(values(last), wanted[-1])
    before = np.concatenate([np.zeros((1, 2)), wanted[:-1]])
    assert np.array_equal(values(sums), before[::-1] if reverse else before)


def test_scan_without_inputs_and_on_specs(backend):
    last, powers = ops.scan(lambda c, _: (c * 2, c), 1, length=4)
    assert int(last) == 16 and values(powers).tolist() == [1, 2, 4, 8]
    last, sums = ops.scan(lambda c, x: (c + x, c), Spec((2,)), Spec((None, 2)))
    assert last.shape == (2,) and sums.shape == (None, 2)
    with pytest.raises(ValueError, match="length"):
        ops.scan(lambda c, x: (c, x), 0)


def test_maps(backend):
    for mapped in (ops.map, ops.vectorized_map):
        assert np.array_equal(values(mapped(lambda x: x * 2, ops.array(X))), X * 2)
        both = mapped(lambda pair: pair["a"] + pair["b"], {"a": ops.array(X), "b": ops.array(X)})
        assert np.array_equal(values(both), X * 2)
        assert mapped(lambda x: ops.sum(x), Spec((None, 4))).shape == (None,)


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7])
@pytest.mark.parametrize("reverse", [False, True])
def test_associative_scan(backend, size, reverse):
    x = np.random.default_rng(size).normal(size=(2, size)).astype("float32")
    found = values(ops.associative_scan(ops.add, ops.array(x), reverse=reverse, axis=1))
    wanted = np.cumsum(x[:, ::-1], 1)[:, ::-1] if reverse else np.cumsum(x, 1)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_custom_gradient(backend):
    @ops.custom_gradient
    def wrong_on_purpose(x, y):
        return x * y, lambda upstream: (upstream * 100.0, upstream * y)

    loss = lambda weights: (ops.sum(wrong_on_purpose(weights[0], weights[1])), ())
    (value, _), gradients = backend.value_and_grad(loss, [ops.array([2.0]), ops.array([3.0])])
    assert float(value) == 6.0
    assert [values(g).tolist() for g in gradients] == [[100.0], [3.0]]


def test_stop_gradient(backend):
    (_, _), gradients = backend.value_and_grad(lambda w: (ops.sum(w[0] * ops.stop_gradient(w[0])), ()), [ops.array([3.0])])
    assert values(gradients[0]).tolist() == [3.0]


def test_loops_on_symbolic_tensors():
    x = KerasTensor((None, 3))
    assert ops.map(lambda row: row * 2, x).shape == (None, 3)
    assert ops.fori_loop(0, 3, lambda i, t: t + 1.0, x).shape == (None, 3)
