"""Sums, means, extremes, products and what is made of them, under NumPy's names."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core.primitive import Primitive
from .._core.trace import bind
from .._ops import elementwise, reduce, sorting, structure
from .arguments import Axis, array, axes_of, axis_of
from .elementwise import astype

__all__ = [
    "all",
    "any",
    "argmax",
    "argmin",
    "argsort",
    "count_nonzero",
    "cumprod",
    "cumsum",
    "log_softmax",
    "logsumexp",
    "max",
    "mean",
    "min",
    "prod",
    "ptp",
    "softmax",
    "sort",
    "std",
    "sum",
    "var",
]


def _reduce(p: Primitive, name: str, a: Any, axis: Axis, keepdims: bool, dtype: Any = None) -> Any:
    a = array(a) if dtype is None else astype(a, dtype, copy=False)
    axes = axes_of(axis, a.ndim, name)
    out = bind(p, (a,), {"axis": axes})
    if keepdims:
        return bind(structure.reshape, (out,), {"shape": structure.reduced(a, axes, True)})
    return out


def _along(p: Primitive, name: str, a: Any, axis: int | None) -> Any:
    a = array(a)
    if axis is None:
        a, axis = bind(structure.reshape, (a,), {"shape": (a.size,)}), 0
    return bind(p, (a,), {"axis": axis_of(axis, a.ndim, name)})


def sum(a: Any, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    """The sum over the given axes (all by default).

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(lambda x: ga.sum(x * x))(np.array([1.0, 2.0]))
    array([2., 4.])
    """
    return _reduce(structure.sum, "sum", a, axis, keepdims, dtype)


def mean(a: Any, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    """The arithmetic mean over the given axes (all by default)."""
    a = array(a)
    if dtype is None and a.dtype == np.float16:  # NumPy too adds these up in float32
        return astype(mean(a, axis, np.float32, keepdims=keepdims), np.float16)
    axes = axes_of(axis, a.ndim, "mean")
    count = _count(a, axes)
    total = _reduce(structure.sum, "mean", a, axes, keepdims, dtype)
    return bind(elementwise.divide, (total, count))


def _count(a: Any, axes: tuple[int, ...]) -> int:
    count = 1
    for i in axes:
        count *= a.shape[i]
    return count


def var(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    ddof: float = 0,
    correction: float = 0,
    keepdims: bool = False,
    mean: Any = None,
) -> Any:
    """The variance: mean(|a - mean(a)|**2), with n - ddof in place of n."""
    return _var("var", a, axis, dtype, ddof or correction, keepdims, mean)


def _var(name: str, a: Any, axis: Axis, dtype: Any, ddof: float, keepdims: bool, mean: Any) -> Any:
    a = array(a) if dtype is None else astype(a, dtype)
    if dtype is None and a.dtype == np.float16:
        return astype(_var(name, a, axis, np.float32, ddof, keepdims, mean), np.float16)
    axes = axes_of(axis, a.ndim, name)
    centre = _mean(a, axes, keepdims=True) if mean is None else mean
    d = bind(elementwise.subtract, (a, centre))
    squared = (
        bind(elementwise.square, (d,))
        if d.dtype.kind != "c"
        else (bind(elementwise.real, (d * bind(elementwise.conjugate, (d,)),)))
    )
    total = _reduce(structure.sum, name, squared, axes, keepdims)
    count = _count(a, axes) - ddof
    return bind(elementwise.divide, (total, count if count > 0 else 0))


_mean = mean  # var and std have an argument of that name


def std(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    ddof: float = 0,
    correction: float = 0,
    keepdims: bool = False,
    mean: Any = None,
) -> Any:
    """The standard deviation: the square root of `var`. Where it is 0, so is its derivative."""
    v = _var("std", a, axis, dtype, ddof or correction, keepdims, mean)
    flat = bind(elementwise.CONSTANT["equal"], (v, 0))
    root = bind(elementwise.sqrt, (bind(elementwise.where, (flat, 1, v)),))
    return bind(elementwise.where, (flat, 0, root))


def max(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """The largest element over the given axes; equal ones share the derivative equally.

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(ga.max)(np.array([1.0, 3.0, 3.0]))
    array([0. , 0.5, 0.5])
    """
    return _reduce(reduce.max, "max", a, axis, keepdims)


def min(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """The smallest element over the given axes; equal ones share the derivative equally."""
    return _reduce(reduce.min, "min", a, axis, keepdims)


def ptp(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """max(a) - min(a) over the given axes."""
    top = _reduce(reduce.max, "ptp", a, axis, keepdims)
    return bind(elementwise.subtract, (top, _reduce(reduce.min, "ptp", a, axis, keepdims)))


def prod(a: Any, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    """The product over the given axes; its derivative is right where elements are zero.

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(ga.prod)(np.array([2.0, 0.0, 3.0]))
    array([0., 6., 0.])
    """
    return _reduce(reduce.prod, "prod", a, axis, keepdims, dtype)


def logsumexp(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """log(sum(exp(a))) over the given axes, without overflow."""
    return _reduce(reduce.logsumexp, "logsumexp", a, axis, keepdims)


def softmax(a: Any, axis: Axis = -1) -> Any:
    """exp(a) / sum(exp(a)) along the given axes, without overflow."""
    a = array(a)
    return bind(reduce.softmax, (a,), {"axis": axes_of(axis, a.ndim, "softmax")})


def log_softmax(a: Any, axis: Axis = -1) -> Any:
    """log(softmax(a)) along the given axes, exact where the probability rounds to 0 or 1."""
    a = array(a)
    return bind(reduce.log_softmax, (a,), {"axis": axes_of(axis, a.ndim, "log_softmax")})


def cumsum(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """The running sum along an axis, or over all elements in order."""
    return _along(reduce.cumsum, "cumsum", a if dtype is None else astype(a, dtype), axis)


def cumprod(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """The running product along an axis; its derivative is right where elements are zero."""
    return _along(reduce.cumprod, "cumprod", a if dtype is None else astype(a, dtype), axis)


def sort(a: Any, axis: int | None = -1, *, kind: Any = None, stable: Any = None) -> Any:
    """a sorted along an axis, ascending; equal elements keep their order (so any kind will do)."""
    return _along(sorting.sort, "sort", a, axis)


def argsort(a: Any, axis: int | None = -1, *, kind: Any = None, stable: Any = None) -> Any:
    """The positions that sort a; integers, without derivative."""
    return _along(sorting.argsort, "argsort", a, axis)


def _position(p: Primitive, name: str, a: Any, axis: int | None, keepdims: bool) -> Any:
    out = _along(p, name, a, axis)
    if not keepdims:
        return out
    a = array(a)
    shape = structure.reduced(a, axes_of(axis, a.ndim, name), True)
    return bind(structure.reshape, (out,), {"shape": shape})


def argmax(a: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """The position of the first largest element; an integer, without derivative."""
    return _position(sorting.argmax, "argmax", a, axis, keepdims)


def argmin(a: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """The position of the first smallest element; an integer, without derivative."""
    return _position(sorting.argmin, "argmin", a, axis, keepdims)


def all(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Whether all elements over the given axes are true."""
    return _reduce(reduce.all, "all", a, axis, keepdims)


def any(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Whether any element over the given axes is true."""
    return _reduce(reduce.any, "any", a, axis, keepdims)


def count_nonzero(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """How many elements over the given axes are not zero."""
    nonzero = bind(elementwise.CONSTANT["not_equal"], (array(a), 0))
    return _reduce(structure.sum, "count_nonzero", nonzero, axis, keepdims, np.dtype(np.intp))
