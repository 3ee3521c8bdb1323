"""Bodies: functions staged once, that control flow runs many times.

`closed` stages a function and makes arguments of all that it captures, so that derivatives with
respect to captured values are found like any other. From a `Body` follow others: its tangents,
its cotangents, itself mapped over an axis.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from .._core import tree
from .._core.stage import Equation, Var
from .._core.trace import Box, ShapeDtype, bare, bind, refuse_captured, shape_dtype
from .batch import vmap
from .forward import jvp
from .graph import Graph, stage

Mask = tuple[bool, ...]


class Body:
    """A function of flat arrays that captures nothing: `run` on arrays, `flat` on any values.

    `compiled(run)` is the same body with another way to run it.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.name = graph.name
        self.inputs = [v.type for v in graph.inputs]
        self.types = [o.type if isinstance(o, Var) else shape_dtype(o) for o in graph.outputs]
        self.kept: dict[Hashable, Any] = {}  # what follows from it
        self._program: Any = None

    def run(self, *arrays: Any) -> Sequence[Any]:
        """The outputs for arrays, each operation by NumPy's own evaluation."""
        if self._program is None:
            self._program = _program(self.graph)
        steps, rest, places = self._program
        values = [*arrays, *rest]
        for impl, ins, outs, params in steps:
            out = impl(*[values[i] for i in ins], **params)
            if outs.__class__ is int:
                values[outs] = out
            else:
                for i, o in zip(outs, out):
                    values[i] = o
        return [values[i] for i in places]

    def compiled(self, run: Callable[..., Sequence[Any]]) -> Body:
        """This body, run by another program for the same graph."""
        new = Body(self.graph)
        new.run = run  # type: ignore[method-assign]
        return new

    def flat(self, *values: Any) -> list[Any]:
        """The outputs for values of any kind, each operation seen by their transforms."""
        known: dict[Any, Any] = dict(zip(self.graph.inputs, values))
        for e in self.graph.equations:
            out = bind(e.primitive, [known[i] if isinstance(i, Var) else i for i in e.inputs],
                       e.params)  # fmt: skip
            known.update(zip(e.outs, out if e.primitive.multi else (out,)))
        return [known[o] if isinstance(o, Var) else o for o in self.graph.outputs]

    def reached(self, marked: Sequence[bool], smooth: bool) -> list[bool]:
        """Which outputs depend on the marked inputs; with `smooth`, by more than constant steps."""
        seen = {v for v, m in zip(self.graph.inputs, marked) if m}
        for e in self.graph.equations:
            if smooth and e.primitive.jvp is None:
                continue
            if any(i in seen for i in e.inputs if isinstance(i, Var)):
                seen.update(o for o in e.outs if not smooth or o.type.dtype.kind in "fc")
        return [isinstance(o, Var) and o in seen for o in self.graph.outputs]

    def staged(self, key: Hashable, f: Callable[..., Any], types: Sequence[ShapeDtype]) -> Graph:
        """The graph of a function made from this body."""
        f.__name__ = f"{key[0] if isinstance(key, tuple) else key}({self.name})"
        graph = stage(f, *types)
        for x in (*graph.outputs, *(i for e in graph.equations for i in e.inputs)):
            if isinstance(x, Box) and bare(x) is x:
                refuse_captured(f"The derivative of {self.name}", x._trace)
        return graph

    def derived(self, key: Hashable, f: Callable[..., Any], types: Sequence[ShapeDtype]) -> Body:
        """The body of a function made from this one, staged once for each key."""
        if key not in self.kept:
            graph = self.staged(key, f, types)
            self.kept[key] = Body(rebuilt(graph, graph.inputs, bare))
        found: Body = self.kept[key]
        return found

    def mapped(self, marked: Sequence[bool], outs: Sequence[bool], size: int) -> Body:
        """This body over an axis that the marked inputs have in front, and these outputs get."""
        if not any(marked) and not any(outs):
            return self
        axes, places = [tuple(0 if m else None for m in mask) for mask in (marked, outs)]

        def over(*values: Any) -> Any:
            if not any(marked):  # the outputs are repeated
                found = self.flat(*values)
                return [exposed(o, size) if m else o for o, m in zip(found, outs)]
            f = vmap(lambda *xs: tuple(self.flat(*xs)), in_axes=axes, out_axes=places)
            return f(*values)

        types = [ShapeDtype((size, *t.shape), t.dtype) if m else t
                 for t, m in zip(self.inputs, marked)]  # fmt: skip
        return self.derived(("vmap", axes, places, size), over, types)

    def taking(self, types: Sequence[ShapeDtype], at: int) -> Body:
        """This body with more inputs, of which it does not make use."""
        inputs = list(self.graph.inputs)
        inputs[at:at] = map(Var, types)
        return Body(flattened(self.graph, inputs, self.graph.outputs))

    def __str__(self) -> str:
        return str(self.graph)


