"""Special functions: the error functions, the gamma family, zeta, and what is made of exp and log.

Values are SciPy's. Each formula is `g * df/dx_i` with `o` the output, in terms of functions of this
table, so that derivatives of any order follow. Where a formula would cancel, a primitive of its own
has an `order`: its rule raises the order by one, and its value is computed directly.

Conventions: gamma and its kin have no derivative at their poles (NaN), rgamma has its true one. An
infinite slope at the end of a domain (ndtri at 0 and 1, xlogy at 0) is infinite; a derivative of 0
that comes in goes on as 0.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from .._core.primitive import Primitive, constant, elementwise
from .elementwise import product, quotient
from .scipy_rows import in_double, of, row, scipy_function, scipy_special

SQRT_PI, SQRT_2 = math.sqrt(math.pi), math.sqrt(2)
DEGREE, LN10 = math.pi / 180, math.log(10)


def log(x: Any) -> Any:
    """The logarithm without a warning at 0, where a slope is meant to be infinite."""
    with np.errstate(divide="ignore"):
        return np.log(x)


def log1p_quiet(x: Any) -> Any:
    """The logarithm of 1 + x, without a warning at -1."""
    with np.errstate(divide="ignore"):
        return np.log1p(x)


# ---- error functions

FAR = 8.0  # from here on, the asymptotic series is exact to the last digit


def _hermite(f: Any, n: int, z: Any, first: Any, sign: int) -> Any:
    """The n-th derivative of an f with f' = sign * (2 z f) + first."""
    before, out = 0 * f, f
    for k in range(n):
        after = sign * (2 * z * out + 2 * k * before) + (first if k == 0 else 0)
        before, out = out, after
    return out


def _tail(z: Any, n: int, sign: int) -> Any:
    """The n-th derivative of the sum over k of sign**k (2k - 1)!! / 2**k / z**(2k + 1)."""
    out = 0 * z
    for k in reversed(range(25)):
        ratio = sign * (2 * k + 1) / 2
        out = out * ratio / (z * z) + math.perm(2 * k + n, n)
    return (-1) ** n * out / z ** (n + 1)


@in_double
def _erfcx(z: Any, order: int) -> Any:
    erfcx = scipy_special().erfcx
    near = _hermite(erfcx(z), order, z, -2 / SQRT_PI, 1)
    right = np.real(z) >= 0
    u = np.where(np.abs(z) > FAR, np.where(right, z, -z), FAR)
    far = _tail(u, order, -1) / SQRT_PI
    left = np.where(right, 0, z)
    gaussian = _hermite(2 * np.exp(left * left), order, left, 0, 1)
    far = np.where(right, far, gaussian - (-1) ** order * far)
    return np.where(np.abs(z) > FAR, far, near)


@in_double
def _dawsn(z: Any, order: int) -> Any:
    near = _hermite(scipy_special().dawsn(z), order, z, 1, -1)
    u = np.where(np.abs(z) > FAR, z, FAR)
    far = _tail(u, order, 1) / 2
    if z.dtype.kind == "c":
        half = 0.5j * SQRT_PI * np.where(u.imag < 0, -1, 1)
        far = far + _hermite(half * np.exp(-u * u), order, u, 0, -1)
    return np.where(np.abs(z) > FAR, far, near)


def _mills(x: Any) -> Any:
    return math.sqrt(2 / math.pi) / scipy_special().erfcx(x * (-1 / SQRT_2))


def _mills_slope(g: Any, o: Any, x: Any) -> Any:
    u = np.where(np.real(x) < 0, x, 0) * (-1 / SQRT_2)  # there x and o nearly cancel
    ratio = erfcx_derivative(u, order=1) / erfcx(u) / SQRT_2
    return g * (o * np.where(np.real(x) < 0, ratio, -(x + o)))


