"""Modules that hold modules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, overload

from .module import Module

__all__ = ["Sequential"]


class Sequential(Module):
    """Modules one after another: `Sequential(f, g)(x)` is `g(f(x))`.

    Its parts are named "0", "1", ..., or by the keys of one dict of modules. An index gives a part,
    a slice a Sequential of the same parts.

    >>> import numpy as np
    >>> from gradarg.nn import Linear, ReLU
    >>> net = Sequential(Linear(4, 3), ReLU(), Linear(3, 2))
    >>> net(np.ones((5, 4))).shape
    (5, 2)
    >>> [name for name, _ in net.named_parameters()]
    ['0.weight', '0.bias', '2.weight', '2.bias']
    >>> net[1:]
    Sequential(
      (0): ReLU()
      (1): Linear(in_features=3, out_features=2, bias=True)
    )
    """

    def __init__(self, *modules: Module | dict[str, Module]) -> None:
        parts: dict[Any, Any] = {str(i): module for i, module in enumerate(modules)}
        if len(modules) == 1 and isinstance(modules[0], dict):
            parts = modules[0]
        for name, module in parts.items():
            if not isinstance(module, Module):
                raise TypeError(
                    f"Sequential: part {name} is {module!r:.60}, not a Module. Write nn.ReLU() for "
                    "a function such as np.maximum, or a Module with your own forward."
                )
            if not isinstance(name, str) or not name or "." in name or hasattr(Module, name):
                raise ValueError(
                    f"Sequential: a part cannot have the name {name!r}; give it a non-empty string "
                    "without a dot that is no attribute of Module."
                )
            setattr(self, name, module)

    def forward(self, x: Any) -> Any:
        for module in self:
            x = module(x)
        return x

    def __iter__(self) -> Iterator[Module]:
        return (part for part in vars(self).values() if isinstance(part, Module))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Module:
        parts = list(self)
        if isinstance(index, slice):
            return Sequential(*parts[index])
        try:
            return parts[index]
        except IndexError:
            raise IndexError(f"Sequential: no part {index}; there are {len(parts)}.") from None
