"""Recurrent layers as one loop whose gradient by the weights is one product after the loop, where TensorFlow's own has a product in every step."""

from cornu.backends.tensorflow_primitives import tf

KINDS = ("lstm", "gru", "simple_rnn_tanh", "simple_rnn_relu")


def refusal(kind, dtype, dropping):
    """Why this is not for a cell of that kind; None where it is."""
    if dropping:
        return "recurrent_dropout in training"
    return None if kind in KINDS else f"the kernel of TensorFlow knows {', '.join(KINDS)}"


def recurrent(scan, kind, x, states, weights, mask, zero_masked, dropped=None):
    """See `protocol.OPTIONAL`; `scan` is the backend's."""
    kernel, recurrent_kernel, bias = weights
    steps, batch = x.shape[1], x.shape[0]
    x = tf.matmul(tf.reshape(tf.transpose(x, (1, 0, 2)), (steps * batch, x.shape[2])), kernel)
    inner = tf.zeros(recurrent_kernel.shape[1:], x.dtype)  # the bias of the product with the state, which a GRU has apart
    if bias is not None and bias.ndim == 2:
        bias, inner = bias[0], bias[1]
    x = tf.reshape(x if bias is None else tf.nn.bias_add(x, bias), (steps, batch, kernel.shape[1]))
    counts = None if mask is None else tf.transpose(mask)[..., None]
    shown, *last = _loop(scan, kind, counts)(x, recurrent_kernel, inner, *states)
    final = shown[-1]
    if mask is not None:  # before the first step that counts nothing is put out
        final = tf.where(tf.reduce_any(counts, 0), final, tf.zeros_like(final))
        shown = tf.where(counts if zero_masked else tf.cumsum(tf.cast(counts, tf.int32), 0) > 0, shown, tf.zeros_like(shown))
    return final, tf.transpose(shown, (1, 0, 2)), last


# The gates of a step from its two products and the states; what they make of the states; and the way back, from the gradients by the states after:
# those by the sum of the products (for a GRU, by each) and by the states before but for the product with the recurrent kernel.


def _lstm_gates(x, inner, states):
    i, f, g, o = tf.split(x + inner, 4, -1)
    return tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)


def _lstm_states(gates, states):
    i, f, g, o = gates
    c = f * states[1] + i * g
    return [o * tf.tanh(c), c]


def _lstm_back(gates, states, after, later):
    (i, f, g, o), (h, c) = gates, later
    shown = tf.tanh(after[1])
    c = c + h * o * (1 - shown * shown)
    found = [c * g * i * (1 - i), c * states[1] * f * (1 - f), c * i * (1 - g * g), h * shown * o * (1 - o)]
    return (tf.concat(found, -1),), [tf.zeros_like(h), c * f]


def _gru_gates(x, inner, states):
    (x_z, x_r, x_h), (z, r, h) = tf.split(x, 3, -1), tf.split(inner, 3, -1)
    r = tf.sigmoid(x_r + r)
    return tf.sigmoid(x_z + z), r, h, tf.tanh(x_h + r * h)


def _gru_states(gates, states):
    return [gates[0] * states[0] + (1 - gates[0]) * gates[3]]


def _gru_back(gates, states, after, later):
    (z, r, inner, candidate), (h,) = gates, later
    by_candidate = h * (1 - z) * (1 - candidate * candidate)
    by_gates = [h * (states[0] - candidate) * z * (1 - z), by_candidate * inner * r * (1 - r)]
    return (tf.concat([*by_gates, by_candidate], -1), tf.concat([*by_gates, by_candidate * r], -1)), [h * z]


def _simple(activation, slope):
    return (
        lambda x, inner, states: (activation(x + inner),),
        lambda gates, states: [gates[0]],
        lambda gates, states, after, later: ((later[0] * slope(gates[0]),), [tf.zeros_like(later[0])]),
    )


_FORMS = {
    "lstm": (_lstm_gates, _lstm_states, _lstm_back),
    "gru": (_gru_gates, _gru_states, _gru_back),
    "simple_rnn_tanh": _simple(tf.tanh, lambda y: 1 - y * y),
    "simple_rnn_relu": _simple(tf.nn.relu, lambda y: tf.cast(y > 0, y.dtype)),
}


def _loop(scan, kind, counts):
    """The function of x (steps, batch, gates), the recurrent kernel, its bias and the states: the outputs of all steps, then the last states."""
    gates_of, states_of, back = _FORMS[kind]

    def chosen(count, one, other):
        return [tf.where(count, a, b) for a, b in zip(one, other, strict=True)]

    @tf.custom_gradient
    def run(x, kernel, bias, *first):
        def body(states, item):
            x, count = item
            inner = tf.matmul(states[0], kernel)
            gates = gates_of(x, inner + bias if kind == "gru" else inner, states)
            new = states_of(gates, states)
            new = new if count is None else chosen(count, new, states)
            return new, (new, list(gates))

        last, (each, gates) = scan(body, list(first), (x, counts), None, False)

        def backward(shown, *last):
            before = [tf.concat([begun[None], state[:-1]], 0) for begun, state in zip(first, each, strict=True)]
            turned = tf.transpose(kernel)

            def step(later, item):
                shown, gates, states, after, count = item
                later = [later[0] + shown, *later[1:]]
                nothing = [tf.zeros_like(part) for part in later]
                counted = later if count is None else chosen(count, later, nothing)
                found, earlier = back(gates, states, after, counted)
                earlier[0] = earlier[0] + tf.matmul(found[-1], turned)
                if count is not None:
                    earlier = [part + held for part, held in zip(earlier, chosen(count, nothing, later), strict=True)]
                return earlier, list(found)

            earlier, found = scan(step, list(last), (shown, gates, before, each, counts), None, True)
            inner = tf.reshape(found[-1], (-1, kernel.shape[1]))
            by_kernel = tf.matmul(tf.reshape(before[0], (-1, kernel.shape[0])), inner, transpose_a=True)
            return [found[0], by_kernel, tf.reduce_sum(inner, 0) if kind == "gru" else tf.zeros_like(bias), *earlier]

        return [each[0], *last], backward

    return run
