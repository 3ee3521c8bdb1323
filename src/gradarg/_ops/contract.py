"""Products that sum over shared axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._core.errors import ShapeError
from .._core.primitive import Each, Primitive, aligned, bilinear, general
from .._core.trace import ShapeDtype

# ---- matmul of stacks of matrices; the callers give vectors a second axis


def _matmul_shape(x: Any, y: Any) -> ShapeDtype:
    if x.shape[-1] != y.shape[-2]:
        raise ShapeError(
            f"matmul: {x.shape} @ {y.shape} needs as many columns on the left as rows "
            f"on the right, but {x.shape[-1]} != {y.shape[-2]}."
        )
    lead = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    return ShapeDtype((*lead, x.shape[-2], y.shape[-1]), np.result_type(x.dtype, y.dtype))


def _matmul_batch(p: Primitive, n: int, mapped: Any, args: Any, k: Any) -> Any:
    """One product of two matrices, if the side that is not mapped is one: BLAS at its best."""
    (x, y), (x_mapped, y_mapped) = args, mapped
    if not y_mapped and y.ndim == 2:
        rows = x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))
        return p(rows, y).reshape((*x.shape[:-1], y.shape[-1]))
    if not x_mapped and x.ndim == 2 and y.shape[-1] == 1:
        rows = y.reshape((math.prod(y.shape[:-2]), y.shape[-2]))
        return p(rows, x.mT).reshape((*y.shape[:-2], x.shape[0], 1))
    return aligned(p, n, mapped, args, k)


matmul: Primitive = bilinear(
    "matmul",
    np.matmul,
    lambda g, _o, _x, y: np.matmul(g, y.mT),
    lambda g, _o, x, _y: np.matmul(x.mT, g),
    batch=_matmul_batch,
    shape=_matmul_shape,
)

# ---- einsum in explicit form: no ellipsis, no letter twice in one operand, and every letter of
# ---- an operand stands in the output or in another operand (the callers see to it)


def split(subscripts: str) -> tuple[list[str], str]:
    inputs, output = subscripts.split("->")
    return inputs.split(","), output


def _einsum(*operands: Any, subscripts: str) -> Any:
    # NumPy's planner costs 30 us and finds the BLAS calls
    planned = len(operands) > 2 or sum(np.size(x) for x in operands) > 10_000
    return np.einsum(subscripts, *operands, optimize=planned)


def _einsum_vjp(i: int, g: Any, _out: Any, *operands: Any, subscripts: str) -> Any:
    inputs, output = split(subscripts)
    others = [s for j, s in enumerate(inputs) if j != i]
    rest = [x for j, x in enumerate(operands) if j != i]
    c = einsum(g, *rest, subscripts=f"{','.join([output, *others])}->{inputs[i]}")
    wanted = np.broadcast_shapes(c.shape, operands[i].shape)  # the others may have had length 1
    return c if c.shape == wanted else np.broadcast_to(c, wanted)


def _einsum_jvp(tangents: Any, _out: Any, *operands: Any, subscripts: str) -> Any:
    terms = [
        einsum(*operands[:i], t, *operands[i + 1 :], subscripts=subscripts)
        for i, t in enumerate(tangents)
        if t is not None
    ]
    return sum(terms[1:], terms[0])


def _einsum_batch(p: Primitive, _n: int, mapped: Any, args: Any, k: dict[str, Any]) -> Any:
    inputs, output = split(k["subscripts"])
    new = next(
        c for c in map(chr, range(ord("A"), 0x2000)) if c.isalpha() and c not in k["subscripts"]
    )
    marked = [new + s if m else s for s, m in zip(inputs, mapped)]
    return p(*args, subscripts=f"{','.join(marked)}->{new}{output}")


def _einsum_shape(*operands: Any, subscripts: str) -> ShapeDtype:
    inputs, output = split(subscripts)
    sizes: dict[str, int] = {}
    for letters, x in zip(inputs, operands):
        for letter, n in zip(letters, x.shape):
            if n != 1 and sizes.get(letter, 1) not in (1, n):
                shapes = " and ".join(str(tuple(y.shape)) for y in operands)
                raise ShapeError(
                    f"einsum '{subscripts}' of shapes {shapes}: the axis {letter} has the lengths "
                    f"{sizes[letter]} and {n}."
                )
            sizes[letter] = n if n != 1 else sizes.get(letter, 1)
    return ShapeDtype([sizes[c] for c in output], np.result_type(*(x.dtype for x in operands)))


einsum = general(
    "einsum",
    _einsum,
    vjp=Each(_einsum_vjp, reads=frozenset(range(64))),  # all operands, but not the output
    jvp=_einsum_jvp,
    batch=_einsum_batch,
    shape=_einsum_shape,
)


# ---- convolution of the last axes; the others broadcast. Either all sums of x[j] * y[k - j], or
# ---- ("valid", for x no shorter than y) those in which all of y takes part


def _convolve(x: Any, y: Any, mode: str) -> Any:
    if x.ndim == y.ndim == 1:
        return np.convolve(x, y, mode)  # type: ignore[call-overload]
    count = y.shape[-1]
    if mode == "full":
        ends = [(0, 0)] * (x.ndim - 1) + [(count - 1, count - 1)]
        x = np.pad(x, ends)
    windows = np.lib.stride_tricks.sliding_window_view(x, count, axis=-1)
    return np.einsum("...kj,...j->...k", windows, y[..., ::-1])


def _convolve_dx(g: Any, _o: Any, x: Any, y: Any, mode: str) -> Any:
    back = np.flip(y, -1)
    return convolve(g, back, mode="valid" if mode == "full" else "full")


def _convolve_dy(g: Any, _o: Any, x: Any, y: Any, mode: str) -> Any:
    if mode == "full":
        return convolve(g, np.flip(x, -1), mode="valid")
    return np.flip(convolve(x, np.flip(g, -1), mode="valid"), -1)


def _convolve_shape(x: Any, y: Any, mode: str) -> ShapeDtype:
    n, m = x.shape[-1], y.shape[-1]
    lead = np.broadcast_shapes(x.shape[:-1], y.shape[:-1])
    length = n + m - 1 if mode == "full" else n - m + 1
    return ShapeDtype((*lead, length), np.result_type(x.dtype, y.dtype))


convolve: Primitive = bilinear(
    "convolve",
    _convolve,
    _convolve_dx,
    _convolve_dy,
    batch=aligned,
    shape=_convolve_shape,
)
