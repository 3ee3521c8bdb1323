"""grad, value_and_grad and vjp: arguments, trees, results, and what they refuse."""

import dataclasses
import functools
import inspect
from collections import namedtuple
from typing import Any

import numpy as np
import pytest

import gradarg as ga

X = np.array([0.5, -1.25, 2.0])
Pair = namedtuple("Pair", "a b")


@dataclasses.dataclass
class Mutable:
    a: Any
    b: Any = None


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    a: Any
    b: Any = None


def product(x, y, z):
    return x * y**2 * z**3


# ---- which arguments


@pytest.mark.parametrize(
    ("argnums", "expected"),
    [
        (0, 9 * 125.0),
        (1, 2 * 2 * 3 * 125.0),
        (-1, 2 * 9 * 75.0),
        (-3, 9 * 125.0),
        ((0,), (1125.0,)),
        ((2, 0), (1350.0, 1125.0)),
        ((0, -1), (1125.0, 1350.0)),
        ([0, 1], (1125.0, 1500.0)),
        (range(3), (1125.0, 1500.0, 1350.0)),
        ((), ()),
        (np.int64(1), 1500.0),
    ],
    ids=repr,
)
def test_argnums(argnums, expected):
    assert ga.grad(product, argnums)(2.0, 3.0, 5.0) == expected
    assert ga.value_and_grad(product, argnums)(2.0, 3.0, 5.0) == (2250.0, expected)


@pytest.mark.parametrize("argnums", [3, -4, (0, 3)])
def test_argnums_out_of_reach(argnums):
    with pytest.raises(TypeError, match=r"argnums=.*3 positional arguments"):
        ga.grad(product, argnums)(2.0, 3.0, 5.0)


def test_argnums_of_keywords_and_of_nothing():
    for call in (lambda: ga.grad(lambda x: x)(x=2.0), lambda: ga.grad(lambda: 1.0)()):
        with pytest.raises(TypeError, match="0 positional arguments"):
            call()


@pytest.mark.parametrize("argnums", [(0, 0), (1, -2), (0, 1, -3)])
@pytest.mark.parametrize("transform", [ga.grad, ga.value_and_grad, ga.jacobian, ga.hessian])
def test_an_argument_named_twice_is_refused(transform, argnums):
    """Each name would get only a part of the derivative."""
    with pytest.raises((TypeError, ValueError), match=r"twice|argnums"):
        transform(product, argnums)(2.0, 3.0, 5.0)


@pytest.mark.parametrize("argnums", ["x", 0.0, (0.0,), ("x",)])
def test_argnums_that_are_no_integers(argnums):
    with pytest.raises((TypeError, ValueError), match="argnums"):
        ga.grad(product, argnums)(2.0, 3.0, 5.0)


def test_keyword_arguments_defaults_and_extra_arguments_pass_through():
    def f(x, k=2.0, *rest, scale, **more):
        return k * x * scale + sum(rest) * x + more.get("shift", 0)

    assert ga.grad(f)(3.0, scale=10.0) == 20.0
    assert ga.grad(f)(3.0, 4.0, 5.0, 6.0, scale=10.0, shift=7.0) == 51.0
    assert ga.grad(f, 2)(3.0, 4.0, 5.0, 6.0, scale=10.0) == 3.0
    w = ga.Tensor(10.0, requires_grad=True)
    ga.grad(f)(3.0, scale=w).backward()
    assert w.grad.item() == 2.0


def test_any_callable_keeps_its_name_and_signature():
    class Model:
        def __call__(self, x):
            """A square."""
            return x * x

        def cube(self, x):
            return x**3

    def named(a, b=2):
        """Adds nothing."""
        return a * b

    assert ga.grad(Model())(3.0) == 6.0 and ga.grad(Model().cube)(3.0) == 27.0
    assert ga.grad(functools.partial(lambda k, x: k * x, 4.0))(3.0) == 4.0
    assert ga.grad(np.sin)(0.0) == 1.0
    assert ga.grad(named).__name__ == "grad(named)" and "Adds nothing" in ga.grad(named).__doc__
    assert str(inspect.signature(ga.grad(named))) == "(a, b=2)"
    for transform in (ga.vmap, ga.jacobian, ga.hessian, ga.hvp, ga.value_and_grad, ga.checkpoint):
        assert "named" in transform(named).__name__
    with pytest.raises(TypeError):
        ga.grad(3.0)(2.0)


