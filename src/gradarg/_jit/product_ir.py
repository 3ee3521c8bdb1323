"""Products of matrices as machine code: C = A B, of any strides.

C is cut into tiles, which threads claim. For each part of the sum, a tile's part of B is packed
into panels as wide as the micro-kernel, in memory of the thread's own. A is read where it lies; if
its rows would lie in one another's way in the cache, it is packed beforehand, into panels as high
as the micro-kernel. Sizes and strides are numbers in a table, so that one module serves all
products of a dtype. The order of a sum does not depend on the number of threads.

Source: K. Goto and R. van de Geijn, Anatomy of High-Performance Matrix Multiplication, ACM
Transactions on Mathematical Software 34(3), 2008.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .bands import scratch
from .loops import KERNEL, Function, Registers, microkernel, module, transposed

# Of a product in the table: its sizes; `part` of a sum at a time; how many tiles there are, and the
# rows and columns of one; strides in elements; whether A and B are packed.
FIELDS = (
    "rows", "columns", "sums", "part", "down", "across", "high", "wide",
    "a_batch", "a_row", "a_sum", "b_batch", "b_sum", "b_column", "packs_a", "packs_b",
)  # fmt: skip


class Shape:
    """What the micro-kernel computes at once, and the rows that a panel of A has room for."""

    def __init__(self, dtype: str, registers: Registers) -> None:
        self.dtype, self.vectors = dtype, 2
        self.width = registers.width // np.dtype(dtype).itemsize
        self.rows = min(14, (registers.count - self.vectors - 1) // self.vectors)
        self.columns = self.vectors * self.width
        self.panel = -(-self.rows // self.width) * self.width  # whole vectors

    @property
    def heights(self) -> list[int]:
        """The rows of the micro-kernels: of the whole one, and powers of 2 for what is left."""
        return [self.rows, *(n for n in (8, 4, 2, 1) if n < self.rows)]


def text(shape: Shape) -> str:
    """The module: the function `pack` packs A, `k` is the product."""
    parts = [_kernel(shape, height) for height in shape.heights]
    parts += [_packing(shape, size) for size in sorted({shape.panel, shape.columns})]
    return module([*parts, _edge(shape), _strip(shape), _packed(shape), _product(shape)])


def _kernel(shape: Shape, height: int) -> Function:
    return microkernel(
        f"rows{height}", shape.dtype, (height, shape.vectors, shape.width), "%a_row",
        [(None, "%a_sum", "%b_sum")], "%out", "%add",
        ", i64 %a_row, i64 %a_sum, i64 %b_sum, i64 %out, i1 %add",
    )  # fmt: skip


def _packing(shape: Shape, size: int) -> Function:
    """to[p, k, r] = x[p * size + r, k]: panels of `size`. Beyond `valid`, the last is repeated."""
    width = shape.width
    f = Function(
        f"pack{size}",
        "ptr noalias %x, ptr noalias %to, i64 %panels, i64 %n, i64 %along, i64 %step, i64 %valid",
        shape.dtype,
    )
    panel, dense = f.index(("%n", size)), f.let("icmp eq i64 %along, 1")
    full = f.smaller("%panels", f.let(f"udiv i64 %valid, {size}"))
    plain = f.let(f"select i1 {dense}, i64 {full}, i64 0")
    # along rows that lie in memory, one after the other: it is read in its order
    with f.when(f.let(f"icmp ne i64 {plain}, 0")), f.loop(0, "%n") as k, f.loop(0, plain) as p:
        for g in range(0, size, width):
            x = f.load(f.at("%x", (k, "%step"), (p, size), g), width)
            f.store(x, f.at("%to", (p, panel), (k, size), g), width)
    turns, tiles = f.let("icmp eq i64 %step, 1"), f.let(f"and i64 %n, {-width}")
    turned = f.let(f"select i1 {turns}, i64 {tiles}, i64 0")
    last = f.index("%valid", -1)
    with f.loop(plain, "%panels") as p:
        first, to = f.index((p, size)), f.at("%to", (p, panel))
        for g in range(0, size, width):
            places = [f.smaller(f.index(first, g + r), last) for r in range(width)]
            starts = [f.at("%x", (place, "%along")) for place in places]
            with f.loop(0, turned, width) as k:
                rows = [f.load(f.at(start, k), width) for start in starts]
                for j, x in enumerate(transposed(f, rows)):
                    f.store(x, f.at(to, (k, size), j * size + g), width)
        with f.loop(turned, "%n") as k, f.loop(0, size) as r:
            place = f.smaller(f.index(first, r), last)
            x = f.load(f.at("%x", (place, "%along"), (k, "%step")))
            f.store(x, f.at(to, (k, size), r))
    return f


def _edge(shape: Shape) -> Function:
    """c[r, q] = (or +=) what was computed aside."""
    f = Function(
        "edge",
        "ptr noalias %aside, ptr noalias %c, i64 %rows, i64 %columns, i64 %out, i1 %add",
        shape.dtype,
    )
    with f.loop(0, "%rows") as r, f.loop(0, "%columns") as q:
        at, x = f.at("%c", (r, "%out"), q), f.load(f.at("%aside", (r, shape.columns), q))
        sum = f.op("fadd", x, f.load(at))
        f.store(f.let(f"select i1 %add, {f.type} {sum}, {f.type} {x}"), at)
    return f


def _strip(shape: Shape) -> Function:
    """A column of the micro-kernel's blocks of C: rows of A, times a panel of B.

    Where C has fewer columns than the block, this is computed aside.
    """
    f = Function(
        "strip",
        "ptr noalias %a, ptr noalias %b, ptr noalias %c, i64 %rows, i64 %columns, i64 %n, "
        "i64 %panel, i64 %a_row, i64 %a_sum, i64 %b_sum, i64 %out, i1 %add",
        shape.dtype,
    )
    aside = f.slot(f"[{shape.rows * shape.columns} x {f.type}]")
    full = f.let(f"icmp eq i64 %columns, {shape.columns}")
    partial = f.let(f"xor i1 {full}, true")
    out = f.let(f"select i1 {full}, i64 %out, i64 {shape.columns}")
    add = f.let(f"and i1 {full}, %add")

    def block(height: int, row: str, a: str) -> None:
        c = f.at("%c", (row, "%out"))
        target = f.let(f"select i1 {full}, ptr {c}, ptr {aside}")
        f.call(
            f"rows{height}", ("ptr", a), ("ptr", "%b"), ("ptr", target), ("i64", "%n"),
            ("i64", "%a_row"), ("i64", "%a_sum"), ("i64", "%b_sum"), ("i64", out), ("i1", add),
        )  # fmt: skip
        with f.when(partial):
            f.call(
                "edge", ("ptr", aside), ("ptr", c), ("i64", height), ("i64", "%columns"),
                ("i64", "%out"), ("i1", "%add"),
            )  # fmt: skip

    panels = f.let(f"udiv i64 %rows, {shape.rows}")
    with f.loop(0, panels) as p:
        block(shape.rows, f.index((p, shape.rows)), f.at("%a", (p, "%panel")))
    a, row = f.at("%a", (panels, "%panel")), f.index((panels, shape.rows))
    left = f.index("%rows", (row, -1))
    for height in shape.heights[1:]:
        before = f.let(f"and i64 {left}, {-2 * height}")
        with f.when(f.let(f"icmp ne i64 {f.let(f'and i64 {left}, {height}')}, 0")):
            block(height, f.index(row, before), f.at(a, (before, "%a_row")))
    return f


class _Table(dict[str, str]):
    """The numbers of the table, by name, and what follows from them."""

    def __init__(self, f: Function, shape: Shape) -> None:
        table = f.let("inttoptr i64 %R to ptr")
        for k, name in enumerate(FIELDS):
            self[name] = f.let(f"load i64, ptr {f.let(f'getelementptr i64, ptr {table}, i64 {k}')}")
        rounded = f.index(self["rows"], shape.rows - 1)
        self["panels"] = f.let(f"udiv i64 {rounded}, {shape.rows}")
        # of A packed: of all panels, what one summand takes, and all
        self["step"] = f.index((self["panels"], shape.panel))
        self["size"] = f.let(f"mul i64 {self['step']}, {self['sums']}")


def _split(f: Function, i: str, by: str) -> tuple[str, str]:
    """The quotient, and what is left."""
    return f.let(f"udiv i64 {i}, {by}"), f.let(f"urem i64 {i}, {by}")


def _parts(f: Function, t: _Table) -> Iterator[tuple[str, str]]:
    """The parts of the sum: where each begins, and how long it is."""
    with f.loop(0, t["sums"], t["part"]) as k:
        yield k, f.smaller(t["part"], f.index(t["sums"], (k, -1)))


def _packed(shape: Shape) -> Function:
    """A as panels: of each batch, of each part of the sum. The threads share out the panels."""
    f = Function("pack", KERNEL, shape.dtype, internal=False)
    a, to, t = f.argument(0), f.argument(1), _Table(f, shape)
    with f.loop("%lo", "%hi") as i:
        batch, panel = _split(f, i, t["panels"])
        row = f.index((panel, shape.rows))
        source = f.at(a, (batch, t["a_batch"]), (row, t["a_row"]))
        target = f.at(to, (batch, t["size"]))
        for k, n in _parts(f, t):
            place = f.at(target, (k, t["step"]), (f.let(f"mul i64 {panel}, {n}"), shape.panel))
            f.call(
                f"pack{shape.panel}", ("ptr", f.at(source, (k, t["a_sum"]))), ("ptr", place),
                ("i64", 1), ("i64", n), ("i64", t["a_row"]), ("i64", t["a_sum"]),
                ("i64", f.index(t["rows"], (row, -1))),
            )  # fmt: skip
    return f


def _product(shape: Shape) -> Function:
    """The product: the threads share out the tiles of all batches."""
    f = Function("k", KERNEL, shape.dtype, internal=False)
    a, b, c, t = f.argument(0), f.argument(1), f.argument(2), _Table(f, shape)
    (own,) = scratch(f, 0)
    packs_a, packs_b = (f.let(f"icmp ne i64 {t[name]}, 0") for name in ("packs_a", "packs_b"))

    def either(condition: str, x: Any, y: Any, type: str = "i64") -> str:
        return f.let(f"select i1 {condition}, {type} {x}, {type} {y}")

    a_batch = either(packs_a, t["size"], t["a_batch"])
    a_row, a_sum = either(packs_a, 1, t["a_row"]), either(packs_a, shape.panel, t["a_sum"])
    b_sum = either(packs_b, shape.columns, t["b_sum"])
    with f.loop("%lo", "%hi") as i:
        batch, tile = _split(f, i, f.let(f"mul i64 {t['down']}, {t['across']}"))
        y, x = _split(f, tile, t["across"])
        row, low = f.index((y, t["high"])), f.index((x, t["wide"]))
        rows = f.smaller(t["high"], f.index(t["rows"], (row, -1)))
        high = f.smaller(f.index(low, t["wide"]), t["columns"])
        columns = f.index(high, (low, -1), shape.columns - 1)
        wide = f.let(f"udiv i64 {columns}, {shape.columns}")
        result = f.at(c, (f.index((batch, t["rows"]), row), t["columns"]))
        for k, n in _parts(f, t):
            panel = either(packs_a, f.index((n, shape.panel)), f.index((t["a_row"], shape.rows)))
            first = f.let(f"udiv i64 {row}, {shape.rows}")
            packed = f.index((k, t["step"]), (first, panel))
            there = f.index((row, t["a_row"]), (k, t["a_sum"]))
            left = f.at(a, (batch, a_batch), either(packs_a, packed, there))

            source = f.at(b, (batch, t["b_batch"]), (k, t["b_sum"]))
            with f.when(packs_b):
                f.call(
                    f"pack{shape.columns}", ("ptr", f.at(source, (low, t["b_column"]))),
                    ("ptr", own), ("i64", wide), ("i64", n), ("i64", t["b_column"]),
                    ("i64", t["b_sum"]), ("i64", f.index(t["columns"], (low, -1))),
                )  # fmt: skip
            with f.loop(low, high, shape.columns) as q:
                right = f.at(own, (f.index(q, (low, -1)), n))
                right = either(packs_b, right, f.at(source, q), "ptr")
                f.call(
                    "strip", ("ptr", left), ("ptr", right),
                    ("ptr", f.at(result, q)), ("i64", rows),
                    ("i64", f.smaller(shape.columns, f.index(high, (q, -1)))), ("i64", n),
                    ("i64", panel), ("i64", a_row), ("i64", a_sum), ("i64", b_sum),
                    ("i64", t["columns"]), ("i1", f.let(f"icmp ne i64 {k}, 0")),
                )  # fmt: skip
    return f
