"""Each sample of the table, taken through all that holds for every primitive."""

from collections.abc import Callable, Iterator
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest

import gradarg as ga
from gradarg._core import tape
from gradarg._core.primitive import Joint
from gradarg._core.trace import shape_dtype
from gradarg._ops import elementwise, structure
from tests.ops.checks import (
    close,
    difference,
    direction,
    inner,
    leaves,
    narrowed,
    same,
    types_of,
)
from tests.ops.sample import Sample, primitives
from tests.ops.samples import TABLE

SMOOTH = [s for s in TABLE if s.primitive.vjps is not None and s.places("fc")]
FLAT = [s for s in TABLE if s.primitive.vjps is None and s.places("fc")]
REAL_PARTS = [
    "absolute",
    "conjugate",
    "real",
    "imag",
    "slogdet",
    "length",
    "cholesky",
    "cholesky_pullback",
    "irfft",
    "eigh",
    "eigvalsh",
    "eig",
    "svd",
    "svdvals",
    "qr",
    "pinv",
]
HOLOMORPHIC = [
    s for s in SMOOTH if s.places("c") == s.places("fc") and s.primitive.name not in REAL_PARTS
]

every = pytest.mark.parametrize("sample", TABLE, ids=lambda s: s.name)
smooth = pytest.mark.parametrize("sample", SMOOTH, ids=lambda s: s.name)
flat = pytest.mark.parametrize("sample", FLAT, ids=lambda s: s.name)


