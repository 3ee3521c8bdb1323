"""Backward passes: accumulation, freeing and retaining, higher orders, no_grad."""

import numpy as np
import pytest

import gradarg as ga

X = np.array([0.5, -1.25, 2.0])


def tensor(value=X, **kwargs):
    return ga.Tensor(value, requires_grad=True, **kwargs)


def test_backward_of_a_scalar_and_of_any_shape_with_a_cotangent():
    t = tensor()
    np.sum(t**3).backward()
    np.testing.assert_allclose(t.grad.value, 3 * X**2)
    t.grad = None
    v = np.array([1.0, 10.0, 100.0])
    for cotangent in (v, ga.Tensor(v), v.tolist(), v.astype(int), v.astype(np.float32)):
        (t**3).backward(cotangent)
    np.testing.assert_allclose(t.grad.value, 5 * v * 3 * X**2)
    t.grad = None
    (t[:1] * 2).backward()  # one element needs no cotangent
    np.testing.assert_array_equal(t.grad.value, [2, 0, 0])


def test_grads_accumulate_and_belong_to_their_leaf():
    a, b = tensor(), tensor(X + 1)
    np.sum(a * b).backward()
    np.sum(a * a).backward()
    np.testing.assert_array_equal(a.grad.value, X + 1 + 2 * X)
    np.testing.assert_array_equal(b.grad.value, X)
    assert not a.grad.requires_grad and a.grad.dtype == a.dtype and a.grad.shape == a.shape
    before = a.grad
    kept = before.value.copy()
    np.sum(a).backward()
    np.testing.assert_array_equal(before.value, kept)  # a tensor taken earlier does not change


def test_a_leaf_that_is_its_own_result():
    t = tensor(2.0)
    t.backward()
    t.backward()
    assert t.grad.item() == 2.0


def test_a_value_used_many_times_gathers_from_every_use():
    t = tensor()
    y = t
    for _ in range(20):
        y = y + t * 0.5 - y * t * 0.01 + t[0] * 0.1
    np.sum(y).backward()

    def f(x):
        y = x
        for _ in range(20):
            y = y + x * 0.5 - y * x * 0.01 + x[0] * 0.1
        return np.sum(y)

    np.testing.assert_allclose(t.grad.value, ga.grad(f)(X))
    h = 1e-6
    slopes = [(f(X + h * e) - f(X - h * e)) / (2 * h) for e in np.eye(3)]
    np.testing.assert_allclose(t.grad.value, slopes, rtol=1e-7)


def test_branches_that_do_not_reach_the_loss_leave_no_grad():
    a, b = tensor(), tensor()
    _ = np.sum(b * a)
    np.sum(a * a.detach() + a * ga.stop_gradient(b)).backward()
    np.testing.assert_array_equal(a.grad.value, 2 * X)
    assert b.grad is None


# ---- freeing and retaining


def test_a_second_pass_needs_retain_graph():
    t = tensor()
    y = np.sum(np.sin(t) * t)
    y.backward(retain_graph=True)
    y.backward(retain_graph=True)
    y.backward()
    np.testing.assert_allclose(t.grad.value, 3 * (np.cos(X) * X + np.sin(X)))
    with pytest.raises(ga.FreedGraphError, match=r"freed by an earlier.*retain_graph=True"):
        y.backward()
    np.testing.assert_allclose(t.grad.value, 3 * (np.cos(X) * X + np.sin(X)))


def test_a_part_shared_with_a_freed_graph():
    t = tensor()
    shared = np.exp(t)
    np.sum(shared).backward()
    with pytest.raises(ga.FreedGraphError, match="exp"):
        np.sum(shared * 2).backward()


def test_create_graph_retains_unless_told_otherwise():
    t = tensor()
    y = np.sum(t**3)
    y.backward(create_graph=True)
    y.backward()
    y = np.sum(t**3)
    y.backward(create_graph=True, retain_graph=False)
    with pytest.raises(ga.FreedGraphError):
        y.backward()


# ---- higher orders by create_graph, against the transforms

FUNCTIONS = {
    "power": lambda x: np.sum(x**5),
    "trigonometric": lambda x: np.sum(np.sin(x) * x + np.tanh(x * x)),
    "indexing": lambda x: x[0] * x[1] ** 2 * x[2] ** 3 + np.sum(x[[0, 0, 2]] ** 4),
    "reduction": lambda x: np.mean(np.exp(x)) * np.prod(x) + np.var(x) ** 2,
    "matmul": lambda x: np.sum(np.tanh(np.outer(x, x) @ np.outer(x, [1.0, 2.0]))),
    "structure": lambda x: np.sum(np.concatenate([x, np.flip(x)]).reshape(2, 3).T ** 3 * 0.5),
    "division": lambda x: np.sum(1 / (1 + x * x)) + np.max(x) ** 3,
    "einsum": lambda x: np.einsum("i,j,k->", x, x**2, np.sin(x)),
    "solve": lambda x: np.sum(np.linalg.solve(np.eye(3) * 4 + np.outer(x, x), x)),
    "softmax": lambda x: np.sum(ga.softmax(x) ** 2 * X) + ga.logsumexp(x),
    "where": lambda x: np.sum(np.where(x > 0, x**3, np.sinh(x))),
    "sort": lambda x: np.sum(np.sort(x) * [1.0, 2.0, 3.0] * np.cumprod(x)),
    "checkpoint": lambda x: ga.checkpoint(lambda x: np.sum(np.sin(x) * x))(x),
    "slogdet": lambda x: np.linalg.slogdet(np.eye(3) * 4 + np.outer(x, x))[1],
}


