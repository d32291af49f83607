"""Shape rules, the interpreter of shapes, and the one that counts."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cornu import ops, shapes
from cornu.backends import cost, protocol, spec
from cornu.shapes import DERIVED, UNKNOWN, Spec


@pytest.mark.parametrize("interpreter", [spec, cost])
def test_every_primitive_is_there(interpreter):
    assert [name for name in (*protocol.UNARY, *protocol.BINARY, *protocol.PRIMITIVES) if not hasattr(interpreter, name)] == []


def test_unknown_sizes():
    assert UNKNOWN == None and UNKNOWN * 2 == None and UNKNOWN + 1 is DERIVED  # noqa: E711
    assert pickle.loads(pickle.dumps((UNKNOWN, DERIVED))) == (UNKNOWN, DERIVED)
    assert copy.deepcopy(UNKNOWN) is UNKNOWN
    assert Spec((UNKNOWN * 2,)).shape[0] is UNKNOWN


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ((2, 6), (3, -1), (3, 4)),
        ((None, 4, 6), (-1, 24), (None, 24)),
        ((None, 12), (UNKNOWN, -1, 3), (None, 4, 3)),
        ((None, 4, 10, 8), (DERIVED, -1, 8), (None, None, 8)),
        ((None, None, 6), (UNKNOWN, UNKNOWN, 2, 3), (None, None, 2, 3)),
        ((0, 3), (-1, 3), (0, 3)),
        ((), (1, 1), (1, 1)),
    ],
)
def test_reshape(old, new, wanted):
    assert shapes.public(shapes.reshape(Spec(old).shape, new)) == wanted


@pytest.mark.parametrize(("old", "new"), [((2, 3), (4, 2)), ((2, 3), (-1, 4)), ((2, 3), (-1, -1)), ((2, 3), (-2, 3))])
def test_reshape_errors_show_both_shapes(old, new):
    with pytest.raises(ValueError, match=r"reshape.*\(2, 3\) to"):
        shapes.reshape(old, new)


@given(st.lists(st.integers(1, 4), max_size=3), st.lists(st.integers(1, 4), max_size=3))
def test_broadcasting_is_numpys(a, b):
    try:
        wanted = np.broadcast_shapes(tuple(a), tuple(b))
    except ValueError:
        with pytest.raises(ValueError, match="do not fit together"):
            shapes.broadcast(a, b)
    else:
        assert shapes.broadcast(a, b) == wanted


@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))
def test_same_padding_gives_the_size_divided_by_the_stride_rounded_up(size, length, stride, dilation):
    ((low, high),) = shapes.paddings("same", (size,), (length,), (stride,), (dilation,))
    assert shapes.window(size, length, stride, (low, high), dilation) == -(-size // stride)
    assert 0 <= high - low <= 1


def test_images_of_unknown_size():
    x, kernel = Spec((None, None, None, 3)), Spec((3, 3, 3, 8))
    assert ops.conv(x, kernel, 2, "same").shape == (None, None, None, 8)
    assert ops.max_pool(x, 2).shape == (None, None, None, 3)
    assert ops.conv_transpose(x, Spec((3, 3, 8, 3)), 2, "same").shape == (None, None, None, 8)
    assert ops.adaptive_average_pool(x, (4, 5)).shape == (None, 4, 5, 3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ops.matmul(Spec((2, 3)), Spec((4, 5))), r"matmul.*\(2, 3\).*\(4, 5\)"),
        (lambda: ops.add(Spec((2, 3)), Spec((4,))), r"add.*\(2, 3\) and \(4,\)"),
        (lambda: ops.concatenate([Spec((2, 3)), Spec((3, 3))], 1), r"concatenate.*\(2, 3\), \(3, 3\)"),
        (lambda: ops.conv(Spec((1, 5, 5, 3)), Spec((3, 3, 4, 8))), r"conv.*\(1, 5, 5, 3\).*3 channels.*\(3, 3, 4, 8\) takes 4"),
        (lambda: ops.conv(Spec((1, 2, 2, 3)), Spec((3, 3, 3, 8))), "conv: a window of 3 does not fit on an axis of 2"),
        (lambda: ops.squeeze(Spec((2, 3)), 0), r"squeeze: axis 0 of the shape \(2, 3\)"),
        (lambda: ops.transpose(Spec((2, 3)), (0, 0)), "transpose"),
        (lambda: ops.sum(Spec((2, 3)), 2), "sum: axis 2 is out of range for a tensor of 2 axes"),
        (lambda: ops.split(Spec((2, 3)), 2, 1), "split: axis 1 .* has the size 3, which is not a multiple of 2"),
        (lambda: ops.top_k(Spec((2, 3)), 4), "top_k: wanted the 4 largest"),
        (lambda: ops.sparse_categorical_crossentropy(Spec((4, 3), "int32"), Spec((4, 3))), "One-hot targets go with categorical_crossentropy"),
        (lambda: ops.max(Spec((0, 3)), 0), "max: there is no element"),
        (lambda: ops.einsum("ij,jk->ik", Spec((2, 3)), Spec((4, 5))), "einsum"),
    ],
)
def test_errors_name_the_op_and_the_shapes(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_cost_of_products_and_convolutions():
    with cost.counting() as tally:
        ops.matmul(Spec((None, 3, 4)), Spec((4, 5)))
    assert (tally.flops, tally.read, tally.written) == (2 * 3 * 4 * 5, 4 * (12 + 20), 4 * 15)
    with cost.counting() as tally:
        ops.conv(Spec((None, 8, 8, 3)), Spec((3, 3, 3, 16)), padding="same")
    assert tally.flops == 2 * 8 * 8 * 16 * 3 * 3 * 3
    with cost.counting() as tally:
        ops.depthwise_conv(Spec((1, 8, 8, 3)), Spec((3, 3, 3, 2)), padding="same")
    assert tally.flops == 2 * 8 * 8 * 6 * 3 * 3


def test_cost_of_the_rest():
    with cost.counting() as tally:
        ops.add(Spec((2, 3)), 1)
        ops.sum(Spec((5, 6)), 0)
        ops.reshape(Spec((5, 6)), (30,))
    assert tally.flops == 6 + 30
    assert tally.calls == {"add": 1, "sum": 1}
    with cost.counting() as tally:
        ops.scan(lambda c, x: (c + x, c), Spec((4,)), Spec((10, 4)))
    assert tally.flops == 40
    with cost.counting() as outer:
        ops.add(Spec((2,)), 1)
        with cost.counting() as inner:
            ops.add(Spec((3,)), 1)
    assert (inner.flops, outer.flops) == (3, 5)
    assert protocol.spec is spec
