"""The gradient by the images of a convolution with strides, without the zeros between cotangents.

The results whose places along both axes leave the same remainders by the stride, a phase, meet the
same places of the window, every stride-th along each axis: a phase is a convolution by itself, with
a smaller window and without strides. All phases of a band are computed next to one another.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

from .bands import Pair, Plan, bands, group, pack, scratch, unpack
from .loops import KERNEL, Function, microkernel, module


def serves(plan: Plan) -> bool:
    """Whether the spreading of an image can be left out."""
    s = plan.spec
    even = all(n % step == 0 for n, step in zip(s.out, s.spread))
    return s.spread != (1, 1) and s.dilation == (1, 1) and even


def _phases(plan: Plan, axis: int) -> list[tuple[int, int, int]]:
    """For each phase: its first place of the window, how many there are, and what that meets.

    The result a + q * step meets, at the place first + t * step, the cotangent meets + q + t.
    """
    s, step = plan.spec, plan.spec.spread[axis]
    found = []
    for a in range(step):
        first = (s.low[axis] - a) % step
        count = max(0, -(-(s.places[axis] - first) // step))
        found.append((first, count, (a + first - s.low[axis]) // step))
    return found


def _whole(phases: list[tuple[int, int, int]]) -> Pair:
    """Of all phases, the padding before and the places that they span."""
    low = max(-meets for _, _, meets in phases)
    return low, max(1, max(low + meets + count for _, count, meets in phases))


def convolution(plan: Plan) -> tuple[str, int, int]:
    """The module of y(x, weights), the bytes that a thread needs, and how many bands there are."""
    s, c, axes = plan.spec, plan.spec.channels, [_phases(plan, axis) for axis in (0, 1)]
    low, places = zip(*map(_whole, axes))
    out = s.out[0] // s.spread[0], s.out[1] // s.spread[1]
    # the bands are of the cotangents, without strides
    packing = Plan(
        replace(s, spread=(1, 1), low=low, places=places, out=out), plan.registers,
        finer=math.prod(s.spread),
    )  # fmt: skip
    line, width, across = packing.line * c, s.out[1] * plan.padded, s.places[1] * c * plan.block
    kernels = {
        (n, m): microkernel(
            f"kernel{n}_{m}", s.dtype, (packing.pixels, plan.vectors, plan.width), c,
            [(n, line, s.spread[0] * across), (m, c, s.spread[1] * c * plan.block),
             (c, 1, plan.block)],
            s.spread[1] * plan.padded, False,
        )
        for (_, n, _), (_, m, _) in itertools.product(*axes)
    }  # fmt: skip
    f = Function("k", KERNEL, s.dtype, internal=False)
    lines = packing.lines(packing.band)
    held = lines * line, packing.band * s.spread[0] * width
    x, w, y = (f.argument(k) for k in range(3))
    image, result = scratch(f, *held)
    each = s.places[0] * across
    for i, row in bands(f, packing, True):
        own = f.at(w, (group(f, plan, i), plan.padded // plan.block * each))
        source = f.at(x, (i, c * math.prod(s.size)))
        f.call(
            "pack", ("ptr", source), ("ptr", image), ("i64", f.index(row, -low[0])), ("i64", lines)
        )
        for a, (first, n, meets) in enumerate(axes[0]):
            for b, (start, m, from_column) in enumerate(axes[1]):
                here = (meets + low[0]) * line + (from_column + low[1]) * c
                with (
                    f.loop(0, packing.band) as r,
                    f.loop(0, plan.padded // plan.block) as block,
                    f.blocks(out[1], packing.pixels) as q,
                ):
                    f.call(
                        f"kernel{n}_{m}",
                        ("ptr", f.at(image, (r, line), (q, c), here)),
                        ("ptr", f.at(own, (block, each), first * across + start * c * plan.block)),
                        ("ptr", f.at(
                            result, (r, s.spread[0] * width), (q, s.spread[1] * plan.padded),
                            (block, plan.block), a * width + b * plan.padded,
                        )),
                        ("i64", 0),
                    )  # fmt: skip
        target = f.at(y, (i, s.outputs * math.prod(s.out)), (row, s.spread[0] * s.out[1]))
        f.call("unpack", ("ptr", result), ("ptr", target))
    text = module([pack(packing), *kernels.values(), unpack(plan, packing.band * s.spread[0]), f])
    return text, sum(held) * f.bits // 8 + 256, packing.bands
