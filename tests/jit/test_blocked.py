"""The NumPy backend, block by block: shapes that do not fit one block, sums, threads, fallbacks."""

import math
import threading
from typing import Any

import numpy as np
import pytest

import gradarg as ga
from gradarg._jit import backends, blocked, code, fusion, group
from tests.ops.checks import leaves, types_of

SIZES = [1, 65, 4097, 3 * 65536 + 17]


@pytest.fixture(autouse=True)
def always(monkeypatch):
    monkeypatch.setattr(fusion, "SMALL", 0)  # kernels for arrays of any size


@pytest.fixture(autouse=True)
def threads():
    before = ga.get_num_threads()
    yield
    ga.set_num_threads(before)


def same(f: Any, *args: Any, tolerance: float = 1e-12, **options: Any) -> Any:
    """f compiled for NumPy gives what f gives; the program comes back."""
    jitted = ga.jit(f, backend="numpy")
    found, expected = jitted(*args), f(*args)
    assert types_of(found) == types_of(expected)
    for a, b in zip(leaves(found), leaves(expected)):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, **options)
    return jitted._entry(args, {})[0].program


def normal(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


def rosenbrock(x: Any) -> Any:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def layer_norm(x: Any, g: Any, b: Any) -> Any:
    d = x - np.mean(x, axis=1, keepdims=True)
    v = np.mean(d * d, axis=1, keepdims=True)
    return np.sum(np.tanh(d / np.sqrt(v + 1e-5) * g + b))


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("size", SIZES)
def test_chains(size: int, count: int):
    ga.set_num_threads(count)

    def f(x: Any) -> Any:
        y = np.tanh(x * 1.5 + 0.25)
        return np.sum(y * x), y, y > 0.5, np.where(y > 0.5, x, y**3)

    same(f, normal(size))
    same(ga.grad(lambda x: f(x)[0]), normal(size))


@pytest.mark.parametrize("size", [s for s in SIZES if s > 1])
def test_a_ragged_row(size: int):
    program = same(ga.value_and_grad(rosenbrock), normal(size), tolerance=1e-10)
    assert len(program.kernels) == 1


@pytest.mark.parametrize("shift", [1, 2, 7, 3000, 70000])
def test_offsets_near_and_far(shift: int):
    def f(x: Any) -> Any:
        e = np.exp(x)
        return np.sum(e[shift:] * e[:-shift] + np.sin(e[shift:])), e[shift // 2 : -shift] * 2

    same(f, normal(150_001), tolerance=1e-10)
    same(ga.grad(lambda x: f(x)[0]), normal(150_001), tolerance=1e-10)


def test_segments_that_are_shorter_than_an_offset():
    def f(x: Any) -> Any:
        e = np.exp(x)
        return np.sum(e[60:] * e[:10]) + np.sum(e[3:] * e[:-3]), e[69:]

    same(f, normal(70))
    same(ga.grad(lambda x: f(x)[0]), normal(70))


@pytest.mark.parametrize("shape", [(4097, 256), (3, 200_003), (1, 70_000), (70_001, 3)])
def test_rows(shape: tuple[int, int]):
    x, g, b = normal(*shape), normal(shape[1], seed=1), normal(shape[1], seed=2)
    program = same(ga.value_and_grad(layer_norm, argnums=(0, 1, 2)), x, g, b, tolerance=1e-9)
    assert program.kernels

    def f(x: Any, r: Any, c: Any) -> Any:
        y = x * r + c
        return y, np.sum(y, axis=0), np.sum(y), np.max(y, axis=1), y < r

    same(f, x, normal(shape[0], 1, seed=3), g, tolerance=1e-10)
    same(lambda x, r, c: f(x, r, c)[:3], x, normal(shape[0], 1, seed=3), g, tolerance=1e-10)


def test_cross_entropy_over_rows():
    z, y = normal(3001, 50), np.random.default_rng(1).integers(0, 50, 3001)
    same(ga.value_and_grad(ga.nn.functional.cross_entropy), z, y)


def test_one_element_of_each_row_and_rows_of_one_element():
    x, column = normal(200, 30), np.random.default_rng(2).integers(-30, 30, 200)
    rows = np.arange(200)

    def f(x: Any) -> Any:
        e = np.exp(x)
        r = np.sum(e, axis=1, keepdims=True)
        y = np.broadcast_to(np.log(r), x.shape)
        return np.sum((x - np.log(r))[rows, column] * e[rows, column]) + np.sum(
            (x * y)[rows, column]
        )

    same(f, x)
    same(ga.value_and_grad(f), x)
    same(lambda x: np.tanh(x)[rows, column], x)
    same(ga.grad(lambda x: np.sum(np.tanh(x)[rows, column]) - np.sum(x * x)), x)
    same(ga.grad(lambda x: np.sum(x * x) - np.sum(np.tanh(x)[rows, column])), x)


@pytest.mark.parametrize("columns", [1, 2, 24, 25, 1000, 1024, 1025, 3000])
def test_reductions_of_short_and_long_rows(columns: int):
    def f(x: Any, y: Any) -> Any:
        dots = np.sum(x * y, axis=1), np.sum(np.square(x), axis=1)
        return *dots, np.sum(x + y, axis=1), np.max(x - y, axis=1), np.min(x, axis=1)

    same(f, normal(150, columns), normal(150, columns, seed=1), tolerance=1e-11)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_where_is_exact(dtype: Any):
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, 1.5] * 20, dtype)
    c = normal(x.size) > 0

    def f(x: Any, c: Any) -> Any:
        y = x * 2
        choices = (y, 0.0), (0.0, y), (y, -0.0), (-0.0, y), (y, 1.5), (2.5, y), (y, x), (1.0, 2.0)
        return [np.where(c, a, b) for a, b in choices] + [np.where(c, c, y > 0)]

    for a, b in zip(ga.jit(f, backend="numpy")(x, c), f(x, c)):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
        if a.dtype != np.bool_:
            np.testing.assert_array_equal(np.signbit(a), np.signbit(b))


