"""Layers that draw random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import functional
from .module import Module

__all__ = ["Dropout"]


class Dropout(Module):
    """Sets each element to 0 with probability p in training, and divides the others by 1 - p.

    After `.eval()` it gives its input as it is. `rng` is a generator, or None for the one that
    `gradarg.random.seed` sets.

    Raises `ValueError` if p is not in 0..1.

    >>> layer = Dropout(0.5, rng=np.random.default_rng(0))
    >>> layer(np.ones(6))
    array([2., 2., 2., 0., 0., 0.])
    >>> layer.eval()(np.ones(3))
    array([1., 1., 1.])
    """

    def __init__(self, p: float = 0.5, *, rng: np.random.Generator | int | None = None) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: p is a probability, in 0..1, not {p!r:.60}.")
        self.p = float(p)
        self.rng = np.random.default_rng(rng) if isinstance(rng, int) else rng

    def forward(self, x: Any) -> Any:
        return functional.dropout(x, self.p, self.training, rng=self.rng)

    def extra_repr(self) -> str:
        return f"p={self.p}"
