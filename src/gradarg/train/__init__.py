"""Training: the loop, what it reports, and what it leaves on disk."""

from .checkpoint import load_weights, save_weights
from .digits import VIEWS, Epoch, Run, read_digits, train_digits, write_metrics
from .threads import one_thread

__all__ = [
    "VIEWS",
    "Epoch",
    "Run",
    "load_weights",
    "one_thread",
    "read_digits",
    "save_weights",
    "train_digits",
    "write_metrics",
]