# ---- trees


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ([3.0, 5.0], [30.0, 9.0]),
        ((3.0, 5.0), (30.0, 9.0)),
        (Pair(3.0, 5.0), Pair(30.0, 9.0)),
        (Mutable(3.0, 5.0), Mutable(30.0, 9.0)),
        (Frozen(3.0, 5.0), Frozen(30.0, 9.0)),
        ({"b": 5.0, "a": 3.0}, {"a": 30.0, "b": 9.0}),
        ({"a": 3.0, "b": 5.0, "c": None, "d": []}, {"a": 30.0, "b": 9.0, "c": None, "d": []}),
    ],
    ids=lambda v: type(v).__name__,
)
def test_trees(params, expected):
    def f(p):
        a, b = (
            (p["a"], p["b"])
            if isinstance(p, dict)
            else p
            if isinstance(p, (list, tuple))
            else (p.a, p.b)
        )
        return a * a * b

    gradient = ga.grad(f)(params)
    assert gradient == expected and type(gradient) is type(params)
    assert ga.vjp(f, params)[1](1.0)[0] == expected
    assert ga.value_and_grad(f)(params) == (45.0, expected)
    assert type(ga.hvp(f)(params, params)) is type(params)


def test_deep_trees_keep_shapes_and_dtypes():
    params = {"layers": [(X, np.float32(2)), Frozen(np.ones((2, 3), np.float32), None)], "s": 1.5}

    def loss(p):
        (x, k), layer = p["layers"]
        return np.sum(layer.a @ (x * k)) * p["s"]

    gradient = ga.grad(loss)(params)
    (gx, gk), glayer = gradient["layers"]
    np.testing.assert_allclose(gx, 2 * 2 * 1.5 * np.ones(3))
    assert (gk.dtype, glayer.a.dtype, glayer.a.shape) == (np.float32, np.float32, (2, 3))
    np.testing.assert_allclose(gk, 2 * np.sum(X) * 1.5)
    np.testing.assert_allclose(gradient["s"], np.sum(np.ones((2, 3)) @ X) * 2)
    assert glayer.b is None


def test_a_function_may_rearrange_its_containers():
    params = {"w": [1.0, 2.0], "b": 3.0}

    def f(p):
        p["w"][0] = p["w"][0] * p["b"]
        p["w"].append(p.pop("b"))
        return p["w"][0] * p["w"][1] * p["w"][2]  # w0 w1 b**2

    assert ga.grad(f)(params) == {"b": 12.0, "w": [18.0, 9.0]}
    assert params == {"w": [1.0, 2.0], "b": 3.0}


def test_generators_defaults_and_augmented_assignment():
    assert ga.grad(lambda x: sum(x * k for k in range(4)))(2.0) == 6.0
    assert ga.grad(lambda x: max(x * k for k in (1.0, 5.0, 3.0)))(2.0) == 5.0

    def total(x, seen=()):
        seen += (x,)
        x = x + 0.0
        x += seen[0]
        x *= 2
        return np.sum(x)

    np.testing.assert_array_equal(ga.grad(total)(X), [4, 4, 4])
    np.testing.assert_array_equal(ga.grad(total)(X), [4, 4, 4])


def test_constant_and_identity_functions():
    assert ga.grad(lambda x: 3.0)(2.0) == 0.0 and ga.grad(lambda x: x)(2.0) == 1.0
    for constant in (3, True, np.float64(2), np.array(2.0), np.int8(3)):
        gradient = ga.grad(lambda x: constant)(X)  # noqa: B023
        np.testing.assert_array_equal(gradient, np.zeros(3))
    assert ga.grad(lambda x: np.argmax(x))(X).tolist() == [0, 0, 0]
    assert ga.grad(lambda x, y: y * y, (0, 1))(2.0, 3.0) == (0.0, 6.0)
    out, pullback = ga.vjp(lambda x: (x, 3.0, X), 2.0)
    assert out[:2] == (2.0, 3.0) and pullback((5.0, 1.0, X)) == (5.0,)


def test_the_shapes_of_zero_d_arrays_and_empty_ones():
    for x in (2.0, np.float64(2), np.array(2.0)):
        gradient = ga.grad(lambda x: x**3)(x)
        assert gradient == 12.0 and np.shape(gradient) == () and gradient.dtype == np.float64
    assert ga.grad(np.sum)(np.ones((0, 3))).shape == (0, 3)
    assert ga.grad(lambda x: 1.0)({}) == {} and ga.grad(lambda x: 1.0)(None) is None


@pytest.mark.parametrize(
    "x",
    [
        X[::-1],
        np.asfortranarray(np.outer(X, X)),
        np.broadcast_to(2.0, (2, 3)),
        np.outer(X, X)[:, 1],
        np.outer(X, X).view(np.recarray),
    ],
    ids=["reversed", "fortran", "broadcast", "column", "subclass"],
)
def test_any_layout_of_memory(x):
    gradient = ga.grad(lambda x: np.sum(x**3))(x)
    np.testing.assert_allclose(gradient, 3 * np.asarray(x) ** 2)
    assert type(gradient) is np.ndarray


