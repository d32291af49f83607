"""The harness itself: values go in, results come back, errors say where."""

import numpy as np
import pytest

from tests import oracle


def test_values_and_results():
    x = np.arange(8, dtype="float32").reshape(2, 4)
    got = oracle.run("out['y'] = keras.layers.Dense(3, kernel_initializer='ones')(x); out['n'] = [1, {'a': 2.5}, 'b']; print('noise')", x=x)
    np.testing.assert_array_equal(got["y"], np.repeat(x.sum(1, keepdims=True), 3, axis=1))
    assert got["n"] == [1, {"a": 2.5}, "b"]


def test_symbols_and_names():
    for _ in range(2):
        got = oracle.run("layer = keras.layers.Dense(3); out['y'] = layer(keras.Input((4,))); out['name'] = layer.name")
        assert got == {"y": {"shape": (None, 3), "dtype": "float32"}, "name": "dense"}


def test_error_names_the_line():
    with pytest.raises(oracle.OracleError, match="ZeroDivisionError in line 2"):
        oracle.run("a = 0\n1 / a")
    assert oracle.run("out['a'] = 1") == {"a": 1}
