"""From a graph to a Python program: kernels, NumPy calls, and the arrays between them.

The program is source, to be read and run: `f.source(*args)` shows it.
"""

from __future__ import annotations

import keyword
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._core.stage import Equation, Var
from .._core.trace import ShapeDtype, shape_dtype
from .._ops import contract, structure
from .._transform.body import Body
from .._transform.graph import Graph, _Names
from .backends import Backend
from .buffers import LEAST, recycled
from .code import supported
from .expansion import expanded
from .fusion import planned
from .group import Group, multiplies
from .hoisted import hoisted
from .kernel import END_REDUCTIONS, Kernel, Value
from .native import MOST
from .nest import Nest
from .passes import optimised, type_of
from .sweep import can_join, together


class Program:
    """A graph made ready to run: `program(*leaves)` returns its outputs as a tuple."""

    def __init__(
        self,
        graph: Graph,
        backend: Backend,
        donated: Sequence[int] = (),  # the inputs whose memory it may write to
        replaced: Sequence[tuple[int, int]] = (),  # and those that an output is to lie in
    ) -> None:
        self.graph, self._backend = optimised(hoisted(optimised(expanded(graph)))), backend
        # between single numbers, one call of machine code beats the calls of NumPy
        share = 0 if backend.takes_numbers and _only_numbers(self.graph) else backend.share
        plan = planned(self.graph, backend.supported, backend.limits, share, backend.wider)
        self.reasons, self.steps = plan.reasons, plan.steps
        self.kernels: list[Kernel] = []
        self.operations: dict[str, Any] = {}  # those that are machine code by themselves, by name
        self._scope: dict[str, Any] = {
            "np": np, "empty": np.empty, "recycled": recycled, "integers": _integers,
            "donated": _donated,
        }  # fmt: skip
        self.new: set[Var] = set()  # arrays that nobody else holds
        self.takes_floats = bool(plan.steps)  # whether Python's floats serve for np.float64
        self._names = _Identifiers()
        inputs = ", ".join(self._names[v] for v in self.graph.inputs)
        self._lines = [f"def program({inputs}):"]
        given, results = self.graph.inputs, self.graph.outputs
        self._replaced = {results[n]: given[k] for k, n in replaced if isinstance(results[n], Var)}
        own = {*(given[k] for k in donated), *self._replaced.values()}
        self._donated = self._donations([v for v in given if v in own], plan.steps)
        self._waiting: list[_Waiting] = []  # kernels that will run together
        for self._at, step in enumerate(plan.steps):
            read = step.inputs if isinstance(step, Equation) else step[1]
            if any(o is i for w in self._waiting for o in w.outputs for i in read):
                self._launch()
            if isinstance(step, Equation):
                self.takes_floats = False
                self._call(step)
            else:
                kernel, sources, stored, group = step
                self._kernel(kernel, sources, stored, group, backend.made)
        self._launch()
        outputs = self.graph.outputs
        whole = self.new | self._sole_views()
        self.fresh = len({id(o) for o in outputs}) == len(outputs) and all(
            isinstance(o, Var) and o in whole for o in outputs
        )
        outs = "".join(f"{self._shown(o)}, " for o in self.graph.outputs)
        self._lines.append(f"    return ({outs})")
        self.source = "\n".join(self._lines)
        exec(compile(self.source, f"<program of {graph.name}>", "exec"), self._scope)
        self.run: Callable[..., tuple[Any, ...]] = self._scope["program"]

    def _sole_views(self) -> set[Var]:
        """Views of new arrays that nobody else reads: as good as new."""
        equations = self.graph.equations
        read = [*self.graph.outputs, *(i for e in equations for i in e.inputs)]
        uses = Counter(i for i in read if isinstance(i, Var))
        return {
            e.outs[0] for e in equations
            if e.primitive in _VIEWS and isinstance(e.inputs[0], Var)
            and uses[e.inputs[0]] == 1 and e.inputs[0] in self.new
        }  # fmt: skip

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

    def _donations(self, inputs: list[Var], steps: list[Any]) -> dict[Var, int]:
        """Of each input whose memory can be an output's: the last step that reads it, or -1.

        Some operations make a view of it, which is followed where it is a transpose or a reshape.
        """
        last = dict.fromkeys(inputs, -1)
        shows = self._shows = {v: v for v in inputs}  # of a view, what it shows
        for k, step in enumerate(steps):
            read = step.inputs if isinstance(step, Equation) else step[1]
            found = [shows[i] for i in read if isinstance(i, Var) and i in shows]
            last.update((v, k) for v in found if v in last)
            if isinstance(step, Equation) and step.primitive in _VIEWS:
                shows.update((step.outs[0], v) for v in found)
            elif isinstance(step, Equation) and step.primitive is not contract.matmul:
                for v in found:
                    last.pop(v, None)
        for o in self.graph.outputs:
            if isinstance(o, Var) and o in shows:
                last.pop(shows[o], None)
        return last

    def _memory(self, runner: Any, v: Value, var: Var, sources: list[Any]) -> str:
        """Where an output of a kernel goes: into an input's memory, or one of its own."""
        dtype = self._constant(var.type.dtype)
        small = var.type.size * var.type.dtype.itemsize < LEAST
        how = "empty" if small else "recycled"
        mine = self._replaced.get(var)
        if (
            small and mine is None
        ):  # new memory is there sooner than it is known whether others see it
            return f"{how}({var.type.shape}, {dtype})"
        for given, last in self._donated.items():
            if given.type != var.type or last > self._at:
                continue
            if given is not mine and (mine is not None or given in self._replaced.values()):
                continue
            if last == self._at:
                number = next(k for k, x in enumerate(sources) if x is given)
                if not (runner.reads_first and _in_place(runner.kernel, v, number)):
                    continue
            del self._donated[given]
            if any(self._shows.get(i) is given for w in self._waiting for i in w.sources):
                self._launch()
            if given is mine:
                return self._names[given]
            others = "".join(f"{self._names[i]}, " for i in self.graph.inputs if i is not given)
            fresh = f"{how}({var.type.shape}, {dtype})"
            name = self._names[given]
            return f"{name} if donated({name}, ({others})) else {fresh}"
        return f"{how}({var.type.shape}, {dtype})"

    def _call(self, equation: Equation) -> None:
        """An operation by itself: machine code of its own, or NumPy's evaluation."""
        impl = equation.primitive.impl
        if isinstance(impl, np.ufunc) or getattr(impl, "__module__", "") == "_operator":
            self.new.update(equation.outs)
        made = self._backend.operation(equation)
        if isinstance(made, str):
            self.reasons.append(f"{equation.primitive.name} is NumPy's: {made}")
        elif made is not None:
            name = f"{equation.primitive.name}_{len(self.operations)}"
            self.operations[name] = self._scope[name] = made
            self.new.update(equation.outs)
            given = ", ".join(map(self._shown, equation.inputs))
            outs = ", ".join(self._names[o] for o in equation.outs)
            comma = "," if equation.primitive.multi else ""
            self._lines += [f"    # {made.spec}", f"    {outs}{comma} = {name}({given})"]
            return
        if equation.primitive in _VIEWS and isinstance(equation.inputs[0], Var):
            x, (out,), (form,) = equation.inputs[0], equation.outs, equation.params.values()
            view = f".{equation.primitive.name}({self._parameter(form)})"
            view = ".T" if equation.primitive is structure.transpose and form == (1, 0) else view
            self._lines.append(f"    {self._names[out]} = {self._names[x]}{view}")
            return
        name = f"{equation.primitive.name}_".replace(".", "_")
        if not name.isidentifier():
            name = "operation_"
        while self._scope.setdefault(name, equation.primitive.impl) is not equation.primitive.impl:
            name += "_"
        args = [self._shown(i) for i in equation.inputs]
        args += [f"{k}={self._parameter(v)}" for k, v in equation.params.items()]
        if equation.primitive is contract.matmul:
            (out,) = equation.outs
            self.new.add(out)
            if out.type.size * out.type.dtype.itemsize >= LEAST:
                args.append(f"out=recycled({out.type.shape}, {self._constant(out.type.dtype)})")
        outs = ", ".join(self._names[o] for o in equation.outs)
        comma = "," if equation.primitive.multi and len(equation.outs) == 1 else ""
        self._lines.append(f"    {outs}{comma} = {name}({', '.join(args)})")

    def _parameter(self, value: Any) -> str:
        if isinstance(value, Body):
            return self._constant(self._inner(value))
        text = repr(value)
        if isinstance(value, bool | int | str) or value is None:
            return text
        if isinstance(value, tuple) and all(isinstance(v, int) for v in value):
            return text
        return self._constant(value)

    def _inner(self, body: Body) -> Body:
        """A body of control flow, which runs as a program too."""
        program = Program(body.graph, self._backend)
        self.kernels += program.kernels
        self.operations |= {f"{k} of {body.graph.name}": x for k, x in program.operations.items()}
        self.reasons = [*self.reasons, *program.reasons]
        return body.compiled(program.run)

    def _kernel(
        self, kernel: Any, sources: list[Any], stored: list[Var], group: Group, make: Any
    ) -> None:
        """A kernel: its outputs are allocated, its inputs made contiguous, and it runs."""
        self.kernels.append(kernel)
        name = f"kernel_{len(self.kernels) - 1}"
        cut = group.cut if kernel.by_rows and group.cut is not None else 0
        rows, columns = math.prod(group.shape[:cut]), math.prod(group.shape[cut:])
        if isinstance(kernel, Nest):
            rows, columns = kernel.extent, kernel.width
        elif not kernel.by_rows:
            rows, columns = 1, kernel.extent
        runner = make(kernel)
        self.new.update(stored[: len(kernel.outputs)])
        if runner is None:
            self._again(name, sources, stored, group)
            return
        if self._numbers(name, runner, sources, stored):
            return
        self.takes_floats = False
        begun, factors = len(self._lines), _factors(group, sources)
        self._scope[name] = runner.bound(rows, columns)
        arrays = [  # of any layout: the runner sees to it
            self._constant(np.ascontiguousarray(x))  # once, not in every call
            if isinstance(x, np.ndarray) and dtype != "i"
            else f"integers({self._shown(x)})"
            if dtype == "i" and type_of(x).dtype != np.int64
            else self._shown(x)
            for x, (_, dtype) in zip(sources, kernel.inputs)
        ]
        ends = []
        for v, var in zip(kernel.outputs, stored):
            if v.op in END_REDUCTIONS:
                ends.append((v, var))
                continue
            memory = self._memory(runner, v, var, sources)
            self._lines.append(f"    {self._names[var]} = {memory}")
            arrays.append(self._names[var])
        if can_join(runner) and len(stored) == len(kernel.outputs) and not factors:
            self._wait(_Waiting(name, (runner, rows, columns), arrays, sources, stored))
            return
        uses = ", ".join(v.op for v in kernel.values if v.op not in ("input", "number"))
        self._lines.append(f"    # {uses}")
        totals = sum(v.op == "total" for v in kernel.ends)
        sums = [v for v in kernel.ends if v.op != "column_sum"]
        guards = [
            f"ends[{kernel.laid(v)[0] if isinstance(kernel, Nest) else k}]"
            for k, v in enumerate(sums)
            if v.params.get("guard")
        ]
        takes = "ends = " if ends or guards else ""
        self._lines.append(f"    {takes}{name}({', '.join(arrays)})")
        for v, var in ends:
            dtype = self._constant(var.type.dtype.type)
            same = [w for w in kernel.ends if w.op == v.op]
            k = next(i for i, w in enumerate(same) if w is v)
            if isinstance(kernel, Nest):
                low, high, sizes, turned = kernel.laid(v)
                self._lines.append(
                    f"    {self._names[var]} = ends[{low}:{high}].astype({dtype}).reshape({sizes})"
                    f".transpose({turned}).reshape({var.type.shape})"
                )
            elif v.op == "total":
                shape = f".reshape({var.type.shape})" if var.type.shape else ""
                self._lines.append(f"    {self._names[var]} = {dtype}(ends[{k}]){shape}")
            else:
                low = totals + k * columns
                shape = f".reshape({var.type.shape})" if var.type.ndim != 1 else ""
                self._lines.append(
                    f"    {self._names[var]} = ends[{low}:{low + columns}].astype({dtype}){shape}"
                )
        first = {id(group.made[var]): var for var in reversed(stored)}
        for var in stored[len(kernel.outputs) :]:
            same_one = self._names[first[id(group.made[var])]]
            self._lines.append(f"    {self._names[var]} = {same_one}.reshape({var.type.shape})")
        if guards:
            self._lines.append(f"    if {' or '.join(guards)}:  # what the kernel does not do")
            self._again(name, sources, stored, group, "    ")
        if factors:
            whole = " and ".join(f"{self._shown(x)}.flags.c_contiguous" for x in factors)
            lines = [f"    {line}" for line in self._lines[begun:]]
            self._lines[begun:] = [
                f"    if {whole}:",
                *lines,
                "    else:  # BLAS takes it so",
            ]
            self._again(name, sources, stored, group, "    ")

    def _wait(self, kernel: _Waiting) -> None:
        """Have a kernel run with others that do not need it, as late as possible if it is small."""
        if sum(len(w.arrays) for w in (*self._waiting, kernel)) > MOST:
            self._launch()
        self._waiting.append(kernel)
        runner, rows, columns = kernel.part
        if runner.nanoseconds(rows, columns) > _LARGE:
            self._launch()

    def _launch(self) -> None:
        """Run the kernels that wait, as one."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        for _, (runner, _, _), *_ in waiting:
            uses = (v.op for v in runner.kernel.values if v.op not in ("input", "number"))
            self._lines.append(f"    # {', '.join(uses)}")
        name = "_".join([waiting[0].name, *(w.name.removeprefix("kernel_") for w in waiting[1:])])
        self._scope[name] = together([w.part for w in waiting])
        self._lines.append(f"    {name}({', '.join(a for w in waiting for a in w.arrays)})")

    def _again(
        self, name: str, sources: list[Any], stored: list[Var], group: Group, indent: str = ""
    ) -> None:
        """The operations of a kernel one by one."""
        self._scope[f"again_{name}"] = _replayed(group, sources, stored)
        outs = ", ".join(self._names[var] for var in stored)
        given = ", ".join(map(self._shown, sources))
        self._lines.append(f"    {indent}{outs}, = again_{name}({given},)")

    def _numbers(self, name: str, runner: Any, sources: list[Any], stored: list[Var]) -> bool:
        """A kernel of single float64, if that is what it is."""
        numbers = getattr(runner, "numbers", None)
        single = all(type_of(x) == _NUMBER for x in (*sources, *stored))
        if numbers is None or not single or len(stored) != len(runner.kernel.outputs):
            return False
        call = numbers(len(sources))
        if call is None:
            return False
        self._scope[name] = call
        outs, given = (", ".join(map(self._shown, xs)) for xs in (stored, sources))
        uses = ", ".join(v.op for v in runner.kernel.values if v.op not in ("input", "number"))
        self._lines += [f"    # {uses}", f"    {outs}, = {name}({given})"]
        return True


class _Waiting(NamedTuple):
    """A kernel whose outputs nobody has needed yet."""

    name: str
    part: tuple[Any, int, int]  # what runs it, its rows and columns
    arrays: list[str]
    sources: list[Any]
    outputs: list[Var]


_LARGE = 500_000  # nanoseconds of a kernel that need not wait: its memory may be wanted
_NUMBER = ShapeDtype((), np.dtype(np.float64))
_VIEWS = (structure.transpose, structure.reshape)


def _only_numbers(graph: Graph) -> bool:
    values = [*graph.inputs, *(o for e in graph.equations for o in e.outs)]
    return all(v.type == _NUMBER or v.type == ShapeDtype((), np.dtype(bool)) for v in values)


class _Identifiers(_Names):
    """Names that Python can take: `as` is none."""

    def __missing__(self, var: Var) -> str:
        name = super().__missing__(var)
        if keyword.iskeyword(name):
            self[var] = name = f"{name}_"
        return name


def _factors(group: Group, sources: list[Any]) -> list[Var]:
    """The matrices that a kernel reads and multiplies by vectors."""
    found = [multiplies(e) for e in group.equations]
    read = {id(x) for x in sources if isinstance(x, Var)}
    return list({id(x): x for x in found if id(x) in read}.values())


def _replayed(group: Group, sources: list[Any], stored: list[Var]) -> Callable[..., Any]:
    """The group's operations one by one, by NumPy."""

    def again(*values: Any) -> list[Any]:
        known = {id(x): value for x, value in zip(sources, values)}
        for equation in group.equations:
            given = [known.get(id(i), i) for i in equation.inputs]
            out = equation.primitive.impl(*given, **equation.params)
            known[id(equation.outs[0])] = out
        return [np.array(known[id(var)])[()] for var in stored]

    return again


