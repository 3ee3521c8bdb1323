"""The elementwise table: NumPy's ufuncs with a derivative, and a few functions beside them.

Each formula is `g * df/dx_i` with `o` the output. Numbers stay Python numbers, so that float32
stays float32. Complex arguments follow the holomorphic derivative; abs, conj, real and imag, which
have none, state the derivative of the real and imaginary parts together.

Conventions at points without a derivative: abs and sign-like functions 0 at 0; maximum and minimum
share the derivative between equal arguments; relu 0 at 0; x**0 and 0**0 have derivative 0. Roots,
logarithms, powers and inverse functions have an infinite slope at the edge of their domain and none
beyond. A derivative of 0 that comes in, from a branch that `where` has not taken, goes on as 0,
whatever the slope: that is why rules say times(g, slope) for g * slope.
"""

from __future__ import annotations

import cmath
import math
import operator
from typing import Any

import numpy as np

from .._core.primitive import Primitive, constant, elementwise

LN2, LN10 = math.log(2), math.log(10)
DEGREE = math.pi / 180
_HUGE = float(np.finfo(np.float64).max)


def share(g: Any, chosen: Any, tied: Any) -> Any:
    """All of g where an argument was chosen, half where two were equal, 0 elsewhere."""
    return np.where(chosen, g, np.where(tied, g * 0.5, 0))


def where_nonzero(x: Any, value: Any, otherwise: Any) -> Any:
    return np.where(x != 0, value, otherwise)


def _sigmoid(x: Any) -> Any:
    if x.__class__ is np.float64 and x > -700:
        return 1 / (1 + np.exp(-x))
    if np.iscomplexobj(x):  # a power that does not overflow: an infinite one is NaN by its angle
        left = np.real(x) < 0
        e = np.exp(np.where(left, x, -x))
        return (np.where(left, e, 1) / (1 + e))[()]
    with np.errstate(over="ignore"):  # exp(-x) = inf gives 0, which is right
        return 1 / (1 + np.exp(-x))


def _softplus(x: Any) -> Any:
    return np.logaddexp(x, 0)


def _no_zero(x: Any) -> bool:
    """Whether it is soon seen that no element is 0."""
    if isinstance(x, np.ndarray):
        return x.size < 1024 and np.count_nonzero(x) == x.size
    return bool(x != 0)


def _no_nan(x: Any) -> bool:
    """Whether no element is NaN; of large arrays by x . x, without a mask."""
    if x.size >= 1024 and x.dtype.char in "fd" and x.flags.c_contiguous:
        flat = x.reshape(-1)
        with np.errstate(over="ignore"):
            x = np.dot(flat, flat)
    return not np.count_nonzero(x != x)


def _all_finite(x: Any) -> bool:
    """Whether it is soon seen that every element is finite."""
    small = isinstance(x, np.ndarray) and x.size < 1024
    return small and np.count_nonzero(np.isfinite(x)) == x.size


def _product(x: Any, y: Any) -> Any:
    if (_no_zero(x) or _all_finite(y)) and (_no_zero(y) or _all_finite(x)):
        return x * y
    with np.errstate(invalid="ignore"):
        out = x * y
    if _no_nan(out):
        return out
    return np.where(np.isnan(out) & ((x == 0) | (y == 0)), 0, out)[()]


def _quotient(x: Any, y: Any) -> Any:
    if _no_zero(x) and _no_zero(y):
        return x / y
    with np.errstate(divide="ignore", invalid="ignore"):
        out = x / y
    if _no_nan(out):
        return out
    return np.where(np.isnan(out) & (x == 0), 0, out)[()]


def times(g: Any, slope: Any) -> Any:
    """g * slope in a rule: 0 where g is 0, whatever the slope."""
    if g.__class__ is np.float64 and slope.__class__ is np.float64 and -_HUGE < slope < _HUGE:
        return g * slope if -_HUGE < g < _HUGE else product(g, slope)
    return product(g, slope)


