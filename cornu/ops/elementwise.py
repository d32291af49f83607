"""Ops that treat each element by itself: rows over the primitives, and small functions over those."""

import math

import ml_dtypes
import numpy as np

from cornu import dtypes, shapes
from cornu.backends import array, canonical, kind
from cornu.backends import protocol as p
from cornu.ops.dispatch import OPS, binary, op, settle, unary
from cornu.ops.making import _values, cast
from cornu.shapes import UNKNOWN, Spec

_float = dtypes.to_float


def _number(*kinds):
    """As promotion says, but booleans count as int32."""
    least = dtypes.result(*kinds)
    return "int32" if least == "bool" else least


def _bool(*kinds):
    return "bool"


negative = unary("negative", doc="`-x`, element by element.\n\n>>> ops.negative([1, -2]).tolist()\n[-1, 2]")
abs = absolute = unary("abs", doc="`|x|`, element by element; of a complex number the modulus.\n\n>>> ops.abs([1, -2]).tolist()\n[1, 2]")
sign = unary("sign", doc="-1, 0 or 1, as each element is negative, zero or positive.\n\n>>> ops.sign([3, 0, -2]).tolist()\n[1, 0, -1]")
exp = unary("exp", _float, doc="`e` to the power of each element.\n\n>>> float(ops.exp(0.0))\n1.0")
expm1 = unary("expm1", _float, doc="`exp(x) - 1`, exact near 0.\n\n>>> float(ops.expm1(0.0))\n0.0")
log = unary("log", _float, doc="Natural logarithm of each element; -inf at 0, NaN below.\n\n>>> float(ops.log(1.0))\n0.0")
log1p = unary("log1p", _float, doc="`log(1 + x)`, exact near 0.\n\n>>> float(ops.log1p(0.0))\n0.0")
log2 = unary("log2", _float, doc="Logarithm to base 2 of each element.\n\n>>> float(ops.log2(8.0))\n3.0")
log10 = unary("log10", _float, doc="Logarithm to base 10 of each element.\n\n>>> round(float(ops.log10(1000.0)), 4)\n3.0")
sqrt = unary("sqrt", _float, doc="Square root of each element; NaN below 0.\n\n>>> ops.sqrt([4.0, 9.0]).tolist()\n[2.0, 3.0]")
rsqrt = unary("rsqrt", _float, doc="`1 / sqrt(x)` of each element.\n\n>>> ops.rsqrt([4.0]).tolist()\n[0.5]")
square = unary("square", _number, doc="`x * x`, element by element.\n\n>>> ops.square([2, -3]).tolist()\n[4, 9]")
reciprocal = unary("reciprocal", _float, doc="`1 / x`, element by element.\n\n>>> ops.reciprocal([2.0, -4.0]).tolist()\n[0.5, -0.25]")
sin = unary("sin", _float, doc="Sine of each element; `x` in radians.\n\n>>> float(ops.sin(0.0))\n0.0")
cos = unary("cos", _float, doc="Cosine of each element; `x` in radians.\n\n>>> float(ops.cos(0.0))\n1.0")
tan = unary("tan", _float, doc="Tangent of each element; `x` in radians.\n\n>>> float(ops.tan(0.0))\n0.0")
arcsin = unary("arcsin", _float, doc="The angle whose sine is `x`, from -pi/2 to pi/2 radians; NaN outside -1 to 1.\n\n>>> float(ops.arcsin(0.0))\n0.0")
arccos = unary("arccos", _float, doc="The angle whose cosine is `x`, from 0 to pi radians; NaN outside -1 to 1.\n\n>>> float(ops.arccos(1.0))\n0.0")
arctan = unary("arctan", _float, doc="The angle whose tangent is `x`, from -pi/2 to pi/2 radians.\n\n>>> float(ops.arctan(0.0))\n0.0")
sinh = unary("sinh", _float, doc="Hyperbolic sine of each element.\n\n>>> float(ops.sinh(0.0))\n0.0")
cosh = unary("cosh", _float, doc="Hyperbolic cosine of each element.\n\n>>> float(ops.cosh(0.0))\n1.0")
tanh = unary("tanh", _float, doc="Hyperbolic tangent of each element, from -1 to 1.\n\n>>> float(ops.tanh(0.0))\n0.0")
arcsinh = unary("arcsinh", _float, doc="Inverse hyperbolic sine of each element.\n\n>>> float(ops.arcsinh(0.0))\n0.0")
arccosh = unary("arccosh", _float, doc="Inverse hyperbolic cosine of each element; NaN below 1.\n\n>>> float(ops.arccosh(1.0))\n0.0")
arctanh = unary("arctanh", _float, doc="Inverse hyperbolic tangent of each element; NaN outside -1 to 1.\n\n>>> float(ops.arctanh(0.0))\n0.0")
sigmoid = unary("sigmoid", _float, doc="`1 / (1 + exp(-x))`, from 0 to 1.\n\n>>> float(ops.sigmoid(0.0))\n0.5")
erf = unary("erf", _float, doc="The error function of each element, from -1 to 1.\n\n>>> float(ops.erf(0.0))\n0.0")
erfinv = unary("erfinv", _float, doc="The inverse of the error function; `x` from -1 to 1.\n\n>>> float(ops.erfinv(0.0))\n0.0")
lgamma = unary("lgamma", _float, doc="Natural logarithm of the absolute value of the gamma function.\n\n>>> round(float(ops.lgamma(4.0)), 4)\n1.7918")
digamma = unary("digamma", _float, doc="Derivative of `lgamma`.\n\n>>> round(float(ops.digamma(1.0)), 4)\n-0.5772")
floor = unary("floor", _float, doc="The largest integer not above each element, as a float.\n\n>>> ops.floor([1.7, -1.2]).tolist()\n[1.0, -2.0]")
ceil = unary("ceil", _float, doc="The smallest integer not below each element, as a float.\n\n>>> ops.ceil([1.2, -1.7]).tolist()\n[2.0, -1.0]")
trunc = unary("trunc", doc="Each element without its fraction, towards 0.\n\n>>> ops.trunc([1.7, -1.7]).tolist()\n[1.0, -1.0]")
_round = unary("round", doc="The nearest integer, of two equally near the even one.")
isnan = unary("isnan", doc="Whether each element is NaN.\n\n>>> ops.isnan([1.0, float('nan')]).tolist()\n[False, True]")
isinf = unary("isinf", doc="Whether each element is infinite.\n\n>>> ops.isinf([1.0, float('inf')]).tolist()\n[False, True]")
isfinite = unary("isfinite", doc="Whether each element is neither infinite nor NaN.\n\n>>> ops.isfinite([1.0, float('inf')]).tolist()\n[True, False]")
logical_not = unary("logical_not", _bool, doc="True where an element is False or 0.\n\n>>> ops.logical_not([True, False]).tolist()\n[False, True]")
bitwise_not = bitwise_invert = unary("bitwise_not", doc="Each integer with all its bits inverted.\n\n>>> ops.bitwise_not([0, 5]).tolist()\n[-1, -6]")
real = unary("real", doc="The real part of each element.\n\n>>> ops.real([1.0, 2.0]).tolist()\n[1.0, 2.0]")
imag = unary("imag", doc="The imaginary part of each element, 0 of a real one.\n\n>>> ops.imag([1.0, 2.0]).tolist()\n[0.0, 0.0]")
conj = conjugate = unary("conj", doc="Each element with the sign of its imaginary part changed.\n\n>>> ops.conj([1.0, 2.0]).tolist()\n[1.0, 2.0]")

