"""Boxes: formats, overlap, where they go. Against Keras, and by what must hold."""

import doctest

import numpy as np
import pytest

from cornu import backends, ops
from cornu.symbolic import KerasTensor
from cornu.utils import bounding_boxes as bb
from tests.ops import rows
from tests.ops.cases import C, N

BOXES = np.array([[10, 20, 30, 60], [5, 5, 50, 45.0], [0, 0, 7, 3]], "float32")
OTHERS = np.array([[12, 18, 33, 50], [6, 4, 52, 41], [1, 1, 5, 9.0]], "float32")
BATCH = np.stack([BOXES, OTHERS])
NONE = np.array([[-2, -2, -1, -1], [-1, -1, 5, 5], [0, 0, 0, 0], [1, 1, 3, 3.0]], "float32")
OUTSIDE = np.array([[[-5, -5, 30, 300.0], [500, 2, 600, 3], [3, 4, 5, 6]]], "float32")
PIXELS = [name for name in bb.FORMATS if not name.startswith("rel_")]
one = lambda x: np.array([x, -x], "float32")
MOVES = [one(30), one(0.1), one(0.2), one(1.0) ** 2 * 1.3, one(10), one(20)]

ROWS = {
    "convert_format": [
        *(C(BOXES, a, b, 100, 200) for a in ("xyxy", "center_yxhw", "rel_xywh") for b in bb.FORMATS),
        *(C(BATCH, a, "yxyx", 100, 200) for a in bb.FORMATS),
        N(BOXES.astype("int32"), "xyxy", "xywh"),
        N(BOXES, "xyxy", "xywh", dtype="int32"),
    ],
    "compute_iou": [
        *(C(BOXES, OTHERS, name) for name in PIXELS),
        C(BATCH, BOXES, "xyxy"),
        C(BOXES, BATCH, "xyxy"),
        C(BATCH, BATCH[::-1].copy(), "xywh"),
        C(BOXES / 100, OTHERS / 100, "rel_xyxy", image_shape=(100, 200, 3)),
        N(NONE, NONE, "xyxy", True),
        N(NONE, NONE, "xywh", True, -7),
    ],
    "compute_ciou": [
        *(C(BOXES, OTHERS, name, tolerance=1e-4) for name in PIXELS),
        N(NONE, NONE[::-1].copy() + 1, "xyxy", tolerance=1e-4),
    ],
    "clip_to_image_size": [C({"boxes": OUTSIDE, "labels": np.array([[1, 2, 3]])}, 100, 200), C({"boxes": OUTSIDE / 100}, bounding_box_format="rel_xyxy")],
    "pad": [C(BOXES, 3, 4)],
    "crop": [C(BATCH, 3, 4, 20, 30)],
    "affine_transform": [
        C(BATCH, *MOVES, 100, 200, tolerance=1e-4),
        C(BATCH, *MOVES, 100, 200, 0.25, 0.6, tolerance=1e-4),
        *(C(BATCH, *(m if i == j else one(0) + (j == 3) for j, m in enumerate(MOVES)), 100, 200, tolerance=1e-4) for i in range(6)),
    ],
    "encode_box_to_deltas": [
        *(C(BOXES, BATCH, "xyxy", "xyxy", e) for e in ("center_yxhw", "center_xywh")),
        C(BOXES, OTHERS, "xywh", "center_yxhw", variance=[0.1, 0.1, 0.2, 0.3]),
        C(BOXES / 100, BATCH / 100, "rel_xyxy", "rel_xyxy", image_shape=(100, 200, 3), tolerance=1e-4),
        N(NONE, BOXES[[0, 1, 2, 0]], "xyxy", "xyxy"),
    ],
    "decode_deltas_to_boxes": [
        *(C(BOXES, BATCH / 100, "xyxy", "yxyx", e) for e in ("center_yxhw", "center_xywh")),
        C(BOXES, BATCH / 100, "xywh", "rel_xyxy", image_shape=(100, 200, 3), variance=[0.1, 0.1, 0.2, 0.3]),
        N({"a": BOXES, "b": OTHERS}, {"a": BATCH / 100, "b": BATCH / 90}, "xyxy", "xyxy"),
    ],
}


@pytest.fixture(scope="module")
def keras():
    return rows.answers(ROWS, "utils.bounding_boxes")


@pytest.mark.parametrize(("name", "i"), rows.each(ROWS))
def test_values_are_those_of_keras(name, i, keras):
    case = ROWS[name][i]
    rows.check_values(getattr(bb, name), case, keras[name, i], i == 0 and isinstance(case.args[0], np.ndarray), f"{name} {i}")


