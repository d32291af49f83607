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


negative = unary("negative", doc="`-x`, element by element.")
abs = absolute = unary("abs", doc="`|x|`, element by element; of a complex number the modulus.")
sign = unary("sign", doc="-1, 0 or 1, as each element is negative, zero or positive.")
exp = unary("exp", _float, doc="`e` to the power of each element.")
expm1 = unary("expm1", _float, doc="`exp(x) - 1`, exact near 0.")
log = unary("log", _float, doc="Natural logarithm of each element; -inf at 0, NaN below.")
log1p = unary("log1p", _float, doc="`log(1 + x)`, exact near 0.")
log2 = unary("log2", _float, doc="Logarithm to base 2 of each element.")
log10 = unary("log10", _float, doc="Logarithm to base 10 of each element.")
sqrt = unary("sqrt", _float, doc="Square root of each element; NaN below 0.")
rsqrt = unary("rsqrt", _float, doc="`1 / sqrt(x)` of each element.")
square = unary("square", _number, doc="`x * x`, element by element.")
reciprocal = unary("reciprocal", _float, doc="`1 / x`, element by element.")
sin = unary("sin", _float, doc="Sine of each element; `x` in radians.")
cos = unary("cos", _float, doc="Cosine of each element; `x` in radians.")
tan = unary("tan", _float, doc="Tangent of each element; `x` in radians.")
arcsin = unary("arcsin", _float, doc="The angle whose sine is `x`, from -pi/2 to pi/2 radians; NaN outside -1 to 1.")
arccos = unary("arccos", _float, doc="The angle whose cosine is `x`, from 0 to pi radians; NaN outside -1 to 1.")
arctan = unary("arctan", _float, doc="The angle whose tangent is `x`, from -pi/2 to pi/2 radians.")
sinh = unary("sinh", _float, doc="Hyperbolic sine of each element.")
cosh = unary("cosh", _float, doc="Hyperbolic cosine of each element.")
tanh = unary("tanh", _float, doc="Hyperbolic tangent of each element, from -1 to 1.")
arcsinh = unary("arcsinh", _float, doc="Inverse hyperbolic sine of each element.")
arccosh = unary("arccosh", _float, doc="Inverse hyperbolic cosine of each element; NaN below 1.")
arctanh = unary("arctanh", _float, doc="Inverse hyperbolic tangent of each element; NaN outside -1 to 1.")
sigmoid = unary("sigmoid", _float, doc="`1 / (1 + exp(-x))`, from 0 to 1.")
erf = unary("erf", _float, doc="The error function of each element, from -1 to 1.")
erfinv = unary("erfinv", _float, doc="The inverse of the error function; `x` from -1 to 1.")
lgamma = unary("lgamma", _float, doc="Natural logarithm of the absolute value of the gamma function.")
digamma = unary("digamma", _float, doc="Derivative of `lgamma`.")
floor = unary("floor", _float, doc="The largest integer not above each element, as a float.")
ceil = unary("ceil", _float, doc="The smallest integer not below each element, as a float.")
trunc = unary("trunc", doc="Each element without its fraction, towards 0.")
_round = unary("round", doc="The nearest integer, of two equally near the even one.")
isnan = unary("isnan", doc="Whether each element is NaN.")
isinf = unary("isinf", doc="Whether each element is infinite.")
isfinite = unary("isfinite", doc="Whether each element is neither infinite nor NaN.")
logical_not = unary("logical_not", _bool, doc="True where an element is False or 0.")
bitwise_not = bitwise_invert = unary("bitwise_not", doc="Each integer with all its bits inverted.")
real = unary("real", doc="The real part of each element.")
imag = unary("imag", doc="The imaginary part of each element, 0 of a real one.")
conj = conjugate = unary("conj", doc="Each element with the sign of its imaginary part changed.")

