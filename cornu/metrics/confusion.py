"""Metrics of yes-or-no decisions at thresholds: true and false positives and negatives, precision, recall."""

from cornu import masks, ops, ranges, settings
from cornu.losses.loss import nested
from cornu.losses.reduction import align
from cornu.losses.targets import binary, kind
from cornu.metrics.metric import Metric

NEVER = -1e10  # the score of a class outside the top k, and the threshold that the top k are above


def checked_thresholds(metric, thresholds, default):
    """A list of thresholds from a number, a sequence or None.

    Raises:
        ValueError: one is not from 0 to 1.
    """
    if thresholds is None:
        return [default]
    found = list(thresholds) if hasattr(thresholds, "__len__") or hasattr(thresholds, "__iter__") else [thresholds]
    bad = [t for t in found if not hasattr(t, "__float__") or not 0 <= t <= 1]
    if bad or not found:
        raise ValueError(f"{type(metric).__name__}: thresholds must be numbers from 0 to 1, at least one; got {thresholds!r}.")
    return [float(t) for t in found]


def decisions(metric, y_true, y_pred, sample_weight=None, top_k=None, class_id=None):
    """Labels as 0.0 or 1.0, predictions and weights of one shape, the top `k` and the class picked.

    A label counts as 1 unless it is 0. The mask that goes with `y_pred` makes weights of 0.
    """
    name = f"{type(metric).__name__} {metric.name!r}"
    mask = None if nested(y_pred) else masks.get_mask(y_pred)
    y_true, y_pred = binary(name, y_true, y_pred)
    y_true = ops.cast(ops.cast(y_true, "bool"), kind(y_pred))
    factors = [] if sample_weight is None else [(ops.cast(sample_weight, kind(y_pred)), "sample_weight")]
    if mask is not None:
        factors.append((ops.cast(mask, kind(y_pred)), "the mask"))
    weights = ops.ones_like(y_pred)
    for factor, what in factors:
        weights = ops.multiply(weights, align(factor, y_pred, name, what))
    if top_k is not None:
        y_pred = _top(y_pred, top_k, name)
    if class_id is not None:
        if not -y_pred.shape[-1] <= class_id < y_pred.shape[-1]:
            raise ValueError(f"{name}: class_id is {class_id}, but there are {y_pred.shape[-1]} classes.")
        y_true, y_pred, weights = (x[..., class_id] for x in (y_true, y_pred, weights))
    return y_true, y_pred, weights


def _top(y_pred, k, name):
    """`y_pred` with NEVER in place of all but the `k` largest of each row; among equals the first count."""
    size = y_pred.shape[-1]
    if k > size:
        raise ValueError(f"{name}: top_k is {k}, but there are {size} classes.")
    _, places = ops.top_k(y_pred, k)
    kept = ops.sum(ops.one_hot(places, size, axis=-1, dtype=kind(y_pred)), axis=-2)
    return ops.where(ops.greater(kept, 0), y_pred, NEVER)


def counts(y_true, y_pred, weights, thresholds):
    """Weighted true and false positives, and all positives and negatives.

    Returns:
        true positives (thresholds,), false positives (thresholds,), positives (), negatives ().
    """
    y_true, y_pred, weights = (ops.reshape(x, (-1,)) for x in (y_true, y_pred, weights))
    yes = ops.multiply(y_true, weights)
    no = ops.subtract(weights, yes)
    above = ops.cast(ops.greater(ops.expand_dims(y_pred, 0), ops.expand_dims(ops.convert_to_tensor(thresholds, kind(y_pred)), 1)), kind(y_pred))
    return ops.matmul(above, yes), ops.matmul(above, no), ops.sum(yes), ops.sum(no)


