"""Labels in the wrong form give errors that say what to do."""

import numpy as np
import pytest

from cornu import backends, losses, masks, ops
from cornu.shapes import Spec

PROBABILITIES = np.full((32, 10), 0.1, "float32")
NUMBERS = np.arange(32) % 10
ONE_HOT = np.eye(10, dtype="float32")[NUMBERS]

WRONG = [
    (
        "categorical_crossentropy",
        NUMBERS,
        PROBABILITIES,
        ["(32,)", "class numbers", "(32, 10)", "sparse_categorical_crossentropy", "to_categorical", "num_classes=10"],
    ),
    ("categorical_crossentropy", NUMBERS[:, None], PROBABILITIES, ["(32, 1)", "sparse_categorical_crossentropy"]),
    ("categorical_crossentropy", ONE_HOT[:, :3], PROBABILITIES, ["3 classes", "(32, 10)", "3 units"]),
    ("categorical_crossentropy", ONE_HOT[:30], PROBABILITIES, ["30 and 32 samples"]),
    ("categorical_focal_crossentropy", NUMBERS, PROBABILITIES, ["class numbers", "to_categorical"]),
    ("sparse_categorical_crossentropy", ONE_HOT, PROBABILITIES, ["one-hot", "(32, 10)", "(32,)", "categorical_crossentropy", "argmax"]),
    ("sparse_categorical_crossentropy", NUMBERS[:30], PROBABILITIES, ["30 and 32 samples"]),
    ("sparse_categorical_crossentropy", NUMBERS, NUMBERS / 10, ["(32,)"]),
    ("binary_crossentropy", NUMBERS, PROBABILITIES, ["(32,)", "(32, 10)", "10 classes", "sparse_categorical_crossentropy", "1 unit"]),
    ("binary_crossentropy", ONE_HOT, PROBABILITIES[:, :1], ["(32, 10)", "(32, 1)", "categorical_crossentropy"]),
    ("mean_squared_error", np.zeros(32), PROBABILITIES, ["(32,)", "(32, 10)"]),
    ("mean_squared_error", np.zeros((30, 10)), PROBABILITIES, ["30 and 32 samples"]),
    ("mean_absolute_error", 1.0, 2.0, ["at least one axis"]),
    ("huber", np.zeros((32, 3)), PROBABILITIES, ["(32, 3)", "(32, 10)"]),
    ("ctc", NUMBERS, PROBABILITIES, ["(batch, labels)", "(32,)"]),
]


@pytest.mark.parametrize("case", WRONG, ids=lambda case: f"{case[0]}-{np.shape(case[1])}")
@pytest.mark.parametrize("form", ["function", "object", "spec"])
def test_shapes_that_do_not_fit(case, form):
    name, y_true, y_pred, said = case
    with pytest.raises(ValueError) as error:
        if form == "function":
            losses.get(name)(y_true, y_pred)
        elif form == "object":
            losses.as_loss(name)(y_true, y_pred)
        else:
            losses.get(name)(Spec(np.shape(y_true), "int32" if np.asarray(y_true).dtype.kind == "i" else "float32"), Spec(np.shape(y_pred)))
    for words in (name, *said):
        assert words in str(error.value)


def test_shapes_that_fit():
    expected = losses.mean_squared_error(np.zeros((32, 1)), np.ones((32, 1)))
    for y_true, y_pred in (((32,), (32, 1)), ((32, 1), (32,))):
        got = losses.mean_squared_error(np.zeros(y_true), np.ones(y_pred))
        np.testing.assert_array_equal(backends.numpy(got), backends.numpy(expected))
    assert losses.mean_squared_error(np.zeros((4, 3)), np.ones((4, 3, 1))).shape == (4,)
    assert losses.sparse_categorical_crossentropy(NUMBERS[:, None], PROBABILITIES).shape == (32,)
    assert losses.sparse_categorical_crossentropy(NUMBERS.astype("float32"), PROBABILITIES).shape == (32,)
    assert losses.binary_crossentropy(NUMBERS > 4, PROBABILITIES[:, :1]).shape == (32,)


def test_stretching_and_single_classes_warn():
    with pytest.warns(UserWarning, match=r"mean_squared_error: y_true of shape \(4, 1\)"):
        losses.mean_squared_error(np.zeros((4, 1)), np.ones((4, 3)))
    with pytest.warns(UserWarning, match="binary_crossentropy"):
        losses.categorical_crossentropy(np.ones((4, 1)), np.ones((4, 1)))