erf = row("erf", lambda g, _o, x: g * (2 / SQRT_PI * np.exp(-x * x)))
erfc = row("erfc", lambda g, _o, x: g * (-2 / SQRT_PI * np.exp(-x * x)))
erfi = row("erfi", lambda g, _o, x: g * (2 / SQRT_PI * np.exp(x * x)))
erfcx = row("erfcx", lambda g, _o, x: g * erfcx_derivative(x, order=1))
erfcx_derivative: Primitive = elementwise(
    "erfcx_derivative", _erfcx, lambda g, _o, x, order: g * erfcx_derivative(x, order=order + 1)
)
dawsn = row("dawsn", lambda g, _o, x: g * dawsn_derivative(x, order=1))
dawsn_derivative: Primitive = elementwise(
    "dawsn_derivative", _dawsn, lambda g, _o, x, order: g * dawsn_derivative(x, order=order + 1)
)
wofz = row("wofz", lambda g, _o, z: g * (-1j * erfcx_derivative(-1j * z, order=1)))
erfinv = row("erfinv", lambda g, o, _x: product(g, SQRT_PI / 2 * np.exp(o * o)))
erfcinv = row("erfcinv", lambda g, o, _x: product(g, -SQRT_PI / 2 * np.exp(o * o)))
ndtr = row("ndtr", lambda g, _o, x: g * (gaussian(x) * (2 * math.pi) ** -0.5))
gaussian: Primitive = elementwise(  # a compiled ndtr has it on the way
    "gaussian", lambda x: np.exp(-x * x / 2), lambda g, o, x: product(-g, product(x, o))
)
mills: Primitive = elementwise("mills", _mills, _mills_slope)  # the derivative of log_ndtr
log_ndtr = row("log_ndtr", lambda g, _o, x: g * mills(x))
ndtri = row("ndtri", lambda g, o, _p: product(g, math.sqrt(2 * math.pi) * np.exp(o * o / 2)))
ndtri_exp = row("ndtri_exp", lambda g, o, _x: quotient(g, mills(o)))

# ---- the gamma function and its kin


def _polygamma(n: Any, x: Any) -> Any:
    special = scipy_special()
    x = np.asarray(x)
    if x.dtype.kind == "c":
        return _complex_polygamma(x, n=int(n))
    with np.errstate(all="ignore"):
        out = -((-1.0) ** n) * special.gamma(n + 1.0) * special.zeta(n + 1.0, x)
        out = np.where(np.equal(n, 0), special.psi(x), out)
    return out.astype(np.result_type(x, np.float32))[()]


@in_double
def _complex_polygamma(z: Any, n: int) -> Any:
    """By recurrence to the right, where the asymptotic series holds."""
    if n == 0:
        return scipy_special().psi(z)
    near, steps = 0 * z, max(0, math.ceil(18 - float(np.min(z.real, initial=18))))
    for _ in range(steps):
        near = near + z ** -(n + 1.0)
        z = z + 1
    series = math.factorial(n - 1) / z**n + math.factorial(n) / (2 * z ** (n + 1))
    for j, b in enumerate(BERNOULLI[1:], 1):
        series = series + b * (math.factorial(2 * j + n - 1) / math.factorial(2 * j)) / z ** (
            2 * j + n
        )
    return (-1) ** (n + 1) * (math.factorial(n) * near + series)


def _rgamma_slope(x: Any) -> Any:
    """The derivative of 1 / gamma(x), by reflection where gamma may have a pole."""
    left = np.real(x) < 0.5
    z, u = np.where(left, x, 0.25), np.where(left, 1, x)
    sine = np.sin(math.pi * z) / math.pi * digamma(1 - z)
    return np.where(left, gamma(1 - z) * (np.cos(math.pi * z) - sine), -rgamma(u) * digamma(u))


def _is_pole(x: Any) -> Any:
    return (x <= 0) & (x == np.floor(x))


def psi_step(x: Any, d: Any) -> Any:
    """digamma(x + d) - digamma(x); for a large x from the difference of the series."""
    large = (np.real(x) > 16) & (np.real(x + d) > 16)
    x0, d0 = np.where(large, x, 16), np.where(large, d, 0)
    u, v = 1 / x0, 1 / (x0 + d0)
    total: Any = 0.0
    both: Any = 1.0  # u**2k - v**2k over u**2 - v**2, by recurrence
    power = v * v
    for k, number in enumerate(BERNOULLI[1:8], 1):
        total = total + number / (2 * k) * both
        both, power = both * (u * u) + power, power * (v * v)
    series = np.log1p(d0 * u) + d0 * u * v * (0.5 + (u + v) * total)
    a, b = np.where(large, 1, x), np.where(large, 1, x + d)
    return np.where(large, series, digamma(b) - digamma(a))


def _binom_dn(g: Any, o: Any, n: Any, k: Any) -> Any:
    pole = _is_pole(n - k + 1)
    rest = np.where(pole, 1, n - k + 1)
    whole = np.where(pole, n + 1, 1)
    slope = digamma(whole) * rgamma(n - k + 1) + _rgamma_slope(n - k + 1)
    at_pole = gamma(whole) * rgamma(k + 1) * slope
    usual = np.where(pole, 0, o) * (
        digamma(np.where(_is_pole(n + 1), np.nan, n + 1)) - digamma(rest)
    )
    return g * np.where(pole, at_pole, usual)


