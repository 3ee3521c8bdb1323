"""Averages, covariances and histograms, under NumPy's names.

Counts and bins are piecewise constant in the data: the derivatives of a histogram are those in its
weights, and through edges found from the data.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core.errors import ConcreteValueError, ShapeError
from .._core.trace import Box, bind, peek
from .._ops import searching, structure
from . import elementwise, reductions
from .arguments import (
    Axis,
    array,
    axis_of,
    number_or_array,
    real_array,
    somewhere,
)
from .contraction import matmul
from .elementwise import astype
from .indexing import getitem
from .manipulation import broadcast_to, concatenate, ravel, reshape, squeeze, transpose
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
]


# ---- averages and covariances


def fitting_weights(name: str, a: Any, w: Any, axis: Axis) -> Any:
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
    w = fitting_weights("average", a, array(weights), axis)
    kind = np.result_type(a.dtype, w.dtype, *([float] if a.dtype.kind in "biu" else []))
    w = astype(w, kind, copy=False)
    total = reductions.sum(w, axis, keepdims=keepdims)
    if somewhere(elementwise.equal(total, 0)):
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
    x = concatenate(rows, 0) if len(rows) > 1 else rows[0]
    if not x.shape[0]:
        return np.zeros((0, 0))
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
        if name == "fweights" and somewhere(elementwise.not_equal(given, elementwise.rint(given))):
            raise TypeError("cov: fweights count observations, so they must be integers.")
        if somewhere(elementwise.less(given, 0)):
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
    a = astype(a, np.uint8) if a.dtype == bool else a
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
        if somewhere(elementwise.greater(getitem(bins, slice(-1)), getitem(bins, slice(1, None)))):
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
        if somewhere(elementwise.logical_not(elementwise.isfinite(high - low))):
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
    a = ravel(a)
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
