"""What runs a kernel: compiled loops where llvmlite is installed, else NumPy."""

from __future__ import annotations

import functools
import importlib.util
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from .._core.errors import GradargWarning
from .._core.stage import Equation
from . import blocked, code, convolution, looped, pooling, product, scatter, vector_math
from .engine import NestRunner, Runner
from .fusion import Wider
from .general import General, is_view
from .kernel import Kernel
from .nest import Nest

_NAMES = ("auto", "llvm", "numpy")


class Choice(NamedTuple):
    """What a user can choose of a backend."""

    name: str = "auto"
    winograd: int = 2  # the tiles of that way; 0: none


def checked(backend: str | Choice) -> Choice:
    """A choice of backend, if there is one of that name."""
    choice = Choice(backend) if isinstance(backend, str) else backend
    if choice.name not in _NAMES:
        raise ValueError(f"jit: backend is one of {', '.join(_NAMES)}, not {choice.name!r}.")
    if choice.winograd not in (0, 2, 4):
        raise ValueError(f"jit: winograd is 0, 2 or 4, not {choice.winograd!r}.")
    return choice


@dataclass(frozen=True)
class Backend:
    """What makes a kernel run, and which elementwise operations it can hold, by name."""

    made: Callable[[Any], Any]
    supported: Callable[[str], bool]
    limits: dict[str, float]  # the size of an argument beyond which some of these are not exact
    takes_numbers: bool = False  # whether kernels of single numbers are worth a call
    # an operation by itself as machine code, or why NumPy does it; None: as it always does
    operation: Callable[[Equation], Any] = lambda _equation: None
    share: float = 1.0  # of fusion.SMALL: for so few elements, NumPy's own operations are sooner
    wider: Wider | None = None  # groups of any axes, if it runs them


def runner(choice: Choice) -> Backend:
    """The backend that is chosen."""
    backend, winograd = choice
    if backend != "numpy" and importlib.util.find_spec("llvmlite") is not None:
        return Backend(
            _compiled, code.supported, vector_math.LIMITS, takes_numbers=True, share=1 / 16,
            wider=Wider(General, is_view),
            operation=functools.partial(_operation, winograd=winograd),
        )  # fmt: skip
    if backend == "llvm":
        warnings.warn(
            "jit: backend='llvm' needs llvmlite, which is not installed (pip install "
            "'gradarg[jit]'); NumPy runs the function instead.",
            GradargWarning,
            stacklevel=3,
        )
    return Backend(blocked.Blocked, blocked.supported, {}, share=128)


def _compiled(kernel: Kernel | Nest) -> Any:
    """The kernel as machine code; what LLVM does not compile, NumPy runs call by call (None)."""
    try:
        return NestRunner(kernel) if isinstance(kernel, Nest) else Runner(kernel)
    except Exception as error:
        _say(f"the kernel {kernel.name}", error)
        return None


def _operation(equation: Equation, winograd: int) -> Any:
    """An operation that is no part of a kernel, as machine code where there is some for it."""
    row = _OPERATIONS.get(equation.primitive)
    if row is None:
        return None
    try:
        return row(equation, winograd)
    except Exception as error:
        _say(equation.primitive.name, error)
        return None


_OPERATIONS: dict[Any, Callable[[Equation, int], Any]] = {
    **convolution.ROWS,
    **pooling.ROWS,
    **scatter.ROWS,
    **looped.ROWS,
    **product.ROWS,
}


def _say(what: str, error: Exception) -> None:
    why = f"{type(error).__name__}: {error}".strip().split("\n")[0]
    warnings.warn(
        f"jit: LLVM does not compile {what} ({why:.200}); NumPy runs it instead: the results are "
        "the same, it takes longer.",
        GradargWarning,
        stacklevel=3,
    )
