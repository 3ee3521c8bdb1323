"""Sines, cosines and tangents.

x = n pi / 2 + r with |r| <= pi / 4: r is found in double arithmetic for float, and to twice the
precision for double. As long as n has few enough bits, x - n * fl(pi / 2) is exact, and what the
double fl(pi / 2) lacks is subtracted after: even the float closest to a multiple of pi / 2 leaves
an r with all its digits. Beyond `LIMIT` the result is NaN, never a wrong number: there 2 / pi would
have to be known to a thousand bits.
"""

from __future__ import annotations

from dataclasses import dataclass

from .code import (
    NAN,
    Value,
    clip,
    divide,
    fast_two_sum,
    fma,
    is_tiny,
    polynomial,
    select,
    two_product,
    two_sum,
)
from .coefficients import COS, SIN, SIN_WIDE

LIMIT = 2.0**45

HALF_PI = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33)
TWO_OVER_PI = 0.6366197723675814


@dataclass(frozen=True)
class Turn:
    """x = quadrant * pi / 2 + r + rest; of the quadrant the two low bits count."""

    quadrant: Value
    r: Value
    rest: Value


def turn(x: Value) -> Turn:
    wide = x if x.bits == 64 else x.as_double
    magic = 1.5 * 2.0**52
    shifted = fma(wide, TWO_OVER_PI, magic)
    n = shifted - magic
    part = fma(n, -HALF_PI[0], wide)  # exact
    if x.bits == 32:
        part = fma(n, -HALF_PI[1], part)
        r = part.as_float
        return Turn(shifted.pattern.as_i32, r, (part - r.as_double).as_float)
    product, error = two_product(n, -HALF_PI[1])
    total, lost = two_sum(part, product)
    return Turn(shifted.pattern, *fast_two_sum(total, fma(n, -HALF_PI[2], error + lost)))


Sum = tuple[Value, Value]


def _sine(t: Turn) -> Sum:
    """sin(r + rest) = r + (r^3 P(r^2) + rest)."""
    z = t.r * t.r
    return t.r, fma(z * t.r, polynomial(z, SIN[z.bits]), t.rest)


def _cosine(t: Turn) -> Sum:
    """cos(r + rest) = 1 - r^2 / 2 + (r^4 P(r^2) - r rest)."""
    z = t.r * t.r
    near, error = fast_two_sum(1.0, -0.5 * z)
    return near, fma(z * z, polynomial(z, COS[z.bits]), -(t.r * t.rest)) + error


def _choose(condition: Value, x: Sum, y: Sum) -> Sum:
    """One of two sums, its low part made small."""
    return fast_two_sum(select(condition, x[0], y[0]), select(condition, x[1], y[1]))


def _negated(x: Sum) -> Sum:
    return -x[0], -x[1]


def _signed(x: Value, quadrant: Value) -> Value:
    """-x in the quadrants 2 and 3, x in 0 and 1."""
    return (x.pattern ^ ((quadrant & 2) << (x.bits - 2))).real


def _within_limit(x: Value, result: Value) -> Value:
    return select(abs(x) <= LIMIT, result, NAN)


def _half_turn(x: Value, advance: float) -> Value:
    """sin(x + advance * pi) of a float: x = (n - advance) pi + r, |r| <= pi / 2, one polynomial."""
    magic = 1.5 * 2.0**52
    wide = x.as_double
    shifted = fma(wide, 0.5 * TWO_OVER_PI, advance) + magic
    n = shifted - magic - advance
    part = fma(n, -2.0 * HALF_PI[0], wide)  # exact
    r = fma(n, -2.0 * HALF_PI[1], part).as_float
    z = r * r
    sine = clip(fma(r * z, polynomial(z, SIN_WIDE[32]), r), -1.0, 1.0)
    return (sine.pattern ^ (shifted.pattern.as_i32 << 31)).real


def sin(x: Value) -> Value:
    if x.bits == 32:
        result = _half_turn(x, 0.0)
    else:
        t = turn(x)
        even = (t.quadrant & 1).equals(0)
        result = _signed(_choose(even, _sine(t), _cosine(t))[0], t.quadrant)
    return select(is_tiny(x), x, _within_limit(x, result))


def cos(x: Value) -> Value:
    if x.bits == 32:
        result = _half_turn(x, 0.5)
    else:
        t = turn(x)
        even = (t.quadrant & 1).equals(0)
        result = _signed(_choose(even, _cosine(t), _sine(t))[0], t.quadrant + 1)
    return _within_limit(x, result)


def tan(x: Value) -> Value:
    """sin / cos, and -cos / sin in the odd quadrants."""
    t = turn(x)
    even = (t.quadrant & 1).equals(0)
    above, above_low = _choose(even, _sine(t), _negated(_cosine(t)))
    result = divide(above, above_low, *_choose(even, _cosine(t), _sine(t)))
    return select(is_tiny(x), x, _within_limit(x, result))
