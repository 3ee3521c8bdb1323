"""What runs a kernel: compiled loops where llvmlite is installed, else NumPy."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .._core.errors import GradargWarning
from . import blocked, emit, vector_math
from .engine import Runner
from .kernel import Kernel

_NAMES = ("auto", "llvm", "numpy")


def checked(backend: str) -> str:
    """A backend's name, if there is one of that name."""
    if backend not in _NAMES:
        raise ValueError(f"jit: backend is one of {', '.join(_NAMES)}, not {backend!r}.")
    return backend


@dataclass(frozen=True)
class Backend:
    """What makes a kernel run, and which elementwise operations it can hold, by name."""

    made: Callable[[Kernel], Any]
    supported: Callable[[str], bool]
    limits: dict[str, float]  # the size of an argument beyond which some of these are not exact
    takes_numbers: bool = False  # whether kernels of single numbers are worth a call


def runner(backend: str) -> Backend:
    """The backend of a name."""
    if backend != "numpy" and importlib.util.find_spec("llvmlite") is not None:
        return Backend(_compiled, emit.supported, vector_math.LIMITS, takes_numbers=True)
    if backend == "llvm":
        warnings.warn(
            "jit: backend='llvm' needs llvmlite, which is not installed (pip install "
            "'gradarg[jit]'); NumPy runs the function instead.",
            GradargWarning,
            stacklevel=3,
        )
    return Backend(blocked.Blocked, blocked.supported, {})


def _compiled(kernel: Kernel) -> Any:
    """The kernel as machine code; what LLVM does not compile, NumPy runs."""
    try:
        return Runner(kernel)
    except Exception as error:
        why = f"{type(error).__name__}: {error}".strip().split("\n")[0]
        warnings.warn(
            f"jit: LLVM does not compile the kernel {kernel.name} ({why:.200}); NumPy runs it "
            "instead: the results are the same, it takes longer.",
            GradargWarning,
            stacklevel=2,
        )
        return blocked.Blocked(kernel)
