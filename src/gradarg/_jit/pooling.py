"""Pooling compiled: a plane (one channel of one image) after the other, by rows of windows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._core.stage import Equation
from .._ops import window
from . import native
from .bands import scratch
from .loops import KERNEL, Function, module
from .passes import type_of
from .work import Work, empty

Pair = tuple[int, int]


@dataclass(frozen=True)
class Spec:
    """Windows over planes. `same`: the values are those that are compared."""

    name: str
    dtype: str
    planes: int
    size: Pair
    places: Pair
    stride: Pair
    low: Pair
    dilation: Pair
    out: Pair
    same: bool

    def __str__(self) -> str:
        return (
            f"{self.planes} planes of {self.size[0]} x {self.size[1]}, windows of "
            f"{self.places[0]} x {self.places[1]}, {self.out[0]} x {self.out[1]} of them "
            f"({self.dtype})"
        )


def _step(s: Spec) -> Function:
    """What one place of the window does to a row of windows: `at` is its place in the plane.

    `y` is the row of windows, `x` points to what the first of them meets; of a maximum, `y` holds
    the largest so far and `chosen` where it is.
    """
    f = Function(
        "step", "ptr noalias %x, ptr noalias %y, ptr noalias %chosen, i64 %count, i64 %at", s.dtype
    )
    whole = f"i{f.bits}"
    with f.loop(0, "%count") as q:
        x, y = f.at("%x", (q, s.stride[1])), f.at("%y", (q, 1))
        if s.name == "sum_unpool":
            f.store(f.op("fadd", f.load(x), f.load(y)), x)
        elif s.name == "sum_pool":
            f.store(f.op("fadd", f.load(x), f.load(y)), y)
        else:
            here, most = f.load(x), f.load(y)
            nan = f.let(f"fcmp uno {f.type} {here}, {here}")
            better = f.let(f"or i1 {f.let(f'fcmp ogt {f.type} {here}, {most}')}, {nan}")
            if not s.same:
                to = f.let(f"getelementptr {whole}, ptr %chosen, i64 {q}")
                choice = f.let(f"load {whole}, ptr {to}")
                none = f.let(f"icmp slt {whole} {choice}, 0")
                better = f.let(f"or i1 {better}, {none}")
                at = f.index((q, s.stride[1]), "%at")
                if f.bits == 32:
                    at = f.let(f"trunc i64 {at} to i32")
                chosen = f.let(f"select i1 {better}, {whole} {at}, {whole} {choice}")
                f.line(f"store {whole} {chosen}, ptr {to}")
            f.store(f.let(f"select i1 {better}, {f.type} {here}, {f.type} {most}"), y)
    return f


def kernel(s: Spec) -> tuple[str, int]:
    """The module of a pooling operation, and the bytes that a thread needs.

    A row of windows at a time: for each place of the window that meets the plane, the part of the
    row that meets it there.
    """
    f = Function("k", KERNEL, s.dtype, internal=False)
    maximum, back = s.name.startswith("max"), s.name.endswith("unpool")
    count = 2 if maximum and not s.same else 1
    arrays = [f.argument(k) for k in range(count + 1)]
    first, result = arrays[0], arrays[-1]
    wide, narrow, (height, width) = math.prod(s.size), math.prod(s.out), s.size
    best, chosen = scratch(f, s.out[1], s.out[1])
    whole = f"i{f.bits}"
    if back:
        f.zero(f.at(result, ("%lo", wide)), f.index((f.let("sub i64 %hi, %lo"), wide)))
    with f.loop("%lo", "%hi") as plane, f.loop(0, s.out[0]) as r:
        windows = f.at(first if back else result, (plane, narrow), (r, s.out[1]))
        inputs = f.at(result if s.name == "sum_unpool" else arrays[count - 1], (plane, wide))
        row = windows if s.same or not maximum else best
        if maximum:
            with f.loop(0, s.out[1]) as q:
                f.store(f.number(-math.inf, 1), f.at(row, (q, 1)))
                if not s.same:
                    f.line(f"store {whole} -1, ptr {f.at(chosen, (q, 1))}")
        elif not back:
            f.zero(row, s.out[1])
        top = f.index((r, s.stride[0]), -s.low[0])
        d = s.dilation[0]
        # sdiv rounds towards 0, hence no negative numerator where it counts
        i0 = f.larger(0, f.let(f"sdiv i64 {f.index((top, -1), d - 1)}, {d}"))
        i1 = f.smaller(s.places[0], f.let(f"sdiv i64 {f.index((top, -1), height - 1 + d)}, {d}"))
        with f.loop(i0, i1) as i:
            line = f.index((top, width), (i, d * width))
            for j in range(s.places[1]):
                shift = j * s.dilation[1] - s.low[1]
                q0 = max(0, -(shift // s.stride[1]))
                q1 = min(s.out[1], (width - 1 - shift) // s.stride[1] + 1)
                if q0 < q1:
                    at = f.index(line, q0 * s.stride[1] + shift)
                    f.call(
                        "step", ("ptr", f.at(inputs, (at, 1))), ("ptr", f.at(row, q0)),
                        ("ptr", f.at(chosen, q0)), ("i64", q1 - q0), ("i64", at),
                    )  # fmt: skip
        if maximum and not s.same:
            _move_chosen(f, s, f.at(result if back else first, (plane, wide)), windows, chosen)
    return module([_step(s), f]), 2 * s.out[1] * f.bits // 8 + 256


def _move_chosen(f: Function, s: Spec, plane: str, windows: str, chosen: str) -> None:
    """From the chosen places of a plane to a row of windows, or back."""
    whole = f"i{f.bits}"
    with f.loop(0, s.out[1]) as q:
        place = f.let(f"load {whole}, ptr {f.at(chosen, (q, 1))}")
        if f.bits == 32:
            place = f.let(f"sext i32 {place} to i64")
        at, y = f.at(plane, (place, 1)), f.at(windows, (q, 1))
        if s.name == "max_pool":
            f.store(f.number(0, 1), y)
        with f.when(f.let(f"icmp sge i64 {place}, 0")):
            if s.name == "max_pool":
                f.store(f.load(at), y)
            else:
                f.store(f.op("fadd", f.load(at), f.load(y)), at)


def spec(equation: Equation) -> Spec | str:
    """The pooling that an operation is, or why it is none that is compiled."""
    p, name = equation.params, equation.primitive.name
    first, out = type_of(equation.inputs[0]), equation.outs[0].type
    types = {type_of(x).dtype for x in equation.inputs}
    if len(types) > 1 or out.dtype not in (np.float32, np.float64):
        return f"of {' and '.join(sorted(map(str, types)))}"
    if first.ndim > 4:
        return f"over {first.ndim - 2} axes"
    if not first.size or not out.size:
        return "of nothing"

    def two(values: Any, missing: Any) -> Any:
        return (missing, *values) if first.ndim == 3 else tuple(values)

    images, windows = (out, first) if name.endswith("unpool") else (first, out)
    size, count = two(images.shape[2:], 1), two(windows.shape[2:], 1)
    low = two([pad[0] for pad in p["padding"]], 0)
    places, stride, dilation = (two(p[k], 1) for k in ("window", "stride", "dilation"))
    same = name == "max_pool" and equation.inputs[0] is equation.inputs[1]
    return Spec(
        name, str(out.dtype), math.prod(first.shape[:2]), size, places, stride, low, dilation,
        count, same,
    )  # fmt: skip


class Pooling:
    """An operation of the graph, compiled: it takes the same arguments."""

    def __init__(self, equation: Equation, found: Spec) -> None:
        self.spec, self.type = found, equation.outs[0].type
        self.count = 1 if found.same else len(equation.inputs)
        operations = 8 * found.planes * math.prod(found.out) * math.prod(found.places)
        text, size = kernel(found)
        self.work = Work(text, self.count + 1, found.planes, size, 0, operations, effort=2)

    def __call__(self, *arrays: Any) -> Any:
        out = empty(tuple(self.type.shape), self.type.dtype)
        self.work(*arrays[: self.count], out)
        return out

    def __str__(self) -> str:
        return f"{self.spec}\n    for plane, row of windows, place of the window"


def compiled(equation: Equation, _winograd: int) -> Callable[..., Any] | str:
    """The operation as machine code, or why NumPy does it."""
    if native.LAYOUT is None:
        return "this interpreter's arrays are laid out otherwise"
    found = spec(equation)
    return found if isinstance(found, str) else Pooling(equation, found)


ROWS: dict[Any, Callable[..., Any]] = dict.fromkeys(
    (window.sum_pool, window.sum_unpool, window.max_pool, window.max_unpool), compiled
)