class _Count(Metric):
    """One of the four counts, at each threshold."""

    thresholds: object = None
    name: str | None = None
    dtype: object = None

    def setup(self):
        super().setup()
        self._at = checked_thresholds(self, self.thresholds, 0.5)
        self.accumulator = self.add_variable((len(self._at),), "zeros", name="accumulator")

    def update_state(self, y_true, y_pred, sample_weight=None):
        true, false, positives, negatives = counts(*decisions(self, y_true, y_pred, sample_weight), self._at)
        self.accumulator.assign_add(self._pick(true, false, positives, negatives))

    def result(self):
        return self.accumulator[0] if len(self._at) == 1 else self.accumulator.value


class TruePositives(_Count):
    """How many positives are predicted to be (by weight).

    Args:
        thresholds: one or several from 0 to 1; above it, a prediction means yes. 0.5 by default.
        name, dtype: as in Metric.

    Shapes: result () for one threshold, (thresholds,) for several
    """

    def _pick(self, true, false, positives, negatives):
        return true


class FalsePositives(_Count):
    """How many negatives are predicted to be positive (by weight); arguments as in TruePositives."""

    def _pick(self, true, false, positives, negatives):
        return false


class TrueNegatives(_Count):
    """How many negatives are predicted to be (by weight); arguments as in TruePositives."""

    def _pick(self, true, false, positives, negatives):
        return ops.subtract(negatives, false)


class FalseNegatives(_Count):
    """How many positives are predicted to be negative (by weight); arguments as in TruePositives."""

    def _pick(self, true, false, positives, negatives):
        return ops.subtract(positives, true)


class _Share(Metric):
    """True positives over true positives and one kind of error."""

    thresholds: object = None
    top_k: int | None = None
    class_id: int | None = None
    name: str | None = None
    dtype: object = None

    error = None  # name of the variable that counts the errors

    def setup(self):
        super().setup()
        ranges.check(self, "top_k", least=1, whole=True, optional=True)
        ranges.check(self, "class_id", whole=True, optional=True)
        self._at = checked_thresholds(self, self.thresholds, 0.5 if self.top_k is None else NEVER)
        self.true_positives = self.add_variable((len(self._at),), "zeros", name="true_positives")
        setattr(self, self.error, self.add_variable((len(self._at),), "zeros", name=self.error))

    def update_state(self, y_true, y_pred, sample_weight=None):
        true, false, positives, _ = counts(*decisions(self, y_true, y_pred, sample_weight, self.top_k, self.class_id), self._at)
        self.true_positives.assign_add(true)
        getattr(self, self.error).assign_add(false if self.error == "false_positives" else ops.subtract(positives, true))

    def result(self):
        share = ops.divide_no_nan(self.true_positives, ops.add(self.true_positives, getattr(self, self.error)))
        return share[0] if len(self._at) == 1 else share


class Precision(_Share):
    """Which share of what is predicted to be positive is, from 0 to 1; 0 where nothing is.

    Args:
        thresholds: one or several from 0 to 1; above it, a prediction means yes. 0.5 by default, none with `top_k`.
        top_k: only the `k` largest predictions of a row can mean yes.
        class_id: only this class is looked at.
        name, dtype: as in Metric.

    Shapes: result () for one threshold, (thresholds,) for several

    >>> float(Precision()([0, 1, 1, 1], [1.0, 0.0, 1.0, 1.0]))
    0.6666666865348816
    """

    error = "false_positives"


class Recall(_Share):
    """Which share of the positives is predicted to be, from 0 to 1; 0 where there are none.

    Args:
        thresholds, top_k, class_id: as in Precision.
        name, dtype: as in Metric.

    Shapes: result () for one threshold, (thresholds,) for several

    >>> float(Recall()([0, 1, 1, 1], [1.0, 0.0, 1.0, 1.0]))
    0.6666666865348816
    """

    error = "false_negatives"


