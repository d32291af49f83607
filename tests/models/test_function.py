"""Function, RematScope, states as trees, and steps that are not compiled."""

import jax
import numpy as np
import pytest

import cornu as keras
from cornu import Function, KerasTensor, RematScope, layers, ops, scopes
from cornu.layers import Input
from cornu.models import Model, Sequential
from tests import oracle

X = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")


def test_a_function_of_bare_tensors():
    x = KerasTensor((None, 3), name="x")
    f = Function(x, {"sine": ops.sin(x) + 1, "sum": ops.sum(x, axis=1)}, name="f")
    np.testing.assert_allclose(f(X[:, :3])["sine"], np.sin(X[:, :3]) + 1, rtol=1e-6)
    assert f.compute_output_shape((5, 3)) == {"sine": (5, 3), "sum": (5,)}
    assert f.compute_output_spec(KerasTensor((5, 3)))["sum"].shape == (5,)
    assert f.input is x and f.output["sum"] is f.outputs[1] and len(f.operations) == 3
    again = f.symbolic_call(KerasTensor((2, 3)))
    assert again["sine"].shape == (2, 3) and isinstance(again["sum"], KerasTensor)
    np.testing.assert_allclose(f.rematerialized_call(f.call)(X[:, :3])["sum"], X[:, :3].sum(1), rtol=1e-5)


def test_a_function_from_its_config():
    x = Input((4,), name="x")
    f = Function(x, layers.Dense(2, kernel_initializer="ones", name="d")(x) * 2, name="f")
    again = Function.from_config(f.get_config())
    np.testing.assert_allclose(again(X), f(X), rtol=1e-6)
    assert again.name == "f" and [o.name for o in again.operations][:2] == ["x", "d"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda x: Function([], x), "`inputs` is empty"),
        (lambda x: Function(x, []), "`outputs` is empty"),
        (lambda x: Function(X, x), "must be symbolic tensors"),
        (lambda x: Function(KerasTensor((3,)), ops.sin(x)), "which no operation and no Input made"),
        (lambda x: Function(x, KerasTensor((3,))), "was made by no operation"),
        (lambda x: Function(x, ops.sin(x))(X[:, :2]), r"wants the shape \(None, 3\)"),
        (lambda x: Function(x, ops.sin(x)).symbolic_call(KerasTensor((2, 4))), r"wants the shape \(None, 3\)"),
        (lambda x: Function(x, ops.sin(x))([X, X]), r"wanted 1 input\(s\)"),
        (lambda x: Function(x, ops.sin(x)).get_config(), "bare KerasTensor"),
    ],
)
def test_mistakes(make, said):
    with pytest.raises(ValueError, match=said):
        make(KerasTensor((None, 3), name="x"))


DICTIONARY = """
i = keras.Input((4,), name="i")
a, b, c = (keras.layers.Dense(n, name=name)(i) for n, name in ((1, "beta"), (2, "alpha"), (3, "gamma")))
for form, outputs in (("flat", {"q": a, "p": b, "o": c}), ("nested", {"first": a, "rest": [b, c]})):
    model = keras.Model(i, outputs)
    model.compile("sgd", {"q": "mse", "p": "mae", "o": "mse"} if form == "flat" else {"first": "mse", "rest": ["mae", "mse"]}, metrics={"p": "mse"} if form == "flat" else None)
    y = {"p": x[:, :2], "q": x[:, :1], "o": x[:, :3]} if form == "flat" else {"first": x[:, :1], "rest": [x[:, :2], x[:, :3]]}
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    out[form] = [[l.name for l in model.layers], list(model.output_names), [list(w.shape) for w in model.weights], model.metrics_names, list(logs)]
"""


def test_outputs_in_dictionaries_have_keras_order():
    wanted, found = oracle.run(DICTIONARY, x=X), {}
    exec(DICTIONARY, {"keras": keras, "x": X, "out": found})
    assert found == wanted


def test_copies_are_compiled_as_the_model_is():
    i = Input((4,))
    inner = Sequential([Input((4,)), layers.Dense(3, name="inside")], name="inner")
    model = Model(i, layers.Dense(1, name="last")(inner(i)))
    assert not keras.models.clone_model(model).compiled
    model.compile(keras.optimizers.SGD(0.5), lambda y, y_pred: ops.mean(ops.abs(y - y_pred)), metrics=["mae"])
    copy = keras.models.clone_model(model)
    assert copy.compiled and copy.optimizer is not model.optimizer and float(copy.optimizer.learning_rate.numpy()) == 0.5
    assert list(copy.fit(X, X[:, :1], verbose=0).history) == ["loss", "mae"]
    seen, calls = [], []
    keras.models.clone_model(model, clone_function=lambda layer: seen.append(layer.name) or type(layer).from_config(layer.get_config()), recursive=True)
    keras.models.clone_model(model, call_function=lambda layer, *args: calls.append(layer.name) or layer(*args))
    assert seen == ["inside", "last"] and calls == ["inner", "last"]


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ((3,), TypeError, "wanted a model; got int"),
        (("model", X), ValueError, "input_tensors must be symbolic"),
        (("model", [KerasTensor((None, 4))] * 2), ValueError, "has 1 inputs; input_tensors has 2"),
        (("stack", None, None, lambda layer, *a: layer(*a)), ValueError, "call_function is for functional models"),
    ],
)
def test_what_cannot_be_copied(arguments, error, said):
    i = Input((4,))
    models = {"model": Model(i, layers.Dense(1)(i)), "stack": Sequential([Input((4,)), layers.Dense(1)])}
    first, *rest = arguments
    with pytest.raises(error, match=said):
        keras.models.clone_model(models.get(first, first), *rest)


