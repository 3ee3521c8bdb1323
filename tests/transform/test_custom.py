"""custom_vjp and custom_jvp under every transform.

The rules are wrong on purpose, by known factors: a derivative that went around them would show.
"""

import numpy as np
import pytest

import gradarg as ga

A, B = 0.7, 2.0
X = np.array([0.5, -1.25, 2.0])
Y = np.array([1.5, 0.25, -1.0])
M, N = np.stack([X, Y]), np.stack([Y, X * 2])
sin, cos = np.sin, np.cos


def value(x, y):
    """sin(x) y, whose rules say 3 cos(x) y and 5 sin(x)."""
    return sin(x) * y


def custom(f, forward, backward):
    made = ga.custom_vjp(f)
    made.defvjp(forward, backward)
    return made


def custom_forward(f, rule):
    made = ga.custom_jvp(f)
    made.defjvp(rule)
    return made


def backward(residuals, g):
    x, y, c = residuals
    return 3 * g * c * y, 5 * g * sin(x)


def rule(primals, tangents):
    (x, y), (tx, ty) = primals, tangents
    return value(x, y), 3 * cos(x) * y * tx + 5 * sin(x) * ty


BY_VJP = custom(value, lambda x, y: (sin(x) * y, (x, y, cos(x))), backward)
BY_JVP = custom_forward(value, rule)

