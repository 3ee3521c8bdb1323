"""Forward mode: the trace whose mark is the tangent, pushed along with each value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .tape import cast
from .trace import Trace, bind, box, passed_only

if TYPE_CHECKING:
    from .primitive import Primitive


class Forward(Trace):
    """The trace of forward mode. A value without tangent is a constant, and leaves unboxed."""

    def apply(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        if self.closed:
            self.refuse(primitive.name)
        tangents = [a._node if self.owns(a) else None for a in args]
        values = [self.lower(a) for a in args]
        if primitive.dual is not None and self.recording:
            out, tangent = primitive.dual(tangents, *values, **params)
        else:
            out, tangent = bind(primitive, values, params), None
        if primitive.multi:
            passed_only(primitive.name, self, out)
        if primitive.jvp is None or not self.recording:
            return out
        if tangent is None:
            tangent = primitive.push(tangents, out, *values, **params)
        if primitive.multi:
            return tuple(
                o if t is None or o.dtype.kind not in "fc" else box(o, self, conform(t, o))
                for o, t in zip(out, tangent)
            )
        return box(out, self, conform(tangent, out))


def conform(tangent: Any, like: Any) -> Any:
    """A tangent in the shape and dtype of its value."""
    if tangent.shape != like.shape:
        tangent = np.broadcast_to(tangent, like.shape)
    return cast(tangent, like.dtype)
