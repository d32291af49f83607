"""The base of all layers: weights, building on first use, calling on values, specs and symbolic tensors."""

import contextlib
import functools
import inspect
import warnings
from typing import TYPE_CHECKING

from cornu import (
    activations,
    backends,
    constraints,
    dtype_policies,
    dtypes,
    fields,
    initializers,
    masks,
    regularizers,
    scopes,
    serialization,
    settings,
    shapes,
    tree,
)
from cornu.backends import protocol
from cornu.fields import Configured, Regularizer
from cornu.layers import again
from cornu.layers.input_spec import InputSpec, assert_compatible
from cornu.layers.keeper import Keeper
from cornu.shapes import Spec
from cornu.symbolic import KerasTensor, Node, Operation, any_symbolic, infer, to_specs, to_symbols
from cornu.traceback import user_lines
from cornu.variable import AutocastScope

assert activations and initializers and constraints and regularizers  # they teach `fields` how to convert


def inner_layer(config):
    """The layer of a config inside of another layer's: it is built by that one, so that its path begins there."""
    return serialization.deserialize_keras_object({key: value for key, value in config.items() if key != "build_config"})


fields.converter("object", lambda value: inner_layer(value) if isinstance(value, dict) else value, serialization.serialize_keras_object)


class CallScope(scopes.Scope):
    """What holds during the call of an outermost layer and all that it calls."""

    kind = "CallScope"

    def __init__(self, training):
        self.training = training


