"""Bessel functions and their kin: Airy, Kelvin, Struve, Mathieu, parabolic cylinder functions.

The derivative in the argument is a recurrence between orders, or comes from the differential
equation. The derivative in the order has no such form: asking for it is an error.

Conventions: functions scaled by exp(-|x|) have a kink at 0, where |x| has derivative 0; scaled by
the real or imaginary part of a complex argument they are not holomorphic, and have no derivative.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._core.errors import DerivativeError
from .._core.primitive import Primitive
from .elementwise import product, quotient
from .scipy_rows import row, scipy_function, scipy_in_double, several
from .special import rgamma

ORDER = "its derivative in the order is an infinite series that gradarg does not have"
PARAMETER = "no formula of the derivative in this parameter is known to gradarg"


def _real_only(name: str, z: Any, scale: str) -> None:
    if z.dtype.kind == "c":
        raise DerivativeError(
            f"{name} of a complex argument is scaled by exp(-{scale}), so it is not holomorphic "
            f"and has no complex derivative. Write the unscaled function times np.exp(-{scale})."
        )


# ---- cylinder functions of any order


def _jve_dz(g: Any, _o: Any, v: Any, z: Any) -> Any:
    _real_only("jve", z, "|Im z|")
    return g * ((jve(v - 1, z) - jve(v + 1, z)) / 2)


def _yve_dz(g: Any, _o: Any, v: Any, z: Any) -> Any:
    _real_only("yve", z, "|Im z|")
    return g * ((yve(v - 1, z) - yve(v + 1, z)) / 2)


def _ive_dz(g: Any, o: Any, v: Any, z: Any) -> Any:
    _real_only("ive", z, "|Re z|")
    return g * ((ive(v - 1, z) + ive(v + 1, z)) / 2 - np.sign(z) * o)


jv: Primitive = row("jv", ORDER, lambda g, _o, v, z: product(g, (jv(v - 1, z) - jv(v + 1, z)) / 2))
yv: Primitive = row(
    "yv", ORDER, lambda g, _o, v, z: product(g, ((yv(v - 1, z) - yv(v + 1, z)) / 2))
)
iv: Primitive = row("iv", ORDER, lambda g, _o, v, z: product(g, (iv(v - 1, z) + iv(v + 1, z)) / 2))
kv: Primitive = row(
    "kv", ORDER, lambda g, _o, v, z: product(g, ((kv(v - 1, z) + kv(v + 1, z)) / -2))
)
jve: Primitive = row("jve", ORDER, _jve_dz)
yve: Primitive = row("yve", ORDER, _yve_dz)
ive: Primitive = row("ive", ORDER, _ive_dz)
kve: Primitive = row("kve", ORDER, lambda g, o, v, z: g * (o - (kve(v - 1, z) + kve(v + 1, z)) / 2))
yn = row("yn", ORDER, lambda g, _o, n, x: product(g, ((yv(n - 1, x) - yv(n + 1, x)) / 2)))
kn = row("kn", ORDER, lambda g, _o, n, x: product(g, ((kv(n - 1, x) + kv(n + 1, x)) / -2)))
hankel1: Primitive = row(
    "hankel1", ORDER, lambda g, _o, v, z: g * ((hankel1(v - 1, z) - hankel1(v + 1, z)) / 2)
)
hankel2: Primitive = row(
    "hankel2", ORDER, lambda g, _o, v, z: g * ((hankel2(v - 1, z) - hankel2(v + 1, z)) / 2)
)
hankel1e: Primitive = row(
    "hankel1e",
    ORDER,
    lambda g, o, v, z: g * ((hankel1e(v - 1, z) - hankel1e(v + 1, z)) / 2 - 1j * o),
)
hankel2e: Primitive = row(
    "hankel2e",
    ORDER,
    lambda g, o, v, z: g * ((hankel2e(v - 1, z) - hankel2e(v + 1, z)) / 2 + 1j * o),
)

# ---- of order 0 and 1


def _y1_slope(x: Any) -> Any:
    """(y0 - y2) / 2; at 0, where both are -inf, y2 is the greater."""
    zero = x == 0
    w = np.where(zero, 1, x)
    return np.where(zero, math.inf, (y0(w) - yn(2, w)) / 2)


j0: Primitive = row("j0", lambda g, _o, x: -g * j1(x))
j1: Primitive = row("j1", lambda g, _o, x: g * ((j0(x) - jv(2, x)) / 2))
y0: Primitive = row("y0", lambda g, _o, x: product(g, -y1(x)))
y1: Primitive = row("y1", lambda g, _o, x: product(g, _y1_slope(x)))
i0: Primitive = row("i0", lambda g, _o, x: g * i1(x))
i1: Primitive = row("i1", lambda g, _o, x: g * ((i0(x) + iv(2, x)) / 2))
k0: Primitive = row("k0", lambda g, _o, x: product(g, -k1(x)))
k1: Primitive = row("k1", lambda g, _o, x: product(g, (k0(x) + kn(2, x)) / -2))
i0e: Primitive = row("i0e", lambda g, o, x: g * (i1e(x) - np.sign(x) * o))
i1e: Primitive = row("i1e", lambda g, o, x: g * ((i0e(x) + ive(2, x)) / 2 - np.sign(x) * o))
k0e: Primitive = row("k0e", lambda g, o, x: g * (o - k1e(x)))
k1e: Primitive = row("k1e", lambda g, o, x: g * (o - (k0e(x) + kve(2, x)) / 2))


def _besselpoly_da(g: Any, _o: Any, a: Any, power: Any, v: Any) -> Any:
    return g * (besselpoly(a, power + 1, v - 1) - besselpoly(a, power + 1, v + 1))


besselpoly: Primitive = row("besselpoly", _besselpoly_da, PARAMETER, ORDER)

# ---- Struve functions


def _struve_term(v: Any, x: Any) -> Any:
    return (x / 2) ** v * (rgamma(np.asarray(v + 1.5, x.dtype)) / math.sqrt(math.pi))


def _struve_slope(v: Any, x: Any, function: Any, sign: int) -> Any:
    """(H_(v-1) - H_(v+1) + term) / 2; H_(-1) is term - H_1, whose derivatives exist at 0 too."""
    upper, term, zero = sign * function(v + 1, x), _struve_term(v, x), v == 0
    lower = np.where(zero, term + upper, function(v - 1 + zero, x))
    return (lower + upper + term) / 2


def _over_x(x: Any, f: Any, ratio: Any, first: float) -> Any:
    """f(x) / x, near 0 by the series in x**2 whose terms grow by ratio(k) * x**2."""
    near = np.abs(x) < 1
    u, series, term = np.where(near, x, 0), 0.0, first
    for k in range(1, 13):
        series, term = series + term, term * (ratio(k) * (u * u))
    w = np.where(near, 1, x)
    return np.where(near, series, f(w) / w)


struve: Primitive = row("struve", ORDER, lambda g, _o, v, x: g * _struve_slope(v, x, struve, -1))
modstruve: Primitive = row(
    "modstruve", ORDER, lambda g, _o, v, x: g * _struve_slope(v, x, modstruve, 1)
)
itstruve0 = row("itstruve0", lambda g, _o, x: g * struve(0, x))
itmodstruve0 = row("itmodstruve0", lambda g, _o, x: g * modstruve(0, x))
it2struve0 = row(
    "it2struve0",
    lambda g, _o, x: (
        -g * _over_x(x, lambda x: struve(0, x), lambda k: -((2 * k + 1) ** -2), 2 / math.pi)
    ),
)

# ---- Kelvin functions: both parts of x**2 y'' + x y' = i x**2 y


def _second(x: Any, slope: Any, other: Any) -> Any:
    """-slope / x + other; at 0 slope / x is other / 2 for the functions that are regular there."""
    zero = x == 0
    return np.where(zero, other / 2, other - slope / np.where(zero, 1, x))


ber: Primitive = row("ber", lambda g, _o, x: g * berp(x))
bei: Primitive = row("bei", lambda g, _o, x: g * beip(x))
ker: Primitive = row("ker", lambda g, _o, x: g * kerp(x))
kei: Primitive = row("kei", lambda g, _o, x: g * keip(x))
berp: Primitive = row("berp", lambda g, o, x: g * _second(x, o, -bei(x)))
beip: Primitive = row("beip", lambda g, o, x: g * _second(x, o, ber(x)))
kerp: Primitive = row("kerp", lambda g, o, x: g * -(quotient(o, x) + kei(x)))
keip: Primitive = row("keip", lambda g, o, x: g * (ker(x) - quotient(o, x)))


def _kelvin_slopes(o: Any, x: Any) -> Any:
    be, ke, bep, kep = o
    return bep, kep, _second(x, bep, 1j * be), 1j * ke - kep / x


kelvin = several("kelvin", scipy_function("kelvin"), _kelvin_slopes)

# ---- Airy functions: y'' = x y


def _airye_slopes(o: Any, x: Any) -> Any:
    ai, aip, bi, bip = o
    _real_only("airye", x, "|Re(2/3 z sqrt(z))|")
    root = np.sqrt(np.where(x > 0, x, np.nan))  # Ai is scaled for x >= 0 alone
    rising = np.sqrt(np.where(x > 0, x, 0))
    return aip + root * ai, x * ai + root * aip, bip - rising * bi, x * bi - rising * bip


def _airy_slopes(o: Any, x: Any) -> Any:
    return o[1], product(x, o[0]), o[3], product(x, o[2])


def _itairy_slopes(_o: Any, x: Any) -> Any:
    ai, _, bi, _ = airy(x)
    left, _, right, _ = airy(-x)
    return ai, bi, left, right


airy: Primitive = several("airy", scipy_function("airy"), _airy_slopes)
airye = several("airye", scipy_function("airye"), _airye_slopes)
itairy = several("itairy", scipy_function("itairy"), _itairy_slopes)

# ---- integrals of Bessel functions


iti0k0 = several("iti0k0", scipy_function("iti0k0"), lambda _o, x: (i0(x), k0(x)))
itj0y0 = several("itj0y0", scipy_function("itj0y0"), lambda _o, x: (j0(x), y0(x)))


def _it2_slope(x: Any, f: Any, sign: int) -> Any:
    """sign * (f(x) - 1) / x for f = i0 or j0."""
    return x * _over_x(x, lambda x: sign * (f(x) - 1) / x, lambda k: sign / (2 * k + 2) ** 2, 0.25)


it2i0k0 = several(
    "it2i0k0", scipy_function("it2i0k0"), lambda _o, x: (_it2_slope(x, i0, 1), -k0(x) / x)
)
it2j0y0 = several(
    "it2j0y0", scipy_function("it2j0y0"), lambda _o, x: (_it2_slope(x, j0, -1), -y0(x) / x)
)

# ---- solutions of other wave equations, each with its derivative as the second output


def _weber_slopes(shift: float, sign: int) -> Any:
    return lambda o, v, x: (o[1], (x * x / 4 + sign * (v + shift)) * o[0])


pbdv = several("pbdv", scipy_function("pbdv"), ORDER, _weber_slopes(0.5, -1))
pbvv = several("pbvv", scipy_function("pbvv"), ORDER, _weber_slopes(0.5, -1))
pbwa = several(
    "pbwa", scipy_function("pbwa"), PARAMETER, lambda o, a, x: (o[1], (a - x * x / 4) * o[0])
)

# ---- Mathieu and spheroidal functions, by their differential equations

VALUE = "the derivative of a characteristic value is not known to gradarg"


def _characteristic(name: str, *args: Any) -> Any:
    """The value of a row of numbers, which is a number if they are: it promotes weakly."""
    value = CHARACTERISTIC[name](*args)
    return float(value) if all(isinstance(a, (int, float)) for a in args) else value


def _mathieu(name: str, value: str, modified: bool) -> Primitive:
    """y'' = -(a - 2 q cos(2 x)) y with x in degrees; modified y'' = (a - 2 q cosh(2 x)) y."""

    def slopes(o: Any, m: Any, q: Any, x: Any) -> Any:
        a = _characteristic(value, m, q)
        if modified:
            return o[1], (a - 2 * q * np.cosh(2 * x)) * o[0]
        scale = math.pi / 180
        return scale * o[1], -scale * (a - 2 * q * np.cos(2 * scale * x)) * o[0]

    return several(name, scipy_function(name), ORDER, PARAMETER, slopes)


def _spheroidal(name: str, value: str, given: bool, radial: bool) -> Primitive:
    """(1 - x**2) y'' = 2 x y' - (v - c**2 x**2 - m**2 / (1 - x**2)) y, with i c if oblate.

    The radial oblate function has i x in the place of x.
    """

    def slopes(o: Any, m: Any, n: Any, c: Any, *rest: Any) -> Any:
        v, x = rest if given else (_characteristic(value, m, n, c), rest[0])
        cc, edge = c * c * (x * x), 1 - x * x
        if value == "obl_cv" and radial:
            edge = 1 + x * x
            return o[1], ((v - cc - m * m / edge) * o[0] - 2 * x * o[1]) / edge
        if value == "obl_cv":
            cc = -cc
        return o[1], (2 * x * o[1] - (v - cc - m * m / edge) * o[0]) / edge

    reasons = [ORDER, ORDER, PARAMETER, *([VALUE] if given else [])]
    return several(name, scipy_in_double(name), *reasons, slopes)


CHARACTERISTIC: dict[str, Primitive] = {
    name: row(name, *[VALUE] * count)
    for name, count in (("mathieu_a", 2), ("mathieu_b", 2), ("pro_cv", 3), ("obl_cv", 3))
}
WAVES: dict[str, Primitive] = {
    **{
        f"mathieu_{kind}{end}": _mathieu(f"mathieu_{kind}{end}", value, kind.startswith("mod"))
        for kind, value, ends in (
            ("cem", "mathieu_a", ("",)),
            ("sem", "mathieu_b", ("",)),
            ("modcem", "mathieu_a", "12"),
            ("modsem", "mathieu_b", "12"),
        )
        for end in ends
    },
    **{
        f"{form}_{kind}{end}": _spheroidal(
            f"{form}_{kind}{end}", f"{form}_cv", end == "_cv", kind != "ang1"
        )
        for form in ("pro", "obl")
        for kind in ("ang1", "rad1", "rad2")
        for end in ("", "_cv")
    },
}

# ---- spherical Bessel functions


def _spherical(name: str, before: int, after: int) -> Primitive:
    """f_n' = (before * n f_(n-1) + after * (n + 1) f_(n+1)) / (2 n + 1)."""

    def rule(g: Any, _o: Any, n: Any, z: Any) -> Any:
        down = np.maximum(n - 1, 0) if hasattr(n, "dtype") else max(n - 1, 0)
        lower = before * n * primitive(down, z)
        return g * ((lower + after * (n + 1) * primitive(n + 1, z)) / (2 * n + 1))

    primitive = row(name, ORDER, rule)
    return primitive


spherical_jn = _spherical("spherical_jn", 1, -1)
spherical_yn = _spherical("spherical_yn", 1, -1)
spherical_in = _spherical("spherical_in", 1, 1)
spherical_kn = _spherical("spherical_kn", -1, -1)
