"""Noncentral distributions, and Smirnov's: the derivatives that have closed forms.

A noncentral chi-square or F distribution is a Poisson mixture of central ones; its derivatives in
x and in the noncentrality are single terms, by the recurrence F(a + 1) - F(a) of what it mixes.
Those of Student's are moments of a half normal distribution. The derivatives in degrees of freedom
are infinite series of derivatives: asking for one is an error.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._core.primitive import Primitive
from .distributions import _inverse, _rules, _share
from .elementwise import product
from .hypergeometric import hyp1f1
from .incomplete import beta_density, gamma_density
from .scipy_rows import in_double, of, row, scipy_special
from .special import gammaln

FREEDOM = "its derivative in degrees of freedom is an infinite series that gradarg does not have"
COARSE = "SciPy finds its value to four digits, too few for a derivative"
SAMPLES = "it is a number of samples, a whole number"

# ---- chi-square


@in_double
def _chi_square(x: Any, v: Any, shift: Any) -> Any:
    """exp(-(x + shift) / 2) / 2 * (x / shift)**(v / 4 - 1 / 2) * I_(v / 2 - 1)(sqrt(x * shift))."""
    special = scipy_special()
    a, z = v / 2, np.sqrt(x * shift)
    start = np.exp(-x / 2) * (x / 2) ** (a - 1) * special.rgamma(a)
    start = np.where(a > 0, gamma_density(np.where(a > 0, a, 1), x / 2), start)
    series = start * np.exp(-shift / 2) * special.hyp0f1(np.where(a > 0, a, 1), z * z / 4)
    apart, ratio = np.sqrt(x) - np.sqrt(shift), np.where(z == 0, 1, x / shift)
    bulk = np.exp(-apart * apart / 2) * ratio ** ((a - 1) / 2) * special.ive(a - 1, z)
    return np.where((z == 0) | ((z < 1) & (a > 0)), series, bulk) / 2


chi_square_density: Primitive = of(
    "chi_square_density",
    _chi_square,
    lambda g, o, x, v, shift: product(g, (chi_square_density(x, v - 2, shift) - o) / 2),
    FREEDOM,
    lambda g, o, x, v, shift: product(g, (chi_square_density(x, v + 2, shift) - o) / 2),
)
CHI_SQUARE: list[Any] = [
    chi_square_density,
    FREEDOM,
    lambda x, v, shift: -chi_square_density(x, v + 2, shift),
]

# ---- F


def _mixed(m: Any, n: Any, shift: Any, y: Any, up: int) -> Any:
    """The mean of beta_density over j, and for up = 1 that of its neighbour in F(a + 1) - F(a)."""
    a, b = m / 2, n / 2
    weight = np.exp(-shift / 2) * hyp1f1(a + b, a + up, shift * y / 2)
    return beta_density(a + up, b, y) * weight


def _f_dnc(m: Any, n: Any, shift: Any, x: Any) -> Any:
    y = _share(m * x, n)
    return -_mixed(m, n, shift, y, 1) * (1 - y) / (m + n)


def _f_dx(m: Any, n: Any, shift: Any, x: Any) -> Any:
    return _mixed(m, n, shift, _share(m * x, n), 0) * (m * n / (m * x + n) ** 2)


F: list[Any] = [FREEDOM, FREEDOM, _f_dnc, _f_dx]

# ---- Student's


@in_double
def _log_half_moment(p: Any, u: Any) -> Any:
    """The trapezoidal rule in log r, which converges faster than any power of its step.

    Below the last node r**p is all that counts: a geometric series.
    """
    peak = (u + np.sqrt(u * u + 4 * (p + 1))) / 2
    step = np.minimum(0.1, 1 / (3 * np.sqrt(peak * peak + p + 1)))
    top = (p + 1) * np.log(peak) - peak * (peak / 2 - u)

    def term(k: int) -> Any:
        r = peak * np.exp(k * step)
        return np.exp((p + 1) * (np.log(peak) + k * step) - r * (r / 2 - u) - top)

    total = term(-500) / np.expm1((p + 1) * step)
    for k in range(-500, 60):
        total = total + term(k)
    return top + np.log(step * total)


log_half_moment: Primitive = of(  # log of the integral over r > 0 of r**p exp(u r - r**2 / 2)
    "log_half_moment",
    _log_half_moment,
    FREEDOM,
    lambda g, o, p, u: g * np.exp(log_half_moment(p + 1, u) - o),
)


def _student_scale(a: Any) -> Any:
    """a log a - log gamma(a); a number stays one, so that it promotes weakly."""
    if isinstance(a, (int, float)):
        return a * math.log(a) - math.lgamma(a) if a > 0 else math.nan
    return a * np.log(a) - gammaln(a)


def _t_moment(v: Any, shift: Any, t: Any, power: int) -> Any:
    """The mean of s**power * phi(t s - shift) over s with v s**2 distributed as chi-square(v)."""
    spread, p = v + t * t, v - 1 + power
    scale = _student_scale(v / 2) - shift * shift / 2 - (p + 1) / 2 * np.log(spread)
    moment = log_half_moment(p, t * shift / np.sqrt(spread))
    return math.sqrt(2 / math.pi) * np.exp(scale + moment)


STUDENT: list[Any] = [
    FREEDOM,
    lambda v, shift, t: -_t_moment(v, shift, t, 0),
    lambda v, shift, t: _t_moment(v, shift, t, 1),
]

chndtr = row("chndtr", *_rules(CHI_SQUARE))
chndtrix = _inverse("chndtrix", 0, CHI_SQUARE)
chndtridf = _inverse("chndtridf", 1, CHI_SQUARE)
chndtrinc = _inverse("chndtrinc", 2, CHI_SQUARE)
ncfdtr = row("ncfdtr", *_rules(F))
ncfdtridfn = _inverse("ncfdtridfn", 0, F)
ncfdtridfd = _inverse("ncfdtridfd", 1, F)
ncfdtrinc = row("ncfdtrinc", *[COARSE] * 4)
ncfdtri = _inverse("ncfdtri", 3, F)
nctdtr = row("nctdtr", *_rules(STUDENT))
nctdtridf = _inverse("nctdtridf", 0, STUDENT)
nctdtrinc = _inverse("nctdtrinc", 1, STUDENT)
nctdtrit = _inverse("nctdtrit", 2, STUDENT)

# ---- Smirnov's


@in_double
def _smirnov(n: Any, d: Any, order: int) -> Any:
    """The derivative in d of the sum of C(n, j) d (d + j / n)**(j - 1) (1 - d - j / n)**(n - j)."""
    out = np.zeros(d.shape)
    for i in np.ndindex(d.shape):
        count, x = int(n[i]), float(d[i])
        j = np.arange(1, max(int(np.floor(count * (1 - x))), 0) + 1)
        choices = np.exp(gammaln(count + 1.0) - gammaln(j + 1.0) - gammaln(count - j + 1.0))
        ways = [_power(x + j / count, j - 1, m) for m in range(order + 1)]
        rests = [(-1) ** m * _power(1 - x - j / count, count - j, m) for m in range(order + 1)]

        def both(k: int, ways: Any = ways, rests: Any = rests) -> Any:
            return sum(math.comb(k, m) * ways[m] * rests[k - m] for m in range(k + 1))

        terms = choices * (x * both(order) + order * both(order - 1))
        first = (-1) ** order * _power(1 - x, np.array(count), order)
        out[i] = first + np.sum(terms) if 0 <= x <= 1 else 0
    return out


def _power(x: Any, k: Any, order: int) -> Any:
    """The derivative of x**k, of any order, for whole numbers k >= 0."""
    factor: Any = 1.0
    for m in range(order):
        factor = factor * (k - m)
    return factor * x ** np.maximum(k - order, 0)


smirnov_derivative: Primitive = of(
    "smirnov_derivative",
    _smirnov,
    SAMPLES,
    lambda g, _o, n, d, order: g * smirnov_derivative(n, d, order=order + 1),
)
SMIRNOV: list[Any] = [SAMPLES, lambda n, d: smirnov_derivative(n, d, order=1)]
smirnov = row("smirnov", *_rules(SMIRNOV))
smirnovi = _inverse("smirnovi", 1, SMIRNOV)
