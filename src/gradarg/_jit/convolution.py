"""Convolution compiled: its forward, its input gradient and its weight gradient.

A thread takes an image, or a band of its rows, at a time. It copies what the band needs into memory
of its own, padded and channels last, runs the micro-kernel over it, and puts the result back,
channels first. The gradient by the input is a convolution with the window turned round, of the
cotangents spread out by the stride. That by the weights adds up over the images, a sum of its own
for each chunk of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._core.stage import Equation
from .._ops import window
from . import native
from .loops import (
    KERNEL,
    Function,
    Registers,
    microkernel,
    module,
    move,
    registers,
)
from .passes import type_of
from .work import Work, aligned

_BAND = 1 << 19  # bytes of a band with its result: half of what a processor's own cache holds
Pair = tuple[int, int]


@dataclass(frozen=True)
class Spec:
    """A convolution over two axes. `spread` is what the image is spread out by beforehand."""

    dtype: str
    images: int
    channels: int
    size: Pair
    outputs: int
    places: Pair
    stride: Pair
    low: Pair  # the padding before
    dilation: Pair
    out: Pair
    spread: Pair = (1, 1)

    @property
    def operations(self) -> int:
        return 2 * self.images * self.channels * self.outputs * math.prod(self.places + self.out)

    def __str__(self) -> str:
        return (
            f"{self.images} images of {self.channels} x {self.size[0]} x {self.size[1]}, windows "
            f"of {self.places[0]} x {self.places[1]}, {self.outputs} x {self.out[0]} x "
            f"{self.out[1]} out ({self.dtype})"
        )


@dataclass(frozen=True)
class Plan:
    """How a convolution is cut: into bands of rows, blocks of pixels, vectors of channels."""

    spec: Spec
    registers: Registers

    @property
    def width(self) -> int:
        return self.registers.width // np.dtype(self.spec.dtype).itemsize

    @property
    def padded(self) -> int:
        """The channels of the result, to whole vectors."""
        return -(-self.spec.outputs // self.width) * self.width

    @property
    def vectors(self) -> int:
        count = self.padded // self.width
        return 2 if count % 2 == 0 else 3 if count % 3 == 0 else 1

    @property
    def block(self) -> int:
        """The channels that the micro-kernel computes at once."""
        return self.vectors * self.width

    @property
    def rows(self) -> int:
        """How many sums of a column the registers hold beside a row and a number."""
        return min(14, (self.registers.count - self.vectors - 1) // self.vectors)

    @property
    def pixels(self) -> int:
        n = self.spec.out[1]
        return -(-n // -(-n // self.rows))

    @property
    def line(self) -> int:
        """The pixels of a padded row."""
        s = self.spec
        return (s.out[1] - 1) * s.stride[1] + s.dilation[1] * (s.places[1] - 1) + 1

    def lines(self, rows: int) -> int:
        """The padded rows that some rows of the result need."""
        s = self.spec
        return (rows - 1) * s.stride[0] + s.dilation[0] * (s.places[0] - 1) + 1

    @property
    def band(self) -> int:
        """The rows of the result that are done at once."""
        s = self.spec
        row = s.out[1] * self.padded

        def fits(rows: int) -> bool:
            held = self.lines(rows) * self.line * s.channels + rows * row
            return held * np.dtype(s.dtype).itemsize <= _BAND

        most = max((r for r in range(1, s.out[0] + 1) if fits(r)), default=1)
        few = s.out[0] // max(1, min(s.out[0], -(-8 // max(s.images, 1))))  # some for each thread
        return -(-s.out[0] // -(-s.out[0] // max(1, min(most, few))))

    @property
    def bands(self) -> int:
        return -(-self.spec.out[0] // self.band)

    @property
    def levels(self) -> list[tuple[int, int, int]]:
        """The loops over the window and the channels: counts, and steps in image and weights."""
        s = self.spec
        c, block = s.channels, self.block
        rows = (s.places[0], s.dilation[0] * self.line * c, s.places[1] * c * block)
        if s.dilation[1] == 1:
            return [rows, (s.places[1] * c, 1, block)]
        return [rows, (s.places[1], s.dilation[1] * c, c * block), (c, 1, block)]


def pack(plan: Plan, name: str = "pack") -> Function:
    """Rows of an image, padded and channels last. `first` counts from the first row of padding."""
    s, line = plan.spec, plan.line
    f = Function(name, "ptr noalias %x, ptr noalias %to, i64 %first, i64 %count", s.dtype)
    (height, width), c, (up, across) = s.size, s.channels, s.spread
    # the columns of the image that the line has room for
    least = max(0, -(s.low[1] // across))
    end = max(least, min(width, (line - 1 - s.low[1]) // across + 1))
    begin = least * across + s.low[1]
    with f.loop(0, "%count") as r:
        to = f.at("%to", (r, line * c))
        row = f.let(f"add i64 {r}, %first")
        at = f.let(f"sdiv i64 {row}, {up}")
        inside = f.let(f"icmp ult i64 {at}, {height}")
        if up > 1:
            whole = f.let(f"icmp eq i64 {f.let(f'mul i64 {at}, {up}')}, {row}")
            inside = f.let(f"and i1 {inside}, {whole}")
        early = f.let(f"icmp sge i64 {row}, 0")
        inside = f.let(f"and i1 {inside}, {early}")
        outside = f.let(f"xor i1 {inside}, true")
        with f.when(outside):
            f.zero(to, line * c)
        with f.when(inside):
            if across > 1 or end == least:
                f.zero(to, line * c)
            else:
                after = begin + end - least
                if begin:
                    f.zero(to, begin * c)
                if after < line:
                    f.zero(f.at(to, after * c), (line - after) * c)
            if end > least:
                source = f.at("%x", (at, width), least)
                strides = height * width, across * c
                move(f, source, f.at(to, begin * c), (end - least, c), strides, plan.width)
    return f


def unpack(plan: Plan) -> Function:
    """A band of the result, channels first."""
    s = plan.spec
    f = Function("unpack", "ptr noalias %y, ptr noalias %to", s.dtype)
    counts = s.outputs, plan.band * s.out[1]
    move(f, "%y", "%to", counts, (plan.padded, math.prod(s.out)), plan.width)
    return f


def bands(f: Function, plan: Plan, overlapping: bool) -> Iterator[tuple[str, str]]:
    """The loop over the bands of a thread's share: the image, and the first row."""
    with f.loop("%lo", "%hi") as i:
        n = f.let(f"sdiv i64 {i}, {plan.bands}")
        b = f.index(i, (n, -plan.bands))
        row = f.index((b, plan.band))
        if overlapping and plan.spec.out[0] % plan.band:
            row = f.smaller(row, plan.spec.out[0] - plan.band)
        yield n, row


