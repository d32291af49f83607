"""In which type a layer keeps its weights and in which it computes."""

from cornu import dtypes, serialization, settings


class DTypePolicy:
    """The types of a layer.

    Args:
        name: a float type such as `"float32"` (weights and computing alike), or `"mixed_float16"`, `"mixed_bfloat16"` (weights in float32).
    """

    def __init__(self, name=None):
        self._name = name or settings.floatx()
        mixed = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}
        if not isinstance(self._name, str) or (self._name not in mixed and self._name not in dtypes.ALL):
            raise ValueError(f"DTypePolicy: wanted the name of a type, mixed_float16 or mixed_bfloat16; got {name!r}.")
        self._compute_dtype = mixed.get(self._name, self._name)
        self._variable_dtype = "float32" if self._name in mixed else self._name

    name = property(lambda self: self._name)
    compute_dtype = property(lambda self: self._compute_dtype, doc="The type that the layer computes in.")
    variable_dtype = property(lambda self: self._variable_dtype, doc="The type that the layer's weights have.")
    quantization_mode = None

    def get_config(self):
        return {"name": self.name}

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    def __eq__(self, other):
        return type(self) is type(other) and self.name == other.name

    def __hash__(self):
        return hash(self.name)

    def __repr__(self):
        return f'<DTypePolicy "{self.name}">'


FloatDTypePolicy = DTypePolicy
serialization.own(DTypePolicy, "keras", "dtype_policies")
serialization.alias("dtype_policies", "FloatDTypePolicy", DTypePolicy)

_global = [None]


def dtype_policy():
    """The policy that layers get when they name none."""
    return _global[0] or DTypePolicy(settings.floatx())


def set_dtype_policy(policy):
    """Set the policy that layers get when they name none: a name or a DTypePolicy."""
    _global[0] = get(policy)


def get(identifier):
    """A DTypePolicy from a name, a type, a config or a policy; None gives the one that is set."""
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return serialization.deserialize_keras_object(identifier, kind="dtype_policies")
    if isinstance(identifier, str) and identifier.startswith("mixed_"):
        return DTypePolicy(identifier)
    return DTypePolicy(dtypes.standardize(identifier))
