"""The functions behind the layers, with PyTorch's names: `import gradarg.nn.functional as F`.

Arrays in, arrays out; tensors in, tensors out. An axis is called `dim` here, as PyTorch does.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import gradarg as ga
from gradarg import random

from . import windows
from .windows import *  # noqa: F403

__all__ = [
    *windows.__all__,
    "cross_entropy",
    "dropout",
    "flatten",
    "linear",
    "log_softmax",
    "mse_loss",
    "relu",
    "sigmoid",
    "softmax",
    "tanh",
]


def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    """y = x @ W.T + b, along the last axis.

    `input` is (..., in_features), `weight` (out_features, in_features), `bias` (out_features,) or
    None; the result is (..., out_features). Raises `ShapeError` where they do not fit.

    >>> linear(np.array([1.0, 2.0]), np.array([[3.0, 4.0]]), np.array([0.5]))
    array([11.5])
    """
    x = _array(input)
    if weight.ndim != 2:
        raise ga.ShapeError(
            f"linear: the weight is (out_features, in_features), but met the shape {weight.shape}. "
            "For a stack of models use ga.vmap."
        )
    if not x.ndim or x.shape[-1] != weight.shape[1]:
        axis = f"has a last axis of {x.shape[-1]}" if x.ndim else "has no axis"
        raise ga.ShapeError(
            f"linear: the input of shape {x.shape} {axis}, but the weight of shape "
            f"{weight.shape} takes {weight.shape[1]}."
        )
    if bias is None:
        return ga.matmul(x, weight.T)
    if bias.shape != weight.shape[:1]:
        raise ga.ShapeError(
            f"linear: the bias of shape {bias.shape} should have the shape ({weight.shape[0]},), "
            f"for a weight of shape {weight.shape}."
        )
    return ga.matmul(x, weight.T) + bias


def relu(input: Any) -> Any:
    """max(x, 0), element by element; its slope at 0 is 0.

    >>> relu(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    return ga.relu(_array(input))


def tanh(input: Any) -> Any:
    """The hyperbolic tangent, element by element.

    >>> tanh(np.array([0.0]))
    array([0.])
    """
    return ga.tanh(_array(input))


def sigmoid(input: Any) -> Any:
    """1 / (1 + exp(-x)), element by element, without overflow.

    >>> sigmoid(np.array([-1e4, 0.0]))
    array([0. , 0.5])
    """
    return ga.sigmoid(_array(input))


def softmax(input: Any, dim: int = -1) -> Any:
    """exp(x) / sum(exp(x)) along an axis, without overflow.

    >>> softmax(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    return ga.softmax(_array(input), dim)


def log_softmax(input: Any, dim: int = -1) -> Any:
    """x - log(sum(exp(x))) along an axis, without overflow.

    >>> log_softmax(np.array([0.0, 1000.0]))
    array([-1000.,     0.])
    """
    return ga.log_softmax(_array(input), dim)


def dropout(input: Any, p: float = 0.5, training: bool = True, *, rng: Any = None) -> Any:
    """x with each element set to 0 with probability p, and the others divided by 1 - p.

    Where not `training`, x itself. `rng` is a generator, a seed, or None for the one that
    `gradarg.random.seed` sets; inside `ga.jit` each call draws anew.

    >>> dropout(np.ones(6), 0.5, rng=0)
    array([2., 2., 2., 0., 0., 0.])
    >>> dropout(np.ones(3), training=False)
    array([1., 1., 1.])
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p is a probability, in 0..1, not {p!r:.60}.")
    x = _array(input)
    if not training or p == 0:
        return x
    kept = random.generator(rng).random(x.shape, np.float32) >= p
    # an element that is dropped is 0 even if it was inf or NaN
    return ga.where(kept, x * (1 / (1 - p) if p < 1 else 0.0), 0)


def flatten(input: Any, start_dim: int = 1, end_dim: int = -1) -> Any:
    """The axes from start_dim to end_dim (with it) as one; by default all but the first.

    Raises `ShapeError` if there are no such axes, or if end_dim is before start_dim.

    >>> flatten(np.zeros((5, 8, 8))).shape, flatten(np.zeros((2, 3, 4)), 0, 1).shape
    ((5, 64), (6, 4))
    """
    x = _array(input)
    n = x.ndim
    if not (-n <= start_dim < n and -n <= end_dim < n and start_dim % n <= end_dim % n):
        raise ga.ShapeError(
            f"flatten: an input of shape {x.shape} has no axes from {start_dim} to {end_dim}."
        )
    start, end = start_dim % n, end_dim % n + 1
    return ga.reshape(x, x.shape[:start] + (math.prod(x.shape[start:end]),) + x.shape[end:])


# ---------------------------------------------------------------------------------- losses


def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """mean((x - y)**2).

    `input` and `target` have one shape. `reduction` is "mean", "sum", or "none" for the squares
    themselves. Raises `ShapeError` if the shapes differ: (n, 1) and (n,) would make an (n, n).

    >>> mse_loss(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    np.float64(2.0)
    """
    x, y = _array(input), _array(target)
    if x.shape != y.shape:
        raise ga.ShapeError(
            f"mse_loss: the input has the shape {x.shape} and the target {y.shape}; they must be "
            "equal, for broadcasting would compare every prediction with every target. Reshape "
            f"the one that is wrong, as by target.reshape({', '.join(map(str, x.shape))})."
        )
    return _reduced(ga.square(x - y), reduction, "mse_loss")


def cross_entropy(
    input: Any, target: Any, reduction: str = "mean", *, label_smoothing: float = 0.0
) -> Any:
    """-log softmax(logits)[label], the mean over the examples.

    `input` holds the logits: (N, C), or (C,) for one example, or (N, C, d1, ...); the classes are
    axis 1. `target` holds labels, integers in 0..C-1 of the shape without the axis of the classes,
    or class probabilities, floats of the shape of the logits. `reduction` is "mean", "sum", or
    "none". With `label_smoothing` s, the target is (1 - s) times itself plus s / C for each class.

    Raises `ShapeError` if the shapes do not fit, and `ValueError` for a label out of range. There
    is no label to be ignored (PyTorch's -100). Where the labels' values are not known, inside vmap
    or stage, a label out of range makes the loss NaN.

    >>> logits = np.log(np.array([[0.25, 0.75], [0.5, 0.5]]))
    >>> loss = cross_entropy(logits, np.array([1, 0]))  # -(log 0.75 + log 0.5) / 2
    >>> print(f"{loss:.6f}")
    0.490415
    """
    logits, target = _array(input), _array(target)
    if not logits.ndim:
        raise ga.ShapeError(
            "cross_entropy: logits of shape () have no axis of classes; give (N, C)."
        )
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing is in 0..1, not {label_smoothing!r}.")
    axis = 1 if logits.ndim > 1 else 0
    classes = logits.shape[axis]
    logs = ga.log_softmax(logits, axis)
    if target.dtype.kind in "iu":
        losses = -_gathered(logs, target, axis)
    elif target.dtype.kind == "f":
        if target.shape != logits.shape:
            raise ga.ShapeError(
                f"cross_entropy: class probabilities of shape {target.shape} for logits of shape "
                f"{logits.shape}; they must be equal. Labels are integers, not {target.dtype}."
            )
        # a class of probability 0 adds 0, also where its logit is -inf
        certain = ga.where((target == 0) & (logs == -np.inf), 0, logs)
        losses = -ga.sum(target * certain, axis)
    else:
        raise TypeError(
            f"cross_entropy: the target holds integers (labels) or floats (probabilities), not "
            f"{target.dtype}."
        )
    if label_smoothing:
        spread = -ga.sum(logs, axis) / classes
        losses = (1 - label_smoothing) * losses + label_smoothing * spread
    return _reduced(losses, reduction, "cross_entropy")


def _gathered(logs: Any, labels: Any, axis: int) -> Any:
    """The entry of each example's label along the axis of the classes."""
    expected = logs.shape[:axis] + logs.shape[axis + 1 :]
    if labels.shape != expected:
        raise ga.ShapeError(
            f"cross_entropy: labels of shape {labels.shape} for logits of shape {logs.shape}; "
            f"expected {expected}, one for each example. Class probabilities are floats."
        )
    classes = logs.shape[axis]
    values = _known(labels)
    if values is not None:
        wrong = (values < 0) | (values >= classes)
        if wrong.any():
            place = tuple(map(int, np.argwhere(wrong)[0]))
            raise ValueError(
                f"cross_entropy: {np.count_nonzero(wrong)} of {values.size} labels are out of "
                f"range, the first is {values[place]} at {list(place)}. With {classes} classes "
                f"(logits of shape {logs.shape}) labels are in 0..{classes - 1}."
            )
        labels = values
    inside = None if values is not None else (labels >= 0) & (labels < classes)
    index = labels if inside is None else ga.where(inside, labels, 0)
    picked = ga.take_along_axis(logs, ga.expand_dims(index, axis), axis)
    picked = ga.reshape(picked, expected)
    return picked if inside is None else ga.where(inside, picked, np.nan)


def _reduced(losses: Any, reduction: str, name: str) -> Any:
    if reduction == "none":
        return losses
    if reduction == "sum":
        return ga.sum(losses)
    if reduction != "mean":
        raise ValueError(f"{name}: reduction is 'mean', 'sum' or 'none', not {reduction!r}.")
    if not losses.size:
        raise ga.ShapeError(f"{name}: no examples (shape {losses.shape}), so there is no mean.")
    return ga.mean(losses)


def _array(x: Any) -> Any:
    return x if isinstance(x, ga.Tensor) else np.asarray(x)


def _known(x: Any) -> np.ndarray[Any, Any] | None:
    """The values of an array or tensor; None inside a transform that has none to show."""
    try:
        return x.value if isinstance(x, ga.Tensor) else np.asarray(x)
    except ga.ConcreteValueError:
        return None
