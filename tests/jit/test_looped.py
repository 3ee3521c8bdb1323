"""scan and while_loop as native loops: the numbers of the eager ones, for every kind of step."""

import importlib.util

import numpy as np
import pytest

import gradarg as ga

RNG = np.random.default_rng(11)
native = pytest.mark.skipif(
    importlib.util.find_spec("llvmlite") is None, reason="loops are native with llvmlite"
)


def array(*shape, dtype=np.float64):
    return RNG.normal(size=shape).astype(dtype)


def same(found, expected, tolerance=1e-10):
    a, b = ga.tree.flatten(found), ga.tree.flatten(expected)
    assert a[1] == b[1]
    for x, y in zip(a[0], b[0]):
        assert x.dtype == y.dtype and x.shape == y.shape
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


W, V, B = array(4, 4) * 0.5, array(4, 7), array(6, 1)
STEPS = {
    "elementwise": lambda c, x: (np.tanh(c) * 0.5 + x, np.where(x > c, c, x * 2)),
    "matmul": lambda c, x: (np.tanh(c @ W + x), np.exp(c @ V) @ V.T),
    "of the step": lambda c, x: (np.tanh(c @ (x.T @ c) + x), x @ c.T),
    "transposed": lambda c, x: ((W.T @ c.T).T * 0.5 + x, c.T),
    "rows": lambda c, x: (np.maximum(c - np.mean(c, axis=1, keepdims=True), x), np.sum(c, 1)),
    "columns": lambda c, x: (c / (1 + np.sum(c * c, axis=0)) + x, (np.max(c, 0), np.min(x))),
    "parts": lambda c, x: (np.concatenate([x[:, 2:], c[:, :2]], 1) * B, c[1:4, ::2]),
    "padded": lambda c, x: (np.pad(c[:, 1:3], ((0, 0), (1, 1))) + x, np.pad(c, 1)),
    "softmax": lambda c, x: (ga.softmax(c + x, axis=-1), ga.logsumexp(c, axis=-1)),
    "one row": lambda c, x: (c * x[0], c[2, 1] * x[-1, 0]),
    "number": lambda c, x: (c * np.sum(np.abs(x)) * 0.05, np.sqrt(np.sum(c * c))),
    "reshaped": lambda c, x: (c + np.reshape(np.reshape(x, (2, 12)) * 2, (6, 4)), c.ravel()),
    "power": lambda c, x: (np.abs(c) ** 0.5 + x**3, np.abs(x) ** 1.7 - c**-2),
    "angles": lambda c, x: (np.sin(c) + x, np.cos(x) * np.arctan(c)),
    "truth": lambda c, x: (np.where((c > 0) & (x < 1), x, -c), np.isfinite(c) | (c > x)),
    "unchanged": lambda c, x: (c, (x, np.ones((2, 3)))),
}


@native
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", STEPS)
def test_a_step(name, dtype):
    step = STEPS[name]
    tolerance = 1e-10 if dtype == np.float64 else 2e-4
    c, xs = array(6, 4, dtype=dtype), array(5, 6, 4, dtype=dtype)
    of_dtype = {k: v.astype(dtype) for k, v in (("W", W), ("V", V), ("B", B))}
    step = type(step)(step.__code__, {**globals(), **of_dtype}, name)

    def f(c, xs, reverse=False):
        return ga.scan(step, c, xs, reverse=reverse)

    jitted = ga.jit(f, static_argnums=2)
    assert "one native function" in jitted.explain(c, xs)
    same(jitted(c, xs), f(c, xs), tolerance)
    same(jitted(c, xs, True), f(c, xs, True), tolerance)

    def loss(c, xs):
        c, ys = f(c, xs)
        return np.sum(c**2) + sum(np.sum(np.sin(y)) for y in ga.tree.flatten(ys)[0])

    if name != "power" and dtype == np.float64:
        same(ga.jit(ga.grad(loss, (0, 1)))(c, xs), ga.grad(loss, (0, 1))(c, xs), 10 * tolerance)


@native
def test_rows_are_shared_out():
    """The steps of a batch run for some rows at a time: each row is by itself."""
    w, c, xs = (array(*s, dtype=np.float32) * 0.3 for s in ((8, 8), (512, 8), (5, 512, 8)))
    f = lambda w, c, xs: ga.scan(lambda c, x: (np.tanh(c @ w + x), (c, np.sum(w))), c, xs)
    jitted = ga.jit(f)
    assert "rows at a time" in jitted.explain(w, c, xs)
    same(jitted(w, c, xs), f(w, c, xs), 1e-5)
    mixed = lambda w, c, xs: ga.scan(lambda c, x: (np.tanh(c @ w + x) - np.mean(c, 0), c), c, xs)
    assert "rows at a time" not in ga.jit(mixed).explain(w, c, xs)
    same(ga.jit(mixed)(w, c, xs), mixed(w, c, xs), 1e-5)


@native
def test_numbers_integers_and_angles():
    f = lambda r, x: ga.scan(lambda s, _: ((r * s[0] * (1 - s[0]), s[1] + 1), s), (x, 0), length=99)
    jitted = ga.jit(f)
    same(jitted(3.7, 0.3), f(3.7, 0.3))
    assert "for step in range(99)" in jitted.source(3.7, 0.3)
    g = lambda x: ga.scan(lambda c, _: (np.sin(c) * 1e9, c), x, length=3)
    same(ga.jit(g)(1e7), g(1e7))  # beyond what a kernel's sine is exact for
    newton = lambda a: ga.while_loop(
        lambda s: np.abs(s * s - a) > 1e-9, lambda s: (s + a / s) / 2, a
    )
    assert "one native function" in ga.jit(newton).explain(7.0)
    same(ga.jit(newton)(7.0), newton(7.0))


@native
def test_what_does_not_fit_is_said():
    f = lambda c, xs: ga.scan(lambda c, x: (np.sort(c) + x, None), c, xs)[0]
    c, xs = array(5), array(3, 5)
    jitted = ga.jit(f)
    assert "is not native: there is no sort" in jitted.explain(c, xs)
    same(jitted(c, xs), f(c, xs))
    none = ga.jit(lambda c: ga.scan(lambda c, _: (c * 2, c), c, length=0))
    assert none(c)[1].shape == (0, 5)


@native
def test_scipys_name_of_the_sigmoid_is_native_too():
    step = lambda c, x: (ga.special.expit(c + x), c)
    f = ga.value_and_grad(lambda xs: np.sum(ga.scan(step, np.zeros(3), xs)[0]))
    xs = np.random.default_rng(0).standard_normal((5, 3))
    jitted = ga.jit(f)
    for a, b in zip(jitted(xs), f(xs)):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    assert jitted.explain(xs).count("in one native function") == 2
