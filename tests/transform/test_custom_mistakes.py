"""Custom rules that are missing, malformed or not linear, and functions that close over values."""

import numpy as np
import pytest

import gradarg as ga

X = np.array([0.5, -1.25, 2.0])


def double(x):
    return x * 2


def by_vjp(backward, forward=lambda x: (x * 2, x), f=double):
    made = ga.custom_vjp(f)
    made.defvjp(forward, backward)
    return made


def by_jvp(rule, f=double):
    made = ga.custom_jvp(f)
    made.defjvp(rule)
    return made


def test_without_a_rule():
    with pytest.raises(ga.DerivativeError, match=r"double.*without a rule.*\.defvjp\(forward"):
        ga.grad(ga.custom_vjp(double))(2.0)
    with pytest.raises(ga.DerivativeError, match=r"double.*without a rule.*\.defjvp\(rule\)"):
        ga.custom_jvp(double)(2.0)


WRONG_TUPLES = {
    "too many": lambda r, g: (g, g),
    "none": lambda r, g: (),
    "no tuple": lambda r, g: g,
    "a list": lambda r, g: [g],
    "nothing": lambda r, g: None,
}


@pytest.mark.parametrize("backward", WRONG_TUPLES.values(), ids=WRONG_TUPLES)
def test_a_backward_rule_returns_one_cotangent_for_each_argument(backward):
    with pytest.raises(ga.TreeError, match=r"backward rule of double.*tuple of 1 cotangent"):
        ga.grad(by_vjp(backward))(2.0)


WRONG_SHAPES = {
    "vector for a number": (2.0, lambda r, g: (np.ones(5),)),
    "too few": (X, lambda r, g: (np.ones(2),)),
    "number for a vector": (X, lambda r, g: (np.float64(1),)),
    "an axis too many": (X, lambda r, g: (np.ones((2, 3)),)),
    "not summed": (np.ones(1), lambda r, g: (np.ones(3),)),
    "transposed": (np.ones((2, 3)), lambda r, g: (g.T,)),
}


@pytest.mark.parametrize(("x", "backward"), WRONG_SHAPES.values(), ids=WRONG_SHAPES)
def test_a_cotangent_has_the_shape_of_its_argument(x, backward):
    """Summing or broadcasting it into shape would hide a mistake."""
    f = by_vjp(backward)
    for call in (
        lambda: ga.grad(lambda x: np.sum(f(x)))(x),
        lambda: ga.vmap(ga.grad(lambda x: np.sum(f(x))))(np.stack([x, x])),
        lambda: np.sum(f(ga.Tensor(x, requires_grad=True))).backward(),
    ):
        with pytest.raises(ga.ShapeError, match="double"):
            call()


@pytest.mark.parametrize("number", [7, 7.0, np.float32(7), np.int64(7), np.array(7.0)])
def test_a_cotangent_may_be_any_number(number):
    f = by_vjp(lambda r, g: (number,))
    assert ga.grad(f)(2.0) == 7.0 and ga.grad(f)(2.0).dtype == np.float64
    np.testing.assert_array_equal(ga.vmap(ga.grad(f))(X), [7.0] * 3)


@pytest.mark.parametrize("wrong", ["text", object(), np.array(["a"])])
def test_a_cotangent_is_a_number(wrong):
    with pytest.raises(ga.DerivativeError, match="double"):
        ga.grad(by_vjp(lambda r, g: (wrong,)))(2.0)


def test_a_cotangent_has_the_structure_of_its_argument():
    f = by_vjp(lambda r, g: ({"b": g},), lambda p: (p["a"] * 2, None), lambda p: p["a"] * 2)
    with pytest.raises(ga.TreeError, match=r"backward rule.*\{'b': \*\}.*\{'a': \*\}"):
        ga.grad(f)({"a": 2.0})


def test_a_cotangent_of_none_is_zero():
    assert ga.grad(by_vjp(lambda r, g: (None,)))(2.0) == 0.0


@pytest.mark.parametrize("forward", [lambda x: x * 2, lambda x: (x, x, x), lambda x: [x, x]])
def test_a_forward_rule_returns_out_and_residuals(forward):
    with pytest.raises(TypeError, match=r"forward rule of double.*\(out, residuals\)"):
        ga.grad(by_vjp(lambda r, g: (g,), forward))(2.0)


@pytest.mark.parametrize(
    "rule", [lambda p, t: t[0], lambda p, t: (1.0, 2.0, 3.0), lambda p, t: None]
)
def test_a_jvp_rule_returns_out_and_tangent(rule):
    for call in (lambda f: ga.grad(f)(2.0), lambda f: ga.jvp(f, (2.0,), (1.0,))):
        with pytest.raises(TypeError, match=r"rule of double.*\(out, tangent_out\)"):
            call(by_jvp(rule))


@pytest.mark.parametrize("tangent", [np.ones(2), np.float64(1), np.ones((1, 3)), np.ones((2, 3))])
def test_a_tangent_has_the_shape_of_the_output(tangent):
    f = by_jvp(lambda p, t: (p[0] * 2, tangent))
    with pytest.raises(ga.ShapeError, match="double"):
        ga.jvp(f, (X,), (X,))


def test_a_tangent_may_be_any_number():
    f = by_jvp(lambda p, t: (p[0] * 2, 7.0))
    assert ga.jvp(f, (2.0,), (1.0,)) == (4.0, 7.0)


