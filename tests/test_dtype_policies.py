"""Dtype policies as Keras has them: names, types, configs, maps by path, what a layer's inputs become; mixed_precision; errors."""

import numpy as np
import pytest

import cornu as keras
from cornu import backends, dtype_policies
from tests import oracle

NAMES = [
    "float32", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16", "int32", "bool", "int8_from_float32", "int4_from_mixed_bfloat16", "float8_from_float32",
    "float8_from_mixed_float16", "gptq/4/128_from_float32", "awq/4/-1_from_float32", "int4/128_from_float32", "int4/-1_from_mixed_bfloat16",
]  # fmt: skip
CODE = """
P = keras.dtype_policies
def shown(p):
    return (p.name, p.compute_dtype, p.variable_dtype, p.quantization_mode, p.get_config(), type(p).__name__, P.serialize(p))
out["policies"] = {n: shown(P.get(n)) for n in names}
m = P.DTypePolicyMap("bfloat16"); m["de.*"] = "float16"; m["dense"] = "mixed_float16"; m[".*q"] = P.get("int8_from_float32")
out["map"] = {k: m[k].name for k in ("dense", "dex", "model/dex", "xq", "other")}
out["map config"], out["map name"], out["map types"] = P.serialize(m), m.name, (m.compute_dtype, m.variable_dtype, len(m), list(m), m.default_policy.name)
out["read"] = {n: shown(P.deserialize(c)) for n, c in written.items()}
x = P.DTypePolicy("mixed_float16")
out["converted"] = [(str(np.asarray(y).dtype) if hasattr(y, "dtype") else None) for y in (x.convert_input(v, a, d) for v in values for a in (True, False) for d in ("float16", "int32"))]
"""
VALUES = [np.ones(3, "float32"), np.ones(3, "int32"), [1.0, 2.0], 1.0, "a", None]


def shown(p):
    return (p.name, p.compute_dtype, p.variable_dtype, p.quantization_mode, p.get_config(), type(p).__name__, dtype_policies.serialize(p))


def test_as_in_keras(backend):
    written = {name: dtype_policies.serialize(dtype_policies.get(name)) for name in NAMES}
    said = oracle.run(CODE, names=NAMES, written=written, values=VALUES)
    for name in NAMES:
        policy = dtype_policies.get(name)
        assert shown(policy) == said["policies"][name] == said["read"][name]
        assert dtype_policies.deserialize(written[name]) == policy == dtype_policies.get(policy) and hash(policy) == hash(dtype_policies.get(name))
    policies = dtype_policies.DTypePolicyMap("bfloat16", {"de.*": "float16", "dense": "mixed_float16", ".*q": dtype_policies.get("int8_from_float32")})
    assert {key: policies[key].name for key in said["map"]} == said["map"]
    assert dtype_policies.serialize(policies) == said["map config"] and policies.name == said["map name"]
    assert (policies.compute_dtype, policies.variable_dtype, len(policies), list(policies), policies.default_policy.name) == said["map types"]
    assert dtype_policies.deserialize(said["map config"]) == policies
    mixed = dtype_policies.DTypePolicy("mixed_float16")
    got = [mixed.convert_input(value, auto, kind) for value in VALUES for auto in (True, False) for kind in ("float16", "int32")]
    assert [backends.kind(x) if hasattr(x, "dtype") else None for x in got] == said["converted"]
    assert mixed.convert_input(keras.KerasTensor((2, 3)), True, "float16").dtype == "float16"


def test_the_map_as_a_dictionary():
    policies = dtype_policies.DTypePolicyMap(policy_map={"a": "float16"})
    assert "a" in policies and "b" not in policies and policies["b"] == dtype_policies.dtype_policy()
    assert policies.get_config()["default_policy"] is None
    assert policies.pop("a").name == "float16" and not len(policies)
    policies["x.*"], policies[".*y"] = "float16", "bfloat16"
    with pytest.raises(ValueError, match="'x.*', '.*y' all fit the path 'xy'"):
        policies["xy"]


