"""The arguments of a jitted call taken apart: what its program reads, and where it writes.

A function may change what it is passed: an array or tensor in place, a parameter's value and grad,
an optimiser's buffers, a module's mode, the state of a random generator. While it is staged, the
places where these lie hold staged values, and whatever lies there when it has ended is an output
that each run puts back: the function itself needs no other form than the ordinary one.

An object says what it holds by a method `__jit__(opened)`, which calls `open`, `number` and the
like for each part, and in the same order for objects of equal keys: parts go by their number.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from operator import is_
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np

from .._core.errors import ConcreteValueError, DerivativeError
from .._core.stage import Stage, Var
from .._core.tape import EAGER, Leaf, Node, Port, Tape
from .._core.trace import Box, ShapeDtype, bare, box, shape_dtype
from .._namespace import views
from .._namespace.views import constant_tensor
from .draws import Draw, Draws

_CONTAINERS = (list, tuple, dict)


class Elsewhere(Exception):  # not an error: the call goes another way
    """An argument belongs to a transform that is under way."""


class Same:
    """A value that is equal to itself alone, for what has no hash."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


class Opened:
    """The parts of the arguments of one call; calls of equal keys have equal programs."""

    __slots__ = (
        "_seen", "cells", "checks", "floats", "generators", "holders", "inputs", "key", "leaves",
        "modes", "notes", "numbers", "objects", "tensors",
    )  # fmt: skip

    def __init__(self, leaves: list[Any], where: str) -> None:
        self.key: list[Any] = [EAGER.recording]
        self.inputs: list[Any] = []  # arrays, tensors and numbers: what the program is given
        self.cells: list[tuple[Any, Any, int]] = []  # (owner, name, input): owner holds an array
        self.tensors: list[tuple[Any, int]] = []
        self.numbers: dict[float, int] = {}  # counts: equal ones are one input
        self.floats: list[int] = []  # inputs that were Python floats
        self.generators: list[tuple[Any, Any]] = [(_package(), "random")]
        self.objects: list[dict[str, Any]] = []  # the attributes of modules
        self.notes: list[tuple[Any, str]] = []  # what is written without being read
        self.modes: list[tuple[Any, str, Any]] = []
        self.holders: list[Any] = []  # all that is passed as it is, each once
        self._seen: dict[int, int] = {}
        self.leaves = leaves
        self.checks: list[Callable[[], bool]] = []  # whether a later call would show the same parts
        for i, leaf in enumerate(leaves):
            kind = leaf.__class__
            if kind is np.ndarray:
                self.array(leaves, i, leaf)
            elif kind is float:
                self.key.append(float)
                self.floats.append(len(self.inputs))
                self._input(leaves, i, leaf)
            elif isinstance(leaf, np.generic) or (
                isinstance(leaf, np.ndarray) and not isinstance(leaf, np.ma.MaskedArray)
            ):
                self.array(leaves, i, np.asarray(leaf)[()])
            elif isinstance(leaf, np.ndarray):
                raise TypeError(f"{where} met a MaskedArray. Pass x.filled(...).")
            else:
                try:
                    hash(leaf)
                except TypeError:
                    raise TypeError(
                        f"{where}: the static value {leaf!r:.100} does not hash, so a program "
                        "cannot be kept for it. Pass arrays, or values that hash."
                    ) from None
                self.open(leaves, i, leaf)
        if self.floats:
            width = self._width()
            for k in self.floats:
                self.inputs[k] = width(self.inputs[k])
            self.key.append(width)

    def _width(self) -> Any:
        """The float type that a Python float takes beside these arrays: it promotes weakly."""
        weak = {*self.floats, *self.numbers.values()}
        dtypes = [x.dtype for k, x in enumerate(self.inputs) if k not in weak]
        dtypes = [d for d in dtypes if d.kind in "fc"]
        if not dtypes:
            return np.float64
        return np.zeros(0, np.result_type(*dtypes)).real.dtype.type

    # ---- what `__jit__` calls

    def open(self, owner: Any, name: Any, value: Any) -> None:
        """A part of any kind, which lies at owner[name] or owner.name."""
        kind = value.__class__
        if isinstance(value, Box):
            self._tensor(value)
        elif kind is np.ndarray and owner.__class__ is not tuple:
            self.array(owner, name, value)
        elif hasattr(kind, "__jit__"):
            if self._new(value):
                self.key.append(kind)
                value.__jit__(self)
        elif kind in _CONTAINERS:
            self.key.append((kind, len(value)))
            for k, part in value.items() if kind is dict else enumerate(value):
                if kind is dict:
                    self.key.append(k)
                self.open(value, k, part)
            if kind is not tuple:
                self.check(_same_items(value))
        elif isinstance(value, np.random.Generator) and owner.__class__ is not tuple:
            if self._new(value):
                self.key.append("generator")
            self.generators.append((owner, name))
        else:
            self.constant(value)

    def array(self, owner: Any, name: Any, value: Any) -> None:
        """An array, which may be written to or replaced."""
        self.key.append(value.shape)
        self.key.append(value.dtype)
        self._input(owner, name, value)

    def count(self, owner: Any, name: str, value: int) -> None:
        """An integer that changes from call to call; equal ones are one in the program."""
        k = self.numbers.get(value)
        if k is None:
            k = self.numbers[value] = len(self.inputs)
            self.inputs.append(np.float64(value))
        self.key.append(k)
        self.cells.append((owner, name, k))

    def number(self, owner: Any, name: Any, value: float) -> None:
        """A float that changes from call to call."""
        self.numbers[-1.0 - len(self.inputs)] = len(self.inputs)
        self._input(owner, name, np.float64(value))

    def check(self, same: Callable[[], bool]) -> None:
        """A quick test that a later call would show the same parts, but for changed numbers."""
        self.checks.append(same)

    def constant(self, value: Any) -> None:
        """What is part of the program."""
        self.key.append(value.__class__)
        try:
            hash(value)
        except TypeError:
            value = Same(value)
        self.key.append(value)

    def attributes(self, inside: dict[str, Any]) -> None:
        """The attributes of an object, which must be as before at the end, or come from here."""
        self.objects.append(inside)
        self.check(_same_items(inside))

    def during(self, owner: Any, name: str, value: Any) -> None:
        """An attribute that has this value while the function is staged."""
        self.modes.append((owner, name, value))

    def note(self, owner: Any, name: str) -> None:
        """An attribute that the function sets: the last value is set after each run."""
        self.notes.append((owner, name))

    def _input(self, owner: Any, name: Any, value: Any) -> None:
        self.cells.append((owner, name, len(self.inputs)))
        self.inputs.append(value)

    def _new(self, value: Any) -> bool:
        number = self._seen.get(id(value))
        if number is None:
            self._seen[id(value)] = len(self._seen)
            self.holders.append(value)
            return True
        self.key.append(number)
        return False

    def _tensor(self, t: Any) -> None:
        if t._trace is not EAGER:
            if t._trace.closed:
                t._trace.refuse("ga.jit")
            raise Elsewhere
        if self._new(t):
            inner, node = t._inner, t._node
            kind = None if node is None else Leaf if node.__class__ is Leaf else Node
            self.key += (inner.shape, inner.dtype, kind)
            self.tensors.append((t, len(self.inputs)))
            self.inputs.append(t)

    def holds(self, value: Any) -> bool:
        """Whether a value is one of the objects that are passed as they are."""
        return id(value) in self._seen

    def number_of(self, value: Any) -> int:
        """The number of an object that is passed as it is, among `holders`."""
        return self._seen[id(value)]

    # ---- arrays that are replaced in place

    def replaced(self, writes: Sequence[Write], count: int) -> list[tuple[int, int]]:
        """Which outputs, counted from `count`, replace which inputs, of the same place and type."""
        found, n = [], count
        for w in writes:
            if w.kind in ("tensor", "cell"):
                k = self.tensors[w.number][1] if w.kind == "tensor" else self.cells[w.number][2]
                if w.kind == "tensor" or self.inputs[k].__class__ is np.ndarray:
                    found.append((k, n))
            n += w.kind in _WITH_VALUE
        return found

    # ---- what a program is given

    def grads(self) -> tuple[bool, ...]:
        """Which tensors have a grad."""
        return tuple(
            t._node.__class__ is Leaf and t._node.grad is not None for t, _ in self.tensors
        )

    def generator(self, k: int) -> Any:
        owner, name = self.generators[k]
        found = _get(owner, name)
        return found.generator() if k == 0 else found