CASES = {
    "value": (lambda f: f(X, Y), sin(X) * Y),
    "grad": (lambda f: ga.grad(f)(A, B), 3 * cos(A) * B),
    "grad by the second": (lambda f: ga.grad(f, 1)(A, B), 5 * sin(A)),
    "value_and_grad": (lambda f: ga.value_and_grad(f)(A, B)[0], sin(A) * B),
    "vjp": (lambda f: ga.vjp(f, X, Y)[1](Y)[0], 3 * cos(X) * Y * Y),
    "jvp": (lambda f: ga.jvp(f, (A, B), (1.0, 10.0))[1], 3 * cos(A) * B + 50 * sin(A)),
    "jvp by one": (lambda f: ga.jvp(lambda x: f(x, B), (A,), (1.0,))[1], 3 * cos(A) * B),
    "vmap": (lambda f: ga.vmap(f)(X, Y), sin(X) * Y),
    "vmap, one used whole": (lambda f: ga.vmap(f, (0, None))(X, B), sin(X) * B),
    "vmap of grad": (lambda f: ga.vmap(ga.grad(f))(X, Y), 3 * cos(X) * Y),
    "vmap of grad, one used whole": (
        lambda f: ga.vmap(ga.grad(f, (0, 1)), (None, 0))(A, Y)[1],
        5 * sin(A) * np.ones(3),
    ),
    "vmap of vmap of grad": (lambda f: ga.vmap(ga.vmap(ga.grad(f)))(M, N), 3 * cos(M) * N),
    "grad of vmap": (
        lambda f: ga.grad(lambda x: np.sum(ga.vmap(f)(x, Y)))(X),
        3 * cos(X) * Y,
    ),
    "grad of vmap, both": (
        lambda f: ga.grad(lambda x: np.sum(ga.vmap(f)(x, x)))(X),
        3 * cos(X) * X + 5 * sin(X),
    ),
    "grad of vmap, used whole": (
        lambda f: ga.grad(lambda y: np.sum(ga.vmap(f, (0, None))(X, y)))(B),
        5 * np.sum(sin(X)),
    ),
    "jvp of vmap": (
        lambda f: ga.jvp(lambda x: ga.vmap(f)(x, Y), (X,), (Y,))[1],
        3 * cos(X) * Y * Y,
    ),
    "vmap of jvp": (
        lambda f: ga.vmap(lambda x, y: ga.jvp(f, (x, y), (1.0, 0.0))[1])(X, Y),
        3 * cos(X) * Y,
    ),
    "jacobian": (lambda f: ga.jacobian(f)(X, Y), np.diag(3 * cos(X) * Y)),
    "forward jacobian": (
        lambda f: ga.jacobian(f, 1, mode="forward")(X, Y),
        np.diag(5 * sin(X)),
    ),
    "second order": (lambda f: ga.grad(ga.grad(f))(A, B), -3 * sin(A) * B),
    "second order, mixed": (lambda f: ga.grad(ga.grad(f), 1)(A, B), 3 * cos(A)),
    "second order, mixed the other way": (lambda f: ga.grad(ga.grad(f, 1))(A, B), 5 * cos(A)),
    "third order": (lambda f: ga.grad(ga.grad(ga.grad(f)))(A, B), -3 * cos(A) * B),
    "hessian": (lambda f: ga.hessian(lambda x: np.sum(f(x, Y)))(X), np.diag(-3 * sin(X) * Y)),
    "hvp": (lambda f: ga.hvp(lambda x: np.sum(f(x, Y)))(X, Y), -3 * sin(X) * Y * Y),
    "jvp of grad": (
        lambda f: ga.jvp(ga.grad(f), (A, B), (1.0, 10.0))[1],
        -3 * sin(A) * B + 30 * cos(A),
    ),
    "grad of jvp": (
        lambda f: ga.grad(lambda x: ga.jvp(f, (x, B), (1.0, 0.0))[1])(A),
        -3 * sin(A) * B,
    ),
    "vmap of hessian": (lambda f: ga.vmap(ga.hessian(f))(X, Y), -3 * sin(X) * Y),
    "second order of vmap": (
        lambda f: ga.hessian(lambda x: np.sum(ga.vmap(f)(x, Y)))(X),
        np.diag(-3 * sin(X) * Y),
    ),
    "stage": (lambda f: ga.stage(f, X, Y)(X, Y), sin(X) * Y),
    "stage of grad": (lambda f: ga.stage(ga.grad(f), A, B)(A, B), 3 * cos(A) * B),
    "grad of stage": (lambda f: ga.grad(ga.stage(f, A, B))(A, B), 3 * cos(A) * B),
    "second order of stage": (lambda f: ga.grad(ga.grad(ga.stage(f, A, B)))(A, B), -3 * sin(A) * B),
    "stage of second order": (lambda f: ga.stage(ga.hessian(f), A, B)(A, B), -3 * sin(A) * B),
    "stage of vmap of grad": (lambda f: ga.stage(ga.vmap(ga.grad(f)), X, Y)(X, Y), 3 * cos(X) * Y),
    "checkpoint": (lambda f: ga.grad(ga.checkpoint(f))(A, B), 3 * cos(A) * B),
    "second order of checkpoint": (lambda f: ga.hessian(ga.checkpoint(f))(A, B), -3 * sin(A) * B),
    "inside": (
        lambda f: ga.grad(lambda x: f(x * x, B) * x)(A),
        6 * A * A * cos(A * A) * B + sin(A * A) * B,
    ),
}


@pytest.mark.parametrize("f", [BY_VJP, BY_JVP], ids=["custom_vjp", "custom_jvp"])
@pytest.mark.parametrize(("call", "expected"), CASES.values(), ids=CASES)
def test_under_every_transform(f, call, expected):
    found = call(f)
    assert np.shape(found) == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("f", [BY_VJP, BY_JVP], ids=["custom_vjp", "custom_jvp"])
def test_eager_to_third_order(f):
    x, y = ga.Tensor(A, requires_grad=True), ga.Tensor(B, requires_grad=True)
    found, out = [], f(x, y)
    for _ in range(3):
        x.grad = y.grad = None
        out.backward(create_graph=True)
        found.append((x.grad.item(), y.grad.item()))
        out = x.grad
    np.testing.assert_allclose(found[0], [3 * cos(A) * B, 5 * sin(A)])
    np.testing.assert_allclose(found[1], [-3 * sin(A) * B, 3 * cos(A)])  # through the residuals
    np.testing.assert_allclose(found[2], [-3 * cos(A) * B, -3 * sin(A)])


