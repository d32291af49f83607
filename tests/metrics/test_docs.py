"""The examples in the docstrings of losses, metrics, optimizers, distillation and dtype policies give what they show."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import cornu
from cornu import distillation, losses, metrics, ops, optimizers

MODULES = [f"{package.__name__}.{module.name}" for package in (losses, metrics, optimizers, distillation) for module in pkgutil.iter_modules(package.__path__)]


@pytest.mark.parametrize("name", [*MODULES, "cornu.dtype_policies"])
def test_examples(name):
    module = importlib.import_module(name)
    given = {"ops": ops, "np": np, "optimizers": optimizers, "LogitsDistillation": distillation.LogitsDistillation}
    if name.endswith(".distiller"):
        made = lambda: cornu.Sequential([cornu.Input((4,)), cornu.layers.Dense(3)])
        given |= {"teacher": made(), "student": made(), "x": np.ones((8, 4), "float32"), "y": np.arange(8) % 3}
    assert doctest.testmod(module, extraglobs=given).failed == 0
