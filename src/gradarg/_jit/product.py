"""Which products of matrices are machine code of our own, and how they are called.

BLAS has threads of its own, which wait by keeping a processor busy, and each of which has its share
from the start: where they are more than the processors that are free, all wait for the slowest.
Ours claim tiles, and sleep.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core.stage import Equation
from .._ops import contract
from . import native
from .loops import registers
from .passes import type_of
from .pool import get_num_threads
from .product_ir import FIELDS, Shape, text
from .work import CHUNKS, Work, empty

MOST = 1 << 18  # multiplications of BLAS: for more, OpenBLAS wakes its threads
_PART = 320  # of a sum: a panel of B is in the nearest cache then
_HIGH = 336  # rows of a tile: its part of A is in the next one
_REUSED = 128  # rows of a tile, for which it is worth to pack B
_SET = 2048  # bytes: rows so many times apart take one another's place in the cache


@functools.cache
def _module(dtype: str) -> tuple[Shape, str]:
    shape = Shape(dtype, registers())
    return shape, text(shape)


class Product:
    """A product of matrices, or of all pairs of them in a batch."""

    def __init__(self, a: Any, b: Any, out: Any) -> None:
        self.out, self.dtype = tuple(out.shape), out.dtype
        self.batch, self.rows = math.prod(out.shape[:-2]), a.shape[-2]
        if b.ndim == 2:  # all rows are of one product
            self.batch, self.rows = 1, self.batch * self.rows
        self.sums, self.columns = b.shape[-2:]
        self.a = (-1, self.rows, self.sums)[b.ndim == 2 or a.ndim == 2 :]
        self.b = (-1, self.sums, self.columns)[b.ndim == 2 :]
        self.shape, self.text = _module(str(out.dtype))
        self.turned = self.columns < min(self.rows, self.shape.columns)
        if self.turned:  # vectors of rows are full
            self.rows, self.columns = self.columns, self.rows
        native.ready()
        self._bound: dict[Any, Callable[..., Any]] = {}

    def __call__(self, a: Any, b: Any) -> Any:
        out = empty(self.out, self.dtype)
        x = a if a.ndim == 2 else a.reshape(self.a)
        y = b if b.ndim == 2 else b.reshape(self.b)
        target = out
        if self.turned:
            x, y = y.mT, x.mT
            target = empty((self.batch, self.rows, self.columns), self.dtype)
        key = x.strides, y.strides
        call = self._bound.get(key)
        if call is None:
            call = self._bound[key] = self._made(*key)
        if x.flags.aligned and y.flags.aligned:
            call(x[_FIRST[: x.ndim]], y[_FIRST[: y.ndim]], target)
            if self.turned:
                np.copyto(out, target.mT.reshape(out.shape))
        else:
            np.matmul(a, b, out=out)
        return out

    def _made(self, a_strides: Any, b_strides: Any) -> Callable[..., Any]:
        """The product of arrays with these strides: a function of their first elements."""
        item, s, t = self.dtype.itemsize, self.shape, dict.fromkeys(FIELDS, 0)
        t |= {"rows": self.rows, "columns": self.columns, "sums": self.sums}
        for name, x in (("a", a_strides), ("b", b_strides)):
            each = [stride // item for stride in x]
            t[f"{name}_batch"] = each[0] if len(x) == 3 else 0
            t |= dict(zip(_STRIDES[name], each[-2:]))
        high, wide = self._tile()
        t |= {"high": high, "wide": wide, "part": _even(self.sums, _PART, 16)}
        t |= {"down": -(-self.rows // high), "across": -(-self.columns // wide)}
        t["packs_a"] = t["a_row"] != 1 and a_strides[-2] % _SET == 0 and self.rows > s.rows
        t["packs_b"] = t["b_column"] != 1 or b_strides[-2] % _SET == 0 or high > _REUSED
        table = np.array([t[name] for name in FIELDS], np.int64)
        operations = 2 * self.batch * self.rows * self.columns * self.sums
        scratch = t["packs_b"] * t["part"] * (wide + s.columns) * item + 256
        extent = self.batch * t["down"] * t["across"]
        run = Work(self.text, 3, extent, scratch, 0, operations, table=table)
        if not t["packs_a"]:
            return run
        panels = self.batch * -(-self.rows // s.rows)
        size = (panels * s.panel * self.sums,)
        pack = Work(self.text, 2, panels, 0, 0, 16 * math.prod(size), "pack", table)

        def packed(a: Any, b: Any, out: Any) -> None:
            held = empty(size, self.dtype)
            pack(a, held)
            run(held, b, out)

        return packed

    def _tile(self) -> tuple[int, int]:
        """Rows and columns of a tile: what the cache holds, but some tiles for each thread."""
        s, threads = self.shape, get_num_threads()
        high, wide = _even(self.rows, _HIGH, s.rows), 4 * s.columns

        def few() -> bool:
            tiles = self.batch * -(-self.rows // high) * -(-self.columns // wide)
            return threads > 1 and tiles < threads * CHUNKS

        while few() and wide > s.columns:
            wide //= 2
        while few() and high > 2 * s.rows:
            high = _even(high, high // 2, s.rows)
        return high, wide

    @property
    def spec(self) -> str:
        times = f"{self.batch} times " if self.batch > 1 else ""
        turned = ", transposed" if self.turned else ""
        sizes = f"{self.rows} x {self.sums} @ {self.sums} x {self.columns}"
        return f"{times}{sizes}{turned} ({self.dtype})"

    def __str__(self) -> str:
        s, (high, wide) = self.shape, self._tile()
        return (
            f"{self.spec}\n    for tile of {high} x {wide}:\n        for part of the sum:\n"
            f"            for {s.columns} columns, {s.rows} rows: sums of products in registers"
        )


_FIRST = (slice(1),) * 3  # the first element, which has an array's address and is contiguous
_STRIDES = {"a": ("a_row", "a_sum"), "b": ("b_sum", "b_column")}


def _even(size: int, most: int, multiple: int) -> int:
    """The size of equal parts: at most `most`, up to a multiple."""
    each = -(-size // -(-size // most))
    return -(-each // multiple) * multiple


def compiled(equation: Equation, _winograd: int) -> Product | None:
    """The product as machine code, where that is faster than BLAS."""
    a, b = map(type_of, equation.inputs)
    out = equation.outs[0].type
    if not a.dtype == b.dtype == out.dtype or out.dtype not in (np.float32, np.float64):
        return None
    if a.ndim < 2 or b.ndim < 2 or out.size * a.shape[-1] <= MOST:
        return None
    if min(*out.shape[-2:], a.shape[-1]) == 1:
        return None
    if b.ndim > 2 and a.ndim > 2 and a.shape[:-2] != b.shape[:-2]:
        return None
    if native.LAYOUT is None or sys.platform == "darwin":  # whose BLAS has a matrix unit
        return None
    return Product(a, b, out)


ROWS: dict[Any, Callable[..., Any]] = {contract.matmul: compiled}
