"""In which type a layer keeps its weights and in which it computes."""

import re
from collections.abc import MutableMapping

from cornu import backends, dtypes, ops, serialization, settings
from cornu.fields import suggestion
from cornu.symbolic import KerasTensor

MIXED = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}  # name -> the type computed in; weights are float32
QUANTIZATION_MODES = ("int8", "float8", "int4", "gptq", "awq")


class DTypePolicy:
    """The types of a layer.

    Args:
        name: a type such as `"float32"` (weights and computing alike), or `"mixed_float16"`, `"mixed_bfloat16"` (weights in float32).

    Raises:
        TypeError: `name` is no text.
        ValueError: no type of that name.

    >>> DTypePolicy("mixed_bfloat16").variable_dtype
    'float32'
    """

    def __init__(self, name=None):
        self._name = settings.floatx() if name is None else name
        self._compute_dtype, self._variable_dtype = _types(type(self).__name__, self._name)

    name = property(lambda self: self._name, doc="The name that makes an equal policy.")
    compute_dtype = property(lambda self: self._compute_dtype, doc="The type that the layer computes in.")
    variable_dtype = property(lambda self: self._variable_dtype, doc="The type that the layer's weights have.")
    quantization_mode = property(lambda self: None, doc="How the layer's weights are quantized; None where they are not.")

    def _of(self, path):
        """The policy of the layer at `path`; None before the path is known."""
        return self

    def convert_input(self, x, autocast, dtype):
        """An argument of a layer's call as a tensor, floats in `dtype` where `autocast`; what is no tensor stays as it is.

        Args:
            x: anything.
            autocast: whether floats are converted.
            dtype: name of a type.
        """
        if not isinstance(x, KerasTensor):
            if not hasattr(x, "dtype") or not hasattr(x, "shape"):
                return x
            x = ops.convert_to_tensor(x)
        kind = x.dtype if isinstance(x, KerasTensor) else backends.kind(x)
        return ops.cast(x, dtype) if autocast and dtypes.is_float(kind) and kind != dtypes.standardize(dtype) else x

    def get_config(self):
        return {"name": self.name}

    @classmethod
    def from_config(cls, config):
        """A policy from what `get_config` gave."""
        return cls(**config)

    def __eq__(self, other):
        return type(self) is type(other) and self.get_config() == other.get_config()

    def __hash__(self):
        return hash(self.name)

    def __repr__(self):
        return f'<{type(self).__name__} "{self.name}">'


class FloatDTypePolicy(DTypePolicy):
    """The name of DTypePolicy in older files."""


class QuantizedDTypePolicy(DTypePolicy):
    """The types of a layer whose weights are quantized.

    Args:
        mode: "int8", "float8", "int4", "gptq" or "awq".
        source_name: name of the policy for all that is not quantized; the one that is set by default.

    Raises:
        ValueError: another mode, or a type that the mode cannot go with.

    >>> QuantizedDTypePolicy("int8", "mixed_bfloat16").name
    'int8_from_mixed_bfloat16'
    """

    parts = ()  # what stands after the mode's name, between slashes: (attribute, allowed numbers or None)

    def __init__(self, mode, source_name=None):
        self._quantization_mode, *numbers = self._parsed(mode)
        for (attribute, _), number in zip(self.parts, numbers):
            setattr(self, attribute, number)
        self._mode, self._source_name = mode, dtype_policy().name if source_name is None else source_name
        super().__init__(self._source_name)
        self._name = f"{mode}_from_{self._source_name}"
        if self._compute_dtype == "float16" and self._quantization_mode in ("int8", "int4"):
            raise ValueError(
                f"{type(self).__name__}: {self._quantization_mode} does not go with computing in float16, whose range is too small; got "
                f"source_name={self._source_name!r}. Use 'mixed_bfloat16' or 'float32'."
            )

    quantization_mode = property(lambda self: self._quantization_mode, doc="How the layer's weights are quantized.")

    def _parsed(self, mode):
        who, wanted = type(self).__name__, self._family
        if wanted is None:
            if mode not in QUANTIZATION_MODES:
                raise ValueError(f"{who}: mode must be one of {', '.join(QUANTIZATION_MODES)}; got {mode!r}.{suggestion(mode, QUANTIZATION_MODES)}")
            return [mode]
        form = "/".join([wanted, *(f"<{name}>" for name, _ in self.parts)])
        name, *numbers = mode.split("/") if isinstance(mode, str) else (None,)
        if name != wanted or len(numbers) != len(self.parts) or not all(re.fullmatch(r"-?\d+", number) for number in numbers):
            raise ValueError(f"{who}: mode must be of the form {form!r}, with whole numbers; got {mode!r}.")
        numbers = [int(number) for number in numbers]
        for (attribute, allowed), number in zip(self.parts, numbers):
            if number not in allowed if allowed else number != -1 and number < 1:
                shown = " or ".join(map(str, allowed)) if allowed else "at least 1, or -1 for all together"
                raise ValueError(f"{who}: {attribute} must be {shown}; got {number} in mode {mode!r}.")
        return [name, *numbers]

    _family = None  # the mode's name, where the class is for one alone

    def get_config(self):
        return {"mode": self._mode, "source_name": self._source_name}


