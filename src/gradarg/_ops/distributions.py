"""Distribution functions of statistics, and their inverses in every argument.

Most are incomplete gamma and beta functions of other arguments; a derivative is that of `gammainc`
or `betainc` by the chain rule. An inverse x = F^-1(p) in one argument has dx/dp = 1 / F_x, and in
another argument dx/da = -F_a / F_x. Numbers of events are rounded down, as SciPy does: no
derivative there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._core.primitive import Primitive
from .elementwise import product, quotient
from .incomplete import beta_density, betainc_derivative, gamma_density, slope_a
from .scipy_rows import of, row, scipy_function, scipy_in_double
from .special import digamma, exp_moment, log, ndtri, poch

Slope = Callable[..., Any]


def _inverse(
    name: str, place: int, slopes: Sequence[Slope | str | None], sign: int = 1, wide: bool = False
) -> Primitive:
    """The inverse of sign * F(*args) in the argument at `place`, where it is given p instead.

    `slopes[i](*args)` is the derivative of F in its argument i; None: piecewise constant; text: the
    reason why there is none.
    """
    if isinstance(slopes[place], str):
        return row(name, *[slopes[place]] * len(slopes))

    def args_of(o: Any, given: tuple[Any, ...]) -> list[Any]:
        return [*given[:place], o, *given[place + 1 :]]

    def along(o: Any, given: tuple[Any, ...]) -> Any:
        slope = slopes[place]
        assert callable(slope)
        return slope(*args_of(o, given))

    def rule_of(slope: Slope) -> Slope:
        return lambda g, o, *given: -quotient(g * slope(*args_of(o, given)), along(o, given))

    rules = [rule_of(s) if callable(s) else s for s in slopes]
    rules[place] = lambda g, o, *given: quotient(g * sign, along(o, given))
    return of(name, scipy_in_double(name) if wide else scipy_function(name), *rules)


def _rule(slope: Slope, sign: int = 1) -> Slope:
    return lambda g, _o, *args: product(g, sign * slope(*args))


def _rules(slopes: Sequence[Slope | str | None], sign: int = 1) -> list[Slope | str | None]:
    return [_rule(s, sign) if callable(s) else s for s in slopes]


# ---- F in terms of gammainc


def _whole(k: Any) -> Any:
    return float(math.floor(k)) if isinstance(k, (int, float)) else np.floor(k)


def _events(k: Any) -> Any:
    return _whole(k) + 1


def _beta_a(a: Any, b: Any, x: Any) -> Any:
    return betainc_derivative(a, b, x, orders=(1, 0))


def _beta_b(a: Any, b: Any, x: Any) -> Any:
    return betainc_derivative(a, b, x, orders=(0, 1))


CHI2: list[Slope | None] = [  # gammainc(v / 2, x / 2)
    lambda v, x: slope_a(v / 2, x / 2) / 2,
    lambda v, x: gamma_density(v / 2, x / 2) / 2,
]
GAMMA: list[Slope | None] = [  # gammainc(b, a x)
    lambda a, b, x: x * gamma_density(b, a * x),
    lambda a, b, x: slope_a(b, a * x),
    lambda a, b, x: a * gamma_density(b, a * x),
]
POISSON: list[Slope | None] = [  # 1 - gammainc(floor(k) + 1, m)
    None,
    lambda k, m: -gamma_density(_events(k), m),
]
POISSON_SMOOTH: list[Slope | None] = [
    lambda k, m: -slope_a(k + 1, m),
    lambda k, m: -gamma_density(k + 1, m),
]
BETA: list[Slope | None] = [
    _beta_a,
    _beta_b,
    lambda a, b, x: beta_density(a, b, x),
]
BINOMIAL: list[Slope | None] = [  # 1 - betainc(k + 1, n - k, p)
    None,
    None,
    lambda k, n, p: -beta_density(_events(k), _whole(n) - _whole(k), p),
]
BINOMIAL_SMOOTH: list[Slope | None] = [
    lambda k, n, p: _beta_b(k + 1, n - k, p) - _beta_a(k + 1, n - k, p),
    lambda k, n, p: -_beta_b(k + 1, n - k, p),
    lambda k, n, p: -beta_density(k + 1, n - k, p),
]
NEGATIVE_BINOMIAL: list[Slope | None] = [  # betainc(n, k + 1, p)
    None,
    None,
    lambda k, n, p: beta_density(_whole(n), _events(k), p),
]
NEGATIVE_BINOMIAL_SMOOTH: list[Slope | None] = [
    lambda k, n, p: _beta_b(n, k + 1, p),
    lambda k, n, p: _beta_a(n, k + 1, p),
    lambda k, n, p: beta_density(n, k + 1, p),
]

chdtr = row("chdtr", *_rules(CHI2))
chdtrc = row("chdtrc", *_rules(CHI2, -1))
chdtri = _inverse("chdtri", 1, CHI2, -1)
chdtriv = _inverse("chdtriv", 0, CHI2)
gdtr = row("gdtr", *_rules(GAMMA))
gdtrc = row("gdtrc", *_rules(GAMMA, -1))
gdtria = _inverse("gdtria", 0, GAMMA)
gdtrib = _inverse("gdtrib", 1, GAMMA)
gdtrix = _inverse("gdtrix", 2, GAMMA)
pdtr = row("pdtr", *_rules(POISSON))
pdtrc = row("pdtrc", *_rules(POISSON, -1))
pdtri = _inverse("pdtri", 1, POISSON)
pdtrik = _inverse("pdtrik", 0, POISSON_SMOOTH)
btdtria = _inverse("btdtria", 0, BETA)
btdtrib = _inverse("btdtrib", 1, BETA)
bdtr = of("bdtr", scipy_in_double("bdtr"), *_rules(BINOMIAL))
bdtrc = of("bdtrc", scipy_in_double("bdtrc"), *_rules(BINOMIAL, -1))
bdtri = _inverse("bdtri", 2, BINOMIAL, wide=True)
bdtrik = _inverse("bdtrik", 0, BINOMIAL_SMOOTH)
bdtrin = _inverse("bdtrin", 1, BINOMIAL_SMOOTH)
nbdtr = row("nbdtr", *_rules(NEGATIVE_BINOMIAL))
nbdtrc = row("nbdtrc", *_rules(NEGATIVE_BINOMIAL, -1))
nbdtri = _inverse("nbdtri", 2, NEGATIVE_BINOMIAL)
nbdtrik = _inverse("nbdtrik", 0, NEGATIVE_BINOMIAL_SMOOTH)
nbdtrin = _inverse("nbdtrin", 1, NEGATIVE_BINOMIAL_SMOOTH)

# ---- F's and Student's distributions


def _share(u: Any, v: Any) -> Any:
    """u / (u + v)."""
    return u / (u + v)


def _fdtr_dn(m: Any, n: Any, x: Any) -> Any:
    y = _share(m * x, n)
    return _beta_a(m / 2, n / 2, y) / 2 + beta_density(m / 2, n / 2, y) * (y * (1 - y) / m)


def _fdtr_dd(m: Any, n: Any, x: Any) -> Any:
    y = _share(m * x, n)
    return _beta_b(m / 2, n / 2, y) / 2 - beta_density(m / 2, n / 2, y) * (y * (1 - y) / n)


def _fdtr_dx(m: Any, n: Any, x: Any) -> Any:
    y = _share(m * x, n)
    return beta_density(m / 2, n / 2, y) * (m * n / (m * x + n) ** 2)


def _student_density(v: Any, t: Any) -> Any:
    return poch(v / 2, 0.5) / np.sqrt(v * math.pi) * (1 + t * t / v) ** (-(v + 1) / 2)


def _student_growth(v: Any, t: Any) -> Any:
    """The derivative in v of the logarithm of the density."""
    s = t * t
    return (_half_step(v / 2) - np.log1p(s / v) + (v + 1) / v * (s / (v + s))) / 2


def _half_step(x: Any) -> Any:
    """psi(x + 1/2) - psi(x) - 1 / (2 x); for a large x by its asymptotic series."""
    large = x > 12
    far, near = np.where(large, x, 12), np.where(large, 12, x)
    r = 1 / (far * far)
    series = r * (1 / 8 - r * (1 / 64 - r * (1 / 128 - r * (17 / 2048 - r * (31 / 2048)))))
    return np.where(large, series, digamma(near + 0.5) - digamma(near) - 1 / (2 * near))


def _student_dv(v: Any, t: Any) -> Any:
    """For small t the integral of the density's derivative, which is smooth at 0; else betainc."""
    s, sign = t * t, np.sign(t)
    near = s < v
    u, w = np.where(near, t, 0), np.where(near, v, 1)
    inner = 0.0
    for node, weight in zip(NODES, WEIGHTS):
        inner = inner + weight * (_student_density(w, u * node) * _student_growth(w, u * node))
    s, w = np.where(near, 1, s), np.where(near, 1, v)
    z = _share(w, s)
    outer = _beta_a(w / 2, 0.5, z) / 2 + beta_density(w / 2, 0.5, z) * (z * (1 - z) / w)
    return np.where(near, u * inner, -sign / 2 * outer)


NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)  # exact to the last digit for t**2 < v
NODES, WEIGHTS = ((NODES + 1) / 2).tolist(), (WEIGHTS / 2).tolist()

F: list[Slope | None] = [_fdtr_dn, _fdtr_dd, _fdtr_dx]
STUDENT: list[Slope | None] = [_student_dv, _student_density]

fdtr = row("fdtr", *_rules(F))
fdtrc = row("fdtrc", *_rules(F, -1))
fdtri = _inverse("fdtri", 2, F)
fdtridfd = _inverse("fdtridfd", 1, F)
stdtr = row("stdtr", *_rules(STUDENT))
stdtrit = _inverse("stdtrit", 1, STUDENT)
stdtridf = _inverse("stdtridf", 0, STUDENT)

# ---- the normal distribution and Tukey's

nrdtrimn = row(
    "nrdtrimn",
    lambda g, _o, p, sd, x: -g * (sd * _ndtri_slope(p)),
    lambda g, _o, p, sd, x: -g * ndtri(p),
    lambda g, _o, p, sd, x: g,
)
nrdtrisd = row(
    "nrdtrisd",
    lambda g, _o, mn, p, x: -g / ndtri(p),
    lambda g, o, mn, p, x: -g * (o * _ndtri_slope(p) / ndtri(p)),
    lambda g, _o, mn, p, x: g / ndtri(p),
)


