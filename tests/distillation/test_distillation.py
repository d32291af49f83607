"""Distillation as Keras does it: losses, weights of losses, logs, files both ways; and a student that learns from its teacher."""

import numpy as np
import pytest

import cornu as keras
from cornu import backends, distillation, losses
from tests import oracle

LOGITS = [({}, "KLDivergence"), ({"temperature": 1.0}, "KLDivergence"), ({"temperature": 5.0}, "MeanSquaredError"), ({"temperature": 2.0}, "MeanAbsoluteError")]
FEATURES = ["mse", "mae", "cosine_similarity", ["mse", "mae"]]
CODE = """
D, L = keras.distillation, keras.losses
out["logits"] = [D.LogitsDistillation(**options, loss=getattr(L, loss)()).compute_loss(t, s) for options, loss in logits]
out["features"] = [D.FeatureDistillation(loss=l).compute_loss(*(([t, t], [s, s]) if isinstance(l, list) else (t, s))) for l in features]
def mlp(units, name):
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(units, activation="relu", name=name + "h"), keras.layers.Dense(3, name=name + "o")], name=name)
teacher, student = mlp(16, "t"), mlp(8, "s")
teacher.set_weights(weights[0]); student.set_weights(weights[1])
told = [D.LogitsDistillation(temperature=2.0, loss=L.KLDivergence()), D.FeatureDistillation(teacher_layer_name="to", student_layer_name="so")]
model = D.Distiller(teacher, student, told, distillation_loss_weights=[0.7, 0.3], student_loss_weight=0.4)
model.compile(keras.optimizers.SGD(0.1), L.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
out["history"] = model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0).history
out["evaluate"] = model.evaluate(x, y, batch_size=8, verbose=0, return_dict=True)
out["metrics"], out["predict"] = [m.name for m in model.metrics], model.predict(x, verbose=0)
model.save(theirs)
again = keras.saving.load_model(ours)
out["ours"] = again.predict(x, verbose=0)
"""


def mlp(units, name, out=3):
    layers = [keras.Input((4,)), keras.layers.Dense(units, activation="relu", name=f"{name}h"), keras.layers.Dense(out, name=f"{name}o")]
    return keras.Sequential(layers, name=name)


