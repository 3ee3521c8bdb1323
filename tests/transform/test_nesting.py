"""Transforms inside transforms, in any order, against closed forms."""

import math

import numpy as np
import pytest

import gradarg as ga

X = np.array([0.5, 1.25, -0.75])
M = np.array([[0.5, 1.25, -0.75], [0.25, -1.5, 2.0]])


# ---- derivatives of functions of one number, by each mode


def reverse(f):
    return ga.grad(f)


def forward(f):
    return lambda x: ga.jvp(f, (x,), (1.0,))[1]


def pulled(f):
    return lambda x: ga.vjp(f, x)[1](1.0)[0]


def reverse_jacobian(f):
    return ga.jacobian(f, mode="reverse")


def forward_jacobian(f):
    return ga.jacobian(f, mode="forward")


def staged(f):
    return lambda x: ga.stage(ga.grad(f), x)(x)


def eager(f):
    def derivative(x):
        t = ga.Tensor(x, requires_grad=True)
        f(t).backward()
        return t.grad.item()

    return derivative


def checkpointed(f):
    return ga.grad(ga.checkpoint(f))


def mapped(f):
    return lambda x: ga.vmap(ga.grad(f))(np.reshape(x, (1,)))[0]


MODES = [reverse, forward, pulled, reverse_jacobian, forward_jacobian, staged, mapped]
ids = {"ids": lambda d: d.__name__}


@pytest.mark.parametrize("outer", MODES, **ids)
@pytest.mark.parametrize("inner", MODES, **ids)
def test_perturbations_are_not_confused(outer, inner):
    # d/dx [x * d/dy (x + y)] = d/dx x
    assert outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0) == 1.0
    # d/dx [x * d/dy (x y)] = d/dx x**2
    assert outer(lambda x: x * inner(lambda y: x * y)(2.0))(1.0) == 2.0
    # the same at a point that depends on x: d/dx [x * 2 x x] = 6 x**2
    assert outer(lambda x: x * inner(lambda y: x * y * y)(x))(3.0) == 54.0
    # the inner derivative is zero, but x stands beside it
    assert outer(lambda x: x * x + inner(lambda y: x * 1.0)(2.0))(3.0) == 6.0
    # y shadows x
    assert outer(lambda x: inner(lambda x: x**3)(x))(2.0) == 12.0


@pytest.mark.parametrize("a", [reverse, forward, pulled], **ids)
@pytest.mark.parametrize("b", [reverse, forward, pulled], **ids)
@pytest.mark.parametrize("c", [reverse, forward, pulled], **ids)
def test_three_levels(a, b, c):
    assert a(b(c(lambda x: x**5)))(2.0) == 60 * 4
    assert math.isclose(a(b(c(np.sin)))(0.7), -math.cos(0.7))
    # d/dx d/dy d/dz x y**2 z**3 at x = y = z: 48 x**3
    nested = a(lambda x: b(lambda y: c(lambda z: x * y * y * z**3)(y))(x))
    assert nested(1.5) == 48 * 1.5**3


def test_eager_leaves_inside_transforms_and_the_reverse():
    with pytest.raises(ga.ConcreteValueError, match=r"backward.*ga\.grad"):
        ga.grad(lambda x: eager(lambda t: t * x)(2.0))(3.0)
    assert eager(lambda t: ga.grad(lambda x: x * x * t)(3.0))(2.0) == 6.0
    assert eager(lambda t: t * ga.grad(lambda x: x * t)(3.0))(2.0) == 4.0
    assert eager(lambda t: ga.grad(ga.checkpoint(lambda x: x**3))(t))(2.0) == 12.0


@pytest.mark.parametrize("depth", [4, 6])
def test_deep_towers(depth):
    f, derivative = np.exp, lambda f: ga.grad(f)
    for k in range(depth):
        f = derivative(f) if k % 2 else forward(f)
    assert math.isclose(f(0.3), math.exp(0.3))


# ---- functions of vectors


def f(x):
    return np.sum(np.sin(x) * x**2)


GRADIENT = np.cos(X) * X**2 + 2 * X * np.sin(X)
HESSIAN = np.diag(-np.sin(X) * X**2 + 4 * X * np.cos(X) + 2 * np.sin(X))
ROWS = np.cos(M) * M**2 + 2 * M * np.sin(M)
ROW_HESSIANS = [np.diag(-np.sin(r) * r**2 + 4 * r * np.cos(r) + 2 * np.sin(r)) for r in M]
fr = {"mode": "forward"}, {"mode": "reverse"}
v = np.array([1.0, -2.0, 0.5])

