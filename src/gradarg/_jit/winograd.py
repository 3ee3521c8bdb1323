"""Convolution with windows of 3 x 3 by fewer products: Winograd's F(m x m, 3 x 3).

A tile of m x m results needs (m + 2)**2 products for each pair of channels, in place of 9 * m**2:

    y = A.T ((G w G.T) * (B.T x B)) A.

The sum over the channels is a product of matrices for each of the (m + 2)**2 places. As a function
of w it is linear, and its transpose is the gradient: G.T (the sum of (A g A.T) * (B.T x B)) G.
Lavin and Gray, Fast Algorithms for Convolutional Neural Networks (2016), section 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .bands import Plan, bands, group, pack, scratch, taken, unpack
from .loops import KERNEL, Function, microkernel, module

_TILES = 56  # at once, so that what they become stays in the processor's own cache

# By m: B.T, G and A.T
MATRICES: dict[int, tuple[list[list[float]], ...]] = {
    2: (
        [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]],
        [[1, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, -1 / 2, 1 / 2], [0, 0, 1]],
        [[1, 1, 1, 0], [0, 1, -1, -1]],
    ),
    4: (
        [
            [4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1],
        ],
        [
            [1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6],
            [1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1],
        ],
        [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]],
    ),
}  # fmt: skip
_LEAST = 16  # channels, in and out: with fewer, the transforms take longer than what they save


def tile(spec: Any, most: int) -> int:
    """The m that serves a convolution, at most the one allowed; 0: none does."""
    plain = (spec.places, spec.stride, spec.dilation, spec.spread) == ((3, 3), *[(1, 1)] * 3)
    if not plain or spec.dtype != "float32" or min(spec.channels, spec.outputs) < _LEAST:
        return 0
    fits = [m for m in MATRICES if m <= most and all(n % m == 0 for n in spec.out)]
    return max(fits, default=0)


def _sum(f: Function, row: Sequence[float], xs: Sequence[str], n: int) -> str:
    """The sum of vectors times numbers."""
    total = ""
    for k, x in sorted(zip(row, xs), key=lambda pair: pair[0] <= 0):
        if k == 0:
            continue
        if abs(k) == 1 and total:
            total = f.op("fadd" if k > 0 else "fsub", total, x, n)
        elif k == 1:
            total = x
        else:
            number = f.number(k, n)
            total = f.multiply_add(x, number, total, n) if total else f.op("fmul", x, number, n)
    return total


def _both(f: Function, matrix: Any, grid: list[list[str]], n: int) -> list[list[str]]:
    """matrix @ grid @ matrix.T, of vectors."""
    columns = [[_sum(f, row, column, n) for row in matrix] for column in zip(*grid)]
    return [[_sum(f, row, line, n) for row in matrix] for line in zip(*columns)]


def convolution(plan: Plan, m: int) -> tuple[str, int]:
    """The module of a convolution y(x, transformed weights), and the bytes that a thread needs."""
    s, n = plan.spec, plan.width
    points = (m + 2) ** 2
    across, down = s.out[1] // m, plan.band // m  # tiles
    rows = max(r for r in range(1, down + 1) if down % r == 0 and (r == 1 or r * across <= _TILES))
    tiles = rows * across
    count = -(-tiles // -(-tiles // plan.rows))  # of a call of the micro-kernel
    # apart by no power of 2, so that they do not take each other's place in the cache
    of_inputs, of_sums = tiles * s.channels + n, tiles * plan.padded + n
    kernel = microkernel(
        "kernel", s.dtype, (count, plan.vectors, n), s.channels, [(s.channels, 1, plan.block)],
        plan.padded, False,
    )  # fmt: skip
    before, after = _inputs(plan, m, across, of_inputs), _results(plan, m, across, of_sums)
    f = Function("k", KERNEL, s.dtype, internal=False)
    x, w, y = (f.argument(k) for k in range(3))
    held = (
        plan.lines(plan.band) * plan.line * s.channels, plan.band * s.out[1] * plan.padded,
        points * of_inputs, points * of_sums,
    )  # fmt: skip
    image, result, inputs, sums = scratch(f, *held)
    each = s.channels * plan.block
    whole = points * plan.padded // plan.block * each
    for i, row in bands(f, plan, True):
        own = f.at(w, (group(f, plan, i), whole))
        source = f.at(x, (i, s.channels * math.prod(s.size)))
        first = f.index(row, -s.low[0])
        lines = plan.lines(plan.band)
        f.call("pack", ("ptr", source), ("ptr", image), ("i64", first), ("i64", lines))
        with f.loop(0, down, rows) as r:
            a = f.at(image, (r, m * plan.line * s.channels))
            f.call("inputs", ("ptr", a), ("ptr", inputs), ("i64", tiles))
            with (
                f.loop(0, points) as point,
                f.loop(0, plan.padded // plan.block) as block,
                f.blocks(tiles, count) as t,
            ):
                a = f.at(inputs, (point, of_inputs), (t, s.channels))
                b = f.at(own, (point, plan.padded // plan.block * each), (block, each))
                c = f.at(sums, (point, of_sums), (t, plan.padded), (block, plan.block))
                f.call("kernel", ("ptr", a), ("ptr", b), ("ptr", c), ("i64", 0))
            c = f.at(result, (r, m * s.out[1] * plan.padded))
            f.call("results", ("ptr", sums), ("ptr", c), ("i64", tiles))
        target = f.at(y, (i, s.outputs * math.prod(s.out)), (row, s.out[1]))
        f.call("unpack", ("ptr", result), ("ptr", target))
    text = module([pack(plan), kernel, before, after, unpack(plan, plan.band), f])
    return text, sum(held) * f.bits // 8 + 512


def _each_tile(f: Function, across: int) -> Any:
    """The loop over the tiles: which, its row and its column."""
    with f.loop(0, "%count") as t:
        row = f.let(f"sdiv i64 {t}, {across}")
        yield t, row, f.index(t, (row, -across))


def _inputs(plan: Plan, m: int, across: int, apart: int) -> Function:
    """B.T x B of each tile, for each channel."""
    s, n, side = plan.spec, plan.width, m + 2
    f = Function("inputs", "ptr noalias %x, ptr noalias %to, i64 %count", s.dtype)
    c = s.channels
    for t, row, column in _each_tile(f, across):
        x = f.at("%x", (row, m * plan.line * c), (column, m * c))
        to = f.at("%to", (t, c))
        with f.blocks(c, n) as k:
            a, b = f.at(x, (k, 1)), f.at(to, (k, 1))
            grid = [
                [f.load(f.at(a, (i * plan.line + j) * c), n) for j in range(side)]
                for i in range(side)
            ]
            for p, v in enumerate(v for line in _both(f, MATRICES[m][0], grid, n) for v in line):
                f.store(v, f.at(b, p * apart), n)
    return f


def _results(plan: Plan, m: int, across: int, apart: int) -> Function:
    """A.T (...) A of each tile, for each channel of the result."""
    s, n, side = plan.spec, plan.width, m + 2
    f = Function("results", "ptr noalias %x, ptr noalias %to, i64 %count", s.dtype)
    c = plan.padded
    for t, row, column in _each_tile(f, across):
        x = f.at("%x", (t, c))
        to = f.at("%to", (row, m * s.out[1] * c), (column, m * c))
        with f.loop(0, c, n) as k:
            a, b = f.at(x, (k, 1)), f.at(to, (k, 1))
            grid = [
                [f.load(f.at(a, (i * side + j) * apart), n) for j in range(side)]
                for i in range(side)
            ]
            for i, line in enumerate(_both(f, MATRICES[m][2], grid, n)):
                for j, v in enumerate(line):
                    f.store(v, f.at(b, (i * s.out[1] + j) * c), n)
    return f


def weights(plan: Plan, m: int) -> tuple[str, int, tuple[int, ...]]:
    """The module of G w G.T from packed weights, for each pair of channels; its extent, shape.

    A group's have their (m + 2)**2 places apart, where the packed ones had 9.
    """
    s, n = plan.spec, plan.width
    blocks, each = plan.padded // plan.block, s.channels * plan.block
    points = (m + 2) ** 2
    f = Function("k", KERNEL, s.dtype, internal=False)
    w, u = f.argument(0), f.argument(1)
    with f.loop("%lo", "%hi") as i:
        block = f.let(f"sdiv i64 {i}, {s.channels}")
        c = f.index(i, (block, -s.channels))
        own = f.at(u, (f.let(f"sdiv i64 {block}, {blocks}"), (points - 1) * blocks * each))
        with f.loop(0, plan.block, n) as k:
            a = f.at(w, (block, 9 * each), (c, plan.block), (k, 1))
            b = f.at(own, (block, each), (c, plan.block), (k, 1))
            grid = [[f.load(f.at(a, (3 * i + j) * each), n) for j in range(3)] for i in range(3)]
            for p, v in enumerate(v for line in _both(f, MATRICES[m][1], grid, n) for v in line):
                f.store(v, f.at(b, p * blocks * each), n)
    shape = s.groups, points, blocks, s.channels, plan.block
    return module([f]), s.groups * blocks * s.channels, shape


def gradient(plan: Plan, m: int) -> tuple[str, int, tuple[int, ...]]:
    """The module of the sums in the weight gradient, the bytes a thread needs, the sums' shape."""
    s, n, padded = plan.spec, plan.width, plan.padded
    points, across = (m + 2) ** 2, s.out[1] // m
    rows = max(1, min(plan.band // m, _TILES // across))  # of tiles, at once
    of_inputs, of_results = rows * across * s.channels + n, rows * across * padded + n
    block = plan.rows_of(s.channels)
    levels = [(None, s.channels, padded)]
    kernels = [
        microkernel(f"kernel{r}", s.dtype, (r, plan.vectors, n), 1, levels, padded, True)
        for r in {block, s.channels % block} - {0}
    ]
    f = Function("k", KERNEL, s.dtype, internal=False)
    x, g = f.argument(0), f.argument(1)
    held = (
        plan.lines(plan.band) * plan.line * s.channels, plan.band * s.out[1] * padded,
        points * of_inputs, points * of_results,
    )  # fmt: skip
    image, cotangents, inputs, results = scratch(f, *held)
    if padded != s.outputs:
        f.zero(cotangents, held[1])
    for i, row in bands(f, plan, False):
        own = f.at("%ends", (group(f, plan, i), points * s.channels * padded))
        count = f.smaller(plan.band, f.index((row, -1), s.out[0]))
        source = f.at(x, (i, s.channels * math.prod(s.size)))
        first, lines = f.index(row, -s.low[0]), f.index(count, 2)
        f.call("pack", ("ptr", source), ("ptr", image), ("i64", first), ("i64", lines))
        source = f.at(g, (i, s.outputs * math.prod(s.out)))
        f.call("take", ("ptr", source), ("ptr", cotangents), ("i64", row), ("i64", count))
        down = f.let(f"sdiv i64 {count}, {m}")
        with f.loop(0, down, rows) as r:
            tiles = f.index((f.smaller(rows, f.index((r, -1), down)), across))
            a = f.at(image, (r, m * plan.line * s.channels))
            f.call("inputs", ("ptr", a), ("ptr", inputs), ("i64", tiles))
            b = f.at(cotangents, (r, m * s.out[1] * padded))
            f.call("spread", ("ptr", b), ("ptr", results), ("i64", tiles))
            whole = s.channels - s.channels % block
            with f.loop(0, points) as point:
                for low, high in ((0, whole), (whole, s.channels)):
                    if low == high:
                        continue
                    size = min(block, high - low)
                    with f.loop(low, high, size) as c, f.loop(0, padded, plan.block) as o:
                        a = f.at(inputs, (point, of_inputs), (c, 1))
                        b = f.at(results, (point, of_results), (o, 1))
                        to = f.at(own, (point, s.channels * padded), (c, padded), (o, 1))
                        f.call(f"kernel{size}", ("ptr", a), ("ptr", b), ("ptr", to), ("i64", tiles))
    before = _inputs(plan, m, across, of_inputs), _spread(plan, m, across, of_results)
    text = module([pack(plan), taken(plan), *before, *kernels, f])
    return text, sum(held) * f.bits // 8 + 512, (s.groups, points, s.channels, padded)


def _spread(plan: Plan, m: int, across: int, apart: int) -> Function:
    """A g A.T of each tile of cotangents, for each channel."""
    s, n = plan.spec, plan.width
    f = Function("spread", "ptr noalias %x, ptr noalias %to, i64 %count", s.dtype)
    c, back = plan.padded, list(zip(*MATRICES[m][2]))
    for t, row, column in _each_tile(f, across):
        x = f.at("%x", (row, m * s.out[1] * c), (column, m * c))
        to = f.at("%to", (t, c))
        with f.loop(0, c, n) as k:
            a, b = f.at(x, (k, 1)), f.at(to, (k, 1))
            grid = [
                [f.load(f.at(a, (i * s.out[1] + j) * c), n) for j in range(m)] for i in range(m)
            ]
            for p, v in enumerate(v for line in _both(f, back, grid, n) for v in line):
                f.store(v, f.at(b, p * apart), n)
    return f


def places(plan: Plan, m: int) -> tuple[str, int, tuple[int, ...]]:
    """The module of G.T u G, from the sums to the places of the window; its extent, its shape."""
    s, n, side, each = plan.spec, plan.width, m + 2, plan.spec.channels * plan.padded
    f = Function("k", KERNEL, s.dtype, internal=False)
    u, w = f.argument(0), f.argument(1)
    with f.loop("%lo", "%hi") as i, f.loop(0, each, n) as k:
        a, b = f.at(u, (i, side * side * each), (k, 1)), f.at(w, (i, 9 * each), (k, 1))
        grid = [
            [f.load(f.at(a, (i * side + j) * each), n) for j in range(side)] for i in range(side)
        ]
        back = list(zip(*MATRICES[m][1]))
        for p, v in enumerate(v for line in _both(f, back, grid, n) for v in line):
            f.store(v, f.at(b, p * each), n)
    return module([f]), s.groups, (s.groups, 3, 3, s.channels, plan.padded)
