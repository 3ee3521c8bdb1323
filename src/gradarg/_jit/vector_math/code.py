"""Straight-line LLVM IR, written as Python expressions.

    x = code.argument("x")
    y = select(x < 0, -x, fma(x, x, 1.0))

emits one line of IR for each operation and gives the name of its result. There are no branches and
no memory, so that the loop vectoriser can take any such code to vectors of any width. No operation
carries fast-math flags: compensated arithmetic stands as it is written.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

# float and double: bits, bits of the stored significand, bias of the exponent.
SIGNIFICAND = {32: 23, 64: 52}
BIAS = {32: 127, 64: 1023}
SMALLEST_NORMAL = {32: 2.0**-126, 64: 2.0**-1022}
INFINITY, NAN = float("inf"), float("nan")

_REAL = {32: "float", 64: "double"}
_BITS = {"float": 32, "double": 64, "i32": 32, "i64": 64}


@dataclass
class Code:
    """The lines of one function over `float` (32 bits) or `double` (64), or vectors of them."""

    bits: int
    lanes: int = 1
    lines: list[str] = field(default_factory=list)
    intrinsics: set[str] = field(default_factory=set)  # "float @llvm.fma.f32(float, float, float)"
    known: dict[str, Value] = field(default_factory=dict)

    @property
    def real(self) -> str:
        """The type that the function is about; of a vector, that of its elements."""
        return _REAL[self.bits]

    def vector(self, type: str) -> str:
        """As many of a type as the code works on at a time."""
        return type if self.lanes == 1 else f"<{self.lanes} x {type}>"

    def argument(self, name: str) -> Value:
        return Value(self, f"%{name}", self.real)

    def emit(self, type: str, text: str) -> Value:
        """The value of an instruction; the same one, where the same was asked before."""
        if text not in self.known:
            self.known[text] = Value(self, f"%v{len(self.lines)}", type)
            self.lines.append(f"  {self.known[text].name} = {text}")
        return self.known[text]

    def constant(self, number: float, type: str) -> Value:
        one = literal(number, type)
        return Value(self, one if self.lanes == 1 else f"splat ({type} {one})", type)

    def intrinsic(self, name: str, *arguments: Value) -> Value:
        """A call that every target turns into vector instructions; all types are the first's."""
        type, shown = arguments[0].type, arguments[0].shown
        lanes = "" if self.lanes == 1 else f"v{self.lanes}"
        function = f"{shown} @llvm.{name}.{lanes}f{_BITS[type]}"
        self.intrinsics.add(f"{function}({', '.join([shown] * len(arguments))})")
        listed = ", ".join(f"{shown} {a.name}" for a in arguments)
        return self.emit(type, f"call {function}({listed})")


def literal(number: float, type: str) -> str:
    """A number as LLVM reads it: floats by the bits of the double, rounded to the type first."""
    if type.startswith("i"):
        return str(int(number))
    if type == "float" and abs(number) < INFINITY:
        number = struct.unpack("f", struct.pack("f", number))[0]
    return f"0x{struct.unpack('Q', struct.pack('d', number))[0]:016X}"


@dataclass(frozen=True, eq=False)
class Value:
    """A result in the code: `float`, `double`, `i32`, `i64` or `i1`. Integers wrap around."""

    code: Code
    name: str
    type: str

    @property
    def bits(self) -> int:
        return _BITS[self.type]

    @property
    def shown(self) -> str:
        """The type in the text."""
        return self.code.vector(self.type)

    @property
    def pattern(self) -> Value:
        """The bits of a float, as an integer."""
        return self._cast("bitcast", f"i{self.bits}")

    @property
    def real(self) -> Value:
        """The float whose bits an integer has."""
        return self._cast("bitcast", _REAL[self.bits])

    @property
    def as_double(self) -> Value:
        return self._cast("fpext", "double")

    @property
    def as_float(self) -> Value:
        return self._cast("fptrunc", "float")

    @property
    def as_i32(self) -> Value:
        return self._cast("trunc", "i32")

    def __add__(self, other: Value | float) -> Value:
        return self._operate("add", other)

    def __radd__(self, other: float) -> Value:
        return self.lift(other) + self

    def __sub__(self, other: Value | float) -> Value:
        return self._operate("sub", other)

    def __rsub__(self, other: float) -> Value:
        return self.lift(other) - self

    def __mul__(self, other: Value | float) -> Value:
        return self._operate("mul", other)

    def __rmul__(self, other: float) -> Value:
        return self.lift(other) * self

    def __truediv__(self, other: Value | float) -> Value:
        return self._operate("div", other)

    def __rtruediv__(self, other: float) -> Value:
        return self.lift(other) / self

    def __neg__(self) -> Value:
        return self.code.emit(self.type, f"fneg {self.shown} {self.name}")

    def __abs__(self) -> Value:
        return self.code.intrinsic("fabs", self)

    def __and__(self, other: Value | int) -> Value:
        return self._bitwise("and", other)

    def __or__(self, other: Value | int) -> Value:
        return self._bitwise("or", other)

    def __xor__(self, other: Value | int) -> Value:
        return self._bitwise("xor", other)

    def __lshift__(self, by: int) -> Value:
        return self._bitwise("shl", by)

    def __rshift__(self, by: int) -> Value:
        """Zeros come in from the left."""
        return self._bitwise("lshr", by)

    def __lt__(self, other: Value | float) -> Value:
        return self._compare("olt", other)

    def __le__(self, other: Value | float) -> Value:
        return self._compare("ole", other)

    def __gt__(self, other: Value | float) -> Value:
        return self._compare("ogt", other)

    def __ge__(self, other: Value | float) -> Value:
        return self._compare("oge", other)

    def equals(self, other: Value | float) -> Value:
        if self.type.startswith("i"):
            text = f"icmp eq {self.shown} {self.name}, {self.lift(other).name}"
            return self.code.emit("i1", text)
        return self._compare("oeq", other)

    def differs(self, other: Value | float) -> Value:
        """True for NaN, which differs from itself too."""
        return self._compare("une", other)

    def lift(self, other: Value | float) -> Value:
        return other if isinstance(other, Value) else self.code.constant(other, self.type)

    def _operate(self, name: str, other: Value | float) -> Value:
        name = name if self.type.startswith("i") else f"f{name}"
        text = f"{name} {self.shown} {self.name}, {self.lift(other).name}"
        return self.code.emit(self.type, text)

    def _bitwise(self, name: str, other: Value | int) -> Value:
        text = f"{name} {self.shown} {self.name}, {self.lift(other).name}"
        return self.code.emit(self.type, text)

    def _compare(self, name: str, other: Value | float) -> Value:
        text = f"fcmp {name} {self.shown} {self.name}, {self.lift(other).name}"
        return self.code.emit("i1", text)

    def _cast(self, name: str, type: str) -> Value:
        return self.code.emit(type, f"{name} {self.shown} {self.name} to {self.code.vector(type)}")


