"""QR, eigenvalue and singular value decompositions of stacks of matrices.

Vectors of a decomposition are free in a phase (of real ones a sign), those of equal values in a
rotation among themselves. Only what does not depend on that freedom has a derivative; here it is
taken so that the vectors do not turn within it. The rules divide by the differences of eigenvalues.
Values that are equal but for rounding have no such quotient:

- Backward, it is 0 where that is the true limit: where the function takes the values alone, or the
  vectors alone (then through the space they span), or neither vector of the pair. Else the limit
  takes more than first derivatives know (in V f(w) V.H it is f'), and the rule refuses.
- Forward, it is 0 where the tangent does not mix the pair, else NaN in the vectors' tangents.

The first derivative of a function of the values is v diag(g) v.H, with the g of all values; the
second has f'' T for a block T of equal values, where the v at hand show f'' times the diagonal of T
alone. So the rules of values take vectors that are `alone`: backward these refuse any equal pair,
forward any that the tangent mixes. Their product with g is one of matrices, where 0 * NaN is NaN.

Inside vmap and stage, where values are not known, refused derivatives are NaN.

Sources: M. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic
differentiation" (2008); Z.-Q. Wan, S.-X. Zhang, "Automatic differentiation for complex valued SVD"
(2019); S. Walter, L. Lehmann, "Algorithmic differentiation of linear algebra functions with
application in optimum experimental design" (2010), for QR.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._core.errors import DerivativeError
from .._core.primitive import Primitive, aligned, elementwise, general
from .._core.trace import ShapeDtype, peek
from .elementwise import quotient
from .linalg import adjoint, check_square, conjugate, floating, hermitian_part, inv, solve

# ---- what the rules share


def _real_of(dtype: Any) -> Any:
    return np.empty(0, dtype).real.dtype


def _eps(x: Any) -> float:
    return float(np.finfo(x.dtype).eps)


def _peak(x: Any, axes: tuple[int, ...] = (-2, -1)) -> Any:
    """The largest |x| of each matrix, or of each vector, with its axes kept; of none, 0."""
    reduce = np.sum if 0 in x.shape[-2:] else np.max
    return reduce(np.abs(x), axis=axes, keepdims=True)


def _rounding(x: Any, axes: tuple[int, ...] = (-2, -1)) -> Any:
    """By how much rounding may move the elements of x: measured, about 2 sqrt(n) eps max|x|."""
    return 5 * math.sqrt(x.shape[-1]) * _eps(x) * _peak(x, axes)


def _diagonal(x: Any) -> Any:
    return np.diagonal(x, axis1=-2, axis2=-1)


def _on_diagonal(x: Any) -> Any:
    return np.eye(x.shape[-1], dtype=x.dtype) * x[..., None, :]


def _differences(x: Any) -> Any:
    """x[j] - x[i], as the element i, j."""
    return x[..., None, :] - x[..., :, None]


def _equal(w: Any) -> Any:
    """Which pairs of values are equal but for rounding; each with itself is."""
    return np.abs(_differences(w)) <= _rounding(w, (-1,))[..., None]


def _unused(g: Any) -> bool:
    """Whether these are the zeros of no size that stand for a cotangent that nothing sent."""
    return isinstance(g, np.ndarray) and not any(g.strides) and not np.any(g)


def _over_differences(x: Any, w: Any, equal: Any) -> Any:
    """x[i, j] / (w[j] - w[i]); 0 for equal pairs."""
    return np.where(equal, 0, x) / np.where(equal, 1, _differences(w))


def _no_second(name: str) -> DerivativeError:
    return DerivativeError(
        f"{name}: a second derivative goes through equal values (equal but for rounding), where "
        "first derivatives do not determine it. For functions of a matrix use np.linalg.inv, "
        "solve, matrix_power, det, slogdet or norm, or np.trace of powers; or move the matrix a "
        "little."
    )


def _unmixed(t: Any, mixed: Any, name: str) -> Any:
    if np.any(mixed):
        raise _no_second(name)
    return np.where(mixed, 0, t)


# t, if nothing is mixed: in a graph or a batch it is the run that knows
unmixed: Primitive = elementwise(
    "unmixed",
    _unmixed,
    lambda g, _o, _t, _m, name: g,
    None,
    shape=lambda t, m, name: ShapeDtype(np.broadcast_shapes(t.shape, m.shape), t.dtype),
)


def _turning(name: str, t: Any, w: Any, alone: bool | str) -> Any:
    """How vectors turn in the plane of each pair, when t is added: NaN if t mixes equal ones.

    In forward mode of forward mode a derivative of 0 would hide the NaN, so that it raises.
    """
    equal = _equal(w)
    mixed = equal & (np.abs(t) > _rounding(t)) & ~np.eye(w.shape[-1], dtype=bool)
    if alone == "forward":
        t = unmixed(t, mixed, name=name)
    known = peek(mixed) if alone else None
    if known is not None and np.any(known):
        raise _no_second(name)
    return np.where(mixed, math.nan, _over_differences(t, w, equal))


def _has_equal(w: Any) -> bool:
    """Whether there are, or may be, values that are equal."""
    known = peek(w)
    return known is None or bool(np.any(np.sum(_equal(known), -1) > 1))


def _determined(
    name: str, free: Any, moved: Any, w: Any, gw: Any, alone: bool | str = False
) -> tuple[Any, Any]:
    """Which pairs are equal, and for which of them the limit is not known; None if for none.

    free    how the function depends on the freedom of each pair: not at all, or it has no value
    moved   how it depends on the vectors of each pair
    gw      the cotangent of the values
    alone   the vectors serve the derivative of values: of no equal pair the limit is known
    """
    equal = _equal(w)
    rough = math.sqrt(_eps(w))
    lost = np.abs(free) > rough * _peak(moved)
    if not _unused(gw):
        apart = np.abs(_differences(gw)) > rough * _peak(gw, (-1,))[..., None]
        lost = lost | (moved != 0) | (moved.mT != 0) | apart
    lost = (lost | bool(alone)) & equal & ~np.eye(w.shape[-1], dtype=bool)
    known = peek(lost)
    if known is None:
        return equal, lost
    if np.any(known) and alone:
        raise _no_second(name)
    if np.any(known):
        raise DerivativeError(
            f"{name}: a derivative goes through the vectors of equal values (equal but for "
            "rounding), where it is not determined: such a vector may be any of the space that "
            "they span together. Functions of the values alone have one (np.linalg.eigvalsh and "
            "svdvals give these), and functions of the spanned spaces alone. For functions of a "
            "matrix use np.linalg.inv, solve, matrix_power, det or slogdet; or move the matrix a "
            "little."
        )
    return equal, None


def _unless(unknown: Any, x: Any) -> Any:
    return x if unknown is None else np.where(unknown, math.nan, x)


def _refuse_phase(name: str, moved: Any) -> None:
    """Complex vectors are free in their phase, and a function of that has no derivative."""
    if moved.dtype.kind != "c":
        return
    known = peek(np.any(np.abs(np.imag(_diagonal(moved))) > 1e-3 * _peak(moved)[..., 0]))
    if known is not None and known:
        raise DerivativeError(
            f"{name}: the result depends on the phase of complex vectors, which is arbitrary: each "
            "may be multiplied by any exp(i phi). Use what does not depend on it, such as "
            "np.abs(v) ** 2 or v @ np.conj(v).T."
        )


# ---- eigh: a = v @ diag(w) @ v.H


def _eigh_vjp(g: Any, o: Any, a: Any, uplo: str, alone: bool | str) -> Any:
    (gw, gv), (w, v) = g, o
    if _unused(gv) and _has_equal(w):
        return _eigvalsh_vjp(gw, None, a, uplo)
    inner = _on_diagonal(gw)
    if not _unused(gv):
        moved = adjoint(v) @ conjugate(gv)
        _refuse_phase("eigh", moved)
        turned = moved - adjoint(moved)
        equal, unknown = _determined("eigh", turned, moved, w, gw, alone)
        inner = _unless(unknown, inner + 0.5 * _over_differences(turned, w, equal))
    return conjugate(hermitian_part(v @ inner @ adjoint(v)))


def _eigh_jvp(tangents: Any, o: Any, a: Any, uplo: str, alone: bool | str) -> Any:
    w, v = o
    t = adjoint(v) @ hermitian_part(tangents[0]) @ v
    slopes = _eigvalsh_jvp(tangents, None, a, uplo) if _has_equal(w) else np.real(_diagonal(t))
    return slopes, v @ _turning("eigh", t, w, alone)


def _eigh_shape(a: Any, uplo: str, alone: bool | str = False) -> tuple[ShapeDtype, ShapeDtype]:
    check_square("eigh", a)
    dtype = floating(a)
    return ShapeDtype(a.shape[:-1], _real_of(dtype)), ShapeDtype(a.shape, dtype)


def _eigvalsh_vjp(g: Any, _o: Any, a: Any, uplo: str) -> Any:
    _, v = eigh(a, uplo=uplo, alone=True)
    return conjugate(hermitian_part(v @ _on_diagonal(g) @ adjoint(v)))


def _eigvalsh_jvp(tangents: Any, _o: Any, a: Any, uplo: str) -> Any:
    _, v = eigh(a, uplo=uplo, alone="forward")
    return np.real(np.sum(conjugate(v) * (hermitian_part(tangents[0]) @ v), -2))


eigh: Primitive = general(
    "eigh",
    lambda a, uplo, alone: tuple(np.linalg.eigh(a, uplo)),
    vjp=[_eigh_vjp],
    jvp=_eigh_jvp,
    batch=aligned,
    multi=True,
    shape=_eigh_shape,
)

eigvalsh = general(
    "eigvalsh",
    lambda a, uplo: np.linalg.eigvalsh(a, uplo),
    vjp=[_eigvalsh_vjp],
    jvp=_eigvalsh_jvp,
    batch=aligned,
    shape=lambda a, uplo: _eigh_shape(a, uplo)[0],
)

# ---- eig: a @ v = v @ diag(w), of any square matrix; always complex here


def _complex_of(a: Any) -> Any:
    return np.result_type(floating(a), np.complex64)


def _eig_impl(a: Any, alone: bool | str) -> tuple[Any, Any]:
    w, v = np.linalg.eig(a)
    dtype = _complex_of(a)
    return w.astype(dtype), v.astype(dtype)


def _largest(v: Any) -> Any:
    """Which component of each vector is the largest: LAPACK makes that one real."""
    return np.argmax(np.abs(v), -2)[..., None, :] == np.arange(v.shape[-1])[:, None]


def _top(v: Any, x: Any) -> Any:
    """Of each column of x the component that is the largest of v."""
    return np.sum(np.where(_largest(v), x, 0), -2, keepdims=True)


def _left(name: str, v: Any) -> Any:
    """The inverse of the eigenvectors: its rows are the left eigenvectors."""
    try:
        left = inv(v)
    except np.linalg.LinAlgError:
        left = None
    size = None if left is None else peek(left)
    if left is None or (size is not None and np.any(np.abs(size) * _eps(v) > 1e-3)):
        raise DerivativeError(
            f"{name}: the matrix has no basis of eigenvectors (it is defective, or too near to "
            "one that is), so its eigenvalues and eigenvectors have no derivative."
        )
    return left


def _eig_vjp(g: Any, o: Any, a: Any, alone: bool | str) -> Any:
    (gw, gv), (w, v) = g, o
    if _unused(gv) and _has_equal(w):
        return _eigvals_vjp(gw, None, a)
    left = _left("eig", v)
    inner = _on_diagonal(conjugate(gw))
    if not _unused(gv):
        gv = conjugate(gv)
        along = np.sum(conjugate(v) * gv, -2, keepdims=True)
        turn = 1j * np.imag(along) / _top(v, v)
        gv = gv - v * np.real(along) - np.where(_largest(v), turn, 0)
        moved = adjoint(v) @ gv
        equal, unknown = _determined("eig", moved, moved, w, gw, alone)
        inner = _unless(unknown, inner + _over_differences(moved, conjugate(w), equal))
    return conjugate(adjoint(left) @ inner @ adjoint(v))


def _eig_jvp(tangents: Any, o: Any, a: Any, alone: bool | str) -> Any:
    w, v = o
    t = _left("eig", v) @ tangents[0] @ v
    d = v @ _turning("eig", t, w, alone)
    d = d - v * np.real(np.sum(conjugate(v) * d, -2, keepdims=True))
    slopes = _eigvals_jvp(tangents, None, a) if _has_equal(w) else _diagonal(t)
    return slopes, d - v * (1j * np.imag(_top(v, d)) / np.real(_top(v, v)))


def _eig_shape(a: Any, alone: bool | str = False) -> tuple[ShapeDtype, ShapeDtype]:
    check_square("eig", a)
    return ShapeDtype(a.shape[:-1], _complex_of(a)), ShapeDtype(a.shape, _complex_of(a))


def _eigvals_vjp(g: Any, _o: Any, a: Any) -> Any:
    _, v = eig(a, alone=True)
    return _left("eigvals", v).mT @ _on_diagonal(g) @ v.mT


def _eigvals_jvp(tangents: Any, _o: Any, a: Any) -> Any:
    _, v = eig(a, alone="forward")
    return np.sum(_left("eigvals", v).mT * (tangents[0] @ v), -2)


eig: Primitive = general(
    "eig", _eig_impl, vjp=[_eig_vjp], jvp=_eig_jvp, batch=aligned, multi=True, shape=_eig_shape
)

eigvals = general(
    "eigvals",
    lambda a: np.linalg.eigvals(a).astype(_complex_of(a)),
    vjp=[_eigvals_vjp],
    jvp=_eigvals_jvp,
    batch=aligned,
    shape=lambda a: _eig_shape(a)[0],
)

# ---- svd: a = u @ diag(s) @ vh. With `full`, u and vh are square, and what is beyond the first
# ---- min(m, n) vectors only completes a basis: it turns with these, not within itself


def _tiny(s: Any) -> Any:
    """Which singular values are 0 but for rounding."""
    return s <= _rounding(s, (-1,))


def _over(x: Any, size: Any, tiny: Any, before: Any) -> Any:
    """x / size, but 0 where size is tiny, and x no more than the rounding of what it was before."""
    noise = tiny & (np.abs(x) <= 10 * _rounding(before))
    return quotient(np.where(noise, 0, x), size)


def _over_sums(x: Any, s: Any) -> Any:
    """x[i, j] / (s[i] + s[j])."""
    tiny = _tiny(s)
    both = tiny[..., None, :] & tiny[..., :, None]
    return _over(x, s[..., None, :] + s[..., :, None], both, x)


def _beyond(x: Any, u: Any) -> Any:
    """The part of x outside the space of u's columns."""
    return x - u @ (adjoint(u) @ x)


