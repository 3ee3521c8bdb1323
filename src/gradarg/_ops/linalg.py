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


def _adjoint(x: Any) -> Any:
    return np.conjugate(x.mT) if x.dtype.kind == "c" else x.mT


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


def _cofactor(a: Any) -> Any:
    """det(a) * inv(a).T, by the singular values, and so for singular matrices too."""
    u, s, vh = np.linalg.svd(a)
    one = np.ones((*s.shape[:-1], 1), s.dtype)
    before = np.multiply.accumulate(np.concatenate([one, s], -1)[..., :-1], axis=-1)
    back = np.concatenate([s, one], -1)[..., :0:-1]
    after = np.multiply.accumulate(back, axis=-1)[..., ::-1]
    sign = np.linalg.det(u) * np.linalg.det(vh)
    return np.conjugate(u * (before * after)[..., None, :]) @ np.conjugate(vh) * _outer(sign)


def _cofactor_vjp(g: Any, o: Any, a: Any) -> Any:
    b = inv(a).mT
    return _outer(np.sum(g * o, (-2, -1))) * b - o @ g.mT @ b


def _cofactor_jvp(tangents: Any, o: Any, a: Any) -> Any:
    b, t = inv(a).mT, tangents[0]
    return _outer(np.sum(b * t, (-2, -1))) * o - b @ t.mT @ o


cofactor = general(
    "cofactor",
    _cofactor,
    vjp=[_cofactor_vjp],
    jvp=_cofactor_jvp,
    batch=aligned,
    shape=_same("cofactor"),
)

det = general(
    "det",
    np.linalg.det,
    vjp=[lambda g, _o, a: _outer(g) * cofactor(a)],
    jvp=lambda ts, _o, a: np.sum(cofactor(a) * ts[0], (-2, -1)),
    batch=aligned,
    shape=_scalar("det"),
)


def _slogdet_vjp(g: Any, o: Any, a: Any) -> Any:
    whole = g[1]
    if a.dtype.kind == "c":  # the sign is e**(i phi): d(log |det| + i phi) = trace(inv(a) @ da)
        whole = whole - np.real(g[0] * o[0] * 1j) * 1j
    return _outer(whole) * inv(a).mT


def _slogdet_jvp(tangents: Any, o: Any, a: Any) -> Any:
    t = _trace(inv(a), tangents[0])
    return (o[0] * (np.imag(t) * 1j) if a.dtype.kind == "c" else None, np.real(t))


def _slogdet_shape(a: Any) -> tuple[ShapeDtype, ShapeDtype]:
    sign = _scalar("slogdet")(a)
    return sign, ShapeDtype(sign.shape, np.empty(0, sign.dtype).real.dtype)


slogdet = general(
    "slogdet",
    lambda a: tuple(np.linalg.slogdet(a)),
    vjp=[_slogdet_vjp],
    jvp=_slogdet_jvp,
    batch=aligned,
    multi=True,
    shape=_slogdet_shape,
)


def _lower_half(x: Any) -> Any:
    """The lower triangle with half of the diagonal: Phi of Murray, equation 6."""
    n = x.shape[-1]
    mask = np.tri(n, dtype=x.dtype) - 0.5 * np.eye(n, dtype=x.dtype)
    return x * mask


def _cholesky_vjp(g: Any, o: Any, _a: Any) -> Any:
    upper, g = _adjoint(o), np.conjugate(g)
    left = solve(upper, _lower_half(upper @ g))
    whole = _adjoint(solve(upper, _adjoint(left)))
    # NumPy reads one triangle; the derivative is symmetric
    return np.conjugate(0.5 * (whole + _adjoint(whole)))


def _cholesky_jvp(tangents: Any, o: Any, _a: Any) -> Any:
    t = tangents[0]
    inner = _adjoint(solve(o, _adjoint(solve(o, 0.5 * (t + _adjoint(t))))))
    return o @ _lower_half(inner)


cholesky = general(
    "cholesky",
    np.linalg.cholesky,
    vjp=[_cholesky_vjp],
    jvp=_cholesky_jvp,
    batch=aligned,
    shape=_same("cholesky"),
)
