"""Images: resized, warped, filtered, cut into patches. Against Keras, against SciPy and by their definitions."""

import numpy as np
import pytest
import scipy.ndimage

from cornu import backends, ops, random
from cornu.symbolic import KerasTensor
from tests.ops import rows
from tests.ops.cases import C, N
from tests.ops.check import draw

IMAGES, IMAGE = draw((2, 6, 5, 3), 0, 1), draw((6, 5, 3), 0, 1, seed=1)
FIRST = np.ascontiguousarray(np.moveaxis(IMAGES, -1, 1))
LARGE, OTHER = draw((2, 13, 12, 2), 0, 1), draw((2, 13, 12, 2), 0, 1, seed=1)
BYTES = (IMAGES * 255).astype("uint8")
VOLUMES = draw((2, 4, 5, 4, 2))
PLANE = draw((5, 6))
PLACES = draw((2, 3, 4), -3, 8, seed=2)
TRANSFORMS = np.array([[1.113, 0.217, -0.431, -0.127, 0.919, 0.337, 0, 0], [0.823, -0.311, 0.713, 0.251, 1.207, -0.619, 0, 0]], "float32")
START = np.array([[[0.13, 0.21], [0.17, 4.11], [4.07, 0.19], [3.87, 4.09]], [[1.11, 0.23], [0.07, 4.17], [4.19, 0.03], [4.21, 3.07]]], "float32")
END = np.array([[[0.3, 0.2], [0.1, 3.7], [4.2, 0.4], [3.6, 4.1]], [[1, 0.5], [0.2, 4], [4, 0.1], [3, 3]]], "float32")
FILLS = ("constant", "nearest", "wrap", "mirror", "reflect")
METHODS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
SCALE, MOVE = np.array([1.7, 0.6], "float32"), np.array([0.4, -0.3], "float32")

