"""Statistics, calculus and polynomials where they are singular, tied, empty or masked."""

import warnings

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import gradarg as ga

inf, nan = np.inf, np.nan


def array(*numbers):
    return np.array(numbers, float)


def gradient(f, x):
    """The gradient of a sum of f in both modes, which must agree."""
    reverse = ga.grad(lambda x: np.sum(f(x)))(x)
    units = np.eye(x.size).reshape(x.size, *x.shape)
    forward = [ga.jvp(lambda x: np.sum(f(x)), (x,), (unit,))[1] for unit in units]
    assert_allclose(np.reshape(forward, x.shape), reverse, rtol=1e-13, atol=1e-15)
    return reverse


# ---- masks and initial values


def test_what_does_not_count_has_no_derivative_even_where_it_is_no_number():
    x, mask = array(2, nan, 3, nan), array(1, 0, 1, 0) > 0
    assert_array_equal(gradient(lambda x: np.sum(x, where=mask) ** 2, x), [10, 0, 10, 0])
    assert_array_equal(gradient(lambda x: np.prod(x, where=mask), x), [3, 0, 2, 0])
    assert_array_equal(gradient(lambda x: np.mean(x, where=mask), x), [0.5, 0, 0.5, 0])
    assert_array_equal(gradient(lambda x: np.max(x, where=mask, initial=-9), x), [0, 0, 1, 0])
    assert_array_equal(gradient(lambda x: np.var(x, where=mask), x), [-0.5, 0, 0.5, 0])
    assert_array_equal(gradient(lambda x: np.std(x, where=mask), x), [-0.5, 0, 0.5, 0])


def test_initial_values_have_derivatives():
    x = array(2, 3)
    assert ga.grad(lambda s: ga.sum(x, initial=s) ** 2)(1.0) == 12
    assert ga.grad(lambda s: ga.prod(x, initial=s))(1.0) == 6
    assert ga.grad(lambda s: ga.max(x, initial=s))(7.0) == 1
    assert ga.grad(lambda s: ga.min(x, initial=s))(7.0) == 0
    assert_array_equal(gradient(lambda x: np.max(x, initial=3), x), [0, 0.5])  # a tie
    assert ga.grad(lambda s: ga.max(np.zeros(0), initial=s))(7.0) == 1


def test_a_mask_over_nothing():
    x, none = array(1, 2), array(0, 0) > 0
    for f in (np.mean, np.var, np.std):
        found = f(ga.Tensor(x), where=none)
        assert np.isnan(found.value)
        assert_array_equal(gradient(lambda x: f(x, where=none), x), [0, 0])  # noqa: B023
    with pytest.raises(ValueError, match="initial"):
        np.max(ga.Tensor(x), where=none)
    with pytest.raises(ga.ShapeError, match="where"):
        np.sum(ga.Tensor(x), where=np.ones((3, 2), bool))


def test_out_would_lose_the_derivative():
    t = ga.Tensor(array(1, 2), requires_grad=True)
    for call in (
        lambda: ga.sum(t, out=np.zeros(())),
        lambda: t.cumsum(0, None, np.zeros(2)),
        lambda: ga.median(t, None, np.zeros(())),
    ):
        with pytest.raises(ga.ImmutableError, match=r"out=.*derivative"):
            call()
    assert ga.sum(t, 0, None, None, True).shape == (1,)


def test_degrees_of_freedom_as_numpy_counts_them():
    x = np.array([[1.0, 4, nan], [nan, nan, 2]])
    t = ga.Tensor(x)
    mask = np.isfinite(x)
    for ddof in (0, 1, 2, 3):
        with warnings.catch_warnings(action="ignore"):
            expected = np.var(x, axis=0, ddof=ddof, where=mask)
        assert_array_equal(np.var(t, axis=0, ddof=ddof, where=mask).value, expected)
    assert_allclose(np.nanvar(t, axis=1, ddof=1).value, [4.5, nan])
    assert_array_equal(
        gradient(lambda x: np.nanvar(x, axis=1, ddof=1)[:1], x), [[-3, 3, 0], [0] * 3]
    )


