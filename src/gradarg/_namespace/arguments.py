"""What every function does with its arguments: arrays from sequences, axes from integers."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from .._core.errors import AxisError, ConcreteValueError, ImmutableError, ShapeError
from .._core.primitive import Primitive
from .._core.trace import Box, bind, constant, peek
from .._ops import structure

Axis = int | Sequence[int] | None


def array(x: Any) -> Any:
    """A box or an array; numbers and sequences become arrays, of tensors too."""
    if isinstance(x, Box) or x.__class__ is np.ndarray or isinstance(x, np.generic):
        return x
    if isinstance(x, (list, tuple)) and holds_box(x):
        rows = [array(item) for item in x]  # a list of tensors is their stack, as in np.array
        rows = [bind(structure.reshape, (r,), {"shape": (1, *r.shape)}) for r in rows]
        return bind(structure.concatenate, rows, {"axis": 0})
    return np.asarray(constant(x, "gradarg"))


def holds_box(items: Sequence[Any]) -> bool:
    return any(isinstance(i, Box) or (isinstance(i, (list, tuple)) and holds_box(i)) for i in items)


def real_array(x: Any, name: str) -> Any:
    """Like `array`, for functions that take no complex numbers."""
    x = array(x)
    if x.dtype.kind == "c":
        raise TypeError(f"{name} takes real numbers, not {x.dtype}.")
    return x


def number_or_array(x: Any) -> Any:
    """Like `array`, but Python numbers stay: they promote weakly."""
    return x if isinstance(x, (Box, bool, int, float, complex)) else array(x)


def concrete(x: Any, call: str) -> Any:
    """The values of an argument on which the shape of the result depends."""
    if not isinstance(x, Box):
        return array(x)
    value = peek(x)
    if value is None:
        raise ConcreteValueError(
            f"{call} has a shape that depends on values, which are not known inside {x._trace}. "
            "Keep the shape, as np.where(condition, x, 0) does, or pass what decides it as a "
            "plain array."
        )
    return value


def found(name: str, function: Callable[..., Any], *arrays: Any) -> Any:
    """The integer arrays that a function finds; their shape depends on the values."""

    def unknown(*_: Any, **__: Any) -> NoReturn:
        raise ConcreteValueError(
            f"{name} has a result whose shape depends on the values, which are not known inside "
            "ga.vmap and ga.stage. Keep the shape, with np.where(condition, x, 0), or call it on "
            "values from outside."
        )

    return bind(Primitive(name, function, multi=True, batch=unknown, shape=unknown), arrays)


def refuse_out(name: str, out: Any) -> None:
    """`out=` would write a result where its derivative is lost."""
    if out is not None and out is not np._NoValue:
        raise ImmutableError(
            f"{name}(..., out=) would write the result into an array, where its derivative would "
            "be lost. Use the result: x = ..."
        )


def axis_of(axis: Any, ndim: int, name: str) -> int:
    """One axis as a non-negative integer."""
    a = operator.index(axis)
    if not -ndim <= a < ndim:
        raise AxisError(f"{name}: axis {a} is out of bounds for an array of {ndim} dimensions.")
    return a % ndim


def axes_of(axis: Axis, ndim: int, name: str) -> tuple[int, ...]:
    """Axes to reduce as a sorted tuple; None means all."""
    if axis is None:
        return tuple(range(ndim))
    if not isinstance(axis, (tuple, list)):
        return (axis_of(axis, ndim, name),)
    axes = tuple(axis_of(a, ndim, name) for a in axis)
    if len(set(axes)) != len(axes):
        raise ShapeError(f"{name}: axis {tuple(axis)} names an axis twice.")
    return tuple(sorted(axes))


def shape_of(shape: Any, name: str) -> tuple[int, ...]:
    """A shape as a tuple of integers."""
    try:
        return (operator.index(shape),)
    except TypeError:
        pass
    try:
        return tuple(operator.index(n) for n in shape)
    except TypeError:
        raise ShapeError(f"{name}: {shape!r} is no shape; give a tuple of integers.") from None


def somewhere(truth: Any) -> bool:
    """Whether a condition is known to hold for some element."""
    known = peek(truth)
    return known is not None and bool(np.any(known))
