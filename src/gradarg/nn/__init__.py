"""Layers of neural networks, with PyTorch's names and layouts.

A `Module` is a tree of parameters: it can be called, trained with `loss.backward()` and an
optimiser, or passed whole to `ga.grad`, `ga.vmap` and `ga.tree.map`.
"""

from . import functional
from .activation import ReLU, Sigmoid, Tanh
from .container import Sequential
from .dropout import Dropout
from .linear import Flatten, Linear
from .module import LoadReport, Module, Parameter

__all__ = [
    "Dropout",
    "Flatten",
    "Linear",
    "LoadReport",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "functional",
]
