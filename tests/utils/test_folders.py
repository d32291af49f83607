"""Data sets from folders of files, and windows of a series."""

import inspect
import os
import wave

import numpy as np
import pytest
from PIL import Image

from cornu import backends, layers, models, utils
from cornu.utils import folders
from tests import oracle


@pytest.fixture
def pictures(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("cat", "ant", "bee"):
        (tmp_path / name / "more").mkdir(parents=True)
        for i in range(4):
            Image.fromarray(rng.integers(0, 256, (9 + i, 12, 3)).astype("uint8")).save(tmp_path / name / f"{i}.png")
        Image.fromarray(rng.integers(0, 256, (8, 8)).astype("uint8")).save(tmp_path / name / "more" / "deep.bmp")
        (tmp_path / name / "note.txt").write_text(f"this is {name}", encoding="utf-8")
    return tmp_path


def load(folder, **arguments):
    return utils.image_dataset_from_directory(folder, image_size=(6, 8), verbose=False, **arguments)


def names(data, folder):
    return [os.path.relpath(path, folder) for path in data.file_paths]


def test_pictures(pictures, capsys):
    data = utils.image_dataset_from_directory(pictures, image_size=(6, 8), shuffle=False, batch_size=4)
    assert capsys.readouterr().out == "Found 15 files belonging to 3 classes.\n"
    assert data.class_names == ["ant", "bee", "cat"] and len(data) == 4 and data.cardinality() == 4
    assert names(data, pictures)[:5] == ["ant/0.png", "ant/1.png", "ant/2.png", "ant/3.png", "ant/more/deep.bmp"]
    batches = list(data)
    assert [x.shape for x, _ in batches] == [(4, 6, 8, 3)] * 3 + [(3, 6, 8, 3)] and batches[0][0].dtype == np.float32
    assert np.concatenate([y for _, y in batches]).tolist() == [0] * 5 + [1] * 5 + [2] * 5 and batches[0][1].dtype == np.int32
    pixels = np.asarray(Image.open(pictures / "ant" / "1.png"), "float32")
    from cornu import ops

    np.testing.assert_allclose(batches[0][0][1], backends.numpy(ops.image.resize(pixels, (6, 8))), atol=1e-3)


def test_labels_and_colours(pictures):
    x, y = next(iter(load(pictures, shuffle=False, label_mode="categorical", color_mode="grayscale")))
    assert x.shape[-1] == 1 and y.dtype == np.float32 and np.array_equal(y.argmax(1), np.repeat([0, 1, 2], 5)) and np.array_equal(y.sum(1), np.ones(15))
    x, y = next(iter(load(pictures, shuffle=False, label_mode="binary", class_names=["cat", "ant"], color_mode="rgba", data_format="channels_first")))
    assert x.shape == (10, 4, 6, 8) and y.tolist() == [[0.0]] * 5 + [[1.0]] * 5
    assert next(iter(load(pictures, label_mode=None))).shape == (15, 6, 8, 3) and load(pictures, labels=None).class_names is None
    data = load(pictures, labels=[i % 2 for i in range(15)], shuffle=False)
    assert data.class_names == ["0", "1"] and next(iter(data))[1].tolist() == [i % 2 for i in range(15)]
    one, label = next(iter(load(pictures, batch_size=None, shuffle=False)))
    assert one.shape == (6, 8, 3) and label.shape == ()
    cropped, padded = (next(iter(load(pictures, labels=None, shuffle=False, **{f"{kind}_to_aspect_ratio": True}))) for kind in ("crop", "pad"))
    assert cropped[0].min() > 0 and padded[4][:, [0, -1]].max() < 32 < padded[4][:, 1:-1].max()  # a square in 6 x 8: black at its sides


def test_split_as_keras(pictures):
    """The same files for training and validation as Keras takes for the same seed: the order of NumPy's RandomState."""
    data, held = load(pictures, validation_split=0.3, subset="both", seed=3)
    everything = sorted(names(load(pictures, shuffle=False), pictures))
    order = np.arange(15)
    np.random.RandomState(3).shuffle(order)
    listed = names(load(pictures, shuffle=False), pictures)
    assert names(data, pictures) + names(held, pictures) == [listed[i] for i in order] and len(held.file_paths) == 4
    assert sorted(names(data, pictures) + names(held, pictures)) == everything
    assert names(load(pictures, validation_split=0.3, subset="validation", seed=3), pictures) == names(held, pictures)
    assert list(map(np.ndim, next(iter(held)))) == [4, 1]


def test_epochs_have_orders_of_their_own(pictures):
    def labels(data):
        return np.concatenate([y for _, y in data]).tolist()

    data, again = load(pictures, seed=1, batch_size=4), load(pictures, seed=1, batch_size=4)
    first, second = labels(data), labels(data)
    assert first != second and sorted(first) == sorted(second) and [labels(again), labels(again)] == [first, second]
    utils.set_random_seed(4)
    one = labels(load(pictures))
    utils.set_random_seed(4)
    assert labels(load(pictures)) == one


@pytest.mark.parametrize("name", ["numpy", "jax"])
def test_training(pictures, name):
    backends.load(name)
    data, held = load(pictures, validation_split=0.3, subset="both", seed=3, batch_size=4)
    model = models.Sequential(
        [layers.Input((6, 8, 3)), layers.Rescaling(1 / 255) if hasattr(layers, "Rescaling") else layers.ReLU(), layers.Flatten(), layers.Dense(3)]
    )
    model.compile("sgd", "mse", metrics=["mae"])
    history = model.fit(data.map(lambda x, y: (x / 255, np.eye(3)[y])), validation_data=held.map(lambda x, y: (x / 255, np.eye(3)[y])), epochs=2, verbose=0)
    assert np.isfinite(history.history["val_loss"]).all() and model.predict(held.map(lambda x, y: x), verbose=0).shape == (4, 3)


def test_chains(pictures):
    data = load(pictures, shuffle=False, batch_size=4)
    assert [len(part) for part in (data.take(2), data.skip(1), data.take(9), data.cache(), data.prefetch(2))] == [2, 3, 4, 4, 4]
    np.testing.assert_array_equal(next(iter(data.skip(2).map(lambda x, y: y))), list(data)[2][1])
    cached = data.cache()
    first = [y.tolist() for _, y in cached]
    for path in data.file_paths:
        os.unlink(path)
    assert [y.tolist() for _, y in cached] == first
    shuffled = cached.shuffle(10, seed=1)
    orders = [[y.tolist() for _, y in shuffled] for _ in range(3)]
    assert sorted(map(str, orders[0])) == sorted(map(str, first)) and len(set(map(str, orders))) > 1
    with pytest.raises(ValueError, match="take: wanted a number of batches"):
        data.take(-1)
    with pytest.raises(ValueError, match="map: wanted a function"):
        data.map(3)


def test_texts(pictures):
    (pictures / "ant" / "zz.txt").write_text("grüße", encoding="utf-8")
    data = utils.text_dataset_from_directory(pictures, shuffle=False, verbose=False)
    x, y = next(iter(data))
    assert x.tolist() == ["this is ant", "grüße", "this is bee", "this is cat"] and y.tolist() == [0, 0, 1, 2]
    x, _ = next(iter(utils.text_dataset_from_directory(pictures, shuffle=False, verbose=False, max_length=3)))
    assert x.tolist() == ["thi", "grü", "thi", "thi"]


def wav(path, samples, rate=8000, width=2):
    """`samples` (count, channels) from -1 to 1 as a PCM file."""
    whole = np.round(np.asarray(samples) * (2 ** (8 * width - 1) - 1)).astype("int64")
    if width == 1:
        data = (whole + 128).astype("uint8").tobytes()
    else:
        data = whole.astype("<i4").reshape(-1, 1).view("uint8").reshape(-1, 4)[:, :width].tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(whole.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_sounds(width, tmp_path):
    rng, waves = np.random.default_rng(0), {}
    for name, length in (("a", 50), ("b", 80)):
        (tmp_path / name).mkdir()
        waves[name] = rng.uniform(-1, 1, (length, 2))
        wav(tmp_path / name / "x.wav", waves[name], width=width)
    x, y = next(iter(utils.audio_dataset_from_directory(tmp_path, shuffle=False, verbose=False)))
    assert x.shape == (2, 80, 2) and x.dtype == np.float32 and y.tolist() == [0, 1] and not x[0, 50:].any()
    np.testing.assert_allclose(x[1], waves["b"], atol=1.6 / 2 ** (8 * width - 1) + 1e-6)
    x, _ = next(iter(utils.audio_dataset_from_directory(tmp_path, shuffle=False, verbose=False, output_sequence_length=60)))
    assert x.shape == (2, 60, 2) and not x[0, 50:].any() and x[1].any()
    x, y = next(iter(utils.audio_dataset_from_directory(tmp_path, shuffle=False, verbose=False, ragged=True)))
    assert [part.shape for part in x] == [(50, 2), (80, 2)] and y.tolist() == [0, 1]


@pytest.mark.parametrize("count, new", [(100, 37), (100, 250), (99, 200), (64, 64), (101, 50)])
def test_another_rate(count, new):
    """As SciPy resamples."""
    from scipy import signal

    x = np.random.default_rng(0).normal(size=(count, 2))
    np.testing.assert_allclose(folders._at_rate(x, new), signal.resample(x, new), atol=1e-5)


def test_rate_of_files(tmp_path):
    (tmp_path / "a").mkdir()
    time = np.arange(800) / 8000
    wav(tmp_path / "a" / "x.wav", np.sin(2 * np.pi * 400 * time)[:, None] * 0.5)
    x = next(iter(utils.audio_dataset_from_directory(tmp_path, labels=None, sampling_rate=4000, verbose=False)))
    np.testing.assert_allclose(x[0, :, 0], np.sin(2 * np.pi * 400 * np.arange(400) / 4000) * 0.5, atol=1e-3)
    (tmp_path / "a" / "y.wav").write_bytes(b"RIFF....WAVEnot at all")
    with pytest.raises(ValueError, match=r"y\.wav cannot be read as PCM WAV"):
        list(utils.audio_dataset_from_directory(tmp_path, labels=None, verbose=False))


def test_a_broken_picture(pictures):
    (pictures / "ant" / "0.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"0\.png cannot be read as a picture"):
        list(load(pictures))


SHARED = [
    ({"directory": "nowhere"}, "directory must be a folder"),
    ({"directory": 3}, "directory must be a folder"),
    ({"labels": "given"}, "labels must be"),
    ({"labels": [1, 2]}, "labels has 2 entries, and there are"),
    ({"label_mode": "float"}, "label_mode must be"),
    ({"label_mode": "binary"}, "is for two classes; there are 3"),
    ({"class_names": ["ant", "wasp"]}, r"class_names has \['wasp'\]"),
    ({"class_names": ["ant"], "labels": None}, "class_names is a list of subfolders"),
    ({"batch_size": 0}, "batch_size must be"),
    ({"batch_size": 2.5}, "batch_size must be"),
    ({"seed": -1}, "seed must be"),
    ({"validation_split": 0.5}, "validation_split and subset go together"),
    ({"subset": "training"}, "validation_split and subset go together"),
    ({"validation_split": 1.5, "subset": "training", "seed": 1}, "validation_split must be"),
    ({"validation_split": 0.5, "subset": "test", "seed": 1}, "subset must be"),
    ({"validation_split": 0.5, "subset": "training"}, "give a seed"),
    ({"validation_split": 0.01, "subset": "training", "seed": 1}, "for training and 0 for validation"),
]


@pytest.mark.parametrize("arguments, message", SHARED, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("kind", ["image", "text", "audio"])
def test_wrong_arguments(kind, arguments, message, pictures):
    for name in ("ant", "bee", "cat"):
        wav(pictures / name / "x.wav", np.zeros((3, 1)))
    function = getattr(utils, f"{kind}_dataset_from_directory")
    given = {"directory": pictures, "verbose": False, **arguments}
    if given["directory"] == "nowhere":
        given["directory"] = pictures / "nowhere"
    with pytest.raises(ValueError, match=message) as caught:
        function(**given)
    assert function.__name__ in str(caught.value)


@pytest.mark.parametrize(
    "name, arguments, message",
    [
        ("image", {"color_mode": "cmyk"}, "color_mode must be one of"),
        ("image", {"image_size": 3}, "image_size must be"),
        ("image", {"interpolation": "cubic"}, "interpolation must be one of"),
        ("image", {"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "exclude each other"),
        ("image", {"format": "torch"}, "format must be"),
        ("image", {"labels": ["a"] * 15}, "labels must be whole numbers"),
        ("image", {"labels": [5] * 15}, "labels number the classes 0, 1, 2"),
        ("text", {"max_length": 0}, "max_length must be"),
        ("audio", {"sampling_rate": 0}, "sampling_rate must be"),
        ("audio", {"output_sequence_length": 1.5}, "output_sequence_length must be"),
        ("audio", {"ragged": True, "output_sequence_length": 3}, "leave output_sequence_length out"),
        ("audio", {}, "no files that end in .wav"),
    ],
)
def test_wrong_arguments_of_one(name, arguments, message, pictures):
    with pytest.raises(ValueError, match=message):
        getattr(utils, f"{name}_dataset_from_directory")(pictures, verbose=False, **arguments)


# -- windows ----------------------------------------------------------------------------------------------------------------------------


def windows(data, targets, length, stride=1, rate=1, start=0, end=None):
    """By definition: a window for each start, as long as it fits."""
    data = data[: len(data) if end is None else end]
    starts = [i for i in range(start, len(data), stride) if i + (length - 1) * rate < len(data) and (targets is None or i < len(targets))]
    return [[data[i + k * rate] for k in range(length)] for i in starts], None if targets is None else [targets[i] for i in starts]


@pytest.mark.parametrize(
    "length, stride, rate, start, end", [(4, 1, 1, 0, None), (3, 2, 2, 0, None), (3, 1, 1, 3, 15), (5, 3, 1, 2, None), (20, 1, 1, 0, None), (1, 1, 3, 0, 7)]
)
@pytest.mark.parametrize("count", [None, 20, 8])
def test_windows(length, stride, rate, start, end, count):
    data, targets = np.arange(20) * 1.5, None if count is None else np.arange(count) * 10
    found = utils.timeseries_dataset_from_array(data, targets, length, stride, rate, batch_size=3, start_index=start, end_index=end)
    batches = list(found)
    x = np.concatenate([batch if count is None else batch[0] for batch in batches])
    wanted, wanted_targets = windows(data.tolist(), None if count is None else targets.tolist(), length, stride, rate, start, end)
    np.testing.assert_array_equal(x, wanted)
    if count is not None:
        np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), wanted_targets)
    shuffled = utils.timeseries_dataset_from_array(data, None, length, stride, rate, shuffle=True, seed=2, start_index=start, end_index=end)
    whole, _ = windows(data.tolist(), None, length, stride, rate, start, end)
    np.testing.assert_array_equal(sorted(np.concatenate(list(shuffled)).tolist()), whole)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"sequence_length": 0}, "sequence_length must be"),
        ({"sequence_stride": 0}, "sequence_stride must be"),
        ({"sampling_rate": 0.5}, "sampling_rate must be"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"start_index": -1}, "start_index must be"),
        ({"start_index": 10}, "must lie in the 10 time steps"),
        ({"end_index": 30}, "must lie in the 10 time steps"),
        ({"sequence_length": 11}, "hold no window of 11"),
        ({"format": "np"}, "format must be"),
    ],
)
def test_wrong_windows(arguments, message):
    with pytest.raises(ValueError, match=message):
        utils.timeseries_dataset_from_array(**{"data": np.zeros(10), "targets": None, "sequence_length": 3, **arguments})


