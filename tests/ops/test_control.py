"""Branches, loops, scans, maps and gradients by hand, on values, on Specs and in graphs."""

import numpy as np
import pytest

import cornu
from cornu import backends, ops, tree
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


# In graphs: run on values, with the batch unknown


def on_x(build):
    """What a graph over an Input gives for X."""
    x = cornu.Input((2,))
    found = cornu.Function(x, build(x))(X)
    return tree.map_structure(lambda leaf: values(leaf).tolist(), found)


ADD_UP = lambda carry, row: (carry + row, carry + row)
GRAPHS = {
    "cond": (lambda x: ops.cond(ops.sum(x) > 3, lambda: x * 2, lambda: x), X * 2),
    "cond the other way": (lambda x: ops.cond(ops.sum(x) > 300, lambda: x * 2, lambda: x), X),
    "cond known before": (lambda x: ops.cond(ops.array(True), lambda: x * 2, lambda: x), X * 2),
    "switch": (lambda x: ops.switch(ops.cast(ops.sum(x), "int32") - 14, [lambda a: a, lambda a: a * 3, lambda a: a], x), X * 3),
    "while_loop": (lambda x: ops.while_loop(lambda a: ops.sum(a) < 100, lambda a: a * 2, x), X * 8),
    "fori_loop": (lambda x: ops.fori_loop(0, 3, lambda i, a: a + ops.cast(i, "float32"), x), X + 3),
    "scan": (lambda x: ops.scan(ADD_UP, ops.zeros(2), x)[1], np.cumsum(X, 0)),
    "map": (lambda x: ops.map(lambda row: row * ops.sum(row), x), X * X.sum(1, keepdims=True)),
    "vectorized_map": (lambda x: ops.vectorized_map(lambda row: row * ops.sum(row), x), X * X.sum(1, keepdims=True)),
    "associative_scan": (lambda x: ops.associative_scan(ops.add, x), np.cumsum(X, 0)),
    "vectorize": (lambda x: ops.vectorize(lambda a, b: a * b, signature="(n),()->(n)")(x, x[:, 0]), X * X[:, :1]),
    "jvp": (lambda x: ops.jvp(lambda a: a * a, (x,), (x,))[1], 2 * X * X),
    "custom_gradient": (lambda x: ops.custom_gradient(lambda a: (a * a, lambda upstream: upstream))(x), X * X),
    "stop_gradient": (lambda x: ops.stop_gradient(x) * 2, X * 2),
    "remat": (lambda x: cornu.remat(lambda a, factor=1.0: a * a * factor)(x, factor=2.0), X * X * 2),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_in_a_graph(backend, name):
    build, wanted = GRAPHS[name]
    np.testing.assert_allclose(on_x(build), wanted)


# Gradients, compiled: by (w, by hand)

GRADIENTS = {
    "cond": (lambda w: ops.cond(ops.sum(w) > 3, lambda: w * w, lambda: w), 2 * X),
    "switch": (lambda w: ops.switch(ops.cast(ops.sum(w) > 3, "int32"), [lambda a: a, lambda a: a * a], w), 2 * X),
    "fori_loop": (lambda w: ops.fori_loop(0, 3, lambda i, a: a * w, w), 4 * X**3),
    "fori_loop of none": (lambda w: ops.fori_loop(3, 3, lambda i, a: a * w, w), np.ones_like(X)),
    "scan": (lambda w: ops.scan(lambda c, row: (c * row, c), ops.ones(2), w)[0], np.stack([np.delete(X, i, 0).prod(0) for i in range(3)])),
    "scan backwards": (lambda w: ops.scan(lambda c, row: (c + row * row, c), ops.zeros(2), w, reverse=True)[0], 2 * X),
    "map": (lambda w: ops.map(lambda row: row * row, w), 2 * X),
    "vectorized_map": (lambda w: ops.vectorized_map(lambda row: row * row, w), 2 * X),
    "associative_scan": (lambda w: ops.associative_scan(ops.add, w), np.broadcast_to([[3.0], [2], [1]], (3, 2))),
    "vectorize": (lambda w: ops.vectorize(lambda a: a * a)(w), 2 * X),
    "jvp": (lambda w: ops.jvp(lambda a: a * a * a, (w,), (ops.ones_like(w),))[1], 6 * X),
    "remat": (lambda w: cornu.remat(lambda a: a * a)(w), 2 * X),
    "custom_gradient": (lambda w: ops.custom_gradient(lambda a: (a * a, lambda upstream: upstream * 7.0))(w), np.full_like(X, 7)),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_in_compiled_functions(backend, name):
    function, wanted = GRADIENTS[name]
    run = backend.compile(lambda w: backend.value_and_grad(lambda ws: (ops.sum(function(ws[0])), ()), [w])[1][0])
    np.testing.assert_allclose(values(run(ops.array(X))), wanted, rtol=1e-5)


def test_a_loop_of_unknown_length_has_a_gradient_on_numpy():
    backend = backends.load("numpy")
    loop = lambda w: ops.while_loop(lambda n, a: n < 3, lambda n, a: (n + 1, a * w), (0, w))[1]
    np.testing.assert_allclose(backend.value_and_grad(lambda ws: (ops.sum(loop(ws[0])), ()), [X])[1][0], 4 * X**3)


def test_jvp(backend):
    value, change = ops.jvp(lambda a, b: {"product": a * b, "count": ops.cast(a, "int32")}, (X, X + 1), [X * 0 + 1, X])
    np.testing.assert_allclose(values(value["product"]), X * (X + 1))
    np.testing.assert_allclose(values(change["product"]), X + 1 + X * X)
    value, change, seen = ops.jvp(lambda a: (a * 2, a + 1), (X,), (X,), has_aux=True)
    np.testing.assert_allclose(values(seen), X + 1)
    np.testing.assert_allclose(values(change), 2 * X)


@pytest.mark.parametrize(
    ("signature", "shapes_in", "function"),
    [
        ("(n),(n)->()", [(4, 3), (3,)], lambda a, b: (a * b).sum(-1)),
        ("(n,k),(k,m)->(n,m)", [(5, 1, 2, 3), (4, 3, 2)], lambda a, b: a @ b),
        ("(),(n)->(n)", [(4,), (4, 3)], lambda a, b: a[..., None] * b),
        ("(n)->(n),()", [(2, 3)], lambda a: (a * 2, a.sum(-1))),
    ],
)
def test_vectorize_is_that_of_numpy(backend, signature, shapes_in, function):
    inputs = [np.random.default_rng(i).normal(size=shape).astype("float32") for i, shape in enumerate(shapes_in)]
    one = {"(n),(n)->()": ops.dot, "(n,k),(k,m)->(n,m)": ops.matmul, "(),(n)->(n)": lambda a, b: a * b, "(n)->(n),()": lambda a: (a * 2, ops.sum(a))}[signature]
    found = ops.vectorize(one, signature=signature)(*inputs)
    wanted = function(*np.broadcast_arrays(*inputs)) if signature == "(n),(n)->()" else function(*inputs)
    for x, y in zip(tree.flatten(found), tree.flatten(wanted), strict=True):
        np.testing.assert_allclose(values(x), y, rtol=1e-4, atol=1e-5)


def test_vectorize_leaves_out(backend):
    assert values(ops.vectorize(lambda a, table: table[a], excluded={1})(np.array([2, 0]), ops.array([5, 6, 7]))).tolist() == [7, 5]
    assert values(ops.vectorize(lambda a, scale=1: a * scale)(np.array([2, 0]), scale=3)).tolist() == [6, 0]


E_ = lambda call, text: pytest.param(call, text, id=text[:50])
ROW = np.zeros(3, "float32")


@pytest.mark.parametrize(
    ("call", "text"),
    [
        E_(lambda: ops.scan(lambda c, x: c, 0.0, ROW), "scan: `f` must give the next carry and an output"),
        E_(lambda: ops.scan(lambda c, x: (ops.zeros(2), x), 0.0, ROW), "scan: the carry must keep its shape and type; it was float32 of the shape ()"),
        E_(lambda: ops.scan(lambda c, x: (c, x), 0.0, {"a": ROW, "b": ROW[:2]}), "scan: the lengths of the tensors' first axes: the sizes 3 and 2 differ"),
        E_(lambda: ops.scan(lambda c, x: (c, x), 0.0, ROW, length=4), "scan: the lengths of the tensors' first axes: the sizes 4 and 3 differ"),
        E_(lambda: ops.map(lambda x: x, 3.0), "map: wanted tensors with a first axis to go along; got one of the shape ()"),
        E_(lambda: ops.vectorized_map(lambda x: x, [ROW, ROW[:2]]), "vectorized_map: the lengths"),
        E_(lambda: ops.associative_scan(ops.add, ROW, axis=1), "associative_scan: axis 1 is out of range"),
        E_(lambda: ops.switch(0, []), "switch: wanted one branch at least"),
        E_(lambda: ops.jvp(lambda x: x, (ROW,), (ROW[:2],)), "jvp: a change has the shape of what changes; got (2,) for (3,)"),
        E_(lambda: ops.jvp(lambda x: x, (ROW,), ()), "jvp: primals and tangents must be two tuples or lists of one length"),
        E_(lambda: ops.vectorize(ops.add)(ROW, np.zeros(2)), "vectorize: shapes"),
        E_(lambda: ops.vectorize(ops.dot, signature="n,n->"), "vectorize: wanted a signature such as"),
        E_(lambda: ops.vectorize(ops.dot, signature="(n),(n)->()")(ROW, ROW[:2]), "vectorize: the axis 'n' of '(n),(n)->()': the sizes 3 and 2 differ"),
        E_(lambda: ops.vectorize(ops.add, signature="(n),(n)->()")(ROW, ROW), "vectorize: by '(n),(n)->()' results of [0] axes were wanted; got [1]"),
        E_(lambda: ops.segment_sum(ROW, [0, 1]), "segment_sum: the rows of data and the ids: the sizes 3 and 2 differ"),
        E_(lambda: ops.segment_max(ROW, [[0, 1, 1]]), "segment_max: wanted an id for each row of data, on one axis; got the shapes (1, 3) and (3,)"),
        E_(lambda: ops.segment_min(ROW, [0, 1, 1], -1), "segment_min: num_segments is at least 0; got -1"),
    ],
)
def test_bad_input_is_named(call, text):
    backends.load("numpy")
    with pytest.raises(ValueError) as caught:
        call()
    assert text in str(caught.value)


def test_segments_in_compiled_functions_need_their_number():
    backend = backends.load("jax")
    with pytest.raises(ValueError, match="segment_sum: in a compiled function the ids have no values yet, so give `num_segments`"):
        backend.compile(lambda x, ids: ops.segment_sum(x, ids))(ops.array(ROW), ops.array([0, 1, 1]))
    found = backend.compile(lambda x, ids: ops.segment_sum(x, ids, 2))(ops.array(ROW + 1), ops.array([0, 1, 1]))
    assert values(found).tolist() == [1, 2]
