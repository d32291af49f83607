"""Files of our own: everything comes back, training goes on as if nothing had been, and a file is replaced as a whole or not at all."""

import errno
import os
import stat

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cornu
from cornu import layers as L
from cornu import losses, metrics, ops, optimizers, saving
from cornu.models import Model, Sequential
from tests.saving.test_with_keras import ALL, build, data, flat, shaken


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("name", ALL)
def test_models(tmp_path, name, ending):
    if name == "subclass" and ending == ".h5":
        pytest.skip("an .h5 file holds no subclassed model; test_h5_refuses_subclasses")
    model, shapes = build(ALL[name])
    x = data(shapes)
    shaken(model)
    model.save(tmp_path / f"m{ending}")
    again = saving.load_model(tmp_path / f"m{ending}")
    assert type(again) is type(model) and again.name == model.name
    assert [w.name for w in again.weights] == [w.name for w in model.weights]
    for a, b in zip(flat(model(x, training=False)), flat(again(x, training=False)), strict=True):
        np.testing.assert_array_equal(a, b)


def small():
    model = Sequential([L.Input((4,)), L.Dense(8, activation="relu"), L.Dropout(0.5), L.BatchNormalization(), L.Dense(2)])
    model.compile(
        optimizers.Adam(optimizers.schedules.ExponentialDecay(0.01, 3, 0.5)), losses.MeanSquaredError(), metrics=["mae", metrics.RootMeanSquaredError()]
    )
    return model


@pytest.mark.parametrize("ending", [".keras"])
def test_training_goes_on(tmp_path, ending):
    x, y = np.random.default_rng(0).normal(size=(32, 4)).astype("float32"), np.ones((32, 2), "float32")
    model = small()
    model.fit(x, y, epochs=2, batch_size=8, shuffle=False, verbose=0)
    model.save(tmp_path / f"m{ending}")
    again = saving.load_model(tmp_path / f"m{ending}")
    assert int(again.optimizer.iterations) == 8
    first = model.fit(x, y, epochs=2, batch_size=8, shuffle=False, verbose=0).history
    second = again.fit(x, y, epochs=2, batch_size=8, shuffle=False, verbose=0).history
    assert first == second
    for a, b in zip(model.get_weights(), again.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_compile_false(tmp_path):
    model = small()
    model.save(tmp_path / "m.keras")
    model.save(tmp_path / "m.h5")
    assert not saving.load_model(tmp_path / "m.keras", compile=False).compiled
    assert not saving.load_model(tmp_path / "m.h5", compile=False).compiled
    assert saving.load_model(tmp_path / "m.h5").compiled


def test_custom_objects(tmp_path):
    def twice(x):
        return ops.multiply(x, 2)

    class Scale(L.Layer):
        def __init__(self, factor=2.0, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, x):
            return ops.multiply(x, self.factor)

        def get_config(self):
            return {**super().get_config(), "factor": self.factor}

    with saving.custom_object_scope({"twice": twice, "Scale": Scale}):
        model = Sequential([L.Input((3,)), L.Dense(2, activation=twice), Scale(3.0)])
        model.save(tmp_path / "m.keras")
    with pytest.raises(TypeError, match="Scale|twice"):
        saving.load_model(tmp_path / "m.keras")
    again = saving.load_model(tmp_path / "m.keras", custom_objects={"twice": twice, "Scale": Scale})
    x = np.ones((2, 3), "float32")
    np.testing.assert_array_equal(np.asarray(model(x)), np.asarray(again(x)))


@given(
    st.lists(
        st.tuples(st.sampled_from(["Dense", "Dropout", "BatchNormalization", "LayerNormalization", "Activation", "Reshape"]), st.integers(1, 5)),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_stack(tmp_path, parts):
    made = {
        "Dense": L.Dense,
        "Dropout": lambda n: L.Dropout(n / 10),
        "BatchNormalization": lambda n: L.BatchNormalization(momentum=n / 10),
        "LayerNormalization": lambda n: L.LayerNormalization(),
        "Activation": lambda n: L.Activation(["relu", "tanh", "gelu", "softmax", "elu"][n - 1]),
        "Reshape": lambda n: L.Reshape((-1,)),
    }
    model = Sequential([L.Input((3,)), *(made[name](n) for name, n in parts)])
    shaken(model)
    x = np.random.default_rng(0).normal(size=(2, 3)).astype("float32")
    for ending in (".keras", ".h5"):
        model.save(tmp_path / f"m{ending}")
        np.testing.assert_array_equal(np.asarray(model(x)), np.asarray(saving.load_model(tmp_path / f"m{ending}")(x)))


def test_mixed_types(tmp_path):
    model = Sequential([L.Input((3,)), L.Dense(2, dtype="bfloat16"), L.Dense(2, dtype="mixed_float16"), L.Dense(1, dtype="float16")])
    model.save(tmp_path / "m.keras")
    model.save(tmp_path / "m.h5")
    for name in ("m.keras", "m.h5"):
        again = saving.load_model(tmp_path / name)
        assert [w.dtype for w in again.weights] == [w.dtype for w in model.weights]
        for a, b in zip(model.get_weights(), again.get_weights()):
            np.testing.assert_array_equal(a, b)


def test_weights_that_do_not_fit(tmp_path):
    model = Sequential([L.Input((3,)), L.Dense(2), L.Dense(4)])
    model.save_weights(tmp_path / "m.weights.h5")
    other = Sequential([L.Input((3,)), L.Dense(2), L.Dense(5)])
    with pytest.raises(ValueError, match="dense_1"):
        other.load_weights(tmp_path / "m.weights.h5")
    with pytest.warns(UserWarning, match="dense_1"):
        other.load_weights(tmp_path / "m.weights.h5", skip_mismatch=True)
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])


def test_by_name(tmp_path):
    model = Sequential([L.Input((3,)), L.Dense(2, name="a"), L.Dense(4, name="b")])
    model.save(tmp_path / "m.h5")
    other = Sequential([L.Input((2,)), L.Dense(4, name="b"), L.Dense(7, name="c")])
    other.load_weights(tmp_path / "m.h5", by_name=True)
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[2])


