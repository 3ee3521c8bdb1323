"""Samples of convolution and pooling: each written out as the sum or choice that it is."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from gradarg._ops import window
from tests.ops.sample import Sample, complex_values, reversed_values, values


def _meetings(size: Any, places: Any, stride: Any, padding: Any, dilation: Any) -> Iterator[Any]:
    """(output, place, input), each an index along all spatial axes."""
    out = window.output_sizes(size, places, stride, padding, dilation)
    for o in itertools.product(*map(range, out)):
        for k in itertools.product(*map(range, places)):
            at = zip(o, k, stride, padding, dilation, size)
            i = [a * s + b * d - low for a, b, s, (low, _), d, _n in at]
            if all(0 <= a < n for a, n in zip(i, size)):
                yield (slice(None), *o), k, (slice(None), *i)


def _trilinear(x: Any, w: Any, g: Any, groups: int, **at: Any) -> Any:
    """The three arrays, with g, w and x summed into that which is zero."""
    outs, ins = w.shape[0] // groups, w.shape[1]
    for group in range(groups):
        ws = w[group * outs : (group + 1) * outs]
        xs = x[:, group * ins : (group + 1) * ins]
        gs = g[:, group * outs : (group + 1) * outs]
        for o, k, i in _meetings(x.shape[2:], w.shape[2:], **at):
            yield gs[(slice(None), *o)], ws[(..., *k)], xs[(slice(None), *i)]


def _conv(x: Any, w: Any, **k: Any) -> Any:
    at = {n: v for n, v in k.items() if n != "groups"}
    out = window.output_sizes(x.shape[2:], w.shape[2:], **at)
    y = np.zeros((len(x), len(w), *out), np.result_type(x, w))
    for g, v, u in _trilinear(x, w, y, **k):
        g += u @ v.T
    return y


def _conv_input(g: Any, w: Any, size: Any, **k: Any) -> Any:
    x = np.zeros((len(g), w.shape[1] * k["groups"], *size), np.result_type(g, w))
    for c, v, u in _trilinear(x, w, g, **k):
        u += c @ v
    return x


def _conv_weight(x: Any, g: Any, size: Any, **k: Any) -> Any:
    w = np.zeros((g.shape[1], x.shape[1] // k["groups"], *size), np.result_type(x, g))
    for c, v, u in _trilinear(x, w, g, **k):
        v += c.T @ u
    return w


def _sum_pool(x: Any, window: Any, **at: Any) -> Any:
    return _pool(np.sum, x, x, window, **at)


def _sum_unpool(g: Any, size: Any, window: Any, **at: Any) -> Any:
    x = np.zeros((*g.shape[:2], *size), g.dtype)
    for o, _, i in _meetings(size, window, **at):
        x[(slice(None), *i)] += g[(slice(None), *o)]
    return x


def _pool(how: Any, t: Any, x: Any, places: Any, **at: Any) -> Any:
    y = np.zeros((*x.shape[:2], *window.output_sizes(x.shape[2:], places, **at)), t.dtype)
    for o, met in itertools.groupby(_meetings(x.shape[2:], places, **at), lambda m: m[0]):
        inputs = [i for _, _, i in met]
        ts, xs = (np.stack([a[(slice(None), *i)] for i in inputs]) for a in (t, x))
        if how is np.sum:
            y[(slice(None), *o)] = ts.sum(0)
        else:
            y[(slice(None), *o)] = np.take_along_axis(ts, np.argmax(xs, 0)[None], 0)[0]
    return y


def _max_pool(t: Any, x: Any, window: Any, **at: Any) -> Any:
    return _pool(np.max, t, x, window, **at)


def _max_unpool(g: Any, x: Any, size: Any, window: Any, **at: Any) -> Any:
    t = np.zeros(x.shape, g.dtype)
    basis = np.eye(int(np.prod(size))).reshape(-1, *size)
    for b in basis:  # the transpose, by its matrix
        spread = np.broadcast_to(b, x.shape).astype(g.dtype)
        picked = _max_pool(spread, x, window, **at) * g
        t += b * picked.sum(tuple(range(2, g.ndim))).reshape(*g.shape[:2], *[1] * (x.ndim - 2))
    return t


def _at(stride: Any, padding: Any, dilation: Any = None) -> dict[str, Any]:
    return {"stride": stride, "padding": padding, "dilation": dilation or (1,) * len(stride)}


def samples() -> Iterator[Sample]:
    none = ((0, 0), (0, 0))
    for note, x, w, at, groups in (
        ("1d", values((2, 3, 7)), values((2, 3, 3)), _at((2,), ((1, 0),)), 1),
        ("2d", values((1, 2, 4, 5)), values((3, 2, 3, 2)), _at((1, 2), ((1, 2), (0, 1))), 1),
        ("dilated", values((2, 1, 6, 5)), values((2, 1, 2, 3)), _at((1, 1), none, (3, 2)), 1),
        ("groups", values((2, 4, 3, 3)), values((6, 2, 2, 2)), _at((1, 1), none), 2),
        ("3d", values((1, 1, 2, 3, 3)), values((2, 1, 2, 1, 2)), _at((1,) * 3, ((0, 1),) * 3), 1),
        ("no images", values((0, 2, 4)), values((2, 2, 3)), _at((1,), ((1, 1),)), 1),
        ("unmet", values((1, 1, 5)), values((1, 1, 2)), _at((3,), ((0, 0),)), 1),
        ("reversed", reversed_values((2, 2, 4)), reversed_values((2, 2, 2)),
         _at((1,), ((1, 0),)), 1),
        ("complex", complex_values((1, 2, 4)), values((2, 1, 2)), _at((1,), ((0, 1),)), 2),
    ):  # fmt: skip
        k = {**at, "groups": groups}
        yield Sample(window.conv, _conv, (x, w), k, note)
        out = window.output_sizes(x.shape[2:], w.shape[2:], **at)
        g = values((len(x), len(w), *out))
        sized = {**k, "size": x.shape[2:]}
        yield Sample(window.conv_input, _conv_input, (g, w), sized, note)
        sized = {**k, "size": w.shape[2:]}
        yield Sample(window.conv_weight, _conv_weight, (x, g), sized, note)
    for note, x, places, at in (
        ("1d", values((2, 2, 7)), (3,), _at((2,), ((1, 0),))),
        ("2d", values((1, 2, 4, 5)), (3, 2), _at((1, 2), ((1, 1), (0, 1)))),
        ("dilated", values((1, 1, 6, 5)), (2, 3), _at((1, 1), none, (3, 2))),
        ("3d", values((1, 1, 2, 3, 3)), (2, 1, 2), _at((1,) * 3, ((0, 1),) * 3)),
        ("gaps", reversed_values((2, 1, 6)), (2,), _at((3,), ((0, 0),))),
        ("no images", values((0, 2, 4)), (2,), _at((2,), ((0, 0),))),
    ):
        k = {**at, "window": places}
        y = window.sum_pool(x, **k)
        g = values(y.shape)
        yield Sample(window.sum_pool, _sum_pool, (x,), k, note)
        yield Sample(window.sum_unpool, _sum_unpool, (g,), {**k, "size": x.shape[2:]}, note)
        yield Sample(window.max_pool, _max_pool, (values(x.shape), x), k, note)
        yield Sample(window.max_unpool, _max_unpool, (g, x), {**k, "size": x.shape[2:]}, note)
