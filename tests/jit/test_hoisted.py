"""Products outside of a scan: the graph says where each is, and the numbers stay."""

import numpy as np
import pytest

import gradarg as ga
from gradarg._jit.expansion import expanded
from gradarg._jit.hoisted import hoisted
from gradarg._jit.passes import optimised
from gradarg._transform.loops import SCAN

RNG = np.random.default_rng(5)


def array(*shape, dtype=np.float64):
    return RNG.normal(size=shape).astype(dtype) * dtype(0.5)


def products(graph):
    """How many products a graph has outside of its scans, and inside."""
    bodies = [e.params["body"].graph for e in graph.equations if e.primitive is SCAN]
    outside = sum(e.primitive.name == "matmul" for e in graph.equations)
    return outside, sum(e.primitive.name == "matmul" for g in bodies for e in g.equations)


def taken_apart(f, *args):
    """The graph before and after; both give what f does."""
    before = optimised(expanded(ga.stage(f, *args)))
    after = hoisted(before)
    leaves = ga.tree.flatten(args)[0]
    for x, y in zip(after.flat(leaves), before.flat(leaves), strict=True):
        assert x.dtype == y.dtype and x.shape == y.shape
        tolerance = 1e-11 if x.dtype == np.float64 else 2e-5
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)
    return products(before), products(after)


def recurrent(w, u, c, xs, reverse=False):
    return ga.scan(lambda c, x: (np.tanh(x @ w + c @ u), c * 2), c, xs, reverse=reverse)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_product_of_a_slice_and_a_constant_is_done_before(dtype, reverse):
    args = [array(*s, dtype=dtype) for s in ((3, 4), (4, 4), (2, 4), (5, 2, 3))]
    before, after = taken_apart(lambda *a: recurrent(*a, reverse=reverse), *args)
    assert before == (0, 2) and after == (1, 1)


def test_a_constant_may_be_turned():
    args = [array(*s) for s in ((4, 3), (4, 4), (2, 4), (5, 2, 3))]
    before, after = taken_apart(lambda w, *a: recurrent(w.T, *a), *args)
    assert before == (0, 2) and after == (1, 1)


@pytest.mark.parametrize("reverse", [False, True])
def test_sums_over_the_steps_are_done_after(reverse):
    def f(w, b, c, xs):
        last, ys = ga.scan(lambda c, x: (np.tanh(c @ w + b + x), np.sin(c)), c, xs, reverse=reverse)
        return np.sum(last**2) + np.sum(ys * xs)

    args = [array(*s) for s in ((4, 4), (4,), (2, 4), (5, 2, 4))]
    before, after = taken_apart(ga.grad(f, (0, 1, 2)), *args)
    assert after[1] == before[1] - 1 and after[0] == before[0] + 1


STAY = {
    "of what is carried": lambda w, c, xs: ga.scan(lambda c, x: (c @ w + x, c), c, xs),
    "of a vector": lambda w, c, xs: ga.scan(lambda c, x: (c + x[0] @ w, c), c, xs),
    "of what changes": lambda w, c, xs: ga.scan(lambda c, x: (x @ (w * np.sum(c)), c), c, xs),
    "a sum that a step reads": lambda w, c, xs: ga.scan(
        lambda s, x: ((s[0] + x.T @ s[1], s[1] + x @ s[0]), s[0]), (w, c), xs
    )[1],
}  # fmt: skip


@pytest.mark.parametrize("name", STAY)
def test_what_must_wait_for_a_step_stays(name):
    args = [array(*s) for s in ((4, 4), (2, 4), (5, 2, 4))]
    before, after = taken_apart(STAY[name], *args)
    assert before == after and before[1]


def test_no_steps_and_no_scan():
    w, c = array(4, 4), array(2, 4)
    assert taken_apart(lambda w, c: c @ w, w, c) == ((1, 0), (1, 0))
    none = taken_apart(lambda w, c: ga.scan(lambda c, x: (x @ w, c), c, np.zeros((0, 2, 4))), w, c)
    assert none[0] == none[1]


def test_second_order():
    def f(w, c, xs):
        return np.sum(ga.scan(lambda c, x: (np.tanh(c @ w + x @ w), c), c, xs)[0] ** 2)

    args = [array(*s) for s in ((3, 3), (2, 3), (4, 2, 3))]
    v = array(3, 3)
    g = lambda w, c, xs: np.sum(ga.grad(f)(w, c, xs) * v)
    for found, expected in zip(ga.jit(ga.grad(g, (0, 1)))(*args), ga.grad(g, (0, 1))(*args)):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)
