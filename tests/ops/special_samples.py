"""Samples of the special functions: SciPy gives the values, mpmath those of our own primitives."""

from collections.abc import Callable, Iterator
from typing import Any

import mpmath
import numpy as np
import scipy.special

from gradarg._core.primitive import Primitive
from gradarg._ops import (
    bessel,
    distributions,
    elliptic,
    hypergeometric,
    incomplete,
    noncentral,
    special,
)
from tests.ops.sample import Sample, values
from tests.ops.special_references import chi_square, smirnov

MODULES = (special, incomplete, distributions, bessel, elliptic, hypergeometric, noncentral)
UNIT, REAL, POSITIVE, LARGE = (0.1, 0.9), (-2.3, 2.1), (0.4, 3.1), (2.2, 6.0)
ABOVE_ONE, INSIDE, NEAR = (1.2, 2.5), (-0.7, 0.65), (0.6, 1.7)

PRO, OBL = float(scipy.special.pro_cv(1, 1, 2.0)), float(scipy.special.obl_cv(1, 1, 2.0))

# The domain of each argument that varies; a number stays one.
REALS: dict[tuple[Any, ...], str] = {
    (REAL,): "erf erfc erfcx erfi dawsn wofz ndtr log_ndtr exp2 exp10 expm1 exprel cosm1 sindg "
    "cosdg expit log_expit j0 j1 i0 i1 i0e i1e itstruve0 itmodstruve0 "
    "ber bei berp beip fresnel airy wrightomega ",
    (POSITIVE,): "gamma gammaln loggamma rgamma psi log1p cbrt y0 y1 k0 k1 k0e k1e it2struve0 ker "
    "kei kerp keip kelvin iti0k0 itj0y0 it2i0k0 it2j0y0 airye modfresnelp modfresnelm "
    "expi exp1 sici shichi spence "
    "tandg cotdg entr",
    (NEAR,): "kolmogorov",
    ((0.2, 0.7),): "itairy",
    (INSIDE,): "erfinv ellipk ellipe",
    (UNIT,): "ndtri logit ellipkm1 kolmogi",
    ((0.3, 1.6),): "erfcinv",
    ((-4.0, -0.5),): "ndtri_exp",
    (ABOVE_ONE,): "zetac _riemann_zeta",
    (POSITIVE, POSITIVE): "beta betaln poch xlogy xlog1py rel_entr kl_div powm1 elliprc "
    "agm gammainc gammaincc chdtr chdtrc pseudo_huber",
    (POSITIVE, UNIT): "gammaincinv gammainccinv chdtri inv_boxcox inv_boxcox1p boxcox boxcox1p",
    (LARGE, (0.3, 0.8)): "stdtrit",
    (UNIT, POSITIVE): "tklmbda pdtrik chdtriv",
    ((0.85, 0.87), (2.0, 2.4)): "stdtridf",
    (LARGE, NEAR): "binom huber",
    (NEAR, UNIT): "ellipj",
    (POSITIVE, REAL): "stdtr",
    (REAL, REAL): "owens_t",
    (NEAR, INSIDE): "ellipkinc ellipeinc",
    (ABOVE_ONE, POSITIVE): "_zeta",
    (POSITIVE, POSITIVE, UNIT): "betainc betaincc betaincinv betainccinv gdtrix fdtri",
    (POSITIVE, POSITIVE, POSITIVE): "elliprf elliprd elliprg gdtr gdtrc fdtr fdtrc",
    (REAL, NEAR, POSITIVE): "voigt_profile radian",
    (POSITIVE, POSITIVE, POSITIVE, NEAR): "elliprj",
    (UNIT, POSITIVE, POSITIVE): "gdtria",
    (POSITIVE, UNIT, POSITIVE): "gdtrib nrdtrisd",
    ((0.9, 1.1), (0.5, 0.53), (0.95, 1.1)): "fdtridfd",
    (UNIT, NEAR, UNIT): "btdtria",
    (NEAR, UNIT, UNIT): "btdtrib",
    (UNIT, POSITIVE, REAL): "nrdtrimn",
    (1.5, REAL): "hyp0f1",
    (1.5, POSITIVE): "jv yv iv kv jve yve ive kve hankel1 hankel2 hankel1e hankel2e struve "
    "modstruve pdtr pdtrc",
    (2, POSITIVE): "yn kn expn pbwa pbdv pbvv spherical_jn spherical_yn spherical_in "
    "spherical_kn pdtr",
    (0, POSITIVE): "expn spherical_jn kn",
    (2, UNIT): "pdtri",
    (3, REAL): "eval_legendre eval_chebyt eval_chebyu eval_chebyc eval_chebys eval_laguerre "
    "eval_hermite eval_hermitenorm eval_sh_legendre eval_sh_chebyt eval_sh_chebyu",
    (0, REAL): "eval_legendre eval_hermite eval_chebyt",
    (2.5, INSIDE): "eval_legendre",
    (3, 0.7, REAL): "eval_gegenbauer eval_genlaguerre",
    (3, 2.5, 1.5, REAL): "eval_jacobi eval_sh_jacobi",
    (1, 3, INSIDE): "lpmv",
    (POSITIVE, 1.5, 0.5): "besselpoly",
    (0.4, 1.3, REAL): "hyp1f1",
    (0.4, 1.3, POSITIVE): "hyperu wright_bessel log_wright_bessel",
    (0.4, 1.3, 2.1, INSIDE): "hyp2f1",
    (1, 4, UNIT): "bdtr bdtrc nbdtr nbdtrc bdtri nbdtri",
    ((0.6, 0.9), (4.2, 5.0), (0.3, 0.6)): "bdtrik nbdtrik",
    ((1.2, 1.8), UNIT, UNIT): "bdtrin nbdtrin",
    (2, 1.7, (20.0, 40.0)): "mathieu_cem mathieu_sem",
    (2, 1.7, (0.4, 1.0)): "mathieu_modcem1 mathieu_modcem2 mathieu_modsem1 mathieu_modsem2",
    (1, 2, 0.8, UNIT): "pro_ang1 obl_ang1",
    (1, 1, 2.0, (2.0, 3.0)): "pro_rad1 pro_rad2 obl_rad1 obl_rad2",
    (5, UNIT): "smirnov smirnovi",
    (POSITIVE, 2.3, NEAR): "chndtr",
    (UNIT, 2.3, NEAR): "chndtrix",
    (NEAR, 2.3, (0.1, 0.15)): "chndtrinc",
    (2.3, NEAR, REAL): "nctdtr",
    (2.3, NEAR, UNIT): "nctdtrit",
    (2.3, UNIT, NEAR): "nctdtrinc",
    (2.3, 4.1, POSITIVE, NEAR): "ncfdtr",
    (2.3, 4.1, NEAR, UNIT): "ncfdtri",
    (1, 1, 2.0, PRO, UNIT): "pro_ang1_cv",
    (1, 1, 2.0, OBL, UNIT): "obl_ang1_cv",
    (1, 1, 2.0, PRO, (2.0, 3.0)): "pro_rad1_cv pro_rad2_cv",
    (1, 1, 2.0, OBL, (2.0, 3.0)): "obl_rad1_cv obl_rad2_cv",
}
COMPLEX: dict[tuple[Any, ...], str] = {
    (REAL,): "erf erfc erfcx erfi dawsn wofz log_ndtr expm1 airy fresnel",
    (POSITIVE,): "gamma loggamma rgamma psi log1p expi exp1 sici shichi spence wrightomega",
    (REAL, POSITIVE): "xlogy xlog1py",
    (1.5, POSITIVE): "jv yv iv kv kve hankel1 hankel2 hankel1e hankel2e hyp0f1",
    (2, POSITIVE): "spherical_jn spherical_yn spherical_in spherical_kn",
    (3, REAL): "eval_legendre eval_chebyt",
    (0.4, 1.3, REAL): "hyp1f1",
    (POSITIVE, POSITIVE, POSITIVE): "elliprd",
}
# no derivative in any argument is known: the arguments are whole numbers here
VALUES: dict[int, str] = {
    1: "gammasgn",
    2: "mathieu_a mathieu_b",
    3: "pro_cv obl_cv chndtridf nctdtridf",
    4: "ncfdtridfd ncfdtridfn ncfdtrinc",
}


