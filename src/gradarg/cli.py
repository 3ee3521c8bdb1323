"""The command `gradarg`: `gradarg train digits` trains a network and shows what it learnt."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradarg as ga

__all__ = ["main"]

_NEEDED = {  # by the name to import: what pip calls it
    "matplotlib": "matplotlib",
    "safetensors": "safetensors",
    "sklearn": "scikit-learn",
    "tqdm": "tqdm",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (`sys.argv`'s by default); returns its exit code.

    A wrong option exits with code 2 and a message; a missing library with 1.

    >>> main(["train", "digits", "--epochs", "0"])
    Traceback (most recent call last):
    SystemExit: 2
    """
    parser = _parser()
    options = parser.parse_args(argv)
    if options.command is None:
        parser.print_help()
        return 0
    if options.dataset not in _DATASETS:
        known = ", ".join(_DATASETS)
        options.parser.error(f"there is no data set {options.dataset!r}; known: {known}")
    try:
        return _DATASETS[options.dataset](options)
    except ImportError as error:
        print(f"gradarg train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ngradarg train: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "gradarg", description="Automatic differentiation and neural networks on NumPy."
    )
    parser.add_argument("--version", action="version", version=f"gradarg {ga.__version__}")
    commands = parser.add_subparsers(dest="command", title="commands")
    train = commands.add_parser(
        "train",
        help="train a network and write what it learnt to a folder",
        description="Train a network on real data; write weights, metrics, pictures to a folder.",
    )
    train.set_defaults(parser=train)
    train.add_argument("dataset", help="what to train on: " + ", ".join(_DATASETS))
    train.add_argument("--epochs", type=_whole(1), help="passes over the training data")
    train.add_argument("--seed", type=_whole(0), default=0, help="of all random numbers (0)")
    train.add_argument("--out", type=Path, metavar="DIR", help="the folder (runs/DATASET)")
    return parser


def _whole(low: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            n = int(text)
        except ValueError:
            n = low - 1
        if n < low:
            raise argparse.ArgumentTypeError(
                f"expected a whole number, {low} or more, not {text!r}"
            )
        return n

    return parse


def _folder(options: argparse.Namespace) -> Path:
    """The folder to write to, made before the work starts."""
    folder: Path = options.out or Path("runs", options.dataset)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        options.parser.error(f"cannot make the folder {folder}: {error.strerror}")
    return folder


def _digits(options: argparse.Namespace) -> int:
    missing = [pip for name, pip in _NEEDED.items() if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"this needs {', '.join(missing)}, not installed here. Install with: "
            'pip install "gradarg[train,sklearn]"'
        )
    from gradarg import train, viz

    start = time.perf_counter()
    folder = _folder(options)
    chosen: dict[str, Any] = {} if options.epochs is None else {"epochs": options.epochs}
    run = train.train_digits(seed=options.seed, progress=True, **chosen)
    digits, last = run.data, run.history[-1]

    train.save_weights(folder / "weights.safetensors", run.model.state_dict())
    train.write_metrics(folder / "metrics.csv", run.history)
    title = f"A perceptron learns to read digits (seed {options.seed})"
    viz.learning_curves(folder / "curves.png", run.history, title)
    viz.digit_sheet(folder / "digits.png", digits.test_images, digits.test_labels, run.predictions)

    def perceptron(images: Any, model: Any) -> Any:
        return model(images)

    graph = ga.stage(perceptron, digits.test_images, run.model)
    names = ["images", *(name for name, _ in run.model.named_parameters())]
    (folder / "graph.txt").write_text(f"# inputs: {', '.join(names)}\n{graph}\n", encoding="utf-8")
    (folder / "graph.dot").write_text(viz.dot(graph, names) + "\n", encoding="utf-8")

    right, n = int((run.predictions == digits.test_labels).sum()), len(digits.test_labels)
    print(
        f"Test accuracy {right / n:.2%} ({right} of {n} digits, each read from {train.VIEWS} "
        f"views; {last.test_accuracy:.2%} from one)\n"
        f"after {last.epoch} epochs over {len(digits.train_labels):,} images with seed "
        f"{options.seed}, in {time.perf_counter() - start:.1f} s\n"
        f"Written to {folder}: {', '.join(sorted(p.name for p in folder.iterdir()))}"
    )
    return 0


_DATASETS: dict[str, Callable[[argparse.Namespace], int]] = {"digits": _digits}
