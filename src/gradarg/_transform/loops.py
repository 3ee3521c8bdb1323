"""The primitives of control flow: cond, while_loop, scan, on flat arguments.

Each holds `Body`s, and each of its derivatives is the same primitive over derived bodies. A loop's
arguments are those of its body: constants, then what is carried from step to step, then (of scan)
arrays that are sliced along their first axis.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._core.errors import DerivativeError
from .._core.primitive import Primitive, varies
from .._core.tape import Joint, Node, Tape, Watch, boxed_outputs
from .._core.trace import Box, ShapeDtype, bind, box, refuse_captured, shape_dtype, zeros
from .body import Body, Mask, exposed, pushed
from .residuals import Halves, halves


def _plain(name: str, outs: Sequence[Any]) -> Sequence[Any]:
    """Outputs of a body that ran on arrays; a box among them came around its arguments."""
    for o in outs:
        if isinstance(o, Box):
            refuse_captured(name, o._trace)
    return outs


def _own(outs: Sequence[Any], args: Sequence[Any]) -> list[Any]:
    """Outputs that share no memory with the arguments; numbers are NumPy's, as of any operation."""
    given = {id(a) for a in args}

    def of(o: Any) -> Any:
        if type(o) is not np.ndarray:
            return o
        if not o.ndim:
            return o[()]
        return o.copy() if o.base is not None or id(o) in given else o

    return list(map(of, outs))


def _is_zero(g: Any) -> bool:
    """Whether a cotangent is the zero that stands for none."""
    return type(g) is np.ndarray and g.size > 0 and not any(g.strides) and not g.flat[0]


def _moving(tangents: Sequence[Any], args: Sequence[Any]) -> list[bool]:
    return [t is not None and varies(a) for t, a in zip(tangents, args)]


def _chosen(values: Sequence[Any], mask: Sequence[bool]) -> list[Any]:
    return [v for v, m in zip(values, mask) if m]


def _placed(values: Any, mask: Sequence[bool]) -> list[Any]:
    """One value for each True of a mask, None for the others."""
    rest = iter(values)
    return [next(rest) if m else None for m in mask]


def _zeros_where_none(tangents: Sequence[Any], mask: Sequence[bool], args: Any) -> list[Any]:
    return [zeros(a) if t is None else t for t, m, a in zip(tangents, mask, args) if m]


def _dual_alone(primitive_dual: Any) -> Any:
    """The JVP rule of a primitive that finds its output and tangent together."""

    def jvp(tangents: Any, _out: Any, *args: Any, **params: Any) -> Any:
        return primitive_dual(tangents, *args, **params)[1]

    return jvp


# ---- cond: pred, then the arguments of both branches


def _cond(pred: Any, *args: Any, then: Body, other: Body, **_: Any) -> tuple[Any, ...]:
    return tuple(_own(_plain("cond", (then if pred else other).run(*args)), args))


def _cond_dual(tangents: Any, pred: Any, *args: Any, then: Body, other: Body, **_: Any) -> Any:
    tangents = tangents[1:]
    moving = tuple(_moving(tangents, args))
    reached = [a or b for a, b in zip(then.reached(moving, True), other.reached(moving, True))]

    def derived(body: Body) -> Body:
        def push(*flat: Any) -> Any:
            values, ts = flat[: len(args)], _placed(flat[len(args) :], moving)
            outs, touts = pushed(body, values, ts)
            touts = [zeros(o) if t is None else t for o, t in zip(outs, touts)]
            return (
                *outs,
                *_chosen(touts, reached),
            )

        types = [*body.inputs, *_chosen(body.inputs, moving)]
        return body.derived(("jvp", moving, tuple(reached)), push, types)

    outs = bind(
        COND,
        [pred, *args, *_chosen(tangents, moving)],
        {"then": derived(then), "other": derived(other)},
    )
    count = len(then.types)
    return outs[:count], _placed(outs[count:], reached)


def _cond_vjp(
    _p: Any, g: Any, _out: Any, pred: Any, *args: Any, then: Body, other: Body, wanted: Any = None
) -> list[Any]:
    moving = tuple(map(varies, args) if wanted is None else wanted[1:])
    live = tuple(
        (a or b) and not _is_zero(gi)
        for a, b, gi in zip(then.reached(moving, True), other.reached(moving, True), g)
    )
    if not any(live):
        return [None] * (1 + len(args))

    every = (True,) * len(args)

    def back(body: Body) -> Body:
        return halves(body, moving, live, every, (False,) * len(args), again=True).back

    found = bind(COND, [pred, *args, *_chosen(g, live)], {"then": back(then), "other": back(other)})
    return [None, *_placed(found, moving)]


