"""Steps that adapt to the size of the gradient: `Adam` and `AdamW`, `adam` and `adamw`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .optimizer import Optimizer
from .rule import Method, Rule, number, off, weak

__all__ = ["Adam", "AdamW", "adam", "adamw"]


def _formula(
    count: Any,
    g: Any,
    p: Any,
    kept: Sequence[Any],
    *,
    lr: Any,
    betas: tuple[Any, Any],
    eps: Any,
    weight_decay: Any,
) -> tuple[Any, Sequence[Any]]:
    if not off(weight_decay):
        g = g + weak(weight_decay, g) * p
    (beta1, beta2), (m, v) = betas, kept
    m = weak(beta1, g) * m + weak(1 - beta1, g) * g
    v = weak(beta2, g) * v + weak(1 - beta2, g) * (g * g)
    # the corrections of m and v are numbers: gathered in front, they cost no pass over the arrays
    root = (1 - beta2**count) ** 0.5
    size = -lr * root / (1 - beta1**count)
    return weak(size, g) * (m / (np.sqrt(v) + weak(eps * root, g))), (m, v)


def _decoupled(
    count: Any, g: Any, p: Any, kept: Sequence[Any], *, weight_decay: Any, **options: Any
) -> tuple[Any, Sequence[Any]]:
    step, kept = _formula(count, g, p, kept, weight_decay=0.0, **options)
    if not off(weight_decay):
        step = step - weak(options["lr"] * weight_decay, g) * p
    return step, kept


def _checked(lr: Any, betas: Any, eps: Any, weight_decay: Any) -> dict[str, Any]:
    try:
        first, second = betas
    except (TypeError, ValueError):
        raise ValueError(f"betas is a pair of numbers, not {betas!r:.60}.") from None
    return {
        "lr": number("lr", lr),
        "betas": (number("betas[0]", first, 0, 1), number("betas[1]", second, 0, 1)),
        "eps": number("eps", eps),
        "weight_decay": number("weight_decay", weight_decay),
    }


def _buffers(_options: dict[str, Any]) -> tuple[str, ...]:
    return "exp_avg", "exp_avg_sq"


_METHOD = Method(_formula, _checked, _buffers)
_METHOD_W = Method(_decoupled, _checked, _buffers)


def adam(
    lr: Any = 1e-3, betas: tuple[Any, Any] = (0.9, 0.999), eps: Any = 1e-8, weight_decay: Any = 0.0
) -> Rule:
    """Adam as a pair of pure functions; the options are those of `Adam`.

    >>> import numpy as np
    >>> rule, p = adam(lr=0.5), np.array([3.0])
    >>> steps, state = rule.update(2 * p, rule.init(p), p)
    >>> steps, state["exp_avg"]  # the first step is lr long, in any direction
    (array([-0.5]), array([0.6]))
    """
    return _METHOD.rule(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)


def adamw(
    lr: Any = 1e-3, betas: tuple[Any, Any] = (0.9, 0.999), eps: Any = 1e-8, weight_decay: Any = 0.01
) -> Rule:
    """AdamW as a pair of pure functions; the options are those of `AdamW`.

    >>> import numpy as np
    >>> rule, p = adamw(lr=0.5, weight_decay=0.1), np.array([3.0])
    >>> rule.update(2 * p, rule.init(p), p)[0]  # Adam's -0.5, and -0.5 * 0.1 * 3
    array([-0.65])
    """
    return _METHOD_W.rule(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)


class Adam(Optimizer):
    """Adam: steps along a running mean of the gradients, over the root of that of their squares.

    With the gradient g (plus weight_decay * p), at step t = 1, 2, ...

        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        p = p - lr * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)

    from Kingma and Ba, "Adam: a method for stochastic optimization" (2015), algorithm 1. `params`
    are tensors that require grad, or dicts of them with options of their own. Raises `ValueError`
    for a negative option, or a beta outside of 0 <= beta < 1.

    >>> import gradarg as ga, numpy as np
    >>> w = ga.Tensor([3.0, -4.0], requires_grad=True)
    >>> optimizer = Adam([w], lr=0.5)
    >>> np.sum(w * w).backward()
    >>> optimizer.step()
    >>> w.value
    array([ 2.5, -3.5])
    """

    method = _METHOD

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)


class AdamW(Optimizer):
    """Adam with a decay of the weights of its own: it does not pass through the running means.

    Adam's step by the gradient alone, and `p = p - lr * weight_decay * p` beside it, from
    Loshchilov and Hutter, "Decoupled weight decay regularization" (2019), in PyTorch's form.
    `params` are tensors that require grad, or dicts of them with options of their own. Raises
    `ValueError` for a negative option, or a beta outside of 0 <= beta < 1.

    >>> import gradarg as ga, numpy as np
    >>> w = ga.Tensor([3.0, -4.0], requires_grad=True)
    >>> optimizer = AdamW([w], lr=0.5, weight_decay=0.1)
    >>> np.sum(w * w).backward()
    >>> optimizer.step()
    >>> w.value
    array([ 2.35, -3.3 ])
    """

    method = _METHOD_W

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
