"""Convolution compiled: its forward, its input gradient and its weight gradient.

A thread takes an image, or a band of its rows, at a time. It copies what the band needs into memory
of its own, padded and channels last, runs the micro-kernel over it, and puts the result back,
channels first. The gradient by the input is a convolution with the window turned round, of the
cotangents spread out by the stride, or in phases, without the zeros between. That by the weights
adds up over the images, a sum of its own for each chunk of them. In groups, each is an image.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from .._core.stage import Equation
from .._core.trace import ShapeDtype
from .._ops import window
from . import native, phases, planar, winograd
from .bands import Plan, Spec, bands, group, pack, scratch, taken, unpack
from .loops import KERNEL, Function, microkernel, module, registers
from .passes import type_of
from .work import Work, aligned, empty

Params = dict[str, Any]


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
    image, result = scratch(f, *held)
    each = s.channels * math.prod(s.places) * plan.block
    for n, row in bands(f, plan, True):
        own = f.at(w, (group(f, plan, n), plan.padded // plan.block * each))
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
            b = f.at(own, (block, each))
            c = f.at(result, (r, s.out[1] * plan.padded), (q, plan.padded), (block, plan.block))
            f.call("kernel", ("ptr", a), ("ptr", b), ("ptr", c), ("i64", 0))
        target = f.at(y, (n, s.outputs * math.prod(s.out)), (row, s.out[1]))
        f.call("unpack", ("ptr", result), ("ptr", target))
    size = sum(held) * f.bits // 8 + 256
    return module([pack(plan), kernel, unpack(plan, plan.band), f]), size


def packed(w: Any, plan: Plan) -> Any:
    """Weights (G, O, C, *K) as the micro-kernel reads them: G, blocks of O, K, C, the block."""
    s = plan.spec
    blocks = plan.padded // plan.block
    out = aligned((s.groups, blocks, *s.places, s.channels, plan.block), s.dtype)
    if plan.padded != s.outputs:
        whole = np.zeros((s.groups, plan.padded, *w.shape[2:]), w.dtype)
        whole[:, : s.outputs] = w
        w = whole
    w = w.reshape(s.groups, blocks, plan.block, *w.shape[2:])
    np.copyto(out, w.transpose(0, 1, 4, 5, 3, 2))
    return out


def gradient(plan: Plan) -> tuple[str, int, tuple[int, ...]]:
    """The module of the weight gradient dw(x, g), the bytes a thread needs, the sums' shape."""
    s, padded = plan.spec, plan.padded
    together = s.places[1] if s.dilation[1] == 1 else 1  # places that lie side by side
    count = together * s.channels
    block = plan.rows_of(count)
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
    f = Function("k", KERNEL, s.dtype, internal=False)
    held = plan.lines(plan.band) * plan.line * s.channels, plan.band * s.out[1] * padded
    x, g = f.argument(0), f.argument(1)
    image, cotangents = scratch(f, *held)
    if padded != s.outputs:
        f.zero(cotangents, held[1])
    for n, row in bands(f, plan, False):
        sums = f.at("%ends", (group(f, plan, n), math.prod(s.places) * s.channels * padded))
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
                    c = f.at(sums, (i, place[0]), (j, place[1]), (p, padded), (o, 1))
                    f.call(f"kernel{size}", ("ptr", a), ("ptr", b), ("ptr", c), ("i64", rows))
    size = sum(held) * f.bits // 8 + 256
    text = module([pack(plan), taken(plan), *kernels, f])
    return text, size, (s.groups, *s.places, s.channels, padded)


# ---- from an operation of the graph to a call


def _roles(name: str, first: Any, second: Any, out: Any) -> tuple[Any, Any, Any]:
    """Of what an operation takes and gives: the images, the weights, and their convolution."""
    if name == "conv":
        return first, second, out
    return (out, second, first) if name == "conv_input" else (first, out, second)