def _cond_batch(_p: Any, size: int, mapped: Any, args: Any, params: Any) -> tuple[Any, ...]:
    (choice, *mask), (pred, *args) = mapped, args
    then, other = params["then"], params["other"]
    outs = [a or b for a, b in zip(then.reached(mask, False), other.reached(mask, False))]
    bodies = [body.mapped(mask, outs, size) for body in (then, other)]
    if not choice:
        found = bind(COND, [pred, *args], dict(zip(("then", "other"), bodies)))
        return tuple(o if m else exposed(o, size) for o, m in zip(found, outs))
    pred = pred if pred.dtype.kind == "b" else pred != 0
    with np.errstate(all="ignore"):  # where a branch is not taken it may be singular
        pairs = list(zip(*(body.flat(*args) for body in bodies)))
    return tuple(
        np.where(np.reshape(pred, (size,) + (1,) * t.ndim), x, y)
        for x, y, t in zip(*zip(*pairs), then.types)
    )


def _recorded(
    p: Primitive, tape: Tape, values: Any, parents: Any, params: Any, watch: Any, **notes: Any
) -> Any:
    """The operation on the tape; `notes` are more parameters for its derivative."""
    outs = bind(p, values, params)
    node = Node(p, values, parents, outs, {**params, **notes})
    node.watch = watch or None
    return boxed_outputs(tape, node, outs)


def _wanted(values: Any, parents: Any) -> list[bool]:
    """Which arguments a derivative is wanted by."""
    return [parent is not None and varies(v) for parent, v in zip(parents, values)]


def _record_cond(
    p: Primitive, tape: Tape, values: Any, parents: Any, params: Any, watch: list[Watch]
) -> Any:
    wanted = _wanted(values, parents)
    return _recorded(p, tape, values, parents, params, watch, wanted=wanted)


COND = Primitive(
    "cond",
    _cond,
    vjps=Joint(_cond_vjp, reads_out=False),
    jvp=_dual_alone(_cond_dual),
    dual=_cond_dual,
    batch=_cond_batch,
    shape=lambda *_args, then, **_: tuple(then.types),
    multi=True,
    record=_record_cond,
)


# ---- loops


def _parts(values: Sequence[Any], consts: int, carries: int) -> tuple[Any, Any, Any]:
    end = consts + carries
    return values[:consts], values[consts:end], values[end:]


def _settled(
    body: Body, marked: Sequence[bool], consts: int, carries: int, smooth: bool
) -> tuple[Mask, Mask]:
    """The marks of the inputs after any number of steps, and those of the outputs."""
    marked = list(marked)
    while True:
        outs = body.reached(marked, smooth)
        now = marked[consts : consts + carries]
        after = [a or b for a, b in zip(now, outs)]
        if after == now:
            return tuple(marked), tuple(outs)
        marked[consts : consts + carries] = after


def _started(marked: Sequence[bool], was: Sequence[bool], args: Any, size: int) -> list[Any]:
    """The arguments, with the hidden axis where the loop will give it to them."""
    return [exposed(a, size) if m and not w else a for a, m, w in zip(args, marked, was)]


# ---- while_loop


def _while(*args: Any, test: Body, body: Body, consts: int) -> tuple[Any, ...]:
    fixed, carry = args[:consts], list(args[consts:])
    while _plain("while_loop", test.run(*fixed, *carry))[0]:
        carry = list(_plain("while_loop", body.run(*fixed, *carry)))
    return tuple(_own(carry, args))


