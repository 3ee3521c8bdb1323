"""`Optimizer`: a formula with a state of its own, which changes parameters in place of the user."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import is_
from typing import Any, ClassVar

import numpy as np

import gradarg as ga

from .rule import Method

__all__ = ["Optimizer"]

# A formula makes a dozen passes over its arrays. Done block by block, all but the first find them
# in the cache.
_BLOCK = 1 << 15


class _State:
    """What is kept for one parameter: the number of its steps, and buffers of its shape."""

    __slots__ = ("buffers", "count", "passes")

    def __init__(self, count: int, buffers: list[np.ndarray[Any, Any]]) -> None:
        self.count, self.buffers = count, buffers
        self.passes = 0  # the backward passes in the gradient of the last step


class Optimizer:
    """The base of `SGD` and `Adam`, with PyTorch's interface.

    `params` is an iterable of tensors, such as `model.parameters()`, or of dicts
    `{"params": tensors, "lr": 0.1, ...}`, whose options replace the optimiser's. `param_groups`
    lists the groups as dicts; an option changed there counts from the next step.

    A subclass has a `method`, a `gradarg.optim.rule.Method`, and hands its options to `__init__`.

    >>> from gradarg.optim import SGD
    >>> w = ga.Tensor([4.0], requires_grad=True)
    >>> optimizer = SGD([w], lr=0.1)
    >>> for group in optimizer.param_groups:
    ...     group["lr"] = 0.25
    >>> optimizer
    SGD(1 parameter, lr=0.25, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False)
    """

    method: ClassVar[Method]
    _staged = False  # while ga.jit stages a function that it was passed to

    def __init__(self, params: Iterable[Any], **options: Any) -> None:
        self._name = type(self).__name__
        defaults = self._checked(options)
        self.param_groups: list[dict[str, Any]] = []
        self._states: dict[int, _State] = {}  # by the parameter's place
        self._warned: set[str] = set()
        for group in self._grouped(params):
            unknown = group.keys() - defaults.keys() - {"params"}
            if unknown:
                raise TypeError(
                    f"{self._name}: a group has the unknown options {sorted(map(str, unknown))}; "
                    f"there are {', '.join(defaults)}."
                )
            own = {k: v for k, v in group.items() if k != "params"}
            self.param_groups.append({"params": group["params"], **self._checked(defaults | own)})
        self._check_params()

    def _checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        for name, value in options.items():
            if isinstance(value, ga.Tensor) and not self._staged:
                raise TypeError(
                    f"{self._name}: {name} is a tensor, and step() would lose the derivative with "
                    "respect to it. Pass a number, or use the pure form, a Rule such as optim.sgd."
                )
        try:
            return self.method.check(**options)
        except ValueError as error:
            raise ValueError(f"{self._name}: {error}") from None

    def _grouped(self, params: Iterable[Any]) -> list[dict[str, Any]]:
        """The groups, each with a list of its tensors."""
        if isinstance(params, ga.Tensor) or not isinstance(params, Iterable):
            raise TypeError(
                f"{self._name}: params is an iterable of tensors, such as model.parameters() or "
                f"[w, b], not {type(params).__name__}."
            )
        given = list(params)
        if not given:
            raise ValueError(f"{self._name}: there are no parameters (params is empty).")
        if not any(isinstance(item, Mapping) for item in given):
            return [{"params": given}]
        groups = []
        for item in given:
            if not (isinstance(item, Mapping) and "params" in item):
                raise TypeError(
                    f"{self._name}: params holds tensors, or dicts {{'params': [...]}} for groups, "
                    f"not {type(item).__name__} among dicts."
                )
            tensors = item["params"]
            one = isinstance(tensors, ga.Tensor)
            groups.append({**item, "params": [tensors] if one else list(tensors)})
        return groups

    def _check_params(self) -> None:
        seen: set[int] = set()
        for i, p in enumerate(self._params()):
            what = f"{self._name}: parameter {i}"
            if not isinstance(p, ga.Tensor):
                raise TypeError(
                    f"{what} is {type(p).__name__}, not a tensor. Parameters are tensors made with "
                    "requires_grad=True, such as model.parameters() gives."
                )
            if not p.is_leaf:
                raise ValueError(
                    f"{what} was computed from others, so it cannot be changed. Pass the tensors "
                    "that it was computed from."
                )
            if p.dtype.kind != "f":
                raise TypeError(f"{what} is of {p.dtype}; an optimiser takes real floats.")
            if id(p) in seen:
                raise ValueError(f"{what}, of shape {p.shape}, was given twice.")
            seen.add(id(p))

    def _params(self) -> list[Any]:
        return [p for group in self.param_groups for p in group["params"]]

    def zero_grad(self) -> None:
        """Forget the gradients: `.grad` of every parameter becomes None.

        >>> from gradarg.optim import SGD
        >>> w = ga.Tensor([4.0], requires_grad=True)
        >>> np.sum(w * w).backward()
        >>> SGD([w]).zero_grad()
        >>> w.grad is None
        True
        """
        for p in self._params():
            if p.requires_grad:
                p.grad = None

    def step(self) -> None:
        """Change each parameter by its gradient; one without (`grad` is None) stays as it is.

        Raises `DerivativeError` if no parameter has one, for then `backward()` was forgotten. Warns
        once (`GradargWarning`) if some have none, and if gradients that a step has used were added
        to, for then `zero_grad()` was forgotten.

        >>> from gradarg.optim import SGD
        >>> w = ga.Tensor([4.0], requires_grad=True)
        >>> np.sum(w * w).backward()
        >>> SGD([w], lr=0.25).step()
        >>> w.value
        array([2.])
        """
        place, moved, without, added = 0, False, list[str](), False
        for group in self.param_groups:
            options = self._checked({k: v for k, v in group.items() if k != "params"})
            formula = partial(self.method.formula, **options)
            names = self.method.buffers(options)
            for p in group["params"]:
                if p.grad is not None:
                    state = self._state(place, p, names)
                    added |= 0 < state.passes < p.grad_passes
                    state.passes = p.grad_passes
                    (_advance_staged if self._staged else _advance)(p, state, formula)
                    moved = True
                elif p.requires_grad:
                    without.append(f"{place} (shape {p.shape})")
                place += 1
        if not moved:
            raise ga.DerivativeError(
                f"{self._name}.step(): none of the {place} parameters has a gradient. Call "
                "loss.backward() first, on a loss that was computed from them."
            )
        if without:
            self._warn(
                "without",
                f"no gradient has reached the parameters {', '.join(without)}, so they stay as "
                "they are: the loss was not computed from them. Leave them out, or set "
                "requires_grad = False, if that is meant.",
            )
        if added:
            self._warn(
                "added",
                "gradients that a step before has used were added to, not replaced. Call "
                "optimizer.zero_grad() before loss.backward().",
            )

    def _state(self, place: int, p: Any, names: Sequence[str]) -> _State:
        """What is kept for a parameter; before its first step, zeros."""
        state = self._states.get(place)
        if state is None or len(state.buffers) != len(names):
            state = self._states[place] = _State(0, [np.zeros(p.shape, p.dtype) for _ in names])
        return state

    def __jit__(self, opened: Any) -> None:
        """Show `ga.jit` what it holds: parameters, buffers, counts, and lr, which may change."""
        opened.during(self, "_staged", True)
        place = 0
        for group in self.param_groups:
            options = self._checked({k: v for k, v in group.items() if k != "params"})
            opened.number(group, "lr", options.pop("lr"))
            for item in options.items():
                opened.constant(item)
            names = self.method.buffers(options)
            for p in group["params"]:
                opened.open(None, None, p)
                if p.requires_grad:
                    state = self._state(place, p, names)
                    for k, buffer in enumerate(state.buffers):
                        opened.array(state.buffers, k, buffer)
                    opened.count(state, "count", state.count)
                    opened.note(state, "passes")
                place += 1
        opened.check(self._unchanged())

    def _unchanged(self) -> Callable[[], bool]:
        """A test whether options but lr, parameters, and what is kept for them are as now."""
        states = [(s, s.count, len(s.buffers)) for s in self._states.values()]
        groups = [(g, list(g.values()), list(g["params"])) for g in self.param_groups]

        def unchanged() -> bool:
            if len(self._states) != len(states) or len(self.param_groups) != len(groups):
                return False
            for group, (before, values, params) in zip(self.param_groups, groups):
                if group is not before or len(group) != len(values):
                    return False
                if not all(map(is_, group.values(), values)):
                    if [k for k, v in zip(group, values) if group[k] is not v] != ["lr"]:
                        return False
                    self._checked({k: v for k, v in group.items() if k != "params"})
                    values[:] = group.values()
                if len(group["params"]) != len(params):
                    return False
                if not all(map(is_, group["params"], params)):
                    return False
            steps = set()
            for state, (same, count, length) in zip(self._states.values(), states):
                if state is not same or len(state.buffers) != length:
                    return False
                steps.add(state.count - count)
            return len(steps) <= 1

        return unchanged

    def _warn(self, kind: str, what: str) -> None:
        """A warning, the first time that there is cause for it."""
        if kind not in self._warned:
            self._warned.add(kind)
            warnings.warn(f"{self._name}.step(): {what}", ga.GradargWarning, stacklevel=3)

    def state_dict(self) -> dict[str, Any]:
        """The state as dicts, lists, numbers and arrays (copies), in PyTorch's form.

        `state` has for each parameter, by its place, the number of its steps and the buffers;
        `param_groups` the options of each group, and the places of its parameters.

        >>> from gradarg.optim import SGD
        >>> w = ga.Tensor([4.0], requires_grad=True)
        >>> optimizer = SGD([w], lr=0.25, momentum=0.5)
        >>> np.sum(w * w).backward()
        >>> optimizer.step()
        >>> optimizer.state_dict()["state"]
        {0: {'step': 1, 'momentum_buffer': array([8.])}}
        """
        state: dict[int, dict[str, Any]] = {}
        groups = []
        place = 0
        for group in self.param_groups:
            options = {k: v for k, v in group.items() if k != "params"}
            names = self.method.buffers(options)
            groups.append({**options, "params": list(range(place, place + len(group["params"])))})
            for _ in group["params"]:
                if (kept := self._states.get(place)) is not None and kept.count:
                    arrays = (b.copy() for b in kept.buffers)
                    state[place] = {"step": kept.count, **dict(zip(names, arrays))}
                place += 1
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a state that `state_dict` returned, here or in PyTorch.

        Raises `ValueError` if groups, shapes or buffers do not fit the parameters, or if an option
        is set that this optimiser does not have; then nothing is changed.

        >>> from gradarg.optim import SGD
        >>> w = ga.Tensor([4.0], requires_grad=True)
        >>> optimizer = SGD([w], lr=0.1)
        >>> optimizer.load_state_dict(SGD([w], lr=0.5).state_dict())
        >>> optimizer.param_groups[0]["lr"]
        0.5
        """
        what = f"{self._name}.load_state_dict"
        given = list(state_dict["param_groups"])
        found, expected = ([len(g["params"]) for g in gs] for gs in (given, self.param_groups))
        if found != expected:
            raise ValueError(
                f"{what}: the state has {found} parameters (by group), the optimiser {expected}."
            )
        groups, states = [], {}
        places = itertools.count()
        for mine, theirs in zip(self.param_groups, given):
            options = {k: theirs.get(k, v) for k, v in mine.items() if k != "params"}
            extra = {k: v for k, v in theirs.items() if k not in mine and v}
            if extra:
                raise ValueError(f"{what}: {self._name} has no options {extra}.")
            groups.append(options := self._checked(options))
            for key, p, place in zip(theirs["params"], mine["params"], places):  # places last
                if key in state_dict["state"]:
                    states[place] = self._loaded(state_dict["state"][key], p, options, what)
        self._states = states
        for mine, options in zip(self.param_groups, groups):
            mine.update(options)

    def _loaded(
        self, kept: Mapping[str, Any], p: Any, options: dict[str, Any], what: str
    ) -> _State:
        buffers = []
        for name in self.method.buffers(options):
            found = np.shape(kept[name]) if kept.get(name) is not None else "none"
            if found != p.shape:
                raise ValueError(
                    f"{what}: a {name} of shape {p.shape} was expected, but found {found}."
                )
            buffers.append(np.array(kept[name], p.dtype, order="C"))
        # PyTorch's SGD counts no steps; that it has a state says that there were some
        return _State(int(kept.get("step", 1)), buffers)

    def __repr__(self) -> str:
        parts = []
        for group in self.param_groups:
            n = len(group["params"])
            options = ", ".join(f"{k}={v}" for k, v in group.items() if k != "params")
            parts.append(f"{n} parameter{'s' if n != 1 else ''}, {options}")
        return f"{self._name}({'; '.join(parts)})"


def _advance(p: Any, state: _State, formula: Callable[..., Any]) -> None:
    """One step of one parameter."""
    state.count += 1
    value, g = p.value, p.grad.value.reshape(-1)
    old, new = value.reshape(-1), np.empty(value.size, value.dtype)
    buffers = [b.reshape(-1) for b in state.buffers]
    for start in range(0, new.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        kept = [b[block] for b in buffers]
        step, after = formula(state.count, g[block], old[block], kept)
        np.add(old[block], step, out=new[block])
        for buffer, fresh in zip(kept, after):
            buffer[...] = fresh
    p.value = new.reshape(value.shape)


def _advance_staged(p: Any, state: _State, formula: Callable[..., Any]) -> None:
    """The same on values that are not known yet, and not block by block: ga.jit sees to that."""
    state.count += 1
    step, state.buffers[:] = formula(state.count, p.grad.value, p.value, list(state.buffers))
    p.value = p.value + step
