"""A random walk over the constructor arguments of every layer: which cases there are, the same ones each time."""

import random
import zlib

IMAGE, SEQUENCE, VECTOR, VOLUME = (2, 6, 5, 4), (2, 5, 4), (3, 6), (2, 4, 5, 4, 4)
SPACES = {1: SEQUENCE, 2: IMAGE, 3: VOLUME}
FORMAT = {"data_format": [None, "channels_last", "channels_first"]}
COMMON = {"dtype": [None] * 7 + ["mixed_float16"], "trainable": [True] * 5 + [False]}
SAME_TYPE = {"dtype": [None]}  # Keras computes a layer of float32 inside of one of mixed_float16 in a mixture of both


def part(*names):
    """Initializer, regularizer and constraint of the weights of these names."""
    choices = {}
    for name in names:
        choices[f"{name}_initializer"] = ["zeros", "he_normal", "glorot_uniform", "ones"]
        choices[f"{name}_regularizer"] = [None, None, "l2", "l1"]
        choices[f"{name}_constraint"] = [None, None, "non_neg", "max_norm"]
    return choices


ACTIVATION = {"activation": [None, "relu", "tanh", "gelu", "softplus"]}
DENSE = {**ACTIVATION, "use_bias": [True, False], **part("kernel", "bias"), "activity_regularizer": [None, None, "l2"]}
RECURRENT = {
    "units": [1, 3],
    "activation": ["tanh", "relu", "linear"],
    "use_bias": [True, False],
    **part("kernel", "recurrent", "bias"),
    "return_sequences": [False, True],
    "return_state": [False, True],
    "go_backwards": [False, True],
    "unroll": [False, True],
}
GATES = {"recurrent_activation": ["sigmoid", "hard_sigmoid"]}
NORM = {"epsilon": [0.001, 0.1], "center": [True, False], "scale": [True, False], **part("beta", "gamma")}
HEADS = {"use_bias": [True, False], "use_gate": [False, True], "sliding_window": [None, None, 2], **part("kernel", "bias")}
CALL = {"return_attention_scores": [False, True], "use_causal_mask": [False, True]}


def windows(rank, least=1):
    each = lambda values: [*values, "each"]
    return {"kernel_size": each([1, 2, 3]), "strides": each([1, 1, 2]), "padding": ["valid", "same"], **FORMAT, "dilation_rate": [1, 1, 2]}


