"""Trees: nested dicts, lists, tuples, namedtuples, dataclasses, None and registered classes.

Everything else is a leaf. A tree is taken apart into its leaves and a `Structure`, which is
hashable, compares by value, and puts new leaves back where the old ones were.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .errors import TreeError

Flatten = Callable[[Any], tuple[Iterable[Any], Any]]
Unflatten = Callable[[Any, list[Any]], Any]


@dataclasses.dataclass(unsafe_hash=True, slots=True)  # never changed; frozen costs each call 1 us
class Structure:
    """The shape of a tree: its container types, their keys, and the places of the leaves."""

    kind: type | None  # None: a leaf
    aux: Any
    children: tuple[Structure, ...]
    count: int  # leaves below

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """The tree of this structure with the given leaves, in order."""
        leaves = list(leaves)
        if len(leaves) != self.count:
            raise TreeError(f"{self} holds {self.count} leaves, but {len(leaves)} were given.")
        return self._build(iter(leaves))

    def _build(self, leaves: Iterator[Any]) -> Any:
        if self.kind is None:
            return next(leaves)
        handlers = _handlers(self.kind)
        assert handlers is not None  # the structure was made by them
        return handlers[1](self.aux, [child._build(leaves) for child in self.children])

    def __str__(self) -> str:
        if self.kind is None:
            return "*"
        if self.kind is type(None):
            return "None"
        parts = [str(child) for child in self.children]
        if self.kind is dict:
            return "{" + ", ".join(f"{k!r}: {p}" for k, p in zip(self.aux, parts)) + "}"
        if self.kind is list:
            return "[" + ", ".join(parts) + "]"
        if self.kind is tuple:
            return "(" + ", ".join(parts) + ("," if len(parts) == 1 else "") + ")"
        return f"{self.kind.__name__}({', '.join(parts)})"


LEAF = Structure(None, None, (), 1)


def _flatten_dict(tree: dict[Any, Any]) -> tuple[Iterable[Any], Any]:
    try:
        keys = tuple(sorted(tree))
    except TypeError:  # keys of mixed types keep the order of insertion
        keys = tuple(tree)
    return [tree[k] for k in keys], keys


def _fields(kind: type) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


_REGISTRY: dict[type, tuple[Flatten, Unflatten]] = {
    list: (lambda tree: (tree, None), lambda _, children: children),
    tuple: (lambda tree: (tree, None), lambda _, children: tuple(children)),
    dict: (_flatten_dict, lambda keys, children: dict(zip(keys, children))),
    type(None): (lambda _: ((), None), lambda _aux, _children: None),
}


def _handlers(kind: type) -> tuple[Flatten, Unflatten] | None:
    """The pair that takes a container of this type apart and builds it again; None for a leaf."""
    if kind in _REGISTRY:
        return _REGISTRY[kind]
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):  # a namedtuple
        return (lambda tree: (tree, None), lambda _, children: kind(*children))
    if dataclasses.is_dataclass(kind):
        names = _fields(kind)

        def build(_: Any, children: list[Any]) -> Any:
            new = object.__new__(kind)  # __init__ may compute or refuse; the fields are enough
            for name, child in zip(names, children):
                object.__setattr__(new, name, child)
            return new

        return (lambda tree: ([getattr(tree, n) for n in names], None), build)
    return None


def register(kind: type, flatten: Flatten, unflatten: Unflatten) -> None:
    """Make instances of `kind` containers.

    `flatten(instance)` returns `(children, aux)`, where `aux` is hashable and compares by value;
    `unflatten(aux, children)` builds the instance again.
    """
    _REGISTRY[kind] = (flatten, unflatten)


def flatten(tree: Any, whole: Callable[[Any], bool] | None = None) -> tuple[list[Any], Structure]:
    """The leaves of a tree, in a fixed order, and its structure.

    A container that is `whole` counts as a leaf.

    >>> leaves, structure = flatten({"w": [1, 2], "b": (3, None)})
    >>> leaves, str(structure)
    ([3, 1, 2], "{'b': (*, None), 'w': [*, *]}")
    >>> structure.unflatten([30, 10, 20])
    {'b': (30, None), 'w': [10, 20]}
    """
    leaves: list[Any] = []
    return leaves, _walk(tree, leaves, whole)


def _walk(tree: Any, leaves: list[Any], whole: Callable[[Any], bool] | None) -> Structure:
    handlers = _handlers(type(tree))
    if handlers is None or (whole is not None and whole(tree)):
        leaves.append(tree)
        return LEAF
    before = len(leaves)
    parts, aux = handlers[0](tree)
    children = tuple(_walk(part, leaves, whole) for part in parts)
    return Structure(type(tree), aux, children, len(leaves) - before)


def leaves_like(structure: Structure, tree: Any, what: str) -> list[Any]:
    """The leaves of `tree`, which must have the given structure; `what` names it in the error."""
    leaves, found = flatten(tree)
    if found != structure:
        raise TreeError(f"{what} has the structure {found}, but {structure} was expected.")
    return leaves


def map(f: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """The tree of `f(leaf, ...)` over the leaves of one or more trees of equal structure.

    >>> map(lambda p, g: p - 0.5 * g, {"a": 1.0, "b": [2.0]}, {"a": 2.0, "b": [4.0]})
    {'a': 0.0, 'b': [0.0]}
    """
    leaves, structure = flatten(tree)
    others = [leaves_like(structure, t, f"tree {i}") for i, t in enumerate(rest, start=2)]
    return structure.unflatten([f(*group) for group in zip(leaves, *others)])


def spread(
    prefix: Any, structure: Structure, is_value: Callable[[Any], bool], what: str
) -> list[Any]:
    """One value for each leaf of a structure, from a tree that may end earlier.

    >>> _, structure = flatten({"a": [1, 2], "b": 3})
    >>> spread({"a": 0, "b": None}, structure, lambda v: v is None or isinstance(v, int), "axes")
    [0, 0, None]
    """
    if is_value(prefix):
        return [prefix] * structure.count
    handlers = _handlers(type(prefix))
    if handlers is not None and type(prefix) is structure.kind:
        parts, aux = handlers[0](prefix)
        parts = list(parts)
        if aux == structure.aux and len(parts) == len(structure.children):
            pairs = zip(parts, structure.children)
            return [v for part, child in pairs for v in spread(part, child, is_value, what)]
    raise TreeError(f"{what} does not fit the structure {structure}.")