def test_softmax_of_rows_of_three_axes():
    def f(x: Any) -> Any:
        return ga.softmax(x, axis=-1), ga.log_softmax(x, axis=(1, 2))

    same(f, normal(40, 50, 60))


def test_float32_sums_are_accurate():
    x = np.random.default_rng(0).random(10_000_000).astype(np.float32)
    exact = math.fsum(x.astype(np.float64))
    assert abs(ga.jit(lambda x: np.sum(x * 1), backend="numpy")(x) / exact - 1) < 2e-7
    by_column = ga.jit(lambda x: np.sum(x + 1, axis=0), backend="numpy")(x.reshape(-1, 10))
    expected = np.sum(x.reshape(-1, 10) + np.float32(1), axis=0, dtype=np.float64)
    np.testing.assert_allclose(by_column, expected, rtol=2e-7)
    by_row = ga.jit(lambda x: np.sum(x + 1, axis=1), backend="numpy")(x.reshape(10, -1))
    expected = np.sum(x.reshape(10, -1) + np.float32(1), axis=1, dtype=np.float64)
    np.testing.assert_allclose(by_row, expected, rtol=1e-6)


def test_zero_times_infinity_is_zero_in_any_block():
    x = np.abs(normal(200_000)) + 0.5
    x[[5, 70_000, 199_999]] = 0

    def f(x: Any) -> Any:
        return np.sum(np.where(x > 0, np.sqrt(x), 0))

    expected = np.where(x > 0, 0.5 / np.sqrt(np.where(x > 0, x, 1)), 0)
    np.testing.assert_allclose(ga.jit(ga.grad(f), backend="numpy")(x), expected, rtol=1e-14)
    rows = x.reshape(100, 2000)
    found = ga.jit(ga.grad(lambda x: f(x * 1)), backend="numpy")(rows)
    np.testing.assert_allclose(found, expected.reshape(100, 2000), rtol=1e-14)


def test_a_nan_that_would_be_lost_from_sight():
    """0 * inf before a comparison, which tells no NaN from a number."""
    from gradarg._ops.elementwise import product

    def f(x: Any, y: Any) -> Any:
        z = product(x, y)
        return z >= 0, np.sum(np.where(np.isnan(z), 100.0, 1.0))

    x, y = np.ones(1000), np.ones(1000)
    x[::3], y[::3] = 0, np.inf
    with np.errstate(invalid="ignore"):
        at_least, total = ga.jit(f, backend="numpy")(x, y)
    assert at_least.all()
    assert total == 1000


def test_true_nans_stay():
    x = normal(100_000)
    x[[3, 99_999]] = np.nan
    same(ga.value_and_grad(lambda x: np.sum(np.tanh(x) * x)), x)
    same(lambda x: (np.max(x, axis=1), np.sum(x * x, axis=0)), x.reshape(-1, 100))


