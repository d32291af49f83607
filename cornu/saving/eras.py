"""What older files mean in today's words: Keras 2, tf.keras, and the short form that `.h5` files of Keras 3 have.

A name that changed its meaning keeps that of the file's own time.
"""

from cornu import ops, serialization
from cornu.serialization import CorruptFileError


def hard_sigmoid_of_keras_2(x):
    """max(0, min(1, 0.2 x + 0.5)): what `hard_sigmoid` was until Keras 3."""
    return ops.clip(ops.add(ops.multiply(x, 0.2), 0.5), 0.0, 1.0)


serialization.own(hard_sigmoid_of_keras_2, "cornu.activations", "activations")

_CLASSES = {"Model": "Functional", "TensorFlowOpLayer": None}
_DROPPED = {  # field -> the values with which it means nothing today; None: any
    "implementation": None,
    "input_dtype": None,
    "experimental_run_tf_function": None,
    "time_major": (False,),
    "ragged": (False, None),
    "sparse": (False, None),
    "input_length": (None,),
    "batch_input_shape": (None,),
    "fused": None,
    "virtual_batch_size": (None,),
    "adjustment": (None,),
    "renorm": (False,),
    "renorm_clipping": (None, {}),
    "renorm_momentum": None,
}
_DROPPED_OF = {
    "DepthwiseConv1D": {"groups": (1,)},
    "DepthwiseConv2D": {"groups": (1,)},
    "SeparableConv1D": {"groups": (1,)},
    "SeparableConv2D": {"groups": (1,)},
    "Conv1DTranspose": {"groups": (1,)},
    "Conv2DTranspose": {"groups": (1,)},
    "Conv3DTranspose": {"groups": (1,)},
    "ReLU": {},
}
_RENAMED_OF = {"InputLayer": {"batch_input_shape": "batch_shape"}, "LeakyReLU": {"alpha": "negative_slope"}}
_ACTIVATIONS_BEFORE_3 = {
    "hard_sigmoid": {"module": "cornu.activations", "class_name": "function", "config": "hard_sigmoid_of_keras_2", "registered_name": "hard_sigmoid_of_keras_2"}
}


def _before_3(version):
    return version.split(".")[0] in ("0", "1", "2")


def model_config(config, version):
    """The config of a model in an `.h5` file, as today's decoder wants it."""
    return _layer(config, _before_3(version), 0)


def _layer(entry, old, depth):
    if depth > 100:
        raise CorruptFileError("the model's config nests too deep.")
    if not isinstance(entry, dict) or not isinstance(entry.get("class_name"), str) or "config" not in entry:
        return entry
    name, config = entry["class_name"], entry["config"]
    if isinstance(config, list) and name == "Sequential":  # until Keras 2.2
        config = {"layers": config}
    if not isinstance(config, dict):
        return entry
    if name == "Model":
        name = "Functional" if "input_layers" in config else name
    known = _known(config, name, old)
    for key, value in list(known.items()):
        if key == "layers" and isinstance(value, list):
            known[key] = [_layer(item, old, depth + 1) for item in value]
        elif key in ("layer", "cell", "forward_layer", "backward_layer"):
            known[key] = _layer(value, old, depth + 1)
        elif key == "cells" and isinstance(value, list):
            known[key] = [_layer(item, old, depth + 1) for item in value]
        elif old and key in ("input_layers", "output_layers") and isinstance(value, list) and len(value) == 1 and _is_place(value[0]):
            known[key] = value[0]  # one tensor was given and taken by itself
    made = {**entry, "class_name": name, "config": known}
    nodes = entry.get("inbound_nodes")
    if isinstance(nodes, list):
        made["inbound_nodes"] = [_node(node) for node in nodes]
    return made


def _known(config, name, old):
    """The fields of a layer under today's names, without those that mean nothing."""
    renamed, dropped = _RENAMED_OF.get(name, {}), {**_DROPPED, **_DROPPED_OF.get(name, {})}
    if name == "InputLayer":
        dropped = {}
    found = {}
    for key, value in config.items():
        key = renamed.get(key, key)
        if old and key in dropped and (dropped[key] is None or value in dropped[key]):
            continue
        if old and isinstance(value, str) and key.endswith("activation") and value in _ACTIVATIONS_BEFORE_3:
            value = _ACTIVATIONS_BEFORE_3[value]
        if key == "dtype" and isinstance(value, dict):
            policy = value.get("config", {}).get("name", value.get("config", {}).get("dtype"))
            value = policy if isinstance(policy, str) else value
        if old and key == "axis" and name == "BatchNormalization" and isinstance(value, list) and len(value) == 1:
            value = value[0]
        found[key] = value
    if old and name == "GRU" and "reset_after" not in found:
        found["reset_after"] = False
    if old and name == "Activation" and found.get("activation") in _ACTIVATIONS_BEFORE_3:
        found["activation"] = _ACTIVATIONS_BEFORE_3[found["activation"]]
    return found


