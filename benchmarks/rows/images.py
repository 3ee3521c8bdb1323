"""Convolution: the result, and the gradients by the images and by the weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from _row import Row, generator

f4 = np.float32


def normal(*shape: int, scale: float = 1.0) -> Any:
    return (generator().standard_normal(shape) * scale).astype(f4)


def by_hand(x: Any, w: Any, c: Any) -> Any:
    """The columns of all windows, and three products of matrices."""
    n, channels, h, width = x.shape
    outs = len(w)
    padded = np.zeros((n, channels, h + 2, width + 2), f4)
    columns = np.empty((n, channels, 3, 3, h, width), f4)
    places = [(i, j) for i in range(3) for j in range(3)]
    flat = w.reshape(outs, -1)

    def call() -> Any:
        padded[:, :, 1:-1, 1:-1] = x
        for i, j in places:
            columns[:, :, i, j] = padded[:, :, i : i + h, j : j + width]
        rows = columns.reshape(n, channels * 9, h * width)
        y = flat @ rows
        back = c.reshape(n, outs, h * width)
        dw = (back @ rows.mT).sum(0).reshape(w.shape)
        spread = (flat.T @ back).reshape(columns.shape)
        dx = np.zeros_like(padded)
        for i, j in places:
            dx[:, :, i : i + h, j : j + width] += spread[:, :, i, j]
        return y.reshape(c.shape), (dx[:, :, 1:-1, 1:-1], dw)

    return call


def ours(lib: Any, x: Any, w: Any, c: Any) -> Any:
    return lib.pullback(lambda x, w: lib.ga.conv(x, w, padding=1), c, x, w, to=2)


def torch(lib: Any, x: Any, w: Any, c: Any) -> Any:
    conv2d = lib.torch.nn.functional.conv2d
    return lib.pullback(lambda x, w: conv2d(x, w, padding=1), c, x, w, to=2)


def jax(lib: Any, x: Any, w: Any, c: Any) -> Any:
    conv = lib.jax.lax.conv
    return lib.pullback(lambda x, w: conv(x, w, (1, 1), "SAME"), c, x, w, to=2)


def row(n: int, channels: int, size: int, outs: int, quick: bool) -> Row:
    flops = 6 * n * channels * outs * 9 * size * size
    return Row(
        f"convolution 3x3, all three passes, {n}x{channels}x{size}x{size} to {outs} channels",
        lambda: (
            normal(n, channels, size, size),
            normal(outs, channels, 3, 3, scale=(9 * channels) ** -0.5),
            normal(n, outs, size, size),
        ),
        by_hand,
        ours,
        own={"torch": torch, "torch.compile": torch, "jax jit": jax, "autograd": None,
             "mygrad": None},
        bytes=8 * n * (channels + outs) * size * size,
        flops=flops,
        tolerance=2e-5,
        quick=quick,
    )  # fmt: skip


ROWS = [row(64, 32, 14, 64, True), row(8, 64, 56, 64, False), row(64, 1, 28, 32, False)]
