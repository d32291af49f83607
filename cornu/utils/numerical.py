"""Small helpers on arrays of data: classes to vectors, rows to unit length."""

import numpy as np

from cornu import backends, ops


def to_categorical(x, num_classes=None):
    """Class numbers as rows with a single one.

    Args:
        x: whole numbers from 0 to `num_classes - 1`; an array, a list or a tensor.
        num_classes: how many classes; None means the largest number in `x` and one.

    Shapes:
        x (...) or (..., 1) -> (..., num_classes)

    Raises:
        ValueError: a number in `x` is below 0 or not below `num_classes`.

    >>> to_categorical([0, 2, 1])
    array([[1., 0., 0.],
           [0., 0., 1.],
           [0., 1., 0.]])
    """
    if backends.is_tensor(x) and not isinstance(x, np.ndarray):
        shape = tuple(x.shape)
        x = ops.reshape(x, shape[:-1]) if len(shape) > 1 and shape[-1] == 1 else x
        return ops.one_hot(x, int(backends.numpy(ops.max(x))) + 1 if num_classes is None else num_classes)
    x = np.asarray(x, "int64")
    if x.ndim > 1 and x.shape[-1] == 1:
        x = x[..., 0]
    if x.size == 0 and num_classes is None:
        raise ValueError("to_categorical: x is empty, so give num_classes.")
    num_classes = int(x.max()) + 1 if num_classes is None else int(num_classes)
    if x.size and (x.min() < 0 or x.max() >= num_classes):
        raise ValueError(f"to_categorical: wanted class numbers from 0 to {num_classes - 1}; got numbers from {x.min()} to {x.max()}.")
    rows = np.zeros((x.size, num_classes))
    rows[np.arange(x.size), x.ravel()] = 1
    return rows.reshape(*x.shape, num_classes)


def normalize(x, axis=-1, order=2):
    """`x` divided by its norm along `axis`; what has the norm 0 stays 0.

    Args:
        x: array or tensor.
        axis: along which the norm is taken.
        order: of the norm, at least 1.

    >>> normalize([[3.0, 4.0]])
    array([[0.6, 0.8]])
    """
    if backends.is_tensor(x) and not isinstance(x, np.ndarray):
        return ops.normalize(x, axis=axis, order=order)
    norm = np.atleast_1d(np.linalg.norm(x, order, axis))
    norm[norm == 0] = 1
    return x / np.expand_dims(norm, axis)