add = binary("add", doc="`x1 + x2`, element by element.\n\n>>> ops.add([1, 2], [3, 4]).tolist()\n[4, 6]")
subtract = binary("subtract", doc="`x1 - x2`, element by element.\n\n>>> ops.subtract([3, 4], 1).tolist()\n[2, 3]")
multiply = binary("multiply", doc="`x1 * x2`, element by element.\n\n>>> ops.multiply([1, 2], [3, 4]).tolist()\n[3, 8]")
divide = true_divide = binary("divide", _float, doc="`x1 / x2`, element by element; integers give floats.\n\n>>> ops.divide([1, 3], 2).tolist()\n[0.5, 1.5]")
floor_divide = binary(
    "floor_divide", _number, doc="The largest integer not above `x1 / x2`, element by element.\n\n>>> ops.floor_divide([7, -7], 2).tolist()\n[3, -4]"
)
mod = binary("mod", _number, doc="The remainder of `x1 / x2`, with the sign of `x2`.\n\n>>> ops.mod([7, -7], 3).tolist()\n[1, 2]")
power = binary("power", _number, doc="`x1` to the power `x2`, element by element.\n\n>>> ops.power([2, 3], 2).tolist()\n[4, 9]")
maximum = binary("maximum", doc="The larger of `x1` and `x2`, element by element; NaN where either is.\n\n>>> ops.maximum([1, 5], [3, 4]).tolist()\n[3, 5]")
minimum = binary("minimum", doc="The smaller of `x1` and `x2`, element by element; NaN where either is.\n\n>>> ops.minimum([1, 5], [3, 4]).tolist()\n[1, 4]")
arctan2 = binary("arctan2", _float, doc="The angle of the point (x2, x1), from -pi to pi radians.\n\n>>> float(ops.arctan2(0.0, 1.0))\n0.0")
equal = binary("equal", doc="`x1 == x2`, element by element.\n\n>>> ops.equal([1, 2], [1, 3]).tolist()\n[True, False]")
not_equal = binary("not_equal", doc="`x1 != x2`, element by element.\n\n>>> ops.not_equal([1, 2], [1, 3]).tolist()\n[False, True]")
less = binary("less", doc="`x1 < x2`, element by element.\n\n>>> ops.less([1, 3], 2).tolist()\n[True, False]")
less_equal = binary("less_equal", doc="`x1 <= x2`, element by element.\n\n>>> ops.less_equal([1, 2], 2).tolist()\n[True, True]")
greater = binary("greater", doc="`x1 > x2`, element by element.\n\n>>> ops.greater([1, 3], 2).tolist()\n[False, True]")
greater_equal = binary("greater_equal", doc="`x1 >= x2`, element by element.\n\n>>> ops.greater_equal([1, 2], 2).tolist()\n[False, True]")
logical_and = binary(
    "logical_and", _bool, doc="Whether both are true, element by element.\n\n>>> ops.logical_and([True, True], [True, False]).tolist()\n[True, False]"
)
logical_or = binary(
    "logical_or", _bool, doc="Whether one at least is true, element by element.\n\n>>> ops.logical_or([True, False], False).tolist()\n[True, False]"
)
logical_xor = binary(
    "logical_xor", _bool, doc="Whether exactly one is true, element by element.\n\n>>> ops.logical_xor([True, False], True).tolist()\n[False, True]"
)
_bitwise_and = binary("bitwise_and")
_bitwise_or = binary("bitwise_or")
_bitwise_xor = binary("bitwise_xor")
_left_shift = binary("left_shift", _number)
_right_shift = binary("right_shift", _number)
nextafter = binary("nextafter", _float, doc="The next number after `x1` towards `x2`.\n\n>>> float(ops.nextafter(0.0, 1.0)) > 0\nTrue")


