"""Indexing as NumPy defines it, made of two primitives: basic `getitem` and `gather`.

A basic index (slices, integers, None, Ellipsis) is one `getitem`. An index with arrays is taken
apart: the basic part first, then the indexed axes are brought to the front, gathered, and the
result axes put where NumPy puts them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .._core.errors import ConcreteValueError, ImmutableError, ShapeError
from .._core.trace import Box, bind, peek
from .._ops import elementwise, structure
from . import elementwise as namespace
from .arguments import array, axis_of, refuse_out, shape_of
from .elementwise import astype
from .views import link

__all__ = ["sliding_window_view", "take", "take_along_axis"]


def getitem(x: Any, index: Any) -> Any:
    """x[index]."""
    index = index if isinstance(index, tuple) else (index,)
    if all(_is_basic(i) for i in index):
        params = {"index": tuple(map(_plain, index))}
        out = bind(structure.getitem, (x,), params)
        if isinstance(out, Box) and (
            len(out._inner.shape) > out._trace.hidden or Ellipsis in index
        ):  # else it is a number, and no view
            link(out, x, structure.getitem, params)
        return out
    if len(index) <= x.ndim and all(
        i.__class__ is np.ndarray and i.dtype.kind in "iu" for i in index
    ):  # the usual case needs no plan: x[rows], x[rows, columns]
        return bind(structure.gather, (x, *index))
    if (rows := _of_flag(index)) is not None:
        return getitem(bind(structure.getitem, (x,), {"index": (None,)}), rows)
    plan = _Plan(x, index)
    out = bind(structure.gather, (plan.bring(x), *plan.arrays))
    return _move_group(out, 0, plan.rank, plan.target)


def _move_group(x: Any, source: int, count: int, target: int) -> Any:
    """x with `count` axes that start at `source` moved to start at `target`."""
    order = [i for i in range(x.ndim) if not source <= i < source + count]
    order[target:target] = range(source, source + count)
    return _ordered(x, order)


def _ordered(x: Any, order: Sequence[int]) -> Any:
    order = tuple(order)
    return x if order == tuple(range(x.ndim)) else bind(structure.transpose, (x,), {"axes": order})


def _of_flag(index: tuple[Any, ...]) -> Any:
    """Where the index is one truth value: its place on a new axis if true, none if not."""
    if len(index) != 1 or isinstance(index[0], slice):
        return None
    flag = _array(index[0])
    return np.nonzero([_concrete(flag)]) if flag.dtype.kind == "b" and not flag.ndim else None


Combine = Callable[[Any, Any], Any]


def changed(x: Any, index: Any, values: Any, combine: Combine | None = None) -> Any:
    """A copy of x in which x[index] is the values, or `combine(x[index], values)`."""
    index = index if isinstance(index, tuple) else (index,)
    values = array(values)
    if values.dtype != x.dtype:
        values = astype(values, x.dtype)
    if all(_is_basic(i) for i in index):
        params = {"index": tuple(map(_plain, index))}
        shape = structure.constant_array(False, tuple(x.shape))[params["index"]].shape
        values = _fitting(values, shape)
        if combine is not None:
            values = _combined(combine, bind(structure.getitem, (x,), params), values)
        return bind(structure.put, (x, values), params)
    mask = _whole_mask(x, index, values)
    if mask is not None and (combine is None or peek(mask) is None):
        values = _fitting(values, tuple(x.shape[mask.ndim :]))
        if combine is not None:
            values = _combined(combine, x, values)
        mask = bind(structure.reshape, (mask,), {"shape": mask.shape + (1,) * (x.ndim - mask.ndim)})
        return bind(elementwise.where, (mask, values, x))
    if (rows := _of_flag(index)) is not None:
        part = changed(bind(structure.getitem, (x,), {"index": (None,)}), rows, values, combine)
        return bind(structure.reshape, (part,), {"shape": tuple(x.shape)})
    plan = _Plan(x, index)
    part = plan.bring(x)
    rest = tuple(part.shape[len(plan.arrays) :])
    shape = rest[: plan.target] + _common_shape(plan.arrays) + rest[plan.target :]
    values = bind(structure.broadcast_to, (_fitting(values, shape),), {"shape": shape})
    values = _move_group(values, plan.target, plan.rank, 0)
    if combine is None:
        part = bind(structure.update, (part, values, *plan.arrays))
    elif combine in (np.add, namespace.add):
        added = bind(structure.scatter_add, (values, *plan.arrays), {"shape": tuple(part.shape)})
        part = bind(elementwise.add, (part, added))
    else:
        for arrays, some in _rounds(plan.arrays, values, part.shape):
            new = _combined(combine, bind(structure.gather, (part, *arrays)), some)
            part = bind(structure.update, (part, new, *arrays))
    part = _ordered(part, np.argsort(plan.order).tolist())
    if plan.slices:
        return bind(structure.put, (x, part), {"index": plan.index})
    return part


def _combined(combine: Combine, x: Any, values: Any) -> Any:
    """The combination in the dtype of x, into which it is to be written."""
    new = combine(x, values)
    if not np.can_cast(new.dtype, x.dtype, "same_kind"):
        raise TypeError(
            f"A result of {new.dtype} cannot be written into an array of {x.dtype} without loss."
        )
    return new if new.dtype == x.dtype else astype(new, x.dtype)


def _whole_mask(x: Any, index: tuple[Any, ...], values: Any) -> Any:
    """The mask, if the index is one over the first axes and the values are alike for all of it.

    Then its values need not be known.
    """
    if len(index) != 1 or isinstance(index[0], slice):
        return None
    mask = _array(index[0])
    if mask.dtype.kind != "b" or mask.ndim > x.ndim:
        return None
    if tuple(mask.shape) != tuple(x.shape[: mask.ndim]) or values.ndim > x.ndim - mask.ndim:
        return None
    return mask


def _rounds(
    arrays: Sequence[Any], values: Any, shape: tuple[int, ...]
) -> Iterator[tuple[Sequence[Any], Any]]:
    """Index arrays and their values in parts, in none of which an element is named twice."""
    known = [peek(a) for a in arrays]
    if any(a is None for a in known):
        raise ConcreteValueError(
            "x.at[i].multiply, .min or .max (or a ufunc's .at) with an index that is not known "
            "here: an element may be named twice. Use np.where, or an index that does not depend "
            "on the inputs."
        )
    lead = _common_shape(arrays)
    flat = [np.broadcast_to(a, lead).ravel() for a in known]
    flat = [np.where(a < 0, a + n, a) for a, n in zip(flat, shape)]
    places = np.ravel_multi_index(flat, shape[: len(flat)])
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    turn = np.empty(places.size, np.intp)  # the how many-th time that a place is named
    turn[order] = np.arange(places.size) - np.searchsorted(ordered, ordered)
    rest = tuple(values.shape[len(lead) :])
    rows = bind(structure.reshape, (values,), {"shape": (places.size, *rest)})
    for k in range(int(turn.max(initial=-1)) + 1):
        chosen = np.flatnonzero(turn == k)
        yield [a[chosen] for a in flat], bind(structure.gather, (rows, chosen))


def _fitting(values: Any, shape: tuple[int, ...]) -> Any:
    """Values to go into a part of this shape: they broadcast, and further axes are of length 1."""
    given = tuple(values.shape)
    extra = max(0, len(given) - len(shape))
    try:
        fits = set(given[:extra]) <= {1} and np.broadcast_shapes(given[extra:], shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(
            f"x[...] = v or x.at[...]: values of shape {given} do not fit a part of shape {shape}."
        )
    return bind(structure.reshape, (values,), {"shape": given[extra:]}) if extra else values


def _is_basic(i: Any) -> bool:
    if i.__class__ is int or i.__class__ is slice or i is None or i is Ellipsis:
        return True
    return isinstance(i, np.integer) or (isinstance(i, int) and not isinstance(i, bool))


def plain_index(index: Any) -> tuple[Any, ...] | None:
    """A basic index in the form that `getitem` keeps; None of any other."""
    index = index if isinstance(index, tuple) else (index,)
    return tuple(map(_plain, index)) if all(_is_basic(i) for i in index) else None


def _plain(i: Any) -> Any:
    """Slices and integers of Python, which compare and hash."""
    if isinstance(i, slice):
        return slice(*(None if v is None else operator.index(v) for v in (i.start, i.stop, i.step)))
    return i if i is None or i is Ellipsis else operator.index(i)


class _Plan:
    """How x[index] with arrays in the index becomes one gather."""

    def __init__(self, x: Any, index: tuple[Any, ...]) -> None:
        entries, gap = _expand(index, tuple(x.shape))
        advanced = [k for k, e in enumerate(entries) if not isinstance(e, slice) and e is not None]
        # NumPy: next to each other, the arrays' axes stay in place; apart, they go first, and an
        # Ellipsis sets them apart even where it stands for no axis
        together = advanced[-1] - advanced[0] == len(advanced) - 1
        together = together and not advanced[0] < gap <= advanced[-1]
        basic = tuple(e if e is None or isinstance(e, slice) else slice(None) for e in entries)
        self.index = tuple(map(_plain, basic))
        self.arrays = [
            np.asarray(e) if isinstance(e, int) else e for e in (entries[k] for k in advanced)
        ]
        self.rank = len(_common_shape(self.arrays))
        self.axes = advanced
        self.target = advanced[0] if together else 0
        self.slices = any(i != slice(None) for i in self.index)
        self.order = (*self.axes, *(k for k in range(len(entries)) if k not in self.axes))

    def bring(self, x: Any) -> Any:
        """x after its basic index, the gathered axes first."""
        if self.slices:
            x = bind(structure.getitem, (x,), {"index": self.index})
        return _ordered(x, self.order)


def _expand(index: tuple[Any, ...], shape: tuple[int, ...]) -> tuple[list[Any], int]:
    """The index with masks as positions, sequences as arrays, and the Ellipsis written out.

    Also the place where the Ellipsis stood, or -1.
    """
    items = [i if _is_basic(i) else _array(i) for i in index]
    takes = [0 if i is None or i is Ellipsis else i.ndim if _is_mask(i) else 1 for i in items]
    used, dots = sum(takes), sum(i is Ellipsis for i in items)
    if used > len(shape):
        raise IndexError(f"Too many indices: {used} for an array of {len(shape)} dimensions.")
    if dots > 1:
        raise IndexError("An index can have only one Ellipsis (...).")
    if not dots:
        items.append(Ellipsis)
        takes.append(0)
    entries: list[Any] = []
    gap, axis = -1, 0
    for i, count in zip(items, takes):
        if i is Ellipsis:
            gap, count = len(entries) if dots else -1, len(shape) - used
            entries += [slice(None)] * count
        elif _is_mask(i):
            mask, covered = _concrete(i), shape[axis : axis + count]
            fits = all(m in (n, 0) for m, n in zip(mask.shape, covered))  # none chosen of any
            if not (count and fits):
                raise IndexError(
                    f"A boolean index of shape {mask.shape} does not fit axes of the lengths "
                    f"{covered} of an array of shape {shape}."
                )
            entries += np.nonzero(mask)
        else:
            entries.append(i if i is None or isinstance(i, slice) or _is_array(i) else int(i))
        axis += count
    return entries, gap


def _array(i: Any) -> Any:
    i = array(i)
    if i.dtype.kind in "biu":
        return i
    if i.size:
        raise IndexError(f"An index array must be of integers or bools, not {i.dtype}.")
    return i.astype(np.intp)


def _is_array(i: Any) -> bool:
    return isinstance(i, (Box, np.ndarray))


def _is_mask(i: Any) -> bool:
    return _is_array(i) and bool(i.dtype.kind == "b")


def _common_shape(arrays: Sequence[Any]) -> tuple[int, ...]:
    shapes = [tuple(a.shape) for a in arrays]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        listed = ", ".join(map(str, shapes))
        raise IndexError(f"The index arrays of shapes {listed} do not broadcast.") from None


def _concrete(mask: Any) -> Any:
    """The values of a boolean mask, which must be known: they decide the result's shape."""
    while isinstance(mask, Box):
        if mask._trace.hidden or (
            not hasattr(mask._inner, "__array_interface__")
            and (not isinstance(mask._inner, (Box, np.generic)))
        ):
            raise ConcreteValueError(
                f"x[mask] has a shape that depends on the values of the mask, which are not known "
                f"inside {mask._trace}. Keep the shape: np.where(mask, x, 0)."
            )
        mask = mask._inner
    return mask


