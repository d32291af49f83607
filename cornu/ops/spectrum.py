"""Complex tensors, Fourier transforms, windows and sequences of frames. Complex results go in and out as (real, imaginary) pairs."""

import math

import numpy as np

from cornu import dtypes, shapes
from cornu.backends import array, canonical, kind
from cornu.backends import protocol as p
from cornu.ops.dispatch import op, settle
from cornu.ops.elementwise import abs as _abs
from cornu.ops.elementwise import add, cos, divide, exp, imag, less, multiply, real, sin, square, where
from cornu.ops.making import cast
from cornu.ops.shaping import expand_dims, pad
from cornu.shapes import unknown


def _complex(re, im):
    """A complex tensor of its parts."""
    (re, im), dtype = settle(array(re), array(im), dtype=canonical(dtypes.to_float(kind(re), kind(im))))
    wide = "complex128" if dtype == "float64" else "complex64"
    return add(cast(re, wide), multiply(cast(im, wide), array(1j, wide)))


def _pair(x, op):
    if not isinstance(x, (tuple, list)) or len(x) != 2:
        raise ValueError(f"{op}: wanted a pair of tensors (real, imaginary); got {type(x).__name__}.")
    if tuple(x[0].shape) != tuple(x[1].shape):
        raise ValueError(f"{op}: both parts must have one shape; got {shapes.public(x[0].shape)} and {shapes.public(x[1].shape)}.")
    shapes.ranked(x[0].shape, op, 2 if op.endswith("2") else 1)
    return _complex(*x)


def _length(value, name, op):
    if not unknown(value) and (not hasattr(value, "__index__") or value < 1):
        raise ValueError(f"{op}: {name} must be a whole number above 0; got {value!r}.")


def _parts(x):
    return real(x), imag(x)


def _on_axis(primitive, x, axis):
    order = list(range(x.ndim))
    order[axis], order[-1] = order[-1], order[axis]
    return p.transpose(primitive(p.transpose(x, tuple(order))), tuple(order))


@op(sequence=True)
def fft(x):
    """Discrete Fourier transform along the last axis, of a pair (real, imaginary).

    >>> [part.tolist() for part in ops.fft(([1.0, 1.0], [0.0, 0.0]))]
    [[2.0, 0.0], [0.0, 0.0]]
    """
    return _parts(p.fft(_pair(x, "fft")))


@op(sequence=True)
def fft2(x):
    """Discrete Fourier transform along the last two axes, of a pair (real, imaginary).

    >>> [part.shape for part in ops.fft2((ops.ones((2, 3)), ops.zeros((2, 3))))]
    [(2, 3), (2, 3)]
    """
    return _parts(_on_axis(p.fft, p.fft(_pair(x, "fft2")), -2))


@op(sequence=True)
def ifft2(x):
    """The inverse of `fft2`.

    >>> [part.shape for part in ops.ifft2((ops.ones((2, 3)), ops.zeros((2, 3))))]
    [(2, 3), (2, 3)]
    """
    return _parts(_on_axis(p.ifft, p.ifft(_pair(x, "ifft2")), -2))


def _resized(x, length):
    """`x` cut or filled with zeros to `length` on the last axis."""
    size = x.shape[-1]
    if not unknown(size) and size > length:
        return p.slice(x, [0] * x.ndim, [None] * (x.ndim - 1) + [length], [1] * x.ndim)
    if unknown(size):
        return shapes.Spec((*x.shape[:-1], length), x.dtype)
    return p.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, length - size)], 0) if size < length else x


