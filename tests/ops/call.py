"""What a call of a public function is, for the lists of calls that the tests go through."""

from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import numpy as np

import gradarg as ga


@dataclass(frozen=True)
class Call:
    """One call of the public function of a name. `smooth`: whether it has derivatives there."""

    name: str
    args: tuple[Any, ...]
    options: dict[str, Any] = field(default_factory=dict)
    smooth: bool = True
    reference: Callable[..., Any] | None = None

    @property
    def function(self) -> Callable[..., Any]:
        found: Callable[..., Any] = attrgetter(self.name)(ga)
        return found

    @property
    def numpy(self) -> Callable[..., Any] | None:
        """NumPy's function of the same name."""
        try:
            found: Callable[..., Any] = attrgetter(self.name)(np)
        except AttributeError:
            return None
        return found

    def expected(self) -> Any:
        reference = self.reference or self.numpy
        assert reference is not None, f"{self.name} is not NumPy's: its call needs a reference"
        return reference(*self.args, **self.options)

    def __str__(self) -> str:
        words = [*map(_named, self.args), *(f"{k}={_named(v)}" for k, v in self.options.items())]
        return f"{self.name}({', '.join(words)})"


def _named(x: Any) -> str:
    """An argument in a test's name, the same in every process."""
    if isinstance(x, (list, tuple)):
        brackets = "[]" if isinstance(x, list) else "()"
        return brackets[0] + ", ".join(map(_named, x)) + brackets[1]
    if isinstance(x, type) or callable(x):
        return str(x.__name__)
    return str(getattr(x, "shape", x))


def smooth(name: str, *args: Any, **options: Any) -> Call:
    return Call(name, args, options)


def flat(name: str, *args: Any, **options: Any) -> Call:
    return Call(name, args, options, smooth=False)
