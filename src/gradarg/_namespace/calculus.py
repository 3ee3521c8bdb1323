"""Differences, integrals, interpolation and convolution of samples, under NumPy's names."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._core.errors import ShapeError
from .._core.trace import bind, peek
from .._ops import contract, searching
from .._ops import elementwise as ops
from . import elementwise, reductions
from .arguments import Axis, array, axes_of, axis_of, number_or_array, real_array
from .elementwise import astype
from .indexing import getitem
from .manipulation import (
    atleast_1d,
    broadcast_to,
    concatenate,
    flip,
    moveaxis,
    ravel,
    reshape,
    stack,
)

__all__ = [
    "convolve",
    "correlate",
    "cross",
    "diff",
    "ediff1d",
    "gradient",
    "i0",
    "interp",
    "kaiser",
    "trapezoid",
    "unwrap",
]


def _slices(a: Any, axis: int, start: int | None, stop: int | None) -> Any:
    """a[start:stop] along one axis."""
    return getitem(a, (slice(None),) * axis + (slice(start, stop),))


# ---- differences and integrals


def diff(
    a: Any, n: int = 1, axis: int = -1, prepend: Any = np._NoValue, append: Any = np._NoValue
) -> Any:
    """The n-th differences a[i + 1] - a[i] along an axis, after joining values to both ends.

    >>> import gradarg as ga, numpy as np
    >>> ga.jacobian(np.diff)(np.array([1.0, 4.0, 9.0]))
    array([[-1.,  1.,  0.],
           [ 0., -1.,  1.]])
    """
    a = array(a)
    if n < 0:
        raise ValueError(f"diff: the order must not be negative, not {n}.")
    if n == 0:
        return a
    if a.ndim == 0:
        raise ValueError("diff needs at least one dimension, not a single number.")
    axis = axis_of(axis, a.ndim, "diff")
    parts = [a]
    for given, place in ((prepend, 0), (append, 2)):
        if given is not np._NoValue:
            given = array(given)
            if given.ndim == 0:
                one = tuple(1 if i == axis else k for i, k in enumerate(a.shape))
                given = broadcast_to(given, one)
            parts.insert(place, given)
    if len(parts) > 1:
        a = concatenate(parts, axis)
    for _ in range(n):
        later, earlier = _slices(a, axis, 1, None), _slices(a, axis, None, -1)
        a = elementwise.not_equal(later, earlier) if a.dtype == bool else later - earlier
    return a


def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """The differences between neighbours of the flattened array, between values that are joined."""
    a = ravel(ary)
    out = getitem(a, slice(1, None)) - getitem(a, slice(-1)) if a.size else a
    ends = [ravel(array(x)) for x in (to_begin, to_end) if x is not None]
    for x in ends:
        if not np.can_cast(x.dtype, a.dtype, casting="same_kind"):
            raise TypeError(f"ediff1d: {x.dtype} cannot be joined to differences of {a.dtype}.")
    ends = [astype(x, a.dtype, copy=False) for x in ends]
    first = ends[: to_begin is not None]
    return concatenate([*first, out, *ends[len(first) :]]) if ends else out


def gradient(f: Any, *varargs: Any, axis: Axis = None, edge_order: int = 1) -> Any:
    """df/dx along each axis: central differences inside, one-sided of an order at the edges.

    The spacing of each axis is a number or the coordinates of its points, which have derivatives of
    their own.
    """
    f = array(f)
    axes = _given_axes(axis, f.ndim)
    if edge_order not in (1, 2):
        raise ValueError(f"gradient: edge_order must be 1 or 2, not {edge_order}.")
    spacings = [1.0] * len(axes) if not varargs else list(varargs)
    if len(spacings) == 1 and np.ndim(number_or_array(spacings[0])) == 0:
        spacings *= len(axes)
    if len(spacings) != len(axes):
        raise TypeError(f"gradient: {len(varargs)} spacings for {len(axes)} axes.")
    if f.dtype.kind not in "fc":
        f = astype(f, float)
    found = [_gradient_along(f, _spacing(f, h, i), i, edge_order) for h, i in zip(spacings, axes)]
    return found[0] if len(found) == 1 else tuple(found)


def _given_axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    if isinstance(axis, (tuple, list)):  # in the order given, since the results are
        axes_of(axis, ndim, "gradient")
        return tuple(axis_of(i, ndim, "gradient") for i in axis)
    return axes_of(axis, ndim, "gradient")


def _spacing(f: Any, h: Any, axis: int) -> Any:
    """A number, or the distances between the coordinates."""
    h = number_or_array(h)
    if np.ndim(h) == 0:
        return h
    if h.ndim != 1 or h.shape[0] != f.shape[axis]:
        raise ValueError(
            f"gradient: coordinates of shape {tuple(h.shape)} do not fit the axis {axis} of an "
            f"array of shape {tuple(f.shape)}."
        )
    h = diff(h if h.dtype.kind in "fc" else astype(h, float))
    if isinstance(h, np.ndarray) and h.size and np.all(h == h[0]):
        return h[0]
    return reshape(h, (-1,) + (1,) * (f.ndim - 1 - axis))


def _gradient_along(f: Any, h: Any, axis: int, edge_order: int) -> Any:
    n = f.shape[axis]
    if n < edge_order + 1:
        raise ValueError(
            f"gradient: {n} points are too few along axis {axis}; edge_order {edge_order} needs "
            f"{edge_order + 1}."
        )

    def at(start: int | None, stop: int | None) -> Any:
        return _slices(f, axis, start, stop)

    uniform = np.ndim(h) == 0
    if uniform:
        inner = (at(2, None) - at(None, -2)) / (2.0 * h)
        first, last = h, h
    else:
        left, right = h[:-1], h[1:]
        a = -right / (left * (left + right))
        b = (right - left) / (left * right)
        c = left / (right * (left + right))
        inner = a * at(None, -2) + b * at(1, -1) + c * at(2, None)
        first, last = h[:1], h[-1:]
    if edge_order == 1:
        start = (at(1, 2) - at(0, 1)) / first
        end = (at(-1, None) - at(-2, -1)) / last
    else:
        second, before = (h, h) if uniform else (h[1:2], h[-2:-1])
        start = _one_sided(at(0, 1), at(1, 2), at(2, 3), first, second)
        end = -_one_sided(at(-1, None), at(-2, -1), at(-3, -2), last, before)
    parts = [start, inner, end] if n > 2 else [start, end]
    return concatenate(parts, axis)


def _one_sided(f0: Any, f1: Any, f2: Any, h1: Any, h2: Any) -> Any:
    """The derivative at f0 of the parabola through three points, h1 and h2 apart."""
    a = -(2.0 * h1 + h2) / (h1 * (h1 + h2))
    b = (h1 + h2) / (h1 * h2)
    c = -h1 / (h2 * (h1 + h2))
    return a * f0 + b * f1 + c * f2


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """The integral of y along an axis by the trapezoid rule, over the points x or in steps of dx.

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(np.trapezoid)(np.array([1.0, 4.0, 9.0]))
    array([0.5, 1. , 0.5])
    """
    y = array(y)
    axis = axis_of(axis, y.ndim, "trapezoid")
    if x is None:
        d = number_or_array(dx)
    else:
        x = array(x)
        if x.ndim == 1:
            d = reshape(diff(x), (-1,) + (1,) * (y.ndim - 1 - axis))
        else:
            d = diff(x, axis=axis)
    middle = (_slices(y, axis, 1, None) + _slices(y, axis, None, -1)) / 2.0
    return reductions.sum(d * middle, axis)


# ---- interpolation and phases


def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    """The piecewise linear function through the points (xp, fp) at x; in float64, as NumPy's.

    It has derivatives in x, xp, fp, left and right. At a knot the derivative in x is the slope to
    its right, at the last knot that to its left; outside it is 0. xp must increase.

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(lambda x: np.interp(x, [0.0, 1.0, 3.0], [0.0, 2.0, 3.0]))(1.0)
    np.float64(0.5)
    """
    x, xp = (astype(real_array(v, "interp"), np.float64, copy=False) for v in (x, xp))
    fp = array(fp)
    fp = astype(fp, np.complex128 if fp.dtype.kind == "c" else np.float64, copy=False)
    if xp.ndim != 1 or fp.shape != xp.shape or not xp.size:
        raise ValueError(
            "interp: xp and fp must be 1-d, of one length and not empty, but are of the shapes "
            f"{tuple(xp.shape)} and {tuple(fp.shape)}."
        )
    if period is not None:
        known = peek(period)
        if known is not None and known == 0:
            raise ValueError("interp: the period must not be 0.")
        left = right = None
        period = elementwise.absolute(astype(period, np.float64, copy=False))
        x, xp = elementwise.remainder(x, period), elementwise.remainder(xp, period)
        order = reductions.argsort(xp)
        xp, fp = getitem(xp, order), getitem(fp, order)
        xp = concatenate(
            [getitem(xp, slice(-1, None)) - period, xp, getitem(xp, slice(1)) + period]
        )
        fp = concatenate([getitem(fp, slice(-1, None)), fp, getitem(fp, slice(1))])
    count = xp.shape[0]
    place = bind(searching.searchsorted, (xp, x), {"side": "right"}) - 1
    place = elementwise.maximum(elementwise.minimum(place, count - 2), 0)
    after = elementwise.minimum(place + 1, count - 1)
    x0, y0 = getitem(xp, place), getitem(fp, place)
    width = getitem(xp, after) - x0
    none = elementwise.equal(width, 0)  # two equal knots at the end: the latter is the last
    part = elementwise.where(none, 1, (x - x0) / elementwise.where(none, 1, width))
    inside = bind(ops.product, (1 - part, y0)) + bind(ops.product, (part, getitem(fp, after)))
    low, high = (
        (getitem(fp, 0) if left is None else left),
        (getitem(fp, -1) if right is None else right),
    )
    below, above = elementwise.less(x, getitem(xp, 0)), elementwise.greater(x, getitem(xp, -1))
    low, high = (astype(v, fp.dtype, copy=False) for v in (low, high))
    return elementwise.where(below, low, elementwise.where(above, high, inside))


def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * math.pi) -> Any:
    """p with multiples of the period added wherever neighbours lie more than half of it apart.

    The derivative in p is 1.
    """
    p, period = real_array(p, "unwrap"), number_or_array(period)
    axis = axis_of(axis, p.ndim, "unwrap")
    if p.shape[axis] == 0:
        return p + 0 * period
    dd = diff(p, axis=axis)
    whole = all(
        isinstance(v, int) if isinstance(v, (int, float)) else v.dtype.kind in "iu"
        for v in (p, period)
    )
    half = period // 2 if whole else period / 2
    at_edge = period % 2 == 0 if whole else True
    wrapped = elementwise.remainder(dd + half, period) - half
    if at_edge is True or peek(at_edge):
        edge = elementwise.logical_and(
            elementwise.equal(wrapped, -half), elementwise.greater(dd, 0)
        )
        wrapped = elementwise.where(edge, wrapped + period, wrapped)
    stays = elementwise.less(
        elementwise.absolute(dd),
        half if discont is None else (elementwise.maximum(number_or_array(discont), array(half))),
    )
    steps = elementwise.where(stays, 0, wrapped - dd)
    rest = _slices(p, axis, 1, None) + reductions.cumsum(steps, axis)
    return concatenate([astype(_slices(p, axis, 0, 1), rest.dtype, copy=False), rest], axis)


# ---- products of shifted sequences


def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """The sums of a[j] * v[k - j]: all of them, the middle ones, or those that overlap fully.

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(lambda v: np.sum(np.convolve([1.0, 2.0, 4.0], v, "valid")))(np.array([1.0, 1.0]))
    array([6., 3.])
    """
    return _convolved("convolve", a, v, mode)


def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """The sums of a[j + k] * conj(v[j]): the convolution with v reversed and conjugated."""
    v = atleast_1d(array(v))
    v = elementwise.conjugate(v) if v.dtype.kind == "c" else v
    return _convolved("correlate", a, v, mode)


def _convolved(name: str, a: Any, v: Any, mode: str) -> Any:
    a, v = atleast_1d(array(a)), atleast_1d(array(v))
    if a.ndim != 1 or v.ndim != 1 or not a.size or not v.size:
        raise ValueError(
            f"{name} takes two 1-d arrays that are not empty, not of the shapes {tuple(a.shape)} "
            f"and {tuple(v.shape)}."
        )
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"{name}: the mode {mode!r} is not one of 'full', 'same' and 'valid'.")
    if name == "correlate":
        v = flip(v)
    swapped = v.shape[0] > a.shape[0]
    if swapped:
        a, v = v, a
    if mode == "valid":
        return bind(contract.convolve, (a, v), {"mode": "valid"})
    out = bind(contract.convolve, (a, v), {"mode": "full"})
    if mode == "full":
        return out
    extra = v.shape[0] - 1  # if odd, more of it behind; of a swapped correlation, in front
    start = (extra + (swapped and name == "correlate")) // 2
    return getitem(out, slice(start, start + a.shape[0]))


def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    """The vector product of vectors of 3 elements; of 2, whose third is 0, as NumPy has it.

    >>> import gradarg as ga, numpy as np
    >>> ga.jacobian(lambda a: np.cross(a, np.array([1.0, 2.0, 3.0])))(np.zeros(3))
    array([[ 0.,  3., -2.],
           [-3.,  0.,  1.],
           [ 2., -1.,  0.]])
    """
    a, b = array(a), array(b)
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = moveaxis(a, axisa, -1), moveaxis(b, axisb, -1)
    if a.shape[-1] not in (2, 3) or b.shape[-1] not in (2, 3):
        raise ShapeError(
            f"cross takes vectors of 2 or 3 elements, not {a.shape[-1]} and {b.shape[-1]}."
        )
    flat = a.shape[-1] == b.shape[-1] == 2
    x, y = ([v[..., k] for k in range(v.shape[-1])] for v in (a, b))
    z = x[0] * y[1] - x[1] * y[0]
    if flat:
        return z
    if len(x) == 2:
        parts = [x[1] * y[2], -(x[0] * y[2]), z]
    elif len(y) == 2:
        parts = [-(x[2] * y[1]), x[2] * y[0], z]
    else:
        parts = [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], z]
    return moveaxis(stack(parts, -1), -1, axisc)


# ---- the Bessel function of order 0, and the window made of it


def i0(x: Any) -> Any:
    """The modified Bessel function of the first kind, of order 0."""
    x = real_array(x, "i0")
    return bind(ops.i0, (x if x.dtype.kind == "f" else astype(x, float),))


def kaiser(M: int, beta: Any) -> Any:
    """The Kaiser window of M points: i0(beta * sqrt(1 - (2k / (M - 1) - 1)**2)) / i0(beta).

    It has a derivative in beta. `np.kaiser` does not let a tensor through, but raises.

    >>> import gradarg as ga, numpy as np
    >>> ga.jacobian(lambda beta: ga.kaiser(3, beta))(2.0).round(4)
    array([-0.3061,  0.    , -0.3061])
    """
    beta = number_or_array(beta)
    if M < 1:
        return np.zeros(0)
    if M == 1:
        return np.ones(1) + 0 * beta
    along = np.linspace(-1, 1, int(M))
    return i0(beta * np.sqrt((1 - along) * (1 + along))) / i0(beta)
