"""Connectionist temporal classification: sequences of labels without their places in time."""

from cornu import dtypes
from cornu.backends import canonical, kind
from cornu.ops.activate import log_softmax
from cornu.ops.control import scan
from cornu.ops.dispatch import op
from cornu.ops.elementwise import add, equal, exp, greater, less, log, logical_and, maximum, multiply, negative, not_equal, subtract, where
from cornu.ops.index import take_along_axis
from cornu.ops.making import arange, cast, full_like
from cornu.ops.reduce import max, sum
from cornu.ops.shaping import broadcast_to, concatenate, expand_dims, reshape, stack, transpose

_NEVER = -1e30  # the logarithm of a probability of 0, finite so that gradients are


@op(tensors=4)
def ctc_loss(target, output, target_length, output_length, mask_index=0):
    """`-log` of the summed probability of all ways in which the steps of `output` can say `target`.

    Args:
        target: the numbers of the labels.
        output: logits.
        target_length: how many labels of each row count.
        output_length: how many steps of each row count.
        mask_index: the class that means "no label".

    Shape: (batch, labels), (batch, steps, classes), (batch,), (batch,) -> (batch,).

    Source: Graves et al., "Connectionist Temporal Classification", ICML 2006, section 4.1.
    """
    if target.ndim != 2 or output.ndim != 3:
        raise ValueError(f"ctc_loss: wanted target (batch, labels) and output (batch, steps, classes); got {tuple(target.shape)} and {tuple(output.shape)}.")
    chances = log_softmax(cast(output, canonical(dtypes.to_float(kind(output)))), -1)
    target = cast(target, "int32")
    labels, steps = target.shape[1], output.shape[1]
    places = 2 * labels + 1  # a blank before, between and after the labels
    blank = full_like(target, mask_index)
    said = concatenate([reshape(stack([blank, target], 2), (-1, 2 * labels)), blank[:, :1]], 1)
    chances = take_along_axis(chances, broadcast_to(expand_dims(said, 1), (said.shape[0], steps, places)), 2)
    apart = concatenate([not_equal(said[:, :2], said[:, :2]), logical_and(not_equal(said[:, 2:], mask_index), not_equal(said[:, 2:], said[:, :-2]))], 1)
    never = full_like(chances[:, 0], _NEVER)

    def shifted(x, by):
        return concatenate([never[:, :by], x[:, :-by]], 1)

    def step(before, now):
        chance, time = now
        both = _log_sum(before, _log_sum(shifted(before, 1), where(apart, shifted(before, 2), _NEVER)))
        return where(expand_dims(less(time, output_length), 1), add(both, chance), before), time

    first = concatenate([chances[:, 0, :2], never[:, 2:]], 1)
    last, _ = scan(step, first, (transpose(chances, (1, 0, 2))[1:], arange(1, steps, dtype="int32")))
    ends = multiply(cast(target_length, "int32"), 2)
    index = broadcast_to(expand_dims(arange(places, dtype="int32"), 0), last.shape)
    ended = equal(index, expand_dims(ends, 1))
    inside = logical_and(equal(index, expand_dims(subtract(ends, 1), 1)), greater(expand_dims(ends, 1), 0))
    final = where(ended, last, where(inside, last, _NEVER))
    top = max(final, 1, keepdims=True)
    return negative(add(reshape(top, (-1,)), log(sum(exp(subtract(final, top)), 1))))


def _log_sum(x, y):
    """`log(exp(x) + exp(y))`, as it is at _NEVER too."""
    top = maximum(x, y)
    return add(top, log(add(exp(subtract(x, top)), exp(subtract(y, top)))))
