"""Calls of convolution and pooling, against the same written as products and slices."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.ops import window_samples
from tests.ops.call import Call
from tests.ops.sample import values

X, W = values((2, 2, 5, 4)), values((4, 2, 3, 2))
LINE, FILTER = values((1, 4, 7)), values((4, 2, 3))


def _pairs(given: Any, n: int) -> Any:
    return tuple((p, p) for p in np.broadcast_to(given, n).tolist())


def _each(given: Any, n: int) -> Any:
    return tuple(np.broadcast_to(given, n).tolist())


def _conv(
    x: Any, w: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    n = x.ndim - 2
    if padding == "same":
        padding = [(d * (k - 1) // 2, d * (k - 1) - d * (k - 1) // 2)
                   for k, d in zip(w.shape[2:], _each(dilation, n))]  # fmt: skip
    elif np.ndim(padding) < 2:
        padding = _pairs(padding, n)
    at = {"stride": _each(stride, n), "padding": padding, "dilation": _each(dilation, n)}
    return window_samples._conv(x, w, groups=groups, **at)


def _conv_transpose(x: Any, w: Any, stride: Any = 1, padding: Any = 0, more: int = 0) -> Any:
    """By the matrix of the convolution."""
    size = tuple(
        (n - 1) * s - 2 * p + k + more
        for n, k, s, p in zip(x.shape[2:], w.shape[2:], _each(stride, 2), _each(padding, 2))
    )
    channels = w.shape[1]
    basis = np.eye(channels * size[0] * size[1]).reshape(-1, channels, *size)
    rows = _conv(basis, w, stride, padding)[..., : x.shape[2], : x.shape[3]]
    out = np.tensordot(x, rows, ((1, 2, 3), (1, 2, 3)))
    return out.reshape(len(x), channels, *size).astype(np.result_type(x, w))


def _max_pool(x: Any, size: Any, stride: Any = None, padding: Any = 0) -> Any:
    n = x.ndim - 2
    at = {"stride": _each(size if stride is None else stride, n), "dilation": (1,) * n}
    return window_samples._max_pool(x, x, _each(size, n), padding=_pairs(padding, n), **at)


def _avg_pool(x: Any, size: Any, stride: Any = None, padding: Any = 0, inside: bool = False) -> Any:
    n = x.ndim - 2
    places = _each(size, n)
    at = {"stride": _each(size if stride is None else stride, n), "dilation": (1,) * n}
    at["padding"] = _pairs(padding, n)
    sums = window_samples._sum_pool(x, places, **at)
    if not inside:
        return sums / float(np.prod(places))
    ones = np.ones(x.shape, x.real.dtype)
    return sums / window_samples._sum_pool(ones, places, **at)


def calls() -> Iterator[Call]:
    for x, w, options in (
        (X, W, {}),
        (X, W, {"stride": (2, 1), "padding": 1, "dilation": (1, 2)}),
        (X, W, {"padding": "same"}),
        (X, W, {"padding": ((2, 0), (0, 1))}),
        (LINE, FILTER, {"groups": 2, "stride": 3}),
    ):
        yield Call("conv", (x, w), options, reference=_conv)
    for options in ({}, {"stride": 2, "padding": (1, 0)}):
        yield Call("conv_transpose", (values((1, 4, 3, 2)), W), options, reference=_conv_transpose)

    def padded(x: Any, w: Any, stride: Any, output_padding: Any) -> Any:
        return _conv_transpose(x, w, stride, more=output_padding)

    options = {"stride": 3, "output_padding": 2}
    yield Call("conv_transpose", (values((2, 4, 2, 2)), W), options, reference=padded)
    for args, options in (
        ((X, 2), {}),
        ((X, (3, 2)), {"stride": (1, 2), "padding": 1}),
        ((LINE, (2,)), {"stride": 3}),
    ):
        yield Call("max_pool", args, options, reference=_max_pool)
        yield Call("avg_pool", args, options, reference=_avg_pool)

    def inside(x: Any, size: Any, padding: Any, count_include_pad: bool) -> Any:
        return _avg_pool(x, size, padding=padding, inside=not count_include_pad)

    options = {"padding": 1, "count_include_pad": False}
    yield Call("avg_pool", (X, 3), options, reference=inside)
