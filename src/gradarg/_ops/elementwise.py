"""The elementwise table: NumPy's ufuncs with a derivative, and a few functions beside them.

Each formula is `g * df/dx_i` with `o` the output. Numbers stay Python numbers, so that float32
stays float32. Complex arguments follow the holomorphic derivative; abs, conj, real and imag, which
have none, state the derivative of the real and imaginary parts together.

Conventions at points without a derivative: abs and sign-like functions 0 at 0; maximum and minimum
share the derivative between equal arguments; relu 0 at 0; x**0 and 0**0 have derivative 0.
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


def share(g: Any, chosen: Any, tied: Any) -> Any:
    """All of g where an argument was chosen, half where two were equal, 0 elsewhere."""
    return np.where(chosen, g, np.where(tied, g * 0.5, 0))


def where_nonzero(x: Any, value: Any, otherwise: Any) -> Any:
    return np.where(x != 0, value, otherwise)


def _sigmoid(x: Any) -> Any:
    if x.__class__ is np.float64 and x > -700:
        return 1 / (1 + np.exp(-x))
    with np.errstate(over="ignore"):  # exp(-x) = inf gives 0, which is right
        return 1 / (1 + np.exp(-x))


def _softplus(x: Any) -> Any:
    return np.logaddexp(x, 0)


def _sinc_slope(g: Any, o: Any, x: Any) -> Any:
    safe = np.where(x == 0, 1, x)
    return g * np.where(x == 0, 0, (np.cos(math.pi * x) - o) / safe)


def _power_dx(g: Any, _o: Any, x: Any, y: Any) -> Any:
    return g * y * x ** np.where(y == 0, 1, y - 1)


def _power_dy(g: Any, o: Any, x: Any, _y: Any) -> Any:
    return g * o * np.log(where_nonzero(x, x, 1))


def _pow_number_dx(g: Any, _o: Any, x: Any, n: Any) -> Any:
    return g * 0 if n == 0 else g * (n * x ** (n - 1))


def _number_pow_dy(g: Any, o: Any, n: Any, _y: Any) -> Any:
    return g * (
        o
        * (
            cmath.log(n)
            if isinstance(n, complex)
            else math.log(n)
            if n > 0
            else 0.0
            if n == 0
            else math.nan
        )
    )


# with a Python number on one side nothing is promoted and fewer terms are left
power_number = elementwise("power", operator.pow, _pow_number_dx)
number_power = elementwise("power", operator.pow, None, _number_pow_dy)

#                        name          NumPy         g * d/dx,  g * d/dy
add = elementwise("add", operator.add, lambda g, _o, _x, _y: g, lambda g, _o, _x, _y: g)
subtract = elementwise("subtract", operator.sub, lambda g, _o, _x, _y: g, lambda g, _o, _x, _y: -g)
multiply = elementwise(
    "multiply", operator.mul, lambda g, _o, _x, y: g * y, lambda g, _o, x, _y: g * x
)
divide = elementwise(
    "divide", operator.truediv, lambda g, _o, _x, y: g / y, lambda g, o, _x, y: -g * o / y
)
remainder = elementwise(
    "remainder", np.remainder, lambda g, _o, _x, _y: g, lambda g, _o, x, y: -g * np.floor(x / y)
)
fmod = elementwise(
    "fmod", np.fmod, lambda g, _o, _x, _y: g, lambda g, _o, x, y: -g * np.trunc(x / y)
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
    lambda g, o, x, _y: g * (x / where_nonzero(o, o, 1)),
    lambda g, o, _x, y: g * (y / where_nonzero(o, o, 1)),
)
arctan2 = elementwise(
    "arctan2",
    np.arctan2,
    lambda g, _o, x, y: g * (y / where_nonzero(x * x + y * y, x * x + y * y, 1)),
    lambda g, _o, x, y: -g * (x / where_nonzero(x * x + y * y, x * x + y * y, 1)),
)
logaddexp = elementwise(
    "logaddexp",
    np.logaddexp,
    lambda g, _o, x, y: g * sigmoid(x - y),
    lambda g, _o, x, y: g * sigmoid(y - x),
)
logaddexp2 = elementwise(
    "logaddexp2",
    np.logaddexp2,
    lambda g, _o, x, y: g * sigmoid((x - y) * LN2),
    lambda g, _o, x, y: g * sigmoid((y - x) * LN2),
)
copysign = elementwise(
    "copysign",
    np.copysign,
    lambda g, o, x, _y: g * (np.sign(o) * np.sign(x)),
    lambda g, _o, _x, _y: g * 0,
)
ldexp = elementwise("ldexp", np.ldexp, lambda g, _o, _x, n: np.ldexp(g, n), None)
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
square = elementwise("square", np.square, lambda g, _o, x: g * (2 * x))
reciprocal = elementwise("reciprocal", np.reciprocal, lambda g, o, _x: -g * (o * o))
sqrt = elementwise("sqrt", np.sqrt, lambda g, o, _x: g / (2 * o))
cbrt = elementwise("cbrt", np.cbrt, lambda g, o, _x: g / (3 * (o * o)))
exp = elementwise("exp", np.exp, lambda g, o, _x: g * o)
exp2 = elementwise("exp2", np.exp2, lambda g, o, _x: g * (LN2 * o))
expm1 = elementwise("expm1", np.expm1, lambda g, o, _x: g * (o + 1))
log = elementwise("log", np.log, lambda g, _o, x: g / x)
log2 = elementwise("log2", np.log2, lambda g, _o, x: g / (LN2 * x))
log10 = elementwise("log10", np.log10, lambda g, _o, x: g / (LN10 * x))
log1p = elementwise("log1p", np.log1p, lambda g, _o, x: g / (1 + x))
sin = elementwise("sin", np.sin, lambda g, _o, x: g * np.cos(x))
cos = elementwise("cos", np.cos, lambda g, _o, x: -g * np.sin(x))
tan = elementwise("tan", np.tan, lambda g, o, _x: g * (1 + o * o))
arcsin = elementwise("arcsin", np.arcsin, lambda g, _o, x: g / np.sqrt((1 - x) * (1 + x)))
arccos = elementwise("arccos", np.arccos, lambda g, _o, x: -g / np.sqrt((1 - x) * (1 + x)))
arctan = elementwise("arctan", np.arctan, lambda g, _o, x: g / (1 + x * x))
sinh = elementwise("sinh", np.sinh, lambda g, _o, x: g * np.cosh(x))
cosh = elementwise("cosh", np.cosh, lambda g, _o, x: g * np.sinh(x))
tanh = elementwise("tanh", np.tanh, lambda g, o, _x: g * (1 - o * o))
arcsinh = elementwise("arcsinh", np.arcsinh, lambda g, _o, x: g / np.sqrt(1 + x * x))
arccosh = elementwise("arccosh", np.arccosh, lambda g, _o, x: g / np.sqrt((x - 1) * (x + 1)))
arctanh = elementwise("arctanh", np.arctanh, lambda g, _o, x: g / ((1 - x) * (1 + x)))
deg2rad = elementwise("deg2rad", np.deg2rad, lambda g, _o, _x: g * DEGREE)
rad2deg = elementwise("rad2deg", np.rad2deg, lambda g, _o, _x: g / DEGREE)
sinc = elementwise("sinc", np.sinc, _sinc_slope)
nan_to_num = elementwise(
    "nan_to_num", np.nan_to_num, lambda g, _o, x: np.where(np.isfinite(x), g, 0)
)

absolute = elementwise("absolute", np.absolute, lambda g, _o, x: g * np.conjugate(np.sign(x)))
fabs = elementwise("fabs", np.fabs, lambda g, _o, x: g * np.sign(x))
conjugate = elementwise("conjugate", np.conjugate, lambda g, _o, _x: np.conjugate(g))
real = elementwise("real", np.real, lambda g, _o, _x: g)
imag = elementwise("imag", np.imag, lambda g, _o, _x: g * -1j)

sigmoid: Primitive = elementwise("sigmoid", _sigmoid, lambda g, o, _x: g * (o * (1 - o)))
softplus = elementwise("softplus", _softplus, lambda g, _o, x: g * sigmoid(x))
log_sigmoid = elementwise(
    "log_sigmoid", lambda x: -np.logaddexp(-x, 0), lambda g, _o, x: g * sigmoid(-x)
)
relu = elementwise("relu", lambda x: np.maximum(x, 0), lambda g, o, _x: g * (o > 0))

# ---- no derivative: piecewise constant, or a truth value

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
        np.gcd,
        np.lcm,
    )
}
