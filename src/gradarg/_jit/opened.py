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
from typing import Any, NamedTuple

import numpy as np

from .._core.tape import EAGER, Leaf, Node
from .._core.trace import Box
from .._namespace import views
from .._namespace.views import constant_tensor

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
            width = self.width()
            for k in self.floats:
                self.inputs[k] = width(self.inputs[k])
            self.key.append(width)

    def width(self) -> Any:
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
        found = get_part(owner, name)
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


def get_part(owner: Any, name: Any) -> Any:
    return owner[name] if isinstance(owner, _CONTAINERS) else getattr(owner, name)


def set_part(owner: Any, name: Any, value: Any) -> None:
    if isinstance(owner, (list, dict)):
        owner[name] = value
    else:
        setattr(owner, name, value)


class Write(NamedTuple):
    """What a run puts back: the part of that kind and number becomes `value`, or an output."""

    kind: str
    number: int
    value: Any = None


_WITH_VALUE = ("tensor", "cell", "into", "grad", "attribute")  # each takes an output


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
            new, old = next(given), get_part(owner, name)
            if old.__class__ is np.ndarray:
                new = np.asarray(new)
            else:
                new = int(new) if old.__class__ is int else float(new)
            set_part(owner, name, new)
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
            get_part(owner, name)[...] = next(given)
        elif kind == "training":
            opened.objects[n]["training"] = value
        elif kind == "attribute":
            opened.objects[n][value] = constant_tensor(next(given))
        else:
            owner, name = opened.notes[n]
            setattr(owner, name, value)
