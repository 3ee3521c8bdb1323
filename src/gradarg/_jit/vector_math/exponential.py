"""Exponentials, logarithms and what is made of them.

Both rest on a reduction: e^x = 2^n e^r with |r| <= log(2) / 2, and log(x) = e log(2) + log(1 + f)
with 1 + f between sqrt(1/2) and sqrt(2). Where a result takes several such steps, their rounding
errors are carried along as the low part of a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .code import (
    BIAS,
    INFINITY,
    NAN,
    SIGNIFICAND,
    Value,
    clip,
    copysign,
    divide,
    fast_two_sum,
    fma,
    is_tiny,
    lifted,
    polynomial,
    select,
    two_product,
    two_sum,
)
from .coefficients import EXP, LOG, LOG1P, LOG1P_OF_UNIT, SINH

Number = tuple[float, float]  # the nearest float of the type, and what it lacks

# log(2), in 24 and 53 bits, and what these lack; and shorter, so that e * log(2) is exact.
LOG2: dict[int, Number] = {
    32: (0.693147182464599609375, -1.9046542121259336e-09),
    64: (0.6931471805599453, 2.3190468138462996e-17),
}
LOG2_SHORT: dict[int, Number] = {
    32: (0.693145751953125, 1.428606765330187e-06),
    64: (0.693147180559663, 2.8235290563031577e-13),
}
INVERSE_LOG2: dict[int, Number] = {  # 1 / log(2)
    32: (1.44269502162933349609375, 1.925963033500011e-08),
    64: (1.4426950408889634, 2.0355273740931033e-17),
}
INVERSE_LOG10: dict[int, Number] = {  # 1 / log(10)
    32: (0.4342944920063018798828125, -1.0103049952192578e-08),
    64: (0.4342944819032518, 1.098319650216765e-17),
}
LOG10_2: dict[int, Number] = {
    32: (0.301030009984970092773438, -1.432098883924482e-08),
    64: (0.3010299956639812, -2.8037281277851704e-18),
}

# Below `LOW` e^x rounds to 0; `HIGH` is just above the logarithm of the largest float.
LOW = {32: -105.0, 64: -747.0}
HIGH = {32: 88.75, 64: 709.80}


# ------------------------------------------------------------------------------------ exponentials


@dataclass(frozen=True)
class Power:
    """e^x = 2^n e^(r + error), |r| <= log(2) / 2, where r + error counts as exact."""

    r: Value
    error: Value
    coefficients: Sequence[float]
    shifted: Value  # n + magic + 2 bias, whose low bits are n + 2 bias
    halved: Value  # n / 2 + magic + bias, rounded

    @property
    def mantissa(self) -> Value:
        """e^r, to about one unit in the last place."""
        return fma(fma(polynomial(self.r, self.coefficients), self.r, 1.0), self.r, 1.0)

    @property
    def rest(self) -> Value:
        """e^(r + error) - 1 - r: with r itself, it has more than the type's precision."""
        return fma(self.r * self.r, polynomial(self.r, self.coefficients), self.error)

    @property
    def halves(self) -> tuple[Value, Value]:
        """Two powers of two whose product is 2^n: each is in range where 2^n is not."""
        significand = SIGNIFICAND[self.r.bits]
        first = self.halved.pattern
        second = self.shifted.pattern - first
        return (first << significand).real, (second << significand).real

    def scale(self, by: int = 0) -> Value:
        """2^(n + by), where that is a normal number."""
        bits = self.r.bits
        significand, bias = SIGNIFICAND[bits], BIAS[bits]
        return ((self.shifted.pattern + (by - bias)) << significand).real


def power(
    x: Value,
    coefficients: Sequence[float] = (),
    low: Value | None = None,
    binary: bool = False,
) -> Power:
    """The reduction of e^(x + low), or of 2^x, for x between `LOW` and -`LOW`."""
    bits = x.bits
    magic, bias = 1.5 * 2.0 ** SIGNIFICAND[bits], BIAS[bits]
    inverse = 1.0 if binary else INVERSE_LOG2[bits][0]
    # Adding the magic number rounds to an integer, which then stands in the low bits.
    shifted = fma(x, inverse, magic + 2 * bias)
    halved = fma(x, inverse / 2, magic + bias)
    n = shifted - (magic + 2 * bias)
    high, rest = LOG2[bits]
    if binary:
        part = x - n
        r, error = two_product(part, high)
        error = fma(part, rest, error)
    else:
        part = fma(n, -high, x)  # exact
        r = fma(n, -rest, part)
        error = fma(n, -rest, part - r)
    if low is not None:
        r, error = fast_two_sum(r, error + low)
    return Power(r, error, coefficients or EXP[bits], shifted, halved)


