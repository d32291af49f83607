"""Means of losses, as metrics, and measures of regression."""

from cornu import losses, ops, ranges, settings
from cornu.losses.reduction import align
from cornu.losses.targets import matched
from cornu.metrics.metric import Metric
from cornu.metrics.reduction import FunctionMean, Mean, both_masks


def _centred(name, y_true, y_pred, axis):
    y_true, y_pred = matched(name, y_true, y_pred)
    means = [ops.mean(x, axis=axis, keepdims=True) for x in (y_true, y_pred)]
    return *means, ops.subtract(y_true, means[0]), ops.subtract(y_pred, means[1])


def pearson_correlation(y_true, y_pred, axis=-1):
    """Pearson's correlation along `axis`, from -1 to 1; not a number where one of the two is constant.

    Shapes: (batch, ..., d), (batch, ..., d) -> (batch, ...)

    Source: Pearson, "Note on regression and inheritance in the case of two parents", 1895.
    """
    _, _, true, pred = _centred("pearson_correlation", y_true, y_pred, axis)
    sizes = ops.multiply(ops.sqrt(ops.sum(ops.square(true), axis=axis)), ops.sqrt(ops.sum(ops.square(pred), axis=axis)))
    return ops.divide(ops.sum(ops.multiply(true, pred), axis=axis), sizes)


def concordance_correlation(y_true, y_pred, axis=-1):
    """Lin's concordance along `axis`, from -1 to 1: correlation lessened by differences of mean and spread.

    Shapes: (batch, ..., d), (batch, ..., d) -> (batch, ...)

    Source: Lin, "A concordance correlation coefficient to evaluate reproducibility", 1989.
    """
    mean_true, mean_pred, true, pred = _centred("concordance_correlation", y_true, y_pred, axis)
    together = ops.multiply(ops.mean(ops.multiply(true, pred), axis=axis), 2)
    spread = ops.add(ops.mean(ops.square(true), axis=axis), ops.mean(ops.square(pred), axis=axis))
    apart = ops.squeeze(ops.square(ops.subtract(mean_true, mean_pred)), axis)
    return ops.divide(together, ops.add(ops.add(spread, apart), settings.epsilon()))


def cosine_similarity(y_true, y_pred, axis=-1):
    """The cosine of the angle: 1 where directions agree, -1 where they are opposite."""
    return ops.negative(losses.cosine_similarity(y_true, y_pred, axis=axis))


class MeanSquaredError(FunctionMean):
    """Mean of `(y_true - y_pred)²`.

    Args:
        name, dtype: as in Metric.
    """

    name = "mean_squared_error"
    function = staticmethod(losses.mean_squared_error)


class RootMeanSquaredError(Mean):
    """Square root of the mean of `(y_true - y_pred)²`.

    Args:
        name, dtype: as in Metric.
    """

    name = "root_mean_squared_error"

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred_now = matched("root_mean_squared_error", y_true, y_pred)
        error = ops.square(ops.subtract(y_true, y_pred_now))
        super().update_state(error, sample_weight, mask=both_masks(y_pred, error))

    def result(self):
        return ops.sqrt(super().result())


class MeanAbsoluteError(FunctionMean):
    """Mean of `|y_true - y_pred|`.

    Args:
        name, dtype: as in Metric.
    """

    name = "mean_absolute_error"
    function = staticmethod(losses.mean_absolute_error)


class MeanAbsolutePercentageError(FunctionMean):
    """Mean of `100 |y_true - y_pred| / |y_true|`, in percent.

    Args:
        name, dtype: as in Metric.
    """

    name = "mean_absolute_percentage_error"
    function = staticmethod(losses.mean_absolute_percentage_error)


class MeanSquaredLogarithmicError(FunctionMean):
    """Mean of `(log(1 + y_true) - log(1 + y_pred))²`.

    Args:
        name, dtype: as in Metric.
    """

    name = "mean_squared_logarithmic_error"
    function = staticmethod(losses.mean_squared_logarithmic_error)


class LogCoshError(FunctionMean):
    """Mean of `log(cosh(y_pred - y_true))`.

    Args:
        name, dtype: as in Metric.
    """

    name = "logcosh"
    function = staticmethod(losses.log_cosh)


class CosineSimilarity(FunctionMean):
    """Mean cosine of the angle between labels and predictions, from -1 to 1.

    Args:
        name, dtype: as in Metric.
        axis: along which the vectors lie.
    """

    name: str | None = "cosine_similarity"
    dtype: object = None
    axis: int = -1
    function = staticmethod(cosine_similarity)


class PearsonCorrelation(FunctionMean):
    """Mean of Pearson's correlation, from -1 to 1.

    Args:
        name, dtype: as in Metric.
        axis: along which the correlation is taken.
    """

    name: str | None = "pearson_correlation"
    dtype: object = None
    axis: int = -1
    function = staticmethod(pearson_correlation)


class ConcordanceCorrelation(FunctionMean):
    """Mean of Lin's concordance, from -1 to 1.

    Args:
        name, dtype: as in Metric.
        axis: along which the concordance is taken.
    """

    name: str | None = "concordance_correlation"
    dtype: object = None
    axis: int = -1
    function = staticmethod(concordance_correlation)


class KLDivergence(FunctionMean):
    """Mean of `Σ y_true log(y_true / y_pred)`, in nats.

    Args:
        name, dtype: as in Metric.
    """

    name = "kl_divergence"
    function = staticmethod(losses.kl_divergence)


