"""Machine code that does its work in chunks, each by itself: how it is called on threads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import compiler, native, pool
from .buffers import LEAST, recycled

_SERIAL = 1_500_000  # operations: below, one thread is done sooner than two have met
CHUNKS = 4  # for each thread, so that one which comes late takes fewer


def aligned(shape: tuple[int, ...], dtype: Any) -> Any:
    """An array that begins with a cache line."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    raw = empty((size + 64,), np.dtype(np.uint8))
    skipped = -native.address(raw) % 64
    return raw[skipped : skipped + size].view(dtype).reshape(shape)


def empty(shape: tuple[int, ...], dtype: Any) -> Any:
    """Memory of any content, used before where it is much."""
    large = math.prod(shape) * dtype.itemsize >= LEAST
    return recycled(shape, dtype) if large else np.empty(shape, dtype)


class Work:
    """The function `k` of a module, on arrays of one shape each, the outputs last.

    `extent` is what the threads share out; `scratch` the bytes that a thread needs, `ends` those
    of the sums of a chunk, which a call returns, a row for each chunk, for the caller to add up.
    `table` is what the function knows of the arrays when it is called, if it is not in its code.
    """

    def __init__(
        self, text: str, arrays: int, extent: int, scratch: int, ends: int, operations: float,
        name: str = "k", table: Any = None, effort: int = 1,
    ) -> None:  # fmt: skip
        (self.address,) = compiler.functions(text, name, effort=effort)
        native.ready()
        self.table = table
        self.count, self.extent, self.ends = arrays, extent, -(-ends // 256) * 256
        self.scratch = max(1, -(-scratch // 128)) * 128  # 0 would mean: no sums either
        self.large = operations > _SERIAL and extent > 1
        self.state: tuple[Any, ...] = (None,)  # replaced as a whole: other threads may read it

    def _made(self, workers: pool.Pool) -> tuple[Any, ...]:
        threads = workers.threads if self.large else 1
        many = threads * (1 if self.ends else CHUNKS)
        few = self.extent < (many if self.ends else 4 * many)  # all of one size, then
        chunks = (self.extent if few else many) if threads > 1 else 1
        apart = self._call(chunks, None)
        shared = self._call(chunks, workers) if chunks > 1 else None
        return workers, chunks, threads, shared, apart

    def _call(self, chunks: int, workers: pool.Pool | None) -> Any:
        slots = {
            native.FUNCTION: self.address,
            native.ARRAYS: self.count + 2,
            native.ROWS: 0 if self.table is None else native.address(self.table),
            native.EXTENT: self.extent,
            native.CHUNKS: chunks,
            native.SCRATCH_STEP: self.scratch,
            native.ENDS_STEP: self.ends,
            native.JOB: workers.address if workers else 0,
        }
        calls: list[Any] = []

        def others(*arrays: Any) -> Any:
            whole = [np.require(np.asarray(x), requirements=["C", "A"]) for x in arrays]
            return calls[0](*whole)

        calls.append(native.call(slots, others, workers.wake if workers else None))
        return calls[0]

    def __call__(self, *arrays: Any) -> Any:
        workers = pool.pool()
        if self.state[0] is not workers:
            self.state = self._made(workers)
        _, chunks, threads, shared, apart = self.state
        scratch = empty((self.scratch * threads,), np.dtype(np.uint8))
        ends = np.zeros((chunks, max(self.ends, 8)), np.uint8)
        if shared is not None and workers.busy.acquire(blocking=False):
            try:
                shared(*arrays, scratch, ends)
            finally:
                workers.busy.release()
        else:  # one thread, or another has the pool
            apart(*arrays, scratch, ends)
        return ends
