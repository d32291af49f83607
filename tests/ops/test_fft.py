"""Fourier transforms and sequences of frames: against NumPy, SciPy and Keras, there and back."""

import numpy as np
import pytest
import scipy.signal

from cornu import backends, ops
from cornu.symbolic import KerasTensor
from tests.ops import check, rows
from tests.ops.cases import C, N
from tests.ops.check import draw

SOUND, LONG = draw((2, 40)), draw((3, 2, 50), seed=1)
PAIR, PLANES = (draw((2, 6)), draw((2, 6), seed=1)), (draw((2, 4, 6)), draw((2, 4, 6), seed=1))
WINDOW = np.hamming(8).astype("float32")

ROWS = {
    "fft": [C(PAIR)],
    "fft2": [C(PLANES)],
    "ifft2": [C(PLANES)],
    "rfft": [C(SOUND), C(SOUND, 16), C(SOUND, 64), C(SOUND, 7)],
    "irfft": [C(PAIR), C(PAIR, 8), C(PAIR, 7), C(PAIR, 20)],
    "extract_sequences": [C(SOUND, 8, 3), C(LONG, 10, 10)],
    "stft": [
        C(SOUND, 8, 4, 8),
        C(SOUND, 8, 3, 16, "hamming"),
        C(LONG, 10, 5, 16, None),
        N(SOUND, 8, 4, 16, WINDOW, False, spec=False),
        C(SOUND, 9, 4, 16, center=False),
    ],
}


@pytest.fixture(scope="module")
def keras():
    return rows.answers(ROWS, jit=False)


@pytest.mark.parametrize(("name", "i"), rows.each(ROWS))
def test_values_are_those_of_keras(name, i, keras):
    case = ROWS[name][i]
    case.tolerance = 1e-4
    rows.check_values(getattr(ops, name), case, keras[name, i], i == 0, f"{name} {i}")


@pytest.mark.parametrize(("name", "i"), [(name, i) for name, i in rows.each(ROWS) if ROWS[name][i].spec])
def test_inferred_shapes(name, i):
    check.check_spec(getattr(ops, name), ROWS[name][i].args, ROWS[name][i].kwargs, "numpy")


@pytest.mark.parametrize(("name", "i"), [(name, i) for name, i in rows.each(ROWS) if ROWS[name][i].gradient and isinstance(ROWS[name][i].args[0], np.ndarray)])
def test_gradients(name, i):
    rows.check_gradients(getattr(ops, name), ROWS[name][i], i == 0)


@pytest.mark.parametrize("name", ["fft", "fft2", "ifft2", "irfft"])
def test_gradients_of_pairs(name):
    pair = PLANES if name.endswith("2") else PAIR
    case = C(*pair)
    function = lambda re, im: getattr(ops, name)((re, im))
    function.__name__ = name
    rows.check_gradients(function, case, True)


@pytest.mark.parametrize("window", ["hann", "hamming", None, WINDOW], ids=["hann", "hamming", "none", "own"])
@pytest.mark.parametrize(("stride", "length"), [(2, 8), (4, 16)])
@pytest.mark.parametrize("center", [True, False])
def test_there_and_back(window, stride, length, center):
    backends.load("numpy")
    frames = ops.stft(LONG, 8, stride, length, window, center)
    back = np.asarray(ops.istft(frames, 8, stride, length, length=50, window=window, center=center))
    inside = slice(8, 40) if not center else slice(0, 48)  # at the ends of frames that are not centred windows are 0
    np.testing.assert_allclose(back[..., inside], LONG[..., inside], atol=1e-4)


def test_stft_is_that_of_scipy():
    backends.load("numpy")
    re, im = ops.stft(SOUND, 8, 4, 8, "hann", center=False)
    transform = scipy.signal.ShortTimeFFT(scipy.signal.windows.hann(8, sym=False), 4, 1.0, fft_mode="onesided", phase_shift=None)
    wanted = np.swapaxes(transform.stft(SOUND.astype("float64"), p0=1, p1=1 + re.shape[1]), -1, -2)
    np.testing.assert_allclose(re + 1j * im, wanted, atol=1e-4)


