"""Layers whose intermediate values are computed again for the gradient (`RematScope`)."""

import math

from cornu import backends, masks, scopes, tree
from cornu.backends import protocol
from cornu.shapes import Spec


class Again(scopes.Scope):
    """The call of a layer that will be computed again."""


def call(layer, args, kwargs):
    """`layer.call(*args, **kwargs)`, in such a way where the layer's RematScope wants it and a step is being differentiated."""
    inside = scopes.innermost("Again") is not None or scopes.innermost("SymbolicScope") is not None or not scopes.in_stateless_scope()
    if inside or not _chosen(layer, args, kwargs):
        return layer.call(*args, **kwargs)
    leaves = tree.flatten((args, kwargs))
    places = [i for i, leaf in enumerate(leaves) if backends.is_tensor(leaf)]
    tensors = [leaves[i] for i in places]
    given = [masks.get_mask(tensor) for tensor in tensors]
    outer, told = scopes.innermost("StatelessScope"), []

    def run(tensors, given):
        """`call` as a pure function: what it does to variables, losses and masks comes out beside its outputs."""
        filled = list(leaves)
        for i, tensor, mask in zip(places, tensors, given):
            filled[i] = tensor
            if mask is not None:
                masks.set_mask(tensor, mask)
        a, k = tree.pack_sequence_as((args, kwargs), filled)
        with Again(), scopes.StepScope() as scope:
            outputs = layer.call(*a, **k)
        changed, flat = list(scope.changed.values()), tree.flatten(outputs)
        told[:] = changed, outputs
        return flat, [masks.get_mask(output) for output in flat], scope.values(changed), scope.losses

    flat, found, values, losses = protocol.remat(run, [tensors, given])
    changed, structure = told
    for output, mask in zip(flat, found):
        if mask is not None:
            masks.set_mask(output, mask)
    for variable, value in zip(changed, values):
        variable.assign(value)
    for loss in losses:
        outer.add_loss(loss) if outer.collect_losses else layer._losses.append(loss)
    return tree.pack_sequence_as(structure, flat)


def _chosen(layer, args, kwargs):
    scope = layer._remat
    if scope.mode == "list_of_layers":
        return layer.name in scope.layer_names
    if scope.mode is None or hasattr(layer, "fit"):
        return False
    if scope.mode == "activations":
        return getattr(layer, "activation", None) is not None
    if scope.mode == "larger_than":
        specs = tree.map_structure(lambda leaf: Spec(leaf.shape, backends.kind(leaf)) if backends.is_tensor(leaf) else leaf, (args, kwargs))
        outputs = layer.compute_output_spec(*specs[0], **specs[1])
        return any(math.prod(spec.shape) > scope.output_size_threshold for spec in tree.flatten(outputs))
    return True
