"""Loop nests and vectors as LLVM IR: what kernels that are written by hand are written with."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from . import compiler

Term = tuple[Any, Any]  # an index (a name or a number) and what it is multiplied by


@dataclass(frozen=True)
class Registers:
    """What a machine computes with: bytes in a vector, and how many vectors it holds."""

    width: int
    count: int


def registers() -> Registers:
    """Those of this machine."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return Registers(64, 32)
    if features.get("avx2"):
        return Registers(32, 16)
    return Registers(16, 32 if "aarch64" in compiler.target().triple else 16)


class Function:
    """A function under way. Counters and sums are memory here; LLVM keeps them in registers."""

    def __init__(self, name: str, parameters: str, dtype: Any, internal: bool = True) -> None:
        self.type = "float" if str(dtype) == "float32" else "double"
        self.bits = 32 if str(dtype) == "float32" else 64
        linkage = "internal " if internal else ""
        self.head = f"define {linkage}void @{name}({parameters}) noinline {{"
        self.slots: list[str] = []
        self.lines: list[str] = []
        self.declared: set[str] = set()
        self.count = 0

    def __str__(self) -> str:
        return "\n".join(
            [self.head, "entry:", *self.slots, "  br label %start", "start:", *self.lines]
            + ["  ret void", "}"]
        )

    def let(self, right: str) -> str:
        self.count += 1
        self.lines.append(f"  %t{self.count} = {right}")
        return f"%t{self.count}"

    def line(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def slot(self, type: str) -> str:
        """Memory of the function's own."""
        self.count += 1
        self.slots.append(f"  %t{self.count} = alloca {type}")
        return f"%t{self.count}"

    # ---- whole numbers

    def index(self, *terms: Term | int | str) -> str:
        """A sum of products."""
        fixed, total = 0, ""
        for term in terms:
            x, k = term if isinstance(term, tuple) else (term, 1)
            if isinstance(x, int) or x.lstrip("-").isdigit():
                fixed += int(x) * k
                continue
            part = x if k == 1 else self.let(f"mul i64 {x}, {k}")
            total = self.let(f"add i64 {total}, {part}") if total else part
        if not total:
            return str(fixed)
        return self.let(f"add i64 {total}, {fixed}") if fixed else total

    def smaller(self, x: Any, y: Any) -> str:
        if isinstance(x, int) and isinstance(y, int):
            return str(min(x, y))
        self.declared.add("declare i64 @llvm.smin.i64(i64, i64)")
        return self.let(f"call i64 @llvm.smin.i64(i64 {x}, i64 {y})")

    def larger(self, x: Any, y: Any) -> str:
        self.declared.add("declare i64 @llvm.smax.i64(i64, i64)")
        return self.let(f"call i64 @llvm.smax.i64(i64 {x}, i64 {y})")

    @contextmanager
    def loop(self, low: Any, high: Any, step: Any = 1) -> Iterator[str]:
        """The body is for each index from low to high, without it."""
        if isinstance(low, int) and isinstance(high, int) and low < high <= low + step:
            yield str(low)
            return
        slot, k = self.slot("i64"), self.count
        self.line(f"store i64 {low}, ptr {slot}")
        self.line(f"br label %head{k}")
        self.lines.append(f"head{k}:")
        i = self.let(f"load i64, ptr {slot}")
        more = self.let(f"icmp slt i64 {i}, {high}")
        self.line(f"br i1 {more}, label %body{k}, label %end{k}")
        self.lines.append(f"body{k}:")
        yield i
        self.line(f"store i64 {self.let(f'add i64 {i}, {step}')}, ptr {slot}")
        self.line(f"br label %head{k}")
        self.lines.append(f"end{k}:")

    @contextmanager
    def blocks(self, count: int, size: int) -> Iterator[str]:
        """Where each block begins of `count` elements; the last may overlap the one before."""
        with self.loop(0, count, size) as i:
            yield i if count % size == 0 else self.smaller(i, count - size)

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        self.count += 1
        k = self.count
        self.line(f"br i1 {condition}, label %then{k}, label %else{k}")
        self.lines.append(f"then{k}:")
        yield
        self.line(f"br label %else{k}")
        self.lines.append(f"else{k}:")

    # ---- floats, and vectors of them

    def vector(self, n: int) -> str:
        return self.type if n == 1 else f"<{n} x {self.type}>"

    def at(self, base: str, *terms: Term | int | str) -> str:
        """The address of an element."""
        place = self.index(*terms)
        return (
            base
            if place == "0"
            else self.let(f"getelementptr {self.type}, ptr {base}, i64 {place}")
        )

    def load(self, address: str, n: int = 1) -> str:
        return self.let(f"load {self.vector(n)}, ptr {address}, align {self.bits // 8}")

    def store(self, x: str, address: str, n: int = 1) -> None:
        self.line(f"store {self.vector(n)} {x}, ptr {address}, align {self.bits // 8}")

    def spread(self, x: str, n: int) -> str:
        """A vector of one number."""
        if n == 1:
            return x
        v = self.vector(n)
        one = self.let(f"insertelement {v} poison, {self.type} {x}, i64 0")
        return self.let(f"shufflevector {v} {one}, {v} poison, <{n} x i32> zeroinitializer")

    def shuffle(self, x: str, y: str, places: Sequence[int], n: int) -> str:
        v, mask = self.vector(n), ", ".join(f"i32 {p}" for p in places)
        return self.let(f"shufflevector {v} {x}, {v} {y}, <{n} x i32> <{mask}>")

    def number(self, x: float, n: int) -> str:
        """A vector of one number, as a constant."""
        x = struct.unpack("f", struct.pack("f", x))[0] if self.bits == 32 else x
        one = f"{self.type} 0x{struct.unpack('>Q', struct.pack('>d', x))[0]:016X}"
        return one.split()[1] if n == 1 else f"<{', '.join([one] * n)}>"

    def op(self, how: str, x: str, y: str, n: int = 1) -> str:
        return self.let(f"{how} {self.vector(n)} {x}, {y}")

    def multiply_add(self, x: str, y: str, z: str, n: int) -> str:
        v = self.vector(n)
        name = f"@llvm.fmuladd.{'' if n == 1 else f'v{n}'}f{self.bits}"
        self.declared.add(f"declare {v} {name}({v}, {v}, {v})")
        return self.let(f"call {v} {name}({v} {x}, {v} {y}, {v} {z})")

    def total(self, x: str, n: int) -> str:
        """The sum of a vector's elements, in any order."""
        name = f"@llvm.vector.reduce.fadd.v{n}f{self.bits}"
        self.declared.add(f"declare {self.type} {name}({self.type}, {self.vector(n)})")
        start = self.number(-0.0, 1)
        return self.let(
            f"call reassoc {self.type} {name}({self.type} {start}, {self.vector(n)} {x})"
        )

    def zero(self, address: str, count: Any) -> None:
        """Set `count` elements to 0."""
        self.declared.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
        size = self.index((count, self.bits // 8))
        self.line(f"call void @llvm.memset.p0.i64(ptr {address}, i8 0, i64 {size}, i1 false)")

    def copy(self, source: str, target: str, count: int) -> None:
        """Copy `count` elements in a row."""
        n = max(1, 64 * 8 // self.bits)
        while n > count:
            n //= 2
        with self.blocks(count, n) as i:
            self.store(self.load(self.at(source, (i, 1)), n), self.at(target, (i, 1)), n)

    def call(self, name: str, *args: tuple[str, Any]) -> None:
        given = ", ".join(f"{type} {x}" for type, x in args)
        self.line(f"call void @{name}({given})")

    def argument(self, k: int) -> str:
        """The address of the array k, of a function that is called with an array of addresses."""
        return self.let(f"load ptr, ptr {self.let(f'getelementptr ptr, ptr %args, i64 {k}')}")


KERNEL = "ptr %args, i64 %R, i64 %C, i64 %lo, i64 %hi, ptr %scratch, ptr %ends"


def module(functions: Sequence[Function]) -> str:
    """The text of functions, for `compiler.functions`."""
    machine = compiler.target()
    declared = sorted({d for f in functions for d in f.declared})
    head = f'target triple = "{machine.triple}"\ntarget datalayout = "{machine.target_data}"'
    return "\n".join([head, *declared, *map(str, functions)]) + "\n"


# ---- the parts that kernels of images are made of


def microkernel(
    name: str, dtype: Any, shape: tuple[int, int, int], along: Any, levels: Any, out: Any,
    add: bool | str, more: str = "",
) -> Function:  # fmt: skip
    """c[p, v] = (or +=) the sum of a[p, k] * b[k, v] over k, all of c in registers.

    `shape` is (P, NV, V): P rows of NV vectors of V. The k are nested loops, `levels`, each a count
    (None: the parameter n), and what it adds to the places in a and in b; `along` is from row to
    row in a, `out` in c. Each of these, and whether to `add`, can be a parameter of `more`.
    """
    rows, vectors, width = shape
    f = Function(name, f"ptr noalias %a, ptr noalias %b, ptr noalias %c, i64 %n{more}", dtype)
    v = f.vector(width)
    sums = [[f.slot(v) for _ in range(vectors)] for _ in range(rows)]
    for row in sums:
        for s in row:
            f.line(f"store {v} zeroinitializer, ptr {s}")

    def step(levels: Any, a: Any, b: Any) -> None:
        if levels:
            (count, in_a, in_b), *rest = levels
            with f.loop(0, "%n" if count is None else count) as i:
                step(rest, (*a, (i, in_a)), (*b, (i, in_b)))
            return
        pa, pb = f.at("%a", *a), f.at("%b", *b)
        bs = [f.load(f.at(pb, k * width), width) for k in range(vectors)]
        for p in range(rows):
            x = f.spread(f.load(f.at(pa, (along, p))), width)
            for s, y in zip(sums[p], bs):
                total = f.multiply_add(x, y, f.let(f"load {v}, ptr {s}"), width)
                f.line(f"store {v} {total}, ptr {s}")

    step(levels, (), ())
    for p, row in enumerate(sums):
        for k, s in enumerate(row):
            at, total = f.at("%c", (out, p), k * width), f.let(f"load {v}, ptr {s}")
            sum = f.op("fadd", total, f.load(at, width), width) if add else total
            if isinstance(add, str):
                sum = f.let(f"select i1 {add}, {v} {sum}, {v} {total}")
            f.store(sum, at, width)
    return f


def transposed(f: Function, rows: list[str]) -> list[str]:
    """n vectors of n, transposed: swaps of ever smaller blocks beside the diagonal."""
    n = half = len(rows)
    while half > 1:
        half //= 2
        for i in range(n):
            if not i & half:
                x, y = rows[i], rows[i + half]
                low = [j if not j & half else n + j - half for j in range(n)]
                high = [j + half if not j & half else n + j for j in range(n)]
                rows[i], rows[i + half] = f.shuffle(x, y, low, n), f.shuffle(x, y, high, n)
    return rows


def power_below(*bounds: int) -> int:
    """The largest power of 2 that exceeds none of them."""
    return 1 << (max(1, min(bounds)).bit_length() - 1)


def move(
    f: Function, source: Any, target: Any, counts: tuple[int, int], strides: Any, width: int
) -> None:
    """target[i, j] = source[j, i], for i, j below the counts: tiles are transposed in registers.

    Rows of both are contiguous; `strides` are from row to row, in the source and in the target.
    """
    (n, m), (from_row, to_row) = counts, strides
    tile = power_below(width, n, m)
    with f.blocks(m, tile) as j, f.blocks(n, tile) as i:
        a, b = f.at(source, (j, from_row), (i, 1)), f.at(target, (i, to_row), (j, 1))
        rows = [f.load(f.at(a, k * from_row), tile) for k in range(tile)]
        for k, x in enumerate(transposed(f, rows)):
            f.store(x, f.at(b, k * to_row), tile)
