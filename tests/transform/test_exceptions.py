"""An exception anywhere leaves nothing behind: what follows works as before."""

import contextlib
import gc

import numpy as np
import pytest

import gradarg as ga

X = np.array([0.5, 1.25, 2.0])


class Wrong(Exception):
    pass


def fail(*_):
    raise Wrong


def failing(x):
    y = np.sin(x) * x
    fail(y)


def failing_rule():
    f = ga.custom_vjp(np.sin)
    f.defvjp(lambda x: (np.sin(x), x), fail)
    return f


def failing_forward():
    f = ga.custom_vjp(np.sin)
    f.defvjp(fail, fail)
    return f


def failing_jvp():
    f = ga.custom_jvp(np.sin)
    f.defjvp(fail)
    return f


def second_call():
    """A function that works once and fails when it is computed again."""
    calls = []

    def f(x):
        calls.append(1)
        if len(calls) > 1:
            raise Wrong
        return np.sin(x)

    return f


def in_no_grad(x):
    with ga.no_grad():
        failing(x)


def in_backward(x):
    t = ga.Tensor(x, requires_grad=True)
    np.sum(failing_rule()(t)).backward()


def bad_shapes(x):
    with pytest.raises((ga.ShapeError, ValueError)):
        ga.grad(lambda x: np.sum(x + np.ones(7)))(x)
    raise Wrong


FAILURES = {
    "grad": lambda: ga.grad(failing)(X),
    "value_and_grad": lambda: ga.value_and_grad(failing)(X),
    "vjp": lambda: ga.vjp(failing, X),
    "jvp": lambda: ga.jvp(failing, (X,), (X,)),
    "vmap": lambda: ga.vmap(failing)(X),
    "stage": lambda: ga.stage(failing, X),
    "jacobian": lambda: ga.jacobian(failing)(X),
    "hessian": lambda: ga.hessian(failing)(X),
    "hvp": lambda: ga.hvp(failing)(X, X),
    "checkpoint": lambda: ga.checkpoint(failing)(X),
    "grad of checkpoint": lambda: ga.grad(ga.checkpoint(failing))(X),
    "backward of checkpoint": lambda: ga.grad(lambda x: np.sum(ga.checkpoint(second_call())(x)))(X),
    "no_grad": lambda: in_no_grad(X),
    "no_grad in grad": lambda: ga.grad(in_no_grad)(X),
    "grad in no_grad": lambda: ga.no_grad()(ga.grad(failing))(X),
    "no_grad as decorator": lambda: ga.no_grad()(failing)(X),
    "backward": lambda: in_backward(X),
    "custom_vjp forward": lambda: ga.grad(lambda x: np.sum(failing_forward()(x)))(X),
    "custom_vjp backward": lambda: ga.grad(lambda x: np.sum(failing_rule()(x)))(X),
    "custom_vjp in jvp": lambda: ga.jvp(failing_rule(), (X,), (X,)),
    "custom_vjp in vmap": lambda: ga.vmap(ga.grad(failing_rule()))(X),
    "custom_jvp": lambda: ga.jvp(failing_jvp(), (X,), (X,)),
    "custom_jvp in grad": lambda: ga.grad(failing_jvp())(0.5),
    "nested": lambda: ga.vmap(ga.grad(lambda x: ga.jvp(failing, (x,), (x,))[1]))(X),
    "deep in nested": lambda: ga.grad(lambda x: np.sum(ga.vmap(ga.checkpoint(failing))(x)))(X),
    "another error before": lambda: bad_shapes(X),
}


def everything_works():
    def f(x):
        return np.sum(np.sin(x) * x)

    gradient = np.cos(X) * X + np.sin(X)
    np.testing.assert_allclose(ga.grad(f)(X), gradient)
    np.testing.assert_allclose(ga.jvp(f, (X,), (X,))[1], gradient @ X)
    np.testing.assert_allclose(ga.vmap(ga.grad(np.sin))(X), np.cos(X))
    np.testing.assert_allclose(ga.stage(ga.grad(f), X)(X), gradient)
    np.testing.assert_allclose(ga.hvp(ga.checkpoint(f))(X, X), (2 * np.cos(X) - X * np.sin(X)) * X)
    t = ga.Tensor(X, requires_grad=True)
    y = f(t)
    assert y.requires_grad
    y.backward()
    np.testing.assert_allclose(t.grad.value, gradient)


@pytest.mark.parametrize("call", FAILURES.values(), ids=FAILURES)
def test_everything_works_after_a_failure(call):
    with pytest.raises(Wrong):
        call()
    everything_works()


@pytest.mark.parametrize("call", FAILURES.values(), ids=FAILURES)
def test_a_failure_inside_is_no_failure_outside(call):
    """A function that catches the error goes on under its own transform."""

    def f(x):
        with contextlib.suppress(Wrong):
            call()
        return x * x

    assert ga.grad(f)(3.0) == 6.0
    assert ga.jvp(f, (3.0,), (1.0,)) == (9.0, 6.0)
    assert ga.hessian(f)(3.0) == 2.0
    t = ga.Tensor(3.0, requires_grad=True)
    f(t).backward()
    assert t.grad.item() == 6.0


@pytest.mark.parametrize("call", FAILURES.values(), ids=FAILURES)
def test_a_failure_leaves_no_garbage(call):
    def run():
        with contextlib.suppress(Wrong):
            call()

    run()
    gc.collect()
    before = count()
    for _ in range(3):
        run()
    gc.collect()
    assert count() <= before


def count():
    return sum(str(type(o).__module__).startswith("gradarg.") for o in gc.get_objects())


def test_a_value_of_a_transform_that_failed_has_leaked():
    kept = []

    def f(x):
        kept.append(x * 2)
        raise Wrong

    for call in (
        lambda: ga.grad(f)(X),
        lambda: ga.jvp(f, (X,), (X,)),
        lambda: ga.vmap(f)(X),
        lambda: ga.stage(f, X),
        lambda: ga.vjp(f, X),
    ):
        with pytest.raises(Wrong):
            call()
        with pytest.raises(ga.LeakedValueError, match="has ended"):
            kept[-1] + 1


def test_a_backward_pass_that_fails_adds_nothing():
    a, b = ga.Tensor(X, requires_grad=True), ga.Tensor(X, requires_grad=True)
    y = np.sum(a * 2) + np.sum(failing_rule()(b))
    with pytest.raises(Wrong):
        y.backward(retain_graph=True)
    assert a.grad is None and b.grad is None


def test_generators_and_exits_do_not_disturb_no_grad():
    t = ga.Tensor(X, requires_grad=True)

    def values():
        with ga.no_grad():
            yield t * 2
            yield t * 3

    generator = values()
    assert not next(generator).requires_grad
    generator.close()
    assert (t * 2).requires_grad
    with contextlib.suppress(KeyboardInterrupt), ga.no_grad():
        raise KeyboardInterrupt
    assert (t * 2).requires_grad
