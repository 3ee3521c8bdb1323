"""Calls of the functions that find places, truths and sets of elements."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.ops.call import Call, flat, smooth
from tests.ops.sample import TRUTH, complex_values, values

V, M, MASK = values((5,)), values((3, 4)), values((3, 4), TRUTH)
Z = complex_values((3,)) * np.array([1, 1, 0])
TIES = np.array([[2.5, -1.0, 2.5], [0.5, -1.0, 7.0]])
MORE = np.array([0.5, 4.0, -1.0, 4.0])
SETS_OF_ONE = {"unique", "unique_all", "unique_counts", "unique_inverse", "unique_values"}
# the shape of these results is not known inside vmap and stage
DEPENDS_ON_VALUES = SETS_OF_ONE | {"union1d", "setdiff1d", "setxor1d", "trim_zeros"}
SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0])


def calls() -> Iterator[Call]:
    for name in ("nonzero", "flatnonzero", "argwhere"):
        yield flat(name, M * MASK)
    for options in ({}, {"side": "right"}, {"sorter": np.argsort(V)}):
        yield flat("searchsorted", V if "sorter" in options else np.sort(V), M, **options)
    yield flat("digitize", M, np.sort(V).tolist())
    yield flat("digitize", M, np.sort(V)[::-1].tolist(), right=True)
    yield flat("lexsort", (M, np.round(M)))
    yield flat("lexsort", TIES, axis=0)
    yield flat("unravel_index", np.array([[7, 0], [23, 4]]), (2, 3, 4))
    yield flat("unravel_index", np.array([7, 23]), (2, 3, 4), order="F")
    places = np.array([1, 0]), np.array([2, 5]), np.array([-1, 3])
    yield flat("ravel_multi_index", places, (2, 3, 4), mode=("raise", "clip", "wrap"))
    yield flat("ravel_multi_index", places[:1] * 2, (2, 3), order="F")
    yield flat("isclose", M, M * (1 + 1e-6 * MASK))
    yield flat("isclose", SPECIAL, SPECIAL, equal_nan=True)
    yield flat("allclose", M, M + 1e-9)
    yield flat("allclose", M, M + 1e-2, rtol=1e-3, atol=1e-3)
    yield flat("array_equal", M, M)
    yield flat("array_equal", SPECIAL, SPECIAL, equal_nan=True)
    yield flat("array_equiv", M, M[:1])
    yield flat("isin", TIES, MORE)
    yield flat("isin", TIES, MORE, invert=True)
    yield flat("packbits", MASK)
    yield flat("packbits", MASK, axis=0, bitorder="little")
    yield flat("unpackbits", np.array([[3, 200], [255, 1]], np.uint8))
    yield flat("unpackbits", np.array([[3, 200], [255, 1]], np.uint8), 1, -3)

    # sets: smooth where no two elements are equal
    for name in sorted(SETS_OF_ONE):
        reference = sorted_values if name == "unique_values" else None
        yield Call(name, (M,), reference=reference)
    yield smooth("unique", M, axis=1)
    for name in ("union1d", "setdiff1d", "setxor1d"):
        yield smooth(name, M, V)
    yield flat("setdiff1d", V, V[1:3], assume_unique=True)
    yield flat("setxor1d", V, V[1:3], assume_unique=True)
    yield flat("unique", TIES)
    yield flat("unique", TIES, True, True, True)
    yield flat("unique", TIES, axis=1, return_counts=True)
    yield flat("unique", SPECIAL)
    yield flat("unique", SPECIAL, equal_nan=False)
    yield flat("union1d", TIES, MORE)
    whole = (2 * TIES).astype(int), (2 * MORE).astype(int)
    yield flat("intersect1d", *whole)
    yield flat("intersect1d", *whole, return_indices=True)
    yield flat("setdiff1d", TIES, MORE)
    yield flat("setdiff1d", TIES[0], MORE, assume_unique=True)
    yield flat("setxor1d", TIES, MORE)
    for name in ("unique_all", "unique_counts", "unique_inverse", "unique_values"):
        reference = sorted_values if name == "unique_values" else None
        yield Call(name, (TIES,), smooth=False, reference=reference)


def sorted_values(x: Any) -> Any:
    return np.sort(np.unique_values(x))  # NumPy 2.3 leaves their order open
