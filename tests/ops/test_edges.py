"""Where functions are singular, tied, saturated or empty: the values and derivatives that hold."""

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import gradarg as ga

inf, nan = np.inf, np.nan


def array(*numbers):
    return np.array(numbers, float)


def slope(f, *point):
    """df/dx at numbers, by both modes, which must agree."""
    reverse = ga.grad(f)(*point)
    first, *rest = point
    forward = ga.jvp(lambda x: f(x, *rest), (first,), (1.0,))[1]
    assert_array_equal(forward, reverse)
    return reverse


def _units(x):
    return np.eye(x.size).reshape(x.size, *x.shape)


def gradient(f, x):
    """The gradient of a sum of f, and the tangents along every axis, which must agree."""
    reverse = ga.grad(lambda x: np.sum(f(x)))(x)
    columns = [ga.jvp(lambda x: np.sum(f(x)), (x,), (unit,))[1] for unit in _units(x)]
    assert_allclose(np.reshape(columns, x.shape), reverse, rtol=1e-15)
    return reverse


# ---- ties share the derivative


@pytest.mark.parametrize(
    "f, x, expected",
    [
        (ga.max, array(1, 3, 3), array(0, 0.5, 0.5)),
        (ga.min, array(1, 1, 3, 1), array(1 / 3, 1 / 3, 0, 1 / 3)),
        (ga.max, array(2), array(1)),
        (ga.max, array(inf, 1, inf), array(0.5, 0, 0.5)),
        (ga.min, array(-inf, 1, 2), array(1, 0, 0)),
        (lambda x: np.maximum(x, 2), array(1, 2, 3), array(0, 0.5, 1)),
        (lambda x: np.minimum(2, x), array(1, 2, 3), array(1, 0.5, 0)),
        (lambda x: np.maximum(x, x), array(1, 2), array(1, 1)),
        (lambda x: np.fmax(x, 2), array(1, 2, 3, nan), array(0, 0.5, 1, 0)),
        (lambda x: np.fmin(x, nan), array(1, nan), array(1, 1)),
        (lambda x: np.clip(x, 1, 2), array(0, 1, 1.5, 2, 3), array(0, 0.5, 1, 0.5, 0)),
        (lambda x: np.clip(x, None, 2), array(1, 2, 3), array(1, 0.5, 0)),
        (ga.ptp, array(3, 1, 3), array(0.5, -1, 0.5)),
        (ga.relu, array(-1, 0, 2), array(0, 0, 1)),
        (np.abs, array(-1, 0, 2), array(-1, 0, 1)),
        (np.fabs, array(-1, 0, 2), array(-1, 0, 1)),
        (lambda x: np.sort(x) @ array(1, 2, 4), array(5, 5, 1), array(2, 4, 1)),
    ],
)
def test_ties(f, x, expected):
    assert_allclose(gradient(f, x), expected, rtol=1e-15)


def test_ties_along_axes():
    x = np.array([[1.0, 1.0], [1.0, 0.0]])
    assert_array_equal(gradient(lambda x: ga.max(x, 0), x), [[0.5, 1], [0.5, 0]])
    assert_allclose(gradient(ga.max, x), np.array([[1, 1], [1, 0]]) / 3)


def test_the_second_derivative_at_a_tie_is_zero():
    x = array(1, 3, 3)
    assert_array_equal(ga.hessian(ga.max)(x), np.zeros((3, 3)))
    assert_array_equal(ga.hessian(lambda x: np.sum(np.maximum(x, 3)))(x), np.zeros((3, 3)))


# ---- products with zeros


def products(x):
    """The exact gradient and Hessian of prod(x)."""
    n = len(x)
    others = [np.prod(np.delete(x, i)) for i in range(n)]
    pairs = [[0 if i == j else np.prod(np.delete(x, [i, j])) for j in range(n)] for i in range(n)]
    return others, pairs


@pytest.mark.parametrize("zeros", [(), (1,), (0, 2), (0, 1, 2), (3,)])
def test_products_with_zeros(zeros):
    x = array(2, -3, 5, 0.5)
    x[list(zeros)] = 0
    first, second = products(x)
    assert_allclose(gradient(np.prod, x), first, rtol=1e-15)
    assert_allclose(ga.hessian(np.prod)(x), second, rtol=1e-15)
    square = x.reshape(2, 2)
    assert_allclose(ga.grad(np.prod)(square).ravel(), first, rtol=1e-15)


