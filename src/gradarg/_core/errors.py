"""The error types. Each message says what was attempted, what was met, and what to do."""

from __future__ import annotations

import linecache
import sys
from pathlib import Path

import numpy as np

_LIBRARIES = tuple(
    str(Path(file).parent) + "/" for file in (str(Path(__file__).parent), str(np.__file__))
)


def user_line() -> str:
    """The line of user code that is running: the innermost outside of gradarg and NumPy."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_LIBRARIES):
        frame = frame.f_back
    file, line = frame.f_code.co_filename, frame.f_lineno
    source = linecache.getline(file, line).strip()
    return f"{file}:{line}: {source}" if source else f"{file}:{line}"


class GradargError(Exception):
    """The base of every error that gradarg raises of its own."""


class DerivativeError(GradargError, TypeError):
    """A derivative was asked for where none exists or none is known."""


class ConcreteValueError(GradargError, TypeError):
    """A number was asked of a value that has none yet, or whose derivative would be lost."""


class LeakedValueError(GradargError, RuntimeError):
    """A value that belongs to a transform was used after the transform had ended."""


class FreedGraphError(GradargError, RuntimeError):
    """A second backward pass through a graph that the first one has freed."""


class MutatedArrayError(GradargError, RuntimeError):
    """An array that the recorded graph still needs was changed in place."""


class ImmutableError(GradargError, TypeError):
    """An attempt to change a value in place that the graph may need unchanged."""


class TreeError(GradargError, ValueError):
    """Two containers that must have the same structure do not."""


class ShapeError(GradargError, ValueError):
    """Shapes or axes that do not fit the operation, and the line of user code that asked for it."""

    def __init__(self, message: str) -> None:
        super().__init__(f"{message}\n  at {user_line()}")


class AxisError(ShapeError, np.exceptions.AxisError):
    """An axis that the array does not have; an `IndexError` too, as NumPy's is."""


class NonFiniteError(GradargError, FloatingPointError):
    """Within `debug_nans`: an operation that made NaN or infinity of finite numbers."""


class GradargWarning(UserWarning):
    """Something that is allowed, and most often a mistake."""


for _error in (GradargError, *GradargError.__subclasses__(), AxisError, GradargWarning):
    _error.__module__ = "gradarg"  # the name by which users catch them
