"""Models made again: copies with new weights, and models from their JSON."""

import json

from cornu import serialization, tree
from cornu.layers.input_layer import InputLayer
from cornu.metrics.metric import Metric
from cornu.models.model import Functional, Model
from cornu.models.sequential import Sequential
from cornu.optimizers import Optimizer
from cornu.symbolic import KerasTensor, run_graph
from cornu.training.trainer import Trainer


def clone_model(model, input_tensors=None, clone_function=None, call_function=None, recursive=False, **kwargs):
    """A model of the same layers with new weights, compiled as the model is.

    Args:
        model: a Sequential or Functional model; a subclassed one is made again from its config.
        input_tensors: symbolic tensors to build the copy on.
        clone_function: `f(layer) -> layer`, for each layer but Inputs; `layer.from_config(layer.get_config())` by default.
        call_function: `f(layer, *args, **kwargs)` that calls a copied layer in a functional model.
        recursive: whether `clone_function` reaches into nested models.

    Returns:
        The new model.

    Raises:
        TypeError: `model` is no model.
        ValueError: `input_tensors` are not one symbolic tensor for each input; arguments that this kind of model has no use for.
    """
    if kwargs:
        raise TypeError(f"clone_model has no argument {next(iter(kwargs))!r}.")
    if not isinstance(model, Model):
        raise TypeError(f"clone_model: wanted a model; got {type(model).__name__}.")
    if call_function is not None and (isinstance(model, Sequential) or model._function is None):
        raise ValueError(f'clone_model: call_function is for functional models, whose layers are called; "{model.name}" is a {type(model).__name__}.')
    for tensor in tree.flatten(input_tensors):
        if tensor is not None and not isinstance(tensor, KerasTensor):
            raise ValueError(f"clone_model: input_tensors must be symbolic, as Input gives; got {type(tensor).__name__}.")
    if input_tensors is not None and model._function is not None and len(tree.flatten(input_tensors)) != len(model.inputs):
        raise ValueError(f'clone_model: "{model.name}" has {len(model.inputs)} inputs; input_tensors has {len(tree.flatten(input_tensors))}.')
    made = _copied(model, input_tensors, clone_function, call_function, recursive)
    if model.compiled and not made.compiled and type(made).compile is Trainer.compile:
        made.compile(**{name: tree.map_structure(_fresh, value) for name, value in model._training.config.items()})
    return made


def _fresh(value):
    """Something that `compile` takes, without what training left in it."""
    return type(value).from_config(value.get_config()) if isinstance(value, (Optimizer, Metric)) else value


def _copied(model, input_tensors, clone_function, call_function, recursive):
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
