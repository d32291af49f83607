"""Boxes, masks and galleries: what is drawn where."""

import numpy as np
import pytest

from cornu import visualization
from cornu.visualization.drawing import PALETTE
from tests import oracle

RED = (255, 0, 0)
GRAY = np.full((1, 40, 60, 3), 90, "uint8")
FORMATS = {  # a box of x from 10 to 30, y from 5 to 25 in 60 x 40
    "xyxy": [10, 5, 30, 25],
    "yxyx": [5, 10, 25, 30],
    "xywh": [10, 5, 20, 20],
    "center_xywh": [20, 15, 20, 20],
    "center_yxhw": [15, 20, 20, 20],
    "rel_xyxy": [10 / 60, 5 / 40, 0.5, 25 / 40],
    "rel_yxyx": [5 / 40, 10 / 60, 25 / 40, 0.5],
    "rel_xywh": [10 / 60, 5 / 40, 20 / 60, 0.5],
}


def boxes(*rows, labels=None):
    return {"boxes": np.array([rows], "float32"), "labels": np.array([labels or [0] * len(rows)])}


@pytest.mark.parametrize("box_format", FORMATS)
def test_a_box_in_every_format(box_format):
    drawn = visualization.draw_bounding_boxes(GRAY, boxes(FORMATS[box_format]), box_format, color=RED, line_thickness=1)
    y, x = np.nonzero((drawn[0] == RED).all(-1))
    assert (x.min(), x.max(), y.min(), y.max()) == (10, 30, 5, 25)
    wanted = np.zeros((40, 60), bool)
    wanted[5:26, [10, 30]] = wanted[[5, 25], 10:31] = True
    np.testing.assert_array_equal((drawn[0] == RED).all(-1), wanted)
    assert (GRAY == 90).all()  # what was given is as it was


def test_names_lines_and_what_is_no_box():
    plain = visualization.draw_bounding_boxes(GRAY, boxes(FORMATS["xyxy"]), "xyxy", color=RED, line_thickness=3)
    assert (plain[0, 6, 15] == RED).all() and (plain[0, 8, 15] == 90).all()
    named = visualization.draw_bounding_boxes(GRAY, boxes(FORMATS["xyxy"], labels=[1]), "xyxy", {1: "cat"}, RED)
    assert (named[0] != plain[0]).any() and (named == 255).all(-1).sum() > 10  # white letters on red
    nothing = visualization.draw_bounding_boxes(GRAY, boxes(FORMATS["xyxy"], [1, 1, np.nan, 3], labels=[-1, 0]), "xyxy")
    np.testing.assert_array_equal(nothing, GRAY)
    first = visualization.draw_bounding_boxes(
        GRAY.transpose(0, 3, 1, 2), boxes(FORMATS["xyxy"]), "xyxy", color=RED, line_thickness=3, data_format="channels_first"
    )
    np.testing.assert_array_equal(first, plain)


_MASKS = """
for i, (images, masks, given) in enumerate(cases):
    out[str(i)] = keras.visualization.draw_segmentation_masks(images, masks, **given)
"""


def test_masks_as_keras():
    rng = np.random.default_rng(0)
    images, masks = rng.integers(0, 256, (2, 5, 6, 3)).astype("uint8"), rng.integers(-1, 3, (2, 5, 6, 1)).astype("int32")
    colors = {0: (10, 20, 30), 1: (200, 0, 100), 2: (255, 255, 0)}
    cases = [(images, masks, {"num_classes": 3, "color_mapping": colors, "alpha": alpha}) for alpha in (0.0, 0.3, 0.8, 1.0)]
    cases.append((images.astype("float32"), masks, {"num_classes": 3, "color_mapping": colors, "ignore_index": 2}))
    cases[-1] = (images.astype("float32"), np.maximum(masks, 0), cases[-1][2])
    wanted = oracle.run(_MASKS, cases=cases)
    for i, (x, mask, arguments) in enumerate(cases):
        found = visualization.draw_segmentation_masks(x, mask, **arguments)
        assert found.dtype == np.uint8
        np.testing.assert_allclose(found.astype(int), np.asarray(wanted[str(i)]).astype(int), atol=1, err_msg=str(arguments))


def test_masks():
    masks = np.zeros((1, 40, 60), "int64")
    masks[:, 10:20] = 1
    masks[:, 30:] = -1
    found = visualization.draw_segmentation_masks(GRAY, masks, blend=False)
    assert (found[0, 0, 0] == PALETTE[0]).all() and (found[0, 15, 3] == PALETTE[1]).all() and (found[0, 35, 3] == 90).all()
    many = visualization.draw_segmentation_masks(np.zeros((1, 1, 30, 1)), np.arange(30).reshape(1, 1, 30), blend=False)
    assert len(np.unique(many.reshape(-1, 3), axis=0)) == 30  # a colour for each


