"""The examples in the docstrings of losses and metrics give what they show."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

from cornu import losses, metrics, ops

MODULES = [f"{package.__name__}.{module.name}" for package in (losses, metrics) for module in pkgutil.iter_modules(package.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    assert doctest.testmod(module, extraglobs={"ops": ops, "np": np}).failed == 0