class Poisson(FunctionMean):
    """Mean of `y_pred - y_true log(y_pred)`, in nats.

    Args:
        name, dtype: as in Metric.
    """

    name = "poisson"
    function = staticmethod(losses.poisson)


class BinaryCrossentropy(FunctionMean):
    """Mean crossentropy of yes-or-no answers, in nats.

    Args:
        name, dtype: as in Metric.
        from_logits, label_smoothing: as in the loss.
    """

    name: str | None = "binary_crossentropy"
    dtype: object = None
    from_logits: bool = False
    label_smoothing: float = 0
    function = staticmethod(losses.binary_crossentropy)


class CategoricalCrossentropy(FunctionMean):
    """Mean crossentropy of classes, labels one-hot, in nats.

    Args:
        name, dtype: as in Metric.
        from_logits, label_smoothing, axis: as in the loss.
    """

    name: str | None = "categorical_crossentropy"
    dtype: object = None
    from_logits: bool = False
    label_smoothing: float = 0
    axis: int = -1
    function = staticmethod(losses.categorical_crossentropy)


class SparseCategoricalCrossentropy(FunctionMean):
    """Mean crossentropy of classes, labels as class numbers, in nats.

    Args:
        name, dtype: as in Metric.
        from_logits, ignore_class, axis: as in the loss; ignored places are left out of the mean, weights given or not.
    """

    name: str | None = "sparse_categorical_crossentropy"
    dtype: object = None
    from_logits: bool = False
    ignore_class: int | None = None
    axis: int = -1
    function = staticmethod(losses.sparse_categorical_crossentropy)


class Hinge(FunctionMean):
    """Mean of `max(1 - y_true y_pred, 0)`.

    Args:
        name, dtype: as in Metric.
    """

    name = "hinge"
    function = staticmethod(losses.hinge)


class SquaredHinge(FunctionMean):
    """Mean of `max(1 - y_true y_pred, 0)²`.

    Args:
        name, dtype: as in Metric.
    """

    name = "squared_hinge"
    function = staticmethod(losses.squared_hinge)


class CategoricalHinge(FunctionMean):
    """Mean of `max(1 + largest wrong - right, 0)`, labels one-hot.

    Args:
        name, dtype: as in Metric.
    """

    name = "categorical_hinge"
    function = staticmethod(losses.categorical_hinge)


class R2Score(Metric):
    """The share of the labels' variance that predictions explain: at most 1, 0 for always saying the mean.

    Args:
        class_aggregation: "uniform_average", "variance_weighted_average", or None for one result an output.
        num_regressors: number of inputs of the model, at least 0; above 0 the adjusted score is given.
        name, dtype: as in Metric.

    Shapes: (batch, outputs), (batch, outputs) -> () or (outputs,)

    Raises:
        ValueError: another aggregation, a negative number, or tensors without two axes.
    """

    class_aggregation: str | None = "uniform_average"
    num_regressors: int = 0
    name: str | None = "r2_score"

    def setup(self):
        super().setup()
        ranges.one_of(self, "class_aggregation", ("uniform_average", "variance_weighted_average", None))
        ranges.check(self, "num_regressors", least=0, whole=True)
        self.num_samples = self.add_variable((), "zeros", name="num_samples")
        self.built = False

    def build(self, y_true_shape, y_pred_shape):
        """Make the sums, now that the number of outputs is known."""
        if len(y_pred_shape) != 2 or len(y_true_shape) != 2:
            raise ValueError(f"R2Score {self.name!r}: wanted shapes (batch, outputs); got y_true {tuple(y_true_shape)} and y_pred {tuple(y_pred_shape)}.")
        for name in ("squared_sum", "sum", "residual", "count"):
            setattr(self, name, self.add_variable((y_pred_shape[-1],), "zeros", name=name))
        self.built = True

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = (ops.cast(x, self.num_samples.dtype) for x in matched(f"R2Score {self.name!r}", y_true, y_pred))
        if not self.built:
            self.build(y_true.shape, y_pred.shape)
        weights = ops.ones_like(y_true)
        if sample_weight is not None:
            weights = ops.multiply(weights, align(ops.cast(sample_weight, self.num_samples.dtype), y_true, self.name))
        weighted = ops.multiply(y_true, weights)
        self.sum.assign_add(ops.sum(weighted, axis=0))
        self.squared_sum.assign_add(ops.sum(ops.multiply(y_true, weighted), axis=0))
        self.residual.assign_add(ops.sum(ops.multiply(ops.square(ops.subtract(y_true, y_pred)), weights), axis=0))
        self.count.assign_add(ops.sum(weights, axis=0))
        self.num_samples.assign_add(ops.sum(ops.ones_like(y_true)))

    def result(self):
        if not self.built:
            return ops.zeros((), self.dtype)
        total = ops.subtract(self.squared_sum, ops.divide_no_nan(ops.square(self.sum), self.count))
        raw = ops.subtract(1.0, ops.divide(self.residual, total))
        score = ops.where(ops.isinf(raw), 0.0, raw)
        if self.class_aggregation == "uniform_average":
            score = ops.mean(score)
        elif self.class_aggregation is not None:
            score = ops.divide_no_nan(ops.sum(ops.multiply(score, total)), ops.sum(total))
        if self.num_regressors:
            free = ops.subtract(self.num_samples, self.num_regressors + 1)
            adjusted = ops.subtract(
                1.0, ops.divide(ops.multiply(ops.subtract(1.0, score), ops.subtract(self.num_samples, 1.0)), ops.where(ops.equal(free, 0), 1.0, free))
            )
            score = ops.where(ops.greater(free, 0), adjusted, score)
        return score
