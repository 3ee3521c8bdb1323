"""Values that outlive their transform, and decisions on values that are not known."""

import functools

import numpy as np
import pytest

import gradarg as ga

X = np.array([0.5, 1.25, 2.0])


def leak(transform):
    """A value that the transformed function leaves behind, and one computed from it."""
    kept = []

    def f(x):
        kept.extend([x, x * 2])
        return np.sum(x * x)

    transform(f)
    return kept[0], kept[1]


TRANSFORMS = {
    "ga.grad": lambda f: ga.grad(f)(X),
    "ga.value_and_grad": lambda f: ga.value_and_grad(f)(X),
    "ga.vjp": lambda f: ga.vjp(f, X),
    "ga.jvp": lambda f: ga.jvp(f, (X,), (X,)),
    "ga.vmap": lambda f: ga.vmap(f)(np.stack([X, X])),
    "ga.stage": lambda f: ga.stage(f, X),
    "ga.jacobian": lambda f: ga.jacobian(f, mode="reverse")(X),
    "ga.hessian": lambda f: ga.hessian(f)(X),
    "ga.hvp": lambda f: ga.hvp(f)(X, X),
}
every = pytest.mark.parametrize("name", TRANSFORMS)
USES = {
    "x + 1": lambda x: x + 1,
    "1 * x": lambda x: 1 * x,
    "x @ x": lambda x: x @ x,
    "np.sin": np.sin,
    "np.sum": np.sum,
    "x[0]": lambda x: x[0],
    "np.concatenate": lambda x: np.concatenate([x, X]),
    "with a tensor": lambda x: ga.Tensor(X, requires_grad=True) * x,
    "in grad": lambda x: ga.grad(lambda y: np.sum(y * x))(X),
    "in jvp": lambda x: ga.jvp(lambda y: y * x, (X,), (X,)),
    "in vmap": lambda x: ga.vmap(lambda y: y * x)(X),
    "in stage": lambda x: ga.stage(lambda y: y * x, X)(X),
    "in checkpoint": lambda x: ga.checkpoint(lambda y: y * x)(X),
    "argument of grad": lambda x: ga.grad(np.sum)(x),
    "argument of vmap": lambda x: ga.vmap(np.sin)(x),
    "argument of jvp": lambda x: ga.jvp(np.sin, (x,), (x,)),
}


@every
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_using_a_leaked_value(name, use):
    for value in leak(TRANSFORMS[name]):
        with pytest.raises(ga.LeakedValueError) as caught:
            use(value)
        message = str(caught.value)
        assert "has ended" in message and "has_aux=True" in message
        # which transform of which function, and where that is
        assert "ga." in message and "leak.<locals>.f" in message and "test_leaks.py" in message


@every
def test_the_message_has_the_name_that_was_called(name):
    called = name if name not in ("ga.hessian", "ga.hvp") else rf"({name}|ga\.grad)"
    with pytest.raises(ga.LeakedValueError, match=rf"{called}\("):
        leak(TRANSFORMS[name])[1] + 1


RETURNS = {
    "grad": lambda x: ga.grad(lambda y: x[0])(2.0),
    "value_and_grad": lambda x: ga.value_and_grad(lambda y: x[0])(2.0),
    "vjp": lambda x: ga.vjp(lambda y: x, 2.0),
    "jvp": lambda x: ga.jvp(lambda y: x, (2.0,), (1.0,)),
    "vmap": lambda x: ga.vmap(lambda y: x)(X),
    "stage": lambda x: ga.stage(lambda y: x, X)(X),
    "jacobian": lambda x: ga.jacobian(lambda y: x)(X),
    "identity": lambda x: ga.jvp(lambda y: y, (x,), (X,)),
}


@every
@pytest.mark.parametrize("use", RETURNS.values(), ids=RETURNS)
def test_returning_a_leaked_value_through_another_transform(name, use):
    with pytest.raises(ga.LeakedValueError, match="has ended"):
        use(leak(TRANSFORMS[name])[0])


def test_leaks_by_a_default_argument_a_cache_and_aux():
    def f(x, seen=[]):  # noqa: B006
        seen.append(x)
        return seen[0] * x

    assert ga.grad(f)(3.0) == 6.0
    with pytest.raises(ga.LeakedValueError):
        ga.grad(f)(3.0)

    @functools.cache
    def cached(k):
        return box[0] * k

    box = []

    def g(x):
        box[:] = [x]
        return cached(2.0)

    assert ga.grad(g)(3.0) == 2.0
    with pytest.raises(ga.LeakedValueError):
        np.asarray(ga.grad(g)(3.0) + 1)

    class Holder:
        def __init__(self, x):
            self.x = x

    _, aux = ga.grad(lambda x: (x * x, Holder(x)), has_aux=True)(3.0)  # no tree: not looked into
    with pytest.raises(ga.LeakedValueError, match="has_aux=True"):
        aux.x + 1


def test_a_pullback_that_leaks():
    kept = []

    def f(x):
        out, pullback = ga.vjp(lambda y: x * y, 2.0)
        kept.append(pullback)
        return out

    assert ga.grad(f)(3.0) == 2.0
    with pytest.raises(ga.LeakedValueError, match=r"ga\.grad"):
        kept[0](1.0)


def test_stop_gradient_takes_a_value_out():
    kept = []
    ga.grad(lambda x: kept.append(ga.stop_gradient(x)) or np.sum(x))(X)
    np.testing.assert_array_equal(kept[0] + 1, X + 1)


