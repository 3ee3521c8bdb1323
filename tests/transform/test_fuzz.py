"""Random programs of NumPy calls: every way to differentiate them must tell the same story.

A program is drawn step by step; each step applies one operation to values made before it. Its
operations are smooth (or take the maximum of values that differ), so that differences are an
oracle as well.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st

import gradarg as ga

SHAPES = [(), (1,), (3,), (2, 3), (3, 2), (1, 3), (2, 1, 3), (2, 3, 2)]
UNARY = {
    "sin": np.sin,
    "tanh": np.tanh,
    "exp": lambda x: np.exp(-x * x),
    "square": np.square,
    "sqrt": lambda x: np.sqrt(1 + x * x),
    "log": lambda x: np.log(2 + np.cos(x)),
    "arctan": np.arctan,
    "cube": lambda x: (x / 2) ** 3,
    "reciprocal": lambda x: 1 / (1 + np.abs(x)) + x,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "negative": lambda x: 0.75 - x,
    "where": lambda x: np.where(x > 0, x * x, np.square(x) * x),
    "int": lambda x: 2 * x,
}
BINARY = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - 0.5 * y,
    "multiply": lambda x, y: np.tanh(x * y),
    "divide": lambda x, y: x / (2 + np.sin(y)),
    "power": lambda x, y: (1.5 + np.tanh(x)) ** np.tanh(y),
    "hypot": lambda x, y: np.hypot(x, 1 + y * y),
    "arctan2": lambda x, y: np.arctan2(x, 2 + np.cos(y)),
    "logaddexp": np.logaddexp,
    "where": lambda x, y: np.where(np.cos(np.arange(x.size)).reshape(x.shape) > 0, x, y),
}


@dataclass
class Program:
    """Inputs, and steps that each append one value computed from values before it."""

    inputs: list[Any]
    steps: list[Any] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)

    def values(self, *inputs):
        values = list(inputs)
        for function, operands in self.steps:
            values.append(function(*(values[i] for i in operands)))
        return values

    def __call__(self, *inputs):
        """The values that the last steps made, each summed with weights of its own."""
        last = self.values(*inputs)[-len(self.weights) :]
        return sum(np.sum(v * w) for v, w in zip(last, self.weights, strict=True))


def axes(draw, x):
    """Some of x's axes, in any notation that NumPy takes."""
    return draw(
        st.sampled_from([None, *range(-x.ndim, x.ndim), *([(0, -1)] if x.ndim > 1 else [])])
    )


def index(draw, x):
    """An index that fits x, basic or with arrays."""
    n = x.shape[0]
    k = draw(st.integers(-n, n - 1))
    if draw(st.booleans()):
        return draw(
            st.sampled_from([k, slice(max(k, 0), None), slice(None, None, -1), None])
            | st.sampled_from([Ellipsis, (Ellipsis, None), (None, slice(0, 2))])
        )
    kinds = [[k, 0, k, n - 1], (..., np.zeros((2, 2), int)), np.arange(n) % 2 == 0, by_sine]
    if x.ndim > 1:
        kinds += [([0, 0, n - 1], slice(None)), (np.array([[0], [k]]), ..., [0, 0, -1])]
    return draw(st.sampled_from(kinds))


def by_order(x, y):
    """The elements of x in the order of those of y."""
    return np.take_along_axis(x, np.argsort(y, axis=-1), -1)


def by_sine(x):
    return by_order(x, np.sin(x))


