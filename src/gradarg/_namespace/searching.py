"""Where elements are and which conditions they meet: integers and bools, without derivative.

How many places `nonzero` finds depends on values, so it needs them: inside `vmap` and `stage`,
where they are not known, it raises. All other functions have results of a fixed shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._core.errors import ShapeError
from .._core.trace import Box, bind, peek
from .._ops import elementwise, searching, structure
from .arguments import array, axis_of, found, number_or_array, shape_of
from .elementwise import (
    astype,
    equal,
    floor_divide,
    isnan,
    logical_and,
    logical_or,
)
from .indexing import take
from .reductions import all as all_

__all__ = [
    "allclose",
    "argwhere",
    "array_equal",
    "array_equiv",
    "digitize",
    "flatnonzero",
    "isclose",
    "isin",
    "lexsort",
    "nonzero",
    "packbits",
    "ravel_multi_index",
    "searchsorted",
    "unpackbits",
    "unravel_index",
]


# ---- places


def nonzero(a: Any) -> tuple[Any, ...]:
    """The positions of the elements that are not zero, one array of integers for each axis."""
    a = array(a)
    if not a.ndim:
        raise ShapeError("nonzero needs at least one dimension; np.atleast_1d(x) adds it.")
    out: tuple[Any, ...] = found("nonzero", np.nonzero, a)
    return out


def flatnonzero(a: Any) -> Any:
    """The positions, in the flattened array, of the elements that are not zero."""
    a = array(a)
    return found("flatnonzero", lambda x: (np.flatnonzero(x),), a)[0]


def argwhere(a: Any) -> Any:
    """The positions of the elements that are not zero, one row for each."""
    return found("argwhere", lambda x: (np.argwhere(x),), array(a))[0]


def searchsorted(a: Any, v: Any, /, side: Any = "left", sorter: Any = None) -> Any:
    """Where the values v would go into the sorted vector a to keep it sorted.

    Before equal elements (`side="left"`) or after them ("right"); `sorter` sorts a vector that
    is not sorted, as `argsort(a)` does.
    """
    a, v = array(a), array(v)
    if a.ndim != 1:
        raise ShapeError(f"searchsorted looks values up in a vector, not in the shape {a.shape}.")
    if sorter is not None:
        sorter = array(sorter)
        if tuple(sorter.shape) != tuple(a.shape):
            raise ShapeError(f"searchsorted: a sorter of shape {sorter.shape} for {a.shape}.")
        a = take(a, sorter)
    return bind(searching.searchsorted, (a, v), {"side": side})


def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """For each element of x the number of its bin, between monotonic edges."""
    return bind(searching.digitize, (array(bins), array(x)), {"right": bool(right)})


def lexsort(keys: Any, axis: int = -1) -> Any:
    """The positions that sort by the last key, then by the one before it, and so on."""
    each = tuple(map(array, keys))
    if len({tuple(k.shape) for k in each}) != 1 or not each[0].ndim:
        listed = ", ".join(str(tuple(k.shape)) for k in each)
        raise ShapeError(f"lexsort takes keys of one shape, vectors at least, not {listed}.")
    return bind(searching.lexsort, each, {"axis": axis_of(axis, each[0].ndim, "lexsort")})


def unravel_index(indices: Any, shape: Any, order: str = "C") -> tuple[Any, ...]:
    """The positions along each axis of a shape, of positions in the flattened array."""
    rest, dims = astype(indices, np.intp, copy=False), shape_of(shape, "unravel_index")
    size = int(np.prod(dims, dtype=object))
    known = peek(rest) if isinstance(rest, Box) else rest
    if known is not None and np.any((known < 0) | (known >= size)):
        raise ValueError(f"unravel_index: a position is out of bounds for the shape {dims}.")
    out = []
    for n in dims if order == "F" else dims[::-1]:
        out.append(elementwise.remainder(rest, n))
        rest = floor_divide(rest, n)
    return tuple(out if order == "F" else out[::-1])


def ravel_multi_index(
    multi_index: Sequence[Any], dims: Any, mode: Any = "raise", order: str = "C"
) -> Any:
    """The positions in the flattened array, of positions along each axis."""
    dims = shape_of(dims, "ravel_multi_index")
    indices = [astype(i, np.intp, copy=False) for i in multi_index]
    modes = (mode,) * len(dims) if isinstance(mode, str) else mode
    if len(indices) != len(dims):
        raise ShapeError(f"ravel_multi_index: {len(indices)} index arrays for the shape {dims}.")
    total: Any = 0
    pairs = list(zip(indices, dims, modes))
    for i, n, how in pairs[::-1] if order == "F" else pairs:
        if how == "wrap":
            i = elementwise.remainder(i, n)
        elif how == "clip":
            i = elementwise.minimum(elementwise.maximum(i, 0), n - 1)
        else:
            known = peek(i) if isinstance(i, Box) else i
            if known is not None and np.any((known < 0) | (known >= n)):
                raise ValueError(f"ravel_multi_index: a position is out of bounds for {dims}.")
        total = elementwise.add(elementwise.multiply(total, n), i)
    return total


# ---- truths


def isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    """Whether |a - b| <= atol + rtol * |b|, elementwise; infinities are close to themselves."""
    params = {"rtol": rtol, "atol": atol, "equal_nan": equal_nan}
    return bind(searching.isclose, (number_or_array(a), number_or_array(b)), params)


def allclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    """Whether all elements are close, as `isclose` says."""
    return all_(isclose(a, b, rtol, atol, equal_nan))


def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    """Whether two arrays have one shape and equal elements."""
    x, y = array(a1), array(a2)
    if tuple(x.shape) != tuple(y.shape):
        return False
    same = equal(x, y)
    if equal_nan and x.dtype.kind in "fc" and y.dtype.kind in "fc":
        same = logical_or(same, logical_and(isnan(x), isnan(y)))
    return all_(same)


def array_equiv(a1: Any, a2: Any) -> Any:
    """Whether two arrays broadcast together, and have equal elements then."""
    x, y = array(a1), array(a2)
    try:
        np.broadcast_shapes(tuple(x.shape), tuple(y.shape))
    except ValueError:
        return False
    return all_(equal(x, y))


def isin(
    element: Any,
    test_elements: Any,
    /,
    assume_unique: bool = False,
    invert: bool = False,
    *,
    kind: Any = None,
) -> Any:
    """Whether each element is among the test elements (or is not, with `invert`)."""
    args = array(test_elements), array(element)
    return bind(searching.isin, args, {"invert": bool(invert)})


# ---- bits


def packbits(a: Any, axis: int | None = None, bitorder: Any = "big") -> Any:
    """Truth values or integers as bits, eight in an integer of uint8."""
    a = array(a)
    if axis is None:
        a, axis = bind(structure.reshape, (a,), {"shape": (a.size,)}), 0
    axis = axis_of(axis, a.ndim, "packbits")
    return bind(searching.packbits, (a,), {"axis": axis, "bitorder": bitorder})


def unpackbits(a: Any, axis: int | None = None, count: Any = None, bitorder: Any = "big") -> Any:
    """The bits of integers of uint8, each as an integer."""
    a = array(a)
    if axis is None:
        a, axis = bind(structure.reshape, (a,), {"shape": (a.size,)}), 0
    axis = axis_of(axis, a.ndim, "unpackbits")
    size = 8 * a.shape[axis]
    count = size if count is None else count + size if count < 0 else int(count)
    params = {"axis": axis, "count": count, "bitorder": bitorder}
    return bind(searching.unpackbits, (a,), params)
