"""Models of the three kinds: made, called, frozen, copied, described; and what a mistake is told."""

import numpy as np
import pytest

import cornu as keras
from cornu import backends, layers, ops
from cornu.layers import Dense, Input
from cornu.models import Model, Sequential, clone_model, model_from_json
from tests import oracle


def ones(*shape):
    return np.ones(shape, "float32")


def values(x):
    return backends.numpy(x)


def test_a_stack_with_a_known_input_has_weights_at_once():
    model = Sequential([Input((4,)), Dense(3), Dense(2)])
    assert [w.path for w in model.weights] == ["sequential/dense/kernel", "sequential/dense/bias", "sequential/dense_1/kernel", "sequential/dense_1/bias"]
    assert model.output_shape == (None, 2) and model.input_shape == (None, 4) and len(model.layers) == 2


def test_a_stack_without_an_input_is_built_by_its_first_data(backend):
    model = Sequential([layers.LSTM(3), Dense(2)])
    assert not model.built and model.weights == []
    assert values(model(ones(2, 5, 4))).shape == (2, 2)
    assert len(model.weights) == 5
    assert values(model(ones(3, 7, 4))).shape == (3, 2), "another length is as good"


def test_input_shape_of_old_is_an_input():
    model = Sequential()
    model.add(Dense(3, input_shape=(4,)))
    model.add(Dense(2))
    assert model.output_shape == (None, 2)
    assert model.pop().name == "dense_1" and model.output_shape == (None, 3)
    model.add(Dense(5))
    assert model.output_shape == (None, 5)


def test_a_graph_with_branches_shared_layers_and_ops(backend):
    left, right = Input((4,), name="left"), Input((4,), name="right")
    shared = Dense(3, activation="relu", kernel_initializer="ones")
    x, y = shared(left), shared(right)
    joined = layers.concatenate([x, y * 2.0 + 1.0])
    model = Model([left, right], {"sum": ops.sum(joined, axis=1), "first": joined[:, :2]})
    out = model({"left": ones(2, 4), "right": ones(2, 4)})
    np.testing.assert_allclose(values(out["sum"]), [39.0, 39.0])
    np.testing.assert_allclose(values(out["first"]), 4 * ones(2, 2))
    assert len(model.weights) == 2
    with pytest.raises(ValueError, match="no 'right'"):
        model({"left": ones(2, 4)})


def test_models_nest(backend):
    inner = Sequential([Input((4,)), Dense(3)], name="inner")
    x = Input((4,))
    model = Model(x, Dense(1)(inner(x)))
    assert [w.path for w in model.weights][:2] == ["inner/dense/kernel", "inner/dense/bias"]
    assert values(model(ones(2, 4))).shape == (2, 1)


def test_a_model_cut_out_of_another():
    x = Input((4,))
    h = Dense(3, name="hidden")(x)
    model = Model(x, Dense(1)(h))
    part = Model(model.input, model.get_layer("hidden").output)
    assert part.output_shape == (None, 3)
    top = Model(model.get_layer("hidden").output, model.output)
    assert top.input_shape == (None, 3) and top.output_shape == (None, 1)


class Twice(Model):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.blocks = [Dense(units) for _ in range(2)]
        self.drop = layers.Dropout(0.5)

    def call(self, x, training=False):
        for block in self.blocks:
            x = block(x)
        return self.drop(x, training=training)


def test_a_subclass_finds_its_layers_in_lists(backend):
    model = Twice(4)
    assert values(model(ones(2, 4))).shape == (2, 4)
    assert len(model.weights) == 4 and len(model.layers) == 3
    assert [w.path for w in model.weights][2] == "twice/dense_1/kernel"
    again = Twice.from_config(model.get_config())
    again.build((None, 4))
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(values(again(ones(2, 4))), values(model(ones(2, 4))))