PLACE = "image."
ROWS = {
    "resize": [
        *(C(IMAGES, (3, 8), m, antialias=a) for m in METHODS for a in (False, True)),
        C(IMAGES, (9, 3), "lanczos3", antialias=True),
        *(C(IMAGES, size, "nearest") for size in ((2 * IMAGES.shape[1], 3 * IMAGES.shape[2]), (1, 1), (2 * IMAGES.shape[1], 1))),
        *(C(IMAGES, size, crop_to_aspect_ratio=True, unknown=False) for size in ((3, 8), (8, 2))),
        *(C(IMAGES, size, pad_to_aspect_ratio=True, fill_value=0.5, unknown=False) for size in ((3, 8), (8, 2))),
        C(FIRST, (4, 7), data_format="channels_first", unknown=False),
        C(IMAGE, (4, 7), "bicubic"),
        *(N(BYTES, (4, 7), m, tolerance=1.0) for m in METHODS),  # halves are rounded to even, and 0.5 may come as 0.49999997
    ],
    "map_coordinates": [
        *(C(PLANE, PLACES, 1, fill, 0.7) for fill in FILLS),
        N(PLANE, PLACES, 0, "reflect"),
        *(N(PLANE[0], np.array([[-3.5, -2.5, -0.5, 0.5, 1.5, 2.5, 5.5, 6.5, 11.2]], "float32"), o, fill, 9.0) for fill in FILLS for o in (0, 1)),
        N(BYTES[0, :, :, 0], np.array([[0.5, 1.0, 4.5], [1.5, 2.25, 9.0]], "float32"), 1),
        N(-BYTES[0, :, 0, 0].astype("int32"), np.array([[0.5, 1.5, -0.25, 3.0]], "float32"), 1),
        C(VOLUMES[0, ..., 0], draw((3, 7), -1, 5), 1, "wrap"),
    ],
    "affine_transform": [
        *(C(IMAGES, TRANSFORMS, "bilinear", fill, 0.3) for fill in FILLS),
        *(N(IMAGES, TRANSFORMS, "nearest", fill, 0.3) for fill in ("constant", "wrap")),
        C(FIRST, TRANSFORMS, data_format="channels_first", unknown=False),
        C(IMAGE, TRANSFORMS[0]),
        N(BYTES, TRANSFORMS, "nearest"),
    ],
    "perspective_transform": [
        C(IMAGES, START, END, tolerance=2e-5),
        C(IMAGE, START[0], END[0], "bilinear", 0.5, tolerance=2e-5),
        N(IMAGES, START, END, "nearest"),
        C(FIRST, START, END, data_format="channels_first", tolerance=2e-5, unknown=False),
    ],
    "scale_and_translate": [
        *(C(IMAGES, (2, 8, 4, 3), SCALE, MOVE, (1, 2), m, a) for m, a in (("linear", True), ("cubic", False), ("lanczos3", True), ("lanczos5", False))),
        *(N(PLANE, (5, 9), SCALE[:1], MOVE[:1], (1,), m) for m in ("bilinear", "trilinear", "bicubic", "tricubic")),
        C(PLANE, (5, 9), SCALE[:1], MOVE[:1], (1,), "linear"),
        N(BYTES, (2, 8, 4, 3), SCALE, MOVE, (1, 2), "linear", tolerance=1e-3),
    ],
    "sobel_edges": [C(IMAGES), C(FIRST, "channels_first", unknown=False)],
    "ssim": [C(LARGE, OTHER), C(LARGE, LARGE * 0.8, 2.0, 7, 1.1, 0.02, 0.05), C(LARGE[0], OTHER[0]), C(np.moveaxis(LARGE, -1, 1), np.moveaxis(OTHER, -1, 1), data_format="channels_first", unknown=False)],
    "extract_patches_3d": [
        C(VOLUMES, 2),
        C(VOLUMES, (2, 3, 1), (1, 2, 2), 1, "same"),
        C(VOLUMES[0], 2, 1),
        C(np.ascontiguousarray(np.moveaxis(VOLUMES, -1, 1)), 2, data_format="channels_first", unknown=False),
        C(VOLUMES, 2, 1, 2),
    ],
}  # fmt: skip
OPEN = {"map_coordinates": (0, 1), "extract_patches_3d": (0, 1, 2), "scale_and_translate": (0,)}
HEAVY = {"resize", "extract_patches_3d"}  # whose gradients are those of products and convolutions


@pytest.fixture(scope="module")
def keras():
    return rows.answers(ROWS, "ops.image")


@pytest.mark.parametrize(("name", "i"), rows.each(ROWS))
def test_values_are_those_of_keras(name, i, keras):
    rows.check_values(rows.named(name, ops.image), ROWS[name][i], keras[name, i], i == 0, f"{name} {i}")


@pytest.mark.parametrize(("name", "i"), rows.each(ROWS))
def test_inferred_shapes(name, i):
    case = ROWS[name][i]
    rows.check_shapes(rows.named(name, ops.image), case, OPEN.get(name, (0, 1, 2) if case.args[0].ndim == 4 else (0, 1)))


@pytest.mark.parametrize(("name", "i"), rows.each(ROWS))
def test_gradients(name, i):
    case = ROWS[name][i]
    if case.gradient:
        rows.check_gradients(rows.named(name, ops.image), case, i == 0 and name not in HEAVY)


@pytest.mark.parametrize(("size", "sigma"), [((3, 3), (1.0, 1.0)), ((3, 5), (1.0, 2.0)), ((4, 2), (0.7, 1.3)), (3, 0.5)])
def test_gaussian_blur_is_that_of_scipy(size, sigma):
    backends.load("numpy")
    pair = lambda x: x if isinstance(x, tuple) else (x, x)
    bells = []
    for n, s in zip(pair(size), pair(sigma)):
        weights = np.exp(-((np.arange(n) - (n - 1) / 2) ** 2) / (2 * s * s))
        bells.append(weights / weights.sum())
    kernel = np.outer(*bells)
    origin = [-1 if n % 2 == 0 else 0 for n in pair(size)]  # of an even window the place before the middle counts as its centre
    wanted = np.stack([scipy.ndimage.correlate(IMAGE[..., c].astype("float64"), kernel, mode="constant", origin=origin) for c in range(3)], -1)
    np.testing.assert_allclose(backends.numpy(ops.image.gaussian_blur(IMAGE, size, sigma)), wanted, atol=1e-6)
    found = backends.numpy(ops.image.gaussian_blur(FIRST, size, sigma, data_format="channels_first"))
    np.testing.assert_allclose(found, np.moveaxis(backends.numpy(ops.image.gaussian_blur(IMAGES, size, sigma)), -1, 1), atol=1e-6)


