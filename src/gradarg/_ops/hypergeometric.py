"""Exponential integrals, hypergeometric functions, orthogonal polynomials, and inverses of exp.

A derivative of a hypergeometric function is one with raised parameters; that of a polynomial is
one of a lower degree in the next family. Derivatives in parameters and degrees are infinite series
that are not known here: asking for one is an error.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._core.primitive import Primitive, elementwise
from .elementwise import product, quotient, sinc
from .scipy_rows import of, row, scipy_function, several
from .special import erf, erfcx_derivative, log, log_moment

PARAMETER = "its derivative in a parameter is an infinite series that gradarg does not have"
DEGREE = "the degree of a polynomial is a whole number"

# ---- exponential, trigonometric and Fresnel integrals


def _expn(n: Any, x: Any) -> Any:
    """E_n(x), for negative n too, where it is elementary: E_-m by m steps from E_0 = exp(-x)/x."""
    out = scipy_function("expn")(n, x)
    if np.all(np.greater_equal(n, 0)):
        return out
    x = np.asarray(x)
    with np.errstate(all="ignore"):
        low = np.exp(-x) / x
        for m in range(1, 1 - int(np.min(n))):
            low = np.where(np.greater_equal(-m, n), (np.exp(-x) + m * low) / x, low)
    return np.where(np.less(n, 0), low, out).astype(out.dtype)[()]


expi = row("expi", lambda g, _o, x: quotient(g * np.exp(x), x))
exp1 = row("exp1", lambda g, _o, x: -quotient(g * np.exp(-x), x))
expn: Primitive = of("expn", _expn, PARAMETER, lambda g, _o, n, x: -product(g, expn(n - 1, x)))


def _sinc(x: Any) -> Any:
    return sinc(x / math.pi)


def _shichi_slopes(_o: Any, x: Any) -> Any:
    return sinc(x * (1j / math.pi)) if x.dtype.kind == "c" else _sinhc(x), np.cosh(x) / x


def _sinhc_value(x: Any, order: int) -> Any:
    """The derivative of an order of sinh(x) / x: the integral of s**n cosh or sinh(x s)."""
    x = np.asarray(x)
    far = np.where(np.abs(x) > order + 1, x, order + 1)
    out, now, other = np.sinh(far) / far, np.cosh(far), np.sinh(far)
    for n in range(1, order + 1):  # x f[n] + n f[n-1] = the n-th derivative of sinh
        out, now, other = (now - n * out) / far, other, now
    near, series = np.where(np.abs(x) > order + 1, 0, x), 0 * x
    for k in reversed(range((order + 1) // 2, order // 2 + 16 + order)):
        series = series * (near * near) + 1 / ((2 * k + 1) * math.factorial(2 * k - order))
    return np.where(np.abs(x) > order + 1, out, series * near if order % 2 else series)[()]


sinhc: Primitive = elementwise(
    "sinhc", _sinhc_value, lambda g, _o, x, order: g * sinhc(x, order=order + 1)
)


def _sinhc(x: Any) -> Any:
    return sinhc(x, order=0)


def _fresnel_slopes(_o: Any, x: Any) -> Any:
    angle = math.pi / 2 * x * x
    return np.sin(angle), np.cos(angle)


def _modfresnel_slopes(sign: int) -> Any:
    turn = complex(math.cos(math.pi / 4), -sign * math.sin(math.pi / 4)) / math.sqrt(math.pi)
    return lambda o, x: (-np.exp(1j * sign * x * x), -2j * sign * x * o[1] - turn)


sici = several("sici", scipy_function("sici"), lambda _o, x: (_sinc(x), np.cos(x) / x))
shichi = several("shichi", scipy_function("shichi"), _shichi_slopes)
fresnel = several("fresnel", scipy_function("fresnel"), _fresnel_slopes)
modfresnelp = several("modfresnelp", scipy_function("modfresnelp"), _modfresnel_slopes(1))
modfresnelm = several("modfresnelm", scipy_function("modfresnelm"), _modfresnel_slopes(-1))


def _spence_slope(g: Any, _o: Any, z: Any) -> Any:
    near = np.abs(z - 1) < 0.5
    u, far = np.where(near, z - 1, 0), np.where(near, 2, z)
    return product(g, np.where(near, -log_moment(u, order=0), log(far) / (1 - far)))


def _owens_dh(g: Any, _o: Any, h: Any, a: Any) -> Any:
    return g * (np.exp(-h * h / 2) * erf(a * h / math.sqrt(2)) / (-2 * math.sqrt(2 * math.pi)))


def _owens_da(g: Any, _o: Any, h: Any, a: Any) -> Any:
    return g * (np.exp(-h * h * (1 + a * a) / 2) / (2 * math.pi * (1 + a * a)))


def _voigt_dx(g: Any, _o: Any, x: Any, sigma: Any, gamma: Any) -> Any:
    return g * np.real(_voigt_slope(x, sigma, gamma))


def _voigt_dgamma(g: Any, _o: Any, x: Any, sigma: Any, gamma: Any) -> Any:
    return -g * np.imag(_voigt_slope(x, sigma, gamma))


def _voigt_dsigma(g: Any, o: Any, x: Any, sigma: Any, gamma: Any) -> Any:
    slope = _voigt_slope(x, sigma, gamma)
    along = x * np.real(slope) - gamma * np.imag(slope)
    return -g * ((along + o) / sigma)


def _voigt_slope(x: Any, sigma: Any, gamma: Any) -> Any:
    """w'(z) / (2 sqrt(pi) sigma**2) at z = (x + i gamma) / (sqrt(2) sigma)."""
    u = (gamma - 1j * x) / (math.sqrt(2) * sigma)
    return -1j * erfcx_derivative(u, order=1) / (2 * math.sqrt(math.pi) * sigma * sigma)


