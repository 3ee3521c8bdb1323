"""Moving, repeating and selecting elements. Every row is linear; adjoint pairs stand together.

Parameters are normalised by the callers: axes are tuples of non-negative integers, shapes are
tuples without -1, indices are tuples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._core.errors import ShapeError
from .._core.primitive import Each, Primitive, constant, expose, general, linear, probe
from .._core.trace import ShapeDtype, zeros

Shape = tuple[int, ...]
Axes = tuple[int, ...]


def keep(g: Any, axis: Axes, ndim: int) -> Any:
    """A reduced array with its reduced axes back, of length one."""
    shape = list(g.shape)
    for a in axis:
        shape.insert(a, 1)
    return reshape(g, shape=tuple(shape)) if ndim else g


def shifted(axis: Axes) -> Axes:
    """Axes counted past the hidden one."""
    return tuple(a + 1 for a in axis)


# ---- sum and broadcast_to are each other's transpose


def constant_array(number: Any, shape: Shape) -> Any:
    """A read-only array of one number, of no size: all its strides are zero."""
    x = np.asarray(number)
    out = np.ndarray(shape, x.dtype, x, strides=(0,) * len(shape))
    out.flags.writeable = False
    return out


def _broadcast(x: Any, shape: Shape) -> Any:
    # np.broadcast_to takes microseconds even for one number
    return np.broadcast_to(x, shape) if np.ndim(x) else constant_array(x, shape)


def _sum_broadcast(g: Any, x: Any, shape: Shape) -> Any:
    lead = len(shape) - x.ndim
    axis = tuple(i for i in range(len(shape)) if i < lead or x.shape[i - lead] != shape[i])
    return reshape(sum(g, axis=axis), shape=x.shape)


def _batch_broadcast(p: Primitive, n: int, _m: Any, args: Any, k: Any) -> Any:
    (x,), shape = args, k["shape"]
    x = reshape(x, shape=(n,) + (1,) * (len(shape) - x.ndim + 1) + x.shape[1:])
    return p(x, shape=(n, *shape))


def _shape_broadcast(x: Any, shape: Shape) -> ShapeDtype:
    if np.broadcast_shapes(x.shape, shape) != shape:
        raise ShapeError(f"broadcast_to: {x.shape} does not broadcast to {shape}.")
    return ShapeDtype(shape, x.dtype)


def reduced(x: Any, axis: Axes, keepdims: bool) -> Shape:
    """The shape of x with some axes reduced."""
    if keepdims:
        return tuple(1 if i in axis else n for i, n in enumerate(x.shape))
    return tuple(n for i, n in enumerate(x.shape) if i not in axis)


def _sum_impl(x: Any, axis: Axes, keepdims: bool = False) -> Any:
    add: Any = np.add  # np.sum does the same after two microseconds of its own
    return add.reduce(x, axis=axis, keepdims=keepdims)


def batch_reduction(p: Primitive, _n: int, _m: Any, args: Any, k: dict[str, Any]) -> Any:
    return p(args[0], **{**k, "axis": shifted(k["axis"])})


broadcast_to: Primitive = linear(
    "broadcast_to", _broadcast, _sum_broadcast, batch=_batch_broadcast, shape=_shape_broadcast
)

sum: Primitive = linear(
    "sum",
    _sum_impl,
    lambda g, x, axis, keepdims=False: broadcast_to(
        g if keepdims else keep(g, axis, x.ndim), shape=x.shape
    ),
    batch=batch_reduction,
    shape=lambda x, axis, keepdims=False: ShapeDtype(
        reduced(x, axis, keepdims), probe(_sum_impl, x, axis=axis)
    ),
)

# ---- reshape, transpose and astype are undone by themselves

reshape: Primitive = linear(
    "reshape",
    lambda x, shape: np.asarray(x).reshape(shape),
    lambda g, x, shape: reshape(g, shape=x.shape),
    batch=lambda p, n, m, args, k: p(args[0], shape=(n, *k["shape"])),
    shape=lambda x, shape: ShapeDtype(shape, x.dtype),
)

transpose: Primitive = linear(
    "transpose",
    lambda x, axes: np.asarray(x).transpose(axes),
    lambda g, x, axes: transpose(g, axes=tuple(sorted(range(len(axes)), key=axes.__getitem__))),
    batch=lambda p, n, m, args, k: p(args[0], axes=(0, *shifted(k["axes"]))),
    shape=lambda x, axes: ShapeDtype([x.shape[a] for a in axes], x.dtype),
)

astype: Primitive = linear(
    "astype",
    lambda x, dtype: np.asarray(x).astype(dtype),
    lambda g, x, dtype: g,  # the backward walk casts each cotangent to its value's dtype
    batch=lambda p, n, m, args, k: p(args[0], **k),
    shape=lambda x, dtype: ShapeDtype(x.shape, dtype),
)

truncate = constant("astype", lambda x, dtype: np.asarray(x).astype(dtype))  # to integers, bools

stop_gradient = constant("stop_gradient", lambda x: x)

ones_like = constant("ones_like", lambda x: np.ones(np.shape(x), x.dtype)[()])

# ---- basic indexing (slices, integers, None, ...) and placing into zeros


def _place(g: Any, index: Any, shape: Shape) -> Any:
    out = np.zeros(shape, np.asarray(g).dtype)
    out[index] = g
    return out


def _inner(index: Any) -> Any:
    return (slice(None), *index)


getitem: Primitive = linear(
    "getitem",
    lambda x, index: x[index],
    lambda g, x, index: place(g, index=index, shape=x.shape),
    batch=lambda p, n, m, args, k: p(args[0], index=_inner(k["index"])),
    shape=lambda x, index: ShapeDtype(constant_array(False, x.shape)[index].shape, x.dtype),
)

place: Primitive = linear(
    "place",
    _place,
    lambda g, x, index, shape: getitem(g, index=index),
    batch=lambda p, n, m, args, k: p(args[0], index=_inner(k["index"]), shape=(n, *k["shape"])),
    shape=lambda x, index, shape: ShapeDtype(shape, x.dtype),
)

# ---- gather: x[i, j, ...] with integer arrays on the leading axes; and adding back into zeros

INDICES = frozenset(range(1, 65))  # what their rules read; NumPy has at most 64 axes


def _gather_impl(x: Any, *indices: Any) -> Any:
    return x[indices]


def _scatter_impl(g: Any, *indices: Any, shape: Shape) -> Any:
    out = np.zeros(shape, np.asarray(g).dtype)
    np.add.at(out, indices, g)
    return out


def _batch_indices(n: int, mapped: Sequence[bool], indices: Sequence[Any]) -> tuple[Any, list[Any]]:
    """Index arrays broadcast together behind the hidden axis, and the index of that axis."""
    rank = max(np.ndim(i) - m for i, m in zip(indices, mapped))
    rows = np.arange(n).reshape((n,) + (1,) * rank)
    return rows, [
        reshape(i, shape=(n,) + (1,) * (rank - i.ndim + 1) + i.shape[1:]) if m else i
        for i, m in zip(indices, mapped)
    ]


def _move(x: Any, source: int, target: int) -> Any:
    axes = [a for a in range(x.ndim) if a != source]
    axes.insert(target, source)
    return transpose(x, axes=tuple(axes))


def _index_rank(indices: Sequence[Any]) -> int:
    return max(np.ndim(i) for i in indices)


def _batch_gather(p: Primitive, n: int, mapped: Any, args: Any, _k: Any) -> Any:
    x, *indices = args
    if not mapped[0]:
        return p(x, *_batch_indices(n, mapped[1:], indices)[1])
    if any(mapped[1:]):
        rows, indices = _batch_indices(n, mapped[1:], indices)
        return p(x, rows, *indices)
    return _move(p(_move(x, 0, len(indices)), *indices), _index_rank(indices), 0)


def _batch_scatter(p: Primitive, n: int, mapped: Any, args: Any, k: Any) -> Any:
    g, *indices = args
    if any(mapped[1:]):
        rows, indices = _batch_indices(n, mapped[1:], indices)
        (g,) = expose(n, mapped[:1], [g])
        return p(g, rows, *indices, shape=(n, *k["shape"]))
    count = len(indices)
    g = _move(g, 0, _index_rank(indices))
    shape = (*k["shape"][:count], n, *k["shape"][count:])
    return _move(p(g, *indices, shape=shape), count, 0)


gather: Primitive = general(
    "gather",
    _gather_impl,
    vjp=Each(lambda i, g, _o, x, *idx: scatter_add(g, *idx, shape=x.shape), reads=INDICES),
    jvp=lambda ts, _o, x, *idx: gather(ts[0], *idx),
    batch=_batch_gather,
    shape=lambda x, *idx: ShapeDtype(
        np.broadcast_shapes(*(i.shape for i in idx)) + x.shape[len(idx) :], x.dtype
    ),
)

scatter_add: Primitive = general(
    "scatter_add",
    _scatter_impl,
    vjp=Each(lambda i, g, _o, x, *idx, shape: gather(g, *idx), reads=INDICES),
    jvp=lambda ts, _o, x, *idx, shape: scatter_add(ts[0], *idx, shape=shape),
    batch=_batch_scatter,
    shape=lambda x, *idx, shape: ShapeDtype(shape, x.dtype),
)

# ---- joining and padding; slices undo both


def _concat_vjp(i: int, g: Any, _out: Any, *parts: Any, axis: int) -> Any:
    start = 0
    for part in parts[:i]:
        start += part.shape[axis]
    index = (slice(None),) * axis + (slice(start, start + parts[i].shape[axis]),)
    return getitem(g, index=index)


def _concat_jvp(tangents: Any, _out: Any, *parts: Any, axis: int) -> Any:
    filled = [zeros(p) if t is None else t for t, p in zip(tangents, parts)]
    return concatenate(*filled, axis=axis)


def _concat_shape(*parts: Any, axis: int) -> ShapeDtype:
    first = parts[0].shape
    for part in parts[1:]:
        if part.shape[:axis] + part.shape[axis + 1 :] != first[:axis] + first[axis + 1 :]:
            listed = ", ".join(str(p.shape) for p in parts)
            raise ShapeError(f"concatenate: the shapes {listed} differ beyond axis {axis}.")
    total = [*first]
    total[axis] = int(np.sum([p.shape[axis] for p in parts]))
    return ShapeDtype(total, np.result_type(*(p.dtype for p in parts)))


concatenate: Primitive = general(
    "concatenate",
    lambda *parts, axis: np.concatenate(parts, axis=axis),
    vjp=Each(_concat_vjp, reads=frozenset()),
    jvp=_concat_jvp,
    shape=_concat_shape,
    batch=lambda p, n, m, args, k: p(*expose(n, m, args), axis=k["axis"] + 1),
)


def _pad_impl(x: Any, widths: tuple[tuple[int, int], ...]) -> Any:
    out = np.zeros([lo + n + hi for n, (lo, hi) in zip(x.shape, widths)], x.dtype)
    out[tuple(slice(lo, lo + n) for n, (lo, _) in zip(x.shape, widths))] = x
    return out


pad: Primitive = linear(
    "pad",
    _pad_impl,
    lambda g, x, widths: getitem(
        g, index=tuple(slice(lo, lo + n) for n, (lo, _) in zip(x.shape, widths))
    ),
    batch=lambda p, n, m, args, k: p(args[0], widths=((0, 0), *k["widths"])),
    shape=lambda x, widths: ShapeDtype(
        [lo + n + hi for n, (lo, hi) in zip(x.shape, widths)], x.dtype
    ),
)

# ---- put and update: a copy of x in which some elements are replaced by v; linear in both


def _put_impl(x: Any, v: Any, index: Any) -> Any:
    out = np.array(x)
    out[index] = v
    return out


def _put_jvp(tangents: Any, _out: Any, x: Any, v: Any, *indices: Any, **params: Any) -> Any:
    tx, tv = (zeros(y) if t is None else t for t, y in zip(tangents, (x, v)))
    return put(tx, tv, **params) if params else update(tx, tv, *indices)


def _put_batch(p: Primitive, n: int, mapped: Any, args: Any, k: Any) -> Any:
    inner = _inner(k["index"])
    x, v = expose(n, mapped, args)
    rank = constant_array(False, x.shape)[inner].ndim
    v = reshape(v, shape=(n,) + (1,) * (rank - v.ndim) + v.shape[1:])
    return p(x, v, index=inner)


put: Primitive = general(
    "put",
    _put_impl,
    vjp=[
        lambda g, _o, _x, _v, index: put(g, np.zeros((), g.dtype), index=index),
        lambda g, _o, _x, _v, index: getitem(g, index=index),
    ],
    jvp=_put_jvp,
    batch=_put_batch,
    shape=lambda x, v, index: ShapeDtype(x.shape, x.dtype),
)


def _update_impl(x: Any, v: Any, *indices: Any) -> Any:
    return _put_impl(x, v, indices)


def _update_vjp(i: int, g: Any, _out: Any, x: Any, v: Any, *indices: Any) -> Any:
    if i == 0:
        return update(g, np.zeros((), g.dtype), *indices)
    g = gather(g, *indices)
    shape = np.broadcast_shapes(*(j.shape for j in indices))  # where an index repeats, the
    turn = np.arange(int(np.prod(shape))).reshape(shape)  # last value written stands
    winner = update(np.zeros(x.shape[: len(indices)], int), turn, *indices)
    stands = reshape(gather(winner, *indices) == turn, shape=shape + (1,) * (g.ndim - len(shape)))
    return np.where(stands, g, 0)


def _batch_update(p: Primitive, n: int, mapped: Any, args: Any, _k: Any) -> Any:
    x, v, *indices = args
    (x,) = expose(n, mapped[:1], [x])
    rank = x.ndim - 1 - len(indices) + max(np.ndim(i) - m for i, m in zip(indices, mapped[2:]))
    if mapped[1]:
        v = reshape(v, shape=(n,) + (1,) * (rank - v.ndim + 1) + v.shape[1:])
    rows, indices = _batch_indices(n, mapped[2:], indices)
    return p(x, v, rows, *indices)


update: Primitive = general(
    "update",
    _update_impl,
    vjp=Each(_update_vjp, reads=frozenset(range(2, 66))),
    jvp=_put_jvp,
    batch=_batch_update,
    shape=lambda x, v, *idx: ShapeDtype(x.shape, x.dtype),
)
