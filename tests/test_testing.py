"""check_grads: it passes right derivatives and stops at wrong ones, whatever the mode and order."""

from collections import namedtuple

import numpy as np
import pytest

import gradarg as ga
from gradarg.testing import check_grads

X = np.array([0.3, 1.2, -0.7])
Y = np.array([[0.5, -0.25, 1.5], [2.0, 0.75, -1.0]])
Pair = namedtuple("Pair", "a b")

RIGHT = {
    "a number": (lambda x: x**3, (0.7,)),
    "vectors": (lambda x, y: np.sin(x) * y, (X, Y)),
    "trees": (
        lambda p: {"o": p["w"] @ p["q"].a, "b": p["q"].b ** 2},
        ({"w": Y, "q": Pair(X, 2.0)},),
    ),
    "several outputs": (lambda x: (np.exp(x), [x * x[0], np.sum(x)]), (X,)),
    "linear": (lambda x: 3 * x, (X,)),
    "constant": (lambda x: 5.0, (X,)),
    "complex": (lambda z: z**2 * np.conj(z), (X + 1j * X[::-1],)),
    "complex to real": (lambda z: np.abs(z) ** 2, (X + 0.5j,)),
    "list of arguments": (lambda x, y: x / y, [X, 2.0]),
}


@pytest.mark.parametrize(("f", "args"), RIGHT.values(), ids=RIGHT)
@pytest.mark.parametrize("order", [1, 2, 3])
def test_right_derivatives_pass(f, args, order):
    check_grads(f, args, order=order, rtol=1e-5, atol=1e-5)


def wrong_vjp(factor):
    f = ga.custom_vjp(lambda x: np.sin(x))
    f.defvjp(lambda x: (np.sin(x), x), lambda x, g: (factor * g * np.cos(x),))
    return f


def wrong_jvp(factor):
    f = ga.custom_jvp(lambda x: np.sin(x))
    f.defjvp(lambda p, t: (np.sin(p[0]), factor * np.cos(p[0]) * t[0]))
    return f


def wrong_second(mode):
    """The first derivative is right, that of the derivative is not."""
    d = wrong_vjp(1.5) if mode == "reverse" else wrong_jvp(1.5)
    if mode == "reverse":
        f = ga.custom_vjp(lambda x: -np.cos(x))
        f.defvjp(lambda x: (-np.cos(x), x), lambda x, g: (g * d(x),))
    else:
        f = ga.custom_jvp(lambda x: -np.cos(x))
        f.defjvp(lambda p, t: (-np.cos(p[0]), t[0] * d(p[0])))
    return f


@pytest.mark.parametrize("make", [wrong_vjp, wrong_jvp])
@pytest.mark.parametrize("modes", [["forward"], ["reverse"], ("forward", "reverse")])
@pytest.mark.parametrize("factor", [1 + 1e-4, -1.0, 0.0, 2.0])
def test_wrong_derivatives_are_caught(make, modes, factor):
    check_grads(make(1.0), (X,), modes=modes)
    with pytest.raises(AssertionError, match=r"JVP|VJP"):
        check_grads(make(factor), (X,), modes=modes)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_wrong_second_derivatives_are_caught_at_second_order(mode):
    f = wrong_second(mode)
    check_grads(f, (X,), order=1, modes=[mode])
    with pytest.raises(AssertionError):
        check_grads(f, (X,), order=2, modes=[mode])


def test_a_derivative_wrong_in_one_element_or_one_argument_is_caught():
    f = ga.custom_vjp(lambda x, y: x * y)
    f.defvjp(lambda x, y: (x * y, (x, y)), lambda r, g: (g * r[1], g * r[0] * [1, 1.001, 1]))
    for args in ((X, X + 2), (X, X - 1)):
        with pytest.raises(AssertionError):
            check_grads(f, args, order=1)


def test_a_stopped_gradient_is_caught():
    with pytest.raises(AssertionError):
        check_grads(lambda x: x * ga.stop_gradient(x), (X,))


def test_a_kink_is_caught():
    with pytest.raises(AssertionError):  # 0 by convention, 1/2 by differences
        check_grads(ga.relu, (np.array([0.5, 0.0]),), order=1)


def test_the_message_says_which_mode_and_shows_both_values():
    with pytest.raises(AssertionError, match=r"(?s)JVP.*(ACTUAL|x:).*(DESIRED|y:)"):
        check_grads(wrong_jvp(2.0), (X,), order=1, modes=["forward"])
    with pytest.raises(AssertionError, match=r"(?s)VJP.*(ACTUAL|x:).*(DESIRED|y:)"):
        check_grads(wrong_vjp(2.0), (X,), order=1, modes=["reverse"])


def test_unknown_modes_and_integer_arguments():
    with pytest.raises(ValueError, match=r"'forward' and 'reverse'.*'backward'"):
        check_grads(np.sin, (X,), modes=["backward"])
    for x in (3, np.arange(3), True):
        with pytest.raises(TypeError, match=r"floats"):
            check_grads(lambda x: x * 1.0, (x,))


def test_no_modes_check_nothing_and_are_refused():
    with pytest.raises(ValueError, match="modes"):
        check_grads(wrong_vjp(2.0), (X,), modes=[])


def test_arguments_are_left_alone():
    x = X.copy()
    check_grads(lambda p: p["x"] ** 2, ({"x": x},))
    np.testing.assert_array_equal(x, X)


def test_directions_are_random_but_repeatable():
    seen = []

    def f(x):
        if type(x) is np.ndarray:
            seen.append(x)
        return x**2

    check_grads(f, (X,), order=1, seed=1)
    first = np.array(seen)
    seen.clear()
    check_grads(f, (X,), order=1, seed=1)
    np.testing.assert_array_equal(first, np.array(seen))
    seen.clear()
    check_grads(f, (X,), order=1, seed=2)
    assert not np.allclose(first, np.array(seen))