def _first(gu: Any, u: Any, k: int) -> tuple[Any, Any]:
    """The first k columns and their cotangent, when the others complete a basis and turn along."""
    u, q, gu, gq = u[..., :k], u[..., k:], gu[..., :k], gu[..., k:]
    return gu - q @ (adjoint(gq) @ u), u


def _svd_vjp(g: Any, o: Any, a: Any, full: bool, alone: bool | str) -> Any:
    (gu, gs, gvh), (u, s, vh) = g, o
    k, m, n = s.shape[-1], u.shape[-2], vh.shape[-1]
    inner = _on_diagonal(gs)
    if _unused(gu) and _unused(gvh):
        if _has_equal(s):
            u, _, vh = svd(a, full=False, alone=True)
        return conjugate(u[..., :k] @ inner @ vh[..., :k, :])
    gu, gv, v = conjugate(gu), adjoint(conjugate(gvh)), adjoint(vh)
    if full:
        gu, u = _first(gu, u, k)
        gv, v = _first(gv, v, k)
    mu, mv = adjoint(u) @ gu, adjoint(v) @ gv
    both, apart = 0.5 * (mu + mv), 0.5 * (mu - mv)
    _refuse_phase("svd", both)
    turned = both - adjoint(both)
    equal, unknown = _determined("svd", turned, np.abs(mu) + np.abs(mv), s, gs, alone)
    inner = inner + _over_differences(turned, s, equal) + _over_sums(apart - adjoint(apart), s)
    found = u @ _unless(unknown, inner)
    tiny = _tiny(s)[..., None, :]
    if m > k:
        found = found + _over(_beyond(gu, u), s[..., None, :], tiny, gu)
    found = found @ adjoint(v)
    if n > k:
        found = found + u @ adjoint(_over(_beyond(gv, v), s[..., None, :], tiny, gv))
    return conjugate(found)