CASES = {
    "hessian": (lambda: ga.hessian(f)(X), HESSIAN),
    **{
        f"{a['mode']} over {b['mode']}": (
            lambda a=a, b=b: ga.jacobian(ga.jacobian(f, **b), **a)(X),
            HESSIAN,
        )
        for a in fr
        for b in fr
    },
    "hvp": (lambda: ga.hvp(f)(X, v), HESSIAN @ v),
    "grad of jvp": (lambda: ga.grad(lambda x: ga.jvp(f, (x,), (v,))[1])(X), HESSIAN @ v),
    "jvp of grad": (lambda: ga.jvp(ga.grad(f), (X,), (v,))[1], HESSIAN @ v),
    "grad of vjp": (lambda: ga.grad(lambda x: ga.vjp(f, x)[1](1.0)[0] @ v)(X), HESSIAN @ v),
    "grad in the cotangent": (
        lambda: ga.grad(lambda c: ga.vjp(np.sin, X)[1](c)[0] @ v)(X),
        np.cos(X) * v,
    ),
    "vjp of a pullback": (
        lambda: ga.vjp(ga.vjp(np.sin, X)[1], v)[1]((X,))[0],
        np.cos(X) * X,
    ),
    "vmap of grad": (lambda: ga.vmap(ga.grad(f))(M), ROWS),
    "grad of vmap": (lambda: ga.grad(lambda m: np.sum(ga.vmap(f)(m)))(M), ROWS),
    "vmap of vmap of grad": (lambda: ga.vmap(ga.vmap(ga.grad(np.sin)))(M), np.cos(M)),
    "vmap of vmap, other axis": (
        lambda: ga.vmap(ga.vmap(ga.grad(np.sin)), in_axes=1, out_axes=1)(M),
        np.cos(M),
    ),
    "vmap of hessian": (lambda: ga.vmap(ga.hessian(f))(M), ROW_HESSIANS),
    "vmap of hvp": (lambda: ga.vmap(ga.hvp(f), (0, None))(M, v), [H @ v for H in ROW_HESSIANS]),
    "vmap of jacobian": (lambda: ga.vmap(ga.jacobian(np.sin))(M), [np.diag(np.cos(r)) for r in M]),
    "jacobian of vmap": (
        lambda: ga.jacobian(ga.vmap(lambda r: r @ v))(M),
        np.einsum("ij,k->ijk", np.eye(2), v),
    ),
    "jvp of vmap": (lambda: ga.jvp(ga.vmap(f), (M,), (M,))[1], np.sum(ROWS * M, 1)),
    "vmap of jvp": (
        lambda: ga.vmap(lambda r: ga.jvp(f, (r,), (v,))[1])(M),
        ROWS @ v,
    ),
    "vmap over tangents": (
        lambda: ga.vmap(lambda t: ga.jvp(f, (X,), (t,))[1])(np.eye(3)),
        GRADIENT,
    ),
    "hessian of vmap": (
        lambda: ga.hessian(lambda m: np.sum(ga.vmap(f)(m)))(M).reshape(6, 6),
        np.diag(np.concatenate([np.diag(H) for H in ROW_HESSIANS])),
    ),
    "vmap of grad of vmap": (
        lambda: ga.vmap(ga.grad(lambda m: np.sum(ga.vmap(f)(m))))(M[None]),
        ROWS[None],
    ),
    "grad through stage": (lambda: ga.grad(ga.stage(f, X))(X), GRADIENT),
    "stage of grad": (lambda: ga.stage(ga.grad(f), X)(X), GRADIENT),
    "hessian through stage": (lambda: ga.hessian(ga.stage(f, X))(X), HESSIAN),
    "stage of hessian": (lambda: ga.stage(ga.hessian(f), X)(X), HESSIAN),
    "vmap of stage": (lambda: ga.vmap(ga.stage(ga.grad(f), X))(M), ROWS),
    "stage of vmap": (lambda: ga.stage(ga.vmap(ga.grad(f)), M)(M), ROWS),
    "jvp of stage": (lambda: ga.jvp(ga.stage(f, X), (X,), (v,))[1], GRADIENT @ v),
    "stage of jvp": (lambda: ga.stage(lambda x: ga.jvp(f, (x,), (v,))[1], X)(X), GRADIENT @ v),
    "stage inside grad": (lambda: ga.grad(lambda x: ga.stage(f, x)(x))(X), GRADIENT),
    "stage inside vmap": (lambda: ga.vmap(lambda r: ga.stage(ga.grad(f), r)(r))(M), ROWS),
    "staged again": (lambda: ga.stage(ga.stage(ga.grad(f), X), X)(X), GRADIENT),
    "grad of stage of grad": (
        lambda: ga.grad(lambda x: ga.stage(ga.grad(f), X)(x) @ v)(X),
        HESSIAN @ v,
    ),
    "hvp of a checkpoint": (lambda: ga.hvp(ga.checkpoint(f))(X, v), HESSIAN @ v),
    "hessian of a checkpoint": (lambda: ga.hessian(ga.checkpoint(f))(X), HESSIAN),
    "vmap of a checkpoint": (lambda: ga.vmap(ga.grad(ga.checkpoint(f)))(M), ROWS),
    "grad of vmap of a checkpoint": (
        lambda: ga.grad(lambda m: np.sum(ga.vmap(ga.checkpoint(f))(m)))(M),
        ROWS,
    ),
    "stage of a checkpoint": (lambda: ga.stage(ga.grad(ga.checkpoint(f)), X)(X), GRADIENT),
    "checkpoint of a checkpoint": (lambda: ga.grad(ga.checkpoint(ga.checkpoint(f)))(X), GRADIENT),
    "checkpoint of grad": (
        lambda: ga.grad(lambda x: ga.checkpoint(ga.grad(f))(x) @ v)(X),
        HESSIAN @ v,
    ),
    "an outer variable in vmap": (
        lambda: ga.grad(lambda s: np.sum(ga.vmap(lambda r: s * r @ v)(M)))(2.0),
        np.sum(M @ v),
    ),
    "an outer variable in vmap of grad": (
        lambda: ga.grad(lambda s: np.sum(ga.vmap(ga.grad(lambda r: s * s * f(r)))(M)))(2.0),
        4 * np.sum(ROWS),
    ),
    "an outer mapped variable in grad": (
        lambda: ga.vmap(lambda s: ga.grad(lambda x: s * f(x))(X))(v),
        np.outer(v, GRADIENT),
    ),
    "an outer mapped variable in vmap": (
        lambda: ga.vmap(lambda a: ga.vmap(lambda b: a * b)(v))(X),
        np.outer(X, v),
    ),
}


