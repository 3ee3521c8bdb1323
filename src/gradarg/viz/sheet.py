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
        from matplotlib.layout_engine import ConstrainedLayoutEngine
        from matplotlib.patches import Rectangle

    wrong = np.flatnonzero(predictions != labels)
    right = np.flatnonzero(predictions == labels)
    right = right[:: max(1, len(right) // max(1, sample))][:sample]
    n = len(labels)
    share = 1 - len(wrong) / n
    parts = [
        (wrong, f"All mistakes: {len(wrong)} of the {n} test images"),
        (right, f"Read right: {len(right)} of the {n - len(wrong)} others"),
    ]
    parts = [(chosen, heading) for chosen, heading in parts if len(chosen)]
    across, down = _CELL
    rows = sum(-(-len(chosen) // _COLUMNS) for chosen, _ in parts)
    width, height = _COLUMNS * across, rows * down + 6 * len(parts) + 3 * (len(parts) - 1)

    layout = ConstrainedLayoutEngine(h_pad=0.15)
    figure = Figure(figsize=(width / 13, height / 13 + 0.6), layout=layout)
    figure.suptitle(f"Handwritten digits: {share:.1%} of the test read right", fontsize=14)
    axes = figure.subplots()
    axes.axis("off")

    top = 0
    for chosen, heading in parts:
        axes.text(0, top + 3, heading, fontsize=11, weight="bold")
        top += 6
        for i, k in enumerate(chosen):
            x, y = i % _COLUMNS * across, top + i // _COLUMNS * down
            place = (x, x + 8, y + 8, y)
            axes.imshow(images[k], "gray_r", extent=place, vmin=0, vmax=1, interpolation="nearest")
            bad = predictions[k] != labels[k]
            frame = {"edgecolor": _WRONG, "linewidth": 2.5} if bad else {"edgecolor": "#BBBBBB"}
            axes.add_patch(Rectangle((x, y), 8, 8, fill=False, zorder=2, **frame))
            axes.text(
                x + 4,
                y + 10.3,
                f"true {labels[k]}, said {predictions[k]}" if bad else f"{predictions[k]}",
                ha="center",
                fontsize=7.5,
                color=_WRONG if bad else _RIGHT,
                weight="bold" if bad else "normal",
            )
        top += -(-len(chosen) // _COLUMNS) * down + 3
    axes.set(xlim=(-2, width - 2), ylim=(height, 0), aspect="equal")
    figure.savefig(path, dpi=110)
