"""A way around the walk over the arguments, for calls like one that has been made before.

From a call's arguments comes a function, as source, that looks whether another's are of the same
kind (containers, keys, shapes, dtypes), and if so runs the program on their leaves at once. It
knows lists, tuples, dicts with text for keys, arrays, floats, NumPy's numbers, and constants.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._core import tree
from .._core.tape import EAGER
from .._transform.arguments import owned
from .program import Program

MISS: Any = object()
CONSTANTS = (int, bool, str)


class Unknown(Exception):
    """Something that only the walk can take."""


class Writer:
    """Lines of the function under way."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.lines: list[str] = []
        self.scope: dict[str, Any] = {
            "MISS": MISS, "ndarray": np.ndarray, "float64": np.float64, "program": program.run,
            "EAGER": EAGER,
        }  # fmt: skip
        self.leaves: list[str] = []
        self.inputs = program.graph.inputs
        self.numbers_only = True

    def name(self, x: Any) -> str:
        name = f"k{len(self.scope)}"
        self.scope[name] = x
        return name

    def unless(self, *conditions: str) -> None:
        self.lines.append(f"    if {' or '.join(conditions)}: return MISS")

    def take(self, x: Any, name: str) -> None:
        """Lines that check the value of this name to be of x's kind, and take its leaves."""
        kind = type(x)
        if kind in (list, tuple):
            self.unless(f"{name}.__class__ is not {kind.__name__}", f"len({name}) != {len(x)}")
            names = [f"{name}_{k}" for k in range(len(x))]
            if names:
                self.lines.append(f"    {', '.join(names)}, = {name}")
            for part, n in zip(x, names):
                self.take(part, n)
        elif kind is dict:
            if not all(type(k) is str for k in x):
                raise Unknown
            self.unless(f"{name}.__class__ is not dict", f"len({name}) != {len(x)}")
            for k, key in enumerate(sorted(x)):
                self.lines.append(f"    {name}_{k} = {name}.get({key!r}, MISS)")
                self.take(x[key], f"{name}_{k}")
        elif x is None:
            self.unless(f"{name} is not None")
        elif kind in CONSTANTS:
            self.constant(x, name)
        else:
            self.leaf(x, name)

    def constant(self, x: Any, name: str) -> None:
        if type(x) not in CONSTANTS:
            raise Unknown
        held = self.name(x)
        self.unless(f"{name}.__class__ is not {type(x).__name__}", f"{name} != {held}")

    def leaf(self, x: Any, name: str) -> None:
        if len(self.leaves) >= len(self.inputs):
            raise Unknown
        type_ = self.inputs[len(self.leaves)].type
        if type(x) is np.ndarray:
            self.array(x, name)
            self.leaves.append(name)
        elif self.numbers_only and type(x) in (float, np.float64) and type_.dtype == np.float64:
            # one is as good as the other: there are no arrays beside which they differ
            self.unless(f"{name}.__class__ is not float and {name}.__class__ is not float64")
            self.leaves.append(name if self.program.takes_floats else f"float64({name})")
        elif type(x) is float:
            self.unless(f"{name}.__class__ is not float")
            self.leaves.append(f"{self.name(type_.dtype.type)}({name})")
        elif isinstance(x, np.generic) and x.dtype.kind in "biufc":
            self.unless(f"{name}.__class__ is not {self.name(type(x))}")
            self.leaves.append(name)
        else:
            raise Unknown

    def array(self, x: Any, name: str) -> None:
        other = f"{name}.shape != {self.name(x.shape)}" if x.ndim else f"{name}.ndim"
        self.unless(
            f"{name}.__class__ is not ndarray", other, f"{name}.dtype is not {self.name(x.dtype)}"
        )

    def result(self, structure: tree.Structure, outs: list[str]) -> str:
        """The source of a tree of this structure; its leaves are taken from outs."""
        if structure.kind is None:
            return outs.pop(0)
        if structure.kind is type(None):
            return "None"
        if structure.kind not in (list, tuple, dict):
            raise Unknown
        parts = [self.result(child, outs) for child in structure.children]
        if structure.kind is dict:
            keys = map(self.name, structure.aux)
            return f"{{{', '.join(f'{k}: {p}' for k, p in zip(keys, parts))}}}"
        if structure.kind is list:
            return f"[{', '.join(parts)}]"
        return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"

    def made(self) -> Callable[[tuple[Any, ...]], Any]:
        """The function of these lines."""
        source = "\n".join(["def call(args):", *self.lines])
        exec(compile(source, "<shortcut>", "exec"), self.scope)
        found: Callable[[tuple[Any, ...]], Any] = self.scope["call"]
        return found


def _is_number(x: Any) -> bool:
    return type(x) in (float, np.float64)


def shortcut(
    args: Sequence[Any],
    static: Sequence[int],
    program: Program,
    result: tree.Structure,
    constants: Sequence[Any],
) -> Callable[[tuple[Any, ...]], Any] | None:
    """A function of the tuple of arguments: the result, or MISS; None where there can be none."""
    writer = Writer(program)
    leaves = tree.flatten([a for i, a in enumerate(args) if i not in static])[0]
    writer.numbers_only = all(map(_is_number, leaves))
    names = [f"a{i}" for i in range(len(args))]
    writer.unless(f"len(args) != {len(args)}", f"EAGER.recording is not {EAGER.recording}")
    if names:
        writer.lines.append(f"    {', '.join(names)}, = args")
    try:
        for i, (x, name) in enumerate(zip(args, names)):
            if i in static:
                writer.constant(x, name)
            else:
                writer.take(x, name)
        if len(writer.leaves) != len(program.graph.inputs):
            return None
        outs = [f"o{k}" for k in range(len(program.graph.outputs))]
        given = ", ".join(writer.leaves)
        if program.fresh:
            run = f"program({given})"
        else:
            writer.scope |= {"owned": owned, "constants": constants}
            writer.lines.append(f"    arrays = ({given}{',' if given else ''})")
            run = "owned(program(*arrays), arrays, constants)"
        if outs:
            writer.lines.append(f"    {', '.join(outs)}, = {run}")
        writer.lines.append(f"    return {writer.result(result, outs)}")
    except Unknown:
        return None
    return writer.made()


__all__ = ["MISS", "shortcut"]
