"""Models: a graph of layers, or a subclass with its own `call`, that can be trained and saved."""

import json
from typing import Any

from cornu import backends, dtypes, masks, scopes, serialization, shapes, tree
from cornu.fields import suggestion
from cornu.layers.input_layer import InputLayer
from cornu.layers.layer import Layer
from cornu.models import operations
from cornu.saving import dispatch
from cornu.shapes import Spec
from cornu.symbolic import FunctionOperation, KerasTensor, any_symbolic, node_of, operations_by_depth, run_graph, sorted_nodes
from cornu.training.trainer import Trainer
from cornu.visualization.summary import print_summary


class Function:
    """The part of a graph between symbolic inputs and outputs, as something to call.

    Args:
        inputs, outputs: structures of KerasTensors.
        name: name in errors.
        exact: whether data must have the sizes of the symbolic inputs, or only as many axes.

    Raises:
        ValueError: an output depends on an input that is not given.
    """

    def __init__(self, inputs, outputs, name=None, exact=True):
        self.name, self.exact = name or scopes.auto_name("function"), exact
        self._inputs_struct, self._outputs_struct = inputs, outputs
        self.inputs, self.outputs = tree.flatten(inputs), tree.flatten(outputs)
        for what, tensors in (("inputs", self.inputs), ("outputs", self.outputs)):
            for tensor in tensors:
                if not isinstance(tensor, KerasTensor):
                    raise ValueError(
                        f"{self.name!r}: `{what}` must be symbolic tensors, as Input and layers called on it give; got {type(tensor).__name__}: {str(tensor)[:80]}"
                    )
        self.nodes = sorted_nodes(self.inputs, self.outputs)
        self.operations = operations_by_depth(self.inputs, self.outputs, self.nodes)

    @property
    def layers(self):
        return [operation for operation in self.operations if isinstance(operation, Layer)]

    def __call__(self, inputs):
        """The outputs for `inputs`, in the structure of the outputs that the function was made with."""
        values = self.match(inputs)
        if any_symbolic(values):
            return run_graph(self.nodes, self.inputs, values, self._outputs_struct)
        return run_graph(self.nodes, self.inputs, [self._fit(t, v) for t, v in zip(self.inputs, values)], self._outputs_struct)

    def match(self, inputs):
        """The values of `inputs` (one, a list, or a dictionary by name) in the order of the symbolic inputs.

        Raises:
            ValueError: another number of them, or a name that is missing.
        """
        if isinstance(inputs, dict) and not (isinstance(self._inputs_struct, dict) and set(self._inputs_struct) <= set(inputs)):
            names = [t.name for t in self.inputs]
            missing = [n for n in names if n not in inputs]
            if missing:
                raise ValueError(
                    f"{self.name!r}: the inputs are named {', '.join(map(repr, names))}; the data given has no {missing[0]!r}.{suggestion(missing[0], inputs)} It has {', '.join(map(repr, inputs))}."
                )
            return [inputs[n] for n in names]
        if isinstance(inputs, dict):
            return tree.flatten({k: inputs[k] for k in self._inputs_struct})
        values = tree.flatten(inputs)
        if len(values) != len(self.inputs):
            raise ValueError(f"{self.name!r}: wanted {len(self.inputs)} input(s) ({', '.join(t.name for t in self.inputs)}); got {len(values)}.")
        return values

    def _fit(self, tensor, value):
        """`value` as the symbolic input wants it: its type, and one axis of size 1 more or less at the end.

        Raises:
            ValueError: another shape.
        """
        if value is None:
            if tensor._keras_history.operation.optional:
                return None
            raise ValueError(f"{self.name!r}: the input {tensor.name!r} is None, and it is not optional.")
        wanted, mask = tensor.shape, masks.get_mask(value)
        got = tuple(value.shape)
        if len(got) == len(wanted) - 1 and wanted[-1] == 1 or len(got) == len(wanted) + 1 and got[-1] == 1:
            value = backends.protocol.reshape(value, (*got, 1)) if len(got) < len(wanted) else backends.protocol.reshape(value, got[:-1])
            got = tuple(value.shape)
        if len(got) != len(wanted) or self.exact and any(w is not None and g is not None and g is not shapes.UNKNOWN and w != g for w, g in zip(wanted, got)):
            advice = ""
            if len(got) == len(wanted) - 1:
                advice = " One sample needs a batch axis (x[None]); images need a channel axis (x[..., None])."
            elif sorted(str(s) for s in got[1:]) == sorted(str(s) for s in wanted[1:]):
                advice = " The axes are in another order: check the data format."
            elif len(got) > 2 and len(wanted) == 2:
                advice = " Reshape the data, or begin the model with Flatten()."
            raise ValueError(f"{self.name!r}: the input {tensor.name!r} wants the shape {wanted} (None: any size); got {shapes.public(got)}.{advice}")
        if backends.kind(value) != tensor.dtype and tensor.dtype != "string":
            value = Spec(value.shape, tensor.dtype) if type(value) is Spec else backends.array(value, tensor.dtype)
        if mask is not None:
            masks.set_mask(value, mask)
        return value


