"""From a nest to LLVM IR.

The function is of the same form as a kernel's; `lo` and `hi` count what the threads share.

Every value is computed in the innermost loop that needs it, and only once there; what does not
change in a loop LLVM moves out. Where a loop is split, each piece knows which part it is in.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from .code import Code, operation, with_zeros
from .emit import BLOCK, Emitter, Vectors, written
from .kernel import Value
from .nest import REDUCTIONS, Affine, Index, Nest, Root, Space
from .row_blocks import Blocks, in_blocks

_EXTREME = {"max": "maximum", "min": "minimum"}
_FIRST = {"sum": "0.0", "end_sum": "0.0", "max": "0xFFF0000000000000", "min": "0x7FF0000000000000"}
_LINEAR = ("negative", "positive", "add", "subtract", "multiply", "product", "view", "place")
# i * (a loop's variable c) = j * (d) + beyond, in which rows; see `NestEmitter.eye`
Diagonal = tuple[Any, int, Any, int, int, Any]


class NestEmitter(Emitter):
    """Writes the function of one nest."""

    def __init__(self, nest: Nest) -> None:
        self.nest, self.code = nest, Code(nest.float)
        self.mask, self.size = "", 4 if nest.float == "float32" else 8
        self.outputs = [v for v in nest.outputs if nest.how.get(id(v)) != "end"]
        self.variables: dict[int, str] = {}  # of the loops around, by class
        self.ranges: dict[int, tuple[int, int]] = {}  # and where in its axis each is
        self.memo: dict[Any, Any] = {}
        self.sparse = any(v.op == "eye" for v in nest.values)
        self.allocas: list[str] = []
        self.count = 0

    @property
    def scopes(self) -> int:
        """Inputs, each output, and the cells of each reduction."""
        return 3 + len(self.outputs) + len(self.nest.cells)

    def scope_of(self, v: Value) -> str:
        """What the cells of a reduction, or of what is kept, share no memory with."""
        return self.tag(3 + len(self.outputs) + list(self.nest.cells).index(id(v)))

    def function(self) -> str:
        nest, code = self.nest, self.code
        code.lines = [
            "define void @k(ptr noalias nocapture readonly %args, i64 %R, i64 %C, i64 %lo, "
            "i64 %hi, ptr noalias %scratch, ptr noalias %ends) #0 {",
            "entry:",
        ]
        for k in range(len(nest.inputs) + len(self.outputs)):
            code.line(f"%pa{k} = getelementptr ptr, ptr %args, i64 {k}")
            code.line(f"%p{k} = load ptr, ptr %pa{k}")
        with self.loop("%lo", "%hi") as rest:
            sizes = [nest.size[c] for c in nest.shared] + [nest.blocks]
            for c, n in reversed([*zip(nest.shared, sizes), (-1, nest.blocks)]):
                self.variables[c] = code.let(f"urem i64 {rest}, {n}")
                rest = code.let(f"udiv i64 {rest}, {n}")
            if nest.blocks > 1:
                low = code.let(f"mul nuw nsw i64 {self.variables[-1]}, {nest.block}")
                self.bounds = low, code.let(f"add nuw nsw i64 {low}, {nest.block}")
            self.pieces(nest.shared)
        code.line("ret void")
        code.lines.append("}")
        code.lines[2:2] = self.allocas
        return "\n".join(code.lines)

    # ---- control

    def fresh(self, *names: str) -> list[str]:
        self.count += 1
        return [f"{name}{self.count}" for name in names]

    def alloca(self, type: str) -> str:
        (name,) = self.fresh("%cell")
        self.allocas.append(f"  {name} = alloca {type}")
        return name

    @contextlib.contextmanager
    def loop(self, low: str, high: str, step: int = 1) -> Iterator[str]:
        """A loop over low, low + step, ... below high."""
        code, at = self.code, self.alloca("i64")
        head, body, end = self.fresh("head", "body", "end")
        code.line(f"store i64 {low}, ptr {at}")
        code.line(f"br label %{head}")
        code.label(head)
        i = code.let(f"load i64, ptr {at}")
        more = code.let(f"icmp slt i64 {i}, {high}")
        code.line(f"br i1 {more}, label %{body}, label %{end}")
        code.label(body)
        yield i
        code.line(f"store i64 {code.let(f'add nuw nsw i64 {i}, {step}')}, ptr {at}")
        # vectors are LLVM's, but copies of a short loop take long to compile
        code.line(f"br label %{head}, !llvm.loop !{4 + 3 * self.scopes}")
        code.label(end)

    @contextlib.contextmanager
    def only(self, conditions: list[str]) -> Iterator[None]:
        """What is done where all of these hold."""
        if not conditions:
            yield
            return
        code = self.code
        then, end = self.fresh("then", "end")
        every = conditions[0]
        for c in conditions[1:]:
            every = code.let(f"and i1 {every}, {c}")
        code.line(f"br i1 {every}, label %{then}, label %{end}")
        code.label(then)
        yield
        code.line(f"br label %{end}")
        code.label(end)

    def pieces(self, shared: tuple[int, ...]) -> None:
        """All passes, for each combination of pieces of the shared loops by itself."""
        code = self.code
        choices = [list(pairwise(sorted(self.nest.points[c]))) for c in shared]
        for chosen in itertools.product(*choices):
            conditions = []
            for c, (low, high) in zip(shared, chosen):
                self.ranges[c] = low, high
                if low > 0:
                    conditions.append(code.let(f"icmp sge i64 {self.variables[c]}, {low}"))
                if high < self.nest.size[c]:
                    conditions.append(code.let(f"icmp slt i64 {self.variables[c]}, {high}"))
            with self.only(conditions):
                for level in range(self.nest.passes):
                    self.a_pass(level)

    def a_pass(self, level: int) -> None:
        nest = self.nest
        spaces = nest.spaces(level)
        for root in (r for s in spaces for r in s.roots):
            if root.value is not root.operand and nest.how[id(root.value)] == "inner":
                self.fill(root.value)
        for space in spaces:
            roots = [r for r in space.roots if self.alive(r, nest.shared)]
            with self.only(
                [self.code.let(f"icmp eq i64 {self.variables[c]}, 0") for c in space.once]
            ):
                self.loops(space, space.classes, roots)

    def fill(self, v: Value) -> None:
        """Begin a reduction."""
        start, _, sizes = self.nest.cells[id(v)]
        count, x = math.prod(sizes), _FIRST[v.op]
        with self.loop(str(start), str(start + count)) as i:
            at = self.code.let(f"getelementptr inbounds double, ptr %scratch, i64 {i}")
            self.code.line(f"store double {x}, ptr {at}, {self.scope_of(v)}")

    def alive(self, root: Root, classes: tuple[int, ...]) -> bool:
        """Whether a root goes as far as the pieces of these loops."""
        own = self.nest.classes_of(root.operand)
        return all(
            self.ranges[c][1] <= self.nest.length(root.operand, c) for c in classes if c in own
        )

    def loops(self, space: Space, classes: tuple[int, ...], roots: list[Root]) -> None:
        nest = self.nest
        if classes:
            c, *others = classes
            for low, high in pairwise(sorted(nest.points[c])):
                self.ranges[c] = low, high
                alive = [r for r in roots if self.alive(r, (c,))]
                if alive:
                    with self.loop(str(low), str(high)) as i:
                        self.variables[c] = i
                        self.loops(space, tuple(others), alive)
        elif not space.inner:
            self.memo = {}
            for root in roots:
                self.cells(root, {})
        else:
            for low, high in pairwise(sorted(nest.points[nest.inner])):
                self.ranges[nest.inner] = low, high
                alive = [r for r in roots if self.alive(r, (nest.inner,))]
                if alive:
                    self.innermost(alive, low, high)

    def innermost(self, roots: list[Root], low: int, high: int) -> None:
        """One piece of the innermost loop; what is reduced there is added up in registers."""
        nest, code = self.nest, self.code
        bounds = str(low), str(high)
        if nest.blocks > 1:
            bounds = (
                self.clipped("sgt", self.bounds[0], low),
                self.clipped("slt", self.bounds[1], high),
            )
        sums = [r for r in roots if nest.inner in r.reduced]
        long = bool(sums) and code.type == "float" and min(high - low, nest.block) > BLOCK
        with self.loop(*bounds, BLOCK) if long else contextlib.nullcontext(bounds[0]) as first:
            end = bounds[1]
            if long:
                end = code.let(f"add nuw nsw i64 {first}, {BLOCK}")
                less = code.let(f"icmp slt i64 {end}, {bounds[1]}")
                end = code.let(f"select i1 {less}, i64 {end}, i64 {bounds[1]}")
            registers: dict[Any, str] = {}
            for root in sums:
                for key in self.written(root, kept=True):
                    cell = registers[root, key] = self.alloca(code.type)
                    code.line(f"store {code.type} {_FIRST[root.value.op]}, ptr {cell}")
            with self.loop(first, end) as i:
                self.variables[nest.inner] = i
                self.memo = {}
                for root in roots:
                    self.cells(root, registers)
            for root in sums:
                for key in self.written(root, kept=True):
                    x = code.let(f"load {code.type}, ptr {registers[root, key]}")
                    self.add(root, dict(key), x)

    def clipped(self, how: str, x: str, bound: int) -> str:
        beyond = self.code.let(f"icmp {how} i64 {x}, {bound}")
        return self.code.let(f"select i1 {beyond}, i64 {x}, i64 {bound}")

    # ---- what is done at one place

    def written(self, root: Root, kept: bool) -> list[tuple[tuple[int, int], ...]]:
        """Each choice of the classes that are written out: those that a root keeps, or reduces."""
        nest, v = self.nest, root.operand
        classes = [
            c for c in nest.classes_of(v) if c in nest.written and (c not in root.reduced) == kept
        ]
        ranges = (range(nest.length(v, c)) for c in classes)
        return [tuple(zip(classes, chosen)) for chosen in itertools.product(*ranges)]

    def at(self, v: Value, fixed: dict[int, int]) -> Index:
        """The index of a value here, in these copies of what is written out."""
        return tuple(
            (None, 0, fixed[c]) if c in fixed else (c, step, start)
            for c, step, start in self.nest.at_home(v)
        )

    def cells(self, root: Root, registers: dict[Any, str]) -> None:
        nest, code = self.nest, self.code
        for key in self.written(root, kept=True):
            if root.value is root.operand:
                fixed = dict(key)
                index = self.at(root.value, fixed)
                if nest.stores(root):
                    x = self.computed(root.value, index)
                    to = self.offset(root.value, index)
                    k = self.outputs.index(root.value)
                    self.store(x, f"%p{len(nest.inputs) + k}", to, 3 + k, root.value.dtype)
                else:
                    x = self.number(self.combined(root.value, index))
                    x, to = self.widened(x), self.cell(root.value, fixed)
                    code.line(f"store double {x}, ptr {to}, {self.scope_of(root.value)}")
                continue
            total: str | None = None
            for inside in self.written(root, kept=False):
                x = self.computed(root.operand, self.at(root.operand, dict((*key, *inside))))
                total = x if total is None else self.joined(root.value.op, total, x, code.type)
            assert total is not None
            if (root, key) in registers:
                cell = registers[root, key]
                old = code.let(f"load {code.type}, ptr {cell}")
                new = self.joined(root.value.op, old, total, code.type)
                code.line(f"store {code.type} {new}, ptr {cell}")
            else:
                self.add(root, dict(key), total)

    def joined(self, how: str, x: str, y: str, type: str) -> str:
        if how not in _EXTREME:
            return self.code.let(f"fadd reassoc nsz contract {type} {x}, {y}")
        name = f"{_EXTREME[how]}.f{32 if type == 'float' else 64}"
        # LLVM would take a choice between y and -inf for one of whether to compare, and then not
        # see that the loop is an extreme: a masked softmax took ten times as long
        y = self.code.let(f"freeze {type} {y}")
        return self.code.call(f"llvm.{name}", type, (type, x), (type, y))

    def widened(self, x: str) -> str:
        return self.code.let(f"fpext float {x} to double") if self.code.type == "float" else x

    def add(self, root: Root, fixed: dict[int, int], x: str) -> None:
        """Into the cell of a reduction."""
        code, v = self.code, root.value
        to = self.cell(v, fixed)
        scope = self.scope_of(v)
        old = code.let(f"load double, ptr {to}, {scope}")
        new = self.joined(v.op, old, self.widened(x), "double")
        code.line(f"store double {new}, ptr {to}, {scope}")

    def cell(self, v: Value, fixed: dict[int, int]) -> str:
        """Where a reduction or what is kept lies."""
        nest, code = self.nest, self.code
        start, order, sizes = nest.cells[id(v)]
        ends = nest.how[id(v)] == "end"
        terms, step = [], 1
        for c, n in zip(reversed(order), reversed(sizes)):
            if c in fixed:
                start += fixed[c] * step
            else:
                i = self.variables[c]
                if c == nest.inner and not ends and nest.blocks > 1:
                    i = code.let(f"sub nuw nsw i64 {i}, {self.bounds[0]}")
                terms.append((i, step))
            step *= n
        return code.let(
            f"getelementptr inbounds double, ptr {'%ends' if ends else '%scratch'}, "
            f"i64 {self.sum_of(terms, start)}"
        )

    def sum_of(self, terms: list[tuple[str, int]], start: int) -> str:
        """step * i + ... + start."""
        code, total = self.code, ""
        for i, step in terms:
            x = i if step == 1 else code.let(f"mul nsw i64 {i}, {step}")
            total = code.let(f"add nsw i64 {total}, {x}") if total else x
        if not total:
            return str(start)
        return code.let(f"add nsw i64 {total}, {start}") if start else total

    # ---- values

    def number(self, x: str | None) -> str:
        return self.code.number(0) if x is None else x

    def computed(self, v: Value, index: Index) -> str:
        return self.number(self.value(v, index))

    def value(self, v: Value, index: Index) -> str | None:
        """A value at an index; None where it is known to be 0."""
        key = id(v), index
        if key not in self.memo:
            self.memo[key] = self.found(v, index)
        found: str | None = self.memo[key]
        return found

    def found(self, v: Value, index: Index) -> str | None:
        nest, code = self.nest, self.code
        if nest.how.get(id(v)) == "inner":
            fixed = {c: i[2] for c, i in zip(nest.axes[id(v)], index) if c in nest.written}
            at = self.cell(v, fixed)
            x = code.let(f"load double, ptr {at}, {self.scope_of(v)}")
            return code.let(f"fptrunc double {x} to float") if code.type == "float" else x
        return self.combined(v, index)

    def combined(self, v: Value, index: Index) -> str | None:
        nest, code = self.nest, self.code
        if v.op == "number":
            x = v.args[0]
            return ("true" if x else "false") if v.dtype == "b" else code.number(x)
        if v.op == "input":
            return self.load(f"%p{v.args[0]}", self.offset(v, index), 0, v.dtype)
        diagonals = self.diagonals(v, index) if self.sparse else None
        if diagonals is not None:
            return self.dense(diagonals)
        if v.op == "place":
            if not self.within(v, index):
                return None
        elif v.op == "concatenate":
            axis, first = v.params["axis"], 0
            for x, at in nest.arguments(v, index, None):
                n = x.shape[axis]
                if self.inside(index[axis], first, n):
                    return self.value(x, at)
                first += n
        elif v.op in REDUCTIONS:  # of what is written out
            return self.inline(v, index)
        given = nest.arguments(v, index, self.gathered(v))
        if v.op in ("view", "place"):
            return self.value(*given[0])
        if v.op == "gather":
            return self.value(*given[-1])
        if v.op == "outside":
            return self.position(self.computed(*given[0]), v.params["n"])[1]
        args = [self.value(*a) for a in given]
        if v.op == "subtract" and None not in args:  # as it is: x - x is 0 at two places too
            return code.op("fsub", self.number(args[0]), self.number(args[1]), "")
        return with_zeros(code, v, args)

    # ---- what is 0 but on diagonals

    def diagonals(self, v: Value, index: Index) -> dict[Diagonal, str] | None:
        """Where alone a value is not 0, no two of these at once, and what it is there.

        So products and sums of such values are done for a diagonal, and not for all elements.
        """
        key = "diagonals", id(v), index
        if key not in self.memo:
            self.memo[key] = self.of_diagonals(v, index)
        found: dict[Diagonal, str] | None = self.memo[key]
        return found

    def of_diagonals(self, v: Value, index: Index) -> dict[Diagonal, str] | None:
        code = self.code
        if v.op == "eye":
            return self.eye(v, index)
        if v.op not in _LINEAR or self.nest.how.get(id(v)) == "inner":
            return None
        if v.op == "place" and not self.within(v, index):
            return {}
        given = self.nest.arguments(v, index, None)
        parts = [self.diagonals(*a) for a in given]
        if v.op in ("product", "multiply"):
            k = 0 if parts[0] is not None else 1
            part, other = parts[k], given[1 - k]
            number = other[0].args[0] if other[0].op == "number" else math.inf
            if part is None or (v.op == "multiply" and not math.isfinite(number)):
                return None
            y = self.computed(*other)
            return {d: operation(code, v, [x, y]) for d, x in part.items()}
        if any(part is None for part in parts):
            return None
        one, *others = (part for part in parts if part is not None)
        if v.op == "negative":
            return {d: operation(code, v, [x]) for d, x in one.items()}
        if not others:  # a view
            return one
        found = dict(one)
        for d, y in (item for part in others for item in part.items()):
            if any(d[:4] != e[:4] or (d[4] == e[4] and d != e) for e in found):
                return None  # both may hold
            if d in found:
                how = "fadd" if v.op == "add" else "fsub"
                found[d] = code.op(how, found[d], y, "")
            else:
                found[d] = y if v.op == "add" else code.let(f"fneg {code.real} {y}")
        return found

    def eye(self, v: Value, index: Index) -> dict[Diagonal, str]:
        (c, i, m), (d, j, n) = index
        k, rows = v.params["k"], v.params["rows"]
        beyond = n - m - k
        if (c, i) == (d, j) and beyond:
            return {}
        for place, by in ((index[0], 0), (index[1], k)):
            if rows is not None and (place[0] is None or place[0] in self.ranges):
                (low, high), (first, last) = rows, self.reach(place)
                if last < low + by or first >= high + by:
                    return {}
                if low + by <= first and last < high + by:
                    rows = None
        kept = None if rows is None else (m, *rows)
        return {(c, i, d, j, beyond, kept): self.code.number(v.params["number"])}

    def dense(self, diagonals: dict[Diagonal, str]) -> str | None:
        """The same as one value."""
        code, out = self.code, None
        for (c, i, d, j, beyond, kept), x in diagonals.items():
            tests = []
            if (c, i) != (d, j):
                tests.append(f"icmp eq i64 {self.spot(c, i, -beyond)}, {self.spot(d, j, 0)}")
            if kept is not None:
                m, low, high = kept
                tests.append(f"icmp ult i64 {self.spot(c, i, m - low)}, {high - low}")
            here = [code.let(t) for t in tests]
            rest = code.number(0) if out is None else out
            out = x
            if here:
                both = here[0] if len(here) == 1 else code.let(f"and i1 {here[0]}, {here[1]}")
                out = code.select(both, x, rest)
        return out

    def gathered(self, v: Value) -> Any:
        def at(k: int, indices: Value, index: Index) -> Affine:
            n = v.values[0].shape[k]
            return self.position(self.computed(indices, index), n)[0], 1, 0

        return at

    def position(self, i: str, n: int) -> tuple[str, str]:
        """An index counted from the front, or 0 where it is outside; and whether it is."""
        code = self.code
        low = code.let(f"icmp slt i64 {i}, 0")
        i = code.let(f"select i1 {low}, i64 {code.let(f'add i64 {i}, {n}')}, i64 {i}")
        outside = code.let(f"icmp uge i64 {i}, {n}")
        return code.let(f"select i1 {outside}, i64 0, i64 {i}"), outside

    def inline(self, v: Value, index: Index) -> str | None:
        nest, (x,) = self.nest, v.values
        ((_, whole),) = nest.arguments(v, index, None)
        reduced = nest.reduced(v)
        classes = list(reduced)
        axes = nest.axes[id(x)]
        own = [k in v.params["axes"] for k in range(len(axes))]
        total: str | None = None
        for chosen in itertools.product(*(range(nest.length(x, c)) for c in classes)):
            fixed = dict(zip(classes, chosen))
            here = tuple(
                (None, 0, fixed[i[0]]) if o and i[0] in fixed else i for o, i in zip(own, whole)
            )
            y = self.value(x, here)
            if v.op != "sum":
                y = self.number(y)
            if total is None or y is None:
                total = total if y is None else y
            else:
                total = self.joined(v.op, total, y, self.code.type)
        return total

    def inside(self, i: Affine, start: int, n: int) -> bool:
        """Whether a part of an axis is here, where the loops are in one piece."""
        first, last = self.reach(i)
        return start <= first and last < start + n

    def reach(self, i: Affine) -> tuple[int, int]:
        """The least and the largest that an index can be here."""
        c, step, at = i
        if c is None:
            return at, at
        low, high = self.ranges[c]
        first, last = sorted((step * low + at, step * (high - 1) + at))
        return first, last

    def within(self, v: Value, index: Index) -> bool:
        """Whether the part that a value places among zeros is here."""
        given = zip(v.params["parts"], index, v.shape)
        return all(n == whole or self.inside(i, start, n) for (start, n, _, _), i, whole in given)

    def spot(self, c: Any, step: int, start: int) -> str:
        if c is None:
            return str(start)
        return self.sum_of([(c if isinstance(c, str) else self.variables[c], step)], start)

    def offset(self, v: Value, index: Index) -> str:
        """How many elements into an array in C order."""
        terms: list[tuple[str, int]] = []
        start, stride = 0, 1
        for (c, step, at), n in zip(reversed(index), reversed(v.shape)):
            start += stride * at
            if c is not None:
                terms.append((c if isinstance(c, str) else self.variables[c], stride * step))
            stride *= n
        key = "offset", *terms
        if key not in self.memo:
            self.memo[key] = self.sum_of(terms, 0)
        base = self.memo[key]
        assert base is not None
        return self.sum_of([(base, 1)], start) if terms else str(start)


def module(kernel: Any, triple: str, layout: str, vectors: Vectors) -> str:
    """The module of IR for a kernel of any kind."""
    if isinstance(kernel, Nest):
        return written(NestEmitter(kernel), triple, layout)
    writer = Blocks if in_blocks(kernel) else Emitter
    return written(writer(kernel, vectors), triple, layout)
