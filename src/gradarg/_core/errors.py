"""The error types. Each message says what was attempted, what was met, and what to do."""


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
    """Shapes or axes that do not fit the operation."""


for _error in (GradargError, *GradargError.__subclasses__()):
    _error.__module__ = "gradarg"  # the name by which users catch them