def test_istft_is_that_of_keras(keras):
    from tests import oracle

    frames = keras["stft", 0]
    code = "out['y'] = [np.asarray(ops.istft(x, 8, 4, 8, length=n, center=c)) for n, c in ((None, True), (30, True), (None, False))]"
    wanted = oracle.run(code, x=tuple(frames))["y"]
    backends.load("numpy")
    for (n, c), y in zip(((None, True), (30, True), (None, False)), wanted, strict=True):
        found = np.asarray(ops.istft(frames, 8, 4, 8, length=n, center=c))
        assert found.shape == y.shape
        np.testing.assert_allclose(found[:, 8:24], y[:, 8:24], atol=1e-4)


@pytest.mark.parametrize("name", ["bartlett", "blackman", "hamming", "hanning"])
def test_windows(name, backend):
    for count in (0, 1, 2, 9):
        np.testing.assert_allclose(backends.numpy(getattr(ops, name)(count)), getattr(np, name)(count), atol=1e-6)
    np.testing.assert_allclose(backends.numpy(ops.kaiser(9, 5.0)), np.kaiser(9, 5.0), atol=1e-6)


def test_in_a_model():
    x = KerasTensor((None, 40))
    assert [t.shape for t in ops.stft(x, 8, 4, 16)] == [(None, 11, 9)] * 2
    assert [t.shape for t in ops.stft(KerasTensor((None, None)), 8, 4, 16)] == [(None, None, 9)] * 2
    assert ops.istft(ops.stft(x, 8, 4, 16), 8, 4, 16).shape == (None, 40)
    assert ops.irfft((KerasTensor((None, None)), KerasTensor((None, None))), 8).shape == (None, 8)
    assert [t.shape for t in ops.rfft(KerasTensor((None, None)), 9)] == [(None, 5)] * 2


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: ops.fft(SOUND), "fft: wanted a pair of tensors (real, imaginary)"),
        (lambda: ops.fft((SOUND, SOUND[:, :3])), "fft: both parts must have one shape; got (2, 40) and (2, 3)"),
        (lambda: ops.fft2((SOUND[0], SOUND[0])), "fft2: wanted a tensor of 2 or more axes; got the shape (40,)"),
        (lambda: ops.rfft(SOUND, 0), "rfft: fft_length must be a whole number above 0; got 0"),
        (lambda: ops.rfft(np.float32(3)), "rfft: wanted a tensor of 1 or more axes; got the shape ()"),
        (lambda: ops.stft(SOUND, 8, 0, 8), "stft: sequence_stride must be a whole number above 0; got 0"),
        (lambda: ops.stft(SOUND, 8, 4, 4), "stft: fft_length is at least sequence_length; got 4 and 8"),
        (lambda: ops.stft(SOUND, 8, 4, 8, "boxcar"), "stft: window must be 'hann', 'hamming', a vector or None; got 'boxcar'"),
        (lambda: ops.stft(SOUND, 8, 4, 8, WINDOW[:5]), "stft: a window needs the shape (8,); got (5,)"),
        (lambda: ops.stft(SOUND, 50, 4, 64, center=False), "pieces of 64 are longer than the axis of 40"),
        (lambda: ops.extract_sequences(SOUND, 50, 3), "extract_sequences: pieces of 50 are longer than the axis of 40"),
        (lambda: ops.extract_sequences(SOUND, 5, -3), "extract_sequences: sequence_stride must be a whole number above 0; got -3"),
    ],
)
def test_bad_input_is_named(call, text):
    backends.load("numpy")
    with pytest.raises(ValueError) as caught:
        call()
    assert text in str(caught.value)
