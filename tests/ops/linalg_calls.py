"""Calls of linear algebra, with each of NumPy's keywords."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.ops.call import Call, flat, smooth

RANDOM = np.random.default_rng(13)  # values of its own: decompositions have many places to avoid


def values(shape: tuple[int, ...]) -> Any:
    return RANDOM.uniform(-1.5, 1.5, shape)


C, M, V = values((2, 3, 4)), values((3, 4)), values((4,))
INF = np.inf
TURNING = np.array([[0.4, -2.0, 0.3], [1.7, 0.2, -0.4], [0.1, 0.6, 3]])  # two complex eigenvalues


def _matrix(*lead: int, n: int = 3) -> Any:
    return values((*lead, n, n)) + 3.5 * np.eye(n)


def _rectangle(m: int, n: int, *lead: int) -> Any:
    return values((*lead, m, n)) + np.eye(m, n) * [3, -5, 8, 12][:n]


def _symmetric(*lead: int) -> Any:
    a = values((*lead, 3, 3))
    return a + a.mT + np.diag([-6.0, 0, 8])


def _away_from_zero(*shape: int) -> Any:
    size = int(np.prod(shape))
    sizes = 0.3 + 0.11 * RANDOM.permutation(size)  # and of different size, all
    return (sizes * RANDOM.choice([-1, 1], size)).reshape(shape)


def calls() -> Iterator[Call]:
    yield from _equations()
    yield from _products()
    yield from _decompositions()
    yield from _pseudoinverses()
    yield from _norms()


def _triangle_solved(a: Any, b: Any, trans: int = 0, lower: bool = False, **unit: bool) -> Any:
    a = np.tril(a) if lower else np.triu(a)
    if unit:
        np.einsum("...ii->...i", a)[...] = 1
    return np.linalg.solve(np.conjugate(a.mT) if trans else a, b)


def _equations() -> Iterator[Call]:
    for a in (_matrix(), _matrix(2), _matrix(2, 1)):
        for name in ("inv", "det", "slogdet"):
            yield smooth(f"linalg.{name}", a)
        positive = a @ a.mT + np.eye(3)
        yield flat("linalg.cholesky", positive)  # which reads one triangle alone
        yield flat("linalg.cholesky", positive, upper=True)
        yield smooth("linalg.solve", a, values((3, 2)))
    for a, b in (
        (_matrix(), values((3,))),
        (_matrix(2), values((2, 3, 1))),
        (_matrix(2), values((3,))),
        (_matrix(2, 1), values((4, 3, 2))),
        (_matrix(), values((2, 3, 2))),
    ):
        yield smooth("linalg.solve", a, b)
        for options in ({"lower": True}, {"trans": 2, "unit_diagonal": True}):
            yield Call("linalg.solve_triangular", (a, b), options, reference=_triangle_solved)
    four = values((4, 6, 8, 3)) + 9 * np.eye(24).reshape(4, 6, 8, 3)
    yield smooth("linalg.tensorsolve", four, values((4, 6)))
    moved = np.moveaxis(_matrix(n=6).reshape(6, 2, 3), 0, 1)
    yield smooth("linalg.tensorsolve", moved, values((6,)), axes=(0, 2))
    yield smooth("linalg.tensorinv", _matrix(n=6).reshape(6, 2, 3), ind=1)
    yield smooth("linalg.tensorinv", _matrix(n=4).reshape(2, 2, 4, 1))


def _products() -> Iterator[Call]:
    yield smooth("linalg.diagonal", values((2, 3, 3)))
    yield smooth("linalg.diagonal", C, offset=1)
    yield smooth("linalg.trace", values((2, 3, 3)))
    yield smooth("linalg.trace", M, offset=-1)
    yield flat("linalg.trace", M.astype(np.float32), dtype=np.float64)
    yield smooth("linalg.matmul", C, values((4, 2)))
    yield smooth("linalg.matrix_transpose", C)
    yield smooth("linalg.outer", V, values((3,)))
    yield smooth("linalg.tensordot", C, values((4, 3)), axes=([2, 1], [0, 1]))
    yield smooth("linalg.vecdot", M, V)
    yield smooth("linalg.cross", values((3,)), values((2, 3)))
    yield smooth("linalg.cross", values((2, 3, 4)), values((1, 3, 4)), axis=1)
    yield flat("linalg.cross", np.array([1, 2, 3]), np.array([3, 1, 1]))
    for parts in (
        [M, M.T],
        [V, M.T, values((3, 5)), values((5,))],
        [values((2, 9)), values((9, 1)), values((1, 9)), values((9, 3))],
    ):
        yield smooth("linalg.multi_dot", parts)
    for n in (0, 1, 2, 5, -1, -3):
        yield smooth("linalg.matrix_power", _matrix(2) / 3, n)
    yield flat("linalg.matrix_power", np.array([[1, 1], [1, 0]]), 7)


def _decompositions() -> Iterator[Call]:
    for a in (_symmetric(), _symmetric(2)):
        for name in ("eigh", "eigvalsh"):
            yield flat(f"linalg.{name}", a)  # of which one triangle is read
            yield flat(f"linalg.{name}", a, "U")
        yield flat("linalg.svd", a, hermitian=True)
        yield flat("linalg.svd", a, compute_uv=False, hermitian=True)
        yield flat("linalg.pinv", a, hermitian=True)
    for name in ("eig", "eigvals"):
        yield smooth(f"linalg.{name}", TURNING)
        yield flat(f"linalg.{name}", _symmetric(2))
    for a in (_rectangle(3, 3), _rectangle(4, 3, 2), _rectangle(2, 3)):
        yield smooth("linalg.svd", a)
        yield smooth("linalg.svd", a, full_matrices=False)
        yield smooth("linalg.svd", a, compute_uv=False)
        yield smooth("linalg.svdvals", a)
        for mode in ("reduced", "complete", "r"):
            yield smooth("linalg.qr", a, mode)


def _pseudoinverses() -> Iterator[Call]:
    for a in (_rectangle(4, 3), _rectangle(2, 4, 2)):
        yield smooth("linalg.pinv", a)
        yield smooth("linalg.pinv", a, rtol=None)
        yield smooth("linalg.pinv", a, 0.4)  # which cuts off what is not small
    yield smooth("linalg.pinv", _rectangle(3, 2, 2), rtol=np.array([0, 0]))
    for a, b in (
        (_rectangle(4, 3), values((4,))),
        (_rectangle(4, 2), values((4, 3))),
        (_rectangle(3, 4), values((3,))),
        (_rectangle(3, 3), values((3, 1))),
    ):
        yield smooth("linalg.lstsq", a, b)
        yield smooth("linalg.lstsq", a, b, rcond=-1)


def _norms() -> Iterator[Call]:
    V, M, C = (_away_from_zero(*shape) for shape in ((4,), (3, 4), (2, 3, 4)))
    for order in (None, 2, 1, 0, 3, 2.5, 0.5, -1, -1.5, INF, -INF):
        yield smooth("linalg.norm", V, order)
        yield smooth("linalg.norm", C, order, 1)
        yield smooth("linalg.norm", C, order, axis=(-1,), keepdims=True)
        if order is not None:
            yield smooth("linalg.vector_norm", C, axis=(0, 2), ord=order)
            yield smooth("linalg.vector_norm", M, keepdims=True, ord=order)
    for order in (None, "fro", "nuc", 1, -1, 2, -2, INF, -INF):
        yield smooth("linalg.norm", M, order)
        yield smooth("linalg.norm", C, order, axis=(2, 0))
        yield smooth("linalg.norm", C, ord=order, axis=(1, -1), keepdims=True)
        if order is not None:
            yield smooth("linalg.matrix_norm", C, ord=order)
            yield smooth("linalg.matrix_norm", M, keepdims=True, ord=order)
    yield smooth("linalg.norm", C)
    yield smooth("linalg.norm", C, keepdims=True)
    yield smooth("linalg.vector_norm", C)
    yield smooth("linalg.matrix_norm", C)
    for order in (None, 2, -2, 1, -1, INF, -INF, "fro", "nuc"):
        yield smooth("linalg.cond", _matrix(2), order)
    yield smooth("linalg.cond", _rectangle(3, 2))
    for x in (_matrix(2), np.ones((2, 3, 4)), np.zeros((3, 3)), V, np.zeros(3)):
        yield flat("linalg.matrix_rank", x)
    yield flat("linalg.matrix_rank", _matrix(2), 4.0)
    yield flat("linalg.matrix_rank", _matrix(2), rtol=np.array([0.5, 0.1]))
    yield flat("linalg.matrix_rank", _symmetric(), hermitian=True)
