"""Every public op with arguments to try it on: a line an op."""

import importlib
import pathlib

import numpy as np

from tests.ops.check import draw

f = draw
A, B, V, ROWS = f((2, 3)), f((2, 3), seed=1), f((5,)), f((3, 4), seed=2)
POSITIVE, UNIT = f((2, 3), 0.2, 3), f((2, 3), -0.9, 0.9)
INTS, SMALL = np.array([[3, -1, 2], [0, 5, -4]], "int32"), np.array([[1, 2, 3], [2, 1, 2]], "int32")
FLAGS, FLAGS2 = np.array([[True, False, True], [False, False, True]]), np.array([[True, True, False], [False, True, True]])
CUBE, IMAGE, SIGNAL, VOLUME = f((2, 3, 4)), f((2, 6, 5, 3)), f((2, 7, 3)), f((1, 4, 4, 3, 2))
NANS = np.array([[np.nan, 1.0, 2.0], [4.0, np.nan, -3.0]], "float32")
SQUARE = f((3, 3), seed=3) + 3 * np.eye(3, dtype="float32")
DEFINITE = SQUARE @ SQUARE.T
HIGH, LOW = np.array([np.inf, -np.inf, np.nan, 1.0, -0.0], "float32"), np.array([1.0, 2.0, -1.0, 1.0, 0.0], "float32")
COMPLEX = (A + 1j * B).astype("complex64")
PROBABILITIES = f((4, 3), 0.1, 0.9)
ONE_HOT = np.eye(3, dtype="float32")[[0, 2, 1, 1]]
DRAWN = f((2, 5, 4, 6), seed=4), f((2, 3, 2, 6), seed=5), f((2, 3, 2, 6), seed=6)


class Case:
    """The arguments of one call, and what need not be compared: `gradient`, `keras`, `spec`, `compiled`; `unknown` says whose sizes may be open."""

    def __init__(self, *args, gradient=True, keras=True, spec=True, compiled=None, unknown=True, tolerance=1e-5, **kwargs):
        self.args, self.kwargs = args, kwargs
        self.gradient, self.keras, self.spec, self.unknown, self.tolerance = gradient, keras, spec, unknown, tolerance
        self.compiled = spec if compiled is None else compiled
        self.eager, self.symbolic = True, spec


C = Case


def N(*args, **kwargs):
    """A case of an op without a gradient."""
    return Case(*args, gradient=False, **kwargs)


def K(*args, **kwargs):
    """A case whose other arguments than the first are weights, of sizes always known."""
    return Case(*args, unknown=(0,), **kwargs)


