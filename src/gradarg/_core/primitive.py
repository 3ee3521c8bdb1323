"""Primitives: operations with a derivative of their own, and the kinds of row that declare them.

A row states a derivative once, and the rest follows:

- `elementwise`: the Jacobian is diagonal, so one formula `g * df/dx_i` is both the VJP (`g` a
  cotangent) and the JVP (`g` a tangent).
- `linear`: the function is its own derivative; the row states its transpose.
- `general`: anything; the row states the VJP, the JVP or both, and a missing one is derived by
  transposition.
- `constant`: piecewise constant or not numeric; its derivative is zero wherever it exists.

Rules are written in plain NumPy. Fed arrays they run at NumPy's speed; fed boxes they are watched
in turn. A rule is called as `rule(g, out, *args, **params)`; an argument whose name begins with an
underscore is one of which it reads at most the shape and dtype, so the tape need not keep it. In a
backward pass, cotangents of complex values are those of the plain transpose, without conjugation;
the transforms conjugate at the border.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from .errors import DerivativeError, ShapeError
from .tape import Joint, Tape, backward, match
from .trace import ShapeDtype, bind, ones, peek, zeros

Rule = Callable[..., Any]


class Primitive:
    """An operation with a derivative of its own, and what each interpreter needs of it.

    impl    `impl(*arrays, **params)`: NumPy's own evaluation
    vjps    `vjps[i](g, out, *args, **params)`: the cotangent of argument i; None: constant
    jvp     `jvp(tangents, out, *args, **params)`: the tangent of the output
    batch   `batch(primitive, size, mapped, args, params)`: the result, the hidden axis first
    shape   `shape(*args, **params)`: a ShapeDtype, from ShapeDtypes and numbers
    multi   whether it returns a tuple; then `g`, `out` and tangents are tuples too
    spreads whether the output is at least as large as every argument
    record  how a tape records it, where that is its own affair (custom_vjp, scan)
    dual    `dual(tangents, *args, **params)`: the output and its tangent, where one pass over both
            saves one over the output alone (loops)
    """

    __slots__ = (
        "_reads",
        "batch",
        "dual",
        "impl",
        "jvp",
        "multi",
        "name",
        "record",
        "shape",
        "spreads",
        "vjps",
    )

    def __init__(
        self,
        name: str,
        impl: Rule,
        *,
        vjps: Any = None,
        jvp: Rule | None = None,
        batch: Rule | None = None,
        shape: Rule | None = None,
        multi: bool = False,
        record: Rule | None = None,
        dual: Rule | None = None,
        spreads: bool = False,
    ) -> None:
        self.name, self.impl, self.multi, self.record = name, impl, multi, record
        self.spreads, self.dual = spreads, dual
        self.vjps, self.jvp = vjps, jvp
        self.batch: Rule = batch or loop
        self.shape: Rule = shape or partial(_no_shape, name)
        self._reads: dict[int, frozenset[int]] = {}

    def __call__(self, *args: Any, **params: Any) -> Any:
        return bind(self, args, params)

    def reads(self, i: int, count: int) -> frozenset[int]:
        """Which of `count` arguments (and the output, -1) the rule for argument i reads."""
        if isinstance(self.vjps, Joint):
            return frozenset(range(-1 if self.vjps.reads_out else 0, count))
        if isinstance(self.vjps, Each):
            everything = frozenset(range(-1, count))
            return everything if self.vjps.reads is None else self.vjps.reads
        if i not in self._reads:
            self._reads[i] = _positions_read(self.vjps[i], count)
        return self._reads[i]

    def push(self, tangents: Sequence[Any], out: Any, *args: Any, **params: Any) -> Any:
        """The tangent of the output, by the JVP rule or by transposing the VJP."""
        if self.jvp is transposed_vjp:
            return transposed_vjp(self, tangents, out, *args, **params)
        assert self.jvp is not None
        return self.jvp(tangents, out, *args, **params)

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"


def _positions_read(rule: Any, count: int) -> frozenset[int]:
    everything = frozenset(range(-1, count))
    if getattr(rule, "reads_nothing", False):
        return frozenset()
    code = getattr(rule, "__code__", None)
    if code is None:  # a partial or callable object: it may read all
        return everything
    names = code.co_varnames[1 : code.co_argcount]  # (out, *args), after g
    unread = {i - 1 for i, name in enumerate(names) if name.startswith("_")}
    return everything - unread


class Each:
    """The rules of a primitive with any number of arguments: `rule(i, g, out, *args)`.

    `reads` gives the positions of the arguments that the rule reads (the output is -1), where
    it is not all of them.
    """

    def __init__(self, rule: Rule, reads: frozenset[int] | None = None) -> None:
        self.rule, self.reads = rule, reads

    def __getitem__(self, i: int) -> Rule:
        return partial(self.rule, i)


def elementwise(name: str, impl: Rule, *rules: Rule | None, shape: Rule | None = None) -> Primitive:
    """A function of corresponding elements. Rule i is the formula `g * df/dx_i`."""

    def jvp(tangents: Sequence[Any], out: Any, *args: Any, **params: Any) -> Any:
        total = None
        for rule, t in zip(rules, tangents):
            if t is not None and rule is not None:
                term = rule(t, out, *args, **params)
                total = term if total is None else total + term
        return np.zeros((), out.dtype) if total is None else total

    return Primitive(
        name,
        impl,
        vjps=tuple(rule or _no_cotangent for rule in rules),
        jvp=jvp,
        batch=aligned,
        shape=shape or partial(elementwise_shape, name, impl),
        spreads=True,
    )


def _no_cotangent(_g: Any, _out: Any, *_args: Any, **_params: Any) -> None:
    """The rule of an argument in which a function is piecewise constant."""


_no_cotangent.reads_nothing = True  # type: ignore[attr-defined]


def constant(
    name: str, impl: Rule, *, batch: Rule | None = None, shape: Rule | None = None
) -> Primitive:
    """A function whose derivative is zero wherever it exists; elementwise unless told otherwise."""
    return Primitive(
        name, impl, batch=batch or aligned, shape=shape or partial(elementwise_shape, name, impl)
    )


def linear(name: str, impl: Rule, transpose: Rule, *, batch: Rule, shape: Rule) -> Primitive:
    """A linear function of one argument. `transpose(g, x, **params)` reads only x's shape."""

    def vjp(g: Any, _out: Any, x: Any, **params: Any) -> Any:
        return transpose(g, x, **params)

    vjp.reads_nothing = True  # type: ignore[attr-defined]  # a function can carry a note

    def jvp(tangents: Sequence[Any], _out: Any, _x: Any, **params: Any) -> Any:
        return primitive(tangents[0], **params)

    primitive = Primitive(name, impl, vjps=(vjp,), jvp=jvp, batch=batch, shape=shape)
    return primitive


