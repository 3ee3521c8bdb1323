"""Convolution and pooling with PyTorch's names: conv2d, max_pool2d and their kin.

Images are (N, C, *S) or, for a single one, (C, *S); each function says how many spatial axes S.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import gradarg as ga

__all__ = [
    "adaptive_avg_pool2d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
]

SPATIAL = {1: "L", 2: "H, W", 3: "D, H, W"}


def _named(function: Any, name: str, n: int) -> Any:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = function.__doc__.replace("*S", SPATIAL[n])
    return function


def _images(name: str, x: Any, n: int) -> tuple[Any, bool]:
    """A stack of images, and whether it was given as a single one."""
    x = x if isinstance(x, ga.Tensor) else np.asarray(x)
    if x.ndim not in (n + 1, n + 2):
        raise ga.ShapeError(
            f"{name}: images are (N, C, {SPATIAL[n]}) or (C, {SPATIAL[n]}), but met the shape "
            f"{tuple(x.shape)}."
        )
    return (ga.expand_dims(x, 0), True) if x.ndim == n + 1 else (x, False)


def _biased(name: str, y: Any, bias: Any, single: bool) -> Any:
    if bias is not None:
        channels = y.shape[1]
        if tuple(np.shape(bias)) != (channels,):
            raise ga.ShapeError(
                f"{name}: the bias is ({channels},), one for each channel of the result, but met "
                f"the shape {tuple(np.shape(bias))}."
            )
        y = y + ga.reshape(bias, (channels,) + (1,) * (y.ndim - 2))
    return y[0] if single else y


def _conv(n: int) -> Any:
    name = f"conv{n}d"

    def function(
        input: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        """The convolution of images (N, C, *S) with weights (O, C / groups, *S), plus a bias (O,).

        `padding` may be "same" or "valid". See `gradarg.conv`. Raises `ShapeError` where the
        shapes do not fit.
        """
        x, single = _images(name, input, n)
        y = ga.conv(x, weight, stride=stride, padding=padding, dilation=dilation, groups=groups)
        return _biased(name, y, bias, single)

    return _named(function, name, n)


def _conv_transpose(n: int) -> Any:
    name = f"conv_transpose{n}d"

    def function(
        input: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Any:
        """The transpose of convolution: images (N, C, *S), weights (C, O / groups, *S), bias (O,).

        See `gradarg.conv_transpose`. Raises `ShapeError` where the shapes do not fit.
        """
        x, single = _images(name, input, n)
        y = ga.conv_transpose(
            x, weight, stride=stride, padding=padding, output_padding=output_padding,
            dilation=dilation, groups=groups,
        )  # fmt: skip
        return _biased(name, y, bias, single)

    return _named(function, name, n)


def _max_pool(n: int) -> Any:
    name = f"max_pool{n}d"

    def function(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> Any:
        """The maximum over windows of images (N, C, *S); see `gradarg.max_pool`."""
        x, single = _images(name, input, n)
        y = ga.max_pool(
            x, kernel_size, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode
        )
        return y[0] if single else y

    return _named(function, name, n)


def _avg_pool(n: int) -> Any:
    name = f"avg_pool{n}d"

    def function(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: Any = None,
    ) -> Any:
        """The mean over windows of images (N, C, *S); see `gradarg.avg_pool`."""
        x, single = _images(name, input, n)
        y = ga.avg_pool(
            x, kernel_size, stride=stride, padding=padding, ceil_mode=ceil_mode,
            count_include_pad=count_include_pad, divisor=divisor_override,
        )  # fmt: skip
        return y[0] if single else y

    return _named(function, name, n)


conv1d, conv2d, conv3d = map(_conv, SPATIAL)
conv_transpose1d, conv_transpose2d, conv_transpose3d = map(_conv_transpose, SPATIAL)
max_pool1d, max_pool2d, max_pool3d = map(_max_pool, SPATIAL)
avg_pool1d, avg_pool2d, avg_pool3d = map(_avg_pool, SPATIAL)


def adaptive_avg_pool2d(input: Any, output_size: Any) -> Any:
    """Images (N, C, H, W) averaged down to `output_size`: a number, or one for each axis.

    The output o is the mean over the inputs from floor(o * H / T) to ceil((o + 1) * H / T). An
    entry of None leaves its axis as it is.

    >>> adaptive_avg_pool2d(np.array([[[1.0, 2.0, 6.0]]]), (1, 2))
    array([[[1.5, 4. ]]])
    """
    x, single = _images("adaptive_avg_pool2d", input, 2)
    sizes = (output_size,) * 2 if np.ndim(output_size) == 0 else tuple(output_size)
    rows, columns = (
        _means(n, n if m is None else m).astype(x.dtype) for n, m in zip(x.shape[2:], sizes)
    )
    y = ga.matmul(ga.matmul(rows, x), columns.T)
    return y[0] if single else y


def _means(n: int, m: int) -> Any:
    """The matrix that averages n numbers down to m."""
    first, end = np.arange(m) * n // m, -(-np.arange(1, m + 1) * n // m)
    at = np.arange(n)
    inside = (at >= first[:, None]) & (at < end[:, None])
    return inside / inside.sum(1, keepdims=True)