def draw_step(draw, values):
    """One more operation: a name, a function of arrays, and which values it takes."""
    i = draw(st.integers(0, len(values) - 1))
    x = values[i]
    kind = draw(st.sampled_from(["unary", "binary", "reduce", "move", "index", "join", "product"]))
    if kind == "binary" or (kind in ("join", "product") and x.ndim == 0):
        name = draw(st.sampled_from(sorted(BINARY)))
        mates = [k for k, y in enumerate(values) if broadcasts(x, y)]
        return name, BINARY[name], (i, draw(st.sampled_from(mates)))
    if kind == "unary" or x.ndim == 0:
        name = draw(st.sampled_from(sorted(UNARY)))
        return name, UNARY[name], (i,)
    if kind == "reduce":
        axis, keepdims = axes(draw, x), draw(st.booleans())
        name = draw(st.sampled_from(["sum", "mean", "max", "prod", "var"]))
        return name, lambda x: getattr(np, name)(x, axis=axis, keepdims=keepdims), (i,)
    if kind == "move":
        flat = draw(
            st.sampled_from(["ravel", "transpose", "flip", "cumsum", "broadcast", "softmax"])
        )
        return flat, MOVES[flat], (i,)
    if kind == "index":
        at = index(draw, x)
        return f"index {at}", at if at is by_sine else lambda x: x[at], (i,)
    if kind == "join":
        mates = [k for k, y in enumerate(values) if y.shape == x.shape]
        j, axis = draw(st.sampled_from(mates)), draw(st.integers(-x.ndim, x.ndim - 1))
        function = draw(st.sampled_from([np.concatenate, np.stack, None]))
        if function is None:
            return "in the order of", by_order, (i, j)
        return function.__name__, lambda x, y: function([x, 2 * y, x], axis=axis), (i, j)
    mates = [k for k, y in enumerate(values) if fits_matmul(x, y)] or [None]
    j = draw(st.sampled_from(mates))
    if j is None:
        return "matmul self", lambda x: np.tanh(np.swapaxes(x[None], -1, -2) @ x[None]), (i,)
    return "matmul", lambda x, y: np.tanh(x @ y), (i, j)


MOVES = {
    "ravel": lambda x: x.reshape(-1),
    "transpose": lambda x: np.transpose(x) * np.arange(1.0, 2.0, 0.5)[0],
    "flip": lambda x: np.flip(x, 0),
    "cumsum": lambda x: np.cumsum(x, axis=-1),
    "broadcast": lambda x: np.broadcast_to(x, (2, *x.shape)),
    "softmax": lambda x: np.exp(x - 1) / np.sum(np.exp(x - 1), axis=-1, keepdims=True),
}


def broadcasts(x, y):
    try:
        np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        return False
    return True


def fits_matmul(x, y):
    return (
        y.ndim > 0 and x.shape[-1] == y.shape[-2 if y.ndim > 1 else 0] and max(x.ndim, y.ndim) < 3
    )


@st.composite
def programs(draw, dtypes=(np.float64,)):
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    shapes = draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3))
    inputs = [
        np.asarray(random.uniform(-1.5, 1.5, shape)).astype(draw(st.sampled_from(dtypes)))
        for shape in shapes
    ]
    program = Program(inputs)
    for _ in range(draw(st.integers(2, 10))):
        values = program.values(*inputs)
        name, function, operands = draw_step(draw, values)
        new = function(*(values[k] for k in operands))
        if new.size > 200:
            continue
        program.steps.append((function, operands))
        program.names.append(f"{name} of {operands}")
    values = program.values(*inputs)
    program.weights = [random.normal(size=v.shape) for v in values[-2:]]
    note(f"inputs {[(x.shape, str(x.dtype)) for x in inputs]}, {program.names}")
    return program


def inner(xs, ys):
    return sum(float(np.sum(x * y)) for x, y in zip(xs, ys, strict=True))


def close(found, expected, tolerance=1e-9):
    for a, b in zip(found, expected, strict=True):
        scale = tolerance * max(1.0, float(np.max(np.abs(b), initial=0)))
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=scale)


def difference(f, xs, v, h):
    """The slope of f along v, by central differences of fourth order."""
    at = {k: f(*(x + k * h * d for x, d in zip(xs, v, strict=True))) for k in (1, -1, 2, -2)}
    return (8 * (at[1] - at[-1]) - (at[2] - at[-2])) / (12 * h)


def directions(xs, seed=1):
    random = np.random.default_rng(seed)
    return [np.asarray(random.normal(size=x.shape)).astype(x.dtype) for x in xs]


