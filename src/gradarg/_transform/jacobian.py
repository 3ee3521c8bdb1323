"""Whole derivatives: jacobian, hessian, and the Hessian-vector product."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from .._core import tree
from .arguments import ArgNums, Arguments, like
from .batch import vmap
from .forward import jvp
from .reverse import Pullback, grad, vjp


def _basis(value: Any) -> Any:
    """All unit vectors of a value's space, along a new first axis."""
    n = int(np.prod(value.shape, dtype=int))
    return np.eye(n, dtype=value.dtype).reshape((n, *value.shape))


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

    @like(f, "jacobian", "The Jacobian of")
    def run(*args: Any, **kwargs: Any) -> Any:
        given = Arguments("jacobian", f, args, argnums)
        values = given.floats()

        def on_leaves(*leaves: Any) -> Any:
            return f(*given.filled(leaves), **kwargs)

        if mode == "forward":
            return _forward(on_leaves, given, values)
        _, pullback = vjp(on_leaves, *values)
        rows = sum(o.size for o in pullback.outs)
        if mode is None and rows > sum(v.size for v in values):
            return _forward(on_leaves, given, values)
        return _reverse(pullback, given)

    return run


def _reverse(pullback: Pullback, given: Arguments) -> Any:
    blocks = []
    for i, out in enumerate(pullback.outs):
        rest = [_zeros(o) for o in pullback.outs]

        def row(unit: Any, i: int = i, rest: list[Any] = rest) -> Any:
            return pullback.transposed([*rest[:i], unit, *rest[i + 1 :]])

        found = vmap(row)(_basis(out))
        blocks.append(
            given.result(
                [np.reshape(g, (*out.shape, *v.shape)) for g, v in zip(found, pullback.values)]
            )
        )
    return pullback.structure.unflatten(blocks)


def _forward(f: Callable[..., Any], given: Arguments, values: list[Any]) -> Any:
    columns = []
    for i, value in enumerate(values):
        rest = [_zeros(v) for v in values]

        def column(unit: Any, i: int = i, rest: list[Any] = rest) -> Any:
            return jvp(f, values, [*rest[:i], unit, *rest[i + 1 :]])[1]

        leaves, structure = tree.flatten(vmap(column, out_axes=-1)(_basis(value)))
        columns.append([np.reshape(g, (*g.shape[:-1], *value.shape)) for g in leaves])
    return structure.unflatten([given.result(block) for block in zip(*columns)])


def hessian(f: Callable[..., Any], argnums: ArgNums = 0) -> Callable[..., Any]:
    """The function that returns all second derivatives of f, which returns one number.

    Forward over reverse, in one batched pass. For an array the shape is `x.shape + x.shape`.

    >>> import gradarg as ga, numpy as np
    >>> ga.hessian(lambda x: x[0] ** 2 * x[1])(np.array([3.0, 5.0]))
    array([[10.,  6.],
           [ 6.,  0.]])
    """
    return like(f, "hessian", "The Hessian of")(
        lambda *args, **kwargs: jacobian(grad(f, argnums), argnums, "forward")(*args, **kwargs)
    )


def hvp(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """The function (*args, v) -> H @ v, with H the Hessian of f by one argument, never formed.

    >>> import gradarg as ga, numpy as np
    >>> ga.hvp(lambda x: np.sum(x ** 3))(np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    array([  6., 120.])
    """

    @like(f, "hvp", "The Hessian-vector product of")
    def run(*args: Any, **kwargs: Any) -> Any:
        *point, v = args
        gradient = grad(f, argnums)

        @like(f, "hvp", "Along")
        def along(x: Any) -> Any:
            moved = list(point)
            moved[argnums] = x
            return gradient(*moved, **kwargs)

        return jvp(along, (point[argnums],), (v,))[1]

    return run
