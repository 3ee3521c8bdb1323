"""Changing shapes, joining and repeating, under NumPy's and the array API's names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._core.errors import ShapeError
from .._core.trace import Box, bind, peek
from .._ops import structure
from . import arguments
from .arguments import array, axes_of, axis_of, number_or_array, refuse_out, shape_of
from .elementwise import astype
from .indexing import getitem, take
from .views import constant_tensor, view

__all__ = [
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_arrays",
    "broadcast_to",
    "concat",
    "concatenate",
    "copy",
    "empty_like",
    "expand_dims",
    "flip",
    "fliplr",
    "flipud",
    "full_like",
    "matrix_transpose",
    "meshgrid",
    "moveaxis",
    "ndim",
    "ones_like",
    "permute_dims",
    "ravel",
    "repeat",
    "reshape",
    "roll",
    "rollaxis",
    "rot90",
    "shape",
    "size",
    "squeeze",
    "stack",
    "swapaxes",
    "tile",
    "transpose",
    "zeros_like",
]


# ---- shape


def shape(a: Any) -> tuple[int, ...]:
    """The shape of an array."""
    return tuple(array(a).shape)


def ndim(a: Any) -> int:
    """The number of dimensions of an array."""
    return len(shape(a))


def size(a: Any, axis: int | None = None) -> int:
    """The number of elements, of all or along one axis."""
    a = array(a)
    return int(a.size if axis is None else a.shape[axis_of(axis, a.ndim, "size")])


def reshape(
    a: Any,
    /,
    shape: Any = None,
    order: str = "C",
    *,
    newshape: Any = None,
    copy: bool | None = None,
) -> Any:
    """The same elements in another shape; one length may be -1.

    `order` 'C' reads and writes rows first, 'F' columns first. NumPy's 'A' and 'K' ask for the
    layout in memory, which no tensor has; they are taken where all layouts agree, in one dimension.
    """
    a = array(a)
    if order in ("A", "K") and a.ndim < 2:
        order = "C"
    if order == "F":
        new = shape_of(shape, "reshape")
        return transpose(reshape(transpose(a), new[::-1]))
    if order != "C":
        raise ShapeError(f"reshape: order {order!r} is not one of 'C', 'F'.")
    new = _without_minus_one(shape_of(shape if newshape is None else newshape, "reshape"), a)
    if copy:
        return bind(structure.reshape, (a,), {"shape": new})
    return view(structure.reshape, a, {"shape": new})


def _without_minus_one(new: tuple[int, ...], a: Any) -> tuple[int, ...]:
    known = 1
    for n in new:
        if n != -1:
            known *= n
    if new.count(-1) == 1 and known and a.size % known == 0:
        return tuple(a.size // known if n == -1 else n for n in new)
    if -1 in new or known != a.size:
        raise ShapeError(
            f"reshape: an array of shape {tuple(a.shape)} ({a.size} elements) does "
            f"not fit the shape {new}."
        )
    return new


def ravel(a: Any, order: str = "C") -> Any:
    """All elements in one dimension."""
    return reshape(a, -1, order)


def transpose(a: Any, axes: Sequence[int] | None = None) -> Any:
    """The axes in another order, reversed by default."""
    a = array(a)
    if axes is None:
        order = tuple(reversed(range(a.ndim)))
    else:
        order = tuple(axis_of(i, a.ndim, "transpose") for i in axes)
        if sorted(order) != list(range(a.ndim)):
            raise ShapeError(f"transpose: {tuple(axes)} is no order of {a.ndim} axes.")
    return view(structure.transpose, a, {"axes": order})


permute_dims = transpose


def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """Two axes exchanged."""
    a = array(a)
    order = list(range(a.ndim))
    i, j = axis_of(axis1, a.ndim, "swapaxes"), axis_of(axis2, a.ndim, "swapaxes")
    order[i], order[j] = order[j], order[i]
    return view(structure.transpose, a, {"axes": tuple(order)})


def matrix_transpose(x: Any, /) -> Any:
    """The last two axes exchanged."""
    if ndim(x) < 2:
        raise ShapeError(f"matrix_transpose needs at least 2 dimensions, not shape {shape(x)}.")
    return swapaxes(x, -1, -2)


def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """Axes moved to new places, the others in their old order."""
    a = array(a)
    sources = [axis_of(i, a.ndim, "moveaxis") for i in _several(source)]
    targets = [axis_of(i, a.ndim, "moveaxis") for i in _several(destination)]
    if len(sources) != len(targets):
        raise ShapeError("moveaxis: source and destination must name as many axes.")
    if len(set(sources)) + len(set(targets)) != 2 * len(sources):
        raise ShapeError(f"moveaxis: {source} to {destination} names an axis twice.")
    order = [i for i in range(a.ndim) if i not in sources]
    for target, source_ in sorted(zip(targets, sources)):
        order.insert(target, source_)
    return view(structure.transpose, a, {"axes": tuple(order)})


def _several(axes: Any) -> Any:
    return axes if hasattr(axes, "__iter__") else (axes,)


def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """An axis moved back until it stands before `start`."""
    axis = axis_of(axis, ndim(a), "rollaxis")
    start += ndim(a) if start < 0 else 0
    return moveaxis(a, axis, start - 1 if axis < start else start)


def expand_dims(a: Any, axis: Any = 0) -> Any:
    """New axes of length one at the given places of the result."""
    a = array(a)
    new = (axis,) if not isinstance(axis, (list, tuple)) else axis
    places = axes_of(tuple(new), a.ndim + len(new), "expand_dims")
    old = iter(a.shape)
    full = tuple(1 if i in places else next(old) for i in range(a.ndim + len(places)))
    return view(structure.reshape, a, {"shape": full})


def squeeze(a: Any, axis: Any = None) -> Any:
    """Without the axes of length one, all or the given ones."""
    a = array(a)
    drop = (
        tuple(i for i, n in enumerate(a.shape) if n == 1)
        if axis is None
        else axes_of(axis, a.ndim, "squeeze")
    )
    if any(a.shape[i] != 1 for i in drop):
        raise ShapeError(f"squeeze: axis {axis} of the shape {tuple(a.shape)} is not of length 1.")
    kept = tuple(n for i, n in enumerate(a.shape) if i not in drop)
    return view(structure.reshape, a, {"shape": kept})


def atleast_1d(*arys: Any) -> Any:
    """Each array with at least one dimension."""
    return _each(arys, lambda a: reshape(a, (1,)) if a.ndim == 0 else a)


def atleast_2d(*arys: Any) -> Any:
    """Each array with at least two dimensions, new ones first."""
    return _each(arys, lambda a: reshape(a, (1,) * (2 - a.ndim) + a.shape) if a.ndim < 2 else a)


def atleast_3d(*arys: Any) -> Any:
    """Each array with at least three dimensions."""

    def three(a: Any) -> Any:
        return reshape(a, {0: (1, 1, 1), 1: (1, *a.shape, 1)}.get(a.ndim, (*a.shape, 1)))

    return _each(arys, lambda a: a if a.ndim >= 3 else three(a))


def _each(arrays: tuple[Any, ...], f: Any) -> Any:
    results = tuple(f(array(a)) for a in arrays)
    return results[0] if len(results) == 1 else results


def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    """The array repeated to a larger shape."""
    x, shape = arguments.array(array), shape_of(shape, "broadcast_to")
    try:
        fits = np.broadcast_shapes(x.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(f"broadcast_to: the shape {tuple(x.shape)} does not broadcast to {shape}.")
    return view(structure.broadcast_to, x, {"shape": shape})


def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    """All arrays repeated to their common shape."""
    arrays = [array(a) for a in args]
    shapes = [tuple(a.shape) for a in arrays]
    try:
        common = np.broadcast_shapes(*shapes)
    except ValueError:
        listed = ", ".join(map(str, shapes))
        raise ShapeError(f"broadcast_arrays: the shapes {listed} do not broadcast.") from None
    return tuple(broadcast_to(a, common) for a in arrays)


# ---- joining


def concatenate(
    arrays: Sequence[Any],
    /,
    axis: int | None = 0,
    out: None = None,
    *,
    dtype: Any = None,
    casting: Any = "same_kind",
) -> Any:
    """The arrays one after another along an existing axis (all flattened, if None)."""
    refuse_out("concatenate", out)
    parts = [array(a) for a in arrays]
    if dtype is not None:
        parts = [_cast(p, np.dtype(dtype), casting) for p in parts]
    if not parts:
        raise ShapeError("concatenate needs at least one array.")
    if axis is None:
        parts, axis = [ravel(p) for p in parts], 0
    ranks = {p.ndim for p in parts}
    if len(ranks) > 1 or 0 in ranks:
        listed = ", ".join(str(tuple(p.shape)) for p in parts)
        raise ShapeError(
            f"concatenate: the shapes {listed} need one and the same positive "
            "number of dimensions; np.stack joins along a new axis."
        )
    params = {"axis": axis_of(axis, ranks.pop(), "concatenate")}
    try:
        return bind(structure.concatenate, parts, params)
    except ValueError:
        structure.concatenate.shape(*parts, **params)  # which names the operation and the shapes
        raise


def _cast(x: Any, dtype: Any, casting: Any) -> Any:
    if not np.can_cast(x.dtype, dtype, casting):
        raise TypeError(f"Cannot cast from {x.dtype} to {dtype} by the rule {casting!r}.")
    return astype(x, dtype, copy=False)


concat = concatenate


def stack(
    arrays: Sequence[Any],
    axis: int = 0,
    out: None = None,
    *,
    dtype: Any = None,
    casting: Any = "same_kind",
) -> Any:
    """The arrays one after another along a new axis."""
    refuse_out("stack", out)
    parts = [array(a) for a in arrays]
    shapes = {tuple(p.shape) for p in parts}
    if len(shapes) != 1:
        raise ShapeError(f"stack needs arrays of one shape, not {sorted(shapes)}.")
    axis = axis_of(axis, parts[0].ndim + 1, "stack")
    parts = [expand_dims(p, axis) for p in parts]
    return concatenate(parts, axis, dtype=dtype, casting=casting)


# ---- repeating and rearranging


def meshgrid(
    *xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy"
) -> tuple[Any, ...]:
    """The coordinates of a grid: array k has x_k along axis k, and repeats it along the others.

    With `indexing` 'xy' the first two axes change places; `sparse` leaves the others at length 1.
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: indexing is 'xy' or 'ij', not {indexing!r}.")
    parts = [array(x) for x in xi]
    places = list(range(len(parts)))
    if indexing == "xy" and len(parts) > 1:
        places[:2] = 1, 0
    full = [0] * len(parts)
    for part, place in zip(parts, places):
        full[place] = part.size
    out = []
    for part, place in zip(parts, places):
        shape = tuple(part.size if i == place else 1 for i in range(len(parts)))
        part = view(structure.reshape, part, {"shape": shape})
        if not sparse:
            part = view(structure.broadcast_to, part, {"shape": tuple(full)})
        out.append(astype(part, part.dtype) if copy else part)
    return tuple(out)


