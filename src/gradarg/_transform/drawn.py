"""A watch on random generators, for functions that run once and stand for many runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .._core.errors import ConcreteValueError


@contextmanager
def baked(function: Callable[..., Any], problem: str, shared: bool = False) -> Iterator[None]:
    """Refuse draws from generators that a function has found: their numbers would be constants.

    `problem` says what that would mean, and what to do; `shared` watches the generator of
    `gradarg.random` too.
    """
    found = _found(function)
    package = sys.modules[__name__.partition(".")[0]]  # not imported: it imports us
    if shared and "random" in vars(package):
        found.append(package.random.generator())
    before = [(g, _state(g)) for g in found]
    yield
    for generator, state in before:
        if _state(generator) != state:
            what = "np.random" if generator is np.random else "a generator"
            raise ConcreteValueError(problem.format(what))


def _found(function: Any) -> list[Any]:
    """NumPy's own generator, and those that a function names or closes over."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code = getattr(function, "__code__", None)
    scope = getattr(function, "__globals__", {})
    values = [scope.get(name) for name in code.co_names] if code is not None else []
    for cell in getattr(function, "__closure__", None) or ():
        try:
            values.append(cell.cell_contents)
        except ValueError:  # not filled yet
            continue
    kinds = (np.random.Generator, np.random.RandomState)
    return [np.random, *(v for v in values if isinstance(v, kinds))]


def _state(generator: Any) -> Any:
    if hasattr(generator, "drawn"):  # one that stands for another while it is staged
        return generator.drawn
    if isinstance(generator, np.random.Generator):
        return repr(generator.bit_generator.state)
    _, words, place, *rest = generator.get_state(legacy=True)
    return words.tobytes(), place, rest