# ---- NaN


HOLES = np.array([[1.0, nan, 3.0, 2.0], [nan, nan, nan, nan]])


@pytest.mark.parametrize(
    "f, expected",
    [
        (np.nansum, [1, 0, 1, 1]),
        (np.nanprod, [6, 0, 2, 3]),
        (np.nanmean, [1 / 3, 0, 1 / 3, 1 / 3]),
        (np.nanmax, [0, 0, 1, 0]),
        (np.nanmin, [1, 0, 0, 0]),
        (np.nanmedian, [0, 0, 0, 1]),
        (lambda x, axis: np.nanquantile(x, 0.25, axis=axis), [0.5, 0, 0, 0.5]),
        (lambda x, axis: np.nanpercentile(x, 25, axis=axis), [0.5, 0, 0, 0.5]),
        (np.nanvar, [-2 / 3, 0, 2 / 3, 0]),
    ],
)
def test_places_that_are_nan_have_no_derivative(f, expected):
    g = gradient(lambda x: f(x, axis=1)[0], HOLES)
    assert_allclose(g, [expected, [0, 0, 0, 0]], atol=1e-15)
    whole = gradient(lambda x: np.where(np.arange(2) == 0, f(x, axis=1), 0), HOLES)
    assert_allclose(whole, g, atol=1e-15)


def test_slices_of_nothing_but_nan():
    t = ga.Tensor(HOLES)
    for f in (np.nanmean, np.nanvar, np.nanstd, np.nanmax, np.nanmin, np.nanmedian):
        assert np.isnan(f(t, axis=1).value[1])
    assert_array_equal(np.nansum(t, axis=1).value, [6, 0])
    assert_array_equal(np.nanprod(t, axis=1).value, [6, 1])
    for f in (np.nanargmax, np.nanargmin):
        with pytest.raises(ValueError, match="NaN"):
            f(t, axis=1)
    found = ga.vmap(np.nanargmax)(HOLES)
    assert_array_equal(found, [2, -1])


def test_one_nan_makes_a_median_nan():
    x = array(1, nan, 3)
    for f in (np.median, lambda x: np.quantile(x, 0.3), lambda x: np.percentile(x, 30)):
        assert np.isnan(f(ga.Tensor(x)).value)
        assert np.isnan(f(x))


def test_nan_to_num_with_numbers_that_vary():
    x = array(1, nan, inf, -inf)
    f = lambda x, a, b, c: np.nan_to_num(x, nan=a, posinf=b, neginf=c) @ array(1, 10, 100, 1000)
    found = ga.grad(f, argnums=(0, 1, 2, 3))(x, 5.0, 6.0, 7.0)
    assert_array_equal(found[0], [1, 0, 0, 0])
    assert found[1:] == (10, 100, 1000)


# ---- order


def test_medians():
    assert_array_equal(gradient(np.median, array(5, 1, 3)), [0, 0, 1])
    assert_array_equal(gradient(np.median, array(5, 1, 3, 9)), [0.5, 0, 0.5, 0])
    assert_array_equal(gradient(np.median, array(2, 2, 2)), [0, 1, 0])  # as sort has it
    ties = array(3, 1, 3, 2, 3, 3, 9, 8, 7, 3)
    for q in (np.linspace(0.3, 0.6, 3), np.linspace(0.3, 0.6, 20)):  # chosen in two ways
        found = gradient(lambda x: np.quantile(x, q, method="lower"), ties)  # noqa: B023
        places = np.floor(9 * q).astype(int)
        expected = np.bincount(np.argsort(ties, stable=True)[places], minlength=10)
        assert_array_equal(found, expected)
    assert np.median(ga.Tensor(array(inf, inf, 1, 2, inf, inf))).value == inf
    assert_array_equal(np.median(ga.Tensor(np.zeros((0, 2))), axis=1).value, np.zeros(0))


