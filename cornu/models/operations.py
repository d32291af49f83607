"""Ops between layers as plain data: the classes that Keras 3's files call them by, and back.

`x + 1.0` is `{"class_name": "Add", ...}` with the arguments `[x, 1.0]`; `ops.mean(x, axis=1)` has `axis` in its config.
"""

import inspect

from cornu import activations, serialization, tree
from cornu.ops.dispatch import OPS
from cornu.serialization import CorruptFileError
from cornu.symbolic import FunctionOperation, KerasTensor

_CLASSES = {  # op -> class, where it is not the op's name in camel case
    "abs": "Absolute",
    "conj": "Conjugate",
    "searchsorted": "SearchSorted",
    "batch_normalization": "BatchNorm",
    "layer_normalization": "LayerNorm",
    "rms_normalization": "RMSNorm",
    "rgb_to_grayscale": "RGBToGrayscale",
    "rgb_to_hsv": "RGBToHSV",
    "hsv_to_rgb": "HSVToRGB",
    "extract_patches_3d": "ExtractPatches3D",
    "cdist": "CDist",
    **{name: name.upper() for name in ("ssim", "psnr", "fft", "fft2", "ifft2", "rfft", "irfft", "stft", "istft")},
    **{f"ctc_{what}": f"CTC{what.capitalize()}" for what in ("loss", "decode")},
}
_MODULES = {  # the rest is in "numpy"
    "nn": "relu relu6 sigmoid softplus softsign silu gelu elu selu leaky_relu hard_sigmoid hard_silu hard_tanh softmax log_softmax log_sigmoid celu glu mish "
    "tanh_shrink hard_shrink soft_shrink sparse_plus sparse_sigmoid threshold squareplus sparsemax one_hot multi_hot normalize rms_normalization layer_normalization "
    "batch_normalization moments conv depthwise_conv separable_conv conv_transpose max_pool average_pool adaptive_average_pool adaptive_max_pool unfold "
    "binary_crossentropy categorical_crossentropy sparse_categorical_crossentropy dot_product_attention depth_to_space space_to_depth "
    "fold psnr ctc_loss ctc_decode",
    "image": "affine_transform crop_images elastic_transform extract_patches extract_patches_3d gaussian_blur hsv_to_rgb map_coordinates pad_images "
    "perspective_transform resize rgb_to_grayscale rgb_to_hsv scale_and_translate sobel_edges ssim",
    "math": "fft fft2 ifft2 rfft irfft stft istft extract_sequences cdist logdet logsumexp rsqrt erf erfinv top_k in_top_k segment_sum segment_max segment_min segment_prod",
    "linalg": "norm det inv cholesky cholesky_inverse qr svd eigh solve solve_triangular lstsq slogdet pinv eig lu_factor",
    "core": "cast stop_gradient slice slice_update scatter scatter_update unstack",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}
_OPERANDS = {  # parameters that stand among the arguments of a node; by default the first, and `x1`, `x2`
    "get_item": "x key",
    "take": "x indices",
    "affine_transform": "images transform",
    "perspective_transform": "images start_points end_points",
    "map_coordinates": "inputs coordinates",
    "ssim": "image1 image2",
    "cdist": "x y",
    "ctc_loss": "target output target_length output_length",
    "ctc_decode": "inputs sequence_lengths",
    "take_along_axis": "x indices",
    "full_like": "x fill_value",
    "where": "condition x1 x2",
    "slice": "inputs start_indices",
    "slice_update": "inputs start_indices updates",
    "scatter": "indices values",
    "scatter_update": "inputs indices updates",
    "searchsorted": "sorted_sequence values",
    "in_top_k": "targets predictions",
    "solve": "a b",
    "solve_triangular": "a b",
    "lstsq": "a b",
    "conv": "inputs kernel",
    "depthwise_conv": "inputs kernel",
    "separable_conv": "inputs depthwise_kernel pointwise_kernel",
    "conv_transpose": "inputs kernel",
    "batch_normalization": "x mean variance offset scale",
    "layer_normalization": "x gamma beta",
    "dot_product_attention": "query key value",
    "binary_crossentropy": "target output",
    "categorical_crossentropy": "target output",
    "sparse_categorical_crossentropy": "target output",
    "select": "condlist choicelist default",
    "segment_sum": "data segment_ids",
    "segment_max": "data segment_ids",
    "segment_min": "data segment_ids",
    "segment_prod": "data segment_ids",
}
_KEYWORDS = {"average": ("weights",), "pad": ("constant_values",), "dot_product_attention": ("bias", "mask", "scale"), "rms_normalization": ("scale",)}


def _class_of(name):
    return _CLASSES.get(name) or "".join(part[:1].upper() + part[1:] for part in name.split("_"))


_MOST_PARTS = 100_000
_BY_CLASS = {_class_of(name): name for name in OPS}
_BY_CLASS.update(TrueDivide="divide", BitwiseInvert="bitwise_not", Swish="silu", Sparsemax="sparsemax")


