"""What each public function can do, measured: writes coverage.md, beside this file.

python docs/coverage.py            all rows, written anew
python docs/coverage.py exp sort   the rows of some functions, printed

A cell is filled by running sample calls of `tests/ops/calls.py`. A wrong result has no mark: the
page is not written. `tests/test_coverage.py` measures every row again and compares.
"""

import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # where `tests` is

import gradarg as ga  # noqa: E402
from tests import numpy_names  # noqa: E402
from tests.ops.call import Call  # noqa: E402
from tests.ops.calls import CALLS  # noqa: E402

PAGE = HERE / "coverage.md"
COLUMNS = ("VJP", "JVP", "2nd order", "vmap", "stage", "float32", "complex")
YES, ZERO, NONE, REFUSED = "✓", "0", "·", "–"
SECTIONS = {
    "": "gradarg",
    "linalg": "gradarg.linalg",
    "fft": "gradarg.fft",
    "special": "gradarg.special",
}
SAMPLES = 3  # calls of each function
STEP, TINY = 1e-3, 1e-8
# of Hermitian matrices NumPy reads one triangle: differences must keep them so
HERMITIAN = {"linalg.cholesky", "linalg.eigh", "linalg.eigvalsh"}
# complex vectors have no phase of their own, so their sizes are compared
PHASES = {"linalg.eigh", "linalg.svd"}
BY_DESIGN = {"stop_gradient"}  # whose derivative is meant not to be the true one

INTRODUCTION = f"""# What each function can do

This page is measured: `make coverage` runs sample calls of every public function and fills each
cell from what came out, and a test measures each row again. A wrong result has no mark here; it
fails the test.

| mark | says |
|---|---|
| {YES} | measured right |
| {ZERO} | piecewise constant: measured to have the derivative 0 |
| {NONE} | nothing to measure: the result is of integers or truth values, or NumPy's function \
takes no complex numbers |
| {REFUSED} | refused with an error that says why |

| column | holds where |
|---|---|
| VJP, JVP | reverse and forward mode agree with central differences in random directions |
| 2nd order | so do the derivatives of both, each by both modes |
| vmap | the mapped function, and its mapped derivative, are what a loop gives |
| stage | so are the staged function and its staged derivative |
| float32 | float32 arguments give NumPy's dtype (float32 too where SciPy widens), and derivatives \
of float32 |
| complex | VJP and JVP at complex arguments agree with differences along both axes of the plane; \
of eigenvectors and singular vectors, whose phase is free, the moduli |
"""


# ---- one call as a function of its arrays


def is_array(x: Any, kinds: str) -> bool:
    return isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind in kinds


def parts(result: Any) -> list[Any]:
    """All arrays of a result."""
    flat = ga.tree.flatten(tuple(result) if isinstance(result, (tuple, list)) else result)[0]
    return [x for x in flat if hasattr(x, "dtype")]


def leaves(result: Any) -> list[Any]:
    """The float arrays of a result: what can be differentiated."""
    return [x for x in parts(result) if x.dtype.kind in "fc"]


@dataclass
class Function:
    """A call, as a function of the float arrays among its arguments that returns float arrays."""

    call: Call
    numpy: bool = False  # NumPy's function in place of ours
    kinds: str = "fc"  # of the arguments
    points: list[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.places, self.structure = ga.tree.flatten((self.call.args, self.call.options))
        self.points = [np.asarray(x)[()] for x in self.places if is_array(x, self.kinds)]

    def __call__(self, *arrays: Any) -> tuple[Any, ...]:
        return tuple(leaves(self.raw(*arrays)))

    def raw(self, *arrays: Any) -> Any:
        if self.call.name in HERMITIAN:
            arrays = tuple((a + ga.conj(ga.matrix_transpose(a))) / 2 for a in arrays)
        given = iter(arrays)
        args, options = self.structure.unflatten(
            next(given) if is_array(x, self.kinds) else x for x in self.places
        )
        if self.numpy:
            function = self.call.reference or self.call.numpy
        else:
            function = self.call.function
        return function(*args, **options)


class Sizes(Function):
    """A call as a function that returns the absolute values of its results."""

    def __call__(self, *arrays: Any) -> tuple[Any, ...]:
        return tuple(map(ga.abs, super().__call__(*arrays)))


class Whole(Function):
    """A call as a function of all its arrays; its results of integers as floats, to compare."""

    def __call__(self, *arrays: Any) -> tuple[Any, ...]:
        return tuple(ga.astype(x, float) for x in parts(self.raw(*arrays)))


# ---- what a cell is filled from


class Wrong(AssertionError):
    """A result that is not what it should be."""


def agree(found: Any, expected: Any, tolerance: float) -> None:
    for a, b in zip(leaves(found), leaves(expected), strict=True):
        if np.shape(a) != np.shape(b):
            raise Wrong(f"shape {np.shape(a)}, expected {np.shape(b)}")
        with np.errstate(invalid="ignore"):
            if not np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True):
                raise Wrong(f"{a}, expected {b}")


