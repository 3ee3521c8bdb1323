"""Elementary functions as LLVM IR, for vectors of any width.

    definitions([("exp", "float"), ("tanh", "double")])

is IR with `define internal float @ga_exp_f32(float %x) alwaysinline` and so on, which the loop
vectoriser takes to vectors; ("exp", "<16 x float>") is a function of vectors. The functions are
straight-line: where a formula holds on a part of the line only, both sides are computed and one is
selected. They need a machine with fused multiply-add (x86 since AVX2, every 64-bit ARM), and give
the same bits on all of them.

Errors are below 2 units in the last place for float and 4 for double; infinities, NaN, signed zeros
and subnormal numbers are right, arguments and results. `LIMITS` names the functions that give NaN
beyond a bound, where the caller must compute otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

from . import circular, exponential, inverse, normal, powers
from .code import Code, Value, copysign, rint, sqrt

_TABLE: dict[str, Callable[..., Value]] = {
    "exp": exponential.exp,
    "exp2": exponential.exp2,
    "expm1": exponential.expm1,
    "sinh": exponential.sinh,
    "cosh": exponential.cosh,
    "tanh": exponential.tanh,
    "sigmoid": exponential.sigmoid,
    "softplus": exponential.softplus,
    "log_sigmoid": exponential.log_sigmoid,
    "log": exponential.log,
    "log2": exponential.log2,
    "log10": exponential.log10,
    "log1p": exponential.log1p,
    "sin": circular.sin,
    "cos": circular.cos,
    "tan": circular.tan,
    "arcsin": inverse.arcsin,
    "arccos": inverse.arccos,
    "arctan": inverse.arctan,
    "arctan2": inverse.arctan2,
    "arcsinh": inverse.arcsinh,
    "arccosh": inverse.arccosh,
    "arctanh": inverse.arctanh,
    "erf": normal.erf,
    "erfc": normal.erfc,
    "erfcx": normal.erfcx,
    "ndtr": normal.ndtr,
    "gaussian": normal.gaussian,
    "pow": powers.pow,
    "cbrt": powers.cbrt,
    "sqrt": sqrt,
    "rsqrt": powers.rsqrt,
    "rint": rint,
    "floor": lambda x: x.code.intrinsic("floor", x),
    "ceil": lambda x: x.code.intrinsic("ceil", x),
    "trunc": lambda x: x.code.intrinsic("trunc", x),
    "abs": abs,
    "copysign": copysign,
}

_TWO_ARGUMENTS = {"arctan2", "pow", "copysign"}

# The names, and how many arguments each takes.
FUNCTIONS: dict[str, int] = {name: 1 + (name in _TWO_ARGUMENTS) for name in _TABLE}

# |x| up to which a function is exact; NaN beyond.
LIMITS: dict[str, float] = dict.fromkeys(("sin", "cos", "tan"), circular.LIMIT)

_BITS = {"float": 32, "double": 64}


def symbol(name: str, type: str) -> str:
    """`@ga_exp_f32` for ("exp", "float"), `@ga_exp_v16f32` for ("exp", "<16 x float>")."""
    lanes, one = _lanes(type)
    return f"@ga_{name}_{f'v{lanes}' if lanes > 1 else ''}f{_BITS[one]}"


def _lanes(type: str) -> tuple[int, str]:
    """How many of which type a type is."""
    if not type.startswith("<"):
        return 1, type
    lanes, _, one = type[1:-1].split()
    return int(lanes), one


def definitions(names: Iterable[tuple[str, str]]) -> str:
    """IR that defines each asked (function, type) once, below the intrinsics that they call."""
    bodies: list[str] = []
    intrinsics: set[str] = set()
    for name, type in dict.fromkeys(names):
        body, called = _definition(name, type)
        bodies.append(body)
        intrinsics |= called
    return "\n".join([f"declare {i}" for i in sorted(intrinsics)] + bodies)


@cache
def _definition(name: str, type: str) -> tuple[str, frozenset[str]]:
    lanes, one = _lanes(type)
    code = Code(_BITS[one], lanes)
    arguments = [code.argument(a) for a in ("x", "y")[: FUNCTIONS[name]]]
    result = _TABLE[name](*arguments)
    listed = ", ".join(f"{type} {a.name}" for a in arguments)
    lines = [
        f"define internal {type} {symbol(name, type)}({listed}) alwaysinline {{",
        *code.lines,
        f"  ret {type} {result.name}",
        "}\n",
    ]
    return "\n".join(lines), frozenset(code.intrinsics)
