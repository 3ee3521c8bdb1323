"""Convolution and pooling, compiled: every shape of window, against NumPy's evaluation."""

import itertools

import numpy as np
import pytest

import gradarg as ga
import gradarg.nn.functional as F
from gradarg._jit import convolution, loops

RANDOM = np.random.default_rng(5)


def normal(*shape, dtype=np.float64):
    return RANDOM.standard_normal(shape).astype(dtype)


def passes(x, w, c, **options):
    """The result and both gradients."""
    y, pull = ga.vjp(lambda x, w: ga.conv(x, w, **options), x, w)
    return y, *pull(c)


def near(found, expected, tolerance):
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        scale = np.max(np.abs(b), initial=1.0)
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * scale)


def check(x, w, tolerance=None, **options):
    c = normal(*ga.conv(x, w, **options).shape, dtype=x.dtype)
    expected = passes(x, w, c, **options)
    compiled = ga.jit(lambda x, w, c: passes(x, w, c, **options))
    tolerance = tolerance or (2e-6 if x.dtype == np.float32 else 1e-14)
    near(compiled(x, w, c), expected, tolerance * np.sqrt(x.size))
    return compiled, (x, w, c)


WIDE = ((1, 0), (0, 2))
SHAPES = [  # images, channels, size, outputs, window, options
    (2, 3, (9, 8), 5, (3, 3), {"padding": 1}),
    (1, 1, (7, 5), 1, (1, 1), {}),
    (2, 16, (9, 20), 32, (3, 2), {"stride": (2, 1), "dilation": (1, 2), "padding": WIDE}),
    (1, 2, (11, 13), 3, (2, 3), {"stride": (3, 2), "dilation": (2, 3), "padding": (1, 3)}),
    (3, 17, (7, 5), 33, (1, 1), {"stride": 2}),
    (2, 5, (30,), 48, (4,), {"stride": 3, "padding": 2}),
    (1, 20, (6, 31), 18, (3, 3), {"padding": "same"}),
    (1, 4, (40, 3), 7, (5, 1), {"padding": ((4, 0), (0, 0))}),
    (9, 2, (5, 5), 40, (5, 5), {}),
    (1, 3, (4, 4), 2, (2, 2), {"padding": 5}),
    (2, 6, (7, 9), 9, (3, 2), {"groups": 3, "stride": (2, 1), "padding": 1}),
    (3, 20, (5, 6), 40, (3, 3), {"groups": 20, "padding": 1, "stride": 2}),
    (2, 5, (17, 12), 5, (3, 3), {"groups": 5, "padding": 1}),
    (2, 12, (30,), 36, (4,), {"groups": 3, "padding": 2}),
    (1, 18, (12, 40), 20, (5, 2), {"stride": (3, 2), "padding": ((4, 1), (0, 3))}),
    (2, 4, (6, 8), 16, (1, 3), {"stride": 2, "padding": 0}),
    (2, 3, (70, 90), 2, (3, 5), {"dilation": (2, 3), "padding": 1}),
    (2, 2, (9, 8), 1, (6, 6), {"padding": 2}),
    (2, 4, (5, 6, 7), 6, (2, 3, 2), {"groups": 2, "stride": (2, 1, 1), "padding": 1}),
    (1, 3, (9, 6, 4), 5, (3, 3, 1), {"dilation": (2, 1, 1), "padding": ((1, 0), (2, 1), (0, 0))}),
    (2, 16, (3, 4, 6), 20, (3, 3, 3), {"padding": 1}),
    (2, 40, (8, 8), 36, (3, 3), {"groups": 2, "padding": 1}),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_all_passes(shape, dtype):
    n, c, size, o, window, options = shape
    x, w = (
        normal(n, c, *size, dtype=dtype),
        normal(o, c // options.get("groups", 1), *window, dtype=dtype),
    )
    compiled, args = check(x, w, **options)
    explained = compiled.explain(*args)
    assert "conv_0: " in explained
    assert "conv_input_" in explained
    assert "conv_weight_" in explained
    assert "in registers" in compiled.source(*args)


@pytest.mark.parametrize("registers", [(16, 32), (16, 16), (32, 16), (64, 32)], ids=str)
def test_other_machines(registers, monkeypatch):
    """Narrower vectors and fewer registers than this machine has."""
    monkeypatch.setattr(convolution, "registers", lambda: loops.Registers(*registers))
    check(normal(2, 12, 9, 20, dtype=np.float32), normal(24, 12, 3, 3, dtype=np.float32), padding=1)
    check(normal(2, 3, 8, 7), normal(9, 3, 2, 3), stride=2, padding=1)
    check(normal(2, 16, 8, 10, dtype=np.float32), normal(18, 16, 3, 3, dtype=np.float32), padding=1)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads(threads):
    before = ga.get_num_threads()
    ga.set_num_threads(threads)
    try:
        compiled, args = check(normal(5, 8, 40, 40), normal(16, 8, 3, 3), padding=1)
        for a, b in zip(compiled(*args), compiled(*args)):
            np.testing.assert_array_equal(a, b)
    finally:
        ga.set_num_threads(before)


@pytest.mark.parametrize("m", [2, 4])
def test_winograd(m):
    """Its error is that of rounding; off means off."""
    for n, c, size, o, padding in (
        (2, 16, (8, 12), 16, 1), (1, 20, (18, 10), 24, 0), (5, 33, (4, 4), 48, 1),
        (1, 16, (40, 4), 17, 2),
    ):  # fmt: skip
        x, w = normal(n, c, *size, dtype=np.float32), normal(o, c, 3, 3, dtype=np.float32)
        g = normal(*ga.conv(x, w, padding=padding).shape, dtype=np.float32)
        f = lambda x, w, g, padding=padding: passes(x, w, g, padding=padding)
        exact = f(*(a.astype(float) for a in (x, w, g)))
        fast, direct = ga.jit(f, winograd=m), ga.jit(f, winograd=0)
        assert f"tiles of {m} x {m}" in fast.source(x, w, g) or size[0] % m or padding != 1
        assert "tiles" not in direct.source(x, w, g)
        for compiled, bound in ((fast, 2e-5 if m == 4 else 2e-6), (direct, 4e-6)):
            for a, b in zip(compiled(x, w, g), exact):
                assert np.abs(a - b).max() < bound * np.abs(b).max()


def test_winograd_is_taken_where_it_serves():
    def way(x, w, **options):
        compiled = ga.jit(lambda x, w: ga.conv(x, w, **{"padding": 1} | options))
        return "tiles of 2 x 2" in compiled.source(x.astype(np.float32), w.astype(np.float32))

    x, w = normal(1, 16, 8, 8), normal(16, 16, 3, 3)
    assert way(x, w)
    assert not way(x, w, stride=2)
    assert not way(x, w, dilation=2)
    assert not way(x[:, :, :7], w)
    assert not way(x[:, :15], w[:, :15])
    assert not way(x, w[:12])
    assert not way(x, w[..., :1], padding=(1, 0))
    compiled = ga.jit(lambda x, w: ga.conv(x, w, padding=1))
    assert "tiles" not in compiled.source(x, w)  # of float64
    with pytest.raises(ValueError, match="winograd is 0, 2 or 4"):
        ga.jit(ga.conv, winograd=3)


def test_layouts():
    x, w = normal(8, 9, 3, 2).T, normal(3, 4, 3, 5)[::-1].transpose(3, 2, 0, 1)[:, :, ::-1]
    check(x, w[:, :3], padding=1)


def test_what_is_not_compiled_is_said_and_right():
    for x, w, options, why in (
        (normal(1, 2, 3, 4, 3, 2), normal(3, 2, 2, 2, 2, 2), {}, "over 4 axes"),
        (normal(0, 2, 6, 5), normal(3, 2, 3, 3), {}, "of nothing"),
        (normal(1, 2, 6) * 1j, normal(3, 2, 3) + 0j, {}, "of complex128"),
    ):
        compiled = ga.jit(lambda x, w, options=options: ga.conv(x, w, **options))
        np.testing.assert_allclose(compiled(x, w), ga.conv(x, w, **options), rtol=1e-12)
        assert f"conv is NumPy's: {why}" in compiled.explain(x, w)


def test_special_values_stay_where_they_are():
    x, w = normal(1, 4, 9, 9), normal(3, 4, 3, 3)
    x[0, 1, 4, 4], x[0, 2, 0, 8] = np.nan, np.inf
    found = ga.jit(lambda x, w: ga.conv(x, w, padding=1))(x, w)
    with np.errstate(invalid="ignore"):
        expected = ga.conv(x, w, padding=1)
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(expected))


@pytest.mark.parametrize("backend", ["llvm", "numpy"])
def test_a_network(backend):
    x, w, b = normal(3, 2, 12, 10), normal(4, 2, 3, 3), normal(4)

    def loss(w, b, x):
        y = F.max_pool2d(ga.relu(F.conv2d(x, w, b, padding=1)), 2)
        y = F.conv_transpose2d(y, w, stride=2)
        return ga.sum(ga.tanh(F.avg_pool2d(y, 3, 2, 1)))

    compiled = ga.jit(ga.grad(loss, (0, 1)), backend=backend)
    near(compiled(w, b, x), ga.grad(loss, (0, 1))(w, b, x), 1e-11)

    def second(w):
        return ga.sum(ga.grad(loss)(w, b, x) ** 2)

    near([ga.jit(ga.grad(second), backend=backend)(w)], [ga.grad(second)(w)], 1e-10)
    mapped = ga.jit(ga.vmap(lambda x: ga.grad(loss)(w, b, x[None])), backend=backend)
    near([mapped(x)], [np.stack([ga.grad(loss)(w, b, x[k : k + 1]) for k in range(3)])], 1e-11)


POOLS = [
    ((2, 3, 8, 9), 2, {}),
    ((1, 2, 9, 7), (3, 2), {"stride": (2, 1), "padding": 1}),
    ((2, 1, 11), 3, {"stride": 2, "padding": 1, "ceil_mode": True}),
    ((1, 1, 30, 31), 5, {"stride": 3}),
    ((3, 2, 6, 6), 6, {}),
    ((1, 1, 2, 3, 4), 2, {}),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("shape", "size", "options"), POOLS, ids=str)
def test_pooling(shape, size, options, dtype):
    x, d = normal(*shape, dtype=dtype), normal(*shape, dtype=dtype)
    for pool in (ga.max_pool, ga.avg_pool):
        f = lambda x, pool=pool: pool(x, size, **options)
        c = normal(*f(x).shape, dtype=dtype)
        second = lambda x, f=f: ga.grad(lambda x: ga.sum(f(ga.tanh(f(x * x)))))(x)
        for g in (
            f,
            lambda x, f=f, c=c: ga.vjp(f, x)[1](c)[0],
            lambda x, f=f: ga.jvp(f, (x,), (d,))[1],
            *([second] if shape[-1] > 20 and dtype == np.float64 else []),
        ):
            compiled = ga.jit(g)
            near([compiled(x)], [g(x)], 2e-6 if dtype == np.float32 else 1e-13)
    x = np.round(x * 2)  # with ties
    pulled = lambda x: ga.vjp(lambda x: ga.max_pool(x, size, **options), x)[1](c)[0]
    np.testing.assert_allclose(ga.jit(pulled)(x), pulled(x), rtol=1e-5)


def test_pooling_of_nan_and_infinities():
    x = RANDOM.choice([1.0, 2.0, np.nan, -np.inf, np.inf], (2, 3, 12, 11))
    for k, options in ((2, {}), (3, {"stride": 1, "padding": 1}), (2, {"dilation": 3})):
        f = lambda x, k=k, options=options: ga.max_pool(x, k, **options)
        c = normal(*f(x).shape)
        pulled = lambda x, f=f, c=c: ga.vjp(f, x)[1](c)[0]
        np.testing.assert_array_equal(ga.jit(f)(x), f(x))
        np.testing.assert_allclose(ga.jit(pulled)(x), pulled(x), rtol=1e-12)


def test_pooling_is_explained():
    f = ga.jit(lambda x: ga.max_pool(x, 2))
    assert "max_pool_0: 6 planes of 4 x 5" in f.explain(normal(2, 3, 4, 5))
    assert "max_pool is NumPy's: over 3 axes" in f.explain(normal(2, 3, 4, 5, 6))


def test_operations_are_counted():
    x, w, c = normal(2, 3, 8, 9), normal(5, 3, 3, 2), normal(2, 5, 6, 8)
    once = 2 * c.size * w[0].size
    assert ga.jit(lambda x, w: ga.conv(x, w)).cost(x, w).flops == once
    gradients = ga.jit(lambda x, w, c: passes(x, w, c)[1:])
    assert gradients.cost(x, w, c).flops == 2 * once
    assert ga.jit(lambda x: ga.max_pool(x, 2)).cost(x).flops == 2 * 3 * 16 * 4


def test_tiles_are_transposed():
    for n in (1, 2, 8):
        rows = [f"%r{k}" for k in range(n)]
        assert len(loops.transposed(loops.Function("f", "", "float32"), rows)) == n
    assert [loops.power_below(n) for n in (1, 2, 3, 15, 16)] == [1, 2, 2, 8, 16]


def test_results_are_the_callers_own():
    compiled = ga.jit(lambda x, w: ga.conv(x, w, padding=1))
    x, w = normal(4, 8, 100, 100), normal(8, 8, 3, 3)
    first = compiled(x, w)
    kept = first.copy()
    for k, _ in itertools.product(range(2), range(2)):
        compiled(x + k, w)
    np.testing.assert_array_equal(first, kept)
