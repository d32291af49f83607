"""The architectures beside Keras's: layers, names, weights, outputs, a step of training, real pictures."""

import json
import shutil
import warnings

import numpy as np
import pytest
from PIL import Image

import cornu as keras
from cornu import applications, backends, scopes
from tests import oracle

# name -> arguments; the sizes are small, and odd where padding depends on them
MODELS = {
    "ResNet50": {"input_shape": (40, 33, 3), "classes": 7},
    "ResNet101": {"include_top": False, "input_shape": (32, 32, 3), "pooling": "max"},
    "ResNet152": {"include_top": False},
    "ResNet50V2": {"input_shape": (33, 40, 3), "classes": 7, "classifier_activation": None},
    "ResNet101V2": {"include_top": False, "input_shape": (32, 32, 1)},
    "ResNet152V2": {"include_top": False, "pooling": "avg"},
    "MobileNet": {"input_shape": (64, 64, 3), "alpha": 0.3, "depth_multiplier": 2, "dropout": 0.2, "classes": 7},
    "MobileNetV2": {"input_shape": (75, 66, 3), "alpha": 0.35, "classes": 7},
}
RUN = ("ResNet50", "ResNet50V2", "MobileNet", "MobileNetV2")  # these are called on pictures too


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """Name -> config, weights' paths and shapes; and for those of RUN a file of weights drawn at random, and the outputs for an input."""
    folder = tmp_path_factory.mktemp("weights")
    snippet = """
for name, arguments in models.items():
    keras.backend.clear_session()
    arguments = {k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()}
    model = getattr(keras.applications, name)(weights=None, **arguments)
    out[name] = found = {"config": model.get_config(), "weights": [(w.path, tuple(w.shape)) for w in model.weights]}
    if name in run:
        draw = np.random.default_rng(0)
        for w in model.weights:
            scale = {"gamma": 1, "moving_variance": 1, "kernel": np.prod(w.shape[:-1]) ** -0.5}.get(w.name, 0.1)
            w.assign(scale * (draw.random(w.shape) + 0.5) if w.name in ("gamma", "moving_variance") else scale * draw.standard_normal(w.shape))
        model.save_weights(f"{folder}/{name}.weights.h5")
        x = draw.standard_normal((2, *arguments["input_shape"])).astype("float32")
        found["x"], found["y"] = x, model(x)
"""
    found = oracle.run(snippet, backend="numpy", models={name: dict(given) for name, given in MODELS.items()}, run=RUN, folder=str(folder))
    return {name: {**value, "file": folder / f"{name}.weights.h5"} for name, value in found.items()}


def plain(layer):
    """What a layer's config says, and which layers it is called on."""
    sources = []

    def walk(value):
        if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            sources.append(value["config"]["keras_history"])
        elif isinstance(value, (dict, list, tuple)):
            for item in value.values() if isinstance(value, dict) else value:
                walk(item)

    walk(layer["inbound_nodes"])
    return layer["class_name"], layer["name"], layer["config"], sources


@pytest.mark.parametrize("name", MODELS)
def test_layers_names_and_weights(theirs, name):
    model = getattr(applications, name)(weights=None, **MODELS[name])
    ours, wanted = (json.loads(json.dumps(config)) for config in (model.get_config(), theirs[name]["config"]))
    assert [plain(layer) for layer in ours.pop("layers")] == [plain(layer) for layer in wanted.pop("layers")]
    assert ours == wanted
    assert [(weight.path, tuple(weight.shape)) for weight in model.weights] == [(path, tuple(shape)) for path, shape in theirs[name]["weights"]]


@pytest.mark.parametrize("name", RUN)
def test_outputs_with_a_file_of_keras(theirs, name):
    arguments = {**MODELS[name], "weights": theirs[name]["file"]}
    y = getattr(applications, name)(**arguments).predict(theirs[name]["x"], verbose=0)
    np.testing.assert_allclose(y, theirs[name]["y"], rtol=2e-4, atol=2e-5 * np.abs(theirs[name]["y"]).max())


