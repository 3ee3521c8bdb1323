"""A kernel under way: a group of operations, and what each becomes in it.

A group has an iteration shape, cut in two between rows and columns where an operand or a reduction
asks for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .._core.stage import Equation, Var
from .._ops import contract, elementwise, reduce, special, structure
from .kernel import END_REDUCTIONS, Kernel, Refused, Value, joined, levels
from .passes import _number, type_of
from .rows import distributed

ELEMENTWISE = {
    id(p): p.name
    for p in [
        *vars(elementwise).values(),
        *elementwise.CONSTANT.values(),
        special.erf,
        special.erfc,
        special.ndtr,
        special.gaussian,
    ]
    if hasattr(p, "spreads")
}
REDUCES = {id(structure.sum): "sum", id(reduce.max): "max", id(reduce.min): "min"}
FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
MOST_OPERANDS = 24
LEAST, LARGE, WIDE = 16, 1 << 14, 1 << 15  # rows, columns; elements of a matrix; columns to sum
MOST_OPERATIONS = 120  # LLVM takes more than its share of time for longer ones
Supported = Callable[[str], bool]
Limits = dict[str, float]


@dataclass(eq=False)
class Group:
    """A kernel under way."""

    number: int
    shape: tuple[int, ...]
    float: np.dtype[Any]
    supported: Supported  # the elementwise operations that a kernel can hold
    limits: Limits  # and the size of an argument beyond which some are not exact
    cut: int | None = None
    ragged: bool = False  # of one row, with values of several lengths
    equations: list[Equation] = field(default_factory=list)
    made: dict[Var, Value] = field(default_factory=dict)
    inputs: dict[Any, Value] = field(default_factory=dict)  # by id: constants do not hash
    sources: list[Any] = field(default_factory=list)  # what the inputs are
    values: list[Value] = field(default_factory=list)
    absorbed: set[Var] = field(default_factory=set)  # what is computed here for this group alone

    general = False

    def holds(self, shape: tuple[int, ...]) -> bool:
        """Whether an operation of this shape may belong here, whatever it reads."""
        return self.shape == shape

    # ---- what a value is, seen from the iteration shape

    def place(self, shape: tuple[int, ...]) -> tuple[str, int | None]:
        """(kind, the cut it needs) of an operand of this shape."""
        full, n = self.shape, len(self.shape)
        size = 1
        for d in shape:
            size *= d
        if size == 1:
            return "s", None
        padded = (1,) * (n - len(shape)) + shape
        if padded == full:
            return "M", None
        cuts = [self.cut] if self.cut is not None else range(1, n)
        for k in cuts:
            if padded == full[:k] + (1,) * (n - k):
                return "r", k
            if padded == (1,) * k + full[k:]:
                return "c", k
        raise Refused(f"an operand of shape {shape} does not line up with {full}")

    def read(self, x: Any, shape: tuple[int, ...] | None = None, kind: str = "") -> Value:
        """The value of an operand: made in this group, a number, or an input, of a kind if given.

        `shape` is that of the operation, where the group is of one row and of several lengths.
        """
        if isinstance(x, Var) and x in self.made:
            v = self.made[x]
            if v.op in END_REDUCTIONS:
                raise Refused("it uses a sum that is there only when the loops have ended")
            if v.params.get("turned") and not kind:
                raise Refused("it is a row of what goes down the rows")
            if v.dtype == "i":
                raise Refused("an operand is of integers")
            return v
        if isinstance(x, bool | int | float):
            return self.keep(Value("number", (x,), "s", "b" if isinstance(x, bool) else "f"))
        number = _number(x)
        if number is not None and not isinstance(number, complex):
            is_bool = isinstance(number, bool)
            return self.keep(Value("number", (number,), "s", "b" if is_bool else "f"))
        key = (kind, id(x)) if kind else id(x)  # of a square, a vector may be of both kinds
        type = type_of(x)
        if key in self.inputs and self.inputs[key].dtype != "i":
            return self.inputs[key]
        if type.dtype != self.float and type.dtype != np.bool_:
            raise Refused(f"an operand is of {type.dtype}, the kernel of {self.float}")
        if kind:
            cut = None
        elif shape is not None and shape == tuple(type.shape) != (1,) * len(shape):
            kind, cut = ("r" if self.is_of_rows(shape) else "M"), None
        else:
            kind, cut = self.place(tuple(type.shape))
        if cut is not None:
            self._cut_at(cut)
        if len(self.sources) >= MOST_OPERANDS:
            raise Refused("it would have too many operands")
        dtype = "b" if type.dtype == np.bool_ else "f"
        v = self.inputs[key] = self.keep(Value("input", (len(self.sources),), kind, dtype))
        v.length = type.size
        self.sources.append(x)
        return v

    def keep(self, v: Value) -> Value:
        self.values.append(v)
        return v

    # ---- joining

    def join(self, equation: Equation) -> None:
        """Take an operation in, or raise Refused and stay as before."""
        if len(self.equations) >= MOST_OPERATIONS:
            raise Refused("the kernel is long enough")
        before = (self.cut, self.ragged, len(self.sources), len(self.values), dict(self.inputs))
        try:
            v = self._value(equation)
        except Refused:
            self.cut, self.ragged, sources, values, self.inputs = before
            del self.sources[sources:], self.values[values:]
            raise
        self.made[equation.outs[0]] = v
        self.equations.append(equation)

    def join_all(self, equations: list[Equation], absorbed: int) -> None:
        """Take operations in, the first of them for this group alone, or stay as before."""
        before = len(self.equations), dict(self.made), set(self.absorbed), self.cut, self.ragged
        kept = len(self.sources), len(self.values), dict(self.inputs)
        try:
            for k, equation in enumerate(equations):
                if k < absorbed:
                    self.absorbed.add(equation.outs[0])
                self.join(equation)
        except Refused:
            count, self.made, self.absorbed, self.cut, self.ragged = before
            sources, values, self.inputs = kept
            del self.equations[count:], self.sources[sources:], self.values[values:]
            raise

    def _value(self, equation: Equation) -> Value:
        out = equation.outs[0].type
        if id(equation.primitive) in REDUCES:
            return self._reduction(equation)
        if equation.outs[0] in self.absorbed:
            return self._of_labels(equation)
        if equation.primitive in (structure.reshape, structure.broadcast_to):
            return self._alias(equation)
        if equation.primitive in _PARTS:
            return self._part(equation)
        if equation.primitive in _PICKS:
            return self._pick(equation)
        if equation.primitive is contract.matmul:
            return self._matmul(equation)
        if out.dtype != self.float and out.dtype != np.bool_:
            raise Refused(f"its result is of {out.dtype}, the kernel of {self.float}")
        shape = tuple(out.shape)
        args = [self.read(x, shape) for x in equation.inputs]
        kind = joined(a.kind for a in args)
        self._kind(equation, args, kind)
        v = self._operation(equation, args, kind)
        if out.size == {"s": 1, "r": math.prod(self.rows)}.get(kind, out.size):
            return v
        if shape != self.shape:  # a number beside a constant of many elements is as large
            self._ragged()
        return self.keep(Value("positive", (v,), "M", v.dtype, length=out.size))

    def _kind(self, equation: Equation, args: list[Value], kind: str) -> None:
        """Whether a kernel has a place for an operation on these."""
        out, shape = equation.outs[0].type, tuple(equation.outs[0].type.shape)
        if kind == "M" and shape != self.shape:
            self._ragged()
        if kind == "M" and any(a.kind == "M" and a.length != out.size for a in args):
            raise Refused(f"its operands do not all have the shape {out.shape}")
        if kind == "c":
            raise Refused("it is the same for every row")
        if kind == "s" and self.size > 1:
            raise Refused("it is a single number")

    def _operation(self, equation: Equation, args: list[Value], kind: str) -> Value:
        """An elementwise operation on values."""
        name, out = ELEMENTWISE[id(equation.primitive)], equation.outs[0].type
        params: dict[str, Any] = {}
        if equation.primitive is elementwise.power_number:
            n = equation.inputs[1]
            if n == 0.5:
                name, args = "sqrt", args[:1]
            elif float(n).is_integer() and abs(n) <= 64:
                name, args, params = "integer_power", args[:1], {"n": int(n)}
        if name == "power" and not self.supported("power"):
            raise Refused("there is no power in a kernel")
        if name == "where":
            dtype = "b" if out.dtype == np.bool_ else "f"
            args[1:] = [self._as(a, dtype) for a in args[1:]]
        if name not in ("where", "logical_and", "logical_or", "logical_xor", "logical_not"):
            args = [self._as(a, "f") for a in args]
        elif name != "where" and any(a.dtype != "b" for a in args):
            raise Refused("it takes numbers for truth values")
        elif name == "where" and args[0].dtype != "b":
            raise Refused("its condition is a number")
        dtype = "b" if out.dtype == np.bool_ else "f"
        v = self.keep(Value(name, tuple(args), kind, dtype, params, out.size))
        if name in self.limits:
            self._guard(args[0], kind, out.size, self.limits[name])
        return v

    def _guard(self, x: Value, kind: str, length: int, limit: Any) -> None:
        """Count the arguments beyond a limit: if there are any, NumPy does the group again."""
        if kind == "s":
            raise Refused("of a single number NumPy's is exact everywhere")
        size = self.keep(Value("absolute", (x,), kind, "f", length=length))
        bound = self.keep(Value("number", (limit,), "s", "f"))
        beyond = self.keep(Value("greater", (size, bound), kind, "b", length=length))
        count = self.keep(Value("as_float", (beyond,), kind, "f", length=length))
        self.keep(Value("total", (count,), "s", "f", {"guard": True}))

    def _bounded(self, at: Value, column: Any) -> None:
        """Count the columns that are none: if there are any, NumPy does it again, and raises."""
        n = self.shape[1]
        known = isinstance(column, np.ndarray) and column.size
        if not self.supported("outside") or (known and -n <= column.min() and column.max() < n):
            return
        beyond = self.keep(Value("outside", (at,), "r", "b", length=at.length))
        count = self.keep(Value("as_float", (beyond,), "r", "f", length=at.length))
        self.keep(Value("total", (count,), "s", "f", {"guard": True}))

    def _as(self, v: Value, dtype: str) -> Value:
        if v.dtype == dtype:
            return v
        if v.op == "number":
            return self.keep(Value("number", (float(v.args[0]),), "s", "f"))
        if dtype == "b":
            raise Refused("it takes a number for a truth value")
        return self.keep(Value("as_float", (v,), v.kind, "f", length=v.length))

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def _reduction(self, equation: Equation) -> Value:
        how, axis = REDUCES[id(equation.primitive)], equation.params["axis"]
        (x,) = equation.inputs
        if not axis:
            raise Refused("a reduction over no axis")
        v = self.read(x, tuple(type_of(x).shape))
        if v.dtype != "f" or equation.outs[0].type.dtype != self.float:
            raise Refused("a reduction of what is no float of the kernel")
        n = len(self.shape)
        if v.kind not in ("M", "r"):
            raise Refused("a reduction of something smaller than the kernel")
        if axis == tuple(range(type_of(x).ndim)):
            if how != "sum":
                raise Refused(f"the {how} of everything")
            if v.kind == "r":
                return self.keep(Value("total", (v,), "s", "f"))
            if tuple(type_of(x).shape) != self.shape:
                self._ragged()
            return self.keep(Value("total", (v,), "s", "f"))
        if v.kind != "M" or tuple(type_of(x).shape) != self.shape:
            raise Refused("a reduction of something smaller than the kernel")
        k = axis[0]
        if axis == tuple(range(k, n)) and k > 0:
            self._cut_at(k)
            if v.op == "one_hot" and how == "sum":
                return self.keep(Value("positive", v.args[:1], "r", "f"))
            return self.keep(Value(f"row_{how}", (v,), "r", "f"))
        if axis == tuple(range(len(axis))) and how == "sum":
            self._cut_at(len(axis))
            return self.keep(Value("column_sum", (v,), "c", "f"))
        raise Refused(f"a {how} over the axes {axis} of {n}")

    def _ragged(self) -> None:
        if self.cut is not None:
            raise Refused(f"it is of another shape than the kernel's {self.shape}")
        self.ragged = True

    def _part(self, equation: Equation) -> Value:
        """A slice along the first axis, or its opposite: the same elements, counted anew."""
        (x,), out = equation.inputs, equation.outs[0].type
        if out.dtype != self.float:
            raise Refused(f"its result is of {out.dtype}, the kernel of {self.float}")
        v = self.read(x, tuple(type_of(x).shape))
        if v.kind != "M":
            raise Refused("a part of something smaller than the kernel")
        self._ragged()
        if equation.primitive is structure.getitem:
            start = _start(equation.params["index"], tuple(type_of(x).shape))
            return self.keep(Value("slice", (v,), "M", "f", {"start": start}, out.size))
        start = _start(equation.params["index"], tuple(out.shape))
        return self.keep(Value("place", (v,), "M", "f", {"start": start}, out.size))

    def _of_labels(self, equation: Equation) -> Value:
        """An operation on an integer of each row, or a truth value of it."""
        if equation.primitive is structure.reshape:
            return self._label(equation.inputs[0])
        args = [self._label(i) for i in equation.inputs]
        name = _LABELS[equation.primitive.name]
        dtype = "i" if name == "where" else "b"
        takes = {"where": "bii"}.get(name, "bb" if name.startswith("logical") else "ii")
        if takes != "".join(a.dtype for a in args):
            raise Refused("it is no operation on integers alone")
        return self.keep(Value(name, tuple(args), "r", dtype, {}, equation.outs[0].type.size))

    def _label(self, x: Any) -> Value:
        if isinstance(x, Var) and x in self.made:
            if self.made[x].kind != "r":
                raise Refused("it goes by no rows")
            return self.made[x]
        number = _number(x)
        if number is not None:
            if int(number) != number or not -(2**63) <= number < 2**63:
                raise Refused("a number that no integer of 64 bits is")
            return self.keep(Value("number", (int(number),), "s", "i"))
        if len(self.shape) != 2 or type_of(x).size != self.shape[0] or type_of(x).dtype == bool:
            raise Refused("it goes by no rows")
        self._cut_at(1)
        if id(x) not in self.inputs:
            if len(self.sources) >= MOST_OPERANDS:
                raise Refused("it would have too many operands")
            at = Value("input", (len(self.sources),), "r", "i", length=type_of(x).size)
            self.inputs[id(x)] = self.keep(at)
            self.sources.append(x)
        return self.inputs[id(x)]

    def _pick(self, equation: Equation) -> Value:
        """One element of each row, by its column; or a row that is 0 but for one element."""
        x, _rows, column = equation.inputs
        if len(self.shape) != 2:
            raise Refused("it goes by columns, and the kernel has none")
        at = self._label(column)
        if not any(v.op == "outside" and v.args[0] is at for v in self.values):
            self._bounded(at, column)
        if equation.primitive is structure.gather:
            v = self.read(x, self.shape)
            if v.kind != "M":
                raise Refused("it picks from something smaller than the kernel")
            return self.keep(Value("pick", (v, at), "r", "f"))
        v = self.made[x] if isinstance(x, Var) and x in self.made else self.read(x, self.rows)
        if v.kind not in ("r", "s"):
            raise Refused("it spreads what is no number for each row")
        return self.keep(Value("one_hot", (v, at), "M", "f", length=equation.outs[0].type.size))

    def _matmul(self, equation: Equation) -> Value:
        """A matrix and a vector: sums along the rows; a vector and a matrix: down the columns."""
        x, y = equation.inputs
        down = type_of(x).shape[0] == 1
        matrix, vector = (y, x) if down else (x, y)
        self._cut_at(1)
        m = self.read(matrix, self.shape)
        v = self.read(vector, kind="r" if down else "c")
        if m.kind != "M" or v.kind not in ("s", "r" if down else "c"):
            raise Refused("a product of a matrix that is smaller than the kernel")
        product = self.keep(Value("multiply", (m, v), "M", "f", length=math.prod(self.shape)))
        if down:
            return self.keep(Value("column_sum", (product,), "c", "f"))
        return self.keep(Value("row_sum", (product,), "r", "f"))

    def _cut_at(self, k: int) -> None:
        if self.ragged:
            raise Refused("it parts rows from columns, and the kernel's values differ in length")
        if self.cut not in (None, k):
            raise Refused(f"it parts rows from columns at axis {k}, the kernel at {self.cut}")
        self.cut = k

    def _alias(self, equation: Equation) -> Value:
        """A reshape that gives a row's value its axes back, or a broadcast: no operation at all."""
        (x,) = equation.inputs
        if not (isinstance(x, Var) and x in self.made):
            raise Refused("nothing of it is made here")
        v = self.made[x]
        if v.op in END_REDUCTIONS:
            raise Refused("it uses a sum that is there only when the loops have ended")
        shape = tuple(equation.outs[0].type.shape)
        if v.params.get("turned"):
            if equation.primitive is structure.reshape and self.is_of_rows(shape):
                return v.values[0]
            raise Refused("it is a row of what goes down the rows")
        if v.kind == "M":
            if shape != self.shape:
                raise Refused("a reshape of the whole")
            return v
        if equation.primitive is structure.reshape:
            if v.kind == "r" and shape == (1, *self.rows):
                return self.keep(Value("positive", (v,), "r", v.dtype, {"turned": True}))
            if v.kind == "r" and not self.is_of_rows(shape):
                raise Refused("a reshape that takes rows apart")
            return v
        if shape == self.shape and v.kind == "r":
            return self.keep(Value("positive", (v,), "M", v.dtype, length=self.size))
        raise Refused("a broadcast to another shape")

    @property
    def rows(self) -> tuple[int, ...]:
        return self.shape[: self.cut] if self.cut is not None else ()

    def is_of_rows(self, shape: tuple[int, ...]) -> bool:
        """Whether it is that of one number for each row."""
        one = (1,) * (len(self.shape) - len(self.rows))
        return self.cut is not None and shape in (self.rows, self.rows + one)

    # ---- the result

    def finish(self, needed: set[Var]) -> tuple[Kernel, list[Var]]:
        """The kernel, and the variables that it stores, in the order of its outputs.

        After these come the variables that are one of them in another shape.
        """
        stored, again = self._stored(needed - self.absorbed)
        outputs = [self.made[s] for s in stored]
        self.values = distributed(self.values, outputs)
        levels(self.values)
        inputs = [(v.kind, v.dtype) for v in sorted(self.inputs.values(), key=lambda v: v.args[0])]
        kernel = Kernel(
            f"k{self.number}",
            str(self.float),
            inputs,
            self.values,
            outputs,
        )
        return kernel, [*stored, *again]

    def _stored(self, needed: set[Var]) -> tuple[list[Var], list[Var]]:
        stored: dict[int, Var] = {}
        again = []
        for var in (e.outs[0] for e in self.equations if e.outs[0] in needed):
            if stored.setdefault(id(self.made[var]), var) is not var:
                again.append(var)
        return list(stored.values()), again


