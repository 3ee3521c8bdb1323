"""What mpmath lacks for a table of `ga.special`, made of what it has.

Inverses are roots, mixtures are sums, Mathieu and spheroidal functions come by the recurrences of
their coefficients.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import mpmath as mp
import numpy as np
import scipy.special

SMALL = mp.mpf(10) ** -20


@dataclass(frozen=True)
class Row:
    """A function in mpmath, and points: ordinary ones, tiny and huge ones, near singularities.

    `value` is the tolerance where SciPy's own values are not good to 1e-9, `scale` the size of the
    numbers whose difference a value is, `call` our function where it takes more than numbers.
    """

    reference: Callable[..., Any]
    points: tuple[tuple[Any, ...], ...]
    value: float = 1e-9
    scale: float = 0.0
    call: Callable[..., Any] | None = None


def row(reference: Callable[..., Any], *points: Any, **options: Any) -> Row:
    return Row(reference, tuple(p if isinstance(p, tuple) else (p,) for p in points), **options)


# ---- tools


def slope(f: Callable[[Any], Any], x: Any) -> Any:
    with mp.extradps(40):
        return (f(x + SMALL**2) - f(x - SMALL**2)) / (2 * SMALL**2)


def with_slope(f: Callable[..., Any]) -> Callable[..., Any]:
    """(f, f'), the derivative in the last argument."""
    return lambda *args: (f(*args), slope(lambda x: f(*args[:-1], x), args[-1]))


def inverse(name: str, f: Callable[..., Any], place: int) -> Callable[..., Any]:
    """The argument at `place` for which f has the value that is given there."""

    def root(*args: Any) -> Any:
        start = mp.mpf(float(getattr(scipy.special, name)(*map(float, args))))

        def miss(x: Any) -> Any:
            return f(*args[:place], x, *args[place + 1 :]) - args[place]

        return mp.findroot(miss, (start, start * (1 + mp.mpf(10) ** -12)), verify=False)

    return root


# ---- distributions


def gammainc(a: Any, x: Any) -> Any:
    return mp.gammainc(a, 0, x, regularized=True)


def gammaincc(a: Any, x: Any) -> Any:
    return mp.gammainc(a, x, mp.inf, regularized=True)


def betainc(a: Any, b: Any, x: Any) -> Any:
    return mp.betainc(a, b, 0, x, regularized=True)


def betaincc(a: Any, b: Any, x: Any) -> Any:
    return betainc(b, a, 1 - x)


def log_ndtr(x: Any) -> Any:
    return mp.log(mp.erfc(-x / mp.sqrt(2)) / 2)


def binomial(k: Any, n: Any, p: Any) -> Any:
    return betaincc(k + 1, n - k, p)


def negative_binomial(k: Any, n: Any, p: Any) -> Any:
    return betainc(n, k + 1, p)


def fisher(m: Any, n: Any, x: Any) -> Any:
    return betainc(m / 2, n / 2, m * x / (m * x + n))


def student(v: Any, t: Any) -> Any:
    tail = betainc(v / 2, mp.mpf(1) / 2, v / (v + t * t)) / 2
    return tail if t < 0 else 1 - tail


def tukey(p: Any, k: Any) -> Any:
    return (p**k - (1 - p) ** k) / k


def inverse_tukey(x: Any, k: Any) -> Any:
    start = mp.mpf(float(scipy.special.tklmbda(float(x), float(k))))
    return mp.findroot(lambda p: tukey(p, k) - x, (start, start + SMALL), verify=False)


def gamma_law(a: Any, b: Any, x: Any) -> Any:
    return gammainc(b, a * x)


def kolmogorov(y: Any) -> Any:
    return 2 * mp.fsum((-1) ** (k - 1) * mp.exp(-2 * k * k * y * y) for k in range(1, 60))


def smirnov(n: int, d: Any) -> Any:
    terms = range(int(n * (1 - d)) + 1)
    return d * mp.fsum(
        mp.binomial(n, j) * (d + mp.mpf(j) / n) ** (j - 1) * (1 - d - mp.mpf(j) / n) ** (n - j)
        for j in terms
    )


def mixture(rate: Any, f: Callable[[int], Any]) -> Any:
    """The mean of f(j) over a Poisson distribution."""
    return mp.exp(-rate) * mp.fsum(rate**j / mp.factorial(j) * f(j) for j in range(50))


def chi_square(x: Any, v: Any, shift: Any) -> Any:
    return mixture(shift / 2, lambda j: gammainc(v / 2 + j, x / 2))


def shifted_fisher(m: Any, n: Any, shift: Any, x: Any) -> Any:
    return mixture(shift / 2, lambda j: betainc(m / 2 + j, n / 2, m * x / (m * x + n)))


def shifted_student(v: Any, shift: Any, t: Any) -> Any:
    if t < 0:
        return 1 - shifted_student(v, -shift, -t)
    x = t * t / (v + t * t)
    even = mixture(shift**2 / 2, lambda j: betainc(j + mp.mpf(1) / 2, v / 2, x))
    odd = mixture(
        shift**2 / 2,
        lambda j: mp.factorial(j) / mp.gamma(j + mp.mpf(3) / 2) * betainc(j + 1, v / 2, x),
    )
    return mp.ncdf(-shift) + (even + shift / mp.sqrt(2) * odd) / 2


# ---- integrals


def jacobi_elliptic(u: Any, m: Any) -> Any:
    sn, cn, dn = (mp.ellipfun(name, u, m=m) for name in ("sn", "cn", "dn"))
    return sn, cn, dn, mp.atan2(sn, cn)


def owens(h: Any, a: Any) -> Any:
    return mp.quad(lambda x: mp.exp(-h * h * (1 + x * x) / 2) / (1 + x * x), [0, a]) / (2 * mp.pi)


def faddeeva(z: Any) -> Any:
    return mp.exp(-z * z) * mp.erfc(-1j * z)


def voigt(x: Any, sigma: Any, gamma: Any) -> Any:
    z = (x + 1j * gamma) / (sigma * mp.sqrt(2))
    return mp.re(faddeeva(z)) / (sigma * mp.sqrt(2 * mp.pi))


def modified_fresnel(sign: int) -> Callable[[Any], Any]:
    def both(x: Any) -> Any:
        turn = mp.expjpi(mp.mpf(sign) / 4)
        f = mp.sqrt(mp.pi) / 2 * turn * mp.erfc(x / turn)
        return f, mp.exp(-1j * sign * x * x) / turn / mp.sqrt(mp.pi) * f

    return both


def log_tail(z: Any) -> Any:
    """The integral of besselk(0, t) / t over t from z on, by its series."""
    log, harmonic, total = mp.log(z / 2) + mp.euler, mp.mpf(0), mp.mpf(0)
    for k in range(1, 90):
        harmonic += mp.mpf(1) / k
        share = (z * z / 4) ** k / (mp.factorial(k) ** 2 * 2 * k)
        total += share * (log - harmonic - mp.mpf(1) / (2 * k))
    return log * log / 2 + mp.pi**2 / 24 + total


def over_t(x: Any, sign: int) -> Any:
    """The integral of sign * (besseli(0, t) - 1) / t, or with besselj for -1, from 0 to x."""
    return x * x / 8 * mp.hyper([1, 1], [2, 2, 2], sign * x * x / 4)


def struve_integral(x: Any, sign: int) -> Any:
    half = mp.mpf(3) / 2
    return x * x / mp.pi * mp.hyper([1, 1], [half, half, 2], sign * x * x / 4)


def bessel_integrals(x: Any, sign: int, second: Callable[..., Any], struve: Any, turn: int) -> Any:
    first = x * mp.hyper([mp.mpf(1) / 2], [1, mp.mpf(3) / 2], sign * x * x / 4)
    crossed = second(0, x) * struve(-1, x) + turn * second(1, x) * struve(0, x)
    return first, mp.pi * x / 2 * crossed


def besselpoly(a: Any, power: Any, v: Any) -> Any:
    rise = power + v + 1
    series = mp.hyper([rise / 2], [rise / 2 + 1, v + 1], -a * a)
    return a**v / mp.gamma(v + 1) / rise * series


def wright(a: Any, b: Any, x: Any) -> Any:
    return mp.fsum(x**k / mp.factorial(k) * mp.rgamma(a * k + b) for k in range(150))


# ---- Bessel functions and their kin


def ive(v: Any, x: Any) -> Any:
    return mp.besseli(v, x) * mp.exp(-abs(x))


def kve(v: Any, x: Any) -> Any:
    return mp.besselk(v, x) * mp.exp(x)


def derivative(f: Callable[..., Any], n: int = 2) -> Callable[..., Any]:
    return lambda v, x: f(v, x, derivative=n)


def second_kind(v: Any, x: Any) -> Any:
    return (mp.besselk(v - 2, x) + 2 * mp.besselk(v, x) + mp.besselk(v + 2, x)) / 4


def hankel(sign: int, n: int = 0) -> Callable[..., Any]:
    return lambda v, x: mp.besselj(v, x, n) + sign * 1j * mp.bessely(v, x, n)


def spherical(f: Callable[..., Any], scale: int = 1) -> Callable[..., Any]:
    return lambda n, x: mp.sqrt(mp.pi / 2 / x) * f(n + mp.mpf(1) / 2, x)


def airy(x: Any) -> Any:
    return mp.airyai(x), mp.airyai(x, derivative=1), mp.airybi(x), mp.airybi(x, derivative=1)


def airye(x: Any) -> Any:
    rise = mp.exp(mp.mpf(2) / 3 * mp.sqrt(x) ** 3)
    ai, aip, bi, bip = airy(x)
    return ai * rise, aip * rise, bi / rise, bip / rise


def kelvin_of(f: Callable[..., Any]) -> Callable[[Any], Any]:
    return lambda x: f(0, x)


def kelvin_slope(f: Callable[..., Any]) -> Callable[[Any], Any]:
    return lambda x: slope(lambda t: f(0, t), x)


def kelvin(x: Any) -> Any:
    def be(t: Any) -> Any:
        return mp.ber(0, t) + 1j * mp.bei(0, t)

    def ke(t: Any) -> Any:
        return mp.ker(0, t) + 1j * mp.kei(0, t)

    return be(x), ke(x), slope(be, x), slope(ke, x)


# ---- functions by the recurrences of their coefficients


def coefficients(up: Any, middle: Any, down: Any, index: int) -> tuple[Any, list[Any]]:
    """The value and the minimal solution of up d[k+1] + (middle - value) d[k] + down d[k-1] = 0."""
    count = 60
    matrix = np.diag([float(middle(k)) for k in range(count)])
    for k in range(count - 1):
        off = mp.sqrt(up(k) * down(k + 1))
        matrix[k, k + 1] = matrix[k + 1, k] = float(off)
    start = mp.mpf(np.linalg.eigvalsh(matrix)[index])

    def ratios(value: Any) -> list[Any]:
        out = [mp.mpf(0)]
        for k in reversed(range(1, count)):
            out.append(-down(k) / (middle(k) - value + up(k) * out[-1]))
        return out[::-1]

    def miss(value: Any) -> Any:
        return middle(0) - value + up(0) * ratios(value)[0]

    value = mp.findroot(miss, (start, start + mp.mpf(10) ** -12), verify=False)
    d = [mp.mpf(1)]
    for ratio in ratios(value)[:-1]:
        d.append(d[-1] * ratio)
    return value, d


@cache
def mathieu(m: int, q: Any, odd: bool) -> tuple[Any, list[Any], list[int]]:
    first = m % 2 or (2 if odd else 0)
    orders = [first + 2 * k for k in range(60)]
    shift = 0 if first != 1 else -q if odd else q
    value, d = coefficients(
        lambda k: q,
        lambda k: mp.mpf(orders[k]) ** 2 + (shift if k == 0 else 0),
        lambda k: 2 * q if orders[k - 1] == 0 else q,
        (m - first) // 2,
    )
    size = mp.sqrt(mp.fsum(a * a * (1 + (r == 0)) for a, r in zip(d, orders)))
    at_0 = mp.fsum(a * r if odd else a for a, r in zip(d, orders))
    return value, [a / size * mp.sign(at_0) for a in d], orders


def mathieu_wave(odd: bool) -> Callable[..., Any]:
    def both(m: int, q: Any, x: Any) -> Any:
        _, d, orders = mathieu(m, q, odd)
        u = x * mp.pi / 180
        waves = [(mp.sin(r * u), r * mp.cos(r * u)) for r in orders]
        if not odd:
            waves = [(mp.cos(r * u), -r * mp.sin(r * u)) for r in orders]
        return tuple(mp.fsum(a * w[i] for a, w in zip(d, waves)) for i in (0, 1))

    return both


@cache
def bessely(n: int, x: Any) -> Any:
    if n < 2:
        return mp.bessely(n, x)
    return 2 * (n - 1) / x * bessely(n - 1, x) - bessely(n - 2, x)


def modified_mathieu(odd: bool, kind: Callable[..., Any]) -> Callable[..., Any]:
    """By products of Bessel functions: DLMF 28.24."""

    def wave(m: int, q: Any, x: Any) -> Any:
        _, d, orders = mathieu(m, q, odd)
        h, first = mp.sqrt(q), orders[0]
        low, high = h * mp.exp(-x), h * mp.exp(x)
        total = mp.mpf(0)
        for k in range(30):
            crossed = mp.besselj(k + first, low) * kind(k, high)
            both = mp.besselj(k, low) * kind(k + first, high) + (-1 if odd else 1) * crossed
            total += (-1) ** k * d[k] * both
        return (-1) ** ((m - first) // 2) * total / d[0] / (1 if first else 2)

    return with_slope(wave)


@cache
def spheroidal(m: int, n: int, cc: Any) -> tuple[Any, list[Any], list[int]]:
    """The value, and Flammer's coefficients d[r] of the functions of degrees m + r."""
    orders = [(n - m) % 2 + 2 * k for k in range(60)]

    def up(k: int) -> Any:
        r = mp.mpf(orders[k])
        return (2 * m + r + 2) * (2 * m + r + 1) * cc / ((2 * m + 2 * r + 3) * (2 * m + 2 * r + 5))

    def middle(k: int) -> Any:
        r = mp.mpf(orders[k])
        s = (m + r) * (m + r + 1)
        return s + (2 * s - 2 * m * m - 1) * cc / ((2 * m + 2 * r - 1) * (2 * m + 2 * r + 3))

    def down(k: int) -> Any:
        r = mp.mpf(orders[k])
        return r * (r - 1) * cc / ((2 * m + 2 * r - 3) * (2 * m + 2 * r - 1))

    value, d = coefficients(up, middle, down, (n - m) // 2)
    edge = (n - m) % 2

    def at_0(r: int) -> Any:  # the value or slope of the Legendre function of degree m + r
        half = (r - edge) // 2
        size = mp.factorial(r + 2 * m + edge) / mp.factorial(half) / mp.factorial(half + m + edge)
        return (-1) ** half * size / mp.mpf(2) ** r

    scale = at_0(n - m) / mp.fsum(a * at_0(r) for a, r in zip(d, orders))
    return value, [a * scale for a in d], orders


def ferrers(m: int, count: int, x: Any) -> list[Any]:
    """Legendre functions of order m and degrees m, m + 1, ...; without the sign (-1)**m."""
    out = [mp.mpf(0), mp.fac2(2 * m - 1) * (1 - x * x) ** (mp.mpf(m) / 2)]
    for n in range(m, m + count):
        out.append(((2 * n + 1) * x * out[-1] - (n + m) * out[-2]) / (n - m + 1))
    return out[1:]


def spheroidal_angle(sign: int) -> Callable[..., Any]:
    def wave(m: int, n: int, c: Any, x: Any) -> Any:
        _, d, orders = spheroidal(m, n, sign * c * c)
        return mp.fsum(a * p for a, p in zip(d, ferrers(m, 120, x)[orders[0] :: 2]))

    return with_slope(wave)


def spheroidal_radius(sign: int, kind: Callable[..., Any]) -> Callable[..., Any]:
    def wave(m: int, n: int, c: Any, x: Any) -> Any:
        _, d, orders = spheroidal(m, n, sign * c * c)
        weights = [a * mp.rf(r + 1, 2 * m) for a, r in zip(d, orders)]
        total = mp.fsum(
            (-1) ** ((r + m - n) // 2) * w * spherical(kind)(m + r, c * x)
            for w, r in zip(weights, orders)
        )
        return (1 - sign / (x * x)) ** (mp.mpf(m) / 2) * total / mp.fsum(weights)

    return with_slope(wave)


def given_value(f: Callable[..., Any]) -> Callable[..., Any]:
    """The same with the characteristic value as the fourth argument: that of SciPy is taken."""
    return lambda m, n, c, _cv, x: f(m, n, c, x)
