"""What a program does: operations, bytes moved, memory held, and the least time that takes."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._core.stage import Equation, Var
from .passes import type_of
from .program import Program

_VIEWS = {"transpose", "reshape", "broadcast_to", "getitem", "stop_gradient"}


@dataclass(frozen=True)
class Cost:
    """Of one call. A function of a library, such as exp, counts as one operation."""

    flops: int
    bytes: int  # read and written by kernels and calls, each array once for each
    peak: int  # bytes of arguments, intermediate values and results, all held to the end
    seconds: float  # the larger of bytes / bandwidth and flops / peak speed of this machine

    def __str__(self) -> str:
        return (
            f"{self.flops:,} operations, {self.bytes:,} bytes moved, {self.peak:,} bytes held, "
            f"at least {self.seconds * 1e6:,.1f} us on this machine"
        )


def cost(program: Program) -> Cost:
    """The cost of a program."""
    flops = moved = 0
    singles = True
    held = sum(map(_size, program.graph.inputs))
    for step in program.steps:
        if isinstance(step, Equation):
            flops += _flops(step)
            if step.primitive.name in _VIEWS:
                continue
            read, written = step.inputs, step.outs
        else:
            kernel, read, stored, group = step
            flops += sum(map(_flops, group.equations))
            written = stored[: len(kernel.outputs)]
        new = sum(map(_size, written))
        singles = singles and all(o.type.dtype != np.float64 for o in written)
        moved += sum(map(_size, read)) + new
        held += new
    bandwidth, speed = machine()
    least = max(moved / bandwidth, flops / speed[4 if singles else 8])
    return Cost(flops, moved, held, least)


def _size(x: Any) -> int:
    """The bytes of a value; a number has none, nor has what is one number throughout."""
    if isinstance(x, bool | int | float | complex):
        return 0
    if isinstance(x, np.ndarray) and not any(x.strides):
        return 0
    type = type_of(x)
    return int(type.size) * int(type.dtype.itemsize)


def _flops(equation: Equation) -> int:
    name, params = equation.primitive.name, equation.params
    if "body" in params:  # of a while_loop, one step
        return int(params.get("length", 1)) * sum(map(_flops, params["body"].graph.equations))
    out = sum(o.type.size for o in equation.outs)
    if name in _VIEWS or name in ("place", "astype"):
        return 0
    outs = [tuple(o.type.shape) for o in equation.outs]
    shapes = [tuple(type_of(i).shape) for i in equation.inputs if _has_shape(i)]
    if name in ("matmul", "dot", "vecdot", "matvec", "vecmat", "inner"):
        return 2 * out * (shapes[0][-1] if shapes[0] else 1)
    if name in ("einsum", "tensordot"):  # each index once: |out| times what is summed over
        sizes = math.prod(map(math.prod, shapes))
        return 2 * math.isqrt(max(sizes * out, 0))
    if name in ("conv", "conv_weight"):  # two for each meeting of a window and an image's place
        weights, met = (shapes[1], out) if name == "conv" else (outs[0], math.prod(shapes[1]))
        return int(2 * met * math.prod(weights[1:]))
    if name == "conv_input":
        return int(2 * math.prod(shapes[0]) * math.prod(shapes[1][1:]))
    if name.endswith(("_pool", "_unpool")):
        pooled = outs[0] if name.endswith("_pool") else shapes[0]
        return int(math.prod(pooled) * math.prod(equation.params["window"]))
    return max([out, *map(math.prod, shapes)])


def _has_shape(x: Any) -> bool:
    return isinstance(x, Var) or hasattr(x, "shape")


@functools.cache
def machine() -> tuple[float, dict[int, float]]:
    """Bytes in a second of a copy, and operations in a second of a product, by item size."""
    source = np.ones(4 << 20)
    target = np.empty_like(source)
    bandwidth = 2 * source.nbytes / _best(lambda: np.copyto(target, source))
    speed = {}
    for dtype in (np.float32, np.float64):
        a = np.ones((512, 512), dtype)
        out = np.empty_like(a)
        speed[a.itemsize] = 2 * 512**3 / _best(functools.partial(np.matmul, a, a, out=out))
    return bandwidth, speed


def _best(f: Callable[[], Any]) -> float:
    times = []
    with np.errstate(all="ignore"):  # some BLAS raise flags that mean nothing
        for _ in range(5):
            start = time.perf_counter()
            f()
            times.append(time.perf_counter() - start)
    return min(times)


__all__ = ["Cost", "cost"]