class Model(Trainer, Layer):
    """Layers that can be trained, evaluated and saved as one.

    Three ways: `Model(inputs, outputs)` with symbolic tensors; `Sequential([...])`; a subclass that makes layers in `__init__` and uses
    them in `call`.

    Args:
        inputs: what `Input` gave, one or a structure of them.
        outputs: what layers called on those gave.
        name: name of the model.
    """

    def __new__(cls, *args, **kwargs) -> Any:
        if cls is Model and _is_functional(args, kwargs):
            return Functional.__new__(Functional, *args, **kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, *args, **kwargs):
        if _is_functional(args, kwargs):
            _functional_init(self, *args, **kwargs)
        else:
            Layer.__init__(self, *args, **kwargs)
            Trainer.__init__(self)

    _function = None

    # -- the graph ------------------------------------------------------------------------------------------------------------------

    def call(self, inputs, training=None, mask=None):
        if self._function is None:
            raise NotImplementedError(
                f"{self._label()}: the class {type(self).__name__} defines no `call(self, inputs)`. Define it, or make the model of symbolic tensors: Model(inputs, outputs)."
            )
        if mask is not None:
            for x, m in zip(tree.flatten(inputs), tree.flatten(mask)):
                if m is not None:
                    masks.set_mask(x, m)
        return self._function(inputs)

    def compute_mask(self, inputs, previous_mask=None):
        return None if self._function is not None else super().compute_mask(inputs, previous_mask)

    @property
    def layers(self):
        """The layers right below the model, in the order of the graph or of the attributes."""
        return self._function.layers if self._function is not None else self._layers

    @layers.setter
    def layers(self, _):
        raise AttributeError(f"{self._label()}: `layers` is computed and cannot be set.")

    operations = property(lambda self: self._function.operations if self._function is not None else self._layers)
    inputs = property(lambda self: self._function.inputs if self._function is not None else self._no_graph("inputs"))
    outputs = property(lambda self: self._function.outputs if self._function is not None else self._no_graph("outputs"))
    input = property(lambda self: _one(self._function._inputs_struct) if self._function is not None else super().input)
    output = property(lambda self: _one(self._function._outputs_struct) if self._function is not None else super().output)
    input_names = property(lambda self: [t.name for t in self.inputs])

    @property
    def output_names(self):
        """Name of each output: that of the layer that makes it."""
        return [t._keras_history.operation.name for t in self.outputs]

    @property
    def input_shape(self):
        """The shape of the input, or a structure of shapes."""
        return tree.map_structure(lambda t: t.shape, _one(self._function._inputs_struct)) if self._function is not None else self._no_graph("input_shape")

    @property
    def output_shape(self):
        """The shape of the output, or a structure of shapes."""
        return tree.map_structure(lambda t: t.shape, _one(self._function._outputs_struct)) if self._function is not None else self._no_graph("output_shape")

    def _no_graph(self, what):
        raise AttributeError(
            f"{self._label()} is not a graph of symbolic tensors yet, so it has no `{what}`: give the input's shape, Input(shape=...), or call it on data."
        )

    def get_layer(self, name=None, index=None):
        """The layer of that name, or at that index.

        Raises:
            ValueError: there is none.
        """
        if (name is None) == (index is None):
            raise ValueError(f"{self._label()}.get_layer: give a name or an index, one of them.")
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError(f"{self._label()}.get_layer: there is no layer {index}; the model has {len(self.layers)} layers.")
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = [layer.name for layer in self.layers]
        raise ValueError(f"{self._label()}.get_layer: there is no layer {name!r}.{suggestion(name, names)} The layers are {', '.join(names)}.")

    def _children(self):
        own = super()._children()
        if self._function is None:
            return own
        layers = self._function.layers
        return [*layers, *(child for child in own if all(child is not layer for layer in layers))]

    # -- building -------------------------------------------------------------------------------------------------------------------

    def build(self, input_shape=None):
        """Make the weights of a subclassed model for inputs of `input_shape` (with the batch axis), by running `call` on it without values."""
        if self.built or self._function is not None:
            self.built = True
            return
        if input_shape is None:
            raise ValueError(f"{self._label()}.build: give the shape of the input, with None for the batch.")
        with scopes.SymbolicScope():
            specs = tree.map_shape_structure(lambda shape: Spec(shape, dtypes.standardize(None)), input_shape)
            self._call_values((specs,), {}, self._bind((specs,), {}))
        self._build_shapes = {"input_shape": input_shape}
        self.built = True

    def _maybe_build(self, bound):
        if type(self).build is not Model.build:
            super()._maybe_build(bound)
        elif not self.built and self._function is None:  # the layers build themselves when `call` comes to them
            first = next(iter(bound.values()), None)
            self._build_shapes = {"input_shape": tree.map_structure(lambda t: None if t is None else shapes.public(t.shape), first)}

    def build_from_config(self, config):
        shape = config.get("input_shape")
        if shape is not None and not self.built:
            shape = tuple(shape) if isinstance(shape, list) and all(s is None or isinstance(s, int) for s in shape) else shape
            self.build(shape)

    def summary(self, line_length=None, positions=None, print_fn=None, expand_nested=False, show_trainable=False, layer_range=None):
        """Print the layers with their output shapes, parameters and FLOPs.

        Args:
            line_length: width in characters.
            positions: where columns end, as fractions of the width.
            print_fn: function that gets the text; `print` by default.
            expand_nested: whether the layers of nested models are listed too.
            show_trainable: whether to show which layers are trained.
            layer_range: names of the first and the last layer to show.
        """
        print_summary(self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range)

    # -- configs --------------------------------------------------------------------------------------------------------------------

    def get_config(self):
        if self._function is not None and type(self).__init__ in (Model.__init__, Functional.__init__):
            return functional_config(self)
        return Layer.get_config(self)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """A model from what `get_config` gave."""
        with serialization.CustomObjectScope(custom_objects or {}):
            if "input_layers" in config and "output_layers" in config:
                return functional_from_config(cls if issubclass(cls, Functional) or cls is not Model else Functional, config)
            return cls(**config)

    # -- files ----------------------------------------------------------------------------------------------------------------------

    def save(self, filepath, overwrite=True, zipped=None, **kwargs):
        """Write the model to a `.keras` (or `.h5`) file; see `saving.save_model`."""
        dispatch.save_model(self, filepath, overwrite=overwrite, zipped=zipped, **kwargs)

    def save_weights(self, filepath, overwrite=True, max_shard_size=None):
        """Write the weights to a `.weights.h5` file; see `saving.save_weights`."""
        dispatch.save_weights(self, filepath, overwrite=overwrite, max_shard_size=max_shard_size)

    def load_weights(self, filepath, skip_mismatch=False, **kwargs):
        """Take the weights from a file; see `saving.load_weights`."""
        dispatch.load_weights(self, filepath, skip_mismatch=skip_mismatch, **kwargs)

    def to_json(self, **kwargs):
        """The architecture (and what `compile` was told) as JSON text; `model_from_json` makes the model again, without weights."""
        return json.dumps(serialization.serialize_keras_object(self), **kwargs)

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