def test_each_output_meets_its_own_targets():
    i = Input((4,))
    model = Model(i, {"z": layers.Dense(1, name="z")(i), "a": layers.Dense(1, name="a")(i)})
    model.compile("sgd", "mse", metrics={"z": ["mse"], "a": ["mse"]})
    logs = model.fit(X, {"z": X[:, :1], "a": X[:, 1:2] + 100}, verbose=0).history
    assert logs["z_mse"] == pytest.approx(logs["z_loss"]) and logs["a_mse"] == pytest.approx(logs["a_loss"])


# -- computing again ----------------------------------------------------------------------------------------------------------------------


def stack():
    return Sequential(
        [
            Input((4,)),
            layers.Dense(8, activation="relu", kernel_regularizer="l2", name="first"),
            layers.BatchNormalization(),
            layers.Dropout(0.3, seed=1),
            layers.Dense(1, activity_regularizer="l2", name="last"),
        ]
    )


def repeated(model):
    """How many parts of the model's gradient are computed again."""
    trainable, fixed = ([v.value for v in group] for group in (model.trainable_variables, model.non_trainable_variables))
    text = str(jax.make_jaxpr(jax.grad(lambda values: ops.sum(model.stateless_call(values, fixed, X, training=True)[0])))(trainable))
    return text.count("remat2[") + text.count("checkpoint[")


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ((), 4),
        (("activations",), 2),
        (("larger_than", 20), 3),
        (("larger_than",), 0),
        (("list_of_layers", 0, ["first"]), 1),
        ((None,), 0),
    ],
)
def test_what_is_computed_again(options, count):
    with RematScope(*options):
        model = stack()
    assert repeated(model) == count


@pytest.mark.slow
def test_computing_again_changes_no_result():
    losses, weights = [], []
    for mode in (None, "full"):
        keras.utils.set_random_seed(0)
        scopes.reset_names()
        with RematScope(mode):
            model = stack()
        model.compile("sgd", "mse", metrics=["mae"])
        losses.append(model.fit(X, X[:, :1], epochs=3, batch_size=4, shuffle=False, verbose=0).history["loss"])
        weights.append(model.get_weights())
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "said"),
    [(("all",), "mode must be one of"), (("larger_than", -1), "output_size_threshold"), (("list_of_layers", 1, "first"), "layer_names must be a list")],
)
def test_wrong_scopes(options, said):
    with pytest.raises(ValueError, match=said):
        RematScope(*options)


# -- states as trees, steps line by line ---------------------------------------------------------------------------------------------------

TREE = """
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5), keras.layers.Dense(1)], name="m")
model.compile("adam", "mse", metrics=["mae"])
model.fit(x, x[:, :1], verbose=0)
tree = model.get_state_tree("numpy_array")
out["shapes"] = keras.tree.map_structure(lambda value: list(value.shape), tree)
"""


def test_state_trees():
    wanted, found = oracle.run(TREE, x=X), {}
    scope = {"keras": keras, "x": X, "out": found}
    exec(TREE, scope)
    assert found == wanted
    model, tree = scope["model"], scope["tree"]
    before = model.get_weights()
    model.fit(X, X[:, :1], verbose=0)
    model.set_state_tree(tree)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    assert int(model.optimizer.iterations.numpy()) == 1
    for wrong, said in (
        ({"weights": {}}, "no kind of variables 'weights'"),
        ({"trainable_variables": {"m": {"dens": {"kernel": X}}}}, "no variable 'm/dens/kernel'"),
        ({"trainable_variables": {"m": {"dense": {"kernel": X}}}}, r"has the shape \(4, 3\); got \(6, 4\)"),
    ):
        with pytest.raises(ValueError, match=said):
            model.set_state_tree(wrong)
    with pytest.raises(ValueError, match="value_format must be one of"):
        model.get_state_tree("variable")


@pytest.mark.parametrize(("compiled", "calls"), [({"jit_compile": False}, 3), ({"run_eagerly": True}, 3), ({}, 1)])
def test_each_step_runs_python_where_asked(compiled, calls):
    seen = []

    class Seen(layers.Layer):
        def call(self, x):
            seen.append(type(x).__name__)
            return x

    model = Sequential([Input((4,)), layers.Dense(1), Seen()])
    model.compile("sgd", "mse", **compiled)
    model.fit(X, X[:, :1], batch_size=2, verbose=0)
    seen.clear()
    model.evaluate(X, X[:, :1], batch_size=2, verbose=0)
    assert len(seen) == calls


def test_a_generator_that_ends_begins_no_epoch(capsys):
    def batches():
        for _ in range(4):
            yield X, X[:, :1]

    model = Sequential([Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="a generator that ended"):
        history = model.fit(batches(), epochs=3, steps_per_epoch=4, verbose=2)
    assert history.epoch == [0] and "Epoch 2" not in capsys.readouterr().out
