"""Kernels that do not need one another, of any shapes, as one launch.

All are cut into pieces of about the same time, and the pieces are numbered through. The launch is
that of a kernel whose rows are the pieces: it looks up in a table which part of which kernel a
piece is. So an optimiser's step over all parameters is one call, whose threads meet once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import compiler, native
from .engine import CHUNKS, SERIAL, Bound, Runner

# Of each kernel in the table: its code, its first array, rows, columns, what is shared out of them,
# its pieces, and those of the kernels before it.
_FIELDS = ("code", "first", "rows", "columns", "extent", "pieces", "before")


def _ir() -> str:
    loads = "\n".join(
        f"  %{name}p = getelementptr i64, ptr %entry, i64 {k}\n  %{name} = load i64, ptr %{name}p"
        for k, name in enumerate(_FIELDS)
    )
    return f"""
define void @sweep(ptr %args, i64 %table, i64 %kernels, i64 %lo, i64 %hi, ptr %scratch,
                   ptr %ends) {{
begin:
  %tablep = inttoptr i64 %table to ptr
  br label %piece
piece:
  %c = phi i64 [%lo, %begin], [%c1, %run]
  %some = icmp slt i64 %c, %hi
  br i1 %some, label %look, label %out
look:
  %k = phi i64 [0, %piece], [%k1, %look]
  %at = mul i64 %k, {len(_FIELDS)}
  %entry = getelementptr i64, ptr %tablep, i64 %at
{loads}
  %k1 = add i64 %k, 1
  %end = add i64 %before, %pieces
  %beyond = icmp sge i64 %c, %end
  br i1 %beyond, label %look, label %run
run:
  %own = sub i64 %c, %before
  %own1 = add i64 %own, 1
  %from = mul i64 %extent, %own
  %low = sdiv i64 %from, %pieces
  %to = mul i64 %extent, %own1
  %high = sdiv i64 %to, %pieces
  %given = getelementptr ptr, ptr %args, i64 %first
  %f = inttoptr i64 %code to ptr
  call void %f(ptr %given, i64 %rows, i64 %columns, i64 %low, i64 %high, ptr %scratch, ptr %ends)
  %c1 = add i64 %c, 1
  br label %piece
out:
  ret void
}}
"""


@functools.cache
def _address() -> int:
    (address,) = compiler.functions(native.head() + _ir(), "sweep")
    return address


Part = tuple[Runner, int, int]  # a kernel, its rows and columns


class _Sweep(Bound):
    """Kernels without sums, bound together."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts, self.runner = parts, parts[0][0]  # any: none has sums
        self.times = [r.nanoseconds(rows, columns) for r, rows, columns in parts]
        self.inputs: list[bool] = []  # of each array
        for runner, _, _ in parts:
            self.inputs += [True] * len(runner.kernel.inputs) + [False] * len(runner.kernel.outputs)
        self.count, self.extra, self.padded, self.scratch = len(self.inputs), False, 0, 0
        self.address, self.columns = _address(), len(parts)
        self.state = (None,)
        self.tables: list[Any] = []  # of as many threads as there have been
        if sum(self.times) > SERIAL:
            self.function: Callable[..., Any] = self._parallel
        else:
            self._tabled(1)
            self.function = self._call(0)

    def _tabled(self, threads: int) -> int:
        """The table for so many threads, and how many pieces there are in it."""
        share = sum(self.times) / (threads * CHUNKS)
        first, before, rows = 0, 0, []
        for (runner, count, columns), time in zip(self.parts, self.times):
            extent = count if runner.kernel.by_rows else columns
            pieces = 1 if threads == 1 else max(1, min(round(time / share), extent))
            rows.append((runner.address, first, count, columns, extent, pieces, before))
            before += pieces
            first += len(runner.kernel.inputs) + len(runner.kernel.outputs)
        self.tables.append(np.array(rows, np.int64))
        self.rows, self.extent = native.address(self.tables[-1]), before
        return before

    def _cut(self, threads: int) -> int:
        return self._tabled(threads)

    def _whole(self, arrays: tuple[Any, ...]) -> list[Any]:
        assert len(arrays) == self.count
        for x, read in zip(arrays, self.inputs):
            assert read or (type(x) is np.ndarray and x.flags.c_contiguous and x.flags.aligned)
        return [
            np.require(np.asarray(x), requirements=["C", "A"]) if read else x
            for x, read in zip(arrays, self.inputs)
        ]


def can_join(runner: Any) -> bool:
    """Whether a kernel can run beside others: it has no sums, and keeps nothing for a row."""
    known = runner.__class__ is Runner and native.LAYOUT is not None
    return known and not (runner.kept or runner.kernel.ends)


def together(parts: Sequence[Part]) -> Callable[..., Any]:
    """A function of the arrays of all kernels, one after the other, outputs last of each."""
    if len(parts) == 1:
        runner, rows, columns = parts[0]
        return runner.bound(rows, columns)
    return _Sweep(parts).function


__all__ = ["can_join", "together"]
