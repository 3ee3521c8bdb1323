"""Linear algebra on stacks of matrices.

Sources: M. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic
differentiation" (2008).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._core.errors import DerivativeError, ShapeError
from .._core.primitive import Primitive, aligned, general
from .._core.trace import ShapeDtype
from . import structure
from .structure import Axes, batch_reduction, keep, reduced


def check_square(name: str, a: Any) -> None:
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ShapeError(f"{name} needs square matrices, but got the shape {a.shape}.")


def floating(*args: Any) -> Any:
    """The dtype in which LAPACK works on these."""
    floats = (a.dtype if a.dtype.kind in "fc" else np.float64 for a in args)
    return np.result_type(*floats, np.float32)


def _same(name: str) -> Any:
    def shape(a: Any) -> ShapeDtype:
        check_square(name, a)
        return ShapeDtype(a.shape, floating(a))

    return shape


def _scalar(name: str) -> Any:
    def shape(a: Any) -> ShapeDtype:
        check_square(name, a)
        return ShapeDtype(a.shape[:-2], floating(a))

    return shape


def _solve_shape(a: Any, b: Any) -> ShapeDtype:
    check_square("solve", a)
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return ShapeDtype(lead + b.shape[-2:], floating(a, b))


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


def conjugate(x: Any) -> Any:
    return np.conjugate(x) if x.dtype.kind == "c" else x


def adjoint(x: Any) -> Any:
    return conjugate(x.mT)


def hermitian_part(x: Any) -> Any:
    return 0.5 * (x + adjoint(x))


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


def _around(s: Any) -> tuple[Any, Any]:
    """For each element the product of those before it, and of those after it."""
    one = np.ones_like(s[..., :1])
    before = np.multiply.accumulate(np.concatenate([one, s[..., :-1]], -1), axis=-1)
    back = np.concatenate([one, s[..., :0:-1]], -1)
    return before, np.multiply.accumulate(back, axis=-1)[..., ::-1]


def _cofactor(a: Any) -> Any:
    """det(a) * inv(a).T; near singular matrices, and there, by the singular values."""
    with np.errstate(all="ignore"):
        try:
            inverse = np.linalg.inv(a)
        except np.linalg.LinAlgError:
            pass
        else:
            sizes = (np.max(np.sum(np.abs(x), -2), -1, initial=0) for x in (a, inverse))
            if np.all(math.prod(sizes) * np.finfo(inverse.dtype).eps ** (1 / 3) < 1):
                return _outer(np.linalg.det(a)) * inverse.mT
    u, s, vh = np.linalg.svd(a)
    before, after = _around(s)
    sign = np.linalg.det(u) * np.linalg.det(vh)
    return np.conjugate(u * (before * after)[..., None, :]) @ np.conjugate(vh) * _outer(sign)


def _inverse(name: str, a: Any) -> Any:
    try:
        return inv(a)
    except np.linalg.LinAlgError:
        raise DerivativeError(
            f"The derivative of {name} needs invertible matrices, but one of {tuple(a.shape)} is "
            "singular."
        ) from None


def _but_two(s: Any) -> Any:
    """For each pair i != j the product of all elements of s but these two; for i = j 0."""
    before, after = _around(s)
    place = np.arange(s.shape[-1])
    last = np.concatenate([np.ones_like(s[..., :1]), s[..., :-1]], -1)[..., None, :]
    inside = np.where(place > place[:, None] + 1, last, 1)
    between = np.multiply.accumulate(inside, axis=-1)  # of the elements after i and before j
    above = np.triu(before[..., :, None] * between * after[..., None, :], 1)
    return above + above.mT


def _minors(a: Any, t: Any) -> Any:
    """The derivative of the cofactors along t, by that of a diagonal matrix: nothing divides."""
    u, s, vh = np.linalg.svd(a)
    rest, e = _but_two(s), adjoint(u) @ t @ adjoint(vh)
    diagonal = np.sum(rest * np.diagonal(e, axis1=-2, axis2=-1)[..., None, :], -1)
    inner = np.eye(s.shape[-1], dtype=s.dtype) * diagonal[..., None] - rest * e.mT
    return np.conjugate(u) @ inner @ np.conjugate(vh) * _outer(np.linalg.det(u) * np.linalg.det(vh))


def _third(a: Any, t: Any, da: Any) -> Any:
    """The derivative of minors(a, t) along da, by the inverse: symmetric in t and da."""
    d, b = det(a), _inverse("det, to the third order,", a).mT
    slope, db = np.sum(b * da, (-2, -1)), -(b @ da.mT @ b)
    bt, dbt = np.sum(b * t, (-2, -1)), np.sum(db * t, (-2, -1))
    now = _outer(bt) * b - b @ t.mT @ b
    change = _outer(dbt) * b + _outer(bt) * db - db @ t.mT @ b - b @ t.mT @ db
    return _outer(d) * (_outer(slope) * now + change)


def _minors_jvp(tangents: Any, _o: Any, a: Any, t: Any) -> Any:
    da, dt = tangents
    if da is None:
        return minors(a, dt)
    return _third(a, t, da) if dt is None else _third(a, t, da) + minors(a, dt)


def _minors_shape(a: Any, t: Any) -> ShapeDtype:
    check_square("minors", a)
    return ShapeDtype(np.broadcast_shapes(a.shape, t.shape), floating(a, t))


minors: Primitive = general(
    "minors",
    _minors,
    vjp=[lambda g, _o, a, t: _third(a, t, g), lambda g, _o, a, _t: minors(a, g)],
    jvp=_minors_jvp,
    batch=aligned,
    shape=_minors_shape,
)

cofactor = general(
    "cofactor",
    _cofactor,
    vjp=[lambda g, _o, a: minors(a, g)],  # the second derivative of det is symmetric
    jvp=lambda ts, _o, a: minors(a, ts[0]),
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
    return _outer(whole) * _inverse("slogdet", a).mT


def _slogdet_jvp(tangents: Any, o: Any, a: Any) -> Any:
    t = _trace(_inverse("slogdet", a), tangents[0])
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


# ---- the length of vectors; where it is 0, so is its derivative


def _length(x: Any, axis: Axes) -> Any:
    squares = np.square(x.real) + np.square(x.imag) if x.dtype.kind == "c" else np.square(x)
    return np.sqrt(np.add.reduce(squares, axis=axis))


def _length_vjp(g: Any, o: Any, x: Any, axis: Axes) -> Any:
    g, o = keep(g, axis, x.ndim), keep(o, axis, x.ndim)
    none = o == 0
    return np.where(none, 0, g * (conjugate(x) / np.where(none, 1, o)))


def _length_jvp(tangents: Any, o: Any, x: Any, axis: Axes) -> Any:
    along = structure.sum(np.real(conjugate(x) * tangents[0]), axis=axis)
    none = o == 0
    return np.where(none, 0, along / np.where(none, 1, o))


length = general(
    "length",
    _length,
    vjp=[_length_vjp],
    jvp=_length_jvp,
    batch=batch_reduction,
    shape=lambda x, axis: ShapeDtype(reduced(x, axis, False), np.empty(0, x.dtype).real.dtype),
)

# ---- the pseudoinverse, at constant rank


def _pinv_impl(a: Any, rtol: Any, hermitian: bool) -> Any:
    if np.ndim(rtol) == 0:
        return np.linalg.pinv(a, rtol, hermitian)
    lead = np.broadcast_shapes(a.shape[:-2], rtol.shape[:-2])
    return np.linalg.pinv(np.broadcast_to(a, lead + a.shape[-2:]), rtol[..., 0, 0], hermitian)


def _pinv_vjp(g: Any, o: Any, a: Any, _rtol: Any, hermitian: bool) -> Any:
    p, ph, gh = o, adjoint(o), g.mT  # the adjoint of the conjugate of g
    x, y = gh @ (p @ ph), (ph @ p) @ gh
    found = (x - a @ (p @ x)) + (y - (y @ p) @ a) - ph @ conjugate(g) @ ph
    return conjugate(hermitian_part(found) if hermitian else found)


def _pinv_jvp(tangents: Any, o: Any, a: Any, _rtol: Any, hermitian: bool) -> Any:
    p, ph = o, adjoint(o)
    t = hermitian_part(tangents[0]) if hermitian else tangents[0]
    th = adjoint(t)
    x, y = (p @ ph) @ th, th @ (ph @ p)
    return (x - (x @ a) @ p) + (y - p @ (a @ y)) - p @ t @ p


def _pinv_shape(a: Any, rtol: Any, hermitian: bool) -> ShapeDtype:
    lead = np.broadcast_shapes(a.shape[:-2], np.shape(rtol)[:-2])
    return ShapeDtype((*lead, a.shape[-1], a.shape[-2]), floating(a))


# G. Golub, V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems
# whose variables separate" (1973), equation 4.12: right as long as the rank stays what it is
pinv = general(
    "pinv",
    _pinv_impl,
    vjp=[_pinv_vjp, None],
    jvp=_pinv_jvp,
    batch=aligned,
    shape=_pinv_shape,
)