@pytest.mark.parametrize("name", ["compute_iou", "compute_ciou", "affine_transform", "encode_box_to_deltas", "decode_deltas_to_boxes"])
def test_gradients(name):
    rows.check_gradients(getattr(bb, name), ROWS[name][0], True)


@pytest.mark.parametrize("name", PIXELS)
def test_every_format_moves_alike(name):
    backends.load("numpy")
    to = lambda x, source, target: np.asarray(bb.convert_format(x, source, target))
    named = to(BATCH, "xyxy", name)
    ways = {
        "pad": lambda x, f: bb.pad(x, 3, 4, bounding_box_format=f),
        "crop": lambda x, f: bb.crop(x, 3, 4, 20, 30, f),
        "clip": lambda x, f: bb.clip_to_image_size(x, 30, 20, f),
        "affine": lambda x, f: bb.affine_transform(x, *MOVES, 100, 200, bounding_box_format=f),
    }
    for way, function in ways.items():
        np.testing.assert_allclose(to(function(named, name), name, "xyxy"), function(BATCH, "xyxy"), atol=1e-3, err_msg=way)


def test_numbers_do_for_one_image():
    backends.load("numpy")
    found = bb.affine_transform(BOXES, 90.0, 0.0, 0.0, 1.0, 0.0, 0.0, 100, 200)
    np.testing.assert_allclose(found[0], [70, 119, 110, 139], atol=1e-3)  # about (99.5, 49.5), counter-clockwise


def test_relative_boxes_move_too():
    backends.load("numpy")
    a, b = (bb.convert_format(x, "xyxy", "rel_yxyx", 100, 200) for x in (BOXES, OTHERS))
    np.testing.assert_allclose(bb.compute_ciou(a, b, "rel_yxyx", (100, 200, 3)), bb.compute_ciou(BOXES, OTHERS, "xyxy"), atol=1e-5)
    relative = bb.convert_format(BOXES, "xyxy", "rel_xywh", 100, 200)
    back = bb.convert_format(bb.pad(relative, 3, 4, 100, 200, "rel_xywh"), "rel_xywh", "xyxy", 100, 200)
    np.testing.assert_allclose(back, BOXES + [4, 3, 4, 3], atol=1e-4)


def test_boxes_of_a_model():
    x = KerasTensor((None, None, 4))
    assert bb.convert_format(x, "xywh", "rel_yxyx", 100, 200).shape == (None, None, 4)
    assert bb.compute_iou(x, KerasTensor((None, 7, 4)), "xyxy").shape == (None, None, 7)
    assert bb.compute_ciou(x, x, "center_xywh").shape == (None, None)
    assert bb.encode_box_to_deltas(KerasTensor((9, 4)), KerasTensor((None, 9, 4)), "xyxy", "xyxy").shape == (None, 9, 4)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: bb.convert_format(BOXES, "xyxy", "corners"), "convert_format: a format is one of xyxy"),
        (lambda: bb.convert_format(BOXES, "xyxy", "rel_xyxy"), "needs the image's height and width; got None and None"),
        (lambda: bb.convert_format(BOXES[:, :3], "xyxy", "xywh"), "four numbers on the last axis; got the shape (3, 3)"),
        (lambda: bb.compute_iou(BOXES[0], BOXES[0], "xyxy"), "compute_iou: wanted boxes of (boxes, 4) or (batch, boxes, 4); got (4,) and (4,)"),
        (lambda: bb.compute_iou(BOXES, BOXES, "rel_xyxy"), "compute_iou: the format 'rel_xyxy' needs"),
        (lambda: bb.compute_ciou(BOXES, BOXES, "rel_xyxy", image_shape=(3,)), "image_shape is (height, width, channels); got (3,)"),
        (lambda: bb.clip_to_image_size(BOXES), "clip_to_image_size: the format 'xyxy' needs height and width"),
        (lambda: bb.crop(BOXES, 0, 0, 1, 1, "rel_xyxy"), "crop: wanted a format in pixels"),
        (lambda: bb.encode_box_to_deltas(BOXES, BOXES, "xyxy", "xyxy", "xyxy"), "the encoding is 'center_xywh' or 'center_yxhw'; got 'xyxy'"),
        (lambda: bb.decode_deltas_to_boxes(BOXES, BOXES, "xyxy", "xyxy", variance=[1, 2]), "variance must be four numbers; got [1, 2]"),
    ],
)
def test_bad_input_is_named(call, text):
    with pytest.raises(ValueError) as caught:
        call()
    assert text in str(caught.value)


def test_examples(backend):
    assert doctest.testmod(bb, extraglobs={"ops": ops}).failed == 0
