"""Losses of direction and of distance between embeddings."""

from cornu import masks, ops, ranges
from cornu.losses.loss import FunctionLoss
from cornu.losses.targets import check_class_numbers, classes, matched, tensors


def cosine_similarity(y_true, y_pred, axis=-1):
    """Minus the cosine of the angle: -1 where directions agree, 1 where they are opposite, 0 at right angles.

    Args:
        axis: along which the vectors lie.

    Shapes: (batch, ..., d), (batch, ..., d) -> (batch, ...)
    """
    y_true, y_pred = matched("cosine_similarity", y_true, y_pred)
    return ops.negative(ops.sum(ops.multiply(ops.normalize(y_true, axis=axis), ops.normalize(y_pred, axis=axis)), axis=axis))


def circle(y_true, y_pred, ref_labels=None, ref_embeddings=None, remove_diagonal=True, gamma=80, margin=0.4):
    """Circle loss: embeddings of one class are pulled together and of others pushed apart, the worst placed the most.

    Args:
        y_true: class numbers.
        y_pred: embeddings of length 1.
        ref_labels, ref_embeddings: what each is compared with; the batch itself by default.
        remove_diagonal: whether place i is not compared with reference i.
        gamma: scale, above 0.
        margin: from 0 to 1; smaller asks for more.

    Shapes: (batch,), (batch, d) -> (batch,)

    Source: Sun et al., "Circle Loss: A Unified Perspective of Pair Similarity Optimization", CVPR 2020, equation 6. As in Keras, gradients
    pass through the weights too, and places whose class no other has are left out of the mean.
    """
    y_true, y_pred = classes("circle", y_true, y_pred)
    labels, embeddings = (y_true, y_pred) if ref_embeddings is None else tensors(ref_labels, ref_embeddings, labels=True)
    labels = y_true if ref_labels is None else ops.reshape(labels, (-1,))
    cosine = ops.matmul(y_pred, ops.transpose(embeddings))
    same = ops.equal(ops.expand_dims(y_true, 1), ops.expand_dims(labels, 0))
    other = ops.logical_not(same)
    if remove_diagonal:
        row, column = (ops.cumsum(ops.ones_like(cosine), axis=axis) for axis in (0, 1))
        same = ops.logical_and(same, ops.not_equal(row, column))
    near = ops.multiply(ops.maximum(ops.subtract(1 + margin, cosine), 0), ops.subtract(1 - margin, cosine))
    far = ops.multiply(ops.maximum(ops.add(cosine, margin), 0), ops.subtract(cosine, margin))
    pull = ops.logsumexp(ops.where(same, ops.multiply(near, gamma), -1e9), axis=1)
    push = ops.logsumexp(ops.where(other, ops.multiply(far, gamma), -1e9), axis=1)
    values = ops.softplus(ops.add(pull, push))
    masks.set_mask(values, ops.any(same, axis=1))  # a place whose class no other has says nothing
    return values


class CosineSimilarity(FunctionLoss):
    """Minus the cosine of the angle between `y_true` and `y_pred`.

    Args:
        axis: along which the vectors lie.
        reduction, name, dtype: as in Loss.
    """

    axis: int = -1
    reduction: str | None = "sum_over_batch_size"
    name: str | None = "cosine_similarity"
    function = staticmethod(cosine_similarity)

    def setup(self):
        super().setup()
        ranges.check(self, "axis", whole=True)


class Circle(FunctionLoss):
    """Circle loss on embeddings and class numbers.

    Args:
        gamma: scale, above 0.
        margin: from 0 to 1; smaller asks for more.
        remove_diagonal: whether an embedding is not compared with itself.
        reduction, name, dtype: as in Loss.

    Source: Sun et al., "Circle Loss: A Unified Perspective of Pair Similarity Optimization", CVPR 2020.
    """

    gamma: float = 80.0
    margin: float = 0.4
    remove_diagonal: bool = True
    name = "circle"
    sparse = True
    function = staticmethod(circle)

    def setup(self):
        super().setup()
        ranges.check(self, "gamma", above=0)
        ranges.check(self, "margin", least=0, most=1)

    def check_targets(self, y_true, y_pred_shape):
        check_class_numbers(type(self).__name__, y_true, None)
