"""Random programs of NumPy calls: every way to differentiate them must tell the same story.

`make test` takes each test through some hundred programs, in CI the same ones each time; `make
nightly` takes it through thousands of new ones.
"""

import numpy as np
import pytest
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st

import gradarg as ga
from tests.transform.programs import COMPLEX, MIXED, programs

# NumPy's own, where a program computes a NaN that `where` does not take
pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::gradarg.GradargWarning"),  # a program may mean it
]


def examples(count):
    """So many programs in `make test`, and as many times that as the profile asks for."""
    return settings(max_examples=count * settings().max_examples // 100)


def inner(xs, ys):
    return sum(float(np.sum(np.real(np.conj(x) * y))) for x, y in zip(xs, ys, strict=True))


def close(found, expected, tolerance=1e-9):
    for a, b in zip(found, expected, strict=True):
        scale = tolerance * max(1.0, float(np.max(np.abs(b), initial=0)))
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=scale)


def rounding(xs):
    """How far sums in another order may be apart."""
    return 1e-9 if all(x.dtype.name in ("float64", "complex128") for x in xs) else 1e-4


def difference(f, xs, v, h):
    """The slope of f along v, by central differences of fourth order."""
    at = {k: f(*(x + k * h * d for x, d in zip(xs, v, strict=True))) for k in (1, -1, 2, -2)}
    return (8 * (at[1] - at[-1]) - (at[2] - at[-2])) / (12 * h)


def directions(xs, seed=1):
    random = np.random.default_rng(seed)
    parts = [(random.normal(size=x.shape), random.normal(size=x.shape)) for x in xs]
    return [
        np.asarray(re + 1j * im if x.dtype.kind == "c" else re).astype(x.dtype)
        for x, (re, im) in zip(xs, parts)
    ]


@examples(200)
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


@examples(120)
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


@examples(120)
@given(programs((MIXED, COMPLEX)))
def test_staged_eager_and_transformed_agree(program):
    xs, every = program.inputs, tuple(range(len(program.inputs)))
    both, tolerance = ga.value_and_grad(program, every), rounding(xs)
    value, gradient = both(*xs)
    assert [g.dtype for g in gradient] == [x.dtype for x in xs]
    staged_value, staged_gradient = ga.stage(both, *xs)(*xs)
    close([staged_value, *staged_gradient], [value, *gradient], tolerance)
    assert [g.dtype for g in staged_gradient] == [x.dtype for x in xs]
    close(ga.grad(ga.stage(program, *xs), every)(*xs), gradient, tolerance)
    ts = [ga.Tensor(x, requires_grad=True) for x in xs]
    loss = program(*ts)
    close([loss.item()], [value], tolerance)
    if loss.requires_grad:
        loss.backward()
    for t, g in zip(ts, gradient, strict=True):
        found = np.zeros(t.shape) if t.grad is None else t.grad.value
        close([found], [g], tolerance)
        assert t.grad is None or t.grad.dtype == t.dtype


@examples(120)
@given(programs((MIXED, COMPLEX)), st.data())
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
    tolerance = rounding(stacks)
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


@examples(60)
@given(programs((MIXED, COMPLEX)), st.data())
def test_a_scan_is_a_loop(program, data):
    """The inputs of a program are captured, carried or sliced; the carry is moved by its value."""
    xs, every = program.inputs, tuple(range(len(program.inputs)))
    places = [data.draw(st.sampled_from(["captured", "carried", "sliced"])) for _ in xs]
    options = data.draw(st.sampled_from([{}, {"reverse": True}, {"checkpoint": True}]))
    note(f"{places} {options}")
    factors = np.array([1.0, 0.5, 0.9, 0.7, 0.8])

    def chosen(values, place):
        return [x for x, p in zip(values, places, strict=True) if p == place]

    def run(scan):
        def f(*xs):
            def step(carry, x):
                carried, total = carry
                parts = {"captured": iter(chosen(xs, "captured")), "carried": iter(carried),
                         "sliced": iter(x)}  # fmt: skip
                y = np.sin(program(*(next(parts[p]) for p in places)))
                moved = [(c * (1 + 0.1 * y)).astype(c.dtype) for c in carried]
                return (moved, total + y), y * total

            rows = [np.stack([(x * k).astype(x.dtype) for k in factors])
                    for x in chosen(xs, "sliced")]  # fmt: skip
            start = (chosen(xs, "carried"), np.float64(0.25))
            (moved, total), ys = scan(step, start, rows, length=5, **options)
            return total + np.sum(ys) + sum(np.sum(np.abs(m) ** 2) for m in moved)

        return f

    f, loop = run(ga.scan), run(written_out)
    v = directions(xs)
    value, gradient = ga.value_and_grad(loop, every)(*xs)
    found, slope = ga.value_and_grad(f, every)(*xs)
    single = any(x.dtype.itemsize == 4 for x in xs)
    tolerance = 1e-3 if single else 1e-8
    assume(np.isfinite(value))
    close([found, *slope], [value, *gradient], tolerance)
    assert [g.dtype for g in slope] == [x.dtype for x in xs]
    close(ga.jvp(f, xs, v), ga.jvp(loop, xs, v), tolerance)
    staged = ga.stage(ga.grad(f, every), *xs)
    close(staged(*xs), gradient, tolerance)
    if not single:
        twice = lambda f: ga.jvp(ga.grad(f, every), xs, v)[1]
        close(twice(f), twice(loop), 1e-6)
    stacked = [np.stack([x, (x * 0.5).astype(x.dtype)]) for x in xs]
    rows = zip(*(ga.grad(loop, every)(*(s[k] for s in stacked)) for k in range(2)), strict=True)
    close(ga.vmap(ga.grad(f, every))(*stacked), [np.stack(r) for r in rows], tolerance)


def written_out(f, carry, xs, length, reverse=False, checkpoint=False):
    ys = [None] * length
    for i in reversed(range(length)) if reverse else range(length):
        carry, ys[i] = f(carry, [x[i] for x in xs])
    return carry, np.stack(ys)
