"""The examples in the docstrings of the wrappers and of the model that configures itself give what they show."""

import doctest
import importlib

import numpy as np
import pytest

import cornu
from cornu import Function, KerasTensor


@pytest.mark.parametrize("name", ["wrappers.sklearn", "api", "models.function"])
def test_examples(name):
    module = importlib.import_module(f"cornu.{name}")
    names = {"keras": cornu, "np": np, "KerasTensor": KerasTensor, "Function": Function}
    result = doctest.testmod(module, extraglobs=names)
    assert result.attempted > 0 and result.failed == 0
