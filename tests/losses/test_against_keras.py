"""Every loss gives Keras's numbers, gradients and config: a seeded walk over arguments, reductions, weights and masks, on each backend."""

import numpy as np
import pytest

from cornu import backends, losses, masks, ops
from cornu.shapes import Spec
from tests import oracle

COUNT = 10  # cases of each loss; the first has the default arguments
SMOOTH = {"label_smoothing": [0.0, 0.1, 0.5, 1.0]}
LOGITS = {"from_logits": [False, True]}
REDUCTIONS = ["sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None]
WALK = {  # loss -> the kind of its data, and values of its arguments
    "MeanSquaredError": ("real", {}),
    "MeanAbsoluteError": ("real", {}),
    "MeanAbsolutePercentageError": ("positive", {}),
    "MeanSquaredLogarithmicError": ("positive", {}),
    "CosineSimilarity": ("real", {"axis": [-1, 1, 2, -2]}),
    "Huber": ("real", {"delta": [1.0, 0.3, 2.5]}),
    "LogCosh": ("real", {}),
    "Poisson": ("positive", {}),
    "KLDivergence": ("chances", {}),
    "Hinge": ("signs", {}),
    "SquaredHinge": ("binary", {}),
    "CategoricalHinge": ("hot", {}),
    "BinaryCrossentropy": ("binary", {**LOGITS, **SMOOTH, "axis": [-1, 1]}),
    "BinaryFocalCrossentropy": (
        "binary",
        {**LOGITS, **SMOOTH, "axis": [-1, 1], "apply_class_balancing": [False, True], "alpha": [0.25, 0.7], "gamma": [2.0, 1.0, 0.5]},
    ),
    "CategoricalCrossentropy": ("hot", {**LOGITS, **SMOOTH, "axis": [-1, 1]}),
    "CategoricalFocalCrossentropy": ("hot", {**LOGITS, **SMOOTH, "axis": [-1], "alpha": [0.25, 0.7, [0.1, 0.2, 0.3, 0.4, 0.5]], "gamma": [2.0, 1.0, 0.5]}),
    "CategoricalGeneralizedCrossEntropy": ("classes", {"q": [0.5, 0.1, 0.9]}),
    "SparseCategoricalCrossentropy": ("classes", {**LOGITS, "ignore_class": [None, 0, 2, -1]}),
    "Dice": ("binary", {"axis": [None, [1, 2], [0], [2]]}),
    "Tversky": ("binary", {"alpha": [0.5, 0.2], "beta": [0.5, 0.9], "axis": [None, [1, 2], [0]]}),
    "Circle": ("embeddings", {"gamma": [80.0, 10.0], "margin": [0.4, 0.25], "remove_diagonal": [True, False]}),
    "CTC": ("sequence", {}),
}


def data(kind, draw):
    """Labels and predictions of a kind."""
    shape = (4, 3, 5)
    y, p = draw.normal(size=shape), draw.normal(size=shape)
    chance, hot = draw.uniform(0.05, 0.95, shape), np.eye(5)[draw.integers(0, 5, shape[:-1])]
    found = {
        "real": lambda: (y, p),
        "positive": lambda: (np.abs(y), np.abs(p)),
        "binary": lambda: (np.round(chance), draw.uniform(0.05, 0.95, shape)),
        "signs": lambda: (np.sign(y), p),
        "hot": lambda: (hot, chance),
        "classes": lambda: (hot.argmax(-1), chance),
        "chances": lambda: (chance / chance.sum(-1, keepdims=True), chance[::-1] / chance[::-1].sum(-1, keepdims=True)),
        "embeddings": lambda: (np.array([0, 1, 1, 0, 2, 1]), np.linalg.qr(draw.normal(size=(6, 6)))[0]),
        "sequence": lambda: (draw.integers(1, 5, (4, 3)), draw.normal(size=(4, 8, 5))),
    }[kind]()
    return [x.astype("int32" if x.dtype.kind == "i" else "float32") for x in found]


def cases(name):
    """The walk of one loss: (config, y_true, y_pred, sample_weight, mask) of each case."""
    kind, arguments = WALK[name]
    draw = np.random.default_rng(sum(map(ord, name)))
    found = []
    for index in range(COUNT):
        config = {key: values[draw.integers(len(values))] for key, values in arguments.items()} if index else {}
        y_true, y_pred = data(kind, draw)
        if name.startswith("Categorical") and config.get("axis", -1) != -1:
            config["label_smoothing"] = 0.0  # where Keras counts the classes along another axis
        if config.get("from_logits"):
            y_pred = (3 * draw.normal(size=y_pred.shape)).astype("float32")
        if name == "SparseCategoricalCrossentropy" and index % 2:
            y_true = y_true[..., None]
        places = tuple(getattr(losses, name)(**config, reduction="none")(Spec(y_true.shape, y_true.dtype.name), Spec(y_pred.shape)).shape)
        config["reduction"] = REDUCTIONS[index % len(REDUCTIONS)]
        forms = [(), places, *([(*places, 1), (places[0], 1)] if len(places) > 1 else [])] if places else [()]  # one a sample fails there
        weights = draw.choice([0.0, 0.5, 1.0, 2.0], forms[draw.integers(len(forms))]).astype("float32") if index % 3 else None
        if not places and config["reduction"] == "mean_with_sample_weight":
            weights = None  # Keras does not divide one loss by one weight
        mask = draw.uniform(size=places) > 0.4 if places and index > 5 else None
        if weights is not None and (mask is not None or config.get("ignore_class") is not None or name == "Circle"):
            weights = draw.choice([0.0, 0.5, 1.0, 2.0], places).astype("float32")  # of another shape, Keras fails
        found.append((config, y_true, y_pred, weights, mask))
    return found


KERAS = """
for name, found in walks.items():
    out[name] = []
    for config, y_true, y_pred, weights, mask in found:
        loss = getattr(keras.losses, name)(**{k: tuple(v) if k == "axis" and isinstance(v, list) else v for k, v in config.items()})
        if mask is not None:
            y_pred = y_pred.view(type("Masked", (np.ndarray,), {}))
            y_pred._keras_mask = mask
        try:
            out[name].append((loss(y_true, y_pred, sample_weight=weights), loss.get_config()))
        except ValueError as error:
            raise ValueError(f"{name} {config} {np.shape(weights)} {np.shape(mask)} {y_pred.shape}: {error}")
"""
SLOPES = """
import jax
for name, found in walks.items():
    out[name] = []
    for config, y_true, y_pred, weights, _ in found:
        loss = getattr(keras.losses, name)(**{**config, "reduction": "sum"})
        slope = jax.jit(jax.grad(lambda p, y, w: loss(y, p, sample_weight=w)))
        out[name].append(slope(jax.numpy.asarray(y_pred), jax.numpy.asarray(y_true), weights))
"""


@pytest.fixture(scope="module")
def said():
    """What Keras gave for all walks, asked once: values and configs, and gradients of two cases of each loss."""
    walks = {name: cases(name) for name in WALK}
    return oracle.run(KERAS, backend="numpy", walks=walks), oracle.run(SLOPES, walks={name: found[:2] for name, found in walks.items()})


def tupled(config):
    return {key: tuple(value) if key == "axis" and isinstance(value, list) else value for key, value in config.items()}


def listed(config):
    return {key: list(value) if isinstance(value, tuple) else value for key, value in config.items()}


@pytest.mark.parametrize("name", WALK)
def test_walk(said, name, backend):
    values, slopes = said[0][name], said[1][name]
    every = list(zip(cases(name), values, strict=True))
    for (config, y_true, y_pred, weights, mask), (wanted, written) in every if backends.name() == "numpy" else every[1::4]:
        loss = getattr(losses, name)(**tupled(config))
        tensor = backends.array(y_pred)
        if mask is not None:
            masks.set_mask(tensor, backends.array(mask))
        told = f"{name}({config}), weights {weights}, mask {mask}"
        np.testing.assert_allclose(backends.numpy(loss(y_true, tensor, sample_weight=weights)), wanted, rtol=1e-5, atol=1e-6, err_msg=told)
        found = listed(loss.get_config())
        assert {key: found[key] for key in written} == listed(written)  # ours has axis and delta too, which Keras forgets in three losses
        again = losses.deserialize(losses.serialize(loss))
        assert type(again) is type(loss) and again.get_config() == loss.get_config()
    for (config, y_true, y_pred, weights, _), slope in zip(cases(name) if backends.name() == "numpy" else cases(name)[:1], slopes):
        loss = getattr(losses, name)(**tupled(config) | {"reduction": "sum"})
        _, (got,) = backend.value_and_grad(lambda arrays: (loss(y_true, arrays[0], sample_weight=weights), None), [backends.array(y_pred)])  # noqa: B023
        np.testing.assert_allclose(backends.numpy(got), slope, rtol=5e-4, atol=5e-6, err_msg=f"gradient of {name}({config}), weights {weights}")


def test_types(backend):
    """`dtype` is the type computed in and given, as a name or a policy."""
    given = [("MeanSquaredError", "float16"), ("Huber", "bfloat16"), ("CategoricalCrossentropy", "mixed_float16"), ("SparseCategoricalCrossentropy", "float16")]
    y_true, y_pred = data("hot", np.random.default_rng(8))
    code = """
out["y"] = []
for name, dtype in given:
    y = keras.losses.__dict__[name](dtype=dtype)(numbers if "Sparse" in name else y_true, y_pred)
    out["y"].append((keras.backend.standardize_dtype(y.dtype), float(y)))
"""
    numbers = y_true.argmax(-1)
    for (name, dtype), (kind, value) in zip(given, oracle.run(code, given=given, y_true=y_true, y_pred=y_pred, numbers=numbers)["y"]):
        loss = getattr(losses, name)(dtype=dtype)
        got = loss(numbers if "Sparse" in name else y_true, y_pred)
        assert backends.kind(got) == kind == loss.dtype, name
        np.testing.assert_allclose(float(got), value, rtol=2e-2, err_msg=name)


def test_functions(backend):
    kinds = {
        "binary_crossentropy": "binary", "binary_focal_crossentropy": "binary", "categorical_crossentropy": "hot", "categorical_focal_crossentropy": "hot",
        "categorical_generalized_cross_entropy": "classes", "categorical_hinge": "hot", "circle": "embeddings", "ctc": "sequence", "dice": "binary",
        "hinge": "signs", "squared_hinge": "signs", "kl_divergence": "chances", "sparse_categorical_crossentropy": "classes", "tversky": "binary",
    }  # fmt: skip
    names = [n for n in losses.__all__ if n.islower() and n not in ("as_loss", "get", "serialize", "deserialize")]
    given = {name: (*data(kinds.get(name, "positive"), np.random.default_rng(5)), {"q": 0.3} if "generalized" in name else {}) for name in names}
    expected = oracle.run("out.update({n: getattr(keras.losses, n)(y, p, **extra) for n, (y, p, extra) in given.items()})", backend="numpy", given=given)
    for name, (y_true, y_pred, extra) in list(given.items())[:: 4 if backends.name() == "jax" else 1]:
        np.testing.assert_allclose(backends.numpy(getattr(losses, name)(y_true, y_pred, **extra)), expected[name], rtol=1e-5, atol=1e-6, err_msg=name)


EXTREMES = [
    ("BinaryCrossentropy", {"from_logits": True}, [[0, 1, 1, 0]], [[1e4, -1e4, 1e4, -1e4]]),
    ("BinaryCrossentropy", {}, [[0, 1, 1, 0]], [[1.0, 0.0, 1.0, 0.0]]),
    ("CategoricalCrossentropy", {"from_logits": True}, [[0, 1]], [[1e4, -1e4]]),
    ("CategoricalCrossentropy", {}, [[0, 1], [1, 0]], [[1.0, 0.0], [1.0, 0.0]]),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, [0, 1], [[1e4, -1e4], [1e4, -1e4]]),
    ("SparseCategoricalCrossentropy", {}, [0, 1], [[1.0, 0.0], [1.0, 0.0]]),
    ("BinaryFocalCrossentropy", {"from_logits": True}, [[0, 1]], [[1e4, -1e4]]),
    ("CategoricalFocalCrossentropy", {}, [[0, 1]], [[1.0, 0.0]]),
    ("LogCosh", {}, [[0.0, 0.0, 0.0]], [[1e4, -1e4, 0.0]]),
    ("Huber", {}, [[0.0, 0.0]], [[1e4, -1e4]]),
    ("KLDivergence", {}, [[0.0, 1.0]], [[1.0, 0.0]]),
    ("Poisson", {}, [[0.0, 1.0]], [[0.0, 0.0]]),
    ("MeanAbsolutePercentageError", {}, [[0.0, 1.0]], [[1.0, 1.0]]),
    ("CosineSimilarity", {}, [[0.0, 0.0]], [[1.0, 2.0]]),
    ("Dice", {}, [[0.0, 0.0]], [[0.0, 0.0]]),
]


