"""What NumPy's ufuncs can do besides being called: `np.add.reduce`, `.accumulate`, `.outer`, ...

Each function takes the ufunc, which knows its dtypes and identity, and gradarg's function of the
same meaning, which does the work. Sums, products, extremes and `logaddexp` have reductions of their
own; another associative ufunc is reduced by halves and accumulated by doubling, so that both take
log2(n) steps; any other is folded one element after the next, as NumPy does it.

An element that equals the running extreme shares its derivative with it, as in `maximum`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from .._core.errors import DerivativeError, ShapeError
from .._core.primitive import Primitive
from .._core.trace import bind
from .._ops import elementwise, reduce, structure
from .arguments import Axis, array, axes_of, axis_of, concrete, number_or_array
from .elementwise import astype
from .indexing import getitem
from .manipulation import broadcast_to, concatenate, full_like, moveaxis, stack

Function = Callable[..., Any]

_REDUCTIONS: dict[Any, Primitive] = {
    np.add: structure.sum,
    np.multiply: reduce.prod,
    np.maximum: reduce.max,
    np.minimum: reduce.min,
    np.logaddexp: reduce.logsumexp,
    np.logical_and: reduce.all,
    np.logical_or: reduce.any,
}
_CUMULATIONS: dict[Any, Primitive] = {np.add: reduce.cumsum, np.multiply: reduce.cumprod}
_ASSOCIATIVE = {
    *_REDUCTIONS, np.fmax, np.fmin, np.hypot, np.logaddexp2, np.logical_xor, np.bitwise_and,
    np.bitwise_or, np.bitwise_xor, np.gcd, np.lcm,
}  # fmt: skip
_LARGEST, _SMALLEST = {np.minimum, np.fmin}, {np.maximum, np.fmax}
_NONE: Any = object()


# ---- calls with keywords


def call(
    ufunc: Any,
    function: Function,
    inputs: Sequence[Any],
    *,
    where: Any = True,
    unset: Any = None,
    dtype: Any = None,
    signature: Any = None,
    casting: Any = "same_kind",
    order: str = "K",
    subok: bool = True,
    **own: Any,
) -> Any:
    """ufunc(*inputs) with NumPy's keywords, and those that are the function's own (`axis`).

    `dtype` and `signature` name the types in which it computes. Where `where` is false the result
    is that of `unset`; without it, NumPy leaves whatever is in the memory, which is refused.
    """
    for name in own:
        if name not in inspect.signature(function).parameters:
            raise DerivativeError(
                f"np.{ufunc.__name__} with {name}= has no derivative rule in gradarg. Move the "
                "axes with np.moveaxis instead."
            )
    function = partial(function, **own) if own else function
    inputs = [number_or_array(x) for x in inputs]
    if dtype is not None or signature is not None or casting != "same_kind":
        inputs = _cast(ufunc, inputs, dtype, signature, casting)
    if where is True or where is np.True_:
        return function(*inputs)
    if unset is None:
        raise DerivativeError(
            f"np.{ufunc.__name__}(..., where=) without out= leaves elements that nobody has "
            f"computed. Write np.where(c, np.{ufunc.__name__}(np.where(c, x, 1)), 0), or pass the "
            "other values as out=."
        )
    mask = array(where)
    ordinary = 0 if ufunc is np.arctanh else 1  # where the ufunc is smooth, unlike, say, x / 0
    result = function(*(bind(elementwise.where, (mask, x, ordinary)) for x in inputs))
    if not isinstance(result, tuple):
        return bind(elementwise.where, (mask, result, array(unset)))
    return tuple(bind(elementwise.where, (mask, r, array(u))) for r, u in zip(result, unset))


def _cast(ufunc: Any, inputs: list[Any], dtype: Any, signature: Any, casting: Any) -> list[Any]:
    """The inputs in the dtypes that NumPy computes in; numbers follow the arrays."""
    if signature is None:
        result = None if dtype is None else np.dtype(dtype)
        signature = (None,) * ufunc.nin + (result,) * ufunc.nout
    given = tuple(x.dtype if hasattr(x, "dtype") else type(x) for x in inputs)
    given = tuple(int if t is bool else t for t in given)
    loop = ufunc.resolve_dtypes(given + (None,) * ufunc.nout, signature=signature, casting=casting)
    return [
        astype(x, d, copy=False) if hasattr(x, "dtype") else np.asarray(x).astype(d)[()]
        for x, d in zip(inputs, loop)
    ]


# ---- methods


def _loop_dtype(ufunc: Any, x: Any, dtype: Any) -> Any:
    """The dtype in which NumPy reduces x."""
    wanted = None if dtype is None else np.dtype(dtype)
    small = ufunc in (np.add, np.multiply) and x.dtype.kind in "bui" and wanted is None
    if small and x.dtype.itemsize < np.dtype(np.intp).itemsize:
        return np.dtype(np.uintp if x.dtype.kind == "u" else np.intp)
    loop = ufunc.resolve_dtypes(
        (None, x.dtype, None), signature=(wanted, None, None), casting="unsafe", reduction=True
    )
    return loop[1]


def reduced(
    ufunc: Any,
    function: Function,
    a: Any,
    *,
    axis: Axis = 0,
    dtype: Any = None,
    keepdims: bool = False,
    initial: Any = _NONE,
    where: Any = True,
) -> Any:
    """ufunc.reduce: all elements along the axes combined into one."""
    x = array(a)
    x = astype(x, _loop_dtype(ufunc, x, dtype), copy=False)
    axes = axes_of(axis, x.ndim, f"{ufunc.__name__}.reduce") if x.ndim else ()
    masked = not (where is True or where is np.True_)
    given = initial is not _NONE and initial is not None
    if masked and not given and (ufunc.identity is None or initial is None):
        raise ValueError(
            f"np.{ufunc.__name__}.reduce has no identity, so with where= it needs initial=."
        )
    shape = structure.reduced(x, axes, False)
    start = full_like(x, initial, shape=shape) if given else None
    mask = broadcast_to(where, x.shape) if masked else None
    if start is not None and 0 in x.shape:
        out = start
    elif ufunc in _ASSOCIATIVE:
        if mask is not None:
            x = bind(elementwise.where, (mask, x, _neutral(ufunc, x.dtype)))
        out = _halved(ufunc, function, x, axes)
        out = out if start is None else function(start, out)
    elif len(axes) > 1:
        raise ValueError(
            f"np.{ufunc.__name__} depends on the order of the elements, so that .reduce takes one "
            f"axis at a time, not {axes}."
        )
    else:
        out = _folded(ufunc, function, x, axes, start, mask)
    if dtype is not None:  # small integers are added up in larger ones
        out = astype(out, dtype, copy=False)
    if keepdims:
        out = bind(structure.reshape, (out,), {"shape": structure.reduced(x, axes, True)})
    return out


def _neutral(ufunc: Any, dtype: Any) -> Any:
    """What changes nothing when it is combined with."""
    if ufunc in _LARGEST | _SMALLEST:
        if dtype.kind in "iu":
            limits = np.iinfo(dtype)
            return limits.max if ufunc in _LARGEST else limits.min
        return ufunc in _LARGEST if dtype.kind == "b" else np.inf * (1 if ufunc in _LARGEST else -1)
    return 1 if ufunc is np.lcm else ufunc.identity


def _halved(ufunc: Any, function: Function, x: Any, axes: tuple[int, ...]) -> Any:
    """An associative ufunc over the axes, which may be none."""
    empty = any(x.shape[i] == 0 for i in axes)
    primitive = _REDUCTIONS.get(ufunc)
    if primitive is not None and not (empty and primitive is reduce.logsumexp):
        return bind(primitive, (x,), {"axis": axes})
    shape = structure.reduced(x, axes, False)
    if empty:
        if ufunc.identity is None:
            raise ValueError(f"np.{ufunc.__name__}.reduce of no elements: it has no identity.")
        return full_like(x, ufunc.identity, shape=shape)
    moved = moveaxis(x, axes, range(len(axes)))
    count = 1
    for i in axes:
        count *= x.shape[i]
    rows = bind(structure.reshape, (moved,), {"shape": (count, *shape)})
    while count > 1:
        half = count // 2
        both = function(getitem(rows, slice(0, half)), getitem(rows, slice(half, 2 * half)))
        rest = getitem(rows, slice(2 * half, count))
        rows = concatenate([both, rest], 0) if count % 2 else both
        count -= half
    return bind(structure.reshape, (rows,), {"shape": shape})


def _folded(
    ufunc: Any, function: Function, x: Any, axes: tuple[int, ...], start: Any, mask: Any
) -> Any:
    """Any ufunc along one axis or none, from the first element to the last."""
    rows, masks = _rows(x, axes), None if mask is None else _rows(mask, axes)
    if start is None:
        if not rows:
            raise ValueError(f"np.{ufunc.__name__}.reduce of no elements: it has no identity.")
        out, rows = rows[0], rows[1:]
    else:
        out = start
    for k, row in enumerate(rows):
        new = function(out, row)
        out = new if masks is None else bind(elementwise.where, (masks[k], new, out))
    return astype(out, x.dtype) if out is x else out


def _rows(x: Any, axes: tuple[int, ...]) -> list[Any]:
    if not axes:
        return [x]
    x = moveaxis(x, axes[0], 0)
    return [getitem(x, k) for k in range(x.shape[0])]


def accumulated(ufunc: Any, function: Function, a: Any, *, axis: int = 0, dtype: Any = None) -> Any:
    """ufunc.accumulate: for each element along an axis, all up to it combined."""
    x = array(a)
    if not x.ndim:
        raise ShapeError(f"np.{ufunc.__name__}.accumulate takes an array, not a single number.")
    x = astype(x, _loop_dtype(ufunc, x, dtype), copy=False)
    axis = axis_of(axis, x.ndim, f"{ufunc.__name__}.accumulate")
    if ufunc in _CUMULATIONS:
        out = bind(_CUMULATIONS[ufunc], (x,), {"axis": axis})
        return out if dtype is None else astype(out, dtype, copy=False)
    n, lead = x.shape[axis], (slice(None),) * axis
    if n < 2:
        return astype(x, x.dtype)
    if ufunc not in _ASSOCIATIVE:
        rows = _rows(x, (axis,))
        out = rows[:1]
        for row in rows[1:]:
            out.append(function(out[-1], row))
        return stack(out, axis)
    step = 1  # each element holds its own step elements combined, and takes the step before these
    while step < n:
        both = function(
            getitem(x, (*lead, slice(0, n - step))), getitem(x, (*lead, slice(step, n)))
        )
        x = concatenate([getitem(x, (*lead, slice(0, step))), both], axis)
        step *= 2
    return x


def reduced_at(
    ufunc: Any, function: Function, a: Any, indices: Any, *, axis: int = 0, dtype: Any = None
) -> Any:
    """ufunc.reduceat: the slices of a from each index up to the next one reduced.

    Where the next index is not larger, the one element at the index is taken.
    """
    name = f"np.{ufunc.__name__}.reduceat"
    x = array(a)
    axis = axis_of(axis, x.ndim, f"{ufunc.__name__}.reduceat")
    starts = np.asarray(concrete(indices, f"{name}(a, indices)"))
    n = x.shape[axis]
    if starts.ndim != 1 or (starts.size and starts.dtype.kind not in "iu"):
        raise ShapeError(f"{name} takes integers in one dimension, not {starts!r:.60}.")
    if starts.size and not 0 <= starts.min() <= starts.max() < n:
        raise IndexError(f"{name}: an index in {starts.tolist()} is out of bounds for length {n}.")
    pieces = []
    for start, stop in zip(starts.tolist(), [*starts.tolist()[1:], n]):
        part = getitem(x, (slice(None),) * axis + (slice(start, max(stop, start + 1)),))
        pieces.append(reduced(ufunc, function, part, axis=axis, dtype=dtype, keepdims=True))
    if pieces:
        return concatenate(pieces, axis)
    empty = getitem(x, (slice(None),) * axis + (slice(0, 0),))
    return astype(empty, _loop_dtype(ufunc, x, dtype))


def outer(ufunc: Any, function: Function, a: Any, b: Any, **keywords: Any) -> Any:
    """ufunc.outer: each element of a combined with each of b."""
    a, b = array(a), array(b)
    if b.ndim:
        a = bind(structure.reshape, (a,), {"shape": tuple(a.shape) + (1,) * b.ndim})
    return call(ufunc, function, (a, b), **keywords)


METHODS: dict[str, Callable[..., Any]] = {
    "reduce": reduced,
    "accumulate": accumulated,
    "reduceat": reduced_at,
    "outer": outer,
}
