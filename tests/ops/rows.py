"""Rows of calls of one family of ops, checked cheaply: every row on NumPy, each op's first also compiled by JAX, Keras asked once for all.

A test file has its rows, a fixture `keras` of `answers(ROWS)`, and tests that call `check_values`, `check_shapes`, `check_gradients`.
"""

import operator

import numpy as np

from cornu import backends, ops, shapes, tree
from cornu.shapes import Spec
from tests import oracle
from tests.ops import check

_SNIPPET = """
import jax, operator

def compiled(function, args, kwargs):  # one program for each call: op by op Keras compiles dozens
    places = [i for i, x in enumerate(args) if isinstance(x, np.ndarray)]
    def run(*arrays):
        filled = list(args)
        for i, x in zip(places, arrays):
            filled[i] = x
        return function(*filled, **kwargs)
    options = {'xla_backend_optimization_level': 0, 'xla_llvm_disable_expensive_passes': True}
    return jax.jit(run, compiler_options=options)(*(args[i] for i in places))

out['found'] = {}
for name, calls in rows.items():
    for i, (args, kwargs) in calls.items():
        try:
            got = (compiled if jit else lambda f, a, k: f(*a, **k))(operator.attrgetter(name)(keras), args, kwargs)
            out['found'][name, i] = jax.tree_util.tree_map(lambda x: np.asarray(x) if hasattr(x, 'dtype') else x, got)
        except Exception as error:
            out['found'][name, i] = type(error).__name__ + ': ' + str(error)[:300]
"""


def each(rows):
    """(name, number) of every row."""
    return [(name, i) for name in rows for i in range(len(rows[name]))]


def answers(rows, place="ops", jit=True):
    """What Keras gives for each row that is to be compared, by (name, number); `place` says where in `keras` the names are."""
    calls = {f"{place}.{name}": {i: (c.args, c.kwargs) for i, c in enumerate(rows[name]) if c.keras} for name in rows}
    return {(name.removeprefix(f"{place}."), i): found for (name, i), found in oracle.run(_SNIPPET, rows=calls, jit=jit)["found"].items()}


def named(name, root=ops):
    return operator.attrgetter(name)(root)


def compiled_on_jax(function, args, kwargs):
    """The call with its arrays as arguments of one compiled program."""
    places = [i for i, x in enumerate(args) if isinstance(x, np.ndarray) and x.dtype.kind in "fc"]
    before, backend = backends.name(), backends.load("jax")

    def run(*arrays):
        filled = list(args)
        for i, x in zip(places, arrays, strict=True):
            filled[i] = x
        return function(*filled, **kwargs)

    try:
        found = backend.compile(run)(*(backends.array(args[i]) for i in places))
        return tree.map_structure(lambda x: np.asarray(backends.numpy(x)) if hasattr(x, "dtype") else x, found)
    finally:
        backends.load(before)


def check_values(function, case, wanted, jax, message):
    """On NumPy, and with `jax` compiled by JAX, the values are `wanted`."""
    assert not isinstance(wanted, str), wanted
    found = check.on("numpy", lambda: function(*case.args, **case.kwargs))
    check.check_close(found, wanted, case.tolerance, f"{message} on numpy")
    if jax:
        found = compiled_on_jax(function, case.args, case.kwargs)
        check.check_close(found, wanted, case.tolerance, f"{message} compiled by jax")
        for x, y in zip(tree.flatten(found), tree.flatten(wanted), strict=True):
            assert x.dtype == y.dtype, f"{message}: the type is {x.dtype}, of Keras's {y.dtype}"


def check_shapes(function, case, axes):
    """Inferred shapes and types are those of the values; with the sizes of `axes` of the first argument unknown, none is wrong."""
    check.check_spec(function, case.args, case.kwargs, "numpy", unknown=False)
    if not case.unknown:
        return
    first = case.args[0]
    opened = Spec((None if i in axes else n for i, n in enumerate(first.shape)), backends.canonical(first.dtype.name))
    before = backends.name()
    backends.load("numpy")
    try:
        inferred = tree.flatten(function(opened, *case.args[1:], **case.kwargs))
        for spec, value in zip(inferred, tree.flatten(function(*case.args, **case.kwargs)), strict=True):
            assert len(spec.shape) == len(value.shape) and backends.kind(spec) == backends.kind(value), (spec, value.shape)
            assert all(shapes.unknown(n) or n == m for n, m in zip(spec.shape, value.shape, strict=True)), (spec, value.shape)
    finally:
        backends.load(before)


def check_gradients(function, case, jax):
    """On NumPy against differences; with `jax` those of a compiled program against NumPy's."""
    check.check_gradient(function, list(case.args), case.kwargs, jax=False)
    if not jax:
        return
    places = [i for i, x in enumerate(case.args) if isinstance(x, np.ndarray) and x.dtype.kind == "f"]

    def loss(values):
        filled = list(case.args)
        for i, value in zip(places, values, strict=True):
            filled[i] = value
        leaves = [x for x in tree.flatten(function(*filled, **case.kwargs)) if backends.kind(x) in ("float32", "float64")]
        total = 0.0
        for x in leaves:
            weights = np.cos(np.arange(int(np.prod(x.shape)), dtype="float64")).reshape(x.shape).astype(backends.kind(x))
            total = total + ops.sum(x * weights)
        return total, ()

    def gradients(which):
        before, backend = backends.name(), backends.load(which)
        try:
            run = backend.compile(lambda *values: backend.value_and_grad(loss, list(values))[1])
            return [np.asarray(backends.numpy(g)) for g in run(*(backends.array(case.args[i]) for i in places))]
        finally:
            backends.load(before)

    for found, wanted in zip(gradients("jax"), gradients("numpy"), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=2e-3, atol=2e-4)
