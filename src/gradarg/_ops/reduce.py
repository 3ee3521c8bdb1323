"""Reductions and cumulations. Axes are tuples of non-negative integers (one integer to cumulate).

Ties of max and min share the derivative equally. Products have their true derivative where
elements are zero: no rule divides by an element.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._core.primitive import Primitive, constant, general, linear, probe
from .._core.trace import ShapeDtype
from . import structure
from .structure import Axes, batch_reduction, keep, reduced

Rule = Callable[..., Any]


def _shape_of(impl: Rule) -> Rule:
    return lambda x, axis: ShapeDtype(reduced(x, axis, False), probe(impl, x, axis=axis))


def _same_shape(impl: Rule) -> Rule:
    return lambda x, axis: ShapeDtype(x.shape, probe(impl, x, axis=axis))


def _batch_along(p: Primitive, _n: int, _m: Any, args: Any, k: dict[str, Any]) -> Any:
    return p(args[0], **{**k, "axis": k["axis"] + 1})


# ---- reductions with a weight for each element: d out = sum(weight * dx)


def _weighted(name: str, impl: Rule, weights: Rule) -> Primitive:
    """A reduction whose derivative is a weighted sum; `weights(x, kept_output, axis)`."""
    return general(
        name,
        impl,
        vjp=[lambda g, o, x, axis: keep(g, axis, x.ndim) * weights(x, keep(o, axis, x.ndim), axis)],
        jvp=lambda ts, o, x, axis: structure.sum(
            ts[0] * weights(x, keep(o, axis, x.ndim), axis), axis=axis
        ),
        batch=batch_reduction,
        shape=_shape_of(impl),
    )


def _winners(x: Any, o: Any, axis: Axes) -> Any:
    won = x == o
    count = structure.sum(won, axis=axis, keepdims=True)
    return (won / np.where(count == 0, np.nan, count)).astype(x.dtype)  # none won: o is NaN


def _others(x: Any, _o: Any, axis: Axes) -> Any:
    """For each element the product of all others: exclusive products from the left and right."""
    rest = tuple(a for a in range(x.ndim) if a not in axis)
    moved = np.transpose(x, rest + axis)
    row = np.reshape(moved, (*(x.shape[a] for a in rest), _size(x, axis)))
    left = _before(row)
    right = np.flip(_before(np.flip(row, -1)), -1)
    back = tuple(sorted(range(x.ndim), key=(rest + axis).__getitem__))
    return np.transpose(np.reshape(left * right, moved.shape), back)


def _size(x: Any, axis: Axes) -> int:
    size = 1  # beside an empty axis, reshape could not tell what -1 stands for
    for a in axis:
        size *= x.shape[a]
    return size


def _before(row: Any) -> Any:
    """The product of all elements before each, along the last axis."""
    ones = np.ones((*row.shape[:-1], 1), row.dtype)
    return cumprod(np.concatenate([ones, row], -1)[..., :-1], axis=row.ndim - 1)


def _logsumexp(x: Any, axis: Axes) -> Any:
    top = np.max(x, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore", over="ignore"):  # log(0), and what an infinity outshines
        o = np.log(np.add.reduce(np.exp(x - top), axis=axis, keepdims=True)) + top
    return o.reshape(reduced(x, axis, False))[()]


def _probabilities(x: Any, o: Any, _axis: Axes) -> Any:
    return np.exp(x - np.where(o == -np.inf, 0, o))


max = _weighted("max", lambda x, axis: np.maximum.reduce(x, axis=axis), _winners)
min = _weighted("min", lambda x, axis: np.minimum.reduce(x, axis=axis), _winners)
prod = _weighted("prod", lambda x, axis: np.multiply.reduce(x, axis=axis), _others)
logsumexp = _weighted("logsumexp", _logsumexp, _probabilities)

# ---- softmax and its logarithm


def _softmax(x: Any, axis: Axes) -> Any:
    e = np.exp(x - np.maximum.reduce(x, axis=axis, keepdims=True))
    e /= np.add.reduce(e, axis=axis, keepdims=True)
    return e


def _log_softmax(x: Any, axis: Axes) -> Any:
    o = x - np.maximum.reduce(x, axis=axis, keepdims=True)
    total = np.log(np.add.reduce(np.exp(o), axis=axis, keepdims=True))
    return np.subtract(o, total, out=o if o.dtype == total.dtype and o.ndim else None)


def _total(x: Any, axis: Axes) -> Any:
    return structure.sum(x, axis=axis, keepdims=True)


softmax = general(
    "softmax",
    _softmax,
    vjp=[lambda g, o, _x, axis: o * (g - _total(g * o, axis))],
    jvp=lambda ts, o, _x, axis: o * (ts[0] - _total(ts[0] * o, axis)),
    batch=batch_reduction,
    shape=_same_shape(_softmax),
)

log_softmax = general(
    "log_softmax",
    _log_softmax,
    vjp=[lambda g, o, _x, axis: g - np.exp(o) * _total(g, axis)],
    jvp=lambda ts, o, _x, axis: ts[0] - _total(np.exp(o) * ts[0], axis),
    batch=batch_reduction,
    shape=_same_shape(_log_softmax),
)

# ---- cumulations along one axis


def _cumsum(x: Any, axis: int) -> Any:
    return np.add.accumulate(x, axis=axis)


def _cumprod(x: Any, axis: int) -> Any:
    return np.multiply.accumulate(x, axis=axis)


cumsum: Primitive = linear(
    "cumsum",
    _cumsum,
    lambda g, x, axis: np.flip(cumsum(np.flip(g, axis), axis=axis), axis),
    batch=_batch_along,
    shape=_same_shape(_cumsum),
)


def _recurrence(a: Any, b: Any) -> Any:
    """y[k] = a[k] * y[k-1] + b[k] along the last axis, in log2(n) doubling steps."""
    step = 1
    while step < a.shape[-1]:
        b = np.concatenate([b[..., :step], b[..., step:] + a[..., step:] * b[..., :-step]], -1)
        a = np.concatenate([a[..., :step], a[..., step:] * a[..., :-step]], -1)
        step *= 2
    return b


def _cumprod_jvp(tangents: Any, _o: Any, x: Any, axis: int) -> Any:
    x, t = np.moveaxis(x, axis, -1), np.moveaxis(tangents[0], axis, -1)
    return np.moveaxis(_recurrence(x, t * _before(x)), -1, axis)


def _cumprod_vjp(g: Any, _o: Any, x: Any, axis: int) -> Any:
    x, g = np.moveaxis(x, axis, -1), np.moveaxis(g, axis, -1)
    shifted = np.concatenate([x[..., 1:], x[..., :1]], -1)  # the last one multiplies nothing
    total = np.flip(_recurrence(np.flip(shifted, -1), np.flip(g, -1)), -1)
    return np.moveaxis(total * _before(x), -1, axis)


cumprod = general(
    "cumprod",
    _cumprod,
    vjp=[_cumprod_vjp],
    jvp=_cumprod_jvp,
    batch=_batch_along,
    shape=_same_shape(_cumprod),
)

# ---- truth values over axes


def _truth(name: str, ufunc: Any) -> Primitive:
    def impl(x: Any, axis: Axes) -> Any:
        return ufunc.reduce(x, axis=axis, dtype=bool)

    return constant(name, impl, batch=batch_reduction, shape=_shape_of(impl))


all = _truth("all", np.logical_and)
any = _truth("any", np.logical_or)
