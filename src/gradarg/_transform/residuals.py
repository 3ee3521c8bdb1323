"""A body and its way back as two bodies: what the second needs, the first puts out besides.

The values between them are the residuals. What is cheap to compute again from one of them, or from
what the way back is given anyway, is computed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .._core.stage import Equation, Var
from .._core.trace import bare
from .body import Body, Mask, at_places, flattened, rebuilt
from .reverse import vjp

_CHEAP = {
    "add", "subtract", "multiply", "product", "negative", "square", "absolute", "sign", "where",
    "maximum", "minimum", "relu", "less", "less_equal", "greater", "greater_equal", "equal",
    "not_equal", "logical_and", "logical_or", "logical_not", "reshape", "transpose", "broadcast_to",
    "getitem", "astype", "stop_gradient", "ones_like", "positive",
}  # fmt: skip


class Halves(NamedTuple):
    """`ahead(*inputs)` is (*outs, *residuals); `back(*free, *residuals, *gs)` the cotangents.

    `free` are the inputs that were said to be, `gs` the cotangents of the outputs in `chosen`; what
    comes back is the cotangent of each input in `moving`.
    """

    ahead: Body
    back: Body
    moving: Mask
    chosen: Mask


def halves(
    body: Body, moving: Mask, chosen: Mask, free: Sequence[bool], fixed: Sequence[bool],
    again: bool = False,
) -> Halves:  # fmt: skip
    """A body in two. Of the `fixed` inputs, which are the same each time, nothing is kept.

    With `again`, nothing at all is kept but inputs: the way back runs the whole body again.
    """
    key = ("halves", moving, chosen, tuple(free), tuple(fixed), again)
    if key not in body.kept:
        body.kept[key] = _halves(body, moving, chosen, free, fixed, again)
    found: Halves = body.kept[key]
    return found


def _halves(body: Body, moving: Mask, chosen: Mask, free: Any, fixed: Any, again: bool) -> Halves:
    count = len(body.inputs)
    places = [i for i, m in enumerate(moving) if m]
    ends: list[int] = []

    def both(*flat: Any) -> Any:
        values, gs = flat[:count], flat[count:]
        f = at_places(body, places, values)

        def some(*moved: Any) -> Any:
            outs = f(*moved)
            return tuple(o for o, m in zip(outs, chosen) if m), outs

        _, pullback, outs = vjp(some, *(values[i] for i in places), has_aux=True)
        ends.append(len(flat[0]._trace.equations))
        return (*outs, *pullback.transposed(list(gs)))

    wanted = [t for t, m in zip(body.types, chosen) if m]
    graph = body.staged("vjp", both, [*body.inputs, *wanted])
    inputs, gs = graph.inputs[:count], graph.inputs[count:]
    forward, backward = graph.equations[: ends[0]], graph.equations[ends[0] :]
    outs, found = graph.outputs[: len(chosen)], graph.outputs[len(chosen) :]
    given = [v for v, m in zip(inputs, free) if m]
    needs = _needs(inputs, forward, given, fixed, again)
    residuals, repeated = _between(
        forward, [*(i for e in backward for i in e.inputs), *found], needs
    )

    def made(name: str, inputs: Any, outputs: Any, equations: Any) -> Body:
        part = flattened(graph, inputs, outputs, equations)
        part.name = name
        return Body(rebuilt(part, inputs, bare))

    return Halves(
        made(body.name, inputs, [*outs, *residuals], forward),
        made(graph.name, [*given, *residuals, *gs], found, [*repeated, *backward]),
        moving,
        chosen,
    )


Needs = dict[Var, frozenset[Var]]  # what must be kept to have a value: itself, or what it is of


def _needs(
    inputs: Sequence[Var], forward: Sequence[Equation], given: Any, fixed: Any, again: bool
) -> Needs:
    needs = {v: frozenset[Var]() if v in given else frozenset([v]) for v in inputs}
    constant = {v for v, m in zip(inputs, fixed) if m}
    for e in forward:
        of = [i for i in e.inputs if isinstance(i, Var)]
        all_of = frozenset[Var]().union(*(needs[i] for i in of))
        if all(i in constant for i in of):
            constant.update(e.outs)
            repeats = True
        else:
            size = sum(v.type.size for v in all_of)
            repeats = again or (e.primitive.name in _CHEAP and size <= e.outs[0].type.size)
        needs.update((o, all_of if repeats else frozenset([o])) for o in e.outs)
    return needs


def _between(
    forward: Sequence[Equation], read: Sequence[Any], needs: Needs
) -> tuple[list[Var], list[Equation]]:
    """The values to keep, and the operations to repeat, for what is read."""
    made = {o: e for e in forward for o in e.outs}
    residuals: dict[Var, None] = {}  # in order
    repeated: set[Var] = set()
    left = [v for v in reversed(read) if isinstance(v, Var) and v in needs]
    while left:
        v = left.pop()
        if v in needs[v]:
            residuals[v] = None
        elif v in made and v not in repeated:
            repeated.update(made[v].outs)
            left += [i for i in made[v].inputs if isinstance(i, Var)]
    return list(residuals), [e for e in forward if e.outs[0] in repeated]


__all__ = ["Halves", "halves"]
