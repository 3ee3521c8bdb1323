"""Sorting, and the positions that comparisons find. Positions are integers, without derivative."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core.primitive import Primitive, constant, general
from .._core.trace import ShapeDtype
from .structure import reduced


def _batch_along(p: Primitive, _n: int, _m: Any, args: Any, k: dict[str, Any]) -> Any:
    return p(args[0], **{**k, "axis": k["axis"] + 1})


argsort = constant(
    "argsort",
    lambda x, axis: np.argsort(x, axis=axis, kind="stable"),
    batch=_batch_along,
    shape=lambda x, axis: ShapeDtype(x.shape, np.intp),
)

argpartition = constant(
    "argpartition",
    lambda x, kth, axis: np.argpartition(x, kth, axis=axis),
    batch=_batch_along,
    shape=lambda x, kth, axis: ShapeDtype(x.shape, np.intp),
)

argmax = constant(
    "argmax",
    lambda x, axis: np.argmax(x, axis=axis),
    batch=_batch_along,
    shape=lambda x, axis: ShapeDtype(reduced(x, (axis,), False), np.intp),
)

argmin = constant(
    "argmin",
    lambda x, axis: np.argmin(x, axis=axis),
    batch=_batch_along,
    shape=lambda x, axis: ShapeDtype(reduced(x, (axis,), False), np.intp),
)

sort = general(
    "sort",
    lambda x, axis: np.sort(x, axis=axis, kind="stable"),
    vjp=[
        lambda g, _o, x, axis: np.take_along_axis(
            g, argsort(argsort(x, axis=axis), axis=axis), axis
        )
    ],
    jvp=lambda ts, _o, x, axis: np.take_along_axis(ts[0], argsort(x, axis=axis), axis),
    batch=_batch_along,
    shape=lambda x, axis: ShapeDtype(x.shape, x.dtype),
)