@op
def rfft(x, fft_length=None):
    """Discrete Fourier transform of real numbers along the last axis, the first `fft_length // 2 + 1` terms, as (real, imaginary).

    Args:
        fft_length: the number of places that are transformed; the axis is cut or filled with zeros. All by default.

    >>> [part.tolist() for part in ops.rfft([1.0, 1.0])]
    [[2.0, 0.0], [0.0, 0.0]]
    """
    shapes.ranked(x.shape, "rfft", 1)
    if fft_length is not None:
        _length(fft_length, "fft_length", "rfft")
    x = cast(x, canonical(dtypes.to_float(kind(x))))
    x = x if fft_length is None else _resized(x, fft_length)
    out = p.fft(_complex(x, p.full(tuple(x.shape), 0, kind(x))))
    return _parts(p.slice(out, [0] * x.ndim, [None] * (x.ndim - 1) + [x.shape[-1] // 2 + 1], [1] * x.ndim))


@op(sequence=True)
def irfft(x, fft_length=None):
    """The inverse of `rfft`: real numbers, `fft_length` of them (twice the terms less 2 by default).

    >>> ops.irfft((ops.ones(3), ops.zeros(3))).shape
    (4,)
    """
    half = _pair(x, "irfft")
    if fft_length is not None:
        _length(fft_length, "fft_length", "irfft")
    length = 2 * (half.shape[-1] - 1) if fft_length is None else fft_length
    terms = length // 2 + 1
    half = half if unknown(terms) else _resized(half, terms)
    n = half.ndim
    rest = p.slice(half, [0] * (n - 1) + [1], [None] * (n - 1) + [length - terms + 1], [1] * n)
    mirrored = p.flip(p.conj(rest), (n - 1,))
    edge = p.slice(half, [0] * n, [None] * (n - 1) + [1], [1] * n)
    first = cast(real(edge), kind(half))  # the imaginary part of the first term counts for nothing
    middle = p.slice(half, [0] * (n - 1) + [1], [None] * n, [1] * n)
    return real(p.ifft(p.concatenate([first, middle, mirrored], n - 1)))


@op(tensors=2)
def polar(abs_, angle):
    """Complex numbers of their moduli and angles in radians.

    >>> ops.polar([2.0], [0.0]).shape
    (1,)
    """
    (abs_, angle), _ = settle(abs_, angle, dtype=canonical(dtypes.to_float(kind(abs_), kind(angle))))
    return _complex(multiply(abs_, cos(angle)), multiply(abs_, sin(angle)))


@op
def view_as_complex(x):
    """Pairs on the last axis as complex numbers. Shape: (..., 2) -> (...).

    >>> ops.view_as_complex([[1.0, 2.0]]).tolist()
    [(1+2j)]
    """
    shapes.ranked(x.shape, "view_as_complex", 1)
    shapes.same(x.shape[-1], 2, f"view_as_complex: the last axis of {shapes.public(x.shape)} must have the size 2")
    return _complex(p.getitem(x, (..., 0)), p.getitem(x, (..., 1)))


@op
def view_as_real(x):
    """Complex numbers as pairs on a new last axis. Shape: (...) -> (..., 2).

    >>> ops.view_as_real(ops.view_as_complex([[1.0, 2.0]])).tolist()
    [[1.0, 2.0]]
    """
    return p.concatenate([expand_dims(part, -1) for part in _parts(x)], x.ndim)


# Windows: vectors made on the host


def _window(function, x):
    count = x if isinstance(x, int) else int(x)
    return array(function(count).astype(dtypes.standardize(None)))


@op(tensors=0)
def bartlett(x):
    """A triangle of `x` numbers, 0 at both ends.

    >>> ops.bartlett(3).tolist()
    [0.0, 1.0, 0.0]
    """
    return _window(np.bartlett, x)


@op(tensors=0)
def blackman(x):
    """The Blackman window of `x` numbers.

    >>> round(float(ops.blackman(3)[1]), 4)
    1.0
    """
    return _window(np.blackman, x)


@op(tensors=0)
def hamming(x):
    """The Hamming window of `x` numbers.

    >>> [round(x, 2) for x in ops.hamming(3).tolist()]
    [0.08, 1.0, 0.08]
    """
    return _window(np.hamming, x)


@op(tensors=0)
def hanning(x):
    """The Hann window of `x` numbers.

    >>> ops.hanning(3).tolist()
    [0.0, 1.0, 0.0]
    """
    return _window(np.hanning, x)


@op(tensors=0)
def kaiser(x, beta):
    """The Kaiser window of `x` numbers; a larger `beta` is wider in frequency and lower beside it.

    >>> round(float(ops.kaiser(3, 0.0)[1]), 4)
    1.0
    """
    return _window(lambda count: np.kaiser(count, float(beta)), x)


_SMALL = (0.0045813, 0.0360768, 0.2659732, 1.2067492, 3.0899424, 3.5156229, 1.0)
_LARGE = (0.00392377, -0.01647633, 0.02635537, -0.02057706, 0.00916281, -0.00157565, 0.00225319, 0.01328592, 0.39894228)


def _polynomial(coefficients, x):
    out = coefficients[0]
    for c in coefficients[1:]:
        out = add(multiply(x, out), c)
    return out


@op
def i0(x):
    """The modified Bessel function of the first kind and order 0.

    >>> round(float(ops.i0(0.0)), 4)
    1.0

    Source: Abramowitz and Stegun, "Handbook of Mathematical Functions", 1964, 9.8.1 and 9.8.2; relative error below 2e-7.
    """
    x = _abs(cast(x, canonical(dtypes.to_float(kind(x)))))
    small = less(x, 3.75)
    near = _polynomial(_SMALL, square(divide(where(small, x, 0.0), 3.75)))
    safe = where(small, 3.75, x)
    far = multiply(divide(exp(safe), p.sqrt(safe)), _polynomial(_LARGE, divide(3.75, safe)))
    return where(small, near, far)


# Frames


@op
def extract_sequences(x, sequence_length, sequence_stride):
    """Overlapping pieces of the last axis. Shape: (..., samples) -> (..., pieces, sequence_length).

    >>> ops.extract_sequences([1, 2, 3, 4], 2, 1).tolist()
    [[1, 2], [2, 3], [3, 4]]
    """
    shapes.ranked(x.shape, "extract_sequences", 1)
    _length(sequence_length, "sequence_length", "extract_sequences")
    _length(sequence_stride, "sequence_stride", "extract_sequences")
    samples = x.shape[-1]
    if not unknown(samples) and sequence_length > samples:
        raise ValueError(f"extract_sequences: pieces of {sequence_length} are longer than the axis of {samples}.")
    if unknown(samples):
        return shapes.Spec((*x.shape[:-1], shapes.UNKNOWN, sequence_length), x.dtype)
    count = (samples - sequence_length) // sequence_stride + 1
    places = np.arange(count)[:, None] * sequence_stride + np.arange(sequence_length)
    return p.take(x, array(places.astype("int32")), x.ndim - 1)


def _frame_window(window, length, fft_length, dtype):
    """The window as a vector of `fft_length`, zeros around it; None has none: ones all over, as in Keras."""
    if window is None:
        return np.ones(fft_length, dtype)
    if isinstance(window, str):
        if window not in ("hann", "hamming"):
            raise ValueError(f"stft: window must be 'hann', 'hamming', a vector or None; got {window!r}.")
        a = {"hann": 0.5, "hamming": 0.54}[window]
        values = a - (1 - a) * np.cos(2 * np.pi * np.arange(length) / length)
    else:
        values = np.asarray(window)
        if values.shape != (length,):
            raise ValueError(f"stft: a window needs the shape ({length},); got {values.shape}.")
    before = (fft_length - length) // 2
    return np.pad(values, (before, fft_length - length - before)).astype(dtype)


@op
def stft(x, sequence_length, sequence_stride, fft_length, window="hann", center=True):
    """Fourier transforms of overlapping, windowed pieces, as (real, imaginary).

    Args:
        sequence_length, sequence_stride: samples in a piece, and from one to the next.
        fft_length: samples that are transformed, at least `sequence_length`.
        window: "hann", "hamming", a vector or None.
        center: whether the pieces are centred on their places, the ends being mirrored.

    Shape: (..., samples) -> (..., pieces, fft_length // 2 + 1) twice.

    >>> ops.stft(ops.ones(8), 4, 2, 4)[0].shape
    (5, 3)
    """
    _length(sequence_length, "sequence_length", "stft")
    _length(sequence_stride, "sequence_stride", "stft")
    if fft_length < sequence_length:
        raise ValueError(f"stft: fft_length is at least sequence_length; got {fft_length} and {sequence_length}.")
    shapes.ranked(x.shape, "stft", 1)
    x = cast(x, canonical(dtypes.to_float(kind(x))))
    weights = array(_frame_window(window, sequence_length, fft_length, kind(x)))
    if center:
        x = pad(x, [(0, 0)] * (x.ndim - 1) + [(fft_length // 2, fft_length // 2)], "reflect")
    return rfft(multiply(extract_sequences(x, fft_length, sequence_stride), weights), fft_length)


@op(sequence=True)
def istft(x, sequence_length, sequence_stride, fft_length, length=None, window="hann", center=True):
    """The inverse of `stft`: pieces transformed back, windowed, added where they overlap, and divided by the windows' sum of squares.

    >>> ops.istft((ops.ones((5, 3)), ops.zeros((5, 3))), 4, 2, 4).shape
    (8,)
    """
    pieces = irfft(x, fft_length)
    weights = _frame_window(window, sequence_length, fft_length, kind(pieces))
    count = pieces.shape[-2]
    if unknown(count):
        return shapes.Spec((*pieces.shape[:-2], shapes.UNKNOWN if length is None else length), pieces.dtype)
    total = fft_length + sequence_stride * (count - 1)
    places = (np.arange(count)[:, None] * sequence_stride + np.arange(fft_length)).reshape(-1, 1).astype("int32")
    norm = np.zeros(total)
    np.add.at(norm, places[:, 0], np.tile(weights.astype("float64") ** 2, count))
    lead = tuple(pieces.shape[:-2])
    flat = p.transpose(p.reshape(multiply(pieces, array(weights)), (math.prod(lead), count * fft_length)), (1, 0))
    summed = p.scatter(p.full((total, flat.shape[1]), 0, kind(pieces)), array(places), flat, "add")
    out = divide(p.transpose(summed, (1, 0)), array(np.where(norm > 1e-11, norm, 1.0).astype(weights.dtype)))
    start = fft_length // 2 if center else 0
    end = total - start if length is None else start + length
    out = p.slice(out, [0, start], [None, min(end, total)], [1, 1])
    out = p.pad(out, [(0, 0), (0, end - total)], 0) if end > total else out
    return p.reshape(out, (*lead, out.shape[-1]))
