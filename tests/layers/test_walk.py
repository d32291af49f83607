"""Every layer with arguments drawn at random gives what the newest Keras gives, and refuses what Keras refuses."""

import functools
import pathlib

import pytest

from cornu import backends
from tests.layers import against, walk

GAPS = pathlib.Path(__file__).parent.parent / "gaps" / "layers.txt"
COUNT = 8  # cases of each layer; the first runs on JAX too
DIFFERENTIATED = 1  # of them, with gradients by weights and inputs


def gaps():
    lines = [line for line in GAPS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return [line.split(": ")[0] for line in lines]


@functools.cache
def answers():
    """Name of a layer -> its cases with Keras's answers, all asked at once."""
    cases = {name: walk.cases(name, COUNT) for name in walk.LAYERS}
    flat = [(i, case) for group in cases.values() for i, case in enumerate(group)]
    found = iter(against.ask([case for _, case in flat], gradients=[place for place, (i, _) in enumerate(flat) if i < DIFFERENTIATED]))
    return {name: [(case, next(found)) for case in group] for name, group in cases.items()}


@pytest.mark.parametrize("name", walk.LAYERS)
def test_arguments(name):
    known, right, refused = gaps(), 0, []
    for i, (case, theirs) in enumerate(answers()[name]):
        expression = case["expression"]
        if any(expression.startswith(gap) or gap in theirs.get("says", "") for gap in known):
            continue
        for backend in map(backends.load, ("numpy", "jax")[: 2 if i == 0 else 1]):
            if "error" in theirs:
                refused.append(theirs["says"])
                with pytest.raises((ValueError, TypeError)):
                    against.compare(backend, {"shapes": None}, **case)
                continue
            try:
                against.compare(backend, theirs, **case)
            except (AssertionError, ValueError, TypeError) as error:
                error.add_note(f"{expression} {case['kwargs']} of {case['shapes']} on {backend.NAME}")
                raise
            right += 1
    assert right, f"no case of {name} computes: {refused}"