class Functional(Model):
    """A model made of symbolic tensors, as `Model(inputs, outputs)` gives."""


def _is_functional(args, kwargs):
    return len(args) >= 2 or (len(args) == 1 and "outputs" in kwargs) or ("inputs" in kwargs and "outputs" in kwargs)


def _functional_init(self, inputs, outputs, name=None, trainable=True, **kwargs):
    Layer.__init__(self, name=name, **{k: v for k, v in kwargs.items() if v is not None})
    Trainer.__init__(self)
    for tensor in tree.flatten(inputs):
        if not isinstance(tensor, KerasTensor):
            raise ValueError(f'Model "{self.name}": `inputs` must be what Input(...) gave; got {type(tensor).__name__}: {str(tensor)[:80]}')
    inputs, outputs = _with_input_layers(inputs, outputs)
    self._function = Function(inputs, outputs, name=self.name)
    names = [operation.name for operation in self._function.operations]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise ValueError(f'Model "{self.name}": two of its layers are named {twice!r}; every name in a model must be its own.')
    self.built = True
    if not trainable:
        self.trainable = False


def _with_input_layers(inputs, outputs):
    """`inputs` with an Input in place of every tensor that is not one, and the outputs made again from them (a model cut out of another)."""
    flat = tree.flatten(inputs)
    if all(isinstance(t._keras_history.operation, InputLayer) for t in flat):
        return inputs, outputs
    fresh = [
        t
        if isinstance(t._keras_history.operation, InputLayer)
        else InputLayer(batch_shape=t.shape, dtype=t.dtype, name=t._keras_history.operation.name + "_input").output
        for t in flat
    ]
    nodes = sorted_nodes(flat, tree.flatten(outputs))
    return tree.pack_sequence_as(inputs, fresh), run_graph(nodes, flat, fresh, outputs)


