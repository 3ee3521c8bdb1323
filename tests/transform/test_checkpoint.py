"""checkpoint: the same derivatives, with less kept."""

import tracemalloc

import numpy as np
import pytest

import gradarg as ga

X = np.array([0.5, -1.25, 2.0])


def test_intermediate_values_are_not_kept():
    def block(x):
        for _ in range(10):
            x = np.sin(x)
        return x

    def peak(block):
        def f(x):
            for _ in range(5):
                x = block(x)
            return np.sum(x)

        x = np.full(10**5, 0.5)
        tracemalloc.start()
        gradient = ga.grad(f)(x)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return gradient, found / x.nbytes

    expected, whole = peak(block)
    found, less = peak(ga.checkpoint(block))
    np.testing.assert_array_equal(found, expected)
    assert whole > 45 and less < 5 + 10 + 6  # between blocks, within one, and a few more


def test_the_function_runs_again_in_the_backward_pass_only():
    calls = []

    def f(x):
        calls.append(1)
        return np.sum(np.sin(x))

    g = ga.checkpoint(f)
    assert g(X) == np.sum(np.sin(X)) and len(calls) == 1
    ga.grad(g)(X)
    assert len(calls) == 3
    _, pullback = ga.vjp(g, X)
    pullback(1.0)
    pullback(1.0)
    assert len(calls) == 6


def test_trees_numbers_and_containers_pass():
    def f(p, scale, flag=None):
        return {"out": p["w"] * scale, "rest": [p["b"], None]}, np.argmax(p["w"])

    def loss(p):
        out, where = ga.checkpoint(f)(p, 3.0)
        return np.sum(out["out"]) * 2 + out["rest"][0] * where

    assert ga.grad(loss)({"w": X, "b": 1.0})["b"] == 2.0
    np.testing.assert_array_equal(ga.grad(loss)({"w": X, "b": 1.0})["w"], [6.0, 6.0, 6.0])
    np.testing.assert_array_equal(
        ga.vmap(ga.grad(loss))({"w": np.stack([X, -X]), "b": np.ones(2)})["b"], [2.0, 1.0]
    )


@pytest.mark.parametrize(
    "run",
    [
        lambda f: ga.grad(f)(2.0),
        lambda f: ga.jvp(f, (2.0,), (1.0,))[1],
        lambda f: ga.vmap(ga.grad(f))(np.array([2.0]))[0],
        lambda f: ga.stage(ga.grad(f), 2.0)(2.0),
    ],
    ids=["grad", "jvp", "vmap", "stage"],
)
@pytest.mark.parametrize("option", [True, 3, None], ids=repr)
def test_flags_and_counts_stay_what_they_are(run, option):
    """They decide what the function does, so they are known even while it is staged."""

    def f(x, option):
        if option is None:
            return x * 5
        return sum(x for _ in range(option)) + x * 2 if option > 1 else x * 5

    assert run(lambda x: ga.checkpoint(f)(x, option)) == 5.0


def test_a_callable_tree_is_an_argument_as_well():
    """A module: what it holds gets its derivative."""

    class Linear:
        def __init__(self, w):
            self.w = w

        def __call__(self, x):
            return np.sum(self.w * x)

    ga.tree.register(Linear, lambda m: ((m.w,), None), lambda _, children: Linear(*children))
    gradient = ga.grad(lambda m, x: ga.checkpoint(m)(x))(Linear(X), X * 3)
    np.testing.assert_array_equal(gradient.w, X * 3)
    w = ga.Tensor(X, requires_grad=True)
    ga.checkpoint(Linear(w))(X * 3).backward()
    np.testing.assert_array_equal(w.grad.value, X * 3)


def test_branches_on_values():
    f = ga.checkpoint(lambda x: x * 3 if x > 1 else x * x)
    assert ga.grad(f)(2.0) == 3.0 and ga.grad(f)(0.5) == 1.0
    t = ga.Tensor(2.0, requires_grad=True)
    f(t).backward()
    assert t.grad.item() == 3.0


def test_many_in_a_row_and_within_one_another():
    f = ga.checkpoint(lambda x: x * 1.0001)

    def chain(x):
        for _ in range(2000):
            x = f(x)
        return x

    assert ga.grad(chain)(1.0) == pytest.approx(1.0001**2000)
    g = np.sin
    for _ in range(6):
        g = ga.checkpoint(g)
    assert ga.grad(ga.grad(g))(0.7) == pytest.approx(-np.sin(0.7))
