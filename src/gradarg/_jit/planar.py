"""Convolution channels first, for few channels: the vectors hold pixels.

A band is copied with its padding, each channel a plane of its own, whose rows are taken as one: a
window's place is then a distance. What this computes at the end of a row, where windows reach into
the next, is left out when the result is copied.
"""

from __future__ import annotations

import itertools
import math

from .bands import Plan, bands, group, scratch
from .loops import KERNEL, Function, microkernel, module

_FEW = 8  # channels: of the result, or of the image; with more, channels fill the vectors
_ROWS = 8


def serves(plan: Plan) -> bool:
    """Whether this way is the faster one."""
    s = plan.spec
    plain = s.stride == s.spread == (1, 1) and plan.band * plan.line >= plan.width
    return plain and (s.outputs <= _FEW or s.channels <= _FEW // 2)


def convolution(plan: Plan) -> tuple[str, int]:
    """The module of a convolution y(x, w), w as it is, and the bytes that a thread needs."""
    s, n, line = plan.spec, plan.width, plan.line
    rows = max(r for r in range(1, _ROWS + 1) if s.outputs % r == 0)
    pixels = plan.band * line
    vectors = max(1, min((plan.registers.count - 2) // (rows + 1), 8, pixels // n))
    places = math.prod(s.places)
    plane = plan.lines(plan.band) * line
    levels = [
        (s.channels, places, plane),
        (s.places[0], s.places[1], s.dilation[0] * line),
        (s.places[1], 1, s.dilation[1]),
    ]
    kernel = microkernel(
        "kernel", s.dtype, (rows, vectors, n), s.channels * places, levels, pixels, False
    )
    f = Function("k", KERNEL, s.dtype, internal=False)
    x, w, y = (f.argument(k) for k in range(3))
    # the last windows reach past the last plane
    held = s.channels * plane + n + s.dilation[1] * s.places[1], s.outputs * pixels
    image, result = scratch(f, *held)
    for i, row in bands(f, plan, True):
        own = f.at(w, (group(f, plan, i), s.outputs * s.channels * places))
        with f.loop(0, s.channels) as c:
            source = f.at(x, (i, s.channels * math.prod(s.size)), (c, math.prod(s.size)))
            to = f.at(image, (c, plane))
            f.call("plane", ("ptr", source), ("ptr", to), ("i64", f.index(row, -s.low[0])))
        with f.loop(0, s.outputs, rows) as o, f.blocks(pixels, vectors * n) as p:
            a, b = f.at(own, (o, s.channels * places)), f.at(image, (p, 1))
            c = f.at(result, (o, pixels), (p, 1))
            f.call("kernel", ("ptr", a), ("ptr", b), ("ptr", c), ("i64", 0))
        with f.loop(0, s.outputs) as o, f.loop(0, plan.band) as r:
            to = f.at(y, (i, s.outputs * math.prod(s.out)), (o, math.prod(s.out)),
                      (row, s.out[1]), (r, s.out[1]))  # fmt: skip
            f.copy(f.at(result, (o, pixels), (r, line)), to, s.out[1])
    return module([_plane(plan), kernel, f]), sum(held) * f.bits // 8 + 256


def gives_weights(plan: Plan) -> bool:
    """Whether this way is the faster one to the gradient by the weights."""
    s = plan.spec
    return s.stride == (1, 1) and s.outputs <= _FEW // 2


def gradient(plan: Plan) -> tuple[str, int, tuple[int, ...]]:
    """The module of the weight gradient dw(x, g), the bytes a thread needs, the sums' shape.

    The cotangents, with zeros between their rows, meet the image at a distance for each place.
    """
    s, n, line = plan.spec, plan.width, plan.line
    plane, reach = plan.lines(plan.band) * line, n + s.dilation[1] * s.places[1]
    held = s.channels * plane + reach, plan.band * line + n
    shape = s.groups, *s.places, s.channels, plan.padded
    f = Function("k", KERNEL, s.dtype, internal=False)
    x, g = f.argument(0), f.argument(1)
    image, cotangents = scratch(f, *held)
    f.zero(f.at(image, s.channels * plane), reach)
    for i, row in bands(f, plan, False):
        sums = f.at("%ends", (group(f, plan, i), math.prod(shape[1:])))
        rows = f.smaller(plan.band, f.index((row, -1), s.out[0]))
        with f.loop(0, s.channels) as c:
            source = f.at(x, (i, s.channels * math.prod(s.size)), (c, math.prod(s.size)))
            to = f.at(image, (c, plane))
            f.call("plane", ("ptr", source), ("ptr", to), ("i64", f.index(row, -s.low[0])))
        with f.loop(0, s.outputs) as o:
            with f.loop(0, rows) as r:
                source = f.at(g, (i, s.outputs * math.prod(s.out)), (o, math.prod(s.out)),
                              (row, s.out[1]), (r, s.out[1]))  # fmt: skip
                to = f.at(cotangents, (r, line))
                f.copy(source, to, s.out[1])
                f.zero(f.at(to, s.out[1]), line - s.out[1])
            f.zero(f.at(cotangents, (rows, line)), n)
            with f.loop(0, s.channels) as c:
                f.call(
                    "products", ("ptr", f.at(image, (c, plane))), ("ptr", cotangents),
                    ("ptr", f.at(sums, (c, plan.padded), o)), ("i64", f.index((rows, line))),
                )  # fmt: skip
    return module([_plane(plan), _products(plan), f]), sum(held) * f.bits // 8 + 256, shape


def _products(plan: Plan) -> Function:
    """What each place of the window adds up to, for one channel and one of the result."""
    s, n = plan.spec, plan.width
    f = Function("products", "ptr noalias %x, ptr noalias %g, ptr noalias %to, i64 %count", s.dtype)
    places = list(itertools.product(*map(range, s.places)))
    most, vector = plan.registers.count - 4, f.vector(n)
    for first in range(0, len(places), most):
        some = places[first : first + most]
        sums = [f.slot(vector) for _ in some]
        for total in sums:
            f.line(f"store {vector} zeroinitializer, ptr {total}")
        with f.loop(0, "%count", n) as p:
            y = f.load(f.at("%g", (p, 1)), n)
            for (i, j), total in zip(some, sums):
                at = f.at("%x", (p, 1), i * s.dilation[0] * plan.line + j * s.dilation[1])
                old = f.let(f"load {vector}, ptr {total}")
                f.line(f"store {vector} {f.multiply_add(f.load(at, n), y, old, n)}, ptr {total}")
        for k, total in enumerate(sums, first):
            to = f.at("%to", k * s.channels * plan.padded)
            x = f.total(f.let(f"load {vector}, ptr {total}"), n)
            f.store(f.op("fadd", f.load(to), x), to)
    return f


def _plane(plan: Plan) -> Function:
    """The rows of one channel that a band needs, with their padding."""
    s, line = plan.spec, plan.line
    f = Function("plane", "ptr noalias %x, ptr noalias %to, i64 %first", s.dtype)
    begin = max(0, s.low[1])
    least = begin - s.low[1]
    end = max(least, min(s.size[1], line - s.low[1]))
    after = begin + end - least
    with f.loop(0, plan.lines(plan.band)) as r:
        row, to = f.let(f"add i64 {r}, %first"), f.at("%to", (r, line))
        inside = f.let(f"icmp ult i64 {row}, {s.size[0]}")
        with f.when(f.let(f"xor i1 {inside}, true")):
            f.zero(to, line)
        with f.when(inside):
            if begin:
                f.zero(to, min(begin, line))
            if end > least:
                f.copy(f.at("%x", (row, s.size[1]), least), f.at(to, begin), end - least)
            if after < line:
                f.zero(f.at(to, after), line - after)
    return f
