"""One contender in a process of its own: told on standard input what to prepare and to time.

    {"row": NAME}           make its call, compare the result with NumPy's: {"ok": true} or why not
    {"seconds": S}          time it for about S seconds: {"us": the best of a few repeats}

A contender is a library of _libraries.py, "numpy", or "limit": the time to copy the row's bytes, or
to do its matrix products, whichever is longer.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
from _contest import burst_us
from _libraries import LIBRARIES, THREADS, Missing
from _row import Row
from rows import ROWS


def leaves(x: Any) -> list[Any]:
    if isinstance(x, tuple | list):
        return [leaf for part in x for leaf in leaves(part)]
    return [np.asarray(x.detach() if hasattr(x, "detach") else x)]


def difference(found: Any, expected: Any, row: Row, dtypes: bool) -> str | None:
    """What differs from NumPy's result by more than the row's tolerance, or None."""
    found, expected = leaves(found), leaves(expected)
    if len(found) == 1 < len(expected):  # an optimiser that shows its parameters alone
        expected = expected[:1]
    if len(found) != len(expected):
        return f"{len(found)} results, not {len(expected)}"
    for k, (a, b) in enumerate(zip(found, expected)):
        if a.shape != b.shape or (dtypes and a.dtype != b.dtype):
            return f"result {k} is {a.dtype}{a.shape}, not {b.dtype}{b.shape}"
        error = np.max(np.abs(a.astype(float) - b)) / max(np.max(np.abs(b.astype(float))), 1e-300)
        if not error <= row.tolerance:
            return f"result {k} is off by {error:.1e} of its largest element"
    return None


def limit(row: Row) -> tuple[Any, dict[str, float]]:
    """A call that takes as long as the row must take."""
    count = max(THREADS, int(row.bytes / 2))
    source, target = np.ones(count, np.uint8), np.empty(count, np.uint8)
    pool = ThreadPoolExecutor(THREADS)
    cuts = [count * k // THREADS for k in range(THREADS + 1)]
    parts = [slice(a, b) for a, b in pairwise(cuts)]

    def copy() -> None:
        if count < 1 << 18:
            target[:] = source
        else:
            list(pool.map(lambda p: np.copyto(target[p], source[p]), parts))

    if not row.flops:
        return copy, {"bytes": row.bytes}
    n = 1024
    a, b, out = np.ones((n, n), np.float32), np.ones((n, n), np.float32), np.empty((n, n), "f4")
    if "process" in row.name:
        a, b, out = (x.astype(float) for x in (a, b, out))
    np.matmul(a, b, out=out)
    begun = time.perf_counter()
    for _ in range(5):
        np.matmul(a, b, out=out)
    rate = 5 * 2 * n**3 / (time.perf_counter() - begun)
    # as many rows of a product as make up the row's operations
    m = max(1, min(round(row.flops / (2 * n * n)), 8 * n))
    again = max(1, round(row.flops / (2 * n * n * m)))
    a, out = np.ones((m, n), a.dtype), np.empty((m, n), a.dtype)

    def products() -> None:
        for _ in range(again):
            np.matmul(a, b, out=out)

    longer = products if burst_us(products, 0.05, 3) > burst_us(copy, 0.05, 3) else copy
    return longer, {"bytes": row.bytes, "flops": row.flops, "peak flops/s": rate}


class Contender:
    def __init__(self, name: str) -> None:
        self.name = name
        self.library = LIBRARIES[name][0]() if name in LIBRARIES else None
        self.call: Any = None
        self.kept: Any = None

    def prepare(self, name: str) -> dict[str, Any]:
        self.call = self.kept = None
        row = ROWS[name]
        if self.name == "limit":
            self.call, facts = limit(row)
            return {"ok": True, "facts": facts}
        arrays = row.data()
        expected = row.hand(*arrays)
        if self.library is None:
            self.call = expected
            expected()
            return {"ok": True}
        try:
            call = row.call(self.library, arrays)
            if call is None:
                return {"ok": False, "why": "left out"}
            begun = time.perf_counter()
            found = call()
            first = time.perf_counter() - begun
            if why := difference(found, expected(), row, self.name.startswith("gradarg")):
                return {"ok": False, "why": f"WRONG: {why}"}
        except Missing as missing:
            return {"ok": False, "why": str(missing)}
        except Exception as error:  # a contender that fails is reported, and the others go on
            text = str(error).strip().split("\n")[0]
            return {"ok": False, "why": f"FAILS: {type(error).__name__}: {text:.200}"}
        self.call = call
        return {"ok": True, "first_s": round(first, 4)}

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "row" in asked:
            return self.prepare(asked["row"])
        if "drop" in asked:
            self.call = None
            return {"ok": True}
        return {"us": burst_us(self.call, asked["seconds"])}


def main() -> None:
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w")  # libraries may print what they like: it goes to stderr
    os.dup2(2, 1)
    try:
        contender = Contender(sys.argv[1])
        packages = {"numpy": "numpy", **{n: m for n, (_, m) in LIBRARIES.items()}}
        try:
            version = importlib.metadata.version(packages.get(sys.argv[1], "numpy"))
        except importlib.metadata.PackageNotFoundError:  # run from the source tree
            version = "(source)"
        print(json.dumps({"ok": True, "version": version}), file=answers, flush=True)
    except ImportError as error:
        print(json.dumps({"ok": False, "why": str(error)}), file=answers, flush=True)
        return
    for line in sys.stdin:
        print(json.dumps(contender.answer(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