def test_not_a_number_changes_its_array_in_place_if_told_so():
    x = ga.Tensor(array(1, nan))
    assert np.nan_to_num(x, copy=False, nan=5.0) is x
    assert_array_equal(x.value, [1, 5])

    def f(x):
        y = 3 * x
        np.nan_to_num(y, copy=False)
        return np.sum(y**2)

    assert_array_equal(ga.grad(f)(array(2, nan)), [36, 0])


@pytest.mark.filterwarnings("ignore")  # NumPy's, of empty slices
def test_statistics_of_nothing():
    none, rows = np.zeros(0), np.zeros((3, 0))
    for f in (
        np.median,
        np.nanmedian,
        np.nanmean,
        np.nansum,
        np.cov,
        np.corrcoef,
        np.histogram_bin_edges,
        np.ediff1d,
        np.unwrap,
        np.trapezoid,
        lambda x: np.nanquantile(x, [0.2, 0.7]),
    ):
        assert_array_equal(f(ga.Tensor(none)).value, f(none))
        assert ga.grad(lambda x: np.sum(f(x)))(none).shape == (0,)  # noqa: B023
    for f in (np.nanmedian, np.nanmean, lambda x, axis: np.nanquantile(x, 0.2, axis=axis)):
        assert_array_equal(f(ga.Tensor(rows), axis=1).value, f(rows, axis=1))
    for f in (np.nanmax, np.ptp, np.nanargmin, lambda x: np.quantile(x, 0.5)):
        for x in (none, ga.Tensor(none)):
            with pytest.raises((ValueError, IndexError)):
                f(x)


def test_the_slope_of_a_quantile():
    x = array(4, 1, 9, 2)
    slope = ga.grad(lambda q: np.quantile(x, q))
    assert_allclose([slope(q) for q in (0.0, 0.2, 0.5, 0.9)], array(1, 1, 2, 5) * 3)
    assert slope(1 / 3) == 6 and slope(1.0) == 0  # to the right; at the end there is nothing
    for method in ("lower", "higher", "nearest", "inverted_cdf", "closest_observation"):
        assert ga.grad(lambda q: np.quantile(x, q, method=method))(0.4) == 0  # noqa: B023
    rows = ga.jacobian(lambda q: np.percentile(x, q, axis=0))(array(10, 40))
    assert_allclose(rows, np.diag([1, 2]) * 0.03)


@pytest.mark.parametrize("f", [np.quantile, np.nanquantile])
def test_quantiles_at_exact_places_and_at_infinity(f):
    assert_array_equal(gradient(lambda x: f(x, 0.5), array(3, 1, 2)), [0, 0, 1])
    assert_array_equal(gradient(lambda x: f(x, 1), array(3, 1, 2)), [1, 0, 0])
    assert f(ga.Tensor(array(1, inf)), 0.0).value == 1  # where 0 * inf is no part of it
    with pytest.raises(ValueError, match="range"):
        f(ga.Tensor(array(1, 2)), 1.5)
    with pytest.raises(ValueError, match="method"):
        f(ga.Tensor(array(1, 2)), 0.5, method="median")
    with pytest.raises(ValueError, match="inverted_cdf"):
        f(ga.Tensor(array(1, 2)), 0.5, weights=array(1, 2))


def test_weights_of_a_quantile():
    x, w = array(3, 1, 2), array(1, 0, 4)
    f = lambda x, w: np.quantile(x, [0, 0.5, 1], method="inverted_cdf", weights=w)
    assert_array_equal(f(ga.Tensor(x), w).value, [2, 2, 3])
    gx, gw = ga.grad(lambda x, w: np.sum(f(x, w)), argnums=(0, 1))(x, w)
    assert_array_equal(gx, [1, 0, 2])
    assert_array_equal(gw, [0, 0, 0])
    with pytest.raises(ValueError, match="zero"):
        f(ga.Tensor(x), 0 * w)


# ---- averages and covariances