def test_extremes_are_finite_and_as_in_keras(backend):
    given = [(name, config, np.array(y, "int32" if "Sparse" in name else "float32"), np.array(p, "float32")) for name, config, y, p in EXTREMES]
    expected = oracle.run(
        "out['y'] = [getattr(keras.losses, n)(**c)(ops.convert_to_tensor(y), ops.convert_to_tensor(p)) for n, c, y, p in given]", given=given
    )["y"]
    for (name, config, y_true, y_pred), wanted in list(zip(given, expected))[:: 3 if backends.name() == "jax" else 1]:
        loss = getattr(losses, name)(**config)
        (got, _), (gradient,) = backend.value_and_grad(lambda arrays: (loss(y_true, arrays[0]), None), [backends.array(y_pred)])  # noqa: B023
        np.testing.assert_allclose(backends.numpy(got), wanted, rtol=1e-5, atol=1e-6, err_msg=name)
        assert np.isfinite(backends.numpy(gradient)).all(), name


def test_smoothing_along_another_axis(backend):
    y_true, y_pred = np.moveaxis(np.eye(5, dtype="float32")[[[0, 1, 2]]], -1, 1), np.full((1, 5, 3), 0.2, "float32")
    moved = losses.categorical_crossentropy(np.moveaxis(y_true, 1, -1), np.moveaxis(y_pred, 1, -1), label_smoothing=0.3)
    got = losses.categorical_crossentropy(y_true, y_pred, label_smoothing=0.3, axis=1)
    np.testing.assert_allclose(backends.numpy(got), backends.numpy(moved), rtol=1e-6)


