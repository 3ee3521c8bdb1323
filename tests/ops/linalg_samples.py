"""Samples of linear algebra: matrices well away from singular ones, and from equal eigenvalues.

The vectors of complex eigh and svd have no definite phase, and random cotangents would depend on
it: `test_decompositions.py` has functions in which it is lost.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from gradarg._ops import decompositions, linalg, triangular
from tests.ops.sample import Sample, scaled

RANDOM = np.random.default_rng(11)  # values of its own: decompositions have many places to avoid


def values(shape: tuple[int, ...]) -> Any:
    return RANDOM.uniform(-1.5, 1.5, shape)


def _matrix(*lead: int, n: int = 3) -> Any:
    return values((*lead, n, n)) + 3.5 * np.eye(n)


def _complex(*lead: int) -> Any:
    return _matrix(*lead) + 0.6j * _matrix(*lead)


def _rectangle(m: int, n: int, *lead: int) -> Any:
    return values((*lead, m, n)) + np.eye(m, n) * [3, -5, 8, 12][:n]


def _symmetric(a: Any, *rest: Any) -> tuple[Any, ...]:
    return ((a + np.conjugate(a.mT)) * 0.5, *rest)


def samples() -> Iterator[Sample]:
    yield from _of_square_matrices()
    yield from _solutions()
    yield from _triangular_solutions()
    yield from _eigenvalues()
    yield from _singular_values()
    yield from _triangles()
    yield from _pseudoinverses()
    yield from _lengths()


# ---- determinants and inverses


def _cofactor(a: Any) -> Any:
    return np.linalg.det(a)[..., None, None] * np.linalg.inv(a).mT


def _minors(a: Any, t: Any) -> Any:
    """The derivative of the cofactors, by Jacobi's formula."""
    b = np.linalg.inv(a).mT
    along = np.sum(b * t, (-2, -1))[..., None, None] * b - b @ t.mT @ b
    return np.linalg.det(a)[..., None, None] * along


def _of_square_matrices() -> Iterator[Sample]:
    for name in ("inv", "det", "slogdet", "cholesky", "cofactor"):
        primitive = getattr(triangular if name == "cholesky" else linalg, name)
        reference = _cofactor if name == "cofactor" else getattr(np.linalg, name)
        prepare = {"prepare": _symmetric} if name == "cholesky" else {}
        for note, a in {
            "": _matrix(),
            "stack": _matrix(2, 1),
            "one": _matrix(n=1),
            "no matrices": _matrix(0),
            "reversed": _matrix(2).mT[::-1],
            "complex": _complex(),
        }.items():
            if name == "cholesky":
                a = np.conjugate(a.mT) @ a + 0.3 * np.eye(a.shape[-1])
            yield Sample(primitive, reference, (a,), note=note, vary=scaled, **prepare)
    for note, args in {
        "": (_matrix(), values((3, 3))),
        "stack": (_matrix(2, n=2), values((2, 2))),
        "complex": (_complex(), values((3, 3)) + 0.4j),
    }.items():
        yield Sample(linalg.minors, _minors, args, note=note, vary=scaled)


def _solutions() -> Iterator[Sample]:
    for note, a, b in (
        ("", _matrix(), values((3, 2))),
        ("stack", _matrix(2), values((2, 3, 1))),
        ("one matrix", _matrix(), values((2, 3, 2))),
        ("one right side", _matrix(4), values((3, 2))),
        ("crossed", _matrix(2, 1), values((4, 3, 1))),
        ("no right side", _matrix(), values((3, 0))),
        ("complex", _complex(), values((3, 2))),
    ):
        yield Sample(linalg.solve, np.linalg.solve, (a, b), note=note, vary=scaled)


