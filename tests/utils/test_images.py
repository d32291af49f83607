"""Pictures to arrays and back, and in another size: as Keras has them."""

import io

import numpy as np
import pytest
from PIL import Image

from cornu import preprocessing, utils
from cornu.utils import images
from tests import oracle


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (17, 25, 4)).astype("uint8")
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return tmp_path / "a.png"


LOADS = [
    {},
    {"color_mode": "rgba"},
    {"color_mode": "grayscale", "target_size": (5, 7)},
    {"target_size": (9, 30), "keep_aspect_ratio": True, "interpolation": "bilinear"},
    {"target_size": (30, 9), "keep_aspect_ratio": True},
    *({"target_size": (6, 11), "interpolation": name} for name in ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")),
]


def test_load_img(picture):
    wanted = oracle.run("for i, c in enumerate(cases): out[str(i)] = keras.utils.img_to_array(keras.utils.load_img(path, **c))", path=str(picture), cases=LOADS)
    for i, arguments in enumerate(LOADS):
        np.testing.assert_array_equal(utils.img_to_array(utils.load_img(picture, **arguments)), wanted[str(i)], err_msg=str(arguments))
    data = io.BytesIO(picture.read_bytes())
    assert utils.load_img(data).size == (25, 17)


_ARRAYS = """
for i, (x, given) in enumerate(cases):
    img = keras.utils.array_to_img(x, **given)
    out[str(i)] = [img.mode, np.asarray(img), keras.utils.img_to_array(img, **{k: v for k, v in given.items() if k != "scale"})]
"""


def test_arrays_and_pictures():
    rng = np.random.default_rng(0)
    cases = [
        (rng.normal(size=(4, 5, 3)), {}),
        (rng.integers(0, 256, (4, 5, 3)).astype("uint8"), {"scale": False}),
        (rng.normal(size=(4, 5, 1)), {"dtype": "float64"}),
        (rng.random((4, 4, 5)) * 255, {"data_format": "channels_first", "scale": False}),
        (np.full((3, 3, 1), 70000.0), {"scale": False}),
        (np.zeros((2, 2, 3)), {}),
        (np.full((2, 2, 1), 5), {"dtype": "float16"}),
    ]
    wanted = oracle.run(_ARRAYS, cases=cases)
    for i, (x, arguments) in enumerate(cases):
        mode, pixels, array = wanted[str(i)]
        image = utils.array_to_img(x, **arguments)
        assert image.mode == mode
        np.testing.assert_array_equal(np.asarray(image), pixels)
        found = utils.img_to_array(image, **{k: v for k, v in arguments.items() if k != "scale"})
        np.testing.assert_array_equal(found, array)
        assert arguments.get("dtype") == "float64" or found.dtype == array.dtype  # JAX has no float64 here


def test_save_img(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (4, 5, 3)).astype("uint8")
    utils.save_img(tmp_path / "a.png", x, scale=False)
    np.testing.assert_array_equal(utils.img_to_array(utils.load_img(tmp_path / "a.png")), x)
    with pytest.warns(UserWarning, match="JPEG has no transparency"):
        utils.save_img(tmp_path / "a.jpg", np.concatenate([x, x[..., :1]], -1))
    assert utils.load_img(tmp_path / "a.jpg").mode == "RGB"
    file = io.BytesIO()
    utils.save_img(file, x, file_format="jpg", quality=50)
    assert Image.open(file).format == "JPEG"


def test_smart_resize():
    sizes = [(10, 12), (30, 8), (17, 25), (5, 40), (1, 1)]
    x = np.random.default_rng(0).random((17, 25, 3)).astype("float32")
    code = "for i, s in enumerate(sizes): out[str(i)] = [keras.preprocessing.image.smart_resize(x, tuple(s)), keras.preprocessing.image.smart_resize(x[None], tuple(s), 'nearest')]"
    wanted = oracle.run(code, x=x, sizes=sizes)
    for i, size in enumerate(sizes):
        for ours, theirs in zip((preprocessing.image.smart_resize(x, size), preprocessing.image.smart_resize(x[None], size, "nearest")), wanted[str(i)]):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", images.INTERPOLATIONS)
def test_resizing_of_files(kind):
    """Constants stay, slopes stay slopes inside, and a picture in its own size is the same."""
    slope = np.arange(40.0)[:, None, None] * np.ones((1, 12, 2))
    np.testing.assert_allclose(images.resized(np.full((9, 7, 3), 5.0), (4, 11), kind), np.full((4, 11, 3), 5.0), rtol=1e-5)
    np.testing.assert_array_equal(images.resized(slope, (40, 12), kind), slope)
    if kind != "nearest":
        inner = images.resized(slope, (20, 6), kind)[5:15, 3, 0]
        np.testing.assert_allclose(np.diff(inner), 2, atol=0.05)
    if kind in ("bilinear", "bicubic", "lanczos3", "lanczos5", "nearest"):
        from cornu import backends, ops

        x = np.random.default_rng(0).random((13, 9, 3)).astype("float32")
        for size in ((5, 4), (20, 30), (13, 3)):
            wanted = backends.numpy(ops.image.resize(x, size, interpolation=kind))
            np.testing.assert_allclose(images.resized(x, size, kind), wanted, atol=2e-5)


def test_area_is_the_mean():
    x = np.random.default_rng(0).random((8, 6, 1))
    np.testing.assert_allclose(images.resized(x, (4, 2), "area")[..., 0], x.reshape(4, 2, 2, 3).mean((1, 3)), rtol=1e-5)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda p: utils.load_img(p, color_mode="cmyk"), "color_mode must be one of"),
        (lambda p: utils.load_img(p, target_size=(3,)), r"target_size must be \(height, width\)"),
        (lambda p: utils.load_img(p, target_size=(3, 0)), "target_size must be"),
        (lambda p: utils.load_img(p, target_size=(3, 3), interpolation="area"), "interpolation must be one of"),
        (lambda p: utils.load_img(3), "path must be the path of a picture"),
        (lambda p: utils.array_to_img(np.zeros((2, 2))), r"wanted one picture of 3 axes; got the shape \(2, 2\)"),
        (lambda p: utils.array_to_img(np.zeros((2, 2, 2))), "a picture has 1, 3 or 4 channels; got 2"),
        (lambda p: utils.array_to_img(np.zeros((2, 2, 3)), data_format="last"), "data_format: wanted one of"),
        (lambda p: utils.img_to_array(np.zeros(3)), "wanted a picture of 2 or 3 axes"),
        (lambda p: preprocessing.image.smart_resize(np.zeros((3, 3)), (2, 2)), "wanted one image of 3 axes or a batch of 4"),
        (lambda p: preprocessing.image.smart_resize(np.zeros((3, 3, 1)), 2), "size must be"),
        (lambda p: preprocessing.image.smart_resize(np.zeros((3, 3, 1)), (2, 2), nope=1), "no argument 'nope'"),
    ],
)
def test_wrong_arguments(call, message, picture):
    with pytest.raises((ValueError, TypeError), match=message):
        call(picture)
