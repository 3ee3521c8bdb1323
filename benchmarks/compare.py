"""The comparison: gradarg, eager and jit, beside its peers, NumPy by hand, and the limit.

    python benchmarks/compare.py                 all rows; writes benchmarks/results/
    python benchmarks/compare.py --quick         the small ones, in about two minutes
    python benchmarks/compare.py --check         --quick, held against the last on this machine
    python benchmarks/compare.py --rows softmax  those whose name holds the word; writes nothing

Each contender has a process of its own, which stays; row by row each compares its result with
NumPy's, and then they are timed in turns, so that a slow spell of the machine meets them all. A
figure is the median over rounds of the best of five repeats, and the spread that of the rounds.
Compilation is not in it, but is noted, roughly: contenders prepare a row side by side.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from _libraries import LIBRARIES  # noqa: E402
from _report import markdown, picture  # noqa: E402
from import_time import import_ms  # noqa: E402
from rows import ROWS  # noqa: E402

RESULTS = HERE / "results"
OURS = ("gradarg", "gradarg jit")
SLOWER = 1.3  # by ratio to NumPy: more than the noise of the quick run


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


def compared(names: list[str], threads: int, rounds: int, seconds: float) -> dict[str, Any]:
    """All figures of the rows of these names."""
    limits = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(limits, str(threads))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    if threads == 1:
        environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    absent = [n for n, (_, m) in LIBRARIES.items() if importlib.util.find_spec(m) is None]
    if importlib.util.find_spec("llvmlite") is None:
        print("llvmlite is not installed: gradarg jit runs on NumPy")
    processes = [Process(n, environment) for n in ("limit", "numpy", *LIBRARIES) if n not in absent]
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
    for name in names:
        row = found[name] = {"times": {}, "first": {}, "notes": {}}
        running = []
        for p in there:  # all at once: compiling takes long, and is not compared
            p.say(row=name)
        for p in there:
            said = p.hear()
            if said["ok"]:
                running.append(p)
                if "first_s" in said:
                    row["first"][p.name] = said["first_s"]
            else:
                row["notes"][p.name] = said["why"]
        for _ in range(rounds):
            for p in running:
                said = p.ask(seconds=seconds)
                if "us" in said:
                    row["times"].setdefault(p.name, []).append(said["us"])
        for p in running:
            p.ask(drop=True)
        print(line(name, row), flush=True)
    for p in there:
        p.process.stdin.close()
        p.process.wait()
    return {"rows": found, "versions": versions, "absent": absent}


def medians(row: dict[str, Any]) -> dict[str, float]:
    return {c: statistics.median(us) for c, us in row["times"].items()}


def line(name: str, row: dict[str, Any]) -> str:
    middle = medians(row)
    shown = "  ".join(f"{c} {us:.4g}" for c, us in middle.items())
    notes = "".join(f"\n    {c}: {why}" for c, why in row["notes"].items() if why != "left out")
    return f"{name} (us)\n    {shown}{notes}"


def cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
        model = re.search(r"model name\s*:\s*(.*)", text)
        name = model[1].strip() if model else platform.processor()
        wide = next((w for w in ("avx512f", "avx2") if f" {w} " in text), "")
    except OSError:
        name, wide = platform.processor() or platform.machine(), ""
    return f"{name}, {os.cpu_count()} cores{wide and ', ' + wide}"


def sizes(modules: list[str]) -> dict[str, dict[str, float]]:
    """What each library costs before it computes: to import, and on disk with all it needs."""
    result = {}
    for module in modules:
        try:
            ms = statistics.median(
                import_ms(module, "" if module == "numpy" else "numpy") for _ in range(3)
            )
        except subprocess.CalledProcessError:
            continue
        result[module] = {"import_ms": ms, "installed_mb": installed(module, set()) / 1e6}
    return result


def installed(package: str, seen: set[str]) -> int:
    """Bytes of a package and of all it requires."""
    name = re.sub(r"[-_.]+", "-", package).lower()
    if name in seen:
        return 0
    seen.add(name)
    try:
        distribution = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        spec = importlib.util.find_spec(package)  # the source tree
        if spec is None or spec.origin is None:
            return 0
        folder = Path(spec.origin).parent
        own = sum(f.stat().st_size for f in folder.rglob("*.py"))
        return own + (installed("numpy", seen) if package == "gradarg" else 0)
    files = [distribution.locate_file(f) for f in distribution.files or ()]
    own = sum(Path(str(f)).stat().st_size for f in files if Path(str(f)).is_file())
    needed = [
        re.split(r"[ ;<>=!~(\[]", r)[0] for r in distribution.requires or () if "extra ==" not in r
    ]
    return own + sum(installed(r, seen) for r in needed)


def slower(now: dict[str, Any], before: dict[str, Any]) -> list[str]:
    """Where gradarg's time, as a share of NumPy's, has grown since."""
    found = []
    for name, row in now["rows"].items():
        old, new = medians(before["rows"].get(name, {"times": {}})), medians(row)
        for c in OURS:
            if c in old and c not in new:
                found.append(f"{name}: {c} no longer runs: {row['notes'].get(c)}")
            elif c in old and "numpy" in old and "numpy" in new:
                a, b = old[c] / old["numpy"], new[c] / new["numpy"]
                if b > SLOWER * a:
                    found.append(f"{name}: {c} took {a:.3g} of NumPy's time, now {b:.3g}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the small rows, fewer rounds")
    parser.add_argument("--check", action="store_true", help="--quick, against the last results")
    parser.add_argument("--rows", help="only rows whose name holds this; nothing is written")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int)
    options = parser.parse_args()
    quick = options.quick or options.check
    names = [
        n for n, row in ROWS.items()
        if (options.rows or "") in n and (row.quick or not quick)
    ]  # fmt: skip
    begun, load = datetime.datetime.now().astimezone(), os.getloadavg()
    result = compared(
        names, options.threads, options.rounds or (3 if quick else 5), 0.06 if quick else 0.5
    )
    if options.rows:
        return 0
    result |= {
        "date": begun.isoformat(timespec="seconds"),
        "load": [load[0], os.getloadavg()[0]],
        "cpu": cpu(),
        "threads": options.threads,
        "python": platform.python_version(),
        "sizes": sizes(
            [m for m in ("numpy", "gradarg", "autograd", "mygrad", "jax", "torch")
             if importlib.util.find_spec(m)]
        ),
    }  # fmt: skip
    machine = f"{result['cpu']}-{options.threads}-threads"
    slug = re.sub(r"\W+", "-", machine).strip("-").lower() + ("-quick" if quick else "")
    file = RESULTS / f"{slug}.json"
    if options.check:
        if not file.exists():
            print(f"No results of this machine to compare with: {file}", file=sys.stderr)
            return 2
        worse = slower(result, json.loads(file.read_text()))
        print("\n".join(worse) or "As fast as the last time.")
        return bool(worse)
    RESULTS.mkdir(exist_ok=True)
    file.write_text(json.dumps(result, indent=1) + "\n")
    file.with_suffix(".md").write_text(markdown(result))
    file.with_suffix(".svg").write_text(picture(result))
    print(f"{file.with_suffix('.md')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
