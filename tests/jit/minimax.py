"""Where the coefficients of the vector math come from: minimax polynomials by Remez exchange.

    python -m tests.jit.minimax > src/gradarg/_jit/vector_math/coefficients.py

Each polynomial minimises the greatest weighted error over its interval. Its coefficients are then
rounded one after the other, lowest first, and those that remain are fitted anew each time where
that is better: so the small ones make good what rounding does to the large ones.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import mpmath
import numpy as np
from mpmath import mp, mpf

Real = Callable[[Any], Any]


@dataclass(frozen=True)
class Polynomial:
    """sum c[k] z**k close to f(z): |weight(z) * (f(z) - sum)| is least over low <= z <= high."""

    f: Real
    weight: Real
    low: Any
    high: Any
    degrees: dict[int, int]  # by the bits of the type, 32 or 64
    about: str
    error: dict[int, float] = field(default_factory=lambda: {32: 2.0**-26, 64: 2.0**-55})


def grid(polynomial: Polynomial, count: int) -> list[Any]:
    """Chebyshev points of the interval, so denser at its ends; none is 0."""
    low, high = mpf(polynomial.low), mpf(polynomial.high)
    angles = [(mpf(i) + mpf("0.4987")) / count for i in range(count)]
    return [(low + high) / 2 - (high - low) / 2 * mpmath.cos(mpmath.pi * a) for a in angles]


def exchange(basis: Any, values: Any, weights: Any) -> tuple[Any, Any]:
    """The coefficients of least greatest error on the grid, and the error that they leave."""
    count, terms = basis.shape
    chosen = np.linspace(0, count - 1, terms + 1).round().astype(int)
    best = None
    for _ in range(40):
        system = mpmath.matrix(terms + 1, terms + 1)
        right = mpmath.matrix(terms + 1, 1)
        for row, i in enumerate(chosen):
            for k in range(terms):
                system[row, k] = basis[i, k] * weights[i]
            system[row, terms] = (-1) ** row
            right[row] = values[i] * weights[i]
        solution = mpmath.lu_solve(system, right)
        coefficients = np.array(list(solution)[:terms], object)
        error = weights * (values - basis @ coefficients)
        greatest = max(abs(error))
        if best is None or greatest < best[1]:
            best = coefficients, greatest
        if greatest <= abs(solution[terms]) * mpf("1.001"):
            break
        chosen = extremes(error, terms + 1)
        if len(chosen) < terms + 1:
            break
    return best


def extremes(error: Any, count: int) -> Any:
    """The places of the greatest errors whose signs alternate."""
    places: list[int] = []
    for i, e in enumerate(error):
        if places and (error[places[-1]] > 0) == (e > 0):
            if abs(e) > abs(error[places[-1]]):
                places[-1] = i
        else:
            places.append(i)
    while len(places) > count:
        if len(places) - count >= 2:
            smallest = min(range(len(places)), key=lambda k: abs(error[places[k]]))
        else:
            smallest = 0 if abs(error[places[0]]) < abs(error[places[-1]]) else len(places) - 1
        del places[smallest]
        for k in range(len(places) - 1, 0, -1):
            if (error[places[k]] > 0) == (error[places[k - 1]] > 0):
                worse = k if abs(error[places[k]]) < abs(error[places[k - 1]]) else k - 1
                del places[worse]
    return np.array(places)


def fit(polynomial: Polynomial, bits: int) -> tuple[list[float], Any]:
    """The rounded coefficients for a type of so many bits, and the greatest weighted error."""
    degree = polynomial.degrees[bits]
    points = grid(polynomial, 16 * (degree + 2))
    z = np.array(points, object)
    values = np.array([polynomial.f(p) for p in points], object)
    weights = np.array([abs(polynomial.weight(p)) for p in points], object)
    powers = np.stack([z**k for k in range(degree + 1)], axis=1)
    coefficients, _ = exchange(powers, values, weights)

    def error(rest: Any, k: int) -> Any:
        return max(abs(weights * (values - powers[:, k:] @ rest)))

    rounded = []
    for k in range(degree + 1):
        rounded.append(nearest(coefficients[0], bits))
        values = values - powers[:, k] * mpf(rounded[-1])
        coefficients = coefficients[1:]
        if k < degree:
            fitted, greatest = exchange(powers[:, k + 1 :], values, weights)
            if greatest < error(coefficients, k + 1):
                coefficients = fitted
    return rounded, max(abs(weights * values))


def nearest(x: Any, bits: int) -> float:
    return float(np.float32(float(x))) if bits == 32 else float(x)


# ------------------------------------------------------------------------------ the polynomials


def _exp(r: Any) -> Any:
    return (mpmath.expm1(r) - r) / r**2


def _log(z: Any) -> Any:
    s = mpmath.sqrt(z)
    return (2 * mpmath.atanh(s) / s - 2) / z


def _pow(z: Any) -> Any:
    s = mpmath.sqrt(z)
    return (mpmath.atanh(s) / s - 1 - z / 3) / z**2


def _log1p(y: Any) -> Any:
    return (mpmath.log1p(y) - y) / y**2


def _sin(z: Any) -> Any:
    r = mpmath.sqrt(z)
    return (mpmath.sin(r) / r - 1) / z


def _cos(z: Any) -> Any:
    return (mpmath.cos(mpmath.sqrt(z)) - 1 + z / 2) / z**2


def _sinh(z: Any) -> Any:
    r = mpmath.sqrt(z)
    return (mpmath.sinh(r) / r - 1) / z


def _erf(z: Any) -> Any:
    x = mpmath.sqrt(z)
    return mpmath.erf(x) / x - 1


ERFCX_CENTRE = mpf(2)


def erfcx(x: Any) -> Any:
    if x < 20:
        return mpmath.exp(x * x) * mpmath.erfc(x)
    return mpmath.exp(x * x + mpmath.log(mpmath.erfc(x))) if x < 100 else _erfcx_far(x)


def _erfcx_far(x: Any) -> Any:
    """1 / (x sqrt(pi)) * (1 - 1 / (2 x^2) + 3 / (4 x^4) - ...), DLMF 7.12.1."""
    total = term = mpf(1)
    for k in range(1, 12):
        term *= -(2 * k - 1) / (2 * x * x)
        total += term
    return total / (x * mpmath.sqrt(mpmath.pi))


def _erfcx(t: Any) -> Any:
    x = ERFCX_CENTRE * (1 + t) / (1 - t)
    return erfcx(x) * (1 + 2 * x) - 1


def _erfc_of_erf(t: Any) -> Any:
    """How much of erf(x) = 1 - erfc(x) an error of erfcx is."""
    x = ERFCX_CENTRE * (1 + t) / (1 - t)
    return mpmath.erfc(x) / mpmath.erf(x) / (1 + _erfcx(t))


def _atan(z: Any) -> Any:
    x = mpmath.sqrt(z)
    return (mpmath.atan(x) / x - 1) / z


def _asin(z: Any) -> Any:
    x = mpmath.sqrt(z)
    return (mpmath.asin(x) / x - 1) / z


def _asinh(z: Any) -> Any:
    x = mpmath.sqrt(z)
    return (mpmath.asinh(x) / x - 1) / z


def polynomials() -> dict[str, Polynomial]:
    half_log2, quarter_pi = mpmath.log(2) / 2, mpmath.pi / 4
    most = (mpmath.sqrt(2) - 1) / (mpmath.sqrt(2) + 1)  # s = f / (2 + f) at m = sqrt(2)
    eighth = mpmath.tan(mpmath.pi / 8)
    start = mpf("0.45")
    return {
        "EXP": Polynomial(
            _exp,
            lambda r: r**2 / mpmath.expm1(r),
            -half_log2 * mpf("1.001"),
            half_log2 * mpf("1.001"),
            {32: 4, 64: 9},
            "(e^r - 1 - r) / r^2, |r| <= log(2) / 2",
        ),
        "LOG": Polynomial(
            _log,
            lambda z: z,
            0,
            most**2,
            {32: 2, 64: 6},
            "(2 atanh(s) / s - 2) / s^2 in s^2, |s| <= (sqrt(2) - 1) / (sqrt(2) + 1)",
        ),
        "LOG1P": Polynomial(
            _log,
            lambda z: z,
            0,
            mpf(1) / 9 * mpf("1.0001"),
            {32: 4, 64: 10},
            "the same for |s| <= 1 / 3",
        ),
        "LOG1P_OF_UNIT": Polynomial(
            _log1p,
            lambda y: y**2 / mpmath.log1p(y),
            0,
            mpf(1),
            {32: 8},
            "(log(1 + y) - y) / y^2, 0 <= y <= 1",
        ),
        "POW": Polynomial(
            _pow,
            lambda z: z**2,
            0,
            most**2,
            {32: 2, 64: 7},
            "(atanh(s) / s - 1 - s^2 / 3) / s^4 in s^2, |s| as above",
        ),
        "SIN": Polynomial(
            _sin,
            lambda z: z,
            0,
            quarter_pi**2 * mpf("1.001"),
            {32: 2, 64: 5},
            "(sin(r) / r - 1) / r^2 in r^2, |r| <= pi / 4",
        ),
        "SIN_WIDE": Polynomial(
            _sin,
            lambda z: z / (mpmath.sin(mpmath.sqrt(z)) / mpmath.sqrt(z)),
            0,
            (mpmath.pi / 2) ** 2 * mpf("1.001"),
            {32: 4},
            "the same for |r| <= pi / 2",
        ),
        "COS": Polynomial(
            _cos,
            lambda z: z**2,
            0,
            quarter_pi**2 * mpf("1.001"),
            {32: 2, 64: 5},
            "(cos(r) - 1 + r^2 / 2) / r^4 in r^2, |r| <= pi / 4",
        ),
        "SINH": Polynomial(
            _sinh,
            lambda z: z / (1 + z / 6),
            0,
            mpf(1),
            {32: 3, 64: 7},
            "(sinh(x) / x - 1) / x^2 in x^2, |x| <= 1",
        ),
        "ERF": Polynomial(
            _erf,
            lambda z: mpmath.sqrt(z) / mpmath.erf(mpmath.sqrt(z)),
            0,
            mpf(1),
            {32: 6, 64: 11},
            "erf(x) / x - 1 in x^2, |x| <= 1",
        ),
        "ERFCX": Polynomial(
            _erfcx,
            lambda t: 1 / (1 + _erfcx(t)),
            (start - ERFCX_CENTRE) / (start + ERFCX_CENTRE),
            mpf("0.99999"),
            {32: 10, 64: 25},
            f"erfcx(x) (1 + 2 x) - 1 in t = (x - {int(ERFCX_CENTRE)}) / (x + {int(ERFCX_CENTRE)}), "
            f"x >= {start}",
        ),
        "ERFCX_FAR": Polynomial(
            _erfcx,
            _erfc_of_erf,
            (1 - ERFCX_CENTRE) / (1 + ERFCX_CENTRE),
            (6 - ERFCX_CENTRE) / (6 + ERFCX_CENTRE),
            {32: 4, 64: 12},
            "the same as far as erf feels it, 1 <= x <= 6",
        ),
        "ATAN": Polynomial(
            _atan,
            lambda z: z,
            0,
            eighth**2 * mpf("1.001"),
            {32: 4, 64: 10},
            "(atan(x) / x - 1) / x^2 in x^2, |x| <= tan(pi / 8)",
        ),
        "ASIN": Polynomial(
            _asin,
            lambda z: z,
            0,
            mpf("0.25"),
            {32: 4, 64: 11},
            "(asin(x) / x - 1) / x^2 in x^2, |x| <= 1 / 2",
        ),
        "ASINH": Polynomial(
            _asinh,
            lambda z: z,
            0,
            mpf("0.25"),
            {32: 5, 64: 13},
            "(asinh(x) / x - 1) / x^2 in x^2, |x| <= 1 / 2",
        ),
        "INVERSE_CBRT": Polynomial(
            lambda f: (1 + f) ** (-mpf(1) / 3),
            lambda f: (1 + f) ** (mpf(1) / 3),
            mpmath.sqrt(mpf("0.5")) - mpf("1.001"),
            mpmath.sqrt(mpf(2)) - mpf("0.999"),
            {32: 4, 64: 6},
            "(1 + f)^(-1/3), 1 + f from sqrt(1/2) to sqrt(2): a first guess, refined",
            {32: 2.0**-14, 64: 2.0**-20},
        ),
    }


def main() -> None:
    mp.dps = 60
    print(HEADER)
    for name, polynomial in polynomials().items():
        print(f"# {polynomial.about}.\n{name} = {{")
        for bits in polynomial.degrees:
            coefficients, error = fit(polynomial, bits)
            print(f"    # The greatest error is 2**{mpmath.nstr(mpmath.log(error, 2), 3)}.")
            print(f"    {bits}: (")
            for c in coefficients:
                print(f"        {c!r},")
            print("    ),")
        print("}")


HEADER = '''\
"""Minimax polynomials for the vector math: c[0] + c[1] z + ..., by the bits of the type.

Generated by `python -m tests.jit.minimax`; the errors are relative to what each helps to compute.
"""
'''

if __name__ == "__main__":
    main()