def _binom_dk(g: Any, o: Any, n: Any, k: Any) -> Any:
    pole = _is_pole(n - k + 1) | _is_pole(k + 1)
    rest, k1 = np.where(pole, 1, n - k + 1), np.where(pole, 1, k + 1)
    left = _rgamma_slope(k + 1) * rgamma(n - k + 1)
    at_pole = gamma(np.where(pole, n + 1, 1)) * (left - rgamma(k + 1) * _rgamma_slope(n - k + 1))
    return g * np.where(pole, at_pole, o * (digamma(rest) - digamma(k1)))


def _poch_dz(g: Any, o: Any, z: Any, m: Any) -> Any:
    """Left of the poles, where m is whole, by reflection; at a zero by the slope of rgamma."""
    pole, end_pole = _is_pole(z), _is_pole(z + m)
    left = end_pole & pole
    zero = pole & ~end_pole
    u = np.where(pole, 1, z)
    a, b = np.where(left, 1 - z - m, 1), np.where(left, 1 - z, 1)
    top = np.where(zero, z + m, 1)
    at_zero = gamma(top) * (digamma(top) * rgamma(z) + _rgamma_slope(z))
    reflected = o * (digamma(a) - digamma(b))
    return g * np.where(
        left, reflected, np.where(zero, at_zero, o * psi_step(u, np.where(pole, 0, m)))
    )


gamma: Primitive = row("gamma", lambda g, o, x: g * (o * digamma(x)))
gammaln: Primitive = row("gammaln", lambda g, _o, x: g * digamma(x))
loggamma: Primitive = row("loggamma", lambda g, _o, x: g * digamma(x))
rgamma: Primitive = row("rgamma", lambda g, _o, x: g * _rgamma_slope(x))
digamma: Primitive = row("psi", lambda g, _o, x: g * polygamma(1, x))
polygamma: Primitive = of(
    "polygamma",
    _polygamma,
    "it is defined for whole orders",
    lambda g, _o, n, x: g * polygamma(n + 1, x),
)
gammasgn = constant("gammasgn", scipy_function("gammasgn"))
beta = row(
    "beta",
    lambda g, o, a, b: g * (-o * psi_step(a, b)),
    lambda g, o, a, b: g * (-o * psi_step(b, a)),
)
betaln = row(
    "betaln",
    lambda g, _o, a, b: -g * psi_step(a, b),
    lambda g, _o, a, b: -g * psi_step(b, a),
)
poch = row("poch", _poch_dz, lambda g, o, z, m: g * (o * digamma(z + m)))
binom = row("binom", _binom_dn, _binom_dk)

# ---- zeta


def _bernoulli(count: int) -> list[float]:
    """The even Bernoulli numbers B[0], B[2], ..., `count` of them."""
    numbers = [Fraction(1)]
    for m in range(1, 2 * count - 1):
        total = sum((math.comb(m + 1, k) * b for k, b in enumerate(numbers)), Fraction(0))
        numbers.append(-total / (m + 1))
    return [float(b) for b in numbers[::2]]


BERNOULLI = _bernoulli(16)


@in_double
def _zeta(s: Any, q: Any, order: int) -> Any:
    """d^order/ds^order of the sum over k of (q + k)**-s, by Euler's and Maclaurin's formula."""
    count = 18
    out: Any = 0
    for k in range(count):
        out = out + (-np.log(q + k)) ** order * (q + k) ** -s
    top = q + count
    powers = [(-np.log(top)) ** i for i in range(order + 1)]
    tail = 0.5 * powers[order]
    rising = [s, np.ones_like(s)] + [np.zeros_like(s)] * order  # s and its derivatives in s
    for i in range(order + 1):
        share = math.perm(order, i) * powers[order - i]
        tail = tail + share * top * (-1) ** i / (s - 1) ** (i + 1)
    for j, b in enumerate(BERNOULLI[1:], 1):
        factor = b / math.factorial(2 * j) * top ** (1 - 2 * j)
        for i in range(order + 1):
            tail = tail + math.comb(order, i) * powers[order - i] * rising[i] * factor
        for k in (2 * j - 1, 2 * j):  # the next two factors of s (s + 1) (s + 2) ...
            rising = [r * (s + k) + (i * rising[i - 1] if i else 0) for i, r in enumerate(rising)]
    return np.where((q > 0) & (s != 1), out + top**-s * tail, np.nan)


