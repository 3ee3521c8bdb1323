"""The methods of ufuncs, and the keywords of their calls, on tensors. NumPy is the answer."""

import numpy as np
import pytest

import gradarg as ga
from gradarg.testing import check_grads
from tests.ops.checks import same
from tests.ops.sample import POSITIVE, complex_values, values

C, M, V = values((2, 3, 4)), values((3, 4), POSITIVE), values((3,), POSITIVE)
MASK = np.array([[True, False, True, True], [False, False, True, False], [True, True, True, True]])
EXTREMES, LOGS = ["maximum", "minimum", "fmax", "fmin"], ["logaddexp", "logaddexp2"]
ASSOCIATIVE = ["add", "multiply", "hypot", *EXTREMES, *LOGS]
ORDERED = ["subtract", "divide", "power", "float_power", "arctan2", "fmod", "copysign"]
LOGICAL = [f"{kind}_{name}" for kind in ("bitwise", "logical") for name in ("and", "or", "xor")]
INTEGRAL = [*LOGICAL, "gcd", "lcm", "add", "multiply", "maximum", "fmin", "subtract", "left_shift"]
SMALL = np.array([[12, 5, 3, 2], [9, 7, 1, 2], [8, 6, 2, 1]], np.int8)
TOLERANCE = {"rtol": 1e-13, "atol": 1e-14}


def answer(call, *arrays):
    """What a call gives for tensors, as arrays."""
    out = call(*map(ga.Tensor, arrays))
    assert isinstance(out, ga.Tensor)
    return out.value[()]


def agrees(call, *arrays, order=2):
    same(answer(call, *arrays), call(*arrays), **TOLERANCE)
    narrow = [a.astype(np.float32) for a in arrays]
    same(answer(call, *narrow), call(*narrow), rtol=2e-6, atol=2e-6)
    if order:
        check_grads(call, arrays, order=order)


@pytest.mark.parametrize("name", ASSOCIATIVE)
def test_reduce(name):
    ufunc = getattr(np, name)
    agrees(ufunc.reduce, M)
    agrees(lambda x: ufunc.reduce(x, axis=1, keepdims=True, initial=0.7), M)
    agrees(lambda x: ufunc.reduce(x, axis=-1, initial=1.3, where=MASK), M)
    agrees(lambda x: ufunc.reduce(x, axis=0, dtype=np.float64), M, order=1)
    agrees(lambda x: ufunc.reduce(x, initial=1.5), M[0, 0], order=1)
    agrees(lambda x: ufunc.reduce(x, axis=(0, 2)), C)
    agrees(lambda x: ufunc.reduce(x, axis=None), M, order=1)
    agrees(lambda x: ufunc.reduceat(x, [0, 2, 1, 1], axis=1), M)


def folded(ufunc, x, start=(), mask=None):
    """The reduction along the last axis, element by element.

    NumPy's own is wrong for power and arctan2 in its vectorised loops: np.power.reduce of
    [0.7, 0.5, 2.0, 3.0, 1.5] is 0.585..., not 0.2008..., where the processor has AVX-512.
    """
    out = np.full(x.shape[:-1], start, x.dtype)[()] if start != () else None
    for k in range(x.shape[-1]):
        new = x[..., k] if out is None else ufunc(out, x[..., k])
        out = new if mask is None else np.where(mask[..., k], new, out)
    return out


@pytest.mark.parametrize("name", ORDERED)
def test_reduce_in_order(name):
    ufunc = getattr(np, name)
    same(answer(lambda x: ufunc.reduce(x, axis=-1), M), folded(ufunc, M), **TOLERANCE)
    first = answer(lambda x: ufunc.reduce(x, axis=1, keepdims=True, initial=0.7), M)
    same(first, folded(ufunc, M, 0.7)[:, None], **TOLERANCE)
    masked = lambda x: ufunc.reduce(x, axis=-1, initial=1.3, where=MASK)
    same(answer(masked, M), folded(ufunc, M, 1.3, MASK), **TOLERANCE)
    at = answer(lambda x: ufunc.reduceat(x, [0, 2, 1, 1], axis=1), M)
    parts = (M[:, :2], M[:, 2:3], M[:, 1:2], M[:, 1:])
    same(at, np.stack([folded(ufunc, part) for part in parts], 1), **TOLERANCE)
    check_grads(ufunc.reduce, (M,), order=2)  # along the first axis, where NumPy's own is right
    check_grads(lambda x: ufunc.reduce(x, initial=1.3, where=MASK), (M,), order=2)
    with pytest.raises(ValueError, match=f"np.{name} depends on the order"):
        ufunc.reduce(ga.Tensor(M), axis=None)