CASES = {}
CASES |= {
    name: [C(A)]
    for name in "negative abs absolute square exp expm1 sin cos tan arctan sinh cosh tanh arcsinh sigmoid erf exp2 deg2rad rad2deg fabs sinc".split()
}
CASES |= {name: [C(POSITIVE)] for name in "log log1p log2 log10 sqrt rsqrt reciprocal cbrt".split()}
CASES |= {name: [C(UNIT)] for name in "arcsin arccos arctanh erfinv".split()} | {"arccosh": [C(POSITIVE + 1)], "erfc": [C(A)]}
CASES |= {name: [N(A), N(INTS)] for name in "sign floor ceil round trunc signbit isnan isinf isfinite isreal logical_not".split()}
CASES |= {name: [N(HIGH)] for name in "isneginf isposinf nan_to_num".split()}
CASES |= {name: [N(COMPLEX), C(A)] for name in "real imag conj conjugate angle".split()}
CASES |= {name: [N(INTS)] for name in "bitwise_not bitwise_invert".split()}
CASES["abs"] += [N(COMPLEX), N(INTS)]
CASES["round"] += [N(A, 1), N(INTS * 7, 0)]
CASES["square"] += [N(INTS)]
CASES["cbrt"] += [C(-POSITIVE)]
CASES |= {name: [C(A, B), C(A, B[0]), C(A, 2.0), N(INTS, SMALL), N(INTS, 2.5)] for name in "add subtract multiply divide true_divide maximum minimum".split()}
CASES |= {name: [N(INTS, SMALL), N(A, B), N(INTS, 3), N(A, 1.5)] for name in "floor_divide mod fmod".split()}
CASES |= {name: [C(A, B)] for name in "arctan2 hypot logaddexp logaddexp2 fmax fmin".split()}
CASES |= {name: [N(A, B), N(INTS, SMALL), N(A, 0.5), N(HIGH, HIGH)] for name in "equal not_equal less less_equal greater greater_equal".split()}
CASES |= {name: [N(FLAGS, FLAGS2), N(INTS, SMALL)] for name in "logical_and logical_or logical_xor".split()}
CASES |= {name: [N(INTS, SMALL), N(INTS, 3)] for name in "bitwise_and bitwise_or bitwise_xor".split()}
CASES |= {name: [N(INTS, SMALL), N(INTS, 1)] for name in "left_shift right_shift bitwise_left_shift bitwise_right_shift".split()}
CASES |= {
    "power": [C(POSITIVE, B), C(A, 2), N(SMALL, 2), C(POSITIVE, 0.5)],
    "nextafter": [N(A, B)],
    "divide_no_nan": [C(A, POSITIVE), N(A, np.array([0.0, 1.0, 2.0], "float32"))],
    "heaviside": [N(LOW, 0.5), N(HIGH, 0.5)],
    "ldexp": [C(A, SMALL)],
    "isclose": [N(A, A + 1e-6), N(HIGH, HIGH), N(HIGH, HIGH, equal_nan=True)],
    "allclose": [N(A, A + 1e-7), N(A, B)],
    "clip": [C(A, -1, 1), C(A, -0.4, B), N(INTS, 0, 3)],
    "where": [C(FLAGS, A, B), C(FLAGS, A, 0.0), N(FLAGS, INTS, 1.5), N(FLAGS, 1, 0), N(FLAGS, spec=False)],
    "nonzero": [N(INTS, spec=False)],
    "select": [N([FLAGS, FLAGS2], [A, B], 7.0)],
}
FLOAT_REDUCTIONS = [C(A), C(CUBE, axis=1), C(CUBE, axis=(0, -1), keepdims=True), C(CUBE, axis=-1)]
CASES |= {name: [*FLOAT_REDUCTIONS, N(INTS, axis=0)] for name in "sum mean max min amax amin prod var std logsumexp ptp".split()}
CASES["max"] += [C(A, initial=5.0), N(np.zeros((0, 2), "float32"), axis=0, initial=1.0, unknown=False)]
CASES["sum"] += [N(FLAGS), N(INTS.astype("uint8")), C(np.zeros((0, 3), "float32"), axis=0), C(np.float32(2.0))]
CASES |= {name: [N(FLAGS), N(INTS, axis=0), N(A, axis=1, keepdims=True)] for name in ("any", "all")}
CASES |= {name: [N(A), N(CUBE, axis=1), N(CUBE, axis=-1, keepdims=True), N(CUBE, keepdims=True), N(SMALL, axis=1)] for name in ("argmax", "argmin")}
CASES |= {name: [N(NANS), N(NANS, axis=1), N(A, axis=0)] for name in "nansum nanprod nanmax nanmin nanmean nanvar nanstd nanargmax nanargmin".split()}
CASES |= {name: [N(NANS), N(NANS, axis=1)] for name in ("nancumsum", "nancumprod")}
CASES |= {name: [C(V), C(CUBE, axis=1), C(A), N(INTS, axis=-1)] for name in ("cumsum", "cumprod")}
CASES |= {
    "moments": [C(CUBE, (0, 1)), C(CUBE, [-1], keepdims=True)],
    "average": [C(A), C(A, axis=1, weights=POSITIVE[0]), C(A, axis=0, weights=POSITIVE), C(A, weights=POSITIVE)],
    "count_nonzero": [N(INTS), N(INTS, axis=1)],
    "norm": [
        C(V),
        C(A),
        C(A, axis=1),
        *(C(A, order, (0, 1), True) for order in (1, -1, np.inf, -np.inf, "fro")),
        N(A, "nuc"),
        N(A, 2),
        C(CUBE, 3, -1),
        C(V, 1),
        C(V, np.inf),
        N(V, 0),
    ],
}
CASES |= {
    "view": [N(A, "int32"), N(INTS, "uint8"), N(INTS.astype("uint8")[:, :2], "int16")],
    "cast": [C(A, "float16", gradient=False), N(A, "int32"), N(INTS, "float32"), N(INTS, "bool")],
    "saturate_cast": [N(A * 300, "uint8"), N(A * 1e20, "int32"), N(INTS, "uint8"), N(A * 1e30, "float16")],
    "convert_to_tensor": [C(A), N(INTS, "float32")],
    "array": [C(A)],
    "zeros": [N((2, 3)), N((), "int32"), N(4)],
    "ones": [N((2, 3)), N((2,), dtype="bool")],
    "empty": [N((2, 3), keras=False)],
    "full": [N((2, 3), 1.5), N((2, 3), 2), N((2, 3), V[:3]), N((2,), 3, "float32")],
    "zeros_like": [N(A), N(INTS, "float32")],
    "ones_like": [N(A), N(INTS)],
    "empty_like": [N(A, keras=False)],
    "full_like": [N(A, 2), N(INTS, 2.5)],
    "arange": [N(4), N(1, 7, 2), N(0.5, 3), N(5, 0, -2), N(3, dtype="float32")],
    "linspace": [C(0, 1, 5), C(A, B, 4), C(A, B, 3, axis=1), N(0, 10, 5, endpoint=False, retstep=True), N(0, 9, 4, dtype="int32"), N(2.0, 3.0, 1)],
    "logspace": [N(0, 2, 5), N(0, 3, 4, base=2)],
    "eye": [N(3), N(2, 4, k=1), N(3, dtype="int32"), N(3, 2, -1)],
    "identity": [N(3)],
    "tri": [N(3), N(2, 4, 1)],
    "one_hot": [N(SMALL, 4), N(SMALL, 4, axis=0), N(np.array([-1, 0, 9]), 3), N(SMALL, 4, axis=1, dtype="int32")],
    "multi_hot": [N(SMALL, 4), N(SMALL[0], 5)],
    "stop_gradient": [N(A)],
    "copy": [N(A)],
}
CASES |= {
    "reshape": [C(A, (3, 2)), C(CUBE, (-1, 4)), C(CUBE, (2, -1)), C(A, 6, unknown=False), C(CUBE, (2, 12))],
    "ravel": [C(CUBE)],
    "squeeze": [C(A[:, None, :, None], unknown=False), C(A[:, None], axis=1), C(A[:, None, :, None], axis=(1, 3))],
    "expand_dims": [C(A, 0), C(A, -1), C(A, (1, 3))],
    "transpose": [C(CUBE), C(CUBE, (1, 2, 0)), C(CUBE, axes=[0, -1, 1])],
    "moveaxis": [C(CUBE, 0, -1), C(CUBE, (0, 1), (-1, 0))],
    "swapaxes": [C(CUBE, 0, -1)],
    "broadcast_to": [C(A, (4, 2, 3)), C(A[:, :1], (2, 5)), C(V[:1], (3,))],
    "concatenate": [C([A, B], 0), C([CUBE, CUBE], -1), N([INTS, A], 1)],
    "stack": [C([A, B]), C([A, B], -1), N([INTS, A], 1)],
    "unstack": [C(CUBE, axis=1), C(A, 2)],
    "split": [C(CUBE, 2, 2), C(V, [1, 3], unknown=False), C(CUBE, [1], axis=1), C(A, 2), C(CUBE, 3, axis=-2)],
    "array_split": [C(V, 2, unknown=False), C(CUBE, 3, axis=2)],
    "hsplit": [C(CUBE, 3)],
    "vsplit": [C(A, 2)],
    "dsplit": [C(CUBE, 2)],
    "hstack": [C([V, V]), C([A, B])],
    "vstack": [C([V, V], unknown=False), C([A, B])],
    "dstack": [C([V, V], unknown=False), C([A, B])],
    "append": [C(A, B), C(A, B, axis=1)],
    "pad": [
        C(A, ((1, 0), (2, 1))),
        C(A, 1, constant_values=2.0),
        *(C(CUBE, ((0, 0), (1, 2), (2, 1)), mode) for mode in ("reflect", "symmetric")),
        C(A, ((1, 1), (0, 0)), "symmetric"),
    ],
    "flip": [C(A), C(CUBE, 1), C(CUBE, (0, -1))],
    "fliplr": [C(A)],
    "flipud": [C(A)],
    "rot90": [C(A, k) for k in (0, 1, 2, 3)] + [C(CUBE, 1, (1, 2))],
    "roll": [C(V, 2), C(A, 1), C(A, -1, axis=1), C(CUBE, (1, 2), axis=(0, 2))],
    "repeat": [C(A, 2), C(A, 3, axis=1), C(A, np.array([1, 2]), axis=0, spec=False)],
    "tile": [C(A, (2, 1)), C(V, 3), C(A, (2, 1, 2)), C(CUBE, (2,))],
    "meshgrid": [C(V, A[0]), C(V, A[0], indexing="ij"), C(V)],
    "tril": [C(A), C(CUBE, 1), C(A, -1)],
    "triu": [C(A), C(CUBE, 1), C(A, -1)],
    "diagonal": [C(A), C(CUBE, 1, 1, 2), C(CUBE, -1, 0, 2), C(ROWS, 2), C(ROWS, -1)],
    "diag": [C(V), C(V, 1), C(V, -2), C(ROWS), C(ROWS, 1)],
    "diagflat": [C(A), C(V, 1)],
    "trace": [C(A), C(CUBE, 1, 1, 2)],
    "depth_to_space": [C(f((1, 2, 3, 8)), 2), C(f((1, 8, 2, 3)), 2, "channels_first")],
    "space_to_depth": [C(f((1, 4, 6, 2)), 2), C(f((1, 2, 4, 6)), 2, "channels_first")],
}
CASES |= {
    "get_item": [C(CUBE, 1), C(CUBE, (slice(None), 1)), C(CUBE, (Ellipsis, None, slice(0, 2))), C(CUBE, (slice(None), slice(None, None, 2), -1))],
    "take": [C(V, SMALL), C(CUBE, [0, 2, 0], axis=1), C(CUBE, np.array([[0, 1], [2, -1]]), axis=-2), C(A, 2, axis=1), C(A, [4, 1])],
    "take_along_axis": [C(A, np.array([[0, 2], [1, 1]]), axis=1), C(A, np.array([[1, 0, 1]]), axis=0), C(A, np.array([3, 1]))],
    "slice": [C(CUBE, (0, 1, 2), (2, 2, 1), unknown=False), K(CUBE, np.array([0, 1, 0]), (1, 2, 3), keras=False)],
    "slice_update": [C(CUBE, (0, 1, 2), f((2, 2, 1), seed=7)), C(A, np.array([1, 0]), f((1, 2), seed=7), unknown=False, keras=False)],
    "scatter": [C(np.array([[0], [2], [0]]), f((3, 2)), (4, 2)), C(np.array([[0, 1], [2, 0]]), f((2,)), (3, 2))],
    "scatter_update": [
        C(A, np.array([[0, 1], [1, 2]]), V[:2]),
        C(A, np.array([[1]]), V[None, :3]),
        *(N(A, np.array([[0, 1], [1, 2]]), V[:2], r) for r in ("max", "min", "mul")),
        C(A, np.array([[0], [0]]), B, "add"),
    ],
    "segment_sum": [C(ROWS, np.array([0, 2, 0]), 3), C(ROWS, np.array([0, 0, 1]), sorted=True, keras=False, spec=False), C(V, np.array([0, 1, 1, 5, -1]), 3)],
    "segment_max": [C(ROWS, np.array([0, 1, 0]), 2), N(ROWS, np.array([0, 2, 0]), 3), N(INTS, np.array([0, 0]), 2)],
    "segment_min": [C(ROWS, np.array([0, 1, 0]), 2), N(ROWS, np.array([0, 2, 0]), 3)],
    "segment_prod": [C(ROWS, np.array([0, 2, 0]), 3, gradient=False)],
    "sort": [C(CUBE), C(CUBE, 1), N(INTS, 0)],
    "argsort": [N(CUBE), N(SMALL, 1), N(INTS, 0), N(INTS, None)],
    "argpartition": [N(A, 1, keras=False)],
    "top_k": [C(A, 2), C(CUBE, 1), N(INTS, 3)],
    "in_top_k": [N(np.array([0, 2, 1, 1]), PROBABILITIES, 2), N(np.array([0, 2, 1, 1]), ONE_HOT, 1)],
    "searchsorted": [N(np.sort(V), A), N(np.sort(V), A, side="right"), N(np.array([1, 2, 2, 3]), SMALL)],
    "digitize": [N(A, np.array([-1.0, 0.0, 1.0], "float32"))],
    "bincount": [
        N(SMALL[0], unknown=False, spec=False),
        N(SMALL[0], weights=A[0], spec=False),
        N(SMALL[0], minlength=6, spec=False),
        N(np.array([[1, 3, 3], [2, 1, 3]]), spec=False),
    ],
    "histogram": [N(V, 3), N(V, 4, (-1.0, 1.0))],
    "isin": [N(SMALL, [1, 3]), N(SMALL, np.array([[2]]), invert=True)],
    "unravel_index": [N(np.array([5, 0, 3]), (2, 3))],
    "unique": [N(SMALL, spec=False), N(SMALL, return_counts=True, return_inverse=True, return_index=True, spec=False), N(SMALL, size=5, spec=False)],
}
CASES |= {
    "matmul": [
        C(A, ROWS),
        C(A, V[:3]),
        C(V[:2], A),
        C(V, V),
        C(f((2, 1, 2, 3)), f((3, 3, 2))),
        N(INTS, SMALL.T),
        N(INTS.astype("int8"), SMALL.T.astype("int8")),
    ],
    "dot": [C(A, ROWS), C(V, V), C(A, 2.0), C(CUBE, f((4,))), C(CUBE, f((2, 4, 3)))],
    "tensordot": [C(CUBE, f((3, 4, 2)), 2), C(A, B, [[0], [0]]), C(A, B, [[0, 1], [0, 1]]), C(A, V, 0), C(CUBE, CUBE, ([0, 2], [0, 2]))],
    "einsum": [
        C("ij,jk->ik", A, ROWS),
        C("...i,ij", A, ROWS),
        C("bij,bij->b", CUBE, CUBE),
        C("ii->i", SQUARE),
        C("i,j,k->ijk", V, V, V),
        C("ab->ba", A),
        C("...j,...j->...", A, B),
        C("ii", SQUARE),
    ],
    "inner": [C(A, B), C(V, V), C(A, 2.0)],
    "outer": [C(A, V)],
    "vdot": [C(A, B), N(COMPLEX, COMPLEX)],
    "kron": [C(A, ROWS), C(V, A)],
    "cross": [C(A, B), C(A[:, :2], B), C(A[:, :2], B[:, :2], unknown=False), C(f((3, 2)), f((3, 2), seed=1), axis=0)],
    "normalize": [C(A), C(A, 0), C(A, -1, 1), C(A, -1, 3), C(A, -1, np.inf, keras=False)],
    "cholesky": [C(DEFINITE, gradient=False), N(DEFINITE, upper=True)],
    "cholesky_inverse": [N(np.tril(SQUARE), tolerance=1e-4), N(np.triu(SQUARE), upper=True, tolerance=1e-4)],
    "inv": [C(SQUARE), C(np.stack([SQUARE, DEFINITE]))],
    "det": [C(SQUARE)],
    "slogdet": [C(SQUARE), N(-SQUARE)],
    "logdet": [N(DEFINITE)],
    "qr": [N(SQUARE), N(f((4, 2)))],
    "svd": [N(A, keras=False), N(A, False, keras=False), N(A, compute_uv=False)],
    "eigh": [N(DEFINITE, keras=False)],
    "solve": [C(SQUARE, ROWS), N(SQUARE, V[:3], unknown=False)],
    "solve_triangular": [C(np.triu(SQUARE), ROWS, gradient=False), N(np.tril(SQUARE), ROWS, lower=True)],
    "pinv": [N(ROWS, tolerance=1e-4)],
    "eig": [N(SQUARE, keras=False, compiled=False)],
    "lu_factor": [N(SQUARE)],
    "lstsq": [N(ROWS.T, f((4,)), unknown=False, tolerance=1e-4)],
    "matrix_rank": [N(ROWS), N(np.ones((3, 3), "float32"))],
    "cdist": [C(A, f((4, 3))), C(CUBE, f((2, 5, 4)))],
}
PAIRS = [(s, p, d) for s in (1, 2) for p in ("valid", "same") for d in (1, 2) if s == 1 or d == 1]
CASES |= {
    "conv": [
        *(K(IMAGE, f((3, 2, 3, 4)), s, p, "channels_last", d) for s, p, d in PAIRS),
        K(SIGNAL, f((3, 3, 2)), 2, "same"),
        K(VOLUME, f((2, 3, 2, 2, 2)), padding="same"),
        K(f((1, 4, 4, 4)), f((3, 3, 2, 6)), padding="same"),
        K(np.moveaxis(IMAGE, -1, 1), f((3, 2, 3, 4)), 2, "same", "channels_first", keras=False),
        K(IMAGE, f((1, 1, 3, 2)), (1, 2)),
    ],
    "depthwise_conv": [K(IMAGE, f((3, 2, 3, 2)), s, p, dilation_rate=d) for s, p, d in PAIRS] + [K(SIGNAL, f((3, 3, 1)))],
    "separable_conv": [K(IMAGE, f((3, 3, 3, 2)), f((1, 1, 6, 2)), 1, "same"), K(SIGNAL, f((2, 3, 1)), f((1, 3, 2)))],
    "conv_transpose": [
        *(K(f((1, 4, 3, 2)), f((k, 2, 3, 2)), s, p) for k in (1, 2, 3, 4) for s in (1, 2, 3) for p in ("valid", "same")),
        *(K(f((1, 4, 2)), f((3, 3, 2)), 1, p, dilation_rate=2) for p in ("valid", "same")),
        *(K(f((1, 4, 2)), f((k, 3, 2)), 2, p, 1) for k in (2, 3, 4) for p in ("valid", "same")),
        K(f((1, 3, 2, 2, 1)), f((2, 2, 2, 1, 1)), 2, "same"),
    ],
    "max_pool": [
        C(IMAGE, (2, 2), (2, 2)),
        C(IMAGE, 2, keras=False),
        C(IMAGE, 3, 2, "same"),
        C(SIGNAL, 2, 1, "valid"),
        C(IMAGE, (2, 3), (1, 2), "same"),
        C(VOLUME, (2, 2, 2), (2, 2, 2)),
        C(np.moveaxis(IMAGE, -1, 1), (2, 2), (2, 2), data_format="channels_first"),
    ],
    "average_pool": [
        C(IMAGE, (2, 2), (2, 2)),
        C(IMAGE, 2, keras=False),
        C(IMAGE, 3, 2, "same"),
        C(SIGNAL, 2, 1, "valid"),
        C(IMAGE, (2, 3), (1, 2), "same"),
        C(VOLUME, (2, 2, 2), (2, 2, 2)),
    ],
    "adaptive_average_pool": [C(IMAGE, 2), C(IMAGE, (3, 2)), C(SIGNAL, 3), C(np.moveaxis(IMAGE, -1, 1), (2, 5), "channels_first")],
    "adaptive_max_pool": [C(IMAGE, 2), C(IMAGE, (3, 2)), C(SIGNAL, 3)],
    "fold": [C(f((2, 12, 9)), (4, 4), 2), C(f((1, 12, 9)), (5, 4), (3, 2), 1, 1, 2), C(f((1, 8, 4)), (4, 4), 2, 2)],
    "unfold": [C(np.moveaxis(IMAGE, -1, 1), 2), C(np.moveaxis(IMAGE, -1, 1), (2, 3), 1, 1, 2)],
}
ACTIVATIONS = "relu relu6 leaky_relu elu celu selu gelu silu swish softplus softsign log_sigmoid hard_sigmoid hard_silu hard_swish hard_tanh tanh_shrink hard_shrink soft_shrink squareplus sparse_plus sparse_sigmoid softmax log_softmax sparsemax"
CASES |= {name: [C(A), C(CUBE * 3), C(A * 50, gradient=False)] for name in ACTIVATIONS.split()}
CASES["sparsemax"] = [C(A), C(CUBE * 3, keras=False)]  # where an entry leads by more than 1, Keras gives rows of zeros
CASES["gelu"] += [C(CUBE, approximate=False)]
CASES["softmax"] += [C(CUBE, 1), C(CUBE, (1, 2)), N(np.array([1, 2, 3], "int32"))]
CASES["log_softmax"] += [C(CUBE, 1)]
CASES["sparsemax"] += [C(CUBE, 1, keras=False)]
for _name in "relu relu6 elu selu gelu softplus softsign hard_sigmoid hard_silu hard_tanh tanh_shrink hard_shrink soft_shrink squareplus".split():
    CASES[_name] += [N(INTS)]
