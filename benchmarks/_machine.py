"""What the figures were taken on, and what each library costs before it computes."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import statistics
import subprocess
from pathlib import Path

from import_time import import_ms

MODULES = ("numpy", "gradarg", "autograd", "mygrad", "jax", "torch")


def cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
        model = re.search(r"model name\s*:\s*(.*)", text)
        name = model[1].strip() if model else platform.processor()
        wide = next((w for w in ("avx512f", "avx2") if f" {w} " in text), "")
    except OSError:
        name, wide = platform.processor() or platform.machine(), ""
    return f"{name}, {os.cpu_count()} cores{wide and ', ' + wide}"


def environment(threads: int) -> dict[str, str]:
    """The variables of a contender that is to have so many threads."""
    limits = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    found = {**os.environ, **dict.fromkeys(limits, str(threads))}
    found.pop("PYTHONDONTWRITEBYTECODE", None)
    if threads == 1:  # JAX sizes its pool by the machine, whatever the others are told
        found["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    return found


def sizes() -> dict[str, dict[str, float]]:
    """What each library costs: to import, and on disk with all it needs."""
    result = {}
    for module in MODULES:
        if importlib.util.find_spec(module) is None:
            continue
        try:
            before = "" if module == "numpy" else "numpy"
            import_ms(module, before)  # unmeasured: files come into memory
            ms = statistics.median(import_ms(module, before) for _ in range(3))
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