def test_freezing():
    model = Sequential([Input((4,)), Dense(3), layers.BatchNormalization(), Dense(2)])
    assert (len(model.trainable_weights), len(model.non_trainable_weights)) == (6, 2)
    model.layers[0].trainable = False
    assert (len(model.trainable_weights), len(model.non_trainable_weights)) == (4, 4)
    model.trainable = False
    assert (len(model.trainable_weights), len(model.non_trainable_weights)) == (0, 8)
    model.trainable = True
    assert (len(model.trainable_weights), len(model.non_trainable_weights)) == (6, 2)


def test_copies_share_no_weights(backend):
    x = Input((4,))
    h = Dense(3)(x)
    model = Model(x, h + Dense(3)(h))
    copy = clone_model(model)
    assert [w.shape for w in copy.weights] == [w.shape for w in model.weights]
    assert not {id(w) for w in copy.weights} & {id(w) for w in model.weights}
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(values(copy(ones(2, 4))), values(model(ones(2, 4))))


def test_json_makes_the_model_again(backend):
    x = Input((6, 3), name="x")
    h = layers.Bidirectional(layers.GRU(2, return_sequences=True))(x)
    h = layers.MultiHeadAttention(2, 3)(h, h)
    model = Model(x, [layers.GlobalAveragePooling1D()(h), h[:, 0]])
    again = model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    for a, b in zip(again(ones(2, 6, 3)), model(ones(2, 6, 3))):
        np.testing.assert_array_equal(values(a), values(b))


def test_the_order_of_layers_is_that_of_keras():
    program = """
rng = np.random.default_rng(seed)
tensors = [Input((3,), name=f"i{k}") for k in range(2)]
for k in range(9):
    if rng.random() < 0.5:
        tensors.append(layers.Dense(3, name=f"d{k}")(tensors[rng.integers(len(tensors))]))
    else:
        pick = rng.choice(len(tensors), 2, replace=False)
        tensors.append(layers.Add(name=f"a{k}")([tensors[i] for i in pick]))
model = Model(tensors[:2], [layers.Add(name="all")(tensors[2:]), tensors[-1]])
names = [layer.name for layer in model.layers]
"""
    for seed in range(12):
        mine = {"np": np, "Input": Input, "layers": layers, "Model": Model, "seed": seed}
        exec(program, mine)
        theirs = oracle.run(f"layers, Model, Input = keras.layers, keras.Model, keras.Input{program}out['names'] = names", seed=seed)
        assert mine["names"] == theirs["names"], seed


def test_summary_counts_parameters_and_flops(capsys):
    Sequential([Input((28, 28, 1)), layers.Conv2D(8, 3), layers.Flatten(), Dense(10)]).summary()
    text = capsys.readouterr().out
    assert "Total params: 54,170 (211.60 KB)" in text and "(None, 26, 26, 8)" in text and "\x1b" not in text
    assert "FLOPs for one sample: 210.9k" in text  # 2*9*8*676 + 5408 of the convolution, 2*5408*10 + 10 of the dense layer


def test_pictures_of_a_model(tmp_path):
    pytest.importorskip("matplotlib")
    x = Input((4,))
    model = Model(x, [Dense(2)(x), Dense(3)(x)])
    for name in ("model.png", "model.svg"):
        keras.utils.plot_model(model, tmp_path / name, show_shapes=True)
    assert (tmp_path / "model.png").read_bytes()[:4] == b"\x89PNG"
    assert "(None, 3)" in (tmp_path / "model.svg").read_text() or "<svg" in (tmp_path / "model.svg").read_text()