VALUES = [
    (
        "SparseCategoricalCrossentropy",
        np.array([0, 3, 10]),
        (None, 10),
        ["SparseCategoricalCrossentropy", "0 to 9", "10 outputs", "got 10", "(2,)", "11 units"],
    ),
    ("SparseCategoricalCrossentropy", np.array([1, 3, 2]), (None, 3), ["0 to 2", "got 3", "start at 1", "subtract 1"]),
    ("SparseCategoricalCrossentropy", np.array([0, -1]), (None, 3), ["got -1"]),
    ("SparseCategoricalCrossentropy", np.array([0, 0.5]), (None, 3), ["got 0.5"]),
    ("SparseCategoricalCrossentropy", np.array([0, np.nan]), (None, 3), ["got nan"]),
    ("SparseCategoricalCrossentropy", np.array([[0], [1]]), (None, 1), ["1 output", "binary_crossentropy"]),
    ("SparseCategoricalCrossentropy", np.array(["cat", "dog"]), (None, 2), ["numbers first"]),
    ("BinaryCrossentropy", np.array([0, 1, 2]), (None, 1), ["BinaryCrossentropy", "0 to 1", "got 2", "(2,)", "sparse_categorical_crossentropy"]),
    ("BinaryCrossentropy", np.array([0, np.nan]), (None, 1), ["got nan"]),
    ("CategoricalCrossentropy", np.array([[0, 255.0]]), (None, 2), ["got 255"]),
    ("CTC", np.array([[1, 9]]), (None, 20, 5), ["0 to 4", "got 9"]),
    ("Circle", np.array([0.5, 1]), (None, 8), ["got 0.5"]),
]


@pytest.mark.parametrize("case", VALUES, ids=lambda case: f"{case[0]}-{case[1].ravel()[-1]}")
def test_values_out_of_range(case):
    name, y_true, shape, said = case
    with pytest.raises(ValueError) as error:
        getattr(losses, name)().check_targets(y_true, shape)
    for words in said:
        assert words in str(error.value)


def test_values_in_range():
    losses.SparseCategoricalCrossentropy().check_targets(np.array([[0.0], [9.0]]), (None, 10))
    losses.SparseCategoricalCrossentropy(ignore_class=255).check_targets(np.array([0, 255, 9]), (None, 10))
    losses.SparseCategoricalCrossentropy().check_targets(np.array([], "int32"), (None, 10))
    losses.BinaryCrossentropy().check_targets(np.array([True, False]), (None, 1))
    losses.CategoricalCrossentropy().check_targets(ONE_HOT, (None, 10))
    losses.MeanSquaredError().check_targets(np.array([1e9]), (None, 1))
    losses.CategoricalGeneralizedCrossEntropy().check_targets(NUMBERS, (None, 10))


def test_one_hot_or_numbers_for_the_generalized_loss():
    by_number = losses.categorical_generalized_cross_entropy(NUMBERS, PROBABILITIES, 0.5)
    np.testing.assert_allclose(backends.numpy(by_number), backends.numpy(losses.categorical_generalized_cross_entropy(ONE_HOT, PROBABILITIES, 0.5)))


class TestGet:
    def test_names(self):
        assert losses.get("mse") is losses.get("MSE") is losses.get("mean_squared_error") is losses.mean_squared_error
        assert isinstance(losses.get("MeanSquaredError"), losses.MeanSquaredError)
        assert losses.get(None) is None
        assert isinstance(losses.get(losses.Huber), losses.Huber)
        assert losses.get({"class_name": "Huber", "config": {"delta": 2.0}}).delta == 2.0

    def test_objects(self):
        assert isinstance(losses.as_loss("mse"), losses.MeanSquaredError)
        assert losses.as_loss(losses.binary_crossentropy, name="b").name == "b"
        given = losses.Huber()
        assert losses.as_loss(given) is given and losses.as_loss(None) is None

        def mine(y_true, y_pred):
            return ops.max(y_pred - y_true, axis=-1)

        wrapped = losses.as_loss(mine)
        assert wrapped.name == "mine" and float(wrapped([[1.0, 2.0]], [[3.0, 2.0]])) == 2.0

    @pytest.mark.parametrize("wrong", ["mean_sqared_error", "crossentropy", "SparseCategoricalCrossEntropi"])
    def test_near_misses(self, wrong):
        with pytest.raises(ValueError, match="Did you mean"):
            losses.get(wrong)

    def test_no_loss(self):
        with pytest.raises(ValueError, match="int"):
            losses.get(3)


