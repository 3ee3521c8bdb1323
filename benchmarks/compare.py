"""The comparison: gradarg, eager and jit, beside its peers, NumPy by hand, and the limit.

    python benchmarks/compare.py                 all rows; writes benchmarks/results/
    python benchmarks/compare.py --quick         some rows and contenders, in about two minutes
    python benchmarks/compare.py --check         gradarg against its last results on this machine
    python benchmarks/compare.py --rows softmax  rows whose name holds the word; writes nothing

docs/benchmarks.md says what is measured, and how.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.util
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from _libraries import LIBRARIES  # noqa: E402
from _machine import cpu, environment, sizes  # noqa: E402
from _report import markdown, picture  # noqa: E402
from billion import outcomes  # noqa: E402
from rows import ROWS  # noqa: E402

RESULTS = HERE / "results"
OURS = ("gradarg", "gradarg jit")
COMPILERS = ("gradarg jit", "torch.compile", "jax jit")
WITHOUT_LLVM = "gradarg numpy"
SLOWER = 1.3  # by ratio to NumPy: more than the noise of a second look
HEAVY = 2e8  # bytes: contenders prepare such a row one after another


@dataclass
class Pace:
    """How thoroughly is measured, and by whom."""

    contenders: tuple[str, ...]
    seconds: float  # of a turn
    rounds: tuple[int, int]  # at least and at most: as many as fit in the row's share of the time
    total: float = float("inf")  # seconds for all rows


ALL = ("limit", "numpy", *LIBRARIES)
FULL = Pace(ALL, 0.3, (5, 5))
QUICK = Pace(
    tuple(c for c in ALL if c not in (WITHOUT_LLVM, "autograd", "mygrad")), 0.05, (3, 9), 100.0
)
CHECK = Pace(("numpy", *OURS), 0.1, (5, 9), 100.0)


class Process:
    """A contender at the other end of two pipes."""

    def __init__(self, name: str, environment: dict[str, str]) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "_worker.py"), name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=environment,
        )  # fmt: skip

    def hear(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            return {"ok": False, "why": f"its process ended, {self.process.wait()}"}
        return json.loads(line)

    def say(self, **what: Any) -> None:
        with contextlib.suppress(BrokenPipeError):  # the answer says so
            print(json.dumps(what), file=self.process.stdin, flush=True)

    def ask(self, **what: Any) -> dict[str, Any]:
        self.say(**what)
        return self.hear()


def compared(names: list[str], threads: int, pace: Pace) -> dict[str, Any]:
    """All figures of the rows of these names."""
    deadline = time.monotonic() + pace.total
    known = {n: m for n, (_, m) in LIBRARIES.items() if n in pace.contenders}
    absent = [n for n, m in known.items() if importlib.util.find_spec(m) is None]
    if importlib.util.find_spec("llvmlite") is None:
        print("llvmlite is not installed: gradarg jit runs on NumPy")
    processes = [Process(n, environment(threads)) for n in pace.contenders if n not in absent]
    versions, there = {}, []
    for p in processes:
        said = p.hear()
        if said["ok"]:
            there.append(p)
            versions[p.name] = said["version"]
        else:
            absent.append(p.name)
    for name in absent:
        print(f"{name} is left out: not installed")
    found: dict[str, Any] = {}
    for k, name in enumerate(names):
        share = (deadline - time.monotonic()) / (len(names) - k)
        found[name] = measured(name, there, pace, time.monotonic() + share)
        print(line(name, found[name]), flush=True)
    for p in there:
        p.process.stdin.close()
        p.process.wait()
    return {"rows": found, "versions": versions, "absent": absent}


def measured(name: str, there: list[Process], pace: Pace, deadline: float) -> dict[str, Any]:
    """One row: every contender prepares it, and then they are timed in turns."""
    row: dict[str, Any] = {"times": {}, "notes": {}, "target": ROWS[name].target}
    invited = [p for p in there if p.name != WITHOUT_LLVM or ROWS[name].large]
    if ROWS[name].bytes > HEAVY:
        answers = [p.ask(row=name) for p in invited]
    else:  # compiling takes long, and is not compared here
        for p in invited:
            p.say(row=name)
        answers = [p.hear() for p in invited]
    running = [p for p, said in zip(invited, answers) if said["ok"]]
    row["notes"] = {p.name: s["why"] for p, s in zip(invited, answers) if not s["ok"]}
    least, most = pace.rounds
    for k in range(most):
        begun = time.monotonic()
        for p in running:
            said = p.ask(seconds=pace.seconds)
            if "us" in said:
                row["times"].setdefault(p.name, []).append(said["us"])
        after = time.monotonic()
        if k + 1 >= least and after + (after - begun) > deadline:
            break
    for p in running:
        p.ask(drop=True)
    return row


def first_calls(names: list[str], threads: int) -> dict[str, dict[str, float]]:
    """Seconds to compile each row: a first call less a second one, alone, the caches empty."""
    found: dict[str, dict[str, float]] = {}
    for name in names:
        for library in COMPILERS:
            if importlib.util.find_spec(LIBRARIES[library][1]) is None:
                continue
            with tempfile.TemporaryDirectory() as empty:
                folders = {"GRADARG_CACHE": f"{empty}/ours", "TORCHINDUCTOR_CACHE_DIR": empty}
                done = subprocess.run(
                    [sys.executable, str(HERE / "_worker.py"), library, "--first", name],
                    capture_output=True, text=True, env=environment(threads) | folders,
                )  # fmt: skip
            if done.returncode == 0:
                taken = json.loads(done.stdout)
                seconds = max(taken["first"] - taken["second"], 0.0)
                found.setdefault(name, {})[library] = round(seconds, 4)
        if name in found:
            print(f"{name}: compiled in (s) {found[name]}", flush=True)
    return found


def medians(row: dict[str, Any]) -> dict[str, float]:
    return {c: statistics.median(us) for c, us in row["times"].items()}


def line(name: str, row: dict[str, Any]) -> str:
    middle = medians(row)
    shown = "  ".join(f"{c} {us:.4g}" for c, us in middle.items())
    notes = "".join(f"\n    {c}: {why}" for c, why in row["notes"].items() if why != "left out")
    rounds = max(map(len, row["times"].values()), default=0)
    return f"{name} (us, {rounds} rounds)\n    {shown}{notes}"


def slower(now: dict[str, Any], before: dict[str, Any]) -> dict[str, list[str]]:
    """By row, what has grown since in gradarg's time as a share of NumPy's."""
    found: dict[str, list[str]] = {}
    for name, row in now["rows"].items():
        old, new = medians(before["rows"].get(name, {"times": {}})), medians(row)
        for c in OURS:
            if c in old and c not in new:
                why = row["notes"].get(c, "no figure")
                found.setdefault(name, []).append(f"{name}: {c} no longer runs: {why}")
            elif c in old and "numpy" in old and "numpy" in new:
                a, b = old[c] / old["numpy"], new[c] / new["numpy"]
                if b > SLOWER * a:
                    said = f"{name}: {c} took {a:.3g} of NumPy's time, now {b:.3g}"
                    found.setdefault(name, []).append(said)
    return found


def checked(names: list[str], threads: int, slug: str) -> int:
    """Hold gradarg against the last results of this machine, full or quick; 1: it is slower."""
    files = [f for f in (RESULTS / f"{slug}.json", RESULTS / f"{slug}-quick.json") if f.exists()]
    if not files:
        print(f"No results of this machine to compare with: {RESULTS / slug}.json", file=sys.stderr)
        return 2
    last = max((json.loads(f.read_text()) for f in files), key=lambda r: str(r["date"]))
    names = [n for n in names if n in last["rows"]]
    worse = slower(compared(names, threads, CHECK), last)
    if worse:  # a slow spell of the machine, perhaps: it has to happen twice
        print("Again:")
        worse = slower(compared(list(worse), threads, CHECK), last)
    print(f"Against the results of {last['date']}:")
    said = [what for row in worse.values() for what in row]
    print("\n".join(said) or f"{len(names)} rows, none slower")
    return bool(worse)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="some rows, some contenders")
    parser.add_argument("--check", action="store_true", help="against the last results")
    parser.add_argument("--rows", help="only rows whose name holds this; nothing is written")
    parser.add_argument("--first", action="store_true", help="with --rows: compile times alone")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int)
    options = parser.parse_args()
    quick, threads = options.quick or options.check, options.threads
    names = [
        n for n, row in ROWS.items()
        if (options.rows or "") in n and (row.quick or not quick)
    ]  # fmt: skip
    slug = re.sub(r"\W+", "-", f"{cpu()}-{threads}-threads").strip("-").lower()
    if options.check:
        return checked(names, threads, slug)
    if options.rows and options.first:
        first_calls(names, threads)
        return 0
    pace = QUICK if quick else FULL
    if options.rounds:
        pace = Pace(pace.contenders, pace.seconds, (options.rounds,) * 2)
    begun, load = datetime.datetime.now().astimezone(), os.getloadavg()
    result = compared(names, threads, pace)
    if options.rows:
        return 0
    if not quick:
        result["compile"] = first_calls([n for n in names if ROWS[n].quick], threads)
        result["billion"] = outcomes(threads)
        result["sizes"] = sizes()
    result |= {
        "date": begun.isoformat(timespec="seconds"),
        "seconds": round((datetime.datetime.now().astimezone() - begun).total_seconds()),
        "load": [load[0], os.getloadavg()[0]],
        "cpu": cpu(),
        "threads": threads,
        "python": platform.python_version(),
        "left out": [c for c in ALL if c not in pace.contenders],
        "large": [n for n in names if ROWS[n].large],
    }
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{slug}{'-quick' if quick else ''}.json"
    file.write_text(json.dumps(result, indent=1) + "\n")
    file.with_suffix(".md").write_text(markdown(result))
    file.with_suffix(".svg").write_text(picture(result))
    print(f"{file.with_suffix('.md')}, after {result['seconds']} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
