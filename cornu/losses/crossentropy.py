"""Losses between probabilities: how many nats the predictions waste on the labels."""

import numpy as np

from cornu import masks, ops, ranges, settings
from cornu.losses.loss import FunctionLoss
from cornu.losses.targets import binary, check_class_numbers, check_fractions, classes, kind, matched, one_hot, tensors


def _clipped(x):
    return ops.clip(x, settings.epsilon(), 1.0 - settings.epsilon())


def _smoothed(y_true, label_smoothing, share):
    """Labels with `label_smoothing` of their weight given to all classes alike."""
    return ops.add(ops.multiply(y_true, 1.0 - label_smoothing), ops.multiply(share, label_smoothing)) if label_smoothing else y_true


def binary_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    """Mean over `axis` of `-y_true log(y_pred) - (1 - y_true) log(1 - y_pred)`.

    Args:
        y_true: from 0 to 1.
        y_pred: probabilities from 0 to 1, or any numbers with `from_logits`.
        from_logits: whether `y_pred` comes before the sigmoid.
        label_smoothing: from 0 to 1, how far labels are drawn to 1/2.
        axis: over which the mean is taken.

    Shapes: (batch, ..., d), (batch, ..., d) -> (batch, ...)

    Units: nats.

    >>> binary_crossentropy([[0.0, 1.0]], [[0.5, 0.5]])
    Array([0.6931472], dtype=float32)
    """
    y_true, y_pred = binary("binary_crossentropy", y_true, y_pred)
    return ops.mean(ops.binary_crossentropy(_smoothed(y_true, label_smoothing, 0.5), y_pred, from_logits=from_logits), axis=axis)


def binary_focal_crossentropy(y_true, y_pred, apply_class_balancing=False, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0, axis=-1):
    """Binary crossentropy with each place weighted by `(1 - p)^gamma`, p the probability given to what is right.

    Args:
        apply_class_balancing: whether 1 weighs `alpha` and 0 weighs `1 - alpha`.
        alpha: from 0 to 1.
        gamma: at least 0; the larger, the less easy places count.
        from_logits, label_smoothing, axis: as in `binary_crossentropy`.

    Shapes: (batch, ..., d), (batch, ..., d) -> (batch, ...)

    Source: Lin et al., "Focal Loss for Dense Object Detection", 2017.
    """
    y_true, y_pred = binary("binary_focal_crossentropy", y_true, y_pred)
    y_true = _smoothed(y_true, label_smoothing, 0.5)
    y_pred = ops.sigmoid(y_pred) if from_logits else y_pred
    wrong = ops.subtract(1, y_true)
    right = ops.add(ops.multiply(y_true, y_pred), ops.multiply(wrong, ops.subtract(1, y_pred)))
    losses = ops.multiply(ops.power(ops.subtract(1.0, right), gamma), ops.binary_crossentropy(y_true, y_pred))
    if apply_class_balancing:
        losses = ops.multiply(losses, ops.add(ops.multiply(y_true, alpha), ops.multiply(wrong, 1 - alpha)))
    return ops.mean(losses, axis=axis)


def categorical_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    """`-Σ y_true log(y_pred)` over the classes; probabilities are made to sum to 1.

    Args:
        y_true: one-hot, or probabilities.
        y_pred: probabilities, or any numbers with `from_logits`.
        from_logits: whether `y_pred` comes before the softmax.
        label_smoothing: from 0 to 1, the share of the labels' weight given to all classes alike.
        axis: of the classes.

    Shapes: (batch, ..., classes), (batch, ..., classes) -> (batch, ...)

    Units: nats.

    Raises:
        ValueError: `y_true` holds class numbers, or another number of classes.

    >>> categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]])
    Array([0.6931472], dtype=float32)
    """
    y_true, y_pred = one_hot("categorical_crossentropy", y_true, y_pred, axis)
    share = 1.0 / y_true.shape[axis] if label_smoothing else None
    return ops.categorical_crossentropy(_smoothed(y_true, label_smoothing, share), y_pred, from_logits=from_logits, axis=axis)


def categorical_focal_crossentropy(y_true, y_pred, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0, axis=-1):
    """Categorical crossentropy with each class weighted by `alpha (1 - y_pred)^gamma`.

    Args:
        alpha: one number, or one a class; at least 0.
        gamma: at least 0; the larger, the less easy places count.
        from_logits, label_smoothing, axis: as in `categorical_crossentropy`.

    Shapes: (batch, ..., classes), (batch, ..., classes) -> (batch, ...)

    Source: Lin et al., "Focal Loss for Dense Object Detection", 2017.
    """
    y_true, y_pred = one_hot("categorical_focal_crossentropy", y_true, y_pred, axis)
    y_true = _smoothed(y_true, label_smoothing, 1.0 / y_true.shape[axis] if label_smoothing else None)
    if from_logits:
        y_pred = ops.softmax(y_pred, axis=axis)
    y_pred = _clipped(ops.divide(y_pred, ops.sum(y_pred, axis=axis, keepdims=True)))
    weights = ops.multiply(ops.power(ops.subtract(1.0, y_pred), gamma), alpha)
    return ops.negative(ops.sum(ops.multiply(weights, ops.multiply(y_true, ops.log(y_pred))), axis=axis))


