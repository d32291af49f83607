"""The file editor; weights in several files; layers that are left out when weights are read."""

import json

import h5py
import numpy as np
import pytest

from cornu import backends, layers, models, saving
from cornu.saving import CorruptFileError, UnsafeFileError
from tests import oracle


@pytest.fixture(autouse=True)
def numpy_backend():
    backends.load("numpy")


def made(name="first", units=3):
    inner = models.Sequential([layers.Dense(2, name="deep")], name="inner")
    model = models.Sequential([layers.Input((4,)), layers.Dense(units, name=name), layers.BatchNormalization(name="norm"), inner])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    generator = np.random.default_rng(0)
    for variable in [*model.weights, *model.optimizer.variables[2:]]:
        variable.assign(generator.normal(size=variable.shape))
    return model


@pytest.fixture
def file(tmp_path):
    made().save_weights(tmp_path / "a.weights.h5")
    return tmp_path / "a.weights.h5"


def everything(model):
    return [v.numpy() for v in [*model.weights, *model.optimizer.variables]]


def same(a, b):
    for x, y in zip(everything(a), everything(b), strict=True):
        np.testing.assert_array_equal(x, y)


def test_summary(file, tmp_path, capsys):
    saving.KerasFileEditor(file).summary()
    shown = capsys.readouterr().out
    for line in ("layers", "batch_normalization", "0: shape=(4, 3), dtype=float32", "└─ deep"[:3], "optimizer"):
        assert line in shown
    lines = shown.splitlines()
    assert lines.index("     ├─ 9: shape=(3,), dtype=float32") + 1 == lines.index("     ├─ 10: shape=(3, 2), dtype=float32")  # in the order of numbers
    made().save(tmp_path / "a.keras")
    editor = saving.KerasFileEditor(tmp_path / "a.keras")
    editor.summary()
    assert "Saved with Keras 3" in capsys.readouterr().out and editor.config["class_name"] == "Sequential"
    assert editor.weights_dict["layers"]["dense"]["0"].shape == (4, 3)


def test_compare(file, capsys):
    editor = saving.KerasFileEditor(file)
    assert editor.compare(made()) == {"status": "success", "error_count": 0, "match_count": 22}
    other = models.Sequential([layers.Input((4,)), layers.Dense(5), layers.BatchNormalization(), layers.Dense(2)])
    capsys.readouterr()
    found = editor.compare(other)
    shown = capsys.readouterr().out
    assert found["status"] == "error" and found["error_count"] == shown.count("\n") - 1
    for text in (
        "'0' has the shape (4, 5) in the model and (4, 3) in the file",
        "/layers/dense_1 is in the model and not in the file",
        "/optimizer is in the file and not",
    ):
        assert text in shown
    with pytest.raises(ValueError, match="wanted a model that is built"):
        editor.compare("model")


def test_changes(file, tmp_path):
    editor = saving.KerasFileEditor(file)
    kernel = editor.weights_dict["layers"]["dense"]["0"]
    editor.rename_object("layers/dense", "renamed")
    editor.delete_object("optimizer")
    editor.add_object("layers/new", {"0": np.ones(3)})
    editor.add_weights("new", {"1": np.zeros((2, 2)), "0": np.arange(4)})
    editor.delete_weight("new", "1")
    editor.save(tmp_path / "b.weights.h5")
    with h5py.File(tmp_path / "b.weights.h5") as found:
        assert set(found) >= {"layers"} and "optimizer" not in found and set(found["layers"]) == {"renamed", "new", "batch_normalization", "sequential"}
        np.testing.assert_array_equal(found["layers/renamed/vars/0"][()], kernel)
        assert found["layers/renamed/vars"].attrs["name"] == "first" and found["layers/new/vars/0"][()].tolist() == [0, 1, 2, 3]
    editor = saving.KerasFileEditor(tmp_path / "b.weights.h5")
    editor.rename_object("renamed", "dense")
    editor.delete_object("new")
    editor.resave_weights(tmp_path / "c.weights.h5")
    model, wanted = made(), made()
    model.set_weights([0 * w for w in model.get_weights()])
    model.load_weights(tmp_path / "c.weights.h5")
    np.testing.assert_array_equal(model.get_weights()[0], wanted.get_weights()[0])
    assert saving.KerasFileEditor(file).compare(wanted)["status"] == "success"  # the first file is as it was


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda e: e.rename_object("dens", "x"), "there is no object 'dens'"),
        (lambda e: e.rename_object("dense", "x"), "several objects are named 'dense': layers/dense, layers/sequential/layers/dense"),
        (lambda e: e.rename_object("layers/dense", "batch_normalization"), "is there already"),
        (lambda e: e.rename_object("layers/dense", "a/b"), "new_name must be a name without slashes"),
        (lambda e: e.rename_object(3, "a"), "an object is named by a text"),
        (lambda e: e.delete_object("nothing"), "there is no object 'nothing'"),
        (lambda e: e.delete_weight("layers/dense", "9"), "has no weight '9'; it has 0, 1"),
        (lambda e: e.delete_weight("layers", "dense"), "has no weight 'dense'; it has none"),
        (lambda e: e.add_object("layers/dense", {}), "is there already; add_weights"),
        (lambda e: e.add_object("nowhere/x", {}), "there is no object 'nowhere' to put 'x' below"),
        (lambda e: e.add_object("x", [np.ones(3)]), "weights must be a dictionary"),
        (lambda e: e.add_weights("layers/dense", {"0": "text"}), "the weight '0' holds no numbers"),
        (lambda e: e.add_weights("layers/dense", {"a/b": 1}), "weights must be a dictionary"),
        (lambda e: e.save("x.h5"), "must end in .weights.h5"),
    ],
)
def test_wrong_changes(file, change, message):
    with pytest.raises(ValueError, match=message):
        change(saving.KerasFileEditor(file))


