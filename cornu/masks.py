"""Which places of a tensor are real: masks travel beside tensors, by identity, for as long as the tensor lives."""

import weakref

from cornu import tree
from cornu.symbolic import KerasTensor

_masks = {}  # id of a tensor -> (weak reference to it, its mask)


def set_mask(x, mask):
    """Let `mask` (booleans, True where a place is real) go with the tensor `x`."""
    if isinstance(x, KerasTensor):
        x._keras_mask = mask
        return
    key = id(x)
    _masks[key] = (weakref.ref(x, lambda _: _masks.pop(key, None)), mask)


def get_mask(x):
    """The mask that goes with the tensor `x`, or None."""
    if isinstance(x, KerasTensor):
        return getattr(x, "_keras_mask", None)
    found = _masks.get(id(x))
    return found[1] if found is not None and found[0]() is x else None


def get_masks(structure):
    """The masks of the tensors of a structure, in that structure; None when none has one."""
    masks = tree.map_structure(get_mask, structure)
    return masks if any(mask is not None for mask in tree.flatten(masks)) else None