# ---------------------------------------------------------------------------- more than operators


def fma(x: Value, y: Value | float, z: Value | float) -> Value:
    """x * y + z, rounded once."""
    return x.code.intrinsic("fma", x, x.lift(y), x.lift(z))


def select(condition: Value, x: Value | float, y: Value | float) -> Value:
    """`x` where the condition holds, `y` elsewhere; one of them is a Value."""
    like = x if isinstance(x, Value) else y
    assert isinstance(like, Value)
    x, y = like.lift(x), like.lift(y)
    text = f"select {condition.shown} {condition.name}, {x.shown} {x.name}, {y.shown} {y.name}"
    return like.code.emit(like.type, text)


def sqrt(x: Value) -> Value:
    return x.code.intrinsic("sqrt", x)


def rint(x: Value) -> Value:
    return x.code.intrinsic("rint", x)


def copysign(x: Value, sign: Value) -> Value:
    return x.code.intrinsic("copysign", x, sign)


def clip(x: Value, low: float, high: float) -> Value:
    """`x` between two bounds; NaN stays NaN. On x86 these are two instructions, min and max."""
    x = select(x < low, low, x)
    return select(x > high, high, x)


def lifted(x: Value) -> tuple[Value, Value, int]:
    """Subnormal numbers multiplied to normal ones, where that was, and by which power of 2."""
    by = SIGNIFICAND[x.bits] + 2
    small = x < SMALLEST_NORMAL[x.bits]
    return select(small, x * 2.0**by, x), small, by


def polynomial(z: Value, coefficients: Sequence[float]) -> Value:
    """sum c[k] z**k by Horner's rule: its latency hides behind the neighbours in the loop."""
    *rest, last = coefficients
    total = z.lift(last)
    for c in reversed(rest):
        total = fma(total, z, c)
    return total


def two_sum(x: Value | float, y: Value) -> tuple[Value, Value]:
    """x + y as the rounded sum and its error, exactly (Knuth)."""
    x = y.lift(x)
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


def fast_two_sum(x: Value | float, y: Value) -> tuple[Value, Value]:
    """The same where x is 0 or |x| >= |y| (Dekker)."""
    x = y.lift(x)
    total = x + y
    return total, (x - total) + y


def two_product(x: Value, y: Value | float) -> tuple[Value, Value]:
    """x * y as the rounded product and its error, exactly."""
    product = x * y
    return product, fma(x, y, -product)


def divide(x: Value, x_low: Value | float, y: Value, y_low: Value) -> Value:
    """(x + x_low) / (y + y_low), rounded once but for a few percent."""
    inverse = 1.0 / y
    q = x * inverse
    lacks = fma(-q, y_low, fma(-q, y, x) + x_low)
    return fma(lacks, inverse, q)


def sqrt_of_sum(x: Value, low: Value) -> tuple[Value, Value]:
    """sqrt(x + low) as a sum, for x >= 0; at 0 it is 0."""
    root = sqrt(x)
    slope = 0.5 / select(root.equals(0.0), 1.0, root)
    return root, (fma(-root, root, x) + low) * slope


def is_tiny(x: Value) -> Value:
    """|x| so small that x + x^2 is x: where f(x) = x + ... is x itself, -0 and subnormal too."""
    return abs(x) < 2.0 ** -(SIGNIFICAND[x.bits] + 2)
