"""A wrong argument is told at once, by an error that names the class and the argument; so is an input of a shape that a layer cannot take."""

import inspect
import re

import pytest

from cornu import constraints, initializers, layers, regularizers
from cornu.fields import REQUIRED
from cornu.layers.layer import Layer
from tests.layers import walk

WORD = "no such thing"
BY_NAME = {  # arguments that mean the same wherever they stand: values that no layer takes
    "units": [0, -1, 2.5, WORD],
    "filters": [0, 2.5, WORD],
    "kernel_size": [0, (1, 2, 3, 4), 1.5, WORD],
    "strides": [0, (1, 2, 3, 4), WORD],
    "dilation_rate": [0, WORD],
    "padding": [WORD, 3],
    "data_format": [WORD, 3],
    "groups": [0, WORD],
    "depth_multiplier": [0, WORD],
    "output_padding": [-1, WORD],
    "pool_size": [0, (1, 2, 3, 4), WORD],
    "output_size": [0, WORD],
    "cropping": [-1, WORD, (1, 2, 3, 4)],
    "size": [0, WORD],
    "rate": [-0.1, 1.5, WORD],
    "stddev": [-1.0, WORD],
    "dropout": [-0.1, 1.5, WORD],
    "recurrent_dropout": [-0.1, 1.5, WORD],
    "noise_shape": [WORD],
    "seed": [-1, WORD, 1.5],
    "activation": [WORD, 3],
    "recurrent_activation": [WORD],
    "axis": [WORD, 1.5],
    "axes": [WORD, (1, 2, 3)],
    "epsilon": [-1.0, WORD],
    "momentum": [1.5, WORD],
    "max_value": [-1.0, WORD],
    "negative_slope": [-1.0, WORD],
    "alpha": [-1.0, WORD],
    "shared_axes": [[0], WORD],
    "input_dim": [0, WORD],
    "output_dim": [0, WORD],
    "logit_soft_cap": [0.0, WORD],
    "reverse_dtype": [WORD],
    "lora_rank": [0, WORD],
    "quantization_config": [{"mode": "int8"}],
    "n": [0, WORD],
    "dims": [(0, 1), WORD, 2],
    "target_shape": [3, (-1, -1), WORD],
    "equation": [WORD, "ab->c", 3],
    "bias_axes": ["z"],
    "num_heads": [0, WORD],
    "key_dim": [0, WORD],
    "value_dim": [0, WORD],
    "head_dim": [0],
    "num_query_heads": [0, 3],
    "num_key_value_heads": [0],
    "sliding_window": [0, WORD],
    "attention_axes": [WORD],
    "score_mode": [WORD],
    "power_iterations": [0, WORD],
    "merge_mode": [WORD],
    "layer": [3, WORD],
    "cell": [3],
    "cells": [3, []],
    "interpolation": [WORD],
    "l1": [-1.0, WORD],
    "l2": [-1.0, WORD],
    "function": [3],
    "arguments": [3],
    "dtype": [WORD],
    "name": [3, "a/b"],
    "call_fn": [3],
    "module": [3],
    "renorm": [True],
}
FIRST = {  # arguments that have no default: values that go
    "units": 2,
    "filters": 2,
    "kernel_size": 2,
    "pool_size": 2,
    "output_size": 2,
    "rate": 0.5,
    "stddev": 0.5,
    "activation": "relu",
    "axes": 1,
    "input_dim": 3,
    "output_dim": 2,
    "n": 2,
    "dims": (1,),
    "target_shape": (-1,),
    "equation": "ab,bc->ac",
    "output_shape": 3,
    "num_heads": 2,
    "key_dim": 2,
    "head_dim": 2,
    "num_query_heads": 2,
    "num_key_value_heads": 2,
    "scale": 2.0,
    "function": abs,
    "call_fn": lambda inputs: inputs,
    "layer": lambda: layers.LSTM(2),
    "cell": lambda: layers.LSTMCell(2),
    "cells": lambda: [layers.LSTMCell(2)],
}
CLASSES = sorted({value for value in vars(layers).values() if inspect.isclass(value) and issubclass(value, Layer)} - {Layer}, key=lambda c: c.__name__)
OTHERS = [*(c for module in (initializers, regularizers, constraints) for c in vars(module).values() if inspect.isclass(c) and c.__module__ == module.__name__)]
OTHERS = sorted({c for c in OTHERS if not c.__name__.startswith("_")}, key=lambda c: c.__name__)
WRONG = {  # the same for initializers, regularizers and constraints
    "seed": [-1, WORD, 1.5],
    "mean": [WORD],
    "stddev": [-1.0, WORD],
    "minval": [WORD, 7.0],
    "maxval": [WORD, -7.0],
    "scale": [0.0, WORD],
    "mode": [WORD],
    "distribution": [WORD],
    "input_axes": [[0]],
    "gain": [WORD],
    "value": [WORD],
    "side": [WORD],
    "window": [WORD],
    "scaling": [WORD],
    "l1": [-1.0, WORD, float("inf")],
    "l2": [-1.0, WORD],
    "factor": [-1.0, WORD],
    "max_value": [-1.0, WORD],
    "min_value": [-1.0, WORD],
    "rate": [1.5, WORD],
    "axis": [WORD],
}


