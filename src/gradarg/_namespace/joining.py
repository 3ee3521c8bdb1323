"""Stacks, blocks and splits, under NumPy's and the array API's names."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from .._core.errors import ShapeError
from .._core.trace import bind
from .._ops import structure
from .arguments import array, axis_of
from .indexing import getitem
from .manipulation import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    concatenate,
    copy,
    moveaxis,
    ndim,
    reshape,
)

__all__ = [
    "array_split",
    "block",
    "column_stack",
    "dsplit",
    "dstack",
    "hsplit",
    "hstack",
    "split",
    "unstack",
    "vsplit",
    "vstack",
]


def unstack(x: Any, /, axis: int = 0) -> tuple[Any, ...]:
    """The slices of x along an axis, without that axis."""
    x = array(x)
    x = moveaxis(x, axis_of(axis, x.ndim, "unstack"), 0)
    return tuple(getitem(x, i) for i in range(x.shape[0]))


def vstack(tup: Sequence[Any], *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    """The arrays one after another as rows."""
    return concatenate([atleast_2d(a) for a in tup], 0, dtype=dtype, casting=casting)


def hstack(tup: Sequence[Any], *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    """The arrays one after another along the second axis (the only one, if 1-d)."""
    parts = [atleast_1d(a) for a in tup]
    axis = 0 if parts and parts[0].ndim == 1 else 1
    return concatenate(parts, axis, dtype=dtype, casting=casting)


def dstack(tup: Sequence[Any]) -> Any:
    """The arrays one after another along the third axis."""
    return concatenate([atleast_3d(a) for a in tup], 2)


def column_stack(tup: Sequence[Any]) -> Any:
    """1-d arrays as the columns of a matrix."""
    parts = [array(a) for a in tup]
    return concatenate([reshape(p, (-1, 1)) if p.ndim < 2 else p for p in parts], 1)


def block(arrays: Any) -> Any:
    """An array of blocks in nested lists: the innermost side by side, the others stacked.

    >>> import gradarg as ga, numpy as np
    >>> ga.block([[np.eye(2), np.zeros((2, 1))], [np.ones((1, 3))]])
    array([[1., 0., 0.],
           [0., 1., 0.],
           [1., 1., 1.]])
    """
    depth = _depth(arrays)
    blocks = list(_blocks(arrays, depth))
    ndim = max([depth, *(b.ndim for b in blocks)])
    if not depth:
        return copy(blocks[0])
    return _blocked(arrays, ndim - depth, ndim)


def _depth(arrays: Any) -> int:
    if isinstance(arrays, tuple):
        raise TypeError("block: blocks are nested in lists, not in tuples.")
    if not isinstance(arrays, list):
        return 0
    if not arrays:
        raise ShapeError("block: a list of blocks is empty.")
    return 1 + _depth(arrays[0])


def _blocks(arrays: Any, depth: int) -> Iterator[Any]:
    if isinstance(arrays, list) != bool(depth):
        raise ShapeError("block: the lists of blocks are not nested equally deep.")
    if not depth:
        yield array(arrays)
        return
    if not arrays:
        raise ShapeError("block: a list of blocks is empty.")
    for a in arrays:
        yield from _blocks(a, depth - 1)


def _blocked(arrays: Any, axis: int, ndim: int) -> Any:
    if isinstance(arrays, list):
        return concatenate([_blocked(a, axis + 1, ndim) for a in arrays], axis)
    a = array(arrays)
    return bind(structure.reshape, (a,), {"shape": (1,) * (ndim - a.ndim) + tuple(a.shape)})


# ---- splitting


def _pieces(ary: Any, points: Sequence[int], axis: int) -> list[Any]:
    edges = [0, *points, ary.shape[axis]]
    lead = (slice(None),) * axis
    return [getitem(ary, (*lead, slice(lo, hi))) for lo, hi in pairwise(edges)]


def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """The array in parts along an axis: so many, of nearly equal length, or at given points."""
    ary = array(ary)
    axis = axis_of(axis, ary.ndim, "array_split")
    try:
        count = operator.index(indices_or_sections)
    except TypeError:
        return _pieces(ary, [operator.index(i) for i in indices_or_sections], axis)
    if count <= 0:
        raise ShapeError(f"array_split: the number of parts must be positive, not {count}.")
    each, extra = divmod(ary.shape[axis], count)
    lengths = [each + 1] * extra + [each] * (count - extra)
    return _pieces(ary, list(np.cumsum(lengths[:-1], dtype=int)) if count > 1 else [], axis)


def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Like `array_split`, but a number of parts must divide the length."""
    ary = array(ary)
    n = ary.shape[axis_of(axis, ary.ndim, "split")]
    if not isinstance(indices_or_sections, (list, tuple, np.ndarray)) and n % indices_or_sections:
        raise ShapeError(
            f"split: {n} elements do not divide into {indices_or_sections} equal "
            "parts; np.array_split makes nearly equal ones."
        )
    return array_split(ary, indices_or_sections, axis)


def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """`split` along the first axis."""
    return split(ary, indices_or_sections, 0)


def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """`split` along the second axis (the only one, if 1-d)."""
    return split(ary, indices_or_sections, 0 if ndim(ary) == 1 else 1)


def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """`split` along the third axis."""
    return split(ary, indices_or_sections, 2)
