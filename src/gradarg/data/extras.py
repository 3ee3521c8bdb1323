"""What is said when a library that is optional is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["needs"]


@contextmanager
def needs(extra: str, purpose: str) -> Iterator[None]:
    """Around the import of an optional library: its absence is an error that says what to install.

    >>> with needs("train", "A progress bar"):
    ...     import no_such_library
    Traceback (most recent call last):
    ImportError: A progress bar needs no_such_library, which is not installed. Install it with:
    pip install "gradarg[train]"
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ImportError(
            f"{purpose} needs {error.name}, which is not installed. Install it with: "
            f'pip install "gradarg[{extra}]"',
            name=error.name,
        ) from error
