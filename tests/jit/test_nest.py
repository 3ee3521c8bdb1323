"""Kernels of any number of axes: broadcasts, views and reductions, against eager."""

from unittest.mock import patch

import numpy as np
import pytest

import gradarg as ga

BACKENDS = ["llvm", "numpy"]


def normal(*shape, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def flat(out):
    return [y for x in out for y in flat(x)] if isinstance(out, tuple) else [out]


def agrees(f, *args, backend="llvm", tolerance=1e-9):
    """The jitted function, after a comparison with eager."""
    jitted = ga.jit(f, backend=backend)
    for a, b in zip(flat(jitted(*args)), flat(f(*args)), strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        scale = tolerance * max(1.0, float(np.max(np.abs(b), initial=0)))
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=scale)
    return jitted


def kernels(jitted, *args):
    """How many kernels a program has, and how many operations NumPy runs itself."""
    program = jitted.source(*args)
    called = program.split("\nkernel k")[0].split("\n")
    single = [line for line in called if "_(" in line and "kernel_" not in line]
    return program.count("\nkernel k"), len(single)


def softmax(x, axis):
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def batch_norm(x, scale, shift, t):
    x = x - np.mean(x, axis=(0, 2, 3), keepdims=True)
    x = x / np.sqrt(np.mean(x * x, axis=(0, 2, 3), keepdims=True) + 1e-5)
    return np.sum((x * scale[:, None, None] + shift[:, None, None]) * t)


def energy(x, m):
    d = x[:, None, :] - x[None, :, :]
    return -0.5 * np.sum(m[:, None] * m / np.sqrt(np.sum(d * d, axis=2) + 1e-2))


# what it is, the function, its arguments; how many kernels it is where that is one
CASES = [
    ("outer", lambda x, y: np.sin(x[:, None]) * y[None, :], (normal(40), normal(50)), None),
    ("middle sum", lambda x: np.sum(x * x, axis=1), (normal(7, 11, 13),), 1),
    ("outer sums", lambda x: np.sum(x * x, axis=(0, 2)), (normal(7, 11, 13),), 1),
    ("middle max", lambda x: np.max(x * x, axis=1), (normal(7, 11, 13),), 1),
    ("softmax 0", lambda x: softmax(x, 0), (normal(30, 41),), 1),
    ("softmax 1 of 3", lambda x: softmax(x, 1), (normal(5, 30, 41),), 1),
    ("centred", lambda x: x - np.mean(x, axis=0), (normal(30, 41),), 1),
    ("distances", lambda x, y: np.sqrt(np.sum((x[:, None] - y) ** 2, -1)),
     (normal(20, 3), normal(30, 3)), 1),
    ("transposed", lambda x, y: np.sin(x.T) * y + 1, (normal(20, 33), normal(33, 20)), 1),
    ("transposed of 3", lambda x, y: np.transpose(x, (2, 0, 1)) * y + 1,
     (normal(4, 9, 15), normal(15, 4, 9)), 1),
    ("differences", lambda x: x[:, 1:] - x[:, :-1], (normal(20, 33),), 1),
    ("np.diff", lambda x: np.sum(np.diff(x, axis=1) ** 2), (normal(5, 12, 13),), 1),
    ("flip", lambda x: np.flip(x, 1) * x, (normal(20, 33),), 1),
    ("flips", lambda x: np.flip(x, (0, 2)) * 2 + x, (normal(3, 20, 33),), 1),
    ("strided", lambda x: x[::2, 1::3] * 2 + 1, (normal(20, 33),), 1),
    ("roll", lambda x: np.roll(x, 2, axis=1) - x, (normal(20, 33),), 1),
    ("pad", lambda x: np.pad(x * 1.0, ((1, 2), (3, 0))) * 2, (normal(20, 33),), None),
    ("concatenate", lambda x, y: np.concatenate([x, y], axis=1) ** 2,
     (normal(20, 33), normal(20, 5)), 1),
    ("Laplacian",
     lambda x: x[1:-1, 2:] + x[1:-1, :-2] + x[2:, 1:-1] + x[:-2, 1:-1] - 4 * x[1:-1, 1:-1],
     (normal(20, 33),), 1),
    ("short axes", lambda x, y: np.sum(x[:, None] * y, axis=(0, 3)),
     (normal(2, 3, 4), normal(5, 3, 4)), None),
    ("embedding", lambda w, i: np.tanh(w[i]) * 2,
     (normal(9, 24), np.random.default_rng(0).integers(-9, 9, (6, 5))), 1),
]  # fmt: skip
GRADIENTS = [
    ("N-body", energy, (normal(40, 3), np.abs(normal(40))), None),
    ("softmax 0", lambda x, t: np.sum(softmax(x, 0) * t), (normal(30, 41), normal(30, 41)), None),
    ("batch norm", batch_norm,
     (normal(4, 5, 6, 7), normal(5), normal(5), normal(4, 5, 6, 7)), None),
    ("differences", lambda x: np.sum((x[:, 1:] - x[:, :-1]) ** 2), (normal(20, 33),), 1),
    ("flip", lambda x: np.sum(np.flip(x, 1) * x), (normal(20, 33),), 1),
    ("roll", lambda x: np.sum((np.roll(x, 1, axis=1) - x) ** 2), (normal(20, 33),), None),
    ("pad", lambda x: np.sum(np.pad(x, ((1, 2), (3, 0)))[1:-2, :-3] * x), (normal(20, 33),), 1),
    ("distances", lambda x, y: np.sum(np.exp(-np.sum((x[:, None] - y) ** 2, -1))),
     (normal(20, 12), normal(30, 12)), 1),
    ("embedding", lambda w: np.sum(np.tanh(w[np.arange(40).reshape(5, 8) % 9]) ** 2),
     (normal(9, 24),), None),
]  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("name", "f", "args", "count"), CASES, ids=[c[0] for c in CASES])
def test_a_function_is_as_eager(name, f, args, count, backend):
    jitted = agrees(f, *args, backend=backend)
    if backend == "llvm" and count is not None:
        assert kernels(jitted, *args) == (count, 0), jitted.source(*args)
    single = [x.astype(np.float32) if x.dtype == np.float64 else x for x in args]
    agrees(f, *single, backend=backend, tolerance=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("name", "f", "args", "count"), GRADIENTS, ids=[c[0] for c in GRADIENTS])