add = binary("add", doc="`x1 + x2`, element by element.")
subtract = binary("subtract", doc="`x1 - x2`, element by element.")
multiply = binary("multiply", doc="`x1 * x2`, element by element.")
divide = true_divide = binary("divide", _float, doc="`x1 / x2`, element by element; integers give floats.")
floor_divide = binary("floor_divide", _number, doc="The largest integer not above `x1 / x2`, element by element.")
mod = binary("mod", _number, doc="The remainder of `x1 / x2`, with the sign of `x2`.")
power = binary("power", _number, doc="`x1` to the power `x2`, element by element.")
maximum = binary("maximum", doc="The larger of `x1` and `x2`, element by element; NaN where either is.")
minimum = binary("minimum", doc="The smaller of `x1` and `x2`, element by element; NaN where either is.")
arctan2 = binary("arctan2", _float, doc="The angle of the point (x2, x1), from -pi to pi radians.")
equal = binary("equal", doc="`x1 == x2`, element by element.")
not_equal = binary("not_equal", doc="`x1 != x2`, element by element.")
less = binary("less", doc="`x1 < x2`, element by element.")
less_equal = binary("less_equal", doc="`x1 <= x2`, element by element.")
greater = binary("greater", doc="`x1 > x2`, element by element.")
greater_equal = binary("greater_equal", doc="`x1 >= x2`, element by element.")
logical_and = binary("logical_and", _bool, doc="Whether both are true, element by element.")
logical_or = binary("logical_or", _bool, doc="Whether one at least is true, element by element.")
logical_xor = binary("logical_xor", _bool, doc="Whether exactly one is true, element by element.")
bitwise_and = binary("bitwise_and", doc="The bits that both integers have.")
bitwise_or = binary("bitwise_or", doc="The bits that one integer at least has.")
bitwise_xor = binary("bitwise_xor", doc="The bits that exactly one of the integers has.")
left_shift = bitwise_left_shift = binary("left_shift", _number, doc="The bits of `x1` moved up by `x2` places.")
right_shift = bitwise_right_shift = binary("right_shift", _number, doc="The bits of `x1` moved down by `x2` places.")
nextafter = binary("nextafter", _float, doc="The next number after `x1` towards `x2`.")
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
    """The indices of the elements that are not 0: a tensor of int32 an axis. Their number depends on the values, so it needs them."""
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
    """2 to the power of each element."""
    return exp(multiply(x, math.log(2)))


@op
def cbrt(x):
    """The real cube root of each element, of negative ones too."""
    x = cast(x, canonical(dtypes.to_float(kind(x))))
    return multiply(sign(x), power(abs(x), 1 / 3))


@op
def deg2rad(x):
    """Degrees to radians."""
    return multiply(x, math.pi / 180)


@op
def rad2deg(x):
    """Radians to degrees."""
    return multiply(x, 180 / math.pi)


@op
def fabs(x):
    """`|x|` as floats."""
    return abs(cast(x, dtypes.to_float(kind(x))))


@op
def erfc(x):
    """`1 - erf(x)`."""
    return subtract(1.0, erf(x))


@op
def sinc(x):
    """`sin(pi x) / (pi x)`, 1 at 0; `x` in half turns."""
    x = cast(x, dtypes.to_float(kind(x)))
    zero = equal(x, 0)
    turned = multiply(where(zero, 1.0, x), math.pi)
    return where(zero, 1.0, divide(sin(turned), turned))


@op
def angle(x):
    """The angle of each complex number, from -pi to pi radians."""
    return arctan2(imag(x), real(x))


@op
def isneginf(x):
    """Whether each element is minus infinity."""
    return equal(x, -math.inf)


@op
def isposinf(x):
    """Whether each element is plus infinity."""
    return equal(x, math.inf)


@op
def isreal(x):
    """Whether each element has no imaginary part."""
    return equal(imag(x), 0)


@op
def signbit(x):
    """Whether each element is negative, -0.0 included."""
    if not dtypes.is_float(kind(x)):
        return less(cast(x, "int32"), 0)
    return logical_or(less(x, 0), logical_and(equal(x, 0), less(divide(1.0, x), 0)))


@op
def nan_to_num(x, nan=0.0, posinf=None, neginf=None):
    """Put numbers in the place of NaN and of the infinities: by default 0 and the largest that the type holds."""
    if not dtypes.is_float(kind(x)):
        return x
    largest = float(ml_dtypes.finfo(kind(x)).max)
    x = where(isnan(x), nan, x)
    x = where(isposinf(x), largest if posinf is None else posinf, x)
    return where(isneginf(x), -largest if neginf is None else neginf, x)


