"""Ops between layers: Keras reads what we write of them, we read what Keras writes, and both compute the same."""

import json

import numpy as np
import pytest

from cornu import layers, models, ops
from tests import oracle

_UNARY = (
    "abs all any amax amin max min mean sum prod std var argmax argmin argsort sort average ceil floor round sign sqrt square exp expm1 log1p logical_not sin cos tan "
    "sinh cosh tanh arctan arcsinh negative reciprocal isnan isinf isfinite cumsum cumprod count_nonzero flip nan_to_num ones_like zeros_like ravel squeeze transpose "
    "tril triu relu relu6 sigmoid softplus softsign silu gelu elu selu leaky_relu hard_sigmoid hard_silu hard_tanh softmax log_softmax log_sigmoid celu glu "
    "tanh_shrink hard_shrink soft_shrink sparse_plus squareplus logsumexp erf stop_gradient norm normalize rms_normalization layer_normalization trunc "
    "signbit cbrt nansum nanmax ptp fliplr diagonal trace"
).split()
_BINARY = "add subtract multiply divide floor_divide mod maximum minimum equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor arctan2 hypot logaddexp".split()
_CALLS = """
ops.mean(x, axis=-1, keepdims=True)|ops.sum(x, (1, 2))|ops.reshape(x, (-1, 24))|ops.transpose(x, (0, 2, 1))|ops.expand_dims(x, -1)|ops.squeeze(ops.expand_dims(x, -1), -1)
ops.concatenate([x, y], axis=1)|ops.stack([x, y], axis=1)|ops.split(x, 2, axis=1)[1]|ops.tile(x, (1, 1, 2))|ops.repeat(x, 2, axis=1)|ops.pad(x, ((0, 0), (1, 1), (0, 0)))
ops.pad(x, ((0, 0), (1, 1), (0, 0)), constant_values=2.0)|ops.clip(x, 0.0, 1.0)|ops.where(x > 0, x, y)|ops.where(x > 0, x, 0.0)|ops.cast(x, "int32")|ops.softmax(x, axis=1)
ops.leaky_relu(x, 0.3)|ops.gelu(x, approximate=False)|ops.elu(x, alpha=0.5)|ops.einsum("bij,bkj->bik", x, y)|ops.take(x, [0, 1], axis=1)|ops.take_along_axis(x, ops.cast(y > 0, "int32"), axis=1)
x[:, 0]|x[..., 1:3]|x[:, None]|x[:, 1:, ::2]|x[0]|ops.one_hot(ops.cast(x > 0, "int32"), 5)|ops.top_k(x, 2)[0]|ops.norm(x, axis=-1)|ops.normalize(x, axis=-1)|ops.cumsum(x, axis=1)|ops.flip(x, axis=1)
ops.roll(x, 1, axis=1)|ops.swapaxes(x, 1, 2)|ops.moveaxis(x, 1, 2)|ops.add(x, np.arange(6, dtype="float32"))|ops.logsumexp(x, axis=-1)|ops.tensordot(x, y, axes=[[1, 2], [1, 2]])
ops.conv(x, np.ones((3, 6, 2), "float32"), padding="same")|ops.max_pool(x, 2)|ops.average_pool(x, 2, padding="same")|ops.slice(x, (0, 0, 0), (1, 2, 2))|-x|1 - x|x**2|abs(x)|2.0 / (x + 9.0)
x @ ops.transpose(y, (0, 2, 1))|ops.full_like(x, 2.0)|ops.zeros_like(x, dtype="int32")|ops.batch_normalization(x, np.zeros(6, "float32"), np.ones(6, "float32"), -1)|ops.nan_to_num(x, nan=1.0)
ops.dot_product_attention(ops.expand_dims(x, 2), ops.expand_dims(x, 2), ops.expand_dims(y, 2))|ops.binary_crossentropy(ops.sigmoid(x), ops.sigmoid(y))|ops.categorical_crossentropy(ops.softmax(x), ops.softmax(y))
ops.reshape(x, (ops.shape(x)[0], 24))|ops.hard_shrink(x, 0.3)|ops.celu(x, 0.5)|ops.glu(x, axis=1)|ops.diagonal(x, axis1=1, axis2=2)|ops.tril(x, 1)|ops.round(x, 1)|ops.moments(x, axes=[1])[0]
ops.average(x, axis=1)|ops.vstack([x, y])|ops.hstack([x, y])|ops.unstack(x, axis=1)[2]|ops.matmul(x, ops.swapaxes(y, 1, 2))|ops.arctan2(x, 2.0)|ops.power(2.0, x)|ops.layer_normalization(x, axis=1)
ops.depthwise_conv(x, np.ones((3, 6, 1), "float32"))|ops.searchsorted(np.arange(4.0, dtype="float32"), x[0, 0])|ops.broadcast_to(x[:, :1], (3, 4, 6))|ops.multi_hot(ops.cast(x[..., 0] > 0, "int32"), 5)
ops.image.resize(ops.expand_dims(x, -1), (3, 5), "bicubic")|ops.image.affine_transform(ops.expand_dims(x, -1), np.array([[1, 0, 1, 0, 1, 0, 0, 0]] * 3, "float32"))|ops.image.sobel_edges(ops.expand_dims(x, -1))
ops.image.ssim(ops.expand_dims(x, -1), ops.expand_dims(y, -1), filter_size=3)|ops.image.crop_images(ops.expand_dims(x, -1), 1, 1, 1, 1)|ops.image.rgb_to_grayscale(x[..., None, :3])|ops.lu_factor(x)[0]
ops.stft(x, 4, 2, 4)[0]|ops.rfft(x)[1]|ops.irfft(ops.rfft(x))|ops.cdist(x, y)|ops.psnr(x, y, 1.0)|ops.view(x, "int32")|ops.ctc_decode(x, ops.cast(ops.ones_like(x[:, 0, 0]), "int32"))[1]
"""
CALLS = [*(f"ops.{n}(x)" for n in _UNARY), *(f"ops.{n}(x, y)" for n in _BINARY), *(c.strip() for c in _CALLS.replace("\n", "|").split("|") if c.strip())]

