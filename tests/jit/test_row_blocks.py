"""Products of a matrix and a vector in kernels, and the blocks of rows that these go by."""

import numpy as np
import pytest

import gradarg as ga
from gradarg._jit.passes import optimised
from tests.jit.test_emit import vectors  # noqa: F401

TYPES = [np.float32, np.float64]
SHAPES = [(1000, 100), (1001, 37), (163, 101), (1100, 16), (20, 1000), (17, 9000), (130, 130)]


def logistic(w, x, y):
    return np.mean(np.logaddexp(np.zeros_like(y), -y * (x @ w))) + 0.01 * np.sum(w * w)


def data(shape, dtype, count=1):
    random = np.random.default_rng(shape[0])
    rows, columns = shape
    x = random.normal(size=shape).astype(dtype)
    y = np.sign(random.normal(size=rows)).astype(dtype)
    return *(random.normal(0, 0.1, size=(count, columns)).astype(dtype)), x, y


def close(found, exact, dtype, factor=1.0):
    assert found.dtype == dtype
    scale = factor * (4e-6 if dtype is np.float32 else 1e-13)
    np.testing.assert_allclose(found, exact, rtol=scale, atol=scale * np.max(np.abs(exact)))


def sums(f, *args):
    """The sums in each kernel of f that has some."""
    lines = f.explain(*args).splitlines()
    kernels = [line.split(": ")[1].split(", ") for line in lines if "_sum" in line]
    return [[name for name in kernel if "_sum" in name] for kernel in kernels]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_logistic_regression(vectors, shape, dtype):  # noqa: F811
    w, x, y = data(shape, dtype)
    f = ga.value_and_grad(logistic, argnums=(0, 1, 2))
    value, gradients = ga.jit(f)(w, x, y)
    exact, wanted = f(*(a.astype(np.float64) for a in (w, x, y)))
    close(value, exact, dtype)
    for found, one in zip(gradients, wanted):
        close(found, one, dtype)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_its_hessian_by_a_vector(vectors, shape, dtype):  # noqa: F811
    v, w, x, y = data(shape, dtype, 2)
    f = lambda v, w, x, y: ga.hvp(lambda w: logistic(w, x, y))(w, v)
    exact = f(*(a.astype(np.float64) for a in (v, w, x, y)))
    close(ga.jit(f)(v, w, x, y), exact, dtype)


def test_the_matrix_is_read_once():
    v, w, x, y = data((1000, 100), np.float32, 2)
    assert sums(ga.jit(ga.grad(logistic)), w, x, y) == [["row_sum", "column_sum"]]
    product = ga.jit(lambda v, w, x, y: ga.hvp(lambda w: logistic(w, x, y))(w, v))
    assert sums(product, v, w, x, y) == [["row_sum", "row_sum", "column_sum"]]


FORMS = {
    "X w": lambda x, w, r: np.tanh(x @ w) @ x,
    "w X.T": lambda x, w, r: np.tanh(w @ x.T) @ x,
    "X.T r": lambda x, w, r: x.T @ np.tanh(x @ w + r),
    "columns": lambda x, w, r: x.T @ np.tanh(x @ w[:, None] + r[:, None]),
    "rows": lambda x, w, r: np.tanh(w[None] @ x.T + r) @ x,
    "of what is made": lambda x, w, r: (np.exp(x) @ w - r) @ np.exp(x),
    "ones": lambda x, w, r: np.tanh(x @ np.ones_like(w)) @ x,
    "a given vector": lambda x, w, r: (r @ x) + np.sin(r * 2 + x @ w) @ x,
    "twice": lambda x, w, r: np.tanh(x @ (np.tanh(x @ w) @ x)) @ x,
    "rows at last": lambda x, w, r: np.exp(-np.abs(x @ w)) + r,
}


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(300, 70), (130, 130)])
def test_every_way_to_write_it(form, shape, dtype):
    w, x, r = data(shape, dtype)
    x /= 10
    f = FORMS[form]
    close(ga.jit(f)(x, w, r), f(*(a.astype(np.float64) for a in (x, w, r))), dtype, 5)
    loss = lambda *args: np.sum(f(*args) ** 2)
    g = ga.grad(loss, argnums=(0, 1, 2))
    exact = g(*(a.astype(np.float64) for a in (x, w, r)))
    for found, one in zip(ga.jit(g)(x, w, r), exact):
        close(found, one, dtype, 50)


