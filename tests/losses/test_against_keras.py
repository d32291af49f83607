"""Every loss gives Keras's numbers and gradients: with weights, masks and each reduction, on each backend."""

import numpy as np
import pytest

from cornu import backends, losses, masks, ops
from tests import oracle

SHAPE = (4, 3, 5)


def _data(kind):
    draw = np.random.default_rng(7)
    y, p = draw.normal(size=SHAPE), draw.normal(size=SHAPE)
    chance = draw.uniform(0.05, 0.95, SHAPE)
    hot = np.eye(5)[draw.integers(0, 5, SHAPE[:-1])]
    found = {
        "real": (y, p),
        "positive": (np.abs(y), np.abs(p)),
        "binary": (np.round(chance), draw.uniform(0.05, 0.95, SHAPE)),
        "binary_logits": (np.round(chance), 3 * p),
        "signs": (np.sign(y), p),
        "hot": (hot, chance),
        "hot_logits": (hot, 3 * p),
        "classes": (hot.argmax(-1), chance),
        "classes_logits": (hot.argmax(-1)[..., None], 3 * p),
        "chances": (chance / chance.sum(-1, keepdims=True), chance[::-1] / chance[::-1].sum(-1, keepdims=True)),
        "embeddings": (np.array([0, 1, 1, 0, 2, 1]), np.linalg.qr(draw.normal(size=(6, 6)))[0]),
        "sequence": (draw.integers(1, 5, (4, 3)), draw.normal(size=(4, 8, 5))),
    }[kind]
    return [x.astype("int32" if x.dtype.kind == "i" else "float32") for x in found]


LOSSES = [
    ("MeanSquaredError", {}, "real"),
    ("MeanAbsoluteError", {}, "real"),
    ("MeanAbsolutePercentageError", {}, "positive"),
    ("MeanSquaredLogarithmicError", {}, "positive"),
    ("CosineSimilarity", {}, "real"),
    ("CosineSimilarity", {"axis": 1}, "real"),
    ("Huber", {}, "real"),
    ("Huber", {"delta": 0.4}, "real"),
    ("LogCosh", {}, "real"),
    ("Poisson", {}, "positive"),
    ("KLDivergence", {}, "chances"),
    ("Hinge", {}, "signs"),
    ("Hinge", {}, "binary"),
    ("SquaredHinge", {}, "binary"),
    ("SquaredHinge", {}, "real"),
    ("CategoricalHinge", {}, "hot"),
    ("BinaryCrossentropy", {}, "binary"),
    ("BinaryCrossentropy", {"label_smoothing": 0.2, "axis": 1}, "binary"),
    ("BinaryCrossentropy", {"from_logits": True}, "binary_logits"),
    ("BinaryFocalCrossentropy", {}, "binary"),
    ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "alpha": 0.3, "gamma": 1.5, "label_smoothing": 0.1}, "binary"),
    ("BinaryFocalCrossentropy", {"from_logits": True}, "binary_logits"),
    ("CategoricalCrossentropy", {}, "hot"),
    ("CategoricalCrossentropy", {"label_smoothing": 0.1}, "hot"),
    ("CategoricalCrossentropy", {"from_logits": True}, "hot_logits"),
    ("CategoricalCrossentropy", {"axis": 1}, "hot"),
    ("CategoricalFocalCrossentropy", {}, "hot"),
    ("CategoricalFocalCrossentropy", {"alpha": 0.5, "gamma": 1.0, "from_logits": True, "label_smoothing": 0.1}, "hot_logits"),
    ("CategoricalGeneralizedCrossEntropy", {}, "classes"),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.2}, "classes"),
    ("SparseCategoricalCrossentropy", {}, "classes"),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, "classes_logits"),
    ("SparseCategoricalCrossentropy", {"ignore_class": 2}, "classes"),
    ("SparseCategoricalCrossentropy", {"from_logits": True, "ignore_class": 0}, "classes_logits"),
    ("Dice", {}, "binary"),
    ("Dice", {"axis": [1, 2]}, "binary"),
    ("Tversky", {"alpha": 0.3, "beta": 0.9}, "binary"),
    ("Tversky", {"axis": [1, 2]}, "binary"),
    ("Circle", {}, "embeddings"),
    ("Circle", {"gamma": 20.0, "margin": 0.25, "remove_diagonal": False}, "embeddings"),
    ("CTC", {}, "sequence"),
]
_said = {}  # what Keras gave, asked once for all backends
KERAS = """
import jax
loss = getattr(keras.losses, name)(**{k: tuple(v) if isinstance(v, list) else v for k, v in config.items()})
out["config"] = loss.get_config()
y_true = jax.numpy.asarray(y_true)
def value(y_pred, reduction):
    loss.reduction = reduction
    if mask is not None:
        y_pred = y_pred * 1
        y_pred._keras_mask = jax.numpy.asarray(mask)
    return loss(y_true, y_pred, sample_weight=weights)
for reduction in ("sum_over_batch_size", "sum", "mean_with_sample_weight", "none"):
    out[reduction] = value(jax.numpy.asarray(y_pred), reduction)
if mask is None:
    out["gradient"] = jax.grad(value)(jax.numpy.asarray(y_pred), "sum_over_batch_size")
"""


