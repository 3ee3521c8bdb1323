"""Optimisers, each in two forms with one formula.

`SGD(model.parameters(), lr)` is PyTorch's: it keeps its state and changes the parameters at each
`step()`. `sgd(lr)` is a `Rule`, a pair of pure functions over trees, for gradients from `ga.grad`.
"""

from .adaptive import Adam, AdamW, adam, adamw
from .descent import SGD, sgd
from .optimizer import Optimizer
from .rule import Rule

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "Rule", "adam", "adamw", "sgd"]
