"""Functions as primitives: checkpoint, custom_vjp, custom_jvp.

Each turns a user's function into a primitive of its leaves, whose derivative is the user's rule
(or, for checkpoint, the function again). Under vmap the rules are mapped along with the function.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from .._core import tree
from .._core.errors import DerivativeError, TreeError
from .._core.primitive import Primitive, transposed_jvp
from .._core.tape import Joint, Node, Tape, boxed_outputs
from .._core.trace import ShapeDtype, bind, zeros
from .arguments import numeric
from .batch import vmap
from .forward import jvp
from .graph import stage
from .reverse import vjp

Flat = Callable[..., tuple[Any, ...]]


def _types(f: Flat, *types: Any) -> tuple[ShapeDtype, ...]:
    """The shape rule of any function: stage it."""
    graph = stage(f, *types)
    return tuple(o.type if hasattr(o, "type") else numeric(o, graph.name) for o in graph.outputs)


def _mapped(f: Callable[..., Any], mapped: Sequence[bool]) -> Callable[..., Any]:
    return vmap(f, in_axes=tuple(0 if m else None for m in mapped))


def _name(f: Any) -> str:
    return getattr(f, "__name__", type(f).__name__)


class _Flat:
    """A function of trees as one of leaves, which remembers the structure of its output."""

    def __init__(self, f: Callable[..., Any], arguments: tree.Structure) -> None:
        self.f, self.arguments = f, arguments
        self.result: tree.Structure | None = None

    def __call__(self, *leaves: Any) -> tuple[Any, ...]:
        outs, self.result = tree.flatten(self.f(*self.arguments.unflatten(leaves)))
        return tuple(numeric(o, _name(self.f)) for o in outs)

    def call_as(self, make: Callable[[Flat], Primitive], leaves: Sequence[Any]) -> Any:
        """Bind the primitive that `make` makes of this function, and build its result."""
        leaves = [numeric(leaf, _name(self.f)) for leaf in leaves]
        outs = bind(make(self), leaves)
        assert self.result is not None  # the function has run
        return self.result.unflatten(outs)


# ---- checkpoint


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """f, but its intermediate values are computed again in the backward pass instead of kept.

    Everything that needs a derivative must come in as an argument; a module may be f itself.

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(ga.checkpoint(lambda x: np.sin(np.sin(x))))(0.0)
    np.float64(1.0)
    """

    @functools.wraps(f, updated=())
    def run(*args: Any) -> Any:
        leaves, structure = tree.flatten((f, *args))
        if leaves and leaves[0] is f:  # a plain function; a module comes apart into its leaves
            leaves, structure = tree.flatten(args)
            return _Flat(f, structure).call_as(_checkpointed, leaves)
        return _Flat(lambda g, *rest: g(*rest), structure).call_as(_checkpointed, leaves)

    return run


def _checkpointed(f: Flat) -> Primitive:
    def backward(g: Any, _out: Any, *args: Any) -> Any:
        varying = [i for i, a in enumerate(args) if a.dtype.kind in "fc"]

        def of_floats(*floats: Any) -> Any:
            full = list(args)
            for i, x in zip(varying, floats):
                full[i] = x
            return f(*full)

        _, pullback = vjp(of_floats, *(args[i] for i in varying))
        found = dict(zip(varying, pullback.transposed(g)))
        return [found.get(i) for i in range(len(args))]

    def forward(tangents: Any, _out: Any, *args: Any) -> Any:
        varying = [i for i, t in enumerate(tangents) if t is not None]

        def of_varying(*xs: Any) -> Any:
            full = list(args)
            for i, x in zip(varying, xs):
                full[i] = x
            return f(*full)

        return jvp(of_varying, [args[i] for i in varying], [tangents[i] for i in varying])[1]

    def batch(_p: Any, _n: int, mapped: Any, args: Any, _k: Any) -> Any:
        return bind(_checkpointed(_mapped(f, mapped)), args)

    return Primitive(
        f"checkpoint({_name(getattr(f, 'f', f))})",
        f,
        vjps=Joint(backward, reads_out=False),
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

    def __call__(self, *args: Any) -> Any:
        if self.forward is None or self.backward is None:
            raise DerivativeError(
                f"{_name(self.f)} is a custom_vjp without a rule. Call .defvjp(forward, backward)."
            )
        leaves, structure = tree.flatten(args)
        flat = _Flat(self.f, structure)
        rule = _VjpRule(self, structure, flat)
        return flat.call_as(
            functools.partial(_with_vjp, forward=rule.on_forward, backward=rule.on_backward), leaves
        )


class _VjpRule:
    """The user's rule, on leaves."""

    def __init__(self, custom: custom_vjp, arguments: tree.Structure, flat: _Flat) -> None:
        self.custom, self.arguments, self.flat = custom, arguments, flat

    def on_forward(self, *leaves: Any) -> tuple[tuple[Any, ...], Any]:
        assert self.custom.forward is not None
        pair = self.custom.forward(*self.arguments.unflatten(leaves))
        if not (isinstance(pair, tuple) and len(pair) == 2):
            raise TypeError(
                f"The forward rule of {_name(self.custom.f)} must return "
                f"(out, residuals), not {type(pair).__name__}."
            )
        outs, self.flat.result = tree.flatten(pair[0])
        return tuple(numeric(o, _name(self.custom.f)) for o in outs), pair[1]

    def on_backward(self, residuals: Any, g: Sequence[Any]) -> list[Any]:
        assert self.custom.backward is not None and self.flat.result is not None
        name = _name(self.custom.f)
        found = self.custom.backward(residuals, self.flat.result.unflatten(g))
        if not isinstance(found, tuple) or len(found) != len(self.arguments.children):
            raise TreeError(
                f"The backward rule of {name} must return a tuple of "
                f"{len(self.arguments.children)} cotangents, one for each argument, "
                f"but returned {found!r:.80}."
            )
        leaves: list[Any] = []
        for c, child in zip(found, self.arguments.children):
            if c is None:
                leaves += [None] * child.count
            else:
                leaves += tree.leaves_like(child, c, f"A cotangent of the backward rule of {name}")
        return leaves


