"""Norms at their kinks, singular matrices, constant rank, and what linear algebra refuses."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.linalg import cond, det, lstsq, norm, pinv, slogdet
from numpy.testing import assert_allclose, assert_array_equal

import gradarg as ga
from gradarg.testing import check_grads

RANDOM = np.random.default_rng(19)
INF = np.inf
SINGULAR = np.array([[1.0, 2, 3], [4, 5, 6], [5, 7, 9]])
RANK_ONE = np.outer([1.0, 2, 3], [1.0, -1])


def test_every_name_is_there():
    assert set(np.linalg.__all__) <= set(ga.linalg.__all__)
    for name in np.linalg.__all__:
        if name != "LinAlgError":
            assert (
                getattr(np.linalg, name)(*ARGUMENTS.get(name, (ga.Tensor(np.eye(3)),))) is not None
            )


T = ga.Tensor(np.eye(3))
ARGUMENTS = {
    "matrix_power": (T, 2),
    "solve": (T, T),
    "tensorsolve": (T, T[0]),
    "tensorinv": (T, 1),
    "lstsq": (T, T),
    "multi_dot": ([T, T],),
    "cross": (T, T),
    "outer": (T[0], T[0]),
    "tensordot": (T, T),
    "matmul": (T, T),
    "vecdot": (T, T),
}

RESULTS = ("eig", "eigh", "qr", "slogdet", "svd")


@pytest.mark.parametrize("name", RESULTS)
def test_results_have_names(name):
    expected = getattr(np.linalg, name)(np.eye(2))
    for found in (
        getattr(np.linalg, name)(ga.Tensor(np.eye(2))),
        getattr(ga.linalg, name)(np.eye(2)),
    ):
        assert type(found).__name__ == type(expected).__name__
        assert found._fields == expected._fields


# ---- norms


@pytest.mark.parametrize("order", [None, 2, 1, 0, 3, 1.5, 0.5, -1, -2.5, INF, -INF])
def test_norms_of_zero(order):
    for x in (np.zeros(3), np.zeros(3, complex)):
        value, slope = ga.value_and_grad(lambda x: norm(x, order))(x)
        assert value == 0
        assert_array_equal(slope, x)
        assert_array_equal(ga.jvp(lambda x: norm(x, order), (x,), (x + 1,))[1], 0)
    assert_array_equal(ga.hessian(lambda x: norm(x, order))(np.zeros(2)), np.zeros((2, 2)))
    rows = np.array([[0.0, 0, 0], [3, 0, -4]])
    slope = ga.grad(lambda x: np.sum(norm(x, order, axis=1)))(rows)
    alone = ga.grad(lambda x: norm(x, order))(rows[1])
    assert_array_equal(slope, [[0, 0, 0], alone])
    assert alone[1] == 0


def test_norms_with_zero_elements():
    x = np.array([3.0, 0, -4])
    assert_allclose(ga.grad(norm)(x), [0.6, 0, -0.8])
    for order in (0.5, 1.5, 3):
        expected = ga.grad(lambda x: norm(x, order))(x[[0, 2]])  # noqa: B023
        assert_allclose(ga.grad(lambda x: norm(x, order))(x)[[0, 2]], expected)  # noqa: B023
    for order in (-1, -2.5):  # one zero makes the norm 0, whatever the others are
        assert_array_equal(ga.grad(lambda x: norm(x, order))(x), [0, 0, 0])  # noqa: B023


def test_ties_share_the_derivative():
    x = np.array([1.0, -3, 3])
    assert_allclose(ga.grad(lambda x: norm(x, INF))(x), [0, -0.5, 0.5])
    a = np.array([[1.0, -2], [3, 2]])
    assert_allclose(ga.grad(lambda a: norm(a, 1))(a), [[0.5, -0.5], [0.5, 0.5]])


@pytest.mark.parametrize("order", ["fro", "nuc", 1, -1, 2, -2, INF, -INF])
def test_matrix_norms_of_zero(order):
    f = lambda a: norm(a, order)
    assert_array_equal(ga.grad(f)(np.zeros((2, 3))), np.zeros((2, 3)))
    assert_array_equal(ga.grad(f)(np.zeros((2, 2), complex)), np.zeros((2, 2)))


def test_norms_of_nan_and_infinity():
    for order in (None, 1, 3, INF):
        assert np.isnan(ga.linalg.norm(np.array([1.0, np.nan]), order))
        assert np.isinf(ga.linalg.norm(np.array([1.0, INF]), order))


def test_norms_of_nothing():
    for order in (None, 2, 1, 0, 3, INF):
        assert ga.linalg.norm(np.zeros(0), order) == 0
        assert ga.grad(lambda x: norm(x, order))(np.zeros(0)).shape == (0,)  # noqa: B023
    for order in ("fro", "nuc", 1, 2, INF):
        assert ga.grad(lambda x: norm(x, order))(np.zeros((0, 3))).shape == (0, 3)  # noqa: B023


def test_norms_of_integers():
    x = np.array([[3, -4], [0, 1]])
    for order in (None, 1, INF, "nuc"):
        found, expected = norm(ga.Tensor(x), order), norm(x, order)
        assert found.dtype == expected.dtype
        assert_allclose(found.value, expected)


# ---- condition numbers


@pytest.mark.parametrize("p", [None, 1, 2, INF, "fro", "nuc"])
def test_condition_of_singular_matrices(p):
    for a in (np.zeros((2, 2)), np.diag([1.0, 0.0])):
        assert ga.linalg.cond(a, p) == INF
        assert p == "nuc" or cond(a, p) == INF  # NumPy's SVD meets NaN
    stack = np.stack([np.eye(2), np.zeros((2, 2)), np.full((2, 2), np.nan)])
    if p in (1, INF, "fro"):
        assert_array_equal(ga.linalg.cond(stack, p), cond(stack, p))


# ---- determinants of singular matrices


def minors(a):
    """The second derivatives of det, by determinants of what is left of a."""
    n = len(a)
    out = np.zeros((n, n, n, n))
    for place in np.ndindex(*out.shape):
        i, j, k, m = place
        if i != k and j != m:
            rest = np.delete(np.delete(a, [i, k], 0), [j, m], 1)
            sign = (-1) ** (i + j + k + m) * (1 if (i < k) == (j < m) else -1)
            out[place] = sign * (np.linalg.det(rest) if n > 2 else 1)
    return out


@pytest.mark.parametrize(
    "a",
    [SINGULAR, np.diag([2.0, 0, 0]), np.zeros((3, 3)), np.ones((2, 2)), RANDOM.normal(size=(4, 4))],
)
def test_second_derivatives_of_det(a):
    for mode in (ga.hessian(det), ga.jacobian(ga.grad(det))):
        assert_allclose(mode(a), minors(a), atol=1e-12)


def test_third_derivatives_of_det():
    check_grads(det, (RANDOM.normal(size=(3, 3)),), order=4, rtol=1e-5, atol=1e-5)
    with pytest.raises(ga.DerivativeError, match=r"det, to the third order.*singular"):
        ga.grad(lambda t: ga.hvp(det)(SINGULAR.round() * 0 + t, SINGULAR)[0, 0])(np.zeros((3, 3)))


def test_slogdet_of_singular_matrices():
    sign, size = slogdet(ga.Tensor(np.zeros((2, 2))))
    assert (sign.item(), size.item()) == (0, -INF)
    for f in (
        ga.grad(lambda a: slogdet(a)[1]),
        lambda a: ga.jvp(slogdet, (a,), (a,)),
    ):
        with pytest.raises(ga.DerivativeError, match=r"slogdet.*singular"):
            f(np.zeros((2, 2)))


# ---- constant rank


def along_rank(step):
    """RANK_ONE moved among the matrices of rank one."""
    u, v = np.array([1.0, 2, 3]), np.array([1.0, -1])
    return np.outer(u + step * np.array([0.3, -1, 0.5]), v + step * np.array([0.7, 0.4]))


def difference(f, step=1e-5):
    return (f(along_rank(step)) - f(along_rank(-step))) / (2 * step)


def test_pinv_at_constant_rank():
    t = difference(lambda a: a)
    assert_allclose(ga.jvp(pinv, (RANK_ONE,), (t,))[1], difference(pinv), atol=1e-9)
    w = RANDOM.normal(size=(2, 3))
    g = ga.grad(lambda a: np.sum(w * pinv(a)))(RANK_ONE)
    assert_allclose(np.sum(g * t), np.sum(w * difference(pinv)), atol=1e-9)


def test_a_cutoff_that_is_not_small():
    a = RANDOM.normal(size=(4, 3)) + np.eye(4, 3) * [9, 3, 1]
    for options in ({"rcond": 0.2}, {"rtol": 0.2}, {"rtol": np.array(0.2)}):
        assert np.linalg.matrix_rank(pinv(a, **options)) == 2
        check_grads(lambda a, options=options: pinv(a, **options), (a,))
    symmetric = lambda a: (a + a.T) / 2
    check_grads(lambda a: pinv(symmetric(a), 0.2, True), (a[:3],))


def test_least_squares_at_constant_rank():
    b = np.array([1.0, 0, 2])
    f = lambda a: lstsq(a, b)[0]
    t = difference(lambda a: a)
    assert_allclose(ga.jvp(f, (RANK_ONE,), (t,))[1], difference(f), atol=1e-9)
    g = ga.grad(lambda a: np.sum(f(a) ** 2))(RANK_ONE)
    assert_allclose(np.sum(g * t), difference(lambda a: np.sum(f(a) ** 2)), atol=1e-9)


def test_all_results_of_least_squares():
    for a, b in (
        (RANDOM.normal(size=(4, 2)), RANDOM.normal(size=(4, 3))),
        (RANK_ONE, RANDOM.normal(size=3)),
        (RANDOM.normal(size=(2, 4)) * 1j, RANDOM.normal(size=2)),
        (np.arange(6).reshape(3, 2), np.array([1, 0, 2])),
        (np.zeros((3, 0)), np.ones(3)),
        (np.zeros((0, 2)), np.ones((0, 2))),
    ):
        found, expected = lstsq(ga.Tensor(a), b), lstsq(a, b)
        for x, y in zip(found, expected, strict=True):
            x = getattr(x, "value", x)
            assert_allclose(x, y, atol=1e-13)
            assert (np.shape(x), np.asarray(x).dtype.kind) == (
                np.shape(y),
                np.asarray(y).dtype.kind,
            )
    a, b = RANDOM.normal(size=(5, 2)), RANDOM.normal(size=(5, 3))
    assert_allclose(ga.vmap(lambda b: lstsq(a, b)[1])(b.T), lstsq(a, b)[1][:, None])
    check_grads(lambda a, b: (lstsq(a, b)[0], lstsq(a, b)[1], lstsq(a, b)[3]), (a, b))
    check_grads(lambda a, b: lstsq(a, b)[:2], (a + 0.4j * a[::-1], b - 0.2j))


# ---- complex arguments


def complex_matrix(*shape):
    return RANDOM.normal(size=shape) + 1j * RANDOM.normal(size=shape)


COMPLEX = {
    "inv": np.linalg.inv,
    "det": det,
    "slogdet": slogdet,
    "pinv": pinv,
    "matrix_power": lambda a: np.linalg.matrix_power(a, -3),
    "norm": norm,
    "norm-1.5": lambda a: norm(a, 1.5, 0),
    "norm-inf": lambda a: norm(a, INF, 0),
    "norm-nuc": lambda a: norm(a, "nuc"),
    "norm-2": lambda a: norm(a, 2),
    "cond": cond,
    "cond-1": lambda a: cond(a, 1),
    "cholesky": lambda a: np.linalg.cholesky(a @ np.conj(a).T + np.eye(3), upper=True),
    "tensorinv": lambda a: np.linalg.tensorinv(a, 1),
    "multi_dot": lambda a: np.linalg.multi_dot([a[0], a, np.conj(a)]),
    "cross": lambda a: np.linalg.cross(a, a[::-1] * 1j),
}


@pytest.mark.parametrize("f", COMPLEX.values(), ids=COMPLEX)
def test_complex_matrices(f):
    check_grads(f, (complex_matrix(3, 3) + 2 * np.eye(3),))


def test_pinv_of_hermitian_matrices():
    hermitian = lambda a: (a + np.conj(a).T) / 2
    a = complex_matrix(3, 3) + np.diag([4, -5, 6])
    check_grads(lambda a: pinv(hermitian(a), hermitian=True), (a,))
    expected = pinv(hermitian(a))
    assert_allclose(pinv(ga.Tensor(np.tril(hermitian(a))), hermitian=True).value, expected)


# ---- chains


def test_multi_dot_multiplies_least():
    sizes = (40, 2, 30, 3, 20)
    parts = [RANDOM.normal(size=pair) for pair in pairwise(sizes)]
    graph = ga.stage(lambda *parts: np.linalg.multi_dot(parts), *parts)
    shapes = [e.outs[0].type.shape for e in graph.equations]
    assert shapes == [(2, 3), (2, 20), (40, 20)]
    assert_allclose(graph(*parts), np.linalg.multi_dot(parts))


def test_the_power_of_zero_is_a_constant():
    a = np.array([[1.0, 2.0], [3.0, np.nan]])
    assert_array_equal(ga.linalg.matrix_power(a, 0), np.eye(2))
    assert_array_equal(ga.grad(lambda a: np.sum(np.linalg.matrix_power(a, 0)))(a), np.zeros((2, 2)))


# ---- mistakes

V, M = np.ones(3), np.ones((3, 4))
SHAPES = {
    "eig": (M,),
    "eigh": (M,),
    "eigvals": (V,),
    "eigvalsh": (M,),
    "svd": (V,),
    "svdvals": (V,),
    "qr": (V,),
    "pinv": (V,),
    "cond": (V,),
    "matrix_power": (M, 2),
    "multi_dot": ([M, M[0], M.T],),
    "lstsq": (M, np.ones(4)),
    "tensorsolve": (M, V),
    "tensorinv": (M, 1),
    "cross": (M, M),
    "outer": (M, V),
    "norm": (np.ones((2, 3, 4)), 2),
    "matrix_norm": (V,),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_that_do_not_fit(name):
    args = SHAPES[name]
    tensors = ga.tree.map(lambda x: ga.Tensor(x) if isinstance(x, np.ndarray) else x, args)
    for given in (args, tensors):
        with pytest.raises(ga.ShapeError, match=rf"^{name}\b.*\("):
            getattr(ga.linalg, name)(*given)


def test_words_that_there_are_not():
    t = ga.Tensor(np.eye(3))
    for call, message in (
        (lambda: norm(t, "frob"), r"norm: ord='frob'.*'nuc'"),
        (lambda: norm(t, 3), r"norm: ord=3.*matrices.*-inf"),
        (lambda: norm(t[0], "fro"), r"norm: ord='fro'.*vectors"),
        (lambda: np.linalg.qr(t, "full"), r"qr: mode='full'.*'reduced'"),
        (lambda: np.linalg.eigh(t, "X"), r"eigh: UPLO='X'.*'L', 'U'"),
        (lambda: np.linalg.tensorinv(t, 0), r"tensorinv: ind.*0"),
        (lambda: np.linalg.multi_dot([t]), r"multi_dot.*two"),
        (lambda: pinv(t, 0.1, rtol=0.1), r"pinv.*not both"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(ga.DerivativeError, match=r"norm: ord is a constant"):
        norm(t, ga.Tensor(2.0))
    with pytest.raises(TypeError):
        np.linalg.matrix_power(t, 0.5)
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.inv(ga.Tensor(np.zeros((2, 2))))


# ---- triangular systems, and the Cholesky decomposition, of several blocks


def _lower(n: int, dtype: Any) -> Any:
    a = np.tril(RANDOM.standard_normal((n, n)))
    if dtype in (np.complex64, np.complex128):
        a = a + 0.5j * np.tril(RANDOM.standard_normal((n, n)))
    return (a / np.sqrt(n) + 2 * np.eye(n)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize("columns", [1, 40])
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("trans", [0, "T", 2])
def test_triangular_systems_are_scipys(dtype: Any, columns: int, lower: bool, trans: Any) -> None:
    scipy_linalg = pytest.importorskip("scipy.linalg")
    a = _lower(75, dtype)
    a = np.where(np.tri(75), a, np.nan).astype(dtype)  # the other triangle is not read
    a = a if lower else a.T
    b = RANDOM.standard_normal((75, columns)).astype(dtype)
    for unit in (False, True):
        form = {"trans": trans, "lower": lower, "unit_diagonal": unit}
        given = a / 4 if unit else a
        expected = scipy_linalg.solve_triangular(np.nan_to_num(given), b, **form)
        found = ga.linalg.solve_triangular(given, b, **form)
        assert found.dtype == dtype
        scale, atol = np.max(np.abs(expected)), 1e-5 if dtype == np.float32 else 1e-13
        assert_allclose(found / scale, expected / scale, atol=atol)


def test_triangular_systems_that_have_no_solution() -> None:
    a = np.diag([1.0, 0.0, 2.0])
    with pytest.raises(np.linalg.LinAlgError, match="zero"):
        ga.linalg.solve_triangular(a, np.ones(3))
    assert_allclose(ga.linalg.solve_triangular(a, np.ones(3), unit_diagonal=True), np.ones(3))
    with pytest.raises(ValueError, match="trans is"):
        ga.linalg.solve_triangular(a, np.ones(3), trans=3)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_cholesky_of_several_blocks(dtype: Any) -> None:
    low = _lower(75, dtype)
    a, t, g = low @ np.conj(low.T), _lower(75, dtype), _lower(75, dtype)
    out, pull = ga.vjp(np.linalg.cholesky, a)
    (back,) = pull(g)
    assert_allclose(back, np.conj(back.T), atol=1e-12)
    t = t + np.conj(t.T)
    pushed = ga.jvp(np.linalg.cholesky, (a,), (t,))[1]
    assert_allclose(pushed @ np.conj(out.T) + out @ np.conj(pushed.T), t, atol=1e-12)
    assert_allclose(np.vdot(back, t).real, np.vdot(g, pushed).real, rtol=1e-11)