def _ids(case):
    name, config, kind = case
    return f"{name}-{kind}" + "".join(f"-{k}" for k in config)


@pytest.mark.parametrize("weighting", ["plain", "weights", "mask", "both"])
@pytest.mark.parametrize("case", LOSSES, ids=_ids)
def test_class(backend, case, weighting):
    name, config, kind = case
    y_true, y_pred = _data(kind)
    config = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}
    places = getattr(losses, name)(**config, reduction="none")(y_true, y_pred).shape
    if weighting in ("mask", "both") and not places:
        pytest.skip("one loss for the whole batch has nothing to mask")
    draw = np.random.default_rng(3)
    weights = draw.uniform(0, 2, places).astype("float32") if weighting in ("weights", "both") else None
    mask = draw.uniform(size=places) > 0.4 if weighting in ("mask", "both") else None
    listed = {k: list(v) if isinstance(v, tuple) else v for k, v in config.items()}
    key = (_ids(case), str(config), weighting)
    if key not in _said:
        _said[key] = oracle.run(KERAS, name=name, config=listed, y_true=y_true, y_pred=y_pred, weights=weights, mask=mask)
    expected = _said[key]
    for reduction in ("sum_over_batch_size", "sum", "mean_with_sample_weight", "none"):
        if reduction == "mean_with_sample_weight" and not places:
            continue  # Keras does not divide one loss by one weight
        tensor = backends.array(y_pred)
        if mask is not None:
            masks.set_mask(tensor, backends.array(mask))
        got = getattr(losses, name)(**config, reduction=reduction)(y_true, tensor, sample_weight=weights)
        np.testing.assert_allclose(backends.numpy(got), expected[reduction], rtol=1e-5, atol=1e-6, err_msg=reduction)
    loss = getattr(losses, name)(**config)
    if mask is None:
        _, (gradient,) = backend.value_and_grad(lambda arrays: (loss(y_true, arrays[0], sample_weight=weights), None), [backends.array(y_pred)])
        np.testing.assert_allclose(backends.numpy(gradient), expected["gradient"], rtol=2e-4, atol=2e-6)
    kept = {k: v for k, v in loss.get_config().items() if k in expected["config"]}
    assert {k: list(v) if isinstance(v, tuple) else v for k, v in kept.items()} == {
        k: list(v) if isinstance(v, tuple) else v for k, v in expected["config"].items()
    }


