"""Weights on disk, in the format of safetensors, which PyTorch, JAX and others read too."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from gradarg.data import needs

__all__ = ["load_weights", "save_weights"]


def save_weights(path: str | os.PathLike[str], state: Mapping[str, Any]) -> None:
    """Write a state dict (names to arrays) to a file.

    Raises `ImportError` without safetensors (`pip install "gradarg[train]"`).

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(f"{folder}/w.safetensors", {"weight": np.arange(6.0).reshape(2, 3).T})
    ...     load_weights(f"{folder}/w.safetensors")["weight"].shape
    (3, 2)
    """
    with needs("train", "Saving weights"):
        from safetensors.numpy import save_file
    # safetensors writes the memory of an array as it lies, whatever its strides say
    save_file({name: np.ascontiguousarray(value) for name, value in state.items()}, path)


def load_weights(path: str | os.PathLike[str]) -> dict[str, np.ndarray[Any, Any]]:
    """The state dict in a file that `save_weights`, or PyTorch with safetensors, wrote.

    Raises `ImportError` without safetensors (`pip install "gradarg[train]"`), and `OSError` if
    there is no such file.

    >>> load_weights("no/such.safetensors")
    Traceback (most recent call last):
    FileNotFoundError: No such file or directory: no/such.safetensors
    """
    with needs("train", "Loading weights"):
        from safetensors.numpy import load_file
    weights: dict[str, np.ndarray[Any, Any]] = load_file(path)
    return weights