def _zeta_ds(g: Any, _o: Any, s: Any, q: Any, order: int) -> Any:
    return g * zeta_derivative(s, q, order=order + 1)


def _zeta_dq(g: Any, _o: Any, s: Any, q: Any, order: int) -> Any:
    slope = s * zeta_derivative(s + 1, q, order=order)
    if order:
        slope = slope + order * zeta_derivative(s + 1, q, order=order - 1)
    return -g * slope


def _riemann_slope(g: Any, _o: Any, s: Any) -> Any:
    """Far left, by the functional equation."""
    left = s < -1
    u, z = np.where(left, 2, s), np.where(left, 1 - s, 4)
    half = np.sin((math.pi / 2) * (1 - z))
    size = 2 * (2 * math.pi) ** -z * gamma(z)
    mirrored = (math.pi / 2) * np.cos((math.pi / 2) * (1 - z)) * riemann_zeta(z)
    mirrored = mirrored + half * (
        (math.log(2 * math.pi) - digamma(z)) * riemann_zeta(z) - zeta_derivative(z, 1.0, order=1)
    )
    return g * np.where(left, size * mirrored, zeta_derivative(u, 1.0, order=1))


zeta: Primitive = elementwise(
    "_zeta",
    lambda s, q: scipy_special().zeta(s, q),
    lambda g, _o, s, q: g * zeta_derivative(s, q, order=1),
    lambda g, _o, s, q: -g * (s * zeta(s + 1, q)),
)
zeta_derivative: Primitive = elementwise("zeta_derivative", _zeta, _zeta_ds, _zeta_dq)
riemann_zeta: Primitive = elementwise(
    "_riemann_zeta", lambda s: scipy_special().zeta(s), _riemann_slope
)
zetac = row("zetac", _riemann_slope)

# ---- made of exp and log


@in_double
def _exp_moment(u: Any, order: int) -> Any:
    """By its series near 0, of which all terms have one sign, else by parts."""
    edge = order + 2
    near = np.where(np.abs(u) < edge, np.abs(u), 0)
    series, term = 0 * u, 1 + 0 * u
    flipped = 1 / (order + 1) + 0 * u
    mirrored = 0 * u
    for k in range(1, 45 + 3 * edge):
        series = series + term / (order + k)
        mirrored = mirrored + flipped
        term = term * near / k
        flipped = flipped * near / (order + 1 + k)
    far = np.where(np.abs(u) < edge, edge, u)
    parts = np.expm1(far) / far
    for n in range(1, order + 1):
        parts = (np.exp(far) - n * parts) / far
    return np.where(np.abs(u) < edge, np.where(u < 0, np.exp(-near) * mirrored, series), parts)


@in_double
def _log_moment(u: Any, order: int) -> Any:
    near, far = np.where(np.abs(u) < 0.5, u, 0), np.where(np.abs(u) < 0.5, 1, u)
    series, term = 0 * u, 1 + 0 * u
    for k in range(70 + 4 * order):
        series = series + term / (order + k + 1)
        term = term * -near * (order + k + 1) / (k + 1)
    parts = np.log1p(far) / far
    for n in range(1, order + 1):
        parts = (parts - (1 + far) ** -n / n) / far
    return np.where(np.abs(u) < 0.5, series, parts)


# the integral over s from 0 to 1 of s**order * exp(u s), and of s**order / (1 + u s)**(order + 1)
exp_moment: Primitive = elementwise(
    "exp_moment", _exp_moment, lambda g, _o, u, order: g * exp_moment(u, order=order + 1)
)
log_moment: Primitive = elementwise(
    "log_moment",
    _log_moment,
    lambda g, _o, u, order: g * (-(order + 1) * log_moment(u, order=order + 1)),
)


def log_ratio(x: Any, y: Any) -> Any:
    """log(x / y), exact where x and y are close."""
    close = np.abs(x - y) < 0.5 * np.abs(y)
    near = np.log1p(np.where(close, x - y, 0) / np.where(close, y, 1))
    return np.where(close, near, log(np.where(close, 1, x) / np.where(close | (y == 0), 1, y)))


def _hypot1(delta: Any, r: Any) -> Any:
    return np.sqrt(1 + (r / delta) ** 2)


def _pseudo_huber_dd(g: Any, _o: Any, delta: Any, r: Any) -> Any:
    s, u = _hypot1(delta, r), r / delta
    return g * (delta * u**4 / ((s + 1) ** 2 * s))


def _power(x: Any, y: Any) -> Any:
    with np.errstate(divide="ignore"):
        return x**y