def both():
    told = [
        distillation.LogitsDistillation(temperature=2.0),
        distillation.FeatureDistillation(teacher_layer_name="to", student_layer_name="so"),
    ]
    model = distillation.Distiller(mlp(16, "t"), mlp(8, "s"), told, distillation_loss_weights=[0.7, 0.3], student_loss_weight=0.4)
    model.compile(keras.optimizers.SGD(0.1), losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


@pytest.fixture(scope="module")
def problem(tmp_path_factory):
    folder = tmp_path_factory.mktemp("distillation")
    draw = np.random.default_rng(3)
    t, s = draw.normal(size=(2, 5, 3)).astype("float32")
    x, y = draw.normal(size=(32, 4)).astype("float32"), np.arange(32) % 3
    model = both()
    weights = [[draw.normal(size=w.shape).astype("float32") for w in part.get_weights()] for part in (model.teacher, model.student)]
    model.predict(x[:1], verbose=0)
    model.save(folder / "ours.keras")
    given = {"t": t, "s": s, "x": x, "y": y, "weights": weights, "ours": str(folder / "ours.keras"), "theirs": str(folder / "theirs.keras")}
    return given, model.predict(x, verbose=0), oracle.run(CODE, logits=LOGITS, features=FEATURES, **given)


def test_losses_are_keras_s(backend, problem):
    given, _, said = problem
    t, s = given["t"], given["s"]
    for (options, loss), wanted in zip(LOGITS, said["logits"]):
        found = [distillation.LogitsDistillation(**options, loss=kind) for kind in (getattr(losses, loss)(), loss)]
        if loss == "KLDivergence":
            found += [distillation.LogitsDistillation(**options), distillation.LogitsDistillation(**options, loss=losses.kl_divergence)]
        for one in found:
            np.testing.assert_allclose(backends.numpy(one.compute_loss(t, s)), wanted, rtol=1e-5)
    for loss, wanted in zip(FEATURES, said["features"]):
        one = distillation.FeatureDistillation(loss=loss)
        got = one.compute_loss(*(([t, t], [s, s]) if isinstance(loss, list) else (t, s)))
        np.testing.assert_allclose(backends.numpy(got), wanted, rtol=1e-5)


def test_hinton_s_formula(backend, problem):
    """Softened crossentropy times the temperature's square, by its definition; and its gradient hardly depends on a high temperature."""
    t, s = problem[0]["t"], problem[0]["s"]
    softened = lambda x, T: np.exp(x / T) / np.exp(x / T).sum(-1, keepdims=True)
    for temperature in (1.0, 4.0):
        p, q = softened(t, temperature), softened(s, temperature)
        for loss, wanted in (("kl_divergence", (p * np.log(p / q)).sum(-1).mean()), ("categorical_crossentropy", -(p * np.log(q)).sum(-1).mean())):
            got = distillation.LogitsDistillation(temperature, loss).compute_loss(t, s)
            np.testing.assert_allclose(float(got), temperature**2 * wanted, rtol=1e-4)
    logits = losses.CategoricalCrossentropy(from_logits=True)
    np.testing.assert_allclose(float(distillation.LogitsDistillation(4.0, logits).compute_loss(t, s)), float(got), rtol=1e-4)


def test_training_is_keras_s(problem):
    given, _, said = problem
    model = both()
    for part, weights in zip((model.teacher, model.student), given["weights"]):
        part.set_weights(weights)
    history = model.fit(given["x"], given["y"], batch_size=8, epochs=2, shuffle=False, verbose=0).history
    assert set(history) == set(said["history"])
    for name, values in said["history"].items():
        np.testing.assert_allclose(history[name], values, rtol=1e-4, err_msg=name)
    found = model.evaluate(given["x"], given["y"], batch_size=8, verbose=0, return_dict=True)
    for name, value in said["evaluate"].items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, err_msg=name)
    np.testing.assert_allclose(model.predict(given["x"], verbose=0), said["predict"], rtol=1e-4, atol=1e-5)
    assert [metric.name for metric in model.metrics] == said["metrics"]
    for variable, value in zip(model.teacher.variables, given["weights"][0]):
        np.testing.assert_array_equal(variable.numpy(), value)  # the teacher stays


def test_files_go_both_ways(problem, tmp_path):
    given, predicted, said = problem
    np.testing.assert_allclose(said["ours"], predicted, rtol=1e-5, atol=1e-6)
    with pytest.warns(UserWarning, match="does not say the student's loss"):
        theirs = keras.saving.load_model(given["theirs"])
    np.testing.assert_allclose(theirs.predict(given["x"], verbose=0), said["predict"], rtol=1e-4, atol=1e-5)
    assert theirs.student_loss_weight == 0.4 and theirs.distillation_losses[1].teacher_layer_name == "to"
    model = both()
    model.fit(given["x"], given["y"], verbose=0)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    logs = [one.fit(given["x"], given["y"], shuffle=False, verbose=0).history["loss"] for one in (model, again)]
    np.testing.assert_allclose(*logs, rtol=1e-5)
    assert again.get_config() == model.get_config()


@pytest.mark.parametrize(
    "made",
    [
        distillation.LogitsDistillation(2.0, "mse"),
        distillation.LogitsDistillation(loss=losses.KLDivergence()),
        distillation.FeatureDistillation("mae", "a", "b"),
        distillation.FeatureDistillation({"one": "mse", "two": None}),
    ],
    ids=lambda made: type(made).__name__,
)
def test_config(made):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(made))
    assert type(again) is type(made) and again.get_config() == made.get_config()


