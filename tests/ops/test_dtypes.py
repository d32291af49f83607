"""The type that each op gives for every type, and for every pair of types where it takes two, is Keras's: on values, on Specs, on both backends.

Keras answers twice: for arrays (by JAX's abstract evaluation, nothing is compiled) and for symbolic tensors. Where it was asked for arrays, that
answer counts. Where 64 bits are among the types its answers are compared as 32 bits, since it has no wider arrays. What differs on purpose stands in tests/gaps/ops.txt with its reason.
"""

import fnmatch
import itertools

import jax
import numpy as np
import pytest

from cornu import backends, dtypes, tree
from cornu.backends.protocol import BINARY
from cornu.shapes import Spec
from tests import gaps, oracle
from tests.ops import cases
from tests.ops.test_walk import named

DTYPES = tuple(d for d in dtypes.ALL if d not in ("complex128", "string"))
COMMON = ("bool", "uint8", "int32", "float16", "bfloat16", "float32")  # pairs of these are asked for arrays too
WIDE = {"int64", "uint64", "float64"}
SCALARS = {"True": True, "2": 2, "2.0": 2.0}  # weak operands
GENERAL = ("add", "divide", "floor_divide", "matmul", "where")  # each pair is asked for arrays
WEAK = {*BINARY, *"divide_no_nan dot fmax fmin fmod gcd hypot inner isclose kron lcm logaddexp logaddexp2 outer true_divide where".split()}  # take scalars
_SNIPPET = """
import jax, operator

def types(found):
    leaves = jax.tree_util.tree_leaves(found, is_leaf=lambda x: hasattr(x, 'dtype'))
    return tuple(str(getattr(leaf, 'dtype', type(leaf).__name__)) for leaf in leaves)

def attempt(function):
    try:
        return types(function())
    except Exception as error:
        return type(error).__name__ + ': ' + str(error)[:200]

def filled(args, places, values):
    leaves, form = jax.tree_util.tree_flatten(args, is_leaf=lambda x: x is None)
    for place, value in zip(places, values):
        leaves[place] = value
    return jax.tree_util.tree_unflatten(form, leaves)

def traced(function, args, kwargs, places, kinds):
    def call(*arrays):
        arrays = iter(arrays)
        return function(*filled(args, places, [scalars[k] if k in scalars else next(arrays) for k in kinds]), **kwargs)
    leaves = jax.tree_util.tree_leaves(args, is_leaf=lambda x: x is None)
    arrays = [jax.ShapeDtypeStruct(leaves[p].shape, jax.numpy.dtype(k)) for p, k in zip(places, kinds) if k not in scalars]
    with jax.enable_x64(bool(wide & set(kinds))):
        return jax.eval_shape(call, *arrays)

out['symbolic'], out['arrays'] = {}, {}
for name, (args, kwargs, places, every, some) in asked.items():
    function = operator.attrgetter(name)(ops)
    leaves = jax.tree_util.tree_leaves(args, is_leaf=lambda x: x is None)
    for kinds in every:
        tensors = [scalars[k] if k in scalars else keras.KerasTensor(leaves[p].shape, k) for p, k in zip(places, kinds)]
        out['symbolic'][name, kinds] = attempt(lambda: function(*filled(args, places, tensors), **kwargs))
    for kinds in some:
        out['arrays'][name, kinds] = attempt(lambda: traced(function, args, kwargs, places, kinds))
"""


def _leaves(args):
    return jax.tree_util.tree_leaves(args, is_leaf=lambda x: x is None)


def _asked(name):
    """The first case of an op: arguments, the places whose type is varied, the kinds that stand there, and those that are asked for arrays."""
    case = EVERYWHERE[name][0]
    of = lambda letters: [i for i, x in enumerate(_leaves(case.args)) if isinstance(x, np.ndarray) and x.dtype.kind in letters]
    places = of("fc") or of("biu")
    if len(places) != 2:
        every = [(d,) * len(places) for d in DTYPES]
        return case.args, case.kwargs, places, every, every
    weak = [pair for d in DTYPES for s in SCALARS for pair in ((d, s), (s, d))] if name in WEAK else []
    every = [*itertools.product(DTYPES, DTYPES), *weak]
    some = [pair for pair in every if name in GENERAL or all(d in COMMON or d in SCALARS for d in pair) or pair[0] == pair[1]]
    return case.args, case.kwargs, places, every, some


EVERYWHERE = {name: found for name, found in cases.everywhere().items() if name not in cases.BY_HAND}
ASKED = {name: asked for name in sorted(EVERYWHERE) if (asked := _asked(name))[2]}


@pytest.fixture(scope="module")
def keras():
    """What Keras says for all ops, asked in one go."""
    return oracle.run(_SNIPPET, asked=ASKED, scalars=SCALARS, wide=WIDE)


def _kinds(found):
    return tuple(backends.kind(leaf) if hasattr(leaf, "dtype") else type(leaf).__name__ for leaf in tree.flatten(found))


def _attempt(function, args, kwargs):
    try:
        with np.errstate(all="ignore"):
            return _kinds(function(*args, **kwargs))
    except np.linalg.LinAlgError:
        return None  # of the values, not of their types
    except (TypeError, ValueError, np.exceptions.ComplexWarning) as error:
        return f"{type(error).__name__}: {error}"


