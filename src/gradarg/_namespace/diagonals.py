"""Diagonals and triangles of matrices, under NumPy's names."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core.errors import ShapeError
from .._core.trace import Box, bind
from .._ops import elementwise, structure
from .arguments import array, axis_of, refuse_out
from .elementwise import astype
from .indexing import getitem
from .manipulation import moveaxis, ravel, shape
from .views import link

__all__ = [
    "diag",
    "diag_indices_from",
    "diagflat",
    "diagonal",
    "trace",
    "tril",
    "tril_indices_from",
    "triu",
    "triu_indices_from",
]


def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonal of two axes, as a new last axis."""
    return _diagonal("diagonal", a, offset, axis1, axis2)


def _diagonal(name: str, a: Any, offset: int, axis1: int, axis2: int) -> Any:
    a = array(a)
    axes = [axis_of(i, a.ndim, name) for i in (axis1, axis2)]
    moved = moveaxis(a, axes, (-2, -1))
    rows, columns = moved.shape[-2:]
    start = (max(-offset, 0), max(offset, 0))
    k = np.arange(max(0, min(rows - start[0], columns - start[1])))
    out = getitem(moved, (Ellipsis, k + start[0], k + start[1]))
    if isinstance(out, Box) and isinstance(a, Box):
        link(out, a, diagonal, {"offset": offset, "axis1": axis1, "axis2": axis2})
    return out


def diag(v: Any, k: int = 0) -> Any:
    """The diagonal of a matrix, or the matrix with a given diagonal."""
    v = array(v)
    if v.ndim == 2:
        return diagonal(v, k)
    if v.ndim != 1:
        raise ShapeError(f"diag takes 1 or 2 dimensions, not the shape {tuple(v.shape)}.")
    n, i = v.shape[0] + abs(k), np.arange(v.shape[0])
    return bind(structure.scatter_add, (v, i + max(-k, 0), i + max(k, 0)), {"shape": (n, n)})


def diagflat(v: Any, k: int = 0) -> Any:
    """The matrix with all elements of v on its k-th diagonal."""
    return diag(ravel(v), k)


def trace(
    a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: None = None
) -> Any:
    """The sum over the diagonal of two axes."""
    refuse_out("trace", out)
    d = _diagonal("trace", a, offset, axis1, axis2)
    d = d if dtype is None else astype(d, dtype, copy=False)
    total = bind(structure.sum, (d,), {"axis": (d.ndim - 1,)})
    return total if dtype is None else astype(total, dtype, copy=False)


def diag_indices_from(arr: Any) -> tuple[Any, ...]:
    """The positions of the main diagonal of an array whose axes are equally long."""
    dims = shape(arr)
    if len(dims) < 2 or len(set(dims)) > 1:
        raise ShapeError(f"diag_indices_from needs equal lengths of two or more axes, not {dims}.")
    return np.diag_indices(dims[0], len(dims))


def tril_indices_from(arr: Any, k: int = 0) -> tuple[Any, ...]:
    """The positions of the lower triangle of a matrix, up to its k-th diagonal."""
    rows, columns = _matrix("tril_indices_from", arr)
    return np.tril_indices(rows, k, columns)


def triu_indices_from(arr: Any, k: int = 0) -> tuple[Any, ...]:
    """The positions of the upper triangle of a matrix, from its k-th diagonal on."""
    rows, columns = _matrix("triu_indices_from", arr)
    return np.triu_indices(rows, k, columns)


def _matrix(name: str, arr: Any) -> tuple[int, int]:
    dims = shape(arr)
    if len(dims) != 2:
        raise ShapeError(f"{name} takes a matrix, not the shape {dims}.")
    return dims[0], dims[1]


def tril(m: Any, k: int = 0) -> Any:
    """The lower triangle of the last two axes, zeros above the k-th diagonal."""
    return _masked(m, lambda rows, columns=None: np.tri(rows, columns, k, dtype=bool))


def triu(m: Any, k: int = 0) -> Any:
    """The upper triangle of the last two axes, zeros below the k-th diagonal."""
    return _masked(m, lambda rows, columns=None: ~np.tri(rows, columns, k - 1, dtype=bool))


def _masked(m: Any, mask: Any) -> Any:
    m = array(m)
    return bind(elementwise.where, (mask(*m.shape[-2:]), m, np.zeros((), m.dtype)))
