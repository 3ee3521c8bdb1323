"""`jit`: a function staged once for each kind of argument, and run as generated code."""

from __future__ import annotations

import functools
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._core import tree
from .._core.errors import DerivativeError, GradargWarning
from .._core.primitive import Primitive, varies
from .._core.stage import Var
from .._core.tape import Joint
from .._core.trace import Box, ShapeDtype, bare, bind, describe, shape_dtype
from .._transform.arguments import numeric, owned
from .._transform.batch import vmap
from .._transform.forward import jvp
from .._transform.graph import Graph, stage
from .._transform.reverse import vjp
from . import backends
from .program import Program

_KEPT = 128  # programs of one function; the longest unused goes first
_OFTEN = 12  # compilations after which a warning says what changes

ArgNums = int | Sequence[int]


class Entry:
    """A function compiled for arguments of one kind: a graph, a program and their types."""

    def __init__(self, graph: Graph, backend: str) -> None:
        self.graph, self.backend = graph, backend
        used = [*graph.outputs, *(i for e in graph.equations for i in e.inputs)]
        for value in used:
            if isinstance(value, Box) and bare(value) is value:
                raise DerivativeError(
                    f"ga.jit({graph.name}) uses a tensor that it was not passed ({value!r:.60}): "
                    "its later values and its derivative would be lost. Pass it as an argument."
                )
        self.inputs = [v.type for v in graph.inputs]
        self.types = tuple(o.type if isinstance(o, Var) else shape_dtype(o) for o in graph.outputs)

    @functools.cached_property
    def program(self) -> Program:
        return Program(self.graph, backends.runner(self.backend))

    @functools.cached_property
    def constants(self) -> list[Any]:
        graph = self.program.graph
        inputs = [i for e in graph.equations for i in e.inputs]
        return [x for x in (*graph.outputs, *inputs) if isinstance(x, np.ndarray)]

    def flat(self, *leaves: Any) -> tuple[Any, ...]:
        """The operations one by one, on values of any kind."""
        return self.graph.flat(leaves)

    @functools.cached_property
    def primitive(self) -> Primitive:
        """This function as one operation, so that transforms of it are compiled too."""
        name = f"jit({self.graph.name})"
        return Primitive(
            name,
            lambda *leaves: self.program.run(*leaves),
            vjps=Joint(self._vjp, reads_out=False),
            jvp=self._jvp,
            batch=self._batch,
            shape=lambda *types: self.types,
            multi=True,
        )

    def _compiled(self, f: Callable[..., Any], name: str) -> Jitted:
        f.__name__ = f"{name}({self.graph.name})"
        return Jitted(f, backend=self.backend)

    @functools.cached_property
    def _pulled(self) -> Jitted:
        places = [i for i, t in enumerate(self.inputs) if t.dtype.kind in "fc"]

        def pull(leaves: Any, g: Any) -> Any:
            def of_floats(*floats: Any) -> Any:
                given = list(leaves)
                for i, x in zip(places, floats):
                    given[i] = x
                outs = self.flat(*given)
                return [o for o in outs if o.dtype.kind in "fc"]

            _, pullback = vjp(of_floats, *(leaves[i] for i in places))
            # within, cotangents are those of the plain transpose
            return tuple(pullback.transposed(g))

        return self._compiled(pull, "vjp")

    def _vjp(self, _p: Primitive, g: Any, _out: Any, *leaves: Any) -> list[Any]:
        gs = [x for x, t in zip(g, self.types) if t.dtype.kind in "fc"]
        found = iter(self._pulled(list(leaves), gs))
        return [next(found) if t.dtype.kind in "fc" else None for t in self.inputs]

    @functools.cached_property
    def _pushed(self) -> Jitted:
        def push(leaves: Any, tangents: Any) -> Any:
            places = [i for i, t in enumerate(tangents) if t is not None]

            def of_some(*some: Any) -> Any:
                given = list(leaves)
                for i, x in zip(places, some):
                    given[i] = x
                return self.flat(*given)

            some, ts = [leaves[i] for i in places], [tangents[i] for i in places]
            return jvp(of_some, some, ts)[1]

        return self._compiled(push, "jvp")

    def _jvp(self, tangents: Any, _out: Any, *leaves: Any) -> tuple[Any, ...]:
        given = [t if t is not None and varies(x) else None for t, x in zip(tangents, leaves)]
        found: tuple[Any, ...] = self._pushed(list(leaves), given)
        return found

    @functools.cached_property
    def _mapped(self) -> Jitted:
        def over(leaves: Any, mapped: tuple[bool, ...]) -> Any:
            axes = tuple(0 if m else None for m in mapped)
            return vmap(lambda *xs: self.flat(*xs), in_axes=axes)(*leaves)

        return self._compiled(over, "vmap")

    def _batch(self, _p: Any, _n: int, mapped: Any, args: Any, _k: Any) -> tuple[Any, ...]:
        found: tuple[Any, ...] = self._mapped(list(args), tuple(map(bool, mapped)))
        return found


