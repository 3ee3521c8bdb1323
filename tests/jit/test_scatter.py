"""Adding rows where integers say, compiled, against NumPy's evaluation."""

import numpy as np
import pytest

import gradarg as ga
from gradarg._jit import scatter

RANDOM = np.random.default_rng(11)


def normal(*shape, dtype=np.float64):
    return RANDOM.standard_normal(shape).astype(dtype)


def integers(low, high, *shape, dtype=np.int64):
    return RANDOM.integers(low, high, shape).astype(dtype)


def added(shape, index, values):
    out = np.zeros(shape, values.dtype)
    np.add.at(out, index, values)
    return out


LOOKUPS = [  # the shape, the index
    ((50, 16), (integers(-50, 50, 300),)),
    ((7, 3), (integers(0, 7, 140, dtype=np.uint8),)),
    ((3,), (integers(-3, 3, 15_000, dtype=np.int32),)),
    ((5000,), (integers(0, 5000, 12_000),)),
    ((6, 5, 4), (integers(-6, 6, 9, 1), integers(0, 5, 30))),
    ((6, 5, 1), (integers(0, 6, 500), integers(-5, 5, 500))),
    ((9, 2, 3), (integers(0, 9, 40, 3)[::2],)),
    ((4, 33), (np.array(2), integers(0, 33, 400))),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("lookup", LOOKUPS, ids=lambda lookup: str(lookup[0]))
def test_gradient_of_a_lookup(lookup, dtype):
    shape, index = lookup
    x = normal(*shape, dtype=dtype)
    g = normal(*x[index].shape, dtype=dtype)
    f = ga.jit(lambda x, g, *index: ga.vjp(lambda x: x[index], x)[1](g)[0])
    found = f(x, g, *index)
    assert found.dtype == dtype
    assert "scatter_add_0" in f.source(x, g, *index)
    np.testing.assert_allclose(found, added(shape, index, g), rtol=1e-5, atol=1e-4)


def test_sums_are_numpys_for_any_number_of_threads():
    w, index = normal(500, 64, dtype=np.float32), integers(-500, 500, 4000)
    g = normal(4000, 64, dtype=np.float32)
    f = ga.jit(lambda w, g, i: ga.vjp(lambda w: w[i], w)[1](g)[0])
    before = ga.get_num_threads()
    try:
        for threads in (1, 2, 3):
            ga.set_num_threads(threads)
            np.testing.assert_array_equal(f(w, g, index), added(w.shape, (index,), g))
    finally:
        ga.set_num_threads(before)


def test_many_to_few_are_exact_enough():
    index, x = integers(0, 10, 100_000), normal(100_000, dtype=np.float32) + 1
    f = ga.jit(lambda x, i: ga.zeros(10, dtype=np.float32).at[i].add(x))
    np.testing.assert_allclose(f(x, index), np.bincount(index, x), rtol=1e-6)


@pytest.mark.parametrize("shape", [(30, 8), (9000,), (4,)])
@pytest.mark.parametrize("outside", [0, 1])
def test_an_index_out_of_range_raises(shape, outside):
    index, g = integers(0, shape[0], 11_000), normal(11_000, *shape[1:])
    index[50] = shape[0] if outside else -shape[0] - 1
    f = ga.jit(lambda g, i: ga.zeros(shape).at[i].add(g))
    with pytest.raises(IndexError, match="out of bounds"):
        f(g, index)


def test_layouts_and_what_is_no_number():
    g, index = normal(12, 70).T[:, ::2], integers(0, 20, 140)[::2]
    g[3, 2], g[4, 1], g[5, 0] = np.nan, np.inf, -np.inf
    f = ga.jit(lambda g, i: ga.zeros((20, 6)).at[i].add(g))
    np.testing.assert_array_equal(f(g, index), added((20, 6), (index,), g))


def test_second_order():
    w, index = normal(40, 5), integers(0, 40, 60)
    loss = lambda w, i: np.sum(np.tanh(w[i]) ** 2 * np.arange(5.0))
    product = lambda w, v, i: ga.hvp(lambda w: loss(w, i))(w, v)
    v = normal(40, 5)
    np.testing.assert_allclose(ga.jit(product)(w, v, index), product(w, v, index), atol=1e-12)


def test_what_is_not_compiled_is_said():
    for values, index, why in (
        (normal(99) * 1j, integers(0, 9, 99), "of complex128"),
        (normal(3), integers(0, 9, 3), "of few elements"),
    ):
        f = ga.jit(lambda x, i: ga.zeros(9, dtype=x.dtype).at[i].add(x))
        assert f"scatter_add is NumPy's: {why}" in f.explain(values, index)
        np.testing.assert_allclose(f(values, index), added((9,), (index,), values))


def test_rows_are_cut_at_cache_lines():
    for width, rows in ((1, 100), (3, 5000), (64, 9), (200, 1)):
        s = scatter.Spec("float32", 10, width, (rows,))
        assert s.together == 1 or s.together * width * 4 <= 64
        assert 1 <= s.parts <= 64
