"""Making tensors: the array API's creation functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._core.trace import Box
from ._namespace import arguments
from ._namespace.elementwise import astype
from ._namespace.manipulation import broadcast_to
from ._tensor import Tensor

__all__ = ["arange", "array", "asarray", "empty", "eye", "full", "linspace", "ones", "zeros"]


def asarray(obj: Any, dtype: Any = None) -> Any:
    """A tensor of anything array-like; tensors, alone or in lists, stay in their graph.

    >>> import gradarg as ga
    >>> ga.asarray([1, 2], dtype="float32")
    Tensor([1., 2.], dtype=float32)
    """
    x = arguments.array(obj)
    if isinstance(x, Box):
        return x if dtype is None else astype(x, dtype, copy=False)
    return Tensor(x, dtype=dtype)


array = asarray


def zeros(shape: Any, dtype: Any = float) -> Tensor:
    """A tensor of zeros."""
    return Tensor(np.zeros(shape, dtype))


def ones(shape: Any, dtype: Any = float) -> Tensor:
    """A tensor of ones."""
    return Tensor(np.ones(shape, dtype))


def empty(shape: Any, dtype: Any = float) -> Tensor:
    """A tensor to be replaced; of zeros, since tensors never change."""
    return zeros(shape, dtype)


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """A tensor of one value; a tensor as the value keeps its derivative."""
    if isinstance(fill_value, Box):
        out = broadcast_to(fill_value, shape)
        return out if dtype is None else astype(out, dtype)
    return Tensor(np.full(shape, fill_value, dtype))


def arange(start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None) -> Tensor:
    """Evenly spaced numbers from start (0, if alone) up to but without stop."""
    bounds: Any = (0, start) if stop is None else (start, stop)
    numbers: Any = np.arange  # its stubs know no `Any`
    return Tensor(numbers(*bounds, step, dtype=dtype))


def linspace(
    start: float, stop: float, /, num: int = 50, *, dtype: Any = None, endpoint: bool = True
) -> Tensor:
    """`num` evenly spaced numbers from start to stop."""
    return Tensor(np.linspace(start, stop, num, endpoint, dtype=dtype))


def eye(n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = float) -> Tensor:
    """Ones on the k-th diagonal, zeros elsewhere."""
    return Tensor(np.eye(n_rows, n_cols, k, dtype))
