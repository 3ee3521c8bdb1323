"""A network that reads handwritten digits: `gradarg train digits`.

The loop at the end of `train_digits` is all there is to training a network: take some examples,
compute the loss, walk back for the gradients, take a step. What stands around it draws the examples
and keeps the books.
"""

from __future__ import annotations

import csv
import itertools
import math
import os
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

import gradarg as ga
from gradarg import data, nn, optim, random
from gradarg.nn import functional as F

from .threads import one_thread

__all__ = ["Epoch", "Run", "read_digits", "train_digits", "write_metrics"]

# Compared by cross-validation within the training images, where test images play no part.
EPOCHS = 200
HIDDEN = 512, 256
BATCH = 128
RATE = 2e-3  # of Adam's first steps; falls to 0 along half a cosine
SMOOTHING = 0.1  # the share of each label that is spread over all digits
DISTORTION = {"shift": 0.5, "turn": 0.2, "stretch": 0.1, "bend": 0.6}
VIEWS = 16  # of each image in `read_digits`, at half the distortion


class Epoch(NamedTuple):
    """One pass over the training images, and what the network could do.

    Loss is the cross-entropy and accuracy the share of images read right: in training the mean over
    the pass, on distorted images; in the test after it, on the images as they are.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    seconds: float  # since the start


class Run(NamedTuple):
    """A finished training: the network, its history, the data, and how it reads the test."""

    model: nn.Sequential
    history: list[Epoch]
    data: data.Digits
    predictions: np.ndarray[Any, Any]


@one_thread()
def train_digits(epochs: int = EPOCHS, seed: int = 0, progress: bool = False) -> Run:
    """Train a multilayer perceptron on the digits of `data.digits`.

    All random numbers come from `seed`, so equal seeds give equal networks. With `progress`, a bar
    shows how far it is, if standard error is a terminal.

    >>> run = train_digits(epochs=1)
    >>> run.model[1], run.predictions.shape
    (Linear(in_features=64, out_features=512, bias=True), (359,))
    """
    rng = np.random.default_rng(seed)
    digits = data.digits()
    model = _perceptron((64, *HIDDEN, 10), rng)
    optimizer = optim.Adam(model.parameters(), lr=RATE)
    steps = epochs * math.ceil(len(digits.train_images) / BATCH)
    done = 0
    history: list[Epoch] = []
    start = time.perf_counter()

    for epoch in _counted(epochs, progress, history):
        images = data.distort(digits.train_images, **DISTORTION, rng=rng)
        loss_sum = right = 0.0
        for x, labels in data.batches(images, digits.train_labels, size=BATCH, rng=rng):
            optimizer.param_groups[0]["lr"] = RATE * (1 + math.cos(math.pi * done / steps)) / 2
            logits = model(x)
            loss = F.cross_entropy(logits, labels, label_smoothing=SMOOTHING)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            done += 1
            batch_loss, batch_right = _judged(logits.value, labels)
            loss_sum, right = loss_sum + batch_loss, right + batch_right

        n, m = len(digits.train_labels), len(digits.test_labels)
        test_loss, test_right = _judged(_logits(model, digits.test_images), digits.test_labels)
        seconds = time.perf_counter() - start
        row = Epoch(epoch, loss_sum / n, right / n, test_loss / m, test_right / m, seconds)
        history.append(row)

    return Run(model, history, digits, read_digits(model, digits.test_images, rng=rng))


def read_digits(
    model: nn.Module, images: np.ndarray[Any, Any], rng: np.random.Generator | int | None = None
) -> np.ndarray[Any, Any]:
    """The digit in each image: the likeliest on average over slightly distorted views of it.

    `images` is (n, 8, 8), the result (n,). What a network says of a doubtful image depends on the
    chance of its training; over several views, most of that averages out. `rng` is a generator, a
    seed, or None for the one that `gradarg.random.seed` sets.

    >>> read_digits(nn.Sequential(nn.Flatten(), nn.Linear(64, 10, rng=0)), np.ones((3, 8, 8))).shape
    (3,)
    """
    rng = random.generator(rng)
    half = {name: size / 2 for name, size in DISTORTION.items()}
    views = (data.distort(images, **half, rng=rng) for _ in range(VIEWS))
    total = sum(F.softmax(_logits(model, view)) for view in views)
    digits: np.ndarray[Any, Any] = np.asarray(total).argmax(axis=1)
    return digits


def _perceptron(sizes: Sequence[int], rng: np.random.Generator) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in itertools.pairwise(sizes):
        layers += [nn.Linear(before, after, rng=rng), nn.ReLU()]
    return nn.Sequential(*layers[:-1])  # the last layer gives logits


def _logits(model: nn.Module, images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    with ga.no_grad():
        values: np.ndarray[Any, Any] = model(images).value
    return values


def _judged(logits: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> tuple[float, int]:
    """The sum of the losses, and how many images were read right."""
    loss = F.cross_entropy(logits, labels, reduction="sum")
    return float(loss), int(np.count_nonzero(logits.argmax(axis=1) == labels))


def _counted(epochs: int, progress: bool, history: list[Epoch]) -> Iterable[int]:
    """1, 2, ..., epochs; on a terminal, with a bar that shows the latest row of the history."""
    if not progress:
        yield from range(1, epochs + 1)
        return
    with data.needs("train", "The progress bar"):
        from tqdm import tqdm
    with tqdm(range(1, epochs + 1), desc="digits", unit="epoch", disable=None) as bar:
        for epoch in bar:
            yield epoch
            row = history[-1]
            bar.set_postfix_str(f"loss {row.train_loss:.3f}, test {row.test_accuracy:.1%}")


def write_metrics(path: str | os.PathLike[str], history: Iterable[Epoch]) -> None:
    """Write one line for each epoch to a CSV file, under the names of `Epoch`'s fields.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_metrics(f"{folder}/m.csv", [Epoch(1, 0.5, 0.75, 0.25, 1.0, 0.125)])
    ...     with open(f"{folder}/m.csv") as file:
    ...         print(file.read().strip())
    epoch,train_loss,train_accuracy,test_loss,test_accuracy,seconds
    1,0.500000,0.750000,0.250000,1.000000,0.125
    """
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Epoch._fields)
        for row in history:
            writer.writerow([row.epoch, *(f"{x:.6f}" for x in row[1:5]), f"{row.seconds:.3f}"])
