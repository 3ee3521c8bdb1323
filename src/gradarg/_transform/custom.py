"""Functions as primitives: checkpoint, custom_vjp, custom_jvp.

Each turns a user's function into a primitive of its leaves, whose derivative is the user's rule
(or, for checkpoint, the function again). Under vmap the rules are mapped along with the function.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._core import tree
from .._core.errors import DerivativeError, MutatedArrayError, TreeError
from .._core.primitive import Primitive, transposed_jvp, transposed_vjp, varies
from .._core.tape import Joint, Node, Tape, Watch, boxed_outputs, foreign
from .._core.trace import Box, ShapeDtype, bind, peek, refuse_captured, shape_dtype, zeros
from .arguments import numeric, same_leaves
from .batch import vmap
from .forward import jvp
from .graph import stage
from .reverse import vjp

Flat = Callable[..., tuple[Any, ...]]


def _types(f: Flat, *types: Any) -> tuple[ShapeDtype, ...]:
    """The shape rule of any function: stage it."""
    graph = stage(f, *types)
    used = [*graph.outputs, *(i for e in graph.equations for i in e.inputs)]
    for value in used:
        if isinstance(value, Box) and peek(value) is None:
            refuse_captured(_name(f), value._trace)
    return tuple(o.type if hasattr(o, "type") else numeric(o, graph.name) for o in graph.outputs)


def _mapped(f: Callable[..., Any], mapped: Sequence[bool]) -> Callable[..., Any]:
    return vmap(f, in_axes=tuple(0 if m else None for m in mapped))


def _name(f: Any) -> str:
    return getattr(getattr(f, "f", f), "__name__", type(f).__name__)


def _positional(f: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """The arguments of a call by position, as rules have them."""
    if not kwargs:
        return tuple(args)
    bound = inspect.signature(f).bind(*args, **kwargs)
    if bound.kwargs:
        raise TypeError(f"{_name(f)}: a function with a rule of its own takes no keyword-only "
                        f"arguments, but got {', '.join(bound.kwargs)}.")  # fmt: skip
    return bound.args


class _Flat:
    """A call of a function of trees, as a function of the arrays among its leaves.

    All other leaves (Python numbers, text, functions) stay what they are.
    """

    def __init__(self, f: Callable[..., Any], args: Any) -> None:
        self.f = f
        functools.update_wrapper(self, f, updated=())
        self.leaves, self.arguments = tree.flatten(args)
        kinds = (Box, np.ndarray, np.generic)
        self.places = [i for i, leaf in enumerate(self.leaves) if isinstance(leaf, kinds)]
        self.result: tree.Structure | None = None

    def trees(self, arrays: Sequence[Any]) -> Any:
        """The arguments, with these arrays in their places."""
        leaves = list(self.leaves)
        for i, array in zip(self.places, arrays):
            leaves[i] = array
        return self.arguments.unflatten(leaves)

    def outputs(self, out: Any) -> tuple[Any, ...]:
        """The leaves of an output, whose structure is remembered."""
        leaves, self.result = tree.flatten(out)
        return tuple(numeric(leaf, f"{_name(self.f)}, what it returned") for leaf in leaves)

    def __call__(self, *arrays: Any) -> tuple[Any, ...]:
        return self.outputs(self.f(*self.trees(arrays)))

    def call_as(self, make: Callable[[Flat], Primitive]) -> Any:
        """Bind the primitive that `make` makes of this function, and build its result."""
        arrays = [numeric(self.leaves[i], _name(self.f)) for i in self.places]
        outs = bind(make(self), arrays)
        assert self.result is not None  # the function has run
        return self.result.unflatten(outs)


def _at(f: Flat, positions: Sequence[int], args: Sequence[Any]) -> Flat:
    """f as a function of its arguments at some positions, the others being fixed."""

    def of_some(*some: Any) -> Any:
        full = list(args)
        for i, x in zip(positions, some):
            full[i] = x
        return f(*full)

    return of_some


# ---- checkpoint


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """f, but its intermediate values are computed again in the backward pass instead of kept.

    Everything that needs a derivative must come in as an argument; a module may be f itself.

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(ga.checkpoint(lambda x: np.sin(np.sin(x))))(0.0)
    np.float64(1.0)
    """

    def call(f: Any, args: Any, kwargs: Any) -> Any:
        return f(*args, **kwargs)

    functools.update_wrapper(call, f, updated=())

    @functools.wraps(f, updated=())
    def run(*args: Any, **kwargs: Any) -> Any:
        # f is among the arguments: a module comes apart into its parameters
        return _Flat(call, (f, args, kwargs)).call_as(_checkpointed)

    return run


def _stripped(value: Any) -> Any:
    """The array within a value, hidden axes and all; None if there is none."""
    while isinstance(value, Box):
        value = value._inner
    return None if isinstance(value, ShapeDtype) else value


def _check_same(again: Sequence[Any], before: Sequence[Any], name: str) -> None:
    """What is computed again must be what was computed before, or its derivative is another's."""
    for a, b in zip(map(_stripped, again), map(_stripped, before)):
        if a is None or b is None or a.shape != b.shape:
            continue
        near = 1e3 * np.finfo(b.dtype).eps if b.dtype.kind in "fc" else 0
        size = np.max(np.abs(b), initial=0, where=np.isfinite(b))
        if not np.allclose(a, b, rtol=near, atol=near * size, equal_nan=True):
            raise MutatedArrayError(
                f"{name} differs from what was computed before, and so its derivative is "
                "another's: when run again, it draws other random numbers, or uses an array that "
                "has changed. Pass it as an argument."
            )


