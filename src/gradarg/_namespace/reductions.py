"""Sums, means, extremes, products and what is made of them, under NumPy's names.

`where` chooses the elements that count, by a mask that broadcasts; the others have derivative 0.
`initial` joins the reduction as one more element, with a derivative of its own if it is a tensor.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core.errors import ShapeError
from .._core.primitive import Primitive
from .._core.trace import bind
from .._ops import elementwise, reduce, sorting, structure
from .arguments import Axis, array, axes_of, axis_of, number_or_array, refuse_out
from .elementwise import astype

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "argsort",
    "count_nonzero",
    "cumprod",
    "cumsum",
    "cumulative_prod",
    "cumulative_sum",
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


def _reduce(p: Primitive, name: str, a: Any, axis: Axis, keepdims: Any, dtype: Any = None) -> Any:
    a = array(a) if dtype is None else astype(a, dtype, copy=False)
    axes = axes_of(axis, a.ndim, name)
    out = bind(p, (a,), {"axis": axes})
    if dtype is not None:  # small integers are added up in larger ones
        out = astype(out, dtype, copy=False)
    if keepdims and keepdims is not np._NoValue:
        return bind(structure.reshape, (out,), {"shape": structure.reduced(a, axes, True)})
    return out


def masked(name: str, a: Any, where: Any, fill: Any) -> Any:
    """a with a number in place of the elements that do not count."""
    if where is True or where is np._NoValue:
        return a
    chosen = bind(elementwise.where, (array(where), a, a.dtype.type(fill)))
    if chosen.shape != a.shape:
        raise ShapeError(
            f"{name}: where of shape {np.shape(where)} does not broadcast to the array's "
            f"{tuple(a.shape)}."
        )
    return chosen


def _masked_reduce(
    p: Primitive,
    join: Primitive,
    name: str,
    a: Any,
    axis: Axis,
    keepdims: bool,
    dtype: Any,
    out: Any,
    initial: Any,
    where: Any,
    fill: Any,
) -> Any:
    """A reduction over the elements under the mask and the initial value."""
    refuse_out(name, out)
    a = masked(name, array(a) if dtype is None else astype(a, dtype, copy=False), where, fill)
    if initial is None or initial is np._NoValue:
        return _reduce(p, name, a, axis, keepdims, dtype)
    if np.ndim(number_or_array(initial)) != 0:
        raise ShapeError(f"{name}: initial is one number, not of shape {np.shape(initial)}.")
    axes = axes_of(axis, a.ndim, name)
    if not _count(a, axes):  # where maximum and minimum have no value of their own
        kind = bind(p, (np.ones((1,) * a.ndim, a.dtype),), {"axis": axes}).dtype
        join, found = elementwise.add, _reduce(structure.sum, name, a, axes, keepdims, kind)
    else:
        found = _reduce(p, name, a, axes, keepdims, dtype)
    return bind(join, (found, astype(initial, found.dtype, copy=False)))


def _along(p: Primitive, name: str, a: Any, axis: int | None, dtype: Any = None) -> Any:
    a = array(a) if dtype is None else astype(a, dtype)
    if axis is None:
        a, axis = bind(structure.reshape, (a,), {"shape": (a.size,)}), 0
    out = bind(p, (a,), {"axis": axis_of(axis, a.ndim, name)})
    return out if dtype is None else astype(out, dtype, copy=False)


def sum(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """The sum over the given axes (all by default).

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(lambda x: ga.sum(x * x))(np.array([1.0, 2.0]))
    array([2., 4.])
    """
    if where is True and initial is None and out is None:
        return _reduce(structure.sum, "sum", a, axis, keepdims, dtype)
    return _masked_reduce(
        structure.sum, elementwise.add, "sum", a, axis, keepdims, dtype, out, initial, where, 0
    )


def mean(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    *,
    where: Any = True,
) -> Any:
    """The arithmetic mean over the given axes (all by default); NaN where nothing counts."""
    if out is not None:
        refuse_out("mean", out)
    a = array(a)
    if dtype is None and a.dtype == np.float16:  # NumPy too adds these up in float32
        return astype(mean(a, axis, np.float32, keepdims=keepdims, where=where), np.float16)
    axes = axes_of(axis, a.ndim, "mean")
    if where is True or where is np._NoValue:
        total = _reduce(structure.sum, "mean", a, axes, keepdims, dtype)
        return bind(elementwise.divide, (total, _count(a, axes)))
    total = _reduce(structure.sum, "mean", masked("mean", a, where, 0), axes, keepdims, dtype)
    count = _counted(a, axes, keepdims, where, total)
    return _divided(total, count, bind(elementwise.CONSTANT["equal"], (count, 0)))


def _count(a: Any, axes: tuple[int, ...]) -> int:
    count = 1
    for i in axes:
        count *= a.shape[i]
    return count


def _counted(a: Any, axes: tuple[int, ...], keepdims: bool, where: Any, total: Any) -> Any:
    """How many elements the mask lets through, as floats beside their total."""
    mask = bind(structure.broadcast_to, (array(where),), {"shape": tuple(a.shape)})
    count = _reduce(structure.sum, "mean", mask, axes, keepdims, np.dtype(np.intp))
    real = np.zeros(0, total.dtype).real.dtype
    return astype(count, real if real.kind == "f" else np.dtype(float))


def _divided(total: Any, count: Any, nothing: Any) -> Any:
    """total / count, and NaN without derivative where there is nothing to divide."""
    with np.errstate(divide="ignore", invalid="ignore"):
        out = bind(elementwise.divide, (total, bind(elementwise.where, (nothing, 1, count))))
    return bind(elementwise.where, (nothing, out.dtype.type(np.nan), out))


def var(
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
    """The variance: mean(|a - mean(a)|**2), with n - ddof in place of n."""
    refuse_out("var", out)
    return variance("var", a, axis, dtype, ddof or correction, keepdims, mean, where)


def variance(
    name: str, a: Any, axis: Axis, dtype: Any, ddof: float, keepdims: bool, mean: Any, where: Any
) -> Any:
    a = array(a) if dtype is None else astype(a, dtype)
    if dtype is None and a.dtype == np.float16:
        wide = variance(name, a, axis, np.float32, ddof, keepdims, mean, where)
        return astype(wide, np.float16)
    axes = axes_of(axis, a.ndim, name)
    centre = _mean(a, axes, keepdims=True, where=where) if mean is None else mean
    d = bind(elementwise.subtract, (a, centre))
    if where is not True:
        d = masked(name, d, where, 0)
    squared = (
        bind(elementwise.square, (d,))
        if d.dtype.kind != "c"
        else (bind(elementwise.real, (d * bind(elementwise.conjugate, (d,)),)))
    )
    total = _reduce(structure.sum, name, squared, axes, keepdims)
    if where is True or where is np._NoValue:
        free: Any = _count(a, axes) - ddof
        return bind(elementwise.divide, (total, free if free > 0 else 0))
    count = _counted(a, axes, keepdims, where, total)
    free = bind(elementwise.maximum, (count - ddof, 0))
    # NumPy divides by 0 where too few count, but in the nan family says NaN
    decides = free if name.startswith("nan") else count
    return _divided(total, free, bind(elementwise.CONSTANT["equal"], (decides, 0)))


_mean = mean  # var and std have an argument of that name


def std(
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
    """The standard deviation: the square root of `var`. Where it is 0, so is its derivative."""
    refuse_out("std", out)
    return root(variance("std", a, axis, dtype, ddof or correction, keepdims, mean, where))


def root(v: Any) -> Any:
    """The square root of a variance, with derivative 0 where it is 0."""
    flat = bind(elementwise.CONSTANT["equal"], (v, 0))
    found = bind(elementwise.sqrt, (bind(elementwise.where, (flat, 1, v)),))
    return bind(elementwise.where, (flat, 0, found))


def lowest(dtype: Any) -> Any:
    """The number that no maximum of this dtype is below."""
    if dtype.kind in "iu":
        return np.iinfo(dtype).min
    return False if dtype.kind == "b" else -np.inf


def highest(dtype: Any) -> Any:
    """The number that no minimum of this dtype is above."""
    if dtype.kind in "iu":
        return np.iinfo(dtype).max
    return True if dtype.kind == "b" else np.inf


def max(
    a: Any,
    axis: Axis = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """The largest element over the given axes; equal ones share the derivative equally.

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(ga.max)(np.array([1.0, 3.0, 3.0]))
    array([0. , 0.5, 0.5])
    """
    if where is True and initial is None and out is None:
        return _reduce(reduce.max, "max", a, axis, keepdims)
    a, p, join = _bounded("max", a, initial, where), reduce.max, elementwise.maximum
    fill = lowest(a.dtype)
    return _masked_reduce(p, join, "max", a, axis, keepdims, None, out, initial, where, fill)


def min(
    a: Any,
    axis: Axis = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """The smallest element over the given axes; equal ones share the derivative equally."""
    if where is True and initial is None and out is None:
        return _reduce(reduce.min, "min", a, axis, keepdims)
    a, p, join = _bounded("min", a, initial, where), reduce.min, elementwise.minimum
    fill = highest(a.dtype)
    return _masked_reduce(p, join, "min", a, axis, keepdims, None, out, initial, where, fill)


def _bounded(name: str, a: Any, initial: Any, where: Any) -> Any:
    """NumPy too asks for the value of nothing."""
    if initial is None and where is not True and where is not np._NoValue:
        raise ValueError(f"{name}: where= needs initial=, the {name} where no element counts.")
    return array(a)


def ptp(a: Any, axis: Axis = None, out: Any = None, keepdims: bool = False) -> Any:
    """max(a) - min(a) over the given axes."""
    refuse_out("ptp", out)
    top = _reduce(reduce.max, "ptp", a, axis, keepdims)
    return bind(elementwise.subtract, (top, _reduce(reduce.min, "ptp", a, axis, keepdims)))


def prod(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """The product over the given axes; its derivative is right where elements are zero.

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(ga.prod)(np.array([2.0, 0.0, 3.0]))
    array([0., 6., 0.])
    """
    if where is True and initial is None and out is None:
        return _reduce(reduce.prod, "prod", a, axis, keepdims, dtype)
    p, join = reduce.prod, elementwise.multiply
    return _masked_reduce(p, join, "prod", a, axis, keepdims, dtype, out, initial, where, 1)


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


def cumsum(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    """The running sum along an axis, or over all elements in order."""
    refuse_out("cumsum", out)
    return _along(reduce.cumsum, "cumsum", a, axis, dtype)


def cumprod(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    """The running product along an axis; its derivative is right where elements are zero."""
    refuse_out("cumprod", out)
    return _along(reduce.cumprod, "cumprod", a, axis, dtype)


def cumulative_sum(
    x: Any,
    /,
    *,
    axis: int | None = None,
    dtype: Any = None,
    out: Any = None,
    include_initial: bool = False,
) -> Any:
    """The running sum along an axis, after a 0 if `include_initial`."""
    refuse_out("cumulative_sum", out)
    return _cumulative(cumsum, "cumulative_sum", x, axis, dtype, include_initial, 0)


def cumulative_prod(
    x: Any,
    /,
    *,
    axis: int | None = None,
    dtype: Any = None,
    out: Any = None,
    include_initial: bool = False,
) -> Any:
    """The running product along an axis, after a 1 if `include_initial`."""
    refuse_out("cumulative_prod", out)
    return _cumulative(cumprod, "cumulative_prod", x, axis, dtype, include_initial, 1)


def _cumulative(
    f: Any, name: str, x: Any, axis: int | None, dtype: Any, include_initial: bool, first: Any
) -> Any:
    x = array(x)
    if axis is None and x.ndim != 1:
        raise ValueError(f"{name}: an array of shape {tuple(x.shape)} needs an axis to run along.")
    axis = axis_of(axis or 0, x.ndim, name)
    out = f(x, axis, dtype)
    if not include_initial:
        return out
    shape = tuple(1 if i == axis else n for i, n in enumerate(x.shape))
    parts = structure.constant_array(out.dtype.type(first), shape), out
    return bind(structure.concatenate, parts, {"axis": axis})


def sort(
    a: Any,
    axis: int | None = -1,
    *,
    kind: Any = None,
    stable: Any = None,
    descending: bool = False,
) -> Any:
    """a sorted along an axis; equal elements keep their order, so that any kind will do."""
    if not descending:
        return _along(sorting.sort, "sort", a, axis)
    return _reversed(_along(sorting.sort, "sort", *_backwards(a, axis)), axis)


def argsort(
    a: Any,
    axis: int | None = -1,
    *,
    kind: Any = None,
    stable: Any = None,
    descending: bool = False,
) -> Any:
    """The positions that sort a; integers, without derivative."""
    if not descending:
        return _along(sorting.argsort, "argsort", a, axis)
    x, axis = _backwards(a, axis)
    places = _reversed(_along(sorting.argsort, "argsort", x, axis), axis)
    last = x.shape[axis] - 1
    return bind(elementwise.subtract, (last, places))


def _backwards(a: Any, axis: int | None) -> tuple[Any, int]:
    """a in reversed order along the axis, for equal elements to keep their order in the end."""
    a = array(a)
    if axis is None:
        a, axis = bind(structure.reshape, (a,), {"shape": (a.size,)}), 0
    return _reversed(a, axis), axis


def _reversed(x: Any, axis: int | None) -> Any:
    lead = axis_of(axis or 0, x.ndim, "sort")
    return bind(
        structure.getitem, (x,), {"index": (slice(None),) * lead + (slice(None, None, -1),)}
    )


def _position(p: Primitive, name: str, a: Any, axis: int | None, keepdims: bool) -> Any:
    out = _along(p, name, a, axis)
    if not keepdims:
        return out
    a = array(a)
    shape = structure.reduced(a, axes_of(axis, a.ndim, name), True)
    return bind(structure.reshape, (out,), {"shape": shape})


def argmax(a: Any, axis: int | None = None, out: Any = None, *, keepdims: bool = False) -> Any:
    """The position of the first largest element; an integer, without derivative."""
    refuse_out("argmax", out)
    return _position(sorting.argmax, "argmax", a, axis, keepdims)


def argmin(a: Any, axis: int | None = None, out: Any = None, *, keepdims: bool = False) -> Any:
    """The position of the first smallest element; an integer, without derivative."""
    refuse_out("argmin", out)
    return _position(sorting.argmin, "argmin", a, axis, keepdims)


def all(
    a: Any, axis: Axis = None, out: Any = None, keepdims: bool = False, *, where: Any = True
) -> Any:
    """Whether all elements over the given axes are true."""
    refuse_out("all", out)
    return _reduce(reduce.all, "all", _true_where("all", a, where, True), axis, keepdims)


def any(
    a: Any, axis: Axis = None, out: Any = None, keepdims: bool = False, *, where: Any = True
) -> Any:
    """Whether any element over the given axes is true."""
    refuse_out("any", out)
    return _reduce(reduce.any, "any", _true_where("any", a, where, False), axis, keepdims)


def _true_where(name: str, a: Any, where: Any, fill: bool) -> Any:
    return a if where is True else masked(name, array(a), where, fill)


def count_nonzero(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """How many elements over the given axes are not zero."""
    nonzero = bind(elementwise.CONSTANT["not_equal"], (array(a), 0))
    return _reduce(structure.sum, "count_nonzero", nonzero, axis, keepdims, np.dtype(np.intp))


amax, amin = max, min
