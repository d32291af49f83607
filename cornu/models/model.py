"""Models: a graph of layers, or a subclass with its own `call`, that can be trained and saved."""

import json
from typing import Any

from cornu import dtypes, masks, scopes, serialization, shapes, tree
from cornu.fields import suggestion
from cornu.layers.input_layer import InputLayer
from cornu.layers.layer import Layer
from cornu.models import graph
from cornu.models.function import Function
from cornu.saving import dispatch
from cornu.shapes import Spec
from cornu.symbolic import KerasTensor, run_graph, sorted_nodes
from cornu.training import explain, profile
from cornu.training.trainer import Trainer
from cornu.visualization.summary import print_summary


class Model(Trainer, Layer, marks_built=True):
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

    def profile(self, x, y=None, sample_weight=None, batch_size=32, trace=None, runs=5, print_fn=None):
        """Measure where the time of a step goes, print it layer by layer, and return it. The model is as it was before.

        Args:
            x, y, sample_weight: data as in `fit`; the first batch is taken. Without `y`, or on a model that has no loss, a forward pass is measured.
            batch_size: rows of a batch, where the data do not come in batches.
            trace: path of a file for a timeline that chrome://tracing, ui.perfetto.dev and other viewers open; compressed if it ends with .gz.
            runs: how often each thing is run; the least time counts.
            print_fn: function that gets the text; `print` by default.

        Returns:
            A `training.profile.Profile`: its `rows` have the time (seconds), the FLOPs, the bytes and the floor of each layer.

        Raises:
            FileNotFoundError: the folder of `trace` is not there.
        """
        path = profile.checked_path(trace) if trace is not None else None
        found = profile.measure(self, x, y, sample_weight, batch_size, runs)
        (print_fn or print)(str(found))
        if path is not None:
            found.write(path)
        return found

    def explain(self, x=None, training=None, print_fn=None):
        """Print for each layer what runs on the backend in use, and why nothing faster does: a kernel of the engine, a body written once, a compiled program.

        Args:
            x: data of one batch, needed only where the model knows no shape of its inputs.
            training: whether in a step of training; None: where the model is compiled.
            print_fn: function that gets the text; `print` by default.

        Raises:
            ValueError: the model knows no shape of its inputs, and no data was given.
        """
        (print_fn or print)(explain.text(self, x, training))

    # -- configs --------------------------------------------------------------------------------------------------------------------

    def get_config(self):
        if self._function is not None and type(self).__init__ in (Model.__init__, Functional.__init__):
            return {"name": self.name, "trainable": self.trainable, **graph.write(self._function)}
        return Layer.get_config(self)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """A model from what `get_config` gave."""
        with serialization.CustomObjectScope(custom_objects or {}):
            if "input_layers" in config and "output_layers" in config:
                inputs, outputs = graph.read(config)
                made = cls if issubclass(cls, Functional) or cls is not Model else Functional
                return made(inputs=inputs, outputs=outputs, **{key: config[key] for key in ("name", "trainable") if key in config})
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


serialization.own(Model, "keras", "models")
serialization.own(Functional, "keras.src.models.functional", "models")