def test_averages():
    x = array(1, 2, 4)
    with pytest.raises(ZeroDivisionError):
        np.average(ga.Tensor(x), weights=array(1, -1, 0))
    with pytest.raises(TypeError, match="axis"):
        np.average(ga.Tensor(np.ones((2, 3))), weights=x)
    with pytest.raises(ValueError, match="fit"):
        np.average(ga.Tensor(np.ones((2, 3))), weights=x, axis=0)
    found = ga.grad(lambda w: np.average(x, weights=w))(array(1, 0, 1))
    assert_allclose(found, (x - 2.5) / 2)


def test_correlations():
    x = array(1, 2, 4, 3)
    flat = np.stack([x, 0 * x])
    with np.errstate(all="ignore"):
        assert_array_equal(np.corrcoef(ga.Tensor(flat)).value, np.corrcoef(flat))
    same = lambda x: np.corrcoef(x, 2 * x)
    assert_allclose(same(ga.Tensor(x)).value, np.ones((2, 2)))
    assert np.max(same(ga.Tensor(x)).value) <= 1
    assert_allclose(gradient(same, x), np.zeros(4), atol=1e-15)
    # the curvature at its largest value: the second difference in high precision
    tilt = array(0.3, -1, 0.7, 0.2)
    f = lambda e: np.corrcoef(x, x + e * tilt)[0, 1]
    a, b = x - x.mean(), tilt - tilt.mean()
    expected = (a @ b) ** 2 / (a @ a) ** 2 - b @ b / (a @ a)
    assert_allclose(ga.grad(ga.grad(f))(0.0), expected)


def test_covariances_refuse_what_numpy_refuses():
    t = ga.Tensor(np.arange(6.0).reshape(2, 3))
    with pytest.raises(TypeError, match="integers"):
        np.cov(t, fweights=array(0.5, 1, 1))
    with pytest.raises(ValueError, match="negative"):
        np.cov(t, aweights=array(-1, 1, 1))
    with pytest.raises(ga.ShapeError, match="observations"):
        np.cov(t, aweights=array(1, 1))


# ---- counts


def test_counts_are_constant_in_the_data_and_linear_in_the_weights():
    x, w = array(0.1, 0.5, 2.0, 9.0), array(1, 2, 3, 4)
    edges = array(0, 1, 2)
    assert_array_equal(
        gradient(lambda w: np.histogram(x, edges, weights=w)[0][1:], w), [0, 0, 1, 0]
    )
    assert_array_equal(
        gradient(lambda x: np.histogram(x, edges, weights=w)[0] * 1.0, x), np.zeros(4)
    )
    found = ga.jacobian(lambda x: np.histogram(x, 2)[1])(x)
    assert_allclose(found, [[1, 0, 0, 0], [0.5, 0, 0, 0.5], [0, 0, 0, 1]])
    density = lambda x: np.histogram(x, 2, density=True)[0]
    assert_allclose(ga.jacobian(density)(x)[0], array(1, 0, 0, -1) * (3 / 4) / (8.9 / 2) / 8.9)
    mapped = ga.vmap(lambda x: np.histogram(x, 3)[0])(np.stack([x, x**2]))
    assert_array_equal(mapped, [np.histogram(x, 3)[0], np.histogram(x**2, 3)[0]])


def test_lengths_that_depend_on_values_must_be_known():
    index = np.array([[0, 1], [2, 2]])
    with pytest.raises(ga.ConcreteValueError, match=r"bincount.*at\[x\]"):
        ga.vmap(np.bincount)(index)
    with pytest.raises(ga.ConcreteValueError, match="bins='auto'"):
        ga.vmap(lambda x: np.histogram(x, "auto")[0])(index * 1.0)
    with pytest.raises(ValueError, match="negative"):
        np.bincount(ga.Tensor([-1, 2]))
    with pytest.raises(ValueError, match="finite"):
        np.histogram(ga.Tensor(array(1, nan)))


# ---- calculus


