"""Adding rows where integers say, compiled: the gradients of lookups, and x.at[i].add.

Each thread has rows of the result for its own, goes through all indices in order, and adds those
that name one of its rows: the sums are NumPy's, whatever the number of threads. Where rows are
short and few, each thread takes a share of the indices instead, and sums of its own, as doubles.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._core.stage import Equation
from .._ops import structure
from . import native
from .loops import KERNEL, Function, module, power_below
from .passes import type_of
from .work import Work, empty

_LINE = 64  # bytes of a cache line: no two threads write to one
_PARTS = 64  # rows go round them, so that those named most often do not all fall to one thread
_BLOCK = 1024  # indices that are looked at before their rows are added
_SHORT = 8  # elements of a row
_LOOK, _ADD = 150, 10  # what an index and an element take, in operations of `Work`
_FEW, _FEW_NUMBERS = 256, 10_000  # elements that NumPy adds sooner: of rows, and of a vector


@dataclass(frozen=True)
class Spec:
    """`count` rows of `width` are added to zeros, whose first axes have these `sizes`."""

    dtype: str
    count: int
    width: int
    sizes: tuple[int, ...]

    @property
    def rows(self) -> int:
        return math.prod(self.sizes)

    @property
    def shared(self) -> bool:
        """Whether the threads share out the indices."""
        return self.width < _SHORT and 4 * self.rows <= self.count

    @property
    def together(self) -> int:
        """The rows that are one thread's together: at least a cache line of them."""
        return max(1, _LINE // (self.width * np.dtype(self.dtype).itemsize))

    @property
    def parts(self) -> int:
        return power_below(_PARTS, self.rows // self.together)

    def __str__(self) -> str:
        return f"{self.count} x {self.width} added to {self.rows} rows ({self.dtype})"


class _Indices:
    """What both kernels do with an index; how many are out of range is the first of their ends."""

    def __init__(self, f: Function, s: Spec) -> None:
        self.f, self.spec, self.outside = f, s, f.slot("i64")
        self.values, *self.arrays = (f.argument(k) for k in range(1 + len(s.sizes)))
        f.line(f"store i64 0, ptr {self.outside}")

    def row(self, n: str) -> str:
        """The row of the result for values n; a first one where an index is out of range."""
        f, terms, step, beyond = self.f, [], self.spec.rows, "false"
        for array, size in zip(self.arrays, self.spec.sizes):
            step //= size
            i = f.let(f"load i64, ptr {f.let(f'getelementptr i64, ptr {array}, i64 {n}')}")
            low = f.let(f"icmp slt i64 {i}, 0")
            i = f.let(f"select i1 {low}, i64 {f.index(i, size)}, i64 {i}")
            out = f.let(f"icmp uge i64 {i}, {size}")
            beyond = f.let(f"or i1 {beyond}, {out}")
            terms.append((f.let(f"select i1 {out}, i64 0, i64 {i}"), step))
        self.count(self.outside, beyond)
        return f.index(*terms)

    def count(self, slot: str, condition: str) -> None:
        f = self.f
        old, more = f.let(f"load i64, ptr {slot}"), f.let(f"zext i1 {condition} to i64")
        f.line(f"store i64 {f.index(old, more)}, ptr {slot}")

    def module(self, *others: Function) -> str:
        f = self.f
        count = f.let(f"uitofp i64 {f.let(f'load i64, ptr {self.outside}')} to double")
        f.line(f"store double {count}, ptr %ends")
        return module([*others, f])


def _shared(s: Spec) -> str:
    """The module in which each chunk of the indices has sums of its own, among its ends."""
    f = Function("k", KERNEL, s.dtype, internal=False)
    given = _Indices(f, s)
    with f.loop("%lo", "%hi") as n:
        row = given.row(n)
        for d in range(s.width):
            x = f.load(f.at(given.values, (n, s.width), d))
            x = f.let(f"fpext float {x} to double") if f.bits == 32 else x
            to = f.let(f"getelementptr double, ptr %ends, i64 {f.index((row, s.width), d + 1)}")
            total = f.let(f"fadd double {f.let(f'load double, ptr {to}')}, {x}")
            f.line(f"store double {total}, ptr {to}")
    return given.module()


def _owned(s: Spec) -> str:
    """The module in which each thread has rows of its own."""
    f = Function("k", KERNEL, s.dtype, internal=False)
    given, out, found = _Indices(f, s), f.argument(1 + len(s.sizes)), f.slot("i64")
    with f.loop(0, s.rows, s.parts * s.together) as r:
        low, high = (f.smaller(f.index(r, (x, s.together)), s.rows) for x in ("%lo", "%hi"))
        size = f.index((f.let(f"sub i64 {high}, {low}"), s.width))
        f.zero(f.at(out, (low, s.width)), size)
    mine = f.let("sub i64 %hi, %lo")
    with f.loop(0, s.count, _BLOCK) as first:
        f.line(f"store i64 0, ptr {found}")
        with f.loop(first, f.smaller(f.index(first, _BLOCK), s.count)) as n:
            row = given.row(n)
            # written for every index, and kept where the row is this thread's: no branch
            pair = f.let(
                f"getelementptr [2 x i64], ptr %scratch, i64 {f.let(f'load i64, ptr {found}')}"
            )
            f.line(f"store i64 {n}, ptr {pair}")
            f.line(f"store i64 {row}, ptr {f.let(f'getelementptr i64, ptr {pair}, i64 1')}")
            part = f.let(f"and i64 {f.let(f'udiv i64 {row}, {s.together}')}, {s.parts - 1}")
            own = f.let(f"icmp ult i64 {f.let(f'sub i64 {part}, %lo')}, {mine}")
            given.count(found, own)
        count = f.let(f"load i64, ptr {found}")
        f.call("add", ("ptr", given.values), ("ptr", "%scratch"), ("ptr", out), ("i64", count))
    return given.module(_add(s))


def _add(s: Spec) -> Function:
    """Values to their rows, by a list of both."""
    parameters = "ptr noalias %values, ptr noalias %list, ptr noalias %to, i64 %count"
    f = Function("add", parameters, s.dtype)
    with f.loop(0, "%count") as k:
        pair = f.let(f"getelementptr [2 x i64], ptr %list, i64 {k}")
        n = f.let(f"load i64, ptr {pair}")
        row = f.let(f"load i64, ptr {f.let(f'getelementptr i64, ptr {pair}, i64 1')}")
        with f.loop(0, s.width) as d:
            x, to = f.load(f.at("%values", (n, s.width), d)), f.at("%to", (row, s.width), d)
            f.store(f.op("fadd", f.load(to), x), to)
    return f


class Scatter:
    """An operation of the graph, compiled: it takes the same arguments."""

    def __init__(self, shape: tuple[int, ...], places: tuple[int, ...], found: Spec) -> None:
        s = self.spec = found
        self.shape, self.places, count = shape, places, len(s.sizes)
        operations = s.count * (_LOOK + _ADD * s.width) + s.rows * s.width
        if s.shared:
            ends = 8 * (1 + s.rows * s.width)
            self.work = Work(_shared(s), 1 + count, s.count, 0, ends, operations)
        else:
            self.work = Work(_owned(s), 2 + count, s.parts, 16 * _BLOCK, 8, operations)

    def __call__(self, values: Any, *indices: Any) -> Any:
        s, shape = self.spec, self.places + self.shape[len(indices) :]
        given = [_whole(values, shape)]
        given += [_whole(np.asarray(i, np.int64), self.places) for i in indices]
        if s.shared:
            sums = self.work(*given).view(np.float64).sum(0)
            outside, out = sums[0], sums[1 : 1 + s.rows * s.width].astype(s.dtype)
            out = out.reshape(self.shape)
        else:
            out = empty(self.shape, np.dtype(s.dtype))
            outside = self.work(*given, out).view(np.float64)[0, 0]
        if outside:  # NumPy raises
            return structure.scatter_add.impl(values, *indices, shape=self.shape)
        return out

    def __str__(self) -> str:
        if self.spec.shared:
            return f"{self.spec}\n    for index: its row, among sums of the thread's own"
        return f"{self.spec}\n    for index, if its row is the thread's: the row"


def _whole(x: Any, shape: tuple[int, ...]) -> Any:
    return x if np.shape(x) == shape else np.broadcast_to(x, shape)


def compiled(equation: Equation, _winograd: int) -> Callable[..., Any] | str:
    """The operation as machine code, or why NumPy does it."""
    if native.LAYOUT is None:
        return "this interpreter's arrays are laid out otherwise"
    values, *indices = map(type_of, equation.inputs)
    shape, axes = tuple(equation.outs[0].type.shape), len(indices)
    if values.dtype not in (np.float32, np.float64):
        return f"of {values.dtype}"
    if any(i.dtype.kind not in "iu" for i in indices):
        return "by truth values"
    places = np.broadcast_shapes(*(i.shape for i in indices))
    count, width = math.prod(places), math.prod(shape[axes:])
    few = _FEW_NUMBERS if len(shape) == 1 else _FEW
    if count * width <= few or not math.prod(shape):
        return "of few elements"
    return Scatter(shape, places, Spec(str(values.dtype), count, width, shape[:axes]))


ROWS: dict[Any, Callable[..., Any]] = {structure.scatter_add: compiled}
