"""Dtypes: a traced value has NumPy's dtype (NEP 50), a derivative the dtype of its input."""

import operator
from functools import partial

import numpy as np
import pytest

import gradarg as ga

ONES = {
    "float16": np.float16([1, 2]),
    "float32": np.float32([1, 2]),
    "float64": np.array([1.0, 2.0]),
    "longdouble": np.longdouble([1, 2]),
    "complex64": np.complex64([1, 2j]),
    "complex128": np.array([1, 2j]),
}
OTHERS = {
    "int": 3,
    "bool": True,
    "float": 2.5,
    "complex": 1j,
    "np.float32": np.float32(2.5),
    "np.float64": np.float64(2.5),
    "np.int8": np.int8(3),
    "np.int64": np.int64(3),
    "np.bool": np.True_,
    "0-d float64": np.array(2.5),
    "0-d float16": np.array(2.5, np.float16),
    "int8 array": np.int8([3, 4]),
    "int64 array": np.array([3, 4]),
    "float32 array": np.float32([3, 4]),
    "bool array": np.array([True, True]),
    "complex64 array": np.complex64([3, 4j]),
    "list": [3, 4],
}
OPERATIONS = {
    "+": operator.add,
    "reversed -": lambda x, y: y - x,
    "*": operator.mul,
    "/": operator.truediv,
    "reversed /": lambda x, y: y / x,
    "**": operator.pow,
    "np.add": np.add,
    "reversed np.multiply": lambda x, y: np.multiply(y, x),
    "where": lambda x, y: np.where(np.array([True, False]), x, y),
    "concatenate": lambda x, y: np.concatenate([x, np.broadcast_to(y, 2)]),
}
REAL_OPERATIONS = {
    "maximum": np.maximum,
    "reversed arctan2": lambda x, y: np.arctan2(y, x),
    "clip": lambda x, y: np.clip(x, None, y),
    "<": operator.lt,
    "%": operator.mod,
}


def is_complex(x):
    return np.iscomplexobj(np.asarray(x))


