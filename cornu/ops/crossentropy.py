"""Crossentropies between what is true and what was predicted, in nats."""

from cornu import dtypes, settings
from cornu.backends import array, canonical, kind
from cornu.backends import protocol as p
from cornu.ops.activate import log_softmax
from cornu.ops.dispatch import op, settle
from cornu.ops.elementwise import abs, add, clip, divide, exp, log, log1p, maximum, multiply, negative, subtract, where
from cornu.ops.making import cast
from cornu.ops.reduce import sum
from cornu.shapes import normalize_axis, public, unknown


def _pair(target, output, name):
    dtype = canonical(dtypes.to_float(kind(output)))
    (target, output), _ = settle(array(target), array(output), dtype=_wide(dtype))
    if target.ndim != output.ndim or any(not unknown(a) and not unknown(b) and a != b for a, b in zip(target.shape, output.shape, strict=True)):
        raise ValueError(f"{name}: target and output must have the same shape; got {public(target.shape)} and {public(output.shape)}.")
    return target, output, dtype


def _wide(dtype):
    """The type to compute in: half precision knows nothing between `1 - epsilon` and 1."""
    return "float32" if dtype in ("float16", "bfloat16") else dtype


def _safe(output):
    """Probabilities kept away from 0 and 1, where the logarithm ends."""
    return clip(output, settings.epsilon(), 1.0 - settings.epsilon())


@op(tensors=2)
def binary_crossentropy(target, output, from_logits=False):
    """`-(target * log(output) + (1 - target) * log(1 - output))`, element by element.

    Args:
        target: 0 or 1, or a probability.
        output: a probability, or a logit where `from_logits`.

    >>> float(ops.binary_crossentropy([1.0], [0.0], from_logits=True)[0])
    0.6931471824645996
    """
    target, output, dtype = _pair(target, output, "binary_crossentropy")
    if from_logits:
        return cast(add(subtract(maximum(output, 0), multiply(output, target)), log1p(exp(negative(abs(output))))), dtype)
    output = _safe(output)
    return cast(negative(add(multiply(target, log(output)), multiply(subtract(1.0, target), log(subtract(1.0, output))))), dtype)


@op(tensors=2)
def categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """`-sum(target * log(output))` along `axis`.

    Args:
        target: one-hot rows, or probabilities.
        output: probabilities (they are divided by their sum), or logits where `from_logits`.

    Shape: (..., classes) twice -> (...).

    >>> ops.categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).tolist()
    [0.6931471824645996]
    """
    target, output, dtype = _pair(target, output, "categorical_crossentropy")
    if not target.ndim:
        raise ValueError("categorical_crossentropy: wanted one axis at least, that of the classes; got scalars.")
    axis = normalize_axis(axis, output.ndim, "categorical_crossentropy")
    return cast(negative(sum(multiply(target, _log_probabilities(output, from_logits, axis)), axis)), dtype)


def _log_probabilities(output, from_logits, axis):
    if from_logits:
        return log_softmax(output, axis)
    return log(_safe(divide(output, sum(output, axis, keepdims=True))))


@op(tensors=2)
def sparse_categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """`-log(output)` at the class that `target` names. A target out of range gives 0.

    Args:
        target: the number of the class, from 0 up.
        output: probabilities (they are divided by their sum), or logits where `from_logits`.

    Shape: target (...) or (..., 1), output (..., classes) -> (...).

    >>> ops.sparse_categorical_crossentropy([1], [[0.5, 0.5]]).tolist()
    [0.6931471824645996]
    """
    target, output = array(target), array(output)
    target = target if dtypes.is_integer(kind(target)) else cast(target, "int32")
    dtype = canonical(dtypes.to_float(kind(output)))
    output = cast(output, _wide(dtype))
    if not output.ndim:
        raise ValueError("sparse_categorical_crossentropy: wanted one axis at least in output, that of the classes; got a scalar.")
    axis = normalize_axis(axis, output.ndim, "sparse_categorical_crossentropy")
    if target.ndim == output.ndim and target.shape[-1] == 1:
        target = p.reshape(target, tuple(target.shape[:-1]))
    wanted = (*output.shape[:axis], *output.shape[axis + 1 :])
    if target.ndim != output.ndim - 1 or any(not unknown(a) and not unknown(b) and a != b for a, b in zip(target.shape, wanted, strict=True)):
        raise ValueError(
            f"sparse_categorical_crossentropy: target must have the shape of output without axis {axis}, {public(wanted)}; got {public(target.shape)}, "
            f"for an output of {public(output.shape)}. One-hot targets go with categorical_crossentropy."
        )
    classes = output.shape[axis]
    numbers = p.iota(tuple(classes if i == axis else 1 for i in range(output.ndim)), axis, kind(target))
    chosen = p.equal(p.reshape(target, (*target.shape[:axis], 1, *target.shape[axis:])), numbers)
    return cast(negative(sum(where(chosen, _log_probabilities(output, from_logits, axis), 0.0), axis)), dtype)
