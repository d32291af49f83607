"""scikit-learn's own checks of estimators, and what they do not ask."""

import pickle
import warnings

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")

from sklearn.base import clone  # noqa: E402
from sklearn.datasets import load_breast_cancer, load_diabetes  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

import cornu as keras  # noqa: E402
from cornu import backends, layers  # noqa: E402
from cornu.wrappers import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer  # noqa: E402


class Make:
    """A function that shows itself by its name alone: tests are called after what they are given."""

    def __call__(self, *args, **kwargs):
        return built(*args, **kwargs)

    def __deepcopy__(self, memo):
        return self

    def __repr__(self):
        return "make"


make = Make()


def built(X, y, loss="mse", units=20, seed=0, rate=0.05):
    keras.utils.set_random_seed(seed)
    last = "softmax" if "cross" in loss else "linear"
    model = keras.Sequential([keras.Input(X.shape[1:]), layers.Dense(units, "relu"), layers.Dense(y.shape[1], last)])
    model.compile(keras.optimizers.Adam(rate), loss)
    return model


FIT = {"epochs": 30, "batch_size": 64, "verbose": 0}
ESTIMATORS = [
    SKLearnClassifier(make, model_kwargs={"loss": "categorical_crossentropy"}, fit_kwargs=FIT),
    SKLearnRegressor(make, fit_kwargs=FIT),
    SKLearnTransformer(make, fit_kwargs=FIT),
]


@parametrize_with_checks(ESTIMATORS)
def test_the_checks_of_scikit_learn(estimator, check):
    backends.load("numpy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)


def test_a_pipeline_learns_real_data():
    X, y = load_breast_cancer(return_X_y=True)
    names = np.array(["malignant", "benign"])[y]
    pipeline = make_pipeline(StandardScaler(), SKLearnClassifier(make, model_kwargs={"loss": "categorical_crossentropy"}, fit_kwargs=FIT))
    assert cross_val_score(pipeline, X, names, cv=3).mean() > 0.94


def test_a_search_over_arguments_of_the_function():
    X, y = load_diabetes(return_X_y=True)
    estimator = SKLearnRegressor(make, model_kwargs={"units": 2}, fit_kwargs={"epochs": 40, "verbose": 0})
    search = GridSearchCV(estimator, {"model_kwargs": [{"rate": 1e-6}, {"rate": 0.02}]}, cv=2)
    search.fit(X, y)
    assert search.best_params_ == {"model_kwargs": {"rate": 0.02}}
    assert search.best_score_ > 0.3


def test_a_model_is_copied_for_each_fit():
    X, y = np.random.default_rng(0).random((32, 3)), np.arange(32.0)
    model = make(X, y[:, None])
    before = model.get_weights()
    estimator = SKLearnRegressor(model, fit_kwargs={"verbose": 0}).fit(X, y, epochs=3)
    assert estimator.model_ is not model and estimator.epoch_ == [0, 1, 2] and estimator.fit_kwargs == {"verbose": 0}
    np.testing.assert_array_equal(before[0], model.get_weights()[0])
    assert clone(estimator).fit_kwargs == {"verbose": 0}
    again = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_allclose(again.predict(X), estimator.predict(X), rtol=1e-6)


def test_a_warm_start_goes_on():
    X, y = np.random.default_rng(0).random((32, 3)), np.array(["a", "b"] * 16)
    estimator = SKLearnClassifier(make, True, {"loss": "categorical_crossentropy"}, {"verbose": 0})
    first = estimator.fit(X, y).model_
    assert estimator.fit(X, y).model_ is first and int(first.optimizer.iterations.numpy()) == 2
    with pytest.raises(ValueError, match="a warm start knows the classes .* 'c' too"):
        estimator.fit(X, np.array(["a", "c"] * 16))


def test_what_models_see():
    seen = []

    def watched(X, y):
        seen.append((X.shape, y.shape))
        return make(X, y)

    X, y = np.zeros((6, 2)), np.array([0.0, 1, 2, 0, 1, 2])
    regressor = SKLearnRegressor(watched, fit_kwargs={"verbose": 0})
    assert regressor.fit(X, y).predict(X).shape == (6,)
    assert regressor.fit(X, np.stack([y, y], 1)).predict(X).shape == (6, 2)
    classifier = SKLearnClassifier(watched, fit_kwargs={"verbose": 0}).fit(X, y)
    assert classifier.decision_function(X).shape == (6, 3) and set(classifier.predict(X)) <= {0.0, 1.0, 2.0}
    assert classifier.fit(X, y > 0).decision_function(X).shape == (6,)
    transformer = SKLearnTransformer(watched, fit_kwargs={"verbose": 0}).fit(X, y)
    assert transformer.transform(X).shape == (6, 1)
    assert seen == [((6, 2), (6, 1)), ((6, 2), (6, 2)), ((6, 2), (6, 3)), ((6, 2), (6, 2)), ((6, 2), (6, 1))]


def test_weights_reach_the_model_through_a_pipeline():
    seen = []

    class Watched(SKLearnRegressor):
        def fit(self, X, y, **kwargs):
            seen.append(kwargs)
            return super().fit(X, y, **kwargs)

    X, y = np.zeros((6, 2)), np.arange(6.0)
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = Watched(make, fit_kwargs={"verbose": 0}).set_fit_request(sample_weight=True)
        make_pipeline(StandardScaler().set_fit_request(sample_weight=False), estimator).fit(X, y, sample_weight=y)
    np.testing.assert_array_equal(seen[0]["sample_weight"], y)


@pytest.mark.parametrize(
    ("model", "options", "error", "said"),
    [
        (keras.Sequential([layers.Dense(1)]), {}, ValueError, "must be compiled"),
        (lambda X, y: keras.Sequential([layers.Dense(1)]), {}, ValueError, "must be compiled"),
        (3, {}, TypeError, "compiled model, or a function"),
        (lambda X, y: 3, {}, TypeError, "it gave 3"),
        (make(np.zeros((1, 2)), np.zeros((1, 1))), {"model_kwargs": {"units": 3}}, ValueError, "model_kwargs are for a function"),
    ],
)
def test_mistakes(model, options, error, said):
    with pytest.raises(error, match=said):
        SKLearnRegressor(model, **options).fit(np.zeros((4, 2)), np.zeros(4))