class Layer(Keeper, Configured, Operation, kw_only=True):
    """A function with weights.

    A subclass declares its arguments (or writes `__init__`), makes weights in `build(input_shape)` by `add_weight`, and computes in `call`.

    Args:
        activity_regularizer: penalty on the outputs, added to the loss.
        trainable: whether training changes the weights.
        dtype: name of a type or DTypePolicy, for weights and computing.
        autocast: whether float inputs and weights are cast to the compute type.
        name: unique within a model; made from the class when None.
    """

    if not TYPE_CHECKING:  # many layers declare it among their own, and a type checker would keep this place for it
        activity_regularizer: Regularizer = None
    trainable: bool = True
    dtype: object = None
    autocast: bool = True
    name: str | None = None
    _keyword_only = frozenset(("activity_regularizer", "trainable", "dtype", "autocast", "name"))

    # -- construction ---------------------------------------------------------------------------------------------------------------

    def __new__(cls, *args, **kwargs):
        self = super().__new__(cls)
        _prepare(self)
        return self

    def _convert(self, name, annotation, value):
        if name == "dtype":
            try:
                return dtype_policies.get(value)
            except (TypeError, ValueError) as error:
                raise type(error)(f"{type(self).__name__}, dtype: {error}") from None
        if name == "name" and value is None:
            return scopes.auto_name(type(self).__name__)
        if name == "name" and (not isinstance(value, str) or "/" in value):
            raise ValueError(f"{type(self).__name__}: name must be a text without '/'; got {value!r}.")
        if name == "data_format" and value is not None:
            try:
                return settings.standardize_data_format(value)
            except ValueError as error:
                raise ValueError(f"{type(self).__name__}, {error}") from None
        if name == "seed" and not (value is None or hasattr(value, "next") or isinstance(value, dict) or (hasattr(value, "__index__") and value >= 0)):
            raise ValueError(f"{type(self).__name__}: seed must be a whole number of at least 0, a SeedGenerator or None; got {value!r}.")
        return super()._convert(name, annotation, value)

    def __init_subclass__(cls, abstract=False, marks_built=False, **kwargs):
        own = inspect.get_annotations(cls)
        if "activity_regularizer" in own:  # among a layer's own arguments it has its place there
            cls._keyword_only = cls._keyword_only - {"activity_regularizer"}
        super().__init_subclass__(**kwargs)
        for name in {"weights", "variables"} & own.keys():  # an argument and a property: what is declared is the argument
            delattr(cls, name)
        if "call" in cls.__dict__:
            _describe_call(cls)
        if "build" in cls.__dict__ and not marks_built:  # `marks_built`: its own `build` says when the layer is built
            cls.build = _marking_built(cls.build)
        if cls.__module__.startswith("cornu.layers.") and not abstract:
            serialization.own(cls, "keras.layers")

    def _take(self, kwargs):
        """`input_shape` and its kin are kept for Sequential, `weights` until the layer is built."""
        shape = _input_shape_of(kwargs)
        if shape is not None:
            self._batch_input_shape = shape
        if "weights" in kwargs:
            self._initial_weights = kwargs.pop("weights")
        return kwargs

    # -- types ----------------------------------------------------------------------------------------------------------------------

    compute_dtype = property(lambda self: self.dtype_policy._of(self.path).compute_dtype)
    variable_dtype = property(lambda self: self.dtype_policy._of(self.path).variable_dtype)
    input_dtype = compute_dtype
    quantization_mode = property(lambda self: self.dtype_policy._of(self.path).quantization_mode)

    # -- building -------------------------------------------------------------------------------------------------------------------

    def build(self, input_shape):
        """Make the weights for an input of that shape (None where a size is not known)."""
        self.built = True

    def get_build_config(self):
        shape = self.__dict__.get("_build_shapes")
        if not shape:
            return None
        return {"input_shape": next(iter(shape.values()))} if len(shape) == 1 else {"shapes_dict": shape}

    def build_from_config(self, config):
        shape = config.get("input_shape")
        if config.get("shapes_dict"):
            self._run_build({k: _as_shape(v) for k, v in config["shapes_dict"].items()})
        elif shape is not None:
            self._run_build({"input_shape": _as_shape(shape)})

    def _open_name_scope(self):
        if not self.built and self.__dict__.get("_path") is None:
            outer = scopes.current_path()
            open_scope = scopes.innermost("name_scope")
            inside = open_scope is not None and open_scope.caller is self
            object.__setattr__(self, "_path", outer if inside else f"{outer}/{self.name}" if outer else self.name)
        return scopes.name_scope(self.name, caller=self)

    @property
    def path(self):
        """The names of the layers around it and its own, joined by '/'; None before it is built."""
        return self.__dict__.get("_path")

    def _run_build(self, shape_arguments, build=None):
        """Build once, by `build()` or else with `shape_arguments` (name -> shape) as the layer's own `build` wants them."""
        if self.built:
            return
        object.__setattr__(self, "_build_shapes", shape_arguments)
        with self._open_name_scope(), contextlib.ExitStack() as stack:
            stack.callback(lambda: self.built or object.__setattr__(self, "_build_shapes", None))  # where it fails
            if scopes.innermost("AutocastScope") is not None:
                stack.enter_context(AutocastScope(None))
            parameters = _positional(type(self).build)
            if build is not None:
                build()
            elif type(self).build is Layer.build:
                pass
            elif len(parameters) <= 1 or set(parameters) - set(shape_arguments):
                self.build(next(iter(shape_arguments.values()), None))
            else:
                self.build(**{name: shape_arguments[name] for name in parameters})
            self.built = True
        self._after_build()

    def _after_build(self):
        initial = self.__dict__.pop("_initial_weights", None)
        if initial is not None:
            listed = isinstance(initial, (list, tuple)) and (len(self.weights) > 1 or len(initial) == 1)
            self.set_weights(initial if listed else [initial])
        if not self.trainable:
            for variable in self._own_variables:
                variable.trainable = False

    def _maybe_build(self, bound):
        if self.built:
            return
        named = {}
        for name, value in bound.items():
            if value is not None and not isinstance(value, (bool, int, float, str)) and _all_tensors(value):
                named[f"{name}_shape"] = tree.map_structure(lambda t: None if t is None else shapes.public(t.shape), value)
        parameters = _positional(type(self).build)
        if len(parameters) == 1 or not set(parameters) <= set(named):
            named = {"input_shape": next(iter(named.values()), None)}
        self._run_build(named)

    # -- calling --------------------------------------------------------------------------------------------------------------------

    @user_lines
    def __call__(self, *args, **kwargs):
        if not self.__dict__.get("_prepared"):
            raise RuntimeError(f"{type(self).__name__}: super().__init__() was not called in __init__.")
        symbolic = False
        if not self._fits(args, kwargs):
            symbolic = any_symbolic(args, kwargs)
            in_graph = None if symbolic else getattr(protocol.backend or backends.current(), "in_graph", None)
            if in_graph is not None and (found := in_graph(self, args, kwargs)) is not None:
                return found[0]
            if not symbolic:
                args, kwargs = self._to_tensors(args), self._to_tensors(kwargs)
        bound = self._bind(args, kwargs)
        if self.input_spec is not None:
            assert_compatible(self.input_spec, next(iter(bound.values()), None), self._label())
        if symbolic:
            return self._call_symbolic(args, kwargs, bound)
        return self._call_values(args, kwargs, bound)

    def _fits(self, args, kwargs):
        """Whether the arguments are tensors of the engine and plain values as `call` takes them: most calls within models."""
        compute = self.compute_dtype if self.autocast else None
        for x in (*args, *kwargs.values()) if kwargs else args:
            if type(x) in _PLAIN:
                continue
            if not isinstance(x, getattr(protocol.backend, "ARRAY", ())):
                return False
            dtype = backends.kind(x)
            if compute is not None and dtype != compute and dtypes.is_float(dtype) and dtypes.is_float(compute):
                return False
        return True

    def _bind(self, args, kwargs):
        """Arguments of `call` by name, in order."""
        names = self._call_names
        if len(args) > len(names):
            if not self._call_varargs:
                raise TypeError(f"{self._label()}: call takes {len(names)} positional arguments ({', '.join(names)}); got {len(args)}.")
        bound = dict(zip(names, args))
        for name, value in kwargs.items():
            if name not in names and not self._call_varkw and name not in ("training", "mask"):
                raise TypeError(f"{self._label()}: call has no argument {name!r}.{fields.suggestion(name, names)} Its arguments: {', '.join(names)}.")
            bound[name] = value
        return bound

    def _call_symbolic(self, args, kwargs, bound):
        specs_args, specs_kwargs = self._to_tensors(to_specs(args)), self._to_tensors(to_specs(kwargs))
        with scopes.SymbolicScope():
            outputs = infer(lambda *a: self._call_values(a, specs_kwargs, self._bind(a, specs_kwargs)), *specs_args)
        outputs = to_symbols(outputs)
        self._symbolic_masks(bound, outputs)
        Node(self, args, {k: v for k, v in kwargs.items() if v is not None}, outputs)
        return outputs

    def _symbolic_masks(self, bound, outputs):
        inputs = next(iter(bound.values()), None)
        previous = masks.get_masks(inputs)
        if self.supports_masking or type(self).compute_mask is not Layer.compute_mask:
            mask = self.compute_mask(inputs, previous)
            for x, m in zip(tree.flatten(outputs), tree.flatten(mask)):
                if m is not None and isinstance(x, KerasTensor):
                    masks.set_mask(x, m)

    def _call_values(self, args, kwargs, bound):
        scope = scopes.innermost("CallScope")
        training = bound.get("training")
        if training is None:
            training = scope.training if scope is not None else None
        if self._takes("training"):
            if training is None:
                training = self._call_defaults.get("training")
            if "training" not in self._call_names or self._call_names.index("training") >= len(args):
                kwargs = {**kwargs, "training": training}
            else:
                at = self._call_names.index("training")
                args = (*args[:at], training, *args[at + 1 :])
        else:
            kwargs = {k: v for k, v in kwargs.items() if k != "training"}
        inputs = next(iter(bound.values()), None)
        if masks._masks or "mask" in bound or any(name.endswith("_mask") for name in self._call_names):
            kwargs = self._with_masks(kwargs, bound, len(args))
        with _Named(self):
            self._maybe_build(bound)
            opened = [self._open_name_scope()]
            if scope is None or scope.training is not training:
                opened.append(CallScope(training))
            if scope is None and not scopes.in_stateless_scope():
                self._clear_losses()
            compute = self.compute_dtype if self.autocast else None
            outer = scopes.innermost("AutocastScope")
            if compute != self.variable_dtype or (outer is not None and outer.dtype != compute):
                opened.append(AutocastScope(compute))
            for one in opened:
                one.__enter__()
            try:
                outputs = self.call(*args, **kwargs) if self._remat is None else again.call(self, args, kwargs)
                if self.activity_regularizer is not None:
                    for output in tree.flatten(outputs):
                        if type(output) is not Spec:
                            self.add_loss(protocol.divide(self.activity_regularizer(output), float(output.shape[0])))
            finally:
                for one in reversed(opened):
                    one.__exit__(None, None, None)
        if not self.built:
            self.built = True
        if masks._masks or type(self).compute_mask is not Layer.compute_mask:
            self._pass_masks(inputs, outputs)
        return outputs

    def _with_masks(self, kwargs, bound, n_args):
        """`kwargs` with the masks that travel with the tensors, for the arguments of `call` that ask for them."""
        kwargs = dict(kwargs)
        if "mask" in kwargs and not self._takes("mask"):
            inputs = next(iter(bound.values()))
            for x, m in zip(tree.flatten(inputs), tree.flatten(kwargs.pop("mask"))):
                if m is not None:
                    masks.set_mask(x, m)
        for position, (name, value) in enumerate(list(bound.items())):
            wants = "mask" if position == 0 else f"{name}_mask"
            if position == 0 and "mask" not in self._call_names and f"{name}_mask" in self._call_names:
                wants = f"{name}_mask"
            if wants in self._call_names and bound.get(wants) is None and value is not None and self._call_names.index(wants) >= n_args and _all_tensors(value):
                found = masks.get_masks(value)
                if found is not None:
                    kwargs[wants] = found
        return kwargs

    def _pass_masks(self, inputs, outputs):
        previous = masks.get_masks(inputs) if inputs is not None else None
        if previous is None and type(self).compute_mask is Layer.compute_mask:
            return
        if previous is not None and not self.supports_masking and type(self).compute_mask is Layer.compute_mask:
            if "mask" not in self._call_names and not self.__dict__.get("_told_of_mask"):
                object.__setattr__(self, "_told_of_mask", True)
                warnings.warn(
                    f"{self._label()} got an input with a mask, which it does not use and does not pass on: padding counts as data from here.", stacklevel=4
                )
            return
        flat = tree.flatten(outputs)
        if flat and all(masks.get_mask(x) is not None for x in flat if x is not None):
            return
        mask = self.compute_mask(inputs, previous)
        if mask is None:
            return
        for x, m in zip(flat, tree.flatten(mask)):
            if m is not None and x is not None:
                masks.set_mask(x, m)

    def _to_tensors(self, structure):
        """Arrays, and floats in the compute type."""
        compute = self.compute_dtype if self.autocast else None

        def convert(x):
            if x is None or isinstance(x, (bool, str, bytes)) or callable(x):
                return x
            if isinstance(x, (int, float)):
                return x
            if not backends.is_tensor(x) and not hasattr(x, "_cornu_value"):
                if not (hasattr(x, "__array__") or hasattr(x, "__dlpack__")) or not hasattr(x, "dtype"):
                    return x
                if getattr(x.dtype, "kind", "f") in "OUSM":
                    return x
                x = backends.array(x)
            dtype = backends.kind(x)
            if compute is not None and dtype != compute and dtypes.is_float(dtype) and dtypes.is_float(compute):
                return Spec(x.shape, compute) if type(x) is Spec else backends.array(x, compute)
            return x._cornu_value() if hasattr(x, "_cornu_value") else x

        structure = tree.map_structure(lambda x: x, structure)
        converted = []
        for item in structure if not isinstance(structure, dict) else structure.values():
            if isinstance(item, (list, tuple)) and item and _numbers(item):
                item = backends.array(item)
            converted.append(tree.map_structure(convert, item))
        return dict(zip(structure, converted)) if isinstance(structure, dict) else tuple(converted)

    def call(self, *args, **kwargs):
        raise NotImplementedError(f"{self._label()}: the class {type(self).__name__} defines no `call(self, x)`.")

    def _takes(self, name):
        return name in self._call_names or (self._call_varkw and name == "training" and self._passes_training)

    def compute_output_spec(self, *args, **kwargs):
        """The Specs of the outputs for KerasTensors or Specs as inputs."""
        with scopes.SymbolicScope():
            args, kwargs = to_specs(args), to_specs(kwargs)
            return infer(lambda *a: self._call_values(a, kwargs, self._bind(a, kwargs)), *args)

    def compute_output_shape(self, *args, **kwargs):
        """The shape (or shapes) of the outputs for inputs of the given shape (or shapes)."""
        make = lambda shape: Spec(shape, self.compute_dtype)
        args = [None if a is None else tree.map_shape_structure(make, a) for a in args]
        names = {}
        for key, shape in kwargs.items():
            names[key.removesuffix("_shape") if key != "input_shape" else self._call_names[0]] = tree.map_shape_structure(make, shape)
        outputs = self.compute_output_spec(*args, **names)
        return tree.map_structure(lambda s: shapes.public(s.shape), outputs)

    def symbolic_call(self, *args, **kwargs):
        return self.__call__(*args, **kwargs)

    def compute_mask(self, inputs, previous_mask=None):
        """The mask of the outputs: that of the inputs, for a layer that supports masking."""
        return previous_mask if self.supports_masking else None

    def stateless_call(self, trainable_variables, non_trainable_variables, *args, return_losses=False, **kwargs):
        """`call` as a pure function of the variables' values.

        Returns:
            The outputs and the new values of the non-trainable variables; with `return_losses` the losses too.
        """
        if not self.built:
            raise ValueError(f"{self._label()}: build the layer before `stateless_call`: call it once or call `build`.")
        own = self.trainable_variables, self.non_trainable_variables
        for what, variables, values in zip(("trainable", "non-trainable"), own, (trainable_variables, non_trainable_variables)):
            if len(variables) != len(values):
                raise ValueError(f"{self._label()}.stateless_call: the layer has {len(variables)} {what} variables; got {len(values)} values.")
        pairs = [*zip(own[0], trainable_variables), *zip(own[1], non_trainable_variables)]
        with scopes.StatelessScope(pairs, collect_losses=return_losses) as scope:
            outputs = self(*args, **kwargs)
            losses = self.losses if return_losses else None
        values = [v if (v := scope.get_current_value(variable)) is not None else variable._raw() for variable in own[1]]
        return (outputs, values, losses) if return_losses else (outputs, values)

    # -- configs, files -------------------------------------------------------------------------------------------------------------

    def get_config(self):
        declared = Configured.get_config(self)
        declared["dtype"] = serialization.serialize_keras_object(self.dtype_policy)
        declared.pop("weights", None)
        if self.activity_regularizer is None and "activity_regularizer" not in _own_fields(type(self)):
            declared.pop("activity_regularizer")
        if self.autocast:
            declared.pop("autocast")
        arguments = self.__dict__.get("_init_arguments")
        if not arguments or not str(type(self).get_config.__module__).startswith("cornu.") or type(self).__module__.startswith("cornu."):
            return declared
        own = {k: v for k, v in arguments.items() if k not in Layer._fields}
        accepted = inspect.signature(type(self)).parameters
        if not any(p.kind is p.VAR_KEYWORD for p in accepted.values()):
            declared = {k: v for k, v in declared.items() if k in accepted}
        return {**declared, **own}

    @classmethod
    def from_config(cls, config):
        """A layer from what `get_config` gave."""
        return cls(**config)

    def _label(self):
        return f'{type(self).__name__} "{self.name}"'

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


