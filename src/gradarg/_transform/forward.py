"""Forward mode: jvp."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .._core import tree
from .._core.forward import Forward
from .._core.trace import box
from .arguments import Arguments, lowered, numeric, owned, same_leaves, split_aux, zero


def jvp(
    f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False
) -> Any:
    """(out, tangent_out): f at the primals, and its derivative in the direction of the tangents.

    >>> import gradarg as ga, numpy as np
    >>> ga.jvp(np.sin, (0.0,), (2.0,))
    (np.float64(0.0), np.float64(2.0))
    """
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TypeError(
            "ga.jvp takes the primals and the tangents as tuples: ga.jvp(f, (x, y), (dx, dy))."
        )
    return jvp_as("jvp", f, primals, tangents, has_aux)


def jvp_as(
    transform: str, f: Callable[..., Any], primals: Any, tangents: Any, has_aux: bool = False
) -> Any:
    """`jvp`, as part of a transform of another name."""
    given = Arguments(transform, f, tuple(primals))
    values = given.floats()
    directions = same_leaves(given.structure, tuple(tangents), values, given.where, "tangent")
    with Forward(transform, f) as trace:
        boxes = [box(v, trace, t) for v, t in zip(values, directions)]
        out, aux = split_aux(f(*given.filled(boxes)), has_aux, given.where)
        outs, structure = tree.flatten(out)
        outs = [numeric(o, given.where) for o in outs]
        aux = lowered(trace, aux, values)
    value = [o._inner if trace.owns(o) else o for o in outs]
    tangent = [o._node if trace.owns(o) else zero(o) for o in outs]
    results = (
        structure.unflatten(owned(value, values)),
        structure.unflatten(owned(tangent, values, directions)),
    )
    return (*results, aux) if has_aux else results
