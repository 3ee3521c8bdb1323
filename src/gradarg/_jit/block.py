"""A block of a kernel as source: a Python function in which each operation is one ufunc call.

A block fits the cache; buffers whose values nobody needs any more are used again. Of a kernel of
one row there is a function for each segment between the `breaks`, so that what is outside of a
`place` is known to be 0.

`product` and `quotient` are 0 where a factor (the dividend) is 0, though NumPy says NaN. A block is
computed with `multiply` and `divide` first. Where a NaN comes of that, which is looked for where
it would be lost from sight (outputs, sums, branches not taken), it is computed again with care.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .kernel import END_REDUCTIONS, ROW_REDUCTIONS, Kernel, Value

_FAR = 1 << 10  # columns: values at offsets nearer than this are computed in one run

# by their own name in NumPy, with NaN from NaN
_HANDS_ON = {
    "add", "subtract", "multiply", "divide", "negative", "square", "reciprocal", "sqrt", "cbrt",
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "arcsin",
    "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "deg2rad",
    "rad2deg", "absolute", "fabs", "floor", "ceil", "trunc", "rint", "sign", "maximum", "minimum",
    "remainder", "fmod", "arctan2", "floor_divide",
}  # fmt: skip
UFUNCS = _HANDS_ON | {
    "less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "logical_and",
    "logical_or", "logical_xor", "logical_not", "isnan", "isinf", "isfinite", "signbit", "power",
    "fmax", "fmin", "hypot", "logaddexp", "logaddexp2", "copysign", "heaviside", "nextafter",
    "spacing",
}  # fmt: skip
# {o} is the result, {x}, {y}, {z} are the arguments, {t} is a buffer; {o} may be {x}
_LINES = {
    "positive": ["copyto({o}, {x})"],
    "as_float": ["copyto({o}, {x})"],
    "relu": ["maximum({x}, 0, out={o})"],
    "sigmoid": [
        "negative({x}, {o})", "exp({o}, {o})", "add({o}, 1, {o})", "reciprocal({o}, {o})",
    ],
    # max(x, 0) + log(1 + exp(-|x|)), of vectorised parts: logaddexp is none
    "softplus": [
        "absolute({x}, {t})", "negative({t}, {t})", "exp({t}, {t})", "log1p({t}, {t})",
        "maximum({x}, 0, out={o})", "add({o}, {t}, {o})",
    ],
    "log_sigmoid": [
        "absolute({x}, {t})", "negative({t}, {t})", "exp({t}, {t})", "log1p({t}, {t})",
        "minimum({x}, 0, out={o})", "subtract({o}, {t}, {o})",
    ],
    "float_power": ["power({x}, {y}, {o})"],
    "erf": ["copyto({o}, erf({x}))"],  # SciPy's
    "erfc": ["copyto({o}, erfc({x}))"],
    "ndtr": ["copyto({o}, ndtr({x}))"],
    "gaussian": ["multiply({x}, {x}, {o})", "multiply({o}, -0.5, {o})", "exp({o}, {o})"],
}  # fmt: skip
_FAST = {"product": ["multiply({x}, {y}, {o})"], "quotient": ["divide({x}, {y}, {o})"]}
_CAREFUL = {
    "product": ["copyto({o}, product({x}, {y}))"],
    "quotient": ["copyto({o}, quotient({x}, {y}))"],
}
# how a row that is 0 but for {x} in the column {y} begins, and how {x} comes in
_ONE_HOT = {
    "one_hot": ("{o}.fill(0)", "="),
    "one_hot_add": ("copyto({o}, {z})", "+="),  # one_hot + z
    "one_hot_subtract": ("subtract(0, {z}, {o})", "+="),  # one_hot - z
    "one_hot_from": ("copyto({o}, {z})", "-="),  # z - one_hot
}
_HANDS_ON |= {
    "positive", "relu", "sigmoid", "softplus", "log_sigmoid", "product", "quotient",
    "where", "pick", *_ONE_HOT, "row_dot", "erf", "erfc", "ndtr", "gaussian",
    *ROW_REDUCTIONS,
}  # fmt: skip
_WITH_BUFFER = {"softplus", "log_sigmoid", "where"}
_ELSEWHERE = {"integer_power", "one_hot", "where"}  # write their result before they have read all


def supported(name: str) -> bool:
    """Whether a kernel can hold the elementwise operation of this name."""
    return name in UFUNCS or name in _LINES or name in _FAST or name == "where"


# ---- what is to be computed: values, each with the run of columns around those of the block


Place = tuple[Value, int]  # a value, that many columns further on


@dataclass(eq=False)
class Item:
    """One value over the columns low..high of a block, counted from its ends."""

    value: Value
    low: int = 0
    high: int = 0
    args: list[Any] = field(default_factory=list)  # a number, or (value, offset); None is 0
    name: str = ""  # of the array that holds it


class Layout:
    """The items of a segment (of a kernel over rows: of all of it), in order."""

    def __init__(self, kernel: Kernel, low: int, high: int) -> None:
        self.width = high - low
        self.segment = low, high
        self.items: list[Item] = []
        self.of: dict[int, list[tuple[Item, set[int]]]] = {}
        self.status: dict[tuple[int, int], Any] = {}
        self.form: dict[tuple[int, int], int] = {}
        self.forms: dict[Any, int] = {}
        roots = [
            v
            for v in (
                *(v for v in kernel.outputs if v.op not in END_REDUCTIONS),
                *(v.values[0] for v in kernel.ends),
            )
            if kernel.by_rows or v.kind != "M" or v.length >= high
        ]
        self.roots = {id(v) for v in roots}
        # all that may be needed, then what each is, then what is needed after zeros are left out
        need = self._needed(kernel, roots, self._parts)
        for v in kernel.values:
            for offset in sorted(need.get(id(v), ())):
                self._settle(v, offset)
        need = self._needed(kernel, roots, self._arguments)
        for v in kernel.values:
            if v.op != "number" and id(v) in need:
                self._group(v, need[id(v)])

    def _needed(
        self, kernel: Kernel, roots: list[Value], parts: Callable[[Value, int], Iterator[Place]]
    ) -> dict[int, set[int]]:
        need: dict[int, set[int]] = {}
        for v in roots:
            need.setdefault(id(v), set()).add(0)
        for v in reversed(kernel.values):
            for offset in tuple(need.get(id(v), ())):
                for part, at in parts(v, offset):
                    need.setdefault(id(part), set()).add(at if part.kind == "M" else 0)
        return need

    def _parts(self, v: Value, offset: int) -> Iterator[Place]:
        if v.op == "place":
            if self._inside(v, offset):
                yield v.values[0], offset - v.params["start"]
            return
        shift = offset + v.params.get("start", 0) if v.op == "slice" else offset
        for a in v.values:
            yield a, shift

    def _inside(self, v: Value, offset: int) -> bool:
        low, high = self.segment
        start = v.params["start"] - offset
        return bool(start <= low and high <= start + v.values[0].length)

    def _arguments(self, v: Value, offset: int) -> Iterator[Place]:
        status = self.status[id(v), offset]
        if isinstance(status, list):
            yield from (a for a in status if isinstance(a, tuple))
        elif status is not None:
            yield status

    def _settle(self, v: Value, offset: int) -> None:
        """Its status: None (it is 0), a place (it is the same as that), or its arguments."""
        args = []
        for part, at in self._parts(v, offset):
            if part.op == "number":
                args.append(part.args[0])
            else:
                args.append(self.resolved(part, at))
        status: Any = args
        if v.op in ("slice", "place"):
            status = args[0] if args else None
        elif None in args and v.op == "add":
            status = next((a for a in args if a is not None), None)
        elif None in args and v.op == "subtract" and args[1] is None:
            status = args[0]
        elif None in args and (
            v.op in ("negative", "positive", "product") or (v.op == "quotient" and args[0] is None)
        ):
            status = None
        if status is not None and not isinstance(status, list | tuple):
            status = args  # it is a number: an operation as any other
        self.status[id(v), offset] = status
        form: list[Any] = [id(v)]
        for a in status if isinstance(status, list) else ():
            if isinstance(a, tuple):
                part, at = a
                form.append(
                    (id(part), at - offset if part.kind == "M" else 0, self.form[id(part), at])
                )
            else:
                form.append(repr(a))
        self.form[id(v), offset] = self.forms.setdefault(tuple(form), len(self.forms))

    def resolved(self, v: Value, offset: int) -> Place | None:
        """The place where a value is computed; None if it is 0."""
        offset = offset if v.kind == "M" else 0
        status = self.status[id(v), offset]
        return (v, offset) if isinstance(status, list) else status

    def _group(self, v: Value, offsets: set[int]) -> None:
        """Items for the offsets: one for those that are near and are computed alike."""
        groups: list[list[int]] = []
        last: dict[int, list[int]] = {}
        for offset in sorted(offsets):
            if not isinstance(self.status[id(v), offset], list):
                continue
            form = self.form[id(v), offset]
            group = last.get(form)
            if group is None or offset - group[-1] > min(self.width, _FAR):
                group = last[form] = []
                groups.append(group)
            group.append(offset)
        for group in groups:
            item = Item(v, group[0], group[-1])
            for a in self.status[id(v), group[0]]:
                if isinstance(a, tuple) and a[0].kind == "M":
                    a = a[0], a[1] - group[0]
                item.args.append(a)
            self.items.append(item)
            self.of.setdefault(id(v), []).append((item, set(group)))

    def holder(self, v: Value, offset: int) -> Item:
        """The item that holds a value at an offset."""
        return next(i for i, offsets in self.of[id(v)] if v.kind != "M" or offset in offsets)


# ---- the function of a block


class Block:
    """The source of a function that computes a block, and the buffers that it needs."""

    def __init__(self, kernel: Kernel, layout: Layout, name: str, careful: bool) -> None:
        self.kernel, self.layout, self.careful = kernel, layout, careful
        self.flat = not kernel.by_rows
        self.lines: list[str] = []
        self.views: dict[tuple[Any, ...], str] = {}  # (kind, dtype, number, low, high): its name
        self.count: dict[tuple[str, str], int] = {}
        self.free: dict[tuple[str, str], list[int]] = {}
        self.taken: dict[int, tuple[str, str, int]] = {}  # buffers, by item
        self.loads: dict[tuple[Any, ...], str] = {}
        self.dirty: dict[int, bool] = {}  # by item: a NaN in it may be wrong
        self.ends: dict[int, str] = {}  # names of the parts of sums
        self.outputs: dict[int, list[int]] = {}
        stored = [v for v in kernel.outputs if v.op not in END_REDUCTIONS]
        for k, v in enumerate(stored):
            self.outputs.setdefault(id(v), []).append(k)
        self.uses: dict[int, int] = {}
        for item in layout.items:
            for part, at in (a for a in item.args if isinstance(a, tuple)):
                holder = layout.holder(part, at + (item.low if part.kind == "M" else 0))
                self.uses[id(holder)] = self.uses.get(id(holder), 0) + 1
        self.sinks: dict[int, list[tuple[str, int, int]]] = {}  # (what, which, offset), by item
        for k, v in enumerate(stored):
            self._sink("output", k, v)
        for k, v in enumerate(kernel.ends):
            self._sink("end", k, v.values[0])
        for item in layout.items:
            self._item(item)
        results = "".join(f"{self.ends.get(k, '0.0')}, " for k in range(len(kernel.ends)))
        head = [f"def {name}(a, b, inputs, outputs, views):"]
        for what, count in (("inputs", len(kernel.inputs)), ("outputs", len(stored))):
            names = "".join(f"{what[:-1]}{k}, " for k in range(count))
            head += [f"    {names.rstrip()} = {what}"] if count else []
        if self.views:
            head.append(f"    {', '.join(self.views.values())}, = views")
        body = [*self.lines, f"return ({results})"]
        self.source = "\n".join([*head, *(f"    {x}" for x in body)])

    # ---- arrays

    def _span(self, low: int, high: int) -> str:
        return f"[a{low:+d}:b{high:+d}]".replace("+0", "")

    def _load(self, v: Value, low: int, high: int) -> str:
        key = id(v), low, high
        if key not in self.loads:
            k = v.args[0]
            if v.kind in "sc":
                self.loads[key] = f"input{k}"
            else:
                name = self.loads[key] = f"x{len(self.loads)}"
                self.lines.append(f"{name} = input{k}{self._span(low, high)}")
        return self.loads[key]

    def _view(self, buffer: tuple[str, str, int], low: int, high: int) -> str:
        key = (*buffer, low, high)
        return self.views.setdefault(key, f"v{len(self.views)}")

    def _acquire(self, kind: str, dtype: str) -> tuple[str, str, int]:
        free = self.free.setdefault((kind, dtype), [])
        if free:
            return kind, dtype, free.pop()
        k = self.count[kind, dtype] = self.count.get((kind, dtype), 0) + 1
        return kind, dtype, k - 1

    def _release(self, item: Item) -> None:
        buffer = self.taken.pop(id(item), None)
        if buffer is not None:
            self.free[buffer[:2]].append(buffer[2])

    def _shown(self, a: Any, item: Item) -> str:
        """An argument of an item, as code."""
        if a is None:
            return "0.0"
        if not isinstance(a, tuple):
            return _number(a)
        part, at = a
        low, high = (item.low + at, item.high + at) if part.kind == "M" else (0, 0)
        return self._at(part, low, high)

    def _at(self, v: Value, low: int, high: int) -> str:
        holder = self.layout.holder(v, low)
        if v.op == "input":
            return self._load(v, low, high)
        if id(holder) in self.taken:
            return self._view(self.taken[id(holder)], low - holder.low, high - holder.low)
        return holder.name

    # ---- operations

    def _item(self, item: Item) -> None:
        v = item.value
        if v.op == "input":
            return self._finish(item)
        holders = []
        for part, at in (a for a in item.args if isinstance(a, tuple)):
            holder = self.layout.holder(part, at + (item.low if part.kind == "M" else 0))
            if holder not in holders:
                holders.append(holder)
        hands_on = v.op in _HANDS_ON or (v.op == "integer_power" and v.params["n"] > 0)
        dirty = [h for h in holders if self.dirty.get(id(h))]
        if not hands_on:
            for h in dirty:
                self._check(self._at(h.value, h.low, h.high))
                self.dirty[id(h)] = False
        made_here = v.params.get("of", v.op) in _FAST and not self.careful
        self.dirty[id(item)] = made_here or (hands_on and bool(dirty))
        args = [self._shown(a, item) for a in item.args]
        self._operation(item, holders, args)
        for holder in holders:
            self.uses[id(holder)] -= sum(
                isinstance(a, tuple)
                and self.layout.holder(a[0], a[1] + (item.low if a[0].kind == "M" else 0)) is holder
                for a in item.args
            )
            if self.uses[id(holder)] == 0:
                self._release(holder)
        self._finish(item)
        if not self.uses.get(id(item)):
            self._release(item)

    def _operation(self, item: Item, holders: list[Item], args: list[str]) -> None:
        v = item.value
        direct = id(v) in self.outputs and item.low == item.high == 0
        early = None
        if direct:
            k = self.outputs[id(v)][0]
            item.name = out = f"y{k}"
            self.lines.append(f"{out} = output{k}{'' if v.kind in 'sc' else self._span(0, 0)}")
        else:
            early = self._in_place(item, holders)
            self.taken[id(item)] = early or self._acquire(v.kind, v.dtype)
            out = self._view(self.taken[id(item)], 0, item.high - item.low)
        given = dict(zip("xyz", args), o=out)
        if v.op in _WITH_BUFFER:
            spare = self._acquire(v.kind, v.dtype)
            given["t"] = self._view(spare, 0, item.high - item.low)
            self.free[spare[:2]].append(spare[2])
        self.lines += [text.format(**given) for text in self._texts(v)]

    def _in_place(self, item: Item, holders: list[Item]) -> tuple[str, str, int] | None:
        """The buffer of an argument that is not needed after this."""
        v = item.value
        if v.op in _ELSEWHERE or v.op in (*ROW_REDUCTIONS, "row_dot", "pick"):
            return None
        for h in holders:
            same = (h.value.kind, h.value.dtype) == (v.kind, v.dtype)
            at = [a[1] for a in item.args if isinstance(a, tuple) and a[0] is h.value]
            aligned = h.high - h.low == item.high - item.low
            if v.kind == "M":
                aligned &= all(item.low + k == h.low for k in at)
            uses = sum(1 for a in item.args if isinstance(a, tuple) and a[0] is h.value)
            if same and aligned and id(h) in self.taken and self.uses[id(h)] == uses:
                return self.taken.pop(id(h))
        return None

    def _texts(self, v: Value) -> list[str]:
        if v.op in (*ROW_REDUCTIONS, "row_dot"):
            return [f"{v.op}({{x}}, {'{y}, ' if v.op == 'row_dot' else ''}{{o}})"]
        if v.op == "pick":
            return ["{o}[:, 0] = {x}[arange(b - a), {y}[:, 0]]"]
        if v.op in _ONE_HOT:
            first, how = _ONE_HOT[v.op]
            right = "{x}[:, 0]" if v.values[0].op != "number" else "{x}"
            return [first, f"{{o}}[arange(b - a), {{y}}[:, 0]] {how} {right}"]
        if v.op == "where":
            return [
                f"{'where_true' if v.dtype == 'b' else 'choose'}({{x}}, {{y}}, {{z}}, {{o}}, {{t}})"
            ]
        if v.op == "integer_power":
            return _power_lines(v.params["n"])
        if v.op in _FAST:
            return (_CAREFUL if self.careful else _FAST)[v.op]
        if v.op in _LINES:
            return _LINES[v.op]
        if v.op not in UFUNCS:
            raise NotImplementedError(f"the NumPy backend has no {v.op}")
        given = ", ".join(f"{{{n}}}" for n, _ in zip("xyz", v.args))
        return [f"{v.op}({given}, {'out=' if v.op in ('maximum', 'minimum') else ''}{{o}})"]

    def _check(self, x: str) -> None:
        """Where there is a NaN, the block is left to its careful twin."""
        self.lines.append(f"h = maximum_reduce({x}, None)")
        self.lines.append("if h != h: return None")

    # ---- results

    def _sink(self, what: str, k: int, v: Value) -> None:
        if id(v) not in self.layout.roots:
            return
        place = self.layout.resolved(v, 0)
        if place is not None:
            holder = self.layout.holder(*place)
            self.sinks.setdefault(id(holder), []).append((what, k, place[1]))
        elif what == "output":
            self.lines.append(f"output{k}{self._span(0, 0)} = 0")

    def _finish(self, item: Item) -> None:
        """What becomes of a value as soon as it is there: outputs elsewhere, parts of sums."""
        for what, k, offset in self.sinks.get(id(item), ()):
            x = found = self._at(item.value, offset, offset)
            if what == "end":
                total = self.kernel.ends[k].op == "total"
                self.ends[k] = f"s{k}"
                self.lines.append(f"s{k} = {'add_reduce' if total else 'column_sum'}({x}, None)")
                found = f"s{k}" if total else f"maximum_reduce(s{k}, None)"
            elif item.name != f"y{k}":
                span = "" if item.value.kind in "sc" else self._span(0, 0)
                self.lines.append(f"output{k}{span} = {x}")
            if self.dirty.get(id(item)):
                if what == "output":
                    self._check(x)
                    self.dirty[id(item)] = False
                else:
                    self.lines += [f"h = {found}", "if h != h: return None"]


def _number(x: Any) -> str:
    """A number as code, also one that is not finite."""
    x = x.item() if hasattr(x, "item") else x
    return f"float('{x}')" if isinstance(x, float) and not abs(x) < np.inf else repr(x)


def _power_lines(n: int) -> list[str]:
    """x**n by squares, from the highest bit of n down."""
    bits = bin(abs(n))[3:]
    lines = [] if bits else ["copyto({o}, {x})"]
    now = "{x}"
    for bit in bits:
        lines.append(f"multiply({now}, {now}, {{o}})")
        now = "{o}"
        if bit == "1":
            lines.append("multiply({o}, {x}, {o})")
    if n == 0:
        lines = ["{o}.fill(1)"]
    return [*lines, "reciprocal({o}, {o})"] if n < 0 else lines


def rewritten(kernel: Kernel, careful: bool) -> Kernel:
    """A kernel over rows in fewer operations: NumPy broadcasts by itself, and has a dot product."""
    users: dict[int, list[str]] = {}
    for v in kernel.values:
        for a in v.values:
            users.setdefault(id(a), []).append(v.op)
    for v in kernel.outputs:
        users.setdefault(id(v), []).append("output")
    whole = {*ROW_REDUCTIONS, *END_REDUCTIONS, "pick", "output"}  # those that do not broadcast
    products = {"multiply", "square"} if careful else {"multiply", "square", "product"}
    made: dict[int, Value] = {}
    values = []

    def picked(x: Value, column: Value, within: bool = False) -> Value:
        """x in a column of each row: what is computed for that alone, is computed there alone."""
        if made[id(x)].kind != "M":
            return made[id(x)]
        plain = x.op in UFUNCS or x.op in _LINES or x.op in _FAST
        alone = users[id(x)] == ["pick"] and all(a.kind in "Mrs" for a in x.values)
        if plain and alone and not within:
            args = [picked(a, column, True) if isinstance(a, Value) else a for a in x.args]
            w = replace(x, args=tuple(args), kind="r")
        else:
            w = Value("pick", (made[id(x)], made[id(column)]), "r", x.dtype)
        values.append(w)
        return w

    for v in kernel.values:
        args = tuple(made[id(a)] if isinstance(a, Value) else a for a in v.args)
        w = v
        if v.op == "positive" and v.kind == "M" and v.values[0].kind == "r":
            if not whole & set(users.get(id(v), ())):
                made[id(v)] = args[0]
                continue
        elif v.op == "row_sum" and users[id(v.values[0])] == ["row_sum"]:
            (x,) = v.values
            kinds = [a.kind for a in x.values]
            if x.op in products and len(kinds) == len(x.args) and kinds in (["M"], ["M"] * 2):
                args = tuple(made[id(a)] for a in x.values) * (2 if x.op == "square" else 1)
                w = replace(v, op="row_dot", params={"of": x.op})
        elif v.op in ("add", "subtract"):
            for k, x in enumerate(v.args):
                alone = isinstance(x, Value) and x.op == "one_hot" and users[id(x)] == [v.op]
                if alone and isinstance(v.args[1 - k], Value):
                    name = "one_hot_" + ("add" if v.op == "add" else ("subtract", "from")[k])
                    w = replace(v, op=name)
                    args = (*(made[id(a)] for a in x.values), args[1 - k])
                    break
        elif v.op == "pick":
            made[id(v)] = picked(v.values[0], v.values[1])
            continue
        made[id(v)] = w = replace(w, args=args)
        values.append(w)
    outputs = [made[id(v)] for v in kernel.outputs]
    return Kernel(kernel.name, kernel.float, kernel.inputs, values, outputs)
