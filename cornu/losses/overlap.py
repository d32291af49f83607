"""Losses of overlap between regions, for segmentation."""

from cornu import ops, ranges, settings
from cornu.losses.loss import FunctionLoss
from cornu.losses.targets import matched


def dice(y_true, y_pred, axis=None):
    """`1 - 2 |A ∩ B| / (|A| + |B|)`, A the labels and B the predictions.

    Args:
        y_true, y_pred: from 0 to 1.
        axis: axes of one region; None: all together.

    Shapes: (batch, ...), (batch, ...) -> what `axis` leaves

    Source: Milletari et al., "V-Net", 2016 (without the squares).
    """
    y_true, y_pred = matched("dice", y_true, y_pred)
    both = ops.sum(ops.multiply(y_true, y_pred), axis=axis)
    sizes = ops.add(ops.sum(y_true, axis=axis), ops.sum(y_pred, axis=axis))
    return ops.subtract(1, ops.divide(ops.multiply(both, 2), ops.add(sizes, settings.epsilon())))


def tversky(y_true, y_pred, alpha=0.5, beta=0.5, axis=None):
    """`1 - |A ∩ B| / (|A ∩ B| + alpha |A without B| + beta |B without A|)`, A the labels and B the predictions.

    Args:
        alpha, beta: what a false negative and a false positive cost, at least 0, as Keras computes it (the paper has them the other way
            round); 0.5 and 0.5 give Dice.
        axis: axes of one region; None: all together.

    Shapes: (batch, ...), (batch, ...) -> what `axis` leaves

    Source: Salehi et al., "Tversky loss function for image segmentation using 3D fully convolutional deep networks", 2017.
    """
    y_true, y_pred = matched("tversky", y_true, y_pred)
    both = ops.sum(ops.multiply(y_true, y_pred), axis=axis)
    false = ops.sum(ops.multiply(ops.subtract(1, y_true), y_pred), axis=axis)
    missed = ops.sum(ops.multiply(y_true, ops.subtract(1, y_pred)), axis=axis)
    whole = ops.add(ops.add(both, ops.multiply(false, beta)), ops.multiply(missed, alpha))
    return ops.subtract(1, ops.divide(both, ops.add(whole, settings.epsilon())))


class _Overlap(FunctionLoss):
    def setup(self):
        super().setup()
        axes = self.axis if isinstance(self.axis, (list, tuple)) else () if self.axis is None else (self.axis,)
        if not all(hasattr(axis, "__index__") for axis in axes):
            raise TypeError(f"{type(self).__name__}: axis must be an integer, a list of them, or None; got {self.axis!r}.")


class Dice(_Overlap):
    """`1 - 2 |A ∩ B| / (|A| + |B|)` of labels and predictions from 0 to 1.

    Args:
        reduction, name, dtype: as in Loss.
        axis: axes of one region; None: the whole batch together.
    """

    reduction: str | None = "sum_over_batch_size"
    name: str | None = "dice"
    axis: object = None
    function = staticmethod(dice)


class Tversky(_Overlap):
    """Dice with prices of its own for false negatives and false positives.

    Args:
        alpha, beta: what a false negative and a false positive cost, at least 0.
        reduction, name, dtype: as in Loss.
        axis: axes of one region; None: the whole batch together.

    Source: Salehi et al., 2017.
    """

    alpha: float = 0.5
    beta: float = 0.5
    reduction: str | None = "sum_over_batch_size"
    name: str | None = "tversky"
    axis: object = None
    function = staticmethod(tversky)

    def setup(self):
        super().setup()
        ranges.check(self, "alpha", "beta", least=0)
