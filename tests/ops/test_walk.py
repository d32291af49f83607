"""Every public op on every backend: the same values as Keras's, one shape and type inferred and computed, exact gradients."""

import inspect
import operator

import pytest

from cornu import ops, tree
from tests import oracle
from tests.ops import cases, check

NAMES = sorted(cases.CASES)
EACH = [
    pytest.param(name, i, id=f"{name}-{i}", marks=[pytest.mark.slow] if i else [])  # the first of each op is what `make check` has time for
    for name in NAMES
    for i in range(len(cases.CASES[name]))
]
_SNIPPET = """
import jax, operator
out['found'] = {}
for name, calls in cases.items():
    for i, (args, kwargs) in calls.items():
        try:
            got = operator.attrgetter(name)(ops)(*args, **kwargs)
            out['found'][name, i] = jax.tree_util.tree_map(lambda x: np.asarray(x) if hasattr(x, 'dtype') else x, got)
        except Exception as error:
            out['found'][name, i] = type(error).__name__ + ': ' + str(error)[:300]
"""


def named(name):
    """The op of a name such as "add" or "image.resize"."""
    return operator.attrgetter(name)(ops)


@pytest.fixture(scope="module")
def keras():
    """What Keras gives for all cases, computed in one go."""
    calls = {name: {i: (c.args, c.kwargs) for i, c in enumerate(cases.CASES[name]) if c.keras} for name in NAMES}
    return oracle.run(_SNIPPET, cases=calls)["found"]


def test_every_public_op_has_a_case():
    public = {name for name, value in vars(ops).items() if not name.startswith("_") and inspect.isfunction(value)}
    assert public - set(cases.CASES) - set(cases.CONTROL) - set(cases.PLAIN) - set(cases.ELSEWHERE) == set()


@pytest.mark.parametrize(("name", "i"), EACH)
def test_values_are_those_of_keras(name, i, keras):
    case = cases.CASES[name][i]
    if not case.keras:
        return
    wanted = keras[name, i]
    assert not isinstance(wanted, str), wanted
    for backend in check.BACKENDS:
        found = check.on(backend, lambda: named(name)(*case.args, **case.kwargs))
        check.check_close(found, wanted, case.tolerance, f"{name} on {backend}")
        for x, y in zip(tree.flatten(found), tree.flatten(wanted), strict=True):
            if hasattr(y, "dtype") and backend == "jax":
                assert x.dtype == y.dtype, f"{name}: the type is {x.dtype}, of Keras's {y.dtype}"


@pytest.mark.parametrize(("name", "i"), EACH)
def test_inferred_shapes_and_types(name, i):
    case = cases.CASES[name][i]
    for backend in check.BACKENDS if case.spec else ():
        check.check_spec(named(name), case.args, case.kwargs, backend, case.unknown)


@pytest.mark.parametrize(("name", "i"), EACH)
def test_gradients(name, i):
    case = cases.CASES[name][i]
    if case.gradient:
        check.check_gradient(named(name), list(case.args), case.kwargs, jax=i == 0)