def _same_items(inside: Any) -> Callable[[], bool]:
    """Whether a dict or list holds the very same things as now."""
    if isinstance(inside, list):
        items = list(inside)
        return lambda: len(inside) == len(items) and all(map(is_, inside, items))
    names, values = list(inside), list(inside.values())
    return lambda: list(inside) == names and all(map(is_, inside.values(), values))


def _package() -> Any:
    """The package itself, whose `random` has a generator for all; not imported: it imports us."""
    return sys.modules[__name__.partition(".")[0]]


def _get(owner: Any, name: Any) -> Any:
    return owner[name] if isinstance(owner, _CONTAINERS) else getattr(owner, name)


def _set(owner: Any, name: Any, value: Any) -> None:
    if isinstance(owner, (list, dict)):
        owner[name] = value
    else:
        setattr(owner, name, value)


# ---- staging

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


class Write(NamedTuple):
    """What a run puts back: the part of that kind and number becomes `value`, or an output."""

    kind: str
    number: int
    value: Any = None


_WITH_VALUE = ("tensor", "cell", "into", "grad", "attribute")  # each takes an output


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
        old = _get(owner, name)
        self._old.append(lambda: _set(owner, name, old))
        _set(owner, name, value)

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
            self._put(owner, name, _get(owner, name))
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
        dtype = self.opened._width() if weak else np.asarray(sample).dtype
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
            now = _get(owner, name)
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
            found.append(Write("note", n, _get(owner, name)))
        return found, values


