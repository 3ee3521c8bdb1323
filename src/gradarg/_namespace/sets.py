"""Sets of elements. Their values are elements of the input, and differentiate as a gather.

Of equal elements the first one stands for all, and takes the derivative. How many elements there
are depends on the values, so that `vmap` and `stage`, where these are not known, raise.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .arguments import array, axis_of, found
from .indexing import take
from .manipulation import concatenate, ravel

__all__ = [
    "intersect1d",
    "setdiff1d",
    "setxor1d",
    "union1d",
    "unique",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
]


def _unique(x: Any, equal_nan: bool = True) -> tuple[Any, Any, Any]:
    """The places of the first of each, ascending by value; where each element went; how often."""

    def places(x: Any) -> tuple[Any, ...]:
        _, index, inverse, counts = np.unique(x.ravel(), True, True, True, equal_nan=equal_nan)
        return index, inverse.reshape(x.shape), counts

    index, inverse, counts = found("unique", places, x)
    return index, inverse, counts


def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Any:
    """The different elements of an array (or slices along an axis), ascending.

    Of equal ones the first stands for all, and takes the derivative.

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(lambda x: np.sum(np.unique(x) ** 2))(np.array([3.0, 1.0, 3.0]))
    array([6., 2., 0.])
    """
    ar = array(ar)
    if axis is None:
        index, inverse, counts = _unique(ar, equal_nan)
        values = take(ar, index)
    else:
        along = axis_of(axis, ar.ndim, "unique")

        def slices(x: Any) -> tuple[Any, ...]:
            return np.unique(x, True, True, True, axis=along, equal_nan=equal_nan)[1:]

        index, inverse, counts = found("unique", slices, ar)
        values = take(ar, index, along)
    wanted = (return_index, return_inverse, return_counts)
    extra = [part for part, w in zip((index, inverse, counts), wanted) if w]
    return (values, *extra) if extra else values


class UniqueAll(NamedTuple):
    """What `unique_all` returns."""

    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class UniqueCounts(NamedTuple):
    """What `unique_counts` returns."""

    values: Any
    counts: Any


class UniqueInverse(NamedTuple):
    """What `unique_inverse` returns."""

    values: Any
    inverse_indices: Any


def unique_all(x: Any, /) -> UniqueAll:
    """The different elements, the place of the first of each, where each went, how often.

    Like the next three, of the array API standard: each NaN is an element of its own.
    """
    x = array(x)
    index, inverse, counts = _unique(x, equal_nan=False)
    return UniqueAll(take(x, index), index, inverse, counts)


def unique_counts(x: Any, /) -> UniqueCounts:
    """The different elements, and how often each is there."""
    values, _, _, counts = unique_all(x)
    return UniqueCounts(values, counts)


def unique_inverse(x: Any, /) -> UniqueInverse:
    """The different elements, and for each element of x its place among them."""
    values, _, inverse, _ = unique_all(x)
    return UniqueInverse(values, inverse)


def unique_values(x: Any, /) -> Any:
    """The different elements of x."""
    return unique_all(x).values


def union1d(ar1: Any, ar2: Any) -> Any:
    """The different elements of both arrays, ascending."""
    return unique(concatenate((ar1, ar2), axis=None))


def intersect1d(
    ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False
) -> Any:
    """The elements that both arrays have, ascending; values and derivative are the first's."""
    first, second = ravel(ar1), ravel(ar2)

    def common(x: Any, y: Any) -> tuple[Any, ...]:
        _, i, j = np.intersect1d(x, y, assume_unique, return_indices=True)
        return i, j

    i, j = found("intersect1d", common, first, second)
    values = take(first, i)
    return (values, i, j) if return_indices else values


def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """The elements of the first array that the second has not."""
    first = ravel(ar1) if assume_unique else unique(ar1)

    def others(x: Any, y: Any) -> tuple[Any, ...]:
        return np.nonzero(~np.isin(x, y))

    return take(first, found("setdiff1d", others, first, ravel(ar2))[0])


def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """The elements that one of the arrays has and the other has not, ascending."""
    parts = [ravel(a) if assume_unique else unique(a) for a in (ar1, ar2)]
    both = concatenate(parts)

    def single(x: Any) -> tuple[Any, ...]:
        order = np.argsort(x, kind="stable")
        x = x[order]
        differs = np.concatenate([[True], x[1:] != x[:-1], [True]])
        return (order[differs[1:] & differs[:-1]],)

    return take(both, found("setxor1d", single, both)[0])
