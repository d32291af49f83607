"""Recorded steps of PyTorch beside the steps that they were recorded from: on other values than those that they were recorded on."""

import operator

import numpy as np
import pytest

import cornu as keras
from cornu import backends, layers, ops, tree
from cornu.training import direct
from tests.ops import cases

torch = pytest.importorskip("torch")
torch_records = pytest.importorskip("cornu.backends.torch_records")
backend = pytest.importorskip("cornu.backends.torch")

EVERYWHERE = {name: found for name, found in cases.everywhere().items() if name not in cases.BY_HAND}


@pytest.fixture(autouse=True)
def on_torch():
    before = backends.name()
    backends.load("torch")
    yield
    backends.load(before)


def turned(x):
    return np.ascontiguousarray(np.flip(x, 0)) if isinstance(x, np.ndarray) and x.ndim else x


def repeats(function, first, second, message):
    """Whether the record of `function` on some tensors gives on others what the function gives; None where it cannot be recorded."""
    try:
        wanted = function(*second)
        run = torch_records.recorded(function, first)
    except (torch_records.NoRecord, TypeError, ValueError, IndexError, RuntimeError, NotImplementedError):
        return None
    with torch.no_grad():
        found = run(*second)
    for one, other in zip(tree.flatten(found), tree.flatten(wanted), strict=True):
        assert one.dtype == other.dtype, message
        np.testing.assert_allclose(backend.numpy(one), backend.numpy(other), rtol=1e-5, atol=1e-6, err_msg=message)
    return True


def test_ops_are_repeated_on_other_values():
    refused = set()
    for name, found in EVERYWHERE.items():
        function = operator.attrgetter(name)(ops)
        for case in found:
            leaves = tree.flatten(case.args)
            places = [i for i, x in enumerate(leaves) if isinstance(x, np.ndarray)]

            def run(values, case=case, leaves=leaves, places=places, function=function):
                filled = list(leaves)
                for i, value in zip(places, values, strict=True):
                    filled[i] = value
                return list(tree.flatten(function(*tree.pack_sequence_as(case.args, filled), **case.kwargs)))

            tensors = [[backends.array(change(leaves[i])) for i in places] for change in (lambda x: x, turned)]
            if repeats(run, [tensors[0]], [tensors[1]], name) is None:
                refused.add(name)
    assert len(EVERYWHERE) - len(refused) > 250, sorted(refused)


# Steps

INPUTS = np.random.default_rng(0).random((72, 6, 6, 1), "float32")
DARK = (INPUTS.mean((1, 2, 3)) > 0.5).astype("int32")


def compiled(**options):
    keras.utils.set_random_seed(1)
    x = keras.Input((6, 6, 1))
    y = layers.BatchNormalization()(layers.Conv2D(4, 3, activation="relu", kernel_regularizer="l2")(x))
    y = layers.Dropout(0.3)(layers.Flatten()(layers.MaxPooling2D(2)(y)))
    model = keras.Model(x, layers.Dense(2, activation="softmax")(y))
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)), "sparse_categorical_crossentropy", metrics=["accuracy"], **options
    )
    return model


def outcome(model, epochs=3):
    history = model.fit(INPUTS, DARK, batch_size=16, epochs=epochs, verbose=0, validation_data=(INPUTS, DARK)).history
    return history, model.predict(INPUTS, batch_size=16, verbose=0), model.evaluate(INPUTS, DARK, verbose=0)


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(direct, "OFTEN", dict.fromkeys(direct.OFTEN, 2))
    monkeypatch.setattr(direct, "QUICK", dict.fromkeys(direct.QUICK, 60.0))


def recorded(model, mode="train"):
    return len(model._runner(mode).direct.programs)


def test_a_recorded_step_is_the_step_to_the_bit(soon, monkeypatch):
    """Dropout, moving averages, penalties, a falling learning rate, the last short batch, and new epochs included."""
    model = compiled()
    found = outcome(model)
    assert recorded(model) == 2 and recorded(model, "test") and recorded(model, "predict")
    monkeypatch.setattr(direct, "OFTEN", dict.fromkeys(direct.OFTEN, 10**9))
    model = compiled()
    wanted = outcome(model)
    assert not recorded(model)
    assert found[0] == wanted[0] and found[2] == wanted[2]
    np.testing.assert_array_equal(found[1], wanted[1])


def test_what_is_set_on_a_layer_counts_at_once(soon):
    model = compiled()
    outcome(model)
    model.layers[4].rate = 0.0
    assert not recorded(model)
    model.layers[1].trainable = False
    before = model.layers[1].get_weights()
    outcome(model)
    np.testing.assert_array_equal(before[0], model.layers[1].get_weights()[0])


