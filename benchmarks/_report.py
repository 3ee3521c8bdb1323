"""The comparison as a table and as a picture."""

from __future__ import annotations

import math
import statistics
from typing import Any
from xml.sax.saxutils import escape

COLUMNS = [
    "gradarg jit", "gradarg", "gradarg numpy", "torch", "torch.compile", "jax jit", "autograd",
    "mygrad", "numpy", "limit",
]  # fmt: skip
PEERS = ("torch", "torch.compile", "jax jit")
COLOURS = {
    "limit": "#000000", "gradarg jit": "#d00000", "gradarg": "#f4a6a0", "torch": "#f48c06",
    "torch.compile": "#7b2cbf", "jax jit": "#0077b6", "autograd": "#74a57f", "mygrad": "#b8a88a",
}  # fmt: skip


def span(us: float) -> str:
    for factor, unit in ((1, "us"), (1e3, "ms"), (1e6, "s")):
        if us < 1000 * factor or unit == "s":
            return f"{us / factor:.3g} {unit}"
    raise AssertionError


def middles(row: dict[str, Any]) -> dict[str, float]:
    return {c: statistics.median(us) for c, us in row["times"].items()}


def best_peer(middle: dict[str, float]) -> tuple[float, str] | None:
    """The time of the best of PyTorch, torch.compile and JAX, and which it is."""
    return min(((middle[p], p) for p in PEERS if p in middle), default=None)


def ratios(result: dict[str, Any]) -> dict[str, float]:
    """gradarg jit's share of the best peer's time, by row."""
    found = {}
    for name, row in result["rows"].items():
        middle = middles(row)
        peer, ours = best_peer(middle), middle.get("gradarg jit")
        if peer and ours:
            found[name] = ours / peer[0]
    return found


def mean(shares: Any) -> float:
    """The geometric mean."""
    return math.exp(statistics.mean(map(math.log, shares)))


def table(*rows: Any) -> list[str]:
    """Lines of a table whose first row is its head, after an empty one."""
    head, *body = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return ["", head, "|---" * len(rows[0]) + "|", *body]


def head(result: dict[str, Any]) -> list[str]:
    versions = ", ".join(f"{c} {v}" for c, v in result["versions"].items() if c != "limit")
    loads = ", ".join(f"{x:.1f}" for x in result["load"])
    return [
        f"{result['date']}, {result['cpu']}, {result['threads']} threads, "
        f"load average before and after {loads}",
        f"Python {result['python']}, {versions}",
    ]


def markdown(result: dict[str, Any]) -> str:
    lines = ["# gradarg beside its peers", "", *head(result)]
    missing = [*result["absent"], *result.get("left out", [])]
    if missing:
        lines += ["", f"Without {', '.join(missing)}: not installed, or left out of this run."]
    for part in (summary, times, compiling, without_llvm, billion, libraries, notes):
        lines += part(result)
    return "\n".join(lines) + "\n"


def summary(result: dict[str, Any]) -> list[str]:
    shares = ratios(result)
    if not shares:
        return []
    behind = sum(r > 1 for r in shares.values())
    missed = sum(r > result["rows"][n]["target"] for n, r in shares.items())
    rows = []
    for name, share in shares.items():
        middle = middles(result["rows"][name])
        target = result["rows"][name]["target"]
        limit = f"{middle['gradarg jit'] / middle['limit']:.3g}" if "limit" in middle else ""
        mark = " (behind)" if share > 1 else " (missed)" if share > target else ""
        shown = span(middle["gradarg jit"])
        peer = best_peer(middle)
        assert peer
        rows.append((name, f"{share:.2f}{mark}", target, shown, span(peer[0]), peer[1], limit))
    return [
        "",
        f"Geometric mean of the ratios: {mean(shares.values()):.2f}. {behind} of {len(shares)} "
        f"rows are behind the best peer, and {missed} miss their target.",
        "",
        "`ratio` is gradarg jit's time as a share of that of the best of PyTorch, torch.compile",
        "and JAX; `target` is what it was to be at most; `of the limit` is gradarg jit's time as a",
        "multiple of copying the bytes that the row must move, or of doing its matrix products.",
        *table(
            ("row", "ratio", "target", "gradarg jit", "best peer", "which", "of the limit"), *rows
        ),
    ]


def times(result: dict[str, Any]) -> list[str]:
    columns = [c for c in COLUMNS if any(c in r["times"] for r in result["rows"].values())]
    rows = []
    for name, row in result["rows"].items():
        middle, cells = middles(row), []
        for c in columns:
            us = row["times"].get(c)
            spread = f" ({(max(us) - min(us)) / middle[c]:.0%})" if us else ""
            cells.append(span(middle[c]) + spread if us else "")
        rows.append((name, *cells))
    return [
        "",
        "All times: medians, and in brackets the spread of the rounds (largest less smallest, of",
        "the median). `numpy` is the derivative written by hand.",
        *table(("row", *columns), *rows),
    ]


def compiling(result: dict[str, Any]) -> list[str]:
    found = result.get("compile")
    if not found:
        return []
    libraries = ("gradarg jit", "torch.compile", "jax jit")
    shares = [r["gradarg jit"] / r["jax jit"] for r in found.values() if all(r.get(c) for c in
              ("gradarg jit", "jax jit"))]  # fmt: skip
    said = (
        f" gradarg takes {statistics.median(shares):.2f} of JAX's time (the median; target 0.7)."
        * any(shares)
    )
    return [
        "",
        "Compile time in seconds: the first call less the second, in a fresh process with empty",
        f"caches, after the first call of another function, nothing else running.{said}",
        *table(
            ("row", *libraries),
            *((name, *(f"{row[c]:.3f}" if c in row else "" for c in libraries))
              for name, row in found.items()),
        ),
    ]  # fmt: skip


