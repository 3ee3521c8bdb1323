"""Reverse mode: the tape records nodes as operations run; `backward` walks them back.

A `Node` keeps its operation's values and the nodes these came from, never the boxes themselves:
all references point backwards in time, so a graph dies by reference count the moment its last
user lets go. Sequence numbers order the nodes; walking them from a heap, latest first, visits each
node once, after everything that used it, with no recursion and no sort.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import FreedGraphError, GradargWarning, MutatedArrayError, NonFiniteError
from .trace import (
    _NO_GRAD_BELOW,
    Box,
    ShapeDtype,
    Trace,
    bare,
    bind,
    box,
    constant,
    explained,
    passed_only,
    shape_dtype,
    zeros,
)

if TYPE_CHECKING:
    from .primitive import Primitive

_SEQUENCE = itertools.count()
_new = object.__new__
_LARGE = 4096  # elements; only arrays above this are worth forgetting
_COPY_BYTES = 1 << 16  # a foreign array is copied up to here, and watched above


class Leaf:
    """Where a derivative is wanted: the end of a backward walk."""

    __slots__ = ("dtype", "grad", "passes", "shape", "watch")

    def __init__(self, value: Any) -> None:
        self.shape, self.dtype = value.shape, value.dtype
        self.grad: Any = None
        self.passes = 0  # how many backward passes grad is the sum of
        self.watch: list[Watch] | None = None


class Node:
    """One recorded operation."""

    __slots__ = ("out", "params", "parents", "primitive", "seq", "values", "watch", "where")

    where: str  # the line of user code, within debug_nans; else unset

    def __init__(self, primitive: Any, values: Any, parents: Any, out: Any, params: Any) -> None:
        self.primitive = primitive
        self.values = values  # the arguments, one level down
        self.parents = parents  # for each argument its Node, Leaf or Port, or None
        self.out = out
        self.params = params
        self.seq = next(_SEQUENCE)
        self.watch: list[Watch] | None = None


class Port:
    """One output of a node that has several."""

    __slots__ = ("index", "node")

    def __init__(self, node: Node, index: int) -> None:
        self.node, self.index = node, index


class Joint:
    """One rule for all arguments: `rule(primitive, g, out, *args)` returns a list of cotangents."""

    def __init__(self, rule: Callable[..., Any], reads_out: bool = True) -> None:
        self.rule, self.reads_out = rule, reads_out


class Cotangents(dict[int, Any]):
    """The cotangents that have reached the outputs of a node with several, by output."""

    def __add__(self, other: Cotangents) -> Cotangents:
        both = Cotangents(self)
        for index, g in other.items():
            both[index] = both[index] + g if index in both else g
        return both

    def filled(self, outs: Sequence[Any]) -> tuple[Any, ...]:
        """One cotangent for each output, zeros for those that nothing used."""
        return tuple(self[i] if i in self else zeros(o) for i, o in enumerate(outs))


class Watch:
    """A foreign array that a node needs unchanged, and a fingerprint to tell.

    It is made of the sums of all rows and columns of the elements laid out in a square, so that any
    one change shows, and any two: what it takes is the time to read the array twice.
    """

    __slots__ = ("array", "print", "user")

    def __init__(self, array: np.ndarray[Any, Any], user: object) -> None:
        self.array, self.user = array, str(user)
        self.print = self._fingerprint()

    def _fingerprint(self) -> int:
        bits = self.array.ravel(order="K").view(f"u{min(self.array.itemsize, 8)}")
        side = math.isqrt(bits.size)
        square, rest = bits[: side * side].reshape(side, side), bits[side * side :]
        sums = [np.add.reduce(square, axis=i, dtype=bits.dtype).tobytes() for i in (0, 1)]
        return hash((*sums, rest.tobytes()))

    def check(self) -> None:
        if self._fingerprint() != self.print:
            raise MutatedArrayError(
                f"An array of shape {self.array.shape} was changed in place after {self.user} had "
                "recorded it, so the derivative would be wrong. Pass a copy (x.copy()), or change "
                "the array only after the backward pass."
            )


def foreign(array: Any, user: object, watch: list[Watch]) -> Any:
    """An array that user code may write to, made safe to keep: a copy, or watched if large."""
    if type(array) is not np.ndarray or (array.flags.owndata and not array.flags.writeable):
        return array
    if array.nbytes <= _COPY_BYTES:
        return array.copy(order="K")
    repeated = [s == 0 and n > 1 for s, n in zip(array.strides, array.shape)]
    if any(repeated):  # what is repeated is enough
        once = array[tuple(slice(1) if r else slice(None) for r in repeated)]
        return np.broadcast_to(foreign(once, user, watch), array.shape)
    watch.append(Watch(array, user))
    return array


def _check(watches: Sequence[Watch]) -> None:
    for watch in watches:
        watch.check()


class Tape(Trace):
    """The trace of reverse mode: its mark is the node that made the value."""

    def leaf(self, value: Any) -> Box:
        """A box for an input of the transform, at which the walk will end."""
        node, watch = Leaf(value), list[Watch]()
        value = foreign(value, self, watch)
        node.watch = watch or None
        return box(value, self, node)

    def apply(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        # every small operation passes here: the common case first, and nothing called in vain
        values: list[Any] = []
        parents: list[Any] = []
        tracked = False
        strange: list[int] | None = None  # positions of arrays that user code may still change
        for a in args:
            if isinstance(a, Box):
                if a._trace is self:
                    node = a._node
                    values.append(a._inner)
                    parents.append(node)
                    if node is not None:
                        tracked = True
                    continue
                a = bare(a)
            elif a.__class__ is not float and a.__class__ is not int:
                a = constant(a, primitive.name)
                if strange is None:
                    strange = []
                strange.append(len(values))
            values.append(a)
            parents.append(None)
        level = self.level
        if self.closed:
            self.refuse(primitive.name)
        if not tracked or primitive.vjps is None or level < _NO_GRAD_BELOW.get():
            return self._untracked(primitive, values, params)
        if primitive.record is not None:
            watch: list[Watch] = []
            for i in strange or ():
                values[i] = foreign(values[i], primitive.name, watch)
            return primitive.record(primitive, self, values, parents, params, watch)
        try:
            out = bind(primitive, values, params) if level else primitive.impl(*values, **params)
        except ValueError as error:
            raise explained(primitive, args, error) from None
        node = Node(primitive, values, parents, out, params)
        if primitive.multi:
            _forget_and_guard(node, strange or ())
            return boxed_outputs(self, node, out)
        if (
            strange is not None
            or out.size > _LARGE
            or (not primitive.spreads and _any_large(values))
        ):
            _forget_and_guard(node, strange or ())
        new = _new(Box.kind)
        new._inner, new._trace, new._node = out, self, node
        return new

    def _untracked(self, primitive: Primitive, values: Sequence[Any], params: Any) -> Any:
        """Results without derivative: plain values, on an eager tape in boxes without a node."""
        out = bind(primitive, values, params)
        if not self.eager:
            return out
        return tuple(box(o, self, None) for o in out) if primitive.multi else box(out, self, None)

    def grad_of(self, leaf: Leaf) -> Any:
        """What backward passes have added up at a leaf."""
        return leaf.grad


def boxed_outputs(tape: Tape, node: Node, outs: Sequence[Any]) -> tuple[Any, ...]:
    """The outputs of a node with several, as boxes; integers among them have no derivative."""
    passed_only(node.primitive.name, tape, outs)
    return tuple(
        box(o, tape, Port(node, i))
        if o.dtype.kind in "fc"
        else box(o, tape, None)
        if tape.eager
        else o
        for i, o in enumerate(outs)
    )


def _any_large(values: Sequence[Any]) -> bool:
    return max([getattr(v, "size", 0) for v in values]) > _LARGE


def _forget_and_guard(node: Node, strange: Sequence[int]) -> None:
    """Drop large values that no rule of this node will read; guard foreign arrays that one will."""
    primitive, values = node.primitive, node.values
    read: set[int] = set()
    for i, parent in enumerate(node.parents):
        if parent is not None:
            read |= primitive.reads(i, len(values))
    watch: list[Watch] = []
    for i in strange:
        if i in read:
            values[i] = foreign(values[i], primitive.name, watch)
    node.watch = watch or None
    for i, value in enumerate(values):
        if i not in read:
            values[i] = _without_data(value)
    if -1 not in read:
        out = node.out
        node.out = tuple(map(_without_data, out)) if primitive.multi else _without_data(out)


def _without_data(value: Any) -> Any:
    return shape_dtype(value) if getattr(value, "size", 0) > _LARGE else value


EAGER = Tape("Tensor")
EAGER.level = 0
EAGER.eager = True


def match(g: Any, like: Any) -> Any:
    """The cotangent of a value that was broadcast or promoted: summed and cast back to it."""
    if g.shape != like.shape:
        lead = g.ndim - like.ndim
        axes = tuple(range(lead)) + tuple(
            lead + i for i, n in enumerate(like.shape) if n == 1 and g.shape[lead + i] != 1
        )
        if axes:
            g = np.add.reduce(g, axis=axes)
        g = g.reshape(like.shape)
    return cast(g, like.dtype)


def cast(g: Any, dtype: Any) -> Any:
    """A derivative in the dtype of what it belongs to; a real value has a real derivative."""
    if g.dtype == dtype:
        return g
    if g.dtype.kind == "c" and dtype.kind != "c":
        g = g.real
    return g.astype(dtype)


blame: Callable[..., None] | None = None  # what debug_nans does with each cotangent


def line_of(node: Node) -> str:
    """The line of user code that recorded a node, if debug_nans was on."""
    return getattr(node, "where", "a line that ran outside of ga.debug_nans()")


def backward(
    roots: list[tuple[Any, Any]], *, retain: bool = False, onto: Tape | None = None
) -> dict[Leaf, Any]:
    """Walk the graph back from `(node, cotangent)` roots; the cotangents that reach each leaf.

    The list of roots is emptied.
    Nodes are freed as they are passed unless `retain`. With `onto`, the walk's own operations are
    recorded on that tape (create_graph), so that they can be differentiated again.
    """
    pending: dict[int, list[Any]] = {}  # by falling sequence number: a node and its cotangent
    heap: list[int] = []
    leaves: dict[Leaf, Any] = {}

    arrivals = roots  # the list itself, so that nothing else holds the first cotangents
    while True:
        for node, g in arrivals:
            if node.__class__ is Leaf:
                leaves[node] = leaves[node] + g if node in leaves else g
                continue
            if node.__class__ is Port:
                g, node = Cotangents({node.index: g}), node.node
            key = -node.seq
            entry = pending.get(key)
            if entry is None:
                pending[key] = [node, g]
                heappush(heap, key)
            else:
                entry[1] = entry[1] + g
        arrivals.clear()
        if not heap:
            break
        entry = like = c = joint = None  # let go of what the last node held, before allocating more
        node, g = pending.pop(heappop(heap))
        primitive, values, out, params = node.primitive, node.values, node.out, node.params
        if values is None:
            raise FreedGraphError(
                f"The graph was freed by an earlier backward pass (met at {primitive.name}). "
                "Call backward(retain_graph=True) the first time, or compute the loss again."
            )
        if node.watch is not None:
            _check(node.watch)
        if primitive.multi:
            g = g.filled(out)
        if onto is not None:
            values, out = _boxed(node, onto)
        parents = node.parents
        if not retain:
            node.values = node.parents = node.out = None
        vjps = primitive.vjps
        if vjps.__class__ is Joint:
            joint = vjps.rule(primitive, g, out, *values, **params)
        for i, parent in enumerate(parents):
            if parent is None:
                continue
            try:
                c = vjps[i](g, out, *values, **params) if joint is None else joint[i]
            except NonFiniteError as error:
                error.add_note(
                    f"in the derivative of {primitive.name}, recorded at {line_of(node)}"
                )
                raise
            if c is None:
                continue
            if blame is not None:
                blame(node, i, g, c, values)
            like = values[i]
            if c.shape != like.shape or c.dtype is not like.dtype:
                if primitive.name == "subtract" and len(c.shape) == 2:
                    _warn_crossed(values, parents)
                c = match(c, like)
            arrivals.append((parent, c))
    for leaf in leaves:
        if leaf.watch is not None:
            _check(leaf.watch)
    return leaves


def _warn_crossed(values: Sequence[Any], parents: Sequence[Any]) -> None:
    """A column less a vector: what was meant by pairs, as in a loss, becomes a matrix.

    Where the axis was added by hand (by an index or a reshape), the matrix is meant.
    """
    for i, j in ((0, 1), (1, 0)):
        column, vector = np.shape(values[i]), np.shape(values[j])
        made = getattr(parents[i], "primitive", None)
        if (
            vector == column[:1]
            and len(column) == 2
            and column[1] == 1 < column[0]
            and getattr(made, "name", "") not in ("getitem", "reshape")
        ):
            warnings.warn(
                f"A difference of the shapes {column} and {vector} is a matrix, of every element "
                "of one and every element of the other. If pairs were meant (predictions and "
                "targets), reshape one to the shape of the other; if not, write the axis out: "
                "y[None, :].",
                GradargWarning,
                stacklevel=2,
            )


def _boxed(node: Node, tape: Tape) -> tuple[list[Any], Any]:
    """A node's values and output as boxes again, so that rules record what they do with them."""
    values = [
        v if p is None or type(v) is ShapeDtype else box(v, tape, p)
        for v, p in zip(node.values, node.parents)
    ]
    if node.primitive.multi:
        return values, tuple(
            o if type(o) is ShapeDtype else box(o, tape, Port(node, i))
            for i, o in enumerate(node.out)
        )
    return values, node.out if type(node.out) is ShapeDtype else box(node.out, tape, node)