def random_like(values: Any, seed: int) -> tuple[Any, ...]:
    """Random directions; complex for complex values."""
    random = np.random.default_rng(seed)

    def one(x: Any) -> Any:
        noise = random.uniform(0.5, 1.5, np.shape(x)) * random.choice([-1, 1], np.shape(x))
        if x.dtype.kind == "c":
            noise = noise + 1j * random.uniform(0.5, 1.5, np.shape(x))
        return np.asarray(noise).astype(x.dtype)[()]

    return tuple(map(one, values))


def inner(x: Any, y: Any) -> Any:
    """The inner product of real vector spaces: a complex number counts as two."""
    pairs = zip(leaves(x), leaves(y), strict=True)
    return np.asarray(sum(np.sum(np.real(np.conj(a) * b)) for a, b in pairs))


def difference(f: Callable[..., Any], xs: Any, along: Any) -> list[Any]:
    """The derivative along a direction, by central differences of the fourth order."""

    def at(k: float) -> list[Any]:
        return leaves(f(*(np.asarray(x + k * d)[()] for x, d in zip(xs, along))))

    if isinstance(f, Function) and not f.call.smooth:  # between steps, perhaps close to one
        near = [a - b for a, b in zip(at(TINY), at(-TINY))]
        if all(not np.any(d) for d in near):
            return near
    steps = zip(at(STEP), at(-STEP), at(2 * STEP), at(-2 * STEP))
    return [np.asarray(8 * (a - b) - (c - d)) / (12 * STEP) for a, b, c, d in steps]


def forward(f: Any, along: Any) -> Callable[..., Any]:
    return lambda *xs: ga.jvp(f, xs, along)[1]


def reverse(f: Any, back: Any) -> Callable[..., Any]:
    return lambda *xs: ga.vjp(f, *xs)[1](back)


def vjp_holds(f: Any, xs: Any, tolerance: float = 1e-6) -> Any:
    """Raise if reverse mode is wrong; else the expected tangent."""
    along = random_like(xs, 1)
    expected = difference(f, xs, along)
    back = random_like(leaves(f(*xs)), 2)
    agree(inner(reverse(f, back)(*xs), along), inner(back, expected), tolerance)
    return expected


def jvp_holds(f: Any, xs: Any, tolerance: float = 1e-6) -> Any:
    along = random_like(xs, 3)
    expected = difference(f, xs, along)
    agree(forward(f, along)(*xs), expected, tolerance)
    return expected


def second_holds(f: Any, xs: Any) -> None:
    out = leaves(f(*xs))
    for first in (forward(f, random_like(xs, 4)), reverse(f, random_like(out, 5))):
        jvp_holds(first, xs, 1e-5)
        vjp_holds(first, xs, 1e-5)


def with_pullback(f: Any, xs: Any) -> Callable[..., Any]:
    back = random_like(leaves(f(*xs)), 6)
    return lambda *xs: (*leaves(f(*xs)), *reverse(f, back)(*xs))


def maps(f: Callable[..., Any], rows: Any) -> None:
    found = ga.vmap(f)(*(np.stack(column) for column in zip(*rows)))
    agree(found, tuple(np.stack(outs) for outs in zip(*(f(*row) for row in rows))), 1e-9)


def vmap_holds(f: Any, xs: Any) -> None:
    maps(with_pullback(f, xs), [xs, [0.97 * x for x in xs]])


