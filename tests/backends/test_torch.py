"""The PyTorch backend: types, edges and what is its own; its ops are checked by test_engines.py."""

import copy

import ml_dtypes
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: make backends")

import cornu as keras  # noqa: E402
from cornu import backends, dtypes, layers, ops, optimizers  # noqa: E402
from cornu.backends import torch as backend  # noqa: E402
from cornu.ops import dispatch  # noqa: E402
from cornu.variable import Variable  # noqa: E402


@pytest.mark.parametrize("dtype", [dtype for dtype in dtypes.ALL if dtype != "string"])
def test_arrays_there_and_back(dtype):
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    x = np.arange(6).reshape(2, 3).astype(kind)
    found = backend.array(x)
    assert backend.dtype(found) == dtype
    assert backend.numpy(found).dtype == kind
    np.testing.assert_array_equal(backend.numpy(found).astype("complex128"), x.astype("complex128"))
    np.testing.assert_array_equal(backend.numpy(backend.array(x[:, ::-1])).astype("complex128"), x[:, ::-1].astype("complex128"))


def test_texts_are_refused():
    with pytest.raises(TypeError, match="no tensors of text"):
        backend.array(np.array(["a", "b"]))


@pytest.mark.parametrize("key", [np.s_[::-1], np.s_[..., ::-2], np.s_[1:, None, 5:0:-2], np.s_[:, 1, ::-1], np.s_[0:0:-1]])
def test_indexing_backwards(key):
    x = np.arange(24).reshape(2, 3, 4) if key != np.s_[1:, None, 5:0:-2] else np.arange(48).reshape(2, 6, 4)
    np.testing.assert_array_equal(backend.numpy(backend.getitem(backend.array(x), key)), x[key])


def test_gradients_of_gradients():
    backends.load("torch")

    def slope(values):
        (_, _), (inner,) = backend.value_and_grad(lambda v: (ops.sum(v[0] ** 3), ()), values)
        return ops.sum(inner), ()

    (_, _), (second,) = backend.value_and_grad(slope, [backend.array(np.array([1.0, 2.0], "float32"))])
    np.testing.assert_allclose(backend.numpy(second), [6.0, 12.0])


def test_a_device_that_is_not_there():
    backends.load("torch")
    with pytest.raises(ValueError, match="device: wanted one that PyTorch has here; got 'nowhere:0'"), keras.device("nowhere:0"):
        pass


