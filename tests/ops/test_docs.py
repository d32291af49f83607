"""The examples in the docstrings of ops and random, run."""

import doctest

import pytest

from cornu import ops, random
from cornu.backends import cost
from cornu.ops import dispatch
from tests import gaps


@pytest.mark.parametrize("name", sorted(n for n, f in dispatch.OPS.items() if ">>>" in (f.__doc__ or "")))
def test_example_of(name, backend):
    run(dispatch.OPS[name].__doc__, name)


@pytest.mark.parametrize("place", [ops.cond, ops.custom_gradient, ops.vectorize, ops.shape, random.SeedGenerator, cost], ids=lambda place: place.__name__)
def test_example(place, backend):
    run(place.__doc__, place.__name__)


def test_every_op_has_an_example():
    """Of one line at least what it does, and a call that runs as a test."""
    reasons = gaps.of_ops()
    public = {name: op.__doc__ or "" for name, op in dispatch.OPS.items() if not name.startswith("_") and not hasattr(random, name)}
    assert [name for name, text in public.items() if not text.strip()] == []
    assert [name for name, text in public.items() if ">>>" not in text and (name, "example") not in reasons] == []


def run(text, name):
    names = {"ops": ops, "counting": cost.counting, **{n: f for n, f in vars(random).items() if not n.startswith("_")}}
    test = doctest.DocTestParser().get_doctest(text, names, name, None, 0)
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test)
    assert result.failed == 0
