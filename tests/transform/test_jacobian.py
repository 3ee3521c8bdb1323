"""jacobian, hessian and hvp."""

from collections import namedtuple

import numpy as np
import pytest

import gradarg as ga

X = np.array([0.5, -1.25, 2.0])
Y = np.array([3.0, 0.25])
V = np.array([1.0, -2.0, 0.25])
Pair = namedtuple("Pair", "a b")
modes = pytest.mark.parametrize("mode", ["reverse", "forward", None])


@modes
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0,)])
@pytest.mark.parametrize("out", [(), (2,), (2, 2), (0,)])
def test_shapes_are_outputs_by_inputs(mode, shape, out):
    x = np.linspace(0.5, 1.5, int(np.prod(shape))).reshape(shape)
    weights = np.random.default_rng(0).normal(size=(*out, *shape))
    axes = tuple(range(len(out), len(out) + len(shape)))
    found = ga.jacobian(lambda x: np.sum(weights * x**2, axis=axes), mode=mode)(x)
    assert found.shape == (*out, *shape) and found.dtype == np.float64
    np.testing.assert_allclose(found, 2 * weights * x)


@modes
def test_trees_of_outputs_by_trees_of_inputs(mode):
    def f(p, y):
        return {"o": p["a"] * p["b"], "q": Pair(np.sum(p["a"]) * y, None), "k": [3.0]}

    found = ga.jacobian(f, (1, 0), mode=mode)({"a": X, "b": 2.0}, Y)
    by_y, by_p = found["o"]
    np.testing.assert_array_equal(by_y, np.zeros((3, 2)))
    np.testing.assert_array_equal(by_p["a"], 2 * np.eye(3))
    np.testing.assert_array_equal(by_p["b"], X)
    by_y, by_p = found["q"].a
    np.testing.assert_allclose(by_y, np.sum(X) * np.eye(2))
    np.testing.assert_allclose(by_p["a"], np.outer(Y, np.ones(3)))
    np.testing.assert_array_equal(by_p["b"], [0, 0])
    assert found["q"].b is None
    np.testing.assert_array_equal(found["k"][0][1]["a"], np.zeros(3))


@modes
def test_argnums_and_keywords(mode):
    by_x, by_y = ga.jacobian(lambda x, y, k: k * np.outer(x, y), (0, -1), mode=mode)(X, Y, k=2.0)
    np.testing.assert_allclose(by_x, 2 * np.einsum("ik,j->ijk", np.eye(3), Y))
    np.testing.assert_allclose(by_y, 2 * np.einsum("i,jk->ijk", X, np.eye(2)))


@modes
def test_constants_identities_and_integers(mode):
    np.testing.assert_array_equal(ga.jacobian(lambda x: x, mode=mode)(X), np.eye(3))
    np.testing.assert_array_equal(ga.jacobian(lambda x: Y, mode=mode)(X), np.zeros((2, 3)))
    np.testing.assert_array_equal(ga.jacobian(np.argmax, mode=mode)(X), np.zeros(3))
    assert ga.jacobian(lambda x: None, mode=mode)(X) is None


def test_few_rows_take_one_reverse_pass():
    calls = []
    wide = np.random.default_rng(0).normal(size=(3, 50))
    found = ga.jacobian(lambda x: calls.append(x) or wide @ x)(np.ones(50))
    np.testing.assert_array_equal(found, wide)
    assert len(calls) == 1
    np.testing.assert_array_equal(ga.jacobian(lambda x: wide.T @ x)(X), wide.T)


@modes
def test_results_are_the_callers_own(mode):
    a, b = ga.jacobian(lambda x, y: x + y, (0, 1), mode)(X, X)
    a[0] = 7.0
    np.testing.assert_array_equal(b, np.eye(3))
    zero = ga.jacobian(lambda x: 1.5, mode=mode)(X)
    zero += 1.0
    np.testing.assert_array_equal(zero, np.ones(3))


@pytest.mark.parametrize("mode", ["rev", "both", True])
def test_unknown_modes(mode):
    with pytest.raises(ValueError, match=r"reverse.*forward"):
        ga.jacobian(np.sin, mode=mode)


@pytest.mark.parametrize("transform", [ga.jacobian, ga.hessian])
def test_integers_carry_no_derivative(transform):
    with pytest.raises(ga.DerivativeError, match="carry no derivative"):
        transform(np.sum)(np.arange(3))


# ---- complex numbers


@modes
def test_holomorphic_and_real_to_complex(mode):
    z = np.array([1 + 2j, 0.5 - 1j])
    np.testing.assert_allclose(ga.jacobian(lambda z: z**2, mode=mode)(z), np.diag(2 * z))
    # each output is u + iv of a real x: du/dx + i dv/dx
    found = ga.jacobian(lambda x: x * x * (1 + 2j), mode=mode)(X)
    np.testing.assert_allclose(found, np.diag(2 * X * (1 + 2j)))
    np.testing.assert_allclose(
        ga.jacobian(lambda x: np.exp(1j * x), mode=mode)(0.5), 1j * np.exp(0.5j)
    )


