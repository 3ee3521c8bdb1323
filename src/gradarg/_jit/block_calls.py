"""What the function of a block calls, beside ufuncs: reductions of short rows, choices by bits."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._ops import elementwise, special
from .block import UFUNCS

_FLAT = 128  # rows that are added up in float32 before it goes on in float64
_SHORT = 24  # columns: up to here, rows are turned into columns to be reduced
_LONG = 1 << 10  # columns: beyond, rows are added up pairwise


def _across(how: Any, x: Any, out: Any) -> None:
    """A reduction of rows so short that NumPy would begin anew all the time: of columns instead."""
    how.reduce(np.ascontiguousarray(x.T), 0, None, out[:, 0])


def _row_sum(x: Any, out: Any) -> None:
    """The sum of each row: by BLAS, unless it is so long that more than its order matters."""
    if x.shape[1] <= _SHORT:
        _across(np.add, x, out)
    elif x.shape[1] <= _LONG:
        np.vecdot(x, _ones(x.shape[1], x.dtype), out[:, 0])
    else:
        np.add.reduce(x, 1, out=out, keepdims=True)


def _row_dot(x: Any, y: Any, out: Any) -> None:
    """The sum of the products of two rows."""
    if _SHORT < x.shape[1] <= _LONG:
        np.vecdot(x, y, out[:, 0])
    else:
        _row_sum(x * y, out)


def _extreme(how: Any) -> Callable[[Any, Any], None]:
    """The largest or the smallest of each row."""

    def of_rows(x: Any, out: Any) -> None:
        if 0 < x.shape[1] <= _SHORT:
            _across(how, x, out)
        else:
            how.reduce(x, 1, None, out, True)

    return of_rows


@functools.lru_cache(64)
def _ones(n: int, dtype: Any) -> Any:
    return np.ones(n, dtype)


def _choose(c: Any, x: Any, y: Any, out: Any, spare: Any) -> None:
    """where(c, x, y) by the bits of x and y: three vectorised operations, where NumPy's is none."""
    bits = np.int32 if out.itemsize == 4 else np.int64
    mask, o = spare.view(bits), out.view(bits)
    np.copyto(mask, c)
    if _is_zero(y):
        np.negative(mask, mask)
        np.bitwise_and(_bits(x, out.dtype, bits), mask, o)
    elif _is_zero(x):
        np.subtract(mask, 1, mask)
        np.bitwise_and(_bits(y, out.dtype, bits), mask, o)
    else:
        np.negative(mask, mask)
        x, y = _bits(x, out.dtype, bits), _bits(y, out.dtype, bits)
        np.bitwise_xor(x, y, o)
        np.bitwise_and(o, mask, o)
        np.bitwise_xor(o, y, o)


def _is_zero(x: Any) -> bool:
    return not isinstance(x, np.ndarray) and x == 0 and math.copysign(1, x) == 1


def _bits(x: Any, dtype: Any, bits: Any) -> Any:
    return (x if isinstance(x, np.ndarray) else dtype.type(x)).view(bits)


def _where_true(c: Any, x: Any, y: Any, out: Any, _spare: Any) -> None:
    """where(c, x, y) of truth values."""
    np.copyto(out, np.where(c, x, y))


def _column_sum(x: Any, _axis: None) -> Any:
    """The sum over the rows, in float64 beyond a few of them."""
    return np.add.reduce(x, 0, np.float64 if len(x) > _FLAT else None)


SCOPE: dict[str, Any] = {
    **{name: getattr(np, name) for name in UFUNCS},
    "copyto": np.copyto, "arange": np.arange, "choose": _choose, "where_true": _where_true,
    "row_sum": _row_sum, "row_dot": _row_dot,
    "row_max": _extreme(np.maximum), "row_min": _extreme(np.minimum),
    "add_reduce": np.add.reduce, "maximum_reduce": np.maximum.reduce,
    "minimum_reduce": np.minimum.reduce, "column_sum": _column_sum,
    "product": elementwise.product.impl, "quotient": elementwise.quotient.impl,
    "erf": special.erf.impl, "erfc": special.erfc.impl, "ndtr": special.ndtr.impl,
}  # fmt: skip
