"""The incomplete gamma and beta functions in all their arguments.

SciPy has the functions, not their derivatives in the parameters a and b. These are integrals of the
same integrand times polynomials in logarithms, and so are all higher ones:

    d^n/da^n P(a, x) = integral from 0 to x of p(t) * B_n(log(t) - psi(a), -psi'(a), ...) dt

with the density p of the gamma distribution and the complete Bell polynomials B_n; likewise for
the beta distribution. Each integral is taken over the side of x where nothing cancels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core.primitive import Primitive, elementwise
from .elementwise import product, quotient
from .quadrature import half_line
from .scipy_rows import in_double, row
from .special import digamma, gammaln, log, log1p_quiet, polygamma, psi_step


def growth(cumulant: Callable[[int, int], Any], m: int, n: int) -> Any:
    """d^m/da^m d^n/db^n exp(k) divided by exp(k); `cumulant(i, j)` is d^i/da^i d^j/db^j k.

    These are the complete Bell polynomials. The arithmetic is plain: it can be differentiated.
    """
    known: dict[tuple[int, int], Any] = {(0, 0): 1.0}
    for i in range(m + 1):
        for j in range(n + 1):
            if i + j == 0:
                continue
            first = (1, 0) if i else (0, 1)
            up, right = i - first[0], j - first[1]
            total: Any = 0.0
            for p in range(up + 1):
                for q in range(right + 1):
                    term = cumulant(p + first[0], q + first[1]) * known[up - p, right - q]
                    total = total + math.comb(up, p) * math.comb(right, q) * term
            known[i, j] = total
    return known[m, n]


def cumulants_of_gamma(a: Any, log_x: Any) -> Callable[[int, int], Any]:
    """The derivatives in a of log(x**(a - 1) / gamma(a))."""
    return lambda i, _j: log_x - digamma(a) if i == 1 else -polygamma(i - 1, a)


def cumulants_of_beta(a: Any, b: Any, log_x: Any, log_y: Any) -> Callable[[int, int], Any]:
    """The derivatives in a and b of log(x**(a - 1) * y**(b - 1) / beta(a, b))."""

    def cumulant(i: int, j: int) -> Any:
        if i + j == 1:
            return log_x + psi_step(a, b) if i else log_y + psi_step(b, a)
        k = polygamma(i + j - 1, a + b)
        if j == 0:
            k = k - polygamma(i - 1, a)
        if i == 0:
            k = k - polygamma(j - 1, b)
        return k

    return cumulant


def _kept(cumulant: Callable[[int, int], Any], m: int, n: int) -> dict[tuple[int, int], Any]:
    return {(i, j): cumulant(i, j) for i in range(m + 1) for j in range(n + 1) if i + j}


# ---- densities, by the saddle point: no large terms cancel (Loader, 2000)


def _stirling(a: Any) -> Any:
    """log(gamma(a)) - (a - 1/2) log(a) + a - log(2 pi) / 2."""
    far = np.where(a < 10, 10.0, a)
    r = 1 / (far * far)
    series = 1 / 1188 - r * (691 / 360360 - r / 156)
    series = (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r * series)))) / far
    near = gammaln(a) - (a - 0.5) * np.log(a) + a - math.log(2 * math.pi) / 2
    return np.where(a < 10, near, series)


def _deviance(a: Any, x: Any, difference: Any) -> Any:
    """a * (r - 1 - log(r)) at r = x / a, where `difference` is x - a."""
    d = difference / a
    return np.where(np.abs(d) < 0.5, a * (d - np.log1p(d)), difference - a * np.log(x / a))


@in_double
def _gamma_density(a: Any, x: Any) -> Any:
    """x**(a - 1) * exp(-x) / gamma(a)."""
    at_zero = np.where(a > 1, 0.0, np.where(a == 1, 1.0, np.inf))
    return np.where(x == 0, at_zero, np.where(x == np.inf, 0, _times_x(a, x) / x))


def _times_x(a: Any, x: Any) -> Any:
    return np.sqrt(a / (2 * math.pi)) * np.exp(-_deviance(a, x, x - a) - _stirling(a))


@in_double
def _beta_density(a: Any, b: Any, x: Any) -> Any:
    """x**(a - 1) * (1 - x)**(b - 1) / beta(a, b)."""
    inside = np.clip(x, np.finfo(float).tiny, 1 - np.finfo(float).epsneg)
    out = _times_xy(a, b, inside, 1 - inside) / (inside * (1 - inside))
    at_zero = np.where(a > 1, 0.0, np.where(a == 1, b, np.inf))
    at_one = np.where(b > 1, 0.0, np.where(b == 1, a, np.inf))
    out = np.where(x <= 0, at_zero, np.where(x >= 1, at_one, out))
    return np.where((x < 0) | (x > 1) | np.isnan(x), np.nan, out)


def _times_xy(a: Any, b: Any, x: Any, y: Any) -> Any:
    n = a + b
    difference = np.where(x < y, n * x - a, b - n * y)
    exponent = _deviance(a, n * x, difference) + _deviance(b, n * y, -difference)
    exponent += _stirling(a) + _stirling(b) - _stirling(n)
    return np.sqrt(a / n * b / (2 * math.pi)) * np.exp(-exponent)


# ---- the incomplete gamma function


@in_double
def _gammainc(a: Any, x: Any, order: int) -> Any:
    """d^order/da^order of gammainc(a, x), the integral of t**(a - 1) exp(-t) / gamma(a) up to x."""
    out = np.where((x == 0) | (x == np.inf), 0.0, np.nan)
    out[np.isnan(a) | (a <= 0)] = np.nan
    inside = (a > 0) & np.isfinite(a) & (x > 0) & np.isfinite(x)
    lower = np.log(np.where(inside, x, 1)) <= digamma(np.where(inside, a, 1))
    for region, integral in (
        (x <= 0.5, _gamma_series),
        ((x > 0.5) & lower, _gamma_below),
        ((x > 0.5) & ~lower, _gamma_above),
    ):
        where = inside & region
        if np.any(where):
            out[where] = integral(a[where], x[where], order)
    return out


def _gamma_series(a: Any, x: Any, order: int) -> Any:
    """x**a / gamma(a + 1) times 1 + the sum over k of (-x)**k / k! * a / (a + k)."""
    k = np.arange(1, 19)
    terms = np.cumprod(-x[:, None] / k, axis=-1)
    total = np.zeros_like(x)
    cumulants = _kept(cumulants_of_gamma(a + 1, np.log(x)), order, 0)
    for m in range(order + 1):
        shares = -k * (-1) ** m * math.factorial(m) / (a[:, None] + k) ** (m + 1)
        series = np.sum(terms * (shares if m else a[:, None] / (a[:, None] + k)), axis=-1)
        rest = growth(lambda i, j: cumulants[i, j], order - m, 0)
        total += math.comb(order, m) * rest * (series if m else 1 + series)
    return _times_x(a, x) * np.exp(x) / a * total


def _gamma_below(a: Any, x: Any, order: int) -> Any:
    """The integral over t = x exp(-s)."""
    cumulants = _kept(cumulants_of_gamma(a, np.log(x)), order, 0)

    def integrand(s: Any, a: Any, x: Any, *k: Any) -> Any:
        weight = np.exp((x - a) * s - x * (s + np.expm1(-s)))
        return weight * growth(lambda i, _j: k[i - 1] - s if i == 1 else k[i - 1], order, 0)

    scale = 1 / np.maximum(a - x, np.sqrt(a))
    return _times_x(a, x) * half_line(integrand, scale, 80 * scale, a, x, *cumulants.values())


def _gamma_above(a: Any, x: Any, order: int) -> Any:
    """Minus the integral over t = x + v."""
    cumulants = _kept(cumulants_of_gamma(a, np.log(x)), order, 0)

    def integrand(v: Any, a: Any, x: Any, *k: Any) -> Any:
        log = np.log1p(v / x)
        weight = np.exp((a - 1 - x) * (v / x) - (a - 1) * (v / x - log))
        return weight * growth(lambda i, _j: k[i - 1] + log if i == 1 else k[i - 1], order, 0)

    scale = 1 / ((x - a + 1) / x + 1 / np.sqrt(x))
    found = half_line(integrand, scale, 160 * scale, a, x, *cumulants.values())
    return -_times_x(a, x) / x * found


# ---- the incomplete beta function


@in_double
def _betainc(a: Any, b: Any, x: Any, orders: tuple[int, int]) -> Any:
    """d^m/da^m d^n/db^n of betainc(a, b, x), for the orders (m, n)."""
    m, n = orders
    out = np.where((x == 0) | (x == 1), 0.0, np.nan)
    valid = (a > 0) & (b > 0) & np.isfinite(a) & np.isfinite(b)
    out[~valid] = np.nan
    where = valid & (x > 0) & (x < 1)
    a, b, x = a[where], b[where], x[where]
    y, logs = 1 - x, (np.log(x), np.log1p(-x))
    if n == 0:  # the side on which the logarithm has one sign
        below = logs[0] <= -psi_step(a, b)
    elif m == 0:
        below = logs[1] >= -psi_step(b, a)
    else:
        below = x < a / (a + b)
    found = np.empty_like(x)
    kept = _kept(cumulants_of_beta(a, b, *logs), m, n)
    swapped = {(j, i): k for (i, j), k in kept.items()}
    for sign, side, first, second, order, cumulants in (
        (1, below, (a, x), (b, y), (m, n), kept),
        (-1, ~below, (b, y), (a, x), (n, m), swapped),
    ):
        chosen = {ij: k[side] for ij, k in cumulants.items()}
        ends = (first[0][side], second[0][side], first[1][side], second[1][side])
        found[side] = sign * _beta_below(*ends, order, chosen)
    out[where] = found
    return out


def _beta_below(
    a: Any, b: Any, x: Any, y: Any, orders: tuple[int, int], cumulants: dict[tuple[int, int], Any]
) -> Any:
    """The integral over t = x exp(-s)."""
    r = np.minimum(x / y, 1e300)

    def integrand(s: Any, a: Any, b: Any, r: Any, *k: Any) -> Any:
        log = np.log1p(-r * np.expm1(-s))  # of (1 - t) / (1 - x)
        weight = np.exp((b - 1) * log - a * s)
        of = dict(zip(cumulants, k))
        if (1, 0) in of:
            of[1, 0] = of[1, 0] - s
        if (0, 1) in of:
            of[0, 1] = of[0, 1] + log
        return weight * growth(lambda i, j: of[i, j], *orders)

    steepness = np.maximum(np.abs(a - (b - 1) * r), np.sqrt(np.maximum(b, 1) * r) * np.sqrt(1 + r))
    scale = 1 / np.maximum(np.maximum(1, r), steepness)
    length = (50 + np.maximum(b - 1, 0) * np.log1p(r)) / a
    length = np.maximum(length, 50 * scale)
    found = half_line(integrand, scale, length, a, b, r, *cumulants.values())
    return _times_xy(a, b, x, y) / y * found


# ---- the table


def _gamma_growth(a: Any, x: Any, order: int) -> Any:
    """d^order/da^order of the density, over the density."""
    return growth(cumulants_of_gamma(a, log(x)), order, 0)


def _beta_growth(a: Any, b: Any, x: Any, orders: tuple[int, int]) -> Any:
    return growth(cumulants_of_beta(a, b, log(x), log1p_quiet(-x)), *orders)


def _gammainc_dx(g: Any, _o: Any, a: Any, x: Any, order: int) -> Any:
    return product(g, product(gamma_density(a, x), _gamma_growth(a, x, order)))


def _betainc_dx(g: Any, _o: Any, a: Any, b: Any, x: Any, orders: tuple[int, int]) -> Any:
    return product(g, product(beta_density(a, b, x), _beta_growth(a, b, x, orders)))


def _betainc_da(g: Any, _o: Any, a: Any, b: Any, x: Any, orders: tuple[int, int]) -> Any:
    return g * betainc_derivative(a, b, x, orders=(orders[0] + 1, orders[1]))


def _betainc_db(g: Any, _o: Any, a: Any, b: Any, x: Any, orders: tuple[int, int]) -> Any:
    return g * betainc_derivative(a, b, x, orders=(orders[0], orders[1] + 1))


def slope_a(a: Any, x: Any) -> Any:
    """The derivative of gammainc in a."""
    return gammainc_derivative(a, x, order=1)


def slopes_ab(a: Any, b: Any, x: Any) -> tuple[Any, Any]:
    """The derivatives of betainc in a and b."""
    return betainc_derivative(a, b, x, orders=(1, 0)), betainc_derivative(a, b, x, orders=(0, 1))


def _gamma_density_dx(g: Any, o: Any, a: Any, x: Any) -> Any:
    """o * ((a - 1) / x - 1); at 0 the first term is the density with a - 1."""
    zero = x == 0
    rising = zero & (a > 1)
    below = gamma_density(np.where(rising, a - 1, 1), np.where(zero, x, 0))
    inside = product(np.where(zero, 0, o), (a - 1) / np.where(zero, 1, x) - 1)
    return product(g, np.where(zero, np.where(rising, below, 0) - o, inside))


def _beta_density_dx(g: Any, o: Any, a: Any, b: Any, x: Any) -> Any:
    """o * ((a - 1) / x - (b - 1) / (1 - x)); at the ends one term is a density with less a or b."""
    zero, one = x == 0, x == 1
    rising, falling = zero & (a > 1), one & (b > 1)
    less = (
        np.where(rising, a - 1, np.where(zero, 1, a)),
        np.where(falling, b - 1, np.where(one, 1, b)),
    )
    steep = (a + b - 1) * beta_density(*less, np.where(zero | one, x, 0.5))
    u = np.where(zero | one, 0.5, x)
    inside = product(np.where(zero | one, 0, o), (a - 1) / u - (b - 1) / (1 - u))
    left = np.where(a < 1, -o, np.where(rising, steep, 0) - product(o, b - 1))
    right = np.where(b < 1, o, product(o, a - 1) - np.where(falling, steep, 0))
    return product(g, np.where(zero, left, np.where(one, right, inside)))


gamma_density: Primitive = elementwise(
    "gamma_density",
    _gamma_density,
    lambda g, o, a, x: product(g, product(o, log(x) - digamma(a))),
    _gamma_density_dx,
)
beta_density: Primitive = elementwise(
    "beta_density",
    _beta_density,
    lambda g, o, a, b, x: product(g, product(o, log(x) + psi_step(a, b))),
    lambda g, o, a, b, x: product(g, product(o, log1p_quiet(-x) + psi_step(b, a))),
    _beta_density_dx,
)
gammainc_derivative: Primitive = elementwise(
    "gammainc_derivative",
    _gammainc,
    lambda g, _o, a, x, order: g * gammainc_derivative(a, x, order=order + 1),
    _gammainc_dx,
)
betainc_derivative: Primitive = elementwise(
    "betainc_derivative", _betainc, _betainc_da, _betainc_db, _betainc_dx
)
gammainc = row(
    "gammainc",
    lambda g, _o, a, x: g * slope_a(a, x),
    lambda g, _o, a, x: product(g, gamma_density(a, x)),
)
gammaincc = row(
    "gammaincc",
    lambda g, _o, a, x: -g * slope_a(a, x),
    lambda g, _o, a, x: -product(g, gamma_density(a, x)),
)
gammaincinv = row(
    "gammaincinv",
    lambda g, o, a, _p: -quotient(g * slope_a(a, o), gamma_density(a, o)),
    lambda g, o, a, _p: quotient(g, gamma_density(a, o)),
)
gammainccinv = row(
    "gammainccinv",
    lambda g, o, a, _p: -quotient(g * slope_a(a, o), gamma_density(a, o)),
    lambda g, o, a, _p: -quotient(g, gamma_density(a, o)),
)
betainc = row(
    "betainc",
    lambda g, _o, a, b, x: g * slopes_ab(a, b, x)[0],
    lambda g, _o, a, b, x: g * slopes_ab(a, b, x)[1],
    lambda g, _o, a, b, x: product(g, beta_density(a, b, x)),
)
betaincc = row(
    "betaincc",
    lambda g, _o, a, b, x: -g * slopes_ab(a, b, x)[0],
    lambda g, _o, a, b, x: -g * slopes_ab(a, b, x)[1],
    lambda g, _o, a, b, x: -product(g, beta_density(a, b, x)),
)
betaincinv = row(
    "betaincinv",
    lambda g, o, a, b, _p: -quotient(g * slopes_ab(a, b, o)[0], beta_density(a, b, o)),
    lambda g, o, a, b, _p: -quotient(g * slopes_ab(a, b, o)[1], beta_density(a, b, o)),
    lambda g, o, a, b, _p: quotient(g, beta_density(a, b, o)),
)
betainccinv = row(
    "betainccinv",
    lambda g, o, a, b, _p: -quotient(g * slopes_ab(a, b, o)[0], beta_density(a, b, o)),
    lambda g, o, a, b, _p: -quotient(g * slopes_ab(a, b, o)[1], beta_density(a, b, o)),
    lambda g, o, a, b, _p: -quotient(g, beta_density(a, b, o)),
)