class QuantizedFloat8DTypePolicy(QuantizedDTypePolicy):
    """The types of a layer that multiplies in float8.

    Args:
        mode: "float8".
        source_name: as in QuantizedDTypePolicy.
        amax_history_length: over how many steps the largest value is looked for, at least 1.
    """

    default_amax_history_length = 1024

    def __init__(self, mode, source_name=None, amax_history_length=1024):
        super().__init__(mode, source_name)
        if not hasattr(amax_history_length, "__index__"):
            raise TypeError(f"QuantizedFloat8DTypePolicy: amax_history_length must be an integer; got {amax_history_length!r}.")
        if amax_history_length < 1:
            raise ValueError(f"QuantizedFloat8DTypePolicy: amax_history_length must be at least 1; got {amax_history_length!r}.")
        self._amax_history_length = amax_history_length

    amax_history_length = property(lambda self: self._amax_history_length, doc="Over how many steps the largest value is looked for.")

    def get_config(self):
        return {**super().get_config(), "amax_history_length": self.amax_history_length}


class Int4DTypePolicy(QuantizedDTypePolicy):
    """The types of a layer whose weights are quantized to 4 bits in blocks.

    Args:
        mode: "int4/<block_size>"; -1 for one scale a column.
        source_name: as in QuantizedDTypePolicy.
    """

    _family = "int4"
    parts = (("block_size", None),)


class GPTQDTypePolicy(QuantizedDTypePolicy):
    """The types of a layer whose weights are quantized by GPTQ.

    Args:
        mode: "gptq/<weight_bits>/<group_size>": 2, 3, 4 or 8 bits; -1 for one group.
        source_name: as in QuantizedDTypePolicy.
    """

    _family = "gptq"
    parts = (("weight_bits", (2, 3, 4, 8)), ("group_size", None))


class AWQDTypePolicy(QuantizedDTypePolicy):
    """The types of a layer whose weights are quantized by AWQ.

    Args:
        mode: "awq/4/<group_size>"; -1 for one group a column.
        source_name: as in QuantizedDTypePolicy.
    """

    _family = "awq"
    parts = (("weight_bits", (4,)), ("group_size", None))


class DTypePolicyMap(DTypePolicy, MutableMapping):
    """Policies by the paths of layers: a key is a whole path, or a regular expression that fits a whole path.

    Args:
        default_policy: for layers that no key fits; the one that is set by default.
        policy_map: dictionary from keys to policies or their names.

    >>> policies = DTypePolicyMap("float32", {".*/logits": "float32", ".*/dense.*": "mixed_bfloat16"})
    >>> policies["model/dense_1"]
    <DTypePolicy "mixed_bfloat16">
    """

    def __init__(self, default_policy=None, policy_map=None):
        if isinstance(default_policy, DTypePolicyMap):
            raise ValueError("DTypePolicyMap: default_policy must be a single policy; got a DTypePolicyMap.")
        if policy_map is not None and not isinstance(policy_map, dict):
            raise TypeError(f"DTypePolicyMap: policy_map must be a dictionary from paths to policies, or None; got {policy_map!r}.")
        self._given, self._policies = default_policy, {}
        self._default_policy = get(default_policy)
        for key, policy in (policy_map or {}).items():
            self[key] = policy

    default_policy = property(lambda self: self._default_policy, doc="The policy of layers that no key fits.")
    name = property(lambda self: f"map_{self.default_policy.name}", doc="`map_` and the default policy's name.")
    compute_dtype = property(lambda self: self.default_policy.compute_dtype, doc="The default policy's.")
    variable_dtype = property(lambda self: self.default_policy.variable_dtype, doc="The default policy's.")
    quantization_mode = property(lambda self: self.default_policy.quantization_mode, doc="The default policy's.")

    def _of(self, path):
        return self.default_policy if path is None else self[path]

    def __getitem__(self, key):
        if key in self._policies:
            return self._policies[key]
        fitting = [pattern for pattern in self._policies if re.fullmatch(pattern, key)]
        if len(fitting) > 1:
            raise ValueError(f"DTypePolicyMap: the keys {', '.join(map(repr, fitting))} all fit the path {key!r}. Let one key fit each path.")
        return self._policies[fitting[0]] if fitting else self.default_policy

    def __setitem__(self, key, policy):
        if not isinstance(key, str):
            raise ValueError(f"DTypePolicyMap: a key must be a path or a regular expression; got {key!r} ({type(key).__name__}).")
        if key in self._policies:
            raise ValueError(f"DTypePolicyMap: the key {key!r} is there already. Delete it first, or change it.")
        try:
            re.compile(key)
        except re.error as error:
            raise ValueError(f"DTypePolicyMap: the key {key!r} is no regular expression: {error}.") from None
        self._policies[key] = get(policy)

    def __delitem__(self, key):
        del self._policies[key]

    def __contains__(self, key):
        return key in self._policies

    def __len__(self):
        return len(self._policies)

    def __iter__(self):
        return iter(self._policies)

    def __hash__(self):
        return hash((self.name, *self._policies))

    def __repr__(self):
        return f"<DTypePolicyMap default_policy={self.default_policy.name}, mapping={[(key, policy.name) for key, policy in self._policies.items()]}>"

    def get_config(self):
        return {"default_policy": None if self._given is None else self.default_policy.name, "policy_map": {k: serialize(p) for k, p in self._policies.items()}}

    @classmethod
    def from_config(cls, config):
        """A map from what `get_config` gave."""
        return cls(get(config["default_policy"]) if config.get("default_policy") is not None else None, config.get("policy_map"))


