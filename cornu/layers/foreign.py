"""Functions of JAX, modules of Flax and of PyTorch, as layers. Each computes on the backend of its own library alone."""

import inspect
from collections.abc import Mapping

import numpy as np

from cornu import backends, random, serialization, shapes, tree
from cornu.layers import keeper
from cornu.layers.layer import Layer

_CALL = ("params", "state", "rng", "inputs", "training")
_INIT = ("rng", "inputs", "training")


class JaxLayer(Layer):
    """A function of JAX as a layer; it needs the JAX backend.

    Args:
        call_fn: function whose arguments are some of `params`, `state`, `rng`, `inputs`, `training`, by these names, `inputs` at least. It returns
            the outputs, or (outputs, new state) where it takes `state`.
        init_fn: function of some of `rng`, `inputs`, `training` that gives the first params, the first state, or (params, state), as `call_fn` takes
            them; called once, with zeros in the shape of the inputs.
        params: nested dicts, lists and tuples of arrays to train, in place of those of `init_fn`.
        state: nested arrays that calls replace and training leaves alone, in place of that of `init_fn`.
        seed: whole number, for `rng`; random by default.
        native_serialization_platforms: accepted; it matters for files of TensorFlow.

    Shapes:
        as the function says

    Raises:
        ValueError: arguments of other names, nothing to begin with, or another backend.

    The functions are saved by name: register them with `cornu.saving.register_keras_serializable`.

    >>> import jax.numpy as jnp
    >>> def scaled(params, inputs):
    ...     return jnp.tanh(inputs) * params["scale"]
    >>> layer = JaxLayer(scaled, params={"scale": jnp.ones(())})
    >>> layer([[0.0, 1.0]])
    Array([[0.       , 0.7615942]], dtype=float32)
    """

    call_fn: object
    init_fn: object = None
    params: object = None
    state: object = None
    seed: object = None
    native_serialization_platforms: object = None

    def setup(self):
        if not callable(self.call_fn):
            raise TypeError(f"{self._label()}: call_fn must be a function; got {type(self.call_fn).__name__}.")
        if self.init_fn is not None and not callable(self.init_fn):
            raise TypeError(f"{self._label()}: init_fn must be a function or None; got {type(self.init_fn).__name__}.")
        self._taken = self._arguments("call_fn", self.call_fn, _CALL)
        if "inputs" not in self._taken:
            raise ValueError(f"{self._label()}: call_fn must have an argument `inputs`; it has {', '.join(self._taken) or 'none'}.")
        if self.init_fn is not None:
            self._arguments("init_fn", self.init_fn, _INIT)
        elif any(name in self._taken for name in ("params", "state")) and self.params is None and self.state is None:
            raise ValueError(f"{self._label()}: call_fn takes params or state, so one of init_fn, params and state must be given.")
        self._given = self.params, self.state
        self.params = self.state = None
        self.seed_generator = random.SeedGenerator(self.seed) if "rng" in self._taken else None

    def _arguments(self, what, function, known):
        names = [p.name for p in inspect.signature(function).parameters.values() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
        strange = [name for name in names if name not in known]
        if strange:
            raise ValueError(f"{self._label()}: {what} has the argument {strange[0]!r}; it may have {', '.join(known)}.")
        return names

    def _key(self, words):
        make = getattr(backends.load(), "jax_key", None)
        if make is None:
            raise ValueError(f"{self._label()}: functions of JAX run on the JAX backend alone, and this is {backends.name()}. Set KERAS_BACKEND=jax.")
        return make(words)

    def build(self, input_shape):
        params, state = self._given
        seed = np.random.randint(2**31) if self.seed is None else self.seed
        key = self._key([0, random.draw_seed(seed).tolist()[0] if hasattr(seed, "next") else int(seed)])
        wants = {name: given is None and name in self._taken for name, given in (("params", params), ("state", state))}
        if any(wants.values()) and self.init_fn is not None:
            zeros = tree.map_shape_structure(lambda shape: backends.array(np.zeros([1 if n is None else n for n in shape], self.compute_dtype)), input_shape)
            offered = {"rng": key, "inputs": zeros, "training": True}
            made = self.init_fn(**{name: offered[name] for name in self._arguments("init_fn", self.init_fn, _INIT)})
            both = "params" in self._taken and "state" in self._taken
            if both and not (isinstance(made, tuple) and len(made) == 2):
                raise ValueError(f"{self._label()}: init_fn must give (params, state), as call_fn takes both; got {type(made).__name__}.")
            first, second = made if both else (made, made)
            params, state = (first if wants["params"] else params), (second if wants["state"] else state)
        self.params = self._variables_for(params, True)
        self.state = self._variables_for(state, False)

    def _variables_for(self, values, trainable):
        """The structure `values` with a variable for each array, made in the order of JAX's own trees: keys sorted."""
        if isinstance(values, Mapping):
            return {key: self._variables_for(values[key], trainable) for key in sorted(values)}
        if isinstance(values, (list, tuple)):
            items = [self._variables_for(item, trainable) for item in values]
            return type(values)(*items) if hasattr(values, "_fields") else type(values)(items)
        if values is None:
            return None
        value = np.asarray(backends.numpy(values))
        dtype = "float32" if isinstance(values, float) else value.dtype.name
        is_float = value.dtype.kind not in "iub"
        return self.add_weight(value.shape, lambda shape, dtype: value.astype(dtype), dtype=dtype, trainable=trainable and is_float)

    def call(self, inputs, training=False):
        key = self._key([0, 0]) if self.seed_generator is None else self._key(self.seed_generator.next())
        read = lambda variables: tree.map_structure(lambda v: None if v is None else v.value, variables)
        offered = {"params": read(self.params), "state": read(self.state), "rng": key, "inputs": inputs, "training": bool(training)}
        outputs = self.call_fn(**{name: offered[name] for name in self._taken})
        if "state" not in self._taken:
            return outputs
        if not (isinstance(outputs, tuple) and len(outputs) == 2):
            raise ValueError(f"{self._label()}: call_fn takes state, so it must give (outputs, new state); got {type(outputs).__name__}.")
        outputs, state = outputs
        self._put(self.state, state)
        return outputs

    def _put(self, variables, values):
        if isinstance(variables, Mapping):
            for key, variable in variables.items():
                self._put(variable, values[key])
        elif isinstance(variables, (list, tuple)):
            for variable, value in zip(variables, values):
                self._put(variable, value)
        elif variables is not None:
            variables.assign(values)

    def get_config(self):
        config = super().get_config()
        for name in ("params", "state", "seed"):
            config.pop(name)
        return {**config, **{name: serialization.serialize_keras_object(config[name]) for name in ("call_fn", "init_fn")}}

    @classmethod
    def from_config(cls, config):
        return cls(**{k: serialization.deserialize_keras_object(v) if isinstance(v, dict) and k != "dtype" else v for k, v in config.items()})


class FlaxLayer(JaxLayer):
    """A module of Flax (`flax.linen`) as a layer; it needs the JAX backend and the package flax.

    Args:
        module: the module.
        method: function `(module, inputs)` or `(module, inputs, training)` to call in place of the module's `__call__`; or its name.
        variables: dictionary of collections to begin with, as `module.init` gives; by default they are made when the layer is built.

    Shapes:
        as the module says

    Raises:
        ValueError: another backend, or something that is no module of Flax.

    The collection "params" is trained; all others are state. Random numbers come as the streams "dropout" and "params".
    """

    module: object
    method: object = None
    variables: object = None
    _left_out = frozenset(("call_fn", "init_fn", "params", "state"))
    _keyword_only = JaxLayer._keyword_only | {"seed", "native_serialization_platforms"}

    def setup(self):
        if not (hasattr(self.module, "apply") and hasattr(self.module, "init")):
            raise TypeError(f"{self._label()}: module must be a module of flax.linen; got {type(self.module).__name__}.")
        function = getattr(type(self.module), self.method) if isinstance(self.method, str) else self.method or type(self.module).__call__
        self._trains = "training" in inspect.signature(function).parameters
        self.call_fn, self.init_fn = self._apply, self._init
        variables = self.__dict__.pop("_given_variables", None)
        self.params = self.state = None
        if variables is not None:
            self.params, self.state = variables.get("params", {}), {name: value for name, value in variables.items() if name != "params"}
        super().setup()

    def __setattr__(self, name, value):
        super().__setattr__("_given_variables" if name == "variables" else name, value)

    def _options(self, training):
        return {"method": self.method, **({"training": training} if self._trains else {})}

    def _init(self, rng, inputs, training):
        made = dict(self.module.init({"params": rng, "dropout": rng}, inputs, **self._options(training)))
        return made.pop("params", {}), made

    def _apply(self, params, state, rng, inputs, training):
        outputs, state = self.module.apply(
            {"params": params, **state}, inputs, rngs={"params": rng, "dropout": rng}, mutable=list(state) if training else [], **self._options(training)
        )
        return outputs, dict(state)

    def _put(self, variables, values):
        if variables is self.state:  # what the module left as it is does not come back
            variables = {name: variables[name] for name in values}
        super()._put(variables, values)

    def get_config(self):
        raise ValueError(f"{self._label()} holds a module of Flax, which cannot be written to a file: make the model in code and load its weights.")


class TorchModuleWrapper(Layer):
    """A module of PyTorch as a layer; it computes on the torch backend alone.

    Args:
        module: the `torch.nn.Module`.
        name: unique within a model; made from the class when None.
        output_shape: accepted; the shape is found by running the module on shapes.

    Shapes:
        as the module says

    Raises:
        TypeError: something that is no module.
        ValueError: another backend, when it is called.

    The module's parameters and buffers are the layer's weights, under their names; PyTorch's own optimizers can train them too. A module that is set
    as an attribute of a layer, or added to a Sequential, is wrapped by itself.
    """

    module: object
    name: str | None = None
    output_shape: object = None
    _keyword_only = Layer._keyword_only - {"name"}

    def setup(self):
        if not (callable(self.module) and hasattr(self.module, "named_parameters") and hasattr(self.module, "state_dict")):
            raise TypeError(f"{self._label()}: module must be a torch.nn.Module; got {type(self.module).__name__}.")

    def parameters(self, recurse=True):
        """The module's own parameters, as PyTorch lists them; their values are those that the module was given with."""
        return self.module.parameters(recurse=recurse)

    def _engine(self):
        backend = backends.load()
        if not hasattr(backend, "call_module"):
            raise ValueError(
                f"{self._label()}: modules of PyTorch run on the torch backend alone, and this is {backends.name()}. Set KERAS_BACKEND=torch before the start."
            )
        return backend

    def build(self, *args, **kwargs):
        self._parts = {}
        for name, value, trainable in self._engine().module_arrays(self.module):
            first = lambda shape, dtype, value=value: value
            name_of_weight, kind = name.replace(".", "_"), backends.kind(value)
            self._parts[name] = self.add_weight(tuple(value.shape), first, dtype=kind, trainable=trainable, autocast=False, name=name_of_weight)

    def call(self, inputs, training=None, **kwargs):
        if any(type(leaf) is shapes.Spec for leaf in tree.flatten((inputs, kwargs))):
            raise shapes.NeedsEngine("A module of PyTorch was given a Spec.")
        values = {name: variable.value for name, variable in self._parts.items()}
        outputs, changed = self._engine().call_module(self.module, values, (inputs,), kwargs, bool(training))
        for name, value in changed.items():
            self._parts[name].assign(value)
        return outputs

    def get_config(self):
        raise ValueError(f"{self._label()} holds a module of PyTorch, which cannot be written to a file: make the model in code and load its weights.")


def wrapped(value):
    """A module of PyTorch as a layer, on its backend; anything else as it is."""
    is_module = getattr(backends.protocol.backend, "is_module", None)
    return TorchModuleWrapper(value) if is_module is not None and is_module(value) else value


keeper.adopt = wrapped
