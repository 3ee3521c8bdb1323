"""The roots of polynomials: their values alone; `_namespace` gives them derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core.primitive import constant, loop
from .._core.trace import ShapeDtype


def _roots(p: Any) -> Any:
    return np.roots(p).astype(np.result_type(p.dtype, np.complex64))


roots = constant(
    "roots",
    _roots,
    batch=loop,
    shape=lambda p: ShapeDtype((p.shape[0] - 1,), np.result_type(p.dtype, np.complex64)),
)
