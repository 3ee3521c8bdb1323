"""How benchmarks compare libraries: each in a process of its own, interleaved, by medians.

A benchmark names its contenders, each a function that returns rows: what is timed, by name. Every
round runs every contender once, in a fresh process, one after another, so that a slow spell of the
machine meets them all. A figure is the median over rounds of the best of several repeats.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import timeit
from collections.abc import Callable, Mapping

Rows = Mapping[str, Callable[[], object]]
OURS = "gradarg"


def contest(file: str, about: str | None, contenders: dict[str, Callable[[], Rows]]) -> None:
    """Time the contenders that are installed, and print their medians in microseconds."""
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="threads of each library")
    parser.add_argument("--contender", choices=contenders, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        rows = contenders[options.contender]()
        print(json.dumps({name: best_us(call) for name, call in rows.items()}))
        return

    present = [c for c in contenders if importlib.util.find_spec(c)]
    threads = str(options.threads)
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, threads)}
    if options.threads == 1:  # JAX sizes its pool by the machine, whatever the others are told
        environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    figures: dict[str, dict[str, list[float]]] = {}
    for _ in range(options.rounds):
        for contender in present:
            done = subprocess.run(
                [sys.executable, file, "--contender", contender],
                stdout=subprocess.PIPE, text=True, check=True, env=environment,
            )  # fmt: skip
            for row, us in json.loads(done.stdout).items():
                figures.setdefault(row, {}).setdefault(contender, []).append(us)

    versions = ", ".join(f"{c} {version(c)}" for c in present)
    print(f"Python {platform.python_version()}, {versions}, {threads} thread(s)")
    print(f"microseconds: median of {options.rounds} processes; in brackets, {OURS}'s share of it")
    width = 2 + max(map(len, figures))
    for row, found in figures.items():
        medians = {c: statistics.median(us) for c, us in found.items()}
        ours = medians.get(OURS)
        cells = [
            f"{c} {us:.2f}" + (f" ({ours / us:.2f})" if ours and c != OURS else "")
            for c, us in medians.items()
        ]
        print(f"{row:{width}}" + "   ".join(cells))


def best_us(call: Callable[[], object], seconds: float = 0.1, repeats: int = 7) -> float:
    """The best of several repeats, in microseconds per call."""
    timer = timeit.Timer(call)
    number, taken = timer.autorange()
    number = max(1, int(number * seconds / repeats / taken))
    return min(timer.repeat(repeats, number)) / number * 1e6


def burst_us(call: Callable[[], object], seconds: float, repeats: int = 5) -> float:
    """The best of several repeats that take about so long in all, in microseconds per call."""
    timer = timeit.Timer(call)
    taken, number = timer.timeit(1), 1
    if taken > seconds:  # there are other rounds
        return taken * 1e6
    while taken < seconds / (4 * repeats):
        number *= 4
        taken = timer.timeit(number)
    each = max(1, round(number * seconds / (repeats * taken)))
    repeats = max(2, min(repeats, round(seconds / taken * number)))
    return min(timer.repeat(repeats, each)) / each * 1e6


def version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # run from the source tree
        return "(source)"