class TestLoss:
    def test_own_class(self, backend):
        class Scaled(losses.Loss):
            def __init__(self, factor, **kwargs):
                super().__init__(**kwargs)
                self.factor = factor

            def call(self, y_true, y_pred):
                return ops.mean(ops.abs(y_true - y_pred), axis=-1) * self.factor

            def get_config(self):
                return {**super().get_config(), "factor": self.factor}

        loss = Scaled(3.0)
        assert loss.name == "scaled" and loss.get_config() == {"name": "scaled", "reduction": "sum_over_batch_size", "factor": 3.0}
        assert Scaled.from_config(loss.get_config()).factor == 3.0
        assert float(loss(np.zeros((2, 2)), np.ones((2, 2)), sample_weight=[1, 3])) == 6.0

    def test_a_loss_without_call(self):
        with pytest.raises(NotImplementedError, match="call"):
            losses.Loss()(np.ones(3), np.ones(3))

    def test_reductions(self):
        with pytest.raises(ValueError, match="Did you mean 'sum'"):
            losses.MeanSquaredError(reduction="summ")
        with pytest.raises(TypeError, match="reducton.*Did you mean 'reduction'"):
            losses.MeanSquaredError(reducton="sum")

    def test_arguments_out_of_range(self):
        with pytest.raises(ValueError, match="label_smoothing"):
            losses.BinaryCrossentropy(label_smoothing=2.0)
        with pytest.raises(ValueError, match="q must"):
            losses.CategoricalGeneralizedCrossEntropy(q=1.5)

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
    def test_dtype(self, backend, dtype):
        loss = losses.SparseCategoricalCrossentropy(dtype=dtype)
        assert backends.kind(loss(np.array([300]), np.eye(301, dtype="float32")[[300]])) == dtype
        assert float(loss(np.array([300]), np.eye(301, dtype="float32")[[300]])) < 0.1  # class numbers are not rounded
        assert loss.get_config()["dtype"] == dtype

    def test_empty_batch(self, backend):
        for reduction in ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight"):
            assert float(losses.MeanSquaredError(reduction=reduction)(np.zeros((0, 3)), np.zeros((0, 3)))) == 0.0
        assert float(losses.SparseCategoricalCrossentropy()(np.zeros((0,), "int32"), np.zeros((0, 3)))) == 0.0

    def test_nothing_counts(self, backend):
        y_pred = backends.array(np.ones((2, 3), "float32"))
        masks.set_mask(y_pred, backends.array(np.array([False, False])))
        assert float(losses.MeanSquaredError()(np.zeros((2, 3)), y_pred)) == 0.0
        assert float(losses.MeanSquaredError(reduction="mean_with_sample_weight")(np.zeros((2, 3)), np.ones((2, 3)), sample_weight=[0, 0])) == 0.0

    def test_masked_places_may_hold_anything(self, backend):
        y_pred = backends.array(np.array([[1.0], [np.nan]], "float32"))
        masks.set_mask(y_pred, backends.array(np.array([True, False])))
        assert float(losses.MeanSquaredError()(np.zeros((2, 1)), y_pred)) == 1.0

    def test_weights(self, backend):
        y_true, y_pred = np.zeros((4, 3, 2)), np.ones((4, 3, 2)) * np.arange(4.0).reshape(4, 1, 1)
        by_sample = losses.MeanSquaredError()(y_true, y_pred, sample_weight=np.array([1.0, 0, 0, 2]))
        assert float(by_sample) == pytest.approx(18 / 4)
        with pytest.raises(ValueError, match=r"mean_squared_error: sample_weight of shape \(5,\).*\(4,\).*\(4, 3\)"):
            losses.MeanSquaredError()(y_true, y_pred, sample_weight=np.ones(5))

    def test_structures(self, backend):
        class Both(losses.Loss):
            def call(self, y_true, y_pred):
                return ops.mean(ops.square(y_true["a"] - y_pred["a"]), axis=-1) + ops.mean(ops.abs(y_true["b"] - y_pred["b"]), axis=-1)

        ones, zeros = np.ones((2, 3), "float32"), np.zeros((2, 3), "float32")
        assert float(Both()({"a": zeros, "b": zeros}, {"a": ones, "b": 2 * ones})) == 3.0
