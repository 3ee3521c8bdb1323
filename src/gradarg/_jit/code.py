"""Lines of LLVM IR, and the elementwise operations as such lines.

What is computed are single numbers or vectors of `lanes` numbers, by the same lines.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from . import vector_math
from .kernel import Value

_COMPARE = {
    "less": "olt", "less_equal": "ole", "greater": "ogt", "greater_equal": "oge", "equal": "oeq",
    "not_equal": "une",
}  # fmt: skip
_PLAIN = {"add": "fadd", "subtract": "fsub", "multiply": "fmul", "divide": "fdiv"}
_LOGICAL = {"logical_and": "and", "logical_or": "or", "logical_xor": "xor"}
_INTRINSIC = {
    "sqrt": "sqrt", "absolute": "fabs", "fabs": "fabs", "floor": "floor", "ceil": "ceil",
    "trunc": "trunc", "rint": "roundeven",
}  # fmt: skip


class Code:
    """Lines of IR under way, and names for what they compute."""

    def __init__(self, float: str) -> None:
        self.type, self.bits = ("float", 32) if float == "float32" else ("double", 64)
        self.lines: list[str] = []
        self.count = 0
        self.lanes = 1  # of the vectors that are being computed with
        self.called: set[tuple[str, str]] = set()
        self.intrinsics: set[str] = set()

    def vector(self, type: str) -> str:
        return type if self.lanes == 1 else f"<{self.lanes} x {type}>"

    @property
    def real(self) -> str:
        """The type of what is computed: the float of the kernel, or a vector of it."""
        return self.vector(self.type)

    def name(self) -> str:
        self.count += 1
        return f"%t{self.count}"

    def let(self, right: str) -> str:
        name = self.name()
        self.lines.append(f"  {name} = {right}")
        return name

    def line(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def label(self, text: str) -> None:
        self.lines.append(f"{text}:")

    def number(self, x: Any) -> str:
        """A float as IR writes it: the bits of the double of equal value."""
        x = float(x)
        if self.type == "float" and x == x and abs(x) != float("inf"):
            x = _narrowed(x)
        return self.constant(f"0x{struct.unpack('>Q', struct.pack('>d', x))[0]:016X}", self.type)

    def constant(self, x: str, type: str) -> str:
        return x if self.lanes == 1 else f"splat ({type} {x})"

    def spread(self, x: str, type: str) -> str:
        """A number in each lane."""
        if self.lanes == 1:
            return x
        vector = self.vector(type)
        first = self.let(f"insertelement {vector} poison, {type} {x}, i64 0")
        zeros = f"<{self.lanes} x i32> zeroinitializer"
        return self.let(f"shufflevector {vector} {first}, {vector} poison, {zeros}")

    def intrinsic(self, name: str, *args: str) -> str:
        return self.call(f"llvm.{name}.{self.suffix}", self.real, *((self.real, a) for a in args))

    @property
    def suffix(self) -> str:
        return f"f{self.bits}" if self.lanes == 1 else f"v{self.lanes}f{self.bits}"

    def call(self, name: str, type: str, *args: tuple[str, str], flags: str = "") -> str:
        """A call of an intrinsic, its arguments by type and name."""
        self.intrinsics.add(f"declare {type} @{name}({', '.join(t for t, _ in args)})")
        text = f"call {flags}{type} @{name}({', '.join(f'{t} {a}' for t, a in args)})"
        if type == "void":
            self.line(text)
            return ""
        return self.let(text)

    def select(self, c: str, x: str, y: str, type: str | None = None) -> str:
        type = self.vector(type or self.type)
        return self.let(f"select {self.vector('i1')} {c}, {type} {x}, {type} {y}")

    def compare(self, how: str, x: str, y: str) -> str:
        return self.let(f"fcmp {how} {self.real} {x}, {y}")

    def op(self, how: str, x: str, y: str, flags: str = "contract") -> str:
        return self.let(f"{how} {flags} {self.real} {x}, {y}")


def _narrowed(x: float) -> float:
    try:
        return float(struct.unpack("f", struct.pack("f", x))[0])
    except OverflowError:
        return float("inf") if x > 0 else -float("inf")


# ---- the operations: each takes the code and the names of its arguments


def _product(code: Code, x: str, y: str) -> str:
    """x * y, but 0 where one is 0: two comparisons, and a multiplication under their mask."""
    zero = code.number(0)
    out = code.op("fmul", x, y)
    nonzero = code.compare("une", x, zero), code.compare("une", y, zero)
    both = code.let(f"and {code.vector('i1')} {nonzero[0]}, {nonzero[1]}")
    return code.select(both, out, zero)


def _quotient(code: Code, x: str, y: str) -> str:
    """x / y, but 0 where x is 0."""
    zero = code.number(0)
    return code.select(code.compare("une", x, zero), code.op("fdiv", x, y), zero)


def extreme(how: str) -> Callable[[Code, str, str], str]:
    """The larger (ogt) or smaller (olt); NaN if either is."""

    def emit(code: Code, x: str, y: str) -> str:
        out = code.select(code.compare(how, x, y), x, y)
        return code.select(code.compare("uno", x, x), x, out)

    return emit


def _sign(code: Code, x: str) -> str:
    one = code.intrinsic("copysign", code.number(1), x)
    return code.select(code.compare("one", x, code.number(0)), one, x)


def _integer_power(code: Code, x: str, n: int) -> str:
    if n < 0:
        return code.op("fdiv", code.number(1), _integer_power(code, x, -n))
    out, power = None, x
    while n:
        if n & 1:
            out = power if out is None else code.op("fmul", out, power)
        n >>= 1
        if n:
            power = code.op("fmul", power, power)
    return out or code.number(1)


INTEGERS_COMPARED = {
    "less": "slt", "less_equal": "sle", "greater": "sgt", "greater_equal": "sge", "equal": "eq",
    "not_equal": "ne",
}  # fmt: skip
SPECIAL: dict[str, Callable[..., str]] = {
    "positive": lambda code, x: x,
    "negative": lambda code, x: code.let(f"fneg {code.real} {x}"),
    "square": lambda code, x: code.op("fmul", x, x),
    "reciprocal": lambda code, x: code.op("fdiv", code.number(1), x),
    "product": _product,
    "quotient": _quotient,
    "maximum": extreme("ogt"),
    "minimum": extreme("olt"),
    "relu": lambda code, x: extreme("ogt")(code, x, code.number(0)),
    "sign": _sign,
    "isnan": lambda code, x: code.compare("uno", x, x),
    "isfinite": lambda code, x: code.compare("ord", code.op("fsub", x, x, ""), code.number(0)),
    "logical_not": lambda code, c: code.let(
        f"xor {code.vector('i1')} {c}, {code.constant('true', 'i1')}"
    ),
}


_CALLED = {"power": "pow", "float_power": "pow"}  # by its name in vector_math, where another


def supported(name: str) -> bool:
    """Whether a kernel can hold the elementwise operation of this name, beside `where`."""
    return (
        name in SPECIAL
        or name in _PLAIN
        or name in _COMPARE
        or name in _LOGICAL
        or name in _INTRINSIC
        or name == "outside"  # a column that is none; NumPy's own blocks raise by themselves
        or _CALLED.get(name, name) in vector_math.FUNCTIONS
    )


def operation(code: Code, v: Value, args: list[str]) -> str:
    """One operation on values that have been computed."""
    if v.op in _PLAIN:
        return code.op(_PLAIN[v.op], *args)
    if v.op in INTEGERS_COMPARED and v.values and v.values[0].dtype == "i":
        return code.let(f"icmp {INTEGERS_COMPARED[v.op]} i64 {args[0]}, {args[1]}")
    if v.op in _COMPARE:
        return code.compare(_COMPARE[v.op], *args)
    if v.op in _LOGICAL:
        return code.let(f"{_LOGICAL[v.op]} {code.vector('i1')} {args[0]}, {args[1]}")
    if v.op in _INTRINSIC:
        return code.intrinsic(_INTRINSIC[v.op], *args)
    if v.op == "where":
        type = {"b": "i1", "i": "i64"}.get(v.dtype, code.type)
        return code.select(args[0], args[1], args[2], type)
    if v.op == "integer_power":
        return _integer_power(code, args[0], v.params["n"])
    if v.op == "as_float":
        return code.let(f"uitofp {code.vector('i1')} {args[0]} to {code.real}")
    if v.op in SPECIAL:
        return SPECIAL[v.op](code, *args)
    name = _CALLED.get(v.op, v.op)
    code.called.add((name, code.real))
    given = ", ".join(f"{code.real} {a}" for a in args)
    return code.let(f"call {code.real} {vector_math.symbol(name, code.real)}({given})")


def with_zeros(code: Code, v: Value, args: list[str | None]) -> str | None:
    """One operation, some of whose arguments are known to be 0: then there is less to do."""
    if all(a is not None for a in args):
        return operation(code, v, [a for a in args if a is not None])
    if v.op == "add":
        return args[1] if args[0] is None else args[0]
    if v.op == "subtract":
        if args[0] is None:
            return None if args[1] is None else code.let(f"fneg {code.real} {args[1]}")
        return args[0]
    if v.op in ("negative", "positive", "product"):
        return None
    if v.op == "quotient" and args[0] is None:
        return None
    return operation(code, v, [code.number(0) if a is None else a for a in args])
