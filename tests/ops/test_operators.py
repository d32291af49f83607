"""Operators and methods on Specs, symbolic tensors and Variables do what they do on arrays."""

import operator

import numpy as np
import pytest

from cornu import backends, ops
from cornu.shapes import UNKNOWN, Spec
from cornu.symbolic import KerasTensor
from cornu.variable import Variable

X, Y = np.array([[1.0, -2.0, 3.5]], "float32"), np.array([[2.0], [0.5]], "float32")
ARITHMETIC = [getattr(operator, name) for name in "add sub mul truediv floordiv mod lt le gt ge ne eq".split()]


@pytest.mark.parametrize("function", ARITHMETIC)
def test_between_tensors_and_arrays(backend, function):
    wanted = function(X, Y)
    variable = Variable(X)
    for found in (function(variable, Y), function(variable, backends.array(Y)), function(variable, Variable(Y))):
        np.testing.assert_allclose(backends.numpy(found), wanted, rtol=1e-6)
    np.testing.assert_allclose(backends.numpy(function(X, Variable(Y))), wanted, rtol=1e-6)  # NumPy's array leaves it to the variable
    np.testing.assert_allclose(backends.numpy(function(backends.array(X), Variable(Y))), wanted, rtol=1e-6)
    for symbol in (Spec((None, 3)), KerasTensor((None, 3))):
        assert function(symbol, Y).shape == (2, 3)
        assert function(2.0, symbol).shape == (None, 3)
        assert function(X, symbol).shape == (None, 3)


def test_powers_products_and_signs(backend):
    variable = Variable(X)
    np.testing.assert_allclose(backends.numpy(variable**2), X**2)
    np.testing.assert_allclose(backends.numpy(2**variable), 2**X, rtol=1e-6)
    np.testing.assert_allclose(backends.numpy(variable @ X.T), X @ X.T)
    np.testing.assert_allclose(backends.numpy(X @ variable.T), X @ X.T)
    np.testing.assert_allclose(backends.numpy(-abs(variable)), -np.abs(X))
    assert (Spec((None, 3)) @ Spec((3, 5))).shape == (None, 5)


def test_logic(backend):
    flags, bits = Variable(np.array([True, False])), Variable(np.array([6, 3], "int32"))
    assert backends.numpy(~flags & (flags | True)).tolist() == [False, True]
    assert backends.numpy((bits & 2) ^ 1).tolist() == [3, 3]
    assert backends.numpy(bits << 1 >> 2).tolist() == [3, 1]


def test_indices(backend):
    variable = Variable(np.arange(24.0, dtype="float32").reshape(2, 3, 4))
    value = np.asarray(variable.numpy())
    keys = [0, -1, slice(1), (slice(None), 2), (..., 0), (None, 1), (0, slice(None, None, 2), -1), ([0, 1], [2, 0]), (slice(None), [2, 0])]
    for key in keys:
        found = variable[key]
        np.testing.assert_array_equal(backends.numpy(found), value[key])
        assert Spec((2, 3, 4))[key].shape == value[key].shape
        assert KerasTensor((2, 3, 4))[key].shape == value[key].shape
    assert Spec((None, 3))[0].shape == (3,)
    assert Spec((None, 3))[1:].shape == (None, 3)
    with pytest.raises(IndexError, match="out of range"):
        Spec((None, 3))[:, 3]


def test_equality_and_hashing():
    a, b, variable = KerasTensor((None, 2)), KerasTensor((None, 2)), Variable([1.0, 2.0])
    assert a == a and not a == b and a in [b, a] and {a: 1}[a] == 1
    assert (a == 1.0).dtype == "bool" and (a != b).dtype == "bool"
    assert {variable: 1}[variable] == 1
    assert backends.numpy(variable == 1.0).tolist() == [True, False]
    assert (a == None) is False and (variable == None) is False and (variable != "x") is True  # noqa: E711


def test_methods():
    symbol, spec = KerasTensor((None, 2, 1)), Spec((None, 2, 1))
    for x in (symbol, spec):
        assert x.reshape((-1, 2)).shape == (None, 2)
        assert x.reshape(-1, 1, 2).shape == (None, 1, 2)
        assert x.squeeze(-1).shape == (None, 2)
        assert x.astype("int32").dtype == "int32"
        assert x.T.shape == (1, 2, None)
        assert x.mean(1).shape == (None, 1)
        assert x.sum(axis=(1, 2)).shape == (None,)


def test_iteration():
    assert [part.shape for part in Spec((2, 3))] == [(3,), (3,)]
    with pytest.raises(ValueError, match="not known"):
        iter(Spec((None, 3)))


def test_a_size_that_is_not_known_takes_part_in_sums():
    x = Spec((None, 3))
    assert ops.divide(ops.sum(x), x.shape[0]).dtype == "float32"
    assert (x.shape[0] // 2 + 1) == UNKNOWN


def test_foreign_operands_are_left_to_python():
    with pytest.raises(TypeError):
        KerasTensor((2,)) + "text"