def test_a_leaked_value_shows_where_it_is_from():
    for name in TRANSFORMS:
        assert "leak.<locals>.f" in repr(leak(TRANSFORMS[name])[1])


# ---- decisions


def in_vmap(f):
    return ga.vmap(f)(X)


def in_stage(f):
    return ga.stage(f, 0.5)


def in_vmap_of_grad(f):
    return ga.vmap(ga.grad(f))(X)


def in_stage_of_grad(f):
    return ga.stage(ga.grad(f), 0.5)


def in_jvp_of_vmap(f):
    return ga.jvp(ga.vmap(f), (X,), (X,))


def in_checkpoint(f):
    return ga.vmap(ga.checkpoint(f))(X)


def in_hessian(f):
    return ga.stage(ga.hessian(f), 0.5)


def loop(x):
    while x < 10:
        x = x * 2
    return x


DECISIONS = {
    "if": lambda x: x if x > 1 else 0.0,
    "if itself": lambda x: x if x else 0.0,
    "while": loop,
    "and": lambda x: x > 0 and x,
    "or": lambda x: x > 1 or x,
    "not": lambda x: x * (not x > 1),
    "bool": lambda x: x * bool(x > 1),
    "chained": lambda x: x if 0 < x < 1 else 0.0,
    "max": lambda x: max(x, 1.0),
    "sorted": lambda x: sorted([x, 1.0])[0],
    "in": lambda x: x if x in (1.0, 2.0) else 0.0,
    "any": lambda x: x if any([x > 1]) else 0.0,
    "comprehension": lambda x: next(x for _ in [0] if x > 0),
}
UNKNOWN = [
    in_vmap,
    in_stage,
    in_vmap_of_grad,
    in_stage_of_grad,
    in_jvp_of_vmap,
    in_checkpoint,
    in_hessian,
]


@pytest.mark.parametrize("where", UNKNOWN)
@pytest.mark.parametrize("decide", DECISIONS.values(), ids=DECISIONS)
def test_deciding_on_a_value_that_is_not_known(where, decide):
    with pytest.raises(ga.ConcreteValueError, match=r"(?s)truth.*not known") as caught:
        where(decide)
    message = str(caught.value)
    assert "ga.where(c, x, y)" in message
    assert (
        "ga.stage" in message
        if "stage" in where.__name__ or where is in_hessian
        else "ga.vmap" in message
    )
    assert "test_leaks.py" in message or "loop" in message


@pytest.mark.parametrize("decide", DECISIONS.values(), ids=DECISIONS)
def test_deciding_on_a_value_that_is_known(decide):
    t = ga.Tensor(0.5, requires_grad=True)
    for call in (
        lambda: ga.grad(lambda x: decide(x) * 1.0)(0.5),
        lambda: ga.jvp(decide, (0.5,), (1.0,)),
        lambda: ga.hessian(lambda x: decide(x) * 1.0)(0.5),
        lambda: ga.grad(ga.checkpoint(lambda x: decide(x) * 1.0))(0.5),
        lambda: decide(t),
    ):
        call()
    assert ga.grad(loop)(0.75) == 16.0


def test_python_ints_bools_and_shapes_are_always_known():
    def f(x):
        y = x * 0
        for k in range(x.shape[0]):
            y = y + x * k if k % 2 and x.ndim == 1 and len(x) > 2 else y
        return y

    np.testing.assert_array_equal(ga.vmap(f)(np.stack([X, X])), np.stack([X, X]))
    np.testing.assert_array_equal(ga.stage(f, X)(X), X)


# ---- boolean masks

MASKS = {
    "x[x > 1]": lambda x: np.sum(x[x > 1]),
    "X[x > 1] of an array": lambda x: np.sum(np.ones(3)[x > 1]),
    "x[..., mask]": lambda x: np.sum(x[..., x > 1]),
    "set": lambda x: np.sum(x.at[x > 1].set(np.ones(1))),
    "multiply": lambda x: np.sum(x.at[..., x > 1].multiply(2.0)),
}


@pytest.mark.parametrize("index", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize(
    "where",
    [
        lambda f: ga.vmap(f)(np.stack([X, X])),
        lambda f: ga.stage(f, X),
        lambda f: ga.vmap(ga.grad(f))(np.stack([X, X])),
        lambda f: ga.stage(ga.grad(f), X),
    ],
    ids=["vmap", "stage", "vmap of grad", "stage of grad"],
)
def test_masks_that_are_not_known(where, index):
    with pytest.raises(ga.ConcreteValueError, match=r"ga\.(vmap|stage)") as caught:
        where(index)
    message = str(caught.value)
    assert "np.where" in message or "array" in message


def test_masks_that_are_known():
    mask = X > 1

    def fixed(x):
        return np.sum(x[mask] ** 2)

    for f in (fixed, lambda x: np.sum(x[x > 1] ** 2)):
        np.testing.assert_array_equal(ga.grad(f)(X), 2 * X * mask)
        np.testing.assert_array_equal(ga.jvp(f, (X,), (X,))[1], np.sum(2 * X[mask] ** 2))
        if f is fixed:
            np.testing.assert_array_equal(ga.vmap(ga.grad(f))(X[None])[0], 2 * X * mask)
            np.testing.assert_array_equal(ga.stage(ga.grad(f), X)(X), 2 * X * mask)
