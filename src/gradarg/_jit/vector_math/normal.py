"""The error function, its complement, and the normal distribution function.

erfc(x) = e^(-x^2) erfcx(x), where erfcx(x) (1 + 2 x) is close to a polynomial in (x - 2) / (x + 2).
"""

from __future__ import annotations

from .code import Value, copysign, fast_two_sum, fma, polynomial, select, two_product
from .coefficients import ERF, ERFCX, ERFCX_FAR
from .exponential import Number, Power, power

CENTRE = 2.0  # of the map (x - 2) / (x + 2), as in the fit

_INVERSE_ROOT_PI = 0.5641895835477563
_INVERSE_ROOT_2: dict[int, Number] = {  # 1 / sqrt(2)
    32: (0.707106769084930419921875, 1.2101617152815436e-08),
    64: (0.7071067811865476, -4.833646656726457e-17),
}


def _near(x: Value) -> Value:
    """erf(x) - x for |x| <= 1."""
    return x * polynomial(x * x, ERF[x.bits])


def _quotient(x: Value, rest: Value | float, low: Value | None = None) -> Value:
    """erfcx(x + low) (1 + rest) for x >= 0.45, rounded about once."""
    denominator, lost = fast_two_sum(select(x < 0.5, 1.0, 2.0 * x), select(x < 0.5, 2.0 * x, 1.0))
    if low is not None:  # what the steepest factor, 1 / (1 + 2 x), feels of it
        lost = fma(low, 2.0, lost)
    shifted = x + CENTRE
    inverse = 1.0 / (shifted * denominator)
    t = (x - CENTRE) * (denominator * inverse)
    g = polynomial(t, ERFCX[x.bits])
    more = g if isinstance(rest, float) else fma(g, rest, g + rest)
    numerator, numerator_low = fast_two_sum(1.0, more)
    reciprocal = shifted * inverse
    q = numerator * reciprocal
    # As in `divide`, with the reciprocal that is there already.
    lacks = fma(-q, lost, fma(-q, denominator, numerator) + numerator_low)
    return fma(lacks, reciprocal, q)


def _far(x: Value) -> Value:
    """erfcx(x) for 1 <= x <= 6, where the errors count less the greater x is."""
    denominator, shifted = fma(x, 2.0, 1.0), x + CENTRE
    inverse = 1.0 / (shifted * denominator)
    t = (x - CENTRE) * (denominator * inverse)
    return fma(polynomial(t, ERFCX_FAR[x.bits]), shifted * inverse, shifted * inverse)


def _gaussian(x: Value, factor: float = -1.0) -> Power:
    """The reduction of e^(factor x^2), with x^2 to twice the precision; the factor is 1 / 2^k."""
    square = x * x
    return power(factor * square, low=factor * fma(x, x, -square))


def erf(x: Value) -> Value:
    size = abs(x)
    limit = {32: 4.0, 64: 6.0}[x.bits]
    a = select(size > limit, limit, size)
    p = power(-(a * a))
    far = fma(-p.scale(), p.mantissa * _far(a), 1.0)
    return copysign(select(size < 1.0, a + _near(a), far), x)


def erfc(x: Value) -> Value:
    size = abs(x)
    limit = {32: 10.5, 64: 27.5}[x.bits]
    a = select(size > limit, limit, size)
    p = _gaussian(a)
    first, second = p.halves
    tail = _quotient(a, p.r + p.rest) * first * second
    near, lost = fast_two_sum(1.0, -x)
    near = near + (lost - _near(x))
    return select(size < 0.5, near, select(x < 0.0, 2.0 - tail, tail))


def erfcx(x: Value) -> Value:
    """The complement times e^(x^2); below 0 that of -x, reflected."""
    size = abs(x)
    huge = size > {32: 1e6, 64: 1e12}[x.bits]
    right = select(huge, _INVERSE_ROOT_PI / size, _quotient(select(huge, 1.0, size), 0.0))
    limit = {32: 9.5, 64: 27.0}[x.bits]
    p = _gaussian(select(size > limit, limit, size), 1.0)
    first, second = p.halves
    growth = p.r + p.rest  # e^(x^2) - 1 where that is small
    near, lost = fast_two_sum(1.0, -x)
    lost = lost - _near(x)
    near = near + (lost + growth * (near + lost))
    total, error = fast_two_sum(1.0, growth)
    left = (total * first) * (2.0 * second) - (right - error * first * (2.0 * second))
    return select(size < 0.5, near, select(x < 0.0, left, right))


def _normal(x: Value) -> tuple[Value, Power]:
    """|x| up to where its function is 0, and the reduction of e^(-x^2 / 2)."""
    size = abs(x)
    limit = {32: 15.0, 64: 39.0}[x.bits]
    a = select(size > limit, limit, size)
    return a, _gaussian(a, -0.5)


def gaussian(x: Value) -> Value:
    """e^(-x^2 / 2), of the same lines as in `ndtr`: LLVM computes them once for both."""
    _, p = _normal(x)
    first, second = p.halves
    return (1.0 + (p.r + p.rest)) * first * second


def ndtr(x: Value) -> Value:
    """The normal distribution function, erfc(-x / sqrt(2)) / 2."""
    a, p = _normal(x)
    first, second = p.halves
    factor, factor_low = _INVERSE_ROOT_2[x.bits]
    z, z_low = two_product(a, factor)
    z_low = fma(a, factor_low, z_low)
    tail = _quotient(z, p.r + p.rest, z_low) * first * (0.5 * second)
    y = x * factor
    near = fma(y + _near(y), 0.5, 0.5)
    return select(abs(x) < 0.7, near, select(x < 0.0, tail, 1.0 - tail))
