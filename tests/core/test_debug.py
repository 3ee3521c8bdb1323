"""What debug_nans, shape errors and warnings say: the operation, the numbers, the user's line."""

import threading
import warnings

import numpy as np
import pytest

import gradarg as ga

X = np.array([4.0, 0.0, -1.0])


def blamed(f):
    with ga.debug_nans(), pytest.raises(ga.NonFiniteError) as caught:
        f()
    assert isinstance(caught.value, FloatingPointError)
    return "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])


def total(f):
    return lambda x: np.sum(f(x))


@pytest.mark.parametrize(
    "run",
    [
        lambda f: f(ga.Tensor(X)),
        lambda f: f(ga.Tensor(X, requires_grad=True)),
        lambda f: ga.grad(total(f))(X),
        lambda f: ga.jvp(f, (X,), (X,)),
        lambda f: ga.hvp(total(f))(X[::2], X[::2]),
    ],
    ids=["constant", "recorded", "grad", "jvp", "hvp"],
)
def test_the_operation_that_made_it(run):
    def f(x):
        y = x * 2.0
        z = np.log(y)  # the culprit
        return z + y

    message = blamed(lambda: run(f))
    assert "log gave NaN at [" in message and "are -2.0 (first of 1 of " in message
    assert "test_debug.py:" in message and message.endswith("z = np.log(y)  # the culprit")


def test_inside_vmap_the_hidden_axis_shows():
    message = blamed(lambda: ga.vmap(lambda x: 1.0 / x)(X))
    assert "divide gave inf at [1]" in message and "are 1.0, 0.0" in message


def test_infinities():
    message = blamed(lambda: np.exp(ga.Tensor([1.0, 1000.0])))
    assert "exp gave inf at [1]" in message and "1000.0" in message
    message = blamed(lambda: ga.Tensor(np.inf) - ga.Tensor(np.inf))
    assert "subtract gave NaN, where the numbers that went in are inf, inf" in message
    with ga.debug_nans():
        x = ga.Tensor([1.0, -np.inf, np.nan])
        assert np.isnan(np.sum(x * 2).value) and np.where(x > 0, x, -np.inf)[1] == -np.inf
        assert np.exp(x)[1] == 0


def test_the_backward_pass():
    def f(x):
        root = np.sqrt(x * x)  # has no slope at 0
        return np.sum(root)

    w = ga.Tensor(X, requires_grad=True)
    for run in (lambda: ga.grad(f)(X), lambda: f(w).backward()):
        message = blamed(run)
        assert "The derivative of sqrt by argument 0 is inf at [1]" in message
        assert "are 0.0, 1.0" in message  # the value and the cotangent
        assert message.endswith("root = np.sqrt(x * x)  # has no slope at 0")
    message = blamed(lambda: ga.jvp(np.sqrt, (X[:2],), (np.ones(2),)))
    assert "The derivative (in forward mode) of sqrt is inf at [1]" in message
    message = blamed(lambda: ga.vmap(ga.grad(f))(X[None]))
    assert "in the derivative of sqrt, recorded at" in message and "has no slope at 0" in message


def test_a_graph_from_before_the_block():
    w = ga.Tensor(X, requires_grad=True)
    loss = np.sum(np.sqrt(w * w))
    assert "ran outside of ga.debug_nans()" in blamed(loss.backward)


def test_the_block_ends_and_is_its_threads_own():
    seen = []

    def elsewhere():
        with np.errstate(all="ignore"):
            seen.append(np.log(ga.Tensor(-1.0)).item())

    with ga.debug_nans(), ga.debug_nans():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    elsewhere()
    assert np.isnan(seen).all() and len(seen) == 2


def test_large_inputs_are_summed_up():
    message = blamed(lambda: np.sum(ga.Tensor(np.full((3, 2), 1e308))))
    assert (
        "sum gave inf, where the numbers that went in are (3, 2) from 1e+308 to 1e+308" in message
    )


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda x: x + np.ones(4), "add"),
        (lambda x: np.where(x > 0, x, np.ones(4)), "where"),
        (lambda x: x @ np.ones((4, 2)), "matmul"),
        (lambda x: np.arctan2(x, np.ones(4)), "arctan2"),
        (lambda x: np.concatenate([x[None], np.ones((1, 4))]), "concatenate"),
        (lambda x: ga.asarray(x).at[:3].set(np.ones(4)), r"x\.at"),
    ],
)
@pytest.mark.parametrize(
    "run", [lambda f: f(ga.Tensor(X)), lambda f: ga.vjp(f, X), lambda f: ga.stage(f, X)]
)
def test_shape_errors(run, call, name):
    with pytest.raises(ga.ShapeError, match=rf"(?s){name}.*\n  at .*test_debug\.py:") as caught:
        run(call)
    assert "3" in str(caught.value) and "4" in str(caught.value)


def test_a_column_less_a_vector():
    x = np.arange(12.0).reshape(4, 3)

    def loss(w, b):
        return np.mean((x @ w + b - x[:, 0]) ** 2)

    with pytest.warns(ga.GradargWarning, match=r"\(4, 1\) and \(4,\).*matrix.*pairs"):
        ga.grad(loss)(np.ones((3, 1)), np.ones(1))

    def distances(v):
        return np.sum((v[:, None] - v) ** 2) + np.sum((v.reshape(-1, 1) - v[None]) ** 2)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ga.grad(distances)(x[:, 0])
        ga.grad(lambda w: np.mean((x @ w - x[:, 0]) ** 2))(np.ones(3))
