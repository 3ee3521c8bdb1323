"""`Parameter` and `Module`: what every layer is made of.

A module is a tree. Its leaves are the parameters that its attributes hold: directly, in other
modules, and in lists, tuples and dicts of these. Everything else (sizes, flags, functions) belongs
to the shape of the tree. So a model goes through `ga.grad`, `ga.vmap` and `ga.tree.map` as any
dict of arrays does, and comes back as a model.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

import gradarg as ga

__all__ = ["LoadReport", "Module", "Parameter"]


class Parameter(ga.Tensor):
    """A tensor that belongs to a module and is trained: it requires grad unless told not to.

    The results of operations on it are plain tensors.

    >>> w = Parameter([1.0, 2.0])
    >>> w, (2 * w).detach()
    (Parameter([1., 2.], requires_grad=True), Tensor([2., 4.]))
    """

    __slots__ = ()

    def __init__(self, value: Any, requires_grad: bool = True, *, dtype: Any = None) -> None:
        super().__init__(value, requires_grad, dtype=dtype)


# ------------------------------------------------------------------------- the plan of a tree


class _Constant:
    """A part without parameters; equal to another if the value is, or is the same object."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Constant):
            return NotImplemented
        a, b = self.value, other.value
        if a is b:
            return True
        if type(a) is not type(b) or isinstance(a, (ga.Tensor, np.ndarray)):
            return False
        try:
            hash(a), hash(b)  # what cannot be hashed may change: no value to rely on
        except TypeError:
            return False
        return bool(a == b)

    def __hash__(self) -> int:
        try:
            return hash((type(self.value), self.value))
        except TypeError:
            return hash(type(self.value))

    def __repr__(self) -> str:
        return repr(self.value)


@dataclasses.dataclass(frozen=True, slots=True)
class _Slot:
    """The place of a leaf, by its number; a parameter used in two places has one number."""

    number: int


@dataclasses.dataclass(frozen=True, slots=True)
class _Branch:
    """A module, list, tuple or dict: its type, and the plan of each part by its key."""

    kind: type
    parts: tuple[tuple[Any, Any], ...]


class _Origin(NamedTuple):
    """What a module that was built from leaves remembers, for its leaves may be anything."""

    tree: object  # the same for all modules of one tree
    plan: _Branch


_CONTAINERS = (list, tuple, dict)


def _items(value: Any) -> list[tuple[Any, Any]]:
    """The parts of a module, list, tuple or dict with their keys, in the order of definition."""
    if isinstance(value, Module):
        return [(k, v) for k, v in vars(value).items() if k not in ("_origin", "training")]
    return list(value.items()) if type(value) is dict else list(enumerate(value))


class _Scan:
    """One walk over a module: its plan, and the leaves that fill the plan's slots."""

    def __init__(self, module: Module) -> None:
        self.leaves: list[Any] = []
        self._numbers: dict[Any, int] = {}
        self._inside: list[Any] = []  # the containers around the present one
        plan = self._plan(module, None, None)
        assert isinstance(plan, _Branch)
        self.plan = plan

    def _plan(self, value: Any, known: Any, tree: object) -> Any:
        if isinstance(value, Module):
            known, tree = None, None
            if (origin := vars(value).get("_origin")) is not None:
                tree, known = origin
        elif isinstance(value, Parameter) or isinstance(known, _Slot):
            return self._slot(value, known, tree)
        elif type(value) not in _CONTAINERS:
            return _Constant(value)
        if any(value is outer for outer in self._inside):
            raise ga.TreeError(
                f"A module is a tree, but this {type(value).__name__} holds itself, through "
                f"{' > '.join(type(outer).__name__ for outer in self._inside)}. Keep what points "
                "back (to a parent, say) outside of the module."
            )
        same = isinstance(known, _Branch) and known.kind is type(value)
        before = dict(known.parts) if same else {}
        self._inside.append(value)
        parts = [(k, self._plan(v, before.get(k), tree)) for k, v in _items(value)]
        self._inside.pop()
        if isinstance(value, Module):
            parts.append(("training", _Constant(value.training)))
        return _Branch(type(value), tuple(parts))

    def _slot(self, value: Any, known: Any, tree: object) -> _Slot:
        # A parameter is itself wherever it stands. Another leaf (say, the number 0) is shared
        # only if it stood for a shared parameter before.
        key: Any = (id(value),)
        if not isinstance(value, Parameter):
            key = (id(value), id(tree), known.number)
        number = self._numbers.setdefault(key, len(self.leaves))
        if number == len(self.leaves):
            self.leaves.append(value)
        return _Slot(number)

    def named(self) -> Iterator[tuple[str, int]]:
        """The full name of each place of a leaf, with the leaf's number."""
        seen: set[str] = set()
        for name, number in _slots(self.plan, ""):
            if name in seen:
                raise ga.TreeError(
                    f"Two parameters have the name {name!r}: rename a key of a dict."
                )
            seen.add(name)
            yield name, number


