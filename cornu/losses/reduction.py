"""From losses of single places to one number: weights, masks, sums and means."""

from cornu import ops
from cornu.losses.targets import differ, shape

REDUCTIONS = ("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None)


def align(weights, values, name, what="sample_weight"):
    """`weights` with as many axes as `values`, to be multiplied by them.

    The axes of fewer weights are the first ones: one weight a sample stands for all its places.

    Raises:
        ValueError: they do not fit.
    """
    a, b = shape(weights), shape(values)
    if not a or not b:
        return weights
    if len(a) == len(b) + 1 and a[-1] == 1:
        weights, a = ops.squeeze(weights, -1), a[:-1]
    if len(a) < len(b) and all(i == 1 or not differ(i, j) for i, j in zip(a, b)):
        a = a + (1,) * (len(b) - len(a))
        for _ in range(len(b) - len(weights.shape)):
            weights = ops.expand_dims(weights, -1)
    if len(a) > len(b) or any(i != 1 and differ(i, j) for i, j in zip(reversed(a), reversed(b))):
        raise ValueError(f"{name}: {what} of shape {shape(weights)} does not fit values of shape {b}: wanted {b[:1]}, one a sample, or {b}.")
    return weights


def reduce(values, sample_weight=None, mask=None, reduction="sum_over_batch_size", dtype=None, name="loss"):
    """Losses of single places weighted, masked and reduced.

    Args:
        values: any shape.
        sample_weight: factors that fit `values`; their axes are the first ones.
        mask: booleans that fit `values`; where False, a place counts for nothing.
        reduction: "sum_over_batch_size" or "mean" divides the sum by the number of places that the mask leaves, "mean_with_sample_weight"
            by the sum of their weights; "sum"; "none" or None gives the losses as they are.
    """
    dtype = dtype or values.dtype
    values = ops.cast(values, dtype)
    factor = None
    if sample_weight is not None:
        factor = align(ops.cast(sample_weight, dtype), values, name)
        values = ops.multiply(values, factor)
    if mask is not None:
        mask = align(ops.cast(mask, "bool"), values, name, "the mask")
        values = ops.where(mask, values, 0.0)
        mask = ops.cast(mask, dtype)
    if reduction in ("none", None):
        return values
    if reduction == "sum" or 0 in shape(values):
        return ops.sum(values)
    parts = [mask] if reduction != "mean_with_sample_weight" else [mask, factor]
    parts = [part for part in parts if part is not None]
    if not parts:
        return ops.mean(values)
    divisor = ops.ones_like(values)
    for part in parts:
        divisor = ops.multiply(divisor, part)
    return ops.divide_no_nan(ops.sum(values), ops.sum(divisor))