@pytest.mark.parametrize("zeros", [(), (1,), (0, 2), (0, 1, 2)])
def test_cumulative_products_with_zeros(zeros):
    x = array(2, -3, 5, 0.5)
    x[list(zeros)] = 0
    jacobian, hessian = np.zeros((4, 4)), np.zeros((4, 4, 4))
    for k in range(4):
        first, second = products(x[: k + 1])
        jacobian[k, : k + 1], hessian[k, : k + 1, : k + 1] = first, second
    for mode in ("reverse", "forward"):
        assert_allclose(ga.jacobian(np.cumprod, mode=mode)(x), jacobian, rtol=1e-14)
    second = ga.jacobian(ga.jacobian(np.cumprod, mode="reverse"), mode="reverse")(x)
    assert_allclose(second, hessian, rtol=1e-14)


# ---- powers


@pytest.mark.parametrize(
    "x, n, expected",
    [
        (0.0, 0, 0), (0.0, 1, 1), (0.0, 2, 0), (0.0, 3, 0), (0.0, 0.5, inf), (0.0, 1.5, 0),
        (-2.0, 0, 0), (-2.0, 3, 12), (-2.0, -1, -0.25), (-2.0, 2.0, -4), (4.0, -0.5, -1 / 16),
        (0.0, -1, -inf), (inf, 0, 0), (inf, 2, inf),
    ],
)  # fmt: skip
def test_powers(x, n, expected):
    with np.errstate(divide="ignore"):  # 0.0**-1, NumPy's own
        assert_allclose(slope(lambda x: x**n, x), expected)
        assert_allclose(slope(lambda x: np.power(x, np.array(n)), x), expected)


@pytest.mark.parametrize(
    "x, n, expected",
    [(0.0, 2.0, 0), (0.0, 0.0, 0), (0.0, 0.5, 0), (2.0, 0.0, np.log(2)), (1.0, 5.0, 0)],
)
def test_powers_by_their_exponent(x, n, expected):
    assert_allclose(slope(lambda n: x**n, n), expected)
    assert_allclose(slope(lambda n: np.power(np.array(x), n), n), expected)


def test_second_derivatives_of_powers():
    second = ga.grad(ga.grad(lambda x, n: x**n), argnums=0)
    for n, expected in [(0, 0), (1, 0), (2, 2), (3, 0), (4, 0)]:
        assert second(0.0, n) == expected
        assert second(0.0, np.array(float(n))) == expected
    # d/dn n x**(n-1) = 1/x at n = 0, whichever derivative is taken first
    mixed = ga.jacobian(ga.jacobian(np.power, (0, 1)), (0, 1))(4.0, 0.0)
    assert_allclose(mixed, [[0, 0.25], [0.25, np.log(4) ** 2]])


# ---- branches that were not taken


@pytest.mark.parametrize(
    "f, edge, beyond",
    [
        (np.sqrt, 0.0, -1.0),
        (np.cbrt, 0.0, nan),
        (np.log, 0.0, -1.0),
        (np.log2, 0.0, -1.0),
        (np.log10, 0.0, -1.0),
        (np.log1p, -1.0, -2.0),
        (np.arcsin, 1.0, 2.0),
        (np.arccos, -1.0, -2.0),
        (np.arccosh, 1.0, 0.5),
        (np.arctanh, 1.0, 2.0),
        (lambda x: x**0.5, 0.0, -1.0),
        (lambda x: x**-0.5, 0.0, -1.0),
        (lambda x: np.power(x, array(0.5, 0.5)), 0.0, -1.0),
        (lambda x: np.logaddexp(x, -inf), 1.0, -inf),
    ],
)
def test_where_stops_what_it_did_not_take(f, edge, beyond):
    x = array(edge, beyond)
    with np.errstate(all="ignore"):
        g = gradient(lambda x: np.where(x == 77, f(x), 3 * x), x)
        second = ga.hessian(lambda x: np.sum(np.where(x == 77, f(x), x**3)))(array(edge, 1))
    assert_array_equal(g, [3, 3])
    assert_allclose(second, np.diag([6 * edge, 6]))