def test_recurrent_layers_and_attention_train():
    backends.load("torch")
    model = keras.Sequential(
        [keras.Input((7,)), layers.Embedding(20, 8, mask_zero=True), layers.LSTM(6, return_sequences=True), layers.GRU(5), layers.Dense(1)]
    )
    model.compile("rmsprop", "mse")
    x, y = np.random.default_rng(0).integers(0, 20, (64, 7)), np.linspace(0, 1, 64, dtype="float32")[:, None]
    losses = model.fit(x, y, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    attended = layers.MultiHeadAttention(2, 4)(*(np.random.default_rng(0).random((2, 3, 8), "float32"),) * 2)
    assert isinstance(attended, torch.Tensor) and tuple(attended.shape) == (2, 3, 8)


# Overrides

OVERRIDES = sorted(name for name in dispatch.BODIES if name not in dispatch._RESERVED and hasattr(backend, name))
drawn = np.random.default_rng(3)
X, ROWS, SQUARE = (drawn.uniform(-3, 3, shape).astype("float32") for shape in ((4, 6), (3, 5), (2, 4, 3)))
HEADS = [drawn.uniform(-1, 1, (2, n, h, 4)).astype("float32") for n, h in ((3, 4), (5, 2), (5, 2))]
SEEN = np.ones((2, 1, 3, 5), bool)
SEEN[0, :, 1, 2:] = SEEN[1, :, 2] = False  # a row that sees some keys, and one that sees none
VECTORS = [drawn.uniform(0.5, 2, (6,)).astype("float32") for _ in range(4)]
LABELS = np.array([0, 4, 2], "int32")
INFINITE = np.array([[-np.inf, -1, 2], [np.inf, 0, 1]], "float32")
CALLS = {  # (arguments, keywords) besides the plain (X,) of an activation
    "leaky_relu": [((X, 0.1), {})],
    "elu": [((X, 0.5), {})],
    "celu": [((X, 2.0), {})],
    "gelu": [((X, False), {}), ((X,), {"approximate": True})],
    "softplus": [((X * 30,), {})],
    "hard_shrink": [((X, 1.0), {})],
    "soft_shrink": [((X, 1.0), {})],
    "glu": [((X, 0), {}), ((X,), {"axis": -1})],
    "softmax": [((SQUARE,), {"axis": 1}), ((SQUARE,), {"axis": (1, 2)}), ((SQUARE,), {"axis": None})],
    "log_softmax": [((SQUARE, 0), {}), ((SQUARE,), {"axis": (0, 2)})],
    "mean": [((SQUARE,), {}), ((SQUARE, 1), {}), ((SQUARE,), {"keepdims": True})],
    "logsumexp": [((SQUARE,), {}), ((SQUARE, 1), {}), ((SQUARE * 50, (0, -1)), {"keepdims": True}), ((INFINITE, -1), {})],
    "resize": [
        ((SQUARE, (7, 9)), {}),
        ((SQUARE[None], (2, 2)), {}),
        ((SQUARE, (1, 5)), {"data_format": "channels_first"}),
        ((SQUARE, (3, 3)), {"interpolation": "bicubic"}),
        ((SQUARE, (1, 2)), {"antialias": True}),
    ],
    "layer_normalization": [((X,), {}), ((X, *VECTORS[:2]), {}), ((SQUARE,), {"axis": (1, 2), "epsilon": 0.1}), ((SQUARE,), {"axis": 1})],
    "rms_normalization": [((X,), {}), ((X, VECTORS[0]), {"epsilon": 0.1}), ((SQUARE,), {"axis": 0})],
    "batch_normalization": [
        ((X, *VECTORS[:2], -1), {}),
        ((X, *VECTORS[:2], 1), {"offset": VECTORS[2], "scale": VECTORS[3], "epsilon": 0.1}),
        ((X.T.copy(), *VECTORS[:2], 0, VECTORS[2]), {}),
    ],
    "normalize_by_batch": [((X, -1), {}), ((X, 1, *VECTORS[2:]), {"epsilon": 0.1}), ((SQUARE, 2), {}), ((SQUARE, 0), {})],
    "dot_product_attention": [
        (tuple(HEADS), {}),
        (tuple(HEADS), {"mask": SEEN, "scale": 0.3}),
        (tuple(HEADS), {"is_causal": True}),
        (tuple(HEADS), {"mask": SEEN[0, 0], "bias": drawn.random((4, 3, 1)).astype("float32"), "is_causal": True}),
        (tuple(HEADS), {"mask": SEEN[1, 0, 0], "is_causal": True}),
        (tuple(HEADS), {"attn_logits_soft_cap": 2.0}),
    ],
    "binary_crossentropy": [((np.round(np.abs(X) / 3), X), {"from_logits": logits}) for logits in (True, False)],
    "sparse_categorical_crossentropy": [
        ((LABELS, ROWS), {"from_logits": True}),
        ((LABELS[:, None], np.abs(ROWS)), {}),
        ((np.array([0, 9, -1]), np.abs(ROWS)), {}),
        ((np.array([0, 1, 0, 2, 1]), np.abs(ROWS)), {"axis": 0}),
    ],
    "random_bits": [((np.array(key, "uint32"), (3, 50)), {}) for key in ((7, 0), (2**32 - 1, 2**32 - 1), (123456, 78))],
    "dropout": [((X, 0.3), {"seed": 5}), ((X, 0.0), {"seed": 5})],
}


@pytest.mark.parametrize("name", OVERRIDES)
def test_an_override_is_its_body(name):
    """Values, gradients and types, where the kernel serves the arguments and where it leaves them to the body."""
    backends.load("torch")
    for args, kwargs in [*CALLS.get(name, ()), *([((X,), {})] if name not in BOUND else ()), *([((np.arange(6),), {})] if name not in BOUND else ())]:
        as_tensor = lambda x: backend.array(x) if isinstance(x, np.ndarray) else x  # noqa: E731
        outcomes = []
        for function in getattr(ops, name, None) or getattr(keras.random, name, None) or dispatch.OPS[name], dispatch.BODIES[name]:
            inputs = [as_tensor(x).requires_grad_(x.dtype == "float32") if isinstance(x, np.ndarray) else x for x in args]
            seed = keras.random.SeedGenerator(5) if "seed" in kwargs else None
            out = function(*inputs, **{key: as_tensor(x) for key, x in kwargs.items()} | ({"seed": seed} if seed else {}))
            found = out if isinstance(out, tuple) else (out,)
            if found[0].requires_grad:
                sum((part * torch.cos(torch.arange(part.numel()).reshape(part.shape))).sum() for part in found).backward()
            outcomes.append((found, [x.grad for x in inputs if isinstance(x, torch.Tensor)]))
        (found, gradients), (wanted, right) = outcomes
        for x, y in [*zip(found, wanted, strict=True), *zip(gradients, right, strict=True)]:
            assert (x is None) == (y is None)
            if x is not None:
                assert x.dtype is y.dtype and x.shape == y.shape
                np.testing.assert_allclose(x.detach().to(torch.float64), y.detach().to(torch.float64), rtol=2e-5, atol=1e-5, err_msg=f"{name} {kwargs}")


BOUND = {name for name, calls in CALLS.items() if len(calls[0][0]) > 1 and name not in ("leaky_relu", "elu", "celu", "gelu", "hard_shrink", "soft_shrink")}


def test_overrides_are_used():
    """Not by chance the body: the kernel itself makes the result."""
    backends.load("torch")
    x = backend.array(X).requires_grad_()
    for name, made in {"gelu": "Gelu", "softmax": "Softmax", "layer_normalization": "NativeLayerNorm", "silu": "Silu", "relu": "Relu"}.items():
        assert made in type(getattr(ops, name)(x).grad_fn).__name__


# Recurrent kernels

SEQUENCES = drawn.standard_normal((5, 7, 3)).astype("float32")
COUNTS = np.array([7, 3, 1, 5, 0])[:, None]
MASKS = {"none": None, "right": np.arange(7) < COUNTS, "left": np.arange(7) >= 7 - COUNTS, "any": drawn.random((5, 7)) < 0.5, "full": np.ones((5, 7), bool)}
RECURRENT = [
    (layers.LSTM, {}),
    (layers.GRU, {}),
    (layers.SimpleRNN, {}),
    (layers.SimpleRNN, {"activation": "relu", "zero_output_for_mask": True}),
    (layers.LSTM, {"use_bias": False, "go_backwards": True}),
    (layers.GRU, {"use_bias": False, "zero_output_for_mask": True, "go_backwards": True}),
]


@pytest.mark.parametrize("mask", MASKS)
def test_recurrent_kernels_are_the_steps(mask):
    """Outputs, last states, and gradients by the input and all weights, for masks of every form."""
    backends.load("torch")
    mask = None if MASKS[mask] is None else backend.array(MASKS[mask])
    for kind, arguments in RECURRENT:
        layer = kind(4, return_sequences=True, return_state=True, **arguments)
        layer.build((5, 7, 3))
        for weight in layer.weights:
            weight.assign(drawn.standard_normal(weight.shape) / 2)
        first = [backend.array(drawn.standard_normal((5, 4)).astype("float32")) for _ in range(layer.cell.states_kept)]

        def loss(values, layer=layer, first=first):
            with keras.StatelessScope(list(zip(layer.weights, values[1:], strict=True))):
                out = layer(values[0], initial_state=first, mask=mask)
            return sum(torch.sum(o * torch.cos(torch.arange(o.numel())).reshape(o.shape)) for o in out), out

        values = [backend.array(SEQUENCES), *(weight._raw() for weight in layer.weights)]
        assert layer.form() == ("kernel", None)
        (_, found), gradients = backend.value_and_grad(loss, values)
        layer.use_cudnn = layer.unroll = False
        layer._why_steps = lambda training: "to compare"
        (_, wanted), right = backend.value_and_grad(loss, values)
        for x, y in zip([*found, *gradients], [*wanted, *right], strict=True):
            np.testing.assert_allclose(x, y, atol=1e-4, err_msg=f"{kind.__name__} {arguments}")


def test_the_form_of_recurrent_layers():
    backends.load("torch")
    bilstm = layers.Bidirectional(layers.LSTM(3))
    assert bilstm.forward_layer.form() == ("kernel", None)
    assert layers.LSTM(3, recurrent_dropout=0.1).form() == ("kernel", None)
    for layer, why in (
        (layers.LSTM(3, recurrent_dropout=0.1), "recurrent_dropout in training"),
        (layers.GRU(3, reset_after=False), "reset_after=False"),
        (layers.LSTM(3, activation="relu"), "activation='relu' (a kernel has tanh)"),
        (layers.LSTM(3, recurrent_activation="hard_sigmoid"), "recurrent_activation='hard_sigmoid' (a kernel has sigmoid)"),
        (layers.GRU(3, unroll=True), "unroll=True"),
        (layers.GRU(3, use_cudnn=False), "use_cudnn=False"),
        (layers.RNN([layers.LSTMCell(3), layers.LSTMCell(3)]), "its cell is StackedRNNCells"),
    ):
        assert layer.form(training=True) == ("steps", why)
    assert layers.LSTM(3, dtype="float16").form()[1].startswith("PyTorch's kernels for recurrent layers do not compute in float16")
    backends.load("numpy")
    assert layers.LSTM(3).form() == ("steps", "the numpy backend has no kernel for recurrent layers")
    backends.load("torch")


def test_ops_tell_their_form():
    backends.load("torch")
    layer, heard = layers.Dense(3, activation="gelu"), []
    model = keras.Sequential([keras.Input((8,)), layer, layers.LayerNormalization(), layers.UnitNormalization()])
    with dispatch.watched(lambda *told: heard.append(told)):
        model(np.ones((2, 8), "float32"))
    assert ("gelu", "kernel", None, 0) in heard and ("layer_normalization", "kernel", None, 0) in heard
    assert any(form == "body" and why == "the torch backend has no kernel for it" for _, form, why, _ in heard)
    count = len(heard)
    model(np.ones((2, 8), "float32"))
    assert len(heard) == count


# Updates

OPTIMIZERS = {
    "adam": lambda: optimizers.Adam(0.01),
    "amsgrad": lambda: optimizers.Adam(0.01, amsgrad=True, clipnorm=1.0),
    "adamw": lambda: optimizers.AdamW(0.01, weight_decay=0.1),
    "averages": lambda: optimizers.Adam(optimizers.schedules.ExponentialDecay(0.1, 2, 0.5), use_ema=True, global_clipnorm=1.0),
    "sgd": lambda: optimizers.SGD(0.1, loss_scale_factor=2.0),
    "momentum": lambda: optimizers.SGD(0.1, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "rmsprop": lambda: optimizers.RMSprop(0.01),
    "centered": lambda: optimizers.RMSprop(0.01, momentum=0.5, centered=True),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_updates_by_kernel_are_the_rule(name):
    """Weights and slots after some steps, with gradients in an order of memory of their own, as convolutions give them."""
    backends.load("torch")
    outcomes = []
    for form in ("kernel", None), ("rule", "to compare"):
        numbers = np.random.default_rng(1)
        weights = [Variable(numbers.standard_normal(shape).astype("float32")) for shape in ((3, 4), (4,), (5, 2, 2))]
        optimizer = OPTIMIZERS[name]()
        optimizer.build(weights)
        assert optimizer.form() == ("kernel", None)
        optimizer.form = lambda form=form: form
        for _ in range(6):
            optimizer.apply(
                [backend.array(numbers.standard_normal(w.shape[::-1]).astype("float32")).permute(*reversed(range(w.ndim))) for w in weights], weights
            )
        outcomes.append([v.numpy() for v in (*weights, *optimizer.variables)])
    for x, y in zip(*outcomes, strict=True):
        np.testing.assert_allclose(x, y, rtol=2e-6, atol=2e-6)


def test_an_update_writes_into_no_array_of_others():
    backends.load("torch")
    weight, other = Variable(np.ones((3, 2), "float32")), Variable(np.zeros((3, 2), "float32"))
    shown, part = ops.convert_to_numpy(weight.value), weight.value.detach()[1:]
    other.assign(weight.value)
    optimizer = optimizers.SGD(0.5)
    optimizer.apply([backend.array(np.ones((3, 2), "float32"))], [weight])
    assert weight.numpy().max() == 0.5
    assert shown.min() == part.min() == other.numpy().min() == 1
    values, slots = optimizer.stateless_apply([v.value for v in optimizer.variables], [backend.array(np.ones((3, 2), "float32"))], [weight.value])
    assert weight.numpy().max() == 0.5 and values[0].max() == 0 and int(slots[0]) == 2


def test_the_form_of_updates():
    backends.load("torch")

    class Own(optimizers.SGD):
        def update(self, weight, gradient, *slots, rate, step):
            return weight - gradient

    weights = [Variable(np.ones(2, "float32")), Variable(np.ones(2, "float16"))]
    for optimizer, kept, why in (
        (optimizers.Nadam(), weights[:1], "PyTorch has no kernel for the rule of Nadam"),
        (optimizers.Adam(), weights, "its weights are of float16, float32 (a kernel takes all float32 or all float64)"),
        (optimizers.Adam(gradient_accumulation_steps=2), weights[:1], "gradient_accumulation_steps"),
        (Own(), weights[:1], "the rule is the user's own"),
    ):
        optimizer.build(kept)
        assert optimizer.form() == ("rule", why)
        optimizer.apply([backend.array(np.ones(2, w.dtype)) for w in kept], kept)
    backends.load("numpy")
    assert optimizers.Adam().form() == ("rule", "the numpy backend has no kernels for updates")
    backends.load("torch")


# Weights as PyTorch sees them, and its modules within layers

INPUTS = np.random.default_rng(0).standard_normal((128, 8)).astype("float32")
TARGETS = INPUTS @ np.arange(8, dtype="float32")[:, None] / 8


def test_a_layer_within_a_module():
    """PyTorch's optimizer trains the layer's variables; its buffers move, its state is saved and loaded."""
    backends.load("torch")
    torch.manual_seed(0)

    class Net(torch.nn.Module):
        def __init__(self, core):
            super().__init__()
            self.core, self.head = core.as_torch_module(), torch.nn.Linear(16, 1)

        def forward(self, x):
            return self.head(self.core(x))

    def core():
        return keras.Sequential([keras.Input((8,)), layers.Dense(16, activation="relu"), layers.BatchNormalization()])

    ours = core()
    net, x, y = Net(ours), torch.from_numpy(INPUTS), torch.from_numpy(TARGETS)
    names = ["core.dense_kernel", "core.dense_bias", "core.batch_normalization_gamma", "core.batch_normalization_beta", "head.weight", "head.bias"]
    assert [name.replace("_1", "").replace("_2", "") for name, _ in net.named_parameters()] == names
    optimizer, losses, mean = torch.optim.Adam(net.parameters(), lr=0.02), [], ours.non_trainable_weights[0].numpy()
    for _ in range(60):
        optimizer.zero_grad()
        loss = ((net(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 10
    assert np.abs(ours.non_trainable_weights[0].numpy() - mean).max() > 0.01
    again = core()
    other = Net(again)
    other.load_state_dict(dict(zip(other.state_dict(), net.state_dict().values(), strict=True)))
    for one, same in zip(ours.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), same.numpy())
    net.eval(), other.eval()
    np.testing.assert_allclose(other(x).detach(), net(x).detach(), rtol=1e-6)
    np.testing.assert_allclose(ours.predict(INPUTS, verbose=0), net.core(x).detach(), rtol=1e-4, atol=1e-5)
    net.double()
    assert ours.weights[0].value.dtype is torch.float64


def test_modules_within_layers():
    """Trained by fit, set as an attribute or added to a Sequential; the module's own parameters are what moves."""
    backends.load("torch")
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.BatchNorm1d(16), torch.nn.ReLU())

    class Mixed(keras.Model):
        def __init__(self):
            super().__init__()
            self.linear, self.out = torch.nn.Linear(8, 4), layers.Dense(1)

        def call(self, x):
            return self.out(torch.tanh(self.linear(x)))

    for model, count in (keras.Sequential([keras.Input((8,)), module, layers.Dense(1)]), 6), (Mixed(), 4):
        model.compile(optimizers.Adam(0.02), "mse")
        losses = model.fit(INPUTS, TARGETS, epochs=6, verbose=0).history["loss"]
        assert losses[-1] < losses[0] / 2 and len(model.trainable_weights) == count
    layer = keras.Sequential([module]).layers[0]
    layer(INPUTS)
    assert layer.weights[0].value is module[0].weight and int(module[1].num_batches_tracked) == 24
    layer.set_weights([w * 0 for w in layer.get_weights()])
    assert float(module[0].weight.detach().abs().max()) == 0 and float(module[1].running_mean.abs().max()) == 0
    layer.trainable = False
    assert not module[0].weight.requires_grad


def test_the_loop_and_the_step_in_the_words_of_pytorch():
    backends.load("torch")

    class Custom(keras.Model):
        def train_step(self, data):
            x, y = data
            self.zero_grad()
            y_pred = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=y_pred)
            loss.backward()
            weights = list(self.trainable_weights)
            gradients = [v.value.grad for v in weights]
            with torch.no_grad():
                self.optimizer.apply(gradients, weights)
            for metric in self.metrics:
                metric.update_state(loss) if metric.name == "loss" else metric.update_state(y, y_pred)
            return {m.name: m.result() for m in self.metrics}

    def body(x):
        return layers.Dense(1)(layers.Dense(16, activation="relu")(x))

    histories, x = [], keras.Input((8,))
    for kind in Custom, keras.Model:
        keras.utils.set_random_seed(2)
        model = kind(x, body(x))
        model.compile(optimizers.Adam(0.01), "mse", metrics=["mae"])
        histories.append(model.fit(INPUTS, TARGETS, epochs=3, verbose=0).history)
    for name, values in histories[1].items():
        np.testing.assert_allclose(histories[0][name], values, rtol=1e-4)
    model = keras.Sequential([keras.Input((8,)), layers.Dense(16, activation="relu"), layers.Dense(1)])
    optimizer, losses = torch.optim.SGD(model.parameters(), lr=0.1), []
    for _ in range(20):
        model.zero_grad()
        loss = ((model(INPUTS) - torch.from_numpy(TARGETS)) ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2 and len(model.state_dict()) == 4
    backends.load("numpy")
    with pytest.raises(AttributeError, match="zero_grad"):
        model.zero_grad()
    backends.load("torch")


# Programs

IMAGES = np.random.default_rng(0).random((40, 6, 6, 1), "float32")
DARK = (IMAGES.mean((1, 2, 3)) > 0.5).astype("int32")


def histories_of(jit_compile, epochs=2):
    keras.utils.set_random_seed(1)
    x = keras.Input((6, 6, 1))
    y = layers.BatchNormalization()(layers.Conv2D(4, 3, activation="relu")(x))
    y = layers.Dropout(0.3)(layers.Flatten()(layers.MaxPooling2D(2)(y)))
    model = keras.Model(x, layers.Dense(2, activation="softmax")(y))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=jit_compile)
    history = model.fit(IMAGES, DARK, batch_size=16, epochs=epochs, verbose=0, validation_data=(IMAGES, DARK)).history
    return history, model.predict(IMAGES[:3], verbose=0)


def test_what_is_no_program_says_so():
    backends.load("torch")

    class Deciding(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            return self.dense(x) if float(ops.sum(x)) > 0 else -self.dense(x)

    model = Deciding()
    model.compile("sgd", "mse", jit_compile=True)
    with pytest.raises(ValueError, match="jit_compile=True: the step asks for the values of tensors"):
        model.fit(INPUTS, TARGETS, verbose=0)
    model.compile("sgd", "mse")
    assert np.isfinite(model.fit(INPUTS, TARGETS, verbose=0).history["loss"][0])


@pytest.mark.slow
def test_steps_by_torch_compile():
    backends.load("torch")
    outcomes = []
    for jit_compile in True, "auto":
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((8,)), layers.Dense(4, activation="gelu"), layers.Dropout(0.2), layers.Dense(1)])
        model.compile("adam", "mse", jit_compile=jit_compile)
        outcomes.append(model.fit(INPUTS, TARGETS, epochs=3, verbose=0).history["loss"])
    np.testing.assert_allclose(*outcomes, rtol=1e-4)


def test_what_is_kept_stays_while_training_goes_on():
    """A state tree, a deep copy, and values moved to another backend and back are no part of the memory that updates write into."""
    backends.load("torch")
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((8,)), layers.Dense(4, activation="relu"), layers.Dense(1)])
    model.compile(optimizers.Adam(0.01), "mse")
    model.fit(INPUTS, TARGETS, epochs=1, verbose=0)
    state, held, copied = model.get_state_tree(), model.get_weights(), copy.deepcopy(model)
    losses = [model.fit(INPUTS, TARGETS, epochs=1, shuffle=False, verbose=0).history["loss"]]
    for one, same in zip(held, copied.get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)
    model.set_state_tree(state)
    losses.append(model.fit(INPUTS, TARGETS, epochs=1, shuffle=False, verbose=0).history["loss"])
    losses.append(copied.fit(INPUTS, TARGETS, epochs=1, shuffle=False, verbose=0).history["loss"])
    model.set_state_tree(state)
    backends.load("jax")
    losses.append(model.fit(INPUTS, TARGETS, epochs=1, shuffle=False, verbose=0).history["loss"])
    backends.load("torch")
    for found in losses[1:]:
        np.testing.assert_allclose(found, losses[0], rtol=1e-5)
    assert isinstance(model.weights[0].value, torch.nn.Parameter)


# Order


@pytest.mark.parametrize("count", [10, 64, 300])
def test_top_k_has_the_first_of_ties_first(count):
    """As a stable sort of NumPy's: NaN above all, both zeros equal; the gradient goes to what was chosen."""
    backends.load("torch")
    x = np.random.default_rng(0).integers(-9, 9, (7, count)).astype("float32") / 8
    x[:, ::7], x[:, 3], x[:, 5], x[0, 1], x[1, 2] = -0.0, np.nan, -np.nan, np.inf, -np.inf
    wanted = np.array([sorted(range(count), key=lambda i: (not np.isnan(row[i]), 0.0 if np.isnan(row[i]) else -row[i], i))[:6] for row in x])
    values, indices = ops.top_k(x, 6)
    np.testing.assert_array_equal(indices.numpy(), wanted)
    np.testing.assert_array_equal(values.numpy(), np.take_along_axis(x, wanted, -1))
    given = torch.from_numpy(x).requires_grad_()
    ops.top_k(given, 6)[0].sum().backward()
    chosen = np.zeros_like(x)
    np.put_along_axis(chosen, wanted, 1.0, -1)
    np.testing.assert_array_equal(given.grad.numpy(), chosen)
