"""scan and while_loop as one native function: what is stored, in which loops, in how many parts.

Where the rows of what is carried have nothing to do with each other (a batch), the loop over the
steps is inside a loop over tiles of rows: what a tile carries stays in cache, and threads share out
the tiles without ever waiting for each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._core.stage import Equation, Var
from .._transform.graph import Graph
from .._transform.loops import SCAN, WHILE
from . import compiler, native, vector_math
from .buffers import LEAST, recycled
from .engine import SERIAL, Bound
from .expansion import expanded
from .kernel import HEAVY
from .loop_code import DTYPES, Place, Writer
from .loop_views import MOVES, Index, Unfit, contiguous, same_but_ones
from .passes import _number, optimised, rebuilt, type_of

_REDUCTIONS = ("sum", "max", "min")
_MOST = 1 << 23  # multiplications, or numbers, of a step: beyond, calls are as good
_TILE = 16  # rows: below, each product waits for memory


def _is_array(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.ndim > 0 and _number(x) is None


def lifted(graph: Graph) -> tuple[Graph, list[Any]]:
    """The graph with its constant arrays as its first arguments."""
    found: dict[int, tuple[Var, Any]] = {}

    def of(x: Any) -> Any:
        if not _is_array(x):
            return x
        return found.setdefault(id(x), (Var(type_of(x)), x))[0]

    equations = [e._replace(inputs=tuple(map(of, e.inputs))) for e in graph.equations]
    outputs = tuple(map(of, graph.outputs))
    graph = rebuilt(graph, equations, outputs)
    graph.inputs = (*(v for v, _ in found.values()), *graph.inputs)
    return graph, [x for _, x in found.values()]


class Loop:
    """The IR of a loop. Its arguments are constants, what is carried, and arrays to slice."""

    def __init__(self, graph: Graph, test: Graph | None, consts: int, carries: int,
                 length: int, reverse: bool) -> None:  # fmt: skip
        self.graph, self.test = graph, test
        self.length, self.reverse = length, reverse
        inputs = graph.inputs
        end = consts + carries
        self.consts, self.carried, self.xs = inputs[:consts], inputs[consts:end], inputs[end:]
        self.carries = carries
        self.operations = list(dict.fromkeys(e.primitive.name for e in graph.equations))
        self._check()
        self.rows, self.tile, self.rowed = 1, 1, set[Var]()
        if test is None:
            self._part()
        vector = 64 if "+avx512f" in compiler._features() else 32
        if "avx" not in compiler._features():
            vector = 16
        self.w = w = Writer(vector, vector_math.LIMITS)
        w.shapes = {v: (self.tile, *v.type.shape[1:]) for v in self.rowed}
        for g in (graph, test):
            w.made.update({o: e for e in (g.equations if g else ()) for o in e.outs})
        self.text = self._function()

    @property
    def tiles(self) -> int:
        return self.rows // self.tile

    # ---- what fits

    def _check(self) -> None:
        most = 0
        for e in (*self.graph.equations, *(self.test.equations if self.test else ())):
            if len(e.outs) != 1:
                raise Unfit(f"{e.primitive.name} is in it")
            size = e.outs[0].type.size
            if e.primitive.name == "matmul":
                size *= type_of(e.inputs[0]).shape[-1]
            most += size
            if not all(type_of(i).size for i in (*e.inputs, *e.outs) if not _is_plain(i)):
                raise Unfit("it has an empty array")
        arrays = (*self.graph.inputs, *self.graph.outputs)
        made = [o for e in self.graph.equations for o in e.outs]
        for x in (*arrays, *made):
            if str(type_of(x).dtype) not in DTYPES:
                raise Unfit(f"it computes with {type_of(x).dtype}")
        if not all(type_of(i).size for i in arrays):
            raise Unfit("it has an empty array")
        if most > _MOST:
            raise Unfit("a step takes long by itself")

    def _part(self) -> None:
        """Find the axis of rows, if nothing in a step mixes them."""
        sizes = {v.type.shape[0] for v in self.carried if v.type.ndim}
        if len(sizes) != 1 or (rows := sizes.pop()) < 2:
            return
        rowed = {v for v in (*self.carried, *self.xs) if v.type.shape[:1] == (rows,)}
        for e in self.graph.equations:
            if any(i in rowed for i in e.inputs if isinstance(i, Var)):
                if not self._keeps_rows(e, rows, rowed):
                    return
                rowed.add(e.outs[0])
        for v, o in zip(self.carried, self.graph.outputs):
            if (v in rowed) != (isinstance(o, Var) and o in rowed):
                return
        width = max(v.type.size // rows for v in rowed)
        least = _TILE if any(e.primitive.name == "matmul" for e in self.graph.equations) else 1
        least = max(least, 2048 // width)
        tile = max((t for t in range(1, min(least, rows) + 1) if rows % t == 0), default=1)
        if tile >= min(least, rows) / 3 and rows // tile > 1:
            self.rows, self.tile, self.rowed = rows, tile, rowed

    def _keeps_rows(self, e: Equation, rows: int, rowed: set[Var]) -> bool:
        """Whether a row of the result is made of the same row of the operands, and of no other."""
        name, out = e.primitive.name, e.outs[0].type
        ins = [(isinstance(i, Var) and i in rowed, type_of(i)) for i in e.inputs]
        if name == "matmul":
            (a, x), (b, y) = ins
            return a and not b and x.ndim >= 2 and y.ndim == 2
        if out.shape[:1] != (rows,):
            return False
        params, whole = e.params, (slice(None),)
        keeps: dict[str, Callable[[], bool]] = {
            **dict.fromkeys(_REDUCTIONS, lambda: 0 not in params["axis"]),
            **dict.fromkeys(("getitem", "place"), lambda: bool(params["index"][:1] == whole)),
            "pad": lambda: tuple(params["widths"][0]) == (0, 0),
            "transpose": lambda: bool(params["axes"][0] == 0),
            "concatenate": lambda: params["axis"] != 0 and all(a for a, _ in ins),
            "reshape": lambda: ins[0][1].shape[0] == rows,
        }
        if name in keeps:
            return keeps[name]()
        # elementwise, or a broadcast
        return all(t.ndim == out.ndim if a else t.ndim < out.ndim or t.shape[0] == 1
                   for a, t in ins)  # fmt: skip

    # ---- which values are stored, and the order of the loops

    def _kept(self, graph: Graph) -> set[Var]:
        w = self.w
        kept: set[Any] = set()
        uses: dict[Var, list[Equation]] = {}
        for e in graph.equations:
            for i in e.inputs:
                if isinstance(i, Var):
                    uses.setdefault(i, []).append(e)
        for e in graph.equations:
            name, out = e.primitive.name, e.outs[0]
            if name == "matmul":
                kept |= {_base(w, e.inputs[0]), out} - set(graph.inputs)
            elif name in _REDUCTIONS and out.type.ndim:
                kept.add(out)
            elif name == "reshape" and isinstance(e.inputs[0], Var):
                if not same_but_ones(w.shape(e.inputs[0]), w.shape(out)):
                    kept |= {e.inputs[0]} - set(graph.inputs)
            elif name in HEAVY and out.type.ndim:
                users = uses.get(out, [])
                spread = any(math.prod(w.shape(u.outs[0])) > math.prod(w.shape(out)) for u in users)
                if len(users) > 1 or spread:
                    kept.add(out)
        kept.update(o for o in graph.outputs if isinstance(o, Var) and o in w.made)
        return {v for v in kept if v.type.ndim}

    def _plan(self, graph: Graph) -> list[Any]:
        """Statements: an Equation (a number, a reduction, a product), or [shape, roots]."""
        w, kept = self.w, self._kept(graph)
        at: dict[Var, int] = {}
        plan: list[Any] = []

        def reads(x: Any, same: bool, found: dict[Var, bool]) -> None:
            if not isinstance(x, Var) or x not in w.made:
                return
            if x in at:
                found[x] = found.get(x, True) and same
                return
            e = w.made[x]
            for i in e.inputs:
                moved = e.primitive.name in MOVES and e.primitive.name not in ("positive",)
                reads(i, same and not moved and w.shape(i) == w.shape(x), found)

        for e in graph.equations:
            out = e.outs[0]
            special = e.primitive.name in (*_REDUCTIONS, "matmul")
            if special or not out.type.ndim:
                at[out] = len(plan)
                plan.append(e)
            elif out in kept:
                found: dict[Var, bool] = {}
                for i in e.inputs:
                    moved = e.primitive.name in MOVES and e.primitive.name != "positive"
                    reads(i, not moved and w.shape(i) == w.shape(out), found)
                shape = w.shape(out)
                joins = [isinstance(plan[at[d]], list) and plan[at[d]][0] == shape and same
                         for d, same in found.items()]  # fmt: skip
                first = max((at[d] + (not j) for d, j in zip(found, joins)), default=0)
                places = (k for k in range(first, len(plan))
                          if isinstance(plan[k], list) and plan[k][0] == shape)  # fmt: skip
                k = next(places, len(plan))
                if k == len(plan):
                    plan.append([shape, []])
                plan[k][1].append(out)
                at[out] = k
        return plan

    def _run(self, graph: Graph, targets: dict[Var, list[Place]]) -> None:
        """The statements of a graph; values of `targets` go there."""
        w = self.w
        plan = self._plan(graph)
        for step in plan:
            if isinstance(step, list):
                shape, roots = step
                places = {v: targets.get(v) or [w.reserve(shape, v.type.dtype)] for v in roots}
                w.places.update({v: p[0] for v, p in places.items()})
                w.fill(shape, [(v, places[v]) for v in roots])
                continue
            out = step.outs[0]
            if step.primitive.name == "matmul":
                self._product(step)
            elif step.primitive.name in _REDUCTIONS:
                place = None
                if out.type.ndim:
                    place = w.places[out] = w.reserve(w.shape(out), out.type.dtype)
                w.reduce(step, place)
            else:
                w.memo = {}
                w.numbers[out] = w.constant(0, out.type.dtype)
                del w.numbers[out]
                found = w.pulled(out, ())
                w.flagged()
                w.numbers[out] = w.constant(0, out.type.dtype) if found is None else found
                w.memo = {}
        done = {v for s in plan if isinstance(s, list) for v in s[1]}
        for o, there in targets.items():  # inputs, sums and products, which lie elsewhere
            if o not in done:
                w.fill(w.shape(o), [(o, there)])

    def _product(self, e: Equation) -> None:
        w, out = self.w, e.outs[0]
        x, y = e.inputs
        dtype = out.type.dtype
        if dtype.kind != "f" or any(type_of(i).dtype != dtype for i in (x, y)):
            raise Unfit(f"a product of {type_of(x).dtype} and {type_of(y).dtype}")
        base = _base(w, x)
        if base not in w.places:
            raise Unfit("a product of constants")
        left = w.places[base]
        if base is not x:
            left = left._replace(strides=(*left.strides[:-2], left.strides[-1], left.strides[-2]))
        *lead, m, n = w.shape(out)
        lanes, many = w.width(n, dtype)
        padded = -(-n // (lanes * many)) * lanes * many
        place = w.reserve((*lead, m, padded), dtype)
        w.places[out] = place
        right = self.packed.get(e.outs[0])
        if right is None:
            right = w.packed(y, dtype, tuple(w.shape(y)[:-2]))
        w.product(e, left, right, place)

    def _pack_constants(self) -> None:
        """Factors that are the same in all steps are packed once."""
        w = self.w
        self.packed: dict[Var, Place] = {}
        steady = {v for v in self.consts if v not in self.rowed}
        for g in (self.graph, self.test):
            for e in g.equations if g else ():
                if e.primitive.name in ("transpose", "getitem") and e.inputs[0] in steady:
                    steady.add(e.outs[0])
                if e.primitive.name == "matmul" and e.inputs[1] in steady:
                    y, dtype = e.inputs[1], e.outs[0].type.dtype
                    if dtype.kind == "f" and type_of(y).dtype == dtype:
                        self.packed[e.outs[0]] = w.packed(y, dtype, tuple(w.shape(y)[:-2]))

    # ---- the function

    def _function(self) -> str:
        w, graph = self.w, self.graph
        inputs = graph.inputs
        pointers = [f"%p{k}" for k in range(len(inputs) + len(graph.outputs))]
        for j, p in enumerate(pointers):
            w.allocas.append(f"  {p}a = getelementptr ptr, ptr %args, i64 {j}")
            w.allocas.append(f"  {p} = load ptr, ptr {p}a")
        w.allocas += ["  %flag = alloca i64", "  store i64 0, ptr %flag"]
        whole = dict(zip(inputs, pointers))

        def number(v: Var, pointer: str) -> str:
            return w.load(Place(pointer, (), v.type.dtype), ())

        for v in self.consts:
            if v.type.ndim:
                w.places[v] = Place(whole[v], contiguous(w.shape(v)), v.type.dtype)
            else:
                w.numbers[v] = number(v, whole[v])
        self._pack_constants()
        tile, step = w.slot("i64"), w.slot("i64")
        w.code.line(f"store i64 %lo, ptr {tile}")
        w.jump("tiles")
        w.label("tiles")
        t = w.let(f"load i64, ptr {tile}")
        more = w.let(f"icmp slt i64 {t}, %hi")
        w.code.line(f"br i1 {more}, label %tile, label %finish")
        w.label("tile")

        def part(v: Any, pointer: str, k: str | None = None) -> Place:
            """This tile's part of an array, or of its k-th slice."""
            shape, full = w.shape(v), type_of(v)
            rowed = isinstance(v, Var) and v in self.rowed
            start = w.let(f"mul nsw i64 {t}, {math.prod(shape)}") if rowed else "0"
            if k is not None:
                start = w.let(f"add nsw i64 {start}, {w.let(f'mul nsw i64 {k}, {full.size}')}")
            p = w.let(f"getelementptr {w.ir(full.dtype)}, ptr {pointer}, i64 {start}")
            return Place(p, contiguous(shape), full.dtype)

        now: dict[Var, str] = {}
        after: dict[Var, str] = {}
        for v in self.carried:
            if not v.type.ndim:
                now[v] = w.slot("i1" if v.type.dtype == np.bool_ else w.ir(v.type.dtype))
                self._put(number(v, whole[v]), v, now[v])
                continue
            two = [w.reserve(w.shape(v), v.type.dtype) for _ in range(2)]
            now[v], after[v] = w.slot("ptr"), w.slot("ptr")
            w.code.line(f"store ptr {two[0].pointer}, ptr {now[v]}")
            w.code.line(f"store ptr {two[1].pointer}, ptr {after[v]}")
            w.copy(part(v, whole[v]), two[0], w.shape(v))
        w.code.line(f"store i64 0, ptr {step}")
        w.jump("steps")
        w.label("steps")
        here, there = {}, {}
        for v in self.carried:
            if v.type.ndim:
                here[v] = w.let(f"load ptr, ptr {now[v]}")
                there[v] = w.let(f"load ptr, ptr {after[v]}")
                w.places[v] = Place(here[v], contiguous(w.shape(v)), v.type.dtype)
            else:
                w.numbers[v] = self._get(v, now[v])
        k = w.let(f"load i64, ptr {step}")
        if self.test is None:
            more = w.let(f"icmp slt i64 {k}, {self.length}")
        else:
            self._same_inputs()
            self._run(self.test, {})
            (o,) = self.test.outputs
            more = w.element(o, (), np.dtype(bool)) if type_of(o).dtype == np.bool_ else w.let(
                f"fcmp une {w.ir(type_of(o).dtype)} {w.element(o, (), type_of(o).dtype)}, 0.0"
            )  # fmt: skip
        w.code.line(f"br i1 {more}, label %step, label %end")
        w.label("step")
        at = w.let(f"sub nsw i64 {self.length - 1}, {k}") if self.reverse else k
        for v in self.xs:
            place = part(v, whole[v], at)
            if v.type.ndim:
                w.places[v] = place
            else:
                w.numbers[v] = w.load(place, ())
        targets: dict[Any, list[Place]] = {}
        singles: list[tuple[Any, Any]] = []
        constants: dict[int, Any] = {}
        for n, o in enumerate(graph.outputs):
            pointer = pointers[len(inputs) + n]
            ndim = type_of(o).ndim
            if n < self.carries and ndim:
                place = Place(there[self.carried[n]], contiguous(w.shape(self.carried[n])),
                              type_of(o).dtype)  # fmt: skip
            elif n < self.carries:
                singles.append((o, self.carried[n]))
                continue
            else:
                place = part(o, pointer, at)
                if not ndim:
                    singles.append((o, place))
                    continue
            if isinstance(o, Var):
                targets.setdefault(o, []).append(place)
            else:
                constants[n] = (o, place)
        self._run(graph, targets)
        for o, place in constants.values():
            one = w.constant(_number(o), place.dtype)

            def put(i: list[Index], x: str = one, place: Place = place) -> None:
                w.store(x, place, i)

            w.nest(tuple(type_of(o).shape), put, [])
        for o, target in singles:
            x = w.element(o, (), type_of(o).dtype)
            if isinstance(target, Place):
                w.store(x, target, ())
            else:
                self._put(x, target, now[target])
        for v in here:
            w.code.line(f"store ptr {there[v]}, ptr {now[v]}")
            w.code.line(f"store ptr {here[v]}, ptr {after[v]}")
        w.code.line(f"store i64 {w.let(f'add nsw i64 {k}, 1')}, ptr {step}")
        w.jump("steps")
        w.label("end")
        for n, v in enumerate(self.carried):
            final = part(v, pointers[len(inputs) + n])
            if v.type.ndim:
                source = Place(here[v], contiguous(w.shape(v)), v.type.dtype)
                w.copy(source, final, w.shape(v))
            else:
                w.store(self._get(v, now[v]), final, ())
        w.code.line(f"store i64 {w.let(f'add nsw i64 {t}, 1')}, ptr {tile}")
        w.jump("tiles")
        w.label("finish")
        beyond = w.let(f"uitofp i64 {w.let('load i64, ptr %flag')} to double")
        w.code.line(f"store double {beyond}, ptr %ends")
        w.code.line("ret void")
        return self._module()

    def _same_inputs(self) -> None:
        """The test's arguments are those of the body."""
        assert self.test is not None
        w = self.w
        for a, b in zip(self.test.inputs, self.graph.inputs):
            if b in w.places:
                w.places[a] = w.places[b]
            if b in w.numbers:
                w.numbers[a] = w.numbers[b]

    def _put(self, x: str, v: Var, slot: str) -> None:
        kind = "i1" if v.type.dtype == np.bool_ else self.w.ir(v.type.dtype)
        self.w.code.line(f"store {kind} {x}, ptr {slot}")

    def _get(self, v: Var, slot: str) -> str:
        kind = "i1" if v.type.dtype == np.bool_ else self.w.ir(v.type.dtype)
        return self.w.let(f"load {kind}, ptr {slot}")

    def _module(self) -> str:
        w = self.w
        head = (
            "define void @k(ptr noalias nocapture readonly %args, i64 %R, i64 %C, i64 %lo, "
            "i64 %hi, ptr noalias %scratch, ptr noalias %ends) #0 {\nentry:"
        )
        code = w.code
        functions = vector_math.definitions(sorted(code.called)) if code.called else ""
        declared = "\n".join(sorted(d for d in code.intrinsics if d not in functions))
        attributes = 'attributes #0 = { nounwind "prefer-vector-width"="512" }'
        body = "\n".join([head, *w.allocas, *code.lines, "}"])
        return "\n".join([native.head(), declared, functions, body, attributes, *w.metadata]) + "\n"