def take(
    a: Any, indices: Any, axis: int | None = None, out: None = None, mode: str = "raise"
) -> Any:
    """The elements of a at the given integer indices along an axis (of a flattened, if None).

    `mode` says what becomes of an index out of bounds: 'raise'; 'wrap', modulo the length; or
    'clip', the nearest end (a negative one too).
    """
    refuse_out("take", out)
    a = array(a)
    if axis is None:
        a, axis = bind(structure.reshape, (a,), {"shape": (a.size,)}), 0
    axis = axis_of(axis, a.ndim, "take")
    if not isinstance(indices, Box):
        indices = np.asarray(indices)  # an array, for which getitem makes no view
    if mode != "raise":
        indices = bounded(indices, a.shape[axis], mode, "take")
    return getitem(a, (slice(None),) * axis + (indices,))


def sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Any:
    """All windows of the given lengths along the axes: y[..., i, ..., k] = x[..., i + k, ...].

    The places within a window are new axes, behind all others. It is a copy, no view.

    >>> import gradarg as ga, numpy as np
    >>> ga.sliding_window_view(np.arange(4.0), 3)
    array([[0., 1., 2.],
           [1., 2., 3.]])
    """
    name = "sliding_window_view"
    if writeable:
        raise ImmutableError(f"{name}: windows that overlap are none to write into.")
    x = array(x)
    lengths = shape_of(window_shape, name)
    places = tuple(range(x.ndim)) if axis is None else shape_of(axis, name)
    if len(lengths) != len(places):
        raise ShapeError(f"{name}: window_shape {lengths} needs as many axes, not {places}.")
    for place, length in zip([axis_of(i, x.ndim, name) for i in places], lengths):
        count = x.shape[place] - length + 1
        if length < 0 or count < 1:
            raise ShapeError(
                f"{name}: a window of length {length} does not fit the shape {tuple(x.shape)} "
                f"along axis {place}."
            )
        windows = np.arange(count)[:, None] + np.arange(length)
        x = getitem(x, (slice(None),) * place + (windows,))
        x = _move_group(x, place + 1, 1, x.ndim - 1)
    return x