def test_a_gradient_is_as_eager(name, f, args, count, backend):
    gradient = ga.value_and_grad(f, tuple(range(len(args))))
    jitted = agrees(gradient, *args, backend=backend)
    if backend == "llvm" and count is not None:
        assert kernels(jitted, *args)[0] == count, jitted.source(*args)
    if args[0].size < 700:
        tangents = tuple(normal(*x.shape, seed=7) for x in args)
        agrees(lambda *a: ga.jvp(gradient, a, tangents)[1], *args, backend=backend)


def test_what_was_done_is_said():
    x = normal(20, 33)
    jitted = ga.jit(lambda x: np.sum((x[:, 1:] - x[:, :-1]) ** 2))
    assert jitted.explain(x).startswith("k0: view, view, subtract, square, end_sum")
    assert "for i0 < 20:  # shared" in jitted.source(x)


def test_hessian_of_a_chain():
    f = lambda x: np.sum((x[1:] - x[:-1] ** 2) ** 2) + np.sum(np.sin(x))
    jitted = agrees(ga.hessian(f), normal(40))
    assert "transpose" not in jitted.source(normal(40)).split("\nkernel k")[0]


def test_a_transposed_output_is_stored_as_such():
    x, y = normal(20, 33), normal(33, 20)
    f = lambda x, y: np.transpose(x.T * y + 1)
    assert kernels(agrees(f, x, y), x, y) == (1, 0)
    g = lambda x, y: (lambda z: (z.T, z, np.sum(z.T * x)))(x.T * y + 1)
    agrees(g, x, y)


