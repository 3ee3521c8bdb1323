"""Distortions of images, which make many examples of one."""

from __future__ import annotations

from typing import Any

import numpy as np

import gradarg as ga
from gradarg import random

__all__ = ["distort"]

_POINTS = 3  # along each side: of the places that `bend` moves


def distort(
    images: np.ndarray[Any, Any],
    *,
    shift: float = 0.0,
    turn: float = 0.0,
    stretch: float = 0.0,
    bend: float = 0.0,
    rng: np.random.Generator | int | None = None,
) -> np.ndarray[Any, Any]:
    """Each image distorted at random: what the same digit looks like in another hand.

    An image is shifted by up to `shift` pixels down and across, turned by up to `turn` radians,
    stretched along each axis by a factor from exp(-stretch) to exp(stretch), and bent: 3 x 3
    places, spread over it, move by normal steps of `bend` pixels, and what is between them follows
    linearly. `images` is (n, height, width) of floats; the result has its shape and dtype, and
    zeros where it came from outside. `rng` is a generator, a seed, or None for the one that
    `gradarg.random.seed` sets. Raises `ShapeError` for other shapes.

    After Simard, Steinkraus and Platt, "Best practices for convolutional neural networks applied
    to visual document analysis" (2003), section 2, with a field that is smooth by construction.

    >>> image = np.eye(8, dtype=np.float32)[None]
    >>> distort(image, shift=0.5, bend=0.6, rng=0).shape
    (1, 8, 8)
    >>> bool((distort(image, rng=0) == image).all())
    True
    """
    if images.ndim != 3:
        raise ga.ShapeError(f"distort: images are (n, height, width), not {images.shape}.")
    rng = random.generator(rng)
    n, height, width = images.shape
    angle = rng.uniform(-turn, turn, n)
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    factors = np.exp(rng.uniform(-stretch, stretch, (2, n)))
    middle = (height - 1) / 2, (width - 1) / 2
    grid = np.indices((height, width)) - np.reshape(middle, (2, 1, 1))
    places = np.einsum("abn,bn,bij->anij", turned, factors, grid)  # (2, n, height, width)
    places += np.reshape(middle, (2, 1, 1, 1)) + rng.uniform(-shift, shift, (2, n, 1, 1))
    moves = bend * rng.standard_normal((2, n, _POINTS, _POINTS))
    places += _tents(height) @ moves @ _tents(width).T
    return _sampled(images, *places)


def _tents(length: int) -> np.ndarray[Any, Any]:
    """(length, points): the weight of each point at each pixel, linear between neighbours."""
    place = np.linspace(0, _POINTS - 1, length)
    weights: np.ndarray[Any, Any] = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(_POINTS)))
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
    result: np.ndarray[Any, Any] = (1 - down) * top + down * low
    return result
