"""Intersection over union, for segmentation."""

from cornu import dtypes, masks, ops, ranges, settings
from cornu.losses.loss import nested
from cornu.losses.reduction import align
from cornu.losses.targets import differ, shape
from cornu.metrics.metric import Metric


class _Confusion(Metric):
    """How often places of each true class (rows) get each predicted class (columns)."""

    ignore_class = None
    sparse_y_true = sparse_y_pred = True
    axis = -1

    def setup(self):
        self.dtype = self.dtype or "int32"
        super().setup()
        ranges.check(self, "num_classes", least=1, whole=True)
        ranges.check(self, "ignore_class", whole=True, optional=True)
        ranges.check(self, "axis", whole=True)
        self.total_confusion_matrix = self.add_variable((self.num_classes, self.num_classes), "zeros", name="total_confusion_matrix")

    def _classes(self, y, sparse):
        y = ops.convert_to_tensor(y)
        return ops.cast(y if sparse else ops.argmax(y, axis=self.axis), "int32")

    def update_state(self, y_true, y_pred, sample_weight=None):
        mask = None if nested(y_pred) else masks.get_mask(y_pred)
        y_true, y_pred = self._classes(y_true, self.sparse_y_true), self._classes(y_pred, self.sparse_y_pred)
        y_true, y_pred = (
            ops.squeeze(x, -1) if len(x.shape) == len(other.shape) + 1 and shape(x)[-1] == 1 else x for x, other in ((y_true, y_pred), (y_pred, y_true))
        )
        if len(y_true.shape) != len(y_pred.shape) or any(differ(i, j) for i, j in zip(shape(y_true), shape(y_pred))):
            raise ValueError(
                f"{type(self).__name__} {self.name!r}: classes of shape {shape(y_true)} in y_true do not fit those of shape {shape(y_pred)} in y_pred."
            )
        count, dtype = self.num_classes, self.total_confusion_matrix.dtype
        weights = ops.ones_like(y_true, dtype=dtype)
        for factor in (sample_weight, mask):
            if factor is not None:
                weights = ops.multiply(weights, align(ops.cast(factor, dtype), y_true, self.name))
        counted = ops.ones_like(y_true, dtype="bool") if self.ignore_class is None else ops.not_equal(y_true, self.ignore_class)
        for y in (y_true, y_pred):  # a class out of range is nowhere in the table
            counted = ops.logical_and(counted, ops.logical_and(ops.greater_equal(y, 0), ops.less(y, count)))
        places = ops.where(counted, ops.add(ops.multiply(y_true, count), y_pred), 0)
        weights = ops.where(counted, weights, ops.zeros_like(weights))
        table = ops.segment_sum(ops.reshape(weights, (-1,)), ops.reshape(places, (-1,)), num_segments=count * count)
        self.total_confusion_matrix.assign_add(ops.reshape(table, (count, count)))

    def _shares(self, classes=None):
        """The mean over `classes` of intersection over union, classes that occur nowhere left out."""
        dtype = self.dtype if dtypes.is_float(self.dtype) else settings.floatx()
        table = ops.cast(self.total_confusion_matrix, dtype)
        both = ops.diagonal(table)
        union = ops.subtract(ops.add(ops.sum(table, axis=0), ops.sum(table, axis=1)), both)
        if classes is not None:
            both, union = (ops.take(x, ops.convert_to_tensor(classes, "int32"), axis=0) for x in (both, union))
        occurring = ops.cast(ops.greater(union, 0), dtype)
        return ops.divide_no_nan(ops.sum(ops.divide_no_nan(both, union)), ops.sum(occurring))


class IoU(_Confusion):
    """Mean over some classes of intersection over union, from 0 to 1: places where both say the class over places where one does.

    Args:
        num_classes: at least 1.
        target_class_ids: the classes to average over.
        name: as in Metric.
        dtype: type of the counts, int32 by default; give a float type for weights that are not whole numbers.
        ignore_class: places of this class in `y_true` count for nothing.
        sparse_y_true, sparse_y_pred: whether they hold class numbers, else scores of the classes.
        axis: of the classes, where not sparse.

    Raises:
        ValueError: a target class out of range.

    >>> round(float(IoU(num_classes=2, target_class_ids=[0])([0, 0, 1, 1], [0, 1, 0, 1])), 4)
    0.3333
    """

    num_classes: int
    target_class_ids: object
    name: str | None = None
    dtype: object = None
    ignore_class: int | None = None
    sparse_y_true: bool = True
    sparse_y_pred: bool = True
    axis: int = -1

    def setup(self):
        super().setup()
        given = self.target_class_ids
        if not hasattr(given, "__iter__") or isinstance(given, str) or not all(hasattr(i, "__index__") for i in given):
            raise TypeError(f"{type(self).__name__}: target_class_ids must be a list of class numbers; got {given!r}.")
        self.target_class_ids = list(given)
        out = [i for i in self.target_class_ids if not 0 <= i < self.num_classes]
        if out:
            raise ValueError(f"{type(self).__name__}: target_class_ids must be from 0 to {self.num_classes - 1}; got {out[0]}.")

    def result(self):
        return self._shares(self.target_class_ids)


class BinaryIoU(IoU):
    """Mean of intersection over union of the classes 0 and 1, predictions being probabilities.

    Args:
        target_class_ids: 0, 1, or both.
        threshold: from 0 to 1; from it on, a prediction means 1.
        name, dtype: as in IoU.
    """

    target_class_ids: object = (0, 1)
    threshold: float = 0.5
    name: str | None = None
    dtype: object = None
    _left_out = frozenset(("num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis"))
    num_classes, ignore_class, sparse_y_true, sparse_y_pred, axis = 2, None, True, True, -1

    def setup(self):
        super().setup()
        ranges.check(self, "threshold", least=0, most=1)

    def update_state(self, y_true, y_pred, sample_weight=None):
        over = ops.cast(ops.greater_equal(ops.convert_to_tensor(y_pred), self.threshold), "int32")
        if not nested(y_pred) and masks.get_mask(y_pred) is not None:
            masks.set_mask(over, masks.get_mask(y_pred))
        super().update_state(y_true, over, sample_weight)


class MeanIoU(_Confusion):
    """Mean over all classes that occur of intersection over union, from 0 to 1.

    Args:
        num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis: as in IoU.
    """

    num_classes: int
    name: str | None = None
    dtype: object = None
    ignore_class: int | None = None
    sparse_y_true: bool = True
    sparse_y_pred: bool = True
    axis: int = -1

    def result(self):
        return self._shares()


class OneHotIoU(IoU):
    """IoU for one-hot labels and scores of the classes.

    Args:
        num_classes, target_class_ids, name, dtype, ignore_class, sparse_y_pred, axis: as in IoU.
    """

    num_classes: int
    target_class_ids: object
    name: str | None = None
    dtype: object = None
    ignore_class: int | None = None
    sparse_y_pred: bool = False
    axis: int = -1
    _left_out = frozenset(("sparse_y_true",))
    sparse_y_true = False


class OneHotMeanIoU(MeanIoU):
    """MeanIoU for one-hot labels and scores of the classes.

    Args:
        num_classes, name, dtype, ignore_class, sparse_y_pred, axis: as in IoU.
    """

    num_classes: int
    name: str | None = None
    dtype: object = None
    ignore_class: int | None = None
    sparse_y_pred: bool = False
    axis: int = -1
    _left_out = frozenset(("sparse_y_true",))
    sparse_y_true = False
