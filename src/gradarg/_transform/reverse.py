"""Reverse mode: grad, value_and_grad, vjp."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._core import tree
from .._core.errors import DerivativeError, ShapeError
from .._core.tape import Tape, backward
from .._core.trace import peek
from .._ops import structure
from .arguments import (
    ArgNums,
    Arguments,
    handed_out,
    like,
    lowered,
    numeric,
    owned_each,
    same_leaves,
    split_aux,
    zero,
)


def _conjugated(g: Any) -> Any:
    return np.conjugate(g) if g.dtype.kind == "c" else g


def value_and_grad(
    f: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """The function that returns (f(*args), its gradient), in one forward and one backward pass.

    `f` returns one real number (or, with `has_aux`, a pair of it and anything else). The gradient
    has the form, shapes and dtypes of the argument that `argnums` names; a tuple of them if
    argnums is a tuple. Of a complex argument it is the direction of steepest ascent,
    df/dRe + i df/dIm.

    >>> import gradarg as ga, numpy as np
    >>> ga.value_and_grad(lambda p: np.sum(p["w"] ** 2))({"w": np.array([1.0, 2.0])})
    (np.float64(5.0), {'w': array([2., 4.])})
    """
    return value_and_grad_as("value_and_grad", f, argnums, has_aux)


def value_and_grad_as(
    transform: str, f: Callable[..., Any], argnums: ArgNums, has_aux: bool
) -> Callable[..., Any]:
    """`value_and_grad`, as part of a transform of another name."""

    @like(f, transform, "The value and the gradient of")
    def run(*args: Any, **kwargs: Any) -> Any:
        given = Arguments(transform, f, args, argnums)
        values = given.floats()
        with Tape(transform, f) as tape:
            boxes = [tape.leaf(v) for v in values]
            starts = [b._node for b in boxes]  # now, for f may write into its arguments
            out, aux = split_aux(f(*given.filled(boxes), **kwargs), has_aux, given.where)
            out, aux = _one_real_number(out, given.where), lowered(tape, aux, values)
        leaves: dict[Any, Any] = {}
        if tape.owns(out):
            node, out = out._node, out._inner
            known = peek(out) is not None  # else the walk is part of what is staged or mapped
            one = out.dtype.type(1) if known else structure.ones_like(out)
            leaves = backward([(node, one)])
        grads = [
            _conjugated(leaves[leaf]) if leaf in leaves else zero(v)
            for leaf, v in zip(starts, values)
        ]
        result = given.result(owned_each(grads, values))
        out = handed_out(out, values)
        return ((out, aux) if has_aux else out), result

    return run


def _one_real_number(out: Any, where: str) -> Any:
    if isinstance(out, (list, tuple, dict)) or out is None:
        raise ShapeError(
            f"{where} needs a function that returns one number, but it returned "
            f"{type(out).__name__}. With has_aux=True it may return (number, more)."
        )
    out = numeric(out, f"{where}, the returned value")
    if out.shape != ():
        raise ShapeError(
            f"{where} needs a function that returns one number (shape ()), but it "
            f"returned the shape {tuple(out.shape)}. Reduce it (np.sum, np.mean), or "
            "use ga.jacobian or ga.vjp."
        )
    if out.dtype.kind == "c":
        raise DerivativeError(
            f"{where} needs a real number to ascend, but the function returned "
            f"{out.dtype}. Take .real or np.abs; of a holomorphic function, ga.jacobian is the "
            "complex derivative; else use ga.vjp."
        )
    return out


def grad(f: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The function that returns the gradient of f, as `value_and_grad` defines it.

    With `has_aux`, it returns (gradient, aux).

    >>> import gradarg as ga, numpy as np
    >>> f = lambda x: 1 / (1 + np.exp(-x))
    >>> ga.grad(f)(0.0), ga.grad(ga.grad(ga.grad(f)))(0.0)
    (np.float64(0.25), np.float64(-0.125))
    """
    return grad_as("grad", f, argnums, has_aux)


def grad_as(
    transform: str, f: Callable[..., Any], argnums: ArgNums, has_aux: bool = False
) -> Callable[..., Any]:
    """`grad`, as part of a transform of another name."""
    both = value_and_grad_as(transform, f, argnums, has_aux)

    @like(f, transform, "The gradient of")
    def run(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return run


class Pullback:
    """The linear map from cotangents of the output to cotangents of the inputs."""

    def __init__(
        self,
        given: Arguments,
        values: Sequence[Any],
        leaves: Sequence[Any],
        tape: Tape,
        outs: Sequence[Any],
        structure: tree.Structure,
    ) -> None:
        self.given, self.values = given, values
        self.leaves = leaves
        self.nodes = [o._node if tape.owns(o) else None for o in outs]
        self.outs = [o._inner if tape.owns(o) else o for o in outs]
        self.structure = structure

    def __call__(self, cotangent: Any) -> Any:
        """One cotangent for each primal, given one in the form of the output."""
        cts = same_leaves(self.structure, cotangent, self.outs, self.given.where, "cotangent")
        cts = [_conjugated(c) for c in cts]
        found = [_conjugated(g) for g in self.transposed(cts)]
        return self.given.result(owned_each(found, self.values, held=True))

    def transposed(self, cotangents: Sequence[Any]) -> list[Any]:
        """The plain transpose, without conjugation, on leaves; None and what is left out are 0."""
        pairs = zip(self.nodes, cotangents)
        roots = [(n, c) for n, c in pairs if n is not None and c is not None]
        found = backward(roots, retain=True) if roots else {}
        return [
            found[leaf] if leaf in found else zero(v) for leaf, v in zip(self.leaves, self.values)
        ]


def vjp(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """(out, pullback): f at the primals, and the map from a cotangent of out to the primals'.

    The pullback takes a cotangent in the form of `out` and returns a tuple with one for each
    primal; it can be called many times. For complex numbers it is the adjoint, conj(J).T @ g.

    >>> import gradarg as ga, numpy as np
    >>> out, pullback = ga.vjp(lambda x, y: x * y, np.array([2.0, 3.0]), 5.0)
    >>> out, pullback(np.array([1.0, 0.0]))
    (array([10., 15.]), (array([5., 0.]), np.float64(2.0)))
    """
    given = Arguments("vjp", f, primals)
    pullback, aux = recorded("vjp", f, given, given.floats(), {}, has_aux)
    value = pullback.structure.unflatten([handed_out(o, given.leaves) for o in pullback.outs])
    return (value, pullback, aux) if has_aux else (value, pullback)


def recorded(
    transform: str,
    f: Callable[..., Any],
    given: Arguments,
    values: Sequence[Any],
    kwargs: dict[str, Any],
    has_aux: bool = False,
) -> tuple[Pullback, Any]:
    """f run at the values of its given arguments: its pullback, and what came with the output."""
    with Tape(transform, f) as tape:
        boxes = [tape.leaf(v) for v in values]
        leaves = [b._node for b in boxes]  # now, for f may write into its arguments
        out, aux = split_aux(f(*given.filled(boxes), **kwargs), has_aux, given.where)
        outs, structure = tree.flatten(out)
        outs = [numeric(o, given.where) for o in outs]
        aux = lowered(tape, aux, values) if has_aux else None
    return Pullback(given, values, leaves, tape, outs, structure), aux
