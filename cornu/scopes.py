"""What holds inside a `with`: names on the way, values of variables in a pure call, where symbols are made."""

import collections
import re
import threading

_local = threading.local()


def _stack(kind):
    stacks = _local.__dict__
    if kind not in stacks:
        stacks[kind] = []
    return stacks[kind]


class Scope:
    """Something that holds for the current thread inside a `with`; the innermost of a kind counts."""

    kind = None

    def __enter__(self):
        _stack(self.kind or type(self).__name__).append(self)
        return self

    def __exit__(self, *_):
        _stack(self.kind or type(self).__name__).pop()


def innermost(kind):
    """The innermost open scope of `kind` (a class name), or None."""
    stack = _local.__dict__.get(kind)
    return stack[-1] if stack else None


def open_scopes(kind):
    return tuple(_local.__dict__.get(kind, ()))


class StatelessScope(Scope):
    """Inside, variables read and assign values kept here; the variables themselves stay as they are.

    Args:
        state_mapping: pairs (variable, value) to begin with.
        collect_losses: whether `add_loss` puts its losses here.
        initialize_variables: whether variables made inside get their values at once.
    """

    kind = "StatelessScope"

    def __init__(self, state_mapping=None, collect_losses=False, initialize_variables=True):
        self.state_mapping = {}
        self.collect_losses = collect_losses
        self.initialize_variables = initialize_variables
        self.losses = []
        for variable, value in state_mapping or ():
            self.state_mapping[id(variable)] = variable._checked(value)

    def add_loss(self, loss):
        self.losses.append(loss)

    def add_update(self, update):
        variable, value = update
        self.state_mapping[id(variable)] = value

    def get_current_value(self, variable):
        """The value of `variable` in this scope, or None where it has none."""
        return self.state_mapping.get(id(variable))


class StepScope(StatelessScope):
    """A stateless scope inside which outer stateless scopes still count, and which knows what was changed.

    Args:
        pairs: (variable, value) to begin with.
    """

    def __init__(self, pairs=()):
        super().__init__(collect_losses=True)
        outer = innermost("StatelessScope")
        if outer is not None:
            self.state_mapping.update(outer.state_mapping)
        self.state_mapping.update((id(variable), value) for variable, value in pairs)
        self.changed = {}  # id -> variable

    def add_update(self, update):
        variable, value = update
        self.state_mapping[id(variable)] = value
        self.changed[id(variable)] = variable

    def values(self, variables):
        return [self.state_mapping[id(variable)] for variable in variables]


class RematScope(Scope):
    """Layers made inside keep fewer values for the gradient in training, and compute them again instead: less memory, more time.

    Args:
        mode: which layers: "full", all; "activations", those that have an activation; "larger_than", those whose output has more than
            `output_size_threshold` numbers; "list_of_layers", those in `layer_names`; None, no layer.
        output_size_threshold: numbers in a batch of outputs, at least 0.
        layer_names: names of layers.

    A layer inside another that computes again is part of it. Models compute again by their layers, unless `layer_names` has them.

    Raises:
        ValueError: an unknown mode.

    >>> with RematScope("full"):
    ...     block = keras.layers.Dense(64, activation="gelu")
    """

    MODES = ("full", "activations", "larger_than", "list_of_layers", None)

    def __init__(self, mode="full", output_size_threshold=1024, layer_names=None):
        if mode not in self.MODES:
            raise ValueError(f"RematScope: mode must be one of {', '.join(map(repr, self.MODES))}; got {mode!r}.")
        if not hasattr(output_size_threshold, "__index__") or output_size_threshold < 0:
            raise ValueError(f"RematScope: output_size_threshold must be an integer of at least 0; got {output_size_threshold!r}.")
        if isinstance(layer_names, str) or not all(isinstance(name, str) for name in layer_names or ()):
            raise ValueError(f"RematScope: layer_names must be a list of names of layers; got {layer_names!r}.")
        self.mode, self.output_size_threshold, self.layer_names = mode, output_size_threshold, list(layer_names or ())


def in_stateless_scope():
    return innermost("StatelessScope") is not None


class SymbolicScope(Scope):
    """Inside, ops on specs are being inferred: nothing has values."""

    kind = "SymbolicScope"


class outside(Scope):
    """Inside, no scope of `kind` is open."""

    def __init__(self, kind):
        self.kind = kind

    def __enter__(self):
        self.held = open_scopes(self.kind)
        _stack(self.kind).clear()
        return self

    def __exit__(self, *_):
        _stack(self.kind)[:] = self.held


class name_scope(Scope):
    """Names made inside begin with `name/`.

    Args:
        name: without a slash.
        caller: the object whose names these are; entering again for the same one adds nothing.
        deduplicate: whether entering for the same caller again adds nothing.
    """

    kind = "name_scope"

    def __init__(self, name, caller=None, deduplicate=True, override_parent=None):
        if not isinstance(name, str) or "/" in name:
            raise ValueError(f"name_scope: wanted a name without '/'; got {name!r}.")
        self.name, self.caller, self.deduplicate, self.override_parent = name, caller, deduplicate, override_parent

    def __enter__(self):
        outer = innermost("name_scope")
        self.adds = not (self.deduplicate and self.caller is not None and outer is not None and outer.caller is self.caller)
        if self.adds:
            _stack("name_scope").append(self)
        return self

    def __exit__(self, *_):
        if self.adds:
            _stack("name_scope").pop()


def current_path():
    """The names of the open name scopes, joined by '/'."""
    parts = []
    for scope in open_scopes("name_scope"):
        if scope.override_parent is not None:
            parts = [scope.override_parent] if scope.override_parent else []
        parts.append(scope.name)
    return "/".join(parts)


_counts = collections.Counter()


def to_snake_case(name):
    """`"BatchNormalization"` -> `"batch_normalization"`, `"LSTM"` -> `"lstm"`, `"Conv2D"` -> `"conv2d"`."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def auto_name(prefix):
    """A name not given before: `dense`, `dense_1`, ..."""
    prefix = to_snake_case(prefix)
    number = _counts[prefix]
    _counts[prefix] += 1
    return f"{prefix}_{number}" if number else prefix


def get_uid(prefix=""):
    """How often `get_uid` was asked for `prefix`, this time included."""
    _counts[("uid", prefix)] += 1
    return _counts[("uid", prefix)]


def reset_names():
    _counts.clear()