def test_a_step_of_training(tmp_path):
    """The loss, and how every weight changes in a step of SGD; on engines that do not compile, which would take minutes in Keras."""
    code = """
def trained(keras, model, x, y):
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    before = [np.array(w) for w in model.get_weights()]
    loss = float(model.train_on_batch(x, y))
    return loss, [np.asarray(w) - b for w, b in zip(model.get_weights(), before)]
"""
    snippet = (
        code
        + """
keras.utils.set_random_seed(0)
model = keras.applications.MobileNetV2(weights=None, input_shape=(64, 64, 3), alpha=0.35, classes=5)
model.save_weights(file)
out["loss"], out["changes"] = trained(keras, model, x, y)
"""
    )
    draw = np.random.default_rng(0)
    x, y, file = draw.standard_normal((8, 64, 64, 3)).astype("float32"), draw.integers(0, 5, 8), str(tmp_path / "a.weights.h5")
    wanted = oracle.run(snippet, backend="jax", x=x, y=y, file=file)
    space = {"np": np}
    exec(code, space)
    backends.load("numpy")
    model = applications.MobileNetV2(weights=file, input_shape=(64, 64, 3), alpha=0.35, classes=5)
    loss, changes = space["trained"](keras, model, x, y)
    assert loss == pytest.approx(wanted["loss"], rel=1e-5)
    for weight, ours, theirs in zip(model.weights, changes, wanted["changes"], strict=True):
        if np.abs(theirs).max() > 1e-6:  # gradients before a normalization are zero but for rounding
            assert np.linalg.norm(ours - theirs) < 0.05 * np.linalg.norm(theirs), weight.path  # relu6 and small maps make much of little


# -- pictures -----------------------------------------------------------------------------------------------------------------------------


PICTURES = {"elephant": ("African_elephant", "tusker", "Indian_elephant"), "panda": ("giant_panda",), "dog": ("Samoyed",)}


@pytest.fixture
def home(shared_data, tmp_path, monkeypatch):
    """KERAS_HOME with weights and the names of the classes as Keras keeps them."""
    (tmp_path / "models").mkdir()
    for name, place in {
        "imagenet_class_index.json": "imagenet_class_index.json",
        "mobilenet_2_5_224_tf_rebuilt.h5": "mobilenet_2_5_224_tf.h5",
        "mobilenet_v2_0.35_224_no_top_extracted.h5": "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5",
    }.items():
        shutil.copy(shared_data / "weights" / name, tmp_path / "models" / place)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path / "models"


def test_real_pictures(home, shared_data):
    """Weights trained on ImageNet say what is in photographs, with Keras's probabilities; the features of MobileNetV2 are Keras's."""
    images = np.stack([np.asarray(Image.open(shared_data / "images" / "photos" / f"{name}.jpg").convert("RGB").resize((224, 224))) for name in PICTURES])
    snippet = """
from keras.applications import mobilenet, mobilenet_v2
x = mobilenet.preprocess_input(images.astype("float32"))
out["y"] = keras.applications.MobileNet(alpha=0.25, weights=f"{home}/mobilenet_2_5_224_tf.h5")(x)
file = f"{home}/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"
out["features"] = keras.applications.MobileNetV2(alpha=0.35, include_top=False, pooling="avg", input_shape=(224, 224, 3), weights=file)(x)
"""
    wanted = oracle.run(snippet, backend="numpy", images=images, home=str(home))
    x = applications.mobilenet.preprocess_input(images)
    y = applications.MobileNet(alpha=0.25).predict(x, verbose=0)
    np.testing.assert_allclose(y, wanted["y"], rtol=1e-3, atol=1e-6)
    for decoded, names in zip(applications.mobilenet.decode_predictions(y, top=3), PICTURES.values(), strict=True):
        assert len(decoded) == 3 and decoded[0][1] in names and decoded[0][2] > 0.3
        assert [score for _, _, score in decoded] == sorted((score for _, _, score in decoded), reverse=True)
    model = applications.MobileNetV2(alpha=0.35, include_top=False, pooling="avg", input_shape=(224, 224, 3))
    np.testing.assert_allclose(model.predict(applications.mobilenet_v2.preprocess_input(images), verbose=0), wanted["features"], rtol=1e-3, atol=1e-4)


