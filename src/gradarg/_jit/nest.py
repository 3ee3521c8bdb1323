"""A kernel of any number of axes: what rows and columns do not hold, as data.

Each value has a shape of its own. Axes that run together are one class, whose loop runs as far as
the longest of them; a value is computed where it is needed, at an index that is an affine function
of one loop's variable for each axis. So a broadcast, a slice, a flip or a transpose is no operation
but another index, and what is 0 outside of a part, or one part of several, splits a loop.

Short classes are written out. Of the others, one is the innermost loop; the outermost ones, which
every reduction that is used again keeps, are shared among the threads, and so are blocks of the
innermost loop where all of those keep it. Within, each level of such reductions is a pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from . import compiler
from .kernel import END_REDUCTIONS, HEAVY, Refused, Value

SHORT = 8  # the longest axis that is written out
_WRITTEN = 16  # the most copies of an operation for such axes
_COPIES = 12  # the most pieces that the loops are split into
_ROW = 512  # elements of the innermost loop at a time, where reductions keep it
_RUN = 16  # and where none does, for each bit of a vector: a lane adds up about 128 float32
_KEPT = 1 << 15  # doubles that a thread has for its sums
_ENDS = 1 << 16  # and for those that are there when the kernel has ended
_WIDE = 1 << 15  # elements: beyond, a kernel must have work for several threads
_NONE = -1  # no class: all are written out
REDUCTIONS = ("sum", "max", "min")

Affine = tuple[Any, int, int]  # step * (the variable of a class, a name in IR, or None) + start
Index = tuple[Affine, ...]


@dataclass(eq=False)
class Root:
    """What a loop does with a value: store it, or add it up."""

    value: Value  # the output, or the reduction
    operand: Value
    reduced: frozenset[int]  # classes


@dataclass(eq=False)
class Space:
    """Loops over the same classes, and the roots that run there."""

    classes: tuple[int, ...]  # within the shared ones, the innermost left out
    inner: bool  # whether the innermost loop is among them
    once: tuple[int, ...]  # shared classes on which nothing depends: done at 0 alone
    roots: list[Root] = field(default_factory=list)


class Nest:
    """Inputs by shape and dtype, values in order, and those that are stored; with the loops."""

    by_rows = True

    def __init__(
        self,
        name: str,
        float: str,
        inputs: list[tuple[Any, str]],
        values: Sequence[Value],
        outputs: list[Value],
    ) -> None:
        self.name, self.float, self.inputs, self.outputs = name, float, inputs, outputs
        self.values = list(values)
        self.size: list[int] = []
        self.axes: dict[int, tuple[int | None, ...]] = {}  # the class of each axis; None: length 1
        self._classes()
        self.used = {id(a) for v in self.values for a in v.values}
        self.written: set[int] = set()
        self._innermost()
        self._share()
        self._levels()
        self.points: dict[int, set[int]] = {}
        self.roots = [*self._roots()]
        self._walk()
        self._places()

    # ---- which axes run together

    def _classes(self) -> None:
        parent: list[int] = []
        holders: list[set[int]] = []  # two axes of one value are never one class

        def find(c: int) -> int:
            while parent[c] != c:
                c = parent[c]
            return c

        def unite(a: int, b: int) -> None:
            parent[a] = b
            holders[b] |= holders[a]
            self.size[b] = max(self.size[a], self.size[b])

        for v in self.values:
            axes: list[int | None] = []
            for n in v.shape:
                axes.append(None if n == 1 else len(parent))
                if n != 1:
                    parent.append(len(parent))
                    holders.append({id(v)})
                    self.size.append(n)
            self.axes[id(v)] = tuple(axes)
        rigid: set[int] = set()  # classes that no other can be merged with
        for v in self.values:
            for arg, k, axis, plain in links(v):
                a = self.axes[id(arg)][k] if k is not None else None
                b = self.axes[id(v)][axis] if axis is not None else None
                if a is not None and b is not None:
                    a, b = find(a), find(b)
                    if a != b and holders[a] & holders[b]:
                        rigid |= {a, b}
                    elif a != b:
                        unite(a, b)
                if not plain:
                    rigid |= {c for c in (a, b) if c is not None}
        self._beside(find, unite)
        self.rigid = {find(c) for c in rigid}
        for key, given in self.axes.items():
            self.axes[key] = tuple(None if c is None else find(c) for c in given)
        self._merge()

    def _beside(self, find: Callable[[int], int], unite: Callable[[int, int], None]) -> None:
        """What has nothing to do with the rest runs in the loops of what has its shape.

        In loops of its own, around or inside the others, it would wait for all of their rounds.
        """
        kin = list(range(len(self.size)))  # classes that some value holds together

        def root(c: int) -> int:
            while kin[c] != c:
                c = kin[c]
            return c

        held = [(v, [find(c) for c in self.axes[id(v)] if c is not None]) for v in self.values]
        for _, classes in held:
            for a, b in pairwise(classes):
                kin[root(a)] = root(b)
        first: dict[tuple[int, ...], Value] = {}
        for v, classes in held:
            others = [find(c) for c in self.axes[id(first.setdefault(v.shape, v))] if c is not None]
            classes = [find(c) for c in classes]
            if classes and root(classes[0]) != root(others[0]):
                for a, b in zip(classes, others):
                    unite(a, b)
                    kin[root(a)] = root(b)

    def _merge(self) -> None:
        """Classes that stand side by side wherever they are become one."""
        self.flat: set[int] = set()  # those whose index is that of their neighbour
        order = max((self.classes_of(v) for v in self.values), key=len, default=())
        for a, b in pairwise(order):
            if a in self.rigid or b in self.rigid:
                continue
            if all(self._side_by_side(v, a, b) for v in self.values):
                self.flat.add(a)
                self.size[b] *= self.size[a]

    def _side_by_side(self, v: Value, a: int, b: int) -> bool:
        classes = self.classes_of(v)
        if (a in classes) != (b in classes):
            return False
        if a in classes and classes.index(b) != classes.index(a) + 1:
            return False
        if v.op in REDUCTIONS:
            classes = self.classes_of(v.values[0])
            return a not in classes or (a in self.reduced(v)) == (b in self.reduced(v))
        return True

    def classes_of(self, v: Value) -> tuple[int, ...]:
        """The classes of the axes of a value, in order."""
        return tuple(c for c in self.axes[id(v)] if c is not None and c not in self.flat)

    def reduced(self, v: Value) -> frozenset[int]:
        """The classes that a reduction reduces."""
        axes = self.axes[id(v.values[0])]
        return frozenset(
            c for k in v.params["axes"] if (c := axes[k]) is not None and c not in self.flat
        )

    def length(self, v: Value, c: int) -> int:
        """How far a value goes along a class."""
        if c not in self.rigid:
            return self.size[c]
        return v.shape[self.axes[id(v)].index(c)]

    # ---- the loops

    def _innermost(self) -> None:
        """Write short classes out, and find the one that lies densest in memory."""
        weight: dict[int, int] = {}
        for v in self.values:
            if v.op in REDUCTIONS and id(v) in self.used:
                short = {c for c in self.reduced(v) if self.size[c] <= SHORT}
                if short == self.reduced(v) and self._copies(self.written | short) <= _WRITTEN:
                    self.written |= short
        while True:
            weight.clear()
            for v in self.values:
                classes = [c for c in self.classes_of(v) if c not in self.written]
                if classes:
                    often = 32 if v.op == "input" or v in self.outputs else 1
                    size = often * math.prod(v.shape)
                    weight[classes[-1]] = weight.get(classes[-1], 0) + size
            self.inner = max(weight, key=weight.__getitem__, default=_NONE)
            if self.inner == _NONE or self.size[self.inner] > SHORT:
                return
            if self._copies(self.written | {self.inner}) > _WRITTEN:
                return
            self.written.add(self.inner)

    def _copies(self, classes: set[int]) -> int:
        return math.prod(self.size[c] for c in classes)

    def looped(self, v: Value) -> tuple[int, ...]:
        """The classes of a value that are loops, the innermost left out."""
        return tuple(c for c in self.classes_of(v) if c not in self.written and c != self.inner)

    def _share(self) -> None:
        """Which classes the threads share, and how each reduction is done."""
        largest = sorted(self.values, key=lambda v: -math.prod(v.shape))
        every = list(dict.fromkeys(c for v in largest for c in self.looped(v)))
        shared, blocked = every, True
        self.how: dict[int, str] = {}
        reductions = [v for v in self.values if v.op in REDUCTIONS]
        reductions.sort(key=lambda v: (id(v) not in self.used, -math.prod(v.shape)))
        for v in reductions:
            reduced = self.reduced(v)
            if v.params.get("guard"):
                self.how[id(v)] = "end"
                continue
            if reduced <= self.written:
                self.how[id(v)] = "inline"
                continue
            kept = [c for c in shared if c in self.classes_of(v)]
            keeps = blocked and self.inner not in reduced and self.inner in self.classes_of(v)
            cells = math.prod(v.shape)
            if (
                id(v) in self.used
                or kept
                or (keeps and (cells > _ENDS or not every or v.op != "sum"))
            ):
                self.how[id(v)] = "inner"
                shared, blocked = kept, keeps
            else:
                self.how[id(v)] = "end"
                if v.op != "sum":
                    raise Refused(f"a {v.op} that is there only when the loops have ended")
                if cells > _ENDS:
                    raise Refused(f"a sum with {cells} results for each thread")
        inner = [v for v in reductions if self.how[id(v)] == "inner"]
        self.shared = tuple(shared)
        rows = math.prod(self.size[c] for c in shared)
        long = self.size[self.inner] if self.inner != _NONE else 1
        self.block = long
        if blocked and self.inner != _NONE and inner:
            self.block = min(long, max(64, min(_ROW, -(-long // 8))))
        elif blocked and self.inner != _NONE and rows < 64:
            self.block = min(long, _RUN * compiler.vectors()[0])
        self.blocks = -(-long // self.block) if long else 0
        self.extent = rows * self.blocks
        work = max((math.prod(v.shape) for v in self.values), default=0)
        if inner and self.extent < 4 and work > _WIDE:
            raise Refused("its reductions leave nothing for several threads")

    def _levels(self) -> None:
        """The pass in which a value can be had; values that passes share are kept."""
        for v in self.values:
            v.level = max((a.level + (self.how.get(id(a)) == "inner") for a in v.values), default=0)
            if v.op in HEAVY and v.level and self._shares(v):
                self.how[id(v)] = "inner"

    def _shares(self, v: Value) -> bool:
        """Whether a value is the same for all of a loop around the innermost one."""
        classes = self.classes_of(v)
        if self.inner not in classes or not set(self.shared) <= set(classes):
            return False
        users = [w for w in self.values if v in w.values]
        return any(set(self.looped(w)) > set(self.looped(v)) for w in users)

    @property
    def passes(self) -> int:
        return 1 + max((self.level_of(r) for r in self.roots), default=0)

    def _roots(self) -> Iterator[Root]:
        for v in self.values:
            how = self.how.get(id(v))
            if v.op in REDUCTIONS and how != "inline":
                yield Root(v, v.values[0], self.reduced(v))
            elif how == "inner":
                yield Root(v, v, frozenset())
        for v in self.outputs:
            if self.how.get(id(v)) != "end":
                yield Root(v, v, frozenset())

    def stores(self, root: Root) -> bool:
        """Whether it writes an output."""
        return root.value is root.operand and root in self.roots[len(self.roots) - self.stored :]

    @property
    def stored(self) -> int:
        return sum(self.how.get(id(v)) != "end" for v in self.outputs)

    def level_of(self, root: Root) -> int:
        """The pass that a root belongs to."""
        if self.stores(root):
            return root.value.level + (self.how.get(id(root.value)) == "inner")
        return root.operand.level

    def spaces(self, level: int) -> list[Space]:
        """The loops of one pass."""
        found: dict[Any, Space] = {}
        for root in self.roots:
            if self.level_of(root) != level:
                continue
            classes = self.classes_of(root.operand)
            inner = self.inner in classes
            loops = tuple(c for c in self.looped(root.operand) if c not in self.shared)
            lone = self.stores(root) or self.how[id(root.value)] == "end"
            once = tuple(c for c in self.shared if lone and c not in classes)
            if lone and not inner and self.blocks > 1:
                once = (*once, -1)
            loops = tuple(sorted(loops, key=self._rank))
            key = loops, inner, once
            found.setdefault(key, Space(loops, inner, once)).roots.append(root)
        return list(found.values())

    def _rank(self, c: int) -> int:
        return next(
            (
                k
                for v in self.values
                if math.prod(v.shape) and c in self.classes_of(v)
                for k in [self.classes_of(v).index(c) - len(v.shape)]
            ),
            0,
        )

    # ---- where the loops are split

    def _walk(self) -> None:
        """Follow every root to its inputs: find the points where a part begins or ends."""
        seen: set[tuple[int, Index]] = set()
        left: list[tuple[Value, Index]] = []
        for c, n in enumerate(self.size):
            self.points[c] = {0, n}
        for root in self.roots:
            v = root.operand
            for c in self.classes_of(v):
                self.points[c].add(self.length(v, c))
            if root.value is v and not self.stores(root):
                left += self.arguments(v, self.at_home(v), None)
            else:
                left.append((v, self.at_home(v)))
        while left:
            v, index = left.pop()
            if (id(v), index) in seen:
                continue
            seen.add((id(v), index))
            how = self.how.get(id(v))
            if how == "end":
                raise Refused("it uses a sum that is there only when the loops have ended")
            if how == "inner":
                self._same_place(v, index)
                continue
            if v.op == "place":
                for (start, n, _, _), i, whole in zip(v.params["parts"], index, v.shape):
                    if n != whole:
                        self._split(*i, start, start + n)
            elif v.op == "concatenate":
                c, step, at = index[v.params["axis"]]
                start = 0
                for a in v.values:
                    n = a.shape[v.params["axis"]]
                    self._split(c, step, at, start, start + n)
                    start += n
                if c is not None and c in self.written:
                    raise Refused("parts of an axis that is written out")
            left += self.arguments(v, index, None)
        copies = math.prod(
            len(p) - 1 for c, p in self.points.items() if c not in self.written and len(p) > 1
        )
        if copies > _COPIES:
            raise Refused(f"its loops would be split into {copies} pieces")

    def at_home(self, v: Value) -> Index:
        """The index of a value where each of its axes runs with its own class."""
        return tuple(
            (None, 0, 0) if c is None or c in self.flat else (c, 1, 0) for c in self.axes[id(v)]
        )

    def _split(self, c: Any, step: int, at: int, low: int, high: int) -> None:
        """Where step * i + at passes a bound, for the variable i of a class."""
        if c is None or c in self.written:
            return
        if isinstance(c, str) or abs(step) != 1:
            raise Refused("a part at an index that is no run")
        for bound in (low, high):
            i = bound - at if step == 1 else at - bound + 1
            if 0 < i < self.size[c]:
                self.points[c].add(i)

    def _same_place(self, v: Value, index: Index) -> None:
        for c, (of, step, at) in zip(self.axes[id(v)], index):
            if c is None or c in self.flat:
                continue
            if (of, step, at) != (c, 1, 0) and not (c in self.written and of is None):
                raise Refused("it uses a reduction at another place than where it is made")

    def arguments(self, v: Value, index: Index, at: Any) -> list[tuple[Value, Index]]:
        """What a value is made of, each with its index; `at` computes what an index array says.

        Of a reduction that is written out, the index of what is reduced has None in its place.
        """
        if v.op == "view":
            (x,) = v.values
            return [(x, _squeezed(x, tuple(_composed(m, index) for m in v.params["map"])))]
        if v.op == "place":
            (x,) = v.values
            moved: list[Affine] = [(None, 0, 0)] * len(x.shape)
            for (start, n, axis, sign), (c, step, b) in zip(v.params["parts"], index):
                if axis is not None:
                    first = start if sign == 1 else start + n - 1
                    moved[axis] = (c, sign * step, sign * (b - first))
            return [(x, _squeezed(x, tuple(moved)))]
        if v.op == "concatenate":
            found, start, axis = [], 0, v.params["axis"]
            for x in v.values:
                c, step, b = index[axis]
                found.append((x, (*index[:axis], (c, step, b - start), *index[axis + 1 :])))
                start += x.shape[axis]
            return [(x, _squeezed(x, i)) for x, i in found]
        if v.op == "gather":
            x, *indices = v.values
            rank = len(v.shape) - len(x.shape) + len(indices)
            found = [(i, aligned(i, index[:rank])) for i in indices]
            given = [("?", 1, k) if at is None else at(k, *p) for k, p in enumerate(found)]
            return [*found, (x, (*given, *index[rank:]))]
        if v.op in REDUCTIONS:
            (x,) = v.values
            rest, own = iter(index), self.at_home(x)
            axes = v.params["axes"]
            return [(x, tuple(own[k] if k in axes else next(rest) for k in range(len(own))))]
        return [(a, aligned(a, index)) for a in v.values]

    # ---- where sums lie

    def _places(self) -> None:
        """The cells of each reduction: in a thread's own memory, or in what the kernel returns."""
        self.cells: dict[int, tuple[int, tuple[int, ...], tuple[int, ...]]] = {}
        self.kept = self.width = 0
        for root in self.roots:
            v = root.value
            how = self.how.get(id(v))
            if self.stores(root) or id(v) in self.cells:
                continue
            classes = self.classes_of(v)
            if how == "inner":
                classes = tuple(c for c in classes if c not in self.shared)
            order = sorted(classes, key=lambda c: (c == self.inner, c in self.written))
            sizes = tuple(
                self.block if c == self.inner and how == "inner" else self.length(v, c)
                for c in order
            )
            count = math.prod(sizes)
            if how == "inner":
                self.cells[id(v)] = self.kept, tuple(order), sizes
                self.kept += count
            else:
                self.cells[id(v)] = self.width, tuple(order), sizes
                self.width += count
        if self.kept > _KEPT:
            raise Refused(f"its reductions keep {self.kept} numbers for each thread")

    @property
    def ends(self) -> list[Value]:
        """The reductions that are there when the kernel has ended."""
        return [v for v in self.values if self.how.get(id(v)) == "end"]

    def laid(self, v: Value) -> tuple[int, int, tuple[int, ...], tuple[int, ...]]:
        """Of a sum at the end: its first cell and the one after, and how they become an array."""
        start, order, sizes = self.cells[id(v)]
        turned = tuple(order.index(c) for c in self.classes_of(v))
        return start, start + math.prod(sizes), sizes, turned

    def work(self) -> list[tuple[Value, int]]:
        """The operations, and how many elements each is done for."""
        return [(v, math.prod(v.shape)) for v in self.values]

    # ---- as text

    def __str__(self) -> str:
        names = {id(v): f"v{k}" for k, v in enumerate(self.values)}
        letters = {c: f"i{k}" for k, c in enumerate(dict.fromkeys(self._seen()))}

        def at(v: Value) -> str:
            inside = ", ".join("0" if c is None else letters.get(c, "0") for c in self.axes[id(v)])
            return f"[{inside}]" if inside else ""

        def shown(a: Any) -> str:
            if not isinstance(a, Value):
                return str(a)
            return repr(a.args[0]) if a.op == "number" else f"{names[id(a)]}{at(a)}"

        lines = [f"kernel {self.name} ({self.float}):"]
        lines += [f"    for {letters[c]} < {self.size[c]}:  # shared" for c in self.shared]
        if self.blocks > 1:
            lines.append(f"    for each {self.block} of {letters[self.inner]}:  # shared")
        for level in range(self.passes):
            for space in self.spaces(level):
                loops = [*space.classes, *([self.inner] if space.inner else [])]
                seen = {c for r in space.roots for c in self.classes_of(r.operand)}
                loops += sorted(self.written & seen)
                head = ", ".join(f"{letters[c]} < {self.size[c]}" for c in loops)
                lines.append(f"        for {head or 'nothing more'}:  # pass {level + 1}")
                for root in space.roots:
                    what = names[id(root.value)]
                    if self.stores(root):
                        lines.append(f"            store {what}{at(root.value)}")
                    elif root.value is not root.operand:
                        lines.append(
                            f"            {what}{at(root.value)} {root.value.op}= "
                            f"{shown(root.operand)}"
                        )
                    else:
                        lines.append(f"            keep {what}{at(root.value)}")
        for v in self.values:
            if v.op == "input":
                lines.append(f"    {names[id(v)]}{at(v)} = in{v.args[0]}")
            elif v.op not in ("number", *REDUCTIONS, *END_REDUCTIONS):
                how = ", ".join(f"{k}={x}" for k, x in v.params.items())
                given = ", ".join(map(shown, v.args))
                lines.append(
                    f"    {names[id(v)]}{at(v)} = {v.op}({given}{', ' if how else ''}{how})"
                )
        return "\n".join(lines)

    def _seen(self) -> Iterator[int]:
        for v in self.values:
            yield from self.classes_of(v)