class Jitted:
    """A function that compiles itself when it is called: see `jit`."""

    def __init__(
        self,
        f: Callable[..., Any],
        static_argnums: ArgNums = (),
        donate_argnums: ArgNums = (),
        backend: str = "auto",
    ) -> None:
        functools.update_wrapper(self, f, updated=())
        self._f, self._backend = f, backends.checked(backend)
        self._static = _numbers(static_argnums)
        self._donated = _numbers(donate_argnums)
        self._entries: OrderedDict[Any, tuple[Entry, tree.Structure]] = OrderedDict()
        self._count, self._warned = 0, False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        entry, result, arrays = self._entry(args, kwargs)
        if any(isinstance(a, Box) and (a._trace.level or a._node is not None) for a in arrays):
            return result.unflatten(bind(entry.primitive, arrays))
        outs = entry.program.run(*[bare(a) for a in arrays])
        return result.unflatten(owned(outs, arrays, entry.constants))

    def _entry(self, args: Any, kwargs: Any) -> tuple[Entry, tree.Structure, list[Any]]:
        """The program for these arguments, and the arrays among their leaves."""
        static = tuple((i, args[i]) for i in self._static if i < len(args))
        moving = [None if i in self._static else a for i, a in enumerate(args)]
        leaves, structure = tree.flatten((moving, kwargs))
        places = [i for i, x in enumerate(leaves) if isinstance(x, _ARRAYS)]
        width = _float_of(leaves[i] for i in places)
        where = f"ga.jit({describe(self._f)})"
        arrays = [
            width(leaves[i]) if type(leaves[i]) is float else numeric(leaves[i], where)
            for i in places
        ]
        fixed = tuple(x for x in leaves if not isinstance(x, _ARRAYS))
        types = tuple((tuple(a.shape), a.dtype) for a in arrays)
        key = (structure, types, _hashable(fixed, where), _hashable(static, where))
        found = self._entries.get(key)
        if found is None:
            self._say_if_often(key)
            found = self._made(leaves, structure, places, args, types)
            self._entries[key] = found
            if len(self._entries) > _KEPT:
                self._entries.popitem(last=False)
        else:
            self._entries.move_to_end(key)
        return (*found, arrays)

    def _made(
        self, leaves: Any, structure: Any, places: Any, args: Any, types: Any
    ) -> tuple[Entry, tree.Structure]:
        results = []

        def on_arrays(*arrays: Any) -> Any:
            given = list(leaves)
            for i, a in zip(places, arrays):
                given[i] = a
            moving, named = structure.unflatten(given)
            for i in self._static:
                if i < len(args):
                    moving[i] = args[i]
            outs, result = tree.flatten(self._f(*moving, **named))
            results.append(result)
            return tuple(outs)

        on_arrays.__name__ = getattr(self._f, "__name__", type(self._f).__name__)
        graph = stage(on_arrays, *(ShapeDtype(*t) for t in types))
        return Entry(graph, self._backend), results[0]

    def _say_if_often(self, key: Any) -> None:
        self._count += 1
        if self._count <= _OFTEN or self._warned:
            return
        self._warned = True
        last = next(reversed(self._entries))
        names = (
            "the structure",
            "the shapes and dtypes",
            "a value that is no array",
            "a static value",
        )
        changed = [n for n, a, b in zip(names, key, last) if a != b] or ["age"]
        warnings.warn(
            f"ga.jit({describe(self._f)}) is compiled for the {self._count}th time: its arguments "
            f"differ from the last in {' and '.join(changed)}. Pass what changes as an array of "
            "one shape and dtype.",
            GradargWarning,
            stacklevel=4,
        )

    # ---- to look at

    def graph(self, *args: Any, **kwargs: Any) -> Graph:
        """The graph for these arguments, after all passes."""
        return self._entry(args, kwargs)[0].program.graph

    def source(self, *args: Any, **kwargs: Any) -> str:
        """The generated program for these arguments, and its kernels as loops."""
        program = self._entry(args, kwargs)[0].program
        return "\n\n".join([program.source, *map(str, program.kernels)])

    def explain(self, *args: Any, **kwargs: Any) -> str:
        """Which operations went into which kernel, and why others did not join them."""
        program = self._entry(args, kwargs)[0].program
        lines = [
            f"{k.name}: {', '.join(v.op for v in k.values if v.op not in ('input', 'number'))}"
            for k in program.kernels
        ]
        return "\n".join([*lines, *dict.fromkeys(program.reasons)])