def test_residuals_are_those_of_the_forward_rule():
    """Kept from the forward pass, not computed again, unless they need a derivative."""
    calls = []
    f = custom(
        lambda x: x * 2,
        lambda x: (calls.append("forward") or x * 2, {"r": [x, "text", None], "k": 7}),
        lambda r, g: (g * r["r"][0] * r["k"] * (r["r"][1] == "text"),),
    )
    assert ga.grad(f)(3.0) == 21.0
    _, pullback = ga.vjp(f, 3.0)
    assert pullback(1.0) == pullback(1.0) == (21.0,)
    assert calls == ["forward"] * 2


def test_trees_in_and_out():
    f = custom(
        lambda p: {"o": p["a"] * p["b"], "q": (p["a"], None)},
        lambda p: ({"o": p["a"] * p["b"], "q": (p["a"], None)}, p),
        lambda r, g: ({"a": g["o"] * r["b"] + 7 * g["q"][0], "b": g["o"] * r["a"]},),
    )

    def loss(p):
        out = f(p)
        return np.sum(out["o"] * 3 + out["q"][0])

    def check(found, a, b):
        np.testing.assert_allclose(found["a"], 3 * b + 7)
        np.testing.assert_allclose(found["b"], 3 * a)

    check(ga.grad(loss)({"a": 2.0, "b": 5.0}), 2.0, 5.0)
    check(ga.vmap(ga.grad(loss))({"a": X, "b": Y}), X, Y)
    check(ga.grad(lambda p: np.sum(ga.vmap(loss)(p)))({"a": X, "b": Y}), X, Y)
    check(ga.stage(ga.grad(loss), {"a": 2.0, "b": 5.0})({"a": 2.0, "b": 5.0}), 2.0, 5.0)
    assert ga.grad(lambda p: f(p)["q"][0])({"a": 2.0, "b": 5.0}) == {"a": 7.0, "b": 0.0}


def test_arguments_without_derivative():
    f = custom(
        lambda x, n: x**n,
        lambda x, n: (x**n, (x, n)),
        lambda r, g: (g * r[1] * r[0] ** (r[1] - 1), None),
    )
    assert ga.grad(f)(2.0, 3) == 12.0
    assert ga.jvp(lambda x: f(x, 3), (2.0,), (1.0,))[1] == 12.0
    np.testing.assert_allclose(ga.vmap(ga.grad(f), (0, None))(X, 3), 3 * X**2)
    g = custom_forward(
        lambda x, n: x**n, lambda p, t: (p[0] ** p[1], t[0] * p[1] * p[0] ** (p[1] - 1))
    )
    assert ga.grad(g)(2.0, 3) == 12.0


def test_outputs_without_derivative():
    f = custom(
        lambda x: (x * 2, np.argmax(x)),
        lambda x: ((x * 2, np.argmax(x)), None),
        lambda _, g: (7 * g[0],),
    )
    np.testing.assert_array_equal(ga.grad(lambda x: np.sum(f(x)[0]) * f(x)[1])(X), [14, 14, 14])
    np.testing.assert_array_equal(ga.vmap(f)(M)[1], [2, 0])
    np.testing.assert_array_equal(ga.jvp(lambda x: f(x)[0], (X,), (Y,))[1], 7 * Y)


def test_keyword_arguments():
    f = custom(lambda x, n=2.0: x * n, lambda x, n=2.0: (x * n, n), lambda n, g: (7 * g * n,))
    assert ga.grad(f)(3.0) == 14.0
    h = ga.checkpoint(lambda x, n=2.0: x * n)
    assert ga.grad(lambda x: h(x, n=5.0))(3.0) == 5.0
    assert ga.grad(lambda n: h(3.0, n=n))(5.0) == 3.0


def test_a_decorated_function_keeps_its_name():
    @ga.custom_vjp
    def named(x):
        """Doc."""
        return x

    assert named.__name__ == "named" and named.__doc__ == "Doc."


def test_tensors_that_a_rule_closes_over_keep_their_place_in_the_graph():
    """Outside of the transform the derivative by w is whole: d/dw of w g."""
    w = ga.Tensor(3.0, requires_grad=True)
    f = custom(lambda x: x * w, lambda x: (x * w, None), lambda _, g: (7 * g * w,))
    ga.grad(f)(2.0).backward()
    assert w.grad.item() == 7.0
