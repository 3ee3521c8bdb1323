"""Functions of windows that move over an array: convolution and pooling, over any spatial axes.

Images are (N, C, *S), weights (O, C / groups, *K). Along a spatial axis the output o meets the
input i at the place k of the window where

    i = o * stride + k * dilation - padding[0],

and inputs beyond the ends, as far as padding says, are 0, or below all others for a maximum.
Parameters are normalised by the callers: a tuple with an entry for each spatial axis, that of
`padding` a pair.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from .._core.errors import ShapeError
from .._core.primitive import Primitive, bilinear, expose, general, linear
from .._core.trace import ShapeDtype, zeros
from .structure import reshape, transpose

Sizes = tuple[int, ...]
_PORTION = 1 << 22  # bytes of columns that are made at once: about what the caches hold


def output_sizes(size: Sizes, window: Sizes, stride: Any, padding: Any, dilation: Any) -> Sizes:
    """How many windows there are along each axis."""
    return tuple(
        (n + low + high - d * (k - 1) - 1) // s + 1
        for n, k, s, (low, high), d in zip(size, window, stride, padding, dilation)
    )


def overlaps(
    size: Sizes, window: Sizes, stride: Any, padding: Any, dilation: Any
) -> Iterator[tuple[Any, Any, Any]]:
    """For each place of the window: it, the outputs that meet an input there, and these inputs.

    All are indices that begin with the axes N and C.
    """
    out = output_sizes(size, window, stride, padding, dilation)
    axes = []
    for n, m, k, s, (low, _), d in zip(size, out, window, stride, padding, dilation):
        axis = []
        for place in range(k):
            shift = place * d - low
            first, last = max(0, -(shift // s)), min(m - 1, (n - 1 - shift) // s)
            if first <= last:
                inputs = slice(first * s + shift, last * s + shift + 1, s)
                axis.append((place, slice(first, last + 1), inputs))
        axes.append(axis)
    whole = slice(None), slice(None)
    for places in itertools.product(*axes):
        yield tuple((*whole, *some) for some in zip(*places))  # type: ignore[misc]


# ---- what each interpreter needs


def _joined(a: Any) -> Any:
    """The hidden axis and that of the images as one."""
    return reshape(a, shape=(a.shape[0] * a.shape[1], *a.shape[2:]))


def _merged(p: Primitive, n: int, mapped: Any, args: Any, k: Any) -> Any:
    """The batch rule of a function of images alone: more images."""
    if args[0] is args[-1]:  # of max_pool(x, x): they stay one
        rows = [_joined(args[0])] * len(args)
    else:
        rows = [_joined(a) for a in expose(n, mapped, args)]
    out = p(*rows, **k)
    return reshape(out, shape=(n, out.shape[0] // n, *out.shape[1:]))


def _batch(kinds: str) -> Any:
    """The batch rule by the kinds of the arguments and of the result: images "x", weights "w".

    More images where the weights are the same for all, else more groups.
    """

    def rule(p: Primitive, n: int, mapped: Any, args: Any, k: Any) -> Any:
        if kinds == "xwx" and not mapped[1]:
            out = p(_joined(args[0]), args[1], **k)
            return reshape(out, shape=(n, out.shape[0] // n, *out.shape[1:]))
        rows = []
        for kind, a in zip(kinds, expose(n, mapped, args)):
            first, second, *rest = a.shape[1:]
            if kind == "x":
                a = transpose(a, axes=(1, 0, *range(2, a.ndim)))
                rows.append(reshape(a, shape=(first, n * second, *rest)))
            else:
                rows.append(reshape(a, shape=(n * first, second, *rest)))
        out = p(*rows, **{**k, "groups": n * k["groups"]})
        first, second, *rest = out.shape
        if kinds[-1] == "w":
            return reshape(out, shape=(n, first // n, second, *rest))
        out = reshape(out, shape=(first, n, second // n, *rest))
        return transpose(out, axes=(1, 0, *range(2, out.ndim)))

    return rule


# ---- convolution. conv(x, w), conv_input(g, w) and conv_weight(x, g) are the three derivatives of
# ---- one trilinear form, the sum over images, channels, outputs and places of g[o] * w[k] * x[i]


def _columns(x: Any, window: Sizes, groups: int, **at: Any) -> Any:
    """The inputs of every window: (N, groups, C / groups * K, outputs)."""
    size = x.shape[2:]
    out = output_sizes(size, window, **at)
    columns = np.zeros((*x.shape[:2], *window, *out), x.dtype)
    for place, outputs, inputs in overlaps(size, window, **at):
        columns[(*place, *outputs[2:])] = x[inputs]
    return columns.reshape(len(x), groups, x.shape[1] // groups * math.prod(window), math.prod(out))


def _portions(x: Any, channels: int, window: Sizes, out: Sizes) -> Iterator[slice]:
    """Images by the few, so that their columns take no memory to speak of."""
    each = channels * math.prod(window) * math.prod(out) * x.dtype.itemsize
    step = max(1, _PORTION // max(each, 1))
    return (slice(n, n + step) for n in range(0, len(x), step))


def _flat(w: Any, groups: int) -> Any:
    return w.reshape(groups, len(w) // groups, -1)


def _conv(x: Any, w: Any, groups: int, **at: Any) -> Any:
    window, w = w.shape[2:], _flat(w, groups)
    out = output_sizes(x.shape[2:], window, **at)
    y = np.empty((len(x), *w.shape[:2], math.prod(out)), np.result_type(x, w))
    for some in _portions(x, x.shape[1], window, out):
        np.matmul(w, _columns(x[some], window, groups, **at), out=y[some])
    return y.reshape(len(x), w.shape[0] * w.shape[1], *out)


def _conv_input(g: Any, w: Any, size: Sizes, groups: int, **at: Any) -> Any:
    window, out, channels = w.shape[2:], g.shape[2:], w.shape[1] * groups
    back, n = _flat(w, groups).mT, len(g)
    x = np.zeros((n, channels, *size), np.result_type(g, w))
    for some in _portions(g, channels, window, out):
        columns = back @ g[some].reshape(-1, groups, back.shape[-1], math.prod(out))
        columns = columns.reshape(-1, channels, *window, *out)
        part = x[some]
        for place, outputs, inputs in overlaps(size, window, **at):
            part[inputs] += columns[(*place, *outputs[2:])]
    return x


def _conv_weight(x: Any, g: Any, size: Sizes, groups: int, **at: Any) -> Any:
    outputs, channels = g.shape[1] // groups, x.shape[1] // groups
    w = np.zeros((groups, outputs, channels * math.prod(size)), np.result_type(x, g))
    for some in _portions(x, x.shape[1], size, g.shape[2:]):
        columns = _columns(x[some], size, groups, **at)
        rows = g[some].reshape(len(columns), groups, outputs, -1)
        w += (rows @ columns.mT).sum(0)
    return w.reshape(g.shape[1], channels, *size)


def _sized(x: Any) -> Sizes:
    return tuple(x.shape[2:])


def _conv_shape(x: Any, w: Any, groups: int, **at: Any) -> ShapeDtype:
    if x.ndim != w.ndim or x.shape[1] != w.shape[1] * groups or w.shape[0] % groups:
        raise ShapeError(
            f"conv: images of shape {x.shape} and weights of shape {w.shape} do not fit in "
            f"{groups} groups: these are (N, C, ...) and (O, C / groups, ...), O a multiple of it."
        )
    out = output_sizes(_sized(x), _sized(w), **at)
    return ShapeDtype((x.shape[0], w.shape[0], *out), np.result_type(x.dtype, w.dtype))


conv: Primitive = bilinear(
    "conv",
    _conv,
    lambda g, _o, _x, w, **k: conv_input(g, w, size=_sized(_x), **k),
    lambda g, _o, x, _w, **k: conv_weight(x, g, size=_sized(_w), **k),
    batch=_batch("xwx"),
    shape=_conv_shape,
)

conv_input: Primitive = bilinear(
    "conv_input",
    _conv_input,
    lambda c, _o, _g, w, size, **k: conv(c, w, **k),
    lambda c, _o, g, _w, size, **k: conv_weight(c, g, size=_sized(_w), **k),
    batch=_batch("xwx"),
    shape=lambda g, w, size, groups, **_: ShapeDtype(
        (g.shape[0], w.shape[1] * groups, *size), np.result_type(g.dtype, w.dtype)
    ),
)

conv_weight: Primitive = bilinear(
    "conv_weight",
    _conv_weight,
    lambda c, _o, _x, g, size, **k: conv_input(g, c, size=_sized(_x), **k),
    lambda c, _o, x, _g, size, **k: conv(x, c, **k),
    batch=_batch("xxw"),
    shape=lambda x, g, size, groups, **_: ShapeDtype(
        (g.shape[1], x.shape[1] // groups, *size), np.result_type(x.dtype, g.dtype)
    ),
)

# ---- sums over windows, and back


def _pooled(x: Any, *_: Any, window: Sizes, **at: Any) -> ShapeDtype:
    return ShapeDtype((*x.shape[:2], *output_sizes(_sized(x), window, **at)), x.dtype)


def _unpooled(g: Any, *_: Any, size: Sizes, **_at: Any) -> ShapeDtype:
    return ShapeDtype((*g.shape[:2], *size), g.dtype)


def _sum_pool(x: Any, window: Sizes, **at: Any) -> Any:
    size = _sized(x)
    y = np.zeros((*x.shape[:2], *output_sizes(size, window, **at)), x.dtype)
    for _, outputs, inputs in overlaps(size, window, **at):
        y[outputs] += x[inputs]
    return y


def _sum_unpool(g: Any, size: Sizes, window: Sizes, **at: Any) -> Any:
    x = np.zeros((*g.shape[:2], *size), g.dtype)
    for _, outputs, inputs in overlaps(size, window, **at):
        x[inputs] += g[outputs]
    return x


sum_pool: Primitive = linear(
    "sum_pool",
    _sum_pool,
    lambda g, x, **k: sum_unpool(g, size=_sized(x), **k),
    batch=_merged,
    shape=_pooled,
)

sum_unpool: Primitive = linear(
    "sum_unpool",
    _sum_unpool,
    lambda c, _g, size, **k: sum_pool(c, **k),
    batch=_merged,
    shape=_unpooled,
)

# ---- of each window the t where x is largest, at the first such place; and back. The choice is
# ---- constant in x, and the maximum is max_pool(x, stop_gradient(x))


def _lowest(dtype: Any) -> Any:
    return -np.inf if dtype.kind == "f" else False if dtype.kind == "b" else np.iinfo(dtype).min


def _largest(x: Any, window: Sizes, **at: Any) -> Any:
    """The maximum over each window."""
    y = np.full((*x.shape[:2], *output_sizes(_sized(x), window, **at)), _lowest(x.dtype), x.dtype)
    for _, outputs, inputs in overlaps(_sized(x), window, **at):
        np.maximum(y[outputs], x[inputs], out=y[outputs])
    return y


def _chosen(x: Any, window: Sizes, **at: Any) -> Any:
    """Where the maximum of each window is: (N, C, outputs), places in the plane; -1 for none.

    The first of equal numbers; of several NaN the last.
    """
    best, size = _largest(x, window, **at), _sized(x)
    numbers = np.arange(math.prod(size)).reshape(1, 1, *size)
    chosen = np.full(best.shape, -1)
    places = list(overlaps(size, window, **at))
    for _, outputs, inputs in reversed(places):
        np.copyto(chosen[outputs], numbers[inputs], where=x[inputs] == best[outputs])
    if np.isnan(best).any():
        for _, outputs, inputs in places:
            np.copyto(chosen[outputs], numbers[inputs], where=np.isnan(x[inputs]))
    return chosen.reshape(*x.shape[:2], math.prod(best.shape[2:]))


def _max_pool(t: Any, x: Any, window: Sizes, **at: Any) -> Any:
    if t is x:
        return _largest(x, window, **at)
    chosen = _chosen(x, window, **at)
    flat = t.reshape(*t.shape[:2], math.prod(t.shape[2:]))
    y = np.where(chosen < 0, 0, np.take_along_axis(flat, chosen, 2)).astype(t.dtype, copy=False)
    return y.reshape(*t.shape[:2], *output_sizes(_sized(x), window, **at))


def _max_unpool(g: Any, x: Any, size: Sizes, window: Sizes, **at: Any) -> Any:
    chosen, wide = _chosen(x, window, **at).reshape(-1), math.prod(size)
    planes = np.repeat(np.arange(x.shape[0] * x.shape[1]) * wide, math.prod(g.shape[2:]))
    there = chosen >= 0
    t = np.zeros(x.size, g.dtype)
    np.add.at(t, (planes + chosen)[there], g.reshape(-1)[there])
    return t.reshape(x.shape)


def _constant(_g: Any, _o: Any, _t: Any, _x: Any, **_k: Any) -> Any:
    return zeros(_x)


max_pool: Primitive = general(
    "max_pool",
    _max_pool,
    vjp=(lambda g, _o, _t, x, **k: max_unpool(g, x, size=_sized(x), **k), _constant),
    jvp=lambda ts, o, _t, x, **k: zeros(o) if ts[0] is None else max_pool(ts[0], x, **k),
    batch=_merged,
    shape=_pooled,
)

max_unpool: Primitive = general(
    "max_unpool",
    _max_unpool,
    vjp=(lambda c, _o, _g, x, size, **k: max_pool(c, x, **k), _constant),
    jvp=lambda ts, o, _g, x, **k: zeros(o) if ts[0] is None else max_unpool(ts[0], x, **k),
    batch=_merged,
    shape=_unpooled,
)
