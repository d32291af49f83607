"""What layers do besides giving outputs: low-rank additions, states, dropout of recurrent layers, functions and modules of other libraries."""

import numpy as np
import pytest

import cornu
from cornu import backends, layers, ops
from tests.layers.against import plain

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "make, shape",
    [
        (lambda: layers.Dense(3), (4,)),
        (lambda: layers.EinsumDense("abc,cde->abde", output_shape=(None, 2, 3), bias_axes="e"), (2, 4)),
        (lambda: layers.Conv2D(4, 2, groups=2), (5, 5, 4)),
        (lambda: layers.Embedding(6, 3), (2,)),
    ],
    ids=["Dense", "EinsumDense", "Conv2D", "Embedding"],
)
def test_lora(make, shape, tmp_path):
    """The addition is a @ b * alpha / rank (Hu et al., 2021, section 4.1): nothing at first, alone in training, and put into the weight in files."""
    backends.load("numpy")
    layer = make()
    x = RNG.integers(0, 6, (2, *shape)) if isinstance(layer, layers.Embedding) else RNG.normal(size=(2, *shape)).astype("float32")
    model = cornu.Sequential([layers.Input(shape, dtype="int32" if x.dtype.kind == "i" else "float32"), layer])
    with pytest.raises(ValueError, match="build"):
        make().enable_lora(2)
    before, frozen = backends.numpy(layer(x)), layer.get_weights()[0]
    layer.enable_lora(2, lora_alpha=6.0)
    np.testing.assert_allclose(backends.numpy(layer(x)), before, rtol=1e-6)
    names = [w.name for w in layer.weights]
    assert names[0] == layer.adapted and names[-2:] == [f"lora_{layer.adapted}_a", f"lora_{layer.adapted}_b"]
    assert layer.adapted not in [w.name for w in layer.trainable_weights]
    a, b = layer.get_weights()[-2:]
    b = RNG.normal(size=b.shape).astype("float32")
    layer.weights[-1].assign(b)
    np.testing.assert_allclose(backends.numpy(getattr(layer, layer.adapted)), frozen + a @ b * 3, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="enable_lora"):
        layer.enable_lora(2)
    model.save(tmp_path / "m.keras")
    again = cornu.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(backends.numpy(again(x)), backends.numpy(layer(x)), rtol=1e-5, atol=1e-6)
    assert again.layers[-1].lora_rank == 2 and plain(again.layers[-1].get_config()) == plain(layer.get_config())


@pytest.mark.parametrize("make", [layers.SimpleRNN, layers.LSTM, layers.GRU], ids=["SimpleRNN", "LSTM", "GRU"])
def test_stateful(backend, make):
    """A stateful layer goes on where it stopped; reset_state begins anew."""
    x = RNG.normal(size=(2, 6, 3)).astype("float32")
    layer, whole = make(4, stateful=True), make(4)
    whole(x)
    layer(x[:, :3])
    layer.reset_state()
    layer.set_weights([*whole.get_weights(), *layer.get_weights()[len(whole.get_weights()) :]])
    layer(x[:, :3])
    np.testing.assert_allclose(backend.numpy(layer(x[:, 3:])), backend.numpy(whole(x)), rtol=1e-5, atol=1e-6)
    layer.reset_state()
    np.testing.assert_allclose(backend.numpy(layer(x)), backend.numpy(whole(x)), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="batch size"):
        make(4, stateful=True)(layers.Input((6, 3)))


def test_initial_state_and_state_returned(backend):
    """Two halves of a sequence, the state handed over, are the whole."""
    x = RNG.normal(size=(2, 6, 3)).astype("float32")
    layer = layers.LSTM(4, return_state=True, return_sequences=True)
    whole = layer(x)
    first = layer(x[:, :2])
    second = layer(x[:, 2:], initial_state=first[1:])
    for a, b in zip((ops.concatenate([first[0], second[0]], axis=1), *second[1:]), whole):
        np.testing.assert_allclose(backend.numpy(a), backend.numpy(b), rtol=1e-5, atol=1e-6)


def test_dropout_of_cells():
    """One mask holds for all steps (Gal and Ghahramani, 2016): with weights of 1 each step of a constant input adds as much."""
    backends.load("numpy")
    x = np.ones((500, 4, 1), "float32")
    layer = layers.SimpleRNN(1, activation=None, dropout=0.5, use_bias=False, return_sequences=True, seed=1)
    layer.build(x.shape)
    layer.set_weights([np.ones((1, 1)), np.ones((1, 1))])
    y = backends.numpy(layer(x, training=True))[:, :, 0]
    np.testing.assert_allclose(y, y[:, :1] * np.arange(1, 5), rtol=1e-6)
    assert set(np.unique(y[:, 0])) == {0.0, 2.0} and 0.4 < (y[:, 0] > 0).mean() < 0.6
    stacked = layers.RNN([layers.GRUCell(2, dropout=0.3), layers.LSTMCell(2, recurrent_dropout=0.3)])
    assert stacked(x[:3], training=True).shape == (3, 2) and not stacked.cell.cells[0]._masks
    cell = layers.LSTMCell(3, dropout=0.5, seed=1)
    first = backends.numpy(cell.get_dropout_mask(x[:, 0]))
    np.testing.assert_array_equal(first, backends.numpy(cell.get_dropout_mask(x[:, 0])))
    cell.reset_dropout_mask()
    assert (first != backends.numpy(cell.get_dropout_mask(x[:, 0]))).any() and cell.get_recurrent_dropout_mask(x[:, 0]) is None


