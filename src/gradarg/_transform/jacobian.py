"""Whole derivatives: jacobian, hessian, and the Hessian-vector product."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from .._core import tree
from .._core.batch import Batch
from .._core.errors import DerivativeError
from .._core.trace import Box, ShapeDtype, bare, box, describe
from .arguments import ArgNums, Arguments, like, owned, owned_each, same_leaves
from .batch import exposed, vmap_as
from .forward import jvp_as
from .reverse import Pullback, grad_as, recorded


def _basis(value: Any) -> Any:
    """All unit vectors of a value's space, along a new first axis; read-only."""
    n = math.prod(value.shape)
    units = np.zeros((n, *value.shape), value.dtype)
    units.reshape(-1)[:: n + 1] = 1
    units.flags.writeable = False
    return units


def _zeros(value: Any) -> Any:
    return np.zeros(value.shape, value.dtype)


def jacobian(
    f: Callable[..., Any], argnums: ArgNums = 0, mode: Literal["reverse", "forward"] | None = None
) -> Callable[..., Any]:
    """The function that returns all derivatives of f's outputs by its inputs.

    For arrays the result has the shape `out.shape + x.shape`; for trees it is a tree like the
    output of trees like the argument. One batched pass serves all rows ("reverse") or all columns
    ("forward"); by default, the fewer of the two.

    >>> import gradarg as ga, numpy as np
    >>> ga.jacobian(lambda x: x ** 2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    if mode not in (None, "reverse", "forward"):
        raise ValueError(f"jacobian: mode={mode!r} is not one of 'reverse', 'forward', None.")

    return jacobian_as("jacobian", f, argnums, mode)


def jacobian_as(
    transform: str, f: Callable[..., Any], argnums: ArgNums, mode: Any
) -> Callable[..., Any]:
    """`jacobian`, as part of a transform of another name."""

    @like(f, transform, "The Jacobian of")
    def run(*args: Any, **kwargs: Any) -> Any:
        given = Arguments(transform, f, args, argnums)
        values = given.floats()
        if mode != "forward":
            pullback, _ = recorded(transform, f, given, values, kwargs)
            rows = sum(o.size for o in pullback.outs)
            if mode == "reverse" or rows <= sum(v.size for v in values):
                return _reverse(transform, f, given, pullback)

        @functools.wraps(f, updated=())
        def on_leaves(*leaves: Any) -> Any:
            return f(*given.filled(leaves), **kwargs)

        return _forward(transform, on_leaves, given, values)

    return run


def _reverse(transform: str, f: Callable[..., Any], given: Arguments, pullback: Pullback) -> Any:
    blocks = []
    for i, out in enumerate(pullback.outs):

        def rows(units: Any, i: int = i, out: Any = out) -> list[Any]:
            with Batch(transform, f, len(units)) as trace:
                row = [None] * i + [box(units, trace, None)]
                found = [exposed(g, trace) for g in pullback.transposed(row)]
            return [bare(g.reshape((*out.shape, *v.shape))) for g, v in zip(found, pullback.values)]

        units = _basis(out)
        found = rows(units)
        turned = rows(units * -1j) if out.dtype.kind == "c" else [None] * len(found)
        block = [_entry(g, t, v, given.where) for g, t, v in zip(found, turned, pullback.values)]
        blocks.append(given.result(owned_each(block, pullback.values)))
    return pullback.structure.unflatten(blocks)


def _entry(g: Any, turned: Any, value: Any, where: str) -> Any:
    """J from the pullbacks of 1 and of -i, which a real input sees as two real derivatives."""
    if value.dtype.kind != "c":
        return g if turned is None else g + 1j * turned
    if turned is None:
        raise DerivativeError(_NOT_HOLOMORPHIC.format(where))
    return _holomorphic(g, 1j * turned, where)


def _forward(transform: str, f: Callable[..., Any], given: Arguments, values: list[Any]) -> Any:
    columns = []
    for i, value in enumerate(values):
        rest = [_zeros(v) for v in values]

        @functools.wraps(f, updated=())
        def column(unit: Any, i: int = i, rest: list[Any] = rest) -> Any:
            return jvp_as(transform, f, values, [*rest[:i], unit, *rest[i + 1 :]])[1]

        columns_of = vmap_as(transform, column, 0, -1)
        units = _basis(value)
        leaves, structure = tree.flatten(columns_of(units))
        if value.dtype.kind == "c":
            if any(g.dtype.kind != "c" for g in leaves):
                raise DerivativeError(_NOT_HOLOMORPHIC.format(given.where))
            turned = tree.flatten(columns_of(units * 1j))[0]
            leaves = [_holomorphic(g, -1j * t, given.where) for g, t in zip(leaves, turned)]
        block = [np.reshape(_as_precise(g, value), (*g.shape[:-1], *value.shape)) for g in leaves]
        columns.append(owned(block, [value]))
    return structure.unflatten([given.result(block) for block in zip(*columns)])


_NOT_HOLOMORPHIC = (
    "{}: a Jacobian by complex numbers exists for holomorphic functions, and this one is not: "
    "differentiate by the real and imaginary parts, or use ga.grad, ga.vjp or ga.jvp."
)


def _holomorphic(g: Any, again: Any, where: str) -> Any:
    """g, where the derivative along the imaginary axis says the same.

    Elsewhere an error; NaN in a staged function, where the values are not known yet.
    """
    if g.size == 0:
        return g
    eps = float(np.finfo(g.dtype).eps)
    distance, size = np.abs(g - again), np.maximum(np.abs(g), np.abs(again))
    whole = 1e3 * eps * np.max(size)
    differs = distance > max(1e-5, 100 * eps) * size + whole
    known = _behind(differs)
    if known is None:
        return np.where(differs, np.nan, g)
    if np.any(known):
        raise DerivativeError(_NOT_HOLOMORPHIC.format(where))
    return g


def _behind(value: Any) -> Any:
    """The array behind a value's boxes, mapped axes and all; None where it is not known."""
    while isinstance(value, Box):
        value = value._inner
    return None if isinstance(value, ShapeDtype) else value