def test_the_one_that_is_set():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        layer = keras.layers.Dense(2)
        layer.build((None, 3))
        assert (layer.compute_dtype, layer.kernel.dtype) == ("bfloat16", "float32")
        assert keras.config.dtype_policy() == keras.mixed_precision.global_policy() == keras.mixed_precision.Policy("mixed_bfloat16")
    finally:
        keras.backend.clear_session()
    assert keras.config.dtype_policy().name == "float32"
    assert keras.mixed_precision.LossScaleOptimizer is keras.optimizers.LossScaleOptimizer


P = dtype_policies
MISTAKES = [
    (lambda: P.DTypePolicy("float33"), ValueError, "got 'float33'. Did you mean 'float32'"),
    (lambda: P.DTypePolicy(3), TypeError, "wanted the name of a type"),
    (lambda: P.get("foo"), ValueError, "'foo'"),
    (lambda: P.get({"class_name": "Dense", "config": {"units": 1}}), ValueError, "Wanted the config of a policy"),
    (lambda: P.QuantizedDTypePolicy("int9"), ValueError, "QuantizedDTypePolicy: mode must be one of int8.*Did you mean 'int8'"),
    (lambda: P.QuantizedDTypePolicy("int8", "float16"), ValueError, "does not go with computing in float16"),
    (lambda: P.QuantizedDTypePolicy("int8", "foo"), ValueError, "'foo'"),
    (lambda: P.QuantizedFloat8DTypePolicy("float8", "float32", "a"), TypeError, "amax_history_length must be an integer"),
    (lambda: P.QuantizedFloat8DTypePolicy("float8", "float32", 0), ValueError, "at least 1"),
    (lambda: P.Int4DTypePolicy("int4"), ValueError, "of the form 'int4/<block_size>'"),
    (lambda: P.Int4DTypePolicy("int4/0"), ValueError, "block_size must be at least 1, or -1"),
    (lambda: P.GPTQDTypePolicy("gptq/5/128"), ValueError, "weight_bits must be 2 or 3 or 4 or 8; got 5"),
    (lambda: P.GPTQDTypePolicy("gptq/a/3"), ValueError, "with whole numbers"),
    (lambda: P.AWQDTypePolicy("awq/8/128"), ValueError, "weight_bits must be 4; got 8"),
    (lambda: P.DTypePolicyMap(P.DTypePolicyMap()), ValueError, "default_policy must be a single policy"),
    (lambda: P.DTypePolicyMap(policy_map=3), TypeError, "policy_map must be a dictionary"),
    (lambda: P.DTypePolicyMap(policy_map={3: "float32"}), ValueError, "a key must be a path"),
    (lambda: P.DTypePolicyMap(policy_map={"[": "float32"}), ValueError, "no regular expression"),
    (lambda: P.DTypePolicyMap(policy_map={"a": "foo"}), ValueError, "'foo'"),
    (lambda: P.set_dtype_policy(None), ValueError, "wanted the name of a policy"),
    (lambda: P.set_dtype_policy(3), ValueError, "got 3"),
]


@pytest.mark.parametrize("mistake, kind, message", MISTAKES)
def test_mistakes(mistake, kind, message):
    with pytest.raises(kind, match=message):
        mistake()


def test_layers_find_their_policy_by_their_path():
    policies = dtype_policies.DTypePolicyMap("float32", {"model/half.*": "mixed_float16", "model/whole": "float16"})
    layers = [keras.layers.Dense(2, dtype=policies, name=name) for name in ("half_1", "whole", "other")]
    model = keras.Sequential([keras.Input((3,)), *layers], name="model")
    assert [(layer.compute_dtype, layer.variable_dtype, layer.kernel.dtype) for layer in layers] == [
        ("float16", "float32", "float32"),
        ("float16", "float16", "float16"),
        ("float32", "float32", "float32"),
    ]
    again = keras.Sequential.from_config(model.get_config())
    assert [layer.dtype_policy for layer in again.layers] == [policies] * 3
