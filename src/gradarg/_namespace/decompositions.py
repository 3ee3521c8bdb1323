"""Decompositions of matrices and of stacks of them, under NumPy's names: a part of `ga.linalg`.

The vectors of eigh, eig and svd are defined up to a phase (real ones up to a sign), and up to a
rotation among those of equal values. Derivatives are right for functions that do not depend on
that freedom. At eigenvalues or singular values that are equal but for rounding they are right for
functions of the values alone, of the vectors alone (through the spaces they span), and of the
vectors of other values; a function that takes both, such as V f(w) V.H, needs more than first
derivatives know there, and raises `DerivativeError` going backward; going forward, and inside vmap
and stage, the tangents of such vectors are NaN.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._core.errors import DerivativeError, ShapeError
from .._core.trace import Box, bind, peek
from .._ops import decompositions as ops
from .._ops import elementwise, triangular
from .arguments import array
from .contraction import matmul
from .elementwise import where
from .indexing import take_along_axis
from .manipulation import concatenate, flip, matrix_transpose
from .reductions import argsort, sort

__all__ = [
    "cholesky",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "qr",
    "svd",
    "svdvals",
]


class EigResult(NamedTuple):
    """Eigenvalues, and the eigenvectors as columns."""

    eigenvalues: Any
    eigenvectors: Any


class EighResult(NamedTuple):
    """Eigenvalues in rising order, and the eigenvectors as columns."""

    eigenvalues: Any
    eigenvectors: Any


class QRResult(NamedTuple):
    """Orthonormal columns Q and the upper triangular R."""

    Q: Any
    R: Any


class SVDResult(NamedTuple):
    """Singular vectors U (columns), singular values S in falling order, Vh (rows)."""

    U: Any
    S: Any
    Vh: Any


def matrices(name: str, a: Any) -> Any:
    """An array of at least two dimensions."""
    a = array(a)
    if a.ndim < 2:
        raise ShapeError(f"{name} needs matrices, but got the shape {tuple(a.shape)}.")
    return a


def square_matrices(name: str, a: Any) -> Any:
    """An array whose last two axes have one length."""
    a = array(a)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ShapeError(f"{name} needs square matrices, but got the shape {tuple(a.shape)}.")
    return a


def adjoint(x: Any) -> Any:
    """The conjugate transpose of each matrix."""
    x = matrix_transpose(x)
    return bind(elementwise.conjugate, (x,)) if x.dtype.kind == "c" else x


# ---- cholesky and qr


def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """The lower triangular L with a = L @ L.H, of a Hermitian positive definite matrix.

    With `upper`, the upper triangular U with a = U.H @ U. One triangle of a is read; the derivative
    is the symmetric one: that of a when both triangles move together.
    """
    a = square_matrices("cholesky", a)
    if upper:
        return matrix_transpose(bind(triangular.cholesky, (matrix_transpose(a),)))
    return bind(triangular.cholesky, (a,))


def qr(a: Any, mode: str = "reduced") -> Any:
    """Q with orthonormal columns and the upper triangular R, with a = Q @ R.

    `mode` is "reduced" (Q of shape (m, min(m, n))), "complete" (of shape (m, m)), or "r" for R
    alone. The derivative needs linearly independent columns (of a wide matrix, the first m). The
    columns that complete Q have one for functions of the space that they span together.

    "raw", LAPACK's reflectors, is for arrays without derivative.

    >>> import gradarg as ga, numpy as np
    >>> a = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> ga.grad(lambda a: np.log(np.abs(np.prod(np.diag(np.linalg.qr(a, "r"))))))(a)
    array([[-2. ,  1.5],
           [ 1. , -0.5]])
    """
    a = matrices("qr", a)
    if mode == "raw" and not isinstance(a, Box):
        return np.linalg.qr(a, "raw")
    if mode == "raw":
        raise DerivativeError(
            "qr with mode='raw' gives LAPACK's reflectors, which have no derivative rule. Use "
            "mode='reduced', or call it on t.detach().value."
        )
    if mode not in ("reduced", "complete", "r"):
        raise ValueError(f"qr: mode={mode!r} is not one of 'reduced', 'complete', 'r', 'raw'.")
    m, n = a.shape[-2:]
    q, r = bind(ops.qr, (a[..., :m],), {"complete": mode == "complete" and m > n})
    if n > m:
        r = concatenate([r, matmul(adjoint(q), a[..., m:])], -1)
    return r if mode == "r" else QRResult(q, r)


# ---- eigenvalues


def _triangle(name: str, uplo: str) -> dict[str, str]:
    if uplo.upper() not in ("L", "U"):
        raise ValueError(f"{name}: UPLO={uplo!r} is not one of 'L', 'U'.")
    return {"uplo": uplo.upper()}


def eigh(a: Any, UPLO: str = "L") -> EighResult:
    """Eigenvalues and eigenvectors of a Hermitian matrix: a @ v = v @ diag(w).

    With T = v.H @ da @ v: dw = diag(T), and dv = v @ (T / (w[j] - w[i]), 0 on the diagonal). One
    triangle of a is read; the derivative is the symmetric one: that of a when both move together.

    Where eigenvalues are equal, and where a function depends on the phase of complex vectors, see
    the text of `ga.linalg`'s decompositions: what is not determined is refused.

    >>> import gradarg as ga, numpy as np
    >>> largest = lambda a: np.linalg.eigh(a)[0][-1]
    >>> ga.grad(largest)(np.array([[2.0, 1.0], [1.0, 2.0]]))
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    a = square_matrices("eigh", a)
    return EighResult(*bind(ops.eigh, (a,), {**_triangle("eigh", UPLO), "alone": False}))


