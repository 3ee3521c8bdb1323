"""Pictures: learning curves, sheets of images, computational graphs."""

from .curves import learning_curves
from .graph import dot
from .sheet import digit_sheet

__all__ = ["digit_sheet", "dot", "learning_curves"]