def _svd_jvp(tangents: Any, o: Any, a: Any, full: bool, alone: bool | str) -> Any:
    (u, s, vh), da = o, tangents[0]
    k, m, n = s.shape[-1], u.shape[-2], vh.shape[-1]
    u1, v = u[..., :k], adjoint(vh)
    v1 = v[..., :k]
    av, au = da @ v1, adjoint(da) @ u1
    t = adjoint(u1) @ av
    both, apart = _turning("svd", t + adjoint(t), s, alone), _over_sums(t - adjoint(t), s)
    du, dv = u1 @ (0.5 * (both + apart)), v1 @ (0.5 * (both - apart))
    tiny = _tiny(s)[..., None, :]
    if m > k:
        du = du + _over(_beyond(av, u1), s[..., None, :], tiny, av)
    if n > k:
        dv = dv + _over(_beyond(au, v1), s[..., None, :], tiny, au)
    if full:
        du = np.concatenate([du, -u1 @ (adjoint(du) @ u[..., k:])], -1)
        dv = np.concatenate([dv, -v1 @ (adjoint(dv) @ v[..., k:])], -1)
    slopes = _along(da, *svd(a, full=False, alone="forward")) if _has_equal(s) else _diagonal(t)
    return du, np.real(slopes), adjoint(dv)