def _with_vjp(f: Flat, forward: Callable[..., Any], backward: Callable[..., Any]) -> Primitive:
    def again(g: Any, _out: Any, *args: Any) -> Any:
        return backward(forward(*args)[1], g)

    def record(tape: Tape, values: Any, parents: Any, params: Any) -> Any:
        outs, residuals = forward(*values)

        def kept(g: Any, out: Any, *args: Any) -> Any:
            # recorded again (create_graph), the residuals must be part of the graph too
            return again(g, out, *args) if any(map(tape.owns, args)) else backward(residuals, g)

        rule = Primitive(primitive.name, f, vjps=Joint(kept), multi=True)
        return boxed_outputs(tape, Node(rule, values, parents, outs, params), outs)

    def batch(_p: Any, _n: int, mapped: Any, args: Any, _k: Any) -> Any:
        return bind(_with_vjp(_mapped(f, mapped), _mapped(forward, mapped), vmap(backward)), args)

    primitive = Primitive(
        _name(getattr(f, "f", f)),
        f,
        vjps=Joint(again),
        batch=batch,
        shape=functools.partial(_types, f),
        multi=True,
        record=record,
    )
    primitive.derive_jvp()
    return primitive


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

    def __call__(self, *args: Any) -> Any:
        if self.rule is None:
            raise DerivativeError(
                f"{_name(self.f)} is a custom_jvp without a rule. Call .defjvp(rule)."
            )
        leaves, structure = tree.flatten(args)
        flat, rule = _Flat(self.f, structure), self.rule

        def on_leaves(primals: Any, tangents: Any) -> Any:
            pair = rule(structure.unflatten(primals), structure.unflatten(tangents))
            if not (isinstance(pair, tuple) and len(pair) == 2):
                raise TypeError(
                    f"The rule of {_name(self.f)} must return (out, tangent_out), "
                    f"not {type(pair).__name__}."
                )
            assert flat.result is not None
            return tuple(tree.leaves_like(flat.result, pair[1], "The tangent of the rule"))

        return flat.call_as(functools.partial(_with_jvp, rule=on_leaves), leaves)


def _with_jvp(f: Flat, rule: Callable[..., Any]) -> Primitive:
    def forward(tangents: Any, _out: Any, *args: Any) -> Any:
        full = [zeros(a) if t is None else t for t, a in zip(tangents, args)]
        return rule(tuple(args), tuple(full))

    def batch(_p: Any, _n: int, mapped: Any, args: Any, _k: Any) -> Any:
        axes = tuple(0 if m else None for m in mapped)
        return bind(_with_jvp(_mapped(f, mapped), vmap(rule, in_axes=(axes, axes))), args)

    primitive = Primitive(
        _name(getattr(f, "f", f)),
        f,
        jvp=forward,
        batch=batch,
        shape=functools.partial(_types, f),
        multi=True,
    )
    primitive.vjps = Joint(functools.partial(transposed_jvp, primitive))
    return primitive