_THEIRS = """
x, y = keras.Input((4, 6), name="x"), keras.Input((4, 6), name="y")
for call in calls:
    try:
        written = keras.Model([x, y], eval(call)).to_json()
    except Exception as error:
        written = "their own: " + str(error)[:200]
    try:
        if call not in ours or not written.startswith("{"):
            raise ValueError(written[:300])
        try:
            own = np.asarray(keras.models.model_from_json(written)([a, b]))
        except Exception as error:
            written = "their own: " + str(error)[:200]
            raise
        out[call] = (written, np.asarray(keras.models.model_from_json(ours[call])([a, b])))
    except Exception as error:
        out[call] = (written, "reading ours: " + str(error)[:400])
"""


@pytest.fixture(scope="module")
def both():
    a, b = (np.random.default_rng(i).normal(size=(3, 4, 6)).astype("float32") for i in (0, 1))
    x, y = layers.Input((4, 6), name="x"), layers.Input((4, 6), name="y")
    made = {call: models.Model([x, y], eval(call, {"ops": ops, "np": np, "x": x, "y": y})) for call in CALLS}
    theirs = oracle.run(_THEIRS, calls=CALLS, ours={call: model.to_json() for call, model in made.items()}, a=a, b=b)
    return a, b, made, theirs


@pytest.mark.parametrize("call", CALLS)
def test_both_ways(both, call):
    a, b, made, theirs = both
    written, values = theirs[call]
    if written.startswith("their own"):
        pytest.skip(written)
    ours = np.asarray(made[call]([a, b]))
    assert not isinstance(values, str), values
    np.testing.assert_allclose(ours, values, rtol=1e-4, atol=1e-5)
    read = np.asarray(models.model_from_json(written)([a, b]))
    np.testing.assert_allclose(read, values, rtol=1e-4, atol=1e-5)


def _last(config):
    return next(layer for layer in config["layers"] if layer["name"] == config["output_layers"][0])


def test_entries_are_equal(both):
    """What we write of an op is what Keras writes, but for arguments that Keras leaves at their defaults."""
    _, _, made, theirs = both
    for call, model in made.items():
        written = theirs[call][0]
        if not written.startswith("{") or "(" not in call:
            continue
        mine, other = (_last(json.loads(text)["config"]) for text in (model.to_json(), written))
        assert (mine["class_name"], mine["module"]) == (other["class_name"].replace("TrueDivide", "Divide"), other["module"]), call


def test_unknown_op():
    x = layers.Input((3,))
    config = json.loads(models.Model(x, ops.relu(x)).to_json())
    config["config"]["layers"][1]["class_name"] = "System"
    with pytest.raises(ValueError, match="System"):
        models.model_from_json(json.dumps(config))
