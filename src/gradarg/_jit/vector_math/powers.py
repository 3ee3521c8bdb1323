"""x ** y, and roots."""

from __future__ import annotations

from .code import (
    BIAS,
    INFINITY,
    NAN,
    SIGNIFICAND,
    Value,
    clip,
    copysign,
    fast_two_sum,
    fma,
    lifted,
    polynomial,
    rint,
    select,
    sqrt,
    two_product,
)
from .coefficients import EXP, INVERSE_CBRT, POW
from .exponential import LOG2, LOG2_SHORT, LOW, parts, power

THIRD = (0.3333333333333333, 1.850371707708594e-17)


def pow(x: Value, y: Value) -> Value:
    """|x| ** y, then the signs and special cases of C's pow (C17, F.10.4.4)."""
    size = abs(x)
    result = _pow_float(size, y) if x.bits == 32 else _pow_double(size, y)
    half = 0.5 * y
    whole = rint(y).equals(y)  # infinities are even; so are all floats of 2^24 (2^53) and more
    odd = whole & rint(half).differs(half)
    sign = x.pattern & (-1 << (x.bits - 1))
    result = (result.pattern ^ select(odd, sign, 0)).real
    undefined = (x < 0.0) & (size < INFINITY) & rint(y).differs(y)
    result = select(undefined, NAN, result)
    one = x.equals(1.0) | y.equals(0.0) | (size.equals(1.0) & abs(y).equals(INFINITY))
    return select(one, 1.0, result)


def _pow_float(x: Value, y: Value) -> Value:
    """In double arithmetic: every float is normal there, and products carry all that counts."""
    wide = x.as_double
    p = parts(wide)
    s = p.f / (p.f + 2.0)
    z = s * s
    series = fma(z, fma(z, polynomial(z, POW[32]), THIRD[0]), 1.0)
    logarithm = fma(p.e, LOG2[64][0], (2.0 * s) * series)
    exponent = clip(y.as_double * _log_ends(wide, logarithm), -300.0, 300.0)
    q = power(exponent, EXP[32])
    return (q.mantissa * q.scale()).as_float


def _pow_double(x: Value, y: Value) -> Value:
    """The logarithm to 2^-65 of itself, since y log(x) goes up to 745."""
    high, low = _logarithm(x)
    product, error = two_product(y, _log_ends(x, high))
    error = select(abs(product) < -LOW[64], fma(y, low, error), 0.0)
    q = power(clip(product, LOW[64], -LOW[64]), low=error)
    first, second = q.halves
    return (1.0 + (q.r + q.rest)) * first * second


def _log_ends(x: Value, result: Value) -> Value:
    """log at 0, infinity and NaN, for x >= 0."""
    return select(x.equals(0.0), -INFINITY, select(x < INFINITY, result, x))


def _logarithm(x: Value) -> tuple[Value, Value]:
    """log(x) as a sum: e log(2) + 2 s (1 + s^2 / 3 + s^4 P(s^2)), s = f / (2 + f)."""
    p = parts(*lifted(x))
    f = p.f
    denominator, lost = fast_two_sum(2.0, f)
    inverse = 1.0 / denominator
    s = f * inverse
    s_low = fma(-s, lost, fma(-s, denominator, f)) * inverse
    z = s * s
    z_low = fma(s, s, -z) + 2.0 * s * s_low
    third, third_low = two_product(z, THIRD[0])
    third_low = third_low + fma(z, THIRD[1], z_low * THIRD[0])
    t, t_low = fast_two_sum(third, z * z * polynomial(z, POW[64]))
    t_low = t_low + third_low
    s, s_low = 2.0 * s, 2.0 * s_low
    product, product_low = two_product(s, t)
    product_low = product_low + fma(s, t_low, s_low * t)
    near, near_low = fast_two_sum(s, product)
    near_low = near_low + (s_low + product_low)
    long, short = LOG2_SHORT[x.bits]
    total, total_low = fast_two_sum(p.e * long, near)
    return total, total_low + fma(p.e, short, near_low)


def rsqrt(x: Value) -> Value:
    return 1.0 / sqrt(x)


def cbrt(x: Value) -> Value:
    """2^k m^(1/3), 1/3 < m < 3: a guess of m^(-1/3), Newton steps, and one on the root itself."""
    size = abs(x)
    p = parts(*lifted(size))
    k = rint(p.e * (1.0 / 3.0))
    rest = fma(k, -3.0, p.e)
    below, above = rest.equals(-1.0), rest.equals(1.0)
    m = (p.f + 1.0) * select(below, x.lift(0.5), select(above, x.lift(2.0), 1.0))
    root_2 = 1.259921049894873
    guess = select(below, x.lift(root_2), select(above, x.lift(1.0 / root_2), 1.0))
    r = guess * polynomial(p.f, INVERSE_CBRT[x.bits])
    for _ in range({32: 1, 64: 2}[x.bits]):
        r = fma(r * (1.0 / 3.0), fma(-m * r * r, r, 1.0), r)
    root = m * r * r
    square, error = two_product(root, root)
    lacks = fma(-root, error, fma(-root, square, m))
    root = fma(lacks * (1.0 / 3.0), r * r, root)
    magic, significand = 1.5 * 2.0 ** SIGNIFICAND[x.bits], SIGNIFICAND[x.bits]
    scale = (((k + (magic + BIAS[x.bits])).pattern) << significand).real
    ends = (size < INFINITY) & (size > 0.0)
    return copysign(select(ends, root * scale, size), x)
