"""`ga.linalg`: linear algebra on matrices and stacks of them, under NumPy's names."""

from __future__ import annotations

from typing import Any, NamedTuple

from .._core.errors import ShapeError
from .._core.trace import bind
from .._ops import linalg as ops
from .._ops import structure
from .arguments import array
from .contraction import matmul, outer, tensordot, vecdot
from .manipulation import diagonal as _diagonal
from .manipulation import matrix_transpose
from .manipulation import trace as _trace

__all__ = [
    "cholesky",
    "det",
    "diagonal",
    "inv",
    "matmul",
    "matrix_transpose",
    "outer",
    "slogdet",
    "solve",
    "tensordot",
    "trace",
    "vecdot",
]


class SlogdetResult(NamedTuple):
    """The sign of a determinant and the logarithm of its absolute value."""

    sign: Any
    logabsdet: Any


def _matrices(name: str, a: Any) -> Any:
    a = array(a)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ShapeError(f"{name} needs square matrices, but got the shape {tuple(a.shape)}.")
    return a


def diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """The diagonal of each matrix."""
    return _diagonal(x, offset, -2, -1)


def trace(x: Any, /, *, offset: int = 0) -> Any:
    """The sum over the diagonal of each matrix."""
    return _trace(x, offset, -2, -1)


def solve(a: Any, b: Any) -> Any:
    """x with a @ x = b. b is a vector if 1-d, else a stack of matrices."""
    a, b = _matrices("solve", a), array(b)
    vector = b.ndim == 1
    if b.shape[0 if vector else -2] != a.shape[-1]:
        raise ShapeError(
            f"solve: a of shape {tuple(a.shape)} and b of shape {tuple(b.shape)} "
            "differ in the number of rows."
        )
    if vector:
        b = bind(structure.reshape, (b,), {"shape": (*b.shape, 1)})
    x = bind(ops.solve, (a, b))
    return bind(structure.reshape, (x,), {"shape": x.shape[:-1]}) if vector else x


def inv(a: Any) -> Any:
    """The inverse matrix. To solve equations, `solve` is faster and more exact."""
    return bind(ops.inv, (_matrices("inv", a),))


def det(a: Any) -> Any:
    """The determinant. Its derivative needs an invertible matrix."""
    return bind(ops.det, (_matrices("det", a),))


def slogdet(a: Any) -> SlogdetResult:
    """The sign of the determinant, a constant, and the logarithm of its absolute value."""
    return SlogdetResult(*bind(ops.slogdet, (_matrices("slogdet", a),)))


def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """The lower triangular L with a = L @ L.T, of a symmetric positive definite matrix.

    The derivative is the symmetric one: that of a when both triangles move together.
    """
    lower = bind(ops.cholesky, (_matrices("cholesky", a),))
    return matrix_transpose(lower) if upper else lower
