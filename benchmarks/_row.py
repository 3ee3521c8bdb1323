"""One row of the comparison: what is computed, on what, and what NumPy by hand gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Build = Callable[..., Callable[[], Any]]


@dataclass
class Row:
    """What is compared.

    `data` makes the arrays. `hand` gets them and returns the call that NumPy's contender times,
    whose result all others must give too. `build` gets a library (of _libraries.py) and its arrays;
    where a library has a way of its own, `own` has a build by its name, or None: left out.
    The limit is the larger of the time to copy `bytes` (read and written, in all) and that of
    `flops` in matrix products of NumPy; neither means that it is not known. `target` is the share
    of the best peer's time that gradarg jit is to take at most. `calls` is how many results are
    compared, where a call goes on from the one before. A row that is not `quick` is left out of the
    quick comparison.
    """

    name: str
    data: Callable[[], tuple[Any, ...]]
    hand: Callable[..., Callable[[], Any]]
    build: Build
    own: dict[str, Build | None] = field(default_factory=dict)
    bytes: float = 0
    flops: float = 0
    tolerance: float = 1e-5  # of the largest element, for each result
    quick: bool = True
    calls: int = 1
    target: float = 1.0

    @property
    def large(self) -> bool:
        """Whether it is a matter of moving a million elements or more, and not of products."""
        return self.bytes >= 8e6 and not self.flops

    def call(self, library: Any, arrays: tuple[Any, ...]) -> Callable[[], Any] | None:
        build = self.own.get(library.name, self.build)
        return None if build is None else build(library, *map(library.array, arrays))


def generator() -> np.random.Generator:
    return np.random.default_rng(7)