def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """The eigenvalues of a Hermitian matrix, in rising order.

    Where some are equal, derivatives are right for functions in which these count alike, such as
    sums of f(w).
    """
    return bind(ops.eigvalsh, (square_matrices("eigvalsh", a),), _triangle("eigvalsh", UPLO))


_ALWAYS_COMPLEX = np.lib.NumpyVersion(np.__version__) >= "2.5.0"  # NumPy's own eig is, since then


def _real_if_all_are(a: Any, w: Any, *others: Any) -> tuple[Any, ...]:
    known = None if _ALWAYS_COMPLEX or a.dtype.kind == "c" else peek(w)
    if known is None or np.any(np.imag(known)):
        return w, *others
    return tuple(bind(elementwise.real, (x,)) for x in (w, *others))


def eig(a: Any) -> EigResult:
    """Eigenvalues and eigenvectors of a square matrix: a @ v = v @ diag(w).

    With T = inv(v) @ da @ v: dw = diag(T), and dv = v @ (T / (w[j] - w[i]), 0 on the diagonal), of
    which each column is then kept at the length 1 and its largest component real, as LAPACK has
    it. The result is complex; before NumPy 2.5, as there, real if all eigenvalues of a real matrix
    are (but not inside vmap and stage, where values are not known). A defective matrix has no
    derivative: raises.
    """
    a = square_matrices("eig", a)
    return EigResult(*_real_if_all_are(a, *bind(ops.eig, (a,), {"alone": False})))


def eigvals(a: Any) -> Any:
    """The eigenvalues of a square matrix, in no special order; real or complex as in `eig`."""
    a = square_matrices("eigvals", a)
    return _real_if_all_are(a, bind(ops.eigvals, (a,)))[0]


# ---- singular values


def svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    """Singular vectors and values: a = U @ diag(S) @ Vh; with compute_uv=False the values alone.

    With `full_matrices`, U and Vh are square; what completes them has a derivative for functions
    of the space that it spans. With `hermitian`, one triangle of a is read, as by `eigh`.

    Where singular values are equal or 0, and where a function depends on the phase of complex
    vectors, see the text of `ga.linalg`'s decompositions: what is not determined is refused.

    >>> import gradarg as ga, numpy as np
    >>> def nearest_rotation(a):
    ...     u, _, vh = np.linalg.svd(a)
    ...     return u @ vh
    >>> ga.jvp(nearest_rotation, (np.diag([2.0, 1.0]),), (np.array([[0.0, 3.0], [0.0, 0.0]]),))[1]
    array([[ 0.,  1.],
           [-1.,  0.]])
    """
    if not compute_uv:
        return _hermitian_svdvals(a) if hermitian else svdvals(a)
    if hermitian:
        w, v = eigh(a)
        sizes = bind(elementwise.absolute, (w,))
        order = flip(argsort(sizes), -1)
        below = take_along_axis(bind(elementwise.CONSTANT["signbit"], (w,)), order, -1)
        v = take_along_axis(v, order[..., None, :], -1)
        vh = adjoint(where(below[..., None, :], -v, v))
        return SVDResult(v, take_along_axis(sizes, order, -1), vh)
    return SVDResult(
        *bind(ops.svd, (matrices("svd", a),), {"full": bool(full_matrices), "alone": False})
    )


def _hermitian_svdvals(a: Any) -> Any:
    return flip(sort(bind(elementwise.absolute, (eigvalsh(a),))), -1)


def svdvals(x: Any, /) -> Any:
    """The singular values, in falling order. The derivative of those that are 0 is 0.

    Where some are equal, derivatives are right for functions in which these count alike, such as
    sums of f(s).
    """
    return bind(ops.svdvals, (matrices("svdvals", x),))
