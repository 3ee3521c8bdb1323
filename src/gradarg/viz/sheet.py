"""A sheet of images with what a network took them for."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from gradarg.data import needs

__all__ = ["digit_sheet"]

_COLUMNS = 12
_CELL = 8 + 4, 8 + 5  # pixels from one image to the next: across, down
_WRONG, _RIGHT = "#C8102E", "#444444"


def digit_sheet(
    path: str | os.PathLike[str],
    images: np.ndarray[Any, Any],
    labels: np.ndarray[Any, Any],
    predictions: np.ndarray[Any, Any],
    sample: int = 72,
) -> None:
    """Draw all images that were read wrong, in red frames, then a sample of the others; save it.

    `images` is (n, 8, 8) with 1 for ink; `labels` and `predictions` are (n,). Each mistake says
    "true t, said p". Raises `ImportError` without Matplotlib (`pip install "gradarg[train]"`).

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     digit_sheet(f"{folder}/d.png", np.eye(8)[None], np.array([7]), np.array([1]))
    ...     os.path.getsize(f"{folder}/d.png") > 1000
    True
    """
    with needs("train", "A sheet of digits"):
        from matplotlib.figure import Figure
        from matplotlib.patches import Rectangle

    wrong = np.flatnonzero(predictions != labels)
    right = np.flatnonzero(predictions == labels)
    right = right[:: max(1, len(right) // max(1, sample))][:sample]
    n = len(labels)
    share = 1 - len(wrong) / n
    parts = [
        (wrong, f"All {len(wrong)} mistakes among the {n} test images" if len(wrong) else ""),
        (right, f"{len(right)} of the {n - len(wrong)} images that were read right"),
    ]
    across, down = _CELL
    rows = sum(-(-len(chosen) // _COLUMNS) for chosen, _ in parts)
    width, height = _COLUMNS * across, rows * down + 8 * sum(bool(len(c)) for c, _ in parts)

    figure = Figure(figsize=(width / 13, height / 13 + 0.6), layout="constrained")
    figure.suptitle(f"Handwritten digits: {share:.1%} of the test read right", fontsize=14)
    axes = figure.subplots()
    axes.set(xlim=(-2, width - 2), ylim=(height, -1), aspect="equal")
    axes.axis("off")

    top = 0
    for chosen, heading in parts:
        if not len(chosen):
            continue
        axes.text(0, top + 3, heading, fontsize=11, weight="bold")
        top += 6
        for i, k in enumerate(chosen):
            x, y = i % _COLUMNS * across, top + i // _COLUMNS * down
            axes.imshow(
                images[k], extent=(x, x + 8, y + 8, y), cmap="gray_r", vmin=0, vmax=1, zorder=1
            )
            bad = predictions[k] != labels[k]
            axes.add_patch(
                Rectangle(
                    (x, y),
                    8,
                    8,
                    fill=False,
                    zorder=2,
                    edgecolor=_WRONG if bad else "#BBBBBB",
                    linewidth=2.5 if bad else 0.8,
                )
            )
            axes.text(
                x + 4,
                y + 10.3,
                f"true {labels[k]}, said {predictions[k]}" if bad else f"{predictions[k]}",
                ha="center",
                fontsize=7.5,
                color=_WRONG if bad else _RIGHT,
                weight="bold" if bad else "normal",
            )
        top += -(-len(chosen) // _COLUMNS) * down + 2
    axes.set(xlim=(-2, width - 2), ylim=(height, -1))
    figure.savefig(path, dpi=110)