class FBetaScore(Metric):
    """`(1 + beta²) precision recall / (beta² precision + recall)`, for each class, from 0 to 1.

    Args:
        average: None: a score a class; "micro": of all decisions together; "macro": the mean of the classes; "weighted": the mean, by how
            often a class occurs.
        beta: above 0; how many times recall matters more than precision.
        threshold: above it a prediction means yes; None: the largest of a row does.
        name, dtype: as in Metric.

    Shapes: (batch, classes), (batch, classes) -> (classes,) for average None, else ()

    Raises:
        ValueError: an argument out of range, or tensors without two axes.

    Source: van Rijsbergen, "Information Retrieval", 1979.
    """

    average: str | None = None
    beta: float = 1.0
    threshold: float | None = None
    name: str | None = "fbeta_score"
    dtype: object = None

    def setup(self):
        super().setup()
        ranges.one_of(self, "average", (None, "micro", "macro", "weighted"))
        ranges.check(self, "beta", above=0)
        ranges.check(self, "threshold", above=0, most=1, optional=True)
        self.built = False

    def build(self, y_true_shape, y_pred_shape):
        """Make the sums, now that the number of classes is known."""
        if len(y_pred_shape) != 2 or len(y_true_shape) != 2:
            raise ValueError(
                f"{type(self).__name__} {self.name!r}: wanted shapes (batch, classes); got y_true {tuple(y_true_shape)} and y_pred {tuple(y_pred_shape)}."
            )
        shape = () if self.average == "micro" else (y_pred_shape[-1],)
        for name in ("true_positives", "false_positives", "false_negatives", "intermediate_weights"):
            setattr(self, name, self.add_variable(shape, "zeros", name=name))
        self.built = True

    def update_state(self, y_true, y_pred, sample_weight=None):
        mask = None if nested(y_pred) else masks.get_mask(y_pred)
        y_true, y_pred = binary(f"{type(self).__name__} {self.name!r}", y_true, y_pred)
        if not self.built:
            self.build(y_true.shape, y_pred.shape)
        dtype = self.true_positives.dtype
        if self.threshold is None:
            top = ops.max(y_pred, axis=-1, keepdims=True)
            chosen = ops.logical_and(ops.equal(y_pred, top), ops.greater(ops.abs(y_pred), 1e-9))
        else:
            chosen = ops.greater(y_pred, self.threshold)
        y_true, y_pred = ops.cast(y_true, dtype), ops.cast(chosen, dtype)
        weights = ops.ones_like(y_true)
        for factor in (sample_weight, mask):
            if factor is not None:
                weights = ops.multiply(weights, align(ops.cast(factor, dtype), y_true, self.name))
        axis = None if self.average == "micro" else 0
        total = lambda x: ops.sum(ops.multiply(x, weights), axis=axis)
        self.true_positives.assign_add(total(ops.multiply(y_pred, y_true)))
        self.false_positives.assign_add(total(ops.multiply(y_pred, ops.subtract(1, y_true))))
        self.false_negatives.assign_add(total(ops.multiply(ops.subtract(1, y_pred), y_true)))
        self.intermediate_weights.assign_add(total(y_true))

    def result(self):
        if not self.built:
            return ops.zeros((), self.dtype)
        tiny = settings.epsilon()
        precision = ops.divide(self.true_positives, ops.add(ops.add(self.true_positives, self.false_positives), tiny))
        recall = ops.divide(self.true_positives, ops.add(ops.add(self.true_positives, self.false_negatives), tiny))
        upper = ops.multiply(ops.multiply(precision, recall), 1 + self.beta**2)
        score = ops.divide(upper, ops.add(ops.add(ops.multiply(precision, self.beta**2), recall), tiny))
        if self.average == "weighted":
            share = ops.divide(self.intermediate_weights, ops.add(ops.sum(self.intermediate_weights), tiny))
            score = ops.sum(ops.multiply(score, share))
        elif self.average is not None:
            score = ops.mean(score)
        return self._cast(score)


class F1Score(FBetaScore):
    """`2 precision recall / (precision + recall)`, for each class, from 0 to 1.

    Args:
        average, threshold: as in FBetaScore.
        name, dtype: as in Metric.

    Shapes: (batch, classes), (batch, classes) -> (classes,) for average None, else ()
    """

    average: str | None = None
    threshold: float | None = None
    name: str | None = "f1_score"
    dtype: object = None
    _left_out = frozenset(("beta",))
    beta = 1.0
