"""Threads of compiled functions: how many, the same results each time, callers side by side."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import gradarg as ga
from gradarg._jit import pool

N = 300_000
X = np.random.default_rng(5).normal(size=N).astype(np.float32)


def value(x):
    return np.sum(np.tanh(x[1:]) * x[:-1] ** 2)


@pytest.fixture
def threads():
    before = ga.get_num_threads()
    yield
    ga.set_num_threads(before)


def test_set_num_threads_is_got(threads):
    for n in (1, 3, 2):
        ga.set_num_threads(n)
        assert ga.get_num_threads() == n


@pytest.mark.parametrize("bad", [0, -1])
def test_fewer_than_one_is_refused(bad):
    with pytest.raises(ValueError, match="at least 1"):
        ga.set_num_threads(bad)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_any_number_gives_the_same_again(threads, count):
    ga.set_num_threads(count)
    f = ga.jit(ga.value_and_grad(value))
    expected, slope = ga.value_and_grad(value)(X.astype(np.float64))
    first, g = f(X)
    np.testing.assert_allclose(first, expected, rtol=1e-5)
    np.testing.assert_allclose(g, slope, rtol=1e-4, atol=1e-5)
    for _ in range(20):
        again, h = f(X)
        assert again == first
        np.testing.assert_array_equal(h, g)


def test_rows_with_sums_over_both_axes(threads):
    x = np.random.default_rng(6).normal(size=(700, 300))

    def f(x):
        e = np.exp(x - np.max(x, axis=1, keepdims=True))
        return e / np.sum(e, axis=1, keepdims=True), np.sum(np.tanh(x), axis=0), np.sum(x * x)

    expected = f(x)
    for n in (1, 2, 5):
        ga.set_num_threads(n)
        for found, e in zip(ga.jit(f)(x), expected):
            np.testing.assert_allclose(found, e, rtol=1e-11, atol=1e-13)


def test_the_number_can_change_between_calls(threads):
    f = ga.jit(value)
    expected = value(X.astype(np.float64))
    for n in (2, 1, 4, 2, 3):
        ga.set_num_threads(n)
        np.testing.assert_allclose(f(X), expected, rtol=1e-5)


def test_many_callers_at_once(threads):
    ga.set_num_threads(2)
    f = ga.jit(ga.value_and_grad(value))
    xs = [np.roll(X, k) for k in range(6)]
    expected = [f(x) for x in xs]
    wrong = []

    def caller(k):
        for _ in range(30):
            v, g = f(xs[k])
            if v != expected[k][0] or not np.array_equal(g, expected[k][1]):
                wrong.append(k)

    callers = [threading.Thread(target=caller, args=(k,)) for k in range(6)]
    for c in callers:
        c.start()
    for k in range(20):  # while they run, the pool changes under them
        pool.set_num_threads(2)
        time.sleep(0.001 * (k % 3))
    for c in callers:
        c.join()
    assert not wrong


def test_workers_sleep_when_there_is_nothing_to_do(threads):
    ga.set_num_threads(2)
    ga.jit(value)(X)
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.2)
    assert time.process_time() - before < 0.1


def _in_child(queue):
    queue.put(float(ga.jit(value)(X)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_has_threads_of_its_own(threads):
    ga.set_num_threads(2)
    f = ga.jit(value)
    expected = f(X)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(queue,))
    child.start()
    found = queue.get(timeout=60)
    child.join(10)
    assert child.exitcode == 0
    assert found == expected == f(X)


def _run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_environment_sets_the_number():
    done = _run("import gradarg as ga; print(ga.get_num_threads())", GRADARG_NUM_THREADS="3")
    assert done.stdout.strip() == "3", done.stderr


def test_an_exit_with_workers_awake_is_clean():
    code = (
        "import gradarg as ga, numpy as np; ga.set_num_threads(3);"
        "f = ga.jit(lambda x: np.tanh(x)); x = np.ones(500_000);"
        "[f(x) for _ in range(5)]; print('end')"
    )
    done = _run(code)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "end", "")
