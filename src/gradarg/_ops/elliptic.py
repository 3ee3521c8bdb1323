"""Elliptic integrals and functions.

All of them are integrals of one form (Carlson, Numerical Algorithms 10, 1995),

    C(z; p, b) = integral over t > 0 of t**p * product of (t + z[i])**-b[i] dt,

whose derivatives have the same form: dC/dz[i] = -b[i] C with b[i] + 1. So those of any order
are exact, also where the textbook formulas divide 0 by 0 (at m = 0, or where two z are equal).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from .._core.primitive import Primitive, elementwise
from .elementwise import product, quotient
from .quadrature import NEGLIGIBLE, trapezoid
from .scipy_rows import in_double, row, scipy_function, several


@in_double
def _carlson(*z: Any, power: float, exponents: Sequence[float]) -> Any:
    flat = [np.ravel(x) for x in z]
    sizes = np.abs(np.stack(flat))
    positive = np.where(sizes > 0, sizes, np.nan)
    zeros = sum(np.where(x == 0, b, 0.0) for x, b in zip(sizes, exponents))
    rise, fall = power + 1 - zeros, sum(exponents) - power - 1
    with np.errstate(all="ignore"):
        low = np.log(np.fmin.reduce(positive, axis=0)) - NEGLIGIBLE / rise
        high = np.log(np.fmax.reduce(positive, axis=0)) + NEGLIGIBLE / fall

    def integrand(w: Any, *z: Any) -> Any:
        t, out = np.exp(w), np.exp(w * (power + 1))
        for x, b in zip(z, exponents):
            out = out * (t + x) ** -b
        return out

    found = trapezoid(integrand, low, high, 384, *flat)
    negative = np.any([(np.imag(x) == 0) & (np.real(x) < 0) for x in flat], axis=0)
    found = np.where(negative, np.nan, np.where(rise > 0, found, np.inf))
    return found.reshape(np.shape(z[0]))


def _carlson_rule(
    i: int, g: Any, _o: Any, *z: Any, power: float, exponents: tuple[float, ...]
) -> Any:
    raised = tuple(b + (k == i) for k, b in enumerate(exponents))
    return g * (-exponents[i] * carlson(*z, power=power, exponents=raised))


carlson: Primitive = elementwise(
    "carlson", _carlson, *(partial(_carlson_rule, i) for i in range(4))
)


def _symmetric(name: str, scale: float, power: float, *exponents: float) -> Primitive:
    """scale times Carlson's integral; the rules of all arguments."""

    def rule(i: int, g: Any, _o: Any, *z: Any) -> Any:
        raised = tuple(b + (k == i) for k, b in enumerate(exponents))
        slope = -exponents[i] * scale * carlson(*z, power=power, exponents=raised)
        return product(g, slope)

    return row(name, *(partial(rule, i) for i in range(len(exponents))))


def _elliprg_rule(i: int, g: Any, _o: Any, *z: Any) -> Any:
    exponents = tuple(0.5 + (k == i) for k in range(3))
    return product(g, carlson(*z, power=1, exponents=exponents) / 8)


elliprc = _symmetric("elliprc", 0.5, 0, 0.5, 1)
elliprf = _symmetric("elliprf", 0.5, 0, 0.5, 0.5, 0.5)
elliprd = _symmetric("elliprd", 1.5, 0, 0.5, 0.5, 1.5)
elliprj = _symmetric("elliprj", 1.5, 0, 0.5, 0.5, 0.5, 1)
elliprg = row("elliprg", *(partial(_elliprg_rule, i) for i in range(3)))

# ---- Legendre's integrals: of sin(u)**(2 j) * (1 - m sin(u)**2)**r over u, up to phi or to pi / 2


def _complete(m: Any, j: int, r: float) -> Any:
    return carlson(1 - m, 1 + 0 * m, power=-0.5, exponents=(-r, j + 1 + r)) / 2


def _complete_from_1(p: Any, j: int, r: float) -> Any:
    return carlson(p, 1 + 0 * p, power=-0.5, exponents=(-r, j + 1 + r)) / 2


@in_double
def _incomplete(phi: Any, m: Any, j: int, r: float) -> Any:
    turns = np.rint(phi / math.pi)
    inner = phi - turns * math.pi
    s = np.sin(inner)
    z = np.cos(inner) ** 2, 1 - m * s * s, np.ones_like(m)
    part = _carlson(*z, power=0, exponents=(0.5, -r, j + 1 + r))
    return s ** (2 * j + 1) * part / 2 + np.where(turns == 0, 0, 2 * turns * _complete(m, j, r))


def _incomplete_dphi(g: Any, _o: Any, phi: Any, m: Any, j: int, r: float) -> Any:
    s = np.sin(phi)
    return g * (s ** (2 * j) * (1 - m * s * s) ** r)


def _incomplete_dm(g: Any, _o: Any, phi: Any, m: Any, j: int, r: float) -> Any:
    return g * (-r * legendre_integral(phi, m, j=j + 1, r=r - 1))


legendre_integral: Primitive = elementwise(
    "legendre_integral", _incomplete, _incomplete_dphi, _incomplete_dm
)
ellipk = row("ellipk", lambda g, _o, m: g * (_complete(m, 1, -1.5) / 2))
ellipkm1 = row("ellipkm1", lambda g, _o, p: g * (_complete_from_1(p, 1, -1.5) / -2))
ellipe = row("ellipe", lambda g, _o, m: product(g, _complete(m, 1, -0.5) / -2))
ellipkinc = row(
    "ellipkinc",
    lambda g, _o, phi, m: quotient(g, np.sqrt(1 - m * np.sin(phi) ** 2)),
    lambda g, _o, phi, m: g * (legendre_integral(phi, m, j=1, r=-1.5) / 2),
)
ellipeinc = row(
    "ellipeinc",
    lambda g, _o, phi, m: g * np.sqrt(1 - m * np.sin(phi) ** 2),
    lambda g, _o, phi, m: product(g, legendre_integral(phi, m, j=1, r=-0.5) / -2),
)


def _mean_slope(o: Any, a: Any, b: Any) -> Any:
    """With agm = pi / 2 / the integral of 1 / sqrt(a**2 cos**2 + b**2 sin**2)."""
    slope = carlson(a * a, b * b, power=-0.5, exponents=(1.5, 0.5))
    return o * o * (a / math.pi) * slope * (np.sign(a) * np.sign(o))


agm = row(
    "agm",
    lambda g, o, a, b: product(g, _mean_slope(o, a, b)),
    lambda g, o, a, b: product(g, _mean_slope(o, b, a)),
)

# ---- Jacobi's functions


def _ellipj_du(o: Any, _u: Any, m: Any) -> Any:
    sn, cn, dn, _ = o
    return cn * dn, -sn * dn, -m * (sn * cn), dn


def _ellipj_dm(o: Any, _u: Any, m: Any) -> Any:
    sn, cn, dn, phi = o
    slope = -dn * legendre_integral(phi, m, j=1, r=-1.5) / 2
    ds = cn * slope
    return ds, -sn * slope, -(sn * sn + 2 * m * sn * ds) / (2 * dn), slope


ellipj = several("ellipj", scipy_function("ellipj"), _ellipj_du, _ellipj_dm)