def _while_dual(tangents: Any, *args: Any, test: Body, body: Body, consts: int) -> Any:
    carries = len(args) - consts
    moving, _ = _settled(body, _moving(tangents, args), consts, carries, True)
    fixed, carry, _ = _parts(args, consts, carries)
    of_fixed, of_carry, _ = _parts(moving, consts, carries)
    moves = _zeros_where_none(tangents, moving, args)
    split = sum(of_fixed)
    low = consts + split  # where the carry begins

    def push(*flat: Any) -> Any:
        values = [*flat[:consts], *flat[low : low + carries]]
        ts = _placed([*flat[consts:low], *flat[low + carries :]], moving)
        outs, touts = pushed(body, values, ts)
        return (
            *outs,
            *_conformed(_chosen(touts, of_carry), _chosen(outs, of_carry)),
        )

    f, c, _ = _parts(body.inputs, consts, carries)
    types = [*f, *_chosen(f, of_fixed), *c, *_chosen(c, of_carry)]

    def again(*flat: Any) -> Any:
        return tuple(test.flat(*flat[:consts], *flat[low : low + carries]))

    found = bind(
        WHILE,
        [*fixed, *moves[:split], *carry, *moves[split:]],
        {
            "test": test.derived(("test", moving), again, types),
            "body": body.derived(("jvp", moving), push, types),
            "consts": low,
        },
    )
    return found[:carries], _placed(found[carries:], of_carry)


def _conformed(tangents: Sequence[Any], outs: Sequence[Any]) -> list[Any]:
    return [zeros(o) if t is None else t for t, o in zip(tangents, outs)]


def _while_batch(_p: Any, size: int, mapped: Any, args: Any, params: Any) -> tuple[Any, ...]:
    test, body, consts = params["test"], params["body"], params["consts"]
    carries = len(args) - consts
    fixed = args[:consts]
    marked, _ = _settled(body, mapped, consts, carries, False)
    varying = test.reached(marked, False)[0]
    if varying:  # each position stops by itself
        marked = (*marked[:consts], *[True] * carries)
    outs = marked[consts:]
    carry = _started(marked, mapped, args, size)[consts:]
    test = test.mapped(marked, [varying], size)
    body = body.mapped(marked, outs, size)
    if not varying:
        found = bind(WHILE, [*fixed, *carry], {"test": test, "body": body, "consts": consts})
        return tuple(o if m else exposed(o, size) for o, m in zip(found, outs))

    def step(*flat: Any) -> Any:
        ahead, going, now = flat[:consts], flat[consts], flat[consts + 1 :]
        after = [
            np.where(np.reshape(going, (size,) + (1,) * (a.ndim - 1)), a, b)
            for a, b in zip(body.flat(*ahead, *now), now)
        ]
        return (
            _true(test.flat(*ahead, *after)[0]) & going,
            *after,
        )

    def any_going(*flat: Any) -> Any:
        return (np.any(flat[consts]),)

    types = [*body.inputs[:consts], ShapeDtype((size,), bool), *body.inputs[consts:]]
    found = bind(
        WHILE,
        [*fixed, _true(test.flat(*fixed, *carry)[0]), *carry],
        {
            "test": test.derived(("any",), any_going, types),
            "body": body.derived(("step", id(test)), step, types),
            "consts": consts,
        },
    )
    return tuple(found[1:])


def _true(pred: Any) -> Any:
    return pred if pred.dtype.kind == "b" else pred != 0


def _no_reverse(_p: Any, _g: Any, _out: Any, *_args: Any, body: Body, **_: Any) -> Any:
    raise DerivativeError(
        f"ga.while_loop({body.name}) has no derivative in reverse mode (grad, vjp, backward): how "
        "many steps there are to walk back is not known when it is staged. Write ga.scan, or "
        "ga.fori_loop with Python integers as bounds; or take the derivative in forward mode "
        "(ga.jvp)."
    )


def _record_while(
    p: Primitive, tape: Tape, values: Any, parents: Any, params: Any, watch: list[Watch]
) -> Any:
    """Outputs that do not vary are free of the derivative that does not exist."""
    consts = params["consts"]
    wanted = _wanted(values, parents)
    moved = _settled(params["body"], wanted, consts, len(values) - consts, True)[0][consts:]
    boxes = _recorded(p, tape, values, parents, params, watch)
    return tuple(
        b if m or not tape.owns(b) else b._inner if tape.level else box(b._inner, tape, None)
        for b, m in zip(boxes, moved)
    )


WHILE = Primitive(
    "while_loop",
    _while,
    vjps=Joint(_no_reverse),
    jvp=_dual_alone(_while_dual),
    dual=_while_dual,
    batch=_while_batch,
    shape=lambda *_args, body, **_: tuple(body.types),
    multi=True,
    record=_record_while,
)


# ---- scan: constants, carries, arrays to slice; the final carries, and the stacked outputs