def test_one_weight_a_sample_stands_for_all_its_places(backend):
    y_true, y_pred, weights = *data("real", np.random.default_rng(2)), np.array([0.0, 1.0, 2.0, 0.5], "float32")
    spread = losses.MeanSquaredError()(y_true, y_pred, sample_weight=np.repeat(weights[:, None], 3, 1))
    np.testing.assert_allclose(backends.numpy(losses.MeanSquaredError()(y_true, y_pred, sample_weight=weights)), backends.numpy(spread), rtol=1e-6)


def test_circle_with_references(backend):
    y_true, y_pred = data("embeddings", np.random.default_rng(3))
    code = "out['y'] = [keras.losses.circle(y, p, ref_labels=r, ref_embeddings=e, remove_diagonal=d) for d in (True, False)]"
    expected = oracle.run(code, backend="numpy", y=y_true, p=y_pred, r=y_true[1:4], e=y_pred[2:5])["y"]
    for diagonal, wanted in zip((True, False), expected):
        got = losses.circle(y_true, y_pred, ref_labels=y_true[1:4], ref_embeddings=y_pred[2:5], remove_diagonal=diagonal)
        np.testing.assert_allclose(backends.numpy(got), wanted, rtol=1e-5, atol=1e-6)


def test_functions_take_configs_that_keras_wrote():
    code = """
out["f"], out["c"] = keras.losses.serialize(keras.losses.mean_squared_error), keras.losses.serialize(keras.losses.Huber(delta=2.0))
out["back"] = [keras.losses.deserialize(f).__name__, keras.losses.deserialize(c).get_config()["name"]]
out["names"] = {n: getattr(keras.losses.get(n), "__name__", type(keras.losses.get(n)).__name__) for n in names}
"""
    names = [
        *(n for n in losses.__all__ if "eneralized" not in n and n not in ("Loss", "as_loss", "get", "serialize", "deserialize")),
        "mse",
        "MSE",
        "mae",
        "MAE",
        "mape",
        "msle",
        "bce",
        "BCE",
    ]
    names += ["kld", "KLD", "MAPE", "MSLE"]
    found = {n: losses.get(n) for n in names}
    huber = losses.serialize(losses.Huber(delta=2.0))
    said = oracle.run(code, backend="numpy", f=losses.serialize(losses.mean_squared_error), c=huber, names=names)
    assert losses.deserialize(said["f"]) is losses.mean_squared_error and isinstance(losses.deserialize(said["c"]), losses.Huber)
    assert said["back"] == ["mean_squared_error", "huber_loss"]
    assert {n: getattr(f, "__name__", type(f).__name__) for n, f in found.items()} == said["names"]