@settings(max_examples=200)
@given(programs())
def test_reverse_forward_and_differences_agree(program):
    xs, every = program.inputs, tuple(range(len(program.inputs)))
    value, gradient = ga.value_and_grad(program, every)(*xs)
    assert [g.shape for g in gradient] == [x.shape for x in xs]
    close([value], [program(*xs)])
    v = directions(xs)
    out, tangent = ga.jvp(program, xs, v)
    close([out, tangent], [value, inner(gradient, v)])
    slope, finer = difference(program, xs, v, 1e-4), difference(program, xs, v, 5e-5)
    assume(abs(slope - finer) <= 1e-7 * max(1, abs(finer)))  # no kink of abs or max within reach
    close([slope], [tangent], 1e-6)


@settings(max_examples=120)
@given(programs())
def test_second_derivatives_agree(program):
    xs = program.inputs
    v, w = directions(xs), directions(xs, 2)
    every = tuple(range(len(xs)))

    def gradient(*xs):
        return ga.grad(program, every)(*xs)

    forward_over_reverse = ga.jvp(gradient, xs, v)[1]
    reverse_over_reverse = ga.vjp(gradient, *xs)[1](tuple(v))
    reverse_over_forward = ga.grad(lambda *xs: ga.jvp(program, xs, v)[1], every)(*xs)
    close(forward_over_reverse, reverse_over_reverse)
    close(reverse_over_forward, reverse_over_reverse)
    twice = ga.jvp(lambda *xs: ga.jvp(program, xs, v)[1], xs, w)[1]
    close([twice], [inner(forward_over_reverse, w)])


@settings(max_examples=120)
@given(programs(dtypes=(np.float64, np.float32)))
def test_staged_eager_and_transformed_agree(program):
    xs, every = program.inputs, tuple(range(len(program.inputs)))
    both = ga.value_and_grad(program, every)
    value, gradient = both(*xs)
    assert [g.dtype for g in gradient] == [x.dtype for x in xs]
    staged_value, staged_gradient = ga.stage(both, *xs)(*xs)
    close([staged_value, *staged_gradient], [value, *gradient])
    assert [g.dtype for g in staged_gradient] == [x.dtype for x in xs]
    close(ga.grad(ga.stage(program, *xs), every)(*xs), gradient)
    ts = [ga.Tensor(x, requires_grad=True) for x in xs]
    loss = program(*ts)
    close([loss.item()], [value])
    if loss.requires_grad:
        loss.backward()
    for t, g in zip(ts, gradient, strict=True):
        found = np.zeros(t.shape) if t.grad is None else t.grad.value
        close([found], [g])
        assert t.grad is None or t.grad.dtype == t.dtype


@settings(max_examples=120)
@given(programs(dtypes=(np.float64, np.float32)), st.data())
def test_vmap_is_a_loop(program, data):
    count = 3
    axes = [data.draw(st.sampled_from([None, *range(x.ndim + 1)])) for x in program.inputs]
    axes[0] = axes[0] or 0
    note(f"in_axes={axes}")
    random = np.random.default_rng(3)
    stacks = [
        x if axis is None else np.stack([x * random.uniform(0.5, 1) for _ in range(count)], axis)
        for x, axis in zip(program.inputs, axes, strict=True)
    ]
    rows = [
        [s if axis is None else np.take(s, k, axis) for s, axis in zip(stacks, axes, strict=True)]
        for k in range(count)
    ]
    every = tuple(range(len(stacks)))
    both = ga.value_and_grad(program, every)
    tolerance = 1e-9 if all(x.dtype == np.float64 for x in stacks) else 1e-4
    looped = [both(*row) for row in rows]
    values, gradients = ga.vmap(both, in_axes=tuple(axes))(*stacks)
    close([values], [np.stack([v for v, _ in looped])], tolerance)
    for i in every:
        close([gradients[i]], [np.stack([g[i] for _, g in looped])], tolerance)
    # the gradient of the mapped function: what is used whole gathers from all rows
    total = ga.grad(lambda *s: np.sum(ga.vmap(program, in_axes=tuple(axes))(*s)), every)(*stacks)
    for i, axis in enumerate(axes):
        per_row = [g[i] for _, g in looped]
        expected = sum(per_row) if axis is None else np.stack(per_row, axis)
        close([total[i]], [expected], tolerance)
