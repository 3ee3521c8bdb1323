"""From a kernel to LLVM IR: loops over vectors, and over what is left of them.

`define void @k(ptr args, i64 R, i64 C, i64 lo, i64 hi, ptr scratch, ptr ends)`: `args` points to
the addresses of inputs and outputs, `lo` and `hi` are the rows (or, of a kernel of one row, the
columns) to do, `scratch` holds a row for each value kept, `ends` this thread's sums, as doubles.
Every load and store says which array it belongs to, so that LLVM needs no checks at run time.
Sums over columns run in blocks, where a lane adds up 128 numbers, each added to a double; sums of
columns, 64 rows at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from . import vector_math
from .code import Code, extreme, operation, with_zeros
from .kernel import END_REDUCTIONS, ROW_REDUCTIONS, Kernel, Value

BLOCK = 128  # turns of a loop
ROWS = 64  # of which the columns are summed in floats, before that goes to doubles
FLUSH = """
define internal void @flush(ptr noalias %from, ptr noalias %to, i64 %n, i1 %add)
  noinline "no-builtins" {
entry:
  %whole = and i64 %n, -16
  br label %wide
wide:
  %w = phi i64 [0, %entry], [%w1, %sixteen]
  %some = icmp slt i64 %w, %whole
  br i1 %some, label %sixteen, label %rest
sixteen:
  call void @flush16(ptr %from, ptr %to, i64 %w, i1 %add)
  %w1 = add nsw i64 %w, 16
  br label %wide
rest:
  %i = phi i64 [%whole, %wide], [%i1, %one]
  %more = icmp slt i64 %i, %n
  br i1 %more, label %one, label %end
one:
  call void @flush1(ptr %from, ptr %to, i64 %i, i1 %add)
  %i1 = add nsw i64 %i, 1
  br label %rest
end:
  ret void
}
"""
for _lanes in (16, 1):
    _float, _double = ((f"<{_lanes} x {t}>" if _lanes > 1 else t) for t in ("float", "double"))
    FLUSH += f"""