@modes
def test_there_is_no_jacobian_of_a_real_function_of_complex_numbers(mode):
    """One complex number for each pair cannot say how |z| depends on both parts of z."""
    with pytest.raises(ga.DerivativeError, match=r"complex|holomorphic|real"):
        ga.jacobian(lambda z: np.abs(z) ** 2, mode=mode)(1 + 2j)


def test_there_is_no_hessian_by_complex_numbers():
    with pytest.raises(ga.DerivativeError, match=r"complex|real"):
        ga.hessian(lambda z: np.abs(z) ** 2)(1 + 2j)


@pytest.mark.parametrize("v", [1.0 + 0j, 1j, 0.5 - 2j])
def test_hvp_by_complex_numbers_is_the_derivative_of_the_gradient(v):
    z = np.array([1 + 2j, -0.5 + 0.25j])
    v = np.array([v, 2 * v])
    # the gradient of |z|**2 is 2 z, and of |z|**4, 4 |z|**2 z
    np.testing.assert_allclose(ga.hvp(lambda z: np.sum(np.abs(z) ** 2))(z, v), 2 * v)
    expected = 4 * (np.abs(z) ** 2 * v + 2 * np.real(np.conj(z) * v) * z)
    np.testing.assert_allclose(ga.hvp(lambda z: np.sum(np.abs(z) ** 4))(z, v), expected)


# ---- hessian


def f(x):
    return np.sum(np.sin(x) * x) + x[0] * x[1] ** 2


HESSIAN = np.diag(2 * np.cos(X) - X * np.sin(X))
HESSIAN[0, 1] = HESSIAN[1, 0] = 2 * X[1]
HESSIAN[1, 1] += 2 * X[0]


def test_hessian_of_a_vector():
    found = ga.hessian(f)(X)
    np.testing.assert_allclose(found, HESSIAN)
    np.testing.assert_array_equal(found, found.T)


def test_hessian_of_matrices_trees_and_several_arguments():
    A = np.outer(X, Y)
    found = ga.hessian(lambda a: np.sum(a**3))(A)
    np.testing.assert_allclose(found, np.einsum("ij,ik,jl->ijkl", 6 * A, np.eye(3), np.eye(2)))
    found = ga.hessian(lambda p: p["a"] ** 2 * p["b"])({"a": 2.0, "b": 3.0})
    assert found == {"a": {"a": 6.0, "b": 4.0}, "b": {"a": 4.0, "b": 0.0}}
    found = ga.hessian(lambda a, b: a**2 * b, (0, 1))(2.0, 3.0)
    assert found == ((6.0, 4.0), (4.0, 0.0))
    assert ga.hessian(lambda a, b: a**2 * b**3, -1)(2.0, 3.0) == 72.0
    assert ga.hessian(lambda x: x**3 * 2)(5.0) == 60.0


def test_hessian_of_linear_and_constant_functions():
    np.testing.assert_array_equal(ga.hessian(np.sum)(X), np.zeros((3, 3)))
    np.testing.assert_array_equal(ga.hessian(lambda x: 3.0)(X), np.zeros((3, 3)))


def test_hessian_needs_one_number():
    with pytest.raises(ga.ShapeError, match=r"one number.*\(3,\)"):
        ga.hessian(np.sin)(X)


# ---- hvp


def test_hvp():
    np.testing.assert_allclose(ga.hvp(f)(X, V), HESSIAN @ V)
    np.testing.assert_array_equal(ga.hvp(np.sum)(X, V), np.zeros(3))
    np.testing.assert_array_equal(ga.hvp(lambda x: 3.0)(X, V), np.zeros(3))
    assert ga.hvp(lambda x: x**3)(2.0, 5.0) == 60.0
    found = ga.hvp(lambda p: p.a**3 * p.b)(Pair(2.0, 3.0), Pair(1.0, 10.0))
    assert found == Pair(36.0 + 120.0, 12.0)
    for argnums in (1, -1):
        assert ga.hvp(lambda a, b, k: k * a * b**3, argnums)(2.0, 3.0, 1.0, k=5.0) == 180.0


def test_hvp_of_several_arguments():
    found = ga.hvp(lambda a, b: a**3 * b, (0, 1))(2.0, 3.0, (1.0, 10.0))
    assert found == (156.0, 12.0)


@pytest.mark.parametrize(
    ("v", "error"), [(np.ones(2), ga.ShapeError), (1.0, ga.ShapeError), ([V], ga.TreeError)]
)
def test_hvp_of_a_direction_that_does_not_fit(v, error):
    with pytest.raises(error, match="hvp"):
        ga.hvp(f)(X, v)


@pytest.mark.parametrize("args", [(), (X,)])
def test_hvp_without_a_direction(args):
    with pytest.raises(TypeError, match="hvp"):
        ga.hvp(f)(*args)


def test_an_output_of_nan_leaves_the_rows_of_the_others_alone():
    unknown = np.array([[np.nan, 1.0]])
    first, second = ga.jacobian(lambda x: (2 * x, unknown @ x), mode="reverse")(X[:2])
    np.testing.assert_array_equal(first, 2 * np.eye(2))
    np.testing.assert_array_equal(second, unknown)