serialization.own(DTypePolicy, "keras", "dtype_policies")
serialization.own(FloatDTypePolicy, "keras", "dtype_policies")
for _class in (QuantizedDTypePolicy, QuantizedFloat8DTypePolicy, Int4DTypePolicy, GPTQDTypePolicy, AWQDTypePolicy, DTypePolicyMap):
    serialization.own(_class, "keras.dtype_policies", "dtype_policies")


def _types(who, name):
    """The types for computing and for weights that a name stands for."""
    if not isinstance(name, str):
        raise TypeError(f"{who}: wanted the name of a type, such as 'mixed_float16'; got {name!r} ({type(name).__name__}).")
    if name not in MIXED and name not in dtypes.ALL:
        known = (*MIXED, *dtypes.ALL)
        raise ValueError(f"{who}: wanted the name of a type, mixed_float16 or mixed_bfloat16; got {name!r}.{suggestion(name, known)}")
    return MIXED.get(name, name), "float32" if name in MIXED else name


def dtype_policy():
    """The policy that layers get when they name none."""
    return settings.get("dtype_policy") or DTypePolicy(settings.floatx())


def set_dtype_policy(policy):
    """Set the policy that layers get when they name none.

    Args:
        policy: a name or a DTypePolicy.

    Raises:
        ValueError: something else.
    """
    if not isinstance(policy, (str, DTypePolicy)):
        raise ValueError(f"set_dtype_policy: wanted the name of a policy, such as 'mixed_float16', or a DTypePolicy; got {policy!r}.")
    settings.put("dtype_policy", get(policy))


def get(identifier):
    """A DTypePolicy from a name, a type, a config or a policy; None gives the one that is set.

    Raises:
        ValueError: nothing that a policy is made from.
    """
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        found = deserialize(identifier)
        if not isinstance(found, DTypePolicy):
            raise ValueError(f"Wanted the config of a policy; got {identifier!r}.")
        return found
    if isinstance(identifier, str) and "_from_" in identifier:
        mode, source = identifier.split("_from_", 1)
        family, slash, _ = mode.partition("/")
        special = {"float8": QuantizedFloat8DTypePolicy, "gptq": GPTQDTypePolicy, "awq": AWQDTypePolicy, "int4": Int4DTypePolicy}
        return (special.get(family, QuantizedDTypePolicy) if slash or family == "float8" else QuantizedDTypePolicy)(mode, source)
    return DTypePolicy(identifier if identifier in MIXED else dtypes.standardize(identifier))


def computed_in(thing, dtype):
    """The type that a loss or a metric computes in, from its argument; `floatx` by default.

    Raises:
        ValueError: no type; the message names the class.
    """
    try:
        return get(settings.floatx() if dtype is None else dtype).compute_dtype
    except (ValueError, TypeError) as error:
        raise ValueError(f"{type(thing).__name__}: {error}") from None


def serialize(dtype_policy):
    """The config of a policy, as files hold it."""
    return serialization.serialize_keras_object(dtype_policy)


def deserialize(config, custom_objects=None):
    """The policy that `config` describes; `custom_objects` maps names to classes of yours."""
    return serialization.deserialize_keras_object(config, custom_objects=custom_objects, kind="dtype_policies")
