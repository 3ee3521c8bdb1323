"""Activations as modules, for `Sequential`."""

from __future__ import annotations

from typing import Any

from . import functional
from .module import Module

__all__ = ["ReLU", "Sigmoid", "Tanh"]


class ReLU(Module):
    """max(x, 0), element by element; its slope at 0 is 0.

    >>> import numpy as np
    >>> ReLU()(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def forward(self, x: Any) -> Any:
        return functional.relu(x)


class Tanh(Module):
    """The hyperbolic tangent, element by element.

    >>> import numpy as np
    >>> Tanh()(np.array([0.0]))
    array([0.])
    """

    def forward(self, x: Any) -> Any:
        return functional.tanh(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x)), element by element, without overflow.

    >>> import numpy as np
    >>> Sigmoid()(np.array([0.0]))
    array([0.5])
    """

    def forward(self, x: Any) -> Any:
        return functional.sigmoid(x)