@pytest.mark.parametrize("name", [n for n in losses.__all__ if n.islower() and n not in ("as_loss", "get", "serialize", "deserialize")])
def test_function(backend, name):
    kind = {
        "binary_crossentropy": "binary", "binary_focal_crossentropy": "binary", "categorical_crossentropy": "hot", "categorical_focal_crossentropy": "hot",
        "categorical_generalized_cross_entropy": "classes", "categorical_hinge": "hot", "circle": "embeddings", "ctc": "sequence", "dice": "binary",
        "hinge": "signs", "squared_hinge": "signs", "kl_divergence": "chances", "sparse_categorical_crossentropy": "classes", "tversky": "binary",
    }.get(name, "positive")  # fmt: skip
    y_true, y_pred = _data(kind)
    extra = {"q": 0.3} if name == "categorical_generalized_cross_entropy" else {}
    code = "out['y'] = getattr(keras.losses, name)(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred), **extra)"
    expected = oracle.run(code, name=name, y_true=y_true, y_pred=y_pred, extra=extra)["y"]
    got = getattr(losses, name)(y_true, y_pred, **extra)
    np.testing.assert_allclose(backends.numpy(got), expected, rtol=1e-5, atol=1e-6)


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


@pytest.mark.parametrize("case", EXTREMES, ids=lambda case: f"{case[0]}{'-logits' * bool(case[1])}")
def test_extremes_are_finite_and_as_in_keras(backend, case):
    name, config, y_true, y_pred = case
    y_true, y_pred = np.array(y_true, "int32" if "Sparse" in name else "float32"), np.array(y_pred, "float32")
    expected = oracle.run("out['y'] = getattr(keras.losses, name)(**config)(y_true, y_pred)", name=name, config=config, y_true=y_true, y_pred=y_pred)["y"]
    loss = getattr(losses, name)(**config)
    (got, _), (gradient,) = backend.value_and_grad(lambda arrays: (loss(y_true, arrays[0]), None), [backends.array(y_pred)])
    np.testing.assert_allclose(backends.numpy(got), expected, rtol=1e-5, atol=1e-6)
    assert np.isfinite(backends.numpy(gradient)).all()


def test_circle_with_references(backend):
    y_true, y_pred = _data("embeddings")
    code = "out['y'] = keras.losses.circle(ops.convert_to_tensor(y), ops.convert_to_tensor(p), ref_labels=ops.convert_to_tensor(r), ref_embeddings=ops.convert_to_tensor(e), remove_diagonal=d)"
    for diagonal in (True, False):
        values = {"y": y_true, "p": y_pred, "r": y_true[1:4], "e": y_pred[2:5], "d": diagonal}
        got = losses.circle(y_true, y_pred, ref_labels=y_true[1:4], ref_embeddings=y_pred[2:5], remove_diagonal=diagonal)
        np.testing.assert_allclose(backends.numpy(got), oracle.run(code, **values)["y"], rtol=1e-5, atol=1e-6)


def test_functions_take_configs_that_keras_wrote():
    written = oracle.run("out['f'] = keras.losses.serialize(keras.losses.mean_squared_error); out['c'] = keras.losses.serialize(keras.losses.Huber(delta=2.0))")
    assert losses.deserialize(written["f"]) is losses.mean_squared_error
    assert isinstance(losses.deserialize(written["c"]), losses.Huber)
    back = oracle.run(
        "out['f'] = keras.losses.deserialize(f).__name__; out['c'] = keras.losses.deserialize(c).get_config()",
        f=losses.serialize(losses.mean_squared_error),
        c=losses.serialize(losses.Huber(delta=2.0)),
    )
    assert back["f"] == "mean_squared_error" and back["c"]["name"] == "huber_loss"


def test_a_loss_on_symbols_and_specs():
    from cornu.shapes import Spec

    assert losses.MeanSquaredError()(Spec((None, 3)), Spec((None, 3))).shape == ()
    assert losses.SparseCategoricalCrossentropy(reduction=None)(Spec((None,), "int32"), Spec((None, 3))).shape == (None,)
    assert ops.shape(losses.binary_crossentropy(Spec((None, 3)), Spec((None, 3)))) == (None,)