@pytest.mark.parametrize("y", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("x", ONES.values(), ids=ONES)
def test_results_have_numpys_dtype_in_every_interpreter(x, y):
    real = not is_complex(x) and not is_complex(y)
    for name, operation in (OPERATIONS | (REAL_OPERATIONS if real else {})).items():
        f = partial(swapped, operation, y)
        try:
            expected = f(x).dtype
        except TypeError:  # NumPy refuses to subtract bools and the like
            continue
        found = {
            "tensor": f(ga.Tensor(x)),
            "recorded": f(ga.Tensor(x, requires_grad=True)),
            "jvp": ga.jvp(f, (x,), (x,))[0],
            "tangent": ga.jvp(f, (x,), (x,))[1] if expected.kind != "b" else f(x),
            "vjp": ga.vjp(f, x)[0],
            "staged": ga.stage(f, x)(x),
        }
        if np.ndim(y) == 0:
            found["vmap"] = ga.vmap(f, in_axes=1, out_axes=1)(x[:, None])
        for how, value in found.items():
            assert value.dtype == expected, (name, how)


def swapped(f, y, x):
    return f(x, y)


@pytest.mark.parametrize("dtype", ONES)
def test_a_gradient_has_the_dtype_of_its_input(dtype):
    x = np.asarray(ONES[dtype])

    def f(x):
        return np.sum(np.abs(np.sin(x) * x + np.exp(x) / 3) ** 2)

    assert ga.grad(f)(x).dtype == x.dtype
    assert ga.value_and_grad(f)(x)[0].dtype == f(x).dtype
    t = ga.Tensor(x, requires_grad=True)
    f(t).backward()
    f(t).backward()
    assert t.grad.dtype == t.dtype == x.dtype
    np.testing.assert_array_equal(t.grad.value, 2 * ga.grad(f)(x))
    if x.dtype.kind == "f":
        assert ga.grad(lambda x: f(x[0]))(x).dtype == x.dtype
        assert ga.jacobian(np.sin)(x).dtype == ga.hessian(f)(x).dtype == x.dtype
        assert ga.hvp(f)(x, np.ones(2)).dtype == x.dtype
        assert ga.grad(lambda s: s * s)(x[0]).dtype == x.dtype


@pytest.mark.parametrize("low", ["float16", "float32"])
def test_operands_of_different_precision_each_get_their_own(low):
    x, y = ONES[low], ONES["float64"] + 1
    A = np.ones((2, 2), low)
    functions = [
        lambda x, y: np.sum(x * y),
        lambda x, y: np.sum(x / y + y**x),
        lambda x, y: x @ y,
        lambda x, y: np.sum(np.concatenate([x, y])),
        lambda x, y: np.sum(np.where([True, False], x, y)),
        lambda x, y: np.sum(A @ x * (A @ y)),
        lambda x, y: np.einsum("i,i->", x, y),
        lambda x, y: np.sum(x.astype(float) * y) + np.sum(x * y.astype(low)),
        lambda x, y: np.sum(np.maximum(x, y)) + np.sum(np.stack([x, y]) ** 2),
    ]
    for f in functions:
        value, (gx, gy) = ga.value_and_grad(f, (0, 1))(x, y)
        assert (value.dtype, gx.dtype, gy.dtype) == (np.float64, x.dtype, np.float64)
        t, u = ga.Tensor(x, requires_grad=True), ga.Tensor(y, requires_grad=True)
        f(t, u).backward()
        assert (t.grad.dtype, u.grad.dtype) == (x.dtype, np.float64)
        np.testing.assert_array_equal(t.grad.value, gx)


def test_jacobians_have_the_dtype_of_the_input_in_either_mode():
    for mode in ("forward", "reverse"):
        jx, jy = ga.jacobian(lambda x, y: x * y, (0, 1), mode=mode)(np.float32([1, 2]), np.ones(2))
        assert (jx.dtype, jy.dtype) == (np.float32, np.float64)


def test_a_real_part_of_a_complex_computation_has_a_real_gradient():
    x = np.float32([0.5, 2.0])
    gradient = ga.grad(lambda x: np.sum(np.real((x * (1 + 2j)) ** 2)))(x)
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(gradient, 2 * x * -3, rtol=1e-6)  # Re (1 + 2i)**2 = -3


def test_through_lower_precision_and_back():
    x = np.array([1.0, 2.0])
    np.testing.assert_array_equal(ga.grad(lambda x: np.sum(x.astype(np.float32) ** 2))(x), 2 * x)
    assert ga.grad(lambda x: np.sum(x.astype(np.float32) ** 2))(x).dtype == np.float64


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "c8", "c16"])
def test_byte_order_does_not_matter(order, kind):
    x = np.array([1.5, -2.0, 0.25]).astype(order + kind)
    native = x.astype(kind)

    def f(x):
        return np.sum(np.abs(np.exp(x) * x + np.sin(x)) ** 2)

    assert ga.grad(f)(native).dtype == native.dtype
    found = ga.grad(f)(x)
    assert found.dtype.newbyteorder("=") == native.dtype
    np.testing.assert_array_equal(found, ga.grad(f)(native))
    t = ga.Tensor(x, requires_grad=True)
    f(t).backward()
    np.testing.assert_array_equal(t.grad.value, ga.grad(f)(native))
    np.testing.assert_array_equal(ga.vmap(ga.grad(f))(x[:, None])[:, 0], ga.grad(f)(native))


# ---- Python numbers promote weakly wherever they enter


def both(x, y):
    return np.sum(x * y)


CUSTOM = ga.custom_vjp(both)
CUSTOM.defvjp(lambda x, y: (both(x, y), (x, y)), lambda r, g: (g * r[1] * np.ones_like(r[0]), None))
FORWARD = ga.custom_jvp(both)
FORWARD.defjvp(lambda p, t: (both(*p), np.sum(t[0] * p[1])))
X = np.float32([1, 2])
WEAK = {
    "grad": lambda: ga.value_and_grad(both)(X, 2.0),
    "vjp of one": lambda: ga.vjp(lambda x: both(x, 2.0), X)[0],
    "vmap": lambda: ga.vmap(both, in_axes=(0, None))(X, 2.0),
    "checkpoint": lambda: ga.checkpoint(both)(X, 2.0),
    "grad of checkpoint": lambda: ga.value_and_grad(ga.checkpoint(both))(X, 2.0),
    "custom_vjp": lambda: CUSTOM(X, 2.0),
    "grad of custom_vjp": lambda: ga.value_and_grad(CUSTOM)(X, 2.0),
    "custom_jvp": lambda: FORWARD(X, 2.0),
    "grad of custom_jvp": lambda: ga.value_and_grad(FORWARD)(X, 2.0),
    "staged closure": lambda: ga.stage(lambda x: both(x, 2.0), X)(X),
    "hvp": lambda: ga.hvp(lambda x: both(x * x, 2.0))(X, X),
    "eager": lambda: both(ga.Tensor(X), 2.0),
}


@pytest.mark.parametrize("call", WEAK.values(), ids=WEAK)
def test_float32_stays_float32_with_python_numbers(call):
    results = call()
    for result in results if isinstance(results, tuple) else (results,):
        assert result.dtype == np.float32
