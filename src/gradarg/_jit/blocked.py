"""Kernels without a compiler, in NumPy: run block by block.

A kernel over rows is run for as many rows at a time as fit the cache, a kernel of one row for a run
of its columns; `block` writes the functions.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import pool
from .block import Block, Layout, rewritten, supported
from .block_calls import SCOPE
from .kernel import END_REDUCTIONS, ROW_REDUCTIONS, Kernel

_BUFFERS = 1 << 19  # bytes of all arrays of a block: half of a usual second-level cache
_LEAST, _MOST = 1 << 12, 1 << 16  # elements of a block: fewer, and calls cost more than work
_PARALLEL = 1 << 18  # elements: below, two threads wait for each other (and for Python) too long
_PARTS = 4  # for each thread, so that one which comes late takes fewer


@dataclass(eq=False)
class Segment:
    """The columns low..high of a kernel of one row, or all of another: its two functions."""

    low: int
    high: int
    fast: Callable[..., Any]
    careful: Callable[..., Any]
    views: tuple[list[Any], list[Any]]  # of the buffers, as the functions take them


class Blocked:
    """A kernel that NumPy runs block by block."""

    reads_first = False  # of a block, one output is stored before another is computed

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.by_rows = kernel.by_rows
        self.totals = sum(v.op == "total" for v in kernel.ends)
        self.dtype = np.dtype(kernel.float)
        self.segments: list[Segment] = []
        self.buffers: dict[tuple[str, str], int] = {}  # how many of each kind
        self.halo = 0
        sources = []
        spans = [(0, 0)] if kernel.by_rows else itertools.pairwise(kernel.breaks())
        for n, (low, high) in enumerate(spans):
            both = [self._block(f"block{n}", low, high, False)]
            both.append(self._block(f"careful{n}", low, high, True))
            sources += [b.source for b in both]
            scope = dict(SCOPE)
            for b in both:
                exec(compile(b.source, f"<{kernel.name}>", "exec"), scope)
                for kind, count in b.count.items():
                    self.buffers[kind] = max(count, self.buffers.get(kind, 0))
                self.halo = max(self.halo, *(key[4] for key in b.views), 0)
            views = list(both[0].views), list(both[1].views)
            self.segments.append(
                Segment(low, high, scope[f"block{n}"], scope[f"careful{n}"], views)
            )
        self.source = "\n\n".join(sources)
        arrays = self.buffers.get(("M", "f"), 0)
        arrays += sum(v.kind == "M" for v in kernel.outputs)
        arrays += sum(kind == "M" for kind, _ in kernel.inputs)
        size = _BUFFERS // (self.dtype.itemsize * max(arrays, 1))
        self.size = min(max(size, _LEAST), _MOST)
        # a row can be taken in parts if nothing in the kernel needs all of it
        self.parted = not any(v.op in (*ROW_REDUCTIONS, "pick", "one_hot") for v in kernel.values)

    def _block(self, name: str, low: int, high: int, careful: bool) -> Block:
        kernel = rewritten(self.kernel, careful) if self.by_rows else self.kernel
        return Block(kernel, Layout(kernel, low, high), name, careful)

    def bound(self, rows: int, columns: int) -> Callable[..., Any]:
        """The kernel for this many rows and columns: a function of the arrays, outputs last."""
        return lambda *arrays: self(rows, columns, arrays)

    def __call__(self, rows: int, columns: int, arrays: Sequence[Any]) -> Any:
        """Run on inputs of any layout and contiguous outputs; the sums that end it come back."""
        kernel, count = self.kernel, len(self.kernel.inputs)
        stored = [v for v in kernel.outputs if v.op not in END_REDUCTIONS]
        kinds = [kind for kind, _ in kernel.inputs] + [v.kind for v in stored]
        arrays = [*map(np.asarray, arrays[:count]), *arrays[count:]]
        shaped = []
        for k, (kind, x) in enumerate(zip(kinds, arrays)):
            if k >= count and any(x is y for y in arrays[:count]):
                x = np.empty_like(x)
            if not self.by_rows:
                shaped.append(x.reshape(-1))
            elif kind == "M":
                shaped.append(x.reshape(rows, columns))
            else:
                shaped.append(x.reshape((-1, 1) if kind == "r" else (1, -1)))
        extent = rows if self.by_rows else columns
        step = self.size if not self.by_rows else max(1, self.size // max(columns, 1))
        threads = pool.get_num_threads() if rows * columns >= _PARALLEL else 1
        parts = min(threads * _PARTS, -(-extent // step)) if threads > 1 else 1
        run = self._rows if self.by_rows else self._columns
        bounds = [extent * k // parts for k in range(parts + 1)]

        done: list[list[Any]] = [[]] * parts
        claimed = itertools.count()

        def work() -> None:
            """Parts that nobody has claimed yet, one after the other."""
            while (k := next(claimed)) < parts:
                low, high = bounds[k : k + 2]
                done[k] = run(low, high, columns, step, shaped[:count], shaped[count:])

        others = [_pool(threads - 1).submit(work) for _ in range(1, min(threads, parts))]
        work()
        for other in others:
            if not other.cancel():  # one that has not begun finds nothing to do
                other.result()
        sums = done[0]
        for found in done[1:]:  # in order: the same sums whoever computed them
            for k, x in enumerate(found):
                sums[k] = sums[k] + x
        for k in range(len(stored)):
            out = arrays[count + k]
            if any(out is y for y in arrays[:count]):
                out[...] = shaped[count + k].reshape(out.shape)
        if not kernel.ends:
            return np.empty(1)
        order = sorted(range(len(sums)), key=lambda k: kernel.ends[k].op != "total")
        return np.concatenate([np.atleast_1d(sums[k]) for k in order])

    def _allocated(self, size: int, rows: int) -> dict[tuple[str, str], list[Any]]:
        lengths = {"M": size + self.halo, "r": rows, "c": size, "s": 1}
        return {
            (kind, dtype): [
                np.empty(lengths[kind], self.dtype if dtype == "f" else np.bool_)
                for _ in range(count)
            ]
            for (kind, dtype), count in self.buffers.items()
        }

    def _sums(self, columns: int) -> list[Any]:
        return [0.0 if v.op == "total" else np.zeros(columns) for v in self.kernel.ends]

    def _add(self, sums: list[Any], parts: Any, low: int, high: int) -> None:
        for k, part in enumerate(parts):
            if sums[k].__class__ is float:
                sums[k] += float(part)
            else:
                sums[k][low:high] += part

    def _columns(
        self, low: int, high: int, _columns: int, step: int, inputs: list[Any], outputs: list[Any]
    ) -> list[Any]:
        """The columns low..high of a kernel of one row."""
        sums = self._sums(0)
        step = min(step, max(high - low, 1))
        buffers = self._allocated(step, 1)
        with np.errstate(all="ignore"):
            for segment in self.segments:
                end, before, careful = min(high, segment.high), -1, False
                for a in range(max(low, segment.low), end, step):
                    b = min(a + step, end)
                    found = None
                    if not careful:
                        if b - a != before:
                            views = _flat_views(buffers, segment.views[0], b - a)
                            before = b - a
                        found = segment.fast(a, b, inputs, outputs, views)
                    if found is None:
                        careful = True
                        found = segment.careful(
                            a, b, inputs, outputs, _flat_views(buffers, segment.views[1], b - a)
                        )
                    self._add(sums, found, 0, 0)
        return sums

    def _rows(
        self, low: int, high: int, columns: int, step: int, inputs: list[Any], outputs: list[Any]
    ) -> list[Any]:
        """The rows low..high, of a few columns at a time where that can be."""
        sums = self._sums(columns)
        width = min(columns, self.size) if self.parted else columns
        step = min(step, max(high - low, 1))
        buffers = self._allocated(step * width, step)
        (segment,) = self.segments
        careful = not (columns and high > low)
        with np.errstate(all="ignore"):
            for left in range(0, max(columns, 1), max(width, 1)):
                right = min(left + width, columns)
                ins, outs = inputs, outputs
                if right - left < columns:
                    ins = [_cut(x, columns, left, right) for x in inputs]
                    outs = [_cut(x, columns, left, right) for x in outputs]
                before = -1
                for a in range(low, max(high, low + 1), step):
                    b = min(a + step, high)
                    found = None
                    if not careful:
                        if b - a != before:
                            views = _views(buffers, segment.views[0], b - a, right - left)
                            before = b - a
                        found = segment.fast(a, b, ins, outs, views)
                    if found is None:
                        careful = True
                        found = segment.careful(
                            a, b, ins, outs,
                            _views(buffers, segment.views[1], b - a, right - left),
                        )  # fmt: skip
                    self._add(sums, found, left, right)
        return sums


def _cut(x: Any, columns: int, left: int, right: int) -> Any:
    return x[:, left:right] if x.shape[1] == columns else x


def _flat_views(buffers: Any, keys: list[Any], m: int) -> list[Any]:
    return [
        buffers[kind, dtype][k][low : m + high] if kind == "M" else buffers[kind, dtype][k]
        for kind, dtype, k, low, high in keys
    ]


def _views(buffers: Any, keys: list[Any], m: int, n: int) -> list[Any]:
    shapes = {"M": (m, n), "r": (m, 1), "c": (1, n), "s": (1, 1)}
    return [
        buffers[kind, dtype][k][: shapes[kind][0] * shapes[kind][1]].reshape(shapes[kind])
        for kind, dtype, k, _, _ in keys
    ]


@functools.cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, "gradarg-blocks")


if hasattr(os, "register_at_fork"):  # a child has no threads but its own
    os.register_at_fork(after_in_child=_pool.cache_clear)


__all__ = ["Blocked", "supported"]
