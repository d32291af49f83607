"""What JAX computes for the operations in pytensor_nodes.py, where programs of PyTensor are compiled by it (`CORNU_PYTENSOR_MODE=JAX`)."""

# pyright: reportMissingImports=false

import jax.numpy as jnp
from pytensor.link.jax.dispatch.basic import jax_funcify

from cornu.backends.pytensor_nodes import Overlap, Windows, Wrapped, outputs_of, places_of


@jax_funcify.register(Windows)
def windows(op, **kwargs):
    def windows(x):
        outputs = outputs_of(x.shape[1:-1], op.window, op.strides, op.dilation)
        return jnp.stack([x[(slice(None), *seen)] for seen in places_of(op.window, op.strides, op.dilation, outputs)], -2)

    return windows


@jax_funcify.register(Overlap)
def overlap(op, node, **kwargs):
    shape = node.outputs[0].type.shape

    def overlap(x, *space):
        found = jnp.zeros((x.shape[0], *shape[1:]), x.dtype)
        for i, seen in enumerate(places_of(op.window, op.strides, op.dilation, x.shape[1:-2])):
            found = found.at[(slice(None), *seen)].add(x[..., i, :])
        return found

    return overlap


@jax_funcify.register(Wrapped)
def wrapped(op, **kwargs):
    return getattr(jnp, op.nfunc_spec[0])