def _along(da: Any, u: Any, _s: Any, vh: Any) -> Any:
    """How singular values change when da is added: the diagonal of u.H @ da @ v."""
    return np.sum(conjugate(u) * (da @ adjoint(vh)), -2)


def _svd_shape(
    a: Any, full: bool, alone: bool | str = False
) -> tuple[ShapeDtype, ShapeDtype, ShapeDtype]:
    *lead, m, n = a.shape
    k, dtype = min(m, n), floating(a)
    return (
        ShapeDtype((*lead, m, m if full else k), dtype),
        ShapeDtype((*lead, k), _real_of(dtype)),
        ShapeDtype((*lead, n if full else k, n), dtype),
    )


def _svdvals_vjp(g: Any, _o: Any, a: Any) -> Any:
    u, s, vh = svd(a, full=False, alone=True)
    return conjugate(u @ _on_diagonal(np.where(_tiny(s), 0, g)) @ vh)


def _svdvals_jvp(tangents: Any, _o: Any, a: Any) -> Any:
    u, s, vh = svd(a, full=False, alone="forward")
    return np.where(_tiny(s), 0, np.real(_along(tangents[0], u, s, vh)))


svd: Primitive = general(
    "svd",
    lambda a, full, alone: tuple(np.linalg.svd(a, full)),
    vjp=[_svd_vjp],
    jvp=_svd_jvp,
    batch=aligned,
    multi=True,
    shape=_svd_shape,
)

