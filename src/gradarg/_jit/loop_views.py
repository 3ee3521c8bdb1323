"""Operations of a loop's body that only say where an element comes from: slices, parts, joins.

Each row pulls an element of an operand from a `loop_code.Writer`, w; None is one known to be 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._core.stage import Equation

Shape = tuple[int, ...]


class Unfit(Exception):
    """Why a body cannot be one native loop."""


class Index(NamedTuple):
    """A place along an axis: an integer of IR, and the range it is in."""

    name: str
    low: int
    high: int


ZERO = Index("0", 0, 1)


def contiguous(shape: Sequence[int]) -> Shape:
    return tuple(math.prod(shape[k + 1 :]) for k in range(len(shape)))


def entries(index: tuple[Any, ...], shape: Shape) -> list[Any]:
    """One entry for each axis: a slice with its bounds, or an integer; None as it is."""
    taken = sum(i is not None and i is not Ellipsis for i in index)
    full: list[Any] = []
    seen = False
    for i in index:
        if i is Ellipsis:
            full += [slice(None)] * (len(shape) - taken)
            seen = True
        else:
            full.append(i)
    if not seen:
        full += [slice(None)] * (len(shape) - taken)
    found: list[Any] = []
    axis = 0
    for i in full:
        if i is None:
            found.append(None)
            continue
        n = shape[axis]
        axis += 1
        if isinstance(i, slice):
            start, _, step = i.indices(n)
            found.append(slice(start, None, step))
        elif isinstance(i, (int, np.integer)) and not isinstance(i, (bool, np.bool_)):
            found.append(int(i) + n if i < 0 else int(i))
        else:
            raise Unfit("an index that is an array")
    return found


def _getitem(w: Any, e: Equation, dtype: Any, index: Sequence[Index]) -> Any:
    (x,) = e.inputs
    rest, at = list(index), []
    for entry in entries(e.params["index"], w.shape(x)):
        if isinstance(entry, int):
            at.append(Index(str(entry), entry, entry + 1))
            continue
        i = rest.pop(0)
        if entry is None:
            continue
        if entry.step == 1:
            at.append(w.shifted(i, entry.start))
        else:
            scaled = w.let(f"mul nsw i64 {i.name}, {entry.step}")
            name = w.let(f"add nsw i64 {scaled}, {entry.start}")
            ends = [entry.start + entry.step * j for j in (i.low, i.high - 1)]
            at.append(Index(name, min(ends), max(ends) + 1))
    return w.or_zero(x, at, dtype)


def place_start(e: Equation, axis: int, shape: Shape) -> int | None:
    """Where a part begins along an axis of what it is placed in."""
    if e.primitive.name == "pad":
        return int(e.params["widths"][axis][0])
    parts = entries(e.params["index"], shape)
    if any(not isinstance(i, slice) or i.step != 1 for i in parts):
        return None
    return int(parts[axis].start)


def _inside(w: Any, i: Index, start: int, n: int) -> tuple[Index, str | None] | None:
    """The index within a part, and the test whether it is (None: always); None: never."""
    if i.high <= start or i.low >= start + n:
        return None
    j = w.shifted(i, -start)
    if j.low >= 0 and j.high <= n:
        return j, None
    test = w.let(f"icmp ult i64 {j.name}, {n}")
    return Index(w.let(f"select i1 {test}, i64 {j.name}, i64 0"), 0, n), test


def _placed(w: Any, e: Equation, dtype: Any, index: Sequence[Index]) -> Any:
    (x,) = e.inputs
    at, tests = [], []
    for axis, i in enumerate(index):
        start = place_start(e, axis, w.shape(e.outs[0]))
        if start is None:
            raise Unfit("a part with gaps")
        found = _inside(w, i, start, w.shape(x)[axis])
        if found is None:
            return None
        at.append(found[0])
        tests += [found[1]] if found[1] else []
    inner = w.or_zero(x, at, dtype)
    for test in tests if inner is not None else ():
        kind = "i1" if dtype == np.bool_ else w.ir(dtype)
        inner = w.let(f"select i1 {test}, {kind} {inner}, {kind} {w.constant(0, dtype)}")
    return inner


def _joined(w: Any, e: Equation, dtype: Any, index: Sequence[Index]) -> Any:
    axis, start, out = e.params["axis"], 0, None
    for part in e.inputs:
        n = w.shape(part)[axis]
        found = _inside(w, index[axis], start, n)
        start += n
        if found is None:
            continue
        at = [*index[:axis], found[0], *index[axis + 1 :]]
        x = w.element(part, at, dtype)
        if found[1] is None:
            return x
        kind = "i1" if dtype == np.bool_ else w.ir(dtype)
        out = x if out is None else w.let(f"select i1 {found[1]}, {kind} {x}, {kind} {out}")
    return out


def _transposed(w: Any, e: Equation, dtype: Any, index: Sequence[Index]) -> Any:
    axes = e.params["axes"]
    return w.or_zero(e.inputs[0], [index[axes.index(k)] for k in range(len(axes))], dtype)


def same_but_ones(old: Shape, new: Shape) -> bool:
    return [n for n in old if n != 1] == [n for n in new if n != 1]


def _reshaped(w: Any, e: Equation, dtype: Any, index: Sequence[Index]) -> Any:
    (x,) = e.inputs
    old, new = w.shape(x), w.shape(e.outs[0])
    if same_but_ones(old, new):
        rest = iter(i for i, n in zip(index, new) if n != 1)
        return w.or_zero(x, [ZERO if n == 1 else next(rest) for n in old], dtype)
    flat = Index("0", 0, 1)
    for i, stride in zip(index, contiguous(new)):  # of an array that is stored as one run
        flat = Index(w.let(f"add nsw i64 {flat.name}, {w.let(f'mul nsw i64 {i.name}, {stride}')}"),
                     0, 0)  # fmt: skip
    place = w.places[x]
    if place.strides != contiguous(old):
        raise Unfit(f"it makes {new} of a product of shape {old}")
    return w.converted(w.load(place._replace(strides=(1,)), [flat]), place.dtype, dtype)


def _same(w: Any, e: Equation, dtype: Any, index: Sequence[Index]) -> Any:
    return w.or_zero(e.inputs[0], w.aligned(e.inputs[0], index), dtype)


MOVES: dict[str, Callable[..., Any]] = {
    "getitem": _getitem, "place": _placed, "pad": _placed, "concatenate": _joined,
    "transpose": _transposed, "reshape": _reshaped, "broadcast_to": _same, "positive": _same,
    "stop_gradient": _same,
}  # fmt: skip
