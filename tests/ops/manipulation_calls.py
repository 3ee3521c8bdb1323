"""Calls of the functions that pad, select, insert, join in blocks and apply along axes."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.ops.call import Call, flat, smooth
from tests.ops.sample import TRUTH, complex_values, values

S, V, M, N, C = values(()), values((4,)), values((3, 4)), values((3, 4)), values((2, 3, 4))
MASK, Z = values((3, 4), TRUTH), complex_values((3, 4))
NONE, INTEGERS = values((0, 4)), np.array([[7, 1, 4], [2, 9, 3]])
HOLES = np.array([0, 0, 15, 0, -25, 0])
SPECIAL = np.array([1.5, np.nan, np.inf, -np.inf])
SINCE_23 = np.lib.NumpyVersion(np.__version__) >= "2.3.0"


def _padded() -> Iterator[Call]:
    wide = ((4, 7), (9, 5))
    for mode in ("edge", "wrap"):
        for width in (1, ((0, 2), (1, 0)), wide):
            yield smooth("pad", M, width, mode)
    for mode in ("reflect", "symmetric"):
        for width in (((0, 2), (1, 0)), wide):
            for kind in ("even", "odd"):
                yield smooth("pad", M, width, mode, reflect_type=kind)
        yield smooth("pad", values((1, 3)), 2, mode, reflect_type="odd")
        yield flat("pad", INTEGERS, 4, mode, reflect_type="odd")
    if SINCE_23:
        yield smooth("pad", M, {1: (2, 1)}, "edge")
        yield smooth("pad", M, {-2: 3})
    for width in (2, (1, 3), ((1, 0), (2, 3)), [[0, 0], [1, 1]], 0):
        yield smooth("pad", M, width)
    for given in (1.5, (1, -2), ((1, 2), (3, 4)), values((2, 2)), values((2, 1)), S):
        yield smooth("pad", M, ((1, 0), (2, 3)), "constant", constant_values=given)
    yield flat("pad", INTEGERS, 1, constant_values=2.7)
    yield smooth("pad", NONE, 2, constant_values=values((2,)))
    yield smooth("pad", M, ((1, 0), (2, 3)), "linear_ramp")
    for given in (-1.0, values((2,)), values((2, 2))):
        yield smooth("pad", M, ((1, 4), (2, 3)), "linear_ramp", end_values=given)
    yield flat("pad", INTEGERS, 3, "linear_ramp", end_values=-4)
    for mode in ("maximum", "mean", "median", "minimum"):
        yield smooth("pad", M, ((1, 0), (2, 3)), mode)
        yield smooth("pad", M, 2, mode, stat_length=((1, 2), (3, 9)))
        yield flat("pad", INTEGERS, 1, mode, stat_length=2)
    yield flat("pad", SPECIAL, 1, "median")
    yield flat("pad", SPECIAL, 3, "reflect", reflect_type="odd")


def _selected() -> Iterator[Call]:
    conditions = [MASK, values((4,), TRUTH)]
    yield smooth("select", conditions, [M, V], default=values(()))
    yield smooth("select", conditions, [M, 2.0])
    yield flat("select", conditions, [INTEGERS[0, 0], V.astype(np.float32)], 0)
    numbers = np.array([2, 0, 1, 0])
    yield smooth("choose", numbers, [M, V, S])
    yield smooth("choose", numbers.reshape(4, 1), list(values((3, 4))))
    for mode in ("wrap", "clip"):
        yield smooth("choose", np.array([5, -4, 0, 1]), [M, V, S], mode=mode)
    yield smooth("choose", np.array([True, False, False, True]), [M, V])
    square, third = lambda x: x * x, lambda x, k=3: x**k
    yield smooth("piecewise", M, [MASK], [square, third])
    yield smooth("piecewise", M, [M > 0.5, M < -0.5], [square, -1.5])
    yield smooth("piecewise", V, V > 0, [third, 2.0], k=2)
    yield smooth("piecewise", S, [S > 0, S < 0], [square, third])
    for condition in ([True, False, True, True], [False, True]):
        yield smooth("compress", condition, M, axis=1)
        yield smooth("compress", condition, M)
    yield smooth("extract", MASK, M)
    for a, kth, axis in ((C, 1, -1), (C, (0, 2), 1), (M, 5, None), (V, -1, 0)):
        yield smooth("partition", a, kth, axis)
        yield flat("argpartition", a, kth, axis)
    yield smooth("sort_complex", M)
    for x in (Z, INTEGERS.astype(np.int8)):
        yield flat("sort_complex", x)
    for k in (0, -1):
        yield flat("tril_indices_from", M, k)
        yield flat("triu_indices_from", M, k)
    yield flat("diag_indices_from", M[:3, :3])
    yield smooth("trim_zeros", V)
    for trim in ("fb", "f", "b"):
        yield flat("trim_zeros", HOLES, trim)
    yield flat("trim_zeros", 0 * HOLES)
    yield smooth("trim_zeros", V)
    for mode in ("wrap", "clip"):
        yield smooth("take", C, np.array([[7, -9], [0, -1]]), axis=1, mode=mode)
    yield flat("ix_", np.array([2, 0]), np.array([True, False, True]))


def _changed() -> Iterator[Call]:
    yield smooth("append", M, N)
    yield smooth("append", M, values((3, 2)), axis=1)
    yield smooth("append", V, 2.5)
    for where, what in (
        (1, S), (-1, values((3,))), ([1, 3], values((2, 3))), ([0, 0, 4], S), (slice(1, 3), S),
        ([2], values((3, 1))), (np.array([True, False, False, True]), S), (2, 7.5),
    ):  # fmt: skip
        if where.__class__ is not np.ndarray or SINCE_23:
            yield smooth("insert", M.T, where, what, axis=0)
    yield smooth("insert", M, 2, values((3,)), axis=1)
    yield smooth("insert", M, [1, 3], values((3, 2)), axis=-1)
    yield smooth("insert", M, [0, 12, 5], values((3,)))
    yield flat("insert", INTEGERS, 1, V[:2], axis=1)
    for where in (1, -1, [0, 2, 2], slice(0, 4, 2), np.array([True, False, True, False]), []):
        yield smooth("delete", M, where, axis=1)
    yield smooth("delete", M, [3, 11])
    for shape in ((2, 3), 17, (3, 0), (5, 4)):
        yield smooth("resize", M, shape)
    yield flat("resize", NONE, (2, 3))


def _joined() -> Iterator[Call]:
    yield smooth("block", [M, values((3, 2))])
    yield smooth("block", [[M, values((3, 2))], [values((2, 5)), values((2, 1))]])
    yield smooth("block", [[V], [M]])
    yield smooth("block", [C, values((2, 3, 1))])
    yield smooth("block", [[[S, V]], [[values((5,))]]])
    yield smooth("block", V)
    yield smooth("concatenate", [M, N], axis=1, dtype=np.float64)
    yield flat("concatenate", [M, INTEGERS.T], axis=1, dtype=np.float32)
    for name in ("stack", "vstack", "hstack"):
        yield flat(name, [M, N], dtype=np.float32)
        yield flat(name, [INTEGERS, INTEGERS + 1], dtype=np.uint8, casting="unsafe")
    for indexing in ("xy", "ij"):
        yield smooth("meshgrid", V, values((3,)), S, indexing=indexing)
        yield smooth("meshgrid", V, values((3,)), sparse=True, copy=False, indexing=indexing)
    yield smooth("meshgrid", V)
    yield smooth("meshgrid", M, values((2,)))
    for k in (0, 1, -2):
        yield smooth("diagflat", M[:2, :2], k)
    yield smooth("trace", M, dtype=np.float64)
    yield flat("trace", INTEGERS.astype(np.int8))
    yield flat("empty_like", M, dtype=np.int32, shape=(0, 2))
    yield smooth("ravel", V[::-1], "K")
    yield smooth("reshape", V, (2, 2), order="A")
    yield smooth("moveaxis", C, range(2), (2, 0))
    yield smooth("full_like", M, V)
    yield flat("full_like", M.astype(np.float32), V)
    for order in "CFA":
        yield smooth("copy", M.T, order)
    yield flat("copy", MASK)


def _mapped() -> Iterator[Call]:
    yield smooth("apply_along_axis", lambda row: row[0] * row[1], 1, M)
    yield smooth("apply_along_axis", lambda row, k: row[::-1] ** k, 0, C, 2)
    yield smooth("apply_along_axis", lambda row: np.outer(row, row), -2, C)
    yield smooth("apply_over_axes", np.sum, C, [0, 2])
    yield smooth("apply_over_axes", np.cumsum, C, 1)


def _listed() -> Iterator[Call]:
    yield smooth("einsum", M, [0, 1], V, [1])
    yield smooth("einsum", M, [1, 0], N, [1, 27], [27, 0])
    yield smooth("einsum", C, [Ellipsis, 3, 1], V, [1])
    yield smooth("einsum", M, [5, 2])


def _elementwise() -> Iterator[Call]:
    yield smooth("nan_to_num", V, nan=2.0)
    yield flat("nan_to_num", SPECIAL, nan=2.0, posinf=3.0, neginf=-4.0)
    yield flat("nan_to_num", SPECIAL.astype(np.float32), True, 1.0)
    yield flat("nan_to_num", np.array([complex(1, np.nan), complex(np.inf, -np.inf)]), posinf=9.0)
    yield flat("nan_to_num", INTEGERS, nan=1.0)
    yield flat("angle", Z, deg=True)
    yield flat("around", 30 * M, -1)
    yield flat("fix", 30 * M)
    for name in ("isposinf", "isneginf", "isreal", "iscomplex"):
        yield flat(name, SPECIAL)
    for name in ("isreal", "iscomplex"):
        yield flat(name, Z * MASK)
    for condition in (MASK, M > 0, C > 0):
        yield flat("where", condition)
    yield smooth("real_if_close", M)
    yield flat("real_if_close", Z, tol=1e-3)


def calls() -> list[Any]:
    return [
        *_padded(),
        *_selected(),
        *_changed(),
        *_joined(),
        *_mapped(),
        *_listed(),
        *_elementwise(),
    ]