define internal void @flush{_lanes}(ptr noalias %from, ptr noalias %to, i64 %i, i1 %add)
  alwaysinline "no-builtins" {{
  %at = getelementptr inbounds float, ptr %from, i64 %i
  %place = getelementptr inbounds double, ptr %to, i64 %i
  %x = load {_float}, ptr %at, align 4
  %wide = fpext {_float} %x to {_double}
  %old = load {_double}, ptr %place, align 8
  %sum = fadd {_double} %old, %wide
  %new = select i1 %add, {_double} %sum, {_double} zeroinitializer
  store {_double} %new, ptr %place, align 8
  store {_float} zeroinitializer, ptr %at, align 4
  ret void
}}
"""

Memo = dict[tuple[int, int], str | None]  # by value and offset
Parts = dict[int, list[tuple[str, str]]]  # by reduction: the types and names of what it is so far
_SHORT = {"float": "f32", "double": "f64", "i8": "i8"}


class Vectors(NamedTuple):
    """What a machine computes with."""

    bits: int
    masks: bool  # whether loads and stores of some lanes alone cost no more than those of all


# ---- the loops


class Emitter:
    """Writes the function of one kernel."""

    def __init__(self, kernel: Kernel, vectors: Vectors) -> None:
        self.kernel, self.code, self.vectors = kernel, Code(kernel.float), vectors
        self.mask = ""  # which lanes are loaded and stored, where it is not all of them
        self.size = 4 if kernel.float == "float32" else 8
        self.inverses: dict[int, tuple[str, str]] = {}  # of some of these
        self.have: dict[int, str] = {}  # values that do not vary with the column, by id
        self.kept = {id(v): k for k, v in enumerate(kernel.kept())}
        self.stored: set[int] = set()  # kept values whose row is in scratch already
        self.ends = {id(v): k for k, v in enumerate(kernel.ends)}
        self.outputs = [v for v in kernel.outputs if v.op not in END_REDUCTIONS]
        self.count = 0
        self.row, self.base = "%r", "%base"  # of the loop that is being written
        self.segment = (0, 0)  # of a kernel of one row: where its columns are
        self.allocas: list[str] = []  # all stand at the entry, or they would grow with each row

    @property
    def scopes(self) -> int:
        """Inputs, scratch, ends, each output."""
        return 3 + len(self.outputs)

    @property
    def wide(self) -> int:
        """How many columns a loop takes at a time: a vector of a row, which may be short.

        Of what is one row, two vectors, whose chains run side by side.
        """
        lanes = self.vectors.bits // self.code.bits
        if self.kernel.by_rows:
            return lanes
        lanes *= 2
        while lanes > max(1, self.segment[1] - self.segment[0]):
            lanes //= 2
        return lanes

    # ---- memory

    def tag(self, k: int) -> str:
        return f"!alias.scope !{2 + 3 * k}, !noalias !{3 + 3 * k}"

    def load(self, pointer: str, index: str, scope: int, dtype: str = "f") -> str:
        code = self.code
        type, align = {"f": (code.type, self.size), "b": ("i8", 1), "i": ("i64", 8)}[dtype]
        x = self.loaded(type, align, pointer, index, scope)
        if dtype == "b":
            x = code.let(f"icmp ne {code.vector('i8')} {x}, {code.constant('0', 'i8')}")
        return x

    def loaded(self, type: str, align: int, pointer: str, index: str, scope: int) -> str:
        code, vector = self.code, self.code.vector(type)
        at = code.let(f"getelementptr inbounds {type}, ptr {pointer}, i64 {index}")
        if not self.mask:
            return code.let(f"load {vector}, ptr {at}, align {align}, {self.tag(scope)}")
        x = code.call(
            f"llvm.masked.load.v{code.lanes}{_SHORT[type]}.p0", vector,
            ("ptr", at), ("i32", str(align)),
            (code.vector("i1"), self.mask), (vector, "zeroinitializer"),
        )  # fmt: skip
        code.lines[-1] += f", {self.tag(scope)}"
        return x

    def store(self, x: str, pointer: str, index: str, scope: int, dtype: str = "f") -> None:
        code = self.code
        if dtype == "b":
            x = code.let(f"zext {code.vector('i1')} {x} to {code.vector('i8')}")
        type, align = (code.type, self.size) if dtype == "f" else ("i8", 1)
        self.stored_at(x, type, align, pointer, index, scope)

    def stored_at(
        self, x: str, type: str, align: int, pointer: str, index: str, scope: int
    ) -> None:
        code, vector = self.code, self.code.vector(type)
        at = code.let(f"getelementptr inbounds {type}, ptr {pointer}, i64 {index}")
        if not self.mask:
            code.line(f"store {vector} {x}, ptr {at}, align {align}, {self.tag(scope)}")
            return
        code.call(
            f"llvm.masked.store.v{code.lanes}{_SHORT[type]}.p0", "void",
            (vector, x), ("ptr", at), ("i32", str(align)), (code.vector("i1"), self.mask),
        )  # fmt: skip
        code.lines[-1] += f", {self.tag(scope)}"

    # ---- values

    def outer(self, v: Value) -> str:
        """A value that does not vary with the column, computed outside the loop over them."""
        if v.op == "number":
            x = v.args[0]
            if v.dtype == "i":
                return str(x)
            return ("true" if x else "false") if v.dtype == "b" else self.code.number(x)
        if id(v) not in self.have:
            assert self.code.lanes == 1
            if v.op == "input":
                index = self.row if v.kind == "r" else "0"
                self.have[id(v)] = self.load(f"%p{v.args[0]}", index, 0, v.dtype)
            elif v.op == "pick":
                self.have[id(v)] = self.picked(*v.values)
            elif v.op == "outside":
                self.have[id(v)] = self.column(v.values[0])[1]
            else:
                self.have[id(v)] = operation(self.code, v, [self.outer(a) for a in v.values])
        return self.have[id(v)]

    def in_each_lane(self, v: Value) -> str:
        """Such a value inside the loop."""
        if v.op == "number" and v.dtype == "f":
            return self.code.number(v.args[0])
        return self.code.spread(self.outer(v), "i1" if v.dtype == "b" else self.code.type)

    def column(self, v: Value) -> tuple[str, str]:
        """A column by its number, from the end if negative; 0 if there is none. Whether so."""
        at, let = self.outer(v), self.code.let
        end = let(f"add i64 {at}, %C")
        at = let(f"select i1 {let(f'icmp slt i64 {at}, 0')}, i64 {end}, i64 {at}")
        outside = let(f"icmp uge i64 {at}, %C")
        return let(f"select i1 {outside}, i64 0, i64 {at}"), outside

    def has_inverse(self, v: Value) -> bool:
        return v.op in ("divide", "quotient") and v.kind == "M" and v.values[1].kind == "r"

    def inverse(self, v: Value) -> tuple[str, str]:
        """A power of two s, and 1 / (s v), which is in range where 1 / v is not."""
        if id(v) not in self.inverses:
            code, x = self.code, self.outer(v)
            assert code.lanes == 1
            size, far = code.intrinsic("fabs", x), 2.0 ** (512 if code.bits == 64 else 64)
            small = code.compare("olt", size, code.number(1 / far))
            large = code.compare("ogt", size, code.number(far))
            scale = code.select(large, code.number(1 / far), code.number(1))
            scale = code.select(small, code.number(far), scale)
            inverse = code.op("fdiv", code.number(1), code.op("fmul", x, scale, ""))
            self.inverses[id(v)] = scale, inverse
        return self.inverses[id(v)]

    def divided(self, v: Value, x: str) -> str:
        """A quotient whose divisor does not vary with the column."""
        code = self.code
        scale, inverse = (code.spread(part, code.type) for part in self.inverse(v.values[1]))
        out = code.op("fmul", code.op("fmul", x, scale), inverse)
        if v.op == "divide":
            return out
        return code.select(code.compare("une", x, code.number(0)), out, code.number(0))

    def lane(self, column: str) -> str:
        """Whether the column is this one, for each lane."""
        code = self.code
        if code.lanes == 1:
            return code.let(f"icmp eq i64 {self.j}, {column}")
        lane = code.let(f"sub i64 {column}, {self.j}")
        inside = code.let(f"icmp ult i64 {lane}, {code.lanes}")
        lane = code.let(f"select i1 {inside}, i64 {lane}, i64 -1")
        lane = code.spread(code.let(f"trunc i64 {lane} to i32"), "i32")
        return code.let(f"icmp eq {code.vector('i32')} {lane}, {self.numbered()}")

    def lanes_below(self, high: str) -> str:
        """Which lanes of the loop that is being written are columns below this one."""
        code = self.code
        room = code.let(f"trunc i64 {code.let(f'sub i64 {high}, {self.j}')} to i32")
        lanes = f"icmp slt {code.vector('i32')} {self.numbered()}, {code.spread(room, 'i32')}"
        return code.let(lanes)

    def numbered(self) -> str:
        return f"<{', '.join(f'i32 {k}' for k in range(self.code.lanes))}>"

    def picked(self, v: Value, column: Value) -> str:
        """A value of the row at one column."""
        self.j, _ = self.column(column)
        self.place = self.code.let(f"add nsw i64 {self.base}, {self.j}")
        return self.inner(v, {}, [], keeping=False)

    def inner(
        self, v: Value, memo: Memo, fresh: list[Value], offset: int = 0, keeping: bool = True
    ) -> str:
        """A value at the column %j + offset of the loop that is being written."""
        self.keeping = keeping
        x = self.inner_or_zero(v, memo, fresh, offset)
        return self.code.number(0) if x is None else x

    def inner_or_zero(self, v: Value, memo: Memo, fresh: list[Value], offset: int) -> str | None:
        """The same; None where it is known to be 0 throughout the segment."""
        if v.kind in ("s", "r"):
            return self.in_each_lane(v)
        key = id(v), offset
        if key in memo:
            return memo[key]
        x: str | None
        if id(v) in self.stored:
            x = self.load(f"%k{self.kept[id(v)]}", self.j, 1)
        elif v.op == "input":
            place = self.place if v.kind == "M" else self.j
            if offset:
                place = self.code.let(f"add nsw i64 {place}, {offset}")
            x = self.load(f"%p{v.args[0]}", place, 0, v.dtype)
        elif v.op == "one_hot":
            y, column = v.values
            x = self.code.select(
                self.lane(self.column(column)[0]), self.in_each_lane(y), self.code.number(0)
            )
        elif v.op == "slice":
            x = self.inner_or_zero(v.values[0], memo, fresh, offset + v.params["start"])
        elif v.op == "place":
            (part,) = v.values
            low, high = self.segment
            start = v.params["start"] - offset
            inside = start <= low and high <= start + part.length
            x = self.inner_or_zero(part, memo, fresh, -start) if inside else None
        else:
            args = [self.inner_or_zero(a, memo, fresh, offset) for a in v.values]
            if self.has_inverse(v) and args[0] is not None:
                x = self.divided(v, args[0])
            else:
                x = with_zeros(self.code, v, args)
            if id(v) in self.kept and self.keeping:
                self.store(x or self.code.number(0), f"%k{self.kept[id(v)]}", self.j, 1)
                fresh.append(v)
        memo[key] = x
        return x

    # ---- the function

    def function(self) -> str:
        kernel, code = self.kernel, self.code
        code.lines = [
            "define void @k(ptr noalias nocapture readonly %args, i64 %R, i64 %C, i64 %lo, "
            "i64 %hi, ptr noalias %scratch, ptr noalias %ends) #0 {",
            "entry:",
        ]
        for k in range(len(kernel.inputs) + len(self.outputs)):
            code.line(f"%pa{k} = getelementptr ptr, ptr %args, i64 {k}")
            code.line(f"%p{k} = load ptr, ptr %pa{k}")
        for k in range(len(self.kept)):
            code.line(f"%ko{k} = mul i64 %C, {k}")
            code.line(f"%k{k} = getelementptr {code.type}, ptr %scratch, i64 %ko{k}")
        flushed: list[int] = []  # sums of columns in floats, of some rows each
        for v, k in ((v, self.ends[id(v)]) for v in kernel.ends):
            if v.op == "total":
                code.line(f"%e{k} = alloca double")
                code.line(f"store double 0.0, ptr %e{k}")
            else:
                totals = sum(w.op == "total" for w in kernel.ends)
                before = sum(w.op == "column_sum" for w in kernel.ends[:k])
                code.line(f"%eo{k} = mul i64 %C, {before}")
                code.line(f"%ep{k} = add i64 %eo{k}, {totals}")
                code.line(f"%e{k} = getelementptr double, ptr %ends, i64 %ep{k}")
                if code.type == "float":
                    code.line(f"%fo{k} = mul i64 %C, {len(self.kept) + before}")
                    code.line(f"%f{k} = getelementptr float, ptr %scratch, i64 %fo{k}")
                    flushed.append(k)
        for v in kernel.values:
            if v.kind == "s" and v.op not in END_REDUCTIONS and v.op != "number":
                self.outer(v)
        constant = dict(self.have)
        if kernel.by_rows:
            self.rows(flushed)
        else:
            code.line("%base = add i64 0, 0")
            points = kernel.breaks()
            for k, (low, high) in enumerate(pairwise(points)):
                self.segment = low, high
                if len(points) == 2:  # the length is not in the code: others of this form share it
                    self.one_pass(0, "%lo", "%hi")
                    break
                bounds = []
                for name, point, how, given in (
                    ("l", low, "sgt", "%lo"),
                    ("h", high, "slt", "%hi"),
                ):
                    code.line(f"%s{name}{k}c = icmp {how} i64 {given}, {point}")
                    code.line(f"%s{name}{k} = select i1 %s{name}{k}c, i64 {given}, i64 {point}")
                    bounds.append(f"%s{name}{k}")
                self.one_pass(0, *bounds)
        self.have = constant
        for v in self.outputs:
            if v.kind == "s":
                self.store(self.outer(v), self.out(v), "0", self.scope(v), v.dtype)
        for k, v in enumerate(v for v in kernel.ends if v.op == "total"):
            x = code.let(f"load double, ptr %e{self.ends[id(v)]}")
            place = code.let(f"getelementptr double, ptr %ends, i64 {k}")
            code.line(f"store double {x}, ptr {place}")
        code.line("ret void")
        code.lines.append("}")
        code.lines[2:2] = self.allocas
        return "\n".join(code.lines)

    def rows(self, flushed: list[int]) -> None:
        """The loop over the rows, which has these sums of columns in floats at first."""
        kernel, code = self.kernel, self.code
        for k in flushed:
            code.line(f"call void @flush(ptr %f{k}, ptr %e{k}, i64 %C, i1 false)")
        code.line("br label %rows")
        code.label("rows")
        code.line(f"%r = phi i64 [%lo, %entry], [%r2, %{'rowdone' if flushed else 'rowend'}]")
        code.line("%more = icmp slt i64 %r, %hi")
        code.line("br i1 %more, label %row, label %done")
        code.label("row")
        code.line("%base = mul i64 %r, %C")
        for at in range(kernel.passes):
            self.one_pass(at, "0", "%C")
        for v in self.outputs:
            if v.kind == "r":
                self.store(self.outer(v), self.out(v), "%r", self.scope(v), v.dtype)
        for v in kernel.ends:
            if v.op == "total" and v.values[0].kind == "r":
                self.add_to(f"%e{self.ends[id(v)]}", self.outer(v.values[0]))
        code.line("br label %rowend")
        code.label("rowend")
        code.line("%r2 = add nsw i64 %r, 1")
        if flushed:
            code.line(f"%full = and i64 %r2, {ROWS - 1}")
            code.line("%due = icmp eq i64 %full, 0")
            code.line("%last = icmp eq i64 %r2, %hi")
            code.line("%now = or i1 %due, %last")
            code.line("br i1 %now, label %flush, label %rowdone")
            code.label("flush")
            for k in flushed:
                code.line(f"call void @flush(ptr %f{k}, ptr %e{k}, i64 %C, i1 true)")
            code.line("br label %rowdone")
            code.label("rowdone")
        code.line("br label %rows")
        code.label("done")

    def out(self, v: Value) -> str:
        return f"%p{len(self.kernel.inputs) + self.outputs.index(v)}"

    def scope(self, v: Value) -> int:
        return 3 + self.outputs.index(v)

    def add_to(self, place: str, x: str) -> None:
        code = self.code
        if code.type == "float":
            x = code.let(f"fpext float {x} to double")
        total = code.let(f"load double, ptr {place}")
        code.line(f"store double {code.let(f'fadd double {total}, {x}')}, ptr {place}")

    def one_pass(self, at: int, low: str, high: str) -> None:
        """The loop over the columns from low to high, in blocks, for all of one level."""
        kernel = self.kernel
        sums = [
            v for v in kernel.values
            if (v.op in ROW_REDUCTIONS or (v.op == "total" and v.values[0].kind in "Mc"))
            and v.values[0].level == at
        ]  # fmt: skip
        columns = [v for v in kernel.values if v.op == "column_sum" and v.values[0].level == at]
        stores = [v for v in self.outputs if v.kind in "Mc" and v.level == at]
        if not kernel.by_rows:
            sums = [v for v in sums if v.values[0].length >= self.segment[1]]
            stores = [v for v in stores if v.length >= self.segment[1]]
        if not (sums or columns or stores):
            return
        self.prepare(at)
        self.vector_loop(sums, columns, stores, low, high)

    def prepare(self, at: int) -> None:
        """Compute what is the same throughout a row and is used along it in a pass."""
        for v in self.kernel.values:
            if v.kind == "M" and v.level <= at:
                for a in v.values:
                    if a.kind == "r":
                        self.outer(a)
                if self.has_inverse(v):
                    self.inverse(v.values[1])

    def vector_loop(
        self,
        sums: list[Value],
        columns: list[Value],
        stores: list[Value],
        low: str,
        high: str,
        computed: Sequence[Value] = (),  # besides
    ) -> None:
        """A loop from low to high, in blocks: reductions of what it runs over, and stores."""
        code = self.code
        n = self.count = self.count + 1
        for v in sums:
            type = "double" if self._adds(v) else code.type
            self.allocas.append(f"  %a{n}.{self._k(v)} = alloca {type}")
            zero = "0.0" if self._adds(v) else self.starts(v)[0][1]
            code.line(f"store {type} {zero}, ptr %a{n}.{self._k(v)}")
        code.line(f"br label %start{n}")
        code.label(f"start{n}")
        code.line(f"br label %block{n}")
        code.label(f"block{n}")
        code.line(f"%b{n} = phi i64 [{low}, %start{n}], [%bend{n}, %blockend{n}]")
        code.line(f"%bmore{n} = icmp slt i64 %b{n}, {high}")
        code.line(f"br i1 %bmore{n}, label %blockin{n}, label %end{n}")
        code.label(f"blockin{n}")
        lanes = self.wide
        code.line(f"%bnext{n} = add nsw i64 %b{n}, {BLOCK * lanes if sums else 1 << 50}")
        code.line(f"%bin{n} = icmp slt i64 %bnext{n}, {high}")
        code.line(f"%bend{n} = select i1 %bin{n}, i64 %bnext{n}, i64 {high}")
        left = lanes if self.vectors.masks else 1  # what is left is done in how many lanes
        code.line(f"%room{n} = sub nsw i64 %bend{n}, %b{n}")
        code.line(f"%whole{n} = and i64 %room{n}, {-lanes}")
        code.line(f"%mid{n} = add nsw i64 %b{n}, %whole{n}")
        code.line(f"%wide{n} = icmp ne i64 %whole{n}, 0")
        code.line(f"br i1 %wide{n}, label %loop{n}, label %rest{n}")

        def body(label: str, before: str, low: str, high: str, partial: Parts) -> Parts:
            """A loop, and the partial results of the reductions after it."""
            code.label(label)
            self.j = f"%j{label}"
            code.line(f"{self.j} = phi i64 [{low}, %{before}], [{self.j}n, %{label}]")
            inside = {}
            for v in sums:
                inside[id(v)] = [f"%q{label}.{self._k(v)}.{i}" for i in range(len(partial[id(v)]))]
                for name, (type, start) in zip(inside[id(v)], partial[id(v)]):
                    type = code.vector(type)
                    code.line(f"{name} = phi {type} [{start}, %{before}], [{name}n, %{label}]")
            if label.startswith("left") and code.lanes > 1:
                self.mask = self.lanes_below(high)
            self.place = code.let(f"add nsw i64 {self.base}, {self.j}")
            memo: Memo = {}
            for v in computed:
                self.inner(v, memo, fresh)
            for v in sums:
                self.reduced(v, self.inner(v.values[0], memo, fresh), inside[id(v)])
            for v in columns:
                x = self.inner(v.values[0], memo, fresh)
                place = f"%{'f' if code.type == 'float' else 'e'}{self.ends[id(v)]}"
                old = self.load(place, self.j, 2)
                self.store(code.op("fadd", old, x), place, self.j, 2)
            for v in stores:
                x = self.inner(v, memo, fresh)
                index = self.j if v.kind == "c" else self.place
                self.store(x, self.out(v), index, self.scope(v), v.dtype)
            self.mask = ""
            code.line(f"{self.j}n = add nsw i64 {self.j}, {code.lanes}")
            code.line(f"{self.j}m = icmp slt i64 {self.j}n, {high}")
            return {k: [(t, f"{x}n") for (t, _), x in zip(partial[k], inside[k])] for k in inside}

        def met(one: Parts, before: str, other: Parts, label: str) -> Parts:
            """The partial results where two ways come together."""
            return {
                k: [
                    (t, code.let(f"phi {code.vector(t)} [{x}, %{before}], [{y}, %{label}]"))
                    for (t, x), (_, y) in zip(one[k], other[k])
                ]
                for k in one
            }

        fresh: list[Value] = []
        code.lanes = lanes
        partial = {id(v): self.starts(v) for v in sums}
        after = body(f"loop{n}", f"blockin{n}", f"%b{n}", f"%mid{n}", partial)
        code.line(f"br i1 %jloop{n}m, label %loop{n}, label %rest{n}")
        code.label(f"rest{n}")
        partial = met(partial, f"blockin{n}", after, f"loop{n}")
        if left == 1:
            partial = {id(v): self.across(v, partial[id(v)]) for v in sums}
        code.lanes = 1
        code.line(f"%some{n} = icmp slt i64 %mid{n}, %bend{n}")
        code.line(f"br i1 %some{n}, label %left{n}, label %blockend{n}")
        code.lanes = left
        after = body(f"left{n}", f"rest{n}", f"%mid{n}", f"%bend{n}", partial)
        once = f"!llvm.loop !{1 + 3 * self.scopes}"
        code.line(f"br i1 %jleft{n}m, label %left{n}, label %blockend{n}, {once}")
        code.label(f"blockend{n}")
        partial = met(partial, f"rest{n}", after, f"left{n}")
        partial = {id(v): self.across(v, partial[id(v)]) for v in sums}
        code.lanes = 1
        for v in sums:
            k, (_, x) = self._k(v), partial[id(v)][0]
            if self._adds(v):
                self.add_to(f"%a{n}.{k}", x)
            else:
                x = code.select(partial[id(v)][1][1], code.number(float("nan")), x)
                old = code.let(f"load {code.type}, ptr %a{n}.{k}")
                new = extreme("ogt" if v.op == "row_max" else "olt")(code, old, x)
                code.line(f"store {code.type} {new}, ptr %a{n}.{k}")
        code.line(f"br label %block{n}")
        code.label(f"end{n}")
        for v in sums:
            x = code.let(f"load {'double' if self._adds(v) else code.type}, ptr %a{n}.{self._k(v)}")
            if v.op == "total":
                place = f"%e{self.ends[id(v)]}"
                old = code.let(f"load double, ptr {place}")
                code.line(f"store double {code.let(f'fadd double {old}, {x}')}, ptr {place}")
                continue
            if self._adds(v) and code.type == "float":
                x = code.let(f"fptrunc double {x} to float")
            self.have[id(v)] = x
        self.stored.update(id(v) for v in fresh)

    # ---- reductions along a row: a sum, or an extreme and whether a NaN was met

    def starts(self, v: Value) -> list[tuple[str, str]]:
        code = self.code
        if self._adds(v):
            return [(code.type, code.number(0))]
        start = code.number(-float("inf") if v.op == "row_max" else float("inf"))
        return [(code.type, start), ("i1", code.constant("false", "i1"))]

    def reduced(self, v: Value, x: str, names: list[str]) -> None:
        """One more vector: the partial results, by name, from now on with an n."""
        code = self.code
        if self.mask:
            x = code.select(self.mask, x, self.starts(v)[0][1])
        if self._adds(v):
            flags = "reassoc nsz contract"
            code.line(f"{names[0]}n = fadd {flags} {code.real} {names[0]}, {x}")
            return
        more = code.compare("ogt" if v.op == "row_max" else "olt", names[0], x)
        truth = code.vector("i1")
        code.line(f"{names[0]}n = select {truth} {more}, {code.real} {names[0]}, {code.real} {x}")
        code.line(f"{names[1]}n = or {truth} {names[1]}, {code.compare('uno', x, x)}")

    def across(self, v: Value, partial: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """The partial results of all lanes together."""
        code = self.code
        if code.lanes == 1:
            return partial
        vector, name = code.real, f"llvm.vector.reduce.{{}}.v{code.lanes}f{code.bits}"
        x = partial[0][1]
        if self._adds(v):
            args = (code.type, "-0.0"), (vector, x)
            return [(code.type, code.call(name.format("fadd"), code.type, *args, flags="reassoc "))]
        how = name.format("fmax" if v.op == "row_max" else "fmin")
        x = code.call(how, code.type, (vector, x), flags="nnan nsz ")
        met = code.call(
            f"llvm.vector.reduce.or.v{code.lanes}i1", "i1", (code.vector("i1"), partial[1][1])
        )
        return [(code.type, x), ("i1", met)]

    def _k(self, v: Value) -> int:
        return self.kernel.values.index(v)

    def _adds(self, v: Value) -> bool:
        return v.op in ("row_sum", "total")


def written(emitter: Emitter, triple: str, layout: str) -> str:
    """The module of the function that an emitter writes."""
    body = emitter.function()
    code = emitter.code
    scopes = emitter.scopes
    metadata = ["!0 = distinct !{!0}"]
    for k in range(scopes):
        others = ", ".join(f"!{1 + 3 * i}" for i in range(scopes) if i != k)
        metadata += [
            f"!{1 + 3 * k} = distinct !{{!{1 + 3 * k}, !0}}",
            f"!{2 + 3 * k} = !{{!{1 + 3 * k}}}",
            f"!{3 + 3 * k} = !{{{others}}}",
        ]
    n = 1 + 3 * scopes
    metadata += [
        f"!{n} = distinct !{{!{n}, !{n + 1}, !{n + 2}}}",
        f'!{n + 1} = !{{!"llvm.loop.unroll.disable"}}',
        f'!{n + 2} = !{{!"llvm.loop.vectorize.enable", i1 false}}',
        f"!{n + 3} = distinct !{{!{n + 3}, !{n + 1}}}",
    ]
    if "@flush" in body:
        body += FLUSH
    functions = vector_math.definitions(sorted(code.called)) if code.called else ""
    declared = "\n".join(sorted(d for d in code.intrinsics if d not in functions))
    head = f'target triple = "{triple}"\ntarget datalayout = "{layout}"'
    attributes = 'attributes #0 = { nounwind "prefer-vector-width"="512" }'
    return "\n".join([head, declared, functions, body, attributes, *metadata]) + "\n"
