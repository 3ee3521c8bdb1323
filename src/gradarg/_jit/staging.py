"""A function staged with all that it writes: parts of its arguments are staged values meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import numpy as np

from .._core.errors import ConcreteValueError, DerivativeError
from .._core.stage import Stage, Var
from .._core.tape import Leaf, Port, Tape
from .._core.trace import Box, ShapeDtype, bare, box, shape_dtype
from .draws import Draw, Draws
from .opened import Opened, Write, get_part, set_part

_UNREAD: Any = object()  # the grad that a parameter had before the call, not asked for yet


class StepTape(Tape):
    """The tape of a function that is staged whole, its backward passes with it."""

    def __init__(self, function: Any, stage: Stage) -> None:
        super().__init__("jit", function)
        self.eager = True
        self.stage = stage
        self.before: dict[Leaf, Any] = {}  # the number of each parameter, and its grad
        self.grads_read: list[int] = []  # numbers of tensors
        self.grads_given: list[int] = []  # of those that have a grad
        self.grad_vars: list[Var] = []
        self.found: dict[Leaf, Any] = {}  # the grads that were read

    def grad_of(self, leaf: Leaf) -> Any:
        """The grad of a leaf; one from before the call becomes an input when it is asked for."""
        if leaf.grad is _UNREAD:
            n, grad = self.before[leaf]
            self.grads_read.append(n)
            if grad is None:
                self.found[leaf] = leaf.grad = None
            else:
                value = self.stage.variable(shape_dtype(grad))
                self.grad_vars.append(value._node)
                self.grads_given.append(n)
                self.found[leaf] = leaf.grad = box(value, self, None)
        return leaf.grad


class Staging:
    """While it is entered, the parts of the arguments are staged values."""

    def __init__(self, opened: Opened, function: Any, stage: Stage) -> None:
        self.opened, self.stage = opened, stage
        self.tape = StepTape(function, stage)
        self._old: list[Callable[[], None]] = []
        self.inputs: list[Var] = []
        self.draws: list[Draw] = []
        self.draw_vars: list[Var] = []

    def __enter__(self) -> Self:
        try:
            self._install()
        except BaseException:
            self._restore()
            raise
        return self

    def __exit__(self, *_: BaseException | TracebackType | type | None) -> None:
        self._restore()
        self.tape.closed = True

    def _restore(self) -> None:
        while self._old:
            self._old.pop()()

    def _put(self, owner: Any, name: Any, value: Any) -> None:
        old = get_part(owner, name)
        self._old.append(lambda: set_part(owner, name, old))
        set_part(owner, name, value)

    def _install(self) -> None:
        opened = self.opened
        boxes = [self.stage.variable(shape_dtype(x)) for x in opened.inputs]
        self.inputs = [b._node for b in boxes]
        self.cell_values = []
        for inside in opened.objects:
            self._old.append(_resetting(inside, dict(inside)))
        for owner, name, k in opened.cells:
            value = box(boxes[k]._inner, self.stage, self.inputs[k])
            self._put(owner, name, value)
            self.cell_values.append(value)
        for n, (t, k) in enumerate(opened.tensors):
            self._old.append(_reviving(t))
            node = t._node
            t._inner, t._trace = boxes[k], self.tape
            if node is not None:
                leaf = Leaf(boxes[k])
                if node.__class__ is Leaf:
                    leaf.grad, leaf.passes = _UNREAD, node.passes
                    self.tape.before[leaf] = (n, node.grad)
                t._node = leaf
            for slot in ("_base", "_views"):
                if hasattr(t, slot):
                    delattr(t, slot)
        self.leaves = [t._node for t, _ in opened.tensors]
        self.passes = [0 if leaf is None else leaf.passes for leaf in self.leaves]
        for owner, name in opened.notes:
            self._put(owner, name, get_part(owner, name))
        for owner, name, value in opened.modes:
            self._put(owner, name, value)
        for k, (owner, name) in enumerate(opened.generators):
            if k:
                self._put(owner, name, Draws(self._draw, k))
        self.shared = Draws(self._draw, 0)
        self._put(opened.generators[0][0].random, "_shared", self.shared)
        self.attributes = [dict(inside) for inside in opened.objects]

    def _draw(self, draw: Draw, sample: Any) -> Any:
        weak = sample.__class__ is float
        dtype = self.opened.width() if weak else np.asarray(sample).dtype
        value = self.stage.variable(ShapeDtype(np.shape(sample), dtype))
        self.draws.append(draw._replace(cast=dtype if weak else None))
        self.draw_vars.append(value._node)
        return value

    # ---- when the function has ended

    def lowered(self, value: Any, what: str) -> Any:
        """A value for a place that keeps no derivative."""
        if self.tape.owns(value):
            if living(value._node):
                raise DerivativeError(
                    f"{self.tape}: {what} is a value whose derivative would be lost. Write "
                    "t.detach()."
                )
            value = value._inner
        return bare(value)

    def output(self, value: Any) -> tuple[Any, bool]:
        """A result one level down, and whether a derivative of it is still to be had."""
        if self.tape.owns(value):
            return value._inner, living(value._node)
        return value, False

    def writes(self) -> tuple[list[Write], list[Any]]:
        """What was written: where, and the values, for those that are outputs."""
        found: list[Write] = []
        values: list[Any] = []

        def write(kind: str, number: int, value: Any, what: str) -> None:
            found.append(Write(kind, number))
            values.append(self.lowered(value, what))

        opened = self.opened
        if opened.generators[0][0].random._shared is not self.shared:
            raise ConcreteValueError(
                f"{self.tape} calls random.seed, which would happen once, when it is compiled, "
                "and not in each call. Call it outside."
            )
        owned_cells = {(id(o), name) for o, name, _ in opened.cells}
        for n, ((owner, name, k), value) in enumerate(zip(opened.cells, self.cell_values)):
            now = get_part(owner, name)
            if now is not value:
                write("cell", n, now, f"{name!r}")
            elif not (value._trace is self.stage and value._node is self.inputs[k]):
                write("into", n, now, "an array that was written to")
        for n, ((t, k), leaf) in enumerate(zip(opened.tensors, self.leaves)):
            now = t if leaf is None else t._inner
            inner = t._inner if t._trace is self.tape else t
            if not (isinstance(inner, Box) and inner._node is self.inputs[k]):
                write("tensor", n, now, "a tensor that was written to")
            if leaf is None or leaf.grad is _UNREAD:
                continue
            if leaf not in self.tape.before:
                if leaf.grad is not None:
                    raise DerivativeError(
                        f"{self.tape}: backward() reached an argument that was itself computed, "
                        "so it would have to go on outside. Pass t.detach(), or call backward() "
                        "outside of the jitted function."
                    )
            elif leaf.grad is not self.tape.found.get(leaf, _UNREAD):
                if leaf.grad is None:
                    found.append(Write("no grad", n))
                else:
                    write("grad", n, leaf.grad, "a grad")
                    added = leaf in self.tape.found  # to what was there
                    passes = leaf.passes - (self.passes[n] if added else 0)
                    found.append(Write("passes", n, (passes, added)))
        for n, (inside, before) in enumerate(zip(opened.objects, self.attributes)):
            for name in [*before, *(k for k in inside if k not in before)]:
                now = inside.get(name, _UNREAD)
                if now is before.get(name, _UNREAD) or (id(inside), name) in owned_cells:
                    continue
                if name == "training":
                    found.append(Write("training", n, now))
                elif isinstance(now, Box) and isinstance(before.get(name), Box):
                    found.append(Write("attribute", n, name))
                    values.append(self.lowered(now, f"the attribute {name}"))
                else:
                    raise ConcreteValueError(
                        f"{self.tape} sets the attribute {name!r} of an argument, which would "
                        "happen once, when it is compiled, and not in each call. Return the value, "
                        "or keep it in an array or nn.Parameter(..., requires_grad=False) that was "
                        "there before."
                    )
        for n, (owner, name) in enumerate(opened.notes):
            found.append(Write("note", n, get_part(owner, name)))
        return found, values


def _resetting(inside: dict[str, Any], before: dict[str, Any]) -> Callable[[], None]:
    def reset() -> None:
        inside.clear()
        inside.update(before)

    return reset


def _reviving(t: Any) -> Callable[[], None]:
    """What makes a tensor again what it is now."""
    kept = t._inner, t._trace, t._node
    slots = [(s, getattr(t, s)) for s in ("_base", "_views") if hasattr(t, s)]

    def revive() -> None:
        t._inner, t._trace, t._node = kept
        for slot in ("_base", "_views"):
            if hasattr(t, slot):
                delattr(t, slot)
        for slot, value in slots:
            setattr(t, slot, value)

    return revive


def living(node: Any) -> bool:
    """Whether a backward pass from here could still run: no node before it was freed."""
    if node is None:
        return False
    seen, stack = set[int](), [node]
    while stack:
        node = stack.pop()
        node = node.node if node.__class__ is Port else node
        if node is None or node.__class__ is Leaf or id(node) in seen:
            continue
        if node.values is None:
            return False
        seen.add(id(node))
        stack += node.parents
    return True
