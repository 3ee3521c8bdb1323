"""Indexing as NumPy defines it: random indices of every kind, their derivatives, and updates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import gradarg as ga

SHAPES_OF_INDICES = [(), (1,), (3,), (2, 1), (2, 3), (1, 3), (0,)]


@st.composite
def slices(draw, n):
    ends = st.none() | st.integers(-n - 2, n + 2)
    return slice(draw(ends), draw(ends), draw(st.sampled_from([None, 1, 2, -1, -2])))


@st.composite
def integer_arrays(draw, n):
    shape = draw(st.sampled_from(SHAPES_OF_INDICES))
    size = int(np.prod(shape))
    numbers = draw(st.lists(st.integers(-n, n - 1), min_size=size, max_size=size))
    array = np.array(numbers, draw(st.sampled_from([np.int64, np.int32]))).reshape(shape)
    return array.tolist() if shape and draw(st.booleans()) else array


@st.composite
def masks(draw, shape):
    size = int(np.prod(shape))
    return np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size)), bool).reshape(
        shape
    )


@st.composite
def indexed(draw):
    """An array's shape, and an index into it: often valid, and as NumPy judges."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    left, index = list(shape), []
    while left and draw(st.integers(0, 9)):
        n = left[0]
        kinds = ["slice", "slice", "number", "array", "array", "mask", "new axis", "ellipsis"]
        kind = draw(st.sampled_from(kinds))
        if kind == "slice":
            index.append(draw(slices(n)))
        elif kind == "number":
            number = draw(st.integers(-n, n - 1))
            index.append(np.int64(number) if draw(st.booleans()) else number)
        elif kind == "array":
            index.append(draw(integer_arrays(n)))
        elif kind == "mask":
            covered = draw(st.integers(1, len(left)))
            index.append(draw(masks(tuple(left[:covered]))))
            del left[1:covered]
        elif kind == "new axis":
            index.append(None)
            continue
        else:
            if Ellipsis not in [i for i in index if i is Ellipsis]:
                index.append(Ellipsis)
                del left[: draw(st.integers(0, len(left)))]
            continue
        del left[:1]
    return shape, index[0] if len(index) == 1 and draw(st.booleans()) else tuple(index)


def filled(shape):
    return np.arange(1.0, 1 + np.prod(shape)).reshape(shape)


def outcome(f):
    """The result of f, or IndexError."""
    try:
        return f()
    except IndexError:
        return IndexError


@settings(max_examples=250)
@given(indexed())
def test_values_and_gradients(case):
    shape, index = case
    x = filled(shape)
    expected = outcome(lambda: x[index])
    found = outcome(lambda: ga.Tensor(x)[index])
    if expected is IndexError:
        assert found is IndexError
        return
    assert_array_equal(found.value, expected)
    w = np.cos(filled(expected.shape))
    scattered = np.zeros(shape)
    np.add.at(scattered, index, w)
    assert_array_equal(ga.vjp(lambda x: x[index], x)[1](w)[0], scattered)
    assert_array_equal(ga.jvp(lambda x: x[index], (x,), (np.sin(x),))[1], np.sin(x)[index])
    assert_array_equal(ga.stage(lambda x: x[index], x)(x), expected)
    rows = np.stack([x, -x])
    assert_array_equal(ga.vmap(lambda x: x[index])(rows), np.stack([expected, -expected]))


@settings(max_examples=250)
@given(indexed(), st.booleans())
def test_updates(case, single):
    shape, index = case
    x = filled(shape)
    picked = outcome(lambda: x[index])
    if picked is IndexError:
        with pytest.raises(IndexError):
            ga.Tensor(x).at[index].set(0.0)
        return
    v = np.float64(0.5) if single else -filled(picked.shape)
    written, added, last = x.copy(), x.copy(), np.full(shape, -1)
    written[index] = v
    np.add.at(added, index, v)
    last[index] = 0 if single else np.arange(v.size).reshape(v.shape)
    t = ga.Tensor(x)
    assert_array_equal(t.at[index].set(v).value, written)
    assert_array_equal(t.at[index].add(v).value, added)

    w = np.cos(x)
    _, pullback = ga.vjp(lambda x, v: ga.asarray(x).at[index].set(v), x, v)
    of_x, of_v = pullback(w)
    assert_array_equal(of_x, np.where(last < 0, w, 0))
    expected = [np.sum(w[last == k]) for k in range(v.size)]
    np.testing.assert_allclose(np.ravel(of_v), expected, atol=1e-12)
    _, pullback = ga.vjp(lambda x, v: ga.asarray(x).at[index].add(v), x, v)
    of_x, of_v = pullback(w)
    assert_array_equal(of_x, w)
    np.testing.assert_allclose(of_v, np.sum(w[index]) if single else w[index], atol=1e-12)

    stacked = ga.vmap(lambda x, v: ga.asarray(x).at[index].set(v))(
        np.stack([x, x]), np.stack([v, v])
    )
    assert_array_equal(stacked, [written, written])