# name of a layer -> (choices for its arguments, shapes of the inputs, choices for the arguments of the call); (shape, n) is an input of whole numbers below n
LAYERS = {
    "Dense": ({"units": [1, 3], **DENSE}, [VECTOR], {}),
    "Activation": ({"activation": ["relu", "selu", "hard_tanh", "log_softmax", "sparse_plus", "hard_shrink", "squareplus", "swish"]}, [VECTOR], {}),
    "EinsumDense": (
        {
            "equation": ["abc,cd->abd", "abc,cd->adb", "abc,bcd->ad", "...c,cd->...d"],
            "output_shape": [(None, 3), 3],
            "bias_axes": [None, "d"],
            **ACTIVATION,
            **part("kernel", "bias"),
        },
        [SEQUENCE],
        {},
    ),
    "Embedding": ({"input_dim": [7], "output_dim": [1, 3], "mask_zero": [False, True], **part("embeddings")}, [((2, 3), 7)], {}),
    "ReversibleEmbedding": (
        {"input_dim": [7], "output_dim": [4], "tie_weights": [True, False], "logit_soft_cap": [None, 0.5], "reverse_dtype": [None, "float32"]},
        [SEQUENCE],
        {"reverse": [True]},
    ),
    "Flatten": (FORMAT, [IMAGE], {}),
    "Reshape": ({"target_shape": [(-1,), (4, 5, 6), (6, -1, 2), (60, 2)]}, [IMAGE], {}),
    "Permute": ({"dims": [(1, 2, 3), (3, 1, 2), (2, 1, 3)]}, [IMAGE], {}),
    "RepeatVector": ({"n": [1, 3]}, [VECTOR], {}),
    "Identity": ({}, [VECTOR], {}),
    "Masking": ({"mask_value": [0.0, 1.0]}, [SEQUENCE], {}),
    "ActivityRegularization": ({"l1": [0.0, 0.1], "l2": [0.0, 0.2]}, [VECTOR], {}),
    **{
        f"Conv{rank}D": (
            {"filters": [2, 4], **windows(rank), **({"padding": ["valid", "same", "causal"]} if rank == 1 else {}), "groups": [1, 1, 2], **DENSE},
            [SPACES[rank]],
            {},
        )
        for rank in (1, 2, 3)
    },
    **{
        f"Conv{rank}DTranspose": ({"filters": [2, 3], **windows(rank), "output_padding": [None, None, 0, 1], **DENSE}, [SPACES[rank]], {}) for rank in (1, 2, 3)
    },
    **{
        f"DepthwiseConv{rank}D": (
            {**windows(rank), "depth_multiplier": [1, 2], **ACTIVATION, "use_bias": [True, False], **part("depthwise", "bias")},
            [SPACES[rank]],
            {},
        )
        for rank in (1, 2)
    },
    **{
        f"SeparableConv{rank}D": (
            {"filters": [2, 3], **windows(rank), "depth_multiplier": [1, 2], **ACTIVATION, "use_bias": [True, False], **part("depthwise", "pointwise")},
            [SPACES[rank]],
            {},
        )
        for rank in (1, 2)
    },
    **{
        f"{kind}Pooling{rank}D": (
            {"pool_size": [2, 3, "each"], "strides": [None, 1, 2], "padding": ["valid", "same"], **FORMAT},
            [SPACES[rank]],
            {},
        )
        for kind in ("Max", "Average")
        for rank in (1, 2, 3)
    },
    **{f"Global{kind}Pooling{rank}D": ({**FORMAT, "keepdims": [False, True]}, [SPACES[rank]], {}) for kind in ("Max", "Average") for rank in (1, 2, 3)},
    **{f"Adaptive{kind}Pooling{rank}D": ({"output_size": [1, 2, 3], **FORMAT}, [SPACES[rank]], {}) for kind in ("Max", "Average") for rank in (1, 2, 3)},
    "ZeroPadding1D": ({"padding": [1, (1, 2)], **FORMAT}, [SEQUENCE], {}),
    "ZeroPadding2D": ({"padding": [2, (1, 2), ((0, 1), (2, 0))], **FORMAT}, [IMAGE], {}),
    "ZeroPadding3D": ({"padding": [1, (1, 2, 0), ((0, 1), (2, 0), (1, 1))], **FORMAT}, [VOLUME], {}),
    "Cropping1D": ({"cropping": [1, (1, 2)]}, [SEQUENCE], {}),
    "Cropping2D": ({"cropping": [1, (1, 2), ((0, 1), (2, 0))], **FORMAT}, [IMAGE], {}),
    "Cropping3D": ({"cropping": [1, (1, 2, 0), ((0, 1), (2, 0), (1, 1))], **FORMAT}, [VOLUME], {}),
    "UpSampling1D": ({"size": [1, 3]}, [SEQUENCE], {}),
    "UpSampling2D": ({"size": [2, (1, 3)], "interpolation": ["nearest", "bilinear", "bicubic", "lanczos3"], **FORMAT}, [IMAGE], {}),
    "UpSampling3D": ({"size": [2, (1, 3, 2)], **FORMAT}, [VOLUME], {}),
    "BatchNormalization": (
        {"axis": [-1, 1, 2], "momentum": [0.99, 0.5, 0.0], **NORM, **part("moving_mean")} | {"moving_mean_regularizer": "-", "moving_mean_constraint": "-"},
        [IMAGE],
        {},
    ),
    "LayerNormalization": ({"axis": [-1, 1, [1, 2], (2, 3)], **NORM}, [IMAGE], {}),
    "RMSNormalization": ({"axis": [-1, -2, [-2, -1]], "epsilon": [1e-6, 0.1]}, [IMAGE], {}),
    "GroupNormalization": ({"groups": [1, 2, -1], "axis": [-1, 1], **NORM}, [(2, 4, 5, 4)], {}),
    "UnitNormalization": ({"axis": [-1, 1, [1, 2]]}, [IMAGE], {}),
    "ReLU": ({"max_value": [None, 0.5], "negative_slope": [0.0, 0.1], "threshold": [0.0, 0.2]}, [VECTOR], {}),
    "LeakyReLU": ({"negative_slope": [0.3, 0.0]}, [VECTOR], {}),
    "ELU": ({"alpha": [1.0, 0.3]}, [VECTOR], {}),
    "PReLU": ({"shared_axes": [None, [1], [1, 2]], **part("alpha")}, [IMAGE], {}),
    "Softmax": ({"axis": [-1, 1, (1, 2)]}, [IMAGE], {}),
    "SimpleRNN": (RECURRENT, [SEQUENCE], {}),
    "LSTM": ({**RECURRENT, **GATES, "unit_forget_bias": [True, False]}, [SEQUENCE], {}),
    "GRU": ({**RECURRENT, **GATES, "reset_after": [True, False]}, [SEQUENCE], {}),
    "RNN": (
        {
            "cell": ["[layers.LSTMCell(3), layers.GRUCell(2)]", "layers.SimpleRNNCell(3, use_bias=False)", "layers.StackedRNNCells([layers.GRUCell(2)])"],
            **{name: [False, True] for name in ("return_sequences", "return_state", "go_backwards", "unroll", "zero_output_for_mask")},
        },
        [SEQUENCE],
        {},
    ),
    "Bidirectional": (
        {
            "layer": [
                "layers.LSTM(3)",
                "layers.GRU(2, return_sequences=True)",
                "layers.SimpleRNN(2, return_sequences=True, return_state=True)",
                "layers.LSTM(2, go_backwards=True, return_sequences=True)",
            ],
            "merge_mode": ["concat", "sum", "mul", "ave", None],
        },
        [SEQUENCE],
        {},
    ),
    "TimeDistributed": (
        {"layer": ["layers.Dense(3)", "layers.Conv1D(2, 2)", "layers.LSTM(2)", "layers.BatchNormalization()"], **SAME_TYPE},
        [(2, 3, 5, 4)],
        {},
    ),
    "SpectralNormalization": ({"layer": ["layers.Dense(3)", "layers.Conv1D(2, 3)"], "power_iterations": [1, 3], **SAME_TYPE}, [SEQUENCE], {}),
    **{
        f"ConvLSTM{rank}D": (
            {"filters": [2], **windows(rank), **{k: v for k, v in {**RECURRENT, **GATES}.items() if k not in ("units", "unroll")}},
            [(2, 3, *shape[1:])],
            {},
        )
        for rank, shape in ((1, SEQUENCE), (2, (2, 5, 4, 2)), (3, (2, 3, 4, 3, 2)))
    },
    **{name: ({}, [SEQUENCE] * 2, {}) for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")},
    "Concatenate": ({"axis": [-1, 1, 2]}, [SEQUENCE] * 3, {}),
    "Dot": ({"axes": [1, 2, (2, 2), (1, 1), -1], "normalize": [False, True]}, [SEQUENCE] * 2, {}),
    "Attention": ({"use_scale": [False, True], "score_mode": ["dot", "concat"]}, [SEQUENCE] * 3, CALL),
    "AdditiveAttention": ({"use_scale": [False, True]}, [SEQUENCE] * 2, CALL),
    "MultiHeadAttention": (
        {"num_heads": [1, 2], "key_dim": [3], "value_dim": [None, 2], "output_shape": [None, 3, (2, 3)], "attention_axes": [None, 1, (1,)], **HEADS},
        [SEQUENCE, (2, 3, 6)],
        CALL,
    ),
    "GroupQueryAttention": (
        {"head_dim": [2, 3], "num_query_heads": [4], "num_key_value_heads": [1, 2, 4], **HEADS},
        [SEQUENCE, (2, 3, 4)],
        CALL,
    ),
    "Rescaling": ({"scale": [0.5, 2], "offset": [0.0, -1.0]}, [IMAGE], {}),
    "Normalization": ({"axis": [-1, None], "mean": [0.5], "variance": [2.0], "invert": [False, True]}, [VECTOR], {}),
}
SPREAD = ("MultiHeadAttention", "GroupQueryAttention")


def cases(name, count):
    """The first `count` cases of a layer: dicts with `expression`, `shapes`, `spread`, `kwargs`."""
    chance = random.Random(zlib.crc32(name.encode()))
    choices, inputs, call = LAYERS[name]
    rank = int(name[-2]) if name[-1] == "D" else next((int(c) for c in name if c.isdigit()), 1)
    found = []
    for _ in range(50 * count):
        arguments = {
            argument: chance.choice(values)
            for argument, values in {**choices, **{k: v for k, v in COMMON.items() if k not in choices}}.items()
            if values != "-"
        }
        arguments = {k: tuple(chance.choice((1, 2)) for _ in range(rank)) if v == "each" else v for k, v in arguments.items()}
        shown = [f"{k}={v if k in ('cell', 'layer') else repr(v)}" for k, v in arguments.items() if v is not None and (k, v) != ("trainable", True)]
        shapes = [tuple(shape) for shape in inputs]
        if arguments.get("data_format") == "channels_first":
            axis = 2 if name.startswith("ConvLSTM") else 1
            shapes = [(*shape[:axis], shape[-1], *shape[axis:-1]) for shape in shapes]
        case = {"expression": f"{name}({', '.join(shown)})", "shapes": shapes, "spread": name in SPREAD}
        case["kwargs"] = {k: v for k, values in call.items() if (v := chance.choice(values))}
        if case not in found:
            found.append(case)
        if len(found) == count:
            break
    return found
