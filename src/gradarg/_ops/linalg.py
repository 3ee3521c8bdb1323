"""Linear algebra on stacks of matrices.

Sources: M. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic
differentiation" (2008); I. Murray, "Differentiation of the Cholesky decomposition" (2016).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core.errors import ShapeError
from .._core.primitive import Primitive, aligned, general
from .._core.trace import ShapeDtype


def _square(name: str, a: Any) -> None:
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ShapeError(f"{name} needs square matrices, but got the shape {a.shape}.")


def _float(*args: Any) -> Any:
    return np.result_type(*(a.dtype for a in args), np.float32)


def _same(name: str) -> Any:
    def shape(a: Any) -> ShapeDtype:
        _square(name, a)
        return ShapeDtype(a.shape, _float(a))

    return shape


def _scalar(name: str) -> Any:
    def shape(a: Any) -> ShapeDtype:
        _square(name, a)
        return ShapeDtype(a.shape[:-2], _float(a))

    return shape


def _solve_shape(a: Any, b: Any) -> ShapeDtype:
    _square("solve", a)
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return ShapeDtype(lead + b.shape[-2:], _float(a, b))


def _solve_jvp(tangents: Any, o: Any, a: Any, b: Any) -> Any:
    da, db = tangents
    if da is None:
        return solve(a, db)
    return solve(a, -(da @ o) if db is None else db - da @ o)


def _trace(x: Any, y: Any) -> Any:
    """trace(x @ y) of each pair of matrices."""
    return np.sum(x * y.mT, (-2, -1))


def _outer(g: Any) -> Any:
    return g[..., None, None]


solve: Primitive = general(  # b is a stack of matrices too
    "solve",
    np.linalg.solve,
    vjp=[lambda g, o, a, _b: -(solve(a.mT, g) @ o.mT), lambda g, _o, a, _b: solve(a.mT, g)],
    jvp=_solve_jvp,
    batch=aligned,
    shape=_solve_shape,
)

inv = general(
    "inv",
    np.linalg.inv,
    vjp=[lambda g, o, _a: -(o.mT @ g @ o.mT)],
    jvp=lambda ts, o, _a: -(o @ ts[0] @ o),
    batch=aligned,
    shape=_same("inv"),
)

det = general(
    "det",
    np.linalg.det,
    vjp=[lambda g, o, a: _outer(g * o) * inv(a).mT],
    jvp=lambda ts, o, a: o * _trace(inv(a), ts[0]),
    batch=aligned,
    shape=_scalar("det"),
)

slogdet = general(
    "slogdet",
    lambda a: tuple(np.linalg.slogdet(a)),
    vjp=[lambda g, _o, a: _outer(g[1]) * inv(a).mT],
    jvp=lambda ts, _o, a: (None, _trace(inv(a), ts[0])),
    batch=aligned,
    multi=True,
    shape=lambda a: (_scalar("slogdet")(a), _scalar("slogdet")(a)),
)


def _lower_half(x: Any) -> Any:
    """The lower triangle with half of the diagonal: Phi of Murray, equation 6."""
    n = x.shape[-1]
    mask = np.tri(n, dtype=x.dtype) - 0.5 * np.eye(n, dtype=x.dtype)
    return x * mask


def _cholesky_vjp(g: Any, o: Any, _a: Any) -> Any:
    middle = _lower_half(o.mT @ g)
    left = solve(o.mT, middle)
    whole = solve(o.mT, left.mT).mT
    return 0.5 * (whole + whole.mT)  # NumPy reads one triangle; the derivative is symmetric


def _cholesky_jvp(tangents: Any, o: Any, _a: Any) -> Any:
    t = tangents[0]
    inner = solve(o, solve(o, 0.5 * (t + t.mT)).mT).mT
    return o @ _lower_half(inner)


cholesky = general(
    "cholesky",
    np.linalg.cholesky,
    vjp=[_cholesky_vjp],
    jvp=_cholesky_jvp,
    batch=aligned,
    shape=_same("cholesky"),
)