def _scan(
    *args: Any,
    body: Body,
    consts: int,
    carries: int,
    length: int,
    reverse: bool,
    **_: Any,
) -> tuple[Any, ...]:
    fixed, carry, xs = _parts(args, consts, carries)
    ys = [np.empty((length, *t.shape), t.dtype) for t in body.types[carries:]]
    run = body.run
    rows = zip(*(x[::-1] if reverse else x for x in xs)) if xs else itertools.repeat(())
    for i, row in zip(reversed(range(length)) if reverse else range(length), rows):
        outs = run(*fixed, *carry, *row)
        carry = outs[:carries]
        for y, o in zip(ys, outs[carries:]):
            y[i] = o if o.__class__ is not Box.kind else _plain("scan", (o,))
    return (*_own(_plain("scan", carry), args), *ys)


def _scan_types(*_args: Any, body: Body, carries: int, length: int, **_: Any) -> tuple[Any, ...]:
    ys = [ShapeDtype((length, *t.shape), t.dtype) for t in body.types[carries:]]
    return (*body.types[:carries], *ys)


def _scan_dual(
    tangents: Any,
    *args: Any,
    body: Body,
    consts: int,
    carries: int,
    **rest: Any,
) -> Any:
    moving, reached = _settled(body, _moving(tangents, args), consts, carries, True)
    of_parts = _parts(moving, consts, carries)
    moves = _zeros_where_none(tangents, moving, args)
    counts = [sum(m) for m in of_parts]
    move_parts = _parts(moves, *counts[:2])
    # each part of the arguments is followed by its tangents
    mixed = [x for part, ts in zip(_parts(args, consts, carries), move_parts) for x in (*part, *ts)]
    types = [
        t
        for part, mask in zip(_parts(body.inputs, consts, carries), of_parts)
        for t in (*part, *_chosen(part, mask))
    ]
    low, mid = consts + counts[0], carries + counts[1]
    live = (*of_parts[1], *reached[carries:])

    def push(*flat: Any) -> Any:
        given = list(zip(_parts(flat, low, mid), map(len, of_parts)))
        values = [x for part, n in given for x in part[:n]]
        ts = _placed([t for part, n in given for t in part[n:]], moving)
        outs, touts = pushed(body, values, ts)
        touts = _conformed(touts, outs)
        return (*outs[:carries],
            *_chosen(touts[:carries], live[:carries]),
            *outs[carries:],
            *_chosen(touts[carries:], live[carries:]),)  # fmt: skip

    found = bind(
        SCAN,
        mixed,
        {
            "body": body.derived(("jvp", moving), push, types),
            "consts": low,
            "carries": mid,
            **rest,
        },
    )
    count = len(body.types) - carries
    outs = (*found[:carries], *found[mid : mid + count])
    return outs, _placed([*found[carries:mid], *found[mid + count :]], live)


def _in_halves(params: Any, wanted: Sequence[bool]) -> Halves:
    """The step, and its way back, for the arguments by which a derivative is wanted."""
    body, consts, carries = params["body"], params["consts"], params["carries"]
    moving, reached = _settled(body, wanted, consts, carries, True)
    chosen = (*moving[consts : consts + carries], *reached[carries:])
    places = range(len(moving))
    fixed = [i < consts for i in places]
    free = [i < consts or i >= consts + carries for i in places]
    return halves(body, moving, chosen, free, fixed, params.get("again", False))


def _record_scan(
    p: Primitive, tape: Tape, values: Any, parents: Any, params: Any, watch: list[Watch]
) -> Any:
    """With the residuals of every step among the outputs, for the way back."""
    way = _in_halves(params, _wanted(values, parents))
    ahead = {**params, "body": way.ahead}
    return _recorded(p, tape, values, parents, ahead, watch, way=way)[: len(way.chosen)]


