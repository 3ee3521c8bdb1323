"""Special functions against mpmath, at ordinary and at hard points, and all that SciPy has."""

import subprocess
import sys
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import scipy.special

import gradarg as ga
from gradarg.testing import check_grads
from tests.ops.special_references import SMALL
from tests.ops.special_rows import ROWS

UFUNCS = sorted(n for n in dir(scipy.special) if isinstance(getattr(scipy.special, n), np.ufunc))


def outputs(out: Any) -> Any:
    return out if isinstance(out, tuple) else (out,)


def compare(found: Any, expected: Any, tolerance: float, noise: Any) -> None:
    """Each output of a function at all points against numbers of mpmath."""
    exact = np.array([[complex(x) for x in outs] for outs in expected]).T
    found = np.reshape(found, exact.shape)
    close = np.isclose(found, exact, 0, tolerance * np.abs(exact) + noise)
    assert np.all(close), f"{found[~close]} where mpmath has {exact[~close]}"


@pytest.mark.filterwarnings("ignore")  # of SciPy and NumPy, where a result overflows
@pytest.mark.parametrize("name", ROWS)
def test_values_and_derivatives_are_those_of_mpmath(name):
    """In each argument, the first derivative to 1e-9 and the second to 1e-7, by differences.

    With 80 digits and steps of 1e-20 these are exact to more digits than a float has.
    """
    row = ROWS[name]
    function = row.call or getattr(ga.special, name.split()[0])
    columns = [np.array(c) for c in zip(*row.points)]
    with mp.workdps(80):
        exact = [[x if isinstance(x, int) else mp.mpf(x) for x in p] for p in row.points]
        values = [outputs(row.reference(*p)) for p in exact]
        compare(function(*columns), values, row.value, row.value * row.scale)
        for place in range(len(columns)):
            chosen = [i for i, p in enumerate(row.points) if isinstance(p[place], float)]
            if not chosen:
                continue
            given = [c[chosen] for c in columns]

            def slope(x, given=given, place=place):
                f = lambda x: function(*given[:place], x, *given[place + 1 :])
                return ga.jvp(f, (x,), (np.ones_like(x),))[1]

            x = given[place]
            if place in refused(name):
                with pytest.raises(ga.DerivativeError):
                    slope(x)
                continue
            first, second = [], []
            for i in chosen:
                step = SMALL * (abs(exact[i][place]) or 1)
                low, high = list(exact[i]), list(exact[i])
                low[place], high[place] = low[place] - step, high[place] + step
                ends = outputs(row.reference(*low)), outputs(row.reference(*high))
                terms = list(zip(ends[0], values[i], ends[1]))
                first.append([(c - a) / (2 * step) for a, _, c in terms])
                second.append([(c - 2 * b + a) / step**2 for a, b, c in terms])
            rounding = 1e-70 / (1e-20 * np.where(x == 0, 1, np.abs(x)))
            compare(slope(x), first, 1e-9, rounding)
            curvature = ga.jvp(slope, (x,), (np.ones_like(x),))[1]
            compare(curvature, second, 1e-7, 1e-13 + rounding**2 * 1e70)


def test_integrals_over_t_at_zero():
    """(I_0(t) - 1) / t and (1 - J_0(t)) / t begin with t / 4 -+ t**3 / 64 from 0 on."""
    for name, fourth in (("it2i0k0", 3 / 32), ("it2j0y0", -3 / 32)):
        f = lambda x, name=name: getattr(ga.special, name)(x)[0]
        orders = [ga.grad(f), ga.grad(ga.grad(f)), ga.grad(ga.grad(ga.grad(f)))]
        np.testing.assert_allclose([float(d(0.0)) for d in orders], [0, 0.25, 0], atol=1e-15)
        x = 1e-3  # where the difference itself has lost all digits
        exact = [x / 4, 0.25, fourth * x]
        np.testing.assert_allclose([float(d(x)) for d in orders], exact, rtol=1e-6)


