"""A graph of layers and ops as plain data, and back."""

from cornu import serialization, tree
from cornu.layers.input_layer import InputLayer
from cornu.models import operations
from cornu.symbolic import FunctionOperation, KerasTensor, node_of


def write(function):
    """The layers of a Function, how they are connected, and which tensors go in and come out, as Keras 3 writes them.

    Raises:
        ValueError: an input that `Input` did not make.
    """
    for tensor in function.inputs:
        if not hasattr(tensor, "_keras_history"):
            raise ValueError(f"{function.name!r}: its input {tensor.name!r} is a bare KerasTensor, which no file can name. Make it with Input(...).")
    kept = {}  # (operation, node index) -> its index among the nodes of this model
    for node in [*(node_of(t) for t in function.inputs), *function.nodes]:
        own = [k for k in kept if k[0] is node.operation]
        kept.setdefault((node.operation, _index(node)), len(own))

    def place(tensor):
        operation, node_index, tensor_index = tensor._keras_history
        return [operation.name, kept[(operation, node_index)], tensor_index]

    def plain(value):
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
        entry["inbound_nodes"] = [_written_node(plain, args, kwargs) for args, kwargs in calls]
        layers.append(entry)
    return {
        "layers": layers,
        "input_layers": _map_places(place, function._inputs_struct),
        "output_layers": _map_places(place, function._outputs_struct),
    }


def _written_node(plain, args, kwargs):
    """A node as files hold it. Keras writes `training` whether or not it was given, and `fit` overrules it; ours is given, and says so."""
    made = {"args": [_map_tensors(plain, a) for a in args], "kwargs": {k: _map_tensors(plain, v) for k, v in kwargs.items()}}
    return {**made, "training_given": True} if kwargs.get("training") is not None else made


def _index(node):
    return next(i for i, known in enumerate(node.operation._inbound_nodes) if known is node)


def _map_tensors(plain, value):
    if isinstance(value, list):
        return [_map_tensors(plain, item) for item in value]
    if isinstance(value, tuple):
        return {"class_name": "__tuple__", "items": [_map_tensors(plain, item) for item in value]}
    if isinstance(value, dict):
        return {k: _map_tensors(plain, v) for k, v in value.items()}
    return plain(value)


def _map_places(place, structure):
    if isinstance(structure, dict):
        return {k: _map_places(place, v) for k, v in structure.items()}
    if isinstance(structure, (list, tuple)):
        return [_map_places(place, item) for item in structure]
    return place(structure)


_MAX_NODES = 100_000


def read(config):
    """The symbolic inputs and outputs of the graph that `write` gave, made anew.

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

    return _fill_places(tensor_at, config["input_layers"]), _fill_places(tensor_at, config["output_layers"])


def _fill_places(tensor_at, structure):
    if isinstance(structure, (list, tuple)) and len(structure) == 3 and isinstance(structure[0], str) and isinstance(structure[1], int):
        try:
            return tensor_at(structure)
        except KeyError as error:
            raise serialization.CorruptFileError(f"The model's inputs or outputs name the tensor {error.args[0]}, which no layer makes.") from None
    if isinstance(structure, dict):
        return {k: _fill_places(tensor_at, v) for k, v in structure.items()}
    return [_fill_places(tensor_at, item) for item in structure]
