"""Kernels that do not need one another, as one launch: shapes, threads, memory that is donated."""

import threading
from typing import Any

import numpy as np
import pytest

import gradarg as ga

RANDOM = np.random.default_rng(5)
SHAPES = [(3,), (70, 5), (1,), (400, 300), (0, 4), (2, 3, 50)]


@pytest.fixture(autouse=True)
def threads():
    before = ga.get_num_threads()
    yield
    ga.set_num_threads(before)


def arrays(shapes: Any, dtype: Any = np.float32) -> list[Any]:
    return [RANDOM.normal(size=s).astype(dtype) for s in shapes]


def descent(ps: list[Any], gs: list[Any], rate: Any) -> list[Any]:
    return [p - rate * np.tanh(g) for p, g in zip(ps, gs)]


def same(found: Any, expected: Any, tolerance: float = 1e-6) -> None:
    for a, b in zip(found, expected, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_arrays_of_all_shapes_in_one_launch(count: int, dtype: Any):
    ga.set_num_threads(count)
    f = ga.jit(descent)
    for _ in range(3):
        ps, gs = arrays(SHAPES, dtype), arrays(SHAPES, dtype)
        same(f(ps, gs, dtype(0.1)), descent(ps, gs, dtype(0.1)))
    launches = [x for x in f.source(ps, gs, dtype(0.1)).split("\n") if "kernel_0_1_" in x]
    assert len(launches) == 1


def test_arrays_of_any_layout():
    f = ga.jit(descent)
    ps, gs = arrays([(40, 30), (200, 500)]), arrays([(30, 40), (500, 200)])
    gs = [g.T for g in gs]
    for _ in range(2):
        same(f(ps, gs, np.float32(0.1)), descent(ps, gs, np.float32(0.1)))
        same(f(ps, gs, 0.1), descent(ps, gs, 0.1))


def test_more_arrays_than_a_launch_takes():
    shapes = [(k + 1, 7) for k in range(100)]
    ps, gs = arrays(shapes), arrays(shapes)
    same(ga.jit(descent)(ps, gs, np.float32(0.1)), descent(ps, gs, np.float32(0.1)))


def test_results_that_the_next_operation_needs():
    def f(x: Any, y: Any, w: Any) -> Any:
        a, b = np.exp(x) * 2, np.sin(y) + 1
        return a @ w, b, np.sqrt(a) - 1, np.cos(b) * y

    args = RANDOM.normal(size=(80, 30)), RANDOM.normal(size=(700,)), RANDOM.normal(size=(30, 4))
    same(ga.jit(f)(*args), f(*args), 1e-12)


@pytest.mark.parametrize("donated", [0, 1])
def test_memory_that_a_waiting_kernel_reads_is_not_written_before(donated: int):
    def f(p: Any, q: Any) -> Any:
        return p[:, None] * q + 1, np.exp(p) * 3, np.tanh(q) - q

    p, q = RANDOM.normal(size=300), RANDOM.normal(size=(300, 40))
    expected = f(p, q)
    for _ in range(2):
        same(ga.jit(f, donate_argnums=donated)(p.copy(), q.copy()), expected, 1e-12)


def test_from_several_threads_at_once():
    ga.set_num_threads(2)
    f = ga.jit(descent)
    ps, gs = arrays([(300, 300), (500,), (200, 400)]), arrays([(300, 300), (500,), (200, 400)])
    expected, errors = descent(ps, gs, np.float32(0.1)), []

    def work() -> None:
        try:
            for _ in range(20):
                same(f(ps, gs, np.float32(0.1)), expected)
        except AssertionError as error:
            errors.append(error)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert not errors
