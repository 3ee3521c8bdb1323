"""Decompositions where they are free or not smooth: phases, equal values, lost rank."""

import numpy as np
import pytest
from numpy.linalg import eigh, eigvalsh, svd, svdvals
from numpy.testing import assert_allclose, assert_array_equal

import gradarg as ga
from gradarg.testing import check_grads

RANDOM = np.random.default_rng(17)
WEIGHTS = RANDOM.normal(size=(3, 3))
ROTATION = np.linalg.qr(RANDOM.normal(size=(3, 3)))[0]
TWICE = ROTATION @ np.diag([1.0, 1.0, 5.0]) @ ROTATION.T  # the eigenvalue 1 twice


def complex_matrix(*shape):
    return RANDOM.normal(size=shape) + 1j * RANDOM.normal(size=shape)


def adjoint(x):
    return np.conj(x).mT


def hermitian(x):
    return (x + adjoint(x)) / 2


def slope(f, x, symmetric=True, step=1e-5):
    """The gradient of f by central differences, along symmetric directions if need be."""
    out = np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        d = np.zeros(x.shape)
        d[place] = step
        d = (d + d.T) / 2 if symmetric else d
        out[place] = (f(x + d) - f(x - d)) / (2 * step)
    return out


# ---- complex vectors: what does not depend on their phase


def of_eigh(a):
    w, v = eigh(hermitian(a))
    return w, (v * np.exp(w)[..., None, :]) @ adjoint(v), np.abs(v) ** 2


def of_svd(a, full):
    u, s, vh = svd(a, full_matrices=full)
    k = s.shape[-1]
    own = u[..., :k], vh[..., :k, :]
    rest = u[..., k:], vh[..., k:, :]
    spaces = (rest[0] @ adjoint(rest[0]), adjoint(rest[1]) @ rest[1]) if full else ()
    return s, (own[0] * np.sin(s)[..., None, :]) @ own[1], np.abs(own[0]) ** 2, *spaces


def test_complex_eigenvectors():
    check_grads(of_eigh, (complex_matrix(3, 3),))
    check_grads(of_eigh, (complex_matrix(2, 2, 2) + 3 * np.diag([1, -1]),))


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("shape", [(3, 3), (5, 3), (2, 4), (2, 3, 2)])
def test_complex_singular_vectors(shape, full):
    a = complex_matrix(*shape) + 2 * np.eye(*shape[-2:]) * np.arange(1, shape[-1] + 1)
    check_grads(lambda a: of_svd(a, full), (a,))


def test_a_function_of_the_phase_is_refused():
    a = hermitian(complex_matrix(3, 3))
    for f in (
        lambda a: np.sum(np.imag(eigh(a)[1]) * WEIGHTS),
        lambda a: np.sum(np.imag(svd(a)[0]) * WEIGHTS),
        lambda a: np.sum(np.real(svd(a)[0] + svd(a)[2]) * WEIGHTS),
    ):
        with pytest.raises(ga.DerivativeError, match=r"(eigh|svd): .*phase.*arbitrary.*np\.abs"):
            ga.grad(f)(a)


def test_eigenvectors_of_any_matrix_are_as_lapack_scales_them():
    """Of length 1, with the largest component real: so they have derivatives of their own."""
    for a in (complex_matrix(3, 3), RANDOM.normal(size=(4, 4))):
        check_grads(lambda a: tuple(np.linalg.eig(a)), (a,))
        _, dv = ga.jvp(np.linalg.eig, (a,), (RANDOM.normal(size=a.shape),))[1]
        v = np.linalg.eig(a)[1]
        largest = np.argmax(np.abs(v), 0)
        assert_allclose(dv[largest, np.arange(len(a))].imag, 0, atol=1e-12)
        assert_allclose(np.sum(np.conj(v) * dv, 0).real, 0, atol=1e-12)


