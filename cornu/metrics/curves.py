"""Metrics of curves that arise as the threshold moves: the area below them, and points on them."""

from cornu import ops, ranges, settings
from cornu.losses.targets import kind, same_rank, tensors
from cornu.metrics.confusion import checked_thresholds, decisions
from cornu.metrics.metric import Metric

_STATE = ("true_positives", "false_positives", "true_negatives", "false_negatives")


def even_thresholds(count):
    """`count` numbers from 0 to 1 at equal distances, both ends included."""
    return [0.5] if count == 1 else [i / (count - 1) for i in range(count)]


def below(x, thresholds):
    """How many of the ascending `thresholds` are below each of `x`, by halving; 0 for what is not a number."""
    bits = len(thresholds).bit_length()
    padded = ops.convert_to_tensor([*thresholds, *[float("inf")] * (2**bits - 1 - len(thresholds))], kind(x))
    found = ops.zeros_like(x, dtype="int32")
    for bit in reversed(range(bits)):
        further = ops.greater(x, ops.take(padded, ops.add(found, 2**bit - 1), axis=0))
        found = ops.where(further, ops.add(found, 2**bit), found)
    return found


def above(y_true, weights, rank, count):
    """Weighted true and false positives at each of `count` ascending thresholds, and all positives and negatives, of each column.

    Args:
        y_true, weights: of shape (places, columns).
        rank: how many thresholds are below each prediction: so many a prediction is above, the first ones.

    Returns:
        true positives (count, columns), false positives (count, columns), positives (columns,), negatives (columns,).
    """
    columns = rank.shape[-1]
    yes = ops.multiply(y_true, weights)
    no = ops.subtract(weights, yes)
    column = ops.multiply(ops.arange(columns, dtype="int32"), count + 1)
    places = ops.reshape(ops.add(rank, ops.expand_dims(column, 0)), (-1,))
    both = ops.stack([ops.reshape(yes, (-1,)), ops.reshape(no, (-1,))], axis=-1)
    table = ops.reshape(ops.segment_sum(both, places, num_segments=columns * (count + 1)), (columns, count + 1, 2))
    sums = ops.flip(ops.cumsum(ops.flip(table[:, 1:], axis=1), axis=1), axis=1)
    return ops.transpose(sums[:, :, 0]), ops.transpose(sums[:, :, 1]), ops.sum(yes, axis=0), ops.sum(no, axis=0)


class _Curve(Metric):
    """The four counts at many thresholds."""

    def _make(self, shape):
        for name in _STATE:
            setattr(self, name, self.add_variable(shape, "zeros", name=name))

    def _add(self, true, false, positives, negatives):
        for variable, value in zip(self._counts(), (true, false, ops.subtract(negatives, false), ops.subtract(positives, true))):
            variable.assign_add(value)

    def _counts(self):
        return [getattr(self, name) for name in _STATE]