@pytest.mark.parametrize("name", ASSOCIATIVE + ORDERED)
def test_accumulate_and_outer(name):
    ufunc = getattr(np, name)
    rows = np.stack([folded(ufunc, M[:, : k + 1]) for k in range(4)], 1)
    same(answer(lambda x: ufunc.accumulate(x, axis=1), M), rows, **TOLERANCE)
    check_grads(ufunc.accumulate, (M,), order=2)
    check_grads(lambda x: ufunc.accumulate(x, axis=1), (values((2, 7), POSITIVE),))
    agrees(lambda x: ufunc.accumulate(x, axis=-1), M[:, :1], order=0)
    agrees(ufunc.outer, V, M)
    agrees(lambda x: ufunc.outer(x, 2.0), V, order=0)
    agrees(lambda x: ufunc.outer(1.5, x), V, order=0)


@pytest.mark.parametrize("name", INTEGRAL)
def test_integers(name):
    ufunc = getattr(np, name)
    for x in (SMALL, SMALL.astype(np.uint16), MASK):
        for call in (
            ufunc.reduce,
            lambda x: ufunc.reduce(x, axis=1, keepdims=True),
            ufunc.accumulate,
            lambda x: ufunc.reduceat(x, [2, 0, 1]),
            lambda x: ufunc.outer(x[0], x),
        ):
            try:
                expected = call(x)
            except TypeError:
                with pytest.raises(TypeError):
                    call(ga.Tensor(x))
            else:
                same(answer(call, x), expected)


def test_masks_and_first_values_of_integers():
    for ufunc in (np.maximum, np.minimum, np.add, np.lcm):
        same(
            answer(lambda x, ufunc=ufunc: ufunc.reduce(x, axis=1, where=MASK, initial=6), SMALL),
            ufunc.reduce(SMALL, axis=1, where=MASK, initial=6),
        )
    for ufunc in (np.add, np.multiply, np.logical_or, np.hypot, np.logaddexp):
        same(
            answer(lambda x, ufunc=ufunc: ufunc.reduce(x, where=MASK), SMALL),
            ufunc.reduce(SMALL, where=MASK),
            rtol=1e-3,
        )


def test_no_elements():
    none = np.ones((2, 0))
    for ufunc in (np.add, np.multiply, np.logaddexp, np.hypot, np.logical_and):
        same(
            answer(lambda x, ufunc=ufunc: ufunc.reduce(x, axis=1), none), ufunc.reduce(none, axis=1)
        )
        same(
            answer(lambda x, ufunc=ufunc: ufunc.accumulate(x, axis=1), none),
            ufunc.accumulate(none, axis=1),
        )
    for ufunc in (np.maximum, np.subtract, np.fmax):
        with pytest.raises(ValueError, match="identity"):
            ufunc.reduce(ga.Tensor(none), axis=1)
        found = answer(lambda x, ufunc=ufunc: ufunc.reduce(x, axis=1, initial=2.0), none)
        same(found, ufunc.reduce(none, axis=1, initial=2.0))
    same(answer(lambda x: np.add.reduceat(x, [], axis=1), C[0]), np.zeros((3, 0)))


def test_complex_numbers():
    z = complex_values((3, 4))
    for ufunc in (np.add, np.multiply, np.subtract, np.divide):
        for call in (ufunc.reduce, ufunc.accumulate, ufunc.outer):
            args = (z, z[0]) if call == ufunc.outer else (z,)
            same(answer(call, *args), call(*args), **TOLERANCE)
            check_grads(call, args)


def test_ties_share():
    x = np.array([2.0, 2.0, 1.0, 2.0])
    rows = ga.jacobian(np.maximum.accumulate)(x)
    np.testing.assert_allclose(rows.sum(1), 1)
    np.testing.assert_allclose(rows[:3], [[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.5, 0.5, 0, 0]])
    same(ga.grad(np.fmax.reduce)(np.array([np.nan, 3.0, np.nan])), np.array([0.0, 1.0, 0.0]))
    same(ga.grad(np.hypot.reduce)(np.zeros(3)), np.zeros(3))
    zeros = np.array([0.0, 3.0, 0.0, 5.0])
    same(ga.jacobian(np.multiply.accumulate)(zeros)[-1], np.zeros(4))


def test_in_each_transform():
    for f in (np.hypot.reduce, np.maximum.accumulate, np.subtract.reduce, np.arctan2.accumulate):
        same(ga.vmap(f)(M), np.stack([f(row) for row in M]), **TOLERANCE)
        same(ga.stage(f, V)(V), f(V), **TOLERANCE)


# ---- keywords of calls