def test_gaussian_blur_keeps_types_and_shapes(backend):
    case = C(IMAGES[:, :4], (3, 5), (1.0, 2.0))
    rows.check_gradients(ops.image.gaussian_blur, case, backend.NAME == "jax")
    rows.check_shapes(ops.image.gaussian_blur, case, (0, 1, 2))
    out = backends.numpy(ops.image.gaussian_blur(BYTES[:1]))
    assert out.dtype == "uint8" and abs(int(out[0, 2, 2, 0]) - int(BYTES[0, 1:4, 1:4, 0].mean())) < 80
    half = ops.image.gaussian_blur(IMAGES.astype("float16"))
    assert backends.kind(half) == "float16"


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize(("fill", "mode"), [("nearest", "nearest"), ("wrap", "grid-wrap"), ("mirror", "mirror"), ("reflect", "reflect")])
def test_map_coordinates_is_that_of_scipy(order, fill, mode):
    backends.load("numpy")
    places = draw((2, 40), -7.3, 12.2)
    wanted = scipy.ndimage.map_coordinates(PLANE.astype("float64"), places, order=order, mode=mode)
    np.testing.assert_allclose(backends.numpy(ops.image.map_coordinates(PLANE, places, order, fill)), wanted, atol=1e-5)


def test_an_affine_map_has_a_denominator():
    backends.load("numpy")
    ramp = np.broadcast_to(np.arange(8, dtype="float64")[None, :, None], (8, 8, 1))
    found = backends.numpy(ops.image.affine_transform(ramp, [1, 0, 0, 0, 1, 0, 0.1, 0.05], fill_value=-1.0))
    x, y = np.arange(8)[None, :], np.arange(8)[:, None]
    np.testing.assert_allclose(found[..., 0], x / (0.1 * x + 0.05 * y + 1), atol=1e-12)


def test_one_transform_does_for_a_batch():
    backends.load("numpy")
    one = backends.numpy(ops.image.affine_transform(IMAGES, TRANSFORMS[0]))
    np.testing.assert_allclose(one, backends.numpy(ops.image.affine_transform(IMAGES, np.stack([TRANSFORMS[0]] * 2))), atol=1e-6)
    with pytest.raises(ValueError, match="affine_transform: transform must be one, or one for each of the 2 images; got 3"):
        ops.image.affine_transform(IMAGES, np.zeros((3, 8), "float32"))


def test_points_go_where_a_perspective_transform_is_told():
    backends.load("numpy")
    row, column = np.mgrid[0:40, 0:40].astype("float64")
    image = np.stack([column, row], -1)  # each pixel holds its own x and y
    start, end = np.array([[3, 4], [30, 6], [5, 33], [35, 36.0]]), np.array([[6, 2], [33, 9], [4, 30], [31, 38.0]])
    found = backends.numpy(ops.image.perspective_transform(image, start, end))
    for (x, y), (u, v) in zip(start, end.astype(int)):
        np.testing.assert_allclose(found[v, u], [x, y], atol=1e-6)


