"""vmap against loops: axes, trees, what is used whole, and what it refuses."""

import numpy as np
import pytest

import gradarg as ga

X = np.array([0.5, -1.25, 2.0])
M = np.arange(6.0).reshape(2, 3) / 3 - 0.7
T = np.sin(np.arange(24.0)).reshape(2, 3, 4)


def loop(f, args, in_axes, out_axis=0):
    """What vmap computes, by calling f for each position."""
    count = next(a.shape[k] for a, k in zip(args, in_axes, strict=True) if k is not None)
    rows = [
        f(*(a if k is None else np.take(a, i, k) for a, k in zip(args, in_axes, strict=True)))
        for i in range(count)
    ]
    return np.stack(rows, out_axis)


# ---- axes


@pytest.mark.parametrize("axis", range(-3, 3))
@pytest.mark.parametrize("out_axis", range(-2, 2))
def test_any_axis_in_and_out(axis, out_axis):
    found = ga.vmap(lambda a: np.sum(a, 0) * 2, axis, out_axis)(T)
    np.testing.assert_allclose(found, loop(lambda a: np.sum(a, 0) * 2, [T], [axis], out_axis))


@pytest.mark.parametrize("axes", [(0, 1), (0, None), (None, 1), [0, 1], (-2, -1), (None, -1)])
def test_each_argument_has_its_axis(axes):
    def f(a, b):
        return a @ b if np.ndim(a) == np.ndim(b) == 1 else np.sum(a) * np.sum(b)

    args = (M, T[0, :, :2])
    np.testing.assert_allclose(ga.vmap(f, axes)(*args), loop(f, args, axes))


@pytest.mark.parametrize(
    ("a", "b", "axes"),
    [
        (M, T[0], (None, 1)),  # a matrix by vectors
        (T[0].T, M, (None, 0)),
        (T[1], M.T, (1, None)),  # vectors by a matrix
        (T, M.T, (2, None)),  # matrices by a matrix
        (T, T[0].T, (0, None)),
        (M, T, (None, 0)),
        (M, T[:, :, :1], (None, 0)),
        (T.mT, X, (0, None)),  # matrices by a vector
    ],
)
def test_products_of_which_one_side_is_used_whole(a, b, axes):
    found = ga.vmap(np.matmul, axes)(a, b)
    np.testing.assert_allclose(found, loop(np.matmul, (a, b), axes), strict=True)


def test_axes_as_trees():
    params, batch = {"w": X, "b": T[..., 0]}, (M, 2.0)
    found = ga.vmap(
        lambda p, xs: xs[0] @ p["w"] * xs[1] + np.sum(p["b"]), ({"w": None, "b": 0}, (0, None))
    )(params, batch)
    np.testing.assert_allclose(found, M @ X * 2 + np.sum(T[..., 0], 1))
    everywhere = ga.vmap(lambda p: np.sum(p["a"]) + p["b"][0], ({"a": 1, "b": 0},))
    np.testing.assert_allclose(
        everywhere({"a": T[0], "b": [np.arange(4.0)]}), T[0].sum(0) + range(4)
    )


def test_out_axes_as_trees():
    out = ga.vmap(lambda r: (r, {"a": r, "b": 3.0}), out_axes=(1, {"a": 0, "b": None}))(M)
    np.testing.assert_array_equal(out[0], M.T)
    np.testing.assert_array_equal(out[1]["a"], M)
    assert out[1]["b"] == 3.0


def test_what_does_not_depend_on_the_axis_is_repeated():
    np.testing.assert_array_equal(ga.vmap(lambda r: 3.0)(X), [3.0, 3.0, 3.0])
    out = ga.vmap(lambda r: (X, None, np.zeros(2)), out_axes=-1)(M)
    np.testing.assert_array_equal(out[0], np.stack([X, X], -1))
    assert out[1] is None and out[2].shape == (2, 2)


def test_none_arguments_and_keywords_are_used_whole():
    f = ga.vmap(lambda r, p, mode, k: r * p["s"] * k.sum() * len(mode), (0, None, None))
    np.testing.assert_allclose(f(M, {"s": 2.0, "n": None}, "ab", k=X), M * 4 * X.sum())
    np.testing.assert_array_equal(ga.vmap(lambda p: p[0] * 2)((X, None)), 2 * X)


