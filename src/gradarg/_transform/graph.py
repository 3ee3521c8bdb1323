"""Staging: stage(f, *args) runs f on shapes and dtypes alone, and keeps the operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .._core import tree
from .._core.stage import Equation, Stage, Var
from .._core.trace import Box, ShapeDtype, bind, describe, shape_dtype
from .._ops.structure import stop_gradient
from .arguments import Arguments, numeric, owned


class Graph:
    """A function as a list of operations. Call it with arguments of the staged shapes and dtypes.

    >>> import gradarg as ga, numpy as np
    >>> print(ga.stage(lambda x: np.sum(np.sin(x) * x), np.ones(3)))
    <lambda>(a: float64[3]) -> float64[]:
        b: float64[3] = sin(a)
        c: float64[3] = multiply(b, a)
        d: float64[] = sum(c, axis=(0,))
        return d
    """

    def __init__(
        self,
        name: str,
        inputs: Sequence[Var],
        equations: Sequence[Equation],
        outputs: Sequence[Any],
        arguments: tree.Structure,
        result: tree.Structure,
    ) -> None:
        self.name = name
        self.inputs = tuple(inputs)
        self.equations = tuple(equations)
        self.outputs = tuple(outputs)  # Vars and constants
        self.arguments, self.result = arguments, result

    def __call__(self, *args: Any) -> Any:
        leaves = tree.leaves_like(self.arguments, args, f"The call of {self.name}")
        outs = self.flat(leaves)
        constants = [i for e in self.equations for i in e.inputs if not isinstance(i, Var)]
        return self.result.unflatten(owned(outs, leaves, [*self.outputs, *constants]))

    def flat(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """The leaves of the result, for the leaves of the arguments."""
        values: dict[Var, Any] = {}
        for var, leaf in zip(self.inputs, leaves):
            leaf = numeric(leaf, self.name)
            if shape_dtype(leaf) != var.type:
                raise TypeError(
                    f"{self.name} was staged for {var.type}, but called with "
                    f"{shape_dtype(leaf)}. Stage it again for these arguments."
                )
            values[var] = leaf
        for equation, last in zip(self.equations, self._last_uses()):
            inputs = [values[i] if isinstance(i, Var) else i for i in equation.inputs]
            out = bind(equation.primitive, inputs, equation.params)
            values.update(zip(equation.outs, out if equation.primitive.multi else (out,)))
            for var in last:
                values.pop(var, None)
        return tuple(values[o] if isinstance(o, Var) else o for o in self.outputs)

    def _last_uses(self) -> list[list[Var]]:
        """For each equation, the variables that nothing after it needs."""
        needed = {o for o in self.outputs if isinstance(o, Var)}
        lasts = []
        for equation in reversed(self.equations):
            seen = {v for v in (*equation.inputs, *equation.outs) if isinstance(v, Var)}
            lasts.append([v for v in seen if v not in needed])
            needed |= seen
        return lasts[::-1]

    def __str__(self) -> str:
        names = _Names()
        inputs = ", ".join(f"{names[v]}: {v.type}" for v in self.inputs)
        types = ", ".join(
            str(o.type if isinstance(o, Var) else shape_dtype(o)) for o in self.outputs
        )
        lines = [f"{self.name}({inputs}) -> {types}:"]
        for equation in self.equations:
            outs = ", ".join(f"{names[o]}: {o.type}" for o in equation.outs)
            args = [names[i] if isinstance(i, Var) else _constant(i) for i in equation.inputs]
            shown = {k: str(v) for k, v in equation.params.items()}
            args += [f"{k}={v}" for k, v in shown.items() if "\n" not in v]
            lines.append(f"    {outs} = {equation.primitive.name}({', '.join(args)})")
            # a graph within, as of a loop's body
            inner = [f"{k} = {v}" for k, v in shown.items() if "\n" in v]
            lines += [f"        {line}" for text in inner for line in text.split("\n")]
        result = ", ".join(names[o] if isinstance(o, Var) else _constant(o) for o in self.outputs)
        return "\n".join([*lines, f"    return {result}"])

    def __repr__(self) -> str:
        return f"<ga.Graph {self.name}, {len(self.equations)} operations>"


class _Names(dict[Var, str]):
    """a, b, ..., z, aa, ab, ...: a name for each variable as it is met."""

    def __init__(self) -> None:
        super().__init__()
        self._fresh = self._letters()

    @staticmethod
    def _letters() -> Iterator[str]:
        letters = "abcdefghijklmnopqrstuvwxyz"
        words = [""]
        while True:
            words = [w + c for w in words for c in letters]
            yield from words

    def __missing__(self, var: Var) -> str:
        self[var] = next(self._fresh)
        return self[var]


def _constant(value: Any) -> str:
    if isinstance(value, Box) or np.size(value) > 4:
        return f"<{shape_dtype(value)}>"
    if isinstance(value, (np.ndarray, np.generic)):
        return str(value.tolist())
    return repr(value)


def stage(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Graph:
    """The graph of f for arguments of these shapes and dtypes.

    The arguments may be arrays, tensors, numbers or ga.ShapeDtype; their values are not looked
    at, and nothing of their size is computed or allocated. Arrays that f finds elsewhere become
    constants of the graph, not copied.
    """
    given = Arguments("stage", f, args)
    with Stage("stage", f, stop_gradient) as trace:
        types = [
            leaf if isinstance(leaf, ShapeDtype) else shape_dtype(numeric(leaf, given.where))
            for leaf in given.leaves
        ]
        boxes = [trace.variable(t) for t in types]
        inputs = [b._node for b in boxes]  # now, for f may write into its arguments
        outs, result = tree.flatten(f(*given.filled(boxes), **kwargs))
        outputs = [o._node if trace.owns(o) else numeric(o, given.where) for o in outs]
    name = getattr(f, "__name__", None) or describe(f)
    return Graph(name, inputs, trace.equations, outputs, given.structure, result)
