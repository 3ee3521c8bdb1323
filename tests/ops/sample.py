"""What a sample is, and the values that samples are made of.

The values of an array are different points of a grid over the primitive's domain, and those of two
arguments in a row are of different grids: nothing is equal, so that no rule passes by symmetry,
and nothing stands at a kink.
"""

import itertools
import pkgutil
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np

from gradarg import _ops
from gradarg._core.primitive import Primitive

Domain = tuple[float, float]
REAL, POSITIVE, INSIDE, ABOVE_ONE = (-2.3, 2.1), (0.3, 3.1), (-0.8, 0.75), (1.2, 4.0)
EXPONENT, NEGATIVE, DIVIDEND, DIVISOR = (-1.7, 2.4), (-2.6, -0.5), (4.6, 5.4), (-2.2, -1.9)
INTEGER, TRUTH = (1, 7), (0, 1)

_SEEDS: defaultdict[str, Iterator[int]] = defaultdict(lambda: itertools.count(1))


def _seed() -> int:
    """The next seed of the module that asks: its values do not move with those of others."""
    frame = sys._getframe(1)
    while frame.f_globals["__name__"] == __name__ and frame.f_back:
        frame = frame.f_back
    return next(_SEEDS[frame.f_globals["__name__"]])


def values(shape: tuple[int, ...] = (2, 3), domain: Domain = REAL) -> Any:
    """Distinct floats over a domain, or integers or truth values where the domain is of these."""
    seed = _seed()
    random = np.random.default_rng(seed)
    size = int(np.prod(shape))
    if domain is TRUTH:
        return (random.permutation(size) % 3 > 0).reshape(shape)[()]
    if domain is INTEGER:
        return np.asarray(random.integers(*domain, shape))[()]
    low, high = domain
    grid = min(0.1, (high - low) / max(size, 1))
    places = random.permutation(int((high - low) / grid + 0.5))[:size]
    offset = 0.3 if seed % 2 else 0.8  # apart from the values of the argument before, and from 0
    return np.reshape(low + grid * (places + offset), shape)[()]


def complex_values(shape: tuple[int, ...] = (2, 3), domain: Domain = REAL) -> Any:
    return values(shape, domain) + 0.7j * values(shape, domain)


def reversed_values(shape: tuple[int, ...], domain: Domain = REAL) -> Any:
    """Values whose axes are transposed in memory, the first with a negative stride."""
    return values(shape[::-1], domain).T[::-1]


def rolled(x: Any, k: int) -> Any:
    """The k-th other value of an argument, for a batch; still in its domain."""
    if x.dtype.kind in "fc":
        return np.roll(x, k) * (1 - 0.07 * k)
    return np.roll(x, k) if x.ndim or x.dtype == bool else x - k


def scaled(x: Any, k: int) -> Any:
    """As `rolled`, for matrices that a roll would make singular."""
    return x * (1 - 0.07 * k)


def as_they_are(*args: Any) -> tuple[Any, ...]:
    return args


@dataclass(frozen=True)
class Sample:
    """One call of a primitive, and NumPy's answer: `reference(*args, **params)`.

    `prepare` runs on the arguments first; it gives them a structure that the primitive needs
    (symmetry, say), whatever directions they are moved in. `vary` makes other values for a batch.
    """

    primitive: Primitive
    reference: Callable[..., Any]
    args: tuple[Any, ...]
    params: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    prepare: Callable[..., tuple[Any, ...]] = as_they_are
    vary: Callable[[Any, int], Any] = rolled

    @property
    def name(self) -> str:
        return f"{self.primitive.name}-{self.note}" if self.note else self.primitive.name

    def __call__(self, *args: Any) -> Any:
        return self.primitive(*self.prepare(*args), **self.params)

    def places(self, kinds: str = "biufc") -> tuple[int, ...]:
        """The positions of the arrays whose dtype is of these kinds; numbers stay numbers."""
        return tuple(
            i for i, a in enumerate(self.args) if hasattr(a, "dtype") and a.dtype.kind in kinds
        )

    def of(self, places: tuple[int, ...]) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """The call as a function of the arguments at some places alone, and these arguments."""

        def f(*chosen: Any) -> Any:
            args = list(self.args)
            for i, a in zip(places, chosen):
                args[i] = a
            return self(*args)

        return f, tuple(self.args[i] for i in places)


def primitives() -> Iterator[Primitive]:
    """Every primitive that a module of `_ops` holds, by itself or in a dict."""
    seen = set()
    for module in pkgutil.iter_modules(_ops.__path__, _ops.__name__ + "."):
        for value in vars(import_module(module.name)).values():
            for p in value.values() if isinstance(value, dict) else (value,):
                if isinstance(p, Primitive) and id(p) not in seen:
                    seen.add(id(p))
                    yield p