@op(tensors=0)
def bitwise_and(x, y):
    """The bits that both integers have.

    >>> ops.bitwise_and([6, 3], 2).tolist()
    [2, 2]
    """
    return _bitwise_and(x, y)


@op(tensors=0)
def bitwise_or(x, y):
    """The bits that one integer at least has.

    >>> ops.bitwise_or([4, 3], 2).tolist()
    [6, 3]
    """
    return _bitwise_or(x, y)


@op(tensors=0)
def bitwise_xor(x, y):
    """The bits that exactly one of the integers has.

    >>> ops.bitwise_xor([6, 3], 2).tolist()
    [4, 1]
    """
    return _bitwise_xor(x, y)


@op(tensors=0)
def left_shift(x, y):
    """The bits of `x` moved up by `y` places.

    >>> ops.left_shift([1, 3], 2).tolist()
    [4, 12]
    """
    return _left_shift(x, y)


@op(tensors=0)
def right_shift(x, y):
    """The bits of `x` moved down by `y` places.

    >>> ops.right_shift([8, 3], 1).tolist()
    [4, 1]
    """
    return _right_shift(x, y)


bitwise_left_shift, bitwise_right_shift = left_shift, right_shift
OPS.update(absolute=abs, bitwise_invert=bitwise_not, bitwise_left_shift=left_shift, bitwise_right_shift=right_shift, conjugate=conj, true_divide=divide)


