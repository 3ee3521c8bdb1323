"""One contender in a process of its own: told on standard input what to prepare and to time.

    {"row": NAME}           make its call, compare the result with NumPy's: {"ok": true} or why not
    {"seconds": S}          time it for about S seconds: {"us": the best of a few repeats}
    {"drop": true}          let it go

With `--first ROW` it tells how long the first call of a row takes, and the second, and ends.
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

CHUNK = 1 << 20


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
        a, b, error, largest = a.ravel(), b.ravel(), 0.0, 1e-300
        for start in range(0, len(a), CHUNK):  # in float64, of which a whole copy may be too large
            x, y = (z[start : start + CHUNK].astype(float) for z in (a, b))
            error = np.maximum(error, np.max(np.abs(x - y)))  # and NaN stays
            largest = max(largest, float(np.max(np.abs(y))))
        if not error / largest <= row.tolerance:
            return f"result {k} is off by {error / largest:.1e} of its largest element"
    return None


def limits(row: Row) -> list[Any]:
    """Calls of which the longest takes as long as the row must take."""
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
        return [copy]
    n = 1024
    dtype = float if "process" in row.name else np.float32
    # as many rows of a product as make up the row's operations
    m = max(1, min(round(row.flops / (2 * n * n)), 8 * n))
    again = max(1, round(row.flops / (2 * n * n * m)))
    a, b, out = np.ones((m, n), dtype), np.ones((n, n), dtype), np.empty((m, n), dtype)

    def products() -> None:
        for _ in range(again):
            np.matmul(a, b, out=out)

    return [copy, products]


class Contender:
    def __init__(self, name: str) -> None:
        self.name = name
        self.library = LIBRARIES[name][0]() if name in LIBRARIES else None
        self.calls: list[Any] = []

    def prepare(self, name: str) -> dict[str, Any]:
        self.calls.clear()
        row = ROWS[name]
        if self.name == "limit":
            self.calls = limits(row)
            return {"ok": bool(row.bytes or row.flops), "why": "left out"}
        arrays = row.data()
        expected = row.hand(*arrays)
        if self.library is None:
            self.calls.append(expected)
            expected()
            return {"ok": True}
        try:
            call = row.call(self.library, arrays)
            if call is None:
                return {"ok": False, "why": "left out"}
            for _ in range(row.calls):
                if why := difference(call(), expected(), row, self.name.startswith("gradarg")):
                    return {"ok": False, "why": f"WRONG: {why}"}
        except Missing as missing:
            return {"ok": False, "why": str(missing)}
        except Exception as error:  # a contender that fails is reported, and the others go on
            text = str(error).strip().split("\n")[0]
            return {"ok": False, "why": f"FAILS: {type(error).__name__}: {text:.200}"}
        self.calls.append(call)
        return {"ok": True}

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "row" in asked:
            return self.prepare(asked["row"])
        if "drop" in asked:
            self.calls.clear()
            return {"ok": True}
        seconds = asked["seconds"] / len(self.calls)
        found = {"us": max(burst_us(call, seconds) for call in self.calls)}
        settle()
        return found


def settle() -> None:
    """Wait until this process is idle: OpenBLAS's threads spin for 0.1 s after a product.

    The next contender would share a processor with them.
    """
    for _ in range(100):
        before = time.process_time()
        time.sleep(0.01)
        if time.process_time() - before < 0.002:
            return


def first(name: str, row: Row) -> dict[str, float]:
    """Seconds of the first call and of the second, after that of something else."""
    library, taken = LIBRARIES[name][0](), []
    library.apply(lambda x: x + 1, library.array(np.ones(3)))()  # what is loaded when first used
    call = row.call(library, row.data())
    for _ in range(2):
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return {"first": taken[0], "second": taken[1]}


def main() -> None:
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w")  # libraries may print what they like: it goes to stderr
    os.dup2(2, 1)
    if sys.argv[2:3] == ["--first"]:
        print(json.dumps(first(sys.argv[1], ROWS[sys.argv[3]])), file=answers, flush=True)
        return
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