def test_an_infinite_slope_is_infinite():
    assert slope(np.sqrt, 0.0) == inf
    assert slope(np.cbrt, 0.0) == inf
    assert slope(np.arcsin, 1.0) == inf
    assert slope(np.arccos, 1.0) == -inf
    assert slope(np.arccosh, 1.0) == inf


def test_quiet_rules_have_the_right_second_derivative_where_the_cotangent_is_zero():
    for f, x in [(np.sqrt, 4.0), (np.log, 3.0), (np.arcsin, 0.5), (np.arccosh, 2.0)]:
        y, dy = f(x), slope(f, x)
        assert_allclose(ga.grad(ga.grad(lambda x: (f(x) - y) ** 2))(x), 2 * dy**2)  # noqa: B023


# ---- logarithms of sums


def test_logsumexp():
    x = array(1e4, 1e4 - 1, -inf)
    p = 1 / (1 + np.exp(-1))
    assert ga.logsumexp(x) == pytest.approx(1e4 + np.log(1 + np.exp(-1)))
    assert_allclose(gradient(ga.logsumexp, x), [p, 1 - p, 0])
    assert_allclose(
        ga.hessian(ga.logsumexp)(x), p * (1 - p) * array([1, -1, 0], [-1, 1, 0], [0, 0, 0])
    )
    assert ga.logsumexp(array(-inf, -inf)) == -inf
    assert_array_equal(gradient(ga.logsumexp, array(-inf, -inf)), [0, 0])
    assert ga.logsumexp(array(inf, 1e4)) == inf
    rows = np.array([[-inf, -inf], [0, 0]])
    assert_array_equal(gradient(lambda x: ga.logsumexp(x, axis=1), rows), [[0, 0], [0.5, 0.5]])


def test_logaddexp():
    for x, y, expected in [(1e4, 1e4, 0.5), (-inf, 0.0, 0), (0.0, -inf, 1), (-inf, -inf, 0)]:
        assert_allclose(slope(np.logaddexp, x, y), expected)
        assert_allclose(slope(np.logaddexp2, x, y), expected)
    assert_allclose(ga.hessian(np.logaddexp)(2.0, 2.0), 0.25)


def test_softmax_and_its_logarithm():
    x = array(1e4, 1e4 - 1, -1e4)
    p = array(1 / (1 + np.exp(-1)), 1 / (1 + np.e), 0)
    assert_allclose(ga.softmax(x), p, rtol=1e-12)
    assert_allclose(ga.jacobian(ga.softmax)(x), np.diag(p) - np.outer(p, p), rtol=1e-12)
    assert_allclose(ga.log_softmax(x), [np.log(p[0]), np.log(p[1]), -2e4 + np.log(p[0])])
    assert_allclose(ga.jacobian(ga.log_softmax)(x), np.eye(3) - p, rtol=1e-12)
    masked = array(1, -inf, 1)
    assert_array_equal(gradient(lambda x: ga.softmax(x) @ array(1, 5, 2), masked), [-0.25, 0, 0.25])
    assert_array_equal(gradient(lambda x: ga.log_softmax(x)[0], masked), [0.5, 0, -0.5])


@pytest.mark.parametrize("dtype, far", [(np.float64, 800), (np.float32, 100)])
def test_saturated_functions(dtype, far):
    with mpmath.workdps(700):
        for number in (-far, -20, -1, 0, 1, 20, far):
            x = dtype(number)
            e = mpmath.e ** mpmath.mpf(number)
            s = e / (1 + e)
            cases = [
                (ga.sigmoid, s, s * (1 - s)),
                (ga.softplus, mpmath.log(1 + e), s),
                (ga.log_sigmoid, mpmath.log(s), 1 - s),
                (np.tanh, mpmath.tanh(number), 1 - mpmath.tanh(number) ** 2),
            ]
            for f, value, derivative in cases:
                for point in (x, np.array([x])):
                    y, dy = ga.value_and_grad(lambda x: np.sum(f(x)))(point)  # noqa: B023
                    eps = float(np.finfo(dtype).eps)
                    assert y.dtype == dy.dtype == dtype
                    assert_allclose(y, float(value), rtol=4 * eps, atol=float(np.finfo(dtype).tiny))
                    assert_allclose(np.sum(dy), float(derivative), rtol=4 * eps, atol=4 * eps)
                    second = ga.grad(ga.grad(lambda x: np.sum(f(x))))(x)  # noqa: B023
                    assert np.isfinite(second) and second.dtype == dtype


