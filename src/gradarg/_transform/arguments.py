"""What every transform does with arguments and results: trees to leaves, checked, and back."""

from __future__ import annotations

import inspect
import operator
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._core import tree
from .._core.errors import DerivativeError, ShapeError, TreeError
from .._core.trace import Box, Trace, bare, describe, zeros
from .._namespace.views import constant_tensor

ArgNums = int | Sequence[int]


def floating(leaf: Any, where: str) -> Any:
    """A leaf that can carry a derivative: a box, an array or a NumPy number of floats."""
    if isinstance(leaf, (float, complex)) and not isinstance(leaf, np.generic):
        return np.float64(leaf) if isinstance(leaf, float) else np.complex128(leaf)
    value = numeric(leaf, where)
    if value.dtype.kind not in "fc":
        raise DerivativeError(
            f"{where}: {leaf!r:.60} is of {value.dtype}, and integers and bools carry no "
            "derivative. Pass floats (2.0, x.astype(float)), or leave it out of argnums."
        )
    return value


def numeric(leaf: Any, where: str) -> Any:
    """A leaf that is an array of numbers."""
    if isinstance(leaf, Box) or type(leaf) is np.ndarray:
        value: Any = leaf
        if isinstance(leaf, Box) and leaf._trace.closed:
            leaf._trace.refuse(where)
    elif isinstance(leaf, (bool, int, float, complex, np.generic)):
        value = np.asarray(leaf)[()]
    elif isinstance(leaf, np.ndarray) and not isinstance(leaf, np.ma.MaskedArray):
        value = np.asarray(leaf)
    else:
        raise DerivativeError(
            f"{where}: {leaf!r:.60} of type {type(leaf).__name__} is neither a number nor an array "
            "nor a container that gradarg knows (ga.tree.register makes a class one)."
        )
    if value.dtype.kind not in "biufc":
        raise DerivativeError(f"{where}: arrays of dtype {value.dtype} carry no derivative.")
    return value


class Arguments:
    """The arguments of one call, of which some are taken apart into leaves."""

    def __init__(
        self, transform: str, function: Any, args: Sequence[Any], argnums: ArgNums | None = None
    ) -> None:
        self.where = f"ga.{transform}({describe(function)})"
        self.args = list(args)
        self.single = isinstance(argnums, (int, np.integer))
        self.nums = self._checked(range(len(args)) if argnums is None else argnums)
        chosen = tuple(args[i] for i in self.nums)
        self.leaves, self.structure = tree.flatten(chosen)

    def _checked(self, argnums: Any) -> tuple[int, ...]:
        nums = (argnums,) if self.single else argnums
        try:
            nums = tuple(operator.index(i) for i in nums)
        except TypeError:
            raise TypeError(
                f"{self.where}: argnums={argnums!r} is neither an integer nor a tuple of them."
            ) from None
        for i in nums:
            if not -len(self.args) <= i < len(self.args):
                raise TypeError(
                    f"{self.where}: argnums={argnums} asks for argument {i}, but the "
                    f"call has {len(self.args)} positional arguments."
                )
        nums = tuple(i % len(self.args) for i in nums)
        if len(set(nums)) != len(nums):
            raise ValueError(f"{self.where}: argnums={argnums!r} names an argument twice.")
        return nums

    def floats(self) -> list[Any]:
        """The leaves, each able to carry a derivative."""
        return [floating(leaf, self.where) for leaf in self.leaves]

    def filled(self, leaves: Sequence[Any]) -> list[Any]:
        """All arguments, with new leaves in the chosen ones."""
        args = list(self.args)
        for i, arg in zip(self.nums, self.structure.unflatten(leaves)):
            args[i] = arg
        return args

    def result(self, leaves: Sequence[Any]) -> Any:
        """New leaves in the form of the chosen arguments: alone if argnums was one integer."""
        chosen = self.structure.unflatten(leaves)
        return chosen[0] if self.single else chosen


def split_aux(out: Any, has_aux: bool, where: str) -> tuple[Any, Any]:
    """The output and what comes with it, which is not differentiated."""
    if not has_aux:
        return out, None
    if not (isinstance(out, tuple) and len(out) == 2):
        raise TypeError(
            f"{where}: has_aux=True expects the function to return a pair (out, aux), "
            f"not {type(out).__name__}."
        )
    return out