def test_many_long_names(tmp_path):
    model = Sequential([L.Input((1,)), *(L.Dense(1, name="x" * 900 + str(i)) for i in range(80))])
    model.save_weights(tmp_path / "m.weights.h5")
    model.save(tmp_path / "m.h5")
    again = saving.load_model(tmp_path / "m.h5")
    np.testing.assert_array_equal(again.get_weights()[10], model.get_weights()[10])


def test_h5_refuses_subclasses(tmp_path):
    model, _ = build(ALL["subclass"])
    with pytest.raises(ValueError, match="subclassed"):
        model.save(tmp_path / "m.h5")


def test_names_and_overwrite(tmp_path):
    model = Sequential([L.Input((1,)), L.Dense(1)])
    model.save(tmp_path / "m.keras")
    before = (tmp_path / "m.keras").read_bytes()
    for call, error in (
        (lambda: model.save(tmp_path / "m.keras", overwrite=False), FileExistsError),
        (lambda: model.save(tmp_path / "m"), ValueError),
        (lambda: model.save(tmp_path / "m.keras", zipped=False), ValueError),
        (lambda: model.save_weights(tmp_path / "m.h5"), ValueError),
        (lambda: model.save_weights(tmp_path / "m.weights.h5", max_shard_size=1), ValueError),
        (lambda: model.save(tmp_path / "none" / "m.keras"), FileNotFoundError),
        (lambda: model.save(tmp_path), ValueError),
    ):
        with pytest.raises(error):
            call()
    assert (tmp_path / "m.keras").read_bytes() == before
    assert os.listdir(tmp_path) == ["m.keras"]


@pytest.mark.parametrize("ending", [".keras", ".h5", ".weights.h5"])
@pytest.mark.parametrize("what", ["fsync", "replace"])
def test_a_fault_leaves_what_was_there(tmp_path, monkeypatch, what, ending):
    model = Sequential([L.Input((1,)), L.Dense(1)])
    path = tmp_path / f"m{ending}"
    save = model.save_weights if "weights" in ending else model.save
    save(path)
    before = path.read_bytes()

    def fails(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, what, fails)
    with pytest.raises(OSError, match="No space left.*unchanged"):
        save(path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]


def test_permissions_are_kept(tmp_path):
    model = Sequential([L.Input((1,)), L.Dense(1)])
    path = tmp_path / "m.keras"
    model.save(path)
    path.chmod(0o600)
    model.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_public_names():
    assert cornu.models.load_model is cornu.saving.load_model and cornu.models.save_model is cornu.saving.save_model
    assert isinstance(Model, type)


def test_a_model_that_is_not_built_says_so(tmp_path):
    model = Sequential([L.Dense(2)])
    with pytest.raises(ValueError, match=r"save_weights: Sequential 'sequential' has no weights yet"):
        model.save_weights(tmp_path / "a.weights.h5")
    assert not (tmp_path / "a.weights.h5").exists()
    with pytest.warns(UserWarning, match="has no weights yet, as it is not built"):
        model.save(tmp_path / "a.keras")
    model.build((None, 3))
    model.save_weights(tmp_path / "a.weights.h5")