@settings(max_examples=250)
@given(indexed(), st.data())
def test_vmap_over_indices(case, data):
    shape, index = case
    x = filled(shape)
    entries = index if isinstance(index, tuple) else (index,)
    places = [k for k, i in enumerate(entries) if isinstance(i, np.ndarray) and i.dtype.kind == "i"]
    if outcome(lambda: x[entries]) is IndexError or not places:
        return
    mapped = [k for k in places if data.draw(st.booleans())] or places[:1]

    def take(x, *arrays):
        chosen = iter(arrays)
        full = tuple(next(chosen) if k in mapped else i for k, i in enumerate(entries))
        return ga.asarray(x)[full]

    rows = [[np.roll(entries[k], r) for k in mapped] for r in range(3)]
    columns = [np.stack(column) for column in zip(*rows)]
    alone = ga.vmap(take, in_axes=(None, *[0] * len(mapped)))(x, *columns)
    taken = [
        x[tuple(np.roll(i, r) if k in mapped else i for k, i in enumerate(entries))]
        for r in range(3)
    ]
    assert_array_equal(alone, taken)
    xs = np.stack([x, -x, 2 * x])
    factors = np.reshape([1, -1, 2], (3,) + (1,) * taken[0].ndim)
    assert_array_equal(ga.vmap(take)(xs, *columns), factors * np.stack(taken))


def test_an_index_may_be_a_tensor():
    x, i = filled((3, 2)), ga.Tensor([2, 0, 2])
    assert_array_equal(ga.Tensor(x)[i].value, x[[2, 0, 2]])
    assert_array_equal(ga.Tensor(x)[i, ga.Tensor(1)].value, x[[2, 0, 2], 1])
    assert_array_equal(ga.Tensor(x)[ga.Tensor([True, False, True])].value, x[[0, 2]])
    g = ga.grad(lambda x: np.sum(x[i] ** 2))(x)
    assert_array_equal(g, [[2, 4], [0, 0], [20, 24]])
    g = ga.grad(lambda x: np.sum(x[x > 2]))(x)
    assert_array_equal(g, [[0, 0], [1, 1], [1, 1]])


def test_boolean_updates_under_grad():
    def f(x):
        return np.sum(ga.asarray(x).at[x > 2].set(0.0) * filled((2, 2)))

    assert_array_equal(ga.grad(f)(filled((2, 2))), [[1, 2], [0, 0]])


@pytest.mark.parametrize(
    "index", [5, (0, 0, 0), [0.5], (slice(None), 9), ([0, 1], [0, 1, 2]), [[True]], 1.0]
)
def test_what_numpy_refuses(index):
    x = filled((2, 3))
    with pytest.raises(IndexError):
        x[index]
    with pytest.raises(IndexError):
        ga.Tensor(x)[index]


def test_a_mask_whose_values_are_unknown():
    x = filled((2, 3))
    for attempt in (
        lambda: ga.vmap(lambda x: x[x > 2])(x),
        lambda: ga.stage(lambda x: x[x > 2], x),
    ):
        with pytest.raises(ga.ConcreteValueError, match=r"np\.where"):
            attempt()


@pytest.mark.parametrize("shape", [(0,), (0, 2), (3, 0), (0, 0)])
def test_an_empty_mask_chooses_nothing(shape):
    x, mask = np.ones((3, 2)), np.zeros(shape, bool)
    assert_array_equal(ga.Tensor(x)[mask].value, x[mask], strict=True)


@pytest.mark.parametrize("flag", [True, False, np.True_, np.array(False)])
def test_one_truth_value(flag):
    for x in (np.arange(3.0), np.array(2.0)):
        for index in (flag, ga.asarray(flag)):
            assert_array_equal(ga.Tensor(x)[index].value, x[flag], strict=True)
    assert ga.grad(lambda x: ga.sum(x[x > 0] ** 2))(2.0) == 4.0
    for x in (np.arange(3.0), np.array(2.0)):
        for index in (flag, ga.asarray(flag)):
            t, expected = ga.Tensor(x), x.copy()
            t[index] = 7.0
            expected[flag] = 7.0
            assert_array_equal(t.value, expected)
            t[index] += 1.0
            expected[flag] += 1.0
            assert_array_equal(t.value, expected)
            expected[flag] += 2.0
            assert_array_equal(t.at[index].add(2.0).value, expected)


def test_windows_by_numpys_name():
    """A moving average; windows that do not fit, or would be written into, are refused."""
    window = np.lib.stride_tricks.sliding_window_view
    x = np.array([0.3, -1.2, 2.0, 0.7, 1.1])
    f = lambda x: np.sum(window(x, 3).mean(axis=-1) ** 2)
    means = np.convolve(x, np.ones(3) / 3, "valid")
    np.testing.assert_allclose(ga.grad(f)(x), np.convolve(2 * means, np.ones(3) / 3, "full"))
    np.testing.assert_allclose(ga.jit(ga.grad(f))(x), ga.grad(f)(x))
    for call, error in (
        (lambda t: window(t, 6), r"length 6 does not fit the shape \(5,\)"),
        (lambda t: window(t, -1), "length -1"),
        (lambda t: window(t, (2, 2)), "needs as many axes"),
        (lambda t: window(t, 2, axis=1), "out of bounds"),
    ):
        with pytest.raises(ga.ShapeError, match=error):
            call(ga.Tensor(x))
    with pytest.raises(ga.GradargError, match="none to write into"):
        window(ga.Tensor(x), 2, writeable=True)