def bilinear(
    name: str, impl: Rule, vjp_x: Rule, vjp_y: Rule, *, batch: Rule, shape: Rule
) -> Primitive:
    """A function of two arguments, linear in each: the product rule gives the JVP."""

    def jvp(tangents: Sequence[Any], _out: Any, x: Any, y: Any, **params: Any) -> Any:
        dx, dy = tangents
        if dy is None:
            return primitive(dx, y, **params)
        if dx is None:
            return primitive(x, dy, **params)
        return primitive(dx, y, **params) + primitive(x, dy, **params)

    primitive = Primitive(name, impl, vjps=(vjp_x, vjp_y), jvp=jvp, batch=batch, shape=shape)
    return primitive


def general(
    name: str,
    impl: Rule,
    *,
    vjp: Sequence[Rule | None] | Each | None = None,
    jvp: Rule | None = None,
    batch: Rule | None = None,
    shape: Rule,
    multi: bool = False,
) -> Primitive:
    """Any differentiable function, by its VJP rules, its JVP rule, or both."""
    primitive = Primitive(name, impl, vjps=vjp, jvp=jvp, batch=batch, shape=shape, multi=multi)
    if vjp is None:
        primitive.vjps = Joint(transposed_jvp)
    if jvp is None:
        primitive.jvp = transposed_vjp
    return primitive


def transposed_jvp(primitive: Primitive, g: Any, out: Any, *args: Any, **params: Any) -> list[Any]:
    """The VJP from the JVP: it is linear in the tangents, so walking it back from g transposes."""
    with Tape("vjp", primitive.impl) as tape:
        tangents = [tape.leaf(ones(a)) if varies(a) else None for a in args]
        outs = primitive.push(tangents, out, *args, **params)
    outs, gs = (outs, g) if primitive.multi else ((outs,), (g,))
    pairs = [(o, match(gi, o)) for o, gi in zip(outs, gs) if o is not None]
    found = backward([(o._node, gi) for o, gi in pairs if tape.owns(o)])
    result = [None if t is None else found.get(t._node) for t in tangents]
    _refuse_nonlinear(primitive, "JVP", [(tape.lower(o), gi) for o, gi in pairs], result)
    return result