_ARRAYS = (Box, np.ndarray, np.generic, float)


def _float_of(leaves: Any) -> Any:
    """The float type that a Python float takes beside these arrays: it promotes weakly."""
    dtypes = [x.dtype for x in leaves if type(x) is not float and x.dtype.kind in "fc"]
    if not dtypes:
        return np.float64
    return np.zeros(0, np.result_type(*dtypes)).real.dtype.type


def _numbers(argnums: ArgNums) -> tuple[int, ...]:
    return (argnums,) if isinstance(argnums, int) else tuple(argnums)


def _hashable(values: tuple[Any, ...], where: str) -> Any:
    try:
        hash(values)
    except TypeError:
        raise TypeError(
            f"{where}: the static values {values!r:.100} do not hash, so a program cannot be kept "
            "for them. Pass arrays, or values that hash."
        ) from None
    return values, tuple(map(type, values))


def jit(
    f: Callable[..., Any] | None = None,
    *,
    static_argnums: ArgNums = (),
    donate_argnums: ArgNums = (),
    backend: str = "auto",
) -> Any:
    """f, compiled: staged once for each structure, shapes and dtypes of its arguments.

    The operations are simplified and fused into loops; with `pip install gradarg[jit]` these are
    machine code, vectorised and threaded. The arguments of `static_argnums`, and all that are
    neither arrays nor floats (integers, text), are part of the program, which is made anew where
    they change. Inside, values are not known: a branch on one raises. Results are those of f up to
    rounding: sums are added up in another order, and exp, log and the like are within 2 units in
    the last place of float32, 4 of float64.

    `backend` is "llvm", "numpy", or "auto": the first that is installed.

    >>> import gradarg as ga, numpy as np
    >>> f = ga.jit(lambda x: np.sum(np.tanh(x) * x))
    >>> print(f"{f(np.array([0.5, -1.0, 2.0])):.6f}")
    2.920707
    >>> ga.grad(f)(np.array([0.5, -1.0, 2.0])).round(6)
    array([ 0.855341, -1.181569,  1.105329])
    """
    if f is None:
        return functools.partial(
            jit, static_argnums=static_argnums, donate_argnums=donate_argnums, backend=backend
        )
    return Jitted(f, static_argnums, donate_argnums, backend)


__all__ = ["Jitted", "jit"]
