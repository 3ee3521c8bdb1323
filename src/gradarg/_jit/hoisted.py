"""Products that need not wait for the steps of a scan: one large product for all of them.

x @ w of a slice and a constant is computed before the loop; a sum over the steps of a.T @ g, or of
the rows of g, after it. What is left of a recurrent network's step mixes no rows.
"""

from __future__ import annotations

from typing import Any

from .._core.stage import Equation, Var
from .._core.trace import ShapeDtype
from .._ops import contract, elementwise, structure
from .._transform.body import Body, flattened
from .._transform.graph import Graph
from .._transform.loops import SCAN
from .passes import optimised, rebuilt


def hoisted(graph: Graph) -> Graph:
    """The graph with such products outside of its scans."""
    if not any(e.primitive is SCAN for e in graph.equations):
        return graph
    made: list[Equation] = []
    for e in graph.equations:
        made += _Scan(e).equations() if e.primitive is SCAN and e.params["length"] else [e]
    return rebuilt(graph, made, graph.outputs)


class _Scan:
    """A scan that is being taken apart."""

    def __init__(self, equation: Equation) -> None:
        self.equation, params = equation, equation.params
        self.length, self.carries = params["length"], params["carries"]
        body = optimised(params["body"].graph)
        end = params["consts"] + self.carries
        self.outer = dict(zip(body.inputs, equation.inputs))
        self.consts, self.xs = list(body.inputs[: params["consts"]]), list(body.inputs[end:])
        self.carried = list(body.inputs[params["consts"] : end])
        self.body, self.kept = body, list(body.equations)
        self.made = {o: e for e in body.equations for o in e.outs}
        self.before: list[Equation] = []
        self.after: list[Equation] = []
        self.ys: list[tuple[Any, Var]] = []  # of the body, and outside
        self.ends: list[tuple[Var, Any, Var]] = []  # carried, its new value, the last outside

    def equations(self) -> list[Equation]:
        for e in self.body.equations:
            self._ahead(e)
        outs = self.equation.outs
        self.ys = list(zip(self.body.outputs[self.carries :], outs[self.carries :]))
        for v, o, out in zip(self.carried, self.body.outputs, outs):
            if not self._behind(v, o, out):
                self.ends.append((v, o, out))
        if not (self.before or self.after):
            return [self.equation]
        outputs = [*(o for _, o, _ in self.ends), *(y for y, _ in self.ys)]
        needed = {i for i in outputs if isinstance(i, Var)}
        live = []
        for e in reversed(self.kept):
            if any(o in needed for o in e.outs):
                live.append(e)
                needed.update(i for i in e.inputs if isinstance(i, Var))
        consts = [v for v in self.consts if v in needed]
        xs = [v for v in self.xs if v in needed]
        inputs = [*consts, *(v for v, _, _ in self.ends), *xs]
        body = Body(flattened(self.body, inputs, outputs, live[::-1]))
        params = {**self.equation.params, "body": body, "consts": len(consts),
                  "carries": len(self.ends)}  # fmt: skip
        outs = (*(o for _, _, o in self.ends), *(y for _, y in self.ys))
        given = tuple(self.outer[v] for v in inputs)
        return [*self.before, Equation(outs, SCAN, given, params), *self.after]

    # ---- outside

    def _do(
        self, into: list[Equation], primitive: Any, *args: Any, like: Any, **params: Any
    ) -> Var:
        shape, dtype = like
        out = Var(ShapeDtype(shape, dtype))
        into.append(Equation((out,), primitive, args, params))
        return out

    def _ahead(self, e: Equation) -> None:
        """x @ w, or x @ w.T, of a slice of xs and a constant."""
        if e.primitive is not contract.matmul or not _is_in(e.inputs[0], self.xs):
            return
        x, w = e.inputs
        turned = self.made.get(w) if isinstance(w, Var) else None
        base = turned.inputs[0] if turned and turned.primitive is structure.transpose else w
        if not _is_in(base, self.consts) or x.type.ndim != 2 or w.type.ndim != 2:
            return
        rows, columns, dtype = x.type.shape[0], w.type.shape[1], e.outs[0].type.dtype
        factor = self.outer[base]
        if base is not w:
            factor = self._do(self.before, structure.transpose, factor,
                              like=(w.type.shape, w.type.dtype), axes=(1, 0))  # fmt: skip
        flat = self._flat(self.before, self.outer[x], x)
        whole = self._do(self.before, contract.matmul, flat, factor,
                         like=((self.length * rows, columns), dtype))  # fmt: skip
        shape = (self.length, rows, columns)
        stacked = self._do(self.before, structure.reshape, whole, like=(shape, dtype), shape=shape)
        self.kept = [k for k in self.kept if k is not e]
        self.xs.append(e.outs[0])
        self.outer[e.outs[0]] = stacked

    def _flat(self, into: list[Equation], stacked: Any, x: Var) -> Var:
        """All rows of all steps."""
        shape = (self.length * x.type.shape[0], *x.type.shape[1:])
        like = shape, x.type.dtype
        return self._do(into, structure.reshape, stacked, like=like, shape=shape)

    def _stacked(self, x: Var) -> Any:
        """A value of all steps, outside."""
        if x in self.xs:
            return self.outer[x]
        for y, out in self.ys:
            if y is x:
                return out
        out = Var(ShapeDtype((self.length, *x.type.shape), x.type.dtype))
        self.ys.append((x, out))
        return out

    def _behind(self, v: Var, o: Any, out: Var) -> bool:
        """A carry to which each step adds a product a.T @ g, or the sum of rows, and no more."""
        e = self.made.get(o) if isinstance(o, Var) else None
        uses = [k for k in self.body.equations if _is_in(v, k.inputs)]
        if (
            e is None
            or e.primitive is not elementwise.add
            or len(uses) != 1
            or uses[0] is not e
            or v.type != o.type
        ):
            return False
        if sum(x is v or x is o for x in self.body.outputs) != 1:
            return False
        if any(_is_in(o, k.inputs) for k in self.body.equations) or not v.type.ndim:
            return False
        (term,) = [i for i in e.inputs if i is not v] or [None]
        of = self.made.get(term) if isinstance(term, Var) else None
        if of is not None and of.primitive is structure.reshape:
            of = self.made.get(of.inputs[0])
        like = v.type.shape, v.type.dtype
        if of is None or of.outs[0].type != v.type:
            return False
        if of.primitive is structure.sum and of.params == {"axis": (0,)}:
            (g,) = of.inputs
            if not isinstance(g, Var) or g in self.consts:
                return False
            total = self._do(self.after, structure.sum, self._flat(self.after, self._stacked(g), g),
                             like=like, axis=(0,))  # fmt: skip
        elif of.primitive is contract.matmul:
            turned, g = self.made.get(of.inputs[0]), of.inputs[1]
            if turned is None or turned.primitive is not structure.transpose:
                return False
            (a,) = turned.inputs
            if any(not isinstance(x, Var) or x.type.ndim != 2 or x in self.consts for x in (a, g)):
                return False
            left, right = (self._flat(self.after, self._stacked(x), x) for x in (a, g))
            shape = left.type.shape[::-1]
            left = self._do(self.after, structure.transpose, left, like=(shape, a.type.dtype),
                            axes=(1, 0))  # fmt: skip
            total = self._do(self.after, contract.matmul, left, right, like=like)
        else:
            return False
        start = self.outer[v]
        self.after.append(Equation((out,), elementwise.add, (start, total), {}))
        return True


def _is_in(x: Any, values: Any) -> bool:
    return any(x is v for v in values)
