"""Kernels for vectors of any width: the same results, and machine code for other processors."""

import re

import llvmlite.binding as llvm
import numpy as np
import pytest

import gradarg as ga
from gradarg._jit import compiler, emit, engine, nest_emit
from tests.jit.test_vector_math import PROCESSORS

WIDTHS = {"ARM": (128, False), "AVX2": (256, False), "this machine": None}


@pytest.fixture(params=WIDTHS)
def vectors(request, monkeypatch):
    """The kernels of a test are for vectors of this kind."""
    if WIDTHS[request.param]:
        monkeypatch.setattr(compiler, "vectors", lambda: WIDTHS[request.param])


def rows(x, y, c, at):
    """What a kernel of rows can hold: reductions, their users, truth values, single elements."""
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    p = e / np.sum(e, axis=1, keepdims=True)
    low = np.min(y, axis=1, keepdims=True)
    z = np.where((y > c) | (x < low), p * c, y)
    picked = p[np.arange(x.shape[0]), at]
    return z, y > c, np.sum(z * x, axis=0), np.sum(np.log(picked)), low[:, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("columns", [1, 2, 7, 16, 50, 64, 71, 130, 4099])
def test_rows_of_any_length(vectors, columns, dtype):
    random = np.random.default_rng(columns)
    x, y = random.normal(size=(2, 9, columns)).astype(dtype)
    c, at = random.normal(size=columns).astype(dtype), random.integers(-columns, columns, 9)
    tolerance = 5e-6 if dtype is np.float32 else 1e-13
    for found, expected in zip(ga.jit(rows)(x, y, c, at), rows(x, y, c, at)):
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("columns", [3, 50, 200])
def test_the_gradient_at_one_element_of_each_row(vectors, columns):
    random = np.random.default_rng(0)
    x, at = random.normal(size=(5, columns)), random.integers(-columns, columns, 5)
    loss = lambda x: np.sum(x[np.arange(5), at] * np.exp(np.max(x, axis=1)))
    np.testing.assert_allclose(ga.jit(ga.grad(loss))(x), ga.grad(loss)(x), rtol=1e-12)


@pytest.mark.parametrize("how", [np.max, np.min])
@pytest.mark.parametrize("columns", [1, 5, 40, 5000])
def test_extremes_of_what_is_no_number(vectors, columns, how):
    x = np.random.default_rng(1).normal(size=(7, columns)).astype(np.float32)
    x[0, 0] = x[1, -1] = x[2, columns // 2] = np.nan
    x[3, 0], x[4, -1], x[5] = np.inf, -np.inf, -np.inf
    f = lambda x: (x + 1, how(x, axis=1))
    np.testing.assert_array_equal(ga.jit(f)(x)[1], f(x)[1])


@pytest.mark.parametrize("n", [65, 67, 100, 1000, 4097])
def test_pieces_of_a_row(vectors, n):
    x = np.random.default_rng(2).normal(size=n)
    f = lambda x: np.sum((x[1:] - x[:-1] ** 2) ** 2) + np.sum(np.sin(x[:3]) * x[-3:])
    found, expected = ga.jit(ga.value_and_grad(f))(x), ga.value_and_grad(f)(x)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-13)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("processor", PROCESSORS)
def test_other_processors(processor, monkeypatch):
    """Machine code without calls of functions from elsewhere."""
    kernels = []
    monkeypatch.setattr(engine, "build", lambda kernel: kernels.append(kernel) or 0)
    x = np.ones((9, 70), np.float32)
    ga.jit(rows).source(x, x, x[0], np.zeros(9, int))
    assert kernels
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    triple, cpu, bits = PROCESSORS[processor]
    features = "-prefer-256-bit" if bits == 512 else ""
    target = llvm.Target.from_triple(triple).create_target_machine(
        opt=3, cpu=cpu, features=features
    )
    vectors = emit.Vectors(bits, bits == 512)
    passes = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(speed_level=3))
    for kernel in kernels:
        text = nest_emit.module(kernel, triple, str(target.target_data), vectors)
        parsed = llvm.parse_assembly(text)
        parsed.verify()
        passes.getModulePassManager().run(parsed, passes)
        names = r"\b(expf?|logf?|fmaf?|fm(ax|in)f?|mem(set|cpy)|sqrtf?)\b"
        assert not re.search(names, target.emit_assembly(parsed))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 5), (63, 70), (64, 33), (200, 16), (1000, 130)])
def test_layer_norm(vectors, shape, dtype):
    """Its gradient in three passes, and sums of columns over many rows."""
    random = np.random.default_rng(0)
    x, c = random.normal(3, 2, size=(2, *shape)).astype(dtype)
    g, b = random.normal(size=(2, shape[1])).astype(dtype)
    c[0] = 0  # and a row through which nothing goes back

    def both(x, g, b, c):
        out, pull = ga.vjp(layer_norm, x, g, b)
        return out, *pull(c)

    def layer_norm(x, g, b):
        d = x - np.mean(x, axis=1, keepdims=True)
        return d / np.sqrt(np.mean(d * d, axis=1, keepdims=True) + 1e-5) * g + b

    tolerance = 1e-4 if dtype is np.float32 else 1e-12
    for found, expected in zip(ga.jit(both)(x, g, b, c), both(x, g, b, c)):
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 5), (24, 64), (200, 33)])
def test_rows_are_divided_by_their_own_numbers_in_each_pass(vectors, shape, dtype):
    """A norm's gradient by its input alone: of rows in blocks, divided in several passes."""
    random = np.random.default_rng(0)
    x = (random.normal(3, 2, size=shape) * np.exp(random.normal(size=(shape[0], 1)))).astype(dtype)
    g, b = random.normal(size=(2, shape[1])).astype(dtype)

    def loss(x):
        d = x - np.mean(x, axis=1, keepdims=True)
        return np.sum((d / np.sqrt(np.mean(d * d, axis=1, keepdims=True) + 1e-5) * g + b) ** 3)

    gradient = ga.jit(ga.grad(loss))
    expected = ga.grad(loss)(x)
    tolerance = (1e-5 if dtype is np.float32 else 1e-12) * np.abs(expected).max()
    np.testing.assert_allclose(gradient(x), expected, rtol=0, atol=tolerance)
    assert "row_sum" in gradient.source(x)  # every value of the kernel has a name


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_divided_by_any_number(vectors, dtype):
    """A divisor of a whole row is inverted once: also where its inverse is no normal number."""
    small, large = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max
    by = [1, -3, 0, -0.0, np.inf, -np.inf, np.nan, small, 7 * small, large, 2 / large, 1e-30, 1e30]
    by = np.array(by, dtype)[:, None] * np.ones((1, 3), dtype)[:, :1]
    x = np.array([*by[:, 0], 1, 3, -1e-20, 1e20], dtype) * np.ones((len(by), 1), dtype)
    f = lambda x, by: (x / by, np.max(x, axis=1))
    with np.errstate(all="ignore"):
        found, expected = ga.jit(f)(x, by)[0], f(x, by)[0]
        exact = np.isfinite(expected) & (np.abs(expected) > np.finfo(dtype).tiny)
        np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
        np.testing.assert_array_equal(np.isinf(found), np.isinf(expected))
        units = np.abs(found - expected)[exact] / np.spacing(np.abs(expected[exact]))
    assert units.max() <= 2
    np.testing.assert_allclose(found[~exact], expected[~exact], rtol=0, atol=2 * small)
