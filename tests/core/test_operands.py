"""Operands that are no plain arrays of numbers are refused: they mean more than their elements."""

import operator

import numpy as np
import pytest

import gradarg as ga

X = np.array([0.5, 1.25, 2.0])
WHERE = {
    "eager": lambda f: f(ga.Tensor(X, requires_grad=True)),
    "constant": lambda f: f(ga.Tensor(X)),
    "grad": lambda f: ga.grad(lambda t: (f(t), 1.0)[1])(X),
    "jvp": lambda f: ga.jvp(lambda t: (f(t), 1.0)[1], (X,), (X,)),
    "vmap": lambda f: ga.vmap(lambda t: (f(t), 1.0)[1])(np.stack([X, X])),
    "stage": lambda f: ga.stage(lambda t: (f(t), 1.0)[1], X),
}
everywhere = pytest.mark.parametrize("where", WHERE.values(), ids=WHERE)


# ---- masked arrays: the mask would be lost, or the derivative

MASKED = np.ma.array(X, mask=[False, True, False])
MASKED_CALLS = {
    "t * masked": lambda t: t * MASKED,
    "np.add(masked, t)": lambda t: np.add(MASKED, t),
    "np.where": lambda t: np.where(MASKED > 1, t, 0),
    "np.where of masked": lambda t: np.where(X > 1, t, MASKED),
    "np.concatenate": lambda t: np.concatenate([t, MASKED]),
    "np.stack": lambda t: np.stack([MASKED, t]),
    "t @ masked": lambda t: t @ MASKED,
    "masked @ t": lambda t: MASKED @ t,
    "np.dot": lambda t: np.dot(MASKED, t),
    "np.einsum": lambda t: np.einsum("i,i->", t, MASKED),
    "t[masked]": lambda t: t[np.ma.array([0, 1], mask=[False, True])],
    "t.at": lambda t: t.at[:].set(MASKED),
    "ga.maximum": lambda t: ga.maximum(MASKED, t),
}


@pytest.mark.parametrize("call", MASKED_CALLS.values(), ids=MASKED_CALLS)
@everywhere
def test_masked_arrays(where, call):
    with pytest.raises(ga.GradargError):
        where(call)


# NumPy's own functions for them convert a tensor, which only a constant allows
NUMPY_MA = {
    "masked * t": lambda t: MASKED * t,
    "masked - t": lambda t: MASKED - t,
    "masked += t": lambda t: operator.iadd(MASKED.copy(), t),
    "masked < t": lambda t: operator.lt(MASKED, t),
    "np.ma.sin": lambda t: np.ma.sin(t),
    "np.ma.add": lambda t: np.ma.add(t, 1.0),
    "np.ma.multiply": lambda t: np.ma.multiply(MASKED, t),
    "np.ma.sum": lambda t: np.ma.sum(t),
    "np.ma.where": lambda t: np.ma.where(X > 1, t, 0),
    "np.ma.array": lambda t: np.ma.array(t),
}


@pytest.mark.parametrize("call", NUMPY_MA.values(), ids=NUMPY_MA)
@pytest.mark.parametrize("where", [v for k, v in WHERE.items() if k != "constant"])
def test_functions_for_masked_arrays(where, call):
    with pytest.raises(ga.GradargError):
        where(call)


def test_a_constant_beside_a_masked_array_keeps_the_mask():
    found = MASKED * ga.Tensor(X)
    assert found.mask.tolist() == [False, True, False]
    np.testing.assert_array_equal(found.compressed(), [0.25, 4.0])


def test_masked_arrays_as_arguments():
    for call in (
        lambda: ga.Tensor(MASKED),
        lambda: ga.asarray(MASKED),
        lambda: ga.grad(np.sum)(MASKED),
        lambda: ga.vmap(np.sin)(MASKED),
        lambda: ga.stage(np.sin, MASKED),
        lambda: ga.jvp(np.sin, (X,), (MASKED,)),
        lambda: ga.sum(MASKED),
    ):
        with pytest.raises(ga.DerivativeError, match=r"MaskedArray|[Mm]asked"):
            call()


# ---- np.matrix: its * is a matrix product, a tensor's is elementwise


@everywhere
@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_matrices(where):
    matrix = np.matrix(np.outer(X, X) + np.eye(3))
    for call in (
        lambda t: matrix * t[:, None],
        lambda t: t[None] * matrix,
        lambda t: matrix**2 * t[:, None],
        lambda t: np.multiply(matrix, t),
        lambda t: np.concatenate([matrix, t[None]]),
    ):
        with pytest.raises(ga.DerivativeError, match="matrix"):
            where(call)


@everywhere
def test_other_subclasses_are_arrays(where):
    class Sub(np.ndarray):
        pass

    where(lambda t: t * X.view(Sub) + X.view(np.recarray))


# ---- what holds no numbers

STRANGE = {
    "objects": np.array([1, 2, 3], object),
    "text": "abc",
    "texts": np.array(["a", "b", "c"]),
    "bytes": b"abc",
    "None": None,
    "records": np.zeros(3, [("a", float)]),
    "times": np.array([1, 2, 3], "m8[s]"),
    "a set": {1, 2},
    "an object": object(),
}


