"""How a convolution is cut into bands of rows, and what is done to a band before and after.

A band is copied into memory of the thread's own, padded and channels last; its result is put back
channels first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .loops import Function, Registers, move

_BAND = 1 << 19  # bytes of a band with its result: half of what a processor's own cache holds
Pair = tuple[int, int]


@dataclass(frozen=True)
class Spec:
    """A convolution over two axes. `spread` is what the image is spread out by beforehand.

    Of a convolution in groups, an image has the channels of one; image n is of group n % groups.
    """

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
    groups: int = 1

    @property
    def operations(self) -> int:
        return 2 * self.images * self.channels * self.outputs * math.prod(self.places + self.out)

    def __str__(self) -> str:
        groups = f"(of {self.groups} groups) " if self.groups > 1 else ""
        return (
            f"{self.images} images {groups}of {self.channels} x {self.size[0]} x {self.size[1]}, "
            f"windows of {self.places[0]} x {self.places[1]}, {self.outputs} x {self.out[0]} x "
            f"{self.out[1]} out ({self.dtype})"
        )


@dataclass(frozen=True)
class Plan:
    """How a convolution is cut: into bands of rows, blocks of pixels, vectors of channels."""

    spec: Spec
    registers: Registers
    multiple: int = 1  # of which the rows of a band are
    finer: int = 1  # how many results there are for each pixel

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

    def rows_of(self, count: int) -> int:
        """How many of `count` rows the micro-kernel takes: a divisor, if there is a good one."""
        most = min(self.rows, count)
        found = max(b for b in range(1, most + 1) if count % b == 0)
        return most if found < most * 2 // 3 else found

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
        row = s.out[1] * self.padded * self.finer

        def fits(rows: int) -> bool:
            held = self.lines(rows) * self.line * s.channels + rows * row
            return held * np.dtype(s.dtype).itemsize <= _BAND

        most = max((r for r in range(1, s.out[0] + 1) if fits(r)), default=1)
        few = s.out[0] // max(1, min(s.out[0], -(-8 // s.images)))  # some for each thread
        rows = -(-s.out[0] // -(-s.out[0] // max(1, min(most, few))))
        return -(-rows // self.multiple) * self.multiple

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


def unpack(plan: Plan, rows: int) -> Function:
    """A band of the result, of so many rows, channels first."""
    s = plan.spec
    f = Function("unpack", "ptr noalias %y, ptr noalias %to", s.dtype)
    counts = s.outputs, rows * s.out[1]
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


def group(f: Function, plan: Plan, n: str) -> str:
    """That of an image."""
    return f.let(f"urem i64 {n}, {plan.spec.groups}") if plan.spec.groups > 1 else "0"


def scratch(f: Function, *counts: int) -> list[str]:
    """Parts of the thread's memory, each at the beginning of a cache line."""
    item, found = f.bits // 8, []
    address = f.let("ptrtoint ptr %scratch to i64")
    address = f.let(f"and i64 {f.let(f'add i64 {address}, 63')}, -64")
    for count in counts:
        found.append(f.let(f"inttoptr i64 {address} to ptr"))
        address = f.let(f"add i64 {address}, {-(-count * item // 64) * 64}")
    return found


def taken(plan: Plan) -> Function:
    """Rows of the cotangents, channels last."""
    s, padded = plan.spec, plan.padded
    f = Function("take", "ptr noalias %g, ptr noalias %to, i64 %first, i64 %count", s.dtype)
    with f.loop(0, "%count") as r:
        row = f.let(f"add i64 {r}, %first")
        source, to = f.at("%g", (row, s.out[1])), f.at("%to", (r, s.out[1] * padded))
        move(f, source, to, (s.out[1], s.outputs), (math.prod(s.out), padded), plan.width)
    return f