class AUC(_Curve):
    """The area under a curve that arises as the threshold moves, by a Riemann sum; from 0 to 1.

    Args:
        num_thresholds: at least 2; the more, the more exact.
        curve: "ROC" (share of positives found over share of negatives taken for positive), "PR" (precision over recall), "PRGAIN"
            (precision gain over recall gain).
        summation_method: "interpolation" (the middle; for PR the formula of Davis and Goadrich), "minoring" or "majoring" (the lower or
            the higher end of each interval).
        name, dtype: as in Metric.
        thresholds: own ones, from 0 to 1, in place of `num_thresholds`; the two ends are added.
        multi_label: whether each column is a label with an area of its own; the result is their mean.
        num_labels: number of columns, where it is to be known before the first batch.
        label_weights: one a column: of the mean with `multi_label`, else of the decisions.
        from_logits: whether predictions come before the sigmoid.

    Raises:
        ValueError: an argument out of range.

    Source: Fawcett, "An introduction to ROC analysis", 2006; Davis and Goadrich, "The relationship between Precision-Recall and ROC
    curves", 2006; Flach and Kull, "Precision-Recall-Gain curves", 2015.

    >>> round(float(AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])), 4)
    0.75
    """

    num_thresholds: int = 200
    curve: str = "ROC"
    summation_method: str = "interpolation"
    name: str | None = None
    dtype: object = None
    thresholds: object = None
    multi_label: bool = False
    num_labels: int | None = None
    label_weights: object = None
    from_logits: bool = False

    def setup(self):
        super().setup()
        ranges.one_of(self, "curve", ("PR", "ROC", "PRGAIN"))
        ranges.one_of(self, "summation_method", ("interpolation", "majoring", "minoring"))
        ranges.check(self, "num_labels", least=1, whole=True, optional=True)
        self._own_thresholds = None if self.thresholds is None else sorted(checked_thresholds(self, self.thresholds, None))
        if self._own_thresholds is None:
            ranges.check(self, "num_thresholds", least=2, whole=True)
            inner = even_thresholds(self.num_thresholds)[1:-1]
        else:
            inner = self._own_thresholds
            self.num_thresholds = len(inner) + 2
        self.thresholds = [-settings.epsilon(), *inner, 1.0 + settings.epsilon()]
        given = self.label_weights
        if given is not None and (not hasattr(given, "__len__") or not all(hasattr(w, "__float__") and w >= 0 for w in given)):
            raise ValueError(f"AUC: label_weights must be numbers of at least 0, one a label, or None; got {given!r}.")
        self.label_weights = None if given is None else [float(w) for w in given]
        if self.num_labels is not None and not self.multi_label:
            raise ValueError("AUC: num_labels is for multi_label=True.")
        self.built = False
        if not self.multi_label:
            self.build(None)
        elif self.num_labels is not None:
            self.build((None, self.num_labels))

    def build(self, shape):
        """Make the counts: one a threshold, and a label with `multi_label`; `shape` is that of the predictions."""
        if self.multi_label:
            if len(shape) != 2:
                raise ValueError(f"AUC {self.name!r}: with multi_label, wanted predictions of shape (batch, labels); got {tuple(shape)}.")
            if self.label_weights is not None and len(self.label_weights) != shape[-1]:
                raise ValueError(f"AUC {self.name!r}: there are {len(self.label_weights)} label_weights for {shape[-1]} labels.")
        self._make((self.num_thresholds, shape[-1]) if self.multi_label else (self.num_thresholds,))
        self.built = True

    def update_state(self, y_true, y_pred, sample_weight=None):
        if not self.built:
            self.build(same_rank(*tensors(y_true, y_pred))[1].shape)
        y_true, y_pred, weights = decisions(self, y_true, y_pred, sample_weight)
        if self.multi_label and (len(y_pred.shape) != 2 or y_pred.shape[-1] != self.true_positives.shape[-1]):
            raise ValueError(f"AUC {self.name!r}: wanted predictions of shape (batch, {self.true_positives.shape[-1]}); got {tuple(y_pred.shape)}.")
        if self.from_logits:
            y_pred = ops.sigmoid(y_pred)
        if self.label_weights is not None and not self.multi_label:
            if len(self.label_weights) != y_pred.shape[-1]:
                raise ValueError(f"AUC {self.name!r}: there are {len(self.label_weights)} label_weights for {y_pred.shape[-1]} labels.")
            weights = ops.multiply(weights, ops.convert_to_tensor(self.label_weights, kind(weights)))
        columns = y_pred.shape[-1] if self.multi_label else 1
        y_true, y_pred, weights = (ops.reshape(x, (-1, columns)) for x in (y_true, y_pred, weights))
        if self._own_thresholds is None:
            rank = ops.ceil(ops.multiply(ops.clip(y_pred, 0.0, 1.0), self.num_thresholds - 1))
            rank = ops.maximum(ops.cast(ops.where(ops.isnan(y_pred), 0.0, rank), "int32"), 1)
        else:
            rank = below(y_pred, self.thresholds)
        found = above(y_true, weights, rank, self.num_thresholds)
        self._add(*(found if self.multi_label else (x[..., 0] for x in found)))

    def interpolate_pr_auc(self):
        """The area under the precision-recall curve, precision and recall moving together between thresholds.

        Source: Davis and Goadrich, 2006: true positives grow in proportion to positives from one threshold to the next.
        """
        true, false, _, missed = self._counts()
        taken = ops.add(true, false)
        step, wider = ops.subtract(true[:-1], true[1:]), ops.subtract(taken[:-1], taken[1:])
        slope = ops.divide_no_nan(step, ops.maximum(wider, 0))
        start = ops.subtract(true[1:], ops.multiply(slope, taken[1:]))
        growing = ops.logical_and(ops.greater(taken[:-1], 0), ops.greater(taken[1:], 0))
        ratio = ops.where(growing, ops.divide_no_nan(taken[:-1], ops.maximum(taken[1:], 0)), 1.0)
        positives = ops.maximum(ops.add(true[1:], missed[1:]), 0)
        area = ops.divide_no_nan(ops.multiply(slope, ops.add(step, ops.multiply(start, ops.log(ratio)))), positives)
        return self._mean_of_labels(ops.sum(area, axis=0))

    def _mean_of_labels(self, areas):
        if not self.multi_label:
            return areas
        if self.label_weights is None:
            return ops.mean(areas)
        weights = ops.convert_to_tensor(self.label_weights, kind(areas))
        return ops.divide_no_nan(ops.sum(ops.multiply(areas, weights)), ops.sum(weights))

    def result(self):
        if not self.built:
            return ops.zeros((), self.dtype)
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self.interpolate_pr_auc()
        true, false, rejected, missed = (variable.value for variable in self._counts())
        x = recall = ops.divide_no_nan(true, ops.add(true, missed))
        if self.curve == "ROC":
            x, y = ops.divide_no_nan(false, ops.add(false, rejected)), recall
        elif self.curve == "PR":
            y = ops.divide_no_nan(true, ops.add(true, false))
        else:
            odds = ops.divide_no_nan(ops.add(true, missed), ops.add(false, rejected))
            gain = lambda errors: ops.subtract(1.0, ops.multiply(ops.divide_no_nan(errors, true), odds))
            x, y = ops.where(ops.greater(true, 0), ops.maximum(gain(missed), 0.0), 0.0), gain(false)
        if self.summation_method == "interpolation":
            heights = ops.divide(ops.add(y[:-1], y[1:]), 2.0)
        else:
            heights = (ops.minimum if self.summation_method == "minoring" else ops.maximum)(y[:-1], y[1:])
        return self._mean_of_labels(ops.sum(ops.multiply(ops.subtract(x[:-1], x[1:]), heights), axis=0))

    def get_config(self):
        config = super().get_config()
        thresholds = config.pop("thresholds")
        return config if self._own_thresholds is None else {**config, "thresholds": thresholds[1:-1]}