@pytest.mark.parametrize("form", FORMS)
def test_matrices_of_other_layouts(form):
    w, x, r = data((300, 70), np.float64)
    f, wide = ga.jit(FORMS[form]), np.zeros((600, 140))
    wide[::2, ::2] = x
    for same in (np.asfortranarray(x), wide[::2, ::2]):
        close(f(same, w, r), FORMS[form](x, w, r), np.float64, 5)


def test_what_is_no_number_stays_in_its_row():
    w, x, _ = data((300, 70), np.float32)
    x[5, 3], x[7, 2], x[8, 1] = np.nan, np.inf, -np.inf
    f = lambda w, x: ga.softplus(x @ w)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(ga.jit(f)(w, x), f(w, x), rtol=1e-5)
    x[5, 3] = x[7, 2] = x[8, 1] = 0
    x[:3] *= [[1e4], [-1e4], [1e6]]
    g = ga.grad(lambda w, x: np.sum(f(w, x)), argnums=1)
    exact = g(w.astype(float), x.astype(float))
    close(ga.jit(g)(w, x), exact, np.float32)


def test_the_same_in_every_call():
    w, x, y = data((20_000, 40), np.float32)
    f = ga.jit(ga.value_and_grad(logistic))
    first = f(w, x, y)
    for _ in range(5):
        value, gradient = f(w, x, y)
        assert value == first[0]
        np.testing.assert_array_equal(gradient, first[1])


def test_sums_of_floats_are_exact_enough():
    """A million rows, whose sums a running float would get wrong in the third digit."""
    x = np.full((1 << 19, 16), 0.1, np.float32)
    w = np.full(16, 0.01, np.float32)
    found = ga.jit(lambda x, w: (x @ w + 1) @ x)(x, w)
    np.testing.assert_allclose(found, (x.astype(float) @ w + 1) @ x.astype(float), rtol=1e-6)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(1, 3), (100, 7), (65, 64), (300, 33), (9, 5000)])
def test_numbers_of_rows_by_vectors(vectors, shape, dtype):  # noqa: F811
    """A reduction's logarithm, in the kernels without a product."""
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)

    def f(x):
        low, high = np.min(x, axis=1), np.max(x, axis=1)
        spread = np.log(high - low + 2)
        kept = spread > 1.5
        return spread, kept, np.sum(spread), np.sum(x * np.exp(low)[:, None], axis=0), low

    for found, exact in zip(ga.jit(f)(x), f(x.astype(np.float64))):
        if exact.dtype == bool:
            np.testing.assert_array_equal(found, exact)
        else:
            close(found, exact, dtype)


def test_transposes_of_matrices_are_products_from_the_other_side():
    x, w, r = np.ones((30, 20)), np.ones(20), np.ones(30)
    for f, args in ((lambda x, r: x.T @ r, (x, r)), (lambda x, w: w @ x.T, (x, w))):
        graph = optimised(ga.stage(f, *args))
        assert "transpose" not in [e.primitive.name for e in graph.equations]
        np.testing.assert_allclose(graph(*args), f(*args))


def test_logaddexp_of_zeros_and_its_derivative():
    x = np.linspace(-800.0, 800.0, 333)
    f = ga.value_and_grad(lambda x: np.sum(np.logaddexp(np.zeros_like(x), x)))
    text = ga.jit(f).explain(x)
    assert "softplus" in text
    assert "sigmoid" in text
    assert "exp" not in text
    for found, exact in zip(ga.jit(f)(x), f(x)):
        np.testing.assert_allclose(found, exact, rtol=1e-13)
    both = lambda x: np.logaddexp(np.zeros((3, 1)), x)  # of another shape than its result
    np.testing.assert_allclose(ga.jit(both)(x), both(x), rtol=1e-14)
