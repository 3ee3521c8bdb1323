"""How long `import gradarg` takes on top of `import numpy`, beside its peers.

    python benchmarks/import_time.py --rounds 20

Each figure is the median over fresh processes; the processes of a round run one after another, each
contender once, so that a slow spell of the machine meets them all.
"""

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import statistics
import subprocess
import sys

TARGET_MS = 60
PEERS = ["autograd", "mygrad", "jax", "torch"]

TIMED = """
import time{before}
start = time.perf_counter()
import {module}
print(time.perf_counter() - start)
"""


def import_ms(module: str, before: str = "") -> float:
    """Milliseconds that a fresh process needs to import a module, another being loaded."""
    program = TIMED.format(module=module, before=before and f", {before}")
    # bytecode is written, as it is wherever a package is installed
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    return 1000 * float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15, help="processes per contender")
    parser.add_argument(
        "--peers",
        nargs="*",
        default=[peer for peer in PEERS if importlib.util.find_spec(peer)],
        metavar="MODULE",
        help="modules to compare with (default: those installed of " + ", ".join(PEERS) + ")",
    )
    options = parser.parse_args()

    contenders = ["numpy", "gradarg", *options.peers]
    before = {module: "numpy" for module in contenders if module != "numpy"}
    times: dict[str, list[float]] = {module: [] for module in contenders}
    for module in contenders:  # once unmeasured: bytecode is compiled, files come into memory
        import_ms(module, before.get(module, ""))
    for _ in range(options.rounds):
        for module in contenders:
            times[module].append(import_ms(module, before.get(module, "")))

    print(f"Python {platform.python_version()}, median of {options.rounds} fresh processes (ms)")
    for module in contenders:
        label = f"{module} {importlib.metadata.version(module)}"
        base = "on top of numpy" if module in before else ""
        note = f"target {TARGET_MS}" if module == "gradarg" else ""
        low, median = min(times[module]), statistics.median(times[module])
        print(f"{label:24} {median:8.1f}  (fastest {low:.1f})  {base}  {note}".rstrip())


if __name__ == "__main__":
    main()