def _ndtri_slope(p: Any) -> Any:
    q = ndtri(p)
    return math.sqrt(2 * math.pi) * np.exp(q * q / 2)


def _tukey_density(g: Any, o: Any, _x: Any, lam: Any) -> Any:
    inside = (o > 0) & (o < 1)
    p = np.where(inside, o, 0.5)
    return g * np.where(inside, 1 / (p ** (lam - 1) + (1 - p) ** (lam - 1)), 0)


def _tukey_dl(g: Any, o: Any, x: Any, lam: Any) -> Any:
    """By x = boxcox(p, lam) - boxcox(1 - p, lam)."""
    p = np.where((o > 0) & (o < 1), o, 0.5)
    u, v = log(p), log(1 - p)
    slope = u * u * exp_moment(lam * u, order=1) - v * v * exp_moment(lam * v, order=1)
    return -_tukey_density(g * slope, o, x, lam)


tklmbda = row("tklmbda", _tukey_density, _tukey_dl)

# ---- Kolmogorov's and Smirnov's


def _kolmogorov_slope(y: Any) -> Any:
    """By the theta series, or near 0 by the one that Poisson's formula makes of it."""
    near = y < 0.8
    u, v = np.where(near, 1, y), np.where(near & (y > 0.04), y, 0.5)
    far = sum((-1) ** k * (k * k) * np.exp(-2 * k * k * (u * u)) for k in range(1, 6))
    c = [(2 * k - 1) ** 2 * math.pi**2 / 8 for k in range(1, 4)]
    close = sum(np.exp(-ck / (v * v)) * (1 - 2 * ck / (v * v)) for ck in c) / (v * v)
    return np.where(near, np.where(y > 0.04, math.sqrt(2 * math.pi) * close, 0), 8 * u * far)


kolmogorov = row("kolmogorov", lambda g, _o, y: g * _kolmogorov_slope(y))
kolmogi = row("kolmogi", lambda g, o, _p: quotient(g, _kolmogorov_slope(o)))
