"""Recurrent layers as one loop whose gradient by the weights is one product after the loop, where JAX's own has a product in every step."""

import functools

import jax
import jax.numpy as jnp  # pyright: ignore[reportMissingImports]
from jax import lax

from cornu.backends.jax_derivatives import with_gradient
from cornu.backends.jax_products import matmul

KINDS = ("lstm", "gru", "simple_rnn_tanh", "simple_rnn_relu")


def refusal(kind, dtype):
    """Why this is not for a cell of that kind; None where it is."""
    return None if kind in KINDS else f"the kernel of JAX knows {', '.join(KINDS)}"


def recurrent(kind, x, states, weights, mask, zero_masked):
    """See `protocol.OPTIONAL`."""
    kernel, recurrent_kernel, bias = weights
    x = matmul(jnp.swapaxes(x, 0, 1), kernel)
    inner = jnp.zeros(recurrent_kernel.shape[1:], x.dtype)  # the bias of the product with the state, which a GRU has apart
    if bias is not None and bias.ndim == 2:
        bias, inner = bias
    x = x if bias is None else x + bias
    counts = None if mask is None else jnp.swapaxes(mask, 0, 1)[..., None]
    shown, *last = _loop(kind, mask is not None)(x, recurrent_kernel, inner, () if mask is None else (counts.astype(x.dtype),), *states)
    final = shown[-1]
    if mask is not None:  # before the first step that counts nothing is put out
        final = jnp.where(counts.any(0), final, 0)
        shown = jnp.where(counts if zero_masked else lax.cumsum(counts.astype("int32"), 0) > 0, shown, 0)
    return final, jnp.swapaxes(shown, 0, 1), last


# The gates of a step from its two products and the states; what they make of the states; and the way back, from the gradients by the states after:
# those by the sum of the products (for a GRU, by each) and by the states before but for the product with the recurrent kernel. The gates lie side by side, since for slices of a product that are used in one formula XLA uses no vectors, which takes ten times as long.


def _candidate(z):
    """Where the candidate stands among the gates of an LSTM."""
    return lax.broadcasted_iota("int32", z.shape, 1) // (z.shape[1] // 4) == 2


def _lstm_gates(x, inner, states):
    z = x + inner
    return (jnp.where(_candidate(z), jnp.tanh(z), lax.logistic(z)),)


def _lstm_states(gates, states):
    i, f, g, o = jnp.split(gates[0], 4, -1)
    c = f * states[1] + i * g
    return [o * jnp.tanh(c), c]


def _lstm_back(gates, states, after, later):
    (gates,), (h, c) = gates, later
    i, f, g, o = jnp.split(gates, 4, -1)
    shown = jnp.tanh(after[1])
    c = c + h * o * (1 - shown * shown)
    by_gates = jnp.concatenate([c * g, c * states[1], c * i, h * shown], -1)
    return (by_gates * jnp.where(_candidate(gates), 1 - gates * gates, gates * (1 - gates)),), [jnp.zeros_like(h), c * f]


def _gru_gates(x, inner, states):
    both = 2 * states[0].shape[-1]
    gates = lax.logistic(x[:, :both] + inner[:, :both])
    return gates, inner[:, both:], jnp.tanh(x[:, both:] + gates[:, both // 2 :] * inner[:, both:])


def _gru_states(gates, states):
    z, _ = jnp.split(gates[0], 2, -1)
    return [z * states[0] + (1 - z) * gates[2]]


def _gru_back(gates, states, after, later):
    (z, r), inner, candidate, (h,) = jnp.split(gates[0], 2, -1), *gates[1:], later
    by_candidate = h * (1 - z) * (1 - candidate * candidate)
    by_gates = [h * (states[0] - candidate) * z * (1 - z), by_candidate * inner * r * (1 - r)]
    return (jnp.concatenate([*by_gates, by_candidate], -1), jnp.concatenate([*by_gates, by_candidate * r], -1)), [h * z]


_FORMS = {
    "lstm": (_lstm_gates, _lstm_states, _lstm_back),
    "gru": (_gru_gates, _gru_states, _gru_back),
    "simple_rnn_tanh": (
        lambda x, inner, states: (jnp.tanh(x + inner),),
        lambda gates, states: [gates[0]],
        lambda gates, states, after, later: ((later[0] * (1 - gates[0] * gates[0]),), [jnp.zeros_like(later[0])]),
    ),
    "simple_rnn_relu": (
        lambda x, inner, states: (jax.nn.relu(x + inner),),
        lambda gates, states: [gates[0]],
        lambda gates, states, after, later: ((jnp.where(gates[0] > 0, later[0], 0),), [jnp.zeros_like(later[0])]),
    ),
}


@functools.cache
def _loop(kind, masked):
    """The function of x (steps, batch, gates), the recurrent kernel, its bias, a tuple of the mask (steps, batch, 1) as numbers and the states.

    It gives the outputs of all steps, then the last states.
    """
    gates_of, states_of, back = _FORMS[kind]

    def run(x, kernel, bias, counts, *states, keep):
        def body(states, item):
            x, counts = item
            inner = jnp.matmul(states[0], kernel)
            gates = gates_of(x, inner + bias if kind == "gru" else inner, states)
            new = states_of(gates, states)
            if masked:
                new = [jnp.where(counts[0] > 0, one, old) for one, old in zip(new, states, strict=True)]
            return new, (new, gates) if keep else new[0]

        return lax.scan(body, list(states), (x, counts))

    def function(*arguments):
        last, shown = run(*arguments, keep=False)
        return [shown, *last]

    def forward(x, kernel, bias, counts, *states):
        last, (each, gates) = run(x, kernel, bias, counts, *states, keep=True)
        return [each[0], *last], (gates, kernel, bias, counts, states, each)

    def backward(kept, gradients):
        gates, kernel, bias, counts, first, each = kept
        before = [jnp.concatenate([begun[None], state[:-1]]) for begun, state in zip(first, each, strict=True)]
        turned = lax.optimization_barrier(kernel.T)

        def body(later, item):
            shown, gates, states, after, counts = item
            later = [later[0] + shown, *later[1:]]
            held = [jnp.where(counts[0] > 0, 0, one) for one in later] if masked else None
            later = [jnp.where(counts[0] > 0, one, 0) for one in later] if masked else later
            found, earlier = back(gates, states, after, later)
            earlier[0] = earlier[0] + jnp.matmul(found[-1], turned)
            return [one + other for one, other in zip(earlier, held, strict=True)] if masked else earlier, found

        shown, *last = gradients
        earlier, found = lax.scan(body, last, (shown, gates, before, each, counts), reverse=True)
        inner = found[-1].reshape(-1, kernel.shape[1])
        by_kernel = jnp.matmul(before[0].reshape(-1, kernel.shape[0]).T, inner)
        return (found[0], by_kernel, inner.sum(0) if kind == "gru" else jnp.zeros_like(bias), tuple(map(jnp.zeros_like, counts)), *earlier)

    return with_gradient(function, forward, backward)
