"""Real files of Keras 2 and tf.keras."""

import numpy as np
import pytest

from cornu import layers as L
from cornu import saving
from cornu.models import Model


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
