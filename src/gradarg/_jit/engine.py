"""Kernels compiled with LLVM, through llvmlite, and run on the machine's threads."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import compiler, native, pool
from .emit import Vectors
from .kernel import END_REDUCTIONS, HEAVY
from .nest import Nest
from .nest_emit import module
from .pool import get_num_threads, set_num_threads

# Nanoseconds that an element takes on one thread, by measurement; bytes are those of its traffic.
_CHEAP, _COSTLY, _BYTE = 0.007, 0.45, 0.011
_MOVES = ("input", "number", "slice", "place")  # no work of their own
SERIAL = 15_000  # nanoseconds: below, one thread is done sooner than two have met
CHUNKS = 4  # for each thread, so that one which comes late takes fewer


def build(kernel: Any) -> int:
    """The address of a kernel's machine code. Equal kernels share it."""
    machine = compiler.target()
    text = module(kernel, machine.triple, str(machine.target_data), Vectors(*compiler.vectors()))
    (address,) = compiler.functions(text, "k", effort=int(isinstance(kernel, Nest)))
    return address


class Runner:
    """A kernel that has been compiled."""

    reads_first = True  # what an element of an output needs is read before it is stored

    def __init__(self, kernel: Any) -> None:
        self.kernel: Any = kernel
        self.address = build(kernel)
        native.ready()
        self.totals = sum(v.op == "total" for v in kernel.ends)
        self.columns = len(kernel.ends) - self.totals
        self.itemsize = np.dtype(kernel.float).itemsize
        # rows of its own: of values kept, and of sums of columns before they are doubles
        if isinstance(kernel, Nest):
            self.kept = kernel.kept
        else:
            self.kept = len(kernel.kept()) + self.columns * (kernel.float == "float32")
        self._bound: dict[tuple[int, int], Callable[..., Any]] = {}

    def __call__(self, rows: int, columns: int, arrays: Sequence[Any]) -> Any:
        """Run on inputs and outputs; the sums that end the kernel come back."""
        key = rows, columns
        found = self._bound.get(key)
        if found is None:
            found = self._bound[key] = self.bound(rows, columns)
        return found(*arrays)

    def bound(self, rows: int, columns: int) -> Callable[..., Any]:
        """The kernel for this many rows and columns: a function of the arrays, outputs last."""
        return Bound(self, rows, columns).function

    def numbers(self, count: int) -> Callable[..., Any] | None:
        """The kernel on single float64: a function from `count` floats to a tuple of np.float64."""
        kernel = self.kernel
        outs = len(kernel.outputs)
        if native.LAYOUT is None or count + outs > native.MOST or kernel.float != "float64":
            return None
        if kernel.ends or any(v.dtype == "b" for v in kernel.outputs):
            return None
        if any(kind != "s" or dtype != "f" for kind, dtype in kernel.inputs):
            return None
        slow = Bound(self, 1, 1)

        def others(*values: Any) -> Any:
            arrays = [np.asarray(v, np.float64).reshape(1) for v in values]
            results = [np.empty(1) for _ in range(outs)]
            slow.function(*arrays, *results)
            return tuple(r[0] for r in results)

        found: Callable[..., Any] = native.numbers(self.address, count, outs, others)
        return found

    def scratch(self, columns: int) -> int:
        """The bytes that a thread needs for itself."""
        return int(self.kept * columns * self.itemsize)

    def nanoseconds(self, rows: int, columns: int) -> float:
        """About how long one thread takes."""
        kernel = self.kernel
        worked = [v.op for v in kernel.values if v.kind in "Mc" and v.op not in _MOVES]
        heavy = sum(op in HEAVY for op in worked)
        cheap = len(worked) - heavy
        moved = sum(kind == "M" for kind, _ in kernel.inputs)
        moved += sum(v.kind == "M" for v in kernel.outputs)
        scale = self.itemsize / 4
        each = scale * (heavy * _COSTLY + cheap * _CHEAP + moved * 4 * _BYTE)
        return float(rows * columns * each)


class NestRunner(Runner):
    """A nest that has been compiled. Its rows are what the threads share, its columns its sums."""

    reads_first = False

    def __init__(self, nest: Nest) -> None:
        super().__init__(nest)
        self.columns, self.totals = int(nest.width > 0), 0

    def numbers(self, _count: int) -> None:
        return None

    def scratch(self, _columns: int) -> int:
        return int(8 * self.kept)

    def nanoseconds(self, _rows: int, _columns: int) -> float:
        nest, scale = self.kernel, self.itemsize / 4
        total = 0.0
        for v in nest.values:
            size = math.prod(v.shape)
            if v.op in HEAVY:
                total += size * _COSTLY
            elif v.op == "input" or v in nest.outputs:
                total += size * 4 * _BYTE
            elif v.op not in ("number", "view"):
                total += size * _CHEAP
        return float(scale * total)


