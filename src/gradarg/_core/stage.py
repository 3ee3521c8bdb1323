"""Staging: the trace that computes with shapes and dtypes alone and writes down the operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .trace import Box, ShapeDtype, Trace, bare, box, constant, shape_dtype

if TYPE_CHECKING:
    from .primitive import Primitive


class Var:
    """A value of a staged graph, by its shape and dtype."""

    __slots__ = ("type",)

    def __init__(self, type: ShapeDtype) -> None:
        self.type = type


class Equation(NamedTuple):
    """`outs = primitive(*inputs, **params)`; an input is a Var or a constant."""

    outs: tuple[Var, ...]
    primitive: Any
    inputs: tuple[Any, ...]
    params: dict[str, Any]


class Stage(Trace):
    """The trace of stage: its data is a ShapeDtype, its mark a Var.

    `stop` is the primitive that has no derivative: within no_grad, results go through it, so that
    the graph has none there either.
    """

    def __init__(self, transform: str, function: Any, stop: Primitive | None = None) -> None:
        super().__init__(transform, function)
        self.stop = stop
        self.equations: list[Equation] = []
        self._foreign: dict[int, tuple[Any, Any]] = {}

    def variable(self, type: ShapeDtype) -> Box:
        return box(type, self, Var(type))

    def _met(self, value: Box) -> Any:
        """A box as it is now: one of another trace may be written to after it was recorded."""
        if value._trace is self:
            return value
        found = bare(value)
        if found is not value:
            return found
        of, before = self._foreign.get(id(value), (None, None))
        if before is None or before._inner is not value._inner or before._node is not value._node:
            before = box(value._inner, value._trace, value._node)
            of = value  # kept, so that no other takes its id
        self._foreign[id(value)] = of, before
        return before

    def apply(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        if self.closed:
            self.refuse(primitive.name)
        args = [self._met(a) if isinstance(a, Box) else constant(a, primitive.name) for a in args]
        types = [
            a._inner if self.owns(a) else shape_dtype(a) if hasattr(a, "shape") else a for a in args
        ]
        out = primitive.shape(*types, **params)
        outs = tuple(map(self.variable, out if primitive.multi else (out,)))
        inputs = tuple(a._node if self.owns(a) else a for a in args)
        self.equations.append(Equation(tuple(o._node for o in outs), primitive, inputs, params))
        if self.stop is not None and primitive.jvp is not None and not self.recording:
            outs = tuple(
                self.apply(self.stop, (o,), {}) if o._inner.dtype.kind in "fc" else o for o in outs
            )
        return outs if primitive.multi else outs[0]