def bounded(indices: Any, n: int, mode: str, name: str) -> Any:
    """Indices from 0 up to but without n; 'raise' leaves those out of bounds to be refused."""
    if mode == "wrap":
        return indices % n
    if mode == "clip":
        return np.minimum(np.maximum(indices, 0), n - 1)
    if mode != "raise":
        raise ValueError(f"{name}: the mode is 'raise', 'wrap' or 'clip', not {mode!r}.")
    return bind(elementwise.where, (indices < 0, n, indices))


def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """arr[..., indices[...], ...]: for each position along the other axes, its own indices."""
    arr, indices = array(arr), array(indices)
    if axis is None:
        arr, axis = bind(structure.reshape, (arr,), {"shape": (arr.size,)}), 0
    axis = axis_of(axis, arr.ndim, "take_along_axis")
    if indices.ndim != arr.ndim:
        raise ShapeError(
            f"take_along_axis: indices of shape {indices.shape} need as many "
            f"dimensions as the array of shape {arr.shape}."
        )
    grid = tuple(
        indices if k == axis else np.arange(n).reshape((-1,) + (1,) * (arr.ndim - 1 - k))
        for k, n in enumerate(arr.shape)
    )
    return getitem(arr, grid)


class At:
    """`x.at[index]`: functional updates, which leave x as it is.

    Where an index names an element more than once, `set` leaves the last value and the others
    apply all of them, in order, as NumPy's `ufunc.at` does.

    >>> import gradarg as ga, numpy as np
    >>> x = ga.Tensor([1.0, 2.0, 3.0])
    >>> x.at[0].set(10.0), x.at[[1, 1]].add(5.0)
    (Tensor([10.,  2.,  3.]), Tensor([ 1., 12.,  3.]))
    >>> x.at[[1, 1]].multiply(5.0), x.at[1:].min(2.5), x.at[:2].max(1.5)
    (Tensor([ 1., 50.,  3.]), Tensor([1. , 2. , 2.5]), Tensor([1.5, 2. , 3. ]))
    """

    __slots__ = ("_index", "_x")

    def __init__(self, x: Any, index: Any) -> None:
        self._x, self._index = x, index

    def set(self, values: Any) -> Any:
        """A copy of x with x[index] = values."""
        return changed(self._x, self._index, values)

    def add(self, values: Any) -> Any:
        """A copy of x with values added at the index."""
        return changed(self._x, self._index, values, namespace.add)

    def multiply(self, values: Any) -> Any:
        """A copy of x multiplied by values at the index."""
        return changed(self._x, self._index, values, namespace.multiply)

    def min(self, values: Any) -> Any:
        """A copy of x with the smaller of x and values at the index."""
        return changed(self._x, self._index, values, namespace.minimum)

    def max(self, values: Any) -> Any:
        """A copy of x with the larger of x and values at the index."""
        return changed(self._x, self._index, values, namespace.maximum)


class AtIndexer:
    """What `x.at` returns, to be indexed."""

    __slots__ = ("_x",)

    def __init__(self, x: Any) -> None:
        self._x = x

    def __getitem__(self, index: Any) -> At:
        return At(self._x, index)
