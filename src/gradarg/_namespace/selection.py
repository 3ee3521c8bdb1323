"""Choosing, inserting and deleting elements, under NumPy's names.

What decides the shape of a result (a mask, the places to delete at) must be known: inside `vmap`
and `stage` it cannot come from the mapped or staged values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._core.errors import ShapeError
from .._core.trace import bind, peek
from .._ops import elementwise, sorting, structure
from . import indexing
from .arguments import array, axis_of, concrete, number_or_array, refuse_out, shape_of
from .elementwise import astype
from .indexing import getitem, take
from .manipulation import broadcast_to, concatenate, moveaxis, zeros_like
from .reductions import sort

__all__ = [
    "append",
    "argpartition",
    "choose",
    "compress",
    "delete",
    "extract",
    "insert",
    "ix_",
    "partition",
    "piecewise",
    "resize",
    "select",
    "sort_complex",
    "trim_zeros",
]


# ---- one of several arrays, element by element


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """The choice of the first condition that holds, else the default, element by element.

    >>> import gradarg as ga, numpy as np
    >>> f = lambda x: np.sum(np.select([x < 1, x < 3], [x, x * x]))
    >>> ga.grad(f)(np.array([0.5, 2.0, 4.0]))
    array([1., 4., 0.])
    """
    if len(condlist) != len(choicelist) or not len(condlist):
        raise ShapeError(
            f"select: {len(condlist)} conditions for {len(choicelist)} choices; there must be as "
            "many of each, at least one."
        )
    choices = [number_or_array(c) for c in choicelist]
    out = number_or_array(default)
    dtype = np.result_type(*(getattr(c, "dtype", c) for c in (*choices, out)))
    for condition, choice in zip(reversed(condlist), reversed(choices)):
        condition = array(condition)
        if condition.dtype.kind != "b":
            raise TypeError(f"select: conditions are truth values, not {condition.dtype}.")
        out = bind(elementwise.where, (condition, choice, out))
    return astype(out, dtype, copy=False)


def choose(a: Any, choices: Any, out: None = None, mode: str = "raise") -> Any:
    """choices[a[i]][i] for each position i of the arrays broadcast together.

    `mode` says what becomes of an integer that no choice belongs to: 'raise', 'wrap' or 'clip'.
    """
    refuse_out("choose", out)
    a = array(a)
    if a.dtype.kind not in "iub":
        raise TypeError(f"choose takes the numbers of choices, integers, not {a.dtype}.")
    rows = [array(c) for c in choices]
    try:
        shape = np.broadcast_shapes(a.shape, *(r.shape for r in rows))
    except ValueError:
        listed = ", ".join(str(tuple(r.shape)) for r in (a, *rows))
        raise ShapeError(f"choose: the shapes {listed} do not broadcast together.") from None
    a = indexing.bounded(a.astype(np.intp) if a.dtype.kind == "b" else a, len(rows), mode, "choose")
    rows = [bind(structure.broadcast_to, (r,), {"shape": (1, *shape)}) for r in rows]
    stacked = bind(structure.concatenate, rows, {"axis": 0})
    grid = np.ix_(*map(np.arange, shape)) if shape else ()
    a = bind(structure.broadcast_to, (a,), {"shape": shape})
    return bind(structure.gather, (stacked, a, *grid))


def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Any:
    """f(x) with the function of the last condition that holds, element by element.

    A function is called with the elements that it is for, as NumPy calls it; where the conditions
    are not known (inside `vmap` and `stage`), with all. One function more than conditions is for
    the rest, which is 0 otherwise. Instead of a function there may be a value.
    """
    x = array(x)
    if not isinstance(condlist, (list, tuple)):
        condlist = array(condlist)
        one = condlist.ndim < 2 if x.ndim else condlist.ndim == 0
        condlist = [condlist] if one else list(condlist)
    elif x.ndim and not any(isinstance(c, (list, tuple)) or np.ndim(c) for c in condlist):
        condlist = [condlist]  # one condition, written as a list of truth values
    conditions = [astype(array(c), bool, copy=False) for c in condlist]
    functions = list(funclist)
    if len(functions) == len(conditions) + 1:
        rest = conditions[0]
        for c in conditions[1:]:
            rest = rest | c
        conditions.append(~rest)
    if len(functions) != len(conditions):
        raise ShapeError(
            f"piecewise: {len(functions)} functions for {len(conditions)} conditions; there must "
            "be as many, or one more for the rest."
        )
    out = zeros_like(x)
    for condition, f in zip(conditions, functions):
        known = peek(condition)
        if not callable(f):
            out = bind(elementwise.where, (condition, astype(array(f), x.dtype), out))
        elif known is None:
            value = astype(array(f(x, *args, **kw)), x.dtype, copy=False)
            out = bind(elementwise.where, (condition, value, out))
        elif np.any(known):
            places = np.nonzero(np.broadcast_to(known, x.shape)) if x.ndim else ()
            some = bind(structure.gather, (x, *places)) if x.ndim else x
            value = astype(array(f(some, *args, **kw)), x.dtype, copy=False)
            if x.ndim:
                out = bind(structure.update, (out, value, *places))
            else:
                out = bind(structure.reshape, (value,), {"shape": ()})
    return out


# ---- elements that a mask or positions keep


def _flat(a: Any, axis: int | None, name: str) -> tuple[Any, int]:
    """The array and its axis; flattened, where there is none."""
    a = array(a)
    if axis is None:
        return bind(structure.reshape, (a,), {"shape": (a.size,)}), 0
    return a, axis_of(axis, a.ndim, name)


def compress(condition: Any, a: Any, axis: int | None = None, out: None = None) -> Any:
    """The slices of a along an axis at which the condition, of one dimension, holds."""
    refuse_out("compress", out)
    a, axis = _flat(a, axis, "compress")
    mask = concrete(condition, "compress(condition, a)")
    if np.ndim(mask) != 1:
        raise ShapeError(f"compress: the condition has one dimension, not shape {np.shape(mask)}.")
    return take(a, np.nonzero(mask)[0], axis)


def extract(condition: Any, arr: Any) -> Any:
    """The elements of arr at which the condition holds, in one dimension."""
    return compress(np.ravel(concrete(condition, "extract(condition, arr)")), arr)


def argpartition(
    a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect", order: None = None
) -> Any:
    """The positions that make a `partition` of a; integers, without derivative."""
    a, axis = _flat(a, axis, "argpartition")
    kth = tuple(int(k) for k in np.atleast_1d(concrete(kth, "argpartition(a, kth)")))
    if any(not -a.shape[axis] <= k < a.shape[axis] for k in kth):
        raise ValueError(f"argpartition: kth {kth} is out of bounds for length {a.shape[axis]}.")
    return bind(sorting.argpartition, (a,), {"kth": kth, "axis": axis})


def partition(
    a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect", order: None = None
) -> Any:
    """a with the elements at `kth` where a sort would put them, all smaller ones before them.

    The derivative moves with the elements.
    """
    a, axis = _flat(a, axis, "partition")
    return indexing.take_along_axis(a, argpartition(a, kth, axis), axis)


def sort_complex(a: Any) -> Any:
    """a sorted along the last axis, by real parts and then imaginary ones, as complex numbers."""
    x = sort(a)
    if x.dtype.kind == "c":
        return x
    return astype(x, np.complex64 if x.dtype.char in "bhBH" else np.result_type(x, np.complex128))


def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    """The array without zeros at the front ('f') and the back ('b') of the axes (all, if None)."""
    filt = array(filt)
    axes = range(filt.ndim) if axis is None else np.atleast_1d(axis)
    places = np.nonzero(concrete(filt, "trim_zeros(a)"))
    index = [slice(None)] * filt.ndim
    for ax in axes:
        ax = axis_of(ax, filt.ndim, "trim_zeros")
        found = places[ax]
        n = filt.shape[ax]
        if found.size:
            start = int(found.min()) if "f" in trim.lower() else 0
            stop = int(found.max()) + 1 if "b" in trim.lower() else n
        else:
            start, stop = 0, 0
        index[ax] = slice(start, stop)
    return getitem(filt, tuple(index))


def ix_(*args: Any) -> tuple[Any, ...]:
    """Positions (or masks) of one dimension each as an open grid, to index all pairs with."""
    out = []
    for k, given in enumerate(args):
        x = array(given)
        if x.ndim != 1:
            raise ShapeError(f"ix_ takes arrays of one dimension, not the shape {tuple(x.shape)}.")
        if x.size == 0:
            x = np.zeros(0, np.intp)
        elif x.dtype.kind == "b":
            (x,) = np.nonzero(concrete(x, "ix_(mask)"))
        shape = (1,) * k + (x.size,) + (1,) * (len(args) - k - 1)
        out.append(bind(structure.reshape, (x,), {"shape": shape}))
    return tuple(out)


# ---- more elements, or fewer


def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """arr and then the values, along an axis (both flattened, if None)."""
    return concatenate([arr, values], axis)


def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """arr with values put in before the positions `obj` along an axis (flattened, if None)."""
    arr, axis = _flat(arr, axis, "insert")
    n = arr.shape[axis]
    if isinstance(obj, slice):
        obj = np.arange(n)[obj]
    at = np.asarray(concrete(obj, "insert(arr, obj, values)"))
    if at.dtype.kind == "b":
        at = np.flatnonzero(at)
    if at.dtype.kind not in "iu" and at.size:
        raise IndexError(f"insert: positions are integers, not {at.dtype}.")
    values = array(values)
    values = bind(structure.reshape, (values,), {"shape": _leading(values.shape, arr.ndim)})
    if at.ndim == 0:
        values = moveaxis(values, 0, axis)
        count = values.shape[axis]
        at = np.full(count, at)
    else:
        at, count = np.array(at.ravel(), np.intp), at.size
        if count == 1 and values.shape[axis] != 1:
            count = values.shape[axis]
            at = np.full(count, at[0])
    if count and (at.min() < -n or at.max() > n):
        raise IndexError(f"insert: a position in {at.tolist()} is out of bounds for length {n}.")
    at = np.where(at < 0, at + n, at)
    order = np.argsort(at, kind="stable")
    at[order] += np.arange(count)
    shape = (*arr.shape[:axis], count, *arr.shape[axis + 1 :])
    values = broadcast_to(astype(values, arr.dtype, copy=False), shape)
    source = np.empty(n + count, np.intp)  # where each element of the result is, in both joined
    source[at] = np.arange(n, n + count)
    source[np.isin(np.arange(n + count), at, invert=True)] = np.arange(n)
    return take(concatenate([arr, values], axis), source, axis)


def _leading(shape: Any, ndim: int) -> tuple[int, ...]:
    return (1,) * (ndim - len(shape)) + tuple(shape)


def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """arr without the slices at the positions `obj` along an axis (flattened, if None)."""
    arr, axis = _flat(arr, axis, "delete")
    if not isinstance(obj, slice):
        obj = concrete(obj, "delete(arr, obj)")
        obj = obj if np.size(obj) else np.zeros(0, np.intp)
    return take(arr, np.delete(np.arange(arr.shape[axis]), obj), axis)


def resize(a: Any, new_shape: Any) -> Any:
    """The elements of a, over and over, in a new shape."""
    a, shape = _flat(a, None, "resize")[0], shape_of(new_shape, "resize")
    if min(shape, default=0) < 0:
        raise ShapeError(f"resize: the shape {shape} has a negative length.")
    size = 1
    for n in shape:
        size *= n
    if not a.size:
        return zeros_like(a, shape=shape)
    out = take(a, np.arange(size) % a.size)
    return bind(structure.reshape, (out,), {"shape": shape})