# ---- singular points of single functions


def test_sinc_near_zero():
    derivatives = [np.sinc]
    for _ in range(4):
        derivatives.append(ga.grad(derivatives[-1]))
    for x in (0.0, 1e-9, -1e-4, 0.1, 0.9, 1.1, -2.5, 7.0):
        for order, f in enumerate(derivatives):
            with mpmath.workdps(60):
                expected = mpmath.diff(lambda x: mpmath.sincpi(x), x, order)
            assert_allclose(f(x), float(expected), rtol=1e-12, atol=1e-13)
    assert_allclose(derivatives[2](0.0), -(np.pi**2) / 3)


def test_hypot_and_arctan2():
    origin = (np.float64(0), np.float64(0))
    for f in (np.hypot, np.arctan2):
        assert ga.grad(f, argnums=(0, 1))(*origin) == (0, 0)
        assert all(np.isfinite(ga.jacobian(ga.grad(f, (0, 1)), (0, 1))(*origin)).ravel())
    for scale in (1e-200, 1.0, 1e200):  # whose squares are no floats
        found = ga.grad(np.arctan2, (0, 1))(3 * scale, 4 * scale)
        assert_allclose(found, np.array([0.16, -0.12]) / scale)
        assert_allclose(ga.grad(np.hypot, (0, 1))(3 * scale, 4 * scale), [0.6, 0.8])


def test_absolute_value_of_complex_numbers():
    assert ga.grad(np.abs)(0j) == 0
    z = 3 + 4j
    assert_allclose(ga.grad(np.abs)(z), 0.6 + 0.8j)
    curvature = ga.jvp(ga.grad(np.abs), (z,), (1j * z,))[1]  # along the circle: 1 / radius
    assert_allclose(curvature, 1j * z / 5)
    tangent = ga.jvp(np.sign, (z,), (1j * z,))[1]
    assert_allclose(tangent, 1j * z / 5)


@pytest.mark.parametrize("x, y", [(1.0, 0.1), (0.3, 0.1), (-1.0, 0.1), (5.5, -0.1), (1e9, 0.3)])
def test_remainders_of_what_nearly_divides(x, y):
    whole = np.floor_divide(x, y)
    assert slope(lambda y: np.remainder(x, y), y) == -whole
    with mpmath.workdps(60):
        exact = int(mpmath.mpf(x) / mpmath.mpf(y))
    assert slope(lambda y: np.fmod(x, y), y) == -exact


def test_determinants_of_singular_matrices():
    a = np.array([[1.0, 2, 3], [4, 5, 6], [5, 7, 9]])
    cofactors = np.array([[3.0, -6, 3], [3, -6, 3], [-3, 6, -3]])
    assert_allclose(ga.grad(np.linalg.det)(a), cofactors, atol=1e-13)
    assert_allclose(ga.grad(np.linalg.det)(np.diag([2.0, 0, 3])), np.diag([0, 6, 0]), atol=1e-13)
    assert_array_equal(ga.grad(np.linalg.det)(np.zeros((3, 3))), np.zeros((3, 3)))


# ---- NaN and infinity, empty arrays


def test_nan_stays_where_it_is():
    x = array(1, nan, 2)
    assert np.isnan(ga.max(x))
    assert np.all(np.isnan(ga.grad(np.max)(x)))
    assert_array_equal(ga.grad(lambda x: np.sum(x**2))(array(1, nan)), [2, nan])
    assert_array_equal(gradient(lambda x: np.nan_to_num(x) / 2, array(1, nan, inf)), [0.5, 0, 0])
    rows = np.array([[1.0, nan], [2, 3]])
    assert_array_equal(ga.grad(lambda x: ga.sum(ga.max(x, 1)))(rows), [[nan, nan], [0, 1]])


@pytest.mark.parametrize(
    "f",
    [
        np.sum,
        np.prod,
        lambda x: np.sum(np.cumsum(x)),
        lambda x: np.sum(np.cumprod(x)),
        lambda x: np.sum(np.sort(x)),
        lambda x: np.sum(x[1:] * x[:-1]),
        lambda x: np.sum(np.concatenate([x, x])),
        lambda x: np.sum(np.exp(x) + x @ x),
        lambda x: np.sum(np.max(np.reshape(x, (0, 3)) + 1, axis=1)),
        lambda x: np.sum(x[np.zeros(0, int)]),
    ],
)
def test_empty_arrays(f):
    x = np.zeros(0)
    assert ga.grad(f)(x).shape == (0,)
    assert ga.hessian(f)(x).shape == (0, 0)


