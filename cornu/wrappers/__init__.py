"""Models as estimators of scikit-learn."""

from cornu.wrappers.sklearn import SKLearnClassifier as SKLearnClassifier
from cornu.wrappers.sklearn import SKLearnRegressor as SKLearnRegressor
from cornu.wrappers.sklearn import SKLearnTransformer as SKLearnTransformer