def _one(structure):
    return structure[0] if isinstance(structure, (list, tuple)) and len(structure) == 1 else structure


# -- the graph as plain data --------------------------------------------------------------------------------------------------------------


def functional_config(model):
    """The layers, how they are connected, and which tensors go in and come out, as Keras 3 writes them."""
    function = model._function
    kept = {}  # (operation, node index) -> its index among the nodes of this model
    for node in [*(node_of(t) for t in function.inputs), *function.nodes]:
        own = [k for k in kept if k[0] is node.operation]
        kept.setdefault((node.operation, _index(node)), len(own))

    def place(tensor):
        operation, node_index, tensor_index = tensor._keras_history
        return [operation.name, kept[(operation, node_index)], tensor_index]

    def write(value):
        if isinstance(value, KerasTensor):
            return {"class_name": "__keras_tensor__", "config": {"shape": list(value.shape), "dtype": value.dtype, "keras_history": place(value)}}
        return serialization.serialize_keras_object(value)

    layers = []
    for operation in function.operations:
        uses = [operation._inbound_nodes[i] for (o, i) in kept if o is operation and not operation._inbound_nodes[i].is_input]
        if isinstance(operation, FunctionOperation):
            entry, *call = operations.write(operation, uses[0])
            calls = [call]
        else:
            entry = serialization.serialize_keras_object(operation)
            calls = [(node.args, node.kwargs) for node in uses]
        entry["name"] = operation.name
        entry["inbound_nodes"] = [_written_node(write, args, kwargs) for args, kwargs in calls]
        layers.append(entry)
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": layers,
        "input_layers": _map_places(place, function._inputs_struct),
        "output_layers": _map_places(place, function._outputs_struct),
    }


def _written_node(write, args, kwargs):
    """A node as files hold it. Keras writes `training` whether or not it was given, and `fit` overrules it; ours is given, and says so."""
    made = {"args": [_map_tensors(write, a) for a in args], "kwargs": {k: _map_tensors(write, v) for k, v in kwargs.items()}}
    return {**made, "training_given": True} if kwargs.get("training") is not None else made


def _index(node):
    return next(i for i, known in enumerate(node.operation._inbound_nodes) if known is node)