def _slots(plan: Any, name: str) -> Iterator[tuple[str, int]]:
    if isinstance(plan, _Slot):
        yield name, plan.number
    elif isinstance(plan, _Branch):
        for key, part in plan.parts:
            yield from _slots(part, _joined(name, key))


def _joined(prefix: str, key: Any) -> str:
    return f"{prefix}.{key}" if prefix else str(key)


def _build(plan: Any, leaves: list[Any], tree: object) -> Any:
    if isinstance(plan, _Slot):
        return leaves[plan.number]
    if isinstance(plan, _Constant):
        return plan.value
    parts = {key: _build(part, leaves, tree) for key, part in plan.parts}
    if plan.kind is dict:
        return parts
    if plan.kind in _CONTAINERS:
        return plan.kind(parts.values())
    new = object.__new__(plan.kind)  # not by __init__, which would draw new parameters
    vars(new).update(parts, _origin=_Origin(tree, plan))
    return new


def _flatten(module: Module) -> tuple[list[Any], _Branch]:
    scan = _Scan(module)
    return scan.leaves, scan.plan


def _unflatten(plan: _Branch, leaves: list[Any]) -> Any:
    return _build(plan, leaves, object())


# ------------------------------------------------------------------------------ the module


class LoadReport(NamedTuple):
    """What `load_state_dict` found: names that the module lacks a value for, and names it lacks."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """The base of all layers and models: subclass it, set attributes, and write `forward`.

    Parameters and modules are found in the order in which the attributes were set, also inside
    lists, tuples and dicts; their names are PyTorch's ("net.0.weight"). A parameter that stands in
    two places is one parameter.

    >>> class Quadratic(Module):
    ...     def __init__(self):
    ...         self.a = Parameter(2.0)
    ...         self.rest = [Linear(1, 1, rng=0)]
    ...
    ...     def forward(self, x):
    ...         return self.a * x**2 + self.rest[0](x)
    >>> from gradarg.nn import Linear
    >>> model = Quadratic()
    >>> [name for name, _ in model.named_parameters()]
    ['a', 'rest.0.weight', 'rest.0.bias']

    It is a tree, whose leaves are the parameters: a transform takes it whole.

    >>> gradient = ga.grad(lambda model: np.sum(model(np.array([[3.0]]))))(model)
    >>> type(gradient).__name__, gradient.a.item()
    ('Quadratic', 9.0)
    """

    training: bool = True
    _origin: ClassVar[_Origin | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        ga.tree.register(cls, _flatten, _unflatten)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes, when it is called. A subclass defines it.

        >>> Module()(1.0)
        Traceback (most recent call last):
        NotImplementedError: Module has no forward(). Define forward(self, x) in the class.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no forward(). Define forward(self, x) in the class."
        )

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, (Module, Parameter)) or value is None:
            pass
        elif isinstance(vars(self).get(name), Parameter):
            raise TypeError(
                f"{type(self).__name__}.{name} is a Parameter, and {type(value).__name__} is none: "
                f"the parameter would be lost. To change its numbers write .{name}.value = ..., "
                "to replace it pass an nn.Parameter, to remove it None."
            )
        elif isinstance(value, ga.Tensor) and value.is_leaf and value.requires_grad:
            raise TypeError(
                f"{type(self).__name__}.{name} = ...: a tensor that requires grad would not be "
                "among the parameters. Make it an nn.Parameter, or set requires_grad=False."
            )
        elif type(value) not in _CONTAINERS and any(
            isinstance(leaf, Parameter) for leaf in ga.tree.flatten(value)[0]
        ):
            raise TypeError(
                f"{type(self).__name__}.{name} = ...: a module finds parameters in modules, lists, "
                f"tuples and dicts, but not in {type(value).__name__}. Use one of these."
            )
        super().__setattr__(name, value)

    def __jit__(self, opened: Any) -> None:
        """Show `ga.jit` what is in it: parameters, arrays, generators and the mode."""
        inside = vars(self)
        opened.attributes(inside)
        opened.constant(self.training)
        for name, value in inside.items():
            if name not in ("_origin", "training"):
                opened.key.append(name)
                opened.open(inside, name, value)

    # ---- what is in it

    def named_parameters(self) -> Iterator[tuple[str, Any]]:
        """Each parameter with its full name, once, in the order of definition.

        >>> from gradarg.nn import Linear
        >>> [(name, p.shape) for name, p in Linear(3, 2).named_parameters()]
        [('weight', (2, 3)), ('bias', (2,))]
        """
        scan = _Scan(self)
        due = 0
        for name, number in scan.named():
            if number == due:
                due += 1
                yield name, scan.leaves[number]

    def parameters(self) -> Iterator[Any]:
        """Each parameter once: what an optimiser takes.

        >>> from gradarg.nn import Linear
        >>> sum(p.size for p in Linear(3, 2).parameters())
        8
        """
        return iter(_Scan(self).leaves)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules right below this one, each once; those in a list are named "layers.0".

        >>> from gradarg.nn import ReLU, Sequential, Tanh
        >>> list(Sequential(ReLU(), Tanh()).named_children())
        [('0', ReLU()), ('1', Tanh())]
        """
        seen: set[int] = set()
        for name, child in _below(self, "", []):
            if id(child) not in seen:
                seen.add(id(child))
                yield name, child

    def children(self) -> Iterator[Module]:
        """The modules right below this one.

        >>> from gradarg.nn import ReLU, Sequential, Tanh
        >>> list(Sequential(ReLU(), Tanh()).children())
        [ReLU(), Tanh()]
        """
        return (child for _, child in self.named_children())

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """This module, named "", and all below it with their full names, each once.

        >>> from gradarg.nn import ReLU, Sequential
        >>> [name for name, _ in Sequential(Sequential(ReLU()), ReLU()).named_modules()]
        ['', '0', '0.0', '1']
        """
        return self._named_modules("", set())

    def _named_modules(self, prefix: str, seen: set[int]) -> Iterator[tuple[str, Module]]:
        if id(self) not in seen:
            seen.add(id(self))
            yield prefix, self
            for name, child in self.named_children():
                yield from child._named_modules(_joined(prefix, name), seen)

    def modules(self) -> Iterator[Module]:
        """This module and all below it.

        >>> from gradarg.nn import ReLU, Sequential
        >>> [type(m).__name__ for m in Sequential(ReLU()).modules()]
        ['Sequential', 'ReLU']
        """
        return (module for _, module in self.named_modules())

    # ---- saving and loading

    def state_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """The values of all parameters by their full names, as C-contiguous copies.

        A parameter that stands in two places has two entries, as in PyTorch.

        >>> from gradarg.nn import Linear, Sequential
        >>> {name: value.shape for name, value in Sequential(Linear(3, 2)).state_dict().items()}
        {'0.weight': (2, 3), '0.bias': (2,)}
        """
        scan = _Scan(self)
        return {name: _copied(scan.leaves[number]) for name, number in scan.named()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> LoadReport:
        """Give the parameters the values of a state dict, by name; all of them, or none.

        The values are arrays, tensors, or whatever NumPy makes arrays of (a state dict of PyTorch
        too); they are copied, and take the parameter's dtype. Missing and unexpected names raise
        `TreeError`, unless not `strict`; a wrong shape, or a dtype whose numbers do not fit
        (complex for real), always does.

        >>> from gradarg.nn import Linear
        >>> model = Linear(2, 1)
        >>> model.load_state_dict({"weight": [[1.0, 2.0]], "bias": [0.5]})
        LoadReport(missing_keys=[], unexpected_keys=[])
        >>> model(np.array([10.0, 100.0])).detach()
        Tensor([210.5])
        >>> model.load_state_dict({"weight": [[1.0, 2.0, 3.0]]})
        Traceback (most recent call last):
        gradarg...TreeError: Linear.load_state_dict: the state does not fit, nothing was loaded:
          missing: bias
          weight: shape (1, 3), but the parameter has (1, 2)
        """
        scan = _Scan(self)
        names = dict(scan.named())
        missing = [name for name in names if name not in state]
        unexpected = [name for name in state if name not in names]
        complaints = []
        if strict and missing:
            complaints.append(f"missing: {', '.join(missing)}")
        if strict and unexpected:
            complaints.append(f"unexpected: {', '.join(map(str, unexpected))}")
        values: dict[str, np.ndarray[Any, Any]] = {}
        for name, number in names.items():
            if name not in state:
                continue
            p, given = scan.leaves[number], state[name]
            if not isinstance(p, ga.Tensor):
                raise TypeError(
                    f"{type(self).__name__}.load_state_dict: {name} is {type(p).__name__}, not a "
                    "parameter. Load into a model that was made by its class, not by ga.tree.map."
                )
            value = values[name] = (
                given.value if isinstance(given, ga.Tensor) else np.asarray(given)
            )
            if value.shape != p.shape:
                complaints.append(f"{name}: shape {value.shape}, but the parameter has {p.shape}")
            elif not np.can_cast(value.dtype, p.dtype, "same_kind"):
                complaints.append(f"{name}: {value.dtype}, but the parameter holds {p.dtype}")
        if complaints:
            raise ga.TreeError(
                f"{type(self).__name__}.load_state_dict: the state does not fit, nothing was "
                "loaded:\n  " + "\n  ".join(complaints)
            )
        for name, value in values.items():
            scan.leaves[names[name]].value = value
        return LoadReport(missing, unexpected)

    # ---- modes

    def train(self, mode: bool = True) -> Self:
        """Set `.training` of this module and all below it; returns the module.

        >>> from gradarg.nn import ReLU
        >>> ReLU().train(False).training
        False
        """
        for module in self.modules():
            module.training = bool(mode)
        return self

    def eval(self) -> Self:
        """Leave the training mode: `train(False)`.

        >>> from gradarg.nn import ReLU
        >>> ReLU().eval().training
        False
        """
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget the gradients: `.grad` of every parameter becomes None.

        >>> from gradarg.nn import Linear
        >>> model = Linear(2, 1)
        >>> np.sum(model(np.ones(2))).backward()
        >>> model.zero_grad()
        >>> model.weight.grad is None
        True
        """
        for p in self.parameters():
            if p.requires_grad:
                p.grad = None

    # ---- how it looks

    def extra_repr(self) -> str:
        """What `repr` shows between the brackets; a layer says its sizes here.

        >>> from gradarg.nn import Linear
        >>> Linear(3, 2).extra_repr()
        'in_features=3, out_features=2, bias=True'
        """
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = [extra] if extra else []
        for name, child in _below(self, "", []):
            lines.append(f"({name}): " + repr(child).replace("\n", "\n  "))
        if len(lines) == (1 if extra else 0):
            return f"{type(self).__name__}({extra})"
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines) + "\n)"


ga.tree.register(Module, _flatten, _unflatten)


def _below(value: Any, name: str, inside: list[Any]) -> Iterator[tuple[str, Module]]:
    """The modules right below a module or container; lists and dicts are looked through."""
    if any(value is outer for outer in inside):
        return
    for key, part in _items(value):
        if isinstance(part, Module):
            yield _joined(name, key), part
        elif type(part) in _CONTAINERS:
            yield from _below(part, _joined(name, key), [*inside, value])


def _copied(leaf: Any) -> np.ndarray[Any, Any]:
    return np.array(leaf.value if isinstance(leaf, ga.Tensor) else leaf, order="C")
