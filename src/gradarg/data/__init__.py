"""Data to train on, its batches, and its distortions."""

from .batches import batches
from .digits import Digits, digits
from .distort import distort
from .extras import needs

__all__ = ["Digits", "batches", "digits", "distort", "needs"]