def exp(x: Value) -> Value:
    return _exp(power(clip(x, LOW[x.bits], -LOW[x.bits])))


def exp2(x: Value) -> Value:
    limit = {32: 152.0, 64: 1078.0}[x.bits]
    return _exp(power(clip(x, -limit, limit), binary=True))


def _exp(p: Power) -> Value:
    first, second = p.halves
    return p.mantissa * first * second


def expm1(x: Value) -> Value:
    smallest = {32: -20.0, 64: -40.0}[x.bits]
    half, low = half_expm1(clip(x, smallest, HIGH[x.bits]))
    return select(is_tiny(x), x, 2.0 * (half + low))


def half_expm1(x: Value) -> tuple[Value, Value]:
    """(e^x - 1) / 2 as a sum: no overflow up to `HIGH`."""
    p = power(x)
    scale = p.scale(-1)
    base, lost = fast_two_sum(-0.5, scale)  # the error matters for x < 0 alone
    high = fma(scale, p.r, base)
    low = fma(scale, p.r, base - high) + lost
    return high, fma(scale, p.rest, low)


def _half_exp(x: Value) -> Value:
    """e^|x| / 2 and no overflow before the result does."""
    limit = HIGH[x.bits] + 1.0
    p = power(select(abs(x) > limit, limit, abs(x)))
    first, second = p.halves
    return (1.0 + (p.r + p.rest)) * first * (0.5 * second)


def sinh(x: Value) -> Value:
    half = _half_exp(x)
    far = copysign(half - 0.25 / half, x)
    z = x * x
    return select(abs(x) < 1.0, fma(x * z, polynomial(z, SINH[x.bits]), x), far)


def cosh(x: Value) -> Value:
    half = _half_exp(x)
    return half + 0.25 / half


def tanh(x: Value) -> Value:
    """-h / (1 + h) of h = (e^-2|x| - 1) / 2, with the sign of x."""
    limit = {32: 10.0, 64: 20.0}[x.bits]
    size = abs(x)
    half, low = fast_two_sum(*half_expm1(-2.0 * select(size > limit, limit, size)))
    below, lost = fast_two_sum(1.0, half)
    return copysign(divide(half, low, below, lost + low), x)


def exp_below(x: Value) -> Value:
    """e^-|x|, as 2^-64 e^r times 2^(n + 64), which is in range where 2^n is not."""
    size, limit, small = abs(x), -LOW[x.bits], 2.0**-64
    p = power(-select(size > limit, limit, size))
    series = polynomial(p.r, [c * small for c in p.coefficients])
    return fma(fma(series, p.r, small), p.r, small) * p.scale(64)


def sigmoid(x: Value) -> Value:
    """1 / (1 + e^-x), as e^x / (1 + e^x) below 0: right where e^-x is infinite."""
    small = exp_below(x)
    below, lost = fast_two_sum(1.0, small)
    q = select(x < 0.0, small, 1.0) / below
    return fma(-q, lost, q)  # lost / below, but where that is close to 0 anyway


def softplus(x: Value) -> Value:
    """log(1 + e^x) = max(x, 0) + log(1 + e^-|x|)."""
    y = exp_below(x)
    above = select(x < 0.0, 0.0, x)
    if x.bits == 32:  # a long polynomial costs less than a division
        return above + fma(y * y, polynomial(y, LOG1P_OF_UNIT[32]), y)
    # log(1 + y) = 2 atanh(s) with s = y / (2 + y), and `lost` the rounding error of 2 s.
    below, error = fast_two_sum(2.0, y)
    inverse = 1.0 / below
    s = y * inverse
    lost = 2.0 * inverse * fma(-s, error, fma(-s, below, y))
    z = s * s
    near = 2.0 * s + fma(s * z, polynomial(z, LOG1P[x.bits]), lost)
    return above + near


def log_sigmoid(x: Value) -> Value:
    return -softplus(-x)


# -------------------------------------------------------------------------------------- logarithms