def stage_holds(f: Any, xs: Any) -> None:
    both = with_pullback(f, xs)
    agree(ga.stage(both, *xs)(*xs), both(*xs), 1e-9)


def mapped_holds(f: Function) -> None:
    maps(f, [f.points, [np.roll(x, 1) for x in f.points]])


def staged_holds(f: Function) -> None:
    agree(ga.stage(f, *f.points)(*f.points), f(*f.points), 1e-9)


def single_holds(f: Function, xs: Any) -> None:
    narrow = [x.astype(np.complex64 if x.dtype.kind == "c" else np.float32) for x in xs]
    out, expected = f(*narrow), Function(f.call, numpy=True)(*narrow)
    types = [o.dtype for o in out], [o.dtype for o in expected]
    if f.call.name.startswith("special."):  # SciPy widens where an order is a whole number
        types = types[0], [np.dtype("F" if t.kind == "c" else "f") for t in types[1]]
    if types[0] != types[1]:
        raise Wrong(f"float32 gives {types[0]}, NumPy {types[1]}")
    agree(out, expected, 1e-2)
    gradient = reverse(f, random_like(out, 7))(*narrow)
    tangent = leaves(forward(f, random_like(narrow, 8))(*narrow))
    types = [x.dtype for x in (*gradient, *tangent)], [x.dtype for x in (*narrow, *out)]
    if types[0] != types[1]:
        raise Wrong(f"derivatives of float32 are of {types[0]}, expected {types[1]}")


def complex_points(xs: Any) -> list[Any]:
    """The same points, off the real axis."""
    shift = np.random.default_rng(9)
    return [x + 1j * np.asarray(shift.uniform(0.2, 0.5, np.shape(x)))[()] for x in xs]


def complex_holds(f: Any, xs: Any) -> None:
    vjp_holds(f, xs)
    jvp_holds(f, xs)


# ---- the cells of a row

REFUSALS = (ga.GradargError, TypeError, NotImplementedError, np.exceptions.ComplexWarning)


def attempt(check: Callable[..., Any], *args: Any) -> str:
    try:
        check(*args)
    except REFUSALS:
        return REFUSED
    return YES


def zero_or(mark: str, expected: list[Any] | None) -> str:
    """0 for a derivative that was measured and is zero everywhere."""
    if mark == YES and expected is not None and all(not np.any(t) for t in expected):
        return ZERO
    return mark


def cells(call: Call) -> list[str]:
    """The marks of one call, one for each column."""
    f = Function(call)
    xs = f.points
    if not xs or not f(*xs):
        f = Whole(call, kinds="biufc")
        marks = [attempt(mapped_holds, f), attempt(staged_holds, f)] if f.points else [NONE, NONE]
        return [NONE, NONE, NONE, *marks, NONE, NONE]
    expected = difference(f, xs, random_like(xs, 1))
    marks = [attempt(check, f, xs) for check in (vjp_holds, jvp_holds, second_holds)]
    marks = [zero_or(mark, expected) for mark in marks]
    marks += [attempt(check, f, xs) for check in (vmap_holds, stage_holds, single_holds)]
    return [*marks, complex_mark(f, xs)]


def complex_mark(f: Function, xs: Any) -> str:
    points = complex_points(xs)
    kind = Sizes if f.call.name in PHASES else Function
    f = kind(f.call)
    try:
        with np.errstate(all="ignore"):
            wanted = kind(f.call, numpy=True)(*points)
    except (TypeError, ValueError, np.exceptions.ComplexWarning):
        return NONE
    if not wanted:
        return NONE
    try:
        agree(f(*points), wanted, 1e-9)
        expected = difference(f, points, random_like(points, 1))
        return zero_or(attempt(complex_holds, f, points), expected)
    except REFUSALS:
        return REFUSED