def test_interpolation_at_the_knots_and_beyond():
    xp, fp = array(0, 1, 3), array(0, 2, 3)
    f = lambda x: np.interp(x, xp, fp)
    slopes = [ga.grad(f)(x) for x in (-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0)]
    assert_array_equal(slopes, [0, 2, 2, 0.5, 0.5, 0.5, 0])
    outside = ga.jacobian(lambda fp: np.interp(array(-1, 4), xp, fp))(fp)
    assert_array_equal(outside, [[1, 0, 0], [0, 0, 1]])
    ends = ga.grad(lambda a, b: np.sum(ga.interp(array(-1, 4, 5), xp, fp, a, b)), (0, 1))(7.0, 8.0)
    assert ends == (1, 2)
    doubled = array(0, 1, 1), array(5, 6, 9)  # equal knots at the end, as NumPy reads them
    points = array(0.5, 1, 2)
    assert_array_equal(np.interp(ga.Tensor(points), *doubled).value, np.interp(points, *doubled))
    step = array(1, 1, inf)
    assert_array_equal(np.interp(ga.Tensor(xp), xp, step).value, step)
    with pytest.raises(TypeError, match="complex"):
        np.interp(ga.Tensor(array(1) + 1j), xp, fp)


def test_the_period_of_interpolation_has_a_derivative():
    xp, fp = array(0.2, 1, 3), array(0, 2, 3)
    f = lambda period: ga.interp(5.7, xp, fp, period=period)
    step = 1e-6
    assert_allclose(ga.grad(f)(4.0), (f(4 + step) - f(4 - step)) / (2 * step), rtol=1e-8)


def test_unwrapping_is_a_shift():
    p = array(0, 3, 6.5, 3, 0.1, np.pi + 0.1)
    assert_array_equal(gradient(np.unwrap, p), np.ones(6))
    x = np.cumsum(array(0.5, 3, -3, 3.1, np.pi, -np.pi, 6))
    wrapped = np.angle(np.exp(1j * x))
    assert_array_equal(np.unwrap(ga.Tensor(wrapped)).value, np.unwrap(wrapped))


def test_gradients_need_enough_points():
    with pytest.raises(ValueError, match="points"):
        np.gradient(ga.Tensor(array(1)))
    with pytest.raises(ValueError, match="points"):
        np.gradient(ga.Tensor(array(1, 2)), edge_order=2)
    with pytest.raises(TypeError, match="spacings"):
        np.gradient(ga.Tensor(np.ones((3, 3))), 1.0, 2.0, 3.0)
    with pytest.raises(ValueError, match="coordinates"):
        np.gradient(ga.Tensor(array(1, 2, 3)), array(1, 2))


@pytest.mark.parametrize("n, m", [(1, 1), (4, 3), (4, 4), (3, 5), (6, 2), (2, 6)])
def test_convolutions_of_all_lengths(n, m):
    random = np.random.default_rng(0)
    a, v = random.standard_normal(n), random.standard_normal(m) + 1j * random.standard_normal(m)
    for mode in ("full", "same", "valid"):
        for f in (np.convolve, np.correlate):
            assert_allclose(f(ga.Tensor(a), ga.Tensor(v), mode).value, f(a, v, mode), atol=1e-14)


def test_bessel_functions():
    derivatives = [np.i0]
    for _ in range(4):
        derivatives.append(ga.grad(derivatives[-1]))
    for x in (0.0, 1e-9, -0.3, 2.0, 29.9, 30.1, -200.0, 700.0):
        for order, f in enumerate(derivatives):
            with mpmath.workdps(60):
                expected = mpmath.diff(lambda x: mpmath.besseli(0, x), x, order)
            assert_allclose(f(x), float(expected), rtol=1e-13, atol=1e-300)


def test_the_kaiser_window_of_numpy_takes_numbers_alone():
    with pytest.raises(ga.GradargError):
        ga.grad(lambda beta: np.sum(np.kaiser(5, beta)))(2.0)


# ---- polynomials