def apart(arrays: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    """Arrays that share no memory with others, nor with one another: copies of those that do."""
    array = np.ndarray
    taken = {id(x if x.__class__ is not array or x.base is None else _root(x)) for x in others}
    fresh = []
    for x in arrays:
        if x.__class__ is array:
            root = x if x.base is None else _root(x)
            if id(root) in taken or root.nbytes != x.nbytes or not x.flags.writeable:
                x = root = x.copy()
            taken.add(id(root))
        fresh.append(x)
    return fresh


def _root(x: Any) -> Any:
    """The array whose memory a view shows."""
    while x.__class__ is np.ndarray and x.base.__class__ is np.ndarray:
        x = x.base
    return x


def put_back(opened: Opened, writes: Sequence[Write], values: Sequence[Any]) -> None:
    """Put the outputs of a run where the function had put its values."""
    given = iter(values)
    for kind, n, value in writes:
        if kind == "tensor":
            t, new = opened.tensors[n][0], next(given)
            if t._node is None and views.base_of(t) is not None:
                views.store(t, constant_tensor(new), "A write inside ga.jit")
                continue
            if new.ndim:
                new.flags.writeable = False
            t._inner = new if new.ndim else new[()]
            if hasattr(t, "_views"):
                views.refresh(t)
        elif kind == "cell":
            owner, name, _ = opened.cells[n]
            new, old = next(given), _get(owner, name)
            if old.__class__ is np.ndarray:
                new = np.asarray(new)
            else:
                new = int(new) if old.__class__ is int else float(new)
            _set(owner, name, new)
        elif kind == "grad":
            opened.tensors[n][0]._node.grad = constant_tensor(next(given))
        elif kind == "passes":
            leaf, (passes, added) = opened.tensors[n][0]._node, value
            leaf.passes = passes + (leaf.passes if added else 0)
        elif kind == "no grad":
            leaf = opened.tensors[n][0]._node
            leaf.grad, leaf.passes = None, 0
        elif kind == "into":
            owner, name, _ = opened.cells[n]
            _get(owner, name)[...] = next(given)
        elif kind == "training":
            opened.objects[n]["training"] = value
        elif kind == "attribute":
            opened.objects[n][value] = constant_tensor(next(given))
        else:
            owner, name = opened.notes[n]
            setattr(owner, name, value)


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
