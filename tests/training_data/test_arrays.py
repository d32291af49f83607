"""Data in memory: conversion, checks, order, batches, weights, splits."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from cornu import backends
from cornu.training import data

X = np.arange(20, dtype="float32").reshape(10, 2)
Y = np.arange(10) % 3


def rows(adapted, epoch=0):
    return [np.asarray(x)[:, 0].astype(int).tolist() for x, _, _ in adapted.batches(epoch)]


@pytest.mark.parametrize(
    "x",
    [X, X.astype("float64"), X.tolist(), pd.DataFrame(X, columns=["a", "b"]), scipy.sparse.csr_matrix(X)],
    ids=["array", "float64", "list", "frame", "sparse"],
)
def test_forms_of_one_input(x):
    adapted = data.adapt(x, Y, batch_size=4, shuffle=False)
    assert adapted.num_samples == 10 and adapted.num_batches == 3
    assert adapted.arrays[0].dtype == np.float32
    np.testing.assert_array_equal(adapted.arrays[0], X)
    assert rows(adapted) == [[0, 2, 4, 6], [8, 10, 12, 14], [16, 18]]


def test_tensors_of_the_backend(backend):
    x, y, _ = data.adapt(backend.array(X, "float32"), backend.array(Y, "int32")).arrays
    assert isinstance(x, np.ndarray) and isinstance(y, np.ndarray)


def test_dtypes(backend):
    kept = [np.uint8, np.int32, np.bool_, np.float16, np.float32]
    for dtype in kept:
        assert data.adapt(X.astype(dtype)).arrays[0].dtype == dtype
    assert data.adapt(X.astype("int64")).arrays[0].dtype == backends.canonical("int64")


def test_integers_that_do_not_fit():
    backends.load("jax")
    with pytest.raises(ValueError, match=r"x: int64 numbers from 0 to 4294967296 do not fit int32"):
        data.adapt(np.array([0, 2**32]))


def test_pandas_columns():
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [1, 2, 3], "label": [0, 1, 0]})
    x, y, _ = data.adapt(frame[["a", "b"]], frame["label"]).arrays
    assert x.shape == (3, 2) and y.shape == (3,)
    with pytest.raises(ValueError, match=r"x: these columns hold no numbers: name\."):
        data.adapt(pd.DataFrame({"a": [1.0, 2.0], "name": ["p", "q"]}))
    with pytest.warns(UserWarning, match="x holds 1 NaN of 3 values"):
        data.adapt(pd.DataFrame({"a": pd.array([1, None, 3], dtype="Int64")}))


def test_structures_of_inputs_and_outputs():
    adapted = data.adapt({"left": X, "right": [X, X]}, (Y, Y), batch_size=5, shuffle=False)
    x, y, weights = next(iter(adapted.batches()))
    assert x["left"].shape == (5, 2) and x["right"][1].shape == (5, 2)
    assert isinstance(y, tuple) and weights is None


@pytest.mark.parametrize("seed", [0, 7])
def test_order_follows_from_seed_and_epoch_alone(seed):
    one, two = (data.adapt(X, seed=seed, batch_size=4) for _ in range(2))
    orders = [one.order(epoch).tolist() for epoch in range(4)]
    assert orders == [two.order(epoch).tolist() for epoch in range(4)]
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert data.adapt(X, shuffle=False).order(3) is None


def test_shuffle_in_blocks():
    order = data.adapt(np.arange(100), shuffle="batch", batch_size=10, seed=1).order(0).reshape(10, 10)
    assert (np.sort(order, axis=1) == np.arange(100).reshape(10, 10)).all()
    assert (order != np.sort(order, axis=1)).any()


def test_fewer_steps_than_batches_go_on_in_the_next_epoch():
    adapted = data.adapt(np.arange(10.0)[:, None], batch_size=2, shuffle=False, steps=2)
    assert [rows(adapted, epoch) for epoch in range(3)] == [[[0, 1], [2, 3]], [[4, 5], [6, 7]], [[8, 9], [0, 1]]]
    shuffled = data.adapt(np.arange(10.0)[:, None], batch_size=2, steps=2, seed=3)
    first_pass = np.concatenate([shuffled.order(epoch) for epoch in range(3)])[:10]
    assert sorted(first_pass) == list(range(10))


def test_more_steps_than_batches():
    with pytest.warns(UserWarning, match="7 steps were asked for, but the data gives 3 batches") as caught:
        adapted = data.adapt(X, batch_size=4, steps=7)
    assert adapted.num_batches == 3
    assert caught[0].filename == __file__  # the user's own line


@pytest.mark.parametrize(
    "x, y, message",
    [
        (X, Y[:5], r"x has 10, y has 5"),
        ([X, X[:3]], None, r"x\[0\] has 10, x\[1\] has 3"),
        ({"a": X}, {"b": Y[:2]}, r"x\['a'\] has 10, y\['b'\] has 2"),
        ([np.ones(4)] * 10, Y, r"x is a list of 10 arrays, .*numpy.stack\(x\)"),
        (X[:0], Y[:0], r"x is empty: its shape is \(0, 2\)"),
        ([], None, r"x is empty"),
        (None, None, "there is no data"),
        (3.0, None, r"single number 3\.0"),
        (object(), None, r"x: data of type object is not understood. Wanted NumPy arrays, .*DataLoader"),
        ("text", None, "data of type str is not understood"),
        ({1, 2}, None, "data of type set is not understood"),
        ([[1, 2], [3]], None, r"x: its parts have unequal lengths \(the first: 2, 1\).*pad_sequences\(x\)"),
        (np.array([[1], [1, 2]], dtype=object), None, r"\(the first: 1, 2\).*pad_sequences"),
        (np.array([1, None], dtype=object), None, r"an array of Python objects \(the first is 1, a int\)"),
        (np.array(["a", "b"]), None, r"x: text \('a' ...\) must be turned into numbers.*TextVectorization"),
        (["a", "b"], None, r"TextVectorization"),
        (np.array(["2020-01-01"], "datetime64[D]"), None, "dates and times"),
    ],
)
def test_bad_data(x, y, message):
    with pytest.raises(ValueError, match=message):
        data.adapt(x, y)


@pytest.mark.parametrize(
    "arguments, message", [({"batch_size": 0}, "batch_size: wanted an integer of at least 1"), ({"steps": 0}, "steps"), ({"shuffle": "all"}, "shuffle")]
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        data.adapt(X, **arguments)


def test_not_finite():
    bad = X.copy()
    bad[0, 0], bad[1, 1], bad[2, 0] = np.nan, np.inf, np.nan
    with pytest.warns(UserWarning, match="x holds 2 NaN and 1 infinite of 20 values"):
        data.adapt(bad, Y)
    with pytest.warns(UserWarning, match=r"y\[1\] holds 1 NaN"):
        data.adapt(X, [Y, np.where(np.arange(10) == 3, np.nan, 1.0)])
    data.adapt(np.full((4,), 3e38, "float32"))  # the sum is infinite, no value is


def test_class_weight():
    for y in (Y, Y[:, None], Y.astype("float32"), np.eye(3)[Y]):
        weights = data.adapt(X, y, class_weight={0: 1.0, 1: 2.0, 2: 5.0}).arrays[2]
        np.testing.assert_array_equal(weights, np.array([1, 2, 5], "float32")[Y])
    with pytest.warns(UserWarning, match="no weight for the classes 1, 2"):
        weights = data.adapt(X, Y, class_weight={0: 3.0}).arrays[2]
    np.testing.assert_array_equal(weights, np.array([3, 1, 1], "float32")[Y])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"y": [Y, Y], "class_weight": {0: 1}}, "single output"),
        ({"y": np.zeros((10, 2, 2)), "class_weight": {0: 1}}, r"its shape is \(10, 2, 2\)"),
        ({"y": Y, "class_weight": {"0": 1}}, "classes as integers; got '0'"),
        ({"y": Y, "class_weight": {0: 1}, "sample_weight": np.ones(10)}, "cannot both be given"),
        ({"y": Y, "sample_weight": np.ones(5)}, "sample_weight has 5"),
        ({"y": Y, "sample_weight": np.ones((10, 2))}, r"its shape \(10, 2\) has more axes than y"),
    ],
)
def test_bad_weights(arguments, message):
    with pytest.raises(ValueError, match=message):
        data.adapt(X, **arguments)


def test_validation_split_takes_the_last_samples():
    (x, y, w), (vx, vy, vw) = data.train_validation_split((X, Y.tolist(), None), 0.25)
    assert len(x) == 7 and len(vx) == 3 and w is None and vw is None
    np.testing.assert_array_equal(np.concatenate([x, vx]), X)
    np.testing.assert_array_equal(np.concatenate([y, vy]), Y)


@pytest.mark.parametrize("fraction, message", [(1.0, "above 0 and below 1"), (0.99, "leaves 0 for training"), (-1, "above 0")])
def test_bad_validation_split(fraction, message):
    with pytest.raises(ValueError, match=message):
        data.train_validation_split((X, Y, None), fraction)
    with pytest.raises(ValueError, match="x is a generator"):
        data.train_validation_split(((i for i in []), None, None), 0.5)


def test_split_dataset():
    left, right = data.split_dataset((X, Y), left_size=0.7)
    assert (len(left), len(right)) == (7, 3) and left[0][0].tolist() == [0.0, 1.0]
    left, right = data.split_dataset((X, Y), left_size=7, shuffle=True, seed=1)
    again, _ = data.split_dataset((X, Y), left_size=7, shuffle=True, seed=1)
    assert [int(y) for _, y in left] == [int(y) for _, y in again]
    assert sorted(float(x[0]) for part in (left, right) for x, _ in part) == X[:, 0].tolist()
    left, right = data.split_dataset(list(range(10)), left_size=0.3, right_size=0.2)
    assert (len(left), len(right)) == (3, 2)
    batches = list(data.adapt(data.split_dataset({"a": X}, right_size=4)[0].batch(4), shuffle=False).batches())
    assert [batch[0]["a"].shape for batch in batches] == [(4, 2), (2, 2)]


@pytest.mark.parametrize("sizes", [{}, {"left_size": 0.8, "right_size": 0.5}, {"left_size": 20}, {"left_size": 1.5}, {"left_size": 8, "right_size": 5}])
def test_split_dataset_bad_sizes(sizes):
    with pytest.raises(ValueError, match="split_dataset"):
        data.split_dataset(X, **sizes)


def test_pack_and_unpack():
    cases = [1, (1,), (1, 2), (1, 2, 3), [1, 2], [1], {"a": 1}]
    assert [data.unpack_x_y_sample_weight(case) for case in cases] == [
        (1, None, None), (1, None, None), (1, 2, None), (1, 2, 3), (1, 2, None), (1, None, None), ({"a": 1}, None, None),
    ]  # fmt: skip
    assert data.pack_x_y_sample_weight(1) == 1
    assert data.pack_x_y_sample_weight([1]) == ([1],)
    assert data.pack_x_y_sample_weight(1, 2) == (1, 2)
    assert data.pack_x_y_sample_weight(1, 2, 3) == (1, 2, 3)
    with pytest.raises(ValueError, match="4 parts"):
        data.unpack_x_y_sample_weight((1, 2, 3, 4))
