"""Models made again: copies with new weights, and models from their JSON."""

import json

from cornu import serialization, tree
from cornu.layers.input_layer import InputLayer
from cornu.models.model import Functional, Model
from cornu.models.sequential import Sequential
from cornu.symbolic import run_graph


def clone_model(model, input_tensors=None, clone_function=None, call_function=None, recursive=False, **kwargs):
    """A model of the same layers with new weights.

    Args:
        model: a Sequential or Functional model; a subclassed one is made again from its config.
        input_tensors: symbolic tensors to build the copy on.
        clone_function: `f(layer) -> layer`, for each layer but Inputs; `layer.from_config(layer.get_config())` by default.
        call_function: `f(layer, *args, **kwargs)` that calls a copied layer in a functional model.
        recursive: whether `clone_function` reaches into nested models.

    Returns:
        The new model.
    """
    if kwargs:
        raise TypeError(f"clone_model has no argument {next(iter(kwargs))!r}.")
    copy = clone_function or (lambda layer: type(layer).from_config(layer.get_config()))

    def copy_layer(layer):
        if recursive and isinstance(layer, Model) and layer._function is not None:
            return clone_model(layer, clone_function=clone_function, call_function=call_function, recursive=True)
        return copy(layer)

    if isinstance(model, Sequential):
        layers = [copy_layer(layer) for layer in model.layers]
        if input_tensors is not None:
            layers.insert(0, tree.flatten(input_tensors)[0])
        elif model._function is not None:
            source = model._stack[0]
            layers.insert(0, InputLayer(batch_shape=source.batch_shape, dtype=source.dtype, name=source.name))
        return Sequential(layers, name=model.name, trainable=model.trainable)
    if isinstance(model, Functional) or model._function is not None:
        function, copies = model._function, {}
        if input_tensors is None:
            inputs = [InputLayer(batch_shape=t.shape, dtype=t.dtype, name=t._keras_history.operation.name).output for t in function.inputs]
        else:
            inputs = tree.flatten(input_tensors)

        def call(operation, args, kwargs):
            if id(operation) not in copies:
                copies[id(operation)] = copy_layer(operation) if hasattr(operation, "build") else operation
            made = copies[id(operation)]
            return call_function(made, *args, **kwargs) if call_function and made is not operation else made(*args, **kwargs)

        outputs = run_graph(function.nodes, function.inputs, inputs, function._outputs_struct, call)
        return Functional(tree.pack_sequence_as(function._inputs_struct, inputs), outputs, name=model.name)
    if clone_function is not None:
        raise ValueError(f'clone_model: "{model.name}" is a subclassed model, whose layers only its own code knows; `clone_function` cannot be used on it.')
    return type(model).from_config(model.get_config())


def model_from_json(json_string, custom_objects=None):
    """The model that `to_json` wrote, with new weights.

    Raises:
        ValueError: not a model's JSON.
    """
    try:
        config = json.loads(json_string)
    except (TypeError, ValueError) as error:
        raise ValueError(f"model_from_json: this is not JSON: {error}") from None
    return serialization.deserialize_keras_object(config, custom_objects=custom_objects, kind="models")
