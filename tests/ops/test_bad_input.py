"""What no op can use is refused by a TypeError or ValueError that begins with an op's name, never by an engine's own error.

Each op's first case is called with something wrong in the place of its first tensor, with shapes that fit nothing, with an axis out of range, on
arrays and on Specs. A call may be right all the same (a scalar where any rank will do); then it says nothing.
"""

import inspect
import re

import numpy as np
import pytest

from cornu import backends, layers, ops
from cornu.ops.dispatch import OPS
from cornu.shapes import Spec
from tests import gaps
from tests.ops import cases
from tests.ops.test_walk import named

EVERYWHERE = {name: found[0] for name, found in cases.everywhere().items() if name not in cases.BY_HAND}
USELESS = {"text": "text", "object": object(), "none": None, "strings": np.array(["a", "b"] * 6)}
WRONG = {"scalar": np.float32(1), "shape": np.ones((7, 11, 5, 3, 2)), "vector": np.ones(7)}  # of a rank or size that does not fit
OUT_OF_RANGE = 9


def attempts(name):
    """(what is wrong, arguments, whether it must be refused) of calls of an op."""
    case = EVERYWHERE[name]
    places = [i for i, x in enumerate(case.args) if isinstance(x, np.ndarray)]
    replaced = lambda i, value: [value if i == j else x for j, x in enumerate(case.args)]
    for what, value in USELESS.items() if places else ():
        yield what, replaced(places[0], value), case.kwargs, what != "strings"  # NumPy moves texts about as it does numbers
    for what, value in WRONG.items():
        for place in places[:2]:
            yield what, replaced(place, value.astype(case.args[place].dtype)), case.kwargs, False
    parameters = list(inspect.signature(named(name)).parameters)
    if "axis" in parameters and places:
        at = parameters.index("axis")
        given = (replaced(at, OUT_OF_RANGE), case.kwargs) if at < len(case.args) else (case.args, {**case.kwargs, "axis": OUT_OF_RANGE})
        yield "axis", *given, True


def told(message, name):
    """Whether a message begins with the name of an op; that of one that an op is made of will do."""
    first = re.match(r"[\w.]+", message)
    return bool(first) and (first[0] in OPS or first[0].split(".")[-1] == name.split(".")[-1] or name.split(".")[-1] in message)


@pytest.mark.parametrize("kind", ["numpy", "spec", pytest.param("jax", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", sorted(EVERYWHERE))
def test_what_is_wrong_is_told(name, kind):
    backends.load("jax" if kind == "jax" else "numpy")
    known = gaps.patterns(name, "bad_input")
    found = []
    for what, args, kwargs, must in attempts(name):
        if what in known:
            continue
        if kind == "spec":
            args = [Spec(x.shape, x.dtype.name) if isinstance(x, np.ndarray) and x.dtype.kind in "biufc" else x for x in args]
        try:
            with np.errstate(all="ignore"):
                named(name)(*args, **kwargs)
        except (TypeError, ValueError) as error:
            if not told(str(error), name):
                found.append(f"{what}: {type(error).__name__}: {error}")
        except (AttributeError, IndexError, OverflowError) as error:
            found.append(f"{what}: an engine's {type(error).__name__}: {error}")
        else:
            if must:
                found.append(f"{what}: accepted")
    assert not found, "\n".join(found)


def test_tensors_of_another_engine_are_moved_only_on_request():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: make backends")
    backends.load("jax")
    other, own = torch.ones(2, 3), np.ones((2, 3), "float32")
    message = r"add: the backend is jax; got a tensor of torch, shape \(2, 3\). Move it first: ops.convert_to_tensor\(x\)."
    for mixed in (other, own), (own, other):
        with pytest.raises(TypeError, match=message):
            ops.add(*mixed)
    for call in lambda: ops.concatenate([own, other]), lambda: ops.softmax(other), lambda: ops.matmul(own, other), lambda: ops.where(own > 0, other, own):
        with pytest.raises(TypeError, match="got a tensor of torch"):
            call()
    np.testing.assert_array_equal(ops.convert_to_tensor(other), own)
    assert backends.is_tensor(layers.Dense(2)(other))  # a layer takes in what a user has
