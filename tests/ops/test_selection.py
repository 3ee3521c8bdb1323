"""What selects, pads and maps, beyond the calls: errors, unknown masks, functions of Python."""

import numpy as np
import pytest

import gradarg as ga
from gradarg.testing import check_grads
from tests.ops.checks import same

RANDOM = np.random.default_rng(5)
M, V = RANDOM.normal(size=(3, 4)), RANDOM.normal(size=4)


def test_a_mask_that_is_not_known_must_not_decide_a_shape():
    for f in (
        lambda x: np.compress(x > 0, x),
        lambda x: np.extract(x > 0, x),
        lambda x: np.trim_zeros(x),
        lambda x: np.delete(x, x > 0),
    ):
        with pytest.raises(ga.ConcreteValueError, match=r"not known inside ga\.vmap"):
            ga.vmap(f)(M)


def test_masks_made_of_the_argument():
    check_grads(lambda x: np.trim_zeros(np.pad(x, 2)) ** 2, (V,))
    for f in (
        lambda x: np.compress(x > 0, x),
        lambda x: np.extract(x > 0, x),
        lambda x: np.delete(x, np.argmax(x)),
        lambda x: np.partition(x, 2)[:2],
        lambda x: np.piecewise(x, [x > 0, x <= 0], [np.log, np.exp]),
        lambda x: np.insert(x, np.argmax(x), x[0] * x[1]),
    ):
        check_grads(f, (V,), order=2)
    found = ga.vmap(lambda x: np.piecewise(x, [x > 0], [np.square]))(M)
    same(found, np.piecewise(M, [M > 0], [np.square]))


def test_a_branch_that_is_not_taken_is_not_computed():
    x = np.array([4.0, -1.0])
    f = lambda x: np.sum(np.piecewise(x, [x > 0, x <= 0], [np.sqrt, 0.0]))
    same(ga.grad(f)(x), np.array([0.25, 0.0]))


def test_results_are_no_views_and_not_the_argument():
    t = ga.Tensor(M)
    for f in (
        lambda t: np.pad(t, 0),
        lambda t: np.pad(t, 0, "edge"),
        lambda t: np.roll(t, 0),
        lambda t: np.roll(t, 4, 1),
        lambda t: np.tile(t, 1),
        lambda t: np.block(t),
        lambda t: np.copy(t),
        lambda t: np.delete(t, [], 0),
        lambda t: np.concatenate([t]),
    ):
        out = f(t)
        assert out is not t
        same(out.value, f(M))
        assert not np.shares_memory(out.value, t.value)


def test_choices_out_of_bounds():
    for a in ([3, 0], [-1, 0]):
        for choices in ([V, V, V], [ga.Tensor(V)] * 3):
            with pytest.raises((ValueError, IndexError)):
                ga.choose(np.array(a)[:, None], choices)
    for f in (ga.choose, ga.take):
        with pytest.raises(ValueError, match=f"{f.__name__}: the mode is"):
            f([0], V, mode="bounce")
    with pytest.raises(TypeError, match=r"choose .* integers, not float64"):
        ga.choose(V, [V])


def test_what_selection_refuses():
    for error, match, f in (
        (ga.ShapeError, "select: 1 conditions for 2", lambda: ga.select([V > 0], [V, V])),
        (TypeError, "select: conditions are truth", lambda: ga.select([V], [V])),
        (ga.ShapeError, "choose: the shapes", lambda: ga.choose([0, 1], [V, M])),
        (ga.ShapeError, "piecewise: 3 functions for 1", lambda: ga.piecewise(V, [V > 0], [1] * 3)),
        (ga.ShapeError, "compress: .*one dimension", lambda: ga.compress(M > 0, M)),
        (ga.ShapeError, "ix_ takes", lambda: ga.ix_(np.ones((2, 2), int))),
        (ga.ShapeError, "nested equally deep", lambda: ga.block([V, [V]])),
        (ga.ShapeError, "block: .* empty", lambda: ga.block([[], [V]])),
        (TypeError, "block: .* tuples", lambda: ga.block([(V, V)])),
        (ValueError, "meshgrid: indexing", lambda: ga.meshgrid(V, V, indexing="yx")),
        (ValueError, "argpartition: kth", lambda: ga.partition(V, 4)),
        (IndexError, "insert: a position", lambda: ga.insert(V, 5, 0.0)),
        (IndexError, "insert: positions are integers", lambda: ga.insert(V, 0.5, 0.0)),
        (ga.ShapeError, "resize: .* negative", lambda: ga.resize(V, (-1, 2))),
        (TypeError, "Cannot cast from float64 to int", lambda: ga.stack([V, V], dtype=int)),
        (ValueError, "stat_length of 0", lambda: ga.pad(V, 1, "maximum", stat_length=0)),
        (ValueError, "reflect_type", lambda: ga.pad(V, 1, "reflect", reflect_type="both")),
        (ValueError, "negative", lambda: ga.pad(V, -1)),
        (TypeError, "of integers", lambda: ga.pad(V, 1.5)),
        (ga.ShapeError, "no slice", lambda: ga.apply_along_axis(np.sum, 0, np.ones((2, 0)))),
        (ga.ShapeError, "neither of 2", lambda: ga.apply_over_axes(lambda a, _: a[0, 0], M, 0)),
    ):
        with pytest.raises(error, match=match):
            f()


# ---- functions of Python


def test_vectorize_takes_a_function_with_branches():
    f = lambda x, k: x**k if x > 0 else -x
    expected = np.vectorize(f)(M, np.array([1.0, 2.0, 3.0, 4.0]))
    ours = ga.vectorize(f)
    same(ours(M, np.array([1.0, 2.0, 3.0, 4.0])), expected, rtol=1e-15)
    check_grads(lambda x: ours(x, 3), (M,), order=2)
    same(ours(ga.Tensor(M), k=2).value, np.vectorize(f)(M, k=2), rtol=1e-15)


