"""Every public op: Keras's values on each backend, one shape and type inferred, compiled and computed, exact gradients. `make ops` prints the table."""

import operator
import pathlib

import pytest

from cornu import ops
from tests import gaps, oracle
from tests.ops import cases, check

NAMES = sorted(cases.CASES)


def each(check):
    """A parameter set for every case that is to be checked so; the first of each op is what `make check` has time for."""
    calls = [(name, i) for name in NAMES for i, case in enumerate(cases.CASES[name]) if getattr(case, check)]
    return pytest.mark.parametrize(
        ("name", "i"), [pytest.param(*call, id="{}-{}".format(*call), marks=[pytest.mark.slow] if call[1] else []) for call in calls]
    )


_SNIPPET = """
import copy, operator
out['found'] = {}
for (name, i), call in calls.items():
    args, kwargs = copy.deepcopy(call)  # Keras's updates write into the arrays that they get
    try:
        out['found'][name, i] = operator.attrgetter(name)(ops)(*args, **kwargs)
    except Exception as error:
        out['found'][name, i] = type(error).__name__ + ': ' + str(error)[:300]
"""


def named(name):
    """The op of a name such as "add" or "image.resize"."""
    return operator.attrgetter(name)(ops)


@pytest.fixture(scope="module")
def keras():
    """What Keras gives for all cases: on NumPy, where it compiles nothing, and on JAX what it cannot compute there."""
    calls = {(name, i): (c.args, c.kwargs) for name in NAMES for i, c in enumerate(cases.CASES[name]) if c.keras}
    found = oracle.run(_SNIPPET, backend="numpy", calls={key: call for key, call in calls.items() if key[0] not in cases.ON_JAX})["found"]
    rest = {key: call for key, call in calls.items() if key not in found or isinstance(found[key], str)}
    return found | oracle.run(_SNIPPET, calls=rest)["found"]


def test_every_public_op_has_a_case():
    lines = (pathlib.Path(__file__).parent.parent / "public_names.txt").read_text(encoding="utf-8").splitlines()
    public = {line.split(" ")[0].removeprefix("cornu.ops.") for line in lines if line.startswith("cornu.ops.")}
    public = {name for name in public if name.partition(".")[0] not in ("linalg", "nn", "numpy")}  # the same ops at a second place
    assert public - set(cases.everywhere()) - set(cases.PLAIN) == set()


@pytest.mark.parametrize("which", ["eager", "symbolic", "compiled", "gradient"])
def test_no_op_lacks_a_check_without_a_reason(which):
    lacking = [name for name, found in cases.everywhere().items() if not any(getattr(case, which) for case in found)]
    reasons = gaps.of_ops()
    assert [name for name in lacking if (name, which) not in reasons] == []


@each("eager")
def test_values_are_those_of_keras(name, i, keras):
    case = cases.CASES[name][i]
    wanted = keras.get((name, i))
    assert not isinstance(wanted, str), wanted
    for backend in check.BACKENDS:
        found = check.on(backend, lambda: named(name)(*case.args, **case.kwargs))
        if case.keras:
            check.check_close(found, wanted, case.tolerance, f"{name} on {backend}")


@each("symbolic")
def test_symbolic_shapes_and_types(name, i):
    case = cases.CASES[name][i]
    check.check_spec(named(name), case.args, case.kwargs, unknown=case.unknown)


@each("compiled")
def test_compiled_shapes_and_types(name, i):
    case = cases.CASES[name][i]
    check.check_traced(named(name), case.args, case.kwargs)


@each("gradient")
def test_gradients(name, i):
    case = cases.CASES[name][i]
    check.check_gradient(named(name), list(case.args), case.kwargs, jax=i == 0)
