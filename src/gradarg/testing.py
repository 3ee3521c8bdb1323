"""Checks of derivatives against differences, for gradarg's own tests and for users' primitives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ._core import tree
from ._transform.forward import jvp
from ._transform.reverse import vjp

__all__ = ["check_grads"]


def _random_like(value: Any, random: np.random.Generator) -> Any:
    value = np.asarray(value)
    noise = random.standard_normal(value.shape)
    if value.dtype.kind == "c":
        noise = noise + 1j * random.standard_normal(value.shape)
    return noise.astype(value.dtype)[()]


def _dot(x: Any, y: Any) -> float:
    """The inner product of two trees, as real vector spaces."""
    pairs = zip(tree.flatten(x)[0], tree.flatten(y)[0])
    return float(sum(np.sum(np.real(np.conj(a) * b)) for a, b in pairs))


def _differences(
    f: Callable[..., Any], args: tuple[Any, ...], direction: tuple[Any, ...], step: float
) -> Any:
    """Central differences of the fourth order along a direction."""

    def at(k: float) -> Any:
        return f(*tree.map(lambda a, d: np.asarray(a + k * step * d)[()], args, direction))

    return tree.map(
        lambda a, b, c, d: (8 * (a - b) - (c - d)) / (12 * step), at(1), at(-1), at(2), at(-2)
    )


def _assert_close(found: Any, expected: Any, rtol: float, atol: float, what: str) -> None:
    for a, b in zip(tree.flatten(found)[0], tree.flatten(expected)[0]):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol, err_msg=what)


def check_grads(
    f: Callable[..., Any],
    args: Any,
    order: int = 2,
    modes: Sequence[str] = ("forward", "reverse"),
    *,
    step: float = 1e-3,
    rtol: float = 1e-6,
    atol: float = 1e-6,
    seed: int = 0,
) -> None:
    """Check f's derivatives up to an order against central differences, in random directions.

    `args` are floats, arrays or trees of them, of float64, at which f is smooth. Raises
    AssertionError with the values found and expected.

    >>> import numpy as np
    >>> check_grads(lambda x, y: np.sin(x) * y, (np.array([0.3, 1.2]), 2.0))
    """
    args = tree.map(lambda a: np.asarray(a)[()] if np.ndim(a) == 0 else np.asarray(a), tuple(args))
    for leaf in tree.flatten(args)[0]:
        if leaf.dtype.kind not in "fc":
            raise TypeError(f"check_grads takes floats, but got {leaf!r:.60} of {leaf.dtype}.")
    if not modes:
        raise ValueError("check_grads: modes is empty, so nothing would be checked.")
    unknown = set(modes) - {"forward", "reverse"}
    if unknown:
        raise ValueError(f"check_grads: modes are 'forward' and 'reverse', not {sorted(unknown)}.")
    random = np.random.default_rng(seed)
    direction = tree.map(lambda a: _random_like(a, random), args)
    expected = _differences(f, args, direction, step)
    if "forward" in modes:
        _, tangent = jvp(f, args, direction)
        _assert_close(tangent, expected, rtol, atol, f"JVP, with {order - 1} orders to go")
    if "reverse" in modes:
        out, pullback = vjp(f, *args)
        cotangent = tree.map(lambda o: _random_like(o, random), out)
        found, wanted = _dot(pullback(cotangent), direction), _dot(cotangent, expected)
        _assert_close(found, wanted, rtol, atol, f"VJP, with {order - 1} orders to go")
    if order > 1:
        next_ = {
            "order": order - 1,
            "modes": modes,
            "step": step,
            "rtol": rtol,
            "atol": atol,
            "seed": seed + 1,
        }
        if "forward" in modes:
            check_grads(lambda *a: jvp(f, a, direction)[1], args, **next_)  # type: ignore[arg-type]
        if "reverse" in modes:
            check_grads(lambda *a: vjp(f, *a)[1](cotangent), args, **next_)  # type: ignore[arg-type]