@op(tensors=0)
def divide_no_nan(x1, x2):
    """`x1 / x2`, and 0 where `x2` is 0."""
    x1, x2, _ = _both(x1, x2, _float)
    zero = equal(x2, 0)
    return where(zero, 0.0, divide(x1, where(zero, 1.0, x2)))


@op(tensors=0)
def hypot(x1, x2):
    """`sqrt(x1**2 + x2**2)`, without overflow."""
    x1, x2, _ = _both(x1, x2, _float)
    x1, x2 = abs(x1), abs(x2)
    large, small = maximum(x1, x2), minimum(x1, x2)
    ratio = divide(small, where(equal(large, 0), 1.0, large))
    return multiply(large, sqrt(add(1.0, square(ratio))))


@op(tensors=0)
def heaviside(x1, x2):
    """0 where `x1` is negative, 1 where it is positive, `x2` where it is 0."""
    x1, x2, dtype = _both(x1, x2, _float)
    return where(equal(x1, 0), x2, where(isnan(x1), x1, cast(greater(x1, 0), dtype)))


@op(tensors=0)
def logaddexp(x1, x2):
    """`log(exp(x1) + exp(x2))`, without overflow."""
    x1, x2, _ = _both(x1, x2, _float)
    top, difference = maximum(x1, x2), subtract(x1, x2)
    return where(isnan(difference), add(x1, x2), add(top, log1p(exp(negative(abs(where(isnan(difference), 0.0, difference)))))))


@op(tensors=0)
def logaddexp2(x1, x2):
    """`log2(2**x1 + 2**x2)`, without overflow."""
    x1, x2, _ = _both(x1, x2, _float)
    return divide(logaddexp(multiply(x1, math.log(2)), multiply(x2, math.log(2))), math.log(2))


@op(tensors=0)
def fmax(x1, x2):
    """The larger of `x1` and `x2`; where one is NaN, the other."""
    x1, x2, _ = _both(x1, x2)
    return where(isnan(x1), x2, where(isnan(x2), x1, maximum(x1, x2)))


@op(tensors=0)
def fmin(x1, x2):
    """The smaller of `x1` and `x2`; where one is NaN, the other."""
    x1, x2, _ = _both(x1, x2)
    return where(isnan(x1), x2, where(isnan(x2), x1, minimum(x1, x2)))


@op(tensors=0)
def fmod(x1, x2):
    """The remainder of `x1 / x2`, with the sign of `x1`."""
    x1, x2, _ = _both(x1, x2, _number)
    return multiply(sign(x1), mod(abs(x1), abs(x2)))


@op(tensors=2)
def ldexp(x1, x2):
    """`x1 * 2**x2`; `x2` of integers."""
    dtype = dtypes.to_float(kind(x1))
    return multiply(cast(x1, dtype), exp2(cast(x2, dtype)))


@op(tensors=0)
def isclose(x1, x2, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Whether `|x1 - x2| <= atol + rtol * |x2|`, element by element; equal infinities are close, NaN are not unless `equal_nan`."""
    x1, x2, _ = _both(x1, x2, _float)
    near = less_equal(abs(subtract(x1, x2)), add(multiply(abs(x2), rtol), atol))
    near = where(logical_and(isfinite(x1), isfinite(x2)), near, equal(x1, x2))
    return logical_or(near, logical_and(isnan(x1), isnan(x2))) if equal_nan else near


@op(sequence=True)
def select(condlist, choicelist, default=0):
    """Where several conditions may hold: the choice of the first that does, `default` where none does."""
    if len(condlist) != len(choicelist):
        raise ValueError(f"select: {len(condlist)} conditions and {len(choicelist)} choices came; their numbers must be equal.")
    *choices, out = settle(*choicelist, default)[0]
    for condition, choice in zip(reversed(condlist), reversed(choices), strict=True):
        out = where(condition, choice, out)
    return out