def test_a_tangent_has_the_structure_of_the_output():
    for wrong in ((1.0,), None, [1.0]):
        with pytest.raises(ga.TreeError, match=r"tangent.*expected"):
            ga.jvp(by_jvp(lambda p, t: (p[0] * 2, wrong)), (2.0,), (1.0,))  # noqa: B023


# ---- the other mode transposes a rule, which must be linear for it


@pytest.mark.parametrize(
    "backward",
    [lambda x, g: (g + 1.0,), lambda x, g: (7.0 * x,), lambda x, g: (g * g * x,)],
    ids=["affine", "constant", "quadratic"],
)
def test_a_vjp_rule_that_is_not_linear_has_no_jvp(backward):
    assert ga.grad(by_vjp(backward))(2.0) in (2.0, 14.0)
    with pytest.raises(ga.DerivativeError, match=r"double.*linear|linear.*double"):
        ga.jvp(by_vjp(backward), (2.0,), (1.0,))


@pytest.mark.parametrize(
    "rule",
    [
        lambda p, t: (p[0] * 2, t[0] + 1.0),
        lambda p, t: (p[0] * 2, 7.0 * p[0]),
        lambda p, t: (p[0] * 2, t[0] * t[0] * p[0]),
    ],
    ids=["affine", "constant", "quadratic"],
)
def test_a_jvp_rule_that_is_not_linear_has_no_vjp(rule):
    assert ga.jvp(by_jvp(rule), (2.0,), (1.0,))[1] in (2.0, 14.0)
    with pytest.raises(ga.DerivativeError, match=r"double.*linear|linear.*double"):
        ga.grad(by_jvp(rule))(2.0)


# ---- what a checkpoint or a custom function closes over has no derivative there


def checkpoint_of(w):
    return ga.checkpoint(lambda x: x * w)


def custom_vjp_of(w):
    return by_vjp(lambda _, g: (g * w,), lambda x: (x * w, None), lambda x: x * w)


def custom_jvp_of(w):
    return by_jvp(lambda p, t: (p[0] * w, t[0] * w), lambda x: x * w)


makers = pytest.mark.parametrize("make", [checkpoint_of, custom_vjp_of, custom_jvp_of])
MESSAGE = r"(?s)value of .* that it was not passed.*Pass the value as an argument"


@makers
@pytest.mark.parametrize(
    "transform",
    [
        lambda f: ga.grad(f)(3.0),
        lambda f: ga.jvp(f, (3.0,), (1.0,)),
        lambda f: ga.vjp(f, 3.0),
        lambda f: ga.hessian(f)(3.0),
        lambda f: ga.vmap(f)(X),
        lambda f: ga.vmap(ga.grad(f))(X),
        lambda f: ga.grad(lambda x: np.sum(ga.vmap(f)(x)))(X),
        lambda f: ga.stage(f, 3.0),
        lambda f: ga.stage(ga.grad(f), 3.0),
        lambda f: f(ga.Tensor(3.0, requires_grad=True)),
    ],
    ids=[
        "grad",
        "jvp",
        "vjp",
        "hessian",
        "vmap",
        "vmap grad",
        "grad vmap",
        "stage",
        "stage grad",
        "eager",
    ],
)
def test_a_value_of_the_same_transform_is_refused(make, transform):
    with pytest.raises(ga.DerivativeError, match=MESSAGE):
        transform(lambda w: make(w)(w))


@makers
def test_a_value_of_an_outer_transform_is_a_constant_inside_and_varies_outside(make):
    assert ga.grad(lambda u: ga.grad(lambda w: make(u)(w * w))(3.0))(2.0) == 6.0
    assert ga.grad(lambda u: ga.jvp(lambda w: make(u)(w * w), (3.0,), (1.0,))[1])(2.0) == 6.0
    np.testing.assert_array_equal(ga.vmap(lambda u: ga.grad(lambda w: make(u)(w))(3.0))(X), X)
    assert ga.grad(lambda w: np.sum(ga.vmap(lambda u: make(w)(u))(X)))(3.0) == np.sum(X)
    t = ga.Tensor(5.0, requires_grad=True)
    ga.grad(lambda w: make(t)(w * w))(3.0).backward()
    assert t.grad.item() == 6.0


@makers
def test_a_constant_argument_leaves_the_closure_in_the_graph(make):
    assert ga.grad(lambda w: make(w)(2.0))(3.0) == 2.0
    assert ga.jvp(lambda w: make(w)(2.0), (3.0,), (1.0,)) == (6.0, 2.0)
    t = ga.Tensor(3.0, requires_grad=True)
    make(t)(2.0).backward()
    assert t.grad.item() == 2.0


@makers
@pytest.mark.parametrize("wrong", ["text", object(), {1, 2}, np.array([None])])
def test_results_that_are_no_numbers(make, wrong):
    f = {
        checkpoint_of: ga.checkpoint(lambda x: wrong),
        custom_vjp_of: by_vjp(lambda r, g: (g,), lambda x: (wrong, x), lambda x: wrong),
        custom_jvp_of: by_jvp(lambda p, t: (wrong, wrong), lambda x: wrong),
    }[make]
    with pytest.raises(ga.DerivativeError, match=r"neither a number|dtype"):
        ga.grad(f)(2.0)
