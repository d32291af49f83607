"""Labels and predictions brought to one rank, with an error that says what to do where they cannot be."""

import math
import warnings

import numpy as np

from cornu import backends, dtypes, ops, settings
from cornu.shapes import public


def tensors(y_true, y_pred, labels=False):
    """Both as tensors, predictions in a float type; `y_true` in that type too, unless it holds `labels` (class numbers)."""
    y_pred = ops.convert_to_tensor(y_pred)
    if not dtypes.is_float(kind(y_pred)):
        y_pred = ops.cast(y_pred, settings.floatx())
    y_true = ops.convert_to_tensor(y_true) if labels else ops.cast(y_true, kind(y_pred))
    return y_true, y_pred


def kind(x):
    """The name of a tensor's type."""
    return x.dtype if isinstance(x.dtype, str) else backends.kind(x)


def shape(x):
    """The shape as the user sees it: None for a size that is not known."""
    return public(tuple(x.shape))


def differ(a, b):
    """Whether two sizes are known and not equal."""
    return a is not None and b is not None and a != b


def same_rank(y_true, y_pred):
    """An axis of size 1 at the end, which only one of the two has, given to the other (vectors) or taken away."""
    lower, higher = sorted((y_true, y_pred), key=lambda x: len(x.shape))
    if len(higher.shape) - len(lower.shape) == 1 and shape(higher)[-1] == 1:
        if len(lower.shape) == 1:
            fix = lambda x: ops.expand_dims(x, -1) if len(x.shape) == 1 else x
        else:
            fix = lambda x: ops.squeeze(x, -1) if len(x.shape) == len(higher.shape) else x
        return fix(y_true), fix(y_pred)
    return y_true, y_pred


def matched(name, y_true, y_pred):
    """Labels and predictions of one shape, for what compares them place by place.

    Raises:
        ValueError: the shapes do not fit, or have no axis at all.
    """
    y_true, y_pred = same_rank(*tensors(y_true, y_pred))
    a, b = shape(y_true), shape(y_pred)
    if a and a == b:
        return y_true, y_pred
    if not a or len(a) != len(b) or any(differ(i, j) and 1 not in (i, j) for i, j in zip(a, b)):
        raise ValueError(f"{name}: {_misfit(a, b)}")
    if any(differ(i, j) for i, j in zip(a, b)):
        warnings.warn(
            f"{name}: y_true of shape {a} and y_pred of shape {b} are stretched to fit each other. If that is not meant, give both one shape.", stacklevel=3
        )
    return y_true, y_pred


def one_hot(name, y_true, y_pred, axis=-1):
    """Labels as rows of class probabilities and predictions, of one shape.

    Raises:
        ValueError: `y_true` holds class numbers, or another number of classes.
    """
    y_true, y_pred = same_rank(*tensors(y_true, y_pred))
    a, b = shape(y_true), shape(y_pred)
    if a and len(a) == len(b) and not any(differ(i, j) for i, j in zip(a, b)):
        if b[axis] == 1:
            warnings.warn(
                f"{name}: y_pred of shape {b} has one class, whose probability is always 1. For a yes-or-no answer use binary_crossentropy.", stacklevel=3
            )
        return y_true, y_pred
    classes = b[-1] if b else None
    if len(b) >= 2 and (len(a) == len(b) - 1 or (len(a) == len(b) and a[-1] == 1)) and not any(differ(i, j) for i, j in zip(a[: len(b) - 1], b)):
        raise ValueError(
            f"{name}: y_true of shape {a} holds class numbers; wanted one-hot rows of shape {b}, as y_pred has. "
            f"Use sparse_categorical_crossentropy, or to_categorical(y_true, num_classes={classes})."
        )
    if len(a) == len(b) and a and not any(differ(i, j) for i, j in zip(a[:-1], b[:-1])):
        raise ValueError(
            f"{name}: y_true of shape {a} has {a[-1]} classes, y_pred of shape {b} has {classes}. Give the last layer {a[-1]} units, or to_categorical num_classes={classes}."
        )
    raise ValueError(f"{name}: {_misfit(a, b)}")