def test_eig_is_real_where_numpy_s_is():
    for a in (np.diag([1.0, 2.0]), np.array([[0.0, 1.0], [-1.0, 0.0]]), np.eye(2) * 1j):
        for f in (np.linalg.eig, np.linalg.eigvals):
            found, expected = f(ga.Tensor(a)), f(a)
            for x, y in zip(found, expected) if f is np.linalg.eig else [(found, expected)]:
                assert x.dtype == y.dtype
    assert ga.vmap(np.linalg.eigvals)(np.stack([np.eye(2)])).dtype == complex
    assert ga.stage(np.linalg.eigvals, np.eye(2)).outputs[0].type.dtype == complex


# ---- equal values: functions of the values alone, in which they count alike


@pytest.mark.parametrize("a", [np.eye(3), TWICE, np.zeros((3, 3))])
def test_sums_over_equal_values(a):
    for power, expected in ((1, np.eye(3)), (2, 2 * a), (3, 3 * a @ a)):
        for f in (eigvalsh, lambda a: eigh(a)[0], np.linalg.eigvals):
            total = lambda a, f=f, power=power: np.sum(np.real(f(a)) ** power)
            assert_allclose(ga.grad(total)(a), expected, atol=1e-13)
            tangent = ga.jvp(total, (a,), (hermitian(WEIGHTS),))[1]
            assert_allclose(tangent, np.sum(expected * WEIGHTS), atol=1e-12)


def test_sums_over_equal_singular_values():
    for f in (svdvals, lambda a: svd(a)[1], lambda a: svd(a, full_matrices=False)[1]):
        total = lambda a, f=f: np.sum(f(a) ** 4)
        for a in (ROTATION, 2 * np.eye(3)[:2]):
            expected = 4 * a @ a.T @ a
            assert_allclose(ga.grad(total)(a), expected, atol=1e-12)
            t = WEIGHTS[: len(a)]
            assert_allclose(ga.jvp(total, (a,), (t,))[1], np.sum(expected * t))


def test_norms_with_equal_singular_values():
    assert_allclose(ga.grad(lambda a: np.linalg.norm(a, "nuc"))(ROTATION), ROTATION, atol=1e-14)
    for order in (2, -2):  # each has a share
        assert_allclose(ga.grad(lambda a: np.linalg.norm(a, order))(np.eye(3)), np.eye(3) / 3)  # noqa: B023


# ---- equal values: functions of the vectors


def test_the_space_of_equal_eigenvalues():
    def projection(a):
        v = eigh(a)[1][:, :2]
        return np.sum(WEIGHTS * (v @ v.T))

    assert_allclose(ga.grad(projection)(TWICE), slope(projection, TWICE), atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [6, 60])