def _triangular_solutions() -> Iterator[Sample]:
    """Also of more rows than a block of the algorithm has, and of more columns."""
    for note, a, b, lower, unit in (
        ("lower", _matrix(), values((3, 2)), True, False),
        ("upper", _matrix(), values((3, 2)), False, False),
        ("unit diagonal", _matrix(), values((3, 1)), True, True),
        ("stack", _matrix(2), values((2, 3, 1)), False, True),
        ("one matrix", _matrix(), values((2, 3, 2)), True, False),
        ("one right side", _matrix(4), values((3, 2)), True, False),
        ("crossed", _matrix(2, 1), values((4, 3, 1)), False, False),
        ("no right side", _matrix(), values((3, 0)), True, False),
        ("nothing", values((0, 0)), values((0, 2)), True, False),
        ("reversed", _matrix(2).mT[::-1], values((3, 2)), True, False),
        ("complex", _complex(), values((3, 2)), False, False),
    ):
        params = {"lower": lower, "unit": unit}
        yield Sample(
            triangular.solve_triangular, _triangle_solved, (a, b), params, note, vary=scaled
        )
    for note, g, low in (
        ("", values((3, 3)), _matrix()),
        ("stack", values((2, 3, 3)), _matrix(2, 1)),
        ("one factor", values((2, 3, 3)), _matrix()),
        ("complex", values((3, 3)) + 0.4j * values((3, 3)), _complex()),
    ):
        yield Sample(
            triangular.cholesky_pullback, _cholesky_pullback, (g, low), note=note, vary=scaled
        )


def _triangle_solved(a: Any, b: Any, lower: bool, unit: bool) -> Any:
    a = np.tril(a) if lower else np.triu(a)
    if unit:
        np.einsum("...ii->...i", a)[...] = 1
    return np.linalg.solve(a, b)


def _cholesky_pullback(g: Any, low: Any) -> Any:
    """Murray, equation 10, with conjugates."""
    low = np.tril(low)
    x = np.tril(np.conjugate(low.mT) @ g)
    np.einsum("...ii->...i", x)[...] /= 2
    inverse = np.linalg.inv(low)
    s = np.conjugate(inverse.mT) @ x @ inverse
    return (s + np.conjugate(s.mT)) / 2


# ---- decompositions


def _eigenvalues() -> Iterator[Sample]:
    apart = np.diag([-4.0, 0.5, 7.0])
    for note, a, uplo in (
        ("", values((3, 3)) + apart, "L"),
        ("stack", values((2, 1, 3, 3)) + apart, "U"),
        ("one", values((1, 1)), "L"),
        ("nothing", values((2, 0, 0)), "L"),
        ("no matrices", values((0, 3, 3)), "L"),
        ("reversed", (values((2, 3, 3)) + apart).mT[::-1], "L"),
    ):
        for name in ("eigh", "eigvalsh"):
            primitive, reference = getattr(decompositions, name), _uplo(name)
            params = {"uplo": uplo} if name == "eigvalsh" else {"uplo": uplo, "alone": False}
            yield Sample(primitive, reference, (a,), params, note, _symmetric, scaled)
    z = 0.5 * values((2, 3, 3)) + 0.3j * values((2, 3, 3)) + apart
    primitive, reference = decompositions.eigvalsh, _uplo("eigvalsh")
    yield Sample(primitive, reference, (z,), {"uplo": "L"}, "complex", _symmetric, scaled)
    turning = np.array([[0.4, -2.0, 0.3], [1.7, 0.2, -0.4], [0.1, 0.6, 3.0]])
    for note, a in {
        "real eigenvalues": values((3, 3)) * 0.5 + apart,
        "complex eigenvalues": turning,
        "stack": np.stack([turning, values((3, 3)) * 0.5 + apart])[:, None],
        "one": values((1, 1)),
        "no matrices": values((0, 3, 3)),
        "complex": z,
    }.items():
        for name in ("eig", "eigvals"):
            primitive, reference = getattr(decompositions, name), _wide(name)
            params = {} if name == "eigvals" else {"alone": False}
            yield Sample(primitive, reference, (a,), params, note, vary=scaled)
    given = values((3, 3)), np.zeros((3, 3), bool)
    yield Sample(decompositions.unmixed, lambda t, _m, name: t, given, {"name": "eigh"})


def _uplo(name: str) -> Any:
    return lambda a, uplo, alone=False: _tuple(getattr(np.linalg, name)(a, uplo))


def _tuple(result: Any) -> Any:
    return tuple(result) if isinstance(result, tuple) else result


