"""Donated arguments: their memory is written to where that is safe, and never else."""

from typing import Any

import numpy as np
import pytest

import gradarg as ga

N = 20_000


def numbers(*shape: int) -> Any:
    return np.random.default_rng(3).standard_normal(shape or (N,))


def rosenbrock(x: Any) -> Any:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


@pytest.mark.parametrize("backend", ["llvm", "numpy"])
def test_an_elementwise_result_may_lie_where_the_argument_lay(backend: str):
    step = ga.jit(lambda x, g: x - 0.1 * g * np.exp(-x), donate_argnums=0, backend=backend)
    for _ in range(3):
        x, g = numbers(), numbers() ** 2
        expected = x - 0.1 * g * np.exp(-x)
        before, address = g.copy(), x.ctypes.data
        found = step(x, g)
        np.testing.assert_allclose(found, expected, 1e-14)
        np.testing.assert_array_equal(g, before)
        assert (found.ctypes.data == address) == (backend == "llvm")


def test_neighbours_are_read_before_they_are_written():
    for f in (lambda x: x - 1e-3 * ga.grad(rosenbrock)(x), ga.grad(rosenbrock)):
        x = numbers()
        expected = f(x.copy())
        np.testing.assert_allclose(ga.jit(f, donate_argnums=0)(x), expected, 1e-12)


def test_spare_memory_takes_what_neighbours_make():
    step = ga.jit(lambda x, spare: x - 1e-3 * ga.grad(rosenbrock)(x), donate_argnums=1)
    x, spare = numbers(), np.empty(N)
    places = {x.ctypes.data, spare.ctypes.data}
    for _ in range(4):
        expected = x - 1e-3 * ga.grad(rosenbrock)(x)
        x, spare = step(x, spare), x
        np.testing.assert_allclose(x, expected, 1e-11)
        assert {x.ctypes.data, spare.ctypes.data} == places


@pytest.mark.parametrize(
    "given", ["twice", "a view", "read-only", "strided", "part of another"],
)  # fmt: skip
def test_memory_that_others_use_stays_as_it_is(given: str):
    step = ga.jit(lambda x, y: x * y + 1, donate_argnums=0)
    step(numbers(), numbers())
    whole = numbers(2 * N)
    y = numbers() + 2
    if given == "twice":
        x = y
    elif given == "a view":
        x = whole[:N]
    elif given == "strided":
        x = whole[::2]
    elif given == "read-only":
        x = numbers()
        x.flags.writeable = False
    else:
        x = numbers()
        y = x[::-1]
    before = [a.copy() for a in (x, y, whole)]
    np.testing.assert_allclose(step(x, y), before[0] * before[1] + 1, 1e-13, 1e-13)
    for a, b in zip((x, y, whole), before):
        np.testing.assert_array_equal(a, b)


def test_rows_that_are_read_again_are_not_overwritten():
    def f(x: Any) -> Any:
        e = np.exp(x - np.max(x, axis=1, keepdims=True))
        return e / np.sum(e, axis=1, keepdims=True) + x

    x = numbers(30, 50)
    expected = f(x)
    np.testing.assert_allclose(ga.jit(f, donate_argnums=0)(x), expected, 1e-13)


def test_an_argument_that_is_also_a_result_stays():
    x = numbers()
    expected = x.copy()
    same, more = ga.jit(lambda x: (x, x + 1), donate_argnums=0)(x)
    np.testing.assert_array_equal(same, expected)
    np.testing.assert_allclose(more, expected + 1, 1e-15)


def test_a_view_that_is_used_later_is_not_overwritten():
    def f(x: Any, w: Any) -> Any:
        return x * 2 + 1, x.T @ w

    x, w = numbers(20, 20), numbers(20, 20) + 1
    expected = f(x, w)
    for a, b in zip(ga.jit(f, donate_argnums=0)(x, w), expected):
        np.testing.assert_allclose(a, b, 1e-12)


def test_derivatives_keep_what_they_need():
    f = ga.jit(lambda x: np.sum(np.exp(x) * x), donate_argnums=0)
    x = numbers()
    before = x.copy()
    np.testing.assert_allclose(ga.grad(f)(x), np.exp(x) * (1 + x), 1e-12)
    np.testing.assert_array_equal(x, before)


def test_parameters_in_a_dict_are_donated_one_by_one():
    params = {"w": numbers(200, 300), "b": numbers(400, 200)}
    step = ga.jit(lambda p, g: {k: p[k] - 0.1 * g[k] for k in p}, donate_argnums=0)
    grads = {k: np.ones_like(v) for k, v in params.items()}
    expected = {k: v - 0.1 for k, v in params.items()}
    places = {k: v.ctypes.data for k, v in params.items()}
    found = step(params, grads)
    for k, v in expected.items():
        np.testing.assert_allclose(found[k], v, 1e-14)
        assert found[k].ctypes.data == places[k]


def test_small_results_lie_in_new_memory():
    """To see whether others use the old takes longer."""
    step = ga.jit(lambda x, y: x * y + 1, donate_argnums=0)
    x, y = numbers(100), numbers(100)
    expected, before = x * y + 1, x.copy()
    for _ in range(3):
        np.testing.assert_allclose(step(x, y), expected, 1e-13)
        np.testing.assert_array_equal(x, before)
    assert "donated(" not in step.source(x, y)
