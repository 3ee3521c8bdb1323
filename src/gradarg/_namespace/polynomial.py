"""Polynomials by their coefficients, highest power first, under NumPy's names.

Leading coefficients that are zero stay: NumPy drops them in products and quotients, but they have
derivatives. The result is the same polynomial.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .._core.errors import ShapeError
from .._core.trace import bind, peek
from .._ops import elementwise as ops
from .._ops import polynomial, structure
from . import elementwise, reductions
from .arguments import array
from .calculus import convolve
from .elementwise import astype
from .indexing import getitem
from .linalg import eigvals, inv, lstsq
from .manipulation import atleast_1d, broadcast_to, concatenate, ravel, reshape, transpose

__all__ = [
    "poly",
    "polyadd",
    "polyder",
    "polydiv",
    "polyfit",
    "polyint",
    "polymul",
    "polysub",
    "polyval",
    "roots",
    "vander",
]


def _coefficients(p: Any, name: str) -> Any:
    p = atleast_1d(array(p))
    if p.ndim != 1:
        raise ShapeError(f"{name}: coefficients stand in a row, not in the shape {tuple(p.shape)}.")
    return p


def polyval(p: Any, x: Any) -> Any:
    """p[0] * x**(n - 1) + ... + p[n - 1], by Horner's rule.

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(lambda p: np.polyval(p, 3.0))(np.array([1.0, 2.0, 5.0]))
    array([9., 3., 1.])
    """
    p, x = array(p), array(x)
    kind = np.result_type(p.dtype, x.dtype)
    if not p.shape[0]:
        return x * 0
    rows = [getitem(p, k) for k in range(p.shape[0])]
    y = astype(broadcast_to(rows[0], np.broadcast_shapes(rows[0].shape, x.shape)), kind)
    for row in rows[1:]:
        y = y * x + row
    return y


def _padded(a1: Any, a2: Any, name: str) -> tuple[Any, Any]:
    """Both as long as the longer one, by zeros in front."""
    a, b = _coefficients(a1, name), _coefficients(a2, name)
    n = max(a.shape[0], b.shape[0])
    a, b = (bind(structure.pad, (c,), {"widths": ((n - c.shape[0], 0),)}) for c in (a, b))
    return a, b


def polyadd(a1: Any, a2: Any) -> Any:
    """The sum of two polynomials."""
    a, b = _padded(a1, a2, "polyadd")
    return a + b


def polysub(a1: Any, a2: Any) -> Any:
    """The difference of two polynomials."""
    a, b = _padded(a1, a2, "polysub")
    return a - b


def polymul(a1: Any, a2: Any) -> Any:
    """The product of two polynomials: the convolution of their coefficients."""
    return convolve(_coefficients(a1, "polymul"), _coefficients(a2, "polymul"))


def polydiv(u: Any, v: Any) -> tuple[Any, Any]:
    """(quotient, remainder) of two polynomials; u = quotient * v + remainder.

    The remainder has as many coefficients as its degree can need, one less than v.
    """
    u, v = _coefficients(u, "polydiv") + 0.0, _coefficients(v, "polydiv") + 0.0
    kind, n = np.result_type(u.dtype, v.dtype), v.shape[0]
    u = astype(u, kind, copy=False)
    if u.shape[0] < n:
        return getitem(u * 0, slice(1)), elementwise.positive(u)
    first, rest = getitem(v, 0), getitem(v, slice(1, None))
    digits = []
    for _ in range(u.shape[0] - n + 1):
        digit = getitem(u, 0) / first
        digits.append(reshape(digit, (1,)))
        front = getitem(u, slice(1, n)) - digit * rest
        u = concatenate([front, getitem(u, slice(n, None))])
    return concatenate(digits), u if n > 1 else reshape(first * 0, (1,))


def polyder(p: Any, m: int = 1) -> Any:
    """The coefficients of the m-th derivative."""
    p = _coefficients(p, "polyder")
    if m < 0:
        raise ValueError(f"polyder: the order must not be negative, not {m}; see polyint.")
    for _ in range(int(m)):
        n = p.shape[0]
        powers = np.arange(n - 1, 0, -1)
        p = getitem(p, slice(n - 1)) * powers
    return p


def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """The coefficients of the m-th integral, with the integration constants k (or zeros)."""
    p = _coefficients(p, "polyint")
    if m < 0:
        raise ValueError(f"polyint: the order must not be negative, not {m}; see polyder.")
    constants = np.zeros(m) if k is None else ravel(array(k))
    if constants.shape[0] == 1 and m > 1:
        constants = broadcast_to(constants, (m,))
    if constants.shape[0] < m:
        raise ValueError(f"polyint: {constants.shape[0]} constants for {m} integrals.")
    for i in range(int(m)):
        p = p / np.arange(p.shape[0], 0, -1)
        p = concatenate([p, getitem(constants, slice(i, i + 1))])
    return p


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """The matrix of the powers of x, N of them, in columns; the highest first unless increasing."""
    x = array(x)
    if x.ndim != 1:
        raise ValueError(f"vander: x must be 1-d, not of shape {tuple(x.shape)}.")
    powers = np.arange(x.shape[0] if N is None else N)
    powers = powers if increasing else powers[::-1]
    kind = np.promote_types(x.dtype, int)
    return elementwise.power(astype(reshape(x, (-1, 1)), kind, copy=False), powers.astype(kind))


def polyfit(
    x: Any,
    y: Any,
    deg: int,
    rcond: float | None = None,
    full: bool = False,
    w: Any = None,
    cov: Any = False,
) -> Any:
    """The polynomial of a degree with the least sum of squares of w * (y - p(x)).

    Returns its coefficients; with `full` also the residuals, rank, singular values and rcond; with
    `cov` also their covariance matrix. Derivatives are those of `linalg.lstsq`.

    >>> import gradarg as ga, numpy as np
    >>> x = np.array([0.0, 1.0, 2.0])
    >>> ga.jacobian(lambda y: np.polyfit(x, y, 1)[0])(np.array([1.0, 3.0, 4.0])).round(6) + 0.0
    array([-0.5,  0. ,  0.5])
    """
    order = int(deg) + 1
    x, y = array(x) + 0.0, array(y) + 0.0
    if order < 1:
        raise ValueError(f"polyfit: the degree must not be negative, not {deg}.")
    if x.ndim != 1 or not x.size or y.ndim not in (1, 2) or y.shape[0] != x.shape[0]:
        raise TypeError(
            "polyfit takes x in a row, not empty, and y of the same length (or its columns), not "
            f"the shapes {tuple(x.shape)} and {tuple(y.shape)}."
        )
    if rcond is None:
        rcond = x.shape[0] * np.finfo(x.dtype).eps
    left, right = vander(x, order), y
    if w is not None:
        w = array(w) + 0.0
        if w.shape != x.shape:
            raise TypeError(f"polyfit: weights of shape {tuple(w.shape)} for {x.shape[0]} points.")
        left = left * reshape(w, (-1, 1))
        right = right * (reshape(w, (-1, 1)) if y.ndim == 2 else w)
    scale = elementwise.sqrt(reductions.sum(left * left, 0))
    left = left / scale
    c, residuals, rank, singular = lstsq(left, right, rcond)
    c = c / (reshape(scale, (-1, 1)) if y.ndim == 2 else scale)
    known = peek(rank)
    if not full and known is not None and known != order:
        message = "Polyfit may be poorly conditioned"
        warnings.warn(message, np.exceptions.RankWarning, stacklevel=2)
    if full:
        return c, residuals, rank, singular, rcond
    if not cov:
        return c
    base = inv(transpose(left) @ left) / (reshape(scale, (-1, 1)) * scale)
    if isinstance(cov, str) and cov == "unscaled":
        return c, base if y.ndim == 1 else reshape(base, (*base.shape, 1))
    if x.shape[0] <= order:
        raise ValueError(
            f"polyfit: the covariance needs more points than coefficients, but there are "
            f"{x.shape[0]} for {order}. cov='unscaled' leaves the residuals out."
        )
    factor = residuals / (x.shape[0] - order)
    return c, base * factor if y.ndim == 1 else reshape(base, (*base.shape, 1)) * factor


def roots(p: Any) -> Any:
    """The roots of a polynomial, as NumPy orders them; real numbers if all of them are real.

    Derivatives, up to the seventh, are those of simple roots: dz = -dp(z) / p'(z); of a root that
    occurs twice they are infinite. Inside vmap and stage the roots are complex numbers, and the
    leading coefficient must not be zero.

    >>> import gradarg as ga, numpy as np
    >>> ga.jacobian(np.roots)(np.array([1.0, -3.0, 2.0])).round(6)
    array([[-4., -2., -1.],
           [ 1.,  1.,  1.]])
    """
    p = ravel(p)
    z = bind(polynomial.roots, (bind(structure.stop_gradient, (p,)),))
    known = peek(z)
    if known is not None and not np.any(known.imag):
        z = elementwise.real(z)
    if p.dtype.kind not in "fc":
        return z
    # each step of Newton's method doubles the number of derivatives of z that are right
    rest = bind(structure.stop_gradient, (polyval(p, z),))
    slope = astype(polyder(p), p.dtype, copy=False)
    for _ in range(3):
        with np.errstate(divide="ignore", invalid="ignore"):
            inverse = elementwise.reciprocal(polyval(slope, z))
        z = z - bind(ops.product, (polyval(p, z) - rest, inverse))
    return z


def poly(seq_of_zeros: Any) -> Any:
    """The coefficients of the polynomial with these roots, or the characteristic one of a matrix.

    >>> import gradarg as ga, numpy as np
    >>> ga.jacobian(np.poly)(np.array([1.0, 2.0]))
    array([[ 0.,  0.],
           [-1., -1.],
           [ 2.,  1.]])
    """
    z, real_matrix = atleast_1d(array(seq_of_zeros)), False
    if z.ndim == 2 and z.shape[0] == z.shape[1] and z.shape[0]:
        real_matrix, z = z.dtype.kind != "c", eigvals(z)
    elif z.ndim != 1:
        raise ValueError(f"poly takes roots in a row or a square matrix, not {tuple(z.shape)}.")
    if not z.shape[0]:
        return np.float64(1.0)
    z = z if z.dtype.kind in "fc" else astype(z, float)
    out = np.ones(1, z.dtype)
    for k in range(z.shape[0]):
        out = convolve(out, concatenate([np.ones(1, z.dtype), -getitem(z, slice(k, k + 1))]))
    values = peek(z)
    paired = real_matrix or (
        values is not None and np.all(np.sort(values) == np.sort(np.conjugate(values)))
    )
    return elementwise.real(out) if z.dtype.kind == "c" and paired else out