def _map_tensors(write, value):
    if isinstance(value, list):
        return [_map_tensors(write, item) for item in value]
    if isinstance(value, tuple):
        return {"class_name": "__tuple__", "items": [_map_tensors(write, item) for item in value]}
    if isinstance(value, dict):
        return {k: _map_tensors(write, v) for k, v in value.items()}
    return write(value)


def _map_places(place, structure):
    if isinstance(structure, dict):
        return {k: _map_places(place, v) for k, v in structure.items()}
    if isinstance(structure, (list, tuple)):
        return [_map_places(place, item) for item in structure]
    return place(structure)


_MAX_NODES = 100_000


def functional_from_config(cls, config):
    """A functional model from `functional_config`'s data.

    Raises:
        serialization.CorruptFileError: the graph does not hold together.
    """
    made, waiting = {}, []
    if sum(len(entry.get("inbound_nodes", ())) for entry in config["layers"]) > _MAX_NODES:
        raise serialization.CorruptFileError(f"The model has more than {_MAX_NODES} nodes.")
    for entry in config["layers"]:
        name = entry.get("name") or entry["config"].get("name")
        if operations.is_op(entry):
            layer = operations.read(entry)
        else:
            layer = serialization.deserialize_keras_object({k: v for k, v in entry.items() if k != "inbound_nodes"}, kind="layers")
        if name in made:
            raise serialization.CorruptFileError(f"Two layers of the model are named {name!r}.")
        made[name] = layer
        if entry.get("inbound_nodes"):
            waiting.append((name, list(enumerate(entry["inbound_nodes"]))))

    found = {}
    for name, layer in made.items():
        for tensor in layer._inbound_nodes[0].outputs if isinstance(layer, InputLayer) else ():
            found[(name, 0, 0)] = tensor

    def tensor_at(place):
        key = (place[0], int(place[1]), int(place[2]))
        if key not in found:
            raise KeyError(key)
        return found[key]

    def fill(value):
        if isinstance(value, dict):
            if value.get("class_name") == "__keras_tensor__":
                return tensor_at(value["config"]["keras_history"])
            if value.get("class_name") == "__tuple__" and "items" in value:
                return tuple(fill(item) for item in value["items"])
            if "class_name" in value:
                return serialization.deserialize_keras_object(value)
            return {k: fill(v) for k, v in value.items()}
        return [fill(item) for item in value] if isinstance(value, list) else value

    while waiting:
        left = []
        for name, nodes in waiting:
            rest = []
            for index, node in nodes:
                if rest:
                    rest.append((index, node))
                    continue
                try:
                    args, kwargs = fill(node["args"]), fill(node["kwargs"])
                    if not node.get("training_given"):
                        kwargs.pop("training", None)
                except KeyError:
                    rest.append((index, node))
                    continue
                outputs = made[name](*args, **kwargs)
                for i, tensor in enumerate(tree.flatten(outputs)):
                    found[(name, index, i)] = tensor
            if rest:
                left.append((name, rest))
        if len(left) == len(waiting) and all(len(a[1]) == len(b[1]) for a, b in zip(left, waiting)):
            raise serialization.CorruptFileError(
                f"The graph of the model does not hold together: the inputs of {', '.join(n for n, _ in left)} are made by no layer."
            )
        waiting = left

    inputs, outputs = _fill_places(tensor_at, config["input_layers"]), _fill_places(tensor_at, config["output_layers"])
    return cls(inputs=inputs, outputs=outputs, **{k: config[k] for k in ("name", "trainable") if k in config})


def _fill_places(tensor_at, structure):
    if isinstance(structure, (list, tuple)) and len(structure) == 3 and isinstance(structure[0], str) and isinstance(structure[1], int):
        try:
            return tensor_at(structure)
        except KeyError as error:
            raise serialization.CorruptFileError(f"The model's inputs or outputs name the tensor {error.args[0]}, which no layer makes.") from None
    if isinstance(structure, dict):
        return {k: _fill_places(tensor_at, v) for k, v in structure.items()}
    return [_fill_places(tensor_at, item) for item in structure]


serialization.own(Model, "keras", "models")
serialization.own(Functional, "keras.src.models.functional", "models")
