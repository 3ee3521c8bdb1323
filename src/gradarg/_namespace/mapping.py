"""Functions of Python applied along axes or element by element, under NumPy's names."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._core.errors import ShapeError
from .._core.trace import bind
from .._ops import structure
from .arguments import array, axis_of, number_or_array
from .elementwise import astype
from .indexing import getitem
from .manipulation import broadcast_to, expand_dims, moveaxis

__all__ = ["apply_along_axis", "apply_over_axes", "vectorize"]


def _stacked(rows: Sequence[Any], lead: tuple[int, ...]) -> Any:
    """Results of one shape, in the shape lead + theirs."""
    shape = tuple(rows[0].shape)
    if any(tuple(r.shape) != shape for r in rows):
        raise ShapeError(
            f"The function's results have the shapes {[tuple(r.shape) for r in rows]}."
        )
    rows = [bind(structure.reshape, (r,), {"shape": (1, *shape)}) for r in rows]
    joined = bind(structure.concatenate, rows, {"axis": 0})
    return bind(structure.reshape, (joined,), {"shape": lead + shape})


def apply_along_axis(
    func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any
) -> Any:
    """func1d of each slice along an axis; the axes of its result stand in that axis's place.

    >>> import gradarg as ga, numpy as np
    >>> f = lambda x: np.sum(np.apply_along_axis(lambda row: row[0] * row[1], 1, x))
    >>> ga.grad(f)(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[2., 1.],
           [4., 3.]])
    """
    arr = array(arr)
    axis = axis_of(axis, arr.ndim, "apply_along_axis")
    moved = moveaxis(arr, axis, -1)
    lead = tuple(moved.shape[:-1])
    if 0 in lead:
        raise ShapeError(
            f"apply_along_axis: the shape {tuple(arr.shape)} has no slice to call with."
        )
    rows = [array(func1d(getitem(moved, i), *args, **kwargs)) for i in np.ndindex(lead)]
    out = _stacked(rows, lead)
    inner = range(len(lead), out.ndim)
    order = [*range(axis), *inner, *range(axis, len(lead))]
    return bind(structure.transpose, (out,), {"axes": tuple(order)})


def apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Any:
    """func(a, axis) for one axis after another, keeping the number of dimensions."""
    a = array(a)
    ndim = a.ndim
    for axis in np.atleast_1d(np.asarray(axes)).tolist():
        axis = axis_of(axis, ndim, "apply_over_axes")
        result = array(func(a, axis))
        a = result if result.ndim == ndim else expand_dims(result, axis)
        if a.ndim != ndim:
            raise ShapeError(
                f"apply_over_axes: func(a, {axis}) has the shape {tuple(result.shape)}, which is "
                f"neither of {ndim} dimensions nor of one less."
            )
    return a


class vectorize:
    """A function of single numbers as one of arrays: called for each element, or each core.

    As `np.vectorize`, which itself takes no tensors: it makes arrays of objects of its arguments.
    `signature`, such as '(n),(n)->()', names the core dimensions. `excluded` are the positions and
    names of arguments that are handed on whole. For speed write the function with NumPy's
    functions, or use `ga.vmap`.

    >>> import gradarg as ga, numpy as np
    >>> f = ga.vectorize(lambda x: x * x if x > 0 else -x)
    >>> ga.grad(lambda x: np.sum(f(x)))(np.array([3.0, -1.0]))
    array([ 6., -1.])
    """

    def __init__(
        self,
        pyfunc: Callable[..., Any],
        otypes: Any = None,
        doc: str | None = None,
        excluded: Any = None,
        cache: bool = False,
        signature: str | None = None,
    ) -> None:
        self.pyfunc, self.otypes, self.cache = pyfunc, otypes, cache
        self.excluded = frozenset(excluded or ())
        self.signature = None if signature is None else _parsed(signature)
        self.__doc__ = doc or pyfunc.__doc__
        self.__name__ = getattr(pyfunc, "__name__", "vectorize")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        names = [n for n in kwargs if n not in self.excluded]
        places = [i for i in range(len(args)) if i not in self.excluded]
        given = [array(args[i]) for i in places] + [array(kwargs[n]) for n in names]
        cores = [()] * len(given) if self.signature is None else self.signature[0]
        if len(cores) != len(given):
            raise TypeError(f"{self.__name__} takes {len(cores)} arrays, not {len(given)}.")
        _check_cores(self.__name__, given, cores)
        leads = [tuple(x.shape[: x.ndim - len(core)]) for x, core in zip(given, cores)]
        try:
            lead = np.broadcast_shapes(*leads)
        except ValueError:
            listed = ", ".join(str(tuple(x.shape)) for x in given)
            raise ShapeError(f"{self.__name__}: the shapes {listed} do not broadcast.") from None
        if 0 in lead and self.otypes is not None and self.signature is None:
            empty = [np.empty(lead, t) for t in self.otypes]
            return empty[0] if len(empty) == 1 else tuple(empty)
        if 0 in lead:
            raise ShapeError(
                f"{self.__name__}: there is no element to call the function with, in the shape "
                f"{lead}, so that the results' number and dtype are not known."
            )
        given = [broadcast_to(x, lead + tuple(x.shape[len(own) :])) for x, own in zip(given, leads)]
        outs = []
        for index in np.ndindex(lead):
            parts = [getitem(x, index) for x in given]
            whole = list(args)
            for i, part in zip(places, parts):
                whole[i] = part
            outs.append(self.pyfunc(*whole, **{**kwargs, **dict(zip(names, parts[len(places) :]))}))
        if not isinstance(outs[0], tuple):
            return self._typed(0, [array(number_or_array(o)) for o in outs], lead)
        columns = zip(*outs)
        return tuple(self._typed(k, [array(o) for o in col], lead) for k, col in enumerate(columns))

    def _typed(self, k: int, rows: list[Any], lead: tuple[int, ...]) -> Any:
        out = _stacked(rows, lead)
        return out if self.otypes is None else astype(out, np.dtype(self.otypes[k]), copy=False)


def _parsed(signature: str) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    core = r"\(\s*(?:\w+\s*(?:,\s*\w+\s*)*)?\)"
    if not re.fullmatch(
        rf"\s*{core}(?:\s*,\s*{core})*\s*->\s*{core}(?:\s*,\s*{core})*\s*", signature
    ):
        raise ValueError(f"vectorize: {signature!r} is no signature like '(n),(n,m)->(m)'.")
    left, right = (
        [tuple(re.findall(r"\w+", c)) for c in re.findall(core, side)]
        for side in signature.split("->")
    )
    return left, right


def _check_cores(name: str, given: list[Any], cores: Sequence[tuple[str, ...]]) -> None:
    lengths: dict[str, int] = {}
    for x, core in zip(given, cores):
        if x.ndim < len(core):
            raise ShapeError(f"{name}: the shape {tuple(x.shape)} lacks dimensions of {core}.")
        for letter, n in zip(core, x.shape[x.ndim - len(core) :]):
            if lengths.setdefault(letter, n) != n:
                raise ShapeError(f"{name}: {letter} has the lengths {lengths[letter]} and {n}.")
