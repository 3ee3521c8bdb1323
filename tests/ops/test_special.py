"""Special functions against mpmath, at ordinary and at hard points, and all that SciPy has."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import scipy.special

import gradarg as ga
from gradarg.testing import check_grads

UFUNCS = sorted(n for n in dir(scipy.special) if isinstance(getattr(scipy.special, n), np.ufunc))


def phi(x: Any) -> Any:
    return mp.ncdf(x)


def gammainc(a: Any, x: Any) -> Any:
    return mp.gammainc(a, 0, x, regularized=True)


def betainc(a: Any, b: Any, x: Any) -> Any:
    return mp.betainc(a, b, 0, x, regularized=True)


def student(v: Any, t: Any) -> Any:
    tail = betainc(v / 2, mp.mpf(0.5), v / (v + t * t)) / 2
    return tail if t < 0 else 1 - tail


def ive(v: Any, x: Any) -> Any:
    return mp.besseli(v, x) * mp.exp(-abs(x))


def owens(h: Any, a: Any) -> Any:
    return mp.quad(lambda x: mp.exp(-h * h * (1 + x * x) / 2) / (1 + x * x), [0, a]) / (2 * mp.pi)


def log_ndtr(x: Any) -> Any:
    return mp.log(mp.erfc(-x / mp.sqrt(2)) / 2)


# name, the same in mpmath, the argument to differentiate in, and points: ordinary ones, small and
# large ones, at transitions, near singularities
CASES: list[tuple[str, Callable[..., Any], int, list[tuple[Any, ...]]]] = [
    ("erf", mp.erf, 0, [(0.0,), (1e-9,), (-0.7,), (5.5,)]),
    ("erfc", mp.erfc, 0, [(0.3,), (9.0,), (-4.0,)]),
    (
        "erfcx",
        lambda x: mp.exp(x * x) * mp.erfc(x),
        0,
        [(-3.0,), (0.2,), (7.9,), (8.1,), (100.0,), (1e6,)],
    ),
    ("erfi", mp.erfi, 0, [(0.3,), (-3.0,)]),
    ("erfinv", mp.erfinv, 0, [(0.0,), (0.3,), (-0.999,)]),
    (
        "dawsn",
        lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x),
        0,
        [(0.0,), (0.9,), (-7.9,), (8.2,), (300.0,)],
    ),
    ("ndtr", phi, 0, [(0.4,), (-9.0,)]),
    ("log_ndtr", log_ndtr, 0, [(0.3,), (-5.0,), (-100.0,), (-1e4,), (6.0,)]),
    (
        "ndtri",
        lambda p: mp.sqrt(2) * mp.erfinv(2 * p - 1),
        0,
        [(0.3,), (1e-10,), (0.999,)],
    ),
    ("gamma", mp.gamma, 0, [(0.3,), (5.5,), (-2.3,), (1e-8,), (150.0,), (-0.9999,)]),
    ("gammaln", mp.loggamma, 0, [(0.3,), (5.5,), (1e-8,), (1e6,)]),
    ("rgamma", mp.rgamma, 0, [(0.0,), (-1.0,), (-4.0,), (0.3,), (-2.5,), (7.0,)]),
    ("psi", mp.digamma, 0, [(0.3,), (40.0,), (-2.3,), (1e-6,)]),
    ("poch", mp.rf, 0, [(0.7, 2.3), (-3.0, 2.0), (-1.0, 3.0)]),
    ("poch", mp.rf, 1, [(0.7, 2.3)]),
    ("binom", mp.binomial, 0, [(5.5, 2.3), (4.0, 2.0)]),
    ("binom", mp.binomial, 1, [(5.5, 2.3), (4.0, 2.0), (4.0, 5.0), (4.0, -1.0)]),
    ("beta", mp.beta, 0, [(0.7, 2.3), (20.0, 0.1), (30.0, 0.1)]),
    ("betaln", lambda a, b: mp.log(mp.beta(a, b)), 1, [(1.0, 1e6), (0.3, 40.0), (1e5, 17.0)]),
    ("zeta", mp.zeta, 0, [(2.5,), (1.001,), (0.5,), (-0.5,), (-3.3,), (-2.0,), (30.0,), (0.0,)]),
    ("zeta", mp.zeta, 0, [(2.5, 0.3), (1.01, 20.0), (9.0, 1.0)]),
    ("zeta", mp.zeta, 1, [(2.5, 0.3), (1.01, 20.0)]),
    (
        "gammainc",
        gammainc,
        0,
        [
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
        ],
    ),
    ("gammaincc", lambda a, x: 1 - gammainc(a, x), 0, [(2.5, 30.0), (0.1, 1.0)]),
    (
        "betainc",
        betainc,
        0,
        [
            (0.3, 0.7, 0.2),
            (2.5, 3.5, 0.4),
            (30.0, 40.0, 0.43),
            (1e-3, 2.0, 0.3),
            (0.5, 20.0, 1e-6),
            (0.5, 0.5, 1 - 1e-9),
            (200.0, 300.0, 0.41),
            (1.7e-3, 0.08, 1e-180),
            (6e-3, 0.01, 1.3e-6),
            (1.0, 1.0, 0.5),
        ],
    ),
    (
        "betainc",
        betainc,
        1,
        [
            (0.3, 0.7, 0.2),
            (2.5, 3.5, 0.9),
            (30.0, 40.0, 0.6),
            (2.0, 1e-3, 0.3),
            (5.0, 80.0, 0.05),
            (2.0, 3e4, 1e-4),
            (0.6, 0.02, 1 - 1e-13),
        ],
    ),
    ("stdtr", student, 0, [(1.5, 0.3), (1.5, -2.0), (30.0, 5.0), (3.0, 1.732)]),
    ("stdtr", student, 1, [(1.5, 0.3), (30.0, -5.0)]),
    ("jv", mp.besselj, 1, [(0.0, 0.0), (1.0, 0.0), (2.0, 1e-5), (1.5, 0.3), (3.0, 80.0)]),
    ("yv", mp.bessely, 1, [(0.0, 0.1), (1.5, 3.0), (2.5, 60.0)]),
    ("iv", mp.besseli, 1, [(0.0, 0.0), (2.5, 0.3), (1.0, 0.0), (3.0, -20.0)]),
    ("kv", mp.besselk, 1, [(0.0, 0.1), (2.5, 0.01), (1.5, 30.0)]),
    ("ive", ive, 1, [(0.0, 0.4), (2.5, 50.0), (1.0, -3.0)]),
    ("kve", lambda v, x: mp.besselk(v, x) * mp.exp(x), 1, [(0.5, 0.1), (2.5, 100.0)]),
    ("j0", lambda x: mp.besselj(0, x), 0, [(0.0,), (2.4,), (50.0,)]),
    ("j1", lambda x: mp.besselj(1, x), 0, [(0.0,), (-2.4,), (50.0,)]),
    ("y0", lambda x: mp.bessely(0, x), 0, [(0.01,), (2.4,)]),
    ("y1", lambda x: mp.bessely(1, x), 0, [(0.01,), (2.4,)]),
    ("i1e", lambda x: ive(1, x), 0, [(1e-4,), (-2.4,), (90.0,)]),
    ("k1e", lambda x: mp.besselk(1, x) * mp.exp(x), 0, [(0.01,), (3.0,)]),
    ("struve", mp.struveh, 1, [(1.5, 0.3), (0.0, 20.0)]),
    ("modstruve", mp.struvel, 1, [(1.5, 0.3), (0.0, 5.0)]),
    ("ber", lambda x: mp.ber(0, x), 0, [(0.0,), (2.0,)]),
    ("expi", mp.ei, 0, [(0.3,), (-2.0,), (30.0,)]),
    ("exp1", mp.e1, 0, [(1e-6,), (2.0,), (30.0,)]),
    ("expn", mp.expint, 1, [(0, 0.7), (1, 0.01), (4, 20.0)]),
    ("spence", lambda z: mp.polylog(2, 1 - z), 0, [(1.0,), (1e-9,), (0.4,), (1.8,)]),
    ("owens_t", owens, 0, [(0.3, 0.7), (5.0, 0.1), (0.0, 2.0)]),
    ("owens_t", owens, 1, [(0.3, 0.7), (3.0, 5.0)]),
    ("ellipk", mp.ellipk, 0, [(0.0,), (1e-9,), (0.5,), (-30.0,), (1 - 1e-9,)]),
    ("ellipkm1", lambda p: mp.ellipk(1 - p), 0, [(1e-20,), (0.3,)]),
    ("ellipe", mp.ellipe, 0, [(0.0,), (0.5,), (-30.0,), (1 - 1e-9,)]),
    ("ellipkinc", mp.ellipf, 1, [(0.5, 0.0), (1.5, 0.9), (2.5, 0.4), (-0.7, -3.0), (8.0, 0.2)]),
    ("ellipkinc", mp.ellipf, 0, [(0.5, 0.3), (2.5, 0.4)]),
    ("ellipeinc", mp.ellipe, 1, [(0.5, 0.0), (1.5, 0.9), (2.5, 0.4), (-0.7, -3.0)]),
    ("elliprf", mp.elliprf, 0, [(1.0, 1.0, 1.0), (0.3, 0.7, 1e6), (1e-8, 2.0, 3.0)]),
    ("elliprd", mp.elliprd, 2, [(1.0, 1.0, 1.0), (0.0, 0.7, 3.0)]),
    ("elliprj", mp.elliprj, 3, [(0.3, 0.7, 2.0, 1.5), (1.0, 1.0, 1.0, 1.0)]),
    ("elliprg", mp.elliprg, 1, [(0.3, 0.7, 2.0), (1.0, 1.0, 1.0)]),
    ("elliprc", mp.elliprc, 1, [(1.0, 1.0), (0.0, 3.0)]),
    ("agm", mp.agm, 0, [(1.0, 1.0), (24.0, 6.0), (1e-6, 2.0)]),
    ("hyp2f1", mp.hyp2f1, 3, [(0.4, 1.3, 2.1, 0.0), (0.4, 1.3, 2.1, 0.95), (1.0, 2.0, 3.5, -4.0)]),
    ("hyp1f1", mp.hyp1f1, 2, [(0.4, 1.3, 0.0), (0.4, 1.3, -20.0), (2.0, 3.5, 10.0)]),
    ("hyp0f1", mp.hyp0f1, 1, [(1.3, 0.0), (1.3, -9.0)]),
    ("hyperu", mp.hyperu, 2, [(0.4, 1.3, 0.5), (0.4, 1.3, 9.0)]),
    ("eval_legendre", mp.legendre, 1, [(4, 1.0), (4, -1.0), (0, 0.3), (1, 0.3), (7, 0.2)]),
    ("eval_chebyt", mp.chebyt, 1, [(4, 1.0), (5, -0.3), (1, 0.2)]),
    ("eval_chebyu", mp.chebyu, 1, [(4, 1.0), (5, -0.3), (1, 0.2)]),
    ("eval_hermite", mp.hermite, 1, [(4, 0.0), (5, -1.3), (1, 0.2)]),
    ("eval_laguerre", lambda n, x: mp.laguerre(n, 0, x), 1, [(4, 0.0), (5, 2.3)]),
    ("eval_gegenbauer", mp.gegenbauer, 2, [(4, 0.7, 1.0), (5, 1.5, -0.3)]),
    ("eval_jacobi", mp.jacobi, 3, [(4, 0.7, 1.3, 1.0), (5, 1.5, 0.2, -0.3)]),
    ("entr", lambda x: -x * mp.log(x), 0, [(1e-12,), (0.3,)]),
    ("kl_div", lambda x, y: x * mp.log(x / y) - x + y, 0, [(1.0, 1 + 1e-9), (0.3, 4.0)]),
    ("kl_div", lambda x, y: x * mp.log(x / y) - x + y, 1, [(1.0, 1 + 1e-9), (0.3, 4.0)]),
    ("boxcox", lambda x, k: (x**k - 1) / k, 1, [(2.5, 1e-9), (0.3, 0.7), (40.0, -3.0)]),
    ("inv_boxcox", lambda y, k: (k * y + 1) ** (1 / k), 1, [(0.4, 1e-9), (0.4, 2.0)]),
    ("exprel", lambda x: mp.expm1(x) / x, 0, [(1e-9,), (2.5,), (-40.0,)]),
    ("expit", lambda x: 1 / (1 + mp.exp(-x)), 0, [(0.3,), (45.0,), (-300.0,)]),
    ("log_expit", lambda x: -mp.log1p(mp.exp(-x)), 0, [(0.3,), (45.0,), (-300.0,)]),
    ("xlogy", lambda x, y: x * mp.log(y), 1, [(0.7, 0.3), (0.0, 0.4)]),
    ("pseudo_huber", lambda d, r: d * d * (mp.sqrt(1 + (r / d) ** 2) - 1), 0, [(2.0, 1e-3)]),
]


@pytest.mark.parametrize(
    ("name", "reference", "place", "points"), CASES, ids=[f"{c[0]}-{c[2]}" for c in CASES]
)
def test_derivatives_are_those_of_mpmath(name, reference, place, points):
    function = getattr(ga.special, name)
    for point in points:
        with mp.workdps(60 if name.startswith(("gamma", "owens")) else 40):
            exact = [mp.mpf(x) if isinstance(x, float) else x for x in point]

            def along(x, exact=exact):
                return reference(*exact[:place], x, *exact[place + 1 :])

            expected = [float(mp.re(mp.diff(along, exact[place], n))) for n in (1, 2)]

        def f(x, point=point):
            return function(*point[:place], x, *point[place + 1 :])

        first = ga.grad(f)
        np.testing.assert_allclose(first(point[place]), expected[0], 1e-9, 1e-300, err_msg=point)
        np.testing.assert_allclose(
            ga.grad(first)(point[place]), expected[1], 1e-7, 1e-13, err_msg=point
        )


def test_every_ufunc_of_scipy_is_here():
    """By its name in ga.special, and by the ufunc itself."""
    assert [n for n in UFUNCS if n not in ga.special.__all__] == []
    from gradarg._namespace.special import of_ufunc

    assert [n for n in UFUNCS if of_ufunc(getattr(scipy.special, n)) is None] == []


# The arguments in which a derivative is refused, for every ufunc where there are any.
ORDER = (
    "jv jn yv iv kv jve yve ive kve yn kn hankel1 hankel2 hankel1e hankel2e struve modstruve pbdv "
)
ORDER += "pbvv pbwa expn hyp0f1 "
POLYNOMIALS = "legendre chebyt chebyu chebyc chebys laguerre sh_legendre sh_chebyt "
POLYNOMIALS += "sh_chebyu"
REFUSED: dict[tuple[int, ...], str] = {
    (0,): ORDER + " ".join(f"eval_{n}" for n in POLYNOMIALS.split()),
    (0, 1): "eval_gegenbauer eval_genlaguerre hyp1f1 hyperu wright_bessel log_wright_bessel lpmv "
    "mathieu_a mathieu_b mathieu_cem mathieu_sem mathieu_modcem1 mathieu_modcem2 mathieu_modsem1 "
    "mathieu_modsem2 smirnov smirnovi",
    (1, 2): "besselpoly",
    (
        0,
        1,
        2,
    ): "hyp2f1 eval_jacobi eval_sh_jacobi pro_cv obl_cv pro_ang1 pro_rad1 pro_rad2 obl_ang1 "
    "obl_rad1 obl_rad2 chndtr chndtridf chndtrinc chndtrix nctdtr nctdtridf nctdtrinc nctdtrit",
    (0, 1, 2, 3): "ncfdtr ncfdtri ncfdtridfd ncfdtridfn ncfdtrinc pro_ang1_cv pro_rad1_cv "
    "pro_rad2_cv obl_ang1_cv obl_rad1_cv obl_rad2_cv",
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", UFUNCS)
def test_a_derivative_or_the_reason_why_not(name):
    refused = next((places for places, names in REFUSED.items() if name in names.split()), ())
    ufunc = getattr(scipy.special, name)
    args = [2.0, 1.0, 0.4, 0.3, 0.7][: ufunc.nin]
    if name.startswith("eval_hermite"):  # which take no float as the order
        args[0] = 2
    for place in range(name.startswith("eval_hermite"), ufunc.nin):

        def f(x, place=place):
            out = ufunc(*args[:place], x, *args[place + 1 :])
            return (out if ufunc.nout == 1 else out[0] + out[1]).real

        if place in refused:
            with pytest.raises(
                ga.DerivativeError, match=rf"{ufunc.__name__}.* argument {place + 1}"
            ):
                ga.grad(f)(args[place])
            with pytest.raises(ga.DerivativeError):
                ga.jvp(f, (args[place],), (1.0,))
        else:
            ga.grad(f)(args[place])


X = np.array([0.3, 1.7])


@pytest.mark.parametrize(
    "f",
    [
        scipy.special.gammaln,
        lambda x: scipy.special.gammainc(x, x + 1),
        lambda x: scipy.special.jv(2, x),
        lambda x: scipy.special.betainc(x, 2, x / 3),
        lambda x: scipy.special.lambertw(x).real,
        lambda x: scipy.special.zeta(1 + x, x),
        lambda x: scipy.special.airy(x)[2],
        lambda x: scipy.special.xlogy(3, x),
    ],
)
def test_scipys_own_functions_take_tensors(f):
    check_grads(f, (X,))
    slope = ga.grad(lambda x: np.sum(f(x)))
    rows = np.stack([X, X + 0.1])
    np.testing.assert_allclose(ga.vmap(slope)(rows), [slope(x) for x in rows], 1e-13)
    np.testing.assert_allclose(ga.stage(slope, X)(X), slope(X), 1e-13)
    t = ga.Tensor(X, requires_grad=True)
    np.sum(f(t)).backward()
    np.testing.assert_allclose(t.grad.value, slope(X), 1e-13)
    np.testing.assert_array_equal(f(t).value, f(X))
    assert slope(X.astype(np.float32)).dtype == np.float32


def test_gamma_sampling_of_a_likelihood_in_its_parameters():
    """The score of censored gamma data, in shape and rate, against differences."""
    data = np.array([0.4, 1.3, 2.2, 0.9])

    def loss(p):
        return -np.sum(np.log(scipy.special.gammaincc(p[0], p[1] * data)))

    check_grads(loss, (np.array([1.7, 0.8]),), order=2)


def test_composites():
    a, b = np.array([[0.3, -1.2, 2.0], [0.7, 0.1, -3.0]]), np.array([1.0, 2.0, -0.5])
    for options in ({}, {"axis": 1}, {"axis": 0, "keepdims": True}, {"axis": 1, "b": abs(b)}):
        np.testing.assert_allclose(
            ga.special.logsumexp(a, **options), scipy.special.logsumexp(a, **options), 1e-14
        )
        check_grads(lambda a, options=options: ga.special.logsumexp(a, **options), (a,))
    out, sign = ga.special.logsumexp(-a, axis=1, b=b, return_sign=True)
    expected = scipy.special.logsumexp(-a, axis=1, b=b, return_sign=True)
    np.testing.assert_allclose([out, sign], expected, 1e-14)
    check_grads(lambda b: ga.special.logsumexp(-a, axis=1, b=b, return_sign=True)[0], (b,))
    for name in ("softmax", "log_softmax"):
        for axis in (None, 0, 1):
            found = getattr(ga.special, name)(a, axis)
            np.testing.assert_allclose(found, getattr(scipy.special, name)(a, axis), 1e-14)
    x = np.array([2.3, 3.1])
    np.testing.assert_allclose(
        ga.special.multigammaln(x, 3), [scipy.special.multigammaln(v, 3) for v in x], 1e-14
    )
    check_grads(lambda x: ga.special.multigammaln(x, 3), (x,))
    for name in ("jvp", "yvp", "ivp", "kvp", "h1vp", "h2vp"):
        found = getattr(ga.special, name)(1.5, x, 2)
        np.testing.assert_allclose(found, getattr(scipy.special, name)(1.5, x, 2), 1e-12)
    for name in ("spherical_jn", "spherical_yn", "spherical_in", "spherical_kn"):
        for n in (0, 3):
            found = getattr(ga.special, name)(n, x, True)
            np.testing.assert_allclose(found, getattr(scipy.special, name)(n, x, True), 1e-12)
    assert ga.grad(lambda x: ga.special.spherical_jn(1, x))(0.0) == pytest.approx(1 / 3)
    np.testing.assert_allclose(
        ga.special.polygamma(np.array([0, 1, 2]), 0.7), scipy.special.polygamma([0, 1, 2], 0.7)
    )


def test_numbers_arrays_and_tensors():
    assert ga.special.erf(0.5) == scipy.special.erf(0.5)
    assert isinstance(ga.special.erf(X), np.ndarray)
    assert isinstance(ga.special.erf(ga.Tensor(X)), ga.Tensor)
    assert ga.special.jv(2, X.astype(np.float32)).dtype == np.float32
    assert ga.special.xlogy(2, 3) == scipy.special.xlogy(2, 3)
    assert ga.special.erf([0.5, 1]).shape == (2,)
    with pytest.raises(TypeError, match=r"erf\(x\) takes 1, not 2"):
        ga.special.erf(1.0, 2.0)


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (lambda x: ga.special.xlogy(x, 0.3), 0.0, np.log(0.3)),
        (lambda x: ga.special.xlogy(0.0, x), 0.0, 0),
        (ga.special.entr, 0.0, np.inf),
        (lambda x: ga.special.rel_entr(0.0, x), 0.4, 0),
        (lambda x: ga.special.kl_div(0.0, x), 0.4, 1),
        (ga.special.logit, 0.0, np.inf),
        (ga.special.ndtri, 1.0, np.inf),
        (ga.special.erfinv, -1.0, np.inf),
        (ga.special.log_ndtr, -1e9, 1e9),
        (ga.special.log_ndtr, 50.0, 0),
        (lambda x: ga.special.iv(0, x), 0.0, 0),
        (ga.special.i0e, 0.0, 0),
        (lambda x: ga.special.gammainc(x, 0.0), 1.5, 0),
        (lambda x: ga.special.gammainc(x, np.inf), 1.5, 0),
        (lambda x: ga.special.gammainc(0.5, x), 0.0, np.inf),
        (lambda x: ga.special.gammainc(1.0, x), 0.0, 1),
        (lambda x: ga.special.betainc(x, 2.0, 0.0), 1.5, 0),
        (lambda x: ga.special.betainc(x, 2.0, 1.0), 1.5, 0),
        (lambda x: ga.special.betainc(1.0, 3.0, x), 0.0, 3),
        (lambda x: ga.special.stdtr(x, 0.0), 3.0, 0),
        (lambda x: ga.special.huber(1.0, x), 0.0, 0),
        (ga.special.lambertw, 0.0, 1),
        (lambda x: ga.special.boxcox(0.0, x), 2.0, 0.25),
        (ga.special.gamma, -1.0, np.nan),
        (lambda x: ga.special.gammainc(x, 1.0), -1.0, np.nan),
        (ga.special.kolmogorov, 0.0, 0),
        (lambda x: ga.special.logsumexp(np.stack([x, -np.inf * np.ones_like(x)])), 0.3, 1),
    ],
)
def test_edges(f, x, expected):
    real = lambda x: np.real(f(x))
    np.testing.assert_allclose(ga.grad(real)(x), expected, 1e-9)


def test_mixed_second_derivatives_of_student_at_zero():
    """d2/dv dt at t = 0, where the derivative in v itself vanishes."""
    both = ga.grad(ga.grad(ga.special.stdtr), argnums=1)(3.0, 0.0)
    other = ga.grad(ga.grad(ga.special.stdtr, argnums=1))(3.0, 0.0)
    assert both == pytest.approx(other, rel=1e-12)


def test_scaled_functions_of_complex_arguments_are_refused():
    for name in ("jve", "yve", "ive"):
        with pytest.raises(ga.DerivativeError, match="not holomorphic"):
            ga.vjp(lambda z, name=name: getattr(ga.special, name)(1.5, z), 1 + 1j)[1](1.0)


def test_scipy_is_loaded_when_first_used_and_missed_by_name():
    script = """
import sys
sys.modules["scipy"] = None
import gradarg as ga
try:
    ga.special.erf(0.5)
except ImportError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "pip install gradarg[special]" in run.stdout
    script = "import sys, gradarg as ga; ga.special; print('scipy' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: ga.special.xlogy(x, 0.0), 0.0),
        (ga.special.entr, 0.0),
        (ga.special.logit, 1.0),
        (ga.special.ndtri, 0.0),
        (ga.special.erfinv, 1.0),
        (lambda x: ga.special.gammainc(0.5, x), 0.0),
        (lambda x: ga.special.rel_entr(x, 1.0), 0.0),
        (lambda x: ga.special.jv(0.5, x), 0.0),
        (lambda x: ga.special.expn(2, x), 0.0),
        (ga.special.ellipe, 1.0),
        (ga.special.spence, 0.0),
        (lambda x: ga.special.boxcox(x, 0.5), 0.0),
    ],
)
def test_no_zero_times_infinity(f, x):
    """What `where` has not taken sends back a derivative of 0, and it stays 0."""
    assert ga.vjp(f, np.float64(x))[1](0.0)[0] == 0
