"""How many threads the matrix products take."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager

from gradarg.data import needs

__all__ = ["one_thread"]


@contextmanager
def one_thread() -> Iterator[None]:
    """Within the block, one thread for each matrix product.

    Products as small as those of a perceptron gain nothing from more threads, and where others use
    the same cores they lose much, for the threads wait for each other. And the sums are then made
    in one order, however many cores there are.

    >>> with one_thread():
    ...     pass
    """
    with needs("sklearn", "Control of the threads"):
        limits = importlib.import_module("threadpoolctl")  # which scikit-learn brings along
    with limits.threadpool_limits(1):
        yield
