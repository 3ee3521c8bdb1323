"""What runs a kernel: compiled loops where llvmlite is installed, else NumPy."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from typing import Any

from .._core.errors import GradargWarning
from .engine import Runner
from .kernel import Kernel

_NAMES = ("auto", "llvm", "numpy")


def checked(backend: str) -> str:
    """A backend's name, if there is one of that name."""
    if backend not in _NAMES:
        raise ValueError(f"jit: backend is one of {', '.join(_NAMES)}, not {backend!r}.")
    return backend


def runner(backend: str) -> Callable[[Kernel], Any] | None:
    """What makes a kernel run; None: operation by operation, by NumPy."""
    if backend == "numpy":
        return None
    if importlib.util.find_spec("llvmlite") is None:
        if backend == "llvm":
            warnings.warn(
                "jit: backend='llvm' needs llvmlite, which is not installed (pip install "
                "'gradarg[jit]'); NumPy runs the function instead.",
                GradargWarning,
                stacklevel=3,
            )
        return None
    return Runner
