"""Threads that differentiate at the same time do not disturb one another."""

import asyncio
import contextlib
import contextvars
import sys
import threading

import numpy as np
import pytest

import gradarg as ga

X = np.linspace(0.2, 1.4, 7)
THREADS, ROUNDS = 8, 40


@pytest.fixture(autouse=True)
def switch_often():
    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(old)


def in_threads(work, count=THREADS):
    """Run work(k) in `count` threads that start together; the first error is raised here."""
    barrier, errors = threading.Barrier(count), []

    def run(k):
        try:
            barrier.wait()
            work(k)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def f(x, k):
    return np.sum(np.sin(k * x) * x + ga.stop_gradient(x)) + x[k % 7] ** 2


def gradient(k):
    one = np.zeros(7)
    one[k % 7] = 2 * X[k % 7]
    return np.cos(k * X) * k * X + np.sin(k * X) + one


def eager(k):
    t = ga.Tensor(X, requires_grad=True)
    f(t, k).backward()
    return t.grad.value


def create_graph(k):
    t = ga.Tensor(X, requires_grad=True)
    f(t, k).backward(create_graph=True)
    found, t.grad = t.grad.detach().value, None
    return found


def nested(k):
    """d/dx of (d/ds s f at s = 2) by forward mode inside reverse mode inside vmap."""
    inner = ga.grad(lambda x: ga.jvp(lambda s: s * f(x, k), (2.0,), (1.0,))[1])
    return ga.vmap(inner)(np.stack([X, X]))[1]


WAYS = [
    eager,
    lambda k: ga.grad(lambda x: f(x, k))(X),
    nested,
    lambda k: ga.stage(ga.grad(lambda x: f(x, k)), X)(X),
    create_graph,
    lambda k: ga.grad(ga.checkpoint(lambda x: f(x, k)))(X),
    lambda k: ga.vjp(lambda x: f(x, k), X)[1](1.0)[0],
    lambda k: ga.jacobian(lambda x: f(x, k), mode="forward")(X),
]


def test_eight_threads_each_in_its_own_way():
    def work(k):
        for n in range(ROUNDS):
            found = WAYS[(k + n) % len(WAYS)](k)
            np.testing.assert_allclose(found, gradient(k), rtol=1e-12)

    in_threads(work)


def test_no_grad_in_one_thread_does_not_silence_others():
    t = ga.Tensor(X, requires_grad=True)

    def work(k):
        for _ in range(ROUNDS * 5):
            silent = ga.no_grad() if k % 2 else contextlib.nullcontext()
            with silent:
                assert (t * 2).requires_grad != bool(k % 2)
                found = ga.grad(lambda x: f(x, k))(X)
            assert (t * 2).requires_grad
            np.testing.assert_allclose(found, gradient(k))

    in_threads(work)


def test_failures_in_some_threads():
    class Wrong(Exception):
        pass

    def broken(x):
        np.sin(x)
        raise Wrong

    def work(k):
        for n in range(ROUNDS):
            if k % 2:
                with pytest.raises(Wrong), ga.no_grad():
                    WAYS[1](k)
                    ga.grad(broken)(X)
            np.testing.assert_allclose(WAYS[(k + n) % len(WAYS)](k), gradient(k))

    in_threads(work)


@pytest.mark.parametrize("record", [False, True])
def test_a_shared_leaf_gathers_from_all_threads(record):
    t = ga.Tensor(X, requires_grad=True)

    def work(k):
        for _ in range(ROUNDS * 5):
            np.sum(t * (k + 1)).backward(create_graph=record)

    in_threads(work)
    total = ROUNDS * 5 * sum(range(1, THREADS + 1))
    np.testing.assert_array_equal(t.grad.detach().value, np.full(7, float(total)))


def test_a_shared_pullback():
    _, pullback = ga.vjp(lambda x: np.sin(x) * x, X)

    def work(k):
        for _ in range(ROUNDS):
            (found,) = pullback(np.full(7, k))
            np.testing.assert_allclose(found, k * (np.cos(X) * X + np.sin(X)))

    in_threads(work)


def test_shared_functions_graphs_and_rules():
    graph = ga.stage(ga.grad(lambda x: np.sum(np.sin(x) * x)), X)
    transformed = ga.vmap(ga.grad(np.sin))
    custom = ga.custom_vjp(np.sin)
    custom.defvjp(lambda x: (np.sin(x), x), lambda x, g: (3 * g * np.cos(x),))

    def work(k):
        x = X + k
        for _ in range(ROUNDS):
            np.testing.assert_allclose(graph(x), np.cos(x) * x + np.sin(x))
            np.testing.assert_allclose(transformed(x), np.cos(x))
            np.testing.assert_allclose(ga.vmap(ga.grad(custom))(x), 3 * np.cos(x))

    in_threads(work)


def test_a_graph_built_in_one_thread_and_walked_in_another():
    t = ga.Tensor(X, requires_grad=True)
    losses = [f(t, k) for k in range(THREADS)]
    in_threads(lambda k: losses[k].backward())
    np.testing.assert_allclose(t.grad.value, sum(gradient(k) for k in range(THREADS)))


def test_transforms_inside_a_thread_of_a_transform():
    """A value of the outer transform may be used in a thread that the function starts."""

    def g(x):
        found = [None] * 3

        def work(k):
            found[k] = ga.grad(lambda y: np.sum(x * y * y))(X) @ X * (k + 1)

        in_threads(work, 3)
        return sum(found)

    np.testing.assert_allclose(ga.grad(g)(X), 12 * X * X)


def test_no_grad_belongs_to_its_context():
    t = ga.Tensor(X, requires_grad=True)

    async def silent(gate):
        with ga.no_grad():
            gate.set()
            await asyncio.sleep(0.001)
            return (t * 2).requires_grad

    async def loud(gate):
        await gate.wait()
        return (t * 2).requires_grad

    async def both():
        gate = asyncio.Event()
        return await asyncio.gather(silent(gate), loud(gate))

    assert asyncio.run(both()) == [False, True]
    with ga.no_grad():
        inside = contextvars.copy_context()
    assert inside.run(lambda: (t * 2).requires_grad) is False
    assert (t * 2).requires_grad
