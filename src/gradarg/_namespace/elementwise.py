"""Functions of corresponding elements, under NumPy's names."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core.errors import DerivativeError
from .._core.primitive import Primitive
from .._core.trace import Box, bind
from .._ops import elementwise as ops
from .._ops import structure
from .arguments import array, concrete, found, number_or_array, refuse_out
from .inspection import at_home
from .views import link, view

__all__ = [
    "abs",
    "absolute",
    "acos",
    "acosh",
    "add",
    "angle",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "around",
    "asin",
    "asinh",
    "astype",
    "atan",
    "atan2",
    "atanh",
    "bitwise_and",
    "bitwise_count",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "cbrt",
    "ceil",
    "clip",
    "conj",
    "conjugate",
    "copysign",
    "cos",
    "cosh",
    "deg2rad",
    "degrees",
    "divide",
    "divmod",
    "equal",
    "exp",
    "exp2",
    "expm1",
    "fabs",
    "fix",
    "float_power",
    "floor",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "gcd",
    "greater",
    "greater_equal",
    "frexp",
    "heaviside",
    "hypot",
    "imag",
    "invert",
    "iscomplex",
    "isfinite",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "isreal",
    "lcm",
    "ldexp",
    "left_shift",
    "less",
    "less_equal",
    "log",
    "log10",
    "log1p",
    "log2",
    "log_sigmoid",
    "logaddexp",
    "logaddexp2",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "mod",
    "modf",
    "multiply",
    "nan_to_num",
    "negative",
    "nextafter",
    "not_equal",
    "positive",
    "pow",
    "power",
    "rad2deg",
    "radians",
    "real",
    "real_if_close",
    "reciprocal",
    "relu",
    "remainder",
    "right_shift",
    "rint",
    "round",
    "sigmoid",
    "sign",
    "signbit",
    "sin",
    "sinc",
    "sinh",
    "softplus",
    "spacing",
    "sqrt",
    "square",
    "stop_gradient",
    "subtract",
    "tan",
    "tanh",
    "true_divide",
    "trunc",
    "where",
]


def _named(function: Callable[..., Any], primitive: Primitive, doc: str) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = primitive.name
    function.__doc__ = doc
    return function


def _unary(primitive: Primitive, formula: str) -> Callable[..., Any]:
    def function(x: Any, /) -> Any:
        return bind(primitive, (array(x),))

    return _named(function, primitive, f"Elementwise {formula}. Keeps the shape of x.")


def _binary(primitive: Primitive, formula: str) -> Callable[..., Any]:
    def function(x: Any, y: Any, /) -> Any:
        x, y = number_or_array(x), number_or_array(y)
        if x.__class__ is complex and y.dtype in (np.float64, np.complex128):
            x = np.complex128(x)  # Python would multiply it with np.float64 into its own complex
        return bind(primitive, (x, y))

    return _named(function, primitive, f"Elementwise {formula}. Broadcasts x against y.")


def _constant(name: str) -> Callable[..., Any]:
    primitive = ops.CONSTANT[name]
    function = (_unary if getattr(np, name).nin == 1 else _binary)(primitive, name)
    return _named(
        function, primitive, f"NumPy's `{name}`. Its derivative is zero or does not exist."
    )


def _whole(name: str) -> Callable[..., Any]:
    """As `_constant`, of a function that leaves integers as they are, since NumPy 2.1."""
    function = _constant(name)

    def whole(x: Any, /) -> Any:
        x = array(x)
        return bind(ops.positive, (x,)) if x.dtype.kind in "iu" else function(x)

    return _named(whole, ops.CONSTANT[name], str(function.__doc__))


# ---- one argument

positive = _unary(ops.positive, "x")
negative = _unary(ops.negative, "-x")
square = _unary(ops.square, "x**2")
reciprocal = _unary(ops.reciprocal, "1 / x")
sqrt = _unary(ops.sqrt, "the square root of x")
cbrt = _unary(ops.cbrt, "the cube root of x")
exp = _unary(ops.exp, "e**x")
exp2 = _unary(ops.exp2, "2**x")
expm1 = _unary(ops.expm1, "e**x - 1, exact near 0")
log = _unary(ops.log, "the natural logarithm of x")
log2 = _unary(ops.log2, "the logarithm of x to base 2")
log10 = _unary(ops.log10, "the logarithm of x to base 10")
log1p = _unary(ops.log1p, "log(1 + x), exact near 0")
sin = _unary(ops.sin, "the sine of x, in radians")
cos = _unary(ops.cos, "the cosine of x, in radians")
tan = _unary(ops.tan, "the tangent of x, in radians")
arcsin = _unary(ops.arcsin, "the inverse sine, in radians")
arccos = _unary(ops.arccos, "the inverse cosine, in radians")
arctan = _unary(ops.arctan, "the inverse tangent, in radians")
sinh = _unary(ops.sinh, "(e**x - e**-x) / 2")
cosh = _unary(ops.cosh, "(e**x + e**-x) / 2")
tanh = _unary(ops.tanh, "sinh(x) / cosh(x)")
arcsinh = _unary(ops.arcsinh, "the inverse of sinh")
arccosh = _unary(ops.arccosh, "the inverse of cosh, for x >= 1")
arctanh = _unary(ops.arctanh, "the inverse of tanh, for |x| < 1")
deg2rad = _unary(ops.deg2rad, "x * pi / 180")
rad2deg = _unary(ops.rad2deg, "x * 180 / pi")
sinc = _unary(ops.sinc, "sin(pi x) / (pi x), 1 at 0")
absolute = _unary(ops.absolute, "|x|; its derivative at 0 is 0")
fabs = _unary(ops.fabs, "|x|; its derivative at 0 is 0")
conjugate = _unary(ops.conjugate, "the complex conjugate of x")
sigmoid = _unary(ops.sigmoid, "1 / (1 + e**-x), at any x without overflow")
softplus = _unary(ops.softplus, "log(1 + e**x), at any x without overflow")
log_sigmoid = _unary(ops.log_sigmoid, "log(1 / (1 + e**-x)), at any x without overflow")
relu = _unary(ops.relu, "max(x, 0); its derivative at 0 is 0")

# ---- two arguments

add = _binary(ops.add, "x + y")
subtract = _binary(ops.subtract, "x - y")
multiply = _binary(ops.multiply, "x * y")
divide = _binary(ops.divide, "x / y")
remainder = _binary(ops.remainder, "x - floor(x / y) * y")
fmod = _binary(ops.fmod, "x - trunc(x / y) * y")
float_power = _binary(ops.float_power, "x**y, at least in float64")
maximum = _binary(
    ops.maximum, "the larger of x and y; where equal, each has half of the derivative"
)
minimum = _binary(
    ops.minimum, "the smaller of x and y; where equal, each has half of the derivative"
)
fmax = _binary(ops.fmax, "the larger of x and y, ignoring NaN")
fmin = _binary(ops.fmin, "the smaller of x and y, ignoring NaN")
hypot = _binary(ops.hypot, "sqrt(x**2 + y**2); its derivative at the origin is 0")
arctan2 = _binary(
    ops.arctan2, "the angle of the point (y, x), in radians; its derivative at the origin is 0"
)
logaddexp = _binary(ops.logaddexp, "log(e**x + e**y)")
logaddexp2 = _binary(ops.logaddexp2, "log2(2**x + 2**y)")
copysign = _binary(ops.copysign, "|x| with the sign of y")
ldexp = _binary(ops.ldexp, "x * 2**y, for an integer y")
nextafter = _binary(ops.nextafter, "the next float after x towards y")
heaviside = _binary(ops.heaviside, "0 for x < 0, y at x = 0, 1 for x > 0")

# ---- without derivative

floor = _whole("floor")
ceil = _whole("ceil")
trunc = _whole("trunc")
rint = _constant("rint")
floor_divide = _constant("floor_divide")
spacing = _constant("spacing")
equal = _constant("equal")
not_equal = _constant("not_equal")
less = _constant("less")
less_equal = _constant("less_equal")
greater = _constant("greater")
greater_equal = _constant("greater_equal")
logical_and = _constant("logical_and")
logical_or = _constant("logical_or")
logical_xor = _constant("logical_xor")
logical_not = _constant("logical_not")
bitwise_and = _constant("bitwise_and")
bitwise_or = _constant("bitwise_or")
bitwise_xor = _constant("bitwise_xor")
invert = _constant("invert")
left_shift = _constant("left_shift")
right_shift = _constant("right_shift")
isfinite = _constant("isfinite")
isinf = _constant("isinf")
isnan = _constant("isnan")
signbit = _constant("signbit")
bitwise_count = _constant("bitwise_count")
gcd = _constant("gcd")
lcm = _constant("lcm")

# ---- with cases of their own


def real(x: Any, /) -> Any:
    """The real part of x."""
    return view(ops.real, array(x), {})


def imag(x: Any, /) -> Any:
    """The imaginary part of x."""
    x = array(x)
    if x.dtype.kind == "c":
        return view(ops.imag, x, {})
    out = bind(ops.imag, (x,))
    if isinstance(out, Box):
        link(out, x, imag, {})  # read-only
    return out


def power(x: Any, y: Any, /) -> Any:
    """Elementwise x**y. Broadcasts x against y.

    The derivative with respect to x is y * x**(y - 1), and 0 where y = 0; with respect to y it is
    x**y * log(x), and 0 where x = 0.

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(lambda x: np.power(x, 3))(2.0)
    np.float64(12.0)
    """
    x, y = number_or_array(x), number_or_array(y)
    if isinstance(y, (int, float)):
        return bind(ops.square, (x,)) if y == 2 else bind(ops.power_number, (x, y))
    if isinstance(x, (int, float)):
        return bind(ops.number_power, (x, y))
    return bind(ops.power, (x, y))


def sign(x: Any, /) -> Any:
    """-1, 0 or 1 as x is negative, zero or positive; of a complex number x / |x|, or 0."""
    x = array(x)
    if x.dtype.kind != "c":
        return bind(ops.CONSTANT["sign"], (x,))
    size = absolute(x)
    zero = equal(size, 0)
    return where(zero, 0, bind(ops.divide, (x, where(zero, 1, size))))


def where(condition: Any, x: Any = np._NoValue, y: Any = np._NoValue, /) -> Any:
    """x where the condition holds, else y. Each gets the derivative of the places it fills.

    The condition alone gives the positions where it holds, as `nonzero` does.

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(lambda x: np.sum(np.where(x > 0, x * x, -x)))(np.array([3.0, -1.0]))
    array([ 6., -1.])
    """
    if x is np._NoValue:
        return found("where", np.nonzero, array(condition))
    if y is np._NoValue:
        raise TypeError("where takes a condition, or a condition and the values of both branches.")
    return bind(ops.where, (array(condition), number_or_array(x), number_or_array(y)))


def clip(
    a: Any,
    min: Any = None,
    max: Any = None,
    out: Any = None,
    *,
    a_min: Any = None,
    a_max: Any = None,
    dtype: Any = None,
) -> Any:
    """Elementwise minimum(maximum(a, min), max), each bound optional; `a_min`, `a_max` in NumPy.

    At a bound the derivative is shared equally, as `maximum` and `minimum` share it.
    """
    refuse_out("clip", out)
    low = a_min if min is None else min
    high = a_max if max is None else max
    a = array(a) if dtype is None else astype(a, dtype)
    if low is not None:
        a = bind(ops.maximum, (a, number_or_array(low)))
    if high is not None:
        a = bind(ops.minimum, (a, number_or_array(high)))
    return positive(a) if low is None and high is None else a


def nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    """NaN and infinities as numbers: 0 and the largest finite ones, unless others are given.

    These places have derivative 0 in x. With `copy=False`, x itself is changed, as in NumPy.
    """
    x = array(x)
    given = {"nan": nan, "posinf": posinf, "neginf": neginf}
    if builtins.all(v is None or isinstance(v, (int, float)) for v in given.values()):
        numbers = {k: v for k, v in given.items() if v is not None and (k, v) != ("nan", 0.0)}
        out = bind(ops.nan_to_num, (x,), numbers)
    else:
        out = _replaced(x, **given)
    if not copy:
        x[...] = out
        return x
    return out


def _replaced(x: Any, nan: Any, posinf: Any, neginf: Any) -> Any:
    """nan_to_num with arrays of numbers, which have derivatives of their own."""
    if x.dtype.kind == "c":
        real_part, imag_part = (_replaced(f(x), nan, posinf, neginf) for f in (real, imag))
        return real_part + 1j * imag_part
    if x.dtype.kind != "f":
        return positive(x)
    largest = np.finfo(x.dtype).max
    out = where(isnan(x), astype(nan, x.dtype), x)
    out = where(equal(x, np.inf), astype(largest if posinf is None else posinf, x.dtype), out)
    return where(equal(x, -np.inf), astype(-largest if neginf is None else neginf, x.dtype), out)


def angle(z: Any, deg: bool = False) -> Any:
    """The angle of a complex number, in radians, or in degrees; its derivative at 0 is 0."""
    z = array(z)
    out = bind(ops.arctan2, (bind(ops.imag, (z,)), bind(ops.real, (z,))))
    return rad2deg(out) if deg else out


def divmod(x: Any, y: Any, /) -> tuple[Any, Any]:
    """(x // y, x % y)."""
    return floor_divide(x, y), remainder(x, y)


def frexp(x: Any, /) -> tuple[Any, Any]:
    """(m, e) with x = m * 2**e and 0.5 <= |m| < 1; e is an integer, without derivative."""
    e = bind(ops.exponent, (array(x),))
    return bind(ops.ldexp, (array(x), -e)), e


def modf(x: Any, /) -> tuple[Any, Any]:
    """The fractional part, whose derivative is 1, and the integral part."""
    whole = trunc(x)
    return bind(ops.subtract, (array(x), whole)), whole


def round(a: Any, decimals: int = 0, out: Any = None) -> Any:
    """a rounded to a number of decimals; its derivative is zero or does not exist."""
    refuse_out("round", out)
    a = array(a)
    if decimals == 0 and a.dtype.kind == "f":
        return rint(a)
    return bind(ops.round, (a,), {"decimals": decimals})


def around(a: Any, decimals: int = 0, out: Any = None) -> Any:
    """`round` under its other name."""
    return round(a, decimals, out)


def fix(x: Any, out: Any = None) -> Any:
    """x rounded towards zero: `trunc`, of which it is NumPy's older form."""
    refuse_out("fix", out)
    return trunc(x)


def isposinf(x: Any) -> Any:
    """Whether each element is +inf."""
    return equal(x, np.inf)


def isneginf(x: Any) -> Any:
    """Whether each element is -inf."""
    return equal(x, -np.inf)


def iscomplex(x: Any) -> Any:
    """Whether each element has an imaginary part other than zero."""
    return not_equal(imag(array(x)), 0)


def isreal(x: Any) -> Any:
    """Whether each element has no imaginary part, or one that is zero."""
    return equal(imag(array(x)), 0)


def real_if_close(a: Any, tol: float = 100) -> Any:
    """The real part of a if all imaginary parts are within `tol` machine epsilons of 0, else a."""
    a = array(a)
    if a.dtype.kind != "c":
        return a
    if tol > 1:
        tol = tol * float(np.finfo(a.dtype).eps)
    return real(a) if np.all(np.abs(np.imag(concrete(a, "real_if_close(a)"))) < tol) else a


def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    """x in another dtype. Between float and complex types the derivative passes through."""
    at_home(device, "astype")
    x, dtype = array(x), np.dtype(dtype)
    if dtype.kind not in "biufc":
        raise DerivativeError(
            f"astype({dtype}) would take the numbers out of NumPy's sight, and their derivative "
            "out of ours. Keep them in a numeric dtype."
        )
    if x.dtype == dtype and not copy:
        return x
    return bind(
        structure.astype if dtype.kind in "fc" else structure.truncate, (x,), {"dtype": dtype}
    )


def stop_gradient(x: Any, /) -> Any:
    """x as a constant: no derivative of any order passes through.

    >>> import gradarg as ga
    >>> ga.grad(lambda x: x * ga.stop_gradient(x))(3.0)
    np.float64(3.0)
    """
    return bind(structure.stop_gradient, (array(x),))


# ---- the same functions under the array API standard's names, and NumPy's other ones

abs = absolute
acos = arccos
acosh = arccosh
asin = arcsin
asinh = arcsinh
atan = arctan
atan2 = arctan2
atanh = arctanh
conj = conjugate
pow = power
true_divide = divide
mod = remainder
degrees = rad2deg
radians = deg2rad
bitwise_not = invert
bitwise_invert = invert
bitwise_left_shift = left_shift
bitwise_right_shift = right_shift