@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)
def test_create_graph_to_third_order(f):
    v, w = np.array([1.0, -0.5, 0.25]), np.array([0.3, 0.7, -1.1])
    first = ga.grad(f)
    second = ga.grad(lambda x: np.sum(first(x) * v))
    third = ga.grad(lambda x: np.sum(second(x) * w))
    t = tensor()
    f(t).backward(create_graph=True)
    found = [t.grad]
    for direction in (v, w):
        t.grad = None
        np.sum(found[-1] * direction).backward(create_graph=True)
        found.append(t.grad)
    for a, b in zip(found, (first, second, third), strict=True):
        np.testing.assert_allclose(a.detach().value, b(X), rtol=1e-10, atol=1e-10)
    # the same by forward mode, which shares no walk with either
    jvp2 = ga.jvp(lambda x: ga.jvp(f, (x,), (v,))[1], (X,), (w,))[1]
    np.testing.assert_allclose(np.sum(found[1].detach().value * w), jvp2, rtol=1e-10, atol=1e-10)


def test_a_gradient_penalty_reaches_the_parameters():
    """loss = |d(w . x**2)/dx|**2 = sum (2 w x)**2, with d/dw = 8 w x**2."""
    w, x = tensor([2.0, 3.0, 4.0]), tensor()
    np.sum(w * x * x).backward(create_graph=True)
    slope, x.grad, w.grad = x.grad, None, None
    np.sum(slope**2).backward()
    np.testing.assert_allclose(w.grad.value, 8 * w.value * X**2)
    np.testing.assert_allclose(x.grad.value, 8 * w.value**2 * X)


def test_create_graph_through_a_cotangent():
    t, g = tensor(), tensor([1.0, 2.0, 3.0])
    (t**2).backward(g, create_graph=True)
    np.sum(t.grad * 1.0).backward()
    np.testing.assert_array_equal(g.grad.value, 2 * X)


@pytest.mark.parametrize("orders", [(False, True), (True, False), (True, True)])
def test_grads_of_create_graph_accumulate_with_plain_ones(orders):
    t = tensor()
    for create_graph in orders:
        np.sum(t**3).backward(create_graph=create_graph)
    total, t.grad = t.grad, None
    np.testing.assert_allclose(total.detach().value, 2 * 3 * X**2)
    np.sum(total).backward()
    np.testing.assert_allclose(t.grad.value, sum(orders) * 6 * X)  # a plain pass is a constant


# ---- complex values: PyTorch's convention


def test_complex_leaves_get_the_direction_of_steepest_ascent():
    z = np.array([1 + 2j, -0.5 + 0.25j])
    t = tensor(z)
    np.sum(np.abs(t * (2 - 1j)) ** 2).backward()
    np.testing.assert_allclose(t.grad.value, 2 * 5 * z)
    t.grad = None
    np.sum(np.real(t**2)).backward()
    np.testing.assert_allclose(t.grad.value, np.conj(2 * z))
    t.grad = None
    (t**2).backward(np.array([1j, 1]))
    np.testing.assert_allclose(t.grad.value, np.array([1j, 1]) * np.conj(2 * z))


# ---- no_grad


def test_no_grad_as_a_block_and_as_a_decorator():
    t = tensor()
    with ga.no_grad():
        assert not (t * 2).requires_grad
        with ga.no_grad():
            assert not (t * 2).requires_grad
        assert not (t * 2).requires_grad
        assert t.requires_grad
    assert (t * 2).requires_grad

    @ga.no_grad()
    def double(t):
        return t * 2

    for _ in range(2):
        assert not double(t).requires_grad and (t * 2).requires_grad


def test_no_grad_makes_constants_of_what_is_computed_inside():
    def f(x):
        with ga.no_grad():
            y = x * x
        return y * x

    assert ga.grad(f)(3.0) == 9.0
    assert ga.jvp(f, (3.0,), (1.0,)) == (27.0, 9.0)
    assert ga.hessian(f)(3.0) == 0.0
    np.testing.assert_array_equal(ga.vmap(ga.grad(f))(X), X**2)
    t = tensor(3.0)
    f(t).backward()
    assert t.grad.item() == 9.0


def test_transforms_work_inside_no_grad():
    with ga.no_grad():
        assert ga.grad(lambda x: x**3)(2.0) == 12.0
        assert ga.hessian(lambda x: x**3)(2.0) == 12.0
        assert ga.jvp(lambda x: x**3, (2.0,), (1.0,))[1] == 12.0
        assert ga.grad(ga.checkpoint(lambda x: x**3))(2.0) == 12.0
        assert ga.vjp(lambda x: x**3, 2.0)[1](1.0) == (12.0,)


def test_backward_works_inside_no_grad():
    t = tensor()
    y = np.sum(ga.checkpoint(lambda x: np.sin(x) * x)(t))
    with ga.no_grad():
        y.backward()
    np.testing.assert_allclose(t.grad.value, np.cos(X) * X + np.sin(X))


def test_no_grad_of_an_outer_transform_does_not_silence_an_inner_one():
    def f(x):
        with ga.no_grad():
            slope = ga.grad(lambda y: x * y**3)(2.0)  # 12 x, a constant for the outer grad
        return slope * x

    assert ga.grad(f)(5.0) == 60.0