# ---- aux


def test_aux_comes_back_as_numbers_of_any_structure():
    def f(x):
        return x**3, {"twice": x * 2, "more": [x, "text", None, (np.float32(1), x * x)], "f": f}

    gradient, aux = ga.grad(f, has_aux=True)(2.0)
    assert gradient == 12.0
    assert aux == {"twice": 4.0, "more": [2.0, "text", None, (1.0, 4.0)], "f": f}
    (value, aux), gradient = ga.value_and_grad(f, has_aux=True)(2.0)
    assert (value, gradient, aux["twice"]) == (8.0, 12.0, 4.0)
    out, pullback, aux = ga.vjp(f, 2.0, has_aux=True)
    assert (out, pullback(10.0), aux["twice"]) == (8.0, (120.0,), 4.0)
    # under another transform aux carries that one's derivative
    assert ga.grad(lambda x: ga.grad(f, has_aux=True)(x)[1]["more"][3][1])(5.0) == 10.0


@pytest.mark.parametrize(
    "out", [lambda x: x, lambda x: (x, x, x), lambda x: [x, x], lambda x: None]
)
def test_aux_needs_a_pair(out):
    for call in (ga.grad(out, has_aux=True), lambda x: ga.vjp(out, x, has_aux=True)):
        with pytest.raises(TypeError, match=r"has_aux=True.*pair \(out, aux\)"):
            call(2.0)


# ---- vjp


def test_a_pullback_is_linear_and_can_be_called_again():
    out, pullback = ga.vjp(lambda p, y: {"s": p["a"] * y, "t": np.sum(p["a"])}, {"a": X}, 3.0)
    np.testing.assert_array_equal(out["s"], 3 * X)
    for k in (1.0, 2.0, 1.0):
        at_a, at_y = pullback({"t": 5 * k, "s": k * X})
        np.testing.assert_allclose(at_a["a"], k * (3 * X + 5))
        np.testing.assert_allclose(at_y, k * (X @ X))


@pytest.mark.parametrize("cotangent", [(1.0,), {"s": X}, [X, 1.0], None, {"s": X, "t": None}])
def test_cotangents_in_the_wrong_containers(cotangent):
    _, pullback = ga.vjp(lambda x: {"s": x, "t": np.sum(x)}, X)
    with pytest.raises(ga.TreeError, match=r"ga\.vjp.*cotangent has the structure.*expected"):
        pullback(cotangent)


@pytest.mark.parametrize("cotangent", [1.0, np.ones(2), np.ones((1, 3)), np.ones((3, 1))])
def test_cotangents_of_the_wrong_shape(cotangent):
    _, pullback = ga.vjp(np.sin, X)
    with pytest.raises(ga.ShapeError, match=r"ga\.vjp\(sin\).*cotangent.*\(3,\)"):
        pullback(cotangent)


@pytest.mark.parametrize("cotangent", ["text", np.array(["a"] * 3), np.array([None] * 3)])
def test_cotangents_that_are_no_numbers(cotangent):
    _, pullback = ga.vjp(np.sin, X)
    with pytest.raises(ga.DerivativeError, match="sin"):
        pullback(cotangent)


def test_complex_directions_do_not_fit_real_values():
    """The imaginary part would be dropped."""
    with pytest.raises(ga.DerivativeError, match="complex"):
        ga.vjp(np.sin, 2.0)[1](1j)
    with pytest.raises(ga.DerivativeError, match="complex"):
        ga.jvp(np.sin, (2.0,), (1j,))
    with pytest.raises(ga.DerivativeError, match="complex"):
        ga.hvp(np.sin)(2.0, 1j)


def test_cotangents_of_other_dtypes_are_cast():
    _, pullback = ga.vjp(np.sin, X.astype(np.float32))
    for cotangent in (np.ones(3, int), np.ones(3), np.ones(3, bool)):
        (g,) = pullback(cotangent)
        assert g.dtype == np.float32
        np.testing.assert_allclose(g, np.cos(X), rtol=1e-6)


def test_complex_arguments():
    z = 1.5 - 0.5j
    assert ga.grad(lambda z: np.abs(z) ** 2)(z) == pytest.approx(2 * z)
    assert ga.grad(lambda z: np.real(z * z))(z) == pytest.approx(np.conj(2 * z))
    assert ga.vjp(lambda z: z * z, z)[1](1j)[0] == pytest.approx(1j * np.conj(2 * z))
    gradient = ga.grad(lambda p: np.abs(p["z"] * p["r"]) ** 2)({"z": z, "r": 2.0})
    assert gradient["z"] == pytest.approx(8 * z) and gradient["r"] == pytest.approx(4 * abs(z) ** 2)
    assert gradient["r"].dtype == np.float64
