"""`np.pad`, in each of its modes, one axis after another, as NumPy does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._core.errors import ShapeError
from .._core.trace import Box, bind
from .._ops import elementwise, sorting, structure
from . import arguments
from .elementwise import astype
from .indexing import getitem, take
from .manipulation import moveaxis
from .reductions import max, mean, min

__all__ = ["pad"]

Width = tuple[int, int]


def pad(array: Any, pad_width: Any, mode: Any = "constant", **options: Any) -> Any:
    """The array with a border.

    Each axis is extended by `pad_width`: one number, a pair (before, after), a pair for each axis,
    or a dictionary of axes. The modes, with the options they take:

    - 'constant': `constant_values` (0), which may be tensors;
    - 'linear_ramp': a ramp down to `end_values` (0), which may be tensors;
    - 'maximum', 'minimum', 'mean', 'median': of the `stat_length` elements next to the border, by
      default of all;
    - 'edge', 'wrap', 'reflect', 'symmetric': the array's own elements; the last two with
      `reflect_type` 'even' or 'odd' (2 * edge - element);
    - 'empty': zeros here;
    - a function `f(vector, width, axis, options)` that changes a padded vector in place.

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(lambda x: np.sum(np.pad(x, (2, 1), mode="edge")))(np.array([1.0, 2.0, 3.0]))
    array([3., 1., 2.])
    """
    x = arguments.array(array)
    widths = _widths(pad_width, x.ndim)
    if callable(mode):
        return _by_function(x, widths, mode, options)
    if mode not in _MODES:
        raise ShapeError(f"pad: there is no mode {mode!r}; there are {', '.join(_MODES)}.")
    extend, names = _MODES[mode]
    if unknown := set(options) - set(names):
        raise ValueError(f"pad: the mode {mode!r} takes no {', '.join(sorted(unknown))}.")
    if mode in ("constant", "empty") and _is_zero(options.get("constant_values", 0)):
        return bind(structure.pad, (x,), {"widths": widths})
    given = {name: _pairs(options[name], x.ndim) for name in options if name != "reflect_type"}
    odd = {"reflect_type": options["reflect_type"]} if "reflect_type" in options else {}
    for axis, width in enumerate(widths):
        if width == (0, 0):
            continue
        if x.shape[axis] == 0 and mode != "constant":
            raise ShapeError(
                f"pad: axis {axis} of the shape {tuple(x.shape)} is empty, so that the mode "
                f"{mode!r} has nothing to extend it by; 'constant' and 'empty' can."
            )
        x = extend(x, axis, width, **{name: pairs[axis] for name, pairs in given.items()}, **odd)
    return astype(x, x.dtype) if x is array else x


def _widths(pad_width: Any, ndim: int) -> tuple[Width, ...]:
    if isinstance(pad_width, dict):
        pad_width = [pad_width.get(i, pad_width.get(i - ndim, 0)) for i in range(ndim)]
        pad_width = [(w, w) if np.ndim(w) == 0 else w for w in pad_width]
    try:
        given = np.broadcast_to(np.asarray(pad_width), (ndim, 2))
    except ValueError:
        raise ShapeError(
            f"pad: pad_width {pad_width} is not one number, a pair, or a pair for each of "
            f"{ndim} axes."
        ) from None
    if given.dtype.kind not in "iu":
        raise TypeError(f"pad: pad_width must be of integers, not {given.dtype}.")
    if (given < 0).any():
        raise ValueError("pad: pad_width must not be negative.")
    return tuple((int(before), int(after)) for before, after in given)


def _pairs(value: Any, ndim: int) -> list[tuple[Any, Any]]:
    """An option as a pair (before, after) for each axis."""
    if value is None:
        return [(None, None)] * ndim
    v = arguments.array(value)
    v = bind(structure.broadcast_to, (v,), {"shape": (ndim, 2)})
    return [(v[axis, 0], v[axis, 1]) for axis in range(ndim)]


def _is_zero(value: Any) -> bool:
    return isinstance(value, (int, float)) and value == 0


# ---- one axis, extended before and after


def _part(x: Any, axis: int, start: int, stop: int) -> Any:
    return getitem(x, (slice(None),) * axis + (slice(start, stop),))


def _joined(x: Any, axis: int, width: Width, before: Any, after: Any) -> Any:
    """x between two borders, each broadcast to its width and cast to the dtype of x."""
    parts = []
    for w, border in zip(width, (before, after)):
        shape = (*x.shape[:axis], w, *x.shape[axis + 1 :])
        border = astype(arguments.array(border), x.dtype, copy=False)
        parts.append(bind(structure.broadcast_to, (border,), {"shape": shape}))
    return bind(structure.concatenate, (parts[0], x, parts[1]), {"axis": axis})


def _constant(x: Any, axis: int, width: Width, constant_values: Any) -> Any:
    return _joined(x, axis, width, *constant_values)


def _linear_ramp(x: Any, axis: int, width: Width, end_values: Any = (0, 0)) -> Any:
    n, real = x.shape[axis], np.result_type(x.dtype, np.float16)
    borders = []
    for w, end, (start, stop), step in zip(width, end_values, ((0, 1), (n - 1, n)), (1, -1)):
        share = (np.arange(w) / np.maximum(w, 1)).astype(real)[::step]
        share = share.reshape((-1,) + (1,) * (x.ndim - 1 - axis))
        border = end + (_part(x, axis, start, stop) - end) * share
        borders.append(border if x.dtype.kind in "fc" else np.floor(border))
    return _joined(x, axis, width, *borders)


def _statistic(f: Callable[..., Any], needs_one: bool) -> Callable[..., Any]:
    """Borders of a statistic of the elements next to them."""

    def extend(x: Any, axis: int, width: Width, stat_length: Any = (None, None)) -> Any:
        n = x.shape[axis]
        lengths = [n if k is None else np.minimum(int(k), n) for k in stat_length]
        if np.min(lengths) < needs_one:
            raise ValueError(f"pad: a stat_length of {np.min(lengths)} yields no value to pad by.")
        before = f(_part(x, axis, 0, lengths[0]), axis)
        after = f(_part(x, axis, n - lengths[1], n), axis)
        if x.dtype.kind in "iu":
            before, after = np.rint(before), np.rint(after)
        return _joined(x, axis, width, before, after)

    return extend


def _median(x: Any, axis: int) -> Any:
    n = x.shape[axis]
    x = bind(sorting.sort, (x,), {"axis": axis})
    middle = mean(_part(x, axis, (n - 1) // 2, n // 2 + 1), axis, keepdims=True)
    last = _part(x, axis, n - 1, n)  # NaN, if there is one
    return bind(elementwise.where, (last == last, middle, last))


def _rearranged(mode: str) -> Callable[..., Any]:
    """Borders of the array's own elements."""

    def extend(x: Any, axis: int, width: Width, reflect_type: str = "even") -> Any:
        if reflect_type not in ("even", "odd"):
            raise ValueError(f"pad: reflect_type is 'even' or 'odd', not {reflect_type!r}.")
        n = x.shape[axis]
        positions: Any = np.pad(np.arange(n), width, mode=mode)  # type: ignore[call-overload]
        moved = take(x, positions, axis)
        if reflect_type == "even" or n == 1:
            return moved
        # an odd reflection adds multiples of the two outermost elements, and constants stay
        weights = []
        for edge in (0, n - 1):
            one = np.zeros(n, x.dtype)
            one[edge] = 1
            weight = np.pad(one, width, mode=mode, reflect_type="odd")  # type: ignore[call-overload]
            weights.append(weight.reshape((-1,) + (1,) * (x.ndim - 1 - axis)))
        first, last = _part(x, axis, 0, 1), _part(x, axis, n - 1, n)
        terms = (1 - weights[0] - weights[1], moved), (weights[0], first), (weights[1], last)
        a, b, c = (bind(elementwise.product, term) for term in terms)
        return bind(elementwise.add, (bind(elementwise.add, (b, c)), a))

    return extend