@pytest.mark.parametrize(
    "mistake, said",
    [
        (lambda: Sequential([Dense(2)]).add(layers.Flatten(), activation="relu"), "Flatten has no activation"),
        (lambda: Sequential().add(Dense), "got the class Dense; wanted a layer made of it"),
        (lambda: Sequential().add(np.tanh), "wrap it, add\\(Lambda"),
        (lambda: Sequential([Dense(2, name="a"), Dense(2, name="a")]), "already named 'a'"),
        (lambda: Dense(2, unit=3), "Did you mean 'units'"),
        (lambda: Dense(2, activation="rellu"), "relu"),
        (lambda: Dense(0), "units must be at least 1"),
        (lambda: Sequential([Input((28, 28)), layers.Conv2D(4, 3)]), "Images need a channel axis"),
        (lambda: Sequential([Input((4,)), Dense(2)])(ones(2, 5)), "wants the shape \\(None, 4\\)"),
        (lambda: Sequential([Input((4,)), Dense(2)]).get_layer("dens"), "Did you mean 'dense'"),
        (lambda: Sequential([Input((4,)), Dense(2)]).set_weights([ones(4, 2)]), "has 2 weights; set_weights got 1"),
        (lambda: Model(Input((4,)), ones(2)), "symbolic tensors"),
        (lambda: Input(), "`shape` is missing"),
        (lambda: layers.Add()(ones(2, 3)), "merges a list of tensors"),
        (lambda: layers.Reshape((5,))(ones(2, 4)), "cannot take the shape"),
        (lambda: layers.MaxPooling2D(padding="sane"), "'valid' or 'same'"),
        (lambda: layers.Dropout(1.5), "from 0 to 1"),
        (lambda: layers.Lambda(lambda x: x).get_config(), "cannot be written to a file"),
        (lambda: bool(Input((4,)) > 0), "ops.cond or ops.where"),
        (lambda: np.spacing(Input((4,))), "functions of cornu.ops"),
    ],
)
def test_mistakes_are_told_what_to_do(mistake, said):
    with pytest.raises((ValueError, TypeError), match=said):
        mistake()


def test_numpy_functions_of_symbols_are_ops():
    x = Input((4,))
    model = Model(x, np.sin(x) + np.ones(4, "float32") * x)
    np.testing.assert_allclose(values(model(ones(2, 4))), (np.sin(1) + 1) * ones(2, 4), rtol=1e-6)


def test_an_engine_called_inside_a_layer():
    jnp = pytest.importorskip("jax.numpy")
    backends.load("jax")

    class Sine(layers.Layer):
        def call(self, x):
            return jnp.concatenate([jnp.sin(x), jnp.cos(x)], axis=-1)

    model = Sequential([Input((3,)), Sine(), Dense(2)])
    assert model.layers[0].output.shape == (None, 6)
    assert values(model(ones(2, 3))).shape == (2, 2)


def test_masks_reach_the_layers_that_ask_for_them(backend):
    seen = []

    class Ask(layers.Layer):
        def call(self, x, mask=None):
            seen.append(None if mask is None else values(mask).tolist())
            return x

    model = Sequential([layers.Embedding(5, 2, mask_zero=True), layers.Dropout(0.1), Ask()])
    model(np.array([[1, 2, 0], [3, 0, 0]]))
    assert seen[-1] == [[True, True, False], [True, False, False]]


def test_losses_of_layers_and_weights(backend):
    class Penalty(layers.Layer):
        def call(self, x):
            self.add_loss(ops.sum(x))
            return x

    model = Sequential([Input((2,)), Dense(1, kernel_initializer="ones", kernel_regularizer="l2"), Penalty()])
    model(ones(3, 2))
    np.testing.assert_allclose(sorted(float(values(loss)) for loss in model.losses), [0.02, 6.0], rtol=1e-6)


def test_a_model_moves_to_another_backend():
    backends.load("jax")
    model = Sequential([Input((4,)), Dense(3, activation="softmax")])
    before = values(model(ones(2, 4)))
    backends.load("numpy")
    try:
        after = model(ones(2, 4))
        assert type(after) is np.ndarray
        np.testing.assert_allclose(after, before, rtol=1e-6)
    finally:
        backends.load("jax")


def test_a_mask_that_nobody_takes_is_told_once(backend):
    model = Sequential([layers.Embedding(5, 2, mask_zero=True), layers.Flatten()])
    with pytest.warns(UserWarning, match='Flatten "flatten" got an input with a mask'):
        model(np.array([[1, 0]]))
    model(np.array([[1, 0]]))


def test_weights_are_the_callers_own():
    layer = Dense(2)
    layer.build((None, 3))
    got = layer.get_weights()
    got[0][:] = 7
    assert (layer.get_weights()[0] != 7).all()