def transposed_vjp(
    primitive: Primitive, tangents: Sequence[Any], out: Any, *args: Any, **params: Any
) -> Any:
    """The JVP from the VJP: it is linear in the cotangent, so walking it back transposes."""
    outs = out if primitive.multi else (out,)
    with Tape("jvp", primitive.impl) as tape:
        leaves = tuple(tape.leaf(ones(o)) for o in outs)
        g = leaves if primitive.multi else leaves[0]
        if isinstance(primitive.vjps, Joint):
            cts = primitive.vjps.rule(primitive, g, out, *args, **params)
        else:
            cts = [
                None if t is None else primitive.vjps[i](g, out, *args, **params)
                for i, t in enumerate(tangents)
            ]
        pairs = [
            (match(c, a), t) for c, t, a in zip(cts, tangents, args)
            if t is not None and c is not None
        ]  # fmt: skip
    found = backward([(c._node, t) for c, t in pairs if tape.owns(c)])
    result = tuple(found.get(b._node, zeros(o)) for b, o in zip(leaves, outs))
    _refuse_nonlinear(primitive, "VJP", [(tape.lower(c), t) for c, t in pairs], result)
    return result if primitive.multi else result[0]


def _refuse_nonlinear(
    primitive: Primitive, rule: str, pairs: Sequence[tuple[Any, Any]], result: Sequence[Any]
) -> None:
    """A linear L and its transpose agree: <L(1), t> = <1, L.T(t)>. Else the transpose says nothing.

    Nothing can be said where values are not known (inside vmap and stage) or not finite.
    """
    known = [(peek(x), peek(y)) for x, y in pairs], [peek(r) for r in result if r is not None]
    if any(x is None or y is None for x, y in known[0]) or any(r is None for r in known[1]):
        return
    terms = [x * y for x, y in known[0]] + [-r for r in known[1]]
    total, size = sum(np.sum(t) for t in terms), sum(np.sum(np.abs(t)) for t in terms)
    if np.isfinite(size) and np.abs(total) > 1e-3 * size:
        raise DerivativeError(
            f"The {rule} rule of {primitive.name} is not linear in its "
            f"{'tangents' if rule == 'JVP' else 'cotangent'}, so the other mode cannot be had by "
            "transposing it. Make it linear, or give the rule of the other mode."
        )


def varies(value: Any) -> bool:
    return hasattr(value, "dtype") and value.dtype.kind in "fc"


# ---- frames: how a kind of function behaves under batching and staging


def align(size: int, mapped: Sequence[bool], args: Sequence[Any]) -> list[Any]:
    """Arguments whose hidden axis is first, given the same rank so that they broadcast."""
    ranks = [getattr(a, "ndim", 0) - m for a, m in zip(args, mapped)]
    rank = max(ranks)
    return [
        a.reshape((size,) + (1,) * (rank - r) + a.shape[1:]) if m and r < rank else a
        for a, m, r in zip(args, mapped, ranks)
    ]


def expose(size: int, mapped: Sequence[bool], args: Sequence[Any]) -> list[Any]:
    """All arguments with the hidden axis first, repeated where they had none."""
    return [a if m else np.broadcast_to(a, (size, *np.shape(a))) for a, m in zip(args, mapped)]


def probe(impl: Rule, *args: Any, **params: Any) -> Any:
    """The dtype of a result, by running on ones of the same dtypes and rank, one element each."""
    ones = [np.ones((1,) * a.ndim, a.dtype) if isinstance(a, ShapeDtype) else a for a in args]
    with np.errstate(all="ignore"):
        return np.asarray(impl(*ones, **params)).dtype


def elementwise_shape(name: str, impl: Rule, *args: Any, **params: Any) -> ShapeDtype:
    shapes = [a.shape for a in args if isinstance(a, ShapeDtype)]
    try:
        common = np.broadcast_shapes(*shapes)
    except ValueError:
        listed = " and ".join(map(str, shapes))
        raise ShapeError(f"{name}: the shapes {listed} do not broadcast together.") from None
    scalars = [ShapeDtype((), a.dtype) if isinstance(a, ShapeDtype) else a for a in args]
    return ShapeDtype(common, probe(impl, *scalars, **params))


def aligned(
    primitive: Primitive,
    size: int,
    mapped: Sequence[bool],
    args: Sequence[Any],
    params: dict[str, Any],
) -> Any:
    """The batch rule of functions that broadcast over leading axes."""
    return primitive(*align(size, mapped, args), **params)


def loop(
    primitive: Primitive,
    size: int,
    mapped: Sequence[bool],
    args: Sequence[Any],
    params: dict[str, Any],
) -> Any:
    """The batch rule of last resort: one call for each position of the hidden axis."""
    rows = [
        primitive(*(a[k] if m else a for a, m in zip(args, mapped)), **params) for k in range(size)
    ]
    if primitive.multi:
        return tuple(np.stack(outs) for outs in zip(*rows))
    return np.stack(rows)


def _no_shape(name: str, *_: Any, **__: Any) -> Any:
    raise ShapeError(f"{name} has a result whose shape depends on values, so it cannot be staged.")
