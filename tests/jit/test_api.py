"""`ga.jit`: what goes in and out, what is compiled anew, and how it nests."""

import warnings

import numpy as np
import pytest

import gradarg as ga

rng = np.random.default_rng(0)
X, W, B = rng.normal(size=(30, 40)), rng.normal(size=(40, 7)), rng.normal(size=7)


def net(p, x):
    h = np.tanh(x @ p["w"] + p["b"])
    return np.mean(h * h) + np.sum(p["b"] ** 2)


P = {"w": W, "b": B}
both = pytest.mark.parametrize("backend", ["llvm", "numpy"])


def same(found, expected, tolerance=1e-12):
    a, structure = ga.tree.flatten(found)
    b, other = ga.tree.flatten(expected)
    assert structure == other and list(map(type, a)) == list(map(type, b))
    for x, y in zip(a, b):
        np.testing.assert_allclose(
            *(z.detach().value if isinstance(z, ga.Tensor) else z for z in (x, y)),
            rtol=tolerance, atol=tolerance,
        )  # fmt: skip


@both
def test_nests_with_every_transform(backend):
    f = ga.jit(net, backend=backend)
    same(f(P, X), net(P, X))
    same(ga.jit(ga.grad(net), backend=backend)(P, X), ga.grad(net)(P, X))
    same(ga.grad(f)(P, X), ga.grad(net)(P, X))
    same(ga.grad(ga.jit(f))(P, X), ga.grad(net)(P, X))
    same(ga.jvp(f, (P, X), (P, X)), ga.jvp(net, (P, X), (P, X)))
    stack = np.stack([X, 2 * X])
    same(ga.vmap(f, (None, 0))(P, stack), ga.vmap(net, (None, 0))(P, stack))
    each = ga.vmap(ga.grad(f), (None, 0))(P, stack)
    same(each, ga.vmap(ga.grad(net), (None, 0))(P, stack))
    small, x = {"w": W[:3, :2], "b": B[:2]}, X[:4, :3]
    same(ga.hessian(f)(small, x), ga.hessian(net)(small, x), 1e-10)
    same(ga.jit(ga.hessian(net))(small, x), ga.hessian(net)(small, x), 1e-10)
    same(ga.hvp(f)(small, x, small), ga.hvp(net)(small, x, small), 1e-10)
    same(ga.grad(ga.checkpoint(f))(P, X), ga.grad(net)(P, X))


@both
def test_tensors(backend):
    f = ga.jit(lambda x, y: (np.sum(x * y), np.exp(x)), backend=backend)
    x, y = ga.Tensor(X), ga.Tensor(X + 1, requires_grad=True)
    total, e = f(x, X)
    assert type(total) is type(e) is ga.Tensor and not total.requires_grad
    total, _ = f(x, y)
    total.backward()
    np.testing.assert_allclose(y.grad.value, X)
    assert all(isinstance(o, (np.ndarray, np.generic)) for o in f(X, X))


def test_complex_and_integers():
    f = ga.jit(lambda z, n: (np.abs(z) ** 2 * n, n + 1, np.conj(z)))
    z, n = X[0] + 1j * X[1], np.arange(40)
    same(f(z, n), (np.abs(z) ** 2 * n, n + 1, np.conj(z)))
    g = ga.jit(lambda z: np.sum(np.abs(np.exp(1j * z)) ** 2))
    same(ga.grad(g)(z), ga.grad(lambda z: np.sum(np.abs(np.exp(1j * z)) ** 2))(z))


def test_numbers_and_dtypes():
    f = ga.jit(lambda x, a: a * x + 1)
    for x in (X, X.astype(np.float32), np.float32(2), 3.0):
        same(f(x, 0.5), x * np.float64(0.5) + 1 if isinstance(x, float) else 0.5 * x + 1, 1e-6)
    assert f(X.astype(np.float32), 0.5).dtype == np.float32
    assert len(f._entries) == 4
    f(X, 0.75)  # another number is no other program
    assert len(f._entries) == 4
    g = ga.jit(lambda x, n, how: x**n if how == "power" else x, static_argnums=2)
    same(g(X, 3, "power"), X**3)
    same(g(X, 2, "power"), X**2)
    same(g(X, 2, "none"), X)


def test_trees_keywords_and_no_arguments():
    f = ga.jit(lambda p, *, scale=1.0, flip=False: {"out": [p["a"] * scale, None], "f": flip})
    with pytest.raises(ga.DerivativeError, match="neither a number nor an array"):
        ga.jit(lambda x: "text")(X)
    same(f({"a": X}, scale=2.0)["out"][0], X * 2)
    assert ga.jit(lambda: np.ones(3))().tolist() == [1.0, 1.0, 1.0]
    same(ga.jit(lambda x: x[:0] + 1)(X), X[:0] + 1)
    same(ga.jit(lambda x: (x, x, x.T, 2.5))(X)[2], X.T)