def subsets(places: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    for n in range(1, len(places) + 1):
        yield from combinations(places, n)


def derivatives(f: Callable[..., Any], xs: Any, seed: int) -> list[Callable[..., Any]]:
    """The JVP and the VJP of f, as functions of its arguments in directions that stay."""
    random = np.random.default_rng(seed)
    d, c = direction(xs, random), direction(f(*xs), random)
    return [lambda *x: ga.jvp(f, x, d)[1], lambda *x: ga.vjp(f, *x)[1](c)]


def stacked(rows: Any) -> list[Any]:
    return [np.stack(column) for column in zip(*map(leaves, rows))]


def staged_types(graph: ga.Graph) -> list[ga.ShapeDtype]:
    return [getattr(o, "type", None) or shape_dtype(o) for o in graph.outputs]


def test_every_primitive_has_a_sample():
    sampled = {id(s.primitive) for s in TABLE}
    assert [p for p in primitives() if id(p) not in sampled] == []


def test_no_two_samples_share_a_name():
    names = [s.name for s in TABLE]
    assert len(names) == len(set(names))


@every
def test_value(sample: Sample):
    expected = sample.reference(*sample.prepare(*sample.args), **sample.params)
    same(sample(*sample.args), expected, rtol=1e-12, atol=1e-14)
    f, xs = sample.of(sample.places())
    result = leaves(f(*map(ga.Tensor, xs)))
    same([t.value for t in result], leaves(expected), rtol=1e-12, atol=1e-14)


@smooth
def test_first_order(sample: Sample):
    random = np.random.default_rng(1)
    for places in subsets(sample.places("fc")):
        f, xs = sample.of(places)
        expected = f(*xs)
        d, c = direction(xs, random), direction(expected, random)
        out, tangent = ga.jvp(f, xs, d)
        same(out, expected, rtol=1e-12)
        close(tangent, difference(f, xs, d))
        out, pullback = ga.vjp(f, *xs)
        same(out, expected, rtol=1e-12)
        cotangents = pullback(c)
        assert types_of(tangent) == types_of(out)
        assert types_of(cotangents) == types_of(xs)
        close(inner(cotangents, d), inner(c, tangent))


@smooth
def test_second_order(sample: Sample):
    random = np.random.default_rng(2)
    f, xs = sample.of(sample.places("fc"))
    e = direction(xs, random)
    for first in derivatives(f, xs, 2):
        expected = difference(first, xs, e)
        close(ga.jvp(first, xs, e)[1], expected)
        out, pullback = ga.vjp(first, *xs)
        c = direction(out, random)
        close(inner(pullback(c), e), inner(c, expected))


@pytest.mark.parametrize("sample", HOLOMORPHIC, ids=lambda s: s.name)
def test_cotangents_are_those_of_the_plain_transpose(sample: Sample):
    """Inside, nothing is conjugated: c . (J t) = (c J) . t; the border of vjp does it."""
    random = np.random.default_rng(12)
    f, xs = sample.of(sample.places("fc"))
    out, pullback = ga.vjp(f, *xs)
    t, c = direction(xs, random), direction(out, random)
    cotangents = pullback.transposed(leaves(c))
    found = sum(np.sum(a * b) for a, b in zip(cotangents, t))
    expected = sum(np.sum(a * b) for a, b in zip(leaves(c), leaves(ga.jvp(f, xs, t)[1])))
    close(found, np.asarray(expected), 1e-10)


@flat
def test_no_derivative_is_zero(sample: Sample):
    random = np.random.default_rng(3)
    f, xs = sample.of(sample.places("fc"))
    out, tangent = ga.jvp(f, xs, direction(xs, random))
    close(tangent, np.zeros(out.shape))
    out, pullback = ga.vjp(f, *xs)
    same(pullback(direction(out, random)), [np.zeros_like(x) for x in xs])
    assert not f(*(ga.Tensor(x, requires_grad=True) for x in xs)).requires_grad


@smooth
def test_backward_of_tensors(sample: Sample):
    """The eager tape, with `create_graph`, against `vjp` of `vjp`."""
    random = np.random.default_rng(4)
    f, xs = sample.of(sample.places("fc"))
    c, e = direction(f(*xs), random), direction(xs, random)
    tensors = [ga.Tensor(x, requires_grad=True) for x in xs]

    def derivative(*x: Any) -> Any:
        return ga.vjp(f, *x)[1](c)

    def collected() -> list[Any]:
        grads = [t.grad for t in tensors]
        for t in tensors:
            t.grad = None
        return [ga.Tensor(np.zeros(t.shape)) if g is None else g for t, g in zip(tensors, grads)]

    for out, g in zip(leaves(f(*tensors)), leaves(c)):
        if out.requires_grad:
            out.backward(g, create_graph=True)
    grads = collected()
    close([g.value for g in grads], derivative(*xs), 1e-12)
    for g, d in zip(grads, e):
        if g.requires_grad:
            g.backward(d, retain_graph=True)
    close([g.value for g in collected()], ga.vjp(derivative, *xs)[1](e), 1e-10)


@smooth
def test_forgotten_values_are_not_missed(sample: Sample, monkeypatch: pytest.MonkeyPatch):
    """The tape drops large values that no rule reads; here it takes every array for large."""
    f, xs = sample.of(sample.places("fc"))
    first = derivatives(f, xs, 5)[1]
    second = derivatives(first, xs, 5)[1]
    expected = [*first(*xs), *second(*xs)]
    monkeypatch.setattr(tape, "_LARGE", -1)
    same([*first(*xs), *second(*xs)], expected)


@every
def test_vmap_is_a_loop(sample: Sample):
    for places in subsets(sample.places()):
        f, xs = sample.of(places)
        rows = [[sample.vary(x, k) for x in xs] for k in range(3)]
        expected = stacked([f(*row) for row in rows])
        same(leaves(ga.vmap(f)(*stacked(rows))), expected, rtol=1e-12, atol=1e-14)


@smooth
def test_vmap_of_derivatives_is_a_loop(sample: Sample):
    f, xs = sample.of(sample.places("fc"))
    rows = [[sample.vary(x, k) for x in xs] for k in range(2)]
    for first in derivatives(f, xs, 5):
        expected = stacked([first(*row) for row in rows])
        close(leaves(ga.vmap(first)(*stacked(rows))), expected, 1e-10)


@smooth
def test_vmap_over_directions_is_a_loop(sample: Sample):
    """What a Jacobian does: the derivatives are mapped, the values are not."""
    random = np.random.default_rng(6)
    f, xs = sample.of(sample.places("fc"))
    out, pullback = ga.vjp(f, *xs)
    ds, cs = ([direction(v, random) for _ in range(2)] for v in (xs, leaves(out)))
    rows = [ga.jvp(f, xs, d)[1] for d in ds]
    found = ga.vmap(lambda *d: ga.jvp(f, xs, d)[1])(*stacked(ds))
    close(found, stacked(rows) if isinstance(found, tuple) else stacked(rows)[0], 1e-12)
    rows = [pullback.transposed(c) for c in cs]
    close(ga.vmap(lambda *c: pullback.transposed(c))(*stacked(cs)), stacked(rows), 1e-12)


@every
def test_staged_is_eager(sample: Sample):
    f, wide = sample.of(sample.places())
    for xs in (wide, narrowed(wide)):
        graph, expected = ga.stage(f, *xs), f(*xs)
        assert staged_types(graph) == types_of(expected)
        same(graph(*xs), expected, rtol=1e-5)


@smooth
def test_staged_derivatives_are_eager(sample: Sample):
    f, wide = sample.of(sample.places("fc"))
    for xs in (wide, narrowed(wide)):
        for first in derivatives(f, xs, 7):
            graph, expected = ga.stage(first, *xs), first(*xs)
            assert staged_types(graph) == types_of(expected)
            same(graph(*xs), expected, rtol=1e-5)


@smooth
def test_single_precision_stays(sample: Sample):
    f, wide = sample.of(sample.places("fc"))
    xs = narrowed(wide)
    out = sample.reference(*sample.prepare(*narrowed(sample.args)), **sample.params)
    assert types_of(f(*xs)) == types_of(out)
    for first, expected in zip(derivatives(f, xs, 8), (out, xs)):
        assert types_of(first(*xs)) == types_of(expected)
        for second in derivatives(first, xs, 8):
            second(*xs)


def rules_of(sample: Sample) -> Iterator[tuple[int, Callable[..., Any]]]:
    """The VJP rule of each argument that can vary, by its position."""
    vjps = sample.primitive.vjps
    for i in sample.places("fc"):
        if isinstance(vjps, Joint):
            yield i, lambda *args, i=i, **params: vjps.rule(*args, **params)[i]
        elif vjps[i] is not None:
            yield i, vjps[i]


@smooth
def test_rules_compute_in_the_dtype_of_their_arguments(sample: Sample):
    """The walk casts each cotangent, and would hide a rule that computed in float64."""
    if sample.primitive in (elementwise.imag, structure.astype):
        return  # the first is complex on purpose, the second does nothing but change dtypes
    random = np.random.default_rng(9)
    args = sample.prepare(*narrowed(sample.args))
    out = sample.primitive(*args, **sample.params)
    widest = np.result_type(*(x.dtype for x in [*leaves(out), *args] if hasattr(x, "dtype")))
    for _, rule in rules_of(sample):
        c = rule(direction(out, random), out, *args, **sample.params)
        assert np.can_cast(c.dtype, widest)
    floats = sample.places("fc")
    ts = [direction(a, random) if i in floats else None for i, a in enumerate(args)]
    for t in leaves(sample.primitive.jvp(ts, out, *args, **sample.params)):
        assert t is None or np.can_cast(t.dtype, widest)


@smooth
def test_rules_read_what_they_say(sample: Sample):
    """A rule works with the bare shape and dtype of what it does not read."""
    args = sample.prepare(*sample.args)
    out = sample.primitive(*args, **sample.params)
    g = direction(out, np.random.default_rng(10))
    for i, rule in rules_of(sample):
        read = sample.primitive.reads(i, len(args))
        bare = [
            shape_dtype(a) if j not in read and hasattr(a, "dtype") else a
            for j, a in enumerate(args)
        ]
        bare_out = out if -1 in read else shape_dtype(out)
        same(rule(g, bare_out, *bare, **sample.params), rule(g, out, *args, **sample.params))


ELEMENTWISE = {
    s.primitive: s
    for s in TABLE
    if s.primitive in [*vars(elementwise).values(), *elementwise.CONSTANT.values()]
}
DTYPES = list("?bBilefdFD")


@pytest.mark.filterwarnings("ignore")  # what the ones below give is of no interest
@pytest.mark.parametrize("sample", ELEMENTWISE.values(), ids=lambda s: s.name)
def test_predicted_dtypes(sample: Sample):
    """Staging promotes as NumPy does: every dtype with every other, and with Python's numbers."""
    arrays = [np.ones(shape, dtype) for dtype in DTYPES for shape in ((), (2,))]
    primitive, params = sample.primitive, sample.params
    kinds = [[*arrays, 1, 1.0] if hasattr(a, "dtype") else [1, 1.0] for a in sample.args]
    for args in product(*kinds):
        if not any(isinstance(a, np.ndarray) for a in args):
            continue
        types = [shape_dtype(a) if isinstance(a, np.ndarray) else a for a in args]
        try:
            expected = shape_dtype(primitive.impl(*args, **params))
        except TypeError:
            with pytest.raises(TypeError):
                primitive.shape(*types, **params)
        else:
            assert primitive.shape(*types, **params) == expected, args
