"""From the body of a loop to LLVM IR: one function that holds all steps.

Values are pulled: an element of a result asks for the elements that it needs, by their indices.
Only what several loops use, products and sums are stored, in scratch memory that stays in cache;
numbers (0-d values) stay in registers. What is carried lies in two buffers that change places.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .._core.stage import Equation, Var
from .code import INTEGERS_COMPARED, Code, operation, supported
from .kernel import Value
from .loop_views import MOVES, ZERO, Index, Shape, Unfit, contiguous, entries, place_start
from .passes import _number, type_of

_IR = {"float32": "float", "float64": "double", "int64": "i64", "bool": "i8"}
DTYPES = frozenset(_IR)
_INTEGERS = {"add": "add", "subtract": "sub", "multiply": "mul"}
_LOGICAL = {f"bitwise_{k}": f"logical_{k}" for k in ("and", "or", "xor")}  # of truth values
_STARTS = {"sum": 0.0, "max": -math.inf, "min": math.inf}
_ALIGN = 64


class Place(NamedTuple):
    """Where an array lies: a pointer, and the elements between neighbours along each axis."""

    pointer: str
    strides: Shape
    dtype: Any


class Writer:
    """IR under way: loops, loads and stores, and the elements of values by their indices."""

    def __init__(self, vector: int, limits: dict[str, float]) -> None:
        self.code = Code("float64")
        self.vector, self.limits = vector, limits  # bytes of a register; as backends have them
        self.made: dict[Var, Equation] = {}
        self.places: dict[Var, Place] = {}
        self.numbers: dict[Var, str] = {}  # 0-d values of this step
        self.shapes: dict[Var, Shape] = {}  # where they are not those of the graph
        self.memo: dict[Any, str | None] = {}
        self.flags: list[str] = []  # arguments beyond a limit, in the loop being written
        self.block, self.group = "entry", ""
        self.allocas: list[str] = []
        self.metadata: list[str] = []
        self.scratch = 0  # bytes

    # ---- lines

    def let(self, right: str) -> str:
        return self.code.let(right)

    def fresh(self, name: str) -> str:
        self.code.count += 1
        return f"{name}{self.code.count}"

    def label(self, name: str) -> None:
        self.code.label(name)
        self.block = name

    def jump(self, name: str) -> None:
        self.code.line(f"br label %{name}")

    def typed(self, dtype: Any) -> Code:
        """The code, for operations between floats of this dtype."""
        if dtype in (np.float32, np.float64):
            self.code.type, self.code.bits = (
                ("float", 32) if dtype == np.float32 else ("double", 64)
            )
        return self.code

    def ir(self, dtype: Any) -> str:
        found = _IR.get(str(dtype))
        if found is None:
            raise Unfit(f"it computes with {dtype}")
        return found

    @contextmanager
    def loop(self, count: int, low: int = 0, innermost: bool = False) -> Iterator[Index]:
        """A loop of at least one round; whoever is inside may add a phi at its head."""
        if count - low == 1:
            yield Index(str(low), low, low + 1)
            return
        n = self.fresh("")
        before, name, group = self.block, f"loop{n}", self.group
        self.jump(name)
        self.label(name)
        self.code.line(f"%i{n} = phi i64 [{low}, %{before}], [%n{n}, %latch{n}]")
        if innermost:
            k = 2 * len(self.metadata)
            self.group = f", !llvm.access.group !{k}"
        yield Index(f"%i{n}", low, count)
        self.jump(f"latch{n}")
        self.label(f"latch{n}")
        self.code.line(f"%n{n} = add nuw nsw i64 %i{n}, 1")
        self.code.line(f"%m{n} = icmp slt i64 %n{n}, {count}")
        note = ""
        if innermost:
            note = f", !llvm.loop !{k + 1}"
            self.metadata.append(
                f"!{k} = distinct !{{}}\n!{k + 1} = distinct !{{!{k + 1}, "
                f'!{{!"llvm.loop.parallel_accesses", !{k}}}}}'
            )
            self.group = group
        self.code.line(f"br i1 %m{n}, label %{name}, label %done{n}{note}")
        self.label(f"done{n}")

    # ---- memory

    def reserve(self, shape: Shape, dtype: Any) -> Place:
        """Scratch memory for an array."""
        self.ir(dtype)
        at, size = self.scratch, math.prod(shape) * dtype.itemsize
        self.scratch += size + -size % _ALIGN
        pointer = f"%s{at}"
        self.allocas.append(f"  {pointer} = getelementptr i8, ptr %scratch, i64 {at}")
        return Place(pointer, contiguous(shape), dtype)

    def address(self, place: Place, index: Sequence[Index]) -> str:
        total, fixed = "", 0
        for i, stride in zip(index, place.strides):
            if i.name.isdigit():
                fixed += int(i.name) * stride
                continue
            term = i.name if stride == 1 else self.let(f"mul nsw i64 {i.name}, {stride}")
            total = term if not total else self.let(f"add nsw i64 {total}, {term}")
        if fixed or not total:
            total = self.let(f"add nsw i64 {total}, {fixed}") if total else str(fixed)
        return self.let(
            f"getelementptr inbounds {self.ir(place.dtype)}, ptr {place.pointer}, i64 {total}"
        )

    def load(self, place: Place, index: Sequence[Index]) -> str:
        at = self.address(place, index)
        x = self.let(f"load {self.ir(place.dtype)}, ptr {at}{self.group}")
        return self.let(f"icmp ne i8 {x}, 0") if place.dtype == np.bool_ else x

    def store(self, x: str, place: Place, index: Sequence[Index]) -> None:
        if place.dtype == np.bool_:
            x = self.let(f"zext i1 {x} to i8")
        at = self.address(place, index)
        self.code.line(f"store {self.ir(place.dtype)} {x}, ptr {at}{self.group}")

    # ---- values

    def shape(self, x: Any) -> Shape:
        return self.shapes[x] if x in self.shapes else tuple(type_of(x).shape)

    def constant(self, number: Any, dtype: Any) -> str:
        if dtype == np.bool_:
            return "true" if number else "false"
        if dtype.kind == "i":
            if number != int(number):
                raise Unfit("it computes with integers and floats at once")
            return str(int(number))
        return self.typed(dtype).number(number)

    def converted(self, x: str, old: Any, new: Any) -> str:
        if old == new:
            return x
        a, b = ("i1" if d == np.bool_ else self.ir(d) for d in (old, new))
        kinds = old.kind + new.kind
        how = {"bf": "uitofp", "if": "sitofp", "bi": "zext", "fi": "fptosi"}.get(kinds)
        if kinds == "ff":
            how = "fpext" if old == np.float32 else "fptrunc"
        if how is None or kinds == "fi":
            raise Unfit(f"it makes {new} of {old}")
        return self.let(f"{how} {a} {x} to {b}")

    def shifted(self, i: Index, by: int) -> Index:
        if not by:
            return i
        if i.name.isdigit():
            return Index(str(int(i.name) + by), i.low + by, i.high + by)
        key = ("shift", i.name, by)
        if key not in self.memo:
            self.memo[key] = self.let(f"add nsw i64 {i.name}, {by}")
        return Index(str(self.memo[key]), i.low + by, i.high + by)

    def element(self, x: Any, index: Sequence[Index], dtype: Any) -> str:
        """An element of a value, as a dtype."""
        found = self.or_zero(x, index, dtype)
        return self.constant(0, dtype) if found is None else found

    def or_zero(self, x: Any, index: Sequence[Index], dtype: Any) -> str | None:
        """The same; None where it is known to be 0."""
        if not isinstance(x, Var):
            return self.constant(_number(x), dtype)
        own = x.type.dtype
        if x in self.numbers:
            return self.converted(self.numbers[x], own, dtype)
        key = (id(x), *(i.name for i in index))
        if key not in self.memo:
            self.memo[key] = (
                self.load(self.places[x], index) if x in self.places else self.pulled(x, index)
            )
        found = self.memo[key]
        return found if found is None else self.converted(found, own, dtype)

    def aligned(self, x: Any, index: Sequence[Index]) -> list[Index]:
        """The index of an operand that is broadcast."""
        shape = self.shape(x)
        return [ZERO if n == 1 else i for n, i in zip(shape, index[len(index) - len(shape) :])]

    def pulled(self, x: Var, index: Sequence[Index]) -> str | None:
        e = self.made[x]
        moved = MOVES.get(e.primitive.name)
        if moved is not None:
            seen: str | None = moved(self, e, x.type.dtype, index)
            return seen
        out = x.type.dtype
        name = _LOGICAL.get(e.primitive.name, e.primitive.name)
        args = [(i, self.aligned(i, index)) for i in e.inputs]
        if name == "astype":
            return self.or_zero(*args[0], out)
        if name == "where":
            test, *others = args
            code = self.typed(out)
            c, a, b = (
                self.element(*test, np.dtype(bool)),
                *(self.element(*o, out) for o in others),
            )
            self.typed(out)
            return code.select(c, a, b, "i1" if out == np.bool_ else self.ir(out))
        types = [type_of(i).dtype for i in e.inputs if hasattr(i, "dtype") or isinstance(i, Var)]
        of = np.result_type(*types, *(i for i in e.inputs if type(i) in (int, float)))
        if name.startswith("logical"):
            if of != np.bool_:
                raise Unfit(f"{name} takes numbers for truth values")
        elif of == np.bool_:
            raise Unfit(f"{name} of truth values")
        if of.kind == "i":
            return self.of_integers(name, [self.element(*a, of) for a in args])
        zeros = [self.or_zero(*a, of) for a in args]
        if name in ("add", "subtract", "negative", "product") and None in zeros:
            if name in ("product", "negative"):
                return None
            if name == "add":
                return zeros[1] if zeros[0] is None else zeros[0]
            if zeros[1] is None:
                return zeros[0]
        code = self.typed(of)
        given = [self.constant(0, of) if z is None else z for z in zeros]
        params = {}
        if name == "power" and _number(e.inputs[1]) is not None:
            n = float(_number(e.inputs[1]))
            if n == 0.5:
                name, given = "sqrt", given[:1]
            elif n.is_integer() and abs(n) <= 64:
                name, given, params = "integer_power", given[:1], {"n": int(n)}
        if name in self.limits:
            size = code.intrinsic("fabs", given[0])
            self.flags.append(code.compare("ogt", size, code.number(self.limits[name])))
        if name != "integer_power" and not supported(name):
            raise Unfit(f"there is no {name} in one")
        return operation(code, Value(name, (), "s", "f", params), given)

    def of_integers(self, name: str, args: list[str]) -> str:
        if name in _INTEGERS:
            return self.let(f"{_INTEGERS[name]} i64 {args[0]}, {args[1]}")
        if name in INTEGERS_COMPARED:
            return self.let(f"icmp {INTEGERS_COMPARED[name]} i64 {args[0]}, {args[1]}")
        raise Unfit(f"{name} of integers")

    # ---- loops that store

    def cuts(self, x: Any, shift: int, found: set[int], seen: set[Any], top: bool = False) -> None:
        """Where, along the last axis, a part of a value begins or ends."""
        if not isinstance(x, Var) or x not in self.made or (x in self.places and not top):
            return
        if (x, shift) in seen or not self.shape(x):
            return
        seen.add((x, shift))
        e = self.made[x]
        name, axis = e.primitive.name, len(self.shape(x)) - 1
        for k, i in enumerate(e.inputs):
            by = shift
            if name == "getitem":
                entry = entries(e.params["index"], self.shape(i))[-1]
                if not isinstance(entry, slice) or entry.step != 1:
                    continue
                by += entry.start
            elif name in ("place", "pad"):
                start = place_start(e, axis, self.shape(x))
                if start is None:
                    continue
                by -= start
                found.update((start - shift, start - shift + self.shape(i)[-1]))
            elif name == "concatenate" and e.params["axis"] == axis:
                start = sum(self.shape(p)[-1] for p in e.inputs[:k])
                by -= start
                found.add(start - shift)
                found.add(start + self.shape(i)[-1] - shift)
            elif name in ("transpose", "reshape"):
                continue
            self.cuts(i, by, found, seen)

    def nest(
        self, shape: Shape, inside: Callable[[list[Index]], None], roots: Sequence[Any]
    ) -> None:
        """Loops over all elements, the innermost cut where a part begins or ends."""
        self.memo = {}
        points = {0, shape[-1]} if shape else {0, 1}
        for r in roots:
            self.cuts(r, 0, points, set(), top=True)
        inner = sorted(p for p in points if 0 <= p <= (shape[-1] if shape else 1))

        def within(axis: int, index: list[Index]) -> None:
            if axis < len(shape) - 1:
                with self.loop(shape[axis]) as i:
                    within(axis + 1, [*index, i])
                return
            for low, high in pairwise(inner):
                self.memo = {}
                with self.loop(high, low, innermost=True) as i:
                    inside([*index, i] if shape else [])
                    self.flagged()

        within(0, [])
        self.memo = {}

    def flagged(self) -> None:
        """Remember whether an argument was beyond a limit."""
        for c in self.flags:
            old = self.let("load i64, ptr %flag")
            new = self.let(f"or i64 {old}, {self.let(f'zext i1 {c} to i64')}")
            self.code.line(f"store i64 {new}, ptr %flag")
        self.flags = []

    def slot(self, type: str) -> str:
        """A variable, which LLVM keeps in a register."""
        name = self.fresh("%v")
        self.allocas.append(f"  {name} = alloca {type}")
        return name

    def fill(self, shape: Shape, roots: Sequence[tuple[Any, Sequence[Place]]]) -> None:
        """Store values of one shape, each in its places."""

        def inside(index: list[Index]) -> None:
            for x, places in roots:
                dtype = places[0].dtype
                key = (id(x), *(i.name for i in index))
                if self.places.get(x) is places[0] and key not in self.memo:
                    self.memo[key] = self.pulled(x, index)  # it is not there yet
                found = self.element(x, self.aligned(x, index), dtype)
                for place in places:
                    self.store(found, place, index)

        self.nest(shape, inside, [x for x, _ in roots])

    def copy(self, source: Place, target: Place, shape: Shape) -> None:
        self.nest(shape, lambda i: self.store(self.load(source, i), target, i), [])

    def reduce(self, e: Equation, target: Place | None) -> None:
        """A sum, max or min over some axes: stored, or a number."""
        (x,), out = e.inputs, e.outs[0]
        dtype, how = out.type.dtype, e.primitive.name
        if dtype.kind != "f" or type_of(x).dtype != dtype:
            raise Unfit(f"the {how} of {type_of(x).dtype}")
        shape, axes = self.shape(x), e.params["axis"]
        keeps = e.params.get("keepdims", False)
        if dtype == np.float32 and math.prod(shape[a] for a in axes) > 4096:
            raise Unfit(f"a {how} of so many float32 is exact only in parts")
        code = self.typed(dtype)
        start = code.number(_STARTS[how])
        if target is None:
            target = Place(self.slot(code.type), (), dtype)
        kept = [i for i in range(len(shape)) if i not in axes]
        place = target
        self.nest(tuple(self.shape(out)), lambda i: self.store(start, place, i), [])

        def combined(old: str, new: str) -> str:
            code = self.typed(dtype)
            if how == "sum":
                return self.let(f"fadd reassoc nsz contract {code.type} {old}, {new}")
            return code.intrinsic("maximum" if how == "max" else "minimum", old, new)

        def to(index: list[Index]) -> list[Index]:
            if keeps:
                return [ZERO if k in axes else i for k, i in enumerate(index)]
            return [index[k] for k in kept]

        if len(shape) - 1 in kept:  # the loop over the last axis has no sum to wait for

            def inside(index: list[Index]) -> None:
                new = self.element(x, index, dtype)
                self.store(combined(self.load(place, to(index)), new), place, to(index))

            self.nest(shape, inside, [x])
        else:
            self.rows(shape, kept, x, dtype, start, combined, lambda i: self.address(place, to(i)))
        if not out.type.ndim:
            self.numbers[out] = self.load(place, ())

    def rows(
        self, shape: Shape, kept: list[int], x: Any, dtype: Any, start: str, combined: Any, to: Any
    ) -> None:
        """Loops over the kept axes, then the others; of the last, a sum in a register."""
        last = len(shape) - 1
        order = [*kept, *(k for k in range(last) if k not in kept)]
        kind, total = self.ir(dtype), self.slot(self.ir(dtype))

        def within(at: dict[int, Index]) -> None:
            if len(at) < len(order):
                with self.loop(shape[order[len(at)]]) as i:
                    within({**at, order[len(at)]: i})
                return
            self.code.line(f"store {kind} {start}, ptr {total}")
            self.memo = {}
            with self.loop(shape[last], innermost=True) as i:
                new = self.element(x, [*(at[k] for k in range(last)), i], dtype)
                self.flagged()
                new = combined(self.let(f"load {kind}, ptr {total}"), new)
                self.code.line(f"store {kind} {new}, ptr {total}")
            self.memo = {}
            place = to([*(at[k] for k in range(last)), ZERO])
            new = combined(*(self.let(f"load {kind}, ptr {p}") for p in (place, total)))
            self.code.line(f"store {kind} {new}, ptr {place}")

        within({})

    # ---- products

    def width(self, n: int, dtype: Any) -> tuple[int, int]:
        """The lanes of a register for n columns, and how many registers a tile is wide."""
        lanes = self.vector // dtype.itemsize
        while lanes // 2 >= n and lanes > 2:
            lanes //= 2
        return lanes, 2 if n > lanes else 1

    def packed(self, y: Any, dtype: Any, lead: Shape) -> Place:
        """The right factor in panels as wide as a tile, filled up with zeros."""
        *_, k, n = self.shape(y)
        lanes, many = self.width(n, dtype)
        wide = lanes * many
        panels = -(-n // wide)
        place = self.reserve((*lead, panels, k, wide), dtype)
        zero = self.constant(0, dtype)
        for p in range(panels):
            here = min(wide, n - p * wide)
            shape = (*lead, k, wide)
            strides = (*place.strides[: len(lead)], *place.strides[-2:])
            pointer = self.let(
                f"getelementptr {self.ir(dtype)}, ptr {place.pointer}, i64 {p * k * wide}"
            )
            target = Place(pointer, strides, dtype)
            if here < wide:

                def clear(i: list[Index], target: Place = target) -> None:
                    self.store(zero, target, i)

                self.nest(shape, clear, [])

            def inside(i: list[Index], p: int = p, target: Place = target) -> None:
                full = [*i[:-1], self.shifted(i[-1], p * wide)]
                self.store(self.element(y, self.aligned(y, full), dtype), target, i)

            self.nest((*lead, k, here), inside, [y])
        return place

    def product(self, e: Equation, left: Place, right: Place, target: Place) -> None:
        """target = left @ right, in tiles of registers; `right` is packed."""
        x, y = e.inputs
        dtype = target.dtype
        *lead, m, k = self.shape(x)
        n = self.shape(y)[-1]
        lanes, many = self.width(n, dtype)
        wide = lanes * many
        tile = max((12 if self.vector == 64 else 5 if many == 2 else 8), 1)
        count = -(-m // tile)
        lead = list(self.shape(e.outs[0])[:-2])
        kind = self.ir(dtype)
        vector = f"<{lanes} x {kind}>"

        def rows(i0: str | None, height: int, low: int, lead: list[Index], panel: Index) -> None:
            one = self.let(f"add nsw i64 {i0 or 0}, {low}")
            lead_left = [ZERO if a == 1 else i for a, i in zip(self.shape(x)[:-2], lead)]
            lead_right = lead if len(right.strides) == len(lead) + 3 else []
            base = self.address(right, [*lead_right, panel, ZERO, ZERO])
            row = [
                self.address(left, [*lead_left[len(lead_left) - len(left.strides) + 2 :],
                                    Index(self.let(f"add nsw i64 {one}, {r}"), 0, 0), ZERO])
                for r in range(height)
            ]  # fmt: skip
            sums = [[self.slot(vector) for _ in range(many)] for _ in range(height)]
            for slot in (s for some in sums for s in some):
                self.code.line(f"store {vector} zeroinitializer, ptr {slot}")
            with self.loop(k) as j:
                at = self.let(f"mul nsw i64 {j.name}, {wide}")
                b = []
                for v in range(many):
                    here = self.let(f"add nsw i64 {at}, {v * lanes}")
                    p = self.let(f"getelementptr inbounds {kind}, ptr {base}, i64 {here}")
                    b.append(self.let(f"load {vector}, ptr {p}, align {dtype.itemsize}"))
                step = self.let(f"mul nsw i64 {j.name}, {left.strides[-1]}")
                for r in range(height):
                    p = self.let(f"getelementptr inbounds {kind}, ptr {row[r]}, i64 {step}")
                    a = self.let(f"load {kind}, ptr {p}")
                    a = self.let(f"insertelement {vector} undef, {kind} {a}, i32 0")
                    a = self.let(f"shufflevector {vector} {a}, {vector} undef, "
                                 f"<{lanes} x i32> zeroinitializer")  # fmt: skip
                    for v in range(many):
                        ab = self.let(f"fmul contract {vector} {a}, {b[v]}")
                        old = self.let(f"load {vector}, ptr {sums[r][v]}")
                        new = self.let(f"fadd contract {vector} {old}, {ab}")
                        self.code.line(f"store {vector} {new}, ptr {sums[r][v]}")
            column = self.let(f"mul nsw i64 {panel.name}, {wide}")
            for r in range(height):
                row_at = Index(self.let(f"add nsw i64 {one}, {r}"), 0, 0)
                for v in range(many):
                    here = self.let(f"add nsw i64 {column}, {v * lanes}")
                    p = self.address(target, [*lead, row_at, Index(here, 0, 0)])
                    total = self.let(f"load {vector}, ptr {sums[r][v]}")
                    self.code.line(f"store {vector} {total}, ptr {p}, align {dtype.itemsize}")

        def over(axis: int, index: list[Index]) -> None:
            if axis < len(lead):
                with self.loop(lead[axis]) as i:
                    over(axis + 1, [*index, i])
                return
            with self.loop(-(-n // wide)) as panel:
                height, more = divmod(m, count)
                if count - more:
                    with self.loop(count - more) as t:
                        rows(self.let(f"mul nsw i64 {t.name}, {height}"), height, 0, index, panel)
                for extra in range(more):
                    begin = (count - more) * height + extra * (height + 1)
                    rows(None, height + 1, begin, index, panel)

        over(0, [])
