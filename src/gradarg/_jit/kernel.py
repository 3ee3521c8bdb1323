"""A kernel: one loop nest over rows and columns, as data, which prints as readable loops.

The index space is R rows of C columns; a value varies with both ("M"), with the row ("r"), the
column ("c") or neither ("s"). A row reduction (of an M, over its columns) can be used in the same
kernel: it parts the loop over the columns in two, a pass that computes it and one that uses it. A
reduction over the rows, or over everything, is there only when the kernel has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

ROW_REDUCTIONS = ("row_sum", "row_max", "row_min")
END_REDUCTIONS = ("column_sum", "total", "end_sum")
# what costs more to compute again than to load
HEAVY = {
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos",
    "tan", "tanh", "sinh", "cosh", "sigmoid", "softplus", "log_sigmoid",
    "erf", "erfc", "ndtr", "gaussian", "power", "divide", "quotient", "reciprocal", "sqrt",
}  # fmt: skip


class Refused(Exception):  # not an error: the reason why a fusion was broken
    """Why an operation cannot join a group."""


@dataclass(eq=False)
class Value:
    """One value of a kernel. Of an `op` "input", `args` is (its place,); of "number", (it,)."""

    op: str
    args: tuple[Any, ...]
    kind: str  # "M", "r", "c" or "s"
    dtype: str  # "f" (the float of the kernel) or "b" (a truth value)
    params: dict[str, Any] = field(default_factory=dict)
    length: int = 0  # in a kernel of one row: how many elements it has
    level: int = 0  # the pass over the columns in which it can be had
    shape: tuple[int, ...] = ()  # in a nest

    @property
    def values(self) -> tuple[Value, ...]:
        return tuple(a for a in self.args if isinstance(a, Value))


@dataclass(eq=False)
class Kernel:
    """Inputs by kind and dtype ("f" or "b"), values in order, and those that are stored."""

    name: str
    float: str  # "float32" or "float64"
    inputs: list[tuple[str, str]]
    values: list[Value]
    outputs: list[Value]

    @property
    def passes(self) -> int:
        return 1 + max((v.level for v in self.values), default=0)

    @property
    def by_rows(self) -> bool:
        """Whether the threads share out the rows; else, of a single row, the columns."""
        return any(v.kind in ("r", "c") or v.op in ("column_sum",) for v in self.values)

    @property
    def extent(self) -> int:
        """The columns of a kernel of one row: the most that a value has."""
        return max((v.length for v in self.values), default=0)

    def breaks(self) -> list[int]:
        """Where, in a kernel of one row, a part of a value begins or ends."""
        points = {0, self.extent}

        roots = [*self.outputs, *(w.values[0] for w in self.ends)]
        points.update(v.length for v in roots)
        left = [(v, 0) for v in roots]  # a stack of its own: a kernel may be a long chain
        seen: set[tuple[int, int]] = set()
        while left:
            v, offset = left.pop()
            if (id(v), offset) in seen:
                continue
            seen.add((id(v), offset))
            if v.op == "slice":
                offset += v.params["start"]
            elif v.op == "place":
                start = v.params["start"] - offset
                points.update((start, start + v.values[0].length))
                offset = -start
            left += [(a, offset) for a in v.values]
        return sorted(b for b in points if 0 <= b <= self.extent)

    @property
    def ends(self) -> list[Value]:
        """The reductions that are there when the kernel has ended."""
        return [v for v in self.values if v.op in END_REDUCTIONS]

    def kept(self) -> list[Value]:
        """Costly values that several passes use, and that are therefore kept for a row."""
        uses: dict[int, set[int]] = {}

        reduced = [
            v.values[0] for v in self.values if v.op in ROW_REDUCTIONS or v.op == "column_sum"
        ]
        left = [(v, v.level) for v in (*reduced, *self.outputs)]
        while left:
            v, at = left.pop()
            if v.kind == "M" and at not in uses.setdefault(id(v), set()):
                uses[id(v)].add(at)
                left += [(a, at) for a in v.values]
        return [v for v in self.values if _is_heavy(v) and len(uses.get(id(v), ())) > 1]

    def __str__(self) -> str:
        names = {id(v): f"v{k}" for k, v in enumerate(self.values)}

        def shown(a: Any) -> str:
            if not isinstance(a, Value):
                return str(a)
            if a.op == "number":
                return repr(a.args[0])
            return names[id(a)]

        lines = [f"kernel {self.name} ({self.float}):"]
        indent = {"s": 1, "c": 2, "r": 2, "M": 3}
        for at in range(self.passes):
            if self.by_rows and at == 0:
                lines.append("    for row:")
            lines.append(f"        for column:{'' if self.passes == 1 else f'  # pass {at + 1}'}")
            for v in self.values:
                if v.op == "number" or v.level != at:
                    continue
                loads = {"M": "[row, column]", "r": "[row]", "c": "[column]", "s": ""}[v.kind]
                right = (
                    f"in{v.args[0]}{loads}"
                    if v.op == "input"
                    else f"{v.op}({', '.join(map(shown, v.args))})"
                )
                lines.append(f"{'    ' * indent[v.kind]}{names[id(v)]} = {right}")
        stores = ", ".join(f"out{k} = {shown(v)}" for k, v in enumerate(self.outputs))
        return "\n".join([*lines, f"    store {stores}"])


def _is_heavy(v: Value) -> bool:
    """A division by what is the same throughout the row is a multiplication."""
    return v.op in HEAVY and not (v.op in ("divide", "quotient") and v.values[1].kind in ("r", "s"))


def joined(kinds: Iterable[str]) -> str:
    """The kind of an operation on values of these kinds."""
    found = set(kinds)
    if "M" in found or {"r", "c"} <= found:
        return "M"
    return "r" if "r" in found else "c" if "c" in found else "s"


def levels(values: Sequence[Value]) -> None:
    """Set each value's level: one more than that of the row reductions it uses."""
    for v in values:
        v.level = max((a.level + (a.op in ROW_REDUCTIONS) for a in v.values), default=0)