def test_many_equal_eigenvalues(n, dtype):
    """Two eigenvalues, n / 2 times each but for rounding: dP = (P da Q + Q da P) / (1 - 5)."""
    vectors = np.linalg.qr(RANDOM.normal(size=(n, n)))[0]
    p = vectors[:, : n // 2] @ vectors[:, : n // 2].T
    q, w = np.eye(n) - p, hermitian(RANDOM.normal(size=(n, n)))
    a = (p + 5 * q).astype(dtype)

    def projection(a):
        v = eigh(a)[1][:, : n // 2]
        return np.sum(w.astype(dtype) * (v @ v.T))

    tolerance = 2e3 * np.finfo(dtype).eps
    assert_allclose(ga.grad(projection)(a), (p @ w @ q + q @ w @ p) / -4, atol=tolerance)
    with pytest.raises(ga.DerivativeError, match=r"eigh: .*not determined"):
        ga.grad(lambda a: np.sum(w * (lambda x, v: (v * np.exp(x)) @ v.T)(*eigh(a))))(a)


def test_the_nearest_rotation():
    """All singular values are 1: the factor U V.T of the polar decomposition is smooth there."""

    def nearest(a):
        u, _, vh = svd(a)
        return np.sum(WEIGHTS * (u @ vh))

    expected = slope(nearest, ROTATION, symmetric=False)
    assert_allclose(ga.grad(nearest)(ROTATION), expected, atol=1e-8)


def test_vectors_of_other_values():
    def top(a):
        w, v = eigh(a)
        return w[-1] ** 2 * (v[:, -1] @ WEIGHTS @ v[:, -1])

    expected = slope(top, TWICE)
    assert_allclose(ga.grad(top)(TWICE), expected, atol=1e-7)
    t = ROTATION[:, :1] @ ROTATION[:, 2:].T  # this one does not mix the equal ones
    t = t + t.T
    assert_allclose(ga.jvp(top, (TWICE,), (t,))[1], np.sum(expected * t), atol=1e-7)
    t = hermitian(WEIGHTS)
    assert_allclose(ga.jvp(top, (TWICE,), (t,))[1], np.sum(expected * t), atol=1e-7)


def matrix_exponential(a):
    w, v = eigh(a)
    return np.sum(WEIGHTS * ((v * np.exp(w)) @ v.T))


def through_singular_values(a):
    u, s, vh = svd(a)
    return np.sum(WEIGHTS * ((u * np.exp(s)) @ vh))


def through_any_eigenvalues(a):
    w, v = np.linalg.eig(a)
    return np.sum(WEIGHTS * np.real((v * np.exp(w)) @ np.linalg.inv(v)))


@pytest.mark.parametrize(
    "f", [matrix_exponential, through_singular_values, through_any_eigenvalues]
)
@pytest.mark.parametrize("a", [np.eye(3), 2 * np.eye(3)])
def test_functions_of_a_matrix_are_refused(f, a):
    """The limit of (f(x) - f(y)) / (x - y) is f', of which the cotangents know nothing."""
    message = r"(eigh|svd|eig): .*equal values.*not determined.*np\.linalg\.eigvalsh"
    with pytest.raises(ga.DerivativeError, match=message):
        ga.grad(f)(a)
    assert np.isnan(ga.jvp(f, (a,), (WEIGHTS,))[1])
    assert np.all(np.isnan(ga.vmap(ga.grad(f))(a[None])))
    assert np.all(np.isnan(ga.stage(ga.grad(f), a)(a)))


def test_a_tangent_that_does_not_mix_equal_values():
    found = ga.jvp(matrix_exponential, (np.eye(3),), (np.diag([1.0, 2.0, 3.0]),))[1]
    assert_allclose(found, np.e * np.diag(WEIGHTS) @ [1, 2, 3])


def test_a_basis_that_nobody_chose():
    with pytest.raises(ga.DerivativeError, match=r"eigh: .*not determined"):
        ga.grad(lambda a: np.sum(WEIGHTS * eigh(a)[1]))(TWICE)


def test_second_derivatives_at_equal_values_are_not_silent():
    hessian = ga.hessian(lambda a: np.sum(eigvalsh(a) ** 2))(np.eye(2))
    assert_array_equal(np.isnan(hessian[0, 1]), [[False, True], [True, False]])
    along = ga.hvp(lambda a: np.sum(eigvalsh(a) ** 2))(np.eye(2), np.diag([1.0, 2.0]))
    assert_allclose(along, np.diag([2.0, 4.0]), atol=1e-14)


@pytest.mark.parametrize(
    "values",
    [
        eigvalsh,
        lambda a: eigh(a)[0],
        np.linalg.eigvals,
        lambda a: np.linalg.eig(a)[0],
        svdvals,
        lambda a: svd(a)[1],
    ],
)
@pytest.mark.parametrize("center", [0.0, 1.0])  # at 1 the first derivative is 0, the second is not
def test_second_derivatives_at_equal_values_are_refused(values, center):
    total = lambda a: np.sum(np.real(values(a) - center) ** 2)
    exchange = np.array([[0.0, 1.0], [1.0, 0.0]])
    along = lambda a: np.sum(ga.grad(total)(a) * exchange)
    forward = lambda a: ga.jvp(total, (a,), (exchange,))[1]
    for slope in (along, forward):
        with pytest.raises(ga.DerivativeError, match=r"second derivative.*equal values"):
            ga.grad(slope)(np.eye(2))
        assert np.all(np.isnan(ga.stage(ga.grad(slope), np.eye(2))(np.eye(2))))
        with pytest.raises(ga.DerivativeError, match=r"second derivative.*equal values"):
            ga.jvp(slope, (np.eye(2),), (exchange,))
        twice = lambda a, slope=slope: ga.jvp(slope, (a,), (exchange,))[1]
        if slope is forward:
            for run in (ga.vmap(twice), ga.stage(ga.vmap(twice), np.eye(2)[None])):
                with pytest.raises(ga.DerivativeError, match=r"second derivative.*equal values"):
                    run(np.eye(2)[None])
        else:
            assert np.isnan(ga.vmap(twice)(np.eye(2)[None]))
    assert np.isnan(ga.hessian(total)(np.eye(2))[0, 1, 0, 1])
    straight = ga.jvp(along, (np.eye(2),), (np.diag([1.0, 2.0]),))[1]
    assert_allclose(straight, 0, atol=1e-14)


# ---- lost rank


def test_singular_values_of_zero():
    a = np.outer([1.0, 2, 3], [1.0, 0, 1])
    expected = a / np.linalg.norm(a)
    assert_allclose(ga.grad(lambda a: np.linalg.norm(a, "nuc"))(a), expected, atol=1e-14)
    assert_allclose(ga.grad(lambda a: np.sum(svdvals(a)))(a), expected, atol=1e-14)
    assert_array_equal(ga.grad(lambda a: np.sum(svdvals(a)))(np.zeros((2, 3))), np.zeros((2, 3)))
    tangent = ga.jvp(lambda a: np.sum(svdvals(a)), (a,), (WEIGHTS,))[1]
    assert_allclose(tangent, np.sum(expected * WEIGHTS))


def test_the_best_approximation_of_low_rank():
    def approximation(a):
        u, s, vh = svd(a, full_matrices=False)
        return np.sum(WEIGHTS * ((u[:, :1] * s[:1]) @ vh[:1]))

    a = np.outer([1.0, 2, 3], [1.0, 0, 1])  # of rank 1: two singular values are 0
    expected = slope(approximation, a, symmetric=False)
    assert_allclose(ga.grad(approximation)(a), expected, atol=1e-8)


def test_a_matrix_put_together_again():
    def again(a):
        u, s, vh = svd(a, full_matrices=False)
        return np.sum(WEIGHTS[:, : a.shape[1]] * ((u * s) @ vh))

    rank_two = ROTATION[:, :2] @ RANDOM.normal(size=(2, 3))
    for a in (np.diag([2.0, 1, 0]), rank_two, np.eye(3, 1)):
        assert_allclose(ga.grad(again)(a), WEIGHTS[:, : a.shape[1]], atol=1e-13)


def test_dependent_columns_have_no_qr():
    a = np.outer([1.0, 2, 3], [1.0, 2, 1])
    triangle = lambda a: np.sum(np.linalg.qr(a, "r"))
    for f in (ga.grad(triangle), lambda a: ga.jvp(triangle, (a,), (a,))):
        with pytest.raises(ga.DerivativeError, match=r"qr: .*not linearly independent"):
            f(a)
    wide = np.array([[1.0, 2, 0], [2.0, 4, 1]])
    with pytest.raises(ga.DerivativeError, match=r"qr: .*of a wide matrix, the first"):
        ga.grad(lambda a: np.sum(np.linalg.qr(a)[1]))(wide)


def test_defective_matrices():
    for f in (
        lambda a: np.real(np.sum(np.linalg.eigvals(a) ** 2)),
        lambda a: np.sum(np.abs(np.linalg.eig(a)[1][0])),
    ):
        with pytest.raises(ga.DerivativeError, match=r"eig(vals)?: .*defective"):
            ga.grad(f)(np.array([[1.0, 1.0], [0.0, 1.0]]))


# ---- qr: what completes Q


def test_complete_q():
    def f(a):
        q, r = np.linalg.qr(a, "complete")
        n = a.shape[1]
        return q[:, :n], r, q[:, n:] @ adjoint(q[:, n:])

    check_grads(f, (RANDOM.normal(size=(5, 2)),))
    check_grads(f, (complex_matrix(4, 2),))
    with pytest.raises(ga.DerivativeError, match=r"qr: .*completes Q.*mode='reduced'"):
        ga.grad(lambda a: np.sum(np.linalg.qr(a, "complete")[0]))(RANDOM.normal(size=(5, 2)))
    with pytest.raises(ga.DerivativeError, match=r"mode='raw'.*reflectors.*mode='reduced'"):
        np.linalg.qr(ga.Tensor(np.eye(2)), "raw")


# ---- one triangle is read


def test_one_triangle_is_read():
    a = complex_matrix(3, 3)
    lower, upper = np.tril(a) + np.triu(np.full((3, 3), np.nan), 1), np.triu(a)
    for x, uplo in ((lower, "L"), (upper, "U")):
        for f in (eigh, eigvalsh):
            found, expected = f(ga.Tensor(x), uplo), f(x, uplo)
            for y, z in zip(found, expected) if f is eigh else [(found, expected)]:
                assert_array_equal(y.value, z)
    positive = a @ adjoint(a) + np.eye(3)
    for x, above in ((np.tril(positive), False), (np.triu(positive), True)):
        found = np.linalg.cholesky(ga.Tensor(x), upper=above).value
        assert_allclose(found, np.linalg.cholesky(positive, upper=above))
        assert_allclose(adjoint(found) @ found if above else found @ adjoint(found), positive)


# ---- empty matrices, and stacks of none


@pytest.mark.parametrize("shape", [(0, 0), (0, 3, 3), (2, 0, 0)])
def test_empty_square_matrices(shape):
    a = np.zeros(shape)
    for f in (eigh, np.linalg.eig, svd, np.linalg.qr):
        loss = lambda a, f=f: sum(np.sum(np.real(x)) for x in f(a))
        assert ga.grad(loss)(a).shape == shape
    for f in (eigvalsh, np.linalg.eigvals, svdvals, np.linalg.pinv, np.linalg.inv, np.linalg.det):
        assert ga.grad(lambda a, f=f: np.sum(np.real(f(a))))(a).shape == shape


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 0, 3)])
def test_empty_matrices(shape):
    a = np.zeros(shape)
    for f in (svd, np.linalg.qr):
        assert ga.grad(lambda a, f=f: sum(np.sum(x) for x in f(a)))(a).shape == shape
    for f in (svdvals, np.linalg.pinv):
        assert ga.grad(lambda a, f=f: np.sum(f(a)))(a).shape == shape


def test_single_precision_stays():
    a = (RANDOM.normal(size=(3, 3)) + 3 * np.diag([1, -2, 4])).astype(np.float32)
    for f in (eigh, svd, np.linalg.qr, np.linalg.eig):
        loss = lambda a, f=f: sum(np.sum(np.abs(x) ** 2 * WEIGHTS[0]) for x in f(a))
        for x in (a, (a + 1j * a.T).astype(np.complex64)):
            assert ga.grad(loss)(x).dtype == x.dtype
            assert ga.hvp(loss)(x, x).dtype == x.dtype
            wide = ga.grad(loss)(x.astype(np.result_type(x, np.float64)))
            assert_allclose(ga.grad(loss)(x), wide, rtol=2e-3, atol=2e-3)
