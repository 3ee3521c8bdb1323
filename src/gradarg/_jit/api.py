"""`jit`: a function staged once for each kind of argument, and run as generated code."""

from __future__ import annotations

import functools
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from .._core import tree
from .._core.errors import DerivativeError, GradargWarning
from .._core.primitive import Primitive, varies
from .._core.stage import Stage, Var
from .._core.tape import EAGER, Joint
from .._core.trace import Box, ShapeDtype, bare, bind, describe, no_grad, shape_dtype
from .._namespace import views
from .._transform.arguments import numeric, owned
from .._transform.batch import vmap
from .._transform.drawn import baked
from .._transform.forward import jvp
from .._transform.graph import Graph, stage
from .._transform.reverse import vjp
from . import backends, fast, steps
from .buffers import forget
from .cost import Cost, cost
from .draws import Draw
from .opened import Elsewhere, Opened, Write, apart, put_back
from .program import Program
from .staging import Staging

_KEPT = 128  # programs of one function; the longest unused goes first
_LEARNT = 100  # shortcuts that are made for one program, one after the other
_SHORTCUTS = 4  # kinds of arguments that are looked for before the walk over them
_OFTEN = 12  # compilations after which a warning says what changes

ArgNums = int | Sequence[int]


class Entry:
    """A function compiled for arguments of one kind: a graph, a program and their types."""

    def __init__(self, graph: Graph, backend: backends.Choice, result: tree.Structure) -> None:
        self.graph, self.backend, self.result = graph, backend, result
        # of each leaf of the result its output, or -1 - n: the argument n as it came
        self.returned = list(range(len(graph.outputs)))
        self.count = len(graph.outputs)  # how many outputs are part of the result
        self.writes: list[Write] = []  # where the outputs after those of the result go
        self.draws: list[Draw] = []
        self.grads: list[int] = []  # the tensors whose grad is an argument too
        self.reads_grads = False
        self.there: tuple[bool, ...] = ()  # which tensors have a grad, if it reads any
        self.learnt = 0  # how many shortcuts have been made for it
        self.closed = False  # whether all derivatives are taken inside
        self.donated: tuple[int, ...] = ()  # the inputs whose memory a run may write to
        self.replaced: list[
            tuple[int, int]
        ] = []  # inputs that outputs replace, if nobody holds them
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
    def in_place(self) -> Program:
        """The same, which may write to the memory of the donated inputs: not under a derivative."""
        if not self.donated:
            return self.program
        return Program(self.graph, backends.runner(self.backend), self.donated)

    @functools.cached_property
    def replacing(self) -> Program:
        """The same, which writes the outputs that replace inputs to the memory of these."""
        if not self.replaced:
            return self.in_place
        return Program(self.graph, backends.runner(self.backend), self.donated, self.replaced)

    @functools.cached_property
    def constants(self) -> list[Any]:
        graph = self.in_place.graph
        inputs = [i for e in graph.equations for i in e.inputs]
        return [x for x in (*graph.outputs, *inputs) if isinstance(x, np.ndarray)]

    def __call__(self, opened: Opened) -> Any:
        """A run on the parts of its arguments: the result; what was written is put back."""
        arrays = list(opened.inputs)
        arrays += [opened.tensors[n][0]._node.grad for n in self.grads]
        arrays += [draw.of(opened.generator(draw.generator)) for draw in self.draws]
        plain = [a._inner if isinstance(a, Box) else a for a in arrays]
        if not self.closed and any(isinstance(a, Box) and a._node is not None for a in arrays):
            outs = list(bind(self.primitive, arrays))
            found = [o._inner for o in outs]
        else:
            found = list(self.in_place.run(*plain))
            forget(*(found[n] for _, n in self.replaced))
            if self.donated:
                arrays = [a for k, a in enumerate(arrays) if k not in self.donated]
                plain = [a for k, a in enumerate(plain) if k not in self.donated]
            outs = owned(found[: self.count], arrays, self.constants)
        if self.writes:
            others = [*plain, *self.constants, *(bare(o) for o in outs[: self.count])]
            put_back(opened, self.writes, apart(found[self.count :], others))
        leaves = [outs[r] if r >= 0 else opened.holders[-1 - r] for r in self.returned]
        return self.result.unflatten(leaves)

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
        backend: str | backends.Choice = "auto",
    ) -> None:
        functools.update_wrapper(self, f, updated=())
        self._f, self._backend = f, backends.checked(backend)
        self._static = _numbers(static_argnums)
        self._donated = _numbers(donate_argnums)
        self._entries: OrderedDict[Any, Entry | None] = OrderedDict()
        self._count, self._warned = 0, False
        self._shortcuts: tuple[Callable[[tuple[Any, ...]], Any], ...] = ()  # the latest first

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not kwargs:
            for shortcut in self._shortcuts:
                result = shortcut(args)
                if result is not fast.MISS:
                    return result
        return self._called(args, kwargs)

    def _called(self, args: Any, kwargs: Any) -> Any:
        entry, given = self._entry(args, kwargs)
        if isinstance(given, Opened):
            result = entry(given)
            if not kwargs:
                self._learn(args, entry, given)
            return result
        outs = bind(entry.primitive, given)
        for write, out in zip(entry.writes, outs[entry.count :]):
            views.store(given[write.number], out, "A write inside ga.jit")
        return entry.result.unflatten(outs[: entry.count])

    def _learn(self, args: Any, entry: Entry, opened: Opened) -> None:
        """Find the next call of this kind sooner."""
        if entry.learnt >= _LEARNT:
            return
        entry.learnt += 1
        made = None
        if opened.objects or opened.modes or opened.tensors:
            made = None if self._static else steps.shortcut(entry, opened, args)
        elif not (entry.writes or entry.draws) and entry.returned == list(range(entry.count)):
            program = entry.in_place
            if program.fresh or not entry.donated:
                made = fast.shortcut(args, self._static, program, entry.result, entry.constants)
        if made is None:
            entry.learnt = _LEARNT
        else:
            self._shortcuts = (made, *self._shortcuts[: _SHORTCUTS - 1])

    def _entry(self, args: Any, kwargs: Any) -> tuple[Entry, Any]:
        """The program for these arguments, and what it is given."""
        static = tuple((i, args[i]) for i in self._static if i < len(args))
        moving = [None if i in self._static else a for i, a in enumerate(args)]
        where = f"ga.jit({describe(self._f)})"
        leaves, structure = tree.flatten((moving, kwargs), _whole)
        try:
            opened = Opened(leaves, where)
        except Elsewhere:
            return self._entry_elsewhere(args, (moving, kwargs), static, where)
        key: tuple[Any, ...] = (structure, tuple(opened.key), _hashable(static, where))
        found = self._entries.get(key, self)
        if found is None:  # it asks for grads: whether there are any is part of the key
            key = (*key, opened.grads())
            found = self._entries.get(key, self)
        if isinstance(found, Jitted):
            self._say_if_often(key)
            found = self._staged(opened, leaves, structure, args)
            found.donated = self._donated_inputs(opened, args)
            if found.reads_grads and len(key) == 3:
                self._entries[key] = None
                key = (*key, opened.grads())
            self._keep(key, found)
        assert found is not None
        self._entries.move_to_end(key)
        return found, opened

    def _donated_inputs(self, opened: Opened, args: Any) -> tuple[int, ...]:
        """Which inputs are the arrays of donated arguments, each passed once."""
        ids = {id(x) for i in self._donated if i < len(args) for x in tree.flatten(args[i])[0]}
        given = [id(x) for x in opened.inputs]
        return tuple(
            k
            for k, x in enumerate(opened.inputs)
            if x.__class__ is np.ndarray and id(x) in ids and given.count(id(x)) == 1
        )

    def _keep(self, key: Any, entry: Entry) -> None:
        self._entries[key] = entry
        if len(self._entries) > _KEPT:
            self._entries.popitem(last=False)

    def _given(self, moving: Sequence[Any], args: Sequence[Any]) -> list[Any]:
        """All positional arguments, the static ones in their places."""
        return [args[i] if i in self._static else a for i, a in enumerate(moving)]

    def _staged(self, opened: Opened, leaves: Any, structure: Any, args: Any) -> Entry:
        """The function staged with all that it writes: see `opened`."""
        name = f"ga.jit({describe(self._f)})"
        with (
            _STAGING,
            Stage("jit", self._f) as trace,
            Staging(opened, self._f, trace) as staging,
            baked(self._f, name + _BAKED),
        ):
            with nullcontext() if EAGER.recording else no_grad():
                moving, named = structure.unflatten(leaves)
                out = self._f(*self._given(moving, args), **named)
            results, result = tree.flatten(out, opened.holds)
            outputs: list[Any] = []
            returned: list[int] = []
            alive = False
            for leaf in results:
                if opened.holds(leaf):
                    returned.append(-1 - opened.number_of(leaf))
                    continue
                value, lives = staging.output(leaf)
                alive = alive or lives
                returned.append(len(outputs))
                outputs.append(numeric(value, name))
            count = len(outputs)
            writes, values = staging.writes()
            outputs = [_mark(trace, o) for o in (*outputs, *values)]
        inputs = [*staging.inputs, *staging.tape.grad_vars, *staging.draw_vars]
        graph = Graph(_name(self._f), inputs, trace.equations, outputs, tree.LEAF, tree.LEAF)
        entry = Entry(graph, self._backend, result)
        entry.returned, entry.count = returned, count
        entry.writes, entry.draws = writes, staging.draws
        entry.reads_grads = bool(staging.tape.grads_read)
        entry.grads = staging.tape.grads_given
        entry.there = opened.grads() if entry.reads_grads else ()
        changed = any(w.kind in ("tensor", "grad", "no grad") for w in writes)
        if alive and changed:
            raise DerivativeError(
                f"{staging.tape} changes parameters or their grads, and returns a value of which "
                "backward() could still be called: of which parameters would not be clear. Return "
                "t.detach(), or call backward() outside of the jitted function."
            )
        entry.closed = not alive
        entry.replaced = opened.replaced(writes, count)
        return entry

    def _entry_elsewhere(
        self, args: Any, movable: Any, static: Any, where: str
    ) -> tuple[Entry, list[Any]]:
        """The same where arguments belong to another transform, which must see an operation."""
        leaves, structure = tree.flatten(movable)
        places = [i for i, x in enumerate(leaves) if isinstance(x, _ARRAYS)]
        width = _float_of(leaves[i] for i in places)
        arrays = [
            width(leaves[i]) if type(leaves[i]) is float else numeric(leaves[i], where)
            for i in places
        ]
        fixed = tuple(x for x in leaves if not isinstance(x, _ARRAYS))
        types = tuple((tuple(a.shape), a.dtype) for a in arrays)
        key = (structure, types, _hashable(fixed, where), _hashable(static, where), "elsewhere")
        found = self._entries.get(key)
        if found is None:
            self._say_if_often(key)
            found = self._made(leaves, structure, places, args, types)
            self._keep(key, found)
        self._entries.move_to_end(key)
        return found, arrays

    def _made(self, leaves: Any, structure: Any, places: Any, args: Any, types: Any) -> Entry:
        results: list[tuple[int, tree.Structure]] = []
        written: list[Write] = []

        def on_arrays(*arrays: Any) -> Any:
            marks = [a._node for a in arrays]
            given = list(leaves)
            for i, a in zip(places, arrays):
                given[i] = a
            moving, named = structure.unflatten(given)
            outs, result = tree.flatten(self._f(*self._given(moving, args), **named))
            results.append((len(outs), result))
            changed = [n for n, (a, m) in enumerate(zip(arrays, marks)) if a._node is not m]
            written.extend(Write("into", n) for n in changed)
            return (*outs, *(arrays[n] for n in changed))

        on_arrays.__name__ = _name(self._f)
        with _STAGING, baked(self._f, f"ga.jit({describe(self._f)}){_BAKED}"):
            graph = stage(on_arrays, *(ShapeDtype(*t) for t in types))
        (count, result), *_ = results
        entry = Entry(graph, self._backend, result)
        entry.count, entry.writes = count, written
        return entry

    def _say_if_often(self, key: Any) -> None:
        self._count += 1
        if self._count <= _OFTEN or self._warned:
            return
        self._warned = True
        last = next(reversed(self._entries))
        names = ("the structure", "shapes, dtypes or values that are no arrays", "a static value")
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
        program = self._entry(args, kwargs)[0].replacing
        operations = (f"{name}: {made}" for name, made in program.operations.items())
        return "\n\n".join([program.source, *map(str, program.kernels), *operations])

    def cost(self, *args: Any, **kwargs: Any) -> Cost:
        """Operations, bytes moved, peak memory, and the least time this machine takes for them."""
        return cost(self._entry(args, kwargs)[0].in_place)

    def explain(self, *args: Any, **kwargs: Any) -> str:
        """Which operations went into which kernel, and why others did not join them."""
        program = self._entry(args, kwargs)[0].in_place
        lines = [
            f"{k.name}: {', '.join(v.op for v in k.values if v.op not in ('input', 'number'))}"
            for k in program.kernels
        ]
        lines += [f"{name}: {made.spec}" for name, made in program.operations.items()]
        return "\n".join([*lines, *dict.fromkeys(program.reasons)])