def exposed(value: Any, size: int) -> Any:
    """A value repeated along a new axis in front."""
    return np.broadcast_to(value, (size, *value.shape))


def pushed(
    body: Body, values: Sequence[Any], tangents: Sequence[Any]
) -> tuple[Sequence[Any], Sequence[Any]]:
    """The outputs of a body and their tangents, for those of its inputs (None: no tangent)."""
    places = [i for i, t in enumerate(tangents) if t is not None]
    if not places:
        return body.flat(*values), [None] * len(body.types)
    primals, moves = [values[i] for i in places], [tangents[i] for i in places]
    outs, found = jvp(at_places(body, places, values), primals, moves)
    return outs, found


def at_places(body: Body, places: Sequence[int], values: Sequence[Any]) -> Callable[..., Any]:
    """A body as a function of some of its inputs, the others being fixed."""

    def of_some(*some: Any) -> Any:
        full = list(values)
        for i, x in zip(places, some):
            full[i] = x
        return tuple(body.flat(*full))

    return of_some


# ---- closure conversion


def closed(f: Callable[..., Any], types: Sequence[ShapeDtype]) -> tuple[Body, list[Any]]:
    """The body of a function of flat arrays, and the values it captures: its first arguments.

    These are values that another transform watches, and arrays that may change under it.
    """
    graph = stage(f, *types)
    found: dict[int, tuple[Var, Any]] = {}

    def argument(x: Any) -> Any:
        x = bare(x)
        if not (isinstance(x, Box) or _may_change(x)):
            return x
        return found.setdefault(id(x), (Var(shape_dtype(x)), x))[0]

    graph = rebuilt(graph, graph.inputs, argument)
    inputs = [v for v, _ in found.values()]
    graph = rebuilt(graph, [*inputs, *graph.inputs], argument)
    return Body(graph), [x for _, x in found.values()]


def _may_change(x: Any) -> bool:
    return type(x) is np.ndarray and (x.flags.writeable or (x.base is not None and any(x.strides)))


def rebuilt(graph: Graph, inputs: Sequence[Var], argument: Callable[[Any], Any]) -> Graph:
    """A graph with other constants, flat arguments and results, without what nothing needs."""

    def of(x: Any) -> Any:
        return x if isinstance(x, Var) else argument(x)

    needed = {o for o in graph.outputs if isinstance(o, Var)}
    kept: list[Equation] = []
    for e in reversed(graph.equations):
        if any(o in needed for o in e.outs):
            kept.append(e)
            needed.update(i for i in e.inputs if isinstance(i, Var))
    equations = [e._replace(inputs=tuple(map(of, e.inputs))) for e in reversed(kept)]
    outputs = [of(o) for o in graph.outputs]
    return flattened(graph, inputs, outputs, equations)


def flattened(graph: Graph, inputs: Any, outputs: Any, equations: Any = None) -> Graph:
    """A graph with other arguments and results, which are flat."""
    forms = [tree.flatten((0,) * len(x))[1] for x in (inputs, outputs)]
    equations = graph.equations if equations is None else equations
    return Graph(graph.name, inputs, equations, outputs, *forms)


# ---- to run


def _program(graph: Graph) -> tuple[list[Any], list[Any], list[int]]:
    """The operations with numbered places for their values, which are used again when free."""
    where = {v: i for i, v in enumerate(graph.inputs)}
    lasts: list[list[Var]] = []
    needed = {o for o in graph.outputs if isinstance(o, Var)}
    for e in reversed(graph.equations):
        seen = {v for v in (*e.inputs, *e.outs) if isinstance(v, Var)}
        lasts.append([v for v in seen if v not in needed])
        needed |= seen
    rest: list[Any] = []

    def constant(x: Any) -> int:
        rest.append(x)
        return len(where_all) + len(rest) - 1

    where_all = list(graph.inputs)
    steps, free = [], list[int]()
    for e, last in zip(graph.equations, reversed(lasts)):
        ins = [where[i] if isinstance(i, Var) else constant(i) for i in e.inputs]
        for o in e.outs:
            where[o] = free.pop() if free else constant(None)
        outs = [where[o] for o in e.outs]
        free += [where[v] for v in last]
        steps.append((e.primitive.impl, ins, outs if e.primitive.multi else outs[0], e.params))
    places = [where[o] if isinstance(o, Var) else constant(o) for o in graph.outputs]
    return steps, rest, places
