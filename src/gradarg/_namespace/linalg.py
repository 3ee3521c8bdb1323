"""`ga.linalg`: linear algebra on matrices and stacks of them, under NumPy's names."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .._core.errors import ShapeError
from .._core.trace import bind, peek
from .._ops import contract, elementwise, structure, triangular
from .._ops import linalg as ops
from . import contraction
from .arguments import array, axis_of
from .contraction import matmul, vecdot
from .decompositions import (
    adjoint,
    cholesky,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    matrices,
    qr,
    square_matrices,
    svd,
    svdvals,
)
from .diagonals import diagonal as _diagonal
from .diagonals import trace as _trace
from .elementwise import astype
from .manipulation import (
    matrix_transpose,
    moveaxis,
    ravel,
    reshape,
    stack,
    transpose,
    zeros_like,
)
from .norms import cond, matrix_norm, matrix_rank, norm, vector_norm
from .reductions import count_nonzero
from .reductions import max as max_
from .reductions import sum as sum_

LinAlgError = np.linalg.LinAlgError

__all__ = [
    "LinAlgError",
    "cholesky",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "lstsq",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "multi_dot",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "svd",
    "svdvals",
    "tensordot",
    "tensorinv",
    "tensorsolve",
    "trace",
    "vecdot",
    "vector_norm",
]


class SlogdetResult(NamedTuple):
    """The sign of a determinant and the logarithm of its absolute value."""

    sign: Any
    logabsdet: Any


# ---- parts of matrices, and products


def diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """The diagonal of each matrix."""
    return _diagonal(x, offset, -2, -1)


def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """The sum over the diagonal of each matrix."""
    return _trace(x, offset, -2, -1, dtype)


def outer(x1: Any, x2: Any, /) -> Any:
    """The product of every element of one vector with every element of another, as a matrix."""
    x, y = array(x1), array(x2)
    if x.ndim != 1 or y.ndim != 1:
        raise ShapeError(
            f"outer takes two vectors, but got the shapes {tuple(x.shape)} and {tuple(y.shape)}."
        )
    return contraction.outer(x, y)


def tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Any:
    """The sum over pairs of axes: the last n of x1 with the first n of x2, or the listed ones."""
    return contraction.tensordot(x1, x2, axes)


def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """The vector product of vectors of three elements along an axis."""
    x, y = array(x1), array(x2)
    if x.shape[axis_of(axis, x.ndim, "cross")] != 3 or y.shape[axis_of(axis, y.ndim, "cross")] != 3:
        raise ShapeError(
            f"cross needs three elements along axis {axis}, but got the shapes {tuple(x.shape)} "
            f"and {tuple(y.shape)}."
        )
    x, y = moveaxis(x, axis, 0), moveaxis(y, axis, 0)
    turns = ((1, 2), (2, 0), (0, 1))
    return moveaxis(stack([x[i] * y[j] - x[j] * y[i] for i, j in turns]), 0, axis)


def multi_dot(arrays: Sequence[Any]) -> Any:
    """The product of several matrices, in the order that takes the fewest multiplications.

    The first may be a vector, as a row, and the last, as a column.
    """
    parts = [array(a) for a in arrays]
    if len(parts) < 2:
        raise ValueError("multi_dot takes at least two arrays.")
    last = len(parts) - 1
    for i, x in enumerate(parts):
        if x.ndim != 2 and not (x.ndim == 1 and i in (0, last)):
            raise ShapeError(
                "multi_dot takes matrices, and vectors at both ends, but got the shapes "
                + ", ".join(str(tuple(p.shape)) for p in parts)
            )
    sizes = [1 if parts[0].ndim == 1 else parts[0].shape[0]]
    sizes += [x.shape[0] for x in parts[1:]]
    sizes.append(1 if parts[last].ndim == 1 else parts[last].shape[-1])
    splits = _cheapest_splits(sizes)

    def product(i: int, j: int) -> Any:
        if i == j:
            return parts[i]
        k = splits[i, j]
        return contraction.dot(product(i, k), product(k + 1, j))

    return product(0, last)


def _cheapest_splits(sizes: Sequence[int]) -> dict[tuple[int, int], int]:
    """Where to split each run i..j of a chain of matrices of sizes[i] rows, to multiply least."""
    count = len(sizes) - 1
    cost = {(i, i): 0 for i in range(count)}
    splits = {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            costs = {
                k: cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1]
                for k in range(i, j)
            }
            splits[i, j] = min(costs, key=costs.__getitem__)
            cost[i, j] = costs[splits[i, j]]
    return splits


def matrix_power(a: Any, n: int) -> Any:
    """a @ a @ ... @ a, n times; of the inverse for negative n."""
    a, n = square_matrices("matrix_power", a), operator.index(n)
    if n == 0:
        return zeros_like(a) + np.eye(a.shape[-1], dtype=a.dtype)
    if n == 1:
        return a
    if n < 0:
        a, n = inv(a), -n
    out = None
    while True:
        if n % 2:
            out = a if out is None else bind(contract.matmul, (out, a))
        n //= 2
        if not n:
            return out
        a = bind(contract.matmul, (a, a))


# ---- equations, inverses and determinants


def solve(a: Any, b: Any) -> Any:
    """x with a @ x = b. b is a vector if 1-d, else a stack of matrices."""
    return _solved("solve", ops.solve, a, b, {})


def solve_triangular(
    a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False
) -> Any:
    """x with a @ x = b, of a triangular a: SciPy's function of this name, on stacks too.

    a is upper triangular, or `lower`; the other triangle is not read, and with `unit_diagonal` the
    diagonal is taken as 1. `trans` is 0 for a, 1 ("T") for its transpose, 2 ("C") for the
    conjugate of that. b is a vector if 1-d, else a stack of matrices.

    >>> import gradarg as ga, numpy as np
    >>> low = np.array([[2.0, 0.0], [1.0, 4.0]])
    >>> ga.linalg.solve_triangular(low, np.array([2.0, 9.0]), lower=True)
    array([1., 2.])
    """
    if trans not in (0, 1, 2, "N", "T", "C"):
        raise ValueError(f"solve_triangular: trans is 0, 1, 2, 'N', 'T' or 'C', not {trans!r}.")
    a = square_matrices("solve_triangular", a)
    if trans in (1, "T"):
        a = matrix_transpose(a)
    elif trans in (2, "C"):
        a = adjoint(a)
    turned = trans not in (0, "N")
    form = {"lower": bool(lower) is not turned, "unit": bool(unit_diagonal)}
    return _solved("solve_triangular", triangular.solve_triangular, a, b, form)


def _solved(name: str, primitive: Any, a: Any, b: Any, params: dict[str, Any]) -> Any:
    a, b = square_matrices(name, a), array(b)
    vector = b.ndim == 1
    if b.ndim == 0 or b.shape[0 if vector else -2] != a.shape[-1]:
        raise ShapeError(
            f"{name}: a of shape {tuple(a.shape)} and b of shape {tuple(b.shape)} "
            "differ in the number of rows."
        )
    if vector:
        b = bind(structure.reshape, (b,), {"shape": (*b.shape, 1)})
    x = bind(primitive, (a, b), params)
    return bind(structure.reshape, (x,), {"shape": x.shape[:-1]}) if vector else x


def inv(a: Any) -> Any:
    """The inverse matrix. To solve equations, `solve` is faster and more exact."""
    return bind(ops.inv, (square_matrices("inv", a),))


def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """x with tensordot(a, x, x.ndim) = b; the axes of a that `axes` lists are moved last first."""
    a, b = array(a), array(b)
    if axes is not None:
        moved = [axis_of(i, a.ndim, "tensorsolve") for i in axes]
        a = transpose(a, [i for i in range(a.ndim) if i not in moved] + moved)
    shape = tuple(a.shape[b.ndim :]) if b.ndim else tuple(a.shape)
    size = math.prod(shape)
    if a.size != size**2 or b.size != size:
        raise ShapeError(
            f"tensorsolve: a of shape {tuple(a.shape)} maps no arrays onto those of b's shape "
            f"{tuple(b.shape)} one to one."
        )
    return reshape(solve(reshape(a, (size, size)), ravel(b)), shape)


def tensorinv(a: Any, ind: int = 2) -> Any:
    """The inverse of x -> tensordot(a, x), which sums over the axes of a from `ind` on."""
    a, ind = array(a), operator.index(ind)
    if ind <= 0:
        raise ValueError(f"tensorinv: ind is a positive number of axes, not {ind}.")
    rows, columns = tuple(a.shape[:ind]), tuple(a.shape[ind:])
    size = math.prod(columns)
    if math.prod(rows) != size:
        raise ShapeError(
            f"tensorinv: the axes before and after {ind} of the shape {tuple(a.shape)} hold "
            f"{math.prod(rows)} and {size} elements; they must be as many."
        )
    return reshape(inv(reshape(a, (size, size))), columns + rows)


def det(a: Any) -> Any:
    """The determinant. Its first two derivatives are right for singular matrices too.

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(np.linalg.det)(np.array([[1.0, 2.0], [2.0, 4.0]])).round(12)
    array([[ 4., -2.],
           [-2.,  1.]])
    """
    return bind(ops.det, (square_matrices("det", a),))


def slogdet(a: Any) -> SlogdetResult:
    """The sign of the determinant, a constant, and the logarithm of its absolute value.

    The sign of a complex determinant is det / |det|, which varies. The derivative needs an
    invertible matrix, and raises for others.
    """
    return SlogdetResult(*bind(ops.slogdet, (square_matrices("slogdet", a),)))


# ---- pseudoinverses and least squares

_UNSET: Any = object()


def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = _UNSET) -> Any:
    """The Moore-Penrose pseudoinverse.

    Singular values of at most rcond (or rtol) times the largest count as 0: by default 1e-15 times,
    with rtol=None max(m, n) * eps times. With `hermitian`, one triangle of a is read.

    The derivative is that of matrices of the same rank; among others the pseudoinverse has jumps.
    """
    a = matrices("pinv", a)
    if rcond is not None and rtol is not _UNSET:
        raise ValueError("pinv takes rcond or rtol, not both.")
    limit = rtol if rcond is None else rcond
    if limit is _UNSET:
        limit = 1e-15
    elif limit is None:
        limit = max(a.shape[-2:]) * _eps(a)
    elif not isinstance(limit, (int, float)):
        limit = bind(structure.stop_gradient, (array(limit),))[..., None, None]
    if not isinstance(limit, (int, float)) or limit > math.sqrt(_eps(a)):
        # what is cut off varies too: it is more than rounding
        u, s, _ = svd(a, full_matrices=False, hermitian=hermitian)
        least = (limit if isinstance(limit, (int, float)) else limit[..., 0]) * s[..., :1]
        kept = bind(elementwise.CONSTANT["greater"], (s, least))
        u = bind(elementwise.multiply, (u, kept[..., None, :]))
        a = matmul(u, matmul(adjoint(u), _lower(a) if hermitian else a))
    return bind(ops.pinv, (a, limit), {"hermitian": hermitian})


def _lower(a: Any) -> Any:
    """The Hermitian matrix whose lower triangle a holds."""
    n = a.shape[-1]
    return bind(elementwise.where, (np.tri(n, dtype=bool), a, adjoint(a)))


def _eps(a: Any) -> float:
    return float(np.finfo(a.dtype if a.dtype.kind in "fc" else float).eps)


def lstsq(a: Any, b: Any, rcond: Any = None) -> tuple[Any, Any, Any, Any]:
    """The x of least norm among those of least |b - a @ x|: x, residuals, rank and singular values.

    Singular values of at most rcond times the largest count as 0: by default max(m, n) * eps times,
    with -1 eps times. The residuals are the sums of squares of each column, if a has more rows than
    columns and full rank, else empty; inside vmap and stage, where the rank is not known, it is
    taken to be full. The derivative of x is that at constant rank.
    """
    a, b = array(a), array(b)
    if a.ndim != 2 or b.ndim not in (1, 2) or a.shape[0] != b.shape[0]:
        raise ShapeError(
            f"lstsq takes a matrix and as many rows on the right, but got the shapes "
            f"{tuple(a.shape)} and {tuple(b.shape)}."
        )
    m, n = a.shape
    limit = max(m, n) * _eps(a) if rcond is None else _eps(a) if rcond < 0 else float(rcond)
    x = matmul(pinv(a, limit), b)
    s = svdvals(a)
    rank: Any = 0
    if min(m, n):
        rank = count_nonzero(bind(elementwise.CONSTANT["greater"], (s, limit * max_(s))))
    rest = bind(elementwise.subtract, (b, matmul(a, x)))
    rest = reshape(bind(elementwise.absolute, (rest,)), (m, math.prod(b.shape[1:])))
    residuals = sum_(bind(elementwise.square, (rest,)), 0)
    known = peek(rank)
    full = m > n and (known is None or known == n)
    return x, residuals if full else residuals[:0], astype(rank, np.intc), s
