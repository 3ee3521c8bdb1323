"""Gradient descent, with momentum: `SGD` and `sgd`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import gradarg as ga

from .optimizer import Optimizer
from .rule import Method, Rule, number, off, weak

__all__ = ["SGD", "sgd"]


def _formula(
    count: Any,
    g: Any,
    p: Any,
    kept: Sequence[Any],
    *,
    lr: Any,
    momentum: Any,
    dampening: Any,
    weight_decay: Any,
    nesterov: bool,
) -> tuple[Any, Sequence[Any]]:
    if not off(weight_decay):
        g = g + weak(weight_decay, g) * p
    if off(momentum):
        return weak(-lr, g) * g, ()
    share = 1 - dampening
    if not off(dampening):  # the first gradient enters whole
        share = ga.where(count > 1, share, 1.0) if _varies(count) else share if count > 1 else 1.0
    buffer = weak(momentum, g) * kept[0] + weak(share, g) * g
    direction = g + weak(momentum, g) * buffer if nesterov else buffer
    return weak(-lr, g) * direction, (buffer,)


def _varies(count: Any) -> bool:
    return isinstance(count, ga.Tensor)


def _checked(
    lr: Any, momentum: Any, dampening: Any, weight_decay: Any, nesterov: bool
) -> dict[str, Any]:
    options = {
        "lr": number("lr", lr),
        "momentum": number("momentum", momentum),
        "dampening": number("dampening", dampening),
        "weight_decay": number("weight_decay", weight_decay),
        "nesterov": bool(nesterov),
    }
    if nesterov and (off(options["momentum"]) or not off(options["dampening"])):
        raise ValueError(
            "Nesterov's step needs a momentum above 0 and no dampening, but met "
            f"momentum={momentum!r}, dampening={dampening!r}."
        )
    return options


def _buffers(options: dict[str, Any]) -> tuple[str, ...]:
    return () if off(options["momentum"]) else ("momentum_buffer",)


_METHOD = Method(_formula, _checked, _buffers)


def sgd(
    lr: Any,
    momentum: Any = 0.0,
    dampening: Any = 0.0,
    weight_decay: Any = 0.0,
    nesterov: bool = False,
) -> Rule:
    """Gradient descent as a pair of pure functions; the options are those of `SGD`.

    The numbers may be tensors, so that a derivative can be taken with respect to them:

    >>> import gradarg as ga, numpy as np
    >>> def after_one_step(lr):
    ...     p, rule = np.array([3.0]), sgd(lr)
    ...     steps, _ = rule.update(2 * p, rule.init(p), p)  # the gradient of p**2
    ...     return np.sum((p + steps) ** 2)
    >>> ga.grad(after_one_step)(0.25)  # d/dlr (p - 2 lr p)**2 = -4 p**2 (1 - 2 lr)
    np.float64(-18.0)
    """
    return _METHOD.rule(
        lr=lr,
        momentum=momentum,
        dampening=dampening,
        weight_decay=weight_decay,
        nesterov=nesterov,
    )


class SGD(Optimizer):
    """Gradient descent: `p -= lr * b`, where b is the gradient, or with momentum its running sum.

    With the gradient g (plus weight_decay * p), step by step

        b = momentum * b + (1 - dampening) * g        (b = g at first)
        p = p - lr * (g + momentum * b if nesterov else b)

    which is PyTorch's form of Sutskever et al., "On the importance of initialization and momentum
    in deep learning" (2013). `params` are tensors that require grad, or dicts of them with options
    of their own. Raises `ValueError` for a negative option, or nesterov without momentum.

    >>> import gradarg as ga, numpy as np
    >>> w = ga.Tensor([3.0, 4.0], requires_grad=True)
    >>> optimizer = SGD([w], lr=0.25)
    >>> np.sum(w * w).backward()
    >>> optimizer.step()
    >>> w.value
    array([1.5, 2. ])
    """

    method = _METHOD

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
        )