# -- Config, get_source_inputs ----------------------------------------------------------------------------------------------------------

_CONFIG = """
c = keras.utils.Config(a=1, b={"x": 2})
c.d = 3
c["e"] = 4
c.update({"q": 1})
out["found"] = [repr(c), str(c), c.a, c["b"], len(c), list(c), "a" in c, "z" in c, c.as_dict(), c.to_json(), list(c.keys()), list(c.items()), list(c.values()),
                c.get("z", 5), c.get("a"), c.pop("a"), c.frozen]
c.freeze()
failed = []
for change in (lambda: setattr(c, "z", 1), lambda: c.__setitem__("z", 1), lambda: c.pop("d"), lambda: c.update({"z": 1}), lambda: c.__delitem__("d"), lambda: c.nope, lambda: c["nope"]):
    try:
        change()
        failed.append(None)
    except Exception as error:
        failed.append(type(error).__name__)
c.unfreeze()
c.z = 2
out["after"] = [failed, repr(c), c.frozen]
"""


def test_config():
    import cornu

    values = {"keras": cornu, "out": {}}
    exec(_CONFIG, values)
    assert values["out"] == oracle.run(_CONFIG)
    one = utils.Config(a=1)
    del one.a
    assert one == utils.Config() and one != utils.Config(b=1)
    with pytest.raises(AttributeError, match="Config: there is no 'a'; there are none"):
        print(one.a)
    import copy
    import pickle

    frozen = utils.Config(a=[1])
    frozen.freeze()
    for other in (copy.deepcopy(frozen), pickle.loads(pickle.dumps(frozen))):
        assert other == frozen and other.frozen


def test_source_inputs():
    a, b = layers.Input((3,)), layers.Input((3,))
    inner = models.Sequential([layers.Input((3,)), layers.Dense(3)])
    y = layers.Add()([inner(layers.ReLU()(a)), b, a])
    assert [any(t is s for s in (a, b)) for t in utils.get_source_inputs(y)] == [True, True] and utils.get_source_inputs(a) == [a]
    with pytest.raises(ValueError, match="wanted a symbolic tensor"):
        utils.get_source_inputs(np.zeros(3))


def test_signatures_say_all():
    for name in ("image_dataset_from_directory", "audio_dataset_from_directory", "text_dataset_from_directory", "timeseries_dataset_from_array"):
        function = getattr(utils, name)
        assert all(argument in function.__doc__ for argument in inspect.signature(function).parameters), name