def test_vectorize_with_a_signature():
    f = ga.vectorize(lambda a, b: (np.dot(a, b), np.outer(a, b)), signature="(n),(n)->(),(n,n)")
    x, y = RANDOM.normal(size=(2, 3)), RANDOM.normal(size=(5, 1, 3))
    reference = np.vectorize(lambda a, b: (a @ b, np.outer(a, b)), signature="(n),(n)->(),(n,n)")
    for found, expected in zip(f(x, y), reference(x, y)):
        same(found, expected, rtol=1e-14)
    check_grads(lambda x, y: f(x, y)[0], (x, y))
    with pytest.raises(ga.ShapeError, match="n has the lengths 3 and 4"):
        f(x, V)
    with pytest.raises(ValueError, match="no signature"):
        ga.vectorize(np.dot, signature="n->n")


def test_vectorize_with_types_excluded_arguments_and_nothing():
    f = ga.vectorize(lambda c, x: c[0] + c[1] * x, excluded={0}, otypes=[np.float32])
    same(f([1.0, 2.0], V), (1 + 2 * V).astype(np.float32))
    same(f([1.0, 2.0], np.ones((0, 2))), np.ones((0, 2), np.float32))
    with pytest.raises(ga.ShapeError, match="no element"):
        ga.vectorize(np.sin)(np.ones((0, 2)))


def test_numpys_vectorize_and_frompyfunc_refuse_tensors():
    for f, error, match in (
        (
            np.vectorize(lambda x: x * x, otypes=[float]),
            ga.ConcreteValueError,
            r"ga\.vectorize does not",
        ),
        (np.frompyfunc(lambda x: x * x, 1, 1), ga.DerivativeError, "no derivative rule"),
    ):
        with pytest.raises(error, match=match):
            ga.grad(lambda x, f=f: np.sum(f(x)))(V)


def test_pad_by_a_function():
    def ends(vector, width, axis, options):
        vector[: width[0]] = options.get("padder", 10)
        if width[1]:
            vector[-width[1] :] = axis

    found = ga.pad(M, ((1, 0), (2, 3)), ends, padder=7)
    same(found, np.pad(M, ((1, 0), (2, 3)), ends, padder=7))

    def reflect_twice(vector, width, axis, options):
        if width[0]:
            vector[: width[0]] = 2 * vector[width[0]]
        if width[1]:
            vector[-width[1] :] = vector[-width[1] - 1] ** 2

    f = lambda x: np.pad(x, ((1, 0), (2, 3)), reflect_twice)
    check_grads(f, (M,), order=2)
    same(ga.vmap(f)(np.stack([M, M + 1])), np.stack([f(M), f(M + 1)]))
    same(ga.stage(f, M)(M), f(M))


# ---- methods that an array has


def test_methods_of_arrays():
    t, mask = ga.Tensor(M), M[0] > 0
    for found, expected in (
        (t.compress(mask, axis=1), M.compress(mask, axis=1)),
        (t.compress([True, False]), M.compress([True, False])),
        (t.flat, M.ravel()),
        (t.flat[3:5], M.flat[3:5]),
        (t.view(), M),
        (t.view(float), M),
        (ga.Tensor([1, 0]).choose([t[0, :2], V[:2]]), np.choose([1, 0], [M[0, :2], V[:2]])),
        (t.ravel().searchsorted(0.3), M.ravel().searchsorted(0.3)),
        (t.nonzero()[1], M.nonzero()[1]),
    ):
        same(found.value[()], expected)
    assert [x.item() for x in t.flat] == M.ravel().tolist()
    assert t.item(1, 2) == M[1, 2] and t.item(5) == M.item(5) and t.item((0, 1)) == M[0, 1]
    other = ga.Tensor(M)
    other.partition(1, axis=0)
    same(other.value, np.partition(M, 1, axis=0))
    assert t.tobytes() == M.tobytes()
    same(ga.grad(lambda x: np.sum(x.compress(mask, 1) ** 2))(M), np.where(mask, 2 * M, 0))
    with pytest.raises(ga.DerivativeError, match=r"t\.view\(int64\)|t\.view\(<class 'int'>\)"):
        t.view(int)
    with pytest.raises(ga.ConcreteValueError, match=r"t\.tobytes\(\)"):
        ga.grad(lambda x: x.tobytes() and np.sum(x))(V)


def test_positions_where_a_condition_holds():
    same(ga.grad(lambda x: np.sum(x[np.where(x > 0)]))(M), (M > 0) * 1.0)
    with pytest.raises(ga.ConcreteValueError, match="where has a result whose shape depends"):
        ga.vmap(lambda x: np.where(x > 0)[0])(M)
    with pytest.raises(TypeError, match="both branches"):
        ga.where(M > 0, M)


def test_numbers_that_are_real_but_for_rounding():
    z = M + 1e-18j
    same(ga.real_if_close(ga.Tensor(z)).value, M)
    f = lambda x: np.sum(np.real_if_close(x * (1 + 1e-18j)) ** 2)
    same(ga.grad(f)(M), 2 * M, rtol=1e-15)
    with pytest.raises(ga.ConcreteValueError, match="real_if_close"):
        ga.vmap(np.real_if_close)(z)


def test_arguments_that_numpy_takes_by_name():
    t = ga.Tensor(M)
    same(np.real(val=t).value, M)
    same(np.sinc(x=t).value, np.sinc(M))
    same(np.broadcast_to(array=t, shape=(2, 3, 4)).value, np.broadcast_to(M, (2, 3, 4)))
    same(np.tensordot(a=t, b=M, axes=2).value[()], np.tensordot(M, M, 2)[()])
