"""Passes alone: what a graph becomes, and that it computes the same."""

import numpy as np
import pytest

import gradarg as ga
from gradarg._jit.passes import optimised
from gradarg.testing import check_grads

RANDOM = np.random.default_rng(5)


def names(graph):
    return [e.primitive.name for e in graph.equations]


def same(f, *args):
    """The names of f's operations after the passes, which change no result."""
    graph = optimised(ga.stage(f, *args))
    expected = f(*args)
    np.testing.assert_allclose(graph(*args), expected, rtol=1e-12, atol=1e-12)
    for backend in ("auto", "numpy"):
        found = ga.jit(f, backend=backend)(*args)
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    return names(graph)


def positive(n, dtype=float):
    x = RANDOM.standard_normal((n, n)).astype(dtype)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * RANDOM.standard_normal((n, n))
    return x @ np.conj(x.T) + n * np.eye(n, dtype=dtype)


@pytest.mark.parametrize("dtype", [float, complex])
def test_systems_of_cholesky_factors_are_triangular(dtype):
    a, b = positive(40, dtype), RANDOM.standard_normal((40, 3))
    forward = lambda a, b: np.linalg.solve(np.linalg.cholesky(a), b)
    assert same(forward, a, b) == ["cholesky", "solve_triangular"]
    back = lambda a, b: np.linalg.solve(np.linalg.cholesky(a).T, b)
    assert same(back, a, b) == ["cholesky", "transpose", "solve_triangular"]
    other = lambda a, b: np.linalg.solve(np.linalg.cholesky(a) + 1, b)
    assert "solve" in same(other, a, b)
    stack = np.stack([a, a + np.eye(40)])
    swapped = lambda a, b: np.linalg.solve(np.swapaxes(np.linalg.cholesky(a), -1, -2), b)
    assert "solve" not in same(swapped, stack, b)


def test_a_column_times_a_row_is_a_product():
    x, y = RANDOM.standard_normal((2, 30, 1)), RANDOM.standard_normal((1, 20))
    assert same(lambda x, y: x @ y, x, y) == ["multiply"]
    assert same(lambda x, y: x @ y, x, np.arange(4).reshape(1, 4)) == ["multiply"]


def test_reals_have_no_conjugates():
    x = RANDOM.standard_normal(5)
    assert same(lambda x: np.conjugate(x) * 2, x) == ["multiply"]
    assert same(lambda x: np.conjugate(x) * 2, x + 1j) == ["conjugate", "multiply"]


def constants(f, *args):
    graph = optimised(ga.stage(f, *args))
    inputs = [i for e in graph.equations for i in e.inputs if isinstance(i, np.ndarray)]
    return [i for i in inputs if i.size > 1 and any(i.strides)]


def test_equal_constants_are_one_unless_they_can_change():
    one = RANDOM.standard_normal((4, 4))
    changing = one.T.copy()[1:].T
    one.flags.writeable = False

    def f(x, a, b):
        return ga.multiply(x, a) + ga.sin(ga.add(x, b))

    x = fixed = one[:, 1:]
    first, second = constants(lambda x: f(x, fixed, fixed.copy()), x)
    assert first is not second  # the copy can be written to
    first, second = constants(lambda x: f(x, fixed, one[:, 1:]), x)
    assert first is second and first.flags.c_contiguous
    np.testing.assert_array_equal(first, fixed)
    first, second = constants(lambda x: f(x, fixed, changing), x)
    assert first is not second
    np.testing.assert_array_equal(second, changing)


def test_a_hessian_knows_its_unit_vectors():
    x = RANDOM.standard_normal(60)
    rosen = lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    expected = ga.hessian(rosen)(x)
    for backend in ("auto", "numpy"):
        f = ga.jit(ga.hessian(rosen), backend=backend)
        np.testing.assert_allclose(f(x), expected, rtol=1e-12)
    assert all(c.flags.c_contiguous for c in constants(ga.hessian(rosen), x))


def test_products_of_matrices_in_recycled_memory_are_the_callers_own():
    x = RANDOM.standard_normal((400, 400))
    f = ga.jit(lambda x, y: (x @ y, (x @ y).T))
    one, turned = f(x, x)
    other, _ = f(x, 2 * x)
    np.testing.assert_allclose(one, x @ x)
    np.testing.assert_allclose(turned, (x @ x).T)
    np.testing.assert_allclose(other, 2 * (x @ x))
    assert not np.shares_memory(one, turned) and turned.flags.writeable
    only = ga.jit(lambda x: (x + 1).T)
    first, second = only(x), only(x)
    assert not np.shares_memory(first, second)
    first[0] = 7.0
    np.testing.assert_array_equal(second, x.T + 1)
    np.testing.assert_array_equal(only(x), x.T + 1)
    one[0] = 7.0
    np.testing.assert_allclose(f(x, x)[0], x @ x)


def test_likelihood_of_a_gaussian_process():
    d2 = np.abs(np.subtract.outer(np.arange(40.0), np.arange(40.0))) ** 2
    y = np.sin(np.arange(40.0))

    def likelihood(theta):
        scale, length, noise = np.exp(theta)
        low = np.linalg.cholesky(scale * np.exp(-d2 / length) + noise * np.eye(40))
        half = np.linalg.solve(low, y)
        return 0.5 * np.sum(half * half) + np.sum(np.log(np.diagonal(low)))

    theta = np.array([0.3, 0.7, -1.0])
    expected = ga.value_and_grad(likelihood)(theta)
    for backend in ("auto", "numpy"):
        value, gradient = ga.jit(ga.value_and_grad(likelihood), backend=backend)(theta)
        np.testing.assert_allclose(value, expected[0], rtol=1e-12)
        np.testing.assert_allclose(gradient, expected[1], rtol=1e-10)
    hessian = ga.hessian(likelihood)(theta)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-8)
    check_grads(likelihood, (theta,))


def test_powers_of_two_go_into_the_factor_beside_them():
    x = RANDOM.standard_normal(9)
    assert same(lambda x: 2 * x * 0.3, x) == same(lambda x: (x * 0.3) * -0.5, x) == ["multiply"]
    assert same(lambda x: x * 0.3 * 0.7, x) == ["multiply", "multiply"]
    assert same(lambda x: x * 2.0**-600 * 2.0**-600, x) == ["multiply", "multiply"]


def test_the_derivative_of_softplus_is_a_sigmoid():
    x = RANDOM.standard_normal(9)
    f = ga.grad(lambda x: np.sum(np.logaddexp(0, 3 * x)))
    names = [e.primitive.name for e in ga.jit(f).graph(x).equations]
    np.testing.assert_allclose(ga.jit(f)(x), f(x), rtol=1e-14)
    assert "exp" not in names
