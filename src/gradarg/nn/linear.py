"""Layers of matrix products, and of shapes."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

import gradarg as ga
from gradarg import random

from . import functional
from .module import Module, Parameter

__all__ = ["Flatten", "Linear"]


class Linear(Module):
    """y = x @ W.T + b, along the last axis.

    `weight` is (out_features, in_features) and `bias` (out_features,), as in PyTorch; both start
    uniform in ±1/sqrt(in_features). x is (..., in_features), y (..., out_features). `dtype` is the
    parameters'; `rng` a generator, a seed, or None for the one that `gradarg.random.seed` sets.

    Raises `ShapeError` if the last axis of x is not in_features.

    >>> layer = Linear(3, 2, rng=0)
    >>> layer(np.ones((5, 3), np.float32)).shape
    (5, 2)
    >>> layer(np.ones((5, 4)))
    Traceback (most recent call last):
    gradarg...ShapeError: linear: the input of shape (5, 4) has a last axis of 4, but the weight of
    shape (2, 3) takes 3.
      at ...
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        dtype: Any = np.float32,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        self.in_features = _size(in_features, "in_features")
        self.out_features = _size(out_features, "out_features")
        rng = random.generator(rng)
        bound = 1 / math.sqrt(self.in_features)
        shape = (self.out_features, self.in_features)
        self.weight = Parameter(rng.uniform(-bound, bound, shape), dtype=dtype)
        self.bias: Any = None
        if bias:
            self.bias = Parameter(rng.uniform(-bound, bound, shape[:1]), dtype=dtype)

    def forward(self, x: Any) -> Any:
        return functional.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


def _size(n: Any, name: str) -> int:
    try:
        size = operator.index(n)
    except TypeError:
        size = 0
    if size < 1:
        raise ga.ShapeError(f"Linear: {name} is an integer, 1 or more, not {n!r:.60}.")
    return size


class Flatten(Module):
    """The axes from start_dim to end_dim as one: (N, C, H, W) becomes (N, C * H * W) by default.

    >>> Flatten()(np.zeros((5, 8, 8))).shape
    (5, 64)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Any) -> Any:
        return functional.flatten(x, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"
