"""Triangular matrices: systems of them, and the Cholesky decomposition.

Both run in blocks of `BLOCK` rows, so that nearly all of the work is done by products of matrices.

Sources: I. Murray, "Differentiation of the Cholesky decomposition" (2016); J. Du Croz, N. Higham,
"Stability of methods for matrix inversion" (1992), for the inverses of the blocks on the diagonal.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._core.primitive import Primitive, aligned, general
from .._core.trace import ShapeDtype
from .linalg import adjoint, check_square, conjugate, floating, hermitian_part
from .structure import reshape

BLOCK = 32

# ---- x with a @ x = b, of which a is one triangle; b is a stack of matrices too


def _triangle(a: Any, lower: bool, unit: bool) -> Any:
    """The triangle that is read of a; `unit`: without its diagonal."""
    return np.tril(a, -int(unit)) if lower else np.triu(a, int(unit))


def _solve(a: Any, b: Any, lower: bool, unit: bool) -> Any:
    n, dtype = a.shape[-1], floating(a, b)
    if not unit and not np.all(np.diagonal(a, axis1=-2, axis2=-1)):
        raise np.linalg.LinAlgError("solve_triangular: a diagonal has a zero: a singular matrix.")
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    out = np.empty((*lead, *b.shape[-2:]), dtype)
    starts = range(0, n, BLOCK)
    for start in starts if lower else reversed(starts):
        here = slice(start, min(start + BLOCK, n))
        done = slice(0, start) if lower else slice(here.stop, n)
        rest = b[..., here, :] - a[..., here, done] @ out[..., done, :]
        square = _triangle(a[..., here, here], lower, unit)
        if unit:
            square = square + np.eye(square.shape[-1], dtype=square.dtype)
        out[..., here, :] = (
            np.linalg.inv(square) @ rest if b.shape[-1] > BLOCK else np.linalg.solve(square, rest)
        )
    return out


def _solve_vjp(g: Any, o: Any, a: Any, _b: Any, lower: bool, unit: bool) -> Any:
    db = solve_triangular(a.mT, g, lower=not lower, unit=unit)
    return -_triangle(db @ o.mT, lower, unit)


def _solve_jvp(tangents: Any, o: Any, a: Any, b: Any, lower: bool, unit: bool) -> Any:
    da, db = tangents
    if da is not None:
        moved = _triangle(da, lower, unit) @ o
        db = -moved if db is None else db - moved
    return solve_triangular(a, db, lower=lower, unit=unit)


def _solve_batch(p: Primitive, n: int, mapped: Any, args: Any, k: Any) -> Any:
    """One matrix for all right sides: these are more columns of one."""
    a, b = args
    if mapped[0] or a.ndim > 2:
        return aligned(p, n, mapped, args, k)
    turned = np.moveaxis(b, -2, 0)
    x = p(a, reshape(turned, shape=(len(a), math.prod(turned.shape[1:]))), **k)
    return np.moveaxis(reshape(x, shape=turned.shape), 0, -2)


def _solve_shape(a: Any, b: Any, lower: bool, unit: bool) -> ShapeDtype:
    check_square("solve_triangular", a)
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return ShapeDtype(lead + b.shape[-2:], floating(a, b))


solve_triangular: Primitive = general(
    "solve_triangular",
    _solve,
    vjp=[
        _solve_vjp,
        lambda g, _o, a, _b, lower, unit: solve_triangular(a.mT, g, lower=not lower, unit=unit),
    ],
    jvp=_solve_jvp,
    batch=_solve_batch,
    shape=_solve_shape,
)


# ---- a = low @ adjoint(low), and back


def _lower_half(x: Any) -> Any:
    """The lower triangle with half of the diagonal: Phi of Murray, equation 6."""
    n = x.shape[-1]
    mask = np.tri(n, dtype=x.dtype) - 0.5 * np.eye(n, dtype=x.dtype)
    return x * mask


def _congruent(a: Any, x: Any, lower: bool) -> Any:
    """inv(a) @ x @ inv(adjoint(a)), of a triangle a."""
    left = solve_triangular(a, x, lower=lower, unit=False)
    return adjoint(solve_triangular(a, adjoint(left), lower=lower, unit=False))


def _pull(g: Any, low: Any) -> Any:
    """S = hermitian_part(congruent(adjoint(low), lower_half(adjoint(low) @ g))), block by block.

    What S says of the columns of a block is that, below the diagonal of 2 * S @ low, there is g;
    it holds for the last columns first. g and low are lower triangles.
    """
    n = low.shape[-1]
    s = np.empty(np.broadcast_shapes(g.shape, low.shape), np.result_type(g, low))
    for start in reversed(range(0, n, BLOCK)):
        here = slice(start, min(start + BLOCK, n))
        past = slice(here.stop, n)
        corner, below = np.tril(low[..., here, here]), low[..., past, here]
        inverse = np.linalg.inv(corner)
        c = (0.5 * g[..., past, here] - s[..., past, past] @ below) @ inverse
        s[..., past, here], s[..., here, past] = c, adjoint(c)
        inner = adjoint(corner) @ (0.5 * np.tril(g[..., here, here]) - adjoint(c) @ below)
        t = adjoint(inverse) @ _lower_half(inner) @ inverse
        s[..., here, here] = t + adjoint(t)
    return s


def _pull_jvp(tangents: Any, o: Any, g: Any, low: Any) -> Any:
    """By adjoint(low) @ m @ low = x, of which each factor moves."""
    dg, dlow = tangents
    if dlow is None:
        return cholesky_pullback(dg, low)
    low, dlow = np.tril(low), np.tril(dlow)
    upper = adjoint(low)
    m = _congruent(upper, _lower_half(upper @ g), lower=False)
    dx = adjoint(dlow) @ g if dg is None else adjoint(dlow) @ g + upper @ dg
    moved = adjoint(dlow) @ m @ low + upper @ m @ dlow
    return hermitian_part(_congruent(upper, _lower_half(dx) - moved, lower=False))


def _push(t: Any, low: Any) -> Any:
    """The tangent of low along t, of which _pull is the transpose."""
    return low @ _lower_half(_congruent(low, hermitian_part(t), lower=True))


def _pull_vjp(h: Any, o: Any, g: Any, low: Any) -> Any:
    low = np.tril(low)
    w = _congruent(low, hermitian_part(conjugate(h)), lower=True)
    return conjugate(np.tril(g @ adjoint(_lower_half(w)) - 2 * (o @ (low @ w))))


cholesky_pullback: Primitive = general(  # of both the lower triangles are read
    "cholesky_pullback",
    _pull,
    vjp=[lambda h, _o, _g, low: conjugate(_push(conjugate(h), np.tril(low))), _pull_vjp],
    jvp=_pull_jvp,
    batch=aligned,
    shape=lambda g, low: ShapeDtype(
        np.broadcast_shapes(g.shape, low.shape), np.result_type(g.dtype, low.dtype)
    ),
)


def _cholesky_shape(a: Any) -> ShapeDtype:
    check_square("cholesky", a)
    return ShapeDtype(a.shape, floating(a))


cholesky = general(  # NumPy reads one triangle; the derivative is symmetric
    "cholesky",
    np.linalg.cholesky,
    vjp=[lambda g, o, _a: conjugate(cholesky_pullback(conjugate(g), o))],
    jvp=lambda ts, o, _a: _push(ts[0], o),
    batch=aligned,
    shape=_cholesky_shape,
)