def test_elastic_transform_moves_pixels_smoothly(backend):
    elastic = lambda x, *args, **kwargs: backends.numpy(backend.compile(lambda x: ops.image.elastic_transform(x, *args, **kwargs))(ops.array(x)))
    row, column = np.mgrid[0:96, 0:96].astype("float32")
    image = np.stack([row, column], -1)
    found = elastic(image, 20.0, 4.0, seed=3)
    assert np.array_equal(found, elastic(image, 20.0, 4.0, seed=3))
    moved = (found - image)[24:72, 24:72].astype("float64")
    assert 3.5 < moved.std() < 8.5  # 20 * 4 / (2 sqrt(pi) 4) = 5.6, from few independent places
    assert abs(np.corrcoef(moved[..., 0].ravel(), moved[..., 1].ravel())[0, 1]) < 0.6  # height and width by themselves
    assert np.abs(np.diff(moved, axis=0)).mean() < 0.4 * moved.std()
    np.testing.assert_allclose(elastic(IMAGES, 0.0, seed=1), IMAGES, atol=1e-6)


def test_elastic_transform_goes_on_with_its_generator():
    backends.load("numpy")
    generator = random.SeedGenerator(1)
    first, second = (backends.numpy(ops.image.elastic_transform(IMAGES[:1], 3.0, 1.0, seed=generator)) for _ in range(2))
    assert not np.allclose(first, second)


def test_elastic_noise_is_spread_as_in_keras():
    """One image of ramps shows how far pixels went: the standard deviation over many is Keras's."""
    from tests import oracle

    ramp = np.broadcast_to(np.arange(400, dtype="float32")[None, :, None], (400, 400, 1))
    code = "out['moved'] = {s: np.asarray(ops.image.elastic_transform(ramp, 8.0, s, seed=1)) for s in (1.0, 2.0)}"
    theirs = oracle.run(code, ramp=ramp)["moved"]
    backends.load("numpy")
    for sigma, wanted in theirs.items():
        found = backends.numpy(ops.image.elastic_transform(ramp, 8.0, sigma, seed=1))
        spread = [(x - ramp)[50:-50, 50:-50].std() for x in (found, wanted)]
        assert abs(spread[0] / spread[1] - 1) < 0.06, (sigma, spread)


