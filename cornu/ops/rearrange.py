"""Axes named by words: split, joined and moved by one pattern."""

import math

from cornu import shapes
from cornu.backends import protocol as p
from cornu.ops.dispatch import op
from cornu.shapes import unknown


def _groups(side, pattern):
    """`"b (h d) c"` -> [["b"], ["h", "d"], ["c"]]."""
    groups, inside = [], None
    for word in side.replace("(", " ( ").replace(")", " ) ").split():
        if word == "(" and inside is None:
            inside = []
        elif word == ")" and inside is not None:
            groups.append(inside)
            inside = None
        elif word in "()":
            raise ValueError(f"rearrange: brackets of {pattern!r} do not match.")
        elif inside is None:
            groups.append([] if word == "1" else [word])
        elif word != "1":
            inside.append(word)
    if inside is not None:
        raise ValueError(f"rearrange: brackets of {pattern!r} do not match.")
    return groups


@op
def rearrange(tensor, pattern, **axes_lengths):
    """Split, join and move axes as a pattern of names says.

    Args:
        pattern: names of the axes before and after "->"; a bracket stands for one axis that holds several.
        axes_lengths: sizes of names in brackets, all but one of each.

    >>> ops.rearrange([[1, 2, 3, 4]], "a (b c) -> c (a b)", b=2).tolist()
    [[1, 3], [2, 4]]

    Source: Rogozhnikov, "Einops: Clear and Reliable Tensor Manipulations", 2022.
    """
    before, arrow, after = pattern.partition("->")
    if not arrow:
        raise ValueError(f"rearrange: wanted names, '->', names; got {pattern!r}.")
    left, right = _groups(before, pattern), _groups(after, pattern)
    names, wanted = [n for g in left for n in g], [n for g in right for n in g]
    if sorted(names) != sorted(wanted) or len(set(names)) != len(names):
        raise ValueError(f"rearrange: {pattern!r} must name each axis once on both sides.")
    if len(left) != tensor.ndim:
        raise ValueError(f"rearrange: {pattern!r} names {len(left)} axes, the tensor's shape is {shapes.public(tensor.shape)}.")
    sizes = dict(axes_lengths)
    for group, size in zip(left, tensor.shape, strict=True):
        open_names = [n for n in group if n not in sizes]
        known = math.prod(sizes[n] for n in group if n in sizes)
        if len(open_names) > 1:
            raise ValueError(f"rearrange: give the sizes of all but one of {open_names} in {pattern!r}.")
        if not unknown(size) and (size % known if open_names else size != known):
            raise ValueError(f"rearrange: an axis of {size} cannot be split as {group} of {pattern!r} with {axes_lengths}.")
        sizes.update({n: size // known for n in open_names})
    split = p.reshape(tensor, tuple(sizes[n] for n in names))
    moved = p.transpose(split, tuple(names.index(n) for n in wanted))
    return p.reshape(moved, tuple(math.prod(sizes[n] for n in group) for group in right))