def test_dtype_is_what_it_computes_in():
    x, y = SMALL, np.int8(100)
    for call in (
        lambda x: np.multiply(x, y, dtype=np.int64),
        lambda x: np.add(x, x, dtype=np.float32),
        lambda x: np.divide(x, 3, dtype=np.float32),
        lambda x: np.exp(x, dtype=np.float64),
        lambda x: np.less(x, 5, dtype=bool),
        lambda x: np.sqrt(x, signature="d->d"),
        lambda x: np.sqrt(x, signature=(None, np.float64)),
        lambda x: np.add(x, 1, casting="no"),
        lambda x: np.add(x, 1, order="F", subok=False),
        lambda x: np.add.outer(x, [1, 2], dtype=np.float32),
    ):
        same(answer(call, x), call(x))
    with pytest.raises(TypeError, match="cast"):
        np.add(ga.Tensor(M), 1, dtype=int)
    with pytest.raises(TypeError, match="cast"):
        np.add(ga.Tensor(M.astype(np.float32)), M, casting="no")
    agrees(lambda x: np.multiply(x, x, dtype=np.float64), M)


def test_dtype_of_small_integers_that_are_added_up():
    x = np.arange(6, dtype=np.uint8).reshape(2, 3) * 50
    for f in (
        lambda x: np.sum(x, dtype=np.uint8),
        lambda x: np.sum(x, dtype=np.uint8, initial=7),
        lambda x: np.sum(x, axis=0, dtype=np.uint8, where=x > 50, keepdims=True),
        lambda x: np.prod(x, axis=1, dtype=np.int16),
        lambda x: np.cumsum(x, axis=1, dtype=np.uint8),
        lambda x: np.cumprod(x, dtype=np.int8),
        lambda x: np.trace(x, dtype=np.uint8),
        lambda x: np.add.reduce(x, dtype=np.uint8),
        lambda x: np.multiply.accumulate(x, dtype=np.uint8),
    ):
        given, expected = f(ga.Tensor(x)).numpy(), f(x)
        np.testing.assert_array_equal(given, expected)
        assert given.dtype == expected.dtype


def test_where_without_out_is_refused():
    with pytest.raises(ga.DerivativeError, match=r"np\.sqrt\(\.\.\., where=\) without out="):
        np.sqrt(ga.Tensor(M), where=MASK)
    same(np.sqrt(ga.Tensor(M), where=True).value, np.sqrt(M))


def test_other_values_where_it_is_false():
    from gradarg._namespace import elementwise, ufuncs

    x, y, other = np.array([1.0, -4.0]), np.array([2.0, 0.0]), np.array([7.0, 8.0])
    f = lambda x, y, o: ufuncs.call(np.divide, elementwise.divide, (x, y), where=y != 0, unset=o)
    same(f(x, y, other), np.array([0.5, 8.0]))
    total = lambda *args: np.sum(f(*args))
    expected = tuple(map(np.array, ([0.5, 0.0], [-0.25, 0.0], [0.0, 1.0])))
    same(ga.grad(total, argnums=(0, 1, 2))(x, y, other), expected)


def divided(x, y):
    """x / y, and 0 where y is 0, as NumPy's users write it."""
    return np.divide(x, y, out=np.zeros_like(x), where=y != 0)


def test_where_with_out():
    x, y = np.array([1.0, -4.0, 3.0]), np.array([2.0, 0.0, -0.5])
    same(answer(divided, x, y), np.array([0.5, 0.0, -6.0]))
    for gradient in (ga.grad(lambda *args: np.sum(divided(*args)), argnums=(0, 1))(x, y),):
        same(gradient, tuple(map(np.array, ([0.5, 0.0, -2.0], [-0.25, 0.0, -12.0]))))
    same(
        ga.vmap(divided)(np.stack([x, y]), np.stack([y, x])),
        np.stack([x / (y + (y == 0)), y / x]) * [[1, 0, 1], [1, 1, 1]],
    )
    same(ga.stage(divided, x, y)(x, y), divided(x, y))
    t = ga.Tensor(x)
    whole, part = np.zeros_like(t), np.ones_like(t)
    found = np.modf(t * 0.4, out=(part, whole), where=x > 0)
    same(
        [v.value for v in found], [np.array([0.4, 1.0, 0.2]), np.array([0.0, 0.0, 1.0])], rtol=1e-12
    )


def test_what_is_refused():
    t = ga.Tensor(M)
    for error, match, f in (
        (TypeError, "loop", lambda: np.greater.reduce(t)),
        (ga.ShapeError, "accumulate takes an array", lambda: np.add.accumulate(t[0, 0])),
        (IndexError, "out of bounds for length 3", lambda: np.add.reduceat(t, [0, 3])),
        (ga.ShapeError, "integers in one dimension", lambda: np.add.reduceat(t, [[0]])),
        (ga.ShapeError, "subtract.reduce: axis 2", lambda: np.subtract.reduce(t, axis=2)),
        (ValueError, "maximum.* identity", lambda: np.maximum.reduce(t, where=MASK)),
        (ga.DerivativeError, "matmul with axes=", lambda: np.matmul(t, t.T, axes=[1, 2, 3])),
    ):
        with pytest.raises(error, match=match):
            f()
