"""Views and writes: a tensor that is written to, and those that share its memory in NumPy.

Values never change under the graph: a write makes a new value, and the tensor *becomes* it, with
the graph of the new one. What shares memory in NumPy must change together, so a view remembers its
base and how it was taken, and a base its views, weakly. A write into a view goes back through its
bases, by the inverse of how each view was taken, to the one that is no view; then all living views
of that one are taken anew. So `x[i] = v` means what it means in NumPy, and any derivative of it is
that of the same program written without assignment.

Whether a reshaped array is a view depends in NumPy on its layout in memory. Where that is not known
(inside vmap and stage), a write that would need to know is refused.

A tensor of shape () that is no view is as immutable as NumPy's own numbers: `x += 1` gives a new
one.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core.errors import ImmutableError, ShapeError
from .._core.primitive import Primitive
from .._core.tape import EAGER, Leaf
from .._core.trace import Box, bind, box, recorded
from .._ops import elementwise, structure

Take = Callable[..., Any]  # how a view is taken: a primitive, or a function of NumPy's


class Views(list[weakref.ref[Box]]):
    """The views of a tensor that is none itself, in the order in which they were taken."""

    limit = 32  # where the dead are cleared out

    def clear_out(self) -> None:
        self[:] = [r for r in self if r() is not None]
        self.limit = max(32, 2 * len(self))


def view(primitive: Primitive, x: Any, params: dict[str, Any]) -> Any:
    """The result of a primitive that gives a view of x in NumPy."""
    out = bind(primitive, (x,), params)
    if isinstance(x, Box) and isinstance(out, Box) and out is not x:
        link(out, x, primitive, params)
    return out


def link(out: Box, x: Box, take: Take, params: dict[str, Any]) -> None:
    """Note that out is a view of x: `take(x, **params)`."""
    up = getattr(x, "_base", None)  # every index and transpose passes here: few calls
    if up.__class__ is tuple:
        root = up[1]
    elif len(x._inner.shape) == x._trace.hidden:  # a number, which never changes
        return
    else:
        root = x
    shared = take is not structure.reshape or _shares(out, x)
    if shared is False:
        return
    views = getattr(root, "_views", None)
    if views is None:
        views = root._views = Views()
    views.append(weakref.ref(out))
    if len(views) > views.limit:
        views.clear_out()
    # where it is not known to be a view, the base need not live for it
    out._base = (x, root, take, params) if shared else weakref.ref(root)


def base_of(x: Box) -> tuple[Any, Any, Take, dict[str, Any]] | None:
    """(base, the base that is no view, take, params) of a view; None of any other tensor."""
    found = getattr(x, "_base", None)
    return found if found.__class__ is tuple else None


def is_array(x: Any) -> bool:
    """Whether a tensor of shape () can be written to: a view or a parameter, not a number."""
    return base_of(x) is not None or _is_parameter(x)


def _is_parameter(x: Any) -> bool:
    return x._trace.eager and isinstance(x._node, Leaf)


def _shares(out: Box, x: Box) -> bool | None:
    """Whether a reshaped array is a view, as it is in NumPy; None where that is not known."""
    new, old = out.shape, x.shape  # type: ignore[attr-defined]
    if [n for n in new if n != 1] == [n for n in old if n != 1]:
        return True
    a, b = _array_in(out), _array_in(x)
    if a is None or b is None:
        return None
    return not any(b.strides) or bool(np.may_share_memory(a, b))  # without strides: one number


def _array_in(x: Any) -> Any:
    while isinstance(x, Box):
        if x._trace.hidden:
            return None
        x = x._inner
    return x if isinstance(x, (np.ndarray, np.generic)) else None


# ---- what the base becomes when a view of it has become v

_INVERSES: dict[Take, Any] = {
    structure.getitem: lambda base, v, index: bind(structure.put, (base, v), {"index": index}),
    structure.reshape: lambda base, v, shape: bind(structure.reshape, (v,), {"shape": base.shape}),
    structure.transpose: lambda base, v, axes: bind(
        structure.transpose, (v,), {"axes": tuple(np.argsort(axes).tolist())}
    ),
    elementwise.real: lambda base, v: (
        v + bind(elementwise.imag, (base,)) * 1j if base.dtype.kind == "c" else v
    ),
    elementwise.imag: lambda base, v: bind(elementwise.real, (base,)) + v * 1j,
}


def store(x: Any, new: Any, call: str) -> None:
    """Write: x, and all that shares its memory, has the elements of `new` from now on."""
    target, value = x, _fitted(x, new, call)
    while (up := base_of(target)) is not None:
        base, _, take, params = up
        if take not in _INVERSES:
            name = getattr(take, "name", None) or take.__name__
            raise ImmutableError(
                f"{call} would write into the result of np.{name}, which is a read-only view. "
                "Write into a copy (y = y.copy()), or into the tensor that it is a view of."
            )
        target, value = base, _INVERSES[take](base, value, **params)
    _refuse_uncertain(target, call)
    _refuse_parameter(target, call)
    become(target, value)
    refresh(target)


def _fitted(x: Any, new: Any, call: str) -> Any:
    """`new` in the shape and dtype of x, if it fits as NumPy has it."""
    if not np.can_cast(new.dtype, x.dtype, "same_kind"):
        raise TypeError(
            f"{call}: values of {new.dtype} do not go into a tensor of {x.dtype} without loss. "
            f"Make the tensor of {new.dtype} first: x = x.astype({new.dtype})."
        )
    if new.shape != x.shape:
        try:
            fits = np.broadcast_shapes(new.shape, x.shape) == tuple(x.shape)
        except ValueError:
            fits = False
        if not fits:
            raise ShapeError(
                f"{call}: a result of shape {tuple(new.shape)} does not fit into a tensor of "
                f"shape {tuple(x.shape)}."
            )
        new = bind(structure.broadcast_to, (new,), {"shape": tuple(x.shape)})
    if new.dtype != x.dtype:
        kind = structure.astype if x.dtype.kind in "fc" else structure.truncate
        new = bind(kind, (new,), {"dtype": x.dtype})
    return new


def _refuse_uncertain(root: Any, call: str) -> None:
    """Reshaped tensors of which it is not known whether they share the memory of this one."""
    other = getattr(root, "_base", None)
    alive = other is not None and other() is not None
    for ref in getattr(root, "_views", ()):
        v = ref()
        alive = alive or (v is not None and base_of(v) is None)
    if alive:
        raise ImmutableError(
            f"{call}: inside {root._trace} it is not known whether this tensor and one reshaped "
            "from it share memory, as they may in NumPy, so a write into one of them has no "
            "certain meaning. Write into a copy: y = x.reshape(...).copy()."
        )


def _refuse_parameter(x: Any, call: str) -> None:
    if _is_parameter(x) and x._trace.recording:
        raise ImmutableError(
            f"{call} would change in place a tensor with requires_grad=True, and its .grad would "
            "no longer be that of what you made. Write into a copy (y = x.copy(); y[i] = v), or, "
            "for a step of training, set x.value or write within `with ga.no_grad():`."
        )


def become(x: Any, new: Any) -> None:
    """Let x be the value of `new`, with its graph; a leaf stays the leaf it is."""
    if not isinstance(new, Box):
        new = constant_tensor(np.array(new))
    if not _is_parameter(x):
        x._inner, x._trace, x._node = new._inner, new._trace, new._node
        return
    if new._trace.level > x._trace.level:
        raise ImmutableError(
            f"A value of {new._trace} cannot be written into a tensor with requires_grad=True "
            "that lives on outside of it. Return the value instead."
        )
    x._inner = new._inner if new._trace is x._trace else x._trace.lower(new)


def constant_tensor(array: Any) -> Any:
    """An array that nobody else writes to, as a tensor without derivative: it may be written to."""
    if array.ndim:
        array.flags.writeable = False
    return box(array if array.ndim else array[()], EAGER, None)


def refresh(root: Any) -> None:
    """Take the living views of a tensor anew. Their derivative is recorded where the base's is."""
    with recorded():
        for ref in list(getattr(root, "_views", ())):
            v: Any = ref()
            up = None if v is None else base_of(v)
            if up is not None:
                base, _, take, params = up
                become(v, take(base, **params))
