"""Which operations run together: the equations of a graph in groups, each one kernel.

An operation joins the group of its latest operand that it fits, unless something outside the group
would then have to run both before and after it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .._core.stage import Equation, Var
from .._ops import contract, structure
from .._transform.graph import Graph
from .group import (
    ELEMENTWISE,
    FLOATS,
    REDUCES,
    Group,
    Limits,
    Supported,
    can_fuse,
    is_of_labels,
    is_run,
    multiplies,
)
from .kernel import ROW_REDUCTIONS, Refused
from .passes import type_of

SMALL = 64  # elements: of so few, a single operation costs NumPy no more than a kernel


@dataclass
class Plan:
    """The groups and the single equations of a graph, in an order in which they can run."""

    steps: list[Any]  # Equation, or (Kernel, sources, stored variables, Group)
    reasons: list[str]


def _elements(equation: Equation) -> int:
    """How many elements an operation reads and makes."""
    arrays = (i for i in equation.inputs if not isinstance(i, bool | int | float))
    return int(equation.outs[0].type.size + sum(type_of(i).size for i in arrays))


def planned(
    graph: Graph,
    supported: Supported,
    limits: Limits,
    share: float = 1.0,
    wider: Wider | None = None,
) -> Plan:
    """The equations of a graph in groups, but for those of no more elements than a share of SMALL.

    A backend supports elementwise operations by name, some of them for arguments up to a size.
    """
    planning = _Planning(graph, supported, limits, wider)
    for equation in graph.equations:
        fits = can_fuse(equation, supported) or (wider and multiplies(equation) is not None)
        if fits and _elements(equation) > share * SMALL:
            group = planning.chosen(equation)
            if group is not None:
                planning.of[equation.outs[0]] = group
                continue
        planning.order.append(equation)
        planning.of.update((o, equation) for o in equation.outs)
    planning.turn()
    return Plan(planning.sorted(), planning.reasons)


@dataclass
class Wider:
    """Groups that take what rows and columns do not, where a backend runs them."""

    group: Callable[..., Any]
    is_view: Callable[[Equation], bool]


class _Planning:
    """The groups so far."""

    def __init__(
        self, graph: Graph, supported: Supported, limits: Limits, wider: Wider | None
    ) -> None:
        self.graph, self.supported, self.limits, self.wider = graph, supported, limits, wider
        self.groups: list[Group] = []
        self.of: dict[Var, Any] = {}  # the group or equation that makes a variable
        self.reasons: list[str] = []
        self.order: list[Any] = []
        self.views: dict[int, bool] = {}  # of equations, by id
        self.users: dict[Var, list[Equation]] = {}
        for equation in graph.equations if wider else ():
            for i in equation.inputs:
                if isinstance(i, Var):
                    self.users.setdefault(i, []).append(equation)

    def chosen(self, equation: Equation) -> Group | None:
        """The group that an operation joins, an old one or a new; None where it runs by itself."""
        views = self.seen_through(equation)
        near = [self.of.get(i) for e in (equation, *views) for i in e.inputs if isinstance(i, Var)]
        known = {i for i in equation.inputs if isinstance(i, Var)}
        near += [g for g in self.groups if not g.general and not known.isdisjoint(g.absorbed)]
        candidates = list(dict.fromkeys(g for g in near if isinstance(g, Group)))
        reduces = id(equation.primitive) in REDUCES or equation.primitive is structure.gather
        type = type_of(equation.inputs[0]) if reduces else equation.outs[0].type
        if equation.primitive is contract.matmul:
            type = type_of(multiplies(equation))
        shape = tuple(type.shape)
        made = list(candidates)
        candidates += [g for g in self.groups[-3:] if g.holds(shape) and g not in candidates]
        first = self.wider is not None and (
            any(self.scattered(v) for v in views) or self.comes_back(equation)
        )
        # what makes an operand comes first, where it takes operations of any shape
        for group in sorted(candidates, key=lambda g: (g.general and g in made, g.number))[::-1]:
            joined = self.joined(group, equation, views, first)
            if joined is not None:
                return joined
        alone = (structure.reshape, structure.broadcast_to, structure.place)
        if equation.primitive in alone:
            return None
        types = [equation.outs[0].type, *map(type_of, equation.inputs)]
        floats = [t.dtype for t in types if t.dtype in FLOATS]
        if not floats:
            return None
        group = Group(len(self.groups), shape, floats[0], self.supported, self.limits)
        self.groups.append(group)
        self.order.append(group)
        joined = self.joined(group, equation, views, first)
        if joined is None:
            self.groups.pop()
            self.order.pop()
        return joined

    def joined(
        self, group: Group, equation: Equation, views: list[Equation], first: bool
    ) -> Group | None:
        """The group, or a wider one in its place, with an operation taken in; else None."""
        general = group.general
        view = self.is_view(equation)  # taken in later, with what uses it
        labels = [] if general else self.labels(equation)
        narrow = [(False, labels), (False, [])] if labels else [(False, [])]
        wide_one = [] if view else [(True, views)]
        ways = wide_one if general else wide_one + narrow if first else narrow + wide_one
        for wide, before in ways:
            taken = [e for e in before if e.outs[0] not in group.made]
            new = {v.outs[0] for v in taken}
            if any(
                _depends(self.of.get(i), group, self.of, set())
                for e in (*taken, equation)
                for i in e.inputs
                if isinstance(i, Var) and self.of.get(i) is not group and i not in new
            ):
                self.refuse(equation, group, "something between needs it")
                continue
            if wide and (self.wider is None or not (general or self.widens(group, equation))):
                continue
            try:
                if not wide:
                    group.join_all([*taken, equation], len(taken))
                    return group
                target: Any = group
                own = [e for e in group.equations if e.outs[0] not in group.absorbed]
                if not general:
                    target = self.wider.group(  # type: ignore[union-attr]
                        group.number, group.shape, group.float, self.supported, self.limits
                    )
                    target.join_all(own, 0)
                target.join_all([*taken, equation], len(taken))
            except Refused as reason:
                if wide or not taken:  # else it is tried without them
                    self.refuse(equation, group, str(reason))
                continue
            if target is not group:
                self.groups[self.groups.index(group)] = target
                self.order[self.order.index(group)] = target
                self.of.update(dict.fromkeys((e.outs[0] for e in own), target))
            joined: Group = target
            return joined
        return None

    def refuse(self, equation: Equation, group: Group, reason: str) -> None:
        name = equation.primitive.name
        if group.equations:
            self.reasons.append(f"{name} is not in k{group.number}: {reason}")
        else:
            self.reasons.append(f"{name} is by itself: {reason}")

    # ---- what a wider group takes

    def widens(self, group: Group, equation: Equation) -> bool:
        """Whether a kernel of rows and columns may become a wider one for an operation."""
        rows = any(v.op in ROW_REDUCTIONS for v in group.values)
        if rows and math.prod(group.shape[group.cut or 0 :]) > _SHORT:
            return False  # what it is best at
        size = max(type_of(i).size for i in (*equation.inputs, equation.outs[0]))
        return not group.equations or (size * _SHORT >= group.size and not group.ragged)

    def is_view(self, equation: Equation) -> bool:
        if id(equation) not in self.views:
            self.views[id(equation)] = self.wider is not None and self.wider.is_view(equation)
        return self.views[id(equation)]

    def seen_through(self, equation: Equation) -> list[Equation]:
        """The views that an operation uses and that run by themselves, in order."""
        return self.before(equation, self.is_view)

    def labels(self, equation: Equation) -> list[Equation]:
        """The same of operations on integers."""
        return self.before(equation, is_of_labels) if self.supported("outside") else []

    def before(self, equation: Equation, kind: Callable[[Equation], bool]) -> list[Equation]:
        found: dict[int, Equation] = {}

        def follow(e: Equation) -> None:
            for i in e.inputs:
                maker = self.of.get(i) if isinstance(i, Var) else None
                if isinstance(maker, Equation) and id(maker) not in found and kind(maker):
                    follow(maker)
                    found[id(maker)] = maker

        follow(equation)
        return list(found.values())

    def scattered(self, view: Equation) -> bool:
        """Whether NumPy would have to copy for a kernel to read it."""
        x, out = type_of(view.inputs[0]), view.outs[0].type
        if view.primitive is structure.getitem:
            turned = any(isinstance(i, slice) and (i.step or 1) < 0 for i in view.params["index"])
            return turned or (bool(x.size != out.size) and not is_run(view))
        return view.primitive is not structure.reshape

    def comes_back(self, equation: Equation) -> bool:
        """Whether what a reduction over leading axes gives meets what it reduced."""
        if id(equation.primitive) not in REDUCES:
            return False
        whole, out = type_of(equation.inputs[0]), equation.outs[0]
        axis = equation.params["axis"]
        if axis and axis == tuple(range(whole.ndim - len(axis), whole.ndim)):
            return False
        left = [out]
        seen: set[int] = set()
        while left:
            var = left.pop()
            for user in self.users.get(var, ()):
                new = user.outs[0]
                if new.type.size >= whole.size and id(user.primitive) in ELEMENTWISE:
                    return True
                small = id(user.primitive) in ELEMENTWISE or self.is_view(user)
                if small and id(user) not in seen and len(seen) < _FAR:
                    seen.add(id(user))
                    left.append(new)
        return False

    # ---- the steps

    def turn(self) -> None:
        """Let groups store as transposed what nobody needs but an output that is its transpose."""
        outputs = {o for o in self.graph.outputs if isinstance(o, Var)}
        for equation in self.graph.equations:
            out = equation.outs[0]
            if equation.primitive is not structure.transpose or out not in outputs:
                continue
            (x,) = equation.inputs
            group = self.of.get(x) if isinstance(x, Var) else None
            alone = x not in outputs and len(self.users.get(x, ())) == 1
            if not (alone and isinstance(group, Group) and group.general):
                continue
            try:
                group.join(equation)
            except Refused:
                continue
            self.of[out] = group
            self.order = [s for s in self.order if s is not equation]

    def sorted(self) -> list[Any]:
        """Steps after those that they need, without views that nobody needs any more."""
        live: set[int] = set()
        needed = {o for o in self.graph.outputs if isinstance(o, Var)}
        left = list(needed)
        while left:
            step = self.of.get(left.pop())
            if step is None or id(step) in live:
                continue
            live.add(id(step))
            new = [i for i in _inputs(step) if isinstance(i, Var)]
            needed.update(new)
            left += new
        done: set[int] = set()
        steps: list[Any] = []

        def visit(step: Any) -> None:
            if id(step) in done:
                return
            done.add(id(step))
            for i in _inputs(step):
                maker = self.of.get(i) if isinstance(i, Var) else None
                if maker is not None and maker is not step:
                    visit(maker)
            if isinstance(step, Group) and _alone(step.equations):
                steps.extend(step.equations)
            elif isinstance(step, Group):
                try:
                    kernel, stored = step.finish(needed)
                except Refused as reason:
                    self.reasons.append(f"k{step.number} is no kernel: {reason}")
                    steps.extend(step.equations)
                else:
                    steps.append((kernel, step.sources, stored, step))
            else:
                steps.append(step)

        for step in self.order:
            if id(step) in live:
                visit(step)
        return steps


_SHORT = 8
_MATRIX = 1 << 21  # elements: one that fits the cache, BLAS multiplies by a vector as fast
_FAR = 64  # operations that are looked at


def _alone(equations: list[Equation]) -> bool:
    """Whether a group is one operation that needs no kernel, seen from several shapes."""
    first, *others = equations
    if any(e.primitive is not structure.reshape for e in others):
        return False
    if first.primitive is contract.matmul:
        return _elements(first) < _MATRIX
    return not others and _elements(first) <= SMALL


def _inputs(step: Any) -> Any:
    return step.sources if isinstance(step, Group) else step.inputs


def _depends(maker: Any, group: Group, of: dict[Var, Any], seen: set[int]) -> bool:
    """Whether what makes a variable needs, by any way, a result of the group."""
    if maker is None or id(maker) in seen:
        return False
    if maker is group:
        return True
    seen.add(id(maker))
    return any(_depends(of.get(i), group, of, seen) for i in _inputs(maker) if isinstance(i, Var))
