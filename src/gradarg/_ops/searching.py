"""Places and truths that comparisons find: integers and bools, all without derivative."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core.primitive import Primitive, constant, expose, loop
from .._core.trace import ShapeDtype


def _batch_along(p: Primitive, _n: int, _m: Any, args: Any, k: dict[str, Any]) -> Any:
    return p(args[0], **{**k, "axis": k["axis"] + 1})


def _batch_values(p: Primitive, n: int, mapped: Any, args: Any, k: dict[str, Any]) -> Any:
    """Any number of values are looked up in one table at once; tables are taken in turn."""
    if not mapped[0]:
        return p(*args, **k)
    return loop(p, n, mapped, args, k)


searchsorted = constant(
    "searchsorted",
    lambda table, x, side: np.searchsorted(table, x, side),
    batch=_batch_values,
    shape=lambda table, x, side: ShapeDtype(np.shape(x), np.intp),
)

digitize = constant(
    "digitize",
    lambda bins, x, right: np.digitize(x, bins, right),
    batch=_batch_values,
    shape=lambda bins, x, right: ShapeDtype(np.shape(x), np.intp),
)

isin = constant(
    "isin",
    lambda table, x, invert: np.isin(x, table, invert=invert),
    batch=_batch_values,
    shape=lambda table, x, invert: ShapeDtype(np.shape(x), np.bool),
)

isclose = constant("isclose", np.isclose)

lexsort = constant(
    "lexsort",
    lambda *keys, axis: np.lexsort(keys, axis=axis),
    batch=lambda p, n, m, args, k: p(*expose(n, m, args), axis=k["axis"] + 1),
    shape=lambda *keys, axis: ShapeDtype(keys[0].shape, np.intp),
)


def _packed(x: Any, axis: int, bitorder: Any) -> ShapeDtype:
    shape = [*x.shape]
    shape[axis] = -(-shape[axis] // 8)
    return ShapeDtype(shape, np.uint8)


def _unpacked(x: Any, axis: int, count: int, bitorder: Any) -> ShapeDtype:
    shape = [*x.shape]
    shape[axis] = count
    return ShapeDtype(shape, np.uint8)


packbits = constant(
    "packbits",
    lambda x, axis, bitorder: np.packbits(x, axis, bitorder),
    batch=_batch_along,
    shape=_packed,
)

unpackbits = constant(
    "unpackbits",
    lambda x, axis, count, bitorder: np.unpackbits(x, axis, count, bitorder),
    batch=_batch_along,
    shape=_unpacked,
)
