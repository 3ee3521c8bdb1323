"""Kernels whose rows go by blocks: what is a number for each row is computed by vectors of rows.

A block of rows stays in the cache while loops go over it: along each row (its sums and extremes, as
the dot products of a matrix and a vector), over the rows (a sigmoid of these, say), and down each
column, whose sum over the block stays in a register. So a matrix is read from memory once for the
value and the gradient of a linear model.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from .code import operation
from .emit import Emitter, Memo, Vectors
from .kernel import HEAVY, ROW_REDUCTIONS, Kernel, Value

ROWS = 64  # of a block, at most
NEAR, FAR = 1 << 13, 1 << 17  # elements of a block: in the first cache; at most, in the second
MOST = 2  # matrices: blocks of more leave the first cache, where a single row of each stays
_BY_ITSELF = ("pick", "one_hot", "outside")  # a row at a time


def in_blocks(kernel: Kernel) -> bool:
    """Whether the rows of a kernel are to go by blocks."""
    if not kernel.by_rows or kernel.kept() or any(v.op in _BY_ITSELF for v in kernel.values):
        return False
    matrices = [kind for kind, _ in kernel.inputs] + [v.kind for v in kernel.outputs]
    if matrices.count("M") > MOST:
        return False
    later = [v for v in kernel.values if v.level]
    costly = any(v.kind == "r" and v.op in HEAVY for v in later)
    return costly or any(v.op == "column_sum" and v.level for v in later)


def _when(v: Value) -> int:
    """The loops before which a value can be had."""
    return v.level + (v.op in ROW_REDUCTIONS)


class Blocks(Emitter):
    """Writes the function of such a kernel."""

    def __init__(self, kernel: Kernel, vectors: Vectors) -> None:
        super().__init__(kernel, vectors)
        self.way = "along"  # each row; or "over" the rows, or "down" the columns
        pairs = ((a, v) for v in kernel.values for a in v.values if a.kind == "r")
        later = {id(a) for a, v in pairs if v.kind == "M" or _when(v) > _when(a)}
        of_rows = [v for v in kernel.values if v.op in ROW_REDUCTIONS]
        of_rows += [v for v in kernel.values if id(v) in later and v not in of_rows]
        # values of each row of the block, and those of them that have been computed
        self.numbers = {id(v): k for k, v in enumerate(of_rows) if v.op not in ("input", "number")}
        self.ready: set[int] = set()

    def rows(self, _flushed: list[int]) -> None:
        code = self.code
        for v in self.kernel.values:
            if id(v) in self.numbers:
                type = code.type if v.dtype == "f" else "i8"
                self.allocas.append(f"  {self.number(v)} = alloca [{ROWS} x {type}], align 64")
        columns = code.call("llvm.umax.i64", "i64", ("i64", "%C"), ("i64", "1"))
        near = code.let(f"and i64 {code.let(f'udiv i64 {NEAR}, {columns}')}, -16")
        far = code.let(f"udiv i64 {FAR}, {columns}")
        far = code.call("llvm.umin.i64", "i64", ("i64", far), ("i64", "16"))
        most = code.call("llvm.umax.i64", "i64", ("i64", near), ("i64", far))
        most = code.call("llvm.umax.i64", "i64", ("i64", most), ("i64", "1"))
        most = code.call("llvm.umin.i64", "i64", ("i64", most), ("i64", str(ROWS)))
        self.ahead = code.let(f"mul i64 {most}, %C")
        code.line("br label %rows")
        code.label("rows")
        code.line("%first = phi i64 [%lo, %entry], [%end, %rowsdone]")
        code.line("%some = icmp slt i64 %first, %hi")
        code.line("br i1 %some, label %block, label %done")
        code.label("block")
        code.line(f"%full = add nsw i64 %first, {most}")
        code.line("%whole = icmp slt i64 %full, %hi")
        code.line("%end = select i1 %whole, i64 %full, i64 %hi")
        code.line("%count = sub nsw i64 %end, %first")
        for at in range(self.kernel.passes + 1):
            self.over(at)
            self.along(at)
            self.down(at)
        code.line("br label %rowsdone")
        code.label("rowsdone")
        code.line("br label %rows")
        code.label("done")

    def number(self, v: Value) -> str:
        return f"%n{self.numbers[id(v)]}"

    # ---- values

    def outer(self, v: Value) -> str:
        if id(v) in self.ready and id(v) not in self.have:
            self.have[id(v)] = self.load(self.number(v), self.in_block, 1, v.dtype)
        return super().outer(v)

    def inner_or_zero(self, v: Value, memo: Memo, fresh: list[Value], offset: int) -> str | None:
        if self.way != "over" or v.kind != "r":
            return super().inner_or_zero(v, memo, fresh, offset)
        key = id(v), 0
        if key not in memo:
            if id(v) in self.ready:
                x = self.load(self.number(v), self.j, 1, v.dtype)
            elif v.op == "input":
                x = self.load(f"%p{v.args[0]}", self.place, 0, v.dtype)
            else:
                args = [self.inner(a, memo, fresh) for a in v.values]
                x = operation(self.code, v, args)
                if id(v) in self.numbers:
                    self.store(x, self.number(v), self.j, 1, v.dtype)
                    fresh.append(v)
            memo[key] = x
        return memo[key]

    def has_inverse(self, v: Value) -> bool:
        return self.way == "along" and super().has_inverse(v)

    # ---- the loops

    def over(self, at: int) -> None:
        """Over the rows, for what is one number for each and can be had now."""
        now = [v for v in self.kernel.values if v.kind == "r" and _when(v) == at]
        sums = [v for v in self.kernel.ends if v.op == "total" and v.values[0] in now]
        stores = [v for v in self.outputs if v in now]
        numbers = [v for v in now if id(v) in self.numbers and v.op not in ROW_REDUCTIONS]
        if sums or stores or numbers:
            self.way, self.base = "over", "%first"
            self.vector_loop(sums, [], stores, "0", "%count", numbers)
            self.ready.update(map(id, numbers))

    def along(self, at: int) -> None:
        """Along each row, for its reductions, and for what is stored of it."""
        values = self.kernel.values
        reductions = [v for v in values if v.op in ROW_REDUCTIONS and v.level == at]
        totals = [v for v in self.kernel.ends if v.op == "total" and v.values[0].kind == "M"]
        sums = [*reductions, *(v for v in totals if v.values[0].level == at)]
        stores = [v for v in self.outputs if v.kind == "M" and v.level == at]
        if not (sums or stores):
            return
        self.way = "along"
        with self.each_row():
            self.prepare(at)
            self.vector_loop(sums, [], stores, "0", "%C")
            for v in reductions:
                self.store(self.have[id(v)], self.number(v), self.in_block, 1)
        self.ready.update(map(id, reductions))

    def down(self, at: int) -> None:
        """Down the columns, four vectors of them at a time, for their sums."""
        code = self.code
        sums = [v for v in self.kernel.values if v.op == "column_sum" and v.values[0].level == at]
        if not sums:
            return
        self.way = "down"
        n = self.count = self.count + 1
        most = 2 * self.wide
        narrow = most if self.vectors.masks else 1
        whole = code.let(f"and i64 %C, {-most}")
        for name, lanes, low, high in (("w", most, "0", whole), ("x", narrow, whole, "%C")):
            label = f"{name}{n}"
            self.j = f"%j{label}"
            code.line(f"br label %before{label}")
            code.label(f"before{label}")
            code.line(f"br label %strip{label}")
            code.label(f"strip{label}")
            code.line(f"{self.j} = phi i64 [{low}, %before{label}], [{self.j}n, %after{label}]")
            more = code.let(f"icmp slt i64 {self.j}, {high}")
            code.line(f"br i1 {more}, label %sum{label}, label %out{label}")
            code.label(f"sum{label}")
            self.strip(sums, at, lanes, masked=name == "x" and lanes > 1)
            code.line(f"br label %after{label}")
            code.label(f"after{label}")
            code.line(f"{self.j}n = add nsw i64 {self.j}, {lanes}")
            code.line(f"br label %strip{label}")
            code.label(f"out{label}")

    def strip(self, sums: list[Value], at: int, lanes: int, masked: bool) -> None:
        """The sums of some columns over the block, added to the doubles that they end in."""
        code = self.code
        partial = {id(v): f"%s{self.j[1:]}.{self._k(v)}" for v in sums}
        code.lanes = lanes
        for name in partial.values():
            self.allocas.append(f"  {name} = alloca {code.real}")
            code.line(f"store {code.real} {code.number(0)}, ptr {name}")
        mask = self.lanes_below("%C") if masked else ""
        code.lanes = 1
        with self.each_row():
            self.prepare(at)
            self.place = code.let(f"add nsw i64 {self.base}, {self.j}")
            self.fetch(lanes)
            code.lanes, self.mask = lanes, mask
            memo: Memo = {}
            for v in sums:
                x = self.inner(v.values[0], memo, [])
                old = code.let(f"load {code.real}, ptr {partial[id(v)]}")
                code.line(f"store {code.real} {code.op('fadd', old, x)}, ptr {partial[id(v)]}")
            code.lanes, self.mask = 1, ""
        code.lanes, self.mask = lanes, mask
        for v in sums:
            x = code.let(f"load {code.real}, ptr {partial[id(v)]}")
            if code.type == "float":
                x = code.let(f"fpext {code.real} {x} to {code.vector('double')}")
            place = f"%e{self.ends[id(v)]}"
            old = self.loaded("double", 8, place, self.j, 2)
            new = code.let(f"fadd {code.vector('double')} {old}, {x}")
            self.stored_at(new, "double", 8, place, self.j, 2)
        code.lanes, self.mask = 1, ""

    def fetch(self, lanes: int) -> None:
        """Have the same place of the next block on its way from memory."""
        code = self.code
        there = code.let(f"add i64 {self.place}, {self.ahead}")
        for k, (kind, dtype) in enumerate(self.kernel.inputs):
            if kind != "M" or dtype != "f":
                continue
            for line in range(0, lanes, 64 // self.size):
                at = code.let(f"add i64 {there}, {line}")
                at = code.let(f"getelementptr {code.type}, ptr %p{k}, i64 {at}")
                code.call(
                    "llvm.prefetch.p0", "void",
                    ("ptr", at), ("i32", "0"), ("i32", "2"), ("i32", "1"),
                )  # fmt: skip

    @contextlib.contextmanager
    def each_row(self) -> Iterator[None]:
        """A loop over the rows of the block."""
        code, outside, inverses = self.code, self.have, self.inverses
        n = self.count = self.count + 1
        self.row, self.in_block, self.base = f"%r{n}", f"%i{n}", f"%base{n}"
        self.have, self.inverses = dict(outside), dict(inverses)
        code.line(f"br label %enter{n}")
        code.label(f"enter{n}")
        code.line(f"br label %row{n}")
        code.label(f"row{n}")
        code.line(f"%i{n} = phi i64 [0, %enter{n}], [%i{n}n, %next{n}]")
        code.line(f"%r{n} = add nsw i64 %first, %i{n}")
        code.line(f"%base{n} = mul nsw i64 %r{n}, %C")
        yield
        code.line(f"br label %next{n}")
        code.label(f"next{n}")
        code.line(f"%i{n}n = add nsw i64 %i{n}, 1")
        more = code.let(f"icmp slt i64 %i{n}n, %count")
        code.line(f"br i1 {more}, label %row{n}, label %leave{n}")
        code.label(f"leave{n}")
        self.have, self.inverses = outside, inverses
