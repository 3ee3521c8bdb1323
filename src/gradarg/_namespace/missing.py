"""Reductions over the elements that are numbers: the nan family. NaN have derivative 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core.trace import bind, peek
from .._ops import elementwise as ops
from . import elementwise, reductions
from .arguments import (
    Axis,
    array,
    refuse_out,
)

__all__ = [
    "nanargmax",
    "nanargmin",
    "nancumprod",
    "nancumsum",
    "nanmax",
    "nanmean",
    "nanmin",
    "nanprod",
    "nanstd",
    "nansum",
    "nanvar",
]


def numbers(a: Any, where: Any = True) -> Any:
    """A mask of the elements that are no NaN (and chosen), or True if there can be none."""
    if a.dtype.kind not in "fc":
        return where
    there = elementwise.logical_not(elementwise.isnan(a))
    return there if where is True else elementwise.logical_and(there, array(where))


def nansum(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """The sum over the given axes of the elements that are numbers.

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(np.nansum)(np.array([1.0, np.nan, 3.0]))
    array([1., 0., 1.])
    """
    a = array(a)
    return reductions.sum(a, axis, dtype, out, keepdims, initial, numbers(a, where))


def nanprod(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """The product over the given axes of the elements that are numbers."""
    a = array(a)
    return reductions.prod(a, axis, dtype, out, keepdims, initial, numbers(a, where))


def nanmean(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    *,
    where: Any = True,
) -> Any:
    """The mean over the given axes of the elements that are numbers; NaN where there are none."""
    a = array(a)
    return reductions.mean(a, axis, dtype, out, keepdims, where=numbers(a, where))


def nanvar(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: float = 0,
) -> Any:
    """The variance over the given axes of the elements that are numbers.

    NaN where these are not more than `ddof`.
    """
    refuse_out("nanvar", out)
    a, ddof = array(a), ddof or correction
    return reductions.variance("nanvar", a, axis, dtype, ddof, keepdims, mean, numbers(a, where))


def nanstd(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: float = 0,
) -> Any:
    """The square root of `nanvar`. Where it is 0, so is its derivative."""
    refuse_out("nanstd", out)
    a, ddof = array(a), ddof or correction
    v = reductions.variance("nanstd", a, axis, dtype, ddof, keepdims, mean, numbers(a, where))
    return reductions.root(v)


def nanmax(
    a: Any,
    axis: Axis = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """The largest number over the given axes; NaN where there is none. Equal ones share."""
    return _nan_extreme(reductions.max, -np.inf, a, axis, out, keepdims, initial, where)


def nanmin(
    a: Any,
    axis: Axis = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """The smallest number over the given axes; NaN where there is none. Equal ones share."""
    return _nan_extreme(reductions.min, np.inf, a, axis, out, keepdims, initial, where)


def _nan_extreme(
    f: Any, beyond: float, a: Any, axis: Axis, out: Any, keepdims: bool, initial: Any, where: Any
) -> Any:
    refuse_out(f"nan{f.__name__}", out)
    a = array(a)
    if a.dtype.kind not in "fc":
        return f(a, axis, None, keepdims, initial, where)
    missing = elementwise.isnan(a)
    found = f(_filled(a, missing, beyond), axis, None, keepdims, initial, where)
    if initial is not None:
        return found
    nothing = reductions.all(missing, axis, keepdims=keepdims)
    return elementwise.where(nothing, found.dtype.type(np.nan), found)


def _filled(a: Any, missing: Any, number: float) -> Any:
    return bind(ops.where, (missing, a.dtype.type(number), a))


def nanargmax(a: Any, axis: int | None = None, out: Any = None, *, keepdims: bool = False) -> Any:
    """The position of the first largest number; an integer, without derivative."""
    refuse_out("nanargmax", out)
    return _nan_position(reductions.argmax, -np.inf, a, axis, keepdims)


def nanargmin(a: Any, axis: int | None = None, out: Any = None, *, keepdims: bool = False) -> Any:
    """The position of the first smallest number; an integer, without derivative."""
    refuse_out("nanargmin", out)
    return _nan_position(reductions.argmin, np.inf, a, axis, keepdims)


def _nan_position(f: Any, beyond: float, a: Any, axis: int | None, keepdims: bool) -> Any:
    a = array(a)
    if a.dtype.kind not in "fc":
        return f(a, axis, keepdims=keepdims)
    missing = elementwise.isnan(a)
    nothing = reductions.all(missing, axis, keepdims=keepdims)
    known = peek(nothing)
    if known is not None and np.any(known):
        raise ValueError(f"nan{f.__name__}: a slice of the array holds nothing but NaN.")
    found = f(_filled(a, missing, beyond), axis, keepdims=keepdims)
    return found if known is not None else elementwise.where(nothing, -1, found)


def nancumsum(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    """The running sum along an axis, NaN as 0."""
    a = array(a)
    a = reductions.masked("nancumsum", a, numbers(a), 0)
    return reductions.cumsum(a, axis, dtype, out)


def nancumprod(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    """The running product along an axis, NaN as 1."""
    a = array(a)
    a = reductions.masked("nancumprod", a, numbers(a), 1)
    return reductions.cumprod(a, axis, dtype, out)
