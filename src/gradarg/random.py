"""The random numbers of the layers: one generator for the package, which `seed` sets.

Whatever draws random numbers takes an `rng` argument: a `numpy.random.Generator`, an integer seed
for one of its own, or None for the generator that all share.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

__all__ = ["generator", "seed"]

_shared = np.random.default_rng()


def seed(n: int) -> None:
    """Start the shared generator anew, so that a program draws the same numbers on each run.

    `n` is an integer, 0 or more. It replaces the generator: one that `generator()` returned before
    goes on as it was.

    >>> seed(0)
    >>> first = generator().random()
    >>> seed(0)
    >>> generator().random() == first
    True
    """
    global _shared
    _shared = np.random.default_rng(_checked(n))


def generator(rng: np.random.Generator | int | None = None) -> np.random.Generator:
    """The generator that `rng` means: itself, a new one seeded by an integer, or the shared one.

    >>> generator(7).random() == generator(7).random()
    True
    >>> generator() is generator()
    True
    """
    if rng is None:
        return _shared
    if isinstance(rng, np.random.Generator):
        return rng
    return np.random.default_rng(_checked(rng))


def _checked(n: Any) -> int:
    try:
        number = -1 if isinstance(n, bool) else operator.index(n)
    except TypeError:
        number = -1
    if number < 0:
        raise ValueError(
            f"A seed is an integer, 0 or more, not {n!r:.60}. Where an rng is asked for, a "
            "numpy.random.Generator or None will do too."
        )
    return number