def categorical_generalized_cross_entropy(y_true, y_pred, q):
    """`(1 - p^q) / q`, p the probability given to the right class: less swayed by wrong labels than crossentropy.

    Args:
        y_true: one-hot, or class numbers.
        y_pred: probabilities.
        q: above 0 and below 1; near 0 it is crossentropy, near 1 the mean absolute error.

    Shapes: (batch, ..., classes) or (batch, ...), (batch, ..., classes) -> (batch, ...)

    Source: Zhang and Sabuncu, "Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels", 2018.
    """
    name = "categorical_generalized_cross_entropy"
    y_true, y_pred = tensors(y_true, y_pred, labels=True)
    if len(y_true.shape) < len(y_pred.shape) or y_true.shape[-1] == 1:
        y_true, y_pred = classes(name, y_true, y_pred)
        y_true = ops.one_hot(y_true, y_pred.shape[-1], dtype=kind(y_pred))
    y_true, y_pred = one_hot(name, y_true, y_pred)
    right = ops.sum(ops.multiply(y_true, y_pred), axis=-1)
    return ops.divide(ops.subtract(1.0, ops.power(ops.maximum(right, settings.epsilon()), q)), q)


def sparse_categorical_crossentropy(y_true, y_pred, from_logits=False, ignore_class=None, axis=-1):
    """`-log(y_pred[y_true])`: categorical crossentropy by class numbers.

    Args:
        y_true: class numbers from 0 to classes - 1.
        y_pred: probabilities, or any numbers with `from_logits`.
        from_logits: whether `y_pred` comes before the softmax.
        ignore_class: a class number whose places count for nothing, such as -1 or 255 for "unknown".
        axis: of the classes.

    Shapes: (batch, ...) or (batch, ..., 1), (batch, ..., classes) -> (batch, ...)

    Units: nats.

    Raises:
        ValueError: `y_true` is one-hot, or the shapes do not fit.

    >>> sparse_categorical_crossentropy([1], [[0.5, 0.5]])
    Array([0.6931472], dtype=float32)
    """
    y_true, y_pred = classes("sparse_categorical_crossentropy", y_true, y_pred if axis == -1 else ops.moveaxis(y_pred, axis, -1))
    if ignore_class is None:
        return ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=from_logits)
    counted = ops.not_equal(y_true, ignore_class)
    y_true = ops.where(counted, y_true, 0)
    losses = ops.where(counted, ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=from_logits), 0.0)
    masks.set_mask(losses, counted)
    return losses


def kl_divergence(y_true, y_pred):
    """`Σ y_true log(y_true / y_pred)` over the last axis, values from epsilon to 1.

    Shapes: (batch, ..., classes), (batch, ..., classes) -> (batch, ...)

    Units: nats.

    Source: Kullback and Leibler, "On information and sufficiency", 1951.
    """
    y_true, y_pred = (ops.clip(x, settings.epsilon(), 1.0) for x in matched("kl_divergence", y_true, y_pred))
    return ops.sum(ops.multiply(y_true, ops.log(ops.divide(y_true, y_pred))), axis=-1)


def ctc(y_true, y_pred):
    """Connectionist temporal classification: `-log` of the summed probability of all alignments of the labels with the steps.

    Args:
        y_true: class numbers from 1; 0 is the blank.
        y_pred: numbers before the softmax.

    Shapes: (batch, labels), (batch, steps, classes) -> (batch,)

    Units: nats.

    Source: Graves et al., "Connectionist Temporal Classification", ICML 2006.
    """
    y_true, y_pred = tensors(y_true, y_pred, labels=True)
    if len(y_true.shape) != 2 or len(y_pred.shape) != 3:
        raise ValueError(
            f"ctc: wanted y_true of shape (batch, labels) and y_pred of shape (batch, steps, classes); got {tuple(y_true.shape)} and {tuple(y_pred.shape)}."
        )
    ones = ops.ones_like(ops.max(y_true, axis=1), dtype="int32")
    lengths = (ops.multiply(ones, size) for size in (y_true.shape[1], y_pred.shape[1]))
    return ops.ctc_loss(y_true, y_pred, *lengths, mask_index=0)


class _Binary(FunctionLoss):
    """Labels from 0 to 1."""

    def setup(self):
        super().setup()
        ranges.check(self, "label_smoothing", least=0, most=1)
        ranges.check(self, "axis", whole=True)

    def check_targets(self, y_true, y_pred_shape):
        check_fractions(type(self).__name__, y_true)