def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    """Each element (or slice along an axis) repeated."""
    a = array(a)
    if axis is None:
        a, axis = ravel(a), 0
    axis = axis_of(axis, a.ndim, "repeat")
    return take(a, np.repeat(np.arange(a.shape[axis]), repeats), axis)


def tile(A: Any, reps: Any) -> Any:
    """The whole array repeated along each axis."""
    a, reps = array(A), shape_of(reps, "tile")
    rank = max(a.ndim, len(reps))
    reps = (1,) * (rank - len(reps)) + reps
    sizes = (1,) * (rank - a.ndim) + tuple(a.shape)
    paired = reshape(a, tuple(n for s in sizes for n in (1, s)))
    spread = broadcast_to(paired, tuple(n for r, s in zip(reps, sizes) for n in (r, s)))
    out = bind(structure.reshape, (spread,), {"shape": tuple(r * s for r, s in zip(reps, sizes))})
    return copy(out) if set(reps) <= {1} or not a.ndim else out


def flip(m: Any, axis: Any = None) -> Any:
    """The elements in reversed order along the given axes (all by default)."""
    m = array(m)
    axes = axes_of(axis, m.ndim, "flip")
    back = slice(None, None, -1)
    return getitem(m, tuple(back if i in axes else slice(None) for i in range(m.ndim)))


