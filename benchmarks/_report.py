"""The comparison as a table and as a picture."""

from __future__ import annotations

import math
import statistics
from typing import Any
from xml.sax.saxutils import escape

COLUMNS = [
    "gradarg jit", "gradarg", "torch", "torch.compile", "jax jit", "autograd", "mygrad", "numpy",
    "limit",
]  # fmt: skip
PEERS = ("torch", "torch.compile", "jax jit")
COLOURS = {
    "gradarg jit": "#c1121f", "gradarg": "#f4978e", "torch": "#8d99ae", "torch.compile": "#2b2d42",
    "jax jit": "#3a86c8", "autograd": "#84a98c", "mygrad": "#b5a27f", "limit": "#000000",
}  # fmt: skip


def span(us: float) -> str:
    for factor, unit in ((1, "us"), (1e3, "ms"), (1e6, "s")):
        if us < 1000 * factor or unit == "s":
            return f"{us / factor:.3g} {unit}"
    raise AssertionError


def middles(row: dict[str, Any]) -> dict[str, float]:
    return {c: statistics.median(us) for c, us in row["times"].items()}


def best_peer(middle: dict[str, float]) -> float | None:
    """The time of the best of PyTorch, torch.compile and JAX."""
    return min((middle[p] for p in PEERS if p in middle), default=None)


def head(result: dict[str, Any]) -> list[str]:
    versions = ", ".join(f"{c} {v}" for c, v in result["versions"].items() if c != "limit")
    loads = ", ".join(f"{x:.1f}" for x in result["load"])
    return [
        f"{result['date']}, {result['cpu']}, {result['threads']} threads, "
        f"load average before and after {loads}",
        f"Python {result['python']}, {versions}",
    ]


def markdown(result: dict[str, Any]) -> str:
    lines = ["# gradarg beside its peers", "", *head(result), ""]
    if result["absent"]:
        lines += [f"Left out, not installed: {', '.join(result['absent'])}.", ""]
    lines += [
        "Medians, and in brackets the spread of the rounds (largest less smallest, of the median).",
        "`ratio` is gradarg jit's share of the time of the best of PyTorch, torch.compile and JAX.",
        "`limit` copies the bytes that the row must move, or does its matrix products.",
        "",
        "| row | ratio | " + " | ".join(COLUMNS) + " |",
        "|---" * (len(COLUMNS) + 2) + "|",
    ]
    ratios = []
    for name, row in result["rows"].items():
        middle = middles(row)
        peer, ours = best_peer(middle), middle.get("gradarg jit")
        ratio = ours / peer if ours and peer else None
        ratios += [ratio] if ratio else []
        cells = [
            f"{span(middle[c])} ({(max(us) - min(us)) / middle[c]:.0%})"
            if (us := row["times"].get(c))
            else ""
            for c in COLUMNS
        ]
        lines.append(f"| {name} | {f'{ratio:.2f}' if ratio else ''} | {' | '.join(cells)} |")
    if ratios:
        mean = math.exp(statistics.mean(map(math.log, ratios)))
        lines += ["", f"Geometric mean of the ratios: {mean:.2f}; {sum(r > 1 for r in ratios)} of "
                  f"{len(ratios)} rows are behind the best peer."]  # fmt: skip
    lines += ["", "First calls, compilation included, while the others made theirs (s):", ""]
    lines += ["| row | gradarg jit | torch.compile | jax jit |", "|---|---|---|---|"]
    for name, row in result["rows"].items():
        cells = [f"{row['first'].get(c, '')}" for c in ("gradarg jit", "torch.compile", "jax jit")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += [
        "",
        "| library | import, after numpy | installed with all it needs |",
        "|---|---|---|",
    ]
    for module, size in result["sizes"].items():
        lines.append(f"| {module} | {size['import_ms']:.0f} ms | {size['installed_mb']:.0f} MB |")
    notes = [
        f"- {name}: {c}: {why}"
        for name, row in result["rows"].items()
        for c, why in row["notes"].items()
        if why != "left out"
    ]
    if notes:
        lines += ["", "Without a figure:", "", *notes]
    return "\n".join(lines) + "\n"


def picture(result: dict[str, Any]) -> str:
    """Each contender's time as a share of NumPy's, on a logarithmic scale; left is faster."""
    rows = {n: m for n, row in result["rows"].items() if "numpy" in (m := middles(row))}
    shares = [us / m["numpy"] for m in rows.values() for us in m.values()]
    low = math.floor(math.log10(min(shares, default=0.1)))
    high = math.ceil(math.log10(max(shares, default=10)))
    left, width, step, top = 360, 560, 24, 64
    height = top + step * len(rows) + 40

    def x(share: float) -> float:
        return left + width * (math.log10(share) - low) / max(high - low, 1)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 40}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{left}" y="20" font-weight="bold">time as a share of NumPy by hand '
        "(left is faster)</text>",
    ]
    for k, (c, colour) in enumerate(COLOURS.items()):
        at = left - 340 + k * 112
        out.append(f'<circle cx="{at}" cy="42" r="5" fill="{colour}"/>')
        out.append(f'<text x="{at + 9}" y="46">{c}</text>')
    bottom = top + step * len(rows)
    for power in range(low, high + 1):
        at, bold = x(10.0**power), "#888" if power == 0 else "#ddd"
        out.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{top}" y2="{bottom}" stroke="{bold}"/>')
        out.append(
            f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{10.0**power:g}</text>'
        )
    for k, (name, middle) in enumerate(rows.items()):
        y = top + step * (k + 0.5)
        out.append(f'<text x="{left - 12}" y="{y + 4}" text-anchor="end">{escape(name)}</text>')
        for c, colour in reversed(COLOURS.items()):
            if c not in middle:
                continue
            at = x(middle[c] / middle["numpy"])
            if c == "limit":
                out.append(
                    f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y - 9}" y2="{y + 9}" '
                    f'stroke="{colour}" stroke-width="2"/>'
                )
            else:
                out.append(f'<circle cx="{at:.1f}" cy="{y}" r="5" fill="{colour}"/>')
    out.append(f'<text x="8" y="{height - 6}" font-size="10">{escape(head(result)[0])}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"
