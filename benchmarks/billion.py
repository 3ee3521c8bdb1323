"""A billion variables: who can take the gradient of a function of them in 24 GB, and how long.

    python benchmarks/billion.py            a tenth: 1e8 variables in 2.4 GB
    python benchmarks/billion.py 1e9 24     a billion; the machine must have the memory free

The Rosenbrock function's value and gradient, float32. A contender has a process of its own, and
once it has computed the same of a few variables, so that it is loaded, that process may have so
much more address space and no more: an allocation beyond it fails, and nothing is harmed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import numpy as np  # noqa: E402
from _libraries import LIBRARIES  # noqa: E402
from _machine import environment  # noqa: E402
from rows.calculus import recycled, rosenbrock  # noqa: E402

TENTH, WHOLE = (10**8, 2.4), (10**9, 24.0)  # variables, GB


def eager_jax(lib: Any, x: Any) -> Any:
    run = lib.jax.value_and_grad(lambda x: rosenbrock(lib.np, x))
    return lambda: lib.jax.block_until_ready(run(x))


def donated(lib: Any, x: Any) -> Any:
    both = lib.ga.value_and_grad(lambda x: rosenbrock(np, x))
    run = lib.ga.jit(lambda x, spare: both(x), donate_argnums=1)
    kept = [np.empty_like(x)]

    def call() -> Any:
        value, kept[0] = run(x, kept[0])
        return value

    return call


def plain(lib: Any, x: Any) -> Any:
    return lib.gradient(lambda x: rosenbrock(lib.np, x), x)


CONTENDERS: dict[str, tuple[str, Callable[..., Any]]] = {
    "gradarg jit": ("gradarg jit", donated),
    "gradarg": ("gradarg", plain),
    "torch": ("torch", plain),
    "torch.compile": ("torch.compile", plain),
    "jax, eager": ("jax jit", eager_jax),
    "jax jit, donated": ("jax jit", recycled),
    "autograd": ("autograd", plain),
    "mygrad": ("mygrad", plain),
}


def variables(n: int) -> Any:
    """Numbers between 0.5 and 1.5, the same after every million, which takes little time."""
    x = np.empty(n, np.float32)
    some = np.random.default_rng(0).uniform(0.5, 1.5, min(n, 10**6)).astype(np.float32)
    for start in range(0, n, len(some)):
        part = x[start : start + len(some)]
        part[:] = some[: len(part)]
    return x


def memory(what: str) -> int:
    """Bytes of address space (VmSize), of memory (VmRSS), or the most there has been (VmHWM)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{what}:")[1].split()[0]) * 1024


def alone(name: str, n: int, gigabytes: float) -> dict[str, Any]:
    """The outcome of one contender, in this process."""
    import resource

    module, build = CONTENDERS[name]
    library = LIBRARIES[module][0]()
    for _ in range(2):
        build(library, library.array(variables(10**5)))()
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins again
    before = memory("VmRSS")
    limit = memory("VmSize") + int(gigabytes * 1e9)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    x = variables(n)
    if name.startswith(("gradarg", "autograd")):
        library.array = lambda x: x  # they compute on NumPy's arrays
    elif "torch" in name:
        library.array = library.torch.from_numpy
        library._leaves = lambda args: [a.requires_grad_() for a in args]
    x = library.array(x)
    call, taken = build(library, x), []
    for _ in range(3):
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return {"seconds": min(taken[1:]), "bytes": memory("VmHWM") - before}


def outcome(name: str, n: int, gigabytes: float, threads: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, __file__, str(n), str(gigabytes), name],
        capture_output=True, text=True, env=environment(threads),
    )  # fmt: skip
    facts = {"contender": name, "variables": n, "gigabytes": gigabytes}
    if done.returncode == 0:
        return facts | json.loads(done.stdout)
    said = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
    lost = ("memory", "bad_alloc", "MemoryError", "RESOURCE_EXHAUSTED", "Failed to allocate")
    return facts | {"failed": "out of memory" if any(w in done.stderr for w in lost) else said}


def needed(facts: dict[str, Any], threads: int) -> dict[str, Any]:
    """The same with what one that ran out of memory takes where there is enough."""
    if "failed" in facts:
        enough = outcome(facts["contender"], facts["variables"], 3 * facts["gigabytes"], threads)
        facts |= {k: enough[k] for k in ("seconds", "bytes") if k in enough}
    return facts


def available() -> int:
    """Bytes of memory that are free; 0 where nobody says."""
    try:
        text = Path("/proc/meminfo").read_text()
    except OSError:
        return 0
    return int(text.split("MemAvailable:")[1].split()[0]) * 1024


def outcomes(threads: int) -> list[dict[str, Any]]:
    """All contenders on a tenth of it, and gradarg on the whole where there is the memory."""
    import importlib.util

    if not available():
        print("A billion variables: left out, as this system has no /proc")
        return []
    found = []
    if available() > 12e9:
        found.append(outcome("gradarg jit", *WHOLE, threads))
    for name, (module, _) in CONTENDERS.items():
        if importlib.util.find_spec(LIBRARIES[module][1]) and available() > 3e9 * TENTH[1]:
            found.append(needed(outcome(name, *TENTH, threads), threads))
    for facts in found:
        print(facts, flush=True)
    return found


def main() -> None:
    import os

    n, gigabytes = TENTH
    if sys.argv[1:]:
        n, gigabytes = int(float(sys.argv[1])), float(sys.argv[2])
    if sys.argv[3:]:
        answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        print(json.dumps(alone(sys.argv[3], n, gigabytes)), file=answers, flush=True)
        os._exit(0)  # what a library does on its way out may need memory
    for name in CONTENDERS:
        facts = outcome(name, n, gigabytes, os.cpu_count() or 1)
        print(needed(facts, os.cpu_count() or 1) if 3e9 * gigabytes < available() else facts)


if __name__ == "__main__":
    main()