@pytest.mark.parametrize(
    "f",
    [
        np.sin,
        np.sort,
        np.cumprod,
        lambda x: np.sum(x, axis=0),
        lambda x: x[np.array([0, 2])],
        lambda x: ga.asarray(x).at[np.array([0, 2])].set(x[:2]),
        lambda x: np.concatenate([x, x]),
        lambda x: np.linalg.inv(np.outer(x, x)),
    ],
)
def test_vmap_over_an_empty_axis(f):
    expected = ga.stage(f, np.zeros(3)).outputs[0].type.shape
    assert ga.vmap(f)(np.zeros((0, 3))).shape == (0, *expected)


# ---- the same index twice


def test_repeated_indices():
    x, i = array(1, 2, 3), np.array([0, 2, 2, 0, 2])
    assert_array_equal(gradient(lambda x: x[i] @ array(1, 2, 4, 8, 16), x), [9, 0, 22])
    assert_array_equal(gradient(lambda x: x[[-1, 2]] @ array(1, 2), x), [0, 0, 3])

    def added(v):
        return ga.Tensor(x).at[i].add(v)

    def written(v):
        return ga.asarray(x).at[i].set(v)

    v = array(1, 2, 4, 8, 16)
    assert_array_equal(added(v).value, x + [9, 0, 22])
    assert_array_equal(gradient(lambda v: added(v) @ array(1, 10, 100), v), [1, 100, 100, 1, 100])
    assert_array_equal(written(v).value, [8, 2, 16])  # the last one stands
    assert_array_equal(gradient(lambda v: written(v) @ array(1, 10, 100), v), [0, 0, 0, 1, 100])
    kept = ga.grad(lambda x: ga.asarray(x).at[i].set(v) @ array(1, 10, 100))(x)
    assert_array_equal(kept, [0, 10, 0])


def test_masks():
    x, mask = array(1, 2, 3, 4), np.array([True, False, True, False])
    assert_array_equal(gradient(lambda x: x[mask] @ array(5, 7), x), [5, 0, 7, 0])
    both = gradient(lambda x: x[mask] @ array(5, 7) + np.sum(x[mask][np.array([True, False])]), x)
    assert_array_equal(both, [6, 0, 7, 0])
    assert_array_equal(gradient(lambda x: np.sum(x[~mask] * x[mask]), x), [2, 1, 4, 3])
    assert_array_equal(gradient(lambda x: np.sum(x[np.zeros(4, bool)]), x), [0, 0, 0, 0])


# ---- dtypes


def test_integers_add_up_as_in_numpy():
    for dtype in (bool, np.int8, np.uint16, np.int64):
        x = np.array([1, 0, 1, 1], dtype)
        for f in (np.cumsum, np.cumprod, np.sum, np.prod, np.mean, np.var):
            found = f(ga.Tensor(x))
            assert found.dtype == f(x).dtype
            assert_array_equal(found.value, f(x))


def test_the_mean_of_many_floats():
    for dtype, tolerance in ((np.float32, 1e-6), (np.float16, 1e-3)):
        x = np.full(100_000, 1.7, dtype)
        m, g = ga.value_and_grad(np.mean)(x)
        assert m.dtype == g.dtype == dtype
        assert_array_equal(m, np.mean(x))
        assert_allclose(m, x[0], rtol=tolerance)
        assert_allclose(g, np.full(x.shape, 1e-5, dtype))


def test_degrees_of_freedom():
    x = array(1, 4, 2, 8)
    for options in ({}, {"ddof": 1}, {"correction": 1}, {"ddof": 0.5}):
        for f in (np.var, np.std):
            assert_allclose(f(ga.Tensor(x), **options).value, f(x, **options), rtol=1e-15)
    assert_allclose(ga.grad(lambda x: np.var(x, ddof=1))(x), 2 / 3 * (x - x.mean()))
    assert_array_equal(ga.grad(np.std)(array(2, 2, 2)), [0, 0, 0])
