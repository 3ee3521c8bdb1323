"""The linalg and fft extensions of the standard give what array-api-strict gives."""

import array_api_strict as strict
import numpy as np
import pytest

import gradarg as ga
from tests.array_api.strict import COMPLEX, REAL, compare, names

EVERY = pytest.mark.parametrize("dtype", [*REAL, *COMPLEX])


def normal(dtype, *shape):
    random = np.random.default_rng(sum(shape) + len(dtype))
    x = random.normal(size=shape)
    if dtype in COMPLEX:
        x = x + 1j * random.normal(size=shape)
    return x.astype(dtype)


def positive(dtype, *shape):
    x = normal(dtype, *shape)
    return np.conj(x.mT) @ x + np.eye(shape[-1], dtype=dtype)


def linalg(dtype):
    """Calls of every function of the extension."""
    square, wide, stack = normal(dtype, 3, 3), normal(dtype, 2, 4), normal(dtype, 2, 3, 3)
    for x in (square, stack):
        for name in ("det", "inv", "slogdet", "matrix_transpose"):
            yield name, (x,), {}
        for k in (0, 1, 3, -2):
            yield "matrix_power", (x, k), {}
        yield "solve", (x, normal(dtype, 3, 2)), {}
        yield "matmul", (x, stack), {}
        for offset in (0, 1, -5):
            yield "diagonal", (x,), {"offset": offset}
            yield "trace", (x,), {"offset": offset}
    yield "trace", (square,), {"dtype": np.dtype(dtype)}
    yield "trace", (np.ones((2, 3, 3), np.uint8),), {"dtype": np.dtype(np.uint8)}
    yield "solve", (square, normal(dtype, 3)), {}
    for x in (positive(dtype, 3, 3), positive(dtype, 2, 3, 3)):
        for upper in (False,) if dtype in COMPLEX else (False, True):
            yield "cholesky", (x,), {"upper": upper}
        for name in ("eigh", "eigvalsh"):
            yield name, (x,), {}
    for x in (square, wide, stack, wide.mT, np.zeros((2, 2), dtype)):
        yield "matrix_rank", (x,), {}
        yield "pinv", (x,), {}
        yield "svdvals", (x,), {}
        for full in (False, True):
            yield "svd", (x,), {"full_matrices": full}
        for mode in ("reduced", "complete"):
            yield "qr", (x,), {"mode": mode}
        for order in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf):
            yield "matrix_norm", (x,), {"ord": order, "keepdims": x is wide}
    yield "matrix_rank", (square,), {"rtol": 0.5}
    yield "pinv", (wide,), {"rtol": 0.01}
    for order in (0, 1, 2, 3.5, -1, np.inf, -np.inf):
        for axis in (None, 1, (0, 2)):
            yield "vector_norm", (stack,), {"ord": order, "axis": axis, "keepdims": order == 1}
    yield "cross", (normal(dtype, 2, 3), normal(dtype, 4, 2, 3)[0]), {}
    yield "cross", (normal(dtype, 3, 2), normal(dtype, 3, 2) * 2), {"axis": -2}
    yield "outer", (normal(dtype, 3), normal(dtype, 2)), {}
    yield "tensordot", (stack, wide[:, :3]), {"axes": ((0, 1), (0, 1))}
    yield "vecdot", (stack, square), {"axis": -1}
    yield "eig", (square,), {}
    yield "eigvals", (square,), {}


def fft(dtype):
    x, cube = normal(dtype, 3, 5), normal(dtype, 2, 4, 3)
    real, many = dtype in REAL, {"axes": (0, 2), "norm": "ortho"}
    for name in ("rfft", "ihfft") if real else ("fft", "ifft", "irfft", "hfft"):
        for norm in ("backward", "ortho", "forward"):
            yield name, (x,), {"norm": norm}
        for n in (3, 8):
            yield name, (x,), {"n": n, "axis": 0}
    for name in ("rfftn",) if real else ("fftn", "ifftn", "irfftn"):
        for options in ({}, many, {"s": (3, 4), "axes": (1, 2)}):
            yield name, (cube,), options
    for name in ("fftshift", "ifftshift"):
        for axes in (None, 1, (0, 2)):
            yield name, (cube,), {"axes": axes}
    for n in (4, 5):
        for name in ("fftfreq", "rfftfreq"):
            yield name, (n,), {"d": 0.25}
            yield name, (n,), {"dtype": np.dtype("float32"), "device": None}


@EVERY
@pytest.mark.parametrize("extension", [linalg, fft])
def test_extension(extension, dtype):
    for name, args, options in extension(dtype):
        if hasattr(getattr(strict, extension.__name__), name):
            assert compare(f"{extension.__name__}.{name}", *args, **options)


@pytest.mark.parametrize("dtype", COMPLEX)
def test_upper_triangle_of_a_complex_matrix(dtype):
    """The zeros below are those of `triu`, where array-api-strict's are of any sign."""
    a = positive(dtype, 2, 3, 3)
    upper = ga.linalg.cholesky(ga.Tensor(a), upper=True).numpy()
    assert upper.dtype == dtype
    np.testing.assert_allclose(upper, np.conj(np.linalg.cholesky(a).mT), rtol=1e-5)
    for part in (np.real, np.imag):
        assert not np.signbit(part(np.tril(upper, -1))).any()


@pytest.mark.parametrize("extension", [linalg, fft])
def test_every_function_is_tried(extension):
    tried = {name for dtype in (*REAL, *COMPLEX) for name, _, _ in extension(dtype)}
    assert set(names(getattr(strict, extension.__name__))) - tried == set()