def chosen(calls: list[Call]) -> list[Call]:
    """A few calls, as different as the list has them; those fit for differences, if there are."""
    for fit in (
        lambda c: Function(c).points,
        lambda c: c.smooth,
        lambda c: all(x.dtype.char in "dD" for x in Function(c).points),
        lambda c: all(0 < x.size <= 60 for x in Function(c).points),
        lambda c: all(np.all(np.isfinite(x) & (x != 0) & np.isreal(x)) for x in Function(c).points),
    ):
        calls = [c for c in calls if fit(c)] or calls
    step = max(1, len(calls) // SAMPLES)
    return calls[::step][:SAMPLES]


def common(marks: tuple[str, ...]) -> str:
    """One mark for several calls: the first that is not what all would wish for."""
    for mark in (REFUSED, YES, ZERO, NONE):
        if mark in marks:
            return mark
    raise AssertionError(marks)


def measured(names: tuple[str, ...]) -> str:
    """The row of a function, under all its names."""
    calls = chosen([c for c in CALLS if c.name in names])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", np.exceptions.ComplexWarning)  # imaginary parts dropped
        try:
            marks = [common(column) for column in zip(*map(cells, calls))]
        except Exception as error:
            error.add_note(f"in the row of {names}")
            raise
    shown = ", ".join(f"`{name.rpartition('.')[2]}`" for name in names)
    return f"| {shown} | {' | '.join(marks)} |"


# ---- the page


def namespace(prefix: str) -> Any:
    return getattr(ga, prefix, None) if prefix else ga


def rows(prefix: str) -> list[tuple[str, ...]]:
    """The names of a namespace's functions, those that are one function together."""
    called = {c.name for c in CALLS} - BY_DESIGN
    together: dict[int, list[str]] = {}
    for name in sorted(getattr(namespace(prefix), "__all__", ())):
        full = f"{prefix}.{name}" if prefix else name
        if full in called:
            together.setdefault(id(getattr(namespace(prefix), name)), []).append(full)
    return sorted(tuple(names) for names in together.values())


def every_row() -> list[tuple[str, ...]]:
    return [names for prefix in SECTIONS for names in rows(prefix)]


def others() -> Iterator[str]:
    """Public functions without a sample call: transforms, creation and the like."""
    called = {c.name for c in CALLS} - BY_DESIGN
    for prefix in SECTIONS:
        for name in sorted(getattr(namespace(prefix), "__all__", ())):
            full = f"{prefix}.{name}" if prefix else name
            value = getattr(namespace(prefix), name)
            if full not in called and callable(value) and not isinstance(value, type):
                yield full


def without_derivative() -> str:
    """NumPy's names that are not differentiated, by their reason."""
    tables = {**numpy_names.WITHOUT_DERIVATIVE, **numpy_names.TAKE_NO_TENSOR}
    lines = [
        f"| {reason} | {', '.join(f'`{name}`' for name in listed.split())} |"
        for reason, listed in tables.items()
    ]
    return (
        "## NumPy's names without a derivative\n\n`tests/test_numpy_names.py` walks NumPy's own "
        "lists: each name is differentiated, or stands here.\n\n"
        "| reason | names |\n|---|---|\n" + "\n".join(lines) + "\n"
    )


def page(row: Callable[[tuple[str, ...]], str]) -> str:
    """The whole page; `row` gives the line of a function."""
    parts = [INTRODUCTION]
    for prefix, title in SECTIONS.items():
        if names := rows(prefix):
            head = f"| function | {' | '.join(COLUMNS)} |\n|---|{':-:|' * len(COLUMNS)}\n"
            parts.append(f"## {title}\n\n{head}" + "\n".join(map(row, names)) + "\n")
    parts.append(without_derivative())
    listed = ", ".join(f"`{name}`" for name in others())
    parts.append(
        "## Not in the tables\n\nTransforms, functions that take no array to differentiate, and "
        f"those whose derivative is meant not to be the true one: {listed}.\n"
    )
    return "\n".join(parts)


def main(asked: set[str]) -> int:
    """Write the page, or print the rows that were asked for; 1 if any result is wrong."""
    lines, wrong = {}, 0
    for names in every_row():
        if not asked or asked & set(names):
            try:
                lines[names] = measured(names)
            except Exception as error:
                wrong += 1
                print(f"{', '.join(names)}: {type(error).__name__}: {error}", file=sys.stderr)
    if asked:
        print("\n".join(lines.values()))
    elif wrong:
        print(f"{wrong} rows are wrong, so {PAGE.name} stays as it is.", file=sys.stderr)
    else:
        PAGE.write_text(page(lines.__getitem__), encoding="utf-8")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(set(sys.argv[1:])))