def test_files_that_are_none(tmp_path):
    with pytest.raises(ValueError, match="must end in .keras or .weights.h5"):
        saving.KerasFileEditor(tmp_path / "a.h5")
    with pytest.raises(FileNotFoundError):
        saving.KerasFileEditor(tmp_path / "a.keras")
    (tmp_path / "a.weights.h5").write_bytes(b"nothing")
    with pytest.raises(CorruptFileError, match="a.weights.h5"):
        saving.KerasFileEditor(tmp_path / "a.weights.h5")
    with h5py.File(tmp_path / "b.weights.h5", "w") as file:
        file["x"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(UnsafeFileError, match="external link"):
        saving.KerasFileEditor(tmp_path / "b.weights.h5")


# -- several files ----------------------------------------------------------------------------------------------------------------------

_THEIRS = """
def made():
    inner = keras.Sequential([keras.layers.Dense(2, name="deep")], name="inner")
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3, name="first"), keras.layers.BatchNormalization(name="norm"), inner])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model
model = made()
model.load_weights(ours)
out["read"] = [np.array(v) for v in [*model.weights, *model.optimizer.variables]]
model.save_weights(theirs, max_shard_size=1e-7)
"""


@pytest.mark.parametrize("size", [1e-8, 1e-7, 1.0])
def test_several_files(size, tmp_path):
    model = made()
    for _ in range(2):  # the second takes the place of the first
        model.save_weights(tmp_path / "a.weights.json", max_shard_size=size)
    listed = json.loads((tmp_path / "a.weights.json").read_text())
    files = sorted(tmp_path.glob("a_*.weights.h5"))
    for file in files:
        sizes = []
        with h5py.File(file) as found:
            found.visititems(lambda name, item: sizes.append(item.nbytes) if isinstance(item, h5py.Dataset) else None)  # noqa: B023
        assert sum(sizes) <= size * 2**30 or len(sizes) == 1
    assert len(files) == {1e-8: 21, 1e-7: 4, 1.0: 1}[size]
    assert {name for names in listed["weight_map"].values() for name in names} == {file.name for file in files}
    assert listed["metadata"]["total_size"] == sum(v.numpy().nbytes for v in [*model.weights, *model.optimizer.variables])
    other = made("other")
    for variable in [*other.weights, *other.optimizer.variables]:
        variable.assign(np.zeros(variable.shape))
    other.load_weights(tmp_path / "a.weights.json")
    same(other, model)


def test_several_files_with_keras(tmp_path):
    model = made()
    model.save_weights(tmp_path / "ours.weights.json", max_shard_size=1e-7)
    found = oracle.run(_THEIRS, ours=str(tmp_path / "ours.weights.json"), theirs=str(tmp_path / "theirs.weights.json"))["read"]
    for x, y in zip(found, everything(model), strict=True):
        np.testing.assert_array_equal(x, y)
    other = made()
    other.set_weights([0 * w for w in other.get_weights()])
    other.load_weights(tmp_path / "theirs.weights.json")
    same(other, model)


def test_fewer_files_than_before(tmp_path):
    made().save_weights(tmp_path / "a.weights.json", max_shard_size=1e-7)
    made().save_weights(tmp_path / "a.weights.json", max_shard_size=1.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.weights.json", "a_00000.weights.h5"]
    made(units=4).save_weights(tmp_path / "b.weights.json", max_shard_size=1.0)
    (tmp_path / "b_00000.weights.h5").rename(tmp_path / "a_00000.weights.h5")
    with pytest.raises(CorruptFileError, match="of another save than the list"):
        made().load_weights(tmp_path / "a.weights.json")


@pytest.mark.parametrize(
    "name, size, message",
    [
        ("a.weights.json", 0, "max_shard_size must be a number of GB above 0"),
        ("a.weights.json", "1GB", "max_shard_size must be"),
        ("a.weights.json", True, "max_shard_size must be"),
        ("a.weights.h5", 1, "with max_shard_size the file must end in .weights.json"),
        ("a.weights.json", None, "must end in .weights.h5"),
    ],
)
def test_wrong_sizes(name, size, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        made().save_weights(tmp_path / name, max_shard_size=size)
    assert not list(tmp_path.iterdir())


def test_layers_left_out(file):
    model = made()
    for given in (["first"], [model.layers[0]], ["layers/dense"]):
        start = [np.full(w.shape, 9.0) for w in model.get_weights()]
        model.set_weights(start)
        model.load_weights(file, objects_to_skip=given)
        assert [bool((w == 9).all()) for w in model.get_weights()] == [True] * 2 + [False] * 6
    with pytest.raises(ValueError, match="objects_to_skip must be a list"):
        model.load_weights(file, objects_to_skip="first")
    with pytest.raises(TypeError, match="no argument 'skip'"):
        model.load_weights(file, skip=1)


def test_what_does_not_fit_is_skipped(file):
    model = made(units=5)
    with pytest.raises(ValueError, match="layers/dense/vars"):
        model.load_weights(file)
    before = model.get_weights()[0]
    bare = models.Sequential(model.layers)  # without an optimizer, whose state must fit
    with pytest.warns(UserWarning, match="is skipped"):
        bare.load_weights(file, skip_mismatch=True)
    np.testing.assert_array_equal(model.get_weights()[0], before)
