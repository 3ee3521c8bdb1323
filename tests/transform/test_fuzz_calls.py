"""Random chains of the calls of public functions: each call moves the arguments of the next.

A chain calls two to four functions of `tests/ops/calls.py` at their own points; the arguments of
each are scaled, by two in a hundred at most, by what the one before it returned. So any function
meets any other, inside its domain, in every way to differentiate.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, note
from hypothesis import strategies as st

import gradarg as ga
from tests.ops.calls import CALLS
from tests.ops.test_namespace import taken_apart
from tests.transform.test_fuzz import close, difference, directions, examples, inner

pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::gradarg.GradargWarning"),  # a program may mean it
]
# of these the result has a shape that depends on values, so nothing can be staged or mapped
UNKNOWN = (ga.ConcreteValueError, ga.ShapeError)


def usable(call: Any) -> bool:
    arrays = taken_apart(call)[1]
    whole = all(x.dtype.char in "dD" and x.size < 60 for x in arrays)
    return bool(call.smooth and arrays and whole)


SMOOTH = [call for call in CALLS if usable(call)]


class Chain:
    """A real function of all arrays of some calls."""

    def __init__(self, calls: Any) -> None:
        self.calls = [taken_apart(call)[0] for call in calls]
        self.counts = [len(taken_apart(call)[1]) for call in calls]
        self.inputs = [x for call in calls for x in taken_apart(call)[1]]

    def __call__(self, *inputs: Any) -> Any:
        given, moved = iter(inputs), 0.0
        for f, count in zip(self.calls, self.counts):
            scale = 1 + 0.02 * np.tanh(moved)
            moved = weighted(f(*(next(given) * scale for _ in range(count)))) + moved / 2
        return moved


def weighted(result: Any) -> Any:
    """A sum of all that a call returned, each element with a weight of its own."""
    total = 0.0
    for k, x in enumerate(ga.tree.flatten(result)[0]):
        if getattr(x, "dtype", np.dtype(int)).kind in "fc" and x.size:
            w = np.cos(k + np.arange(x.size)).reshape(x.shape) / x.size
            total = total + np.sum(np.real(x) * w)
            if x.dtype.kind == "c":
                total = total + np.sum(np.imag(x) * w) / 2
    return total


@st.composite
def chains(draw: Any) -> Chain:
    calls = draw(st.lists(st.sampled_from(SMOOTH), min_size=2, max_size=4))
    note(" -> ".join(map(str, calls)))
    return Chain(calls)


@examples(100)
@given(chains())
def test_every_way_agrees(chain: Chain):
    xs, every = chain.inputs, tuple(range(len(chain.inputs)))
    assume(getattr(chain(*xs), "dtype", None) == np.float64)
    both = ga.value_and_grad(chain, every)
    value, gradient = both(*xs)
    close([value], [chain(*xs)])
    v = directions(xs)
    out, tangent = ga.jvp(chain, xs, v)
    close([out, tangent], [value, inner(gradient, v)])
    ts = [ga.Tensor(x, requires_grad=True) for x in xs]
    loss = chain(*ts)
    if loss.requires_grad:
        loss.backward()
    close([np.zeros(t.shape) if t.grad is None else t.grad.value for t in ts], gradient)
    slope, finer = difference(chain, xs, v, 1e-4), difference(chain, xs, v, 5e-5)
    if abs(slope - finer) <= 1e-7 * max(1, abs(finer)):  # no kink within reach
        close([slope], [tangent], 1e-6)


@examples(60)
@given(chains())
def test_second_derivatives_agree(chain: Chain):
    xs, every = chain.inputs, tuple(range(len(chain.inputs)))
    assume(getattr(chain(*xs), "dtype", None) == np.float64)
    v, gradient = directions(xs), ga.grad(chain, every)
    forward = ga.jvp(gradient, xs, v)[1]
    close(forward, ga.vjp(gradient, *xs)[1](tuple(v)), 1e-8)
    close(ga.grad(lambda *xs: ga.jvp(chain, xs, v)[1], every)(*xs), forward, 1e-8)


@examples(60)
@given(chains())
def test_staged_and_mapped_agree(chain: Chain):
    xs, every = chain.inputs, tuple(range(len(chain.inputs)))
    assume(getattr(chain(*xs), "dtype", None) == np.float64)
    both = ga.value_and_grad(chain, every)
    rows = [xs, [0.99 * x for x in xs]]
    try:
        staged = ga.stage(both, *xs)(*xs)
        mapped = ga.vmap(both)(*(np.stack(column) for column in zip(*rows)))
    except UNKNOWN:
        assume(False)
    value, gradient = both(*xs)
    close([staged[0], *staged[1]], [value, *gradient])
    looped = [both(*row) for row in rows]
    close([mapped[0]], [np.stack([value for value, _ in looped])])
    for i in every:
        close([mapped[1][i]], [np.stack([g[i] for _, g in looped])])
