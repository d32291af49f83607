"""The examples in docstrings of tools, callbacks' files and the file editor's kin give what they show."""

import doctest
import importlib

import pytest

MODULES = [
    "cornu.training.callbacks.events",
    "cornu.training.data.splits",
    "cornu.utils.config",
    "cornu.utils.numerical",
    "cornu.utils.sequences",
    "cornu.utils.timeseries",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    found = doctest.testmod(module)
    assert found.attempted and not found.failed