def test_integers_and_bools_are_mapped_as_well():
    np.testing.assert_array_equal(
        ga.vmap(lambda i, keep: ga.take(X, i) * keep)(np.array([2, 0]), np.array([True, False])),
        [2.0, 0.0],
    )


@pytest.mark.parametrize("count", [0, 1])
def test_an_axis_of_length_zero_or_one(count):
    rows = np.ones((count, 3, 3)) + np.eye(3)
    for f in (np.sin, np.sum, np.linalg.inv, lambda a: np.sort(a) @ a, ga.grad(np.sum), np.cumprod):
        assert ga.vmap(f)(rows).shape == (count, *f(np.eye(3)).shape)


# ---- every kind of operation, against a loop

OPERATIONS = {
    "broadcast": lambda a, b: a + b[:, None] * 2 - a.T[:, :3].T,
    "matmul": lambda a, b: (a.T @ b) @ a.T,
    "vector matmul": lambda a, b: b @ a,
    "outer": lambda a, b: np.outer(a, b),
    "einsum": lambda a, b: np.einsum("ij,i->j", a, b),
    "tensordot": lambda a, b: np.tensordot(a, b, (0, 0)),
    "kron": lambda a, b: np.kron(a, b),
    "reduce": lambda a, b: np.mean(a, axis=(0, 1)) + np.max(a, -1) - np.min(a) + np.prod(b),
    "keepdims": lambda a, b: a - np.sum(a, axis=1, keepdims=True),
    "var": lambda a, b: np.std(a, axis=0) * np.var(b),
    "cumulate": lambda a, b: np.cumsum(a, 0) + np.cumprod(a, -1) + np.cumsum(a)[-1],
    "sort": lambda a, b: np.sort(a, axis=0) * np.argsort(a, axis=0) + np.sort(b)[:, None],
    "argmax": lambda a, b: np.argmax(a) + np.argmax(a, axis=0) * np.argmin(b),
    "reshape": lambda a, b: a.reshape(-1)[:3] + a.reshape(2, 2, 3)[0, 0] + a.ravel()[-3:],
    "transpose": lambda a, b: np.swapaxes(a, 0, 1)[:, ::-1] + np.moveaxis(a, 0, 1),
    "index": lambda a, b: a[1] + a[..., 0].sum() + a[None, 0, 1:][0].sum() + a[-1, ::2].sum(),
    "gather": lambda a, b: a[[0, 2], 1:][:, [0, 0]] + a[np.array([[0], [1]]), [1, 2]],
    "mapped index": lambda a, b: ga.take(a, np.argsort(b), 0) * ga.take(X, np.argmax(b)),
    "take_along_axis": lambda a, b: np.take_along_axis(a, np.argsort(a, 1), 1),
    "mask": lambda a, b: a[np.array([True, False, True])].sum(0),
    "where": lambda a, b: np.where(a > b[:, None], a, 0.5),
    "clip": lambda a, b: np.clip(a, b[:, None], 0.7),
    "concatenate": lambda a, b: np.concatenate([a, b[:, None], np.ones((3, 1))], axis=1),
    "stack": lambda a, b: np.stack([b, X, a[:, 0]], axis=-1),
    "pad": lambda a, b: np.pad(a, ((1, 0), (0, 2))) + np.pad(b, (1, 0), mode="edge")[:, None],
    "roll, flip": lambda a, b: np.roll(a, 1, 0) + np.flip(a) + np.flip(a, 1) + np.roll(a, 5),
    "tile, repeat": lambda a, b: np.tile(b, 2) + np.repeat(b, 2),
    "diagonal": lambda a, b: np.diagonal(a) * np.trace(a) + np.diag(b)[0] * np.tril(a)[1, 0],
    "split": lambda a, b: sum(np.split(a, 2, axis=1)),
    "solve": lambda a, b: np.linalg.solve(a[:, :3] + 3 * np.eye(3), b),
    "det": lambda a, b: np.linalg.det(a[:, :3] + 3 * np.eye(3)) + b,
    "slogdet": lambda a, b: np.linalg.slogdet(a[:, :3] + 3 * np.eye(3))[1],
    "iterate": lambda a, b: sum(r * x for r, x in zip(a, b, strict=True)),
    "softmax": lambda a, b: ga.softmax(a, axis=0) + ga.logsumexp(b),
    "abs": lambda a, b: np.abs(a) ** b[:, None] % 0.7,
    "attributes": lambda a, b: a * a.shape[0] * a.size * a.ndim * len(b) + np.ndim(a),
}