def test_spectral_normalization():
    """After enough steps the largest singular value is 1 (as numpy.linalg.svd has it)."""
    backends.load("numpy")
    layer = layers.SpectralNormalization(layers.Conv2D(3, 2, kernel_initializer=cornu.initializers.GlorotUniform(1)), power_iterations=300)
    layer(RNG.normal(size=(2, 4, 4, 3)).astype("float32"), training=True)
    assert abs(np.linalg.svd(layer.layer.kernel.numpy().reshape(-1, 3))[1][0] - 1) < 1e-3
    with pytest.raises(ValueError, match="kernel"):
        layers.SpectralNormalization(layers.ReLU())(np.ones((2, 3), "float32"))


def test_function_of_jax():
    """It trains as the same layer written here; its state moves on; on another backend it says where it runs."""
    backends.load("jax")

    def function(params, state, inputs, training):
        return inputs @ params["kernel"] + params["parts"][0], {"calls": state["calls"] + training}

    def first(rng, inputs):
        return {"parts": [np.zeros(3, "float32")], "kernel": np.full((inputs.shape[-1], 3), 0.5, "float32")}, {"calls": np.zeros((), "int32")}

    x, y = RNG.normal(size=(8, 4)).astype("float32"), RNG.normal(size=(8, 3)).astype("float32")
    kernel = cornu.initializers.Constant(0.5)
    models = [cornu.Sequential([layer]) for layer in (layers.JaxLayer(function, first), layers.Dense(3, kernel_initializer=kernel))]
    for model in models:
        model.compile("sgd", "mse")
        model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    ours = [w.shape for w in models[0].trainable_weights]
    assert sorted(ours) == [(3,), (4, 3)]
    np.testing.assert_allclose(models[0].predict(x, verbose=0), models[1].predict(x, verbose=0), rtol=1e-5, atol=1e-6)
    assert int(models[0].layers[0].state["calls"]) == 4
    with pytest.raises(ValueError, match="inputs"):
        layers.JaxLayer(lambda params: params, first)
    with pytest.raises(ValueError, match="init_fn"):
        layers.JaxLayer(function)
    backends.load("numpy")
    with pytest.raises(ValueError, match="JAX backend"):
        layers.JaxLayer(function, first)(x)


def test_module_of_flax():
    """The module's own apply gives the same; training moves its batch statistics."""
    nn = pytest.importorskip("flax.linen", reason="flax is not installed: pip install flax")
    jax = pytest.importorskip("jax")
    backends.load("jax")

    class Module(nn.Module):
        @nn.compact
        def __call__(self, inputs, training=False):
            return nn.BatchNorm(use_running_average=not training)(nn.Dense(3)(inputs))

    x = RNG.normal(size=(8, 4)).astype("float32")
    variables = Module().init(jax.random.PRNGKey(0), x)
    layer = layers.FlaxLayer(Module(), variables=variables)
    np.testing.assert_allclose(layer(x), Module().apply(variables, x), rtol=1e-6)
    assert len(layer.trainable_weights) == 4 and len(layer.non_trainable_weights) == 2
    before = layer.non_trainable_weights[0].numpy()
    layer(x, training=True)
    assert np.abs(before - layer.non_trainable_weights[0].numpy()).max() > 0


def test_module_of_torch():
    class Module:
        def __call__(self, x):
            return x

        def named_parameters(self):
            return []

        state_dict = named_parameters

    backends.load("numpy")
    with pytest.raises(ValueError, match="torch backend"):
        layers.TorchModuleWrapper(Module())(np.ones((2, 3)))
    with pytest.raises(TypeError, match="module"):
        layers.TorchModuleWrapper(3)


def test_module_of_torch_computes():
    """The module's own call gives the same; its weights are the layer's, and training moves its buffers."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    before = backends.name()
    try:
        backends.load("torch")
        module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
        x = torch.as_tensor(RNG.normal(size=(8, 4)).astype("float32"))
        layer = layers.TorchModuleWrapper(module)
        got = layer(x, training=False)
        np.testing.assert_allclose(backends.numpy(got), module.eval()(x).detach().numpy(), rtol=1e-5, atol=1e-6)
        assert len(layer.trainable_weights) == 4 and len(layer.non_trainable_weights) == 3
        mean = layer._parts["1.running_mean"]
        layer(x, training=True)
        assert np.abs(mean.numpy()).max() > 0
    finally:
        backends.load(before)


@pytest.mark.parametrize(
    "make, shapes",
    [
        (lambda: layers.LSTM(3), [(2, 4, 3)]),
        (lambda: layers.Bidirectional(layers.GRU(3)), [(2, 4, 3)]),
        (lambda: layers.BatchNormalization(), [(2, 3)]),
        (lambda: layers.MultiHeadAttention(2, 3), [(2, 4, 3), (2, 4, 3)]),
        (lambda: layers.TimeDistributed(layers.Dense(2)), [(2, 4, 3)]),
    ],
)
def test_a_layer_that_is_built_by_hand_is_built_and_keeps_its_weights(make, shapes):
    layer = make()
    layer.build(*shapes)
    assert layer.built and layer.get_build_config() and all(w.path.startswith(f"{layer.name}/") for w in layer.weights)
    before = [np.array(w) for w in layer.get_weights()]
    layer(*(np.ones(shape, "float32") for shape in shapes))
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_layers_built_by_hand_inside_of_a_layer():
    class Outer(layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = layers.LSTM(2)

        def build(self, input_shape):
            self.inner.build(input_shape)
            super().build(input_shape)

        def call(self, x):
            return self.inner(x)

    layer = Outer()
    with pytest.raises(ValueError):
        layer.build((2, 4, None))
    assert not layer.built and not layer.inner.built
    layer.build((2, 4, 3))
    assert layer.built and layer.inner.built and [w.path for w in layer.weights][0] == f"{layer.name}/{layer.inner.name}/lstm_cell/kernel"
