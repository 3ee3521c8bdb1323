"""Statistics under NumPy's names: averages, quantiles, covariances, histograms, and the nan family.

Conventions. A quantile is a sum of one or two elements of the sorted array, and these have its
derivative; of equal elements, those that a stable sort puts there, as in `sort`. Its derivative in
q is the slope to the next element, where the method interpolates; 0 where it chooses. In the nan
family, elements that are NaN have derivative 0. Counts and bins are piecewise constant in the data:
the derivatives of a histogram are those in its weights, and through edges found from the data.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core.errors import ConcreteValueError, ShapeError
from .._core.trace import Box, bind, peek
from .._ops import elementwise as ops
from .._ops import searching, sorting, structure
from . import elementwise, reductions
from .arguments import Axis, array, axes_of, axis_of, number_or_array, real_array, refuse_out
from .contraction import matmul
from .elementwise import astype
from .indexing import getitem, take_along_axis
from .manipulation import broadcast_to, concatenate, moveaxis, ravel, reshape, squeeze, transpose
from .views import constant_tensor

__all__ = [
    "average",
    "bincount",
    "corrcoef",
    "cov",
    "histogram",
    "histogram2d",
    "histogram_bin_edges",
    "histogramdd",
    "median",
    "nanargmax",
    "nanargmin",
    "nancumprod",
    "nancumsum",
    "nanmax",
    "nanmean",
    "nanmedian",
    "nanmin",
    "nanpercentile",
    "nanprod",
    "nanquantile",
    "nanstd",
    "nansum",
    "nanvar",
    "percentile",
    "quantile",
]

# ---- the nan family: reductions over the elements that are numbers


def _numbers(a: Any, where: Any = True) -> Any:
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
    return reductions.sum(a, axis, dtype, out, keepdims, initial, _numbers(a, where))


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
    return reductions.prod(a, axis, dtype, out, keepdims, initial, _numbers(a, where))


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
    return reductions.mean(a, axis, dtype, out, keepdims, where=_numbers(a, where))


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
    return reductions.variance("nanvar", a, axis, dtype, ddof, keepdims, mean, _numbers(a, where))


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
    v = reductions.variance("nanstd", a, axis, dtype, ddof, keepdims, mean, _numbers(a, where))
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
    a = reductions.masked("nancumsum", a, _numbers(a), 0)
    return reductions.cumsum(a, axis, dtype, out)


def nancumprod(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    """The running product along an axis, NaN as 1."""
    a = array(a)
    a = reductions.masked("nancumprod", a, _numbers(a), 1)
    return reductions.cumprod(a, axis, dtype, out)


# ---- quantiles: elements of the sorted array, chosen or interpolated


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
    a = real_array(a, "median")
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
    if rows.dtype.kind != "f" or not rows.shape[-1]:
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
    a = real_array(a, "nanmedian")
    if a.dtype.kind != "f":
        return median(a, axis, None, overwrite_input, keepdims)
    axes = axes_of(axis, a.ndim, "nanmedian")
    rows = _rows(a, axes)
    if not rows.shape[-1]:
        return nanmean(a, axes, keepdims=keepdims)
    n = reductions.sum(_numbers(rows), -1, keepdims=True)
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
    rows = _rows(a, axes)
    skips = name.startswith("nan") and a.dtype.kind == "f"
    if weights is not None:
        out = _weighted_quantile(name, a, rows, q, axis, method, weights, skips)
    else:
        n: Any = rows.shape[-1]
        if skips:
            n = reductions.sum(_numbers(rows), -1)
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
    w = _fitting_weights(name, a, array(weights), axis)
    w = _rows(broadcast_to(w, a.shape), axes_of(axis, a.ndim, name))
    w = astype(bind(structure.stop_gradient, (w,)), np.float64, copy=False)
    if _somewhere(elementwise.less(w, 0)):
        raise ValueError(f"{name}: weights must not be negative.")
    if skips:
        w = reductions.masked(name, w, _numbers(rows), 0)
    order = reductions.argsort(rows)
    w = take_along_axis(w, order, -1)
    total = reductions.sum(w, -1, keepdims=True)
    empty = elementwise.logical_not(elementwise.greater(total, 0))
    if _somewhere(empty) and not skips:
        raise ValueError(f"{name}: the weights are all zero, or some of them are NaN.")
    part = reductions.cumsum(w, -1) / elementwise.where(empty, 1, total)
    if q.dtype.kind == "f":
        part = astype(part, q.dtype, copy=False)
    part = elementwise.where(elementwise.equal(part, 0), -1, part)  # no weight up to there
    before = elementwise.less(reshape(part, (*part.shape, 1)), reshape(q, (-1,)))
    place = reductions.sum(before, -2)
    n: Any = rows.shape[-1]
    if skips:
        n = reductions.sum(_numbers(rows), -1, keepdims=True)
    place = elementwise.maximum(elementwise.minimum(place, n - 1), 0)
    out = take_along_axis(rows, take_along_axis(order, place, -1), -1)
    out = out if skips else _nan_if_any(out, rows, 1)
    return out if q.ndim else getitem(out, (Ellipsis, 0))


def _somewhere(truth: Any) -> bool:
    """Whether a condition is known to hold for some element."""
    known = peek(truth)
    return known is not None and bool(np.any(known))


# ---- averages and covariances


def _fitting_weights(name: str, a: Any, w: Any, axis: Axis) -> Any:
    """Weights of the shape of a, or along the given axes alone, made to broadcast."""
    if w.shape == a.shape:
        return w
    if axis is None:
        raise TypeError(
            f"{name}: weights of shape {tuple(w.shape)} for an array of shape {tuple(a.shape)} "
            "need an axis."
        )
    given = axis if isinstance(axis, (tuple, list)) else (axis,)
    along = [axis_of(i, a.ndim, name) for i in given]
    if tuple(w.shape) != tuple(a.shape[i] for i in along):
        raise ValueError(
            f"{name}: weights of shape {tuple(w.shape)} do not fit the axes {tuple(along)} of an "
            f"array of shape {tuple(a.shape)}."
        )
    w = transpose(w, [int(i) for i in np.argsort(along)])
    return reshape(w, tuple(n if i in along else 1 for i, n in enumerate(a.shape)))


def average(
    a: Any,
    axis: Axis = None,
    weights: Any = None,
    returned: bool = False,
    *,
    keepdims: bool = False,
) -> Any:
    """sum(weights * a) / sum(weights) over the given axes; with `returned` also sum(weights).

    Raises ZeroDivisionError where weights are known to add up to zero.

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(lambda w: np.average([1.0, 2.0, 4.0], weights=w))(np.array([1.0, 1.0, 2.0]))
    array([-0.4375, -0.1875,  0.3125])
    """
    a = array(a)
    if weights is None:
        out = reductions.mean(a, axis, keepdims=keepdims)
        size = a.size / out.size if out.size else 0
        number = structure.constant_array(out.dtype.type(size), out.shape)
        return (out, _beside(a, number)) if returned else out
    w = _fitting_weights("average", a, array(weights), axis)
    kind = np.result_type(a.dtype, w.dtype, *([float] if a.dtype.kind in "biu" else []))
    w = astype(w, kind, copy=False)
    total = reductions.sum(w, axis, keepdims=keepdims)
    if _somewhere(elementwise.equal(total, 0)):
        raise ZeroDivisionError("average: the weights sum to zero.")
    out = reductions.sum(astype(a, kind, copy=False) * w, axis, keepdims=keepdims) / total
    return (out, broadcast_to(total, out.shape)) if returned else out


def _beside(like: Any, constant: Any) -> Any:
    """A constant that goes out with a result: a tensor beside tensors."""
    if isinstance(like, Box) and not isinstance(constant, Box):
        return constant_tensor(np.array(constant))
    return constant


def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    """The covariance matrix of variables, one in each row of m (and y) unless `rowvar` is False."""
    if ddof is not None and ddof != int(ddof):
        raise ValueError("cov: ddof must be an integer.")
    m = array(m)
    parts = [m] if y is None else [m, array(y)]
    if any(p.ndim > 2 for p in parts):
        listed = " and ".join(str(tuple(p.shape)) for p in parts)
        raise ShapeError(f"cov takes arrays of at most 2 dimensions, not of the shapes {listed}.")
    kind = np.dtype(dtype or np.result_type(*(p.dtype for p in parts), np.float64))
    rows = [_variables(astype(p, kind, copy=False), rowvar or p.ndim < 2) for p in parts]
    if not rowvar and m.ndim == 2 and m.shape[0] == 1 and y is None:
        rows = [transpose(rows[0])] if np.lib.NumpyVersion(np.__version__) < "2.2.0" else rows
    if m.size == 0 and m.shape[0] == 0 and y is None:
        return np.zeros((0, 0))
    x = concatenate(rows, 0) if len(rows) > 1 else rows[0]
    w = _observation_weights(x, fweights, aweights)
    ddof = (0 if bias else 1) if ddof is None else ddof
    total: Any = x.shape[1] if w is None else reductions.sum(w)
    centre = average(x, 1, w)
    if w is None:
        free = total - ddof
    elif ddof == 0:
        free = total
    elif aweights is None:
        free = total - ddof
    else:
        free = total - ddof * (reductions.sum(w * array(aweights)) / total)
    if not isinstance(free, Box) and free <= 0:  # and NaN or inf comes out
        free = 0.0
    x = x - reshape(centre, (-1, 1))
    weighted = x if w is None else x * w
    other = transpose(weighted)
    out = matmul(x, elementwise.conjugate(other) if kind.kind == "c" else other)
    return squeeze(out * astype(elementwise.divide(1.0, array(free)), kind, copy=False))


def _variables(x: Any, in_rows: bool) -> Any:
    x = reshape(x, (1, -1)) if x.ndim < 2 else x
    return x if in_rows else transpose(x)


def _observation_weights(x: Any, fweights: Any, aweights: Any) -> Any:
    """The product of both kinds of weights, checked; None without any."""
    w = None
    for name, given in (("fweights", fweights), ("aweights", aweights)):
        if given is None:
            continue
        given = astype(real_array(given, "cov"), np.float64, copy=False)
        if given.ndim != 1 or given.shape[0] != x.shape[1]:
            raise ShapeError(
                f"cov: {name} of shape {tuple(given.shape)} for {x.shape[1]} observations."
            )
        if name == "fweights" and _somewhere(elementwise.not_equal(given, elementwise.rint(given))):
            raise TypeError("cov: fweights count observations, so they must be integers.")
        if _somewhere(elementwise.less(given, 0)):
            raise ValueError(f"cov: {name} must not be negative.")
        w = given if w is None else w * given
    return w


def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """The matrix of correlation coefficients: cov(x, y) over the products of the deviations.

    A constant variable has NaN, as in NumPy.
    """
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    index = np.arange(c.shape[0])
    deviation = elementwise.sqrt(elementwise.real(getitem(c, (index, index))))
    c = c / reshape(deviation, (-1, 1)) / reshape(deviation, (1, -1))
    # rounding may leave [-1, 1]; what is cut off is a constant
    if c.dtype.kind == "c":
        parts = elementwise.real(c), elementwise.imag(c)
        return _within_one(parts[0]) + 1j * _within_one(parts[1])
    return _within_one(c)


def _within_one(c: Any) -> Any:
    return c + bind(structure.stop_gradient, (elementwise.clip(c, -1, 1) - c,))


# ---- counts and histograms


def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """How often each integer from 0 occurs in x, or the sum of the weights where it occurs.

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(lambda w: np.bincount([0, 2, 2], w)[2] ** 2)(np.array([1.0, 2.0, 3.0]))
    array([ 0., 10., 10.])
    """
    x = array(x)
    if x.ndim != 1 or x.dtype.kind not in "biu":
        raise TypeError(f"bincount takes a 1-d array of integers, not {x.dtype}{tuple(x.shape)}.")
    values = peek(x)
    if values is None:
        raise ConcreteValueError(
            "bincount: the length of the result depends on the values of x, which are not known "
            "inside vmap and stage. Write ga.zeros(n).at[x].add(weights)."
        )
    if values.size and values.min() < 0:
        raise ValueError("bincount: x must not be negative.")
    length = max(int(values.max()) + 1 if values.size else 0, minlength)
    if weights is None:
        return _counted(astype(x, np.intp, copy=False), None, length, np.intp)
    w = astype(real_array(weights, "bincount"), np.float64, copy=False)
    if w.shape != x.shape:
        raise ShapeError(f"bincount: {tuple(w.shape)} weights for {tuple(x.shape)} integers.")
    return _counted(astype(x, np.intp, copy=False), w, length, np.float64)


def _counted(index: Any, weights: Any, length: int, dtype: Any) -> Any:
    """The sum of the weights of each index (their number, without), beside zeros."""
    if weights is None:
        weights = structure.constant_array(np.ones((), dtype), index.shape)
    return bind(structure.scatter_add, (weights, index), {"shape": (length,)})


def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    """The edges of the bins of `histogram`: between the extremes of a they move with these."""
    a = ravel(a)
    return _beside(a, _edges("histogram_bin_edges", a, bins, range))


def _edges(name: str, a: Any, bins: Any, limits: Any) -> Any:
    a = real_array(a, name)
    if isinstance(bins, str):
        values = peek(a)
        if values is None:
            raise ConcreteValueError(
                f"{name}: bins={bins!r} counts bins by the values, which are not known inside vmap "
                "and stage. Give the number of bins, or their edges."
            )
        bins = len(np.histogram_bin_edges(values, bins, limits)) - 1
    bins = number_or_array(bins)
    if np.ndim(bins) == 1:
        if _somewhere(elementwise.greater(getitem(bins, slice(-1)), getitem(bins, slice(1, None)))):
            raise ValueError(f"{name}: the edges must increase.")
        return bins
    if np.ndim(bins) != 0:
        raise ShapeError(f"{name}: bins is a number or the edges in a row, not {np.shape(bins)}.")
    count = int(bins)
    if count < 1:
        raise ValueError(f"{name}: bins must be positive, not {count}.")
    if limits is not None:
        low, high = map(number_or_array, limits)
        known = peek(low), peek(high)
        if None not in known and not (np.isfinite(known[0]) and np.isfinite(known[1])):
            raise ValueError(f"{name}: the range {known} is not finite.")
        if None not in known and known[0] > known[1]:
            raise ValueError(f"{name}: the range {known} does not increase.")
    elif a.size == 0:
        low, high = 0.0, 1.0
    else:
        low, high = reductions.min(a), reductions.max(a)
        if _somewhere(elementwise.logical_not(elementwise.isfinite(high - low))):
            raise ValueError(f"{name}: the range of the data is not finite.")
    ends = [v if isinstance(v, (int, float)) else v.dtype for v in (low, high)]
    kind = np.result_type(*ends, *([] if name == "histogramdd" else [a.dtype]))
    kind = kind if kind.kind == "f" else np.dtype(float)
    low, high = astype(low, kind, copy=False), astype(high, kind, copy=False)
    flat = elementwise.equal(low, high)
    low = elementwise.where(flat, low - 0.5, low)
    high = elementwise.where(flat, high + 0.5, high)
    inner = low + np.arange(count, dtype=kind) * ((high - low) / count)
    return concatenate([inner, reshape(high, (1,))])


def _places(a: Any, edges: Any) -> Any:
    """The bin of each element, and one past the last bin for those that lie in none."""
    count = edges.shape[0] - 1
    place = bind(searching.searchsorted, (edges, a), {"side": "right"}) - 1
    place = elementwise.where(elementwise.equal(a, getitem(edges, -1)), count - 1, place)
    return elementwise.where(elementwise.less(place, 0), count, place)


def histogram(
    a: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None
) -> Any:
    """(hist, edges): the number of elements, or the sum of their weights, in each bin.

    With `density`, over the total and the width of the bin.
    """
    a = ravel(astype(a, np.uint8) if array(a).dtype == bool else a)
    w = None
    if weights is not None:
        w = array(weights)
        if w.size != a.size:
            raise ShapeError(f"histogram: {w.size} weights for {a.size} elements.")
        w = ravel(w)
    edges = _beside(
        a if w is None or isinstance(a, Box) else w, _edges("histogram", a, bins, range)
    )
    count = edges.shape[0] - 1
    hist = _counted(_places(a, edges), w, count + 1, np.intp)
    hist = getitem(hist, slice(count))
    if density:
        widths = getitem(edges, slice(1, None)) - getitem(edges, slice(-1))
        hist = hist / astype(widths, float, copy=False) / reductions.sum(hist)
    return hist, edges


def histogram2d(
    x: Any,
    y: Any,
    bins: Any = 10,
    range: Any = None,
    density: bool | None = None,
    weights: Any = None,
) -> Any:
    """(hist, x_edges, y_edges): `histogramdd` of two coordinates."""
    x, y = array(x), array(y)
    if x.shape != y.shape:
        raise ShapeError(f"histogram2d: x of shape {tuple(x.shape)}, y of {tuple(y.shape)}.")
    if np.ndim(number_or_array(bins) if not isinstance(bins, (list, tuple)) else 0) == 1 or (
        isinstance(bins, (list, tuple)) and len(bins) not in (1, 2)
    ):
        bins = [array(bins)] * 2
    hist, edges = histogramdd([x, y], bins, range, density, weights)
    return hist, edges[0], edges[1]


def histogramdd(
    sample: Any,
    bins: Any = 10,
    range: Any = None,
    density: bool | None = None,
    weights: Any = None,
) -> Any:
    """(hist, edges): the number or weight of the points in each box of a grid.

    The sample is an array (N, D), or a sequence of D arrays of coordinates.
    """
    if hasattr(sample, "shape") and hasattr(sample, "dtype"):
        sample = sample if sample.ndim == 2 else reshape(sample, (-1, 1))
        columns = [getitem(sample, (slice(None), k)) for k in np.arange(sample.shape[1]).tolist()]
    else:
        columns = [array(c) for c in sample]
    rank = len(columns)
    given = list(bins) if isinstance(bins, (list, tuple)) else [bins] * rank
    limits = [None] * rank if range is None else list(range)
    if len(given) != rank or len(limits) != rank:
        raise ValueError(f"histogramdd: bins and range need one entry for each of {rank} columns.")
    edges = [_beside(c, _edges("histogramdd", c, b, r)) for c, b, r in zip(columns, given, limits)]
    shape = tuple(e.shape[0] for e in edges)  # one more than bins, for the points in none
    place: Any = 0
    for c, e in zip(columns, edges):
        place = place * e.shape[0] + _places(c, e)
    w = None
    if weights is not None:
        w = astype(real_array(weights, "histogramdd"), np.float64, copy=False)
    size = int(np.prod(shape))
    hist = reshape(_counted(place, w, size, np.float64), shape)
    hist = getitem(hist, tuple(slice(n - 1) for n in shape))
    if density:
        total = reductions.sum(hist)
        for i, e in enumerate(edges):
            widths = getitem(e, slice(1, None)) - getitem(e, slice(-1))
            hist = hist / reshape(widths, tuple(-1 if j == i else 1 for j in np.arange(rank)))
        hist = hist / total
    return hist, edges
