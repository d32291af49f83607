"""The examples in the docstrings of layers, initializers and activations give what they show."""

import doctest
import importlib
import pkgutil

import pytest

from cornu import backends, layers, ops

MODULES = [f"cornu.layers.{module.name}" for module in pkgutil.iter_modules(layers.__path__)]


@pytest.mark.parametrize("name", ["cornu.layers", *MODULES, "cornu.activations", "cornu.constraints", "cornu.regularizers"])
def test_examples(name):
    backends.load("jax")
    assert doctest.testmod(importlib.import_module(name), extraglobs={"ops": ops}).failed == 0