def by_name() -> dict[str, Primitive]:
    found = {}
    for module in MODULES:
        for value in vars(module).values():
            for p in value.values() if isinstance(value, dict) else (value,):
                if isinstance(p, Primitive):
                    found[p.name] = p
    return found


def narrow(out: Any, args: tuple[Any, ...]) -> Any:
    """In single precision where the arrays among the arguments are."""
    if isinstance(out, tuple):
        return tuple(narrow(o, args) for o in out)
    single = {np.dtype(float): np.float32, np.dtype(complex): np.complex64}
    dtypes = [a.dtype for a in args if hasattr(a, "dtype")]
    if dtypes and all(d in (np.float32, np.complex64) for d in dtypes):
        return out.astype(single.get(out.dtype, out.dtype))
    return out


def scipys(name: str) -> Callable[..., Any]:
    function = getattr(scipy.special, name.removeprefix("_riemann_").lstrip("_"))
    if name.startswith(("pro_", "obl_", "bdtr")):  # as scipy_in_double

        def wide(a: Any) -> Any:
            return a.astype(float) if hasattr(a, "dtype") and a.dtype.kind == "f" else a

        return lambda *args: narrow(function(*map(wide, args)), args)
    return lambda *args: narrow(function(*args), args)


def mpmaths(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of mpmath's numbers, for arrays."""

    def call(*args: Any, **params: Any) -> Any:
        def one(*numbers: Any) -> complex | float:
            with mpmath.workdps(40):
                found = function(*map(mpmath.mpmathify, numbers), **params)
            return complex(found) if isinstance(found, mpmath.mpc) else float(found)

        return narrow(np.vectorize(one, otypes=[float])(*args), args)

    return call


def _slope(function: Callable[..., Any]) -> Callable[..., Any]:
    """The derivative of an order of a function of one number."""
    return mpmaths(lambda x, order: mpmath.diff(function, x, order))


def _elliptic(phi: Any, m: Any, j: int, r: float) -> Any:
    return mpmath.quad(
        lambda u: mpmath.sin(u) ** (2 * j) * (1 - m * mpmath.sin(u) ** 2) ** r, [0, phi]
    )


def _carlson(*z: Any, power: float, exponents: tuple[float, ...]) -> Any:
    return mpmath.quad(
        lambda t: t**power * mpmath.fprod((t + x) ** -b for x, b in zip(z, exponents)),
        [0, 1, 10, mpmath.inf],
    )


def _zeta_slope(s: Any, q: Any, order: int) -> Any:
    return mpmath.zeta(s, q, order)


def _gammainc_slope(a: Any, x: Any, order: int) -> Any:
    return mpmath.diff(lambda a: mpmath.gammainc(a, 0, x, regularized=True), a, order)


def _betainc_slope(a: Any, b: Any, x: Any, orders: tuple[int, int]) -> Any:
    return mpmath.diff(lambda a, b: mpmath.betainc(a, b, 0, x, regularized=True), (a, b), orders)


def _chi_square_density(x: Any, v: Any, shift: Any) -> Any:
    return mpmath.diff(lambda x: chi_square(x, v, shift), x)


def _log_half_moment(p: Any, u: Any) -> Any:
    moment = mpmath.quad(lambda r: r**p * mpmath.exp(u * r - r * r / 2), [0, 1, 4, mpmath.inf])
    return mpmath.log(moment)


OURS: list[tuple[str, tuple[Any, ...], dict[str, Any], Callable[..., Any]]] = [
    ("mills", (REAL,), {}, mpmaths(lambda x: mpmath.npdf(x) / mpmath.ncdf(x))),
    ("gaussian", (REAL,), {}, mpmaths(lambda x: mpmath.exp(-x * x / 2))),
    (
        "erfcx_derivative",
        ((-2.0, 12.0),),
        {"order": 2},
        _slope(lambda x: mpmath.exp(x * x) * mpmath.erfc(x)),
    ),
    (
        "dawsn_derivative",
        ((-2.0, 12.0),),
        {"order": 2},
        _slope(lambda x: mpmath.exp(-x * x) * mpmath.erfi(x) * mpmath.sqrt(mpmath.pi) / 2),
    ),
    ("polygamma", (2, POSITIVE), {}, mpmaths(lambda n, x: mpmath.psi(int(n), x))),
    ("zeta_derivative", (ABOVE_ONE, POSITIVE), {"order": 2}, mpmaths(_zeta_slope)),
    (
        "exp_moment",
        ((-6.0, 6.0),),
        {"order": 2},
        mpmaths(lambda u, order: mpmath.quad(lambda s: s**order * mpmath.exp(u * s), [0, 1])),
    ),
    (
        "log_moment",
        ((-0.7, 2.5),),
        {"order": 2},
        mpmaths(lambda u, order: mpmath.quad(lambda s: s**order / (1 + u * s) ** 3, [0, 1])),
    ),
    ("sinhc", ((-6.0, 6.0),), {"order": 2}, _slope(lambda x: mpmath.sinh(x) / x)),
    ("gammainc_derivative", (POSITIVE, POSITIVE), {"order": 2}, mpmaths(_gammainc_slope)),
    ("betainc_derivative", (POSITIVE, POSITIVE, UNIT), {"orders": (1, 1)}, mpmaths(_betainc_slope)),
    (
        "gamma_density",
        (POSITIVE, POSITIVE),
        {},
        mpmaths(lambda a, x: x ** (a - 1) * mpmath.exp(-x) / mpmath.gamma(a)),
    ),
    (
        "beta_density",
        (POSITIVE, POSITIVE, UNIT),
        {},
        mpmaths(lambda a, b, x: x ** (a - 1) * (1 - x) ** (b - 1) / mpmath.beta(a, b)),
    ),
    ("chi_square_density", (POSITIVE, 3.3, POSITIVE), {}, mpmaths(_chi_square_density)),
    ("log_half_moment", (0.7, REAL), {}, mpmaths(_log_half_moment)),
    (
        "smirnov_derivative",
        (5, (0.22, 0.38)),
        {"order": 1},
        mpmaths(lambda n, d, order: mpmath.diff(lambda x: smirnov(int(n), x), d, order)),
    ),
    ("carlson", (POSITIVE, POSITIVE), {"power": 0.5, "exponents": (1.5, 0.5)}, mpmaths(_carlson)),
    ("legendre_integral", (NEAR, INSIDE), {"j": 1, "r": -1.5}, mpmaths(_elliptic)),
]


def _real(domain: Any) -> Any:
    return values((2,), domain) if isinstance(domain, tuple) else domain


def _complex(domain: Any) -> Any:
    if not isinstance(domain, tuple):
        return domain
    return values((2,), domain) + 0.7j * values((2,), domain)


def samples() -> Iterator[Sample]:
    of = by_name()
    for table, make, kind in ((REALS, _real, ""), (COMPLEX, _complex, "complex ")):
        for domains, names in table.items():
            for name in names.split():
                args = tuple(map(make, domains))
                note = kind + ", ".join("x" if isinstance(d, tuple) else str(d) for d in domains)
                yield Sample(of[name], scipys(name), args, note=note)
    for count, names in VALUES.items():
        for name in names.split():
            args = tuple(np.array([1, 2]) + i for i in range(count))
            yield Sample(of[name], scipys(name), args)
    for name, domains, params, answer in OURS:
        yield Sample(of[name], answer, tuple(map(_real, domains)), params)
    yield Sample(of["_lambertw"], scipys("lambertw"), (_real(POSITIVE), 0, 1e-8), note="real")
    yield Sample(of["_lambertw"], scipys("lambertw"), (_complex(REAL), 1, 1e-8), note="branch 1")