def test_every_name_is_held_against_mpmath():
    assert {name.split()[0] for name in ROWS} == set(ga.special.__all__)


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
    (0,): ORDER
    + "smirnov smirnovi nctdtr nctdtrinc nctdtrit "
    + "jvp yvp ivp kvp h1vp h2vp "  # which are none, but made of them
    + " ".join(f"eval_{n}" for n in POLYNOMIALS.split()),
    (0, 1): "eval_gegenbauer eval_genlaguerre hyp1f1 hyperu wright_bessel log_wright_bessel lpmv "
    "mathieu_a mathieu_b mathieu_cem mathieu_sem mathieu_modcem1 mathieu_modcem2 mathieu_modsem1 "
    "mathieu_modsem2 ncfdtr ncfdtri",
    (1,): "chndtr chndtrinc chndtrix",
    (1, 2): "besselpoly",
    (
        0,
        1,
        2,
    ): "hyp2f1 eval_jacobi eval_sh_jacobi pro_cv obl_cv pro_ang1 pro_rad1 pro_rad2 obl_ang1 "
    "obl_rad1 obl_rad2 chndtridf nctdtridf",
    (0, 1, 2, 3): "ncfdtridfd ncfdtridfn ncfdtrinc pro_ang1_cv pro_rad1_cv "
    "pro_rad2_cv obl_ang1_cv obl_rad1_cv obl_rad2_cv",
}


def refused(name: str) -> tuple[int, ...]:
    return next((places for places, names in REFUSED.items() if name in names.split()), ())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", UFUNCS)
def test_a_derivative_or_the_reason_why_not(name):
    ufunc = getattr(scipy.special, name)
    args = [2.0, 1.0, 0.4, 0.3, 0.7][: ufunc.nin]
    if name.startswith("eval_hermite"):  # which take no float as the order
        args[0] = 2
    for place in range(name.startswith("eval_hermite"), ufunc.nin):

        def f(x, place=place):
            out = ufunc(*args[:place], x, *args[place + 1 :])
            return (out if ufunc.nout == 1 else out[0] + out[1]).real

        if place in refused(name):
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


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (ga.special.gammainc, (1.0, 0.0), [[0, -np.inf], [-np.inf, -1]]),
        (ga.special.gammainc, (2.0, 0.0), [[0, 0], [0, 1]]),
        (ga.special.gammainc, (1.5, 0.0), [[0, 0], [0, np.inf]]),
        (ga.special.gammaincc, (2.0, 0.0), [[0, 0], [0, -1]]),
        (ga.special.betainc, (2.0, 2.0, 0.0), [[0, 0, 0], [0, 0, 0], [0, 0, 6]]),
        (ga.special.betainc, (2.0, 2.0, 1.0), [[0, 0, 0], [0, 0, 0], [0, 0, -6]]),
        (ga.special.betainc, (1.0, 2.0, 0.0), [[0, 0, -np.inf], [0, 0, 1], [-np.inf, 1, -2]]),
        (
            ga.special.betainc,
            (2.0, 0.5, 1.0),
            [[0, 0, np.inf], [0, 0, -np.inf], [np.inf, -np.inf, np.inf]],
        ),
        (ga.special.chdtr, (4.0, 0.0), [[0, 0], [0, 0.25]]),
        (ga.special.gdtr, (1.0, 1.0, 0.0), [[0, 0, 1], [0, 0, -np.inf], [1, -np.inf, -1]]),
        (ga.special.fdtr, (2.0, 3.0, 0.0), [[0, 0, -np.inf], [0, 0, 0], [-np.inf, 0, -5 / 3]]),
    ],
)
def test_second_derivatives_at_the_ends_of_a_distribution(f, x, expected):
    count = range(len(x))
    reverse = [[ga.grad(ga.grad(f, i), j)(*x) for j in count] for i in count]
    np.testing.assert_allclose(reverse, expected, 1e-12)
    units = np.eye(len(x)).tolist()
    forward = [[ga.jvp(ga.grad(f, i), x, units[j])[1] for j in count] for i in count]
    np.testing.assert_allclose(forward, expected, 1e-12)


def test_third_derivatives_at_the_ends_of_a_distribution():
    third = lambda f: float(ga.grad(ga.grad(ga.grad(f)))(0.0))
    assert third(lambda x: ga.special.gammainc(3.0, x)) == pytest.approx(1)
    assert third(lambda x: ga.special.betainc(2.0, 2.0, x)) == pytest.approx(-12)


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