@pytest.mark.parametrize("f", OPERATIONS.values(), ids=OPERATIONS)
@pytest.mark.parametrize("axes", [(0, 0), (0, None), (None, 1), (2, 1), (-1, None)])
def test_operations(f, axes):
    a = T if axes[0] in (0, None) else np.moveaxis(T, 0, axes[0])
    a = a[0] if axes[0] is None else a
    b = X if axes[1] is None else np.stack([X, X[::-1] * 0.7], axes[1])
    expected = loop(f, (a, b), axes)
    found = ga.vmap(f, axes)(a, b)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert found.dtype == expected.dtype


# ---- mistakes


def add(a, b):
    return a + b


MISTAKES = {
    "axis out of bounds": (lambda: ga.vmap(np.sin, 2)(M), ga.ShapeError, r"\(2, 3\) has no axis 2"),
    "a number": (lambda: ga.vmap(np.sin)(2.0), ga.ShapeError, r"shape \(\) has no axis 0.*None"),
    "lengths differ": (
        lambda: ga.vmap(add)(X, np.ones(4)),
        ga.ShapeError,
        r"one length.*3 \(shape \(3,\)\) and 4 \(shape \(4,\)\)",
    ),
    "too few axes": (lambda: ga.vmap(add, (0,))(X, X), ga.ShapeError, r"names 1.*call has 2"),
    "too many": (lambda: ga.vmap(add, (0, 0, 0))(X, X), ga.ShapeError, r"names 3.*call has 2"),
    "nothing mapped": (lambda: ga.vmap(add, None)(X, X), ga.ShapeError, "found none"),
    "no arguments": (lambda: ga.vmap(lambda: 1.0)(), ga.ShapeError, "found none"),
    "a string": (lambda: ga.vmap(np.sin, "0")(X), ga.TreeError, "in_axes=0"),
    "a float": (lambda: ga.vmap(np.sin, 0.0)(X), ga.TreeError, r"in_axes=0\.0"),
    "wrong tree": (
        lambda: ga.vmap(lambda p: p["a"], ({"b": 0},))({"a": X}),
        ga.TreeError,
        r"in_axes=.*\{'a': \*\}",
    ),
    "out tree": (
        lambda: ga.vmap(lambda r: (r, r), out_axes=(0,))(X),
        ga.TreeError,
        r"out_axes=\(0,\).*\(\*, \*\)",
    ),
    "out None": (lambda: ga.vmap(np.sin, out_axes=None)(X), ga.ShapeError, "out_axes=None"),
    "out of bounds": (
        lambda: ga.vmap(np.sin, out_axes=5)(M),
        (ga.ShapeError, np.exceptions.AxisError),
        "out_axes=5",
    ),
    "a string to map": (lambda: ga.vmap(add)(X, "abc"), ga.DerivativeError, "'abc'.*str"),
    "a string returned": (lambda: ga.vmap(lambda r: "a")(X), ga.DerivativeError, "'a'.*str"),
}


@pytest.mark.parametrize(("call", "error", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert "ga.vmap" in str(caught.value)


def test_an_index_by_a_mapped_value_says_what_to_write():
    with pytest.raises(ga.ConcreteValueError, match=r"ga\.vmap") as caught:
        ga.vmap(lambda i: X[i])(np.arange(3))
    assert "ga.take" in str(caught.value)
    np.testing.assert_array_equal(ga.vmap(lambda i: ga.take(X, i))(np.arange(3)), X)