@pytest.mark.parametrize("shape", [(0,), (0, 5), (5, 0)])
def test_empty(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gradarg._jit.fusion.SMALL", -1)
    same(lambda x: (np.tanh(x) * 2, np.sum(np.tanh(x)), np.sum(np.exp(x), axis=0)), np.zeros(shape))
    same(lambda x: np.sum(np.tanh(x), axis=-1), np.zeros(shape))


def test_a_chain_longer_than_python_recurses():
    def f(x: Any) -> Any:
        for _ in range(600):
            x = np.tanh(x * 1.01) + 0.1
        return x

    same(f, normal(200))


def test_many_offsets():
    def f(x: Any) -> Any:
        e = np.exp(x)
        return sum(np.sum(e[k:] * e[:-k]) for k in range(1, 12))

    same(ga.value_and_grad(f), normal(300))


def test_an_output_twice_and_in_two_shapes():
    def f(x: Any) -> Any:
        r = np.sum(np.exp(x), axis=1, keepdims=True)
        y = x / r
        return y, r, r.reshape(-1), y, np.sum(y), np.sum(y)

    same(f, normal(300, 40))


def test_inputs_of_any_layout():
    x = normal(300, 200)

    def f(a: Any, b: Any) -> Any:
        return np.tanh(a) * b, np.sum(a * b, axis=0)

    same(f, x.T[::2], np.broadcast_to(x[0, :100, None], (100, 300)))
    same(f, np.asfortranarray(x), x[::-1])


def test_arguments_stay_as_they_are():
    x = normal(1000)
    x.flags.writeable = False
    same(lambda x: np.exp(x + 1) * x, x)


def test_from_several_threads_at_once():
    f = ga.jit(ga.value_and_grad(rosenbrock), backend="numpy")
    xs = [normal(300_000, seed=k) for k in range(4)]
    expected, found = [f(x) for x in xs], {}

    def call(k: int) -> None:
        for _ in range(5):
            found[k] = f(xs[k])

    running = [threading.Thread(target=call, args=(k,)) for k in range(4)]
    for r in running:
        r.start()
    for r in running:
        r.join()
    for k, (value, slope) in enumerate(expected):
        assert found[k][0] == value
        np.testing.assert_array_equal(found[k][1], slope)


def test_no_warning_reaches_the_caller(recwarn: pytest.WarningsRecorder):
    ga.jit(lambda x: np.sum(np.log(x) * x), backend="numpy")(np.array([-1.0, 0.0] * 500))
    assert not recwarn.list


SETTLED = {"where", "as_float", "integer_power", "positive"}


def test_numpy_holds_what_llvm_holds():
    """Or there would be nothing to fall back on."""
    names = set(group.ELEMENTWISE.values())
    assert {n for n in names if code.supported(n)} - SETTLED <= {
        n for n in names if blocked.supported(n)
    }


def test_llvm_that_fails_says_why_and_numpy_runs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gradarg._jit.engine.module", lambda *_: "define nonsense")
    f = ga.jit(ga.value_and_grad(rosenbrock))
    x = normal(500)
    with pytest.warns(ga.GradargWarning, match="LLVM does not compile the kernel .*NumPy runs it"):
        value, slope = f(x)
    expected = ga.value_and_grad(rosenbrock)(x)
    np.testing.assert_allclose(value, expected[0], rtol=1e-12)
    np.testing.assert_allclose(slope, expected[1], rtol=1e-10)


def test_llvm_that_fails_on_labels(monkeypatch: pytest.MonkeyPatch):
    def loss(x, labels):
        logs = np.log(np.sum(np.exp(x), axis=1))
        return np.mean(logs - x[np.arange(len(labels)), labels])

    monkeypatch.setattr("gradarg._jit.engine.module", lambda *_: "define nonsense")
    f = ga.jit(ga.value_and_grad(loss))
    x, labels = normal(200, 30), np.arange(200) * 7 % 30
    with pytest.warns(ga.GradargWarning, match="LLVM does not compile the kernel"):
        value, slope = f(x, labels)
    expected = ga.value_and_grad(loss)(x, labels)
    np.testing.assert_allclose(value, expected[0], rtol=1e-12)
    np.testing.assert_allclose(slope, expected[1], rtol=1e-10, atol=1e-15)
    labels[3] = 30
    with pytest.raises(IndexError):
        f(x, labels)


def test_without_llvmlite(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert backends.runner(("auto", True)).made is blocked.Blocked
    with pytest.warns(ga.GradargWarning, match=r"pip install 'gradarg\[jit\]'"):
        assert backends.runner(("llvm", True)).made is blocked.Blocked


def test_the_source_of_a_block_is_read_and_written_once():
    """x**2 at three places is computed once, with the columns around the block."""
    program = ga.jit(lambda x: np.sum(np.exp(x)[2:] * np.exp(x)[:-2]), backend="numpy")
    kernel = program._entry((normal(1000),), {})[0].program.kernels[0]
    source = blocked.Blocked(kernel).source
    assert source.split("def careful")[0].count("exp(") == 1
