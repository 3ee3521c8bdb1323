"""Control flow inside jit: its bodies are programs too, with the numbers of the eager ones."""

import numpy as np
import pytest

import gradarg as ga

RNG = np.random.default_rng(3)
W, H, XS = RNG.normal(size=(8, 8)) * 0.4, RNG.normal(size=(16, 8)), RNG.normal(size=(6, 16, 8))


def recurrent(w, h, xs, **options):
    def step(h, x):
        h = np.tanh(h @ w + x) * 0.5 + h * 0.25
        return h, np.sum(h * h)

    h, ys = ga.scan(step, h, xs, **options)
    return np.sum(h**3) + np.sum(np.sin(ys))


def same(found, expected):
    for a, b in zip(ga.tree.flatten(found)[0], ga.tree.flatten(expected)[0]):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


TRANSFORMS = {
    "value": lambda jit, f: jit(f)(W, H, XS),
    "jit of grad": lambda jit, f: jit(ga.grad(f, (0, 1, 2)))(W, H, XS),
    "grad of jit": lambda jit, f: ga.grad(jit(f), (0, 1, 2))(W, H, XS),
    "jit of hvp": lambda jit, f: jit(lambda w, v: ga.hvp(lambda w: f(w, H, XS))(w, v))(W, W.T),
    "jvp of jit": lambda jit, f: ga.jvp(jit(f), (W, H, XS), (W, H, XS)),
    "jit of vmap of grad": lambda jit, f: jit(ga.vmap(ga.grad(f), (None, 1, None)))(W, HS, XS),
    "vmap of jit": lambda jit, f: ga.vmap(jit(f), (None, 1, None))(W, HS, XS),
}
HS = RNG.normal(size=(16, 3, 8))


@pytest.mark.parametrize("backend", ["numpy", "auto"])
@pytest.mark.parametrize("options", [{}, {"reverse": True, "checkpoint": True}], ids=str)
@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_scan(transform, options, backend):
    def f(w, h, xs):
        return recurrent(w, h, xs, **options)

    jit = lambda f: ga.jit(f, backend=backend)
    same(transform(jit, f), transform(lambda f: f, f))


@pytest.mark.parametrize("backend", ["numpy", "auto"])
def test_large_carries(backend):
    """Buffers that are recycled are not those that a loop still needs."""
    n = 300_000
    x, y = RNG.normal(size=n), RNG.normal(size=n)

    def f(x, y):
        step = lambda c, _: ((c[1] * 0.5 + x, c[0] + np.sin(c[1])), c[0][:3])
        return ga.scan(step, (x, y), length=7)

    jitted = ga.jit(f, backend=backend)
    first = jitted(x, y)
    same(jitted(y, x), f(y, x))
    same(first, f(x, y))


@pytest.mark.parametrize("backend", ["numpy", "auto"])
def test_cond_and_while_loop(backend):
    jit = lambda f: ga.jit(f, backend=backend)
    f = lambda x: ga.cond(np.sum(x) > 0, lambda x: np.sqrt(x) * 2, lambda x: x * 3, x)
    total = lambda x: np.sum(f(x))
    for x in (np.array([4.0, 0.25]), np.array([-4.0, 0.25])):
        same(jit(f)(x), f(x))
        same(jit(ga.grad(total))(x), ga.grad(total)(x))
        same(ga.grad(jit(total))(x), ga.grad(total)(x))

    def root(a):
        return ga.while_loop(lambda s: np.abs(s * s - a) > 1e-9, lambda s: (s + a / s) / 2, a)

    a = np.array([2.0, 7.0, 0.5])
    same(jit(root)(7.0), root(7.0))
    same(jit(ga.vmap(root))(a), ga.vmap(root)(a))
    same(ga.vmap(jit(root))(a), ga.vmap(root)(a))
    same(ga.jvp(jit(root), (7.0,), (1.0,)), ga.jvp(root, (7.0,), (1.0,)))
    with pytest.raises(ga.DerivativeError, match=r"scan.*fori_loop"):
        jit(ga.grad(root))(7.0)


def test_bounds_that_are_arguments():
    f = lambda n, x: ga.fori_loop(0, n, lambda i, s: s * 0.5 + i, x)
    n = np.int64(5)
    same(ga.jit(f)(n, H), f(n, H))


def test_a_body_is_shown_and_explained():
    step = ga.jit(lambda xs: ga.scan(lambda c, x: (np.tanh(c * x) + x, None), xs[0], xs)[0])
    assert "scan" in step.source(XS)
    assert "tanh" in step.explain(XS)
    assert "body = " in str(step.graph(XS))
