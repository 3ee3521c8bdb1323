"""Functions of numbers and of many variables: latency, bandwidth, and a whole Hessian."""

from __future__ import annotations

import weakref
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


def recycled(lib: Any, x: Any) -> Any:
    """Outputs in the memory of the last ones: gradarg's own doing, JAX's by donation."""
    if lib.name != "jax jit":
        return lib.gradient(lambda x: rosenbrock(lib.np, x), x)
    both = lib.jax.value_and_grad(lambda x: rosenbrock(lib.np, x))
    run = lib.jax.jit(lambda x, spare: both(x), donate_argnums=1, keep_unused=True)
    kept = [lib.np.zeros_like(x)]

    def call() -> Any:
        value, kept[0] = run(x, kept[0])
        return lib.jax.block_until_ready((value, kept[0]))

    return call


def fresh(lib: Any, x: Any) -> Any:
    """Outputs in memory from the system: gradarg recycles none that a weak reference watches."""
    gradient = lib.gradient(lambda x: rosenbrock(lib.np, x), x)
    if not lib.name.startswith("gradarg"):
        return gradient
    watching = []

    def call() -> Any:
        value, g = gradient()
        watching.append(weakref.ref(g))
        return value, g

    return call


def rosenbrock_row(
    label: str, target: float, quick: bool = False, build: Any = recycled, how: str = ""
) -> Row:
    n = int(float(label))
    heavy = ("gradarg", "gradarg numpy", "autograd", "mygrad") if n > 10**7 else ()
    return Row(
        f"Rosenbrock, value and gradient, {label}{how}",
        lambda: (points(n),),
        rosenbrock_by_hand,
        build,
        own=dict.fromkeys(heavy),
        bytes=8 * n,
        tolerance=2e-5,
        quick=quick,
        target=target,
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
    rosenbrock_row("1e2", 1.0),
    rosenbrock_row("1e3", 0.15, quick=True),
    rosenbrock_row("1e4", 0.15),
    rosenbrock_row("1e5", 0.15, quick=True),
    rosenbrock_row("1e6", 0.15),
    rosenbrock_row("1e7", 0.35, build=fresh, how=", fresh outputs"),
    rosenbrock_row("1e7", 0.12, quick=True, how=", recycled or donated"),
    rosenbrock_row("1e8", 0.35, build=fresh, how=", fresh outputs"),
    rosenbrock_row("1e8", 0.12, how=", recycled or donated"),
    Row(
        "Hessian of 200 variables",
        lambda: (points(200, np.float64),),
        hessian_by_hand,
        lambda lib, x: lib.hessian(lambda x: rosenbrock(lib.np, x), x),
        bytes=8 * 200 * 200,
        tolerance=1e-10,
    ),
]