def lowered(trace: Trace, value: Any, inputs: Sequence[Any]) -> Any:
    """A tree with this trace's boxes taken off, its arrays the caller's own."""

    def of(x: Any) -> Any:
        if not isinstance(x, Box):
            return x
        return handed_out(x._inner if trace.owns(x) else x, inputs)

    return tree.map(of, value)


def handed_out(value: Any, inputs: Sequence[Any]) -> Any:
    """A value that a graph may hold, for the caller to do with as he likes."""
    value = value.copy() if type(value) is np.ndarray else value
    return owned([value], inputs)[0]


def same_leaves(
    structure: Any, given: Any, values: Sequence[Any], where: str, what: str
) -> list[Any]:
    """The leaves of a tangent or cotangent, in the structure, shapes and dtypes of the values."""
    leaves = tree.leaves_like(structure, given, f"{where}: the {what}")
    checked = []
    for leaf, value in zip(leaves, values):
        leaf = numeric(leaf, where)
        if tuple(leaf.shape) != tuple(value.shape):
            raise ShapeError(
                f"{where}: the {what} has the shape {tuple(leaf.shape)} for a value "
                f"of shape {tuple(value.shape)}; they must be equal."
            )
        if leaf.dtype.kind == "c" and value.dtype.kind != "c":
            raise DerivativeError(
                f"{where}: the {what} is complex ({leaf.dtype}) for a real value ({value.dtype})."
            )
        if leaf.dtype != value.dtype:
            leaf = leaf.astype(value.dtype)
        checked.append(leaf)
    return checked


def owned(
    results: Sequence[Any], inputs: Sequence[Any], others: Sequence[Any] = (), held: bool = False
) -> list[Any]:
    """Results that are the caller's own: writable arrays that share no memory with others.

    With `held`, a graph that lives on may hold them too. They are tensors where an input is one,
    and else arrays, whatever constants the function made inside. Where an input belongs to a
    transform, the caller is that transform, and gets them as they are.
    """
    levels = [i._trace.level for i in inputs if isinstance(i, Box)]
    if any(levels):
        return list(results)
    seen = {id(x) for x in (*inputs, *others)}
    fresh = []
    for r in results:
        r = r if levels else bare(r)
        if type(r) is np.ndarray:
            if held or not _alone(r) or id(r) in seen:
                r = r.copy()
            seen.add(id(r))
        if levels and isinstance(r, (np.ndarray, np.generic)):
            r = constant_tensor(r)
        fresh.append(r)
    return fresh


def _alone(r: Any) -> bool:
    """Whether an array may be written to, and nothing else sees its memory."""
    if r.base is None:
        return bool(r.flags.writeable)
    if sys.getrefcount(r.base) > 2:  # the reference that r holds, and the one that asks
        return False
    whole = type(r.base) is np.ndarray and r.base.nbytes == r.nbytes and r.base.flags.owndata
    return whole and bool(r.flags.writeable)


def owned_each(results: Sequence[Any], inputs: Sequence[Any], held: bool = False) -> list[Any]:
    """`owned`, for results each of which belongs to one of the inputs, and is of its kind."""
    fresh: list[Any] = []
    for r, i in zip(results, inputs):
        fresh += owned([r], [i], [*inputs, *fresh], held)
    return fresh


def zero(value: Any) -> Any:
    """The zero derivative of a value, of its kind; an array of no size until it is `owned`."""
    if isinstance(value, Box):
        return constant_tensor(zeros(value))
    return zeros(value) if type(value) is np.ndarray else value.dtype.type(0)


Function = Callable[..., Any]


def like(function: Function, transform: str, note: str) -> Callable[[Function], Function]:
    """A decorator that gives a transformed function the name and signature of its original."""
    name = getattr(function, "__name__", type(function).__name__)

    def dress(wrapped: Function) -> Function:
        wrapped.__name__ = wrapped.__qualname__ = f"{transform}({name})"
        wrapped.__doc__ = f"{note} `{name}`.\n\n{inspect.getdoc(function) or ''}".rstrip()
        wrapped.__wrapped__ = function  # type: ignore[attr-defined]
        return wrapped

    return dress


__all__ = [
    "ArgNums",
    "Arguments",
    "TreeError",
    "floating",
    "like",
    "lowered",
    "numeric",
    "owned",
    "owned_each",
    "same_leaves",
    "split_aux",
    "zero",
]
