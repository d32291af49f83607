"""The examples in docstrings of applications and of profiles give what they show."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["cornu.applications.imagenet_utils", "cornu.applications.reader", "cornu.training.profile"])
def test_examples(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted and not found.failed
