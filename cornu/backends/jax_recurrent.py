"""Recurrent layers as one loop whose gradient by the weights is one product after the loop, where JAX's own has a product in every step."""

import functools

import jax
import jax.numpy as jnp  # pyright: ignore[reportMissingImports]
import numpy as np
from jax import lax

from cornu.backends.jax_derivatives import with_gradient
from cornu.backends.jax_products import matmul


def refusal(kind, dtype, dropping):
    """Why this is not for a cell of that kind; None where it is."""
    return None if kind in _FORMS else f"the kernel of JAX knows {', '.join(_FORMS)}"


def recurrent(kind, x, states, weights, mask, zero_masked, dropped=None):
    """See `protocol.OPTIONAL`."""
    kernel, recurrent_kernel, bias = weights
    half = _halves(kind, kernel)
    bias = jnp.zeros(kernel.shape[1:], kernel.dtype) if bias is None else bias
    biases = (bias if bias.ndim == 2 else jnp.stack([bias, jnp.zeros_like(bias)])) * half  # of the products with the input and with the state
    x = matmul(jnp.swapaxes(x, 0, 1), kernel * half)
    counts = None if mask is None else jnp.swapaxes(mask, 0, 1)[..., None]
    given = {} if mask is None else {"counts": counts.astype(x.dtype)}
    if dropped is not None:
        given["dropped"] = lax.stop_gradient(dropped)
    shown, *last = _loop(kind)(x, recurrent_kernel * half, biases, given, *states)
    final = shown[-1]
    if mask is not None:  # before the first step that counts nothing is put out
        final = jnp.where(counts.any(0), final, 0)
        shown = jnp.where(counts if zero_masked else lax.cumsum(counts.astype("int32"), 0) > 0, shown, 0)
    return final, jnp.swapaxes(shown, 0, 1), last


# A step makes of its two products and the states the new states and the factors of the way back, in which everything that does not depend on the
# gradients is done. The way back makes of the factors and the gradients by the states after: those by the products (that with the state first),
# and those by the states before but for the product. Logistic gates are 0.5 + 0.5 tanh(z / 2), and what they are computed from is halved in the
# weights, so that one tanh is taken of all gates. Each form was looked at in XLA's code: it uses no vectors for concatenated or sliced formulas,
# and it copies a whole buffer that is written to while two formulas read it.


def _logistic(t):
    return 0.5 * t + 0.5


def _lstm(x, inner, states, half):
    t = jnp.tanh(x + inner)
    i, f, g, o = jnp.split(t, 4, -1)
    i, f, o = map(_logistic, (i, f, o))
    c = f * states[1] + i * g
    shown = jnp.tanh(c)
    return [o * shown, c], (jnp.concatenate([g, states[1], i, shown], -1) * ((1 - t * t) * half), f, o * (1 - shown * shown)), t


def _lstm_back(factors, later):
    by_gates, f, by_cell = factors
    h, c = later
    c = c + h * by_cell
    return [jnp.concatenate([c, c, c, h], -1) * by_gates], [0, c * f]


def _gru(x, inner, states, half):
    both = x.shape[1] // 3 * 2
    t = jnp.tanh(x[:, :both] + inner[:, :both])
    z, r = jnp.split(_logistic(t), 2, -1)
    g = jnp.tanh(x[:, both:] + r * inner[:, both:])
    by_candidate = (1 - z) * (1 - g * g)
    by_gates = jnp.concatenate([states[0] - g, by_candidate * inner[:, both:]], -1) * (1 - t * t) * 0.5
    return [z * states[0] + (1 - z) * g], (jnp.concatenate([by_gates, by_candidate * r], -1), by_candidate, z), t


def _gru_back(factors, later):
    by_inner, by_candidate, z = factors
    (h,) = later
    return [jnp.concatenate([h, h, h], -1) * by_inner, h * by_candidate], [h * z]


def _simple(activation, slope):
    def step(x, inner, states, half):
        h = activation(x + inner)
        return [h], (slope(h),), h

    return step, lambda factors, later: ([later[0] * factors[0]], [0])


_FORMS = {  # the step, the way back, by what the gates are scaled
    "lstm": (_lstm, _lstm_back, (0.5, 0.5, 1, 0.5)),
    "gru": (_gru, _gru_back, (0.5, 0.5, 1)),
    "simple_rnn_tanh": (*_simple(jnp.tanh, lambda h: 1 - h * h), (1,)),
    "simple_rnn_relu": (*_simple(jax.nn.relu, lambda h: (h > 0).astype(h.dtype)), (1,)),
}


