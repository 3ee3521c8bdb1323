"""Samples of the primitives that find places and truths."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from gradarg._ops import searching
from tests.ops.sample import INTEGER, TRUTH, Sample, values

TABLE = np.array([-1.5, -0.25, 0.5, 0.5, 1.25])
BYTES = np.array([[3, 200, 17], [255, 0, 128]], np.uint8)


def sorted_table(table: Any, x: Any) -> tuple[Any, ...]:
    return np.sort(table), x


def same_table(x: Any, k: int) -> Any:
    return x if k == 0 else x + 0.03 * k


def _samples() -> Iterator[Sample]:
    for side in ("left", "right"):
        yield Sample(
            searching.searchsorted,
            lambda a, x, side: np.searchsorted(a, x, side),
            (TABLE, np.array([[0.5, -2.0], [3.0, 0.1]])),
            {"side": side},
            side,
            vary=same_table,
        )
    for right in (False, True):
        yield Sample(
            searching.digitize,
            lambda a, x, right: np.digitize(x, a, right),
            (TABLE[::-1], np.array([0.5, -2.0, 3.0])),
            {"right": right},
            f"{right}",
            vary=same_table,
        )
    for invert in (False, True):
        yield Sample(
            searching.isin,
            lambda a, x, invert: np.isin(x, a, invert=invert),
            (TABLE, np.array([[0.5, -2.0], [1.25, 0.1]])),
            {"invert": invert},
            f"{invert}",
        )
    params = {"rtol": 0.1, "atol": 0.01, "equal_nan": False}
    yield Sample(searching.isclose, np.isclose, (values((2, 1)), values((3,))), params)
    for axis in (0, 1):
        keys = values((3, 4), INTEGER), values((3, 4))
        yield Sample(
            searching.lexsort, lambda *k, axis: np.lexsort(k, axis), keys, {"axis": axis}, f"{axis}"
        )
        params = {"axis": axis, "bitorder": "little"}
        yield Sample(searching.packbits, np.packbits, (values((9, 3), TRUTH),), params, f"{axis}")
        params = {**params, "count": 5}
        yield Sample(searching.unpackbits, np.unpackbits, (BYTES,), params, f"{axis}", vary=flipped)


def flipped(x: Any, k: int) -> Any:
    return np.roll(x, k)


SAMPLES = list(_samples())