def _both(x1, x2, dtype=dtypes.result):
    """Both as tensors of the type that `dtype` gives, scalars being weak; and that type."""
    wanted = canonical(dtype(kind(x1), kind(x2)))
    return array(x1, wanted), array(x2, wanted), wanted


@op
def round(x, decimals=0):
    """Round each element to `decimals` places after the point; of two equally near, to the even one.

    >>> ops.round([1.25, 2.5, -1.7]).tolist()
    [1.0, 2.0, -2.0]
    """
    if decimals == 0 or not dtypes.is_float(kind(x)):
        return _round(x)
    return divide(_round(multiply(x, 10.0**decimals)), 10.0**decimals)


@op(tensors=3)
def where(condition, x1=None, x2=None):
    """`x1` where `condition` is true, `x2` elsewhere; all three broadcast.

    With `condition` alone: the indices of its true elements, a tensor an axis (only where values are there).

    >>> ops.where([True, False], 1, 0).tolist()
    [1, 0]
    """
    if x1 is None and x2 is None:
        return nonzero(condition)
    (x1, x2), dtype = settle(x1, x2)
    if not hasattr(x1, "dtype") and not hasattr(x2, "dtype"):
        x1 = cast(x1, dtype)
    shapes.broadcast(*(tuple(x.shape) for x in (condition, x1, x2) if hasattr(x, "shape")), op="where")
    return p.where(cast(condition, "bool"), x1, x2)


@op
def nonzero(x):
    """The indices of the elements that are not 0: a tensor of int32 an axis. Their number depends on the values, so it needs them.

    >>> ops.nonzero([0, 3, 0, 4])[0].tolist()
    [1, 3]
    """
    if type(x) is Spec:
        return tuple(Spec((UNKNOWN,), "int32") for _ in x.shape)
    found = np.nonzero(_values(x, "nonzero", "Use where(condition, x1, x2), which keeps the shape, or call it outside."))
    return tuple(array(places.astype("int32")) for places in found)


@op
def clip(x, x_min, x_max):
    """Each element, or the nearer limit where it lies outside `x_min` to `x_max`.

    >>> ops.clip([-1.0, 0.5, 3.0], 0, 1).tolist()
    [0.0, 0.5, 1.0]
    """
    return minimum(maximum(x, _within(x_min, kind(x))), _within(x_max, kind(x)))


def _within(limit, dtype):
    """A whole number as `dtype` can hold it: a limit of -1 is one of 0 for unsigned integers."""
    if type(limit) is not int or not dtypes.is_integer(dtype):
        return limit
    info = np.iinfo(dtype)
    return min(max(limit, int(info.min)), int(info.max))


@op
def exp2(x):
    """2 to the power of each element.

    >>> round(float(ops.exp2(3.0)), 4)
    8.0
    """
    return exp(multiply(x, math.log(2)))


@op
def cbrt(x):
    """The real cube root of each element, of negative ones too.

    >>> round(float(ops.cbrt(-27.0)), 4)
    -3.0
    """
    x = cast(x, canonical(dtypes.to_float(kind(x))))
    return multiply(sign(x), power(abs(x), 1 / 3))


