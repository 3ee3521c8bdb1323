"""Convolution and pooling of images (N, C, *S), over any number of spatial axes S."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._core.errors import ShapeError
from .._core.trace import bind
from .._ops import structure, window
from .arguments import array, real_array

__all__ = ["avg_pool", "conv", "conv_transpose", "max_pool"]


def conv(
    x: Any, w: Any, *, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    """y[n, c, o] = sum of w[c, b, k] * x[n, b, o * stride + k * dilation - padding] over b, k.

    `x` is (N, C, *S), `w` (O, C / groups, *K), the result (N, O, *T), where T = (S + 2 * padding -
    dilation * (K - 1) - 1) // stride + 1 along each axis. With `groups` the channels fall into as
    many groups, each a convolution of its own. `stride`, `padding` and `dilation` are integers, or
    have one for each spatial axis; an entry of `padding` may be a pair, for the two ends. "same"
    pads so that T = S, where the stride is 1; "valid" not at all. This is the cross-correlation
    that networks call convolution: the window is not reversed.

    Raises `ShapeError` where the shapes do not fit.

    >>> import gradarg as ga, numpy as np
    >>> x = np.arange(5.0).reshape(1, 1, 5)
    >>> ga.conv(x, np.array([[[1.0, 0.0, -1.0]]]))
    array([[[-2., -2., -2.]]])
    >>> ga.conv(x, np.ones((1, 1, 2)), stride=2, padding=1)
    array([[[0., 3., 7.]]])
    """
    x, w = array(x), array(w)
    _fit("conv", x, w, groups, x.shape[1:2] == (w.shape[1] * groups,) if w.ndim > 1 else False)
    size, places = tuple(x.shape[2:]), tuple(w.shape[2:])
    at = _at("conv", len(size), stride, dilation)
    pads = _padding("conv", padding, places, at)
    out = window.output_sizes(size, places, padding=pads, **at)
    _some("conv", x, places, out)
    return bind(window.conv, (x, w), {**at, "padding": pads, "groups": groups})


def conv_transpose(
    x: Any,
    w: Any,
    *,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """The transpose of `conv`: what its gradient does, as an operation.

    `x` is (N, O, *T), `w` (O, C / groups, *K), the result (N, C, *S), where S = (T - 1) * stride -
    2 * padding + dilation * (K - 1) + output_padding + 1 along each axis. Raises `ShapeError` where
    the shapes do not fit.

    >>> import gradarg as ga, numpy as np
    >>> ga.conv_transpose(np.array([[[1.0, 2.0]]]), np.array([[[1.0, 10.0]]]), stride=2)
    array([[[ 1., 10.,  2., 20.]]])
    """
    x, w = array(x), array(w)
    _fit("conv_transpose", x, w, groups, x.shape[1:2] == w.shape[:1])
    size, places = tuple(x.shape[2:]), tuple(w.shape[2:])
    at = _at("conv_transpose", len(size), stride, dilation)
    pads = _padding("conv_transpose", padding, places, at)
    more = _each("conv_transpose", "output_padding", output_padding, len(size), 0)
    if any(m >= max(s, d) for m, s, d in zip(more, at["stride"], at["dilation"])):
        raise ValueError(
            f"conv_transpose: output_padding is less than the stride or the dilation, but met "
            f"{more} with a stride of {at['stride']} and a dilation of {at['dilation']}."
        )
    whole = tuple(
        (n - 1) * s - low - high + d * (k - 1) + m + 1
        for n, k, s, d, (low, high), m in zip(size, places, *at.values(), pads, more)
    )
    _some("conv_transpose", x, places, whole)
    pads = tuple((low, high - m) for (low, high), m in zip(pads, more))
    return bind(window.conv_input, (x, w), {"size": whole, **at, "padding": pads, "groups": groups})


def max_pool(
    x: Any,
    size: Any,
    *,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Any:
    """The maximum over each window of x, which is (N, C, *S).

    `size` is that of the window, for each spatial axis; `stride` is the same unless given. Padding
    is below all values. With `ceil_mode`, a last window may reach beyond the end. The gradient goes
    to the first of equal maxima, as in PyTorch; NaN is larger than all numbers.

    >>> import gradarg as ga, numpy as np
    >>> x = np.array([[[1.0, 3.0, 2.0, 2.0]]])
    >>> ga.max_pool(x, (2,)), ga.grad(lambda x: np.sum(ga.max_pool(x, (2,))))(x)
    (array([[[3., 2.]]]), array([[[0., 1., 1., 0.]]]))
    """
    x = real_array(x, "max_pool")
    places, at = _pooling("max_pool", x, size, stride, dilation)
    pads = _pool_padding("max_pool", x, places, at, padding, ceil_mode)
    choice = bind(structure.stop_gradient, (x,))
    return bind(window.max_pool, (x, choice), {"window": places, **at, "padding": pads})


def avg_pool(
    x: Any,
    size: Any,
    *,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor: Any = None,
) -> Any:
    """The mean over each window of x, which is (N, C, *S).

    `size`, `stride` and `ceil_mode` are as for `max_pool`. Padding is 0, and counts as part of a
    window unless `count_include_pad` is False. `divisor` takes the place of the count.

    >>> import gradarg as ga, numpy as np
    >>> x = np.array([[[1.0, 3.0, 2.0, 2.0]]])
    >>> ga.avg_pool(x, (2,), padding=1, count_include_pad=False)
    array([[[1. , 2.5, 2. ]]])
    """
    x = array(x)
    places, at = _pooling("avg_pool", x, size, stride, 1)
    given = _pool_padding("avg_pool", x, places, at, padding, False)
    pads = _pool_padding("avg_pool", x, places, at, padding, ceil_mode)
    sums = bind(window.sum_pool, (x,), {"window": places, **at, "padding": pads})
    if divisor is not None:
        return sums / divisor
    counts = np.ones(())
    for n, k, s, (low, high), (_, most) in zip(x.shape[2:], places, at["stride"], given, pads):
        first = np.arange((n + low + most - k) // s + 1) * s - low
        least, end = (-low, n + high) if count_include_pad else (0, n)
        met = np.minimum(first + k, end) - np.maximum(first, least)
        counts = np.multiply.outer(counts, met)
    if counts.size and np.all(counts == counts.flat[0]):
        return sums / float(counts.flat[0])
    return sums / counts.astype(sums.dtype if sums.dtype.kind in "fc" else float)


# ---- what the arguments say


def _each(name: str, what: str, given: Any, count: int, least: int) -> tuple[int, ...]:
    """An integer for each spatial axis."""
    found = (given,) * count if np.ndim(given) == 0 else tuple(given)
    if len(found) == 1:
        found *= count
    if len(found) != count or any(int(n) != n or n < least for n in found):
        raise ValueError(
            f"{name}: {what} is an integer of at least {least}, or has one for each of the {count} "
            f"spatial axes, but met {given!r:.60}."
        )
    return tuple(map(int, found))


def _at(name: str, count: int, stride: Any, dilation: Any) -> dict[str, Any]:
    return {
        "stride": _each(name, "stride", stride, count, 1),
        "dilation": _each(name, "dilation", dilation, count, 1),
    }


def _padding(name: str, padding: Any, places: Any, at: dict[str, Any]) -> Any:
    """A pair for each spatial axis."""
    if isinstance(padding, str):
        if padding == "valid":
            return ((0, 0),) * len(places)
        if padding != "same" or any(s != 1 for s in at["stride"]):
            raise ValueError(
                f"{name}: padding is 'valid', 'same' (with a stride of 1) or numbers, but met "
                f"{padding!r} with a stride of {at['stride']}."
            )
        more = [d * (k - 1) for k, d in zip(places, at["dilation"])]
        return tuple((m // 2, m - m // 2) for m in more)
    if np.ndim(padding) == 2:
        if len(padding) != len(places) or any(len(p) != 2 or min(p) < 0 for p in padding):
            raise ValueError(
                f"{name}: padding has a pair of integers of at least 0 for each of the "
                f"{len(places)} spatial axes, but met {padding!r:.60}."
            )
        return tuple((int(low), int(high)) for low, high in padding)
    return tuple((p, p) for p in _each(name, "padding", padding, len(places), 0))


def _fit(name: str, x: Any, w: Any, groups: int, channels: bool) -> None:
    if groups < 1 or x.ndim < 3 or x.ndim != w.ndim or not channels or w.shape[0] % groups:
        order = "(N, C, *S)", "(O, C / groups, *K)"
        if name == "conv_transpose":
            order = "(N, O, *T)", "(O, C / groups, *K)"
        raise ShapeError(
            f"{name}: the images are {order[0]} and the weights {order[1]}, with O and C multiples "
            f"of groups, but met the shapes {tuple(x.shape)} and {tuple(w.shape)} with "
            f"groups={groups}."
        )


def _some(name: str, x: Any, places: Any, out: Any) -> None:
    if any(n < 1 for n in (*out, *places)):
        raise ShapeError(
            f"{name}: a window of {places} on images of shape {tuple(x.shape)} gives a result of "
            f"{out}: each axis must have at least one element. Pad, or take a smaller window."
        )


def _pooling(name: str, x: Any, size: Any, stride: Any, dilation: Any) -> Any:
    if x.ndim < 3:
        raise ShapeError(f"{name}: images are (N, C, *S), but met the shape {tuple(x.shape)}.")
    places = _each(name, "the size of the window", size, x.ndim - 2, 1)
    return places, _at(name, len(places), places if stride is None else stride, dilation)


def _pool_padding(
    name: str, x: Any, places: Any, at: dict[str, Any], padding: Any, ceil_mode: bool
) -> Any:
    """A pair for each axis, with what `ceil_mode` adds at the end."""
    pads = _padding(name, padding, places, at)
    reach = [d * (k - 1) + 1 for k, d in zip(places, at["dilation"])]
    if any(max(p) > r // 2 for p, r in zip(pads, reach)):
        raise ValueError(
            f"{name}: padding is at most half of the window {places}, but met {padding!r:.60}."
        )
    if ceil_mode:
        wider = []
        for n, r, s, (low, high) in zip(x.shape[2:], reach, at["stride"], pads):
            count = math.ceil((n + low + high - r) / s) + 1
            count -= (count - 1) * s >= n + low  # a window must begin before the end
            wider.append((low, max(high, (count - 1) * s + r - n - low)))
        pads = tuple(wider)
    _some(name, x, places, window.output_sizes(x.shape[2:], places, padding=pads, **at))
    return pads