def _operands(name, parameters):
    if name in _OPERANDS:
        return _OPERANDS[name].split()
    return [p for i, p in enumerate(parameters) if i == 0 or p in ("x1", "x2")]


def write(operation, node):
    """The entry of an op in a model's config, and the arguments of its node.

    Raises:
        ValueError: the op is not one that files know.
    """
    function = operation.function
    name = getattr(function, "__name__", "")
    if OPS.get(name) is not function:
        raise ValueError(f"The model holds a call of {name or function!r}, which is no op that a file can name. Put it into a Layer that is registered.")
    config, kwargs = {"name": operation.name}, {}
    if name == "einsum":
        config["subscripts"], args = node.args[0], list(node.args[1:])
    elif name == "meshgrid":
        config["indexing"], args = node.kwargs.get("indexing", "xy"), list(node.args)
    else:
        bound = inspect.signature(function).bind(*node.args, **node.kwargs)
        bound.apply_defaults()
        operands = _operands(name, bound.arguments)
        args = []
        for parameter, value in bound.arguments.items():
            if parameter in operands:
                args.append(value)
            elif parameter in _KEYWORDS.get(name, ()) or _holds_tensor(value):
                kwargs[parameter] = value
            elif parameter == "kwargs":
                config.update(value)
            else:
                config[parameter] = _plain(parameter, value)
        while args and args[-1] is None and name in ("where",):
            args.pop()
    if name == "reshape":
        config["newshape"] = [-1 if size is None else size for size in config["newshape"]]
    class_name = _class_of(name)
    module = f"keras.src.ops.{_MODULE_OF.get(name, 'numpy')}"
    entry = {"module": module, "class_name": class_name, "config": serialization.serialize_keras_object(config), "registered_name": class_name}
    return entry, [_listed(value) for value in args], {key: _listed(value) for key, value in kwargs.items()}


def _holds_tensor(value):
    return any(isinstance(leaf, KerasTensor) for leaf in tree.flatten(value))


def _plain(parameter, value):
    """An argument as a config holds it: lists for tuples, unknown sizes as None."""
    if parameter == "data_format":
        return value or "channels_last"
    if isinstance(value, (list, tuple)):
        return [_plain("", item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else None if value == None else value  # noqa: E711  an unknown size equals None


def _listed(value):
    return [_listed(item) for item in value] if isinstance(value, (list, tuple)) else value


def is_op(entry):
    """Whether the entry of a model's config is an op and no layer."""
    module = entry.get("module")
    if isinstance(module, str):
        return module.startswith(("keras.src.ops.", "keras.ops", "cornu.ops")) or module == "keras.src.activations.activations"
    name = entry.get("class_name")  # `.h5` files name no modules
    return name in _BY_CLASS and set(entry.get("config", {})) <= {"name", *_parameters(_BY_CLASS[name])} and "dtype" not in _without_dtype(entry)


def _without_dtype(entry):
    return () if "dtype" in _parameters(_BY_CLASS[entry["class_name"]]) else entry.get("config", {})


def _parameters(name):
    return list(inspect.signature(OPS[name]).parameters)


def read(entry):
    """What to call on the arguments of a node, from the entry of an op.

    Raises:
        CorruptFileError: no such op, or an argument that it has not.
    """
    class_name, config = entry.get("class_name"), dict(entry.get("config") or {})
    label = config.pop("name", None)
    if class_name == "ReLU" and str(entry.get("module")).startswith("keras.src.activations"):
        return lambda x: activations.relu(x, **config)
    name = _BY_CLASS.get(class_name)
    if name is None:
        raise CorruptFileError(f"the op {label!r} is of the class {class_name!r}, which is not known.")
    config = serialization.deserialize_keras_object({"values": config})["values"]
    parameters = _parameters(name)
    unknown = [key for key in config if key not in parameters and not (name == "einsum" and key == "subscripts")]
    for key in unknown:
        if config[key] in (None, False):
            config.pop(key)
        else:
            raise CorruptFileError(f"the op {label!r} ({class_name}) has the argument {key!r}, which is not known.")
    if name == "reshape":
        config["newshape"] = tuple(-1 if size is None else size for size in config.get("newshape", ()))

    def call(*args, **kwargs):
        function = OPS[name]
        if name == "einsum":
            return FunctionOperation(function, label)(config["subscripts"], *args)
        if name == "meshgrid":
            return FunctionOperation(function, label)(*args, **config)
        if name == "get_item" and len(args) == 2 and isinstance(args[1], list):
            args = (args[0], tuple(args[1]))
        operands = _operands(name, parameters)
        if len(args) > len(operands):
            given = dict(zip(parameters, args))
        else:
            given = dict(zip(operands, args))
        given = {**given, **config, **kwargs}
        if name == "unstack" and given.get("num") is None and (given["x"].shape[given.get("axis", 0)] or 0) > _MOST_PARTS:
            raise CorruptFileError(f"the op {label!r} makes more than {_MOST_PARTS:,} tensors.")
        lead = []
        for parameter in parameters:
            if parameter not in given:
                break
            lead.append(given.pop(parameter))
        return FunctionOperation(function, label)(*lead, **given)

    return call