@op
def deg2rad(x):
    """Degrees to radians.

    >>> round(float(ops.deg2rad(180.0)), 4)
    3.1416
    """
    return multiply(x, math.pi / 180)


@op
def rad2deg(x):
    """Radians to degrees.

    >>> round(float(ops.rad2deg(3.141592653589793)), 2)
    180.0
    """
    return multiply(x, 180 / math.pi)


@op
def fabs(x):
    """`|x|` as floats.

    >>> ops.fabs([1, -2]).tolist()
    [1.0, 2.0]
    """
    return abs(cast(x, dtypes.to_float(kind(x))))


@op
def erfc(x):
    """`1 - erf(x)`.

    >>> float(ops.erfc(0.0))
    1.0
    """
    return subtract(1.0, erf(x))


@op
def sinc(x):
    """`sin(pi x) / (pi x)`, 1 at 0; `x` in half turns.

    >>> float(ops.sinc(0.0))
    1.0
    """
    x = cast(x, dtypes.to_float(kind(x)))
    zero = equal(x, 0)
    turned = multiply(where(zero, 1.0, x), math.pi)
    return where(zero, 1.0, divide(sin(turned), turned))


@op
def angle(x):
    """The angle of each complex number, from -pi to pi radians.

    >>> float(ops.angle(-1.0)) > 3
    True
    """
    return arctan2(imag(x), real(x))


@op
def isneginf(x):
    """Whether each element is minus infinity.

    >>> ops.isneginf([1.0, float("-inf")]).tolist()
    [False, True]
    """
    return equal(x, -math.inf)


@op
def isposinf(x):
    """Whether each element is plus infinity.

    >>> ops.isposinf([1.0, float("inf")]).tolist()
    [False, True]
    """
    return equal(x, math.inf)


@op
def isreal(x):
    """Whether each element has no imaginary part.

    >>> ops.isreal([1.0]).tolist()
    [True]
    """
    return equal(imag(x), 0)


@op
def signbit(x):
    """Whether each element is negative, -0.0 included.

    >>> ops.signbit([1.0, -0.0]).tolist()
    [False, True]
    """
    if not dtypes.is_float(kind(x)):
        return less(cast(x, "int32"), 0)
    return logical_or(less(x, 0), logical_and(equal(x, 0), less(divide(1.0, x), 0)))


@op
def nan_to_num(x, nan=0.0, posinf=None, neginf=None):
    """Put numbers in the place of NaN and of the infinities: by default 0 and the largest that the type holds.

    >>> ops.nan_to_num([1.0, float("nan")]).tolist()
    [1.0, 0.0]
    """
    if not dtypes.is_float(kind(x)):
        return x
    largest = float(ml_dtypes.finfo(kind(x)).max)
    x = where(isnan(x), nan, x)
    x = where(isposinf(x), largest if posinf is None else posinf, x)
    return where(isneginf(x), -largest if neginf is None else neginf, x)


@op(tensors=0)
def divide_no_nan(x1, x2):
    """`x1 / x2`, and 0 where `x2` is 0.

    >>> ops.divide_no_nan([1.0, 4.0], [0.0, 2.0]).tolist()
    [0.0, 2.0]
    """
    x1, x2, _ = _both(x1, x2, _float)
    zero = equal(x2, 0)
    return where(zero, 0.0, divide(x1, where(zero, 1.0, x2)))


@op(tensors=0)
def hypot(x1, x2):
    """`sqrt(x1**2 + x2**2)`, without overflow.

    >>> round(float(ops.hypot(3.0, 4.0)), 4)
    5.0
    """
    x1, x2, _ = _both(x1, x2, _float)
    x1, x2 = abs(x1), abs(x2)
    large, small = maximum(x1, x2), minimum(x1, x2)
    ratio = divide(small, where(equal(large, 0), 1.0, large))
    return multiply(large, sqrt(add(1.0, square(ratio))))