def flipud(m: Any) -> Any:
    """`flip` along the first axis."""
    return flip(m, 0)


def fliplr(m: Any) -> Any:
    """`flip` along the second axis."""
    return flip(m, 1)


def rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    """k quarter turns from the first of two axes towards the second."""
    m = array(m)
    a, b = (axis_of(i, m.ndim, "rot90") for i in axes)
    k %= 4
    if k == 0:
        return m
    if k == 2:
        return flip(m, (a, b))
    return swapaxes(flip(m, b), a, b) if k == 1 else flip(swapaxes(m, a, b), b)


def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """The elements moved along, those at the end back to the start."""
    a = array(a)
    if axis is None:
        rolled = roll(ravel(a), shift, 0)
        return bind(structure.reshape, (rolled,), {"shape": tuple(a.shape)})
    out = a
    for s, ax in np.broadcast(shift, axis):
        ax = axis_of(ax, a.ndim, "roll")
        if a.shape[ax] and s % a.shape[ax]:
            cut = a.shape[ax] - int(s) % a.shape[ax]
            lead = (slice(None),) * ax
            out = concatenate(
                [getitem(out, (*lead, part)) for part in (slice(cut, None), slice(cut))], ax
            )
    return copy(a) if out is a else out


# ---- arrays like another; constants, of the kind of their model