def _halves(kind, kernel):
    """A factor for each column of a kernel."""
    scales = _FORMS[kind][2]
    return np.repeat(np.array(scales, kernel.dtype), kernel.shape[1] // len(scales))


@functools.cache
def _loop(kind):
    """The function of x (steps, batch, gates), the recurrent kernel, the biases, what else is given and the states.

    What else may be given, by name: "counts", the mask (steps, batch, 1) as numbers; "dropped", what the state is multiplied by before its product.
    It gives the outputs of all steps, then the last states.
    """
    step, back, _ = _FORMS[kind]

    def kept(h, given):
        return h * given["dropped"] if "dropped" in given else h

    def forwards(x, kernel, biases, given, count, states):
        new, *rest = step(x + biases[0], jnp.matmul(kept(states[0], given), kernel) + biases[1], states, _halves(kind, kernel))
        if count is not None:
            new = [jnp.where(count > 0, one, old) for one, old in zip(new, states, strict=True)]
        return new, *rest

    def count_at(given, t):
        return _at(given["counts"], t) if "counts" in given else None

    def function(x, kernel, biases, given, *states):
        def body(carry, item):
            (states, gates), (x, count) = carry, item
            if kind == "gru":  # what the loop carries stands in memory, else all would be one formula with slices
                x = x + (gates[:, :1] > 2)
            new, _, gates = forwards(x, kernel, biases, given, count, states)
            return (new, gates), new[0]

        *_, gates = jax.eval_shape(forwards, x[0], kernel, biases, given, count_at(given, 0), list(states))
        (last, _), shown = lax.scan(body, (list(states), jnp.zeros(gates.shape, gates.dtype)), (x, given.get("counts")))
        return [shown, *last]

    def forward(x, kernel, biases, given, *states):
        def body(t, carry):
            states, shown, factors = carry
            new, found, _ = forwards(_at(x if apart else factors[0], t), kernel, biases, given, count_at(given, t), states)
            return new, _put(shown, new[0], t), [_put(all, one, t) for all, one in zip(factors, found, strict=True)]

        def empty(one):
            return jnp.zeros((len(x), *one.shape), one.dtype)

        apart = kind == "simple_rnn_relu"  # XLA takes so cheap a function twice, and would copy what both read
        _, factors, _ = jax.eval_shape(forwards, x[0], kernel, biases, given, count_at(given, 0), list(states))
        factors = list(map(empty, factors)) if apart else [x, *map(empty, factors[1:])]
        last, shown, factors = lax.fori_loop(0, len(x), body, (list(states), empty(states[0]), factors))
        return [shown, *last], (factors, kernel, given, states, shown)

    def backward(left, gradients):
        factors, kernel, given, first, each = left
        turned = lax.optimization_barrier(kernel.T)
        shown, *last = gradients
        steps = len(each)
        written = len(jax.eval_shape(back, [f[0] for f in factors], last)[0])

        def body(t, carry):
            t = steps - 1 - t
            later, found = carry
            later = [later[0] + _at(shown, t), *later[1:]]
            count = count_at(given, t)
            if count is not None:
                count = count > 0
                held, later = [jnp.where(count, 0, one) for one in later], [jnp.where(count, one, 0) for one in later]
            by_products, earlier = back([_at(f, t) for f in (*found, *factors[written:])], later)
            by_products = lax.optimization_barrier(by_products)
            earlier[0] = earlier[0] + kept(jnp.matmul(by_products[0], turned), given)
            if count is not None:
                earlier = [one + other for one, other in zip(earlier, held, strict=True)]
            return earlier, [_put(all, one, t) for all, one in zip(found, by_products, strict=True)]

        earlier, (inner, *rest) = lax.fori_loop(0, steps, body, (last, factors[:written]))
        before = kept(jnp.concatenate([first[0][None], each[:-1]]), given)
        by_kernel = jnp.matmul(before.reshape(-1, kernel.shape[0]).T, inner.reshape(-1, kernel.shape[1]))
        by_x = jnp.concatenate([inner[..., : -rest[0].shape[-1]], *rest], -1) if rest else inner
        return by_x, by_kernel, jnp.stack([by_x.sum((0, 1)), inner.sum((0, 1))]), jax.tree.map(jnp.zeros_like, given), *earlier

    return with_gradient(function, forward, backward)


def _at(x, t):
    return lax.dynamic_index_in_dim(x, t, 0, False)


def _put(x, value, t):
    return lax.dynamic_update_index_in_dim(x, value, t, 0)