_PARTS = (structure.getitem, structure.place)


def _start(index: tuple[Any, ...], shape: tuple[int, ...]) -> int:
    """Where, among all elements in order, the part of an array begins; Refused if it has gaps."""
    index = tuple(i for i in index if i is not Ellipsis) if index[-1:] == (Ellipsis,) else index
    if not index or any(i != slice(None) for i in index[1:]) or not isinstance(index[0], slice):
        raise Refused("a part that is not a run of elements")
    start, stop, step = index[0].indices(shape[0])
    if step != 1 or stop <= start:
        raise Refused("a part that is not a run of elements")
    inner = 1
    for n in shape[1:]:
        inner *= n
    return start * inner


def is_run(equation: Equation) -> bool:
    x, out = type_of(equation.inputs[0]), equation.outs[0].type
    whole = x if equation.primitive is structure.getitem else out
    try:
        _start(equation.params["index"], tuple(whole.shape))
    except Refused:
        return False
    return True


_PICKS = (structure.gather, structure.scatter_add)


def _is_pick(equation: Equation) -> bool:
    """Whether it takes x[0, i[0]], x[1, i[1]], ... of a matrix, or puts numbers there."""
    gathers = equation.primitive is structure.gather
    matrix = type_of(equation.inputs[0]) if gathers else equation.outs[0].type
    if matrix.ndim != 2 or len(equation.inputs) != 3:
        return False
    rows, column = equation.inputs[1:]
    return (
        isinstance(rows, np.ndarray)
        and rows.size == matrix.shape[0] == type_of(column).size
        and rows.shape == tuple(type_of(column).shape)
        and bool(np.array_equal(rows.ravel(), np.arange(rows.size)))
        and type_of(column).dtype.kind in "iu"
    )


