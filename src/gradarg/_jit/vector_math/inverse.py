"""The inverse circular and hyperbolic functions."""

from __future__ import annotations

from .code import (
    INFINITY,
    NAN,
    SIGNIFICAND,
    Value,
    copysign,
    fast_two_sum,
    fma,
    is_tiny,
    polynomial,
    select,
    sqrt_of_sum,
    two_product,
    two_sum,
)
from .coefficients import ASIN, ASINH, ATAN, LOG1P
from .exponential import Number, log_of_sum

QUARTER_PI: dict[int, Number] = {
    32: (0.785398185253143310546875, -2.1855694143368964e-08),
    64: (0.7853981633974483, 3.061616997868383e-17),
}
TAN_EIGHTH = 0.4142135623730951  # tan(pi / 8)


def _angle(quarters: Value | float, size: Value, rest: Value, sign: Value) -> Value:
    """quarters * pi / 4 + sign * (size + rest)."""
    high, low = QUARTER_PI[size.bits]
    quarters = size.lift(quarters)
    base, lost = two_product(quarters, high)
    total, error = fast_two_sum(base, sign * size)
    return total + (error + fma(quarters, low, fma(sign, rest, lost)))


def _octant(below: Value, above: Value) -> tuple[Value, Value, Value]:
    """atan(below / above) for 0 <= below <= above: quarters of pi, and the rest as a sum."""
    far = below > above * TAN_EIGHTH
    # tan(a - pi / 4) = (tan(a) - 1) / (tan(a) + 1)
    total, total_low = fast_two_sum(above, below)
    difference, difference_low = fast_two_sum(-above, below)
    x, x_low = select(far, difference, below), select(far, difference_low, 0.0)
    y, y_low = select(far, total, above), select(far, total_low, 0.0)
    q = x / y
    lacks = (fma(-q, y, x) + fma(-q, y_low, x_low)) / y
    z = q * q
    rest = fma(q * z, polynomial(z, ATAN[x.bits]), lacks)
    return select(far, x.lift(1.0), 0.0), q, rest


def arctan(x: Value) -> Value:
    size, limit = abs(x), 8.0 * 2.0 ** SIGNIFICAND[x.bits]
    large = size > 1.0
    quarters, q, rest = _octant(
        select(large, 1.0, size), select(large, select(size > limit, limit, size), 1.0)
    )
    quarters = select(large, 2.0 - quarters, quarters)
    result = _angle(quarters, q, rest, select(large, x.lift(-1.0), 1.0))
    return copysign(select(is_tiny(x), size, result), x)


def arctan2(y: Value, x: Value) -> Value:
    """The angle of the point (x, y)."""
    width, height = abs(x), abs(y)
    steep = height > width
    below, above = select(steep, width, height), select(steep, height, width)
    # Both infinite: as (1, 1). One infinite or both zero: on an axis.
    infinite = above.equals(INFINITY)
    below = select(infinite, select(below.equals(INFINITY), 1.0, below * 0.0), below)
    above = select(infinite | above.equals(0.0), 1.0, above)
    large, small = {32: (2.0**60, 2.0**-60), 64: (2.0**500, 2.0**-500)}[x.bits]
    by = select(above > large, small, select(above < small, x.lift(large), 1.0))
    quarters, q, rest = _octant(below * by, above * by)
    left = (x.pattern >> (x.bits - 1)).equals(1)
    quarters = select(steep, 2.0 - quarters, quarters)
    quarters = select(left, 4.0 - quarters, quarters)
    result = _angle(quarters, q, rest, select(steep ^ left, x.lift(-1.0), 1.0))
    return copysign(select(x.differs(x), x, result), y)


def _arcsine_series(size: Value) -> tuple[Value, Value, Value]:
    """Where |x| > 1/2; then s with asin(x) = pi / 2 - 2 asin(s), else s = x; asin(s) as a sum."""
    far = size > 0.5
    z = select(far, fma(size, -0.5, 0.5), size * size)
    root, root_low = sqrt_of_sum(z, z.lift(0.0))
    s, low = select(far, root, size), select(far, root_low, 0.0)
    return far, s, fma(s * z, polynomial(z, ASIN[size.bits]), low)


def arcsin(x: Value) -> Value:
    size = abs(x)
    far, s, rest = _arcsine_series(size)
    scale = select(far, x.lift(-2.0), 1.0)
    result = _angle(select(far, x.lift(2.0), 0.0), s, rest, scale)
    return copysign(select(is_tiny(x), size, result), x)


def arccos(x: Value) -> Value:
    far, s, rest = _arcsine_series(abs(x))
    left = x < 0.0
    quarters = select(far, select(left, x.lift(4.0), 0.0), 2.0)
    scale = select(far, select(left, x.lift(-2.0), 2.0), select(left, x.lift(1.0), -1.0))
    return _angle(quarters, s, rest, scale)


def arcsinh(x: Value) -> Value:
    """log(|x| + sqrt(x^2 + 1)) with the sign of x, and a series for |x| < 1/2."""
    size, limit = abs(x), 4.0 * 2.0 ** SIGNIFICAND[x.bits]
    huge = size > limit
    a = select(huge, limit, size)
    square, error = two_product(a, a)
    above, lost = two_sum(1.0, square)
    root, low = sqrt_of_sum(above, lost + error)
    total, lost = two_sum(a, root)
    z = x * x
    near = fma(size * z, polynomial(z, ASINH[x.bits]), size)
    far = log_of_sum(select(huge, size, total), select(huge, 0.0, lost + low), _one_if(huge))
    result = select(size < 0.5, near, select(size < INFINITY, far, size))
    return copysign(select(is_tiny(x), size, result), x)


def arccosh(x: Value) -> Value:
    """log(x + sqrt(x^2 - 1)), x >= 1."""
    limit = 4.0 * 2.0 ** SIGNIFICAND[x.bits]
    huge = x > limit
    a = select(huge, limit, x)
    below, above = a - 1.0, a + 1.0
    square, error = two_product(below, above)
    error = fma(below, (a - (above - 1.0)), error)
    below_error = (a - (below + 1.0)) * above
    square, error = fast_two_sum(square, error + below_error)
    root, low = sqrt_of_sum(square, error)
    total, lost = two_sum(a, root)
    far = log_of_sum(select(huge, x, total), select(huge, 0.0, lost + low), _one_if(huge))
    return select(x < 1.0, NAN, select(x < INFINITY, far, x))


def _one_if(condition: Value) -> Value:
    code = condition.code
    return select(condition, code.constant(1.0, code.real), 0.0)


def arctanh(x: Value) -> Value:
    """log((1 + x) / (1 - x)) / 2, and a series for |x| < 1/3."""
    size = abs(x)
    above, above_low = fast_two_sum(1.0, size)
    below, below_low = fast_two_sum(1.0, -size)
    below = select(below > 0.0, below, 1.0)
    q = above / below
    lacks = (fma(-q, below, above) + fma(-q, below_low, above_low)) / below
    z = x * x
    near = fma(size * z, 0.5 * polynomial(z, LOG1P[x.bits]), size)
    far = 0.5 * log_of_sum(q, lacks)
    ends = select(size.equals(1.0), x.lift(INFINITY), NAN)
    result = select(size < 1.0 / 3.0, near, select(size < 1.0, far, ends))
    return copysign(select(is_tiny(x), size, result), x)