def test_roots():
    p = array(1, -6, 11, -6)
    z = np.roots(p)
    expected = [[-(r ** (3 - k)) / np.polyval(np.polyder(p), r) for k in range(4)] for r in z]
    assert_array_equal(np.roots(ga.Tensor(p)).value, z)
    for mode in ("forward", "reverse"):
        assert_allclose(ga.jacobian(np.roots, mode=mode)(p), expected)
    # leading and trailing zeros, which NumPy cuts off, have derivatives all the same
    found = ga.jacobian(np.roots)(array(0, 1, -3, 0))
    assert_allclose(found, [[-9, -3, -1, -1 / 3], [0, 0, 0, 1 / 3]], atol=1e-12)
    third = ga.grad(ga.grad(ga.grad(lambda c: np.roots(np.stack([1.0, 0 * c, -c]))[1])))
    assert_allclose(third(2.0), np.sign(np.roots([1, 0, -2.0])[1]) * 3 / 8 * 2**-2.5, rtol=1e-10)
    with np.errstate(invalid="ignore"):
        double = ga.jacobian(np.roots)(array(1, 0, 0))
    assert not np.any(np.isfinite(double[:, 2]))


def test_zeros_in_front_of_a_polynomial_keep_their_derivative():
    p, q = array(0, 1), array(2, 3)
    found = ga.grad(lambda p: np.polyval(np.polymul(p, q), 2.0))(p)
    assert_array_equal(found, [14, 7])


def test_quotients():
    u, v = array(1, -2, 5, 3, 4), array(2, 0, 1)
    q, r = np.polydiv(ga.Tensor(u), ga.Tensor(v))
    assert_allclose(np.polyadd(np.polymul(q, v), r).value, u)
    q, r = np.polydiv(ga.Tensor(u), ga.Tensor(array(2)))
    assert_allclose(q.value, u / 2)
    assert_array_equal(r.value, [0])


def test_fits():
    x, y = array(0, 1, 2, 4), array(1, 3, 2, 5)
    found = np.polyfit(ga.Tensor(x), ga.Tensor(y), 1, full=True)
    for a, b in zip(found, np.polyfit(x, y, 1, full=True)):
        assert_allclose(a.value if isinstance(a, ga.Tensor) else a, b, rtol=1e-13)
    slopes = ga.grad(lambda y: np.sum(np.polyfit(x, y, 1, full=True)[1]))(y)  # of the residuals
    line = np.polyval(np.polyfit(x, y, 1), x)
    assert_allclose(slopes, 2 * (y - line), atol=1e-13)
    far = 100 + x  # whose powers are nearly multiples of each other
    curve = lambda x: np.polyval(np.polyfit(x, y, 2), 103.0)
    exact = ga.grad(lambda x: np.polyval(np.polyfit(x, y, 2), 3.0))(x)
    assert_allclose(ga.grad(curve)(far), exact, rtol=1e-6)
    with pytest.warns(np.exceptions.RankWarning):
        np.polyfit(ga.Tensor(array(1, 1, 1)), array(1, 2, 3), 1)
    with pytest.raises(ValueError, match="more points"):
        np.polyfit(ga.Tensor(array(1, 2)), array(1, 2), 1, cov=True)
    with pytest.raises(TypeError, match="shapes"):
        np.polyfit(ga.Tensor(array(1, 2)), array(1, 2, 3), 1)


def test_numpys_other_polynomials_take_points_or_refuse():
    c = np.array([1.0, 2.0, 3.0])
    assert ga.grad(lambda x: np.polynomial.polynomial.polyval(x, c))(2.0) == 14
    assert ga.grad(lambda x: np.polynomial.chebyshev.chebval(x, c))(2.0) == 26
    assert ga.grad(lambda x: np.polynomial.legendre.legval(x, c))(2.0) == 20
    assert ga.grad(np.poly1d(c[::-1]))(2.0) == 14
    for make in (np.polynomial.Polynomial, np.polynomial.Chebyshev):
        with pytest.raises(ga.GradargError):
            ga.grad(make(c))(2.0)
        with pytest.raises(ga.GradargError):
            ga.grad(lambda c: make(c)(2.0))(c)  # noqa: B023