@pytest.mark.parametrize("shape", [(3, 2000, 9), (2, 5000), (5000, 6), (1, 300, 300), (70, 1, 80)])
def test_several_threads_and_blocks(shape):
    x = normal(*shape, dtype=np.float32)
    for axis in range(x.ndim):
        agrees(lambda x, axis=axis: softmax(x, axis), x, tolerance=1e-4)
        agrees(lambda x, axis=axis: np.sum(x * x, axis=axis), x, tolerance=1e-4)
        agrees(lambda x, axis=axis: np.flip(x, axis) - x, x, tolerance=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_has_nothing_to_do_with_the_rest_has_no_loops_around_it(dtype):
    def f(z, p, q, u, v):
        padded = np.pad(p * q, ((0, 0), (12, 0))) + z
        return padded, -u, np.exp(v[::-1]) * v, np.sum(u * u, axis=1), u[:, 1:] * v[:, :-1]

    args = normal(6, 22, dtype=dtype), *(normal(6, 10, dtype=dtype, seed=k) for k in range(1, 5))
    jitted = agrees(f, *args, tolerance=1e-5 if dtype == np.float32 else 1e-12)
    assert kernels(jitted, *args)[0] and "for i2" not in jitted.source(*args)


@pytest.mark.parametrize("turned", [lambda x: x, lambda x: np.flip(x, 0)])
def test_long_sums_are_exact_enough(turned):
    x = np.full((3, 1 << 20), 0.1, np.float32)
    total = ga.jit(lambda x: np.sum(turned(x) * x, axis=1))(x)
    np.testing.assert_allclose(
        total, np.full(3, (1 << 20) * float(np.float32(0.1)) ** 2), rtol=1e-6
    )


def test_an_index_out_of_range_raises():
    w, i = normal(9, 24), np.array([[1, 2], [3, 9]])
    jitted = ga.jit(lambda w, i: w[i] * 2)
    with pytest.raises(IndexError):
        jitted(w, i)
    np.testing.assert_array_equal(jitted(w, i - 1), w[i - 1] * 2)


def test_differences_of_equal_products_are_zero():
    x = np.full(40, 0.1) * np.repeat([1.0, 3.0], 20)
    f = lambda x: np.sum(np.abs((x * 1.7)[:, None] - x * 1.7))
    agrees(ga.grad(f), x)


def test_a_number_beside_a_constant_is_as_large_as_it():
    one = np.broadcast_to(3.0, (1, 14))
    f = lambda x, y: (one / np.sqrt(x + 1), y / np.sqrt(x + 1))
    with patch("gradarg._jit.fusion.SMALL", 0):
        agrees(f, np.full((1, 1), 2.0), normal(1, 14))


def test_infinities_and_nan_stay_where_they_are():
    x = normal(20, 33)
    x[3, 4], x[5, 6], x[7, 8] = np.nan, np.inf, -np.inf
    with np.errstate(all="ignore"):
        for f in (
            lambda x: np.max(x, axis=0) - x,
            lambda x: np.pad(x, ((0, 0), (1, 1)))[:, 2:] + x,
            lambda x: np.roll(x, 1, axis=1) * 2,
        ):
            np.testing.assert_array_equal(ga.jit(f)(x), f(x))


# ---- random programs


def after(which, a, b, axis, u):
    """One step of a random program."""
    before, keep, some = (slice(None),) * axis, bool(u[0] < 0.5), int(u[0] * 3)
    widths = {axis: (some, int(u[1] * 2))}
    rows = [
        lambda: np.sin(a),
        lambda: a * b,
        lambda: a - b * 0.5,
        lambda: np.where(a > 0.1, a, b),
        lambda: np.sum(a, axis=axis, keepdims=keep),
        lambda: np.max(a, axis=axis, keepdims=keep) * 2,
        lambda: a - np.mean(a, axis=axis, keepdims=True),
        lambda: softmax(a, axis),
        lambda: a[(*before, slice(1, None))] - a[(*before, slice(None, -1))],
        lambda: a[(*before, slice(None, None, 2))] * 3,
        lambda: np.tanh(a)[(*before, int(u[0] * a.shape[axis]))],
        lambda: np.flip(a, axis) * 0.7 + a,
        lambda: np.roll(a, 1 + some, axis=axis) + a,
        lambda: np.concatenate([a * 2, np.flip(a, axis)], axis=axis),
        lambda: np.swapaxes(a, axis, int(u[0] * a.ndim)) + 1,
        lambda: np.pad(a, [widths.get(k, (0, 0)) for k in range(a.ndim)]) * 1.5,
    ]
    return rows[which]()


BANDED = {
    "neighbours": lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2),
    "far ones": lambda x: np.sum(x[3:] ** 3) + np.sum(x[:-4] ** 2 * x[4:]) + np.sum(np.tanh(x)),
    "both ways": lambda x: np.sum(x * x[::-1] ** 2) + np.sum(x[1:] * x[:-1]),
    "every other": lambda x: np.sum((x[::2] - x[1::2] ** 2) ** 2 * x[::2]),
    "all": lambda x: np.sum(x[2:-2] ** 3 * x[4:]) + np.sum(x) ** 2,
    "in a circle": lambda x: np.sum(np.roll(x, 1) * x**2),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", BANDED)
def test_second_derivatives_that_lie_on_diagonals(name, dtype):
    f, tolerance = BANDED[name], 1e-10 if dtype == np.float64 else 2e-4
    for n in (6, 24):
        agrees(ga.hessian(f), normal(n, dtype=dtype), tolerance=tolerance)
    agrees(ga.jacobian(lambda x: ga.grad(f)(x * 1.5) * x), normal(10), tolerance=tolerance)


def test_a_diagonal_is_not_read_from_memory():
    f, x = ga.hessian(BANDED["neighbours"]), normal(40)
    loops = agrees(f, x).source(x).split("kernel k1")[1]
    assert "eye" in loops and "[i0, i1] = in" not in loops


def program(seed):
    """A function of two arrays: views, broadcasts and reductions, one after the other."""
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers(1, 14, rng.integers(1, 5)))
    other = tuple(n if rng.random() < 0.7 else 1 for n in shape[rng.integers(len(shape)) :])
    dtype = np.float32 if rng.random() < 0.3 else np.float64
    steps = [(int(rng.integers(16)), rng.random(6)) for _ in range(rng.integers(3, 11))]

    def f(x, y):
        pool = [x, y]
        for which, u in steps:
            a = pool[-1] if u[0] < 0.6 else pool[int(u[1] * len(pool))]
            b = pool[int(u[2] * len(pool))]
            if not a.ndim or max(a.size, b.size) > 4000:
                continue
            axis = int(u[3] * a.ndim)
            try:
                out = after(which, a, b, axis, u[4:])
            except ValueError:  # these two do not broadcast
                continue
            if 0 < out.size < 4000:
                pool.append(out)
        return sum(np.sum(c * (k + 1)) for k, c in enumerate(pool[-3:])), pool[-1]

    return f, rng.standard_normal(shape).astype(dtype), rng.standard_normal(other).astype(dtype)


@pytest.mark.parametrize("seed", range(50))
def test_a_random_program_is_as_eager(seed):
    f, x, y = program(seed)
    tolerance = 1e-9 if x.dtype == np.float64 else 1e-3
    with patch("gradarg._jit.fusion.SMALL", 0):  # kernels for arrays of any size
        for g in (f, ga.grad(lambda x, y: f(x, y)[0], (0, 1))):
            agrees(g, x, y, tolerance=tolerance)
            agrees(g, x, y, backend="numpy", tolerance=tolerance)
