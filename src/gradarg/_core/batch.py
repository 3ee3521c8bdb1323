"""Vectorised mapping: the trace whose values carry one hidden axis, always the first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .trace import Box, Trace, box, passed_only

if TYPE_CHECKING:
    from .primitive import Primitive


class Batch(Trace):
    """The trace of vmap. What does not depend on the mapped axis leaves unboxed."""

    hidden = 1

    def __init__(self, transform: str, function: Any, size: int) -> None:
        super().__init__(transform, function)
        self.size = size

    def apply(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        if self.closed:
            self.refuse(primitive.name)
        mapped = [isinstance(a, Box) and a._trace is self for a in args]
        values = [a._inner if m else self.lower(a) for a, m in zip(args, mapped)]
        out = primitive.batch(primitive, self.size, mapped, values, params)
        if primitive.multi:
            return tuple(box(o, self, None) for o in passed_only(primitive.name, self, out))
        return box(out, self, None)