class Bound:
    """A kernel with its extents: how it is cut into chunks, and what it needs beside arrays."""

    runner: Any

    def __init__(self, runner: Runner, rows: int, columns: int) -> None:
        kernel = self.kernel = runner.kernel
        self.runner, self.rows, self.columns = runner, rows, columns
        self.address = runner.address
        self.extent = rows if kernel.by_rows else columns
        self.count = len(kernel.inputs) + sum(v.op not in END_REDUCTIONS for v in kernel.outputs)
        self.large = runner.nanoseconds(rows, columns) > SERIAL and self.extent > 1
        self.width = runner.totals + runner.columns * columns
        self.padded = self.width + -self.width % 32  # no two threads write to one cache line
        self.scratch = runner.scratch(columns)
        self.scratch += 256 + -self.scratch % 128
        self.extra = bool(self.width or runner.kept)
        self.state: tuple[Any, ...] = (None,)  # replaced as a whole: other threads may read it
        if native.LAYOUT is None or self.count + 2 > native.MOST:
            self.function: Callable[..., Any] = self._by_ctypes
        elif self.large:
            self.function = self._parallel
        elif self._sums_near():
            self.extra = False
            self.function = self._call(0)
        else:
            self.serial = self._call(0)  # keeps the interpreter's lock
            self.function = self._serial_with_sums if self.extra else self.serial

    def _sums_near(self) -> bool:
        """Whether all sums are few numbers, which the call itself has room for."""
        few = 0 < self.runner.totals <= native.NEAR // 128 and not self.runner.columns
        return few and self.scratch <= native.NEAR

    def _call(self, chunks: int, workers: pool.Pool | None = None) -> Any:
        slots = {
            native.FUNCTION: self.address,
            native.ARRAYS: self.count + 2 * self.extra,
            native.ROWS: self.rows,
            native.COLUMNS: self.columns,
            native.EXTENT: self.extent,
            native.CHUNKS: chunks,
            native.SCRATCH_STEP: self.scratch if self.extra else 0,
            native.ENDS_STEP: self.padded * 8,
            native.JOB: workers.address if workers else 0,
            native.TOTALS: 0 if self.extra else self.runner.totals,
        }
        calls: list[Any] = []

        def others(*arrays: Any) -> Any:
            return calls[0](*self._whole(arrays))

        call = native.call(slots, others, workers.wake if workers else None)
        calls.append(call)
        return call

    def _whole(self, arrays: tuple[Any, ...]) -> list[Any]:
        """The arrays as a kernel takes them; what it writes to must be so already."""
        inputs = len(self.kernel.inputs)
        if len(arrays) not in (self.count, self.count + 2):
            raise TypeError(f"{self.kernel.name} takes {self.count} arrays, not {len(arrays)}.")
        for x in arrays[inputs:]:
            assert type(x) is np.ndarray and x.flags.c_contiguous and x.flags.aligned
        whole = [np.require(np.asarray(x), requirements=["C", "A"]) for x in arrays[:inputs]]
        return [*whole, *arrays[inputs:]]

    def _serial_with_sums(self, *arrays: Any) -> Any:
        ends = np.zeros(self.padded)
        self.serial(*arrays, np.empty(self.scratch, np.uint8), ends)
        return ends

    # ---- on several threads

    def _cut(self, threads: int) -> int:
        """How many chunks: a sum of each column is kept for every one of them."""
        many = threads if self.runner.columns else threads * CHUNKS
        return min(many, self.extent) if threads > 1 else 1

    def _made(self, workers: pool.Pool) -> tuple[Any, ...]:
        chunks = self._cut(workers.threads)
        apart = self._call(chunks)
        shared = self._call(chunks, workers) if chunks > 1 else None
        return workers, chunks, shared, apart

    def _parallel(self, *arrays: Any) -> Any:
        workers = pool.pool()
        if self.state[0] is not workers:
            self.state = self._made(workers)
        _, chunks, shared, apart = state = self.state
        ends = None
        if self.extra:
            ends = np.zeros((chunks, self.padded))
            scratch = np.empty(self.scratch * state[0].threads, np.uint8)
            arrays = (*arrays, scratch, ends)
        if shared is not None and state[0].busy.acquire(blocking=False):
            try:
                shared(*arrays)
            finally:
                state[0].busy.release()
        else:  # one thread, or another has the pool: the same chunks, one after the other
            apart(*arrays)
        return ends if ends is None else ends.sum(0)

    # ---- where objects are not laid out as expected

    def _by_ctypes(self, *arrays: Any) -> Any:
        given = self._whole(arrays)
        pointers = (ctypes.c_void_p * len(given))(*map(native.address, given))
        ends, scratch = np.zeros(max(self.padded, 1)), np.empty(self.scratch, np.uint8)
        native.KERNEL(self.runner.address)(
            pointers, self.rows, self.columns, 0, self.extent,
            native.address(scratch), native.address(ends),
        )  # fmt: skip
        return ends


__all__ = ["CHUNKS", "SERIAL", "Bound", "Runner", "build", "get_num_threads", "set_num_threads"]