class _At(_Curve):
    """The best of one share where another reaches a value."""

    num_thresholds: int = 200
    class_id: int | None = None
    name: str | None = None
    dtype: object = None

    value = None  # name of the argument that holds the value to reach

    def setup(self):
        super().setup()
        ranges.check(self, self.value, least=0, most=1)
        ranges.check(self, "num_thresholds", least=1, whole=True)
        ranges.check(self, "class_id", whole=True, optional=True)
        if self.num_thresholds < 1:
            raise ValueError(f"{type(self).__name__}: num_thresholds must be at least 1; got {self.num_thresholds}.")
        self.thresholds = even_thresholds(self.num_thresholds)
        self._make((self.num_thresholds,))

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred, weights = (ops.reshape(x, (-1, 1)) for x in decisions(self, y_true, y_pred, sample_weight, class_id=self.class_id))
        self._add(*(x[..., 0] for x in above(y_true, weights, below(y_pred, self.thresholds), self.num_thresholds)))

    def result(self):
        true, false, rejected, missed = self._counts()
        shares = {
            "sensitivity": ops.divide_no_nan(true, ops.add(true, missed)),
            "specificity": ops.divide_no_nan(rejected, ops.add(rejected, false)),
            "precision": ops.divide_no_nan(true, ops.add(true, false)),
        }
        shares["recall"] = shares["sensitivity"]
        reached = ops.greater_equal(shares[self.value], getattr(self, self.value))
        return ops.max(ops.where(reached, shares[self.sought], 0.0))


class SensitivityAtSpecificity(_At):
    """The largest share of positives found, where at least `specificity` of the negatives are seen as such; 0 where that is nowhere.

    Args:
        specificity: from 0 to 1.
        num_thresholds: at least 1; thresholds are at equal distances from 0 to 1.
        class_id: only this class is looked at.
        name, dtype: as in Metric.
    """

    specificity: float
    value, sought = "specificity", "sensitivity"


class SpecificityAtSensitivity(_At):
    """The largest share of negatives seen as such, where at least `sensitivity` of the positives are found; 0 where that is nowhere.

    Args:
        sensitivity: from 0 to 1.
        num_thresholds, class_id, name, dtype: as in SensitivityAtSpecificity.
    """

    sensitivity: float
    value, sought = "sensitivity", "specificity"


class PrecisionAtRecall(_At):
    """The largest precision where recall is at least `recall`; 0 where that is nowhere.

    Args:
        recall: from 0 to 1.
        num_thresholds, class_id, name, dtype: as in SensitivityAtSpecificity.
    """

    recall: float
    value, sought = "recall", "precision"


class RecallAtPrecision(_At):
    """The largest recall where precision is at least `precision`; 0 where that is nowhere.

    Args:
        precision: from 0 to 1.
        num_thresholds, class_id, name, dtype: as in SensitivityAtSpecificity.
    """

    precision: float
    value, sought = "precision", "recall"