def spec(name: str, p: Params, first: Any, second: Any, out: Any) -> Spec:
    """The convolution that an operation is."""

    def two(values: Any, missing: Any) -> Any:
        return (missing, *values) if first.ndim == 3 else tuple(values)

    x, w, y = (type.shape for type in _roles(name, first, second, out))
    low = tuple(pad[0] for pad in two(p["padding"], (0, 0)))
    groups = p["groups"]
    found = Spec(
        str(first.dtype), groups * x[0], w[1], two(x[2:], 1), w[0] // groups, two(w[2:], 1),
        two(p["stride"], 1), low, two(p["dilation"], 1), two(y[2:], 1), groups=groups,
    )  # fmt: skip
    if name != "conv_input":
        return found
    reach = zip(found.dilation, found.places, low)
    return replace(
        found, channels=found.outputs, size=found.out, outputs=found.channels, stride=(1, 1),
        out=found.size, spread=found.stride,
        low=tuple(d * (k - 1) - before for d, k, before in reach),
    )  # fmt: skip


class Convolution:
    """An operation of the graph, compiled: it takes the same arguments."""

    def __init__(self, name: str, shape: tuple[int, ...], found: Spec, most: int) -> None:
        self.name, self.shape, self.spec = name, shape, found
        self.tile = winograd.tile(found, most)
        plan = self.plan = Plan(found, registers(), self.tile or 1)
        self.planar = not self.tile and planar.serves(plan)
        bands = plan.bands
        if self.name == "conv_weight":
            if self.tile:
                text, size, self.sums = winograd.gradient(plan, self.tile)
            elif planar.gives_weights(plan):
                text, size, self.sums = planar.gradient(plan)
            else:
                text, size, self.sums = gradient(plan)
            ends = math.prod(self.sums) * np.dtype(found.dtype).itemsize
        else:
            if self.tile:
                text, size = winograd.convolution(plan, self.tile)
            elif self.planar:
                text, size = planar.convolution(plan)
            elif phases.serves(plan):
                text, size, bands = phases.convolution(plan)
            else:
                text, size = direct(plan)
            ends = 0
        operations = found.operations // math.prod(found.spread)
        self.work = Work(text, 2 if ends else 3, found.images * bands, size, ends, operations)
        if self.tile and not ends:
            text, extent, self.transformed = winograd.weights(plan, self.tile)
            self.prepare = Work(text, 2, extent, 0, 0, 0)
        if self.tile and ends:
            text, extent, self.places = winograd.places(plan, self.tile)
            self.finish = Work(text, 2, extent, 0, 0, 0)

    def __call__(self, x: Any, y: Any) -> Any:
        if self.name == "conv_weight":
            return self._gradient(x, y)
        w = y.reshape(self.spec.groups, -1, y.shape[1], *self.spec.places)
        if self.name == "conv_input":
            w = w[..., ::-1, ::-1].transpose(0, 2, 1, 3, 4)
        w = np.ascontiguousarray(w) if self.planar else packed(w, self.plan)
        if self.tile:
            products = aligned(self.transformed, self.spec.dtype)
            self.prepare(w, products)
            w = products
        out = empty(self.shape, np.dtype(self.spec.dtype))
        self.work(x, w, out)
        return out

    def _gradient(self, x: Any, g: Any) -> Any:
        """The sums of all chunks, in the layout of weights."""
        ends = self.work(x, g).view(self.spec.dtype)
        sums = ends[:, : math.prod(self.sums)].sum(0).reshape(self.sums)
        if self.tile:
            placed = np.empty(self.places, sums.dtype)
            self.finish(sums, placed)
            sums = placed
        weights = sums[..., : self.spec.outputs].transpose(0, 4, 3, 1, 2)
        return np.ascontiguousarray(weights).reshape(self.shape)

    def __str__(self) -> str:
        p, m = self.plan, self.tile
        inner = f"for row, {p.block} channels, {p.pixels} pixels: sums of products in registers"
        if m:
            inner = (
                f"for tiles of {m} x {m}: {(m + 2) ** 2} products of matrices (Winograd), "
                f"{p.block} channels of {p.rows} tiles in registers"
            )
        if self.planar:
            inner = "for channels, pixels: sums of products in registers, of vectors of pixels"
        if self.name == "conv_weight" and not m:
            inner = f"for place, channels, {p.block} channels of the result: sums in registers"
        order = "first" if self.planar and self.name != "conv_weight" else "last"
        return (
            f"{self.spec}\n    for image, band of {p.band} rows:\n"
            f"        the band, padded, channels {order}\n        {inner}"
        )