def _is_plain(x: Any) -> bool:
    return isinstance(x, bool | int | float | complex)


def _base(w: Writer, x: Any) -> Any:
    """What a left factor is read from: itself, or of what it is the transpose."""
    e = w.made.get(x) if isinstance(x, Var) else None
    if e is not None and e.primitive.name == "transpose":
        axes = e.params["axes"]
        if axes == (*range(len(axes) - 2), len(axes) - 1, len(axes) - 2):
            return e.inputs[0]
    return x


# ---- to run


@dataclass(frozen=True)
class _Code:
    """What is bound: machine code that takes so many arrays, and leaves no sums of columns."""

    name: str
    inputs: list[None]
    address: int
    columns: int = 0


class Looped(Bound):
    """A loop that has been compiled: a function of the arrays of its operation."""

    def __init__(self, equation: Equation) -> None:
        self.equation, params = equation, equation.params
        consts = params["consts"]
        graph = optimised(expanded(params["body"].graph))
        test = None
        self.lifted: list[Any] = []
        if equation.primitive is WHILE:
            test = optimised(expanded(params["test"].graph))
            carries, length, reverse = len(graph.outputs), 0, False
            if any(
                map(_is_array, [i for g in (graph, test) for e in g.equations for i in e.inputs])
            ):
                raise Unfit("it holds an array")
        else:
            graph, self.lifted = lifted(graph)
            carries, length, reverse = params["carries"], params["length"], params["reverse"]
        self.loop = Loop(graph, test, consts + len(self.lifted), carries, length, reverse)
        (self.address,) = compiler.functions(self.loop.text, "k", effort=1)
        native.ready()
        self.types = [o.type for o in equation.outs]
        many = len(equation.inputs) + len(self.lifted)
        self.kernel = self.runner = _Code(self.loop.graph.name, [None] * many, self.address)
        self.rows = self.columns = self.width = 1
        self.extent, self.count = self.loop.tiles, many + len(self.types)
        steps = length or 1000
        self.large = steps * sum(o.type.size for e in graph.equations for o in e.outs) > SERIAL
        self.padded, self.extra, self.state = 32, True, (None,)
        self.scratch = self.loop.w.scratch + 256
        if native.LAYOUT is None or self.count + 2 > native.MOST:
            self.function: Callable[..., Any] = self._by_ctypes
        elif self.large:
            self.function = self._parallel
        else:
            self.serial = self._call(0)
            self.function = self._serial_with_sums

    def __call__(self, *args: Any) -> Sequence[Any]:
        given = [x if x.__class__ is np.ndarray else np.asarray(x) for x in args]
        outs = [
            recycled(t.shape, t.dtype) if t.size * t.dtype.itemsize >= LEAST
            else np.empty(t.shape, t.dtype)
            for t in self.types
        ]  # fmt: skip
        if self.function(*self.lifted, *given, *outs)[0]:  # an angle too large for the loop
            found: Sequence[Any] = self.equation.primitive.impl(*args, **self.equation.params)
            return found
        return [o if o.ndim else o[()] for o in outs]

    @property
    def spec(self) -> str:
        """How the steps are run, and what is in one."""
        loop = self.loop
        steps = f"{loop.length} steps" if loop.test is None else "all steps"
        tiles = f", for {loop.tile} of {loop.rows} rows at a time" if loop.tiles > 1 else ""
        return f"{steps} in one native function{tiles}: {', '.join(loop.operations)}"

    def __str__(self) -> str:
        loop = self.loop
        head = f"for step in range({loop.length}):" if loop.test is None else "while test:"
        if loop.reverse:
            head = f"for step in reversed(range({loop.length})):"
        lines = [f"loop {loop.graph.name}, one native function:"]
        indent = "    "
        if loop.tiles > 1:
            lines.append(f"{indent}for tile in range({loop.tiles}):  # of {loop.tile} rows")
            indent += "    "
        lines.append(indent + head)
        shown = [loop.graph] if loop.test is None else [loop.test, loop.graph]
        lines += [f"{indent}    {line}" for g in shown for line in str(g).split("\n")]
        return "\n".join(lines)


def looped(equation: Equation, _winograd: int = 0) -> Looped | str:
    """A scan or while_loop as one native function, or why it is none."""
    try:
        if equation.primitive is SCAN and not equation.params["length"]:
            raise Unfit("it has no steps")
        return Looped(equation)
    except Unfit as why:
        return f"the loop over the steps of {equation.params['body'].name} is not native: {why}"


ROWS: dict[Any, Callable[..., Any]] = {SCAN: looped, WHILE: looped}

__all__ = ["ROWS", "Looped", "looped"]