class Noisy(layers.Layer):
    def call(self, x):
        return x * 2.0


def sequential(*parts, loss="mse", metrics=None, **options):
    model = keras.Sequential([keras.Input((3,)), *parts])
    model.compile("sgd", loss, metrics=metrics, **options)
    return model


def own_loss(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred))


def own_activation(x):
    return ops.tanh(x)


@pytest.mark.parametrize(
    "make, named",
    [
        (lambda: sequential(Noisy(), layers.Dense(1)), "Noisy"),
        (lambda: sequential(layers.Dense(1, activation=own_activation)), "activation of Dense"),
        (lambda: sequential(layers.Dense(1), loss=own_loss), "own_loss"),
        (lambda: sequential(layers.Dense(1), metrics=[own_loss]), "own_loss"),
        (lambda: sequential(layers.Lambda(own_activation), layers.Dense(1)), "function of Lambda"),
        (lambda: sequential(layers.Dense(1), run_eagerly=True), "by itself"),
        (lambda: sequential(layers.Dense(1), jit_compile=False), "by itself"),
        (lambda: sequential(torch.nn.Linear(3, 1)), "TorchModuleWrapper"),
    ],
)
def test_what_the_user_wrote_runs_line_by_line(soon, make, named):
    model = make()
    x = np.ones((8, 3), "float32")
    model.fit(x, x[:, :1], batch_size=2, epochs=3, verbose=0)
    assert not recorded(model) and named in model._runner("train").direct.refusal


def test_what_becomes_the_users_own_runs_line_by_line(soon):
    x = np.ones((8, 3), "float32")
    model = sequential(layers.Dense(1))
    model.fit(x, x[:, :1], batch_size=2, epochs=2, verbose=0)
    assert recorded(model)
    model.layers[0].activation = own_activation
    model.fit(x, x[:, :1], batch_size=2, epochs=2, verbose=0)
    assert not recorded(model) and np.abs(model.predict(x, verbose=0)).max() <= 1.0


def test_steps_of_the_librarys_own_models_are_theirs(soon):
    """A distiller's step is no ordinary one."""
    teacher, student = sequential(layers.Dense(2)), sequential(layers.Dense(2))
    model = keras.distillation.Distiller(teacher, student, keras.distillation.LogitsDistillation())
    model.compile("sgd", "mse")
    x = np.ones((8, 3), "float32")
    losses = [model.fit(x, x[:, :2], batch_size=2, epochs=3, verbose=0).history["loss"] for _ in range(2)]
    assert all(np.isfinite(losses).ravel()) and losses[1][-1] < losses[0][0]


def test_what_values_decide_is_not_recorded():
    with pytest.raises(torch_records.NoRecord, match="values of tensors decide"):
        torch_records.recorded(lambda x: [x[0] * float(x[0].sum())], [[torch.ones(3)]])
    with pytest.raises(torch_records.NoRecord, match="gives them to NumPy"):
        torch_records.recorded(lambda x: [x[0] * float(backends.numpy(x[0]).sum())], [[torch.ones(3)]])
    with pytest.raises(torch_records.NoRecord, match="index"):
        torch_records.recorded(lambda x: [x[0][x[0] > 0]], [[torch.ones(3)]])


def test_a_record_keeps_only_so_much(monkeypatch):
    monkeypatch.setattr(torch_records, "MOST", 1000)
    torch_records.recorded(lambda x: [x[0] * 2 + 1], [[torch.ones(100)]])
    with pytest.raises(torch_records.NoRecord, match="GB"):
        torch_records.recorded(lambda x: [x[0] * 2 + 1], [[torch.ones(200)]])


def test_longer_predictions_than_training_steps_are_recorded(monkeypatch):
    """What runs for 20 ms is worth a record where its memory is that of a batch going forward, and is told so."""
    monkeypatch.setattr(direct, "OFTEN", dict.fromkeys(direct.OFTEN, 2))
    monkeypatch.setattr(direct, "QUICK", {**direct.QUICK, "train": 0.0})
    model = compiled()
    outcome(model)
    assert not recorded(model) and recorded(model, "predict")


def test_what_is_written_in_place_is_repeated():
    def step(xs):
        (x,) = xs
        zeros = torch.zeros(3)
        zeros.add_(x)
        part = zeros[1:]
        part.mul_(2.0)
        return [zeros, torch.full((3,), 4.0) * 2.0 + x]

    run = torch_records.recorded(step, [[torch.ones(3)]])
    for _ in range(2):
        found = run([torch.full((3,), 2.0)])
        np.testing.assert_array_equal(found[0].numpy(), [2, 4, 4])
        np.testing.assert_array_equal(found[1].numpy(), [10, 10, 10])