@pytest.mark.parametrize(("call", "expected"), CASES.values(), ids=CASES)
def test_nested(call, expected):
    found = call()
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert np.shape(found) == np.shape(expected)


# ---- tensors inside transforms: the derivative stays with them


W = np.array([2.0, 3.0, 5.0])
CLOSURES = {
    "grad": (lambda w: ga.grad(lambda x: np.sum(x * x * w))(X), 2 * X),
    "grad of grad": (lambda w: ga.grad(ga.grad(lambda s: s**3 * np.sum(w * w)))(2.0), 24 * W),
    "value_and_grad": (lambda w: ga.value_and_grad(lambda x: np.sum(x * w))(X)[0], X),
    "vjp": (lambda w: ga.vjp(lambda x: x**3 * w, X)[1](v)[0], 3 * X**2 * v),
    "vjp, out": (lambda w: ga.vjp(lambda x: x**3 * w, X)[0], X**3),
    "a cotangent": (lambda w: ga.vjp(lambda x: x**3, X)[1](w)[0], 3 * X**2),
    "jvp": (lambda w: ga.jvp(lambda x: x * x * w, (X,), (v,))[1], 2 * X * v),
    "a tangent": (lambda w: ga.jvp(lambda x: x * x, (X,), (w,))[1], 2 * X),
    "vmap": (lambda w: ga.vmap(lambda x: x * x * w)(M), np.sum(M * M, 0)),
    "vmap of grad": (lambda w: ga.vmap(ga.grad(lambda x: x * x @ w))(M), 2 * np.sum(M, 0)),
    "jacobian": (lambda w: ga.jacobian(lambda x: x**3 * w)(X), 3 * X**2),
    "forward jacobian": (lambda w: ga.jacobian(lambda x: x**3 * w, mode="forward")(X), 3 * X**2),
    "hessian": (lambda w: ga.hessian(lambda x: np.sum(x**3 * w))(X), 6 * X),
    "hvp": (lambda w: ga.hvp(lambda x: np.sum(x**3 * w))(X, v), 6 * X * v),
    "stage": (lambda w: ga.stage(lambda x: x**3 * w, X)(X), X**3),
    "checkpoint": (lambda w: ga.checkpoint(lambda x, w: x**3 * w)(X, w), X**3),
    "aux": (lambda w: ga.grad(lambda x: (x @ w, x * w), has_aux=True)(X)[1], X),
    "argument": (lambda w: ga.grad(lambda x: np.sum(x**3))(w), 6 * W),
    "mapped argument": (lambda w: ga.vmap(lambda x: x**3)(w), 3 * W**2),
    "argument of hvp": (lambda w: ga.hvp(lambda x: np.sum(x**3))(w, v), 6 * v),
}


@pytest.mark.parametrize(("call", "expected"), CLOSURES.values(), ids=CLOSURES)
def test_results_that_depend_on_a_tensor_can_be_walked_back(call, expected):
    w = ga.Tensor(W, requires_grad=True)
    result = call(w)
    assert isinstance(result, ga.Tensor)
    np.sum(result).backward()
    np.testing.assert_allclose(w.grad.value, expected, rtol=1e-12)


def test_tensors_in_tensors_out_and_arrays_in_arrays_out():
    t = ga.Tensor(X)
    for transform in (ga.grad(f), ga.hessian(f), ga.jacobian(np.sin), ga.vmap(np.sin)):
        assert type(transform(t)) is ga.Tensor and not transform(t).requires_grad
        assert type(transform(X)) is np.ndarray
        np.testing.assert_array_equal(transform(t).value, transform(X))
    value, gradient = ga.value_and_grad(lambda x, y: f(x) + f(y), (0, 1))(t, X)
    assert [type(g) for g in gradient] == [ga.Tensor, np.ndarray]
    assert type(value) is ga.Tensor
    assert all(type(r) is np.ndarray for r in ga.jvp(np.sin, (X,), (X,)))
    assert type(ga.stage(np.sin, X)(t)) is ga.Tensor