# what every layer has, with what holds for a layer that says nothing of it
Layer.supports_masking, Layer.input_spec, Layer.dtype_policy = False, None, None  # pyright: ignore
# arguments that are computed too: as properties only now, so that their defaults above hold
Layer.trainable = property(Layer._get_trainable, Layer._set_trainable)  # pyright: ignore
Layer.dtype = property(lambda self: self.variable_dtype, doc="The type of the weights.")  # pyright: ignore


_PLAIN = frozenset((type(None), bool, int, float, str))


class _Named:
    """Inside, an error that an op or an engine raises is told with the innermost layer that called it."""

    __slots__ = ("layer",)

    def __init__(self, layer):
        self.layer = layer

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind in (ValueError, TypeError) and len(error.args) == 1 and not hasattr(error, "layer"):
            error.layer = self.layer._label()
            if error.layer not in str(error):
                error.args = (f"{error.layer}: {error}",)


def _prepare(self):
    """The state that every layer has before any `__init__` runs."""
    put = lambda name, value: object.__setattr__(self, name, value)
    put("_own_variables", [])
    put("_losses", [])
    put("_inbound_nodes", [])
    put("_trainable", True)
    put("built", False)
    put("autocast", True)
    put("activity_regularizer", None)
    put("supports_masking", False)
    put("input_spec", None)
    put("_prepared", False)
    put("_remat", scopes.innermost("RematScope"))