_MODES: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "constant": (_constant, ("constant_values",)),
    "empty": (_constant, ()),
    "edge": (_rearranged("edge"), ()),
    "linear_ramp": (_linear_ramp, ("end_values",)),
    "maximum": (_statistic(lambda x, axis: max(x, axis, keepdims=True), True), ("stat_length",)),
    "mean": (_statistic(lambda x, axis: mean(x, axis, keepdims=True), False), ("stat_length",)),
    "median": (_statistic(_median, False), ("stat_length",)),
    "minimum": (_statistic(lambda x, axis: min(x, axis, keepdims=True), True), ("stat_length",)),
    "reflect": (_rearranged("reflect"), ("reflect_type",)),
    "symmetric": (_rearranged("symmetric"), ("reflect_type",)),
    "wrap": (_rearranged("wrap"), ()),
}


def _by_function(
    x: Any, widths: tuple[Width, ...], function: Callable[..., Any], options: dict[str, Any]
) -> Any:
    x = bind(structure.pad, (x,), {"widths": widths})
    for axis, width in enumerate(widths):
        moved = moveaxis(x, axis, -1)
        rows = []
        for index in np.ndindex(moved.shape[:-1]):
            row = getitem(moved, index)
            row = astype(row, moved.dtype) if isinstance(row, Box) else np.array(row)  # its own
            function(row, width, axis, options)
            rows.append(bind(structure.reshape, (row,), {"shape": (1, row.size)}))
        if rows:
            joined = bind(structure.concatenate, rows, {"axis": 0})
            x = bind(structure.reshape, (joined,), {"shape": tuple(moved.shape)})
            x = moveaxis(x, -1, axis)
    return x