_ARRAYS = (Box, np.ndarray, np.generic, float)
_BAKED = (
    " draws from {}, which it was not passed: the numbers would be the same in each call. Pass the "
    "generator as an argument, or draw from ga.random.generator()."
)
_STAGING = threading.RLock()  # the parts of arguments are staged values meanwhile


def _whole(value: Any) -> bool:
    """Whether an object is passed as it is, and says itself what it holds."""
    return hasattr(type(value), "__jit__")


def _name(f: Any) -> str:
    return getattr(f, "__name__", type(f).__name__)


def _mark(trace: Stage, value: Any) -> Any:
    return value._node if trace.owns(value) else value


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
    winograd: int = 2,
) -> Any:
    """f, compiled: staged once for each structure, shapes and dtypes of its arguments.

    The operations are simplified and fused into loops; with `pip install gradarg[jit]` these are
    machine code, vectorised and threaded. The arguments of `static_argnums`, and all that are
    neither arrays nor floats (integers, text), are part of the program, which is made anew where
    they change. Inside, values are not known: a branch on one raises. Results are those of f up to
    rounding: sums are added up in another order, and exp, log and the like are within 2 units in
    the last place of float32, 4 of float64.

    Arrays among the arguments of `donate_argnums` are given away: a result of the same shape and
    dtype may be written where they lie, which saves memory. Do not use them afterwards.

    `backend` is "llvm", "numpy", or "auto": the first that is installed.

    In float32, `ga.conv` with windows of 3 x 3 and a stride of 1, from and to at least 16 channels,
    sums by Winograd's F(2 x 2, 3 x 3) where the result is even in size, and so do its gradients. It
    takes half the time, and is no less exact: of 64 channels of normal numbers the root mean square
    of the error is 2.7e-7 of the result's, that of the direct sum 4.2e-7. But an infinity makes NaN
    of the results beside those that it reaches. `winograd=0` sums directly; `winograd=4` has tiles
    of 4 x 4 where these fit: faster again, with an error of 1.7e-6 (at worst 3.3e-5, where the
    others have 2e-6 and 4e-6).

    >>> import gradarg as ga, numpy as np
    >>> f = ga.jit(lambda x: np.sum(np.tanh(x) * x))
    >>> print(f"{f(np.array([0.5, -1.0, 2.0])):.6f}")
    2.920708
    >>> ga.grad(f)(np.array([0.5, -1.0, 2.0])).round(4)
    array([ 0.8553, -1.1816,  1.1053])
    """
    if f is None:
        return functools.partial(
            jit,
            static_argnums=static_argnums,
            donate_argnums=donate_argnums,
            backend=backend,
            winograd=winograd,
        )
    return Jitted(f, static_argnums, donate_argnums, backends.Choice(backend, winograd))


__all__ = ["Jitted", "jit"]
