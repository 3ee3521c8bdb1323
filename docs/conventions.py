"""Writes conventions.md, beside this file, from the table that tests/ops/test_conventions.py holds.

python docs/conventions.py
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # where `tests` is

from tests.ops.conventions import CONVENTIONS, REFUSED, Convention  # noqa: E402

PAGE = HERE / "conventions.md"
INTRODUCTION = """# Derivatives at singular points

At some points a function has no derivative, or several, or an infinite one. What gradarg gives
there is one of these:

- At a kink, and where arguments are tied, the mean of what the sides would give.
- At the edge of a domain, the slope of the side that is inside, infinite where it is.
- A derivative of 0 that comes in goes on as 0, though the slope it meets be infinite or NaN: a
  branch that `where` has not taken sends nothing back. 0 · ∞ never makes a NaN of a true value.
- At a knot of a table (`interp`, `quantile` by q), the slope of the piece that begins there.
- At a step, 0.
- Where the derivative is not determined, or infinite in no one direction, an error; in forward
  mode, which does not know what will be used, it may be NaN.

The vectors that a decomposition (`eigh`, `eig`, `svd`) gives for equal values may be any basis of
the space they span. Going backward, functions of the values alone, of the spaces alone, and of the
vectors of other values have their true derivative; a function that takes both the values and such
vectors, as `V f(w) V.T` does, needs more than first derivatives know, and raises. Going forward,
where a tangent mixes equal values, the tangents of their vectors are NaN; inside `vmap` and
`stage`, what would be refused is NaN. A function of the phase of complex vectors raises.

A function of the values alone, in which equal ones count alike, has a first derivative there, and
where it is smooth a second one; that is given along directions that do not mix equal values, and
else refused. For a block T of a direction among equal values it is f'' T, in any basis of their
space; but what first derivatives pass on is how each value changes, the diagonal of T in the basis
at hand. For T = ((0, 1), (1, 0)) that is 0: f'' is never asked for, so no rule of `eigvalsh` could
know it. In forward mode over forward mode a derivative of 0 would hide a NaN, so that it raises
inside `vmap` and `stage` too, when it runs. Functions of a matrix that need no vectors (`inv`,
`solve`, `matrix_power`, `det`, `slogdet`, `norm`) have all their derivatives.

Each row is a test (`tests/ops/test_conventions.py`), in both modes, staged and mapped, and of the
second order where a second derivative is given. For an array, the derivative is that of the sum of
the results. Of two arguments both are given, `x, y`.

"""
HEAD = """| function | at | value | derivative | second derivative | because |
|---|---|---|---|---|---|
"""


def number(x: Any) -> str:
    if isinstance(x, complex):
        return "0" if x == 0 else str(x).strip("()")
    if np.isnan(x):
        return "NaN"
    if np.isinf(x):
        return "∞" if x > 0 else "−∞"
    known = {np.pi: "π", np.pi / 2: "π/2", np.pi**2 / 3: "π²/3", 1 / 3: "1/3", 2 / 3: "2/3"}
    for value, name in known.items():
        if np.isclose(abs(x), value, rtol=1e-12):
            return name if x > 0 else "−" + name
    return f"{x:g}".replace("-", "−").replace("e+0", "e")


def shown(x: Any) -> str:
    """Numbers, arrays, and tuples of them."""
    if x is None:
        return ""
    if x is REFUSED:
        return "an error"
    if isinstance(x, tuple):
        if all(np.all(np.equal(y, 0)) for y in x):
            return "0"
        return ", ".join(map(shown, x))
    x = np.asarray(x)
    if x.ndim == 0:
        return number(x.item())
    if x.size > 1 and not np.any(x):
        return "0"
    if x.ndim > 2:
        return "the exchange of rows"
    return "(" + ", ".join(map(shown, x)) + ")"


def point(row: Convention) -> str:
    return ", ".join(
        "(" + ", ".join(map(number, x)) + ")" if np.ndim(x) == 1 else shown(x) for x in row.at
    )


def line(row: Convention) -> str:
    value = "0" if np.ndim(row.value) and not np.any(row.value) else shown(row.value)
    cells = [point(row), value, shown(row.first), shown(row.second), row.why]
    return f"| `{row.name}` | {' | '.join(cells)} |"


def page() -> str:
    return INTRODUCTION + HEAD + "\n".join(map(line, CONVENTIONS)) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
