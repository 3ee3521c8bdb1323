"""jvp: values and tangents together, and what it refuses."""

from collections import namedtuple

import numpy as np
import pytest

import gradarg as ga

X = np.array([0.5, -1.25, 2.0])
V = np.array([1.0, -2.0, 0.25])
Pair = namedtuple("Pair", "a b")


def test_values_and_tangents():
    out, tangent = ga.jvp(lambda x, y: np.sin(x) * y, (X, 3.0), (V, 10.0))
    np.testing.assert_allclose(out, np.sin(X) * 3)
    np.testing.assert_allclose(tangent, np.cos(X) * 3 * V + np.sin(X) * 10)
    assert ga.jvp(lambda x: x**3, [2.0], [0.5]) == (8.0, 6.0)


def test_trees_in_and_out():
    out, tangent = ga.jvp(
        lambda p, q: {"s": p["a"] * q.b, "t": [p["n"], q]},
        ({"a": X, "n": None}, Pair(2.0, 3.0)),
        ({"n": None, "a": V}, Pair(5.0, 7.0)),
    )
    np.testing.assert_allclose(out["s"], 3 * X)
    np.testing.assert_allclose(tangent["s"], 3 * V + 7 * X)
    assert out["t"] == [None, Pair(2.0, 3.0)] and tangent["t"] == [None, Pair(5.0, 7.0)]


def test_outputs_that_do_not_vary_have_zero_tangents():
    out, tangent = ga.jvp(
        lambda x: (3.0, X, x, ga.stop_gradient(x), np.floor(x), np.sum(X)), (X,), (V,)
    )
    for o, t in zip(out, tangent, strict=True):
        assert np.shape(o) == np.shape(t)
    assert tangent[0] == 0.0 == tangent[5]
    np.testing.assert_array_equal(tangent[2], V)
    for k in (1, 3, 4):
        np.testing.assert_array_equal(tangent[k], np.zeros(3))


def test_integer_outputs_have_zero_tangents():
    (out, where), (tangent, none) = ga.jvp(lambda x: (2 * x, np.argmax(x)), (X,), (V,))
    assert where == 2 and none == 0 and np.shape(none) == ()
    np.testing.assert_array_equal(tangent, 2 * V)
    np.testing.assert_array_equal(out, 2 * X)


def test_a_value_joined_with_constants():
    _, tangent = ga.jvp(lambda x: np.concatenate([X, x, np.zeros(2)]), (X,), (V,))
    np.testing.assert_array_equal(tangent, [0, 0, 0, *V, 0, 0])
    _, tangent = ga.jvp(lambda x: np.where([True, False, True], x, X), (X,), (V,))
    np.testing.assert_array_equal(tangent, [V[0], 0, V[2]])
    _, tangent = ga.jvp(lambda x: np.einsum("i,j->ij", x, X), (X,), (V,))
    np.testing.assert_array_equal(tangent, np.outer(V, X))


def test_tangents_are_cast_to_the_dtype_of_their_primal():
    x = X.astype(np.float32)
    for v in (V, [1, 2, 3], np.ones(3, bool)):
        out, tangent = ga.jvp(np.sin, (x,), (np.asarray(v),))
        assert out.dtype == tangent.dtype == np.float32
    out, tangent = ga.jvp(lambda x: x * X, (x,), (V,))
    assert out.dtype == tangent.dtype == np.float64


def test_a_broadcast_value_has_a_broadcast_tangent():
    out, tangent = ga.jvp(lambda s: s + X, (2.0,), (3.0,))
    np.testing.assert_array_equal(tangent, [3.0, 3.0, 3.0])
    out, tangent = ga.jvp(lambda s: np.maximum(s, np.zeros((2, 3))), (X,), (V,))
    assert out.shape == tangent.shape == (2, 3)
    tangent += 1  # its own array, all of it


def test_aux():
    out, tangent, aux = ga.jvp(lambda x: (x**2, {"x": x, "k": "v"}), (3.0,), (1.0,), has_aux=True)
    assert (out, tangent, aux) == (9.0, 6.0, {"x": 3.0, "k": "v"})
    with pytest.raises(TypeError, match=r"has_aux=True.*pair"):
        ga.jvp(lambda x: x, (3.0,), (1.0,), has_aux=True)


def test_complex_functions():
    z, v = 1.5 - 0.5j, 0.25 + 2j
    assert ga.jvp(lambda z: z**3, (z,), (v,))[1] == pytest.approx(3 * z * z * v)
    assert ga.jvp(lambda z: np.abs(z) ** 2, (z,), (v,))[1] == pytest.approx(
        2 * (np.conj(z) * v).real
    )
    assert ga.jvp(np.conj, (z,), (v,))[1] == np.conj(v)
    assert ga.jvp(lambda x: x * z, (2.0,), (3.0,))[1] == 3 * z


@pytest.mark.parametrize(
    ("primals", "tangents"),
    [
        ((X,), ([X, X],)),
        ((X,), (V, V)),
        ((X, X), (V,)),
        (({"a": X},), ({"b": V},)),
        (({"a": X},), ({"a": None},)),
        (({"a": X},), ([V],)),
        ((X,), (None,)),
    ],
)
def test_tangents_in_the_wrong_containers(primals, tangents):
    with pytest.raises(ga.TreeError, match=r"ga\.jvp.*tangent has the structure.*expected"):
        ga.jvp(lambda *args: 1.0, primals, tangents)


@pytest.mark.parametrize("tangent", [1.0, np.ones(2), np.ones((1, 3))])
def test_tangents_of_the_wrong_shape(tangent):
    with pytest.raises(ga.ShapeError, match=r"ga\.jvp\(sin\).*tangent.*\(3,\)"):
        ga.jvp(np.sin, (X,), (tangent,))


@pytest.mark.parametrize(("primals", "tangents"), [(X, V), (X, (V,)), ((X,), V), (2.0, 1.0)])
def test_arguments_come_as_tuples(primals, tangents):
    with pytest.raises(TypeError, match=r"tuples.*ga\.jvp\(f, \(x, y\), \(dx, dy\)\)"):
        ga.jvp(np.sin, primals, tangents)


@pytest.mark.parametrize("primal", [1, True, np.arange(3), np.ones(2, bool)])
def test_integers_carry_no_tangent(primal):
    with pytest.raises(ga.DerivativeError, match=r"ga\.jvp\(sin\).*carry no derivative.*floats"):
        ga.jvp(np.sin, (primal,), (primal,))
