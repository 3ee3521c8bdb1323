"""Sorting, and the positions that comparisons find. Positions are integers, without derivative."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core.primitive import Primitive, align, constant, general
from .._core.trace import ShapeDtype
from .structure import reduced


def _batch_along(p: Primitive, _n: int, _m: Any, args: Any, k: dict[str, Any]) -> Any:
    return p(args[0], **{**k, "axis": k["axis"] + 1})


argsort = constant(
    "argsort",
    lambda x, axis: np.argsort(x, axis=axis, kind="stable"),
    batch=_batch_along,
    shape=lambda x, axis: ShapeDtype(x.shape, np.intp),
)


def _ranks(x: Any, axis: int) -> Any:
    order = np.argsort(x, axis=axis, kind="stable")
    out = np.empty_like(order)
    shape = [1] * x.ndim
    shape[axis] = -1
    np.put_along_axis(out, order, np.arange(x.shape[axis]).reshape(shape), axis)
    return out


ranks = constant(  # where sorting puts each element
    "ranks", _ranks, batch=_batch_along, shape=lambda x, axis: ShapeDtype(x.shape, np.intp)
)

argpartition = constant(
    "argpartition",
    lambda x, kth, axis: np.argpartition(x, kth, axis=axis),
    batch=_batch_along,
    shape=lambda x, kth, axis: ShapeDtype(x.shape, np.intp),
)

argmax = constant(
    "argmax",
    lambda x, axis: np.argmax(x, axis=axis),
    batch=_batch_along,
    shape=lambda x, axis: ShapeDtype(reduced(x, (axis,), False), np.intp),
)

argmin = constant(
    "argmin",
    lambda x, axis: np.argmin(x, axis=axis),
    batch=_batch_along,
    shape=lambda x, axis: ShapeDtype(reduced(x, (axis,), False), np.intp),
)

sort = general(
    "sort",
    lambda x, axis: np.sort(x, axis=axis, kind="stable"),
    vjp=[lambda g, _o, x, axis: np.take_along_axis(g, ranks(x, axis=axis), axis)],
    jvp=lambda ts, _o, x, axis: np.take_along_axis(ts[0], argsort(x, axis=axis), axis),
    batch=_batch_along,
    shape=lambda x, axis: ShapeDtype(x.shape, x.dtype),
)


def _kth(x: Any, places: Any) -> Any:
    lead = np.broadcast_shapes(x.shape[:-1], places.shape[:-1])
    x = np.broadcast_to(x, lead + x.shape[-1:])
    places = np.broadcast_to(places, lead + places.shape[-1:])
    if places.shape[-1] > 8:  # a look at every element for each place would take longer
        return np.take_along_axis(np.argsort(x, axis=-1, kind="stable"), places, -1)
    row = np.partition(x, np.unique(places), axis=-1) if places.size else x
    found = np.take_along_axis(row, places, -1)
    out = np.empty(places.shape, np.intp)
    for k in range(places.shape[-1]):
        out[..., k] = _standing(x, found[..., k : k + 1], places[..., k : k + 1])
    return out


def _standing(x: Any, found: Any, place: Any) -> Any:
    """Which of the elements that equal the one found a stable sort puts at its place."""
    same, less = x == found, x < found
    none = np.isnan(found)
    if np.any(none):  # all NaN are the same, after all numbers
        same, less = np.where(none, np.isnan(x), same), np.where(none, ~np.isnan(x), less)
    turn = place - np.count_nonzero(less, axis=-1, keepdims=True)
    if np.any(turn):
        same = same & (np.cumsum(same, axis=-1) == turn + 1)
    return np.argmax(same, axis=-1)


def _batch_kth(p: Primitive, n: int, mapped: Any, args: Any, k: dict[str, Any]) -> Any:
    return p(*align(n, mapped, args))


kth = constant(  # of rows: from where a stable sort brings what it puts at a place
    "kth",
    _kth,
    batch=_batch_kth,
    shape=lambda x, places: ShapeDtype(
        np.broadcast_shapes(x.shape[:-1], places.shape[:-1]) + places.shape[-1:], np.intp
    ),
)