def _sinc(x: Any, order: int) -> Any:
    """The derivative of an order of sinc: the integral of (pi s)**n cos(pi x s + n pi/2) over s."""
    far = np.where(np.abs(x) > 1, x, 1)
    out = np.sin(math.pi * far) / (math.pi * far)
    for n in range(1, order + 1):  # x f[n] + n f[n-1] = the n-th derivative of sin(pi x) / pi
        out = (math.pi ** (n - 1) * np.sin(math.pi * far + n * (math.pi / 2)) - n * out) / far
    near, series = np.where(np.abs(x) > 1, 0, x), 0 * x
    for k in reversed(range((order + 1) // 2, order // 2 + 16)):
        term = (-1) ** k * math.pi ** (2 * k) * math.perm(2 * k, order) / math.factorial(2 * k + 1)
        series = series * (near * near) + term
    return np.where(np.abs(x) > 1, out, series * near if order % 2 else series)[()]


def _bessel_i(x: Any, order: int) -> Any:
    """I_n(x) = the sum of (x/2)**(n + 2k) / (k! (n + k)!), whose terms have one sign.

    Beyond 30 its asymptotic series is as exact: Abramowitz and Stegun, 9.6.10 and 9.7.1.
    """
    size = np.abs(x)
    far = size > 30
    half = np.where(far, 0, size) / 2
    near = 0 * half
    for k in reversed(range(70)):
        near = 1 + near * (half * half) / ((k + 1) * (k + 1 + order))
    out = near * half**order / math.factorial(order)
    if np.any(far):
        large: Any = np.where(far, size, 31)
        term = total = 1 + 0 * large
        for k in range(1, 40):
            term = term * ((2 * k - 1) ** 2 - 4 * order * order) / (8 * k * large)
            total = total + term
        half_power = np.exp(large / 2) / (2 * math.pi * large) ** 0.25  # e**x may leave the range
        out = np.where(far, half_power * total * half_power, out)
    return np.where(x < 0, (-1) ** order * out, out).astype(x.dtype)[()]


def _power_dx(g: Any, _o: Any, x: Any, y: Any) -> Any:
    gy = times(g, y)
    quiet = (gy == 0) & (x == 0) & (np.real(y) < 1)
    return times(gy, np.where(quiet, 1, x) ** (y - 1))


def _power_dy(g: Any, o: Any, x: Any, _y: Any) -> Any:
    base = where_nonzero(x, x, 1)
    if o.dtype.kind == "c":  # of a negative number there is a complex logarithm
        base = base + 0j
    return times(g, times(np.log(base), o))


def _pow_number_dx(g: Any, _o: Any, x: Any, n: Any) -> Any:
    if n == 0:
        return g * 0
    return times(g, n * x ** (n - 1)) if n >= 1 else quotient(times(g, n), x ** (1 - n))


def _number_pow_dy(g: Any, o: Any, n: Any, _y: Any) -> Any:
    return g * 0 if n == 0 else times(g, o * _log_number(n, o.dtype.kind == "c"))


def _log_number(n: Any, complex_: bool) -> Any:
    if complex_ and (isinstance(n, complex) or n < 0):
        return cmath.log(n)
    return math.log(n) if n > 0 else math.nan


def _root_above(x: Any) -> Any:
    """sqrt(1 + x**2), of real numbers without squares that leave the range of floats."""
    return np.sqrt(1 + x * x) if x.dtype.kind == "c" else np.hypot(x, 1)


def _cosine(x: Any, size: Any) -> Any:
    """x / size, where size is the distance from an origin; 0 there, with all its derivatives."""
    return where_nonzero(size, x / where_nonzero(size, size, 1), 0)


def _angle_dx(x: Any, y: Any) -> Any:
    """y / (x**2 + y**2), without squares that leave the range of floats; 0 at the origin."""
    size = np.hypot(x, y)
    return _cosine(y, size) / where_nonzero(size, size, 1)


def _where_finite(g: Any, _o: Any, x: Any, **_fill: Any) -> Any:
    if x.dtype.kind != "c":
        return np.where(np.isfinite(x), g, 0)
    real = np.where(np.isfinite(np.real(x)), np.real(g), 0)  # NumPy mends each part by itself
    return real + 1j * np.where(np.isfinite(np.imag(x)), np.imag(g), 0)


def _finite(o: Any) -> Any:
    """The logarithm of a sum; of an empty one 0, so that no term of it has a part."""
    return np.where(o == -np.inf, 0, o)


# x * y and x / y, but 0 where x is 0 (in the product, y), though the other be infinite or NaN
product: Primitive = elementwise(
    "product",
    _product,
    lambda g, _o, _x, y: times(g, y),
    lambda g, _o, x, _y: times(g, x),
)
quotient: Primitive = elementwise(
    "quotient",
    _quotient,
    lambda g, _o, _x, y: quotient(g, y),
    lambda g, o, _x, y: -times(quotient(g, y), o),
)

# with a Python number on one side nothing is promoted and fewer terms are left
power_number = elementwise("power", operator.pow, _pow_number_dx)
number_power = elementwise("power", operator.pow, None, _number_pow_dy)

#                        name          NumPy         g * d/dx,  g * d/dy
add = elementwise("add", operator.add, lambda g, _o, _x, _y: g, lambda g, _o, _x, _y: g)
subtract = elementwise("subtract", operator.sub, lambda g, _o, _x, _y: g, lambda g, _o, _x, _y: -g)
multiply = elementwise(
    "multiply",
    operator.mul,
    lambda g, _o, _x, y: times(g, y),
    lambda g, _o, x, _y: times(g, x),
)
divide = elementwise(
    "divide",
    operator.truediv,
    lambda g, _o, _x, y: quotient(g, y),
    lambda g, o, _x, y: -times(quotient(g, y), o),
)
remainder = elementwise(
    "remainder",
    np.remainder,
    lambda g, _o, _x, _y: g,
    lambda g, _o, x, y: -times(g, np.floor_divide(x, y)),
)
fmod = elementwise(
    "fmod",
    np.fmod,
    lambda g, _o, _x, _y: g,
    lambda g, o, x, y: -times(g, np.rint((x - o) / y)),
)
power = elementwise("power", np.power, _power_dx, _power_dy)
float_power = elementwise("float_power", np.float_power, _power_dx, _power_dy)
maximum = elementwise(
    "maximum",
    np.maximum,
    lambda g, _o, x, y: share(g, x > y, x == y),
    lambda g, _o, x, y: share(g, y > x, x == y),
)
minimum = elementwise(
    "minimum",
    np.minimum,
    lambda g, _o, x, y: share(g, x < y, x == y),
    lambda g, _o, x, y: share(g, y < x, x == y),
)
fmax = elementwise(
    "fmax",
    np.fmax,
    lambda g, _o, x, y: share(g, (x > y) | np.isnan(y), x == y),
    lambda g, _o, x, y: share(g, (y > x) | np.isnan(x), x == y),
)
fmin = elementwise(
    "fmin",
    np.fmin,
    lambda g, _o, x, y: share(g, (x < y) | np.isnan(y), x == y),
    lambda g, _o, x, y: share(g, (y < x) | np.isnan(x), x == y),
)
hypot = elementwise(
    "hypot",
    np.hypot,
    lambda g, o, x, _y: times(g, _cosine(x, o)),
    lambda g, o, _x, y: times(g, _cosine(y, o)),
)
arctan2 = elementwise(
    "arctan2",
    np.arctan2,
    lambda g, _o, x, y: times(g, _angle_dx(x, y)),
    lambda g, _o, x, y: -times(g, _angle_dx(y, x)),
)
logaddexp = elementwise(
    "logaddexp",
    np.logaddexp,
    lambda g, o, x, _y: times(g, np.exp(x - _finite(o))),
    lambda g, o, _x, y: times(g, np.exp(y - _finite(o))),
)
logaddexp2 = elementwise(
    "logaddexp2",
    np.logaddexp2,
    lambda g, o, x, _y: times(g, np.exp2(x - _finite(o))),
    lambda g, o, _x, y: times(g, np.exp2(y - _finite(o))),
)
copysign = elementwise(
    "copysign",
    np.copysign,
    lambda g, o, x, _y: times(g, np.sign(o) * np.sign(x)),
    lambda g, _o, _x, _y: g * 0,
)
ldexp = elementwise("ldexp", np.ldexp, lambda g, _o, _x, n: np.ldexp(g, n), None)
nextafter = elementwise(
    "nextafter", np.nextafter, lambda g, _o, _x, _y: g, lambda g, _o, _x, _y: g * 0
)
heaviside = elementwise(
    "heaviside",
    np.heaviside,
    lambda g, _o, _x, _y: g * 0,
    lambda g, _o, x, _y: np.where(x == 0, g, 0),
)
where = elementwise(
    "where",
    np.where,
    None,
    lambda g, _o, c, _x, _y: np.where(c, g, 0),
    lambda g, _o, c, _x, _y: np.where(c, 0, g),
)

positive = elementwise("positive", operator.pos, lambda g, _o, _x: g)
negative = elementwise("negative", operator.neg, lambda g, _o, _x: -g)
square = elementwise("square", np.square, lambda g, _o, x: times(g, 2 * x))
reciprocal = elementwise("reciprocal", np.reciprocal, lambda g, o, _x: -times(g, o * o))
sqrt = elementwise("sqrt", np.sqrt, lambda g, o, _x: quotient(g, 2 * o))
cbrt = elementwise("cbrt", np.cbrt, lambda g, o, _x: quotient(g, 3 * (o * o)))
exp = elementwise("exp", np.exp, lambda g, o, _x: times(g, o))
exp2 = elementwise("exp2", np.exp2, lambda g, o, _x: times(g, LN2 * o))
expm1 = elementwise("expm1", np.expm1, lambda g, _o, x: times(g, np.exp(x)))
log = elementwise("log", np.log, lambda g, _o, x: quotient(g, x))
log2 = elementwise("log2", np.log2, lambda g, _o, x: quotient(g, LN2 * x))
log10 = elementwise("log10", np.log10, lambda g, _o, x: quotient(g, LN10 * x))
log1p = elementwise("log1p", np.log1p, lambda g, _o, x: quotient(g, 1 + x))
sin = elementwise("sin", np.sin, lambda g, _o, x: times(g, np.cos(x)))
cos = elementwise("cos", np.cos, lambda g, _o, x: -times(g, np.sin(x)))
tan = elementwise("tan", np.tan, lambda g, o, _x: times(g, 1 + o * o))
arcsin = elementwise("arcsin", np.arcsin, lambda g, _o, x: quotient(g, np.sqrt((1 - x) * (1 + x))))
arccos = elementwise("arccos", np.arccos, lambda g, _o, x: quotient(-g, np.sqrt((1 - x) * (1 + x))))
arctan = elementwise("arctan", np.arctan, lambda g, _o, x: quotient(g, 1 + x * x))
sinh = elementwise("sinh", np.sinh, lambda g, _o, x: times(g, np.cosh(x)))
cosh = elementwise("cosh", np.cosh, lambda g, _o, x: times(g, np.sinh(x)))
tanh = elementwise("tanh", np.tanh, lambda g, o, _x: times(g, 1 - o * o))
arcsinh = elementwise("arcsinh", np.arcsinh, lambda g, _o, x: quotient(g, _root_above(x)))
arccosh = elementwise(
    "arccosh",
    np.arccosh,  # two roots: of the product the other root would be taken where Re x < 0
    lambda g, _o, x: quotient(g, np.sqrt(x - 1) * np.sqrt(x + 1)),
)
arctanh = elementwise("arctanh", np.arctanh, lambda g, _o, x: quotient(g, (1 - x) * (1 + x)))
deg2rad = elementwise("deg2rad", np.deg2rad, lambda g, _o, _x: g * DEGREE)
rad2deg = elementwise("rad2deg", np.rad2deg, lambda g, _o, _x: g / DEGREE)
sinc = elementwise("sinc", np.sinc, lambda g, _o, x: times(g, sinc_derivative(x, order=1)))
sinc_derivative: Primitive = elementwise(
    "sinc_derivative",
    _sinc,
    lambda g, _o, x, order: times(g, sinc_derivative(x, order=order + 1)),
)
nan_to_num = elementwise("nan_to_num", np.nan_to_num, _where_finite)
i0 = elementwise("i0", np.i0, lambda g, _o, x: g * bessel_i(x, order=1))
bessel_i: Primitive = elementwise(  # modified, of the first kind, of integer order >= 1
    "bessel_i",
    _bessel_i,
    lambda g, _o, x, order: (
        g * ((bessel_i(x, order=order - 1) + bessel_i(x, order=order + 1)) / 2)
        if order > 1
        else g * ((np.i0(x) + bessel_i(x, order=2)) / 2)
    ),
)

absolute = elementwise("absolute", np.absolute, lambda g, _o, x: times(g, np.conjugate(np.sign(x))))
fabs = elementwise("fabs", np.fabs, lambda g, _o, x: times(g, np.sign(x)))
conjugate = elementwise("conjugate", np.conjugate, lambda g, _o, _x: np.conjugate(g))
real = elementwise("real", np.real, lambda g, _o, _x: g)
imag = elementwise("imag", np.imag, lambda g, _o, _x: g * -1j)

sigmoid: Primitive = elementwise("sigmoid", _sigmoid, lambda g, o, _x: times(g, o * (1 - o)))
softplus = elementwise("softplus", _softplus, lambda g, _o, x: times(g, sigmoid(x)))
log_sigmoid = elementwise(
    "log_sigmoid", lambda x: -np.logaddexp(-x, 0), lambda g, _o, x: times(g, sigmoid(-x))
)
relu = elementwise("relu", lambda x: np.maximum(x, 0), lambda g, o, _x: g * (o > 0))

# ---- no derivative: piecewise constant, or a truth value

round = constant("round", np.round)

exponent = constant("frexp", lambda x: np.frexp(x)[1])  # of the power of two next above |x|

CONSTANT: dict[str, Primitive] = {
    f.__name__: constant(f.__name__, f)
    for f in (
        np.floor,
        np.ceil,
        np.trunc,
        np.rint,
        np.sign,
        np.floor_divide,
        np.spacing,
        np.equal,
        np.not_equal,
        np.less,
        np.less_equal,
        np.greater,
        np.greater_equal,
        np.logical_and,
        np.logical_or,
        np.logical_xor,
        np.logical_not,
        np.bitwise_and,
        np.bitwise_or,
        np.bitwise_xor,
        np.invert,
        np.left_shift,
        np.right_shift,
        np.isfinite,
        np.isinf,
        np.isnan,
        np.signbit,
        np.bitwise_count,
        np.gcd,
        np.lcm,
    )
}