class BinaryCrossentropy(_Binary):
    """Crossentropy of yes-or-no answers.

    Args:
        from_logits: whether predictions come before the sigmoid.
        label_smoothing: from 0 to 1, how far labels are drawn to 1/2.
        axis: over which the mean is taken.
        reduction, name, dtype: as in Loss.

    Units: nats.
    """

    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1
    name = "binary_crossentropy"
    function = staticmethod(binary_crossentropy)


class BinaryFocalCrossentropy(_Binary):
    """Binary crossentropy in which easy places count little.

    Args:
        apply_class_balancing: whether 1 weighs `alpha` and 0 weighs `1 - alpha`.
        alpha: from 0 to 1.
        gamma: at least 0.
        from_logits, label_smoothing, axis: as in BinaryCrossentropy.
        reduction, name, dtype: as in Loss.

    Source: Lin et al., "Focal Loss for Dense Object Detection", 2017.
    """

    apply_class_balancing: bool = False
    alpha: float = 0.25
    gamma: float = 2.0
    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1
    name = "binary_focal_crossentropy"
    function = staticmethod(binary_focal_crossentropy)

    def setup(self):
        super().setup()
        ranges.check(self, "alpha", least=0, most=1)
        ranges.check(self, "gamma", least=0)


class CategoricalCrossentropy(_Binary):
    """Crossentropy of classes, labels one-hot.

    Args:
        from_logits: whether predictions come before the softmax.
        label_smoothing: from 0 to 1, the share of the labels' weight given to all classes alike.
        axis: of the classes.
        reduction, name, dtype: as in Loss.

    Units: nats.
    """

    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1
    name = "categorical_crossentropy"
    function = staticmethod(categorical_crossentropy)


class CategoricalFocalCrossentropy(_Binary):
    """Categorical crossentropy in which easy places count little.

    Args:
        alpha: one number, or one a class; at least 0.
        gamma: at least 0.
        from_logits, label_smoothing, axis: as in CategoricalCrossentropy.
        reduction, name, dtype: as in Loss.

    Source: Lin et al., "Focal Loss for Dense Object Detection", 2017.
    """

    alpha: object = 0.25
    gamma: float = 2.0
    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1
    name = "categorical_focal_crossentropy"
    function = staticmethod(categorical_focal_crossentropy)

    def setup(self):
        super().setup()
        ranges.check(self, "gamma", least=0)
        alpha = np.asarray(self.alpha)
        if alpha.dtype.kind not in "iuf" or (alpha < 0).any() or alpha.ndim > 1:
            raise ValueError(f"CategoricalFocalCrossentropy: alpha must be a number of at least 0, or one a class; got {self.alpha!r}.")


class CategoricalGeneralizedCrossEntropy(FunctionLoss):
    """`(1 - p^q) / q`, for labels some of which are wrong.

    Args:
        q: above 0 and below 1.
        reduction, name, dtype: as in Loss.

    Raises:
        ValueError: `q` outside.

    Source: Zhang and Sabuncu, 2018.
    """

    q: float = 0.5
    name = "categorical_generalized_cross_entropy"
    sparse = True
    function = staticmethod(categorical_generalized_cross_entropy)

    def setup(self):
        super().setup()
        ranges.check(self, "q", above=0, below=1)

    def check_targets(self, y_true, y_pred_shape):
        if len(y_true.shape) < len(y_pred_shape) or y_true.shape[-1] == 1:
            check_class_numbers(type(self).__name__, y_true, y_pred_shape[-1])
        else:
            check_fractions(type(self).__name__, y_true)


class SparseCategoricalCrossentropy(FunctionLoss):
    """Crossentropy of classes, labels as class numbers.

    Args:
        from_logits: whether predictions come before the softmax.
        ignore_class: a class number whose places count for nothing.
        reduction: as in Loss.
        axis: of the classes.
        name, dtype: as in Loss.

    Units: nats.
    """

    from_logits: bool = False
    ignore_class: int | None = None
    reduction: str | None = "sum_over_batch_size"
    axis: int = -1
    name = "sparse_categorical_crossentropy"
    sparse = True
    function = staticmethod(sparse_categorical_crossentropy)

    def setup(self):
        super().setup()
        ranges.check(self, "axis", whole=True)
        ranges.check(self, "ignore_class", whole=True, optional=True)

    def check_targets(self, y_true, y_pred_shape):
        check_class_numbers(type(self).__name__, y_true, y_pred_shape[self.axis], self.ignore_class)


class KLDivergence(FunctionLoss):
    """`Σ y_true log(y_true / y_pred)` of probabilities.

    Args:
        reduction, name, dtype: as in Loss.

    Units: nats.
    """

    name = "kl_divergence"
    function = staticmethod(kl_divergence)


class CTC(FunctionLoss):
    """Connectionist temporal classification: sequences of labels without their places.

    Args:
        reduction, name, dtype: as in Loss.

    Source: Graves et al., ICML 2006.
    """

    name = "ctc"
    sparse = True
    function = staticmethod(ctc)

    def check_targets(self, y_true, y_pred_shape):
        check_class_numbers(type(self).__name__, y_true, y_pred_shape[-1])