@dataclass(frozen=True)
class Parts:
    """x = 2^e (1 + f), with 1 + f between sqrt(1/2) and sqrt(2); for x > 0, finite and normal."""

    f: Value
    e: Value
    scale: Value  # 2^-e


def parts(x: Value, lifted: Value | None = None, by: int = 0) -> Parts:
    """The parts of x; where `lifted` holds, those of x * 2^-by."""
    bits = x.bits
    significand, bias = SIGNIFICAND[bits], BIAS[bits]
    one, exponents = bias << significand, ((2 << (bits - 2 - significand)) - 1) << significand
    root = {32: 0x3F3504F3, 64: 0x3FE6A09E667F3BCD}[bits]  # sqrt(1/2)
    biased = x.pattern + (one - root)
    exponent = biased & exponents
    # The integer is made a float by setting it into the low bits of 2^significand.
    magic = 2.0**significand
    pattern = (bias + significand) << significand
    offset = magic + bias
    e = ((biased >> significand) | pattern).real
    e = e - (offset if lifted is None else select(lifted, e.lift(offset + by), offset))
    m = (x.pattern - exponent + one).real
    return Parts(m - 1.0, e, (2 * one - exponent).real)


def log1p_of_part(f: Value) -> tuple[Value, Value]:
    """log(1 + f) as a sum: f - f^2 / 2 + s (f^2 / 2 + s^2 P(s^2)), s = f / (2 + f)."""
    s = f / (f + 2.0)
    z = s * s
    half_square, error = two_product(0.5 * f, f)
    high, low = fast_two_sum(f, -half_square)
    series = fma(z, polynomial(z, LOG[f.bits]), half_square)
    return high, fma(s, series, low - error)


def _log_ends(x: Value, result: Value) -> Value:
    """log at inf, NaN, 0 and below."""
    result = select(x < INFINITY, result, x)
    return select(x > 0.0, result, select(x.equals(0.0), x.lift(-INFINITY), NAN))


def _logarithm(x: Value, finish: Callable[[Value, Value, Value], Value]) -> Value:
    p = parts(*lifted(x))
    return _log_ends(x, finish(p.e, *log1p_of_part(p.f)))


def _natural(e: Value, high: Value, low: Value) -> Value:
    """e log(2) + high + low."""
    long, short = LOG2_SHORT[e.bits]
    total, error = fast_two_sum(e * long, high)
    return total + (error + fma(e, short, low))


def log(x: Value) -> Value:
    return _logarithm(x, _natural)


def log2(x: Value) -> Value:
    def finish(e: Value, high: Value, low: Value) -> Value:
        product, error = _times(high, low, INVERSE_LOG2[x.bits])
        total, lost = fast_two_sum(e, product)
        return total + (lost + error)

    return _logarithm(x, finish)


def log10(x: Value) -> Value:
    def finish(e: Value, high: Value, low: Value) -> Value:
        product, error = _times(high, low, INVERSE_LOG10[x.bits])
        first, first_error = two_product(e, LOG10_2[x.bits][0])
        total, lost = fast_two_sum(first, product)
        return total + (lost + fma(e, LOG10_2[x.bits][1], first_error + error))

    return _logarithm(x, finish)


def _times(high: Value, low: Value, number: Number) -> tuple[Value, Value]:
    product, error = two_product(high, number[0])
    return product, fma(high, number[1], fma(low, number[0], error))


def log1p(x: Value) -> Value:
    result = select(x > -1.0, _log1p(x), select(x.equals(-1.0), x.lift(-INFINITY), NAN))
    return select(is_tiny(x), x, select(x.equals(INFINITY), x, result))


def _log1p(x: Value) -> Value:
    """log(1 + x) for finite x > -1."""
    return log_of_sum(*two_sum(1.0, x))


def log_of_sum(x: Value, error: Value, doublings: Value | float = 0.0) -> Value:
    """log(x + error) + doublings * log(2), for finite normal x > 0 and |error| < ulp(x) or so."""
    p = parts(x)
    high, low = log1p_of_part(p.f)
    # 1 / (1 + f) to five bits or more is enough here.
    slope = fma(p.f, fma(p.f, 1.0 - p.f, -1.0), 1.0)
    large = x > 16.0 * 2.0 ** SIGNIFICAND[x.bits]  # where 2^-e may be no number
    error = select(large, 0.0, error * p.scale)
    e = p.e if isinstance(doublings, float) else p.e + doublings
    return _natural(e, high, fma(error, slope, low))
