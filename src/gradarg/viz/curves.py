"""Learning curves."""

from __future__ import annotations

import os
from collections.abc import Sequence

from gradarg.data import needs
from gradarg.train import Epoch

__all__ = ["learning_curves"]

# From the palette of Okabe and Ito, which people with any colour vision can tell apart.
_TRAIN, _TEST = "#0072B2", "#D55E00"


def learning_curves(path: str | os.PathLike[str], history: Sequence[Epoch], title: str) -> None:
    """Draw loss and accuracy over the epochs of a training run, and save the picture.

    Raises `ImportError` without Matplotlib (`pip install "gradarg[train]"`).

    >>> import tempfile
    >>> history = [Epoch(1, 0.9, 0.7, 0.8, 0.75, 0.1), Epoch(2, 0.4, 0.9, 0.5, 0.85, 0.2)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     learning_curves(f"{folder}/curves.png", history, "Two epochs")
    ...     os.path.getsize(f"{folder}/curves.png") > 1000
    True
    """
    with needs("train", "A picture of the learning curves"):
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
        from matplotlib.ticker import LogLocator, MaxNLocator, PercentFormatter

    epochs = [row.epoch for row in history]
    last = history[-1]
    figure = Figure(figsize=(11, 4.6), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1))
    figure.suptitle(title, fontsize=13)
    loss, accuracy = figure.subplots(1, 2)

    loss.plot(
        epochs, [row.train_loss for row in history], _TRAIN, label="training, on distorted images"
    )
    loss.plot(epochs, [row.test_loss for row in history], _TEST, label="test", linestyle="--")
    loss.set(title="Loss", ylabel="cross-entropy", yscale="log")
    loss.yaxis.set_major_formatter("{x:g}")
    loss.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    loss.yaxis.set_minor_formatter("")

    train = [row.train_accuracy for row in history]
    test = [row.test_accuracy for row in history]
    accuracy.plot(epochs, train, _TRAIN, label=f"training, last {last.train_accuracy:.1%}")
    accuracy.plot(epochs, test, _TEST, label=f"test, last {last.test_accuracy:.1%}", linestyle="--")
    lowest = min(train[len(train) // 20 :] + test[len(test) // 20 :])
    accuracy.set(title="Accuracy", ylabel="share of images read right")
    accuracy.set_ylim(max(0, lowest - 0.02), 1.005)
    accuracy.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))

    for axes in (loss, accuracy):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="upper right" if axes is loss else "lower right")
    figure.savefig(path, dpi=120)
