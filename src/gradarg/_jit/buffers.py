"""Large outputs in memory that was used before: fresh memory costs a page fault every 4 KB.

An array that was handed out is kept here too; when nobody else holds it, neither by a name nor by
a view, its memory is handed out again.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections import OrderedDict
from typing import Any

import numpy as np

LEAST = 1 << 17  # bytes: below, malloc keeps what was freed; above, the system takes it back
_lock = threading.Lock()
_EACH = 8  # arrays of one shape and dtype
_held: OrderedDict[Any, list[Any]] = OrderedDict()  # by shape and dtype, the latest last
_total = 0  # bytes of them


def _most() -> int:
    """The bytes that may be kept in all: a sixteenth of the memory."""
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        memory = 8 << 30
    return max(memory // 16, 64 << 20)


MOST = _most()


def _references(held: list[Any], k: int) -> int:
    x = held[k]
    return sys.getrefcount(x)


def _counts() -> bool:
    """Whether the count of references says who holds an array."""
    if sys.implementation.name != "cpython":
        return False
    enabled = getattr(sys, "_is_gil_enabled", None)
    return enabled is None or bool(enabled())


_FREE = _references([np.empty(1)], 0)
COUNTS = _counts()


def recycled(shape: tuple[int, ...], dtype: Any) -> Any:
    """An array of any content, as np.empty gives it."""
    global _total
    if not COUNTS:
        return np.empty(shape, dtype)
    key = shape, dtype
    with _lock:
        kept = _held.get(key)
        if kept is None:
            kept = _held[key] = []
        else:
            _held.move_to_end(key)
        for k in range(len(kept)):
            if _references(kept, k) == _FREE and _as_made(kept[k], shape, dtype):
                return kept[k]
        x = np.empty(shape, dtype)
        if len(kept) < _EACH and x.nbytes <= MOST:
            kept.append(x)
            _total += x.nbytes
            while _total > MOST:
                _drop_oldest()
        return x


def forget(*arrays: Any) -> None:
    """Leave arrays to those who hold them: their memory is not handed out again."""
    global _total
    with _lock:
        for x in arrays:
            kept = _held.get((x.shape, x.dtype), [])
            for k in range(len(kept)):
                if kept[k] is x:
                    del kept[k]
                    _total -= x.nbytes
                    break


def _as_made(x: Any, shape: tuple[int, ...], dtype: Any) -> bool:
    """Whether nobody has changed what the array is, nor watches when it goes."""
    flags = x.flags
    plain = flags.c_contiguous and flags.writeable and x.shape == shape and x.dtype == dtype
    return bool(plain) and not weakref.getweakrefcount(x)


def _drop_oldest() -> None:
    global _total
    key, kept = next(iter(_held.items()))
    if kept:
        _total -= kept.pop(0).nbytes
    if not kept:
        del _held[key]


def clear() -> None:
    """Let all memory go that nobody uses."""
    global _total
    with _lock:
        _held.clear()
        _total = 0


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
