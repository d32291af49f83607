"""CTC: the loss and the decoders against all ways of saying an answer, and against Keras."""

import itertools

import numpy as np
import pytest

from cornu import backends, ops
from cornu.symbolic import KerasTensor
from tests.ops import rows
from tests.ops.cases import C, N
from tests.ops.check import draw

LOGITS = draw((3, 5, 4), -3, 3)
STEPS = np.array([5, 3, 0], "int32")
TARGET, LABELS = np.array([[1, 2, 2], [3, 0, 0], [0, 0, 0]], "int32"), np.array([3, 1, 0], "int32")

ROWS = {
    "ctc_decode": [
        N(LOGITS, STEPS),
        N(LOGITS, STEPS, merge_repeated=False, mask_index=3),
        N(LOGITS, STEPS, mask_index=2),
        N(LOGITS[:2], STEPS[:2], "beam_search", 40, 3),
        N(LOGITS[:2], STEPS[:2], "beam_search", 3, 2, mask_index=3),
        N(draw((2, 9, 3), -2, 2, seed=5), np.array([9, 6]), "beam_search", 5, 5, False),
    ],
    "ctc_loss": [C(TARGET[:2], LOGITS[:2], LABELS[:2], STEPS[:2]), C(TARGET[:2] + 0, LOGITS[:2], LABELS[:2] - 1, STEPS[:2])],
}  # fmt: skip


@pytest.fixture(scope="module")
def keras():
    return rows.answers(ROWS)


@pytest.mark.parametrize(("name", "i"), rows.each(ROWS))
def test_values_are_those_of_keras(name, i, keras):
    rows.check_values(getattr(ops, name), ROWS[name][i], keras[name, i], i in (0, 3), f"{name} {i}")


def test_gradients():
    rows.check_gradients(ops.ctc_loss, ROWS["ctc_loss"][0], True)


@pytest.mark.parametrize(("name", "i"), rows.each(ROWS))
def test_inferred_shapes(name, i):
    case = ROWS[name][i]
    if name == "ctc_decode":
        rows.check_shapes(ops.ctc_decode, case, (0, 1))


def answers(chances, blank):
    """Every answer of at most as many labels as there are steps -> the sum of the probabilities of all ways to say it."""
    found = {}
    for path in itertools.product(range(chances.shape[1]), repeat=len(chances)):
        said = tuple(c for c, before in zip(path, (None, *path)) if c not in (before, blank))
        found[said] = found.get(said, 0) + np.prod([row[c] for row, c in zip(chances, path)])
    return found


@pytest.mark.parametrize("blank", [0, 2, -1])
def test_a_wide_beam_finds_the_best_answers(blank):
    backends.load("numpy")
    logits = draw((1, 5, 3), -2, 2, seed=7)
    chances = np.exp(logits[0].astype("float64"))
    chances /= chances.sum(1, keepdims=True)
    wanted = sorted(answers(chances, blank % 3).items(), key=lambda item: -item[1])[:6]
    labels, scores = ops.ctc_decode(logits, [5], "beam_search", beam_width=60, top_paths=6, mask_index=blank)
    for (answer, chance), row, score in zip(wanted, labels[:, 0], scores[0], strict=True):
        assert tuple(c for c in row.tolist() if c >= 0) == answer
        np.testing.assert_allclose(score, np.log(chance), rtol=1e-4)


def test_the_loss_is_that_of_all_ways():
    backends.load("numpy")
    chances = np.exp(LOGITS[0].astype("float64"))
    chances /= chances.sum(1, keepdims=True)
    found = ops.ctc_loss(TARGET[:1], LOGITS[:1], LABELS[:1], STEPS[:1])
    np.testing.assert_allclose(found, [-np.log(answers(chances, 0)[1, 2, 2])], rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types(dtype):
    backends.load("numpy")
    half = ops.cast(LOGITS[:2], dtype)
    loss = ops.ctc_loss(TARGET[:2], half, LABELS[:2], STEPS[:2])
    assert backends.kind(loss) == dtype
    wanted = ops.ctc_loss(TARGET[:2], ops.cast(half, "float32"), LABELS[:2], STEPS[:2])
    np.testing.assert_allclose(np.asarray(loss, "float32"), wanted, rtol=1e-2)
    labels, scores = ops.ctc_decode(half, STEPS[:2], "beam_search", 10)
    assert np.isfinite(scores).all() and labels.shape == (1, 2, 5)


def test_in_a_model():
    labels, scores = ops.ctc_decode(KerasTensor((None, 7, 4)), KerasTensor((None,), "int32"), "beam_search", 5, 2)
    assert (labels.shape, labels.dtype, scores.shape, scores.dtype) == ((2, None, 7), "int32", (None, 2), "float32")
    labels, scores = ops.ctc_decode(KerasTensor((None, None, 4)), KerasTensor((None,), "int32"))
    assert (labels.shape, scores.shape) == ((1, None, None), (None, 1))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: ops.ctc_decode(LOGITS, STEPS, "best"), "ctc_decode: strategy must be 'greedy' or 'beam_search'; got 'best'"),
        (lambda: ops.ctc_decode(LOGITS[0], STEPS), "ctc_decode: wanted inputs of (batch, steps, classes); got the shape (5, 4)"),
        (lambda: ops.ctc_decode(LOGITS, STEPS[:2]), "ctc_decode: the rows of inputs and of sequence_lengths: the sizes 3 and 2 differ"),
        (lambda: ops.ctc_decode(LOGITS, STEPS, mask_index=4), "ctc_decode: mask_index must be one of the 4 classes; got 4"),
        (lambda: ops.ctc_decode(LOGITS, STEPS, "beam_search", 2, 3), "ctc_decode: top_paths must be from 1 to beam_width; got 3 and 2"),
        (lambda: ops.ctc_loss(TARGET[0], LOGITS, LABELS, STEPS), "ctc_loss: wanted target (batch, labels)"),
    ],
)
def test_bad_input_is_named(call, text):
    backends.load("numpy")
    with pytest.raises(ValueError) as caught:
        call()
    assert text in str(caught.value)
