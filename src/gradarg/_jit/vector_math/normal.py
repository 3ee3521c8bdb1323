"""The error function and its complement.

erfc(x) = e^(-x^2) erfcx(x), where erfcx(x) (1 + 2 x) is close to a polynomial in (x - 2) / (x + 2).
"""

from __future__ import annotations

from .code import Value, copysign, fast_two_sum, fma, polynomial, select
from .coefficients import ERF, ERFCX, ERFCX_FAR
from .exponential import Power, power

CENTRE = 2.0  # of the map (x - 2) / (x + 2), as in the fit


def _near(x: Value) -> Value:
    """erf(x) - x for |x| <= 1."""
    return x * polynomial(x * x, ERF[x.bits])


def _quotient(x: Value, rest: Value | float) -> Value:
    """erfcx(x) (1 + rest) for x >= 0.45, rounded about once."""
    denominator, lost = fast_two_sum(select(x < 0.5, 1.0, 2.0 * x), select(x < 0.5, 2.0 * x, 1.0))
    shifted = x + CENTRE
    inverse = 1.0 / (shifted * denominator)
    t = (x - CENTRE) * (denominator * inverse)
    g = polynomial(t, ERFCX[x.bits])
    numerator, low = fast_two_sum(1.0, g if isinstance(rest, float) else fma(g, rest, g + rest))
    reciprocal = shifted * inverse
    q = numerator * reciprocal
    # As in `divide`, with the reciprocal that is there already.
    lacks = fma(-q, lost, fma(-q, denominator, numerator) + low)
    return fma(lacks, reciprocal, q)


def _far(x: Value) -> Value:
    """erfcx(x) for 1 <= x <= 6, where the errors count less the greater x is."""
    denominator, shifted = fma(x, 2.0, 1.0), x + CENTRE
    inverse = 1.0 / (shifted * denominator)
    t = (x - CENTRE) * (denominator * inverse)
    return fma(polynomial(t, ERFCX_FAR[x.bits]), shifted * inverse, shifted * inverse)


def _gaussian(x: Value) -> Power:
    """The reduction of e^(-x^2), with x^2 to twice the precision."""
    square = x * x
    return power(-square, low=-fma(x, x, -square))


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
