"""Models as estimators of scikit-learn, for its pipelines, searches and scores."""

import numpy as np

from cornu.models import Model, clone_model

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError:
    BaseEstimator = ClassifierMixin = RegressorMixin = TransformerMixin = None

_BASES = [cls for cls in (BaseEstimator,) if cls is not None]


class Estimator(*_BASES):
    """What the three wrappers share.

    Args:
        model: a compiled model, of which each fit trains a copy with new weights; or a function `model(X, y, **model_kwargs)` that gives a
            compiled model for data of that form.
        warm_start: whether another `fit` goes on with the weights of the last one.
        model_kwargs: dictionary of arguments for the function.
        fit_kwargs: dictionary of arguments for the model's `fit`.

    Raises:
        ImportError: scikit-learn is not installed.

    After `fit`: `model_`, the trained model; `history_`, its History; `n_features_in_`.
    """

    def __init__(self, model, warm_start=False, model_kwargs=None, fit_kwargs=None):
        if BaseEstimator is None:
            raise ImportError(f"{type(self).__name__} needs the package scikit-learn, which is not installed. Install it: pip install scikit-learn")
        self.model, self.warm_start, self.model_kwargs, self.fit_kwargs = model, warm_start, model_kwargs, fit_kwargs

    def fit(self, X, y, **kwargs):
        """Train a model on `X` (samples, features) and the targets `y`.

        Args:
            X: array or data frame (samples, features).
            y: targets, one a sample or a row a sample.
            kwargs: arguments for the model's `fit` beside `fit_kwargs`, such as `sample_weight`.

        Returns:
            The estimator.

        Raises:
            ValueError: data that cannot be used.
            TypeError: `model` is neither a model nor a function that gives one.
        """
        X, y = self._checked(X, y)
        goes_on = self.warm_start and hasattr(self, "model_")
        y = self._encoded(y, anew=not goes_on)
        model = self.model_ if goes_on else self._made(X, y)
        self.history_ = model.fit(X, y, **{**(self.fit_kwargs or {}), **kwargs})
        self.model_ = model
        return self

    def predict(self, X):
        """What the model predicts for `X` (samples, features), in the form of the targets that it was trained on."""
        return self._decoded(self._raw(X))

    def set_fit_request(self, **kwargs):
        """Say which arguments of `fit` pipelines and searches hand on (scikit-learn's metadata routing): `set_fit_request(sample_weight=True)`."""
        requests = self._get_metadata_request()
        for name, alias in kwargs.items():
            requests.fit.add_request(param=name, alias=alias)
        self._metadata_request = requests
        return self

    @property
    def epoch_(self):
        """The numbers of the epochs of the last `fit`."""
        check_is_fitted(self, "history_")
        return self.history_.epoch

    def _checked(self, X, y):
        return validate_data(self, X, y, multi_output=True, y_numeric=True)

    def _made(self, X, y):
        if isinstance(self.model, Model):
            if self.model_kwargs:
                raise ValueError(f"{type(self).__name__}: model_kwargs are for a function; `model` is a model. Give model=function, or leave them out.")
            _check_compiled(self.model, type(self).__name__)
            return clone_model(self.model)
        if not callable(self.model):
            raise TypeError(f"{type(self).__name__}: `model` must be a compiled model, or a function of (X, y) that gives one; got {self.model!r}.")
        model = self.model(X, y, **(self.model_kwargs or {}))
        if not isinstance(model, Model):
            raise TypeError(f"{type(self).__name__}: the function `model` must give a compiled model; it gave {model!r}.")
        _check_compiled(model, type(self).__name__)
        return model

    def _raw(self, X):
        check_is_fitted(self, "model_")
        return self.model_.predict(validate_data(self, X, reset=False), verbose=0)

    def _encoded(self, y, anew):
        self._columns = y.ndim
        return y.reshape(-1, 1) if y.ndim == 1 else y

    def _decoded(self, outputs):
        return outputs.reshape(-1) if self._columns == 1 and outputs.size == len(outputs) else outputs


def _check_compiled(model, name):
    if not model.compiled or model.loss is None:
        raise ValueError(f'{name}: the model "{model.name}" must be compiled with an optimizer and a loss: model.compile("adam", loss=...).')