def test_a_student_learns_from_its_teacher():
    """With twelve labels, a student that hears its teacher is right more often than one that does not."""
    (x, y), (x_test, y_test) = keras.datasets.digits.load_data()
    x, x_test = (a.reshape(len(a), -1).astype("float32") / a.max() for a in (x, x_test))
    keras.utils.set_random_seed(1)
    shape = lambda units: keras.Sequential([keras.Input(x.shape[1:]), keras.layers.Dense(units, "relu"), keras.layers.Dense(10)])
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    teacher, alone, student = shape(64), shape(8), shape(8)
    student.set_weights(alone.get_weights())
    teacher.compile("adam", loss)
    teacher.fit(x, y, epochs=20, verbose=0)
    labels = np.where(np.arange(len(y)) < 12, y.astype("int32"), -1)
    few = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    alone.compile(keras.optimizers.Adam(0.01), few)
    alone.fit(x, labels, epochs=15, verbose=0)
    distiller = distillation.Distiller(teacher, student, distillation.LogitsDistillation(temperature=3.0), student_loss_weight=0.1)
    distiller.compile(keras.optimizers.Adam(0.01), few)
    told = distiller.fit(x, labels, epochs=15, verbose=0).history["distillation_loss"]
    right = lambda model: (model.predict(x_test, verbose=0).argmax(-1) == y_test).mean()
    assert told[-1] < told[0] / 2
    assert right(student) > right(alone) + 0.2 and right(student) > 0.8


def test_hints_from_a_layer_inside():
    """Romero et al.: a student that is told of values inside alone comes near them."""
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    hint = distillation.FeatureDistillation(teacher_layer_name="th", student_layer_name="sh")
    model = distillation.Distiller(mlp(8, "t"), mlp(8, "s"), hint, student_loss_weight=0.0)
    model.compile(keras.optimizers.Adam(0.02))
    values = model.fit(x, epochs=30, verbose=0).history["loss"]
    assert values[-1] < values[0] / 5


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.a = keras.layers.Dense(3)

    def call(self, x):
        return self.a(x)


D, L, F = distillation.Distiller, distillation.LogitsDistillation, distillation.FeatureDistillation
MISTAKES = [
    (lambda: L(temperature=0), "temperature must be a number above 0; got 0"),
    (lambda: L(temperature="a"), "temperature must be a number above 0"),
    (lambda: L(loss=None), "loss must be a loss"),
    (lambda: L(loss="kl_divergense"), "Did you mean 'kl_divergence'"),
    (lambda: L(loss=3), "Wanted a loss"),
    (lambda: F(loss=[None]), "one at least is not None"),
    (lambda: F(teacher_layer_name=3), "teacher_layer_name must be the name of a layer"),
    (lambda: F().validate_outputs(np.ones((2, 3)), np.ones((2, 4))), r"the teacher gives the shape \(2, 3\) and the student \(2, 4\)"),
    (lambda: D(3, mlp(8, "s"), L()), "teacher must be a Model; got 3"),
    (lambda: D(mlp(8, "t"), None, L()), "student must be a Model"),
    (lambda: D(mlp(8, "t"), mlp(8, "s"), 3), "distillation_losses must be a DistillationLoss"),
    (lambda: D(mlp(8, "t"), mlp(8, "s"), []), "of at least one"),
    (lambda: D(mlp(8, "t"), mlp(8, "s"), L(), [1.0, 2.0]), "a weight for each of 1 distillation losses"),
    (lambda: D(mlp(8, "t"), mlp(8, "s"), L(), student_loss_weight=2.0), "student_loss_weight must be a number from 0 to 1"),
    (lambda: D(mlp(8, "t"), mlp(8, "s", 4), L()), r"output has the shape \(None, 3\) and the student's \(None, 4\)"),
    (lambda: D(mlp(8, "t"), mlp(8, "s"), F(teacher_layer_name="zz", student_layer_name="so")), "teacher_layer_name='zz'"),
    (lambda: D(mlp(8, "t"), Own(), F(teacher_layer_name="to", student_layer_name="a")), "needs a model made of symbolic tensors"),
    (lambda: D(mlp(8, "t"), mlp(8, "s"), L()).compile("sgd"), "compile needs a loss"),
    (lambda: D(mlp(8, "t"), mlp(8, "s"), L(), foo=3), "foo"),
    (lambda: distillation.DistillationLoss().compute_loss(1, 2), "defines `compute_loss"),
]


@pytest.mark.parametrize("mistake, message", MISTAKES)
def test_mistakes(mistake, message):
    with pytest.raises((ValueError, TypeError, NotImplementedError), match=message):
        mistake()


def test_a_student_written_as_a_class():
    x, y = np.ones((8, 4), "float32"), np.arange(8) % 3
    model = D(mlp(8, "t"), Own(), L())
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert set(model.fit(x, y, verbose=0).history) == {"loss", "student_loss", "distillation_loss", "total_loss"}
