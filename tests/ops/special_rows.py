"""Every name of `ga.special` in mpmath, and the points where the two are compared.

An argument written as an `int` is one in which there is no derivative: a whole number, or an end
of the domain.
"""

from typing import Any

import mpmath as mp
import numpy as np
import scipy.special

import gradarg as ga
from tests.ops.special_references import (
    Row,
    airy,
    airye,
    bessel_integrals,
    besselpoly,
    bessely,
    betainc,
    betaincc,
    binomial,
    chi_square,
    derivative,
    faddeeva,
    fisher,
    gamma_law,
    gammainc,
    gammaincc,
    given_value,
    hankel,
    inverse,
    inverse_tukey,
    ive,
    jacobi_elliptic,
    kelvin,
    kelvin_of,
    kelvin_slope,
    kolmogorov,
    kve,
    log_ndtr,
    log_tail,
    mathieu,
    mathieu_wave,
    modified_fresnel,
    modified_mathieu,
    negative_binomial,
    over_t,
    owens,
    row,
    second_kind,
    shifted_fisher,
    shifted_student,
    smirnov,
    spherical,
    spheroidal,
    spheroidal_angle,
    spheroidal_radius,
    struve_integral,
    student,
    voigt,
    with_slope,
    wright,
)

HALF = mp.mpf(1) / 2
quantile = inverse("ndtri", mp.ncdf, 0)


def stacked(f: Any, **options: Any) -> Any:
    return lambda *xs: f(np.stack(xs), axis=0, **options)


def shares(*xs: Any) -> Any:
    total = mp.fsum(map(mp.exp, xs))
    return tuple(mp.exp(x) / total for x in xs)


def cv(form: str, m: int, n: int, c: float) -> float:
    return float(getattr(scipy.special, f"{form}_cv")(m, n, c))