def _as_precise(g: Any, value: Any) -> Any:
    """g in the precision of the input, as reverse mode has it."""
    kind = np.complex64 if g.dtype.kind == "c" else np.float16
    return g.astype(np.result_type(value.dtype, kind), copy=False)


def hessian(f: Callable[..., Any], argnums: ArgNums = 0) -> Callable[..., Any]:
    """The function that returns all second derivatives of f, which returns one number.

    Forward over reverse, in one batched pass. For an array the shape is `x.shape + x.shape`.

    >>> import gradarg as ga, numpy as np
    >>> ga.hessian(lambda x: x[0] ** 2 * x[1])(np.array([3.0, 5.0]))
    array([[10.,  6.],
           [ 6.,  0.]])
    """
    gradient = grad_as("hessian", f, argnums)

    @like(f, "hessian", "The Hessian of")
    def run(*args: Any, **kwargs: Any) -> Any:
        given = Arguments("hessian", f, args, argnums)
        if any(v.dtype.kind == "c" for v in given.floats()):
            raise DerivativeError(
                f"{given.where}: a function of complex numbers has no Hessian of complex numbers. "
                "Differentiate by the real and imaginary parts, or use ga.hvp."
            )
        return jacobian_as("hessian", gradient, argnums, "forward")(*args, **kwargs)

    return run


def hvp(f: Callable[..., Any], argnums: ArgNums = 0) -> Callable[..., Any]:
    """The function (*args, v) -> H @ v, with H the Hessian of f, never formed.

    v has the form of the argument that `argnums` names, or of a tuple of them.

    >>> import gradarg as ga, numpy as np
    >>> ga.hvp(lambda x: np.sum(x ** 3))(np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    array([  6., 120.])
    """
    gradient = grad_as("hvp", f, argnums)

    @like(f, "hvp", "The Hessian-vector product of")
    def run(*args: Any, **kwargs: Any) -> Any:
        if len(args) < 2:
            raise TypeError(
                f"ga.hvp({describe(f)}) takes the arguments of the function and then the "
                f"direction v, but the call has {len(args)} in all."
            )
        *point, v = args
        given = Arguments("hvp", f, point, argnums)
        values = given.floats()
        direction = (v,) if given.single else v
        tangents = same_leaves(given.structure, direction, values, given.where, "direction v")

        @functools.wraps(f, updated=())
        def on_leaves(*leaves: Any) -> Any:
            return gradient(*given.filled(leaves), **kwargs)

        return jvp_as("hvp", on_leaves, values, tangents)[1]

    return run