def _scratch(f: Function, *counts: int) -> list[str]:
    """Parts of the thread's memory, each at the beginning of a cache line."""
    item, found = f.bits // 8, []
    address = f.let("ptrtoint ptr %scratch to i64")
    address = f.let(f"and i64 {f.let(f'add i64 {address}, 63')}, -64")
    for count in counts:
        found.append(f.let(f"inttoptr i64 {address} to ptr"))
        address = f.let(f"add i64 {address}, {-(-count * item // 64) * 64}")
    return found


def direct(plan: Plan) -> tuple[str, int]:
    """The module of a convolution y(x, weights), and the bytes that a thread needs."""
    s = plan.spec
    shape = plan.pixels, plan.vectors, plan.width
    kernel = microkernel(
        "kernel", s.dtype, shape, s.stride[1] * s.channels, plan.levels, plan.padded, False
    )
    f = Function("k", KERNEL, s.dtype, internal=False)
    lines = plan.lines(plan.band)
    held = lines * plan.line * s.channels, plan.band * s.out[1] * plan.padded
    x, w, y = (f.argument(k) for k in range(3))
    image, result = _scratch(f, *held)
    each = s.channels * math.prod(s.places) * plan.block
    for n, row in bands(f, plan, True):
        source = f.at(x, (n, s.channels * math.prod(s.size)))
        first = f.index((row, s.stride[0]), -s.low[0])
        f.call("pack", ("ptr", source), ("ptr", image), ("i64", first), ("i64", lines))
        with (
            f.loop(0, plan.band) as r,
            f.loop(0, plan.padded // plan.block) as block,
            f.blocks(s.out[1], plan.pixels) as q,
        ):
            a = f.at(
                image,
                (r, s.stride[0] * plan.line * s.channels),
                (q, s.stride[1] * s.channels),
            )
            b = f.at(w, (block, each))
            c = f.at(result, (r, s.out[1] * plan.padded), (q, plan.padded), (block, plan.block))
            f.call("kernel", ("ptr", a), ("ptr", b), ("ptr", c), ("i64", 0))
        target = f.at(y, (n, s.outputs * math.prod(s.out)), (row, s.out[1]))
        f.call("unpack", ("ptr", result), ("ptr", target))
    size = sum(held) * f.bits // 8 + 256
    return module([pack(plan), kernel, unpack(plan), f]), size


def packed(w: Any, plan: Plan) -> Any:
    """Weights (O, C, *K) as the micro-kernel reads them: blocks of O, then K, C, the block."""
    s = plan.spec
    blocks = plan.padded // plan.block
    out = aligned((blocks, *s.places, s.channels, plan.block), s.dtype)
    if plan.padded != s.outputs:
        whole = np.zeros((plan.padded, *w.shape[1:]), w.dtype)
        whole[: s.outputs] = w
        w = whole
    np.copyto(out, w.reshape(blocks, plan.block, *w.shape[1:]).transpose(0, 3, 4, 2, 1))
    return out


def gradient(plan: Plan) -> tuple[str, int, tuple[int, ...]]:
    """The module of the weight gradient dw(x, g), the bytes a thread needs, the sums' shape."""
    s, padded = plan.spec, plan.padded
    together = s.places[1] if s.dilation[1] == 1 else 1  # places that lie side by side
    count = together * s.channels
    most = plan.rows
    block = max(b for b in range(1, most + 1) if count % b == 0)
    if block < min(most, count) * 2 // 3:
        block = min(most, count)
    levels = [
        (None, s.stride[0] * plan.line * s.channels, s.out[1] * padded),
        (s.out[1], s.stride[1] * s.channels, padded),
    ]
    kernels = [
        microkernel(
            f"kernel{rows}", s.dtype, (rows, plan.vectors, plan.width), 1, levels, padded, True
        )
        for rows in {block, count % block} - {0}
    ]
    one = replace(
        s, channels=s.outputs, size=s.out, places=(1, 1), stride=(1, 1), low=(0, 0), spread=(1, 1)
    )
    f = Function("k", KERNEL, s.dtype, internal=False)
    held = plan.lines(plan.band) * plan.line * s.channels, plan.band * s.out[1] * padded
    x, g = f.argument(0), f.argument(1)
    image, cotangents = _scratch(f, *held)
    if padded != s.outputs:
        f.zero(cotangents, held[1])
    for n, row in bands(f, plan, False):
        rows = f.smaller(plan.band, f.index((row, -1), s.out[0]))
        source = f.at(x, (n, s.channels * math.prod(s.size)))
        first = f.index((row, s.stride[0]), -s.low[0])
        lines = f.index((rows, s.stride[0]), plan.lines(1) - s.stride[0])
        f.call("pack", ("ptr", source), ("ptr", image), ("i64", first), ("i64", lines))
        source = f.at(g, (n, s.outputs * math.prod(s.out)))
        f.call("take", ("ptr", source), ("ptr", cotangents), ("i64", row), ("i64", rows))
        with f.loop(0, s.places[0]) as i, f.loop(0, s.places[1] // together) as j:
            for low, high, size in (
                (0, count - count % block, block), (count - count % block, count, count % block)
            ):  # fmt: skip
                if low == high:
                    continue
                with f.loop(low, high, size) as p, f.loop(0, padded, plan.block) as o:
                    a = f.at(
                        image,
                        (i, s.dilation[0] * plan.line * s.channels),
                        (j, s.dilation[1] * s.channels),
                        (p, 1),
                    )
                    b = f.at(cotangents, (o, 1))
                    place = s.places[1] * s.channels * padded, s.channels * padded
                    c = f.at("%ends", (i, place[0]), (j, place[1]), (p, padded), (o, 1))
                    f.call(f"kernel{size}", ("ptr", a), ("ptr", b), ("ptr", c), ("i64", rows))
    size = sum(held) * f.bits // 8 + 256
    text = module([pack(plan), taken(Plan(one, plan.registers), padded), *kernels, f])
    return text, size, (*s.places, s.channels, padded)


def taken(plan: Plan, padded: int) -> Function:
    """Rows of the cotangents, channels last."""
    s = plan.spec
    f = Function("take", "ptr noalias %g, ptr noalias %to, i64 %first, i64 %count", s.dtype)
    with f.loop(0, "%count") as r:
        row = f.let(f"add i64 {r}, %first")
        source, to = f.at("%g", (row, s.out[1])), f.at("%to", (r, s.out[1] * padded))
        move(f, source, to, (s.out[1], s.channels), (math.prod(s.out), padded), plan.width)
    return f


# ---- from an operation of the graph to a call


def spec(equation: Equation) -> Spec | str:
    """The convolution that an operation is, or why it is none that is compiled."""
    p = equation.params
    first, second = map(type_of, equation.inputs)
    out = equation.outs[0].type
    if first.dtype != second.dtype or first.dtype not in (np.float32, np.float64):
        return f"of {first.dtype} and {second.dtype}"
    if p["groups"] != 1:
        return "in groups"
    if first.ndim > 4:
        return f"over {first.ndim - 2} axes"
    if not out.size or not first.size or not second.size:
        return "of nothing"

    def two(values: Any, missing: Any) -> Any:
        return (missing, *values) if first.ndim == 3 else tuple(values)

    x, w, y = {
        "conv": (first.shape, second.shape, out.shape),
        "conv_input": (out.shape, second.shape, first.shape),
        "conv_weight": (first.shape, out.shape, second.shape),
    }[equation.primitive.name]
    low = tuple(pad[0] for pad in two(p["padding"], (0, 0)))
    found = Spec(
        str(first.dtype), x[0], x[1], two(x[2:], 1), w[0], two(w[2:], 1), two(p["stride"], 1),
        low, two(p["dilation"], 1), two(y[2:], 1),
    )  # fmt: skip
    if equation.primitive is not window.conv_input:
        return found
    reach = zip(found.dilation, found.places, low)
    return replace(
        found, channels=w[0], size=found.out, outputs=w[1], stride=(1, 1), out=found.size,
        low=tuple(d * (k - 1) - before for d, k, before in reach), spread=found.stride,
    )  # fmt: skip


class Convolution:
    """An operation of the graph, compiled: it takes the same arguments."""

    def __init__(self, equation: Equation, found: Spec) -> None:
        self.name, self.spec = equation.primitive.name, found
        self.plan = Plan(found, registers())
        self.shape = tuple(equation.outs[0].type.shape)
        extent = found.images * self.plan.bands
        if self.name == "conv_weight":
            text, size, self.sums = gradient(self.plan)
            ends = math.prod(self.sums) * np.dtype(found.dtype).itemsize
        else:
            text, size = direct(self.plan)
            ends = 0
        self.work = Work(text, 2 if ends else 3, extent, size, ends, found.operations)

    def __call__(self, x: Any, y: Any, **_params: Any) -> Any:
        if self.name == "conv_weight":
            ends = self.work(x, y).view(self.spec.dtype)
            sums = ends[:, : math.prod(self.sums)].sum(0).reshape(self.sums)
            out = np.empty(self.shape, self.spec.dtype)
            weights = sums[..., : self.spec.outputs].transpose(3, 2, 0, 1)
            np.copyto(out.reshape(weights.shape), weights)
            return out
        w = y if y.ndim == 4 else y[:, :, None]
        if self.name == "conv_input":
            w = w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
        out = self.work.output(self.shape, self.spec.dtype)
        self.work(x, packed(w, self.plan), out)
        return out

    def __str__(self) -> str:
        p = self.plan
        return (
            f"kernel {self.name}: {self.spec}\n    for image, band of {p.band} rows:\n"
            f"        the band, padded, channels last\n"
            f"        for row, {p.block} channels, {p.pixels} pixels: sums of products in registers"
        )


def compiled(equation: Equation, _winograd: bool) -> Callable[..., Any] | str:
    """The operation as machine code, or why NumPy does it."""
    if native.LAYOUT is None:
        return "this interpreter's arrays are laid out otherwise"
    found = spec(equation)
    return found if isinstance(found, str) else Convolution(equation, found)


ROWS: dict[Any, Callable[..., Any]] = dict.fromkeys(
    (window.conv, window.conv_input, window.conv_weight), compiled
)