def _wide(name: str) -> Any:
    """NumPy's answer, always complex."""

    def reference(a: Any, alone: bool = False) -> Any:
        out = getattr(np.linalg, name)(a)
        dtype = np.result_type(a, np.complex64)
        return tuple(x.astype(dtype) for x in out) if name == "eig" else out.astype(dtype)

    return reference


def _singular_values() -> Iterator[Sample]:
    def svd(a: Any, full: bool, alone: bool) -> Any:
        return tuple(np.linalg.svd(a, full))

    for note, a, full in (
        ("square", _rectangle(3, 3), True),
        ("tall", _rectangle(5, 3), False),
        ("wide", _rectangle(2, 4), False),
        ("one more row", _rectangle(4, 3, 2), True),
        ("one more column", _rectangle(2, 3), True),
        ("stack", _rectangle(2, 3, 2, 1), False),
        ("column", values((3, 1)), False),
        ("no matrices", _rectangle(3, 2, 0), False),
        ("reversed", _rectangle(3, 2, 2).mT[::-1], False),
    ):
        params = {"full": full, "alone": False}
        yield Sample(decompositions.svd, svd, (a,), params, note, vary=scaled)
        if not full:
            yield Sample(decompositions.svdvals, np.linalg.svdvals, (a,), {}, note, vary=scaled)
    z = _rectangle(3, 2, 2) + 0.6j * values((2, 3, 2))
    yield Sample(decompositions.svdvals, np.linalg.svdvals, (z,), {}, "complex", vary=scaled)


def _triangles() -> Iterator[Sample]:
    def qr(a: Any, complete: bool) -> Any:
        return tuple(np.linalg.qr(a, "complete" if complete else "reduced"))

    for note, a, complete in (
        ("square", _rectangle(3, 3), False),
        ("tall", _rectangle(5, 3), False),
        ("complete", _rectangle(4, 3), True),
        ("stack", _rectangle(3, 2, 2, 1), False),
        ("no matrices", _rectangle(3, 2, 0), False),
        ("no columns", values((3, 0)), False),
        ("reversed", _rectangle(2, 3, 2).mT[::-1], False),
        ("complex", _rectangle(3, 2) + 0.6j * values((3, 2)), False),
    ):
        yield Sample(decompositions.qr, qr, (a,), {"complete": complete}, note, vary=scaled)


def _pseudoinverses() -> Iterator[Sample]:
    def pinv(a: Any, rtol: Any, hermitian: bool) -> Any:
        rtol = rtol if np.ndim(rtol) == 0 else rtol[..., 0, 0]
        return np.linalg.pinv(a, rtol, hermitian)

    for note, a in {
        "square": _rectangle(3, 3),
        "tall": _rectangle(4, 2),
        "wide": _rectangle(2, 3, 2),
        "no matrices": _rectangle(3, 2, 0),
        "complex": _rectangle(3, 2, 2) + 0.6j * values((2, 3, 2)),
    }.items():
        yield Sample(linalg.pinv, pinv, (a, 1e-15), {"hermitian": False}, note, vary=scaled)
    limits = np.zeros((2, 1, 1), int)
    params = {"hermitian": False}
    yield Sample(linalg.pinv, pinv, (_matrix(2), limits), params, "limits", vary=scaled)
    yield Sample(
        linalg.pinv, pinv, (_matrix(), 1e-15), {"hermitian": True}, "hermitian", _symmetric, scaled
    )


def _lengths() -> Iterator[Sample]:
    def length(x: Any, axis: Any) -> Any:
        return np.sqrt(np.sum(np.abs(x) ** 2, axis))

    for note, x, axis in (
        ("vector", values((3,)), (0,)),
        ("matrices", values((2, 3, 2)), (0, 2)),
        ("columns", values((3, 2)).T, (0,)),
        ("scalar", values(())[()], ()),
        ("empty", values((0, 3)), (1,)),
        ("complex", values((2, 3)) + 0.4j * values((2, 3)), (1,)),
    ):
        yield Sample(linalg.length, length, (x,), {"axis": axis}, note)
