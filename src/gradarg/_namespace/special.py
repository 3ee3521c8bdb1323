"""`ga.special`: SciPy's special functions, under SciPy's names and with SciPy's values.

SciPy must be installed (`pip install gradarg[special]`); it is loaded when a function is first
called. `scipy.special.f(tensor)` gives the same as `ga.special.f(tensor)`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core.primitive import Primitive
from .._core.trace import Box, bind
from .._ops import bessel, distributions, elliptic, hypergeometric, incomplete, noncentral
from .._ops import special as ops
from . import elementwise, reductions
from .arguments import array, number_or_array

_UFUNCS: dict[str, Callable[..., Any]] = {}  # by the name that SciPy's ufunc has


def _of(primitive: Primitive, arguments: str, formula: str) -> Any:
    """The public function of a primitive; the formula is its documentation."""
    count = len(arguments.split())
    name = primitive.name

    def function(*args: Any) -> Any:
        if len(args) != count:
            raise TypeError(f"{function.__name__}({arguments}) takes {count}, not {len(args)}.")
        args = tuple(map(number_or_array, args))
        if not any(isinstance(a, (Box, np.ndarray, np.generic)) for a in args):
            args = tuple(map(np.asarray, args))
        return bind(primitive, args)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{name}({arguments.replace(' ', ', ')}): {formula}."
    _UFUNCS[name] = function
    return function


def of_ufunc(ufunc: Any) -> Callable[..., Any] | None:
    """The function of this module that a ufunc of SciPy stands for, if it is one."""
    name = ufunc.__name__
    modules = sys.modules.get("scipy.special"), sys.modules.get("scipy.special._ufuncs")
    if any(getattr(m, name, None) is ufunc for m in modules if m is not None):
        return _UFUNCS.get(name)
    return None


# ---- error functions

erf = _of(ops.erf, "x", "2 / sqrt(pi) times the integral of exp(-t**2) over t from 0 to x")
erfc = _of(ops.erfc, "x", "1 - erf(x)")
erfcx = _of(ops.erfcx, "x", "exp(x**2) * erfc(x)")
erfi = _of(ops.erfi, "x", "-1j * erf(1j * x)")
erfinv = _of(ops.erfinv, "y", "the x with erf(x) = y")
erfcinv = _of(ops.erfcinv, "y", "the x with erfc(x) = y")
dawsn = _of(ops.dawsn, "x", "exp(-x**2) times the integral of exp(t**2) over t from 0 to x")
wofz = _of(ops.wofz, "z", "exp(-z**2) * erfc(-1j * z), complex")
ndtr = _of(ops.ndtr, "x", "the normal distribution function")
log_ndtr = _of(ops.log_ndtr, "x", "log(ndtr(x)), exact far in the tail")
ndtri = _of(ops.ndtri, "p", "the x with ndtr(x) = p")
ndtri_exp = _of(ops.ndtri_exp, "y", "the x with log_ndtr(x) = y")

# ---- the gamma family

gamma = _of(ops.gamma, "x", "the integral of t**(x - 1) * exp(-t) over t > 0")
gammaln = _of(ops.gammaln, "x", "log(abs(gamma(x)))")
loggamma = _of(ops.loggamma, "z", "the logarithm of gamma that is analytic off the negative axis")
rgamma = _of(ops.rgamma, "x", "1 / gamma(x), which is 0 at the poles of gamma")
gammasgn = _of(ops.gammasgn, "x", "the sign of gamma(x); it has no derivative")
psi = _of(ops.digamma, "x", "the derivative of gammaln")
beta = _of(ops.beta, "a b", "gamma(a) * gamma(b) / gamma(a + b)")
betaln = _of(ops.betaln, "a b", "log(abs(beta(a, b)))")
poch = _of(ops.poch, "z m", "gamma(z + m) / gamma(z)")
binom = _of(ops.binom, "n k", "gamma(n + 1) / gamma(k + 1) / gamma(n - k + 1)")
zetac = _of(ops.zetac, "x", "zeta(x) - 1")

# ---- incomplete gamma and beta functions, differentiable in all arguments

gammainc = _of(
    incomplete.gammainc, "a x", "the integral of t**(a - 1) * exp(-t) / gamma(a) over t from 0 to x"
)
gammaincc = _of(incomplete.gammaincc, "a x", "1 - gammainc(a, x)")
gammaincinv = _of(incomplete.gammaincinv, "a p", "the x with gammainc(a, x) = p")
gammainccinv = _of(incomplete.gammainccinv, "a p", "the x with gammaincc(a, x) = p")
betainc = _of(
    incomplete.betainc,
    "a b x",
    "the integral of t**(a-1) * (1-t)**(b-1) / beta(a, b) over t from 0 to x",
)
betaincc = _of(incomplete.betaincc, "a b x", "1 - betainc(a, b, x)")
betaincinv = _of(incomplete.betaincinv, "a b p", "the x with betainc(a, b, x) = p")
betainccinv = _of(incomplete.betainccinv, "a b p", "the x with betaincc(a, b, x) = p")

# ---- made of exp and log

cbrt = _of(ops.cbrt, "x", "the cube root of x")
exp2 = _of(ops.exp2, "x", "2**x")
exp10 = _of(ops.exp10, "x", "10**x")
expm1 = _of(ops.expm1, "x", "exp(x) - 1")
exprel = _of(ops.exprel, "x", "(exp(x) - 1) / x")
log1p = _of(ops.log1p, "x", "log(1 + x)")
cosm1 = _of(ops.cosm1, "x", "cos(x) - 1")
sindg = _of(ops.sindg, "x", "the sine of x degrees")
cosdg = _of(ops.cosdg, "x", "the cosine of x degrees")
tandg = _of(ops.tandg, "x", "the tangent of x degrees")
cotdg = _of(ops.cotdg, "x", "the cotangent of x degrees")
radian = _of(ops.radian, "d m s", "degrees, minutes and seconds in radians")
powm1 = _of(ops.powm1, "x y", "x**y - 1")
xlogy = _of(ops.xlogy, "x y", "x * log(y), 0 where x = 0")
xlog1py = _of(ops.xlog1py, "x y", "x * log(1 + y), 0 where x = 0")
expit = _of(ops.expit, "x", "1 / (1 + exp(-x))")
log_expit = _of(ops.log_expit, "x", "log(expit(x))")
logit = _of(ops.logit, "p", "log(p / (1 - p))")
entr = _of(ops.entr, "x", "-x * log(x), 0 at 0, -inf below")
rel_entr = _of(ops.rel_entr, "x y", "x * log(x / y)")
kl_div = _of(ops.kl_div, "x y", "x * log(x / y) - x + y")
huber = _of(ops.huber, "delta r", "r**2 / 2 up to abs(r) = delta, from there on its tangent")
pseudo_huber = _of(ops.pseudo_huber, "delta r", "delta**2 * (sqrt(1 + (r / delta)**2) - 1)")
boxcox = _of(ops.boxcox, "x lmbda", "(x**lmbda - 1) / lmbda, log(x) at lmbda = 0")
boxcox1p = _of(ops.boxcox1p, "x lmbda", "boxcox(1 + x, lmbda)")
inv_boxcox = _of(ops.inv_boxcox, "y lmbda", "the x with boxcox(x, lmbda) = y")
inv_boxcox1p = _of(ops.inv_boxcox1p, "y lmbda", "the x with boxcox1p(x, lmbda) = y")

# ---- Bessel functions, differentiable in the argument

jv = _of(bessel.jv, "v z", "J, of the first kind")
yv = _of(bessel.yv, "v z", "Y, of the second kind")
iv = _of(bessel.iv, "v z", "I, modified of the first kind")
kv = _of(bessel.kv, "v z", "K, modified of the second kind")
jve = _of(bessel.jve, "v z", "jv(v, z) * exp(-abs(z.imag))")
yve = _of(bessel.yve, "v z", "yv(v, z) * exp(-abs(z.imag))")
ive = _of(bessel.ive, "v z", "iv(v, z) * exp(-abs(z.real))")
kve = _of(bessel.kve, "v z", "kv(v, z) * exp(z)")
yn = _of(bessel.yn, "n x", "yv of a whole order")
kn = _of(bessel.kn, "n x", "kv of a whole order")
hankel1 = _of(bessel.hankel1, "v z", "jv(v, z) + 1j * yv(v, z)")
hankel2 = _of(bessel.hankel2, "v z", "jv(v, z) - 1j * yv(v, z)")
hankel1e = _of(bessel.hankel1e, "v z", "hankel1(v, z) * exp(-1j * z)")
hankel2e = _of(bessel.hankel2e, "v z", "hankel2(v, z) * exp(1j * z)")
j0 = _of(bessel.j0, "x", "jv(0, x)")
j1 = _of(bessel.j1, "x", "jv(1, x)")
y0 = _of(bessel.y0, "x", "yv(0, x)")
y1 = _of(bessel.y1, "x", "yv(1, x)")
i0 = _of(bessel.i0, "x", "iv(0, x)")
i1 = _of(bessel.i1, "x", "iv(1, x)")
k0 = _of(bessel.k0, "x", "kv(0, x)")
k1 = _of(bessel.k1, "x", "kv(1, x)")
i0e = _of(bessel.i0e, "x", "ive(0, x)")
i1e = _of(bessel.i1e, "x", "ive(1, x)")
k0e = _of(bessel.k0e, "x", "kve(0, x)")
k1e = _of(bessel.k1e, "x", "kve(1, x)")
besselpoly = _of(
    bessel.besselpoly, "a lmb nu", "the integral of t**lmb * jv(nu, 2 * a * t) over t from 0 to 1"
)
struve = _of(bessel.struve, "v x", "H, Struve's function")
modstruve = _of(bessel.modstruve, "v x", "L, Struve's modified function")
itstruve0 = _of(bessel.itstruve0, "x", "the integral of struve(0, t) over t from 0 to x")
it2struve0 = _of(bessel.it2struve0, "x", "the integral of struve(0, t) / t over t > x")
itmodstruve0 = _of(bessel.itmodstruve0, "x", "the integral of modstruve(0, t) over t from 0 to x")
iti0k0 = _of(bessel.iti0k0, "x", "the integrals of i0 and k0 from 0 to x")
itj0y0 = _of(bessel.itj0y0, "x", "the integrals of j0 and y0 from 0 to x")
it2i0k0 = _of(
    bessel.it2i0k0, "x", "the integrals of (i0(t) - 1) / t from 0 to x, and of k0(t) / t from x on"
)
it2j0y0 = _of(
    bessel.it2j0y0, "x", "the integrals of (1 - j0(t)) / t from 0 to x, and of y0(t) / t from x on"
)
airy = _of(bessel.airy, "z", "(Ai, Ai', Bi, Bi')")
airye = _of(
    bessel.airye, "z", "airy(z), scaled by exp(2/3 z sqrt(z)) and by exp(-abs(2/3 z sqrt(z)).real)"
)
itairy = _of(bessel.itairy, "x", "the integrals of Ai and Bi from 0 to x, and of Ai(-t) and Bi(-t)")
kelvin = _of(bessel.kelvin, "x", "(ber + 1j bei, ker + 1j kei) and their derivatives")
ber = _of(bessel.ber, "x", "the real part of Kelvin's function")
bei = _of(bessel.bei, "x", "its imaginary part")
ker = _of(bessel.ker, "x", "the real part of Kelvin's second function")
kei = _of(bessel.kei, "x", "its imaginary part")
berp = _of(bessel.berp, "x", "the derivative of ber")
beip = _of(bessel.beip, "x", "the derivative of bei")
kerp = _of(bessel.kerp, "x", "the derivative of ker")
keip = _of(bessel.keip, "x", "the derivative of kei")
pbdv = _of(bessel.pbdv, "v x", "(D, D'), parabolic cylinder functions")
pbvv = _of(bessel.pbvv, "v x", "(V, V'), parabolic cylinder functions")
pbwa = _of(bessel.pbwa, "a x", "(W, W'), parabolic cylinder functions")

# ---- elliptic integrals and functions, differentiable in all arguments

ellipk = _of(
    elliptic.ellipk, "m", "the integral of 1 / sqrt(1 - m sin(t)**2) over t from 0 to pi / 2"
)
ellipkm1 = _of(elliptic.ellipkm1, "p", "ellipk(1 - p)")
ellipe = _of(elliptic.ellipe, "m", "the integral of sqrt(1 - m sin(t)**2) over t from 0 to pi / 2")
ellipkinc = _of(elliptic.ellipkinc, "phi m", "the integral of ellipk, up to phi")
ellipeinc = _of(elliptic.ellipeinc, "phi m", "the integral of ellipe, up to phi")
ellipj = _of(elliptic.ellipj, "u m", "(sn, cn, dn, ph) with ellipkinc(ph, m) = u")
elliprc = _of(elliptic.elliprc, "x y", "Carlson's degenerate integral")
elliprd = _of(elliptic.elliprd, "x y z", "Carlson's integral of the second kind")
elliprf = _of(elliptic.elliprf, "x y z", "Carlson's integral of the first kind")
elliprg = _of(elliptic.elliprg, "x y z", "Carlson's symmetric integral of the second kind")
elliprj = _of(elliptic.elliprj, "x y z p", "Carlson's integral of the third kind")
agm = _of(elliptic.agm, "a b", "the arithmetic-geometric mean")

# ---- exponential integrals and their kin

expi = _of(hypergeometric.expi, "x", "the integral of exp(t) / t over t < x")
exp1 = _of(hypergeometric.exp1, "z", "the integral of exp(-t) / t over t from z on")
expn = _of(hypergeometric.expn, "n x", "the integral of exp(-x t) / t**n over t > 1")
sici = _of(hypergeometric.sici, "x", "the integrals of sin(t) / t and, to it, cos(t) / t")
shichi = _of(hypergeometric.shichi, "x", "the integrals of sinh(t) / t and, to it, cosh(t) / t")
fresnel = _of(
    hypergeometric.fresnel,
    "z",
    "the integrals of sin(pi t**2 / 2) and cos(pi t**2 / 2) from 0 to z",
)
modfresnelp = _of(hypergeometric.modfresnelp, "x", "the modified Fresnel integrals F+ and K+")
modfresnelm = _of(hypergeometric.modfresnelm, "x", "the modified Fresnel integrals F- and K-")
spence = _of(hypergeometric.spence, "z", "the integral of log(t) / (1 - t) over t from 1 to z")
owens_t = _of(
    hypergeometric.owens_t, "h a", "the probability of X > h and 0 < Y < a X, both normal"
)
voigt_profile = _of(
    hypergeometric.voigt_profile, "x sigma gamma", "a normal convolved with a Cauchy density"
)
wrightomega = _of(hypergeometric.wrightomega, "z", "lambertw(exp(z))")

# ---- hypergeometric functions, differentiable in the argument

hyp2f1 = _of(hypergeometric.hyp2f1, "a b c z", "Gauss's function")
hyp1f1 = _of(hypergeometric.hyp1f1, "a b z", "Kummer's function")
hyp0f1 = _of(hypergeometric.hyp0f1, "v z", "the limit of hyp1f1(q, v, z / q) for a large q")
hyperu = _of(hypergeometric.hyperu, "a b x", "Tricomi's function")
wright_bessel = _of(
    hypergeometric.wright_bessel, "a b x", "the sum over k of x**k / k! / gamma(a k + b)"
)
log_wright_bessel = _of(hypergeometric.log_wright_bessel, "a b x", "log(wright_bessel(a, b, x))")

# ---- orthogonal polynomials, differentiable in x

eval_legendre = _of(hypergeometric.legendre, "n x", "Legendre's")
eval_chebyt = _of(hypergeometric.chebyt, "n x", "Chebyshev's, of the first kind")
eval_chebyu = _of(hypergeometric.chebyu, "n x", "Chebyshev's, of the second kind")
eval_chebyc = _of(hypergeometric.chebyc, "n x", "Chebyshev's on [-2, 2], of the first kind")
eval_chebys = _of(hypergeometric.chebys, "n x", "Chebyshev's on [-2, 2], of the second kind")
eval_gegenbauer = _of(hypergeometric.gegenbauer, "n alpha x", "Gegenbauer's")
eval_jacobi = _of(hypergeometric.jacobi, "n alpha beta x", "Jacobi's")
eval_laguerre = _of(hypergeometric.laguerre, "n x", "Laguerre's")
eval_genlaguerre = _of(hypergeometric.genlaguerre, "n alpha x", "Laguerre's, generalised")
eval_hermite = _of(hypergeometric.hermite, "n x", "Hermite's, orthogonal by exp(-x**2)")
eval_hermitenorm = _of(hypergeometric.hermitenorm, "n x", "Hermite's, orthogonal by exp(-x**2 / 2)")
eval_sh_legendre = _of(hypergeometric.sh_legendre, "n x", "Legendre's on [0, 1]")
eval_sh_chebyt = _of(hypergeometric.sh_chebyt, "n x", "Chebyshev's on [0, 1], of the first kind")
eval_sh_chebyu = _of(hypergeometric.sh_chebyu, "n x", "Chebyshev's on [0, 1], of the second kind")
eval_sh_jacobi = _of(hypergeometric.sh_jacobi, "n p q x", "Jacobi's on [0, 1]")
lpmv = _of(hypergeometric.lpmv, "m v x", "Legendre's associated function")

# ---- distributions, differentiable in all arguments but numbers of events

chdtr = _of(distributions.chdtr, "v x", "the distribution function of chi squared")
chdtrc = _of(distributions.chdtrc, "v x", "1 - chdtr(v, x)")
chdtri = _of(distributions.chdtri, "v p", "the x with chdtrc(v, x) = p")
chdtriv = _of(distributions.chdtriv, "p x", "the v with chdtr(v, x) = p")
gdtr = _of(
    distributions.gdtr, "a b x", "the distribution function of gamma, with rate a and shape b"
)
gdtrc = _of(distributions.gdtrc, "a b x", "1 - gdtr(a, b, x)")
gdtria = _of(distributions.gdtria, "p b x", "the a with gdtr(a, b, x) = p")
gdtrib = _of(distributions.gdtrib, "a p x", "the b with gdtr(a, b, x) = p")
gdtrix = _of(distributions.gdtrix, "a b p", "the x with gdtr(a, b, x) = p")
btdtria = _of(distributions.btdtria, "p b x", "the a with betainc(a, b, x) = p")
btdtrib = _of(distributions.btdtrib, "a p x", "the b with betainc(a, b, x) = p")
fdtr = _of(distributions.fdtr, "dfn dfd x", "the distribution function of F")
fdtrc = _of(distributions.fdtrc, "dfn dfd x", "1 - fdtr(dfn, dfd, x)")
fdtri = _of(distributions.fdtri, "dfn dfd p", "the x with fdtr(dfn, dfd, x) = p")
fdtridfd = _of(distributions.fdtridfd, "dfn p x", "the dfd with fdtr(dfn, dfd, x) = p")
stdtr = _of(distributions.stdtr, "df t", "the distribution function of Student's t")
stdtrit = _of(distributions.stdtrit, "df p", "the t with stdtr(df, t) = p")
stdtridf = _of(distributions.stdtridf, "p t", "the df with stdtr(df, t) = p")
pdtr = _of(distributions.pdtr, "k m", "the probability of at most k events, Poisson")
pdtrc = _of(distributions.pdtrc, "k m", "1 - pdtr(k, m)")
pdtri = _of(distributions.pdtri, "k y", "the m with pdtr(k, m) = y")
pdtrik = _of(distributions.pdtrik, "p m", "the k with pdtr(k, m) = p")
bdtr = _of(distributions.bdtr, "k n p", "the probability of at most k successes, binomial")
bdtrc = _of(distributions.bdtrc, "k n p", "1 - bdtr(k, n, p)")
bdtri = _of(distributions.bdtri, "k n y", "the p with bdtr(k, n, p) = y")
bdtrik = _of(distributions.bdtrik, "y n p", "the k with bdtr(k, n, p) = y")
bdtrin = _of(distributions.bdtrin, "k y p", "the n with bdtr(k, n, p) = y")
nbdtr = _of(
    distributions.nbdtr, "k n p", "the probability of at most k failures before n successes"
)
nbdtrc = _of(distributions.nbdtrc, "k n p", "1 - nbdtr(k, n, p)")
nbdtri = _of(distributions.nbdtri, "k n y", "the p with nbdtr(k, n, p) = y")
nbdtrik = _of(distributions.nbdtrik, "y n p", "the k with nbdtr(k, n, p) = y")
nbdtrin = _of(distributions.nbdtrin, "k y p", "the n with nbdtr(k, n, p) = y")
nrdtrimn = _of(distributions.nrdtrimn, "p std x", "the mean with ndtr((x - mean) / std) = p")
nrdtrisd = _of(distributions.nrdtrisd, "mn p x", "the std with ndtr((x - mn) / std) = p")
tklmbda = _of(distributions.tklmbda, "x lmbda", "Tukey's lambda distribution function")
kolmogorov = _of(
    distributions.kolmogorov, "y", "the probability that Kolmogorov's statistic is above y"
)
kolmogi = _of(distributions.kolmogi, "p", "the y with kolmogorov(y) = p")
digamma = psi
jn = jv

# ---- by their differential equation in x, the values a, b and cv without derivatives; the last
# ---- three rows not in degrees of freedom

for _arguments, _names in {
    "m q": "mathieu_a mathieu_b",
    "m q x": "mathieu_cem mathieu_sem mathieu_modcem1 mathieu_modcem2 mathieu_modsem1 "
    "mathieu_modsem2",
    "m n c": "pro_cv obl_cv",
    "m n c x": "pro_ang1 pro_rad1 pro_rad2 obl_ang1 obl_rad1 obl_rad2",
    "m n c cv x": "pro_ang1_cv pro_rad1_cv pro_rad2_cv obl_ang1_cv obl_rad1_cv obl_rad2_cv",
    "n d": "smirnov smirnovi",
    "x1 x2 x3": "chndtr chndtridf chndtrinc chndtrix nctdtr nctdtridf nctdtrinc nctdtrit",
    "x1 x2 x3 x4": "ncfdtr ncfdtri ncfdtridfd ncfdtridfn ncfdtrinc",
}.items():
    for _name in _names.split():
        _row = {**bessel.CHARACTERISTIC, **bessel.WAVES, **vars(noncentral)}[_name]
        globals()[_name] = _of(_row, _arguments, f"SciPy's `{_name}`")

# ---- functions of SciPy that are no ufuncs

_zeta = _of(ops.zeta, "s q", "the sum over k of (q + k)**-s")
_riemann_zeta = _of(ops.riemann_zeta, "s", "Riemann's zeta function")
_polygamma = _of(ops.polygamma, "n x", "the derivative of order n of digamma")
_lambertw_row = _of(hypergeometric.lambertw, "z k tol", "the w with w * exp(w) = z")
_spherical = {
    kind: _of(getattr(bessel, f"spherical_{kind}"), "n z", f"SciPy's `spherical_{kind}`")
    for kind in ("jn", "yn", "in", "kn")
}


def zeta(x: Any, q: Any = None) -> Any:
    """The sum over k >= 0 of (q + k)**-x (Hurwitz); without q, Riemann's zeta function of x.

    Differentiable in both arguments, for x > 1 and q > 0 (Riemann's at any x but 1).
    """
    return _riemann_zeta(x) if q is None else _zeta(x, q)


def polygamma(n: Any, x: Any) -> Any:
    """The derivative of order n of digamma(x); n holds whole numbers."""
    n = n.item() if isinstance(n, (np.ndarray, np.generic)) and n.ndim == 0 else n
    return _polygamma(n, x)


def lambertw(z: Any, k: Any = 0, tol: float = 1e-8) -> Any:
    """The w with w * exp(w) = z, on branch k; complex. Its derivative at -1/e is infinite.

    >>> import gradarg as ga
    >>> ga.grad(lambda x: ga.special.lambertw(x).real)(1.0)
    np.float64(0.36189625...)
    """
    k = k if isinstance(k, Box) or np.ndim(k) else int(k)
    return _lambertw_row(z, k, float(tol))


_UFUNCS["_lambertw"] = lambertw


def multigammaln(a: Any, d: int) -> Any:
    """The logarithm of the gamma function of d x d matrices, for a > (d - 1) / 2.

    d (d - 1) / 4 log(pi) + the sum over j < d of gammaln(a - j / 2)
    """
    a = array(a)
    total = gammaln(a) + d * (d - 1) / 4 * math.log(math.pi)
    for j in range(1, d):
        total = total + gammaln(a - j / 2)
    return total


def logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """log(sum(b * exp(a))) over the given axes, without overflow; with its sign, if wanted."""
    if b is None and not return_sign:
        return reductions.logsumexp(a, axis, keepdims=keepdims)
    a, b = array(a), 1 if b is None else number_or_array(b)
    a = elementwise.where(elementwise.equal(b, 0), -np.inf, a)  # they count nothing
    top = elementwise.stop_gradient(reductions.max(a, axis, keepdims=True))
    top = elementwise.where(elementwise.isfinite(top), top, 0)
    total = reductions.sum(b * elementwise.exp(a - top), axis, keepdims=True)
    sign = elementwise.sign(total)
    size = elementwise.absolute(total) if return_sign else total
    out = reductions.sum(ops.log(size) + top, axis, keepdims=keepdims)
    return (out, reductions.sum(sign, axis, keepdims=keepdims)) if return_sign else out


def softmax(x: Any, axis: Any = None) -> Any:
    """exp(x) / sum(exp(x)) along the given axes, without overflow."""
    return reductions.softmax(x, axis)


def log_softmax(x: Any, axis: Any = None) -> Any:
    """log(softmax(x)), exact where the probability rounds to 0 or 1."""
    return reductions.log_softmax(x, axis)


def softplus(x: Any) -> Any:
    """log(1 + exp(x)), without overflow."""
    return elementwise.softplus(x)


def sinc(x: Any) -> Any:
    """sin(pi x) / (pi x), 1 at 0."""
    return elementwise.sinc(x)


def round(x: Any) -> Any:
    """The nearest whole number, the even one of two; its derivative is zero or does not exist."""
    return elementwise.rint(x)


_UFUNCS["round"] = round


def _spherical_function(kind: str, formula: str) -> Any:
    value = _spherical[kind]

    def function(n: Any, z: Any, derivative: bool = False) -> Any:
        if not derivative:
            return value(n, z)
        n, z = number_or_array(n), array(z)
        ones = np.ones(np.broadcast_shapes(np.shape(n), z.shape), z.dtype)
        rule: Any = getattr(bessel, f"spherical_{kind}").vjps[1]
        return rule(ones, None, n, z)

    function.__name__ = function.__qualname__ = f"spherical_{kind}"
    function.__doc__ = f"{formula}, or its derivative in z."
    _UFUNCS[f"_spherical_{kind}"] = value
    _UFUNCS[f"_spherical_{kind}_d"] = lambda n, z: function(n, z, True)
    return function


spherical_jn = _spherical_function("jn", "sqrt(pi / 2 / z) * jv(n + 1/2, z)")
spherical_yn = _spherical_function("yn", "sqrt(pi / 2 / z) * yv(n + 1/2, z)")
spherical_in = _spherical_function("in", "sqrt(pi / 2 / z) * iv(n + 1/2, z)")
spherical_kn = _spherical_function("kn", "sqrt(pi / 2 / z) * kv(n + 1/2, z)")


def _derivative_of(name: str, f: Callable[..., Any], signs: tuple[int, int]) -> Any:
    """f' = (signs[0] * f(v - 1) + signs[1] * f(v + 1)) / 2, n times."""

    def function(v: Any, z: Any, n: int = 1) -> Any:
        terms = [
            math.comb(n, k) * (signs[0] ** (n - k) * signs[1] ** k / 2**n) * f(v - n + 2 * k, z)
            for k in range(n + 1)
        ]
        return sum(terms[1:], start=terms[0])

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The derivative of order n of {f.__name__}(v, z) in z."
    return function


jvp = _derivative_of("jvp", jv, (1, -1))
yvp = _derivative_of("yvp", yv, (1, -1))
ivp = _derivative_of("ivp", iv, (1, 1))
kvp = _derivative_of("kvp", kv, (-1, -1))
h1vp = _derivative_of("h1vp", hankel1, (1, -1))
h2vp = _derivative_of("h2vp", hankel2, (1, -1))

__all__ = sorted(
    name
    for name, value in globals().items()
    if not name.startswith("_")
    and getattr(value, "__module__", "") == __name__
    and name != "of_ufunc"
)
