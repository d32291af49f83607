"""A stack of layers, one after another."""

from cornu import backends, serialization, tree
from cornu.layers import keeper
from cornu.layers.input_layer import InputLayer
from cornu.layers.layer import Layer
from cornu.models.function import Function
from cornu.models.model import Model
from cornu.symbolic import KerasTensor
from cornu.training.trainer import Trainer


class Sequential(Model, marks_built=True):
    """Layers one after another, each with one input and one output.

    With an Input (or `input_shape=` on the first layer) the weights are made at once; else when the first data comes.

    Args:
        layers: list of layers.
        trainable: whether training changes the weights.
        name: name of the model.

    >>> model = Sequential([Input((4,)), Dense(2)])
    >>> model.output_shape
    (None, 2)
    """

    def __init__(self, layers=None, trainable=True, name=None):
        Layer.__init__(self, name=name)
        Trainer.__init__(self)
        self._stack = []
        if layers is not None and not isinstance(layers, (list, tuple)):
            layers = [layers]
        for layer in layers or ():
            self.add(layer)
        if not trainable:
            self.trainable = False

    def add(self, layer, rebuild=True, **kwargs):
        """Put `layer` at the end.

        Raises:
            TypeError: it is not a layer.
            ValueError: another layer has its name, or it has several outputs.
        """
        if kwargs:
            kind, wrong = type(layer).__name__, next(iter(kwargs))
            advice = f" {wrong!r} is an argument of layers: write add({kind}(..., {wrong}={kwargs[wrong]!r}))."
            if wrong == "activation" and wrong not in getattr(type(layer), "_fields", {}):
                advice = f" {kind} has no activation: follow it with add(Activation({kwargs[wrong]!r})), or leave it out."
            raise TypeError(f"{self._label()}.add takes a layer alone; got {wrong}={kwargs[wrong]!r} beside {kind}(...).{advice}")
        if isinstance(layer, KerasTensor):
            layer = layer._keras_history.operation
        if isinstance(layer, type):
            raise TypeError(f"{self._label()}.add: got the class {layer.__name__}; wanted a layer made of it: add({layer.__name__}(...)).")
        layer = keeper.adopt(layer)
        if not isinstance(layer, Layer):
            if callable(layer):
                raise TypeError(f"{self._label()}.add: wanted a layer; got the function {getattr(layer, '__name__', layer)!r}: wrap it, add(Lambda(...)).")
            raise TypeError(f"{self._label()}.add: wanted a layer; got {type(layer).__name__}: {str(layer)[:60]}")
        if any(known.name == layer.name for known in self._stack):
            raise ValueError(
                f"{self._label()}.add: a layer is already named {layer.name!r}; names in a model must differ: {type(layer).__name__}(..., name='another')."
            )
        if isinstance(layer, InputLayer):
            if self._stack:
                raise ValueError(f"{self._label()}.add: an Input can only come first; the model has {len(self.layers)} layers already.")
            self._stack.append(layer)
            self._grow()
            return
        shape = getattr(layer, "_batch_input_shape", None)
        if not self._stack and shape is not None:
            self._stack.append(InputLayer(batch_shape=shape, dtype=getattr(layer, "_first_input_dtype", None)))
        elif not self._stack and isinstance(layer, Model) and layer._function is not None and len(layer.inputs) == 1:
            self._stack.append(InputLayer(batch_shape=layer.inputs[0].shape, dtype=layer.inputs[0].dtype))
        self._stack.append(layer)
        try:
            self._grow()
        except Exception:
            self._stack.pop()
            raise

    def pop(self, rebuild=True):
        """Take the last layer away and return it."""
        if not self.layers:
            raise ValueError(f"{self._label()}.pop: the model has no layers.")
        layer = self._stack.pop()
        self._function, self.built = None, False
        self._compiled_changed()
        self._grow(again=True)
        return layer

    def _grow(self, again=False):
        """Call the layers that are new on the symbolic output of those before, where the input's shape is known."""
        if not self._stack or not isinstance(self._stack[0], InputLayer):
            return
        start = self._stack[0].output
        x, begin = start, 1
        if self._function is not None and not again and len(self._stack) > 2:
            x, begin = self._function.outputs[0], len(self._stack) - 1
        with self._open_name_scope():
            for layer in self._stack[begin:]:
                x = layer(x)
                if not isinstance(x, KerasTensor):
                    raise ValueError(
                        f"{self._label()}: the layer {layer.name!r} gives {len(tree.flatten(x))} outputs; in a Sequential every layer gives one. Use Model(inputs, outputs)."
                    )
        self._function = Function(start, x, name=self.name)
        self._function.exact = self._shape_given
        self.built = len(self._stack) > 1
        self._compiled_changed()

    @property
    def layers(self):
        """The layers, without the Input."""
        return [layer for layer in self._stack if not isinstance(layer, InputLayer)]

    def build(self, input_shape=None):
        """Make the weights for an input of `input_shape`, with the batch axis."""
        if self._function is not None or not self._stack:
            return
        if input_shape is None:
            raise ValueError(f"{self._label()}.build: give the shape of the input with None for the batch, such as build((None, 784)).")
        if not all(size is None or hasattr(size, "__index__") for size in input_shape):
            raise ValueError(f"{self._label()}.build: wanted one shape; got {input_shape}. A model of several inputs is Model(inputs, outputs).")
        self._shape_given = self._input_type is None  # else the sizes are those of the first data, and other data may have others
        self._stack.insert(0, InputLayer(batch_shape=(None, *tuple(input_shape)[1:]), dtype=self._input_type))
        try:
            self._grow(again=True)
        except Exception:
            del self._stack[0]
            raise

    _input_type = None
    _shape_given = True

    def _call_values(self, args, kwargs, bound):
        inputs = next(iter(bound.values()), None)
        if self._function is None and self._stack and hasattr(inputs, "dtype"):
            dtype = backends.kind(inputs)
            self._input_type = dtype
        return super()._call_values(args, kwargs, bound)

    def call(self, inputs, training=None, mask=None):
        if self._function is None:
            x = inputs
            for layer in self._stack:
                x = layer(x)
            return x
        return super().call(inputs, training=training, mask=mask)

    def get_config(self):
        config = Layer.get_config(self)
        config.pop("layers", None)
        config["layers"] = [serialization.serialize_keras_object(layer) for layer in self._stack]
        if self._function is not None:
            config["build_input_shape"] = self._function.inputs[0].shape
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        with serialization.CustomObjectScope(custom_objects or {}):
            if isinstance(config, list):
                config = {"layers": config}
            model = cls(name=config.get("name"))
            shape = config.get("build_input_shape")
            for entry in config["layers"]:
                if shape and isinstance(entry, dict):  # the layers are built with the model, so that their paths begin with its name
                    entry = {key: value for key, value in entry.items() if key != "build_config"}
                model.add(serialization.deserialize_keras_object(entry, kind="layers"))
            if model._function is None and shape and model._stack:
                model.build(tuple(shape))
            if not config.get("trainable", True):
                model.trainable = False
            return model


serialization.own(Sequential, "keras", "models")
