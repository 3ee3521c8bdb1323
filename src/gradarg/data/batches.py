"""Mini-batches."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import numpy as np

import gradarg as ga
from gradarg import random

__all__ = ["batches"]


def batches(
    *arrays: np.ndarray[Any, Any], size: int, rng: np.random.Generator | int | None = None
) -> Iterator[tuple[np.ndarray[Any, Any], ...]]:
    """All examples once, in random order, `size` at a time (the last batch has the rest).

    The arrays have one length along axis 0, and are shuffled alike; each batch is a tuple of their
    parts. `rng` is a generator, a seed, or None for the one that `gradarg.random.seed` sets. Raises
    `ShapeError` for arrays of different lengths, or a size below 1.

    >>> x = np.arange(5.0)
    >>> [len(xs) for xs, ys in batches(x, 10 * x, size=2, rng=0)]
    [2, 2, 1]
    >>> all((10 * xs == ys).all() for xs, ys in batches(x, 10 * x, size=2, rng=0))
    True
    """
    lengths = {len(a) for a in arrays}
    if len(lengths) != 1:
        raise ga.ShapeError(
            "batches: the arrays should have one length along axis 0, but their shapes are "
            f"{', '.join(str(np.shape(a)) for a in arrays) or 'none'}."
        )
    if operator.index(size) < 1:
        raise ga.ShapeError(f"batches: size is 1 or more, not {size}.")
    return _batches(arrays, size, random.generator(rng).permutation(lengths.pop()))


def _batches(
    arrays: tuple[np.ndarray[Any, Any], ...], size: int, order: np.ndarray[Any, Any]
) -> Iterator[tuple[np.ndarray[Any, Any], ...]]:
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        yield tuple(a[chosen] for a in arrays)