def binary(name, y_true, y_pred):
    """Labels 0 or 1 and predictions, of one shape.

    Raises:
        ValueError: the shapes do not fit.
    """
    y_true, y_pred = same_rank(*tensors(y_true, y_pred))
    a, b = shape(y_true), shape(y_pred)
    if a and len(a) == len(b) and not any(differ(i, j) for i, j in zip(a, b)):
        return y_true, y_pred
    hint = ""
    if len(b) >= 2 and (len(a) == len(b) - 1 or (len(a) == len(b) and a[-1] == 1)):
        hint = f" For {b[-1]} classes use sparse_categorical_crossentropy; for a yes-or-no answer give the last layer 1 unit."
    elif len(a) == len(b) and len(a) >= 2 and b[-1] == 1:
        hint = f" For one-hot labels of {a[-1]} classes give the last layer {a[-1]} units and use categorical_crossentropy."
    raise ValueError(f"{name}: {_misfit(a, b)}{hint}")


def classes(name, y_true, y_pred):
    """Class numbers, with an axis of size 1 at their end taken away, and predictions with one axis more.

    Raises:
        ValueError: `y_true` is one-hot, or the shapes do not fit.
    """
    y_true, y_pred = tensors(y_true, y_pred, labels=True)
    a, b = shape(y_true), shape(y_pred)
    if len(a) == len(b) and a and a[-1] == 1:
        y_true, a = ops.squeeze(y_true, -1), a[:-1]
    if b and len(a) == len(b) - 1 and not any(differ(i, j) for i, j in zip(a, b)):
        return y_true, y_pred
    if a and len(a) == len(b) and len(b) >= 2 and not any(differ(i, j) for i, j in zip(a, b)):
        raise ValueError(
            f"{name}: y_true of shape {a} is one-hot, as y_pred of shape {b}; wanted class numbers of shape {b[:-1]}. "
            "Use categorical_crossentropy, or numpy.argmax(y_true, axis=-1)."
        )
    raise ValueError(f"{name}: {_misfit(a, b, wanted=b[:-1] if b else None)}")


def _misfit(a, b, wanted=None):
    """What is said of two shapes that do not fit."""
    said = f"y_true of shape {a} does not fit y_pred of shape {b}"
    if not a or not b:
        return f"{said}: wanted at least one axis, the samples."
    if differ(a[0], b[0]):
        return f"{said}: {a[0]} and {b[0]} samples."
    return f"{said}: wanted {wanted if wanted is not None else b}."


def check_class_numbers(name, y_true, count, ignore_class=None):
    """See on the host that labels are whole numbers from 0 to `count - 1`.

    Args:
        y_true: NumPy array.
        count: number of classes, or None where it is not known.

    Raises:
        ValueError: one is not; the message shows the first.
    """
    y_true = np.asarray(y_true)
    if y_true.size == 0:
        return
    if y_true.dtype.kind not in "iufb":
        raise ValueError(
            f"{name}: wanted class numbers; got labels of type {y_true.dtype}. Turn names into numbers first, for instance with layers.StringLookup or numpy.unique(..., return_inverse=True)."
        )
    counted = np.ones(y_true.shape, bool) if ignore_class is None else y_true != ignore_class
    whole = np.isfinite(y_true) & (np.floor(y_true) == y_true) if y_true.dtype.kind == "f" else True
    top = math.inf if count is None else count - 1
    bad = counted & ~(whole & (y_true >= 0) & (y_true <= top))
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        value, span = y_true[place].item(), "0 or more" if count is None else f"0 to {top}"
        reason = "" if count is None else f", since the model has {count} output{'s' * (count != 1)}"
        hint = ""
        if count == 1:
            hint = " With one output use binary_crossentropy."
        elif count is not None and y_true[counted & ~np.isnan(y_true)].min(initial=2) == 1 and value == count:
            hint = " The labels start at 1: subtract 1, or give the last layer one unit more."
        elif count is not None and value > top:
            hint = f" Give the last layer at least {int(value) + 1} units, or mend the labels." if value == int(value) and value < 1e6 else ""
        raise ValueError(f"{name}: wanted class numbers from {span}{reason}; got {value} at {place} of y_true.{hint}")


def check_fractions(name, y_true, low=0.0, high=1.0):
    """See on the host that labels lie between `low` and `high`.

    Raises:
        ValueError: one does not, or is not a number; the message shows the first.
    """
    y_true = np.asarray(y_true)
    if y_true.dtype.kind not in "iufb":
        raise ValueError(f"{name}: wanted labels from {low:g} to {high:g}; got the type {y_true.dtype}. Turn names into numbers first.")
    bad = ~((y_true >= low) & (y_true <= high))
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        value = y_true[place].item()
        hint = " For class numbers use sparse_categorical_crossentropy." if value > high and value == round(value) else ""
        raise ValueError(f"{name}: wanted labels from {low:g} to {high:g}; got {value} at {place} of y_true.{hint}")