def test_a_loss_on_symbols_and_specs():
    assert losses.MeanSquaredError()(Spec((None, 3)), Spec((None, 3))).shape == ()
    assert losses.SparseCategoricalCrossentropy(reduction=None)(Spec((None,), "int32"), Spec((None, 3))).shape == (None,)
    assert ops.shape(losses.binary_crossentropy(Spec((None, 3)), Spec((None, 3)))) == (None,)


WRONG = {  # loss -> arguments that are refused
    "Huber": [{"delta": 0.0}, {"delta": -1.0}, {"delta": "a"}],
    "CosineSimilarity": [{"axis": 1.5}, {"axis": "a"}],
    "BinaryCrossentropy": [{"label_smoothing": -0.1}, {"label_smoothing": 1.5}, {"label_smoothing": "a"}, {"axis": "a"}],
    "BinaryFocalCrossentropy": [{"alpha": 2.0}, {"alpha": -1.0}, {"gamma": -1.0}, {"gamma": "a"}, {"label_smoothing": 2.0}],
    "CategoricalCrossentropy": [{"label_smoothing": 2.0}, {"axis": None}],
    "CategoricalFocalCrossentropy": [{"alpha": -1.0}, {"alpha": "a"}, {"gamma": -1.0}, {"label_smoothing": 2.0}],
    "CategoricalGeneralizedCrossEntropy": [{"q": 0.0}, {"q": 1.0}, {"q": "a"}],
    "SparseCategoricalCrossentropy": [{"ignore_class": "a"}, {"ignore_class": 0.5}, {"axis": "a"}],
    "Dice": [{"axis": "a"}, {"axis": 0.5}],
    "Tversky": [{"alpha": -1.0}, {"beta": -0.5}, {"beta": "a"}, {"axis": [0.5]}],
    "Circle": [{"gamma": 0.0}, {"gamma": "a"}, {"margin": -0.1}, {"margin": 1.5}],
}
ALL = [{"reduction": "avg"}, {"reduction": 3}, {"reduction": ["sum"]}, {"name": 3}, {"dtype": "float99"}, {"dtype": 3}, {"unknown": 1}]


@pytest.mark.parametrize("name", WALK)
def test_wrong_arguments(name):
    for given in [*ALL, *WRONG.get(name, [])]:
        with pytest.raises((ValueError, TypeError)) as error:
            getattr(losses, name)(**given)
        assert name in str(error.value) and next(iter(given)) in str(error.value), (given, str(error.value))