def _mixed(mixin):
    return [cls for cls in (mixin,) if cls is not None]


class SKLearnClassifier(*_mixed(ClassifierMixin), Estimator):
    """A classifier of scikit-learn that trains a model on one-hot labels.

    Args:
        model: a compiled model with an output for each class, of which each fit trains a copy with new weights; or a function
            `model(X, y, **model_kwargs)` that gives one for data of that form, where y is one-hot (samples, classes).
        warm_start: whether another `fit` goes on with the weights of the last one.
        model_kwargs: dictionary of arguments for the function.
        fit_kwargs: dictionary of arguments for the model's `fit`.

    After `fit`: `classes_`, the labels in order; `model_`; `history_`; `n_features_in_`.

    >>> def make(X, y):
    ...     model = keras.Sequential([keras.Input(X.shape[1:]), keras.layers.Dense(y.shape[1], "softmax")])
    ...     model.compile("adam", "categorical_crossentropy")
    ...     return model
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0]] * 4)
    >>> estimator = SKLearnClassifier(make, fit_kwargs={"verbose": 0}).fit(X, ["cat", "dog"] * 4)
    >>> [str(name) for name in estimator.classes_]
    ['cat', 'dog']
    """

    def decision_function(self, X):
        """The model's outputs: (samples, classes); for two classes (samples,), the second's output less the first's."""
        outputs = self._raw(X)
        return outputs[:, 1] - outputs[:, 0] if outputs.shape[1] == 2 else outputs

    def _checked(self, X, y):
        X, y = validate_data(self, X, y)
        check_classification_targets(y)
        return X, y

    def _encoded(self, y, anew):
        if anew:
            self.classes_ = np.unique(y)
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(f"SKLearnClassifier: a warm start knows the classes {self.classes_.tolist()}; y has {unknown.tolist()[0]!r} too.")
        return (y[:, None] == self.classes_).astype("float32")

    def _decoded(self, outputs):
        return self.classes_[np.argmax(outputs, -1)]


class SKLearnRegressor(*_mixed(RegressorMixin), Estimator):
    """A regressor of scikit-learn that trains a model.

    Args:
        model: a compiled model, of which each fit trains a copy with new weights; or a function `model(X, y, **model_kwargs)` that gives one
            for data of that form, where y is (samples, targets).
        warm_start: whether another `fit` goes on with the weights of the last one.
        model_kwargs: dictionary of arguments for the function.
        fit_kwargs: dictionary of arguments for the model's `fit`.

    After `fit`: `model_`; `history_`; `n_features_in_`.

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.1), "mse")
    >>> X = np.linspace(-1, 1, 32)[:, None]
    >>> estimator = SKLearnRegressor(model, fit_kwargs={"epochs": 100, "verbose": 0}).fit(X, 3 * X[:, 0])
    >>> round(float(estimator.predict([[2.0]])[0]))
    6
    """

    def _decoded(self, outputs):
        outputs = super()._decoded(outputs)
        return outputs if outputs.ndim == 1 else outputs.astype("float64")  # as scikit-learn wants several targets

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class SKLearnTransformer(*_mixed(TransformerMixin), Estimator):
    """A transformer of scikit-learn: what a trained model gives becomes the features of the next step.

    Args:
        model: a compiled model, of which each fit trains a copy with new weights; or a function `model(X, y, **model_kwargs)` that gives one
            for data of that form, where y is (samples, targets).
        warm_start: whether another `fit` goes on with the weights of the last one.
        model_kwargs: dictionary of arguments for the function.
        fit_kwargs: dictionary of arguments for the model's `fit`.

    After `fit`: `model_`; `history_`; `n_features_in_`.

    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> model.compile("adam", "mse")
    >>> X = np.ones((8, 3))
    >>> SKLearnTransformer(model, fit_kwargs={"verbose": 0}).fit_transform(X, X[:, :2]).shape
    (8, 2)
    """

    def transform(self, X):
        """The model's outputs for `X` (samples, features), as (samples, outputs)."""
        outputs = self._raw(X)
        return outputs.reshape(len(outputs), -1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