def multiplies(equation: Equation) -> Any:
    """The matrix that the operation multiplies by a vector, if so, and if it is large."""
    if equation.primitive is not contract.matmul or equation.outs[0].type.ndim != 2:
        return None
    x, y = equation.inputs
    rows, columns = equation.outs[0].type.shape
    matrix = y if rows == 1 else x if columns == 1 else None
    if matrix is None or min(shape := type_of(matrix).shape) < LEAST or math.prod(shape) < LARGE:
        return None
    return None if rows == 1 and columns > WIDE else matrix


_LABELS = {
    **{k: k for k in ("where", "less", "less_equal", "greater", "greater_equal", "equal")},
    **{f"bitwise_{k}": f"logical_{k}" for k in ("and", "or", "xor")},
    "not_equal": "not_equal", "reshape": "reshape",
}  # fmt: skip


def is_of_labels(equation: Equation) -> bool:
    """Whether a kernel that uses an operation on integers may do it itself, for each row."""
    types = [equation.outs[0].type, *map(type_of, equation.inputs)]
    flat = all(t.size in (1, equation.outs[0].type.size) for t in types)
    whole = all(t.dtype == np.bool_ or np.can_cast(t.dtype, np.int64) for t in types)
    return equation.primitive.name in _LABELS and flat and whole


def can_fuse(equation: Equation, supported: Supported) -> bool:
    """Whether a kernel could hold the operation at all."""
    key, out = id(equation.primitive), equation.outs[0].type
    if key in REDUCES:
        return out.dtype in FLOATS
    if equation.primitive in (structure.reshape, structure.broadcast_to):
        return out.dtype in FLOATS
    if equation.primitive in _PICKS:
        return out.dtype in FLOATS and _is_pick(equation)
    if equation.primitive in _PARTS:
        return out.dtype in FLOATS and is_run(equation)
    if key not in ELEMENTWISE or (out.dtype not in FLOATS and out.dtype != np.bool_):
        return False
    name = equation.primitive.name
    return name in ("where", "power") or supported(name)