def _tensor(place):
    return {"class_name": "__keras_tensor__", "config": {"shape": None, "dtype": None, "keras_history": list(place[:3])}}


def _is_place(value):
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and all(isinstance(n, int) and not isinstance(n, bool) for n in value[1:3])
    )


def _node(node):
    """A node as Keras 2 wrote it, `[[layer, node, tensor, kwargs], ...]`, in today's form."""
    if isinstance(node, dict):
        return node
    if not isinstance(node, list) or not node:
        raise CorruptFileError(f"a node of the model's graph is {str(node)[:60]!r}.")
    places = [node] if _is_place(node) else node
    if not all(_is_place(place) for place in places):
        raise CorruptFileError(f"a node of the model's graph is {str(node)[:60]!r}.")
    kwargs = places[0][3] if len(places[0]) > 3 and isinstance(places[0][3], dict) else {}
    tensors = [_tensor(place) for place in places]
    return {"args": [tensors[0] if len(tensors) == 1 else tensors], "kwargs": {key: _argument(value) for key, value in kwargs.items()}}


def _argument(value):
    if _is_place(value):
        return _tensor(value)
    return [_argument(item) for item in value] if isinstance(value, list) else value


# -- training -----------------------------------------------------------------------------------------------------------------------------


def training_config(config, version):
    """What `compile` was told, in today's words."""
    known = ("loss", "loss_weights", "metrics", "weighted_metrics", "run_eagerly", "steps_per_execution", "jit_compile", "optimizer_config")
    found = {key: config[key] for key in known if key in config}
    for key in ("metrics", "weighted_metrics"):
        if key in found:
            found[key] = _metric(found[key])
    return found


def _metric(value):
    if isinstance(value, list):
        return [_metric(item) for item in value]
    if isinstance(value, dict) and value.get("class_name") == "MeanMetricWrapper" and isinstance(value.get("config"), dict):
        function = value["config"].get("fn")
        return function if isinstance(function, str) else value
    if isinstance(value, dict) and "class_name" not in value:
        return {key: _metric(item) for key, item in value.items()}
    return value


_SLOTS = {
    "Adam": {"m": "momentum", "v": "velocity", "vhat": "velocity_hat"},
    "SGD": {"momentum": "momentum"},
    "RMSprop": {"rms": "velocity", "momentum": "momentum", "mg": "average_gradient"},
}


def optimizer_state(optimizer, names, values):
    """Give `optimizer` the state that Keras 2 kept: all first slots, then all second ones. Says whether it fitted."""
    slots = _SLOTS.get(type(optimizer).__name__, {})
    pairs = []
    for old, new in slots.items():
        theirs = [value for name, value in zip(names, values) if name.removesuffix(":0").rsplit("/", 1)[-1] == old]
        ours = [variable for variable in optimizer.variables if variable.name.endswith(f"_{new}")]
        if theirs and len(theirs) == len(ours):
            pairs += zip(ours, theirs)
        elif theirs:
            return False
    counts = [value for name, value in zip(names, values) if name.removesuffix(":0").rsplit("/", 1)[-1] in ("iter", "iterations", "iteration")]
    if any(tuple(value.shape) != variable.shape for variable, value in pairs) or len(counts) != 1 or counts[0].shape != ():
        return False
    for variable, value in pairs:
        variable.assign(value)
    optimizer.iterations.assign(counts[0])
    return True


# -- writing ------------------------------------------------------------------------------------------------------------------------------


def short(value):
    """Configs without `module` and `registered_name`, as `.h5` files hold them."""
    if isinstance(value, (list, tuple)):
        return [short(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "class_name" in value and "config" in value and "registered_name" in value:
        if value["class_name"] == "function":
            return value["config"]
        return {"class_name": value["registered_name"] or value["class_name"], "config": value["config"]}
    return {key: short(item) for key, item in value.items()}


def without_modules(entry):
    """The config of a model, its layers in the short form."""
    made = {key: value for key, value in entry.items() if key not in ("module", "registered_name", "build_config", "compile_config")}
    if entry.get("registered_name") and not str(entry.get("module") or "").startswith("keras"):
        made["class_name"] = entry["registered_name"]
    if isinstance(entry.get("config"), dict) and isinstance(entry["config"].get("layers"), list):
        made["config"] = {**entry["config"], "layers": [without_modules(layer) for layer in entry["config"]["layers"]]}
    return made