# ---- indices


def links(v: Value) -> Iterator[tuple[Value, int | None, int | None, bool]]:
    """(argument, its axis, the value's axis, whether they are the same throughout)."""
    n = len(v.shape)
    if v.op == "view":
        (x,) = v.values
        for k, (axis, step, start) in enumerate(v.params["map"]):
            same = axis is not None and step == 1 and start == 0 and x.shape[k] == v.shape[axis]
            yield x, k, axis, same
    elif v.op == "place":
        (x,) = v.values
        for axis, (start, length, k, sign) in enumerate(v.params["parts"]):
            same = start == 0 and length == v.shape[axis] and sign == 1 and k is not None
            yield x, k, axis, same
    elif v.op == "gather":
        x, *indices = v.values
        rank = n - len(x.shape) + len(indices)
        for k in range(len(x.shape)):
            inside = k >= len(indices)
            yield x, k, k - len(indices) + rank if inside else None, inside
        for i in indices:
            for k in range(len(i.shape)):
                yield i, k, k + rank - len(i.shape), True
    elif v.op in REDUCTIONS:
        (x,) = v.values
        for axis, k in enumerate(k for k in range(len(x.shape)) if k not in v.params["axes"]):
            yield x, k, axis, True
    elif v.op == "eye":
        yield v, 0, None, False
        yield v, 1, None, False
    else:
        for x in v.values:
            for k in range(len(x.shape)):
                axis = k + n - len(x.shape)
                yield x, k, axis, v.op != "concatenate" or k != v.params["axis"]


def aligned(x: Value, index: Index) -> Index:
    """The index of an operand that is broadcast against a result with this index."""
    return _squeezed(x, index[len(index) - len(x.shape) :] if x.shape else ())


def _squeezed(x: Value, index: Index) -> Index:
    return tuple((None, 0, 0) if n == 1 else i for n, i in zip(x.shape, index))


def _composed(m: tuple[int | None, int, int], index: Index) -> Affine:
    """The index step * index[axis] + start."""
    axis, step, start = m
    if axis is None:
        return None, 0, start
    c, inner, at = index[axis]
    return c, step * inner, step * at + start


__all__ = ["Affine", "Index", "Nest", "Root", "Space", "aligned", "links"]