def test_preprocess_input():
    draw = np.random.default_rng(0)
    x = draw.integers(0, 256, (2, 3, 3, 3))
    cases = [
        (mode, layout, dtype)
        for mode in ("caffe", "tf", "torch")
        for layout in ("channels_last", "channels_first")
        for dtype in ("uint8", "float32", "float64")
    ]
    snippet = "out['y'] = [np.asarray(keras.applications.imagenet_utils.preprocess_input(x.astype(d), data_format=l, mode=m)) for m, l, d in cases]"
    for (mode, layout, dtype), wanted in zip(cases, oracle.run(snippet, x=x, cases=cases, backend="numpy")["y"], strict=True):
        given = x.astype(dtype)
        found = applications.imagenet_utils.preprocess_input(given, data_format=layout, mode=mode)
        assert found.dtype == wanted.dtype and (given == x).all()
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
        tensor = applications.imagenet_utils.preprocess_input(keras.ops.convert_to_tensor(x.astype("float32")), data_format=layout, mode=mode)
        np.testing.assert_allclose(np.asarray(tensor), wanted, rtol=1e-5, atol=1e-4)


def test_preprocess_input_in_a_graph():
    image = keras.Input((4, 4, 3), dtype="uint8")
    model = keras.Model(image, applications.resnet.preprocess_input(image))
    x = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3)).astype("uint8")
    np.testing.assert_allclose(model.predict(x, verbose=0), applications.resnet50.preprocess_input(x), rtol=1e-5)


# -- arguments ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"weights": "nope"}, "the path of a file that is there"),
        ({"classes": 10}, "classes=10"),
        ({"weights": None, "input_shape": (20, 20, 3)}, "at least 32"),
        ({"weights": None, "input_shape": (None, None, 3)}, "must be known"),
        ({"weights": None, "input_shape": (64, 64)}, "height, width and channels"),
        ({"weights": None, "include_top": False, "pooling": "mean"}, "pooling must be"),
        ({"input_shape": (64, 64, 3)}, "224"),
        ({"include_top": False, "input_shape": (64, 64, 4)}, "3 channels"),
        ({"classifier_activation": "relu"}, "classifier_activation"),
        ({"weights": None, "input_tensor": np.zeros((1, 64, 64, 3))}, "symbolic"),
    ],
)
@pytest.mark.parametrize("name", ["ResNet50", "MobileNetV2"])
def test_what_cannot_be(name, arguments, words):
    with warnings.catch_warnings(), pytest.raises(ValueError, match=words):
        warnings.simplefilter("ignore")  # that weights for other sizes are taken
        getattr(applications, name)(**arguments)


def test_widths_without_weights():
    for make, arguments in (
        (applications.MobileNetV2, {"alpha": 0.3}),
        (applications.MobileNet, {"alpha": 0.3}),
        (applications.MobileNet, {"depth_multiplier": 2}),
    ):
        with pytest.raises(ValueError, match="alpha"):
            make(**arguments)


def test_inputs_given():
    """`input_tensor` is the model's input, or leads back to it."""
    image = keras.Input((64, 64, 3), name="mine")
    for tensor in image, keras.layers.Rescaling(2.0)(image):
        model = applications.MobileNetV2(weights=None, input_tensor=tensor, classes=3)
        assert model.inputs[0] is image and model.output_shape == (None, 3) and model.name == "mobilenetv2_1.00_224"


def test_images_with_channels_first():
    keras.config.set_image_data_format("channels_first")
    try:
        scopes.reset_names()
        model = applications.MobileNetV2(weights=None, input_shape=(3, 64, 64), alpha=0.35, classes=3)
        assert model.output_shape == (None, 3) and model.layers[2].get_config()["axis"] == 1 and model.name == "mobilenetv2_0.35_64"
        assert applications.ResNet50(weights=None, include_top=False).output_shape == (None, 2048, None, None)
    finally:
        keras.config.set_image_data_format("channels_last")


def test_a_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", _no_network)
    with pytest.raises(ConnectionError, match="resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"):
        applications.ResNet50(include_top=False, input_shape=(32, 32, 3))


def _no_network(*args, **kwargs):
    raise ConnectionError("no network")


def test_decode_predictions_wants_a_thousand_classes():
    with pytest.raises(ValueError, match="1000"):
        applications.imagenet_utils.decode_predictions(np.zeros((1, 10)))
