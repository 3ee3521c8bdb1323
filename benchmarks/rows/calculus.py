"""Functions of numbers and of many variables: latency, bandwidth, and a whole Hessian."""

from __future__ import annotations

from typing import Any

import numpy as np
from _row import Row, generator


def three(np: Any, a: Any, x: Any, b: Any) -> Any:
    return 1 / (1 + np.exp(-(a * x + b)))


def three_by_hand(a: Any, x: Any, b: Any) -> Any:
    def call() -> Any:
        s = 1 / (1 + np.exp(-(a * x + b)))
        d = s * (1 - s)
        return s, (d * x, d * a, d)

    return call


def rosenbrock(np: Any, x: Any) -> Any:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def rosenbrock_by_hand(x: Any) -> Any:
    def call() -> Any:
        u, v = x[:-1], 1 - x[:-1]
        r = x[1:] - u * u
        g = np.zeros_like(x)
        g[:-1] = -400 * u * r
        g[:-1] -= 2 * v
        g[1:] += 200 * r
        r *= r
        r *= 100
        v *= v
        r += v
        return np.sum(r), g

    return call


def points(n: int, dtype: Any = np.float32) -> Any:
    """Near a curve of small values, so that the value is no sum of large numbers."""
    return generator().uniform(0.5, 1.5, n).astype(dtype)


def rosenbrock_row(n: int, label: str, quick: bool) -> Row:
    return Row(
        f"Rosenbrock, value and gradient, {label}",
        lambda: (points(n),),
        rosenbrock_by_hand,
        lambda lib, x: lib.gradient(lambda x: rosenbrock(lib.np, x), x),
        bytes=8 * n,
        tolerance=2e-5,
        quick=quick,
    )


def hessian_by_hand(x: Any) -> Any:
    def call() -> Any:
        diagonal = np.zeros(len(x))
        diagonal[:-1] += 1200 * x[:-1] ** 2 - 400 * x[1:] + 2
        diagonal[1:] += 200
        beside = -400 * x[:-1]
        return np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)

    return call


def three_numbers() -> tuple[Any, ...]:
    return np.float64(1.0), np.float64(2.0), np.float64(3.0)


ROWS = [
    Row(
        "sigmoid(a * x + b), value and gradient",
        three_numbers,
        three_by_hand,
        lambda lib, *abc: lib.gradient(lambda *abc: three(lib.np, *abc), *abc, to=3),
        tolerance=1e-12,
    ),
    rosenbrock_row(10**3, "1e3", True),
    rosenbrock_row(10**5, "1e5", True),
    rosenbrock_row(10**7, "1e7", True),
    rosenbrock_row(10**8, "1e8", False),
    Row(
        "Hessian of 200 variables",
        lambda: (points(200, np.float64),),
        hessian_by_hand,
        lambda lib, x: lib.hessian(lambda x: rosenbrock(lib.np, x), x),
        bytes=8 * 200 * 200,
        tolerance=1e-10,
    ),
]
