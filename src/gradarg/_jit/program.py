"""From a graph to a Python program: kernels, NumPy calls, and the arrays between them.

The program is source, to be read and run: `f.source(*args)` shows it.
"""

from __future__ import annotations

import keyword
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core.stage import Equation, Var
from .._core.trace import shape_dtype
from .._transform.graph import Graph, _Names
from .backends import Backend
from .buffers import LEAST, recycled
from .expansion import expanded
from .fusion import Group, planned
from .kernel import END_REDUCTIONS, Kernel
from .passes import optimised, type_of


class Program:
    """A graph made ready to run: `program(*leaves)` returns its outputs as a tuple."""

    def __init__(self, graph: Graph, backend: Backend) -> None:
        self.graph = optimised(expanded(graph))
        plan = planned(self.graph, backend.supported)
        self.reasons = plan.reasons
        self.kernels: list[Kernel] = []
        self._scope: dict[str, Any] = {
            "np": np, "empty": np.empty, "recycled": recycled, "integers": _integers,
        }  # fmt: skip
        self._names = _Identifiers()
        inputs = ", ".join(self._names[v] for v in self.graph.inputs)
        self._lines = [f"def program({inputs}):"]
        for step in plan.steps:
            if isinstance(step, Equation):
                self._call(step)
            else:
                kernel, sources, stored, group = step
                self._kernel(kernel, sources, stored, group, backend.made)
        outs = "".join(f"{self._shown(o)}, " for o in self.graph.outputs)
        self._lines.append(f"    return ({outs})")
        self.source = "\n".join(self._lines)
        exec(compile(self.source, f"<program of {graph.name}>", "exec"), self._scope)
        self.run: Callable[..., tuple[Any, ...]] = self._scope["program"]

    def _shown(self, x: Any) -> str:
        if isinstance(x, Var):
            return self._names[x]
        if isinstance(x, bool | int | float | complex) and not isinstance(x, np.generic):
            if isinstance(x, float) and not math.isfinite(x):
                return f"float('{x}')"
            return repr(x)
        return self._constant(x)

    def _constant(self, x: Any) -> str:
        name = f"c{len(self._scope)}"
        self._scope[name] = x
        return name

    def _call(self, equation: Equation) -> None:
        """An operation by itself: NumPy's own evaluation."""
        name = f"{equation.primitive.name}_".replace(".", "_")
        if not name.isidentifier():
            name = "operation_"
        while self._scope.setdefault(name, equation.primitive.impl) is not equation.primitive.impl:
            name += "_"
        args = [self._shown(i) for i in equation.inputs]
        args += [f"{k}={self._parameter(v)}" for k, v in equation.params.items()]
        outs = ", ".join(self._names[o] for o in equation.outs)
        comma = "," if equation.primitive.multi and len(equation.outs) == 1 else ""
        self._lines.append(f"    {outs}{comma} = {name}({', '.join(args)})")

    def _parameter(self, value: Any) -> str:
        text = repr(value)
        if isinstance(value, bool | int | str) or value is None:
            return text
        if isinstance(value, tuple) and all(isinstance(v, int) for v in value):
            return text
        return self._constant(value)

    def _kernel(
        self, kernel: Kernel, sources: list[Any], stored: list[Var], group: Group, make: Any
    ) -> None:
        """A kernel: its outputs are allocated, its inputs made contiguous, and it runs."""
        self.kernels.append(kernel)
        name = f"kernel_{len(self.kernels) - 1}"
        cut = group.cut if kernel.by_rows and group.cut is not None else 0
        rows, columns = math.prod(group.shape[:cut]), math.prod(group.shape[cut:])
        if not kernel.by_rows:
            rows, columns = 1, kernel.extent
        self._scope[name] = make(kernel).bound(rows, columns)
        arrays = [  # of any layout: the runner sees to it
            f"integers({self._shown(x)})"
            if dtype == "i" and type_of(x).dtype != np.int64
            else self._shown(x)
            for x, (_, dtype) in zip(sources, kernel.inputs)
        ]
        ends = []
        for v, var in zip(kernel.outputs, stored):
            if v.op in END_REDUCTIONS:
                ends.append((v, var))
                continue
            dtype = self._constant(var.type.dtype)
            how = "empty" if var.type.size * var.type.dtype.itemsize < LEAST else "recycled"
            self._lines.append(f"    {self._names[var]} = {how}({var.type.shape}, {dtype})")
            arrays.append(self._names[var])
        uses = ", ".join(v.op for v in kernel.values if v.op not in ("input", "number"))
        self._lines.append(f"    # {uses}")
        self._lines.append(f"    {'ends = ' if ends else ''}{name}({', '.join(arrays)})")
        totals = sum(v.op == "total" for v in kernel.ends)
        for v, var in ends:
            dtype = self._constant(var.type.dtype.type)
            same = [w for w in kernel.ends if w.op == v.op]
            k = next(i for i, w in enumerate(same) if w is v)
            if v.op == "total":
                shape = f".reshape({var.type.shape})" if var.type.shape else ""
                self._lines.append(f"    {self._names[var]} = {dtype}(ends[{k}]){shape}")
            else:
                low = totals + k * columns
                self._lines.append(
                    f"    {self._names[var]} = ends[{low}:{low + columns}]"
                    f".astype({dtype}).reshape({var.type.shape})"
                )
        first = {id(group.made[var]): var for var in reversed(stored)}
        for var in stored[len(kernel.outputs) :]:
            same_one = self._names[first[id(group.made[var])]]
            self._lines.append(f"    {self._names[var]} = {same_one}.reshape({var.type.shape})")


class _Identifiers(_Names):
    """Names that Python can take: `as` is none."""

    def __missing__(self, var: Var) -> str:
        name = super().__missing__(var)
        if keyword.iskeyword(name):
            self[var] = name = f"{name}_"
        return name


def _integers(x: Any) -> Any:
    """Columns as a kernel reads them."""
    return np.asarray(x, np.int64)


def types(graph: Graph) -> list[Any]:
    """The shapes and dtypes of the outputs."""
    return [o.type if isinstance(o, Var) else shape_dtype(o) for o in graph.outputs]
