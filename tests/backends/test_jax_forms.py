"""Forms that the JAX backend has on a CPU for recurrent layers, attention, normalizations and softmax, against the written-once ones in every transformation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cornu import backends, layers, ops
from cornu.backends import jax as backend
from cornu.backends import jax_attention, jax_convolution, jax_normalization
from cornu.backends.jax_derivatives import with_gradient
from cornu.ops.dispatch import BODIES
from cornu.scopes import StatelessScope


@pytest.fixture(autouse=True)
def on_jax():
    before = backends.name()
    backends.load("jax")
    yield
    backends.load(before)


def numbers(*shape, seed=0, low=-1.0, high=1.0):
    return jnp.asarray(np.random.default_rng(seed).uniform(low, high, shape).astype("float32"))


def same(found, expected, tolerance=2e-4):
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert one.shape == other.shape and one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * max(1, float(jnp.abs(other).max(initial=0))))


def derivatives(function, *arguments, deep=True):
    """Values, forward mode and gradients of a scalar made of `function`; with `deep` second derivatives and per-example gradients too."""

    def total(*arguments):
        return sum((y * jnp.cos(jnp.arange(y.size, dtype=y.dtype).reshape(y.shape) + 1)).sum() for y in jax.tree.leaves(function(*arguments)))

    places = tuple(range(len(arguments)))

    def all_of(*arguments):
        gradient = jax.grad(total, places)
        forward = jax.jvp(function, arguments, tuple(jnp.cos(x) for x in arguments))
        if not deep:
            return forward, gradient(*arguments)
        turned = lambda *arguments: sum((g * jnp.sin(jnp.arange(g.size, dtype=g.dtype).reshape(g.shape))).sum() for g in gradient(*arguments))  # noqa: E731
        changes = tuple(jnp.cos(x) for x in arguments)
        mapped = jax.vmap(gradient)(*(jnp.stack([x, 0.5 * x]) for x in arguments))
        return forward, gradient(*arguments), jax.grad(turned, places)(*arguments), jax.jvp(gradient, arguments, changes)[1], mapped

    return jax.jit(all_of)(*arguments)


@pytest.mark.parametrize("shape, axes", [((2, 3, 4, 5), (0, 1, 2)), ((7, 3), 0), ((4, 6), (-1,)), ((2, 3, 4), (1, 2))])
@pytest.mark.parametrize("keepdims", [False, True])
def test_moments(shape, axes, keepdims):
    x = numbers(*shape) + 3
    same(derivatives(lambda x: jax_normalization.moments(x, axes, keepdims), x), derivatives(lambda x: BODIES["moments"](x, axes, keepdims), x), 1e-3)


@pytest.mark.parametrize("shape", [(5, 7), (2, 3, 16), (1,), (3, 1)])
def test_layer_normalization(shape):
    x, gamma, beta = numbers(*shape) + 2, numbers(shape[-1], seed=1), numbers(shape[-1], seed=2)
    ours, body = jax_normalization.layer_normalization, BODIES["layer_normalization"]
    for weights in (gamma, beta), (gamma,):
        same(derivatives(lambda x, *w: ours(x, *w, epsilon=0.01), x, *weights), derivatives(lambda x, *w: body(x, *w, epsilon=0.01), x, *weights), 1e-3)
    same(ours(x, None, beta), body(x, None, beta))
    ours, body = jax_normalization.rms_normalization, BODIES["rms_normalization"]
    same(*(derivatives(lambda x, w, form=form: form(x, w, epsilon=0.01), x, gamma) for form in (ours, body)), 1e-3)
    same(ours(x), body(x))


@pytest.mark.parametrize("shape, axis", [((7, 3), -1), ((2, 3, 4, 5), 3), ((2, 3, 4), 1)])
@pytest.mark.parametrize("given", [(), ("offset",), ("offset", "scale")])
def test_normalization_by_a_batch(shape, axis, given):
    x, weights = numbers(*shape) * 2 + 1, [numbers(shape[axis], seed=i) for i in range(len(given))]
    forms = [
        lambda x, *weights, form=form: form(x, axis, epsilon=0.01, **dict(zip(given, weights, strict=True)))
        for form in (jax_normalization.normalize_by_batch, BODIES["normalize_by_batch"])
    ]
    same(*(derivatives(form, x, *weights) for form in forms), tolerance=1e-3)


@pytest.mark.parametrize("shape, axis", [((5,), -1), ((3, 4), 0), ((2, 3, 4), (1, 2)), ((2, 3), None)])
def test_softmax(shape, axis):
    x = numbers(*shape, high=4.0)
    same(derivatives(lambda x: jax_normalization.softmax(x, axis), x), derivatives(lambda x: BODIES["softmax"](x, axis), x))
    assert jax_normalization.softmax(jnp.asarray([-jnp.inf, 0.0])).tolist() == [0, 1]


@pytest.mark.parametrize("queries, keys, value_size, scale", [(3, 3, 4, None), (2, 5, 3, 0.7), (1, 1, 1, 2)])
def test_attention(queries, keys, value_size, scale):
    given = numbers(2, queries, 2, 4), numbers(2, keys, 2, 4, seed=1, high=4.0), numbers(2, keys, 2, value_size, seed=2)
    forms = [lambda *x, form=form: form(*x, scale=scale) for form in (jax_attention.dot_product_attention, BODIES["dot_product_attention"])]
    same(*(derivatives(form, *given) for form in forms), tolerance=1e-3)
    layer = layers.MultiHeadAttention(2, 3)
    x = numbers(2, 4, 5)
    same(layer(x, x), layer(x, x, return_attention_scores=True)[0], 1e-5)  # scores are what the written-once steps give


@pytest.mark.parametrize("bias_shape, mask_shape, is_causal", [(None, (2, 1, 1, 5), False), ((2, 3, 5), None, True), ((2, 1, 3, 1), (3, 5), True)])
def test_attention_with_masks_and_biases(bias_shape, mask_shape, is_causal):
    given = [numbers(2, n, 2, 4, seed=n) for n in (3, 5, 5)] + ([numbers(*bias_shape, seed=7)] if bias_shape else [])
    mask = None if mask_shape is None else numbers(*mask_shape, seed=3) > 0
    if mask is not None:
        mask = mask.at[0].set(False)  # rows without any key
    forms = [
        lambda q, k, v, bias=None, form=form: form(q, k, v, bias, mask, is_causal=is_causal)
        for form in (jax_attention.dot_product_attention, BODIES["dot_product_attention"])
    ]
    same(*(derivatives(form, *given) for form in forms), tolerance=1e-3)


def test_what_the_forms_leave_to_the_bodies():
    x = numbers(3, 4)
    heads = numbers(1, 2, 2, 3)
    for other in {"mask": heads}, {"bias": heads}, {"attn_logits_soft_cap": 1.0}, {"scale": x[0, 0]}, {"key": heads[:, :, :1]}, {"value": heads[:, :1]}:
        assert jax_attention.dot_product_attention(**{"query": heads, "key": heads, "value": heads} | other) is NotImplemented
    refused = [
        jax_normalization.moments(x, (0, 0)),
        jax_normalization.moments(x, 2),
        jax_normalization.moments(x.astype("float16"), 0),
        jax_normalization.normalize_by_batch(x.astype("float16"), -1),
        jax_normalization.normalize_by_batch(x, -1, scale=numbers(3)),
        jax_normalization.layer_normalization(x, axis=0),
        jax_normalization.layer_normalization(x, numbers(3)),
        jax_normalization.layer_normalization(x, rms_scaling=True),
        jax_normalization.rms_normalization(x, axis=0),
        jax_normalization.softmax(jnp.arange(3)),
        jax_normalization.softmax(x, 5),
    ]
    assert all(found is NotImplemented for found in refused)
    for call in lambda: ops.moments(x, 2), lambda: ops.softmax(x, 5), lambda: ops.layer_normalization(x, numbers(3)):
        with pytest.raises(ValueError):
            call()
    assert ops.moments(x.astype("float16"), 0)[0].dtype == "float16" and ops.softmax(jnp.arange(3)).dtype == "float32"


def test_sort():
    x = numbers(4, 9)
    for axis in 0, -1:
        same(derivatives(lambda x: backend.sort(x, axis), x), derivatives(lambda x: jnp.sort(x, axis), x))  # noqa: B023
    odd = np.array([3, -0.0, 0.0, np.nan, -np.inf, np.inf, -1e-40, 1e-40, -3, -np.nan], "float32")
    assert np.array_equal(backend.sort(jnp.asarray(odd), 0), np.sort(odd), equal_nan=True)
    whole = np.array([[5, -(2**31), 2**31 - 1, 0, 5, -1], [0, 0, -1, -1, 7, 7]], "int32")
    many = np.round(np.array(numbers(3, 200, low=-9, high=9)))
    for x in whole, many, np.where(many > 8, np.nan, many), odd[[0, 1, 2, 3, 4, 5, 8, 9, 2]]:  # the others are 0 to XLA
        for axis in range(x.ndim):
            wanted, run = np.argsort(x, axis, kind="stable"), jax.jit(lambda x: backend.argsort(x, axis))  # noqa: B023
            assert np.array_equal(run(x), wanted) and run(x).dtype == "int32"
            assert np.array_equal(backend.argsort(jnp.asarray(x), axis), wanted)
    assert np.array_equal(jax.vmap(lambda x: backend.argsort(x, 0))(jnp.asarray(whole)), np.argsort(whole, 1, kind="stable"))


def test_crossentropy_of_classes():
    x, body = numbers(5, 3, 7, high=9.0).at[0, 0, 2].set(-jnp.inf), BODIES["sparse_categorical_crossentropy"]
    target = jnp.asarray(np.random.default_rng(0).integers(0, 7, (5, 3)).astype("int32")).at[1].set(jnp.asarray([-1, 7, 6])).at[0, 0].set(1)
    for classes in target, target[..., None]:
        forms = [lambda x, form=form: form(classes, x, from_logits=True) for form in (backend.sparse_categorical_crossentropy, body)]  # noqa: B023
        same(*(jax.vjp(form, x)[1](jnp.cos(x[..., 1])) for form in forms), tolerance=1e-5)
        same(*(form(x) for form in forms), tolerance=1e-5)
    forms = [lambda x, form=form: form(jnp.asarray([1, 0, 6]), x, from_logits=True) for form in (backend.sparse_categorical_crossentropy, body)]
    same(*(derivatives(form, numbers(3, 7)) for form in forms), tolerance=1e-3)
    assert jnp.isinf(backend.sparse_categorical_crossentropy(jnp.asarray([2]), x[0, :1], True))[0]
    assert backend.sparse_categorical_crossentropy(target, x) is NotImplemented


@pytest.mark.parametrize("shape, axis", [((70,), 0), ((3, 64), 1), ((2, 100, 3), 1), ((2, 1100), -1)])
def test_cumsum(shape, axis):
    x = numbers(*shape)
    same(*(derivatives(lambda x, form=form: form(x, axis % len(shape)), x) for form in (backend.cumsum, jax.lax.cumsum)), tolerance=1e-3)
    odd = x.at[(0,) * len(shape)].set(jnp.inf)
    odd = odd.at[tuple(n - 1 for n in shape)].set(-jnp.inf)
    np.testing.assert_allclose(backend.cumsum(odd, axis), jnp.cumsum(odd, axis), 1e-3, 1e-5)
    pulled = jax.vjp(lambda x: backend.cumsum(x, axis), x)[1](jnp.zeros(shape).at[tuple(n - 1 for n in shape)].set(jnp.inf))[0]
    assert np.isinf(pulled).sum() == shape[axis] and not np.isnan(pulled).any()


def test_relu_has_no_slope_at_zero():
    assert jax.grad(lambda x: ops.sum(ops.relu(x)))(jnp.asarray([-1.0, 0.0, 2.0])).tolist() == [0, 0, 1]


def test_layers_use_them():
    x = numbers(4, 3, 6)
    layer = layers.LayerNormalization()
    found = layer(x)
    same(found, BODIES["layer_normalization"](x, layer.gamma.value, layer.beta.value, epsilon=layer.epsilon), 1e-5)
    text = str(jax.make_jaxpr(jax.linearize(lambda x: layer(x), x)[1])(x))
    assert "change" in text


# Recurrent layers


def lstm(**kwargs):
    return layers.LSTM(3, **kwargs)


def gru(**kwargs):
    return layers.GRU(3, **kwargs)


def simple(**kwargs):
    return layers.SimpleRNN(3, **kwargs)


def simple_relu(**kwargs):
    return layers.SimpleRNN(3, activation="relu", **kwargs)


def values_and_derivatives(layer, x, states, mask, kernel, deep, monkeypatch, training=False):
    if not kernel:
        monkeypatch.delattr(backend, "recurrent")
    assert layer.form(training)[0] == ("kernel" if kernel else "steps")
    seed = layer.cell.seed_generator.state.value

    def run(x, weights, states):
        with StatelessScope(state_mapping=[*zip(layer.trainable_variables, weights, strict=True), (layer.cell.seed_generator.state, seed)]):
            return jax.tree.leaves(layer(x, initial_state=list(states), mask=mask, training=training))

    arguments = [x, [w.value for w in layer.trainable_variables], tuple(states)]
    flat, structure = jax.tree.flatten(arguments)
    found = derivatives(lambda *flat: run(*jax.tree.unflatten(structure, flat)), *flat, deep=deep)
    monkeypatch.undo()
    return found


@pytest.mark.parametrize("make", [lstm, gru, simple, simple_relu])
@pytest.mark.parametrize("masked", [False, True])
def test_recurrent_layers(make, masked, monkeypatch):
    x = numbers(3, 4, 2)
    mask = jnp.asarray([[True, False, True, True], [False] * 4, [False, True, True, False]]) if masked else None
    backwards = {"go_backwards": True, "zero_output_for_mask": True}
    for extra in {}, {"return_sequences": True, **(backwards if masked else {})}:
        layer = make(return_state=True, bias_initializer="uniform", **extra)
        layer.build(x.shape)
        states = [numbers(3, 3, seed=5 + i) for i in range(2 if make is lstm else 1)]
        found, expected = (values_and_derivatives(layer, x, states, mask, kernel, make is simple and not masked, monkeypatch) for kernel in (True, False))
        same(found, expected)


@pytest.mark.parametrize("make", [lstm, gru, simple])
def test_recurrent_layers_that_drop_states(make, monkeypatch):
    x, mask = numbers(3, 4, 2), jnp.asarray([[True, False, True, True], [False] * 4, [True] * 4])
    layer = make(return_sequences=True, recurrent_dropout=0.5, dropout=0.3, seed=7)
    layer.build(x.shape)
    states = [numbers(3, 3, seed=5 + i) for i in range(2 if make is lstm else 1)]
    found, expected = (values_and_derivatives(layer, x, states, mask, kernel, False, monkeypatch, training=True) for kernel in (True, False))
    same(found, expected)


@pytest.mark.slow
@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.sampled_from([lstm, gru, simple]), st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.booleans(), st.randoms(use_true_random=False))
def test_recurrent_layers_of_any_size(make, batch, steps, features, sequences, drawn):
    x = numbers(batch, steps, features, seed=drawn.randrange(99))
    layer = make(return_sequences=sequences)
    expected = layers.RNN(layer.cell, return_sequences=sequences, unroll=True)
    same(layer(x), expected(x), 1e-5)


# What they stand on


@pytest.mark.slow
def test_functions_with_a_gradient_of_their_own():
    calls = []

    def plain(x, pair):
        return {"y": jnp.tanh(x @ pair[0]) * pair[1]}

    def backward(kept, gradient):
        calls.append(1)
        x, (w, scale), y = kept
        inner = gradient["y"] * scale * (1 - y * y)
        return inner @ w.T, [x.T @ inner, (gradient["y"] * y).sum()]

    def forward(x, pair):
        y = jnp.tanh(x @ pair[0])
        return {"y": y * pair[1]}, (x, pair, y)

    ours = with_gradient(plain, forward, backward)
    x, w, scale = numbers(4, 3), numbers(3, 5, seed=1), jnp.float32(1.5)
    same(derivatives(lambda x, w, s: ours(x, [w, s]), x, w, scale), derivatives(lambda x, w, s: plain(x, [w, s]), x, w, scale))
    assert calls
    total = lambda f: lambda x: (f(x, [w, scale])["y"] ** 2).sum()  # noqa: E731
    for transform in jax.hessian, lambda f: jax.jacrev(jax.grad(f)), lambda f: jax.grad(jax.checkpoint(f)), jax.value_and_grad:
        same(transform(total(ours))(x), transform(total(plain))(x))


@pytest.mark.parametrize("activation", ["relu", "relu6"])
def test_an_activation_of_what_a_batch_normalized(activation):
    """As one function with the normalization, and by itself where others use the normalized numbers too."""
    x, scale, offset = numbers(2, 3, 4, 5) * 9, numbers(5) * 4, numbers(5, seed=1) * 4
    bodies = BODIES["normalize_by_batch"], BODIES[activation]

    def form(normalize, activate, both):
        def function(x, scale, offset):
            y = normalize(x, 3, offset, scale, 0.01)[0]
            return (activate(y), y) if both else activate(y)

        return function

    for both in False, True:
        ours = form(jax_normalization.normalize_by_batch, getattr(backend, activation), both)
        same(derivatives(ours, x, scale, offset), derivatives(form(*bodies, both), x, scale, offset), tolerance=2e-3)
    gradient = jax.grad(lambda x: ours(x, scale, offset)[0].sum())
    assert str(jax.make_jaxpr(gradient)(x)).count("select_n") and not jax_normalization._made  # nothing is kept once a program is traced


def test_sums_part_by_part():
    """Larger than what is summed at once, along each axis that may be divided."""
    for shape, axis in ((70, 11, 40, 16), -1), ((3, 16, 250, 50), -3), ((9000, 40), -1):
        x, y = numbers(*shape), numbers(*shape, seed=1)
        others = tuple(i for i in range(len(shape)) if i != axis + len(shape))
        found = jax.jit(lambda x, y, axis=axis: jax_normalization._sums(lambda x, y: (x, x * y), axis, x, y))(x, y)
        same(found, [np.asarray(z, "float64").sum(others).astype("float32") for z in (x, x * y)], 1e-4)


def test_gradients_by_the_input_of_strided_depthwise_convolutions():
    """By the phases of the strides, also where strides do not divide the sizes and padding is left out; against JAX's own."""
    for strides, dilation, window, padding in (
        ((2, 2), (1, 1), 3, ((1, 2), (0, 1))),
        ((3, 2), (1, 1), 5, ((0, 0), (4, 4))),
        ((2, 2), (2, 2), 3, ((1, 2), (3, 1))),
    ):
        x, kernel = numbers(2, 9, 8, 3), numbers(window, window, 1, 3, seed=1)
        forms = [
            lambda x, kernel, form=form, given=(strides, padding, dilation): form(x, kernel, *given, 3)
            for form in (jax_convolution.conv, jax_convolution.plain_conv)
        ]
        same(*(derivatives(form, x, kernel, deep=False) for form in forms))