def without_llvm(result: dict[str, Any]) -> list[str]:
    blocked, eager = "gradarg numpy", "gradarg"
    rows, shares = [], []
    for name in result.get("large", []):
        middle = middles(result["rows"][name])
        if blocked in middle and eager in middle:
            shares.append(middle[blocked] / middle[eager])
            rows.append((name, f"{shares[-1]:.2f}"))
    if not rows:
        return []
    return [
        "",
        "Without llvmlite: the time of `jit` on NumPy as a share of gradarg's eager mode, where a",
        f"million elements or more are moved (geometric mean {mean(shares):.2f}; target 0.5).",
        *table(("row", "share"), *rows),
    ]


def billion(result: dict[str, Any]) -> list[str]:
    rows = []
    for facts in result.get("billion", []):
        needs = f"{facts['bytes'] / 1e9:.2f} GB" if "bytes" in facts else ""
        # where it was only done with more memory than there was to be
        took = f"{facts['seconds']:.3g} s" if "seconds" in facts else ""
        rows.append((
            facts["contender"], f"{facts['variables']:.0e}", f"{facts['gigabytes']} GB",
            facts.get("failed", "done"), needs, took,
        ))  # fmt: skip
    if not rows:
        return []
    return [
        "",
        "A billion variables in 24 GB: the Rosenbrock function's value and gradient, float32, in a",
        "process that may have no more memory beyond what its library takes. The peers were given",
        "a tenth of each. `took` and `needs` of one that ran out are those of a run with three",
        "times the memory; empty if that was not enough either.",
        *table(("contender", "variables", "memory", "outcome", "needs", "took"), *rows),
    ]


def libraries(result: dict[str, Any]) -> list[str]:
    rows = [
        (module, f"{size['import_ms']:.0f} ms", f"{size['installed_mb']:.0f} MB")
        for module, size in result.get("sizes", {}).items()
    ]
    return table(("library", "import, after numpy", "installed with all it needs"), *rows) * any(
        rows
    )


def notes(result: dict[str, Any]) -> list[str]:
    found = [
        f"- {name}: {c}: {why}"
        for name, row in result["rows"].items()
        for c, why in row["notes"].items()
        if why != "left out"
    ]
    return ["", "Without a figure:", "", *found] if found else []


def picture(result: dict[str, Any]) -> str:
    """Each contender's time as a share of NumPy's, on a logarithmic scale; left is faster."""
    rows = {n: m for n, row in result["rows"].items() if "numpy" in (m := middles(row))}
    drawn = [c for c in COLOURS if any(c in m for m in rows.values())]
    shares = [m[c] / m["numpy"] for m in rows.values() for c in drawn if c in m]
    # a limit far to the left, of a row that is no matter of bytes, would squeeze all others
    low = max(math.floor(math.log10(min(shares, default=0.1))), -3)
    high = math.ceil(math.log10(max(shares, default=10)))
    width, step, top = 620, 26, 72
    left = 40 + 7.2 * max(map(len, rows), default=0)
    bottom = top + step * len(rows)

    def x(share: float) -> float:
        return left + width * max((math.log10(share) - low) / max(high - low, 1), 0)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 40:.0f}" '
        f'height="{bottom + 48}" font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
        '<text x="16" y="24" font-weight="bold" font-size="15">Time as a share of NumPy by hand: '
        "left is faster</text>",
    ]
    at = 24.0
    for c in drawn:
        out += [mark(c, at, 48), f'<text x="{at + 11:.0f}" y="52">{c}</text>']
        at += 44 + 7.0 * len(c)
    for k in range(0, len(rows), 2):
        out.append(
            f'<rect x="0" y="{top + step * k}" width="100%" height="{step}" fill="#f5f5f5"/>'
        )
    for power in range(low, high + 1):
        at, colour = x(10.0**power), "#777" if power == 0 else "#ccc"
        out += [
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{top}" y2="{bottom}" stroke="{colour}"/>',
            f'<text x="{at:.1f}" y="{bottom + 18}" text-anchor="middle">'
            f"{f'{10.0**power:g}' if power else 'NumPy'}</text>",
        ]
    for k, (name, middle) in enumerate(rows.items()):
        y = top + step * (k + 0.5)
        out.append(
            f'<text x="{left - 14:.0f}" y="{y + 4.5}" text-anchor="end">{escape(name)}</text>'
        )
        out += [mark(c, x(middle[c] / middle["numpy"]), y) for c in reversed(drawn) if c in middle]
    out.append(f'<text x="16" y="{bottom + 40}" font-size="11">{escape(head(result)[0])}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


def mark(c: str, x: float, y: float) -> str:
    if c == "limit":
        return (
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y - 10}" y2="{y + 10}" stroke="black" '
            'stroke-width="2.5"/>'
        )
    radius = 6.5 if c == "gradarg jit" else 5
    return (
        f'<circle cx="{x:.1f}" cy="{y}" r="{radius}" fill="{COLOURS[c]}" stroke="white" '
        'stroke-width="0.7"/>'
    )