svdvals = general(
    "svdvals",
    lambda a: np.linalg.svd(a, compute_uv=False),
    vjp=[_svdvals_vjp],
    jvp=_svdvals_jvp,
    batch=aligned,
    shape=lambda a: _svd_shape(a, False)[1],
)

# ---- qr of matrices with at least as many rows as columns: a = q @ r


def _independent(r: Any) -> None:
    known = peek(r)
    if known is not None and known.size:
        size = np.abs(_diagonal(known))
        if np.any(size <= _eps(r) * np.max(size, -1, keepdims=True)):
            raise DerivativeError(
                "qr: the columns are not linearly independent (of a wide matrix, the first ones), "
                "so Q and R have no derivative."
            )


def _mirrored(x: Any) -> Any:
    """Strictly upper triangular x completed to a Hermitian matrix with x's real diagonal."""
    upper = np.triu(x, 1)
    return upper + adjoint(upper) + _on_diagonal(np.real(_diagonal(x)))


def _qr_vjp(g: Any, o: Any, _a: Any, complete: bool) -> Any:
    (gq, gr), (q, r) = g, o
    n = r.shape[-1]
    gq, gr, r = conjugate(gq), conjugate(gr)[..., :n, :], r[..., :n, :]
    _independent(r)
    if complete and q.shape[-1] > n:
        rest = adjoint(q[..., n:]) @ gq[..., n:]
        free = peek(np.any(np.abs(rest - adjoint(rest)) > 1e-3 * _peak(rest)))
        if free is not None and free:
            raise DerivativeError(
                "qr: the result depends on the columns with which mode='complete' completes Q, "
                "beyond the space that they span together, in which they are arbitrary. Use "
                "mode='reduced'."
            )
        gq, q = _first(gq, q, n)
    inner = _mirrored(gr @ adjoint(r) - adjoint(q) @ gq)
    return conjugate(adjoint(solve(r, adjoint(gq + q @ inner))))


def _qr_jvp(tangents: Any, o: Any, _a: Any, complete: bool) -> Any:
    q, r = o
    n = r.shape[-1]
    whole, q, r = q, q[..., :n], r[..., :n, :]
    _independent(r)
    x = solve(r.mT, tangents[0].mT).mT
    c = adjoint(q) @ x
    t = np.triu(c, 1) + adjoint(np.tril(c, -1)) + _on_diagonal(np.real(_diagonal(c)))
    dq, dr = x - q @ t, t @ r
    if complete and whole.shape[-1] > n:
        dq = np.concatenate([dq, -q @ (adjoint(dq) @ whole[..., n:])], -1)
        below = np.zeros((*dr.shape[:-2], whole.shape[-1] - n, n), dr.dtype)
        dr = np.concatenate([dr, below], -2)
    return dq, dr


def _qr_shape(a: Any, complete: bool) -> tuple[ShapeDtype, ShapeDtype]:
    *lead, m, n = a.shape
    k = m if complete else n
    return ShapeDtype((*lead, m, k), floating(a)), ShapeDtype((*lead, k, n), floating(a))


qr = general(
    "qr",
    lambda a, complete: tuple(np.linalg.qr(a, "complete" if complete else "reduced")),
    vjp=[_qr_vjp],
    jvp=_qr_jvp,
    batch=aligned,
    multi=True,
    shape=_qr_shape,
)