def _boxcox_dl(x: Any, lam: Any, logarithm: Any) -> Any:
    zero = (x == 0) & (lam > 0)
    u = np.where(zero, 0, logarithm(x))
    at_zero = 1 / np.where(zero, lam, 1) ** 2
    return np.where(zero, at_zero, u * u * exp_moment(lam * u, order=1))


def _inv_boxcox_dl(g: Any, o: Any, y: Any, lam: Any) -> Any:
    return -g * ((o + 1) * (y * y) * log_moment(lam * y, order=1))


exp2 = row("exp2", lambda g, o, _x: g * (math.log(2) * o))
exp10 = row("exp10", lambda g, o, _x: g * (LN10 * o))
expm1 = row("expm1", lambda g, _o, x: g * np.exp(x))
exprel = row("exprel", lambda g, _o, x: g * exp_moment(x, order=1))
log1p = row("log1p", lambda g, _o, x: quotient(g, 1 + x))
cbrt = row("cbrt", lambda g, o, _x: quotient(g, 3 * (o * o)))
cosm1 = row("cosm1", lambda g, _o, x: -g * np.sin(x))
sindg: Primitive = row("sindg", lambda g, _o, x: g * (DEGREE * cosdg(x)))
cosdg: Primitive = row("cosdg", lambda g, _o, x: g * (-DEGREE * sindg(x)))
tandg = row("tandg", lambda g, o, _x: g * (DEGREE * (1 + o * o)))
cotdg = row("cotdg", lambda g, o, _x: g * (-DEGREE * (1 + o * o)))
radian = row(
    "radian",
    lambda g, _o, _d, _m, _s: g * DEGREE,
    lambda g, _o, _d, _m, _s: g * (DEGREE / 60),
    lambda g, _o, _d, _m, _s: g * (DEGREE / 3600),
)
powm1 = row(
    "powm1",
    lambda g, _o, x, y: product(g * y, _power(x, y - 1)),
    lambda g, o, x, _y: product(g, (o + 1) * log(np.where(x == 0, 1, x))),
)
xlogy = row(
    "xlogy",
    lambda g, _o, _x, y: product(g, log(y)),
    lambda g, _o, x, y: product(g, quotient(x, y)),
)
xlog1py = row(
    "xlog1py",
    lambda g, _o, _x, y: product(g, log1p_quiet(y)),
    lambda g, _o, x, y: product(g, quotient(x, 1 + y)),
)
logit = row("logit", lambda g, _o, x: quotient(g, x * (1 - x)))
expit: Primitive = row("expit", lambda g, _o, x: g * (expit(x) * expit(-x)))
log_expit = row("log_expit", lambda g, _o, x: g * expit(-x))
entr = row("entr", lambda g, _o, x: product(g, -1 - log(x)))
rel_entr = row(
    "rel_entr",
    lambda g, _o, x, y: product(g, log_ratio(x, y) + 1),
    lambda g, _o, x, y: -product(g, quotient(x, y)),
)
kl_div = row(
    "kl_div",
    lambda g, _o, x, y: product(g, log_ratio(x, y)),
    lambda g, _o, x, y: product(g, quotient(y - x, y)),
)
huber = row(
    "huber",
    lambda g, _o, delta, r: g * np.where(np.abs(r) <= delta, 0, np.abs(r) - delta),
    lambda g, _o, delta, r: g * np.where(np.abs(r) <= delta, r, delta * np.sign(r)),
)
pseudo_huber = row(
    "pseudo_huber", _pseudo_huber_dd, lambda g, _o, delta, r: g * (r / _hypot1(delta, r))
)
boxcox = row(
    "boxcox",
    lambda g, _o, x, lam: product(g, _power(x, lam - 1)),
    lambda g, _o, x, lam: g * _boxcox_dl(x, lam, log),
)
boxcox1p = row(
    "boxcox1p",
    lambda g, _o, x, lam: product(g, _power(1 + x, lam - 1)),
    lambda g, _o, x, lam: g * _boxcox_dl(1 + x, lam, lambda _: log1p_quiet(x)),
)
inv_boxcox = row(
    "inv_boxcox",
    lambda g, o, y, lam: quotient(g * o, 1 + lam * y),
    lambda g, o, y, lam: _inv_boxcox_dl(g, o - 1, y, lam),
)
inv_boxcox1p = row(
    "inv_boxcox1p", lambda g, o, y, lam: quotient(g * (o + 1), 1 + lam * y), _inv_boxcox_dl
)