CASES |= {"glu": [C(f((2, 4))), C(f((2, 4)), 0)], "threshold": [C(A, 0.3, 9.0)]}
CASES["leaky_relu"] += [C(A, 0.01)]
CASES["elu"] += [C(A, 0.5)]
CASES["celu"] += [C(A, 0.5)]
CASES |= {
    "batch_normalization": [C(CUBE, f((4,)), f((4,), 0.5, 2), -1), C(CUBE, f((3,)), f((3,), 0.5, 2), 1, f((3,), seed=2), f((3,), seed=3), 1e-2)],
    "layer_normalization": [
        C(CUBE),
        C(CUBE, f((4,)), f((4,), seed=1), -1, 1e-3),
        C(CUBE, f((3, 4)), None, (1, 2), 1e-3),
        C(CUBE, f((3,)), f((3,), seed=2), 1, 1e-3, keras=False),
    ],
    "rms_normalization": [C(CUBE), C(CUBE, f((4,)), -1, 1e-3)],
    "binary_crossentropy": [
        C(np.float32(FLAGS), f((2, 3), 0.1, 0.9)),
        C(np.float32(FLAGS), A, True),
        N(np.float32(FLAGS), np.float32(FLAGS)),
        N(np.float32(FLAGS), A * 60, True),
    ],
    "categorical_crossentropy": [C(ONE_HOT, PROBABILITIES), C(ONE_HOT, f((4, 3)), True), N(ONE_HOT, ONE_HOT), C(f((2, 3, 4), 0, 1), CUBE, True, 1)],
    "sparse_categorical_crossentropy": [
        C(np.array([0, 2, 1, 1]), PROBABILITIES),
        C(np.array([[0], [2], [1], [1]]), f((4, 3)), True, unknown=False),
        C(np.array([[0, 2, 1, 1], [0, 1, 2, 2]]), CUBE, True, 1, keras=False),
        N(np.array([0, 5, -1, 1]), f((4, 3)), True),
    ],
    "dot_product_attention": [
        C(*DRAWN),
        C(*DRAWN, is_causal=True),
        C(*DRAWN, mask=np.random.default_rng(0).random((2, 4, 5, 3)) > 0.3),
        C(*DRAWN, bias=f((2, 4, 5, 3), seed=8), scale=0.3),
        C(*DRAWN, attn_logits_soft_cap=2.0, keras=False),
    ],
}
Q = np.array([0.1, 0.4, 0.8], "float32")
WAVE = f((2, 20))
CASES |= {
    "quantile": [
        C(A, 0.3),
        C(CUBE, Q, 1),
        C(CUBE, 0.4, (0, 2), keepdims=True),
        *(N(V, 0.3, method=m) for m in ("lower", "higher", "midpoint", "nearest")),
        N(NANS, 0.5, 1),
    ],
    "percentile": [C(A, 30.0), C(CUBE, Q * 100, 1)],
    "median": [C(A), C(CUBE, 1), C(CUBE, (0, 2), True)],
    "nanquantile": [N(NANS, 0.3), N(NANS, Q, 1)],
    "nanpercentile": [N(NANS, 30.0)],
    "nanmedian": [N(NANS), N(NANS, 1, True)],
    "corrcoef": [C(ROWS, tolerance=1e-4), C(CUBE[0])],
    "correlate": [C(f((m,)), f((n,), seed=1), mode) for m, n in ((6, 3), (3, 6), (5, 5), (7, 4), (4, 7)) for mode in ("valid", "same", "full")],
    "diff": [C(CUBE), C(CUBE, 2, 1), N(FLAGS), C(V, 1, 0)],
    "trapezoid": [C(A), C(A, dx=0.5, axis=0), C(A, POSITIVE[0]), C(A, POSITIVE)],
    "vander": [C(V), N(V, 3), N(V, 4, increasing=True), N(SMALL[0])],
    "gcd": [N(INTS * 6, SMALL * 4), N(INTS, 6)],
    "lcm": [N(INTS * 6, SMALL * 4)],
    "geomspace": [N(1.0, 1000.0, 4), N(-2.0, -16.0, 4), N(1.0, 256.0, 5, endpoint=False)],
    "psnr": [C(A, B, 2.0)],
}
CASES |= {
    "fft": [N((CUBE, f((2, 3, 4), seed=1)))],
    "fft2": [N((CUBE, f((2, 3, 4), seed=1)))],
    "ifft2": [N((CUBE, f((2, 3, 4), seed=1)))],
    "rfft": [N(CUBE), N(CUBE, 3), N(CUBE, 7), N(WAVE)],
    "irfft": [N((CUBE, f((2, 3, 4), seed=1))), N((CUBE, f((2, 3, 4), seed=1)), 5), N((CUBE, f((2, 3, 4), seed=1)), 9)],
    "polar": [N(POSITIVE, A)],
    "view_as_complex": [N(CUBE[..., :2])],
    "view_as_real": [N(COMPLEX)],
    "i0": [C(A), C(CUBE * 4, tolerance=1e-4)],
    "kaiser": [N(7, 3.0)],
    "extract_sequences": [C(WAVE, 5, 3), C(V, 2, 1, unknown=False)],
    "stft": [
        N(WAVE, 6, 3, 8, tolerance=1e-4),
        N(WAVE, 6, 3, 6, window="hamming", center=False, tolerance=1e-4),
        N(WAVE[0], 4, 2, 4, window=None, unknown=False),
    ],
    "istft": [
        N((f((2, 6, 5)), f((2, 6, 5), seed=1)), 8, 3, 8, tolerance=1e-4),
        N((f((6, 5)), f((6, 5), seed=1)), 6, 2, 8, length=14, center=True, unknown=False, tolerance=1e-4),
    ],
    "rearrange": [C(CUBE, "a b c -> c (a b)"), C(CUBE, "a b (c d) -> (a c) b d", c=2), C(CUBE, "a b c -> a 1 (b c)", keras=False)],
}
CASES |= {name: [N(1), N(6), N(7)] for name in ("bartlett", "blackman", "hamming", "hanning")}
PICTURES, PICTURE = f((2, 5, 4, 3), 0, 1), f((5, 6, 3), 0, 1)
PIXELS = (PICTURES * 255).astype("uint8")
FIRST = np.ascontiguousarray(np.moveaxis(PICTURES, -1, 1))
CASES |= {
    "image.resize": [
        *(C(PICTURES, size, how) for how in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5") for size in ((8, 3), (3, 9))),
        *(C(PICTURES, (2, 3), how, True) for how in ("bilinear", "bicubic")),
        C(PICTURE, (4, 4), crop_to_aspect_ratio=True, unknown=False),
        C(PICTURE, (4, 4), pad_to_aspect_ratio=True, fill_value=0.5, unknown=False),
        C(FIRST, (7, 7), data_format="channels_first"),
        N(PIXELS, (7, 7), tolerance=1e-2),  # a half may round to either side
        N(PIXELS, (7, 7), "nearest"),
    ],
    "image.pad_images": [C(PICTURES, 1, 2, 3, 0), C(PICTURES, 1, None, None, 2, 9, 8), C(PICTURE, None, 1, 1, 1, 8, unknown=False)],
    "image.crop_images": [C(PICTURES, 1, 2, 1, 0), C(PICTURES, 1, None, None, 1, 3, 2), C(PICTURE, None, 1, 1, 1, 3, unknown=False)],
    "image.rgb_to_grayscale": [C(PICTURES), C(FIRST, "channels_first"), C(PICTURE, unknown=False)],
    "image.rgb_to_hsv": [C(PICTURES), N(np.zeros((1, 2, 2, 3), "float32"))],
    "image.hsv_to_rgb": [C(PICTURES), C(FIRST, "channels_first")],
    "image.extract_patches": [
        C(PICTURES, 2),
        C(PICTURES, (2, 3), (1, 2), 1, "same"),
        C(PICTURE, 2, 1, 2, unknown=False),
        C(FIRST, 2, data_format="channels_first"),
    ],
}
BY_GRADIENT = {  # what has none in the cases above
    "nan_to_num": [C(A)],
    **{name: [C(A, POSITIVE)] for name in ("mod", "fmod")},
    "select": [C([FLAGS, FLAGS2], [A, B], 7.0)],
    **{name: [C(A), C(A, axis=1)] for name in "nansum nanprod nanmax nanmin nanmean nanvar nanstd nancumsum nancumprod nanmedian".split()},
    "nanquantile": [C(A, 0.3)],
    "nanpercentile": [C(A, 30.0)],
    "logspace": [C(A, B, 4)],
    "full_like": [C(A, V[:3], keras=False)],
    "copy": [C(A)],
    "cholesky": [C(DEFINITE)],
    "cholesky_inverse": [C(np.tril(SQUARE), tolerance=1e-4)],
    "logdet": [C(DEFINITE)],
    "qr": [C(SQUARE)],
    "svd": [C(A, compute_uv=False)],
    "eigh": [C(DEFINITE, keras=False)],
    "solve_triangular": [C(np.triu(SQUARE), ROWS)],
    "pinv": [C(ROWS, tolerance=1e-4)],
    "lstsq": [C(ROWS.T, f((4,)), unknown=False, tolerance=1e-4)],
    "geomspace": [C(POSITIVE, POSITIVE + 1, 4)],
    **{name: [C((CUBE, f((2, 3, 4), seed=1)))] for name in "fft fft2 ifft2 irfft".split()},
    "rfft": [C(CUBE)],
    "polar": [C(POSITIVE, A)],
    "view_as_complex": [C(CUBE[..., :2])],
    "stft": [C(WAVE, 6, 3, 8, tolerance=1e-4)],
    "istft": [C((f((2, 6, 5)), f((2, 6, 5), seed=1)), 8, 3, 8, tolerance=1e-4)],
}
for _name, _calls in BY_GRADIENT.items():
    CASES[_name] = [*_calls, *CASES[_name]]
PLAIN = "shape size ndim dtype is_tensor convert_to_numpy lgamma digamma vectorize".split()  # no tensors come out, or no op of Keras
BY_HAND = "cond switch while_loop fori_loop scan map vectorized_map associative_scan custom_gradient ctc_loss ctc_decode jvp".split()  # in other files
ON_JAX = (
    "binary_crossentropy gelu hard_sigmoid hard_silu saturate_cast segment_max selu soft_shrink unique".split()
)  # ops whose reference is Keras on JAX: on NumPy it gives something else


def everywhere():
    """Name -> cases, of all tests of ops: those above and the `ROWS` of other files, whose `PLACE` says where in `ops` their names are."""
    found = dict(CASES) | {name: [Case()] for name in BY_HAND}
    for path in sorted(pathlib.Path(__file__).parent.glob("test_*.py")):
        module = importlib.import_module(f"tests.ops.{path.stem}")
        place = getattr(module, "PLACE", "")
        for name, rows in getattr(module, "ROWS", {}).items():
            found[f"{place}{name}"] = [*found.get(f"{place}{name}", ()), *rows]
    return found