def _checkpointed(f: Flat) -> Primitive:
    name = f"checkpoint({_name(f)})"

    def backward(_p: Any, g: Any, out: Any, *args: Any) -> Any:
        varying = [i for i, a in enumerate(args) if varies(a)]
        again, pullback = vjp(_at(f, varying, args), *(args[i] for i in varying))
        _check_same(again, out, name)
        found = dict(zip(varying, pullback.transposed(g)))
        return [found.get(i) for i in range(len(args))]

    def forward(tangents: Any, out: Any, *args: Any) -> Any:
        varying = [i for i, t in enumerate(tangents) if t is not None]
        primals = [args[i] for i in varying]
        again, tangent = jvp(_at(f, varying, args), primals, [tangents[i] for i in varying])
        _check_same(again, out, name)
        return tangent

    def batch(_p: Any, _n: int, mapped: Any, args: Any, _k: Any) -> Any:
        return bind(_checkpointed(_mapped(f, mapped)), args)

    return Primitive(
        name,
        f,
        vjps=Joint(backward),
        jvp=forward,
        batch=batch,
        shape=functools.partial(_types, f),
        multi=True,
    )


# ---- custom_vjp


class custom_vjp:
    """A function with a VJP rule of your own.

    `f.defvjp(forward, backward)`: `forward(*args)` returns (out, residuals), and
    `backward(residuals, g)` a tuple with a cotangent for each argument (None for zero). Forward
    mode transposes the rule, which must be linear in g.

    >>> import gradarg as ga, numpy as np
    >>> @ga.custom_vjp
    ... def log1pexp(x):
    ...     return np.log(1 + np.exp(x))
    >>> log1pexp.defvjp(lambda x: (log1pexp(x), x), lambda x, g: (g / (1 + np.exp(-x)),))
    >>> ga.grad(log1pexp)(0.0)
    np.float64(0.5)
    """

    def __init__(self, f: Callable[..., Any]) -> None:
        self.f = f
        self.forward: Callable[..., Any] | None = None
        self.backward: Callable[..., Any] | None = None
        functools.update_wrapper(self, f)

    def defvjp(self, forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
        """Set the rule."""
        self.forward, self.backward = forward, backward

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.forward is None or self.backward is None:
            raise DerivativeError(
                f"{_name(self.f)} is a custom_vjp without a rule. Call .defvjp(forward, backward)."
            )
        flat = _Flat(self.f, _positional(self.f, args, kwargs))
        rule = _VjpRule(flat, self.forward, self.backward)
        return flat.call_as(
            functools.partial(_with_vjp, forward=rule.on_forward, backward=rule.on_backward)
        )


class _VjpRule:
    """The user's rule, on arrays."""

    def __init__(self, flat: _Flat, forward: Any, backward: Any) -> None:
        self.flat, self.forward, self.backward = flat, forward, backward
        self.types: list[ShapeDtype] = []  # of the arrays, as the forward rule met them

    def on_forward(self, *arrays: Any) -> tuple[tuple[Any, ...], Any]:
        self.types = [shape_dtype(a) for a in arrays]
        pair = self.forward(*self.flat.trees(arrays))
        if not (isinstance(pair, tuple) and len(pair) == 2):
            raise TypeError(
                f"The forward rule of {_name(self.flat)} must return "
                f"(out, residuals), not {type(pair).__name__}."
            )
        return self.flat.outputs(pair[0]), pair[1]

    def on_backward(self, residuals: Any, g: Sequence[Any]) -> list[Any]:
        flat = self.flat
        assert flat.result is not None
        where = f"The backward rule of {_name(flat)}"
        found = self.backward(residuals, flat.result.unflatten(g))
        count = len(flat.arguments.children)
        if not isinstance(found, tuple) or len(found) != count:
            raise TreeError(
                f"{where} must return a tuple of {count} cotangents, one for each argument, "
                f"but returned {found!r:.80}."
            )
        leaves: list[Any] = []
        for c, child in zip(found, flat.arguments.children):
            none = c is None
            leaves += [None] * child.count if none else tree.leaves_like(child, c, where)
        return [
            None if leaves[i] is None or kind.dtype.kind not in "fc" else
            same_leaves(tree.LEAF, leaves[i], [kind], where, "cotangent")[0]
            for i, kind in zip(flat.places, self.types)
        ]  # fmt: skip


def _with_vjp(f: Flat, forward: Callable[..., Any], backward: Callable[..., Any]) -> Primitive:
    def again(_p: Any, g: Any, _out: Any, *args: Any) -> Any:
        return backward(forward(*args)[1], g)

    def record(
        p: Primitive, tape: Tape, values: Any, parents: Any, _k: Any, watch: list[Watch]
    ) -> Any:
        outs, residuals = forward(*values)
        residuals = tree.map(lambda r: foreign(r, p.name, watch), residuals)

        def kept(p: Any, g: Any, out: Any, *args: Any) -> Any:
            # recorded again (create_graph), the residuals must be part of the graph too
            return again(p, g, out, *args) if any(map(tape.owns, args)) else backward(residuals, g)

        rule = Primitive(p.name, f, vjps=Joint(kept), multi=True)
        node = Node(rule, values, parents, outs, {})
        node.watch = watch or None
        return boxed_outputs(tape, node, outs)

    def batch(_p: Any, _n: int, mapped: Any, args: Any, _k: Any) -> Any:
        return bind(_with_vjp(_mapped(f, mapped), _mapped(forward, mapped), vmap(backward)), args)

    return Primitive(
        _name(f),
        f,
        vjps=Joint(again),
        jvp=transposed_vjp,
        batch=batch,
        shape=functools.partial(_types, f),
        multi=True,
        record=record,
    )


# ---- custom_jvp


class custom_jvp:
    """A function with a JVP rule of your own.

    `f.defjvp(rule)`: `rule(primals, tangents)` returns (out, tangent_out) and is linear in the
    tangents; reverse mode transposes it.

    >>> import gradarg as ga, numpy as np
    >>> @ga.custom_jvp
    ... def f(x):
    ...     return np.sin(x)
    >>> @f.defjvp
    ... def rule(primals, tangents):
    ...     return f(*primals), 10 * np.cos(primals[0]) * tangents[0]
    >>> ga.grad(f)(0.0)
    np.float64(10.0)
    """

    def __init__(self, f: Callable[..., Any]) -> None:
        self.f = f
        self.rule: Callable[..., Any] | None = None
        functools.update_wrapper(self, f)

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Set the rule; also as a decorator."""
        self.rule = rule
        return rule

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.rule is None:
            raise DerivativeError(
                f"{_name(self.f)} is a custom_jvp without a rule. Call .defjvp(rule)."
            )
        flat, rule = _Flat(self.f, _positional(self.f, args, kwargs)), self.rule
        where = f"The JVP rule of {_name(self.f)}"

        def on_arrays(primals: Any, tangents: Any) -> Any:
            still = [0.0 if type(leaf) in (int, float) else None for leaf in flat.leaves]
            for i, t in zip(flat.places, tangents):
                still[i] = t
            pair = rule(flat.trees(primals), flat.arguments.unflatten(still))
            if not (isinstance(pair, tuple) and len(pair) == 2):
                raise TypeError(
                    f"{where} must return (out, tangent_out), not {type(pair).__name__}."
                )
            outs = flat.outputs(pair[0])
            return outs, tuple(same_leaves(flat.result, pair[1], outs, where, "tangent"))

        return flat.call_as(functools.partial(_with_jvp, rule=on_arrays))


def _with_jvp(f: Flat, rule: Callable[..., Any]) -> Primitive:
    def forward(tangents: Any, out: Any, *args: Any) -> Any:
        full = tuple(zeros(a) if t is None else t for t, a in zip(tangents, args))
        again, tangent = rule(tuple(args), full)
        _check_same(again, out, f"The value in the JVP rule of {_name(f)}")
        return tangent

    def batch(_p: Any, _n: int, mapped: Any, args: Any, _k: Any) -> Any:
        axes = tuple(0 if m else None for m in mapped)
        return bind(_with_jvp(_mapped(f, mapped), vmap(rule, in_axes=(axes, axes))), args)

    return Primitive(
        _name(f),
        f,
        vjps=Joint(transposed_jvp),
        jvp=forward,
        batch=batch,
        shape=functools.partial(_types, f),
        multi=True,
    )