def test_galleries(tmp_path):
    images = np.random.default_rng(0).random((5, 20, 30, 3))
    figure = visualization.plot_image_gallery(images, [0, 1, 2, 3, 4], [0, 1, 2, 0, 4], {0: "zero", 3: "three"}, value_range=(0, 1), path=tmp_path / "a.png")
    assert [axes.get_title() for axes in figure.axes] == ["zero", "1", "2", "zero\nis three", "4"] and len(figure.axes) == 5
    shown = figure.axes[2].get_images()[0].get_array()
    np.testing.assert_array_equal(shown, np.round(images[2] * 255).astype("uint8"))
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG") and figure.axes[0].get_subplotspec().get_gridspec().get_geometry() == (2, 3)
    figure = visualization.plot_image_gallery(images, rows=1, cols=2)
    assert len(figure.axes) == 2
    found = {"boxes": np.tile(np.array([[[2, 3, 9, 12]]], "float32"), (5, 1, 1)), "labels": np.zeros((5, 1), int)}
    figure = visualization.plot_bounding_box_gallery(images, "xyxy", found, found, (0, 1), class_mapping={0: "x"}, legend=True, path=tmp_path / "b.svg")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["ground truth", "prediction"] and (tmp_path / "b.svg").exists()
    masks = np.zeros((5, 20, 30), int)
    figure = visualization.plot_segmentation_mask_gallery(images, 2, (0, 1), masks, masks, rows=5, cols=1)
    assert figure.axes[0].get_images()[0].get_array().shape == (20, 92, 3) and len(figure.legends[0].get_texts()) == 2
    figure = visualization.plot_segmentation_mask_gallery(images, 2, (0, 1))
    assert figure.axes[0].get_images()[0].get_array().shape == (20, 30, 3) and not figure.legends


def test_a_window_only_when_asked(monkeypatch):
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as pyplot

    calls = []
    monkeypatch.setattr(pyplot, "show", lambda: calls.append(1))
    visualization.plot_image_gallery(GRAY)
    assert not calls and not pyplot.get_fignums()
    visualization.plot_image_gallery(GRAY, show=True)
    assert calls and pyplot.get_fignums()
    pyplot.close("all")


V = visualization
MASK = np.zeros((1, 40, 60), int)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: V.draw_bounding_boxes(GRAY[0], boxes([1, 2, 3, 4]), "xyxy"), "images must be a batch"),
        (lambda: V.draw_bounding_boxes(GRAY[..., :2], boxes([1, 2, 3, 4]), "xyxy"), "1, 3 or 4 channels; got 2"),
        (lambda: V.draw_bounding_boxes(GRAY, boxes([1, 2, 3, 4]), "xxyy"), "bounding_box_format must be one of"),
        (lambda: V.draw_bounding_boxes(GRAY, boxes([1, 2, 3, 4]), "center_xyxy"), "bounding_box_format must be one of"),
        (lambda: V.draw_bounding_boxes(GRAY, np.zeros((1, 1, 4)), "xyxy"), '"boxes" and "labels"'),
        (lambda: V.draw_bounding_boxes(GRAY, boxes([1, 2, 3]), "xyxy"), r"wanted boxes \(batch, boxes, 4\)"),
        (lambda: V.draw_bounding_boxes(GRAY, boxes([1, 2, 3, 4]), "xyxy", color="red"), "color must be"),
        (lambda: V.draw_bounding_boxes(GRAY, boxes([1, 2, 3, 4]), "xyxy", color=(0, 0, 300)), "color must be"),
        (lambda: V.draw_bounding_boxes(GRAY, boxes([1, 2, 3, 4]), "xyxy", line_thickness=0), "line_thickness must be"),
        (lambda: V.draw_bounding_boxes(GRAY, boxes([1, 2, 3, 4]), "xyxy", font_scale="big"), "font_scale must be"),
        (lambda: V.draw_segmentation_masks(GRAY, MASK.astype(float)), "segmentation_masks must be whole numbers"),
        (lambda: V.draw_segmentation_masks(GRAY, MASK[:, :5]), "the masks must have the shape"),
        (lambda: V.draw_segmentation_masks(GRAY, MASK + 3, num_classes=2), r"classes are numbered from 0 to 1; the masks have \[3\]"),
        (lambda: V.draw_segmentation_masks(GRAY, MASK, alpha=2), "alpha must be"),
        (lambda: V.draw_segmentation_masks(GRAY, MASK, num_classes=0), "num_classes must be"),
        (lambda: V.draw_segmentation_masks(GRAY, MASK, color_mapping=[RED]), "color_mapping must be"),
        (lambda: V.draw_segmentation_masks(GRAY, MASK, color_mapping={0: 3}), r"color_mapping\[0\] must be"),
        (lambda: V.plot_image_gallery(GRAY, rows=0), "rows must be"),
        (lambda: V.plot_image_gallery(GRAY[:0]), "there is no picture"),
        (lambda: V.plot_image_gallery(GRAY, y_true=[1, 2]), "y_true must have a label for each of the 1 pictures; got 2"),
        (lambda: V.plot_image_gallery(GRAY, value_range=(1, 0)), "value_range must be"),
        (lambda: V.plot_image_gallery(GRAY, scale=0), "scale must be"),
        (lambda: V.plot_image_gallery(GRAY, path="a.png", show=True), "not both"),
        (lambda: V.plot_image_gallery(GRAY, label_map=["a"]), "label_map must be"),
        (lambda: V.plot_bounding_box_gallery(GRAY, "xyxy", legend=True, legend_handles=[1]), "not both"),
        (lambda: V.plot_bounding_box_gallery(GRAY, "xyxy", boxes([1, 2, 3, 4]), true_color=3), "true_color must be"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
