"""Real files of Keras 2 and tf.keras."""

import numpy as np
import pytest

from cornu import layers as L
from cornu import saving
from cornu.models import Model, Sequential
from cornu.saving import eras


def test_resnet8(shared_data):
    model = saving.load_model(shared_data / "weights" / "mlperf_tiny_resnet8_cifar10.h5")
    assert model.count_params() == 78_666 and model.compiled
    assert int(model.optimizer.iterations) > 0
    pictures = sorted((shared_data / "datasets").glob("cifar10*.npz"))
    if pictures:
        with np.load(pictures[0]) as file:
            x, y = file[file.files[0]][:500], None
            y = file[file.files[1]][:500].reshape(-1)
        right = np.mean(model.predict(x.astype("float32"), verbose=0).argmax(-1) == y)
        assert right > 0.7


def test_mobilenet(shared_data):
    model = saving.load_model(shared_data / "weights" / "mlperf_tiny_mobilenet_v1_0.25_96_vww.h5")
    assert model.count_params() == 221_794
    y = model.predict(np.zeros((1, 96, 96, 3), "float32"), verbose=0)
    assert y.shape == (1, 2) and abs(y.sum() - 1) < 1e-5


def test_teachable_machine(shared_data):
    model = saving.load_model(shared_data / "weights" / "teachable_machine_mobilenet_v2_0.35_224.h5")
    y = model.predict(np.zeros((1, 224, 224, 3), "float32"), verbose=0)
    assert y.shape == (1, 2) and abs(y.sum() - 1) < 1e-5


def squeezenet():
    def fire(x, n, squeeze, expand):
        x = L.Conv2D(squeeze, 1, activation="relu", name=f"fire{n}/squeeze1x1".replace("/", "_"))(x)
        return L.Concatenate()([L.Conv2D(expand, 1, activation="relu")(x), L.Conv2D(expand, 3, padding="same", activation="relu")(x)])

    i = L.Input((227, 227, 3))
    x = L.MaxPooling2D(3, 2)(L.Conv2D(64, 3, strides=2, activation="relu")(i))
    x = L.MaxPooling2D(3, 2)(fire(fire(x, 2, 16, 64), 3, 16, 64))
    x = L.MaxPooling2D(3, 2)(fire(fire(x, 4, 32, 128), 5, 32, 128))
    x = fire(fire(fire(fire(x, 6, 48, 192), 7, 48, 192), 8, 64, 256), 9, 64, 256)
    return Model(i, x)


def test_weights_by_order(shared_data):
    model = squeezenet()
    model.load_weights(shared_data / "weights" / "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5")
    assert model.count_params() == 722_496
    assert np.isfinite(model.predict(np.zeros((1, 227, 227, 3), "float32"), verbose=0)).all()


def test_a_weights_file_is_no_model(shared_data):
    with pytest.raises(saving.CorruptFileError, match="load_weights"):
        saving.load_model(shared_data / "weights" / "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5")


def test_config_of_keras_2(tmp_path):
    """A graph as tf.keras 2 wrote it: nodes as lists, batch_input_shape, fields that are gone, hard_sigmoid of its time."""
    layer = lambda cls, name, nodes, **config: {"class_name": cls, "name": name, "config": {"name": name, "trainable": True, **config}, "inbound_nodes": nodes}
    config = {
        "class_name": "Model",
        "config": {
            "name": "m",
            "layers": [
                layer("InputLayer", "i", [], batch_input_shape=[None, 3], dtype="float32", sparse=False, ragged=False),
                layer(
                    "Dense",
                    "d",
                    [[["i", 0, 0, {}]], [["d", 0, 0, {}]]],
                    units=3,
                    activation="hard_sigmoid",
                    dtype={"class_name": "Policy", "config": {"name": "float32"}},
                ),
                layer("Concatenate", "c", [[["d", 0, 0, {}], ["d", 1, 0, {}]]], axis=-1),
                layer("BatchNormalization", "b", [[["c", 0, 0, {"training": False}]]], axis=[1], fused=True, renorm=False),
            ],
            "input_layers": [["i", 0, 0]],
            "output_layers": [["b", 0, 0]],
        },
    }
    model = saving.deserialize_keras_object(eras.model_config(config, "2.4.0"), custom_objects=None)
    assert isinstance(model, Model) and model.output_shape == (None, 6)
    model.get_layer("d").set_weights([np.eye(3, dtype="float32"), np.zeros(3, "float32")])
    x = np.array([[-3.0, 0.5, 9.0]], "float32")
    first = np.clip(0.2 * x + 0.5, 0, 1)
    wanted = np.concatenate([first, np.clip(0.2 * first + 0.5, 0, 1)], -1) / np.sqrt(1.001)
    np.testing.assert_allclose(model(x, training=False), wanted, rtol=1e-5)
    model.save(tmp_path / "m.keras")
    np.testing.assert_allclose(saving.load_model(tmp_path / "m.keras")(x, training=False), wanted, rtol=1e-5)


def test_sequential_as_a_list():
    config = {
        "class_name": "Sequential",
        "config": [{"class_name": "Dense", "config": {"name": "d", "units": 2, "batch_input_shape": [None, 3], "dtype": "float32"}}],
    }
    model = saving.deserialize_keras_object(eras.model_config(config, "2.1.6"))
    assert isinstance(model, Sequential) and model.output_shape == (None, 2)