def needed(cls, but):
    """Values for the arguments of `cls` that have no default."""
    chosen = {name: FIRST[name] for name, (_, default) in cls._fields.items() if default is REQUIRED and name != but and name in FIRST}
    return {name: value() if name in ("layer", "cell", "cells") else value for name, value in chosen.items()}


def told(cls, name, value, **more):
    """Assert that the value is refused at once, with the class and the argument in what the error says."""
    with pytest.raises((ValueError, TypeError)) as caught:
        cls(**{name: value}, **more)
    said = str(caught.value)
    assert any(c.__name__.removesuffix("Cell") in said for c in (cls, *cls.__mro__[1:2])), f"{cls.__name__}({name}={value!r}): {said}"
    assert name in said or name.rstrip("s") in said, f"{cls.__name__}({name}={value!r}): {said}"


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_layers(cls):
    checked = 0
    for name, (annotation, _) in cls._fields.items():
        values = list(BY_NAME.get(name, ()))
        if annotation is bool:
            values.append(WORD)
        elif getattr(annotation, "__metadata__", None) and name not in BY_NAME:
            values += [WORD, 3] if "layer" not in name else []
        if cls.__name__.startswith("ZeroPadding") and name == "padding":
            values = [-1, WORD, (1, 2, 3, 4)]
        if cls in (layers.FlaxLayer, layers.TorchModuleWrapper) and name != "module":  # nothing goes without one
            values = []
        for value in values:
            if cls in (layers.Identity, layers.InputLayer) or (cls is layers.Dot and value == 1.5) or (name, value) in (("lora_rank", WORD), ("alpha", -1.0)):
                continue
            told(cls, name, value, **needed(cls, name))
            checked += 1
    if cls is not layers.InputLayer:
        with pytest.raises(TypeError, match=f"{cls.__name__}.*wibble"):
            cls(wibble=3, **needed(cls, None))
    assert checked or cls in (layers.InputLayer, layers.Identity)


@pytest.mark.parametrize("cls", OTHERS, ids=lambda c: c.__name__)
def test_initializers_regularizers_constraints(cls):
    for name in inspect.signature(cls).parameters:
        for value in WRONG.get(name, ()):
            told(cls, name, value)
    with pytest.raises(TypeError):
        cls(wibble=3)


def constructs(case):
    try:
        return eval("layers." + case["expression"], {"layers": layers})
    except ValueError:
        return None


@pytest.mark.parametrize("name", walk.LAYERS)
def test_inputs_of_another_rank(name):
    case = next(case for case in walk.cases(name, 9) if constructs(case))
    for shape in ((2,), (2, 3, 4, 5, 6, 7, 8)):
        layer = eval("layers." + case["expression"], {"layers": layers})
        xs = [layers.Input(batch_shape=shape) for _ in case["shapes"]]
        try:
            layer(*(xs if case["spread"] else [xs if len(xs) > 1 else xs[0]]), **case["kwargs"])
        except (ValueError, TypeError) as error:
            assert re.match(r'\w+ "\w+"', str(error)), f"{name} on {shape}: {error}"


def test_unknown_sizes():
    for layer, shape in (
        (layers.Dense(2), (None, None)),
        (layers.Conv2D(2, 2), (None, 4, 4, None)),
        (layers.LSTM(2), (None, 4, None)),
        (layers.BatchNormalization(), (None, None)),
        (layers.LayerNormalization(), (None, None)),
        (layers.MultiHeadAttention(2, 2), (None, 3, None)),
        (layers.ConvLSTM1D(2, 2), (None, 3, 4, None)),
    ):
        x = layers.Input(batch_shape=shape)
        with pytest.raises(ValueError, match=type(layer).__name__.replace("LSTM", "LSTM|conv_lstm")):
            layer(x, x) if isinstance(layer, layers.MultiHeadAttention) else layer(x)
