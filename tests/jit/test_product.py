"""Products of matrices as machine code, against NumPy's."""

import numpy as np
import pytest

import gradarg as ga
from gradarg._core.trace import ShapeDtype
from gradarg._jit import loops, product

RANDOM = np.random.default_rng(8)
DTYPES = [np.float32, np.float64]


def normal(*shape, dtype=np.float64):
    return RANDOM.standard_normal(shape).astype(dtype)


def check(a, b):
    """The product as machine code, whatever its size: each sum to rounding."""
    out = ShapeDtype((*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1]),
                     a.dtype)  # fmt: skip
    compiled = product.Product(ShapeDtype(a.shape, a.dtype), ShapeDtype(b.shape, b.dtype), out)
    found = compiled(a, b)
    assert found.shape == out.shape
    assert found.dtype == a.dtype
    wide = [x.astype(np.float64) for x in (a, b)]
    allowed = 4 * np.finfo(a.dtype).eps * np.sqrt(a.shape[-1]) * (abs(wide[0]) @ abs(wide[1]))
    assert np.all(abs(found - wide[0] @ wide[1]) <= allowed)
    return found


SIZES = [  # rows, sums, columns
    (1, 1, 1), (1, 700, 40), (40, 700, 1), (13, 5, 33), (14, 16, 32), (29, 17, 31), (43, 321, 65),
    (340, 330, 130), (70, 1024, 140), (300, 20, 5), (5, 20, 300), (7, 400, 7),
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_all_layouts(size, dtype):
    rows, sums, columns = size
    a, b = normal(rows, sums, dtype=dtype), normal(sums, columns, dtype=dtype)
    expected = check(a, b)
    for x in (a, np.asfortranarray(a)):
        for y in (b, np.asfortranarray(b)):
            np.testing.assert_allclose(check(x, y), expected, atol=1e-4 * sums**0.5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_views(dtype):
    a, b = normal(90, 140, dtype=dtype), normal(140, 160, dtype=dtype)
    check(a[:, 20:90], b[:70])
    check(a[::-1, ::2], b[::2, ::-1])
    check(np.broadcast_to(a[:1], (30, 140)), np.broadcast_to(b[:, :1], (140, 33)))
    whole = np.zeros(90 * 140 * a.itemsize + 1, np.uint8)[1:].view(dtype).reshape(90, 140)
    assert not whole.flags.aligned
    whole[...] = a
    check(whole, b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_batches(dtype):
    a, b = normal(3, 2, 20, 40, dtype=dtype), normal(3, 2, 40, 50, dtype=dtype)
    check(a, b)
    check(a.swapaxes(0, 1), b.swapaxes(0, 1))
    check(a.mT.copy().mT, b.mT.copy().mT)
    check(a, b[0, 0])
    check(a[0, 0], b)
    check(a, b[0, 0, :, :3])
    check(a[0], b[1, :, :, :3])


def test_nan_and_infinity_stay_where_they_belong():
    a, b = normal(50, 60), normal(60, 70)
    a[3, 5], a[20, 1], b[7, 11] = np.nan, np.inf, -np.inf
    b[1, 40] = 0.0  # inf * 0
    with np.errstate(invalid="ignore"):
        expected = a @ b
    found = product.Product(*(ShapeDtype(x.shape, x.dtype) for x in (a, b, expected)))(a, b)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert np.isnan(found[20, 40])


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_sum_in_one_order(threads):
    a, b = normal(200, 600, dtype=np.float32), normal(600, 150, dtype=np.float32)
    before, expected = ga.get_num_threads(), check(a, b)
    ga.set_num_threads(threads)
    try:
        np.testing.assert_array_equal(check(a, b), expected)
    finally:
        ga.set_num_threads(before)


@pytest.mark.parametrize("registers", [(16, 32), (16, 16), (32, 16), (64, 32)], ids=str)
def test_other_machines(registers, monkeypatch):
    """Narrower vectors and fewer registers than this machine has."""
    monkeypatch.setattr(product, "registers", lambda: loops.Registers(*registers))
    product._module.cache_clear()
    try:
        for dtype in DTYPES:
            check(normal(43, 321, dtype=dtype), normal(321, 65, dtype=dtype))
            check(normal(321, 43, dtype=dtype).T, normal(65, 321, dtype=dtype).T)
            check(normal(70, 90, dtype=dtype), normal(90, 3, dtype=dtype))
    finally:
        product._module.cache_clear()


def test_of_the_graph():
    """A compiled function uses it for large products, and in derivatives of any order."""
    x, w = normal(60, 80, dtype=np.float32), normal(80, 90, dtype=np.float32)

    def f(w):
        return np.sum(np.tanh(x @ w) ** 2)

    step = ga.jit(ga.value_and_grad(f))
    for found, expected in zip(step(w), ga.value_and_grad(f)(w)):
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-4)
    assert "matmul_0: 60 x 80 @ 80 x 90 (float32)" in step.explain(w)
    assert "sums of products in registers" in step.source(w)
    v = normal(80, 90, dtype=np.float32)
    found, expected = (ga.jit(ga.hvp(f))(w, v), ga.hvp(f)(w, v))
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-3)
    small = ga.jit(lambda a, b: a @ b)
    assert "matmul_0" not in small.source(x[:, :10], w[:10])


def test_what_llvm_does_not_compile_numpy_does(monkeypatch):
    def fails(*_args):
        raise RuntimeError("no such machine")

    a, b = normal(70, 80), normal(80, 90)
    monkeypatch.setattr(product, "Product", fails)
    with pytest.warns(ga.GradargWarning, match="matmul.*no such machine"):
        found = ga.jit(lambda a, b: a @ b)(a, b)
    np.testing.assert_array_equal(found, a @ b)