class Deep:
    """A convolution over three axes: one over two, the places along the first among its channels.

    Its images are those of all windows along that axis.
    """

    def __init__(self, name: str, p: Params, types: tuple[Any, Any, Any], most: int) -> None:
        x, w, y = (tuple(type.shape) for type in _roles(name, *types))
        self.name, self.groups = name, p["groups"]
        self.size = (x[0], y[2], self.groups, w[2], w[1], *x[3:])
        self.shape = tuple(types[2].shape)
        axis = ((x[2],), w[2:3], *(p[k][:1] for k in ("stride", "padding", "dilation")))
        self.overlaps = [tuple(i[2] for i in some) for some in window.overlaps(*axis)]
        n, depth, o = x[0], y[2], w[0]
        flat = {
            "x": (n * depth, w[2] * x[1], *x[3:]),
            "w": (o, w[2] * w[1], *w[3:]),
            "y": (n * depth, o, *y[3:]),
        }
        shapes = [flat[k] for k in _ORDER[name]]
        flatter = p | {k: p[k][1:] for k in ("stride", "padding", "dilation")}
        found = spec(name, flatter, *(ShapeDtype(s, types[0].dtype) for s in shapes))
        self.spec, self.inner = found, Convolution(name, shapes[2], found, most)

    def _images(self, x: Any) -> Any:
        """(N * outputs, groups * places * C / groups, H, W)."""
        out = np.zeros(self.size, x.dtype)
        parted = x.reshape(len(x), self.groups, -1, *x.shape[2:]).transpose(0, 3, 1, 2, 4, 5)
        for place, outputs, inputs in self.overlaps:
            out[:, outputs, :, place] = parted[:, inputs]
        return out.reshape(-1, math.prod(self.size[2:5]), *self.size[5:])

    def __call__(self, x: Any, y: Any) -> Any:
        if self.name == "conv_weight":
            y = _apart(y)
        else:
            y = np.swapaxes(y, 1, 2).reshape(len(y), -1, *y.shape[3:])
        if self.name != "conv_input":
            n, c, depth, *size = self.shape
            out = self.inner(self._images(x), y).reshape(n, depth, c, *size)
            return np.ascontiguousarray(out.swapaxes(1, 2))
        images = self.inner(_apart(x), y).reshape(self.size)
        out = np.zeros(self.shape, images.dtype)
        parted = out.reshape(len(out), self.groups, -1, *out.shape[2:]).transpose(0, 3, 1, 2, 4, 5)
        for place, outputs, inputs in self.overlaps:
            parted[:, inputs] += images[:, outputs, :, place]
        return out

    def __str__(self) -> str:
        return f"for each window along the first axis, its places as channels:\n    {self.inner}"


def _apart(y: Any) -> Any:
    """(N * D, O, H, W), of (N, O, D, H, W)."""
    return np.swapaxes(y, 1, 2).reshape(-1, y.shape[1], *y.shape[3:])


_ORDER = {"conv": "xwy", "conv_input": "ywx", "conv_weight": "xyw"}


def compiled(equation: Equation, most: int) -> Callable[..., Any] | str:
    """The operation as machine code, or why NumPy does it; `most` is that of `winograd.tile`."""
    if native.LAYOUT is None:
        return "this interpreter's arrays are laid out otherwise"
    name, p = equation.primitive.name, equation.params
    first, second = map(type_of, equation.inputs)
    types = first, second, equation.outs[0].type
    if first.dtype != second.dtype or first.dtype not in (np.float32, np.float64):
        return f"of {first.dtype} and {second.dtype}"
    if first.ndim > 5:
        return f"over {first.ndim - 2} axes"
    if not all(type.size for type in types):
        return "of nothing"
    if first.ndim == 5:
        return Deep(name, p, types, most)
    return Convolution(name, tuple(types[2].shape), spec(name, p, *types), most)


ROWS: dict[Any, Callable[..., Any]] = dict.fromkeys(
    (window.conv, window.conv_input, window.conv_weight), compiled
)
