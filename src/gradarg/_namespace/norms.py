"""Norms, condition numbers and ranks, under NumPy's names: a part of `ga.linalg`.

Where a norm has a kink, its derivative is 0 along what is 0 (the norm of a zero vector, a zero
element, a singular value of 0), and equal largest or smallest elements share it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._core.errors import DerivativeError, ShapeError
from .._core.trace import Box, bind
from .._ops import elementwise, structure
from .._ops import linalg as ops
from .arguments import Axis, array, axes_of, axis_of
from .decompositions import eigvalsh, matrices, square_matrices, svdvals
from .elementwise import astype, where
from .manipulation import moveaxis, zeros_like
from .reductions import any as any_
from .reductions import count_nonzero
from .reductions import max as max_
from .reductions import min as min_
from .reductions import sum as sum_

__all__ = ["cond", "matrix_norm", "matrix_rank", "norm", "vector_norm"]


def _floats(x: Any) -> Any:
    x = array(x)
    return x if x.dtype.kind in "fc" else astype(x, float)


def _is_zero(x: Any) -> Any:
    return bind(elementwise.CONSTANT["equal"], (x, 0))


def _root_of_squares(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    out = bind(ops.length, (x,), {"axis": tuple(sorted(axes))})
    if keepdims:
        return bind(structure.reshape, (out,), {"shape": structure.reduced(x, axes, True)})
    return out


def _root_of_powers(x: Any, p: float, axes: tuple[int, ...], keepdims: bool) -> Any:
    """sum(|x|**p)**(1/p), of the elements that are not 0; below p = 0 a single zero makes it 0."""
    zero = _is_zero(x)
    sizes = bind(elementwise.absolute, (where(zero, 1, x),))
    powers = where(zero, 0, bind(elementwise.power_number, (sizes, p)))
    total = sum_(powers, axes, keepdims=keepdims)
    none = _is_zero(total) if p > 0 else any_(zero, axes, keepdims=keepdims)
    root = bind(elementwise.power_number, (where(none, 1, total), 1 / p))
    return where(none, 0, root)


def _largest(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    """The largest of elements that are not negative; 0 if there are none."""
    if math.prod(x.shape[i] for i in axes):
        return max_(x, axes, keepdims=keepdims)
    return sum_(x, axes, keepdims=keepdims)


def _vector(name: str, x: Any, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if ord is None or ord == 2:
        return _root_of_squares(x, axes, keepdims)
    if isinstance(ord, str):
        raise ValueError(f"{name}: ord={ord!r} is no norm of vectors, but of matrices.")
    if ord == 0:
        nonzero = bind(elementwise.CONSTANT["not_equal"], (x, 0))
        real = np.empty(0, x.dtype).real.dtype
        return sum_(astype(nonzero, real), axes, keepdims=keepdims)
    sizes = bind(elementwise.absolute, (x,))
    if ord == math.inf:
        return _largest(sizes, axes, keepdims)
    if ord == -math.inf:
        return min_(sizes, axes, keepdims=keepdims)
    if ord == 1:
        return sum_(sizes, axes, keepdims=keepdims)
    return _root_of_powers(x, float(ord), axes, keepdims)


def _matrix(name: str, x: Any, ord: Any, row: int, column: int, keepdims: bool) -> Any:
    if row == column:
        raise ShapeError(f"{name}: axis names the axis {row} twice.")
    both = (row, column)
    if ord is None or ord in ("fro", "f"):
        return _root_of_squares(x, both, keepdims)
    if ord == "nuc" or ord in (2, -2):
        s = svdvals(moveaxis(x, both, (-2, -1)))
        last = (s.ndim - 1,)
        if ord == "nuc":
            out = sum_(s, last)
        else:
            out = _largest(s, last, False) if ord == 2 else min_(s, last)
    elif ord in (1, -1, math.inf, -math.inf):
        added, chosen = both if abs(ord) == 1 else both[::-1]
        sums = sum_(bind(elementwise.absolute, (x,)), (added,), keepdims=True)
        out = _largest(sums, (chosen,), True) if ord > 0 else min_(sums, (chosen,), keepdims=True)
    else:
        raise ValueError(
            f"{name}: ord={ord!r} is no norm of matrices; these are 'fro', 'nuc', 1, -1, 2, -2, "
            "inf, -inf."
        )
    shape = structure.reduced(x, both, keepdims)
    return bind(structure.reshape, (out,), {"shape": shape})


def _constant_order(name: str, ord: Any) -> None:
    if isinstance(ord, Box):
        raise DerivativeError(f"{name}: ord is a constant; give a number, not a tensor.")


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """The norm of vectors (one axis) or of matrices (two axes); of all elements by default.

    Vectors: ord is any real number, (sum |x|**ord)**(1/ord), with 0 the count of nonzero elements,
    inf and -inf the largest and smallest |x|. Matrices: "fro" (the default), "nuc", 1, -1, 2, -2,
    inf, -inf. The derivative at 0 is 0; ties share it.

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(np.linalg.norm)(np.array([3.0, 4.0]))
    array([0.6, 0.8])
    >>> ga.grad(np.linalg.norm)(np.zeros(2))
    array([0., 0.])
    """
    x = _floats(x)
    _constant_order("norm", ord)
    if axis is None and ord is None:
        return _root_of_squares(x, tuple(range(x.ndim)), keepdims)
    if axis is None:
        axis = tuple(range(x.ndim))
    axes = tuple(axis_of(i, x.ndim, "norm") for i in (axis if isinstance(axis, tuple) else (axis,)))
    if len(axes) == 1:
        return _vector("norm", x, ord, axes, keepdims)
    if len(axes) == 2:
        return _matrix("norm", x, ord, *axes, keepdims)
    raise ShapeError(
        f"norm with ord={ord!r} takes the norm of vectors or of matrices, along one axis or two, "
        f"not {len(axes)}, of the shape {tuple(x.shape)}. Say which: axis=..."
    )


def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """The norm of each matrix: "fro", "nuc", 1, -1, 2, -2, inf or -inf."""
    x = _floats(matrices("matrix_norm", x))
    _constant_order("matrix_norm", ord)
    return _matrix("matrix_norm", x, ord, x.ndim - 2, x.ndim - 1, keepdims)


def vector_norm(x: Any, /, *, axis: Axis = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """The norm over the given axes (all by default), as of one vector; ord as in `norm`."""
    x = _floats(x)
    _constant_order("vector_norm", ord)
    return _vector("vector_norm", x, ord, axes_of(axis, x.ndim, "vector_norm"), keepdims)


def cond(x: Any, p: Any = None) -> Any:
    """The condition number norm(x, p) * norm(inv(x), p); by default of the 2-norm, for any shape.

    For a singular matrix it is infinite, and its derivative has no meaning.
    """
    x = _floats(matrices("cond", x))
    _constant_order("cond", p)
    if 0 in x.shape[-2:]:
        raise ShapeError(f"cond has no meaning for empty matrices of shape {tuple(x.shape)}.")
    if p is None or p in (2, -2):
        s = svdvals(x)
        ends = s[..., 0], s[..., -1]
        large, small = ends if p != -2 else ends[::-1]
        with np.errstate(divide="ignore", invalid="ignore"):
            if p != -2:  # of a zero matrix it is infinite too
                large = where(_is_zero(large), 1, large)
            ratio = bind(elementwise.divide, (large, small))
            unknown = bind(elementwise.CONSTANT["isnan"], (ratio,)) & ~_any_nan(x)
            return where(unknown, math.inf, ratio)
    square_matrices("cond", x)
    axes = (x.ndim - 2, x.ndim - 1)
    with np.errstate(all="ignore"):  # of what is singular, and of NaN
        sign = bind(ops.slogdet, (bind(structure.stop_gradient, (x,)),))[0]
        singular = _is_zero(sign)
        safe = where(singular[..., None, None], np.eye(x.shape[-1], dtype=x.dtype), x)
        inverse = bind(ops.inv, (safe,))
        product = _matrix("cond", x, p, *axes, False) * _matrix("cond", inverse, p, *axes, False)
        out = bind(elementwise.divide, (product, astype(~singular, product.dtype)))
    unknown = bind(elementwise.CONSTANT["isnan"], (out,)) & ~_any_nan(x)
    return where(unknown, math.inf, out)


def _any_nan(x: Any) -> Any:
    return any_(bind(elementwise.CONSTANT["isnan"], (x,)), (x.ndim - 2, x.ndim - 1))


def matrix_rank(
    A: Any,
    tol: Any = None,
    hermitian: bool = False,
    *,
    rtol: Any = None,
) -> Any:
    """The number of singular values above tol; an integer, without derivative.

    By default tol is rtol times the largest one, with rtol = max(m, n) * eps.
    """
    a = bind(structure.stop_gradient, (_floats(A),))
    if a.ndim < 2:
        return astype(any_(bind(elementwise.CONSTANT["not_equal"], (a, 0))), int)
    if tol is not None and rtol is not None:
        raise ValueError("matrix_rank takes tol or rtol, not both.")
    if 0 in a.shape[-2:]:
        return zeros_like(a, dtype=int, shape=a.shape[:-2])
    s = bind(elementwise.absolute, (eigvalsh(a),)) if hermitian else svdvals(a)
    if tol is None:
        default = max(a.shape[-2:]) * float(np.finfo(s.dtype).eps)
        limit = _of_stack(default if rtol is None else rtol) * max_(s, -1, keepdims=True)
    else:
        limit = _of_stack(tol)
    return count_nonzero(bind(elementwise.CONSTANT["greater"], (s, limit)), -1)


def _of_stack(limit: Any) -> Any:
    """A number for each matrix, to compare with its singular values."""
    if isinstance(limit, (int, float)):
        return limit
    limit = bind(structure.stop_gradient, (array(limit),))
    return limit[..., None]
