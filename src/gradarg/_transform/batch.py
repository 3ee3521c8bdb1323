"""Vectorised mapping: vmap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import tree
from .._core.batch import Batch
from .._core.errors import ShapeError
from .._core.trace import box
from .arguments import Arguments, like, numeric, owned


def vmap(f: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0) -> Callable[..., Any]:
    """The function that maps f over an axis of its arguments, in one pass of array operations.

    `in_axes` gives the axis of each argument that is mapped over, or None for one that is used
    whole; it is one such value for all, a tuple with one for each argument, or a tree of them.
    `out_axes` says where the mapped axis stands in the results. Keyword arguments are used whole.

    >>> import gradarg as ga, numpy as np
    >>> ga.vmap(np.dot, in_axes=(0, None))(np.array([[1.0, 2.0], [3.0, 4.0]]), np.ones(2))
    array([3., 7.])
    """
    return vmap_as("vmap", f, in_axes, out_axes)


def vmap_as(
    transform: str, f: Callable[..., Any], in_axes: Any, out_axes: Any
) -> Callable[..., Any]:
    """`vmap`, as part of a transform of another name."""

    @like(f, transform, "Maps over an axis:")
    def run(*args: Any, **kwargs: Any) -> Any:
        given = Arguments(transform, f, args)
        if isinstance(in_axes, (tuple, list)) and len(in_axes) != len(args):
            raise ShapeError(
                f"{given.where}: in_axes={in_axes} names {len(in_axes)} arguments, "
                f"but the call has {len(args)}."
            )
        spec = tuple(in_axes) if isinstance(in_axes, list) else in_axes
        axes = tree.spread(spec, given.structure, _is_axis, f"{given.where}: in_axes={in_axes}")
        size = _mapped_size(given, axes)
        with Batch(transform, f, size) as trace:
            leaves = [
                leaf if axis is None else box(_front(numeric(leaf, given.where), axis), trace, None)
                for leaf, axis in zip(given.leaves, axes)
            ]
            outs, structure = tree.flatten(f(*given.filled(leaves), **kwargs))
        places = tree.spread(out_axes, structure, _is_axis, f"{given.where}: out_axes={out_axes}")
        results = [_result(o, place, trace, given) for o, place in zip(outs, places)]
        return structure.unflatten(owned(results, given.leaves))

    return run


def _is_axis(spec: Any) -> bool:
    return spec is None or isinstance(spec, (int, np.integer))


def _mapped_size(given: Arguments, axes: list[Any]) -> int:
    sizes: dict[int, tuple[int, ...]] = {}
    for leaf, axis in zip(given.leaves, axes):
        if axis is None:
            continue
        shape = tuple(numeric(leaf, given.where).shape)
        if not -len(shape) <= axis < len(shape):
            raise ShapeError(
                f"{given.where}: an argument of shape {shape} has no axis {axis} to "
                "map over; say None in in_axes to use it whole."
            )
        sizes.setdefault(shape[axis], shape)
    if len(sizes) != 1:
        found = " and ".join(f"{n} (shape {s})" for n, s in sizes.items()) or "none"
        raise ShapeError(f"{given.where} needs one length of the mapped axes, but found {found}.")
    return next(iter(sizes))


def _front(leaf: Any, axis: int) -> Any:
    return leaf if axis == 0 else np.moveaxis(leaf, axis, 0)


def _result(out: Any, place: Any, trace: Batch, given: Arguments) -> Any:
    mapped = trace.owns(out)
    if place is None:
        if mapped:
            raise ShapeError(
                f"{given.where}: out_axes=None for a result that differs along the mapped "
                "axis; give the axis a place."
            )
        return numeric(out, given.where)
    out = exposed(out if mapped else numeric(out, given.where), trace)
    if not -out.ndim <= place < out.ndim:
        raise ShapeError(
            f"{given.where}: out_axes={place} is out of bounds for a result of {out.ndim} "
            "dimensions, the mapped axis among them."
        )
    return out if place == 0 else np.moveaxis(out, 0, place)


def exposed(value: Any, trace: Batch) -> Any:
    """A value with its hidden axis in sight, repeated along it where it had none."""
    if trace.owns(value):
        return value._inner
    return np.broadcast_to(value, (trace.size, *value.shape))