def _scan_vjp(
    _p: Any, g: Any, out: Any, *args: Any, way: Halves | None = None, **params: Any
) -> list[Any]:
    if way is None or not all(map(_is_zero, g[len(way.chosen) :])):  # the residuals are used too
        way = _in_halves(params, list(map(varies, args)))
        out = bind(SCAN, args, {**params, "body": way.ahead})
    consts, carries, count = params["consts"], params["carries"], len(way.chosen)
    of_carry, of_ys = way.chosen[:carries], way.chosen[carries:]
    if all(map(_is_zero, _chosen(g, way.chosen))):
        return [None] * len(args)
    of_consts, _, of_xs = _parts(way.moving, consts, carries)
    fixed, _, xs = _parts(args, consts, carries)
    starts = [zeros(a) for a in _chosen(fixed, of_consts)]
    sizes = [consts, sum(of_carry), len(starts), len(out) - count, len(xs), sum(of_ys)]
    back = way.back

    def step(*flat: Any) -> Any:
        rest = iter(flat)
        ahead, cts, sums, saved, now, gys = ([next(rest) for _ in range(n)] for n in sizes)
        found = back.flat(*ahead, *now, *saved, *cts, *gys)
        dfixed, dcarry, dxs = _parts(found, len(starts), len(cts))
        return (*dcarry, *(s + d for s, d in zip(sums, dfixed)), *dxs)

    given, end = consts + len(xs), consts + len(xs) + sizes[3]
    sorts = back.inputs
    types = [*sorts[:consts], *sorts[end : end + sizes[1]], *map(shape_dtype, starts),
             *sorts[given:end], *sorts[consts:given], *sorts[end + sizes[1] :]]  # fmt: skip
    found = bind(
        SCAN,
        [*fixed, *_chosen(g[:carries], of_carry), *starts, *out[count:], *xs,
         *_chosen(g[carries:count], of_ys)],
        {**params, "body": back.derived("step", step, types), "carries": sizes[1] + sizes[2],
         "reverse": not params["reverse"]},
    )  # fmt: skip
    dcarry, sums, dxs = _parts(found, *sizes[1:3])
    return [*_placed(sums, of_consts), *_placed(dcarry, of_carry), *_placed(dxs, of_xs)]


def _scan_batch(_p: Any, size: int, mapped: Any, args: Any, params: Any) -> tuple[Any, ...]:
    body, consts, carries = params["body"], params["consts"], params["carries"]
    marked, reached = _settled(body, mapped, consts, carries, False)
    outs = (*marked[consts : consts + carries], *reached[carries:])
    fixed, _, xs = _parts(args, consts, carries)
    carry = _started(marked, mapped, args, size)[consts : consts + carries]
    xs = [np.moveaxis(x, 1, 0) if m else x for x, m in zip(xs, marked[consts + carries :])]
    body = body.mapped(marked, outs, size)
    found = bind(SCAN, [*fixed, *carry, *xs], {**params, "body": body})
    return tuple(
        exposed(o, size) if not m else np.moveaxis(o, 0, 1) if i >= carries else o
        for i, (o, m) in enumerate(zip(found, outs))
    )


SCAN = Primitive(
    "scan",
    _scan,
    vjps=Joint(_scan_vjp),
    jvp=_dual_alone(_scan_dual),
    dual=_scan_dual,
    batch=_scan_batch,
    shape=_scan_types,
    multi=True,
    record=_record_scan,
)


def in_chunks(
    body: Body, args: Sequence[Any], consts: int, carries: int, length: int, reverse: bool
) -> tuple[Any, ...]:
    """`scan` whose way back keeps only every sqrt(length)-th carry, and runs each part again."""
    size = int(np.ceil(np.sqrt(length)))
    count, rest = divmod(length, size)
    fixed, carry, xs = _parts(args, consts, carries)
    static = {"consts": consts, "carries": carries, "reverse": reverse}

    def chunk(*flat: Any) -> Any:
        return bind(SCAN, flat, {**static, "body": body, "length": size})

    low = consts + carries
    types = [
        *body.inputs[:low],
        *(ShapeDtype((size, *t.shape), t.dtype) for t in body.inputs[low:]),
    ]
    outer = body.derived(("chunk", size, reverse), chunk, types)
    begin = rest if reverse else 0  # what is left over comes last
    end = begin + count * size
    whole = [np.reshape(x[begin:end], (count, size, *x.shape[1:])) for x in xs]
    ahead = {**static, "body": outer, "length": count, "again": True}
    outs = bind(SCAN, [*fixed, *carry, *whole], ahead)
    carry, ys = (
        outs[:carries],
        [np.reshape(y, (count * size, *y.shape[2:])) for y in outs[carries:]],
    )
    if rest:
        left = [x[:begin] if reverse else x[end:] for x in xs]
        outs = bind(SCAN, [*fixed, *carry, *left], {**static, "body": body, "length": rest})
        carry = outs[:carries]
        pairs = zip(outs[carries:], ys) if reverse else zip(ys, outs[carries:])
        ys = [np.concatenate(pair) for pair in pairs]
    return (*carry, *ys)


__all__ = ["COND", "SCAN", "WHILE", "in_chunks"]