def _input_shape_of(kwargs):
    """The shape with its batch axis that `input_shape=` and its kin give, taken out of `kwargs`; None without one."""
    batch_size = kwargs.pop("batch_size", None) if ("input_shape" in kwargs or "input_dim" in kwargs) else None
    if "batch_input_shape" in kwargs:
        return tuple(kwargs.pop("batch_input_shape"))
    if "input_shape" in kwargs:
        shape = kwargs.pop("input_shape")
        return (batch_size, *(shape if isinstance(shape, (tuple, list)) else (shape,)))
    return None


def _own_fields(cls):
    return {name for c in cls.__mro__ if c is not Layer and issubclass(c, Layer) for name in inspect.get_annotations(c)}


def _numbers(item):
    while isinstance(item, (list, tuple)) and item:
        item = item[0]
    return isinstance(item, (int, float)) and not isinstance(item, bool)


def _all_tensors(value):
    leaves = [leaf for leaf in tree.flatten(value) if leaf is not None]
    return bool(leaves) and all(hasattr(leaf, "shape") for leaf in leaves)


def _as_shape(value):
    """A shape as tuples, from the lists of a file."""
    if isinstance(value, dict):
        return {k: _as_shape(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return tuple(_as_shape(v) for v in value) if any(isinstance(v, (int, type(None))) for v in value) or not value else [_as_shape(v) for v in value]
    return value


def _marking_built(build):
    """A class's `build` as a user may call it by herself: its weights have the layer's path, and the layer is built afterwards."""
    parameters = list(inspect.signature(build).parameters)[1:]

    @functools.wraps(build)
    def run(self, *args, **kwargs):
        if self.built or self.__dict__.get("_build_shapes") is not None:  # again, or within `_run_build`
            return build(self, *args, **kwargs)
        self._run_build({**dict(zip(parameters, args)), **kwargs}, functools.partial(build, self, *args, **kwargs))

    return run


def _positional(function):
    """Names of a method's parameters, without self and without defaults."""
    P = inspect.Parameter
    parameters = list(inspect.signature(function).parameters.values())[1:]
    return [p.name for p in parameters if p.kind in (P.POSITIONAL_ONLY, P.POSITIONAL_OR_KEYWORD) and p.default is P.empty]


def _describe_call(cls):
    """Keep with the class what its `call` takes."""
    P = inspect.Parameter
    parameters = list(inspect.signature(cls.call).parameters.values())[1:]
    named = [p for p in parameters if p.kind in (P.POSITIONAL_ONLY, P.POSITIONAL_OR_KEYWORD, P.KEYWORD_ONLY)]
    cls._call_names = [p.name for p in named]
    cls._call_defaults = {p.name: p.default for p in named if p.default is not P.empty}
    cls._call_varargs = any(p.kind is P.VAR_POSITIONAL for p in parameters)
    cls._call_varkw = any(p.kind is P.VAR_KEYWORD for p in parameters)
    cls._passes_training = False


_describe_call(Layer)
serialization.own(InputSpec, "keras.layers", "layers")