def test_ssim_of_equal_images_is_one(backend):
    np.testing.assert_allclose(backends.numpy(ops.image.ssim(LARGE, LARGE)), 1, atol=1e-5)
    whole = (LARGE * 255).astype("uint8")
    np.testing.assert_allclose(backends.numpy(ops.image.ssim(whole, whole // 2, 255)), backends.numpy(ops.image.ssim(whole / 255.0, (whole // 2) / 255.0, 1.0)), atol=1e-4)  # fmt: skip


def test_images_of_a_model_have_unknown_sizes():
    x = KerasTensor((None, None, None, 3))
    wanted = {"sobel_edges": (None, None, None, 3, 2), "gaussian_blur": (None, None, None, 3), "elastic_transform": (None, None, None, 3)}
    for name, shape in wanted.items():
        assert rows.named(name, ops.image)(x).shape == shape
    assert ops.image.affine_transform(x, KerasTensor((None, 8))).shape == (None, None, None, 3)
    assert ops.image.perspective_transform(x, KerasTensor((None, 4, 2)), KerasTensor((None, 4, 2))).shape == (None, None, None, 3)
    assert ops.image.ssim(x, x).shape == (None,)
    assert ops.image.resize(x, (4, 5), "bicubic", antialias=True).shape == (None, 4, 5, 3)
    assert ops.image.map_coordinates(KerasTensor((None, 4)), KerasTensor((2, None)), 1).shape == (None,)
    assert ops.image.extract_patches_3d(KerasTensor((None, 8, None, 8, 2)), 2).shape == (None, 4, None, 4, 16)


E_ = lambda call, text: pytest.param(call, text, id=text[:40])


@pytest.mark.parametrize(
    ("call", "text"),
    [
        E_(lambda: ops.image.resize(IMAGES, (2, 2), "cubic"), "resize: interpolation must be one of"),
        E_(lambda: ops.image.resize(IMAGES, (2, 2), fill_mode="edge"), "resize: fill_mode must be 'constant'"),
        E_(lambda: ops.image.resize(IMAGES, (2,)), "resize: size is"),
        E_(lambda: ops.image.resize(IMAGES, (-2, 3)), "resize: size is"),
        E_(lambda: ops.image.resize(IMAGES[0, 0], (2, 2)), "resize: wanted one image of 3 axes or a batch of 4; got the shape (5, 3)"),
        E_(lambda: ops.image.resize(IMAGES, (2, 2), crop_to_aspect_ratio=True, pad_to_aspect_ratio=True), "resize: only one of"),
        E_(lambda: ops.image.affine_transform(IMAGES, TRANSFORMS, "bicubic"), "affine_transform: interpolation must be"),
        E_(lambda: ops.image.affine_transform(IMAGES, TRANSFORMS, fill_mode="edge"), "affine_transform: fill_mode must be one of"),
        E_(lambda: ops.image.affine_transform(IMAGES, TRANSFORMS[:, :6]), "affine_transform: transform must have the shape (8,) or (batch, 8); got (2, 6)"),
        E_(lambda: ops.image.perspective_transform(IMAGES, START[:, :3], END), "perspective_transform: start_points must have the shape"),
        E_(lambda: ops.image.map_coordinates(PLANE, PLACES, 3), "map_coordinates: order must be 0 or 1; got 3"),
        E_(lambda: ops.image.map_coordinates(PLANE, PLACES[:1], 1), "map_coordinates: coordinates needs a first axis of 2"),
        E_(lambda: ops.image.elastic_transform(IMAGES, sigma=0.0), "elastic_transform: sigma must be above 0"),
        E_(lambda: ops.image.gaussian_blur(IMAGES, (0, 3)), "gaussian_blur: kernel_size must be 2 whole numbers above 0"),
        E_(lambda: ops.image.gaussian_blur(IMAGES, (3, 3), (1.0, -1.0)), "gaussian_blur: sigma must be 2 numbers above 0"),
        E_(lambda: ops.image.ssim(LARGE, OTHER[:, :, :5]), "ssim: shapes"),
        E_(lambda: ops.image.ssim(IMAGES, IMAGES), "window"),
        E_(lambda: ops.image.scale_and_translate(IMAGES, (2, 8, 4, 3), SCALE, MOVE, (1, 2), "nearest"), "scale_and_translate: method must be one of"),
        E_(lambda: ops.image.scale_and_translate(IMAGES, (2, 8, 4, 1), SCALE, MOVE, (1, 2), "linear"), "scale_and_translate: output_shape (2, 8, 4, 1)"),
        E_(lambda: ops.image.scale_and_translate(IMAGES, (2, 8, 4, 3), SCALE[:1], MOVE, (1, 2), "linear"), "scale_and_translate: scale needs a number"),
        E_(lambda: ops.image.extract_patches(IMAGES, (2, 0)), "extract_patches: size must be 2 whole numbers above 0"),
        E_(lambda: ops.image.extract_patches_3d(IMAGE, 2), "extract_patches_3d: wanted 4 axes, or 5 for a batch; got the shape (6, 5, 3)"),
        E_(lambda: ops.image.crop_images(IMAGES, 1, 0, -1, 0), "crop_images: the amounts must be at least 0, and no more than there is; got 1 and -1"),
        E_(lambda: ops.image.pad_images(IMAGES, 1, 1, target_height=4, right_padding=0), "pad_images: the amounts must be at least 0"),
        E_(lambda: ops.image.crop_images(IMAGES, 4, 1, 4, 0), "crop_images: "),
        E_(lambda: ops.image.pad_images(IMAGES, 1, 1), "pad_images: give two of"),
        E_(lambda: ops.image.rgb_to_grayscale(LARGE), "rgb_to_grayscale: the channels of (2, 13, 12, 2) must be 3"),
        E_(lambda: ops.image.rgb_to_hsv(BYTES), "rgb_to_hsv: wanted floats"),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, text):
    backends.load("numpy")
    with pytest.raises(ValueError) as caught:
        call()
    assert text in str(caught.value), caught.value
