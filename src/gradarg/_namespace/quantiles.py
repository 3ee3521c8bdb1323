"""Medians, quantiles and percentiles, under NumPy's names.

A quantile is a sum of one or two elements of the sorted array, and these have its derivative; of
equal elements, those that a stable sort puts there, as in `sort`. Its derivative in q is the slope
to the next element, where the method interpolates; 0 where it chooses. In the nan family, elements
that are NaN have derivative 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core.errors import ShapeError
from .._core.trace import bind, peek
from .._ops import elementwise as ops
from .._ops import sorting, structure
from . import elementwise, reductions
from .arguments import (
    Axis,
    array,
    axes_of,
    number_or_array,
    real_array,
    refuse_out,
    somewhere,
)
from .elementwise import astype
from .indexing import getitem, take_along_axis
from .manipulation import broadcast_to, concatenate, moveaxis, reshape, transpose
from .missing import nanmean, numbers
from .statistics import fitting_weights

__all__ = [
    "median",
    "nanmedian",
    "nanpercentile",
    "nanquantile",
    "percentile",
    "quantile",
]


def _rows(a: Any, axes: tuple[int, ...]) -> Any:
    """a with the reduced axes as one, the last."""
    rest = tuple(i for i in range(a.ndim) if i not in axes)
    size = int(np.prod([a.shape[i] for i in axes], dtype=int))
    return reshape(transpose(a, rest + axes), (*(a.shape[i] for i in rest), size))


def _keep(out: Any, a: Any, axes: tuple[int, ...], keepdims: Any, lead: tuple[int, ...]) -> Any:
    if not keepdims or keepdims is np._NoValue:
        return out
    return reshape(out, lead + structure.reduced(a, axes, True))


def median(
    a: Any,
    axis: Axis = None,
    out: Any = None,
    overwrite_input: bool = False,
    keepdims: bool = False,
) -> Any:
    """The middle element of the sorted array, or the mean of the two in the middle.

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(np.median)(np.array([3.0, 1.0, 7.0, 2.0]))
    array([0.5, 0. , 0. , 0.5])
    """
    refuse_out("median", out)
    a = array(a)
    axes = axes_of(axis, a.ndim, "median")
    rows = _rows(a, axes)
    n = rows.shape[-1]
    places = np.arange((n - 1) // 2, n // 2 + 1) if n else np.zeros(0, int)
    out = reductions.mean(_at(rows, places), -1)
    return _keep(_nan_if_any(out, rows), a, axes, keepdims, ())


def _at(rows: Any, places: Any) -> Any:
    """The elements that sorting would put at some places of each row."""
    return take_along_axis(rows, bind(sorting.kth, (rows, places)), -1)


def _nan_if_any(out: Any, rows: Any, lead: int = 0) -> Any:
    """The result, or NaN where a row holds one."""
    if rows.dtype.kind not in "fc" or not rows.shape[-1]:
        return out
    missing = elementwise.isnan(rows)
    first = reductions.argmax(missing, -1, keepdims=True)
    there, value = take_along_axis(missing, first, -1), take_along_axis(rows, first, -1)
    if not lead:
        there, value = (getitem(v, (Ellipsis, 0)) for v in (there, value))
    return elementwise.where(there, value, out)


def nanmedian(
    a: Any,
    axis: Axis = None,
    out: Any = None,
    overwrite_input: bool = False,
    keepdims: bool = False,
) -> Any:
    """The median of the elements that are numbers; NaN where there are none."""
    refuse_out("nanmedian", out)
    a = array(a)
    if a.dtype.kind not in "fc":
        return median(a, axis, None, overwrite_input, keepdims)
    axes = axes_of(axis, a.ndim, "nanmedian")
    rows = _rows(a, axes)
    if not rows.shape[-1]:
        return nanmean(a, axes, keepdims=keepdims)
    n = reductions.sum(numbers(rows), -1, keepdims=True)
    places = concatenate([elementwise.maximum(n - 1, 0) // 2, n // 2], -1)
    places = elementwise.minimum(places, rows.shape[-1] - 1)
    out = reductions.mean(_at(rows, places), -1)
    return _keep(out, a, axes, keepdims, ())


def quantile(
    a: Any,
    q: Any,
    axis: Axis = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: Any = None,
) -> Any:
    """The q-th quantiles over the given axes, q in [0, 1]; axes of q come first in the result.

    The methods are those of NumPy; with `weights` there is 'inverted_cdf' alone, which is piecewise
    constant in them.

    >>> import gradarg as ga, numpy as np
    >>> x = np.array([3.0, 1.0, 7.0])
    >>> ga.grad(lambda x: np.quantile(x, 0.25))(x), ga.grad(lambda q: np.quantile(x, q))(0.25)
    (array([0.5, 0.5, 0. ]), np.float64(4.0))
    """
    refuse_out("quantile", out)
    return _quantile("quantile", a, q, axis, method, keepdims, weights)


def nanquantile(
    a: Any,
    q: Any,
    axis: Axis = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: Any = None,
) -> Any:
    """The quantiles of the elements that are numbers; NaN where there are none."""
    refuse_out("nanquantile", out)
    return _quantile("nanquantile", a, q, axis, method, keepdims, weights)


def percentile(
    a: Any,
    q: Any,
    axis: Axis = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: Any = None,
) -> Any:
    """The q-th percentiles, q in [0, 100]: `quantile` of q / 100."""
    refuse_out("percentile", out)
    q = number_or_array(q) / 100
    return _quantile("percentile", a, q, axis, method, keepdims, weights)


def nanpercentile(
    a: Any,
    q: Any,
    axis: Axis = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: Any = None,
) -> Any:
    """The percentiles of the elements that are numbers; NaN where there are none."""
    refuse_out("nanpercentile", out)
    q = number_or_array(q) / 100
    return _quantile("nanpercentile", a, q, axis, method, keepdims, weights)


# Where a quantile stands in the sorted array of n, counted from 0: alpha and beta of R. J. Hyndman
# and Y. Fan, "Sample quantiles in statistical packages" (1996), table 1
_INTERPOLATED = {
    "interpolated_inverted_cdf": (0.0, 1.0),
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
}


def _quantile(
    name: str, a: Any, q: Any, axis: Axis, method: str, keepdims: bool, weights: Any
) -> Any:
    a = real_array(a, name)
    axes = axes_of(axis, a.ndim, name)
    weak = isinstance(q, (int, float))  # a number of Python's keeps the dtype of a
    q = np.asarray(q)[()] if weak else array(q)
    known = peek(q)
    if known is not None and not np.all((known >= 0) & (known <= 1)):
        limit = 100 if "percentile" in name else 1
        raise ValueError(f"{name}: q must be in the range from 0 to {limit}.")
    if q.ndim > 1:
        raise ShapeError(f"{name}: q is a number or 1-d, not of shape {tuple(q.shape)}.")
    if name.startswith("nan") and not a.size:
        return nanmean(a, axes, keepdims=keepdims)
    rows = _rows(a, axes)
    skips = name.startswith("nan") and a.dtype.kind == "f"
    if weights is not None:
        out = _weighted_quantile(name, a, rows, q, axis, method, weights, skips)
    else:
        n: Any = rows.shape[-1]
        if skips:
            n = reductions.sum(numbers(rows), -1)
            n = reshape(n, n.shape + (1,) * q.ndim)
            n = astype(n, q.dtype) if q.dtype.kind == "f" else n  # as a number would promote
        out = _interpolated(name, rows, n, q, method, weak)
        out = out if skips else _nan_if_any(out, rows, q.ndim)
    if q.ndim:
        out = moveaxis(out, -1, 0)
    return _keep(out, a, axes, keepdims, tuple(q.shape))


def _interpolated(name: str, rows: Any, n: Any, q: Any, method: str, weak: bool) -> Any:
    """The quantiles of each row, as the last axis; n is the number of elements that count."""
    if method == "linear":
        place = (n - 1) * q
    elif method in _INTERPOLATED:
        alpha, beta = _INTERPOLATED[method]
        place = n * q + (alpha + q * (1 - alpha - beta)) - 1
    elif method == "averaged_inverted_cdf":
        place = n * q - 1
    elif method == "midpoint":
        place = (n - 1) * q
        place = (elementwise.floor(place) + elementwise.ceil(place)) * 0.5
    else:
        return _pick(rows, n, _chosen(name, n, q, method))
    if place.dtype.kind in "iu":
        return _pick(rows, n, place)
    below = elementwise.floor(place)
    part = place - below
    if method == "averaged_inverted_cdf":
        part = elementwise.where(elementwise.equal(part, 0), 0.5, 1.0)
    if weak and rows.dtype.kind == "f":
        part = astype(part, rows.dtype, copy=False)
    elif rows.dtype.kind == "f":
        part = astype(part, place.dtype, copy=False)
    low, high = _pick(rows, n, below), _pick(rows, n, below + 1)
    return low + bind(ops.product, (part, high - low))


def _chosen(name: str, n: Any, q: Any, method: str) -> Any:
    """The place of the one element that a method without interpolation chooses."""
    if method in ("inverted_cdf", "closest_observation"):
        place = n * q - (1 if method == "inverted_cdf" else 1.5)
        below = elementwise.floor(place)
        stays = elementwise.equal(place, below)
        if method == "closest_observation":
            stays = elementwise.logical_and(stays, elementwise.equal(below % 2, 1))
        return elementwise.where(stays, below, below + 1)
    rounded = {"lower": elementwise.floor, "higher": elementwise.ceil, "nearest": elementwise.rint}
    if method not in rounded:
        raise ValueError(f"{name}: {method!r} is not one of NumPy's methods.")
    return rounded[method]((n - 1) * q)


def _pick(rows: Any, n: Any, place: Any) -> Any:
    """The elements that sorting would put at a place of each row, between 0 and n - 1."""
    place = elementwise.minimum(elementwise.maximum(place, 0), n - 1)
    place = elementwise.maximum(elementwise.nan_to_num(place), 0)
    place = astype(place, np.intp, copy=False)
    lead = tuple(rows.shape[:-1])
    shape = place.shape if np.ndim(n) else lead + place.shape  # n of each row, or of all
    return reshape(_at(rows, reshape(place, (*lead, -1) if np.ndim(n) else (-1,))), shape)


def _weighted_quantile(
    name: str, a: Any, rows: Any, q: Any, axis: Axis, method: str, weights: Any, skips: bool
) -> Any:
    """The first elements at which the weights up to it make the part q of all weights."""
    if method != "inverted_cdf":
        raise ValueError(f"{name}: weights= needs method='inverted_cdf', not {method!r}.")
    w = fitting_weights(name, a, array(weights), axis)
    w = _rows(broadcast_to(w, a.shape), axes_of(axis, a.ndim, name))
    w = astype(bind(structure.stop_gradient, (w,)), np.float64, copy=False)
    if somewhere(elementwise.less(w, 0)):
        raise ValueError(f"{name}: weights must not be negative.")
    if skips:
        w = reductions.masked(name, w, numbers(rows), 0)
    order = reductions.argsort(rows)
    w = take_along_axis(w, order, -1)
    total = reductions.sum(w, -1, keepdims=True)
    empty = elementwise.logical_not(elementwise.greater(total, 0))
    if somewhere(empty) and not skips:
        raise ValueError(f"{name}: the weights are all zero, or some of them are NaN.")
    part = reductions.cumsum(w, -1) / elementwise.where(empty, 1, total)
    if q.dtype.kind == "f":
        part = astype(part, q.dtype, copy=False)
    part = elementwise.where(elementwise.equal(part, 0), -1, part)  # no weight up to there
    before = elementwise.less(reshape(part, (*part.shape, 1)), reshape(q, (-1,)))
    place = reductions.sum(before, -2)
    n: Any = rows.shape[-1]
    if skips:
        n = reductions.sum(numbers(rows), -1, keepdims=True)
    place = elementwise.maximum(elementwise.minimum(place, n - 1), 0)
    out = take_along_axis(rows, take_along_axis(order, place, -1), -1)
    out = out if skips else _nan_if_any(out, rows, 1)
    return out if q.ndim else getitem(out, (Ellipsis, 0))