def _as_type(x, dtype):
    x = x if dtype.startswith("complex") else np.nan_to_num(np.real(x), posinf=1, neginf=-1)
    return x.astype(dtype)


def _arguments(args, places, kinds, tensor):
    leaves, form = jax.tree_util.tree_flatten(args, is_leaf=lambda x: x is None)
    for place, kind in zip(places, kinds, strict=True):
        leaves[place] = SCALARS[kind] if kind in SCALARS else tensor(leaves[place], kind)
    return jax.tree_util.tree_unflatten(form, leaves)


def _narrow(answer):
    """The types of an answer in 32 bits."""
    return tuple(_NARROW.get(d, d) for d in answer) if type(answer) is tuple else answer


_NARROW = {"int64": "int32", "uint64": "uint32", "float64": "float32", "complex128": "complex64"}


def _fits(name, kinds, found, keras):
    """Whether Keras says the same, or refuses."""
    arrays, symbolic = keras["arrays"].get((name, kinds)), keras["symbolic"][name, kinds]
    if type(found) is str and type(arrays) is not tuple:
        return True  # a refusal, where Keras was not asked for arrays or refuses too
    answers = [arrays] if type(arrays) is tuple else [symbolic] if type(symbolic) is tuple and arrays is None else []
    if WIDE & set(kinds):
        return not answers or _narrow(found) in map(_narrow, answers)
    return not answers or found in answers


def _as_expected(name, kinds):
    return any(len(set(kinds)) > 1 if pattern == "mixed" else fnmatch.fnmatchcase("/".join(kinds), pattern) for pattern in gaps.patterns(name, "dtypes"))


@pytest.mark.parametrize("name", ASKED)
def test_types_are_those_of_keras(name, keras):
    function, (args, kwargs, places, every, _) = named(name), ASKED[name]
    backends.load("numpy")
    wrong = []
    for kinds in every:
        spec, value = (_attempt(function, _arguments(args, places, kinds, tensor), kwargs) for tensor in (lambda x, d: Spec(x.shape, d), _as_type))
        same = value in (spec, None) or (type(value) is str and _fits(name, kinds, value, keras))
        if not (same and _fits(name, kinds, spec, keras)) and not _as_expected(name, kinds):
            wanted = keras["arrays"].get((name, kinds)) or keras["symbolic"][name, kinds]
            wrong.append(f"{'/'.join(kinds)}: wanted {wanted}, inferred {spec}, on numpy {value}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", ASKED)
def test_types_on_jax(name, keras):
    function, (args, kwargs, places, _, some) = named(name), ASKED[name]
    backends.load("jax")
    wrong = []
    for kinds in some:
        wanted = keras["arrays"][name, kinds]
        if WIDE & set(kinds) or type(wanted) is str or _as_expected(name, kinds):
            continue

        def call(*arrays, kinds=kinds):
            arrays = iter(arrays)
            return function(*_arguments(args, places, kinds, lambda x, d: next(arrays)), **kwargs)

        arrays = [jax.ShapeDtypeStruct(_leaves(args)[p].shape, jax.numpy.dtype(d)) for p, d in zip(places, kinds, strict=True) if d not in SCALARS]
        found = _attempt(jax.eval_shape, (call, *arrays), {})
        if found != wanted:
            wrong.append(f"{'/'.join(kinds)}: wanted {wanted}, got {found}")
    assert not wrong, "\n".join(wrong)


MADE = {name: EVERYWHERE[name][0].args for name in sorted(set(EVERYWHERE) - set(ASKED))}  # of no tensor: sizes and numbers
MADE |= {"full": ((2, 3), 1.5), "linspace": (0, 5, 3), "arange": (1, 7, 2)}
_MADE_SNIPPET = """
for name, args in made.items():
    function = operator.attrgetter(name)(ops)
    for dtype in dtypes if "dtype" in inspect.signature(function).parameters else [None]:
        try:
            out[name, dtype] = str(function(*args, **({"dtype": dtype} if dtype else {})).dtype)
        except Exception as error:
            out[name, dtype] = None
"""


@pytest.fixture(scope="module")
def made():
    return oracle.run("import inspect, operator\n" + _MADE_SNIPPET, made=MADE, dtypes=[None, *DTYPES])


@pytest.mark.parametrize("name", MADE)
def test_types_of_what_is_made(name, made, backend):
    answered = [dtype for one, dtype in made if one == name and made[one, dtype]]
    assert None in answered
    for dtype in answered:
        found = backends.kind(named(name)(*MADE[name], **({"dtype": dtype} if dtype else {})))
        assert _narrow((found,)) == _narrow((made[name, dtype],)), dtype


def test_a_number_as_default_is_weak():
    flags, whole, half = np.array([True, False]), np.array([1, 2], "int32"), np.array([1, 2], "float16")
    assert backends.kind(named("select")([flags, flags], [half, whole], 7.0)) == "float16"  # as Keras's arrays


def test_32_bits_give_no_64():
    assert dtypes.result("uint32", "int32") == "int32"
    assert dtypes.result("uint64", "int8") == dtypes.result("int32", "float") == "float32"
    assert dtypes.result("int64", "int8") == "int64"