def _in_place(kernel: Any, v: Value, number: int) -> bool:
    """Whether an output may lie where an input lies that the kernel reads.

    The input must have been read where it is overwritten: each element once, at its own place, and
    for this output, so that no order of loads and stores can put the store first.
    """
    if isinstance(kernel, Nest) or kernel.passes > 1 or kernel.kept() or v.kind != "M":
        return False
    if any(w.params.get("guard") for w in kernel.ends):  # the inputs may be needed again
        return False
    if any(w.op not in _AT_ITS_PLACE and not supported(w.op) for w in kernel.values):
        return False
    seen: set[int] = set()

    def reads(w: Value) -> bool:
        if id(w) in seen:
            return False
        seen.add(id(w))
        if w.op == "input":
            return w.args[0] == number and w.kind == "M"
        return any(reads(a) for a in w.values)

    return reads(v)


_AT_ITS_PLACE = ("input", "number", "where", "integer_power", "as_float", *END_REDUCTIONS)


def _donated(x: Any, others: tuple[Any, ...]) -> bool:
    """Whether an argument's memory can be written to: it is whole, and nobody else's here."""
    if x.__class__ is not np.ndarray or x.base is not None:
        return False
    if not (x.flags.c_contiguous and x.flags.writeable):
        return False
    seen = (o for o in others if isinstance(o, np.ndarray) and (o is x or o.base is not None))
    return not any(np.may_share_memory(x, o) for o in seen)


def _integers(x: Any) -> Any:
    """Columns as a kernel reads them."""
    return np.asarray(x, np.int64)


def types(graph: Graph) -> list[Any]:
    """The shapes and dtypes of the outputs."""
    return [o.type if isinstance(o, Var) else shape_dtype(o) for o in graph.outputs]
