"""Distortions of images, which make many examples of one."""

from __future__ import annotations

from typing import Any

import numpy as np

import gradarg as ga
from gradarg import random

__all__ = ["bend"]


def bend(
    images: np.ndarray[Any, Any],
    size: float = 0.6,
    points: int = 3,
    rng: np.random.Generator | int | None = None,
) -> np.ndarray[Any, Any]:
    """Each image bent at random, as if drawn on rubber: what another hand might have written.

    `points` x `points` places, spread over the image, move by normal steps of `size` pixels down
    and across; what is between them follows linearly. Together this shifts, turns, stretches and
    curves the image. `images` is (n, height, width); the result has its shape and dtype, and zeros
    where it came from outside. `rng` is a generator, a seed, or None for the one that
    `gradarg.random.seed` sets.

    After Simard, Steinkraus and Platt, "Best practices for convolutional neural networks applied to
    visual document analysis" (2003), section 2, with a field that is smooth by construction.

    >>> image = np.eye(8, dtype=np.float32)[None]
    >>> bend(image, 0.5, rng=0).shape, bool((bend(image, 0.0) == image).all())
    ((1, 8, 8), True)
    """
    if images.ndim != 3:
        raise ga.ShapeError(f"bend: images are (n, height, width), not {images.shape}.")
    n, height, width = images.shape
    moves = size * random.generator(rng).standard_normal((n, 2, points, points))
    moves = _tents(height, points) @ moves @ _tents(width, points).T  # (n, 2, height, width)
    rows = np.arange(height)[:, None] + moves[:, 0]
    columns = np.arange(width) + moves[:, 1]
    return _sampled(images, rows, columns)


def _tents(length: int, points: int) -> np.ndarray[Any, Any]:
    """(length, points): the weight of each point at each pixel, linear between neighbours."""
    place = np.linspace(0, points - 1, length)
    weights: np.ndarray[Any, Any] = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(points)))
    return weights


def _sampled(
    images: np.ndarray[Any, Any], rows: np.ndarray[Any, Any], columns: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """The images at fractional places, linear between the four pixels around each."""
    n, height, width = images.shape
    padded = np.pad(images, ((0, 0), (1, 2), (1, 2)))
    rows = np.clip(rows + 1, 0, height + 1)
    columns = np.clip(columns + 1, 0, width + 1)
    above, left = rows.astype(np.intp), columns.astype(np.intp)
    down = (rows - above).astype(images.dtype)
    right = (columns - left).astype(images.dtype)
    image = np.arange(n)[:, None, None]
    top = (1 - right) * padded[image, above, left] + right * padded[image, above, left + 1]
    low = (1 - right) * padded[image, above + 1, left] + right * padded[image, above + 1, left + 1]
    bent: np.ndarray[Any, Any] = (1 - down) * top + down * low
    return bent
