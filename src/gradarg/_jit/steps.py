"""A way around the walk over modules and optimisers, for a step like one that has been made before.

From a call comes a function, as source: it looks whether the arguments are the same objects, still
with the same parts, and arrays of the same kinds; reads the parts, runs the program, and puts each
output where it belongs. Where a parameter's or a buffer's array is held by nobody else, its new
value is written over it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._core.stage import Var
from .._core.tape import EAGER, Leaf
from .._core.trace import Box
from .._namespace.views import constant_tensor
from .buffers import COUNTS, forget
from .fast import Unknown, Writer
from .program import Program

_SCOPE = {
    "EAGER": EAGER, "Leaf": Leaf, "constant_tensor": constant_tensor, "asarray": np.asarray,
    "float64": np.float64, "forget": forget, "getrefcount": sys.getrefcount, "ndarray": np.ndarray,
}  # fmt: skip


def _alone() -> int:
    x = np.empty(1)
    return sys.getrefcount(x)


_HELD = _alone() + 1  # references to what a variable and one place more hold


class _Steps(Writer):
    """Lines of the function under way."""

    def __init__(self, entry: Any, opened: Any) -> None:
        super().__init__(entry.in_place)
        self.scope |= _SCOPE
        self.entry, self.opened = entry, opened
        self.names: dict[int, str] = {}  # of the leaves that are arrays, by their number
        self.count = 0

    def leaf(self, x: Any, name: str) -> None:
        if type(x) is np.ndarray:
            self.array(x, name)
            self.names[self.count] = name
        elif isinstance(x, (float, np.generic, np.ndarray)):
            raise Unknown
        else:
            self.unless(f"{name} is not {self.name(x)}")
        self.count += 1

    def constant(self, x: Any, name: str) -> None:
        super().constant(x, name)
        self.count += 1

    def line(self, text: str) -> None:
        self.lines.append(f"    {text}")

    def place(self, owner: Any, name: Any) -> str:
        """The source of a place that holds a part."""
        if isinstance(owner, (list, tuple, dict)):
            return f"{self.name(owner)}[{self.name(name)}]"
        return f"{self.name(owner)}.{name}"

    # ---- what is read

    def read(self) -> list[str]:
        """The names of the inputs of the program."""
        opened = self.opened
        given: dict[int, str] = {}
        for check in opened.checks:
            self.unless(f"not {self.name(check)}()")
        for owner, at, k in opened.cells:
            if owner is opened.leaves:
                given[k] = self.names[at]
                continue
            given[k] = f"x{k}"
            is_array = type(opened.inputs[k]) is np.ndarray
            value = self.place(owner, at)
            self.line(f"x{k} = {value if is_array else f'float64({value})'}")
            if is_array:
                self.unless(f"x{k}.__class__ is not ndarray")
        for t, k in opened.tensors:
            given[k] = f"x{k}"
            held = self.name(t)
            if type(t._node) is not Leaf and t._node is not None:
                raise Unknown
            kind = "Leaf" if t._node is not None else "None.__class__"
            self.unless(f"{held}._trace is not EAGER", f"{held}._node.__class__ is not {kind}")
            self.line(f"x{k} = {held}._inner")
        names = [given[k] for k in range(len(opened.inputs))]
        for (t, _), some in zip(opened.tensors, self.entry.there):
            if t._node is not None:
                self.unless(f"{self.name(t)}._node.grad is {'' if some else 'not '}None")
        for n in self.entry.grads:
            self.line(f"g{n} = {self.name(opened.tensors[n][0])}._node.grad")
            self.unless(f"g{n}._trace is not EAGER")
            names.append(f"g{n}._inner")
        for n, draw in enumerate(self.entry.draws):
            generator = f"{self.name(opened.generator)}({draw.generator})"
            self.line(f"d{n} = {self.name(draw.of)}({generator})")
            names.append(f"d{n}")
        return names

    def run(self, names: list[str], outs: list[str]) -> None:
        """The program, which replaces arrays in place if nobody else holds them."""
        entry, replaced = self.entry, [k for k, _ in self.entry.replaced]
        program = self.name(entry.in_place.run)
        if replaced and COUNTS:
            sole = [
                f"getrefcount({names[k]}) == {_HELD} and {names[k]}.__class__ is ndarray "
                f"and {names[k]}.base is None and {names[k]}.flags.c_contiguous"
                for k in replaced
            ]
            self.line(f"sole = {' and '.join(sole)}")
            for _, k in self.opened.tensors:
                if k in replaced:
                    self.line(f"if sole: {names[k]}.flags.writeable = True")
            program = f"({self.name(entry.replacing.run)} if sole else {program})"
        self.line(f"{''.join(f'{o}, ' for o in outs)}= {program}({', '.join(names)})")
        if replaced and COUNTS:
            new = ", ".join(outs[n] for _, n in entry.replaced)
            self.line(f"if not sole: forget({new})")

    # ---- what is written

    def write(self, write: Any, outs: list[str]) -> None:
        kind, n, value = write
        opened = self.opened
        if kind == "note":
            owner, name = opened.notes[n]
            self.line(f"{self.place(owner, name)} = {self.name(getattr(owner, name))}")
        elif kind == "training":
            self.line(f"{self.name(opened.objects[n])}['training'] = {value}")
        elif kind == "cell":
            owner, at, k = opened.cells[n]
            new = outs.pop(0)
            if type(opened.inputs[k]) is np.ndarray:
                new = f"asarray({new})" if not opened.inputs[k].ndim else new
            else:
                old = owner[at] if isinstance(owner, (list, dict)) else getattr(owner, at)
                new = f"{'int' if type(old) is int else 'float'}({new})"
            self.line(f"{self.place(owner, at)} = {new}")
        elif kind in ("tensor", "grad", "passes", "no grad"):
            t = opened.tensors[n][0]
            if t._node is None or hasattr(t, "_views"):
                raise Unknown
            self._write_tensor(kind, self.name(t), t, value, outs)
        else:
            raise Unknown

    def _write_tensor(self, kind: str, held: str, t: Any, value: Any, outs: list[str]) -> None:
        if kind == "tensor":
            new = outs.pop(0)
            if t._inner.ndim:
                self.line(f"{new}.flags.writeable = False")
            self.line(f"{held}._inner = {new}")
        elif kind == "grad":
            self.line(f"{held}._node.grad = constant_tensor({outs.pop(0)})")
        elif kind == "passes":
            passes, added = value
            self.line(f"{held}._node.passes {'+' if added else ''}= {passes}")
        else:
            self.line(f"{held}._node.grad, {held}._node.passes = None, 0")


def _apart(program: Program) -> list[bool]:
    """Of each output, whether it is sure to share no memory with anything."""
    outputs = program.graph.outputs
    return [
        isinstance(o, Var)
        and (not o.type.shape or (o in program.new and sum(other is o for other in outputs) == 1))
        for o in outputs
    ]


def shortcut(entry: Any, opened: Any, args: Sequence[Any]) -> Any:
    """A function of the tuple of arguments, as in `fast`; None where there can be none."""
    if entry.donated or not entry.closed or opened.floats:
        return None
    if not all(_apart(entry.in_place)) or not all(_apart(entry.replacing)):
        return None
    writer = _Steps(entry, opened)
    names = [f"a{i}" for i in range(len(args))]
    writer.unless(f"len(args) != {len(args)}", f"EAGER.recording is not {EAGER.recording}")
    writer.line(f"{', '.join(names)}, = args")
    try:
        for x, name in zip(args, names):
            writer.take(x, name)
        given = writer.read()
        outs = [f"o{k}" for k in range(len(entry.graph.outputs))]
        writer.run(given, outs)
        written = outs[entry.count :]
        for write in entry.writes:
            writer.write(write, written)
        tensors = any(isinstance(x, Box) for x in opened.inputs)
        results = [
            (f"constant_tensor({outs[r]})" if tensors else outs[r])
            if r >= 0 else writer.name(opened.holders[-1 - r])
            for r in entry.returned
        ]  # fmt: skip
        writer.line(f"return {writer.result(entry.result, results)}")
    except Unknown:
        return None
    return writer.made()


__all__ = ["shortcut"]