ROWS: dict[str, Row] = {
    # ---- error functions
    "erf": row(mp.erf, 0.0, 1e-9, -0.7, 5.5),
    "erfc": row(mp.erfc, 0.3, 9.0, -4.0, 26.0),
    "erfcx": row(lambda x: mp.exp(x * x) * mp.erfc(x), -3.0, 0.2, 7.9, 8.1, 100.0, 1e6),
    "erfi": row(mp.erfi, 0.3, -3.0, 1e-9, 20.0),
    "erfinv": row(mp.erfinv, 0.0, 0.3, -0.999, 1 - 1e-10),
    "erfcinv": row(lambda y: mp.erfinv(1 - y), 0.3, 1.9, 1e-25),
    "dawsn": row(
        lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x), 0.0, 0.9, -7.9, 8.2, 300.0
    ),
    "wofz": row(faddeeva, 0.0, 0.7, -3.0, 12.0),
    "ndtr": row(mp.ncdf, 0.4, -9.0, 5.0, -37.0),
    "log_ndtr": row(log_ndtr, 0.3, -5.0, -100.0, -1e4, 6.0),
    "ndtri": row(quantile, 0.3, 1e-10, 0.999, 1e-200),
    "ndtri_exp": row(inverse("ndtri_exp", log_ndtr, 0), -0.3, -1e-3, -30.0, -500.0),
    # ---- the gamma family
    "gamma": row(mp.gamma, 0.3, 5.5, -2.3, 1e-8, 150.0, -0.9999),
    "gammaln": row(lambda x: mp.log(abs(mp.gamma(x))), 0.3, 5.5, -2.3, 1e-8, 1e6),
    "loggamma": row(mp.loggamma, 0.3, 5.5, 1e-8, 1e6),
    "rgamma": row(mp.rgamma, 0.0, -1.0, -4.0, 0.3, -2.5, 7.0),
    "gammasgn": row(lambda x: mp.sign(mp.gamma(x)), 0.3, -0.7, -1.5),
    "psi": row(mp.digamma, 0.3, 40.0, -2.3, 1e-6),
    "digamma": row(mp.digamma, 0.7, 1e8, -11.7),
    "polygamma": row(mp.polygamma, (0, 0.7), (1, 2.3), (3, 0.4), (5, 30.0), (2, 1e-3)),
    "multigammaln": row(
        lambda a: 3 * mp.log(mp.pi) / 2 + sum(mp.loggamma(a - j * HALF) for j in range(3)),
        2.3,
        1.01,
        500.0,
        call=lambda a: ga.special.multigammaln(a, 3),
    ),
    "beta": row(mp.beta, (0.7, 2.3), (20.0, 0.1), (30.0, 0.1), (1e-3, 5.0)),
    "betaln": row(
        lambda a, b: mp.log(mp.beta(a, b)), (1.0, 1e6), (0.3, 40.0), (1e5, 17.0), (0.7, 2.3)
    ),
    "poch": row(mp.rf, (0.7, 2.3), (-3.3, 2.0), (40.0, 0.5), (-3.0, 2), (-1.0, 3)),
    "binom": row(mp.binomial, (5.5, 2.3), (4.0, 2.0), (4.0, 5.0), (4.0, -1.0), (30.0, 7.5)),
    "zeta": row(mp.zeta, (2.5, 0.3), (1.01, 20.0), (9.0, 1.0)),
    "zeta of Riemann": row(mp.zeta, 2.5, 1.001, 0.5, -0.5, -3.3, -2.0, 30.0, 0.0),
    "zetac": row(lambda s: mp.zeta(s) - 1, 2.5, 1.001, 0.5, -0.5, -3.3, -2.0, 30.0, 0.0),
    # ---- incomplete gamma and beta functions
    "gammainc": row(
        gammainc,
        (0.3, 0.2),
        (2.5, 2.4),
        (2.5, 9.0),
        (1e-3, 3.0),
        (50.0, 45.0),
        (50.0, 90.0),
        (1e3, 950.0),
        (1e5, 1e5 + 200),
        (1e-3, 1e-10),
        (1.0, 0.5),
        (7.0, 0.51),
        (1e-8, 1e-3),
    ),
    "gammaincc": row(gammaincc, (2.5, 30.0), (0.1, 1.0), (50.0, 45.0)),
    "gammaincinv": row(inverse("gammaincinv", gammainc, 1), (0.3, 0.2), (2.5, 0.9), (50.0, 1e-6)),
    "gammainccinv": row(
        inverse("gammainccinv", gammaincc, 1), (0.3, 0.2), (2.5, 0.9), (50.0, 1e-20)
    ),
    "betainc": row(
        betainc,
        (0.3, 0.7, 0.2),
        (2.5, 3.5, 0.4),
        (2.5, 3.5, 0.9),
        (30.0, 40.0, 0.43),
        (30.0, 40.0, 0.6),
        (1e-3, 2.0, 0.3),
        (2.0, 1e-3, 0.3),
        (0.5, 20.0, 1e-6),
        (0.5, 0.5, 1 - 1e-9),
        (5.0, 80.0, 0.05),
        (2.0, 3e4, 1e-4),
        (200.0, 300.0, 0.41),
        (1.7e-3, 0.08, 1e-180),
        (0.6, 0.02, 1 - 1e-13),
        (6e-3, 0.01, 1.3e-6),
        (1.0, 1.0, 0.5),
    ),
    "betaincc": row(betaincc, (0.3, 0.7, 0.2), (30.0, 40.0, 0.6), (5.0, 80.0, 0.3)),
    "betaincinv": row(
        inverse("betaincinv", betainc, 2), (0.3, 0.7, 0.2), (2.5, 3.5, 0.99), (30.0, 40.0, 1e-6)
    ),
    "betainccinv": row(
        inverse("betainccinv", betaincc, 2), (0.3, 0.7, 0.2), (2.5, 3.5, 0.99), (30.0, 40.0, 1e-6)
    ),
    # ---- made of exp and log
    "cbrt": row(lambda x: mp.sign(x) * mp.cbrt(abs(x)), 0.3, -8.0, 1e-30),
    "exp2": row(lambda x: 2**x, 0.3, -40.5),
    "exp10": row(lambda x: 10**x, 0.3, -40.5),
    "expm1": row(mp.expm1, 0.3, 1e-12, -40.0),
    "exprel": row(lambda x: mp.expm1(x) / x, 1e-9, 2.5, -40.0),
    "log1p": row(mp.log1p, 0.3, 1e-12, -0.999),
    "cosm1": row(lambda x: mp.cos(x) - 1, 0.3, 1e-8, -4.0),
    "sindg": row(lambda x: mp.sin(mp.radians(x)), 0.3, 80.0, -200.0, 1e-9),
    "cosdg": row(lambda x: mp.cos(mp.radians(x)), 0.3, 80.0, -200.0),
    "tandg": row(lambda x: mp.tan(mp.radians(x)), 0.3, 89.0, -200.0),
    "cotdg": row(lambda x: mp.cot(mp.radians(x)), 0.3, 89.0, -200.0),
    "radian": row(lambda d, m, s: mp.radians(d + m / 60 + s / 3600), (30.0, 12.5, 7.0)),
    "powm1": row(lambda x, y: x**y - 1, (2.5, 0.7), (0.3, 1e-9), (1 + 1e-9, 3.0)),
    "xlogy": row(lambda x, y: x * mp.log(y), (0.7, 0.3), (1e-9, 1e9), (3.0, 1 - 1e-9)),
    "xlog1py": row(lambda x, y: x * mp.log1p(y), (0.7, 0.3), (3.0, 1e-12), (2.0, -0.999)),
    "expit": row(lambda x: 1 / (1 + mp.exp(-x)), 0.3, 45.0, -300.0),
    "log_expit": row(lambda x: -mp.log1p(mp.exp(-x)), 0.3, 45.0, -300.0),
    "logit": row(lambda p: mp.log(p / (1 - p)), 0.3, 1e-12, 1 - 1e-9, 0.5 + 1e-9),
    "softplus": row(lambda x: mp.log1p(mp.exp(x)), 0.3, 45.0, -300.0),
    "logsumexp": row(
        lambda x, y, z: mp.log(mp.fsum(map(mp.exp, (x, y, z)))),
        (0.3, -1.2, 2.0),
        (900.0, 901.0, -900.0),
        call=stacked(ga.special.logsumexp),
    ),
    "softmax": row(
        shares, (0.3, -1.2, 2.0), (900.0, 901.0, 890.0), call=stacked(ga.special.softmax)
    ),
    "log_softmax": row(
        lambda *xs: tuple(map(mp.log, shares(*xs))),
        (0.3, -1.2, 2.0),
        (900.0, 901.0, 880.0),
        call=stacked(ga.special.log_softmax),
    ),
    "entr": row(lambda x: -x * mp.log(x), 1e-12, 0.3, 40.0),
    "rel_entr": row(lambda x, y: x * mp.log(x / y), (1.0, 1 + 1e-9), (0.3, 4.0), (1e-9, 2.0)),
    "kl_div": row(lambda x, y: x * mp.log(x / y) - x + y, (1.0, 1 + 1e-9), (0.3, 4.0), scale=1.0),
    "huber": row(
        lambda d, r: r * r / 2 if abs(r) <= d else d * (abs(r) - d / 2), (2.0, 1.3), (0.5, -3.0)
    ),
    "pseudo_huber": row(
        lambda d, r: d * d * (mp.sqrt(1 + (r / d) ** 2) - 1), (2.0, 1e-3), (0.5, -30.0), (1.5, 0.7)
    ),
    "boxcox": row(lambda x, k: (x**k - 1) / k, (2.5, 1e-9), (0.3, 0.7), (40.0, -3.0)),
    "boxcox1p": row(lambda x, k: ((1 + x) ** k - 1) / k, (1.5, 1e-9), (-0.7, 0.7), (1e-9, -3.0)),
    "inv_boxcox": row(lambda y, k: (k * y + 1) ** (1 / k), (0.4, 1e-9), (0.4, 2.0)),
    "inv_boxcox1p": row(
        lambda y, k: (k * y + 1) ** (1 / k) - 1, (0.4, 1e-9), (0.4, 2.0), (1e-9, 0.7)
    ),
    "sinc": row(lambda x: mp.sincpi(x), 0.3, 1e-9, -4.5, 0.0),
    "round": row(mp.nint, 0.3, -1.7, 4.4),
    # ---- Bessel functions
    "jv": row(
        mp.besselj, (0.0, 0.0), (1.0, 0.0), (2.0, 1e-5), (1.5, 0.3), (3.0, 80.0), (40.0, 20.0)
    ),
    "jn": row(mp.besselj, (2.0, 0.3), (3.0, -5.0)),
    "yv": row(mp.bessely, (0.0, 0.1), (1.5, 3.0), (2.5, 60.0), (2.0, 1e-4)),
    "yn": row(mp.bessely, (0, 0.1), (2, 3.0), (3, 60.0)),
    "iv": row(mp.besseli, (0.0, 0.0), (2.5, 0.3), (1.0, 0.0), (3.0, -20.0), (20.0, 1.0)),
    "kv": row(mp.besselk, (0.0, 0.1), (2.5, 0.01), (1.5, 30.0)),
    "kn": row(mp.besselk, (0, 0.1), (2, 0.01), (3, 30.0)),
    "jve": row(mp.besselj, (1.5, 0.3), (3.0, 80.0)),
    "yve": row(mp.bessely, (1.5, 0.3), (3.0, 80.0)),
    "ive": row(ive, (0.0, 0.4), (2.5, 50.0), (1.0, -3.0), (2.0, 1e3)),
    "kve": row(kve, (0.5, 0.1), (2.5, 100.0), (1.0, 1e3)),
    "hankel1": row(hankel(1), (1.5, 0.3), (2.0, 60.0)),
    "hankel2": row(hankel(-1), (1.5, 0.3), (2.0, 60.0)),
    "hankel1e": row(lambda v, x: hankel(1)(v, x) * mp.expj(-x), (1.5, 0.3), (2.0, 60.0)),
    "hankel2e": row(lambda v, x: hankel(-1)(v, x) * mp.expj(x), (1.5, 0.3), (2.0, 60.0)),
    "j0": row(lambda x: mp.besselj(0, x), 0.0, 2.4, 50.0),
    "j1": row(lambda x: mp.besselj(1, x), 0.0, -2.4, 50.0),
    "y0": row(lambda x: mp.bessely(0, x), 0.01, 2.4, 50.0),
    "y1": row(lambda x: mp.bessely(1, x), 0.01, 2.4, 50.0),
    "i0": row(lambda x: mp.besseli(0, x), 0.0, -2.4, 50.0),
    "i1": row(lambda x: mp.besseli(1, x), 1e-5, -2.4, 50.0),
    "k0": row(lambda x: mp.besselk(0, x), 0.01, 2.4, 50.0),
    "k1": row(lambda x: mp.besselk(1, x), 0.01, 2.4, 50.0),
    "i0e": row(lambda x: ive(0, x), 1e-4, -2.4, 90.0),
    "i1e": row(lambda x: ive(1, x), 1e-4, -2.4, 90.0),
    "k0e": row(lambda x: kve(0, x), 0.01, 3.0, 90.0),
    "k1e": row(lambda x: kve(1, x), 0.01, 3.0, 90.0),
    "jvp": row(
        derivative(mp.besselj), (1.5, 0.3), (3.0, 40.0), call=lambda v, x: ga.special.jvp(v, x, 2)
    ),
    "yvp": row(
        derivative(mp.bessely), (1.5, 0.3), (3.0, 40.0), call=lambda v, x: ga.special.yvp(v, x, 2)
    ),
    "ivp": row(
        derivative(mp.besseli), (1.5, 0.3), (3.0, 9.0), call=lambda v, x: ga.special.ivp(v, x, 2)
    ),
    "kvp": row(second_kind, (1.5, 0.3), (3.0, 9.0), call=lambda v, x: ga.special.kvp(v, x, 2)),
    "h1vp": row(hankel(1, 2), (1.5, 0.3), (3.0, 9.0), call=lambda v, x: ga.special.h1vp(v, x, 2)),
    "h2vp": row(hankel(-1, 2), (1.5, 0.3), (3.0, 9.0), call=lambda v, x: ga.special.h2vp(v, x, 2)),
    "spherical_jn": row(spherical(mp.besselj), (0, 0.3), (3, 0.3), (2, 50.0), (1, 1e-5)),
    "spherical_yn": row(spherical(mp.bessely), (0, 0.3), (3, 0.3), (2, 50.0)),
    "spherical_in": row(spherical(mp.besseli), (0, 0.3), (3, 0.3), (2, 50.0)),
    "spherical_kn": row(spherical(mp.besselk), (0, 0.3), (3, 0.3), (2, 50.0)),
    "besselpoly": row(besselpoly, (0.7, 1.3, 0.5), (5.0, 0.0, 2.0)),
    "struve": row(mp.struveh, (1.5, 0.3), (0.0, 20.0), (2.5, 3.0), (0, 0.0), (1, 0.0)),
    "modstruve": row(mp.struvel, (1.5, 0.3), (0.0, 5.0), (2.5, 20.0), (0, 0.0), (1, 0.0)),
    "itstruve0": row(lambda x: struve_integral(x, -1), 0.3, 4.0, 25.0, value=1e-7),
    "itmodstruve0": row(lambda x: struve_integral(x, 1), 0.3, 4.0, 15.0),
    "it2struve0": row(
        lambda x: (
            mp.pi / 2
            - 2 * x / mp.pi * mp.hyper([1, HALF], [3 * HALF, 3 * HALF, 3 * HALF], -x * x / 4)
        ),
        0.0,
        0.3,
        4.0,
        25.0,
        value=1e-7,
    ),
    "iti0k0": row(lambda x: bessel_integrals(x, 1, mp.besselk, mp.struvel, 1), 0.3, 4.0, 15.0),
    "itj0y0": row(lambda x: bessel_integrals(x, -1, mp.bessely, mp.struveh, 1), 0.3, 4.0, 15.0),
    "it2i0k0": row(lambda x: (over_t(x, 1), log_tail(x)), 0.3, 4.0, 12.0, value=1e-6),
    "it2j0y0": row(
        lambda x: (over_t(x, -1), -2 / mp.pi * mp.re(log_tail(-1j * x))), 0.3, 4.0, 12.0
    ),
    "airy": row(airy, 1e-9, 0.3, -9.0, 8.0),
    "airye": row(airye, 0.3, 8.0, 100.0),
    "itairy": row(
        lambda x: (
            mp.airyai(x, derivative=-1),
            mp.airybi(x, derivative=-1),
            -mp.airyai(-x, derivative=-1),
            -mp.airybi(-x, derivative=-1),
        ),
        0.3,
        4.0,
        value=1e-5,
    ),
    "ber": row(kelvin_of(mp.ber), 0.0, 2.0, 15.0),
    "bei": row(kelvin_of(mp.bei), 0.3, 2.0, 15.0),
    "ker": row(kelvin_of(mp.ker), 0.3, 2.0, 15.0),
    "kei": row(kelvin_of(mp.kei), 0.3, 2.0, 15.0),
    "berp": row(kelvin_slope(mp.ber), 0.3, 2.0, 15.0),
    "beip": row(kelvin_slope(mp.bei), 0.3, 2.0, 15.0),
    "kerp": row(kelvin_slope(mp.ker), 0.3, 2.0, 15.0),
    "keip": row(kelvin_slope(mp.kei), 0.3, 2.0, 15.0),
    "kelvin": row(kelvin, 0.3, 2.0, 15.0),
    "pbdv": row(with_slope(mp.pcfd), (1.5, 0.3), (0.5, -1.7), (3.0, 6.0)),
    "pbvv": row(
        with_slope(lambda v, x: mp.pcfv(-v - HALF, x)), (1.5, 0.3), (0.5, -1.7), (3.0, 6.0)
    ),
    "pbwa": row(with_slope(mp.pcfw), (0.7, 0.3), (-1.5, 2.0), (0.2, 4.0)),
    # ---- Mathieu and spheroidal functions
    "mathieu_a": row(lambda m, q: mathieu(m, q, False)[0], (2, 1.5), (3, 0.4), (0, 30.0)),
    "mathieu_b": row(lambda m, q: mathieu(m, q, True)[0], (2, 1.5), (3, 0.4), (1, 30.0)),
    "mathieu_cem": row(mathieu_wave(False), (2, 1.5, 20.0), (3, 0.4, 100.0), (0, 9.0, 5.0)),
    "mathieu_sem": row(mathieu_wave(True), (2, 1.5, 20.0), (3, 0.4, 100.0), (1, 9.0, 5.0)),
    "mathieu_modcem1": row(
        modified_mathieu(False, mp.besselj), (2, 1.5, 0.3), (3, 0.4, 1.2), (0, 9.0, 0.7)
    ),
    "mathieu_modcem2": row(
        modified_mathieu(False, bessely), (2, 1.5, 0.3), (3, 0.4, 1.2), (0, 9.0, 0.7)
    ),
    "mathieu_modsem1": row(
        modified_mathieu(True, mp.besselj), (2, 1.5, 0.3), (3, 0.4, 1.2), (1, 9.0, 0.7)
    ),
    "mathieu_modsem2": row(
        modified_mathieu(True, bessely), (2, 1.5, 0.3), (3, 0.4, 1.2), (1, 9.0, 0.7)
    ),
    "pro_cv": row(lambda m, n, c: spheroidal(m, n, c * c)[0], (1, 2, 1.5), (0, 3, 6.0)),
    "obl_cv": row(lambda m, n, c: spheroidal(m, n, -c * c)[0], (1, 2, 1.5), (0, 3, 6.0)),
    "pro_ang1": row(spheroidal_angle(1), (1, 2, 1.5, 0.3), (0, 3, 6.0, -0.9)),
    "obl_ang1": row(spheroidal_angle(-1), (1, 2, 1.5, 0.3), (0, 3, 4.0, -0.9)),
    "pro_rad1": row(spheroidal_radius(1, mp.besselj), (1, 2, 1.5, 2.3), (0, 3, 6.0, 2.0)),
    "obl_rad1": row(spheroidal_radius(-1, mp.besselj), (1, 2, 1.5, 2.3), (0, 3, 4.0, 2.0)),
    "pro_rad2": row(spheroidal_radius(1, mp.bessely), (1, 2, 1.5, 2.3), (0, 3, 6.0, 2.0)),
    "obl_rad2": row(spheroidal_radius(-1, mp.bessely), (1, 2, 1.5, 2.3), (0, 3, 4.0, 2.0)),
    "pro_ang1_cv": row(given_value(spheroidal_angle(1)), (1, 2, 1.5, cv("pro", 1, 2, 1.5), 0.3)),
    "obl_ang1_cv": row(given_value(spheroidal_angle(-1)), (1, 2, 1.5, cv("obl", 1, 2, 1.5), 0.3)),
    "pro_rad1_cv": row(
        given_value(spheroidal_radius(1, mp.besselj)), (1, 2, 1.5, cv("pro", 1, 2, 1.5), 2.3)
    ),
    "obl_rad1_cv": row(
        given_value(spheroidal_radius(-1, mp.besselj)), (1, 2, 1.5, cv("obl", 1, 2, 1.5), 2.3)
    ),
    "pro_rad2_cv": row(
        given_value(spheroidal_radius(1, mp.bessely)), (1, 2, 1.5, cv("pro", 1, 2, 1.5), 2.3)
    ),
    "obl_rad2_cv": row(
        given_value(spheroidal_radius(-1, mp.bessely)), (1, 2, 1.5, cv("obl", 1, 2, 1.5), 2.3)
    ),
    # ---- elliptic integrals and functions
    "ellipk": row(mp.ellipk, 0.0, 1e-9, 0.5, -30.0, 1 - 1e-9),
    "ellipkm1": row(lambda p: mp.ellipk(1 - p), 1e-20, 0.3),
    "ellipe": row(mp.ellipe, 0.0, 1e-9, 0.5, -30.0, 1 - 1e-9),
    "ellipkinc": row(
        mp.ellipf, (0.5, 0.0), (1.5, 0.9), (2.5, 0.4), (-0.7, -3.0), (8.0, 0.2), (0.5, 1e-9)
    ),
    "ellipeinc": row(
        mp.ellipe, (0.5, 0.0), (1.5, 0.9), (2.5, 0.4), (-0.7, -3.0), (8.0, 0.2), (0.5, 1e-9)
    ),
    "ellipj": row(jacobi_elliptic, (0.7, 0.4), (-1.2, 0.9), (2.5, 1 - 1e-6), (0.3, 1e-8)),
    "elliprc": row(mp.elliprc, (1.0, 1.0), (0, 3.0), (0.3, 3.0), (1e-8, 2.0)),
    "elliprd": row(mp.elliprd, (1.0, 1.0, 1.0), (0, 0.7, 3.0), (1e-8, 2.0, 3.0)),
    "elliprf": row(mp.elliprf, (1.0, 1.0, 1.0), (0.3, 0.7, 1e6), (1e-8, 2.0, 3.0)),
    "elliprg": row(mp.elliprg, (0.3, 0.7, 2.0), (1.0, 1.0, 1.0), (1e-8, 2.0, 3.0)),
    "elliprj": row(mp.elliprj, (0.3, 0.7, 2.0, 1.5), (1.0, 1.0, 1.0, 1.0), (1e-6, 2.0, 3.0, 0.1)),
    "agm": row(mp.agm, (1.0, 1.0), (24.0, 6.0), (1e-6, 2.0)),
    # ---- exponential integrals and their kin
    "expi": row(mp.ei, 0.3, -2.0, 30.0, 1e-6),
    "exp1": row(mp.e1, 1e-6, 2.0, 30.0),
    "expn": row(mp.expint, (0, 0.7), (1, 0.01), (4, 20.0), (2, 1e-6)),
    "sici": row(lambda x: (mp.si(x), mp.ci(x)), 0.3, 40.0, 1e-6),
    "shichi": row(lambda x: (mp.shi(x), mp.chi(x)), 0.3, 40.0, 1e-6),
    "fresnel": row(lambda x: (mp.fresnels(x), mp.fresnelc(x)), 0.3, -6.3, 1e-4),
    "modfresnelp": row(modified_fresnel(1), 0.3, 6.0),
    "modfresnelm": row(modified_fresnel(-1), 0.3, 6.0),
    "spence": row(lambda z: mp.polylog(2, 1 - z), 1e-9, 0.4, 1.8, 1 + 1e-9),
    "owens_t": row(owens, (0.3, 0.7), (5.0, 0.1), (0.0, 2.0), (3.0, 5.0)),
    "voigt_profile": row(voigt, (0.3, 0.7, 1.2), (9.0, 0.1, 0.01), (-2.0, 3.0, 1e-3)),
    "lambertw": row(
        lambda z, k: mp.lambertw(z, k), (0.7, 0), (-0.3, 0), (-0.3, -1), (1e8, 0), (2.0, 1)
    ),
    "wrightomega": row(lambda z: mp.lambertw(mp.exp(z)), 0.3, -30.0, 100.0),
    # ---- hypergeometric functions
    "hyp2f1": row(mp.hyp2f1, (0.4, 1.3, 2.1, 0.0), (0.4, 1.3, 2.1, 0.95), (1.0, 2.0, 3.5, -4.0)),
    "hyp1f1": row(mp.hyp1f1, (0.4, 1.3, 0.0), (0.4, 1.3, -20.0), (2.0, 3.5, 10.0)),
    "hyp0f1": row(mp.hyp0f1, (1.3, 0.0), (1.3, -9.0), (0.4, 50.0)),
    "hyperu": row(mp.hyperu, (0.4, 1.3, 0.5), (0.4, 1.3, 9.0), (2.0, 0.7, 40.0)),
    "wright_bessel": row(wright, (0.7, 1.3, 0.4), (2.0, 0.5, 9.0)),
    "log_wright_bessel": row(lambda *args: mp.log(wright(*args)), (0.7, 1.3, 0.4), (2.0, 0.5, 9.0)),
    # ---- orthogonal polynomials
    "eval_legendre": row(mp.legendre, (4, 1.0), (4, -1.0), (0, 0.3), (1, 0.3), (7, 0.2)),
    "eval_chebyt": row(mp.chebyt, (4, 1.0), (5, -0.3), (1, 0.2)),
    "eval_chebyu": row(mp.chebyu, (4, 1.0), (5, -0.3), (1, 0.2)),
    "eval_chebyc": row(lambda n, x: 2 * mp.chebyt(n, x / 2), (4, 2.0), (5, -0.3), (1, 0.2)),
    "eval_chebys": row(lambda n, x: mp.chebyu(n, x / 2), (4, 2.0), (5, -0.3), (1, 0.2)),
    "eval_gegenbauer": row(mp.gegenbauer, (4, 0.7, 1.0), (5, 1.5, -0.3), (1, 0.7, 0.2)),
    "eval_jacobi": row(mp.jacobi, (4, 0.7, 1.3, 1.0), (5, 1.5, 0.2, -0.3)),
    "eval_laguerre": row(lambda n, x: mp.laguerre(n, 0, x), (4, 0.0), (5, 2.3), (1, 40.0)),
    "eval_genlaguerre": row(mp.laguerre, (4, 0.7, 0.3), (5, 1.5, 2.3), (1, 0.7, 40.0)),
    "eval_hermite": row(mp.hermite, (4, 0.0), (5, -1.3), (1, 0.2), (0, 0.3)),
    "eval_hermitenorm": row(
        lambda n, x: mp.hermite(n, x / mp.sqrt(2)) / mp.sqrt(2) ** n, (4, 0.2), (5, -1.3), (1, 0.2)
    ),
    "eval_sh_legendre": row(lambda n, x: mp.legendre(n, 2 * x - 1), (4, 1.0), (7, 0.2), (1, 0.3)),
    "eval_sh_chebyt": row(lambda n, x: mp.chebyt(n, 2 * x - 1), (4, 1.0), (7, 0.2), (1, 0.3)),
    "eval_sh_chebyu": row(lambda n, x: mp.chebyu(n, 2 * x - 1), (4, 1.0), (7, 0.2), (1, 0.3)),
    "eval_sh_jacobi": row(
        lambda n, p, q, x: mp.jacobi(n, p - q, q - 1, 2 * x - 1) / mp.binomial(2 * n + p - 1, n),
        (4, 2.7, 1.3, 1.0),
        (5, 2.5, 0.2, 0.3),
    ),
    "lpmv": row(lambda m, v, x: mp.legenp(v, m, x, type=2), (1, 2.5, 0.3), (0, 3.0, -0.9)),
    # ---- distributions
    "chdtr": row(lambda v, x: gammainc(v / 2, x / 2), (1.5, 0.7), (40.0, 90.0)),
    "chdtrc": row(lambda v, x: gammaincc(v / 2, x / 2), (1.5, 0.7), (40.0, 90.0)),
    "chdtri": row(
        inverse("chdtri", lambda v, x: gammaincc(v / 2, x / 2), 1), (1.5, 0.7), (40.0, 1e-6)
    ),
    "chdtriv": row(
        inverse("chdtriv", lambda v, x: gammainc(v / 2, x / 2), 0), (0.3, 2.0), (1e-6, 40.0)
    ),
    "gdtr": row(gamma_law, (0.7, 2.3, 1.5), (3.0, 40.0, 20.0)),
    "gdtrc": row(lambda a, b, x: gammaincc(b, a * x), (0.7, 2.3, 1.5), (3.0, 40.0, 20.0)),
    "gdtria": row(inverse("gdtria", gamma_law, 0), (0.3, 2.3, 1.5), (1e-6, 40.0, 20.0)),
    "gdtrib": row(inverse("gdtrib", gamma_law, 1), (0.7, 0.3, 1.5), (3.0, 1e-6, 20.0)),
    "gdtrix": row(inverse("gdtrix", gamma_law, 2), (0.7, 2.3, 0.3), (3.0, 40.0, 1e-6)),
    "btdtria": row(inverse("btdtria", betainc, 0), (0.3, 2.3, 0.4), (1e-4, 40.0, 0.2)),
    "btdtrib": row(inverse("btdtrib", betainc, 1), (0.7, 0.3, 0.4), (30.0, 1e-4, 0.2)),
    "fdtr": row(fisher, (1.5, 3.3, 0.7), (40.0, 60.0, 1.5)),
    "fdtrc": row(
        lambda m, n, x: betainc(n / 2, m / 2, n / (m * x + n)), (1.5, 3.3, 0.7), (40.0, 60.0, 3.0)
    ),
    "fdtri": row(inverse("fdtri", fisher, 2), (1.5, 3.3, 0.7), (40.0, 60.0, 1e-4)),
    "fdtridfd": row(inverse("fdtridfd", fisher, 1), (1.5, 0.4, 0.7), (40.0, 0.9, 1.6)),
    "stdtr": row(student, (1.5, 0.3), (1.5, -2.0), (30.0, 5.0), (3.0, 1.732), (30.0, -5.0)),
    "stdtrit": row(inverse("stdtrit", student, 1), (1.5, 0.3), (30.0, 1e-6)),
    "stdtridf": row(inverse("stdtridf", student, 0), (0.8, 1.1), (0.02, -2.5)),
    "pdtr": row(lambda k, m: gammaincc(mp.floor(k) + 1, m), (2.5, 0.7), (40.5, 60.0)),
    "pdtrc": row(lambda k, m: gammainc(mp.floor(k) + 1, m), (2.5, 0.7), (40.5, 60.0)),
    "pdtri": row(inverse("pdtri", lambda k, m: gammaincc(k + 1, m), 1), (2, 0.7), (40, 1e-4)),
    "pdtrik": row(inverse("pdtrik", lambda k, m: gammaincc(k + 1, m), 0), (0.7, 2.3), (0.3, 40.0)),
    "bdtr": row(binomial, (2, 7, 0.3), (40, 90, 0.6)),
    "bdtrc": row(lambda k, n, p: betainc(k + 1, n - k, p), (2, 7, 0.3), (40, 90, 0.6)),
    "bdtri": row(inverse("bdtri", binomial, 2), (2, 7, 0.3), (40, 90, 1e-4)),
    "bdtrik": row(inverse("bdtrik", binomial, 0), (0.7, 7.3, 0.3), (0.3, 90.0, 0.6)),
    "bdtrin": row(inverse("bdtrin", binomial, 1), (2.3, 0.7, 0.3), (40.0, 0.3, 0.6)),
    "nbdtr": row(negative_binomial, (2, 7, 0.3), (40, 90, 0.6)),
    "nbdtrc": row(lambda k, n, p: betaincc(n, k + 1, p), (2, 7, 0.3), (40, 90, 0.6)),
    "nbdtri": row(inverse("nbdtri", negative_binomial, 2), (2, 7, 0.3), (40, 90, 1e-4)),
    "nbdtrik": row(inverse("nbdtrik", negative_binomial, 0), (0.7, 7.3, 0.3), (0.3, 90.0, 0.6)),
    "nbdtrin": row(inverse("nbdtrin", negative_binomial, 1), (2.3, 0.7, 0.3), (40.0, 0.3, 0.6)),
    "nrdtrimn": row(lambda p, sd, x: x - sd * quantile(p), (0.3, 2.0, 1.5), (1e-9, 0.1, -4.0)),
    "nrdtrisd": row(lambda mn, p, x: (x - mn) / quantile(p), (0.3, 0.7, 1.5), (-4.0, 1e-9, -7.0)),
    "tklmbda": row(inverse_tukey, (0.3, 0.7), (-2.0, -0.5), (0.05, 2.5)),
    "kolmogorov": row(kolmogorov, 0.3, 0.79, 0.81, 3.0),
    "kolmogi": row(inverse("kolmogi", kolmogorov, 0), 0.3, 0.999, 1e-9),
    "smirnov": row(smirnov, (5, 0.3), (40, 0.2)),
    "smirnovi": row(inverse("smirnovi", lambda n, d: smirnov(int(n), d), 1), (5, 0.3), (40, 0.02)),
    "chndtr": row(chi_square, (1.5, 2.3, 0.7), (20.0, 9.0, 4.0)),
    "chndtridf": row(inverse("chndtridf", chi_square, 1), (1.5, 0.3, 0.7)),
    "chndtrinc": row(inverse("chndtrinc", chi_square, 2), (1.5, 2.3, 0.3)),
    "chndtrix": row(inverse("chndtrix", chi_square, 0), (0.3, 2.3, 0.7)),
    "nctdtr": row(shifted_student, (2.3, 0.7, 1.5), (9.0, -1.0, 0.4), (4.0, 1.0, -0.3)),
    "nctdtridf": row(inverse("nctdtridf", shifted_student, 0), (0.7, 0.7, 1.5), value=1e-8),
    "nctdtrinc": row(inverse("nctdtrinc", shifted_student, 1), (2.3, 0.7, 1.5)),
    "nctdtrit": row(inverse("nctdtrit", shifted_student, 2), (2.3, 0.7, 0.8)),
    "ncfdtr": row(shifted_fisher, (2.3, 4.1, 0.7, 1.5), (9.0, 20.0, 4.0, 0.8)),
    "ncfdtri": row(inverse("ncfdtri", shifted_fisher, 3), (2.3, 4.1, 0.7, 0.4)),
    "ncfdtridfd": row(inverse("ncfdtridfd", shifted_fisher, 1), (2.3, 0.55, 0.7, 1.5), value=1e-4),
    "ncfdtridfn": row(inverse("ncfdtridfn", shifted_fisher, 0), (0.3, 9.0, 0.7, 0.8), value=1e-4),
    "ncfdtrinc": row(inverse("ncfdtrinc", shifted_fisher, 2), (2.3, 4.1, 0.55, 1.5), value=1e-4),
}
