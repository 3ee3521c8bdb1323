"""Assignment with NumPy's meaning: x[i] = v, and NumPy's functions that write into an array.

Each makes the changed value, functionally, and stores it: see `views`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._core.errors import ImmutableError, ShapeError
from .._core.trace import Box, bind
from .._ops import elementwise as ops
from .._ops import structure
from . import elementwise
from .arguments import array, axis_of
from .indexing import changed, plain_index
from .manipulation import broadcast_to, ravel, reshape
from .views import base_of, store

__all__ = ["copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask"]


def setitem(x: Any, index: Any, values: Any) -> None:
    """x[index] = values."""
    if _is_own_part(x, index, values):
        return
    values = array(values)
    _refuse_cut(x, values)
    store(x, changed(x, index, values), "x[i] = v")


def _is_own_part(x: Any, index: Any, values: Any) -> bool:
    """Whether values is x[index] itself, as in the last step of x[index] += 1: already there."""
    up = base_of(values) if isinstance(values, Box) else None
    if up is None:
        return False
    base, _, take, params = up
    return base is x and take is structure.getitem and params["index"] == plain_index(index)


def _refuse_cut(x: Any, values: Any) -> None:
    """NumPy would cut the values to the dtype of x; of a tensor, that would lose the derivative."""
    is_tensor: bool = isinstance(values, Box)
    if not is_tensor or np.can_cast(values.dtype, x.dtype, "same_kind"):
        return
    raise TypeError(
        f"x[i] = v: a tensor of {values.dtype} written into one of {x.dtype} would be cut, and its "
        f"derivative lost. Make x of {values.dtype}: x = x.astype({values.dtype})."
    )


def target(x: Any, call: str) -> Any:
    """What a function is to write into, which must be a tensor if anything else is one."""
    if isinstance(x, Box):
        return x
    raise ImmutableError(
        f"{call} would write a tensor into {type(x).__name__}, where its derivative would be "
        "lost. Make the array one that takes tensors, np.zeros(shape, like=t) or np.zeros_like(t), "
        "or use the result: x = x + t."
    )


def at(ufunc: Callable[..., Any], args: tuple[Any, ...], call: str) -> None:
    """ufunc.at(x, index, values): applied once for every time an element is named."""
    x, index, *values = args
    if not values:  # of one argument: naming an element again changes it again
        values, ufunc = [0], lambda x, _, of_one=ufunc: of_one(x)
    store(x, changed(target(x, call), index, values[0], combine=ufunc), call)


# ---- NumPy's functions that write


def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    """dst[...] = src, where a mask holds."""
    if not any(isinstance(a, Box) for a in (dst, src, where)):
        return np.copyto(dst, src, casting, where)  # type: ignore[arg-type]
    src = array(src)
    if not np.can_cast(src.dtype, target(dst, "np.copyto").dtype, casting):  # type: ignore[arg-type]
        raise TypeError(
            f"np.copyto: {src.dtype} does not cast to {dst.dtype} by the rule {casting!r}."
        )
    if where is not True:
        src = bind(ops.where, (array(where), broadcast_to(src, dst.shape), dst))
    store(dst, elementwise.astype(src, dst.dtype, copy=False), "np.copyto")
    return None


def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    """a.flat[ind] = v, with v repeated if it is shorter."""
    if not any(isinstance(x, Box) for x in (a, ind, v)):
        return np.put(a, ind, v, mode)  # type: ignore[arg-type]
    a, ind, v = target(a, "np.put"), ravel(array(ind)), ravel(array(v))
    if mode == "wrap":
        ind = ind % a.size
    elif mode == "clip":
        ind = elementwise.clip(ind, 0, a.size - 1)
    if v.size and ind.size:
        _write_flat(a, ind, v[np.arange(ind.size) % v.size], "np.put")
    return None


def place(arr: Any, mask: Any, vals: Any) -> None:
    """arr[mask] = vals, with as many of vals, repeated if they are fewer, as the mask is true."""
    if not any(isinstance(x, Box) for x in (arr, mask, vals)):
        return np.place(arr, mask, vals)
    arr, vals = target(arr, "np.place"), ravel(array(vals))
    count = reshape(array(mask), arr.shape)
    turn = bind(ops.CONSTANT["not_equal"], (ravel(count), 0)).cumsum() - 1
    if not vals.size:
        raise ShapeError("np.place: there are no values to place.")
    chosen = reshape(vals[turn % vals.size], arr.shape)
    store(arr, _where_written(count, chosen, arr), "np.place")
    return None


def putmask(a: Any, mask: Any, values: Any) -> None:
    """a.flat[n] = values[n] wherever the mask holds, with values repeated if they are fewer."""
    if not any(isinstance(x, Box) for x in (a, mask, values)):
        return np.putmask(a, mask, values)
    a, values = target(a, "np.putmask"), ravel(array(values))
    repeated = values[np.arange(a.size) % max(values.size, 1)] if values.size else values
    store(
        a,
        _where_written(reshape(array(mask), a.shape), reshape(repeated, a.shape), a),
        "np.putmask",
    )
    return None


def _where_written(mask: Any, values: Any, x: Any) -> Any:
    _refuse_cut(x, values)
    return bind(ops.where, (mask, elementwise.astype(values, x.dtype, copy=False), x))


def put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None) -> None:
    """arr[..., indices[...], ...] = values: for each position along the other axes its own."""
    if not any(isinstance(x, Box) for x in (arr, indices, values)):
        return np.put_along_axis(arr, indices, values, axis)
    arr, indices = target(arr, "np.put_along_axis"), array(indices)
    if axis is None:
        _write_flat(arr, indices, array(values), "np.put_along_axis")
        return None
    axis = axis_of(axis, arr.ndim, "put_along_axis")
    grid = tuple(
        indices if k == axis else np.arange(n).reshape((-1,) + (1,) * (arr.ndim - 1 - k))
        for k, n in enumerate(arr.shape)
    )
    values = array(values)
    _refuse_cut(arr, values)
    store(arr, changed(arr, grid, values), "np.put_along_axis")
    return None


def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    """Set the main diagonal of a, in all its dimensions, to val, repeated if it is shorter."""
    if not any(isinstance(x, Box) for x in (a, val)):
        return np.fill_diagonal(a, val, wrap)
    a, val = target(a, "np.fill_diagonal"), ravel(array(val))
    positions = np.zeros(a.shape, bool)
    np.fill_diagonal(positions, True, wrap)
    places = np.flatnonzero(positions)
    _write_flat(a, places, val[np.arange(places.size) % val.size], "np.fill_diagonal")
    return None


def _write_flat(a: Any, places: Any, values: Any, call: str) -> None:
    _refuse_cut(a, values)
    flat = bind(structure.reshape, (a,), {"shape": (a.size,)})
    new = changed(flat, places, values)
    store(a, bind(structure.reshape, (new,), {"shape": tuple(a.shape)}), call)