def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    """The same values, as an array of their own; a tensor has no layout, so any order will do."""
    a = array(a)
    return astype(a, a.dtype)


def _filled_like(a: Any, value: Any, dtype: Any, shape: Any) -> Any:
    a = array(a)
    dims = tuple(a.shape) if shape is None else shape_of(shape, "full_like")
    one = np.asarray(value).astype(a.dtype if dtype is None else dtype)
    if not isinstance(a, Box):
        return np.full(dims, one)
    known = peek(a)
    if known is None:  # nothing of its size exists yet
        return constant_tensor(structure.constant_array(one, dims))
    like = known if shape is None else np.empty(dims, one.dtype)
    return constant_tensor(
        np.zeros_like(like, one.dtype) if one == 0 else np.full_like(like, one, one.dtype)
    )


def zeros_like(
    a: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    """Zeros in the shape and dtype of a."""
    return _filled_like(a, 0, dtype, shape)


def empty_like(
    prototype: Any,
    /,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    """An array in the shape and dtype of another, to be filled; of zeros, until then."""
    return _filled_like(prototype, 0, dtype, shape)


def ones_like(
    a: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    """Ones in the shape and dtype of a."""
    return _filled_like(a, 1, dtype, shape)


def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    """A given value in the shape and dtype of a; a tensor as the value keeps its derivative."""
    value = number_or_array(fill_value)
    if not isinstance(value, Box):
        return _filled_like(a, value, dtype, shape)
    a = array(a)
    dims = tuple(a.shape) if shape is None else shape_of(shape, "full_like")
    value = astype(value, a.dtype if dtype is None else dtype)
    return bind(structure.broadcast_to, (value,), {"shape": dims})