@op(tensors=0)
def heaviside(x1, x2):
    """0 where `x1` is negative, 1 where it is positive, `x2` where it is 0.

    >>> ops.heaviside([-1.0, 0.0, 2.0], 0.5).tolist()
    [0.0, 0.5, 1.0]
    """
    x1, x2, dtype = _both(x1, x2, _float)
    return where(equal(x1, 0), x2, where(isnan(x1), x1, cast(greater(x1, 0), dtype)))


@op(tensors=0)
def logaddexp(x1, x2):
    """`log(exp(x1) + exp(x2))`, without overflow.

    >>> round(float(ops.logaddexp(0.0, 0.0)), 4)
    0.6931
    """
    x1, x2, _ = _both(x1, x2, _float)
    top, difference = maximum(x1, x2), subtract(x1, x2)
    return where(isnan(difference), add(x1, x2), add(top, log1p(exp(negative(abs(where(isnan(difference), 0.0, difference)))))))


@op(tensors=0)
def logaddexp2(x1, x2):
    """`log2(2**x1 + 2**x2)`, without overflow.

    >>> round(float(ops.logaddexp2(1.0, 1.0)), 4)
    2.0
    """
    x1, x2, _ = _both(x1, x2, _float)
    return divide(logaddexp(multiply(x1, math.log(2)), multiply(x2, math.log(2))), math.log(2))


@op(tensors=0)
def fmax(x1, x2):
    """The larger of `x1` and `x2`; where one is NaN, the other.

    >>> ops.fmax([1.0, float("nan")], 0.5).tolist()
    [1.0, 0.5]
    """
    x1, x2, _ = _both(x1, x2)
    return where(isnan(x1), x2, where(isnan(x2), x1, maximum(x1, x2)))


@op(tensors=0)
def fmin(x1, x2):
    """The smaller of `x1` and `x2`; where one is NaN, the other.

    >>> ops.fmin([1.0, float("nan")], 0.5).tolist()
    [0.5, 0.5]
    """
    x1, x2, _ = _both(x1, x2)
    return where(isnan(x1), x2, where(isnan(x2), x1, minimum(x1, x2)))


@op(tensors=0)
def fmod(x1, x2):
    """The remainder of `x1 / x2`, with the sign of `x1`.

    >>> ops.fmod([7, -7], 3).tolist()
    [1, -1]
    """
    x1, x2, _ = _both(x1, x2, _number)
    return multiply(sign(x1), mod(abs(x1), abs(x2)))


@op(tensors=2)
def ldexp(x1, x2):
    """`x1 * 2**x2`; `x2` of integers.

    >>> ops.ldexp([1.0, 2.0], [2, 3]).tolist()
    [4.0, 16.0]
    """
    dtype = dtypes.to_float(kind(x1))
    return multiply(cast(x1, dtype), exp2(cast(x2, dtype)))


@op(tensors=0)
def isclose(x1, x2, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Whether `|x1 - x2| <= atol + rtol * |x2|`, element by element; equal infinities are close, NaN are not unless `equal_nan`.

    >>> ops.isclose([1.0, 2.0], [1.0, 2.1]).tolist()
    [True, False]
    """
    x1, x2, _ = _both(x1, x2, _float)
    near = less_equal(abs(subtract(x1, x2)), add(multiply(abs(x2), rtol), atol))
    near = where(logical_and(isfinite(x1), isfinite(x2)), near, equal(x1, x2))
    return logical_or(near, logical_and(isnan(x1), isnan(x2))) if equal_nan else near


@op(sequence=True)
def select(condlist, choicelist, default=0):
    """Where several conditions may hold: the choice of the first that does, `default` where none does.

    >>> ops.select([[True, False], [True, True]], [[1, 2], [3, 4]]).tolist()
    [1, 4]
    """
    if len(condlist) != len(choicelist):
        raise ValueError(f"select: {len(condlist)} conditions and {len(choicelist)} choices came; their numbers must be equal.")
    *choices, out = settle(*choicelist, default)[0]
    for condition, choice in zip(reversed(condlist), reversed(choices), strict=True):
        out = where(condition, choice, out)
    return out