@pytest.mark.parametrize("strange", STRANGE.values(), ids=STRANGE)
@everywhere
def test_operands_that_are_no_numbers(where, strange):
    for call in (
        lambda t: t + strange,
        lambda t: strange * t,
        lambda t: np.maximum(t, strange),
        lambda t: np.where(X > 1, t, strange),
        lambda t: np.concatenate([t, np.atleast_1d(strange)]),
    ):
        with pytest.raises(ga.DerivativeError, match=r"numbers.*(dtype|type)"):
            where(call)
    with pytest.raises(ga.GradargError):
        where(lambda t: t @ strange)


@pytest.mark.parametrize("strange", STRANGE.values(), ids=STRANGE)
def test_arguments_that_are_no_numbers(strange):
    if strange is None:
        return  # an empty container
    for call in (
        lambda: ga.grad(lambda x: 1.0)(strange),
        lambda: ga.vjp(lambda x: 1.0, strange),
        lambda: ga.jvp(lambda x: 1.0, (strange,), (strange,)),
        lambda: ga.vmap(lambda x: 1.0)(strange),
        lambda: ga.stage(lambda x: 1.0, strange),
        lambda: ga.Tensor(strange),
    ):
        with pytest.raises(ga.DerivativeError, match=r"type|numbers"):
            call()


@pytest.mark.parametrize("strange", STRANGE.values(), ids=STRANGE)
def test_results_that_are_no_numbers(strange):
    for call in (
        lambda: ga.grad(lambda x: strange)(2.0),
        lambda: ga.vjp(lambda x: (x, strange), 2.0),
        lambda: ga.jvp(lambda x: (x, strange), (2.0,), (1.0,)),
        lambda: ga.vmap(lambda x: (x, strange))(X),
        lambda: ga.stage(lambda x: (x, strange), 2.0),
    ):
        if strange is None:
            continue
        with pytest.raises(ga.DerivativeError, match=r"type|numbers"):
            call()


# ---- results that cannot be differentiated


@pytest.mark.parametrize("wrong", ["text", {"a": 1.0}, [1.0], (1.0, 2.0), None])
def test_grad_needs_one_number(wrong):
    with pytest.raises((ga.ShapeError, ga.DerivativeError), match=r"ga\.grad|number"):
        ga.grad(lambda x: wrong)(2.0)


@pytest.mark.parametrize("shape", [(1,), (3,), (1, 1), (0,)])
def test_grad_of_an_array(shape):
    match = rf"(?s)ga\.grad.*one number.*{str(shape)[1:-1]}.*np\.sum.*ga\.jacobian"
    with pytest.raises(ga.ShapeError, match=match):
        ga.grad(lambda x: np.ones(shape) * x)(2.0)
    if shape in ((3,), (0,)):
        with pytest.raises(ga.ShapeError, match=r"(?s)single number.*shape.*np\.sum.*grad="):
            (ga.Tensor(2.0, requires_grad=True) * np.ones(shape)).backward()


def test_grad_of_a_complex_number():
    with pytest.raises(ga.DerivativeError, match=r"ga\.grad.*real.*complex128.*np\.abs.*ga\.vjp"):
        ga.grad(lambda x: x * 1j)(2.0)
    for f in (lambda t: t * 1j, lambda t: np.sum(t * np.array([1j, 2]))):
        with pytest.raises(ga.DerivativeError, match=r"backward.*real|complex"):
            f(ga.Tensor(2.0, requires_grad=True)).backward()


def test_a_complex_cotangent_of_a_real_number():
    y = ga.Tensor(2.0, requires_grad=True) * 3
    with pytest.raises(ga.DerivativeError, match="complex"):
        y.backward(1j)


@pytest.mark.parametrize("x", [3, True, np.int64(3), np.arange(3), X > 1, {"a": 1.0, "b": 2}])
def test_integers_and_bools(x):
    for call in (
        lambda: ga.grad(lambda x: 1.0)(x),
        lambda: ga.vjp(lambda x: 1.0, x),
        lambda: ga.jacobian(lambda x: 1.0)(x),
        lambda: ga.hessian(lambda x: 1.0)(x),
        lambda: ga.jvp(lambda x: 1.0, (x,), (x,)),
    ):
        with pytest.raises(ga.DerivativeError, match=r"(?s)ga\..*carry no.*derivative.*floats"):
            call()
    if not isinstance(x, dict):
        with pytest.raises(ga.DerivativeError, match=r"no derivative.*dtype=float"):
            ga.Tensor(x, requires_grad=True)
        with pytest.raises(ga.DerivativeError, match="no derivative"):
            ga.Tensor(x).requires_grad = True


def test_backward_without_a_graph():
    for t in (ga.Tensor(2.0), ga.Tensor(2.0) * 3, ga.Tensor(2.0, requires_grad=True).detach()):
        with pytest.raises(ga.DerivativeError, match=r"backward\(\) on.*requires_grad=True"):
            t.backward()
    t = ga.Tensor(X, requires_grad=True)
    for y in (np.argmax(t), np.sum(t > 1), np.sum(t.astype(int))):
        with pytest.raises(ga.DerivativeError, match=r"backward\(\) on"):
            y.backward()
    with ga.no_grad():
        y = np.sum(t)
    with pytest.raises(ga.DerivativeError, match="no_grad"):
        y.backward()


@pytest.mark.parametrize("cotangent", [np.ones(2), 1.0, np.ones((1, 3)), np.ones((3, 1))])
def test_backward_with_a_cotangent_of_another_shape(cotangent):
    y = ga.Tensor(X, requires_grad=True) * 2
    with pytest.raises(ga.ShapeError, match=r"backward\(grad\).*\(3,\).*equal"):
        y.backward(cotangent)
