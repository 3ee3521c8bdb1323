"""`Rule`: an optimiser as a pair of pure functions over trees; and how a formula becomes one.

A formula says what happens to one array, element by element: from the number of the step (1, 2,
...), the gradient, the parameter and the buffers kept since the last step, to what is added to the
parameter and the new buffers. It is written in plain NumPy, so it works on tensors and staged
values too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import gradarg as ga

__all__ = ["Formula", "Method", "Rule", "number", "off", "weak"]

# formula(count, g, p, kept, **options) -> (step, kept)
Formula = Callable[..., tuple[Any, Sequence[Any]]]


class Rule(NamedTuple):
    """An optimiser: `state = init(params)`, then `steps, state = update(grads, state, params)`.

    `params` and `grads` are trees of one structure; `steps` is a third, to be added to params.
    Neither function changes its arguments. The state is a tree too: the number of steps done, and
    for each buffer a tree in the form of params.

    >>> from gradarg.optim import sgd
    >>> rule = sgd(lr=0.1, momentum=0.9)
    >>> params = {"x": np.array([3.0, 4.0])}
    >>> state = rule.init(params)
    >>> for _ in range(2):
    ...     grads = ga.grad(lambda p: np.sum(p["x"] ** 2))(params)
    ...     steps, state = rule.update(grads, state, params)
    ...     params = ga.tree.map(np.add, params, steps)
    >>> params, state["step"]
    ({'x': array([1.38, 1.84])}, 2)

    Rules that differ in numbers only share the state, so a schedule is a rule for each step:
    `sgd(lr=schedule(i), momentum=0.9).update(grads, state, params)`.
    """

    init: Callable[[Any], dict[str, Any]]
    update: Callable[[Any, dict[str, Any], Any], tuple[Any, dict[str, Any]]]


class Method(NamedTuple):
    """What makes an optimiser: its formula, a check of its options, and the buffers these need.

    `check(**options)` returns the options in their final form or raises `ValueError`;
    `buffers(options)` names what the formula keeps.

    >>> halve = Method(lambda count, g, p, kept, share: (-share * g, ()), dict, lambda options: ())
    >>> rule = halve.rule(share=0.5)
    >>> rule.update([np.array([2.0])], rule.init([np.array([7.0])]), [np.array([7.0])])
    ([array([-1.])], {'step': 1})
    """

    formula: Formula
    check: Callable[..., dict[str, Any]]
    buffers: Callable[[dict[str, Any]], Sequence[str]]

    def rule(self, **options: Any) -> Rule:
        """The pure form, under these options."""
        options = self.check(**options)
        return _elementwise(partial(self.formula, **options), self.buffers(options))


def _elementwise(formula: Formula, buffers: Sequence[str]) -> Rule:
    """The rule that applies a formula to each leaf; `buffers` names what it keeps."""

    def init(params: Any) -> dict[str, Any]:
        zeros = {
            name: ga.tree.map(lambda p: np.zeros(np.shape(p), _floats(p)), params)
            for name in buffers
        }
        return {"step": 0, **zeros}

    def update(grads: Any, state: dict[str, Any], params: Any) -> tuple[Any, dict[str, Any]]:
        count = state["step"] + 1
        gs, structure = ga.tree.flatten(grads)
        ps = ga.tree.leaves_like(structure, params, "update(grads, state, params): params")
        kept = [
            ga.tree.leaves_like(structure, state[name], f"update: the state's {name}")
            for name in buffers
        ]
        steps, after = [], []
        for i, (g, p) in enumerate(zip(gs, ps)):
            if np.shape(g) != np.shape(p):
                raise ga.ShapeError(
                    f"update(grads, state, params): leaf {i} of grads has the shape {np.shape(g)}, "
                    f"that of params {np.shape(p)}; they must be equal."
                )
            step, new = formula(count, g, p, [leaves[i] for leaves in kept])
            steps.append(step)
            after.append(new)
        trees = {
            name: structure.unflatten(new[k] for new in after) for k, name in enumerate(buffers)
        }
        return structure.unflatten(steps), {"step": count, **trees}

    return Rule(init, update)


def _floats(p: Any) -> np.dtype[Any]:
    """The dtype of a parameter, which must hold real numbers."""
    dtype = p.dtype if hasattr(p, "dtype") else np.asarray(p).dtype
    if dtype.kind != "f":
        raise TypeError(
            f"An optimiser takes parameters of real floats, but met {dtype} (shape {np.shape(p)})."
            + (" Keep the real and the imaginary part as two arrays." if dtype.kind == "c" else "")
        )
    return np.dtype(dtype)


def number(name: str, value: Any, low: float = 0.0, high: float = np.inf) -> Any:
    """An option as a Python float, checked to be in low <= value < high; a tensor as it is.

    >>> number("lr", np.float32(0.5)), number("beta", 1.0, 0, 1)
    Traceback (most recent call last):
    ValueError: beta is a number, 0 or more and below 1, not 1.0.
    """
    if isinstance(value, ga.Tensor):  # an option to be differentiated
        return value
    try:
        x = float(value)
    except (TypeError, ValueError):
        x = np.nan
    if not low <= x < high:
        bound = f", {low:g} or more" + ("" if high == np.inf else f" and below {high:g}")
        raise ValueError(f"{name} is a number{bound}, not {value!r:.60}.")
    return x


def off(option: Any) -> bool:
    """Whether a term falls away; not if a derivative with respect to it is wanted.

    >>> off(0.0), off(ga.Tensor(0.0))
    (True, False)
    """
    return not isinstance(option, ga.Tensor) and option == 0


def weak(factor: Any, like: Any) -> Any:
    """A factor that leaves the dtype of `like` as it is: a Python number, or cast to it.

    >>> weak(0.5, np.float32(1)), weak(ga.Tensor(0.5), np.float32(1)).dtype
    (0.5, dtype('float32'))
    """
    if factor.__class__ is float:
        return factor
    return ga.astype(factor, like.dtype) if isinstance(factor, ga.Tensor) else float(factor)
