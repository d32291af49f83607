"""Connectionist temporal classification: sequences of labels without their places in time."""

from cornu import dtypes, shapes
from cornu.backends import canonical, kind
from cornu.backends import protocol as p
from cornu.ops.activate import log_softmax
from cornu.ops.control import scan
from cornu.ops.dispatch import op
from cornu.ops.elementwise import add, equal, exp, greater, less, log, logical_and, maximum, mod, multiply, negative, not_equal, subtract, where
from cornu.ops.index import scatter_update, take_along_axis, top_k
from cornu.ops.making import arange, cast, full, full_like, one_hot
from cornu.ops.reduce import argmax, max, sum
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

    >>> ops.ctc_loss([[1, 2]], ops.zeros((1, 4, 3)), [2], [4]).shape
    (1,)

    Source: Graves et al., "Connectionist Temporal Classification", ICML 2006, section 4.1.
    """
    if target.ndim != 2 or output.ndim != 3:
        raise ValueError(f"ctc_loss: wanted target (batch, labels) and output (batch, steps, classes); got {tuple(target.shape)} and {tuple(output.shape)}.")
    dtype = canonical(dtypes.to_float(kind(output)))
    chances = log_softmax(_in_single(output), -1)
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
    return cast(negative(add(reshape(top, (-1,)), log(sum(exp(subtract(final, top)), 1)))), dtype)


def _in_single(x):
    """`x` in float32, or float64 where it is: narrower types do not hold _NEVER."""
    return cast(x, "float64" if kind(x) == "float64" else "float32")


def _log_sum(x, y):
    """`log(exp(x) + exp(y))`, as it is at _NEVER too."""
    top = maximum(x, y)
    return add(top, log(add(exp(subtract(x, top)), exp(subtract(y, top)))))


@op(tensors=2)
def ctc_decode(inputs, sequence_lengths, strategy="greedy", beam_width=100, top_paths=1, merge_repeated=True, mask_index=0):
    """The labels that the steps of `inputs` say.

    Args:
        inputs: logits.
        sequence_lengths: how many steps of each row count.
        strategy: "greedy" takes the best class of each step; "beam_search" adds up all ways to say the same, for the `beam_width` best beginnings.
        beam_width: how many beginnings are followed, from 1 up.
        top_paths: how many answers "beam_search" gives for each row, at most `beam_width`.
        merge_repeated: whether "greedy" takes a class that comes several times in a row for one label.
        mask_index: the class that means "no label"; negative numbers count from the end.

    Shape: (batch, steps, classes), (batch,) -> (paths, batch, steps), (batch, paths).

    Returns:
        The labels as int32, -1 behind the last, the best path first; and their scores: for "beam_search" the logarithm of each answer's
        probability, for "greedy" the negative sum of the best logits.

    Raises:
        ValueError: another strategy, or shapes and numbers that do not fit.

    Source: Graves et al., "Connectionist Temporal Classification", ICML 2006, section 3.2; Hannun et al., "First-Pass Large Vocabulary
    Continuous Speech Recognition using Bi-Directional Recurrent DNNs", 2014, algorithm 1, without a language model.
    """
    if inputs.ndim != 3:
        raise ValueError(f"ctc_decode: wanted inputs of (batch, steps, classes); got the shape {shapes.public(inputs.shape)}.")
    if sequence_lengths.ndim != 1:
        raise ValueError(f"ctc_decode: wanted one number of steps for each row; got the shape {shapes.public(sequence_lengths.shape)}.")
    shapes.same(inputs.shape[0], sequence_lengths.shape[0], "ctc_decode: the rows of inputs and of sequence_lengths")
    classes = inputs.shape[2]
    if not shapes.unknown(classes) and not -classes <= mask_index < classes:
        raise ValueError(f"ctc_decode: mask_index must be one of the {classes} classes; got {mask_index}.")
    mask_index = mask_index % classes if mask_index < 0 else mask_index
    inputs = _in_single(inputs)
    lengths = cast(sequence_lengths, "int32")
    if strategy == "greedy":
        return _best_steps(inputs, lengths, merge_repeated, mask_index)
    if strategy != "beam_search":
        raise ValueError(f"ctc_decode: strategy must be 'greedy' or 'beam_search'; got {strategy!r}.")
    if not 1 <= top_paths <= beam_width:
        raise ValueError(f"ctc_decode: top_paths must be from 1 to beam_width; got {top_paths} and {beam_width}.")
    return _best_beams(log_softmax(inputs, -1), lengths, beam_width, top_paths, mask_index)


def _best_steps(inputs, lengths, merge_repeated, mask_index):
    batch, steps, _ = inputs.shape
    best = cast(argmax(inputs, -1), "int32")
    inside = less(expand_dims(arange(steps, dtype="int32"), 0), expand_dims(lengths, 1))
    said = logical_and(inside, not_equal(best, mask_index))
    if merge_repeated:
        before = concatenate([full((batch, 1), -1, "int32"), best[:, :-1]], 1)
        said = logical_and(said, not_equal(best, before))
    place = subtract(p.cumsum(cast(said, "int32"), 1), 1)
    place = where(said, place, steps)  # what is left out goes behind the end, which is cut off
    row = broadcast_to(expand_dims(arange(batch, dtype="int32"), 1), place.shape)
    labels = scatter_update(full((batch, steps + 1), -1, "int32"), stack([row, place], -1), best)[:, :-1]
    score = negative(sum(where(inside, max(inputs, -1), 0.0), 1, keepdims=True))
    return expand_dims(labels, 0), score


def _best_beams(chances, lengths, width, paths, mask_index):
    """Beams are beginnings of answers, no two alike: the labels so far, and how likely they are said so far with a blank or a label last."""
    batch, steps, classes = chances.shape
    places = arange(steps, dtype="int32")
    nothing = full((batch, width), _NEVER, kind(chances))
    alive = less(expand_dims(arange(width, dtype="int32"), 0), 1)  # in the beginning only the empty answer
    start = full((batch, width, steps), -1, "int32"), full((batch, width), 0, "int32"), where(alive, 0.0, nothing), nothing

    def step(beams, now):
        labels, counts, by_blank, by_label = beams
        chance, time = now
        both = _log_sum(by_blank, by_label)
        last_place = maximum(subtract(counts, 1), 0)
        last = take_along_axis(labels, expand_dims(last_place, 2), 2)[:, :, 0]
        again = add(by_label, take_along_axis(chance, maximum(last, 0), 1))
        again = where(greater(counts, 0), again, _NEVER)
        paused = add(both, chance[:, mask_index : mask_index + 1])
        # A beam i and one more label may be beam j: then it adds to that, and is no beam of its own.
        alike = sum(cast(equal(expand_dims(labels, 2), expand_dims(labels, 1)), "int32"), 3)
        grows = logical_and(equal(alike, steps - 1), equal(add(expand_dims(counts, 2), 1), expand_dims(counts, 1)))
        real = greater(both, _NEVER / 2)
        grows = logical_and(grows, logical_and(expand_dims(real, 2), expand_dims(real, 1)))
        repeated = equal(expand_dims(last, 2), expand_dims(arange(classes, dtype="int32"), 0))
        longer = add(where(repeated, expand_dims(by_blank, 2), expand_dims(both, 2)), expand_dims(chance, 1))
        longer = where(equal(arange(classes, dtype="int32"), mask_index), _NEVER, longer)
        known = take_along_axis(longer, broadcast_to(expand_dims(maximum(last, 0), 1), (batch, width, width)), 2)
        into = max(where(grows, known, _NEVER), 1)  # one i at most
        again = _log_sum(again, into)
        taken = max(multiply(cast(expand_dims(grows, 3), "int32"), one_hot(expand_dims(last, 1), classes, dtype="int32")), 2)
        longer = where(greater(taken, 0), _NEVER, longer)
        scores = concatenate([_log_sum(paused, again), reshape(longer, (-1, width * classes))], 1)
        _, chosen = top_k(scores, width)
        kept = less(chosen, width)
        more = maximum(subtract(chosen, width), 0)
        source, label = where(kept, chosen, more // classes), mod(more, classes)
        pick = lambda x: take_along_axis(x, source, 1)
        count = pick(counts)
        new = take_along_axis(labels, broadcast_to(expand_dims(source, 2), (batch, width, steps)), 1)
        appended = logical_and(equal(places, expand_dims(count, 2)), expand_dims(equal(kept, False), 2))
        found = (
            where(appended, expand_dims(label, 2), new),
            where(kept, count, add(count, 1)),
            where(kept, pick(paused), _NEVER),
            where(kept, pick(again), take_along_axis(reshape(longer, (-1, width * classes)), more, 1)),
        )
        goes_on = less(time, lengths)
        shaped = lambda x: reshape(goes_on, (-1, *[1] * (x.ndim - 1)))
        return tuple(where(shaped(x), x, y) for x, y in zip(found, beams, strict=True)), time

    (labels, _, by_blank, by_label), _ = scan(step, start, (transpose(chances, (1, 0, 2)), places))
    score, order = top_k(_log_sum(by_blank, by_label), paths)
    labels = take_along_axis(labels, broadcast_to(expand_dims(order, 2), (batch, paths, steps)), 1)
    return transpose(labels, (1, 0, 2)), score