@both
def test_what_comes_out_is_the_callers_own(backend):
    table = np.arange(40.0)
    f = ga.jit(lambda x: (x, x[:3], x.reshape(-1), table, x * 1.0), backend=backend)
    x = X.copy()
    for _ in range(2):
        outs = f(x)
        for k, out in enumerate(outs):
            out[...] = k
        assert x.tolist() == X.tolist() and table[1] == 1.0
        assert [float(o.flat[0]) for o in outs] == [0.0, 1.0, 2.0, 3.0, 4.0]


@both
def test_assignment_and_layouts(backend):
    def f(x):
        y = np.zeros_like(x)
        y[1:] = np.sin(x[:-1])
        y[0] += x[3] ** 2
        y *= 2
        y[:, 1:] -= y[:, :-1]
        return np.sum(y * y, axis=0), y

    for x in (X, X.T, X[::-1, ::2], np.asfortranarray(X), np.broadcast_to(X[0], (30, 40))):
        same(ga.jit(f, backend=backend)(x), f(x.copy()))
        g = ga.grad(lambda x: np.sum(f(x)[0]))
        same(ga.jit(g, backend=backend)(x), g(x))


def test_a_branch_on_a_value_says_what_to_write():
    with pytest.raises(ga.ConcreteValueError, match=r"(?s)ga\.jit.*ga\.where.*ga\.cond.*ga\.scan"):
        ga.jit(lambda x: x if x[0] > 0 else -x)(X[0])


def test_what_it_was_not_passed():
    w = ga.Tensor(W, requires_grad=True)
    with pytest.raises(ga.DerivativeError, match=r"(?s)jit.*not passed.*argument"):
        ga.jit(lambda x: x @ w)(X)
    with pytest.raises(ga.DerivativeError, match=r"(?s)jit.*not passed"):
        ga.grad(lambda a: ga.jit(lambda x: np.sum(x * a))(X))(2.0)
    with pytest.raises(TypeError, match="do not hash"):
        ga.jit(lambda x, s: x, static_argnums=1)(X, {1, 2})
    with pytest.raises(ValueError, match="backend is one of"):
        ga.jit(net, backend="cuda")


def test_compiled_again_and_again():
    f = ga.jit(lambda x: x + 1)
    with pytest.warns(ga.GradargWarning, match=r"(?s)13th time.*shapes.*dtypes.*one shape"):
        for n in range(1, 15):
            f(np.ones(n))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in range(20, 30):  # said once
            f(np.ones(n))


def test_a_decorator_that_shows_its_work():
    @ga.jit(backend="llvm")
    def f(x):
        """Twice."""
        m = np.mean(x, axis=1, keepdims=True)
        return np.sum((x - m) ** 2, axis=1) + np.linalg.det(x[:30, :30])

    assert f.__name__ == "f" and f.__doc__ == "Twice."
    text = f.source(X)
    assert "def program(" in text and "kernel k0 (float64):" in text and "row_sum" in text
    assert "subtract" in str(f.graph(X)) and "k0: " in f.explain(X)
    same(f(X), f._f(X))


@both
def test_angles_beyond_what_a_kernel_reduces(backend):
    def f(x):
        return np.sin(x) * 2, np.sum(np.cos(x[1:]) + x[:-1]), np.sum(np.tan(x * 0.5))

    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5)):
        for last in (2.0, 1e15, -3e18):
            x = np.linspace(-3, 3, 500).astype(dtype)
            x[-1] = last
            same(ga.jit(f, backend=backend)(x), f(x), tolerance)
            g = ga.grad(lambda x: np.sum(np.sin(x) * np.cos(x)))
            found = ga.jit(g, backend=backend, donate_argnums=0)(x.copy())
            np.testing.assert_allclose(found, g(x), rtol=tolerance, atol=tolerance)
    rows = rng.normal(size=(20, 30)) * 1e14
    h = lambda x: np.sum(x, axis=1, keepdims=True) * 1e-14 + np.cos(np.sin(x))
    same(ga.jit(h, backend=backend)(rows), h(rows))


def test_a_long_chain_is_several_kernels():
    def f(x):
        for _ in range(300):
            x = x * 0.999 + np.tanh(x) * 0.001
        return np.sum(x)

    x = np.linspace(0, 1, 1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # LLVM takes all of them
        same(ga.jit(ga.grad(f))(x), ga.grad(f)(x))
