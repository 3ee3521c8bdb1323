"""Groups that become nests: what lines up with no rows and columns.

A view (a slice, a transpose, a broadcast, a part put among zeros, ...) is no operation of such a
group: it is an index map of what uses it, and is taken in with that alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._core.stage import Equation, Var
from .._ops import contract, structure
from .group import ELEMENTWISE, FLOATS, MOST_OPERANDS, REDUCES, Group
from .kernel import HEAVY, Refused, Value
from .nest import REDUCTIONS, Nest
from .passes import type_of

_LIGHT = 8  # a costly value is computed again for no more elements than this
_SHAPED = ("input", "number", "eye", "view", "place", "concatenate", "gather", *REDUCTIONS)
_LONG = 32  # operands of an equation, as of a concatenation


@dataclass(eq=False)
class General(Group):
    """A nest under way."""

    general = True

    def holds(self, shape: tuple[int, ...]) -> bool:
        return any(v.shape == shape for v in self.made.values())

    def read(self, x: Any, _shape: tuple[int, ...] | None = None, _kind: str = "") -> Value:
        """The value of an operand: made in this group, a number, or an input."""
        if isinstance(x, Var) and x in self.made:
            return self.made[x]
        known = id(x) in self.inputs
        type = type_of(x)
        if not known and 0 in type.shape:
            raise Refused("it has no elements")
        diagonal = None if known else _diagonal(x)
        if diagonal is not None and type.dtype == self.float:
            v = self.inputs[id(x)] = self.keep(Value("eye", (), "M", "f", diagonal))
        else:
            v = super().read(x, tuple(type.shape))
        v.shape = tuple(type.shape) if v.op != "number" else ()
        return v

    def place(self, _shape: tuple[int, ...]) -> tuple[str, int | None]:
        """Any shape has its place."""
        return "M", None

    def keep(self, v: Value) -> Value:
        if not v.shape and v.op not in _SHAPED:
            v.shape = np.broadcast_shapes(*(a.shape for a in v.values))
        return super().keep(v)

    def _value(self, equation: Equation) -> Value:
        out = equation.outs[0].type
        if out.dtype != self.float and out.dtype != np.bool_:
            raise Refused(f"its result is of {out.dtype}, the kernel of {self.float}")
        if 0 in out.shape:
            raise Refused("it has no elements")
        if equation.primitive is contract.matmul:
            raise Refused("a product of a matrix is of rows and columns alone")
        if equation.primitive in VIEWS:
            return self._view(equation)  # looked at with what uses it
        if id(equation.primitive) in REDUCES:
            v = self._reduction(equation)
        else:
            args = [self.read(x) for x in equation.inputs]
            v = self._operation(equation, args, "M")
            v.shape = tuple(out.shape)
            plain = all(a.op in ELEMENTWISE.values() or a.op == "input" for a in args)
            if plain and all(a.shape == v.shape for a in args):
                return v
            size = max(math.prod(w.shape) for w in self.values)
            for w in self.values:
                few = w.op in HEAVY and math.prod(w.shape) * _LIGHT < size
                if few and not _follows_reduction(w):
                    raise Refused(f"{w.op} would be computed again for many elements")
        self.nest([*(w for var, w in self.made.items() if var not in self.absorbed), v])
        return v

    def nest(self, outputs: list[Value]) -> Nest:
        """The loops for these outputs; Refused where there are none."""
        inputs = [v for v in self.inputs.values() if v.op == "input"]
        inputs.sort(key=lambda v: v.args[0])
        return Nest(
            f"k{self.number}",
            str(self.float),
            [(v.shape, v.dtype) for v in inputs],
            self.values,
            outputs,
        )

    def _reduction(self, equation: Equation) -> Value:
        how, axis = REDUCES[id(equation.primitive)], equation.params["axis"]
        v = self.read(equation.inputs[0])
        if not axis:
            raise Refused("a reduction over no axis")
        if v.dtype != "f" or equation.outs[0].type.dtype != self.float:
            raise Refused("a reduction of what is no float of the kernel")
        if v.op == "number":
            raise Refused("a reduction of a number")
        left = tuple(n for k, n in enumerate(v.shape) if k not in axis)
        r = self.keep(Value(how, (v,), "M", "f", {"axes": tuple(axis)}, shape=left))
        if equation.params.get("keepdims"):
            shape = tuple(equation.outs[0].type.shape)
            return self._mapped(r, _reshaped(left, shape), shape)
        return r

    def _guard(self, x: Value, kind: str, _length: int, limit: Any) -> None:
        size = self.keep(Value("absolute", (x,), kind, "f"))
        bound = self.keep(Value("number", (limit,), "s", "f"))
        self._count(self.keep(Value("greater", (size, bound), kind, "b")))

    def _count(self, beyond: Value) -> None:
        """Where there are any, NumPy does the group again."""
        count = self.keep(Value("as_float", (beyond,), "M", "f"))
        axes = tuple(range(len(count.shape)))
        self.keep(Value("sum", (count,), "M", "f", {"axes": axes, "guard": True}))

    # ---- views

    def _view(self, equation: Equation) -> Value:
        shape = tuple(equation.outs[0].type.shape)
        if equation.primitive is structure.gather:
            return self._gather(equation)
        args = [self.read(x) for x in equation.inputs]
        if any(a.op == "number" for a in args):
            raise Refused("a view of a number")
        if equation.primitive is structure.concatenate:
            if any(a.dtype != "f" for a in args):
                raise Refused("parts of truth values")
            v = Value("concatenate", tuple(args), "M", "f", {"axis": equation.params["axis"]})
            v.shape = shape
            return self.keep(v)
        (x,) = args
        how, found = described(equation)
        if how == "view":
            return self._mapped(x, found, shape)
        if x.dtype != "f":
            raise Refused("a part of truth values")
        return self.keep(Value("place", (x,), "M", "f", {"parts": found}, shape=shape))

    def _mapped(self, x: Value, found: Any, shape: tuple[int, ...]) -> Value:
        return self.keep(Value("view", (x,), "M", x.dtype, {"map": found}, shape=shape))

    def _gather(self, equation: Equation) -> Value:
        x, *indices = equation.inputs
        v = self.read(x)
        if v.op != "input":
            raise Refused("it picks from what is made here")
        args = []
        for i, n in zip(indices, type_of(x).shape):
            type = type_of(i)
            if type.dtype.kind not in "iu":
                raise Refused("it picks by truth values")
            at = self.inputs.get(id(i))
            if at is None:
                if len(self.sources) >= MOST_OPERANDS:
                    raise Refused("it would have too many operands")
                at = Value("input", (len(self.sources),), "M", "i", shape=tuple(type.shape))
                self.inputs[id(i)] = self.keep(at)
                self.sources.append(i)
            args.append(at)
            if not (isinstance(i, np.ndarray) and i.size and -n <= i.min() and i.max() < n):
                self._count(self.keep(Value("outside", (at,), "M", "b", {"n": n})))
        shape = tuple(equation.outs[0].type.shape)
        return self.keep(Value("gather", (v, *args), "M", v.dtype, shape=shape))

    def finish(self, needed: set[Var]) -> tuple[Any, list[Var]]:
        stored, again = self._stored(needed - self.absorbed)
        nest = self.nest([self.made[s] for s in stored])
        for v in nest.ends:
            v.op = "end_sum"
        return nest, [*stored, *again]


def _follows_reduction(v: Value) -> bool:
    left, seen = [v], set()
    while left:
        w = left.pop()
        if w.op in REDUCES.values():
            return True
        if id(w) not in seen:
            seen.add(id(w))
            left += w.values
    return False


def _diagonal(x: Any) -> dict[str, Any] | None:
    """Which diagonal of a constant is one number, in which rows, where all else is 0."""
    if not isinstance(x, np.ndarray) or x.ndim != 2 or min(x.shape) < 2 or x.dtype.kind != "f":
        return None
    rows, columns = np.nonzero(x)
    if not rows.size:
        return None
    low, high, k = int(rows[0]), int(rows[-1]) + 1, int(columns[0] - rows[0])
    one_run = np.array_equal(rows, np.arange(low, high)) and np.all(columns - rows == k)
    if not one_run or np.any(x[rows, columns] != x[low, low + k]):
        return None
    whole = low == max(0, -k) and high == min(len(x), x.shape[1] - k)
    return {"k": k, "number": float(x[low, low + k]), "rows": None if whole else (low, high)}


# ---- what a view is


def _getitem(index: tuple[Any, ...], shape: tuple[int, ...]) -> list[Any]:
    """For each axis, and each new one (None), what an index says of it: a range or a number."""
    given = sum(i is not None and i is not Ellipsis for i in index)
    found: list[Any] = []
    whole = [slice(None)] * (len(shape) - given)
    at = next((k for k, i in enumerate(index) if i is Ellipsis), len(index))
    axes = iter(shape)
    for i in (*index[:at], *whole, *index[at + 1 :]):
        if i is None:
            found.append(None)
            continue
        n = next(axes)
        if isinstance(i, slice):
            found.append(range(*i.indices(n)))
        elif isinstance(i, int | np.integer) and not isinstance(i, bool):
            found.append(int(i) % n)
        else:
            raise Refused("an index that is no slice")
    return found


def _reshaped(before: tuple[int, ...], after: tuple[int, ...]) -> Any:
    long = [k for k, n in enumerate(after) if n != 1]
    if [n for n in before if n != 1] != [after[k] for k in long]:
        raise Refused("a reshape that takes axes apart or joins them")
    left = iter(long)
    return tuple((None, 0, 0) if n == 1 else (next(left), 1, 0) for n in before)


def described(equation: Equation) -> tuple[str, Any]:
    """A view of one array: as an index map ("view"), or as a part among zeros ("place")."""
    before, after = type_of(equation.inputs[0]).shape, equation.outs[0].type.shape
    primitive, params = equation.primitive, equation.params
    if primitive is structure.transpose:
        return "view", tuple((params["axes"].index(k), 1, 0) for k in range(len(before)))
    if primitive is structure.reshape:
        return "view", _reshaped(tuple(before), tuple(after))
    if primitive is structure.broadcast_to:
        more = len(after) - len(before)
        return "view", tuple(
            (None, 0, 0) if n == 1 else (k + more, 1, 0) for k, n in enumerate(before)
        )
    if primitive is structure.pad:
        return "place", tuple(
            (lo, n, k, 1) for k, (n, (lo, _)) in enumerate(zip(before, params["widths"]))
        )
    if primitive is structure.getitem:
        found: list[Any] = []
        axis = 0
        for i in _getitem(params["index"], tuple(before)):
            if isinstance(i, range):
                found.append((axis, i.step, i.start))
            elif i is not None:
                found.append((None, 0, i))
            axis += not isinstance(i, int)
        return "view", tuple(found)
    parts: list[Any] = []
    axis = 0
    for i in _getitem(params["index"], tuple(after)):
        if isinstance(i, range):
            if abs(i.step) != 1 and len(i) > 1:
                raise Refused("a part with gaps")
            sign = -1 if i.step < 0 else 1
            parts.append((min(i[0], i[-1]) if i else 0, len(i), axis, sign))
        elif i is not None:
            parts.append((i, 1, None, 1))
        axis += not isinstance(i, int)
    return "place", tuple(parts)


VIEWS = (
    structure.transpose,
    structure.reshape,
    structure.broadcast_to,
    structure.pad,
    structure.getitem,
    structure.place,
    structure.concatenate,
    structure.gather,
)


def is_view(equation: Equation) -> bool:
    """Whether a nest can hold it as an index map."""
    if equation.primitive not in VIEWS or equation.outs[0].type.dtype not in (*FLOATS, np.bool_):
        return False
    if equation.primitive is structure.concatenate:
        return len(equation.inputs) <= _LONG
    if equation.primitive is structure.gather:
        return all(type_of(i).dtype.kind in "iu" for i in equation.inputs[1:])
    try:
        described(equation)
    except Refused:
        return False
    return True