spence = row("spence", _spence_slope)
owens_t = row("owens_t", _owens_dh, _owens_da)
voigt_profile = row("voigt_profile", _voigt_dx, _voigt_dsigma, _voigt_dgamma)

# ---- inverses of functions with exp


def _lambertw_slope(g: Any, o: Any, _z: Any, _k: Any, _tol: Any) -> Any:
    return product(g, quotient(np.exp(-o), 1 + o))


lambertw: Primitive = of("_lambertw", scipy_function("lambertw"), _lambertw_slope, None, None)
wrightomega = row("wrightomega", lambda g, o, _z: quotient(g * o, 1 + o))

# ---- hypergeometric functions

hyp2f1: Primitive = row(
    "hyp2f1",
    PARAMETER,
    PARAMETER,
    PARAMETER,
    lambda g, _o, a, b, c, z: g * (a * b / c * hyp2f1(a + 1, b + 1, c + 1, z)),
)
hyp1f1: Primitive = row(
    "hyp1f1", PARAMETER, PARAMETER, lambda g, _o, a, b, z: g * (a / b * hyp1f1(a + 1, b + 1, z))
)
hyp0f1: Primitive = row("hyp0f1", PARAMETER, lambda g, _o, v, z: g * (hyp0f1(v + 1, z) / v))
hyperu: Primitive = row(
    "hyperu", PARAMETER, PARAMETER, lambda g, _o, a, b, x: g * (-a * hyperu(a + 1, b + 1, x))
)
wright_bessel: Primitive = row(
    "wright_bessel",
    PARAMETER,
    PARAMETER,
    lambda g, _o, a, b, x: g * wright_bessel(a, a + b, x),
)
log_wright_bessel: Primitive = row(
    "log_wright_bessel",
    PARAMETER,
    PARAMETER,
    lambda g, o, a, b, x: g * np.exp(log_wright_bessel(a, a + b, x) - o),
)

# ---- orthogonal polynomials


def _lower(family: Primitive, n: Any, *args: Any) -> Any:
    """The polynomial of the next lower degree in a family; that below a constant is 0."""
    if isinstance(n, (int, float)):
        return 0.0 if n == 0 else family(n - 1, *args)
    constant = np.equal(n, 0)
    return np.where(constant, 0, family(np.where(constant, n, n - 1), *args))


def _polynomial(name: str, slope: Any, parameters: int = 0) -> Primitive:
    def rule(g: Any, _o: Any, *args: Any) -> Any:
        return g * slope(*args)

    return row(name, DEGREE, *[PARAMETER] * parameters, rule)


gegenbauer: Primitive = _polynomial(
    "eval_gegenbauer", lambda n, a, x: 2 * a * _lower(gegenbauer, n, a + 1, x), 1
)
genlaguerre: Primitive = _polynomial(
    "eval_genlaguerre", lambda n, a, x: -1 * _lower(genlaguerre, n, a + 1, x), 1
)
jacobi: Primitive = _polynomial(
    "eval_jacobi",
    lambda n, a, b, x: (n + a + b + 1) / 2 * _lower(jacobi, n, a + 1, b + 1, x),
    2,
)
sh_jacobi: Primitive = _polynomial(
    "eval_sh_jacobi", lambda n, p, q, x: n * _lower(sh_jacobi, n, p + 2, q + 1, x), 2
)
legendre = _polynomial("eval_legendre", lambda n, x: _lower(gegenbauer, n, 1.5, x))
chebyu: Primitive = _polynomial("eval_chebyu", lambda n, x: 2 * _lower(gegenbauer, n, 2.0, x))
chebyt = _polynomial("eval_chebyt", lambda n, x: n * _lower(chebyu, n, x))
chebyc = _polynomial("eval_chebyc", lambda n, x: n * _lower(chebyu, n, x / 2))
chebys = _polynomial("eval_chebys", lambda n, x: _lower(gegenbauer, n, 2.0, x / 2))
laguerre = _polynomial("eval_laguerre", lambda n, x: -1 * _lower(genlaguerre, n, 1.0, x))
hermite: Primitive = _polynomial("eval_hermite", lambda n, x: 2 * n * _lower(hermite, n, x))
hermitenorm: Primitive = _polynomial("eval_hermitenorm", lambda n, x: n * _lower(hermitenorm, n, x))
sh_legendre = _polynomial(
    "eval_sh_legendre", lambda n, x: 2 * _lower(gegenbauer, n, 1.5, 2 * x - 1)
)
sh_chebyt = _polynomial("eval_sh_chebyt", lambda n, x: 2 * n * _lower(chebyu, n, 2 * x - 1))
sh_chebyu = _polynomial("eval_sh_chebyu", lambda n, x: 4 * _lower(gegenbauer, n, 2.0, 2 * x - 1))


def _lpmv_slope(g: Any, o: Any, m: Any, v: Any, x: Any) -> Any:
    return g * ((v * x * o - (v + m) * lpmv(m, v - 1, x)) / ((x - 1) * (x + 1)))


lpmv: Primitive = row("lpmv", DEGREE, DEGREE, _lpmv_slope)
